//! Temporary objects end with their session, however it ends and whoever it has been.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Client, Frontend};

/// What a session does before it goes; each makes something temporary.
const ENDINGS: &[&[&str]] = &[
    &["CREATE TEMP TABLE t (a int)"],
    &[
        "CREATE TEMP TABLE t (id serial PRIMARY KEY, v text UNIQUE)",
        "CREATE TEMP VIEW v AS SELECT * FROM t",
        "CREATE TEMP SEQUENCE s",
        "INSERT INTO t (v) SELECT g::text FROM generate_series(1, 1000) g",
    ],
    &["CREATE TEMP TABLE t (a int)", "SET default_transaction_read_only = on"],
    &["CREATE TEMP TABLE t (a int)", "BEGIN", "INSERT INTO t VALUES (1)"],
    &["CREATE TEMP TABLE t (a int)", "BEGIN READ ONLY", "SELECT 1"],
    &["CREATE TEMP TABLE t (a int)", "BEGIN", "DROP TABLE t"],
    &["CREATE TEMP TABLE t (a int)", "BEGIN", "! SELECT 1 / 0"],
    &["CREATE TEMP TABLE t (a int)", "SET ROLE bob"],
    &["SET ROLE bob", "CREATE TEMP TABLE t (a int)"],
    &[
        "SET ROLE bob",
        "CREATE TEMP TABLE t (a int)",
        "SET ROLE alice",
        "CREATE TEMP VIEW v AS SELECT 1",
    ],
    &["SET ROLE bob", "CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS", "RESET ROLE"],
    &["CREATE TEMP TABLE t (a int)", "BEGIN", "SET LOCAL ROLE bob", "CREATE TEMP TABLE t (b int)"],
    &[
        "BEGIN",
        "SET LOCAL ROLE bob",
        "CREATE TEMP TABLE t (b int) ON COMMIT DELETE ROWS",
        "COMMIT",
        "BEGIN",
    ],
    &["SET SESSION AUTHORIZATION bob", "CREATE TEMP TABLE t (a int)"],
    &["CREATE TEMP TABLE t (a int)", "SET SESSION AUTHORIZATION alice", "! SELECT nosuch"],
    &["CREATE TEMP TABLE t (a int)", "SET lock_timeout = 1", "SET statement_timeout = 1"],
];

#[test]
fn whatever_a_session_did_last_nothing_stays() {
    let server = three_roles();
    for ending in ENDINGS {
        let mut session = server.connect().unwrap();
        all(&mut session, ending);
        leave(session);
        nothing_left(&server, &format!("{ending:?}"));
    }
}

#[test]
fn discard_reaches_the_namespaces_of_former_roles() {
    let server = three_roles();
    for discard in ["DISCARD ALL", "DISCARD TEMP"] {
        let mut session = server.connect().unwrap();
        all(
            &mut session,
            &[
                "CREATE TEMP TABLE mine (a int)",
                "SET ROLE bob",
                "CREATE TEMP TABLE bobs (a int)",
                "SET ROLE alice",
                "CREATE TEMP TABLE alices (a int)",
            ],
        );
        check::run(&mut session, discard).unwrap();
        nothing_left(&server, discard);
        // Taken back, it has dropped nothing.
        all(&mut session, &["SET ROLE bob", "CREATE TEMP TABLE bobs (a int)", "RESET ROLE"]);
        all(&mut session, &["BEGIN", "DISCARD TEMP", "ROLLBACK", "SET ROLE bob"]);
        check::run(&mut session, "SELECT * FROM bobs").unwrap();
        leave(session);
        nothing_left(&server, "the end of the session");
    }
}

#[test]
fn on_commit_is_heeded_whoever_commits() {
    let server = three_roles();
    let mut session = server.connect().unwrap();
    all(
        &mut session,
        &[
            "BEGIN",
            "SET LOCAL ROLE bob",
            "CREATE TEMP TABLE emptied (a int) ON COMMIT DELETE ROWS",
            "CREATE TEMP TABLE dropped (a int) ON COMMIT DROP",
            "INSERT INTO emptied VALUES (1)",
            "SET LOCAL ROLE alice",
            "CREATE TEMP TABLE kept (a int)",
            "INSERT INTO kept VALUES (1)",
            "COMMIT",
            "SET ROLE alice",
        ],
    );
    assert_eq!(check::run(&mut session, "SELECT count(*) FROM kept").unwrap().scalar(), "1");
    all(&mut session, &["SET ROLE bob", "! SELECT * FROM dropped"]);
    for _ in 0..2 {
        all(&mut session, &["BEGIN", "INSERT INTO emptied VALUES (1)", "SET LOCAL ROLE alice"]);
        all(&mut session, &["COMMIT"]);
        let count = check::run(&mut session, "SELECT count(*) FROM emptied").unwrap();
        assert_eq!(count.scalar(), "0");
    }
}

