//! What the server takes for many rows is bounded: by the largest commit on the way in, by a few
//! batches on the way out, by row groups on the way to the cold tier; never by the table.
//!
//! Looks at the peak of the server's process, which begins anew before each step.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server, Settings};
use kalamdb_compat_tests::wire::{Backend, Client, Failure, Frontend};

/// Rows of one COPY, and how many COPYs: `KALAMDB_MEMORY_COPIES` makes the table larger, and the
/// bounds stay the same.
const COPY_ROWS: usize = 50_000;
const COPIES: usize = 8;
/// Text that makes a row about 250 bytes, so the table is about 100 MB: more than is allowed to be
/// in memory to read or flush it.
const BODY_BYTES: usize = 220;

const MIB: u64 = 1 << 10;
/// What is kept by design: memtables, hot and cold blocks, footers. Small, so that the rest shows.
const SETTINGS: &[(&str, &str)] = &[
    ("block_cache_size", "4MB"),
    ("memtable_size", "4MB"),
    ("segment_cache_size", "1MB"),
    ("cold_cache_size", "1MB"),
    ("max_commit_size", "16MB"),
    ("max_wal_size", "32MB"),
    ("row_group_rows", "8192"),
    ("flush_automatic", "off"),
];
/// In units of the largest commit. A COPY holds its rows until it commits: as the write set, and
/// twice as much, as rows and as log record, in the batch, in RocksDB's copy of it and in the
/// memtables. The memtables of commits before it may still be on their way to the disk.
const COPY_GROWTH_KIB: u64 = 24 * 16 * MIB;
/// Batches under way and the socket's buffers.
const READ_GROWTH_KIB: u64 = 64 * MIB;
/// The largest commit in a write set, and the batches that fill it.
const DEFINE_GROWTH_KIB: u64 = 64 * MIB + 2 * 16 * MIB;
/// A row group being written, and the batches that fill it.
const FLUSH_GROWTH_KIB: u64 = 64 * MIB;

/// The server's memory over the steps.
struct Watch {
    pid: u32,
}

impl Watch {
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Runs a step; by how much the peak rose over what was there before, in KiB.
    fn growth(&self, name: &str, bound: u64, step: impl FnOnce()) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").unwrap();
        let before = self.status("VmRSS");
        step();
        let peak = self.status("VmHWM");
        let growth = peak.saturating_sub(before);
        eprintln!("{name}: {} MiB and {} MiB more", before / MIB, growth / MIB);
        assert!(growth < bound, "{name} took {growth} KiB more than the {before} there were");
    }
}

/// Text that compresses badly.
fn body(row: usize) -> String {
    let mut state = (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..BODY_BYTES).map(letter).collect()
}

/// COPY of some rows; the error's code if there is one.
fn copy(client: &mut Client, first: usize, rows: usize) -> Option<String> {
    client.send_query("COPY t (id, room, body) FROM STDIN").unwrap();
    while !matches!(client.read().unwrap(), Backend::CopyIn(..)) {}
    let mut frames = Frontend::default();
    let mut text = String::new();
    for row in first..first + rows {
        text += &format!("{row}\t{}\t{}\n", row % 100, body(row));
        if text.len() > 60_000 || row + 1 == first + rows {
            frames.copy_data(text.as_bytes());
            client.send(&frames).unwrap();
            frames.clear();
            text.clear();
        }
    }
    frames.copy_done();
    client.send(&frames).unwrap();
    let answers = client.until_ready().unwrap();
    answers.iter().find_map(|answer| match answer {
        Backend::Error(fields) => Some(fields.sqlstate().to_owned()),
        _ => None,
    })
}

/// Reads a result without keeping it; the number of rows.
fn drain(client: &mut Client, send: impl FnOnce(&mut Client)) -> usize {
    send(client);
    let mut rows = 0;
    loop {
        match client.read_within(Duration::from_secs(600)).unwrap().unwrap() {
            Backend::DataRow(_) | Backend::CopyData(_) => rows += 1,
            Backend::Error(fields) => panic!("{}", fields.message()),
            Backend::ReadyForQuery(_) => return rows,
            _ => {}
        }
    }
}

fn read_all(watch: &Watch, client: &mut Client, tier: &str, rows: usize) {
    for sql in ["SELECT * FROM t", "COPY t TO STDOUT", "SELECT * FROM t ORDER BY id DESC"] {
        watch.growth(&format!("{sql}, {tier}"), READ_GROWTH_KIB, || {
            let got = drain(client, |client| client.send_query(sql).unwrap());
            assert_eq!(got, rows, "{sql}");
        });
    }
    watch.growth(&format!("SELECT *, extended protocol, {tier}"), READ_GROWTH_KIB, || {
        let got = drain(client, |client| {
            let mut frames = Frontend::default();
            frames.one_statement("SELECT * FROM t");
            client.send(&frames).unwrap();
        });
        assert_eq!(got, rows);
    });
    let sql = "SELECT count(*), sum(id), max(body) FROM t WHERE body LIKE '%zz%'";
    watch.growth(&format!("aggregates, {tier}"), READ_GROWTH_KIB, || {
        check::run(client, sql).unwrap();
    });
}

/// Definitions that rewrite the rows, or index them, hold no more than the largest commit.
fn define_too_much(watch: &Watch, client: &mut Client, tier: &str) {
    for sql in [
        "ALTER TABLE t ALTER COLUMN room TYPE bigint",
        "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (room, id)",
        "CREATE INDEX t_body ON t (body)",
        "CREATE UNIQUE INDEX t_room ON t (room, id)",
    ] {
        watch.growth(&format!("{sql}, {tier}"), DEFINE_GROWTH_KIB, || {
            let refused = check::run(client, sql).err();
            assert_eq!(refused.as_ref().and_then(Failure::sqlstate), Some("54000"), "{sql}");
        });
    }
}

#[test]
fn many_rows_take_bounded_memory() {
    let set = SETTINGS.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let settings = Settings { set: set.collect(), ..Settings::default() };
    let server = Server::start_with(Product::KalamDb, settings).unwrap();
    let watch = Watch { pid: server.pid().unwrap() };
    let mut client = server.connect().unwrap();
    check::run(&mut client, "CREATE TABLE t (id int PRIMARY KEY, room int, body text)").unwrap();
    let copies = std::env::var("KALAMDB_MEMORY_COPIES").map_or(COPIES, |n| n.parse().unwrap());
    let rows = copies * COPY_ROWS;
    // Below the largest commit, as often as it takes.
    watch.growth("COPY in", COPY_GROWTH_KIB, || {
        for first in (0..rows).step_by(COPY_ROWS) {
            assert_eq!(copy(&mut client, first, COPY_ROWS), None);
        }
    });
    // Above it: refused when it gets too large, not when it is all there.
    watch.growth("COPY in of too much", COPY_GROWTH_KIB, || {
        assert_eq!(copy(&mut client, rows, 8 * COPY_ROWS).as_deref(), Some("54000"));
    });
    read_all(&watch, &mut client, "hot", rows);
    define_too_much(&watch, &mut client, "hot");
    watch.growth("flush", FLUSH_GROWTH_KIB, || {
        check::run(&mut client, "SELECT kalam_flush('t')").unwrap();
    });
    read_all(&watch, &mut client, "cold", rows);
    define_too_much(&watch, &mut client, "cold");
}
