//! Text input of date, time, timestamp and timestamptz, as PostgreSQL's "Date/Time Input
//! Interpretation": the text is cut into fields, then the fields are given their meaning by form
//! and order.

use super::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY, UNIX_EPOCH_JULIAN,
    USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, check_date, days_from_civil,
    days_in_month, join, round_to_precision, split,
};
use super::settings::{DateOrder, FormatSettings};
use super::timetz::TimeTz;
use super::timezone::{TimeZone, abbreviation};
use crate::error::{Error, Result, SqlState};

/// More fields than any date has are nonsense.
const MAX_FIELDS: usize = 25;
/// More characters than any date has are nonsense.
const MAX_LENGTH: usize = 150;
/// The largest offset from Greenwich, exclusive.
const MAX_OFFSET_SECONDS: i32 = 16 * 3600;

/// Reads a date.
///
/// # Errors
/// 22007 for nonsense, 22008 for parts out of range.
pub(crate) fn parse_date(text: &str, settings: &FormatSettings) -> Result<i32> {
    let failed = |f: Failure| f.error("date", text);
    let parsed = parse(text, settings).map_err(failed)?;
    match parsed.special {
        Some(Special::Infinity) => return Ok(DATE_INFINITY),
        Some(Special::NegativeInfinity) => return Ok(DATE_NEG_INFINITY),
        Some(special) => {
            let us = special_moment(special, settings).ok_or_else(|| failed(Failure::Format))?;
            return Ok(split(us).0 as i32);
        }
        None => {}
    }
    let days = parsed.date.ok_or_else(|| failed(Failure::Format))?;
    check_date(days).map_err(|_| {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""))
    })
}

/// Reads a time of day; a date and a zone before or after it don't matter.
///
/// # Errors
/// As [`parse_date`].
pub(crate) fn parse_time(text: &str, typmod: i32, settings: &FormatSettings) -> Result<i64> {
    let failed = |f: Failure| f.error("time", text);
    let parsed = parse_fields(text, settings, true).map_err(failed)?;
    let us = match parsed.special {
        Some(Special::Now) => {
            split(special_moment(Special::Now, settings).ok_or_else(|| failed(Failure::Format))?).1
        }
        Some(Special::AllBalls) => 0,
        Some(_) => return Err(failed(Failure::Format)),
        None => parsed.time.ok_or_else(|| failed(Failure::Format))?,
    };
    Ok(round_to_precision(us, typmod))
}

/// A time of day with an offset: the one given, else that of the session's zone on the day given
/// or today.
///
/// # Errors
/// As [`parse_time`].
pub(crate) fn parse_timetz(text: &str, typmod: i32, settings: &FormatSettings) -> Result<TimeTz> {
    let failed = |f: Failure| f.error("time with time zone", text);
    let parsed = parse_fields(text, settings, true).map_err(failed)?;
    let us = match parsed.special {
        Some(Special::Now) => {
            split(special_moment(Special::Now, settings).ok_or_else(|| failed(Failure::Format))?).1
        }
        Some(Special::AllBalls) => return Ok(TimeTz { us: 0, west: 0 }),
        Some(_) => return Err(failed(Failure::Format)),
        None => parsed.time.ok_or_else(|| failed(Failure::Format))?,
    };
    let zone = parsed.zone.unwrap_or(settings.time_zone);
    let time = match parsed.date {
        Some(days) => {
            let local = join(days, us)?;
            TimeTz { us, west: -zone.east_at(zone.local_to_utc(local).unwrap_or(local)) }
        }
        None => TimeTz::in_session(us, &FormatSettings { time_zone: zone, ..settings.clone() }),
    };
    Ok(TimeTz { us: round_to_precision(time.us, typmod), ..time })
}

