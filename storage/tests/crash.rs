//! A store that dies keeps what it acknowledged.
//!
//! The test runs itself as a child that commits and says what was acknowledged, and kills it: at a
//! random moment, or (feature `failpoints`) at each step of a commit. Then it opens the directory.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use kalamdb_storage::{
    Column, ColumnType, Commit, CommitNotice, Feed, IndexLayout, Layout, Namespace, NamespaceId,
    Owner, Position, RelationId, SequenceOptions, Store, StoreOptions, WriteSet, key, row,
};

const DIRECTORY: &str = "KALAMDB_CRASH_DIRECTORY";
const FAILPOINT: &str = "KALAMDB_CRASH_FAILPOINT";
const TASKS: usize = 6;
const SEQUENCE: RelationId = RelationId(50);
/// The second half of each commit, in the other namespace.
const OTHER: i64 = 1_000_000;

struct Deaf;

impl Feed for Deaf {
    fn committed(&self, _: &[CommitNotice]) {}

    fn durable(&self) {}
}

fn layout() -> Arc<Layout> {
    let column = |name: &str, ty| Column {
        name: name.into(),
        ty,
        nullable: false,
        dropped: false,
        missing: None,
    };
    let index = IndexLayout {
        relation: RelationId(101),
        columns: vec![1],
        descending: vec![false],
        unique: true,
        nulls_distinct: true,
    };
    let columns = vec![column("id", ColumnType::Int64), column("name", ColumnType::Text)];
    Arc::new(Layout::new(RelationId(100), columns, vec![0], vec![index], "public.t"))
}

fn one(id: i64) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![id])),
        Arc::new(StringArray::from(vec![format!("name {id}")])),
    ];
    RecordBatch::try_new(layout().schema(), columns).unwrap()
}

fn insert(writes: &mut WriteSet, ns: &Namespace, id: i64) {
    let (layout, batch) = (layout(), one(id));
    let key = key::encode(&layout, &batch, 0).unwrap();
    writes.insert(ns, &layout, key, row::encode(&layout, &batch, 0).unwrap()).unwrap();
}

fn counting() -> SequenceOptions {
    SequenceOptions { start: 1, increment: 1, min: 1, max: i64::MAX, cycle: false, cache: 1 }
}

async fn open(directory: &Path) -> Arc<Store> {
    let mut options = StoreOptions::new(directory);
    options.block_cache_bytes = 1 << 20;
    Store::open(options, Arc::new(Deaf)).await.unwrap()
}

fn namespaces(store: &Store) -> [Namespace; 2] {
    [
        store.namespace(NamespaceId(1), Owner::User("a".into())),
        store.namespace(NamespaceId(2), Owner::Shared),
    ]
}

/// Not a test by itself: the process that is killed.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    #[cfg(feature = "failpoints")]
    if let Ok(name) = std::env::var(FAILPOINT) {
        use std::sync::atomic::{AtomicI64, Ordering};
        let left = AtomicI64::new(40);
        fail::cfg_callback(name, move || {
            if left.fetch_sub(1, Ordering::SeqCst) == 0 {
                std::process::abort();
            }
        })
        .unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&directory)).await;
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            tasks.push(tokio::spawn(work(store.clone())));
        }
        for task in tasks {
            // A failed commit is an end too: the parent looks at what is there.
            let _ = task.await;
        }
    });
}

async fn work(store: Arc<Store>) {
    let [own, other] = namespaces(&store);
    loop {
        let Ok(id) = own.sequence_next(SEQUENCE, counting()).await else { return };
        let mut writes = WriteSet::new();
        insert(&mut writes, &own, id);
        insert(&mut writes, &other, OTHER + id);
        let Ok(_) = store.commit(Commit { writes, sync: true, time_us: 0 }).await else { return };
        let mut out = std::io::stdout().lock();
        // The parent closing its end is how it looks when it is done with us.
        if writeln!(out, "ack {id}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Runs the child until it dies or has acknowledged `enough`, then kills it.
fn run(directory: &Path, failpoint: Option<&str>, enough: usize) -> Vec<i64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(DIRECTORY, directory);
    if let Some(name) = failpoint {
        command.env(FAILPOINT, name);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut acknowledged = Vec::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // Whole lines alone: the last may be cut by the kill.
        let Ok(line) = line else { break };
        let Some((_, id)) = line.split_once("ack ") else { continue };
        if let Ok(id) = id.parse() {
            acknowledged.push(id);
        }
        if acknowledged.len() >= enough && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    acknowledged
}

async fn verify(directory: &Path, acknowledged: &[i64]) {
    let store = open(directory).await;
    let [own, other] = namespaces(&store);
    let snapshot = store.snapshot();
    let layout = layout();
    let mut logged = [BTreeSet::new(), BTreeSet::new()];
    for (ns, logged) in [&own, &other].into_iter().zip(&mut logged) {
        let mut cursor = ns.log(Position(0));
        let mut next = 1;
        loop {
            let records = cursor.next(1 << 20).await.unwrap();
            if records.is_empty() {
                break;
            }
            for record in records {
                assert_eq!(record.position.0, next, "positions have no holes");
                next += 1;
                for change in &record.changes {
                    let row = ns.get(&snapshot, None, &layout, &change.key).await.unwrap().unwrap();
                    assert_eq!((row.lsn, Some(row.image)), (record.lsn, change.new.clone()));
                    logged.insert(change.key.clone());
                }
            }
        }
        assert_eq!(ns.head(&snapshot).await.unwrap().0, next - 1);
    }
    assert_eq!(logged[0].len(), logged[1].len(), "a commit over two namespaces is whole");
    let mut last = 0;
    for &id in acknowledged {
        last = last.max(id);
        for (ns, id, logged) in [(&own, id, &logged[0]), (&other, OTHER + id, &logged[1])] {
            let batch = one(id);
            let key = key::encode(&layout, &batch, 0).unwrap();
            assert!(logged.contains(&key), "commit {id} was acknowledged and is lost");
            let name = key::index_key(&layout, 0, &batch, 0).unwrap().unwrap();
            let found = ns.get_unique(&snapshot, None, &layout, 0, &name).await.unwrap().unwrap();
            assert_eq!(found.0, key);
        }
    }
    let next = own.sequence_next(SEQUENCE, counting()).await.unwrap();
    assert!(next > last, "{next} was handed out before {last}");
    store.close().await.unwrap();
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

#[test]
fn killed_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut acknowledged = Vec::new();
    for enough in [1, 50, 300, 20, 150] {
        acknowledged.extend(run(&data, None, enough));
        block(verify(&data, &acknowledged));
    }
    let distinct: BTreeSet<_> = acknowledged.iter().collect();
    assert_eq!(distinct.len(), acknowledged.len(), "no value was handed out twice");
    assert!(acknowledged.len() >= 521);
}

#[cfg(feature = "failpoints")]
#[test]
fn killed_at_each_step_of_a_commit() {
    for name in ["commit::before_write", "commit::after_write", "commit::before_feed"] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let mut acknowledged = Vec::new();
        for _ in 0..3 {
            acknowledged.extend(run(&data, Some(name), usize::MAX));
            block(verify(&data, &acknowledged));
        }
        assert!(!acknowledged.is_empty());
    }
}
