//! Flushing changes where rows are, never what they are: the same questions before and after a
//! flush, a restart, and changes over cold rows; and the segments are ordinary Parquet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::tools;
use kalamdb_compat_tests::wire::Client;

const ROWS: usize = 2000;

/// Run against both servers at every stage; all have one right answer.
const QUESTIONS: &[&str] = &[
    "SELECT * FROM messages ORDER BY id LIMIT 20",
    "SELECT * FROM messages ORDER BY id DESC LIMIT 20",
    "SELECT * FROM messages WHERE id = 1",
    "SELECT * FROM messages WHERE id = 1000",
    "SELECT * FROM messages WHERE id = 1999",
    "SELECT * FROM messages WHERE id = 99999",
    "SELECT * FROM messages WHERE id IN (5, 500, 1500, 5000) ORDER BY id",
    "SELECT * FROM messages WHERE id BETWEEN 990 AND 1010 ORDER BY id",
    "SELECT * FROM messages WHERE id > 1990 ORDER BY id",
    "SELECT * FROM messages WHERE id < 10 ORDER BY id",
    "SELECT count(*) FROM messages",
    "SELECT count(*), count(body), count(score), count(seen) FROM messages",
    "SELECT min(id), max(id), sum(id) FROM messages",
    "SELECT min(body), max(body) FROM messages",
    "SELECT sum(score), avg(score), min(score), max(score) FROM messages",
    "SELECT min(at), max(at) FROM messages",
    "SELECT room, count(*) FROM messages GROUP BY room ORDER BY room",
    "SELECT room, sum(score) FROM messages GROUP BY room HAVING count(*) > 100 ORDER BY room",
    "SELECT seen, count(*) FROM messages GROUP BY seen ORDER BY seen",
    "SELECT count(DISTINCT room), count(DISTINCT body) FROM messages",
    "SELECT id FROM messages WHERE room = 'room 3' ORDER BY id LIMIT 15",
    "SELECT count(*) FROM messages WHERE room = 'room 3' AND seen",
    "SELECT id FROM messages WHERE body LIKE '%77%' ORDER BY id",
    "SELECT id FROM messages WHERE body IS NULL ORDER BY id LIMIT 10",
    "SELECT id, body FROM messages WHERE body = 'changed' ORDER BY id LIMIT 10",
    "SELECT count(*) FROM messages WHERE body = 'changed'",
    "SELECT id, score FROM messages WHERE score > 990 ORDER BY score, id LIMIT 20",
    "SELECT id, score FROM messages ORDER BY score DESC NULLS LAST, id LIMIT 10",
    "SELECT id FROM messages ORDER BY room, id LIMIT 10 OFFSET 50",
    "SELECT id, doc ->> 'k' FROM messages WHERE doc @> '{\"k\": 7}' ORDER BY id LIMIT 5",
    "SELECT id, tags FROM messages WHERE 't1' = ANY(tags) ORDER BY id LIMIT 5",
    "SELECT id, raw FROM messages WHERE raw = '\\x0007' ORDER BY id LIMIT 5",
    "SELECT id, u FROM messages ORDER BY id LIMIT 3",
    "SELECT id, at FROM messages WHERE at >= '2024-01-01 10:00+00' ORDER BY at, id LIMIT 5",
    "SELECT extract(hour FROM at), count(*) FROM messages GROUP BY 1 ORDER BY 1",
    "SELECT a.id, b.id FROM messages a JOIN messages b ON b.id = a.id + 1 WHERE a.id > 1980 \
     ORDER BY 1",
    "SELECT m.id, r.name FROM messages m JOIN rooms r ON r.name = m.room WHERE m.id < 20 \
     ORDER BY m.id",
    "SELECT r.name, count(m.id) FROM rooms r LEFT JOIN messages m ON m.room = r.name \
     GROUP BY r.name ORDER BY 1",
    "SELECT id FROM messages WHERE id IN (SELECT max(id) FROM messages GROUP BY room) ORDER BY id",
    "SELECT room, id FROM (SELECT room, id, row_number() OVER (PARTITION BY room ORDER BY id DESC) \
     AS r FROM messages) x WHERE r = 1 ORDER BY room",
    "SELECT id, lag(id) OVER (ORDER BY id) FROM messages WHERE id < 15 ORDER BY id",
    "WITH big AS (SELECT * FROM messages WHERE score > 500) SELECT count(*), sum(id) FROM big",
    "SELECT DISTINCT room FROM messages ORDER BY room",
    "SELECT id FROM messages WHERE id = ANY('{3,33,333}') ORDER BY id",
    "SELECT count(*) FROM messages WHERE late IS NULL",
    "SELECT id, late FROM messages WHERE late IS NOT NULL ORDER BY id LIMIT 5",
    "SELECT string_agg(id::text, ',' ORDER BY id) FROM messages WHERE id % 400 = 0",
    "SELECT array_agg(DISTINCT room ORDER BY room) FROM messages",
    "SELECT EXISTS (SELECT 1 FROM messages WHERE id = 1500), (SELECT body FROM messages WHERE id = 6)",
    "SELECT count(*) FROM (SELECT id FROM messages EXCEPT SELECT id FROM messages WHERE id > 5) x",
    "SELECT id % 10 AS k, count(*), max(body) FROM messages GROUP BY k ORDER BY k",
    "SELECT * FROM kept ORDER BY a, b",
];

