//! Reading the values of settings.

use super::{Definition, Kind, LEVELS};
use crate::{
    error::{Error, Result, SqlState},
    statement::Isolation,
    types::{IntervalStyle, TimeZone, interval},
};

/// 22023 in PostgreSQL's words.
pub(super) fn invalid(name: &str, value: &str) -> Error {
    Error::invalid_setting_value(name, value)
}

/// The value in the form that SHOW prints.
pub(super) fn check(definition: &Definition, value: &str) -> Result<String> {
    let name = definition.spelling;
    let fail = || invalid(name, value);
    match &definition.kind {
        Kind::Bool => {
            bool(value).map(|on| if on { "on" } else { "off" }.to_owned()).ok_or_else(|| {
                Error::invalid_parameter_value(format!(
                    "parameter \"{name}\" requires a Boolean value"
                ))
            })
        }
        Kind::Integer { min, max } => {
            let number: i64 = value.trim().parse().map_err(|_| fail())?;
            in_range(name, number, *min, *max)?;
            Ok(number.to_string())
        }
        Kind::Milliseconds => {
            let (negative, size) = match value.trim().strip_prefix('-') {
                Some(size) => (true, size),
                None => (false, value),
            };
            let number = milliseconds(size).ok_or_else(|| match starts_with_number(size) {
                true => fail().with_hint(
                    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
                ),
                false => fail(),
            })?;
            let number = i64::try_from(number).map_err(|_| fail())?;
            let number = if negative { -number } else { number };
            milliseconds_in_range(name, number)?;
            Ok(show_milliseconds(number))
        }
        // SET folds the name, and PostgreSQL repeats it as it got it.
        Kind::Enum(values) => one_of(definition.name, value, values),
        Kind::Isolation => {
            let level = one_of(definition.name, value, LEVELS)?;
            Isolation::parse(&level).ok_or_else(fail)?.check_supported()?;
            Ok(level)
        }
        Kind::Fixed(values) => {
            let value = one_of(definition.name, value, values)?;
            if value == definition.default {
                return Ok(value);
            }
            Err(Error::feature_not_supported(format!(
                "{name} = {value} is not supported: it is always {}",
                definition.default
            )))
        }
        Kind::Tablespace if matches!(value, "" | "pg_default") => Ok(value.to_owned()),
        Kind::Tablespace => {
            Err(fail().with_detail(format!("Tablespace \"{value}\" does not exist.")))
        }
        Kind::Text => Ok(value.to_owned()),
        Kind::Names => {
            split_identifiers(value).ok_or_else(fail)?;
            Ok(value.to_owned())
        }
        Kind::TimeZone => time_zone(value),
        Kind::DateStyle => date_style(value, definition.default),
        Kind::Encoding => match encoding_letters(value).as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            known if is_encoding(known) => {
                Err(Error::feature_not_supported("the only client encoding is UTF8"))
            }
            _ => Err(fail()),
        },
    }
}

fn time_zone(value: &str) -> Result<String> {
    let zone = match interval_in(value) {
        Some(text) => TimeZone::parse_setting(&hours_of_interval(text, value)?),
        None => TimeZone::parse_setting(value),
    };
    zone.map(|(_, shown)| shown).map_err(|_| invalid("TimeZone", value))
}

/// The text of `INTERVAL '...'`, as a time zone may be written.
fn interval_in(value: &str) -> Option<&str> {
    const WORD: &str = "interval";
    let (word, rest) = value.split_at_checked(WORD.len())?;
    let quoted = word.eq_ignore_ascii_case(WORD).then(|| rest.trim())?;
    quoted.strip_prefix('\'')?.strip_suffix('\'')
}

/// What an offset as an interval is in hours.
fn hours_of_interval(text: &str, value: &str) -> Result<String> {
    let interval = interval::parse(text, -1, IntervalStyle::Postgres)?;
    let what = match (interval.months, interval.days) {
        (0, 0) => return Ok((interval.us as f64 / 3.6e9).to_string()),
        (0, _) => "days",
        _ => "months",
    };
    Err(invalid("TimeZone", value)
        .with_detail(format!("Cannot specify {what} in time zone interval.")))
}

/// PostgreSQL compares names of encodings by their letters and digits: asyncpg sends `'utf-8'`
/// with its quotes.
fn encoding_letters(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// Whether PostgreSQL knows the encoding, written without `-` and `_`.
pub(crate) fn is_encoding(name: &str) -> bool {
    const FAMILIES: &[&str] = &["latin", "win", "windows", "iso8859", "koi8", "euc"];
    const OTHERS: &[&str] =
        &["sqlascii", "sjis", "shiftjis", "shiftjis2004", "big5", "gbk", "gb18030", "johab", "uhc"];
    OTHERS.contains(&name)
        || FAMILIES
            .iter()
            .any(|family| name.strip_prefix(family).is_some_and(|rest| !rest.is_empty()))
}

fn in_range(name: &str, number: i64, min: i64, max: i64) -> Result<()> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{number} is outside the valid range for parameter \"{name}\" ({min} .. {max})"),
    ))
}

fn milliseconds_in_range(name: &str, number: i64) -> Result<()> {
    if (0..=i64::from(i32::MAX)).contains(&number) {
        return Ok(());
    }
    Err(Error::invalid_parameter_value(format!(
        "{number} ms is outside the valid range for parameter \"{name}\" (0 .. {})",
        i32::MAX
    )))
}

