//! Plans that serve many runs, and rows in the order of a key: the same answers as PostgreSQL's,
//! whatever changes between the runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::Client;

const SETUP: &[&str] = &[
    "CREATE TABLE events (id int PRIMARY KEY, room int NOT NULL, at timestamptz, n int, s text)",
    "INSERT INTO events SELECT n, n % 7, CASE WHEN n % 5 > 0 THEN timestamptz '2024-03-01 00:00+00' \
     + n * interval '7 hours' END, CASE WHEN n % 4 > 0 THEN n % 9 END, 's' || n % 11 \
     FROM generate_series(1, 300) n",
    "CREATE INDEX events_room ON events (room, id)",
    "CREATE INDEX events_n ON events (n)",
    "CREATE INDEX events_at ON events (at DESC)",
    "CREATE INDEX events_mixed ON events (s, n DESC)",
    "CREATE TABLE rooms (room int PRIMARY KEY, title text)",
    "INSERT INTO rooms SELECT n, 'room ' || n FROM generate_series(0, 5) n",
    "CREATE TABLE heap (a int, b int)",
    "INSERT INTO heap SELECT n % 10, n FROM generate_series(1, 50) n",
    "CREATE INDEX heap_a ON heap (a)",
];

fn rows(client: &mut Client, sql: &str) -> String {
    match check::run(client, sql) {
        Ok(answer) => format!("{:?} {:?} {}", answer.columns, answer.rows, answer.tag),
        Err(failure) => format!("{:?}", failure.sqlstate()),
    }
}

/// KalamDB beside PostgreSQL.
struct Pair {
    ours: Client,
    oracle: Client,
    wrong: String,
}

impl Pair {
    fn run(&mut self, sql: &str) {
        let (ours, oracle) = (rows(&mut self.ours, sql), rows(&mut self.oracle, sql));
        if ours != oracle {
            self.wrong += &format!("{sql}\n  - {oracle}\n  + {ours}\n");
        }
    }

    fn finish(self) {
        assert!(self.wrong.is_empty(), "\n{}", self.wrong);
    }
}

fn with_pair(test: impl FnOnce(&mut Pair)) {
    let servers = [Product::KalamDb, Product::Postgres].map(|p| Server::start(p).unwrap());
    let [ours, oracle] = servers.each_ref().map(|server| server.connect().unwrap());
    let mut pair = Pair { ours, oracle, wrong: String::new() };
    SETUP.iter().for_each(|sql| pair.run(sql));
    test(&mut pair);
    pair.finish();
}

