//! How many tokens a text may have.
//!
//! The tokenizer makes all of a text's tokens before anybody can stop it, some hundred bytes each,
//! white space included: a text of nothing but blanks would need a hundred times its length. So the
//! tokens are counted before they are made. The count is never too low; it is too high only where
//! escape strings, dollar quotes or nested comments hold very much text.

/// Most tokens of one text. A row of `VALUES (1, 'x'), ...` has about seven.
pub(super) const MAX_TOKENS: usize = 2_000_000;

/// Whether a text certainly has no more than [`MAX_TOKENS`].
pub(super) fn is_within(sql: &str) -> bool {
    // No token is shorter than a byte.
    sql.len() <= MAX_TOKENS || count(sql.as_bytes()) <= MAX_TOKENS
}

/// At least as many as there are tokens.
fn count(text: &[u8]) -> usize {
    let mut tokens = 0;
    let mut at = 0;
    // What is quoted otherwise than by plain quotes ends where only the tokenizer knows.
    let mut is_plain = true;
    while let Some(&byte) = text.get(at) {
        tokens += 1;
        let rest = &text[at + 1..];
        at += 1 + match byte {
            b'\'' | b'"' if is_plain => {
                is_plain = byte == b'"' || !is_escape_string(&text[..at]);
                if is_plain { up_to(rest, &[byte]) } else { 0 }
            }
            b'-' if is_plain && rest.first() == Some(&b'-') => up_to(rest, b"\r\n"),
            b'/' if rest.first() == Some(&b'*') => {
                is_plain = false;
                0
            }
            b'$' => {
                is_plain = false;
                0
            }
            byte if is_word(byte) => {
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                // `1r` is a number and a word.
                let is_number = rest[..length].iter().all(u8::is_ascii_digit);
                tokens += usize::from(byte.is_ascii_digit() && !is_number);
                length
            }
            _ => 0,
        };
    }
    tokens
}

/// Whether the quote behind `before` may open a string with backslashes.
fn is_escape_string(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| is_word(*byte) || *byte == b'&')
}

/// Bytes up to the next of `ends`, and with it.
fn up_to(rest: &[u8], ends: &[u8]) -> usize {
    rest.iter().position(|byte| ends.contains(byte)).map_or(rest.len(), |place| place + 1)
}

/// Of other characters each may be a token.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::super::POSTGRES;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_strings_and_comments_are_one_token() {
        assert_eq!(count(b"'a b c d'"), 1);
        assert_eq!(count(b"\"a b\""), 1);
        assert_eq!(count(b"-- a b c d\n"), 1);
        assert_eq!(count(b"select 1"), 3);
        assert_eq!(count(b"1r\"r\""), 3);
        assert!(count(b"e'a b c d'") >= 8);
    }

    proptest! {
        #[test]
        fn there_are_never_more(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("'"), Just("\""), Just("$"), Just("$a$"), Just("e'"), Just("E'"), Just("\\"),
                    Just("--"), Just("/*"), Just("*/"), Just("\n"), Just(" "), Just("a"), Just("1"),
                    Just("."), Just("U&'"), Just("b'"), Just("x'"), Just("N'"), Just("é"), Just("→"), Just("\u{3000}"), Just("::"),
                    Just("'x y'"), Just("1.5e3"), Just("\r\n"), Just("@>"), Just("q'"), Just("r\""),
                ],
                0..40,
            ),
        ) {
            let text = pieces.concat();
            if let Ok(tokens) = Tokenizer::new(&POSTGRES, &text).tokenize() {
                prop_assert!(tokens.len() <= count(text.as_bytes()), "{text:?}");
            }
        }
    }
}
