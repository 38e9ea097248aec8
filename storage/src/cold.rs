//! The cold tier of a shard: its manifests and footers kept at hand, rows found by key, and what
//! those who write segments must know of each other.

use crate::cache::Cache;
use crate::chunk::Chunk;
use crate::error::{Error, Result};
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
use crate::row::{self, Row, RowImage};
use crate::segment::keys::Probe;
use crate::segment::read::{Blooms, ColdRows, OpenSegment, Projection};
use crate::segment::source::CHUNK_ROWS;
use crate::snapshot::Snapshot;
use arrow::array::{Array, RecordBatch, UInt32Array};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedMutexGuard, Semaphore};

/// Counted for each block kept, beyond its arrays.
const BLOCK_OVERHEAD_BYTES: usize = 512;
/// Most blocks read at once to find rows by key.
const FIND_BLOCKS: usize = 8;
/// Bytes of decoded blocks kept for reads of single rows.
const BLOCK_CACHE_BYTES: usize = 128 << 20;
/// Bytes of Bloom filters kept.
const BLOOM_CACHE_BYTES: usize = 32 << 20;
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
            segments: Segments::new(objects, options.segment_cache_bytes),
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
            Some(manifest) => get(&self.segments, &manifest, layout, key.as_bytes()).await,
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
        let mut search = Search::new(&projection, &keys, false);
        search.run(&self.segments, &manifest).await?;
        Ok(search.met.contains(&true))
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

/// Blocks by segment number and place in the segment, with the layout they were read for.
type BlockCache = Cache<(u64, usize), (Arc<Layout>, Arc<ColdRows>)>;

/// Open segments, bounded in bytes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Segments {
    objects: Objects,
    open: Arc<Cache<(String, String), Arc<OpenSegment>>>,
    /// Whole rows of single blocks, in the shape they were read in.
    blocks: Arc<BlockCache>,
    blooms: Arc<Blooms>,
}

impl Segments {
    /// Segments among these objects.
    pub(crate) fn new(objects: Objects, cache_bytes: usize) -> Segments {
        let (open, blocks) = (Cache::new(cache_bytes), Cache::new(BLOCK_CACHE_BYTES));
        let blooms = Arc::new(Cache::new(BLOOM_CACHE_BYTES));
        Segments { objects, open: Arc::new(open), blocks: Arc::new(blocks), blooms }
    }

    /// A segment with its footer, from memory if it was used lately.
    pub(crate) async fn open(&self, entry: &SegmentEntry) -> Result<Arc<OpenSegment>> {
        // The checksum is part of the name: a path may be used again after a table is gone.
        let name = (entry.path.clone(), entry.crc32c.clone());
        if let Some(segment) = self.open.get(&name) {
            return Ok(segment);
        }
        let segment = Arc::new(OpenSegment::open(&self.objects, &self.blooms, entry).await?);
        self.open.put(name, Arc::clone(&segment), segment.bytes());
        Ok(segment)
    }

    /// All live columns of one block, from memory if they were read lately.
    async fn block(
        &self,
        segment: &Arc<OpenSegment>,
        whole: &Arc<Projection>,
        block: usize,
    ) -> Result<Arc<ColdRows>> {
        let name = (segment.number(), block);
        let held = self.blocks.get(&name);
        if let Some((_, rows)) = held.filter(|(of, _)| Arc::ptr_eq(of, &whole.layout)) {
            return Ok(rows);
        }
        let mut reader =
            segment.read(whole, std::slice::from_ref(&(block..block + 1)), CHUNK_ROWS)?;
        let rows = reader.next().await?;
        let rows = rows.ok_or_else(|| Error::corrupt("a block of a segment has no rows"))?;
        let (rows, bytes) = (Arc::new(rows), BLOCK_OVERHEAD_BYTES);
        let bytes = bytes + rows.bytes();
        self.blocks.put(name, (Arc::clone(&whole.layout), Arc::clone(&rows)), bytes);
        Ok(rows)
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

/// A row found in the cold tier.
#[derive(Clone)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) chunk: Arc<Chunk>,
    /// Its place in the chunk.
    pub(crate) row: usize,
}

/// The newest cold row with a key; `None` if there is none or it is deleted.
async fn get(
    segments: &Segments,
    manifest: &Manifest,
    layout: &Arc<Layout>,
    key: &Bytes,
) -> Result<Option<Row>> {
    if !manifest.segments.iter().any(|segment| segment.spans(key)) {
        return Ok(None);
    }
    let projection = Arc::new(Projection::whole(layout)?);
    let found = find(segments, manifest, &projection, std::slice::from_ref(key)).await?;
    let Some(Found { chunk, row: at }) = found.into_iter().next().flatten() else {
        return Ok(None);
    };
    let image = image(layout, &chunk, at)?;
    Ok(Some(Row { lsn: crate::id::Lsn(chunk.lsns.value(at)), image }))
}

/// The row bytes of one row of a chunk of all live columns.
fn image(layout: &Layout, chunk: &Chunk, at: usize) -> Result<RowImage> {
    let columns = chunk.columns.iter().map(|column| column.slice(at, 1)).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(layout.schema(), columns, &options)
        .map_err(Error::arrow)?;
    row::encode(layout, &batch, 0)
}

/// The newest cold rows with these keys, which ascend; `None` where there is none or it is deleted.
pub(crate) async fn find(
    segments: &Segments,
    manifest: &Manifest,
    projection: &Arc<Projection>,
    keys: &[Bytes],
) -> Result<Vec<Option<Found>>> {
    // Many keys come from an index: they are there, and where there is one segment, there.
    let mut search = Search::new(projection, keys, manifest.segments.len() == 1);
    search.run(segments, manifest).await?;
    Ok(search.found)
}

struct Search<'a> {
    projection: &'a Arc<Projection>,
    keys: &'a [Bytes],
    found: Vec<Option<Found>>,
    /// Which keys were met, as a row or as a tombstone.
    met: Vec<bool>,
    probes: Vec<Option<Vec<Probe>>>,
    /// Whether all keys are known to be there, in the one segment that there is.
    sure: bool,
}

