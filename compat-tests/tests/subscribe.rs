//! SUBSCRIBE of one table: snapshot joined with changes, markers, AFTER, the doors, and its end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::live::{Follower, Stage};
use kalamdb_compat_tests::wire::{Backend, Frontend};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, v text)";

#[test]
fn snapshot_then_changes_through_both_doors() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, NULL)"]);
    let doors = ["SUBSCRIBE t", "SUBSCRIBE TO t", "COPY (SUBSCRIBE t) TO STDOUT"];
    let mut followers = doors.map(|sql| stage.subscribe(sql));
    for follower in &mut followers {
        let (mut rows, position) = follower.group();
        rows.sort();
        assert_eq!(rows, ["snapshot 1 1 a", "snapshot 2 2 NULL"]);
        assert_eq!(position, stage.position());
    }
    stage.run("BEGIN; INSERT INTO t VALUES (3, 3, 'c'); UPDATE t SET v = 'b' WHERE id = 2; COMMIT");
    let first = stage.position();
    stage.run("DELETE FROM t WHERE id = 1");
    let second = stage.position();
    assert_eq!(first.parse::<i64>().unwrap() + 1, second.parse::<i64>().unwrap());
    for follower in &mut followers {
        let (mut rows, position) = follower.group();
        rows.sort();
        assert_eq!(
            (rows, position),
            (vec!["insert 3 3 c".to_owned(), "update 2 2 b".to_owned()], first.clone())
        );
        assert_eq!(follower.group(), (vec!["delete 1 1 a".to_owned()], second.clone()));
    }
}

#[test]
fn the_description_names_what_is_sent() {
    let stage = Stage::new(&[TABLE]);
    let mut client = stage.server.connect().unwrap();
    let mut frames = Frontend::default();
    frames.parse("", "SUBSCRIBE t", &[]);
    frames.describe(b'S', "");
    frames.sync();
    client.send(&frames).unwrap();
    let messages = client.until_ready().unwrap();
    let columns = messages.iter().find_map(|m| match m {
        Backend::RowDescription(c) => Some(c.iter().map(|c| (&*c.name, c.type_oid)).collect()),
        _ => None,
    });
    let expected = vec![("_pos", 20), ("_op", 25), ("id", 23), ("n", 23), ("v", 25)];
    assert_eq!(columns, Some(expected));
}

#[test]
fn a_filter_turns_updates_into_inserts_and_deletes() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a'), (2, 20, 'b')"]);
    let mut whole = stage.subscribe("SUBSCRIBE t WHERE n > 10");
    let mut part = stage.subscribe("SUBSCRIBE (SELECT id, v FROM t WHERE n > 10)");
    assert_eq!(whole.group().0, ["snapshot 2 20 b"]);
    assert_eq!(part.group().0, ["snapshot 2 b"]);
    stage.run("UPDATE t SET n = 11 WHERE id = 1");
    assert_eq!(whole.group().0, ["insert 1 11 a"]);
    assert_eq!(part.group().0, ["insert 1 a"]);
    stage.run("UPDATE t SET n = 12 WHERE id = 1");
    assert_eq!(whole.group().0, ["update 1 12 a"]);
    stage.run("UPDATE t SET n = NULL WHERE id = 1");
    assert_eq!(whole.group().0, ["delete 1 12 a"]);
    assert_eq!(part.group().0, ["delete 1 a"], "the projection didn't change before");
    stage.run("INSERT INTO t VALUES (3, NULL, 'no'), (4, 40, 'yes')");
    assert_eq!(whole.group().0, ["insert 4 40 yes"]);
    stage.run("UPDATE t SET id = 5 WHERE id = 4");
    let mut moved = whole.group().0;
    moved.sort();
    assert_eq!(moved, ["delete 4 40 yes", "insert 5 40 yes"]);
}

#[test]
fn a_transaction_is_folded_and_a_rollback_is_nothing() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let mut follower = stage.subscribe("SUBSCRIBE t");
    assert_eq!(follower.group().0, ["snapshot 1 1 a"]);
    stage.run("BEGIN; INSERT INTO t VALUES (2, 2, 'b'); ROLLBACK");
    stage.run(
        "BEGIN; INSERT INTO t VALUES (3, 3, 'c'); UPDATE t SET v = 'cc' WHERE id = 3; INSERT INTO \
         t VALUES (4, 4, 'd'); DELETE FROM t WHERE id = 4; UPDATE t SET n = 2 WHERE id = 1; UPDATE \
         t SET n = 3 WHERE id = 1; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT",
    );
    let mut rows = follower.group().0;
    rows.sort();
    assert_eq!(rows, ["insert 3 3 cc", "update 1 3 a"]);
    stage.run("TRUNCATE t");
    assert!(follower.group().0[0].starts_with("truncate"));
}

