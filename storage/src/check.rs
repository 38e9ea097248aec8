//! Verifying a data directory while no server runs.
//!
//! What is looked at: the format version, every row, index entry and commit record (that they
//! decode, that positions have no holes), the books, every manifest, and every segment from its
//! checksum to its last row. What needs the catalog, whether index entries match their rows, is
//! [`Namespace::verify`], which also works while the server runs.

mod relation;
mod segments;

use crate::error::{Error, ErrorKind, Result};
use crate::hot::rocksdb::RocksDb;
use crate::hot::{ChunkLimit, Family, Hot, HotRange, HotSnapshot};
use crate::id::{Lsn, NamespaceId, Position};
use crate::key::{IndexEntry, MAX_KEY_BYTES, PREFIX_BYTES};
use crate::log;
use crate::manifest::Manifest;
use crate::meta;
use crate::objects::Objects;
use crate::options::StoreOptions;
use crate::row::StoredRow;
use crate::store::{DataDirectory, HOT_DIRECTORY};
use bytes::Bytes;
use std::path::Path;

/// Most problems that are listed.
const PROBLEMS_MAX: usize = 1000;
/// Bytes of a commit record before its changes.
const RECORD_KEY_BYTES: usize = 16;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What is wrong, one sentence each; the first thousand.
    pub problems: Vec<String>,
    /// Hot rows, tombstones included.
    pub hot_rows: u64,
    /// Index entries.
    pub index_entries: u64,
    /// Commit records.
    pub log_records: u64,
    /// Manifests.
    pub manifests: u64,
    /// Segments.
    pub segments: u64,
    /// Rows in segments, tombstones included.
    pub cold_rows: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what.into());
        }
    }

    /// Counts damage as a problem; any other error ends the check.
    fn note<T>(&mut self, of: impl std::fmt::Display, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid) => {
                self.problem(format!("{of}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Verifies a data directory that no server uses. Blocks until done.
///
/// Damage is in the report. Fails with `Invalid` if it is not a data directory or of another
/// format, with `Unavailable` if a server uses it or the device refuses.
pub fn check(dir: &Path) -> Result<CheckReport> {
    let dir = dir.to_owned();
    // A thread of its own: the caller may be in a runtime already.
    let checking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("start a runtime", &error))?;
        runtime.block_on(run(&dir))
    });
    checking.join().map_err(|_| Error::corrupt("the check itself failed: see the log"))?
}

async fn run(dir: &Path) -> Result<CheckReport> {
    let directory = DataDirectory::open_existing(dir)?;
    let mut report = CheckReport::default();
    let options = StoreOptions::new(dir);
    let hot_directory = directory.path().join(HOT_DIRECTORY);
    if !hot_directory.exists() {
        return Ok(report);
    }
    let opened = RocksDb::open(&hot_directory, &options, Lsn(0));
    let Some(hot) = report.note("hot store", opened)? else { return Ok(report) };
    let snapshot = hot.snapshot();
    let mut checker = Checker { snapshot: &*snapshot, report: &mut report };
    checker.rows().await?;
    checker.index().await?;
    checker.log().await?;
    let objects = Objects::local(dir)?;
    checker.manifests(&objects).await?;
    drop(snapshot);
    hot.close().await?;
    Ok(report)
}

struct Checker<'a> {
    snapshot: &'a dyn HotSnapshot,
    report: &'a mut CheckReport,
}

