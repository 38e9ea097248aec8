//! `(start, end) OVERLAPS (start, end)`; an end may be given as a length.

use super::super::kernel::{Bool, Interval, Maybe, Opt, Settings, Time, Timestamp, TimestampTz};
use super::super::registry::Implementations;
use super::{add_interval, add_interval_zoned, time_plus};
use crate::error::Result;
use crate::types::interval::Parts;

type Moment = Maybe<Timestamp>;
type Zoned = Maybe<TimestampTz>;
type OfDay = Maybe<Time>;
type Length = Maybe<Interval>;

pub(super) fn register(all: &mut Implementations) {
    all.f4::<Moment, Moment, Moment, Moment, Opt<Bool>>(
        "overlaps(timestamp,timestamp,timestamp,timestamp)",
        |a, b, c, d| Ok(overlap((a, b), (c, d))),
    );
    all.f4::<Zoned, Zoned, Zoned, Zoned, Opt<Bool>>(
        "overlaps(timestamptz,timestamptz,timestamptz,timestamptz)",
        |a, b, c, d| Ok(overlap((a, b), (c, d))),
    );
    all.f4::<OfDay, OfDay, OfDay, OfDay, Opt<Bool>>(
        "overlaps(time,time,time,time)",
        |a, b, c, d| Ok(overlap((a, b), (c, d))),
    );
    moments(all);
    zoned(all);
    times(all);
}

fn moments(all: &mut Implementations) {
    all.f4::<Moment, Length, Moment, Length, Opt<Bool>>(
        "overlaps(timestamp,interval,timestamp,interval)",
        |a, b, c, d| Ok(overlap((a, end(a, b, add_interval)?), (c, end(c, d, add_interval)?))),
    );
    all.f4::<Moment, Moment, Moment, Length, Opt<Bool>>(
        "overlaps(timestamp,timestamp,timestamp,interval)",
        |a, b, c, d| Ok(overlap((a, b), (c, end(c, d, add_interval)?))),
    );
    all.f4::<Moment, Length, Moment, Moment, Opt<Bool>>(
        "overlaps(timestamp,interval,timestamp,timestamp)",
        |a, b, c, d| Ok(overlap((a, end(a, b, add_interval)?), (c, d))),
    );
}

fn zoned(all: &mut Implementations) {
    all.z5::<Zoned, Length, Zoned, Length, Settings, Opt<Bool>>(
        "overlaps(timestamptz,interval,timestamptz,interval)",
        |a, b, c, d, settings| {
            let add = |utc, span| add_interval_zoned(utc, span, &settings.time_zone);
            Ok(overlap((a, end(a, b, add)?), (c, end(c, d, add)?)))
        },
    );
    all.z5::<Zoned, Zoned, Zoned, Length, Settings, Opt<Bool>>(
        "overlaps(timestamptz,timestamptz,timestamptz,interval)",
        |a, b, c, d, settings| {
            let add = |utc, span| add_interval_zoned(utc, span, &settings.time_zone);
            Ok(overlap((a, b), (c, end(c, d, add)?)))
        },
    );
    all.z5::<Zoned, Length, Zoned, Zoned, Settings, Opt<Bool>>(
        "overlaps(timestamptz,interval,timestamptz,timestamptz)",
        |a, b, c, d, settings| {
            let add = |utc, span| add_interval_zoned(utc, span, &settings.time_zone);
            Ok(overlap((a, end(a, b, add)?), (c, d)))
        },
    );
}

fn times(all: &mut Implementations) {
    all.f4::<OfDay, Length, OfDay, Length, Opt<Bool>>(
        "overlaps(time,interval,time,interval)",
        |a, b, c, d| Ok(overlap((a, end(a, b, time_plus)?), (c, end(c, d, time_plus)?))),
    );
    all.f4::<OfDay, OfDay, OfDay, Length, Opt<Bool>>(
        "overlaps(time,time,time,interval)",
        |a, b, c, d| Ok(overlap((a, b), (c, end(c, d, time_plus)?))),
    );
    all.f4::<OfDay, Length, OfDay, OfDay, Opt<Bool>>(
        "overlaps(time,interval,time,time)",
        |a, b, c, d| Ok(overlap((a, end(a, b, time_plus)?), (c, d))),
    );
}

fn end(
    start: Option<i64>,
    length: Option<arrow::datatypes::IntervalMonthDayNano>,
    add: impl Fn(i64, Parts) -> Result<i64>,
) -> Result<Option<i64>> {
    match (start, length) {
        (Some(start), Some(length)) => add(start, Parts::of(length)).map(Some),
        _ => Ok(None),
    }
}

type Span = (Option<i64>, Option<i64>);

/// The standard's definition, NULLs included.
pub(super) fn overlap(first: Span, second: Span) -> Option<bool> {
    let ordered = |span: Span| match span {
        (None, None) => None,
        (None, Some(only)) | (Some(only), None) => Some((only, None)),
        (Some(a), Some(b)) => Some((a.min(b), Some(a.max(b)))),
    };
    let (start1, end1) = ordered(first)?;
    let (start2, end2) = ordered(second)?;
    let (later, end_of_earlier, end_of_later) = match start1.cmp(&start2) {
        std::cmp::Ordering::Greater => (start1, end2, end1),
        std::cmp::Ordering::Less => (start2, end1, end2),
        std::cmp::Ordering::Equal => return end1.and(end2).map(|_| true),
    };
    if later < end_of_earlier? {
        return Some(true);
    }
    end_of_later.map(|_| false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_says() {
        let span = |a, b| (Some(a), Some(b));
        assert_eq!(overlap(span(1, 5), span(4, 9)), Some(true));
        assert_eq!(overlap(span(5, 1), span(5, 9)), Some(false));
        assert_eq!(overlap(span(3, 3), span(3, 3)), Some(true));
        assert_eq!(overlap(span(1, 2), span(2, 3)), Some(false));
        assert_eq!(overlap((None, None), span(2, 3)), None);
        assert_eq!(overlap((Some(1), None), span(2, 3)), None);
    }
}
