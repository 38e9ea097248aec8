//! When transactions begin and end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    catalog::{role_of, store::SessionCatalog},
    error::{Error, Result, SqlState},
    exec::{
        ddl::{self, OnCommit},
        write::Writer,
    },
    locks::{Mode, Target},
    session::{
        Discard, Session,
        portal::{Ending, Portal, Rows, Tag},
    },
    statement::{AccessMode, Isolation, Parsed, TransactionModes},
    txn::{Committed, Phase},
    types::Oid,
};

/// Beginning.
impl Session {
    /// Begins the implicit transaction of a statement outside a block.
    pub(crate) async fn begin_implicit(&mut self) -> Result<()> {
        if self.transaction.phase == Phase::Idle {
            self.begin(Phase::Implicit, TransactionModes::default()).await?;
        }
        Ok(())
    }

    async fn begin(&mut self, phase: Phase, modes: TransactionModes) -> Result<()> {
        let defaults = self.effective();
        let isolation = modes.isolation.unwrap_or(defaults.isolation);
        let access = modes.access.unwrap_or(defaults.access);
        let deferrable = modes.deferrable.unwrap_or(defaults.deferrable);
        isolation.check_supported()?;
        let now = now_us();
        self.transaction.begin(phase, (isolation, access, deferrable), now);
        self.transaction.settings = Some(self.state.save_settings());
        self.state.update_activity(|activity| activity.transaction_start = Some(now));
        // The values of the settings where nothing was said; no work for most statements.
        let is_usual =
            isolation == Isolation::ReadCommitted && access == AccessMode::ReadWrite && !deferrable;
        if is_usual {
            return Ok(());
        }
        self.tell_modes()
    }

    /// BEGIN.
    pub(crate) async fn begin_block(&mut self, modes: TransactionModes) -> Result<()> {
        match self.transaction.phase {
            Phase::Idle => self.begin(Phase::Block, modes).await?,
            Phase::Implicit => {
                self.transaction.phase = Phase::Block;
                self.set_transaction(modes)?;
            }
            Phase::Block => {
                self.state.notice(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "there is already a transaction in progress",
                ));
                self.set_transaction(modes)?;
            }
            Phase::Failed => return Err(Error::in_failed_transaction()),
        }
        self.tell_modes()
    }

    /// SET TRANSACTION.
    pub(crate) fn set_transaction(&mut self, modes: TransactionModes) -> Result<()> {
        if let Some(isolation) = modes.isolation {
            isolation.check_supported()?;
            if isolation != self.transaction.isolation {
                self.check_first("SET TRANSACTION ISOLATION LEVEL", false)?;
            }
            self.transaction.isolation = isolation;
        }
        if let Some(access) = modes.access {
            let widens =
                access == AccessMode::ReadWrite && self.transaction.access == AccessMode::ReadOnly;
            if widens && self.transaction.in_savepoint() {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "cannot set transaction read-write mode inside a read-only transaction",
                ));
            }
            if widens && self.transaction.has_run {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "transaction read-write mode must be set before any query",
                ));
            }
            self.transaction.access = access;
        }
        if let Some(deferrable) = modes.deferrable {
            self.check_first("SET TRANSACTION [NOT] DEFERRABLE", true)?;
            self.transaction.deferrable = deferrable;
        }
        self.tell_modes()
    }

    /// 25001 inside a savepoint and after a query.
    fn check_first(&self, statement: &str, is_deferrable: bool) -> Result<()> {
        let message = if self.transaction.in_savepoint() {
            match is_deferrable {
                true => format!("{statement} cannot be called within a subtransaction"),
                false => format!("{statement} must not be called in a subtransaction"),
            }
        } else if self.transaction.has_run {
            format!("{statement} must be called before any query")
        } else {
            return Ok(());
        };
        Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
    }

    /// `SHOW transaction_isolation` follows.
    fn tell_modes(&self) -> Result<()> {
        let cluster = self.engine.catalogs.cluster();
        let read_only = match self.transaction.access {
            AccessMode::ReadOnly => "on",
            AccessMode::ReadWrite => "off",
        };
        let isolation = self.transaction.isolation.as_str();
        let deferrable = if self.transaction.deferrable { "on" } else { "off" };
        let modes = [
            ("transaction_isolation", isolation),
            ("transaction_read_only", read_only),
            ("transaction_deferrable", deferrable),
        ];
        for (name, value) in modes {
            // Most blocks have the usual modes, and a change of settings is not cheap.
            if !self.state.is(name, value) {
                self.state.set(&cluster, name, Some(value), true)?;
            }
        }
        Ok(())
    }
}