#[test]
fn after_continues_on_any_connection_and_over_a_crash() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let mut follower = stage.subscribe("SUBSCRIBE t");
    let (_, start) = follower.group();
    stage.run("INSERT INTO t VALUES (2, 2, 'b')");
    stage.run("INSERT INTO t VALUES (3, 3, 'c')");
    let (rows, middle) = follower.group();
    assert_eq!(rows, ["insert 2 2 b"]);
    drop(follower);
    let mut again = stage.subscribe(&format!("SUBSCRIBE t AFTER {middle}"));
    assert_eq!(again.group().0, ["insert 3 3 c"]);
    drop(again);
    stage.server.kill().unwrap();
    stage.server.launch().unwrap_or_else(|e| panic!("it doesn't start again: {e}"));
    stage.writer = stage.server.connect().unwrap();
    stage.run("UPDATE t SET v = 'bb' WHERE id = 2");
    let mut third = stage.subscribe(&format!("COPY (SUBSCRIBE t AFTER {start}) TO STDOUT"));
    assert_eq!(third.group().0, ["insert 2 2 b"]);
    assert_eq!(third.group().0, ["insert 3 3 c"]);
    assert_eq!(third.group().0, ["update 2 2 bb"]);
    let mut ahead = stage.subscribe("SUBSCRIBE t AFTER 1000000");
    assert_eq!(ahead.error(), "22023");
}

#[test]
fn other_namespaces_move_nothing() {
    let mut stage = Stage::new(&[
        TABLE,
        "CREATE ROLE alice LOGIN PASSWORD 'a'",
        "CREATE ROLE bob LOGIN PASSWORD 'b'",
    ]);
    let mut alice = stage.server.connect_as("alice", "a").unwrap();
    let mut bob = stage.server.connect_as("bob", "b").unwrap();
    alice.send_query("COPY (SUBSCRIBE t) TO STDOUT").unwrap();
    let mut follower = Follower { client: alice };
    stage.run("INSERT INTO t VALUES (1, 1, 'not hers')");
    check::run(&mut bob, "INSERT INTO t VALUES (1, 1, 'not hers either')").unwrap();
    let mut writer = stage.server.connect_as("alice", "a").unwrap();
    check::run(&mut writer, "INSERT INTO t VALUES (7, 7, 'hers')").unwrap();
    assert_eq!(follower.group().0, ["insert 7 7 hers"]);
}

#[test]
fn how_it_ends() {
    let mut stage = Stage::new(&[TABLE, "CREATE TABLE u (id int PRIMARY KEY)"]);
    // Cancel: at once, and the connection lives on.
    let mut follower = stage.subscribe("COPY (SUBSCRIBE t) TO STDOUT");
    assert_eq!(follower.row()[1].as_deref(), Some("commit"));
    follower.client.cancel().unwrap();
    assert_eq!(follower.error(), "57014");
    follower.client.until_ready().unwrap();
    assert_eq!(check::run(&mut follower.client, "SELECT 1").unwrap().scalar(), "1");
    // DROP TABLE.
    let mut dropped = stage.subscribe("SUBSCRIBE u");
    assert_eq!(dropped.row()[1].as_deref(), Some("commit"));
    stage.run("DROP TABLE u");
    assert_eq!(dropped.error(), "42P01");
    // A used column.
    let mut altered = stage.subscribe("SUBSCRIBE (SELECT id, v FROM t)");
    assert_eq!(altered.row()[1].as_deref(), Some("commit"));
    stage.run("ALTER TABLE t DROP COLUMN v");
    assert_eq!(altered.error(), "0A000");
    // What can't be subscribed to.
    for (sql, code) in [
        ("SUBSCRIBE nosuch", "42P01"),
        ("SUBSCRIBE t WHERE nope = 1", "42703"),
        ("SUBSCRIBE t WHERE random() > 0.5", "0A000"),
        ("SUBSCRIBE t AFTER -1", "22023"),
    ] {
        assert_eq!(stage.subscribe(sql).error(), code, "{sql}");
    }
}

