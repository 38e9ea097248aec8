//! What a role owns: DROP OWNED, REASSIGN OWNED, and what keeps a role from being dropped.
//!
//! A role owns definitions for all, and its own namespace: private definitions and rows.

use std::sync::Arc;

use kalamdb_storage::RelationId;

use super::{
    DdlContext, acl, change, dependency,
    drop::{self, Plan},
    grammar::RoleSpec,
    rows,
};
use crate::{
    catalog::{
        Relation, RelationBody, Role, Schema, TableKind, namespace_id,
        store::{CATALOG_RELATION, Place},
    },
    error::{Error, Result, SqlState},
};

pub(super) async fn drop(
    specs: &[RoleSpec],
    cascade: bool,
    ctx: &mut dyn DdlContext,
) -> Result<String> {
    for spec in specs {
        let role = crate::roles::resolve(ctx, spec)?;
        let view = ctx.view();
        if !view.cluster.has_privileges_of(view.role, role.oid) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "permission denied to drop objects",
            ));
        }
        drop_all_of(ctx, &role, cascade).await?;
    }
    Ok("DROP OWNED".to_owned())
}

/// Removes all that a role owns in this database: its definitions for all with the rows in every
/// namespace, what was granted to it, and its own namespace.
///
/// # Errors
/// 2BP01 where another role's object depends on one of them and `cascade` wasn't said.
pub(crate) async fn drop_all_of(
    ctx: &mut dyn DdlContext,
    role: &Role,
    cascade: bool,
) -> Result<()> {
    change::lock(ctx, Place::Shared).await?;
    let view = ctx.view();
    let path = ctx.search_path();
    let mut plan = Plan::default();
    for relation in shared_of(&view, role) {
        plan.name(dependency::describe(&view, &relation, &path));
        plan.add(&view, &relation);
    }
    for schema in shared_schemas_of(&view, role) {
        plan.add_schema(&view, &schema, &path);
    }
    plan.add_dependents(&view, &path);
    drop::execute(ctx, plan, cascade).await?;
    revoke_all(ctx, role)?;
    drop_namespace(ctx, role).await
}

fn shared_of(view: &crate::catalog::part::CatalogView, role: &Role) -> Vec<Arc<Relation>> {
    let mut found: Vec<_> =
        view.shared.relations().filter(|relation| relation.owner == role.oid).cloned().collect();
    found.sort_by_key(|relation| relation.oid);
    found
}

fn shared_schemas_of(view: &crate::catalog::part::CatalogView, role: &Role) -> Vec<Arc<Schema>> {
    view.shared.schemas().filter(|schema| schema.owner == role.oid).cloned().collect()
}

fn revoke_all(ctx: &mut dyn DdlContext, role: &Role) -> Result<()> {
    let view = ctx.view();
    change::write(ctx, |writer| {
        for relation in view.shared.relations() {
            let Some(grants) = &relation.grants else { continue };
            if let Some(grants) = acl::without_role(&view, relation.owner, grants, role.oid)? {
                writer.put_relation(Relation { grants: Some(grants), ..(**relation).clone() })?;
            }
        }
        for schema in view.shared.schemas() {
            let Some(grants) = &schema.grants else { continue };
            if let Some(grants) = acl::without_role(&view, schema.owner, grants, role.oid)? {
                writer.put_schema(Schema { grants: Some(grants), ..(**schema).clone() })?;
            }
        }
        Ok(())
    })
}

/// Removes a role's namespace in this database once the transactions that are at it have ended.
async fn drop_namespace(ctx: &mut dyn DdlContext, role: &Role) -> Result<()> {
    let id = namespace_id(ctx.view().database, role.oid);
    ctx.lock_catalog(id).await?;
    let view = ctx.view();
    let private = match id == view.own_namespace() {
        true => Arc::clone(&view.private),
        false => Arc::clone(&ctx.catalogs().attach_namespace(id).await?.view().private),
    };
    let of_users = view.shared.relations().filter(|relation| relation.kind == TableKind::User);
    let stored = of_users.chain(private.relations()).filter_map(|r| r.layout.as_ref());
    let rows: Vec<RelationId> = stored.map(|layout| layout.relation).collect();
    ctx.lock_namespace(id, &rows).await?;
    clear_namespace(ctx, role).await
}

