//! Bytes to messages, and the legal order of messages: the PostgreSQL frontend/backend protocol,
//! versions 3.0 to 3.2, from the server's side.
//!
//! A [`Frontend`] takes accepted sockets. For each it negotiates TLS, reads the startup message,
//! authenticates, and then runs the connection loop, which asks a [`Backend`] for everything that
//! is not protocol. Rows are opaque here: the backend appends the bytes of values, this crate
//! frames them.
//!
//! The life of a connection:
//!
//! 1. `startup`: TLS, protocol version, startup parameters or a cancel request.
//! 2. `auth`, `scram`: who it is. Every error up to here ends the connection.
//! 3. `connection`: one frame after the other: `connection::simple`, `connection::extended`,
//!    `connection::portal` (rows and COPY), while `wire` watches the socket, the outbox, cancel
//!    requests, timeouts and shutdown.
//! 4. The session is closed, also when the client vanished; a panic ends this client alone.
//!
//! Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol"; RFC 5802 and 7677
//! (SCRAM), RFC 5929 (channel binding).

mod auth;
mod backend;
mod connection;
mod decode;
mod encode;
mod error;
mod frontend;
mod limits;
mod message;
mod outbox;
mod registry;
mod scram;
mod startup;
mod tls;
mod wire;

pub use backend::{
    Backend, CommandTag, CopyShape, Credentials, Description, Discard, Field, Format, Handles,
    Parameters, Peer, Session, Started, Timeouts, TransactionStatus,
};
pub use error::{Error, Report, Severity, SqlState};
pub use frontend::Frontend;
pub use limits::Limits;
pub use outbox::{Notification, OutboxSender, Undelivered};
pub use registry::Registry;
pub use scram::Verifier;
pub use startup::StartupParameters;
pub use tls::{Tls, TlsError};
