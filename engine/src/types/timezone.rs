//! Time zones: IANA names, abbreviations and fixed offsets.

use std::borrow::Cow;
use std::str::FromStr;

use chrono::{Offset, TimeZone as _};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::datetime::USECS_PER_SEC;
use crate::error::{Error, Result};

/// A zone that timestamps are read and shown in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TimeZone {
    /// By IANA name.
    Named(Tz),
    /// Seconds east of Greenwich; `posix` remembers that it was given in POSIX form, whose
    /// sign is the other way round.
    Fixed {
        /// Seconds east of Greenwich.
        east: i32,
    },
}

/// An offset in force at some moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZoneOffset {
    /// Seconds east of Greenwich.
    pub(crate) east: i32,
    pub(crate) abbreviation: String,
    pub(crate) daylight: bool,
}

/// Abbreviations PostgreSQL's default set knows, in seconds east.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("zulu", 0),
    ("ut", 0),
    ("wet", 0),
    ("west", 3600),
    ("bst", 3600),
    ("cet", 3600),
    ("met", 3600),
    ("mez", 3600),
    ("cest", 7200),
    ("mest", 7200),
    ("mesz", 7200),
    ("eet", 7200),
    ("sast", 7200),
    ("eest", 10800),
    ("msk", 10800),
    ("msd", 14400),
    ("ist", 7200),
    ("pkt", 18000),
    ("ict", 25200),
    ("hkt", 28800),
    ("sgt", 28800),
    ("awst", 28800),
    ("jst", 32400),
    ("kst", 32400),
    ("acst", 34200),
    ("aest", 36000),
    ("aedt", 39600),
    ("nzst", 43200),
    ("nzdt", 46800),
    ("art", -10800),
    ("brt", -10800),
    ("nst", -12600),
    ("ndt", -9000),
    ("ast", -14400),
    ("adt", -10800),
    ("est", -18000),
    ("edt", -14400),
    ("cst", -21600),
    ("cdt", -18000),
    ("mst", -25200),
    ("mdt", -21600),
    ("pst", -28800),
    ("pdt", -25200),
    ("akst", -32400),
    ("akdt", -28800),
    ("hst", -36000),
];

impl TimeZone {
    /// Coordinated universal time.
    pub(crate) const UTC: TimeZone = TimeZone::Named(Tz::UTC);

    /// Reads what `SET TIME ZONE` and `AT TIME ZONE` accept: an IANA name in any case, an
    /// abbreviation, hours (`3`, `-3.5`), `<+03>-03`, or an offset in POSIX form (`UTC+3` is west).
    ///
    /// # Errors
    /// 22023 for an unknown zone.
    pub(crate) fn parse(text: &str) -> Result<TimeZone> {
        let trimmed = text.trim();
        if trimmed == "UTC" {
            return Ok(TimeZone::UTC);
        }
        if let Ok(zone) = Tz::from_str(trimmed) {
            return Ok(TimeZone::Named(zone));
        }
        let lower = trimmed.to_lowercase();
        if let Some(east) = abbreviation(&lower) {
            return Ok(TimeZone::Fixed { east });
        }
        let same = |zone: &&Tz| zone.name().eq_ignore_ascii_case(trimmed);
        if let Some(zone) = chrono_tz::TZ_VARIANTS.iter().find(same) {
            return Ok(TimeZone::Named(*zone));
        }
        posix(&lower).ok_or_else(|| Error::unknown_time_zone(text))
    }

    /// Reads what AT TIME ZONE and values name: abbreviations mean their offset in all seasons,
    /// also where a zone of that name exists (`CET`).
    ///
    /// # Errors
    /// As [`TimeZone::parse`].
    pub(crate) fn parse_in_value(text: &str) -> Result<TimeZone> {
        match abbreviation(&text.trim().to_lowercase()) {
            Some(0) => Ok(TimeZone::UTC),
            Some(east) => Ok(TimeZone::Fixed { east }),
            None => Self::parse(text),
        }
    }

