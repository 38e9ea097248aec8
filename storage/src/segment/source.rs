//! One segment as a source of sorted chunks, in either direction.

use super::read::{BlockReader, ColdRows, OpenSegment, Projection};
use crate::chunk::{Chunk, KeySource, after};
use crate::cold::Segments;
use crate::error::{Error, Result};
use crate::key::KeyRange;
use crate::manifest::SegmentEntry;
use crate::segment::blocks::BLOCK_ROWS;
use bytes::Bytes;
use std::ops::{Bound, Range};
use std::sync::Arc;

/// Blocks of a chunk.
const CHUNK_BLOCKS: usize = 8;
/// Rows of a chunk.
pub(crate) const CHUNK_ROWS: usize = CHUNK_BLOCKS * BLOCK_ROWS;

/// The rows of one segment within a range.
///
/// Forward, the first read is one block, the next a chunk, then what is left of a row group at a
/// time, so that a short read stays short and a long one is sequential. Backward each read is one
/// chunk.
pub(crate) struct SegmentSource {
    segments: Segments,
    entry: Arc<SegmentEntry>,
    projection: Arc<Projection>,
    range: KeyRange,
    reverse: bool,
    opened: Option<Opened>,
    done: bool,
}

struct Opened {
    segment: Arc<OpenSegment>,
    left: Range<usize>,
    step: usize,
    reader: Option<BlockReader>,
}

impl SegmentSource {
    /// The rows of a segment in `range`; nothing is read yet.
    pub(crate) fn new(
        segments: Segments,
        entry: Arc<SegmentEntry>,
        projection: Arc<Projection>,
        range: KeyRange,
        reverse: bool,
    ) -> SegmentSource {
        SegmentSource { segments, entry, projection, range, reverse, opened: None, done: false }
    }

    /// Forward: no key that is still to come is less. Backward: none is equal or greater.
    pub(crate) fn bound(&self) -> Bytes {
        let block = self.opened.as_ref().and_then(|opened| {
            let at = if self.reverse { opened.left.end } else { opened.left.start };
            opened.segment.blocks().get(at)
        });
        match (self.reverse, block) {
            (_, Some(block)) => block.start.clone(),
            (false, None) => self.entry.key_min.clone(),
            (true, None) => after(&self.entry.key_max),
        }
    }

    /// The next rows.
    pub(crate) async fn load(&mut self) -> Result<Option<Arc<Chunk>>> {
        while !self.done {
            let Some((rows, span)) = self.read().await? else {
                self.done = true;
                break;
            };
            if let Some(chunk) = self.chunk(rows, &span)? {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Reads the next blocks, and says which they are.
    async fn read(&mut self) -> Result<Option<(ColdRows, Range<usize>)>> {
        if self.opened.is_none() {
            let segment = self.segments.open(&self.entry).await?;
            let left = segment.blocks().within(&self.range);
            self.opened = Some(Opened { segment, left, step: 1, reader: None });
        }
        let Some(opened) = &mut self.opened else { return Ok(None) };
        loop {
            if let Some(reader) = &mut opened.reader {
                match reader.next().await? {
                    Some(rows) => return opened.took(rows, self.reverse).map(Some),
                    None => opened.reader = None,
                }
            }
            let Some(span) = opened.next_span(self.reverse) else { return Ok(None) };
            let reader = opened.segment.read(&self.projection, &[span], CHUNK_ROWS)?;
            opened.reader = Some(reader);
        }
    }

    /// Rows as a chunk, cut to the range; `None` if none is in it.
    fn chunk(&self, rows: ColdRows, span: &Range<usize>) -> Result<Option<Arc<Chunk>>> {
        let Some(opened) = &self.opened else { return Ok(None) };
        let blocks = opened.segment.blocks();
        let low = blocks.get(span.start).map(|b| b.start.clone()).unwrap_or_default();
        let high =
            blocks.get(span.end).map_or_else(|| after(&self.entry.key_max), |b| b.start.clone());
        let cut_low = match &self.range.start {
            Bound::Unbounded => false,
            Bound::Included(key) => low < *key,
            Bound::Excluded(key) => low <= *key,
        };
        let cut_high = match &self.range.end {
            Bound::Unbounded => false,
            Bound::Included(key) => high.as_ref() > after(key).as_ref(),
            Bound::Excluded(key) => high > *key,
        };
        let keys = KeySource::Columns(Arc::clone(&self.projection.key), rows.key_columns);
        let chunk = Chunk::lazy((low, high), rows.lsns, rows.deleted, rows.columns, keys);
        if !cut_low && !cut_high {
            return Ok(Some(Arc::new(chunk)));
        }
        let keys = chunk.keys()?;
        let first = match &self.range.start {
            Bound::Unbounded => 0,
            Bound::Included(start) => keys.partition_point(|key| key < start),
            Bound::Excluded(start) => keys.partition_point(|key| key <= start),
        };
        let end = match &self.range.end {
            Bound::Unbounded => keys.len(),
            Bound::Included(end) => keys.partition_point(|key| key <= end),
            Bound::Excluded(end) => keys.partition_point(|key| key < end),
        };
        if first >= end {
            return Ok(None);
        }
        chunk.slice(first, end - first).map(|chunk| Some(Arc::new(chunk)))
    }
}

impl Opened {
    /// The blocks to read next: of one row group.
    fn next_span(&mut self, reverse: bool) -> Option<Range<usize>> {
        if self.left.is_empty() {
            return None;
        }
        let blocks = self.segment.blocks();
        let group = |at: usize| blocks.get(at).map(|b| b.group);
        let step = self.step;
        self.step = match step {
            1 => CHUNK_BLOCKS,
            _ if reverse => CHUNK_BLOCKS,
            _ => usize::MAX,
        };
        if reverse {
            let last = self.left.end - 1;
            let mut first = last;
            while first > self.left.start
                && last - first + 1 < step
                && group(first - 1) == group(last)
            {
                first -= 1;
            }
            Some(first..last + 1)
        } else {
            let first = self.left.start;
            let mut end = first + 1;
            while end < self.left.end && end - first < step && group(end) == group(first) {
                end += 1;
            }
            Some(first..end)
        }
    }

    /// Counts read rows off the blocks that are left.
    fn took(&mut self, rows: ColdRows, reverse: bool) -> Result<(ColdRows, Range<usize>)> {
        let blocks = self.segment.blocks();
        let mut counted = 0;
        let size = |at: usize| blocks.get(at).map_or(0, |b| b.rows);
        let span = if reverse {
            let end = self.left.end;
            while counted < rows.len() && self.left.end > self.left.start {
                self.left.end -= 1;
                counted += size(self.left.end);
            }
            self.left.end..end
        } else {
            let start = self.left.start;
            while counted < rows.len() && self.left.start < self.left.end {
                counted += size(self.left.start);
                self.left.start += 1;
            }
            start..self.left.start
        };
        if counted != rows.len() {
            return Err(Error::corrupt("a segment's blocks and its key index disagree"));
        }
        Ok((rows, span))
    }
}
