//! Temporary tables, views and sequences: private ones in a schema that lives as long as its
//! session.
//!
//! The schema has a name that no other session has or had, is made for the first temporary object
//! and dropped with all that is in it when the session ends. What a server that was killed has
//! left is dropped by the role's next session, or when the role next needs such a schema.

use std::sync::Arc;

use super::{
    DdlContext, change, drop,
    grammar::{Command, Name},
};
use crate::{
    catalog::{Schema, part::TEMPORARY_PREFIX, store::Place},
    error::{Error, Result},
};

/// The name by which a session means its own temporary schema.
pub(crate) const ALIAS: &str = "pg_temp";

/// Before a definition: where it makes something temporary there has to be a schema for it.
pub(super) async fn prepare(command: &Command, ctx: &mut dyn DdlContext) -> Result<()> {
    let name: &Name = match command {
        Command::CreateTable(create) => &create.name,
        Command::CreateTableAs(create) => &create.name,
        Command::CreateView(create) => &create.name,
        Command::CreateSequence(create) => &create.name,
        _ => return Ok(()),
    };
    let view = ctx.view();
    if name.schema.as_deref() != Some(ALIAS) || view.temporary_schema().is_some() {
        return Ok(());
    }
    let own = view
        .temporary
        .clone()
        .ok_or_else(|| Error::feature_not_supported("there is no session to be temporary for"))?;
    // A role that is only ever impersonated has no login that would do this.
    drop_left_behind(ctx).await?;
    let oid = change::allocate(ctx, Place::Private).await?;
    let schema = Schema { oid, name: own.to_string(), owner: ctx.view().role, grants: None };
    change::write(ctx, |writer| writer.put_schema(schema).map(|_| ()))?;
    ctx.made_temporary();
    Ok(())
}

/// Drops the temporary objects that the session has made as the present role; see
/// [`Session::drop_temporary`](crate::session::Session::drop_temporary) for all of them.
pub(crate) async fn drop_own(ctx: &mut dyn DdlContext) -> Result<()> {
    match ctx.view().temporary_schema() {
        Some(schema) => drop_schema(ctx, &schema).await,
        None => Ok(()),
    }
}

/// Schemas of sessions that are no more.
pub(crate) fn left_behind(ctx: &dyn DdlContext) -> Vec<Arc<Schema>> {
    let mut found = ctx.view().schemas();
    found.retain(|schema| schema.name.starts_with(TEMPORARY_PREFIX));
    if !found.is_empty() {
        let live = ctx.temporary_schemas_in_use();
        found.retain(|schema| !live.contains(&schema.name));
    }
    found
}

/// Drops them.
pub(crate) async fn drop_left_behind(ctx: &mut dyn DdlContext) -> Result<()> {
    change::lock(ctx, Place::Private).await?;
    for schema in left_behind(ctx) {
        drop_schema(ctx, &schema).await?;
    }
    Ok(())
}

async fn drop_schema(ctx: &mut dyn DdlContext, schema: &Arc<Schema>) -> Result<()> {
    change::lock(ctx, Place::Private).await?;
    drop::schema_with_all(ctx, schema).await
}
