//! json and jsonb: checking, reading and the normal form.
//!
//! A json value is its text as it was given. A jsonb value is kept as text in PostgreSQL's output
//! form: keys by length then bytes, the last of equal keys, `{"a": 1}` spacing, numbers as numeric
//! prints them.

use std::cmp::Ordering;
use std::fmt::Write;

use super::numeric::Numeric;
use crate::error::{Error, Result, SqlState};

pub(crate) mod layout;
mod slices;

pub(crate) use slices::{Slices, slice_as_text};

/// Deeper nesting is refused, as PostgreSQL's stack depth limit does.
const MAX_DEPTH: usize = 600;

/// A parsed document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As numeric prints it (jsonb) or as it was written (json).
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// In the order written, or jsonb's after [`Json::normalize`].
    Object(Vec<(String, Json)>),
}

/// Checks the text of a json value.
///
/// # Errors
/// 22P02 `invalid input syntax for type json`.
pub(crate) fn validate(text: &str) -> Result<()> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, build: false };
    reader.document().map(|_| ())
}

/// Reads any json text into a document, members in the order written.
///
/// # Errors
/// As [`validate`]; 22P05 for characters that text can't hold.
pub(crate) fn parse(text: &str) -> Result<Json> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, build: true };
    reader.document()
}

/// Reads any json text into jsonb's form.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_jsonb(text: &str) -> Result<Json> {
    let mut value = parse(text)?;
    value.normalize()?;
    Ok(value)
}

/// The normal form of a json text.
///
/// # Errors
/// As [`parse`].
pub(crate) fn to_jsonb_text(text: &str) -> Result<String> {
    Ok(parse_jsonb(text)?.to_jsonb_string())
}

/// jsonb's order of keys: shorter ones first, then by bytes.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Json {
    /// Brings numbers and the order of keys into jsonb's form.
    pub(crate) fn normalize(&mut self) -> Result<()> {
        match self {
            Json::Null | Json::Bool(_) | Json::String(_) => {}
            Json::Number(text) => {
                let plain = text.bytes().all(|b| b.is_ascii_digit());
                if !plain {
                    *text = Numeric::parse(text)?.to_string();
                }
            }
            Json::Array(items) => {
                for item in items {
                    item.normalize()?;
                }
            }
            Json::Object(members) => {
                for (_, value) in members.iter_mut() {
                    value.normalize()?;
                }
                sort_members(members);
            }
        }
        Ok(())
    }

    /// jsonb's text.
    pub(crate) fn to_jsonb_string(&self) -> String {
        let mut out = String::new();
        self.write_jsonb(&mut out).expect("writing to a string doesn't fail");
        out
    }

    /// Appends jsonb's text.
    pub(crate) fn write_jsonb(&self, out: &mut impl Write) -> std::fmt::Result {
        self.write_with(out, ", ", ": ")
    }

    /// Appends compact json.
    pub(crate) fn write_compact(&self, out: &mut impl Write) -> std::fmt::Result {
        self.write_with(out, ",", ":")
    }

    fn write_with(&self, out: &mut impl Write, comma: &str, colon: &str) -> std::fmt::Result {
        match self {
            Json::Array(items) => {
                out.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.write_str(comma)?;
                    }
                    item.write_with(out, comma, colon)?;
                }
                out.write_char(']')
            }
            Json::Object(members) => {
                out.write_char('{')?;
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.write_str(comma)?;
                    }
                    write_string(key, out)?;
                    out.write_str(colon)?;
                    value.write_with(out, comma, colon)?;
                }
                out.write_char('}')
            }
            scalar => scalar.write_scalar(out),
        }
    }

    fn write_scalar(&self, out: &mut impl Write) -> std::fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(value) => out.write_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.write_str(text),
            Json::String(text) => write_string(text, out),
            Json::Array(_) | Json::Object(_) => Ok(()),
        }
    }

    /// Appends jsonb_pretty's text.
    pub(crate) fn write_pretty(&self, out: &mut impl Write, indent: usize) -> std::fmt::Result {
        let line = |out: &mut dyn Write, indent: usize| -> std::fmt::Result {
            out.write_char('\n')?;
            (0..indent).try_for_each(|_| out.write_str("    "))
        };
        match self {
            Json::Array(items) => {
                out.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.write_char(',')?;
                    }
                    line(out, indent + 1)?;
                    item.write_pretty(out, indent + 1)?;
                }
                line(out, indent)?;
                out.write_char(']')
            }
            Json::Object(members) => {
                out.write_char('{')?;
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.write_char(',')?;
                    }
                    line(out, indent + 1)?;
                    write_string(key, out)?;
                    out.write_str(": ")?;
                    value.write_pretty(out, indent + 1)?;
                }
                line(out, indent)?;
                out.write_char('}')
            }
            scalar => scalar.write_scalar(out),
        }
    }

    /// A member of an object in jsonb's form.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// What `json_typeof` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// jsonb's order: Object > Array > Boolean > Number > String > Null; an empty top-level array
    /// sorts below all, arrays and objects by count first.
    pub(crate) fn compare(&self, other: &Json) -> Ordering {
        let is_empty = |value: &Json| matches!(value, Json::Array(items) if items.is_empty());
        is_empty(other).cmp(&is_empty(self)).then_with(|| self.compare_inside(other))
    }

    fn compare_inside(&self, other: &Json) -> Ordering {
        let rank = |value: &Json| match value {
            Json::Null => 0,
            Json::String(_) => 1,
            Json::Number(_) => 2,
            Json::Bool(_) => 3,
            Json::Array(_) => 4,
            Json::Object(_) => 5,
        };
        match (self, other) {
            (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Number(a), Json::Number(b)) => {
                let number = |text: &str| Numeric::parse(text).unwrap_or(Numeric::ZERO);
                number(a).cmp(&number(b))
            }
            (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
                a.iter()
                    .zip(b)
                    .map(|(x, y)| x.compare_inside(y))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            }),
            (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
                a.iter()
                    .zip(b)
                    .map(|((k, x), (l, y))| key_order(k, l).then_with(|| x.compare_inside(y)))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            }),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

