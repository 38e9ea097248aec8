//! The server's settings: one table that is the manual, the file, the environment and the flags.
//!
//! Every source gives text by name; the type of a setting reads it. Later sources win: defaults,
//! the file, `KALAMDB_*` variables, `--set` and the other flags.

mod value;

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use value::{Bytes, LogFormat, LogLevel, SessionText, SessionTime, Switch, TlsMode};
use value::{Form, Value};

use crate::authentication::Rules;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A key that there is not.
    #[error("unknown setting \"{name}\" in {source_name}")]
    Unknown { name: String, source_name: String },
    /// A value that its setting cannot have.
    #[error("setting \"{name}\" in {source_name}: {problem}")]
    Invalid { name: String, source_name: String, problem: String },
    /// The file is missing or no TOML.
    #[error("settings file {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// `--set` without a value.
    #[error("--set needs NAME=VALUE, not \"{0}\"")]
    NoValue(String),
    /// Settings that don't go together.
    #[error("{0}")]
    Conflict(String),
}

/// One setting, as the manual shows it.
struct Key {
    section: &'static str,
    name: &'static str,
    default: &'static str,
    sentence: &'static str,
    form: Form,
    /// The least and the greatest value of what is a number.
    range: Option<(&'static str, &'static str)>,
}

macro_rules! range {
    () => {
        None
    };
    ($least:literal, $most:literal) => {
        Some(($least, $most))
    };
}

macro_rules! settings {
    ($($section:literal { $(
        $name:ident: $type:ty = $default:literal $(from $least:literal to $most:literal)?,
            $sentence:literal;
    )* })*) => {
        /// All settings, read and checked.
        #[derive(Debug, Clone)]
        pub(crate) struct Settings {
            $($(#[doc = $sentence] pub(crate) $name: $type,)*)*
        }

        static KEYS: &[Key] = &[$($(Key {
            section: $section,
            name: stringify!($name),
            default: $default,
            sentence: $sentence,
            form: <$type as Value>::FORM,
            range: range!($($least, $most)?),
        },)*)*];

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($($name: <$type as Value>::read($default)
                        .expect("defaults are values, which a test holds them to"),)*)*
                }
            }
        }

        impl Settings {
            /// Reads one value; `None` if there is no such setting.
            fn set(&mut self, name: &str, text: &str) -> Option<Result<(), String>> {
                match name {
                    $($(stringify!($name) => {
                        Some(<$type as Value>::read(text).and_then(|value| {
                            $(value::within(&value, text, $least, $most)?;)?
                            self.$name = value;
                            Ok(())
                        }))
                    })*)*
                    _ => None,
                }
            }
        }
    };
}

