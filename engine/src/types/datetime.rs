//! The calendar, and the text form of date, time, timestamp and timestamptz (DateStyle ISO).

use std::fmt::Write;

use super::timezone::TimeZone;
use crate::error::{Error, Result};

pub(crate) mod style;

pub(crate) const USECS_PER_SEC: i64 = 1_000_000;
pub(crate) const USECS_PER_MINUTE: i64 = 60 * USECS_PER_SEC;
pub(crate) const USECS_PER_HOUR: i64 = 60 * USECS_PER_MINUTE;
pub(crate) const USECS_PER_DAY: i64 = 24 * USECS_PER_HOUR;

/// `infinity` and `-infinity` of date.
pub(crate) const DATE_INFINITY: i32 = i32::MAX;
pub(crate) const DATE_NEG_INFINITY: i32 = i32::MIN;
/// `infinity` and `-infinity` of the timestamps.
pub(crate) const TS_INFINITY: i64 = i64::MAX;
pub(crate) const TS_NEG_INFINITY: i64 = i64::MIN;

/// Days of 2000-01-01, PostgreSQL's epoch on the wire, after 1970-01-01.
pub(crate) const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(crate) const POSTGRES_EPOCH_US: i64 = POSTGRES_EPOCH_DAYS as i64 * USECS_PER_DAY;
/// The Julian day of 1970-01-01.
pub(crate) const UNIX_EPOCH_JULIAN: i32 = 2_440_588;

/// 4713-11-24 BC, the first day there is.
const MIN_DAYS: i64 = -(UNIX_EPOCH_JULIAN as i64);
/// 5874897-12-31, the last one.
const MAX_DAYS: i64 = 2_145_042_905;
/// First moment of a timestamp; the last is what 64 bits hold (year 294247).
const MIN_TIMESTAMP: i64 = MIN_DAYS * USECS_PER_DAY;

/// A day of the calendar; the year before 1 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i32,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

