//! Values into Arrow: a builder that takes the text or binary form of a type.

use std::sync::Arc;

use arrow::array::NullBufferBuilder;
use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, ListArray, NullArray, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Field;
use datafusion::scalar::ScalarValue;

use super::encode::Format;
use super::numeric::{Numeric, is_space};
use super::settings::FormatSettings;
use super::{
    Oid, PgType, VARHDRSZ, array, binary, builtin, bytea, datetime_parse, float, format_type,
    interval, is_oid_like, is_text_like, json, jsonpath, timestamp_type, uuid,
};
use crate::error::{Error, Result};

/// Longer names are cut.
const MAX_NAME_BYTES: usize = 63;

/// Builds a column of one type from text or binary forms.
#[derive(Debug)]
pub(crate) struct ValueBuilder {
    ty: PgType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(BinaryBuilder),
    Text(StringBuilder),
    Bytea(BinaryBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    TimeTz(Int64Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    List { items: Box<ValueBuilder>, offsets: Vec<i32>, count: i32, nulls: NullBufferBuilder },
    Void(usize),
}

impl ValueBuilder {
    /// An empty builder.
    ///
    /// # Errors
    /// 0A000 for types without values here.
    pub(crate) fn new(ty: PgType, capacity: usize) -> Result<ValueBuilder> {
        if let Some(element) = ty.list_element() {
            let values = Values::List {
                items: Box::new(ValueBuilder::new(element, capacity)?),
                offsets: vec![0],
                count: 0,
                nulls: NullBufferBuilder::new(capacity),
            };
            return Ok(ValueBuilder { ty, values });
        }
        let timestamps = |zoned| {
            TimestampMicrosecondBuilder::with_capacity(capacity)
                .with_data_type(timestamp_type(zoned))
        };
        let values = match ty.oid {
            Oid::BOOL => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            Oid::INT2 => Values::Int2(Int16Builder::with_capacity(capacity)),
            Oid::INT4 => Values::Int4(Int32Builder::with_capacity(capacity)),
            Oid::INT8 => Values::Int8(Int64Builder::with_capacity(capacity)),
            Oid::FLOAT4 => Values::Float4(Float32Builder::with_capacity(capacity)),
            Oid::FLOAT8 => Values::Float8(Float64Builder::with_capacity(capacity)),
            Oid::NUMERIC => Values::Numeric(BinaryBuilder::with_capacity(capacity, capacity * 12)),
            Oid::BYTEA => Values::Bytea(BinaryBuilder::with_capacity(capacity, capacity * 16)),
            Oid::UUID => Values::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
            Oid::DATE => Values::Date(Date32Builder::with_capacity(capacity)),
            Oid::TIME => Values::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            Oid::TIMETZ => Values::TimeTz(Int64Builder::with_capacity(capacity)),
            Oid::TIMESTAMP => Values::Timestamp(timestamps(false)),
            Oid::TIMESTAMPTZ => Values::Timestamp(timestamps(true)),
            Oid::INTERVAL => Values::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity)),
            Oid::VOID => Values::Void(0),
            oid if is_oid_like(oid) => Values::Oid(UInt32Builder::with_capacity(capacity)),
            oid if is_text_like(oid) => {
                Values::Text(StringBuilder::with_capacity(capacity, capacity * 16))
            }
            _ => {
                let name = ty.name();
                return Err(Error::feature_not_supported(format!("type {name} is not supported")));
            }
        };
        Ok(ValueBuilder { ty, values })
    }