/// Reads a timestamp (`zoned` false) or timestamptz. Without a zone in the text the session's
/// applies to the latter; the former ignores zones.
///
/// # Errors
/// As [`parse_date`].
pub(crate) fn parse_timestamp(
    text: &str,
    zoned: bool,
    typmod: i32,
    settings: &FormatSettings,
) -> Result<i64> {
    let name = if zoned { "timestamp with time zone" } else { "timestamp" };
    let failed = |f: Failure| f.error(name, text);
    let out_of_range = || {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{text}\""))
    };
    let parsed = parse(text, settings).map_err(failed)?;
    let us = match parsed.special {
        Some(Special::Infinity) => return Ok(TS_INFINITY),
        Some(Special::NegativeInfinity) => return Ok(TS_NEG_INFINITY),
        Some(Special::Epoch) => 0,
        Some(Special::AllBalls) => return Err(failed(Failure::Format)),
        Some(special) => {
            let base = special_moment(special, settings).ok_or_else(|| failed(Failure::Format))?;
            let local = match parsed.time {
                Some(time) => split(base).0 * USECS_PER_DAY + time,
                None => base,
            };
            to_moment(local, &parsed, zoned, settings).ok_or_else(out_of_range)?
        }
        None => {
            let days = parsed.date.ok_or_else(|| failed(Failure::Format))?;
            let local = join(days, parsed.time.unwrap_or(0)).map_err(|_| out_of_range())?;
            to_moment(local, &parsed, zoned, settings).ok_or_else(out_of_range)?
        }
    };
    Ok(round_to_precision(us, typmod))
}

fn to_moment(local: i64, parsed: &Parsed, zoned: bool, settings: &FormatSettings) -> Option<i64> {
    if !zoned {
        return Some(local);
    }
    match parsed.zone {
        Some(zone) => zone.local_to_utc(local),
        None => settings.time_zone.local_to_utc(local),
    }
}

/// `now` and its relatives as a local moment; `None` without a clock.
fn special_moment(special: Special, settings: &FormatSettings) -> Option<i64> {
    if special == Special::Epoch {
        return Some(0);
    }
    let utc = settings.now_us?;
    let now = settings.time_zone.utc_to_local(utc);
    let midnight = split(now).0 * USECS_PER_DAY;
    match special {
        Special::Now => Some(now),
        Special::Today => Some(midnight),
        Special::Tomorrow => Some(midnight + USECS_PER_DAY),
        Special::Yesterday => Some(midnight - USECS_PER_DAY),
        Special::Epoch | Special::Infinity | Special::NegativeInfinity | Special::AllBalls => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Infinity,
    NegativeInfinity,
    Epoch,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    AllBalls,
}

/// Why a text is refused.
#[derive(Debug)]
enum Failure {
    Format,
    Overflow,
    MonthDayOverflow,
    ZoneOverflow,
    Other(Error),
}

impl Failure {
    fn error(self, type_name: &str, text: &str) -> Error {
        match self {
            Failure::Format => Error::invalid_datetime(type_name, text),
            Failure::Overflow => Error::datetime_field_overflow(text),
            Failure::MonthDayOverflow => Error::datetime_field_overflow(text)
                .with_hint("Perhaps you need a different \"datestyle\" setting."),
            Failure::ZoneOverflow => Error::new(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Failure::Other(error) => error,
        }
    }
}

/// What the fields say.
#[derive(Debug, Default)]
struct Parsed {
    special: Option<Special>,
    /// Days since 1970-01-01, not yet checked against the range.
    date: Option<i64>,
    /// Microseconds of the day, up to 24:00.
    time: Option<i64>,
    zone: Option<TimeZone>,
}

#[derive(Debug, PartialEq)]
enum Field {
    /// Digits, perhaps with a fraction.
    Number(String),
    /// Parts with separators between them.
    Date(String),
    /// Contains a colon.
    Time(String),
    /// With its sign.
    Zone(String),
    Word(String),
}

fn cut(text: &str) -> Result<Vec<Field>, Failure> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_LENGTH || !text.is_ascii() {
        return Err(Failure::Format);
    }
    let mut fields = Vec::new();
    let mut at = 0;
    let run = |from: usize, accept: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|b| !accept(*b)).map_or(bytes.len(), |n| from + n)
    };
    let digit = |b: u8| b.is_ascii_digit();
    while at < bytes.len() {
        let first = bytes[at];
        let start = at;
        if first.is_ascii_digit() {
            let (end, kind) = cut_number(bytes, start);
            at = end;
            fields.push(kind(text[start..at].to_ascii_lowercase()));
        } else if first == b'.' {
            at = run(start + 1, &digit);
            fields.push(Field::Number(text[start..at].to_owned()));
        } else if first.is_ascii_alphabetic() {
            at = cut_word(bytes, start, &fields);
            let word = text[start..at].to_ascii_lowercase();
            let dated = word.bytes().any(|b| matches!(b, b'-' | b'.' | b'/'))
                && word.split(['-', '.', '/']).next().is_some_and(|m| month_of(m).is_some());
            fields.push(if dated { Field::Date(word) } else { Field::Word(word) });
        } else if first == b'+' || first == b'-' {
            let after = run(start + 1, &|b| b.is_ascii_whitespace());
            match bytes.get(after) {
                Some(b) if b.is_ascii_digit() => {
                    at = run(after, &|b| digit(b) || b == b':' || b == b'.');
                    fields.push(Field::Zone(format!("{}{}", first as char, &text[after..at])));
                }
                Some(b) if b.is_ascii_alphabetic() => {
                    at = run(after, &|b| b.is_ascii_alphabetic());
                    let word = text[after..at].to_ascii_lowercase();
                    fields.push(Field::Word(format!("{}{word}", first as char)));
                }
                _ => return Err(Failure::Format),
            }
        } else if first.is_ascii_whitespace() || first.is_ascii_punctuation() {
            at += 1;
        } else {
            return Err(Failure::Format);
        }
        if fields.len() > MAX_FIELDS {
            return Err(Failure::Format);
        }
    }
    Ok(fields)
}

