//! Transcripts: several connections send messages, and everything that comes back is compared.
//!
//! A file holds cases; each begins with fresh connections, opened when first named. Lines:
//!
//! ```text
//! case NAME
//! hide detail                 errors are compared without DETAIL and HINT
//! a: SQL                      Query, then everything up to ReadyForQuery
//! a> Query SQL                gathers a message; nothing is sent before a line that reads
//! a> Parse [NAME|-] SQL       `-` is the unnamed statement or portal
//! a> ParseTyped NAME OID,OID SQL
//! a> Bind PORTAL NAME [text|binary] 'value' NULL ...     (the word is the result format)
//! a> Describe S|P NAME
//! a> Execute PORTAL MAX_ROWS
//! a> Close S|P NAME
//! a> Sync | Flush | CopyDone | Terminate | CopyData TEXT | CopyFail TEXT    (\t and \n are escapes)
//! a< ready [N]                reads N (1) ReadyForQuery
//! a< notified N               reads N NotificationResponses, on their own
//! a< until MESSAGE            reads up to and with a message of that name
//! a< blocked                  the server has the statement and it waits for a lock
//! a< closed                   the server closes the connection
//! ```
//!
//! Process ids become the names of the connections.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::check;
use crate::render::{self, Leniency};
use crate::server::{Product, Server};
use crate::wire::{Client, Failure, Frontend};

mod frames;

/// How long a statement is watched before silence counts as waiting, where the server doesn't say.
const SILENCE: Duration = Duration::from_millis(300);

/// One case of a file.
#[derive(Debug, Default)]
struct Case {
    line: usize,
    name: String,
    hide_detail: bool,
    steps: Vec<(usize, String)>,
}

/// Runs all cases of a file against both servers and returns how many there were.
///
/// # Errors
/// The differences as text for a person.
pub fn run(path: &Path) -> Result<usize, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cases = parse(&text);
    let start = |product| Server::start(product).map_err(|e| format!("{product:?}: {e}"));
    let (oracle, ours) = (start(Product::Postgres)?, start(Product::peer())?);
    let mut report = String::new();
    let mut different = 0;
    for case in &cases {
        let expected = case.play(&oracle);
        let found = case.play(&ours);
        let stuck = expected.iter().find(|l| l.starts_with("!!"));
        if stuck.is_none() && expected == found {
            continue;
        }
        different += 1;
        let _ = writeln!(report, "{}:{}: case {}", path.display(), case.line, case.name);
        if let Some(stuck) = stuck {
            let _ = writeln!(report, "    the script is wrong: PostgreSQL: {stuck}");
        }
        report.push_str(&render::diff(&expected, &found));
    }
    if different == 0 {
        return Ok(cases.len());
    }
    Err(format!("{report}{different} of {} cases differ", cases.len()))
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("case ") {
            cases.push(Case { line: number, name: name.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if line == "hide detail" {
            case.hide_detail = true;
        } else {
            case.steps.push((number, line.to_owned()));
        }
    }
    cases
}

impl Case {
    /// Everything said, as lines; what went wrong is a line that begins with `!!`.
    fn play(&self, server: &Server) -> Vec<String> {
        let lenient = Leniency { no_detail: self.hide_detail, ..Leniency::default() };
        let mut stage = Stage { server, lenient, actors: BTreeMap::new(), lines: Vec::new() };
        for (number, step) in &self.steps {
            stage.lines.push(step.clone());
            if let Err(error) = stage.step(step) {
                stage.lines.push(format!("!! line {number}: {error}"));
                break;
            }
        }
        stage.lines
    }
}

struct Actor {
    client: Client,
    gathered: Frontend,
}

struct Stage<'a> {
    server: &'a Server,
    lenient: Leniency,
    actors: BTreeMap<String, Actor>,
    lines: Vec<String>,
}

