//! Arithmetic and functions of dates, times and intervals.

use arrow::datatypes::IntervalMonthDayNano;

use super::cast::{date_to_timestamp, local_to_utc, utc_to_local};
use super::kernel::{
    Bool, Date, Float8, Int4, Interval, Settings, Text, Time, Timestamp, TimestampTz,
};
use super::registry::Implementations;
use crate::error::{Error, Result};
use crate::types::TimeZone;
use crate::types::datetime::{
    Civil, DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY, USECS_PER_DAY,
    USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, check_date, check_timestamp, civil_from_days,
    days_from_civil, days_in_month, is_finite, join, split,
};
use crate::types::interval::{Parts, out_of_range};

mod extract;
mod make;
mod overlap;
mod timetz;
mod truncate;

pub(super) fn register(all: &mut Implementations) {
    dates(all);
    timestamps(all);
    times(all);
    intervals(all);
    zones(all);
    extract::register(all);
    truncate::register(all);
    make::register(all);
    overlap::register(all);
    timetz::register(all);
}

/// A local moment plus months (to the month's end at most), days and microseconds.
pub(super) fn add_interval(local: i64, span: Parts) -> Result<i64> {
    if !is_finite(local) {
        return Ok(local);
    }
    let moved = add_months_days(local, span)?;
    let sum = moved.checked_add(span.us);
    sum.ok_or_else(|| Error::datetime_out_of_range("timestamp")).and_then(check_timestamp)
}

