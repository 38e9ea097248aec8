//! Golden scripts: each statement of a file runs against PostgreSQL and against its peer, and the
//! whole answers (columns, rows, tags, errors) must be the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::render;
use crate::script::{self, Statement};
use crate::server::{Product, Server};
use crate::wire::{Backend, Client, Frontend};

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Query.
    Simple,
    /// Parse, Bind, Describe, Execute, Sync.
    Extended,
}

/// Runs one script against fresh servers and returns how many statements it compared.
///
/// # Errors
/// The differences, each with file, line and statement, as text for a person.
pub fn run(path: &Path, protocol: Protocol) -> Result<usize, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let statements = script::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let start = |product| {
        let server = Server::start(product).map_err(|e| format!("{product:?}: {e}"))?;
        Ok::<_, String>(Peer { server, connections: BTreeMap::new() })
    };
    let (mut oracle, mut ours) = (start(Product::Postgres)?, start(Product::peer())?);
    let mut report = String::new();
    let (mut compared, mut different) = (0, 0);
    for statement in &statements {
        if statement.joined && protocol == Protocol::Extended {
            continue;
        }
        compared += 1;
        if let Some(sql) = &statement.directives.kalamdb {
            let alone = Statement { text: sql.clone(), ..statement.clone() };
            let answer = ours.answer(&alone, Protocol::Simple);
            if answer.iter().any(|line| line.starts_with("ErrorResponse ")) {
                return Err(format!("{sql}: {answer:?}"));
            }
        }
        let expected = oracle.answer(statement, protocol);
        let found = ours.answer(statement, protocol);
        let mistake = expectation(statement, &expected);
        if mistake.is_none() && expected == found {
            continue;
        }
        different += 1;
        let _ = writeln!(report, "{}:{}: {}", path.display(), statement.line, statement.text);
        if let Some(mistake) = mistake {
            let _ = writeln!(report, "    the script is wrong: {mistake}");
        }
        report.push_str(&render::diff(&expected, &found));
    }
    if different == 0 {
        return Ok(compared);
    }
    Err(format!("{report}{different} of {compared} statements differ ({protocol:?} protocol)"))
}

/// What is wrong with the script itself, judged by the oracle's answer.
fn expectation(statement: &Statement, answer: &[String]) -> Option<String> {
    let found = answer.iter().find_map(|l| l.strip_prefix("ErrorResponse "));
    let found = found.and_then(|l| l.split(' ').nth(1));
    match (&statement.directives.error, found) {
        (None, None) => None,
        (Some(expected), Some(found)) if expected == found || expected == "any" => None,
        (None, Some(found)) => Some(format!("PostgreSQL fails with {found}")),
        (Some(expected), None) => Some(format!("PostgreSQL doesn't fail with {expected}")),
        (Some(expected), Some(found)) => Some(format!("PostgreSQL says {found}, not {expected}")),
    }
}

struct Peer {
    server: Server,
    connections: BTreeMap<String, Client>,
}

impl Peer {
    /// The answer as lines. A connection that breaks is an answer, and is opened anew for the next
    /// statement.
    fn answer(&mut self, statement: &Statement, protocol: Protocol) -> Vec<String> {
        let name = &statement.directives.connection;
        let mut lines = match self.exchange(name, statement, protocol) {
            Ok(messages) => {
                render::lines(&messages, statement.directives.lenient, &render::anybody)
            }
            Err(error) => {
                self.connections.remove(name);
                vec![format!("the connection broke: {error}")]
            }
        };
        if statement.directives.unordered {
            sort_rows(&mut lines);
        }
        lines
    }

    fn exchange(
        &mut self,
        name: &str,
        statement: &Statement,
        protocol: Protocol,
    ) -> io::Result<Vec<Backend>> {
        if !self.connections.contains_key(name) {
            let client = self.server.connect().map_err(io::Error::other)?;
            self.connections.insert(name.to_owned(), client);
        }
        let client = self.connections.get_mut(name).expect("it was just put there");
        let mut frames = Frontend::default();
        match protocol {
            Protocol::Simple => frames.query(&statement.text),
            Protocol::Extended => frames.one_statement(&statement.text),
        }
        client.send(&frames)?;
        let mut messages = Vec::new();
        loop {
            let message = client.read()?;
            if let Backend::CopyIn(..) = message {
                let mut frames = Frontend::default();
                frames.copy_data(statement.data.as_deref().unwrap_or("").as_bytes());
                frames.copy_done();
                if protocol == Protocol::Extended {
                    frames.sync();
                }
                client.send(&frames)?;
            }
            let done = matches!(message, Backend::ReadyForQuery(_));
            messages.push(message);
            if done {
                return Ok(messages);
            }
        }
    }
}

/// Sorts each run of rows, leaving every other message where it is.
fn sort_rows(lines: &mut [String]) {
    for run in lines.chunk_by_mut(|a, b| a.starts_with("DataRow") && b.starts_with("DataRow")) {
        run.sort();
    }
}
