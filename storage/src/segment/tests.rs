//! Every type through a segment and back, and segments older than their layout.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray,
    RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, IntervalMonthDayNano};
use futures::TryStreamExt;

use super::{form, numeric};
use crate::harness::column;
use crate::scan::tests::stand;
use crate::{
    Column, ColumnType, HotKind, Key, Layout, Namespace, RelationId, ScanSpec, WriteSet, key, row,
};

const ROWS: usize = 5;

fn numerics(texts: &[Option<&str>]) -> ArrayRef {
    let bytes = |text: &str| {
        let mut out = Vec::new();
        numeric::from_text(text, &mut out).unwrap();
        out
    };
    Arc::new(texts.iter().map(|text| text.map(bytes)).collect::<BinaryArray>())
}

fn list(item: ColumnType, values: ArrayRef) -> (ColumnType, ArrayRef) {
    let offsets = OffsetBuffer::from_lengths([2, 0, 1, 0, 2]);
    let nulls = NullBuffer::from(vec![true, true, true, false, true]);
    let field = Arc::new(Field::new("item", item.arrow(), true));
    let array = ListArray::new(field, offsets, values, Some(nulls));
    (ColumnType::List(Box::new(item)), Arc::new(array))
}

/// One column of each type, five rows with a NULL and the ends of the range.
#[expect(clippy::too_many_lines, reason = "a table of values")]
fn everything() -> Vec<(ColumnType, ArrayRef)> {
    let interval = IntervalMonthDayNano::new;
    let uuid = |byte: u8| Some([byte; 16]);
    let uuids = [uuid(1), None, uuid(0), uuid(255), uuid(7)];
    let uuids =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.into_iter(), 16).unwrap();
    let times = vec![Some(0), None, Some(86_400_000_000), Some(1), Some(5)];
    let instants = vec![Some(i64::MIN), Some(i64::MAX), None, Some(0), Some(1_700_000_000_000_000)];
    let intervals = vec![
        Some(interval(1, -2, 3_000)),
        Some(interval(i32::MIN, i32::MAX, i64::MIN)),
        None,
        Some(interval(0, 0, 0)),
        Some(interval(0, 30, -1_000)),
    ];
    let floats = [Some(f64::NAN), Some(-0.0), None, Some(f64::INFINITY), Some(1.5)];
    vec![
        (
            ColumnType::Bool,
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true), None])),
        ),
        (
            ColumnType::Int16,
            Arc::new(Int16Array::from(vec![
                Some(i16::MIN),
                None,
                Some(i16::MAX),
                Some(0),
                Some(-1),
            ])),
        ),
        (
            ColumnType::Int32,
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                None,
                Some(i32::MAX),
                Some(0),
                Some(-1),
            ])),
        ),
        (
            ColumnType::Int64,
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                None,
                Some(i64::MAX),
                Some(0),
                Some(-1),
            ])),
        ),
        (
            ColumnType::UInt32,
            Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX), Some(1), Some(2)])),
        ),
        (
            ColumnType::Float32,
            Arc::new(floats.iter().map(|f| f.map(|f| f as f32)).collect::<Float32Array>()),
        ),
        (ColumnType::Float64, Arc::new(floats.iter().copied().collect::<Float64Array>())),
        (
            ColumnType::Numeric,
            numerics(&[
                Some("1.50"),
                None,
                Some("NaN"),
                Some("-12345678901234567890.0001"),
                Some("0.000"),
            ]),
        ),
        (
            ColumnType::Text,
            Arc::new(StringArray::from(vec![
                Some(""),
                None,
                Some("é\u{1F600}"),
                Some("a"),
                Some("b"),
            ])),
        ),
        (
            ColumnType::Binary,
            Arc::new(BinaryArray::from(vec![
                Some(&b"\0\xFF"[..]),
                None,
                Some(b""),
                Some(b"x"),
                Some(b"y"),
            ])),
        ),
        (ColumnType::Uuid, Arc::new(uuids)),
        (
            ColumnType::Date,
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                None,
                Some(i32::MAX),
                Some(0),
                Some(19_000),
            ])),
        ),
        (ColumnType::Time, Arc::new(Time64MicrosecondArray::from(times))),
        (ColumnType::Timestamp, Arc::new(TimestampMicrosecondArray::from(instants.clone()))),
        (
            ColumnType::TimestampTz,
            Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")),
        ),
        (ColumnType::Interval, Arc::new(IntervalMonthDayNanoArray::from(intervals))),
        list(
            ColumnType::Int32,
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4), Some(5)])),
        ),
        list(
            ColumnType::Text,
            Arc::new(StringArray::from(vec![Some("x"), None, Some(""), Some("y"), Some("z")])),
        ),
        list(
            ColumnType::Numeric,
            numerics(&[Some("1.0"), None, Some("2.00"), Some("-Infinity"), Some("0")]),
        ),
        list(
            ColumnType::Uuid,
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    [uuid(1), None, uuid(2), uuid(3), uuid(4)].into_iter(),
                    16,
                )
                .unwrap(),
            ),
        ),
    ]
}

