//! `pg_cancel_backend` and `pg_terminate_backend`.
//!
//! As in PostgreSQL: superusers reach everybody, others the sessions of roles they are members of,
//! and members of `pg_signal_backend` all but superusers'. PostgreSQL tells who may not from who
//! isn't there. Here that would tell one user that another is connected, so whoever may not see a
//! session gets the same answer where there is none.

use super::{Body, Row, Value};
use crate::error::{Error, Result, SqlState};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "pg_cancel_backend" => |row| {
            check(row, "must be a superuser to cancel superuser query", "query is being canceled")
                .map(|known| known.is_some_and(|pid| row.context.engine.backends.cancel(pid)))
                .map(Value::Bool)
        },
        "pg_terminate_backend" => |row| {
            check_timeout(row.int(1)?)?;
            let of_superuser = "must be a superuser to terminate superuser process";
            check(row, of_superuser, "process is being terminated")
                .map(|known| known.is_some_and(|pid| row.context.engine.backends.terminate(pid)))
                .map(Value::Bool)
        },
        _ => return None,
    })
}

fn check_timeout(milliseconds: i64) -> Result<()> {
    match milliseconds {
        0 => Ok(()),
        ..0 => Err(Error::numeric_out_of_range("\"timeout\" must not be negative")),
        _ => Err(Error::feature_not_supported(
            "pg_terminate_backend does not wait; a timeout is not supported",
        )),
    }
}

/// The process id if there is such a session; `None` after a warning.
///
/// # Errors
/// 42501 where `current_user` may not reach it.
fn check(row: &Row<'_>, of_superuser: &str, what: &str) -> Result<Option<i32>> {
    let (context, id) = (row.context, row.int(0)?);
    let (cluster, role) = (&context.catalog.cluster, context.catalog.role);
    let denied = |message: String| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    let signals = cluster.is_superuser(role)
        || cluster
            .role_by_name("pg_signal_backend")
            .is_some_and(|signal| cluster.has_privileges_of(role, signal.oid));
    let sessions = context.engine.sessions();
    let session = sessions.iter().find(|session| i64::from(session.process_id) == id);
    let user = session.map(|session| session.identity().session_user);
    if !signals && !user.is_some_and(|user| cluster.has_privileges_of(role, user)) {
        return denied(format!(
            "must be a member of the role whose {what} or member of pg_signal_backend"
        ));
    }
    let (Some(session), Some(user)) = (session, user) else {
        let message = format!("PID {id} is not a PostgreSQL backend process");
        context.session.notice(Error::new(SqlState::WARNING, message));
        return Ok(None);
    };
    if cluster.is_superuser(user) && !cluster.is_superuser(role) {
        return denied(of_superuser.to_owned());
    }
    Ok(Some(session.process_id))
}
