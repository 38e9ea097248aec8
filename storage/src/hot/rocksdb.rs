//! The hot store in RocksDB.
//!
//! Few column families, by access pattern; namespace and relation lead every key of rows and index,
//! and a prefix extractor covers them. Whole-key Bloom filters make a point read that misses cheap.
//! All calls run in the task that makes them: what they want is in memory most of the time, and a
//! hop to another thread costs several reads. The write-ahead log is in the same directory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use rocksdb::compaction_filter::Decision;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, LogLevel, Options, Range, ReadOptions, SliceTransform, SnapshotWithThreadMode,
    WriteBatch, WriteOptions,
};

use crate::error::{Error, Result};
use crate::hot::{Batch, Chunk, ChunkBuilder, ChunkLimit, Family, Hot, HotRange, HotSnapshot, Op};
use crate::id::Lsn;
use crate::key::PREFIX_BYTES;
use crate::log;
use crate::options::StoreOptions;

/// A RocksDB database.
pub(crate) struct RocksDb {
    db: Arc<DB>,
    /// Below it, compaction drops records of the log.
    log_cutoff: Arc<AtomicU64>,
    synced: WriteOptions,
    unsynced: WriteOptions,
}

/// Background threads for memtables and compactions together.
const BACKGROUND_JOBS: i32 = 3;
/// Files of RocksDB's own diagnostics.
const LOG_FILES: usize = 3;
const LOG_FILE_BYTES: usize = 4 << 20;
/// Bytes per key of Bloom filters: 1 % of misses read a block in vain.
const BLOOM_BITS: f64 = 10.0;
const BLOCK_BYTES: usize = 16 << 10;
/// Log files are looked through at least this often, so that what was cut goes.
const LOG_COMPACTION_SECONDS: u64 = 24 * 3600;

impl RocksDb {
    /// Opens the database in `directory`; makes it if there is none.
    pub(crate) fn open(directory: &Path, options: &StoreOptions, cutoff: Lsn) -> Result<RocksDb> {
        let log_cutoff = Arc::new(AtomicU64::new(cutoff.0));
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let families = Family::ALL.map(|family| {
            let options = family_options(family, options, &cache, &log_cutoff);
            ColumnFamilyDescriptor::new(family.name(), options)
        });
        let db = DB::open_cf_descriptors(&database_options(options), directory, families)?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(RocksDb { db: Arc::new(db), log_cutoff, synced, unsynced: WriteOptions::default() })
    }
}

fn database_options(options: &StoreOptions) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_max_background_jobs(BACKGROUND_JOBS);
    database.set_max_total_wal_size(options.max_wal_bytes);
    // A group that was not synced may be torn by a power cut; all before the tear is whole.
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_keep_log_file_num(LOG_FILES);
    database.set_max_log_file_size(LOG_FILE_BYTES);
    database.set_log_level(LogLevel::Warn);
    database
}

fn family_options(
    family: Family,
    options: &StoreOptions,
    cache: &Cache,
    log_cutoff: &Arc<AtomicU64>,
) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(BLOCK_BYTES);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_format_version(5);
    let mut family_options = Options::default();
    family_options.set_write_buffer_size(options.memtable_bytes);
    family_options.set_compression_type(DBCompressionType::Lz4);
    family_options.set_level_compaction_dynamic_level_bytes(true);
    match family {
        Family::Rows | Family::Index => {
            blocks.set_bloom_filter(BLOOM_BITS, false);
            blocks.set_whole_key_filtering(true);
            family_options.set_prefix_extractor(SliceTransform::create_fixed_prefix(PREFIX_BYTES));
            family_options.set_memtable_prefix_bloom_ratio(0.02);
            family_options.set_memtable_whole_key_filtering(true);
        }
        Family::Log => {
            let cutoff = log_cutoff.clone();
            let filter = move |_level: u32, _key: &[u8], value: &[u8]| match log::lsn_of(value) {
                Ok(lsn) if lsn.0 < cutoff.load(Ordering::Acquire) => Decision::Remove,
                _ => Decision::Keep,
            };
            family_options.set_compaction_filter("kalamdb.log_cutoff", filter);
            family_options.set_periodic_compaction_seconds(LOG_COMPACTION_SECONDS);
        }
        Family::Meta => {
            blocks.set_bloom_filter(BLOOM_BITS, false);
            family_options.set_write_buffer_size(options.memtable_bytes.min(16 << 20));
        }
    }
    family_options.set_block_based_table_factory(&blocks);
    family_options
}

