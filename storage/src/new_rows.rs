//! Rows that are inserted together: encoded once, and kept as they were encoded.
//!
//! Keys and images of a batch lie in one piece of memory each, ascending by key. A transaction that
//! inserts many rows keeps these pieces until its commit, so a row costs its bytes and two offsets.

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::key::{self, Key};
use crate::layout::Layout;
use crate::packed::{Packed, Packer};
use crate::row::{self, RowImage};

/// Rows to be inserted at once, ascending by key. Made of one batch.
#[derive(Debug)]
pub struct NewRows {
    keys: Packed,
    images: Packed,
    /// Each row's place in the batch; `None`: the batch was in key order.
    places: Option<Vec<u32>>,
    repeats: bool,
}

impl NewRows {
    /// The rows of a batch in the form of [`Layout::schema`], by their primary keys.
    ///
    /// Fails with `Invalid` if a key is too long or the batch has another form, with `Full` if the
    /// rows take more than 4 GiB.
    pub fn by_primary_key(layout: &Layout, batch: &RecordBatch) -> Result<NewRows> {
        NewRows::new(layout, batch, key::encode_packed(layout, batch)?)
    }

    /// The rows of a batch under hidden row ids, one each. Fails as [`NewRows::by_primary_key`].
    pub fn by_row_id(layout: &Layout, batch: &RecordBatch, ids: &[i64]) -> Result<NewRows> {
        let mut keys = Packer::new(batch.num_rows(), 8);
        for id in ids.iter().take(batch.num_rows()) {
            keys.bytes.extend_from_slice(&Key::row_id_bytes(*id));
            keys.end()?;
        }
        let keys = keys.finish();
        if keys.len() < batch.num_rows() {
            return Err(Error::invalid("fewer row ids than rows"));
        }
        NewRows::new(layout, batch, keys)
    }

    fn new(layout: &Layout, batch: &RecordBatch, keys: Packed) -> Result<NewRows> {
        let images = row::encode_packed(layout, batch)?;
        let mut rows = NewRows { keys, images, places: None, repeats: false };
        if !rows.keys.ascends() {
            rows.sort();
        }
        Ok(rows)
    }

    fn sort(&mut self) {
        // A batch is far shorter than 2^32 rows: its values are counted in 31 bits.
        let mut places: Vec<u32> = (0..self.keys.len() as u32).collect();
        places.sort_by(|a, b| self.keys.get(*a as usize).cmp(self.keys.get(*b as usize)));
        self.keys = self.keys.arranged(&places);
        self.images = self.images.arranged(&places);
        self.places = Some(places);
        self.repeats = (1..self.len()).any(|row| self.keys.get(row - 1) == self.keys.get(row));
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether two of the rows have the same key.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// The rows' keys, ascending, as bytes.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.key_slice(row))
    }

    /// The key of one of them.
    pub fn key(&self, row: usize) -> Key {
        Key::from_bytes(self.keys.bytes(row))
    }

    pub(crate) fn key_slice(&self, row: usize) -> &[u8] {
        self.keys.get(row)
    }

    pub(crate) fn image(&self, row: usize) -> RowImage {
        RowImage::from_bytes(self.images.bytes(row))
    }

    pub(crate) fn image_slice(&self, row: usize) -> &[u8] {
        self.images.get(row)
    }

    /// The row's place in the batch.
    pub(crate) fn place(&self, row: usize) -> usize {
        self.places.as_ref().map_or(row, |places| places[row] as usize)
    }

    /// Bytes of keys and images.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.total() + self.images.total()
    }

    /// The row with a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        self.keys.find(key)
    }

    /// The first row of whose key `before` is not true; it is true of a part at the start.
    pub(crate) fn first_from(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.keys.first_from(before)
    }
}
