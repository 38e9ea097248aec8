//! COPY FROM: bytes to batches of typed rows.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema, SchemaRef},
};

use super::{
    CopyFormat, CopyOptions,
    binary::BinaryReader,
    fields::{Fields, check_encoding},
    lines::{CsvQuoting, Found, Line, LineScanner, bad_format},
    options::CopyHeader,
};
use crate::{
    error::{Error, Result},
    types::{FormatSettings, PgType, input::ValueBuilder, input_array},
};

/// Rows of one batch, as PostgreSQL inserts them.
pub(super) const MAX_BATCH_ROWS: usize = 1000;
/// A batch is closed once its fields take this many bytes.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// The longest line or binary row.
pub(super) const MAX_ROW_BYTES: usize = 256 << 20;
/// As much of a bad value or line is shown (PostgreSQL's MAX_COPY_DATA_DISPLAY).
const MAX_SHOWN_BYTES: usize = 100;

/// Reads what the client sends. Push data, then take batches until there is none; at the end
/// [`CopyIn::finish`] and take the rest.
#[derive(Debug)]
pub(crate) struct CopyIn {
    /// The table's name, for CONTEXT.
    relation: String,
    columns: Vec<(String, PgType)>,
    schema: SchemaRef,
    settings: FormatSettings,
    format: Reader,
    /// What arrived from the first row not handed out on.
    buffer: Vec<u8>,
    /// Nothing will be added to `buffer`.
    complete: bool,
    /// Rows read and not handed out: their fields, row by row, and their lines.
    fields: Fields,
    lines: Vec<Line>,
    /// What went wrong after the rows that were handed out.
    failed: Option<Error>,
}

#[derive(Debug)]
enum Reader {
    Lines(Box<LineReader>),
    Binary(BinaryReader),
}

/// Text and CSV.
#[derive(Debug)]
struct LineReader {
    scanner: LineScanner,
    delimiter: u8,
    null: String,
    /// `None`: text format.
    csv: Option<CsvQuoting>,
    header: CopyHeader,
    /// One entry per column; empty when no column has the option.
    force_null: Vec<bool>,
    force_not_null: Vec<bool>,
}

/// Rows read by COPY.
#[derive(Debug)]
pub(crate) struct CopyBatch {
    /// One column per column of the COPY, in its order.
    pub(crate) rows: RecordBatch,
    relation: String,
    lines: Vec<Line>,
    /// The text from the start of the first line on; `None` for binary data.
    text: Option<Vec<u8>>,
}

impl CopyBatch {
    /// CONTEXT for an error that a row's values cause (NOT NULL, CHECK, ...).
    pub(crate) fn context(&self, row: usize) -> String {
        let line = self.lines[row];
        let Some(text) = &self.text else { return self.line_context(row) };
        let first = self.lines[0].start;
        let text = &text[line.start - first..line.end - first];
        format!("COPY {}, line {}: \"{}\"", self.relation, line.number, shown(text))
    }

    /// CONTEXT for an error found when the rows of a batch are stored together (unique indexes).
    pub(crate) fn line_context(&self, row: usize) -> String {
        format!("COPY {}, line {}", self.relation, self.lines[row].number)
    }
}

/// What reading a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Row(Line),
    Incomplete,
    End,
}

impl CopyIn {
    /// `relation` is the bare name of the table, `columns` those that the data has, in order.
    ///
    /// # Errors
    /// 0A000 for a column of a type that has no values.
    pub(crate) fn new(
        options: &CopyOptions,
        relation: &str,
        columns: Vec<(String, PgType)>,
        settings: FormatSettings,
    ) -> Result<CopyIn> {
        let fields = columns
            .iter()
            .map(|(name, ty)| Ok(Field::new(name, ty.arrow()?, true)))
            .collect::<Result<Vec<_>>>()?;
        let format = match options.format {
            CopyFormat::Binary => Reader::Binary(BinaryReader::new(columns.len())),
            CopyFormat::Text | CopyFormat::Csv => {
                Reader::Lines(Box::new(LineReader::new(options, &columns)))
            }
        };
        Ok(CopyIn {
            relation: relation.to_owned(),
            columns,
            schema: Arc::new(Schema::new(fields)),
            settings,
            format,
            buffer: Vec::new(),
            complete: false,
            fields: Fields::default(),
            lines: Vec::new(),
            failed: None,
        })
    }