fn handle(db: &DB, family: Family) -> Result<&ColumnFamily> {
    db.cf_handle(family.name())
        .ok_or_else(|| Error::corrupt(format!("column family {} is missing", family.name())))
}

#[async_trait]
impl Hot for RocksDb {
    fn snapshot(&self) -> Arc<dyn HotSnapshot> {
        Arc::new(RocksDbSnapshot::new(self.db.clone()))
    }

    async fn commit(&self, batch: &Batch, sync: bool) -> Result<()> {
        const PER_OP: usize = 16;
        let handles = Handles {
            rows: handle(&self.db, Family::Rows)?,
            index: handle(&self.db, Family::Index)?,
            log: handle(&self.db, Family::Log)?,
            meta: handle(&self.db, Family::Meta)?,
        };
        let capacity = batch.bytes() + batch.ops().size_hint().0 * PER_OP;
        let mut write = WriteBatch::with_capacity_bytes(capacity);
        for (family, op) in batch.ops() {
            let handle = handles.of(family);
            match op {
                Op::Put { key, value } => write.put_cf(handle, key, value),
                Op::Delete { key } => write.delete_cf(handle, key),
                Op::DeleteRange { start, end } => write.delete_range_cf(handle, start, end),
            }
        }
        let options = if sync { &self.synced } else { &self.unsynced };
        Ok(self.db.write_opt(write, options)?)
    }

    async fn sync(&self) -> Result<()> {
        Ok(self.db.flush_wal(true)?)
    }

    fn trim_log(&self, before: Lsn) {
        self.log_cutoff.fetch_max(before.0, Ordering::AcqRel);
    }

    fn approximate_bytes(&self, family: Family, range: &HotRange) -> u64 {
        let Ok(handle) = handle(&self.db, family) else { return 0 };
        let range = Range::new(&range.start, &range.end);
        let files = self.db.get_approximate_sizes_cf(handle, &[range]);
        files.iter().sum()
    }

    async fn checkpoint(&self, directory: &Path) -> Result<()> {
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&self.db)?;
        Ok(checkpoint.create_checkpoint(directory)?)
    }

    async fn close(&self) -> Result<()> {
        self.db.flush_wal(true)?;
        self.db.cancel_all_background_work(true);
        Ok(())
    }
}

struct Handles<'a> {
    rows: &'a ColumnFamily,
    index: &'a ColumnFamily,
    log: &'a ColumnFamily,
    meta: &'a ColumnFamily,
}

impl<'a> Handles<'a> {
    fn of(&self, family: Family) -> &'a ColumnFamily {
        match family {
            Family::Rows => self.rows,
            Family::Index => self.index,
            Family::Log => self.log,
            Family::Meta => self.meta,
        }
    }
}

/// A snapshot together with the database it is of.
struct RocksDbSnapshot {
    /// Reads at `snapshot`.
    read: ReadOptions,
    /// Released before `db`: fields are dropped in this order.
    snapshot: SnapshotWithThreadMode<'static, DB>,
    db: Arc<DB>,
}

