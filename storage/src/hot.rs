//! The hot store: the seam behind which rows, index entries, the log and the books of a shard lie.
//!
//! Two implementors hold to one contract, tested in `hot/contract.rs`: RocksDB, and a twin in
//! memory. All operations are async and give owned bytes, because a third may live on an object
//! store; what is in memory is answered without leaving the task. A snapshot is the reader: what it
//! shows never changes.

pub(crate) mod memory;
pub(crate) mod rocksdb;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::id::Lsn;
pub(crate) use crate::key::HotRange;

/// Most rows of one chunk of a scan.
pub(crate) const CHUNK_ROWS: usize = 8192;
/// Bytes after which a chunk of a scan ends.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// What is kept together because it is read alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Rows: namespace, relation, key.
    Rows,
    /// Index entries: namespace, index, values and key.
    Index,
    /// Commit records: namespace, position.
    Log,
    /// The books; see [`crate::meta`].
    Meta,
}

impl Family {
    pub(crate) const ALL: [Family; 4] = [Family::Rows, Family::Index, Family::Log, Family::Meta];

    /// The name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Rows => "rows",
            Family::Index => "index",
            Family::Log => "log",
            Family::Meta => "meta",
        }
    }
}

/// A hot store.
#[async_trait]
pub(crate) trait Hot: Send + Sync {
    /// What is committed now, for as long as the snapshot lives.
    fn snapshot(&self) -> Arc<dyn HotSnapshot>;

    /// Applies all of a batch or nothing, in the batch's order. With `sync`, returns once it and
    /// everything before it is on the device.
    async fn commit(&self, batch: &Batch, sync: bool) -> Result<()>;

    /// Returns once everything committed so far is on the device.
    async fn sync(&self) -> Result<()>;

    /// Allows records of the log before `lsn` to vanish, at any time, from every snapshot.
    fn trim_log(&self, before: Lsn);

    /// About how many bytes a range takes. Cheap, inexact, late.
    fn approximate_bytes(&self, family: Family, range: &HotRange) -> u64;

    /// Puts a copy of what is committed into a new directory, sharing files where it can.
    async fn checkpoint(&self, directory: &Path) -> Result<()>;

    /// Syncs and stops background work.
    async fn close(&self) -> Result<()>;
}

/// What a hot store held at one moment.
#[async_trait]
pub(crate) trait HotSnapshot: Send + Sync {
    /// The value at a key.
    async fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>>;

    /// Whether there is a value at any of these keys, which ascend. Cheap where they lie after all
    /// that is held, or where a filter tells.
    async fn holds_any(&self, family: Family, keys: &[&[u8]]) -> Result<bool>;

    /// The first pairs of a range, from its end if `reverse`, as many as `limit` lets through.
    async fn scan(
        &self,
        family: Family,
        range: &HotRange,
        reverse: bool,
        limit: ChunkLimit,
    ) -> Result<Chunk>;
}

/// Where a chunk ends; at least one pair goes in if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLimit {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Default for ChunkLimit {
    fn default() -> ChunkLimit {
        ChunkLimit { rows: CHUNK_ROWS, bytes: CHUNK_BYTES }
    }
}

impl ChunkLimit {
    /// At most `rows` pairs.
    pub(crate) fn rows(rows: usize) -> ChunkLimit {
        ChunkLimit { rows: rows.clamp(1, CHUNK_ROWS), bytes: CHUNK_BYTES }
    }
}

/// Pairs of a scan, in the order of travel, in one piece of memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    bytes: Bytes,
    /// Ends of key and value of each pair.
    ends: Vec<(usize, usize)>,
    more: bool,
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the range may go on: scan again after [`Chunk::last_key`], with [`HotRange::after`].
    pub(crate) fn more(&self) -> bool {
        self.more
    }

    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|last| self.key(last))
    }

    fn start(&self, i: usize) -> usize {
        i.checked_sub(1).map_or(0, |before| self.ends[before].1)
    }

    /// The whole key of pair `i`, namespace and relation included.
    pub(crate) fn key(&self, i: usize) -> &[u8] {
        &self.bytes[self.start(i)..self.ends[i].0]
    }

    pub(crate) fn value(&self, i: usize) -> &[u8] {
        &self.bytes[self.ends[i].0..self.ends[i].1]
    }

    /// The key of pair `i`, sharing the chunk's memory.
    pub(crate) fn key_bytes(&self, i: usize) -> Bytes {
        self.bytes.slice(self.start(i)..self.ends[i].0)
    }

    /// The value of pair `i`, sharing the chunk's memory.
    pub(crate) fn value_bytes(&self, i: usize) -> Bytes {
        self.bytes.slice(self.ends[i].0..self.ends[i].1)
    }
}

