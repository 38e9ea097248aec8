//! What all definitions share: locks, writing, notices, ownership.

use std::sync::Arc;

use kalamdb_storage::{Namespace, NamespaceId};

use super::DdlContext;
use crate::{
    catalog::{
        Relation, Role, TableKind, namespace_id,
        part::CatalogView,
        store::{Place, Writer},
    },
    error::{Error, Result, SqlState},
    types::Oid,
};

/// Changes the transaction's catalog and write set.
pub(crate) fn write<T>(
    ctx: &mut dyn DdlContext,
    change: impl FnOnce(&mut Writer<'_>) -> Result<T>,
) -> Result<T> {
    let catalogs = Arc::clone(ctx.catalogs());
    let (transaction, writes) = ctx.changes();
    change(&mut Writer { catalogs, transaction, writes })
}

/// The notice of `IF EXISTS` where there is nothing, and of dependents that go along.
pub(crate) fn skipping(ctx: &mut dyn DdlContext, message: String) {
    ctx.notice(Error::new(SqlState::SUCCESSFUL_COMPLETION, message));
}

/// The notice of `IF NOT EXISTS` where there is one already: it keeps the error's SQLSTATE.
pub(crate) fn skipping_existing(ctx: &mut dyn DdlContext, error: &Error) {
    ctx.notice(Error::new(error.sqlstate, format!("{}, skipping", error.message)));
}

/// Takes the catalog lock of a part.
pub(crate) async fn lock(ctx: &mut dyn DdlContext, place: Place) -> Result<()> {
    let namespace = place.namespace(&ctx.view());
    ctx.lock_catalog(namespace).await
}

/// Locks a relation against everybody, after the catalog it belongs to, and looks it up again:
/// it may have changed while this waited.
pub(crate) async fn lock_relation(
    ctx: &mut dyn DdlContext,
    relation: &Relation,
) -> Result<Arc<Relation>> {
    lock(ctx, Place::of(relation.oid)).await?;
    ctx.lock_relation(relation.oid).await?;
    ctx.view().relation_by_oid(relation.oid).ok_or_else(|| Error::undefined_table(&relation.name))
}

/// A number for a new object.
pub(crate) async fn allocate(ctx: &mut dyn DdlContext, place: Place) -> Result<Oid> {
    let catalogs = Arc::clone(ctx.catalogs());
    ctx.changes().0.allocate_oid(&catalogs, place).await
}

/// Numbers for a new row type and its array.
pub(crate) async fn allocate_row_type(ctx: &mut dyn DdlContext, place: Place) -> Result<Oid> {
    let catalogs = Arc::clone(ctx.catalogs());
    ctx.changes().0.allocate_oid_pair(&catalogs, place).await
}

/// Whether `current_user` may give objects to `owner`.
///
/// # Errors
/// 42501 as PostgreSQL's.
pub(crate) fn check_new_owner(view: &CatalogView, owner: &Role) -> Result<()> {
    if view.cluster.is_member_of(view.role, owner.oid) {
        return Ok(());
    }
    let message = format!("must be member of role \"{}\"", owner.name);
    Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

/// The namespace whose rows of `relation` a statement about rows (TRUNCATE, RESTART) means.
pub(crate) fn own_namespace(ctx: &dyn DdlContext, relation: &Relation) -> Namespace {
    let view = ctx.view();
    ctx.catalogs().namespace(&view.cluster, view.namespace_of(relation))
}

/// Every namespace that may hold rows of `relation`: for definitions, which concern all of them.
/// Those this transaction alone knows of (its own) are included.
pub(crate) async fn row_namespaces(
    ctx: &mut dyn DdlContext,
    relation: &Relation,
) -> Result<Vec<Namespace>> {
    let view = ctx.view();
    let own = view.namespace_of(relation);
    let mut ids: Vec<NamespaceId> = match (&relation.layout, relation.kind) {
        (Some(layout), TableKind::User) => {
            let all = ctx.catalogs().store().relation_namespaces(layout.relation).await?;
            let database = |id: &NamespaceId| id.0 >> 32 == u64::from(view.database.0);
            all.into_iter().filter(database).collect()
        }
        (Some(_), _) => vec![own],
        (None, _) => Vec::new(),
    };
    if relation.layout.is_some() && !ids.contains(&own) {
        ids.push(own);
    }
    Ok(ids.into_iter().map(|id| ctx.catalogs().namespace(&view.cluster, id)).collect())
}

/// Every namespace in which a sequence may have a state.
pub(crate) fn sequence_namespace(view: &CatalogView, sequence: &Relation) -> NamespaceId {
    match sequence.kind {
        TableKind::Shared => namespace_id(view.database, Oid(0)),
        TableKind::User | TableKind::Private | TableKind::System => view.own_namespace(),
    }
}
