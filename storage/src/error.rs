//! What can go wrong in storage, sorted by what the caller should do about it.

use std::fmt;

use crate::id::Position;

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Something changed under the operation. Begin again.
    Conflict,
    /// The device or the object store refused. Nothing more is accepted until the store is reopened.
    Unavailable,
    /// A named limit is reached: the size of a key or a commit, the end of a sequence.
    Full,
    /// The device has no room. Make some.
    NoSpace,
    /// Bytes on disk are not what was written. Restore from a copy.
    Corrupt,
    /// The store was closed.
    Closed,
    /// The request itself is wrong: an array of the wrong type, a position gone.
    Invalid,
    /// Another owner has taken over this shard for good. Go away.
    Fenced,
    /// This node doesn't own the shard. Ask the owner.
    NotOwner,
    /// The fate of the commit is not known: it may or may not be there after a restart.
    Unknown,
}

/// An error of storage: what to do, and a sentence for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    oldest: Option<Position>,
}

/// A result of storage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that reads `message` (starts lower case, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), oldest: None }
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The oldest position still readable, when the one asked for is trimmed from the log.
    pub fn oldest(&self) -> Option<Position> {
        self.oldest
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unavailable, message)
    }

    pub(crate) fn full(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Full, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn closed() -> Error {
        Error::new(ErrorKind::Closed, "the store is closed")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unknown, message)
    }

    /// The log no longer reaches back to `asked`; it begins at `oldest`.
    pub(crate) fn trimmed(asked: Position, oldest: Position) -> Error {
        Error {
            kind: ErrorKind::Invalid,
            message: format!(
                "position {asked} is no longer in the log, the oldest kept is {oldest}"
            ),
            oldest: Some(oldest),
        }
    }

    /// An error of the file system while doing `what`.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::NoSpace
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("could not {what}: {error}"))
    }
}

impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Error {
        let text = error.to_string();
        let kind = match error.kind() {
            rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
            rocksdb::ErrorKind::ShutdownInProgress => ErrorKind::Closed,
            _ if text.contains("No space left on device") => ErrorKind::NoSpace,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, text)
    }
}
