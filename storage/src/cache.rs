//! A small cache bounded in bytes: what was not used for longest goes first, about.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, together no more than a number of bytes.
pub(crate) struct Cache<K, V> {
    bytes_max: usize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    bytes: usize,
    values: HashMap<K, Slot<V>>,
    /// Keys in the order of their second chance, each with the number of its slot. A key of
    /// `values` is in it once with that number; what else is in it was removed meanwhile.
    order: VecDeque<(K, u64)>,
    next_number: u64,
}

struct Slot<V> {
    value: V,
    bytes: usize,
    used: bool,
    number: u64,
}

/// Removed keys that the order may hold before it is swept.
const REMOVED_MAX: usize = 64;

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Cache<K, V> {
        let (values, order) = (HashMap::new(), VecDeque::new());
        Cache { bytes_max, state: Mutex::new(State { bytes: 0, values, order, next_number: 0 }) }
    }

    /// The value of a key.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut state = self.lock();
        let slot = state.values.get_mut(key)?;
        slot.used = true;
        Some(slot.value.clone())
    }

    /// Keeps a value that takes about `bytes`; one too big for the cache is not kept.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max / 2 {
            return;
        }
        // What goes is dropped after the lock.
        let mut gone = Vec::new();
        let mut state = self.lock();
        state.put(key, value, bytes, &mut gone);
        state.shrink(self.bytes_max, &mut gone);
        drop(state);
    }

    /// Gives up the values of these keys.
    pub(crate) fn remove(&self, keys: impl Iterator<Item = K>) {
        let mut gone = Vec::new();
        let mut state = self.lock();
        for key in keys {
            if let Some(slot) = state.values.remove(&key) {
                state.bytes -= slot.bytes;
                gone.push(slot);
            }
        }
        state.sweep();
        drop(state);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V> State<K, V> {
    fn put(&mut self, key: K, value: V, bytes: usize, gone: &mut Vec<Slot<V>>) {
        self.bytes += bytes;
        if let Some(slot) = self.values.get_mut(&key) {
            self.bytes -= slot.bytes;
            let number = slot.number;
            gone.push(std::mem::replace(slot, Slot { value, bytes, used: false, number }));
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.order.push_back((key.clone(), number));
        self.values.insert(key, Slot { value, bytes, used: false, number });
    }

    fn shrink(&mut self, bytes_max: usize, gone: &mut Vec<Slot<V>>) {
        while self.bytes > bytes_max {
            let Some((oldest, number)) = self.order.pop_front() else { break };
            match self.values.get_mut(&oldest) {
                Some(slot) if slot.number != number => {}
                Some(slot) if slot.used => {
                    slot.used = false;
                    self.order.push_back((oldest, number));
                }
                _ => {
                    let slot = self.values.remove(&oldest);
                    self.bytes -= slot.as_ref().map_or(0, |slot| slot.bytes);
                    gone.extend(slot);
                }
            }
        }
    }

    /// Takes removed keys out of the order, once they are many.
    fn sweep(&mut self) {
        if self.order.len() > 2 * self.values.len() + REMOVED_MAX {
            let values = &self.values;
            let held = |key: &K, number| values.get(key).is_some_and(|slot| slot.number == number);
            self.order.retain(|(key, number)| held(key, *number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let cache = Cache::new(100);
        for i in 0..100 {
            cache.put(i, i * 2, 10);
            assert_eq!(cache.get(&0), Some(0));
            assert!(cache.bytes() <= 100);
        }
        assert_eq!(cache.get(&99), Some(198));
        assert_eq!(cache.get(&50), None);
        cache.put(99, 5, 20);
        assert_eq!(cache.get(&99), Some(5));
        cache.put(1000, 1, 51);
        assert_eq!(cache.get(&1000), None);
    }

    #[test]
    fn what_is_removed_is_gone_and_leaves_nothing_behind() {
        let cache = Cache::new(1000);
        for round in 0..10_000 {
            cache.put(round % 7, round, 10);
            cache.remove([round % 7, 8].into_iter());
            assert_eq!(cache.get(&(round % 7)), None);
        }
        assert_eq!(cache.bytes(), 0);
        assert!(cache.lock().order.len() <= REMOVED_MAX);
        for i in 0..200 {
            cache.put(i, i, 10);
            assert!(cache.bytes() <= 1000);
        }
        assert_eq!(cache.lock().values.len(), 100);
    }
}
