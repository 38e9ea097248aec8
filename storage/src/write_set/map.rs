//! A sorted map whose clones share what they have in common.
//!
//! Each statement of a transaction keeps what the transaction wrote before it, while it writes
//! more. Copying all of it for each statement would make a transaction of many statements take
//! quadratic time, so a map is a stack of layers: what is new is in the top one, which is small
//! and copied, the others are shared. A full top becomes a layer; layers of like size become one.
//! An entry is thus moved a logarithmic number of times, and is looked for in as many layers.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

/// Entries after which the top becomes a layer.
const TOP_ENTRIES: usize = if cfg!(test) { 3 } else { 64 };

/// See the module. Entries are replaced, never removed.
#[derive(Clone, Debug)]
pub(crate) struct SharedMap<V> {
    /// The oldest, which is the largest, first.
    layers: Vec<Arc<BTreeMap<Bytes, V>>>,
    top: BTreeMap<Bytes, V>,
    len: usize,
}

impl<V> Default for SharedMap<V> {
    fn default() -> Self {
        SharedMap { layers: Vec::new(), top: BTreeMap::new(), len: 0 }
    }
}

impl<V: Clone> SharedMap<V> {
    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.newest_first().find_map(|layer| layer.get(key))
    }

    /// The greatest key.
    pub(crate) fn last_key(&self) -> Option<&Bytes> {
        self.newest_first().filter_map(|layer| layer.last_key_value()).map(|(key, _)| key).max()
    }

    pub(crate) fn insert(&mut self, key: Bytes, value: V) {
        let hides = self.layers.iter().any(|layer| layer.contains_key(&key));
        let replaced = self.top.insert(key, value).is_some();
        self.len += usize::from(!hides && !replaced);
        if self.top.len() >= TOP_ENTRIES {
            self.layers.push(Arc::new(std::mem::take(&mut self.top)));
            while let [.., below, above] = &self.layers[..]
                && below.len() < 2 * above.len()
            {
                self.merge_last();
            }
        }
    }

    /// Makes it one layer, for whoever goes over all of it more than once.
    pub(crate) fn settle(&mut self) {
        if !self.layers.is_empty() && !self.top.is_empty() {
            self.layers.push(Arc::new(std::mem::take(&mut self.top)));
        }
        while self.layers.len() > 1 {
            self.merge_last();
        }
    }

    fn merge_last(&mut self) {
        let (Some(above), Some(below)) = (self.layers.pop(), self.layers.pop()) else { return };
        let (mut above, mut below) = (Arc::unwrap_or_clone(above), Arc::unwrap_or_clone(below));
        // Of equal keys the argument's stay.
        below.append(&mut above);
        self.layers.push(Arc::new(below));
    }

    /// All entries in key order.
    pub(crate) fn iter(&self) -> Iter<'_, V> {
        let filled = self.newest_first().filter(|layer| !layer.is_empty());
        Iter { layers: filled.map(|layer| layer.iter().peekable()).collect() }
    }

    /// The first entries of a range that has a start before its end, at most `limit`; from its
    /// end, descending, if `reverse`.
    pub(crate) fn page(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        reverse: bool,
        limit: usize,
    ) -> Vec<(Bytes, V)> {
        let own = |(key, value): (&Bytes, &V)| (key.clone(), value.clone());
        let mut parts = self.newest_first().map(|layer| {
            let found = layer.range::<[u8], _>(range);
            match reverse {
                false => found.take(limit).map(own).collect::<Vec<_>>(),
                true => found.rev().take(limit).map(own).collect(),
            }
        });
        let mut page = parts.next().unwrap_or_default();
        for mut part in parts {
            overlay(&mut page, &mut part, reverse, limit);
        }
        page
    }

    fn newest_first(&self) -> impl Iterator<Item = &BTreeMap<Bytes, V>> {
        std::iter::once(&self.top).chain(self.layers.iter().rev().map(|layer| &**layer))
    }
}

/// Puts older entries under newer ones, both in the order of travel, and keeps the first `limit`.
pub(crate) fn overlay<V>(
    newer: &mut Vec<(Bytes, V)>,
    older: &mut Vec<(Bytes, V)>,
    reverse: bool,
    limit: usize,
) {
    if newer.is_empty() || older.is_empty() {
        newer.append(older);
        return;
    }
    newer.append(older);
    // Two sorted runs, which a stable sort merges; the newer of two equal ones comes first.
    newer.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
    newer.dedup_by(|later, earlier| later.0 == earlier.0);
    newer.truncate(limit);
}

/// The entries of a [`SharedMap`] in key order.
pub(crate) struct Iter<'a, V> {
    /// Newest first.
    layers: Vec<Peekable<btree_map::Iter<'a, Bytes, V>>>,
}

impl<'a, V> Iter<'a, V> {
    pub(crate) fn peek_key(&mut self) -> Option<&'a Bytes> {
        self.layers.iter_mut().filter_map(|layer| layer.peek()).map(|(key, _)| *key).min()
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Bytes, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if let [only] = &mut self.layers[..] {
            return only.next();
        }
        let key = self.peek_key()?;
        let mut found = None;
        for layer in &mut self.layers {
            if let Some(entry) = layer.next_if(|(next, _)| *next == key) {
                found.get_or_insert(entry);
            }
        }
        found
    }
}
