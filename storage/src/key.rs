//! Keys: bytes that order as PostgreSQL orders the values they stand for.
//!
//! Each column is a marker (a value, or a NULL, which comes last) and the value's key bytes; a
//! descending column is complemented whole, so there NULLs come first. No key is a prefix of
//! another of the same index, so composite keys need no separators.

mod range;

use std::ops::Deref;

use arrow::array::RecordBatch;
use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{Error, Result};
use crate::id::{NamespaceId, RelationId};
use crate::layout::{IndexLayout, Layout};
use crate::new_rows::NewRows;
use crate::packed::{Packed, Packer};
use crate::row::{self, RowImage};
use crate::value::{Reader, Value};
pub(crate) use range::HotRange;
pub use range::KeyRange;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 4096;

/// Bytes of a prefix of the rows and index families: namespace and relation.
pub(crate) const PREFIX_BYTES: usize = 12;

/// The key of a row within its relation and namespace: its primary key, or its hidden row id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// Takes bytes that [`encode`] or [`crate::Namespace::row_id_key`] made.
    pub fn from_bytes(bytes: Bytes) -> Key {
        Key(bytes)
    }

    /// The key of a hidden row id.
    pub fn from_row_id(id: i64) -> Key {
        Key(Bytes::copy_from_slice(&Key::row_id_bytes(id)))
    }

    pub(crate) fn row_id_bytes(id: i64) -> [u8; 8] {
        (id ^ i64::MIN).to_be_bytes()
    }

    /// The hidden row id of a key made by [`Key::from_row_id`].
    pub fn row_id(&self) -> Option<i64> {
        let bytes: [u8; 8] = self.0[..].try_into().ok()?;
        Some(i64::from_be_bytes(bytes) ^ i64::MIN)
    }

    /// The bytes, which may be compared and stored.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The primary key of one row of a batch in the form of [`Layout::schema`].
///
/// Fails with `Full` if the key is longer than [`MAX_KEY_BYTES`], with `Invalid` if the batch has
/// another form or if the relation has no primary key.
pub fn encode(layout: &Layout, batch: &RecordBatch, row: usize) -> Result<Key> {
    let columns = key_columns(layout)?;
    let readers = readers(layout, batch, columns)?;
    let mut out = Vec::with_capacity(32);
    write(layout, columns, &readers, row, &mut out)?;
    Ok(Key(Bytes::from(out)))
}

/// The primary keys of all rows of a batch; they share memory. Fails as [`encode`] does.
pub fn encode_all(layout: &Layout, batch: &RecordBatch) -> Result<Vec<Key>> {
    let keys = encode_packed(layout, batch)?;
    Ok((0..keys.len()).map(|row| Key(keys.bytes(row))).collect())
}

pub(crate) fn encode_packed(layout: &Layout, batch: &RecordBatch) -> Result<Packed> {
    let columns = key_columns(layout)?;
    let readers = readers(layout, batch, columns)?;
    let mut keys = Packer::new(batch.num_rows(), 16);
    for row in 0..batch.num_rows() {
        write(layout, columns, &readers, row, &mut keys.bytes)?;
        keys.end()?;
    }
    Ok(keys.finish())
}

/// The primary key of a row image. Fails as [`encode`] does, or with `Corrupt`.
pub fn from_image(layout: &Layout, image: &RowImage) -> Result<Key> {
    let columns = key_columns(layout)?;
    let values = row::values(layout, image, columns)?;
    let mut out = Vec::with_capacity(32);
    for (value, &place) in values.iter().zip(columns) {
        value.write_key_column(&layout.columns[place].ty, false, &mut out)?;
    }
    check_length(out.len())?;
    Ok(Key(Bytes::from(out)))
}

/// What [`crate::Namespace::get_unique`] looks for: the values of one row of a batch in an index.
/// `None` when they can equal no other row's, because one is NULL and NULLs are distinct.
///
/// Fails as [`encode`] does.
pub fn index_key(
    layout: &Layout,
    index: usize,
    batch: &RecordBatch,
    row: usize,
) -> Result<Option<Bytes>> {
    let index = layout.index(index)?;
    let readers = readers(layout, batch, &index.columns)?;
    let values = readers.iter().map(|reader| reader.value(row)).collect::<Result<Vec<_>>>()?;
    let (bytes, alone) = index_values(layout, index, &values)?;
    Ok((!alone).then(|| Bytes::from(bytes)))
}

/// [`index_key`] of every row of a batch. Fails as [`encode`] does.
pub fn index_keys(
    layout: &Layout,
    index: usize,
    batch: &RecordBatch,
) -> Result<Vec<Option<Bytes>>> {
    let index = layout.index(index)?;
    let readers = readers(layout, batch, &index.columns)?;
    let mut values = Vec::with_capacity(readers.len());
    let row = |row| {
        values.clear();
        for reader in &readers {
            values.push(reader.value(row)?);
        }
        let (bytes, alone) = index_values(layout, index, &values)?;
        Ok((!alone).then(|| Bytes::from(bytes)))
    };
    (0..batch.num_rows()).map(row).collect()
}

/// As [`index_key`], for a row image.
pub fn index_key_of_image(
    layout: &Layout,
    index: usize,
    image: &RowImage,
) -> Result<Option<Bytes>> {
    let index = layout.index(index)?;
    let values = row::values(layout, image, &index.columns)?;
    let (bytes, alone) = index_values(layout, index, &values)?;
    Ok((!alone).then(|| Bytes::from(bytes)))
}