/// Removes the rows, sequences and private definitions of a role's namespace, which is locked.
pub(crate) async fn clear_namespace(ctx: &mut dyn DdlContext, role: &Role) -> Result<()> {
    let view = ctx.view();
    let id = namespace_id(view.database, role.oid);
    if id == view.own_namespace() {
        // One's own: the definitions are in this transaction's hands.
        change::lock(ctx, Place::Private).await?;
        let mut plan = Plan::default();
        let view = ctx.view();
        for relation in view.private.relations() {
            plan.add(&view, relation);
        }
        plan.schemas = view.private.schemas().cloned().collect();
        drop::execute(ctx, plan, true).await?;
    } else {
        ctx.lock_catalog(id).await?;
        let session = ctx.catalogs().attach_namespace(id).await?;
        let private = Arc::clone(&session.view().private);
        let namespace = ctx.catalogs().namespace(&view.cluster, id);
        for relation in private.relations() {
            if let Some(layout) = &relation.layout {
                ctx.changes().1.drop_relation(&namespace, layout.relation);
                for index in &layout.indexes {
                    ctx.changes().1.drop_relation(&namespace, index.relation);
                }
            }
        }
        let (transaction, writes) = ctx.changes();
        writes.drop_relation(&namespace, CATALOG_RELATION);
        transaction.clear_private(&session);
    }
    let view = ctx.view();
    let namespace = ctx.catalogs().namespace(&view.cluster, id);
    for relation in view.shared.relations().filter(|r| r.kind == TableKind::User) {
        let writes = ctx.changes().1;
        match (&relation.layout, &relation.body) {
            (Some(layout), _) => {
                writes.drop_relation(&namespace, layout.relation);
                for index in &layout.indexes {
                    writes.drop_relation(&namespace, index.relation);
                }
            }
            (None, RelationBody::Sequence(_)) => {
                let sequence = kalamdb_storage::RelationId(relation.oid.0);
                writes.drop_relation(&namespace, sequence);
            }
            (None, _) => {}
        }
    }
    Ok(())
}

pub(super) async fn reassign(
    from: &[RoleSpec],
    to: &RoleSpec,
    ctx: &mut dyn DdlContext,
) -> Result<String> {
    let to = crate::roles::resolve(ctx, to)?;
    change::lock(ctx, Place::Shared).await?;
    for spec in from {
        let from = crate::roles::resolve(ctx, spec)?;
        let view = ctx.view();
        let may = |role| view.cluster.has_privileges_of(view.role, role);
        if !may(from.oid) || !may(to.oid) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "permission denied to reassign objects",
            ));
        }
        let (relations, schemas) = (shared_of(&view, &from), shared_schemas_of(&view, &from));
        change::write(ctx, |writer| {
            for relation in &relations {
                writer.put_relation(acl::with_owner(relation, to.oid))?;
            }
            for schema in &schemas {
                writer.put_schema(acl::with_owner_schema(schema, to.oid))?;
            }
            Ok(())
        })?;
    }
    Ok("REASSIGN OWNED".to_owned())
}

/// Why a role can't be dropped, one line each.
pub(crate) async fn dependents(ctx: &mut dyn DdlContext, role: &Role) -> Result<Vec<String>> {
    let view = ctx.view();
    let path = ctx.search_path();
    let mut lines = Vec::new();
    for database in view.cluster.databases() {
        if database.owner == role.oid {
            lines.push(format!("owner of database {}", database.name));
        }
    }
    for schema in view.shared.schemas() {
        if schema.owner == role.oid {
            lines.push(format!("owner of schema {}", schema.name));
        } else if schema.grants.as_ref().is_some_and(|g| acl::names_role(g, role.oid)) {
            lines.push(format!("privileges for schema {}", schema.name));
        }
    }
    for relation in view.shared.relations() {
        let what = dependency::describe(&view, relation, &path);
        if relation.owner == role.oid {
            lines.push(format!("owner of {what}"));
        } else if relation.grants.as_ref().is_some_and(|g| acl::names_role(g, role.oid)) {
            lines.push(format!("privileges for {what}"));
        }
    }
    lines.sort();
    let own = rows_of(ctx, role).await?;
    lines.extend(own);
    Ok(lines)
}

/// What is in a role's namespace; of private definitions only that there are some.
async fn rows_of(ctx: &mut dyn DdlContext, role: &Role) -> Result<Vec<String>> {
    let view = ctx.view();
    let path = ctx.search_path();
    let id = namespace_id(view.database, role.oid);
    let namespace = ctx.catalogs().namespace(&view.cluster, id);
    let mut lines = Vec::new();
    // Dropped by this transaction already: the part as stored would still show it.
    let gone = ctx.changes().1.touches(id, CATALOG_RELATION);
    let private = ctx.catalogs().private_part(id).await?;
    if !gone && !private.is_empty() {
        lines.push("private objects in its namespace".to_owned());
    }
    let tables: Vec<_> =
        view.shared.relations().filter(|r| r.kind == TableKind::User).cloned().collect();
    for relation in tables {
        if rows::has_rows(ctx, &relation, &namespace).await? {
            let what = dependency::describe(&view, &relation, &path);
            lines.push(format!("rows of {what} in its namespace"));
        }
    }
    Ok(lines)
}
