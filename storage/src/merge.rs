//! The overlay: several sorted sources read as one, the newest version of each key alone.
//!
//! Sources are given newest first: the transaction's writes, the hot rows, the segments from the
//! latest to the first. Rows move in runs: as many rows of one source as come before the next key
//! of any other. Where sources don't overlap a run is a whole chunk, nothing is compared row by
//! row, and a segment whose turn has not come is not even opened.

use crate::chunk::{Chunk, Picked};
use crate::error::Result;
use crate::scan::hot_source::HotSource;
use crate::scan::writes_source::WritesSource;
use crate::segment::source::SegmentSource;
use bytes::Bytes;
use std::cmp::Ordering;
use std::sync::Arc;

/// One sorted source.
pub(crate) enum Source {
    /// Rows of a write set.
    Writes(Box<WritesSource>),
    /// Hot rows.
    Hot(Box<HotSource>),
    /// Cold rows.
    Segment(Box<SegmentSource>),
}

impl Source {
    async fn load(&mut self) -> Result<Option<Arc<Chunk>>> {
        match self {
            Source::Writes(writes) => writes.load(),
            Source::Hot(hot) => hot.load().await,
            Source::Segment(segment) => segment.load().await,
        }
    }

    /// What is known of the next key without reading.
    fn bound(&self) -> Option<Bytes> {
        match self {
            Source::Writes(_) | Source::Hot(_) => None,
            Source::Segment(segment) => Some(segment.bound()),
        }
    }
}

/// Several sources as one.
pub(crate) struct Merge {
    inputs: Vec<Input>,
    reverse: bool,
}

struct Input {
    source: Source,
    chunk: Option<Arc<Chunk>>,
    /// Rows of the chunk that are done with.
    used: usize,
    done: bool,
}

/// What is known of the next key of an input.
#[derive(Clone)]
enum Next {
    /// Nothing comes any more.
    End,
    /// Nothing is known: it must be loaded.
    Unknown,
    /// No key before this one comes; backward, none equal to it either.
    Bound(Bytes),
    /// This one.
    Key(Bytes),
}

impl Merge {
    /// Merges sources given newest first.
    pub(crate) fn new(sources: Vec<Source>, reverse: bool) -> Merge {
        let input = |source| Input { source, chunk: None, used: 0, done: false };
        Merge { inputs: sources.into_iter().map(input).collect(), reverse }
    }

    /// Picks at least `rows` rows and at most `limit`, fewer only at the end.
    pub(crate) async fn pick(&mut self, rows: usize, limit: usize) -> Result<Picked> {
        let mut picked = Picked::default();
        while picked.len() < rows.min(limit) {
            // A run ends where the batch is full, so that batches keep their size.
            let room = rows.min(limit) - picked.len();
            let Some((chunk, first, count)) = self.next_run(room).await? else { break };
            picked.take(&chunk, (first, count), self.reverse, room);
        }
        Ok(picked)
    }

    /// The next run: rows of a chunk of which no newer version exists. At most `room` of them.
    pub(crate) async fn next_run(
        &mut self,
        room: usize,
    ) -> Result<Option<(Arc<Chunk>, usize, usize)>> {
        loop {
            let Some((first, second)) = self.leaders()? else { return Ok(None) };
            let input = &mut self.inputs[first];
            let Some(chunk) = input.chunk.clone() else {
                input.load().await?;
                continue;
            };
            let next_of_others = match second {
                None => Next::End,
                Some(second) => self.next_of(second)?,
            };
            if let Next::Unknown = next_of_others {
                if let Some(second) = second {
                    self.inputs[second].load().await?;
                }
                continue;
            }
            if self.is_clear(&chunk, &next_of_others) {
                return Ok(Some(self.inputs[first].advance(
                    &chunk,
                    chunk.len(),
                    room,
                    self.reverse,
                )));
            }
            if !chunk.has_keys() {
                chunk.keys()?;
                continue;
            }
            let key = self.inputs[first].key(&chunk, self.reverse)?.clone();
            let count = match (&next_of_others, second) {
                (Next::Key(other), Some(second)) if *other == key => {
                    // The older version: never seen by anybody.
                    self.inputs[second].skip();
                    continue;
                }
                (Next::Bound(other), Some(second)) if self.order(other, &key).is_le() => {
                    self.inputs[second].resolve().await?;
                    continue;
                }
                (Next::Key(other) | Next::Bound(other), _) => {
                    self.inputs[first].before(&chunk, other, self.reverse)?
                }
                (Next::End | Next::Unknown, _) => chunk.len(),
            };
            return Ok(Some(self.inputs[first].advance(&chunk, count, room, self.reverse)));
        }
    }

