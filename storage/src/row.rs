//! The bytes of a row: its image, and the image as it lies in the hot store.
//!
//! An image holds the number of attributes its writer knew, a bit for each that is NULL, and the
//! values of the others in attnum order. Adding a column changes no image: a row that is older than
//! a column yields the column's `missing` value. Dropping one changes none either: its type stays
//! in the layout, so its bytes can be stepped over.

mod builder;

use std::ops::Deref;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::Lsn;
use crate::layout::Layout;
use crate::packed::{Packed, Packer};
use crate::value::{Reader, Value, short, take};
use builder::Builder;
use std::sync::Arc;

/// The bytes of one row. Readable with the layout of its relation, at that time or later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowImage(Bytes);

/// A row as a read finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The commit that wrote it. A row of one's own write set has 0.
    pub lsn: Lsn,
    /// Its bytes.
    pub image: RowImage,
}

impl RowImage {
    /// Takes bytes that [`encode`] made.
    pub fn from_bytes(bytes: Bytes) -> RowImage {
        RowImage(bytes)
    }

    /// The bytes, which may be sent and stored.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for RowImage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The image of one row of a batch in the form of [`Layout::schema`].
///
/// Fails with `Invalid` if the batch has another form.
pub fn encode(layout: &Layout, batch: &RecordBatch, row: usize) -> Result<RowImage> {
    let readers = readers(layout, batch)?;
    let mut scratch = Vec::with_capacity(128);
    encode_row(layout, &readers, row, &mut scratch)?;
    Ok(RowImage(Bytes::from(scratch)))
}

/// The images of all rows of a batch in the form of [`Layout::schema`]. They share memory.
pub fn encode_all(layout: &Layout, batch: &RecordBatch) -> Result<Vec<RowImage>> {
    let images = encode_packed(layout, batch)?;
    Ok((0..images.len()).map(|row| RowImage(images.bytes(row))).collect())
}

pub(crate) fn encode_packed(layout: &Layout, batch: &RecordBatch) -> Result<Packed> {
    let readers = readers(layout, batch)?;
    let mut images = Packer::new(batch.num_rows(), 64);
    for row in 0..batch.num_rows() {
        encode_row(layout, &readers, row, &mut images.bytes)?;
        images.end()?;
    }
    Ok(images.finish())
}

/// The asked attributes (places in `Layout::columns`) of these rows, in the order asked.
///
/// Fails with `Corrupt` if an image ends early, with `Invalid` if a column is dropped or absent.
pub fn decode(layout: &Layout, images: &[RowImage], columns: &[usize]) -> Result<RecordBatch> {
    let images = images.iter().map(|image| &image[..]);
    decode_slices(layout, images, columns)
}

pub(crate) fn decode_slices<'a>(
    layout: &Layout,
    images: impl ExactSizeIterator<Item = &'a [u8]>,
    columns: &[usize],
) -> Result<RecordBatch> {
    let rows = images.len();
    let mut builders = Builders::new(layout, columns, rows)?;
    for image in images {
        builders.append(image)?;
    }
    builders.finish(rows)
}

/// Turns images into a batch, one at a time.
pub(crate) struct Builders<'a> {
    layout: &'a Layout,
    /// One for each attribute that is wanted.
    builders: Vec<Builder>,
    /// For each attribute, up to the last wanted, its builder.
    wanted: Vec<Option<usize>>,
    /// For each column of the batch, its builder.
    columns: Vec<usize>,
    schema: Arc<Schema>,
}

impl<'a> Builders<'a> {
    pub(crate) fn new(layout: &'a Layout, columns: &[usize], rows: usize) -> Result<Builders<'a>> {
        let last = columns.iter().max().map_or(0, |max| max + 1);
        let mut wanted = vec![None; last];
        let mut builders = Vec::with_capacity(columns.len());
        let mut fields = Vec::new();
        let mut places = Vec::with_capacity(columns.len());
        let whole = columns == layout.live();
        for &place in columns {
            let column = layout.column(place)?;
            if column.dropped {
                return Err(Error::invalid(format!("column {place} is dropped")));
            }
            if !whole {
                fields.push(layout.field(place)?);
            }
            places.push(*wanted[place].get_or_insert_with(|| {
                builders.push(Builder::new(&column.ty, rows));
                builders.len() - 1
            }));
        }
        let schema = if whole { layout.schema() } else { Arc::new(Schema::new(fields)) };
        Ok(Builders { layout, builders, wanted, columns: places, schema })
    }

    pub(crate) fn append(&mut self, image: &[u8]) -> Result<()> {
        let mut values = Values::new(self.layout, image)?;
        for wanted in &self.wanted {
            match wanted {
                None => values.skip()?,
                Some(builder) => values.read_into(&mut self.builders[*builder])?,
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, rows: usize) -> Result<RecordBatch> {
        let built: Vec<ArrayRef> = self.builders.into_iter().map(Builder::finish).collect();
        let arrays = self.columns.iter().map(|place| Arc::clone(&built[*place])).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema, arrays, &options)
            .map_err(|error| Error::corrupt(error.to_string()))
    }
}

/// The values of an image in attnum order.
pub(crate) struct Values<'a> {
    layout: &'a Layout,
    place: usize,
    known: usize,
    nulls: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    pub(crate) fn new(layout: &'a Layout, image: &'a [u8]) -> Result<Values<'a>> {
        let (known, rest) = image.split_first_chunk::<2>().ok_or_else(short)?;
        let known = usize::from(u16::from_le_bytes(*known));
        if known > layout.columns.len() {
            return Err(Error::invalid(format!(
                "a row of {known} columns is newer than its layout of {}",
                layout.columns.len()
            )));
        }
        let (nulls, rest) = rest.split_at_checked(known.div_ceil(8)).ok_or_else(short)?;
        Ok(Values { layout, place: 0, known, nulls, rest })
    }

