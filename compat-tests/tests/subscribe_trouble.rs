//! SUBSCRIBE where something goes wrong: readers that stall, servers that end, logs that are too
//! short, definitions, roles and privileges that change underneath, clients that change their mind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::live::{Follower, Row, Stage};
use kalamdb_compat_tests::server::{Server, Settings};
use kalamdb_compat_tests::wire::{Backend, Frontend};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, v text)";

fn started(follower: &mut Follower) {
    assert_eq!(follower.row()[1].as_deref(), Some("commit"));
}

/// Applies rows to the state by key until a marker at `head` or beyond.
fn fold(follower: &mut Follower, state: &mut BTreeMap<String, Row>, head: i64) {
    loop {
        let row = follower.row();
        let position: i64 = row[0].as_deref().unwrap().parse().unwrap();
        let key = || row[2].clone().unwrap();
        match row[1].as_deref().unwrap() {
            "commit" if position >= head => return,
            "commit" => {}
            "reset" | "truncate" => state.clear(),
            "delete" => assert!(state.remove(&key()).is_some(), "{row:?}"),
            "update" => assert!(state.insert(key(), row[2..].to_vec()).is_some(), "{row:?}"),
            _ => assert!(state.insert(key(), row[2..].to_vec()).is_none(), "{row:?}"),
        }
    }
}

fn table(stage: &mut Stage) -> BTreeMap<String, Row> {
    let rows = check::run(&mut stage.writer, "SELECT * FROM t").unwrap().rows;
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row)).collect()
}

fn memory_kib(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.pid().unwrap());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_request_ends_it_and_sync_does_not() {
    let mut stage = Stage::new(&[TABLE]);
    let mut client = stage.server.connect().unwrap();
    let mut frames = Frontend::default();
    frames.parse("", "SUBSCRIBE t", &[]);
    frames.bind(("", ""), &[], &[], &[]);
    frames.execute("", 0);
    frames.sync();
    frames.flush();
    frames.sync();
    client.send(&frames).unwrap();
    let mut follower = Follower { client };
    started(&mut follower);
    stage.run("INSERT INTO t VALUES (1, 1, 'a')");
    assert_eq!(follower.group().0, ["insert 1 1 a"]);
    follower.client.send_query("SELECT 'after'").unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(follower.client.until_ready().unwrap());
    }
    let tags: Vec<_> = seen
        .iter()
        .filter_map(|m| match m {
            Backend::CommandComplete(tag) => Some(&**tag),
            _ => None,
        })
        .collect();
    assert_eq!((tags[0].split(' ').next(), tags[1]), (Some("SUBSCRIBE"), "SELECT 1"));
    assert!(!seen.iter().any(|m| matches!(m, Backend::Error(_))), "{seen:?}");
}

#[test]
fn terminate_and_a_closed_socket_end_it() {
    let mut stage = Stage::new(&[TABLE]);
    let mut polite = stage.subscribe("SUBSCRIBE t");
    let mut rude = stage.subscribe("COPY (SUBSCRIBE t) TO STDOUT");
    started(&mut polite);
    started(&mut rude);
    let live = "SELECT count(*) FROM pg_stat_live WHERE relname = 't' AND lag = 0";
    assert_eq!(stage.run(live), "2");
    let mut frames = Frontend::default();
    frames.terminate();
    polite.client.send(&frames).unwrap();
    let end = polite.client.read().unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    drop(rude);
    let begun = Instant::now();
    while stage.run(live) != "0" {
        assert!(begun.elapsed() < Duration::from_secs(20), "one goes on");
    }
}

