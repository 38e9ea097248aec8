//! CREATE and ALTER SCHEMA.

use super::{
    DdlContext, change,
    grammar::{AlterSchema, CreateSchema, SchemaChange},
};
use crate::{
    catalog::{
        Schema, bootstrap,
        part::{CatalogView, INFORMATION_SCHEMA, PG_CATALOG, PUBLIC_SCHEMA},
        store::Place,
    },
    error::{Error, Result, SqlState},
};

pub(super) async fn create(create: &CreateSchema, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok("CREATE SCHEMA".to_owned());
    let view = ctx.view();
    let owner = match &create.authorization {
        Some(spec) => crate::roles::resolve(ctx, spec)?,
        None => view.role_by_oid(view.role).ok_or_else(|| Error::undefined_role("current_user"))?,
    };
    change::check_new_owner(&view, &owner)?;
    let name = create.name.clone().unwrap_or_else(|| owner.name.clone());
    check_name(&name)?;
    // Who owns the database defines for all; everybody may have schemas of his own.
    let place = if view.owns_database(view.role) { Place::Shared } else { Place::Private };
    change::lock(ctx, place).await?;
    let view = ctx.view();
    if view.schema_by_name(&name).is_some() {
        if create.if_not_exists {
            change::skipping_existing(ctx, &Error::duplicate_schema(&name));
            return tag();
        }
        return Err(Error::duplicate_schema(&name));
    }
    let schema = if name == "public" && place == Place::Shared {
        // It keeps its number, since private relations of all roles live in it.
        Schema { owner: owner.oid, grants: None, ..bootstrap::public_schema() }
    } else {
        let oid = change::allocate(ctx, place).await?;
        Schema { oid, name, owner: owner.oid, grants: None }
    };
    change::write(ctx, |writer| writer.put_schema(schema).map(|_| ()))?;
    tag()
}

pub(super) async fn alter(alter: &AlterSchema, ctx: &mut dyn DdlContext) -> Result<String> {
    let schema = ctx.view().schema(&alter.name)?;
    check_droppable(&ctx.view(), &schema)?;
    change::lock(ctx, Place::of(schema.oid)).await?;
    let view = ctx.view();
    let schema = view.schema(&alter.name)?;
    let changed = match &alter.change {
        SchemaChange::Rename(name) => {
            check_name(name)?;
            if schema.oid == PUBLIC_SCHEMA {
                return Err(Error::feature_not_supported("schema \"public\" cannot be renamed"));
            }
            if view.schema_by_name(name).is_some() {
                return Err(Error::duplicate_schema(name));
            }
            check_no_views(&view, &schema)?;
            Schema { name: name.clone(), ..(*schema).clone() }
        }
        SchemaChange::Owner(spec) => {
            let owner = crate::roles::resolve(ctx, spec)?;
            change::check_new_owner(&view, &owner)?;
            super::acl::with_owner_schema(&schema, owner.oid)
        }
    };
    let renamed = changed.name != schema.name;
    let oid = changed.oid;
    change::write(ctx, |writer| writer.put_schema(changed).map(|_| ()))?;
    if renamed {
        // Layouts carry the schema's name: the directory of what is flushed from now on.
        let view = ctx.view();
        let inside: Vec<_> =
            view.relations().filter(|relation| relation.schema == oid).cloned().collect();
        for relation in inside {
            ctx.lock_relation(relation.oid).await?;
            let relation = (*relation).clone();
            change::write(ctx, |writer| writer.put_relation(relation).map(|_| ()))?;
        }
    }
    Ok("ALTER SCHEMA".to_owned())
}

/// A view keeps the names of its query as text.
fn check_no_views(view: &CatalogView, schema: &Schema) -> Result<()> {
    let inside = view.relations().filter(|relation| relation.schema == schema.oid);
    for relation in inside {
        if !super::dependency::views_on(view, relation.oid).is_empty() {
            return Err(Error::feature_not_supported(format!(
                "schema \"{}\" cannot be renamed because views depend on its relations",
                schema.name
            )));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(Error::new(
            SqlState::RESERVED_NAME,
            format!("unacceptable schema name \"{name}\""),
        )
        .with_detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    Ok(())
}

/// 42501 unless `current_user` owns the schema; 2BP01 for those that the system needs.
pub(super) fn check_droppable(view: &CatalogView, schema: &Schema) -> Result<()> {
    if !view.is_owner(schema.owner) {
        return Err(Error::must_be_owner(&format!("schema {}", schema.name)));
    }
    if schema.oid == PG_CATALOG || schema.oid == INFORMATION_SCHEMA {
        return Err(Error::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "cannot drop schema {} because it is required by the database system",
                schema.name
            ),
        ));
    }
    Ok(())
}
