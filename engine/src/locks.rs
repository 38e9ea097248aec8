//! Who may go on and who waits: row, unique key, relation, catalog and advisory locks.
//!
//! Locks live in memory alone and only while they are held. Every holder is a session
//! ([`Owner`]), so that it never waits for itself; a lock is granted in the order it was asked
//! for, and given back when the transaction, or the subtransaction that took it, ends. Advisory
//! locks of the session ([`advisory`]) are held until they are given back or it ends. Conflicts
//! follow PostgreSQL's tables ("Explicit Locking"). Whoever has waited for `deadlock_timeout`
//! looks for a cycle among the waiting and, finding itself in one, fails with 40P01, as in
//! PostgreSQL.

mod hash;
mod many;

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry as MapEntry},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kalamdb_storage::{NamespaceId, RelationId};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
pub(crate) use hash::KeyHash;
use hash::Spread;

pub(crate) mod advisory;

use advisory::AdvisoryKey;

/// What can be locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A row, by its key.
    Row(NamespaceId, RelationId, KeyHash),
    /// A value of a unique index, so that two transactions can't both find it free.
    Unique(NamespaceId, RelationId, KeyHash),
    /// A relation in all namespaces: what definitions conflict on.
    Relation(RelationId),
    /// A relation's rows in one namespace: LOCK TABLE, TRUNCATE.
    RelationIn(NamespaceId, RelationId),
    /// The definitions kept in one namespace.
    Catalog(NamespaceId),
    /// A namespace as a whole: commits into it share the lock, whoever drops its role has it alone.
    Namespace(NamespaceId),
    /// `pg_advisory_lock`, per namespace.
    Advisory(NamespaceId, AdvisoryKey),
}

/// A mode, as a bit; which bits conflict depends on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Mode {
    // rows
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
    // relations
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    ShareRelation,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
    // advisory, held by the session; [`Mode::Share`] and [`Mode::Update`] are the transaction's
    SessionShare,
    SessionExclusive,
}

impl Mode {
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The modes that another transaction may not hold at the same time.
    fn conflicts(self) -> u16 {
        use Mode::*;
        let bits = |modes: &[Mode]| modes.iter().fold(0, |bits, mode| bits | mode.bit());
        match self {
            KeyShare => bits(&[Update]),
            Share | SessionShare => bits(&[NoKeyUpdate, Update, SessionExclusive]),
            NoKeyUpdate => bits(&[Share, NoKeyUpdate, Update]),
            Update | SessionExclusive => {
                bits(&[KeyShare, Share, NoKeyUpdate, Update, SessionShare, SessionExclusive])
            }
            AccessShare => bits(&[AccessExclusive]),
            RowShare => bits(&[Exclusive, AccessExclusive]),
            RowExclusive => bits(&[ShareRelation, ShareRowExclusive, Exclusive, AccessExclusive]),
            ShareUpdateExclusive => bits(&[
                ShareUpdateExclusive,
                ShareRelation,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ]),
            ShareRelation => bits(&[
                RowExclusive,
                ShareUpdateExclusive,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ]),
            ShareRowExclusive => bits(&[
                RowExclusive,
                ShareUpdateExclusive,
                ShareRelation,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ]),
            Exclusive => !bits(&[AccessShare]) & bits(RELATION_MODES),
            AccessExclusive => bits(RELATION_MODES),
        }
    }