settings! {
    "Where" {
        data: PathBuf = "./kalamdb-data", "The data directory; made with mode 0700 at the first start.";
        listen: String = "127.0.0.1:5433", "Address and port to listen on; port 0 takes any free one.";
    }
    "Security" {
        tls: TlsMode = "off", "TLS: off, auto (a self-signed certificate made in the data directory) or files (tls_cert and tls_key).";
        tls_cert: PathBuf = "", "Certificate chain for TLS, PEM, the server's own certificate first.";
        tls_key: PathBuf = "", "Private key of that certificate, PEM.";
        authentication: Rules = "host all all all scram-sha-256", "Rules as in pg_hba.conf, first match wins: host, hostssl or hostnossl, database, user, address, method (scram-sha-256, trust or reject); trust is for loopback addresses only.";
        authentication_timeout: Duration = "60s" from "10ms" to "10min", "How long a client may take to log in.";
    }
    "Limits" {
        max_connections: usize = "5000" from "1" to "262143", "Sessions at the same time; one more gets 53300.";
        max_message_size: Bytes = "64MB" from "64kB" to "1GB", "Longest message of a client, which bounds the text of a statement and one parameter; a longer one gets 54000 and ends the connection.";
        max_prepared_statements: usize = "10000" from "1" to "10000000", "Prepared statements of the protocol per session; one more gets 53400.";
        max_portals: usize = "1000" from "1" to "10000000", "Portals of the protocol per session; one more gets 53400.";
        outbox_size: Bytes = "8MB" from "16kB" to "1GB", "Notifications that may wait for one client; when they are more, notifiers get 54000.";
        max_subscriptions: usize = "10000" from "0" to "10000000", "Subscriptions of one namespace's owner at the same time; one more gets 53400.";
        max_commit_size: Bytes = "256MB" from "64kB" to "1GB", "The largest transaction, in bytes of the rows it writes; a larger one gets 54000.";
        max_row_size: Bytes = "64MB" from "4kB" to "1GB", "The largest row; a larger one gets 54000.";
        max_commit_group: usize = "1024" from "1" to "1000000", "Transactions that one sync of the log may carry.";
    }
    "Sessions" {
        statement_timeout: SessionTime = "0" from "0" to "2147483647", "Longest time of one statement (57014); 0 means no limit. Sessions may change this and the following.";
        lock_timeout: SessionTime = "0" from "0" to "2147483647", "Longest wait for a row lock (55P03); 0 means no limit.";
        deadlock_timeout: SessionTime = "1s" from "1" to "2147483647", "Wait before a deadlock is looked for (40P01).";
        idle_session_timeout: SessionTime = "0" from "0" to "2147483647", "Longest time between statements outside a transaction (57P05); 0 means no limit.";
        idle_in_transaction_session_timeout: SessionTime = "0" from "0" to "2147483647", "Longest time between statements in a transaction (25P03); 0 means no limit.";
        synchronous_commit: SessionText = "on", "Whether a commit waits until the log is on the device.";
        default_transaction_isolation: SessionText = "read committed", "Isolation of a transaction that says nothing.";
        default_table_kind: SessionText = "", "Kind of a table that says nothing: user, shared or private; empty means user for the owner of the database and private for everybody else.";
        timezone: SessionText = "UTC", "Time zone of a session that says nothing.";
    }
    "Memory" {
        block_cache_size: Bytes = "256MB" from "1MB" to "1TB", "Decoded blocks of hot rows that are kept.";
        memtable_size: Bytes = "64MB" from "1MB" to "64GB", "Hot rows that are collected in memory before they are written out.";
        query_memory: Bytes = "2GB" from "16MB" to "1TB", "What all queries together may take for sorts, joins and groups; sorts and groups that need more go on in files, other queries get 53200.";
        temp_file_limit: Bytes = "10GB" from "0" to "16TB", "What all queries together may put aside in files below the data directory; more gets 53400.";
        segment_cache_size: Bytes = "64MB" from "0" to "1TB", "Decoded footers of cold segments that are kept.";
        cold_cache_size: Bytes = "128MB" from "0" to "1TB", "Decoded blocks of cold rows that are kept for reads by key, of all users together.";
    }
    "Storage" {
        max_wal_size: Bytes = "512MB" from "1MB" to "16TB", "Write-ahead log after which memory is written out.";
        wal_writer_delay: Duration = "200ms" from "1ms" to "10s", "How long a commit with synchronous_commit = off may wait for the device.";
        flush_automatic: Switch = "on", "Whether hot rows become cold by themselves.";
        flush_hot_size: Bytes = "128MB" from "64kB" to "16TB", "Flush a user's table that has more hot bytes than this.";
        flush_hot_rows: u64 = "1000000" from "1" to "1000000000000", "Flush a user's table that has more hot rows than this.";
        flush_age: Duration = "1d" from "1s" to "3650d", "Flush a user's table not flushed for this long, if it has flush_min_size.";
        flush_min_size: Bytes = "4MB" from "0" to "16TB", "What is smaller than this stays hot, whatever its age.";
        flush_interval: Duration = "10s" from "10ms" to "1d", "How often this is looked at.";
        max_segments: usize = "8" from "1" to "100000", "Merge the segments of a user's table when they are more than this.";
        segment_size: Bytes = "256MB" from "64kB" to "1TB", "Largest cold segment.";
        row_group_rows: usize = "65536" from "128" to "100000000", "Rows of one row group of a segment.";
        log_retention: Duration = "7d" from "0" to "36500d", "How long committed changes can be read again, which is how long a subscriber may be away.";
        log_retention_size: Bytes = "4GB" from "0" to "16TB", "The same in bytes of the log; the oldest go first.";
    }
    "Process" {
        socket_threads: usize = "0" from "0" to "1024", "Threads for connections and short statements; 0 means one per core.";
        execution_threads: usize = "0" from "0" to "1024", "Threads for the plans of long statements; 0 means one per core.";
        tcp_keepalive: Duration = "60s" from "0" to "1d", "Silence after which a client's host is asked whether it is there; 0 means never.";
        shutdown_timeout: Duration = "30s" from "0" to "1d", "How long running statements may go on after SIGTERM or SIGINT.";
        log_format: LogFormat = "text", "Form of the log on standard error: text or json.";
        log_level: LogLevel = "info", "What is logged: error, warn, info, debug or trace, also per module (info,kalamdb_storage=debug).";
    }
}