/// Days since 1970-01-01 of a proleptic Gregorian date; month 1 to 12, any day number.
pub(crate) fn days_from_civil(year: i64, month: u32, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a number of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> Civil {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    let year = yoe + era * 400 + i64::from(month <= 2);
    Civil { year: year as i32, month, day: (doy - (153 * mp + 2) / 5 + 1) as u32 }
}

pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A date from its parts, checked against the calendar and the range of type date.
pub(crate) fn make_date(year: i64, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let days = days_from_civil(year, month, i64::from(day));
    (MIN_DAYS..=MAX_DAYS).contains(&days).then_some(days as i32)
}

/// # Errors
/// 22008 for days outside type date.
pub(crate) fn check_date(days: i64) -> Result<i32> {
    if (MIN_DAYS..=MAX_DAYS).contains(&days) {
        return Ok(days as i32);
    }
    Err(Error::datetime_out_of_range("date"))
}

/// # Errors
/// 22008 for moments outside the timestamp types.
pub(crate) fn check_timestamp(us: i64) -> Result<i64> {
    if (MIN_TIMESTAMP..TS_INFINITY).contains(&us) {
        return Ok(us);
    }
    Err(Error::datetime_out_of_range("timestamp"))
}

/// A moment from days and microseconds of the day.
pub(crate) fn join(days: i64, us: i64) -> Result<i64> {
    days.checked_mul(USECS_PER_DAY)
        .and_then(|d| d.checked_add(us))
        .ok_or_else(|| Error::datetime_out_of_range("timestamp"))
        .and_then(check_timestamp)
}

/// Whether a timestamp is neither infinity.
pub(crate) fn is_finite(us: i64) -> bool {
    us != TS_INFINITY && us != TS_NEG_INFINITY
}

/// Days and microseconds of the day of a finite timestamp.
pub(crate) fn split(us: i64) -> (i64, i64) {
    (us.div_euclid(USECS_PER_DAY), us.rem_euclid(USECS_PER_DAY))
}

/// Rounds microseconds to a precision of 0 to 6 digits, half away from zero.
pub(crate) fn round_to_precision(us: i64, precision: i32) -> i64 {
    if !(0..6).contains(&precision) {
        return us;
    }
    let unit = 10i64.pow(6 - precision as u32);
    let half = if us < 0 { -unit / 2 } else { unit / 2 };
    match us.checked_add(half) {
        Some(shifted) => shifted / unit * unit,
        None => us,
    }
}

/// Text of at most a few dozen ASCII bytes, put together on the stack.
struct Ascii {
    bytes: [u8; 64],
    len: usize,
}

impl Ascii {
    fn new() -> Ascii {
        Ascii { bytes: [0; 64], len: 0 }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn two(&mut self, value: u32) {
        self.byte(b'0' + (value / 10 % 10) as u8);
        self.byte(b'0' + (value % 10) as u8);
    }

    fn year(&mut self, year: u32) {
        if year < 10_000 {
            self.two(year / 100);
            self.two(year % 100);
            return;
        }
        let mut divisor = 10_000;
        while year / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.byte(b'0' + (year / divisor % 10) as u8);
            divisor /= 10;
        }
    }

    /// Returns whether the date is before Christ, which is said at the end.
    fn date(&mut self, days: i64) -> bool {
        let Civil { year, month, day } = civil_from_days(days);
        let before_christ = year <= 0;
        self.year(if before_christ { (1 - year) as u32 } else { year as u32 });
        self.byte(b'-');
        self.two(month);
        self.byte(b'-');
        self.two(day);
        before_christ
    }

    fn time(&mut self, us: i64) {
        let seconds = (us / USECS_PER_SEC) as u32;
        self.two(seconds / 3600);
        self.byte(b':');
        self.two(seconds / 60 % 60);
        self.byte(b':');
        self.two(seconds % 60);
        self.fraction((us % USECS_PER_SEC) as u32);
    }

    fn fraction(&mut self, mut us: u32) {
        if us == 0 {
            return;
        }
        self.byte(b'.');
        let mut unit = 100_000;
        while us > 0 {
            self.byte(b'0' + (us / unit) as u8);
            us %= unit;
            unit /= 10;
        }
    }

    fn zone(&mut self, east: i32) {
        self.byte(if east < 0 { b'-' } else { b'+' });
        let seconds = east.unsigned_abs();
        self.two(seconds / 3600);
        if !seconds.is_multiple_of(3600) {
            self.byte(b':');
            self.two(seconds / 60 % 60);
        }
        if !seconds.is_multiple_of(60) {
            self.byte(b':');
            self.two(seconds % 60);
        }
    }

    fn before_christ(&mut self) {
        for byte in b" BC" {
            self.byte(*byte);
        }
    }

    fn write(&self, out: &mut impl Write) -> std::fmt::Result {
        out.write_str(std::str::from_utf8(&self.bytes[..self.len]).expect("ASCII was put in"))
    }
}

/// Appends a date.
pub(crate) fn write_date(days: i32, out: &mut impl Write) -> std::fmt::Result {
    match days {
        DATE_INFINITY => return out.write_str("infinity"),
        DATE_NEG_INFINITY => return out.write_str("-infinity"),
        _ => {}
    }
    let mut text = Ascii::new();
    if text.date(i64::from(days)) {
        text.before_christ();
    }
    text.write(out)
}

/// Appends a time of day.
pub(crate) fn write_time(us: i64, out: &mut impl Write) -> std::fmt::Result {
    let mut text = Ascii::new();
    text.time(us);
    text.write(out)
}

/// Appends a timestamp without time zone.
pub(crate) fn write_timestamp(us: i64, out: &mut impl Write) -> std::fmt::Result {
    write_moment(us, None, out)
}

/// Appends a timestamp with time zone as a zone's clock shows it.
pub(crate) fn write_timestamptz(
    us: i64,
    zone: &TimeZone,
    out: &mut impl Write,
) -> std::fmt::Result {
    if !is_finite(us) {
        return write_moment(us, None, out);
    }
    let east = zone.east_at(us);
    write_moment(us.saturating_add(i64::from(east) * USECS_PER_SEC), Some(east), out)
}

fn write_moment(local_us: i64, east: Option<i32>, out: &mut impl Write) -> std::fmt::Result {
    match local_us {
        TS_INFINITY if east.is_none() => return out.write_str("infinity"),
        TS_NEG_INFINITY if east.is_none() => return out.write_str("-infinity"),
        _ => {}
    }
    let (days, us) = split(local_us);
    let mut text = Ascii::new();
    let before_christ = text.date(days);
    text.byte(b' ');
    text.time(us);
    if let Some(east) = east {
        text.zone(east);
    }
    if before_christ {
        text.before_christ();
    }
    text.write(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn printed_as_postgresql_does() {
        let date = |days| {
            let mut text = String::new();
            write_date(days, &mut text).unwrap();
            text
        };
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-UNIX_EPOCH_JULIAN), "4714-11-24 BC");
        assert_eq!(date(2_145_042_905), "5874897-12-31");
        let mut text = String::new();
        write_timestamptz(
            1_700_000_000_120_000,
            &TimeZone::parse("Asia/Kolkata").unwrap(),
            &mut text,
        )
        .unwrap();
        assert_eq!(text, "2023-11-15 03:43:20.12+05:30");
    }

    proptest! {
        #[test]
        fn calendar_comes_back(days in MIN_DAYS..=MAX_DAYS) {
            let c = civil_from_days(days);
            prop_assert_eq!(days_from_civil(i64::from(c.year), c.month, i64::from(c.day)), days);
        }
    }
}
