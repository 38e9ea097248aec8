//! `DROP ROLE`.

use std::sync::Arc;

use crate::{
    catalog::{Role, namespace_id, part::CatalogView},
    error::{Error, Result, SqlState},
    exec::ddl::{DdlContext, change, grammar::RoleSpec, owned},
};

pub(super) async fn run(
    ctx: &mut dyn DdlContext,
    names: &[RoleSpec],
    if_exists: bool,
    cascade: bool,
) -> Result<String> {
    for spec in names {
        let role = match super::resolve(ctx, spec) {
            Ok(role) => role,
            Err(error) if if_exists && error.sqlstate == SqlState::UNDEFINED_OBJECT => {
                change::skipping(ctx, format!("{}, skipping", error.message));
                continue;
            }
            Err(error) => return Err(error),
        };
        check(ctx, &role)?;
        if cascade {
            owned::drop_all_of(ctx, &role, true).await?;
        }
        let namespace = namespace_id(ctx.view().database, role.oid);
        ctx.lock_catalog(namespace).await?;
        ctx.lock_namespace(namespace, &[]).await?;
        let dependents = owned::dependents(ctx, &role).await?;
        if !dependents.is_empty() {
            return Err(Error::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "role \"{}\" cannot be dropped because some objects depend on it",
                    role.name
                ),
            )
            .with_detail(dependents.join("\n")));
        }
        // Its sequences are nothing that depends on it.
        owned::clear_namespace(ctx, &role).await?;
        remove(ctx, &role)?;
    }
    Ok("DROP ROLE".to_owned())
}

fn check(ctx: &dyn DdlContext, role: &Role) -> Result<()> {
    let view: Arc<CatalogView> = ctx.view();
    let denied = |message: &str| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    let superuser = view.cluster.is_superuser(view.role);
    if !superuser && !view.role_by_oid(view.role).is_some_and(|own| own.create_role) {
        return denied("permission denied to drop role");
    }
    if role.oid == view.role {
        return Err(Error::new(SqlState::OBJECT_IN_USE, "current user cannot be dropped"));
    }
    if role.oid == ctx.session_user() {
        return Err(Error::new(SqlState::OBJECT_IN_USE, "session user cannot be dropped"));
    }
    if role.superuser && !superuser {
        return denied("must be superuser to drop superusers");
    }
    if role.oid.0 < crate::catalog::FIRST_NORMAL_OID {
        return Err(Error::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop role {} because it is required by the database system", role.name),
        ));
    }
    Ok(())
}

fn remove(ctx: &mut dyn DdlContext, role: &Role) -> Result<()> {
    let memberships = ctx.view().cluster.memberships();
    change::write(ctx, |writer| {
        for membership in &memberships {
            if membership.role == role.oid || membership.member == role.oid {
                writer.remove_membership(membership)?;
            }
        }
        writer.remove_role(role)
    })
}
