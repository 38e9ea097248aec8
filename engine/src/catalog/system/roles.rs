//! pg_database, pg_authid and the views over roles.

use std::sync::Arc;

use super::rows::{Cell, Filter, Row, Rows};
use crate::{catalog::Role, context::ExecutionContext, error::Result};

pub(super) fn databases(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for database in context.catalog.cluster.databases() {
        rows.add()
            .set("oid", database.oid)
            .set("datname", database.name.as_str())
            .set("datdba", database.owner)
            .set("encoding", 6)
            .set("datlocprovider", 'c')
            .set("datallowconn", true)
            .set("datconnlimit", -1)
            .set("dattablespace", 1663)
            .set("datcollate", "C.UTF-8")
            .set("datctype", "C.UTF-8");
    }
    Ok(())
}

/// For superusers alone: [`super::rows`] has seen to it.
pub(super) fn authids(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for role in matching(context, filter, "oid", "rolname") {
        attributes(rows.add().set("oid", role.oid), &role)
            .set("rolpassword", role.verifier.as_deref())
            .set("rolvaliduntil", role.valid_until);
    }
    Ok(())
}

pub(super) fn roles(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for role in matching(context, filter, "oid", "rolname") {
        attributes(rows.add().set("oid", role.oid), &role)
            .set("rolpassword", "********")
            .set("rolvaliduntil", role.valid_until)
            .set("rolconfig", config(&role));
    }
    Ok(())
}

fn attributes<'r, 'a>(row: Row<'r, 'a>, role: &Role) -> Row<'r, 'a> {
    row.set("rolname", role.name.as_str())
        .set("rolsuper", role.superuser)
        .set("rolinherit", role.inherit)
        .set("rolcreaterole", role.create_role)
        .set("rolcreatedb", role.create_db)
        .set("rolcanlogin", role.login)
        .set("rolreplication", role.replication)
        .set("rolconnlimit", role.connection_limit)
        .set("rolbypassrls", role.bypass_rls)
}

fn config(role: &Role) -> Cell {
    if role.settings.is_empty() {
        return Cell::Null;
    }
    Cell::Texts(role.settings.iter().map(|(name, value)| format!("{name}={value}")).collect())
}

pub(super) fn users(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for role in matching(context, filter, "usesysid", "usename") {
        if role.login {
            user(rows.add(), &role).set("passwd", "********");
        }
    }
    Ok(())
}

/// For superusers alone: [`super::rows`] has seen to it.
pub(super) fn shadows(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for role in matching(context, filter, "usesysid", "usename") {
        if role.login {
            user(rows.add(), &role).set("passwd", role.verifier.as_deref());
        }
    }
    Ok(())
}

fn user<'r, 'a>(row: Row<'r, 'a>, role: &Role) -> Row<'r, 'a> {
    row.set("usename", role.name.as_str())
        .set("usesysid", role.oid)
        .set("usecreatedb", role.create_db)
        .set("usesuper", role.superuser)
        .set("userepl", role.replication)
        .set("usebypassrls", role.bypass_rls)
        .set("valuntil", role.valid_until)
        .set("useconfig", config(role))
}

pub(super) fn groups(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let memberships = context.catalog.cluster.memberships();
    for role in matching(context, filter, "grosysid", "groname") {
        if !role.login {
            let members = memberships.iter().filter(|m| m.role == role.oid);
            rows.add()
                .set("groname", role.name.as_str())
                .set("grosysid", role.oid)
                .set("grolist", members.map(|m| i64::from(m.member.0)).collect::<Vec<i64>>());
        }
    }
    Ok(())
}

pub(super) fn memberships(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for membership in context.catalog.cluster.memberships() {
        rows.add()
            .set("roleid", membership.role)
            .set("member", membership.member)
            .set("grantor", membership.grantor)
            .set("admin_option", membership.admin_option);
    }
    Ok(())
}

pub(super) fn role_settings(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for role in context.catalog.cluster.roles() {
        if !role.settings.is_empty() {
            rows.add().set("setrole", role.oid).set("setconfig", config(&role));
        }
    }
    Ok(())
}

fn matching(
    context: &ExecutionContext,
    filter: &Filter<'_>,
    oid: &str,
    name: &str,
) -> Vec<Arc<Role>> {
    let cluster = &context.catalog.cluster;
    match (filter.oid(oid), filter.text(name)) {
        (Some(oid), _) => cluster.role_by_oid(oid).cloned().into_iter().collect(),
        (None, Some(name)) => cluster.role_by_name(name).cloned().into_iter().collect(),
        (None, None) => cluster.roles(),
    }
}
