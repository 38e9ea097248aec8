//! to_date and to_timestamp by a pattern (PostgreSQL, "Data Type Formatting Functions").

use super::cast::local_to_utc;
use super::kernel::{Date, Settings, Text, TimestampTz};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::datetime::{
    UNIX_EPOCH_JULIAN, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, check_date,
    days_from_civil, days_in_month, join,
};
use crate::types::{FormatSettings, TimeZone};

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Text, Date>("to_date(text,text)", |text, format| {
        let (days, _, _) = parse(text, format)?.moment(text)?;
        check_date(days)
    });
    all.z3::<Text, Text, Settings, TimestampTz>("to_timestamp(text,text)", to_timestamp);
}

fn to_timestamp(text: &str, format: &str, settings: FormatSettings) -> Result<i64> {
    let (days, us, zone) = parse(text, format)?.moment(text)?;
    let local = join(days, us)?;
    match zone {
        Some(east) => local_to_utc(local, &TimeZone::Fixed { east }),
        None => local_to_utc(local, &settings.time_zone),
    }
}

/// A field of a pattern, with the longest number it reads.
const FIELDS: &[(&str, Field, usize)] = &[
    ("Y,YYY", Field::YearComma, 5),
    ("YYYY", Field::Year, 4),
    ("IYYY", Field::IsoYear, 4),
    ("YYY", Field::Year3, 3),
    ("IYY", Field::IsoYear, 3),
    ("YY", Field::Year2, 2),
    ("IY", Field::IsoYear, 2),
    ("Y", Field::Year1, 1),
    ("MONTH", Field::MonthName, 0),
    ("MON", Field::MonthName, 0),
    ("MM", Field::Month, 2),
    ("DAY", Field::DayName, 0),
    ("DY", Field::DayName, 0),
    ("DDD", Field::DayOfYear, 3),
    ("IDDD", Field::IsoDayOfYear, 3),
    ("DD", Field::Day, 2),
    ("HH24", Field::Hour24, 2),
    ("HH12", Field::Hour12, 2),
    ("HH", Field::Hour12, 2),
    ("MI", Field::Minute, 2),
    ("SSSSS", Field::SecondOfDay, 5),
    ("SSSS", Field::SecondOfDay, 5),
    ("SS", Field::Second, 2),
    ("MS", Field::Millisecond, 3),
    ("US", Field::Microsecond, 6),
    ("FF1", Field::Fraction, 1),
    ("FF2", Field::Fraction, 2),
    ("FF3", Field::Fraction, 3),
    ("FF4", Field::Fraction, 4),
    ("FF5", Field::Fraction, 5),
    ("FF6", Field::Fraction, 6),
    ("A.M.", Field::HalfDay, 0),
    ("P.M.", Field::HalfDay, 0),
    ("AM", Field::HalfDay, 0),
    ("PM", Field::HalfDay, 0),
    ("B.C.", Field::Era, 0),
    ("A.D.", Field::Era, 0),
    ("BC", Field::Era, 0),
    ("AD", Field::Era, 0),
    ("TZH", Field::ZoneHour, 2),
    ("TZM", Field::ZoneMinute, 2),
    ("CC", Field::Century, 2),
    ("RM", Field::RomanMonth, 0),
    ("ID", Field::IsoDay, 1),
    ("IW", Field::IsoWeek, 2),
    ("WW", Field::Week, 2),
    ("W", Field::WeekOfMonth, 1),
    ("J", Field::Julian, 10),
    ("Q", Field::Quarter, 1),
    ("D", Field::DayOfWeek, 1),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Year,
    Year3,
    Year2,
    Year1,
    YearComma,
    IsoYear,
    Month,
    MonthName,
    RomanMonth,
    Day,
    DayName,
    DayOfYear,
    IsoDayOfYear,
    DayOfWeek,
    IsoDay,
    IsoWeek,
    Week,
    WeekOfMonth,
    Quarter,
    Julian,
    Century,
    Era,
    Hour24,
    Hour12,
    HalfDay,
    Minute,
    Second,
    SecondOfDay,
    Millisecond,
    Microsecond,
    Fraction,
    ZoneHour,
    ZoneMinute,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Field { field: Field, width: usize, fill: bool, ordinal: bool },
    Separator,
    Literal,
}

