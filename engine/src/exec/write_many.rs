//! Storing many new rows at once.
//!
//! As a rule a batch meets nobody: none of its keys and unique values is there, none is repeated
//! in it, and no other transaction is about to decide on one. Then its locks are taken in one go,
//! and one look, made under them, finds that all are free. Where anything speaks against that the
//! batch goes row by row, which finds out what is wrong, with which row, or whom to wait for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use kalamdb_storage::{NewRows, key};

use super::write::Writer;
use crate::{
    error::Result,
    locks::{KeyHash, Mode, Target},
    session::Session,
};

/// Row ids taken at a time by a statement that inserts many rows.
const ROW_IDS_AT_ONCE: u32 = 1024;

/// Values of unique indexes, each index by its place in the layout.
type UniqueValues = Vec<(usize, Vec<Bytes>)>;

impl Writer {
    /// Inserts a batch if none of its rows meets another. `false`: one may, and nothing was written.
    pub(crate) async fn insert_all(
        &mut self,
        session: &mut Session,
        batch: &RecordBatch,
    ) -> Result<bool> {
        let rows = self.new_rows(batch).await?;
        if rows.repeats() || !self.lock_new(session, &rows)? {
            return Ok(false);
        }
        let unique = match self.lock_values(session, batch)? {
            Some(unique) => unique,
            None => return Ok(false),
        };
        // Taken under the locks: nobody can change what it shows of these keys.
        let now = session.engine.store.snapshot();
        let writes = Some(&*session.transaction.writes);
        let (namespace, layout) = (&self.namespace, &self.layout);
        if self.has_key() && namespace.may_hold_any(&now, writes, layout, &rows).await? {
            return Ok(false);
        }
        for (index, values) in &unique {
            if namespace.may_hold_any_values(&now, writes, layout, *index, values).await? {
                return Ok(false);
            }
        }
        drop(now);
        if self.tracks {
            self.touched.extend((0..rows.len()).map(|row| rows.key(row)));
        }
        let writes = session.transaction.writes_mut();
        writes.insert_rows(&self.namespace, &self.layout, Arc::new(rows), batch)?;
        Ok(true)
    }

    fn has_key(&self) -> bool {
        self.relation.indexes().iter().any(|index| index.primary)
    }

    fn lock_new(&self, session: &mut Session, rows: &NewRows) -> Result<bool> {
        if !self.has_key() {
            return Ok(true);
        }
        let (namespace, relation) = (self.namespace.id(), self.layout.relation);
        let target = |key: &[u8]| Target::Row(namespace, relation, KeyHash::of(key));
        let targets = rows.keys().map(target);
        session.transaction.lock_free(targets, Mode::Update)
    }

    /// Locks the values of the unique indexes. Returns them sorted; `None` if one is not free.
    fn lock_values(
        &self,
        session: &mut Session,
        batch: &RecordBatch,
    ) -> Result<Option<UniqueValues>> {
        let mut all = Vec::new();
        let secondary = self.relation.indexes().iter().filter(|index| !index.primary);
        for (place, _) in secondary.enumerate().filter(|(_, index)| index.unique) {
            let values = key::index_keys(&self.layout, place, batch)?;
            let mut values: Vec<Bytes> = values.into_iter().flatten().collect();
            values.sort_unstable();
            if values.windows(2).any(|pair| pair[0] == pair[1]) {
                return Ok(None);
            }
            let (namespace, relation) = (self.namespace.id(), self.layout.indexes[place].relation);
            let target = |value: &Bytes| Target::Unique(namespace, relation, KeyHash::of(value));
            if !session.transaction.lock_free(values.iter().map(target), Mode::Update)? {
                return Ok(None);
            }
            all.push((place, values));
        }
        Ok(Some(all))
    }

    async fn new_rows(&mut self, batch: &RecordBatch) -> Result<NewRows> {
        if !self.layout.key.is_empty() {
            return Ok(NewRows::by_primary_key(&self.layout, batch)?);
        }
        let ids = self.new_row_ids(batch.num_rows()).await?;
        Ok(NewRows::by_row_id(&self.layout, batch, &ids)?)
    }

    /// As many hidden row ids, ascending.
    pub(super) async fn new_row_ids(&mut self, count: usize) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            ids.extend(self.row_ids.by_ref().take(count - ids.len()));
            if ids.len() < count {
                let missing = u32::try_from(count - ids.len()).unwrap_or(u32::MAX);
                let n = missing.min(ROW_IDS_AT_ONCE);
                let first = self.namespace.allocate_row_ids(self.layout.relation, n).await?;
                self.row_ids = first..first + i64::from(n);
            }
        }
        Ok(ids)
    }
}
