//! Casts between types: one function per pair, length coercion included.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int32Type, UInt32Type};
use datafusion::logical_expr::ScalarUDF;

use super::kernel::{
    Arg, Bool, Call, Date, Float4, Float8, Int2, Int4, Int8, Interval, Kernel, Num, OidType,
    Settings, Text, Time, TimeTz, Timestamp, TimestampTz, downcast, k1, k2, scalar_udf,
};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result, SqlState};
use crate::types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY, USECS_PER_DAY, is_finite, join,
    round_to_precision, split,
};
use crate::types::float::{parse_float4, parse_float8};
use crate::types::input::{ValueBuilder, cut_name, fit_bpchar, fit_varchar};
use crate::types::interval::{Parts, with_typmod};
use crate::types::json::{self, Json};
use crate::types::jsonpath::JsonPath;
use crate::types::numeric::Numeric;
use crate::types::output::Column;
use crate::types::timetz::TimeTz as Clock;
use crate::types::{FormatSettings, Oid, PgType, TimeZone, is_oid_like, is_text_like};

/// The function from one type to another, and whether it takes the settings; `None` when the
/// value stays as it is.
///
/// # Errors
/// 0A000 for a cast of PostgreSQL's that isn't here.
pub(crate) fn cast_udf(
    from: PgType,
    to: PgType,
    explicit: bool,
) -> Result<Option<(Arc<ScalarUDF>, bool)>> {
    let step = step(from, to, explicit)?;
    let Some((kernel, zoned)) = step else { return Ok(None) };
    let mut args = vec![from.arrow()?];
    if zoned {
        args.push(DataType::Utf8);
    }
    let how = if explicit { "" } else { " implicit" };
    let name = crate::types::builtin(to.oid).map_or("cast", |t| t.name);
    let id = format!("{name}({}, {}{how})", from.oid, to.typmod);
    let udf = scalar_udf(&id, args, to.arrow()?, Volatility::Immutable, true, kernel);
    Ok(Some((udf, zoned)))
}

/// Base conversion, then length coercion.
fn step(from: PgType, to: PgType, explicit: bool) -> Result<Option<(Kernel, bool)>> {
    if let (Some(source), Some(target)) = (from.list_element(), to.list_element()) {
        if let Some((inner, zoned)) = step(source, target, explicit)? {
            return Ok(Some((over_lists(inner, target)?, zoned)));
        }
        return Ok(None);
    }
    let base = if from.oid == to.oid { None } else { conversion(from, to)? };
    let length = if from.oid == to.oid && from.typmod == to.typmod {
        None
    } else {
        length_coercion(to, explicit)
    };
    Ok(match (base, length) {
        (None, None) => None,
        (Some(base), None) => Some(base),
        (None, Some(length)) => Some((length, false)),
        (Some((base, zoned)), Some(length)) => {
            let kernel: Kernel = Arc::new(move |call: &Call| {
                let array = base(call)?;
                let constant = call.rows == 1;
                length(&Call { args: vec![Arg { array, constant }], rows: call.rows })
            });
            Some((kernel, zoned))
        }
    })
}

/// Casts the elements of arrays.
fn over_lists(inner: Kernel, target: PgType) -> Result<Kernel> {
    let element = target.arrow()?;
    Ok(Arc::new(move |call: &Call| {
        let lists = call.args[0].expanded(call.rows)?;
        let lists: &ListArray = downcast(&lists)?;
        let rows = lists.values().len();
        let mut args = vec![Arg { array: Arc::clone(lists.values()), constant: false }];
        args.extend(call.args.get(1).cloned());
        let values = inner(&Call { args, rows })?;
        let field = Arc::new(Field::new("item", element.clone(), true));
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        Ok(Arc::new(ListArray::try_new(field, offsets, values, nulls)?))
    }))
}

