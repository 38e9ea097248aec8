//! EXTRACT and date_part.

use super::super::cast::utc_to_local;
use super::super::kernel::{
    Date, Float8, Interval, Num, Opt, Settings, Text, Time, Timestamp, TimestampTz,
};
use super::super::registry::Implementations;
use super::clock;
use crate::error::{Error, Result};
use crate::types::datetime::{
    Civil, DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, UNIX_EPOCH_JULIAN, USECS_PER_DAY,
    USECS_PER_SEC, civil_from_days, days_from_civil, is_finite, split,
};
use crate::types::interval::Parts;
use crate::types::numeric::Numeric;
use crate::types::timetz::TimeTz;

/// A unit of EXTRACT, date_trunc and date_part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Epoch,
    Julian,
    TimeZone,
    TimeZoneHour,
    TimeZoneMinute,
}

/// Reads a unit's name.
///
/// # Errors
/// 22023
pub(crate) fn decode_unit(text: &str, type_name: &str) -> Result<Unit> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "usecond" | "useconds"
        | "microsecon" => Unit::Microseconds,
        "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "msecond" | "mseconds"
        | "millisecon" => Unit::Milliseconds,
        "second" | "seconds" | "s" | "sec" | "secs" => Unit::Second,
        "minute" | "minutes" | "m" | "min" | "mins" => Unit::Minute,
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Hour,
        "day" | "days" | "d" => Unit::Day,
        "week" | "weeks" | "w" => Unit::Week,
        "month" | "months" | "mon" | "mons" => Unit::Month,
        "quarter" | "qtr" => Unit::Quarter,
        "year" | "years" | "y" | "yr" | "yrs" => Unit::Year,
        "decade" | "decades" | "dec" | "decs" => Unit::Decade,
        "century" | "centuries" | "c" | "cent" => Unit::Century,
        "millennium" | "millennia" | "mil" | "mils" => Unit::Millennium,
        "dow" => Unit::Dow,
        "isodow" => Unit::IsoDow,
        "doy" => Unit::Doy,
        "isoyear" => Unit::IsoYear,
        "epoch" => Unit::Epoch,
        "julian" | "j" | "jd" => Unit::Julian,
        "timezone" => Unit::TimeZone,
        "timezone_hour" | "timezone_h" => Unit::TimeZoneHour,
        "timezone_minute" | "timezone_m" => Unit::TimeZoneMinute,
        _ => return Err(unrecognized(text, type_name)),
    })
}

pub(super) fn unrecognized(text: &str, type_name: &str) -> Error {
    let unit = text.to_ascii_lowercase();
    Error::invalid_parameter_value(format!("unit \"{unit}\" not recognized for type {type_name}"))
}

pub(super) fn unsupported(text: &str, type_name: &str) -> Error {
    let unit = text.to_ascii_lowercase();
    Error::feature_not_supported(format!("unit \"{unit}\" not supported for type {type_name}"))
}

const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";
const TIME: &str = "time without time zone";

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Timestamp, Opt<Num>>("extract(text,timestamp)", |unit, t| {
        from_timestamp(unit, t, None, TIMESTAMP)
    });
    all.z3::<Text, TimestampTz, Settings, Opt<Num>>("extract(text,timestamptz)", |unit, t, s| {
        let east = s.time_zone.east_at(t);
        from_timestamp(unit, utc_to_local(t, &s.time_zone), Some((east, t)), TIMESTAMPTZ)
    });
    all.f2::<Text, Date, Opt<Num>>("extract(text,date)", from_date);
    all.f2::<Text, Time, Num>("extract(text,time)", from_time);
    all.f2::<Text, Interval, Num>("extract(text,interval)", |unit, i| {
        from_interval(unit, Parts::of(i))
    });
    all.f2::<Text, Timestamp, Opt<Float8>>("date_part(text,timestamp)", |unit, t| {
        Ok(from_timestamp(unit, t, None, TIMESTAMP)?.map(|n| n.to_f64()))
    });
    all.z3::<Text, TimestampTz, Settings, Opt<Float8>>(
        "date_part(text,timestamptz)",
        |unit, t, s| {
            let east = s.time_zone.east_at(t);
            let local = utc_to_local(t, &s.time_zone);
            Ok(from_timestamp(unit, local, Some((east, t)), TIMESTAMPTZ)?.map(|n| n.to_f64()))
        },
    );
    // On dates date_part means the timestamp at midnight.
    all.f2::<Text, Date, Opt<Float8>>("date_part(text,date)", |unit, days| {
        let t = super::super::cast::date_to_timestamp(days)?;
        Ok(from_timestamp(unit, t, None, TIMESTAMP)?.map(|n| n.to_f64()))
    });
    all.f2::<Text, Time, Float8>(
        "date_part(text,time)",
        |unit, t| Ok(from_time(unit, t)?.to_f64()),
    );
    all.f2::<Text, Interval, Float8>("date_part(text,interval)", |unit, i| {
        Ok(from_interval(unit, Parts::of(i))?.to_f64())
    });
}

