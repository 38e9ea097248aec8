//! Messages as lines of text, so that two servers' answers can be compared and read.

use std::fmt::Write;

use crate::wire::{Backend, Column, Fields};

/// What is left out or replaced because it may rightly differ between two servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Errors are compared by SQLSTATE alone.
    pub sqlstate_only: bool,
    /// Digits in values become `#`: process ids, OIDs, times.
    pub digits: bool,
    /// DETAIL and HINT are left out.
    pub no_detail: bool,
    /// The error position is compared as well.
    pub position: bool,
}

/// One message as one line; `None` for what is the server's own affair.
///
/// `who` names the connection with that process id.
pub fn line(message: &Backend, lenient: Leniency, who: &dyn Fn(i32) -> String) -> Option<String> {
    Some(match message {
        Backend::Authentication { kind, .. } => format!("Authentication {kind}"),
        Backend::BackendKeyData { .. } => "BackendKeyData".to_owned(),
        Backend::BindComplete => "BindComplete".to_owned(),
        Backend::CloseComplete => "CloseComplete".to_owned(),
        Backend::CommandComplete(tag) => format!("CommandComplete {tag}"),
        Backend::CopyData(data) => format!("CopyData {}", value(data, lenient)),
        Backend::CopyDone => "CopyDone".to_owned(),
        Backend::CopyIn(format, columns) => format!("CopyInResponse {format} {columns:?}"),
        Backend::CopyOut(format, columns) => format!("CopyOutResponse {format} {columns:?}"),
        Backend::DataRow(values) => format!("DataRow {}", row(values, lenient)),
        Backend::EmptyQuery => "EmptyQueryResponse".to_owned(),
        Backend::Error(fields) => format!("ErrorResponse {}", error(fields, lenient)),
        Backend::NegotiateProtocolVersion(_) => "NegotiateProtocolVersion".to_owned(),
        Backend::NoData => "NoData".to_owned(),
        Backend::Notice(fields) => format!("NoticeResponse {}", error(fields, lenient)),
        Backend::Notification { pid, channel, payload } => {
            format!("NotificationResponse from {} {channel:?} {payload:?}", who(*pid))
        }
        Backend::ParameterDescription(oids) => format!("ParameterDescription {oids:?}"),
        // The writer's own position is an addition to the protocol that PostgreSQL lacks.
        Backend::ParameterStatus(name, _) if name == "commit_position" => return None,
        Backend::ParameterStatus(name, value) => format!("ParameterStatus {name}={value}"),
        Backend::ParseComplete => "ParseComplete".to_owned(),
        Backend::PortalSuspended => "PortalSuspended".to_owned(),
        Backend::ReadyForQuery(status) => format!("ReadyForQuery {}", char::from(*status)),
        Backend::RowDescription(columns) => {
            let columns: Vec<_> = columns.iter().map(column).collect();
            format!("RowDescription {}", columns.join(", "))
        }
        Backend::Other(tag, body) => format!("{} {}", char::from(*tag), escaped(body)),
    })
}

/// All of `messages`, one line each.
pub fn lines(messages: &[Backend], lenient: Leniency, who: &dyn Fn(i32) -> String) -> Vec<String> {
    messages.iter().filter_map(|message| line(message, lenient, who)).collect()
}

/// A connection's name for where process ids don't matter.
pub fn anybody(_pid: i32) -> String {
    "somebody".to_owned()
}

fn column(column: &Column) -> String {
    let Column { name, table_oid, attnum, type_oid, type_len, typmod, format } = column;
    let origin = if *table_oid == 0 { String::new() } else { format!(" attribute {attnum}") };
    format!("{name:?} type {type_oid} len {type_len} mod {typmod} format {format}{origin}")
}

fn row(values: &[Option<Vec<u8>>], lenient: Leniency) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|v| v.as_deref().map_or_else(|| "NULL".to_owned(), |v| value(v, lenient)))
        .collect();
    values.join(" | ")
}

fn value(bytes: &[u8], lenient: Leniency) -> String {
    let text = escaped(bytes);
    if !lenient.digits {
        return format!("'{text}'");
    }
    let mut masked = String::new();
    for c in text.chars() {
        if !c.is_ascii_digit() {
            masked.push(c);
        } else if !masked.ends_with('#') {
            masked.push('#');
        }
    }
    format!("'{masked}'")
}

fn escaped(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control()) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

/// The fields a client can act upon; file, line and routine are the server's own.
fn error(fields: &Fields, lenient: Leniency) -> String {
    let mut line = format!("{} {}", fields.get(b'S'), fields.sqlstate());
    if lenient.sqlstate_only {
        return line;
    }
    for (code, name) in [
        (b'M', "message"),
        (b'D', "detail"),
        (b'H', "hint"),
        (b'P', "position"),
        (b'W', "context"),
        (b's', "schema"),
        (b't', "table"),
        (b'c', "column"),
        (b'd', "type"),
        (b'n', "constraint"),
    ] {
        let text = fields.get(code);
        let hidden = match code {
            b'D' | b'H' => lenient.no_detail,
            b'P' => !lenient.position,
            // Physical places of PostgreSQL's heap mean nothing elsewhere.
            b'W' => text.contains("while "),
            _ => false,
        };
        if !text.is_empty() && !hidden {
            let _ = write!(line, " {name}={text:?}");
        }
    }
    line
}

/// The two answers under each other where they differ, common lines once.
pub fn diff(oracle: &[String], ours: &[String]) -> String {
    let common = oracle.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let tail = oracle[common..]
        .iter()
        .rev()
        .zip(ours[common..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let mut out = String::new();
    let mut put = |mark: char, lines: &[String]| {
        for line in lines {
            let _ = writeln!(out, "    {mark} {line}");
        }
    };
    let shown = common.saturating_sub(3);
    put(' ', &oracle[shown..common]);
    put('-', &oracle[common..oracle.len() - tail]);
    put('+', &ours[common..ours.len() - tail]);
    put(' ', &oracle[oracle.len() - tail..][..tail.min(2)]);
    out
}
