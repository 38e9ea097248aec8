//! The overlay against a model: whatever lies where, a scan gives what a `BTreeMap` gives.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, UInt64Type};
use futures::TryStreamExt;
use proptest::prelude::*;

use crate::harness::{Kept, Stand, TABLE, inserts, name, people, person};
use crate::{
    Access, HotKind, KeyRange, Layout, Namespace, ScanSpec, Snapshot, Store, StoreOptions, WriteSet,
};

type Model = BTreeMap<i64, Option<String>>;

/// Small groups and segments, so that few rows make many.
pub(crate) fn options(directory: &std::path::Path, kind: HotKind) -> StoreOptions {
    let mut options = crate::harness::options(directory, kind);
    options.flush.row_group_rows = 2048;
    options.flush.segment_bytes = 24 << 10;
    options.flush.max_segments = 3;
    options
}

pub(crate) async fn stand(kind: HotKind) -> Stand {
    let directory = tempfile::tempdir().unwrap();
    let feed = Arc::new(Kept::default());
    let store = Store::open(options(directory.path(), kind), feed.clone()).await.unwrap();
    Stand { directory, kind, feed, store }
}

pub(crate) async fn reopen(stand: Stand) -> Stand {
    let Stand { directory, kind, feed, store } = stand;
    store.close().await.unwrap();
    let store = Store::open(options(directory.path(), kind), feed.clone()).await.unwrap();
    // The background task does so too, in its own time.
    store.shard.collect_orphans().await.unwrap();
    Stand { directory, kind, feed, store }
}

/// All rows of `people` that a scan gives, in its order.
pub(crate) async fn rows(
    ns: &Namespace,
    at: &Snapshot,
    writes: Option<&WriteSet>,
    mut spec: ScanSpec,
) -> Vec<(i64, Option<String>)> {
    spec.columns = vec![1, 0];
    spec.key = true;
    spec.lsn = true;
    let batch_rows = spec.batch_rows;
    let writes = writes.cloned().map(Arc::new);
    let batches = ns.scan(at.clone(), writes, people(), spec);
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    let mut out = Vec::new();
    for batch in &batches {
        assert!((1..=batch_rows.min(crate::MAX_BATCH_ROWS)).contains(&batch.num_rows()));
        let keys = batch.column(0).as_binary::<i32>();
        let lsns = batch.column(1).as_primitive::<UInt64Type>();
        let names = batch.column(2).as_string::<i32>();
        let ids = batch.column(3).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            assert_eq!(keys.value(row), &person(ids.value(row), None).0[..]);
            assert!(lsns.value(row) <= at.lsn().0);
            let name = (!names.is_null(row)).then(|| names.value(row).to_owned());
            out.push((ids.value(row), name));
        }
    }
    out
}

fn range(layout: &Layout, low: i64, high: i64) -> KeyRange {
    let value = |v: i64| Arc::new(Int64Array::from(vec![v])) as ArrayRef;
    let (low, high) = (Bound::Included(value(low)), Bound::Excluded(value(high)));
    KeyRange::from_values(layout, Access::Primary, &[], low, high).unwrap()
}

/// Puts rows, whether they are there or not.
fn put(ns: &Namespace, model: &mut Model, writes: &mut WriteSet, id: i64, name: Option<String>) {
    let (key, new) = person(id, name.as_deref());
    match model.insert(id, name) {
        None => writes.insert(ns, &people(), key, new).unwrap(),
        Some(old) => {
            let (_, old) = person(id, old.as_deref());
            writes.update(ns, &people(), key, old, new).unwrap();
        }
    }
}

fn remove(ns: &Namespace, model: &mut Model, writes: &mut WriteSet, id: i64) {
    if let Some(old) = model.remove(&id) {
        let (key, old) = person(id, old.as_deref());
        writes.delete(ns, &people(), key, old).unwrap();
    }
}

