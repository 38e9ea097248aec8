//! The data directory: whose it is, that nobody else reads it, that one process has it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::FORMAT_VERSION;

/// The hot store's directory within the data directory.
pub(crate) const HOT_DIRECTORY: &str = "hot";
const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_PREFIX: &str = "kalamdb ";
const TEMPORARY_FORMAT_FILE: &str = "format.new";
/// What may be in a directory that becomes a data directory: what a start leaves that ended before
/// the format was written, and what a file system puts into its root.
const HARMLESS: [&str; 3] = [LOCK_FILE, TEMPORARY_FORMAT_FILE, "lost+found"];

/// A data directory, locked.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Locks a data directory; makes it, with mode 0700, if there is none.
    pub(crate) fn open(path: &Path) -> Result<DataDirectory> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                // What isn't ours keeps even its mode.
                check_format(path)?;
                make_private(path, found.permissions().mode())?;
            }
            Ok(_) => {
                return Err(Error::invalid(format!("{} is not a directory", path.display())));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|error| Error::io(format!("create {}", path.display()), &error))?;
            }
            Err(error) => return Err(Error::io(format!("open {}", path.display()), &error)),
        }
        DataDirectory::lock(path, true)
    }

    /// Locks a data directory that is there already.
    pub(crate) fn open_existing(path: &Path) -> Result<DataDirectory> {
        if !path.join(FORMAT_FILE).exists() {
            return Err(Error::invalid(format!("{} is not a data directory", path.display())));
        }
        DataDirectory::lock(path, false)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(path: &Path, create: bool) -> Result<DataDirectory> {
        // The version comes before the lock: what is newer must stay untouched.
        check_format(path)?;
        let name = path.join(LOCK_FILE);
        let failed = |error| Error::io(format!("lock {}", name.display()), &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&name)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::unavailable(format!(
                    "{} is in use by another server (process {})",
                    path.display(),
                    holder.trim()
                )));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        if create && !path.join(FORMAT_FILE).exists() {
            write_format(path)?;
        }
        Ok(DataDirectory { path: path.to_owned(), _lock: file })
    }
}

fn make_private(path: &Path, mode: u32) -> Result<()> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|error| {
        Error::invalid(format!(
            "{} can be read by others and its mode can't be set to 0700: {error}",
            path.display()
        ))
    })
}

/// Refuses what is newer than this program, and what isn't ours.
fn check_format(path: &Path) -> Result<()> {
    let text = match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return check_empty(path);
        }
        Err(error) => return Err(Error::io(format!("read {}", path.display()), &error)),
    };
    let version = text.strip_prefix(FORMAT_PREFIX).and_then(|version| version.trim().parse().ok());
    match version {
        Some(FORMAT_VERSION) => Ok(()),
        Some(version @ 0..FORMAT_VERSION) => Err(Error::invalid(format!(
            "{} has format {version}, which is no longer read",
            path.display()
        ))),
        Some(version) => Err(Error::invalid(format!(
            "{} has format {version}, newer than {FORMAT_VERSION}, the newest this program reads",
            path.display()
        ))),
        None => Err(Error::corrupt(format!("{}/{FORMAT_FILE} is malformed", path.display()))),
    }
}

/// A directory without a format file is taken only when there is nothing to lose in it.
fn check_empty(path: &Path) -> Result<()> {
    let failed = |error| Error::io(format!("read {}", path.display()), &error);
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !HARMLESS.iter().any(|harmless| name == **harmless) {
            return Err(Error::invalid(format!(
                "{} is not empty and not a data directory: it has {} but no file {FORMAT_FILE}",
                path.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

fn write_format(path: &Path) -> Result<()> {
    let failed = |error| Error::io(format!("write {}/{FORMAT_FILE}", path.display()), &error);
    let temporary = path.join(TEMPORARY_FORMAT_FILE);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    writeln!(file, "{FORMAT_PREFIX}{FORMAT_VERSION}").map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&temporary, path.join(FORMAT_FILE)).map_err(failed)?;
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed)
}