fn length_coercion(to: PgType, explicit: bool) -> Option<Kernel> {
    if to.typmod < 0 {
        return None;
    }
    let typmod = to.typmod;
    Some(match to.oid {
        Oid::VARCHAR => texts(move |text, out| {
            out.append_value(fit_varchar(text, to, explicit)?);
            Ok(())
        }),
        Oid::BPCHAR => texts(move |text, out| {
            out.append_value(fit_bpchar(text, to, explicit)?);
            Ok(())
        }),
        Oid::NUMERIC => {
            Arc::new(move |call| map::<Num, Num>(call, |value| value.with_typmod(typmod)))
        }
        Oid::TIMETZ => Arc::new(move |call| {
            map::<TimeTz, TimeTz>(call, |value| {
                let time = Clock::unpack(value);
                Ok(Clock { us: round_to_precision(time.us, typmod), ..time }.pack())
            })
        }),
        Oid::TIME => Arc::new(move |call| {
            map::<Time, Time>(call, |value| Ok(round_to_precision(value, typmod)))
        }),
        Oid::TIMESTAMP => {
            Arc::new(move |call| map::<Timestamp, Timestamp>(call, |v| round_ts(v, typmod)))
        }
        Oid::TIMESTAMPTZ => {
            Arc::new(move |call| map::<TimestampTz, TimestampTz>(call, |v| round_ts(v, typmod)))
        }
        Oid::INTERVAL => Arc::new(move |call| {
            map::<Interval, Interval>(call, |value| with_typmod(Parts::of(value), typmod).value())
        }),
        _ => return None,
    })
}

fn round_ts(us: i64, typmod: i32) -> Result<i64> {
    Ok(if is_finite(us) { round_to_precision(us, typmod) } else { us })
}

