//! Properties of keys and rows, over all types.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    ListArray, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, IntervalMonthDayNano};
use proptest::prelude::*;

use crate::row::{self, RowImage};
use crate::{Access, Column, ColumnType, IndexLayout, KeyRange, Layout, RelationId, key};

/// A value as tests think of it.
#[derive(Clone, Debug)]
enum V {
    Null,
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    U32(u32),
    F32(f32),
    F64(f64),
    /// Sign, weight, base-10000 digits without zeros at the ends.
    Numeric(Num, u16),
    Text(String),
    Bin(Vec<u8>),
    Uuid([u8; 16]),
    Interval(i32, i32, i64),
    List(Vec<V>),
}

#[derive(Clone, Debug, PartialEq)]
enum Num {
    MinusInfinity,
    Finite(bool, i16, Vec<u16>),
    Infinity,
    NaN,
}

impl Num {
    fn bytes(&self, scale: u16) -> Vec<u8> {
        let mut out = match self {
            Num::MinusInfinity => vec![0x10],
            Num::Infinity => vec![0x50],
            Num::NaN => vec![0x60],
            Num::Finite(_, _, digits) if digits.is_empty() => vec![0x30],
            Num::Finite(negative, weight, digits) => {
                let mut body = Vec::new();
                body.extend_from_slice(&((i32::from(*weight) + 0x8000) as u16).to_be_bytes());
                digits.iter().for_each(|d| body.extend_from_slice(&(d + 1).to_be_bytes()));
                body.extend_from_slice(&[0, 0]);
                if *negative {
                    body.iter_mut().for_each(|b| *b = !*b);
                }
                body.insert(0, if *negative { 0x20 } else { 0x40 });
                body
            }
        };
        out.extend_from_slice(&scale.to_be_bytes());
        out
    }

    fn rank(&self) -> i32 {
        match self {
            Num::MinusInfinity => -2,
            Num::Finite(_, _, d) if d.is_empty() => 0,
            Num::Finite(true, ..) => -1,
            Num::Finite(false, ..) => 1,
            Num::Infinity => 2,
            Num::NaN => 3,
        }
    }

    fn order(&self, other: &Num) -> Ordering {
        let magnitude = match (self, other) {
            // Zeros are one value, whatever their sign and weight.
            (Num::Finite(_, w, d), Num::Finite(_, v, e)) if !(d.is_empty() && e.is_empty()) => {
                w.cmp(v).then_with(|| d.cmp(e))
            }
            _ => Ordering::Equal,
        };
        let signed = if self.rank() < 0 { magnitude.reverse() } else { magnitude };
        self.rank().cmp(&other.rank()).then(signed)
    }
}

