//! Values by pattern: to_char of dates, times and intervals (PostgreSQL, "Data Type Formatting
//! Functions").

use chrono::{Datelike, NaiveDateTime, Timelike};

use crate::error::{Error, Result, SqlState};
use crate::types::FormatSettings;
use crate::types::interval::Parts;

use super::kernel::{Interval, Opt, Settings, Text, Timestamp, TimestampTz};
use super::registry::Implementations;

/// Registers all of them.
pub(super) fn register(all: &mut Implementations) {
    all.f2::<Timestamp, Text, Opt<Text>>("to_char(timestamp,text)", |us, pattern| {
        if is_nothing(us, pattern) { Ok(None) } else { format(us, pattern, None).map(Some) }
    });
    all.z3::<TimestampTz, Text, Settings, Opt<Text>>("to_char(timestamptz,text)", |us, p, s| {
        if is_nothing(us, p) { Ok(None) } else { zoned(us, p, s).map(Some) }
    });
    all.f2::<Interval, Text, Opt<Text>>("to_char(interval,text)", |span, pattern| {
        let span = Span::of(Parts::of(span));
        if pattern.is_empty() {
            return Ok(None);
        }
        filled(pattern, &|name, fill| span.field(name, fill)).map(Some)
    });
}

/// The infinities and the empty pattern give NULL.
fn is_nothing(us: i64, pattern: &str) -> bool {
    us == i64::MAX || us == i64::MIN || pattern.is_empty()
}

fn zoned(us: i64, pattern: &str, settings: FormatSettings) -> Result<String> {
    let zone = settings.time_zone.offset_at(us);
    let local = settings.time_zone.utc_to_local(us);
    format(local, pattern, Some(Zone { east: zone.east, name: zone.abbreviation }))
}

/// What TZ, TZH, TZM and OF print.
struct Zone {
    east: i32,
    name: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Patterns, the longest of those with the same beginning first.
const PATTERNS: &[&str] = &[
    "Y,YYY", "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS",
    "SS", "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "A.M.", "P.M.", "a.m.", "p.m.",
    "AM", "PM", "am", "pm", "B.C.", "A.D.", "b.c.", "a.d.", "BC", "AD", "bc", "ad", "MONTH",
    "Month", "month", "MON", "Mon", "mon", "MM", "DAY", "Day", "day", "DY", "Dy", "dy", "DDD",
    "IDDD", "DD", "ID", "D", "IW", "WW", "W", "CC", "J", "Q", "RM", "rm", "TZH", "TZM", "TZ", "tz",
    "OF", "Y", "I",
];

/// Patterns that are the same in lower case.
fn pattern_at(rest: &str) -> Option<&'static str> {
    let exact = PATTERNS.iter().find(|pattern| rest.starts_with(**pattern));
    exact.copied().or_else(|| {
        PATTERNS.iter().copied().find(|pattern| {
            // Where the case of letters tells the case of the output, only the exact spelling counts.
            let cased = pattern.chars().any(|c| c.is_ascii_lowercase());
            !cased
                && rest.get(..pattern.len()).is_some_and(|head| head.eq_ignore_ascii_case(pattern))
        })
    })
}

/// Formats microseconds since 1970 in local time.
fn format(us: i64, pattern: &str, zone: Option<Zone>) -> Result<String> {
    let time = chrono::DateTime::from_timestamp_micros(us)
        .ok_or_else(|| Error::datetime_out_of_range("timestamp"))?
        .naive_utc();
    filled(pattern, &|name, fill| field(&time, name, fill, zone.as_ref()))
}

/// The pattern with each of its fields given by `field`, which is told whether FM stood before it.
fn filled(pattern: &str, field: &dyn Fn(&str, bool) -> Result<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = quoted(&rest[1..], &mut out);
            continue;
        }
        if let Some(escaped) = rest.strip_prefix("\\\"") {
            out.push('"');
            rest = escaped;
            continue;
        }
        let (fill, body) = match rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            Some(body) => (true, body),
            None => (false, rest),
        };
        let translated = body.strip_prefix("TM").or_else(|| body.strip_prefix("tm"));
        let body = translated.unwrap_or(body);
        if let Some(found) = pattern_at(body) {
            let is_name = ["day", "month"].iter().any(|name| found.eq_ignore_ascii_case(name));
            let text = field(found, fill || (is_name && translated.is_some()))?;
            rest = &body[found.len()..];
            let (suffix, after) = ordinal(rest);
            out.push_str(&text);
            if let Some(upper) = suffix
                && text.ends_with(|c: char| c.is_ascii_digit())
            {
                out.push_str(&th(&text, upper));
                rest = after;
            }
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    Ok(out)
}

/// Copies up to the closing quote; gives what follows it.
fn quoted<'a>(text: &'a str, out: &mut String) -> &'a str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return &text[at + 1..],
            '\\' => {
                if let Some((_, escaped)) = chars.next() {
                    out.push(escaped);
                }
            }
            other => out.push(other),
        }
    }
    ""
}