fn cut_number(bytes: &[u8], start: usize) -> (usize, fn(String) -> Field) {
    let run = |from: usize, accept: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|b| !accept(*b)).map_or(bytes.len(), |n| from + n)
    };
    let digits = |from: usize| run(from, &|b| b.is_ascii_digit());
    let end = digits(start);
    match bytes.get(end) {
        Some(b':') => (run(end, &|b| b.is_ascii_digit() || b == b':' || b == b'.'), Field::Time),
        Some(&separator @ (b'-' | b'/' | b'.')) => match bytes.get(end + 1) {
            Some(b) if b.is_ascii_digit() => {
                let second = digits(end + 1);
                if bytes.get(second) == Some(&separator) {
                    let all = run(second, &|b| b.is_ascii_alphanumeric() || b == separator);
                    // A T after the day begins the time.
                    let tail = bytes[second..all].iter().position(|b| matches!(b, b't' | b'T'));
                    (tail.map_or(all, |n| second + n), Field::Date)
                } else if separator == b'.' {
                    (second, Field::Number)
                } else {
                    (second, Field::Date)
                }
            }
            Some(b) if b.is_ascii_alphabetic() && separator != b'.' => {
                (run(end + 1, &|b| b.is_ascii_alphanumeric() || b == separator), Field::Date)
            }
            _ => (end, Field::Number),
        },
        _ => (end, Field::Number),
    }
}

/// A word, with the digits and signs of a zone (`utc+3`, `etc/gmt-5`) or a date (`jan-08-1999`).
fn cut_word(bytes: &[u8], start: usize, before: &[Field]) -> usize {
    let run = |from: usize, accept: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|b| !accept(*b)).map_or(bytes.len(), |n| from + n)
    };
    let end = run(start, &|b| b.is_ascii_alphabetic());
    let word = std::str::from_utf8(&bytes[start..end]).unwrap_or("").to_ascii_lowercase();
    match bytes.get(end) {
        Some(b'-' | b'/' | b'.') if month_of(&word).is_some() => {
            let separator = bytes[end];
            run(end, &|b| b.is_ascii_alphanumeric() || b == separator)
        }
        Some(b'/') => run(end, &|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+' | b':')
        }),
        Some(b'+' | b'-')
            if !before.is_empty()
                && month_of(&word).is_none()
                && word != "t"
                && word.len() >= 3
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) =>
        {
            run(end + 1, &|b| b.is_ascii_digit() || b == b':')
        }
        _ => end,
    }
}

