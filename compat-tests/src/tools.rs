//! The programs that tests call, and where they are.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this process runs as root, under which PostgreSQL refuses to start.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// A command that gets SIGKILL when the thread that starts it ends, so that no server outlives a
/// test that was killed.
pub fn dying_with_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The `kalamdb` binary: `KALAMDB_BIN`, or the one built beside the test that asks.
///
/// # Errors
/// `NotFound`, saying how to build it.
pub fn kalamdb() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("KALAMDB_BIN") {
        return Ok(path.into());
    }
    let here = std::env::current_exe()?;
    let found = here.ancestors().skip(1).take(2).map(|d| d.join("kalamdb")).find(|p| p.is_file());
    found.ok_or_else(|| missing("kalamdb", "run `cargo build --release` or set KALAMDB_BIN"))
}

/// A program of PostgreSQL 15: from `KALAMDB_PG_BIN`, Debian's place, or the PATH.
///
/// # Errors
/// `NotFound`, saying how to install it.
pub fn postgres(name: &str) -> io::Result<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("KALAMDB_PG_BIN").map(PathBuf::from).into_iter().collect();
    places.push("/usr/lib/postgresql/15/bin".into());
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = places.into_iter().map(|p| p.join(name)).find(|p| p.is_file());
    found.ok_or_else(|| missing(name, "install postgresql-15 (scripts/test does)"))
}

/// The Python of the tests' virtual environment: `KALAMDB_TEST_PYTHON`, or the one `scripts/test`
/// makes.
///
/// # Errors
/// `NotFound`, saying how to make it.
pub fn python() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("KALAMDB_TEST_PYTHON") {
        return Ok(path.into());
    }
    let python = cache().join("venv/bin/python");
    if python.is_file() {
        Ok(python)
    } else {
        Err(missing("the tests' Python", "run scripts/test once, or set KALAMDB_TEST_PYTHON"))
    }
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/kalamdb`, where the scripts keep what they install.
pub fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
    });
    base.join("kalamdb")
}

/// This crate's directory, where the scripts are.
pub fn crate_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn missing(what: &str, remedy: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what} was not found: {remedy}"))
}
