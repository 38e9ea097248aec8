//! The store: one data directory, opened, kept and closed.

mod directory;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;

use crate::background::Background;
use crate::cold::Cold;
use crate::commit::{Answer, Commit, Committed, Committer, Leader, Work};
use crate::error::{Error, Result};
use crate::hot::memory::Memory;
use crate::hot::rocksdb::RocksDb;
use crate::hot::{ChunkLimit, Family, Hot, HotRange};
use crate::id::{Lsn, NamespaceId, RelationId};
use crate::key::{self, PREFIX_BYTES};
use crate::log::{self, Feed, LogClock};
use crate::meta;
use crate::namespace::{Namespace, Owner};
use crate::options::{HotKind, StoreOptions};
use crate::sequence::Counters;
use crate::snapshot::{Snapshot, Snapshots};
use crate::uses::Uses;
use crate::write_set::WriteSet;
pub(crate) use directory::{DataDirectory, HOT_DIRECTORY};

/// The version of what is on disk, described in FORMAT.md. One is read and written.
pub const FORMAT_VERSION: u32 = 1;

/// How often the log's retention is looked at.
const RETENTION_INTERVAL: Duration = Duration::from_secs(30);

/// An open data directory.
#[derive(Debug)]
pub struct Store {
    pub(crate) shard: Arc<Shard>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    background: Mutex<Option<Background>>,
}

/// What a shard is made of; namespaces and cursors hold it.
pub(crate) struct Shard {
    pub(crate) options: StoreOptions,
    pub(crate) hot: Arc<dyn Hot>,
    pub(crate) snapshots: Snapshots,
    pub(crate) committer: Committer,
    pub(crate) counters: Counters,
    pub(crate) log_clock: LogClock,
    pub(crate) feed: Arc<dyn Feed>,
    pub(crate) durable: AtomicU64,
    pub(crate) uses: Uses,
    pub(crate) cold: Cold,
    /// Locked for as long as anything of the shard is in use.
    _directory: DataDirectory,
}

impl Store {
    /// Opens a data directory, or makes one. Everything committed durably is there again.
    ///
    /// * `Invalid`: the directory is another's, newer than this program, or readable by others and
    ///   not to be changed.
    /// * `Unavailable`: it is in use by another process, or the file system refuses.
    /// * `Corrupt`: it is damaged.
    pub async fn open(options: StoreOptions, feed: Arc<dyn Feed>) -> Result<Arc<Store>> {
        let directory = DataDirectory::open(&options.data_dir)?;
        let hot: Arc<dyn Hot> = match options.hot {
            HotKind::RocksDb => {
                let path = directory.path().join(HOT_DIRECTORY);
                Arc::new(RocksDb::open(&path, &options, Lsn(0))?)
            }
            HotKind::Memory => Arc::new(Memory::default()),
        };
        let lsn = last_lsn(&*hot).await?;
        let snapshots = Snapshots::new(lsn, hot.snapshot());
        let log_clock = log::open_clock(&snapshots.current()).await?;
        hot.trim_log(log_clock.cutoff());
        let shard = Arc::new(Shard {
            cold: Cold::open(&options)?,
            hot,
            snapshots,
            committer: Committer::new(Leader::new(lsn)),
            counters: Counters::default(),
            log_clock,
            feed,
            durable: AtomicU64::new(lsn.0),
            uses: Uses::default(),
            options,
            _directory: directory,
        });
        let tasks = vec![
            tokio::spawn(sync_wal_in_time(shard.clone())),
            tokio::spawn(keep_log_in_bounds(shard.clone())),
        ];
        let background = Mutex::new(Some(Background::start(&shard)));
        Ok(Arc::new(Store { shard, tasks: Mutex::new(tasks), background }))
    }

    /// The capability to one namespace. Whoever may make this call decides who may see what.
    pub fn namespace(&self, id: NamespaceId, owner: Owner) -> Namespace {
        Namespace::new(self.shard.clone(), id, owner)
    }

    /// What is committed now. Costs a reference count.
    pub fn snapshot(&self) -> Snapshot {
        self.shard.snapshot()
    }

    /// Makes a write set durable (if it asks for that), then visible, and tells its place.
    ///
    /// When this returns, every later snapshot shows all of it. When it fails, no snapshot of this
    /// store ever will:
    ///
    /// * `Full`: the write set is larger than `max_commit_bytes`.
    /// * `NoSpace`: the device is full.
    /// * `Unavailable`: the device refused; the store accepts nothing more.
    /// * `Closed`: the store was closed.
    /// * `Unknown`: it may or may not be there when the store is opened again.
    pub async fn commit(&self, mut commit: Commit) -> Result<Committed> {
        let (bytes, max) = (commit.writes.bytes(), self.shard.options.max_commit_bytes);
        if bytes > max {
            return Err(Error::full(format!(
                "commit of {bytes} bytes exceeds the maximum of {max}"
            )));
        }
        commit.writes.settle();
        match self.shard.submit(Work::Commit(commit)).await? {
            Answer::Committed(committed) => Ok(committed),
            Answer::Flush(..) | Answer::Done => Err(Error::unknown("not the answer to a commit")),
        }
    }

    /// The last commit known to be on the device.
    pub fn durable_lsn(&self) -> Lsn {
        self.shard.durable_lsn()
    }

    /// What is committed now, once all of it is on the device.
    pub async fn durable_snapshot(&self) -> Result<Snapshot> {
        let snapshot = self.snapshot();
        if snapshot.lsn() > self.durable_lsn() {
            self.sync_wal().await?;
        }
        Ok(snapshot)
    }

    /// Returns once everything committed so far is on the device.
    pub async fn sync_wal(&self) -> Result<()> {
        self.shard.sync_wal().await
    }

