//! Types of settings: how each reads its text.

use std::path::PathBuf;
use std::time::Duration;

/// How a value is written in TOML.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Bare,
    Quoted,
    List,
}

/// A type of setting.
pub(super) trait Value: Sized {
    const FORM: Form;

    /// Reads the text, or says in words what is expected.
    fn read(text: &str) -> Result<Self, String>;

    /// How much it is, of what has a range.
    fn amount(&self) -> u128 {
        0
    }
}

/// Whether a value that was read from `text` is neither below `least` nor above `most`.
pub(super) fn within<T: Value>(
    value: &T,
    text: &str,
    least: &str,
    most: &str,
) -> Result<(), String> {
    let (from, to) = (T::read(least)?.amount(), T::read(most)?.amount());
    if (from..=to).contains(&value.amount()) {
        return Ok(());
    }
    Err(format!("a value from {least} to {most} is expected, not \"{text}\""))
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl Bytes {
    /// As a length in memory.
    pub(crate) fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

/// Where the certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Off,
    Auto,
    Files,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevel(pub(crate) String);

/// A time that sessions start with; without a unit it is in milliseconds, as in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionTime(pub(crate) String);

/// A default that sessions start with; its words are the engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionText(pub(crate) String);

impl Value for String {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Value for SessionText {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl Value for SessionTime {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.parse::<u64>().is_err() {
            Duration::read(text)?;
        }
        Ok(Self(text.to_owned()))
    }

    fn amount(&self) -> u128 {
        match self.0.parse::<u64>() {
            Ok(milliseconds) => milliseconds.into(),
            Err(_) => Duration::read(&self.0).map_or(0, |duration| duration.as_millis()),
        }
    }
}

impl Value for LogLevel {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];
        for part in text.split(',') {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
            if !LEVELS.contains(&level) {
                return Err(format!(
                    "error, warn, info, debug or trace is expected, not \"{part}\""
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl Value for usize {
    const FORM: Form = Form::Bare;

    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| whole_number(text))
    }

    fn amount(&self) -> u128 {
        *self as u128
    }
}

impl Value for u64 {
    const FORM: Form = Form::Bare;

    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| whole_number(text))
    }

    fn amount(&self) -> u128 {
        u128::from(*self)
    }
}

fn whole_number(text: &str) -> String {
    format!("a whole number is expected, not \"{text}\"")
}

impl Value for Switch {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "on" | "true" | "yes" | "1" => Ok(Self(true)),
            "off" | "false" | "no" | "0" => Ok(Self(false)),
            other => Err(format!("on or off is expected, not \"{other}\"")),
        }
    }
}

impl Value for TlsMode {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            "files" => Ok(Self::Files),
            other => Err(format!("off, auto or files is expected, not \"{other}\"")),
        }
    }
}

impl Value for LogFormat {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("text or json is expected, not \"{other}\"")),
        }
    }
}

impl Value for Bytes {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        let expected = || format!("a size such as 64MB is expected, not \"{text}\"");
        let (number, unit) = split_unit(text);
        let number: u64 = number.parse().map_err(|_| expected())?;
        let factor = match unit {
            "" | "B" => 1,
            "kB" => 1 << 10,
            "MB" => 1 << 20,
            "GB" => 1 << 30,
            "TB" => 1 << 40,
            _ => return Err(expected()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(expected)
    }

    fn amount(&self) -> u128 {
        u128::from(self.0)
    }
}

impl Value for Duration {
    const FORM: Form = Form::Quoted;

    fn read(text: &str) -> Result<Self, String> {
        let expected = || format!("a time such as 30s is expected, not \"{text}\"");
        let (number, unit) = split_unit(text);
        let number: u64 = number.parse().map_err(|_| expected())?;
        let micros = match unit {
            "" if number == 0 => 1,
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return Err(expected()),
        };
        number.checked_mul(micros).map(Self::from_micros).ok_or_else(expected)
    }

    fn amount(&self) -> u128 {
        self.as_micros()
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (&text[..digits], text[digits..].trim_start())
}

impl Value for crate::authentication::Rules {
    const FORM: Form = Form::List;

    /// As text, or as the settings file has it.
    fn read(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('[') {
            return Self::parse(text);
        }
        let list: Option<Vec<String>> = format!("list = {text}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|table| table.get("list").cloned()?.try_into().ok());
        match list {
            Some(rules) => Self::parse(&rules.join(",")),
            None => Err(format!("a list such as [\"RULE\", \"RULE\"] is expected, not {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(Bytes::read("64MB"), Ok(Bytes(64 << 20)));
        assert_eq!(Bytes::read(" 2 kB "), Ok(Bytes(2048)));
        assert_eq!(Bytes::read("7"), Ok(Bytes(7)));
        assert!(Bytes::read("20000000TB").is_err() && Bytes::read("-1").is_err());
        assert_eq!(Duration::read("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(Duration::read("0"), Ok(Duration::ZERO));
        assert!(Duration::read("5").is_err() && Duration::read("1y").is_err());
    }
}
