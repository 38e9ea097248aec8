//! How a session begins, what it tells of itself, and how it ends.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kalamdb_storage::Namespace;

use super::{Connect, Session, transaction::now_us};
use crate::{
    catalog::{Role, namespace_id, part::Cluster, store::CatalogTransaction},
    changefeed::NotificationSink,
    context::{Effects, ExecutionContext},
    engine::Engine,
    error::{Error, Result, SqlState},
    listen::Listening,
    session::state::SessionState,
    settings::{self, Settings},
    txn::{Phase, Transaction},
};

/// Query texts in `pg_stat_activity` are cut to this many bytes.
const MAX_ACTIVITY_QUERY_BYTES: usize = 1024;

impl Session {
    /// Opens the session of an authenticated role.
    ///
    /// # Errors
    /// 28000 the role is gone or may not log in, 3D000 no such database, 42704 and 22023 for
    /// settings, 53300 the role has as many sessions as it may.
    pub(crate) async fn open(
        engine: Arc<Engine>,
        connect: Connect,
        sink: Arc<dyn NotificationSink>,
    ) -> Result<Session> {
        let cluster = engine.catalogs.cluster();
        let role = login_role(&cluster, &connect.user)?;
        let database = engine.database(&cluster, &connect.database, &role.name)?;
        let (defaults, start_role) = starting_settings(&engine, &cluster, &role, &connect)?;
        let state = SessionState::new(
            connect.process_id,
            (database.oid, database.name.clone()),
            (role.oid, role.name.clone()),
            (connect.address, connect.server_address),
            now_us(),
            Settings::new(defaults),
            engine.locks.owner(),
        )?;
        let state = Arc::new(state);
        let catalog = engine.catalogs.attach(database.oid, role.oid).await?;
        catalog.name_temporary(state.temporary_schema_name());
        let namespace = namespace_id(database.oid, role.oid);
        let listening = Listening::new(
            Arc::clone(&engine.changefeed),
            sink,
            namespace,
            Arc::clone(&state.channels),
        );
        let registration = engine.register(&state, &role)?;
        let mut session = Session {
            transaction: Transaction::idle(
                Arc::clone(&state.locks),
                CatalogTransaction::new(Arc::clone(&catalog)),
            ),
            engine,
            state,
            catalog,
            listening,
            prepared: HashMap::new(),
            cursors: HashMap::new(),
            stages: None,
            on_commit: HashMap::new(),
            temporary_for: Vec::new(),
            discards: Vec::new(),
            protocol_statements: HashMap::new(),
            just_prepared: None,
            in_portal: false,
            protocol_portals: std::collections::HashSet::new(),
            reported: HashMap::new(),
            reported_version: 0,
            registration,
        };
        let cluster = session.engine.catalogs.cluster();
        session.state.end_local_settings(&cluster);
        session.try_drop_left_behind().await;
        if let Some(role) = start_role {
            session.begin_implicit().await?;
            crate::exec::set::set_role(&mut session, Some(&role), false).map_err(Error::fatal)?;
            session.commit().await?;
            session.try_drop_left_behind().await;
        }
        session.reported_version = session.state.version();
        session.reported = session.state.reported().into_iter().collect();
        session.note_idle();
        Ok(session)
    }

    async fn try_drop_left_behind(&mut self) {
        if let Err(error) = self.drop_left_behind().await {
            tracing::warn!(%error, "temporary tables stay until the role's next session");
        }
    }