#[test]
fn a_stalled_reader_costs_nobody_anything() {
    const ROUNDS: i64 = 40;
    let mut stage = Stage::new(&[TABLE]);
    let mut other = stage.subscribe("SUBSCRIBE (SELECT id FROM t)");
    let mut stalled: Vec<Follower> =
        (0..8).map(|_| stage.subscribe("COPY (SUBSCRIBE t) TO STDOUT")).collect();
    started(&mut other);
    stalled.iter_mut().for_each(started);
    let write = |stage: &mut Stage, round: i64| {
        stage.run(&format!(
            "INSERT INTO t SELECT n, {round}, repeat('x', 10000) FROM generate_series({}, {}) n",
            round * 100,
            round * 100 + 99
        ));
    };
    // What the first ones allocate for everybody isn't theirs.
    (0..10).for_each(|round| write(&mut stage, round));
    let before = memory_kib(&stage.server);
    (10..ROUNDS).for_each(|round| write(&mut stage, round));
    let head: i64 = stage.position().parse().unwrap();
    let mut ids = BTreeMap::new();
    fold(&mut other, &mut ids, head);
    assert_eq!(ids.len() as i64, ROUNDS * 100);
    // 30 MB were written, which each of the eight has still to be sent.
    let grown = memory_kib(&stage.server).saturating_sub(before);
    assert!(grown < 120 << 10, "{grown} KiB more");
    let lag = "SELECT count(*) FROM pg_stat_live WHERE lag > 0";
    assert_eq!(stage.run(lag), "8");
    // A stalled one changes its mind, and its connection lives on.
    let mut asking = stalled.pop().unwrap();
    asking.client.send_query("SELECT 'after'").unwrap();
    let messages = asking.client.until_ready().unwrap();
    assert!(!messages.iter().any(|m| matches!(m, Backend::Error(_))));
    let answer = check::gather(&mut asking.client).unwrap();
    assert_eq!(answer.scalar(), "after");
    // Another is cancelled.
    let mut cancelled = stalled.pop().unwrap();
    cancelled.client.cancel().unwrap();
    assert_eq!(cancelled.error(), "57014");
    // The others read on, and nothing is missing.
    let expected = table(&mut stage);
    for follower in &mut stalled {
        let mut state = BTreeMap::new();
        fold(follower, &mut state, head);
        assert!(state == expected);
    }
}

