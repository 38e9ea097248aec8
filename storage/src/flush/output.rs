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
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who is at work where in the cold tier: what is being written is no orphan, though no manifest
/// names it yet, and nobody writes where a directory is being removed.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    state: Mutex<Paths>,
    given_back: Notify,
}

/// What [`Writing`] knows at some moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    segments: HashSet<String>,
    /// Directories, with the number of those who write there.
    entered: HashMap<String, usize>,
    /// Directories, with the number of those who remove what is there and below.
    claimed: HashMap<String, usize>,
}

impl Paths {
    /// Whether a segment is being written.
    pub(crate) fn has_segment(&self, path: &str) -> bool {
        self.segments.contains(path)
    }

    /// Whether somebody writes in the directory of an object.
    pub(crate) fn writes_beside(&self, path: &str) -> bool {
        path.rsplit_once('/').is_some_and(|(directory, _)| self.entered.contains_key(directory))
    }
}

impl Writing {
    /// What is being written now.
    pub(crate) fn now(&self) -> Paths {
        self.lock().clone()
    }

    /// Whether a segment is being written.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.lock().has_segment(path)
    }

    /// Keeps these segments from being taken for orphans while they leave a manifest.
    pub(crate) fn protect(self: &Arc<Self>, paths: Vec<String>) -> Reserved {
        self.lock().segments.extend(paths.iter().cloned());
        Reserved { writing: Arc::clone(self), paths }
    }

    /// Begins to write in a directory, once nobody removes what was there before.
    async fn enter(self: &Arc<Self>, directory: &str) -> Entered {
        loop {
            let given_back = self.given_back.notified();
            {
                let mut state = self.lock();
                if !state.claimed.keys().any(|claimed| is_within(directory, claimed)) {
                    *state.entered.entry(directory.to_owned()).or_default() += 1;
                    return Entered { writing: Arc::clone(self), directory: directory.to_owned() };
                }
            }
            given_back.await;
        }
    }

    /// Keeps writers out of these directories and of what is below them; `None` if there are some.
    pub(crate) fn claim(self: &Arc<Self>, directories: Vec<String>) -> Option<Claim> {
        let mut state = self.lock();
        let in_use =
            |directory: &String| state.entered.keys().any(|entered| is_within(entered, directory));
        if directories.iter().any(in_use) {
            return None;
        }
        for directory in &directories {
            *state.claimed.entry(directory.clone()).or_default() += 1;
        }
        Some(Claim { writing: Arc::clone(self), directories })
    }

    fn lock(&self) -> MutexGuard<'_, Paths> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn leave(directories: &mut HashMap<String, usize>, directory: &str) {
    if let Some(count) = directories.get_mut(directory) {
        *count -= 1;
        if *count == 0 {
            directories.remove(directory);
        }
    }
}

/// A directory that is written in, until this is dropped.
struct Entered {
    writing: Arc<Writing>,
    directory: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        leave(&mut self.writing.lock().entered, &self.directory);
    }
}

/// Directories that nobody writes in, until this is dropped.
pub(crate) struct Claim {
    writing: Arc<Writing>,
    directories: Vec<String>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.writing.lock();
        for directory in &self.directories {
            leave(&mut state.claimed, directory);
        }
        drop(state);
        self.writing.given_back.notify_waiters();
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
    _entered: Entered,
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
            writing.segments.remove(path);
        }
    }
}

impl<'a> Output<'a> {
    /// Segments in `directory`; nothing is written yet.
    pub(crate) async fn begin(
        namespace: &'a Namespace,
        layout: &Arc<Layout>,
        directory: Path,
        tombstones: bool,
    ) -> Output<'a> {
        let writing = Arc::clone(&namespace.cold().writing);
        let entered = writing.enter(directory.as_ref()).await;
        Output {
            namespace,
            layout: Arc::clone(layout),
            directory,
            tombstones,
            current: None,
            done: Vec::new(),
            reserved: Reserved { writing, paths: Vec::new() },
            _entered: entered,
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
            if writing.segments.insert(path.clone()) {
                self.reserved.paths.push(path.clone());
                return Path::parse(path)
                    .map_err(|e| Error::invalid(format!("a segment cannot be named: {e}")));
            }
            number += 1;
        }
    }
}
