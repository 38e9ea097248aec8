//! Roles: who there is, who is a member of whom, and who may become whom.
//!
//! Passwords are kept as SCRAM-SHA-256 verifiers alone (RFC 5802, RFC 7677), in PostgreSQL's text
//! form. A name that can't log in has a verifier as well, made up from the cluster's secret and
//! always the same, so that a login attempt tells nothing about who exists.

use crate::{
    catalog::{
        Role,
        bootstrap::IMPERSONATE_ROLE,
        part::{CatalogView, Cluster},
        store::{Place, Writer},
    },
    error::{Error, Result, SqlState},
    exec::ddl::{
        DdlContext, change,
        grammar::{RoleAttribute, RoleChange, RoleCommand, RoleSpec},
    },
    types::Oid,
};

mod drop;
mod membership;
mod scram;
mod system;

pub(crate) use scram::{login_verifier, to_base64, verifier};

/// Runs a statement about roles.
pub(crate) async fn run(command: &RoleCommand, ctx: &mut dyn DdlContext) -> Result<String> {
    ctx.lock_catalog(crate::catalog::store::CLUSTER_NAMESPACE).await?;
    match command {
        RoleCommand::Create { name, attributes, if_not_exists } => {
            create(ctx, name, attributes, *if_not_exists).await
        }
        RoleCommand::Alter { role, change } => alter(ctx, role, change),
        RoleCommand::Drop { names, if_exists, cascade } => {
            drop::run(ctx, names, *if_exists, *cascade).await
        }
        RoleCommand::Grant { roles, members, admin_option, granted_by } => {
            membership::grant(ctx, (roles, members), *admin_option, granted_by.as_ref()).await
        }
        RoleCommand::Revoke { roles, members, admin_option_only, granted_by } => {
            membership::revoke(ctx, (roles, members), *admin_option_only, granted_by.as_ref())
        }
        RoleCommand::Group { group, members, add } => {
            let roles = std::slice::from_ref(group);
            match add {
                true => membership::grant(ctx, (roles, members), false, None).await?,
                false => membership::revoke(ctx, (roles, members), false, None)?,
            };
            Ok("ALTER ROLE".to_owned())
        }
        RoleCommand::System { name, value } => system::set(ctx, name, value.as_deref()),
        RoleCommand::SystemResetAll => system::reset_all(ctx),
        RoleCommand::DatabaseOwner { database, owner } => system::owner(ctx, database, owner),
    }
}

/// The role that a statement names.
///
/// # Errors
/// 42704 if there is none.
pub(crate) fn resolve(ctx: &dyn DdlContext, spec: &RoleSpec) -> Result<std::sync::Arc<Role>> {
    let view = ctx.view();
    match spec {
        RoleSpec::Name(name) => view.role_by_name(name).ok_or_else(|| Error::undefined_role(name)),
        RoleSpec::CurrentUser => gone(&view, view.role),
        RoleSpec::SessionUser => gone(&view, ctx.session_user()),
    }
}

fn gone(view: &CatalogView, oid: Oid) -> Result<std::sync::Arc<Role>> {
    view.role_by_oid(oid).ok_or_else(|| Error::undefined_role(&oid.to_string()))
}

/// Whether a session of `session_user` may `SET ROLE` to `target`: superusers, members, and
/// members of `kalam_impersonate` where neither the target nor what it could become is a
/// superuser.
pub(crate) fn may_set_role(cluster: &Cluster, session_user: Oid, target: Oid) -> bool {
    cluster.is_member_of(session_user, target) || may_impersonate(cluster, session_user, target)
}

/// Whether a connection that logged in as `login` may `SET SESSION AUTHORIZATION` to `target`.
pub(crate) fn may_set_session_authorization(cluster: &Cluster, login: Oid, target: Oid) -> bool {
    login == target || cluster.is_superuser(login) || may_impersonate(cluster, login, target)
}

