//! `parse_ident`: a qualified name into its parts.

use super::kernel::{Bool, Text, TextList};
use super::registry::Implementations;
use crate::error::{Error, Result};

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Bool, TextList>("parse_ident(text,bool)", |text, strict| {
        Ok(parse(text, strict)?.into_iter().map(Some).collect())
    });
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn may_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn may_follow(c: char) -> bool {
    may_start(c) || c == '$' || c.is_ascii_digit()
}

fn parse(text: &str, strict: bool) -> Result<Vec<String>> {
    let wrong =
        || Error::invalid_parameter_value(format!("string is not a valid identifier: \"{text}\""));
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    let mut after_dot = false;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (name, behind) = unquote(quoted)
                .ok_or_else(|| wrong().with_detail("String has unclosed double quotes."))?;
            if name.is_empty() {
                return Err(wrong().with_detail("Quoted identifier must not be empty."));
            }
            parts.push(name);
            rest = behind;
        } else if rest.starts_with(may_start) {
            let end = rest.find(|c| !may_follow(c)).unwrap_or(rest.len());
            parts.push(rest[..end].to_ascii_lowercase());
            rest = &rest[end..];
        } else if rest.starts_with('.') {
            return Err(wrong().with_detail("No valid identifier before \".\"."));
        } else if after_dot {
            return Err(wrong().with_detail("No valid identifier after \".\"."));
        } else {
            return Err(wrong());
        }
        rest = rest.trim_start_matches(is_space);
        match rest.strip_prefix('.') {
            Some(behind) => {
                after_dot = true;
                rest = behind.trim_start_matches(is_space);
            }
            None if rest.is_empty() || !strict => return Ok(parts),
            None => return Err(wrong()),
        }
    }
}

/// What stands before the closing quote, and what behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                name.push('"');
                rest = behind;
            }
            None => return Some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_parts() {
        assert_eq!(parse(" Foo . \"Bar\"\"x\" ", true).unwrap(), ["foo", "Bar\"x"]);
        assert_eq!(parse("foo.bar()", false).unwrap(), ["foo", "bar"]);
        for wrong in ["foo.bar()", "", "1a", "a.", ".a", "a..b", "\"a", "\"\""] {
            assert!(parse(wrong, true).is_err(), "{wrong}");
        }
    }
}
