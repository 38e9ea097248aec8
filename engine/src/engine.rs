//! The engine of one server: what all its sessions share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use kalamdb_storage::Store;

use crate::{
    catalog::{Database, Role, part::Cluster, store::CatalogStore},
    changefeed::{Changefeed, NotificationSink},
    error::{Error, Result, SqlState},
    locks::LockTable,
    plan::QueryResources,
    prepared::PlanCache,
    session::{Connect, Session, state::SessionState},
    settings,
};

/// What sessions share.
pub struct Engine {
    pub(crate) store: Arc<Store>,
    pub(crate) catalogs: Arc<CatalogStore>,
    pub(crate) changefeed: Arc<Changefeed>,
    pub(crate) locks: Arc<LockTable>,
    pub(crate) plans: PlanCache,
    /// Where plans of DataFusion run, apart from the sockets.
    pub(crate) execution: tokio::runtime::Handle,
    /// The connections behind the sessions.
    pub(crate) backends: Arc<dyn Backends>,
    /// Values of settings that the server's configuration gives every session.
    pub(crate) settings: BTreeMap<String, String>,
    sessions: Mutex<HashMap<u64, Arc<SessionState>>>,
    next_session: AtomicU64,
}

/// The connections of the process, by the process ids that [`Connect`] brought: what
/// `pg_cancel_backend` and `pg_terminate_backend` reach.
pub trait Backends: Send + Sync {
    /// Cancels what a session runs (57014). Says whether there is such a connection.
    fn cancel(&self, process_id: i32) -> bool;

    /// Ends a connection (57P01). Says whether there was one.
    fn terminate(&self, process_id: i32) -> bool;
}

/// How an engine is made.
pub struct EngineOptions {
    /// Rows; opened with `changefeed` as its feed.
    pub store: Arc<Store>,
    /// Who hears of commits.
    pub changefeed: Arc<Changefeed>,
    /// Where queries run.
    pub execution: tokio::runtime::Handle,
    /// What queries may use; of the first engine of a process.
    pub query_resources: QueryResources,
    /// The superuser's password, should this be the first start.
    pub superuser_password: String,
    /// The connections, which the server has.
    pub backends: Arc<dyn Backends>,
    /// Defaults of session settings.
    pub settings: Vec<(String, String)>,
}

impl Engine {
    /// Opens the catalog, making it at the first start, and applies migrations.
    pub async fn open(options: EngineOptions) -> Result<Arc<Engine>> {
        crate::context::follow_into_tasks();
        crate::plan::limit(options.query_resources);
        let mut defaults = BTreeMap::new();
        for (name, value) in &options.settings {
            let name = settings::canonical(name)?;
            let value = settings::check(&name, value)?;
            defaults.insert(name, value);
        }
        let verifier = crate::roles::verifier(&options.superuser_password)?;
        let catalogs = CatalogStore::open(Arc::clone(&options.store), &verifier).await?;
        Ok(Arc::new(Engine {
            store: options.store,
            catalogs,
            changefeed: options.changefeed,
            locks: LockTable::new(),
            plans: PlanCache::new(),
            execution: options.execution,
            backends: options.backends,
            settings: defaults,
            sessions: Mutex::default(),
            next_session: AtomicU64::new(1),
        }))
    }

    /// Opens a session for a role that has proved who it is.
    pub async fn connect(
        self: &Arc<Self>,
        connect: Connect,
        sink: Arc<dyn NotificationSink>,
    ) -> Result<Session> {
        Session::open(Arc::clone(self), connect, sink).await
    }

    /// The SCRAM verifier to hold a client's proof against, in PostgreSQL's form, and whether it
    /// is a real one. For whoever can't log in it is made up, always the same for a name.
    pub fn verifier(&self, user: &str) -> (String, bool) {
        crate::roles::login_verifier(&self.catalogs.cluster(), user)
    }

    /// The database of this name; one that is named like the role means the default.
    pub(crate) fn database(
        &self,
        cluster: &Cluster,
        name: &str,
        role: &str,
    ) -> Result<Arc<Database>> {
        if let Some(database) = cluster.database_by_name(name) {
            return Ok(Arc::clone(database));
        }
        match cluster.databases().into_iter().min_by_key(|database| database.oid) {
            Some(database) if name == role || name.is_empty() => Ok(database),
            _ => Err(Error::undefined_database(name).fatal()),
        }
    }

    /// All sessions, for `pg_stat_activity`; the caller shows what may be shown.
    pub(crate) fn sessions(&self) -> Vec<Arc<SessionState>> {
        let mut all: Vec<_> = self.registry().values().cloned().collect();
        all.sort_by_key(|session| session.process_id);
        all
    }

    /// After roles were dropped: ends the sessions that are logged in as one of them.
    pub(crate) fn end_roleless_sessions(&self) {
        let cluster = self.catalogs.cluster();
        for session in self.sessions() {
            if cluster.role_by_oid(session.identity().session_user).is_none() {
                self.backends.terminate(session.process_id);
            }
        }
    }

    /// Makes a session known.
    ///
    /// # Errors
    /// 53300 where the role has as many sessions as it may; superusers have no such limit.
    pub(crate) fn register(&self, session: &Arc<SessionState>, role: &Role) -> Result<u64> {
        let id = self.next_session.fetch_add(1, Ordering::Relaxed);
        let mut registry = self.registry();
        if let Ok(limit) = usize::try_from(role.connection_limit)
            && !role.superuser
            && registry.values().filter(|other| other.login_role == role.oid).count() >= limit
        {
            let message = format!("too many connections for role \"{}\"", role.name);
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message).fatal());
        }
        registry.insert(id, Arc::clone(session));
        Ok(id)
    }

    pub(crate) fn unregister(&self, id: u64) {
        self.registry().remove(&id);
    }

    fn registry(&self) -> MutexGuard<'_, HashMap<u64, Arc<SessionState>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