fn may_impersonate(cluster: &Cluster, from: Oid, target: Oid) -> bool {
    cluster.is_member_of_nosuper(from, IMPERSONATE_ROLE) && !cluster.reaches_superuser(target)
}

async fn create(
    ctx: &mut dyn DdlContext,
    name: &str,
    attributes: &[RoleAttribute],
    if_not_exists: bool,
) -> Result<String> {
    let view = ctx.view();
    check_may_create(&view, attributes)?;
    check_name(name)?;
    if view.role_by_name(name).is_some() {
        if if_not_exists {
            change::skipping_existing(ctx, &Error::duplicate_object("role", name));
            return Ok("CREATE ROLE".to_owned());
        }
        return Err(Error::duplicate_object("role", name));
    }
    let catalogs = std::sync::Arc::clone(ctx.catalogs());
    let oid = ctx.changes().0.allocate_oid(&catalogs, Place::Shared).await?;
    let mut role = Role {
        oid,
        name: name.to_owned(),
        superuser: false,
        inherit: true,
        create_role: false,
        create_db: false,
        login: false,
        replication: false,
        bypass_rls: false,
        connection_limit: -1,
        verifier: None,
        valid_until: None,
        settings: Vec::new(),
    };
    for attribute in attributes {
        tell_about(ctx, attribute);
        apply(&mut role, attribute)?;
    }
    change::write(ctx, |writer| writer.put_role(role.clone()))?;
    for attribute in attributes {
        match attribute {
            RoleAttribute::InRoles(roles) => {
                for into in roles {
                    let into = resolve(ctx, into)?;
                    membership::check_may_grant(&view, &into)?;
                    membership::add(ctx, &into, &role, false, view.role).await?;
                }
            }
            RoleAttribute::Members(members) | RoleAttribute::Admins(members) => {
                let admin = matches!(attribute, RoleAttribute::Admins(_));
                for member in members {
                    let member = resolve(ctx, member)?;
                    membership::add(ctx, &role, &member, admin, view.role).await?;
                }
            }
            _ => {}
        }
    }
    Ok("CREATE ROLE".to_owned())
}

fn check_may_create(view: &CatalogView, attributes: &[RoleAttribute]) -> Result<()> {
    if view.cluster.is_superuser(view.role) {
        return Ok(());
    }
    let denied = |message: &str| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    if attributes.contains(&RoleAttribute::Superuser(true)) {
        return denied("must be superuser to create superusers");
    }
    if attributes.contains(&RoleAttribute::Replication(true)) {
        return denied("must be superuser to create replication users");
    }
    if attributes.contains(&RoleAttribute::BypassRls(true)) {
        return denied("must be superuser to create bypassrls users");
    }
    if !view.role_by_oid(view.role).is_some_and(|role| role.create_role) {
        return denied("permission denied to create role");
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::syntax_error("zero-length delimited identifier at or near \"\"\"\""));
    }
    if name.starts_with("pg_") || name.starts_with("kalam_") {
        let prefix = if name.starts_with("pg_") { "pg_" } else { "kalam_" };
        return Err(Error::new(
            SqlState::RESERVED_NAME,
            format!("role name \"{name}\" is reserved"),
        )
        .with_detail(format!("Role names starting with \"{prefix}\" are reserved.")));
    }
    Ok(())
}

/// What PostgreSQL says about attributes that mean something else than they seem to.
fn tell_about(ctx: &mut dyn DdlContext, attribute: &RoleAttribute) {
    let message = match attribute {
        RoleAttribute::SystemId => "SYSID can no longer be specified",
        RoleAttribute::Password(Some(password)) if password.is_empty() => {
            "empty string is not a valid password, clearing password"
        }
        _ => return,
    };
    change::skipping(ctx, message.to_owned());
}

