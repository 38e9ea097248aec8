//! Objects of the cold tier: where they are and how they reach the device.
//!
//! Everything cold goes through `object_store`. A store that acknowledges only what is durable
//! needs nothing more; a local directory does not, so what was written there is synced explicitly:
//! the file, then each directory up to the root, since a new directory's own name must last too.

use crate::error::{Error, Result};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::errors::{ParquetError, Result as ParquetResult};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWriteExt;

/// Bytes of one part of an upload, the least that object stores take.
const PART_BYTES: usize = 5 << 20;
/// Bytes of a local file that are read without leaving the thread.
const READ_ON_THE_SPOT_MAX: u64 = 1 << 20;
/// Most parts of one upload under way.
const PARTS_MAX: usize = 2;

/// The cold tier's object store.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    local: Option<PathBuf>,
}

impl Objects {
    /// Objects under a local directory, which exists.
    pub(crate) fn local(root: &std::path::Path) -> Result<Objects> {
        let store = LocalFileSystem::new_with_prefix(root).map_err(Error::object)?;
        Ok(Objects { store: Arc::new(store), local: Some(root.to_owned()) })
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Begins to write one object.
    pub(crate) fn sink(&self, path: &Path) -> (Sink, Arc<Mutex<Written>>) {
        let written = Arc::new(Mutex::new(Written::default()));
        let upload = BufWriter::with_capacity(Arc::clone(&self.store), path.clone(), PART_BYTES)
            .with_max_concurrency(PARTS_MAX);
        (Sink { upload, written: Arc::clone(&written) }, written)
    }

    /// Writes a small object whole and makes it durable.
    pub(crate) async fn put(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        self.store.put(path, bytes.into()).await.map_err(Error::object)?;
        self.sync(path).await
    }

    /// Reads a small object whole; `None` if there is none.
    pub(crate) async fn get(&self, path: &Path) -> Result<Option<Bytes>> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Error::object(error)),
        };
        Ok(Some(found.bytes().await.map_err(Error::object)?))
    }

    /// Reads parts of an object.
    ///
    /// Little of a local file is read on the spot, as the hot store reads its files: from the page
    /// cache that takes less than the way to another thread and back.
    pub(crate) async fn ranges(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> ParquetResult<Vec<Bytes>> {
        let bytes: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        match self.local.as_ref().filter(|_| bytes <= READ_ON_THE_SPOT_MAX) {
            Some(root) => read_ranges(&root.join(path.as_ref()), ranges)
                .map_err(|e| ParquetError::External(Box::new(e))),
            None => {
                let read = self.store.get_ranges(path, ranges).await;
                read.map_err(|e| ParquetError::External(Box::new(e)))
            }
        }
    }

    /// Removes an object; one that is gone already is no error.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::object(error)),
        }
    }

    /// Names of the objects directly in `directory`.
    pub(crate) async fn names(&self, directory: &Path) -> Result<Vec<String>> {
        let listed = match self.store.list_with_delimiter(Some(directory)).await {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(Error::object(error)),
        };
        let name = |meta: object_store::ObjectMeta| meta.location.filename().map(str::to_owned);
        Ok(listed.objects.into_iter().filter_map(name).collect())
    }

    /// All objects below `prefix`, page by page.
    pub(crate) fn below(
        &self,
        prefix: &Path,
    ) -> impl futures::Stream<Item = Result<Path>> + Send + 'static {
        self.store.list(Some(prefix)).map_ok(|meta| meta.location).map_err(Error::object)
    }

    /// Unfinished uploads that a crash left below these directories. A local store writes to
    /// `<name>#<n>` and renames; other stores clean up themselves.
    pub(crate) async fn unfinished(&self, tops: &[&str]) -> Result<Vec<Path>> {
        let Some(root) = self.local.clone() else { return Ok(Vec::new()) };
        let tops: Vec<String> = tops.iter().map(|top| (*top).to_owned()).collect();
        let walk = move || -> std::io::Result<Vec<Path>> {
            let mut found = Vec::new();
            let mut left = tops;
            while let Some(directory) = left.pop() {
                let entries = match std::fs::read_dir(root.join(&directory)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    entries => entries?,
                };
                for entry in entries {
                    let entry = entry?;
                    let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                        continue;
                    };
                    let path = format!("{directory}/{name}");
                    if entry.file_type()?.is_dir() {
                        left.push(path);
                    } else if name.contains('#')
                        && let Ok(path) = Path::parse(&path)
                    {
                        found.push(path);
                    }
                }
            }
            Ok(found)
        };
        blocking(walk).await?.map_err(|e| Error::io("list the cold tier", &e))
    }

    /// Removes an object or an unfinished upload; one that is gone already is no error.
    pub(crate) async fn remove_raw(&self, path: &Path) -> Result<()> {
        match (&self.local, path.as_ref().contains('#')) {
            (Some(root), true) => {
                let file = root.join(path.as_ref());
                match blocking(move || std::fs::remove_file(file)).await? {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(Error::io("remove an unfinished upload", &error))
                    }
                    _ => Ok(()),
                }
            }
            _ => self.delete(path).await,
        }
    }

    /// Removes a local directory if nothing is left in it.
    pub(crate) async fn remove_empty(&self, directory: &str) {
        if let Some(directory) = self.local.as_ref().map(|root| root.join(directory)) {
            // Not empty, or gone: both are fine.
            _ = blocking(move || std::fs::remove_dir(directory)).await;
        }
    }

    /// Removes what is left of a local directory.
    pub(crate) async fn remove_tree(&self, directory: &Path) -> Result<()> {
        let Some(directory) = self.local.as_ref().map(|root| root.join(directory.as_ref())) else {
            return Ok(());
        };
        match blocking(move || std::fs::remove_dir_all(directory)).await? {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove a directory", &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes a completely written object durable under its name.
    pub(crate) async fn sync(&self, path: &Path) -> Result<()> {
        let Some(root) = self.local.clone() else { return Ok(()) };
        let parts: Vec<String> = path.parts().map(|part| part.as_ref().to_owned()).collect();
        let synced = blocking(move || -> std::io::Result<()> {
            let mut at = root.clone();
            let mut paths = vec![root];
            for part in &parts {
                at.push(part);
                paths.push(at.clone());
            }
            // The file itself comes last in the list, hence first here; then its directories.
            paths.iter().rev().try_for_each(|path| std::fs::File::open(path)?.sync_all())
        });
        synced.await?.map_err(|e| Error::io("sync a file of the cold tier", &e))
    }
}

fn read_ranges(path: &std::path::Path, ranges: &[Range<u64>]) -> std::io::Result<Vec<Bytes>> {
    let mut file = std::fs::File::open(path)?;
    let read = |range: &Range<u64>| {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.seek(SeekFrom::Start(range.start))?;
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Bytes::from(bytes))
    };
    ranges.iter().map(read).collect()
}

