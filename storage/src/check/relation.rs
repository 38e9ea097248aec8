//! Verifying one relation against its indexes.

use crate::error::Result;
use crate::hot::{ChunkLimit, Family};
use crate::key::{IndexEntry, Key, KeyRange, PREFIX_BYTES, absolute};
use crate::layout::Layout;
use crate::namespace::Namespace;
use crate::row;
use crate::scan::ScanSpec;
use crate::segment::blocks::to_hex;
use crate::snapshot::Snapshot;
use arrow::array::{AsArray, RecordBatch};
use bytes::Bytes;
use futures::TryStreamExt;
use std::sync::Arc;

/// Most problems listed for one relation.
const PROBLEMS_MAX: usize = 100;

impl Namespace {
    /// Verifies that keys are those of their rows, that every row is in every index once, and that
    /// no index has an entry for anything else. Returns what is wrong, a sentence each; the first
    /// hundred.
    ///
    /// Fails with `Corrupt` where rows can't be read at all, else as [`Namespace::scan`].
    pub async fn verify(&self, at: &Snapshot, layout: &Arc<Layout>) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let mut spec = ScanSpec::new(layout.live().to_vec());
        spec.key = true;
        let mut rows = self.scan(at.clone(), None, Arc::clone(layout), spec);
        let mut count = 0_u64;
        while let Some(batch) = rows.try_next().await? {
            count += batch.num_rows() as u64;
            self.verify_batch(at, layout, &batch, &mut problems).await?;
        }
        for index in &layout.indexes {
            // Every row has its entry, so equal numbers mean that there are no others.
            let mut entries = 0_u64;
            let mut range = KeyRange::all().absolute(self.id(), index.relation);
            loop {
                let limit = ChunkLimit::default();
                let read = at.hot().scan(Family::Index, &range, false, limit).await?;
                entries += read.len() as u64;
                match read.last_key() {
                    Some(last) if read.more() => range.after(last, false),
                    _ => break,
                }
            }
            if entries != count {
                problems.push(format!(
                    "index {} has {entries} entries for {count} rows",
                    index.relation
                ));
            }
        }
        problems.truncate(PROBLEMS_MAX);
        Ok(problems)
    }

    async fn verify_batch(
        &self,
        at: &Snapshot,
        layout: &Arc<Layout>,
        batch: &RecordBatch,
        problems: &mut Vec<String>,
    ) -> Result<()> {
        let keys = batch.column(0).as_binary::<i32>();
        let places: Vec<usize> = (1..batch.num_columns()).collect();
        let rows = batch.project(&places).map_err(crate::error::Error::arrow)?;
        let images = row::encode_all(layout, &rows)?;
        for (at_row, image) in images.iter().enumerate() {
            if problems.len() >= PROBLEMS_MAX {
                return Ok(());
            }
            let key = Key::from_bytes(Bytes::copy_from_slice(keys.value(at_row)));
            if !layout.key.is_empty() && crate::key::encode(layout, &rows, at_row)? != key {
                problems.push(format!("row {} lies under a key not its own", to_hex(&key)));
            }
            for index in &layout.indexes {
                let entry = IndexEntry::new(layout, index, &key, image)?;
                let whole = absolute(self.id(), index.relation, &entry.key);
                let held = at.hot().get(Family::Index, &whole).await?;
                if held.as_ref() != Some(&entry.value) {
                    let entry = to_hex(&whole[PREFIX_BYTES..]);
                    problems.push(format!(
                        "index {} lacks the entry {entry} of row {}",
                        index.relation,
                        to_hex(&key)
                    ));
                }
            }
        }
        Ok(())
    }
}