/// Ending.
impl Session {
    /// The end of a portal's work; see [`Session::complete`].
    pub(super) async fn complete_portal(&mut self, portal: &mut Portal) -> Result<Tag> {
        portal.rows = Rows::None;
        let mut tag = std::mem::take(&mut portal.tag);
        if let Some(copied) = &portal.copied {
            tag = Tag::new(format!("COPY {}", copied.load(Ordering::Acquire)));
        }
        match portal.ending {
            Ending::None if portal.ends_query && self.transaction.phase == Phase::Implicit => {
                self.commit().await?;
            }
            Ending::None => {}
            Ending::Commit { chain } => {
                if self.transaction.phase == Phase::Failed {
                    tag = Tag::new("ROLLBACK");
                    self.rollback().await;
                } else {
                    self.commit_chain(chain).await?;
                    return Ok(tag);
                }
                self.chain(chain).await?;
            }
            Ending::Rollback { chain } => {
                self.rollback().await;
                self.chain(chain).await?;
            }
        }
        Ok(tag)
    }

    async fn commit_chain(&mut self, chain: bool) -> Result<()> {
        let modes = self.modes();
        self.commit().await?;
        if chain { self.begin_block(modes).await } else { Ok(()) }
    }

    async fn chain(&mut self, chain: bool) -> Result<()> {
        if !chain {
            return Ok(());
        }
        let modes = self.modes();
        self.begin_block(modes).await
    }

    fn modes(&self) -> TransactionModes {
        TransactionModes {
            isolation: Some(self.transaction.isolation),
            access: Some(self.transaction.access),
            deferrable: Some(self.transaction.deferrable),
        }
    }

