//! Arrow arrays out of values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, ListArray, NullBufferBuilder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, IntervalMonthDayNano};

use crate::error::{Error, Result};
use crate::types::ColumnType;
use crate::value::{ListValues, Value, take_fixed};

/// Collects the values of one column.
pub(super) enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Uuid(FixedSizeBinaryBuilder),
    List { item: ColumnType, items: Box<Builder>, offsets: Vec<i32>, nulls: NullBufferBuilder },
}

impl Builder {
    pub(super) fn new(ty: &ColumnType, rows: usize) -> Builder {
        match ty {
            ColumnType::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            ColumnType::Int16 => Builder::Int16(Int16Builder::with_capacity(rows)),
            ColumnType::Int32 => Builder::Int32(Int32Builder::with_capacity(rows)),
            ColumnType::Int64 => Builder::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::UInt32 => Builder::UInt32(UInt32Builder::with_capacity(rows)),
            ColumnType::Float32 => Builder::Float32(Float32Builder::with_capacity(rows)),
            ColumnType::Float64 => Builder::Float64(Float64Builder::with_capacity(rows)),
            ColumnType::Date => Builder::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Time => Builder::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            ColumnType::Timestamp | ColumnType::TimestampTz => Builder::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(ty.arrow()),
            ),
            ColumnType::Interval => {
                Builder::Interval(IntervalMonthDayNanoBuilder::with_capacity(rows))
            }
            ColumnType::Text => Builder::Text(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Numeric | ColumnType::Binary => {
                Builder::Binary(BinaryBuilder::with_capacity(rows, rows * 16))
            }
            ColumnType::Uuid => Builder::Uuid(FixedSizeBinaryBuilder::with_capacity(rows, 16)),
            ColumnType::List(item) => Builder::List {
                item: (**item).clone(),
                items: Box::new(Builder::new(item, rows)),
                offsets: vec![0],
                nulls: NullBufferBuilder::new(rows),
            },
        }
    }

    /// Appends a value of this builder's type, or a NULL.
    pub(super) fn append(&mut self, value: &Value<'_>) -> Result<()> {
        match (&mut *self, value) {
            (_, Value::Null) => self.append_null(),
            (Builder::Bool(b), Value::Bool(v)) => b.append_value(*v),
            (Builder::Int16(b), Value::Int16(v)) => b.append_value(*v),
            (Builder::Int32(b), Value::Int32(v)) => b.append_value(*v),
            (Builder::Int64(b), Value::Int64(v)) => b.append_value(*v),
            (Builder::UInt32(b), Value::UInt32(v)) => b.append_value(*v),
            (Builder::Float32(b), Value::Float32(v)) => b.append_value(*v),
            (Builder::Float64(b), Value::Float64(v)) => b.append_value(*v),
            (Builder::Date(b), Value::Int32(v)) => b.append_value(*v),
            (Builder::Time(b), Value::Int64(v)) => b.append_value(*v),
            (Builder::Timestamp(b), Value::Int64(v)) => b.append_value(*v),
            (Builder::Interval(b), Value::Interval { months, days, nanos }) => {
                b.append_value(IntervalMonthDayNano::new(*months, *days, *nanos));
            }
            (Builder::Text(b), Value::Bytes(v)) => {
                let text = std::str::from_utf8(v)
                    .map_err(|_| Error::corrupt("text in a row is not UTF-8"))?;
                room(b.values_slice().len(), v.len())?;
                b.append_value(text);
            }
            (Builder::Binary(b), Value::Bytes(v)) => {
                room(b.values_slice().len(), v.len())?;
                b.append_value(v);
            }
            (Builder::Uuid(b), Value::Bytes(v)) => b.append_value(v).map_err(Error::arrow)?,
            (Builder::List { item, items, offsets, nulls }, Value::List(bytes)) => {
                for value in ListValues::new(item, bytes)? {
                    items.append(&value?)?;
                }
                offsets.push(items.offset()?);
                nulls.append_non_null();
            }
            (_, value) => return Err(Error::corrupt(format!("{value:?} has another type"))),
        }
        Ok(())
    }