    /// Appends NULL.
    pub(crate) fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(b) => b.append_null(),
            Values::Int2(b) => b.append_null(),
            Values::Int4(b) => b.append_null(),
            Values::Int8(b) | Values::TimeTz(b) => b.append_null(),
            Values::Oid(b) => b.append_null(),
            Values::Float4(b) => b.append_null(),
            Values::Float8(b) => b.append_null(),
            Values::Numeric(b) | Values::Bytea(b) => b.append_null(),
            Values::Text(b) => b.append_null(),
            Values::Uuid(b) => b.append_null(),
            Values::Date(b) => b.append_null(),
            Values::Time(b) => b.append_null(),
            Values::Timestamp(b) => b.append_null(),
            Values::Interval(b) => b.append_null(),
            Values::List { offsets, count, nulls, .. } => {
                offsets.push(*count);
                nulls.append_null();
            }
            Values::Void(rows) => *rows += 1,
        }
    }

    /// Appends the value of a text, as the type's input function reads it, the modifier applied.
    ///
    /// # Errors
    /// The type's: 22P02, 22007, 22008, 22003, 22001, ...
    pub(crate) fn push_text(&mut self, text: &str, settings: &FormatSettings) -> Result<()> {
        let typmod = self.ty.typmod;
        match &mut self.values {
            Values::Bool(b) => b.append_value(parse_bool(text)?),
            Values::Int2(b) => b.append_value(parse_integer(text, "smallint")?),
            Values::Int4(b) => b.append_value(parse_integer(text, "integer")?),
            Values::Int8(b) => b.append_value(parse_integer(text, "bigint")?),
            Values::Oid(b) => b.append_value(parse_oid(text, self.ty.oid)?),
            Values::Float4(b) => b.append_value(float::parse_float4(text)?),
            Values::Float8(b) => b.append_value(float::parse_float8(text)?),
            Values::Numeric(b) => {
                b.append_value(Numeric::parse(text)?.with_typmod(typmod)?.to_bytes());
            }
            Values::Text(b) => push_string(b, self.ty, text)?,
            Values::Bytea(b) => b.append_value(bytea::parse(text)?),
            Values::Uuid(b) => b.append_value(uuid::parse(text)?)?,
            Values::Date(b) => b.append_value(datetime_parse::parse_date(text, settings)?),
            Values::Time(b) => b.append_value(datetime_parse::parse_time(text, typmod, settings)?),
            Values::TimeTz(b) => {
                b.append_value(datetime_parse::parse_timetz(text, typmod, settings)?.pack());
            }
            Values::Timestamp(b) => {
                let zoned = self.ty.oid == Oid::TIMESTAMPTZ;
                b.append_value(datetime_parse::parse_timestamp(text, zoned, typmod, settings)?);
            }
            Values::Interval(b) => {
                let parts = interval::parse(text, typmod, settings.interval_style)?;
                b.append_value(parts.value()?);
            }
            Values::List { items, offsets, count, nulls } => {
                let vector = matches!(self.ty.oid, Oid::INT2VECTOR | Oid::OIDVECTOR);
                let elements = if vector {
                    text.split_whitespace().map(|t| Some(t.to_owned())).collect()
                } else {
                    let delimiter = builtin(items.ty.oid).map_or(',', |t| char::from(t.delimiter));
                    array::parse(text, delimiter)?
                };
                for element in &elements {
                    match element {
                        Some(element) => items.push_text(element, settings)?,
                        None => items.push_null(),
                    }
                }
                *count += list_length(elements.len())?;
                offsets.push(*count);
                nulls.append_non_null();
            }
            Values::Void(rows) => *rows += 1,
        }
        Ok(())
    }

    /// Appends the value of a binary form, as the type's receive function reads it.
    ///
    /// # Errors
    /// 22P03, 22021 and the type's.
    pub(crate) fn push_binary(&mut self, bytes: &[u8]) -> Result<()> {
        let typmod = self.ty.typmod;
        match &mut self.values {
            Values::Bool(b) => b.append_value(binary::byte(bytes)? != 0),
            Values::Int2(b) => b.append_value(i16::from_be_bytes(binary::exact(bytes)?)),
            Values::Int4(b) => b.append_value(i32::from_be_bytes(binary::exact(bytes)?)),
            Values::Int8(b) => b.append_value(i64::from_be_bytes(binary::exact(bytes)?)),
            Values::Oid(b) => b.append_value(u32::from_be_bytes(binary::exact(bytes)?)),
            Values::Float4(b) => b.append_value(f32::from_be_bytes(binary::exact(bytes)?)),
            Values::Float8(b) => b.append_value(f64::from_be_bytes(binary::exact(bytes)?)),
            Values::Numeric(b) => {
                b.append_value(Numeric::from_wire(bytes)?.with_typmod(typmod)?.to_bytes());
            }
            Values::Text(b) => push_string(b, self.ty, binary::text(self.ty.oid, bytes)?)?,
            Values::Bytea(b) => b.append_value(bytes),
            Values::Uuid(b) => b.append_value(binary::exact::<16>(bytes)?)?,
            Values::Date(b) => b.append_value(binary::date(bytes)?),
            Values::Time(b) => b.append_value(binary::time(bytes, typmod)?),
            Values::TimeTz(b) => b.append_value(binary::timetz(bytes, typmod)?.pack()),
            Values::Timestamp(b) => b.append_value(binary::timestamp(bytes, typmod)?),
            Values::Interval(b) => b.append_value(binary::interval(bytes, typmod)?),
            Values::List { items, offsets, count, nulls } => {
                let elements = binary::array(bytes, self.ty.oid, items.ty.oid)?;
                for element in &elements {
                    match element {
                        Some(element) => items.push_binary(element)?,
                        None => items.push_null(),
                    }
                }
                *count += list_length(elements.len())?;
                offsets.push(*count);
                nulls.append_non_null();
            }
            Values::Void(rows) => *rows += 1,
        }
        Ok(())
    }

    /// The column; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Bool(b) => Arc::new(b.finish()),
            Values::Int2(b) => Arc::new(b.finish()),
            Values::Int4(b) => Arc::new(b.finish()),
            Values::Int8(b) | Values::TimeTz(b) => Arc::new(b.finish()),
            Values::Oid(b) => Arc::new(b.finish()),
            Values::Float4(b) => Arc::new(b.finish()),
            Values::Float8(b) => Arc::new(b.finish()),
            Values::Numeric(b) | Values::Bytea(b) => Arc::new(b.finish()),
            Values::Text(b) => Arc::new(b.finish()),
            Values::Uuid(b) => Arc::new(b.finish()),
            Values::Date(b) => Arc::new(b.finish()),
            Values::Time(b) => Arc::new(b.finish()),
            Values::Timestamp(b) => Arc::new(b.finish()),
            Values::Interval(b) => Arc::new(b.finish()),
            Values::List { items, offsets, count, nulls } => {
                let values = items.finish()?;
                let field = Arc::new(Field::new("item", values.data_type().clone(), true));
                let offsets = std::mem::replace(offsets, vec![0]);
                *count = 0;
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(ListArray::try_new(field, offsets, values, nulls.finish())?)
            }
            Values::Void(rows) => Arc::new(NullArray::new(std::mem::take(rows))),
        })
    }
}

