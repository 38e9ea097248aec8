//! Commit: makes write sets durable, then visible, then known, many at a time.
//!
//! Commits are ordered by group. The first task to arrive leads:
//!
//! 1. it takes what waits in the queue, up to a number and a size; if the group before was larger,
//!    it first lets those who were just answered come back, for less time than a sync takes;
//! 2. gives each write set an LSN and each namespace its next position;
//! 3. puts rows, index entries, sequence states and commit records into one batch, which is one
//!    write to the write-ahead log, and one sync if any of the group asks for it;
//! 4. publishes the new snapshot, so that all of it becomes visible;
//! 5. tells the feed, in LSN order, and wakes the others with their answers;
//! 6. hands leadership to the first that arrived meanwhile.
//!
//! Everything that writes to the hot store comes this way, so the leader alone knows what is next:
//! LSNs, positions, running flushes. That knowledge is handed on with leadership, never shared.
//! Where the device refuses, nothing more is accepted: whether half a group survives is not known
//! before the store is opened again.

mod flushes;
mod group;
mod leader;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::id::{Lsn, NamespaceId, Position, RelationId};
use crate::sequence::Reserve;
use crate::snapshot::Snapshot;
use crate::store::Shard;
use crate::write_set::{SequenceWrite, WriteSet};
pub(crate) use flushes::{FlushMark, Trim};
pub(crate) use leader::{Leader, failpoint};

/// What to commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The changes.
    pub writes: WriteSet,
    /// Whether to wait until they are on the device (`synchronous_commit`). Without it they are
    /// visible at once and durable within [`crate::StoreOptions::wal_writer_delay`].
    pub sync: bool,
    /// Now, in microseconds from 1970-01-01 UTC.
    pub time_us: i64,
}

/// A commit's places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the log; of an empty commit, that of the last one before.
    pub lsn: Lsn,
    /// Its position in each namespace that has a record of it.
    pub positions: Vec<(NamespaceId, Position)>,
}

/// A key of the meta family set or, without a value, removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaChange {
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

/// What the leader is asked to do.
#[derive(Debug)]
pub(crate) enum Work {
    Commit(Commit),
    Reserve(Reserve),
    SetSequence {
        namespace: NamespaceId,
        sequence: RelationId,
        state: SequenceWrite,
    },
    Meta {
        changes: Vec<MetaChange>,
        sync: bool,
    },
    /// Nothing but that everything before is on the device.
    Sync,
    BeginFlush {
        namespace: NamespaceId,
        relation: RelationId,
    },
    FinishFlush {
        id: u64,
        changes: Vec<MetaChange>,
        trim: Trim,
    },
    DropNamespace {
        namespace: NamespaceId,
        directory: String,
    },
}

impl Work {
    /// Whether it goes in a group of its own, so that the rest of a group need not know of it.
    fn alone(&self) -> bool {
        match self {
            Work::Commit(_)
            | Work::Reserve(_)
            | Work::SetSequence { .. }
            | Work::Meta { .. }
            | Work::Sync => false,
            Work::BeginFlush { .. } | Work::FinishFlush { .. } | Work::DropNamespace { .. } => true,
        }
    }

    /// Whether its answer waits for the device.
    fn syncs(&self) -> bool {
        matches!(self, Work::Commit(Commit { sync: true, .. }))
    }

    fn bytes(&self) -> usize {
        match self {
            Work::Commit(commit) => commit.writes.bytes(),
            _ => 64,
        }
    }
}

/// What the leader answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Committed(Committed),
    /// A flush began under this number; or what stands after one ended.
    Flush(u64, Snapshot),
    Done,
}

/// Most work that waits for a leader; a session has one piece at most.
const MAX_WAITING: usize = 1 << 16;
/// Longest that a leader waits for others, however slow the device was.
const MAX_PATIENCE: Duration = Duration::from_millis(1);
/// Bytes after which a group takes no more.
const GROUP_BYTES: usize = 4 << 20;

/// The queue, and the leader's knowledge while nobody leads.
pub(crate) struct Committer(Mutex<Queue>);

struct Queue {
    waiting: VecDeque<Waiting>,
    leader: Option<Box<Leader>>,
    closed: Option<Error>,
    /// Flushes given up, for the next leader to forget.
    abandoned: Vec<u64>,
}

struct Waiting {
    work: Work,
    turn: oneshot::Sender<Turn>,
}

enum Turn {
    Answer(Result<Answer>),
    Lead(Leading, Work),
}

/// Leadership, and with it what the leader knows. Dropped, it goes to the next in the queue.
struct Leading {
    shard: Arc<Shard>,
    leader: Option<Box<Leader>>,
}

impl Committer {
    pub(crate) fn new(leader: Leader) -> Committer {
        Committer(Mutex::new(Queue {
            waiting: VecDeque::new(),
            leader: Some(Box::new(leader)),
            closed: None,
            abandoned: Vec::new(),
        }))
    }

