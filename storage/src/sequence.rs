//! Sequences and row ids: numbers handed out once, whether their transaction commits or not.
//!
//! A mark in the books runs ahead of what is handed out, so that most numbers cost no write. The
//! mark is written before the numbers below it are used, and not synced: a commit that uses one
//! comes later in the same write-ahead log, and whoever syncs that syncs the mark. After a crash
//! counting goes on from the mark, so numbers are skipped, never repeated; after an orderly close
//! not even skipped.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::commit::{MetaChange, Work};
use crate::error::{Error, Result};
use crate::hot::{Family, HotSnapshot};
use crate::id::{NamespaceId, RelationId};
use crate::meta;
use crate::namespace::Namespace;
use crate::write_set::SequenceWrite;

/// The first grant of row ids beyond what is asked; each later one doubles.
const MIN_GRANT: i64 = 32;
/// The largest grant of row ids beyond what is asked.
const MAX_GRANT: i64 = 1024;
/// Values of a sequence granted at once, PostgreSQL's `SEQ_LOG_VALS`. Doubled whenever several
/// sessions had to wait for the same grant, up to [`MAX_GRANT`].
const SEQUENCE_GRANT: u32 = 32;
/// Most counters remembered; with more, all are forgotten and read again.
const MAX_COUNTERS: usize = 1 << 17;

/// How a sequence counts, from the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceOptions {
    /// The first value, if nothing was handed out or set yet.
    pub start: i64,
    /// The step, not 0.
    pub increment: i64,
    /// The smallest value.
    pub min: i64,
    /// The largest value.
    pub max: i64,
    /// Whether to begin again at the other end, instead of failing.
    pub cycle: bool,
    /// At least so many values are marked at once.
    pub cache: u32,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Sequence,
    RowId,
}

type Place = (Kind, NamespaceId, RelationId);

/// A request for numbers that only the leader can grant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reserve {
    Sequence { namespace: NamespaceId, relation: RelationId, options: SequenceOptions },
    RowIds { namespace: NamespaceId, relation: RelationId, count: u32 },
}

/// What becomes of the counters in memory once a batch is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// A sequence may hand out these.
    Sequence { namespace: NamespaceId, relation: RelationId, grant: SequenceGrant },
    /// Row ids `first..=last` may be handed out.
    RowIds { namespace: NamespaceId, relation: RelationId, first: i64, last: i64 },
    /// A sequence's state was set.
    Set { namespace: NamespaceId, relation: RelationId, state: SequenceWrite },
    /// A relation was dropped.
    Forget { namespace: NamespaceId, relation: RelationId },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SequenceGrant {
    options: SequenceOptions,
    /// What was handed out or set last.
    before: SequenceWrite,
    first: i64,
    last: i64,
    count: u32,
}

#[derive(Clone, Copy, Debug)]
enum Counter {
    Sequence { options: SequenceOptions, state: SequenceWrite, next: i64, left: u32, grant: u32 },
    RowIds { next: i64, last: i64, grant: i64 },
}

/// The counters in use.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<HashMap<Place, Counter>>);

impl Namespace {
    /// The first of `count` new row ids of a relation; never handed out before.
    ///
    /// Fails with `Full` at the end of int8, else as a commit does.
    pub async fn allocate_row_ids(&self, relation: RelationId, count: u32) -> Result<i64> {
        let namespace = self.id();
        loop {
            let taken = self.shard.counters.take_row_ids(namespace, relation, count);
            if let Some(first) = taken {
                return Ok(first);
            }
            let reserve = Reserve::RowIds { namespace, relation, count };
            self.shard.submit(Work::Reserve(reserve)).await?;
        }
    }

    /// The next value of a sequence (`nextval`); never undone.
    ///
    /// Fails with `Full` at the end of a sequence that doesn't cycle, else as a commit does.
    pub async fn sequence_next(
        &self,
        sequence: RelationId,
        options: SequenceOptions,
    ) -> Result<i64> {
        let namespace = self.id();
        loop {
            let taken = self.shard.counters.take_value(namespace, sequence, &options);
            if let Some(value) = taken {
                return Ok(value);
            }
            let reserve = Reserve::Sequence { namespace, relation: sequence, options };
            self.shard.submit(Work::Reserve(reserve)).await?;
        }
    }