    /// Commits what there is to commit.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        if let Err(error) = self.end_temporary().await {
            self.rollback().await;
            return Err(error);
        }
        let sync = self.effective().synchronous_commit;
        let touched = self.state.sequence_touched.swap(false, Ordering::AcqRel);
        let is_write = !self.transaction.writes.is_empty();
        let reservation = {
            let writes = Arc::clone(&self.transaction.writes);
            self.listening.pre_commit(writes.notifications())
        };
        let reservation = match reservation {
            Ok(reservation) => reservation,
            Err(error) => {
                self.rollback().await;
                return Err(error);
            }
        };
        let store = self.engine.store.clone();
        if let Err(error) = self.enter_namespaces().await {
            drop(reservation);
            self.rollback().await;
            return Err(error);
        }
        let changes_roles = self.transaction.catalog.changes_cluster();
        let committed = self.transaction.commit(&store, sync).await;
        drop(reservation);
        if committed.is_err() {
            self.end_of_rollback().await;
        } else {
            self.listening.committed();
            if touched && !is_write && sync {
                store.sync_wal().await?;
            }
        }
        let committed = committed?;
        if changes_roles {
            self.engine.end_roleless_sessions();
        }
        self.end_of_commit(committed).await;
        Ok(())
    }

    /// Nothing is written into the namespace of a role that is gone, nor of one about to go.
    async fn enter_namespaces(&mut self) -> Result<()> {
        let wait = Writer::wait(self);
        let roles: Vec<_> = {
            let namespaces = self.transaction.writes.namespace_ids();
            namespaces.filter_map(|id| role_of(id).map(|role| (id, role))).collect()
        };
        for (id, role) in roles {
            self.transaction.lock(Target::Namespace(id), Mode::AccessShare, wait).await?;
            if self.engine.catalogs.cluster().role_by_oid(role).is_none() {
                return Err(Error::dropped_role(role));
            }
        }
        Ok(())
    }

    /// What ON COMMIT says of temporary tables.
    async fn end_temporary(&mut self) -> Result<()> {
        if self.on_commit.is_empty() {
            return Ok(());
        }
        let mut roles: Vec<Oid> = self.on_commit.keys().map(|(role, _)| *role).collect();
        roles.sort_unstable();
        roles.dedup();
        for role in roles {
            let former = self.enter_namespace_of(role).await?;
            let ended = self.end_temporary_of(role).await;
            self.leave_namespace(former);
            ended?;
        }
        Ok(())
    }

    async fn end_temporary_of(&mut self, role: Oid) -> Result<()> {
        let is_of_role =
            |(key, action): (&(Oid, Oid), &OnCommit)| (key.0 == role).then_some((key.1, *action));
        let actions: Vec<_> = self.on_commit.iter().filter_map(is_of_role).collect();
        for (oid, action) in actions {
            let relation = self.view().relation_by_oid(oid);
            let layout = relation.as_ref().and_then(|relation| relation.layout.clone());
            let (Some(relation), Some(layout)) = (relation, layout) else {
                self.on_commit.remove(&(role, oid));
                continue;
            };
            match action {
                OnCommit::Drop => ddl::drop_relation(self, &relation).await?,
                OnCommit::DeleteRows => {
                    let (own, _) = self.namespaces();
                    // What an earlier transaction wrote is gone already.
                    if self.transaction.writes.touches(own.id(), layout.relation) {
                        self.transaction.writes_mut().truncate(&own, &layout);
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks at definitions and rows as `role` does, whoever the session is, until
    /// [`Session::leave_namespace`] is given what this returns.
    async fn enter_namespace_of(&mut self, role: Oid) -> Result<Option<Arc<SessionCatalog>>> {
        if role == self.catalog.role {
            return Ok(None);
        }
        let catalog = self.engine.catalogs.attach(self.catalog.database, role).await?;
        catalog.name_temporary(self.state.temporary_schema_name());
        self.transaction.catalog.set_session(Arc::clone(&catalog));
        Ok(Some(std::mem::replace(&mut self.catalog, catalog)))
    }

    fn leave_namespace(&mut self, former: Option<Arc<SessionCatalog>>) {
        if let Some(former) = former {
            self.transaction.catalog.set_session(Arc::clone(&former));
            self.catalog = former;
        }
    }

    /// Begins a transaction of the server's own, which no setting of the session makes read-only.
    async fn begin_own(&mut self) -> Result<()> {
        let modes = TransactionModes {
            isolation: Some(Isolation::ReadCommitted),
            access: Some(AccessMode::ReadWrite),
            deferrable: Some(false),
        };
        self.begin(Phase::Implicit, modes).await
    }

    /// At the beginning of a session: temporary objects that a killed server has left to the role.
    pub(super) async fn drop_left_behind(&mut self) -> Result<()> {
        /// The first login after that doesn't wait for another session's definitions.
        const PATIENCE: Duration = Duration::from_secs(1);
        if ddl::temporary::left_behind(self).is_empty() {
            return Ok(());
        }
        self.begin_own().await?;
        let dropped = tokio::time::timeout(PATIENCE, ddl::temporary::drop_left_behind(self)).await;
        match dropped {
            Ok(Ok(())) => self.commit().await,
            Ok(Err(error)) => {
                self.rollback().await;
                Err(error)
            }
            Err(_) => {
                self.rollback().await;
                Err(Error::internal("another session holds the catalog"))
            }
        }
    }

    /// Drops the session's temporary objects in all namespaces it was in, as part of the present
    /// transaction.
    pub(crate) async fn drop_temporary(&mut self) -> Result<()> {
        for role in self.temporary_for.clone() {
            let former = self.enter_namespace_of(role).await?;
            let dropped = ddl::temporary::drop_own(self).await;
            self.leave_namespace(former);
            dropped?;
        }
        Ok(())
    }

    /// At the end of a session, whose last transaction has ended: its temporary objects.
    pub(super) async fn end_temporary_objects(&mut self) -> Result<()> {
        if self.temporary_for.is_empty() {
            return Ok(());
        }
        self.begin_own().await?;
        match self.drop_temporary().await {
            Ok(()) => self.commit().await,
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    async fn end_of_commit(&mut self, committed: Option<Committed>) {
        if let Some(committed) = committed {
            let own = self.view().own_namespace();
            let position = committed.positions.iter().find(|(id, _)| *id == own);
            if let Some((_, position)) = position {
                self.state.tell("commit_position", position.0.to_string());
            }
        }
        self.transaction.settings = None;
        let cluster = self.engine.catalogs.cluster();
        self.state.end_local_settings(&cluster);
        self.follow_role().await;
        self.end_cursors(true).await;
        self.state.update_activity(|activity| activity.transaction_start = None);
    }

    /// Undoes everything since the transaction began.
    pub(crate) async fn rollback(&mut self) {
        self.transaction.rollback();
        self.end_of_rollback().await;
    }

    async fn end_of_rollback(&mut self) {
        self.listening.rolled_back();
        self.state.sequence_touched.store(false, Ordering::Release);
        if let Some(saved) = self.transaction.settings.take() {
            let cluster = self.engine.catalogs.cluster();
            self.state.restore_settings(&cluster, saved);
        }
        self.follow_role().await;
        self.end_cursors(false).await;
        self.state.update_activity(|activity| activity.transaction_start = None);
    }

    /// Cursors end with the transaction, those WITH HOLD that it committed excepted.
    async fn end_cursors(&mut self, committed: bool) {
        self.cursors.retain(|_, cursor| cursor.survives(committed));
        if !self.protocol_portals.is_empty() {
            self.protocol_portals.clear();
            self.discards.push(Discard::AllPortals);
        }
    }

    /// End of a simple query or Sync.
    pub async fn sync(&mut self) -> Result<()> {
        let done = match self.transaction.phase {
            Phase::Implicit => self.commit().await,
            Phase::Idle | Phase::Block | Phase::Failed => Ok(()),
        };
        self.note_idle();
        done
    }

    /// An error was reported to the client.
    pub async fn fail(&mut self) {
        match self.transaction.phase {
            Phase::Implicit => self.rollback().await,
            Phase::Block => self.transaction.fail(),
            Phase::Idle | Phase::Failed => {}
        }
        self.note_idle();
    }

    /// RELEASE SAVEPOINT. The access mode goes back to what it was: PostgreSQL's does.
    pub(crate) fn release(&mut self, name: &str) -> Result<()> {
        self.transaction.release(name)?;
        self.tell_modes()
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(crate) async fn rollback_to(&mut self, name: &str) -> Result<()> {
        let savepoint = self.transaction.rollback_to(name)?;
        let (settings, open) = (savepoint.settings.clone(), savepoint.cursors.clone());
        let listens = savepoint.listens;
        self.listening.rollback_to(listens);
        self.cursors.retain(|name, cursor| cursor.is_held() || open.contains(name));
        let gone = self.protocol_portals.extract_if(|name| !open.contains(name));
        self.discards.extend(gone.map(Discard::Portal));
        let cluster = self.engine.catalogs.cluster();
        self.state.restore_settings(&cluster, settings);
        self.follow_role().await;
        Ok(())
    }
}

/// Whether the statement may run in a failed transaction.
pub(crate) fn ends_failed_block(parsed: &Parsed) -> bool {
    matches!(parsed, Parsed::Commit { .. } | Parsed::Rollback { .. } | Parsed::RollbackTo(_))
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
