//! The commit log: what each commit changed, in order, for as long as it is kept.
//!
//! A record lies under its namespace and position, written in the same batch as the rows it speaks
//! of. The log is cut by LSN: what is below the cut-off counts as gone at once, by comparison, and
//! its bytes go when RocksDB next compacts them. Positions have no holes, so a reader that finds
//! another position than the next one knows that what it wants was cut.

mod codec;
mod retention;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::hot::{ChunkLimit, Family, HotRange};
use crate::id::{Lsn, NamespaceId, Position, RelationId};
use crate::key::Key;
use crate::namespace::Namespace;
use crate::row::RowImage;
use crate::snapshot::Snapshot;
use crate::store::Shard;
pub(crate) use codec::{Body, ChangeRef, decode, lsn_of};
pub(crate) use retention::{LogClock, cut, enforce, open_clock};

/// Called by the commit leader. Everything else waits meanwhile: it must not block.
pub trait Feed: Send + Sync + 'static {
    /// These commits were made, in LSN order: as durable as their commits asked, and visible
    /// to every new snapshot.
    fn committed(&self, notices: &[CommitNotice]);

    /// All that was committed so far is on the device, and from now on in the log: what of a crash
    /// might take away, [`LogCursor`] doesn't show.
    fn durable(&self);
}

/// What is told at once of a commit in one namespace. Whoever wants the rows reads the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitNotice {
    /// As in [`CommitRecord`].
    pub lsn: Lsn,
    /// The namespace.
    pub namespace: NamespaceId,
    /// Where in the namespace's log its record is.
    pub position: Position,
    /// The relations whose rows it changed, each once.
    pub relations: Vec<RelationId>,
    /// The notifications in the order they were sent.
    pub notifications: Vec<Notification>,
}

/// What one commit changed in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// Its place in the shard's log. Parts of one commit in several namespaces share it.
    pub lsn: Lsn,
    /// The namespace.
    pub namespace: NamespaceId,
    /// Its place among the commits of the namespace.
    pub position: Position,
    /// When, in microseconds from 1970-01-01 UTC, as the committer said.
    pub time_us: i64,
    /// The net changes, by relation and key, truncations of a relation first.
    pub changes: Vec<Change>,
    /// The notifications in the order they were sent.
    pub notifications: Vec<Notification>,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The relation.
    pub relation: RelationId,
    /// The row's key; empty for a truncation.
    pub key: Key,
    /// The row before; None: inserted.
    pub old: Option<RowImage>,
    /// The row after; None: deleted.
    pub new: Option<RowImage>,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A row changed.
    Row,
    /// All rows of the relation from before this commit are gone.
    Truncate,
}

/// A message to the listeners of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: Arc<str>,
    /// The payload; empty if none was given.
    pub payload: Arc<str>,
    /// The session that sent it.
    pub pid: i32,
}

/// Reads the log of one namespace onwards from a position.
#[derive(Clone)]
pub struct LogCursor {
    shard: Arc<Shard>,
    namespace: NamespaceId,
    after: Position,
}

impl LogCursor {
    pub(crate) fn new(shard: Arc<Shard>, namespace: NamespaceId, after: Position) -> LogCursor {
        LogCursor { shard, namespace, after }
    }

    /// The position of the last record returned.
    pub fn position(&self) -> Position {
        self.after
    }

