//! What a transaction is about to commit: its own rows over everybody's.
//!
//! Changes are folded per key to their net effect: the first old image and the last new image are
//! kept, and what was inserted and deleted again is nothing. Index entries are derived on the way
//! in. What would exceed the largest commit is refused as soon as it does, so that no transaction
//! takes more memory than it could ever commit. Parts are shared between clones and copied when one is written, so that a savepoint, a clone
//! of the set, is cheap as long as nothing large is written after it.

mod map;
mod rows;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::{NamespaceId, RelationId};
use crate::key::{IndexEntry, Key};
use crate::layout::Layout;
use crate::log::Notification;
use crate::namespace::{Namespace, Owner};
use crate::new_rows::NewRows;
use crate::row::RowImage;
use arrow::array::RecordBatch;
pub(crate) use map::SharedMap;
pub(crate) use rows::{RowWrite, RowWrites, Written};

/// Most notifications of one transaction.
pub const MAX_NOTIFICATIONS: usize = 1 << 20;

/// What one transaction (or one statement of it) changes, over any number of namespaces.
#[derive(Clone, Debug, Default)]
pub struct WriteSet {
    namespaces: BTreeMap<NamespaceId, Arc<NamespaceWrites>>,
    bytes: usize,
}

/// What is changed in one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceWrites {
    pub(crate) relations: BTreeMap<RelationId, Arc<RelationWrites>>,
    pub(crate) indexes: BTreeMap<RelationId, Arc<IndexWrites>>,
    pub(crate) sequences: BTreeMap<RelationId, SequenceWrite>,
    pub(crate) notifications: Arc<Notifications>,
}

/// What is changed in one relation.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelationWrites {
    pub(crate) replaced: Option<Replaced>,
    pub(crate) rows: RowWrites,
    /// Whose it is and its newest shape, for the flush policy; None while nothing was written.
    pub(crate) home: Option<(Arc<Owner>, Arc<Layout>)>,
}

/// Why what the relation held before is gone; `rows` come after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Emptied, as a change subscribers see.
    Truncated,
    /// Gone with its sequence state, row ids and segments.
    Dropped,
}

/// What is changed in one index.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexWrites {
    /// Whether all entries from before are gone.
    pub(crate) replaced: bool,
    /// Entries by key: their value (see [`IndexEntry`]), or None where the entry is deleted.
    pub(crate) entries: SharedMap<Option<Bytes>>,
}

/// A sequence's state set as part of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceWrite {
    pub(crate) value: i64,
    pub(crate) is_called: bool,
}

/// Notifications in order, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notifications {
    pub(crate) list: Vec<Notification>,
    seen: HashSet<(Arc<str>, Arc<str>)>,
}

impl WriteSet {
    /// Nothing changed.
    pub fn new() -> WriteSet {
        WriteSet::default()
    }

    /// Inserts a row at a key where there is none.
    ///
    /// Fails with `Full` if the row, its key or an index key is too long.
    pub fn insert(
        &mut self,
        ns: &Namespace,
        layout: &Arc<Layout>,
        key: Key,
        new: RowImage,
    ) -> Result<()> {
        ns.check_row(&key, &new)?;
        self.index_row(ns, layout, &key, None, Some(&new))?;
        self.row(ns, layout, key, None, Some(new));
        ns.check_commit(self.bytes)
    }

    /// Inserts rows at keys where there are none; `batch` is what `rows` was made of.
    ///
    /// Fails as [`WriteSet::insert`]; then some index entries may be there, so the set must be
    /// given up.
    pub fn insert_rows(
        &mut self,
        ns: &Namespace,
        layout: &Arc<Layout>,
        rows: Arc<NewRows>,
        batch: &RecordBatch,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        ns.check_rows(&rows)?;
        for index in &layout.indexes {
            IndexEntry::of_rows(layout, index, &rows, batch, |entry| {
                self.index_entry(ns.id(), index.relation, entry.key, Some(entry.value));
            })?;
        }
        // Two ends, and little more.
        const OVERHEAD: usize = 16;
        self.bytes += rows.bytes() + OVERHEAD * rows.len();
        let writes = self.namespace(ns.id()).relations.entry(layout.relation).or_default();
        let writes = Arc::make_mut(writes);
        writes.rows.insert(rows);
        writes.is_at_home(ns, layout);
        ns.check_commit(self.bytes)
    }