#[test]
fn a_killed_server_leaves_nothing_to_the_next_session() {
    let mut server = three_roles();
    let mut session = server.connect_as("alice", "a").unwrap();
    all(
        &mut session,
        &["CREATE TEMP TABLE t (id serial PRIMARY KEY, v text)", "INSERT INTO t (v) VALUES ('x')"],
    );
    let mut pooled = server.connect().unwrap();
    all(&mut pooled, &["SET ROLE bob", "CREATE TEMP TABLE t (a int)"]);
    server.kill().unwrap();
    server.launch().unwrap();
    let mut admin = server.connect().unwrap();
    all(
        &mut admin,
        &[
            "ALTER ROLE alice SET default_transaction_read_only = on",
            "ALTER ROLE alice SET default_transaction_isolation = 'repeatable read'",
        ],
    );
    let mut again = server.connect_as("alice", "a").unwrap();
    assert_eq!(temporary_schemas(&mut again), "0");
    // Nobody logs in as bob: his go when the next session that is him makes something.
    all(&mut admin, &["SET ROLE bob", "CREATE TEMP TABLE u (a int)"]);
    assert_eq!(temporary_schemas(&mut admin), "1");
    leave(admin);
    nothing_left(&server, "the end of the session");
}

#[test]
fn other_sessions_of_the_role_go_on_without_them() {
    let server = three_roles();
    let mut one = server.connect_as("alice", "a").unwrap();
    let mut other = server.connect_as("alice", "a").unwrap();
    all(&mut one, &["CREATE TABLE t (v text)", "INSERT INTO t VALUES ('permanent')"]);
    all(&mut other, &["PREPARE p AS SELECT v FROM t"]);
    all(&mut one, &["PREPARE p AS SELECT v FROM t", "CREATE TEMP TABLE t (v text)"]);
    all(&mut one, &["INSERT INTO t VALUES ('temporary')"]);
    for sql in ["SELECT v FROM t", "EXECUTE p"] {
        assert_eq!(check::run(&mut one, sql).unwrap().scalar(), "temporary", "{sql}");
        assert_eq!(check::run(&mut other, sql).unwrap().scalar(), "permanent", "{sql}");
    }
    let schema = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pg_temp_%'";
    let schema = check::run(&mut one, schema).unwrap().scalar().to_owned();
    all(&mut other, &[&format!("! SELECT * FROM {schema}.t"), "SET search_path = pg_temp, public"]);
    assert_eq!(check::run(&mut other, "SELECT v FROM t").unwrap().scalar(), "permanent");
    leave(one);
    let mut third = server.connect_as("alice", "a").unwrap();
    assert_eq!(check::run(&mut third, "SELECT v FROM t").unwrap().scalar(), "permanent");
}

fn three_roles() -> Server {
    let server = Server::start(Product::KalamDb).unwrap_or_else(|e| panic!("{e}"));
    let mut admin = server.connect().unwrap();
    let roles =
        ["alice", "bob"].map(|role| format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", &role[..1]));
    for role in roles {
        check::run(&mut admin, &role).unwrap();
    }
    server
}

/// Runs each; those after `! ` must fail.
fn all(client: &mut Client, statements: &[&str]) {
    for sql in statements {
        let answer = check::run(client, sql.trim_start_matches("! "));
        assert_eq!(answer.is_err(), sql.starts_with("! "), "{sql}: {:?}", answer.err());
    }
}

/// Says goodbye and waits for the end of the connection.
fn leave(mut session: Client) {
    let mut frames = Frontend::default();
    frames.terminate();
    session.send(&frames).unwrap();
    while session.read().is_ok() {}
}

fn temporary_schemas(client: &mut Client) -> String {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg\\_temp\\_%'";
    check::run(client, sql).unwrap().scalar().to_owned()
}

fn nothing_left(server: &Server, after: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut admin = server.connect().unwrap();
    for role in ["kalamdb", "alice", "bob"] {
        all(&mut admin, &[&format!("SET ROLE {role}")]);
        while temporary_schemas(&mut admin) != "0" {
            assert!(Instant::now() < deadline, "{role} still has temporary objects after {after}");
            check::run(&mut admin, "SELECT pg_sleep(0.01)").unwrap();
        }
    }
}
