//! A transaction's own rows as a source of sorted chunks.

use super::hot_source::HotRows;
use crate::chunk::Chunk;
use crate::error::Result;
use crate::hot::CHUNK_ROWS;
use crate::id::NamespaceId;
use crate::key::KeyRange;
use crate::segment::read::Projection;
use crate::write_set::WriteSet;
use std::ops::Bound;
use std::sync::Arc;

/// The rows that a write set changes in one relation, within a range.
pub(crate) struct WritesSource {
    writes: Arc<WriteSet>,
    namespace: NamespaceId,
    range: KeyRange,
    reverse: bool,
    projection: Arc<Projection>,
}

impl WritesSource {
    /// The write set's rows in `range`.
    pub(crate) fn new(
        writes: Arc<WriteSet>,
        namespace: NamespaceId,
        range: KeyRange,
        reverse: bool,
        projection: Arc<Projection>,
    ) -> WritesSource {
        WritesSource { writes, namespace, range, reverse, projection }
    }

    /// The next rows, ascending, whichever way the scan goes. What is deleted is a tombstone.
    pub(crate) fn load(&mut self) -> Result<Option<Arc<Chunk>>> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let relation = self.projection.layout.relation;
        let Some(changes) = self.writes.relation(self.namespace, relation) else {
            return Ok(None);
        };
        let mut rows = HotRows::default();
        let mut keys = Vec::new();
        for (key, image) in changes.rows.page(&self.range, self.reverse, CHUNK_ROWS) {
            // Own rows have no LSN yet: 0, as in `Namespace::get`.
            rows.push_image(0, image);
            keys.push(key);
        }
        let last = if self.reverse { keys.first() } else { keys.last() };
        let Some(last) = last else { return Ok(None) };
        let last = Bound::Excluded(last.clone());
        let chunk = rows.into_chunk(keys, &self.projection)?;
        if self.reverse {
            self.range.end = last;
        } else {
            self.range.start = last;
        }
        Ok(Some(Arc::new(chunk)))
    }
}
