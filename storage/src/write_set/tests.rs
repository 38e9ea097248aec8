use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::harness::{Stand, TABLE, inserts, name, people, person};
use crate::key::index_key_of_image;
use crate::{Access, ErrorKind, HotKind, Position, ScanSpec};

const BOTH: [HotKind; 2] = [HotKind::Memory, HotKind::RocksDb];

/// All pairs (name, id) of an index, read from the hot store.
async fn entries(stand: &Stand, ns: &Namespace, index: u32) -> Vec<(Bytes, Key)> {
    let range = crate::key::HotRange::prefix(&crate::key::prefix(ns.id(), RelationId(index)));
    let snapshot = stand.store.snapshot();
    let pairs =
        crate::hot::scan_all(snapshot.hot(), crate::hot::Family::Index, range).await.unwrap();
    let parse = |(key, value): (Bytes, Bytes)| {
        let key = key.slice(12..);
        let row = IndexEntry::row_key(&key, &value).unwrap();
        (key, row)
    };
    pairs.into_iter().map(parse).collect()
}

#[tokio::test]
async fn changes_fold_to_their_net_effect() {
    let stand = Stand::new(HotKind::Memory).await;
    let ns = stand.user(1);
    let layout = people();
    let (key, a) = person(1, Some("a"));
    let (_, b) = person(1, Some("b"));
    let (_, c) = person(1, Some("c"));

    let mut writes = WriteSet::new();
    writes.insert(&ns, &layout, key.clone(), a.clone()).unwrap();
    writes.delete(&ns, &layout, key.clone(), a.clone()).unwrap();
    assert_eq!(writes.change_count(), 0);

    let mut writes = WriteSet::new();
    writes.update(&ns, &layout, key.clone(), a.clone(), b.clone()).unwrap();
    let mut next = WriteSet::new();
    next.update(&ns, &layout, key.clone(), b.clone(), c.clone()).unwrap();
    writes.absorb(next).unwrap();
    let row = writes.relation(ns.id(), TABLE).unwrap().rows.write_of(&key).unwrap();
    assert_eq!(row, RowWrite { old: Some(a.clone()), new: Some(c.clone()) });

    let savepoint = writes.clone();
    writes.delete(&ns, &layout, key.clone(), c.clone()).unwrap();
    writes.insert(&ns, &layout, key.clone(), b.clone()).unwrap();
    let row = writes.relation(ns.id(), TABLE).unwrap().rows.write_of(&key).unwrap();
    assert_eq!(row, RowWrite { old: Some(a.clone()), new: Some(b) });
    let row = savepoint.relation(ns.id(), TABLE).unwrap().rows.write_of(&key).unwrap();
    assert_eq!(row.new, Some(c), "the savepoint is as it was");

    writes.truncate(&ns, &layout);
    let relation = writes.relation(ns.id(), TABLE).unwrap();
    assert_eq!((relation.replaced, relation.rows.len()), (Some(Replaced::Truncated), 0));
}

#[tokio::test]
async fn notifications_are_sent_once_in_their_first_place() {
    let stand = Stand::new(HotKind::Memory).await;
    let ns = stand.user(1);
    let mut writes = WriteSet::new();
    for (channel, payload) in [("c", "1"), ("c", "2"), ("c", "1"), ("d", "1")] {
        writes.notify(&ns, channel, payload, 9).unwrap();
    }
    let mut later = WriteSet::new();
    later.notify(&ns, "d", "1", 9).unwrap();
    later.notify(&ns, "d", "2", 9).unwrap();
    writes.absorb(later).unwrap();
    assert!(!writes.is_empty());
    let committed = stand.commit(writes).await;
    assert_eq!(committed.positions, [(ns.id(), Position(1))]);
    let records = stand.feed.0.lock().unwrap();
    let sent: Vec<_> =
        records[0].notifications.iter().map(|n| (&*n.channel, &*n.payload, n.pid)).collect();
    assert_eq!(sent, [("c", "1", 9), ("c", "2", 9), ("d", "1", 9), ("d", "2", 9)]);
}

