//! Values out of Arrow: a column bound to its PostgreSQL type writes the text or binary form of
//! any row.

use std::fmt::Write;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use bytes::{BufMut, BytesMut};

use super::datetime::{self, POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_US};
use super::numeric::Numeric;
use super::settings::FormatSettings;
use super::timetz::TimeTz;
use super::{Oid, PgType, array, builtin, bytea, float, interval, is_oid_like, is_text_like, uuid};
use crate::error::{Error, Result};
use crate::functions::record;

/// A column whose type has been looked at once.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    oid: Oid,
    nulls: Option<NullBuffer>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(UInt32Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Numeric(BinaryArray),
    Text(StringArray),
    /// As `functions::record` makes them.
    Record(StringArray),
    Bytea(BinaryArray),
    Uuid(FixedSizeBinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    TimeTz(Int64Array),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Array {
        lists: ListArray,
        items: Box<Column>,
        element: Oid,
        delimiter: char,
    },
    /// int2vector and oidvector: `1 2 3`, lower bound 0.
    Vector {
        lists: ListArray,
        items: Box<Column>,
        element: Oid,
    },
    /// All NULL, or void.
    Nothing {
        void: bool,
    },
}

impl Column {
    /// Looks at a column's type.
    ///
    /// # Errors
    /// XX000 when the array isn't what the type is kept as.
    pub(crate) fn bind(ty: PgType, array: &ArrayRef) -> Result<Column> {
        fn owned<A: Array + Clone + 'static>(ty: PgType, array: &ArrayRef) -> Result<A> {
            array.as_any().downcast_ref::<A>().cloned().ok_or_else(|| {
                Error::internal(format!(
                    "a column of type {} is kept as {}",
                    ty.name(),
                    array.data_type()
                ))
            })
        }
        let nulls = array.nulls().cloned();
        if array.data_type() == &arrow::datatypes::DataType::Null {
            let void = ty.oid == Oid::VOID;
            return Ok(Column { oid: ty.oid, nulls: None, values: Values::Nothing { void } });
        }
        if let Some(element) = ty.list_element() {
            let lists: ListArray = owned(ty, array)?;
            let items = Box::new(Column::bind(element, lists.values())?);
            let element = element.oid;
            let values = if matches!(ty.oid, Oid::INT2VECTOR | Oid::OIDVECTOR) {
                Values::Vector { lists, items, element }
            } else {
                let delimiter = builtin(element).map_or(',', |t| char::from(t.delimiter));
                Values::Array { lists, items, element, delimiter }
            };
            return Ok(Column { oid: ty.oid, nulls, values });
        }
        // Names of catalog objects may come as text already.
        let named = is_oid_like(ty.oid) && array.data_type() == &arrow::datatypes::DataType::Utf8;
        let values = match ty.oid {
            Oid::VOID => Values::Text(owned(ty, array)?),
            Oid::BOOL => Values::Bool(owned(ty, array)?),
            Oid::INT2 => Values::Int2(owned(ty, array)?),
            Oid::INT4 => Values::Int4(owned(ty, array)?),
            Oid::INT8 => Values::Int8(owned(ty, array)?),
            Oid::FLOAT4 => Values::Float4(owned(ty, array)?),
            Oid::FLOAT8 => Values::Float8(owned(ty, array)?),
            Oid::NUMERIC => Values::Numeric(owned(ty, array)?),
            Oid::BYTEA => Values::Bytea(owned(ty, array)?),
            Oid::UUID => Values::Uuid(owned(ty, array)?),
            Oid::DATE => Values::Date(owned(ty, array)?),
            Oid::TIME => Values::Time(owned(ty, array)?),
            Oid::TIMETZ => Values::TimeTz(owned(ty, array)?),
            Oid::TIMESTAMP => Values::Timestamp(owned(ty, array)?),
            Oid::TIMESTAMPTZ => Values::TimestampTz(owned(ty, array)?),
            Oid::INTERVAL => Values::Interval(owned(ty, array)?),
            Oid::RECORD => Values::Record(owned(ty, array)?),
            oid if is_text_like(oid) || named => Values::Text(owned(ty, array)?),
            oid if is_oid_like(oid) => Values::Oid(owned(ty, array)?),
            _ => {
                let name = ty.name();
                return Err(Error::feature_not_supported(format!(
                    "values of type {name} can't be shown"
                )));
            }
        };
        Ok(Column { oid: ty.oid, nulls, values })
    }

    /// Whether a row is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self.values {
            Values::Nothing { void } => !void,
            _ => self.nulls.as_ref().is_some_and(|n| n.is_null(row)),
        }
    }

    /// Appends the text form of a row that isn't NULL.
    pub(crate) fn write_text(
        &self,
        row: usize,
        settings: &FormatSettings,
        out: &mut (impl Write + ?Sized),
    ) -> std::fmt::Result {
        let out = &mut &mut *out;
        match &self.values {
            Values::Bool(a) => out.write_str(if a.value(row) { "t" } else { "f" }),
            Values::Int2(a) => write_integer(i64::from(a.value(row)), out),
            Values::Int4(a) => write_integer(i64::from(a.value(row)), out),
            Values::Int8(a) => write_integer(a.value(row), out),
            Values::Oid(a) => write_oid(self.oid, a.value(row), out),
            Values::Float4(a) => {
                float::write_float4(a.value(row), settings.extra_float_digits, out)
            }
            Values::Float8(a) => {
                float::write_float8(a.value(row), settings.extra_float_digits, out)
            }
            Values::Numeric(a) => match Numeric::from_bytes(a.value(row)) {
                Ok(value) => value.write(out),
                Err(_) => Err(std::fmt::Error),
            },
            Values::Text(a) => out.write_str(a.value(row)),
            Values::Record(a) => out.write_str(record::text_of(a.value(row))),
            Values::Bytea(a) => bytea::write(a.value(row), settings.bytea_output, out),
            Values::Uuid(a) => uuid::write(a.value(row), out),
            Values::Date(a) => datetime::style::write_date(a.value(row), settings, out),
            Values::Time(a) => datetime::write_time(a.value(row), out),
            Values::TimeTz(a) => TimeTz::unpack(a.value(row)).write(out),
            Values::Timestamp(a) => {
                datetime::style::write_moment(a.value(row), None, settings, out)
            }
            Values::TimestampTz(a) => {
                let zone = Some(&settings.time_zone);
                datetime::style::write_moment(a.value(row), zone, settings, out)
            }
            Values::Interval(a) => {
                let parts = interval::Parts::of(a.value(row));
                interval::style::write(parts, settings.interval_style, out)
            }
            Values::Array { lists, items, delimiter, .. } => {
                write_array(lists, items, *delimiter, row, settings, out)
            }
            Values::Vector { lists, items, .. } => {
                let (start, end) = bounds(lists, row);
                for at in start..end {
                    if at > start {
                        out.write_char(' ')?;
                    }
                    items.write_text(at, settings, &mut **out)?;
                }
                Ok(())
            }
            Values::Nothing { .. } => Ok(()),
        }
    }

    /// Appends the binary form of a row that isn't NULL, as the type's send function makes it.
    pub(crate) fn write_binary(&self, row: usize, out: &mut BytesMut) {
        match &self.values {
            Values::Bool(a) => out.put_u8(u8::from(a.value(row))),
            Values::Int2(a) => out.put_i16(a.value(row)),
            Values::Int4(a) => out.put_i32(a.value(row)),
            Values::Int8(a) => out.put_i64(a.value(row)),
            Values::Oid(a) => out.put_u32(a.value(row)),
            Values::Float4(a) => out.put_f32(a.value(row)),
            Values::Float8(a) => out.put_f64(a.value(row)),
            Values::Numeric(a) => Numeric::write_wire(a.value(row), out),
            Values::Text(a) => {
                if matches!(self.oid, Oid::JSONB | Oid::JSONPATH) {
                    // The version of the format.
                    out.put_u8(1);
                }
                out.put_slice(a.value(row).as_bytes());
            }
            // Asking for this form is refused where the format is chosen.
            Values::Record(a) => out.put_slice(record::text_of(a.value(row)).as_bytes()),
            Values::Bytea(a) => out.put_slice(a.value(row)),
            Values::Uuid(a) => out.put_slice(a.value(row)),
            Values::Date(a) => out.put_i32(match a.value(row) {
                infinite @ (datetime::DATE_INFINITY | datetime::DATE_NEG_INFINITY) => infinite,
                days => days.saturating_sub(POSTGRES_EPOCH_DAYS),
            }),
            Values::Time(a) => out.put_i64(a.value(row)),
            Values::TimeTz(a) => {
                let time = TimeTz::unpack(a.value(row));
                out.put_i64(time.us);
                out.put_i32(time.west);
            }
            Values::Timestamp(a) | Values::TimestampTz(a) => {
                out.put_i64(match a.value(row) {
                    us if datetime::is_finite(us) => us.saturating_sub(POSTGRES_EPOCH_US),
                    infinite => infinite,
                });
            }
            Values::Interval(a) => {
                let parts = interval::Parts::of(a.value(row));
                out.put_i64(parts.us);
                out.put_i32(parts.days);
                out.put_i32(parts.months);
            }
            Values::Array { lists, items, element, .. } => {
                write_binary_array(lists, items, *element, 1, row, out);
            }
            Values::Vector { lists, items, element } => {
                write_binary_array(lists, items, *element, 0, row, out);
            }
            Values::Nothing { .. } => {}
        }
    }
}

