//! make_date and its kin, and to_timestamp(seconds).

use super::super::cast::local_to_utc;
use super::super::kernel::{
    Date, Float8, Int4, Interval, Settings, Text, Time, Timestamp, TimestampTz,
};
use super::super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::datetime::{
    TS_INFINITY, TS_NEG_INFINITY, USECS_PER_HOUR, USECS_PER_MINUTE, check_timestamp, join,
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
                format!("timestamp out of range: \"{seconds}\""),
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
    let bad = || overflow("date", &format!("{year}-{month:02}-{day:02}"));
    // Negative years are before Christ; there is no year 0.
    let astronomical = match year {
        0 => return Err(bad()),
        y if y < 0 => i64::from(y) + 1,
        y => i64::from(y),
    };
    let (month, day) =
        (u32::try_from(month).map_err(|_| bad())?, u32::try_from(day).map_err(|_| bad())?);
    datetime::make_date(astronomical, month, day).ok_or_else(bad)
}

fn make_time(hour: i32, minute: i32, seconds: f64) -> Result<i64> {
    let bad = || overflow("time", &format!("{hour}:{minute:02}:{seconds:02}"));
    let us = (seconds * 1e6).round_ties_even();
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60e6).contains(&us) {
        return Err(bad());
    }
    let total = i64::from(hour) * USECS_PER_HOUR + i64::from(minute) * USECS_PER_MINUTE + us as i64;
    if total > datetime::USECS_PER_DAY { Err(bad()) } else { Ok(total) }
}

fn make_timestamp(y: i32, mo: i32, d: i32, h: i32, mi: i32, s: f64) -> Result<i64> {
    join(make_date(y, mo, d)?.into(), make_time(h, mi, s)?)
}