impl RocksDbSnapshot {
    #[allow(unsafe_code, reason = "RocksDB's snapshot borrows its database, ours outlives tasks")]
    fn new(db: Arc<DB>) -> RocksDbSnapshot {
        // SAFETY: the snapshot borrows the DB behind the Arc, whose address never changes. The Arc
        // is kept beside it, dropped after it, and neither is ever given away, so the borrow ends
        // before the DB does.
        let snapshot = unsafe {
            std::mem::transmute::<SnapshotWithThreadMode<'_, DB>, SnapshotWithThreadMode<'static, DB>>(
                db.snapshot(),
            )
        };
        let mut read = ReadOptions::default();
        read.set_snapshot(&snapshot);
        RocksDbSnapshot { read, snapshot, db }
    }
}

#[async_trait]
impl HotSnapshot for RocksDbSnapshot {
    async fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        let handle = handle(&self.db, family)?;
        let value = self.db.get_pinned_cf_opt(handle, key, &self.read)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    async fn holds_any(&self, family: Family, keys: &[&[u8]]) -> Result<bool> {
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(false) };
        let handle = handle(&self.db, family)?;
        let mut read = ReadOptions::default();
        read.set_snapshot(&self.snapshot);
        read.set_total_order_seek(true);
        read.set_iterate_upper_bound([last, &[0][..]].concat());
        let mut pairs = self.db.raw_iterator_cf_opt(handle, read);
        pairs.seek(first);
        if !pairs.valid() {
            // Nothing lies between the first and the last, as where keys only grow.
            pairs.status()?;
            return Ok(false);
        }
        drop(pairs);
        let sorted = true;
        let found = self.db.batched_multi_get_cf_opt(handle, keys.iter(), sorted, &self.read);
        for value in found {
            if value?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn scan(
        &self,
        family: Family,
        range: &HotRange,
        reverse: bool,
        limit: ChunkLimit,
    ) -> Result<Chunk> {
        if range.is_empty() {
            return Ok(Chunk::default());
        }
        let handle = handle(&self.db, family)?;
        let mut read = ReadOptions::default();
        read.set_snapshot(&self.snapshot);
        // Ranges may cross prefixes; within one, the bounds keep the iterator there.
        read.set_total_order_seek(true);
        read.set_iterate_lower_bound(range.start.clone());
        if !range.end.is_empty() {
            read.set_iterate_upper_bound(range.end.clone());
        }
        let mut rows = self.db.raw_iterator_cf_opt(handle, read);
        if reverse {
            rows.seek_to_last();
        } else {
            rows.seek_to_first();
        }
        let mut chunk = ChunkBuilder::new(limit);
        while let Some((key, value)) = rows.item() {
            if chunk.is_full() {
                return Ok(chunk.finish(true));
            }
            chunk.push(key, value);
            if reverse {
                rows.prev();
            } else {
                rows.next();
            }
        }
        rows.status()?;
        Ok(chunk.finish(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn compaction_drops_what_was_cut_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { block_cache_bytes: 1 << 20, ..StoreOptions::new("") };
        let hot = RocksDb::open(directory.path(), &options, Lsn(0)).unwrap();
        let mut batch = Batch::default();
        for lsn in 1..=10u64 {
            batch.put(Family::Log, &[b"key", &[lsn as u8]], &[&lsn.to_be_bytes(), b"record"]);
            batch.put(Family::Rows, &[b"row of twelve", &[lsn as u8]], &[&lsn.to_be_bytes()]);
        }
        hot.commit(&batch, true).await.unwrap();
        hot.trim_log(Lsn(8));
        for family in Family::ALL {
            let handle = handle(&hot.db, family).unwrap();
            hot.db.flush_cf(handle).unwrap();
            hot.db.compact_range_cf(handle, None::<&[u8]>, None::<&[u8]>);
        }
        let snapshot = hot.snapshot();
        let all = HotRange { start: Vec::new(), end: Vec::new() };
        let limit = ChunkLimit::default();
        let log = snapshot.scan(Family::Log, &all, false, limit).await.unwrap();
        assert_eq!((0..log.len()).map(|i| log.key(i)[3]).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(snapshot.scan(Family::Rows, &all, false, limit).await.unwrap().len(), 10);
    }
}
