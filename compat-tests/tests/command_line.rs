//! The command line is a contract: what it prints, how it ends, what it refuses.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client};
use kalamdb_compat_tests::{check, tools};

fn kalamdb(arguments: &[&str]) -> Output {
    let program = tools::kalamdb().unwrap_or_else(|e| panic!("{e}"));
    // A start that should have been refused and isn't would run for ever; it is killed then.
    let mut command = tools::dying_with_us(Path::new("timeout"));
    command.args(["--signal=KILL", "20"]).arg(program).args(arguments);
    without_settings(&mut command).output().expect("it runs")
}

/// Without the variables of the tests, which are no settings.
fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KALAMDB_") {
            command.env_remove(name);
        }
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fails with one line that says what is wrong, and exit status 1.
fn refused(output: &Output, word: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.to_lowercase().contains(word), "no {word:?} in {said:?}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn version_and_settings() {
    let output = kalamdb(&["--version"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("kalamdb 0."), "{}", text(&output.stdout));
    let output = kalamdb(&["settings"]);
    assert!(output.status.success());
    let settings = text(&output.stdout);
    for key in ["default_table_kind", "log_retention", "shutdown_timeout", "max_connections"] {
        assert!(settings.contains(key), "settings say nothing of {key}");
    }
    // What it prints is a settings file that it takes back.
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("kalamdb.toml");
    std::fs::write(&file, &settings).expect("it is written");
    let settings = kalamdb_compat_tests::server::Settings {
        arguments: vec!["--config".to_owned(), file.to_string_lossy().into_owned()],
        ..Default::default()
    };
    Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn bad_settings_change_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let data_text = data.to_string_lossy().into_owned();
    refused(&kalamdb(&["serve", "--data", &data_text, "--set", "nosuch=1"]), "nosuch");
    refused(
        &kalamdb(&["serve", "--data", &data_text, "--set", "max_connections=many"]),
        "max_conn",
    );
    for (setting, words) in [
        ("max_connections=0", "a value from 1 to 262143 is expected, not \"0\""),
        ("max_message_size=0", "a value from 64kb to 1gb"),
        ("segment_size=0", "a value from 64kb to 1tb"),
        ("row_group_rows=0", "a value from 128 to"),
        ("max_commit_group=0", "a value from 1 to"),
        ("flush_interval=0", "a value from 10ms to"),
        ("deadlock_timeout=0", "a value from 1 to"),
        ("log_level=loud", "\"log_level\""),
        ("timezone=Mars/Phobos", "\"timezone\""),
        ("default_table_kind=secret", "\"default_table_kind\""),
        ("default_transaction_isolation=serializable", "\"default_transaction_isolation\""),
        ("synchronous_commit=perhaps", "\"synchronous_commit\""),
        ("authentication=[\"host all all all trust\"]", "loopback"),
    ] {
        let output = kalamdb(&["serve", "--data", &data_text, "--set", setting]);
        refused(&output, words);
        assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
        assert!(!data.exists(), "{setting} leaves something behind");
    }
    let program = tools::kalamdb().unwrap_or_else(|e| panic!("{e}"));
    let mut command = tools::dying_with_us(&program);
    without_settings(&mut command).args(["serve", "--data", &data_text]).env("KALAMDB_FOO", "1");
    refused(&command.output().expect("it runs"), "kalamdb_foo");
    let config = home.path().join("c.toml");
    std::fs::write(&config, "nonsense_key = 1\n").expect("it is written");
    let config = config.to_string_lossy().into_owned();
    refused(&kalamdb(&["serve", "--data", &data_text, "--config", &config]), "nonsense_key");
    refused(&kalamdb(&["serve", "--data", &data_text, "--config", "/nosuch/file"]), "nosuch");
    assert!(!data.exists(), "a refused start leaves nothing behind");
}

#[test]
fn what_is_missing_is_named_in_one_line() {
    for (arguments, missing) in
        [(&["--tls-cert", "a"][..], "--tls-key <file>"), (&["check"], "<dir>")]
    {
        let output = kalamdb(arguments);
        refused(&output, missing);
        assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
    }
}

#[test]
fn an_occupied_port_is_said_and_nothing_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one").to_string();
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let output = kalamdb(&["serve", "--data", &data.to_string_lossy(), "--listen", &address]);
    refused(&output, "in use");
    assert!(!data.exists(), "a refused start leaves nothing behind");
}