#[test]
fn a_cursor_fetches_with_a_timeout() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let mut client = stage.server.connect().unwrap();
    let mut run = |sql: &str| check::run(&mut client, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    run("BEGIN");
    run("DECLARE c CURSOR FOR SUBSCRIBE t");
    let first = run("FETCH ALL FROM c WITH (timeout = '200ms')").rows;
    let operations: Vec<_> = first.iter().filter_map(|r| r[1].as_deref()).collect();
    assert_eq!(operations, ["snapshot", "commit"]);
    let nothing = run("FETCH ALL FROM c WITH (timeout = '50ms')").rows;
    assert!(nothing.iter().all(|r| r[1].as_deref() == Some("heartbeat")), "{nothing:?}");
    stage.run("INSERT INTO t VALUES (2, 2, 'b')");
    let change = run("FETCH ALL FROM c WITH (timeout = '10s')").rows;
    assert_eq!(change[0][1].as_deref(), Some("insert"));
    run("CLOSE c");
    run("DECLARE c NO SCROLL CURSOR FOR SUBSCRIBE t");
    let scrolls = check::run(&mut client, "DECLARE d SCROLL CURSOR FOR SUBSCRIBE t");
    assert_eq!(scrolls.unwrap_err().sqlstate(), Some("0A000"));
}

/// The portal of a subscription is suspended as soon as rows are out and the log is drained.
#[test]
fn execute_returns_what_is_there() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let mut client = stage.server.connect().unwrap();
    let mut frames = Frontend::default();
    frames.query("BEGIN");
    frames.parse("", "SUBSCRIBE t", &[]);
    frames.bind(("p", ""), &[], &[], &[]);
    frames.execute("p", 100);
    frames.sync();
    client.send(&frames).unwrap();
    client.until_ready().unwrap();
    let operations = |messages: &[Backend]| -> Vec<String> {
        let rows = messages.iter().filter_map(|m| match m {
            Backend::DataRow(values) => values[1].clone(),
            _ => None,
        });
        rows.map(|v| String::from_utf8_lossy(&v).into_owned()).collect()
    };
    let messages = client.until_ready().unwrap();
    assert_eq!(operations(&messages), ["snapshot", "commit"]);
    assert!(messages.contains(&Backend::PortalSuspended), "{messages:?}");
    stage.run("INSERT INTO t VALUES (2, 2, 'b')");
    let mut frames = Frontend::default();
    frames.execute("p", 100);
    frames.sync();
    client.send(&frames).unwrap();
    let messages = client.until_ready().unwrap();
    assert_eq!(operations(&messages)[0], "insert");
}

/// Folding what was sent gives what SELECT gives, whatever the writers did.
#[test]
fn the_fold_is_the_table() {
    let mut stage =
        Stage::new(&[TABLE, "INSERT INTO t SELECT n, n, 'x' FROM generate_series(1, 50) n"]);
    let mut follower = stage.subscribe("COPY (SUBSCRIBE t WITH (PROGRESS)) TO STDOUT");
    for round in 0..20 {
        stage.run(&format!("UPDATE t SET n = n + {round} WHERE id % 3 = {}", round % 3));
        stage.run(&format!("DELETE FROM t WHERE id = {}", round * 2 + 1));
        stage.run(&format!("INSERT INTO t VALUES ({}, NULL, 'new')", 1000 + round));
        stage.run(&format!(
            "INSERT INTO t VALUES ({round}, 0, 'u') ON CONFLICT (id) DO UPDATE SET v = 'up'"
        ));
    }
    let head: i64 = stage.position().parse().unwrap();
    let mut state = BTreeMap::new();
    loop {
        let row = follower.row();
        let position: i64 = row[0].as_deref().unwrap().parse().unwrap();
        let data = row[2..].to_vec();
        match row[1].as_deref().unwrap() {
            "commit" if position >= head => break,
            "commit" => {}
            "delete" => assert!(state.remove(&data[0]).is_some(), "{row:?}"),
            "update" => assert!(state.insert(data[0].clone(), data).is_some(), "{row:?}"),
            "insert" | "snapshot" => {
                assert!(state.insert(data[0].clone(), data).is_none(), "{row:?}");
            }
            other => panic!("{other}"),
        }
    }
    let rows = check::run(&mut stage.writer, "SELECT * FROM t").unwrap().rows;
    let table: BTreeMap<_, _> = rows.into_iter().map(|r| (r[0].clone(), r)).collect();
    assert_eq!(state, table);
}
