//! Compaction: adjacent segments of a relation become one.
//!
//! Segments are ordered by age, so any run of neighbours may be merged: of each key the newest row
//! stays, and a tombstone stays only while an older segment outside the run may hold its key. Rows
//! are streamed; readers of older snapshots keep the old segments until they are done.

use crate::commit::{Trim, failpoint};
use crate::error::{Error, Result};
use crate::flush::{FlushReport, Output, Publish, sorted};
use crate::key::KeyRange;
use crate::layout::Layout;
use crate::manifest::SegmentEntry;
use crate::merge::{Merge, Source};
use crate::namespace::Namespace;
use crate::segment::read::Projection;
use crate::segment::source::SegmentSource;
use crate::snapshot::Snapshot;
use std::ops::Range;
use std::sync::Arc;

/// Which segments a compaction may merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that gain by it: `VACUUM`.
    All,
    /// As few as bring the number of overlapping runs down again.
    Some,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Segments merged.
    pub merged: usize,
    /// Segments written in their place.
    pub segments: usize,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Namespace {
    /// Merges the segments of a relation, so that no row is there twice and no tombstone is left.
    ///
    /// Fails as [`Namespace::flush`] does.
    pub async fn compact(&self, layout: &Arc<Layout>) -> Result<CompactReport> {
        self.compact_if(layout, Extent::All, || true).await
    }

    /// Merges some segments, if `current` still says so once commits know of it.
    pub(crate) async fn compact_if(
        &self,
        layout: &Arc<Layout>,
        extent: Extent,
        current: impl Fn() -> bool,
    ) -> Result<CompactReport> {
        let cold = self.cold();
        let _turn = cold.turn(self.id(), layout.relation).await;
        let _slot = cold.slots.acquire().await.map_err(|_| Error::closed())?;
        let mark = self.shard.begin_flush(self.id(), layout.relation).await?;
        if !current() {
            return Err(Error::conflict("the relation was replaced"));
        }
        let held = cold.manifest(&mark.snapshot, self.id(), layout.relation).await?;
        let Some(held) = held else { return Ok(CompactReport::default()) };
        let policy = self.shard.options.flush;
        let chosen = match extent {
            Extent::All => whole(&held.segments, policy.segment_bytes),
            Extent::Some => part(&held.segments, policy.max_segments, policy.segment_bytes),
        };
        let Some(chosen) = chosen else { return Ok(CompactReport::default()) };
        failpoint("compaction::begin")?;
        let (older, run) = (&held.segments[..chosen.start], &held.segments[chosen.clone()]);
        let directory = self.segment_directory(layout)?;
        let tombstones = !older.is_empty() && run.iter().any(|segment| segment.tombstones > 0);
        let mut output = Output::begin(self, layout, directory.clone(), tombstones).await;
        if let Err(error) = self.merge(layout, older, run, &mut output).await {
            output.discard().await;
            return Err(error);
        }
        let mut segments = older.to_vec();
        segments.extend(output.entries().cloned());
        segments.extend(held.segments[chosen.end..].iter().cloned());
        let next = held.next(layout, &directory, segments);
        let FlushReport { rows, bytes, segments, .. } = output.report();
        let publish = Publish { namespace: self, held: Some(&held), next: &next };
        let paths: Vec<String> = run.iter().map(|segment| segment.path.clone()).collect();
        let protected = cold.writing.protect(paths.clone());
        let after: Snapshot = publish.run(mark, output, Trim::Nothing).await?;
        cold.garbage.add(after.generation(), paths);
        drop((protected, after));
        self.shard.collect_garbage().await?;
        let report = CompactReport { merged: chosen.len(), segments, rows, bytes };
        tracing::debug!(namespace = %self.id(), relation = %layout.relation, ?report, "compacted");
        Ok(report)
    }

    async fn merge(
        &self,
        layout: &Arc<Layout>,
        older: &[Arc<SegmentEntry>],
        run: &[Arc<SegmentEntry>],
        output: &mut Output<'_>,
    ) -> Result<()> {
        let projection = Arc::new(Projection::whole(layout)?);
        let segments = self.cold().segments();
        let mut sources = Vec::with_capacity(run.len());
        for entry in run.iter().rev() {
            let last = segments.open(entry).await?.last_attribute();
            if usize::try_from(last).is_ok_and(|last| last > layout.columns.len()) {
                return Err(Error::invalid("a segment is newer than the layout it is merged with"));
            }
            sources.push(Source::Segment(Box::new(SegmentSource::new(
                segments.clone(),
                Arc::clone(entry),
                Arc::clone(&projection),
                KeyRange::all(),
                false,
            ))));
        }
        let mut merge = Merge::new(sources, false);
        let hides = |key: &[u8]| older.iter().any(|segment| segment.spans(key));
        while let Some((chunk, first, rows)) = merge.next_run(usize::MAX).await? {
            chunk.keys()?;
            let chunk = chunk.slice(first, rows)?;
            if let Some(rows) = sorted(&chunk, layout, &projection.key, hides)? {
                output.write(&rows).await?;
            }
            tokio::task::yield_now().await;
        }
        output.finish().await
    }
}

/// Everything, if there is anything to gain: overlaps, tombstones or small files.
fn whole(segments: &[Arc<SegmentEntry>], segment_bytes: u64) -> Option<Range<usize>> {
    let small = |s: &&Arc<SegmentEntry>| s.bytes < segment_bytes / 2;
    let gain = runs(segments).len() > 1
        || segments.iter().any(|s| s.tombstones > 0)
        || segments.iter().filter(small).count() > 1;
    gain.then_some(0..segments.len())
}

/// The newest segments, as many as bring the runs down to half of what is allowed, and older ones
/// while they are no larger than what is merged anyway: each row is rewritten a logarithmic number
/// of times. Runs without overlap cost readers nothing and count as one.
fn part(
    segments: &[Arc<SegmentEntry>],
    max_runs: usize,
    segment_bytes: u64,
) -> Option<Range<usize>> {
    let runs = runs(segments);
    let small = segments.iter().rev().take_while(|s| s.bytes < segment_bytes / 4).count();
    let mut start = if runs.len() > max_runs {
        runs[max_runs / 2].start
    } else if small > max_runs.saturating_mul(4) {
        segments.len() - small
    } else {
        return None;
    };
    let mut total: u64 = segments[start..].iter().map(|s| s.bytes).sum();
    while start > 0 && segments[start - 1].bytes <= total {
        start -= 1;
        total += segments[start].bytes;
    }
    (segments.len() - start > 1).then_some(start..segments.len())
}

/// Neighbours whose keys ascend without overlap, as ranges of places.
fn runs(segments: &[Arc<SegmentEntry>]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let follows = at > 0 && segments[at - 1].key_max < segment.key_min;
        match runs.last_mut() {
            Some(run) if follows => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Whether a relation has so many runs that some should be merged.
pub(crate) fn is_due(segments: &[Arc<SegmentEntry>], max_runs: usize, segment_bytes: u64) -> bool {
    part(segments, max_runs, segment_bytes).is_some()
}
