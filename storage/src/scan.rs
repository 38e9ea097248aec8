//! Scans: the rows of a relation at one snapshot, in key or index order, batch by batch.
//!
//! A transaction's own writes lie over the hot rows, those over the segments, the latest first. A
//! scan holds its snapshot, hence everything it may still read, until it is dropped; between two
//! batches it holds nothing else but its place.

pub(crate) mod hot_source;
mod index_source;
pub(crate) mod writes_source;

use crate::chunk::{Picked, Shape};
use crate::error::{Error, Result};
use crate::key::KeyRange;
use crate::layout::{Access, Layout};
use crate::merge::{Merge, Source};
use crate::namespace::Namespace;
use crate::segment::read::Projection;
use crate::segment::source::SegmentSource;
use crate::snapshot::Snapshot;
use crate::write_set::WriteSet;
use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use hot_source::HotSource;
use index_source::IndexSource;
use std::sync::Arc;
use writes_source::WritesSource;

/// Most rows of a batch.
pub const MAX_BATCH_ROWS: usize = 8192;

/// Index entries followed in the first step of an index scan; each next step takes more.
const FIRST_ENTRIES: usize = 64;
const ENTRIES_GROWTH: usize = 8;

/// Which rows a scan gives, in which order and form.
#[derive(Clone, Debug)]
pub struct ScanSpec {
    /// The order of the rows, and what `range` is a range of.
    pub access: Access,
    /// Keys, or index keys, to give.
    pub range: KeyRange,
    /// From the end of the range to its start.
    pub reverse: bool,
    /// Wanted columns: places in `Layout::columns`.
    pub columns: Vec<usize>,
    /// Whether each batch begins with a Binary column `_key`, the rows' keys.
    pub key: bool,
    /// Whether a UInt64 column `_lsn` comes before the wanted ones; 0 is a row of the own write set.
    pub lsn: bool,
    /// The most rows to give in all.
    pub limit: Option<usize>,
    /// The most rows of one batch, itself at most [`MAX_BATCH_ROWS`].
    pub batch_rows: usize,
}

impl ScanSpec {
    /// All rows, these columns, in key order.
    pub fn new(columns: Vec<usize>) -> ScanSpec {
        ScanSpec {
            access: Access::Primary,
            range: KeyRange::all(),
            reverse: false,
            columns,
            key: false,
            lsn: false,
            limit: None,
            batch_rows: MAX_BATCH_ROWS,
        }
    }
}

impl Namespace {
    /// The rows of a relation that `spec` asks for, as `at` and `writes` show them.
    ///
    /// Batches are in key or index order, none is empty, and none has more rows than asked. Errors
    /// end the stream: `Invalid` for columns or indexes that are not there, `Corrupt` for damage,
    /// `Unavailable` if the device or object store refuses.
    pub fn scan(
        &self,
        at: Snapshot,
        writes: Option<Arc<WriteSet>>,
        layout: Arc<Layout>,
        spec: ScanSpec,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let start = Start { namespace: self.clone(), at, writes, layout, spec };
        let batches = stream::try_unfold(State::Start(Box::new(start)), |state| async {
            let mut scan = match state {
                State::Start(start) => start.open().await?,
                State::Running(scan) => scan,
            };
            Ok(scan.next().await?.map(|batch| (batch, State::Running(scan))))
        });
        batches.boxed()
    }
}

enum State {
    Start(Box<Start>),
    Running(Box<Scan>),
}

/// What a scan was asked, before anything is read.
struct Start {
    namespace: Namespace,
    at: Snapshot,
    writes: Option<Arc<WriteSet>>,
    layout: Arc<Layout>,
    spec: ScanSpec,
}

impl Start {
    async fn open(self) -> Result<Box<Scan>> {
        let Start { namespace, at, writes, layout, spec } = self;
        let projection = Arc::new(Projection::new(&layout, spec.columns)?);
        let shape = Shape::new(&projection.schema, spec.key, spec.lsn);
        let id = namespace.id();
        let own = writes.as_ref().and_then(|w| w.relation(id, layout.relation));
        // What the transaction truncated has nothing below its own rows.
        let replaced = own.is_some_and(|own| own.replaced.is_some());
        let writes = writes.clone().filter(|_| own.is_some());
        let cold = namespace.cold();
        let manifest = match replaced {
            true => None,
            false => cold.manifest(&at, id, layout.relation).await?,
        };
        let rows = match spec.access {
            Access::Index(index) => Rows::Index(Box::new(IndexSource {
                index: layout.index(index)?.relation,
                namespace: id,
                range: spec.range,
                reverse: spec.reverse,
                writes,
                projection,
                segments: cold.segments().clone(),
                manifest,
                snapshot: at,
                done: false,
            })),
            Access::Primary => {
                let (range, reverse) = (spec.range, spec.reverse);
                let mut sources = Vec::new();
                if let Some(writes) = writes {
                    let (range, projection) = (range.clone(), Arc::clone(&projection));
                    let source = WritesSource::new(writes, id, range, reverse, projection);
                    sources.push(Source::Writes(Box::new(source)));
                }
                if !replaced {
                    let projection = Arc::clone(&projection);
                    let source = HotSource::new(at.clone(), id, &range, reverse, projection);
                    sources.push(Source::Hot(Box::new(source)));
                }
                for entry in manifest.iter().flat_map(|m| m.segments.iter().rev()) {
                    if entry.meets(&range) && !range.is_empty() {
                        sources.push(Source::Segment(Box::new(SegmentSource::new(
                            cold.segments().clone(),
                            Arc::clone(entry),
                            Arc::clone(&projection),
                            range.clone(),
                            reverse,
                        ))));
                    }
                }
                Rows::Primary { merge: Merge::new(sources, reverse), _snapshot: at }
            }
        };
        Ok(Box::new(Scan {
            rows,
            shape,
            left: spec.limit.unwrap_or(usize::MAX),
            batch_rows: spec.batch_rows.clamp(1, MAX_BATCH_ROWS),
            entries: FIRST_ENTRIES,
        }))
    }
}

/// A scan under way.
struct Scan {
    rows: Rows,
    shape: Shape,
    /// Rows that the limit still allows.
    left: usize,
    batch_rows: usize,
    /// Index entries to follow in the next step.
    entries: usize,
}

enum Rows {
    /// The snapshot keeps the segments in place.
    Primary {
        merge: Merge,
        _snapshot: Snapshot,
    },
    Index(Box<IndexSource>),
}

impl Scan {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.left == 0 {
            return Ok(None);
        }
        let picked: Picked = match &mut self.rows {
            Rows::Primary { merge, .. } => merge.pick(self.batch_rows, self.left).await?,
            Rows::Index(index) => {
                let count = self.entries.min(self.batch_rows).min(self.left);
                self.entries = self.entries.saturating_mul(ENTRIES_GROWTH);
                index.pick(count).await?
            }
        };
        if picked.len() == 0 {
            return Ok(None);
        }
        if picked.len() > self.left {
            return Err(Error::invalid("a scan gave more rows than its limit"));
        }
        self.left -= picked.len();
        picked.into_batch(&self.shape).map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests;
