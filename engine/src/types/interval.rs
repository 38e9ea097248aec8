//! `interval`: months, days and microseconds, never mixed; text input in all of PostgreSQL's forms
//! and output in IntervalStyle `postgres`; [`style`] has the others.

use std::fmt::Write;

use arrow::datatypes::IntervalMonthDayNano;

use super::datetime::{
    USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, round_to_precision,
};
use super::names::interval_fields::{DAY, FULL, FULL_PRECISION, HOUR, MINUTE, MONTH, SECOND, YEAR};
use super::settings::IntervalStyle;
use crate::error::{Error, Result, SqlState};

pub(crate) mod style;

const DAYS_PER_MONTH: f64 = 30.0;
const NANOS_PER_MICRO: i64 = 1_000;

/// An interval's parts; `us` is microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) us: i64,
}

impl Parts {
    pub(crate) fn of(value: IntervalMonthDayNano) -> Parts {
        Parts { months: value.months, days: value.days, us: value.nanoseconds / NANOS_PER_MICRO }
    }

    /// # Errors
    /// 22008 when the microseconds don't fit as nanoseconds.
    pub(crate) fn value(self) -> Result<IntervalMonthDayNano> {
        let nanoseconds = self.us.checked_mul(NANOS_PER_MICRO).ok_or_else(out_of_range)?;
        Ok(IntervalMonthDayNano { months: self.months, days: self.days, nanoseconds })
    }

    /// What comparisons compare: microseconds with months of 30 days of 24 hours.
    pub(crate) fn span(self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * i128::from(USECS_PER_DAY) + i128::from(self.us)
    }
}

pub(crate) fn out_of_range() -> Error {
    Error::datetime_out_of_range("interval")
}

/// Appends the text form.
pub(crate) fn write(parts: Parts, out: &mut impl Write) -> std::fmt::Result {
    let (years, months) = (parts.months / 12, parts.months % 12);
    let mut first = true;
    let mut negative_before = false;
    let mut unit = |out: &mut dyn Write, value: i32, name: &str| -> std::fmt::Result {
        if value == 0 {
            return Ok(());
        }
        if !first {
            out.write_char(' ')?;
        }
        let plus = if negative_before && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        write!(out, "{plus}{value} {name}{plural}")?;
        negative_before = value < 0;
        first = false;
        Ok(())
    };
    unit(out, years, "year")?;
    unit(out, months, "mon")?;
    unit(out, parts.days, "day")?;
    if first || parts.us != 0 {
        if !first {
            out.write_char(' ')?;
        }
        let sign = match (parts.us < 0, negative_before) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let us = parts.us.unsigned_abs();
        let seconds = us / USECS_PER_SEC as u64;
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(out, "{sign}{h:02}:{m:02}:{s:02}")?;
        let fraction = us % USECS_PER_SEC as u64;
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            write!(out, ".{}", digits.trim_end_matches('0'))?;
        }
    }
    Ok(())
}

/// Reads PostgreSQL's and the standard's forms and ISO 8601 durations; `typmod` may name fields
/// that a bare number means and that are kept.
///
/// # Errors
/// 22007 for nonsense, 22015 for parts out of range.
pub(crate) fn parse(text: &str, typmod: i32, style: IntervalStyle) -> Result<Parts> {
    let trimmed = text.trim_matches(super::numeric::is_space);
    let fields = fields_of(typmod);
    let parsed = match trimmed.as_bytes() {
        [b'P', ..] => iso(trimmed),
        [b'-', b'P', ..] => None,
        _ => traditional(trimmed, fields, style),
    };
    let sum = parsed.ok_or_else(|| Error::invalid_datetime("interval", text))?;
    let parts = sum.parts().ok_or_else(|| {
        Error::new(
            SqlState::INTERVAL_FIELD_OVERFLOW,
            format!("interval field value out of range: \"{text}\""),
        )
    })?;
    Ok(with_typmod(parts, typmod))
}

fn fields_of(typmod: i32) -> i32 {
    if typmod < 0 { FULL } else { (typmod >> 16) & 0x7fff }
}

