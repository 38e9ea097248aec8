//! Statements for programs that stop at the first error.

use crate::wire::{Backend, Client, Failure};

/// What one statement gave.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows' values as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The command tag.
    pub tag: String,
    /// COPY data, as sent.
    pub copied: Vec<u8>,
}

impl Answer {
    /// The first value of the first row, or the empty text.
    pub fn scalar(&self) -> &str {
        self.rows.first().and_then(|r| r.first()).and_then(|v| v.as_deref()).unwrap_or("")
    }
}

/// Runs one query string and gathers its answer.
///
/// # Errors
/// The first ErrorResponse, after the connection has become ready again.
pub fn run(client: &mut Client, sql: &str) -> Result<Answer, Failure> {
    client.send_query(sql)?;
    gather(client)
}

/// Gathers the answers up to the next ReadyForQuery.
///
/// # Errors
/// As [`run`].
pub fn gather(client: &mut Client) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let mut failure = None;
    loop {
        match client.read()? {
            Backend::RowDescription(columns) => {
                answer.columns = columns.into_iter().map(|c| c.name).collect();
            }
            Backend::DataRow(values) => answer.rows.push(texts(values)),
            Backend::CommandComplete(tag) => answer.tag = tag,
            Backend::CopyData(data) => answer.copied.extend(data),
            Backend::Error(fields) if fields.get(b'V') == "FATAL" => {
                return Err(Failure::Server(fields));
            }
            Backend::Error(fields) => {
                failure.get_or_insert(Failure::Server(fields));
            }
            Backend::ReadyForQuery(_) => return failure.map_or(Ok(answer), Err),
            _ => {}
        }
    }
}

fn texts(values: Vec<Option<Vec<u8>>>) -> Vec<Option<String>> {
    let text = |v: Vec<u8>| String::from_utf8_lossy(&v).into_owned();
    values.into_iter().map(|v| v.map(text)).collect()
}
