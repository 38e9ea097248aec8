//! Set-returning functions: a list per row, which the binder unnests.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListArray, ListBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};

use super::cast::settings_of;
use super::datetime::{add_interval, add_interval_zoned};
use super::kernel::{
    Call, Int4, Int8, Interval, Kernel, Num, SqlType, Text, Timestamp, downcast, scalar_udf,
};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result};
use crate::types::interval::Parts;
use crate::types::numeric::Numeric;
use crate::types::{list_of, timestamp_type};

/// A row's set is a list in memory: longer ones are refused.
const MAX_SET_ROWS: usize = 10_000_000;

pub(super) fn register(all: &mut Implementations) {
    for signature in ["generate_series(int4,int4)", "generate_series(int4,int4,int4)"] {
        let kernel: Kernel = Arc::new(|call| {
            integers::<Int4, _>(
                call,
                i64::from,
                |values| {
                    let mut out = Int32Builder::with_capacity(values.len());
                    values.iter().for_each(|v| out.append_value(*v as i32));
                    Arc::new(out.finish())
                },
                i64::from(i32::MIN)..=i64::from(i32::MAX),
            )
        });
        set(all, signature, vec![DataType::Int32], DataType::Int32, kernel);
    }
    for signature in ["generate_series(int8,int8)", "generate_series(int8,int8,int8)"] {
        let kernel: Kernel = Arc::new(|call| {
            integers::<Int8, _>(
                call,
                |v| v,
                |values| {
                    let mut out = Int64Builder::with_capacity(values.len());
                    out.append_slice(values);
                    Arc::new(out.finish())
                },
                i64::MIN..=i64::MAX,
            )
        });
        set(all, signature, vec![DataType::Int64], DataType::Int64, kernel);
    }
    for signature in
        ["generate_series(numeric,numeric)", "generate_series(numeric,numeric,numeric)"]
    {
        set(all, signature, vec![DataType::Binary], DataType::Binary, Arc::new(numerics));
    }
    let args = |zoned| {
        vec![timestamp_type(zoned), timestamp_type(zoned), Interval::data_type(), DataType::Utf8]
    };
    let kernel: Kernel = Arc::new(|call| moments(call, false));
    let signature = "generate_series(timestamp,timestamp,interval)";
    set(all, signature, args(false), timestamp_type(false), kernel);
    let signature = "generate_series(timestamptz,timestamptz,interval)";
    let kernel: Kernel = Arc::new(|call| moments(call, true));
    let ret = list_of(timestamp_type(true));
    let udf = scalar_udf(signature, args(true), ret, Volatility::Immutable, false, kernel);
    all.add_zoned(signature, Implementation::Udf(udf));
    for signature in ["regexp_matches(text,text)", "regexp_matches(text,text,text)"] {
        let ret = list_of(DataType::Utf8);
        set(all, signature, vec![DataType::Utf8], ret, Arc::new(regexp_matches));
    }
}

fn set(
    all: &mut Implementations,
    signature: &str,
    args: Vec<DataType>,
    element: DataType,
    kernel: Kernel,
) {
    all.kernel(signature, args, list_of(element), kernel);
}

/// A list column from the values of all rows and how many are each row's.
pub(super) fn lists(values: ArrayRef, lengths: Vec<usize>) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None::<NullBuffer>)?))
}

fn zero_step() -> Error {
    Error::invalid_parameter_value("step size cannot equal zero")
}

fn checked(length: usize) -> Result<()> {
    if length > MAX_SET_ROWS {
        return Err(Error::program_limit_exceeded(format!(
            "a set of more than {MAX_SET_ROWS} rows is not supported"
        )));
    }
    Ok(())
}

/// The value of an argument in a row, `None` for NULL and for arguments that aren't there.
fn argument<T: SqlType>(call: &Call, i: usize, row: usize) -> Result<Option<T::In<'_>>> {
    let arg = &call.args[i];
    T::get(downcast(&arg.array)?, arg.index(row))
}

