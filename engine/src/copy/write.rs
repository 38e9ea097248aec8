//! COPY TO: batches of rows to the bytes of each row's message.

use arrow::array::RecordBatch;
use bytes::{BufMut, BytesMut};

use super::{BINARY_HEADER, CopyFormat, CopyOptions, options::CopyHeader};
use crate::{
    error::{Error, Result},
    types::{BoundEncoder, Format, FormatSettings, Oid, PgType, RowEncoder},
};

/// Messages of COPY data, one after another.
#[derive(Debug, Default)]
pub struct CopyMessages {
    bytes: BytesMut,
    ends: Vec<usize>,
}

impl CopyMessages {
    fn with_capacity(messages: usize) -> Self {
        let bytes = BytesMut::with_capacity(messages * 64);
        CopyMessages { bytes, ends: Vec::with_capacity(messages) }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of one.
    pub(crate) fn message(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    /// Ends a message with what was appended since the last.
    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// Writes rows. First [`CopyOut::header`], then [`CopyOut::write`] for each batch, at the end
/// [`CopyOut::trailer`].
#[derive(Debug)]
pub(crate) struct CopyOut {
    options: CopyOptions,
    names: Vec<String>,
    /// For each column, whether its values are quoted always.
    force_quote: Vec<bool>,
    encoder: RowEncoder,
    /// The binary header, which travels with the first row.
    header: Option<&'static [u8]>,
    /// For each column, whether no value of it can need an escape or a quote.
    plain: Vec<bool>,
    /// Whether a value with this byte in it can.
    special: Box<[bool; 256]>,
}

impl CopyOut {
    /// `columns` are those of the batches.
    ///
    /// # Errors
    /// 54000 with more columns than the binary format counts.
    pub(crate) fn new(
        options: &CopyOptions,
        columns: Vec<(String, PgType)>,
        settings: &FormatSettings,
    ) -> Result<CopyOut> {
        if i16::try_from(columns.len()).is_err() {
            return Err(Error::program_limit_exceeded("too many columns for COPY"));
        }
        let is_binary = options.format == CopyFormat::Binary;
        let format = if is_binary { Format::Binary } else { Format::Text };
        let encoded: Vec<(PgType, Format)> = columns.iter().map(|(_, ty)| (*ty, format)).collect();
        let force_quote: Vec<bool> =
            columns.iter().map(|(name, _)| options.is_force_quoted(name)).collect();
        let plain = columns.iter().zip(&force_quote);
        Ok(CopyOut {
            plain: plain.map(|((_, ty), force)| !force && is_plain(*ty, options)).collect(),
            force_quote,
            names: columns.into_iter().map(|(name, _)| name).collect(),
            encoder: RowEncoder::new(&encoded, settings),
            header: is_binary.then_some(BINARY_HEADER),
            special: special_bytes(options),
            options: options.clone(),
        })
    }

    /// The header line, a message of its own, if one is wanted. The header of the binary format
    /// travels with the first row, as PostgreSQL's does.
    pub(crate) fn header(&self) -> Option<CopyMessages> {
        if self.options.header == CopyHeader::Absent {
            return None;
        }
        let mut messages = CopyMessages::default();
        let out = &mut messages.bytes;
        for (i, name) in self.names.iter().enumerate() {
            if i > 0 {
                out.put_u8(self.options.delimiter);
            }
            self.put_value(name.as_bytes(), false, out);
        }
        out.put_u8(b'\n');
        messages.end();
        Some(messages)
    }

    /// The rows of a batch, a message each.
    ///
    /// # Errors
    /// What the types' output functions say.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<CopyMessages> {
        let encoder = self.encoder.bind(batch.columns())?;
        let columns = i16::try_from(batch.num_columns()).unwrap_or(i16::MAX);
        let mut messages = CopyMessages::with_capacity(batch.num_rows());
        let mut scratch = BytesMut::new();
        for row in 0..batch.num_rows() {
            let out = &mut messages.bytes;
            if self.options.format == CopyFormat::Binary {
                if let Some(header) = self.header.take() {
                    out.put_slice(header);
                }
                out.put_i16(columns);
                encoder.encode_row(row, out)?;
            } else {
                self.put_line(&encoder, row, &mut scratch, out)?;
            }
            messages.end();
        }
        Ok(messages)
    }

    /// The trailer of the binary format.
    pub(crate) fn trailer(&mut self) -> Option<CopyMessages> {
        if self.options.format != CopyFormat::Binary {
            return None;
        }
        let mut messages = CopyMessages::default();
        messages.bytes.put_slice(self.header.take().unwrap_or_default());
        messages.bytes.put_i16(-1);
        messages.end();
        Some(messages)
    }

    fn put_line(
        &self,
        encoder: &BoundEncoder,
        row: usize,
        scratch: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<()> {
        for (i, (force, plain)) in self.force_quote.iter().zip(&self.plain).enumerate() {
            if i > 0 {
                out.put_u8(self.options.delimiter);
            }
            let start = out.len();
            if !encoder.encode_value(i, row, out)? {
                out.put_slice(self.options.null.as_bytes());
            } else if !plain && (*force || self.needs_care(&out[start..])) {
                scratch.clear();
                scratch.put_slice(&out[start..]);
                out.truncate(start);
                self.put_value(scratch, *force, out);
            }
        }
        out.put_u8(b'\n');
        Ok(())
    }

    /// Whether a value may be in need of an escape or a quote.
    fn needs_care(&self, value: &[u8]) -> bool {
        let special = |byte: &u8| self.special[usize::from(*byte)];
        value.iter().any(special) || value == self.options.null.as_bytes()
    }

    fn put_value(&self, value: &[u8], force_quote: bool, out: &mut BytesMut) {
        if self.options.format == CopyFormat::Csv {
            self.put_csv(value, force_quote, out);
        } else {
            put_text(value, self.options.delimiter, out);
        }
    }

    fn put_csv(&self, value: &[u8], force_quote: bool, out: &mut BytesMut) {
        let CopyOptions { delimiter, quote, escape, ref null, .. } = self.options;
        let is_special =
            |byte: &u8| *byte == delimiter || *byte == quote || matches!(byte, b'\n' | b'\r');
        // Alone on its line, `\.` would end the data.
        let is_marker = self.names.len() == 1 && value == b"\\.";
        let needs_quotes =
            force_quote || value == null.as_bytes() || is_marker || value.iter().any(is_special);
        if !needs_quotes {
            out.put_slice(value);
            return;
        }
        out.put_u8(quote);
        let mut rest = value;
        while let Some(at) = rest.iter().position(|byte| *byte == quote || *byte == escape) {
            out.put_slice(&rest[..at]);
            out.put_u8(escape);
            out.put_u8(rest[at]);
            rest = &rest[at + 1..];
        }
        out.put_slice(rest);
        out.put_u8(quote);
    }
}

fn special_bytes(options: &CopyOptions) -> Box<[bool; 256]> {
    let mut special = Box::new([false; 256]);
    // In CSV a backslash matters where it makes `\.`.
    let always = [8, 9, 10, 11, 12, 13, b'\\'];
    let given = [options.delimiter, options.quote, options.escape];
    for byte in always.into_iter().chain(given) {
        special[usize::from(byte)] = true;
    }
    special
}

/// Whether the texts of a type consist of letters, digits and `+-.:/ ` and the options leave these
/// alone.
fn is_plain(ty: PgType, options: &CopyOptions) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.:/ ".contains(&byte);
    let is_csv = options.format == CopyFormat::Csv;
    let is_harmless = !is_taken(options.delimiter)
        && !(is_csv && (is_taken(options.quote) || !options.null.is_empty()));
    let is_plain_type = matches!(
        ty.oid,
        Oid::BOOL
            | Oid::INT2
            | Oid::INT4
            | Oid::INT8
            | Oid::OID
            | Oid::FLOAT4
            | Oid::FLOAT8
            | Oid::NUMERIC
            | Oid::DATE
            | Oid::TIME
            | Oid::TIMETZ
            | Oid::TIMESTAMP
            | Oid::TIMESTAMPTZ
            | Oid::UUID
    );
    is_harmless && is_plain_type
}

fn put_text(value: &[u8], delimiter: u8, out: &mut BytesMut) {
    let is_special = |byte: &u8| matches!(byte, 8..=13 | b'\\') || *byte == delimiter;
    let mut rest = value;
    while let Some(at) = rest.iter().position(is_special) {
        out.put_slice(&rest[..at]);
        out.put_u8(b'\\');
        out.put_u8(match rest[at] {
            8 => b'b',
            9 => b't',
            10 => b'n',
            11 => b'v',
            12 => b'f',
            13 => b'r',
            other => other,
        });
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
}

#[cfg(test)]
mod tests;
