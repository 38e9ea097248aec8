//! Mathematical functions.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::DataType;

use super::kernel::{Float8, Int4, Int8, Num, Opt};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::numeric::{Numeric, pow10};

/// The largest n whose factorial is computed.
const MAX_FACTORIAL: i64 = 32_177;

fn logarithm(value: f64, f: fn(f64) -> f64) -> Result<f64> {
    if value > 0.0 || value.is_nan() {
        return Ok(f(value));
    }
    let what = if value == 0.0 { "zero" } else { "a negative number" };
    Err(Error::new(
        SqlState::INVALID_ARGUMENT_FOR_LOGARITHM,
        format!("cannot take logarithm of {what}"),
    ))
}

fn within(value: f64, range: std::ops::RangeInclusive<f64>, f: fn(f64) -> f64) -> Result<f64> {
    if value.is_nan() || range.contains(&value) {
        return Ok(f(value));
    }
    Err(input_out_of_range())
}

fn input_out_of_range() -> Error {
    Error::numeric_out_of_range("input is out of range")
}

fn finite(value: f64, f: fn(f64) -> f64) -> Result<f64> {
    if value.is_infinite() { Err(input_out_of_range()) } else { Ok(f(value)) }
}

fn no_overflow(input: f64, result: f64) -> Result<f64> {
    if result.is_infinite() && input.is_finite() {
        return Err(Error::numeric_out_of_range("value out of range: overflow"));
    }
    Ok(result)
}

fn exp(value: f64) -> Result<f64> {
    let result = no_overflow(value, value.exp())?;
    if result == 0.0 && value.is_finite() {
        return Err(Error::numeric_out_of_range("value out of range: underflow"));
    }
    Ok(result)
}

/// Degrees with exact values at the multiples of 30 where the function has them.
fn degrees_of(value: f64, f: fn(f64) -> f64) -> Result<f64> {
    if value.is_infinite() {
        return Err(input_out_of_range());
    }
    let result = f((value % 360.0).to_radians());
    let rounded = (result * 2.0).round() / 2.0;
    Ok(if (result - rounded).abs() < 1e-15 { rounded + 0.0 } else { result })
}

fn in_degrees(radians: f64) -> f64 {
    let degrees = radians.to_degrees();
    let rounded = degrees.round();
    if (degrees - rounded).abs() < 1e-13 { rounded } else { degrees }
}

pub(super) fn register(all: &mut Implementations) {
    rounding(all);
    logarithms(all);
    trigonometry(all);
    numerics(all);
    all.f4::<Float8, Float8, Float8, Int4, Int4>(
        "width_bucket(float8,float8,float8,int4)",
        width_bucket,
    );
    all.f4::<Num, Num, Num, Int4, Int4>(
        "width_bucket(numeric,numeric,numeric,int4)",
        numeric_width_bucket,
    );
}

fn rounding(all: &mut Implementations) {
    for name in ["round(float8)", "dround(float8)"] {
        all.f1::<Float8, Float8>(name, |v| Ok(v.round_ties_even()));
    }
    for name in ["trunc(float8)", "dtrunc(float8)"] {
        all.f1::<Float8, Float8>(name, |v| Ok(v.trunc()));
    }
    all.f1::<Float8, Float8>("floor(float8)", |v| Ok(v.floor()));
    all.f1::<Float8, Float8>("ceil(float8)", |v| Ok(v.ceil()));
    all.f1::<Float8, Float8>("ceiling(float8)", |v| Ok(v.ceil()));
    all.f1::<Float8, Float8>("sign(float8)", |v| {
        Ok(if v > 0.0 {
            1.0
        } else if v < 0.0 {
            -1.0
        } else {
            0.0
        })
    });
    all.f1::<Num, Num>("floor(numeric)", |v| Ok(v.floor()));
    all.f1::<Num, Num>("ceil(numeric)", |v| Ok(v.ceil()));
    all.f1::<Num, Num>("ceiling(numeric)", |v| Ok(v.ceil()));
    all.f2::<Num, Int4, Num>("round(numeric,int4)", |v, n| Ok(v.round(n)));
    all.f1::<Num, Num>("round(numeric)", |v| Ok(v.round(0)));
    all.f2::<Num, Int4, Num>("trunc(numeric,int4)", |v, n| Ok(v.truncate(n)));
    all.f1::<Num, Num>("trunc(numeric)", |v| Ok(v.truncate(0)));
    all.f1::<Num, Num>("sign(numeric)", |v| {
        Ok(if matches!(v, Numeric::NaN) { v } else { Numeric::from(v.sign()) })
    });
}