fn whole(value: i64) -> Numeric {
    Numeric::from(value)
}

/// Seconds and their parts out of microseconds within a minute.
fn second_part(unit: Unit, us: i64) -> Option<Numeric> {
    Some(match unit {
        Unit::Microseconds => whole(us),
        Unit::Milliseconds => Numeric::new(i128::from(us), 3),
        Unit::Second => Numeric::new(i128::from(us), 6),
        _ => return None,
    })
}

fn century(year: i64, of: i64) -> i64 {
    if year > 0 { (year + of - 1) / of } else { -((of - 1 - (year - 1)) / of) }
}

/// ISO year and week of a day.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    let weekday = (days + 3).rem_euclid(7);
    let thursday = days - weekday + 3;
    let year = i64::from(civil_from_days(thursday).year);
    let first = days_from_civil(year, 1, 1);
    (year, (thursday - first) / 7 + 1)
}

/// The parts that a day has; `None` for units of another kind.
fn day_part(unit: Unit, days: i64) -> Option<i64> {
    let Civil { year, month, day } = civil_from_days(days);
    let (year, month) = (i64::from(year), i64::from(month));
    Some(match unit {
        Unit::Day => i64::from(day),
        Unit::Month => month,
        Unit::Quarter => (month - 1) / 3 + 1,
        Unit::Week => iso_week(days).1,
        // There is no year 0.
        Unit::Year => {
            if year > 0 {
                year
            } else {
                year - 1
            }
        }
        Unit::Decade => year.div_euclid(10),
        Unit::Century => century(year, 100),
        Unit::Millennium => century(year, 1000),
        Unit::IsoYear => {
            let year = iso_week(days).0;
            if year > 0 { year } else { year - 1 }
        }
        Unit::Dow => (days + 4).rem_euclid(7),
        Unit::IsoDow => (days + 3).rem_euclid(7) + 1,
        Unit::Doy => days - days_from_civil(year, 1, 1) + 1,
        _ => return None,
    })
}

/// What an infinite moment gives: infinity for what only grows, else NULL.
fn of_infinity(unit: Unit, positive: bool) -> Option<Numeric> {
    let grows = matches!(
        unit,
        Unit::Year
            | Unit::Decade
            | Unit::Century
            | Unit::Millennium
            | Unit::Julian
            | Unit::IsoYear
            | Unit::Epoch
    );
    grows.then_some(if positive { Numeric::Infinity } else { Numeric::NegativeInfinity })
}

