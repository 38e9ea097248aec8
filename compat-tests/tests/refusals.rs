//! What PostgreSQL has and this server doesn't is refused with a sentence, never accepted and
//! ignored. Each line fails with its SQLSTATE; what asks for what is so anyway succeeds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client, Failure};

const SCHEMA: &[&str] = &[
    "CREATE TABLE t (a int, b text CONSTRAINT bu UNIQUE)",
    "CREATE ROLE bob LOGIN",
    "PREPARE p (int) AS SELECT $1 + 1",
    "CREATE VIEW shown AS SELECT * FROM t",
];

/// Each is refused with 0A000.
const NOT_THERE: &[&str] = &[
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE t REPLICA IDENTITY FULL",
    "ALTER TABLE t CLUSTER ON bu",
    "ALTER TABLE t ALTER a SET STATISTICS 10",
    "ALTER TABLE t ALTER b SET STORAGE PLAIN",
    "ALTER TABLE t ALTER b SET COMPRESSION lz4",
    "ALTER TABLE t ALTER a SET (n_distinct = 5)",
    "ALTER TABLE t ALTER a RESET (n_distinct)",
    "ALTER TABLE t ALTER b TYPE text COLLATE \"en_US\"",
    "ALTER TABLE t SET (fillfactor = 70)",
    "ALTER TABLE t SET (autovacuum_enabled = false)",
    "ALTER TABLE t SET (toast.autovacuum_enabled = false)",
    "ALTER TABLE t SET (parallel_workers = 2, fillfactor = 100)",
    "ALTER TABLE t RESET (kind)",
    "ALTER VIEW shown SET (security_barrier)",
    "ALTER VIEW shown SET (security_invoker = on)",
    "ALTER VIEW shown SET (check_option = local)",
    "ALTER VIEW shown SET (kind = 'shared')",
    "CREATE TABLE u (a int) WITH (fillfactor = 10)",
    "CREATE TABLE u (a int) WITH (autovacuum_vacuum_threshold = 50)",
    "CREATE TABLE u (a int) WITH (toast_tuple_target = 128)",
    "CREATE TABLE u WITH (user_catalog_table = true) AS SELECT 1",
    "CREATE VIEW v WITH (security_barrier) AS SELECT 1",
    "CREATE VIEW v WITH (security_invoker = true) AS SELECT 1",
    "CREATE UNLOGGED TABLE u (a int)",
    "CREATE TABLE u (a text COMPRESSION pglz)",
    "CREATE INDEX ON t (a) WITH (fillfactor = 50)",
    "CREATE INDEX ON t (b COLLATE \"en_US\")",
    "CREATE INDEX ON t USING hash (a)",
    "CREATE INDEX ON t USING gin (b)",
    "CREATE INDEX ON t (a NULLS FIRST)",
    "CREATE TYPE mood AS ENUM ('ok')",
    "CREATE DOMAIN d AS int",
    "CREATE EXTENSION pgcrypto",
    "CREATE MATERIALIZED VIEW m AS SELECT 1",
    "REFRESH MATERIALIZED VIEW m",
    "CREATE RECURSIVE VIEW v (n) AS SELECT 1",
    "CREATE VIEW v AS SELECT * FROM t WITH CHECK OPTION",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE POLICY p ON t",
    "CREATE TABLE u (a int) PARTITION BY RANGE (a)",
    "CREATE TABLE u () INHERITS (t)",
    "CREATE TABLE u (a int REFERENCES t (a))",
    "CREATE TABLE u (a int UNIQUE DEFERRABLE)",
    "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    "CREATE SCHEMA s CREATE TABLE x (a int)",
    "CREATE DATABASE other",
    "DROP CAST IF EXISTS (int AS text)",
    "DROP OPERATOR CLASS IF EXISTS c USING btree",
    "ALTER INDEX bu ALTER COLUMN 1 SET STATISTICS 100",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob",
    "GRANT SELECT (a) ON t TO bob",
    "GRANT CREATE ON DATABASE kalamdb TO bob",
    "ALTER ROLE bob IN DATABASE kalamdb SET timezone = 'UTC'",
    "MERGE INTO t USING t s ON t.a = s.a WHEN MATCHED THEN DO NOTHING",
    "DO $$ BEGIN END $$",
    "LOAD 'x'",
    "UNSUBSCRIBE *",
    "UNSUBSCRIBE c",
    "COPY t TO '/tmp/nowhere'",
    "COPY t FROM PROGRAM 'true'",
    "SELECT * FROM (SELECT * FROM t) s FOR UPDATE",
    "CALL f()",
    "SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP) FROM t",
    "SELECT * FROM t TABLESAMPLE SYSTEM (10)",
    "SELECT B'101'",
    "VACUUM (SKIP_LOCKED) t",
    "VACUUM (PARALLEL 2) t",
    "VACUUM t (a)",
    "EXPLAIN VERBOSE SELECT 1",
    "EXPLAIN (VERBOSE) SELECT 1",
    "EXPLAIN (BUFFERS) SELECT 1",
    "EXPLAIN (SETTINGS) SELECT 1",
    "EXPLAIN (ANALYZE, WAL) SELECT 1",
    "EXPLAIN (FORMAT JSON) SELECT 1",
    "SET xmloption = document",
    "SET default_transaction_isolation = serializable",
    "ALTER ROLE bob SET default_transaction_isolation = 'serializable'",
    "ALTER SYSTEM SET default_transaction_isolation = 'serializable'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SELECT set_config('default_transaction_isolation', 'serializable', false)",
    "SET standard_conforming_strings = off",
    "SET default_with_oids = on",
    "SELECT pg_terminate_backend(1, 1000)",
    "SELECT rank(3) WITHIN GROUP (ORDER BY a) FROM t",
    "SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) u",
    "SELECT * FROM t JOIN t u USING (a, b) AS j",
    "SELECT a FROM t ORDER BY a LIMIT (SELECT 1) FOR UPDATE",
    "SELECT sum(a) OVER (ORDER BY '10:00+00'::timetz RANGE '1 hour' PRECEDING) FROM t",
    "SELECT t FROM t ORDER BY t",
    "SELECT DISTINCT t FROM t",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) \
     SEARCH DEPTH FIRST BY n SET o SELECT * FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) \
     CYCLE n SET c USING p SELECT * FROM r",
    "SELECT array_agg(ARRAY[a]) FROM t",
    "SELECT 'ab' ~ 'a(?=b)'",
    "SELECT json_each('{}')",
];