    /// A sequence's last value and whether it was handed out (`last_value`, `is_called`). None if
    /// nothing was handed out or set yet. After a crash the value may be ahead of what was used.
    pub async fn sequence_last(&self, sequence: RelationId) -> Result<Option<(i64, bool)>> {
        let state = match self.shard.counters.state(self.id(), sequence) {
            Some(state) => Some(state),
            None => {
                let snapshot = self.shard.snapshot();
                read_state(snapshot.hot(), self.id(), sequence).await?
            }
        };
        Ok(state.map(|state| (state.value, state.is_called)))
    }

    /// Sets a sequence's state (`setval`); never undone.
    pub async fn sequence_set(
        &self,
        sequence: RelationId,
        value: i64,
        is_called: bool,
    ) -> Result<()> {
        let state = SequenceWrite { value, is_called };
        let work = Work::SetSequence { namespace: self.id(), sequence, state };
        self.shard.submit(work).await.map(|_| ())
    }
}

impl Counters {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Counter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_row_ids(&self, ns: NamespaceId, relation: RelationId, count: u32) -> Option<i64> {
        match self.lock().get_mut(&(Kind::RowId, ns, relation))? {
            Counter::RowIds { next, last, .. } => {
                let first = *next;
                let after = first.checked_add(i64::from(count))?;
                (after - 1 <= *last).then(|| {
                    *next = after;
                    first
                })
            }
            Counter::Sequence { .. } => None,
        }
    }

    fn take_value(
        &self,
        ns: NamespaceId,
        sequence: RelationId,
        asked: &SequenceOptions,
    ) -> Option<i64> {
        match self.lock().get_mut(&(Kind::Sequence, ns, sequence))? {
            Counter::Sequence { options, state, next, left, .. } => {
                if options != asked {
                    // ALTER SEQUENCE: what was granted under other rules is not handed out.
                    *left = 0;
                }
                if *left == 0 {
                    return None;
                }
                let value = *next;
                *left -= 1;
                if *left > 0 {
                    *next = value.saturating_add(options.increment);
                }
                *state = SequenceWrite { value, is_called: true };
                Some(value)
            }
            Counter::RowIds { .. } => None,
        }
    }

    fn state(&self, ns: NamespaceId, sequence: RelationId) -> Option<SequenceWrite> {
        match self.lock().get(&(Kind::Sequence, ns, sequence))? {
            Counter::Sequence { state, .. } => Some(*state),
            Counter::RowIds { .. } => None,
        }
    }

    /// The leader's part: decides what to grant after the `pending` effects of the same group.
    /// None if there is enough already.
    pub(crate) async fn reserve(
        &self,
        reserve: &Reserve,
        pending: &[Effect],
        hot: &dyn HotSnapshot,
    ) -> Result<Option<Effect>> {
        match *reserve {
            Reserve::RowIds { namespace, relation, count } => {
                self.reserve_row_ids((namespace, relation), count, pending, hot).await
            }
            Reserve::Sequence { namespace, relation, options } => {
                self.reserve_values((namespace, relation), options, pending, hot).await
            }
        }
    }

