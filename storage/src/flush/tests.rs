//! Flush and compaction step by step: what they leave on disk, and what a crash leaves.

use std::path::PathBuf;
use std::sync::Arc;

use crate::harness::{Stand, inserts, name_of, people, person};
use crate::scan::tests::{agree, rows, stand};
use crate::{ErrorKind, HotKind, Layout, RelationId, ScanSpec, WriteSet};

/// Files of the user's table, sorted.
fn files(at: &Stand) -> Vec<String> {
    let directory: PathBuf = at.directory.path().join("data/user/user1/public.people");
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_flush_moves_rows_and_says_so() {
    let at = stand(HotKind::RocksDb).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a")), (2, Some("b")), (3, None)])).await;
    let before = at.store.snapshot();
    let report = ns.flush(&people()).await.unwrap();
    assert_eq!((report.rows, report.tombstones, report.segments), (3, 0, 1));
    assert_eq!(files(&at), ["batch-000001.parquet", "manifest.json"]);
    let used = ns.relation_use(&at.store.snapshot(), people().relation).await.unwrap();
    assert_eq!((used.hot_rows, used.cold_rows, used.segments), (0, 3, 1));
    assert_eq!(name_of(&at, &ns, 2).await, Some(Some("b".into())));
    assert_eq!(ns.flush(&people()).await.unwrap().segments, 0);
    // A deleted cold row is a tombstone, first hot, then cold, then nothing.
    let (key, old) = person(2, Some("b"));
    let mut writes = WriteSet::new();
    writes.delete(&ns, &people(), key, old).unwrap();
    at.commit(writes).await;
    assert_eq!(name_of(&at, &ns, 2).await, None);
    let report = ns.flush(&people()).await.unwrap();
    assert_eq!((report.rows, report.tombstones), (0, 1));
    assert_eq!(name_of(&at, &ns, 2).await, None);
    let report = ns.compact(&people()).await.unwrap();
    assert_eq!((report.merged, report.segments, report.rows), (2, 1, 2));
    assert_eq!(name_of(&at, &ns, 2).await, None);
    // The snapshot from before the flush keeps the first segment's rows readable as hot ones.
    let model = [(1, Some("a".into())), (2, Some("b".into())), (3, None)].into();
    agree(&ns, &before, None, &model, (0, 10)).await;
    drop(before);
    at.store.shard.collect_garbage().await.unwrap();
    assert_eq!(files(&at), ["batch-000003.parquet", "manifest.json"]);
}

#[tokio::test]
async fn segments_stay_while_a_snapshot_needs_them() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    for round in 0..3 {
        at.commit(inserts(&ns, &[(round, Some(&format!("{round}")))])).await;
        ns.flush(&people()).await.unwrap();
    }
    let old = at.store.snapshot();
    ns.compact(&people()).await.unwrap();
    assert_eq!(files(&at).len(), 5, "{:?}", files(&at));
    assert_eq!(rows(&ns, &old, None, ScanSpec::new(Vec::new())).await.len(), 3);
    drop(old);
    at.store.shard.collect_garbage().await.unwrap();
    assert_eq!(files(&at), ["batch-000004.parquet", "manifest.json"]);
}

#[tokio::test]
async fn rows_written_during_a_flush_stay_hot() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    let many: Vec<_> = (0..20_000).map(|id| (id, Some("old"))).collect();
    at.commit(inserts(&ns, &many)).await;
    let other = ns.clone();
    let flush = tokio::spawn(async move { other.flush(&people()).await });
    let mut changed = 0;
    while !flush.is_finished() {
        let mut writes = WriteSet::new();
        let ((key, old), (_, new)) = (person(changed, Some("old")), person(changed, Some("new")));
        writes.update(&ns, &people(), key, old, new).unwrap();
        at.commit(writes).await;
        changed += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(flush.await.unwrap().unwrap().rows, 20_000);
    let found = rows(&ns, &at.store.snapshot(), None, ScanSpec::new(Vec::new())).await;
    let new = |(id, _): &(i64, _)| if *id < changed { "new" } else { "old" };
    assert_eq!(found.len(), 20_000);
    assert!(found.iter().all(|row| row.1.as_deref() == Some(new(row))));
}

#[tokio::test]
async fn a_truncation_takes_the_segments_along() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    ns.flush(&people()).await.unwrap();
    let old = at.store.snapshot();
    let mut writes = WriteSet::new();
    writes.truncate(&ns, &people());
    at.commit(writes).await;
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(files(&at).len(), 2);
    assert_eq!(rows(&ns, &old, None, ScanSpec::new(Vec::new())).await.len(), 1);
    assert_eq!(name_of(&at, &ns, 1).await, None);
    drop(old);
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(files(&at), Vec::<String>::new());
}

