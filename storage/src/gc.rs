//! Garbage collection of the cold tier: segments out of use, directories of what was dropped, and
//! orphans that a crash left.
//!
//! A segment leaves a manifest in a batch; it leaves the disk once no snapshot from before that
//! batch is held. What TRUNCATE and DROP take away is found through records they leave in the meta
//! family, so that a crash forgets nothing; what compactions replaced becomes orphans by a crash.

use crate::commit::MetaChange;
use crate::error::{Error, Result};
use crate::flush::export_path;
use crate::hot::{Family, HotRange, scan_all};
use crate::id::{NamespaceId, RelationId};
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::meta;
use crate::objects::Objects;
use crate::path;
use crate::snapshot::Snapshot;
use crate::store::Shard;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The directories under which segments lie.
const TOPS: [&str; 3] = ["user", "shared", "system"];

/// Segments no manifest names any more, each with the first generation that cannot see it.
#[derive(Debug, Default)]
pub(crate) struct Garbage(Mutex<BTreeMap<u64, Vec<String>>>);

impl Garbage {
    /// These segments can be seen by snapshots before `generation` only.
    pub(crate) fn add(&self, generation: u64, paths: Vec<String>) {
        self.lock().entry(generation).or_default().extend(paths);
    }

    /// Takes out what no snapshot from `oldest` on can see.
    fn ripe(&self, oldest: u64) -> Vec<String> {
        let mut garbage = self.lock();
        let later = garbage.split_off(&(oldest + 1));
        std::mem::replace(&mut *garbage, later).into_values().flatten().collect()
    }

    /// Whether a segment waits to be removed.
    fn contains(&self, path: &str) -> bool {
        self.lock().values().flatten().any(|waiting| waiting == path)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Removes segments that no snapshot can see any more.
    pub(crate) async fn collect_garbage(&self) -> Result<()> {
        for path in self.cold.garbage.ripe(self.snapshots.oldest_generation()) {
            let location = Path::parse(&path)
                .map_err(|e| Error::corrupt(format!("a manifest names no object: {e}")))?;
            self.cold.remove(&location).await?;
        }
        Ok(())
    }

    /// Removes the segments of relations and namespaces that were truncated or dropped, once no
    /// snapshot sees them. Returns whether some must wait.
    pub(crate) async fn collect_dropped(self: &Arc<Self>) -> Result<bool> {
        let (mut done, generation) = {
            let snapshot = self.snapshot();
            let relations = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"G")).await?;
            let namespaces = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"D")).await?;
            if relations.is_empty() && namespaces.is_empty() {
                return Ok(false);
            }
            let done: Vec<(Bytes, Bytes)> = relations.into_iter().chain(namespaces).collect();
            (done, snapshot.generation())
        };
        // Snapshots older than the one that shows the records may still read the segments.
        if self.snapshots.oldest_generation() < generation {
            return Ok(true);
        }
        let snapshot = self.snapshot();
        for (key, value) in &done {
            match key.first() {
                Some(b'G') => self.remove_relation(&snapshot, value).await?,
                _ => self.remove_namespace(&snapshot, value).await?,
            }
        }
        drop(snapshot);
        let changes = done.drain(..).map(|(key, _)| MetaChange { key, value: None }).collect();
        self.change_meta(changes, false).await?;
        Ok(false)
    }

    async fn remove_relation(&self, now: &Snapshot, record: &[u8]) -> Result<()> {
        let manifest = Manifest::from_record(record)?;
        let objects = self.cold.objects();
        for segment in &manifest.segments {
            self.cold.remove(&segment.location()?).await?;
        }
        // After a TRUNCATE the directory may be in use again.
        let (namespace, relation) = manifest.owner();
        let again = self.cold.manifest(now, namespace, relation).await?;
        if again.is_none_or(|again| again.directory != manifest.directory) {
            objects.delete(&export_path(&manifest.directory)?).await?;
            objects.remove_empty(&manifest.directory).await;
        }
        Ok(())
    }

    async fn remove_namespace(&self, now: &Snapshot, directory: &[u8]) -> Result<()> {
        let directory = std::str::from_utf8(directory).ok().and_then(|d| Path::parse(d).ok());
        let own = |d: &Path| TOPS.iter().any(|top| d.as_ref().starts_with(&format!("{top}/")));
        let Some(directory) = directory.filter(own) else {
            return Err(Error::corrupt("the record of a dropped namespace names no directory"));
        };
        // A namespace made since by the same name has its segments here.
        let Known { segments, exports } = known(manifests(now).await?.values())?;
        let objects = self.cold.objects();
        let mut found = objects.below(&directory);
        let mut kept = false;
        while let Some(path) = found.try_next().await? {
            let name = path.as_ref();
            if segments.contains(name) || exports.contains(name) || self.cold.writing.contains(name)
            {
                kept = true;
            } else {
                self.cold.remove(&path).await?;
            }
        }
        if kept { Ok(()) } else { objects.remove_tree(&directory).await }
    }

    /// Removes what a crash left: segments no manifest names, unfinished uploads, exports without
    /// a table; and brings exports up to date. Returns the number of objects removed.
    pub(crate) async fn collect_orphans(&self) -> Result<usize> {
        let objects = self.cold.objects();
        let mut found: Vec<Path> = Vec::new();
        for top in TOPS {
            let below: Vec<Path> = objects.below(&Path::from(top)).try_collect().await?;
            found.extend(below);
        }
        found.extend(objects.unfinished(&TOPS).await?);
        // After the names: whatever was written meanwhile is in a manifest or still being written.
        let snapshot = self.snapshot();
        let current = manifests(&snapshot).await?;
        let pending = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"G")).await?;
        let dropped = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"D")).await?;
        drop(snapshot);
        let known = known(pending.iter().map(|(_, record)| record).chain(current.values()))?;
        let leaving = |path: &str| {
            let within = |(_, directory): &(Bytes, Bytes)| {
                let rest = path.as_bytes().strip_prefix(&directory[..]);
                rest.is_some_and(|rest| rest.starts_with(b"/"))
            };
            dropped.iter().any(within)
        };
        let mut removed = 0;
        for path in found {
            let whole = base(path.as_ref());
            let unfinished = whole != path.as_ref();
            let name = path.filename().unwrap_or_default();
            let orphan = match path::segment_number(base(name)) {
                Some(_) => unfinished || !known.segments.contains(whole),
                None => name == MANIFEST_NAME && !known.exports.contains(whole),
            };
            // In this order: a segment that leaves a manifest is in one or the other.
            let in_use = self.cold.writing.contains(whole) || self.cold.garbage.contains(whole);
            if orphan && !in_use && !leaving(whole) {
                tracing::info!(%path, "removes an orphan of the cold tier");
                objects.remove_raw(&path).await?;
                removed += 1;
            }
        }
        for record in current.values() {
            refresh_export(objects, &Manifest::from_record(record)?).await?;
        }
        Ok(removed)
    }
}