impl<'a> Search<'a> {
    fn new(projection: &'a Arc<Projection>, keys: &'a [Bytes], sure: bool) -> Search<'a> {
        Search {
            projection,
            keys,
            found: vec![None; keys.len()],
            met: vec![false; keys.len()],
            probes: (0..keys.len()).map(|_| None).collect(),
            sure: sure && keys.len() > 1,
        }
    }

    async fn run(&mut self, segments: &Segments, manifest: &Manifest) -> Result<()> {
        for entry in manifest.segments.iter().rev() {
            let keys = self.keys;
            if self.open().any(|at| entry.spans(&keys[at])) {
                let segment = segments.open(entry).await?;
                self.within(entry, segments, &segment).await?;
            }
        }
        Ok(())
    }

    /// Places of the keys not yet met.
    fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.met.iter().enumerate().filter(|(_, met)| !**met).map(|(at, _)| at)
    }

    /// Looks for the open keys in one segment.
    async fn within(
        &mut self,
        entry: &SegmentEntry,
        segments: &Segments,
        segment: &Arc<OpenSegment>,
    ) -> Result<()> {
        // Row group -> block -> keys that it may hold.
        let mut wanted: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        let open: Vec<usize> = self.open().collect();
        for at in open {
            let key = &self.keys[at];
            let block = entry.spans(key).then(|| segment.blocks().find(key)).flatten();
            let Some(block) = block else { continue };
            let group = segment.blocks().get(block).map_or(0, |b| b.group);
            if !self.sure && self.probes[at].is_none() {
                self.probes[at] = Some(self.projection.key.probes(key)?);
            }
            let probes = self.probes[at].as_deref().unwrap_or_default();
            if segment.may_hold(group, probes).await? {
                wanted.entry(group).or_default().entry(block).or_default().push(at);
            }
        }
        for blocks in wanted.into_values() {
            let blocks: Vec<(usize, Vec<usize>)> = blocks.into_iter().collect();
            for part in blocks.chunks(FIND_BLOCKS) {
                match part {
                    [(block, wanted)] if self.projection.is_whole() => {
                        let rows = segments.block(segment, self.projection, *block).await?;
                        self.take(&rows, wanted)?;
                    }
                    _ => self.read(segment, part).await?,
                }
            }
        }
        Ok(())
    }

    /// Reads some blocks of one row group and takes the wanted rows out.
    async fn read(
        &mut self,
        segment: &Arc<OpenSegment>,
        blocks: &[(usize, Vec<usize>)],
    ) -> Result<()> {
        let mut spans: Vec<Range<usize>> = Vec::with_capacity(blocks.len());
        for (block, _) in blocks {
            match spans.last_mut() {
                Some(last) if last.end == *block => last.end += 1,
                _ => spans.push(*block..*block + 1),
            }
        }
        let wanted: Vec<usize> = blocks.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
        let mut reader = segment.read(self.projection, &spans, CHUNK_ROWS)?;
        let mut left = &wanted[..];
        while let Some(rows) = reader.next().await? {
            left = self.take(&rows, left)?;
        }
        Ok(())
    }

    /// Takes wanted rows out of read ones; returns the keys that lie beyond them.
    fn take<'w>(&mut self, rows: &ColdRows, wanted: &'w [usize]) -> Result<&'w [usize]> {
        let (mut places, mut of) = (Vec::new(), Vec::new());
        let mut passed = wanted.len();
        for (nth, at) in wanted.iter().enumerate() {
            let key = &self.keys[*at];
            let (place, equal) = self.projection.key.search(&rows.key_columns, rows.len(), key)?;
            if place == rows.len() {
                passed = nth;
                break;
            }
            if equal {
                self.met[*at] = true;
                if !rows.deleted.as_ref().is_some_and(|d| d.value(place)) {
                    places.push(u32::try_from(place).unwrap_or(u32::MAX));
                    of.push(*at);
                }
            }
        }
        if !places.is_empty() {
            let places = UInt32Array::from(places);
            let take = |array: &dyn Array| arrow::compute::take(array, &places, None);
            let columns = rows.columns.iter().map(|c| take(c.as_ref()));
            let columns =
                columns.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::arrow)?;
            let lsns = places.values().iter().map(|at| rows.lsns.value(*at as usize)).collect();
            let keys = of.iter().map(|at| self.keys[*at].clone()).collect();
            let chunk = Arc::new(Chunk::new(keys, lsns, None, columns));
            for (row, at) in of.into_iter().enumerate() {
                self.found[at] = Some(Found { chunk: Arc::clone(&chunk), row });
            }
        }
        Ok(&wanted[passed..])
    }
}
