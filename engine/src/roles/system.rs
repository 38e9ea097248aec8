//! `ALTER SYSTEM` and `ALTER DATABASE ... OWNER TO`.

use crate::{
    catalog::{Database, part::CatalogView},
    error::{Error, Result, SqlState},
    exec::ddl::{DdlContext, change, grammar::RoleSpec},
    settings,
};

pub(super) fn set(ctx: &mut dyn DdlContext, name: &str, value: Option<&str>) -> Result<String> {
    check_superuser(&ctx.view())?;
    let name = settings::canonical(name)?;
    settings::check_keepable(&name, true)?;
    let value = value.map(|value| settings::check(&name, value)).transpose()?;
    change::write(ctx, |writer| writer.put_setting(&name, value.as_deref()))?;
    Ok("ALTER SYSTEM".to_owned())
}

pub(super) fn reset_all(ctx: &mut dyn DdlContext) -> Result<String> {
    check_superuser(&ctx.view())?;
    for (name, _) in ctx.view().cluster.settings() {
        change::write(ctx, |writer| writer.put_setting(&name, None))?;
    }
    Ok("ALTER SYSTEM".to_owned())
}

pub(super) fn owner(ctx: &mut dyn DdlContext, name: &str, owner: &RoleSpec) -> Result<String> {
    let view = ctx.view();
    let database =
        view.cluster.database_by_name(name).ok_or_else(|| Error::undefined_database(name))?;
    let owner = super::resolve(ctx, owner)?;
    if !view.cluster.has_privileges_of(view.role, database.owner) {
        return Err(Error::must_be_owner(&format!("database {name}")));
    }
    change::check_new_owner(&view, &owner)?;
    let changed = Database { owner: owner.oid, ..(**database).clone() };
    change::write(ctx, |writer| writer.put_database(changed))?;
    Ok("ALTER DATABASE".to_owned())
}

fn check_superuser(view: &CatalogView) -> Result<()> {
    if view.cluster.is_superuser(view.role) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "must be superuser to execute ALTER SYSTEM command",
    ))
}
