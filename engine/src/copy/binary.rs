//! The binary format: `PGCOPY`, then rows of counted, sized fields.

use super::{
    BINARY_HEADER, BINARY_SIGNATURE_BYTES,
    fields::Fields,
    lines::{Line, bad_format},
    read::Step,
};
use crate::error::{Error, Result};

/// Reads rows from a growing buffer.
#[derive(Debug)]
pub(super) struct BinaryReader {
    columns: usize,
    has_header: bool,
    has_ended: bool,
    row: u64,
    /// Start of the current row.
    start: usize,
    /// Below this many bytes the current row can't be complete.
    wanted: usize,
}

/// A reading error, and the column concerned.
type Failure = (Error, Option<usize>);

/// A part of a row: there, not there yet, or never.
enum Part<T> {
    Read(T),
    Incomplete,
}

impl BinaryReader {
    pub(super) fn new(columns: usize) -> Self {
        BinaryReader { columns, has_header: false, has_ended: false, row: 0, start: 0, wanted: 0 }
    }

    pub(super) fn consumed(&self) -> usize {
        self.start
    }

    pub(super) fn forget(&mut self, count: usize) {
        self.start -= count;
        self.wanted = self.wanted.saturating_sub(count);
    }

    /// Rows begun so far; 0 in the header.
    pub(super) fn row_number(&self) -> u64 {
        self.row
    }

    pub(super) fn read_row(
        &mut self,
        buffer: &[u8],
        complete: bool,
        fields: &mut Fields,
    ) -> Result<Step, Failure> {
        if !complete && buffer.len() < self.wanted {
            return Ok(Step::Incomplete);
        }
        if !self.has_header {
            match self.header(buffer, complete)? {
                Part::Incomplete => return Ok(Step::Incomplete),
                Part::Read(length) => self.start = length,
            }
            self.has_header = true;
            self.row = 1;
        }
        let rest = &buffer[self.start..];
        if self.has_ended {
            return match rest {
                [] if complete => Ok(Step::End),
                [] => Ok(Step::Incomplete),
                _ => Err((bad_format("received copy data after EOF marker"), None)),
            };
        }
        let Some(count) = rest.first_chunk::<2>() else {
            // The trailer may be missing.
            return Ok(if complete { Step::End } else { Step::Incomplete });
        };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.has_ended = true;
            self.start += 2;
            return self.read_row(buffer, complete, fields);
        }
        if usize::try_from(count) != Ok(self.columns) {
            let message = format!("row field count is {count}, expected {}", self.columns);
            return Err((bad_format(message), None));
        }
        let first = fields.len();
        match self.row_fields(buffer, complete, fields) {
            Ok(Part::Read(end)) => {
                let line = Line { start: self.start, end, number: self.row };
                self.start = end;
                self.row += 1;
                Ok(Step::Row(line))
            }
            Ok(Part::Incomplete) => {
                fields.truncate(first);
                Ok(Step::Incomplete)
            }
            Err(failure) => Err(failure),
        }
    }

    fn row_fields(
        &mut self,
        buffer: &[u8],
        complete: bool,
        fields: &mut Fields,
    ) -> Result<Part<usize>, Failure> {
        // Places of all fields first, so that an incomplete row costs no copies.
        let mut places = Vec::with_capacity(self.columns);
        let mut at = self.start + 2;
        for column in 0..self.columns {
            let fail = |message: &str| (bad_format(message), Some(column));
            let Some(size) = buffer.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
                if complete {
                    return Err(fail("unexpected EOF in COPY data"));
                }
                self.wanted = at + 4;
                return Ok(Part::Incomplete);
            };
            at += 4;
            let size = i32::from_be_bytes(*size);
            if size == -1 {
                places.push(None);
                continue;
            }
            let Ok(size) = usize::try_from(size) else {
                return Err(fail("invalid field size"));
            };
            if buffer.len() - at < size {
                if complete {
                    return Err(fail("unexpected EOF in COPY data"));
                }
                self.wanted = at + size;
                return Ok(Part::Incomplete);
            }
            places.push(Some((at, at + size)));
            at += size;
        }
        for place in places {
            fields.push_raw(place.map(|(start, end)| &buffer[start..end]));
        }
        Ok(Part::Read(at))
    }

    /// The length of the header.
    fn header(&mut self, buffer: &[u8], complete: bool) -> Result<Part<usize>, Failure> {
        let fail = |message: &str| Err((bad_format(message), None));
        let signature = &BINARY_HEADER[..BINARY_SIGNATURE_BYTES];
        let have = buffer.len().min(signature.len());
        if buffer[..have] != signature[..have] || (complete && have < signature.len()) {
            return fail("COPY file signature not recognized");
        }
        let word = |at: usize| {
            buffer
                .get(at..)
                .and_then(|rest| rest.first_chunk::<4>())
                .map(|b| i32::from_be_bytes(*b))
        };
        let Some(flags) = word(signature.len()) else {
            return if complete {
                fail("invalid COPY file header (missing flags)")
            } else {
                Ok(Part::Incomplete)
            };
        };
        if flags & (1 << 16) != 0 {
            return fail("invalid COPY file header (WITH OIDS)");
        }
        if flags >> 16 != 0 {
            return fail("unrecognized critical flags in COPY file header");
        }
        let Some(extension) = word(signature.len() + 4) else {
            return if complete {
                fail("invalid COPY file header (missing length)")
            } else {
                Ok(Part::Incomplete)
            };
        };
        let Ok(extension) = usize::try_from(extension) else {
            return fail("invalid COPY file header (missing length)");
        };
        let length = BINARY_HEADER.len() + extension;
        if buffer.len() < length {
            if complete {
                return fail("invalid COPY file header (wrong length)");
            }
            self.wanted = length;
            return Ok(Part::Incomplete);
        }
        Ok(Part::Read(length))
    }
}
