use std::collections::HashSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::harness::{Kept, Stand, TABLE, inserts, name_of, options, people, person};
use crate::hot::{Family, HotRange, scan_all};
use crate::key::{self, KeyRange};
use crate::row::StoredRow;
use crate::{CommitNotice, ErrorKind, Feed, HotKind, Key, Namespace, RowImage, Store, meta};

const BOTH: [HotKind; 2] = [HotKind::Memory, HotKind::RocksDb];

/// Checks from inside the feed that records come in order and are visible already.
#[derive(Default)]
struct Strict {
    store: std::sync::OnceLock<Arc<Store>>,
    last: AtomicU64,
    seen: Mutex<Vec<CommitNotice>>,
}

impl Feed for Strict {
    fn committed(&self, notices: &[CommitNotice]) {
        let visible = self.store.get().unwrap().snapshot().lsn();
        for notice in notices {
            let last = self.last.swap(notice.lsn.0, Ordering::SeqCst);
            assert!(notice.lsn.0 >= last && notice.lsn <= visible);
            self.seen.lock().unwrap().push(notice.clone());
        }
    }

    fn durable(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_commit_and_positions_have_no_holes() {
    const TASKS: i64 = 32;
    const EACH: i64 = 25;
    for kind in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let feed = Arc::new(Strict::default());
        let store = Store::open(options(directory.path(), kind), feed.clone()).await.unwrap();
        feed.store.set(store.clone()).unwrap();
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let ns = store.namespace(NamespaceId(1 + task as u64 % 3), crate::Owner::Shared);
                let mut lsns = Vec::new();
                for i in 0..EACH {
                    let writes = inserts(&ns, &[(task * EACH + i, Some(&format!("{task}-{i}")))]);
                    let commit = Commit { writes, sync: i % 2 == 0, time_us: 0 };
                    let committed = store.commit(commit).await.unwrap();
                    let snapshot = store.snapshot();
                    assert!(snapshot.lsn() >= committed.lsn, "visible when it returns");
                    let (key, _) = person(task * EACH + i, None);
                    let row = ns.get(&snapshot, None, &people(), &key).await.unwrap().unwrap();
                    assert_eq!(row.lsn, committed.lsn);
                    lsns.push(committed.lsn);
                }
                assert!(lsns.is_sorted());
                lsns
            }));
        }
        let mut all = HashSet::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        assert_eq!(all.len(), (TASKS * EACH) as usize, "every commit has its own LSN");
        assert_eq!(all.iter().max().unwrap().0, (TASKS * EACH) as u64);
        let seen = feed.seen.lock().unwrap().clone();
        for id in 1..=3 {
            let of_it = seen.iter().filter(|r| r.namespace == NamespaceId(id));
            let positions: Vec<i64> = of_it.map(|record| record.position.0).collect();
            assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
            let ns = store.namespace(NamespaceId(id), crate::Owner::Shared);
            assert_eq!(ns.head(&store.snapshot()).await.unwrap().0, positions.len() as i64);
            let mut cursor = ns.log(Position(0));
            let mut read = Vec::new();
            loop {
                let records = cursor.next(2000).await.unwrap();
                if records.is_empty() {
                    break;
                }
                read.extend(records);
            }
            let read: Vec<_> = read.iter().map(|record| (record.lsn, record.position)).collect();
            let fed = seen.iter().filter(|notice| notice.namespace == NamespaceId(id));
            let fed: Vec<_> = fed.map(|notice| (notice.lsn, notice.position)).collect();
            assert_eq!(read, fed, "the log holds what the feed was told");
        }
        store.sync_wal().await.unwrap();
        assert_eq!(store.durable_lsn(), store.snapshot().lsn());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_give_up_waiting_stop_nobody() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let mut tasks = Vec::new();
    for i in 0..200 {
        let (store, ns) = (stand.store.clone(), stand.user(1));
        let task = tokio::spawn(async move {
            let writes = inserts(&ns, &[(i, Some(&i.to_string()))]);
            store.commit(Commit { writes, sync: true, time_us: 0 }).await
        });
        if i % 3 == 0 {
            task.abort();
        }
        tasks.push(task);
    }
    for task in tasks {
        if let Ok(committed) = task.await {
            committed.unwrap();
        }
    }
    stand.commit(inserts(&stand.user(1), &[(1000, None)])).await;
    let head = stand.user(1).head(&stand.store.snapshot()).await.unwrap();
    assert_eq!(head.0, stand.feed.0.lock().unwrap().len() as i64);
}

