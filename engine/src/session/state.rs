//! What of a session outlives its statements: who it is, its settings, its sequence values.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    catalog::part::{Cluster, TEMPORARY_PREFIX},
    error::{Error, Result, Severity},
    functions::random::Generator,
    listen::Channels,
    locks::Owner,
    settings::{Effective, SavedSettings, Settings},
    types::Oid,
};

/// Shared between the session, the statements it runs and `pg_stat_activity`.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) process_id: i32,
    pub(crate) database: Oid,
    pub(crate) database_name: String,
    /// Who logged in; `session_user` is this role unless a superuser changed it.
    pub(crate) login_role: Oid,
    pub(crate) client_address: Option<SocketAddr>,
    pub(crate) server_address: Option<SocketAddr>,
    /// Microseconds since 1970.
    pub(crate) backend_start: i64,
    inner: Mutex<Inner>,
    activity: Mutex<Activity>,
    sequences: Mutex<Sequences>,
    /// The locks of the session and of its transaction.
    pub(crate) locks: Arc<Owner>,
    /// What the session listens to.
    pub(crate) channels: Arc<Channels>,
    /// What `random` draws from, once it was asked.
    pub(crate) random: Mutex<Option<Generator>>,
    objects: Mutex<Objects>,
    /// Set while the present transaction has handed out sequence values that only an unsynced
    /// write remembers.
    pub(crate) sequence_touched: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    effective: Arc<Effective>,
    identity: Identity,
    /// The version of the cluster's roles that `identity` was taken from.
    cluster: u64,
    /// Grows with each change of what the client may have been told.
    version: u64,
    /// (name, value) that ParameterStatus hasn't told yet.
    changes: Vec<(String, String)>,
    notices: Vec<Error>,
}

/// Who the session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) session_user: Oid,
    pub(crate) session_user_name: String,
    pub(crate) current_user: Oid,
    pub(crate) current_user_name: String,
}

/// What `pg_stat_activity` shows of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity {
    pub(crate) query: String,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub(crate) state: &'static str,
    pub(crate) transaction_start: Option<i64>,
    pub(crate) query_start: Option<i64>,
    pub(crate) state_change: Option<i64>,
}

#[derive(Debug, Default)]
struct Sequences {
    current: HashMap<Oid, i64>,
    last: Option<Oid>,
}

/// The session's prepared statements and cursors, as `pg_prepared_statements` and `pg_cursors`
/// show them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) prepared: Vec<PreparedObject>,
    pub(crate) cursors: Vec<CursorObject>,
}

/// A row of `pg_prepared_statements`.
#[derive(Clone, Debug)]
pub(crate) struct PreparedObject {
    pub(crate) name: String,
    pub(crate) statement: Arc<str>,
    /// Microseconds since 1970.
    pub(crate) prepared_at: i64,
    pub(crate) parameters: Vec<Oid>,
    pub(crate) from_sql: bool,
}

/// A row of `pg_cursors`.
#[derive(Clone, Debug)]
pub(crate) struct CursorObject {
    pub(crate) name: String,
    pub(crate) statement: Arc<str>,
    pub(crate) is_holdable: bool,
    pub(crate) is_scrollable: bool,
    /// Microseconds since 1970.
    pub(crate) created_at: i64,
}

/// Notices that wait for the client; more are dropped, the oldest first.
const MAX_NOTICES: usize = 1000;

impl SessionState {
    pub(crate) fn new(
        process_id: i32,
        database: (Oid, String),
        role: (Oid, String),
        (client_address, server_address): (Option<SocketAddr>, Option<SocketAddr>),
        backend_start: i64,
        settings: Settings,
        locks: Owner,
    ) -> Result<Self> {
        let effective = Arc::new(Effective::of(&settings)?);
        let identity = Identity {
            session_user: role.0,
            session_user_name: role.1.clone(),
            current_user: role.0,
            current_user_name: role.1,
        };
        Ok(SessionState {
            process_id,
            database: database.0,
            database_name: database.1,
            login_role: role.0,
            client_address,
            server_address,
            backend_start,
            inner: Mutex::new(Inner {
                settings,
                effective,
                identity,
                cluster: 0,
                version: 1,
                changes: Vec::new(),
                notices: Vec::new(),
            }),
            activity: Mutex::default(),
            sequences: Mutex::default(),
            locks: Arc::new(locks),
            channels: Arc::default(),
            random: Mutex::default(),
            objects: Mutex::default(),
            sequence_touched: AtomicBool::new(false),
        })
    }

