//! The manifest: which segments are a table's cold tier.
//!
//! The truth is a record in the hot store, moved in the same batch that trims the hot rows, so that
//! a snapshot sees one consistent pair. `manifest.json` beside the segments is its export for
//! people and tools and is never read back except by a check.
//!
//! The record: version u64 BE ++ CRC-32C u32 BE of what follows ++ the same JSON, compact.

use crate::error::{Error, Result};
use crate::id::{Lsn, NamespaceId, RelationId};
use crate::key::KeyRange;
use crate::layout::Layout;
use crate::segment::blocks::{from_hex, to_hex};
use crate::segment::form;
use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::sync::Arc;

/// Version of the manifest's own form.
pub(crate) const MANIFEST_FORMAT: u32 = 1;
/// The export's file name.
pub(crate) const MANIFEST_NAME: &str = "manifest.json";
const RECORD_HEAD_BYTES: usize = 12;

/// The cold tier of one relation in one namespace at one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub(crate) format: u32,
    /// Namespace id.
    pub(crate) namespace: u64,
    /// Relation id.
    pub(crate) relation: u32,
    /// Grows by one with each flush or compaction.
    pub(crate) version: u64,
    /// Where new segments go, relative to the data directory. Older ones may lie elsewhere.
    pub(crate) directory: String,
    /// Columns as the newest segment has them.
    pub(crate) columns: Vec<ManifestColumn>,
    /// Names of the key columns; empty for a hidden row id.
    pub(crate) key: Vec<String>,
    /// Oldest first: of two rows with one key, the one in the later segment counts.
    #[serde(with = "shared")]
    pub(crate) segments: Vec<Arc<SegmentEntry>>,
}

/// A column in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManifestColumn {
    /// Attribute number, the field id in the segments.
    pub(crate) field_id: i32,
    /// Name.
    pub(crate) name: String,
    /// Physical type.
    #[serde(rename = "type")]
    pub(crate) ty: String,
}

/// One segment in a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    /// Object path, relative to the data directory.
    pub(crate) path: String,
    /// Rows that are not tombstones.
    pub(crate) rows: u64,
    /// Tombstones.
    pub(crate) tombstones: u64,
    /// File size.
    pub(crate) bytes: u64,
    /// CRC-32C of the whole file, hexadecimal.
    pub(crate) crc32c: String,
    /// Commits of the rows, the earliest.
    #[serde(with = "lsn_text")]
    pub(crate) lsn_min: Lsn,
    /// Commits of the rows, the latest.
    #[serde(with = "lsn_text")]
    pub(crate) lsn_max: Lsn,
    /// First key, hexadecimal.
    #[serde(with = "hex_text")]
    pub(crate) key_min: Bytes,
    /// Last key, hexadecimal.
    #[serde(with = "hex_text")]
    pub(crate) key_max: Bytes,
    /// What the columns hold.
    pub(crate) columns: Vec<ColumnStatistics>,
}

/// What one column of one segment holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColumnStatistics {
    /// Name when the segment was written.
    pub(crate) name: String,
    /// Lower bound of the values, as text; long text is cut. `null` where unknown.
    pub(crate) min: Option<String>,
    /// Upper bound of the values, as text; long text is cut and rounded up. `null` where unknown.
    pub(crate) max: Option<String>,
    /// NULLs, those of tombstones included. `null` where unknown.
    pub(crate) nulls: Option<u64>,
}

impl Manifest {
    /// The manifest before the first flush.
    pub(crate) fn empty(namespace: NamespaceId, layout: &Layout, directory: &Path) -> Manifest {
        let mut manifest = Manifest {
            format: MANIFEST_FORMAT,
            namespace: namespace.0,
            relation: layout.relation.0,
            version: 0,
            directory: String::new(),
            columns: Vec::new(),
            key: Vec::new(),
            segments: Vec::new(),
        };
        manifest.describe(layout, directory);
        manifest
    }

    /// The next version, with another list of segments and the relation's present shape.
    pub(crate) fn next(
        &self,
        layout: &Layout,
        directory: &Path,
        segments: Vec<Arc<SegmentEntry>>,
    ) -> Manifest {
        let mut next = Manifest { version: self.version + 1, segments, ..self.clone() };
        next.describe(layout, directory);
        next
    }