    /// Takes more data, cut anywhere.
    ///
    /// # Errors
    /// 54000 for a row longer than 256 MiB.
    pub(crate) fn push(&mut self, data: &[u8]) -> Result<()> {
        if self.is_past_end() {
            return Ok(());
        }
        self.compact();
        if self.buffer.len() + data.len() > MAX_ROW_BYTES && !self.buffer.is_empty() {
            return Err(Error::program_limit_exceeded(format!(
                "a row of COPY data exceeds {MAX_ROW_BYTES} bytes"
            ))
            .with_context(format!(
                "COPY {}, line {}",
                self.relation,
                self.line_number()
            )));
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    /// What the client's giving up ends with.
    pub(crate) fn given_up(&self, reason: &str) -> Error {
        let error = Error::query_canceled_by_copy(reason);
        match (&self.format, self.line_number()) {
            // The header of the binary format is no row yet.
            (Reader::Binary(_), 0) => error,
            (_, number) => {
                error.with_context(format!("COPY {}, line {}", self.relation, number.max(1)))
            }
        }
    }

    /// The client has sent everything.
    pub(crate) fn finish(&mut self) {
        self.complete = true;
    }

    /// The next batch: up to 1000 rows; fewer only at the end or before a row that can't be read.
    /// `None`: more data is needed, or all of it was read.
    ///
    /// # Errors
    /// 22P04 and what the types' input functions say, with CONTEXT.
    pub(crate) fn next_batch(&mut self) -> Result<Option<CopyBatch>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while self.lines.len() < MAX_BATCH_ROWS && self.fields.byte_count() < MAX_BATCH_BYTES {
            let mark = self.fields.mark();
            match self.read_row() {
                Ok(Step::Row(line)) => self.lines.push(line),
                Ok(Step::Incomplete) => return Ok(None),
                Ok(Step::End) => break,
                Err(error) => {
                    self.fields.rollback(mark);
                    self.failed = Some(error);
                    break;
                }
            }
        }
        self.take_batch()
    }

    fn read_row(&mut self) -> Result<Step> {
        match &mut self.format {
            Reader::Lines(reader) => {
                let step = reader
                    .read_row(&self.buffer, self.complete, &self.columns, &mut self.fields)
                    .map_err(|failure| failure.with_context(&self.relation, &self.buffer))?;
                match step {
                    Step::Row(line) => self.check_complete(line).map(|()| step),
                    Step::Incomplete | Step::End => Ok(step),
                }
            }
            Reader::Binary(reader) => reader
                .read_row(&self.buffer, self.complete, &mut self.fields)
                .map_err(|(error, column)| match (reader.row_number(), column) {
                    (0, _) => error,
                    (row, None) => {
                        error.with_context(format!("COPY {}, line {row}", self.relation))
                    }
                    (row, Some(column)) => error.with_context(format!(
                        "COPY {}, line {row}, column {}",
                        self.relation, self.columns[column].0
                    )),
                }),
        }
    }

    /// A line with too few fields fails after those that it has were read.
    fn check_complete(&self, line: Line) -> Result<()> {
        let first = self.lines.len() * self.columns.len();
        let Some((missing, _)) = self.columns.get(self.fields.len() - first) else { return Ok(()) };
        for field in first..self.fields.len() {
            self.check_value(field, line.number)?;
        }
        let text = shown(&self.buffer[line.start..line.end]);
        Err(bad_format(format!("missing data for column \"{missing}\""))
            .with_context(format!("COPY {}, line {}: \"{text}\"", self.relation, line.number)))
    }

    fn take_batch(&mut self) -> Result<Option<CopyBatch>> {
        let arrays = match self.convert() {
            Ok(arrays) => arrays,
            Err(_) => {
                let (row, error) = self.first_bad_value();
                self.failed = Some(error);
                self.lines.truncate(row);
                self.fields.truncate(row * self.columns.len());
                self.convert()?
            }
        };
        if self.lines.is_empty() {
            return match &self.failed {
                Some(error) => Err(error.clone()),
                None => Ok(None),
            };
        }
        let lines = std::mem::take(&mut self.lines);
        self.fields.clear();
        let text = match self.format {
            Reader::Lines(_) => {
                Some(self.buffer[lines[0].start..lines[lines.len() - 1].end].to_vec())
            }
            Reader::Binary(_) => None,
        };
        let count = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &count)?;
        Ok(Some(CopyBatch { rows, relation: self.relation.clone(), lines, text }))
    }