/// Cuts what a modifier's fields don't hold and rounds to its precision.
pub(crate) fn with_typmod(mut parts: Parts, typmod: i32) -> Parts {
    if typmod < 0 {
        return parts;
    }
    let fields = fields_of(typmod);
    if fields != FULL {
        // The lowest field decides; higher ones always fit.
        if fields & (MONTH | YEAR) != 0 && fields & (DAY | HOUR | MINUTE | SECOND) == 0 {
            parts.days = 0;
            parts.us = 0;
            if fields & MONTH == 0 {
                parts.months -= parts.months % 12;
            }
        } else if fields & (HOUR | MINUTE | SECOND) == 0 {
            parts.us = 0;
        } else if fields & (MINUTE | SECOND) == 0 {
            parts.us -= parts.us % USECS_PER_HOUR;
        } else if fields & SECOND == 0 {
            parts.us -= parts.us % USECS_PER_MINUTE;
        }
    }
    match typmod & 0xffff {
        FULL_PRECISION => parts,
        precision => Parts { us: round_to_precision(parts.us, precision), ..parts },
    }
}

/// A sum in the making; checked once at the end.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    months: i128,
    days: i128,
    us: i128,
}

impl Sum {
    fn parts(self) -> Option<Parts> {
        Some(Parts {
            months: i32::try_from(self.months).ok()?,
            days: i32::try_from(self.days).ok()?,
            us: i64::try_from(self.us).ok()?,
        })
    }

    /// Adds an amount of a unit; fractions of big units become smaller units as PostgreSQL does.
    fn add(&mut self, amount: &Amount, unit: Unit) {
        let (whole, fraction) = (i128::from(amount.whole), amount.fraction);
        match unit {
            Unit::Microsecond => self.us += whole + fraction.round_ties_even() as i128,
            Unit::Millisecond => self.time(whole, fraction, 1_000),
            Unit::Second => self.time(whole, fraction, USECS_PER_SEC),
            Unit::Minute => self.time(whole, fraction, USECS_PER_MINUTE),
            Unit::Hour => self.time(whole, fraction, USECS_PER_HOUR),
            Unit::Day => {
                self.days += whole;
                self.time(0, fraction, USECS_PER_DAY);
            }
            Unit::Week => {
                self.days += whole * 7;
                self.fraction_of_days(fraction * 7.0);
            }
            Unit::Month => {
                self.months += whole;
                self.fraction_of_days(fraction * DAYS_PER_MONTH);
            }
            Unit::Year => self.years(whole, fraction, 1),
            Unit::Decade => self.years(whole, fraction, 10),
            Unit::Century => self.years(whole, fraction, 100),
            Unit::Millennium => self.years(whole, fraction, 1000),
        }
    }

    fn time(&mut self, whole: i128, fraction: f64, unit_us: i64) {
        self.us += whole * i128::from(unit_us);
        self.us += (fraction * unit_us as f64).round_ties_even() as i128;
    }

    fn fraction_of_days(&mut self, days: f64) {
        let whole = days.trunc();
        self.days += whole as i128;
        self.time(0, days - whole, USECS_PER_DAY);
    }

    fn years(&mut self, whole: i128, fraction: f64, years: i128) {
        self.months += whole * years * 12;
        self.months += (fraction * years as f64 * 12.0).round_ties_even() as i128;
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    fn named(word: &str) -> Option<Unit> {
        Some(match word {
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" | "microsecond"
            | "microseconds" => Unit::Microsecond,
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" | "millisecond"
            | "milliseconds" => Unit::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "mon" | "mons" | "month" | "months" => Unit::Month,
            "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
            "dec" | "decs" | "decade" | "decades" => Unit::Decade,
            "c" | "cent" | "century" | "centuries" => Unit::Century,
            "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
            _ => return None,
        })
    }
}

/// A number with its sign in both parts.
#[derive(Clone, Copy, Debug)]
struct Amount {
    whole: i64,
    fraction: f64,
}

impl Amount {
    fn parse(text: &str) -> Option<Amount> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let valid = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !valid(whole) || !valid(fraction) {
            return None;
        }
        // More digits than fit are out of range in any unit.
        let whole = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(i64::MAX) };
        let fraction: f64 =
            if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
        Some(if negative {
            Amount { whole: -whole, fraction: -fraction }
        } else {
            Amount { whole, fraction }
        })
    }
}

