//! String constants as PostgreSQL reads them where the tokenizer doesn't: the escapes of `E'...'`
//! that make bytes of UTF-8 or surrogate pairs, and constants that go on behind a line break.

use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, Whitespace,
};

use super::POSTGRES;
use super::Script;
use crate::error::{Error, Result, SqlState};

impl Script<'_> {
    /// Splits the text into tokens.
    pub(super) fn read_tokens(&self) -> Result<Vec<TokenWithSpan>> {
        let mut masked = self.sql.to_owned();
        // Where a masked constant's quote stands, and what it holds.
        let mut masks: Vec<(Location, String)> = Vec::new();
        let mut tokens = loop {
            let error = match Tokenizer::new(&POSTGRES, &masked).tokenize_with_location() {
                Ok(tokens) => break tokens,
                Err(error) => error,
            };
            let at = self.byte(error.location);
            let (value, length) = match escaped(&self.sql[at..]) {
                Ok(Some(found)) if masks.len() < self.sql.len() => found,
                Ok(_) => return Err(self.unterminated(at)),
                // Bytes that are no characters have no place.
                Err((error, _)) if error.sqlstate == SqlState::CHARACTER_NOT_IN_REPERTOIRE => {
                    return Err(error);
                }
                Err((error, offset)) => return Err(error.at(self.position(at + offset))),
            };
            let quote = Location { line: error.location.line, column: error.location.column + 1 };
            masks.push((quote, value));
            masked = mask(&masked, self.sql[..at].chars().count(), &self.sql[at..at + length]);
        };
        for (quote, value) in masks {
            if let Some(token) = tokens.iter_mut().find(|token| token.span.start == quote) {
                token.token = Token::EscapedStringLiteral(value);
                token.span.start.column -= 1;
            }
        }
        self.join(tokens)
    }

    /// Joins constants with line breaks between them; without one they are a syntax error.
    fn join(&self, tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
        let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
        let mut broken = false;
        // The place in `joined` of a constant that only white space follows so far.
        let mut constant: Option<usize> = None;
        for token in tokens {
            match &token.token {
                Token::Whitespace(space) => {
                    match space {
                        Whitespace::Newline | Whitespace::SingleLineComment { .. } => broken = true,
                        // No constant goes on behind such a comment.
                        Whitespace::MultiLineComment(_) => broken = false,
                        Whitespace::Space | Whitespace::Tab => {}
                    }
                    joined.push(token);
                    continue;
                }
                other if is_string(other) => {
                    if let Some(first) = constant {
                        let goes_on = broken && matches!(other, Token::SingleQuotedString(_));
                        if !goes_on || matches!(joined[first].token, Token::DollarQuotedString(_)) {
                            return Err(self.unexpected(&token));
                        }
                        let more = self.continuation(&joined[first].token, &token)?;
                        joined.truncate(first + 1);
                        append(&mut joined[first], &more);
                        joined[first].span.end = token.span.end;
                        broken = false;
                        continue;
                    }
                    constant = Some(joined.len());
                    broken = false;
                }
                _ => constant = None,
            }
            joined.push(token);
        }
        Ok(joined)
    }

    /// What a constant that goes on adds: it is read as the first part was.
    fn continuation(&self, first: &Token, next: &TokenWithSpan) -> Result<String> {
        let Token::SingleQuotedString(text) = &next.token else {
            return Err(self.unexpected(next));
        };
        let start = self.byte(next.span.start);
        match first {
            Token::EscapedStringLiteral(_) if text.contains('\\') => {
                let found = escaped(&format!("E{}", &self.sql[start..]));
                match found {
                    Ok(Some((value, _))) => Ok(value),
                    Ok(None) => Err(self.unterminated(start)),
                    Err((error, _)) => Err(error.at(self.position(start))),
                }
            }
            Token::UnicodeStringLiteral(_) if text.contains('\\') => {
                Err(Error::feature_not_supported(
                    "escapes in the continuation of a U& string are not supported",
                )
                .at(self.position(start)))
            }
            _ => Ok(text.clone()),
        }
    }

    fn unterminated(&self, at: usize) -> Error {
        let rest: String = self.sql[at..].chars().take(64).collect();
        Error::syntax_error(super::unterminated(&rest)).at(self.position(at))
    }
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}

fn append(token: &mut TokenWithSpan, more: &str) {
    if let Token::SingleQuotedString(text)
    | Token::EscapedStringLiteral(text)
    | Token::NationalStringLiteral(text)
    | Token::UnicodeStringLiteral(text) = &mut token.token
    {
        text.push_str(more);
    }
}

/// A text with as many characters in which `literal` is a plain constant.
fn mask(text: &str, characters_before: usize, literal: &str) -> String {
    let count = literal.chars().count();
    text.chars()
        .enumerate()
        .map(|(i, c)| match i.checked_sub(characters_before) {
            Some(0) => ' ',
            Some(place) if place < count => match c {
                '\n' => '\n',
                _ if place == 1 || place + 1 == count => '\'',
                _ => 'x',
            },
            _ => c,
        })
        .collect()
}

/// An error and how many bytes behind the start of the constant it stands.
type Misplaced = (Error, usize);