fn float_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn order(a: &V, b: &V) -> Ordering {
    match (a, b) {
        (V::Null, V::Null) => Ordering::Equal,
        (V::Null, _) => Ordering::Greater,
        (_, V::Null) => Ordering::Less,
        (V::Bool(a), V::Bool(b)) => a.cmp(b),
        (V::I16(a), V::I16(b)) => a.cmp(b),
        (V::I32(a), V::I32(b)) => a.cmp(b),
        (V::I64(a), V::I64(b)) => a.cmp(b),
        (V::U32(a), V::U32(b)) => a.cmp(b),
        (V::F32(a), V::F32(b)) => float_order(f64::from(*a), f64::from(*b)),
        (V::F64(a), V::F64(b)) => float_order(*a, *b),
        (V::Numeric(a, _), V::Numeric(b, _)) => a.order(b),
        (V::Text(a), V::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (V::Bin(a), V::Bin(b)) => a.cmp(b),
        (V::Uuid(a), V::Uuid(b)) => a.cmp(b),
        (V::Interval(m, d, n), V::Interval(o, e, p)) => {
            let span = |m: i32, d: i32, n: i64| {
                (i128::from(m) * 30 + i128::from(d)) * 86_400_000_000_000 + i128::from(n)
            };
            span(*m, *d, *n).cmp(&span(*o, *e, *p))
        }
        (V::List(a), V::List(b)) => {
            let mut pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
            pairs.find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => panic!("values of different types"),
    }
}

macro_rules! collect {
    ($values:expr, $variant:ident, $array:ty) => {
        Arc::new(
            $values
                .iter()
                .map(|v| match v {
                    V::$variant(v) => Some(v.clone()),
                    _ => None,
                })
                .collect::<$array>(),
        ) as ArrayRef
    };
}

fn array(ty: &ColumnType, values: &[V]) -> ArrayRef {
    match ty {
        ColumnType::Bool => collect!(values, Bool, BooleanArray),
        ColumnType::Int16 => collect!(values, I16, Int16Array),
        ColumnType::Int32 => collect!(values, I32, Int32Array),
        ColumnType::Int64 => collect!(values, I64, Int64Array),
        ColumnType::UInt32 => collect!(values, U32, UInt32Array),
        ColumnType::Float32 => collect!(values, F32, Float32Array),
        ColumnType::Float64 => collect!(values, F64, Float64Array),
        ColumnType::Date => collect!(values, I32, Date32Array),
        ColumnType::Time => collect!(values, I64, Time64MicrosecondArray),
        ColumnType::Timestamp | ColumnType::TimestampTz => {
            let values = values.iter().map(|v| match v {
                V::I64(v) => Some(*v),
                _ => None,
            });
            let array = values.collect::<TimestampMicrosecondArray>();
            Arc::new(array.with_timezone_opt(match ty {
                ColumnType::TimestampTz => Some("UTC"),
                _ => None,
            }))
        }
        ColumnType::Text => collect!(values, Text, StringArray),
        ColumnType::Binary => {
            let values = values.iter().map(|v| match v {
                V::Bin(v) => Some(v.clone()),
                _ => None,
            });
            Arc::new(values.collect::<BinaryArray>())
        }
        ColumnType::Numeric => {
            let values = values.iter().map(|v| match v {
                V::Numeric(v, scale) => Some(v.bytes(*scale)),
                _ => None,
            });
            Arc::new(values.collect::<BinaryArray>())
        }
        ColumnType::Uuid => {
            let values = values.iter().map(|v| match v {
                V::Uuid(v) => Some(*v),
                _ => None,
            });
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 16).unwrap())
        }
        ColumnType::Interval => {
            let values = values.iter().map(|v| match v {
                V::Interval(m, d, n) => Some(IntervalMonthDayNano::new(*m, *d, *n)),
                _ => None,
            });
            Arc::new(values.collect::<IntervalMonthDayNanoArray>())
        }
        ColumnType::List(item) => {
            let lists = values.iter().map(|v| match v {
                V::List(items) => items.clone(),
                _ => Vec::new(),
            });
            let lists: Vec<Vec<V>> = lists.collect();
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
            let nulls: NullBuffer = values.iter().map(|v| matches!(v, V::List(_))).collect();
            let nulls = (nulls.null_count() > 0).then_some(nulls);
            let field = Arc::new(Field::new("item", item.arrow(), true));
            Arc::new(ListArray::new(field, offsets, array(item, &lists.concat()), nulls))
        }
    }
}

fn types() -> Vec<ColumnType> {
    use ColumnType::*;
    let mut types = vec![
        Bool,
        Int16,
        Int32,
        Int64,
        UInt32,
        Float32,
        Float64,
        Numeric,
        Text,
        Binary,
        Uuid,
        Date,
        Time,
        Timestamp,
        TimestampTz,
        Interval,
    ];
    types.extend([Int32, Text, Numeric, Float64].map(|item| List(Box::new(item))));
    types
}

fn num() -> impl Strategy<Value = Num> {
    let digits = proptest::collection::vec(0u16..10_000, 0..4).prop_map(|mut digits| {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        while digits.first() == Some(&0) {
            digits.remove(0);
        }
        digits
    });
    prop_oneof![
        1 => Just(Num::MinusInfinity),
        1 => Just(Num::Infinity),
        1 => Just(Num::NaN),
        8 => (any::<bool>(), -3i16..3, digits).prop_map(|(n, w, d)| Num::Finite(n, w, d)),
    ]
}