fn list_length(elements: usize) -> Result<i32> {
    i32::try_from(elements)
        .map_err(|_| Error::program_limit_exceeded("array size exceeds the maximum allowed"))
}

fn push_string(builder: &mut StringBuilder, ty: PgType, text: &str) -> Result<()> {
    if text.as_bytes().contains(&0) {
        return Err(Error::invalid_encoding(&[0]));
    }
    match ty.oid {
        Oid::VARCHAR if ty.typmod >= VARHDRSZ => {
            builder.append_value(fit_varchar(text, ty, false)?);
        }
        Oid::BPCHAR if ty.typmod >= VARHDRSZ => builder.append_value(fit_bpchar(text, ty, false)?),
        Oid::NAME => builder.append_value(cut_name(text)),
        Oid::CHAR => builder.append_value(cut_bytes(text, 1)),
        Oid::JSON => {
            json::validate(text)?;
            builder.append_value(text);
        }
        Oid::JSONB => builder.append_value(json::to_jsonb_text(text)?),
        Oid::JSONPATH => builder.append_value(jsonpath::JsonPath::parse(text)?.to_string()),
        _ => builder.append_value(text),
    }
    Ok(())
}

/// The first 63 bytes at a character's border, what type name keeps.
pub(crate) fn cut_name(text: &str) -> &str {
    cut_bytes(text, MAX_NAME_BYTES)
}

fn cut_bytes(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where the first `n` characters end, if there are more.
fn char_limit(text: &str, n: usize) -> Option<usize> {
    if text.len() <= n {
        return None;
    }
    text.char_indices().nth(n).map(|(at, _)| at)
}

/// Fits a text into varchar(n): what is too much must be spaces, or is cut by an explicit cast.
///
/// # Errors
/// 22001
pub(crate) fn fit_varchar(text: &str, ty: PgType, explicit: bool) -> Result<&str> {
    let Some(end) = char_limit(text, (ty.typmod - VARHDRSZ) as usize) else { return Ok(text) };
    if !explicit && !text[end..].bytes().all(|b| b == b' ') {
        return Err(Error::string_too_long(&format_type(ty.oid, ty.typmod)));
    }
    Ok(&text[..end])
}

/// Fits a text into char(n), padded with spaces; errors as [`fit_varchar`].
pub(crate) fn fit_bpchar(text: &str, ty: PgType, explicit: bool) -> Result<String> {
    let width = (ty.typmod - VARHDRSZ) as usize;
    let mut fitted = fit_varchar(text, ty, explicit)?.to_owned();
    let missing = width.saturating_sub(fitted.chars().count());
    fitted.extend(std::iter::repeat_n(' ', missing));
    Ok(fitted)
}

/// # Errors
/// 22P02
pub(crate) fn parse_bool(text: &str) -> Result<bool> {
    let trimmed = text.trim_matches(is_space).to_ascii_lowercase();
    let prefix = |word: &str, least: usize| trimmed.len() >= least && word.starts_with(&trimmed);
    if prefix("true", 1) || prefix("yes", 1) || prefix("on", 2) || trimmed == "1" {
        Ok(true)
    } else if prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || trimmed == "0" {
        Ok(false)
    } else {
        Err(Error::invalid_text_representation("boolean", text))
    }
}

/// # Errors
/// 22P02, 22003
pub(crate) fn parse_integer<T: TryFrom<i64>>(text: &str, type_name: &str) -> Result<T> {
    let trimmed = text.trim_matches(is_space);
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::invalid_text_representation(type_name, text));
    }
    trimmed.parse::<i64>().ok().and_then(|v| T::try_from(v).ok()).ok_or_else(|| {
        Error::numeric_out_of_range(format!(
            "value \"{text}\" is out of range for type {type_name}"
        ))
    })
}