    fn convert(&self) -> Result<Vec<ArrayRef>> {
        let stride = self.columns.len();
        match &self.format {
            Reader::Lines(_) => {
                let text = self.fields.text()?;
                let column = |(i, (_, ty)): (usize, &(String, PgType))| {
                    input_array(*ty, self.fields.column(text, i, stride), &self.settings)
                };
                self.columns.iter().enumerate().map(column).collect()
            }
            Reader::Binary(_) => {
                let column = |(i, (_, ty)): (usize, &(String, PgType))| {
                    let mut builder = ValueBuilder::new(*ty, self.lines.len())?;
                    for field in (i..self.fields.len()).step_by(stride) {
                        match self.fields.bytes_of(field) {
                            Some(bytes) => builder.push_binary(bytes)?,
                            None => builder.push_null(),
                        }
                    }
                    builder.finish()
                };
                self.columns.iter().enumerate().map(column).collect()
            }
        }
    }

    /// Finds the value, in the order of reading, for which [`CopyIn::convert`] failed.
    fn first_bad_value(&self) -> (usize, Error) {
        for (row, line) in self.lines.iter().enumerate() {
            let first = row * self.columns.len();
            for field in first..first + self.columns.len() {
                if let Err(error) = self.check_value(field, line.number) {
                    return (row, error);
                }
            }
        }
        (0, Error::internal("a batch of COPY data failed but none of its values did"))
    }

    /// Reads one field as its column's type.
    fn check_value(&self, field: usize, line: u64) -> Result<()> {
        let (name, ty) = &self.columns[field % self.columns.len()];
        let Some(value) = self.fields.bytes_of(field) else { return Ok(()) };
        let mut builder = ValueBuilder::new(*ty, 1)?;
        let place = format!("COPY {}, line {line}, column {name}", self.relation);
        match &self.format {
            Reader::Lines(_) => builder
                .push_text(&String::from_utf8_lossy(value), &self.settings)
                .map_err(|error| error.with_context(format!("{place}: \"{}\"", shown(value)))),
            Reader::Binary(_) => {
                builder.push_binary(value).map_err(|error| error.with_context(place))
            }
        }
    }

    fn is_past_end(&self) -> bool {
        match &self.format {
            Reader::Lines(reader) => reader.scanner.has_ended(),
            Reader::Binary(_) => false,
        }
    }

    fn line_number(&self) -> u64 {
        match &self.format {
            Reader::Lines(reader) => reader.scanner.number,
            Reader::Binary(reader) => reader.row_number(),
        }
    }

    /// Forgets the bytes of rows that were handed out.
    fn compact(&mut self) {
        let consumed = match &self.format {
            Reader::Lines(reader) => reader.scanner.consumed(),
            Reader::Binary(reader) => reader.consumed(),
        };
        let done = self.lines.first().map_or(consumed, |line| line.start.min(consumed));
        if done == 0 {
            return;
        }
        self.buffer.drain(..done);
        for line in &mut self.lines {
            line.start -= done;
            line.end -= done;
        }
        match &mut self.format {
            Reader::Lines(reader) => reader.scanner.forget(done),
            Reader::Binary(reader) => reader.forget(done),
        }
    }
}

/// An error of a line and what is known of the line.
struct LineFailure {
    error: Error,
    number: u64,
    line: Option<Line>,
}

impl LineFailure {
    fn with_context(self, relation: &str, buffer: &[u8]) -> Error {
        let context = match self.line {
            None => format!("COPY {relation}, line {}", self.number),
            Some(line) => format!(
                "COPY {relation}, line {}: \"{}\"",
                self.number,
                shown(&buffer[line.start..line.end])
            ),
        };
        self.error.with_context(context)
    }
}

impl LineReader {
    fn new(options: &CopyOptions, columns: &[(String, PgType)]) -> Self {
        let csv = (options.format == CopyFormat::Csv).then_some(CsvQuoting {
            quote: options.quote,
            escape: (options.escape != options.quote).then_some(options.escape),
        });
        let flags = |names: &[String]| match names {
            [] => Vec::new(),
            names => columns.iter().map(|(name, _)| names.contains(name)).collect(),
        };
        LineReader {
            scanner: LineScanner::new(csv),
            delimiter: options.delimiter,
            null: options.null.clone(),
            csv,
            header: options.header,
            force_null: flags(&options.force_null),
            force_not_null: flags(&options.force_not_null),
        }
    }

