//! The capability: what a holder can read and write is one namespace and no other.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::cold::Cold;
use crate::error::{Error, Result};
use crate::hot::{ChunkLimit, Family, HotRange};
use crate::id::{Lsn, NamespaceId, RelationId};
use crate::key::{self, IndexEntry, Key};
use crate::layout::Layout;
use crate::new_rows::NewRows;
use crate::path;
use crate::row::{Row, RowImage, StoredRow};
use crate::snapshot::Snapshot;
use crate::store::Shard;
use crate::write_set::WriteSet;

/// Whose namespace it is; names its directory in the cold tier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A user, by the name of the role.
    User(String),
    /// What is shared by all users.
    Shared,
    /// The catalog of the cluster.
    System,
}

impl Owner {
    /// The directory of the cold tier, relative to the data directory.
    pub(crate) fn directory(&self) -> String {
        match self {
            Owner::User(name) => format!("user/{}", path::user_component(name)),
            Owner::Shared => String::from("shared"),
            Owner::System => String::from("system"),
        }
    }
}

/// The only way to the rows of one namespace; builds keys inside its own prefix alone. Made by
/// [`crate::Store::namespace`]; cheap to clone.
#[derive(Clone)]
pub struct Namespace {
    pub(crate) shard: Arc<Shard>,
    id: NamespaceId,
    owner: Arc<Owner>,
}

/// How much of a relation is where, in one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelationUse {
    /// Hot rows, tombstones included; exact while there are few, then estimated from the bytes.
    pub hot_rows: u64,
    /// About how many bytes the hot rows take.
    pub hot_bytes: u64,
    /// Rows in segments, among them old versions and tombstones not yet compacted.
    pub cold_rows: u64,
    /// Bytes of segments.
    pub cold_bytes: u64,
    /// Segments.
    pub segments: u64,
}

impl Namespace {
    pub(crate) fn new(shard: Arc<Shard>, id: NamespaceId, owner: Owner) -> Namespace {
        Namespace { shard, id, owner: Arc::new(owner) }
    }

    /// As [`Namespace::new`], sharing the owner's name.
    pub(crate) fn of(shard: Arc<Shard>, id: NamespaceId, owner: Arc<Owner>) -> Namespace {
        Namespace { shard, id, owner }
    }

    pub(crate) fn shared_owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// Its number.
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn cold(&self) -> &Cold {
        &self.shard.cold
    }

    /// The key of a hidden row id.
    pub fn row_id_key(id: i64) -> Key {
        Key::from_row_id(id)
    }

    /// The row at a key: from the write set, else as of the snapshot, hot before cold.
    pub async fn get(
        &self,
        at: &Snapshot,
        writes: Option<&WriteSet>,
        layout: &Arc<Layout>,
        key: &Key,
    ) -> Result<Option<Row>> {
        if let Some(own) = writes.and_then(|writes| writes.relation(self.id, layout.relation)) {
            if let Some(image) = own.rows.get(key) {
                return Ok(image.map(|image| Row { lsn: Lsn::default(), image }));
            }
            if own.replaced.is_some() {
                return Ok(None);
            }
        }
        let whole = key::absolute(self.id, layout.relation, key);
        if let Some(stored) = at.hot().get(Family::Rows, &whole).await? {
            let StoredRow { lsn, image } = StoredRow::parse(&stored)?;
            return Ok(image.map(|image| Row { lsn, image }));
        }
        self.cold().get(at, self.id, layout, key).await
    }

    /// The row whose values in a unique index are `values` (see [`crate::key::index_key`]).
    pub async fn get_unique(
        &self,
        at: &Snapshot,
        writes: Option<&WriteSet>,
        layout: &Arc<Layout>,
        index: usize,
        values: &Bytes,
    ) -> Result<Option<(Key, Row)>> {
        let relation = layout.index(index)?.relation;
        let own = writes.and_then(|writes| writes.index(self.id, relation));
        let value = match own.and_then(|own| own.entries.get(values)) {
            Some(value) => value.clone(),
            None if own.is_some_and(|own| own.replaced) => None,
            None => {
                let whole = key::absolute(self.id, relation, values);
                at.hot().get(Family::Index, &whole).await?
            }
        };
        let Some(value) = value else { return Ok(None) };
        let key = IndexEntry::row_key(values, &value)?;
        let row = self.get(at, writes, layout, &key).await?;
        Ok(row.map(|row| (key, row)))
    }