    /// What the client is told at the start.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> =
            self.reported.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        all.sort();
        all
    }

    /// The namespace of `current_user`, and the one all share.
    pub(crate) fn namespaces(&self) -> (Namespace, Namespace) {
        let view = self.view();
        let namespace = |id| self.engine.catalogs.namespace(&view.cluster, id);
        let both = || (namespace(view.own_namespace()), namespace(view.shared_namespace()));
        view.namespaces.get_or_init(both).clone()
    }

    /// After the role may have changed: the catalog of its namespace, and nothing of the former
    /// role's.
    pub(crate) async fn follow_role(&mut self) {
        let role = self.state.current_user();
        if role == self.catalog.role {
            return;
        }
        match self.engine.catalogs.attach(self.catalog.database, role).await {
            Ok(catalog) => {
                catalog.name_temporary(self.state.temporary_schema_name());
                self.catalog = catalog;
                self.transaction.catalog.set_session(Arc::clone(&self.catalog));
                self.listening.change_namespace(self.catalog_namespace());
                self.state.forget_sequences();
                self.cursors.clear();
                self.discards.push(super::Discard::AllPortals);
            }
            Err(error) => {
                // Without its catalog the session must not go on as somebody else.
                tracing::error!(%error, "a role's catalog can't be read; its session ends");
                self.transaction.phase = Phase::Failed;
            }
        }
    }

    fn catalog_namespace(&self) -> kalamdb_storage::NamespaceId {
        namespace_id(self.catalog.database, self.catalog.role)
    }

    /// What a statement that starts now may ask of the session.
    pub(crate) fn execution_context(&mut self) -> Arc<ExecutionContext> {
        let snapshot = match &self.stages {
            Some(stages) => stages.snapshot.clone(),
            None => self.transaction.statement_snapshot(&self.engine.store),
        };
        self.transaction.has_run = true;
        self.context_at(snapshot)
    }

    /// As [`Session::execution_context`], with a snapshot of the caller's choice.
    pub(crate) fn context_at(&self, snapshot: kalamdb_storage::Snapshot) -> Arc<ExecutionContext> {
        let (own, shared) = self.namespaces();
        let effective = self.effective();
        let mut format = effective.format.clone();
        format.now_us = Some(self.transaction.start_time);
        let (writes, slots) = match &self.stages {
            Some(stages) => (&stages.writes, Arc::clone(&stages.slots)),
            None => (&self.transaction.writes, Arc::default()),
        };
        Arc::new(ExecutionContext {
            engine: Arc::clone(&self.engine),
            catalog: self.view(),
            session: Arc::clone(&self.state),
            own,
            shared,
            snapshot,
            writes: Arc::clone(writes),
            access: self.transaction.access,
            transaction_time: self.transaction.start_time,
            statement_time: now_us(),
            format,
            parameters: std::sync::OnceLock::new(),
            slots,
            effects: std::sync::Mutex::new(Effects::default()),
        })
    }

    /// What expressions asked for while a statement ran joins the transaction.
    pub(crate) fn absorb_effects(&mut self, context: &ExecutionContext) -> Result<()> {
        let effects = std::mem::take(
            &mut *context.effects.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        for (channel, payload) in effects.notifications {
            self.transaction.writes_mut().notify(
                &context.own,
                &channel,
                &payload,
                self.state.process_id,
            )?;
        }
        Ok(())
    }

    pub(crate) fn note_query(&mut self, sql: &str) {
        let mut end = sql.len().min(MAX_ACTIVITY_QUERY_BYTES);
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        let now = now_us();
        self.state.update_activity(|activity| {
            activity.query.clear();
            activity.query.push_str(&sql[..end]);
            activity.state = "active";
            activity.query_start = Some(now);
            activity.state_change = Some(now);
        });
    }

    pub(crate) fn note_idle(&self) {
        let state = match self.transaction.phase {
            Phase::Idle | Phase::Implicit => "idle",
            Phase::Block => "idle in transaction",
            Phase::Failed => "idle in transaction (aborted)",
        };
        let now = now_us();
        self.state.update_activity(|activity| {
            activity.state = state;
            activity.state_change = Some(now);
        });
    }

    /// The connection ends.
    pub async fn close(mut self) {
        self.rollback().await;
        if let Err(error) = self.end_temporary_objects().await {
            tracing::warn!(%error, "temporary tables stay until the role's next session");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.transaction.rollback();
        self.state.locks.unlock_all();
        self.engine.unregister(self.registration);
    }
}

/// 28000 for a role that is gone or may not log in.
fn login_role(cluster: &Cluster, user: &str) -> Result<Arc<Role>> {
    cluster.role_by_name(user).filter(|role| role.login).cloned().ok_or_else(|| {
        let message = format!("role \"{user}\" is not permitted to log in");
        Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message).fatal()
    })
}

/// The settings a session begins with, each level above the one before: the server's, the
/// cluster's, the role's, the client's. The client's `role` stands apart.
fn starting_settings(
    engine: &Engine,
    cluster: &Cluster,
    role: &Role,
    connect: &Connect,
) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let mut defaults: BTreeMap<String, String> = engine.settings.clone();
    let kept = |name: &str| settings::check_keepable(name, true).is_ok();
    defaults.extend(cluster.settings().into_iter().filter(|(name, _)| kept(name)));
    for (name, value) in role.settings.iter().filter(|(name, _)| kept(name)) {
        // As PostgreSQL: what isn't a value any more doesn't keep the role out.
        match settings::check(name, value) {
            Ok(value) => drop(defaults.insert(name.clone(), value)),
            Err(error) => tracing::warn!(%error, role = role.name, "a setting of the role"),
        }
    }
    let mut start_role = None;
    for (name, value) in &connect.settings {
        let name = settings::canonical(name).map_err(Error::fatal)?;
        if let Some(definition) = settings::definition(&name) {
            definition.check_changeable(role.superuser).map_err(Error::fatal)?;
        }
        match name.as_str() {
            "role" => start_role = Some(value.clone()),
            "session_authorization" => return Err(cannot_change(&name).fatal()),
            _ => {
                let value = settings::check(&name, value).map_err(Error::fatal)?;
                defaults.insert(name, value);
            }
        }
    }
    Ok((defaults, start_role))
}

fn cannot_change(name: &str) -> Error {
    Error::new(
        SqlState::CANT_CHANGE_RUNTIME_PARAM,
        format!("parameter \"{name}\" cannot be changed"),
    )
}