enum Token {
    Number(String),
    Time(String),
    YearMonth(String),
    Word(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let bytes = text.as_bytes();
    if !text.is_ascii() {
        return None;
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let first = bytes[at];
        let run = |from: usize, accept: &dyn Fn(u8) -> bool| {
            bytes[from..].iter().position(|b| !accept(*b)).map_or(bytes.len(), |n| from + n)
        };
        if first.is_ascii_whitespace() || first == b'@' || first == b',' {
            at += 1;
        } else if first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.') {
            let mut start = at + 1;
            if matches!(first, b'+' | b'-') {
                start = run(start, &|b| b.is_ascii_whitespace());
            }
            let mut end = run(start, &|b| b.is_ascii_digit() || matches!(b, b'.' | b':'));
            let mut number = String::new();
            number.push(first as char);
            number.push_str(&text[start..end]);
            if bytes.get(end) == Some(&b'-')
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
                && !number.contains([':', '.'])
            {
                let from = end;
                end = run(end + 1, &|b| b.is_ascii_digit());
                number.push_str(&text[from..end]);
                tokens.push(Token::YearMonth(number));
            } else if number.contains(':') {
                tokens.push(Token::Time(number));
            } else {
                tokens.push(Token::Number(number));
            }
            at = end;
        } else if first.is_ascii_alphabetic() {
            let end = run(at, &|b| b.is_ascii_alphabetic());
            tokens.push(Token::Word(text[at..end].to_ascii_lowercase()));
            at = end;
        } else {
            return None;
        }
    }
    Some(tokens)
}

fn traditional(text: &str, fields: i32, style: IntervalStyle) -> Option<Sum> {
    let mut tokens = tokens(text)?;
    if style == IntervalStyle::SqlStandard {
        spread_sign(&mut tokens);
    }
    if tokens.is_empty() {
        return None;
    }
    let mut sum = Sum::default();
    let mut ago = false;
    let mut seen = false;
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Number(number) => {
                let amount = Amount::parse(number)?;
                let (unit, used) = match tokens.get(i + 1) {
                    Some(Token::Word(word)) => (Unit::named(word)?, 2),
                    // `1 2:03:04`: the number before a time counts days.
                    Some(Token::Time(_)) => (Unit::Day, 1),
                    None => (bare_unit(fields), 1),
                    // `1 2 hours`: before hours as well.
                    Some(Token::Number(_)) if is_hours(&tokens[i + 1..], fields) => (Unit::Day, 1),
                    Some(Token::Number(_) | Token::YearMonth(_)) => return None,
                };
                sum.add(&amount, unit);
                i += used;
            }
            Token::Time(time) => {
                sum.us += clock(time, fields)?;
                i += 1;
            }
            Token::YearMonth(text) => {
                let (negative, digits) = match text.as_bytes()[0] {
                    b'-' => (true, &text[1..]),
                    b'+' => (false, &text[1..]),
                    _ => (false, text.as_str()),
                };
                let (years, months) = digits.split_once('-')?;
                // More digits than fit are out of range in any case.
                let years: i128 = years.parse::<i64>().unwrap_or(i64::MAX).into();
                let months: i128 = months.parse().ok()?;
                if months > 11 {
                    return None;
                }
                let total = years * 12 + months;
                sum.months += if negative { -total } else { total };
                i += 1;
            }
            Token::Word(word) => {
                if word != "ago" || i + 1 != tokens.len() || !seen {
                    return None;
                }
                ago = true;
                i += 1;
            }
        }
        seen = true;
    }
    if ago {
        sum = Sum { months: -sum.months, days: -sum.days, us: -sum.us };
    }
    Some(sum)
}

/// Whether a number counts hours, by its word or by the type's fields.
fn is_hours(tokens: &[Token], fields: i32) -> bool {
    match tokens.get(1) {
        Some(Token::Word(word)) => Unit::named(word) == Some(Unit::Hour),
        None => bare_unit(fields) == Unit::Hour,
        Some(_) => false,
    }
}

/// In the standard a single sign, in front, is that of all fields.
fn spread_sign(tokens: &mut [Token]) {
    let signed = |token: &Token| match token {
        Token::Number(text) | Token::Time(text) | Token::YearMonth(text) => {
            text.starts_with(['-', '+'])
        }
        Token::Word(_) => false,
    };
    let negative = match tokens.first() {
        Some(Token::Number(text) | Token::Time(text) | Token::YearMonth(text)) => {
            text.starts_with('-')
        }
        _ => false,
    };
    if !negative || tokens.iter().skip(1).any(signed) {
        return;
    }
    for token in tokens.iter_mut().skip(1) {
        if let Token::Number(text) | Token::Time(text) | Token::YearMonth(text) = token {
            text.insert(0, '-');
        }
    }
}

/// The unit of a number without one: the lowest field of the type.
fn bare_unit(fields: i32) -> Unit {
    if fields == FULL || fields & SECOND != 0 {
        Unit::Second
    } else if fields & MINUTE != 0 {
        Unit::Minute
    } else if fields & HOUR != 0 {
        Unit::Hour
    } else if fields & DAY != 0 {
        Unit::Day
    } else if fields & MONTH != 0 {
        Unit::Month
    } else {
        Unit::Year
    }
}