    /// Replaces a row; `old` is its image as this transaction saw it. Fails as [`WriteSet::insert`].
    pub fn update(
        &mut self,
        ns: &Namespace,
        layout: &Arc<Layout>,
        key: Key,
        old: RowImage,
        new: RowImage,
    ) -> Result<()> {
        ns.check_row(&key, &new)?;
        self.index_row(ns, layout, &key, Some(&old), Some(&new))?;
        self.row(ns, layout, key, Some(old), Some(new));
        ns.check_commit(self.bytes)
    }

    /// Deletes a row; `old` is its image as this transaction saw it. Fails as [`WriteSet::insert`].
    pub fn delete(
        &mut self,
        ns: &Namespace,
        layout: &Arc<Layout>,
        key: Key,
        old: RowImage,
    ) -> Result<()> {
        self.index_row(ns, layout, &key, Some(&old), None)?;
        self.row(ns, layout, key, Some(old), None);
        ns.check_commit(self.bytes)
    }

    /// Enters an existing row into one index of its layout: how CREATE INDEX fills the index.
    ///
    /// Fails as [`WriteSet::insert`].
    pub fn fill_index(
        &mut self,
        ns: &Namespace,
        layout: &Layout,
        index: usize,
        key: &Key,
        image: &RowImage,
    ) -> Result<()> {
        let index = layout.index(index)?;
        let entry = IndexEntry::new(layout, index, key, image)?;
        self.index_entry(ns.id(), index.relation, entry.key, Some(entry.value));
        ns.check_commit(self.bytes)
    }

    /// Empties one index of a relation: REINDEX fills it anew.
    pub fn empty_index(&mut self, ns: &Namespace, index: RelationId) {
        self.replace_index(ns.id(), index);
    }

    /// Empties a relation and its indexes.
    pub fn truncate(&mut self, ns: &Namespace, layout: &Layout) {
        let indexes = layout.indexes.iter().map(|index| index.relation);
        self.replace(ns.id(), layout.relation, Replaced::Truncated, indexes);
    }

    /// Removes all of a relation: rows, index entries (of an index: its own), sequence state, row
    /// ids, segments. Indexes of a table are relations of their own and dropped one by one.
    pub fn drop_relation(&mut self, ns: &Namespace, relation: RelationId) {
        self.drop_in(ns.id(), relation);
    }

    /// Notifies a channel when this commits. A channel and payload repeated in the transaction is
    /// sent once, in its first place.
    ///
    /// Fails with `Full` past [`MAX_NOTIFICATIONS`].
    pub fn notify(&mut self, ns: &Namespace, channel: &str, payload: &str, pid: i32) -> Result<()> {
        let notification =
            Notification { channel: Arc::from(channel), payload: Arc::from(payload), pid };
        let added = Arc::make_mut(&mut self.namespace(ns.id()).notifications).add(notification)?;
        self.bytes += added;
        Ok(())
    }

    /// Sets the state of a sequence when this commits: for a sequence made by the same transaction,
    /// and for `TRUNCATE ... RESTART IDENTITY`. `setval` is [`Namespace::sequence_set`], which is
    /// not undone by a rollback.
    pub fn set_sequence(&mut self, ns: &Namespace, seq: RelationId, value: i64, is_called: bool) {
        self.namespace(ns.id()).sequences.insert(seq, SequenceWrite { value, is_called });
        self.bytes += 32;
    }

    /// Folds in what a later statement of the same transaction changed.
    ///
    /// Fails with `Full` past [`MAX_NOTIFICATIONS`].
    pub fn absorb(&mut self, statement: WriteSet) -> Result<()> {
        if self.namespaces.is_empty() {
            *self = statement;
            return Ok(());
        }
        for (ns, writes) in statement.namespaces {
            let writes = Arc::unwrap_or_clone(writes);
            for (relation, index) in writes.indexes {
                let index = Arc::unwrap_or_clone(index);
                if index.replaced {
                    self.replace_index(ns, relation);
                }
                for (key, value) in index.entries.iter() {
                    self.index_entry(ns, relation, key.clone(), value.clone());
                }
            }
            for (relation, changes) in writes.relations {
                let changes = Arc::unwrap_or_clone(changes);
                if let Some(replaced) = changes.replaced {
                    self.replace(ns, relation, replaced, std::iter::empty());
                }
                for written in changes.rows.iter() {
                    let image = |bytes: &[u8]| RowImage::from_bytes(Bytes::copy_from_slice(bytes));
                    let write =
                        RowWrite { old: written.old.map(image), new: written.new.map(image) };
                    let key = Key::from_bytes(Bytes::copy_from_slice(written.key));
                    self.fold(ns, relation, key, write).home.clone_from(&changes.home);
                }
            }
            let target = self.namespace(ns);
            target.sequences.extend(writes.sequences);
            if !writes.notifications.list.is_empty() {
                let mut added = 0;
                let notifications = Arc::make_mut(&mut target.notifications);
                for notification in &writes.notifications.list {
                    added += notifications.add(notification.clone())?;
                }
                self.bytes += added;
            }
        }
        Ok(())
    }

