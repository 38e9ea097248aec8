//! What a store is told when it is opened. Every limit of storage has its name here.

use std::path::PathBuf;
use std::time::Duration;

/// Which hot store keeps the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotKind {
    /// RocksDB in `data_dir/hot`.
    RocksDb,
    /// Memory alone: what is not flushed is lost at close. For tests.
    Memory,
}

/// When hot rows go to the cold tier without being asked.
#[derive(Clone, Copy, Debug)]
pub struct FlushPolicy {
    /// Whether storage flushes by itself at all.
    pub automatic: bool,
    /// Flush a relation whose hot rows exceed this many bytes.
    pub max_hot_bytes: u64,
    /// Flush a relation that has more hot rows than this.
    pub max_hot_rows: u64,
    /// Flush a relation not flushed for this long, if it has `min_flush_bytes`.
    pub max_age: Duration,
    /// What is smaller than this stays hot, whatever its age.
    pub min_flush_bytes: u64,
    /// How often the policy looks.
    pub interval: Duration,
    /// Merge the segments of a relation once it has more than this many.
    pub max_segments: usize,
    /// Rows of one row group of a segment.
    pub row_group_rows: usize,
    /// A segment is closed once its file reaches this many bytes.
    pub segment_bytes: u64,
}

/// How long the commit log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Records older than this go.
    pub time: Duration,
    /// The oldest records go once the log's records take more bytes than this.
    pub bytes: u64,
}

/// What a store is told when it is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data directory; made with mode 0700 if absent.
    pub data_dir: PathBuf,
    /// Which hot store.
    pub hot: HotKind,
    /// Bytes of decoded blocks RocksDB keeps.
    pub block_cache_bytes: usize,
    /// Bytes of one RocksDB memtable.
    pub memtable_bytes: usize,
    /// Bytes of write-ahead log after which memtables are written out.
    pub max_wal_bytes: u64,
    /// Bytes of decoded Parquet footers kept.
    pub segment_cache_bytes: usize,
    /// Bytes of decoded blocks of cold rows kept for reads by key.
    pub cold_cache_bytes: usize,
    /// The largest write set, in bytes of keys and images.
    pub max_commit_bytes: usize,
    /// The largest row.
    pub max_value_bytes: usize,
    /// The most commits one group takes.
    pub max_group: usize,
    /// How long a commit that didn't ask for a sync may wait for one.
    pub wal_writer_delay: Duration,
    /// When rows go cold.
    pub flush: FlushPolicy,
    /// How long the commit log is kept.
    pub retention: Retention,
}

impl StoreOptions {
    /// The defaults, for this directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> StoreOptions {
        StoreOptions {
            data_dir: data_dir.into(),
            hot: HotKind::RocksDb,
            block_cache_bytes: 256 << 20,
            memtable_bytes: 32 << 20,
            max_wal_bytes: 512 << 20,
            segment_cache_bytes: 64 << 20,
            cold_cache_bytes: 128 << 20,
            max_commit_bytes: 1 << 30,
            max_value_bytes: 64 << 20,
            max_group: 1024,
            wal_writer_delay: Duration::from_millis(200),
            flush: FlushPolicy::default(),
            retention: Retention::default(),
        }
    }
}

impl Default for FlushPolicy {
    fn default() -> FlushPolicy {
        FlushPolicy {
            automatic: true,
            max_hot_bytes: 128 << 20,
            max_hot_rows: 1_000_000,
            max_age: Duration::from_secs(24 * 3600),
            min_flush_bytes: 4 << 20,
            interval: Duration::from_secs(10),
            max_segments: 8,
            row_group_rows: 64 << 10,
            segment_bytes: 256 << 20,
        }
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { time: Duration::from_secs(7 * 24 * 3600), bytes: 4 << 30 }
    }
}