fn bounds(lists: &ListArray, row: usize) -> (usize, usize) {
    let offsets = lists.value_offsets();
    (offsets[row] as usize, offsets[row + 1] as usize)
}

fn write_array(
    lists: &ListArray,
    items: &Column,
    delimiter: char,
    row: usize,
    settings: &FormatSettings,
    out: &mut impl Write,
) -> std::fmt::Result {
    let (start, end) = bounds(lists, row);
    let plain = matches!(
        items.values,
        Values::Bool(_) | Values::Int2(_) | Values::Int4(_) | Values::Int8(_) | Values::Uuid(_)
    );
    let mut scratch = String::new();
    out.write_char('{')?;
    for at in start..end {
        if at > start {
            out.write_char(delimiter)?;
        }
        if items.is_null(at) {
            out.write_str("NULL")?;
        } else if plain {
            items.write_text(at, settings, out as &mut dyn Write)?;
        } else {
            scratch.clear();
            items.write_text(at, settings, &mut scratch)?;
            array::write_element(&scratch, delimiter, out)?;
        }
    }
    out.write_char('}')
}

fn write_binary_array(
    lists: &ListArray,
    items: &Column,
    element: Oid,
    lower: i32,
    row: usize,
    out: &mut BytesMut,
) {
    let (start, end) = bounds(lists, row);
    let nulls = (start..end).any(|at| items.is_null(at));
    out.put_i32(i32::from(end > start || lower == 0));
    out.put_i32(i32::from(nulls));
    out.put_u32(element.0);
    if end > start || lower == 0 {
        out.put_i32((end - start) as i32);
        out.put_i32(lower);
    }
    for at in start..end {
        if items.is_null(at) {
            out.put_i32(-1);
        } else {
            with_length(out, |out| items.write_binary(at, out));
        }
    }
}

