//! Flush: hot rows of one relation in one namespace become a segment.
//!
//! 1. The commit leader begins to note the keys that commits touch, and gives a snapshot.
//! 2. The hot rows of the snapshot are read in chunks and written out, sorted as they come.
//! 3. The segment is synced, file and directory; then `manifest.json`, and that is synced.
//! 4. One batch points at the new manifest and trims the hot rows read, but not those touched.
//!
//! A crash before the last step leaves an orphan, which is collected; a row touched meanwhile is in
//! both tiers, which the overlay makes one. There is no third case. A flush overtaken by TRUNCATE,
//! DROP or more writes than can be noted ends with `Conflict` and has changed nothing.

mod output;

use crate::chunk::Chunk;
use crate::commit::{MetaChange, Trim, failpoint};
use crate::error::{Error, ErrorKind, Result};
use crate::hot::{ChunkLimit, Family};
use crate::id::NamespaceId;
use crate::key::KeyRange;
use crate::layout::Layout;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::meta;
use crate::namespace::Namespace;
use crate::path;
use crate::row::StoredRow;
use crate::scan::hot_source::HotSource;
use crate::segment::keys::KeyColumns;
use crate::segment::read::Projection;
use crate::segment::write::SortedRows;
use crate::snapshot::Snapshot;
use arrow::array::{Array, ArrayRef, BooleanArray};
use bytes::Bytes;
use object_store::path::Path;
pub(crate) use output::{Output, Writing};
use std::sync::Arc;

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Rows that are now cold.
    pub rows: u64,
    /// Tombstones written beside them.
    pub tombstones: u64,
    /// Bytes of the new segments.
    pub bytes: u64,
    /// New segments.
    pub segments: usize,
}

impl Namespace {
    /// Moves the hot rows of a relation into a new segment.
    ///
    /// `layout` is the relation's present shape; the caller sees to it that none replaces it
    /// meanwhile by writing the rows anew.
    /// Waits for another flush or compaction of the relation that runs. Rows changed meanwhile stay
    /// hot. Fails with `Conflict` if the relation is truncated, dropped or rewritten meanwhile:
    /// nothing is changed then; with `Invalid` if `layout` is older than a row; with `Unavailable`
    /// or `Full` if the device or object store refuses.
    pub async fn flush(&self, layout: &Arc<Layout>) -> Result<FlushReport> {
        self.flush_if(layout, || true).await
    }

    /// As [`Namespace::flush`], if `current` still says so once commits note what they touch.
    pub(crate) async fn flush_if(
        &self,
        layout: &Arc<Layout>,
        current: impl Fn() -> bool,
    ) -> Result<FlushReport> {
        let cold = self.cold();
        let _turn = cold.turn(self.id(), layout.relation).await;
        let _slot = cold.slots.acquire().await.map_err(|_| Error::closed())?;
        let mark = self.shard.begin_flush(self.id(), layout.relation).await?;
        failpoint("flush::begin")?;
        if !current() {
            return Err(Error::conflict("the relation was replaced"));
        }
        let snapshot = mark.snapshot.clone();
        let held = cold.manifest(&snapshot, self.id(), layout.relation).await?;
        let directory = self.segment_directory(layout)?;
        let older = held.as_deref().map_or(&[][..], |manifest| &manifest.segments);
        // Without an older segment a tombstone has nothing to hide.
        let tombstones = !older.is_empty() && any_tombstone(&snapshot, self.id(), layout).await?;
        let mut output = Output::begin(self, layout, directory.clone(), tombstones).await;
        let projection = Arc::new(Projection::whole(layout)?);
        let keys = Arc::clone(&projection.key);
        let range = KeyRange::all();
        let mut hot = HotSource::new(snapshot.clone(), self.id(), &range, false, projection);
        let written: Result<usize> = async {
            let mut chunks = 0;
            while let Some(chunk) = hot.load().await? {
                chunks += 1;
                let hides = |key: &[u8]| older.iter().any(|segment| segment.spans(key));
                if let Some(rows) = sorted(&chunk, layout, &keys, hides)? {
                    output.write(&rows).await?;
                }
                tokio::task::yield_now().await;
            }
            output.finish().await?;
            Ok(chunks)
        }
        .await;
        drop((hot, snapshot));
        match written {
            Err(error) => {
                output.discard().await;
                return Err(error);
            }
            Ok(0) => return Ok(FlushReport::default()),
            Ok(_) => {}
        }
        let mut segments = older.to_vec();
        segments.extend(output.entries().cloned());
        let first = || Manifest::empty(self.id(), layout, &directory);
        let next =
            held.as_deref().cloned().unwrap_or_else(first).next(layout, &directory, segments);
        let report = output.report();
        let commit = Publish { namespace: self, held: held.as_deref(), next: &next };
        commit.run(mark, output, Trim::Range(KeyRange::all())).await?;
        self.shard.uses.forget(self.id(), layout.relation);
        tracing::debug!(namespace = %self.id(), relation = %layout.relation, ?report, "flushed");
        Ok(report)
    }
}

