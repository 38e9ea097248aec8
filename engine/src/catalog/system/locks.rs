//! pg_locks, of the sessions that [`activity`](super::activity) shows.
//!
//! As in PostgreSQL a row's lock isn't shown while it is held, only while somebody waits for it.
//! What is there of transaction numbers stays NULL: transactions have none before they commit.

use std::sync::Arc;

use super::{
    activity::visible,
    rows::{Filter, Rows},
};
use crate::{
    context::ExecutionContext,
    error::Result,
    locks::{Mode, Target, advisory::AdvisoryKey},
    session::state::SessionState,
    types::Oid,
};

pub(super) fn locks(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for session in visible(context) {
        for (target, mode) in session.locks.held() {
            add(rows, &session, &target, mode, true);
        }
        if let Some((target, mode)) = session.locks.waiting() {
            add(rows, &session, &target, mode, false);
        }
    }
    Ok(())
}

/// The `wait_event` of who waits for it.
pub(super) fn wait_event(target: &Target) -> &'static str {
    match target {
        Target::Relation(_) | Target::RelationIn(..) => "relation",
        Target::Row(..) | Target::Unique(..) => "transactionid",
        Target::Catalog(_) | Target::Namespace(_) => "object",
        Target::Advisory(..) => "advisory",
    }
}

fn add(rows: &mut Rows<'_>, session: &SessionState, target: &Target, mode: Mode, granted: bool) {
    let is_shown = match target {
        // Each relation is locked in all namespaces and in one: the second says more.
        Target::Relation(_)
        | Target::Row(..)
        | Target::Unique(..)
        | Target::Catalog(_)
        | Target::Namespace(_) => !granted,
        Target::RelationIn(..) | Target::Advisory(..) => true,
    };
    if !is_shown {
        return;
    }
    let row = rows
        .add()
        .set("locktype", wait_event(target))
        .set("pid", session.process_id)
        .set("granted", granted)
        .set("fastpath", false);
    match target {
        Target::Relation(relation) | Target::RelationIn(_, relation) => row
            .set("database", session.database)
            .set("relation", Oid(relation.0))
            .set("mode", mode.name()),
        // Whoever waits for a row waits for the end of a transaction.
        Target::Row(..) | Target::Unique(..) => row.set("mode", "ShareLock"),
        Target::Catalog(_) | Target::Namespace(_) => {
            row.set("database", session.database).set("mode", mode.name())
        }
        Target::Advisory(_, key) => {
            let (class, object, sub) = match *key {
                AdvisoryKey::One(number) => ((number >> 32) as u32, number as u32, 1_i16),
                AdvisoryKey::Two(first, second) => (first as u32, second as u32, 2),
            };
            let is_shared = matches!(mode, Mode::Share | Mode::SessionShare);
            row.set("database", session.database)
                .set("classid", class)
                .set("objid", object)
                .set("objsubid", sub)
                .set("mode", if is_shared { "ShareLock" } else { "ExclusiveLock" })
        }
    };
}