const SETUP: &[&str] = &[
    "CREATE TABLE rooms (name text PRIMARY KEY)",
    "INSERT INTO rooms SELECT 'room ' || n FROM generate_series(0, 11) n",
    "CREATE TABLE messages (id int PRIMARY KEY, room text NOT NULL, body text, score numeric(8,2), \
     seen bool, at timestamptz, doc jsonb, tags text[], raw bytea, u uuid)",
    "CREATE INDEX messages_room ON messages (room)",
    "CREATE TABLE kept (a text, b int, c float8, PRIMARY KEY (b, a))",
    "INSERT INTO kept VALUES ('x', 1, 1.5), ('y', 1, 'NaN'), ('x', 2, NULL)",
];

/// Between one look and the next; `flush` and `restart` concern KalamDB alone.
const STAGES: &[&[&str]] = &[
    &[],
    &["flush"],
    &["restart"],
    &[
        "UPDATE messages SET body = 'changed', score = score + 1 WHERE id % 7 = 0",
        "DELETE FROM messages WHERE id % 11 = 0",
        "INSERT INTO messages (id, room, body) VALUES (5000, 'room 3', 'new'), (0, 'room 1', NULL)",
    ],
    &["kill"],
    &["flush"],
    &["ALTER TABLE messages ADD COLUMN late int", "UPDATE messages SET late = id WHERE id < 50"],
    &["flush", "restart"],
    &[
        "INSERT INTO messages (id, room) SELECT n, 'again' FROM generate_series(11, 99, 11) n",
        "UPDATE messages SET id = id + 10000 WHERE id BETWEEN 100 AND 105",
        "DELETE FROM messages WHERE room = 'room 5'",
    ],
    &["flush", "kill"],
];

