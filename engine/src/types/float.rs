//! Text forms of float4 and float8.

use std::fmt::Write;

use super::numeric::is_space;
use crate::error::{Error, Result};

/// Shortest-exact digits switch to exponents from here on, as in PostgreSQL.
const FLOAT8_FIXED_DIGITS: i32 = 15;
const FLOAT4_FIXED_DIGITS: i32 = 6;

/// Reads a float8.
///
/// # Errors
/// 22P02 for nonsense, 22003 for what is too big or too near to zero.
pub(crate) fn parse_float8(text: &str) -> Result<f64> {
    parse(text, "double precision", |t| t.parse::<f64>().ok(), f64::is_infinite, |v| *v == 0.0)
}

/// Reads a float4; errors as [`parse_float8`].
pub(crate) fn parse_float4(text: &str) -> Result<f32> {
    parse(text, "real", |t| t.parse::<f32>().ok(), |v| v.is_infinite(), |v| *v == 0.0)
}

fn parse<T: Copy>(
    text: &str,
    type_name: &str,
    read: impl Fn(&str) -> Option<T>,
    infinite: impl Fn(T) -> bool,
    zero: impl Fn(&T) -> bool,
) -> Result<T> {
    let trimmed = text.trim_matches(is_space);
    let value = read(trimmed).ok_or_else(|| Error::invalid_text_representation(type_name, text))?;
    let mantissa = trimmed.split(['e', 'E']).next().unwrap_or("");
    let has_digits = mantissa.bytes().any(|b| b.is_ascii_digit());
    let has_value = mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    if has_digits && (infinite(value) || (zero(&value) && has_value)) {
        return Err(Error::numeric_out_of_range(format!(
            "\"{trimmed}\" is out of range for type {type_name}"
        )));
    }
    Ok(value)
}

/// Appends a float8; above 0 `extra_digits` prints the shortest text that reads back the same.
pub(crate) fn write_float8(
    value: f64,
    extra_digits: i32,
    out: &mut impl Write,
) -> std::fmt::Result {
    if let Some(word) = special(value) {
        return out.write_str(word);
    }
    if extra_digits > 0 {
        return write_scientific(&format!("{value:e}"), FLOAT8_FIXED_DIGITS, out);
    }
    write_general(value, (15 + extra_digits).max(1) as usize, out)
}

/// Appends a float4, see [`write_float8`].
pub(crate) fn write_float4(
    value: f32,
    extra_digits: i32,
    out: &mut impl Write,
) -> std::fmt::Result {
    if let Some(word) = special(f64::from(value)) {
        return out.write_str(word);
    }
    if extra_digits > 0 {
        return write_scientific(&format!("{value:e}"), FLOAT4_FIXED_DIGITS, out);
    }
    write_general(f64::from(value), (6 + extra_digits).max(1) as usize, out)
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

/// Lays out Rust's `d.ddde±x` as PostgreSQL does.
fn write_scientific(text: &str, fixed_digits: i32, out: &mut impl Write) -> std::fmt::Result {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    out.write_str(sign)?;
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !(-4..fixed_digits).contains(&exponent) {
        out.write_str(first)?;
        if !rest.is_empty() {
            write!(out, ".{rest}")?;
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        out.write_str("0.")?;
        for _ in 1..exponent.unsigned_abs() {
            out.write_char('0')?;
        }
        out.write_str(first)?;
        return out.write_str(rest);
    }
    let whole = exponent as usize;
    out.write_str(first)?;
    if rest.len() <= whole {
        out.write_str(rest)?;
        for _ in rest.len()..whole {
            out.write_char('0')?;
        }
        return Ok(());
    }
    write!(out, "{}.{}", &rest[..whole], &rest[whole..])
}

/// C's `%.*g`.
pub(crate) fn write_general(
    value: f64,
    significant: usize,
    out: &mut impl Write,
) -> std::fmt::Result {
    let text = format!("{value:.*e}", significant - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    write_scientific(&format!("{mantissa}e{exponent}"), significant as i32, out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64, digits: i32) -> String {
        let mut out = String::new();
        write_float8(value, digits, &mut out).unwrap();
        out
    }

    #[test]
    fn printed_as_postgresql_does() {
        for (value, printed) in [
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (100.5, "100.5"),
            (f64::NAN, "NaN"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(text(value, 1), printed);
        }
        assert_eq!(text(1.0 / 3.0, 0), "0.333333333333333");
        let mut out = String::new();
        write_float4(16_777_216.0, 1, &mut out).unwrap();
        assert_eq!(out, "1.6777216e+07");
        assert!(parse_float8("1e400").is_err());
        assert!(parse_float8("x").is_err());
        assert!(parse_float4("1e-60").is_err());
        assert!(parse_float8(" inf ").unwrap().is_infinite());
    }

    proptest! {
        #[test]
        fn comes_back(value in any::<f64>()) {
            let back = parse_float8(&text(value, 1)).unwrap();
            prop_assert!(back == value || (back.is_nan() && value.is_nan()));
        }
    }
}
