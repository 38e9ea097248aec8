//! Two ways to one answer: what the short path takes from the key, the planned path finds by
//! looking at every row; what a template shares among texts, each text says by itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::Client;

const SETUP: &[&str] = &[
    "CREATE TABLE ints (k int PRIMARY KEY, b bigint UNIQUE, s smallint, v text)",
    "INSERT INTO ints SELECT n, n * 3000000000, n % 7, 'v' || n FROM generate_series(-20, 20) n",
    "CREATE TABLE texts (k text PRIMARY KEY, c char(4), w varchar(8) UNIQUE)",
    "INSERT INTO texts VALUES ('a', 'a', 'a'), ('A', 'a ', 'A'), ('', '', NULL), ('ä', 'ab', 'ä'), \
     ('a''b', NULL, 'a''b'), ('a\\b', 'abcd', 'a b')",
    "CREATE TABLE numbers (k numeric PRIMARY KEY, f float8 UNIQUE)",
    "INSERT INTO numbers VALUES (1, 1), (1.5, -0.0), (100.00, 'NaN'), ('NaN', 'Infinity'), (0, NULL)",
    "CREATE TABLE times (k timestamptz PRIMARY KEY, d date UNIQUE, i interval UNIQUE)",
    "INSERT INTO times VALUES ('2024-01-01 00:00+00', '2024-01-01', '1 month'), \
     ('infinity', 'infinity', '25 hours'), ('2024-01-01 12:00+02', NULL, NULL)",
    "CREATE TABLE pairs (a int, b text, c uuid, d bool, PRIMARY KEY (b, a))",
    "INSERT INTO pairs SELECT n % 5, 'b' || n % 3, NULL, n % 2 = 0 FROM generate_series(0, 14) n",
    "CREATE INDEX pairs_d ON pairs (d, a)",
];

/// A table, a column to order the answer by, and conditions.
const CONDITIONS: &[(&str, &str, &[&str])] = &[
    (
        "ints",
        "k",
        &[
            "k = 5",
            "k = -5",
            "k = 5.0",
            "k = '5'",
            "k = 3000000000",
            "k = NULL",
            "5 = k",
            "k = 2 + 3",
            "k = 5 AND v = 'v5'",
            "k = 5 AND v = 'v6'",
            "k = 5 AND k = 6",
            "k = 5 OR k = 6",
            "k IN (5, 6, 99)",
            "b = 15000000000",
            "b = 0",
            "b = 1 + 1",
            "b = -3000000000 AND s = -1",
            "s = 3",
            "k BETWEEN 3 AND 5",
            "k = 5 AND s IN (5, 6)",
        ],
    ),
    (
        "texts",
        "k",
        &[
            "k = 'a'",
            "k = 'A'",
            "k = ''",
            "k = 'ä'",
            "k = 'a''b'",
            "k = 'a\\b'",
            "k = 'a '",
            "c = 'a'",
            "c = 'a  '",
            "w = 'a'",
            "w = 'a '",
            "w = 'a' || 'b'",
            "k = 'a' AND w = 'a'",
        ],
    ),
    (
        "numbers",
        "k",
        &[
            "k = 1",
            "k = 1.0",
            "k = 1.50",
            "k = 100",
            "k = 'NaN'",
            "k = 1e2",
            "k = 1.5::float8",
            "f = 0",
            "f = -0.0",
            "f = 'NaN'",
            "f = 'Infinity'",
            "f = 1",
            "f = 1.0 AND k = 1",
        ],
    ),
    (
        "times",
        "k",
        &[
            "k = '2024-01-01'",
            "k = '2024-01-01 10:00+00'",
            "k = 'infinity'",
            "k = timestamptz '2024-01-01 12:00+02'",
            "d = '2024-01-01'",
            "d = 'infinity'",
            "i = '30 days'",
            "i = '1 day 01:00'",
            "i = '1 month'",
            "d = date '2024-01-01' + 0",
        ],
    ),
    (
        "pairs",
        "b, a",
        &[
            "b = 'b1'",
            "a = 1",
            "b = 'b1' AND a = 1",
            "a = 1 AND b = 'b1' AND d",
            "d = true",
            "d = true AND a = 2",
            "d AND a = 2",
            "b = 'b1' AND a > 1",
            "b = 'b1' AND c IS NULL",
        ],
    ),
];

fn rows(client: &mut Client, sql: &str) -> String {
    match check::run(client, sql) {
        Ok(answer) => format!("{:?} {:?}", answer.columns, answer.rows),
        Err(failure) => format!("{:?}", failure.sqlstate()),
    }
}

/// Asks by key, by looking at all rows (OFFSET 0 keeps the condition off the table), and
/// PostgreSQL.
fn ask(
    ours: &mut Client,
    oracle: &mut Client,
    table: &str,
    order: &str,
    condition: &str,
) -> String {
    let by_key = format!("SELECT * FROM {table} WHERE {condition} ORDER BY {order}");
    let by_plan = format!(
        "SELECT * FROM (SELECT * FROM {table} OFFSET 0) x WHERE {condition} ORDER BY {order}"
    );
    // Without an order, so that ranges of a key take the short path as well.
    let bare = format!("SELECT count(*) FROM {table} WHERE {condition}");
    let mut wrong = String::new();
    for sql in [&by_key, &by_plan, &bare] {
        // The second time what the first has left in the caches is used.
        for _ in 0..2 {
            let (found, expected) = (rows(ours, sql), rows(oracle, sql));
            if found != expected {
                wrong += &format!("{sql}\n  - {expected}\n  + {found}\n");
            }
        }
    }
    wrong
}

