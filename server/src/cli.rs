//! The command line.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Settings, SettingsError};
use crate::{check, serve};

/// Where rows live: KalamDB serves each user a world of their own over the PostgreSQL protocol.
#[derive(Parser, Debug)]
#[command(name = "kalamdb", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs the server (what happens without a command, too)
    Serve(ServeArguments),
    /// Prints the settings file: every key with its default and a sentence
    Settings,
    /// Verifies a data directory while no server runs
    Check {
        /// The data directory
        dir: PathBuf,
    },
}

#[derive(Args, Debug, Default)]
struct ServeArguments {
    /// Data directory, made at the first start [default: ./kalamdb-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address to listen on [default: 127.0.0.1:5433]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Certificate chain (PEM) for TLS
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_cert: Option<String>,
    /// Private key (PEM) for TLS
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// `auto`: TLS with a self-signed certificate made in the data directory
    #[arg(long, value_name = "MODE")]
    tls: Option<String>,
    /// Any setting of the settings file
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl ServeArguments {
    /// Settings by flag, in the order in which they take effect.
    fn pairs(&self) -> Result<Vec<(String, String)>, SettingsError> {
        let mut pairs = Vec::new();
        for pair in &self.set {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| SettingsError::NoValue(pair.clone()))?;
            pairs.push((name.trim().to_owned(), value.to_owned()));
        }
        let flags = [
            ("data", &self.data),
            ("listen", &self.listen),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("tls", &self.tls),
        ];
        for (name, value) in flags {
            if let Some(value) = value {
                pairs.push((name.to_owned(), value.clone()));
            }
        }
        if self.tls_cert.is_some() && self.tls.is_none() {
            pairs.push(("tls".to_owned(), "files".to_owned()));
        }
        Ok(pairs)
    }
}

/// Does what the command line says and tells how it went: 0, or 1 after one clear line.
pub(crate) fn run() -> ExitCode {
    match command() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("kalamdb: {message}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<ExitCode, String> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            return Err(one_line(&error.to_string()));
        }
        Err(help) => {
            print(&help.to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    match cli.command {
        Some(Command::Settings) => {
            print(&Settings::file())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check { dir }) => check::run(&dir),
        Some(Command::Serve(arguments)) => start(&arguments),
        None => start(&cli.serve),
    }
}

/// What is wrong and what it is about, without the usage behind it.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn start(arguments: &ServeArguments) -> Result<ExitCode, String> {
    let pairs = arguments.pairs().map_err(|error| error.to_string())?;
    let environment = std::env::vars_os().filter_map(text);
    let settings = Settings::load(arguments.config.as_deref(), environment, pairs)
        .map_err(|error| error.to_string())?;
    serve::run(settings)?;
    Ok(ExitCode::SUCCESS)
}

fn text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Writes to standard output; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(String, String)> {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        match cli.command {
            None => cli.serve.pairs().unwrap(),
            Some(Command::Serve(arguments)) => arguments.pairs().unwrap(),
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn serving_needs_no_word() {
        let expected = [("data".to_owned(), "x".to_owned())];
        assert_eq!(pairs("kalamdb --data x"), expected);
        assert_eq!(pairs("kalamdb serve --data x"), expected);
        assert_eq!(pairs("kalamdb"), []);
    }

    #[test]
    fn flags_come_after_set() {
        let pairs = pairs("kalamdb --listen a:1 --set listen=b:2 --tls-cert c --tls-key k");
        let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["listen", "listen", "tls_cert", "tls_key", "tls"]);
        assert_eq!(pairs[1].1, "a:1");
        assert!(Cli::try_parse_from(["kalamdb", "--tls-cert", "c"]).is_err());
        assert!(Cli::try_parse_from(["kalamdb", "check"]).is_err());
    }
}
