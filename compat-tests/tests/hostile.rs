//! Clients that lie, vanish, flood or ask for everything: they hurt themselves alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server, Settings};
use kalamdb_compat_tests::wire::{Backend, Client, Failure, Frontend};

/// How long the server may take to be done with a client that broke the rules.
const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> Server {
    Server::start(Product::KalamDb).unwrap_or_else(|e| panic!("{e}"))
}

/// Sends bytes on a fresh socket, reads until the server closes, and returns what it said.
fn until_closed(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that closes at the first bytes may do so before it has read the last.
    let _ = socket.write_all(bytes);
    let mut said = Vec::new();
    match socket.read_to_end(&mut said) {
        Ok(_) => said,
        Err(e) if e.kind() == ErrorKind::ConnectionReset => said,
        Err(e) => panic!("not closed: {e}, said {:?}", said.escape_ascii().to_string()),
    }
}

fn startup(user: &str) -> Vec<u8> {
    let mut frames = Frontend::default();
    frames.startup(&[("user", user), ("database", "kalamdb")]);
    frames.bytes().to_vec()
}

fn alive(server: &Server) {
    let mut client = server.connect().expect("the server lives");
    assert_eq!(check::run(&mut client, "SELECT 1").unwrap().scalar(), "1");
}

#[test]
fn nobody_gets_in_by_an_error_before_authentication() {
    let server = start();
    let mut query = Frontend::default();
    query.query("SELECT 'in'");
    let mut sasl_nonsense = Frontend::default();
    sasl_nonsense.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=");
    let mut unknown_mechanism = Frontend::default();
    unknown_mechanism.sasl_initial("PLAIN", b"x");
    let mut flood = Frontend::default();
    flood.password(&vec![b'x'; 200_000]);
    let mut wrong_frame = Frontend::default();
    wrong_frame.sync();
    for frames in [&query, &sasl_nonsense, &unknown_mechanism, &flood, &wrong_frame] {
        let mut bytes = startup("kalamdb");
        bytes.extend_from_slice(frames.bytes());
        bytes.extend_from_slice(query.bytes());
        let said = until_closed(&server, &bytes);
        let text = String::from_utf8_lossy(&said);
        assert!(!text.contains("SELECT 1") && !text.contains("server_version"), "{text:?}");
    }
    match server.connect_as("kalamdb", "wrong") {
        Err(Failure::Server(fields)) => assert_eq!(fields.sqlstate(), "28P01"),
        other => panic!("{other:?}"),
    }
    alive(&server);
}

#[test]
fn lying_lengths_before_authentication() {
    let server = start();
    for bytes in [
        &[0_u8, 0, 0, 0][..],
        &[0, 0, 0, 3, 0, 3, 0, 0],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 8, 0, 3, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 1],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 8, 0, 9, 0, 0],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        &[0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2],
    ] {
        let said = until_closed(&server, bytes);
        assert!(!said.contains(&b'Z'), "{:?}", said.escape_ascii().to_string());
    }
    alive(&server);
}

#[test]
fn bytes_behind_sslrequest_do_not_reach_the_session() {
    let settings =
        Settings { arguments: vec!["--tls".to_owned(), "auto".to_owned()], ..Settings::default() };
    let server = Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"));
    let mut bytes = vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    bytes.extend(startup("kalamdb"));
    let said = until_closed(&server, &bytes);
    let text = String::from_utf8_lossy(&said);
    assert!(!text.contains("SCRAM"), "the smuggled startup was answered: {text:?}");
    alive(&server);
}

#[test]
fn lying_frames_after_authentication() {
    let server = start();
    let mut huge = vec![b'Q'];
    huge.extend([0x7f, 0xff, 0xff, 0xff]);
    huge.extend(b"SELECT 1\0");
    let mut negative = vec![b'Q'];
    negative.extend([0xff, 0xff, 0xff, 0xff]);
    let short = vec![b'Q', 0, 0, 0, 2];
    let unknown = vec![b'y', 0, 0, 0, 4];
    let mut no_terminator = Frontend::default();
    no_terminator.frame(b'Q', b"SELECT 1");
    let mut bind_counts = Frontend::default();
    bind_counts.frame(b'B', &[0, 0, 0, 0, 0xff, 0xff]);
    let mut bind_value = Frontend::default();
    bind_value.frame(b'B', &[0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 0]);
    let mut parse_counts = Frontend::default();
    parse_counts.frame(b'P', b"\0SELECT 1\0\xff\xff");
    let mut execute = Frontend::default();
    execute.frame(b'E', b"\0\0");
    let mut describe = Frontend::default();
    describe.frame(b'D', b"X\0");
    let framed = [&no_terminator, &bind_counts, &bind_value, &parse_counts, &execute, &describe];
    let mut cases = vec![huge, negative, short, unknown];
    cases.extend(framed.map(|f| f.bytes().to_vec()));
    for case in cases {
        let mut client = server.connect().unwrap();
        let mut frames = Frontend::default();
        frames.raw(&case);
        frames.sync();
        client.send(&frames).unwrap();
        let shown = case.escape_ascii().to_string();
        // An error and then either a usable session or the end; never silence, never success.
        let mut failed = false;
        loop {
            match client.read() {
                Ok(Backend::Error(_)) => failed = true,
                Ok(Backend::ReadyForQuery(_)) => break,
                Ok(other) => panic!("{shown}: {other:?}"),
                Err(e) if e.kind() == ErrorKind::TimedOut => panic!("{shown}: silence"),
                Err(_) => break,
            }
        }
        assert!(failed, "{shown} is no error");
    }
    alive(&server);
}

