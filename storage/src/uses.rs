//! What was written where since the store was opened: how the flush policy knows where to look.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::id::{NamespaceId, RelationId};
use crate::write_set::RelationWrites;

/// Most relations remembered; past it the smallest half is forgotten (and not flushed unasked).
const MAX_RELATIONS: usize = 1 << 17;

/// What was written to one relation since the store was opened or the relation was last flushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// Rows put, less rows deleted.
    pub(crate) rows: u64,
    /// Bytes of rows put.
    pub(crate) bytes: u64,
    /// The first of these writes.
    pub(crate) since: Instant,
}

/// The relations written to.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<(NamespaceId, RelationId), Use>>);

impl Uses {
    fn lock(&self) -> MutexGuard<'_, HashMap<(NamespaceId, RelationId), Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commit leader tells what it wrote, and learns what that adds up to.
    pub(crate) fn note(
        &self,
        ns: NamespaceId,
        relation: RelationId,
        writes: &RelationWrites,
    ) -> Use {
        let mut uses = self.lock();
        if uses.len() >= MAX_RELATIONS {
            let mut sizes: Vec<u64> = uses.values().map(|held| held.bytes).collect();
            let (_, middle, _) = sizes.select_nth_unstable(MAX_RELATIONS / 2);
            let middle = *middle;
            uses.retain(|_, held| held.bytes > middle);
        }
        let fresh = Use { rows: 0, bytes: 0, since: Instant::now() };
        let held = uses.entry((ns, relation)).or_insert(fresh);
        if writes.replaced.is_some() {
            *held = fresh;
        }
        for row in writes.rows.iter() {
            match (row.old, row.new) {
                (None, Some(_)) => held.rows += 1,
                (Some(_), None) => held.rows = held.rows.saturating_sub(1),
                (Some(_), Some(_)) | (None, None) => {}
            }
            held.bytes += row.new.map_or(0, |image| (row.key.len() + image.len()) as u64);
        }
        *held
    }

    /// What was written to one relation.
    pub(crate) fn of(&self, ns: NamespaceId, relation: RelationId) -> Option<Use> {
        self.lock().get(&(ns, relation)).copied()
    }

    /// A relation was flushed or is gone.
    pub(crate) fn forget(&self, ns: NamespaceId, relation: RelationId) {
        self.lock().remove(&(ns, relation));
    }
}