/// Sorts as jsonb does; of equal keys the last stays.
pub(crate) fn sort_members(members: &mut Vec<(String, Json)>) {
    members.sort_by(|(a, _), (b, _)| key_order(a, b));
    let mut at = 0;
    while at + 1 < members.len() {
        if members[at].0 == members[at + 1].0 {
            members.remove(at);
        } else {
            at += 1;
        }
    }
}

/// Appends a string with its quotes and escapes.
pub(crate) fn write_string(text: &str, out: &mut (impl Write + ?Sized)) -> std::fmt::Result {
    out.write_char('"')?;
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: Option<&str> = match byte {
            b'"' => Some("\\\""),
            b'\\' => Some("\\\\"),
            0x08 => Some("\\b"),
            0x0c => Some("\\f"),
            b'\n' => Some("\\n"),
            b'\r' => Some("\\r"),
            b'\t' => Some("\\t"),
            0..=0x1f => None,
            _ => continue,
        };
        out.write_str(&text[plain..at])?;
        match escape {
            Some(escape) => out.write_str(escape)?,
            None => write!(out, "\\u{byte:04x}")?,
        }
        plain = at + 1;
    }
    out.write_str(&text[plain..])?;
    out.write_char('"')
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// Whether strings are decoded; else only checked.
    build: bool,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Json> {
        let value = self.value()?;
        self.space();
        if self.at < self.bytes.len() {
            let token = self.token();
            return Err(self.error(format!("Expected end of input, but found \"{token}\".")));
        }
        Ok(value)
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The token that a message quotes.
    fn token(&self) -> &'a str {
        let rest = &self.text[self.at..];
        let wordy =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.') || c > '\x7f';
        let end = rest.find(|c: char| !wordy(c)).unwrap_or(rest.len());
        match end {
            0 => &rest[..rest.chars().next().map_or(0, char::len_utf8)],
            end => &rest[..end],
        }
    }

    fn error(&self, detail: impl Into<String>) -> Error {
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .with_detail(detail)
            .with_context(self.context(self.at + self.token().len()))
    }

    /// The line up to `end`, as PostgreSQL shows where it stopped reading.
    fn context(&self, end: usize) -> String {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let mut end = end.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let more = if end < self.text.len() { "..." } else { "" };
        format!("JSON data, line {line}: {}{more}", &self.text[start..end])
    }

    fn unexpected(&self, wanted: &str) -> Error {
        if self.at >= self.bytes.len() {
            return self.error("The input string ended unexpectedly.");
        }
        let token = self.token();
        if token.starts_with(|c: char| c.is_alphabetic() || c == '-' || c == '+')
            && !matches!(token, "true" | "false" | "null")
        {
            return self.error(format!("Token \"{token}\" is invalid."));
        }
        self.error(format!("Expected {wanted}, but found \"{token}\"."))
    }

    fn value(&mut self) -> Result<Json> {
        self.space();
        let rest = &self.bytes[self.at..];
        match rest.first() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    if rest.starts_with(word.as_bytes()) && self.token() == word {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.unexpected("JSON value"))
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json>) -> Result<Json> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_detail(format!("JSON is nested more than {MAX_DEPTH} levels deep.")));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json> {
        let mut items = Vec::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.unexpected("\",\" or \"]\"")),
            }
        }
    }

    fn object(&mut self) -> Result<Json> {
        let mut members = Vec::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.bytes.get(self.at) != Some(&b'"') {
                let wanted = if members.is_empty() { "string or \"}\"" } else { "string" };
                return Err(self.unexpected(wanted));
            }
            let key = self.string()?;
            self.space();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.unexpected("\":\""));
            }
            self.at += 1;
            members.push((key, self.value()?));
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.unexpected("\",\" or \"}\"")),
            }
        }
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.bytes.get(reader.at).is_some_and(u8::is_ascii_digit) {
                reader.at += 1;
            }
            reader.at > from
        };
        let mut valid = true;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            valid &= digits(self);
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            valid &= digits(self);
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            valid &= digits(self);
        }
        let trailing = self.text[self.at..].chars().next();
        if !valid || trailing.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            self.at = start;
            let token = self.token();
            return Err(self.error(format!("Token \"{token}\" is invalid.")));
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    fn string(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while let Some(b) = self.bytes.get(self.at) {
                if matches!(b, b'"' | b'\\') || *b < 0x20 {
                    break;
                }
                self.at += 1;
            }
            if self.build {
                out.push_str(&self.text[from..self.at]);
            }
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    if let Some(c) = self.escape()? {
                        out.push(c);
                    }
                }
                Some(byte) => {
                    let detail = format!("Character with value 0x{byte:02x} must be escaped.");
                    return Err(self.error(detail));
                }
                None => {
                    let token = &self.text[start..];
                    return Err(self.error(format!("Token \"{token}\" is invalid.")));
                }
            }
        }
    }

    /// One escape after its backslash; `None` when only checking.
    fn escape(&mut self) -> Result<Option<char>> {
        let Some(byte) = self.bytes.get(self.at).copied() else {
            return Err(self.error("The input string ended unexpectedly."));
        };
        self.at += 1;
        Ok(Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => {
                self.at -= 1;
                let c = self.text[self.at..].chars().next().unwrap_or(' ');
                return Err(self.error(format!("Escape sequence \"\\{c}\" is invalid.")));
            }
        }))
    }

    fn unicode(&mut self) -> Result<Option<char>> {
        let unit = self.hex4()?;
        if !self.build {
            return Ok(None);
        }
        let cannot = |reader: &Self, detail: &str| {
            Error::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                .with_detail(detail)
                .with_context(reader.context(reader.at))
        };
        let pair = |reader: &Self, detail: &str| reader.error(detail.to_owned());
        match unit {
            0 => Err(cannot(self, "\\u0000 cannot be converted to text.")),
            0xd800..=0xdbff => {
                if self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.hex4()?;
                    if (0xdc00..=0xdfff).contains(&low) {
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code));
                    }
                }
                Err(pair(self, "Unicode low surrogate must follow a high surrogate."))
            }
            0xdc00..=0xdfff => {
                Err(pair(self, "Unicode low surrogate must follow a high surrogate."))
            }
            code => Ok(char::from_u32(code)),
        }
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let unit = digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        match unit {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => Err(self.error("\"\\u\" must be followed by four hexadecimal digits.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_form() {
        for (written, kept) in [
            (r#"{"bb":1,"a":2,"a":3}"#, r#"{"a": 3, "bb": 1}"#),
            ("[1.50,1e2,-0.0,true,null]", "[1.50, 100, 0.0, true, null]"),
            (r#""\u00e9\n\u0001""#, "\"é\\n\\u0001\""),
            (r#""\ud83d\ude00""#, "\"😀\""),
            (" {} ", "{}"),
        ] {
            assert_eq!(to_jsonb_text(written).unwrap(), kept);
        }
        for bad in ["", "{", "[1,]", "{a:1}", "01", "nul", "\"\\x\"", "1 2", "'a'", "{\"a\":1,}"] {
            assert!(validate(bad).is_err(), "{bad}");
        }
        assert!(validate("\"\\u0000\"").is_ok());
        assert!(parse("\"\\u0000\"").is_err());
        assert!(validate(&"[".repeat(100_000)).is_err());
    }
}
