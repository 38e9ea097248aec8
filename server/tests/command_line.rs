//! The command line's contract: what it prints, how it exits, what it leaves alone.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn kalamdb(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalamdb"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars() {
        if name.starts_with("KALAMDB_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    kalamdb(arguments).output().unwrap()
}

/// It exits with 1 and one line that says `expected`.
fn refuses(command: &mut Command, expected: &str) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("kalamdb: ") && text.contains(expected), "{text}");
}

struct Server {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Server {
    fn start(data: &Path, password: Option<&str>) -> Self {
        let data = data.to_str().unwrap();
        let mut command = kalamdb(&["--data", data, "--listen", "127.0.0.1:0"]);
        if let Some(password) = password {
            command.env("KALAMDB_PASSWORD", password);
        }
        let mut process = command.stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Self { process, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The port of the ready line.
    fn port(&mut self) -> u16 {
        let line = self.line();
        let rest = line.strip_prefix("ready: postgres://kalamdb@127.0.0.1:").unwrap();
        rest.strip_suffix("/kalamdb").unwrap().parse().unwrap()
    }

    fn stop(mut self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn help_version_and_settings() {
    let output = run(&["--version"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("kalamdb 0."));
    let output = run(&["settings"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("\nmax_connections = "));
    assert!(run(&["--help"]).status.success());
}

#[test]
fn what_is_wrong_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 8] = [
        (&["--colour"], "--colour"),
        (&["--set", "colour=red"], "unknown setting \"colour\""),
        (&["--set", "max_connections=many"], "whole number"),
        (&["--config", "/nowhere.toml"], "/nowhere.toml"),
        (&["--listen", &address], "cannot listen"),
        (&["--listen", "nowhere"], "cannot listen"),
        (&["--tls-cert", "/no.crt", "--tls-key", "/no.key"], "/no.crt"),
        (&["--set", "log_level=,=,"], "log_level"),
    ];
    for (arguments, expected) in cases {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--data", data]);
        refuses(&mut kalamdb(&arguments), expected);
        assert!(!Path::new(data).exists(), "{arguments:?}");
    }
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    refuses(&mut kalamdb(&["--data", file, "--listen", "127.0.0.1:0"]), "not a directory");
    refuses(&mut kalamdb(&["check", data]), "data directory");
    refuses(kalamdb(&["--data", data]).env("KALAMDB_MAX_PORTALS", "x"), "KALAMDB_MAX_PORTALS");
}

#[test]
fn a_server_starts_serves_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let path = data.to_str().unwrap();
    let mut server = Server::start(&data, None);
    let line = server.line();
    let password = line.strip_prefix("password of superuser kalamdb, shown only now: ").unwrap();
    assert_eq!(password.len(), 24);
    let port = server.port();
    let mode = std::os::unix::fs::PermissionsExt::mode(&data.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);

    // It asks for a proof, and for the same kind whoever comes.
    for user in ["kalamdb", "nobody"] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let body = [&[0, 3, 0, 0], &b"user\0"[..], user.as_bytes(), b"\0\0"].concat();
        let length = u32::try_from(body.len() + 4).unwrap();
        socket.write_all(&[&length.to_be_bytes(), body.as_slice()].concat()).unwrap();
        let mut answer = [0; 24];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
    }
    refuses(&mut kalamdb(&["--data", path, "--listen", "127.0.0.1:0"]), "in use");
    refuses(&mut kalamdb(&["check", path]), "in use");
    server.stop("-TERM");

    let output = run(&["check", path]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut server = Server::start(&data, Some("ignored"));
    server.port();
    server.stop("-INT");

    std::fs::write(data.join("format"), "kalamdb 999\n").unwrap();
    refuses(&mut kalamdb(&["--data", path, "--listen", "127.0.0.1:0"]), "newer");
}
