//! How long the log is kept: by time and by size, whichever is shorter.
//!
//! Now and then a sample says where the log stood: a time, the LSN, and the bytes of records
//! written until then. The cut-off is the LSN of the youngest sample that is old enough, or with
//! enough bytes after it. Samples are in the meta family, so that a restart forgets nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::commit::MetaChange;
use crate::error::{Error, Result};
use crate::hot::{Family, HotRange, scan_all};
use crate::id::Lsn;
use crate::meta;
use crate::options::Retention;
use crate::snapshot::Snapshot;
use crate::store::Shard;

/// The cut-off, and what the next one is found by.
#[derive(Debug)]
pub(crate) struct LogClock {
    cutoff: AtomicU64,
    /// Bytes of records ever written.
    written: AtomicU64,
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    time_us: i64,
    lsn: Lsn,
    written: u64,
}

/// Most samples kept; with more, every second one goes.
const MAX_SAMPLES: usize = 4096;

impl LogClock {
    /// Records of a smaller LSN are gone.
    pub(crate) fn cutoff(&self) -> Lsn {
        Lsn(self.cutoff.load(Ordering::Acquire))
    }

    /// The commit leader tells how many bytes of records it wrote.
    pub(crate) fn wrote(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    fn samples(&self) -> std::sync::MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the books of the log.
pub(crate) async fn open_clock(snapshot: &Snapshot) -> Result<LogClock> {
    let number = |bytes: &[u8]| -> Result<u64> {
        let bytes = bytes.try_into().map_err(|_| Error::corrupt("malformed number in meta"))?;
        Ok(u64::from_be_bytes(bytes))
    };
    let cutoff = snapshot.hot().get(Family::Meta, meta::LOG_CUTOFF).await?;
    let cutoff = cutoff.map_or(Ok(0), |bytes| number(&bytes))?;
    let mut samples = VecDeque::new();
    for (key, value) in scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"T")).await? {
        let time_us = number(key.get(1..).unwrap_or_default())?.cast_signed();
        let lsn = Lsn(number(value.get(..8).unwrap_or_default())?);
        let written = number(value.get(8..).unwrap_or_default())?;
        samples.push_back(Sample { time_us, lsn, written });
    }
    let written = samples.back().map_or(0, |sample| sample.written);
    Ok(LogClock {
        cutoff: AtomicU64::new(cutoff),
        written: AtomicU64::new(written),
        samples: Mutex::new(samples),
    })
}

/// Takes a sample at `now_us` and moves the cut-off as the policy wants.
pub(crate) async fn enforce(shard: &Arc<Shard>, now_us: i64, policy: &Retention) -> Result<()> {
    let clock = &shard.log_clock;
    let written = clock.written.load(Ordering::Relaxed);
    let sample = Sample { time_us: now_us, lsn: shard.snapshot().lsn(), written };
    let (cutoff, mut changes) = next(&mut clock.samples(), sample, policy);
    if let Some(cutoff) = cutoff.filter(|cutoff| *cutoff > clock.cutoff()) {
        changes.push(cutoff_change(cutoff));
        shard.change_meta(changes, false).await?;
        apply(shard, cutoff);
    } else if !changes.is_empty() {
        shard.change_meta(changes, false).await?;
    }
    Ok(())
}

/// Cuts off everything before `cutoff`, whatever the policy says.
pub(crate) async fn cut(shard: &Arc<Shard>, cutoff: Lsn) -> Result<()> {
    // Past the end there is nothing to cut, and what comes next is not to be cut ahead of time.
    let cutoff = cutoff.min(shard.snapshot().lsn().next());
    if cutoff > shard.log_clock.cutoff() {
        shard.change_meta(vec![cutoff_change(cutoff)], false).await?;
        apply(shard, cutoff);
    }
    Ok(())
}

fn cutoff_change(cutoff: Lsn) -> MetaChange {
    let value = Bytes::copy_from_slice(&cutoff.0.to_be_bytes());
    MetaChange { key: Bytes::from_static(meta::LOG_CUTOFF), value: Some(value) }
}

/// The books say so already: what vanishes now is gone after a restart too.
fn apply(shard: &Arc<Shard>, cutoff: Lsn) {
    shard.log_clock.cutoff.fetch_max(cutoff.0, Ordering::AcqRel);
    shard.hot.trim_log(cutoff);
}

fn next(
    samples: &mut VecDeque<Sample>,
    sample: Sample,
    policy: &Retention,
) -> (Option<Lsn>, Vec<MetaChange>) {
    let mut changes = Vec::new();
    let news = samples.back().is_none_or(|last| last.lsn < sample.lsn);
    if news {
        let mut value = Vec::with_capacity(16);
        value.extend_from_slice(&sample.lsn.0.to_be_bytes());
        value.extend_from_slice(&sample.written.to_be_bytes());
        samples.push_back(sample);
        changes.push(MetaChange {
            key: Bytes::copy_from_slice(&meta::log_sample(sample.time_us)),
            value: Some(Bytes::from(value)),
        });
    }
    let oldest_us = sample.time_us.saturating_sub(micros(policy.time));
    let mut cutoff = None;
    while let Some(first) = samples.front().copied() {
        let old = first.time_us <= oldest_us;
        let large = sample.written.saturating_sub(first.written) > policy.bytes;
        if !(old || large) {
            break;
        }
        // The record at the sample's LSN is as old as the sample; the cut-off itself is kept.
        cutoff = Some(first.lsn.next());
        samples.pop_front();
        changes.push(remove(first));
    }
    if samples.len() > MAX_SAMPLES {
        let mut keep = false;
        samples.retain(|sample| {
            keep = !keep;
            if !keep {
                changes.push(remove(*sample));
            }
            keep
        });
    }
    (cutoff, changes)
}

fn remove(sample: Sample) -> MetaChange {
    let key = Bytes::copy_from_slice(&meta::log_sample(sample.time_us));
    MetaChange { key, value: None }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cutoff_follows_time_and_size() {
        let policy = Retention { time: Duration::from_micros(100), bytes: 50 };
        let mut samples = VecDeque::new();
        let mut at = |time_us, lsn, written| {
            next(&mut samples, Sample { time_us, lsn: Lsn(lsn), written }, &policy).0
        };
        assert_eq!(at(0, 10, 10), None);
        assert_eq!(at(50, 20, 20), None);
        assert_eq!(at(100, 25, 21), Some(Lsn(11)), "the first sample is old enough");
        assert_eq!(at(110, 30, 80), Some(Lsn(26)), "too many bytes since the next two");
        assert_eq!(at(111, 30, 80), None, "nothing new");
    }
}
