//! Hot rows of a relation as a source of sorted chunks.

use crate::chunk::{Chunk, KeySource, after};
use crate::error::{Error, Result};
use crate::hot::{self, ChunkLimit, Family, HotRange};
use crate::id::NamespaceId;
use crate::key::{KeyRange, PREFIX_BYTES};
use crate::row::{self, STORED_HEADER, StoredRow};
use crate::segment::read::Projection;
use crate::snapshot::Snapshot;
use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use bytes::Bytes;
use std::sync::Arc;

/// Rows of the first read, so that a short scan stays short.
const FIRST_ROWS: usize = 256;

/// The hot rows of one relation within a range.
pub(crate) struct HotSource {
    snapshot: Snapshot,
    range: HotRange,
    reverse: bool,
    projection: Arc<Projection>,
    rows: usize,
    done: bool,
}

impl HotSource {
    /// Hot rows in `range`, `first_rows` (or a few) at the first read.
    pub(crate) fn new(
        snapshot: Snapshot,
        namespace: NamespaceId,
        range: &KeyRange,
        reverse: bool,
        projection: Arc<Projection>,
    ) -> HotSource {
        let done = range.is_empty();
        let range = range.absolute(namespace, projection.layout.relation);
        HotSource { snapshot, range, reverse, projection, rows: FIRST_ROWS, done }
    }

    /// The next rows, ascending, whichever way the scan goes.
    pub(crate) async fn load(&mut self) -> Result<Option<Arc<Chunk>>> {
        if self.done || self.range.is_empty() {
            return Ok(None);
        }
        let limit = ChunkLimit::rows(self.rows);
        let hot = self.snapshot.hot();
        let read = hot.scan(Family::Rows, &self.range, self.reverse, limit).await?;
        self.rows = usize::MAX;
        match read.last_key() {
            Some(last) if read.more() => self.range.after(last, self.reverse),
            _ => self.done = true,
        }
        if read.is_empty() {
            return Ok(None);
        }
        chunk_of(read, self.reverse, &self.projection).map(|chunk| Some(Arc::new(chunk)))
    }
}

/// Pairs come in the order of travel; a chunk ascends.
fn chunk_of(read: hot::Chunk, descending: bool, projection: &Projection) -> Result<Chunk> {
    let count = read.len();
    let place = |i: usize| if descending { count - 1 - i } else { i };
    let mut lsns = Vec::with_capacity(count);
    let mut tombstones = false;
    for i in 0..count {
        let (lsn, deleted, _) = StoredRow::split(read.value(place(i)))?;
        lsns.push(lsn.0);
        tombstones |= deleted;
    }
    if tombstones {
        let keys = (0..count).map(|i| read.key_bytes(place(i)).slice(PREFIX_BYTES..)).collect();
        let mut rows = HotRows::default();
        for i in 0..count {
            rows.push(read.value_bytes(place(i)))?;
        }
        return rows.into_chunk(keys, projection);
    }
    let images = (0..count).map(|i| &read.value(place(i))[STORED_HEADER..]);
    let batch = row::decode_slices(&projection.layout, images, &projection.columns)?;
    let columns = batch.columns().to_vec();
    let key = |i: usize| read.key_bytes(place(i)).slice(PREFIX_BYTES..);
    let (low, high) = (key(0), after(&key(count - 1)));
    let keys = KeySource::Pairs { pairs: read, descending };
    Ok(Chunk::lazy((low, high), lsns.into(), None, columns, keys))
}

/// Rows given as images, on their way to arrays.
#[derive(Default)]
pub(crate) struct HotRows {
    lsns: Vec<u64>,
    images: Vec<Option<Bytes>>,
}

impl HotRows {
    /// A value of the rows family.
    pub(crate) fn push(&mut self, stored: Bytes) -> Result<()> {
        let (lsn, deleted, image) = StoredRow::split(&stored)?;
        let image = (!deleted).then(|| stored.slice_ref(image));
        self.push_image(lsn.0, image);
        Ok(())
    }

    /// A row's image, or none for a tombstone.
    pub(crate) fn push_image(&mut self, lsn: u64, image: Option<Bytes>) {
        self.lsns.push(lsn);
        self.images.push(image);
    }

    /// The rows with their keys.
    pub(crate) fn into_chunk(self, keys: Vec<Bytes>, projection: &Projection) -> Result<Chunk> {
        let images = &self.images;
        if images.iter().all(Option::is_some) {
            let slices = images.iter().map(|image| image.as_deref().unwrap_or_default());
            let batch = row::decode_slices(&projection.layout, slices, &projection.columns)?;
            return Ok(Chunk::new(keys, self.lsns, None, batch.columns().to_vec()));
        }
        let live: Vec<&[u8]> = images.iter().flatten().map(|image| &image[..]).collect();
        let batch = row::decode_slices(&projection.layout, live.into_iter(), &projection.columns)?;
        let mut next = 0_u32;
        let places: UInt32Array = images
            .iter()
            .map(|image| {
                image.as_ref()?;
                next += 1;
                Some(next - 1)
            })
            .collect();
        let spread = |column: &ArrayRef| arrow::compute::take(column, &places, None);
        let columns = batch.columns().iter().map(spread);
        let columns = columns.collect::<std::result::Result<_, _>>().map_err(Error::arrow)?;
        let deleted: BooleanArray = images.iter().map(|image| Some(image.is_none())).collect();
        Ok(Chunk::new(keys, self.lsns, Some(deleted), columns))
    }
}
