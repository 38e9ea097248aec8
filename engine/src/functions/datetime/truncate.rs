//! date_trunc and date_bin.

use arrow::datatypes::IntervalMonthDayNano;

use super::super::cast::{local_to_utc, utc_to_local};
use super::super::kernel::{Interval, Settings, Text, Timestamp, TimestampTz};
use super::super::registry::Implementations;
use super::extract::{Unit, decode_unit, unrecognized, unsupported};
use crate::error::{Error, Result};
use crate::types::TimeZone;
use crate::types::datetime::{
    Civil, USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, check_timestamp,
    civil_from_days, days_from_civil, is_finite, join, split,
};
use crate::types::interval::Parts;

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Timestamp, Timestamp>("date_trunc(text,timestamp)", |unit, t| {
        truncate(unit, t, "timestamp without time zone")
    });
    all.z3::<Text, TimestampTz, Settings, TimestampTz>(
        "date_trunc(text,timestamptz)",
        |unit, t, s| truncate_zoned(unit, t, &s.time_zone),
    );
    all.f3::<Text, TimestampTz, Text, TimestampTz>(
        "date_trunc(text,timestamptz,text)",
        |u, t, z| super::finite_or(t, |t| truncate_zoned(u, t, &TimeZone::parse_in_value(z)?)),
    );
    all.f2::<Text, Interval, Interval>("date_trunc(text,interval)", |unit, i| {
        truncate_interval(unit, Parts::of(i))
    });
    all.f3::<Interval, Timestamp, Timestamp, Timestamp>(
        "date_bin(interval,timestamp,timestamp)",
        |stride, t, origin| bin(Parts::of(stride), t, origin),
    );
    all.f3::<Interval, TimestampTz, TimestampTz, TimestampTz>(
        "date_bin(interval,timestamptz,timestamptz)",
        |stride, t, origin| bin(Parts::of(stride), t, origin),
    );
}

fn truncate_zoned(unit: &str, utc: i64, zone: &TimeZone) -> Result<i64> {
    if !is_finite(utc) {
        return Ok(utc);
    }
    let decoded = decode_unit(unit, "timestamp with time zone")?;
    if decoded < Unit::Day {
        // Within a day the offset stays what it is: the doubled hour is not left.
        let east = i64::from(zone.east_at(utc)) * USECS_PER_SEC;
        return Ok(truncate(unit, utc + east, "timestamp with time zone")? - east);
    }
    let local = truncate(unit, utc_to_local(utc, zone), "timestamp with time zone")?;
    local_to_utc(local, zone)
}

fn truncate(unit_name: &str, local: i64, type_name: &str) -> Result<i64> {
    if !is_finite(local) {
        return Ok(local);
    }
    let unit = decode_unit(unit_name, type_name)?;
    let floor = |step: i64| local.div_euclid(step) * step;
    let (days, _) = split(local);
    let Civil { year, month, .. } = civil_from_days(days);
    let year = i64::from(year);
    let first_of = |year: i64, month: u32| join(days_from_civil(year, month, 1), 0);
    // The first year of a group of years; groups begin with 1, before Christ with -99.
    let group = |of: i64| {
        if year > 0 {
            (year + of - 1) / of * of - (of - 1)
        } else {
            -((of - 1 - (year - 1)) / of) * of + 1
        }
    };
    match unit {
        Unit::Microseconds => Ok(local),
        Unit::Milliseconds => Ok(floor(1_000)),
        Unit::Second => Ok(floor(USECS_PER_SEC)),
        Unit::Minute => Ok(floor(USECS_PER_MINUTE)),
        Unit::Hour => Ok(floor(USECS_PER_HOUR)),
        Unit::Day => Ok(floor(USECS_PER_DAY)),
        Unit::Week => join(days - (days + 3).rem_euclid(7), 0),
        Unit::Month => first_of(year, month),
        Unit::Quarter => first_of(year, (month - 1) / 3 * 3 + 1),
        Unit::Year => first_of(year, 1),
        Unit::Decade => first_of(year.div_euclid(10) * 10, 1),
        Unit::Century => first_of(group(100), 1),
        Unit::Millennium => first_of(group(1000), 1),
        Unit::TimeZone | Unit::TimeZoneHour | Unit::TimeZoneMinute => {
            Err(unsupported(unit_name, type_name))
        }
        _ => Err(unrecognized(unit_name, type_name)),
    }
}

fn truncate_interval(unit_name: &str, p: Parts) -> Result<IntervalMonthDayNano> {
    let unit = decode_unit(unit_name, "interval")?;
    let time = |step: i64| Parts { us: p.us / step * step, ..p };
    let months = |step: i32| Parts { months: p.months / step * step, days: 0, us: 0 };
    match unit {
        Unit::Microseconds => p,
        Unit::Milliseconds => time(1_000),
        Unit::Second => time(USECS_PER_SEC),
        Unit::Minute => time(USECS_PER_MINUTE),
        Unit::Hour => time(USECS_PER_HOUR),
        Unit::Day => Parts { us: 0, ..p },
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1_200),
        Unit::Millennium => months(12_000),
        Unit::Week => {
            return Err(unsupported(unit_name, "interval")
                .with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported(unit_name, "interval")),
    }
    .value()
}

fn bin(stride: Parts, t: i64, origin: i64) -> Result<i64> {
    if !is_finite(t) {
        return Ok(t);
    }
    if !is_finite(origin) {
        return Err(Error::datetime_out_of_range("origin"));
    }
    if stride.months != 0 {
        return Err(Error::feature_not_supported(
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let step = i64::try_from(stride.span()).map_err(|_| crate::types::interval::out_of_range())?;
    if step <= 0 {
        return Err(Error::new(
            crate::error::SqlState::DATETIME_FIELD_OVERFLOW,
            "stride must be greater than zero",
        ));
    }
    let distance = t.checked_sub(origin).ok_or_else(crate::types::interval::out_of_range)?;
    check_timestamp(origin + distance.div_euclid(step) * step)
}
