//! A flush of a table far larger than what a flush may hold in memory.
//!
//! Alone in its file, hence in its process: it looks at the process's peak.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use kalamdb_storage::{
    Column, ColumnType, Commit, CommitNotice, Feed, Layout, NamespaceId, Owner, RelationId,
    ScanSpec, Store, StoreOptions, WriteSet, key, row,
};

const ROWS: i64 = 100_000;
const TEXT_BYTES: usize = 1000;
/// A tenth of the table.
const GROWTH_KIB_MAX: u64 = 40 << 10;

struct Deaf;

impl Feed for Deaf {
    fn committed(&self, _: &[CommitNotice]) {}

    fn durable(&self) {}
}

/// A line of the process's status, in KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Text that compresses badly.
fn text(id: i64) -> String {
    let mut state = id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    (0..TEXT_BYTES).map(letter).collect()
}

fn rows(layout: &Layout, first: i64, count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new((first..first + count).collect::<Int64Array>());
    let texts = (first..first + count).map(|id| Some(text(id))).collect::<StringArray>();
    RecordBatch::try_new(layout.schema(), vec![ids, Arc::new(texts)]).unwrap()
}

#[tokio::test]
async fn a_flush_holds_a_part_of_the_table_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = StoreOptions::new(directory.path().join("data"));
    options.block_cache_bytes = 1 << 20;
    options.memtable_bytes = 4 << 20;
    options.flush.automatic = false;
    options.flush.row_group_rows = 4096;
    let store = Store::open(options, Arc::new(Deaf)).await.unwrap();
    let ns = store.namespace(NamespaceId(1), Owner::User("big".into()));
    let column = |name: &str, ty| Column {
        name: name.into(),
        ty,
        nullable: false,
        dropped: false,
        missing: None,
    };
    let columns = vec![column("id", ColumnType::Int64), column("text", ColumnType::Text)];
    let layout = Arc::new(Layout::new(RelationId(9), columns, vec![0], vec![], "public.big"));
    const STEP: i64 = 2000;
    for first in (0..ROWS).step_by(STEP as usize) {
        let batch = rows(&layout, first, STEP);
        let keys = key::encode_all(&layout, &batch).unwrap();
        let mut writes = WriteSet::new();
        for (key, image) in keys.into_iter().zip(row::encode_all(&layout, &batch).unwrap()) {
            writes.insert(&ns, &layout, key, image).unwrap();
        }
        store.commit(Commit { writes, sync: false, time_us: 1 }).await.unwrap();
    }
    // Makes the peak begin anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let report = ns.flush(&layout).await.unwrap();
    let growth = status("VmHWM").saturating_sub(before);
    assert_eq!(report.rows, ROWS as u64);
    assert!(report.bytes > (ROWS as u64) * (TEXT_BYTES as u64) / 2, "{report:?}");
    assert!(growth < GROWTH_KIB_MAX, "the flush took {growth} KiB");
    let at = store.snapshot();
    let mut count = 0;
    let mut scan = ns.scan(at, None, Arc::clone(&layout), ScanSpec::new(vec![1, 0]));
    while let Some(batch) = scan.try_next().await.unwrap() {
        count += batch.num_rows();
    }
    assert_eq!(count, ROWS as usize);
    let growth = status("VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "flush and scan took {growth} KiB");
}