fn nodes(format: &str) -> Result<(Vec<Node>, bool)> {
    let (mut nodes, mut exact, mut fill) = (Vec::new(), false, false);
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let starts = |word: &str| {
            rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        if starts("FX") {
            exact = true;
            rest = &rest[2..];
        } else if starts("FM") {
            fill = true;
            rest = &rest[2..];
        } else if starts("TM") {
            rest = &rest[2..];
        } else if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |n| n + 1);
            nodes.extend(rest[1..end].chars().map(|_| Node::Literal));
            rest = rest.get(end + 1..).unwrap_or("");
        } else if let Some((word, field, width)) = FIELDS.iter().find(|(word, ..)| starts(word)) {
            rest = &rest[word.len()..];
            let ordinal = rest.get(..2).is_some_and(|suffix| suffix.eq_ignore_ascii_case("th"));
            if ordinal {
                rest = &rest[2..];
            }
            nodes.push(Node::Field { field: *field, width: *width, fill, ordinal });
            fill = false;
        } else if starts("TZ") || starts("OF") {
            let word = rest[..2].to_uppercase();
            return Err(Error::feature_not_supported(format!(
                "formatting field \"{word}\" is only supported in to_char"
            )));
        } else {
            let separator = !first.is_alphanumeric();
            nodes.push(if separator { Node::Separator } else { Node::Literal });
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok((nodes, exact))
}

/// What was read.
#[derive(Debug, Default)]
struct Read {
    year: Option<i64>,
    iso_year: Option<i64>,
    century: Option<i64>,
    before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_day_of_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    twelve: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    us: i64,
    zone_negative: bool,
    zone_hour: Option<i64>,
    zone_minute: i64,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

fn parse(text: &str, format: &str) -> Result<Read> {
    let (nodes, exact) = nodes(format)?;
    let mut read = Read::default();
    let mut rest = text;
    for (i, node) in nodes.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        if !exact {
            rest = rest.trim_start();
        }
        match node {
            Node::Separator => {
                // One separator, or none where the text has none.
                if let Some(c) = rest.chars().next()
                    && !c.is_alphanumeric()
                    && !(matches!(c, '-' | '+') && next_is_zone(&nodes[i + 1..]))
                {
                    rest = &rest[c.len_utf8()..];
                }
            }
            Node::Literal => {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
            Node::Field { field, width, fill, ordinal } => {
                if !exact && *field != Field::ZoneHour {
                    rest = rest.trim_start_matches(|c: char| {
                        c.is_whitespace() || (c.is_ascii_punctuation() && c != '-' && c != '+')
                    });
                }
                // A number followed by another number has its full width.
                let bounded = exact || *fill || number_follows(&nodes[i + 1..]);
                let limit = if bounded && !*fill { *width } else { usize::MAX };
                rest = read.field(*field, rest, limit, *width)?;
                if *ordinal {
                    rest = rest.get(2..).unwrap_or("");
                }
            }
        }
    }
    Ok(read)
}

fn next_is_zone(nodes: &[Node]) -> bool {
    matches!(nodes.first(), Some(Node::Field { field: Field::ZoneHour, .. }))
}

fn number_follows(nodes: &[Node]) -> bool {
    matches!(nodes.first(), Some(Node::Field { width: 1.., .. }))
}

fn word<'a>(rest: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    // Full names before their beginnings.
    for least in [usize::MAX, 3] {
        for (i, name) in names.iter().enumerate() {
            let length = name.len().min(least);
            if rest.get(..length).is_some_and(|s| s.eq_ignore_ascii_case(&name[..length])) {
                return Some((i, &rest[length..]));
            }
        }
    }
    None
}

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
const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ROMAN: [(&str, i64); 12] = [
    ("viii", 8),
    ("vii", 7),
    ("iii", 3),
    ("xii", 12),
    ("vi", 6),
    ("iv", 4),
    ("ix", 9),
    ("xi", 11),
    ("ii", 2),
    ("v", 5),
    ("x", 10),
    ("i", 1),
];