impl Checker<'_> {
    /// Calls `each` with every pair of a family that begins with `prefix`.
    async fn pairs(
        &mut self,
        family: Family,
        prefix: &[u8],
        mut each: impl FnMut(&mut CheckReport, Bytes, Bytes),
    ) -> Result<()> {
        let mut range = HotRange::prefix(prefix);
        loop {
            let read = self.snapshot.scan(family, &range, false, ChunkLimit::default()).await;
            let Some(read) = self.report.note(family.name(), read)? else { return Ok(()) };
            for i in 0..read.len() {
                each(self.report, read.key_bytes(i), read.value_bytes(i));
            }
            match read.last_key() {
                Some(last) if read.more() => range.after(last, false),
                _ => return Ok(()),
            }
        }
    }

    async fn rows(&mut self) -> Result<()> {
        self.pairs(Family::Rows, b"", |report, key, value| {
            report.hot_rows += 1;
            if let Err(problem) = row(&key, &value) {
                report.problem(format!("row {}: {problem}", crate::segment::blocks::to_hex(&key)));
            }
        })
        .await
    }

    async fn index(&mut self) -> Result<()> {
        self.pairs(Family::Index, b"", |report, key, value| {
            report.index_entries += 1;
            let own = key.slice(PREFIX_BYTES.min(key.len())..);
            let entry = match key.len() > PREFIX_BYTES {
                true => IndexEntry::row_key(&own, &value).map(|_| ()),
                false => Err(Error::corrupt("its key is too short")),
            };
            if let Err(problem) = entry {
                let key = crate::segment::blocks::to_hex(&key);
                report.problem(format!("index entry {key}: {problem}"));
            }
        })
        .await
    }

    /// Records decode, their positions have no holes and end where the books say.
    async fn log(&mut self) -> Result<()> {
        let number = |bytes: Option<Bytes>| {
            let bytes = bytes.and_then(|bytes| <[u8; 8]>::try_from(&bytes[..]).ok());
            bytes.map_or(Lsn(0), |bytes| Lsn(u64::from_be_bytes(bytes)))
        };
        let cutoff = number(self.snapshot.get(Family::Meta, meta::LOG_CUTOFF).await?);
        let last_lsn = number(self.snapshot.get(Family::Meta, meta::LAST_LSN).await?);
        let mut heads: Vec<(NamespaceId, Position, Lsn)> = Vec::new();
        self.pairs(Family::Log, b"", |report, key, value| {
            report.log_records += 1;
            if let Err(problem) = record(&key, &value, (cutoff, last_lsn), &mut heads) {
                let key = crate::segment::blocks::to_hex(&key);
                report.problem(format!("commit record {key}: {problem}"));
            }
        })
        .await?;
        for (namespace, position, _) in heads {
            let booked = self.snapshot.get(Family::Meta, &meta::position(namespace)).await?;
            let booked = booked.map_or(Ok(Position(0)), |bytes| log::parse_position(&bytes));
            let of = format!("position of namespace {namespace}");
            if let Some(booked) = self.report.note(&of, booked)?
                && booked != position
            {
                self.report.problem(format!("{of} is {booked}, but its log ends at {position}"));
            }
        }
        Ok(())
    }

    async fn manifests(&mut self, objects: &Objects) -> Result<()> {
        let mut records: Vec<(Bytes, Bytes)> = Vec::new();
        self.pairs(Family::Meta, b"M", |_, key, value| records.push((key, value))).await?;
        for (key, record) in records {
            self.report.manifests += 1;
            let owner = meta::split_relation(&key);
            let of = format!("manifest {}", crate::segment::blocks::to_hex(&key));
            let Some(manifest) = self.report.note(&of, Manifest::from_record(&record))? else {
                continue;
            };
            if owner != Some(manifest.owner()) {
                self.report.problem(format!("{of} belongs to another relation"));
            }
            segments::check(objects, &manifest, self.report).await?;
        }
        Ok(())
    }
}

fn row(key: &[u8], value: &[u8]) -> Result<()> {
    if key.len() <= PREFIX_BYTES || key.len() > PREFIX_BYTES + MAX_KEY_BYTES {
        return Err(Error::corrupt("its key is of no possible length"));
    }
    let (_, deleted, image) = StoredRow::split(value)?;
    if deleted {
        let rest = if image.is_empty() { Ok(()) } else { Err("a tombstone has an image") };
        return rest.map_err(Error::corrupt);
    }
    let known = image.first_chunk::<2>().map(|known| usize::from(u16::from_le_bytes(*known)));
    match known {
        Some(known) if image.len() >= 2 + known.div_ceil(8) => Ok(()),
        _ => Err(Error::corrupt("its image ends early")),
    }
}

fn record(
    key: &Bytes,
    value: &Bytes,
    (cutoff, last): (Lsn, Lsn),
    heads: &mut Vec<(NamespaceId, Position, Lsn)>,
) -> Result<()> {
    let namespace = key.first_chunk::<8>().filter(|_| key.len() == RECORD_KEY_BYTES);
    let namespace = namespace.ok_or_else(|| Error::corrupt("its key is malformed"))?;
    let namespace = NamespaceId(u64::from_be_bytes(*namespace));
    let position = log::position_of(key)?;
    let record = log::decode(namespace, position, value)?;
    let before = heads.last().filter(|(known, ..)| *known == namespace).copied();
    if before.is_none() {
        heads.push((namespace, position, record.lsn));
    } else if let Some(head) = heads.last_mut() {
        *head = (namespace, position, record.lsn);
    }
    if record.lsn > last {
        return Err(Error::corrupt(format!("its LSN {} is beyond the last, {last}", record.lsn)));
    }
    match before {
        // What was cut off goes piece by piece.
        Some((_, _, lsn)) if lsn < cutoff => Ok(()),
        Some((_, before, _)) if before.next() != position => {
            Err(Error::corrupt(format!("position {} is missing before it", before.next())))
        }
        Some((_, _, lsn)) if lsn >= record.lsn => {
            Err(Error::corrupt("its LSN is not greater than that before"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