fn value(ty: &ColumnType) -> BoxedStrategy<V> {
    let some = match ty {
        ColumnType::Bool => any::<bool>().prop_map(V::Bool).boxed(),
        ColumnType::Int16 => any::<i16>().prop_map(V::I16).boxed(),
        ColumnType::Int32 | ColumnType::Date => {
            prop_oneof![any::<i32>(), -2..2].prop_map(V::I32).boxed()
        }
        ColumnType::Int64 | ColumnType::Time | ColumnType::Timestamp | ColumnType::TimestampTz => {
            prop_oneof![any::<i64>(), -2i64..2].prop_map(V::I64).boxed()
        }
        ColumnType::UInt32 => any::<u32>().prop_map(V::U32).boxed(),
        ColumnType::Float32 => prop_oneof![
            any::<u32>().prop_map(f32::from_bits),
            proptest::sample::select(vec![0.0, -0.0, f32::NAN, -f32::NAN, f32::INFINITY])
        ]
        .prop_map(V::F32)
        .boxed(),
        ColumnType::Float64 => prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            proptest::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::NEG_INFINITY])
        ]
        .prop_map(V::F64)
        .boxed(),
        ColumnType::Numeric => (num(), 0u16..4).prop_map(|(n, s)| V::Numeric(n, s)).boxed(),
        ColumnType::Text => "[ab\u{e9}\u{1}]{0,4}".prop_map(V::Text).boxed(),
        ColumnType::Binary => {
            let byte = proptest::sample::select(vec![0u8, 1, 2, 0x7F, 0xFE, 0xFF]);
            proptest::collection::vec(byte, 0..5).prop_map(V::Bin).boxed()
        }
        ColumnType::Uuid => any::<[u8; 16]>().prop_map(V::Uuid).boxed(),
        ColumnType::Interval => prop_oneof![
            (any::<i32>(), any::<i32>(), any::<i64>()),
            (-1..2, -31..32, proptest::sample::select(vec![0, 86_400_000_000_000i64]))
        ]
        .prop_map(|(m, d, n)| V::Interval(m, d, n))
        .boxed(),
        ColumnType::List(item) => {
            proptest::collection::vec(value(item), 0..3).prop_map(V::List).boxed()
        }
    };
    prop_oneof![1 => Just(V::Null), 6 => some].boxed()
}

/// Two columns of random types, two rows.
fn rows() -> impl Strategy<Value = (Vec<ColumnType>, Vec<Vec<V>>)> {
    let ty = || proptest::sample::select(types());
    (ty(), ty()).prop_flat_map(|(a, b)| {
        let row = (value(&a), value(&b)).prop_map(|(a, b)| vec![a, b]);
        (Just(vec![a, b]), proptest::collection::vec(row, 2))
    })
}

fn layout(types: &[ColumnType]) -> Layout {
    let columns = types.iter().enumerate().map(|(i, ty)| Column {
        name: format!("c{i}"),
        ty: ty.clone(),
        nullable: true,
        dropped: false,
        missing: None,
    });
    let index = IndexLayout {
        relation: RelationId(2),
        columns: vec![0, 1],
        descending: vec![true, false],
        unique: true,
        nulls_distinct: false,
    };
    Layout::new(RelationId(1), columns.collect(), vec![0, 1], vec![index], "public.t")
}

fn batch(layout: &Layout, rows: &[Vec<V>]) -> RecordBatch {
    let columns = layout.columns.iter().enumerate().map(|(i, column)| {
        let values: Vec<V> = rows.iter().map(|row| row[i].clone()).collect();
        array(&column.ty, &values)
    });
    RecordBatch::try_new(layout.schema(), columns.collect()).unwrap()
}

