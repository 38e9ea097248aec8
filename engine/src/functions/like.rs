//! LIKE, ILIKE and SIMILAR TO.

use super::kernel::{Bool, Maybe, Opt, Text};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};

pub(super) fn register(all: &mut Implementations) {
    type Match = fn(&str, &str) -> Result<bool>;
    let like: Match = |text, pattern| matches(text, pattern);
    let not_like: Match = |text, pattern| matches(text, pattern).map(|m| !m);
    let ilike: Match = |text, pattern| matches(&text.to_lowercase(), &pattern.to_lowercase());
    let not_ilike: Match =
        |text, pattern| matches(&text.to_lowercase(), &pattern.to_lowercase()).map(|m| !m);
    for ty in ["text", "name", "bpchar"] {
        all.f2::<Text, Text, Bool>(&format!("{ty}like({ty},text)"), like);
        all.f2::<Text, Text, Bool>(&format!("{ty}nlike({ty},text)"), not_like);
        all.f2::<Text, Text, Bool>(&format!("{ty}iclike({ty},text)"), ilike);
        all.f2::<Text, Text, Bool>(&format!("{ty}icnlike({ty},text)"), not_ilike);
    }
    for ty in ["text", "name"] {
        all.f2::<Text, Text, Bool>(&format!("like({ty},text)"), like);
        all.f2::<Text, Text, Bool>(&format!("notlike({ty},text)"), not_like);
    }
    all.f2::<Text, Text, Text>("like_escape(text,text)", escape);
    all.f1::<Text, Text>("similar_to_escape(text)", |pattern| similar(pattern, Some('\\')));
    all.f2::<Text, Text, Text>("similar_to_escape(text,text)", |pattern, escape| {
        similar(pattern, one_escape(escape)?)
    });
    all.f2::<Maybe<Text>, Maybe<Text>, Opt<Text>>(
        "similar_escape(text,text)",
        |pattern, escape| {
            let Some(pattern) = pattern else { return Ok(None) };
            similar(pattern, escape.map_or(Ok(Some('\\')), one_escape)?).map(Some)
        },
    );
}

pub(super) fn one_escape(escape: &str) -> Result<Option<char>> {
    let mut chars = escape.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .with_hint("Escape string must be empty or one character.")),
    }
}

/// Rewrites a pattern with another escape character to one with backslashes.
fn escape(pattern: &str, escape: &str) -> Result<String> {
    let escape = one_escape(escape)?;
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            out.push('\\');
            if let Some(next) = chars.next() {
                out.push(next);
            }
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Ok(out)
}

fn matches(text: &str, pattern: &str) -> Result<bool> {
    match_bytes(text.as_bytes(), pattern.as_bytes(), true)
}

/// LIKE over bytes.
pub(super) fn bytes_like(value: &[u8], pattern: &[u8]) -> Result<bool> {
    match_bytes(value, pattern, false)
}

/// Goes back to the last `%` on a mismatch, so the time is at most the product of the lengths.
fn match_bytes(text: &[u8], pattern: &[u8], characters: bool) -> Result<bool> {
    // The length of the character a `_` stands for.
    let width = |at: usize| {
        if !characters {
            return 1;
        }
        text[at + 1..].iter().take_while(|b| **b & 0xc0 == 0x80).count() + 1
    };
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                if p == pattern.len() {
                    return Ok(true);
                }
                back = Some((t, p));
                continue;
            }
            Some(b'_') if t < text.len() => Some((width(t), 1)),
            Some(b'\\') if t < text.len() => {
                let Some(literal) = pattern.get(p + 1) else {
                    return Err(Error::new(
                        SqlState::INVALID_ESCAPE_SEQUENCE,
                        "LIKE pattern must not end with escape character",
                    ));
                };
                (text.get(t) == Some(literal)).then_some((1, 2))
            }
            Some(literal) => (text.get(t) == Some(literal)).then_some((1, 1)),
            None if t == text.len() => return Ok(true),
            None => None,
        };
        if let Some((in_text, in_pattern)) = step {
            t += in_text;
            p += in_pattern;
        } else if let Some((from, after)) = back.filter(|(from, _)| *from < text.len()) {
            let next = from + width(from);
            back = Some((next, after));
            (t, p) = (next, after);
        } else {
            return Ok(false);
        }
    }
}

/// SIMILAR TO's pattern as a POSIX regular expression, in PostgreSQL's words.
fn similar(pattern: &str, escape: Option<char>) -> Result<String> {
    Ok(match similar_parts(pattern, escape)?.as_slice() {
        [before, inside] => format!("^(?:{before}){{1,1}}?({inside})$"),
        [before, inside, after] => {
            format!("^(?:{before}){{1,1}}?({inside}){{1,1}}(?:{after})$")
        }
        parts => format!("^(?:{})$", parts.concat()),
    })
}

/// The parts of a pattern that two escaped quotes separate, as POSIX regular expressions.
pub(super) fn similar_parts(pattern: &str, escape: Option<char>) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut out = String::new();
    let mut in_bracket = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            match chars.next() {
                Some('"') if !in_bracket => {
                    if parts.len() == 2 {
                        return Err(Error::new(
                            SqlState::INVALID_USE_OF_ESCAPE_CHARACTER,
                            "SQL regular expression may not contain more than two \
                             escape-double-quote separators",
                        ));
                    }
                    parts.push(std::mem::take(&mut out));
                }
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => {}
            }
        } else if in_bracket {
            if c == '\\' {
                out.push('\\');
            }
            in_bracket = c != ']';
            out.push(c);
        } else {
            match c {
                '[' => {
                    in_bracket = true;
                    out.push('[');
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(c);
                }
                c => out.push(c),
            }
        }
    }
    parts.push(out);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "c", false),
            ("äöü", "_ö_", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("", "", true),
            ("abcabc", "%abc", true),
            ("aXbXc", "a%b%c", true),
            ("mississippi", "m%iss%ip%i", true),
        ] {
            assert_eq!(matches(text, pattern).unwrap(), expected, "{text} like {pattern}");
        }
        assert!(!matches("abc", "abc\\").unwrap());
        assert!(matches("a", "\\").is_err());
        assert_eq!(escape("a#%b\\", "#").unwrap(), "a\\%b\\\\");
    }
}