fn month_of(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word == "sept" {
        return Some(9);
    }
    let found =
        MONTHS.iter().position(|m| *m == word || (word.len() == 3 && m.starts_with(word)))?;
    Some(found as u32 + 1)
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] =
        ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    const SHORT: [&str; 5] = ["tues", "weds", "wednes", "thur", "thurs"];
    SHORT.contains(&word)
        || DAYS.iter().any(|d| *d == word || (word.len() == 3 && d.starts_with(word)))
}

/// Collects the meaning of the fields.
#[derive(Default)]
struct Collector {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    julian: Option<i64>,
    text_month: bool,
    two_digit_year: bool,
    before_christ: bool,
    afternoon: Option<bool>,
    time: Option<i64>,
    /// The next number is a time (`T`) or a Julian day (`J`).
    prefix: Option<u8>,
    zone: Option<TimeZone>,
    zone_shift: i32,
    special: Option<Special>,
}

fn parse(text: &str, settings: &FormatSettings) -> Result<Parsed, Failure> {
    parse_fields(text, settings, false)
}

/// `time_only`: a number alone is a time of day.
fn parse_fields(text: &str, settings: &FormatSettings, time_only: bool) -> Result<Parsed, Failure> {
    let fields = cut(text)?;
    if fields.is_empty() {
        return Err(Failure::Format);
    }
    let mut all = Collector::default();
    for field in &fields {
        match field {
            Field::Date(text) => all.date(text, settings.date_order)?,
            Field::Time(text) => all.clock(text)?,
            Field::Zone(text) => all.offset(text, settings.date_order)?,
            Field::Number(text) if time_only && fields.len() == 1 => all.compact_time(text)?,
            Field::Number(text) => all.number_field(text, settings.date_order)?,
            Field::Word(word) => all.word(word)?,
        }
    }
    all.finish()
}

impl Collector {
    fn has_date(&self) -> bool {
        self.julian.is_some()
            || (self.year.is_some()
                && ((self.month.is_some() && self.day.is_some()) || self.day_of_year.is_some()))
    }

