//! One group's batch: what is put into it for each piece of work.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::commit::flushes::put_meta;
use crate::commit::leader::{Leader, nothing};
use crate::commit::{Answer, Commit, Committed, Work};
use crate::error::{Error, Result};
use crate::hot::{Batch, Family, HotRange};
use crate::id::{Lsn, NamespaceId, RelationId};
use crate::key::{Key, prefix};
use crate::log::{self, Change, ChangeKind, CommitRecord};
use crate::meta;
use crate::row::StoredRow;
use crate::sequence::{Effect, state_bytes};
use crate::snapshot::Snapshot;
use crate::store::Shard;
use crate::write_set::{NamespaceWrites, RelationWrites, Replaced, WriteSet};

pub(super) struct Group<'a> {
    shard: &'a Arc<Shard>,
    snapshot: &'a Snapshot,
    batch: &'a mut Batch,
    pub(super) effects: Vec<Effect>,
    pub(super) records: Vec<Arc<CommitRecord>>,
    pub(super) sync: bool,
    /// Somebody waits for the device though he changes nothing.
    pub(super) syncs_alone: bool,
}

/// The manifests that a write set's deletes, truncations and drops concern.
type Manifests = BTreeMap<(NamespaceId, RelationId), Bytes>;

impl<'a> Group<'a> {
    pub(super) fn new(
        shard: &'a Arc<Shard>,
        snapshot: &'a Snapshot,
        batch: &'a mut Batch,
    ) -> Group<'a> {
        let (effects, records) = (Vec::new(), Vec::new());
        Group { shard, snapshot, batch, effects, records, sync: false, syncs_alone: false }
    }

    /// Adds a piece of work. Its answer holds once the batch is written. When it fails, nothing of
    /// it is in the batch.
    pub(super) async fn add(&mut self, leader: &mut Leader, work: Work) -> Result<Answer> {
        match work {
            Work::Commit(commit) => self.add_commit(leader, &commit).await,
            Work::Reserve(reserve) => {
                let effect = self
                    .shard
                    .counters
                    .reserve(&reserve, &self.effects, self.snapshot.hot())
                    .await?;
                if let Some(effect) = effect {
                    if let Some((key, value)) = effect.stored() {
                        self.batch.put(Family::Meta, &[&key], &[&value]);
                    }
                    self.effects.push(effect);
                }
                Ok(Answer::Done)
            }
            Work::SetSequence { namespace, sequence, state } => {
                self.set_sequence(namespace, sequence, state);
                Ok(Answer::Done)
            }
            Work::Meta { changes, sync } => {
                changes.iter().for_each(|change| put_meta(change, self.batch));
                self.sync |= sync;
                Ok(Answer::Done)
            }
            Work::Sync => {
                self.sync = true;
                self.syncs_alone = true;
                Ok(Answer::Done)
            }
            Work::BeginFlush { .. } | Work::FinishFlush { .. } | Work::DropNamespace { .. } => {
                Err(Error::unknown("work for a group of its own"))
            }
        }
    }

    async fn add_commit(&mut self, leader: &mut Leader, commit: &Commit) -> Result<Answer> {
        self.sync |= commit.sync;
        if commit.writes.is_empty() {
            return Ok(nothing(leader.lsn));
        }
        // All reads come first: past them nothing can fail, so a commit is in the batch or isn't.
        let manifests = self.manifests(&commit.writes).await?;
        for (namespace, _) in commit.writes.namespaces() {
            leader.position(self.snapshot, namespace).await?;
        }
        leader.lsn = leader.lsn.next();
        let lsn = leader.lsn;
        let mut positions = Vec::with_capacity(1);
        for (namespace, writes) in commit.writes.namespaces() {
            for (relation, changes) in &writes.relations {
                let manifest = manifests.get(&(namespace, *relation));
                self.put_relation(leader, namespace, *relation, changes, manifest);
            }
            self.put_indexes(namespace, writes);
            for (sequence, state) in &writes.sequences {
                self.set_sequence(namespace, *sequence, *state);
            }
            let record = record(lsn, namespace, commit.time_us, writes);
            if let Some(record) = record {
                positions.push((namespace, self.put_record(leader, record)));
            }
        }
        Ok(Answer::Committed(Committed { lsn, positions }))
    }

    /// Manifests of relations that lose rows here: only for those the cold tier matters to a commit.
    async fn manifests(&self, writes: &WriteSet) -> Result<Manifests> {
        let mut manifests = Manifests::new();
        for (namespace, writes) in writes.namespaces() {
            for (relation, changes) in &writes.relations {
                let deletes = || changes.rows.values().any(|row| row.new.is_none());
                if changes.replaced.is_none() && !deletes() {
                    continue;
                }
                let key = meta::manifest(namespace, *relation);
                if let Some(pointer) = self.snapshot.hot().get(Family::Meta, &key).await? {
                    manifests.insert((namespace, *relation), pointer);
                }
            }
        }
        Ok(manifests)
    }

    fn put_relation(
        &mut self,
        leader: &mut Leader,
        namespace: NamespaceId,
        relation: RelationId,
        changes: &RelationWrites,
        manifest: Option<&Bytes>,
    ) {
        let lsn = leader.lsn;
        let prefix = prefix(namespace, relation);
        let held = self.shard.uses.note(namespace, relation, changes);
        if changes.replaced.is_some() {
            self.shard.cold.pressure.replaced(namespace, relation);
        }
        if let Some((owner, layout)) = &changes.home {
            self.shard.cold.pressure.consider(namespace, (owner, layout), held);
        }
        if let Some(replaced) = changes.replaced {
            leader.flushes.overtake(namespace, relation);
            self.batch.delete_range(Family::Rows, &HotRange::prefix(&prefix));
            if let Some(pointer) = manifest {
                let garbage = meta::garbage(lsn, namespace, relation);
                self.batch.put(Family::Meta, &[&garbage], &[pointer]);
                self.batch.delete(Family::Meta, &[&meta::manifest(namespace, relation)]);
            }
            if replaced == Replaced::Dropped {
                self.batch.delete(Family::Meta, &[&meta::sequence(namespace, relation)]);
                self.batch.delete(Family::Meta, &[&meta::row_id(namespace, relation)]);
                self.effects.push(Effect::Forget { namespace, relation });
            }
        } else if !leader.flushes.is_empty() {
            leader.flushes.touch(namespace, relation, changes.rows.keys());
        }
        // A row that the cold tier has, or is just getting, stays deleted by a tombstone.
        let cold = changes.replaced.is_none()
            && (manifest.is_some() || leader.flushes.runs(namespace, relation));
        for (key, row) in &changes.rows {
            match &row.new {
                Some(image) => {
                    let header = StoredRow::header(lsn, false);
                    self.batch.put(Family::Rows, &[&prefix, key], &[&header, image]);
                }
                None if cold => {
                    let header = StoredRow::header(lsn, true);
                    self.batch.put(Family::Rows, &[&prefix, key], &[&header]);
                }
                None => self.batch.delete(Family::Rows, &[&prefix, key]),
            }
        }
    }

    fn put_indexes(&mut self, namespace: NamespaceId, writes: &NamespaceWrites) {
        for (index, changes) in &writes.indexes {
            let prefix = prefix(namespace, *index);
            if changes.replaced {
                self.batch.delete_range(Family::Index, &HotRange::prefix(&prefix));
            }
            for (key, value) in &changes.entries {
                match value {
                    Some(value) => self.batch.put(Family::Index, &[&prefix, key], &[value]),
                    None => self.batch.delete(Family::Index, &[&prefix, key]),
                }
            }
        }
    }

    fn set_sequence(
        &mut self,
        namespace: NamespaceId,
        relation: RelationId,
        state: crate::write_set::SequenceWrite,
    ) {
        let key = meta::sequence(namespace, relation);
        self.batch.put(Family::Meta, &[&key], &[&state_bytes(state)]);
        self.effects.push(Effect::Set { namespace, relation, state });
    }

    fn put_record(&mut self, leader: &mut Leader, mut record: CommitRecord) -> crate::id::Position {
        let position = leader.positions.entry(record.namespace).or_default();
        *position = position.next();
        record.position = *position;
        let key = log::key(record.namespace, record.position);
        let before = self.batch.bytes();
        self.batch.put_with(Family::Log, &[&key], |out| log::write(&record, out));
        self.shard.log_clock.wrote((self.batch.bytes() - before) as u64);
        let value = record.position.0.to_be_bytes();
        self.batch.put(Family::Meta, &[&meta::position(record.namespace)], &[&value]);
        let position = record.position;
        self.records.push(Arc::new(record));
        position
    }
}

/// The record of a commit in one namespace, its position still open; None if it would be empty.
fn record(
    lsn: Lsn,
    namespace: NamespaceId,
    time_us: i64,
    writes: &NamespaceWrites,
) -> Option<CommitRecord> {
    let count = writes.relations.values().map(|r| r.rows.len() + 1).sum();
    let mut changes = Vec::with_capacity(count);
    for (&relation, held) in &writes.relations {
        if held.replaced == Some(Replaced::Truncated) {
            let key = Key::from_bytes(Bytes::new());
            let kind = ChangeKind::Truncate;
            changes.push(Change { relation, key, old: None, new: None, kind });
        }
        changes.extend(held.rows.iter().map(|(key, row)| Change {
            relation,
            key: key.clone(),
            old: row.old.clone(),
            new: row.new.clone(),
            kind: ChangeKind::Row,
        }));
    }
    let notifications = writes.notifications.list.clone();
    if changes.is_empty() && notifications.is_empty() {
        return None;
    }
    let position = crate::id::Position(0);
    Some(CommitRecord { lsn, namespace, position, time_us, changes, notifications })
}
