//! The parts of a json value as they were written: type json keeps white space and the spelling
//! of numbers.

use super::{Json, Reader, parse};
use crate::error::Result;

/// What a json text is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slices<'a> {
    /// Keys and the texts of their values, in the order written.
    Object(Vec<(String, &'a str)>),
    /// The texts of the elements.
    Array(Vec<&'a str>),
    /// A string, number, boolean or null.
    Scalar(&'a str),
}

impl<'a> Slices<'a> {
    /// Takes a json text apart, one level deep.
    ///
    /// # Errors
    /// As [`parse`], for the keys only.
    pub(crate) fn of(text: &'a str) -> Result<Self> {
        let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, build: false };
        reader.space();
        let close = match reader.bytes.get(reader.at) {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => return Ok(Slices::Scalar(reader.slice()?)),
        };
        reader.at += 1;
        let (mut members, mut items) = (Vec::new(), Vec::new());
        loop {
            reader.space();
            match reader.bytes.get(reader.at) {
                Some(byte) if *byte == close => break,
                Some(b',') => reader.at += 1,
                Some(_) if close == b']' => items.push(reader.slice()?),
                Some(b'"') => {
                    reader.build = true;
                    let key = reader.string()?;
                    reader.build = false;
                    reader.space();
                    // The colon.
                    reader.at += 1;
                    members.push((key, reader.slice()?));
                }
                _ => return Err(reader.unexpected("string")),
            }
        }
        Ok(if close == b'}' { Slices::Object(members) } else { Slices::Array(items) })
    }

    /// A member's text; of equal keys the last counts.
    pub(crate) fn member(&self, key: &str) -> Option<&'a str> {
        match self {
            Slices::Object(members) => {
                members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
            }
            Slices::Array(_) | Slices::Scalar(_) => None,
        }
    }

    /// An element's text; negative numbers count from the end.
    pub(crate) fn element(&self, index: i64) -> Option<&'a str> {
        match self {
            Slices::Array(items) => {
                let at = if index < 0 { index + items.len() as i64 } else { index };
                usize::try_from(at).ok().and_then(|at| items.get(at)).copied()
            }
            Slices::Object(_) | Slices::Scalar(_) => None,
        }
    }
}

impl<'a> Reader<'a> {
    /// Passes a value and gives its text.
    fn slice(&mut self) -> Result<&'a str> {
        self.space();
        let start = self.at;
        self.value()?;
        Ok(&self.text[start..self.at])
    }
}

/// What `->>` gives of a value's text: a string's characters, NULL for null.
///
/// # Errors
/// 22P05 for characters that text can't hold.
pub(crate) fn slice_as_text(slice: &str) -> Result<Option<String>> {
    if slice == "null" {
        return Ok(None);
    }
    if !slice.starts_with('"') {
        return Ok(Some(slice.to_owned()));
    }
    match parse(slice)? {
        Json::String(text) => Ok(Some(text)),
        _ => Ok(Some(slice.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_spelling() {
        let object = Slices::of(r#" { "a" : [1,  2.50], "b":{ }, "a": "x\"y" } "#).unwrap();
        assert_eq!(object.member("b"), Some("{ }"));
        assert_eq!(object.member("a"), Some(r#""x\"y""#));
        assert_eq!(slice_as_text(r#""x\"y""#).unwrap().as_deref(), Some("x\"y"));
        let array = Slices::of("[1e2, [ 3 ],null]").unwrap();
        assert_eq!(array, Slices::Array(vec!["1e2", "[ 3 ]", "null"]));
        assert_eq!(array.element(-1), Some("null"));
        assert_eq!(Slices::of(" 1 ").unwrap(), Slices::Scalar("1"));
        assert_eq!(Slices::of("{}").unwrap(), Slices::Object(Vec::new()));
    }
}
