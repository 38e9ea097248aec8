//! One server: its connection, and what it answers.

use std::io;

use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client, Column, Failure, Frontend};

use crate::Result;
use crate::tables;

/// Settings of every connection, besides the time zone.
const SETTINGS: &[&str] = &["SET statement_timeout = '15s'"];

/// What one execution of a statement gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// Rows, none where the statement has none.
    Rows {
        columns: Vec<Column>,
        rows: Vec<Vec<Option<String>>>,
        tag: String,
        /// The OIDs of the parameters' types, where a prepared statement was described.
        parameters: Vec<u32>,
    },
    /// An error.
    Error { state: String, message: String },
    /// The connection is gone.
    Lost(String),
}

/// A server with the tables, and a connection to it.
#[derive(Debug)]
pub(crate) struct Side {
    server: Server,
    client: Client,
    zone: String,
}

impl Side {
    /// Starts a server, connects and makes the tables.
    pub(crate) fn start(product: Product, zone: &str, setup: &[String]) -> Result<Side> {
        let server = Server::start(product)?;
        let client = server.connect()?;
        let mut side = Side { server, client, zone: zone.to_owned() };
        side.settings()?;
        for sql in setup {
            if let Answer::Error { state, message } = side.query(sql)? {
                return Err(format!("{product:?}: {sql}: {state} {message}").into());
            }
        }
        Ok(side)
    }

    /// Runs a simple query. What is for KalamDB alone does nothing on PostgreSQL.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Answer> {
        if self.server.product() == Product::Postgres && tables::is_kalamdbs(sql) {
            return Ok(Answer::nothing());
        }
        let mut frames = Frontend::default();
        frames.query(sql);
        self.ask(&frames)
    }

    /// Prepares a statement with parameters of these types, 0 where the server is to infer one; its
    /// answer has the columns and no rows.
    pub(crate) fn prepare(&mut self, sql: &str, oids: &[u32]) -> Result<Answer> {
        let mut frames = Frontend::default();
        frames.close(b'S', "s");
        frames.parse("s", sql, oids);
        frames.describe(b'S', "s");
        frames.sync();
        self.ask(&frames)
    }

    /// Runs what was prepared.
    pub(crate) fn execute(&mut self, values: &[Option<String>]) -> Result<Answer> {
        let values: Vec<Option<Vec<u8>>> =
            values.iter().map(|v| v.as_ref().map(|v| v.clone().into_bytes())).collect();
        let mut frames = Frontend::default();
        frames.bind(("", "s"), &[], &values, &[]);
        frames.execute("", 0);
        frames.sync();
        self.ask(&frames)
    }

    fn ask(&mut self, frames: &Frontend) -> Result<Answer> {
        let answer = self.client.send(frames).and_then(|()| self.client.until_ready());
        match answer {
            Ok(messages) => Ok(Answer::read(messages)),
            Err(error) => {
                self.reconnect()?;
                Ok(Answer::Lost(error.to_string()))
            }
        }
    }

    /// Connects again, to a server that is started again if it is down.
    fn reconnect(&mut self) -> Result<()> {
        self.client = match self.server.connect() {
            Ok(client) => client,
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.server.kill()?;
                self.server.launch()?;
                self.server.connect()?
            }
            Err(error) => return Err(error.into()),
        };
        self.settings()
    }

    fn settings(&mut self) -> Result<()> {
        let zone = format!("SET timezone = '{}'", self.zone);
        for sql in SETTINGS.iter().copied().chain([&*zone]) {
            let mut frames = Frontend::default();
            frames.query(sql);
            self.client.send(&frames)?;
            self.client.until_ready()?;
        }
        Ok(())
    }
}

impl Answer {
    /// No rows, no columns, no tag.
    pub(crate) fn nothing() -> Answer {
        Answer::Rows {
            columns: Vec::new(),
            rows: Vec::new(),
            tag: String::new(),
            parameters: Vec::new(),
        }
    }

    fn read(messages: Vec<Backend>) -> Answer {
        let (mut columns, mut rows, mut tag) = (Vec::new(), Vec::new(), String::new());
        let mut parameters = Vec::new();
        for message in messages {
            match message {
                Backend::Error(fields) => {
                    return Answer::Error {
                        state: fields.sqlstate().to_owned(),
                        message: fields.message().to_owned(),
                    };
                }
                Backend::ParameterDescription(described) => parameters = described,
                Backend::RowDescription(described) => columns = described,
                Backend::DataRow(values) => rows.push(values.into_iter().map(text).collect()),
                Backend::CommandComplete(completed) => tag = completed,
                _ => {}
            }
        }
        Answer::Rows { columns, rows, tag, parameters }
    }

    /// The SQLSTATE, where it is an error.
    pub(crate) fn state(&self) -> Option<&str> {
        match self {
            Answer::Error { state, .. } => Some(state),
            Answer::Rows { .. } | Answer::Lost(_) => None,
        }
    }
}

fn text(value: Option<Vec<u8>>) -> Option<String> {
    value.map(|v| String::from_utf8_lossy(&v).into_owned())
}
