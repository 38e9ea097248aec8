//! Verifying manifests against their segments, and segments down to their rows.

use super::CheckReport;
use crate::cold::Segments;
use crate::error::{Error, Result};
use crate::flush::export_path;
use crate::id::RelationId;
use crate::key::KeyRange;
use crate::layout::{Column, Layout};
use crate::manifest::{Manifest, SegmentEntry};
use crate::objects::Objects;
use crate::segment::form;
use crate::segment::read::Projection;
use crate::segment::source::SegmentSource;
use crate::types::ColumnType;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use std::sync::Arc;

/// Bytes of footers kept while checking.
const FOOTER_BYTES: usize = 16 << 20;

/// Checks all that a manifest speaks of.
pub(super) async fn check(
    objects: &Objects,
    manifest: &Manifest,
    report: &mut CheckReport,
) -> Result<()> {
    let of = format!("manifest of relation {} in {}", manifest.relation, manifest.directory);
    let layout = layout(manifest);
    let Some(layout) = report.note(&of, layout)? else { return Ok(()) };
    let layout = Arc::new(layout);
    let segments = Segments::new(objects.clone(), FOOTER_BYTES, 0);
    for entry in &manifest.segments {
        report.segments += 1;
        let of = format!("segment {}", entry.path);
        let bytes = file(objects, entry).await;
        if report.note(&of, bytes)?.is_none() {
            continue;
        }
        let rows = rows(&segments, entry, &layout).await;
        report.cold_rows += report.note(&of, rows)?.unwrap_or(0);
    }
    let export = export(objects, manifest).await;
    report.note(&of, export)?;
    Ok(())
}

/// A segment's size and checksum.
async fn file(objects: &Objects, entry: &SegmentEntry) -> Result<()> {
    let path = entry.location()?;
    let found = objects.store().get(&path).await.map_err(Error::object)?;
    if found.meta.size != entry.bytes {
        let (is, was) = (found.meta.size, entry.bytes);
        return Err(Error::corrupt(format!("it has {is} bytes, its manifest says {was}")));
    }
    let mut crc = 0;
    let mut bytes = found.into_stream();
    while let Some(part) = bytes.try_next().await.map_err(Error::object)? {
        crc = crc32c::crc32c_append(crc, &part);
    }
    if format!("{crc:08x}") != entry.crc32c {
        return Err(Error::corrupt("its checksum is not the one in its manifest"));
    }
    Ok(())
}

/// Reads all rows of a segment; returns their number.
async fn rows(segments: &Segments, entry: &Arc<SegmentEntry>, layout: &Arc<Layout>) -> Result<u64> {
    let projection = Arc::new(Projection::whole(layout)?);
    let range = KeyRange::all();
    let mut source =
        SegmentSource::new(segments.clone(), Arc::clone(entry), projection, range, false);
    let (mut rows, mut tombstones) = (0_u64, 0_u64);
    let mut last: Option<Bytes> = None;
    let mut lsns: Option<(u64, u64)> = None;
    while let Some(chunk) = source.load().await? {
        for key in chunk.keys()? {
            if last.as_ref().is_some_and(|last| last >= key) {
                return Err(Error::corrupt("its keys do not ascend"));
            }
            if !entry.spans(key) || *key < chunk.low || *key >= chunk.high {
                return Err(Error::corrupt("a key lies outside the range it is listed under"));
            }
            last = Some(key.clone());
        }
        for lsn in chunk.lsns.values() {
            let (least, greatest) = lsns.unwrap_or((*lsn, *lsn));
            lsns = Some((least.min(*lsn), greatest.max(*lsn)));
        }
        let deleted = chunk.deleted.as_ref().map_or(0, |d| d.true_count()) as u64;
        tombstones += deleted;
        rows += chunk.len() as u64 - deleted;
    }
    if (rows, tombstones) != (entry.rows, entry.tombstones) {
        return Err(Error::corrupt(format!(
            "it has {rows} rows and {tombstones} tombstones, its manifest says {} and {}",
            entry.rows, entry.tombstones
        )));
    }
    if last.as_ref() != Some(&entry.key_max) {
        return Err(Error::corrupt("its last key is not the one in its manifest"));
    }
    if lsns != Some((entry.lsn_min.0, entry.lsn_max.0)) {
        return Err(Error::corrupt("its LSNs are not those in its manifest"));
    }
    Ok(rows + tombstones)
}

/// `manifest.json` says what the record says. A crash may have left it one version ahead; the next
/// start writes it again.
async fn export(objects: &Objects, manifest: &Manifest) -> Result<()> {
    let path = export_path(&manifest.directory)?;
    let Some(json) = objects.get(&path).await? else {
        return Err(Error::corrupt(format!("{path} is missing")));
    };
    let exported: Manifest = serde_json::from_slice(&json)
        .map_err(|error| Error::corrupt(format!("{path} is malformed: {error}")))?;
    let ahead = exported.version == manifest.version + 1;
    if exported.owner() == manifest.owner() && !ahead && exported != *manifest {
        return Err(Error::corrupt(format!("{path} says something else than the store")));
    }
    Ok(())
}

/// The layout that a manifest describes: good enough to read all its columns.
fn layout(manifest: &Manifest) -> Result<Layout> {
    let bad = || Error::corrupt("its columns are malformed");
    let mut columns: Vec<Column> = Vec::new();
    for column in &manifest.columns {
        let place = usize::try_from(column.field_id - 1).map_err(|_| bad())?;
        if place < columns.len() || place > usize::from(u16::MAX) {
            return Err(bad());
        }
        let gap = || Column {
            name: String::new(),
            ty: ColumnType::Bool,
            nullable: true,
            dropped: true,
            missing: None,
        };
        columns.resize_with(place, gap);
        columns.push(Column {
            name: column.name.clone(),
            ty: form::type_of_name(&column.ty).ok_or_else(bad)?,
            nullable: true,
            dropped: false,
            missing: None,
        });
    }
    let place =
        |name: &String| columns.iter().position(|c| !c.dropped && c.name == *name).ok_or_else(bad);
    let key = manifest.key.iter().map(place).collect::<Result<Vec<_>>>()?;
    let relation = RelationId(manifest.relation);
    Ok(Layout::new(relation, columns, key, Vec::new(), String::new()))
}