async fn all(ns: &Namespace, at: crate::Snapshot, layout: &Arc<Layout>) -> Vec<RecordBatch> {
    let spec = ScanSpec::new(layout.live().to_vec());
    ns.scan(at, None, Arc::clone(layout), spec).try_collect().await.unwrap()
}

fn insert(ns: &Namespace, layout: &Arc<Layout>, batch: &RecordBatch, keys: &[Key]) -> WriteSet {
    let mut writes = WriteSet::new();
    for (key, image) in keys.iter().zip(row::encode_all(layout, batch).unwrap()) {
        writes.insert(ns, layout, key.clone(), image).unwrap();
    }
    writes
}

#[tokio::test]
async fn every_type_survives_without_a_key() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    let types = everything();
    let columns: Vec<Column> =
        types.iter().enumerate().map(|(i, (ty, _))| column(&format!("c{i}"), ty.clone())).collect();
    let layout = Layout::new(RelationId(7), columns, vec![], vec![], "public.everything");
    let layout = Arc::new(layout);
    let arrays: Vec<ArrayRef> = types.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(layout.schema(), arrays).unwrap();
    let keys: Vec<Key> = (0..ROWS as i64).map(|id| Key::from_row_id(id - 2)).collect();
    at.commit(insert(&ns, &layout, &batch, &keys)).await;
    let hot = all(&ns, at.store.snapshot(), &layout).await;
    assert_eq!(ns.flush(&layout).await.unwrap().rows, ROWS as u64);
    let cold = all(&ns, at.store.snapshot(), &layout).await;
    assert_eq!(format!("{hot:?}"), format!("{cold:?}"));
    let images = row::encode_all(&layout, &batch).unwrap();
    for (key, image) in keys.iter().zip(images) {
        let found = ns.get(&at.store.snapshot(), None, &layout, key).await.unwrap().unwrap();
        assert_eq!(found.image, image);
    }
}

#[tokio::test]
async fn every_type_is_a_key() {
    for (ty, array) in everything() {
        let at = stand(HotKind::Memory).await;
        let ns = at.user(1);
        let columns = vec![column("n", ColumnType::Int64), column("k", ty.clone())];
        let layout = Layout::new(RelationId(7), columns, vec![1, 0], vec![], "public.keyed");
        let layout = Arc::new(layout);
        let valid: Vec<u32> = (0..ROWS as u32).filter(|i| !array.is_null(*i as usize)).collect();
        let array = arrow::compute::take(&array, &UInt32Array::from(valid), None).unwrap();
        let ids: ArrayRef = Arc::new((0..array.len() as i64).collect::<Int64Array>());
        let batch = RecordBatch::try_new(layout.schema(), vec![ids, array]).unwrap();
        let keys = key::encode_all(&layout, &batch).unwrap();
        let images = row::encode_all(&layout, &batch).unwrap();
        at.commit(insert(&ns, &layout, &batch, &keys)).await;
        let hot = all(&ns, at.store.snapshot(), &layout).await;
        ns.flush(&layout).await.unwrap();
        let cold = all(&ns, at.store.snapshot(), &layout).await;
        assert_eq!(format!("{hot:?}"), format!("{cold:?}"), "{ty:?}");
        for (key, image) in keys.iter().zip(&images) {
            let found = ns.get(&at.store.snapshot(), None, &layout, key).await.unwrap().unwrap();
            assert_eq!(found.image, *image, "{ty:?}");
        }
        // A tombstone has its key alone, and still hides the row after a flush.
        let mut writes = WriteSet::new();
        writes.delete(&ns, &layout, keys[0].clone(), images[0].clone()).unwrap();
        at.commit(writes).await;
        assert_eq!(ns.flush(&layout).await.unwrap().tombstones, 1, "{ty:?}");
        let found = ns.get(&at.store.snapshot(), None, &layout, &keys[0]).await.unwrap();
        assert_eq!(found, None, "{ty:?}");
        let left: usize =
            all(&ns, at.store.snapshot(), &layout).await.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(left, keys.len() - 1, "{ty:?}");
    }
}

