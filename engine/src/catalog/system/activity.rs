//! pg_stat_activity, pg_stat_database and pg_stat_live.
//!
//! PostgreSQL shows everybody that others are connected, and hides only what they run. Here that
//! alone would tell one user about another, so a session sees the sessions of roles it is a
//! member of; superusers and `pg_read_all_stats` see all.

use std::sync::Arc;

use super::{
    locks::wait_event,
    rows::{Filter, Rows},
};
use crate::{context::ExecutionContext, error::Result, session::state::SessionState, types::Oid};

pub(super) fn activity(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let cluster = &context.catalog.cluster;
    for session in visible(context) {
        let activity = session.activity();
        let identity = session.identity();
        let waits_for = session.locks.waiting().map(|(target, _)| wait_event(&target));
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
            .set("wait_event_type", waits_for.map(|_| "Lock"))
            .set("wait_event", waits_for)
            .set("state", activity.state)
            .set("query", activity.query)
            .set("backend_type", "client backend");
    }
    Ok(())
}

/// The sessions that a session may know of.
pub(super) fn visible(context: &ExecutionContext) -> Vec<Arc<SessionState>> {
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

/// The running subscriptions of `current_user`: how far each has come, and how far it could be.
pub(super) fn subscriptions(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for live in context.engine.changefeed.live(context.own.id(), context.shared.id()) {
        let relation = context.catalog.relation_by_oid(Oid(live.relation.0));
        let schema = relation.as_ref().map(|r| context.catalog.schema_name(r.schema));
        rows.add()
            .set("pid", live.process_id)
            .set("relid", Oid(live.relation.0))
            .set("schemaname", schema)
            .set("relname", relation.map(|r| r.name.clone()))
            .set("query", &*live.query)
            .set("started", live.started)
            .set("sent_position", live.sent.0)
            .set("head_position", live.head.0)
            .set("lag", live.head.0 - live.sent.0);
    }
    Ok(())
}
