//! COPY: rows to and from PostgreSQL's text, CSV and binary formats.
//!
//! From the client: bytes, cut anywhere, go into [`CopyIn::push`]; lines ([`lines`]) become fields
//! ([`fields`]), fields become batches of typed columns. To the client: [`CopyOut`] makes the
//! messages, one for each row.
//!
//! A row that can't be read fails only after the rows before it were handed out, so that whatever
//! is wrong with those is reported first, as it would be by PostgreSQL.

mod binary;
mod fields;
mod lines;
mod options;
mod read;
mod write;

pub(crate) use options::{CopyFormat, CopyOptions};
pub(crate) use read::{CopyBatch, CopyIn};
pub use write::CopyMessages;
pub(crate) use write::CopyOut;

/// What starts a binary COPY: the signature, no flags, no header extension.
const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Length of the signature in [`BINARY_HEADER`].
const BINARY_SIGNATURE_BYTES: usize = 11;
