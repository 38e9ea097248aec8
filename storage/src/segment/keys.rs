//! Keys of cold rows: made from the key columns, and taken apart again.
//!
//! Segments hold key columns, not key bytes. A key is rebuilt when rows must be compared; a
//! tombstone, of which only the key is known, is taken apart into its columns. Where several values
//! are one key (display scales of numeric, -0, intervals of equal span), any of them will do.

use super::form;
use crate::error::{Error, Result};
use crate::key::{self, Key};
use crate::layout::{Column, Layout};
use crate::packed::{Packed, Packer};
use crate::row::{self, RowImage};
use crate::types::ColumnType;
use crate::value::{NOT_NULL, NULL, Value};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, UInt32Type,
};
use bytes::Bytes;
use parquet::bloom_filter::Sbbf;
use std::borrow::Cow;
use std::sync::Arc;

/// After the last element of a list in a key.
const LIST_END: u8 = 0x00;
const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const DAYS_PER_MONTH: i128 = 30;

/// How the keys of a relation are made of columns.
#[derive(Debug)]
pub(crate) struct KeyColumns {
    /// A relation of the key columns alone; `None` where the key is a hidden row id.
    layout: Option<Layout>,
    fields: Vec<i32>,
    types: Vec<ColumnType>,
}

impl KeyColumns {
    /// The key of a relation.
    pub(crate) fn new(layout: &Layout) -> Result<KeyColumns> {
        if layout.key.is_empty() {
            let (fields, types) = (vec![form::ROW_ID_FIELD], vec![ColumnType::Int64]);
            return Ok(KeyColumns { layout: None, fields, types });
        }
        let mut columns = Vec::with_capacity(layout.key.len());
        for place in &layout.key {
            let column = layout.column(*place)?;
            columns.push(Column { nullable: true, dropped: false, ..column.clone() });
        }
        let types = columns.iter().map(|c| c.ty.clone()).collect();
        let places = (0..columns.len()).collect();
        let own = Layout::new(layout.relation, columns, places, Vec::new(), String::new());
        let fields = layout.key.iter().map(|place| form::field_id(*place)).collect();
        Ok(KeyColumns { layout: Some(own), fields, types })
    }

    /// Field ids of the key columns.
    pub(crate) fn fields(&self) -> &[i32] {
        &self.fields
    }

    /// Types of the key columns.
    pub(crate) fn types(&self) -> &[ColumnType] {
        &self.types
    }

    /// The keys of all rows, in one piece of memory.
    pub(crate) fn encode_packed(&self, columns: &[ArrayRef]) -> Result<Packed> {
        match &self.layout {
            None => {
                let ids = row_id_array(columns)?.values();
                let mut keys = Packer::new(ids.len(), size_of::<i64>());
                for id in ids {
                    keys.bytes.extend_from_slice(&Key::row_id_bytes(*id));
                    keys.end()?;
                }
                Ok(keys.finish())
            }
            Some(layout) => key::encode_packed(layout, &batch(layout, columns)?),
        }
    }

    /// The keys of all rows.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Vec<Bytes>> {
        let keys = self.encode_packed(columns)?;
        Ok((0..keys.len()).map(|row| keys.bytes(row)).collect())
    }

    /// The place of the first row whose key is not less than `key`, and whether it is equal.
    pub(crate) fn search(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        key: &[u8],
    ) -> Result<(usize, bool)> {
        let of_row: Box<dyn Fn(usize) -> Result<Key>> = match &self.layout {
            None => {
                let ids = row_id_array(columns)?;
                Box::new(|row| Ok(Key::from_row_id(ids.value(row))))
            }
            Some(layout) => {
                let batch = batch(layout, columns)?;
                Box::new(move |row| key::encode(layout, &batch, row))
            }
        };
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low + (high - low) / 2;
            match of_row(middle)?.as_bytes().as_ref().cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok((middle, true)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok((low, false))
    }

    /// The key columns of keys.
    pub(crate) fn decode<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a Bytes>,
    ) -> Result<Vec<ArrayRef>> {
        let Some(layout) = &self.layout else {
            let ids: Result<Vec<i64>> = keys.map(row_id).collect();
            return Ok(vec![Arc::new(Int64Array::from(ids?))]);
        };
        let images = keys.map(|key| self.image(key)).collect::<Result<Vec<_>>>()?;
        let places: Vec<usize> = (0..self.types.len()).collect();
        Ok(row::decode(layout, &images, &places)?.columns().to_vec())
    }

    /// A key as a row of the key columns.
    fn image(&self, key: &[u8]) -> Result<RowImage> {
        let count = u16::try_from(self.types.len()).map_err(|_| malformed())?;
        let mut out = count.to_le_bytes().to_vec();
        let bits = out.len();
        out.resize(bits + self.types.len().div_ceil(8), 0);
        let mut rest = key;
        for (at, ty) in self.types.iter().enumerate() {
            if !read_column(ty, &mut rest, &mut out)? {
                out[bits + at / 8] |= 1 << (at % 8);
            }
        }
        if rest.is_empty() { Ok(RowImage::from_bytes(out.into())) } else { Err(malformed()) }
    }

    /// What the Bloom filters of a segment can be asked about a key.
    pub(crate) fn probes(&self, key: &Bytes) -> Result<Vec<Probe>> {
        let columns = self.decode(std::iter::once(key))?;
        let probe = |(field, column): (&i32, &ArrayRef)| Probe::new(*field, column);
        Ok(self.fields.iter().zip(&columns).filter_map(probe).collect())
    }
}

