//! Pieces of sorted rows, and batches made of runs of them.

use crate::error::{Error, Result};
use crate::hot;
use crate::key::PREFIX_BYTES;
use crate::segment::keys::KeyColumns;
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// Rows of one source, ascending by key, keys unique.
///
/// Keys are made only when somebody looks at them: where sources don't overlap nobody does, the
/// span `low..high` is enough.
pub(crate) struct Chunk {
    /// At most the first key.
    pub(crate) low: Bytes,
    /// More than the last key.
    pub(crate) high: Bytes,
    /// One per row.
    pub(crate) lsns: UInt64Array,
    /// Tombstones; `None`: none.
    pub(crate) deleted: Option<BooleanArray>,
    /// Wanted columns. A tombstone's values mean nothing.
    pub(crate) columns: Vec<ArrayRef>,
    keys: OnceLock<Vec<Bytes>>,
    key_source: Option<KeySource>,
}

/// What keys are made of.
pub(crate) enum KeySource {
    /// The columns of cold rows.
    Columns(Arc<KeyColumns>, Vec<ArrayRef>),
    /// The pairs of hot rows, which descend if so said.
    Pairs { pairs: hot::Chunk, descending: bool },
}

impl KeySource {
    fn keys(&self) -> Result<Vec<Bytes>> {
        match self {
            KeySource::Columns(maker, columns) => maker.encode(columns),
            KeySource::Pairs { pairs, descending } => {
                let key = |at| pairs.key_bytes(at).slice(PREFIX_BYTES..);
                Ok(match descending {
                    false => (0..pairs.len()).map(key).collect(),
                    true => (0..pairs.len()).rev().map(key).collect(),
                })
            }
        }
    }
}

impl Chunk {
    /// Rows whose keys are known. At least one.
    pub(crate) fn new(
        keys: Vec<Bytes>,
        lsns: Vec<u64>,
        deleted: Option<BooleanArray>,
        columns: Vec<ArrayRef>,
    ) -> Chunk {
        let low = keys.first().cloned().unwrap_or_default();
        let high = keys.last().map(|key| after(key)).unwrap_or_default();
        Chunk {
            low,
            high,
            lsns: lsns.into(),
            deleted,
            columns,
            keys: OnceLock::from(keys),
            key_source: None,
        }
    }

    /// Rows whose keys are made on demand.
    pub(crate) fn lazy(
        (low, high): (Bytes, Bytes),
        lsns: UInt64Array,
        deleted: Option<BooleanArray>,
        columns: Vec<ArrayRef>,
        key_source: KeySource,
    ) -> Chunk {
        let (keys, key_source) = (OnceLock::new(), Some(key_source));
        Chunk { low, high, lsns, deleted, columns, keys, key_source }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.lsns.len()
    }

    /// Whether keys are there already.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.get().is_some()
    }

    /// One key per row.
    pub(crate) fn keys(&self) -> Result<&[Bytes]> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let Some(source) = &self.key_source else {
            return Err(Error::invalid("rows without keys"));
        };
        let keys = source.keys()?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Some of the rows, whose keys are there.
    pub(crate) fn slice(&self, at: usize, rows: usize) -> Result<Chunk> {
        let keys = self.keys()?[at..at + rows].to_vec();
        let mut cut = Chunk::new(
            keys,
            Vec::new(),
            self.deleted.as_ref().map(|d| d.slice(at, rows)),
            self.columns.iter().map(|c| c.slice(at, rows)).collect(),
        );
        cut.lsns = self.lsns.slice(at, rows);
        Ok(cut)
    }
}

/// The smallest key after `key`.
pub(crate) fn after(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend(key);
    next.push(0);
    next.into()
}

/// Rows chosen from chunks, in the order they go out.
#[derive(Default)]
pub(crate) struct Picked {
    chunks: Vec<Arc<Chunk>>,
    runs: Vec<Run>,
    rows: usize,
}

/// Consecutive rows of one chunk.
struct Run {
    chunk: usize,
    first: usize,
    rows: usize,
    reverse: bool,
}

