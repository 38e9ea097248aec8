//! Transactions: what is written and locked until COMMIT makes it true.
//!
//! A transaction's writes live in a write set that its own statements read through. Locks keep
//! others from the same rows until the commit is durable and visible, so a commit itself never
//! finds a conflict. READ COMMITTED takes a snapshot per statement, REPEATABLE READ one per
//! transaction, compared by LSN with each row it wants to change.
//!
//! A savepoint is a reference to the write set of its moment: the next write after it copies what
//! it touches. Statements of the extended protocol and of one simple query share an implicit
//! transaction, as in PostgreSQL, which ends at Sync or with the query.

use std::sync::Arc;

use kalamdb_storage::{Commit, Lsn, NamespaceId, Position, RelationId, Snapshot, Store, WriteSet};

use crate::{
    catalog::{Relation, store::CatalogTransaction},
    error::{Error, Result},
    listen::ListenMark,
    locks::{Acquired, Mode, Owner, Target, Wait},
    settings::SavedSettings,
    statement::{AccessMode, Isolation},
};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No transaction.
    Idle,
    /// One that the present statements began and their end ends.
    Implicit,
    /// Between BEGIN and its end.
    Block,
    /// A block in which a statement failed: only its end, or a savepoint, helps.
    Failed,
}

/// The transaction of a session, or the place where the next one goes.
pub(crate) struct Transaction {
    pub(crate) phase: Phase,
    pub(crate) isolation: Isolation,
    pub(crate) access: AccessMode,
    /// Shown, and of no consequence: it speaks of SERIALIZABLE alone.
    pub(crate) deferrable: bool,
    /// Microseconds since 1970: `now()`.
    pub(crate) start_time: i64,
    /// REPEATABLE READ's.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) writes: Arc<WriteSet>,
    pub(crate) catalog: CatalogTransaction,
    pub(crate) settings: Option<SavedSettings>,
    pub(crate) savepoints: Vec<Savepoint>,
    /// A statement has run in it: too late for SET TRANSACTION ISOLATION.
    pub(crate) has_run: bool,
    locks: Arc<Owner>,
    /// Relation locks that are held, so that a repeated statement doesn't ask again.
    relations: Vec<(NamespaceId, RelationId, Mode)>,
}

/// What ROLLBACK TO goes back to.
pub(crate) struct Savepoint {
    pub(crate) name: String,
    writes: Arc<WriteSet>,
    catalog: CatalogTransaction,
    access: AccessMode,
    pub(crate) listens: ListenMark,
    pub(crate) settings: SavedSettings,
    lock_mark: usize,
    relation_mark: usize,
    /// Cursors and portals that were open then; later ones go.
    pub(crate) cursors: Vec<String>,
}

/// Savepoints one inside the other, at most.
pub(crate) const MAX_SAVEPOINTS: usize = 100_000;

/// What a commit gave.
pub(crate) struct Committed {
    pub(crate) positions: Vec<(NamespaceId, Position)>,
}

impl Transaction {
    pub(crate) fn idle(locks: Arc<Owner>, catalog: CatalogTransaction) -> Self {
        Transaction {
            phase: Phase::Idle,
            isolation: Isolation::ReadCommitted,
            access: AccessMode::ReadWrite,
            deferrable: false,
            start_time: 0,
            snapshot: None,
            writes: Arc::default(),
            catalog,
            settings: None,
            savepoints: Vec::new(),
            has_run: false,
            locks,
            relations: Vec::new(),
        }
    }

    pub(crate) fn begin(
        &mut self,
        phase: Phase,
        (isolation, access, deferrable): (Isolation, AccessMode, bool),
        now: i64,
    ) {
        self.phase = phase;
        self.isolation = isolation;
        self.access = access;
        self.deferrable = deferrable;
        self.start_time = now;
        self.has_run = false;
    }

