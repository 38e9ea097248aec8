//! LOCK TABLE.

use std::sync::Arc;

use kalamdb_storage::RelationId;

use crate::{
    catalog::{
        Relation, RelationBody, TableKind,
        part::{CatalogView, Named},
    },
    error::{Error, Result, SqlState},
    exec::{ddl, write::Writer},
    locks::{Acquired, Mode, Wait},
    session::{Portal, Session, Started, Tag},
    statement::LockTable,
    txn::Phase,
    types::Oid,
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
        "ROW SHARE" => (Mode::RowShare, "wdD"),
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
        let relation = named(&view, schema.as_deref(), name, &session.effective().search_path)?;
        for (relation, by) in with_what_views_show(&view, relation) {
            check_allowed(&view, &relation, by, letters)?;
            if matches!(relation.body, RelationBody::Table { .. }) {
                acquire(session, lock, &relation, mode).await?;
            }
        }
    }
    portal.tag = Tag::new("LOCK TABLE");
    Ok(Started::Done)
}

/// The relation of this name, which must have rows to lock.
fn named(
    view: &CatalogView,
    schema: Option<&str>,
    name: &str,
    search_path: &[String],
) -> Result<Arc<Relation>> {
    let refused = |what: &str| {
        Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot lock relation \"{name}\""))
            .with_detail(format!("This operation is not supported for {what}.")))
    };
    view.check_named_schema(schema)?;
    if let Some(Named::Index { .. }) = view.find_named(schema, name, search_path) {
        return refused("indexes");
    }
    let relation = view.relation(schema, name, search_path)?;
    match relation.body {
        RelationBody::Sequence(_) => refused("sequences"),
        RelationBody::System => Err(Error::feature_not_supported(format!(
            "\"{name}\" is a system catalog, which can't be locked"
        ))),
        RelationBody::Table { .. } | RelationBody::View { .. } => Ok(relation),
    }
}

/// A view with all that it shows, each with the role whose privileges count there.
fn with_what_views_show(view: &CatalogView, relation: Arc<Relation>) -> Vec<(Arc<Relation>, Oid)> {
    let mut found = vec![(relation, view.role)];
    let mut next = 0;
    while let Some((relation, by)) = found.get(next).cloned() {
        // A view of shared rows lends its owner's rights.
        let by = if relation.kind == TableKind::Shared { relation.owner } else { by };
        for oid in ddl::relations_of_view(view, &relation) {
            if let Some(shown) = view.relation_by_oid(oid)
                && !found.iter().any(|(known, _)| known.oid == oid)
            {
                found.push((shown, by));
            }
        }
        next += 1;
    }
    found
}

/// 42501 unless the role holds any one of the privileges.
fn check_allowed(view: &CatalogView, relation: &Relation, role: Oid, letters: &str) -> Result<()> {
    if letters.chars().any(|letter| view.relation_privilege(role, relation, letter)) {
        return Ok(());
    }
    Err(Error::insufficient_privilege(&format!("{} {}", relation.kind_word(), relation.name)))
}

async fn acquire(
    session: &mut Session,
    lock: &LockTable,
    relation: &Relation,
    mode: Mode,
) -> Result<()> {
    let wait = if lock.no_wait { Wait::No } else { Writer::wait(session) };
    let namespace = session.view().namespace_of(relation);
    let id = RelationId(relation.oid.0);
    match session.transaction.lock_relation(namespace, id, mode, wait).await? {
        Acquired::Unavailable => Err(Error::new(
            SqlState::LOCK_NOT_AVAILABLE,
            format!("could not obtain lock on relation \"{}\"", relation.name),
        )),
        _ => Ok(()),
    }
}
