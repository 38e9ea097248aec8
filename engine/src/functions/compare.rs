//! Comparison operators, and keys whose bytes order and equal as PostgreSQL's values do.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder,
    Float32Array, Float64Array, ListArray, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};
use datafusion::logical_expr::{Operator as NativeOperator, ScalarUDF};

use super::kernel::{Call, Kernel, downcast, scalar_udf, total};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result};
use crate::types::interval::Parts;
use crate::types::json::{self, Json};
use crate::types::numeric::Numeric;
use crate::types::{Oid, PgType, is_oid_like, is_text_like};

/// The six comparisons, by the ends of their functions' names.
const OPERATORS: [(&str, NativeOperator); 6] = [
    ("eq", NativeOperator::Eq),
    ("ne", NativeOperator::NotEq),
    ("lt", NativeOperator::Lt),
    ("le", NativeOperator::LtEq),
    ("gt", NativeOperator::Gt),
    ("ge", NativeOperator::GtEq),
];

/// Types whose Arrow comparison is PostgreSQL's: prefix of the functions, type.
const NATIVE: &[(&str, &str)] = &[
    ("bool", "bool"),
    ("bytea", "bytea"),
    ("char", "char"),
    ("name", "name"),
    ("int2", "int2"),
    ("int4", "int4"),
    ("int8", "int8"),
    ("oid", "oid"),
    ("date_", "date"),
    ("time_", "time"),
    ("timetz_", "timetz"),
    ("timestamp_", "timestamp"),
    ("timestamptz_", "timestamptz"),
    ("uuid_", "uuid"),
];

/// Types that are compared by keys.
const KEYED: &[(&str, &str, Oid)] = &[
    ("bpchar", "bpchar", Oid::BPCHAR),
    ("numeric_", "numeric", Oid::NUMERIC),
    ("interval_", "interval", Oid::INTERVAL),
    ("jsonb_", "jsonb", Oid::JSONB),
    ("float4", "float4", Oid::FLOAT4),
    ("float8", "float8", Oid::FLOAT8),
    ("oidvector", "oidvector", Oid::OIDVECTOR),
];

pub(super) fn register(all: &mut Implementations) {
    for (prefix, ty) in NATIVE {
        for (suffix, op) in OPERATORS {
            all.add(&format!("{prefix}{suffix}({ty},{ty})"), Implementation::Native(op));
        }
    }
    for (suffix, op) in OPERATORS {
        let separator = if matches!(suffix, "eq" | "ne") { "" } else { "_" };
        let signature = format!("text{separator}{suffix}(text,text)");
        all.add(&signature, Implementation::Native(op));
    }
    all.add("xideq(xid,xid)", Implementation::Native(NativeOperator::Eq));
    all.add("xidneq(xid,xid)", Implementation::Native(NativeOperator::NotEq));
    all.add("cideq(cid,cid)", Implementation::Native(NativeOperator::Eq));
    for (prefix, name, oid) in KEYED {
        for (suffix, op) in OPERATORS {
            let signature = format!("{prefix}{suffix}({name},{name})");
            let ty = PgType::plain(*oid);
            all.add(&signature, Implementation::Udf(comparison(&signature, ty, op)));
        }
    }
    type Make = fn(&[PgType], PgType) -> Result<Implementation>;
    let make: [(&str, Make); 6] = [
        ("eq", |t, _| array_comparison(t, NativeOperator::Eq)),
        ("ne", |t, _| array_comparison(t, NativeOperator::NotEq)),
        ("lt", |t, _| array_comparison(t, NativeOperator::Lt)),
        ("le", |t, _| array_comparison(t, NativeOperator::LtEq)),
        ("gt", |t, _| array_comparison(t, NativeOperator::Gt)),
        ("ge", |t, _| array_comparison(t, NativeOperator::GtEq)),
    ];
    for (suffix, make) in make {
        let signature = format!("array_{suffix}(anyarray,anyarray)");
        all.add(&signature, Implementation::Poly(make));
    }
}

fn array_comparison(types: &[PgType], op: NativeOperator) -> Result<Implementation> {
    let ty = types.first().copied().ok_or_else(|| Error::internal("no operand"))?;
    Ok(Implementation::Udf(comparison(&format!("array{op}({})", ty.oid), ty, op)))
}

