//! What a session decides about the form of values.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::error::{Error, Result};

pub(crate) use super::timezone::TimeZone;

/// The first half of `DateStyle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DateStyle {
    /// 1999-12-31 23:59:59+00
    #[default]
    Iso,
    /// 12/31/1999 23:59:59 UTC
    Sql,
    /// Fri Dec 31 23:59:59 1999 UTC
    Postgres,
    /// 31.12.1999 23:59:59 UTC
    German,
}

/// Order of day, month and year in ambiguous input and in output that isn't ISO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DateOrder {
    /// 12/31/1999
    #[default]
    Mdy,
    /// 31/12/1999
    Dmy,
    /// 99/12/31
    Ymd,
}

/// The setting `bytea_output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ByteaOutput {
    /// `\xdeadbeef`
    #[default]
    Hex,
    /// Octal escapes.
    Escape,
}

/// The setting `IntervalStyle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

/// What text input and output depend on besides the value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FormatSettings {
    /// `TimeZone`
    pub time_zone: TimeZone,
    /// The first half of `DateStyle`.
    pub date_style: DateStyle,
    /// The second half of `DateStyle`.
    pub date_order: DateOrder,
    /// `extra_float_digits`: above 0 floats print shortest-exact.
    pub extra_float_digits: i32,
    /// `bytea_output`
    pub bytea_output: ByteaOutput,
    /// `IntervalStyle`
    pub interval_style: IntervalStyle,
    /// The transaction's time in microseconds since 1970, for `'now'`, `'today'` and ages.
    pub now_us: Option<i64>,
}

impl Default for FormatSettings {
    fn default() -> Self {
        FormatSettings {
            time_zone: TimeZone::UTC,
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            extra_float_digits: 1,
            bytea_output: ByteaOutput::Hex,
            interval_style: IntervalStyle::Postgres,
            now_us: None,
        }
    }
}

impl FormatSettings {
    /// The trailing text argument of functions marked `needs_time_zone`: the zone's name, followed
    /// by what differs from the defaults. A bare zone name is such an argument as well.
    pub(crate) fn to_argument(&self) -> String {
        let mut text = self.time_zone.name().into_owned();
        match self.date_order {
            DateOrder::Mdy => {}
            DateOrder::Dmy => text.push_str("\ndmy"),
            DateOrder::Ymd => text.push_str("\nymd"),
        }
        match self.date_style {
            DateStyle::Iso => {}
            DateStyle::Sql => text.push_str("\nsql"),
            DateStyle::Postgres => text.push_str("\npostgres"),
            DateStyle::German => text.push_str("\ngerman"),
        }
        match self.interval_style {
            IntervalStyle::Postgres => {}
            IntervalStyle::PostgresVerbose => text.push_str("\ninterval=verbose"),
            IntervalStyle::SqlStandard => text.push_str("\ninterval=sql"),
            IntervalStyle::Iso8601 => text.push_str("\ninterval=iso"),
        }
        if self.extra_float_digits != 1 {
            text.push_str(&format!("\nfloat={}", self.extra_float_digits));
        }
        if self.bytea_output == ByteaOutput::Escape {
            text.push_str("\nescape");
        }
        if let Some(now) = self.now_us {
            text.push_str(&format!("\nnow={now}"));
        }
        text
    }

    /// Reads what [`FormatSettings::to_argument`] writes.
    pub(crate) fn from_argument(text: &str) -> Result<Self> {
        let mut parts = text.split('\n');
        let zone = parts.next().unwrap_or_default();
        let mut settings =
            FormatSettings { time_zone: TimeZone::parse(zone)?, ..FormatSettings::default() };
        for part in parts {
            match part.split_once('=') {
                None if part == "dmy" => settings.date_order = DateOrder::Dmy,
                None if part == "ymd" => settings.date_order = DateOrder::Ymd,
                None if part == "sql" => settings.date_style = DateStyle::Sql,
                None if part == "postgres" => settings.date_style = DateStyle::Postgres,
                None if part == "german" => settings.date_style = DateStyle::German,
                Some(("interval", "verbose")) => {
                    settings.interval_style = IntervalStyle::PostgresVerbose;
                }
                Some(("interval", "sql")) => settings.interval_style = IntervalStyle::SqlStandard,
                Some(("interval", "iso")) => settings.interval_style = IntervalStyle::Iso8601,
                None if part == "escape" => settings.bytea_output = ByteaOutput::Escape,
                Some(("float", digits)) => {
                    settings.extra_float_digits = digits.parse().unwrap_or(1);
                }
                Some(("now", now)) => settings.now_us = now.parse().ok(),
                _ => return Err(Error::internal(format!("unknown format setting {part}"))),
            }
        }
        Ok(settings)
    }

    /// As [`FormatSettings::from_argument`], remembering the last one of this thread.
    pub(crate) fn cached(text: &str) -> Result<Self> {
        thread_local! {
            static LAST: RefCell<(Cow<'static, str>, FormatSettings)> =
                RefCell::new((Cow::Borrowed("UTC"), FormatSettings::default()));
        }
        LAST.with_borrow_mut(|(key, settings)| {
            if key.as_ref() != text {
                *settings = Self::from_argument(text)?;
                *key = Cow::Owned(text.to_owned());
            }
            Ok(settings.clone())
        })
    }
}