    fn is_null(&self, place: usize) -> bool {
        self.nulls[place / 8] & (1 << (place % 8)) != 0
    }

    fn skip(&mut self) -> Result<()> {
        let place = self.place;
        self.place += 1;
        if place < self.known && !self.is_null(place) {
            take(&self.layout.columns[place].ty, &mut self.rest)?;
        }
        Ok(())
    }

    /// As [`Values::next_value`], straight into a builder.
    fn read_into(&mut self, builder: &mut Builder) -> Result<()> {
        let place = self.place;
        if place >= self.known {
            let value = self.next_value()?;
            return builder.append(&value);
        }
        self.place += 1;
        if self.is_null(place) {
            builder.append_null();
            return Ok(());
        }
        builder.read(&self.layout.columns[place].ty, &mut self.rest)
    }

    pub(crate) fn next_value(&mut self) -> Result<Value<'a>> {
        let place = self.place;
        self.place += 1;
        let column = self.layout.column(place)?;
        if place >= self.known {
            return match &column.missing {
                None => Ok(Value::Null),
                Some(array) => Reader::new(&column.ty, array)?.value(0),
            };
        }
        if self.is_null(place) {
            return Ok(Value::Null);
        }
        Value::read_row(&column.ty, &mut self.rest)
    }
}

/// The values at `places` of an image, in that order.
pub(crate) fn values<'a>(
    layout: &'a Layout,
    image: &'a [u8],
    places: &[usize],
) -> Result<Vec<Value<'a>>> {
    let mut found = vec![Value::Null; places.len()];
    let last = places.iter().max().map_or(0, |max| max + 1);
    let mut values = Values::new(layout, image)?;
    for place in 0..last {
        if places.contains(&place) {
            let value = values.next_value()?;
            for (i, _) in places.iter().enumerate().filter(|(_, p)| **p == place) {
                found[i] = value.clone();
            }
        } else {
            values.skip()?;
        }
    }
    Ok(found)
}

/// A reader of each attribute of a batch; None for the dropped ones.
pub(crate) fn readers<'a>(
    layout: &'a Layout,
    batch: &'a RecordBatch,
) -> Result<Vec<Option<Reader<'a>>>> {
    if batch.num_columns() != layout.live().len() {
        return Err(Error::invalid(format!(
            "a batch of {} columns is not of a relation of {}",
            batch.num_columns(),
            layout.live().len()
        )));
    }
    let read = |(place, column): (usize, &'a crate::layout::Column)| match layout.place(place) {
        None => Ok(None),
        Some(i) => Reader::new(&column.ty, batch.column(i)).map(Some),
    };
    layout.columns.iter().enumerate().map(read).collect()
}

fn encode_row(
    layout: &Layout,
    readers: &[Option<Reader<'_>>],
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let values = readers.iter().map(|reader| match reader {
        None => Ok(Value::Null),
        Some(reader) => reader.value(row),
    });
    encode_values(layout, values, out)
}

/// Appends the image of these values, one for each attribute, dropped ones too.
pub(crate) fn encode_values<'a>(
    layout: &Layout,
    values: impl Iterator<Item = Result<Value<'a>>>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let known = u16::try_from(layout.columns.len())
        .map_err(|_| Error::invalid("a relation has at most 65535 columns"))?;
    out.extend_from_slice(&known.to_le_bytes());
    let bits = out.len();
    out.resize(bits + layout.columns.len().div_ceil(8), 0);
    for (i, value) in values.enumerate() {
        let value = value?;
        if value == Value::Null {
            out[bits + i / 8] |= 1 << (i % 8);
        } else {
            value.write_row(&layout.columns[i].ty, out);
        }
    }
    Ok(())
}

/// The flag of a stored row that says the row is deleted, though the cold tier may have it.
pub(crate) const TOMBSTONE: u8 = 1;
/// The bytes of a stored row before its image: the LSN of its commit (u64 BE) and the flags.
pub(crate) const STORED_HEADER: usize = 9;

/// A value of the rows family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub(crate) lsn: Lsn,
    /// None: a tombstone.
    pub(crate) image: Option<RowImage>,
}

impl StoredRow {
    pub(crate) fn header(lsn: Lsn, tombstone: bool) -> [u8; STORED_HEADER] {
        let mut header = [0; STORED_HEADER];
        header[..8].copy_from_slice(&lsn.0.to_be_bytes());
        header[8] = if tombstone { TOMBSTONE } else { 0 };
        header
    }

    pub(crate) fn parse(bytes: &Bytes) -> Result<StoredRow> {
        let (lsn, tombstone, _) = StoredRow::split(bytes)?;
        let image = (!tombstone).then(|| RowImage(bytes.slice(STORED_HEADER..)));
        Ok(StoredRow { lsn, image })
    }

    /// LSN, whether a tombstone, and the image, without taking a share of the bytes.
    pub(crate) fn split(bytes: &[u8]) -> Result<(Lsn, bool, &[u8])> {
        let (lsn, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        let (&flags, image) = rest.split_first().ok_or_else(short)?;
        if flags & !TOMBSTONE != 0 {
            return Err(Error::corrupt(format!("unknown flags {flags:#x} in a row")));
        }
        Ok((Lsn(u64::from_be_bytes(*lsn)), flags & TOMBSTONE != 0, image))
    }
}
