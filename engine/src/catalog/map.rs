//! A hash map whose copies share what they have in common.
//!
//! A part of the catalog is an immutable value, and each definition statement makes a new one.
//! Copying a plain map of a hundred thousand roles to add one would cost milliseconds; here a
//! copy shares all buckets but the one that changes.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, LazyLock},
};

/// Entries per bucket, on average, at which the number of buckets doubles.
const BUCKET_ENTRIES_MAX: usize = 64;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// See the module. Iteration is in no order.
#[derive(Clone, Debug)]
pub(crate) struct SharedMap<K, V> {
    /// A power of two of them, or none at all.
    buckets: Arc<Vec<Arc<HashMap<K, V>>>>,
    len: usize,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        SharedMap { buckets: Arc::default(), len: 0 }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SharedMap<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if self.buckets.is_empty() {
            return None;
        }
        self.buckets[self.bucket(key)].get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.len >= self.buckets.len() * BUCKET_ENTRIES_MAX {
            self.grow();
        }
        let place = self.bucket(&key);
        let buckets = Arc::make_mut(&mut self.buckets);
        let old = Arc::make_mut(&mut buckets[place]).insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.get(key)?;
        let place = self.bucket(key);
        let buckets = Arc::make_mut(&mut self.buckets);
        let old = Arc::make_mut(&mut buckets[place]).remove(key);
        self.len -= usize::from(old.is_some());
        old
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter())
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn bucket<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (HASHER.hash_one(key) as usize) & (self.buckets.len() - 1)
    }

    fn grow(&mut self) {
        let count = (self.buckets.len() * 4).max(1);
        let mut buckets = vec![HashMap::new(); count];
        for (key, value) in self.iter() {
            let place = (HASHER.hash_one(key) as usize) & (count - 1);
            buckets[place].insert(key.clone(), value.clone());
        }
        self.buckets = Arc::new(buckets.into_iter().map(Arc::new).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_differ_only_where_changed() {
        let mut map = SharedMap::default();
        for i in 0..10_000_u32 {
            assert_eq!(map.insert(i, i * 2), None);
        }
        let before = map.clone();
        assert_eq!(map.remove(&77), Some(154));
        assert_eq!(map.insert(5, 1), Some(10));
        assert_eq!((map.len, before.len), (9_999, 10_000));
        assert_eq!((map.get(&77), before.get(&77)), (None, Some(&154)));
        assert_eq!((map.get(&5), before.get(&5)), (Some(&1), Some(&10)));
        assert_eq!(before.values().count(), 10_000);
    }
}
