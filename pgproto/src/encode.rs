//! Messages to bytes, straight into one buffer per connection.

use bytes::{BufMut, BytesMut};

use crate::backend::{CopyShape, Field, Format, TransactionStatus};
use crate::error::{Error, Report, SqlState};
use crate::limits::{IDLE_BUFFER_BYTES, MAX_ROW_BYTES};
use crate::outbox::Notification;

/// What waits to be written to one socket.
///
/// Only whole messages are ever written: `complete` is the end of the last one, so that a row that
/// fails half-way, or a panic, takes back exactly the unfinished message.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: BytesMut,
    written: usize,
    complete: usize,
    /// The client waits for what is here: write it as soon as the connection has nothing to do.
    pub(crate) flush_wanted: bool,
}

impl Output {
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.buffer[self.written..self.complete]
    }

    pub(crate) fn written(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.complete {
            self.buffer.clear();
            self.written = 0;
            self.complete = 0;
            self.flush_wanted = false;
        }
    }

    /// Gives memory back while the connection is idle.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_BUFFER_BYTES {
            self.buffer = BytesMut::new();
        }
    }

    /// Takes back a message that was begun and not ended.
    pub(crate) fn discard_unfinished(&mut self) {
        self.buffer.truncate(self.complete);
    }

    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        self.buffer.put_slice(&[kind, 0, 0, 0, 0]);
        body(&mut self.buffer);
        self.end_message();
    }

    fn end_message(&mut self) {
        let start = self.complete;
        let length = u32::try_from(self.buffer.len() - start - 1).unwrap_or(u32::MAX);
        self.buffer[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
        self.complete = self.buffer.len();
    }

    /// A message whose body may fail; then nothing of it stays.
    fn fallible_message(
        &mut self,
        head: &[u8],
        body: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.buffer.put_slice(head);
        let result = body(&mut self.buffer);
        let length = self.buffer.len() - self.complete;
        if result.is_ok() && length <= MAX_ROW_BYTES {
            self.end_message();
            return Ok(());
        }
        self.discard_unfinished();
        result?;
        Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("row of {length} bytes is longer than the {MAX_ROW_BYTES} allowed"),
        ))
    }

    /// DataRow; `values` appends length and bytes of each of the `columns` values.
    pub(crate) fn data_row(
        &mut self,
        columns: u16,
        values: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [high, low] = columns.to_be_bytes();
        self.fallible_message(&[b'D', 0, 0, 0, 0, high, low], values)
    }

    /// CopyData.
    pub(crate) fn copy_data(
        &mut self,
        body: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.fallible_message(b"d\0\0\0\0", body)
    }

    /// The single byte that answers SSLRequest and GSSENCRequest.
    pub(crate) fn negotiation_answer(&mut self, byte: u8) {
        self.buffer.put_u8(byte);
        self.complete = self.buffer.len();
    }

    pub(crate) fn negotiate_protocol_version(&mut self, version: u32, unknown: &[String]) {
        self.message(b'v', |out| {
            out.put_u32(version);
            out.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
            unknown.iter().for_each(|name| put_text(out, name));
        });
    }

    pub(crate) fn authentication_ok(&mut self) {
        self.message(b'R', |out| out.put_u32(0));
    }

    pub(crate) fn authentication_sasl(&mut self, mechanisms: &[&str]) {
        self.message(b'R', |out| {
            out.put_u32(10);
            mechanisms.iter().for_each(|name| put_text(out, name));
            out.put_u8(0);
        });
    }

    pub(crate) fn authentication_sasl_continue(&mut self, data: &str) {
        self.message(b'R', |out| {
            out.put_u32(11);
            out.put_slice(data.as_bytes());
        });
    }

    pub(crate) fn authentication_sasl_final(&mut self, data: &str) {
        self.message(b'R', |out| {
            out.put_u32(12);
            out.put_slice(data.as_bytes());
        });
    }

    pub(crate) fn backend_key_data(&mut self, process_id: i32, key: &[u8]) {
        self.message(b'K', |out| {
            out.put_i32(process_id);
            out.put_slice(key);
        });
    }

    pub(crate) fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            put_text(out, name);
            put_text(out, value);
        });
    }

    pub(crate) fn ready_for_query(&mut self, status: TransactionStatus) {
        self.message(b'Z', |out| {
            out.put_u8(match status {
                TransactionStatus::Idle => b'I',
                TransactionStatus::InTransaction => b'T',
                TransactionStatus::Failed => b'E',
            });
        });
    }

    pub(crate) fn error(&mut self, error: &Error) {
        self.report(b'E', error);
    }

    pub(crate) fn notice(&mut self, notice: &Report) {
        self.report(b'N', notice);
    }

    fn report(&mut self, kind: u8, report: &Report) {
        self.message(kind, |out| {
            let mut field = |letter: u8, text: Option<&str>| {
                if let Some(text) = text {
                    out.put_u8(letter);
                    put_text(out, text);
                }
            };
            field(b'S', Some(report.severity.word()));
            field(b'V', Some(report.severity.word()));
            field(b'C', Some(&report.code.to_string()));
            field(b'M', Some(&report.message));
            field(b'D', report.detail.as_deref());
            field(b'H', report.hint.as_deref());
            field(b'P', report.position.map(|at| at.to_string()).as_deref());
            field(b'p', report.internal_position.map(|at| at.to_string()).as_deref());
            field(b'q', report.internal_query.as_deref());
            field(b'W', report.context.as_deref());
            field(b's', report.schema.as_deref());
            field(b't', report.table.as_deref());
            field(b'c', report.column.as_deref());
            field(b'd', report.data_type.as_deref());
            field(b'n', report.constraint.as_deref());
            out.put_u8(0);
        });
    }

    pub(crate) fn notification(&mut self, notification: &Notification) {
        self.message(b'A', |out| {
            out.put_i32(notification.process_id);
            put_text(out, &notification.channel);
            put_text(out, &notification.payload);
        });
    }

    pub(crate) fn parse_complete(&mut self) {
        self.message(b'1', |_| ());
    }

    pub(crate) fn bind_complete(&mut self) {
        self.message(b'2', |_| ());
    }

    pub(crate) fn close_complete(&mut self) {
        self.message(b'3', |_| ());
    }

    pub(crate) fn no_data(&mut self) {
        self.message(b'n', |_| ());
    }

    pub(crate) fn empty_query_response(&mut self) {
        self.message(b'I', |_| ());
    }

    pub(crate) fn portal_suspended(&mut self) {
        self.message(b's', |_| ());
    }

    pub(crate) fn command_complete(&mut self, tag: &str, rows: Option<u64>) {
        self.message(b'C', |out| match rows {
            None => put_text(out, tag),
            Some(rows) => put_text(out, &format!("{tag} {rows}")),
        });
    }

    pub(crate) fn parameter_description(&mut self, types: &[u32]) {
        self.message(b't', |out| {
            out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
            types.iter().for_each(|oid| out.put_u32(*oid));
        });
    }

    pub(crate) fn row_description(&mut self, fields: &[Field], formats: &[Format]) {
        self.message(b'T', |out| {
            out.put_u16(u16::try_from(fields.len()).unwrap_or(u16::MAX));
            for (index, field) in fields.iter().enumerate() {
                put_text(out, &field.name);
                out.put_u32(field.table_oid);
                out.put_i16(field.attribute);
                out.put_u32(field.type_oid);
                out.put_i16(field.type_length);
                out.put_i32(field.type_modifier);
                out.put_i16(Format::of(formats, index).code());
            }
        });
    }

    pub(crate) fn copy_in_response(&mut self, shape: CopyShape) {
        self.copy_response(b'G', shape);
    }

    pub(crate) fn copy_out_response(&mut self, shape: CopyShape) {
        self.copy_response(b'H', shape);
    }

    fn copy_response(&mut self, kind: u8, shape: CopyShape) {
        self.message(kind, |out| {
            out.put_u8(u8::from(shape.format == Format::Binary));
            out.put_u16(shape.columns);
            (0..shape.columns).for_each(|_| out.put_i16(shape.format.code()));
        });
    }

    pub(crate) fn copy_done(&mut self) {
        self.message(b'c', |_| ());
    }
}

/// Text with its terminator. A NUL inside would end it early and put the client out of step, so
/// the text ends there.
fn put_text(out: &mut BytesMut, text: &str) {
    let text = text.as_bytes();
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    out.put_slice(&text[..end]);
    out.put_u8(0);
}