/// Each is refused as PostgreSQL refuses it.
const WRONG: &[(&str, &str)] = &[
    ("ALTER TABLE t SET TABLESPACE nosuch", "42704"),
    ("ALTER TABLE t SET ACCESS METHOD nosuch", "42704"),
    ("CREATE TABLE u (a int) TABLESPACE nosuch", "42704"),
    ("CREATE TABLE u (a int) USING nosuch", "42704"),
    ("CREATE TABLE u (a text STORAGE PLAIN)", "42601"),
    ("CREATE INDEX ON t (a) TABLESPACE nosuch", "42704"),
    ("CREATE INDEX ON t (a) WITH (nosuch = 1)", "22023"),
    ("CREATE INDEX ON t (b gin_trgm_ops)", "42704"),
    ("ALTER TABLE t VALIDATE CONSTRAINT bu", "42809"),
    ("ANALYZE t (zz)", "42703"),
    ("ANALYZE t (a, a)", "42701"),
    ("VACUUM (NOSUCH) t", "42601"),
    ("EXPLAIN (NOSUCH) SELECT 1", "42601"),
    ("EXPLAIN (WAL) SELECT 1", "22023"),
    ("EXPLAIN (TIMING) SELECT 1", "22023"),
    ("EXPLAIN (FORMAT NOSUCH) SELECT 1", "22023"),
    ("EXPLAIN (ANALYZE MAYBE) SELECT 1", "42601"),
    ("EXPLAIN BEGIN", "42601"),
    ("EXPLAIN EXECUTE nosuch", "26000"),
    ("SET ROLE nosuch", "22023"),
    ("GRANT pg_database_owner TO bob", "0LP01"),
    ("GRANT bob TO pg_database_owner", "0LP01"),
    ("SET max_connections = 5", "55P02"),
    ("SET default_tablespace = nosuch", "22023"),
    ("SELECT 1 AS a INTO t", "42P07"),
];