/// Prepared queries and the arguments they are run with, one after the other.
const PREPARED: &[(&str, &[&str])] = &[
    ("SELECT count(*), min(id), sum(n) FROM events WHERE room = $1", &["1", "2", "NULL", "9", "1"]),
    (
        "SELECT id FROM events WHERE room = $1 AND n = $2 ORDER BY id DESC",
        &["1, 2", "3, 4", "3, NULL"],
    ),
    (
        "SELECT e.id, r.title FROM events e LEFT JOIN rooms r USING (room) WHERE e.id < $1 \
         ORDER BY e.id DESC LIMIT $2",
        &["10, 3", "20, 3", "20, 5", "0, 5", "20, NULL", "20, 0"],
    ),
    ("SELECT count(*) FROM events WHERE n = $1 OR $1 IS NULL", &["1", "2", "NULL", "3", "NULL"]),
    ("SELECT count(*) FROM events WHERE $1::int IS NULL OR id = $1", &["1", "2", "NULL", "3"]),
    (
        "SELECT count(*) FROM events WHERE id = ANY ($1::int[])",
        &["'{1,2,3}'", "'{}'", "'{5}'", "NULL"],
    ),
    ("SELECT count(*) FROM events WHERE id IN ($1, $2, 7)", &["1, 2", "7, 7", "NULL, 3", "8, 9"]),
    (
        "SELECT count(*), max(at) FROM events WHERE at < $1",
        &["'2024-03-05 00:00'", "'2024-03-10'", "NULL", "'infinity'", "'2024-03-07 12:00+05'"],
    ),
    (
        "SELECT room, (SELECT count(*) FROM events e WHERE e.room = r.room AND e.n > $1) FROM rooms r \
         ORDER BY room OFFSET $2",
        &["1, 0", "2, 1", "3, 0", "NULL, 2"],
    ),
    (
        "SELECT CASE WHEN id % 2 = $1 THEN (SELECT title FROM rooms WHERE room = e.room) ELSE '-' END \
         FROM events e WHERE id < 9 ORDER BY id",
        &["0", "1", "0", "NULL"],
    ),
    ("SELECT current_user, count(*) FROM events WHERE id > $1", &["1", "2", "3"]),
    ("SELECT count(*) FROM events WHERE s LIKE $1", &["'s1%'", "'s2'", "''", "NULL"]),
    (
        "SELECT s, count(*) FROM events GROUP BY s HAVING count(*) > $1 ORDER BY s",
        &["27", "26", "0"],
    ),
    (
        "SELECT $1::text || id FROM events WHERE id = $2 + 1 AND room >= 0",
        &["'a', 1", "'b', 2", "NULL, 3"],
    ),
    (
        "WITH RECURSIVE r(n) AS (SELECT $1::int UNION ALL SELECT n + 1 FROM r WHERE n < $2) \
      SELECT count(*), sum(n) FROM r",
        &["1, 5", "2, 9", "3, 3"],
    ),
    (
        "SELECT n FROM generate_series($1::int, $2::int) n WHERE n NOT IN (SELECT room FROM rooms)",
        &["0, 8", "5, 7", "7, 7", "NULL, 3"],
    ),
    (
        "UPDATE events SET n = n + $1 WHERE room = $2 AND n IS NOT NULL",
        &["1, 1", "-1, 1", "1, 2", "-1, 2"],
    ),
    ("DELETE FROM heap WHERE a = $1 AND b > $2", &["1, 40", "2, 40", "3, 45", "NULL, 0"]),
    (
        "INSERT INTO heap SELECT $1, id FROM events WHERE room = $2 AND id < 20",
        &["1, 1", "2, 2", "3, 1"],
    ),
];

#[test]
fn plans_know_nothing_of_the_run_before() {
    with_pair(|pair| {
        for (i, (query, runs)) in PREPARED.iter().enumerate() {
            pair.run(&format!("PREPARE p{i} AS {query}"));
            for arguments in runs.iter().chain(*runs) {
                pair.run(&format!("EXECUTE p{i} ({arguments})"));
            }
        }
        // What a session says of itself isn't in the plan either.
        pair.run("PREPARE zone AS SELECT max(at::text), count(*) FROM events WHERE at::date = $1");
        pair.run("PREPARE clock AS SELECT count(*) FROM events WHERE at < now() AND id < $1");
        pair.run("PREPARE path AS SELECT count(*) FROM heap WHERE b > $1 AND a < 100");
        for zone in ["UTC", "Asia/Tokyo", "America/New_York", "UTC"] {
            pair.run(&format!("SET TimeZone = '{zone}'"));
            for day in ["2024-03-02", "2024-03-05"] {
                pair.run(&format!("EXECUTE zone ('{day}')"));
            }
            pair.run("EXECUTE clock (100)");
        }
        for sql in [
            "EXECUTE path (10)",
            "EXECUTE path (20)",
            "EXECUTE path (30)",
            "BEGIN",
            "INSERT INTO heap VALUES (1, 1000)",
            "EXECUTE path (40)",
            "SAVEPOINT s",
            "DELETE FROM heap",
            "EXECUTE path (40)",
            "ROLLBACK TO s",
            "EXECUTE path (40)",
            "ROLLBACK",
            "EXECUTE path (40)",
        ] {
            pair.run(sql);
        }
    });
}

