//! Ranges of keys.

use std::ops::Bound;

use arrow::array::ArrayRef;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::{NamespaceId, RelationId};
use crate::key::{Key, absolute, prefix};
use crate::layout::{Access, Layout};
use crate::types::ColumnType;
use crate::value::{NOT_NULL, NULL, Reader};

/// A range of keys of a relation or of an index, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<Bytes>,
    /// Where it ends.
    pub end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// One key.
    pub fn point(key: &Key) -> KeyRange {
        let key = key.as_bytes();
        KeyRange { start: Bound::Included(key.clone()), end: Bound::Included(key.clone()) }
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> KeyRange {
        let prefix = prefix.into();
        let end = after(&prefix);
        KeyRange { start: Bound::Included(prefix), end }
    }

    /// The keys whose first columns equal `prefix` and whose next column is between the bounds.
    ///
    /// Values are arrays of one element of the columns' types; a NULL in `prefix` means `IS NULL`.
    /// Where a bound is given, NULLs of that column are outside, as no comparison is true of them.
    /// Bounds are those of values: on a descending column the bytes run the other way by themselves.
    ///
    /// Fails with `Invalid` on values of another type or more values than columns.
    pub fn from_values(
        layout: &Layout,
        access: Access,
        prefix: &[ArrayRef],
        lower: Bound<ArrayRef>,
        upper: Bound<ArrayRef>,
    ) -> Result<KeyRange> {
        let mut bytes = Vec::with_capacity(32);
        for (i, value) in prefix.iter().enumerate() {
            let (ty, descending) = column(layout, access, i)?;
            write(ty, descending, value, &mut bytes)?;
        }
        if matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded)) {
            return Ok(KeyRange::prefix(bytes));
        }
        let (ty, descending) = column(layout, access, prefix.len())?;
        let with = |value: &ArrayRef| -> Result<Vec<u8>> {
            let mut bytes = bytes.clone();
            write(ty, descending, value, &mut bytes)?;
            Ok(bytes)
        };
        let (first, last) = if descending { (upper, lower) } else { (lower, upper) };
        let start = match first {
            Bound::Included(value) => Bound::Included(Bytes::from(with(&value)?)),
            Bound::Excluded(value) => match after(&with(&value)?) {
                Bound::Excluded(end) => Bound::Included(end),
                _ => return Ok(KeyRange::empty()),
            },
            // Descending, the NULLs come first and are stepped over.
            Bound::Unbounded if descending => Bound::Included(marked(&bytes, !NOT_NULL)),
            Bound::Unbounded => Bound::Included(Bytes::from(bytes.clone())),
        };
        let end = match last {
            Bound::Included(value) => after(&with(&value)?),
            Bound::Excluded(value) => Bound::Excluded(Bytes::from(with(&value)?)),
            Bound::Unbounded if descending => after(&bytes),
            Bound::Unbounded => Bound::Excluded(marked(&bytes, NULL)),
        };
        Ok(KeyRange { start, end })
    }

    /// A range without keys.
    pub fn empty() -> KeyRange {
        KeyRange { start: Bound::Excluded(Bytes::new()), end: Bound::Excluded(Bytes::new()) }
    }

    /// Whether `key` lies within.
    pub fn contains(&self, key: &[u8]) -> bool {
        (match &self.start {
            Bound::Included(start) => key >= &start[..],
            Bound::Excluded(start) => key > &start[..],
            Bound::Unbounded => true,
        }) && match &self.end {
            Bound::Included(end) => key <= &end[..],
            Bound::Excluded(end) => key < &end[..],
            Bound::Unbounded => true,
        }
    }

    /// Whether no key can lie within.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, Bound::Excluded(end)) => end.is_empty(),
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
            | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        }
    }

    /// Its bounds.
    pub(crate) fn as_slices(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.start.as_ref().map(|key| &key[..]), self.end.as_ref().map(|key| &key[..]))
    }

    /// The same range among the keys of all namespaces and relations.
    pub(crate) fn absolute(&self, namespace: NamespaceId, relation: RelationId) -> HotRange {
        let just_after = |key: &Bytes| {
            let mut bytes = absolute(namespace, relation, key);
            bytes.push(0);
            bytes
        };
        let prefix = prefix(namespace, relation);
        let start = match &self.start {
            Bound::Included(key) => absolute(namespace, relation, key),
            Bound::Excluded(key) => just_after(key),
            Bound::Unbounded => prefix.to_vec(),
        };
        let end = match &self.end {
            Bound::Included(key) => just_after(key),
            Bound::Excluded(key) => absolute(namespace, relation, key),
            Bound::Unbounded => prefix_end(&prefix).unwrap_or_default(),
        };
        HotRange { start, end }
    }
}

/// A range of whole keys of a family: from `start` on, before `end`; an empty `end` is no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HotRange {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Vec<u8>,
}

impl HotRange {
    /// All keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> HotRange {
        HotRange { start: prefix.to_vec(), end: prefix_end(prefix).unwrap_or_default() }
    }

    /// Whether no key can lie within.
    pub(crate) fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }

    /// What is left of the range, in the direction of travel, once `last` was seen.
    pub(crate) fn after(&mut self, last: &[u8], reverse: bool) {
        if reverse {
            self.end.clear();
            self.end.extend_from_slice(last);
        } else {
            self.start.clear();
            self.start.extend_from_slice(last);
            self.start.push(0);
        }
    }
}

/// The first bytes after everything that begins with `prefix`; None if there are none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn after(prefix: &[u8]) -> Bound<Bytes> {
    prefix_end(prefix).map_or(Bound::Unbounded, |end| Bound::Excluded(Bytes::from(end)))
}

fn marked(prefix: &[u8], marker: u8) -> Bytes {
    let mut bytes = Vec::with_capacity(prefix.len() + 1);
    bytes.extend_from_slice(prefix);
    bytes.push(marker);
    Bytes::from(bytes)
}

fn column(layout: &Layout, access: Access, i: usize) -> Result<(&ColumnType, bool)> {
    let (place, descending) = match access {
        Access::Primary => (layout.key.get(i), false),
        Access::Index(index) => {
            let index = layout.index(index)?;
            (index.columns.get(i), index.descending.get(i).copied().unwrap_or(false))
        }
    };
    let place = place.ok_or_else(|| Error::invalid("more values than key columns"))?;
    Ok((&layout.column(*place)?.ty, descending))
}

fn write(ty: &ColumnType, descending: bool, value: &ArrayRef, out: &mut Vec<u8>) -> Result<()> {
    if value.len() != 1 {
        return Err(Error::invalid("a bound is an array of one element"));
    }
    Reader::new(ty, value)?.value(0)?.write_key_column(ty, descending, out)
}
