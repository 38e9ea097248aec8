//! PostgreSQL's own behaviour, held against both servers.
//!
//! Nothing here knows the server's inside: the crate starts the `kalamdb` binary and a PostgreSQL
//! 15 beside it, speaks to both through the socket, and compares what they say. What is true of
//! PostgreSQL is never written down by hand: the oracle runs in the same test.
//!
//! * [`server`] starts, kills and restarts either of the two.
//! * [`wire`] is a client that hides nothing: frames in, frames out.
//! * [`golden`] runs `pg/**/*.sql`, one statement at a time, and compares the answers.
//! * [`transcript`] runs `notify/*.txt`, `wire/*.txt` and `concurrency/*.txt`, in which several
//!   connections send messages and the whole sequence of what comes back is compared.
//! * [`tools`] finds psql, pgbench, Python and what else the tests call.
//! * [`live`] follows subscriptions.
//! * [`check`] runs statements for programs that stop at the first error.

pub mod check;
pub mod golden;
pub mod live;
pub mod render;
pub mod script;
pub mod server;
pub mod tools;
pub mod transcript;
pub mod wire;
