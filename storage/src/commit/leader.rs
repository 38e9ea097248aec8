//! What the leader knows, and the way of a group through its hands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::commit::flushes::{Flushes, put_meta};
use crate::commit::group::Group;
use crate::commit::{Answer, Committed, MetaChange, Trim, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::hot::{Batch, Family, HotRange};
use crate::id::{Lsn, NamespaceId, Position, RelationId};
use crate::log;
use crate::meta;
use crate::snapshot::Snapshot;
use crate::store::Shard;

/// Most namespaces whose position is remembered rather than read.
const MAX_POSITIONS: usize = 1 << 16;

/// What the leader alone knows.
#[derive(Debug)]
pub(crate) struct Leader {
    /// The last LSN given out.
    pub(super) lsn: Lsn,
    /// The last position of some namespaces.
    pub(super) positions: HashMap<NamespaceId, Position>,
    pub(super) flushes: Flushes,
    /// Kept for its memory.
    batch: Batch,
    in_flight: bool,
    /// How much work the last group was that was synced, and how long its sync took.
    last_group: usize,
    last_sync: Duration,
}

impl Leader {
    /// Knows nothing but the last LSN.
    pub(crate) fn new(lsn: Lsn) -> Leader {
        Leader {
            lsn,
            positions: HashMap::new(),
            flushes: Flushes::default(),
            batch: Batch::default(),
            in_flight: false,
            last_group: 0,
            last_sync: Duration::ZERO,
        }
    }

    pub(super) fn last_group(&self) -> usize {
        self.last_group
    }

    pub(super) fn last_sync(&self) -> Duration {
        self.last_sync
    }

    /// Whether a batch was begun and not ended.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    pub(super) fn forget_flushes(&mut self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.flushes.forget(&ids);
        }
    }

    /// Does the work of a group. One answer for each piece, in order.
    pub(super) async fn lead(
        &mut self,
        shard: &Arc<Shard>,
        works: Vec<Work>,
    ) -> Vec<Result<Answer>> {
        let count = works.len();
        if let Some(error) = shard.committer.closed() {
            return (0..count).map(|_| Err(error.clone())).collect();
        }
        if self.positions.len() > MAX_POSITIONS {
            self.positions.clear();
        }
        self.in_flight = true;
        let answers = match self.lead_alone(shard, &works).await {
            Some(answer) => Ok(vec![answer]),
            None => self.lead_group(shard, works).await,
        };
        self.in_flight = false;
        match answers {
            Ok(answers) => answers,
            Err(error) => {
                tracing::error!(%error, "commit failed, the store accepts nothing more");
                let closed = Error::new(
                    ErrorKind::Unavailable,
                    format!("the store is closed after a failed commit: {error}"),
                );
                shard.committer.close(closed);
                (0..count).map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Commits and changes to the books. An error here is the device's and means the whole group.
    async fn lead_group(
        &mut self,
        shard: &Arc<Shard>,
        works: Vec<Work>,
    ) -> Result<Vec<Result<Answer>>> {
        let snapshot = shard.snapshot();
        let before = self.lsn;
        let mut batch = std::mem::take(&mut self.batch);
        let mut group = Group::new(shard, &snapshot, &mut batch);
        let count = works.len();
        let mut answers = Vec::with_capacity(count);
        for work in works {
            answers.push(group.add(self, work).await);
        }
        let Group { effects, notices, sync, syncs_alone, .. } = group;
        if !batch.is_empty() {
            if self.lsn > before {
                batch.put(Family::Meta, &[meta::LAST_LSN], &[&self.lsn.0.to_be_bytes()]);
            }
            let begun = Instant::now();
            self.write(shard, &batch, sync).await?;
            if sync {
                (self.last_group, self.last_sync) = (count, begun.elapsed());
            }
            for effect in effects {
                shard.counters.apply(effect);
            }
            self.publish(shard, sync);
            if !notices.is_empty() {
                failpoint("commit::before_feed")?;
                shard.feed.committed(&notices);
            }
            if sync {
                shard.feed.durable();
            }
        } else if sync && (syncs_alone || shard.durable_lsn() < self.lsn) {
            // An empty commit that asks for a sync still says "all before me is durable".
            shard.hot.sync().await?;
            shard.durable.fetch_max(self.lsn.0, Ordering::AcqRel);
            shard.feed.durable();
        }
        batch.clear();
        self.batch = batch;
        Ok(answers)
    }

    /// What changes what commits must know. None if `works` is not of that kind.
    async fn lead_alone(&mut self, shard: &Arc<Shard>, works: &[Work]) -> Option<Result<Answer>> {
        match works {
            [Work::BeginFlush { namespace, relation }] => {
                let begun = self.flushes.begin(*namespace, *relation);
                Some(begun.map(|id| Answer::Flush(id, shard.snapshot())))
            }
            [Work::FinishFlush { id, changes, trim }] => {
                Some(self.finish_flush(shard, *id, changes, trim).await)
            }
            [Work::DropNamespace { namespace, directory }] => {
                Some(self.drop_namespace(shard, *namespace, directory).await)
            }
            _ => None,
        }
    }

    async fn finish_flush(
        &mut self,
        shard: &Arc<Shard>,
        id: u64,
        changes: &[MetaChange],
        trim: &Trim,
    ) -> Result<Answer> {
        let mut batch = Batch::default();
        self.flushes.finish(id, changes, trim, &mut batch)?;
        failpoint("flush::before_batch")?;
        self.write_or_close(shard, &batch).await?;
        failpoint("flush::after_batch")?;
        self.flushes.forget(&[id]);
        Ok(Answer::Flush(id, self.publish(shard, true)))
    }

    async fn drop_namespace(
        &mut self,
        shard: &Arc<Shard>,
        namespace: NamespaceId,
        directory: &str,
    ) -> Result<Answer> {
        let mut batch = Batch::default();
        let prefix = namespace.0.to_be_bytes();
        for family in [Family::Rows, Family::Index, Family::Log] {
            batch.delete_range(family, &HotRange::prefix(&prefix));
        }
        // Sequences, row ids and manifests of all its relations.
        for any in [meta::sequence, meta::row_id, meta::manifest] {
            let key = any(namespace, RelationId(0));
            batch.delete_range(Family::Meta, &HotRange::prefix(&key[..9]));
        }
        batch.delete(Family::Meta, &[&meta::position(namespace)]);
        let change = MetaChange {
            key: bytes::Bytes::copy_from_slice(&meta::dropped(namespace)),
            value: Some(bytes::Bytes::copy_from_slice(directory.as_bytes())),
        };
        put_meta(&change, &mut batch);
        self.write_or_close(shard, &batch).await?;
        self.flushes.overtake_namespace(namespace);
        self.positions.remove(&namespace);
        shard.counters.forget_namespace(namespace);
        self.publish(shard, true);
        Ok(Answer::Done)
    }

    async fn write_or_close(&mut self, shard: &Arc<Shard>, batch: &Batch) -> Result<()> {
        let written = self.write(shard, batch, true).await;
        if let Err(error) = &written {
            shard.committer.close(Error::unavailable(format!(
                "the store is closed after a failed write: {error}"
            )));
        }
        written
    }

    async fn write(&mut self, shard: &Arc<Shard>, batch: &Batch, sync: bool) -> Result<()> {
        failpoint("commit::before_write")?;
        shard.hot.commit(batch, sync).await?;
        failpoint("commit::after_write")
    }

    fn publish(&mut self, shard: &Arc<Shard>, sync: bool) -> Snapshot {
        if sync {
            shard.durable.fetch_max(self.lsn.0, Ordering::AcqRel);
        }
        shard.snapshots.publish(self.lsn, shard.hot.snapshot())
    }

    /// The last position of a namespace.
    pub(super) async fn position(
        &mut self,
        snapshot: &Snapshot,
        namespace: NamespaceId,
    ) -> Result<Position> {
        if let Some(position) = self.positions.get(&namespace) {
            return Ok(*position);
        }
        let position = log::head(snapshot, namespace).await?;
        self.positions.insert(namespace, position);
        Ok(position)
    }
}

/// The answer to a commit without changes.
pub(super) fn nothing(lsn: Lsn) -> Answer {
    Answer::Committed(Committed { lsn, positions: Vec::new() })
}

/// A place where tests make a commit fail or the process die (feature `failpoints`).
pub(crate) fn failpoint(name: &'static str) -> Result<()> {
    // Without the feature the macro is empty.
    let _ = name;
    fail::fail_point!(name, |_| Err(Error::unavailable(format!("failpoint {name}"))));
    Ok(())
}
