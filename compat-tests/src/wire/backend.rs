//! What a server says.

use std::io;

/// One message of the server, decoded and otherwise untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// `R`, with the method's number and what follows it.
    Authentication {
        /// 0 ok, 3 clear text, 10/11/12 SASL.
        kind: i32,
        /// What follows the number.
        body: Vec<u8>,
    },
    /// `K`.
    BackendKeyData {
        /// The process id.
        pid: i32,
        /// The cancel key.
        secret: Vec<u8>,
    },
    /// `2`.
    BindComplete,
    /// `3`.
    CloseComplete,
    /// `C`, the command tag.
    CommandComplete(String),
    /// `d`.
    CopyData(Vec<u8>),
    /// `c`.
    CopyDone,
    /// `G`: overall format and the columns' formats.
    CopyIn(u8, Vec<i16>),
    /// `H`: overall format and the columns' formats.
    CopyOut(u8, Vec<i16>),
    /// `D`.
    DataRow(Vec<Option<Vec<u8>>>),
    /// `I`.
    EmptyQuery,
    /// `E`.
    Error(Box<Fields>),
    /// `v`.
    NegotiateProtocolVersion(Vec<u8>),
    /// `n`.
    NoData,
    /// `N`.
    Notice(Box<Fields>),
    /// `A`.
    Notification {
        /// The notifying session.
        pid: i32,
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
    },
    /// `t`.
    ParameterDescription(Vec<u32>),
    /// `S`.
    ParameterStatus(String, String),
    /// `1`.
    ParseComplete,
    /// `s`.
    PortalSuspended,
    /// `Z`, the transaction status.
    ReadyForQuery(u8),
    /// `T`.
    RowDescription(Vec<Column>),
    /// Anything else.
    Other(u8, Vec<u8>),
}

/// One column of a RowDescription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The table it comes from, or 0.
    pub table_oid: u32,
    /// Its number there, or 0.
    pub attnum: i16,
    /// Its type.
    pub type_oid: u32,
    /// The type's length, negative where it varies.
    pub type_len: i16,
    /// The type's modifier, -1 where there is none.
    pub typmod: i32,
    /// 0 text, 1 binary.
    pub format: i16,
}

/// The fields of an ErrorResponse or NoticeResponse in the order sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(pub Vec<(u8, String)>);

impl Fields {
    /// The field with this code, or the empty text.
    pub fn get(&self, code: u8) -> &str {
        self.0.iter().find(|(c, _)| *c == code).map_or("", |(_, text)| text)
    }

    /// The SQLSTATE.
    pub fn sqlstate(&self) -> &str {
        self.get(b'C')
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        self.get(b'M')
    }
}

impl Backend {
    /// Decodes one frame.
    ///
    /// # Errors
    /// `InvalidData` when the body isn't what the tag promises.
    pub fn decode(tag: u8, body: &[u8]) -> io::Result<Backend> {
        let mut cursor = Cursor { rest: body };
        let message = match tag {
            b'R' => {
                let kind = cursor.int()?;
                return Ok(Backend::Authentication { kind, body: cursor.rest.to_vec() });
            }
            b'K' => {
                let pid = cursor.int()?;
                return Ok(Backend::BackendKeyData { pid, secret: cursor.rest.to_vec() });
            }
            b'1' => Backend::ParseComplete,
            b'2' => Backend::BindComplete,
            b'3' => Backend::CloseComplete,
            b'A' => Backend::Notification {
                pid: cursor.int()?,
                channel: cursor.text()?,
                payload: cursor.text()?,
            },
            b'C' => Backend::CommandComplete(cursor.text()?),
            b'D' => Backend::DataRow(cursor.many(Cursor::value)?),
            b'E' => Backend::Error(Box::new(cursor.fields()?)),
            b'N' => Backend::Notice(Box::new(cursor.fields()?)),
            b'G' => Backend::CopyIn(cursor.byte()?, cursor.many(Cursor::short)?),
            b'H' => Backend::CopyOut(cursor.byte()?, cursor.many(Cursor::short)?),
            b'I' => Backend::EmptyQuery,
            b'S' => Backend::ParameterStatus(cursor.text()?, cursor.text()?),
            b'T' => Backend::RowDescription(cursor.many(Cursor::column)?),
            b'Z' => Backend::ReadyForQuery(cursor.byte()?),
            b'c' => Backend::CopyDone,
            b'd' => return Ok(Backend::CopyData(body.to_vec())),
            b'n' => Backend::NoData,
            b's' => Backend::PortalSuspended,
            b't' => Backend::ParameterDescription(cursor.many(Cursor::oid)?),
            b'v' => return Ok(Backend::NegotiateProtocolVersion(body.to_vec())),
            other => return Ok(Backend::Other(other, body.to_vec())),
        };
        if cursor.rest.is_empty() { Ok(message) } else { Err(invalid("bytes after the message")) }
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take(&mut self, n: usize) -> io::Result<&[u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(|| invalid("too short"))?;
        self.rest = rest;
        Ok(head)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> io::Result<i16> {
        let b = self.take(2)?;
        Ok(i16::from_be_bytes([b[0], b[1]]))
    }

    fn int(&mut self) -> io::Result<i32> {
        let b = self.take(4)?;
        Ok(i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn oid(&mut self) -> io::Result<u32> {
        Ok(self.int()?.cast_unsigned())
    }

    fn text(&mut self) -> io::Result<String> {
        let end = self.rest.iter().position(|b| *b == 0).ok_or_else(|| invalid("no end"))?;
        let text = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    fn value(&mut self) -> io::Result<Option<Vec<u8>>> {
        match usize::try_from(self.int()?) {
            Ok(length) => Ok(Some(self.take(length)?.to_vec())),
            Err(_) => Ok(None),
        }
    }

    fn column(&mut self) -> io::Result<Column> {
        Ok(Column {
            name: self.text()?,
            table_oid: self.oid()?,
            attnum: self.short()?,
            type_oid: self.oid()?,
            type_len: self.short()?,
            typmod: self.int()?,
            format: self.short()?,
        })
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let n = self.short()?.cast_unsigned();
        (0..n).map(|_| one(self)).collect()
    }

    fn fields(&mut self) -> io::Result<Fields> {
        let mut fields = Vec::new();
        loop {
            match self.byte()? {
                0 => return Ok(Fields(fields)),
                code => fields.push((code, self.text()?)),
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