/// What asks for what is so anyway, or means the same here.
const RIGHT: &[&str] = &[
    "ALTER TABLE t SET LOGGED, SET WITHOUT CLUSTER, SET ACCESS METHOD heap, \
     SET TABLESPACE pg_default, REPLICA IDENTITY DEFAULT, ALTER a SET STATISTICS -1, \
     ALTER b SET COMPRESSION default",
    "CREATE TABLE fine (a text COMPRESSION default COLLATE \"C\") USING heap TABLESPACE pg_default",
    "CREATE INDEX ON t (b text_pattern_ops) TABLESPACE pg_default",
    "ANALYZE t (b)",
    "VACUUM (FULL, ANALYZE, SKIP_LOCKED off) t (a)",
    "SELECT * FROM ONLY t",
    "SELECT * FROM ONLY (t)",
    "SELECT * FROM t, ONLY t AS u",
    "UPDATE ONLY t SET a = 1",
    "DELETE FROM ONLY t",
    "SELECT sum(a) OVER (ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE NO OTHERS) FROM t",
    "SELECT 1 AS a INTO made",
    "SELECT a INTO TEMP made FROM made UNION SELECT 2",
];

fn start() -> (Server, Client) {
    let server = Server::start(Product::KalamDb).unwrap_or_else(|e| panic!("{e}"));
    let mut client = server.connect().unwrap();
    for sql in SCHEMA {
        check::run(&mut client, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    (server, client)
}

#[test]
fn what_is_not_there_is_refused() {
    let (_server, mut client) = start();
    let mut accepted = String::new();
    let not_there = NOT_THERE.iter().map(|sql| (*sql, "0A000"));
    for (sql, expected) in not_there.chain(WRONG.iter().copied()) {
        match check::run(&mut client, sql) {
            Err(Failure::Server(fields)) if fields.sqlstate() == expected => {}
            other => accepted += &format!("  {sql}: {other:?}\n"),
        }
    }
    assert!(accepted.is_empty(), "\n{accepted}");
}

#[test]
fn what_is_so_anyway_is_accepted() {
    let (_server, mut client) = start();
    for sql in RIGHT {
        check::run(&mut client, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let made = check::run(&mut client, "SELECT sum(a) FROM made").unwrap();
    assert_eq!(made.scalar(), "3", "the temporary table hides the other");
}

#[test]
fn explain_tells_times_where_it_is_asked_to() {
    let (_server, mut client) = start();
    let mut lines = |sql: &str| -> String {
        let rows = check::run(&mut client, sql).unwrap_or_else(|e| panic!("{sql}: {e}")).rows;
        rows.concat().into_iter().flatten().collect::<Vec<_>>().join("\n")
    };
    assert!(lines("EXPLAIN ANALYZE SELECT 1").contains("Execution Time: "));
    assert!(!lines("EXPLAIN (ANALYZE, SUMMARY off) SELECT 1").contains("Time: "));
    assert!(lines("EXPLAIN (SUMMARY) SELECT 1").contains("Planning Time: "));
    assert!(!lines("EXPLAIN SELECT 1").contains("Time: "));
    assert_eq!(lines("EXPLAIN EXECUTE p (1)"), lines("EXPLAIN SELECT 1 + 1"));
    assert!(lines("EXPLAIN ANALYZE EXECUTE p (1)").contains("Rows: 1"));
}

#[test]
fn a_grant_that_gives_nothing_says_so() {
    let (server, mut client) = start();
    let notices = |client: &mut Client, sql: &str| -> Vec<String> {
        let messages = client.query(sql).unwrap();
        let code = |message: &Backend| match message {
            Backend::Notice(fields) => Some(fields.sqlstate().to_owned()),
            _ => None,
        };
        messages.iter().filter_map(code).collect()
    };
    assert_eq!(notices(&mut client, "GRANT SELECT ON t TO bob"), ["01007"]);
    assert_eq!(notices(&mut client, "REVOKE SELECT ON t FROM PUBLIC"), [""; 0]);
    assert_eq!(notices(&mut client, "GRANT SELECT ON t TO bob"), [""; 0]);
    assert_eq!(notices(&mut client, "CREATE TABLE s (a int) WITH (kind = 'shared')"), [""; 0]);
    assert_eq!(notices(&mut client, "GRANT SELECT ON s TO bob"), [""; 0]);
    check::run(&mut client, "ALTER ROLE bob PASSWORD 'b'").unwrap();
    let mut bob = server.connect_as("bob", "b").unwrap();
    check::run(&mut bob, "CREATE TABLE mine (a int)").unwrap();
    match check::run(&mut bob, "GRANT SELECT ON mine TO kalamdb") {
        Err(failure) => assert_eq!(failure.sqlstate(), Some("0A000")),
        Ok(answer) => panic!("{answer:?}"),
    }
}

#[test]
fn verbose_tells_what_was_done() {
    let (_server, mut client) = start();
    check::run(&mut client, "INSERT INTO t VALUES (1, 'x'), (2, 'y')").unwrap();
    check::run(&mut client, "CREATE INDEX ta ON t (a)").unwrap();
    check::run(&mut client, "SET client_min_messages = error").unwrap();
    let mut told = |sql: &str| -> Vec<String> {
        let messages = client.query(sql).unwrap();
        let text = |message: &Backend| match message {
            Backend::Notice(fields) => {
                assert_eq!((fields.get(b'S'), fields.sqlstate()), ("INFO", "00000"), "{sql}");
                Some(fields.message().to_owned())
            }
            _ => None,
        };
        messages.iter().filter_map(text).collect()
    };
    for _ in 0..2 {
        assert_eq!(told("INSERT INTO t VALUES (3, 'z' || random())"), [""; 0]);
        assert_eq!(told("SELECT kalam_flush('t')"), [""; 0]);
    }
    let lines = told("VACUUM VERBOSE t");
    assert_eq!(lines[0], "vacuuming \"kalamdb.public.t\"");
    let merged = "finished vacuuming \"kalamdb.public.t\": segments: 2 merged into 1\nrows: 4";
    assert!(lines[1].starts_with(merged), "{lines:?}");
    assert_eq!(told("VACUUM t"), [""; 0]);
    assert_eq!(told("VACUUM (VERBOSE off, ANALYZE) t"), [""; 0]);
    let analyzed = [
        "analyzing \"public.t\"",
        "\"t\": scanned 4 live rows; 4 rows in sample of distinct values",
    ];
    assert_eq!(told("ANALYZE VERBOSE t"), analyzed);
    assert_eq!(told("VACUUM (VERBOSE, ANALYZE) t")[2..], analyzed);
    let reindexed = ["index \"bu\" was reindexed", "index \"ta\" was reindexed"];
    assert_eq!(told("REINDEX (VERBOSE) TABLE t"), reindexed);
    assert_eq!(told("REINDEX (VERBOSE) INDEX ta"), reindexed[1..]);
    assert_eq!(told("REINDEX (VERBOSE off) TABLE t"), [""; 0]);
}
