//! One group's batch: what is put into it for each piece of work.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::commit::flushes::put_meta;
use crate::commit::leader::{Leader, nothing};
use crate::commit::{Answer, Commit, Committed, Work};
use crate::error::{Error, Result};
use crate::hot::{Batch, Family, HotRange};
use crate::id::{NamespaceId, Position, RelationId};
use crate::key::prefix;
use crate::log::{self, Body, ChangeKind, ChangeRef, CommitNotice};
use crate::meta;
use crate::row::StoredRow;
use crate::sequence::{Effect, state_bytes};
use crate::snapshot::Snapshot;
use crate::store::Shard;
use crate::write_set::{NamespaceWrites, RelationWrites, Replaced, WriteSet, Written};

pub(super) struct Group<'a> {
    shard: &'a Arc<Shard>,
    snapshot: &'a Snapshot,
    batch: &'a mut Batch,
    pub(super) effects: Vec<Effect>,
    pub(super) notices: Vec<CommitNotice>,
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
        let (effects, notices) = (Vec::new(), Vec::new());
        Group { shard, snapshot, batch, effects, notices, sync: false, syncs_alone: false }
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
        self.make_room(&commit.writes);
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
            let body =
                Body { lsn, time_us: commit.time_us, notifications: &writes.notifications.list };
            if let Some(position) = self.put_record(leader, namespace, &body, writes) {
                positions.push((namespace, position));
            }
        }
        Ok(Answer::Committed(Committed { lsn, positions }))
    }

    /// Manifests of relations that lose rows here: only for those the cold tier matters to a commit.
    async fn manifests(&self, writes: &WriteSet) -> Result<Manifests> {
        let mut manifests = Manifests::new();
        for (namespace, writes) in writes.namespaces() {
            for (relation, changes) in &writes.relations {
                let deletes = || changes.rows.iter().any(|row| row.new.is_none());
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
            leader.flushes.touch(namespace, relation, changes.rows.iter().map(|row| row.key));
        }
        // A row that the cold tier has, or is just getting, stays deleted by a tombstone.
        let cold = changes.replaced.is_none()
            && (manifest.is_some() || leader.flushes.runs(namespace, relation));
        let (header, deleted) = (StoredRow::header(lsn, false), StoredRow::header(lsn, true));
        for row in changes.rows.iter() {
            match row.new {
                Some(image) => {
                    self.batch.put(Family::Rows, &[&prefix, row.key], &[&header, image]);
                }
                None if cold => self.batch.put(Family::Rows, &[&prefix, row.key], &[&deleted]),
                None => self.batch.delete(Family::Rows, &[&prefix, row.key]),
            }
        }
    }

    fn put_indexes(&mut self, namespace: NamespaceId, writes: &NamespaceWrites) {
        for (index, changes) in &writes.indexes {
            let prefix = prefix(namespace, *index);
            if changes.replaced {
                self.batch.delete_range(Family::Index, &HotRange::prefix(&prefix));
            }
            for (key, value) in changes.entries.iter() {
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

    /// A large commit's bytes would otherwise be copied each time the batch grows.
    fn make_room(&mut self, writes: &WriteSet) {
        const SMALL: usize = 64 << 10;
        // Each change goes into its family and into the record.
        if writes.bytes() > SMALL {
            self.batch.reserve(writes.change_count(), 2 * writes.bytes());
        }
    }

    /// Puts the record of a commit in one namespace, unless it would be empty.
    fn put_record(
        &mut self,
        leader: &mut Leader,
        namespace: NamespaceId,
        body: &Body<'_>,
        writes: &NamespaceWrites,
    ) -> Option<Position> {
        let (count, relations) = changed(writes);
        let notifications = body.notifications.to_vec();
        if count == 0 && notifications.is_empty() {
            return None;
        }
        let position = leader.positions.entry(namespace).or_default();
        *position = position.next();
        let position = *position;
        let before = self.batch.bytes();
        let write = |out: &mut Vec<u8>| body.write(count, changes(writes), out);
        self.batch.put_with(Family::Log, &[&log::key(namespace, position)], write);
        self.shard.log_clock.wrote((self.batch.bytes() - before) as u64);
        let value = position.0.to_be_bytes();
        self.batch.put(Family::Meta, &[&meta::position(namespace)], &[&value]);
        let lsn = body.lsn;
        self.notices.push(CommitNotice { lsn, namespace, position, relations, notifications });
        Some(position)
    }
}

/// How many changes a record holds, and of which relations.
fn changed(writes: &NamespaceWrites) -> (usize, Vec<RelationId>) {
    let mut count = 0;
    let mut relations = Vec::with_capacity(writes.relations.len());
    for (relation, held) in &writes.relations {
        let own = usize::from(is_truncated(held)) + held.rows.len();
        if own > 0 {
            relations.push(*relation);
        }
        count += own;
    }
    (count, relations)
}

fn is_truncated(writes: &RelationWrites) -> bool {
    writes.replaced == Some(Replaced::Truncated)
}

/// The changes of a record, by relation and key, a truncation of a relation first.
fn changes(writes: &NamespaceWrites) -> impl Iterator<Item = ChangeRef<'_>> {
    writes.relations.iter().flat_map(|(&relation, held)| {
        let nothing = Written { key: &[], old: None, new: None };
        let truncation = is_truncated(held).then_some((ChangeKind::Truncate, nothing));
        let rows = held.rows.iter().map(|row| (ChangeKind::Row, row));
        let all = truncation.into_iter().chain(rows);
        all.map(move |(kind, row)| ChangeRef { relation, kind, row })
    })
}
