//! Writers of a table and a subscriber that follows it over disconnects and crashes.
//!
//! Every committed transaction inserts one row that is never touched again (its ledger row,
//! numbered by writer), beside inserts, updates and deletes of other rows; some roll back, some
//! roll back to a savepoint. The subscriber keeps (state, position) and takes a group only when
//! its `commit` marker came, as any client must that wants each commit exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::Server;
use kalamdb_compat_tests::wire::{Backend, Client, Failure, Target};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{Result, is_the_crash, rows};

const USER: &str = "streamer";
const PASSWORD: &str = "streamer-password";
/// Ledger rows have ids from here: writer * LEDGER + number.
const LEDGER: i64 = 1_000_000;
/// Keys each writer plays with.
const KEYS: i64 = 40;

pub(crate) struct Stream {
    writers: Vec<Writer>,
    follower: Follower,
}

struct Writer {
    id: i64,
    number: i64,
    acknowledged: BTreeSet<i64>,
}

#[derive(Default)]
struct Follower {
    state: BTreeMap<i64, (String, String)>,
    position: Option<i64>,
    /// The newest ledger number of each writer.
    ledgers: BTreeMap<i64, i64>,
    commits: u64,
    resumes: u64,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Follower { commits, resumes, position, .. } = &self.follower;
        let position = position.unwrap_or(0);
        write!(
            f,
            "subscriber at {position}: {commits} groups over {resumes} resumes, fold = SELECT"
        )
    }
}

fn as_streamer(target: &Target) -> Target {
    let mut target = target.clone();
    USER.clone_into(&mut target.user);
    target.password = Some(PASSWORD.to_owned());
    target
}