/// A function over the values of the first argument that may capture.
fn map<A: super::kernel::SqlType, R: super::kernel::SqlType>(
    call: &Call,
    f: impl Fn(A::In<'_>) -> Result<R::Out>,
) -> Result<ArrayRef> {
    let arg = &call.args[0];
    let array: &A::Array = downcast(&arg.array)?;
    let mut builder = R::builder(call.rows);
    for row in 0..call.rows {
        let value = A::get(array, arg.index(row))?.map(&f).transpose()?;
        R::push(&mut builder, value);
    }
    Ok(R::finish(builder))
}

/// A function over texts that appends what it makes.
fn texts(f: impl Fn(&str, &mut StringBuilder) -> Result<()> + Send + Sync + 'static) -> Kernel {
    Arc::new(move |call: &Call| {
        let arg = &call.args[0];
        let array: &StringArray = downcast(&arg.array)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
        for row in 0..call.rows {
            let row = arg.index(row);
            if array.is_null(row) {
                out.append_null();
            } else {
                f(array.value(row), &mut out)?;
            }
        }
        Ok(Arc::new(out.finish()))
    })
}

/// The kernel between two types without modifiers; the flag says whether it takes the settings.
fn conversion(from: PgType, to: PgType) -> Result<Option<(Kernel, bool)>> {
    if let Some(kernel) = direct(from.oid, to.oid) {
        return Ok(Some((kernel, false)));
    }
    if let Some(kernel) = zoned(from.oid, to.oid) {
        return Ok(Some((kernel, true)));
    }
    let (text_from, text_to) = (is_text_like(from.oid), is_text_like(to.oid));
    match (text_from, text_to) {
        (true, true) => Ok(between_texts(from.oid, to.oid).map(|kernel| (kernel, false))),
        (true, false) => Ok(Some((input(from, to), true))),
        (false, true) => {
            let output = output(from);
            Ok(Some(match between_texts(Oid::TEXT, to.oid) {
                None => (output, true),
                Some(then) => {
                    let both: Kernel = Arc::new(move |call: &Call| {
                        let array = output(call)?;
                        then(&Call { args: vec![Arg { array, constant: false }], rows: call.rows })
                    });
                    (both, true)
                }
            }))
        }
        (false, false) if is_oid_like(from.oid) && is_oid_like(to.oid) => Ok(None),
        (false, false) => Err(Error::feature_not_supported(format!(
            "casts from {} to {} are not supported",
            from.name(),
            to.name()
        ))),
    }
}

/// Through the input function.
fn input(from: PgType, to: PgType) -> Kernel {
    // An interval's fields say what a bare number means in a literal, not in a text.
    let to = if from.is_unknown() && to.oid == Oid::INTERVAL { to } else { PgType::plain(to.oid) };
    Arc::new(move |call: &Call| {
        let arg = &call.args[0];
        let texts: &StringArray = downcast(&arg.array)?;
        let settings = settings_of(call)?;
        let mut builder = ValueBuilder::new(to, call.rows)?;
        for row in 0..call.rows {
            let row = arg.index(row);
            if texts.is_null(row) {
                builder.push_null();
            } else {
                builder.push_text(texts.value(row), &settings)?;
            }
        }
        builder.finish()
    })
}

/// Through the output function.
fn output(from: PgType) -> Kernel {
    Arc::new(move |call: &Call| {
        let arg = &call.args[0];
        let settings = settings_of(call)?;
        let column = Column::bind(from, &arg.array)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
        for row in 0..call.rows {
            let row = arg.index(row);
            if column.is_null(row) {
                out.append_null();
                continue;
            }
            column
                .write_text(row, &settings, &mut out)
                .map_err(|_| crate::types::output::corrupt(from))?;
            out.append_value("");
        }
        Ok(Arc::new(out.finish()))
    })
}

/// The settings in the last argument.
pub(super) fn settings_of(call: &Call) -> Result<FormatSettings> {
    let Some(last) = call.args.last() else { return Ok(FormatSettings::default()) };
    let texts: &StringArray = downcast(&last.array)?;
    if texts.is_empty() || texts.is_null(0) {
        return Ok(FormatSettings::default());
    }
    FormatSettings::cached(texts.value(0))
}

fn between_texts(from: Oid, to: Oid) -> Option<Kernel> {
    Some(match (from, to) {
        (Oid::JSONB, Oid::JSON) => return None,
        (Oid::BPCHAR, Oid::TEXT | Oid::VARCHAR) => texts(|text, out| {
            out.append_value(text.trim_end_matches(' '));
            Ok(())
        }),
        (Oid::NAME, Oid::NAME) => return None,
        (Oid::BPCHAR, Oid::NAME) => texts(|text, out| {
            out.append_value(cut_name(text.trim_end_matches(' ')));
            Ok(())
        }),
        (_, Oid::NAME) => texts(|text, out| {
            out.append_value(cut_name(text));
            Ok(())
        }),
        (_, Oid::CHAR) => texts(|text, out| {
            out.append_value(text.get(..1).unwrap_or(""));
            Ok(())
        }),
        (_, Oid::JSONB) => texts(|text, out| {
            out.append_value(json::to_jsonb_text(text)?);
            Ok(())
        }),
        (_, Oid::JSONPATH) => texts(|text, out| {
            out.append_value(JsonPath::parse(text)?.to_string());
            Ok(())
        }),
        (_, Oid::JSON) => texts(|text, out| {
            json::validate(text)?;
            out.append_value(text);
            Ok(())
        }),
        _ => return None,
    })
}

fn integer<T: TryFrom<i64>>(value: i64, name: &str) -> Result<T> {
    T::try_from(value).map_err(|_| Error::numeric_out_of_range(format!("{name} out of range")))
}

/// Rounds half to even, as rint, and checks the range.
fn rounded<T: TryFrom<i64>>(value: f64, name: &str) -> Result<T> {
    let out_of_range = || Error::numeric_out_of_range(format!("{name} out of range"));
    let whole = value.round_ties_even();
    // 2^63 as a float is just beyond the range.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
        return Err(out_of_range());
    }
    T::try_from(whole as i64).map_err(|_| out_of_range())
}

fn narrowed(value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() {
        return Err(Error::numeric_out_of_range("value out of range: overflow"));
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(Error::numeric_out_of_range("value out of range: underflow"));
    }
    Ok(narrow)
}