/// What manifests speak of.
#[derive(Default)]
struct Known {
    segments: HashSet<String>,
    exports: HashSet<String>,
}

fn known<'a>(records: impl Iterator<Item = &'a Bytes>) -> Result<Known> {
    let mut known = Known::default();
    for record in records {
        let manifest = Manifest::from_record(record)?;
        known.exports.insert(export_path(&manifest.directory)?.as_ref().to_owned());
        known.segments.extend(manifest.segments.iter().map(|segment| segment.path.clone()));
    }
    Ok(known)
}

/// The name of the object that an unfinished upload would become.
fn base(path: &str) -> &str {
    path.split_once('#').map_or(path, |(base, _)| base)
}

/// All manifest records at a snapshot.
pub(crate) async fn manifests(at: &Snapshot) -> Result<BTreeMap<(NamespaceId, RelationId), Bytes>> {
    let records = scan_all(at.hot(), Family::Meta, HotRange::prefix(b"M")).await?;
    let owner = |key: &[u8]| {
        meta::split_relation(key).ok_or_else(|| Error::corrupt("a manifest's key is malformed"))
    };
    records.into_iter().map(|(key, record)| Ok((owner(&key)?, record))).collect()
}

/// Writes an export again that a crash left behind or ahead of the truth.
async fn refresh_export(objects: &Objects, manifest: &Manifest) -> Result<()> {
    let path = export_path(&manifest.directory)?;
    let json = manifest.to_json()?;
    match objects.get(&path).await? {
        Some(there) if there == json => Ok(()),
        _ => objects.put(&path, json).await,
    }
}
