//! SET, RESET, DISCARD, and who a session is.

use crate::{
    catalog::part::Cluster,
    error::{Error, Result, SqlState},
    session::{Discard as Dropped, Portal, Session, Started, Tag},
    settings,
    statement::{Discard, Name, SetScope, SetValue},
    txn::Phase,
    types::Oid,
};

/// `SET name = value` in its forms.
pub(crate) async fn run(
    session: &mut Session,
    scope: SetScope,
    name: &str,
    value: &SetValue,
    portal: &mut Portal,
) -> Result<Started> {
    let local = scope == SetScope::Local;
    if local && session.transaction.phase == Phase::Implicit {
        session.state.notice(Error::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "SET LOCAL can only be used in transaction blocks",
        ));
    }
    let value = match value {
        SetValue::Default => None,
        SetValue::Value(value) => Some(value.as_str()),
    };
    assign(session, name, value, local).await?;
    portal.tag = Tag::new("SET");
    Ok(Started::Done)
}

/// Changes a setting after asking who may.
async fn assign(session: &mut Session, name: &str, value: Option<&str>, local: bool) -> Result<()> {
    let name = settings::canonical(name)?;
    match name.as_str() {
        "role" => {
            set_role(session, value, local)?;
            session.follow_role().await;
            return Ok(());
        }
        "session_authorization" => {
            set_session_authorization(session, value, local)?;
            session.follow_role().await;
            return Ok(());
        }
        "transaction_isolation" => {
            let level = value.and_then(crate::statement::Isolation::parse);
            let level = level.ok_or_else(|| {
                Error::invalid_setting_value("transaction_isolation", value.unwrap_or(""))
            })?;
            let modes =
                crate::statement::TransactionModes { isolation: Some(level), ..Default::default() };
            return session.set_transaction(modes);
        }
        "transaction_read_only" => {
            let on = crate::settings::is_on(value.unwrap_or("off"));
            let access = match on {
                true => crate::statement::AccessMode::ReadOnly,
                false => crate::statement::AccessMode::ReadWrite,
            };
            let modes =
                crate::statement::TransactionModes { access: Some(access), ..Default::default() };
            return session.set_transaction(modes);
        }
        _ => {}
    }
    check_allowed(session, &name)?;
    let cluster = session.engine.catalogs.cluster();
    session.state.set(&cluster, &name, value, local)
}

/// Whether the session may change the setting.
pub(crate) fn check_allowed(session: &Session, name: &str) -> Result<()> {
    let Some(definition) = settings::definition(name) else { return Ok(()) };
    let is_superuser = is_superuser(session, &session.engine.catalogs.cluster());
    definition.check_changeable(is_superuser)
}

fn is_superuser(session: &Session, cluster: &Cluster) -> bool {
    cluster.is_superuser(session.state.current_user())
}

/// SET ROLE: to a role that `session_user` may be.
pub(crate) fn set_role(session: &mut Session, value: Option<&str>, local: bool) -> Result<()> {
    let cluster = session.view().cluster.clone();
    if let Some(name) = value.filter(|name| *name != "none") {
        let role = find_role(&cluster, name)?;
        let user = session.state.identity().session_user;
        if !crate::roles::may_set_role(&cluster, user, role) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set role \"{name}\""),
            ));
        }
    }
    session.state.set(&cluster, "role", Some(value.unwrap_or("none")), local)
}

/// SET SESSION AUTHORIZATION: for those who logged in as a superuser, or may impersonate.
fn set_session_authorization(
    session: &mut Session,
    value: Option<&str>,
    local: bool,
) -> Result<()> {
    let cluster = session.view().cluster.clone();
    if let Some(name) = value {
        let role = find_role(&cluster, name)?;
        if !crate::roles::may_set_session_authorization(&cluster, session.state.login_role, role) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "permission denied to set session authorization",
            ));
        }
    }
    session.state.set(&cluster, "role", Some("none"), local)?;
    session.state.set(&cluster, "session_authorization", Some(value.unwrap_or("")), local)
}

fn find_role(cluster: &Cluster, name: &str) -> Result<Oid> {
    let role = cluster.role_by_name(name);
    role.map(|role| role.oid).ok_or_else(|| {
        // The setting has a wrong value, in PostgreSQL's view.
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{name}\" does not exist"))
    })
}

/// RESET.
pub(crate) async fn reset(
    session: &mut Session,
    name: &Name,
    portal: &mut Portal,
) -> Result<Started> {
    match name {
        Name::All => {
            let cluster = session.engine.catalogs.cluster();
            session.state.reset_all(&cluster)?;
        }
        Name::One(name) => assign(session, name, None, false).await?,
    }
    portal.tag = Tag::new("RESET");
    Ok(Started::Done)
}

/// DISCARD.
pub(crate) async fn discard(
    session: &mut Session,
    what: Discard,
    portal: &mut Portal,
) -> Result<Started> {
    let tag = match what {
        // Plans belong to all sessions and are made anew when what they mean has changed.
        Discard::Plans => "DISCARD PLANS",
        Discard::Temporary => {
            session.drop_temporary().await?;
            "DISCARD TEMP"
        }
        Discard::Sequences => {
            session.state.forget_sequences();
            "DISCARD SEQUENCES"
        }
        Discard::All => {
            if session.transaction.phase != Phase::Implicit {
                return Err(Error::active_transaction("DISCARD ALL"));
            }
            session.cursors.clear();
            assign(session, "session_authorization", None, false).await?;
            let cluster = session.engine.catalogs.cluster();
            session.state.reset_all(&cluster)?;
            session.prepared.clear();
            session.discards.push(Dropped::AllStatements);
            session.discards.push(Dropped::AllPortals);
            session.listening.unlisten_all()?;
            session.state.locks.unlock_all();
            session.state.forget_sequences();
            session.drop_temporary().await?;
            "DISCARD ALL"
        }
    };
    portal.tag = Tag::new(tag);
    Ok(Started::Done)
}