/// Casts among numbers, dates and the like that depend on nothing but the value.
fn direct(from: Oid, to: Oid) -> Option<Kernel> {
    Some(match (from, to) {
        (Oid::INT2, Oid::INT4) => k1::<Int2, Int4>(|v| Ok(v.into())),
        (Oid::INT2, Oid::INT8) => k1::<Int2, Int8>(|v| Ok(v.into())),
        (Oid::INT4, Oid::INT8) => k1::<Int4, Int8>(|v| Ok(v.into())),
        (Oid::INT4, Oid::INT2) => k1::<Int4, Int2>(|v| integer(v.into(), "smallint")),
        (Oid::INT8, Oid::INT2) => k1::<Int8, Int2>(|v| integer(v, "smallint")),
        (Oid::INT8, Oid::INT4) => k1::<Int8, Int4>(|v| integer(v, "integer")),
        (Oid::INT2, Oid::FLOAT4) => k1::<Int2, Float4>(|v| Ok(v.into())),
        (Oid::INT2, Oid::FLOAT8) => k1::<Int2, Float8>(|v| Ok(v.into())),
        (Oid::INT4, Oid::FLOAT4) => k1::<Int4, Float4>(|v| Ok(v as f32)),
        (Oid::INT4, Oid::FLOAT8) => k1::<Int4, Float8>(|v| Ok(v.into())),
        (Oid::INT8, Oid::FLOAT4) => k1::<Int8, Float4>(|v| Ok(v as f32)),
        (Oid::INT8, Oid::FLOAT8) => k1::<Int8, Float8>(|v| Ok(v as f64)),
        (Oid::FLOAT4, Oid::FLOAT8) => k1::<Float4, Float8>(|v| Ok(v.into())),
        (Oid::FLOAT8, Oid::FLOAT4) => k1::<Float8, Float4>(narrowed),
        (Oid::FLOAT4, Oid::INT2) => k1::<Float4, Int2>(|v| rounded(v.into(), "smallint")),
        (Oid::FLOAT4, Oid::INT4) => k1::<Float4, Int4>(|v| rounded(v.into(), "integer")),
        (Oid::FLOAT4, Oid::INT8) => k1::<Float4, Int8>(|v| rounded(v.into(), "bigint")),
        (Oid::FLOAT8, Oid::INT2) => k1::<Float8, Int2>(|v| rounded(v, "smallint")),
        (Oid::FLOAT8, Oid::INT4) => k1::<Float8, Int4>(|v| rounded(v, "integer")),
        (Oid::FLOAT8, Oid::INT8) => k1::<Float8, Int8>(|v| rounded(v, "bigint")),
        (Oid::INT2, Oid::NUMERIC) => k1::<Int2, Num>(|v| Ok(Numeric::from(i32::from(v)))),
        (Oid::INT4, Oid::NUMERIC) => k1::<Int4, Num>(|v| Ok(Numeric::from(v))),
        (Oid::INT8, Oid::NUMERIC) => k1::<Int8, Num>(|v| Ok(Numeric::from(v))),
        (Oid::FLOAT4, Oid::NUMERIC) => k1::<Float4, Num>(|v| Ok(Numeric::from_f64(v.into(), 6))),
        (Oid::FLOAT8, Oid::NUMERIC) => k1::<Float8, Num>(|v| Ok(Numeric::from_f64(v, 15))),
        (Oid::NUMERIC, Oid::INT2) => k1::<Num, Int2>(|v| v.to_integer("smallint")),
        (Oid::NUMERIC, Oid::INT4) => k1::<Num, Int4>(|v| v.to_integer("integer")),
        (Oid::NUMERIC, Oid::INT8) => k1::<Num, Int8>(|v| v.to_integer("bigint")),
        (Oid::NUMERIC, Oid::FLOAT8) => k1::<Num, Float8>(|v| match v.to_f64() {
            // Its text says what is out of range.
            float if float.is_infinite() && v.is_finite() => parse_float8(&v.to_string()),
            float => Ok(float),
        }),
        (Oid::NUMERIC, Oid::FLOAT4) => k1::<Num, Float4>(|v| match v.to_f64() as f32 {
            float if float.is_infinite() && v.is_finite() => parse_float4(&v.to_string()),
            _ => narrowed(v.to_f64()),
        }),
        (Oid::BOOL, Oid::INT4) => k1::<Bool, Int4>(|v| Ok(v.into())),
        (Oid::INT4, Oid::BOOL) => k1::<Int4, Bool>(|v| Ok(v != 0)),
        (Oid::BOOL, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR) => {
            k1::<Bool, Text>(|v| Ok(if v { "true" } else { "false" }.to_owned()))
        }
        (Oid::INT4, Oid::CHAR) => k1::<Int4, Text>(|v| match u8::try_from(v) {
            Ok(0) => Ok(String::new()),
            Ok(byte @ 1..=127) => Ok(char::from(byte).to_string()),
            _ => Err(Error::numeric_out_of_range("\"char\" out of range")),
        }),
        (Oid::CHAR, Oid::INT4) => {
            k1::<Text, Int4>(|v| Ok(v.as_bytes().first().map_or(0, |b| i32::from(*b as i8))))
        }
        (Oid::INT8, oid) if is_oid_like(oid) => k1::<Int8, OidType>(|v| integer(v, "OID")),
        (Oid::INT2, oid) if is_oid_like(oid) => k1::<Int2, OidType>(|v| Ok(i32::from(v) as u32)),
        (Oid::INT4, oid) if is_oid_like(oid) => Arc::new(|call| {
            let values = call.args[0].expanded(call.rows)?;
            let values = values.as_primitive::<Int32Type>();
            Ok(Arc::new(values.unary::<_, UInt32Type>(|v| v as u32)))
        }),
        (oid, Oid::INT8) if is_oid_like(oid) => k1::<OidType, Int8>(|v| Ok(v.into())),
        (oid, Oid::INT4) if is_oid_like(oid) => k1::<OidType, Int4>(|v| Ok(v as i32)),
        (Oid::JSONB, _) => return from_jsonb(to),
        _ => return between_moments(from, to),
    })
}