/// The value of the `E'...'` at the start of a text, and its length in bytes; `None` when there is
/// none or it doesn't end.
fn escaped(text: &str) -> Result<Option<(String, usize)>, Misplaced> {
    let bytes = text.as_bytes();
    if !matches!(bytes, [b'e' | b'E', b'\'', ..]) {
        return Ok(None);
    }
    let mut value: Vec<u8> = Vec::new();
    let mut at = 2;
    loop {
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'\'') if bytes.get(at + 1) == Some(&b'\'') => {
                value.push(b'\'');
                at += 2;
            }
            Some(b'\'') => break,
            Some(b'\\') => {
                let Some(used) = escape(text, at, &mut value)? else { return Ok(None) };
                at += used;
            }
            Some(byte) => {
                value.push(*byte);
                at += 1;
            }
        }
    }
    if value.contains(&0) {
        return Err((Error::invalid_encoding(&[0]), 0));
    }
    let text = crate::types::binary::utf8(&value).map_err(|error| (error, 0))?;
    Ok(Some((text.to_owned(), at + 1)))
}

/// Appends the value of the escape at `at` and tells its length; `None` at the text's end.
fn escape(text: &str, at: usize, value: &mut Vec<u8>) -> Result<Option<usize>, Misplaced> {
    let Some(c) = text[at + 1..].chars().next() else { return Ok(None) };
    let digits = |from: usize, most: usize, radix: u32| {
        let rest = text[from..].chars();
        rest.take(most).take_while(|c| c.is_digit(radix)).count()
    };
    let plain = |byte: u8, value: &mut Vec<u8>| {
        value.push(byte);
        Ok(Some(2))
    };
    match c {
        'b' => plain(0x08, value),
        'f' => plain(0x0c, value),
        'n' => plain(b'\n', value),
        'r' => plain(b'\r', value),
        't' => plain(b'\t', value),
        'v' => plain(0x0b, value),
        '0'..='7' => {
            let count = digits(at + 1, 3, 8);
            let code = u32::from_str_radix(&text[at + 1..at + 1 + count], 8).unwrap_or(0);
            value.push(code as u8);
            Ok(Some(1 + count))
        }
        'x' => match digits(at + 2, 2, 16) {
            0 => plain(b'x', value),
            count => {
                let code = u32::from_str_radix(&text[at + 2..at + 2 + count], 16).unwrap_or(0);
                value.push(code as u8);
                Ok(Some(2 + count))
            }
        },
        'u' | 'U' => unicode(text, at, value).map(Some),
        c => {
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            Ok(Some(1 + c.len_utf8()))
        }
    }
}

/// `\uXXXX`, `\UXXXXXXXX`, or two of them that are a surrogate pair.
fn unicode(text: &str, at: usize, value: &mut Vec<u8>) -> Result<usize, Misplaced> {
    let read = |at: usize| -> Result<(u32, usize), Misplaced> {
        let most = if text[at + 1..].starts_with('u') { 4 } else { 8 };
        let digits = text.get(at + 2..at + 2 + most);
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        code.map(|code| (code, 2 + most)).ok_or_else(|| {
            let error = Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
                .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.");
            (error, at)
        })
    };
    let wrong = |what: &str, at: usize, used: usize| {
        let near = text.get(at..at + used).unwrap_or_default();
        (Error::syntax_error(format!("{what} at or near \"{near}\"")), at)
    };
    let (mut code, mut used) = read(at)?;
    if (0xdc00..0xe000).contains(&code) {
        return Err(wrong("invalid Unicode surrogate pair", at, used));
    }
    if (0xd800..0xdc00).contains(&code) {
        let second = at + used;
        if !text[second..].starts_with("\\u") && !text[second..].starts_with("\\U") {
            let next = text[second..].chars().next().map_or(0, char::len_utf8);
            return Err(wrong("invalid Unicode surrogate pair", second, next));
        }
        let (low, more) = read(second)?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(wrong("invalid Unicode surrogate pair", second, more));
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        used += more;
    }
    match char::from_u32(code).filter(|c| *c != '\0') {
        Some(c) => {
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            Ok(used)
        }
        None => Err(wrong("invalid Unicode escape value", at, used)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_make_bytes() {
        let read = |text: &str| escaped(text).unwrap().unwrap().0;
        assert_eq!(read(r"E'\xc3\xa9\303\251'"), "éé");
        assert_eq!(read(r"E'\ud83d\ude00\U0001F600'"), "😀😀");
        assert_eq!(read(r"e'it''s \q'"), "it's q");
        assert!(escaped(r"E'abc\'").unwrap().is_none());
        let state = |text: &str| escaped(text).unwrap_err().0.sqlstate;
        assert_eq!(state(r"E'a\000b'"), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(state(r"E'\xff'"), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(state(r"E'\u00zz'"), SqlState::INVALID_ESCAPE_SEQUENCE);
        assert_eq!(state(r"E'\ud83dx'"), SqlState::SYNTAX_ERROR);
    }

    #[test]
    fn constants_go_on_behind_a_line_break() {
        let strings = |text: &str| {
            let script = Script::tokenize(text).unwrap();
            let found = script.tokens.iter().filter(|token| is_string(&token.token));
            found.map(|token| token.token.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(strings("select 'a'\n  -- more\n 'b' , 'c'"), ["'ab'", "'c'"]);
        assert_eq!(strings("select E'\\xc3\\xa9',\n 'x'"), ["E'é'", "'x'"]);
        for wrong in ["select 'a' 'b'", "select 'a' /* x */ 'b'", "select 'a'\n E'b'"] {
            assert!(Script::tokenize(wrong).is_err(), "{wrong}");
        }
    }
}
