//! Binary forms into values, as the types' receive functions read them.

use arrow::datatypes::IntervalMonthDayNano;
use bytes::Buf;

use super::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_US, USECS_PER_DAY,
    check_date, check_timestamp, is_finite, round_to_precision,
};
use super::interval::{Parts, with_typmod};
use super::timetz::TimeTz;
use super::{Oid, format_type};
use crate::error::{Error, Result, SqlState};

/// A form of exactly `N` bytes.
///
/// # Errors
/// 22P03 with PostgreSQL's words for too many, 08P01 for too few.
pub(crate) fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    if bytes.len() < N {
        return Err(too_short());
    }
    bytes
        .try_into()
        .map_err(|_| Error::invalid_binary_representation("incorrect binary data format"))
}

pub(crate) fn too_short() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// A form of one byte, of which PostgreSQL speaks in other words.
pub(crate) fn byte(bytes: &[u8]) -> Result<u8> {
    match bytes {
        [] => Err(Error::new(SqlState::PROTOCOL_VIOLATION, "no data left in message")),
        some => exact::<1>(some).map(|[byte]| byte),
    }
}

/// # Errors
/// 22021
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| {
        // PostgreSQL shows as many bytes as the first one announces.
        let rest = &bytes[e.valid_up_to()..];
        let announced = match rest.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => 1,
        };
        Error::invalid_encoding(&rest[..rest.len().min(announced)])
    })
}

/// The text of a text-like type; jsonb and jsonpath have a version in front.
pub(crate) fn text(oid: Oid, bytes: &[u8]) -> Result<&str> {
    let name = match oid {
        Oid::JSONB => "jsonb",
        Oid::JSONPATH => "jsonpath",
        _ => return utf8(bytes),
    };
    match bytes.split_first() {
        Some((1, rest)) => utf8(rest),
        Some((version, _)) => {
            Err(Error::internal(format!("unsupported {name} version number {version}")))
        }
        None => Err(too_short()),
    }
}

pub(crate) fn date(bytes: &[u8]) -> Result<i32> {
    match i32::from_be_bytes(exact(bytes)?) {
        infinite @ (DATE_INFINITY | DATE_NEG_INFINITY) => Ok(infinite),
        days => check_date(i64::from(days) + i64::from(POSTGRES_EPOCH_DAYS)),
    }
}

pub(crate) fn time(bytes: &[u8], typmod: i32) -> Result<i64> {
    let us = i64::from_be_bytes(exact(bytes)?);
    if !(0..=USECS_PER_DAY).contains(&us) {
        return Err(Error::datetime_out_of_range("time"));
    }
    Ok(round_to_precision(us, typmod))
}

pub(crate) fn timetz(bytes: &[u8], typmod: i32) -> Result<TimeTz> {
    let bytes: [u8; 12] = exact(bytes)?;
    let (us, west) = bytes.split_at(8);
    let us = i64::from_be_bytes(exact(us)?);
    TimeTz::checked(round_to_precision(us, typmod), i32::from_be_bytes(exact(west)?))
}

pub(crate) fn timestamp(bytes: &[u8], typmod: i32) -> Result<i64> {
    let us = i64::from_be_bytes(exact(bytes)?);
    if !is_finite(us) {
        return Ok(us);
    }
    let us = us
        .checked_add(POSTGRES_EPOCH_US)
        .ok_or_else(|| Error::datetime_out_of_range("timestamp"))?;
    check_timestamp(round_to_precision(us, typmod))
}

pub(crate) fn interval(bytes: &[u8], typmod: i32) -> Result<IntervalMonthDayNano> {
    let mut bytes: &[u8] = &exact::<16>(bytes)?;
    let us = bytes.get_i64();
    let days = bytes.get_i32();
    let months = bytes.get_i32();
    with_typmod(Parts { months, days, us }, typmod).value()
}

/// The elements of an array.
pub(crate) fn array(mut bytes: &[u8], array: Oid, element: Oid) -> Result<Vec<Option<&[u8]>>> {
    let word = |bytes: &mut &[u8]| -> Result<i32> {
        if bytes.len() < 4 { Err(too_short()) } else { Ok(bytes.get_i32()) }
    };
    let dimensions = word(&mut bytes)?;
    let flags = word(&mut bytes)?;
    let given = word(&mut bytes)?;
    if !(0..=6).contains(&dimensions) {
        return Err(Error::invalid_binary_representation(format!(
            "invalid number of dimensions: {dimensions}"
        )));
    }
    if !(0..=1).contains(&flags) {
        return Err(Error::invalid_binary_representation("invalid array flags"));
    }
    if given as u32 != element.0 {
        return Err(Error::datatype_mismatch(format!(
            "binary data has array element type {given} ({}) instead of expected {} ({})",
            format_type(Oid(given as u32), -1),
            element.0,
            format_type(element, -1)
        )));
    }
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    let vector = matches!(array, Oid::INT2VECTOR | Oid::OIDVECTOR);
    let count = word(&mut bytes)?;
    let lower = word(&mut bytes)?;
    if dimensions > 1 || (lower != 1 && !vector && count > 0) {
        return Err(Error::feature_not_supported(
            "arrays of more than one dimension or with subscripts that don't begin with 1 \
             are not supported",
        ));
    }
    let count = usize::try_from(count).map_err(|_| too_short())?;
    // Every element has a length word: a lying count can't make us allocate.
    if count > bytes.len() / 4 {
        return Err(too_short());
    }
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let length = word(&mut bytes)?;
        if length == -1 {
            elements.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| too_short())?;
        if length > bytes.len() {
            return Err(too_short());
        }
        let (element, rest) = bytes.split_at(length);
        elements.push(Some(element));
        bytes = rest;
    }
    if !bytes.is_empty() {
        return Err(Error::invalid_binary_representation("incorrect binary data format"));
    }
    Ok(elements)
}
