//! Who gets in, and what a login tells of others: SCRAM with and without channel binding, TLS,
//! protocol versions, start-up options.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use kalamdb_compat_tests::server::{PASSWORD, Product, SUPERUSER, Server, Settings};
use kalamdb_compat_tests::wire::{Backend, Client, Failure, Frontend, Target};
use kalamdb_compat_tests::{check, tools};

fn start(arguments: &[&str]) -> Server {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let settings = Settings { arguments, ..Settings::default() };
    Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"))
}

/// What psql prints and whether it succeeds, with libpq's own ideas of TLS and SCRAM.
fn psql(server: &Server, options: &str, sql: &str) -> (bool, String) {
    let output = Command::new(tools::postgres("psql").unwrap())
        .args(["-X", "-At", "-c", sql])
        .arg(format!(
            "host=127.0.0.1 port={} user={SUPERUSER} dbname={SUPERUSER} {options}",
            server.port()
        ))
        .env("PGPASSWORD", PASSWORD)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).trim().to_owned())
}

#[test]
fn tls_auto_carries_scram_plus() {
    let mut server = start(&["--tls", "auto"]);
    let bound = "sslmode=require channel_binding=require";
    assert_eq!(psql(&server, bound, "SELECT 'in'"), (true, "in".to_owned()));
    assert!(!psql(&server, "sslmode=disable channel_binding=require", "SELECT 1").0);
    // Unencrypted connections are the rules' business.
    assert_eq!(psql(&server, "sslmode=disable", "SELECT 'in'"), (true, "in".to_owned()));
    // The certificate is made once, its key is for nobody else, and clients can pin it.
    let certificate = server.data().join("tls/server.crt");
    let key = std::fs::metadata(server.data().join("tls/server.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&certificate).unwrap();
    server.stop().unwrap();
    server.launch().unwrap();
    assert_eq!(std::fs::read(&certificate).unwrap(), before);
    let pinned = format!("sslmode=verify-ca sslrootcert={}", certificate.display());
    assert_eq!(psql(&server, &pinned, "SELECT 'in'"), (true, "in".to_owned()));
}

#[test]
fn rules_can_ask_for_tls() {
    let rules = "authentication=hostssl all all all scram-sha-256";
    let server = start(&["--tls", "auto", "--set", rules]);
    assert_eq!(psql(&server, "sslmode=require", "SELECT 'in'"), (true, "in".to_owned()));
    let (succeeded, said) = psql(&server, "sslmode=disable", "SELECT 1");
    assert!(!succeeded && said.contains("no encryption"), "{said}");
}

/// The first words of a login as `user`: the server's half of SCRAM, up to its nonce.
fn challenge(server: &Server, user: &str) -> (String, String) {
    let mut client = Client::open(&server.target()).unwrap();
    let mut frames = Frontend::default();
    frames.startup(&[("user", user), ("database", SUPERUSER)]);
    client.send(&frames).unwrap();
    let Backend::Authentication { kind: 10, body } = client.read().unwrap() else {
        panic!("no SASL is asked of {user}");
    };
    assert_eq!(body, b"SCRAM-SHA-256\0\0");
    let mut frames = Frontend::default();
    frames.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc");
    client.send(&frames).unwrap();
    let Backend::Authentication { kind: 11, body } = client.read().unwrap() else {
        panic!("no SASLContinue for {user}");
    };
    let text = String::from_utf8(body).unwrap();
    let mut parts = text.split(',');
    assert!(parts.next().unwrap().starts_with("r=abc"));
    (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
}

#[test]
fn a_role_that_is_not_there_looks_like_a_wrong_password() {
    let mut server = start(&[]);
    let mut client = server.connect().unwrap();
    check::run(&mut client, "CREATE ROLE alice LOGIN PASSWORD 'a'").unwrap();
    check::run(&mut client, "CREATE ROLE nologin PASSWORD 'a'").unwrap();
    check::run(&mut client, "CREATE ROLE bare LOGIN").unwrap();
    let users = ["alice", "nobody", "somebody", "nologin", "bare"];
    let first: Vec<_> = users.iter().map(|user| challenge(&server, user)).collect();
    let lengths: Vec<_> = first.iter().map(|(salt, count)| (salt.len(), count)).collect();
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    let salts: std::collections::HashSet<_> = first.iter().map(|(salt, _)| salt).collect();
    assert_eq!(salts.len(), users.len(), "each name has a salt of its own");
    for user in users {
        match server.connect_as(user, "wrong") {
            Err(Failure::Server(fields)) => {
                assert_eq!((fields.sqlstate(), fields.get(b'V')), ("28P01", "FATAL"));
                let expected = format!("password authentication failed for user \"{user}\"");
                assert_eq!(fields.message(), expected);
            }
            other => panic!("{user}: {other:?}"),
        }
    }
    // A salt that changed with each start would tell the made-up ones.
    drop(client);
    server.stop().unwrap();
    server.launch().unwrap();
    let second: Vec<_> = users.iter().map(|user| challenge(&server, user)).collect();
    assert_eq!(first, second);
}

#[test]
fn start_up_options_are_settings_and_wrong_ones_end_the_connection() {
    let server = start(&[]);
    let with = |name: &str, value: &str| Target {
        parameters: vec![(name.to_owned(), value.to_owned())],
        ..server.target()
    };
    let mut client =
        Client::connect(&with("options", "-c statement_timeout=5s -csearch_path=a,b")).unwrap();
    assert_eq!(check::run(&mut client, "SHOW statement_timeout").unwrap().scalar(), "5s");
    assert_eq!(check::run(&mut client, "SHOW search_path").unwrap().scalar(), "a,b");
    for (name, value, code) in [
        ("options", "-c nosuch=1", "42704"),
        ("options", "-c statement_timeout=soon", "22023"),
        ("options", "-x", "42601"),
        ("nosuch", "1", "42704"),
        ("client_encoding", "LATIN1", "0A000"),
        ("replication", "database", "0A000"),
    ] {
        match Client::connect(&with(name, value)) {
            Err(Failure::Server(fields)) => {
                assert_eq!(
                    (fields.sqlstate(), fields.get(b'V')),
                    (code, "FATAL"),
                    "{name}={value}"
                );
            }
            other => panic!("{name}={value}: {other:?}"),
        }
    }
    let unknown = Target { database: "nosuch".to_owned(), ..server.target() };
    match Client::connect(&unknown) {
        Err(failure) => assert_eq!(failure.sqlstate(), Some("3D000")),
        Ok(_) => panic!("a database that is not there"),
    }
}

#[test]
fn protocol_3_2_has_long_cancel_keys() {
    let server = start(&["--set", "authentication=host all all 127.0.0.1/32 trust"]);
    let mut client = Client::open(&server.target()).unwrap();
    let mut body = 196_610_u32.to_be_bytes().to_vec();
    body.extend_from_slice(format!("user\0{SUPERUSER}\0\0").as_bytes());
    let mut frames = Frontend::default();
    frames.raw(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frames.raw(&body);
    client.send(&frames).unwrap();
    for message in client.until_ready().unwrap() {
        match message {
            Backend::BackendKeyData { pid, secret } => {
                assert_eq!(secret.len(), 32);
                (client.pid, client.secret) = (pid, secret);
            }
            Backend::NegotiateProtocolVersion(_) => panic!("3.2 is not spoken"),
            _ => {}
        }
    }
    // A cancel request that comes before the query does is for nothing: wait for its first row.
    client.send_query("SELECT 1; SELECT pg_sleep(60)").unwrap();
    while !matches!(client.read().unwrap(), Backend::DataRow(_)) {}
    client.cancel().unwrap();
    let failed = check::gather(&mut client).unwrap_err();
    assert_eq!(failed.sqlstate(), Some("57014"));
}

#[test]
fn a_role_has_no_more_connections_than_its_limit() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    for sql in [
        "CREATE ROLE few LOGIN CONNECTION LIMIT 1 PASSWORD 'few'",
        "CREATE ROLE nobody LOGIN CONNECTION LIMIT 0 PASSWORD 'nobody'",
        "CREATE ROLE boss LOGIN SUPERUSER CONNECTION LIMIT 0 PASSWORD 'boss'",
    ] {
        check::run(&mut client, sql).unwrap();
    }
    let refused = |user: &str, password: &str| match server.connect_as(user, password) {
        Ok(_) => panic!("{user} is let in"),
        Err(failure) => assert_eq!(failure.sqlstate(), Some("53300"), "{failure}"),
    };
    let mut first = server.connect_as("few", "few").unwrap();
    refused("few", "few");
    refused("nobody", "nobody");
    server.connect_as("boss", "boss").unwrap();
    // Whoever it acts for, the connection is the login's.
    check::run(&mut client, "SET ROLE few").unwrap();
    refused("few", "few");
    check::run(&mut client, "RESET ROLE").unwrap();
    check::run(&mut client, "ALTER ROLE few CONNECTION LIMIT 2").unwrap();
    server.connect_as("few", "few").unwrap();
    check::run(&mut first, "SELECT 1").unwrap();
    // PostgreSQL clears an empty password too: with it nobody gets in.
    check::run(&mut client, "CREATE ROLE bare LOGIN PASSWORD ''").unwrap();
    assert!(server.connect_as("bare", "").is_err());
}
