//! Where lines end: newline styles, quoted newlines, the end-of-copy marker.
//!
//! Resumable at every byte: a line that isn't complete yet is not looked at again from its start,
//! so that a long row in many small messages costs no more than in one.

use crate::error::{Error, Result, SqlState};

/// How lines of this COPY end; found out at the first, the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newline {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// A line's place in the buffer, without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Its number, from 1; PostgreSQL counts the lines inside quoted fields, too.
    pub(super) number: u64,
}

/// What a search for the next line finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Line(Line),
    /// More input is needed.
    Incomplete,
    /// There are no more lines, by the marker or by the end of the input.
    End,
}

/// CSV's special characters; the escape is `None` where it is the quote.
#[derive(Clone, Copy, Debug)]
pub(super) struct CsvQuoting {
    pub(super) quote: u8,
    pub(super) escape: Option<u8>,
}

/// Finds lines in a growing buffer.
#[derive(Debug)]
pub(super) struct LineScanner {
    csv: Option<CsvQuoting>,
    newline: Newline,
    /// Lines begun so far.
    pub(super) number: u64,
    /// Start of the current line and the next byte to look at.
    start: usize,
    next: usize,
    in_quote: bool,
    was_escape: bool,
    ended: bool,
    begun: bool,
}

impl LineScanner {
    pub(super) fn new(csv: Option<CsvQuoting>) -> Self {
        LineScanner {
            csv,
            newline: Newline::Unknown,
            number: 0,
            start: 0,
            next: 0,
            in_quote: false,
            was_escape: false,
            ended: false,
            begun: false,
        }
    }

    /// Bytes of the buffer before this are done with.
    pub(super) fn consumed(&self) -> usize {
        self.start
    }

    /// The buffer lost its first `count` bytes.
    pub(super) fn forget(&mut self, count: usize) {
        self.start -= count;
        self.next -= count;
    }

    /// Whether the end-of-copy marker was met: what follows doesn't count.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Finds the next line of `buffer`; `complete`: nothing will be added to it.
    pub(super) fn next_line(&mut self, buffer: &[u8], complete: bool) -> Result<Found> {
        if self.ended {
            return Ok(Found::End);
        }
        if !self.begun {
            self.begun = true;
            self.number += 1;
        }
        match self.csv {
            None => self.scan_text(buffer, complete),
            Some(quoting) => self.scan_csv(buffer, complete, quoting),
        }
    }

    fn scan_text(&mut self, buffer: &[u8], complete: bool) -> Result<Found> {
        let mut at = self.next;
        loop {
            let special = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\\');
            let Some(skip) = buffer[at..].iter().position(special) else {
                return Ok(self.out_of_input(buffer, complete));
            };
            at += skip;
            self.next = at;
            if buffer[at] != b'\\' {
                return self.at_newline(buffer, complete);
            }
            match buffer.get(at + 1) {
                None => {
                    if complete {
                        self.next = buffer.len();
                    }
                    return Ok(self.out_of_input_at(buffer, complete, at));
                }
                Some(b'.') => match self.marker(buffer, complete, at)? {
                    Some(found) => return Ok(found),
                    None => at += 1,
                },
                // Whatever follows a backslash is data, a newline included.
                Some(_) => at += 2,
            }
        }
    }

    fn scan_csv(&mut self, buffer: &[u8], complete: bool, quoting: CsvQuoting) -> Result<Found> {
        while let Some(&byte) = buffer.get(self.next) {
            let at = self.next;
            let wants_next = matches!(byte, b'\\' | b'\r');
            if wants_next && at + 1 >= buffer.len() && !complete {
                return Ok(Found::Incomplete);
            }
            let is_marker_start = byte == b'\\' && at == self.start;
            if is_marker_start && self.marker_is_undecided(buffer, complete, at) {
                return Ok(Found::Incomplete);
            }
            self.note_quotes(byte, quoting);
            if !self.in_quote && matches!(byte, b'\r' | b'\n') {
                return self.at_newline(buffer, complete);
            }
            if is_marker_start
                && buffer.get(at + 1) == Some(&b'.')
                && let Some(found) = self.marker(buffer, complete, at)?
            {
                return Ok(found);
            }
            self.next = at + 1;
        }
        Ok(self.out_of_input(buffer, complete))
    }