    /// Whether one of these rows' keys may be taken, in the write set or as of the snapshot: a
    /// `false` is certain, a `true` must be looked into key by key. One look for all of them.
    pub async fn may_hold_any(
        &self,
        at: &Snapshot,
        writes: Option<&WriteSet>,
        layout: &Arc<Layout>,
        rows: &NewRows,
    ) -> Result<bool> {
        if rows.is_empty() {
            return Ok(false);
        }
        if let Some(own) = writes.and_then(|writes| writes.relation(self.id, layout.relation)) {
            if own.rows.holds_any(rows.keys()) {
                return Ok(true);
            }
            if own.replaced.is_some() {
                return Ok(false);
            }
        }
        if self.hot_holds_any(at, Family::Rows, layout.relation, rows.keys()).await? {
            return Ok(true);
        }
        self.cold().may_hold_any(at, self.id, layout, rows).await
    }

    /// As [`Namespace::may_hold_any`], for values of a unique index, which ascend.
    pub async fn may_hold_any_values(
        &self,
        at: &Snapshot,
        writes: Option<&WriteSet>,
        layout: &Layout,
        index: usize,
        values: &[Bytes],
    ) -> Result<bool> {
        let relation = layout.index(index)?.relation;
        if let Some(own) = writes.and_then(|writes| writes.index(self.id, relation)) {
            if values.iter().any(|values| own.entries.get(values).is_some()) {
                return Ok(true);
            }
            if own.replaced {
                return Ok(false);
            }
        }
        let values = values.iter().map(|values| &values[..]);
        self.hot_holds_any(at, Family::Index, relation, values).await
    }

    async fn hot_holds_any<'a>(
        &self,
        at: &Snapshot,
        family: Family,
        relation: RelationId,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<bool> {
        let prefix = key::prefix(self.id, relation);
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(keys.size_hint().0);
        for key in keys {
            bytes.extend_from_slice(&prefix);
            bytes.extend_from_slice(key);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let keys: Vec<&[u8]> = starts.zip(&ends).map(|(start, end)| &bytes[start..*end]).collect();
        at.hot().holds_any(family, &keys).await
    }

    /// How much of a relation is where. Cheap; partly estimated.
    pub async fn relation_use(&self, at: &Snapshot, relation: RelationId) -> Result<RelationUse> {
        const SAMPLE: usize = 256;
        let range = HotRange::prefix(&key::prefix(self.id, relation));
        let limit = ChunkLimit::rows(SAMPLE);
        let sample = at.hot().scan(Family::Rows, &range, false, limit).await?;
        let bytes: usize =
            (0..sample.len()).map(|i| sample.key(i).len() + sample.value(i).len()).sum();
        let mut found = RelationUse {
            hot_rows: sample.len() as u64,
            hot_bytes: bytes as u64,
            ..RelationUse::default()
        };
        if sample.more() {
            // Files don't know what is in memory still, and what was written may be gone again.
            let files = self.shard.hot.approximate_bytes(Family::Rows, &range);
            let written = self.shard.uses.of(self.id, relation).map_or(0, |held| held.bytes);
            let all = files.max(written).max(found.hot_bytes);
            found.hot_rows = (all / (found.hot_bytes / found.hot_rows).max(1)).max(found.hot_rows);
            found.hot_bytes = all;
        }
        self.cold().add_use(at, self.id, relation, &mut found).await?;
        Ok(found)
    }

    /// Checks a row against the limits, before it gets into a write set.
    pub(crate) fn check_row(&self, key: &Key, image: &RowImage) -> Result<()> {
        key::check_length(key.len())?;
        self.check_image(image.len())
    }

    /// As [`Namespace::check_row`], for many.
    pub(crate) fn check_rows(&self, rows: &NewRows) -> Result<()> {
        (0..rows.len()).try_for_each(|row| {
            key::check_length(rows.key_slice(row).len())?;
            self.check_image(rows.image_slice(row).len())
        })
    }

    fn check_image(&self, bytes: usize) -> Result<()> {
        let max = self.shard.options.max_value_bytes;
        if bytes > max {
            return Err(Error::full(format!("row of {bytes} bytes exceeds the maximum of {max}")));
        }
        Ok(())
    }

    /// Checks a write set's size against the largest commit.
    pub(crate) fn check_commit(&self, bytes: usize) -> Result<()> {
        let max = self.shard.options.max_commit_bytes;
        if bytes > max {
            return Err(Error::full(format!(
                "commit of {bytes} bytes exceeds the maximum of {max}"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({}, {:?})", self.id, self.owner)
    }
}