impl Stream {
    pub(crate) fn create(server: &Server, writers: usize) -> Result<Stream> {
        let mut admin = server.connect()?;
        check::run(&mut admin, &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"))?;
        let mut client = Client::connect(&as_streamer(&server.target()))?;
        check::run(&mut client, "CREATE TABLE feed (id bigint PRIMARY KEY, v int, w text)")?;
        let writer = |id| Writer { id, number: 0, acknowledged: BTreeSet::new() };
        let writers = (1..).take(writers).map(writer).collect();
        Ok(Stream { writers, follower: Follower::default() })
    }

    /// Runs writers and subscriber until the server dies under them.
    pub(crate) fn run(&mut self, target: &Target, killed: &AtomicBool, resumes: u32) -> Result<()> {
        let target = &as_streamer(target);
        let left = AtomicU32::new(resumes);
        let (writers, follower) = (&mut self.writers, &mut self.follower);
        std::thread::scope(|scope| {
            let mut running: Vec<_> =
                writers.iter_mut().map(|w| scope.spawn(move || w.run(target, killed))).collect();
            running.push(scope.spawn(|| {
                while follower.follow(target, killed, &left)? {}
                Ok(())
            }));
            for one in running {
                one.join().map_err(|_| "a writer or the subscriber panicked")??;
            }
            Ok(())
        })
    }

    /// After the restart: follows up to the head, then compares.
    pub(crate) fn verify(&mut self, server: &Server) -> Result<()> {
        let target = as_streamer(&server.target());
        let mut client = Client::connect(&target)?;
        let head = rows(&mut client, "SELECT pg_current_position()")?[0][0].parse()?;
        self.follower.follow_to(&target, head)?;
        let table = rows(&mut client, "SELECT id, v, w FROM feed ORDER BY id")?;
        let mut state = BTreeMap::new();
        for row in table {
            state.insert(row[0].parse::<i64>()?, (row[1].clone(), row[2].clone()));
        }
        if state != self.follower.state {
            let differs =
                |(k, v): &(&i64, &(String, String))| self.follower.state.get(k) != Some(v);
            let missing = state.iter().find(differs);
            let extra = self.follower.state.keys().find(|k| !state.contains_key(k));
            return Err(
                format!("the fold differs: in the table {missing:?}, beyond it {extra:?}").into()
            );
        }
        for writer in &self.writers {
            let lost = writer
                .acknowledged
                .iter()
                .find(|n| !state.contains_key(&(writer.id * LEDGER + **n)));
            if let Some(number) = lost {
                let id = writer.id;
                return Err(format!("acknowledged and lost: writer {id} number {number}").into());
            }
        }
        Ok(())
    }
}

impl Writer {
    fn run(&mut self, target: &Target, killed: &AtomicBool) -> Result<()> {
        let mut rng =
            StdRng::seed_from_u64(self.id.cast_unsigned() << 40 ^ self.number.cast_unsigned());
        let mut client = match Client::connect(target) {
            Ok(client) => client,
            Err(e) if is_the_crash(&e, killed) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        loop {
            self.number += 1;
            match self.transaction(&mut client, &mut rng) {
                Ok(true) => {
                    self.acknowledged.insert(self.number);
                }
                Ok(false) => {}
                Err(e) if is_the_crash(&e, killed) => return Ok(()),
                Err(Failure::Io(_)) if killed.load(Ordering::SeqCst) => return Ok(()),
                Err(e) => return Err(format!("writer {}: {e}", self.id).into()),
            }
        }
    }

    /// One transaction; whether it was committed.
    fn transaction(
        &self,
        client: &mut Client,
        rng: &mut StdRng,
    ) -> std::result::Result<bool, Failure> {
        let mut statements = vec!["BEGIN".to_owned()];
        statements.push(format!(
            "INSERT INTO feed VALUES ({}, {}, 'ledger')",
            self.id * LEDGER + self.number,
            self.number
        ));
        for _ in 0..rng.random_range(0..6) {
            statements.push(self.change(rng));
        }
        if rng.random_bool(0.3) {
            statements.push("SAVEPOINT s".to_owned());
            statements.push(self.change(rng));
            let end = if rng.random_bool(0.5) { "ROLLBACK TO s" } else { "RELEASE s" };
            statements.push(end.to_owned());
        }
        let commits = rng.random_bool(0.9);
        statements.push(if commits { "COMMIT" } else { "ROLLBACK" }.to_owned());
        for sql in statements {
            check::run(client, &sql)?;
        }
        Ok(commits)
    }

    fn change(&self, rng: &mut StdRng) -> String {
        let id = self.id * KEYS + rng.random_range(0..KEYS);
        let v = rng.random_range(0..1000);
        match rng.random_range(0..5) {
            0 => format!("DELETE FROM feed WHERE id = {id}"),
            1 => format!("UPDATE feed SET v = v WHERE id = {id}"),
            2 => format!(
                "UPDATE feed SET v = {v}, w = NULL WHERE id BETWEEN {id} AND {id} + 2 AND \
                          id < {}",
                (self.id + 1) * KEYS
            ),
            _ => format!(
                "INSERT INTO feed VALUES ({id}, {v}, 'w{v}') ON CONFLICT (id) DO UPDATE SET v = \
                 EXCLUDED.v, w = EXCLUDED.w"
            ),
        }
    }
}

impl Follower {
    fn subscribe(&mut self, target: &Target) -> std::result::Result<Client, Failure> {
        let mut client = Client::connect(target)?;
        let after = self.position.map_or_else(String::new, |p| format!(" AFTER {p}"));
        client.send_query(&format!("COPY (SUBSCRIBE feed WITH (PROGRESS){after}) TO STDOUT"))?;
        self.resumes += 1;
        Ok(client)
    }

    /// Follows for a random number of groups; whether to come again.
    fn follow(&mut self, target: &Target, killed: &AtomicBool, left: &AtomicU32) -> Result<bool> {
        let mut client = match self.subscribe(target) {
            Ok(client) => client,
            Err(e) if is_the_crash(&e, killed) => return Ok(false),
            Err(e) => return Err(e.into()),
        };
        // The last time it stays until the server is gone.
        let leaves = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        let mut groups = if leaves.is_ok() { rand::random_range(1..60) } else { u32::MAX };
        let mut group = Vec::new();
        while groups > 0 {
            match client.read_within(Duration::from_millis(200)) {
                Ok(Some(message)) => {
                    if self.take(message, &mut group, killed)? {
                        groups -= 1;
                    }
                }
                Ok(None) if killed.load(Ordering::SeqCst) => return Ok(false),
                Ok(None) => {}
                Err(_) if killed.load(Ordering::SeqCst) => return Ok(false),
                Err(e) => return Err(format!("the subscription broke: {e}").into()),
            }
        }
        Ok(true)
    }

