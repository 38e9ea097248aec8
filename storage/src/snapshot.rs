//! Snapshots: rows visible at one LSN.
//!
//! One is taken after each group of commits and shared by everybody until the next, so to take one
//! costs a reference count. Each has a generation, by which the cold tier knows when nobody can see
//! a segment any more: not until every snapshot older than its removal is gone.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::hot::HotSnapshot;
use crate::id::Lsn;

/// What was committed at one LSN. Cheap to clone; holds back the removal of old segments.
#[derive(Clone)]
pub struct Snapshot(Arc<View>);

struct View {
    lsn: Lsn,
    generation: u64,
    hot: Arc<dyn HotSnapshot>,
    live: Arc<Mutex<BTreeSet<u64>>>,
}

impl Snapshot {
    /// The last commit it shows.
    pub fn lsn(&self) -> Lsn {
        self.0.lsn
    }

    /// Grows with each snapshot published, also where the LSN doesn't.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation
    }

    pub(crate) fn hot(&self) -> &dyn HotSnapshot {
        &*self.0.hot
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.0.lsn)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.generation);
    }
}

/// The current snapshot of a shard, and who holds older ones.
#[derive(Debug)]
pub(crate) struct Snapshots {
    current: RwLock<Snapshot>,
    live: Arc<Mutex<BTreeSet<u64>>>,
}

impl Snapshots {
    pub(crate) fn new(lsn: Lsn, hot: Arc<dyn HotSnapshot>) -> Snapshots {
        let live = Arc::new(Mutex::new(BTreeSet::from([1])));
        let view = View { lsn, generation: 1, hot, live: live.clone() };
        Snapshots { current: RwLock::new(Snapshot(Arc::new(view))), live }
    }

    pub(crate) fn current(&self) -> Snapshot {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes what `hot` shows visible to all who ask from now on. Only the commit leader calls it.
    pub(crate) fn publish(&self, lsn: Lsn, hot: Arc<dyn HotSnapshot>) -> Snapshot {
        let generation = self.current().generation() + 1;
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(generation);
        let view = View { lsn, generation, hot, live: self.live.clone() };
        let snapshot = Snapshot(Arc::new(view));
        let old = std::mem::replace(
            &mut *self.current.write().unwrap_or_else(PoisonError::into_inner),
            snapshot.clone(),
        );
        // Released outside the lock: readers need not wait for RocksDB to let go of it.
        drop(old);
        snapshot
    }

    /// The generation of the oldest snapshot somebody holds (the current one at the latest).
    pub(crate) fn oldest_generation(&self) -> u64 {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.first().copied().unwrap_or(u64::MAX)
    }
}