/// `TH` or `th` behind a pattern.
fn ordinal(rest: &str) -> (Option<bool>, &str) {
    match rest.get(..2) {
        Some("TH") => (Some(true), &rest[2..]),
        Some("th") => (Some(false), &rest[2..]),
        _ => (None, rest),
    }
}

fn th(number: &str, upper: bool) -> String {
    let teen = number.len() > 1 && number.as_bytes()[number.len() - 2] == b'1';
    let suffix = match number.as_bytes().last() {
        Some(b'1') if !teen => "st",
        Some(b'2') if !teen => "nd",
        Some(b'3') if !teen => "rd",
        _ => "th",
    };
    if upper { suffix.to_uppercase() } else { suffix.to_owned() }
}

/// PostgreSQL counts years before Christ from 1 BC.
fn display_year(year: i32) -> i64 {
    if year <= 0 { 1 - i64::from(year) } else { i64::from(year) }
}

/// A number in the width of its field; `fill` is FM, which wants no zeros.
fn padded(number: i64, width: usize, fill: bool) -> String {
    if fill { number.to_string() } else { format!("{number:0width$}") }
}

/// A field of the date; else one of the time of day.
fn field(time: &NaiveDateTime, pattern: &str, fill: bool, zone: Option<&Zone>) -> Result<String> {
    let pad = |number: i64, width: usize| padded(number, width, fill);
    let word = |word: &str, width: usize| {
        if fill { word.to_owned() } else { format!("{word:<width$}") }
    };
    let number = i64::from;
    let year = display_year(time.year());
    let week = time.iso_week();
    let iso_year = display_year(week.year());
    let month = MONTHS[time.month0() as usize];
    let day = DAYS[time.weekday().num_days_from_sunday() as usize];
    Ok(match pattern {
        "Y,YYY" => format!("{},{:03}", year / 1000, year % 1000),
        "YYYY" => pad(year, 4),
        "YYY" => pad(year % 1000, 3),
        "YY" => pad(year % 100, 2),
        "Y" => pad(year % 10, 1),
        "IYYY" => pad(iso_year, 4),
        "IYY" => pad(iso_year % 1000, 3),
        "IY" => pad(iso_year % 100, 2),
        "I" => pad(iso_year % 10, 1),
        "BC" | "AD" => if time.year() <= 0 { "BC" } else { "AD" }.to_owned(),
        "bc" | "ad" => if time.year() <= 0 { "bc" } else { "ad" }.to_owned(),
        "B.C." | "A.D." => if time.year() <= 0 { "B.C." } else { "A.D." }.to_owned(),
        "b.c." | "a.d." => if time.year() <= 0 { "b.c." } else { "a.d." }.to_owned(),
        "MONTH" => word(&month.to_uppercase(), 9),
        "Month" => word(month, 9),
        "month" => word(&month.to_lowercase(), 9),
        "MON" => month[..3].to_uppercase(),
        "Mon" => month[..3].to_owned(),
        "mon" => month[..3].to_lowercase(),
        "MM" => pad(number(time.month()), 2),
        "DAY" => word(&day.to_uppercase(), 9),
        "Day" => word(day, 9),
        "day" => word(&day.to_lowercase(), 9),
        "DY" => day[..3].to_uppercase(),
        "Dy" => day[..3].to_owned(),
        "dy" => day[..3].to_lowercase(),
        "DDD" => pad(number(time.ordinal()), 3),
        "IDDD" => {
            let day = number(week.week() - 1) * 7 + number(time.weekday().number_from_monday());
            pad(day, 3)
        }
        "DD" => pad(number(time.day()), 2),
        "D" => number(time.weekday().number_from_sunday()).to_string(),
        "ID" => number(time.weekday().number_from_monday()).to_string(),
        "IW" => pad(number(week.week()), 2),
        "WW" => pad(number(time.ordinal0() / 7 + 1), 2),
        "W" => number(time.day0() / 7 + 1).to_string(),
        "CC" if time.year() <= 0 => format!("-{:02}", (100 - i64::from(time.year())) / 100),
        "CC" => pad((year + 99) / 100, 2),
        "J" => (i64::from(time.num_days_from_ce()) + 1_721_425).to_string(),
        "Q" => number(time.month0() / 3 + 1).to_string(),
        "RM" => word(ROMAN[time.month0() as usize], 4),
        "rm" => word(&ROMAN[time.month0() as usize].to_lowercase(), 4),
        _ => return time_field(time, pattern, fill, zone),
    })
}

/// A field of the time of day; else one of its zone.
fn time_field(
    time: &NaiveDateTime,
    pattern: &str,
    fill: bool,
    zone: Option<&Zone>,
) -> Result<String> {
    let two = |number: u32| padded(number.into(), 2, fill);
    let morning = time.hour() < 12;
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let micros = time.nanosecond() / 1000;
    Ok(match pattern {
        "HH24" => two(time.hour()),
        "HH12" | "HH" => two(hour12),
        "MI" => two(time.minute()),
        "SS" => two(time.second()),
        "SSSS" | "SSSSS" => time.num_seconds_from_midnight().to_string(),
        "MS" | "FF3" => format!("{:03}", micros / 1000),
        "US" | "FF6" => format!("{micros:06}"),
        "FF1" => (micros / 100_000).to_string(),
        "FF2" => format!("{:02}", micros / 10_000),
        "FF4" => format!("{:04}", micros / 100),
        "FF5" => format!("{:05}", micros / 10),
        "AM" | "PM" => if morning { "AM" } else { "PM" }.to_owned(),
        "am" | "pm" => if morning { "am" } else { "pm" }.to_owned(),
        "A.M." | "P.M." => if morning { "A.M." } else { "P.M." }.to_owned(),
        "a.m." | "p.m." => if morning { "a.m." } else { "p.m." }.to_owned(),
        _ => return zone_field(pattern, zone),
    })
}

