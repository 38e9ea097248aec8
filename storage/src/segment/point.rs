//! Blocks of segments decoded for reads by key, and kept for the next ones.
//!
//! A block in memory has its keys as bytes, so that finding one is a binary search, and the columns
//! that somebody wanted so far. Blocks are known by the number of their open segment and given up
//! with it: nobody reaches the rows of a segment but by opening it. Scans neither read nor keep
//! them here, or one would cost everybody's point reads what they have gathered.

use super::form;
use super::keys::KeyColumns;
use super::pages::BlockPages;
use super::read::OpenSegment;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::id::Lsn;
use crate::layout::Layout;
use crate::packed::Packed;
use crate::row::{self, Row, RowImage};
use crate::types::ColumnType;
use crate::value::{Reader, Value};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, UInt64Array};
use std::collections::HashMap;
use std::sync::Arc;

/// Blocks by the number of their segment and their place in it.
pub(crate) type PointBlocks = Cache<(u64, usize), Arc<PointBlock>>;

/// Memory held for a block beside its rows and columns, about.
const BLOCK_BYTES: usize = 256;
/// The same for a column beside its buffers.
const COLUMN_BYTES: usize = 160;

/// Columns of a relation, as places in its layout.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) columns: &'a [usize],
}

/// One block of a segment.
pub(crate) struct PointBlock {
    /// Field ids of the columns that its keys are made of.
    key_fields: Vec<i32>,
    keys: Packed,
    lsns: UInt64Array,
    /// Tombstones; `None`: there are none.
    deleted: Option<BooleanArray>,
    /// Those read so far, in the form in memory, by field id, which ascends.
    columns: Vec<(i32, ArrayRef)>,
}

impl PointBlock {
    /// Reads a block, of one known already only what it lacks.
    pub(crate) async fn read(
        segment: &OpenSegment,
        block: usize,
        wanted: Wanted<'_>,
        known: Option<&PointBlock>,
    ) -> Result<PointBlock> {
        let key = wanted.layout.key_columns()?;
        let mut types: HashMap<i32, &ColumnType> = HashMap::new();
        for place in wanted.columns {
            let (field, column) = (form::field_id(*place), wanted.layout.column(*place)?);
            if segment.has(field) && known.is_none_or(|known| known.column(field).is_none()) {
                types.insert(field, &column.ty);
            }
        }
        let read: Vec<i32> = match known {
            Some(_) => types.keys().copied().collect(),
            None => {
                let own = [form::LSN_FIELD, form::DELETED_FIELD].into_iter();
                own.chain(key.fields().iter().copied()).chain(types.keys().copied()).collect()
            }
        };
        let mut stored = segment.block(block, &read).await?;
        let mut columns = Vec::with_capacity(types.len());
        for (field, ty) in types {
            let array = stored.get(&field).ok_or_else(|| segment.damaged("it lacks a column"))?;
            columns.push((field, form::from_stored(ty, array)?));
        }
        match known {
            Some(known) => Ok(known.with(columns)),
            None => PointBlock::new(segment, key, &mut stored, columns),
        }
    }

    fn new(
        segment: &OpenSegment,
        key: &KeyColumns,
        stored: &mut HashMap<i32, ArrayRef>,
        mut columns: Vec<(i32, ArrayRef)>,
    ) -> Result<PointBlock> {
        let mut key_columns = Vec::with_capacity(key.fields().len());
        for (field, ty) in key.fields().iter().zip(key.types()) {
            let array =
                stored.get(field).ok_or_else(|| segment.damaged("it lacks a key column"))?;
            key_columns.push(form::from_stored(ty, array)?);
        }
        let keys = key.encode_packed(&key_columns)?;
        if !keys.ascends() {
            return Err(segment.damaged("its rows are out of order"));
        }
        let lsns = stored.get(&form::LSN_FIELD).and_then(|a| a.as_primitive_opt());
        let mut lsns: UInt64Array =
            lsns.cloned().ok_or_else(|| segment.damaged("it has no _lsn"))?;
        let deleted = stored.get(&form::DELETED_FIELD).and_then(|a| a.as_boolean_opt());
        let deleted = deleted.filter(|d| d.true_count() > 0).cloned();
        // Buffers that two arrays share are not shrunk.
        stored.clear();
        drop(key_columns);
        lsns.shrink_to_fit();
        shrink(&mut columns);
        Ok(PointBlock { key_fields: key.fields().to_vec(), keys, lsns, deleted, columns })
    }