/// An entry of the index family: key bytes without namespace and relation, and value.
///
/// Where the values alone name one row (a unique index without NULLs), the row's key is the entry's
/// value; else the row's key follows the values, and the entry's value is its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

/// First byte of an entry's value: the row's key follows.
const ENTRY_KEY_IN_VALUE: u8 = 0;
/// First byte of an entry's value: the row's key ends the entry's key; its length follows.
const ENTRY_KEY_IN_KEY: u8 = 1;

impl IndexEntry {
    pub(crate) fn new(
        layout: &Layout,
        index: &IndexLayout,
        key: &Key,
        image: &RowImage,
    ) -> Result<IndexEntry> {
        let values = row::values(layout, image, &index.columns)?;
        IndexEntry::of_values(layout, index, key, &values)
    }

    /// The entries of all rows of a batch, in the order of `rows`.
    pub(crate) fn of_rows(
        layout: &Layout,
        index: &IndexLayout,
        rows: &NewRows,
        batch: &RecordBatch,
        mut each: impl FnMut(IndexEntry),
    ) -> Result<()> {
        let readers = readers(layout, batch, &index.columns)?;
        let mut values = Vec::with_capacity(readers.len());
        for row in 0..rows.len() {
            values.clear();
            for reader in &readers {
                values.push(reader.value(rows.place(row))?);
            }
            each(IndexEntry::of_values(layout, index, rows.key_slice(row), &values)?);
        }
        Ok(())
    }

    fn of_values(
        layout: &Layout,
        index: &IndexLayout,
        key: &[u8],
        values: &[Value<'_>],
    ) -> Result<IndexEntry> {
        let (mut bytes, alone) = index_values(layout, index, values)?;
        let mut value = BytesMut::with_capacity(1 + key.len());
        if index.unique && !alone {
            value.put_u8(ENTRY_KEY_IN_VALUE);
            value.put_slice(key);
        } else {
            bytes.extend_from_slice(key);
            value.put_u8(ENTRY_KEY_IN_KEY);
            let length = u16::try_from(key.len()).map_err(|_| too_long(key.len()))?;
            value.put_u16(length);
        }
        Ok(IndexEntry { key: Bytes::from(bytes), value: value.freeze() })
    }

    /// The key of the row that an entry points at, given the entry's two halves.
    pub(crate) fn row_key(key: &Bytes, value: &Bytes) -> Result<Key> {
        let malformed = || Error::corrupt("malformed index entry");
        match value.split_first().ok_or_else(malformed)? {
            (&ENTRY_KEY_IN_VALUE, _) => Ok(Key(value.slice(1..))),
            (&ENTRY_KEY_IN_KEY, length) => {
                let length: [u8; 2] = length.try_into().map_err(|_| malformed())?;
                let length = usize::from(u16::from_be_bytes(length));
                let start = key.len().checked_sub(length).ok_or_else(malformed)?;
                Ok(Key(key.slice(start..)))
            }
            _ => Err(malformed()),
        }
    }
}

/// The first bytes of every key of a relation in a namespace.
pub(crate) fn prefix(namespace: NamespaceId, relation: RelationId) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..8].copy_from_slice(&namespace.0.to_be_bytes());
    prefix[8..].copy_from_slice(&relation.0.to_be_bytes());
    prefix
}

/// The whole key, as it lies in the rows and index families.
pub(crate) fn absolute(namespace: NamespaceId, relation: RelationId, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + key.len());
    bytes.extend_from_slice(&prefix(namespace, relation));
    bytes.extend_from_slice(key);
    bytes
}

pub(crate) fn check_length(bytes: usize) -> Result<()> {
    if bytes > MAX_KEY_BYTES { Err(too_long(bytes)) } else { Ok(()) }
}

fn too_long(bytes: usize) -> Error {
    Error::full(format!("key of {bytes} bytes exceeds the maximum of {MAX_KEY_BYTES}"))
}

fn key_columns(layout: &Layout) -> Result<&[usize]> {
    if layout.key.is_empty() {
        return Err(Error::invalid(format!("relation {} has no primary key", layout.relation)));
    }
    Ok(&layout.key)
}

fn readers<'a>(
    layout: &'a Layout,
    batch: &'a RecordBatch,
    columns: &[usize],
) -> Result<Vec<Reader<'a>>> {
    let read = |&place: &usize| {
        let column = layout.column(place)?;
        let array = layout.place(place).and_then(|i| batch.columns().get(i));
        let array = array.ok_or_else(|| Error::invalid(format!("column {place} is absent")))?;
        Reader::new(&column.ty, array)
    };
    columns.iter().map(read).collect()
}

fn write(
    layout: &Layout,
    columns: &[usize],
    readers: &[Reader<'_>],
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    for (reader, &place) in readers.iter().zip(columns) {
        reader.value(row)?.write_key_column(&layout.columns[place].ty, false, out)?;
    }
    check_length(out.len() - start)
}

/// The bytes of an index's values, and whether they can equal no other row's.
fn index_values(
    layout: &Layout,
    index: &IndexLayout,
    values: &[Value<'_>],
) -> Result<(Vec<u8>, bool)> {
    let mut out = Vec::with_capacity(32);
    for (i, (value, &place)) in values.iter().zip(&index.columns).enumerate() {
        let descending = index.descending.get(i).copied().unwrap_or(false);
        value.write_key_column(&layout.column(place)?.ty, descending, &mut out)?;
    }
    check_length(out.len())?;
    let alone = index.nulls_distinct && values.contains(&Value::Null);
    Ok((out, alone))
}

#[cfg(test)]
mod tests;