#[test]
fn a_log_that_is_too_short_resets() {
    let settings = Settings {
        set: vec![("log_retention".to_owned(), "1ms".to_owned())],
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, &[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let start = stage.position();
    stage.run("INSERT INTO t VALUES (2, 2, 'b')");
    // What the log may lose is looked at as the server starts.
    for _ in 0..2 {
        stage.server.stop().unwrap();
        stage.relaunch();
    }
    let head = stage.position();
    let mut reset = stage.subscribe(&format!("SUBSCRIBE t AFTER {start}"));
    let first = reset.row();
    assert_eq!((first[0].as_deref(), first[1].as_deref()), (Some(&*head), Some("reset")));
    let (mut rows, position) = reset.group();
    rows.sort();
    assert_eq!(rows, ["snapshot 1 1 a", "snapshot 2 2 b"]);
    assert_eq!(position, head);
    stage.run("INSERT INTO t VALUES (3, 3, 'c')");
    assert_eq!(reset.group().0, ["insert 3 3 c"]);
    let failing = format!("SUBSCRIBE t WITH (ON_EXPIRED = 'error') AFTER {start}");
    let failure = stage.subscribe(&failing).failure();
    assert_eq!((failure.sqlstate(), failure.get(b'D').starts_with("oldest=")), ("55000", true));
    // From the head on nothing is missing.
    let mut whole = stage.subscribe(&format!("SUBSCRIBE t AFTER {head}"));
    assert_eq!(whole.group().0, ["insert 3 3 c"]);
}

#[test]
fn positions_that_are_none() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let head: i64 = stage.position().parse().unwrap();
    for (clauses, code) in [
        (format!("AFTER {}", head + 1), "22023"),
        (format!("AS OF {}", head + 1), "22023"),
        (format!("AS OF AT LEAST {}", head + 1), "22023"),
        ("AFTER -1".to_owned(), "22023"),
        ("AFTER 'x'".to_owned(), "22P02"),
        ("AFTER 99999999999999999999".to_owned(), "22P02"),
        ("WITH (SNAPSHOT) AFTER 1".to_owned(), "22023"),
        ("WITH (HEARTBEAT = '1us')".to_owned(), "22023"),
        ("WITH (HEARTBEAT = 'x')".to_owned(), "22007"),
        ("WITH (PROGRESS = 'perhaps')".to_owned(), "22007"),
        ("WITH (ON_EXPIRED = 'shrug')".to_owned(), "22023"),
        ("UP TO 0".to_owned(), "22023"),
    ] {
        assert_eq!(stage.subscribe(&format!("SUBSCRIBE t {clauses}")).error(), code, "{clauses}");
    }
    // UP TO ends by itself, inclusive.
    stage.run("INSERT INTO t VALUES (2, 2, 'b')");
    stage.run("INSERT INTO t VALUES (3, 3, 'c')");
    let sql = format!("SUBSCRIBE t AFTER {head} UP TO {}", head + 1);
    let answer = check::run(&mut stage.writer, &sql).unwrap();
    let operations: Vec<_> = answer.rows.iter().filter_map(|row| row[1].as_deref()).collect();
    assert_eq!(operations, ["insert", "commit"]);
    assert_eq!(answer.tag, "SUBSCRIBE 2");
}

#[test]
fn definitions_change_underneath() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let start = stage.position();
    let mut part = stage.subscribe("SUBSCRIBE (SELECT id, n FROM t)");
    let mut whole = stage.subscribe("SUBSCRIBE t");
    assert_eq!(part.group().0, ["snapshot 1 1"]);
    assert_eq!(whole.group().0, ["snapshot 1 1 a"]);
    stage.run("UPDATE t SET n = 2");
    assert_eq!(part.group().0, ["update 1 2"]);
    // Nothing of this concerns them.
    stage.run("ALTER TABLE t ADD COLUMN more text DEFAULT 'm'");
    stage.run("CREATE TABLE another (id int)");
    stage.run("ALTER TABLE t RENAME TO renamed");
    stage.run("INSERT INTO renamed VALUES (2, 20, 'b', 'x')");
    assert_eq!(part.group().0, ["insert 2 20"]);
    assert_eq!(whole.group().0, ["update 1 2 a"]);
    assert_eq!(whole.group().0, ["insert 2 20 b"]);
    // A column that only one of them uses.
    stage.run("ALTER TABLE renamed DROP COLUMN v");
    let failure = whole.failure();
    assert_eq!(failure.sqlstate(), "0A000");
    assert!(failure.get(b'D').starts_with("position="), "{}", failure.get(b'D'));
    stage.run("ALTER TABLE renamed RENAME TO t");
    stage.run("ALTER TABLE t ALTER COLUMN more DROP DEFAULT");
    stage.run("ALTER TABLE t ALTER COLUMN more TYPE int USING length(more)");
    // All rows are written anew.
    let mut rows = part.group().0;
    rows.sort();
    assert_eq!(rows, ["insert 1 2", "insert 2 20", "truncate NULL NULL"]);
    stage.run("INSERT INTO t VALUES (3, 30, 3)");
    assert_eq!(part.group().0, ["insert 3 30"]);
    // What the log has in an older form isn't taken for the present one.
    let mut later = stage.subscribe(&format!("SUBSCRIBE (SELECT id, n FROM t) AFTER {start}"));
    assert_eq!(later.row()[1].as_deref(), Some("reset"));
    let mut rows = later.group().0;
    rows.sort();
    assert_eq!(rows, ["snapshot 1 2", "snapshot 2 20", "snapshot 3 30"]);
    let strict = "SUBSCRIBE (SELECT id, n FROM t) WITH (ON_EXPIRED = 'error') AFTER";
    assert_eq!(stage.subscribe(&format!("{strict} {start}")).error(), "55000");
    stage.run("TRUNCATE t");
    assert!(part.group().0[0].starts_with("truncate"));
    stage.run(
        "BEGIN; INSERT INTO t VALUES (4, 4, 4); TRUNCATE t; INSERT INTO t VALUES (5, 5, 5); COMMIT",
    );
    let (rows, _) = part.group();
    assert_eq!(
        (rows[0].starts_with("truncate"), &rows[1..]),
        (true, &["insert 5 5".to_owned()][..])
    );
    stage.run("BEGIN; DROP TABLE t; ROLLBACK; INSERT INTO t VALUES (6, 6, 6)");
    assert_eq!(part.group().0, ["insert 6 6"]);
    stage.run("DROP TABLE t");
    assert_eq!(part.error(), "42P01");
    assert_eq!(later.error(), "42P01");
}

#[test]
fn privileges_and_roles_change_underneath() {
    let mut stage = Stage::new(&[
        "CREATE TABLE s (id int PRIMARY KEY, v text) WITH (kind = 'shared')",
        "CREATE ROLE readers",
        "CREATE ROLE alice LOGIN PASSWORD 'a'",
        "CREATE ROLE bob LOGIN PASSWORD 'b'",
        "GRANT SELECT ON s TO alice, readers",
        "GRANT readers TO bob",
        TABLE,
    ]);
    let follow = |stage: &Stage, who: &str, password: &str| {
        Follower::new(stage.server.connect_as(who, password).unwrap(), "SUBSCRIBE s")
    };
    let mut alice = follow(&stage, "alice", "a");
    let mut bob = follow(&stage, "bob", "b");
    started(&mut alice);
    started(&mut bob);
    stage.run("INSERT INTO s VALUES (1, 'for both')");
    assert_eq!(alice.group().0, ["insert 1 for both"]);
    assert_eq!(bob.group().0, ["insert 1 for both"]);
    // Nothing is written meanwhile: the change itself ends it.
    stage.run("REVOKE SELECT ON s FROM alice");
    assert_eq!(alice.error(), "42501");
    stage.run("INSERT INTO s VALUES (2, 'for bob')");
    assert_eq!(bob.group().0, ["insert 2 for bob"]);
    stage.run("REVOKE readers FROM bob");
    assert_eq!(bob.error(), "42501");
    stage.run("INSERT INTO s VALUES (3, 'for nobody')");
    assert_eq!(follow(&stage, "bob", "b").error(), "42501");
    // A role that changes takes nothing along.
    let mut client = stage.server.connect().unwrap();
    for sql in ["BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t", "SET LOCAL ROLE alice"] {
        check::run(&mut client, sql).unwrap();
    }
    let gone = check::run(&mut client, "FETCH ALL FROM c WITH (timeout = '20ms')").unwrap_err();
    assert!(matches!(gone.sqlstate(), Some("34000" | "42501")), "{gone}");
}