    /// The next durable records, at least one if there is one, then as many as fit in `max_bytes`;
    /// none at the head of the log. What it returned is not returned again.
    ///
    /// Fails with `Invalid` when the next record is trimmed: [`Error::oldest`] says where the log
    /// begins. Fails with `Invalid` also after a position that was never reached.
    pub async fn next(&mut self, max_bytes: usize) -> Result<Vec<Arc<CommitRecord>>> {
        let durable = self.shard.durable_lsn();
        let snapshot = self.shard.snapshot();
        let cutoff = self.shard.log_clock.cutoff();
        let range = HotRange {
            start: key(self.namespace, self.after.next()).to_vec(),
            end: HotRange::prefix(&self.namespace.0.to_be_bytes()).end,
        };
        let limit = ChunkLimit { bytes: max_bytes, ..ChunkLimit::default() };
        let chunk = snapshot.hot().scan(Family::Log, &range, false, limit).await?;
        if chunk.is_empty() {
            return self.check_head(&snapshot).await.map(|()| Vec::new());
        }
        let mut records = Vec::with_capacity(chunk.len());
        for i in 0..chunk.len() {
            let position = position_of(chunk.key(i))?;
            let value = chunk.value_bytes(i);
            let lsn = lsn_of(&value)?;
            if lsn > durable {
                break;
            }
            if position != self.after.next() || lsn < cutoff {
                if records.is_empty() {
                    let oldest = oldest(&self.shard, &snapshot, self.namespace).await?;
                    return Err(Error::trimmed(self.after.next(), oldest));
                }
                break;
            }
            records.push(Arc::new(decode(self.namespace, position, &value)?));
            self.after = position;
        }
        Ok(records)
    }

    async fn check_head(&self, snapshot: &Snapshot) -> Result<()> {
        let head = head(snapshot, self.namespace).await?;
        match self.after.cmp(&head) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(Error::trimmed(self.after.next(), head.next())),
            std::cmp::Ordering::Greater => Err(Error::invalid(format!(
                "position {} is ahead of the log, which ends at {head}",
                self.after
            ))),
        }
    }
}

impl fmt::Debug for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogCursor({} after {})", self.namespace, self.after)
    }
}

impl Namespace {
    /// The position of the last commit a snapshot shows; 0 before the first.
    pub async fn head(&self, at: &Snapshot) -> Result<Position> {
        head(at, self.id()).await
    }

    /// The oldest position still in the log; one more than the head if there is none.
    pub async fn oldest(&self) -> Result<Position> {
        oldest(&self.shard, &self.shard.snapshot(), self.id()).await
    }

    /// Reads the log from the record after this position on.
    pub fn log(&self, after: Position) -> LogCursor {
        LogCursor::new(self.shard.clone(), self.id(), after)
    }
}

/// The key of a record in the log family.
pub(crate) fn key(namespace: NamespaceId, position: Position) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&namespace.0.to_be_bytes());
    key[8..].copy_from_slice(&position.0.to_be_bytes());
    key
}

pub(crate) fn position_of(key: &[u8]) -> Result<Position> {
    let bytes = key.get(8..).and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| Error::corrupt("malformed key in the log"))?;
    Ok(Position(i64::from_be_bytes(bytes)))
}

pub(crate) async fn head(snapshot: &Snapshot, namespace: NamespaceId) -> Result<Position> {
    let stored = snapshot.hot().get(Family::Meta, &crate::meta::position(namespace)).await?;
    stored.map_or(Ok(Position(0)), |bytes| parse_position(&bytes))
}

pub(crate) fn parse_position(bytes: &Bytes) -> Result<Position> {
    let bytes = bytes[..].try_into().map_err(|_| Error::corrupt("malformed position"))?;
    Ok(Position(i64::from_be_bytes(bytes)))
}

/// The first position whose record is not below the cut-off.
///
/// LSNs grow with positions, so a binary search finds it among what compaction has not dropped yet;
/// what is missing was below the cut-off.
async fn oldest(shard: &Shard, snapshot: &Snapshot, namespace: NamespaceId) -> Result<Position> {
    let cutoff = shard.log_clock.cutoff();
    let range = HotRange::prefix(&namespace.0.to_be_bytes());
    let limit = ChunkLimit { rows: 1, bytes: 1 };
    let first = snapshot.hot().scan(Family::Log, &range, false, limit).await?;
    let mut end = head(snapshot, namespace).await?.next();
    if first.is_empty() {
        return Ok(end);
    }
    let mut start = position_of(first.key(0))?;
    while start < end {
        let middle = Position(start.0 + (end.0 - start.0) / 2);
        let record = snapshot.hot().get(Family::Log, &key(namespace, middle)).await?;
        let kept = match record {
            Some(record) => lsn_of(&record)? >= cutoff,
            None => false,
        };
        if kept {
            end = middle;
        } else {
            start = middle.next();
        }
    }
    Ok(end)
}
