//! Index entries, those of a transaction over those of the store, and the rows they point at.

use super::hot_source::HotRows;
use crate::chunk::Picked;
use crate::cold;
use crate::error::{Error, Result};
use crate::hot::{ChunkLimit, Family};
use crate::id::{NamespaceId, RelationId};
use crate::key::{IndexEntry, Key, KeyRange, PREFIX_BYTES, absolute};
use crate::manifest::Manifest;
use crate::row::StoredRow;
use crate::segment::read::Projection;
use crate::snapshot::Snapshot;
use crate::write_set::WriteSet;
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// The rows of a relation in the order of an index, within a range of it.
pub(crate) struct IndexSource {
    pub(crate) snapshot: Snapshot,
    pub(crate) namespace: NamespaceId,
    pub(crate) index: RelationId,
    pub(crate) range: KeyRange,
    pub(crate) reverse: bool,
    pub(crate) writes: Option<Arc<WriteSet>>,
    pub(crate) projection: Arc<Projection>,
    pub(crate) segments: cold::Segments,
    pub(crate) manifest: Option<Arc<Manifest>>,
    pub(crate) done: bool,
}

impl IndexSource {
    /// The next rows, at most `count`. Empty only at the end.
    pub(crate) async fn pick(&mut self, count: usize) -> Result<Picked> {
        loop {
            if self.done || self.range.is_empty() {
                return Ok(Picked::default());
            }
            let keys = self.entries(count).await?;
            if !keys.is_empty() {
                return self.rows(&keys).await;
            }
        }
    }

    /// Keys of the rows that the next entries point at. Moves on; may be empty before the end.
    async fn entries(&mut self, count: usize) -> Result<Vec<Key>> {
        let own = self.writes.clone();
        let own = own.as_ref().and_then(|writes| writes.index(self.namespace, self.index));
        let mut held: Vec<(Bytes, Bytes)> = Vec::new();
        let mut end: Option<Bytes> = None;
        if !own.is_some_and(|own| own.replaced) {
            let range = self.range.absolute(self.namespace, self.index);
            let limit = ChunkLimit::rows(count);
            let hot = self.snapshot.hot();
            let read = hot.scan(Family::Index, &range, self.reverse, limit).await?;
            let entry = |i: usize| (read.key_bytes(i).slice(PREFIX_BYTES..), read.value_bytes(i));
            held = (0..read.len()).map(entry).collect();
            if read.more() {
                end = held.last().map(|(key, _)| key.clone());
            }
        }
        let mut added: Vec<(Bytes, Option<Bytes>)> = Vec::new();
        if let Some(own) = own {
            added = own.entries.page(self.range.as_slices(), self.reverse, count + 1);
            if added.len() > count {
                added.truncate(count);
                let last = added.last().map(|(key, _)| key.clone());
                end = match (end, last) {
                    (Some(a), Some(b)) => Some(if (a < b) == self.reverse { b } else { a }),
                    (a, b) => a.or(b),
                };
            }
        }
        match &end {
            None => self.done = true,
            Some(end) => {
                let beyond = |key: &Bytes| if self.reverse { key < end } else { key > end };
                held.retain(|(key, _)| !beyond(key));
                added.retain(|(key, _)| !beyond(key));
                let after = Bound::Excluded(end.clone());
                if self.reverse {
                    self.range.end = after;
                } else {
                    self.range.start = after;
                }
            }
        }
        let mut entries = overlay(held, added, self.reverse)?;
        if entries.len() > count {
            entries.truncate(count);
            let after = entries.last().map(|(key, _)| Bound::Excluded(key.clone()));
            let after = after.unwrap_or(Bound::Unbounded);
            *(if self.reverse { &mut self.range.end } else { &mut self.range.start }) = after;
            self.done = false;
        }
        Ok(entries.into_iter().map(|(_, row)| row).collect())
    }