    /// As `pg_locks` and LOCK TABLE name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::KeyShare | Mode::Share => "RowShareLock",
            Mode::NoKeyUpdate | Mode::Update => "RowExclusiveLock",
            Mode::AccessShare => "AccessShareLock",
            Mode::RowShare => "RowShareLock",
            Mode::RowExclusive => "RowExclusiveLock",
            Mode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Mode::ShareRelation => "ShareLock",
            Mode::ShareRowExclusive => "ShareRowExclusiveLock",
            Mode::Exclusive | Mode::SessionExclusive => "ExclusiveLock",
            Mode::SessionShare => "ShareLock",
            Mode::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

const RELATION_MODES: &[Mode] = &[
    Mode::AccessShare,
    Mode::RowShare,
    Mode::RowExclusive,
    Mode::ShareUpdateExclusive,
    Mode::ShareRelation,
    Mode::ShareRowExclusive,
    Mode::Exclusive,
    Mode::AccessExclusive,
];

/// What to do where a lock isn't free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Wait, at most `lock_timeout` if there is one; after `deadlock_timeout` look for a cycle.
    Block { lock_timeout: Option<Duration>, deadlock_timeout: Duration },
    /// Don't: [`Acquired::Unavailable`].
    No,
}

/// How a lock was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// It was free.
    AtOnce,
    /// Somebody else held it; what they did is committed or rolled back now.
    AfterWait,
    /// Not got, because [`Wait::No`].
    Unavailable,
}

/// Locks of a transaction, and advisory locks of a session, at most.
const MAX_LOCKS_PER_TRANSACTION: usize = 10_000_000;

const SHARDS: usize = 64;

type Shard = HashMap<Target, Lock, Spread>;

/// All locks of a server.
#[derive(Debug)]
pub(crate) struct LockTable {
    shards: Vec<Mutex<Shard>>,
    spread: Spread,
    next_owner: AtomicU64,
    /// What each waiting owner waits for: all that the search for cycles needs.
    waiting: Mutex<HashMap<OwnerId, (Target, Mode)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct OwnerId(u64);

#[derive(Debug, Default)]
struct Lock {
    holders: Vec<(OwnerId, u16)>,
    queue: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    owner: OwnerId,
    mode: Mode,
    granted: oneshot::Sender<()>,
}

impl Lock {
    fn conflicts(&self, owner: OwnerId, mode: Mode) -> bool {
        let conflicts = mode.conflicts();
        self.holders.iter().any(|(holder, held)| *holder != owner && held & conflicts != 0)
    }

    /// Whether `owner` has to queue behind somebody who came earlier.
    fn must_queue(&self, owner: OwnerId, mode: Mode) -> bool {
        let holds_some = self.holders.iter().any(|(holder, _)| *holder == owner);
        !holds_some && self.queue.iter().any(|waiter| waiter.mode.conflicts() & mode.bit() != 0)
    }

    fn grant(&mut self, owner: OwnerId, mode: Mode) {
        match self.holders.iter_mut().find(|(holder, _)| *holder == owner) {
            Some((_, held)) => *held |= mode.bit(),
            None => self.holders.push((owner, mode.bit())),
        }
    }

