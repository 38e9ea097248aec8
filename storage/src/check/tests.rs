//! What a check finds.

use std::path::{Path, PathBuf};

use crate::check;
use crate::harness::{Stand, inserts, people};
use crate::scan::tests::stand;
use crate::{ErrorKind, HotKind};

/// A closed store with a flushed table: its data directory and the table's.
async fn closed() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let at = stand(HotKind::RocksDb).await;
    let ns = at.user(1);
    let names: Vec<_> = (0..4000).map(|id| (id % 2 == 0).then(|| format!("name {id}"))).collect();
    let rows: Vec<_> = (0..4000).zip(names.iter().map(|name| name.as_deref())).collect();
    at.commit(inserts(&ns, &rows)).await;
    ns.flush(&people()).await.unwrap();
    at.commit(inserts(&ns, &[(9000, Some("hot"))])).await;
    drop(ns);
    let Stand { directory, store, .. } = at;
    store.close().await.unwrap();
    let data = directory.path().join("data");
    let table = data.join("user/user1/public.people");
    (directory, data, table)
}

fn problems(data: &Path) -> String {
    let report = check(data).unwrap();
    assert!(!report.is_clean());
    report.problems.join("\n")
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_sound_directory_is_clean() {
    let (_guard, data, _) = closed().await;
    let report = check(&data).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.hot_rows, report.cold_rows, report.manifests), (1, 4000, 1));
    assert_eq!((report.index_entries, report.log_records), (8002, 2));
    assert!(report.segments >= 1);
}

#[tokio::test]
async fn damage_is_found() {
    let (_guard, data, table) = closed().await;
    let segment = table.join("batch-000001.parquet");
    let sound = std::fs::read(&segment).unwrap();
    edit(&segment, |bytes| bytes.truncate(bytes.len() - 10));
    assert!(problems(&data).contains("bytes, its manifest says"));
    std::fs::write(&segment, &sound).unwrap();
    edit(&segment, |bytes| bytes[100] ^= 1);
    assert!(problems(&data).contains("checksum"));
    std::fs::write(&segment, &sound).unwrap();
    std::fs::remove_file(&segment).unwrap();
    assert!(problems(&data).contains("batch-000001.parquet"));
    std::fs::write(&segment, &sound).unwrap();
    assert!(check(&data).unwrap().is_clean());
    let export = table.join("manifest.json");
    edit(&export, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let at = text.find("\"rows\": ").unwrap() + 8;
        bytes[at] = b'9';
    });
    assert!(problems(&data).contains("something else than the store"));
}

#[tokio::test]
async fn a_reader_of_a_damaged_segment_gets_an_error() {
    let (_guard, _, table) = closed().await;
    let segment = table.join("batch-000001.parquet");
    edit(&segment, |bytes| bytes.truncate(bytes.len() / 2));
    let Some(directory) = table.ancestors().nth(4) else { panic!() };
    let options = crate::scan::tests::options(directory, HotKind::RocksDb);
    let feed = std::sync::Arc::new(crate::harness::Kept::default());
    let store = crate::Store::open(options, feed).await.unwrap();
    let ns = store.namespace(crate::NamespaceId(1), crate::Owner::User("user1".into()));
    let key = crate::harness::person(5, None).0;
    let found = ns.get(&store.snapshot(), None, &people(), &key).await;
    assert_eq!(found.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(check(empty.path()).unwrap_err().kind(), ErrorKind::Invalid);
}