    /// The snapshot a statement reads.
    pub(crate) fn statement_snapshot(&mut self, store: &Store) -> Snapshot {
        match self.isolation {
            Isolation::ReadUncommitted | Isolation::ReadCommitted => store.snapshot(),
            Isolation::RepeatableRead | Isolation::Serializable => {
                self.snapshot.get_or_insert_with(|| store.snapshot()).clone()
            }
        }
    }

    /// Whether a row changed at `lsn` is one that a statement reading `snapshot` hasn't seen.
    ///
    /// # Errors
    /// 40001 where the isolation level has no second look.
    pub(crate) fn check_unchanged(&self, lsn: Lsn, snapshot: &Snapshot) -> Result<bool> {
        if lsn <= snapshot.lsn() {
            return Ok(true);
        }
        match self.isolation {
            Isolation::ReadUncommitted | Isolation::ReadCommitted => Ok(false),
            Isolation::RepeatableRead | Isolation::Serializable => {
                Err(Error::serialization_failure())
            }
        }
    }

    /// As [`Transaction::check_unchanged`], of a row that is gone.
    pub(crate) fn check_deleted(&self) -> Result<()> {
        match self.isolation {
            Isolation::ReadUncommitted | Isolation::ReadCommitted => Ok(()),
            Isolation::RepeatableRead | Isolation::Serializable => Err(Error::new(
                crate::error::SqlState::SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent delete",
            )),
        }
    }

    /// The write set, to be changed. Readers that hold it keep what they have.
    pub(crate) fn writes_mut(&mut self) -> &mut WriteSet {
        Arc::make_mut(&mut self.writes)
    }

    /// 25006 in a read-only transaction.
    pub(crate) fn check_writable(&self, statement: &str) -> Result<()> {
        match self.access {
            AccessMode::ReadWrite => Ok(()),
            AccessMode::ReadOnly => Err(Error::read_only_transaction(statement)),
        }
    }

    pub(crate) async fn lock(
        &mut self,
        target: Target,
        mode: Mode,
        wait: Wait,
    ) -> Result<Acquired> {
        self.locks.acquire(target, mode, wait).await
    }

    /// Takes locks that nobody holds; see [`Owner::acquire_free`].
    pub(crate) fn lock_free(
        &mut self,
        targets: impl Iterator<Item = Target>,
        mode: Mode,
    ) -> Result<bool> {
        self.locks.acquire_free(targets, mode)
    }

    /// A relation lock, against definitions (in all namespaces) and against LOCK TABLE (in one).
    pub(crate) async fn lock_relation(
        &mut self,
        namespace: NamespaceId,
        relation: RelationId,
        mode: Mode,
        wait: Wait,
    ) -> Result<Acquired> {
        let held = |(n, r, m): &(NamespaceId, RelationId, Mode)| {
            *n == namespace && *r == relation && *m >= mode
        };
        if self.relations.iter().any(held) {
            return Ok(Acquired::AtOnce);
        }
        let intent = mode.min(Mode::RowExclusive);
        // Private relations of different roles have the same numbers and must not meet.
        if !is_private(relation)
            && self.lock(Target::Relation(relation), intent, wait).await? == Acquired::Unavailable
        {
            return Ok(Acquired::Unavailable);
        }
        let acquired = self.lock(Target::RelationIn(namespace, relation), mode, wait).await?;
        if acquired != Acquired::Unavailable {
            self.relations.push((namespace, relation, mode));
        }
        Ok(acquired)
    }

    /// Whether the present subtransaction has made a table or emptied it.
    pub(crate) fn has_new(&self, namespace: NamespaceId, relation: &Relation) -> bool {
        let last = self.savepoints.last();
        let before = last.map_or_else(|| self.catalog.session().view(), |last| last.catalog.view());
        let truncates = |writes: &WriteSet| {
            let layout = relation.layout.as_ref();
            layout.is_some_and(|layout| writes.truncates(namespace, layout.relation))
        };
        before.relation_by_oid(relation.oid).is_none()
            || truncates(&self.writes) && !last.is_some_and(|last| truncates(&last.writes))
    }

