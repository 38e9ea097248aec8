//! A small cache bounded in bytes: what was not used for longest goes first, about.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, together no more than a number of bytes.
pub(crate) struct Cache<K, V> {
    bytes_max: usize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    bytes: usize,
    values: HashMap<K, Slot<V>>,
    /// Keys in the order of their second chance; each key of `values` is in it once.
    order: VecDeque<K>,
}

struct Slot<V> {
    value: V,
    bytes: usize,
    used: bool,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Cache<K, V> {
        let state = State { bytes: 0, values: HashMap::new(), order: VecDeque::new() };
        Cache { bytes_max, state: Mutex::new(state) }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = state.values.get_mut(key)?;
        slot.used = true;
        Some(slot.value.clone())
    }

    /// Keeps a value that takes about `bytes`; one too big for the cache is not kept.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max / 2 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Slot { value, bytes, used: false };
        match state.values.insert(key.clone(), slot) {
            Some(old) => state.bytes -= old.bytes,
            None => state.order.push_back(key),
        }
        state.bytes += bytes;
        while state.bytes > self.bytes_max {
            let Some(oldest) = state.order.pop_front() else { break };
            match state.values.get_mut(&oldest) {
                Some(slot) if slot.used => {
                    slot.used = false;
                    state.order.push_back(oldest);
                }
                _ => {
                    let gone = state.values.remove(&oldest);
                    state.bytes -= gone.map_or(0, |slot| slot.bytes);
                }
            }
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
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
}
