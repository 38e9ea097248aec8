//! One value between its three forms: an element of an Arrow array, bytes in a row, bytes in a key.
//!
//! Row bytes are compact and read front to back. Key bytes compare as the values do: `memcmp` of
//! two keys gives PostgreSQL's order of the values, and no key is a prefix of another.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, ListArray,
    PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};

use crate::error::{Error, Result};
use crate::types::ColumnType;

/// In a key, before a value that is not NULL.
pub(crate) const NOT_NULL: u8 = 0x01;
/// In a key, a NULL: after every value.
pub(crate) const NULL: u8 = 0x02;
/// In a key, after the last element of a list: before every element.
const LIST_END: u8 = 0x00;

/// One value, borrowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    UInt32(u32),
    Float32(f32),
    Float64(f64),
    /// numeric, text, bytea, uuid
    Bytes(&'a [u8]),
    Interval {
        months: i32,
        days: i32,
        nanos: i64,
    },
    /// The row bytes of a list.
    List(Cow<'a, [u8]>),
}

/// An array with its type found once, not once per value.
#[derive(Debug)]
pub(crate) enum Reader<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
    Interval(&'a PrimitiveArray<IntervalMonthDayNanoType>),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    List(&'a ListArray, &'a ColumnType),
}

impl<'a> Reader<'a> {
    /// Reads `array` as values of `ty`.
    ///
    /// Fails with `Invalid` if the array has another type.
    pub(crate) fn new(ty: &'a ColumnType, array: &'a ArrayRef) -> Result<Reader<'a>> {
        let reader = match ty {
            ColumnType::Bool => array.as_boolean_opt().map(Reader::Bool),
            ColumnType::Int16 => array.as_primitive_opt().map(Reader::Int16),
            ColumnType::Int32 => array.as_primitive_opt().map(Reader::Int32),
            ColumnType::Int64 => array.as_primitive_opt().map(Reader::Int64),
            ColumnType::UInt32 => array.as_primitive_opt().map(Reader::UInt32),
            ColumnType::Float32 => array.as_primitive_opt().map(Reader::Float32),
            ColumnType::Float64 => array.as_primitive_opt().map(Reader::Float64),
            ColumnType::Date => array.as_primitive_opt().map(Reader::Date),
            ColumnType::Time => array.as_primitive_opt().map(Reader::Time),
            ColumnType::Timestamp | ColumnType::TimestampTz => {
                array.as_primitive_opt().map(Reader::Timestamp)
            }
            ColumnType::Interval => array.as_primitive_opt().map(Reader::Interval),
            ColumnType::Text => array.as_string_opt::<i32>().map(Reader::Text),
            ColumnType::Numeric | ColumnType::Binary => {
                array.as_binary_opt::<i32>().map(Reader::Binary)
            }
            ColumnType::Uuid => array
                .as_fixed_size_binary_opt()
                .filter(|array| array.value_length() == 16)
                .map(Reader::Uuid),
            ColumnType::List(item) => {
                array.as_list_opt::<i32>().map(|array| Reader::List(array, item))
            }
        };
        reader.ok_or_else(|| {
            Error::invalid(format!("an array of {} is not of {ty:?}", array.data_type()))
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Reader::Bool(a) => *a,
            Reader::Int16(a) => *a,
            Reader::Int32(a) => *a,
            Reader::Int64(a) => *a,
            Reader::UInt32(a) => *a,
            Reader::Float32(a) => *a,
            Reader::Float64(a) => *a,
            Reader::Date(a) => *a,
            Reader::Time(a) => *a,
            Reader::Timestamp(a) => *a,
            Reader::Interval(a) => *a,
            Reader::Text(a) => *a,
            Reader::Binary(a) => *a,
            Reader::Uuid(a) => *a,
            Reader::List(a, _) => *a,
        }
    }

    /// The value at `row`, which is within the array.
    pub(crate) fn value(&self, row: usize) -> Result<Value<'a>> {
        if self.array().is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match self {
            Reader::Bool(a) => Value::Bool(a.value(row)),
            Reader::Int16(a) => Value::Int16(a.value(row)),
            Reader::Int32(a) => Value::Int32(a.value(row)),
            Reader::Int64(a) => Value::Int64(a.value(row)),
            Reader::UInt32(a) => Value::UInt32(a.value(row)),
            Reader::Float32(a) => Value::Float32(a.value(row)),
            Reader::Float64(a) => Value::Float64(a.value(row)),
            Reader::Date(a) => Value::Int32(a.value(row)),
            Reader::Time(a) => Value::Int64(a.value(row)),
            Reader::Timestamp(a) => Value::Int64(a.value(row)),
            Reader::Interval(a) => {
                let v = a.value(row);
                Value::Interval { months: v.months, days: v.days, nanos: v.nanoseconds }
            }
            Reader::Text(a) => Value::Bytes(a.value(row).as_bytes()),
            Reader::Binary(a) => Value::Bytes(a.value(row)),
            Reader::Uuid(a) => Value::Bytes(a.value(row)),
            Reader::List(a, item) => Value::List(Cow::Owned(list_bytes(item, &a.value(row))?)),
        })
    }
}