    /// The block with more columns.
    fn with(&self, mut columns: Vec<(i32, ArrayRef)>) -> PointBlock {
        shrink(&mut columns);
        columns.extend(self.columns.iter().cloned());
        columns.sort_unstable_by_key(|(field, _)| *field);
        PointBlock {
            key_fields: self.key_fields.clone(),
            keys: self.keys.clone(),
            lsns: self.lsns.clone(),
            deleted: self.deleted.clone(),
            columns,
        }
    }

    /// Whether its keys are those of a layout.
    pub(crate) fn is_of(&self, layout: &Layout) -> Result<bool> {
        Ok(layout.key_columns()?.fields() == self.key_fields)
    }

    /// Whether it has all of the wanted columns that its segment has.
    pub(crate) fn has(&self, segment: &OpenSegment, wanted: Wanted<'_>) -> bool {
        let fields = wanted.columns.iter().map(|place| form::field_id(*place));
        fields.into_iter().all(|field| self.column(field).is_some() || !segment.has(field))
    }

    /// The place of the row with a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        self.keys.find(key)
    }

    /// Whether a row is a tombstone.
    pub(crate) fn is_deleted(&self, at: usize) -> bool {
        self.deleted.as_ref().is_some_and(|deleted| deleted.value(at))
    }

    /// When a row was committed.
    pub(crate) fn lsn(&self, at: usize) -> Lsn {
        Lsn(self.lsns.value(at))
    }

    /// A row of which all columns are there.
    pub(crate) fn row(&self, layout: &Layout, at: usize) -> Result<Row> {
        let mut image = Vec::with_capacity(128);
        let places = layout.columns.iter().enumerate();
        let values = places.map(|(place, column)| {
            if column.dropped {
                return Ok(Value::Null);
            }
            match (self.column(form::field_id(place)), &column.missing) {
                (Some(array), _) => Reader::new(&column.ty, array)?.value(at),
                (None, Some(missing)) => Reader::new(&column.ty, missing)?.value(0),
                (None, None) => Ok(Value::Null),
            }
        });
        row::encode_values(layout, values, &mut image)?;
        Ok(Row { lsn: self.lsn(at), image: RowImage::from_bytes(image.into()) })
    }

    /// Wanted columns of some rows.
    pub(crate) fn take(&self, wanted: Wanted<'_>, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let take = |place: &usize| match self.column(form::field_id(*place)) {
            Some(array) => arrow::compute::take(array, rows, None).map_err(Error::arrow),
            None => {
                let column = wanted.layout.column(*place)?;
                form::absent_column(&column.ty, column.missing.as_ref(), rows.len())
            }
        };
        wanted.columns.iter().map(take).collect()
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let columns =
            self.columns.iter().map(|(_, array)| COLUMN_BYTES + array.get_array_memory_size());
        let deleted = self.deleted.as_ref().map_or(0, Array::get_array_memory_size);
        let own = BLOCK_BYTES + self.keys.memory() + self.lsns.get_array_memory_size() + deleted;
        own + columns.sum::<usize>()
    }

    fn column(&self, field: i32) -> Option<&ArrayRef> {
        let at = self.columns.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        self.columns.get(at).map(|(_, array)| array)
    }
}

/// Gives back what decoding took beyond what it needed, and brings columns in order.
fn shrink(columns: &mut [(i32, ArrayRef)]) {
    columns.iter_mut().for_each(|(_, array)| array.shrink_to_fit());
    columns.sort_unstable_by_key(|(field, _)| *field);
}

impl OpenSegment {
    /// Those of some columns that it has, of one block, as they are stored.
    async fn block(&self, block: usize, fields: &[i32]) -> Result<HashMap<i32, ArrayRef>> {
        let fields = fields.iter().filter_map(|field| Some((self.root(*field)?, *field)));
        let mut fields: Vec<(usize, i32)> = fields.collect();
        fields.sort_unstable();
        fields.dedup();
        let Some(place) = self.blocks().get(block) else {
            return Err(Error::invalid("a block was asked for that a segment doesn't have"));
        };
        let roots: Vec<usize> = fields.iter().map(|(root, _)| *root).collect();
        let pages = BlockPages {
            metadata: self.metadata(),
            group: place.group,
            rows: place.offset..place.offset + place.rows,
            roots: &roots,
        };
        let batch = pages.read(self.objects(), self.path()).await;
        let batch = batch.map_err(|e| Error::segment(self.path(), e))?;
        if batch.num_columns() != fields.len() {
            return Err(self.damaged("it lacks a column"));
        }
        let fields = fields.into_iter().map(|(_, field)| field);
        Ok(fields.zip(batch.columns().iter().cloned()).collect())
    }
}