impl Stage<'_> {
    fn step(&mut self, step: &str) -> Result<(), Failure> {
        let end = step.find([':', '>', '<']).ok_or_else(|| wrong("no `:`, `>` or `<`"))?;
        let (name, rest) = (&step[..end], step[end + 1..].trim());
        if !self.actors.contains_key(name) {
            let client = self.server.connect()?;
            self.actors.insert(name.to_owned(), Actor { client, gathered: Frontend::default() });
        }
        let actor = self.actors.get_mut(name).expect("it was just put there");
        match step.as_bytes()[end] {
            b'>' => frames::gather(&mut actor.gathered, rest).map_err(|e| wrong(&e))?,
            b':' => {
                actor.gathered.query(rest);
                self.send(name)?;
                self.hear(name, "ReadyForQuery", 1)?;
            }
            _ => {
                self.send(name)?;
                self.listen(name, rest)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, name: &str) -> io::Result<()> {
        let actor = self.actors.get_mut(name).expect("actors are made before they act");
        if !actor.gathered.is_empty() {
            actor.client.send(&actor.gathered)?;
            actor.gathered.clear();
        }
        Ok(())
    }

    fn listen(&mut self, name: &str, what: &str) -> Result<(), Failure> {
        let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
        let number = || rest.parse().map_err(|_| wrong("not a number"));
        match word {
            "ready" if rest.is_empty() => self.hear(name, "ReadyForQuery", 1),
            "ready" => self.hear(name, "ReadyForQuery", number()?),
            "notified" => self.hear(name, "NotificationResponse", number()?),
            "until" => self.hear(name, rest, 1),
            "blocked" => self.blocked(name),
            "closed" => self.closed(name),
            _ => Err(wrong("cannot read this line")),
        }
    }

    /// Records messages until `count` of the wanted kind were heard.
    fn hear(&mut self, name: &str, wanted: &str, mut count: usize) -> Result<(), Failure> {
        while count > 0 {
            let line = self.hear_one(name)?;
            if line.is_some_and(|kind| kind == wanted) {
                count -= 1;
            }
        }
        Ok(())
    }

    fn hear_one(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let actor = self.actors.get_mut(name).expect("actors are made before they act");
        let message = actor.client.read()?;
        let names: BTreeMap<i32, String> =
            self.actors.iter().map(|(n, a)| (a.client.pid, n.clone())).collect();
        let who = |pid: i32| names.get(&pid).map_or("a stranger".to_owned(), Clone::clone);
        let line = render::line(&message, self.lenient, &who);
        let kind = line.as_deref().map(|l| l.split(' ').next().unwrap_or(l).to_owned());
        self.lines.extend(line.map(|l| format!("  {name} {l}")));
        Ok(kind)
    }

    fn closed(&mut self, name: &str) -> Result<(), Failure> {
        loop {
            match self.hear_one(name) {
                Ok(_) => {}
                Err(Failure::Io(e)) if e.kind() != io::ErrorKind::TimedOut => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits until the server says that the connection waits for a lock. A server that says
    /// nothing of it is believed when the statement stays unanswered for [`SILENCE`].
    fn blocked(&mut self, name: &str) -> Result<(), Failure> {
        let mut observer = self.server.connect()?;
        let begun = Instant::now();
        let actor = self.actors.get_mut(name).expect("actors are made before they act");
        let question = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND wait_event_type = 'Lock'",
            actor.client.pid
        );
        loop {
            if actor.client.readable_within(Duration::from_millis(5))? {
                return Err(wrong("it doesn't wait, it answers"));
            }
            let says = check::run(&mut observer, &question);
            if says.is_ok_and(|a| a.scalar() == "1") {
                return Ok(());
            }
            if self.server.product() == Product::KalamDb && begun.elapsed() > SILENCE {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(wrong("it neither waits nor answers"));
            }
        }
    }
}

fn wrong(what: &str) -> Failure {
    Failure::Io(io::Error::other(what.to_owned()))
}
