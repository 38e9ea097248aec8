//! One lock for each thing that somebody is busy with, and none for the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// The locks of the things somebody holds or waits for. Cheap to clone.
pub(crate) struct Turns<K>(Arc<Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>>);

/// The right to be busy with one thing.
pub(crate) struct Turn<K: Eq + Hash> {
    turns: Turns<K>,
    of: K,
    held: Option<OwnedMutexGuard<()>>,
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Waits until nobody else has the turn.
    pub(crate) async fn take(&self, of: K) -> Turn<K> {
        let lock = Arc::clone(self.lock().entry(of.clone()).or_default());
        // Made before the wait, so that one given up takes its lock along as well.
        let mut turn = Turn { turns: self.clone(), of, held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }
}

impl<K> Turns<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Clone for Turns<K> {
    fn clone(&self) -> Turns<K> {
        Turns(Arc::clone(&self.0))
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Turns<K> {
        Turns(Arc::default())
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        self.held = None;
        let mut turns = self.turns.lock();
        // Under the lock nobody new can come: one reference is the map's own.
        if turns.get(&self.of).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            turns.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn turns_are_one_at_a_time_and_leave_nothing_behind() {
        let turns = Turns::default();
        let first = turns.take(1).await;
        assert!(turns.take(1).now_or_never().is_none());
        assert!(turns.take(2).now_or_never().is_some());
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.take(1).await) }
        });
        drop(first);
        waiting.await.unwrap();
        assert!(turns.lock().is_empty());
    }
}
