//! Advisory locks: what applications lock by numbers of their own ("Advisory Locks").
//!
//! Those of the transaction are locks like any other. Those of the session outlive transactions,
//! rolled back ones too; each is taken as often as it was asked for and is free again when it was
//! given back as often. The session is one holder, so the two kinds never wait for each other.
//! Numbers belong to the namespace of the role that locks.

use kalamdb_storage::NamespaceId;

use super::{
    Acquired, Asked, MAX_LOCKS_PER_TRANSACTION, Mode, Owner, Target, Wait, lock, too_many,
};
use crate::error::Result;

/// What an advisory lock is on; one number and two numbers never are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AdvisoryKey {
    One(i64),
    Two(i32, i32),
}

/// An advisory lock as its functions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdvisoryLock {
    pub(crate) namespace: NamespaceId,
    pub(crate) key: AdvisoryKey,
    pub(crate) is_shared: bool,
    /// Until the transaction ends, else until it is given back.
    pub(crate) of_transaction: bool,
}

impl AdvisoryLock {
    fn target(&self) -> Target {
        Target::Advisory(self.namespace, self.key)
    }

    fn mode(&self) -> Mode {
        match (self.of_transaction, self.is_shared) {
            (true, true) => Mode::Share,
            (true, false) => Mode::Update,
            (false, true) => Mode::SessionShare,
            (false, false) => Mode::SessionExclusive,
        }
    }
}

impl Owner {
    /// Takes an advisory lock, waiting as `wait` says.
    ///
    /// # Errors
    /// As [`Owner::acquire`].
    pub(crate) async fn lock_advisory(&self, wanted: AdvisoryLock, wait: Wait) -> Result<Acquired> {
        let (target, mode) = (wanted.target(), wanted.mode());
        if wanted.of_transaction {
            return self.acquire(target, mode, wait).await;
        }
        let acquired = match self.ask(&target, mode, wait != Wait::No) {
            Asked::Refused => return Ok(Acquired::Unavailable),
            Asked::Granted | Asked::Held => Acquired::AtOnce,
            Asked::Queued(receiver) => {
                self.wait(&target, mode, receiver, wait).await?;
                Acquired::AfterWait
            }
        };
        self.keep(target, mode)?;
        Ok(acquired)
    }

    /// Takes an advisory lock if it is free.
    ///
    /// # Errors
    /// 53200 with too many.
    pub(crate) fn try_advisory(&self, wanted: AdvisoryLock) -> Result<bool> {
        let (target, mode) = (wanted.target(), wanted.mode());
        match self.ask(&target, mode, false) {
            Asked::Refused | Asked::Queued(_) => return Ok(false),
            Asked::Held if wanted.of_transaction => {}
            Asked::Granted if wanted.of_transaction => self.note(target, mode)?,
            Asked::Held | Asked::Granted => self.keep(target, mode)?,
        }
        Ok(true)
    }

    /// Gives an advisory lock of the session back, once. `false`: it isn't held.
    pub(crate) fn unlock_advisory(&self, held: AdvisoryLock) -> bool {
        let entry = (held.target(), held.mode());
        let mut kept = lock(&self.kept);
        let Some(count) = kept.get_mut(&entry) else { return false };
        *count -= 1;
        if *count == 0 {
            kept.remove(&entry);
            drop(kept);
            self.release(&entry.0, entry.1, 0);
        }
        true
    }

    /// Gives all advisory locks of the session back.
    pub(crate) fn unlock_all(&self) {
        for (target, mode) in std::mem::take(&mut *lock(&self.kept)).into_keys() {
            self.release(&target, mode, 0);
        }
    }

    fn keep(&self, target: Target, mode: Mode) -> Result<()> {
        let mut kept = lock(&self.kept);
        let entry = (target, mode);
        if kept.len() >= MAX_LOCKS_PER_TRANSACTION && !kept.contains_key(&entry) {
            self.release(&entry.0, mode, 0);
            return Err(too_many());
        }
        *kept.entry(entry).or_default() += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::locks::LockTable;

    fn on(key: AdvisoryKey, of_transaction: bool, is_shared: bool) -> AdvisoryLock {
        AdvisoryLock { namespace: NamespaceId(1), key, is_shared, of_transaction }
    }

    fn two_sessions() -> (Arc<LockTable>, Owner, Owner) {
        let table = LockTable::new();
        let (a, b) = (table.owner(), table.owner());
        (table, a, b)
    }

    #[test]
    fn a_session_gives_back_as_often_as_it_took() {
        let (_, a, b) = two_sessions();
        let one = on(AdvisoryKey::One(7), false, false);
        assert!(a.try_advisory(one).unwrap() && a.try_advisory(one).unwrap());
        assert!(!b.try_advisory(one).unwrap());
        a.release_to(0);
        assert!(a.unlock_advisory(one) && !b.try_advisory(one).unwrap());
        assert!(a.unlock_advisory(one) && !a.unlock_advisory(one));
        assert!(b.try_advisory(one).unwrap());
        drop(b);
        assert!(a.try_advisory(one).unwrap());
    }

    #[test]
    fn the_two_kinds_of_one_session_get_along() {
        let (_, a, b) = two_sessions();
        let key = AdvisoryKey::One(7);
        assert!(a.try_advisory(on(key, false, false)).unwrap());
        assert!(a.try_advisory(on(key, true, true)).unwrap());
        assert!(!b.try_advisory(on(key, true, true)).unwrap());
        assert!(a.unlock_advisory(on(key, false, false)));
        assert!(b.try_advisory(on(key, false, true)).unwrap());
        assert!(!b.try_advisory(on(key, true, false)).unwrap());
        a.release_to(0);
        assert!(b.try_advisory(on(key, true, false)).unwrap());
        b.unlock_all();
        assert!(!a.try_advisory(on(key, true, true)).unwrap());
    }

    #[test]
    fn one_number_is_not_two() {
        let (table, a, b) = two_sessions();
        assert!(a.try_advisory(on(AdvisoryKey::One(7), false, false)).unwrap());
        assert!(b.try_advisory(on(AdvisoryKey::Two(0, 7), false, false)).unwrap());
        let elsewhere =
            AdvisoryLock { namespace: NamespaceId(2), ..on(AdvisoryKey::One(7), false, false) };
        assert!(b.try_advisory(elsewhere).unwrap());
        a.unlock_all();
        b.unlock_all();
        let target = Target::Advisory(NamespaceId(1), AdvisoryKey::One(7));
        assert!(table.shard(&target).is_empty());
    }
}