    fn follow_to(&mut self, target: &Target, head: i64) -> Result<()> {
        if self.position.is_some_and(|p| p > head) {
            return Err(format!("was told of {:?}, but the head is {head}", self.position).into());
        }
        let mut client = self.subscribe(target)?;
        let (mut group, alive) = (Vec::new(), AtomicBool::new(false));
        while self.position.is_none_or(|p| p < head) {
            let message = client.read()?;
            self.take(message, &mut group, &alive)?;
        }
        Ok(())
    }

    /// Takes one message; whether it ended a group.
    fn take(
        &mut self,
        message: Backend,
        group: &mut Vec<Vec<String>>,
        killed: &AtomicBool,
    ) -> Result<bool> {
        let data = match message {
            Backend::CopyData(data) => data,
            Backend::Error(_) if killed.load(Ordering::SeqCst) => return Ok(false),
            Backend::Error(fields) => {
                return Err(format!("{}: {}", fields.sqlstate(), fields.message()).into());
            }
            Backend::CopyOut(..) | Backend::Notice(_) | Backend::ParameterStatus(..) => {
                return Ok(false);
            }
            other => return Err(format!("not a row: {other:?}").into()),
        };
        let line = String::from_utf8(data)?;
        let row: Vec<String> = line.trim_end_matches('\n').split('\t').map(str::to_owned).collect();
        if row.len() != 5 {
            return Err(format!("not five columns: {line:?}").into());
        }
        let position = row[0].parse::<i64>()?;
        match &*row[1] {
            "heartbeat" => {
                self.advance(position, group)?;
                Ok(false)
            }
            "commit" => {
                self.advance(position, group)?;
                for row in group.drain(..) {
                    self.fold(&row)?;
                }
                self.commits += 1;
                Ok(true)
            }
            _ => {
                if group.first().is_some_and(|first| first[0] != row[0]) {
                    return Err(format!("groups are mixed: {:?} and {row:?}", group[0]).into());
                }
                if self.position.is_some_and(|p| position <= p) && row[1] != "snapshot" {
                    return Err(format!("sent again: {row:?} after {:?}", self.position).into());
                }
                group.push(row);
                Ok(false)
            }
        }
    }

    fn advance(&mut self, position: i64, group: &[Vec<String>]) -> Result<()> {
        if self.position.is_some_and(|p| position < p) {
            return Err(
                format!("the marker goes back from {:?} to {position}", self.position).into()
            );
        }
        if group.iter().any(|row| row[0] != position.to_string()) {
            return Err(format!("the marker {position} does not end {group:?}").into());
        }
        self.position = Some(position);
        Ok(())
    }

    fn fold(&mut self, row: &[String]) -> Result<()> {
        let wrong = |what: &str| Err(format!("{what}: {row:?}").into());
        if row[1] == "reset" || row[1] == "truncate" {
            self.state.clear();
            return Ok(());
        }
        let id = row[2].parse::<i64>()?;
        let value = (row[3].clone(), row[4].clone());
        let before = match &*row[1] {
            "snapshot" | "insert" | "update" => self.state.insert(id, value),
            "delete" => self.state.remove(&id),
            _ => return wrong("an unknown operation"),
        };
        match (&*row[1], before.is_some()) {
            ("insert" | "snapshot", true) => return wrong("inserted twice"),
            ("update" | "delete", false) => return wrong("not there before"),
            _ => {}
        }
        if id >= LEDGER {
            let (writer, number) = (id / LEDGER, id % LEDGER);
            let last = self.ledgers.insert(writer, number);
            if row[1] != "snapshot" && (row[1] != "insert" || last.is_some_and(|l| l >= number)) {
                return wrong("a commit out of order or twice");
            }
        }
        Ok(())
    }
}