fn add_months_days(local: i64, span: Parts) -> Result<i64> {
    if span.months == 0 && span.days == 0 {
        return Ok(local);
    }
    let (mut days, us) = split(local);
    if span.months != 0 {
        let c = civil_from_days(days);
        let months = i64::from(c.year) * 12 + i64::from(c.month) - 1 + i64::from(span.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        let day = c.day.min(days_in_month(year, month));
        days = days_from_civil(year, month, i64::from(day));
    }
    join(days + i64::from(span.days), us)
}

/// As [`add_interval`], with months and days counted on a zone's calendar.
pub(super) fn add_interval_zoned(utc: i64, span: Parts, zone: &TimeZone) -> Result<i64> {
    if !is_finite(utc) {
        return Ok(utc);
    }
    let moved = if span.months == 0 && span.days == 0 {
        utc
    } else {
        local_to_utc(add_months_days(utc_to_local(utc, zone), span)?, zone)?
    };
    let sum = moved.checked_add(span.us);
    sum.ok_or_else(|| Error::datetime_out_of_range("timestamp")).and_then(check_timestamp)
}

/// A time of day plus a length, around the clock.
fn time_plus(time: i64, span: Parts) -> Result<i64> {
    Ok((time + span.us % USECS_PER_DAY).rem_euclid(USECS_PER_DAY))
}

fn negated(span: IntervalMonthDayNano) -> Result<Parts> {
    let parts = Parts::of(span);
    Ok(Parts {
        months: parts.months.checked_neg().ok_or_else(out_of_range)?,
        days: parts.days.checked_neg().ok_or_else(out_of_range)?,
        us: parts.us.checked_neg().ok_or_else(out_of_range)?,
    })
}

fn date_plus(days: i32, n: i32) -> Result<i32> {
    if matches!(days, DATE_INFINITY | DATE_NEG_INFINITY) {
        return Ok(days);
    }
    check_date(i64::from(days) + i64::from(n))
}

fn dates(all: &mut Implementations) {
    all.f2::<Date, Int4, Date>("date_pli(date,int4)", date_plus);
    all.f2::<Int4, Date, Date>("integer_pl_date(int4,date)", |n, days| date_plus(days, n));
    all.f2::<Date, Int4, Date>("date_mii(date,int4)", |days, n| {
        date_plus(days, n.checked_neg().ok_or_else(|| Error::datetime_out_of_range("date"))?)
    });
    all.f2::<Date, Date, Int4>("date_mi(date,date)", |a, b| {
        let infinite = |d| matches!(d, DATE_INFINITY | DATE_NEG_INFINITY);
        if infinite(a) || infinite(b) {
            return Err(Error::new(
                crate::error::SqlState::DATETIME_FIELD_OVERFLOW,
                "cannot subtract infinite dates",
            ));
        }
        Ok(a - b)
    });
    all.f2::<Date, Interval, Timestamp>("date_pl_interval(date,interval)", |days, span| {
        add_interval(date_to_timestamp(days)?, Parts::of(span))
    });
    all.f2::<Date, Interval, Timestamp>("date_mi_interval(date,interval)", |days, span| {
        add_interval(date_to_timestamp(days)?, negated(span)?)
    });
    all.f2::<Interval, Date, Timestamp>("interval_pl_date(interval,date)", |span, days| {
        add_interval(date_to_timestamp(days)?, Parts::of(span))
    });
    let with_time: fn(i32, i64) -> Result<i64> = |days, time| match days {
        DATE_INFINITY => Ok(TS_INFINITY),
        DATE_NEG_INFINITY => Ok(TS_NEG_INFINITY),
        days => join(i64::from(days), time),
    };
    all.f2::<Date, Time, Timestamp>("datetime_pl(date,time)", with_time);
    all.f2::<Date, Time, Timestamp>("timestamp(date,time)", with_time);
    all.f2::<Time, Date, Timestamp>("timedate_pl(time,date)", |time, days| match days {
        DATE_INFINITY => Ok(TS_INFINITY),
        DATE_NEG_INFINITY => Ok(TS_NEG_INFINITY),
        days => join(i64::from(days), time),
    });
    all.f2::<Date, Date, Date>("date_larger(date,date)", |a, b| Ok(a.max(b)));
    all.f2::<Date, Date, Date>("date_smaller(date,date)", |a, b| Ok(a.min(b)));
    all.f1::<Date, Bool>("isfinite(date)", |v| Ok(!matches!(v, DATE_INFINITY | DATE_NEG_INFINITY)));
}

fn difference(a: i64, b: i64) -> Result<IntervalMonthDayNano> {
    if !is_finite(a) || !is_finite(b) {
        return Err(Error::new(
            crate::error::SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let us = a.checked_sub(b).ok_or_else(out_of_range)?;
    Parts { months: 0, days: (us / USECS_PER_DAY) as i32, us: us % USECS_PER_DAY }.value()
}

fn timestamps(all: &mut Implementations) {
    all.f2::<Timestamp, Interval, Timestamp>(
        "timestamp_pl_interval(timestamp,interval)",
        |t, i| add_interval(t, Parts::of(i)),
    );
    all.f2::<Timestamp, Interval, Timestamp>(
        "timestamp_mi_interval(timestamp,interval)",
        |t, i| add_interval(t, negated(i)?),
    );
    all.f2::<Interval, Timestamp, Timestamp>(
        "interval_pl_timestamp(interval,timestamp)",
        |i, t| add_interval(t, Parts::of(i)),
    );
    all.z3::<TimestampTz, Interval, Settings, TimestampTz>(
        "timestamptz_pl_interval(timestamptz,interval)",
        |t, i, s| add_interval_zoned(t, Parts::of(i), &s.time_zone),
    );
    all.z3::<TimestampTz, Interval, Settings, TimestampTz>(
        "timestamptz_mi_interval(timestamptz,interval)",
        |t, i, s| add_interval_zoned(t, negated(i)?, &s.time_zone),
    );
    all.z3::<Interval, TimestampTz, Settings, TimestampTz>(
        "interval_pl_timestamptz(interval,timestamptz)",
        |i, t, s| add_interval_zoned(t, Parts::of(i), &s.time_zone),
    );
    all.f2::<Timestamp, Timestamp, Interval>("timestamp_mi(timestamp,timestamp)", difference);
    all.f2::<TimestampTz, TimestampTz, Interval>(
        "timestamptz_mi(timestamptz,timestamptz)",
        difference,
    );
    all.f1::<Timestamp, Bool>("isfinite(timestamp)", |v| Ok(is_finite(v)));
    all.f1::<TimestampTz, Bool>("isfinite(timestamptz)", |v| Ok(is_finite(v)));
    all.f2::<Timestamp, Timestamp, Interval>("age(timestamp,timestamp)", age);
    all.z3::<TimestampTz, TimestampTz, Settings, Interval>(
        "age(timestamptz,timestamptz)",
        |a, b, s| age(utc_to_local(a, &s.time_zone), utc_to_local(b, &s.time_zone)),
    );
    all.z2::<Timestamp, Settings, Interval>("age(timestamp)", |t, s| age(today(&s)?, t));
    all.z2::<TimestampTz, Settings, Interval>("age(timestamptz)", |t, s| {
        age(today(&s)?, utc_to_local(t, &s.time_zone))
    });
}

/// Midnight of the current day on the session's calendar.
fn today(settings: &crate::types::FormatSettings) -> Result<i64> {
    let now = settings.now_us.ok_or_else(|| {
        Error::feature_not_supported("age(timestamp) needs the current time here")
    })?;
    Ok(split(settings.time_zone.utc_to_local(now)).0 * USECS_PER_DAY)
}

/// The difference in years, months, days and time, field by field.
fn age(a: i64, b: i64) -> Result<IntervalMonthDayNano> {
    if !is_finite(a) || !is_finite(b) {
        return Err(Error::datetime_out_of_range("timestamp"));
    }
    let sign: i32 = if a < b { -1 } else { 1 };
    let (later, earlier) = if a < b { (b, a) } else { (a, b) };
    let ((later_days, later_us), (earlier_days, earlier_us)) = (split(later), split(earlier));
    let (x, y) = (civil_from_days(later_days), civil_from_days(earlier_days));
    let mut us = later_us - earlier_us;
    let mut days = x.day as i32 - y.day as i32;
    let mut months = (x.year - y.year) * 12 + x.month as i32 - y.month as i32;
    if us < 0 {
        us += USECS_PER_DAY;
        days -= 1;
    }
    if days < 0 {
        // The month that is broken into is the second argument's when it is the earlier one.
        let Civil { year, month, .. } = if sign < 0 { civil_from_days(split(a).0) } else { y };
        days += days_in_month(i64::from(year), month) as i32;
        months -= 1;
    }
    Parts { months: sign * months, days: sign * days, us: i64::from(sign) * us }.value()
}

fn times(all: &mut Implementations) {
    all.f2::<Time, Interval, Time>("time_pl_interval(time,interval)", |t, i| {
        time_plus(t, Parts::of(i))
    });
    all.f2::<Time, Interval, Time>("time_mi_interval(time,interval)", |t, i| {
        Ok((t - Parts::of(i).us % USECS_PER_DAY).rem_euclid(USECS_PER_DAY))
    });
    all.f2::<Interval, Time, Time>("interval_pl_time(interval,time)", |i, t| {
        time_plus(t, Parts::of(i))
    });
    all.f2::<Time, Time, Interval>("time_mi_time(time,time)", |a, b| {
        Parts { us: a - b, ..Parts::default() }.value()
    });
}

/// Rounds to microseconds, PostgreSQL's TSROUND.
fn ts_round(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

fn scaled(span: Parts, factor: f64) -> Result<IntervalMonthDayNano> {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    let whole = |value: f64| -> Result<i32> {
        if value.is_nan() || value > f64::from(i32::MAX) || value < f64::from(i32::MIN) {
            return Err(out_of_range());
        }
        Ok(value as i32)
    };
    let months = whole(f64::from(span.months) * factor)?;
    let mut days = whole(f64::from(span.days) * factor)?;
    let month_days = ts_round((f64::from(span.months) * factor - f64::from(months)) * 30.0);
    let mut seconds = ts_round(
        (f64::from(span.days) * factor - f64::from(days) + month_days - month_days.trunc())
            * SECONDS_PER_DAY,
    );
    if seconds.abs() >= SECONDS_PER_DAY {
        let more = (seconds / SECONDS_PER_DAY).trunc();
        days = days.checked_add(more as i32).ok_or_else(out_of_range)?;
        seconds -= more * SECONDS_PER_DAY;
    }
    days = days.checked_add(month_days as i32).ok_or_else(out_of_range)?;
    let us = (span.us as f64 * factor + seconds * 1e6).round_ties_even();
    if us.is_nan() || us.abs() >= 9.2e18 {
        return Err(out_of_range());
    }
    Parts { months, days, us: us as i64 }.value()
}

fn add_parts(a: Parts, b: Parts) -> Result<IntervalMonthDayNano> {
    let sum = (|| {
        Some(Parts {
            months: a.months.checked_add(b.months)?,
            days: a.days.checked_add(b.days)?,
            us: a.us.checked_add(b.us)?,
        })
    })();
    sum.ok_or_else(out_of_range)?.value()
}

/// The value a part of the way from one to another.
pub(super) fn lerp(low: f64, high: f64, part: f64) -> f64 {
    low + part * (high - low)
}

/// As [`lerp`], for intervals.
pub(super) fn between_intervals(
    low: IntervalMonthDayNano,
    high: IntervalMonthDayNano,
    part: f64,
) -> Result<IntervalMonthDayNano> {
    let way = add_parts(Parts::of(high), negated(low)?)?;
    add_parts(Parts::of(scaled(Parts::of(way), part)?), Parts::of(low))
}

fn intervals(all: &mut Implementations) {
    all.f2::<Interval, Interval, Interval>("interval_pl(interval,interval)", |a, b| {
        add_parts(Parts::of(a), Parts::of(b))
    });
    all.f2::<Interval, Interval, Interval>("interval_mi(interval,interval)", |a, b| {
        add_parts(Parts::of(a), negated(b)?)
    });
    all.f1::<Interval, Interval>("interval_um(interval)", |a| negated(a)?.value());
    all.f2::<Interval, Float8, Interval>("interval_mul(interval,float8)", |a, f| {
        scaled(Parts::of(a), f)
    });
    all.f2::<Float8, Interval, Interval>("mul_d_interval(float8,interval)", |f, a| {
        scaled(Parts::of(a), f)
    });
    all.f2::<Interval, Float8, Interval>("interval_div(interval,float8)", |a, f| {
        if f == 0.0 {
            return Err(Error::division_by_zero());
        }
        let a = Parts::of(a);
        // Dividing keeps digits that multiplying by the inverse would lose.
        divided(a, f)
    });
    all.f1::<Interval, Bool>("isfinite(interval)", |_| Ok(true));
    all.f1::<Interval, Interval>("justify_hours(interval)", |a| {
        justify_hours(Parts::of(a))?.value()
    });
    all.f1::<Interval, Interval>("justify_days(interval)", |a| justify_days(Parts::of(a))?.value());
    all.f1::<Interval, Interval>("justify_interval(interval)", |a| {
        justify_interval(Parts::of(a))?.value()
    });
    all.f2::<Interval, Interval, Interval>("interval_larger(interval,interval)", |a, b| {
        Ok(if Parts::of(a).span() > Parts::of(b).span() { a } else { b })
    });
    all.f2::<Interval, Interval, Interval>("interval_smaller(interval,interval)", |a, b| {
        Ok(if Parts::of(a).span() < Parts::of(b).span() { a } else { b })
    });
}

pub(super) fn divided(span: Parts, factor: f64) -> Result<IntervalMonthDayNano> {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    let months = (f64::from(span.months) / factor).trunc();
    let mut days = (f64::from(span.days) / factor).trunc();
    let month_days = ts_round((f64::from(span.months) / factor - months) * 30.0);
    let mut seconds = ts_round(
        (f64::from(span.days) / factor - days + month_days - month_days.trunc()) * SECONDS_PER_DAY,
    );
    if seconds.abs() >= SECONDS_PER_DAY {
        let more = (seconds / SECONDS_PER_DAY).trunc();
        days += more;
        seconds -= more * SECONDS_PER_DAY;
    }
    days += month_days.trunc();
    let us = (span.us as f64 / factor + seconds * 1e6).round_ties_even();
    let limit = f64::from(i32::MAX);
    if !(months.abs() <= limit && days.abs() <= limit && us.abs() < 9.2e18) {
        return Err(out_of_range());
    }
    Parts { months: months as i32, days: days as i32, us: us as i64 }.value()
}

fn justify_hours(a: Parts) -> Result<Parts> {
    let whole = (a.us / USECS_PER_DAY) as i32;
    let mut us = a.us % USECS_PER_DAY;
    let mut days = a.days.checked_add(whole).ok_or_else(out_of_range)?;
    if days > 0 && us < 0 {
        us += USECS_PER_DAY;
        days -= 1;
    } else if days < 0 && us > 0 {
        us -= USECS_PER_DAY;
        days += 1;
    }
    Ok(Parts { days, us, ..a })
}

fn justify_days(a: Parts) -> Result<Parts> {
    let mut months = a.months.checked_add(a.days / 30).ok_or_else(out_of_range)?;
    let mut days = a.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    Ok(Parts { months, days, ..a })
}

fn justify_interval(a: Parts) -> Result<Parts> {
    let mut days = i64::from(a.days) + a.us / USECS_PER_DAY;
    let mut us = a.us % USECS_PER_DAY;
    let mut months = i64::from(a.months) + days / 30;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && us < 0)) {
        days += 30;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && us > 0)) {
        days -= 30;
        months += 1;
    }
    if days > 0 && us < 0 {
        us += USECS_PER_DAY;
        days -= 1;
    } else if days < 0 && us > 0 {
        us -= USECS_PER_DAY;
        days += 1;
    }
    let months = i32::try_from(months).map_err(|_| out_of_range())?;
    Ok(Parts { months, days: days as i32, us })
}

fn zones(all: &mut Implementations) {
    all.f2::<Text, Timestamp, TimestampTz>("timezone(text,timestamp)", |zone, t| {
        finite_or(t, |t| local_to_utc(t, &TimeZone::parse_in_value(zone)?))
    });
    all.f2::<Text, TimestampTz, Timestamp>("timezone(text,timestamptz)", |zone, t| {
        finite_or(t, |t| Ok(utc_to_local(t, &TimeZone::parse_in_value(zone)?)))
    });
    all.f2::<Interval, Timestamp, TimestampTz>("timezone(interval,timestamp)", |zone, t| {
        finite_or(t, |t| local_to_utc(t, &fixed(zone)?))
    });
    all.f2::<Interval, TimestampTz, Timestamp>("timezone(interval,timestamptz)", |zone, t| {
        finite_or(t, |t| Ok(utc_to_local(t, &fixed(zone)?)))
    });
}

/// The infinities are the same in each zone, whether there is such a zone or not.
fn finite_or(t: i64, convert: impl FnOnce(i64) -> Result<i64>) -> Result<i64> {
    if is_finite(t) { convert(t) } else { Ok(t) }
}

fn fixed(zone: IntervalMonthDayNano) -> Result<TimeZone> {
    let parts = Parts::of(zone);
    if parts.months != 0 || parts.days != 0 {
        let mut text = String::new();
        crate::types::interval::write(parts, &mut text).expect("writing to a string doesn't fail");
        return Err(Error::invalid_parameter_value(format!(
            "interval time zone \"{text}\" must not include months or days"
        )));
    }
    Ok(TimeZone::Fixed { east: (parts.us / USECS_PER_SEC) as i32 })
}

/// Hours, minutes, seconds with fraction of a time of day.
pub(super) fn clock(us: i64) -> (i64, i64, i64) {
    (us / USECS_PER_HOUR, us / USECS_PER_MINUTE % 60, us % USECS_PER_MINUTE)
}