/// The row bytes of a list: count as u32 LE, a bit per element that is NULL, the other elements.
fn list_bytes(item: &ColumnType, array: &ArrayRef) -> Result<Vec<u8>> {
    let reader = Reader::new(item, array)?;
    let count = u32::try_from(array.len()).map_err(|_| Error::invalid("list too long"))?;
    let mut out = Vec::with_capacity(4 + array.len().div_ceil(8) + array.len() * 8);
    out.extend_from_slice(&count.to_le_bytes());
    let bits = out.len();
    out.resize(bits + array.len().div_ceil(8), 0);
    for i in 0..array.len() {
        let value = reader.value(i)?;
        if value == Value::Null {
            out[bits + i / 8] |= 1 << (i % 8);
        } else {
            value.write_row(item, &mut out);
        }
    }
    Ok(out)
}

/// The elements of a list, from its row bytes.
pub(crate) struct ListValues<'a> {
    item: &'a ColumnType,
    count: usize,
    next: usize,
    nulls: &'a [u8],
    rest: &'a [u8],
}

impl<'a> ListValues<'a> {
    pub(crate) fn new(item: &'a ColumnType, bytes: &'a [u8]) -> Result<ListValues<'a>> {
        let (count, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let count = u32::from_le_bytes(*count) as usize;
        let (nulls, rest) = rest.split_at_checked(count.div_ceil(8)).ok_or_else(short)?;
        Ok(ListValues { item, count, next: 0, nulls, rest })
    }
}

impl<'a> Iterator for ListValues<'a> {
    type Item = Result<Value<'a>>;

    fn next(&mut self) -> Option<Result<Value<'a>>> {
        if self.next == self.count {
            return None;
        }
        let i = self.next;
        self.next += 1;
        if self.nulls[i / 8] & (1 << (i % 8)) != 0 {
            return Some(Ok(Value::Null));
        }
        Some(Value::read_row(self.item, &mut self.rest))
    }
}