    fn note_quotes(&mut self, byte: u8, quoting: CsvQuoting) {
        let is_escape = quoting.escape == Some(byte);
        if self.in_quote && is_escape {
            self.was_escape = !self.was_escape;
        }
        if byte == quoting.quote && !self.was_escape {
            self.in_quote = !self.in_quote;
        }
        if !is_escape {
            self.was_escape = false;
        }
        let counted = if self.newline == Newline::Lf { b'\n' } else { b'\r' };
        if self.in_quote && byte == counted {
            self.number += 1;
        }
    }

    /// `self.next` is at an unquoted newline character.
    fn at_newline(&mut self, buffer: &[u8], complete: bool) -> Result<Found> {
        let at = self.next;
        let mut length = 1;
        if buffer[at] == b'\n' {
            if matches!(self.newline, Newline::Cr | Newline::CrLf) {
                return Err(self.newline_in_data());
            }
            self.newline = Newline::Lf;
        } else {
            match self.newline {
                Newline::Lf => return Err(self.return_in_data()),
                Newline::Cr => {}
                Newline::Unknown | Newline::CrLf => match buffer.get(at + 1) {
                    None if !complete => return Ok(Found::Incomplete),
                    Some(b'\n') => {
                        self.newline = Newline::CrLf;
                        length = 2;
                    }
                    _ if self.newline == Newline::CrLf => return Err(self.return_in_data()),
                    _ => self.newline = Newline::Cr,
                },
            }
        }
        Ok(self.line(at, at + length))
    }

    fn line(&mut self, end: usize, resume: usize) -> Found {
        let line = Line { start: self.start, end, number: self.number };
        self.start = resume;
        self.next = resume;
        self.in_quote = false;
        self.was_escape = false;
        self.begun = false;
        Found::Line(line)
    }

    /// The last line may lack its newline.
    fn out_of_input(&mut self, buffer: &[u8], complete: bool) -> Found {
        self.out_of_input_at(buffer, complete, buffer.len())
    }

    fn out_of_input_at(&mut self, buffer: &[u8], complete: bool, next: usize) -> Found {
        if !complete {
            self.next = next;
            return Found::Incomplete;
        }
        self.ended = true;
        self.last_line(buffer.len(), buffer.len())
    }

    fn last_line(&mut self, end: usize, resume: usize) -> Found {
        if end == self.start {
            self.start = resume;
            self.next = resume;
            return Found::End;
        }
        self.line(end, resume)
    }

    /// Whether the bytes after the backslash at `at` don't yet tell if it starts a marker.
    fn marker_is_undecided(&self, buffer: &[u8], complete: bool, at: usize) -> bool {
        let wanted = if self.newline == Newline::CrLf { 4 } else { 3 };
        !complete && buffer.get(at + 1) == Some(&b'.') && buffer.len() < at + wanted
    }

    /// `\.` stands at `at`. In CSV it is data unless alone on its line: `None`.
    fn marker(&mut self, buffer: &[u8], complete: bool, at: usize) -> Result<Option<Found>> {
        if self.marker_is_undecided(buffer, complete, at) {
            return Ok(Some(Found::Incomplete));
        }
        // Past the end of the input PostgreSQL reads a zero byte.
        let byte = |place: usize| buffer.get(place).copied().unwrap_or(0);
        let mut place = at + 2;
        if self.newline == Newline::CrLf {
            match byte(place) {
                b'\r' => place += 1,
                _ if self.csv.is_some() => return Ok(None),
                b'\n' => return Err(marker_mismatch()),
                _ => return Err(marker_corrupt()),
            }
        }
        let end = byte(place);
        if !matches!(end, b'\r' | b'\n') {
            return if self.csv.is_some() { Ok(None) } else { Err(marker_corrupt()) };
        }
        let expected = match self.newline {
            Newline::Unknown => end,
            Newline::Lf | Newline::CrLf => b'\n',
            Newline::Cr => b'\r',
        };
        if end != expected {
            return Err(marker_mismatch());
        }
        self.ended = true;
        // What stands before the marker on its line is a row.
        Ok(Some(self.last_line(at, place + 1)))
    }

    fn newline_in_data(&self) -> Error {
        match self.csv {
            None => bad_format("literal newline found in data")
                .with_hint("Use \"\\n\" to represent newline."),
            Some(_) => bad_format("unquoted newline found in data")
                .with_hint("Use quoted CSV field to represent newline."),
        }
    }