/// `h:mm`, `h:mm:ss.f`; `m:ss` when the type only has minutes and seconds.
fn clock(text: &str, fields: i32) -> Option<i128> {
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let (h, m, s) = match parts[..] {
        [m, s] if fields == MINUTE | SECOND || s.contains('.') => ("0", m, s),
        [h, m] => (h, m, "0"),
        [h, m, s] => (h, m, s),
        _ => return None,
    };
    let hours: i128 = h.parse::<i64>().unwrap_or(i64::MAX).into();
    let minutes: i64 = m.parse().ok()?;
    let seconds = Amount::parse(s)?;
    if minutes > 59 || seconds.whole > 60 {
        return None;
    }
    let below = minutes * USECS_PER_MINUTE
        + seconds.whole * USECS_PER_SEC
        + (seconds.fraction * USECS_PER_SEC as f64).round_ties_even() as i64;
    let us = hours * i128::from(USECS_PER_HOUR) + i128::from(below);
    Some(if negative { -us } else { us })
}

/// `P1Y2M3DT4H5M6S`, `P0001-02-03T04:05:06`
fn iso(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut rest = &text[1..];
    let mut in_time = false;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            in_time = true;
            rest = after;
            if rest.contains(':') {
                sum.us += clock(rest, FULL)?;
                return Some(sum);
            }
            continue;
        }
        let end = rest
            .char_indices()
            .find(|(i, c)| {
                !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '-' | '+')))
            })
            .map(|(i, _)| i)?;
        if rest.as_bytes()[end] == b'-' && !in_time {
            // The alternative form: years-months-days.
            let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
            let mut parts = date.split('-');
            let units = [Unit::Year, Unit::Month, Unit::Day];
            for unit in units {
                if let Some(part) = parts.next() {
                    sum.add(&Amount::parse(part)?, unit);
                }
            }
            if parts.next().is_some() {
                return None;
            }
            if !time.is_empty() {
                sum.us += clock(time, FULL)?;
            }
            return Some(sum);
        }
        let amount = Amount::parse(&rest[..end])?;
        let unit = match (rest.as_bytes()[end], in_time) {
            (b'Y', false) => Unit::Year,
            (b'M', false) => Unit::Month,
            (b'W', false) => Unit::Week,
            (b'D', false) => Unit::Day,
            (b'H', true) => Unit::Hour,
            (b'M', true) => Unit::Minute,
            (b'S', true) => Unit::Second,
            _ => return None,
        };
        sum.add(&amount, unit);
        rest = &rest[end + 1..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(parts: Parts) -> String {
        let mut out = String::new();
        write(parts, &mut out).unwrap();
        out
    }

    #[test]
    fn forms() {
        for (written, printed) in [
            ("1 year 2 months 3 days 4 hours", "1 year 2 mons 3 days 04:00:00"),
            ("1-2", "1 year 2 mons"),
            ("3 4:05:06", "3 days 04:05:06"),
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
            ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 days", "1 day 12:00:00"),
            ("@ 1 minute ago", "-00:01:00"),
            ("-1 day +02:03:04", "-1 days +02:03:04"),
            ("90", "00:01:30"),
            ("1 week", "7 days"),
            ("0", "00:00:00"),
            ("1.123456789 s", "00:00:01.123457"),
            ("2 mons -1 days", "2 mons -1 days"),
        ] {
            assert_eq!(
                text(parse(written, -1, IntervalStyle::Postgres).unwrap()),
                printed,
                "{written}"
            );
        }
        for too_big in [
            "170141183460469231731687303715884105727-1",
            "99999999999999999999999999999999999999999 years",
            "9223372036854775807:59:59",
            "-99999999999999999999:00 ago",
            "P99999999999999999999D",
            "9223372036854775807 millennia",
        ] {
            let error = parse(too_big, -1, IntervalStyle::Postgres).unwrap_err();
            assert_eq!(error.sqlstate, SqlState::INTERVAL_FIELD_OVERFLOW, "{too_big}");
        }
        assert!(parse("1e5 seconds", -1, IntervalStyle::Postgres).is_err());
        assert!(parse("nonsense", -1, IntervalStyle::Postgres).is_err());
        assert!(parse("", -1, IntervalStyle::Postgres).is_err());
    }

    proptest! {
        #[test]
        fn comes_back(months in any::<i32>(), days in any::<i32>(), us in -9_000_000_000_000_000i64..9_000_000_000_000_000) {
            let parts = Parts { months, days, us };
            prop_assert_eq!(parse(&text(parts), -1, IntervalStyle::Postgres).unwrap(), parts);
        }
    }
}
