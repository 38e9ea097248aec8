//! KalamDB: one process that speaks the PostgreSQL protocol.
//!
//! The way of a start: [`cli`] reads the command line, [`settings`] puts file, environment and
//! flags together, [`serve`] binds the port, opens the data directory and runs until a signal
//! comes. [`backend`] and [`session`] are the seam between the protocol and the engine, [`convert`]
//! the only translator between their types. There is no rule about SQL in here.

mod authentication;
mod backend;
mod check;
mod cli;
mod convert;
mod data_dir;
mod listener;
mod serve;
mod session;
mod settings;
mod telemetry;
mod tls;

use std::process::ExitCode;

/// Of the storage's C++ too. Sessions of many threads leave holes in the C library's heap, which
/// then grows by half.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