/// Casts among dates and times that no zone matters to.
fn between_moments(from: Oid, to: Oid) -> Option<Kernel> {
    Some(match (from, to) {
        (Oid::DATE, Oid::TIMESTAMP) => k1::<Date, Timestamp>(date_to_timestamp),
        (Oid::TIMESTAMP, Oid::DATE) => k1::<Timestamp, Date>(timestamp_to_date),
        (Oid::TIMESTAMP, Oid::TIME) => {
            k1::<Timestamp, super::kernel::Opt<Time>>(|us| Ok(is_finite(us).then(|| split(us).1)))
        }
        (Oid::TIMETZ, Oid::TIME) => k1::<TimeTz, Time>(|v| Ok(Clock::unpack(v).us)),
        (Oid::TIME, Oid::INTERVAL) => {
            k1::<Time, Interval>(|us| Parts { us, ..Parts::default() }.value())
        }
        (Oid::INTERVAL, Oid::TIME) => {
            k1::<Interval, Time>(|v| Ok(Parts::of(v).us.rem_euclid(USECS_PER_DAY)))
        }
        _ => return None,
    })
}

/// Midnight of a day; the infinities stay.
pub(super) fn date_to_timestamp(days: i32) -> Result<i64> {
    match days {
        DATE_INFINITY => Ok(TS_INFINITY),
        DATE_NEG_INFINITY => Ok(TS_NEG_INFINITY),
        days => join(i64::from(days), 0).map_err(|_| {
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
        }),
    }
}

pub(super) fn timestamp_to_date(us: i64) -> Result<i32> {
    Ok(match us {
        TS_INFINITY => DATE_INFINITY,
        TS_NEG_INFINITY => DATE_NEG_INFINITY,
        us => split(us).0 as i32,
    })
}

/// The moment a zone's clock shows a local time; the infinities stay.
pub(super) fn local_to_utc(us: i64, zone: &TimeZone) -> Result<i64> {
    if !is_finite(us) {
        return Ok(us);
    }
    zone.local_to_utc(us).ok_or_else(|| Error::datetime_out_of_range("timestamp"))
}

/// What a zone's clock shows; the infinities stay.
pub(super) fn utc_to_local(us: i64, zone: &TimeZone) -> i64 {
    if is_finite(us) { zone.utc_to_local(us) } else { us }
}

/// Casts among dates and times in the session's zone.
fn zoned(from: Oid, to: Oid) -> Option<Kernel> {
    Some(match (from, to) {
        (Oid::TIMESTAMP, Oid::TIMESTAMPTZ) => {
            k2::<Timestamp, Settings, TimestampTz>(|us, s| local_to_utc(us, &s.time_zone))
        }
        (Oid::TIMESTAMPTZ, Oid::TIMESTAMP) => {
            k2::<TimestampTz, Settings, Timestamp>(|us, s| Ok(utc_to_local(us, &s.time_zone)))
        }
        (Oid::DATE, Oid::TIMESTAMPTZ) => k2::<Date, Settings, TimestampTz>(|days, s| {
            local_to_utc(date_to_timestamp(days)?, &s.time_zone)
        }),
        (Oid::TIMESTAMPTZ, Oid::DATE) => k2::<TimestampTz, Settings, Date>(|us, s| {
            timestamp_to_date(utc_to_local(us, &s.time_zone))
        }),
        (Oid::TIME, Oid::TIMETZ) => {
            k2::<Time, Settings, TimeTz>(|us, s| Ok(Clock::in_session(us, &s).pack()))
        }
        (Oid::TIMESTAMPTZ, Oid::TIMETZ) => {
            k2::<TimestampTz, Settings, super::kernel::Opt<TimeTz>>(|us, s| {
                let us_of_day = || split(utc_to_local(us, &s.time_zone)).1;
                let time = || Clock { us: us_of_day(), west: -s.time_zone.east_at(us) };
                Ok(is_finite(us).then(|| time().pack()))
            })
        }
        (Oid::TIMESTAMPTZ, Oid::TIME) => {
            k2::<TimestampTz, Settings, super::kernel::Opt<Time>>(|us, s| {
                Ok(is_finite(us).then(|| split(utc_to_local(us, &s.time_zone)).1))
            })
        }
        _ => return None,
    })
}

