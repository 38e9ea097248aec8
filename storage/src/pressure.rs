//! When to flush by itself: relations that commits pushed over a threshold of [`FlushPolicy`].
//!
//! After each commit the leader hands over what has been written to a relation so far; one that
//! crosses a threshold waits here for the background task. Nobody ever walks over all users: a
//! quiet table costs nothing, and what is small stays hot. Age counts only for relations with
//! enough to be worth a segment; those are few, and kept in the order in which they come due.

use crate::id::{NamespaceId, RelationId};
use crate::layout::Layout;
use crate::namespace::Owner;
use crate::options::FlushPolicy;
use crate::uses::Use;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Most relations that wait for the background task; more are considered at their next commit.
const MAX_DUE: usize = 1024;
/// Most relations whose age is watched; more are considered at their next commit.
const MAX_AGING: usize = 1 << 14;

/// A relation to flush.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    /// The namespace.
    pub(crate) namespace: NamespaceId,
    /// Whose it is.
    pub(crate) owner: Arc<Owner>,
    /// The relation, in the shape of the commit that made it due.
    pub(crate) layout: Arc<Layout>,
    /// Whether its age alone makes it due.
    pub(crate) aged: bool,
}

/// The relations that are due or will be.
#[derive(Debug)]
pub(crate) struct Pressure {
    policy: FlushPolicy,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

type Place = (NamespaceId, RelationId);

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Place, Due>,
    /// By the time they come due.
    aging: BTreeMap<(Instant, Place), Due>,
    /// What the background task is at, and whether the relation was replaced since.
    current: Option<(Place, bool)>,
}

impl Pressure {
    /// Nothing is due.
    pub(crate) fn new(policy: FlushPolicy) -> Pressure {
        Pressure { policy, state: Mutex::default(), wake: Arc::default() }
    }

    /// Rung when the background task has something to do.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// A commit wrote to a relation, which since its last flush amounts to `held`.
    pub(crate) fn consider(
        &self,
        namespace: NamespaceId,
        (owner, layout): (&Arc<Owner>, &Arc<Layout>),
        held: Use,
    ) {
        let full = held.bytes > self.policy.max_hot_bytes || held.rows > self.policy.max_hot_rows;
        if !self.policy.automatic || !(full || held.bytes >= self.policy.min_flush_bytes) {
            return;
        }
        let due = |aged: bool| {
            let (owner, layout) = (Arc::clone(owner), Arc::clone(layout));
            Due { namespace, owner, layout, aged }
        };
        let place = (namespace, layout.relation);
        let mut state = self.lock();
        let State { due: full_ones, aging, .. } = &mut *state;
        let at = (Instant::from_std(held.since) + self.policy.max_age, place);
        let room = if full { full_ones.len() < MAX_DUE } else { aging.len() < MAX_AGING };
        let held = if full { full_ones.get_mut(&place) } else { aging.get_mut(&at) };
        match held {
            Some(known) => known.layout = Arc::clone(layout),
            None if !room => {}
            None => {
                if full {
                    full_ones.insert(place, due(false));
                } else {
                    aging.insert(at, due(true));
                }
                drop(state);
                self.wake.notify_one();
            }
        }
    }

    /// A relation was truncated, dropped or written anew, maybe in another shape: what is known of
    /// it is of no use any more.
    pub(crate) fn replaced(&self, namespace: NamespaceId, relation: RelationId) {
        let place = (namespace, relation);
        let mut state = self.lock();
        state.due.remove(&place);
        state.aging.retain(|(_, other), _| *other != place);
        if let Some((_, stale)) = state.current.as_mut().filter(|(current, _)| *current == place) {
            *stale = true;
        }
    }

    /// Whether the shape of the relation last taken is still that of its rows.
    pub(crate) fn is_current(&self) -> bool {
        self.lock().current.is_none_or(|(_, stale)| !stale)
    }

    /// The next relation to look at, if one is due.
    pub(crate) fn take_due(&self) -> Option<Due> {
        let mut state = self.lock();
        let State { due, aging, current } = &mut *state;
        let taken = match due.pop_first() {
            Some((_, due)) => Some(due),
            None => {
                let first = aging.first_entry().filter(|f| f.key().0 <= Instant::now());
                first.map(|first| first.remove())
            }
        };
        *current = taken.as_ref().map(|due| ((due.namespace, due.layout.relation), false));
        taken
    }

    /// When the next relation comes due by age.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.lock().aging.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
