use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::harness::{Kept, Stand, TABLE, inserts, name_of, options};
use crate::{ErrorKind, Position};

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    let first = stand.commit(inserts(&ns, &[(1, Some("one"))])).await;
    stand.commit(inserts(&ns, &[(2, Some("two"))])).await;
    drop(ns);
    let stand = stand.reopen().await;
    let ns = stand.user(1);
    assert_eq!(stand.store.snapshot().lsn(), Lsn(2));
    assert_eq!(name_of(&stand, &ns, 2).await, Some(Some("two".into())));
    let third = stand.commit(inserts(&ns, &[(3, Some("three"))])).await;
    assert_eq!((third.lsn, third.positions[0].1), (Lsn(3), Position(3)));
    let mut cursor = ns.log(first.positions[0].1);
    let records = cursor.next(1 << 20).await.unwrap();
    let positions: Vec<i64> = records.iter().map(|record| record.position.0).collect();
    assert_eq!(positions, [2, 3]);
    for (record, notice) in records.iter().zip(&stand.feed.0.lock().unwrap()[1..]) {
        assert_eq!((record.lsn, record.position), (notice.lsn, notice.position));
        let relations: Vec<_> = record.changes.iter().map(|change| change.relation).collect();
        assert_eq!(relations, notice.relations);
        assert_eq!(record.notifications, notice.notifications);
    }
    assert!(cursor.next(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_process_has_a_directory() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let error = Store::open(stand.options(), Arc::new(Kept::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("is in use by another server"), "{error}");
    let id = std::process::id().to_string();
    assert!(error.message().contains(&id), "{error}");
    let mode = std::fs::metadata(stand.options().data_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_newer_or_foreign_directory_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path(), HotKind::RocksDb);
    let open = || Store::open(options.clone(), Arc::new(Kept::default()));
    std::fs::create_dir(&options.data_dir).unwrap();
    std::fs::write(options.data_dir.join("format"), "kalamdb 2\n").unwrap();
    let error = open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("newer"), "{error}");
    std::fs::write(options.data_dir.join("format"), "something").unwrap();
    assert_eq!(open().await.unwrap_err().kind(), ErrorKind::Corrupt);
    let found = std::fs::read_dir(&options.data_dir).unwrap().count();
    assert_eq!(found, 1, "nothing was made");
    std::fs::remove_file(options.data_dir.join("format")).unwrap();
    std::fs::create_dir(options.data_dir.join("user")).unwrap();
    assert_eq!(open().await.unwrap_err().kind(), ErrorKind::Invalid);
    std::fs::remove_dir(options.data_dir.join("user")).unwrap();
    std::fs::write(options.data_dir.join("precious"), "text").unwrap();
    let mode = || std::fs::metadata(&options.data_dir).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&options.data_dir, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(open().await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(mode(), 0o755, "not even its mode changes");
    std::fs::remove_file(options.data_dir.join("precious")).unwrap();
    // What a start leaves that was killed at once, and the root of a volume.
    std::fs::write(options.data_dir.join("lock"), "1\n").unwrap();
    std::fs::create_dir(options.data_dir.join("lost+found")).unwrap();
    open().await.unwrap();
    assert_eq!(mode(), 0o700);
    let text = std::fs::read_to_string(options.data_dir.join("format")).unwrap();
    assert_eq!(text, "kalamdb 1\n");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    stand.store.clone().close().await.unwrap();
    let commit = Commit { writes: inserts(&ns, &[(1, None)]), sync: true, time_us: 0 };
    assert_eq!(stand.store.commit(commit).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(ns.allocate_row_ids(TABLE, 1).await.is_err());
}

#[tokio::test]
async fn a_trimmed_log_says_where_it_begins() {
    for kind in [HotKind::Memory, HotKind::RocksDb] {
        let stand = Stand::new(kind).await;
        let (ns, quiet) = (stand.user(1), stand.user(2));
        stand.commit(inserts(&quiet, &[(1, None)])).await;
        for i in 0..5 {
            stand.commit(inserts(&ns, &[(i, None)])).await;
        }
        let mut slow = ns.log(Position(0));
        stand.store.retain_log(Lsn(4)).await.unwrap();
        assert_eq!(ns.oldest().await.unwrap(), Position(3));
        let error = slow.next(1 << 20).await.unwrap_err();
        assert_eq!((error.kind(), error.oldest()), (ErrorKind::Invalid, Some(Position(3))));
        let records = ns.log(Position(2)).next(1 << 20).await.unwrap();
        assert_eq!(records.iter().map(|r| r.position.0).collect::<Vec<_>>(), [3, 4, 5]);
        let error = quiet.log(Position(0)).next(1).await.unwrap_err();
        assert_eq!(error.oldest(), Some(Position(2)), "none left");
        assert!(quiet.log(Position(1)).next(1).await.unwrap().is_empty());
        let error = ns.log(Position(9)).next(1).await.unwrap_err();
        assert_eq!((error.kind(), error.oldest()), (ErrorKind::Invalid, None));
        stand.store.retain_log(Lsn(100)).await.unwrap();
        stand.commit(inserts(&ns, &[(77, None)])).await;
        let next = ns.log(Position(5)).next(1).await.unwrap();
        assert_eq!(next.len(), 1, "what comes after a cut is kept");
    }
}

#[tokio::test]
async fn the_cut_survives_a_restart() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    for i in 0..5 {
        stand.commit(inserts(&ns, &[(i, None)])).await;
    }
    stand.store.retain_log(Lsn(4)).await.unwrap();
    drop(ns);
    let stand = stand.reopen().await;
    let ns = stand.user(1);
    assert_eq!(ns.oldest().await.unwrap(), Position(4));
    assert_eq!(ns.log(Position(1)).next(1).await.unwrap_err().oldest(), Some(Position(4)));
}

#[tokio::test]
async fn namespaces_of_a_relation_are_found_and_dropped() {
    for kind in [HotKind::Memory, HotKind::RocksDb] {
        let stand = Stand::new(kind).await;
        for id in [1, 5, 6, u64::MAX] {
            stand.commit(inserts(&stand.user(id), &[(1, Some("x"))])).await;
        }
        let all = [1, 5, 6, u64::MAX].map(NamespaceId);
        assert_eq!(stand.store.relation_namespaces(TABLE).await.unwrap(), all);
        assert_eq!(stand.store.relation_namespaces(RelationId(101)).await.unwrap(), all);
        assert!(stand.store.relation_namespaces(RelationId(99)).await.unwrap().is_empty());
        assert!(stand.store.relation_namespaces(RelationId(103)).await.unwrap().is_empty());

        let five = stand.user(5);
        stand.store.drop_namespace(five.id(), five.owner()).await.unwrap();
        assert_eq!(name_of(&stand, &five, 1).await, None);
        assert_eq!(five.head(&stand.store.snapshot()).await.unwrap(), Position(0));
        assert!(five.log(Position(0)).next(1).await.unwrap().is_empty());
        assert_eq!(name_of(&stand, &stand.user(6), 1).await, Some(Some("x".into())));

        stand.store.drop_relation_everywhere(TABLE).await.unwrap();
        assert!(stand.store.relation_namespaces(TABLE).await.unwrap().is_empty());
        assert_eq!(name_of(&stand, &stand.user(6), 1).await, None);
    }
}

#[tokio::test]
async fn unsynced_commits_are_synced_in_time() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let writes = inserts(&stand.user(1), &[(1, None)]);
    let committed = stand.store.commit(Commit { writes, sync: false, time_us: 0 }).await.unwrap();
    while stand.store.durable_lsn() < committed.lsn {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_use_of_a_relation_is_estimated() {
    for kind in [HotKind::Memory, HotKind::RocksDb] {
        let stand = Stand::new(kind).await;
        let ns = stand.user(1);
        let at = stand.store.snapshot();
        assert_eq!(ns.relation_use(&at, TABLE).await.unwrap().hot_rows, 0);
        let rows: Vec<_> = (0..1000).map(|i| (i, None)).collect();
        stand.commit(inserts(&ns, &rows)).await;
        let found = ns.relation_use(&stand.store.snapshot(), TABLE).await.unwrap();
        assert!((300..3000).contains(&found.hot_rows), "{found:?}");
        assert_eq!((found.cold_rows, found.segments), (0, 0));
    }
}
