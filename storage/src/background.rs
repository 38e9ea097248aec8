//! The background task of the cold tier: flushes and compactions that nobody asked for, and the
//! collection of garbage.
//!
//! It sleeps until a commit pushes a relation over a threshold, until one comes due by age, or for
//! an interval while garbage may wait for old snapshots to go. While it sleeps it holds no handle on
//! the shard, so a store that is dropped ends it.

use crate::compaction::{self, Extent};
use crate::error::{ErrorKind, Result};
use crate::hot::{ChunkLimit, Family};
use crate::key::KeyRange;
use crate::namespace::Namespace;
use crate::pressure::Due;
use crate::store::Shard;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The shortest time between two looks at the garbage.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The running background task. Dropped, it stops after the piece of work it is at.
#[derive(Debug)]
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Background {
    /// Starts it.
    pub(crate) fn start(shard: &Arc<Shard>) -> Background {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(Arc::downgrade(shard), stopped));
        Background { stop, task }
    }

    /// Stops it after the piece of work it is at, and waits for that.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the background task of the cold tier panicked");
        }
    }
}

async fn run(shard: Weak<Shard>, mut stopped: watch::Receiver<bool>) {
    let Some(first) = shard.upgrade() else { return };
    let interval = first.options.flush.interval.max(MIN_INTERVAL);
    let bell = first.cold.pressure.bell();
    if let Err(error) = first.collect_orphans().await {
        tracing::warn!(%error, "orphans of the cold tier were not collected");
    }
    drop(first);
    let mut tick = Instant::now();
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        let Some(shard) = shard.upgrade() else { return };
        if tick <= Instant::now() {
            if let Err(error) = collect(&shard).await {
                tracing::warn!(%error, "garbage of the cold tier was not collected");
            }
            tick = Instant::now() + interval;
        }
        if let Some(due) = shard.cold.pressure.take_due() {
            look_at(&shard, &due).await;
            continue;
        }
        let until = shard.cold.pressure.next_deadline().map_or(tick, |at| at.min(tick));
        drop(shard);
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep_until(until) => {}
            _ = stopped.changed() => {}
        }
    }
}

async fn collect(shard: &Arc<Shard>) -> Result<()> {
    shard.collect_garbage().await?;
    shard.collect_dropped().await.map(|_| ())
}

async fn look_at(shard: &Arc<Shard>, due: &Due) {
    let namespace = Namespace::of(Arc::clone(shard), due.namespace, Arc::clone(&due.owner));
    let relation = due.layout.relation;
    match relieve(&namespace, due).await {
        Ok(()) => {}
        // Overtaken, or by now of another shape: the next commit brings the relation up again.
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid) => {
            tracing::debug!(namespace = %due.namespace, %relation, %error, "a flush was overtaken");
        }
        Err(error) => {
            tracing::warn!(namespace = %due.namespace, %relation, %error, "a flush failed");
        }
    }
}

/// Flushes a relation if it really has grown, and merges its segments if they are too many.
async fn relieve(namespace: &Namespace, due: &Due) -> Result<()> {
    let policy = namespace.shard.options.flush;
    // Many writes may have gone to few rows. Those stay hot, and counting begins again.
    let enough_bytes = if due.aged { policy.min_flush_bytes } else { policy.max_hot_bytes / 2 };
    let enough_rows = if due.aged { u64::MAX } else { policy.max_hot_rows / 2 };
    if !has(namespace, due, enough_rows, enough_bytes).await? {
        namespace.shard.uses.forget(due.namespace, due.layout.relation);
        return Ok(());
    }
    let pressure = &namespace.cold().pressure;
    namespace.flush_if(&due.layout, || pressure.is_current()).await?;
    let snapshot = namespace.shard.snapshot();
    let cold = namespace.cold();
    let manifest = cold.manifest(&snapshot, due.namespace, due.layout.relation).await?;
    drop(snapshot);
    let (runs, size) = (policy.max_segments, policy.segment_bytes);
    if manifest.is_some_and(|manifest| compaction::is_due(&manifest.segments, runs, size)) {
        namespace.compact_if(&due.layout, Extent::Some, || pressure.is_current()).await?;
    }
    Ok(())
}

/// Whether a relation has so many hot rows, or rows of so many bytes.
async fn has(
    namespace: &Namespace,
    due: &Due,
    enough_rows: u64,
    enough_bytes: u64,
) -> Result<bool> {
    let snapshot = namespace.shard.snapshot();
    let mut range = KeyRange::all().absolute(due.namespace, due.layout.relation);
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    loop {
        let read = snapshot.hot().scan(Family::Rows, &range, false, ChunkLimit::default()).await?;
        let size = |i: usize| (read.key(i).len() + read.value(i).len()) as u64;
        rows += read.len() as u64;
        bytes += (0..read.len()).map(size).sum::<u64>();
        if bytes >= enough_bytes || rows >= enough_rows {
            return Ok(true);
        }
        match read.last_key() {
            Some(last) if read.more() => range.after(last, false),
            _ => return Ok(false),
        }
        tokio::task::yield_now().await;
    }
}