/// Fills a chunk.
#[derive(Debug)]
pub(crate) struct ChunkBuilder {
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
    limit: ChunkLimit,
}

impl ChunkBuilder {
    pub(crate) fn new(limit: ChunkLimit) -> ChunkBuilder {
        const ROW_BYTES: usize = 128;
        const MAX_BYTES: usize = 64 << 10;
        let bytes = Vec::with_capacity(MAX_BYTES.min(limit.rows.saturating_mul(ROW_BYTES)));
        ChunkBuilder { bytes, ends: Vec::new(), limit }
    }

    /// Whether the limit is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= self.limit.rows || self.bytes.len() >= self.limit.bytes
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((middle, self.bytes.len()));
    }

    pub(crate) fn finish(self, more: bool) -> Chunk {
        Chunk { bytes: Bytes::from(self.bytes), ends: self.ends, more }
    }
}

/// Changes applied as one. Keeps its memory when cleared.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// What is done, where the first half of its bytes ends, and where the second does.
    ops: Vec<(Family, OpKind, usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpKind {
    Put,
    Delete,
    DeleteRange,
}

/// One change of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Put {
        key: &'a [u8],
        value: &'a [u8],
    },
    Delete {
        key: &'a [u8],
    },
    /// From `start` on, before `end`.
    DeleteRange {
        start: &'a [u8],
        end: &'a [u8],
    },
}

impl Batch {
    /// Puts a pair, each half given in pieces.
    pub(crate) fn put(&mut self, family: Family, key: &[&[u8]], value: &[&[u8]]) {
        self.op(family, OpKind::Put, key, value);
    }

    /// Puts a pair whose value is written straight into the batch.
    pub(crate) fn put_with(
        &mut self,
        family: Family,
        key: &[&[u8]],
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        key.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        let middle = self.bytes.len();
        value(&mut self.bytes);
        self.ops.push((family, OpKind::Put, middle, self.bytes.len()));
    }

    pub(crate) fn delete(&mut self, family: Family, key: &[&[u8]]) {
        self.op(family, OpKind::Delete, key, &[]);
    }

    /// Deletes a range; one without end must not come here.
    pub(crate) fn delete_range(&mut self, family: Family, range: &HotRange) {
        debug_assert!(!range.end.is_empty(), "a range to delete has an end");
        if !range.is_empty() {
            self.op(family, OpKind::DeleteRange, &[&range.start], &[&range.end]);
        }
    }

    /// Makes room for so many changes of so many bytes in all.
    pub(crate) fn reserve(&mut self, ops: usize, bytes: usize) {
        self.ops.reserve(ops);
        self.bytes.reserve(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the changes, keeps (some of) the memory.
    pub(crate) fn clear(&mut self) {
        const KEEP: usize = 1 << 20;
        self.bytes.clear();
        self.ops.clear();
        self.bytes.shrink_to(KEEP);
        self.ops.shrink_to(KEEP / 64);
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = (Family, Op<'_>)> {
        let mut start = 0;
        self.ops.iter().map(move |&(family, kind, middle, end)| {
            let first = &self.bytes[start..middle];
            let second = &self.bytes[middle..end];
            start = end;
            let op = match kind {
                OpKind::Put => Op::Put { key: first, value: second },
                OpKind::Delete => Op::Delete { key: first },
                OpKind::DeleteRange => Op::DeleteRange { start: first, end: second },
            };
            (family, op)
        })
    }

    fn op(&mut self, family: Family, kind: OpKind, first: &[&[u8]], second: &[&[u8]]) {
        first.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        let middle = self.bytes.len();
        second.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.ops.push((family, kind, middle, self.bytes.len()));
    }
}

/// Reads a range to its end, a chunk at a time. For books and tests; rows have `crate::scan`.
pub(crate) async fn scan_all(
    snapshot: &dyn HotSnapshot,
    family: Family,
    mut range: HotRange,
) -> Result<Vec<(Bytes, Bytes)>> {
    let mut pairs = Vec::new();
    loop {
        let chunk = snapshot.scan(family, &range, false, ChunkLimit::default()).await?;
        pairs.extend((0..chunk.len()).map(|i| (chunk.key_bytes(i), chunk.value_bytes(i))));
        match chunk.last_key() {
            Some(last) if chunk.more() => range.after(last, false),
            _ => return Ok(pairs),
        }
    }
}

#[cfg(test)]
mod contract;