fn integers<T, F>(
    call: &Call,
    widen: F,
    finish: impl Fn(&[i64]) -> ArrayRef,
    range: std::ops::RangeInclusive<i64>,
) -> Result<ArrayRef>
where
    T: SqlType,
    F: for<'a> Fn(T::In<'a>) -> i64,
{
    let (mut values, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let before = values.len();
        let step = match call.args.get(2) {
            None => Some(1),
            Some(_) => argument::<T>(call, 2, row)?.map(&widen),
        };
        let bounds = (argument::<T>(call, 0, row)?, argument::<T>(call, 1, row)?, step);
        if let (Some(start), Some(stop), Some(step)) = bounds {
            let (start, stop) = (widen(start), widen(stop));
            if step == 0 {
                return Err(zero_step());
            }
            let span = i128::from(stop) - i128::from(start);
            if span == 0 || (span > 0) == (step > 0) {
                checked((span / i128::from(step)).min(i128::from(u32::MAX)) as usize)?;
            }
            let mut next = Some(start);
            while let Some(value) = next.filter(|v| if step > 0 { *v <= stop } else { *v >= stop })
            {
                values.push(value);
                next = value.checked_add(step).filter(|v| range.contains(v));
            }
        }
        lengths.push(values.len() - before);
    }
    lists(finish(&values), lengths)
}

fn numerics(call: &Call) -> Result<ArrayRef> {
    let mut out = BinaryBuilder::new();
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut count = 0;
        let step = match call.args.get(2) {
            None => Some(Numeric::from(1)),
            Some(_) => argument::<Num>(call, 2, row)?,
        };
        let bounds = (argument::<Num>(call, 0, row)?, argument::<Num>(call, 1, row)?, step);
        if let (Some(start), Some(stop), Some(step)) = bounds {
            for (what, value) in [("start", &start), ("stop", &stop), ("step size", &step)] {
                if !value.is_finite() {
                    let kind = if matches!(value, Numeric::NaN) { "NaN" } else { "infinity" };
                    let verb = if what == "step size" { "step size" } else { what };
                    let noun = if verb == "step size" { "" } else { " value" };
                    return Err(Error::invalid_parameter_value(format!(
                        "{verb}{noun} cannot be {kind}"
                    )));
                }
            }
            if step.sign() == 0 {
                return Err(zero_step());
            }
            let mut next = start;
            while if step.sign() > 0 { next <= stop } else { next >= stop } {
                out.append_value(next.to_bytes());
                count += 1;
                checked(count)?;
                next = next.add(&step)?;
            }
        }
        lengths.push(count);
    }
    lists(Arc::new(out.finish()), lengths)
}

fn moments(call: &Call, zoned: bool) -> Result<ArrayRef> {
    let settings = if zoned { Some(settings_of(call)?) } else { None };
    let mut out = TimestampMicrosecondBuilder::new().with_data_type(timestamp_type(zoned));
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut count = 0;
        let bounds = (
            argument::<Timestamp>(call, 0, row)?,
            argument::<Timestamp>(call, 1, row)?,
            argument::<Interval>(call, 2, row)?,
        );
        if let (Some(start), Some(stop), Some(step)) = bounds {
            let step = Parts::of(step);
            if step.span() == 0 {
                return Err(zero_step());
            }
            let forward = step.span() > 0;
            let mut next = start;
            while if forward { next <= stop } else { next >= stop } {
                out.append_value(next);
                count += 1;
                checked(count)?;
                next = match &settings {
                    Some(settings) => add_interval_zoned(next, step, &settings.time_zone)?,
                    None => add_interval(next, step)?,
                };
            }
        }
        lengths.push(count);
    }
    lists(Arc::new(out.finish()), lengths)
}

/// A list of arrays of groups per row.
fn regexp_matches(call: &Call) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for row in 0..call.rows {
        let flags = match call.args.get(2) {
            None => Some(""),
            Some(_) => argument::<Text>(call, 2, row)?,
        };
        let given = (argument::<Text>(call, 0, row)?, argument::<Text>(call, 1, row)?, flags);
        if let (Some(text), Some(pattern), Some(flags)) = given {
            for groups in super::regex::all_matches(text, pattern, flags)? {
                for group in groups {
                    out.values().values().append_option(group);
                }
                out.values().append(true);
            }
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}