impl Picked {
    /// Rows chosen.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Takes rows `first..first + rows` of a chunk, or the same backwards, without tombstones, and
    /// no more than `limit` of them.
    pub(crate) fn take(
        &mut self,
        chunk: &Arc<Chunk>,
        (first, rows): (usize, usize),
        reverse: bool,
        limit: usize,
    ) {
        let known = self.chunks.iter().rposition(|c| Arc::ptr_eq(c, chunk));
        let at = known.unwrap_or_else(|| {
            self.chunks.push(Arc::clone(chunk));
            self.chunks.len() - 1
        });
        let mut left = limit;
        let mut add = |first: usize, rows: usize| {
            let rows_now = rows.min(left);
            left -= rows_now;
            let first = if reverse { first + rows - rows_now } else { first };
            if rows_now > 0 {
                self.runs.push(Run { chunk: at, first, rows: rows_now, reverse });
                self.rows += rows_now;
            }
        };
        let Some(deleted) = &chunk.deleted else { return add(first, rows) };
        let mut live: Vec<(usize, usize)> = Vec::new();
        for row in (first..first + rows).filter(|row| !deleted.value(*row)) {
            match live.last_mut() {
                Some((start, count)) if *start + *count == row => *count += 1,
                _ => live.push((row, 1)),
            }
        }
        if reverse {
            live.reverse();
        }
        for (first, rows) in live {
            add(first, rows);
        }
    }

    /// The rows as one batch.
    pub(crate) fn into_batch(self, shape: &Shape) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(shape.schema.fields().len());
        if shape.key {
            columns.push(Arc::new(self.keys()?));
        }
        let whole = match &self.runs[..] {
            [Run { chunk, first, rows, reverse: false }] => Some((*chunk, *first, *rows)),
            _ => None,
        };
        if let Some((chunk, first, rows)) = whole {
            let chunk = &self.chunks[chunk];
            if shape.lsn {
                columns.push(Arc::new(chunk.lsns.slice(first, rows)));
            }
            columns.extend(chunk.columns.iter().map(|c| c.slice(first, rows)));
        } else {
            self.interleave(shape, &mut columns)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::clone(&shape.schema), columns, &options)
            .map_err(Error::arrow)
    }

    fn keys(&self) -> Result<BinaryArray> {
        let mut keys = arrow::array::BinaryBuilder::with_capacity(self.rows, self.rows * 12);
        for run in &self.runs {
            let all = &self.chunks[run.chunk].keys()?[run.first..run.first + run.rows];
            if run.reverse {
                all.iter().rev().for_each(|key| keys.append_value(key));
            } else {
                all.iter().for_each(|key| keys.append_value(key));
            }
        }
        Ok(keys.finish())
    }

    fn interleave(&self, shape: &Shape, columns: &mut Vec<ArrayRef>) -> Result<()> {
        let mut places = Vec::with_capacity(self.rows);
        for run in &self.runs {
            let rows = run.first..run.first + run.rows;
            if run.reverse {
                places.extend(rows.rev().map(|row| (run.chunk, row)));
            } else {
                places.extend(rows.map(|row| (run.chunk, row)));
            }
        }
        if shape.lsn {
            let lsn = |(chunk, row): &(usize, usize)| self.chunks[*chunk].lsns.value(*row);
            columns.push(Arc::new(
                places.iter().map(lsn).collect::<Vec<_>>().into_iter().collect::<UInt64Array>(),
            ));
        }
        let single = self.chunks.len() == 1;
        let rows = single
            .then(|| {
                places
                    .iter()
                    .map(|(_, row)| u32::try_from(*row))
                    .collect::<std::result::Result<Vec<_>, _>>()
            })
            .and_then(std::result::Result::ok)
            .map(UInt32Array::from);
        for at in 0..shape.columns {
            let column = match &rows {
                Some(rows) => arrow::compute::take(&self.chunks[0].columns[at], rows, None),
                None if self.chunks.is_empty() => {
                    let field =
                        shape.schema.field(shape.schema.fields().len() - shape.columns + at);
                    Ok(arrow::array::new_empty_array(field.data_type()))
                }
                None => {
                    let all: Vec<&dyn Array> =
                        self.chunks.iter().map(|c| c.columns[at].as_ref()).collect();
                    arrow::compute::interleave(&all, &places)
                }
            };
            columns.push(column.map_err(Error::arrow)?);
        }
        Ok(())
    }
}

/// What a batch that goes out looks like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Its schema.
    pub(crate) schema: SchemaRef,
    /// Whether `_key` leads.
    pub(crate) key: bool,
    /// Whether `_lsn` comes before the columns.
    pub(crate) lsn: bool,
    /// Number of wanted columns, after those.
    pub(crate) columns: usize,
}

impl Shape {
    /// The shape of batches with these columns.
    pub(crate) fn new(columns: &Schema, key: bool, lsn: bool) -> Shape {
        let mut fields: Vec<FieldRef> = Vec::with_capacity(columns.fields().len() + 2);
        if key {
            fields.push(Arc::new(Field::new("_key", DataType::Binary, false)));
        }
        if lsn {
            fields.push(Arc::new(Field::new("_lsn", DataType::UInt64, false)));
        }
        fields.extend(columns.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields));
        Shape { schema, key, lsn, columns: columns.fields().len() }
    }
}