fn comparison(id: &str, ty: PgType, op: NativeOperator) -> Arc<ScalarUDF> {
    let arrow = ty.arrow().unwrap_or(DataType::Null);
    let kernel: Kernel = match ty.oid {
        Oid::NUMERIC => Arc::new(move |call| compare_numeric(call, op)),
        Oid::FLOAT4 => Arc::new(move |call| {
            let (a, b): (&Float32Array, &Float32Array) =
                (downcast(&call.args[0].array)?, downcast(&call.args[1].array)?);
            let float = |x: f32| f64::from(x);
            Ok(rows(call, |i, j| holds(op, float_order(float(a.value(i)), float(b.value(j))))))
        }),
        Oid::FLOAT8 => Arc::new(move |call| {
            let (a, b): (&Float64Array, &Float64Array) =
                (downcast(&call.args[0].array)?, downcast(&call.args[1].array)?);
            Ok(rows(call, |i, j| holds(op, float_order(a.value(i), b.value(j)))))
        }),
        _ => Arc::new(move |call| compare_keys(call, ty, op)),
    };
    let args = vec![arrow.clone(), arrow];
    total(&scalar_udf(id, args, DataType::Boolean, Volatility::Immutable, true, kernel))
}

/// NaN equals itself and is above all; the zeros are equal.
pub(crate) fn float_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn holds(op: NativeOperator, order: Ordering) -> bool {
    match op {
        NativeOperator::Eq => order.is_eq(),
        NativeOperator::NotEq => order.is_ne(),
        NativeOperator::Lt => order.is_lt(),
        NativeOperator::LtEq => order.is_le(),
        NativeOperator::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// Runs a comparison over the rows where neither side is NULL.
fn rows(call: &Call, compare: impl Fn(usize, usize) -> bool) -> ArrayRef {
    let (left, right) = (&call.args[0], &call.args[1]);
    let mut out = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (i, j) = (left.index(row), right.index(row));
        if left.array.is_null(i) || right.array.is_null(j) {
            out.append_null();
        } else {
            out.append_value(compare(i, j));
        }
    }
    Arc::new(out.finish())
}

/// The sort key without its display scale.
pub(crate) fn numeric_key(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(2)]
}

fn compare_numeric(call: &Call, op: NativeOperator) -> Result<ArrayRef> {
    let a: &BinaryArray = downcast(&call.args[0].array)?;
    let b: &BinaryArray = downcast(&call.args[1].array)?;
    Ok(rows(call, |i, j| holds(op, numeric_key(a.value(i)).cmp(numeric_key(b.value(j))))))
}

fn compare_keys(call: &Call, ty: PgType, op: NativeOperator) -> Result<ArrayRef> {
    let left = keys_of(ty, &call.args[0].array)?;
    let right = keys_of(ty, &call.args[1].array)?;
    Ok(rows(call, |i, j| holds(op, left.value(i).cmp(right.value(j)))))
}

/// The order of a type's values, for `btint4cmp` and its kin and for min and max.
pub(crate) fn keys_of(ty: PgType, array: &ArrayRef) -> Result<BinaryArray> {
    let keyer = Keyer::bind(ty, array)?;
    let mut out = BinaryBuilder::with_capacity(array.len(), array.len() * 16);
    let mut key = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        key.clear();
        keyer.append(row, &mut key)?;
        out.append_value(&key);
    }
    Ok(out.finish())
}

/// A function giving the key of a type whose Arrow order or equality isn't PostgreSQL's.
pub(crate) fn sort_key(ty: PgType) -> Option<Arc<ScalarUDF>> {
    let arrow = ty.arrow().ok()?;
    let id = format!("sort_key({})", ty.oid);
    let make = |ret: DataType, kernel: Kernel| {
        let args = vec![arrow.clone()];
        Some(total(&scalar_udf(&id, args, ret, Volatility::Immutable, true, kernel)))
    };
    match ty.oid {
        Oid::NUMERIC => make(
            DataType::Binary,
            Arc::new(|call| {
                let values: &BinaryArray = downcast(&call.args[0].array)?;
                let keys = values.iter().map(|v| v.map(numeric_key)).collect::<BinaryArray>();
                expand(call, Arc::new(keys))
            }),
        ),
        Oid::BPCHAR => make(
            DataType::Utf8,
            Arc::new(|call| {
                let values: &StringArray = downcast(&call.args[0].array)?;
                let keys = values
                    .iter()
                    .map(|v| v.map(|t| t.trim_end_matches(' ')))
                    .collect::<StringArray>();
                expand(call, Arc::new(keys))
            }),
        ),
        Oid::FLOAT4 => make(
            DataType::Float32,
            Arc::new(|call| {
                let values: &Float32Array = downcast(&call.args[0].array)?;
                let keys: Float32Array =
                    values.unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
                expand(call, Arc::new(keys))
            }),
        ),
        Oid::FLOAT8 => make(
            DataType::Float64,
            Arc::new(|call| {
                let values: &Float64Array = downcast(&call.args[0].array)?;
                let keys: Float64Array =
                    values.unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
                expand(call, Arc::new(keys))
            }),
        ),
        Oid::INTERVAL | Oid::JSONB => {
            make(DataType::Binary, Arc::new(move |call| keys_kernel(call, ty)))
        }
        _ if ty.list_element().is_some() => {
            make(DataType::Binary, Arc::new(move |call| keys_kernel(call, ty)))
        }
        _ => None,
    }
}