    /// Makes going over it cheap, for the commit, which does it several times.
    pub(crate) fn settle(&mut self) {
        for writes in self.namespaces.values_mut() {
            let writes = Arc::make_mut(writes);
            writes.relations.values_mut().for_each(|held| Arc::make_mut(held).rows.settle());
            writes.indexes.values_mut().for_each(|held| Arc::make_mut(held).entries.settle());
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        !self.changes_data()
            && self.namespaces.values().all(|writes| writes.notifications.list.is_empty())
    }

    /// Whether there is more to commit than notifications.
    pub fn changes_data(&self) -> bool {
        self.namespaces.values().any(|writes| {
            writes.relations.values().any(|r| r.replaced.is_some() || !r.rows.is_empty())
                || writes.indexes.values().any(|i| i.replaced || !i.entries.is_empty())
                || !writes.sequences.is_empty()
        })
    }

    /// About how many bytes it takes in memory and in the log.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of rows changed.
    pub fn change_count(&self) -> usize {
        self.namespaces.values().flat_map(|w| w.relations.values()).map(|r| r.rows.len()).sum()
    }

    /// The notifications to be sent: the namespace, the channel and the payload of each.
    pub fn notifications(&self) -> impl Iterator<Item = (NamespaceId, &str, &str)> {
        self.namespaces.iter().flat_map(|(ns, writes)| {
            let list = writes.notifications.list.iter();
            list.map(|sent| (*ns, &*sent.channel, &*sent.payload))
        })
    }

    /// Whether rows of this relation are changed here.
    pub fn touches(&self, ns: NamespaceId, relation: RelationId) -> bool {
        self.relation(ns, relation).is_some()
    }

    /// Whether this empties a relation.
    pub fn truncates(&self, ns: NamespaceId, relation: RelationId) -> bool {
        self.relation(ns, relation).is_some_and(|writes| writes.replaced.is_some())
    }

    /// Whether this writes a row under `key`, and doesn't delete it again.
    pub fn has_row(&self, ns: NamespaceId, relation: RelationId, key: &Key) -> bool {
        self.relation(ns, relation)
            .is_some_and(|writes| matches!(writes.rows.get(key), Some(Some(_))))
    }

    /// Whether this enters a row into a unique index under [`crate::key::index_key`], and doesn't
    /// take it out again.
    pub fn has_entry(&self, ns: NamespaceId, index: RelationId, key: &[u8]) -> bool {
        self.index(ns, index).is_some_and(|writes| matches!(writes.entries.get(key), Some(Some(_))))
    }

    /// The namespaces that something is written into.
    pub fn namespace_ids(&self) -> impl Iterator<Item = NamespaceId> + '_ {
        self.namespaces.keys().copied()
    }

    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (NamespaceId, &NamespaceWrites)> {
        self.namespaces.iter().map(|(ns, writes)| (*ns, &**writes))
    }

    pub(crate) fn relation(
        &self,
        ns: NamespaceId,
        relation: RelationId,
    ) -> Option<&RelationWrites> {
        self.namespaces.get(&ns)?.relations.get(&relation).map(|writes| &**writes)
    }

    pub(crate) fn index(&self, ns: NamespaceId, index: RelationId) -> Option<&IndexWrites> {
        self.namespaces.get(&ns)?.indexes.get(&index).map(|writes| &**writes)
    }

    pub(crate) fn drop_in(&mut self, ns: NamespaceId, relation: RelationId) {
        self.replace(ns, relation, Replaced::Dropped, std::iter::once(relation));
        self.namespace(ns).sequences.remove(&relation);
    }

