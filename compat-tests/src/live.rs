//! Tests of SUBSCRIBE: a server with a writer, and followers who read group by group.
//!
//! What goes wrong here fails the test, so it panics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use crate::check;
use crate::server::{Product, Server, Settings};
use crate::wire::{Backend, Client, Fields};

/// One row of the stream: `_pos`, `_op`, the query's columns.
pub type Row = Vec<Option<String>>;

/// A server and its superuser's connection.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: Server,
    /// Who changes rows.
    pub writer: Client,
}

impl Stage {
    /// A fresh server on which these statements were run.
    ///
    /// # Panics
    /// When it doesn't start or a statement fails.
    pub fn new(setup: &[&str]) -> Stage {
        Stage::with(Settings::default(), setup)
    }

    /// As [`Stage::new`], with settings.
    ///
    /// # Panics
    /// As [`Stage::new`].
    pub fn with(settings: Settings, setup: &[&str]) -> Stage {
        let server = Server::start_with(Product::KalamDb, settings);
        let server = server.unwrap_or_else(|e| panic!("{e}"));
        let writer = server.connect().expect("the superuser connects");
        let mut stage = Stage { server, writer };
        for sql in setup {
            stage.run(sql);
        }
        stage
    }

    /// Runs a statement and returns its first value.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&mut self, sql: &str) -> String {
        let answer = check::run(&mut self.writer, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        answer.scalar().to_owned()
    }

    /// The head of the writer's namespace.
    ///
    /// # Panics
    /// When the server doesn't say.
    pub fn position(&mut self) -> String {
        self.run("SELECT pg_current_position()")
    }

    /// Starts the server again after a crash or a stop, and the writer with it.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn relaunch(&mut self) {
        self.server.launch().unwrap_or_else(|e| panic!("it doesn't start again: {e}"));
        self.writer = self.server.connect().expect("the superuser connects");
    }

    /// A connection of the superuser that has sent this statement.
    ///
    /// # Panics
    /// When there is no connection.
    pub fn subscribe(&self, sql: &str) -> Follower {
        let client = self.server.connect().expect("the superuser connects");
        Follower::new(client, sql)
    }
}

/// A connection on which a subscription runs.
#[derive(Debug)]
pub struct Follower {
    /// The connection.
    pub client: Client,
}

impl Follower {
    /// Sends a statement that subscribes.
    ///
    /// # Panics
    /// When the socket fails.
    pub fn new(mut client: Client, sql: &str) -> Follower {
        client.send_query(sql).expect("the server listens");
        Follower { client }
    }

    /// The next row, by whichever door, heartbeats left out.
    ///
    /// # Panics
    /// When the stream ends.
    pub fn row(&mut self) -> Row {
        loop {
            let row = match self.client.read().expect("the stream goes on") {
                Backend::DataRow(values) => {
                    let text = |v: Vec<u8>| String::from_utf8_lossy(&v).into_owned();
                    values.into_iter().map(|v| v.map(text)).collect::<Row>()
                }
                Backend::CopyData(data) => {
                    let line = String::from_utf8_lossy(&data).into_owned();
                    let text = |v: &str| (v != "\\N").then(|| v.to_owned());
                    line.trim_end_matches('\n').split('\t').map(text).collect()
                }
                Backend::Error(fields) => panic!("{}: {}", fields.sqlstate(), fields.message()),
                _ => continue,
            };
            if row[1].as_deref() != Some("heartbeat") {
                return row;
            }
        }
    }

    /// One group: operations with their data, then the marker's position. A marker without rows is
    /// no group of this query.
    ///
    /// # Panics
    /// As [`Follower::row`].
    pub fn group(&mut self) -> (Vec<String>, String) {
        let mut rows = Vec::new();
        loop {
            let row = self.row();
            let position = row[0].clone().expect("every row has a position");
            let shown: Vec<_> =
                row[1..].iter().map(|v| v.clone().unwrap_or("NULL".to_owned())).collect();
            if shown[0] != "commit" {
                rows.push(shown.join(" "));
            } else if !rows.is_empty() {
                return (rows, position);
            }
        }
    }

    /// The SQLSTATE that the stream ends with.
    ///
    /// # Panics
    /// When the connection ends without one.
    pub fn error(&mut self) -> String {
        self.failure().sqlstate().to_owned()
    }

    /// The error that the stream ends with.
    ///
    /// # Panics
    /// As [`Follower::error`].
    pub fn failure(&mut self) -> Box<Fields> {
        loop {
            if let Backend::Error(fields) = self.client.read().expect("the server speaks") {
                return fields;
            }
        }
    }
}