#[test]
fn the_same_answers_hot_and_cold() {
    let mut oracle = Side::start(Product::Postgres);
    let mut ours = Side::start(Product::KalamDb);
    for side in [&mut oracle, &mut ours] {
        SETUP.iter().for_each(|sql| side.run(sql));
        side.load();
    }
    let mut differences = String::new();
    for (number, stage) in STAGES.iter().enumerate() {
        for action in *stage {
            oracle.act(action);
            ours.act(action);
        }
        for question in QUESTIONS.iter().filter(|q| number >= 6 || !q.contains("late")) {
            let (expected, found) = (oracle.ask(question), ours.ask(question));
            if expected != found {
                differences += &format!(
                    "after stage {number} {stage:?}: {question}\n  - {expected}\n  + {found}\n"
                );
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
    let counted = ours.ask("SELECT count(*) FROM messages");
    ours.server.stop().expect("the server stops");
    check_directory(&ours.server);
    let count: usize = counted.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    check_segments(&ours.server.data(), count);
}

struct Side {
    server: Server,
    client: Client,
}

impl Side {
    fn start(product: Product) -> Side {
        let server = Server::start(product).unwrap_or_else(|e| panic!("{product:?}: {e}"));
        let client = server.connect().expect("the superuser connects");
        Side { server, client }
    }

    fn run(&mut self, sql: &str) {
        check::run(&mut self.client, sql)
            .unwrap_or_else(|e| panic!("{:?}: {sql}: {e}", self.server.product()));
    }

    fn load(&mut self) {
        for chunk in (1..=ROWS).collect::<Vec<_>>().chunks(250) {
            let row = |n: &usize| {
                let body =
                    if n.is_multiple_of(13) { "NULL".to_owned() } else { format!("'body {n}'") };
                format!(
                    "({n}, 'room {}', {body}, {}.{:02}, {}, \
                     '2024-01-01 00:00+00'::timestamptz + {n} * interval '1 minute', \
                     '{{\"k\": {}}}', '{{t{}}}', '\\x00{:02x}', \
                     'a0eebc99-9c0b-4ef8-bb6d-{n:012}')",
                    n % 12,
                    n % 1000,
                    n % 100,
                    if n.is_multiple_of(3) { "true" } else { "false" },
                    n % 10,
                    n % 4,
                    n % 256,
                )
            };
            let rows: Vec<_> = chunk.iter().map(row).collect();
            self.run(&format!("INSERT INTO messages VALUES {}", rows.join(", ")));
        }
    }

    fn act(&mut self, action: &str) {
        let ours = self.server.product() == Product::KalamDb;
        match action {
            "flush" if ours => {
                self.run("SELECT kalam_flush('messages')");
                self.run("SELECT kalam_flush('kept')");
            }
            "restart" | "kill" if ours => {
                if action == "kill" {
                    self.server.kill().expect("the server is killed");
                } else {
                    assert_eq!(self.server.stop().expect("the server stops"), Some(0));
                }
                self.server.launch().unwrap_or_else(|e| panic!("it doesn't start again: {e}"));
                self.client = self.server.connect().expect("the superuser connects");
            }
            "flush" | "restart" | "kill" => {}
            sql => self.run(sql),
        }
    }

    fn ask(&mut self, question: &str) -> String {
        match check::run(&mut self.client, question) {
            Ok(answer) => format!("{:?}", answer.rows),
            Err(error) => error.to_string(),
        }
    }
}

fn check_directory(server: &Server) {
    let kalamdb = tools::kalamdb().expect("the server just ran");
    let output = Command::new(kalamdb).arg("check").arg(server.data()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kalamdb check: {said}");
}

/// Every segment opens with an ordinary Parquet reader and holds the rows its manifest counts.
fn check_segments(data: &Path, rows: usize) {
    let manifests = manifests(data);
    assert!(!manifests.is_empty(), "nothing was flushed below {}", data.display());
    let python = tools::python().unwrap_or_else(|e| panic!("{e}"));
    let script = tools::crate_directory().join("drivers/python/segments.py");
    let output = Command::new(python).arg(script).args(&manifests).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{errors}");
    // Segments hold at least the live rows of the last flush: nothing is hot after it.
    let held = said.lines().find_map(|l| l.strip_prefix("public.messages "));
    let held: usize = held.unwrap_or_else(|| panic!("no messages: {said}")).parse().unwrap();
    assert!(held >= rows, "{held} rows in segments, {rows} in the table");
}

fn manifests(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(manifests(&path));
        } else if path.file_name().is_some_and(|n| n == "manifest.json") {
            found.push(path);
        }
    }
    found
}
