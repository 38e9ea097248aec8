//! The physical types of columns: how a value of each lies in Arrow, in rows and in keys.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

/// The physical type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `bool`
    Bool,
    /// `int2`
    Int16,
    /// `int4`
    Int32,
    /// `int8`
    Int64,
    /// `oid` and its like
    UInt32,
    /// `float4`
    Float32,
    /// `float8`
    Float64,
    /// `numeric`: an order-preserving key followed by two bytes of display scale
    Numeric,
    /// every type of text, `json` and `jsonb`
    Text,
    /// `bytea`
    Binary,
    /// `uuid`
    Uuid,
    /// `date`: days from 1970-01-01
    Date,
    /// `time`: microseconds from midnight
    Time,
    /// `timestamp`: microseconds from 1970-01-01
    Timestamp,
    /// `timestamptz`: microseconds from 1970-01-01 UTC
    TimestampTz,
    /// `interval`: months, days, nanoseconds
    Interval,
    /// an array of one dimension
    List(Box<ColumnType>),
}

impl ColumnType {
    /// The Arrow type in which values of this type travel.
    pub fn arrow(&self) -> DataType {
        match self {
            ColumnType::Bool => DataType::Boolean,
            ColumnType::Int16 => DataType::Int16,
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Int64 => DataType::Int64,
            ColumnType::UInt32 => DataType::UInt32,
            ColumnType::Float32 => DataType::Float32,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Numeric | ColumnType::Binary => DataType::Binary,
            ColumnType::Text => DataType::Utf8,
            ColumnType::Uuid => DataType::FixedSizeBinary(16),
            ColumnType::Date => DataType::Date32,
            ColumnType::Time => DataType::Time64(TimeUnit::Microsecond),
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            ColumnType::TimestampTz => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
            }
            ColumnType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            ColumnType::List(item) => {
                DataType::List(Arc::new(Field::new("item", item.arrow(), true)))
            }
        }
    }

    /// The number of bytes a value takes in a row, `None` where it varies.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            ColumnType::Bool => Some(1),
            ColumnType::Int16 => Some(2),
            ColumnType::Int32 | ColumnType::UInt32 | ColumnType::Float32 | ColumnType::Date => {
                Some(4)
            }
            ColumnType::Int64
            | ColumnType::Float64
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::TimestampTz => Some(8),
            ColumnType::Uuid | ColumnType::Interval => Some(16),
            ColumnType::Numeric | ColumnType::Text | ColumnType::Binary | ColumnType::List(_) => {
                None
            }
        }
    }
}