    /// Grants from the head of the queue as far as nothing conflicts.
    fn wake(&mut self) {
        let mut blocked: u16 = 0;
        let mut i = 0;
        while i < self.queue.len() {
            let (owner, mode) = (self.queue[i].owner, self.queue[i].mode);
            if self.conflicts(owner, mode) || mode.conflicts() & blocked != 0 {
                blocked |= mode.bit();
                i += 1;
                continue;
            }
            let Some(waiter) = self.queue.remove(i) else { return };
            // A waiter that gave up has dropped its end, and gets nothing.
            if waiter.granted.send(()).is_ok() {
                self.grant(owner, mode);
            }
        }
    }
}

/// One session's locks. Dropping it gives all of them back.
#[derive(Debug)]
pub(crate) struct Owner {
    table: Arc<LockTable>,
    id: OwnerId,
    /// The transaction's.
    held: Mutex<Vec<(Target, Mode)>>,
    /// The session's, with how often each was taken.
    kept: Mutex<HashMap<(Target, Mode), u32>>,
}

/// What became of asking for a lock.
enum Asked {
    Granted,
    /// It was held before.
    Held,
    Refused,
    Queued(oneshot::Receiver<()>),
}

impl LockTable {
    pub(crate) fn new() -> Arc<Self> {
        let spread = Spread::new();
        Arc::new(LockTable {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(spread))).collect(),
            spread,
            next_owner: AtomicU64::new(1),
            waiting: Mutex::default(),
        })
    }

    /// A new session's handle; it costs nothing until it locks.
    pub(crate) fn owner(self: &Arc<Self>) -> Owner {
        let id = OwnerId(self.next_owner.fetch_add(1, Ordering::Relaxed));
        Owner { table: Arc::clone(self), id, held: Mutex::default(), kept: Mutex::default() }
    }

    fn shard(&self, target: &Target) -> MutexGuard<'_, Shard> {
        // Not the bits by which the map itself places it.
        let place = (self.spread.hash_one(target) >> 32) as usize % SHARDS;
        lock(&self.shards[place])
    }

    /// Everybody `owner` waits for, directly: holders and those ahead in the queue.
    fn blockers(&self, owner: OwnerId, target: &Target) -> Vec<OwnerId> {
        let shard = self.shard(target);
        let Some(entry) = shard.get(target) else { return Vec::new() };
        let Some(place) = entry.queue.iter().position(|waiter| waiter.owner == owner) else {
            return Vec::new();
        };
        let conflicts = entry.queue[place].mode.conflicts();
        let holders = entry
            .holders
            .iter()
            .filter(|(holder, held)| *holder != owner && held & conflicts != 0)
            .map(|(holder, _)| *holder);
        let ahead = entry
            .queue
            .iter()
            .take(place)
            .filter(|waiter| waiter.owner != owner && waiter.mode.bit() & conflicts != 0)
            .map(|waiter| waiter.owner);
        holders.chain(ahead).collect()
    }

    /// Whether `owner` waits, over any number of others, for itself.
    fn in_cycle(&self, owner: OwnerId) -> bool {
        let waiting = lock(&self.waiting).clone();
        let mut seen = HashSet::new();
        let mut open = vec![owner];
        while let Some(next) = open.pop() {
            let Some((target, _)) = waiting.get(&next) else { continue };
            for blocker in self.blockers(next, target) {
                if blocker == owner {
                    return true;
                }
                if seen.insert(blocker) {
                    open.push(blocker);
                }
            }
        }
        false
    }
}

impl Owner {
    /// Takes a lock for the transaction, or a stronger one than is held.
    ///
    /// * 55P03: `lock_timeout` ran out.
    /// * 40P01: waiting would never end.
    pub(crate) async fn acquire(&self, target: Target, mode: Mode, wait: Wait) -> Result<Acquired> {
        let acquired = match self.ask(&target, mode, wait != Wait::No) {
            Asked::Held => return Ok(Acquired::AtOnce),
            Asked::Refused => return Ok(Acquired::Unavailable),
            Asked::Granted => Acquired::AtOnce,
            Asked::Queued(receiver) => {
                self.wait(&target, mode, receiver, wait).await?;
                Acquired::AfterWait
            }
        };
        self.note(target, mode)?;
        Ok(acquired)
    }

    /// Takes a lock that is free, or gets a place in its queue.
    fn ask(&self, target: &Target, mode: Mode, may_wait: bool) -> Asked {
        let mut shard = self.table.shard(target);
        match shard.entry(target.clone()) {
            MapEntry::Vacant(entry) => {
                entry.insert(Lock { holders: vec![(self.id, mode.bit())], ..Lock::default() });
                Asked::Granted
            }
            MapEntry::Occupied(mut entry) => {
                let entry = entry.get_mut();
                let held = entry.holders.iter().find(|(holder, _)| *holder == self.id);
                if held.is_some_and(|(_, held)| held & mode.bit() != 0) {
                    return Asked::Held;
                }
                if !entry.conflicts(self.id, mode) && !entry.must_queue(self.id, mode) {
                    entry.grant(self.id, mode);
                    return Asked::Granted;
                }
                if !may_wait {
                    return Asked::Refused;
                }
                let (granted, receiver) = oneshot::channel();
                entry.queue.push_back(Waiter { owner: self.id, mode, granted });
                Asked::Queued(receiver)
            }
        }
    }