fn logarithms(all: &mut Implementations) {
    for name in ["ln(float8)", "dlog1(float8)"] {
        all.f1::<Float8, Float8>(name, |v| logarithm(v, f64::ln));
    }
    for name in ["log(float8)", "log10(float8)", "dlog10(float8)"] {
        all.f1::<Float8, Float8>(name, |v| logarithm(v, f64::log10));
    }
    for name in ["exp(float8)", "dexp(float8)"] {
        all.f1::<Float8, Float8>(name, exp);
    }
    for name in ["sqrt(float8)", "dsqrt(float8)"] {
        all.f1::<Float8, Float8>(name, |v| {
            if v < 0.0 {
                return Err(Error::new(
                    SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                    "cannot take square root of a negative number",
                ));
            }
            Ok(v.sqrt())
        });
    }
    for name in ["cbrt(float8)", "dcbrt(float8)"] {
        all.f1::<Float8, Float8>(name, |v| Ok(v.cbrt()));
    }
    for name in ["ln(numeric)", "numeric_ln(numeric)"] {
        all.f1::<Num, Num>(name, |v| v.ln());
    }
    for name in ["exp(numeric)", "numeric_exp(numeric)"] {
        all.f1::<Num, Num>(name, |v| v.exp());
    }
    for name in ["sqrt(numeric)", "numeric_sqrt(numeric)"] {
        all.f1::<Num, Num>(name, |v| v.sqrt());
    }
    for name in ["log(numeric)", "log10(numeric)"] {
        all.f1::<Num, Num>(name, |v| v.log(&Numeric::from(10)));
    }
    for name in ["log(numeric,numeric)", "numeric_log(numeric,numeric)"] {
        all.f2::<Num, Num, Num>(name, |base, v| v.log(&base));
    }
}

fn trigonometry(all: &mut Implementations) {
    all.f1::<Float8, Float8>("sin(float8)", |v| finite(v, f64::sin));
    all.f1::<Float8, Float8>("cos(float8)", |v| finite(v, f64::cos));
    all.f1::<Float8, Float8>("tan(float8)", |v| finite(v, f64::tan));
    all.f1::<Float8, Float8>("cot(float8)", |v| finite(v, |x| 1.0 / x.tan()));
    all.f1::<Float8, Float8>("asin(float8)", |v| within(v, -1.0..=1.0, f64::asin));
    all.f1::<Float8, Float8>("acos(float8)", |v| within(v, -1.0..=1.0, f64::acos));
    all.f1::<Float8, Float8>("atan(float8)", |v| Ok(v.atan()));
    all.f2::<Float8, Float8, Float8>("atan2(float8,float8)", |y, x| Ok(y.atan2(x)));
    all.f1::<Float8, Float8>("sinh(float8)", |v| Ok(v.sinh()));
    all.f1::<Float8, Float8>("cosh(float8)", |v| Ok(v.cosh()));
    all.f1::<Float8, Float8>("tanh(float8)", |v| Ok(v.tanh()));
    all.f1::<Float8, Float8>("asinh(float8)", |v| Ok(v.asinh()));
    all.f1::<Float8, Float8>("acosh(float8)", |v| within(v, 1.0..=f64::INFINITY, f64::acosh));
    all.f1::<Float8, Float8>("atanh(float8)", |v| within(v, -1.0..=1.0, f64::atanh));
    all.f1::<Float8, Float8>("sind(float8)", |v| degrees_of(v, f64::sin));
    all.f1::<Float8, Float8>("cosd(float8)", |v| degrees_of(v, f64::cos));
    all.f1::<Float8, Float8>("tand(float8)", |v| {
        Ok(degrees_of(v, f64::sin)? / degrees_of(v, f64::cos)?)
    });
    all.f1::<Float8, Float8>("cotd(float8)", |v| {
        Ok(degrees_of(v, f64::cos)? / degrees_of(v, f64::sin)?)
    });
    all.f1::<Float8, Float8>("asind(float8)", |v| within(v, -1.0..=1.0, f64::asin).map(in_degrees));
    all.f1::<Float8, Float8>("acosd(float8)", |v| within(v, -1.0..=1.0, f64::acos).map(in_degrees));
    all.f1::<Float8, Float8>("atand(float8)", |v| Ok(in_degrees(v.atan())));
    all.f2::<Float8, Float8, Float8>("atan2d(float8,float8)", |y, x| Ok(in_degrees(y.atan2(x))));
    all.f1::<Float8, Float8>("degrees(float8)", |v| {
        no_overflow(v, v / (std::f64::consts::PI / 180.0))
    });
    all.f1::<Float8, Float8>("radians(float8)", |v| Ok(v * (std::f64::consts::PI / 180.0)));
    all.kernel(
        "pi()",
        vec![],
        DataType::Float64,
        Arc::new(|call| Ok(Arc::new(Float64Array::from(vec![std::f64::consts::PI; call.rows])))),
    );
}