    /// A name that no other session has or had.
    pub(crate) fn temporary_schema_name(&self) -> String {
        format!("{TEMPORARY_PREFIX}{}_{}", self.process_id, self.backend_start)
    }

    pub(crate) fn identity(&self) -> Identity {
        lock(&self.inner).identity.clone()
    }

    pub(crate) fn current_user(&self) -> Oid {
        lock(&self.inner).identity.current_user
    }

    /// The settings as they act now.
    pub(crate) fn effective(&self) -> Arc<Effective> {
        Arc::clone(&lock(&self.inner).effective)
    }

    /// `SHOW name`.
    pub(crate) fn show(&self, name: &str) -> Result<String> {
        let inner = lock(&self.inner);
        match name.to_lowercase().as_str() {
            "session_authorization" => Ok(inner.identity.session_user_name.clone()),
            _ => inner.settings.show(name),
        }
    }

    /// Whether a setting has this value now.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        lock(&self.inner).settings.find(name) == Some(value)
    }

    pub(crate) fn settings(&self) -> Settings {
        lock(&self.inner).settings.clone()
    }

    /// Changes whenever [`SessionState::reported`] may.
    pub(crate) fn version(&self) -> u64 {
        lock(&self.inner).version
    }

    /// Changes a setting and works out what follows: who the session is, what the client is told.
    /// The caller has checked who may.
    pub(crate) fn set(
        &self,
        cluster: &Cluster,
        name: &str,
        value: Option<&str>,
        local: bool,
    ) -> Result<()> {
        let mut inner = lock(&self.inner);
        let before = inner.settings.save();
        inner.settings.set(name, value, local)?;
        let done = self.refresh(&mut inner, cluster);
        if done.is_err() {
            inner.settings.restore(before);
        }
        done
    }

    pub(crate) fn reset_all(&self, cluster: &Cluster) -> Result<()> {
        let mut inner = lock(&self.inner);
        inner.settings.reset_all();
        self.refresh(&mut inner, cluster)
    }

    pub(crate) fn save_settings(&self) -> SavedSettings {
        lock(&self.inner).settings.save()
    }

    /// What ROLLBACK does to settings.
    pub(crate) fn restore_settings(&self, cluster: &Cluster, saved: SavedSettings) {
        let mut inner = lock(&self.inner);
        let changed = inner.settings.restore(saved);
        self.refresh_if(changed, &mut inner, cluster);
    }

    /// What COMMIT does to `SET LOCAL`.
    pub(crate) fn end_local_settings(&self, cluster: &Cluster) {
        let mut inner = lock(&self.inner);
        let changed = inner.settings.end_local();
        self.refresh_if(changed, &mut inner, cluster);
    }

    /// Works out anew what follows from settings or roles that changed: most transactions change
    /// neither.
    fn refresh_if(&self, changed: bool, inner: &mut Inner, cluster: &Cluster) {
        if !changed && inner.cluster == cluster.version {
            return;
        }
        if let Err(error) = self.refresh(inner, cluster) {
            tracing::error!(%error, "settings that were right before are not right now");
        }
    }

    fn refresh(&self, inner: &mut Inner, cluster: &Cluster) -> Result<()> {
        let find = |name: &str| {
            cluster.role_by_name(name).cloned().ok_or_else(|| Error::undefined_role(name))
        };
        let session = match inner.settings.value("session_authorization").as_deref() {
            None | Some("") => cluster.role_by_oid(self.login_role).cloned(),
            Some(name) => Some(find(name)?),
        };
        let Some(session) = session else { return Err(Error::undefined_role("session_user")) };
        let current = match inner.settings.value("role").as_deref() {
            None | Some("" | "none") => Arc::clone(&session),
            Some(name) => find(name)?,
        };
        let superuser = if current.superuser { "on" } else { "off" };
        let identity = Identity {
            session_user: session.oid,
            session_user_name: session.name.clone(),
            current_user: current.oid,
            current_user_name: current.name.clone(),
        };
        let effective = Effective::of(&inner.settings)?;
        if inner.identity.session_user != identity.session_user {
            inner
                .changes
                .push(("session_authorization".into(), identity.session_user_name.clone()));
        }
        if inner.settings.value("is_superuser").as_deref() != Some(superuser) {
            inner.settings.set("is_superuser", Some(superuser), false)?;
        }
        inner.identity = identity;
        inner.effective = Arc::new(effective);
        inner.cluster = cluster.version;
        inner.version += 1;
        Ok(())
    }

    /// The reported settings with their values now.
    pub(crate) fn reported(&self) -> Vec<(String, String)> {
        let inner = lock(&self.inner);
        crate::settings::SETTINGS
            .iter()
            .filter(|definition| definition.reported)
            .map(|definition| {
                let value = match definition.name {
                    "session_authorization" => inner.identity.session_user_name.clone(),
                    name => inner.settings.value(name).unwrap_or_default(),
                };
                (definition.spelling.to_owned(), value)
            })
            .collect()
    }

    /// ParameterStatus beyond the settings: `commit_position`.
    pub(crate) fn tell(&self, name: &str, value: String) {
        lock(&self.inner).changes.push((name.to_owned(), value));
    }

    pub(crate) fn take_told(&self) -> Vec<(String, String)> {
        std::mem::take(&mut lock(&self.inner).changes)
    }

    /// A NOTICE or WARNING for the client, as far as `client_min_messages` lets it through;
    /// severity follows from the SQLSTATE's class.
    pub(crate) fn notice(&self, notice: Error) {
        let mut inner = lock(&self.inner);
        let is_warning = matches!(notice.sqlstate.class(), "01" | "25");
        match inner.settings.value("client_min_messages").as_deref() {
            // Always sent, as PostgreSQL does.
            _ if notice.severity == Severity::Info => {}
            Some("error") => return,
            Some("warning") if !is_warning => return,
            _ => {}
        }
        if inner.notices.len() >= MAX_NOTICES {
            inner.notices.remove(0);
        }
        inner.notices.push(notice);
    }

    pub(crate) fn take_notices(&self) -> Vec<Error> {
        std::mem::take(&mut lock(&self.inner).notices)
    }

    pub(crate) fn activity(&self) -> Activity {
        lock(&self.activity).clone()
    }

    pub(crate) fn update_activity(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut lock(&self.activity));
    }

    /// The objects as they were when a statement that reads them began.
    pub(crate) fn objects(&self) -> Objects {
        lock(&self.objects).clone()
    }

    pub(crate) fn show_objects(&self, objects: Objects) {
        *lock(&self.objects) = objects;
    }

    /// Remembers what `nextval` gave.
    pub(crate) fn remember_sequence(&self, sequence: Oid, value: i64) {
        let mut sequences = lock(&self.sequences);
        sequences.current.insert(sequence, value);
        sequences.last = Some(sequence);
        self.sequence_touched.store(true, Ordering::Release);
    }

    /// `currval`, if this session has called `nextval`.
    pub(crate) fn sequence_current(&self, sequence: Oid) -> Option<i64> {
        lock(&self.sequences).current.get(&sequence).copied()
    }

    /// The sequence of the last `nextval`.
    pub(crate) fn sequence_last(&self) -> Option<Oid> {
        lock(&self.sequences).last
    }

    /// DISCARD SEQUENCES, and the change of the role, whose sequences are others.
    pub(crate) fn forget_sequences(&self) {
        *lock(&self.sequences) = Sequences::default();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