    /// Cuts the log off: records before `older_than` are gone.
    pub async fn retain_log(&self, older_than: Lsn) -> Result<()> {
        log::cut(&self.shard, older_than).await
    }

    /// Removes a namespace with all its rows, its log and, in time, its directory.
    ///
    /// Its number must not be used again; a new namespace of the same name must not be made before
    /// the directory is gone, which the next start at the latest sees to.
    pub async fn drop_namespace(&self, id: NamespaceId, owner: &Owner) -> Result<()> {
        let directory = owner.directory();
        self.shard.submit(Work::DropNamespace { namespace: id, directory }).await.map(|_| ())
    }

    /// Removes a relation from all namespaces, one commit each.
    pub async fn drop_relation_everywhere(&self, relation: RelationId) -> Result<()> {
        for namespace in self.relation_namespaces(relation).await? {
            let mut writes = WriteSet::new();
            writes.drop_in(namespace, relation);
            self.commit(Commit { writes, sync: true, time_us: now_us() }).await?;
        }
        Ok(())
    }

    /// The namespaces that hold rows, index entries or segments of a relation, ascending.
    pub async fn relation_namespaces(&self, relation: RelationId) -> Result<Vec<NamespaceId>> {
        let snapshot = self.snapshot();
        let mut found = Vec::new();
        for (family, letter) in
            [(Family::Rows, &b""[..]), (Family::Index, b""), (Family::Meta, b"M")]
        {
            seek_namespaces(&snapshot, family, letter, relation, &mut found).await?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Makes a consistent copy of the hot store in a new directory. Segments are files of their own.
    pub async fn checkpoint(&self, directory: &Path) -> Result<()> {
        self.shard.hot.checkpoint(directory).await
    }

    /// Ends background work, syncs and refuses everything from now on. The directory is free once
    /// the last snapshot, namespace and scan is dropped too.
    pub async fn close(self: Arc<Self>) -> Result<()> {
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(background) = background {
            background.stop().await;
        }
        for task in self.stop_tasks() {
            // Cancelled; once this returns, the task holds nothing of the shard any more.
            let _ = task.await;
        }
        let counters = self.shard.counters.drain();
        let noted = self.shard.change_meta(counters, true).await;
        self.shard.committer.close(Error::closed());
        let closed = self.shard.hot.close().await;
        noted.and(closed)
    }

    fn stop_tasks(&self) -> Vec<JoinHandle<()>> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = std::mem::take(&mut *tasks);
        tasks.iter().for_each(JoinHandle::abort);
        tasks
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.stop_tasks());
    }
}

impl Shard {
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshots.current()
    }

    pub(crate) fn durable_lsn(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn data_dir(&self) -> &PathBuf {
        &self.options.data_dir
    }

    /// Through the leader, so that the feed hears of it in its place.
    async fn sync_wal(self: &Arc<Self>) -> Result<()> {
        self.submit(Work::Sync).await.map(|_| ())
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shard({})", self.data_dir().display())
    }
}

/// Now, in microseconds from 1970-01-01 UTC.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

async fn last_lsn(hot: &dyn Hot) -> Result<Lsn> {
    let Some(stored) = hot.snapshot().get(Family::Meta, meta::LAST_LSN).await? else {
        return Ok(Lsn(0));
    };
    let bytes = stored[..].try_into().map_err(|_| Error::corrupt("malformed last LSN"))?;
    Ok(Lsn(u64::from_be_bytes(bytes)))
}

/// The WAL writer: syncs commits that didn't ask for it, in time.
async fn sync_wal_in_time(shard: Arc<Shard>) {
    let mut ticks = tokio::time::interval(shard.options.wal_writer_delay);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if shard.durable_lsn() < shard.snapshot().lsn()
            && let Err(error) = shard.sync_wal().await
        {
            tracing::error!(%error, "could not sync the write-ahead log");
            shard.committer.close(Error::unavailable(format!(
                "the store is closed after a failed sync: {error}"
            )));
            return;
        }
    }
}

async fn keep_log_in_bounds(shard: Arc<Shard>) {
    let mut ticks = tokio::time::interval(RETENTION_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = log::enforce(&shard, now_us(), &shard.options.retention).await {
            tracing::warn!(%error, "could not cut the log");
        }
    }
}

/// Finds (namespace, relation) prefixes of one relation by seeking from namespace to namespace.
async fn seek_namespaces(
    snapshot: &Snapshot,
    family: Family,
    letter: &[u8],
    relation: RelationId,
    found: &mut Vec<NamespaceId>,
) -> Result<()> {
    let end = HotRange::prefix(letter).end;
    let mut next = Some(NamespaceId(0));
    while let Some(namespace) = next {
        let start = [letter, &key::prefix(namespace, relation)].concat();
        let range = HotRange { start, end: end.clone() };
        let chunk = snapshot.hot().scan(family, &range, false, ChunkLimit::rows(1)).await?;
        if chunk.is_empty() {
            return Ok(());
        }
        let prefix = chunk.key(0).get(letter.len()..letter.len() + PREFIX_BYTES);
        let (owner, held) = prefix
            .and_then(|prefix| prefix.split_first_chunk::<8>())
            .ok_or_else(|| Error::corrupt("malformed key"))?;
        let owner = NamespaceId(u64::from_be_bytes(*owner));
        let held: [u8; 4] = held.try_into().map_err(|_| Error::corrupt("malformed key"))?;
        let held = RelationId(u32::from_be_bytes(held));
        next = match held.cmp(&relation) {
            std::cmp::Ordering::Less => Some(owner),
            std::cmp::Ordering::Equal => {
                found.push(owner);
                owner.0.checked_add(1).map(NamespaceId)
            }
            std::cmp::Ordering::Greater => owner.0.checked_add(1).map(NamespaceId),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests;