impl Namespace {
    /// Where new segments of a relation go.
    pub(crate) fn segment_directory(&self, layout: &Layout) -> Result<Path> {
        let table = path::relation_component(&layout.directory, layout.relation);
        Path::parse(format!("{}/{table}", self.owner().directory()))
            .map_err(|e| Error::invalid(format!("a directory cannot be named: {e}")))
    }
}

/// Whether a relation has tombstones among its hot rows.
async fn any_tombstone(at: &Snapshot, namespace: NamespaceId, layout: &Layout) -> Result<bool> {
    let mut range = KeyRange::all().absolute(namespace, layout.relation);
    loop {
        let read = at.hot().scan(Family::Rows, &range, false, ChunkLimit::default()).await?;
        for i in 0..read.len() {
            if StoredRow::split(read.value(i))?.1 {
                return Ok(true);
            }
        }
        match read.last_key() {
            Some(last) if read.more() => range.after(last, false),
            _ => return Ok(false),
        }
    }
}

/// Hot rows as a segment takes them: tombstones that hide nothing left out, the others given their
/// key columns. `None` if nothing is left.
pub(crate) fn sorted(
    chunk: &Chunk,
    layout: &Layout,
    keys: &KeyColumns,
    hides: impl Fn(&[u8]) -> bool,
) -> Result<Option<SortedRows>> {
    let all = chunk.keys()?;
    let Some(deleted) = &chunk.deleted else {
        return Ok(Some(SortedRows {
            keys: all.to_vec(),
            lsns: chunk.lsns.values().to_vec(),
            deleted: None,
            columns: chunk.columns.clone(),
        }));
    };
    let decoded = keys.decode(all.iter())?;
    let mut columns = chunk.columns.clone();
    for (place, column) in layout.key.iter().zip(decoded) {
        if let Some(at) = layout.place(*place) {
            let zipped = arrow::compute::kernels::zip::zip(deleted, &column, &columns[at]);
            columns[at] = zipped.map_err(Error::arrow)?;
        }
    }
    let kept = |row: usize| !deleted.value(row) || hides(&all[row]);
    let kept: BooleanArray = (0..all.len()).map(|row| Some(kept(row))).collect();
    if kept.true_count() == 0 {
        return Ok(None);
    }
    let filter = |array: &dyn Array| arrow::compute::filter(array, &kept).map_err(Error::arrow);
    let columns = columns.iter().map(|c| filter(c.as_ref())).collect::<Result<Vec<ArrayRef>>>()?;
    let rows = || (0..all.len()).filter(|row| kept.value(*row));
    Ok(Some(SortedRows {
        keys: rows().map(|row| all[row].clone()).collect(),
        lsns: rows().map(|row| chunk.lsns.value(row)).collect(),
        deleted: Some(rows().map(|row| Some(deleted.value(row))).collect()),
        columns,
    }))
}

/// The last steps of a flush or compaction: the export, then the batch.
pub(crate) struct Publish<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) held: Option<&'a Manifest>,
    pub(crate) next: &'a Manifest,
}

impl Publish<'_> {
    /// Returns the first snapshot that shows the new manifest.
    pub(crate) async fn run(
        &self,
        mark: crate::commit::FlushMark,
        output: Output<'_>,
        trim: Trim,
    ) -> Result<Snapshot> {
        let objects = self.namespace.cold().objects();
        let (namespace, relation) = self.next.owner();
        // A relation whose rows were all deleted needs no manifest.
        let keep = !self.next.segments.is_empty();
        let prepared: Result<Vec<MetaChange>> = async {
            if !keep && self.held.is_none() {
                return Ok(Vec::new());
            }
            objects.put(&export_path(&self.next.directory)?, self.next.to_json()?).await?;
            failpoint("flush::manifest_written")?;
            let key = Bytes::copy_from_slice(&meta::manifest(namespace, relation));
            let value = if keep { Some(self.next.to_record()?) } else { None };
            Ok(vec![MetaChange { key, value }])
        }
        .await;
        let changes = match prepared {
            Ok(changes) => changes,
            Err(error) => {
                output.discard().await;
                return Err(error);
            }
        };
        match mark.finish(changes, trim).await {
            Ok(snapshot) => {
                output.keep();
                if let Some(held) = self.held.filter(|h| h.directory != self.next.directory) {
                    // The table was renamed: its export has moved.
                    self.namespace.shard.remove_export(&held.directory).await?;
                }
                Ok(snapshot)
            }
            Err(error) => {
                // Whether a batch that failed otherwise survives is not known before the next open.
                if error.kind() == ErrorKind::Conflict {
                    output.discard().await;
                }
                Err(error)
            }
        }
    }
}

/// Where the export of a manifest lies.
pub(crate) fn export_path(directory: &str) -> Result<Path> {
    Path::parse(format!("{directory}/{MANIFEST_NAME}"))
        .map_err(|e| Error::corrupt(format!("a manifest names no directory: {e}")))
}

#[cfg(test)]
mod tests;