fn keys_kernel(call: &Call, ty: PgType) -> Result<ArrayRef> {
    expand(call, Arc::new(keys_of(ty, &call.args[0].array)?))
}

fn expand(call: &Call, array: ArrayRef) -> Result<ArrayRef> {
    super::kernel::Arg { array, constant: call.args[0].constant }.expanded(call.rows)
}

/// Writes order-preserving keys of one column; within a list they are self-delimiting.
pub(crate) enum Keyer<'a> {
    Bool(&'a BooleanArray),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Numeric(&'a BinaryArray),
    Text(&'a StringArray, bool),
    Bytes(&'a BinaryArray),
    Uuid(&'a arrow::array::FixedSizeBinaryArray),
    Interval(Vec<i128>),
    Jsonb(&'a StringArray),
    List(&'a ListArray, Box<Keyer<'a>>, Option<&'a NullBuffer>),
}

impl<'a> Keyer<'a> {
    /// Looks at a column's type.
    ///
    /// # Errors
    /// 42883 for types without an order.
    pub(crate) fn bind(ty: PgType, array: &'a ArrayRef) -> Result<Keyer<'a>> {
        if let Some(element) = ty.list_element() {
            let lists: &ListArray = downcast(array)?;
            let items = Box::new(Keyer::bind(element, lists.values())?);
            return Ok(Keyer::List(lists, items, lists.values().nulls()));
        }
        fn ints<P: arrow::datatypes::ArrowPrimitiveType>(array: &ArrayRef) -> Result<Keyer<'_>>
        where
            i64: From<P::Native>,
        {
            let values = array
                .as_primitive_opt::<P>()
                .ok_or_else(|| Error::internal("a key over another type than promised"))?;
            Ok(Keyer::Int(values.values().iter().map(|v| i64::from(*v)).collect()))
        }
        Ok(match ty.oid {
            Oid::BOOL => Keyer::Bool(downcast(array)?),
            Oid::INT2 => ints::<Int16Type>(array)?,
            Oid::INT4 => ints::<Int32Type>(array)?,
            Oid::INT8 => ints::<Int64Type>(array)?,
            Oid::DATE => ints::<Date32Type>(array)?,
            Oid::TIME => ints::<Time64MicrosecondType>(array)?,
            Oid::TIMETZ => ints::<Int64Type>(array)?,
            Oid::TIMESTAMP | Oid::TIMESTAMPTZ => ints::<TimestampMicrosecondType>(array)?,
            Oid::FLOAT4 => {
                let values = array.as_primitive::<Float32Type>();
                Keyer::Float(values.values().iter().map(|v| f64::from(*v)).collect())
            }
            Oid::FLOAT8 => Keyer::Float(array.as_primitive::<Float64Type>().values().to_vec()),
            Oid::NUMERIC => Keyer::Numeric(downcast(array)?),
            Oid::BYTEA => Keyer::Bytes(downcast(array)?),
            Oid::UUID => Keyer::Uuid(downcast(array)?),
            Oid::INTERVAL => {
                let values = array.as_primitive::<IntervalMonthDayNanoType>();
                Keyer::Interval(values.values().iter().map(|v| Parts::of(*v).span()).collect())
            }
            Oid::JSONB => Keyer::Jsonb(downcast(array)?),
            Oid::JSON | Oid::JSONPATH => {
                return Err(Error::new(
                    crate::error::SqlState::UNDEFINED_FUNCTION,
                    format!("could not identify an equality operator for type {}", ty.name()),
                ));
            }
            oid if is_text_like(oid) => Keyer::Text(downcast(array)?, oid == Oid::BPCHAR),
            oid if is_oid_like(oid) => ints::<UInt32Type>(array)?,
            _ => {
                return Err(Error::new(
                    crate::error::SqlState::UNDEFINED_FUNCTION,
                    format!("could not identify a comparison function for type {}", ty.name()),
                ));
            }
        })
    }

    /// Appends the key of a row that isn't NULL.
    pub(crate) fn append(&self, row: usize, key: &mut Vec<u8>) -> Result<()> {
        match self {
            Keyer::Bool(a) => key.push(u8::from(a.value(row))),
            Keyer::Int(a) => put_i64(a[row], key),
            Keyer::Float(a) => put_f64(a[row], key),
            Keyer::Numeric(a) => key.extend_from_slice(numeric_key(a.value(row))),
            Keyer::Text(a, blank_padded) => {
                let text = a.value(row);
                let text = if *blank_padded { text.trim_end_matches(' ') } else { text };
                put_bytes(text.as_bytes(), key);
            }
            Keyer::Bytes(a) => put_bytes(a.value(row), key),
            Keyer::Uuid(a) => key.extend_from_slice(a.value(row)),
            Keyer::Interval(a) => {
                key.extend_from_slice(&(a[row] as u128 ^ (1 << 127)).to_be_bytes());
            }
            Keyer::Jsonb(a) => match json::parse(a.value(row))? {
                // At the top an empty array is below all else.
                Json::Array(items) if items.is_empty() => key.push(0),
                value => put_json(&value, key),
            },
            Keyer::List(lists, items, nulls) => {
                let offsets = lists.value_offsets();
                for at in offsets[row] as usize..offsets[row + 1] as usize {
                    if nulls.is_some_and(|n| n.is_null(at)) {
                        // NULL sorts above all.
                        key.push(2);
                    } else {
                        key.push(1);
                        items.append(at, key)?;
                    }
                }
                key.push(0);
            }
        }
        Ok(())
    }

    /// The key of a row, `None` for NULL.
    pub(crate) fn key(&self, array: &ArrayRef, row: usize) -> Result<Option<Vec<u8>>> {
        if array.is_null(row) {
            return Ok(None);
        }
        let mut key = Vec::new();
        self.append(row, &mut key)?;
        Ok(Some(key))
    }
}

fn put_i64(value: i64, key: &mut Vec<u8>) {
    key.extend_from_slice(&(value as u64 ^ (1 << 63)).to_be_bytes());
}

fn put_f64(value: f64, key: &mut Vec<u8>) {
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    let bits = value.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    key.extend_from_slice(&ordered.to_be_bytes());
}

/// Bytes with 0 escaped and an end mark below every byte.
fn put_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

/// jsonb's order: by kind, arrays and objects by count first.
fn put_json(value: &Json, key: &mut Vec<u8>) {
    match value {
        Json::Null => key.push(1),
        Json::String(text) => {
            key.push(2);
            put_bytes(text.as_bytes(), key);
        }
        Json::Number(text) => {
            key.push(3);
            let number = Numeric::parse(text).unwrap_or(Numeric::ZERO);
            key.extend_from_slice(numeric_key(&number.to_bytes()));
        }
        Json::Bool(value) => key.extend_from_slice(&[4, u8::from(*value)]),
        Json::Array(items) => {
            key.push(5);
            put_i64(items.len() as i64, key);
            for item in items {
                put_json(item, key);
            }
        }
        Json::Object(members) => {
            key.push(6);
            put_i64(members.len() as i64, key);
            for (name, value) in members {
                put_i64(name.len() as i64, key);
                key.extend_from_slice(name.as_bytes());
                put_json(value, key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FormatSettings, input_array};

    fn ordered(ty: PgType, texts: &[&str]) {
        let array =
            input_array(ty, texts.iter().map(|t| Some(*t)), &FormatSettings::default()).unwrap();
        let keys = keys_of(ty, &array).unwrap();
        for i in 1..texts.len() {
            assert!(keys.value(i - 1) < keys.value(i), "{} < {}", texts[i - 1], texts[i]);
        }
    }

    #[test]
    fn keys_order_as_values() {
        ordered(PgType::FLOAT8, &["-Infinity", "-1", "0", "1e-300", "2", "Infinity", "NaN"]);
        ordered(PgType::NUMERIC, &["-Infinity", "-10.5", "-10", "0", "0.001", "9", "10", "NaN"]);
        ordered(PgType::INTERVAL, &["-1 day", "23:59:59", "1 day", "29 days", "1 mon", "31 days"]);
        ordered(PgType::plain(Oid::INT4_ARRAY), &["{}", "{1}", "{1,2}", "{1,NULL}", "{2}"]);
        ordered(PgType::plain(Oid::TEXT_ARRAY), &["{a}", "{a,b}", "{ab}", "{b}"]);
        ordered(
            PgType::JSONB,
            &["null", "\"a\"", "1", "2.5", "true", "[1]", "[1,2]", "{\"a\": 1}"],
        );
    }
}