    async fn reserve_row_ids(
        &self,
        (namespace, relation): (NamespaceId, RelationId),
        count: u32,
        pending: &[Effect],
        hot: &dyn HotSnapshot,
    ) -> Result<Option<Effect>> {
        let place = (Kind::RowId, namespace, relation);
        if pending.iter().any(|effect| effect.place() == place) {
            // Somebody asked just before: whoever finds too little left asks again.
            return Ok(None);
        }
        let held = self.lock().get(&place).copied();
        let (mark, grant) = match held {
            Some(Counter::RowIds { next, last, .. }) if last - next + 1 >= i64::from(count) => {
                return Ok(None);
            }
            Some(Counter::RowIds { last, grant, .. }) => (last, (grant * 2).min(MAX_GRANT)),
            Some(Counter::Sequence { .. }) | None => {
                let stored = hot.get(Family::Meta, &meta::row_id(namespace, relation)).await?;
                let mark = stored.map_or(Ok(0), |bytes| {
                    let bytes = bytes[..].try_into();
                    bytes.map(i64::from_be_bytes).map_err(|_| Error::corrupt("malformed row id"))
                })?;
                (mark, MIN_GRANT)
            }
        };
        let last = mark.checked_add(i64::from(count) + grant);
        let last = last.ok_or_else(|| Error::full("row ids are used up"))?;
        Ok(Some(Effect::RowIds { namespace, relation, first: mark + 1, last }))
    }

    async fn reserve_values(
        &self,
        (namespace, relation): (NamespaceId, RelationId),
        options: SequenceOptions,
        pending: &[Effect],
        hot: &dyn HotSnapshot,
    ) -> Result<Option<Effect>> {
        let place = (Kind::Sequence, namespace, relation);
        let set = match pending.iter().rev().find(|effect| effect.place() == place) {
            Some(Effect::Sequence { .. }) => {
                self.expect_more(place);
                return Ok(None);
            }
            Some(Effect::Set { state, .. }) => Some(*state),
            _ => None,
        };
        let held = self.lock().get(&place).copied();
        let before = match (set, held) {
            (Some(state), _) => Some(state),
            (None, Some(Counter::Sequence { options: of, left, .. }))
                if left > 0 && of == options =>
            {
                return Ok(None);
            }
            (None, Some(Counter::Sequence { state, .. })) => Some(state),
            (None, _) => read_state(hot, namespace, relation).await?,
        };
        let before = before.unwrap_or(SequenceWrite { value: options.start, is_called: false });
        let grant = grant(&options, before, self.grant_of(place))?;
        Ok(Some(Effect::Sequence { namespace, relation, grant }))
    }

    /// Several asked at once: next time there is to be more.
    fn expect_more(&self, place: Place) {
        if let Some(Counter::Sequence { grant, .. }) = self.lock().get_mut(&place) {
            *grant = (*grant * 2).min(MAX_GRANT as u32);
        }
    }

    fn grant_of(&self, place: Place) -> u32 {
        match self.lock().get(&place) {
            Some(Counter::Sequence { grant, .. }) => *grant,
            Some(Counter::RowIds { .. }) | None => SEQUENCE_GRANT,
        }
    }

    /// Applies an effect whose batch is written.
    pub(crate) fn apply(&self, effect: Effect) {
        let mut counters = self.lock();
        if counters.len() >= MAX_COUNTERS {
            counters.clear();
        }
        match effect {
            Effect::Sequence { grant, .. } => {
                let SequenceGrant { options, before: state, first: next, count: left, .. } = grant;
                let grant = match counters.get(&effect.place()) {
                    Some(Counter::Sequence { grant, .. }) => *grant,
                    Some(Counter::RowIds { .. }) | None => SEQUENCE_GRANT,
                };
                let counter = Counter::Sequence { options, state, next, left, grant };
                counters.insert(effect.place(), counter);
            }
            Effect::RowIds { first, last, .. } => {
                let fresh = Counter::RowIds { next: first, last, grant: MIN_GRANT };
                let held = counters.entry(effect.place()).or_insert(fresh);
                match held {
                    // Goes on where it ended.
                    Counter::RowIds { last: end, grant, .. } if *end + 1 == first => {
                        *end = last;
                        *grant = (*grant * 2).min(MAX_GRANT);
                    }
                    held => *held = fresh,
                }
            }
            Effect::Set { .. } => {
                counters.remove(&effect.place());
            }
            Effect::Forget { namespace, relation } => {
                counters.remove(&(Kind::Sequence, namespace, relation));
                counters.remove(&(Kind::RowId, namespace, relation));
            }
        }
    }