    /// Accepts nothing from now on; everybody is answered with `error`.
    pub(crate) fn close(&self, error: Error) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.closed = Some(error);
        }
    }

    /// Why nothing is accepted any more.
    pub(crate) fn closed(&self) -> Option<Error> {
        self.lock().closed.clone()
    }

    fn abandon(&self, flush: u64) {
        self.lock().abandoned.push(flush);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Committer({} waiting)", self.lock().waiting.len())
    }
}

impl Shard {
    /// Has `work` done by the leader, which may be this very task.
    pub(crate) async fn submit(self: &Arc<Self>, work: Work) -> Result<Answer> {
        let (leading, work) = match self.arrive(work)? {
            Arrival::Leads(leading, work) => (leading, work),
            Arrival::Waits(turn) => match turn.await {
                Ok(Turn::Answer(answer)) => return answer,
                Ok(Turn::Lead(leading, work)) => (leading, work),
                Err(_) => return Err(Error::unknown("the commit leader vanished")),
            },
        };
        leading.run(work).await
    }

    /// Changes the books, apart from any write set.
    pub(crate) async fn change_meta(
        self: &Arc<Self>,
        changes: Vec<MetaChange>,
        sync: bool,
    ) -> Result<()> {
        self.submit(Work::Meta { changes, sync }).await.map(|_| ())
    }

    fn arrive(self: &Arc<Self>, work: Work) -> Result<Arrival> {
        let mut queue = self.committer.lock();
        if let Some(error) = &queue.closed {
            return Err(error.clone());
        }
        if let Some(leader) = queue.leader.take() {
            let leading = Leading { shard: self.clone(), leader: Some(leader) };
            return Ok(Arrival::Leads(leading, work));
        }
        if queue.waiting.len() >= MAX_WAITING {
            return Err(Error::full(format!("more than {MAX_WAITING} commits wait")));
        }
        let (turn, answer) = oneshot::channel();
        queue.waiting.push_back(Waiting { work, turn });
        Ok(Arrival::Waits(answer))
    }
}

enum Arrival {
    Leads(Leading, Work),
    Waits(oneshot::Receiver<Turn>),
}

impl Leading {
    /// Leads one group, which begins with the leader's own work, and returns the answer to that.
    async fn run(mut self, own: Work) -> Result<Answer> {
        if own.syncs() {
            self.gather().await;
        }
        let (group, turns) = self.take_group(own);
        let Some(leader) = self.leader.as_mut() else {
            return Err(Error::unknown("a leader without what leaders know"));
        };
        let mut answers = leader.lead(&self.shard, group).await.into_iter();
        let own = answers.next().unwrap_or_else(|| Err(Error::unknown("no answer")));
        for (turn, answer) in turns.into_iter().zip(answers) {
            // Whoever no longer listens has no use for the answer.
            let _ = turn.send(Turn::Answer(answer));
        }
        own
    }

    /// Without this, one who came late goes alone while all others wait, and every second sync is
    /// for one commit. Yielding, not sleeping: the tasks waited for are those of this thread, and
    /// no timer is as fine as a sync is short.
    async fn gather(&self) {
        let Some(leader) = &self.leader else { return };
        let (expected, patience) =
            (leader.last_group(), (leader.last_sync() / 2).min(MAX_PATIENCE));
        let begun = Instant::now();
        while self.shard.committer.lock().waiting.len() + 1 < expected && begun.elapsed() < patience
        {
            tokio::task::yield_now().await;
        }
    }

    fn take_group(&mut self, own: Work) -> (Vec<Work>, Vec<oneshot::Sender<Turn>>) {
        let mut queue = self.shard.committer.lock();
        if let Some(leader) = &mut self.leader {
            leader.forget_flushes(std::mem::take(&mut queue.abandoned));
        }
        let mut bytes = own.bytes();
        let alone = own.alone();
        let mut group = vec![own];
        let mut turns = Vec::new();
        while !alone && group.len() < self.shard.options.max_group && bytes < GROUP_BYTES {
            match queue.waiting.pop_front_if(|waiting| !waiting.work.alone()) {
                None => break,
                Some(Waiting { work, turn }) => {
                    bytes += work.bytes();
                    group.push(work);
                    turns.push(turn);
                }
            }
        }
        (group, turns)
    }
}

impl Drop for Leading {
    /// Hands leadership on, past those who left the queue without an answer.
    fn drop(&mut self) {
        let Some(mut leader) = self.leader.take() else { return };
        if leader.is_in_flight() {
            // The task was cancelled or panicked between the batch and its answers.
            let error = Error::unknown("the fate of a commit is not known; reopen the store");
            self.shard.committer.close(error);
        }
        loop {
            let mut queue = self.shard.committer.lock();
            let Some(Waiting { work, turn }) = queue.waiting.pop_front() else {
                queue.leader = Some(leader);
                return;
            };
            drop(queue);
            let leading = Leading { shard: self.shard.clone(), leader: Some(leader) };
            match turn.send(Turn::Lead(leading, work)) {
                Ok(()) | Err(Turn::Answer(_)) => return,
                Err(Turn::Lead(mut back, _)) => match back.leader.take() {
                    Some(returned) => leader = returned,
                    None => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
