//! The cold tier of a shard: its manifests and footers kept at hand, rows found by key, and what
//! those who write segments must know of each other.

mod find;

use crate::cache::Cache;
use crate::error::Result;
use crate::flush::Writing;
use crate::gc::Garbage;
use crate::hot::Family;
use crate::id::{NamespaceId, RelationId};
use crate::key::Key;
use crate::layout::Layout;
use crate::manifest::{Manifest, SegmentEntry};
use crate::meta;
use crate::namespace::RelationUse;
use crate::new_rows::NewRows;
use crate::objects::Objects;
use crate::options::StoreOptions;
use crate::pressure::Pressure;
use crate::row::Row;
use crate::segment::point::{PointBlock, Wanted};
use crate::segment::read::{Kept, OpenSegment, Projection};
use crate::snapshot::Snapshot;
use bytes::Bytes;
pub(crate) use find::{Found, find};
use object_store::path::Path;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedMutexGuard, Semaphore};

/// Bytes of decoded manifests kept.
const MANIFEST_CACHE_BYTES: usize = 16 << 20;

/// The cold tier of one shard.
pub(crate) struct Cold {
    segments: Segments,
    manifests: Manifests,
    turns: Turns,
    /// Segments that are being written or belong to a manifest not yet committed.
    pub(crate) writing: Arc<Writing>,
    /// Segments out of use that somebody may still read.
    pub(crate) garbage: Garbage,
    /// What commits add to the hot tier.
    pub(crate) pressure: Pressure,
    /// How many segments may be written at a time.
    pub(crate) slots: Semaphore,
}

/// Most flushes and compactions that write at a time; each keeps one row group in memory.
const WRITERS_MAX: usize = 2;

impl Cold {
    /// The cold tier in a data directory, which exists.
    pub(crate) fn open(options: &StoreOptions) -> Result<Cold> {
        let objects = Objects::local(&options.data_dir)?;
        Ok(Cold {
            segments: Segments::new(objects, options.segment_cache_bytes, options.cold_cache_bytes),
            manifests: Manifests::new(),
            turns: Turns::default(),
            writing: Arc::default(),
            garbage: Garbage::default(),
            pressure: Pressure::new(options.flush),
            slots: Semaphore::new(WRITERS_MAX),
        })
    }

    /// Its segments.
    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Its objects.
    pub(crate) fn objects(&self) -> &Objects {
        &self.segments.objects
    }

    /// Removes an object of a segment, and what is kept of it.
    pub(crate) async fn remove(&self, path: &Path) -> Result<()> {
        self.segments.forget(path);
        self.objects().delete(path).await
    }

    /// The manifest of a relation at a snapshot; `None` if nothing of it is cold.
    pub(crate) async fn manifest(
        &self,
        at: &Snapshot,
        namespace: NamespaceId,
        relation: RelationId,
    ) -> Result<Option<Arc<Manifest>>> {
        let record = at.hot().get(Family::Meta, &meta::manifest(namespace, relation)).await?;
        record.map(|record| self.manifests.read((namespace, relation), &record)).transpose()
    }

    /// The newest cold row with a key that is not hot; `None` if there is none or it is deleted.
    pub(crate) async fn get(
        &self,
        at: &Snapshot,
        namespace: NamespaceId,
        layout: &Arc<Layout>,
        key: &Key,
    ) -> Result<Option<Row>> {
        match self.manifest(at, namespace, layout.relation).await? {
            None => Ok(None),
            Some(manifest) => find::get(&self.segments, &manifest, layout, key.as_bytes()).await,
        }
    }

    /// Whether one of these rows' keys, none of which is hot, may be taken; `false` is certain.
    pub(crate) async fn may_hold_any(
        &self,
        at: &Snapshot,
        namespace: NamespaceId,
        layout: &Arc<Layout>,
        rows: &NewRows,
    ) -> Result<bool> {
        let Some(manifest) = self.manifest(at, namespace, layout.relation).await? else {
            return Ok(false);
        };
        let (first, last) = (rows.key_slice(0), rows.key_slice(rows.len() - 1));
        let meets = |s: &&Arc<SegmentEntry>| s.key_min[..] <= *last && *first <= s.key_max[..];
        if !manifest.segments.iter().any(|segment| meets(&segment)) {
            return Ok(false);
        }
        let projection = Arc::new(Projection::new(layout, Vec::new())?);
        let keys: Vec<Bytes> = (0..rows.len()).map(|row| rows.key(row).into_bytes()).collect();
        find::meets_any(&self.segments, &manifest, &projection, &keys).await
    }

    /// Adds what is cold of a relation.
    pub(crate) async fn add_use(
        &self,
        at: &Snapshot,
        namespace: NamespaceId,
        relation: RelationId,
        found: &mut RelationUse,
    ) -> Result<()> {
        let manifest = self.manifest(at, namespace, relation).await?;
        for segment in manifest.iter().flat_map(|manifest| &manifest.segments) {
            found.cold_rows += segment.rows + segment.tombstones;
            found.cold_bytes += segment.bytes;
            found.segments += 1;
        }
        Ok(())
    }