fn apply(role: &mut Role, attribute: &RoleAttribute) -> Result<()> {
    match attribute {
        RoleAttribute::Superuser(yes) => role.superuser = *yes,
        RoleAttribute::CreateDb(yes) => role.create_db = *yes,
        RoleAttribute::CreateRole(yes) => role.create_role = *yes,
        RoleAttribute::Inherit(yes) => role.inherit = *yes,
        RoleAttribute::Login(yes) => role.login = *yes,
        RoleAttribute::Replication(yes) => role.replication = *yes,
        RoleAttribute::BypassRls(yes) => role.bypass_rls = *yes,
        RoleAttribute::ConnectionLimit(limit) => role.connection_limit = *limit,
        RoleAttribute::Password(None) => role.verifier = None,
        RoleAttribute::Password(Some(password)) if password.is_empty() => role.verifier = None,
        RoleAttribute::Password(Some(password)) => role.verifier = Some(verifier(password)?),
        RoleAttribute::ValidUntil(text) => role.valid_until = Some(valid_until(text)?),
        RoleAttribute::InRoles(_)
        | RoleAttribute::Members(_)
        | RoleAttribute::Admins(_)
        | RoleAttribute::SystemId => {}
    }
    Ok(())
}

fn valid_until(text: &str) -> Result<i64> {
    use arrow::{array::AsArray, datatypes::TimestampMicrosecondType};
    let value = crate::catalog::value::input(crate::types::PgType::TIMESTAMPTZ, text)?;
    Ok(value.as_primitive::<TimestampMicrosecondType>().value(0))
}

fn alter(ctx: &mut dyn DdlContext, spec: &RoleSpec, what: &RoleChange) -> Result<String> {
    let view = ctx.view();
    let old = resolve(ctx, spec)?;
    check_may_alter(&view, &old, what)?;
    let mut role = (*old).clone();
    match what {
        RoleChange::Attributes(attributes) => {
            for attribute in attributes {
                tell_about(ctx, attribute);
                apply(&mut role, attribute)?;
            }
        }
        RoleChange::Rename(to) => {
            return Err(Error::feature_not_supported(format!(
                "role \"{}\" cannot be renamed to \"{to}\": the directory of its rows carries its \
                 name",
                role.name
            )));
        }
        RoleChange::ResetAll => role.settings.clear(),
        RoleChange::Set { name, value } => {
            let name = crate::settings::canonical(name)?;
            let is_superuser = view.cluster.is_superuser(view.role);
            if value.is_some() {
                crate::settings::check_keepable(&name, is_superuser)?;
            }
            role.settings.retain(|(other, _)| *other != name);
            if let Some(value) = value {
                let value = crate::settings::check(&name, value)?;
                role.settings.push((name, value));
            }
        }
    }
    change::write(ctx, |writer: &mut Writer<'_>| writer.put_role(role))?;
    Ok("ALTER ROLE".to_owned())
}

fn check_may_alter(view: &CatalogView, role: &Role, what: &RoleChange) -> Result<()> {
    if view.cluster.is_superuser(view.role) {
        return Ok(());
    }
    let denied = |message: &str| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    let attributes = match what {
        RoleChange::Attributes(attributes) => attributes.as_slice(),
        RoleChange::Rename(_) | RoleChange::Set { .. } | RoleChange::ResetAll => &[],
    };
    let changes = |test: fn(&RoleAttribute) -> bool| attributes.iter().any(test);
    if role.superuser || changes(|a| matches!(a, RoleAttribute::Superuser(_))) {
        return denied("must be superuser to alter superuser roles or change superuser attribute");
    }
    if role.replication || changes(|a| matches!(a, RoleAttribute::Replication(_))) {
        return denied(
            "must be superuser to alter replication roles or change replication attribute",
        );
    }
    if changes(|a| matches!(a, RoleAttribute::BypassRls(_))) {
        return denied("must be superuser to change bypassrls attribute");
    }
    let create_role = view.role_by_oid(view.role).is_some_and(|role| role.create_role);
    let own_password = role.oid == view.role
        && !matches!(what, RoleChange::Rename(_))
        && attributes.iter().all(|a| matches!(a, RoleAttribute::Password(_)));
    if create_role || own_password { Ok(()) } else { denied("permission denied") }
}