#[test]
fn a_second_server_on_one_directory_fails_at_once() {
    let mut server = start();
    let data = server.data().to_string_lossy().into_owned();
    let output = kalamdb(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    refused(&output, &data.to_lowercase());
    let output = kalamdb(&["check", &data]);
    refused(&output, &data.to_lowercase());
    assert_eq!(server.stop().expect("it ends"), Some(0));
    let output = kalamdb(&["check", &data]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stdout).contains(" 1 manifests"), "{}", text(&output.stdout));
}

#[test]
fn a_directory_that_is_not_ours_is_left_alone() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("precious"), "text").expect("it is written");
    let data = home.path().to_string_lossy().into_owned();
    refused(&kalamdb(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]), "");
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is there").collect();
    assert_eq!(left.len(), 1);
    refused(&kalamdb(&["check", "/nosuch/directory"]), "nosuch");
}

#[test]
fn damage_is_found() {
    let mut server = start();
    let mut client = server.connect().expect("the superuser connects");
    for sql in [
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t SELECT n, repeat('x', 50) || n FROM generate_series(1, 2000) n",
        "SELECT kalam_flush('t')",
    ] {
        check::run(&mut client, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    server.stop().expect("it ends");
    let segment = find(&server.data(), "parquet").expect("the flush wrote a segment");
    let mut bytes = std::fs::read(&segment).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&segment, bytes).expect("it is written");
    let output = kalamdb(&["check", &server.data().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout) + &text(&output.stderr);
    let name = segment.file_name().expect("it has one").to_string_lossy().into_owned();
    assert!(said.contains(&name), "{said}");
}

#[test]
fn the_first_start_makes_a_password_and_prints_it_once() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data").to_string_lossy().into_owned();
    let first = printed_until_ready(&data);
    let second = printed_until_ready(&data);
    let mode = std::fs::metadata(&data).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let password = |said: &str| {
        said.lines().find(|l| l.to_lowercase().contains("password")).map(str::to_owned)
    };
    let line = password(&first).unwrap_or_else(|| panic!("no password in {first}"));
    assert_eq!(password(&second), None, "printed again: {second}");
    assert!(line.split_whitespace().any(|word| word.len() >= 16), "a short one: {line}");
}

#[test]
fn sigterm_ends_sessions_with_57p01() {
    let settings = kalamdb_compat_tests::server::Settings {
        set: vec![("shutdown_timeout".to_owned(), "1s".to_owned())],
        ..Default::default()
    };
    let mut server =
        Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"));
    let mut idle = server.connect().expect("the superuser connects");
    let mut busy = server.connect().expect("the superuser connects");
    busy.send_query("SELECT pg_sleep(60)").expect("the server listens");
    assert_eq!(server.stop().expect("it ends"), Some(0));
    for client in [&mut idle, &mut busy] {
        assert_eq!(last_words(client).as_deref(), Some("57P01"));
    }
    server.launch().unwrap_or_else(|e| panic!("it doesn't start again: {e}"));
    server.connect().expect("the superuser connects");
}

#[test]
fn logs_are_json_where_asked_for() {
    let settings = kalamdb_compat_tests::server::Settings {
        set: vec![("log_format".to_owned(), "json".to_owned())],
        ..Default::default()
    };
    let mut server =
        Server::start_with(Product::KalamDb, settings).unwrap_or_else(|e| panic!("{e}"));
    server.stop().expect("it ends");
    let log = std::fs::read_to_string(server.log_path()).expect("there is a log");
    let lines: Vec<_> = log.lines().filter(|l| l.starts_with('{')).collect();
    assert!(!lines.is_empty(), "{log}");
    for line in lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

fn start() -> Server {
    Server::start(Product::KalamDb).unwrap_or_else(|e| panic!("{e}"))
}

/// Everything printed, both streams, up to the ready line; then the server is stopped.
fn printed_until_ready(data: &str) -> String {
    let program = tools::kalamdb().unwrap_or_else(|e| panic!("{e}"));
    let mut command = tools::dying_with_us(&program);
    let mut child = without_settings(&mut command)
        .args(["serve", "--data", data, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stdout = child.stdout.take().expect("the pipe was asked for");
    let mut said = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("it prints text");
        let ready = line.starts_with("ready: postgres://kalamdb@127.0.0.1:");
        said += &line;
        said.push('\n');
        if ready {
            assert!(!line.contains(":0/"), "the port it listens on: {line}");
            break;
        }
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", text(&output.stderr));
    said + &text(&output.stderr)
}

fn last_words(client: &mut Client) -> Option<String> {
    let mut words = None;
    while let Ok(message) = client.read() {
        if let Backend::Error(fields) = message {
            words = Some(fields.sqlstate().to_owned());
        }
    }
    words
}

fn find(directory: &Path, extension: &str) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path, extension) {
                return Some(found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            return Some(path);
        }
    }
    None
}