    /// Waits until no other flush or compaction of the relation runs.
    pub(crate) async fn turn(&self, namespace: NamespaceId, relation: RelationId) -> Turn {
        self.turns.take((namespace, relation)).await
    }
}

impl std::fmt::Debug for Cold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cold({} bytes of footers)", self.segments.open.bytes())
    }
}

type Place = (NamespaceId, RelationId);

/// One lock for each relation that is being flushed or compacted.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<HashMap<Place, Arc<tokio::sync::Mutex<()>>>>>);

/// The right to flush or compact a relation.
pub(crate) struct Turn {
    turns: Turns,
    place: Place,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    async fn take(&self, place: Place) -> Turn {
        let lock = Arc::clone(self.lock().entry(place).or_default());
        let held = Some(lock.lock_owned().await);
        Turn { turns: self.clone(), place, held }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut turns = self.turns.lock();
        // Under the lock nobody new can come: one reference is the map's own.
        if turns.get(&self.place).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            turns.remove(&self.place);
        }
    }
}

/// Open segments, bounded in bytes, and blocks of theirs for reads by key. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Segments {
    objects: Objects,
    /// By path.
    open: Arc<Cache<String, Arc<OpenSegment>>>,
    kept: Arc<Kept>,
}

impl Segments {
    /// Segments among these objects, with so many bytes of footers and of blocks.
    pub(crate) fn new(objects: Objects, footer_bytes: usize, block_bytes: usize) -> Segments {
        let (open, kept) = (Arc::new(Cache::new(footer_bytes)), Arc::new(Kept::new(block_bytes)));
        Segments { objects, open, kept }
    }

    /// A segment with its footer, from memory if it was used lately.
    pub(crate) async fn open(&self, entry: &SegmentEntry) -> Result<Arc<OpenSegment>> {
        if let Some(segment) = self.open.get(entry.path.as_str()).filter(|known| known.is(entry)) {
            return Ok(segment);
        }
        let segment = Arc::new(OpenSegment::open(&self.objects, &self.kept, entry).await?);
        self.open.put(entry.path.clone(), Arc::clone(&segment), segment.bytes());
        Ok(segment)
    }

    /// Gives up what is kept of an object that is about to be removed.
    pub(crate) fn forget(&self, path: &Path) {
        self.open.remove(std::iter::once(path.as_ref().to_owned()));
    }

    /// A block in memory, maybe without the columns that somebody wants.
    fn kept(
        &self,
        segment: &OpenSegment,
        block: usize,
        layout: &Layout,
    ) -> Result<Option<Arc<PointBlock>>> {
        let Some(known) = self.kept.blocks.get(&(segment.number(), block)) else {
            return Ok(None);
        };
        Ok(known.is_of(layout)?.then_some(known))
    }

    /// Some columns of a block, read if they are not in memory, and kept there.
    ///
    /// Two who miss the same block both read it. None waits for another, whose statement may be
    /// stopped half-way by a client that doesn't read.
    async fn block(
        &self,
        segment: &OpenSegment,
        block: usize,
        wanted: Wanted<'_>,
    ) -> Result<Arc<PointBlock>> {
        let name = (segment.number(), block);
        let known = self.kept(segment, block, wanted.layout)?;
        if let Some(known) = known.as_ref().filter(|known| known.has(segment, wanted)) {
            return Ok(Arc::clone(known));
        }
        let read = PointBlock::read(segment, block, wanted, known.as_deref()).await?;
        let read = Arc::new(read);
        self.kept.blocks.put(name, Arc::clone(&read), read.bytes());
        Ok(read)
    }
}

/// Decoded manifests, bounded in bytes.
pub(crate) struct Manifests(Cache<(NamespaceId, RelationId), (Bytes, Arc<Manifest>)>);

impl Manifests {
    /// None yet.
    pub(crate) fn new() -> Manifests {
        Manifests(Cache::new(MANIFEST_CACHE_BYTES))
    }

    /// The manifest that a record of the hot store holds.
    pub(crate) fn read(
        &self,
        owner: (NamespaceId, RelationId),
        record: &[u8],
    ) -> Result<Arc<Manifest>> {
        // Versions begin anew after a TRUNCATE, so the checksum in the head counts as well.
        let head = Manifest::record_head(record)?;
        if let Some((_, known)) = self.0.get(&owner).filter(|(known, _)| known[..] == head[..]) {
            return Ok(known);
        }
        let manifest = Arc::new(Manifest::from_record(record)?);
        let bytes = manifest.bytes();
        self.0.put(owner, (Bytes::copy_from_slice(head), Arc::clone(&manifest)), bytes);
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests;
