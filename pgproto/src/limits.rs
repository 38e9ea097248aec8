//! Every bound of the protocol layer, by name.

use std::time::Duration;

/// Longest startup packet and longest message before authentication, in bytes (PostgreSQL's
/// `MAX_STARTUP_PACKET_LENGTH`).
pub(crate) const MAX_BYTES_BEFORE_AUTHENTICATION: usize = 10_000;

/// Longest message of a kind that carries no data, such as Sync or Describe, in bytes
/// (PostgreSQL's `PQ_SMALL_MESSAGE_LIMIT`).
pub(crate) const MAX_SMALL_MESSAGE_BYTES: usize = 10_000;

/// How much of a result is encoded before it is written to the socket, in bytes.
pub(crate) const FLUSH_BYTES: usize = 64 * 1024;

/// How far the socket is read while a statement runs, in bytes.
pub(crate) const READ_AHEAD_BYTES: usize = 64 * 1024;

/// What an idle connection's write buffer may keep, in bytes.
pub(crate) const IDLE_BUFFER_BYTES: usize = 4 * 1024;

/// Longest row on the wire, in bytes (PostgreSQL's `MaxAllocSize`).
pub(crate) const MAX_ROW_BYTES: usize = 0x3fff_ffff;

/// How long a closing connection waits for its client to read the last message.
pub(crate) const LINGER: Duration = Duration::from_millis(500);

/// The limits that are settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest message after authentication, in bytes. Beyond it: 54000, and the connection ends.
    pub max_message_bytes: usize,
    /// Sessions at the same time. Beyond it: 53300 instead of a login.
    pub max_connections: usize,
    /// Prepared statements of the protocol per session. Beyond it: 53400.
    pub max_prepared_statements: usize,
    /// Portals of the protocol per session. Beyond it: 53400.
    pub max_portals: usize,
    /// What may wait for one client in its outbox, in bytes. Beyond it: 53400, and the connection
    /// ends, because a notification that cannot be kept must not be lost in silence.
    pub max_outbox_bytes: usize,
    /// How long a client may take from connecting to being authenticated.
    pub authentication_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 64 * 1024 * 1024,
            max_connections: 1_000,
            max_prepared_statements: 10_000,
            max_portals: 1_000,
            max_outbox_bytes: 8 * 1024 * 1024,
            authentication_timeout: Duration::from_secs(60),
        }
    }
}
