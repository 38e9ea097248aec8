//! Every limit that a user can meet: by its name, at a small value, with its error, and what still
//! works beyond it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::ErrorKind;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server, Settings};
use kalamdb_compat_tests::wire::{Backend, Client, Failure, Frontend};

fn start(set: &[(&str, &str)]) -> Server {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Settings { set: set.collect(), ..Settings::default() };
    Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"))
}

fn run(client: &mut Client, sql: &str) -> check::Answer {
    let shown: String = sql.chars().take(100).collect();
    check::run(client, sql).unwrap_or_else(|e| panic!("{shown}: {e}"))
}

/// The SQLSTATE that the statement fails with.
fn refused(client: &mut Client, sql: &str) -> String {
    let shown: String = sql.chars().take(100).collect();
    match check::run(client, sql) {
        Err(Failure::Server(fields)) => fields.sqlstate().to_owned(),
        other => panic!("{shown}: {other:?}"),
    }
}

/// The SQLSTATEs of a pipeline's errors.
fn errors(client: &mut Client, frames: &Frontend) -> Vec<String> {
    client.send(frames).unwrap();
    let messages = client.until_ready().unwrap();
    let code = |message: Backend| match message {
        Backend::Error(fields) => Some(fields.sqlstate().to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(code).collect()
}

#[test]
fn max_connections() {
    let server = start(&[("max_connections", "3")]);
    let mut open: Vec<Client> = (0..3).map(|_| server.connect().unwrap()).collect();
    match server.connect() {
        Err(failure) => assert_eq!(failure.sqlstate(), Some("53300")),
        Ok(_) => panic!("a fourth connection"),
    }
    let mut last = open.pop().unwrap();
    let mut frames = Frontend::default();
    frames.terminate();
    last.send(&frames).unwrap();
    // Closed on its side, too, once its place is free.
    assert_eq!(last.read().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    server.connect().unwrap();
}

#[test]
fn max_message_size() {
    let server = start(&[("max_message_size", "1MB")]);
    let mut client = server.connect().unwrap();
    run(&mut client, &format!("SELECT '{}'", "x".repeat(1_000_000)));
    let mut frames = Frontend::default();
    frames.query(&format!("SELECT '{}'", "x".repeat(1 << 20)));
    // The server needs no more than the announced length to refuse, and may close at once.
    let _ = client.send(&frames);
    match client.read().unwrap() {
        Backend::Error(fields) => {
            assert_eq!((fields.sqlstate(), fields.get(b'V')), ("54000", "FATAL"));
        }
        other => panic!("{other:?}"),
    }
    server.connect().unwrap();
}

#[test]
fn max_prepared_statements_and_max_portals() {
    let server = start(&[("max_prepared_statements", "2"), ("max_portals", "2")]);
    let mut client = server.connect().unwrap();
    let mut frames = Frontend::default();
    for name in ["a", "b", "c"] {
        frames.parse(name, "SELECT 1", &[]);
    }
    frames.sync();
    assert_eq!(errors(&mut client, &frames), ["53400"]);
    let mut frames = Frontend::default();
    for name in ["p", "q", "r"] {
        frames.bind((name, "a"), &[], &[], &[]);
    }
    frames.sync();
    assert_eq!(errors(&mut client, &frames), ["53400"]);
    let mut frames = Frontend::default();
    frames.close(b'S', "a");
    frames.parse("c", "SELECT 1", &[]);
    frames.bind(("p", "c"), &[], &[], &[]);
    frames.execute("p", 0);
    frames.sync();
    assert_eq!(errors(&mut client, &frames), [""; 0]);
}

#[test]
fn outbox_size() {
    let server = start(&[("outbox_size", "64kB")]);
    let mut listener = server.connect().unwrap();
    let mut notifier = server.connect().unwrap();
    run(&mut listener, "LISTEN c");
    // In a transaction nothing is delivered.
    run(&mut listener, "BEGIN");
    let payload = "x".repeat(7000);
    let mut sent = 0;
    let code = loop {
        match check::run(&mut notifier, &format!("NOTIFY c, '{payload}{sent:04}'")) {
            Ok(_) => sent += 1,
            Err(failure) => break failure.sqlstate().unwrap_or_default().to_owned(),
        }
        assert!(sent < 100, "the outbox has no end");
    };
    assert_eq!(code, "54000");
    assert!(sent > 2, "only {sent} fit");
    // What was accepted arrives, all of it, and then there is room again.
    listener.send_query("COMMIT").unwrap();
    let messages = listener.until_ready().unwrap();
    let heard: Vec<String> = messages
        .into_iter()
        .filter_map(|message| match message {
            Backend::Notification { payload, .. } => Some(payload[7000..].to_owned()),
            _ => None,
        })
        .collect();
    let expected: Vec<String> = (0..sent).map(|n| format!("{n:04}")).collect();
    assert_eq!(heard, expected);
    run(&mut notifier, "NOTIFY c, 'again'");
    match listener.read().unwrap() {
        Backend::Notification { payload, .. } => assert_eq!(payload, "again"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn max_subscriptions() {
    let server = start(&[("max_subscriptions", "2")]);
    let mut client = server.connect().unwrap();
    run(&mut client, "CREATE TABLE t (id int PRIMARY KEY)");
    run(&mut client, "BEGIN");
    run(&mut client, "DECLARE a CURSOR FOR SUBSCRIBE t");
    run(&mut client, "DECLARE b CURSOR FOR SUBSCRIBE t");
    assert_eq!(refused(&mut client, "DECLARE c CURSOR FOR SUBSCRIBE t"), "53400");
    run(&mut client, "ROLLBACK");
    run(&mut client, "BEGIN");
    run(&mut client, "DECLARE c CURSOR FOR SUBSCRIBE t");
}

#[test]
fn max_commit_size_and_max_row_size() {
    let server = start(&[("max_commit_size", "1MB"), ("max_row_size", "100kB")]);
    let mut client = server.connect().unwrap();
    run(&mut client, "CREATE TABLE t (id int PRIMARY KEY, v text)");
    let row =
        "INSERT INTO t SELECT 0, string_agg(md5(n::text), '') FROM generate_series(1, 4000) n";
    assert_eq!(refused(&mut client, row), "54000");
    let many = "INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 100000) n";
    assert_eq!(refused(&mut client, many), "54000");
    assert_eq!(run(&mut client, "SELECT count(*) FROM t").scalar(), "0");
    run(&mut client, "INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 1000) n");
}

/// A key has at most 4 KiB; what lies beside it in the row may be longer.
#[test]
fn keys_have_a_length() {
    let server = start(&[]);
    let mut client = server.connect().expect("the superuser connects");
    run(&mut client, "CREATE TABLE k (id text PRIMARY KEY, u text UNIQUE, v text)");
    let insert = |id: usize, u: usize, v: usize| {
        format!("INSERT INTO k VALUES (repeat('i', {id}), repeat('u', {u}), repeat('v', {v}))")
    };
    run(&mut client, &insert(4000, 4000, 100_000));
    assert_eq!(refused(&mut client, &insert(5000, 10, 10)), "54000");
    assert_eq!(refused(&mut client, &insert(10, 5000, 10)), "54000");
    let update = "UPDATE k SET id = repeat('i', 5000)";
    assert_eq!(refused(&mut client, update), "54000");
    assert_eq!(run(&mut client, "SELECT count(*) FROM k").scalar(), "1");
}

#[test]
fn statements_have_a_length_and_a_depth() {
    let server = start(&[("max_message_size", "128MB")]);
    let mut client = server.connect().unwrap();
    let long = format!("SELECT 1 {}", " ".repeat(64 << 20));
    assert_eq!(refused(&mut client, &long), "54000");
    let blank = format!("SELECT 1 {}", " ".repeat(60 << 20));
    assert_eq!(refused(&mut client, &blank), "54000");
    let quoted = format!("SELECT length('{}')", " ".repeat(60 << 20));
    assert_eq!(run(&mut client, &quoted).scalar(), (60 << 20).to_string());
    let listed = |count: usize| format!("SELECT 1 WHERE 1 IN ({})", vec!["1"; count].join(","));
    assert_eq!(refused(&mut client, &listed(1_000_001)), "54000");
    run(&mut client, &listed(10_000));
    let deep = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(refused(&mut client, &deep(130)), "54001");
    assert_eq!(run(&mut client, &deep(100)).scalar(), "1");
    let chained = |operators: usize| format!("SELECT 1{}", " + 1".repeat(operators));
    assert_eq!(refused(&mut client, &chained(2001)), "54001");
    assert_eq!(run(&mut client, &chained(1500)).scalar(), "1501");
    let wide = format!("SELECT {}", vec!["1"; 1665].join(", "));
    assert_eq!(refused(&mut client, &wide), "54011");
    let short = format!("SELECT {}", vec!["1"; 1664].join(", "));
    assert_eq!(run(&mut client, &short).columns.len(), 1664);
}

/// What is made in memory has at most 256 MiB.
#[test]
fn texts_documents_and_scrolling_have_a_length() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    let most = 256 << 20;
    let repeated = |length: usize| format!("SELECT length(repeat('x', {length}))");
    assert_eq!(run(&mut client, &repeated(most)).scalar(), most.to_string());
    assert_eq!(refused(&mut client, &repeated(most + 1)), "54000");
    let document = "SELECT length(json_agg(repeat('x', 1000000))::text) FROM generate_series(1, #)";
    run(&mut client, &document.replace('#', "100"));
    assert_eq!(refused(&mut client, &document.replace('#', "300")), "54000");
    let cursor = "CURSOR FOR SELECT repeat('x', 1000000) FROM generate_series(1, 300)";
    run(&mut client, "BEGIN");
    run(&mut client, &format!("DECLARE forward NO SCROLL {cursor}"));
    assert_eq!(run(&mut client, "MOVE ALL FROM forward").tag, "MOVE 300");
    run(&mut client, &format!("DECLARE scrolling SCROLL {cursor}"));
    assert_eq!(refused(&mut client, "MOVE ALL FROM scrolling"), "53400");
}

#[test]
fn a_session_holds_so_many_things() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    // As many as there may be, and one more.
    let script = |template: &str| -> String {
        (0..10_000).map(|n| template.replace('#', &n.to_string())).collect()
    };
    run(&mut client, &script("PREPARE p# AS SELECT 1;"));
    assert_eq!(refused(&mut client, "PREPARE more AS SELECT 1"), "53400");
    run(&mut client, "DEALLOCATE ALL");
    run(&mut client, "BEGIN");
    run(&mut client, &script("DECLARE c# CURSOR FOR SELECT 1;"));
    assert_eq!(refused(&mut client, "DECLARE more CURSOR FOR SELECT 1"), "53400");
    run(&mut client, "ROLLBACK");
    run(&mut client, &script("LISTEN l#;"));
    assert_eq!(refused(&mut client, "LISTEN more"), "54000");
    run(&mut client, "UNLISTEN l0");
    run(&mut client, "LISTEN more");
}

#[test]
fn authentication_timeout() {
    let server = start(&[("authentication_timeout", "100ms")]);
    let mut silent = Client::open(&server.target()).unwrap();
    match silent.read().unwrap() {
        Backend::Error(fields) => assert_eq!(fields.sqlstate(), "57014"),
        other => panic!("{other:?}"),
    }
    assert_eq!(silent.read().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn lock_timeout_and_statement_timeout_as_settings_of_the_server() {
    let server = start(&[("lock_timeout", "100ms"), ("statement_timeout", "20s")]);
    let mut holder = server.connect().unwrap();
    let mut waiter = server.connect().unwrap();
    assert_eq!(run(&mut waiter, "SHOW lock_timeout").scalar(), "100ms");
    assert_eq!(run(&mut waiter, "SHOW statement_timeout").scalar(), "20s");
    run(&mut holder, "CREATE TABLE t (id int PRIMARY KEY)");
    run(&mut holder, "INSERT INTO t VALUES (1)");
    run(&mut holder, "BEGIN");
    run(&mut holder, "DELETE FROM t");
    assert_eq!(refused(&mut waiter, "DELETE FROM t"), "55P03");
    run(&mut waiter, "SET statement_timeout = '100ms'");
    run(&mut waiter, "SET lock_timeout = 0");
    assert_eq!(refused(&mut waiter, "DELETE FROM t"), "57014");
    assert_eq!(refused(&mut waiter, "SET statement_timeout = '-1s'"), "22023");
}

const BY_GROUP: &str = "SELECT count(*) FROM (SELECT n::text || repeat('x', 30), count(*) \
                        FROM generate_series(1, 1000000) n GROUP BY 1) g";
const SORTED: &str = "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY t) r \
                      FROM (SELECT n::text || repeat('x', 30) t \
                      FROM generate_series(1, 1000000) n) s) w";

#[test]
fn query_memory() {
    let server = start(&[("query_memory", "32MB")]);
    let mut client = server.connect().unwrap();
    for sql in [
        "SELECT count(DISTINCT n) FROM generate_series(1, 2000000) n",
        "SELECT count(*) FROM generate_series(1, 2000000) a JOIN generate_series(1, 2000000) b \
         ON a = b",
    ] {
        assert_eq!(refused(&mut client, sql), "53200", "{sql}");
    }
    // What they took is there again.
    let small = "SELECT count(DISTINCT n) FROM generate_series(1, 1000) n";
    assert_eq!(run(&mut client, small).scalar(), "1000");
}

#[test]
fn what_outgrows_query_memory_goes_on_in_files() {
    let server = start(&[("query_memory", "64MB")]);
    let mut client = server.connect().unwrap();
    for large in [BY_GROUP, SORTED] {
        assert_eq!(run(&mut client, large).scalar(), "1000000", "{large}");
    }
}

#[test]
fn temp_file_limit() {
    let server = start(&[("query_memory", "32MB"), ("temp_file_limit", "1MB")]);
    let mut client = server.connect().unwrap();
    for large in [BY_GROUP, SORTED] {
        assert_eq!(refused(&mut client, large), "53400", "{large}");
    }
    assert_eq!(run(&mut client, "SELECT count(*) FROM generate_series(1, 10)").scalar(), "10");
}