    pub(crate) fn forget_namespace(&self, namespace: NamespaceId) {
        self.lock().retain(|(_, owner, _), _| *owner != namespace);
    }

    /// What to write at close, so that nothing is skipped, and forgets everything.
    pub(crate) fn drain(&self) -> Vec<MetaChange> {
        let exact = |((_, ns, relation), counter): (Place, Counter)| match counter {
            Counter::Sequence { state, .. } => MetaChange {
                key: Bytes::copy_from_slice(&meta::sequence(ns, relation)),
                value: Some(Bytes::copy_from_slice(&state_bytes(state))),
            },
            Counter::RowIds { next, .. } => MetaChange {
                key: Bytes::copy_from_slice(&meta::row_id(ns, relation)),
                value: Some(Bytes::copy_from_slice(&(next - 1).to_be_bytes())),
            },
        };
        std::mem::take(&mut *self.lock()).into_iter().map(exact).collect()
    }
}

impl Effect {
    fn place(&self) -> Place {
        match *self {
            Effect::Sequence { namespace, relation, .. }
            | Effect::Set { namespace, relation, .. }
            | Effect::Forget { namespace, relation } => (Kind::Sequence, namespace, relation),
            Effect::RowIds { namespace, relation, .. } => (Kind::RowId, namespace, relation),
        }
    }

    /// What the books say from now on, for grants.
    pub(crate) fn stored(&self) -> Option<([u8; 13], Vec<u8>)> {
        match *self {
            Effect::Sequence { namespace, relation, grant } => {
                let state = SequenceWrite { value: grant.last, is_called: true };
                Some((meta::sequence(namespace, relation), state_bytes(state).to_vec()))
            }
            Effect::RowIds { namespace, relation, last, .. } => {
                Some((meta::row_id(namespace, relation), last.to_be_bytes().to_vec()))
            }
            Effect::Set { .. } | Effect::Forget { .. } => None,
        }
    }
}

/// The bytes of a sequence's state: the value (i64 BE), and 1 if it was handed out.
pub(crate) fn state_bytes(state: SequenceWrite) -> [u8; 9] {
    let mut bytes = [0; 9];
    bytes[..8].copy_from_slice(&state.value.to_be_bytes());
    bytes[8] = u8::from(state.is_called);
    bytes
}

async fn read_state(
    hot: &dyn HotSnapshot,
    ns: NamespaceId,
    sequence: RelationId,
) -> Result<Option<SequenceWrite>> {
    let Some(bytes) = hot.get(Family::Meta, &meta::sequence(ns, sequence)).await? else {
        return Ok(None);
    };
    match bytes.split_first_chunk::<8>() {
        Some((value, [called])) => {
            Ok(Some(SequenceWrite { value: i64::from_be_bytes(*value), is_called: *called != 0 }))
        }
        _ => Err(Error::corrupt("malformed state of a sequence")),
    }
}

/// The next `wanted` values after `before`, fewer where the sequence would turn around.
fn grant(options: &SequenceOptions, before: SequenceWrite, wanted: u32) -> Result<SequenceGrant> {
    let within =
        |value: Option<i64>| value.filter(|value| (options.min..=options.max).contains(value));
    let step = |value: i64| within(value.checked_add(options.increment));
    let first = if before.is_called { step(before.value) } else { within(Some(before.value)) };
    let first = match first {
        Some(first) => first,
        None if options.cycle && options.increment > 0 => options.min,
        None if options.cycle => options.max,
        None if options.increment > 0 => {
            return Err(Error::full(format!(
                "reached maximum value of sequence ({})",
                options.max
            )));
        }
        None => {
            return Err(Error::full(format!(
                "reached minimum value of sequence ({})",
                options.min
            )));
        }
    };
    let (mut last, mut count) = (first, 1);
    while count < wanted.max(options.cache.min(MAX_GRANT as u32)) {
        match step(last) {
            Some(next) => (last, count) = (next, count + 1),
            None => break,
        }
    }
    Ok(SequenceGrant { options: *options, before, first, last, count })
}

#[cfg(test)]
mod tests;
