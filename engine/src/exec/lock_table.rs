//! LOCK TABLE.

use kalamdb_storage::RelationId;

use crate::{
    catalog::RelationBody,
    error::{Error, Result},
    exec::write::Writer,
    locks::{Acquired, Mode, Wait},
    session::{Portal, Session, Started, Tag},
    statement::LockTable,
    txn::Phase,
};

/// Locks the rows of the session's own namespace; definitions are locked by what changes them.
pub(crate) async fn run(
    session: &mut Session,
    lock: &LockTable,
    portal: &mut Portal,
) -> Result<Started> {
    if session.transaction.phase != Phase::Block {
        return Err(Error::no_active_transaction("LOCK TABLE"));
    }
    let (mode, letters) = match lock.mode.as_str() {
        "ACCESS SHARE" => (Mode::AccessShare, "r"),
        "ROW SHARE" => (Mode::RowShare, "r"),
        "ROW EXCLUSIVE" => (Mode::RowExclusive, "awdD"),
        "SHARE UPDATE EXCLUSIVE" => (Mode::ShareUpdateExclusive, "wdD"),
        "SHARE" => (Mode::ShareRelation, "wdD"),
        "SHARE ROW EXCLUSIVE" => (Mode::ShareRowExclusive, "wdD"),
        "EXCLUSIVE" => (Mode::Exclusive, "wdD"),
        "ACCESS EXCLUSIVE" => (Mode::AccessExclusive, "wdD"),
        other => return Err(Error::syntax_error_near(other)),
    };
    for (schema, name) in &lock.relations {
        let view = session.view();
        let search_path = session.effective().search_path.clone();
        let relation = view.relation(schema.as_deref(), name, &search_path)?;
        if !matches!(relation.body, RelationBody::Table { .. }) {
            return Err(Error::wrong_object_type(name, "is not a table"));
        }
        // Any one of the privileges is enough.
        let allowed =
            letters.chars().any(|letter| view.relation_privilege(view.role, &relation, letter));
        if !allowed {
            view.check_relation(&relation, letters)?;
        }
        let wait = if lock.no_wait { Wait::No } else { Writer::wait(session) };
        let namespace = view.namespace_of(&relation);
        let id = RelationId(relation.oid.0);
        let got = session.transaction.lock_relation(namespace, id, mode, wait).await?;
        if got == Acquired::Unavailable {
            return Err(Error::new(
                crate::error::SqlState::LOCK_NOT_AVAILABLE,
                format!("could not obtain lock on relation \"{name}\""),
            ));
        }
    }
    portal.tag = Tag::new("LOCK TABLE");
    Ok(Started::Done)
}