/// Puts a value behind its length.
pub(crate) fn with_length(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_i32(0);
    write(out);
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn write_oid(oid: Oid, value: u32, out: &mut impl Write) -> std::fmt::Result {
    // The names are the session's to look up; 0 is nothing in all of them.
    let named = is_oid_like(oid) && !matches!(oid, Oid::OID | Oid::XID | Oid::CID);
    if named && value == 0 {
        return out.write_char('-');
    }
    write_integer(i64::from(value), out)
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends an integer without the detour of the formatting machinery.
pub(crate) fn write_integer(value: i64, out: &mut impl Write) -> std::fmt::Result {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if rest >= 10 {
        let pair = rest as usize * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + rest as u8;
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    out.write_str(std::str::from_utf8(&buffer[at..]).expect("digits are ASCII"))
}

/// The text form of one value, `None` for NULL.
pub(crate) fn text_of(
    ty: PgType,
    array: &ArrayRef,
    row: usize,
    settings: &FormatSettings,
) -> Result<Option<String>> {
    let column = Column::bind(ty, array)?;
    if column.is_null(row) {
        return Ok(None);
    }
    let mut out = String::new();
    column.write_text(row, settings, &mut out).map_err(|_| corrupt(ty))?;
    Ok(Some(out))
}

/// A value whose bytes are not what its type keeps.
pub(crate) fn corrupt(ty: PgType) -> Error {
    Error::new(
        crate::error::SqlState::DATA_CORRUPTED,
        format!("corrupt value of type {}", ty.name()),
    )
}