/// Subqueries that are computed by row, and LIMITs that aren't constant: each run several times.
const REPEATED: &[&str] = &[
    "VALUES ((SELECT 1))",
    "SELECT e.id FROM events e JOIN rooms r USING (room) WHERE e.n = 3 ORDER BY e.id \
     LIMIT current_setting('extra_float_digits')::int + 2",
    "SELECT e.id FROM events e JOIN rooms r USING (room) ORDER BY e.id DESC \
     LIMIT length(current_user) OFFSET 1",
    "SELECT count(*), sum(g) FROM generate_series(1, 30) a, \
     LATERAL (SELECT g FROM generate_series(1, 3000 + a) g OFFSET 0) x",
    "SELECT count(*) FROM generate_series(1, 3000) a LEFT JOIN \
     LATERAL (SELECT g FROM generate_series(1, a % 7) g OFFSET 0) x ON true",
    "SELECT id, CASE WHEN room = 0 THEN -1 WHEN 10 / room > 3 THEN \
     (SELECT n FROM events i WHERE i.room = e.room AND i.n > 2 ORDER BY id LIMIT 1) ELSE 0 END \
     FROM events e WHERE id < 20 ORDER BY id",
    "SELECT id, CASE WHEN room = 0 THEN 'none' ELSE (SELECT title FROM rooms WHERE room = 6 / e.room) END \
     FROM events e WHERE id < 20 ORDER BY id",
    "SELECT id, CASE WHEN room = 0 THEN false ELSE EXISTS (SELECT FROM rooms WHERE room = 10 / e.room) END \
     FROM events e WHERE id < 20 ORDER BY id",
    "SELECT id, coalesce(n, (SELECT max(n) FROM events i WHERE i.room = e.room)) \
     FROM events e WHERE id < 20 ORDER BY id",
];

#[test]
fn subqueries_run_where_their_value_is_needed() {
    with_pair(|pair| {
        for sql in REPEATED {
            (0..4).for_each(|_| pair.run(sql));
        }
    });
}

const ORDERS: &[&str] = &[
    "id",
    "id DESC",
    "room, id",
    "room DESC, id DESC",
    "room, id DESC",
    "n, id",
    "n DESC, id DESC",
    "n DESC, id",
    "n NULLS FIRST, id",
    "n DESC NULLS LAST, id DESC",
    "at, id DESC",
    "at DESC, id",
    "at DESC, id DESC",
    "at NULLS FIRST, id",
    "s, n DESC, id",
    "s DESC, n, id DESC",
    "s, n, id",
    "s, id",
    "id, n",
    "room, room, id",
    "n + 0, id",
    "length(s), id",
];

const CONDITIONS: &[&str] = &[
    "true",
    "room = 3",
    "room = 3 AND id > 100",
    "room = 3 AND id <= 200 AND id > 20",
    "n = 4",
    "n > 4",
    "n <= 4 AND n > 1",
    "n IS NULL",
    "at > '2024-03-10'",
    "at < '2024-03-10' AND room = 2",
    "s = 's3'",
    "s = 's3' AND n < 5",
    "s > 's3'",
    "id BETWEEN 20 AND 40",
    "id = 20",
    "id > 290 OR id < 5",
    "room = 1 AND room = 2",
    "id > 5 AND id > 10",
    "n = 4 AND s = 's4'",
    "room > NULL",
];

#[test]
fn the_order_of_a_key_is_the_order_asked_for() {
    with_pair(|pair| {
        for step in [
            "SELECT 1",
            "UPDATE events SET n = NULL WHERE id % 17 = 0",
            "BEGIN; DELETE FROM events WHERE id % 13 = 0; UPDATE events SET at = NULL, n = 4 \
             WHERE id % 19 = 0; INSERT INTO events VALUES (1000, 3, NULL, 4, 's3'), (0, 3, '2024-03-04 05:06+00', NULL, '')",
        ] {
            pair.run(step);
            for order in ORDERS {
                for condition in CONDITIONS {
                    let query = format!("SELECT * FROM events WHERE {condition} ORDER BY {order}");
                    pair.run(&format!("{query} LIMIT 5"));
                    pair.run(&format!("{query} LIMIT 3 OFFSET 4"));
                    pair.run(&format!("SELECT count(*) FROM ({query}) q"));
                }
            }
            pair.run("SELECT * FROM heap WHERE a = 3 ORDER BY b LIMIT 2");
            pair.run("SELECT a FROM heap WHERE a > 3 ORDER BY a LIMIT 2");
            pair.run("SELECT a FROM heap ORDER BY a DESC LIMIT 7");
            if step == "SELECT 1" {
                rows(&mut pair.ours, "SELECT kalam_flush('events')");
            }
        }
    });
}