    /// Remembers a lock of the transaction.
    fn note(&self, target: Target, mode: Mode) -> Result<()> {
        let mut held = lock(&self.held);
        held.push((target, mode));
        Owner::check_count(held.len())
    }

    fn check_count(held: usize) -> Result<()> {
        if held > MAX_LOCKS_PER_TRANSACTION { Err(too_many()) } else { Ok(()) }
    }

    async fn wait(
        &self,
        target: &Target,
        mode: Mode,
        mut receiver: oneshot::Receiver<()>,
        wait: Wait,
    ) -> Result<()> {
        let Wait::Block { lock_timeout, deadlock_timeout } = wait else { return Ok(()) };
        // Leaves the queue, or gives the lock back, whatever ends the wait, a dropped future included.
        let mut guard = Waiting { owner: self, target, mode, armed: true };
        lock(&self.table.waiting).insert(self.id, (target.clone(), mode));
        let give_up = async {
            match lock_timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let look = async {
            tokio::time::sleep(deadlock_timeout).await;
            if !self.table.in_cycle(self.id) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            granted = &mut receiver => {
                guard.armed = granted.is_err();
                granted.map_err(|_| Error::internal("a lock's queue vanished"))
            }
            () = give_up => Err(Error::lock_timeout()),
            () = look => Err(Error::deadlock(String::new())),
        }
    }

    /// How many locks are held: a mark for [`Owner::release_to`].
    pub(crate) fn mark(&self) -> usize {
        lock(&self.held).len()
    }

    /// Gives back what the transaction took since the mark, as the rollback of a savepoint does.
    pub(crate) fn release_to(&self, mark: usize) {
        let released: Vec<(Target, Mode)> = {
            let mut held = lock(&self.held);
            if mark >= held.len() {
                return;
            }
            // All: the memory of a large transaction goes as well.
            if mark == 0 { std::mem::take(&mut *held) } else { held.split_off(mark) }
        };
        let mut kept: HashMap<Target, u16> = HashMap::new();
        for (target, mode) in lock(&self.held).iter() {
            *kept.entry(target.clone()).or_default() |= mode.bit();
        }
        for (target, mode) in released {
            let still = kept.get(&target).copied().unwrap_or_default();
            self.release(&target, mode, still);
        }
    }

    /// Drops `mode` of this owner at `target`, keeping `still`.
    fn release(&self, target: &Target, mode: Mode, still: u16) {
        let mut shard = self.table.shard(target);
        let Some(entry) = shard.get_mut(target) else { return };
        if let Some(place) = entry.holders.iter().position(|(holder, _)| *holder == self.id) {
            entry.holders[place].1 = (entry.holders[place].1 & !mode.bit()) | still;
            if entry.holders[place].1 == 0 {
                entry.holders.swap_remove(place);
            }
        }
        entry.wake();
        if entry.holders.is_empty() && entry.queue.is_empty() {
            shard.remove(target);
        }
    }

    /// What is held, for `pg_locks`.
    pub(crate) fn held(&self) -> Vec<(Target, Mode)> {
        let mut held = lock(&self.held).clone();
        held.extend(lock(&self.kept).keys().cloned());
        held
    }

    /// What is waited for, for `pg_locks` and `pg_stat_activity`.
    pub(crate) fn waiting(&self) -> Option<(Target, Mode)> {
        lock(&self.table.waiting).get(&self.id).cloned()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.release_to(0);
        self.unlock_all();
    }
}

fn too_many() -> Error {
    Error::new(crate::error::SqlState::OUT_OF_MEMORY, "out of shared memory").with_detail(format!(
        "A session may hold at most {MAX_LOCKS_PER_TRANSACTION} locks of either kind."
    ))
}

/// A place in a queue that must be left.
struct Waiting<'a> {
    owner: &'a Owner,
    target: &'a Target,
    mode: Mode,
    armed: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let table = &self.owner.table;
        lock(&table.waiting).remove(&self.owner.id);
        if !self.armed {
            return;
        }
        let id = self.owner.id;
        let granted = {
            let mut shard = table.shard(self.target);
            let Some(entry) = shard.get_mut(self.target) else { return };
            let queued = entry.queue.len();
            entry.queue.retain(|waiter| waiter.owner != id);
            let left = entry.queue.len() < queued;
            if left {
                entry.wake();
            }
            !left
        };
        // It was granted just as the wait ended otherwise.
        if granted {
            let still = lock(&self.owner.held)
                .iter()
                .filter(|(other, _)| other == self.target)
                .fold(0, |bits, (_, mode)| bits | mode.bit());
            self.owner.release(self.target, self.mode, still);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Wait =
        Wait::Block { lock_timeout: None, deadlock_timeout: Duration::from_millis(10) };

    fn row(n: i64) -> Target {
        Target::Advisory(NamespaceId(1), AdvisoryKey::One(n))
    }

    #[tokio::test]
    async fn granted_in_order_and_given_back() {
        let table = LockTable::new();
        let (a, b) = (table.owner(), table.owner());
        assert_eq!(a.acquire(row(1), Mode::Update, Wait::No).await.unwrap(), Acquired::AtOnce);
        assert_eq!(b.acquire(row(1), Mode::Share, Wait::No).await.unwrap(), Acquired::Unavailable);
        {
            let waiting = b.acquire(row(1), Mode::Share, BLOCK);
            tokio::pin!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            drop(a);
            assert_eq!(waiting.await.unwrap(), Acquired::AfterWait);
        }
        drop(b);
        assert!(table.shard(&row(1)).is_empty());
    }

    #[tokio::test]
    async fn a_cycle_ends_one_of_its_members() {
        let table = LockTable::new();
        let (a, b) = (table.owner(), table.owner());
        a.acquire(row(1), Mode::Update, BLOCK).await.unwrap();
        b.acquire(row(2), Mode::Update, BLOCK).await.unwrap();
        let (first, second) = tokio::join!(
            async {
                let got = a.acquire(row(2), Mode::Update, BLOCK).await;
                a.release_to(0);
                got
            },
            async {
                let got = b.acquire(row(1), Mode::Update, BLOCK).await;
                b.release_to(0);
                got
            }
        );
        let failed = [&first, &second].into_iter().filter(|got| got.is_err()).count();
        assert_eq!(failed, 1, "{first:?} {second:?}");
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_the_queue() {
        let table = LockTable::new();
        let (a, b, c) = (table.owner(), table.owner(), table.owner());
        a.acquire(row(1), Mode::Share, BLOCK).await.unwrap();
        {
            let waiting = b.acquire(row(1), Mode::Update, BLOCK);
            tokio::pin!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            assert_eq!(
                c.acquire(row(1), Mode::Share, Wait::No).await.unwrap(),
                Acquired::Unavailable
            );
        }
        assert_eq!(c.acquire(row(1), Mode::Share, Wait::No).await.unwrap(), Acquired::AtOnce);
    }

    #[tokio::test]
    async fn savepoints_give_back_what_came_after() {
        let table = LockTable::new();
        let (a, b) = (table.owner(), table.owner());
        a.acquire(row(1), Mode::Share, BLOCK).await.unwrap();
        let mark = a.mark();
        a.acquire(row(1), Mode::Update, BLOCK).await.unwrap();
        a.acquire(row(2), Mode::Update, BLOCK).await.unwrap();
        a.release_to(mark);
        assert_eq!(b.acquire(row(1), Mode::Share, Wait::No).await.unwrap(), Acquired::AtOnce);
        assert_eq!(b.acquire(row(2), Mode::Share, Wait::No).await.unwrap(), Acquired::AtOnce);
        assert_eq!(b.acquire(row(1), Mode::Update, Wait::No).await.unwrap(), Acquired::Unavailable);
    }
}