fn same_bits(a: &RecordBatch, b: &RecordBatch) -> bool {
    a.columns().iter().zip(b.columns()).all(|(a, b)| match a.data_type() {
        DataType::Float64 => {
            let bits = |array: &ArrayRef| -> Vec<Option<u64>> {
                array.as_primitive::<Float64Type>().iter().map(|v| v.map(f64::to_bits)).collect()
            };
            bits(a) == bits(b)
        }
        // NaN is not itself; the bytes were compared by their keys already.
        DataType::Float32 | DataType::List(_) => a.null_count() == b.null_count(),
        _ => a == b,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn key_order_is_value_order((types, rows) in rows()) {
        let layout = layout(&types);
        let batch = batch(&layout, &rows);
        let keys = key::encode_all(&layout, &batch).unwrap();
        let composite = |first: fn(Ordering) -> Ordering| {
            first(order(&rows[0][0], &rows[1][0])).then(order(&rows[0][1], &rows[1][1]))
        };
        prop_assert_eq!(keys[0].cmp(&keys[1]), composite(|o| o));
        prop_assert_eq!(&keys[0], &key::encode(&layout, &batch, 0).unwrap());
        let index = |row| key::index_key(&layout, 0, &batch, row).unwrap().unwrap();
        prop_assert_eq!(index(0).cmp(&index(1)), composite(Ordering::reverse));
        if keys[0] != keys[1] {
            prop_assert!(!keys[0].starts_with(&keys[1]));
        }
    }

    #[test]
    fn rows_survive_their_bytes((types, rows) in rows()) {
        let layout = layout(&types);
        let batch = batch(&layout, &rows);
        let images = row::encode_all(&layout, &batch).unwrap();
        let decoded = row::decode(&layout, &images, &[0, 1]).unwrap();
        prop_assert!(same_bits(&batch, &decoded));
        prop_assert_eq!(&row::encode_all(&layout, &decoded).unwrap(), &images);
        for (i, image) in images.iter().enumerate() {
            let made = key::from_image(&layout, image).unwrap();
            prop_assert_eq!(&made, &key::encode(&layout, &batch, i).unwrap());
            for end in 0..image.len() {
                // Cut bytes are an error or, at worst, another row; never a panic.
                let cut = RowImage::from_bytes(image.as_bytes().slice(..end));
                let _ = row::decode(&layout, &[cut], &[0, 1]);
            }
        }
    }

    #[test]
    fn ranges_hold_what_their_values_say(
        (types, rows) in rows(),
        kinds in (0..3, 0..3),
        prefixed in any::<bool>(),
    ) {
        let layout = layout(&types);
        // Bounds from row 0 (lower) and row 1 (upper); the candidates are all pairs of values.
        let column = usize::from(prefixed);
        let bound = |kind: i32, v: &V| match kind {
            0 => Bound::Unbounded,
            _ if matches!(v, V::Null) => Bound::Unbounded,
            1 => Bound::Included(v.clone()),
            _ => Bound::Excluded(v.clone()),
        };
        let (lower, upper) = (bound(kinds.0, &rows[0][column]), bound(kinds.1, &rows[1][column]));
        let ty = &types[column];
        let prefix: Vec<ArrayRef> =
            (0..column).map(|i| array(&types[i], &rows[0][i..=i])).collect();
        let as_array = |bound: &Bound<V>| bound.as_ref().map(|v| array(ty, std::slice::from_ref(v)));
        let candidates: Vec<Vec<V>> = (0..4)
            .map(|i| vec![rows[i / 2][0].clone(), rows[i % 2][1].clone()])
            .collect();
        let candidate_batch = batch(&layout, &candidates);
        for access in [Access::Primary, Access::Index(0)] {
            let range = KeyRange::from_values(
                &layout, access, &prefix, as_array(&lower), as_array(&upper),
            ).unwrap();
            for (i, row) in candidates.iter().enumerate() {
                let in_prefix = (0..column).all(|c| order(&row[c], &rows[0][c]).is_eq());
                let v = &row[column];
                let compared = !matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded));
                let above = match &lower {
                    Bound::Unbounded => true,
                    Bound::Included(l) => order(v, l).is_ge(),
                    Bound::Excluded(l) => order(v, l).is_gt(),
                };
                let below = match &upper {
                    Bound::Unbounded => true,
                    Bound::Included(u) => order(v, u).is_le(),
                    Bound::Excluded(u) => order(v, u).is_lt(),
                };
                let not_null = !compared || !matches!(v, V::Null);
                let expected = in_prefix && above && below && not_null;
                let bytes = match access {
                    Access::Primary => key::encode(&layout, &candidate_batch, i).unwrap().into_bytes(),
                    Access::Index(n) => key::index_key(&layout, n, &candidate_batch, i).unwrap().unwrap(),
                };
                prop_assert_eq!(range.contains(&bytes), expected, "{:?} {:?}", access, row);
            }
        }
    }
}

