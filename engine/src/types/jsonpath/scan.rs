//! The words of a path.

use crate::error::{Error, Result};

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Unquoted, escapes decoded; perhaps a keyword.
    Word(String),
    /// `"..."`
    String(String),
    /// `$name` or `$"name"`
    Variable(String),
    Integer(String),
    Decimal(String),
    /// `&&`, `==`, `(`, ...
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 30] = [
    "&&", "||", "**", "==", "<>", "!=", "<=", ">=", "<", ">", "!", "?", "%", "$", ".", "[", "]",
    "{", "}", "(", ")", "@", ",", "*", ":", "-", "+", "/", "=", "#",
];

const SPECIAL: &str = "?%$.[]{}()|&!=<>@#,*:-+/";

/// PostgreSQL's words for a text that doesn't follow the grammar.
pub(super) fn error_at(what: &str, near: &str) -> Error {
    if near.is_empty() {
        return Error::syntax_error(format!("{what} at end of jsonpath input"));
    }
    Error::syntax_error(format!("{what} at or near \"{near}\" of jsonpath input"))
}

/// Splits a text; every token comes with its text as written.
pub(super) fn scan(text: &str) -> Result<Vec<(Token, String)>> {
    let mut scanner = Scanner { rest: text };
    let mut tokens = Vec::new();
    loop {
        scanner.skip_blank()?;
        let before = scanner.rest;
        let token = scanner.token()?;
        let written = before[..before.len() - scanner.rest.len()].to_owned();
        let end = token == Token::End;
        tokens.push((token, written));
        if end {
            return Ok(tokens);
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// What an unquoted word is made of.
fn is_other(c: char) -> bool {
    !is_blank(c) && !SPECIAL.contains(c) && c != '\\' && c != '"'
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip_blank(&mut self) -> Result<()> {
        loop {
            self.rest = self.rest.trim_start_matches(is_blank);
            let Some(comment) = self.rest.strip_prefix("/*") else { return Ok(()) };
            match comment.find("*/") {
                Some(end) => self.rest = &comment[end + 2..],
                None => return Err(error_at("unexpected end of comment", "")),
            }
        }
    }

    fn token(&mut self) -> Result<Token> {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let second = rest.chars().nth(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|c| c.is_ascii_digit())) {
            return self.number();
        }
        if first == '"' {
            self.rest = &rest[1..];
            return self.quoted().map(Token::String);
        }
        if first == '$' && second == Some('"') {
            self.rest = &rest[2..];
            return self.quoted().map(Token::Variable);
        }
        if first == '$' && second.is_some_and(is_other) {
            let name = &rest[1..];
            let end = name.find(|c| !is_other(c)).unwrap_or(name.len());
            self.rest = &name[end..];
            return Ok(Token::Variable(name[..end].to_owned()));
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.rest = &rest[sign.len()..];
            return Ok(Token::Sign(sign));
        }
        if first == '\\' || is_other(first) {
            return self.word();
        }
        Err(error_at("syntax error", &first.to_string()))
    }

    fn number(&mut self) -> Result<Token> {
        let rest = self.rest;
        let digits =
            |from: usize| from + rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        // A leading zero is a number of its own.
        let mut end = if rest.starts_with('0') { 1 } else { digits(0) };
        let mut decimal = false;
        if rest[end..].starts_with('.') {
            decimal = true;
            end = digits(end + 1);
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            let last = digits(end + 1 + sign);
            if last == end + 1 + sign {
                let junk = &rest[..end + 1 + sign];
                return Err(match sign {
                    0 => error_at("trailing junk after numeric literal", junk),
                    _ => error_at("invalid numeric literal", junk),
                });
            }
            decimal = true;
            end = last;
        }
        if let Some(junk) = rest[end..].chars().next().filter(|c| is_other(*c)) {
            let near = &rest[..end + junk.len_utf8()];
            return Err(error_at("trailing junk after numeric literal", near));
        }
        self.rest = &rest[end..];
        let written = rest[..end].to_owned();
        Ok(if decimal { Token::Decimal(written) } else { Token::Integer(written) })
    }

    fn word(&mut self) -> Result<Token> {
        let mut word = String::new();
        while let Some(c) = self.rest.chars().next() {
            if c == '\\' {
                self.rest = &self.rest[1..];
                self.escape(&mut word)?;
            } else if is_other(c) {
                word.push(c);
                self.rest = &self.rest[c.len_utf8()..];
            } else {
                break;
            }
        }
        Ok(Token::Word(word))
    }

    /// What stands before the closing quote.
    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            let Some(c) = self.rest.chars().next() else {
                return Err(error_at("unterminated quoted string", ""));
            };
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return Ok(text),
                '\\' => self.escape(&mut text)?,
                c => text.push(c),
            }
        }
    }

    /// One escape, after its backslash.
    fn escape(&mut self, out: &mut String) -> Result<()> {
        let Some(c) = self.rest.chars().next() else {
            return Err(error_at("unexpected end after backslash", ""));
        };
        self.rest = &self.rest[c.len_utf8()..];
        out.push(match c {
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.hex(2).map_err(|near| {
                error_at("invalid hexadecimal character sequence", &format!("\\x{near}"))
            })?,
            'u' => return self.unicode(out),
            c => c,
        });
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<()> {
        let wrong = |near: String| error_at("invalid Unicode escape sequence", &near);
        if let Some(braced) = self.rest.strip_prefix('{') {
            let end = braced.find('}').ok_or_else(|| wrong(format!("\\u{{{braced}")))?;
            let code = u32::from_str_radix(&braced[..end], 16).ok().and_then(char::from_u32);
            let code = code.ok_or_else(|| wrong(format!("\\u{{{}}}", &braced[..end])))?;
            self.rest = &braced[end + 1..];
            out.push(code);
            return Ok(());
        }
        let unit = self.unit().map_err(|near| wrong(format!("\\u{near}")))?;
        if (0xd800..0xdc00).contains(&unit)
            && let Some(low) = self.rest.strip_prefix("\\u")
        {
            self.rest = low;
            let low = self.unit().map_err(|near| wrong(format!("\\u{near}")))?;
            let code = 0x10000 + ((unit - 0xd800) << 10) + (low & 0x3ff);
            out.push(char::from_u32(code).ok_or_else(|| wrong(String::new()))?);
            return Ok(());
        }
        out.push(char::from_u32(unit).ok_or_else(|| wrong(format!("\\u{unit:04x}")))?);
        Ok(())
    }

    fn unit(&mut self) -> std::result::Result<u32, String> {
        let digits = self.rest.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else { return Err(self.rest.chars().take(4).collect()) };
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).map_err(|_| digits.to_owned())
    }

    fn hex(&mut self, count: usize) -> std::result::Result<char, String> {
        let digits = self.rest.get(..count).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else { return Err(self.rest.chars().take(count).collect()) };
        self.rest = &self.rest[count..];
        u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or(digits.to_owned())
    }
}