    /// Reads what `SET TIME ZONE` accepts, and the name that SHOW prints: abbreviations alone are
    /// no zones, numbers are hours east, and POSIX forms keep their text.
    ///
    /// # Errors
    /// As [`TimeZone::parse`].
    pub(crate) fn parse_setting(text: &str) -> Result<(TimeZone, String)> {
        let trimmed = text.trim();
        if let Ok(hours) = trimmed.parse::<f64>() {
            let zone = Self::from_hours(hours).map_err(|_| Error::unknown_time_zone(text))?;
            return Ok((zone, zone.name().into_owned()));
        }
        let same = |zone: &&Tz| zone.name().eq_ignore_ascii_case(text);
        if let Some(zone) = chrono_tz::TZ_VARIANTS.iter().find(same) {
            return Ok((TimeZone::Named(*zone), zone.name().to_owned()));
        }
        let zone = posix(&text.to_lowercase()).ok_or_else(|| Error::unknown_time_zone(text))?;
        Ok((zone, text.to_uppercase()))
    }

    /// A fixed offset from hours, as `SET TIME ZONE -3.5` gives.
    pub(crate) fn from_hours(hours: f64) -> Result<TimeZone> {
        if !(-168.0..=168.0).contains(&hours) {
            return Err(Error::invalid_setting_value("TimeZone", &hours.to_string()));
        }
        Ok(TimeZone::Fixed { east: (hours * 3600.0).round() as i32 })
    }

    /// The name that `SHOW TimeZone` prints and [`TimeZone::parse`] reads.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            TimeZone::Named(zone) => Cow::Borrowed(zone.name()),
            TimeZone::Fixed { east } => {
                Cow::Owned(format!("<{}>{}", iso_offset(*east), iso_offset(-*east)))
            }
        }
    }

    /// Seconds east of Greenwich at a moment, microseconds since 1970 UTC.
    pub(crate) fn east_at(&self, utc_us: i64) -> i32 {
        match self {
            TimeZone::Named(Tz::UTC) => 0,
            TimeZone::Fixed { east } => *east,
            TimeZone::Named(zone) => zone
                .offset_from_utc_datetime(&naive(utc_us.div_euclid(USECS_PER_SEC)))
                .fix()
                .local_minus_utc(),
        }
    }

    /// All about the offset at a moment.
    pub(crate) fn offset_at(&self, utc_us: i64) -> ZoneOffset {
        match self {
            TimeZone::Fixed { east } => {
                ZoneOffset { east: *east, abbreviation: iso_offset(*east), daylight: false }
            }
            TimeZone::Named(zone) => {
                let offset =
                    zone.offset_from_utc_datetime(&naive(utc_us.div_euclid(USECS_PER_SEC)));
                let east = offset.fix().local_minus_utc();
                ZoneOffset {
                    east,
                    abbreviation: offset
                        .abbreviation()
                        .map_or_else(|| iso_offset(east), str::to_owned),
                    daylight: !offset.dst_offset().is_zero(),
                }
            }
        }
    }

    /// The moment a wall clock of this zone shows a local time. In the hole of a spring-forward
    /// the offset before it is used, in the doubled hour of a fall-back the one after, as
    /// PostgreSQL does. `None` when out of range.
    pub(crate) fn local_to_utc(&self, local_us: i64) -> Option<i64> {
        if matches!(self, TimeZone::Named(Tz::UTC)) {
            return Some(local_us);
        }
        let day = 86_400 * USECS_PER_SEC;
        let before = i64::from(self.east_at(local_us.saturating_sub(day))) * USECS_PER_SEC;
        let after = i64::from(self.east_at(local_us.saturating_add(day))) * USECS_PER_SEC;
        let as_before = local_us.checked_sub(before)?;
        if before == after {
            return Some(as_before);
        }
        let as_after = local_us.checked_sub(after)?;
        let fits = |utc: i64, east: i64| i64::from(self.east_at(utc)) * USECS_PER_SEC == east;
        match (fits(as_before, before), fits(as_after, after)) {
            (_, true) => Some(as_after),
            (true, false) | (false, false) => Some(as_before),
        }
    }

    /// What a wall clock of this zone shows at a moment.
    pub(crate) fn utc_to_local(&self, utc_us: i64) -> i64 {
        utc_us.saturating_add(i64::from(self.east_at(utc_us)) * USECS_PER_SEC)
    }
}

