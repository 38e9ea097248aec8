//! The hot store's twin in memory. For tests: simple and exact rather than fast.
//!
//! Each key keeps its versions, the oldest first. Old versions go once no snapshot needs them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::hot::{Batch, Chunk, ChunkBuilder, ChunkLimit, Family, Hot, HotRange, HotSnapshot, Op};
use crate::id::Lsn;
use crate::log;

/// Keys with old versions, after which they are looked through.
const STALE_KEYS: usize = 4096;

/// The twin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<RwLock<State>>);

type FamilyKey = (Family, Vec<u8>);
/// Values by the version that put them there; None: deleted.
type Versions = Vec<(u64, Option<Bytes>)>;

#[derive(Debug, Default)]
struct State {
    version: u64,
    keys: BTreeMap<FamilyKey, Versions>,
    stale: Vec<FamilyKey>,
    /// How many snapshots there are of each version.
    live: BTreeMap<u64, usize>,
}

struct MemorySnapshot {
    memory: Memory,
    version: u64,
}

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, family: Family, key: &[u8], value: Option<Bytes>) {
        let version = self.version;
        let key = (family, key.to_vec());
        let versions = self.keys.entry(key.clone()).or_default();
        versions.retain(|(held, _)| *held < version);
        versions.push((version, value));
        self.stale.push(key);
    }

    fn apply(&mut self, family: Family, op: Op<'_>) {
        match op {
            Op::Put { key, value } => self.set(family, key, Some(Bytes::copy_from_slice(value))),
            Op::Delete { key } => self.set(family, key, None),
            Op::DeleteRange { start, end } => {
                let range = (family, start.to_vec())..(family, end.to_vec());
                let keys: Vec<_> =
                    self.keys.range(range).map(|((_, key), _)| key.clone()).collect();
                keys.iter().for_each(|key| self.set(family, key, None));
            }
        }
    }

    fn forget_old_versions(&mut self) {
        let oldest = self.live.keys().next().copied().unwrap_or(self.version);
        for key in std::mem::take(&mut self.stale) {
            let Some(versions) = self.keys.get_mut(&key) else { continue };
            let needed = versions.iter().rposition(|(version, _)| *version <= oldest).unwrap_or(0);
            versions.drain(..needed);
            if let [(version, None)] = &versions[..]
                && *version <= oldest
            {
                self.keys.remove(&key);
            }
        }
    }
}

fn visible(versions: &[(u64, Option<Bytes>)], at: u64) -> Option<&Bytes> {
    versions.iter().rev().find(|(version, _)| *version <= at)?.1.as_ref()
}

#[async_trait]
impl Hot for Memory {
    fn snapshot(&self) -> Arc<dyn HotSnapshot> {
        let mut state = self.write();
        let version = state.version;
        *state.live.entry(version).or_default() += 1;
        Arc::new(MemorySnapshot { memory: self.clone(), version })
    }

    async fn commit(&self, batch: &Batch, _sync: bool) -> Result<()> {
        let mut state = self.write();
        state.version += 1;
        for (family, op) in batch.ops() {
            state.apply(family, op);
        }
        if state.stale.len() > STALE_KEYS {
            state.forget_old_versions();
        }
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn trim_log(&self, before: Lsn) {
        let mut state = self.write();
        state.keys.retain(|(family, _), versions| {
            let old = |(_, value): &(u64, Option<Bytes>)| {
                value.as_ref().is_some_and(|v| log::lsn_of(v).is_ok_and(|lsn| lsn < before))
            };
            *family != Family::Log || !versions.iter().all(old)
        });
    }

    fn approximate_bytes(&self, family: Family, range: &HotRange) -> u64 {
        let state = self.read();
        let pairs = state.keys.range(bounds(family, range));
        pairs
            .filter_map(|((_, key), v)| Some(key.len() + visible(v, state.version)?.len()))
            .sum::<usize>() as u64
    }

    async fn checkpoint(&self, _directory: &Path) -> Result<()> {
        Err(Error::invalid("the store in memory has no files to copy"))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn bounds(family: Family, range: &HotRange) -> (Bound<FamilyKey>, Bound<FamilyKey>) {
    let start = Bound::Included((family, range.start.clone()));
    if range.is_empty() {
        return (start.clone(), Bound::Excluded((family, range.start.clone())));
    }
    let end = match Family::ALL.iter().find(|next| **next > family) {
        _ if !range.end.is_empty() => Bound::Excluded((family, range.end.clone())),
        Some(next) => Bound::Excluded((*next, Vec::new())),
        None => Bound::Unbounded,
    };
    (start, end)
}

#[async_trait]
impl HotSnapshot for MemorySnapshot {
    async fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        let state = self.memory.read();
        let versions = state.keys.get(&(family, key.to_vec()));
        Ok(versions.and_then(|versions| visible(versions, self.version)).cloned())
    }

    async fn holds_any(&self, family: Family, keys: &[&[u8]]) -> Result<bool> {
        let state = self.memory.read();
        Ok(keys.iter().any(|key| {
            let versions = state.keys.get(&(family, key.to_vec()));
            versions.is_some_and(|versions| visible(versions, self.version).is_some())
        }))
    }

    async fn scan(
        &self,
        family: Family,
        range: &HotRange,
        reverse: bool,
        limit: ChunkLimit,
    ) -> Result<Chunk> {
        let state = self.memory.read();
        let found = state.keys.range(bounds(family, range));
        let found = found.filter_map(|((_, key), v)| Some((key, visible(v, self.version)?)));
        let mut found: Box<dyn Iterator<Item = (&Vec<u8>, &Bytes)> + Send> = match reverse {
            true => Box::new(found.rev()),
            false => Box::new(found),
        };
        let mut chunk = ChunkBuilder::new(limit);
        for (key, value) in found.by_ref() {
            chunk.push(key, value);
            if chunk.is_full() {
                break;
            }
        }
        Ok(chunk.finish(found.next().is_some()))
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut state = self.memory.write();
        if let Some(count) = state.live.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                state.live.remove(&self.version);
            }
        }
    }
}