impl Settings {
    /// Puts all sources together. A name that is no setting's is an error in each of them.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Vec<(String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        if let Some(path) = file {
            let source = format!("file {}", path.display());
            for (name, value) in read_file(path)? {
                settings.put(&name, &value, &source)?;
            }
        }
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix("KALAMDB_") else { continue };
            if variable != PASSWORD_VARIABLE && !is_of_a_service(name) {
                let source = format!("variable {variable}");
                settings.put(&name.to_lowercase(), &value, &source)?;
            }
        }
        for (name, value) in flags {
            settings.put(&name, &value, "the command line")?;
        }
        settings.check()?;
        Ok(settings)
    }

    /// The settings file with all defaults: the manual.
    pub(crate) fn file() -> String {
        let mut text = String::from(
            "# KalamDB settings. Every key stands here with its default.\n\
             # KALAMDB_NAME variables, --set NAME=VALUE and the other flags override this file.\n\
             # Sizes have units kB, MB, GB, TB; times us, ms, s, min, h, d.\n",
        );
        let mut sections = HashSet::new();
        for key in KEYS {
            if sections.insert(key.section) {
                let _ = write!(text, "\n## {}\n", key.section);
            }
            let range = key.range.map(|(least, most)| format!(" From {least} to {most}."));
            let range = range.unwrap_or_default();
            let _ = write!(text, "\n# {}{range}\n{} = {}\n", key.sentence, key.name, key.literal());
        }
        text
    }

    /// What every session starts with.
    pub(crate) fn session_defaults(&self) -> Vec<(String, String)> {
        let max_connections = self.max_connections.to_string();
        let pairs = [
            ("max_connections", &max_connections),
            ("statement_timeout", &self.statement_timeout.0),
            ("lock_timeout", &self.lock_timeout.0),
            ("deadlock_timeout", &self.deadlock_timeout.0),
            ("idle_session_timeout", &self.idle_session_timeout.0),
            ("idle_in_transaction_session_timeout", &self.idle_in_transaction_session_timeout.0),
            ("synchronous_commit", &self.synchronous_commit.0),
            ("default_transaction_isolation", &self.default_transaction_isolation.0),
            ("default_table_kind", &self.default_table_kind.0),
            ("timezone", &self.timezone.0),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.clone())).into()
    }

    fn put(&mut self, name: &str, text: &str, source_name: &str) -> Result<(), SettingsError> {
        let (name, source_name) = (name.to_owned(), source_name.to_owned());
        match self.set(&name, text) {
            Some(Ok(())) => Ok(()),
            Some(Err(problem)) => Err(SettingsError::Invalid { name, source_name, problem }),
            None => Err(SettingsError::Unknown { name, source_name }),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        let conflict = |text: &str| Err(SettingsError::Conflict(text.to_owned()));
        let given = |path: &Path| !path.as_os_str().is_empty();
        let words = [
            ("synchronous_commit", &self.synchronous_commit.0, SYNCHRONOUS_COMMIT),
            ("default_transaction_isolation", &self.default_transaction_isolation.0, ISOLATION),
            ("default_table_kind", &self.default_table_kind.0, TABLE_KINDS),
        ];
        for (name, value, allowed) in words {
            if !allowed.contains(&value.as_str()) {
                let expected = allowed.join("\", \"");
                return conflict(&format!(
                    "setting \"{name}\": one of \"{expected}\" is expected, not \"{value}\""
                ));
            }
        }
        for (name, value) in self.session_defaults() {
            if let Err(error) = kalamdb_engine::check_setting(&name, &value) {
                return conflict(&format!("setting \"{name}\": {}", error.message));
            }
        }
        match self.tls {
            TlsMode::Files if !given(&self.tls_cert) || !given(&self.tls_key) => {
                conflict("tls = files needs tls_cert and tls_key")
            }
            TlsMode::Auto if given(&self.tls_cert) || given(&self.tls_key) => conflict(
                "tls = auto makes a certificate of its own; tls_cert and tls_key need tls = files",
            ),
            TlsMode::Off | TlsMode::Auto | TlsMode::Files => Ok(()),
        }
    }
}

/// What session defaults that are words may be; checked here so that a wrong one changes nothing.
const SYNCHRONOUS_COMMIT: &[&str] = &["on", "off", "local", "remote_write", "remote_apply"];
const ISOLATION: &[&str] = &["read uncommitted", "read committed", "repeatable read"];
const TABLE_KINDS: &[&str] = &["", "user", "shared", "private"];

/// The superuser's password at the first start.
pub(crate) const PASSWORD_VARIABLE: &str = "KALAMDB_PASSWORD";

