//! Text form of arrays: `{1,NULL,"a b"}`. One dimension with lower bound 1.

use std::fmt::Write;

use super::numeric::is_space;
use crate::error::{Error, Result};

/// Splits an array literal into its elements, unquoted; `None` is NULL.
///
/// # Errors
/// 22P02 for malformed literals, 0A000 for more dimensions or other bounds.
pub(crate) fn parse(text: &str, delimiter: char) -> Result<Vec<Option<String>>> {
    let malformed = |detail: &str| Error::malformed_array(text, detail);
    let mut trimmed = text.trim_matches(is_space);
    if trimmed.starts_with('[') {
        trimmed = after_bounds(trimmed, text)?;
    }
    let mut chars = trimmed.chars().peekable();
    if chars.next() != Some('{') {
        return Err(malformed("Array value must start with \"{\" or dimension information."));
    }
    let mut items = Vec::new();
    let unexpected = || malformed("Unexpected end of input.");
    loop {
        while chars.next_if(|c| is_space(*c)).is_some() {}
        match chars.peek() {
            None => return Err(unexpected()),
            Some('}') if items.is_empty() => {
                chars.next();
                break;
            }
            Some('}') => return Err(malformed("Unexpected \"}\" character.")),
            Some('{') => {
                return Err(Error::feature_not_supported(
                    "arrays of more than one dimension are not supported",
                ));
            }
            Some(c) if *c == delimiter => {
                let detail = format!("Unexpected \"{delimiter}\" character.");
                return Err(malformed(&detail));
            }
            Some('"') => {
                chars.next();
                let mut item = String::new();
                loop {
                    match chars.next().ok_or_else(unexpected)? {
                        '"' => break,
                        '\\' => item.push(chars.next().ok_or_else(unexpected)?),
                        c => item.push(c),
                    }
                }
                items.push(Some(item));
                while chars.next_if(|c| is_space(*c)).is_some() {}
            }
            Some(_) => items.push(unquoted(&mut chars, delimiter, text)?),
        }
        match chars.next() {
            None => return Err(unexpected()),
            Some('}') => break,
            Some(c) if c == delimiter => {}
            Some('"') => return Err(malformed("Unexpected array element.")),
            Some(_) => return Err(malformed("Incorrectly quoted array element.")),
        }
    }
    if chars.next().is_some() {
        return Err(malformed("Junk after closing right brace."));
    }
    Ok(items)
}

fn unquoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    delimiter: char,
    text: &str,
) -> Result<Option<String>> {
    let mut item = String::new();
    let mut escaped = false;
    let mut kept = 0;
    while let Some(c) = chars.next_if(|c| *c != delimiter && *c != '}') {
        match c {
            '{' => return Err(Error::malformed_array(text, "Unexpected \"{\" character.")),
            '"' => return Err(Error::malformed_array(text, "Unexpected array element.")),
            '\\' => {
                escaped = true;
                item.push(
                    chars
                        .next()
                        .ok_or_else(|| Error::malformed_array(text, "Unexpected end of input."))?,
                );
                kept = item.len();
            }
            c => {
                item.push(c);
                if !is_space(c) {
                    kept = item.len();
                }
            }
        }
    }
    item.truncate(kept);
    Ok((escaped || !item.eq_ignore_ascii_case("null")).then_some(item))
}

/// Skips `[1:3]=`; other bounds than from 1 can't be kept.
fn after_bounds<'a>(trimmed: &'a str, text: &str) -> Result<&'a str> {
    let malformed = || Error::malformed_array(text, "Missing assignment operator.");
    let (bounds, rest) = trimmed.split_once('=').ok_or_else(malformed)?;
    let bounds = bounds.trim();
    let inner = bounds.strip_prefix('[').and_then(|b| b.strip_suffix(']')).ok_or_else(malformed)?;
    let lower = inner.split_once(':').map_or("1", |(lower, _)| lower);
    if inner.contains('[') || lower.trim() != "1" {
        return Err(Error::feature_not_supported(
            "arrays whose subscripts don't begin with 1 are not supported",
        ));
    }
    Ok(rest.trim_start_matches(is_space))
}

/// The literal of elements; `None` is NULL.
pub(crate) fn text_of(items: &[Option<String>]) -> String {
    let mut out = String::from("{");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match item {
            // Writing into a String can't fail.
            Some(item) => write_element(item, ',', &mut out).unwrap_or_default(),
            None => out.push_str("NULL"),
        }
    }
    out.push('}');
    out
}

/// Appends one element, quoted where it must be.
pub(crate) fn write_element(text: &str, delimiter: char, out: &mut impl Write) -> std::fmt::Result {
    let special = |c: char| is_space(c) || matches!(c, '{' | '}' | '"' | '\\') || c == delimiter;
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special) {
        return out.write_str(text);
    }
    out.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals() {
        let some = |items: &[&str]| items.iter().map(|i| Some((*i).to_owned())).collect::<Vec<_>>();
        assert_eq!(parse("{}", ',').unwrap(), vec![]);
        assert_eq!(parse(" { 1 , 2 } ", ',').unwrap(), some(&["1", "2"]));
        assert_eq!(parse("{a,\"b c\",NULL}", ',').unwrap()[2], None);
        assert_eq!(parse("{\"NULL\"}", ',').unwrap(), some(&["NULL"]));
        assert_eq!(parse("[1:2]={x,y z}", ',').unwrap(), some(&["x", "y z"]));
        for bad in ["", "{", "{1,}", "{,1}", "{1}x", "1,2", "{\"a}", "{a\"b\"}"] {
            assert!(parse(bad, ',').is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn comes_back(items in proptest::collection::vec(proptest::option::of(".*"), 0..8)) {
            let mut text = String::from("{");
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                match item {
                    Some(item) => write_element(item, ',', &mut text).unwrap(),
                    None => text.push_str("NULL"),
                }
            }
            text.push('}');
            prop_assert_eq!(parse(&text, ',').unwrap(), items);
        }
    }
}