#[test]
fn both_paths_answer_alike() {
    let start = |product| Server::start(product).unwrap_or_else(|e| panic!("{product:?}: {e}"));
    let (server, postgres) = (start(Product::KalamDb), start(Product::Postgres));
    let (mut ours, mut oracle) = (server.connect().unwrap(), postgres.connect().unwrap());
    for sql in SETUP {
        check::run(&mut ours, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        check::run(&mut oracle, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut wrong = String::new();
    for (table, order, conditions) in CONDITIONS {
        for condition in *conditions {
            wrong += &ask(&mut ours, &mut oracle, table, order, condition);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    let mut explain = |sql: &str| rows(&mut ours, &format!("EXPLAIN {sql}"));
    assert!(explain("SELECT * FROM ints WHERE k = 5").contains("Short Path Get"));
    assert!(explain("SELECT * FROM pairs WHERE b = 'b1'").contains("Short Path Range Scan"));
    let planned = explain("SELECT * FROM (SELECT * FROM ints OFFSET 0) x WHERE k = 5");
    assert!(!planned.contains("Short Path"), "{planned}");
}

/// Statements that differ in their literals only share a plan; an error is the text's own.
#[test]
fn literals_are_parameters_where_that_means_the_same() {
    const STATEMENTS: &[&str] = &[
        "SELECT k FROM ints WHERE k = 1",
        "SELECT k FROM ints WHERE k = 2",
        "SELECT k FROM ints WHERE k = 3000000000",
        "SELECT k FROM ints WHERE k = 'x'",
        "SELECT k FROM ints WHERE k = '2'",
        "SELECT k FROM ints WHERE v = 2",
        "SELECT k + 1, count(*) FROM ints WHERE k > 18 GROUP BY k + 1 ORDER BY 1",
        "SELECT DISTINCT k + 1 FROM ints WHERE k > 18 ORDER BY k + 1",
        "SELECT k FROM ints ORDER BY 1 LIMIT 2 OFFSET 1",
        "SELECT k FROM ints ORDER BY 1 LIMIT -1",
        "SELECT k FROM ints WHERE k = 2147483647 + 1",
        "SELECT k FROM ints WHERE 1 / 0 = 1",
        "SELECT k FROM nosuch WHERE k = 1",
        "INSERT INTO ints (k, v) VALUES (100, 'new'), (101, NULL) RETURNING *",
        "INSERT INTO ints (k, v) VALUES (100, 'new')",
        "INSERT INTO ints (k, s) VALUES (102, 40000)",
        "INSERT INTO ints (k, v) VALUES ('y', 'new')",
        "INSERT INTO texts (k, c) VALUES ('long', 'abcde')",
        "INSERT INTO times (k, d) VALUES ('now', 'yesterday')",
        "SELECT k = now() FROM times WHERE k = 'now'",
        "UPDATE ints SET s = s + 1, v = 'it''s' WHERE k IN (1, 2) RETURNING k, s, v",
        "UPDATE ints SET b = b + -5 WHERE k = -1 RETURNING b",
        "UPDATE ints SET s = s + 32767 WHERE k = 3",
        "DELETE FROM ints WHERE k BETWEEN 100 AND 101 RETURNING k",
        "SELECT v FROM ints WHERE v LIKE 'v1%' AND k = 12",
        "SELECT k FROM numbers WHERE k = 1.5 AND f = 0.0",
        "SELECT k FROM ints WHERE oid = 'ints'",
        "SELECT relname FROM pg_class WHERE oid = 'ints'::regclass",
        "SELECT typname FROM pg_type WHERE oid = 23 AND typlen = 4",
    ];
    let start = |product| Server::start(product).unwrap_or_else(|e| panic!("{product:?}: {e}"));
    let (server, postgres) = (start(Product::KalamDb), start(Product::Postgres));
    let (mut ours, mut oracle) = (server.connect().unwrap(), postgres.connect().unwrap());
    for sql in SETUP {
        check::run(&mut ours, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        check::run(&mut oracle, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut wrong = String::new();
    for sql in STATEMENTS {
        for text in [(*sql).to_owned(), format!("{sql} -- as it is")] {
            for _ in 0..2 {
                check::run(&mut ours, "BEGIN").unwrap();
                check::run(&mut oracle, "BEGIN").unwrap();
                let (found, expected) = (whole(&mut ours, &text), whole(&mut oracle, &text));
                if found != expected {
                    wrong += &format!("{text}\n  - {expected}\n  + {found}\n");
                }
                check::run(&mut ours, "ROLLBACK").unwrap();
                check::run(&mut oracle, "ROLLBACK").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Rows, or the error with its message and place.
fn whole(client: &mut Client, sql: &str) -> String {
    use kalamdb_compat_tests::wire::Backend;
    let mut said = String::new();
    for message in client.query(sql).unwrap() {
        match message {
            Backend::DataRow(values) => said += &format!("{values:?} "),
            Backend::CommandComplete(tag) => said += &tag,
            Backend::Error(fields) => {
                let (code, place) = (fields.sqlstate(), fields.get(b'P'));
                said += &format!("{code} {} at {place}", fields.message());
            }
            _ => {}
        }
    }
    said
}
