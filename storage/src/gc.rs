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
    /// snapshot sees them. Returns whether some must wait: for those, or because what is there by
    /// the same name now is being written.
    pub(crate) async fn collect_dropped(self: &Arc<Self>) -> Result<bool> {
        let (records, generation) = {
            let snapshot = self.snapshot();
            let relations = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"G")).await?;
            let namespaces = scan_all(snapshot.hot(), Family::Meta, HotRange::prefix(b"D")).await?;
            if relations.is_empty() && namespaces.is_empty() {
                return Ok(false);
            }
            let records: Vec<(Bytes, Bytes)> = relations.into_iter().chain(namespaces).collect();
            (records, snapshot.generation())
        };
        // Snapshots older than the one that shows the records may still read the segments.
        if self.snapshots.oldest_generation() < generation {
            return Ok(true);
        }
        let mut must_wait = false;
        let mut removed = Vec::new();
        let mut claims = Vec::new();
        for (key, record) in records {
            let dropped = Dropped::read(&key, &record)?;
            match self.cold.writing.claim(dropped.directories()?) {
                None => must_wait = true,
                Some(claim) => {
                    claims.push(claim);
                    removed.push((key, dropped));
                }
            }
        }
        // Nobody writes there from here on, so manifests name all that is in use.
        let known = known(manifests(&self.snapshot()).await?.values())?;
        for (_, dropped) in &removed {
            match dropped {
                Dropped::Relation(manifest) => self.remove_relation(&known, manifest).await?,
                Dropped::Namespace(directory) => self.remove_namespace(&known, directory).await?,
            }
        }
        let changes = removed.into_iter().map(|(key, _)| MetaChange { key, value: None }).collect();
        // Before others write there: a new segment may have the name of one in the record.
        self.change_meta(changes, false).await?;
        drop(claims);
        Ok(must_wait)
    }

    async fn remove_relation(&self, known: &Known, manifest: &Manifest) -> Result<()> {
        for segment in &manifest.segments {
            if !known.segments.contains(&segment.path) {
                self.cold.remove(&segment.location()?).await?;
            }
        }
        self.remove_unknown_export(known, &manifest.directory).await
    }

    /// Removes the export in a directory that its relation has left, and the directory if nothing
    /// else is there, unless another relation uses it by now.
    pub(crate) async fn remove_export(&self, directory: &str) -> Result<()> {
        // Whoever writes there writes an export as well.
        let Some(_claim) = self.cold.writing.claim(vec![directory.to_owned()]) else {
            return Ok(());
        };
        let known = known(manifests(&self.snapshot()).await?.values())?;
        self.remove_unknown_export(&known, directory).await
    }

    async fn remove_unknown_export(&self, known: &Known, directory: &str) -> Result<()> {
        let export = export_path(directory)?;
        if !known.exports.contains(export.as_ref()) {
            self.cold.objects().delete(&export).await?;
            self.cold.objects().remove_empty(directory).await;
        }
        Ok(())
    }

    async fn remove_namespace(&self, known: &Known, directory: &Path) -> Result<()> {
        let objects = self.cold.objects();
        let mut found = objects.below(directory);
        // A namespace made since by the same name may have its segments here.
        let mut kept = false;
        while let Some(path) = found.try_next().await? {
            if known.segments.contains(path.as_ref()) || known.exports.contains(path.as_ref()) {
                kept = true;
            } else {
                self.cold.remove(&path).await?;
            }
        }
        if kept { Ok(()) } else { objects.remove_tree(directory).await }
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
        // After the names, in this order: what was being written and no longer is is in a manifest.
        let writing = self.cold.writing.now();
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
            let written =
                writing.has_segment(whole) || name == MANIFEST_NAME && writing.writes_beside(whole);
            // In this order: a segment that leaves a manifest is in one or the other.
            let leaves = self.cold.writing.contains(whole) || self.cold.garbage.contains(whole);
            let in_use = written || leaves;
            if orphan && !in_use && !leaving(whole) {
                tracing::info!(%path, "removes an orphan of the cold tier");
                objects.remove_raw(&path).await?;
                removed += 1;
            }
        }
        for ((namespace, relation), record) in &current {
            let directory = Manifest::from_record(record)?.directory;
            // Whoever writes there writes the export as well.
            if let Some(_claim) = self.cold.writing.claim(vec![directory.clone()])
                && let now = self.snapshot()
                && let Some(manifest) = self.cold.manifest(&now, *namespace, *relation).await?
                && manifest.directory == directory
            {
                refresh_export(objects, &manifest).await?;
            }
        }
        Ok(removed)
    }
}

/// What was truncated or dropped.
enum Dropped {
    Relation(Box<Manifest>),
    /// The directory of one.
    Namespace(Path),
}

impl Dropped {
    fn read(key: &[u8], record: &[u8]) -> Result<Dropped> {
        if key.first() == Some(&b'G') {
            return Ok(Dropped::Relation(Box::new(Manifest::from_record(record)?)));
        }
        let directory = std::str::from_utf8(record).ok().and_then(|d| Path::parse(d).ok());
        let own = |d: &Path| TOPS.iter().any(|top| d.as_ref().starts_with(&format!("{top}/")));
        match directory.filter(own) {
            Some(directory) => Ok(Dropped::Namespace(directory)),
            None => Err(Error::corrupt("the record of a dropped namespace names no directory")),
        }
    }

    /// Where something may be removed.
    fn directories(&self) -> Result<Vec<String>> {
        let manifest = match self {
            Dropped::Relation(manifest) => manifest,
            Dropped::Namespace(directory) => return Ok(vec![directory.as_ref().to_owned()]),
        };
        // Segments stay where they are when a table is renamed.
        let mut directories = vec![manifest.directory.clone()];
        for segment in &manifest.segments {
            let location = segment.location()?;
            let directory = location.as_ref().rsplit_once('/').map(|(directory, _)| directory);
            directories.extend(directory.map(str::to_owned));
        }
        directories.sort_unstable();
        directories.dedup();
        Ok(directories)
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