/// Another table by the same name, which has one row.
async fn people_again(at: &Stand) -> Arc<Layout> {
    let ns = at.user(1);
    let mut writes = WriteSet::new();
    writes.drop_relation(&ns, people().relation);
    at.commit(writes).await;
    let (key, image) = person(7, Some("new"));
    let Layout { columns, key: columns_of_key, directory, .. } = (*people()).clone();
    let relation = RelationId(people().relation.0 + 50);
    let again = Layout::new(relation, columns, columns_of_key, Vec::new(), &directory);
    let again = Arc::new(again);
    let mut writes = WriteSet::new();
    writes.insert(&ns, &again, key, image).unwrap();
    at.commit(writes).await;
    again
}

#[tokio::test]
async fn a_table_made_again_keeps_what_it_has() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    ns.flush(&people()).await.unwrap();
    let again = people_again(&at).await;
    ns.flush(&again).await.unwrap();
    assert_eq!(files(&at).len(), 3);
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(files(&at), ["batch-000002.parquet", "manifest.json"]);
    let (key, _) = person(7, None);
    assert!(ns.get(&at.store.snapshot(), None, &again, &key).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_dropped_is_not_removed_twice() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    ns.flush(&people()).await.unwrap();
    let again = people_again(&at).await;
    // As if the server had been killed before the record of the drop was cleared.
    let data = at.directory.path().join("data/user/user1/public.people");
    std::fs::remove_file(data.join("batch-000001.parquet")).unwrap();
    ns.flush(&again).await.unwrap();
    assert_eq!(files(&at), ["batch-000001.parquet", "manifest.json"]);
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(files(&at), ["batch-000001.parquet", "manifest.json"]);
    let (key, _) = person(7, None);
    assert!(ns.get(&at.store.snapshot(), None, &again, &key).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_writes_where_a_directory_is_removed() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    let writing = &at.store.shard.cold.writing;
    let claim = writing.claim(vec!["user/user1".to_owned()]).unwrap();
    let other = ns.clone();
    let flush = tokio::spawn(async move { other.flush(&people()).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(files(&at), Vec::<String>::new());
    drop(claim);
    assert_eq!(flush.await.unwrap().unwrap().rows, 1);
    assert!(writing.claim(vec!["user/user1".to_owned()]).is_some(), "the flush has left");
}

#[tokio::test]
async fn a_dropped_namespace_leaves_no_directory() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    ns.flush(&people()).await.unwrap();
    at.store.drop_namespace(ns.id(), ns.owner()).await.unwrap();
    assert_eq!(name_of(&at, &ns, 1).await, None);
    at.store.shard.collect_dropped().await.unwrap();
    assert!(!at.directory.path().join("data/user/user1").exists());
}

#[tokio::test]
async fn a_flush_overtaken_by_a_truncation_changes_nothing() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    let many: Vec<_> = (0..20_000).map(|id| (id, Some("old"))).collect();
    at.commit(inserts(&ns, &many)).await;
    let other = ns.clone();
    let flush = tokio::spawn(async move { other.flush(&people()).await });
    while files(&at).is_empty() && !flush.is_finished() {
        tokio::task::yield_now().await;
    }
    let mut writes = WriteSet::new();
    writes.truncate(&ns, &people());
    at.commit(writes).await;
    match flush.await.unwrap() {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
    }
    at.store.shard.collect_dropped().await.unwrap();
    assert_eq!(rows(&ns, &at.store.snapshot(), None, ScanSpec::new(Vec::new())).await, []);
    let segments = files(&at).iter().filter(|name| name.ends_with(".parquet")).count();
    assert_eq!(segments, 0);
}

#[tokio::test]
async fn orphans_are_collected() {
    let at = stand(HotKind::Memory).await;
    let ns = at.user(1);
    at.commit(inserts(&ns, &[(1, Some("a"))])).await;
    ns.flush(&people()).await.unwrap();
    let data = at.directory.path().join("data");
    let table = data.join("user/user1/public.people");
    std::fs::write(table.join("batch-000007.parquet"), b"left").unwrap();
    std::fs::write(table.join("batch-000008.parquet#1"), b"left").unwrap();
    std::fs::write(table.join("notes.txt"), b"mine").unwrap();
    std::fs::create_dir_all(data.join("user/user9/public.gone")).unwrap();
    std::fs::write(data.join("user/user9/public.gone/manifest.json"), b"{}").unwrap();
    std::fs::write(table.join("manifest.json"), b"half").unwrap();
    assert_eq!(at.store.shard.collect_orphans().await.unwrap(), 3);
    assert_eq!(files(&at), ["batch-000001.parquet", "manifest.json", "notes.txt"]);
    let export = std::fs::read_to_string(table.join("manifest.json")).unwrap();
    assert!(export.contains("\"rows\": 1,"), "{export}");
}

#[tokio::test]
async fn what_grows_goes_cold_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let feed = Arc::new(crate::harness::Kept::default());
    let mut options = crate::scan::tests::options(directory.path(), HotKind::Memory);
    options.flush.automatic = true;
    options.flush.max_hot_rows = 1000;
    options.flush.interval = std::time::Duration::from_millis(20);
    let store = crate::Store::open(options, feed.clone()).await.unwrap();
    let at = Stand { directory, kind: HotKind::Memory, feed, store };
    let (ns, quiet) = (at.user(1), at.user(2));
    at.commit(inserts(&quiet, &[(1, Some("a"))])).await;
    let mut next = 0;
    loop {
        let some: Vec<_> = (next..next + 100).map(|id| (id, Some("x"))).collect();
        at.commit(inserts(&ns, &some)).await;
        next += 100;
        let used = ns.relation_use(&at.store.snapshot(), people().relation).await.unwrap();
        if used.cold_rows > 0 {
            break;
        }
        assert!(next < 1_000_000, "nothing was flushed");
        tokio::task::yield_now().await;
    }
    let found = rows(&ns, &at.store.snapshot(), None, ScanSpec::new(Vec::new())).await;
    assert_eq!(found.len() as i64, next);
    assert!(!at.directory.path().join("data/user/user2").exists());
}

