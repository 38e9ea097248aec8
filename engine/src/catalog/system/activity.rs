//! pg_stat_activity and pg_stat_database.
//!
//! PostgreSQL shows everybody that others are connected, and hides only what they run. Here that
//! alone would tell one user about another, so a session sees the sessions of roles it is a
//! member of; superusers and `pg_read_all_stats` see all.

use std::sync::Arc;

use super::rows::{Filter, Rows};
use crate::{context::ExecutionContext, error::Result, session::state::SessionState};

pub(super) fn activity(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let cluster = &context.catalog.cluster;
    for session in visible(context) {
        let activity = session.activity();
        let identity = session.identity();
        rows.add()
            .set("datid", session.database)
            .set("datname", session.database_name.as_str())
            .set("pid", session.process_id)
            .set("usesysid", identity.session_user)
            .set("usename", cluster.role_by_oid(identity.session_user).map(|r| r.name.clone()))
            .set("application_name", session.show("application_name").unwrap_or_default())
            .set("client_addr", session.client_address.map(|address| address.ip().to_string()))
            .set("client_port", session.client_address.map_or(-1, |a| i32::from(a.port())))
            .set("backend_start", session.backend_start)
            .set("xact_start", activity.transaction_start)
            .set("query_start", activity.query_start)
            .set("state_change", activity.state_change)
            .set("state", activity.state)
            .set("query", activity.query)
            .set("backend_type", "client backend");
    }
    Ok(())
}

fn visible(context: &ExecutionContext) -> Vec<Arc<SessionState>> {
    let cluster = &context.catalog.cluster;
    let role = context.catalog.role;
    let all = cluster
        .role_by_name("pg_read_all_stats")
        .is_some_and(|stats| cluster.has_privileges_of(role, stats.oid));
    let mut sessions = context.engine.sessions();
    sessions.retain(|session| {
        all || session.process_id == context.session.process_id
            || cluster.has_privileges_of(role, session.identity().session_user)
    });
    sessions
}

/// Sessions are counted as far as they are seen.
pub(super) fn databases(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let sessions = visible(context);
    for database in context.catalog.cluster.databases() {
        let count = sessions.iter().filter(|s| s.database == database.oid).count();
        rows.add()
            .set("datid", database.oid)
            .set("datname", database.name.as_str())
            .set("numbackends", i64::try_from(count).unwrap_or(0));
    }
    Ok(())
}
