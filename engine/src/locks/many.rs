//! Many locks at once, where nobody else is about.

use std::collections::hash_map::Entry;

use super::{Lock, Mode, Owner, Target, lock};
use crate::error::Result;

impl Owner {
    /// Takes all of these locks, if each is free or held already; else none, and `false`: whoever
    /// wants them asks one by one, in the order in which they are needed.
    pub(crate) fn acquire_free(
        &self,
        targets: impl Iterator<Item = Target>,
        mode: Mode,
    ) -> Result<bool> {
        let mark = self.mark();
        for target in targets {
            if !self.take_if_free(target, mode) {
                let taken = lock(&self.held).split_off(mark);
                for (target, mode) in taken {
                    self.release(&target, mode, 0);
                }
                return Ok(false);
            }
        }
        Owner::check_count(self.mark())?;
        Ok(true)
    }

    /// Takes a lock that nobody holds; whether it is held now.
    fn take_if_free(&self, target: Target, mode: Mode) -> bool {
        let mut shard = self.table.shard(&target);
        match shard.entry(target) {
            Entry::Vacant(entry) => {
                lock(&self.held).push((entry.key().clone(), mode));
                entry.insert(Lock { holders: vec![(self.id, mode.bit())], ..Lock::default() });
                true
            }
            Entry::Occupied(entry) => {
                let own = entry.get().holders.iter().find(|(holder, _)| *holder == self.id);
                own.is_some_and(|(_, modes)| modes & mode.bit() != 0)
            }
        }
    }
}