    /// Takes a value of this builder's type, which is `ty`, from the front of row bytes.
    pub(super) fn read(&mut self, ty: &ColumnType, rest: &mut &[u8]) -> Result<()> {
        match self {
            Builder::Bool(b) => b.append_value(take_fixed::<1>(rest)?[0] != 0),
            Builder::Int16(b) => b.append_value(i16::from_le_bytes(take_fixed(rest)?)),
            Builder::Int32(b) => b.append_value(i32::from_le_bytes(take_fixed(rest)?)),
            Builder::Int64(b) => b.append_value(i64::from_le_bytes(take_fixed(rest)?)),
            Builder::UInt32(b) => b.append_value(u32::from_le_bytes(take_fixed(rest)?)),
            Builder::Float32(b) => b.append_value(f32::from_le_bytes(take_fixed(rest)?)),
            Builder::Float64(b) => b.append_value(f64::from_le_bytes(take_fixed(rest)?)),
            Builder::Date(b) => b.append_value(i32::from_le_bytes(take_fixed(rest)?)),
            Builder::Time(b) => b.append_value(i64::from_le_bytes(take_fixed(rest)?)),
            Builder::Timestamp(b) => b.append_value(i64::from_le_bytes(take_fixed(rest)?)),
            Builder::Interval(_)
            | Builder::Text(_)
            | Builder::Binary(_)
            | Builder::Uuid(_)
            | Builder::List { .. } => self.append(&Value::read_row(ty, rest)?)?,
        }
        Ok(())
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Builder::Bool(b) => b.append_null(),
            Builder::Int16(b) => b.append_null(),
            Builder::Int32(b) => b.append_null(),
            Builder::Int64(b) => b.append_null(),
            Builder::UInt32(b) => b.append_null(),
            Builder::Float32(b) => b.append_null(),
            Builder::Float64(b) => b.append_null(),
            Builder::Date(b) => b.append_null(),
            Builder::Time(b) => b.append_null(),
            Builder::Timestamp(b) => b.append_null(),
            Builder::Interval(b) => b.append_null(),
            Builder::Text(b) => b.append_null(),
            Builder::Binary(b) => b.append_null(),
            Builder::Uuid(b) => b.append_null(),
            Builder::List { offsets, nulls, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                nulls.append_null();
            }
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match self {
            Builder::Bool(b) => b.len(),
            Builder::Int16(b) => b.len(),
            Builder::Int32(b) => b.len(),
            Builder::Int64(b) => b.len(),
            Builder::UInt32(b) => b.len(),
            Builder::Float32(b) => b.len(),
            Builder::Float64(b) => b.len(),
            Builder::Date(b) => b.len(),
            Builder::Time(b) => b.len(),
            Builder::Timestamp(b) => b.len(),
            Builder::Interval(b) => b.len(),
            Builder::Text(b) => b.len(),
            Builder::Binary(b) => b.len(),
            Builder::Uuid(b) => b.len(),
            Builder::List { offsets, .. } => offsets.len() - 1,
        }
    }

    fn offset(&self) -> Result<i32> {
        i32::try_from(self.len()).map_err(|_| too_large())
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Int16(mut b) => Arc::new(b.finish()),
            Builder::Int32(mut b) => Arc::new(b.finish()),
            Builder::Int64(mut b) => Arc::new(b.finish()),
            Builder::UInt32(mut b) => Arc::new(b.finish()),
            Builder::Float32(mut b) => Arc::new(b.finish()),
            Builder::Float64(mut b) => Arc::new(b.finish()),
            Builder::Date(mut b) => Arc::new(b.finish()),
            Builder::Time(mut b) => Arc::new(b.finish()),
            Builder::Timestamp(mut b) => Arc::new(b.finish()),
            Builder::Interval(mut b) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::Binary(mut b) => Arc::new(b.finish()),
            Builder::Uuid(mut b) => Arc::new(b.finish()),
            Builder::List { items, offsets, mut nulls, .. } => {
                let items = items.finish();
                let field = Arc::new(Field::new("item", items.data_type().clone(), true));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(field, offsets, items, nulls.finish()))
            }
        }
    }
}

/// An array of bytes counts them in an i32.
fn room(held: usize, more: usize) -> Result<()> {
    if held + more > i32::MAX as usize { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Error {
    Error::full("a batch holds more than 2 GiB in one column")
}