    fn namespace(&mut self, ns: NamespaceId) -> &mut NamespaceWrites {
        Arc::make_mut(self.namespaces.entry(ns).or_default())
    }

    fn replace(
        &mut self,
        ns: NamespaceId,
        relation: RelationId,
        replaced: Replaced,
        indexes: impl Iterator<Item = RelationId>,
    ) {
        let target = self.namespace(ns);
        let was = target.relations.get(&relation).and_then(|writes| writes.replaced);
        let replaced = was.filter(|was| *was == Replaced::Dropped).unwrap_or(replaced);
        let writes = RelationWrites { replaced: Some(replaced), ..RelationWrites::default() };
        target.relations.insert(relation, Arc::new(writes));
        for index in indexes {
            self.replace_index(ns, index);
        }
    }

    fn replace_index(&mut self, ns: NamespaceId, index: RelationId) {
        let writes = IndexWrites { replaced: true, entries: SharedMap::default() };
        self.namespace(ns).indexes.insert(index, Arc::new(writes));
    }

    fn row(
        &mut self,
        ns: &Namespace,
        layout: &Arc<Layout>,
        key: Key,
        old: Option<RowImage>,
        new: Option<RowImage>,
    ) {
        self.fold(ns.id(), layout.relation, key, RowWrite { old, new }).is_at_home(ns, layout);
    }

    fn fold(
        &mut self,
        ns: NamespaceId,
        relation: RelationId,
        key: Key,
        write: RowWrite,
    ) -> &mut RelationWrites {
        const OVERHEAD: usize = 64;
        let size = |image: &Option<RowImage>| image.as_ref().map_or(0, |image| image.len());
        self.bytes += OVERHEAD + key.len() + size(&write.old) + size(&write.new);
        let writes = self.namespace(ns).relations.entry(relation).or_default();
        let writes = Arc::make_mut(writes);
        writes.rows.put(key, write);
        writes
    }

    fn index_row(
        &mut self,
        ns: &Namespace,
        layout: &Layout,
        key: &Key,
        old: Option<&RowImage>,
        new: Option<&RowImage>,
    ) -> Result<()> {
        for index in &layout.indexes {
            let entry = |image| IndexEntry::new(layout, index, key, image);
            let old = old.map(entry).transpose()?;
            let new = new.map(entry).transpose()?;
            if old == new {
                continue;
            }
            if let Some(old) = old {
                self.leave_index(ns.id(), index.relation, old);
            }
            if let Some(new) = new {
                self.index_entry(ns.id(), index.relation, new.key, Some(new.value));
            }
        }
        Ok(())
    }

    /// Deletes an entry, unless another row has taken its place in this very set.
    fn leave_index(&mut self, ns: NamespaceId, index: RelationId, entry: IndexEntry) {
        let held = self.index(ns, index).and_then(|writes| writes.entries.get(&entry.key));
        match held {
            Some(Some(value)) if *value != entry.value => {}
            _ => self.index_entry(ns, index, entry.key, None),
        }
    }

    fn index_entry(
        &mut self,
        ns: NamespaceId,
        index: RelationId,
        key: Bytes,
        value: Option<Bytes>,
    ) {
        const OVERHEAD: usize = 64;
        self.bytes += OVERHEAD + key.len() + value.as_ref().map_or(0, Bytes::len);
        let writes = self.namespace(ns).indexes.entry(index).or_default();
        Arc::make_mut(writes).entries.insert(key, value);
    }
}

impl RelationWrites {
    fn is_at_home(&mut self, ns: &Namespace, layout: &Arc<Layout>) {
        if self.home.as_ref().is_none_or(|(_, known)| !Arc::ptr_eq(known, layout)) {
            self.home = Some((ns.shared_owner().clone(), layout.clone()));
        }
    }
}

impl Notifications {
    /// Adds one not yet there; returns the bytes it takes.
    fn add(&mut self, notification: Notification) -> Result<usize> {
        let Notification { channel, payload, .. } = &notification;
        if !self.seen.insert((channel.clone(), payload.clone())) {
            return Ok(0);
        }
        if self.list.len() >= MAX_NOTIFICATIONS {
            return Err(Error::full(format!(
                "a transaction sends at most {MAX_NOTIFICATIONS} notifications"
            )));
        }
        let bytes = 64 + channel.len() + payload.len();
        self.list.push(notification);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