impl<'a> Value<'a> {
    /// Appends the row bytes. NULL has none: the row's bitmap says it.
    pub(crate) fn write_row(&self, ty: &ColumnType, out: &mut Vec<u8>) {
        match self {
            Value::Null => {}
            Value::Bool(v) => out.push(u8::from(*v)),
            Value::Int16(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::Int32(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::Int64(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::UInt32(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::Float32(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::Float64(v) => out.extend_from_slice(&v.to_le_bytes()),
            Value::Interval { months, days, nanos } => {
                out.extend_from_slice(&months.to_le_bytes());
                out.extend_from_slice(&days.to_le_bytes());
                out.extend_from_slice(&nanos.to_le_bytes());
            }
            Value::Bytes(v) => write_bytes(ty, v, out),
            Value::List(v) => write_bytes(ty, v, out),
        }
    }

    /// Takes one value of `ty` from the front of row bytes.
    pub(crate) fn read_row(ty: &ColumnType, rest: &mut &'a [u8]) -> Result<Value<'a>> {
        let bytes = take(ty, rest)?;
        Ok(match ty {
            ColumnType::Bool => Value::Bool(bytes[0] != 0),
            ColumnType::Int16 => Value::Int16(i16::from_le_bytes(fixed(bytes)?)),
            ColumnType::Int32 | ColumnType::Date => Value::Int32(i32::from_le_bytes(fixed(bytes)?)),
            ColumnType::Int64
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::TimestampTz => Value::Int64(i64::from_le_bytes(fixed(bytes)?)),
            ColumnType::UInt32 => Value::UInt32(u32::from_le_bytes(fixed(bytes)?)),
            ColumnType::Float32 => Value::Float32(f32::from_le_bytes(fixed(bytes)?)),
            ColumnType::Float64 => Value::Float64(f64::from_le_bytes(fixed(bytes)?)),
            ColumnType::Interval => Value::Interval {
                months: i32::from_le_bytes(fixed(&bytes[..4])?),
                days: i32::from_le_bytes(fixed(&bytes[4..8])?),
                nanos: i64::from_le_bytes(fixed(&bytes[8..])?),
            },
            ColumnType::Numeric | ColumnType::Text | ColumnType::Binary | ColumnType::Uuid => {
                Value::Bytes(bytes)
            }
            ColumnType::List(_) => Value::List(Cow::Borrowed(bytes)),
        })
    }

    /// Appends the key bytes of a column: a marker, then the value; all complemented if descending.
    pub(crate) fn write_key_column(
        &self,
        ty: &ColumnType,
        descending: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        match self {
            Value::Null => out.push(NULL),
            value => {
                out.push(NOT_NULL);
                value.write_key(ty, out)?;
            }
        }
        if descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
        Ok(())
    }

    fn write_key(&self, ty: &ColumnType, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Value::Null => out.push(NULL),
            Value::Bool(v) => out.push(u8::from(*v)),
            Value::Int16(v) => out.extend_from_slice(&(*v ^ i16::MIN).to_be_bytes()),
            Value::Int32(v) => out.extend_from_slice(&(*v ^ i32::MIN).to_be_bytes()),
            Value::Int64(v) => out.extend_from_slice(&(*v ^ i64::MIN).to_be_bytes()),
            Value::UInt32(v) => out.extend_from_slice(&v.to_be_bytes()),
            Value::Float32(v) => out.extend_from_slice(&float32_order(*v).to_be_bytes()),
            Value::Float64(v) => out.extend_from_slice(&float64_order(*v).to_be_bytes()),
            Value::Interval { months, days, nanos } => {
                let span = interval_span(*months, *days, *nanos);
                out.extend_from_slice(&(span ^ i128::MIN).to_be_bytes());
            }
            Value::Bytes(v) => match ty {
                ColumnType::Numeric => out.extend_from_slice(numeric_order(v)?),
                ColumnType::Uuid => out.extend_from_slice(v),
                _ => write_terminated(v, out),
            },
            Value::List(bytes) => {
                let ColumnType::List(item) = ty else {
                    return Err(Error::invalid(format!("a list is not of {ty:?}")));
                };
                for value in ListValues::new(item, bytes)? {
                    value?.write_key_column(item, false, out)?;
                }
                out.push(LIST_END);
            }
        }
        Ok(())
    }
}

/// Steps over one value of `ty` at the front of row bytes, and returns its bytes.
pub(crate) fn take<'a>(ty: &ColumnType, rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let width = match ty.width() {
        Some(width) => width,
        None => usize::try_from(read_varint(rest)?).map_err(|_| short())?,
    };
    let (bytes, after) = rest.split_at_checked(width).ok_or_else(short)?;
    *rest = after;
    Ok(bytes)
}

/// Takes so many bytes from the front of row bytes.
pub(crate) fn take_fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>().ok_or_else(short)?;
    *rest = after;
    Ok(*bytes)
}

fn write_bytes(ty: &ColumnType, bytes: &[u8], out: &mut Vec<u8>) {
    if ty.width().is_none() {
        write_varint(bytes.len() as u64, out);
    }
    out.extend_from_slice(bytes);
}

/// LEB128: seven bits a byte, lowest first, the high bit set on all but the last.
pub(crate) fn write_varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push((n & 0x7F) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(crate) fn read_varint(rest: &mut &[u8]) -> Result<u64> {
    let mut n = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or_else(short)?;
        *rest = after;
        n |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Err(Error::corrupt("a length in a row is malformed"))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| short())
}

pub(crate) fn short() -> Error {
    Error::corrupt("a row ends before its values do")
}

/// Bits that order as PostgreSQL's float8: -0 equals 0, every NaN is one value above all others.
fn float64_order(v: f64) -> u64 {
    let v = if v.is_nan() {
        f64::NAN.abs()
    } else if v == 0.0 {
        0.0
    } else {
        v
    };
    let bits = v.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn float32_order(v: f32) -> u32 {
    let v = if v.is_nan() {
        f32::NAN.abs()
    } else if v == 0.0 {
        0.0
    } else {
        v
    };
    let bits = v.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// PostgreSQL compares intervals by their span, with months of 30 days and days of 24 hours.
fn interval_span(months: i32, days: i32, nanos: i64) -> i128 {
    (i128::from(months) * 30 + i128::from(days)) * 86_400_000_000_000 + i128::from(nanos)
}

/// Numeric bytes without the display scale, which order and end by themselves.
fn numeric_order(bytes: &[u8]) -> Result<&[u8]> {
    let malformed = || Error::invalid("malformed numeric");
    let (order, _scale) = bytes.split_last_chunk::<2>().ok_or_else(malformed)?;
    let (&class, digits) = order.split_first().ok_or_else(malformed)?;
    let terminator: &[u8] = match class {
        0x40 => &[0x00, 0x00],
        0x20 => &[0xFF, 0xFF],
        0x10 | 0x30 | 0x50 | 0x60 if digits.is_empty() => return Ok(order),
        _ => return Err(malformed()),
    };
    let mut pairs = digits.get(2..).unwrap_or_default().chunks(2);
    let ends = pairs.position(|pair| pair == terminator).is_some() && pairs.next().is_none();
    if ends { Ok(order) } else { Err(malformed()) }
}

/// Bytes with 0x00 as 0x00 0xFF, ended by 0x00 0x01: a prefix comes before what it begins.
fn write_terminated(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    let mut parts = bytes.split(|byte| *byte == 0);
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice(&[0x00, 0xFF]);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0x00, 0x01]);
}
