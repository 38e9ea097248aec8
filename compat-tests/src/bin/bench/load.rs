//! Load from pgbench, the same client program for both servers.

use std::process::Command;

use kalamdb_compat_tests::server::Server;
use kalamdb_compat_tests::tools;

use crate::{Figure, Result, Unit, process};

/// One pgbench run.
pub(crate) struct Load<'a> {
    pub(crate) name: String,
    pub(crate) script: &'a str,
    pub(crate) mode: &'a str,
    pub(crate) clients: usize,
    pub(crate) seconds: f64,
    /// Start-up options, such as `-c synchronous_commit=off`.
    pub(crate) options: &'a str,
    /// A new connection for each transaction.
    pub(crate) reconnect: bool,
}

impl Load<'_> {
    /// Transactions per second and CPU for each.
    pub(crate) fn run(&self, server: &Server) -> Result<Figure> {
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(script.path(), self.script)?;
        let mut command = Command::new(tools::postgres("pgbench")?);
        command.args(["-n", "-M", self.mode, "-j", if self.clients > 1 { "2" } else { "1" }]);
        command.arg("-c").arg(self.clients.to_string());
        command
            .arg("-T")
            .arg(format!("{:.0}", self.seconds.max(if self.clients > 32 { 4.0 } else { 1.0 })));
        command.arg("-f").arg(script.path());
        if self.reconnect {
            command.arg("-C");
        }
        command.env("PGOPTIONS", self.options).envs(server.libpq_environment());
        let before = process::cpu_us(server)?;
        let output = command.output()?;
        let cpu = process::cpu_us(server)? - before;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {}", self.name, error.trim()).into());
        }
        let after = |prefix: &str| said.lines().find_map(|l| l.strip_prefix(prefix));
        let number = |text: Option<&str>| -> Result<f64> {
            let word = text.and_then(|t| t.split_whitespace().next()).ok_or("pgbench is silent")?;
            Ok(word.split('/').next().unwrap_or(word).parse::<f64>()?)
        };
        let value = number(after("tps ="))?;
        let done = number(after("number of transactions actually processed:"))?;
        let name = self.name.clone();
        Ok(Figure { name, unit: Unit::PerSecond, value, cpu_us: Some(cpu / done.max(1.0)) })
    }
}