fn from_timestamp(
    unit_name: &str,
    local: i64,
    zone: Option<(i32, i64)>,
    type_name: &str,
) -> Result<Option<Numeric>> {
    let unit = decode_unit(unit_name, type_name)?;
    if !is_finite(local) {
        return Ok(of_infinity(unit, local == TS_INFINITY));
    }
    let (days, us) = split(local);
    let (hour, minute, second) = clock(us);
    if let Some(value) = second_part(unit, second) {
        return Ok(Some(value));
    }
    if let Some(value) = day_part(unit, days) {
        return Ok(Some(whole(value)));
    }
    Ok(Some(match (unit, zone) {
        (Unit::Minute, _) => whole(minute),
        (Unit::Hour, _) => whole(hour),
        (Unit::Epoch, None) => Numeric::new(i128::from(local), 6),
        (Unit::Epoch, Some((_, utc))) => Numeric::new(i128::from(utc), 6),
        (Unit::Julian, _) => {
            let day = whole(days + i64::from(UNIX_EPOCH_JULIAN));
            day.add(&whole(us).div(&whole(USECS_PER_DAY))?)?
        }
        (Unit::TimeZone, Some((east, _))) => whole(east.into()),
        (Unit::TimeZoneHour, Some((east, _))) => whole((east / 3600).into()),
        (Unit::TimeZoneMinute, Some((east, _))) => whole((east / 60 % 60).into()),
        _ => return Err(unsupported(unit_name, type_name)),
    }))
}

fn from_date(unit_name: &str, days: i32) -> Result<Option<Numeric>> {
    let unit = decode_unit(unit_name, "date")?;
    let known = matches!(unit, Unit::Epoch | Unit::Julian) || day_part(unit, 0).is_some();
    if !known {
        return Err(unsupported(unit_name, "date"));
    }
    match days {
        DATE_INFINITY => return Ok(of_infinity(unit, true)),
        DATE_NEG_INFINITY => return Ok(of_infinity(unit, false)),
        _ => {}
    }
    let days = i64::from(days);
    Ok(Some(whole(match unit {
        Unit::Epoch => days * 86_400,
        Unit::Julian => days + i64::from(UNIX_EPOCH_JULIAN),
        unit => day_part(unit, days).unwrap_or(0),
    })))
}

fn from_time(unit_name: &str, us: i64) -> Result<Numeric> {
    let unit = decode_unit(unit_name, TIME)?;
    let (hour, minute, second) = clock(us);
    if let Some(value) = second_part(unit, second) {
        return Ok(value);
    }
    Ok(match unit {
        Unit::Minute => whole(minute),
        Unit::Hour => whole(hour),
        Unit::Epoch => Numeric::new(i128::from(us), 6),
        _ => return Err(unsupported(unit_name, TIME)),
    })
}

pub(super) fn from_timetz(unit_name: &str, time: TimeTz) -> Result<Numeric> {
    const TIMETZ: &str = "time with time zone";
    let unit = decode_unit(unit_name, TIMETZ)?;
    let (hour, minute, second) = clock(time.us);
    if let Some(value) = second_part(unit, second) {
        return Ok(value);
    }
    let east = i64::from(-time.west);
    Ok(match unit {
        Unit::Minute => whole(minute),
        Unit::Hour => whole(hour),
        Unit::Epoch => Numeric::new(i128::from(time.us - east * USECS_PER_SEC), 6),
        Unit::TimeZone => whole(east),
        Unit::TimeZoneHour => whole(east / 3600),
        Unit::TimeZoneMinute => whole(east / 60 % 60),
        _ => return Err(unsupported(unit_name, TIMETZ)),
    })
}

fn from_interval(unit_name: &str, parts: Parts) -> Result<Numeric> {
    let unit = decode_unit(unit_name, "interval")?;
    let (hour, minute, second) = clock(parts.us);
    if let Some(value) = second_part(unit, second) {
        return Ok(value);
    }
    let (years, months) = (i64::from(parts.months / 12), i64::from(parts.months % 12));
    Ok(match unit {
        Unit::Minute => whole(minute),
        Unit::Hour => whole(hour),
        Unit::Day => whole(parts.days.into()),
        Unit::Month => whole(months),
        Unit::Quarter => whole(months / 3 + 1),
        Unit::Year => whole(years),
        Unit::Decade => whole(years / 10),
        Unit::Century => whole(years / 100),
        Unit::Millennium => whole(years / 1000),
        Unit::Epoch => {
            // A year is 365.25 days here, a month 30.
            let quarter_days = 1461 * years + 120 * months + 4 * i64::from(parts.days);
            let us = i128::from(quarter_days) * 21_600 * i128::from(USECS_PER_SEC)
                + i128::from(parts.us);
            Numeric::new(us, 6)
        }
        _ => return Err(unsupported(unit_name, "interval")),
    })
}