    fn date(&mut self, text: &str, order: DateOrder) -> Result<(), Failure> {
        if self.has_date() {
            // `20240101 10:00:00-America`, `+02-03`: nothing sensible.
            return Err(Failure::Format);
        }
        let parts: Vec<&str> =
            text.split(['-', '/', '.']).filter(|part| !part.is_empty()).collect();
        if parts.len() > 3 {
            return Err(Failure::Format);
        }
        for part in &parts {
            if part.as_bytes()[0].is_ascii_alphabetic() {
                self.set_text_month(month_of(part).ok_or(Failure::Format)?)?;
            }
        }
        for part in &parts {
            if part.as_bytes()[0].is_ascii_digit() {
                if !part.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Failure::Format);
                }
                self.date_number(part, order)?;
            }
        }
        Ok(())
    }

    fn set_text_month(&mut self, month: u32) -> Result<(), Failure> {
        // `8 January 1999` read 8 as a month in MDY order: it was the day.
        if let Some(number) = self.month {
            if self.text_month || self.day.is_some() {
                return Err(Failure::Format);
            }
            self.day = Some(number);
        }
        self.month = Some(month);
        self.text_month = true;
        Ok(())
    }

    /// PostgreSQL's DecodeNumber.
    fn date_number(&mut self, digits: &str, order: DateOrder) -> Result<(), Failure> {
        let value: i64 = digits.parse().map_err(|_| Failure::Overflow)?;
        let long = digits.len() >= 3;
        if digits.len() == 3 && self.year.is_some() && self.month.is_none() && self.day.is_none() {
            self.day_of_year = Some(value as u32);
            return Ok(());
        }
        let small = u32::try_from(value).map_err(|_| Failure::Overflow)?;
        match (self.year.is_some(), self.month.is_some(), self.day.is_some()) {
            (false, false, false) => {
                if long || order == DateOrder::Ymd {
                    self.set_year(value, digits.len());
                } else if order == DateOrder::Dmy {
                    self.day = Some(small);
                } else {
                    self.month = Some(small);
                }
            }
            (true, false, false) => self.month = Some(small),
            (false, true, false) if self.text_month => {
                if long || order == DateOrder::Ymd {
                    self.set_year(value, digits.len());
                } else {
                    self.day = Some(small);
                }
            }
            (false, true, false) => self.day = Some(small),
            (true, true, false) if self.text_month && long && self.two_digit_year => {
                self.day = self.year.and_then(|y| u32::try_from(y).ok());
                self.set_year(value, digits.len());
            }
            (true, true, false) => self.day = Some(small),
            (false, false, true) => self.month = Some(small),
            (true, false, true) => self.month = Some(small),
            (false, true, true) => self.set_year(value, digits.len()),
            (true, true, true) => return Err(Failure::Format),
        }
        Ok(())
    }

    fn set_year(&mut self, value: i64, digits: usize) {
        self.year = Some(value);
        self.two_digit_year = digits <= 2;
    }

    fn number_field(&mut self, text: &str, order: DateOrder) -> Result<(), Failure> {
        match self.prefix.take() {
            Some(b'j') => {
                let (days, time) = julian(text)?;
                self.julian = Some(days);
                if time != 0 {
                    self.time = Some(time);
                }
                return Ok(());
            }
            Some(_) => return self.compact_time(text),
            None => {}
        }
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        if !fraction.is_empty() {
            if !self.has_date() && digits.len() == 8 {
                return Err(Failure::Format);
            }
            if !self.has_date() && fraction.len() == 3 && digits.len() == 4 {
                self.date_number(digits, order)?;
                return self.date_number(fraction, order);
            }
            if self.has_date() {
                return self.compact_time(text);
            }
            self.date_number(digits, order)?;
            return self.date_number(fraction, order);
        }
        if self.has_date() {
            return if digits.len() >= 4 && self.time.is_none() {
                self.compact_time(text)
            } else {
                Err(Failure::Format)
            };
        }
        match digits.len() {
            8.. if self.year.is_none() && self.month.is_none() => {
                let (year, rest) = digits.split_at(digits.len() - 4);
                self.set_year(year.parse().map_err(|_| Failure::Overflow)?, year.len());
                self.month = rest[..2].parse().ok();
                self.day = rest[2..].parse().ok();
                Ok(())
            }
            6 if self.year.is_none() && self.month.is_none() => {
                self.set_year(digits[..2].parse().map_err(|_| Failure::Overflow)?, 2);
                self.month = digits[2..4].parse().ok();
                self.day = digits[4..].parse().ok();
                Ok(())
            }
            _ => self.date_number(digits, order),
        }
    }

    /// `hhmmss`, `hhmm`, perhaps with a fraction.
    fn compact_time(&mut self, text: &str) -> Result<(), Failure> {
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        let clock = match digits.len() {
            6 => format!("{}:{}:{}", &digits[..2], &digits[2..4], &digits[4..]),
            4 => format!("{}:{}", &digits[..2], &digits[2..]),
            2 if fraction.is_empty() => format!("{digits}:00"),
            _ => return Err(Failure::Format),
        };
        if fraction.is_empty() {
            self.clock(&clock)
        } else {
            self.clock(&format!("{clock}.{fraction}"))
        }
    }

    fn clock(&mut self, text: &str) -> Result<(), Failure> {
        if self.time.is_some() {
            return Err(Failure::Format);
        }
        self.prefix = None;
        self.time = Some(clock(text)?);
        Ok(())
    }

    fn offset(&mut self, text: &str, order: DateOrder) -> Result<(), Failure> {
        if self.time.is_none() && self.zone.is_none() && !self.has_date() {
            // `1999-Jan-08` cut badly, or a sign in front of a date.
            if self.year.is_none() {
                return Err(Failure::Format);
            }
            return self.date(&text[1..], order);
        }
        let east = zone_offset(text)?;
        if let Some(TimeZone::Fixed { east: base }) = self.zone {
            self.zone = Some(TimeZone::Fixed { east: base + east });
        } else if self.zone.is_some() {
            return Err(Failure::Format);
        } else {
            self.zone = Some(TimeZone::Fixed { east });
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Failure> {
        let special = match word {
            "infinity" | "+infinity" | "inf" | "+inf" => Some(Special::Infinity),
            "-infinity" | "-inf" => Some(Special::NegativeInfinity),
            "epoch" => Some(Special::Epoch),
            "now" => Some(Special::Now),
            "today" => Some(Special::Today),
            "tomorrow" => Some(Special::Tomorrow),
            "yesterday" => Some(Special::Yesterday),
            "allballs" => Some(Special::AllBalls),
            _ => None,
        };
        if let Some(special) = special {
            if self.special.replace(special).is_some() || self.has_date() {
                return Err(Failure::Format);
            }
            return Ok(());
        }
        match word {
            "am" | "a" => self.afternoon = Some(false),
            "pm" | "p" => self.afternoon = Some(true),
            "ad" | "ce" => {}
            "bc" | "bce" => self.before_christ = true,
            "t" if self.prefix.is_none() => self.prefix = Some(b't'),
            "j" | "jd" | "julian" => self.prefix = Some(b'j'),
            "at" | "on" => {}
            "dst" => match self.zone {
                Some(TimeZone::Fixed { east }) => {
                    self.zone = Some(TimeZone::Fixed { east: east + 3600 });
                }
                _ => self.zone_shift = 3600,
            },
            _ if is_weekday(word) => {}
            _ => {
                if let Some(month) = month_of(word) {
                    return self.set_text_month(month);
                }
                return self.zone_name(word);
            }
        }
        Ok(())
    }

    fn zone_name(&mut self, word: &str) -> Result<(), Failure> {
        if self.zone.is_some() {
            return Err(Failure::Format);
        }
        let bare = word.bytes().all(|b| b.is_ascii_alphabetic());
        self.zone = match abbreviation(word) {
            Some(east) => Some(TimeZone::Fixed { east: east + self.zone_shift }),
            None => match TimeZone::parse(word) {
                Ok(zone) => Some(zone),
                Err(_) if bare => return Err(Failure::Format),
                Err(error) => return Err(Failure::Other(error)),
            },
        };
        Ok(())
    }

    fn finish(mut self) -> Result<Parsed, Failure> {
        if self.prefix.is_some() {
            return Err(Failure::Format);
        }
        if let Some(afternoon) = self.afternoon {
            let time = self.time.ok_or(Failure::Format)?;
            let hour = time / USECS_PER_HOUR;
            if hour > 12 {
                return Err(Failure::Overflow);
            }
            let base = time % (12 * USECS_PER_HOUR);
            self.time = Some(if afternoon { base + 12 * USECS_PER_HOUR } else { base });
        }
        let date = self.days()?;
        if date.is_none() && self.time.is_none() && self.special.is_none() {
            return Err(Failure::Format);
        }
        Ok(Parsed { special: self.special, date, time: self.time, zone: self.zone })
    }

    fn days(&self) -> Result<Option<i64>, Failure> {
        if let Some(julian) = self.julian {
            return Ok(Some(julian - i64::from(UNIX_EPOCH_JULIAN)));
        }
        if self.year.is_none() && self.month.is_none() && self.day.is_none() {
            return Ok(None);
        }
        let mut year = self.year.ok_or(Failure::Format)?;
        if self.before_christ {
            if year <= 0 {
                return Err(Failure::Overflow);
            }
            year = 1 - year;
        } else if self.two_digit_year {
            year += if year < 70 { 2000 } else { 1900 };
        } else if year <= 0 {
            return Err(Failure::Overflow);
        }
        if year > 10_000_000 {
            return Err(Failure::Overflow);
        }
        if let Some(day) = self.day_of_year {
            if !(1..=366).contains(&day) {
                return Err(Failure::MonthDayOverflow);
            }
            return Ok(Some(days_from_civil(year, 1, 1) + i64::from(day) - 1));
        }
        let (month, day) = (self.month.ok_or(Failure::Format)?, self.day.ok_or(Failure::Format)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(Failure::MonthDayOverflow);
        }
        if day > days_in_month(year, month) {
            return Err(Failure::Overflow);
        }
        Ok(Some(days_from_civil(year, month, i64::from(day))))
    }
}

fn julian(text: &str) -> Result<(i64, i64), Failure> {
    let (days, fraction) = text.split_once('.').unwrap_or((text, ""));
    let days = days.parse::<i32>().map_err(|_| Failure::Overflow)?;
    if fraction.is_empty() {
        return Ok((i64::from(days), 0));
    }
    let part: f64 = format!("0.{fraction}").parse().map_err(|_| Failure::Format)?;
    Ok((i64::from(days), (part * USECS_PER_DAY as f64).round() as i64))
}

/// `hh:mm`, `hh:mm:ss`, `hh:mm:ss.ffffff`, `mm:ss.f` is not told from `hh:mm.f`, which is refused.
fn clock(text: &str) -> Result<i64, Failure> {
    let mut parts = text.split(':');
    let number = |part: Option<&str>| -> Result<i64, Failure> {
        let part = part.ok_or(Failure::Format)?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Failure::Format);
        }
        part.parse().map_err(|_| Failure::Overflow)
    };
    let hours = number(parts.next())?;
    let second = parts.next().ok_or(Failure::Format)?;
    let third = parts.next();
    if parts.next().is_some() {
        return Err(Failure::Format);
    }
    let (hours, minutes, seconds) = match third {
        // `mm:ss.ff` has no hours.
        None if second.contains('.') => (0, hours, second),
        None => (hours, number(Some(second))?, "0"),
        Some(seconds) => (hours, number(Some(second))?, seconds),
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole = number(Some(whole))?;
    let fraction = fraction_us(fraction)?;
    if minutes > 59 || whole > 60 || hours > 24 {
        return Err(Failure::Overflow);
    }
    let us = hours * USECS_PER_HOUR + minutes * USECS_PER_MINUTE + whole * USECS_PER_SEC + fraction;
    if us > USECS_PER_DAY {
        return Err(Failure::Overflow);
    }
    Ok(us)
}

