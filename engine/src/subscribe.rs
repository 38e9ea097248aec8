//! SUBSCRIBE: a query's rows, and from then on every change of them.
//!
//! A subscription is a query and a position. It keeps no queue: whenever its client wants more,
//! [`Subscription::next`] reads the namespace's commit log from where it stands, so whoever is slow
//! costs nothing and loses nothing. The feed only wakes it.
//!
//! 1. [`grammar`] reads the statement around its query.
//! 2. [`bind`] analyses the query and compiles it. Queries over one table with a filter and a
//!    projection (class a) are evaluated on the exact old and new images of each change; anything
//!    else a SELECT can say (class b) is not there yet.
//! 3. [`stream`] joins the snapshot at S with the log from S + 1 and knows when to say what.
//! 4. [`backlog`] cuts the log into stretches, [`fold`] decides what a change means for the query,
//!    [`output`] makes the rows.
//!
//! Rows of one commit share their position and are contiguous. A marker comes only after all rows
//! of all commits up to its position.

mod backlog;
mod bind;
mod fold;
mod grammar;
mod output;
mod stream;
mod world;

pub(crate) use bind::{BoundSubscribe, bind, duration};
pub(crate) use stream::{Opening, Subscription};