    /// The input whose next key comes first, the newest among equals, and the one after it.
    fn leaders(&self) -> Result<Option<(usize, Option<usize>)>> {
        let mut best: Option<(usize, Next)> = None;
        let mut second: Option<(usize, Next)> = None;
        for at in 0..self.inputs.len() {
            let next = self.next_of(at)?;
            if matches!(next, Next::End) {
                continue;
            }
            if best.as_ref().is_none_or(|(_, b)| self.comes_before(&next, b)) {
                second = best.replace((at, next));
            } else if second.as_ref().is_none_or(|(_, s)| self.comes_before(&next, s)) {
                second = Some((at, next));
            }
        }
        Ok(best.map(|(at, _)| (at, second.map(|(at, _)| at))))
    }

    fn next_of(&self, at: usize) -> Result<Next> {
        let input = &self.inputs[at];
        if input.done {
            return Ok(Next::End);
        }
        match &input.chunk {
            None => Ok(input.source.bound().map_or(Next::Unknown, Next::Bound)),
            Some(chunk) if chunk.has_keys() => {
                Ok(Next::Key(input.key(chunk, self.reverse)?.clone()))
            }
            Some(chunk) => {
                let bound = if self.reverse { &chunk.high } else { &chunk.low };
                Ok(Next::Bound(bound.clone()))
            }
        }
    }

    /// Strictly: of equals the earlier input, which is the newer one, stays first.
    fn comes_before(&self, a: &Next, b: &Next) -> bool {
        match (a, b) {
            (Next::Unknown, _) => !matches!(b, Next::Unknown),
            (_, Next::Unknown) | (Next::End, _) => false,
            (_, Next::End) => true,
            (Next::Bound(a) | Next::Key(a), Next::Bound(b) | Next::Key(b)) => {
                self.order(a, b).is_lt()
            }
        }
    }

    fn order(&self, a: &[u8], b: &[u8]) -> Ordering {
        if self.reverse { b.cmp(a) } else { a.cmp(b) }
    }

    /// Whether all of the chunk comes before anything of the others.
    fn is_clear(&self, chunk: &Chunk, others: &Next) -> bool {
        match others {
            Next::End => true,
            Next::Unknown => false,
            Next::Bound(other) | Next::Key(other) => {
                if self.reverse {
                    *other < chunk.low
                } else {
                    *other >= chunk.high
                }
            }
        }
    }
}

impl Input {
    async fn load(&mut self) -> Result<()> {
        self.chunk = self.source.load().await?;
        self.used = 0;
        self.done = self.chunk.is_none();
        Ok(())
    }

    /// Finds out more about the next key.
    async fn resolve(&mut self) -> Result<()> {
        match &self.chunk {
            None => self.load().await,
            Some(chunk) => chunk.keys().map(|_| ()),
        }
    }

    /// The next key.
    fn key<'a>(&self, chunk: &'a Chunk, reverse: bool) -> Result<&'a Bytes> {
        let at = if reverse { chunk.len() - 1 - self.used } else { self.used };
        Ok(&chunk.keys()?[at])
    }

    /// Rows used and those that come before `key`.
    fn before(&self, chunk: &Chunk, key: &Bytes, reverse: bool) -> Result<usize> {
        let keys = chunk.keys()?;
        Ok(if reverse {
            keys.len() - keys.partition_point(|k| k <= key)
        } else {
            keys.partition_point(|k| k < key)
        })
    }

    /// Uses rows up to `end`, but no more than `room`, and says which they are.
    fn advance(
        &mut self,
        chunk: &Arc<Chunk>,
        end: usize,
        room: usize,
        reverse: bool,
    ) -> (Arc<Chunk>, usize, usize) {
        let count = (end - self.used).min(room);
        let first = if reverse { chunk.len() - self.used - count } else { self.used };
        self.use_up(chunk.len(), count);
        (Arc::clone(chunk), first, count)
    }

    fn skip(&mut self) {
        if let Some(rows) = self.chunk.as_ref().map(|chunk| chunk.len()) {
            self.use_up(rows, 1);
        }
    }

    fn use_up(&mut self, of: usize, count: usize) {
        self.used += count;
        if self.used >= of {
            self.chunk = None;
            self.used = 0;
        }
    }
}