#[test]
fn shutdown_says_how_far_it_came() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a')"]);
    let mut follower = stage.subscribe("SUBSCRIBE t");
    let mut slow = stage.subscribe("SUBSCRIBE t WITH (PROGRESS = '1h')");
    assert_eq!(follower.group().0, ["snapshot 1 1 a"]);
    assert_eq!(slow.group().0, ["snapshot 1 1 a"]);
    stage.run("UPDATE t SET n = 2");
    let position = stage.position();
    assert_eq!(slow.row()[1].as_deref(), Some("update"));
    assert_eq!(follower.group().1, position);
    stage.server.stop().unwrap();
    let failure = follower.failure();
    assert_eq!(failure.sqlstate(), "57P01");
    assert_eq!(failure.get(b'D'), format!("position={position}"));
    // The marker that was still to come.
    let row = slow.row();
    assert_eq!((row[0].as_deref(), row[1].as_deref()), (Some(&*position), Some("commit")));
    assert_eq!(slow.error(), "57P01");
    stage.relaunch();
    stage.run("UPDATE t SET n = 3");
    let mut again = stage.subscribe(&format!("SUBSCRIBE t AFTER {position}"));
    assert_eq!(again.group().0, ["update 1 3 a"]);
}

#[test]
fn heartbeats_tell_quiet_from_dead() {
    let mut stage = Stage::new(&[TABLE, "CREATE TABLE u (id int PRIMARY KEY)"]);
    let mut client = stage.server.connect().unwrap();
    client.send_query("SUBSCRIBE t WITH (HEARTBEAT = '20ms')").unwrap();
    let mut next = || loop {
        if let Backend::DataRow(values) = client.read().unwrap() {
            let text = |v: &Option<Vec<u8>>| String::from_utf8(v.clone().unwrap()).unwrap();
            break (text(&values[0]), text(&values[1]));
        }
    };
    assert_eq!(next().1, "commit");
    assert_eq!(next().1, "heartbeat");
    // Commits that don't touch the query move the marker.
    stage.run("INSERT INTO u VALUES (1)");
    let head = stage.position();
    let (mut position, mut operation) = next();
    while position != head {
        assert_eq!(operation, "heartbeat");
        (position, operation) = next();
    }
}

#[test]
fn parameters_stand_where_values_may() {
    let mut stage = Stage::new(&[TABLE, "INSERT INTO t VALUES (1, 1, 'a'), (2, 20, 'b')"]);
    let head = stage.position();
    stage.run("INSERT INTO t VALUES (3, 30, 'c'), (4, 4, 'd')");
    let mut client = stage.server.connect().unwrap();
    let mut frames = Frontend::default();
    frames.parse("s", "SUBSCRIBE (SELECT id, v FROM t WHERE n > $1 AND v <> $2) AFTER $3", &[]);
    frames.describe(b'S', "s");
    let text = |value: &str| Some(value.as_bytes().to_vec());
    frames.bind(("", "s"), &[], &[text("10"), text("x"), text(&head)], &[]);
    frames.execute("", 0);
    frames.sync();
    client.send(&frames).unwrap();
    loop {
        match client.read().unwrap() {
            Backend::ParameterDescription(oids) => {
                assert_eq!(oids, [23, 25, 20]);
                break;
            }
            Backend::Error(fields) => panic!("{}: {}", fields.sqlstate(), fields.message()),
            _ => {}
        }
    }
    let mut follower = Follower { client };
    assert_eq!(follower.group().0, ["insert 3 c"]);
    stage.run("UPDATE t SET n = 5 WHERE id = 3");
    assert_eq!(follower.group().0, ["delete 3 c"]);
}