/// Does what blocks apart from the tasks that must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::unavailable(format!("work on files was cut short: {e}")))
}

/// Length and checksum of what a [`Sink`] has taken so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// Bytes.
    pub(crate) bytes: u64,
    /// CRC-32C of all of them.
    pub(crate) crc32c: u32,
}

/// One object being written; nobody sees it before it is complete.
pub(crate) struct Sink {
    upload: BufWriter,
    written: Arc<Mutex<Written>>,
}

impl Sink {
    /// Gives up the object.
    pub(crate) async fn abort(mut self) {
        // Best effort: what stays behind is an orphan that the next collection removes.
        _ = self.upload.abort().await;
    }
}

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        async move {
            {
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                written.bytes += bytes.len() as u64;
                written.crc32c = crc32c::crc32c_append(written.crc32c, &bytes);
            }
            let put = self.upload.put(bytes).await;
            put.map_err(|e| ParquetError::External(Box::new(e)))
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        async move { Ok(self.upload.shutdown().await?) }.boxed()
    }
}

impl Error {
    /// An error of the object store.
    pub(crate) fn object(error: object_store::Error) -> Error {
        match &error {
            object_store::Error::NotFound { .. } => Error::corrupt(error.to_string()),
            _ => os_error(&error).unwrap_or_else(|| Error::unavailable(error.to_string())),
        }
    }

    /// An error while Parquet is written.
    pub(crate) fn parquet(error: ParquetError) -> Error {
        os_error(&error).unwrap_or_else(|| match &error {
            ParquetError::External(_) => Error::unavailable(error.to_string()),
            _ => Error::invalid(error.to_string()),
        })
    }

    /// An error while a segment is read: damage, unless the operating system says otherwise.
    pub(crate) fn segment(path: &Path, error: ParquetError) -> Error {
        os_error(&error).unwrap_or_else(|| Error::damage(path, error))
    }

    /// A segment is not what was written.
    pub(crate) fn damage(path: &Path, what: impl std::fmt::Display) -> Error {
        Error::corrupt(format!("segment {path} is damaged: {what}"))
    }

    /// An error of Arrow, where arrays that we made don't fit together.
    pub(crate) fn arrow(error: arrow::error::ArrowError) -> Error {
        Error::invalid(error.to_string())
    }
}

/// The operating system's error under another one. A file that is missing is not of that kind.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
            && io.kind() != std::io::ErrorKind::NotFound
        {
            return Some(Error::io("reach the cold tier", io));
        }
        at = error.source();
    }
    None
}