/// Whether what is wrong with a duration can only be its unit.
fn starts_with_number(text: &str) -> bool {
    text.trim().starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn one_of(name: &str, value: &str, values: &[&str]) -> Result<String> {
    let wanted = match (bool(value), values.contains(&"on")) {
        (Some(true), true) => "on",
        (Some(false), true) => "off",
        _ => value,
    };
    match values.iter().find(|known| known.eq_ignore_ascii_case(wanted)) {
        Some(known) => Ok((*known).to_owned()),
        None => {
            let known: Vec<&str> = values.iter().copied().filter(|v| !v.is_empty()).collect();
            Err(invalid(name, value).with_hint(format!("Available values: {}.", known.join(", "))))
        }
    }
}

/// PostgreSQL's booleans: any unambiguous prefix of true, false, yes, no, and on, off, 1, 0.
pub(crate) fn bool(value: &str) -> Option<bool> {
    let value = value.trim().to_lowercase();
    let prefix = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    if value.is_empty() {
        None
    } else if prefix("true", 1) || prefix("yes", 1) || value == "on" || value == "1" {
        Some(true)
    } else if prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || value == "0" {
        Some(false)
    } else {
        None
    }
}

/// A duration with PostgreSQL's units, plain numbers being milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1e3,
        "min" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _ => return None,
    };
    let value = (number * factor).round();
    (0.0..=9e15).contains(&value).then_some(value as u64)
}

/// In the largest unit that divides it, as PostgreSQL shows it.
fn show_milliseconds(number: i64) -> String {
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        if number != 0 && number % factor == 0 {
            return format!("{}{unit}", number / factor);
        }
    }
    if number == 0 { "0".to_owned() } else { format!("{number}ms") }
}

/// `ISO, MDY` and its parts; what isn't said stays as in `current`.
pub(super) fn date_style(value: &str, current: &str) -> Result<String> {
    let fail = |detail: String| invalid("DateStyle", value).with_detail(detail);
    let words =
        split_identifiers(value).ok_or_else(|| fail("List syntax is invalid.".to_owned()))?;
    let (current_style, current_order) = current.split_once(", ").unwrap_or(("ISO", "MDY"));
    let (mut style, mut order) = (None, None);
    let mut conflict = false;
    for word in &words {
        let lower = word.to_lowercase();
        let said_style = match lower.as_str() {
            "iso" => Some("ISO"),
            "sql" => Some("SQL"),
            "german" => Some("German"),
            _ if lower.starts_with("postgres") => Some("Postgres"),
            _ => None,
        };
        let said_order = match lower.as_str() {
            "ymd" => Some("YMD"),
            _ if lower.starts_with("euro") || lower == "dmy" => Some("DMY"),
            _ if lower.starts_with("noneuro") || lower == "us" || lower == "mdy" => Some("MDY"),
            _ => None,
        };
        match (said_style, said_order) {
            (Some(said), _) => conflict |= style.replace(said).is_some_and(|other| other != said),
            (None, Some(said)) => {
                conflict |= order.replace(said).is_some_and(|other| other != said);
            }
            (None, None) if lower == "default" => {
                style.get_or_insert("ISO");
                order.get_or_insert("MDY");
            }
            (None, None) => return Err(fail(format!("Unrecognized key word: \"{word}\"."))),
        }
    }
    if conflict {
        return Err(fail("Conflicting \"datestyle\" specifications.".to_owned()));
    }
    let order = match (style, order) {
        (Some("German"), None) => "DMY",
        (_, order) => order.unwrap_or(current_order),
    };
    Ok(format!("{}, {order}", style.unwrap_or(current_style)))
}

/// A list of identifiers: unquoted ones are folded, quoted ones taken as they are.
pub(super) fn split_identifiers(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next()? {
                    (_, '"') if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                        chars.next();
                        name.push('"');
                    }
                    (i, '"') => break i + 1,
                    (_, c) => name.push(c),
                }
            };
            names.push(name);
            rest = quoted[end..].trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let name = rest[..end].trim();
            if name.is_empty() || name.contains(char::is_whitespace) {
                return None;
            }
            names.push(name.to_lowercase());
            rest = &rest[end..];
        }
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Some(names),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(milliseconds("1min"), Some(60_000));
        assert_eq!(milliseconds("1.5 s"), Some(1_500));
        assert_eq!(milliseconds("5 parsecs"), None);
        assert_eq!(show_milliseconds(90_000), "90s");
        assert_eq!(show_milliseconds(1_500), "1500ms");
    }

    #[test]
    fn identifier_lists() {
        assert_eq!(split_identifiers("\"$user\", Public").unwrap(), ["$user", "public"]);
        assert_eq!(split_identifiers("\"a\"\"b,c\"").unwrap(), ["a\"b,c"]);
        assert!(split_identifiers("a,,b").is_none());
        assert!(split_identifiers("").unwrap().is_empty());
    }

    #[test]
    fn booleans() {
        assert_eq!(bool("t"), Some(true));
        assert_eq!(bool("of"), Some(false));
        assert_eq!(bool("o"), None);
    }
}