fn numerics(all: &mut Implementations) {
    all.f1::<Num, Opt<Int4>>("scale(numeric)", |v| {
        Ok(match v {
            Numeric::Finite(d) => Some(d.scale),
            _ => None,
        })
    });
    all.f1::<Num, Opt<Int4>>("min_scale(numeric)", |v| {
        Ok(match v.trimmed() {
            Numeric::Finite(d) => Some(d.scale),
            _ => None,
        })
    });
    all.f1::<Num, Num>("trim_scale(numeric)", |v| Ok(v.trimmed()));
    all.f1::<Int8, Num>("factorial(int8)", |n| {
        if n < 0 {
            return Err(Error::numeric_out_of_range("factorial of a negative number is undefined"));
        }
        if n > MAX_FACTORIAL {
            return Err(crate::types::numeric::overflow());
        }
        let product = (2..=n).fold(pow10(0), |p, k| p.mul(&i128::from(k).into()));
        Ok(Numeric::new(product, 0))
    });
}

fn width_bucket(value: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    let bad = |message: &str| {
        Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message))
    };
    if count <= 0 {
        return bad("count must be greater than zero");
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return bad("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return bad("lower and upper bounds must be finite");
    }
    if low == high {
        return bad("lower bound cannot equal upper bound");
    }
    let (inside, below) = if low < high {
        (value >= low && value < high, value < low)
    } else {
        (value <= low && value > high, value > low)
    };
    if !inside {
        return match (below, count.checked_add(1)) {
            (true, _) => Ok(0),
            (false, Some(beyond)) => Ok(beyond),
            (false, None) => Err(Error::numeric_out_of_range("integer out of range")),
        };
    }
    let part = f64::from(count) * ((value - low) / (high - low));
    // The quotient may be rounded to 1, as PostgreSQL's is.
    Ok((part as i32).saturating_add(1))
}

/// As [`width_bucket`], with the digits that division gives.
fn numeric_width_bucket(value: Numeric, low: Numeric, high: Numeric, count: i32) -> Result<i32> {
    let all_finite = [&value, &low, &high].iter().all(|v| matches!(v, Numeric::Finite(_)));
    let (from, to) = if low < high { (&low, &high) } else { (&high, &low) };
    if !all_finite || count <= 0 || low == high || value < *from || value > *to || value == high {
        // Outside, or an error: the order of the numbers says which.
        let place = |v: &Numeric| match v {
            Numeric::Finite(_) => f64::from(v.cmp(&low) as i8) + f64::from(v.cmp(&high) as i8),
            other => other.to_f64(),
        };
        return width_bucket(place(&value), place(&low), place(&high), count);
    }
    let (way, whole) = (value.sub(&low)?, high.sub(&low)?);
    let bucket = way.mul(&Numeric::from(count))?.div(&whole)?.truncate(0).to_f64();
    Ok((bucket as i32).saturating_add(1))
}
