//! A hash map whose copies share what they have in common.
//!
//! A part of the catalog is an immutable value, and each definition statement makes a new one.
//! Copying a plain map of a hundred thousand roles to add one would cost milliseconds; here a
//! copy shares all buckets but the one that changes.

use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
    sync::{Arc, LazyLock},
};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Entries per bucket, on average, at which the number of buckets doubles.
const BUCKET_ENTRIES_MAX: usize = 64;

static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// See the module. Iteration is in no order.
#[derive(Clone, Debug)]
pub(crate) struct SharedMap<K, V> {
    /// A power of two of them, or none at all. The low bits of a hash tell which.
    buckets: Arc<Vec<Bucket<K, V>>>,
    len: usize,
}

type Bucket<K, V> = Arc<HashTable<(K, V)>>;

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
        let hash = hash(key);
        let bucket = &self.buckets[place(hash, self.buckets.len())];
        bucket.find(within(hash), |(k, _)| k.borrow() == key).map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.len >= self.buckets.len() * BUCKET_ENTRIES_MAX {
            self.grow();
        }
        let hash = hash(&key);
        let bucket = self.bucket(hash);
        match bucket.find_mut(within(hash), |(k, _)| *k == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                bucket.insert_unique(within(hash), (key, value), rehash);
                self.len += 1;
                None
            }
        }
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.get(key)?;
        let hash = hash(key);
        let found = self.bucket(hash).find_entry(within(hash), |(k, _)| k.borrow() == key).ok()?;
        let ((_, old), _) = found.remove();
        self.len -= 1;
        Some(old)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter().map(|(key, value)| (key, value)))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The bucket of a hash, its own from now on.
    fn bucket(&mut self, hash: u64) -> &mut HashTable<(K, V)> {
        let place = place(hash, self.buckets.len());
        Arc::make_mut(&mut Arc::make_mut(&mut self.buckets)[place])
    }

    fn grow(&mut self) {
        let count = (self.buckets.len() * 4).max(1);
        let mut buckets: Vec<HashTable<(K, V)>> = vec![HashTable::new(); count];
        for (key, value) in self.iter() {
            let hash = hash(key);
            let entry = (key.clone(), value.clone());
            buckets[place(hash, count)].insert_unique(within(hash), entry, rehash);
        }
        self.buckets = Arc::new(buckets.into_iter().map(Arc::new).collect());
    }
}

fn hash<Q: Hash + ?Sized>(key: &Q) -> u64 {
    HASHER.hash_one(key)
}

/// Which of `buckets` a hash falls into.
fn place(hash: u64, buckets: usize) -> usize {
    hash as usize & (buckets - 1)
}

/// A hash as a bucket uses it: all that are in one have the low bits in common.
fn within(hash: u64) -> u64 {
    hash.rotate_left(32)
}

fn rehash<K: Hash, V>((key, _): &(K, V)) -> u64 {
    within(hash(key))
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