#[tokio::test]
async fn a_commit_over_two_namespaces_is_one() {
    for kind in BOTH {
        let stand = Stand::new(kind).await;
        let (a, b) = (stand.user(1), stand.user(2));
        stand.commit(inserts(&b, &[(5, None)])).await;
        let mut writes = inserts(&a, &[(1, Some("a"))]);
        writes.absorb(inserts(&b, &[(1, Some("b"))])).unwrap();
        let committed = stand.commit(writes).await;
        assert_eq!(committed.positions, [(a.id(), Position(1)), (b.id(), Position(2))]);
        assert_eq!(name_of(&stand, &a, 1).await, Some(Some("a".into())));
        assert_eq!(name_of(&stand, &b, 1).await, Some(Some("b".into())));
        assert_eq!(name_of(&stand, &a, 5).await, None);
        let lsns: Vec<Lsn> = stand.feed.0.lock().unwrap().iter().map(|r| r.lsn).collect();
        assert_eq!(lsns, [Lsn(1), Lsn(2), Lsn(2)]);
        let empty = stand.commit(WriteSet::new()).await;
        assert_eq!(empty, Committed { lsn: Lsn(2), positions: vec![] });
    }
}

#[tokio::test]
async fn the_size_of_a_commit_is_limited() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path(), HotKind::Memory);
    options.max_commit_bytes = 1000;
    let store = Store::open(options, Arc::new(Kept::default())).await.unwrap();
    let ns = store.namespace(NamespaceId(1), crate::Owner::Shared);
    // Refused as soon as it is too large, so that nobody collects what can't be committed.
    let mut writes = inserts(&ns, &[(1, Some("small"))]);
    let (key, image) = person(2, Some(&"x".repeat(1000)));
    let error = writes.insert(&ns, &people(), key, image).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let error = store.commit(Commit { writes, sync: true, time_us: 0 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let writes = inserts(&ns, &[(1, Some("small"))]);
    store.commit(Commit { writes, sync: true, time_us: 0 }).await.unwrap();
}

/// The keys of the table as they lie in the hot store, and whether they are tombstones.
async fn stored(stand: &Stand, ns: &Namespace) -> Vec<(Key, bool)> {
    let range = HotRange::prefix(&key::prefix(ns.id(), TABLE));
    let snapshot = stand.store.snapshot();
    let pairs = scan_all(snapshot.hot(), Family::Rows, range).await.unwrap();
    let parse = |(key, value): (Bytes, Bytes)| {
        (Key::from_bytes(key.slice(12..)), StoredRow::split(&value).unwrap().1)
    };
    pairs.into_iter().map(parse).collect()
}

fn deletion(ns: &Namespace, id: i64, name: Option<&str>) -> WriteSet {
    let (key, image): (Key, RowImage) = person(id, name);
    let mut writes = WriteSet::new();
    writes.delete(ns, &people(), key, image).unwrap();
    writes
}

fn pointer(ns: &Namespace) -> MetaChange {
    let key = Bytes::copy_from_slice(&meta::manifest(ns.id(), TABLE));
    MetaChange { key, value: Some(Bytes::from_static(b"pointer")) }
}

#[tokio::test]
async fn a_flush_trims_what_was_not_touched() {
    for kind in BOTH {
        for part in [false, true] {
            let stand = Stand::new(kind).await;
            let (ns, other) = (stand.user(1), stand.user(2));
            let key = |id| person(id, None).0;
            stand.commit(inserts(&ns, &[(1, None), (2, None), (3, None), (4, None)])).await;
            stand.commit(inserts(&other, &[(1, None)])).await;
            stand.commit(deletion(&ns, 4, None)).await;
            assert_eq!(stored(&stand, &ns).await.len(), 3, "nothing is cold, nothing is kept");

            let mark = ns.shard.begin_flush(ns.id(), TABLE).await.unwrap();
            let again = ns.shard.begin_flush(ns.id(), TABLE).await.unwrap_err();
            assert_eq!(again.kind(), ErrorKind::Conflict);
            stand.commit(deletion(&ns, 2, None)).await;
            stand.commit(inserts(&ns, &[(9, None)])).await;
            let trim = match part {
                true => Trim::Range(KeyRange {
                    start: Bound::Included(key(2).into_bytes()),
                    ..KeyRange::all()
                }),
                false => Trim::Range(KeyRange::all()),
            };
            let after = mark.finish(vec![pointer(&ns)], trim).await.unwrap();
            assert_eq!(after.lsn(), stand.store.snapshot().lsn());
            let mut left = vec![(key(1), false), (key(2), true), (key(9), false)];
            if !part {
                left.remove(0);
            }
            assert_eq!(stored(&stand, &ns).await, left);
            assert_eq!(stored(&stand, &other).await.len(), 1);

            stand.commit(deletion(&ns, 9, None)).await;
            assert_eq!(
                stored(&stand, &ns).await.last().unwrap(),
                &(key(9), true),
                "cold rows may lie below"
            );
            let mark = ns.shard.begin_flush(ns.id(), TABLE).await.unwrap();
            drop(mark);
            ns.shard.begin_flush(ns.id(), TABLE).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_truncation_overtakes_a_flush() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    stand.commit(inserts(&ns, &[(1, None)])).await;
    ns.shard.change_meta(vec![pointer(&ns)], true).await.unwrap();
    let mark = ns.shard.begin_flush(ns.id(), TABLE).await.unwrap();
    let mut writes = WriteSet::new();
    writes.truncate(&ns, &people());
    writes.absorb(inserts(&ns, &[(2, None)])).unwrap();
    let lsn = stand.commit(writes).await.lsn;
    let error = mark.finish(vec![pointer(&ns)], Trim::Range(KeyRange::all())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(stored(&stand, &ns).await, [(person(2, None).0, false)]);
    let snapshot = stand.store.snapshot();
    let get = |key: Vec<u8>| {
        let snapshot = snapshot.clone();
        async move { snapshot.hot().get(Family::Meta, &key).await.unwrap() }
    };
    assert_eq!(get(meta::manifest(ns.id(), TABLE).to_vec()).await, None);
    let garbage = get(meta::garbage(lsn, ns.id(), TABLE).to_vec()).await;
    assert_eq!(garbage, Some(Bytes::from_static(b"pointer")));
    let changes = ns.log(Position(0)).next(1 << 20).await.unwrap().last().unwrap().changes.clone();
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [crate::ChangeKind::Truncate, crate::ChangeKind::Row]);
}

#[tokio::test]
async fn snapshots_are_told_apart_and_counted() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    let shard = ns.shard.clone();
    let old = stand.store.snapshot();
    stand.commit(inserts(&ns, &[(1, None)])).await;
    stand.commit(inserts(&ns, &[(2, None)])).await;
    let (key, _) = person(1, None);
    assert_eq!(ns.get(&old, None, &people(), &key).await.unwrap(), None);
    assert_eq!(shard.snapshots.oldest_generation(), old.generation());
    drop(old);
    assert_eq!(shard.snapshots.oldest_generation(), stand.store.snapshot().generation());
}

/// The failpoints are the process's: this runs alone in one, as nextest has it.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_failed_write_closes_the_store_and_shows_nothing() {
    let scenario = fail::FailScenario::setup();
    for step in ["commit::before_write", "commit::after_write"] {
        let stand = Stand::new(HotKind::RocksDb).await;
        let ns = stand.user(1);
        stand.commit(inserts(&ns, &[(1, None)])).await;
        fail::cfg(step, "return").unwrap();
        let writes = inserts(&ns, &[(2, None)]);
        let failed = stand.store.commit(Commit { writes, sync: true, time_us: 0 }).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
        fail::remove(step);
        let writes = inserts(&ns, &[(3, None)]);
        let refused = stand.store.commit(Commit { writes, sync: true, time_us: 0 }).await;
        assert!(refused.unwrap_err().message().contains("closed after a failed commit"));
        assert_eq!(name_of(&stand, &ns, 1).await, Some(None));
        assert_eq!(name_of(&stand, &ns, 2).await, None);
        assert_eq!(stand.feed.0.lock().unwrap().len(), 1);
    }
    scenario.teardown();
}
