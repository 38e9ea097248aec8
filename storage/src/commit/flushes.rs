//! What commits and flushes owe each other.
//!
//! A flush reads a snapshot and later trims what it read. What was written between must stay, so
//! while a flush of a relation runs, commits note the keys they touch in it, and the batch that
//! ends the flush leaves those alone. Whatever makes the flush's work worthless (a truncation, a
//! drop, more keys than can be noted) overtakes it: it then ends with `Conflict`, changing nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::commit::{Answer, MetaChange, Work};
use crate::error::{Error, Result};
use crate::hot::{Batch, Family};
use crate::id::{NamespaceId, RelationId};
use crate::key::{Key, KeyRange, absolute};
use crate::snapshot::Snapshot;
use crate::store::Shard;

/// Bytes of keys noted for one flush.
const MAX_NOTED_BYTES: usize = 64 << 20;

/// A running flush or compaction of one relation. Dropped, it is given up.
#[derive(Debug)]
pub(crate) struct FlushMark {
    shard: Arc<Shard>,
    id: u64,
    /// Taken after commits began to note: what it doesn't show is noted.
    pub(crate) snapshot: Snapshot,
}

/// Hot rows to remove, except those touched since the flush began.
#[derive(Clone, Debug)]
pub(crate) enum Trim {
    /// None.
    Nothing,
    /// All keys of the range.
    Range(KeyRange),
}

impl Shard {
    /// Begins a flush or compaction.
    ///
    /// Fails with `Conflict` if one of the same relation runs already.
    pub(crate) async fn begin_flush(
        self: &Arc<Self>,
        namespace: NamespaceId,
        relation: RelationId,
    ) -> Result<FlushMark> {
        match self.submit(Work::BeginFlush { namespace, relation }).await? {
            Answer::Flush(id, snapshot) => Ok(FlushMark { shard: self.clone(), id, snapshot }),
            Answer::Committed(_) | Answer::Done => Err(Error::unknown("not a flush")),
        }
    }
}

impl FlushMark {
    /// Ends the flush: one synced batch of changes to the books and the trim. Returns the first
    /// snapshot that shows it.
    ///
    /// Fails with `Conflict` if the flush was overtaken.
    pub(crate) async fn finish(self, changes: Vec<MetaChange>, trim: Trim) -> Result<Snapshot> {
        match self.shard.submit(Work::FinishFlush { id: self.id, changes, trim }).await? {
            Answer::Flush(_, snapshot) => Ok(snapshot),
            Answer::Committed(_) | Answer::Done => Err(Error::unknown("not a flush")),
        }
    }
}

impl Drop for FlushMark {
    fn drop(&mut self) {
        self.shard.committer.abandon(self.id);
    }
}

/// The flushes that run, as the leader knows them.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    running: HashMap<(NamespaceId, RelationId), Noted>,
    last_id: u64,
}

#[derive(Debug)]
struct Noted {
    id: u64,
    touched: BTreeSet<Key>,
    bytes: usize,
    overtaken: bool,
}

impl Flushes {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn begin(&mut self, namespace: NamespaceId, relation: RelationId) -> Result<u64> {
        let place = (namespace, relation);
        if self.running.contains_key(&place) {
            return Err(Error::conflict(format!("relation {relation} is being flushed already")));
        }
        self.last_id += 1;
        let id = self.last_id;
        let noted = Noted { id, touched: BTreeSet::new(), bytes: 0, overtaken: false };
        self.running.insert(place, noted);
        Ok(id)
    }

    pub(super) fn forget(&mut self, ids: &[u64]) {
        self.running.retain(|_, noted| !ids.contains(&noted.id));
    }

    /// Whether a flush of the relation runs that may still end well.
    pub(super) fn runs(&self, namespace: NamespaceId, relation: RelationId) -> bool {
        self.running.get(&(namespace, relation)).is_some_and(|noted| !noted.overtaken)
    }

    pub(super) fn touch<'a>(
        &mut self,
        namespace: NamespaceId,
        relation: RelationId,
        keys: impl Iterator<Item = &'a [u8]>,
    ) {
        let Some(noted) = self.running.get_mut(&(namespace, relation)) else { return };
        for key in keys {
            if noted.overtaken {
                return;
            }
            noted.bytes += key.len() + 64;
            noted.touched.insert(Key::from_bytes(Bytes::copy_from_slice(key)));
            noted.overtaken = noted.bytes > MAX_NOTED_BYTES;
        }
    }

    pub(super) fn overtake(&mut self, namespace: NamespaceId, relation: RelationId) {
        if let Some(noted) = self.running.get_mut(&(namespace, relation)) {
            noted.overtaken = true;
        }
    }

    pub(super) fn overtake_namespace(&mut self, namespace: NamespaceId) {
        let of_it = self.running.iter_mut().filter(|((owner, _), _)| *owner == namespace);
        of_it.for_each(|(_, noted)| noted.overtaken = true);
    }

    /// Puts the end of a flush into a batch, unless it was overtaken.
    pub(super) fn finish(
        &self,
        id: u64,
        changes: &[MetaChange],
        trim: &Trim,
        batch: &mut Batch,
    ) -> Result<()> {
        let found = self.running.iter().find(|(_, noted)| noted.id == id);
        let Some((&(namespace, relation), noted)) = found else {
            return Err(Error::conflict("the flush is not running"));
        };
        if noted.overtaken {
            return Err(Error::conflict(format!("the flush of {relation} was overtaken")));
        }
        for change in changes {
            put_meta(change, batch);
        }
        match trim {
            Trim::Nothing => {}
            Trim::Range(range) => {
                let mut rest = range.absolute(namespace, relation);
                for key in noted.touched.iter().filter(|key| range.contains(key)) {
                    let key = absolute(namespace, relation, key);
                    let mut before = rest.clone();
                    before.end.clone_from(&key);
                    batch.delete_range(Family::Rows, &before);
                    rest.after(&key, false);
                }
                batch.delete_range(Family::Rows, &rest);
            }
        }
        Ok(())
    }
}

pub(super) fn put_meta(change: &MetaChange, batch: &mut Batch) {
    match &change.value {
        Some(value) => batch.put(Family::Meta, &[&change.key], &[value]),
        None => batch.delete(Family::Meta, &[&change.key]),
    }
}