/// The parts of an interval, each with its sign.
struct Span {
    months: i64,
    days: i64,
    micros: i64,
}

impl Span {
    fn of(parts: Parts) -> Span {
        Span { months: parts.months.into(), days: parts.days.into(), micros: parts.us }
    }

    fn field(&self, pattern: &str, fill: bool) -> Result<String> {
        // The sign takes no place of the width.
        let pad = |number: i64, width: usize| match (fill, number < 0) {
            (true, _) => number.to_string(),
            (false, true) => format!("-{:0width$}", -number),
            (false, false) => format!("{number:0width$}"),
        };
        let (years, months) = (self.months / 12, self.months % 12);
        let seconds = self.micros / 1_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let micros = self.micros % 1_000_000;
        let half = if hours % 24 >= 12 { ["PM", "P.M."] } else { ["AM", "A.M."] };
        Ok(match pattern {
            "Y,YYY" => format!("{},{:03}", years / 1000, years % 1000),
            "YYYY" => pad(years, 4),
            "YYY" => pad(years % 1000, 3),
            "YY" => pad(years % 100, 2),
            "Y" => pad(years % 10, 1),
            "MM" => pad(months, 2),
            "DD" if fill => self.days.to_string(),
            "DD" => format!("{:02}", self.days),
            "DDD" if fill => (self.months * 30 + self.days).to_string(),
            "DDD" => format!("{:03}", self.months * 30 + self.days),
            "CC" => pad(years / 100, 2),
            "HH24" => pad(hours, 2),
            "HH12" | "HH" if hours % 12 == 0 => pad(12, 2),
            "HH12" | "HH" => pad(hours % 12, 2),
            "MI" => pad(minutes, 2),
            "SS" => pad(seconds % 60, 2),
            "SSSS" | "SSSSS" => seconds.to_string(),
            "MS" | "FF3" => format!("{:03}", micros / 1000),
            "US" | "FF6" => format!("{micros:06}"),
            "FF1" => (micros / 100_000).to_string(),
            "FF2" => format!("{:02}", micros / 10_000),
            "FF4" => format!("{:04}", micros / 100),
            "FF5" => format!("{:05}", micros / 10),
            "AM" | "PM" => half[0].to_owned(),
            "am" | "pm" => half[0].to_lowercase(),
            "A.M." | "P.M." => half[1].to_owned(),
            "a.m." | "p.m." => half[1].to_lowercase(),
            _ => return Err(not_of_intervals()),
        })
    }
}

fn not_of_intervals() -> Error {
    Error::new(
        SqlState::INVALID_DATETIME_FORMAT,
        "invalid format specification for an interval value",
    )
    .with_hint("Intervals are not tied to specific calendar dates.")
}

/// TZ, TZH, TZM, OF: without a zone there is no name and no offset.
fn zone_field(pattern: &str, zone: Option<&Zone>) -> Result<String> {
    let Some(zone) = zone else {
        return match pattern {
            "TZ" | "tz" => Ok(String::new()),
            "TZH" | "OF" => Ok("+00".to_owned()),
            "TZM" => Ok("00".to_owned()),
            other => Err(Error::internal(format!("no such pattern: {other}"))),
        };
    };
    let sign = if zone.east < 0 { '-' } else { '+' };
    let (hours, minutes) = (zone.east.abs() / 3600, zone.east.abs() / 60 % 60);
    Ok(match pattern {
        "TZ" => zone.name.to_uppercase(),
        "tz" => zone.name.to_lowercase(),
        "TZH" => format!("{sign}{hours:02}"),
        "TZM" => format!("{minutes:02}"),
        "OF" if minutes == 0 => format!("{sign}{hours:02}"),
        "OF" => format!("{sign}{hours:02}:{minutes:02}"),
        other => return Err(Error::internal(format!("no such pattern: {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_as_postgresql_reads_them() {
        // 2024-03-07 16:05:09.012345
        let us = 1_709_827_509_012_345;
        let is = |pattern: &str, text: &str| assert_eq!(format(us, pattern, None).unwrap(), text);
        is("YYYY-MM-DD HH24:MI:SS.MS", "2024-03-07 16:05:09.012");
        is("FMMonth FMDDth, YYYY", "March 7th, 2024");
        is("Day|DY|D", "Thursday |THU|5");
        is("HH12:MI AM \"o'clock\"", "04:05 PM o'clock");
        is("IYYY-IW-ID Q DDD J", "2024-10-4 1 067 2460377");
        is("yyyy", "2024");
    }
}