/// Everything a reader may ask agrees with the model.
pub(crate) async fn agree(
    ns: &Namespace,
    at: &Snapshot,
    writes: Option<&WriteSet>,
    model: &Model,
    (low, high): (i64, i64),
) {
    let all: Vec<_> = model.iter().map(|(id, name)| (*id, name.clone())).collect();
    let part: Vec<_> = model.range(low..high.max(low)).map(|(i, n)| (*i, n.clone())).collect();
    let backward = |rows: &[(i64, Option<String>)]| rows.iter().rev().cloned().collect::<Vec<_>>();
    let spec = || ScanSpec::new(Vec::new());
    let within = || ScanSpec { range: range(&people(), low, high), ..spec() };
    assert_eq!(rows(ns, at, writes, spec()).await, all);
    assert_eq!(rows(ns, at, writes, within()).await, part);
    let reverse = ScanSpec { reverse: true, ..spec() };
    assert_eq!(rows(ns, at, writes, reverse).await, backward(&all));
    let reverse = ScanSpec { reverse: true, batch_rows: 100, ..within() };
    assert_eq!(rows(ns, at, writes, reverse).await, backward(&part));
    let few = ScanSpec { limit: Some(7), ..within() };
    assert_eq!(rows(ns, at, writes, few).await, part[..part.len().min(7)]);
    let few = ScanSpec { limit: Some(7), reverse: true, ..within() };
    assert_eq!(rows(ns, at, writes, few).await, backward(&part)[..part.len().min(7)]);
    // Index 0 ascends by name, NULLs last; index 1 descends, NULLs first.
    let mut by_name = all.clone();
    by_name.sort_by(|(a, x), (b, y)| (x.is_none(), x, a).cmp(&(y.is_none(), y, b)));
    let index =
        |index, reverse, limit| ScanSpec { access: Access::Index(index), reverse, limit, ..spec() };
    assert_eq!(rows(ns, at, writes, index(0, false, None)).await, by_name);
    assert_eq!(rows(ns, at, writes, index(0, true, None)).await, backward(&by_name));
    let first = by_name.len().min(90);
    assert_eq!(rows(ns, at, writes, index(0, false, Some(90))).await, by_name[..first]);
    let mut descending = all.clone();
    descending.sort_by(|(a, x), (b, y)| (x.is_some(), y, a).cmp(&(y.is_some(), x, b)));
    assert_eq!(rows(ns, at, writes, index(1, false, None)).await, descending);
    for id in [low, high, 0, 1500, 2999] {
        let found = ns.get(at, writes, &people(), &person(id, None).0).await.unwrap();
        assert_eq!(found.map(|row| name(&row.image)), model.get(&id).cloned(), "row {id}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put { first: i64, count: i64, step: i64 },
    Delete { first: i64, count: i64, step: i64 },
    Truncate,
    Flush,
    Compact,
    CompactSome,
    Reopen,
    Look { low: i64, high: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    let span = || (0_i64..3000, prop_oneof![1_i64..20, 500_i64..2500], 1_i64..4);
    prop_oneof![
        6 => span().prop_map(|(first, count, step)| Op::Put { first, count, step }),
        4 => span().prop_map(|(first, count, step)| Op::Delete { first, count, step }),
        1 => Just(Op::Truncate),
        6 => Just(Op::Flush),
        1 => Just(Op::Compact),
        2 => Just(Op::CompactSome),
        1 => Just(Op::Reopen),
        3 => (0_i64..3000, 0_i64..3000).prop_map(|(low, high)| Op::Look { low, high }),
    ]
}

async fn run(kind: HotKind, ops: Vec<Op>) {
    let mut at = stand(kind).await;
    let mut ns = at.user(1);
    let mut model = Model::new();
    // Kept over flushes and compactions: what they showed they show.
    let mut old: Vec<(Snapshot, Model)> = Vec::new();
    for (nth, op) in ops.into_iter().enumerate() {
        let mut writes = WriteSet::new();
        match op {
            Op::Put { first, count, step } => {
                for i in 0..count {
                    let id = (first + i * step) % 3000;
                    let name = (i % 11 != 0).then(|| format!("{} of step {nth}", id * 7919 % 3000));
                    put(&ns, &mut model, &mut writes, id, name);
                }
            }
            Op::Delete { first, count, step } => {
                for i in 0..count {
                    remove(&ns, &mut model, &mut writes, (first + i * step) % 3000);
                }
            }
            Op::Truncate => {
                writes.truncate(&ns, &people());
                model.clear();
            }
            Op::Flush => _ = ns.flush(&people()).await.unwrap(),
            Op::Compact => _ = ns.compact(&people()).await.unwrap(),
            Op::CompactSome => {
                let extent = crate::compaction::Extent::Some;
                ns.compact_if(&people(), extent, || true).await.unwrap();
            }
            Op::Reopen if kind == HotKind::RocksDb => {
                old.clear();
                drop(ns);
                at = reopen(at).await;
                ns = at.user(1);
            }
            Op::Reopen => {}
            Op::Look { low, high } => {
                agree(&ns, &at.store.snapshot(), None, &model, (low, high)).await;
                let (mut own, mut mine) = (WriteSet::new(), model.clone());
                for id in low..low + 40 {
                    put(&ns, &mut mine, &mut own, id * 3 % 3000, Some(format!("own {id}")));
                    remove(&ns, &mut mine, &mut own, id * 5 % 3000);
                }
                agree(&ns, &at.store.snapshot(), Some(&own), &mine, (low, high)).await;
            }
        }
        if !writes.is_empty() {
            at.commit(writes).await;
        }
        if nth % 4 == 0 {
            old.push((at.store.snapshot(), model.clone()));
        }
    }
    finish(kind, at, ns, model, old).await;
}

/// The last look, also by those who verify.
async fn finish(
    kind: HotKind,
    at: Stand,
    ns: Namespace,
    model: Model,
    old: Vec<(Snapshot, Model)>,
) {
    agree(&ns, &at.store.snapshot(), None, &model, (100, 2000)).await;
    for (snapshot, model) in &old {
        agree(&ns, snapshot, None, model, (500, 1500)).await;
    }
    let problems = ns.verify(&at.store.snapshot(), &people()).await.unwrap();
    assert_eq!(problems, Vec::<String>::new());
    drop(old);
    at.store.shard.collect_garbage().await.unwrap();
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(at.store.shard.collect_orphans().await.unwrap(), 0);
    drop(ns);
    let Stand { directory, store, .. } = at;
    store.close().await.unwrap();
    if kind == HotKind::RocksDb {
        let report = crate::check(&directory.path().join("data")).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_overlay_is_a_map_in_memory(ops in proptest::collection::vec(op(), 1..24)) {
        block_on(run(HotKind::Memory, ops));
    }

    #[test]
    fn the_overlay_is_a_map_in_rocksdb(ops in proptest::collection::vec(op(), 1..24)) {
        block_on(run(HotKind::RocksDb, ops));
    }
}

#[tokio::test]
async fn a_scan_without_columns_counts_rows() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    let people_rows: Vec<_> = (0..5000).map(|id| (id, None)).collect();
    at.commit(inserts(&ns, &people_rows)).await;
    ns.flush(&people()).await.unwrap();
    at.commit(inserts(&ns, &[(5000, None)])).await;
    let spec = ScanSpec::new(Vec::new());
    let batches: Vec<RecordBatch> =
        ns.scan(at.store.snapshot(), None, people(), spec).try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 5001);
    assert!(batches.iter().all(|batch| batch.num_columns() == 0));
    let used = ns.relation_use(&at.store.snapshot(), TABLE).await.unwrap();
    assert_eq!((used.hot_rows, used.cold_rows), (1, 5000));
}
