//! The messages a client sends, as they stand in their frame: text and values are borrowed.

use bytes::Bytes;

use crate::backend::Format;

/// One message as it came: kind byte and body, the length already checked.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Bytes,
}

/// A decoded message of the normal phase.
#[derive(Debug, PartialEq)]
pub(crate) enum Message<'a> {
    Query(&'a str),
    Parse { name: &'a str, sql: &'a str, types: Vec<u32> },
    Bind(Bind<'a>),
    Describe(Target<'a>),
    Execute { portal: &'a str, max_rows: i32 },
    Close(Target<'a>),
    Sync,
    Flush,
    Terminate,
    FunctionCall,
    CopyData,
    CopyDone,
    CopyFail(&'a str),
}

/// What Describe and Close name.
#[derive(Debug, PartialEq)]
pub(crate) enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

/// A Bind message.
#[derive(Debug, PartialEq)]
pub(crate) struct Bind<'a> {
    pub(crate) portal: &'a str,
    pub(crate) statement: &'a str,
    pub(crate) parameter_formats: Vec<Format>,
    pub(crate) parameters: Vec<Option<&'a [u8]>>,
    pub(crate) result_formats: Vec<Format>,
}

/// The first packet of a connection, which has no kind byte.
#[derive(Debug, PartialEq)]
pub(crate) enum StartupPacket<'a> {
    Tls,
    Gss,
    Cancel { process_id: i32, key: &'a [u8] },
    Startup { major: u16, minor: u16, parameters: Vec<(&'a str, &'a str)> },
}
