//! Functions of `time with time zone`.

use super::super::kernel::{
    Bool, Date, Float8, Int4, Interval, Maybe, Num, Opt, Settings, Text, TimeTz, TimestampTz,
};
use super::super::registry::Implementations;
use super::{extract, fixed, overlap::overlap, time_plus};
use crate::error::Result;
use crate::types::TimeZone;
use crate::types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY, USECS_PER_SEC, join,
};
use crate::types::interval::Parts;
use crate::types::timetz::TimeTz as Value;

pub(super) fn register(all: &mut Implementations) {
    for name in ["datetimetz_pl(date,timetz)", "timestamptz(date,timetz)"] {
        all.f2::<Date, TimeTz, TimestampTz>(name, on_day);
    }
    all.f2::<TimeTz, Date, TimestampTz>("timetzdate_pl(timetz,date)", |time, days| {
        on_day(days, time)
    });
    all.f2::<TimeTz, Interval, TimeTz>("timetz_pl_interval(timetz,interval)", |time, span| {
        moved(time, Parts::of(span))
    });
    all.f2::<Interval, TimeTz, TimeTz>("interval_pl_timetz(interval,timetz)", |span, time| {
        moved(time, Parts::of(span))
    });
    all.f2::<TimeTz, Interval, TimeTz>("timetz_mi_interval(timetz,interval)", |time, span| {
        let span = Parts::of(span);
        moved(time, Parts { us: -span.us, ..span })
    });
    all.f2::<TimeTz, TimeTz, TimeTz>("timetz_larger(timetz,timetz)", |a, b| Ok(a.max(b)));
    all.f2::<TimeTz, TimeTz, TimeTz>("timetz_smaller(timetz,timetz)", |a, b| Ok(a.min(b)));
    all.f2::<TimeTz, TimeTz, Int4>("timetz_cmp(timetz,timetz)", |a, b| Ok(a.cmp(&b) as i32));
    all.f2::<Text, TimeTz, Num>("extract(text,timetz)", |unit, time| {
        extract::from_timetz(unit, Value::unpack(time))
    });
    all.f2::<Text, TimeTz, Float8>("date_part(text,timetz)", |unit, time| {
        Ok(extract::from_timetz(unit, Value::unpack(time))?.to_f64())
    });
    all.z3::<Text, TimeTz, Settings, TimeTz>("timezone(text,timetz)", |zone, time, settings| {
        let zone = TimeZone::parse_in_value(zone)?;
        let west = -zone.east_at(settings.now_us.unwrap_or(0));
        Ok(Value::unpack(time).at_offset(west).pack())
    });
    all.f2::<Interval, TimeTz, TimeTz>("timezone(interval,timetz)", |zone, time| {
        let west = -fixed(zone)?.east_at(0);
        Ok(Value::unpack(time).at_offset(west).pack())
    });
    type Given = Maybe<TimeTz>;
    all.f4::<Given, Given, Given, Given, Opt<Bool>>(
        "overlaps(timetz,timetz,timetz,timetz)",
        |a, b, c, d| Ok(overlap((a, b), (c, d))),
    );
}

fn on_day(days: i32, time: i64) -> Result<i64> {
    let time = Value::unpack(time);
    match days {
        DATE_INFINITY => Ok(TS_INFINITY),
        DATE_NEG_INFINITY => Ok(TS_NEG_INFINITY),
        days => join(i64::from(days), time.us + i64::from(time.west) * USECS_PER_SEC),
    }
}

fn moved(time: i64, span: Parts) -> Result<i64> {
    let time = Value::unpack(time);
    Ok(Value { us: time_plus(time.us, span)?, ..time }.pack())
}