/// What Kubernetes sets for a service of the name `kalamdb`: `KALAMDB_SERVICE_HOST`,
/// `KALAMDB_PORT`, `KALAMDB_PORT_5433_TCP`.
fn is_of_a_service(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

impl Key {
    /// The default as TOML.
    fn literal(&self) -> String {
        match self.form {
            Form::Bare => self.default.to_owned(),
            Form::Quoted => format!("\"{}\"", self.default),
            Form::List => format!("[\"{}\"]", self.default),
        }
    }
}

/// Names and texts of a TOML file.
fn read_file(path: &Path) -> Result<Vec<(String, String)>, SettingsError> {
    let fails = |problem: String| SettingsError::File { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| fails(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        fails(format!("line {line}: {}", error.message().replace('\n', ", ")))
    })?;
    table
        .into_iter()
        .map(|(name, value)| {
            let text = toml_text(&value)
                .ok_or_else(|| fails(format!("\"{name}\" must be a plain value")))?;
            Ok((name, text))
        })
        .collect()
}

fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(is_on) => Some(if *is_on { "on" } else { "off" }.to_owned()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kalamdb.toml");
        std::fs::write(&path, file).unwrap();
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        Settings::load(Some(&path), owned(environment).into_iter(), owned(flags))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_printed_file_is_a_file_of_defaults() {
        let file = Settings::file();
        let settings = load(&file, &[], &[]).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
        for key in KEYS {
            assert!(file.contains(&format!("\n{} = ", key.name)));
            assert!(key.sentence.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn later_sources_win() {
        let file = "max_connections = 1\nflush_automatic = false\nmax_portals = 1";
        let environment = [
            ("KALAMDB_MAX_CONNECTIONS", "2"),
            ("KALAMDB_PASSWORD", "x"),
            ("KALAMDB_PORT_5433_TCP", "tcp://10.0.0.1:5433"),
            ("HOME", "/"),
        ];
        let settings = load(file, &environment, &[("max_connections", "3")]).unwrap();
        assert_eq!((settings.max_connections, settings.max_portals), (3, 1));
        assert!(!settings.flush_automatic.0);
    }

    #[test]
    fn numbers_have_a_range() {
        for key in KEYS {
            let is_number = key.default.starts_with(|c: char| c.is_ascii_digit());
            assert_eq!(key.range.is_some(), is_number && key.name != "listen", "{}", key.name);
            let mut settings = Settings::default();
            for bound in key.range.map_or(vec![], |(least, most)| vec![least, most]) {
                assert_eq!(settings.set(key.name, bound), Some(Ok(())), "{}", key.name);
            }
        }
        for (name, value, range) in [
            ("max_connections", "0", "from 1 to 262143 is expected, not \"0\""),
            ("max_message_size", "0", "from 64kB to 1GB"),
            ("segment_size", "0", "from 64kB"),
            ("row_group_rows", "0", "from 128"),
            ("max_commit_group", "0", "from 1 to"),
            ("deadlock_timeout", "0", "from 1 to"),
            ("statement_timeout", "4000000000", "from 0 to 2147483647"),
        ] {
            let message = load("", &[], &[(name, value)]).unwrap_err();
            assert!(message.contains(range) && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_list_may_be_written_as_in_the_file() {
        let rules = "[\"host all alice 127.0.0.1/32 trust\", \"host all all all scram-sha-256\"]";
        let file = load(&format!("authentication = {rules}"), &[], &[]).unwrap();
        let flag = load("", &[], &[("authentication", rules)]).unwrap();
        assert_eq!(format!("{flag:?}"), format!("{file:?}"));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let wrong = [
            (load("colour = 1", &[], &[]), "unknown setting \"colour\" in file"),
            (load("a = = 1", &[], &[]), "line 1"),
            (load("listen = 1.5", &[], &[]), "plain value"),
            (load("max_connections = \"many\"", &[], &[]), "a whole number is expected"),
            (load("", &[("KALAMDB_MAX_PORTALS", "-1")], &[]), "variable KALAMDB_MAX_PORTALS"),
            (load("", &[], &[("nothing", "1")]), "unknown setting \"nothing\" in the command line"),
            (load("", &[], &[("tls", "files")]), "needs tls_cert"),
            (load("", &[], &[("tls", "auto"), ("tls_cert", "x")]), "tls = auto"),
            (load("", &[("KALAMDB_FOO", "1")], &[]), "\"foo\" in variable KALAMDB_FOO"),
            (load("", &[], &[("statement_timeout", "soon")]), "statement_timeout"),
            (load("", &[], &[("timezone", "Mars")]), "\"timezone\": invalid value"),
            (load("", &[], &[("log_level", "loud")]), "\"log_level\" in"),
            (load("", &[], &[("log_level", "info,kalamdb_storage=loud")]), "\"log_level\" in"),
            (load("", &[], &[("authentication", "[host all]")]), "\"authentication\" in"),
            (load("synchronous_commit = \"maybe\"", &[], &[]), "\"synchronous_commit\": one of"),
            (load("", &[], &[("authentication", "host all all all trust")]), "loopback"),
        ];
        for (result, expected) in wrong {
            let message = result.unwrap_err();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}