impl Read {
    fn field<'a>(
        &mut self,
        field: Field,
        rest: &'a str,
        limit: usize,
        width: usize,
    ) -> Result<&'a str> {
        let bad_word = |what: &str| {
            let value = up_to_space(rest);
            invalid(format!("invalid value \"{value}\" for \"{what}\"")).with_detail(
                "The given value did not match any of the allowed values for this field.",
            )
        };
        match field {
            Field::MonthName => {
                let (month, after) = word(rest, &MONTHS).ok_or_else(|| bad_word("Month"))?;
                self.month = Some(month as i64 + 1);
                return Ok(after);
            }
            Field::DayName => {
                let (_, after) = word(rest, &DAYS).ok_or_else(|| bad_word("Day"))?;
                return Ok(after);
            }
            Field::RomanMonth => {
                let found = ROMAN.iter().find(|(name, _)| {
                    rest.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name))
                });
                let (name, month) = found.ok_or_else(|| bad_word("RM"))?;
                self.month = Some(*month);
                return Ok(&rest[name.len()..]);
            }
            Field::HalfDay | Field::Era => return self.marker(field, rest),
            Field::ZoneHour => {
                self.zone_negative = rest.starts_with('-');
                let digits = rest.strip_prefix(['-', '+', ' ']).unwrap_or(rest);
                let (value, _, after) = number(digits, 2).ok_or_else(|| bad_word("TZH"))?;
                self.zone_hour = Some(value);
                return Ok(after);
            }
            Field::YearComma => {
                let (thousands, _, after) = number(rest, 3).ok_or_else(|| bad_word("Y,YYY"))?;
                let after = after.strip_prefix(',').ok_or_else(|| bad_word("Y,YYY"))?;
                let (year, _, after) = number(after, 3).ok_or_else(|| bad_word("Y,YYY"))?;
                self.year = Some(thousands * 1000 + year);
                return Ok(after);
            }
            _ => {}
        }
        let negative = field == Field::Year && rest.starts_with('-');
        let digits = if negative { &rest[1..] } else { rest };
        let Some((value, read, after)) = number(digits, limit) else {
            if rest.is_empty() {
                return Ok(rest);
            }
            let start: String = rest.chars().take(width.max(1)).collect();
            let name = name_of(field);
            return Err(invalid(format!("invalid value \"{start}\" for \"{name}\""))
                .with_detail("Value must be an integer."));
        };
        let value = if negative { -value } else { value };
        if i32::try_from(value).is_err() {
            return Err(Error::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                format!("value for \"{}\" in source string is out of range", name_of(field)),
            )
            .with_detail("Value must be in the range -2147483648 to 2147483647."));
        }
        self.number(field, value, read);
        Ok(after)
    }

    fn marker<'a>(&mut self, field: Field, rest: &'a str) -> Result<&'a str> {
        let words: [(&str, bool); 4] = match field {
            Field::HalfDay => [("a.m.", false), ("p.m.", true), ("am", false), ("pm", true)],
            _ => [("b.c.", true), ("a.d.", false), ("bc", true), ("ad", false)],
        };
        for (name, second) in words {
            if rest.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name)) {
                match field {
                    Field::HalfDay => self.afternoon = Some(second),
                    _ => self.before_christ = second,
                }
                return Ok(&rest[name.len()..]);
            }
        }
        Err(invalid(format!(
            "invalid value \"{}\" for \"{}\"",
            up_to_space(rest),
            if field == Field::HalfDay { "AM" } else { "BC" }
        ))
        .with_detail("The given value did not match any of the allowed values for this field."))
    }

    fn number(&mut self, field: Field, value: i64, digits: usize) {
        // Years of less than four digits are those nearest to 2020.
        let near_2020 = |value: i64| match value {
            0..70 if digits <= 2 => value + 2000,
            70..100 if digits <= 2 => value + 1900,
            100..520 if digits == 3 => value + 2000,
            520..1000 if digits == 3 => value + 1000,
            _ => value,
        };
        let fraction = |digits: usize| value * 10i64.pow(6 - digits.min(6) as u32);
        match field {
            Field::Year => self.year = Some(value),
            Field::Year3 | Field::Year2 | Field::Year1 => self.year = Some(near_2020(value)),
            Field::IsoYear => self.iso_year = Some(near_2020(value)),
            Field::Month => self.month = Some(value),
            Field::Day => self.day = Some(value),
            Field::DayOfYear => self.day_of_year = Some(value),
            Field::IsoDayOfYear => self.iso_day_of_year = Some(value),
            Field::IsoDay => self.iso_day = Some(value),
            Field::IsoWeek => self.iso_week = Some(value),
            Field::Week => self.week = Some(value),
            Field::WeekOfMonth => self.week_of_month = Some(value),
            Field::Julian => self.julian = Some(value),
            Field::Century => self.century = Some(value),
            Field::Hour24 => self.hour = value,
            Field::Hour12 => {
                self.hour = value;
                self.twelve = true;
            }
            Field::Minute => self.minute = value,
            Field::Second => self.second = value,
            Field::SecondOfDay => self.second_of_day = Some(value),
            Field::Millisecond => {
                // `.1` is a tenth, so fewer digits count more.
                self.us += value * 10i64.pow(3 - digits.min(3) as u32) * 1_000;
            }
            Field::Microsecond | Field::Fraction => self.us += fraction(digits),
            Field::ZoneMinute => self.zone_minute = value,
            Field::Quarter
            | Field::DayOfWeek
            | Field::MonthName
            | Field::RomanMonth
            | Field::DayName
            | Field::HalfDay
            | Field::Era
            | Field::ZoneHour
            | Field::YearComma => {}
        }
    }

    /// Days, microseconds of the day, seconds east.
    fn moment(&self, text: &str) -> Result<(i64, i64, Option<i32>)> {
        let overflow = || Error::datetime_field_overflow(text);
        let days = self.days(text)?;
        let mut hour = self.hour;
        if self.twelve && !(1..=12).contains(&hour) && hour != 0 {
            return Err(invalid(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let (mut minute, mut second) = (self.minute, self.second);
        if let Some(of_day) = self.second_of_day {
            (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        }
        if hour > 23 && !(hour == 24 && minute == 0 && second == 0) || minute > 59 || second > 59 {
            return Err(overflow());
        }
        let us =
            hour * USECS_PER_HOUR + minute * USECS_PER_MINUTE + second * USECS_PER_SEC + self.us;
        let zone = self.zone_hour.map(|h| {
            let seconds = (h * 3600 + self.zone_minute * 60) as i32;
            if self.zone_negative { -seconds } else { seconds }
        });
        Ok((days, us, zone))
    }

    fn days(&self, text: &str) -> Result<i64> {
        let overflow = || Error::datetime_field_overflow(text);
        if let Some(julian) = self.julian {
            return Ok(julian - i64::from(UNIX_EPOCH_JULIAN));
        }
        if let Some(iso_year) = self.iso_year {
            let january_4 = days_from_civil(iso_year, 1, 4);
            let first = january_4 - (january_4 + 3).rem_euclid(7);
            if let Some(day) = self.iso_day_of_year {
                return Ok(first + day - 1);
            }
            let week = self.iso_week.unwrap_or(1);
            return Ok(first + (week - 1) * 7 + self.iso_day.unwrap_or(1) - 1);
        }
        let mut year = match (self.year, self.century) {
            (Some(year), Some(century)) if (0..100).contains(&(year % 100)) && year < 100 => {
                (century - 1) * 100 + year
            }
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            (None, None) => 1,
        };
        if self.year.is_none() && self.century.is_none() {
            // PostgreSQL's zero year prints as 1 BC.
            year = 0;
        } else if self.before_christ || year < 0 {
            year = 1 - year.abs();
        }
        if let Some(day) = self.day_of_year {
            if !(1..=366).contains(&day) {
                return Err(overflow());
            }
            return Ok(days_from_civil(year, 1, 1) + day - 1);
        }
        if let Some(week) = self.week {
            return Ok(days_from_civil(year, 1, 1) + (week - 1) * 7);
        }
        let month = self.month.unwrap_or(1);
        let day = self.day.or(self.week_of_month.map(|week| (week - 1) * 7 + 1)).unwrap_or(1);
        let month =
            u32::try_from(month).ok().filter(|m| (1..=12).contains(m)).ok_or_else(overflow)?;
        if day < 1 || day > i64::from(days_in_month(year, month)) || year > 10_000_000 {
            return Err(overflow());
        }
        Ok(days_from_civil(year, month, day))
    }
}

fn up_to_space(text: &str) -> &str {
    text.split(char::is_whitespace).next().unwrap_or(text)
}

fn name_of(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, f, _)| *f == field).map_or("", |(name, ..)| *name)
}

/// Up to `limit` digits: their value, how many they were, and the rest.
fn number(text: &str, limit: usize) -> Option<(i64, usize, &str)> {
    let end = text.bytes().take(limit).take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return None;
    }
    Some((text[..end].parse().unwrap_or(i64::MAX), end, &text[end..]))
}