#[tokio::test]
async fn segments_outlive_changes_of_their_table() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    let before = vec![column("id", ColumnType::Int64), column("gone", ColumnType::Text)];
    let before = Arc::new(Layout::new(RelationId(7), before, vec![0], vec![], "public.t"));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let batch = RecordBatch::try_new(before.schema(), vec![ids.clone(), texts]).unwrap();
    let keys = key::encode_all(&before, &batch).unwrap();
    at.commit(insert(&ns, &before, &batch, &keys)).await;
    ns.flush(&before).await.unwrap();
    // DROP COLUMN gone, RENAME id TO number, ADD COLUMN added DEFAULT 5, ADD COLUMN plain.
    let mut columns = vec![column("number", ColumnType::Int64), column("gone", ColumnType::Text)];
    columns[1].dropped = true;
    columns.push(Column {
        missing: Some(Arc::new(Int32Array::from(vec![5]))),
        ..column("added", ColumnType::Int32)
    });
    columns.push(column("gone", ColumnType::Int16));
    let after = Arc::new(Layout::new(RelationId(7), columns, vec![0], vec![], "public.renamed"));
    let expected = |added: Vec<i32>, rows: usize| {
        let ids: ArrayRef = Arc::new((1..=rows as i64).collect::<Int64Array>());
        let plain = arrow::array::new_null_array(&ColumnType::Int16.arrow(), rows);
        let added: ArrayRef = Arc::new(Int32Array::from(added));
        RecordBatch::try_new(after.schema(), vec![ids, added, plain]).unwrap()
    };
    assert_eq!(all(&ns, at.store.snapshot(), &after).await, [expected(vec![5, 5], 2)]);
    let new = expected(vec![5, 5, 6], 3).slice(2, 1);
    let keys = key::encode_all(&after, &new).unwrap();
    at.commit(insert(&ns, &after, &new, &keys)).await;
    ns.flush(&after).await.unwrap();
    let table = at.directory.path().join("data/user/user1");
    assert!(table.join("public.t/batch-000001.parquet").exists());
    assert!(!table.join("public.t/manifest.json").exists());
    assert!(table.join("public.renamed/manifest.json").exists());
    let found = all(&ns, at.store.snapshot(), &after).await;
    let found = arrow::compute::concat_batches(&after.schema(), &found).unwrap();
    assert_eq!(found, expected(vec![5, 5, 6], 3));
    ns.compact(&after).await.unwrap();
    assert_eq!(all(&ns, at.store.snapshot(), &after).await, [expected(vec![5, 5, 6], 3)]);
    // Neither a flush nor a compaction with the old layout may lose the new columns.
    assert!(ns.compact(&before).await.is_err() || ns.compact(&before).await.unwrap().merged == 0);
}

#[test]
fn system_columns_make_way_for_the_tables_own() {
    let columns = vec![column("_lsn", ColumnType::Int64), column("__lsn", ColumnType::Int64)];
    let layout = Layout::new(RelationId(7), columns, vec![0], vec![], "public.t");
    let schema = form::segment_schema(&layout, true);
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["___lsn", "_deleted", "_lsn", "__lsn"]);
}
