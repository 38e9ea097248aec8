//! The protocol over real sockets, with a backend that speaks a small language of its own: the
//! second implementor of the traits, which lets each rule of the protocol be tried alone.

#![allow(clippy::unwrap_used, reason = "tests")]

mod authentication;
mod backend;
mod client;
mod copying;
mod extended;
mod interruptions;
mod limits;
mod streaming;