/// Resident memory of the server in KiB.
fn memory_kib(server: &Server) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", server.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn five_million_rows_in_constant_memory() {
    const ROWS: u64 = 5_000_000;
    let server = start();
    let sql = format!("SELECT n, 'a text beside it' FROM generate_series(1, {ROWS}) n");
    for extended in [false, true] {
        let mut client = server.connect().unwrap();
        let mut frames = Frontend::default();
        if extended {
            frames.one_statement(&sql)
        } else {
            frames.query(&sql)
        }
        let before = memory_kib(&server);
        client.send(&frames).unwrap();
        let (mut rows, mut most) = (0, 0);
        loop {
            match client.read().unwrap() {
                Backend::DataRow(_) => {
                    rows += 1;
                    if rows % 250_000 == 0 {
                        most = most.max(memory_kib(&server));
                    }
                }
                Backend::Error(fields) => panic!("{}", fields.message()),
                Backend::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        assert_eq!(rows, ROWS);
        let grown = most.saturating_sub(before);
        assert!(grown < 100 * 1024, "extended {extended}: {grown} KiB more while streaming");
    }
}

#[test]
fn a_reader_that_stops_reading_costs_little_and_can_be_cancelled() {
    let server = start();
    let mut client = server.connect().unwrap();
    let before = memory_kib(&server);
    client.send_query("SELECT n, repeat('x', 100) FROM generate_series(1, 100000000) n").unwrap();
    for _ in 0..1000 {
        client.read().unwrap();
    }
    // It stands still now; the server's other work goes on.
    alive(&server);
    assert!(memory_kib(&server).saturating_sub(before) < 64 * 1024);
    client.cancel().unwrap();
    let begun = Instant::now();
    let code = loop {
        match client.read().unwrap() {
            Backend::Error(fields) => break fields.sqlstate().to_owned(),
            Backend::ReadyForQuery(_) => panic!("it ended by itself"),
            _ => assert!(begun.elapsed() < PATIENCE, "the cancel doesn't reach it"),
        }
    };
    assert_eq!(code, "57014");
    client.until_ready().unwrap();
    assert_eq!(check::run(&mut client, "SELECT 1").unwrap().scalar(), "1");
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    let server = start();
    let mut observer = server.connect().unwrap();
    let mut client = server.connect().unwrap();
    check::run(&mut observer, "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    check::run(&mut client, "BEGIN").unwrap();
    check::run(&mut client, "INSERT INTO t VALUES (1)").unwrap();
    client.send_query("SELECT pg_sleep(1000)").unwrap();
    let pid = client.pid;
    drop(client);
    let question = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    let begun = Instant::now();
    while check::run(&mut observer, &question).unwrap().scalar() != "0" {
        assert!(begun.elapsed() < PATIENCE, "its session goes on");
    }
    // Its locks are gone with it.
    assert_eq!(check::run(&mut observer, "INSERT INTO t VALUES (1)").unwrap().tag, "INSERT 0 1");
}

#[test]
fn timeouts_end_what_they_name() {
    let server = start();
    let mut client = server.connect().unwrap();
    check::run(&mut client, "SET statement_timeout = '100ms'").unwrap();
    let slow = check::run(&mut client, "SELECT pg_sleep(30)").unwrap_err();
    assert_eq!(slow.sqlstate(), Some("57014"));
    check::run(&mut client, "RESET statement_timeout").unwrap();
    for (setting, begin, code) in [
        ("idle_in_transaction_session_timeout", "BEGIN", "25P03"),
        ("idle_session_timeout", "SELECT 1", "57P05"),
    ] {
        let mut client = server.connect().unwrap();
        check::run(&mut client, &format!("SET {setting} = '100ms'")).unwrap();
        check::run(&mut client, begin).unwrap();
        match client.read().unwrap() {
            Backend::Error(fields) => assert_eq!(fields.sqlstate(), code),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.read().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}

/// Processor time of the server so far, in hundredths of a second.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid().unwrap())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_join_without_rows_blocks_nobody_and_ends_when_it_is_told() {
    let server = start();
    let mut other = server.connect().unwrap();
    let series = "generate_series(1, 300000)";
    let endless = [
        format!("SELECT count(*) FROM {series} a, {series} b WHERE a.a - b.b = 1000000"),
        format!("SELECT count(*) FROM {series} a, {series} b"),
        format!(
            "SELECT count(*) FROM {series} a JOIN {series} b ON a.a / 1000000 = b.b / 1000000 \
                 AND a.a::text || b.b::text = 'x'"
        ),
    ];
    for sql in &endless {
        // More of them than there are processors.
        let mut clients: Vec<Client> = (0..4).map(|_| server.connect().unwrap()).collect();
        for client in &mut clients {
            check::run(client, "SET statement_timeout = '60s'").unwrap();
            client.send_query(sql).unwrap();
        }
        let begun = Instant::now();
        let answer = check::run(&mut other, "SELECT count(*) FROM generate_series(1, 1000) n");
        assert_eq!(answer.unwrap().scalar(), "1000");
        assert!(begun.elapsed() < PATIENCE, "{sql}: others wait for it");
        let begun = Instant::now();
        for client in &mut clients {
            client.cancel().unwrap();
            let code = loop {
                match client.read().unwrap() {
                    Backend::Error(fields) => break fields.sqlstate().to_owned(),
                    Backend::ReadyForQuery(_) => panic!("{sql} ended by itself"),
                    _ => {}
                }
            };
            assert_eq!(code, "57014", "{sql}");
        }
        assert!(begun.elapsed() < PATIENCE, "{sql}: the cancel doesn't reach it");
        std::thread::sleep(Duration::from_millis(300));
        let before = cpu_ticks(&server);
        std::thread::sleep(Duration::from_secs(1));
        let busy = cpu_ticks(&server) - before;
        assert!(busy < 50, "{sql}: {busy} hundredths of a second after its end");
    }
}

#[test]
fn idle_connections_are_small() {
    const CONNECTIONS: u64 = 400;
    let server = start();
    let open = |n: u64| -> Vec<Client> {
        let one = |_| {
            let mut client = server.connect().unwrap();
            check::run(&mut client, "SELECT 1").unwrap();
            client
        };
        (0..n).map(one).collect()
    };
    // What the first ones allocate for everybody isn't theirs.
    let warm = open(50);
    let before = memory_kib(&server);
    let idle = open(CONNECTIONS);
    let each = memory_kib(&server).saturating_sub(before) / CONNECTIONS;
    assert!(each <= 30, "{each} KiB for each of {CONNECTIONS} idle connections");
    drop((warm, idle));
}

#[test]
fn one_sessions_trouble_is_its_own() {
    let server = start();
    let mut other = server.connect().unwrap();
    check::run(&mut other, "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    for sql in [
        &*format!("SELECT {}1", "(".repeat(20_000)),
        &format!("SELECT {}", "-".repeat(50_000)),
        &format!("SELECT {}", vec!["1"; 100_000].join(" + ")),
        &format!("SELECT * FROM t WHERE id IN ({})", vec!["1"; 100_000].join(",")),
        &format!("SELECT {} AS x", "NOT ".repeat(20_000) + "true"),
        &format!("SELECT '{}'::jsonb", "[".repeat(100_000)),
        &format!("SELECT {}", vec!["1"; 3000].join(",")),
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 1000000000)",
        "SELECT array_fill(1, ARRAY[500000000])",
        "SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 100000)",
        "SELECT array_agg(repeat('x', 1000000)) FROM generate_series(1, 100000)",
        "SELECT 10::numeric ^ 100000",
        "SELECT '1e1000000'::numeric",
        "SELECT factorial(100000)",
        "SELECT '(((((((((((((((((((((((((x+x+)+)+)+)+)+' ~ '((((((x+)+)+)+)+)+)+y'",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    ] {
        let mut client = server.connect().unwrap();
        check::run(&mut client, "SET statement_timeout = '3s'").unwrap();
        // Any answer will do, also the end of this one session.
        let shown = &sql[..sql.len().min(60)];
        match client.query(sql) {
            Err(e) if e.kind() == ErrorKind::TimedOut => panic!("{shown}: no answer"),
            _ => {}
        }
        let still = check::run(&mut other, "SELECT count(*) FROM t");
        assert!(still.is_ok(), "after {shown}: {still:?}");
    }
}
