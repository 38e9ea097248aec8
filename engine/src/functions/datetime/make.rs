//! make_date and its kin, and to_timestamp(seconds).

use super::super::cast::local_to_utc;
use super::super::kernel::{
    Date, Float8, Int4, Interval, Settings, Text, Time, Timestamp, TimestampTz,
};
use super::super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::datetime::{
    TS_INFINITY, TS_NEG_INFINITY, USECS_PER_HOUR, USECS_PER_MINUTE, check_timestamp, days_in_month,
    join,
};
use crate::types::interval::{Parts, out_of_range};
use crate::types::{TimeZone, datetime};

pub(super) fn register(all: &mut Implementations) {
    all.f3::<Int4, Int4, Int4, Date>("make_date(int4,int4,int4)", make_date);
    all.f3::<Int4, Int4, Float8, Time>("make_time(int4,int4,float8)", make_time);
    all.f6::<Int4, Int4, Int4, Int4, Int4, Float8, Timestamp>(
        "make_timestamp(int4,int4,int4,int4,int4,float8)",
        make_timestamp,
    );
    all.z7::<Int4, Int4, Int4, Int4, Int4, Float8, Settings, TimestampTz>(
        "make_timestamptz(int4,int4,int4,int4,int4,float8)",
        |y, mo, d, h, mi, s, settings| {
            local_to_utc(make_timestamp(y, mo, d, h, mi, s)?, &settings.time_zone)
        },
    );
    all.f7::<Int4, Int4, Int4, Int4, Int4, Float8, Text, TimestampTz>(
        "make_timestamptz(int4,int4,int4,int4,int4,float8,text)",
        |y, mo, d, h, mi, s, zone| {
            local_to_utc(make_timestamp(y, mo, d, h, mi, s)?, &TimeZone::parse_in_value(zone)?)
        },
    );
    all.f7::<Int4, Int4, Int4, Int4, Int4, Int4, Float8, Interval>(
        "make_interval(int4,int4,int4,int4,int4,int4,float8)",
        |years, months, weeks, days, hours, minutes, seconds| {
            let parts = (|| {
                let seconds = (seconds * 1e6).round_ties_even();
                if !seconds.is_finite() || seconds.abs() >= 9.2e18 {
                    return None;
                }
                Some(Parts {
                    months: years.checked_mul(12)?.checked_add(months)?,
                    days: weeks.checked_mul(7)?.checked_add(days)?,
                    us: (i64::from(hours) * USECS_PER_HOUR)
                        .checked_add(i64::from(minutes) * USECS_PER_MINUTE)?
                        .checked_add(seconds as i64)?,
                })
            })();
            parts.ok_or_else(out_of_range)?.value()
        },
    );
    all.f1::<Float8, TimestampTz>("to_timestamp(float8)", |seconds| {
        if seconds.is_nan() {
            return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
        }
        if seconds.is_infinite() {
            return Ok(if seconds > 0.0 { TS_INFINITY } else { TS_NEG_INFINITY });
        }
        let us = (seconds * 1e6).round_ties_even();
        if us.abs() >= 9.2e18 {
            return Err(Error::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                format!("timestamp out of range: \"{}\"", c_float(seconds)),
            ));
        }
        check_timestamp(us as i64)
    });
}

fn overflow(what: &str, value: &str) -> Error {
    Error::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("{what} field value out of range: {value}"),
    )
}

fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    // Negative years are before Christ; there is no year 0. A message has them astronomical.
    let astronomical = if year < 0 { i64::from(year) + 1 } else { i64::from(year) };
    let shown = match year {
        i32::MIN => i64::from(year),
        _ => astronomical,
    };
    let shown = format!("{shown}-{month:02}-{day:02}");
    let bad = || overflow("date", &shown);
    if matches!(year, 0 | i32::MIN) {
        return Err(bad());
    }
    let (month, day) =
        (u32::try_from(month).map_err(|_| bad())?, u32::try_from(day).map_err(|_| bad())?);
    if !(1..=12).contains(&month) || !(1..=days_in_month(astronomical, month)).contains(&day) {
        return Err(bad());
    }
    datetime::make_date(astronomical, month, day).ok_or_else(|| {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: {shown}"))
    })
}

fn make_time(hour: i32, minute: i32, seconds: f64) -> Result<i64> {
    let bad = || overflow("time", &format!("{hour}:{minute:02}:{}", c_float(seconds)));
    let us = (seconds * 1e6).round_ties_even();
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60e6).contains(&us) {
        return Err(bad());
    }
    let total = i64::from(hour) * USECS_PER_HOUR + i64::from(minute) * USECS_PER_MINUTE + us as i64;
    if total > datetime::USECS_PER_DAY { Err(bad()) } else { Ok(total) }
}

/// A float as C's `%02g` prints it: six digits, at least two characters.
fn c_float(value: f64) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-Infinity".to_owned() } else { "Infinity".to_owned() };
    }
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let exponent = format!("{value:.5e}");
    let (digits, power) = exponent.split_once('e').unwrap_or((&exponent, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let plain = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&power) {
        let text = plain(&format!("{value:.*}", (5 - power) as usize));
        return format!("{text:0>2}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", plain(digits), power.abs())
}

fn make_timestamp(y: i32, mo: i32, d: i32, h: i32, mi: i32, s: f64) -> Result<i64> {
    join(make_date(y, mo, d)?.into(), make_time(h, mi, s)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_c_prints_them() {
        for (value, printed) in [
            (0.0, "00"),
            (1.5, "1.5"),
            (61.25, "61.25"),
            (1e300, "1e+300"),
            (1e-10, "1e-10"),
            (123456.7, "123457"),
            (-3.0, "-3"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(c_float(value), printed);
        }
    }

    #[test]
    fn dates_out_of_range_are_refused() {
        for (year, month, day) in
            [(i32::MIN, 1, 1), (i32::MAX, 1, 1), (0, 1, 1), (1, i32::MIN, 1), (1, 1, i32::MAX)]
        {
            assert!(make_date(year, month, day).is_err());
        }
        assert!(make_time(i32::MAX, i32::MIN, f64::NAN).is_err());
    }
}
