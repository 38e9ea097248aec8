//! What every hot store holds to: the same tests for all implementors.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::memory::Memory;
use super::rocksdb::RocksDb;
use super::{Batch, ChunkLimit, Family, Hot, HotRange, HotSnapshot, scan_all};
use crate::id::Lsn;
use crate::options::StoreOptions;

/// What a store holds.
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn stores() -> (tempfile::TempDir, Vec<Arc<dyn Hot>>) {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { block_cache_bytes: 1 << 20, ..StoreOptions::new("") };
    let rocksdb = RocksDb::open(&directory.path().join("hot"), &options, Lsn(0)).unwrap();
    (directory, vec![Arc::new(Memory::default()), Arc::new(rocksdb)])
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn all(snapshot: &dyn HotSnapshot, family: Family) -> Vec<(Bytes, Bytes)> {
    let range = HotRange { start: Vec::new(), end: Vec::new() };
    block(scan_all(snapshot, family, range)).unwrap()
}

#[test]
fn a_batch_is_applied_in_order_and_a_snapshot_never_changes() {
    let (_directory, stores) = stores();
    for hot in stores {
        let empty = hot.snapshot();
        let mut batch = Batch::default();
        batch.put(Family::Rows, &[b"a", b"1"], &[b"x", b"y"]);
        batch.put(Family::Rows, &[b"b"], &[b"gone"]);
        batch.delete_range(Family::Rows, &HotRange::prefix(b"b"));
        batch.put(Family::Rows, &[b"b2"], &[b"kept"]);
        batch.put(Family::Meta, &[b"a1"], &[b"other family"]);
        block(hot.commit(&batch, true)).unwrap();
        let first = hot.snapshot();
        batch.clear();
        batch.delete(Family::Rows, &[b"a1"]);
        block(hot.commit(&batch, false)).unwrap();
        let second = hot.snapshot();

        assert!(all(&*empty, Family::Rows).is_empty());
        assert_eq!(
            all(&*first, Family::Rows),
            [("a1".into(), "xy".into()), ("b2".into(), "kept".into())]
        );
        assert_eq!(block(first.get(Family::Rows, b"a1")).unwrap(), Some("xy".into()));
        assert_eq!(block(second.get(Family::Rows, b"a1")).unwrap(), None);
        assert_eq!(block(second.get(Family::Meta, b"a1")).unwrap(), Some("other family".into()));
    }
}

#[test]
fn chunks_end_where_asked_and_go_on_both_ways() {
    let (_directory, stores) = stores();
    for hot in stores {
        let mut batch = Batch::default();
        for i in 0..100u8 {
            batch.put(Family::Index, &[b"prefix-of-12", &[i]], &[&[i; 10]]);
        }
        batch.put(Family::Index, &[b"prefix-of-13"], &[b"after"]);
        block(hot.commit(&batch, false)).unwrap();
        let snapshot = hot.snapshot();
        for reverse in [false, true] {
            let mut range = HotRange::prefix(b"prefix-of-12");
            let mut seen = Vec::new();
            loop {
                let limit = ChunkLimit { rows: 7, bytes: 1 << 20 };
                let chunk = block(snapshot.scan(Family::Index, &range, reverse, limit)).unwrap();
                assert!(chunk.len() <= 7);
                seen.extend((0..chunk.len()).map(|i| chunk.key(i)[12]));
                assert!((0..chunk.len()).all(|i| chunk.value(i).len() == 10));
                let Some(last) = chunk.last_key().filter(|_| chunk.more()) else { break };
                range.after(last, reverse);
            }
            let mut expected: Vec<u8> = (0..100).collect();
            if reverse {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
        let limit = ChunkLimit { rows: 1000, bytes: 1 };
        let range = HotRange::prefix(b"prefix-of-12");
        assert_eq!(block(snapshot.scan(Family::Index, &range, false, limit)).unwrap().len(), 1);
        let none = HotRange { start: b"z".to_vec(), end: b"a".to_vec() };
        assert!(block(snapshot.scan(Family::Index, &none, true, limit)).unwrap().is_empty());
    }
}

#[test]
fn a_copy_of_the_files_opens() {
    let (directory, stores) = stores();
    let mut batch = Batch::default();
    batch.put(Family::Meta, &[b"k"], &[b"v"]);
    block(stores[1].commit(&batch, true)).unwrap();
    let copy = directory.path().join("copy");
    block(stores[1].checkpoint(&copy)).unwrap();
    let opened = RocksDb::open(&copy, &StoreOptions::new(""), Lsn(0)).unwrap();
    assert_eq!(block(opened.snapshot().get(Family::Meta, b"k")).unwrap(), Some("v".into()));
    assert!(block(stores[0].checkpoint(&copy)).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
    Commit,
    Snapshot,
    Forget,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    (0u8..3, 0u8..12).prop_map(|(prefix, k)| [vec![prefix; 12], vec![k]].concat())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (key(), proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(k, v)| Step::Put(k, v)),
        2 => key().prop_map(Step::Delete),
        1 => (key(), key()).prop_map(|(a, b)| Step::DeleteRange(a, b)),
        3 => Just(Step::Commit),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Both stores are a sorted map, at every snapshot.
    #[test]
    fn stores_are_sorted_maps(steps in proptest::collection::vec(step(), 1..120)) {
        let (_directory, stores) = stores();
        let mut pending = Batch::default();
        let mut next = BTreeMap::new();
        let mut model = Model::new();
        let mut snapshots: Vec<(Model, Vec<Arc<dyn HotSnapshot>>)> = Vec::new();
        for step in steps.into_iter().chain([Step::Commit, Step::Snapshot]) {
            match step {
                Step::Put(key, value) => {
                    pending.put(Family::Rows, &[&key], &[&value]);
                    next.insert(key, value);
                }
                Step::Delete(key) => {
                    pending.delete(Family::Rows, &[&key]);
                    next.remove(&key);
                }
                Step::DeleteRange(start, end) => {
                    next.retain(|key, _| !(start <= *key && *key < end));
                    pending.delete_range(Family::Rows, &HotRange { start, end });
                }
                Step::Commit => {
                    for hot in &stores {
                        block(hot.commit(&pending, false)).unwrap();
                    }
                    pending.clear();
                    model.clone_from(&next);
                }
                Step::Snapshot => {
                    snapshots.push((model.clone(), stores.iter().map(|hot| hot.snapshot()).collect()));
                }
                Step::Forget => {
                    snapshots.pop();
                }
            }
        }
        for (model, snapshots) in &snapshots {
            let expected: Vec<(Bytes, Bytes)> =
                model.iter().map(|(k, v)| (k.clone().into(), v.clone().into())).collect();
            for snapshot in snapshots {
                prop_assert_eq!(&all(&**snapshot, Family::Rows), &expected);
                for key in model.keys() {
                    let value = block(snapshot.get(Family::Rows, key)).unwrap();
                    prop_assert_eq!(value.as_deref(), Some(&model[key][..]));
                }
                let range = HotRange::prefix(&[1; 12]);
                let limit = ChunkLimit::default();
                let back = block(snapshot.scan(Family::Rows, &range, true, limit)).unwrap();
                let keys: Vec<_> = (0..back.len()).map(|i| back.key(i).to_vec()).collect();
                let expected: Vec<_> =
                    model.keys().rev().filter(|k| k[0] == 1).cloned().collect();
                prop_assert_eq!(keys, expected);
            }
        }
    }
}