    /// # Errors
    /// 54000: [`MAX_SAVEPOINTS`].
    pub(crate) fn savepoint(
        &mut self,
        name: &str,
        settings: SavedSettings,
        listens: ListenMark,
        cursors: Vec<String>,
    ) -> Result<()> {
        if self.savepoints.len() >= MAX_SAVEPOINTS {
            return Err(Error::program_limit_exceeded("too many savepoints in one transaction"));
        }
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            writes: Arc::clone(&self.writes),
            catalog: self.catalog.savepoint(),
            access: self.access,
            listens,
            settings,
            lock_mark: self.locks.mark(),
            relation_mark: self.relations.len(),
            cursors,
        });
        Ok(())
    }

    pub(crate) fn in_savepoint(&self) -> bool {
        !self.savepoints.is_empty()
    }

    /// # Errors
    /// 3B001: no such savepoint.
    pub(crate) fn release(&mut self, name: &str) -> Result<()> {
        let place = self.find_savepoint(name)?;
        self.access = self.savepoints[place].access;
        self.savepoints.truncate(place);
        Ok(())
    }

    /// Goes back to a savepoint, which stays. Returns it for what isn't the transaction's own.
    ///
    /// # Errors
    /// 3B001: no such savepoint.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Result<&Savepoint> {
        let place = self.find_savepoint(name)?;
        self.savepoints.truncate(place + 1);
        let savepoint = &self.savepoints[place];
        self.writes = Arc::clone(&savepoint.writes);
        self.catalog.restore(savepoint.catalog.clone());
        self.access = savepoint.access;
        self.locks.release_to(savepoint.lock_mark);
        self.relations.truncate(savepoint.relation_mark);
        if self.phase == Phase::Failed {
            self.phase = Phase::Block;
        }
        Ok(savepoint)
    }

    fn find_savepoint(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| Error::undefined_savepoint(name))
    }

    /// Makes the writes durable and visible, then the catalog, then gives the locks back.
    ///
    /// Whatever it returns, the transaction has ended: an error means that nothing was written,
    /// unless storage can't say (its error tells).
    pub(crate) async fn commit(&mut self, store: &Store, sync: bool) -> Result<Option<Committed>> {
        let writes = std::mem::take(&mut self.writes);
        let done = if writes.is_empty() {
            Ok(None)
        } else {
            let writes = Arc::unwrap_or_clone(writes);
            // Nobody waits for the device for a notification; PostgreSQL's don't survive it at all.
            let sync = sync && writes.changes_data();
            let commit = Commit { writes, sync, time_us: self.start_time };
            store.commit(commit).await.map(Some).map_err(Error::from)
        };
        if done.is_ok() {
            self.catalog.publish();
        } else {
            self.catalog = CatalogTransaction::new(self.catalog.session());
        }
        self.end();
        Ok(done?.map(|committed| Committed { positions: committed.positions }))
    }

    /// A statement of the block failed: what the present subtransaction wrote and locked goes at
    /// once, the rest waits for the block's end.
    pub(crate) fn fail(&mut self) {
        self.phase = Phase::Failed;
        let (writes, lock_mark, relation_mark) = match self.savepoints.last() {
            Some(last) => (Arc::clone(&last.writes), last.lock_mark, last.relation_mark),
            None => (Arc::default(), 0, 0),
        };
        self.writes = writes;
        self.locks.release_to(lock_mark);
        self.relations.truncate(relation_mark);
    }

    /// Forgets everything, locks included.
    pub(crate) fn rollback(&mut self) {
        self.catalog = CatalogTransaction::new(self.catalog.session());
        self.end();
    }

    fn end(&mut self) {
        self.phase = Phase::Idle;
        self.snapshot = None;
        self.writes = Arc::default();
        self.savepoints = Vec::new();
        self.relations.clear();
        self.locks.release_to(0);
    }
}

/// Whether a relation is of one namespace alone.
pub(crate) fn is_private(relation: RelationId) -> bool {
    relation.0 >= crate::catalog::FIRST_PRIVATE_OID
}