/// The hidden row ids of keys, as the column `_rowid`.
pub(crate) fn row_ids(keys: &[Bytes]) -> Result<ArrayRef> {
    let ids: Result<Vec<i64>> = keys.iter().map(row_id).collect();
    Ok(Arc::new(Int64Array::from(ids?)))
}

fn row_id(key: &Bytes) -> Result<i64> {
    Key::from_bytes(key.clone()).row_id().ok_or_else(malformed)
}

fn row_id_array(columns: &[ArrayRef]) -> Result<&Int64Array> {
    let ids = columns.first().and_then(|c| c.as_primitive_opt::<Int64Type>());
    ids.ok_or_else(|| Error::corrupt("a segment's row ids are malformed"))
}

fn batch(layout: &Layout, columns: &[ArrayRef]) -> Result<RecordBatch> {
    RecordBatch::try_new(layout.schema(), columns.to_vec()).map_err(Error::arrow)
}

fn malformed() -> Error {
    Error::corrupt("a key is malformed")
}

/// Takes one column off the front of a key and appends its row bytes; false: it is NULL.
fn read_column(ty: &ColumnType, rest: &mut &[u8], out: &mut Vec<u8>) -> Result<bool> {
    match take(rest, 1)? {
        [NULL] => return Ok(false),
        [NOT_NULL] => {}
        _ => return Err(malformed()),
    }
    let value = match ty {
        ColumnType::Bool => Value::Bool(take(rest, 1)? != [0]),
        ColumnType::Int16 => Value::Int16(i16::from_be_bytes(array(rest)?) ^ i16::MIN),
        ColumnType::Int32 | ColumnType::Date => {
            Value::Int32(i32::from_be_bytes(array(rest)?) ^ i32::MIN)
        }
        ColumnType::Int64 | ColumnType::Time | ColumnType::Timestamp | ColumnType::TimestampTz => {
            Value::Int64(i64::from_be_bytes(array(rest)?) ^ i64::MIN)
        }
        ColumnType::UInt32 => Value::UInt32(u32::from_be_bytes(array(rest)?)),
        ColumnType::Float32 => {
            let bits = u32::from_be_bytes(array(rest)?);
            let sign = 1 << 31;
            Value::Float32(f32::from_bits(if bits & sign == 0 { !bits } else { bits ^ sign }))
        }
        ColumnType::Float64 => {
            let bits = u64::from_be_bytes(array(rest)?);
            let sign = 1 << 63;
            Value::Float64(f64::from_bits(if bits & sign == 0 { !bits } else { bits ^ sign }))
        }
        ColumnType::Interval => read_interval(rest)?,
        ColumnType::Uuid => Value::Bytes(take(rest, 16)?),
        ColumnType::Numeric => {
            let bytes = read_numeric(rest)?;
            Value::Bytes(&bytes).write_row(ty, out);
            return Ok(true);
        }
        ColumnType::Text | ColumnType::Binary => {
            let bytes = read_terminated(rest)?;
            Value::Bytes(&bytes).write_row(ty, out);
            return Ok(true);
        }
        ColumnType::List(item) => {
            let bytes = read_list(item, rest)?;
            Value::List(Cow::Owned(bytes)).write_row(ty, out);
            return Ok(true);
        }
    };
    value.write_row(ty, out);
    Ok(true)
}

