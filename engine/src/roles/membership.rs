//! `GRANT role TO member`.

use std::sync::Arc;

use crate::{
    catalog::{
        Membership, Role,
        part::{CatalogView, DATABASE_OWNER_ROLE},
        store::Place,
    },
    error::{Error, Result, SqlState},
    exec::ddl::{DdlContext, change, grammar::RoleSpec},
    types::Oid,
};

pub(super) async fn grant(
    ctx: &mut dyn DdlContext,
    (roles, members): (&[String], &[RoleSpec]),
    admin_option: bool,
    granted_by: Option<&RoleSpec>,
) -> Result<String> {
    let grantor = match granted_by {
        Some(spec) => super::resolve(ctx, spec)?.oid,
        None => ctx.view().role,
    };
    for name in roles {
        let role = named(&ctx.view(), name)?;
        for member in members {
            let member = super::resolve(ctx, member)?;
            check_may_grant(&ctx.view(), &role)?;
            check_may_impute(&ctx.view(), grantor)?;
            add(ctx, &role, &member, admin_option, grantor).await?;
        }
    }
    Ok("GRANT ROLE".to_owned())
}

pub(super) fn revoke(
    ctx: &mut dyn DdlContext,
    (roles, members): (&[String], &[RoleSpec]),
    admin_option_only: bool,
    granted_by: Option<&RoleSpec>,
) -> Result<String> {
    // A membership is one, whoever granted it: as in PostgreSQL 15 the grantor must only exist.
    if let Some(spec) = granted_by {
        super::resolve(ctx, spec)?;
    }
    for name in roles {
        let view = ctx.view();
        let role = named(&view, name)?;
        check_may_grant(&view, &role)?;
        for member in members {
            let member = super::resolve(ctx, member)?;
            let found = view
                .cluster
                .memberships_of(member.oid)
                .iter()
                .find(|membership| membership.role == role.oid)
                .cloned();
            let Some(found) = found else {
                let message =
                    format!("role \"{}\" is not a member of role \"{}\"", member.name, role.name);
                ctx.notice(Error::new(SqlState::WARNING, message));
                continue;
            };
            change::write(ctx, |writer| {
                if admin_option_only {
                    writer.put_membership(Membership { admin_option: false, ..(*found).clone() })
                } else {
                    writer.remove_membership(&found)
                }
            })?;
        }
    }
    Ok("REVOKE ROLE".to_owned())
}

/// Makes `member` a member of `role`.
pub(super) async fn add(
    ctx: &mut dyn DdlContext,
    role: &Role,
    member: &Role,
    admin_option: bool,
    grantor: Oid,
) -> Result<()> {
    let view = ctx.view();
    check_no_database_owner(role, member)?;
    if view.cluster.is_member_of_nosuper(role.oid, member.oid) {
        return Err(Error::new(
            SqlState::INVALID_GRANT_OPERATION,
            format!("role \"{}\" is a member of role \"{}\"", role.name, member.name),
        ));
    }
    let list = view.cluster.memberships_of(member.oid);
    if let Some(old) = list.iter().find(|old| old.role == role.oid) {
        if old.admin_option || !admin_option {
            let message =
                format!("role \"{}\" is already a member of role \"{}\"", member.name, role.name);
            change::skipping(ctx, message);
            return Ok(());
        }
        let changed = Membership { admin_option: true, grantor, ..(**old).clone() };
        return change::write(ctx, |writer| writer.put_membership(changed));
    }
    let catalogs = Arc::clone(ctx.catalogs());
    let oid = ctx.changes().0.allocate_oid(&catalogs, Place::Shared).await?;
    let membership = Membership { oid, role: role.oid, member: member.oid, grantor, admin_option };
    change::write(ctx, |writer| writer.put_membership(membership))
}

fn named(view: &CatalogView, name: &str) -> Result<Arc<Role>> {
    view.role_by_name(name).ok_or_else(|| Error::undefined_role(name))
}

/// `pg_database_owner` has the database's owner as its only member, and is a member of nothing.
fn check_no_database_owner(role: &Role, member: &Role) -> Result<()> {
    let message = if role.oid == DATABASE_OWNER_ROLE {
        format!("role \"{}\" cannot have explicit members", role.name)
    } else if member.oid == DATABASE_OWNER_ROLE {
        format!("role \"{}\" cannot be a member of any role", member.name)
    } else {
        return Ok(());
    };
    Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message))
}

/// Only a superuser says that another has granted it.
fn check_may_impute(view: &CatalogView, grantor: Oid) -> Result<()> {
    if grantor == view.role || view.cluster.is_superuser(view.role) {
        return Ok(());
    }
    Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, "must be superuser to set grantor"))
}

pub(super) fn check_may_grant(view: &CatalogView, role: &Role) -> Result<()> {
    if view.cluster.is_superuser(view.role) {
        return Ok(());
    }
    let denied = |message: String| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    if role.superuser {
        return denied("must be superuser to alter superusers".to_owned());
    }
    // CREATEROLE lets one hand out ordinary roles, but not those that give power over others.
    let powerful = role.oid.0 < crate::catalog::FIRST_NORMAL_OID;
    let create_role = view.role_by_oid(view.role).is_some_and(|own| own.create_role) && !powerful;
    if create_role || view.cluster.is_admin_of(view.role, role.oid) {
        return Ok(());
    }
    denied(format!("must have admin option on role \"{}\"", role.name))
}