#[cfg(feature = "failpoints")]
mod crash {
    use super::*;
    use crate::Store;

    /// Opens the directory of a store that was just dropped, not closed.
    async fn open_again(at: Stand) -> Stand {
        let Stand { directory, kind, feed, store } = at;
        drop(store);
        let options = crate::scan::tests::options(directory.path(), kind);
        let store = loop {
            match Store::open(options.clone(), feed.clone()).await {
                Ok(store) => break store,
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        Stand { directory, kind, feed, store }
    }

    #[tokio::test]
    async fn a_crash_at_any_step_loses_and_doubles_nothing() {
        let steps = [
            "flush::begin",
            "flush::segment_written",
            "flush::segment_synced",
            "flush::manifest_written",
            "flush::before_batch",
            "commit::before_write",
            "commit::after_write",
            "flush::after_batch",
        ];
        let scenario = fail::FailScenario::setup();
        for step in steps {
            let mut at = stand(HotKind::RocksDb).await;
            let mut model = std::collections::BTreeMap::new();
            {
                let ns = at.user(1);
                let names: Vec<String> = (0..4000).map(|id| format!("name {id}")).collect();
                let rows: Vec<_> = (0..4000).zip(names.iter().map(|n| Some(n.as_str()))).collect();
                at.commit(inserts(&ns, &rows[..3000])).await;
                ns.flush(&people()).await.unwrap();
                at.commit(inserts(&ns, &rows[3000..])).await;
                let mut writes = WriteSet::new();
                for id in 0..100 {
                    let (key, old) = person(id, Some(&format!("name {id}")));
                    writes.delete(&ns, &people(), key, old).unwrap();
                }
                at.commit(writes).await;
                model.extend((100..4000).map(|id| (id, Some(format!("name {id}")))));
                fail::cfg(step, "return").unwrap();
                assert!(ns.flush(&people()).await.is_err(), "{step}");
                fail::remove(step);
            }
            at = open_again(at).await;
            let ns = at.user(1);
            agree(&ns, &at.store.snapshot(), None, &model, (50, 3500)).await;
            at.store.shard.collect_orphans().await.unwrap();
            agree(&ns, &at.store.snapshot(), None, &model, (50, 3500)).await;
            assert!(ns.verify(&at.store.snapshot(), &people()).await.unwrap().is_empty());
            ns.flush(&people()).await.unwrap();
            ns.compact(&people()).await.unwrap();
            agree(&ns, &at.store.snapshot(), None, &model, (50, 3500)).await;
            at.store.shard.collect_orphans().await.unwrap();
            drop(ns);
            let Stand { directory, store, .. } = at;
            store.close().await.unwrap();
            let report = crate::check(&directory.path().join("data")).unwrap();
            assert_eq!(report.problems, Vec::<String>::new(), "{step}");
        }
        scenario.teardown();
    }
}
