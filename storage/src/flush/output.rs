//! The segments that one flush or compaction writes.

use super::FlushReport;
use crate::commit::failpoint;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::manifest::SegmentEntry;
use crate::namespace::Namespace;
use crate::path;
use crate::segment::write::{SegmentWriter, SortedRows};
use object_store::path::Path;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Paths of segments that no manifest names yet, though they are no orphans.
#[derive(Debug, Default)]
pub(crate) struct Writing(Mutex<HashSet<String>>);

impl Writing {
    /// Whether a segment is being written.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.lock().contains(path)
    }

    /// Keeps these segments from being taken for orphans while they leave a manifest.
    pub(crate) fn protect(self: &Arc<Self>, paths: Vec<String>) -> Reserved {
        self.lock().extend(paths.iter().cloned());
        Reserved { writing: Arc::clone(self), paths }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Segments in the making, one after another in key order.
pub(crate) struct Output<'a> {
    namespace: &'a Namespace,
    layout: Arc<Layout>,
    directory: Path,
    tombstones: bool,
    current: Option<SegmentWriter>,
    done: Vec<Arc<SegmentEntry>>,
    reserved: Reserved,
}

/// Paths entered in [`Writing`], until this is dropped.
pub(crate) struct Reserved {
    writing: Arc<Writing>,
    paths: Vec<String>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut writing = self.writing.lock();
        for path in &self.paths {
            writing.remove(path);
        }
    }
}

impl<'a> Output<'a> {
    /// Segments in `directory`; nothing is written yet.
    pub(crate) fn new(
        namespace: &'a Namespace,
        layout: &Arc<Layout>,
        directory: Path,
        tombstones: bool,
    ) -> Output<'a> {
        let writing = Arc::clone(&namespace.cold().writing);
        Output {
            namespace,
            layout: Arc::clone(layout),
            directory,
            tombstones,
            current: None,
            done: Vec::new(),
            reserved: Reserved { writing, paths: Vec::new() },
        }
    }

    /// Appends rows, all after those before.
    pub(crate) async fn write(&mut self, rows: &SortedRows) -> Result<()> {
        let policy = self.namespace.shard.options.flush;
        if self.current.is_none() {
            let path = self.reserve().await?;
            self.current = Some(SegmentWriter::create(
                self.namespace.cold().objects(),
                path,
                &self.layout,
                self.tombstones,
                policy.row_group_rows,
            )?);
        }
        let Some(writer) = &mut self.current else { return Ok(()) };
        writer.write(rows).await?;
        if writer.bytes() >= policy.segment_bytes {
            self.finish().await?;
        }
        Ok(())
    }

    /// Ends the present segment and makes it durable.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        let Some(writer) = self.current.take() else { return Ok(()) };
        let Some(entry) = writer.finish().await? else { return Ok(()) };
        let path = entry.location()?;
        self.done.push(Arc::new(entry));
        failpoint("flush::segment_written")?;
        self.namespace.cold().objects().sync(&path).await?;
        failpoint("flush::segment_synced")
    }

    /// The segments that are complete.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<SegmentEntry>> {
        self.done.iter()
    }

    /// What was written.
    pub(crate) fn report(&self) -> FlushReport {
        FlushReport {
            rows: self.done.iter().map(|s| s.rows).sum(),
            tombstones: self.done.iter().map(|s| s.tombstones).sum(),
            bytes: self.done.iter().map(|s| s.bytes).sum(),
            segments: self.done.len(),
        }
    }

    /// The segments are in a manifest now.
    pub(crate) fn keep(self) {}

    /// Removes what was written; what cannot be removed is an orphan.
    pub(crate) async fn discard(mut self) {
        if let Some(writer) = self.current.take() {
            writer.abort().await;
        }
        for entry in &self.done {
            let removed = match entry.location() {
                Ok(path) => self.namespace.cold().objects().delete(&path).await,
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                tracing::debug!(path = entry.path, %error, "an orphan is left for the collector");
            }
        }
    }

    /// The next free number in the directory: greater than all there and all being written.
    async fn reserve(&mut self) -> Result<Path> {
        let names = self.namespace.cold().objects().names(&self.directory).await?;
        let there = names.iter().filter_map(|name| path::segment_number(name)).max();
        let mut writing = self.reserved.writing.lock();
        let mut number = there.unwrap_or(0) + 1;
        loop {
            let path = format!("{}/{}", self.directory, path::segment_name(number));
            if writing.insert(path.clone()) {
                self.reserved.paths.push(path.clone());
                return Path::parse(path)
                    .map_err(|e| Error::invalid(format!("a segment cannot be named: {e}")));
            }
            number += 1;
        }
    }
}
