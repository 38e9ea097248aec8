//! PostgreSQL 15: its directory and its command line.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{SUPERUSER, Settings};
use crate::tools;

/// Settings every oracle runs with; what a machine's locale or zone would change is fixed.
const CONFIGURATION: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 1200
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, MDY'
lc_messages = 'C'
";

/// Copies the template to `home/data`.
pub(super) fn make_directory(home: &Path) -> io::Result<()> {
    let template = template()?;
    let owner = std::fs::metadata(&template)?;
    // initdb's owner must be able to pass through the directory above its own.
    std::os::unix::fs::chown(home, Some(owner.uid()), Some(owner.gid()))?;
    run(Command::new("cp").arg("-a").arg("--reflink=auto").arg(template).arg(home.join("data")))
}

/// `postgres -D home/data`.
pub(super) fn command(home: &Path, port: u16, settings: &Settings) -> io::Result<Command> {
    let mut command = as_postgres(&tools::postgres("postgres")?);
    command.arg("-D").arg(home.join("data")).arg("-p").arg(port.to_string());
    let fsync = if settings.fsync { "on" } else { "off" };
    command.arg("-c").arg(format!("fsync={fsync}"));
    for (name, value) in &settings.set {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.args(&settings.arguments);
    Ok(command)
}

/// The directory every oracle starts from: one initdb per machine and user.
///
/// It appears by a rename, so tests that start at the same time make it twice and use one.
fn template() -> io::Result<PathBuf> {
    let program = tools::postgres("initdb")?;
    let owner = std::fs::metadata("/proc/self")?.uid();
    let place = std::env::temp_dir().join(format!("kalamdb-oracle-15-{owner}"));
    if place.is_dir() {
        return Ok(place);
    }
    let making = tempfile::Builder::new().prefix("kalamdb-oracle-making-").tempdir()?;
    if tools::is_root() {
        run(Command::new("chown").arg("postgres:").arg(making.path()))?;
    }
    let data = making.path().join("data");
    run(as_postgres(&program)
        .arg("-D")
        .arg(&data)
        .args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
        .args(["--wal-segsize=4", "--no-sync"]))?;
    let configuration = data.join("postgresql.conf");
    let mut file = std::fs::File::options().append(true).open(configuration)?;
    file.write_all(CONFIGURATION.as_bytes())?;
    let mut single = as_postgres(&tools::postgres("postgres")?)
        .arg("--single")
        .arg("-D")
        .arg(&data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut statements = single.stdin.take().expect("the pipe was asked for");
    writeln!(statements, "CREATE DATABASE {SUPERUSER}")?;
    drop(statements);
    if !single.wait()?.success() {
        return Err(io::Error::other("postgres --single made no database"));
    }
    match std::fs::rename(&data, &place) {
        Ok(()) => Ok(place),
        Err(_) if place.is_dir() => Ok(place),
        Err(e) => Err(e),
    }
}

fn as_postgres(program: &Path) -> Command {
    let mut command = tools::dying_with_us(program);
    if tools::is_root() {
        let inner = std::mem::replace(&mut command, Command::new("setpriv"));
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        command.args(inner.get_args());
    }
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {said}")))
}