#[test]
fn a_key_has_a_limit() {
    let layout = layout(&[ColumnType::Text, ColumnType::Int16]);
    let row = |bytes: usize| vec![vec![V::Text("x".repeat(bytes)), V::I16(1)]];
    assert!(key::encode(&layout, &batch(&layout, &row(4090)), 0).is_ok());
    let error = key::encode(&layout, &batch(&layout, &row(4091)), 0).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Full);
    assert!(key::encode_all(&layout, &batch(&layout, &row(5000))).is_err());
}

#[test]
fn malformed_numerics_are_refused() {
    let layout = layout(&[ColumnType::Numeric, ColumnType::Int16]);
    let bad: [&[u8]; 6] = [
        b"",
        b"\x30",
        b"\x99\0\0",
        b"\x40\x80\0\0\x05\0\0",
        b"\x30\x01\0\0",
        b"\x40\x80\0\0\0\0\x01\0\0\0\0",
    ];
    for bytes in bad {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(BinaryArray::from(vec![bytes])), Arc::new(Int16Array::from(vec![1]))];
        let batch = RecordBatch::try_new(layout.schema(), columns).unwrap();
        assert!(key::encode(&layout, &batch, 0).is_err(), "{bytes:?}");
    }
}

#[test]
fn row_ids_order() {
    let keys = [i64::MIN, -1, 0, 1, i64::MAX].map(key::Key::from_row_id);
    assert!(keys.is_sorted());
    assert_eq!(keys[3].row_id(), Some(1));
}

#[test]
fn rows_survive_added_and_dropped_columns() {
    let old = layout(&[ColumnType::Text, ColumnType::Int64]);
    let rows = vec![vec![V::Text("kept".into()), V::I64(5)], vec![V::Null, V::I64(6)]];
    let images = row::encode_all(&old, &batch(&old, &rows)).unwrap();

    let mut columns = old.columns.clone();
    columns[1].dropped = true;
    let add = |name: &str, missing: Option<ArrayRef>| Column {
        name: name.into(),
        ty: ColumnType::Int32,
        nullable: true,
        dropped: false,
        missing,
    };
    columns.push(add("with_default", Some(Arc::new(Int32Array::from(vec![42])))));
    columns.push(add("without", None));
    let new = Layout::new(RelationId(1), columns, vec![0], vec![], "public.t");
    assert_eq!(new.schema().fields().len(), 3);

    let decoded = row::decode(&new, &images, &[2, 0, 3]).unwrap();
    assert_eq!(decoded.column(0).as_ref(), &Int32Array::from(vec![42, 42]));
    assert_eq!(decoded.column(1).as_ref(), &StringArray::from(vec![Some("kept"), None]));
    assert_eq!(decoded.column(2).null_count(), 2);
    assert!(row::decode(&new, &images, &[1]).is_err(), "a dropped column can't be read");

    let live = row::decode(&new, &images, new.live()).unwrap();
    let rewritten = row::encode_all(&new, &live).unwrap();
    assert_eq!(row::decode(&new, &rewritten, new.live()).unwrap(), live);
    assert!(row::decode(&old, &rewritten, &[0]).is_err(), "newer than its layout");
}
