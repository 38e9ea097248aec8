//! The text forms of intervals in the other IntervalStyles.

use std::fmt::Write;

use super::Parts;
use crate::types::datetime::{USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC};
use crate::types::settings::IntervalStyle;

/// Appends an interval as a style wants it.
pub(crate) fn write(parts: Parts, style: IntervalStyle, out: &mut impl Write) -> std::fmt::Result {
    match style {
        IntervalStyle::Postgres => super::write(parts, out),
        IntervalStyle::PostgresVerbose => verbose(Fields::of(parts), out),
        IntervalStyle::SqlStandard => sql_standard(Fields::of(parts), out),
        IntervalStyle::Iso8601 => iso_8601(Fields::of(parts), out),
    }
}

/// All with their signs; `seconds` in microseconds.
#[derive(Clone, Copy)]
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
}

impl Fields {
    fn of(parts: Parts) -> Fields {
        Fields {
            years: i64::from(parts.months / 12),
            months: i64::from(parts.months % 12),
            days: i64::from(parts.days),
            hours: parts.us / USECS_PER_HOUR,
            minutes: parts.us % USECS_PER_HOUR / USECS_PER_MINUTE,
            seconds: parts.us % USECS_PER_MINUTE,
        }
    }

    fn all(self) -> [i64; 6] {
        [self.years, self.months, self.days, self.hours, self.minutes, self.seconds]
    }

    fn magnitudes(self) -> Fields {
        Fields {
            years: self.years.abs(),
            months: self.months.abs(),
            days: self.days.abs(),
            hours: self.hours.abs(),
            minutes: self.minutes.abs(),
            seconds: self.seconds.abs(),
        }
    }
}

/// Seconds without their sign; `width` digits at least before the point.
fn write_seconds(us: i64, width: usize, out: &mut impl Write) -> std::fmt::Result {
    let us = us.unsigned_abs();
    let (seconds, fraction) = (us / USECS_PER_SEC as u64, us % USECS_PER_SEC as u64);
    write!(out, "{seconds:0width$}")?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

/// `@ 1 year 2 mons -3 days`, the first sign as `ago`.
fn verbose(fields: Fields, out: &mut impl Write) -> std::fmt::Result {
    out.write_char('@')?;
    let (mut zero, mut before) = (true, false);
    let units = ["year", "mon", "day", "hour", "min"];
    for (value, unit) in fields.all().into_iter().zip(units).filter(|(value, _)| *value != 0) {
        let value = if zero {
            before = value < 0;
            value.abs()
        } else if before {
            -value
        } else {
            value
        };
        let plural = if value == 1 { "" } else { "s" };
        write!(out, " {value} {unit}{plural}")?;
        zero = false;
    }
    if fields.seconds != 0 {
        out.write_char(' ')?;
        if zero {
            before = fields.seconds < 0;
        } else if (fields.seconds < 0) != before {
            out.write_char('-')?;
        }
        write_seconds(fields.seconds, 1, out)?;
        let plural = if fields.seconds.abs() == USECS_PER_SEC { "" } else { "s" };
        write!(out, " sec{plural}")?;
        zero = false;
    }
    if zero {
        out.write_str(" 0")?;
    }
    if before { out.write_str(" ago") } else { Ok(()) }
}

fn sql_standard(fields: Fields, out: &mut impl Write) -> std::fmt::Result {
    let negative = fields.all().into_iter().any(|value| value < 0);
    let positive = fields.all().into_iter().any(|value| value > 0);
    if !negative && !positive {
        return out.write_char('0');
    }
    let has_months = fields.years != 0 || fields.months != 0;
    let time = [fields.hours, fields.minutes, fields.seconds];
    let has_days = fields.days != 0 || time.into_iter().any(|value| value != 0);
    let Fields { years, months, days, hours, minutes, seconds } = fields.magnitudes();
    if (negative && positive) || (has_months && has_days) {
        // What the standard has no form for gets every sign.
        let sign = |negative: bool| if negative { '-' } else { '+' };
        let month_sign = sign(fields.years < 0 || fields.months < 0);
        let time_sign = sign(time.into_iter().any(|value| value < 0));
        let day_sign = sign(fields.days < 0);
        write!(
            out,
            "{month_sign}{years}-{months} {day_sign}{days} {time_sign}{hours}:{minutes:02}:"
        )?;
        return write_seconds(seconds, 2, out);
    }
    if negative {
        out.write_char('-')?;
    }
    if has_months {
        return write!(out, "{years}-{months}");
    }
    if days != 0 {
        write!(out, "{days} ")?;
    }
    write!(out, "{hours}:{minutes:02}:")?;
    write_seconds(seconds, 2, out)
}

fn iso_8601(fields: Fields, out: &mut impl Write) -> std::fmt::Result {
    if fields.all() == [0; 6] {
        return out.write_str("PT0S");
    }
    let Fields { years, months, days, hours, minutes, seconds } = fields;
    out.write_char('P')?;
    write_parts([(years, 'Y'), (months, 'M'), (days, 'D')], out)?;
    if hours != 0 || minutes != 0 || seconds != 0 {
        out.write_char('T')?;
    }
    write_parts([(hours, 'H'), (minutes, 'M')], out)?;
    if seconds != 0 {
        out.write_str(if seconds < 0 { "-" } else { "" })?;
        write_seconds(seconds, 1, out)?;
        out.write_char('S')?;
    }
    Ok(())
}

fn write_parts<const N: usize>(parts: [(i64, char); N], out: &mut impl Write) -> std::fmt::Result {
    for (value, letter) in parts.into_iter().filter(|(value, _)| *value != 0) {
        write!(out, "{value}{letter}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_postgresql_does() {
        let shown = |months, days, us| {
            let styles = [
                IntervalStyle::SqlStandard,
                IntervalStyle::PostgresVerbose,
                IntervalStyle::Iso8601,
            ];
            styles.map(|style| {
                let mut text = String::new();
                write(Parts { months, days, us }, style, &mut text).unwrap();
                text
            })
        };
        assert_eq!(shown(0, 0, 0), ["0", "@ 0", "PT0S"]);
        assert_eq!(shown(14, 0, 0), ["1-2", "@ 1 year 2 mons", "P1Y2M"]);
        assert_eq!(
            shown(0, 3, 14_706_700_000),
            ["3 4:05:06.7", "@ 3 days 4 hours 5 mins 6.7 secs", "P3DT4H5M6.7S"]
        );
        assert_eq!(
            shown(-14, 3, -1_000_000),
            ["-1-2 +3 -0:00:01", "@ 1 year 2 mons -3 days 1 sec ago", "P-1Y-2M3DT-1S"]
        );
    }
}