fn parse_oid(text: &str, oid: Oid) -> Result<u32> {
    let named = !matches!(oid, Oid::OID | Oid::XID | Oid::CID);
    if named && text == "-" {
        return Ok(0);
    }
    let value: i64 = parse_integer(text, builtin(oid).map_or("oid", |t| t.name))?;
    // As strtoul, negative numbers wrap.
    u32::try_from(value).or_else(|_| i32::try_from(value).map(|v| v as u32)).map_err(|_| {
        Error::numeric_out_of_range(format!("value \"{text}\" is out of range for type oid"))
    })
}

/// A column from texts.
///
/// # Errors
/// The type's.
pub(crate) fn input_array<'a>(
    ty: PgType,
    texts: impl ExactSizeIterator<Item = Option<&'a str>>,
    settings: &FormatSettings,
) -> Result<ArrayRef> {
    let mut builder = ValueBuilder::new(ty, texts.len())?;
    for text in texts {
        match text {
            Some(text) => builder.push_text(text, settings)?,
            None => builder.push_null(),
        }
    }
    builder.finish()
}

/// A constant from a text, as the type's input function reads it; a length modifier refuses what
/// is too long. (An untyped literal under an explicit cast is read without modifier and then cast.)
///
/// # Errors
/// The type's.
pub(crate) fn input_scalar(
    ty: PgType,
    text: &str,
    settings: &FormatSettings,
) -> Result<ScalarValue> {
    let mut builder = ValueBuilder::new(ty, 1)?;
    builder.push_text(text, settings)?;
    Ok(ScalarValue::try_from_array(&builder.finish()?, 0)?)
}

/// A constant from a parameter of a Bind message; `None` is NULL.
///
/// # Errors
/// The type's, 22021 for text that isn't UTF-8, 22P03 for malformed binary.
pub(crate) fn decode_parameter(
    ty: PgType,
    format: Format,
    value: Option<&[u8]>,
    settings: &FormatSettings,
) -> Result<ScalarValue> {
    if let Some(scalar) = plain_parameter(ty, format, value) {
        return Ok(scalar);
    }
    let mut builder = ValueBuilder::new(ty, 1)?;
    match (value, format) {
        (None, _) => builder.push_null(),
        (Some(bytes), Format::Text) => builder.push_text(binary::utf8(bytes)?, settings)?,
        (Some(bytes), Format::Binary) => builder.push_binary(bytes)?,
    }
    Ok(ScalarValue::try_from_array(&builder.finish()?, 0)?)
}

/// The commonest values, without the detour over an array.
fn plain_parameter(ty: PgType, format: Format, value: Option<&[u8]>) -> Option<ScalarValue> {
    let bytes = value?;
    match (ty.oid, format) {
        (Oid::INT4, Format::Binary) => {
            Some(ScalarValue::Int32(Some(i32::from_be_bytes(bytes.try_into().ok()?))))
        }
        (Oid::INT8, Format::Binary) => {
            Some(ScalarValue::Int64(Some(i64::from_be_bytes(bytes.try_into().ok()?))))
        }
        (Oid::INT4, Format::Text) => {
            Some(ScalarValue::Int32(Some(std::str::from_utf8(bytes).ok()?.parse().ok()?)))
        }
        (Oid::INT8, Format::Text) => {
            Some(ScalarValue::Int64(Some(std::str::from_utf8(bytes).ok()?.parse().ok()?)))
        }
        (Oid::TEXT, _) if !bytes.contains(&0) => {
            Some(ScalarValue::Utf8(Some(std::str::from_utf8(bytes).ok()?.to_owned())))
        }
        _ => None,
    }
}

/// NULL of a type.
#[cfg(test)]
pub(crate) fn null_scalar(ty: PgType) -> Result<ScalarValue> {
    Ok(ScalarValue::try_from(&ty.arrow()?)?)
}
