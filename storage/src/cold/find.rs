//! Rows of the cold tier by key: the newest version of each, segments from the latest to the first.
//!
//! A block kept in memory answers by itself. Of the others the Bloom filter is asked first; what it
//! lets pass is read, and kept if the blocks are few. Many are a scan by another name: their blocks
//! are read in larger pieces, and only the wanted columns of them, and not kept.

use super::Segments;
use crate::chunk::Chunk;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::manifest::{Manifest, SegmentEntry};
use crate::row::Row;
use crate::segment::keys::Probe;
use crate::segment::point::{PointBlock, Wanted};
use crate::segment::read::{ColdRows, OpenSegment, Projection};
use crate::segment::source::CHUNK_ROWS;
use arrow::array::{ArrayRef, UInt32Array};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// Most blocks of one segment that a read by several keys keeps.
pub(crate) const KEPT_BLOCKS_MAX: usize = 64;
/// Most blocks read at once where they are not kept.
const FIND_BLOCKS: usize = 8;

/// A row found in the cold tier.
#[derive(Clone)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) chunk: Arc<Chunk>,
    /// Its place in the chunk.
    pub(crate) row: usize,
}

/// The newest cold row with a key; `None` if there is none or it is deleted.
pub(super) async fn get(
    segments: &Segments,
    manifest: &Manifest,
    layout: &Arc<Layout>,
    key: &Bytes,
) -> Result<Option<Row>> {
    let wanted = Wanted { layout, columns: layout.live() };
    let mut probes: Option<Vec<Probe>> = None;
    for entry in manifest.segments.iter().rev().filter(|entry| entry.spans(key)) {
        let segment = segments.open(entry).await?;
        let Some(place) = segment.blocks().find(key) else { continue };
        let block = match segments.kept(&segment, place, layout)? {
            Some(block) if block.find(key).is_none() => continue,
            Some(block) if block.has(&segment, wanted) => block,
            Some(_) => segments.block(&segment, place, wanted).await?,
            None => {
                let probes = match &mut probes {
                    Some(probes) => probes,
                    none => none.insert(layout.key_columns()?.probes(key)?),
                };
                if !segment.may_hold(group(&segment, place), probes).await? {
                    continue;
                }
                segments.block(&segment, place, wanted).await?
            }
        };
        if let Some(row) = block.find(key) {
            return if block.is_deleted(row) { Ok(None) } else { block.row(layout, row).map(Some) };
        }
    }
    Ok(None)
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

/// Whether one of these keys, which ascend, is met, be it as a tombstone.
pub(super) async fn meets_any(
    segments: &Segments,
    manifest: &Manifest,
    projection: &Arc<Projection>,
    keys: &[Bytes],
) -> Result<bool> {
    let mut search = Search::new(projection, keys, false);
    search.run(segments, manifest).await?;
    Ok(search.met.contains(&true))
}

fn group(segment: &OpenSegment, block: usize) -> usize {
    segment.blocks().get(block).map_or(0, |block| block.group)
}

/// A block and the places of keys that it may hold.
type Sought = (usize, Vec<usize>);

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
            if (0..self.keys.len()).any(|at| !self.met[at] && entry.spans(&self.keys[at])) {
                let segment = segments.open(entry).await?;
                self.within(entry, segments, &segment).await?;
            }
        }
        Ok(())
    }

    /// Looks for the keys not yet met in one segment.
    async fn within(
        &mut self,
        entry: &SegmentEntry,
        segments: &Segments,
        segment: &Arc<OpenSegment>,
    ) -> Result<()> {
        let wanted = self.projection.wanted();
        let mut missing: Vec<Sought> = Vec::new();
        for (block, keys) in self.sought(entry, segment) {
            let known = segments.kept(segment, block, wanted.layout)?;
            let keys = match known {
                Some(known) if known.has(segment, wanted) => {
                    self.take_kept(&known, &keys)?;
                    continue;
                }
                Some(_) => keys,
                None => self.passing(segment, block, keys).await?,
            };
            if !keys.is_empty() {
                missing.push((block, keys));
            }
        }
        if missing.len() <= KEPT_BLOCKS_MAX {
            for (block, keys) in missing {
                let block = segments.block(segment, block, wanted).await?;
                self.take_kept(&block, &keys)?;
            }
            return Ok(());
        }
        for of_group in missing.chunk_by(|(a, _), (b, _)| group(segment, *a) == group(segment, *b))
        {
            for part in of_group.chunks(FIND_BLOCKS) {
                self.read(segment, part).await?;
            }
        }
        Ok(())
    }

    /// The keys not yet met, by the block that would hold them.
    fn sought(&self, entry: &SegmentEntry, segment: &OpenSegment) -> Vec<Sought> {
        let mut sought: Vec<Sought> = Vec::new();
        for at in (0..self.keys.len()).filter(|at| !self.met[*at]) {
            let key = &self.keys[at];
            let block = entry.spans(key).then(|| segment.blocks().find(key)).flatten();
            match (block, sought.last_mut()) {
                (None, _) => {}
                (Some(block), Some((last, keys))) if *last == block => keys.push(at),
                (Some(block), _) => sought.push((block, vec![at])),
            }
        }
        sought
    }

    /// Those of a block's keys that the Bloom filters let pass.
    async fn passing(
        &mut self,
        segment: &OpenSegment,
        block: usize,
        keys: Vec<usize>,
    ) -> Result<Vec<usize>> {
        if self.sure {
            return Ok(keys);
        }
        let mut passing = Vec::with_capacity(keys.len());
        for at in keys {
            if self.probes[at].is_none() {
                self.probes[at] = Some(self.projection.key.probes(&self.keys[at])?);
            }
            let probes = self.probes[at].as_deref().unwrap_or_default();
            if segment.may_hold(group(segment, block), probes).await? {
                passing.push(at);
            }
        }
        Ok(passing)
    }

    /// Takes the rows with these keys out of a block in memory.
    fn take_kept(&mut self, block: &PointBlock, keys: &[usize]) -> Result<()> {
        let mut rows = Rows::default();
        for at in keys {
            if let Some(row) = block.find(&self.keys[*at]) {
                self.met[*at] = true;
                if !block.is_deleted(row) {
                    rows.push(*at, row, block.lsn(row).0);
                }
            }
        }
        let wanted = self.projection.wanted();
        self.keep(rows, |places| block.take(wanted, places))
    }

    /// Reads some blocks of one row group and takes the wanted rows out.
    async fn read(&mut self, segment: &Arc<OpenSegment>, blocks: &[Sought]) -> Result<()> {
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
    fn take<'w>(&mut self, read: &ColdRows, wanted: &'w [usize]) -> Result<&'w [usize]> {
        let mut rows = Rows::default();
        let mut passed = wanted.len();
        for (nth, at) in wanted.iter().enumerate() {
            let key = &self.keys[*at];
            let (place, equal) = self.projection.key.search(&read.key_columns, read.len(), key)?;
            if place == read.len() {
                passed = nth;
                break;
            }
            if equal {
                self.met[*at] = true;
                if !read.deleted.as_ref().is_some_and(|d| d.value(place)) {
                    rows.push(*at, place, read.lsns.value(place));
                }
            }
        }
        self.keep(rows, |places| {
            let take = |array: &ArrayRef| arrow::compute::take(array.as_ref(), places, None);
            read.columns.iter().map(|array| take(array).map_err(Error::arrow)).collect()
        })?;
        Ok(&wanted[passed..])
    }

    /// Makes a chunk of the found rows.
    fn keep(
        &mut self,
        rows: Rows,
        columns: impl FnOnce(&UInt32Array) -> Result<Vec<ArrayRef>>,
    ) -> Result<()> {
        if rows.keys.is_empty() {
            return Ok(());
        }
        let columns = columns(&UInt32Array::from(rows.places))?;
        let keys = rows.keys.iter().map(|at| self.keys[*at].clone()).collect();
        let chunk = Arc::new(Chunk::new(keys, rows.lsns, None, columns));
        for (row, at) in rows.keys.into_iter().enumerate() {
            self.found[at] = Some(Found { chunk: Arc::clone(&chunk), row });
        }
        Ok(())
    }
}

/// Rows found in one piece.
#[derive(Default)]
struct Rows {
    /// Places of their keys among the sought ones.
    keys: Vec<usize>,
    /// Where they are.
    places: Vec<u32>,
    lsns: Vec<u64>,
}

impl Rows {
    fn push(&mut self, key: usize, place: usize, lsn: u64) {
        self.keys.push(key);
        self.places.push(u32::try_from(place).unwrap_or(u32::MAX));
        self.lsns.push(lsn);
    }
}
