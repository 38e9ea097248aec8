//! The text forms of dates and moments in the other DateStyles: SQL, Postgres and German.

use std::fmt::Write;

use super::{
    Civil, DATE_INFINITY, DATE_NEG_INFINITY, USECS_PER_SEC, civil_from_days, is_finite, split,
};
use crate::types::settings::{DateOrder, DateStyle, FormatSettings, TimeZone};

const DAY_NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTH_NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Longer abbreviations of zones are cut.
const MAX_ZONE_CHARACTERS: usize = 10;

/// Appends a date as the session's DateStyle wants it.
pub(crate) fn write_date(
    days: i32,
    settings: &FormatSettings,
    out: &mut impl Write,
) -> std::fmt::Result {
    let infinite = matches!(days, DATE_INFINITY | DATE_NEG_INFINITY);
    if infinite || settings.date_style == DateStyle::Iso {
        return super::write_date(days, out);
    }
    let civil = civil_from_days(i64::from(days));
    let (first, second) = numbers(civil, settings);
    let year = shown_year(civil);
    match settings.date_style {
        DateStyle::Postgres => write!(out, "{first:02}-{second:02}-{year:04}")?,
        style => write_numeric_date(style, (first, second, year), out)?,
    }
    write_era(civil, out)
}

/// Appends a moment; with a zone the one whose clock shows it.
pub(crate) fn write_moment(
    us: i64,
    zone: Option<&TimeZone>,
    settings: &FormatSettings,
    out: &mut impl Write,
) -> std::fmt::Result {
    if !is_finite(us) || settings.date_style == DateStyle::Iso {
        return match zone {
            None => super::write_timestamp(us, out),
            Some(zone) => super::write_timestamptz(us, zone, out),
        };
    }
    let offset = zone.map(|zone| zone.offset_at(us));
    let east = offset.as_ref().map_or(0, |offset| i64::from(offset.east));
    let (days, time) = split(us.saturating_add(east * USECS_PER_SEC));
    let civil = civil_from_days(days);
    let year = shown_year(civil);
    if settings.date_style == DateStyle::Postgres {
        let weekday = DAY_NAMES[(days + 4).rem_euclid(7) as usize];
        let month = MONTH_NAMES[(civil.month - 1) as usize];
        match settings.date_order {
            DateOrder::Dmy => write!(out, "{weekday} {:02} {month} ", civil.day)?,
            DateOrder::Mdy | DateOrder::Ymd => write!(out, "{weekday} {month} {:02} ", civil.day)?,
        }
        super::write_time(time, out)?;
        write!(out, " {year:04}")?;
    } else {
        let (first, second) = numbers(civil, settings);
        write_numeric_date(settings.date_style, (first, second, year), out)?;
        out.write_char(' ')?;
        super::write_time(time, out)?;
    }
    if let Some(offset) = offset {
        let name: String = offset.abbreviation.chars().take(MAX_ZONE_CHARACTERS).collect();
        write!(out, " {name}")?;
    }
    write_era(civil, out)
}

/// Day and month in the order of the style.
fn numbers(civil: Civil, settings: &FormatSettings) -> (u32, u32) {
    let day_first =
        settings.date_style == DateStyle::German || settings.date_order == DateOrder::Dmy;
    if day_first { (civil.day, civil.month) } else { (civil.month, civil.day) }
}

fn write_numeric_date(
    style: DateStyle,
    (first, second, year): (u32, u32, i32),
    out: &mut impl Write,
) -> std::fmt::Result {
    let mark = if style == DateStyle::German { '.' } else { '/' };
    write!(out, "{first:02}{mark}{second:02}{mark}{year:04}")
}

/// There is no year 0: it is 1 BC.
fn shown_year(civil: Civil) -> i32 {
    if civil.year > 0 { civil.year } else { 1 - civil.year }
}

fn write_era(civil: Civil, out: &mut impl Write) -> std::fmt::Result {
    if civil.year > 0 { Ok(()) } else { out.write_str(" BC") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_postgresql_does() {
        let shown = |style, order| {
            let settings = FormatSettings {
                date_style: style,
                date_order: order,
                ..FormatSettings::default()
            };
            let zone = TimeZone::parse("America/New_York").unwrap();
            let mut text = String::new();
            write_date(19_849, &settings, &mut text).unwrap();
            text.push('|');
            write_moment(1_714_979_289_500_000, Some(&zone), &settings, &mut text).unwrap();
            text
        };
        let cases = [
            (DateStyle::German, DateOrder::Dmy, "06.05.2024|06.05.2024 03:08:09.5 EDT"),
            (DateStyle::Sql, DateOrder::Dmy, "06/05/2024|06/05/2024 03:08:09.5 EDT"),
            (DateStyle::Sql, DateOrder::Mdy, "05/06/2024|05/06/2024 03:08:09.5 EDT"),
            (DateStyle::Postgres, DateOrder::Dmy, "06-05-2024|Mon 06 May 03:08:09.5 2024 EDT"),
            (DateStyle::Postgres, DateOrder::Mdy, "05-06-2024|Mon May 06 03:08:09.5 2024 EDT"),
        ];
        for (style, order, text) in cases {
            assert_eq!(shown(style, order), text);
        }
    }
}
