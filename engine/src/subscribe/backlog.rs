//! What was read from the log and not yet sent, cut into what a query can be asked about.

use std::{collections::VecDeque, sync::Arc};

use kalamdb_storage::{Change, ChangeKind, CommitRecord, Lsn, Position, RelationId, RowImage};

/// Changes evaluated at once, hence about the most rows of a batch.
const MAX_CHANGES: usize = 1000;

/// Commit records in order. A large one is taken in several stretches.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    records: VecDeque<Arc<CommitRecord>>,
    /// Of the first record the changes from here on are still to be taken.
    offset: usize,
}

/// Some changes of one table.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) events: Vec<Event>,
    /// The images that the events speak of.
    pub(super) olds: Vec<RowImage>,
    pub(super) news: Vec<RowImage>,
}

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A row changed; its images are at these places.
    Row { position: Position, old: Option<usize>, new: Option<usize> },
    /// All rows from before are gone.
    Truncate(Position),
    /// The end of a commit, of this table's changes or of others' only.
    End(Position),
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether some changes of a commit were taken and others not.
    pub(super) fn is_partial(&self) -> bool {
        self.offset > 0
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.offset = 0;
    }

    pub(super) fn extend(&mut self, records: Vec<Arc<CommitRecord>>) {
        self.records.extend(records);
    }

    /// Whether a row of `relation` waits that was logged up to `lsn`.
    pub(super) fn has_rows_up_to(&self, lsn: Lsn, relation: RelationId) -> bool {
        let is_row =
            |change: &Change| change.relation == relation && change.kind == ChangeKind::Row;
        let old = self.records.iter().take_while(|record| record.lsn <= lsn);
        old.flat_map(|record| &record.changes).any(is_row)
    }

    /// Takes about [`MAX_CHANGES`] changes of `relation`, none beyond `up_to`.
    pub(super) fn take(&mut self, relation: RelationId, up_to: Option<Position>) -> Stretch {
        let mut stretch = Stretch::default();
        let mut taken = 0;
        while let Some(record) = self.records.front() {
            let position = record.position;
            if up_to.is_some_and(|up_to| position > up_to) {
                self.clear();
                break;
            }
            let is_own = |change: &&Change| change.relation == relation;
            // Truncations come first; what a row was before one was gone with it.
            let truncated =
                record.changes.iter().filter(is_own).any(|c| c.kind == ChangeKind::Truncate);
            while self.offset < record.changes.len() && taken < MAX_CHANGES {
                let change = &record.changes[self.offset];
                self.offset += 1;
                if change.relation != relation {
                    continue;
                }
                taken += 1;
                stretch.add(position, change, truncated);
            }
            if self.offset < record.changes.len() {
                break;
            }
            stretch.events.push(Event::End(position));
            self.offset = 0;
            self.records.pop_front();
        }
        stretch
    }
}

impl Stretch {
    fn add(&mut self, position: Position, change: &Change, truncated: bool) {
        if change.kind == ChangeKind::Truncate {
            self.events.push(Event::Truncate(position));
            return;
        }
        let old = change.old.as_ref().filter(|_| !truncated);
        let old = old.map(|image| add(&mut self.olds, image));
        let new = change.new.as_ref().map(|image| add(&mut self.news, image));
        self.events.push(Event::Row { position, old, new });
    }
}

fn add(images: &mut Vec<RowImage>, image: &RowImage) -> usize {
    images.push(image.clone());
    images.len() - 1
}

#[cfg(test)]
mod tests {
    use kalamdb_storage::{Key, NamespaceId};

    use super::*;

    fn image(byte: u8) -> RowImage {
        RowImage::from_bytes(vec![byte].into())
    }

    fn change(relation: u32, old: Option<u8>, new: Option<u8>) -> Change {
        Change {
            relation: RelationId(relation),
            key: Key::from_bytes(vec![1].into()),
            old: old.map(image),
            new: new.map(image),
            kind: ChangeKind::Row,
        }
    }

    fn record(position: i64, changes: Vec<Change>) -> Arc<CommitRecord> {
        Arc::new(CommitRecord {
            lsn: Lsn(position.unsigned_abs()),
            namespace: NamespaceId(1),
            position: Position(position),
            time_us: 0,
            changes,
            notifications: Vec::new(),
        })
    }

    #[test]
    fn other_tables_leave_only_the_end() {
        let mut backlog = Backlog::default();
        let mixed = vec![change(2, None, Some(1)), change(5, Some(2), Some(3))];
        backlog.extend(vec![record(1, vec![change(2, None, Some(1))]), record(2, mixed)]);
        backlog.extend(vec![record(3, Vec::new()), record(4, vec![change(5, Some(3), None)])]);
        let stretch = backlog.take(RelationId(5), Some(Position(3)));
        let row = Event::Row { position: Position(2), old: Some(0), new: Some(0) };
        let ends = [1, 2, 3].map(|position| Event::End(Position(position)));
        assert_eq!(stretch.events, [ends[0], row, ends[1], ends[2]]);
        assert_eq!((stretch.olds, stretch.news), (vec![image(2)], vec![image(3)]));
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_truncation_leaves_nothing_old() {
        let mut backlog = Backlog::default();
        let mut truncate = change(5, None, None);
        truncate.kind = ChangeKind::Truncate;
        backlog.extend(vec![record(1, vec![truncate, change(5, Some(1), Some(2))])]);
        let stretch = backlog.take(RelationId(5), None);
        let row = Event::Row { position: Position(1), old: None, new: Some(0) };
        let position = Position(1);
        assert_eq!(stretch.events, [Event::Truncate(position), row, Event::End(position)]);
    }

    #[test]
    fn a_large_commit_comes_in_stretches() {
        let mut backlog = Backlog::default();
        let many = (0..2500).map(|_| change(5, None, Some(1))).collect();
        backlog.extend(vec![record(1, many), record(2, vec![change(5, None, Some(1))])]);
        let sizes: Vec<usize> = std::iter::from_fn(|| {
            (!backlog.is_empty()).then(|| backlog.take(RelationId(5), None).events.len())
        })
        .collect();
        assert_eq!(sizes, [1000, 1000, 503]);
    }
}