/// Digits after a point as microseconds, rounded.
fn fraction_us(digits: &str) -> Result<i64, Failure> {
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::Format);
    }
    let value: f64 = format!("0.{digits}").parse().map_err(|_| Failure::Format)?;
    Ok((value * USECS_PER_SEC as f64).round_ties_even() as i64)
}

/// `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss`
fn zone_offset(text: &str) -> Result<i32, Failure> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let number = |part: &str| part.parse::<i32>().map_err(|_| Failure::Format);
    let (h, m, s) = if digits.contains(':') {
        let mut parts = digits.split(':').map(number);
        let mut next = || parts.next().unwrap_or(Ok(0));
        (next()?, next()?, next()?)
    } else if digits.len() > 2 {
        let (h, m) = digits.split_at(digits.len() - 2);
        if h.len() > 2 {
            let (h, mm) = h.split_at(h.len() - 2);
            (number(h)?, number(mm)?, number(m)?)
        } else {
            (number(h)?, number(m)?, 0)
        }
    } else {
        (number(digits)?, 0, 0)
    };
    if m > 59 || s > 59 {
        return Err(Failure::ZoneOverflow);
    }
    let seconds = h.saturating_mul(3600).saturating_add(m * 60 + s);
    if seconds >= MAX_OFFSET_SECONDS {
        return Err(Failure::ZoneOverflow);
    }
    Ok(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::super::datetime::{write_date, write_timestamp, write_timestamptz};
    use super::*;

    fn ts(text: &str) -> String {
        match parse_timestamp(text, false, -1, &FormatSettings::default()) {
            Ok(us) => {
                let mut out = String::new();
                write_timestamp(us, &mut out).unwrap();
                out
            }
            Err(e) => e.sqlstate.to_string(),
        }
    }

    fn tz(text: &str, zone: &str) -> String {
        let settings = FormatSettings {
            time_zone: TimeZone::parse(zone).unwrap(),
            ..FormatSettings::default()
        };
        let us = parse_timestamp(text, true, -1, &settings).unwrap();
        let mut out = String::new();
        write_timestamptz(us, &settings.time_zone, &mut out).unwrap();
        out
    }

    fn date(text: &str) -> String {
        match parse_date(text, &FormatSettings::default()) {
            Ok(days) => {
                let mut out = String::new();
                write_date(days, &mut out).unwrap();
                out
            }
            Err(e) => e.sqlstate.to_string(),
        }
    }

    #[test]
    fn forms_of_a_date() {
        for text in [
            "1999-01-08",
            "January 8, 1999",
            "1/8/1999",
            "Jan 8 1999",
            "8-Jan-1999",
            "1999-Jan-08",
            "Jan-08-1999",
            "19990108",
            "990108",
            "1999.008",
            "J2451187",
            "08-Jan-99",
            "Fri Jan 8 1999",
            "8 January 1999",
            "1999/01/08",
        ] {
            assert_eq!(date(text), "1999-01-08", "{text}");
        }
        assert_eq!(date("January 8, 99 BC"), "0099-01-08 BC");
        assert_eq!(date("2024-02-30"), "22008");
        assert_eq!(date("2024-13-01"), "22008");
        assert_eq!(date("nonsense"), "22007");
        assert_eq!(date(""), "22007");
        assert_eq!(date("infinity"), "infinity");
        assert_eq!(date("epoch"), "1970-01-01");
    }

    #[test]
    fn forms_of_a_timestamp() {
        for text in [
            "2024-01-02 03:04:05",
            "2024-01-02T03:04:05",
            "20240102T030405",
            "20240102 030405",
            "Jan 2 03:04:05 2024",
            "2024-01-02 03:04:05 AM",
            "Tue Jan 02 03:04:05 2024",
            "2024-01-02 03:04:05+02",
        ] {
            assert_eq!(ts(text), "2024-01-02 03:04:05", "{text}");
        }
        assert_eq!(ts("2024-01-02 12:00 PM"), "2024-01-02 12:00:00");
        assert_eq!(ts("2024-01-02 12:00 AM"), "2024-01-02 00:00:00");
        assert_eq!(ts("2024-01-02 24:00:00"), "2024-01-03 00:00:00");
        assert_eq!(ts("2024-01-02 25:00:00"), "22008");
        assert_eq!(ts("2024-01-02 03:04:05.1234567"), "2024-01-02 03:04:05.123457");
        assert_eq!(tz("2024-01-01 10:00:00+02", "UTC"), "2024-01-01 08:00:00+00");
        assert_eq!(tz("2024-01-01 10:00:00Z", "Europe/Berlin"), "2024-01-01 11:00:00+01");
        assert_eq!(tz("2024-07-01 10:00", "Europe/Berlin"), "2024-07-01 10:00:00+02");
        assert_eq!(tz("2024-07-01 10:00 America/New_York", "UTC"), "2024-07-01 14:00:00+00");
        assert_eq!(tz("2024-07-01 10:00 EST", "UTC"), "2024-07-01 15:00:00+00");
        assert_eq!(tz("2024-07-01 10:00:00-0330", "UTC"), "2024-07-01 13:30:00+00");
    }
}
