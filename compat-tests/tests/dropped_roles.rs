//! Sessions whose role is dropped: they end, and nothing is written into a namespace of nobody.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Client, Failure};

fn start() -> (Server, Client) {
    let server = Server::start(Product::KalamDb).unwrap();
    let mut root = server.connect().unwrap();
    run(&mut root, "CREATE TABLE notes (id int PRIMARY KEY, body text)");
    run(&mut root, "CREATE SEQUENCE numbers");
    run(&mut root, "CREATE ROLE alice LOGIN PASSWORD 'a'");
    (server, root)
}

fn run(client: &mut Client, sql: &str) -> String {
    check::run(client, sql).unwrap_or_else(|e| panic!("{sql}: {e}")).scalar().to_owned()
}

fn refused(client: &mut Client, sql: &str) -> String {
    check::run(client, sql).unwrap_err().sqlstate().unwrap_or_default().to_owned()
}

/// The statement fails: the server says why, or has closed the connection already.
fn ended(client: &mut Client, sql: &str) {
    match check::run(client, sql) {
        Err(Failure::Io(_)) => {}
        Err(failure) => {
            let code = failure.sqlstate().unwrap_or_default();
            assert!(matches!(code, "57P01" | "42704"), "{sql}: {failure}");
        }
        Ok(answer) => panic!("{sql}: {answer:?}"),
    }
}

/// Returns once a session of the server waits for a lock.
fn until_blocked(observer: &mut Client) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while run(observer, waiting) == "0" {}
}

fn holds(directory: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, needle),
            false => std::fs::read(&path).unwrap().windows(needle.len()).any(|at| at == needle),
        }
    })
}

#[test]
fn an_idle_session_ends() {
    let (server, mut root) = start();
    let mut alice = server.connect_as("alice", "a").unwrap();
    run(&mut alice, "INSERT INTO notes VALUES (1, 'x')");
    run(&mut alice, "SELECT nextval('numbers')");
    assert_eq!(refused(&mut root, "DROP ROLE alice"), "2BP01");
    run(&mut root, "DROP OWNED BY alice");
    run(&mut alice, "SELECT nextval('numbers')");
    run(&mut root, "DROP ROLE alice");
    ended(&mut alice, "INSERT INTO notes VALUES (2, 'y')");
    assert!(server.connect_as("alice", "a").is_err());
    run(&mut root, "CREATE ROLE alice LOGIN PASSWORD 'a'");
    let mut alice = server.connect_as("alice", "a").unwrap();
    assert_eq!(run(&mut alice, "SELECT count(*) FROM notes"), "0");
    assert_eq!(run(&mut alice, "SELECT nextval('numbers')"), "1");
}

#[test]
fn an_open_transaction_cannot_commit() {
    let (mut server, mut root) = start();
    let mut alice = server.connect_as("alice", "a").unwrap();
    run(&mut alice, "BEGIN");
    run(&mut alice, "INSERT INTO notes VALUES (1, 'tungsten')");
    run(&mut root, "DROP ROLE alice");
    ended(&mut alice, "COMMIT");
    server.stop().unwrap();
    assert!(!holds(&server.data(), b"tungsten"));
}

#[test]
fn a_commit_that_waited_for_drop_role_fails() {
    let (server, mut root) = start();
    let mut observer = server.connect().unwrap();
    let mut alice = server.connect_as("alice", "a").unwrap();
    run(&mut alice, "BEGIN");
    run(&mut alice, "INSERT INTO notes VALUES (1, 'x')");
    run(&mut root, "BEGIN");
    run(&mut root, "DROP ROLE alice");
    alice.send_query("COMMIT").unwrap();
    until_blocked(&mut observer);
    run(&mut root, "ROLLBACK");
    check::gather(&mut alice).unwrap();
    assert_eq!(run(&mut alice, "SELECT count(*) FROM notes"), "1");
    run(&mut alice, "BEGIN");
    run(&mut alice, "INSERT INTO notes VALUES (2, 'y')");
    run(&mut root, "BEGIN");
    assert_eq!(refused(&mut root, "DROP ROLE alice"), "2BP01");
    run(&mut root, "ROLLBACK");
    run(&mut alice, "COMMIT");
}

#[test]
fn drop_owned_waits_for_open_transactions() {
    let (server, mut root) = start();
    let mut observer = server.connect().unwrap();
    let mut alice = server.connect_as("alice", "a").unwrap();
    run(&mut alice, "CREATE TABLE own (id int)");
    for insert in ["INSERT INTO notes VALUES (1, 'x')", "INSERT INTO own VALUES (1)"] {
        run(&mut alice, "CREATE TABLE IF NOT EXISTS own (id int)");
        run(&mut alice, "BEGIN");
        run(&mut alice, insert);
        root.send_query("DROP OWNED BY alice").unwrap();
        until_blocked(&mut observer);
        run(&mut alice, "COMMIT");
        check::gather(&mut root).unwrap();
        assert_eq!(run(&mut alice, "SELECT count(*) FROM notes"), "0");
        assert_eq!(refused(&mut alice, "SELECT * FROM own"), "42P01");
    }
    run(&mut alice, "BEGIN");
    run(&mut alice, "CREATE TABLE own (id int)");
    root.send_query("DROP ROLE alice").unwrap();
    until_blocked(&mut observer);
    run(&mut alice, "COMMIT");
    let refused = check::gather(&mut root).unwrap_err();
    assert_eq!(refused.sqlstate(), Some("2BP01"));
    run(&mut root, "DROP ROLE alice CASCADE");
    ended(&mut alice, "SELECT 1");
}

#[test]
fn a_session_that_became_the_role_goes_on_as_itself() {
    let (server, mut root) = start();
    let mut service = server.connect().unwrap();
    run(&mut service, "SET ROLE alice");
    run(&mut root, "DROP ROLE alice");
    assert_eq!(refused(&mut service, "INSERT INTO notes VALUES (1, 'x')"), "42704");
    assert_eq!(refused(&mut service, "CREATE TABLE own (id int)"), "42704");
    assert_eq!(refused(&mut service, "SELECT nextval('numbers')"), "42704");
    run(&mut service, "RESET ROLE");
    run(&mut service, "INSERT INTO notes VALUES (1, 'x')");
    run(&mut root, "CREATE ROLE bob");
    run(&mut service, "BEGIN");
    run(&mut service, "SET LOCAL ROLE bob");
    run(&mut service, "INSERT INTO notes VALUES (1, 'x')");
    run(&mut root, "DROP ROLE bob");
    run(&mut service, "RESET ROLE");
    assert_eq!(refused(&mut service, "COMMIT"), "42704");
    run(&mut service, "INSERT INTO notes VALUES (2, 'y')");
}