fn read_interval(rest: &mut &[u8]) -> Result<Value<'static>> {
    let span = i128::from_be_bytes(array(rest)?) ^ i128::MIN;
    let (days, nanos) = (span / NANOS_PER_DAY, span % NANOS_PER_DAY);
    let months = (days / DAYS_PER_MONTH).clamp(i32::MIN.into(), i32::MAX.into());
    let left = days - months * DAYS_PER_MONTH;
    let days = left.clamp(i32::MIN.into(), i32::MAX.into());
    let nanos = nanos + (left - days) * NANOS_PER_DAY;
    Ok(Value::Interval {
        months: i32::try_from(months).map_err(|_| malformed())?,
        days: i32::try_from(days).map_err(|_| malformed())?,
        nanos: i64::try_from(nanos).map_err(|_| malformed())?,
    })
}

fn read_numeric(rest: &mut &[u8]) -> Result<Vec<u8>> {
    let class = take(rest, 1)?;
    let mut bytes = class.to_vec();
    let terminator: Option<[u8; 2]> = match class {
        [0x40] => Some([0, 0]),
        [0x20] => Some([0xFF, 0xFF]),
        _ => None,
    };
    if let Some(terminator) = terminator {
        bytes.extend(take(rest, 2)?);
        loop {
            let pair = take(rest, 2)?;
            bytes.extend(pair);
            if pair == terminator {
                break;
            }
        }
    }
    // The display scale is not part of a key.
    bytes.extend([0, 0]);
    Ok(bytes)
}

fn read_terminated(rest: &mut &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let end = rest.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        bytes.extend(take(rest, end)?);
        match take(rest, 2)? {
            [0, 0xFF] => bytes.push(0),
            [0, 1] => return Ok(bytes),
            _ => return Err(malformed()),
        }
    }
}

fn read_list(item: &ColumnType, rest: &mut &[u8]) -> Result<Vec<u8>> {
    let (mut elements, mut nulls) = (Vec::new(), Vec::new());
    while rest.first() != Some(&LIST_END) {
        let null = !read_column(item, rest, &mut elements)?;
        nulls.push(null);
    }
    take(rest, 1)?;
    let count = u32::try_from(nulls.len()).map_err(|_| malformed())?;
    let mut bytes = count.to_le_bytes().to_vec();
    let bits = bytes.len();
    bytes.resize(bits + nulls.len().div_ceil(8), 0);
    for (at, _) in nulls.iter().enumerate().filter(|(_, null)| **null) {
        bytes[bits + at / 8] |= 1 << (at % 8);
    }
    bytes.extend(elements);
    Ok(bytes)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (bytes, after) = rest.split_at_checked(count).ok_or_else(malformed)?;
    *rest = after;
    Ok(bytes)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    take(rest, N)?.try_into().map_err(|_| malformed())
}

/// One column's value of a key, as a Bloom filter hashes it.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Field id.
    pub(crate) field: i32,
    bytes: Vec<u8>,
}

impl Probe {
    /// `None` where equal keys may have been written as different values.
    fn new(field: i32, column: &ArrayRef) -> Option<Probe> {
        let bytes = match column.data_type() {
            // Parquet keeps the small integers as four bytes.
            DataType::Int16 => {
                i32::from(column.as_primitive::<Int16Type>().value(0)).to_le_bytes().to_vec()
            }
            DataType::Int32 => column.as_primitive::<Int32Type>().value(0).to_le_bytes().to_vec(),
            DataType::Date32 => column.as_primitive::<Date32Type>().value(0).to_le_bytes().to_vec(),
            DataType::UInt32 => column.as_primitive::<UInt32Type>().value(0).to_le_bytes().to_vec(),
            DataType::Int64 => column.as_primitive::<Int64Type>().value(0).to_le_bytes().to_vec(),
            DataType::Time64(_) => {
                column.as_primitive::<Time64MicrosecondType>().value(0).to_le_bytes().to_vec()
            }
            DataType::Timestamp(_, _) => {
                column.as_primitive::<TimestampMicrosecondType>().value(0).to_le_bytes().to_vec()
            }
            DataType::Utf8 => column.as_string::<i32>().value(0).as_bytes().to_vec(),
            DataType::FixedSizeBinary(_) => column.as_fixed_size_binary().value(0).to_vec(),
            _ => return None,
        };
        Some(Probe { field, bytes })
    }

    /// Whether the filter may have seen the value.
    pub(crate) fn passes(&self, filter: &Sbbf) -> bool {
        filter.check(&self.bytes[..])
    }
}