    fn describe(&mut self, layout: &Layout, directory: &Path) {
        directory.as_ref().clone_into(&mut self.directory);
        let live = layout.columns.iter().enumerate().filter(|(_, c)| !c.dropped);
        self.columns = live
            .map(|(index, column)| ManifestColumn {
                field_id: form::field_id(index),
                name: column.name.clone(),
                ty: form::type_name(&column.ty),
            })
            .collect();
        let name = |i: &usize| layout.columns.get(*i).map(|c| c.name.clone());
        self.key = layout.key.iter().filter_map(name).collect();
    }

    /// Whose cold tier it is.
    pub(crate) fn owner(&self) -> (NamespaceId, RelationId) {
        (NamespaceId(self.namespace), RelationId(self.relation))
    }

    /// The record for the hot store.
    pub(crate) fn to_record(&self) -> Result<Bytes> {
        let json = serde_json::to_vec(self)
            .map_err(|e| Error::invalid(format!("a manifest cannot be written: {e}")))?;
        let mut record = Vec::with_capacity(RECORD_HEAD_BYTES + json.len());
        record.extend(self.version.to_be_bytes());
        record.extend(crc32c::crc32c(&json).to_be_bytes());
        record.extend(json);
        Ok(record.into())
    }

    /// Reads a record of the hot store.
    pub(crate) fn from_record(record: &[u8]) -> Result<Manifest> {
        let bad = |why: &str| Error::corrupt(format!("a manifest record is malformed: {why}"));
        let (head, json) = record.split_at(Manifest::record_head(record)?.len());
        if head[8..] != crc32c::crc32c(json).to_be_bytes() {
            return Err(bad("checksum"));
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(|e| bad(&e.to_string()))?;
        if manifest.version.to_be_bytes() != head[..8] || manifest.format != MANIFEST_FORMAT {
            return Err(bad("version"));
        }
        Ok(manifest)
    }

    /// Version and checksum of a record, without reading the rest.
    pub(crate) fn record_head(record: &[u8]) -> Result<&[u8; RECORD_HEAD_BYTES]> {
        record.first_chunk().ok_or_else(|| Error::corrupt("a manifest record is too short"))
    }

    /// The bytes of `manifest.json`.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec_pretty(self);
        json.map_err(|e| Error::invalid(format!("a manifest cannot be written: {e}")))
    }

    /// Memory held, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        let segment = |s: &Arc<SegmentEntry>| 320 + s.path.len() + s.columns.len() * 96;
        256 + self.columns.len() * 64 + self.segments.iter().map(segment).sum::<usize>()
    }
}

impl SegmentEntry {
    /// Whether a key of the segment may lie in `range`.
    pub(crate) fn meets(&self, range: &KeyRange) -> bool {
        let starts = match &range.start {
            Bound::Unbounded => true,
            Bound::Included(key) => *key <= self.key_max,
            Bound::Excluded(key) => *key < self.key_max,
        };
        let ends = match &range.end {
            Bound::Unbounded => true,
            Bound::Included(key) => *key >= self.key_min,
            Bound::Excluded(key) => *key > self.key_min,
        };
        starts && ends
    }

    /// Whether `key` lies between the segment's first and last.
    pub(crate) fn spans(&self, key: &[u8]) -> bool {
        self.key_min.as_ref() <= key && key <= self.key_max.as_ref()
    }

    /// Where it is.
    pub(crate) fn location(&self) -> Result<Path> {
        Path::parse(&self.path)
            .map_err(|e| Error::corrupt(format!("a manifest names no object: {e}")))
    }
}

mod hex_text {
    use super::{Bytes, from_hex, to_hex};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        from_hex(&text).map(Bytes::from).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

mod lsn_text {
    use super::Lsn;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(lsn: &Lsn, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:X}/{:X}", lsn.0 >> 32, lsn.0 & 0xFFFF_FFFF))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Lsn, D::Error> {
        let text = String::deserialize(from)?;
        let parsed = text.split_once('/').and_then(|(high, low)| {
            let high = u32::from_str_radix(high, 16).ok()?;
            let low = u32::from_str_radix(low, 16).ok()?;
            Some(Lsn(u64::from(high) << 32 | u64::from(low)))
        });
        parsed.ok_or_else(|| D::Error::custom("not an LSN"))
    }
}

mod shared {
    use super::{Arc, SegmentEntry};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        entries: &[Arc<SegmentEntry>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(entries.iter().map(|entry| &**entry))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<SegmentEntry>>, D::Error> {
        let entries = Vec::<SegmentEntry>::deserialize(from)?;
        Ok(entries.into_iter().map(Arc::new).collect())
    }
}
