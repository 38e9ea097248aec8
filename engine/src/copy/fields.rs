//! From a line to its fields: delimiters, escapes, quotes, the NULL string.

use super::lines::{CsvQuoting, bad_format};
use crate::error::{Error, Result};

/// The fields of many rows, unescaped, one after another.
#[derive(Debug, Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// How much was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    spans: usize,
    bytes: usize,
}

/// A field's place in the bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const NULL: Span = Span { start: u32::MAX, end: 0 };
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The place to go back to with [`Fields::rollback`].
    pub(super) fn mark(&self) -> Mark {
        Mark { spans: self.spans.len(), bytes: self.bytes.len() }
    }

    /// Drops what was added since, bytes of a field that failed halfway included.
    pub(super) fn rollback(&mut self, mark: Mark) {
        self.spans.truncate(mark.spans);
        self.bytes.truncate(mark.bytes);
    }

    /// Drops the fields from `count` on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.spans.truncate(count);
    }

    pub(super) fn is_null(&self, field: usize) -> bool {
        self.spans[field].start == u32::MAX
    }

    pub(super) fn set_null(&mut self, field: usize) {
        self.spans[field] = Span::NULL;
    }

    pub(super) fn set(&mut self, field: usize, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.spans[field] = span(start, self.bytes.len());
    }

    pub(super) fn bytes_of(&self, field: usize) -> Option<&[u8]> {
        let Span { start, end } = self.spans[field];
        (start != u32::MAX).then(|| &self.bytes[start as usize..end as usize])
    }

    /// All bytes as text; they were checked line by line.
    pub(super) fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.bytes).map_err(|_| Error::internal("COPY fields are not UTF-8"))
    }

    /// Every `stride`th field from `first` on; `text` is [`Fields::text`].
    pub(super) fn column<'a>(
        &'a self,
        text: &'a str,
        first: usize,
        stride: usize,
    ) -> impl ExactSizeIterator<Item = Option<&'a str>> {
        self.spans.iter().skip(first).step_by(stride).map(move |span| {
            (span.start != u32::MAX).then(|| &text[span.start as usize..span.end as usize])
        })
    }

    /// Appends a field as it is.
    pub(super) fn push_raw(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.push_null(),
            Some(value) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(value);
                self.push(start);
            }
        }
    }

    fn push(&mut self, start: usize) {
        self.spans.push(span(start, self.bytes.len()));
    }

    fn push_null(&mut self) {
        self.spans.push(Span::NULL);
    }

    /// Appends the fields of a line in text format.
    pub(super) fn split_text(&mut self, line: &[u8], delimiter: u8, null: &[u8]) -> Result<()> {
        let mut at = 0;
        loop {
            let is_special = |byte: &u8| *byte == delimiter || *byte == b'\\';
            let plain = line[at..].iter().position(is_special).unwrap_or(line.len() - at);
            let end = at + plain;
            if line.get(end) != Some(&b'\\') {
                // Without escapes, which is the rule.
                if &line[at..end] == null {
                    self.push_null();
                } else {
                    let start = self.bytes.len();
                    self.bytes.extend_from_slice(&line[at..end]);
                    self.push(start);
                }
                if end == line.len() {
                    return Ok(());
                }
                at = end + 1;
                continue;
            }
            match self.unescape(line, at, delimiter, null)? {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// Appends the field at `start`, which has escapes; the place after its delimiter.
    fn unescape(
        &mut self,
        line: &[u8],
        start: usize,
        delimiter: u8,
        null: &[u8],
    ) -> Result<Option<usize>> {
        let first = self.bytes.len();
        let mut at = start;
        let mut end = line.len();
        let mut next = None;
        let mut was_numeric = false;
        while let Some(&byte) = line.get(at) {
            if byte == delimiter {
                end = at;
                next = Some(at + 1);
                break;
            }
            if byte != b'\\' {
                self.bytes.push(byte);
                at += 1;
                continue;
            }
            let Some(&escaped) = line.get(at + 1) else {
                end = at;
                break;
            };
            let (value, length) = escape(&line[at + 1..], escaped);
            was_numeric |= value == 0 || value >= 0x80;
            self.bytes.push(value);
            at += 1 + length;
        }
        if &line[start..end] == null {
            self.bytes.truncate(first);
            self.push_null();
        } else {
            if was_numeric {
                check_encoding(&self.bytes[first..])?;
            }
            self.push(first);
        }
        Ok(next)
    }

    /// Appends the fields of a line in CSV.
    pub(super) fn split_csv(
        &mut self,
        line: &[u8],
        delimiter: u8,
        quoting: CsvQuoting,
        null: &[u8],
    ) -> Result<()> {
        let quote = quoting.quote;
        let escape = quoting.escape.unwrap_or(quote);
        let mut at = 0;
        loop {
            let (first, start) = (self.bytes.len(), at);
            let mut was_quoted = false;
            let found_delimiter = loop {
                let is_special = |byte: &u8| *byte == delimiter || *byte == quote;
                let plain = line[at..].iter().position(is_special).unwrap_or(line.len() - at);
                self.bytes.extend_from_slice(&line[at..at + plain]);
                at += plain;
                match line.get(at) {
                    None => break false,
                    Some(byte) if *byte == delimiter => break true,
                    Some(_) => {
                        was_quoted = true;
                        at = self.quoted(line, at + 1, quote, escape)?;
                    }
                }
            };
            if !was_quoted && &line[start..at] == null {
                self.bytes.truncate(first);
                self.push_null();
            } else {
                self.push(first);
            }
            if !found_delimiter {
                return Ok(());
            }
            at += 1;
        }
    }

    /// Appends the quoted part that begins at `at`; the place after its closing quote.
    fn quoted(&mut self, line: &[u8], mut at: usize, quote: u8, escape: u8) -> Result<usize> {
        loop {
            let is_special = |byte: &u8| *byte == escape || *byte == quote;
            let Some(plain) = line[at..].iter().position(is_special) else {
                return Err(bad_format("unterminated CSV quoted field"));
            };
            self.bytes.extend_from_slice(&line[at..at + plain]);
            at += plain;
            let byte = line[at];
            at += 1;
            if byte == escape
                && let Some(&next) = line.get(at)
                && (next == escape || next == quote)
            {
                self.bytes.push(next);
                at += 1;
            } else if byte == quote {
                return Ok(at);
            } else {
                self.bytes.push(byte);
            }
        }
    }
}

fn span(start: usize, end: usize) -> Span {
    let place = |at: usize| u32::try_from(at).expect("a batch is closed far below 4 GiB");
    Span { start: place(start), end: place(end) }
}

/// What the escape at the start of `rest` (behind the backslash) means, and its length.
fn escape(rest: &[u8], first: u8) -> (u8, usize) {
    match first {
        b'0'..=b'7' => {
            let digits = rest.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
            let (value, length) = digits.fold((0_u32, 0), |(value, length), digit| {
                (value << 3 | u32::from(digit - b'0'), length + 1)
            });
            ((value & 0xFF) as u8, length)
        }
        b'x' => {
            let digits = rest.iter().skip(1).take(2).map_while(|b| char::from(*b).to_digit(16));
            let (value, length) =
                digits.fold((0_u32, 0), |(value, length), digit| (value << 4 | digit, length + 1));
            if length == 0 { (b'x', 1) } else { (value as u8, 1 + length) }
        }
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (11, 1),
        other => (other, 1),
    }
}

/// Text must be UTF-8 without zero bytes.
pub(super) fn check_encoding(bytes: &[u8]) -> Result<()> {
    if bytes.contains(&0) {
        return Err(Error::invalid_encoding(&[0]));
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::invalid_encoding(bad_sequence(&bytes[error.valid_up_to()..]))),
    }
}

/// The bytes that PostgreSQL names: as many as the first one announces.
fn bad_sequence(bytes: &[u8]) -> &[u8] {
    let announced = match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => 1,
    };
    &bytes[..announced.min(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut fields = Fields::default();
        fields.split_text(line, b'\t', b"\\N").unwrap();
        (0..fields.len()).map(|i| fields.bytes_of(i).map(<[u8]>::to_vec)).collect()
    }

    fn csv(line: &[u8], escape: Option<u8>) -> Vec<Option<Vec<u8>>> {
        let mut fields = Fields::default();
        fields.split_csv(line, b',', CsvQuoting { quote: b'"', escape }, b"").unwrap();
        (0..fields.len()).map(|i| fields.bytes_of(i).map(<[u8]>::to_vec)).collect()
    }

    fn some(value: &[u8]) -> Option<Vec<u8>> {
        Some(value.to_vec())
    }

    #[test]
    fn text_escapes() {
        assert_eq!(text(b"1\ta"), [some(b"1"), some(b"a")]);
        assert_eq!(text(b""), [some(b"")]);
        assert_eq!(text(b"\\N\t\\N "), [None, some(b"N ")]);
        assert_eq!(text(b"\\x41\\101\\n\\q\\\\\tz"), [some(b"AA\nq\\"), some(b"z")]);
        assert_eq!(text(b"abc\\"), [some(b"abc")]);
        assert_eq!(text(b"\\xZ\t\\x"), [some(b"xZ"), some(b"x")]);
        assert_eq!(text(b"a\\\tb"), [some(b"a\tb")]);
        assert_eq!(text(b"\\303\\251"), [some("é".as_bytes())]);
        let mut fields = Fields::default();
        let error = fields.split_text(b"\\xff", b'\t', b"\\N").unwrap_err();
        assert_eq!(error.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
    }

    #[test]
    fn csv_quotes() {
        assert_eq!(csv(b"1,\"a\"\"b\"", None), [some(b"1"), some(b"a\"b")]);
        assert_eq!(csv(b"1,a\"b\"c", None), [some(b"1"), some(b"abc")]);
        assert_eq!(csv(b",\"\"", None), [None, some(b"")]);
        assert_eq!(csv(b"\"a\\\"b\\\\c\\d\"", Some(b'\\')), [some(b"a\"b\\c\\d")]);
        let mut fields = Fields::default();
        let quoting = CsvQuoting { quote: b'"', escape: None };
        let error = fields.split_csv(b"1,\"a", b',', quoting, b"").unwrap_err();
        assert_eq!(error.message, "unterminated CSV quoted field");
    }
}
