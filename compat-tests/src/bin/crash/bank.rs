//! TPC-B: money is moved, never made, and every acknowledged move is in the history.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::Server;
use kalamdb_compat_tests::wire::{Client, Failure, Target};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{Result, is_the_crash, rows};

const BRANCHES: u32 = 4;
const TELLERS: u32 = 40;
const ACCOUNTS: u32 = 4000;

const TABLES: [&str; 7] = [
    "CREATE TABLE bank_branches (id int PRIMARY KEY, balance bigint NOT NULL)",
    "CREATE TABLE bank_tellers (id int PRIMARY KEY, balance bigint NOT NULL)",
    "CREATE TABLE bank_accounts (id int PRIMARY KEY, balance bigint NOT NULL, filler char(84))",
    "CREATE TABLE bank_history (client int, number int, delta bigint, at timestamptz DEFAULT \
     now(), PRIMARY KEY (client, number))",
    "INSERT INTO bank_branches SELECT n, 0 FROM generate_series(1, 4) n",
    "INSERT INTO bank_tellers SELECT n, 0 FROM generate_series(1, 40) n",
    "INSERT INTO bank_accounts SELECT n, 0, '' FROM generate_series(1, 4000) n",
];

/// The clients and what the server has told each of them.
pub(crate) struct Bank {
    clients: Vec<Teller>,
}

struct Teller {
    id: usize,
    /// The last transaction begun.
    number: u32,
    acknowledged: BTreeSet<u32>,
}

impl Bank {
    pub(crate) fn create(server: &Server, clients: usize) -> Result<Bank> {
        let mut admin = server.connect()?;
        for sql in TABLES {
            check::run(&mut admin, sql).map_err(|e| format!("{sql}: {e}"))?;
        }
        let teller = |id| Teller { id, number: 0, acknowledged: BTreeSet::new() };
        Ok(Bank { clients: (0..clients).map(teller).collect() })
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.clients.iter().map(|c| c.acknowledged.len()).sum()
    }

    /// Runs all clients until the server dies under them.
    pub(crate) fn run(&mut self, target: &Target, killed: &AtomicBool, seed: u64) -> Result<()> {
        std::thread::scope(|scope| {
            let running: Vec<_> = self
                .clients
                .iter_mut()
                .map(|teller| scope.spawn(move || teller.run(target, killed, seed)))
                .collect();
            for client in running {
                client.join().map_err(|_| "a client panicked")??;
            }
            Ok(())
        })
    }

    /// Asks the restarted server for everything it had acknowledged.
    pub(crate) fn verify(&self, server: &Server) -> Result<()> {
        let mut client = server.connect()?;
        let history = rows(&mut client, "SELECT client, number FROM bank_history")?;
        let mut there = BTreeSet::new();
        for row in history {
            if !there.insert((row[0].parse::<usize>()?, row[1].parse::<u32>()?)) {
                return Err(format!("client {} number {} is there twice", row[0], row[1]).into());
            }
        }
        for teller in &self.clients {
            let lost = teller.acknowledged.iter().find(|n| !there.contains(&(teller.id, **n)));
            if let Some(number) = lost {
                let id = teller.id;
                return Err(format!("acknowledged and lost: client {id} number {number}").into());
            }
        }
        let sums = rows(
            &mut client,
            "SELECT (SELECT sum(balance) FROM bank_branches), (SELECT sum(balance) FROM \
             bank_tellers), (SELECT sum(balance) FROM bank_accounts), (SELECT \
             coalesce(sum(delta), 0) FROM bank_history)",
        )?;
        if sums[0].iter().any(|sum| *sum != sums[0][0]) {
            return Err(format!("the sums differ: {:?}", sums[0]).into());
        }
        Ok(())
    }
}

impl Teller {
    fn run(&mut self, target: &Target, killed: &AtomicBool, seed: u64) -> Result<()> {
        let mixed = seed ^ (self.id as u64) << 32 ^ u64::from(self.number);
        let mut rng = StdRng::seed_from_u64(mixed);
        let mut client = match Client::connect(target) {
            Ok(client) => client,
            Err(e) if is_the_crash(&e, killed) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        loop {
            self.number += 1;
            match self.transaction(&mut client, &mut rng) {
                Ok(()) => {
                    self.acknowledged.insert(self.number);
                }
                Err(e) if is_the_crash(&e, killed) => return Ok(()),
                // The kill comes between the flag and its effect; give it its time to be noticed.
                Err(Failure::Io(_)) if killed.load(Ordering::SeqCst) => return Ok(()),
                Err(e) if matches!(e.sqlstate(), Some("40001" | "40P01")) => {
                    check::run(&mut client, "ROLLBACK")?;
                }
                Err(e) => return Err(format!("client {}: {e}", self.id).into()),
            }
        }
    }

    fn transaction(
        &self,
        client: &mut Client,
        rng: &mut StdRng,
    ) -> std::result::Result<(), Failure> {
        let delta = rng.random_range(-5000..5000);
        let account = rng.random_range(1..=ACCOUNTS);
        let teller = rng.random_range(1..=TELLERS);
        let branch = rng.random_range(1..=BRANCHES);
        for sql in [
            "BEGIN".to_owned(),
            format!("UPDATE bank_accounts SET balance = balance + {delta} WHERE id = {account}"),
            format!("SELECT balance FROM bank_accounts WHERE id = {account}"),
            format!("UPDATE bank_tellers SET balance = balance + {delta} WHERE id = {teller}"),
            format!("UPDATE bank_branches SET balance = balance + {delta} WHERE id = {branch}"),
            format!(
                "INSERT INTO bank_history (client, number, delta) VALUES ({}, {}, {delta})",
                self.id, self.number
            ),
            "COMMIT".to_owned(),
        ] {
            check::run(client, &sql)?;
        }
        Ok(())
    }
}