    /// The rows with these keys, in this order.
    async fn rows(&self, keys: &[Key]) -> Result<Picked> {
        let relation = self.projection.layout.relation;
        let own = self.writes.as_ref().and_then(|w| w.relation(self.namespace, relation));
        let mut rows = HotRows::default();
        let mut place: Vec<Option<usize>> = vec![None; keys.len()];
        let mut missing: Vec<usize> = Vec::new();
        let mut in_memory: Vec<Bytes> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let mine = own.and_then(|own| own.rows.get(key));
            let image = match mine {
                Some(image) => image.map(|image| (0, image.into_bytes())),
                None if own.is_some_and(|own| own.replaced.is_some()) => None,
                None => {
                    let whole = absolute(self.namespace, relation, key);
                    let stored = self.snapshot.hot().get(Family::Rows, &whole).await?;
                    let Some(stored) = stored else {
                        missing.push(at);
                        continue;
                    };
                    let row = StoredRow::parse(&stored)?;
                    row.image.map(|image| (row.lsn.0, image.as_bytes().clone()))
                }
            };
            let (lsn, image) = image.ok_or_else(|| self.dangling())?;
            place[at] = Some(in_memory.len());
            in_memory.push(key.as_bytes().clone());
            rows.push_image(lsn, Some(image));
        }
        let mut found = self.cold_rows(keys, missing).await?;
        let chunk = match in_memory.is_empty() {
            true => None,
            false => Some(Arc::new(rows.into_chunk(in_memory, &self.projection)?)),
        };
        let mut picked = Picked::default();
        for (at, place) in place.into_iter().enumerate() {
            match (place, &chunk) {
                (Some(row), Some(chunk)) => picked.take(chunk, (row, 1), false, 1),
                _ => {
                    let cold = found[at].take().ok_or_else(|| self.dangling())?;
                    picked.take(&cold.chunk, (cold.row, 1), false, 1);
                }
            }
        }
        Ok(picked)
    }

    /// Rows of the cold tier, each at its key's place.
    async fn cold_rows(
        &self,
        keys: &[Key],
        mut missing: Vec<usize>,
    ) -> Result<Vec<Option<cold::Found>>> {
        let mut found = vec![None; keys.len()];
        if missing.is_empty() {
            return Ok(found);
        }
        let Some(manifest) = &self.manifest else { return Err(self.dangling()) };
        missing.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
        let sorted: Vec<Bytes> = missing.iter().map(|at| keys[*at].as_bytes().clone()).collect();
        let rows = cold::find(&self.segments, manifest, &self.projection, &sorted).await?;
        for (at, row) in missing.into_iter().zip(rows) {
            found[at] = row;
        }
        Ok(found)
    }

    fn dangling(&self) -> Error {
        Error::corrupt(format!("index {} has an entry for a row that is not there", self.index))
    }
}

/// Entries of the store with those of a write set over them, both in the order of travel: each
/// with the key of its row.
fn overlay(
    held: Vec<(Bytes, Bytes)>,
    added: Vec<(Bytes, Option<Bytes>)>,
    reverse: bool,
) -> Result<Vec<(Bytes, Key)>> {
    let mut entries = Vec::with_capacity(held.len() + added.len());
    let mut added = added.into_iter().peekable();
    let before = |a: &Bytes, b: &Bytes| if reverse { a > b } else { a < b };
    let mut add = |key: Bytes, value: Option<Bytes>| -> Result<()> {
        if let Some(value) = value {
            let row = IndexEntry::row_key(&key, &value)?;
            entries.push((key, row));
        }
        Ok(())
    };
    for (key, value) in held {
        while let Some((own, value)) = added.next_if(|(own, _)| before(own, &key)) {
            add(own, value)?;
        }
        let value = added.next_if(|(own, _)| *own == key).map_or(Some(value), |(_, own)| own);
        add(key, value)?;
    }
    for (key, value) in added {
        add(key, value)?;
    }
    Ok(entries)
}
