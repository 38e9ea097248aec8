//! What exists: roles, schemas, relations, and who sees them.
//!
//! Definitions are rows of system relations in storage, versioned like any row, with persistent
//! OIDs. In memory they are immutable values behind `Arc`s: a [`CatalogView`] is what one session
//! sees at one moment, put together from three parts that change independently: the cluster
//! (roles, memberships, databases), the definitions shared by all of a database, and the private
//! definitions of the session's own namespace. A session never holds the private part of another
//! namespace, so no catalog query can show it.

pub(crate) mod bootstrap;
mod change;
mod cluster;
mod definition;
pub(crate) mod layout;
mod map;
pub(crate) mod part;
mod privilege;
pub(crate) mod regnames;
pub(crate) mod store;
pub(crate) mod system;
pub(crate) mod value;

pub(crate) use definition::*;