    fn return_in_data(&self) -> Error {
        match self.csv {
            None => bad_format("literal carriage return found in data")
                .with_hint("Use \"\\r\" to represent carriage return."),
            Some(_) => bad_format("unquoted carriage return found in data")
                .with_hint("Use quoted CSV field to represent carriage return."),
        }
    }
}

/// 22P04.
pub(super) fn bad_format(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

fn marker_mismatch() -> Error {
    bad_format("end-of-copy marker does not match previous newline style")
}

fn marker_corrupt() -> Error {
    bad_format("end-of-copy marker corrupt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(csv: bool, input: &[u8], step: usize) -> Result<Vec<(String, u64)>> {
        let quoting = CsvQuoting { quote: b'"', escape: None };
        let mut scanner = LineScanner::new(csv.then_some(quoting));
        let mut lines = Vec::new();
        let mut given = 0;
        loop {
            match scanner.next_line(&input[..given], given == input.len())? {
                Found::Line(line) => {
                    let text = String::from_utf8_lossy(&input[line.start..line.end]);
                    lines.push((text.into_owned(), line.number));
                }
                Found::Incomplete => given = (given + step).min(input.len()),
                Found::End => return Ok(lines),
            }
        }
    }

    #[test]
    fn lines_are_found_however_the_input_is_cut() {
        /// Whether it is CSV, the input, and its lines with their numbers.
        type Case<'a> = (bool, &'a [u8], &'a [(&'a str, u64)]);
        let inputs: &[Case<'_>] = &[
            (false, b"a\nb", &[("a", 1), ("b", 2)]),
            (false, b"a\r\nb\r\n", &[("a", 1), ("b", 2)]),
            (false, b"a\rb\r", &[("a", 1), ("b", 2)]),
            (false, b"a\n\\.\nb", &[("a", 1)]),
            (false, b"a\r\n\\.\r\nb", &[("a", 1)]),
            (false, b"a\nb\\.\n", &[("a", 1), ("b", 2)]),
            (false, b"a\\\nb\n", &[("a\\\nb", 1)]),
            (false, b"\n\n", &[("", 1), ("", 2)]),
            (false, b"a\\", &[("a\\", 1)]),
            (false, b"\\\\.\n", &[("\\\\.", 1)]),
            (true, b"a,\"b\nc\"\nd\n", &[("a,\"b\nc\"", 1), ("d", 2)]),
            (true, b"x\n\"b\nc\"\nd\n", &[("x", 1), ("\"b\nc\"", 3), ("d", 4)]),
            (true, b"\\.x\n\\.\ny", &[("\\.x", 1)]),
            (true, b"a\n\\.", &[("a", 1), ("\\.", 2)]),
        ];
        for (csv, input, expected) in inputs {
            for step in 1..=input.len() {
                let lines = scan(*csv, input, step).unwrap();
                let lines: Vec<(&str, u64)> =
                    lines.iter().map(|(text, number)| (text.as_str(), *number)).collect();
                assert_eq!(&lines, expected, "{:?} by {step}", String::from_utf8_lossy(input));
            }
        }
    }

    #[test]
    fn newline_styles_do_not_mix() {
        let cases: &[(bool, &[u8], &str)] = &[
            (false, b"a\nb\r\n", "literal carriage return found in data"),
            (false, b"a\r\nb\n", "literal newline found in data"),
            (false, b"a\rb\n", "literal newline found in data"),
            (false, b"a\r\nb\rx\r\n", "literal carriage return found in data"),
            (false, b"a\n\\.", "end-of-copy marker corrupt"),
            (false, b"a\\.x\n", "end-of-copy marker corrupt"),
            (false, b"a\n\\.\r\n", "end-of-copy marker does not match previous newline style"),
            (false, b"a\r\n\\.\n", "end-of-copy marker does not match previous newline style"),
            (true, b"a\r\nb\n", "unquoted newline found in data"),
            (true, b"a\nb\rc\n", "unquoted carriage return found in data"),
            (true, b"a\r\n\\.\n", "unquoted newline found in data"),
        ];
        for (csv, input, message) in cases {
            for step in 1..=input.len() {
                assert_eq!(&scan(*csv, input, step).unwrap_err().message, message);
            }
        }
    }
}