fn from_jsonb(to: Oid) -> Option<Kernel> {
    Some(match to {
        Oid::BOOL => k1::<Text, Bool>(|text| match json::parse(text)? {
            Json::Bool(value) => Ok(value),
            other => Err(wrong_jsonb(&other, "boolean")),
        }),
        Oid::NUMERIC => k1::<Text, Num>(|text| jsonb_number(text, "numeric")),
        Oid::INT2 => {
            k1::<Text, Int2>(|text| jsonb_number(text, "smallint")?.to_integer("smallint"))
        }
        Oid::INT4 => k1::<Text, Int4>(|text| jsonb_number(text, "integer")?.to_integer("integer")),
        Oid::INT8 => k1::<Text, Int8>(|text| jsonb_number(text, "bigint")?.to_integer("bigint")),
        Oid::FLOAT4 => k1::<Text, Float4>(|text| narrowed(jsonb_number(text, "real")?.to_f64())),
        Oid::FLOAT8 => {
            k1::<Text, Float8>(|text| Ok(jsonb_number(text, "double precision")?.to_f64()))
        }
        _ => return None,
    })
}

fn jsonb_number(text: &str, to: &str) -> Result<Numeric> {
    match json::parse(text)? {
        Json::Number(digits) => Numeric::parse(&digits),
        other => Err(wrong_jsonb(&other, to)),
    }
}

fn wrong_jsonb(value: &Json, to: &str) -> Error {
    let kind = match value {
        Json::Null => "null",
        Json::String(_) => "string",
        Json::Number(_) => "numeric",
        Json::Bool(_) => "boolean",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    Error::invalid_parameter_value(format!("cannot cast jsonb {kind} to type {to}"))
}

/// The functions of pg_cast, which can be called by name too: `int4(float8)`, `text(bool)`.
pub(super) fn register(all: &mut Implementations) {
    let casts: Vec<&str> = include_str!("pg_cast.tsv").lines().collect();
    let procs: std::collections::HashMap<&str, Vec<&str>> = include_str!("pg_proc.tsv")
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|fields| (fields[0], fields))
        .collect();
    let name = |oid: Oid| crate::types::builtin(oid).map_or("", |t| t.name);
    for line in casts {
        let fields: Vec<&str> = line.split('\t').collect();
        let (Ok(from), Ok(to)) = (fields[1].parse().map(Oid), fields[2].parse().map(Oid)) else {
            continue;
        };
        let Some(function) = procs.get(fields[3]) else { continue };
        // Casts to other types kept alike borrow functions: int2 to oid is int4(int2).
        if from == to || function[8] != fields[1] || function[7] != fields[2] {
            continue;
        }
        let (source, target) = (PgType::plain(from), PgType::plain(to));
        let (Ok(arg), Ok(ret)) = (source.arrow(), target.arrow()) else { continue };
        let signature = format!("{}({})", function[1], name(from));
        match conversion(source, target) {
            Ok(Some((kernel, false))) => all.kernel(&signature, vec![arg], ret, kernel),
            Ok(Some((kernel, true))) => {
                let args = vec![arg, DataType::Utf8];
                let udf = scalar_udf(&signature, args, ret, Volatility::Immutable, true, kernel);
                all.add_zoned(&signature, Implementation::Udf(udf));
            }
            Ok(None) => {
                all.add(&signature, Implementation::Expr(|mut args| args.swap_remove(0)));
            }
            Err(_) => {}
        }
    }
}