#[tokio::test]
async fn values_may_change_places_in_a_unique_index() {
    for kind in BOTH {
        let stand = Stand::new(kind).await;
        let ns = stand.user(1);
        let layout = people();
        stand.commit(inserts(&ns, &[(1, Some("x")), (2, Some("y"))])).await;
        let mut writes = WriteSet::new();
        let ((one, x1), (two, y2)) = (person(1, Some("x")), person(2, Some("y")));
        writes.update(&ns, &layout, one.clone(), x1, person(1, Some("y")).1).unwrap();
        writes.update(&ns, &layout, two.clone(), y2, person(2, Some("x")).1).unwrap();
        let snapshot = stand.store.snapshot();
        let x = index_key_of_image(&layout, 0, &person(9, Some("x")).1).unwrap().unwrap();
        let found = ns.get_unique(&snapshot, Some(&writes), &layout, 0, &x).await.unwrap().unwrap();
        assert_eq!((&found.0, name(&found.1.image)), (&two, Some("x".into())), "own writes");
        let found = ns.get_unique(&snapshot, None, &layout, 0, &x).await.unwrap().unwrap();
        assert_eq!(found.0, one, "not yet committed");
        stand.commit(writes).await;
        let snapshot = stand.store.snapshot();
        let found = ns.get_unique(&snapshot, None, &layout, 0, &x).await.unwrap().unwrap();
        assert_eq!(found.0, two);
        assert_eq!(entries(&stand, &ns, 101).await.len(), 2);
    }
}

#[tokio::test]
async fn nulls_are_distinct_in_a_unique_index() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    stand.commit(inserts(&ns, &[(1, None), (2, None), (3, Some(""))])).await;
    let found = entries(&stand, &ns, 101).await;
    let ids: Vec<_> = found.iter().map(|(_, key)| key.clone()).collect();
    assert_eq!(ids, [person(3, None).0, person(1, None).0, person(2, None).0], "NULLs last");
    let descending: Vec<_> = entries(&stand, &ns, 102).await.into_iter().map(|e| e.1).collect();
    assert_eq!(descending, [person(1, None).0, person(2, None).0, person(3, None).0]);
    assert_eq!(index_key_of_image(&people(), 0, &person(1, None).1).unwrap(), None);
}

#[tokio::test]
async fn a_row_has_a_largest_size() {
    let stand = Stand::new(HotKind::Memory).await;
    let ns = stand.user(1);
    let long = "x".repeat(stand.options().max_value_bytes);
    let (key, image) = person(1, Some(&long));
    let error = WriteSet::new().insert(&ns, &people(), key.clone(), image).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let (_, image) = person(1, Some(&"x".repeat(5000)));
    let error = WriteSet::new().insert(&ns, &people(), key, image).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "its index key is too long");
}

#[derive(Clone, Debug)]
enum Step {
    Set(i64, Option<u8>),
    Delete(i64),
    Truncate,
    Statement,
    Commit,
    Rollback,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0i64..12, proptest::option::of(0u8..4)).prop_map(|(k, v)| Step::Set(k, v)),
        4 => (0i64..12).prop_map(Step::Delete),
        1 => Just(Step::Truncate),
        4 => Just(Step::Statement),
        3 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

type Model = BTreeMap<i64, Option<String>>;

/// One transaction's view: rows and both indexes are what the model says.
async fn check(stand: &Stand, ns: &Namespace, writes: Option<&WriteSet>, model: &Model) {
    let layout = people();
    let snapshot = stand.store.snapshot();
    for id in 0..12 {
        let found = ns.get(&snapshot, writes, &layout, &person(id, None).0).await.unwrap();
        assert_eq!(found.map(|row| name(&row.image)), model.get(&id).cloned(), "row {id}");
    }
    let own = writes.map(|writes| Arc::new(writes.clone()));
    for access in [Access::Primary, Access::Index(1)] {
        let spec = ScanSpec { access, ..ScanSpec::new(vec![0]) };
        let scan = ns.scan(snapshot.clone(), own.clone(), layout.clone(), spec);
        let batches: Vec<_> = futures::TryStreamExt::try_collect(scan).await.unwrap();
        let mut ids = Vec::new();
        for batch in &batches {
            let column = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(
                batch.column(batch.num_columns() - 1).as_ref(),
            );
            ids.extend(column.values().iter().copied());
        }
        let mut expected: Vec<_> = model.iter().map(|(id, name)| (*id, name.clone())).collect();
        if access == Access::Index(1) {
            let rank = |name: &Option<String>| (name.is_some(), std::cmp::Reverse(name.clone()));
            expected.sort_by_key(|(id, name)| (rank(name), *id));
        }
        let expected: Vec<i64> = expected.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, expected, "{access:?}");
    }
}