    fn read_row(
        &mut self,
        buffer: &[u8],
        complete: bool,
        columns: &[(String, PgType)],
        fields: &mut Fields,
    ) -> Result<Step, LineFailure> {
        if self.header != CopyHeader::Absent {
            match self.next_line(buffer, complete)? {
                Found::Incomplete => return Ok(Step::Incomplete),
                Found::Line(line) => self.take_header(buffer, line, columns)?,
                Found::End => {
                    let end = buffer.len();
                    let empty = Line { start: end, end, number: self.scanner.number };
                    self.take_header(buffer, empty, columns)?;
                }
            }
        }
        let line = match self.next_line(buffer, complete)? {
            Found::Line(line) => line,
            Found::Incomplete => return Ok(Step::Incomplete),
            Found::End => return Ok(Step::End),
        };
        let first = fields.len();
        self.split(&buffer[line.start..line.end], columns.len(), fields)
            .and_then(|()| check_count(fields.len() - first, columns.len()))
            .map_err(|error| LineFailure { error, number: line.number, line: Some(line) })?;
        self.force(first, fields);
        Ok(Step::Row(line))
    }

    fn next_line(&mut self, buffer: &[u8], complete: bool) -> Result<Found, LineFailure> {
        let fail = |error, number| LineFailure { error, number, line: None };
        let found = self.scanner.next_line(buffer, complete);
        let number = self.scanner.number;
        let found = found.map_err(|error| fail(error, number))?;
        if let Found::Line(line) = found {
            check_encoding(&buffer[line.start..line.end]).map_err(|error| fail(error, number))?;
        }
        Ok(found)
    }

    fn split(&self, line: &[u8], columns: usize, fields: &mut Fields) -> Result<()> {
        if columns == 0 {
            return match line {
                [] => Ok(()),
                _ => Err(bad_format("extra data after last expected column")),
            };
        }
        match self.csv {
            None => fields.split_text(line, self.delimiter, self.null.as_bytes()),
            Some(quoting) => fields.split_csv(line, self.delimiter, quoting, self.null.as_bytes()),
        }
    }

    /// FORCE_NULL and FORCE_NOT_NULL of the row whose fields begin at `first`.
    fn force(&self, first: usize, fields: &mut Fields) {
        let null = self.null.as_bytes();
        let count = fields.len() - first;
        for (i, _) in self.force_not_null.iter().enumerate().take(count).filter(|(_, on)| **on) {
            if fields.is_null(first + i) {
                fields.set(first + i, null);
            }
        }
        for (i, _) in self.force_null.iter().enumerate().take(count).filter(|(_, on)| **on) {
            let is_forced = self.force_not_null.get(i).copied().unwrap_or(false);
            if !is_forced && fields.bytes_of(first + i) == Some(null) {
                fields.set_null(first + i);
            }
        }
    }

    fn take_header(
        &mut self,
        buffer: &[u8],
        line: Line,
        columns: &[(String, PgType)],
    ) -> Result<(), LineFailure> {
        let is_checked = self.header == CopyHeader::Match;
        self.header = CopyHeader::Absent;
        if !is_checked {
            return Ok(());
        }
        let mut fields = Fields::default();
        self.split(&buffer[line.start..line.end], columns.len(), &mut fields)
            .and_then(|()| check_header(&fields, columns, &self.null))
            .map_err(|error| LineFailure { error, number: line.number, line: Some(line) })
    }
}

fn check_count(count: usize, columns: usize) -> Result<()> {
    if count > columns {
        return Err(bad_format("extra data after last expected column"));
    }
    Ok(())
}

fn check_header(fields: &Fields, columns: &[(String, PgType)], null: &str) -> Result<()> {
    if fields.len() != columns.len() {
        return Err(bad_format(format!(
            "wrong number of fields in header line: got {}, expected {}",
            fields.len(),
            columns.len()
        )));
    }
    for (i, (name, _)) in columns.iter().enumerate() {
        let got = match fields.bytes_of(i) {
            None => format!("null value (\"{null}\")"),
            Some(value) if value == name.as_bytes() => continue,
            Some(value) => format!("\"{}\"", String::from_utf8_lossy(value)),
        };
        return Err(bad_format(format!(
            "column name mismatch in header line field {}: got {got}, expected \"{name}\"",
            i + 1
        )));
    }
    Ok(())
}

/// As much of `text` as PostgreSQL shows in a CONTEXT.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    if text.len() <= MAX_SHOWN_BYTES {
        return text.into_owned();
    }
    let mut end = MAX_SHOWN_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests;