/// Seconds east for a zone abbreviation in lower case.
pub(crate) fn abbreviation(lower: &str) -> Option<i32> {
    ABBREVIATIONS.iter().find(|(name, _)| *name == lower).map(|(_, east)| *east)
}

/// `+02`, `-03:30`, `+05:53:28`
pub(crate) fn iso_offset(east: i32) -> String {
    let sign = if east < 0 { '-' } else { '+' };
    let seconds = east.unsigned_abs();
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (m, s) {
        (0, 0) => format!("{sign}{h:02}"),
        (_, 0) => format!("{sign}{h:02}:{m:02}"),
        _ => format!("{sign}{h:02}:{m:02}:{s:02}"),
    }
}

/// `utc+3`, `<+03>-03`, `est5`, `+02:30` in POSIX form (west), `-3.5`: a bare number is east.
fn posix(lower: &str) -> Option<TimeZone> {
    if let Ok(hours) = lower.parse::<f64>() {
        return TimeZone::from_hours(hours).ok();
    }
    let (named, offset) = if let Some(rest) = lower.strip_prefix('<') {
        (true, rest.split_once('>')?.1)
    } else {
        let at = lower.find(|c: char| !c.is_ascii_alphabetic())?;
        (at >= 3, &lower[at..])
    };
    if !named && !lower.starts_with(['+', '-']) {
        return None;
    }
    let (sign, digits) = match offset.as_bytes().first()? {
        b'-' => (-1, &offset[1..]),
        b'+' => (1, &offset[1..]),
        _ => (1, offset),
    };
    let mut seconds = 0;
    for (i, part) in digits.split(':').enumerate() {
        let value: i32 = part.parse().ok()?;
        seconds += value * [3600, 60, 1].get(i)?;
    }
    // POSIX counts what is west of Greenwich.
    let east = -sign * seconds;
    (seconds <= 168 * 3600).then_some(TimeZone::Fixed { east })
}

fn naive(utc_seconds: i64) -> chrono::NaiveDateTime {
    // Zone rules repeat beyond chrono's range as they do at its edge.
    const EDGE: i64 = 8_000_000_000_000;
    chrono::DateTime::from_timestamp(utc_seconds.clamp(-EDGE, EDGE), 0)
        .expect("clamped into chrono's range")
        .naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_as_postgresql_does() {
        let east = |text: &str| match TimeZone::parse_in_value(text).unwrap() {
            TimeZone::Fixed { east } => east,
            TimeZone::Named(_) => panic!("{text} is named"),
        };
        assert_eq!(east("UTC+3"), -10800);
        assert_eq!(east("<+03>-03"), 10800);
        assert_eq!(east("-3.5"), -12600);
        assert_eq!(east("EST"), -18000);
        assert_eq!(TimeZone::parse("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert!(TimeZone::parse("Nowhere/Land").is_err());
    }

    #[test]
    fn holes_and_doubled_hours() {
        let zone = TimeZone::parse("America/New_York").unwrap();
        let us = |y, mo, d, h, mi| {
            let date = chrono::NaiveDate::from_ymd_opt(y, mo, d).unwrap();
            date.and_hms_opt(h, mi, 0).unwrap().and_utc().timestamp_micros()
        };
        assert_eq!(zone.local_to_utc(us(2024, 3, 10, 2, 30)), Some(us(2024, 3, 10, 7, 30)));
        assert_eq!(zone.local_to_utc(us(2024, 11, 3, 1, 30)), Some(us(2024, 11, 3, 6, 30)));
        assert_eq!(zone.local_to_utc(us(2024, 7, 1, 12, 0)), Some(us(2024, 7, 1, 16, 0)));
    }
}