/// Applies a step to the statement's delta; what the transaction sees is `view`.
fn apply(ns: &Namespace, step: &Step, delta: &mut WriteSet, view: &mut Model) {
    // Only the plain index: the values repeat, which a unique index would not allow.
    let layout = plain();
    let image = |id, name: &Option<String>| person(id, name.as_deref());
    match step {
        Step::Set(id, value) => {
            let new = value.map(|v| v.to_string());
            let (key, bytes) = image(*id, &new);
            match view.insert(*id, new) {
                Some(old) => delta.update(ns, &layout, key, image(*id, &old).1, bytes).unwrap(),
                None => delta.insert(ns, &layout, key, bytes).unwrap(),
            }
        }
        Step::Delete(id) => {
            if let Some(old) = view.remove(id) {
                let (key, bytes) = image(*id, &old);
                delta.delete(ns, &layout, key, bytes).unwrap();
            }
        }
        Step::Truncate => {
            delta.truncate(ns, &layout);
            view.clear();
        }
        Step::Statement | Step::Commit | Step::Rollback => {}
    }
}

fn plain() -> Arc<Layout> {
    let layout = people();
    let indexes = vec![layout.indexes[1].clone()];
    Arc::new(Layout::new(TABLE, layout.columns.clone(), vec![0], indexes, "public.people"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Statements and transactions over both stores do to rows and index what they do to a map.
    #[test]
    fn transactions_are_maps(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stands = [Stand::new(HotKind::Memory).await, Stand::new(HotKind::RocksDb).await];
            let mut committed = Model::new();
            let mut view = Model::new();
            let mut transaction = [WriteSet::new(), WriteSet::new()];
            let mut delta = [WriteSet::new(), WriteSet::new()];
            let mut lsns = Vec::new();
            for step in steps.iter().chain([&Step::Commit]) {
                let before = view.clone();
                for (stand, delta) in stands.iter().zip(&mut delta) {
                    view.clone_from(&before);
                    apply(&stand.user(1), step, delta, &mut view);
                }
                if matches!(step, Step::Statement | Step::Commit) {
                    for (transaction, delta) in transaction.iter_mut().zip(&mut delta) {
                        transaction.absorb(std::mem::take(delta)).unwrap();
                    }
                    for (stand, transaction) in stands.iter().zip(&transaction) {
                        check(stand, &stand.user(1), Some(transaction), &view).await;
                    }
                }
                match step {
                    Step::Rollback => {
                        transaction = Default::default();
                        delta = Default::default();
                        view.clone_from(&committed);
                    }
                    Step::Commit => {
                        for (stand, transaction) in stands.iter().zip(&mut transaction) {
                            lsns.push(stand.commit(std::mem::take(transaction)).await);
                            check(stand, &stand.user(1), None, &view).await;
                        }
                        committed.clone_from(&view);
                    }
                    _ => {}
                }
            }
            assert!(lsns.chunks(2).all(|pair| pair[0] == pair[1]), "both number alike");
            let [memory, rocksdb] = stands.each_ref().map(|stand| stand.feed.0.lock().unwrap().clone());
            assert_eq!(memory, rocksdb);
            let logs = stands.each_ref().map(|stand| stand.user(1).log(Position(0)));
            let [mut memory, mut rocksdb] = logs;
            assert_eq!(memory.next(1 << 20).await.unwrap(), rocksdb.next(1 << 20).await.unwrap());
        });
    }
}
