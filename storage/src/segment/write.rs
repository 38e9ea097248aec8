//! Writing one segment, streaming: rows arrive sorted by key and leave in row groups.

use super::blocks::{BLOCK_ROWS, BLOCKS_META_KEY, Block, Blocks, separator};
use super::form;
use crate::error::{Error, Result};
use crate::id::Lsn;
use crate::layout::Layout;
use crate::manifest::{ColumnStatistics, SegmentEntry};
use crate::objects::{Objects, Sink, Written};
use crate::types::ColumnType;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use std::sync::{Arc, Mutex, PoisonError};

/// Most blocks of a row group.
const GROUP_BLOCKS_MAX: usize = 1024;
/// A row group is ended early when it holds this much: what a writer keeps in memory.
const GROUP_BYTES_MAX: usize = 32 << 20;
/// A small dictionary keeps a point read cheap, since every read of a column starts with it. For
/// the same reason only text has one; the other types are left to zstd.
const DICTIONARY_BYTES_MAX: usize = 64 << 10;
const PAGE_BYTES_MAX: usize = 1 << 20;
const ZSTD_LEVEL: i32 = 3;
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Rows on their way into a segment, ascending by key.
pub(crate) struct SortedRows {
    /// One key per row.
    pub(crate) keys: Vec<Bytes>,
    /// One LSN per row.
    pub(crate) lsns: Vec<u64>,
    /// Which rows are tombstones; `None`: none is.
    pub(crate) deleted: Option<BooleanArray>,
    /// Live columns in attribute order, in the form in memory. A tombstone has its key only.
    pub(crate) columns: Vec<ArrayRef>,
}

/// One segment being written.
pub(crate) struct SegmentWriter {
    writer: AsyncArrowWriter<Sink>,
    written: Arc<Mutex<Written>>,
    path: Path,
    schema: SchemaRef,
    descriptor: SchemaDescriptor,
    layout: Arc<Layout>,
    tombstones_allowed: bool,
    group_rows_max: usize,
    blocks: Blocks,
    group: usize,
    group_rows: usize,
    rows: u64,
    tombstones: u64,
    lsns: Option<(u64, u64)>,
    first_key: Bytes,
    last_key: Bytes,
    numerics: Vec<NumericRange>,
}

/// Parquet orders decimal text as text, so the range of numeric columns is kept here.
#[derive(Default)]
struct NumericRange {
    least: Option<Vec<u8>>,
    greatest: Option<Vec<u8>>,
}

impl SegmentWriter {
    /// Begins a segment at `path`.
    pub(crate) fn create(
        objects: &Objects,
        path: Path,
        layout: &Arc<Layout>,
        tombstones_allowed: bool,
        group_rows_max: usize,
    ) -> Result<SegmentWriter> {
        let blocks_max = group_rows_max.div_ceil(BLOCK_ROWS).clamp(1, GROUP_BLOCKS_MAX);
        let schema = form::segment_schema(layout, tombstones_allowed);
        let descriptor = form::parquet_schema(&schema)?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties(layout, &schema, &descriptor, blocks_max * BLOCK_ROWS)?)
            .with_parquet_schema(descriptor.clone());
        let (sink, written) = objects.sink(&path);
        let writer = AsyncArrowWriter::try_new_with_options(sink, Arc::clone(&schema), options);
        let numerics = layout.columns.iter().map(|_| NumericRange::default()).collect();
        Ok(SegmentWriter {
            writer: writer.map_err(Error::parquet)?,
            written,
            path,
            schema,
            descriptor,
            layout: Arc::clone(layout),
            tombstones_allowed,
            group_rows_max: blocks_max * BLOCK_ROWS,
            blocks: Blocks::default(),
            group: 0,
            group_rows: 0,
            rows: 0,
            tombstones: 0,
            lsns: None,
            first_key: Bytes::new(),
            last_key: Bytes::new(),
            numerics,
        })
    }

    /// Appends rows, all after those before.
    pub(crate) async fn write(&mut self, rows: &SortedRows) -> Result<()> {
        let stored = self.stored(rows)?;
        let mut at = 0;
        while at < rows.keys.len() {
            let room = BLOCK_ROWS - self.group_rows % BLOCK_ROWS;
            let take = room.min(rows.keys.len() - at);
            self.note(&rows.keys[at..at + take])?;
            self.writer.write(&stored.slice(at, take)).await.map_err(Error::parquet)?;
            self.group_rows += take;
            at += take;
            let full = self.group_rows >= self.group_rows_max
                || (self.group_rows.is_multiple_of(BLOCK_ROWS)
                    && self.writer.in_progress_size() >= GROUP_BYTES_MAX);
            if full {
                self.writer.flush().await.map_err(Error::parquet)?;
                self.group += 1;
                self.group_rows = 0;
            }
        }
        let deleted = rows.deleted.as_ref().map_or(0, |d| d.true_count()) as u64;
        self.tombstones += deleted;
        self.rows += rows.keys.len() as u64 - deleted;
        for lsn in &rows.lsns {
            let (least, greatest) = self.lsns.unwrap_or((*lsn, *lsn));
            self.lsns = Some((least.min(*lsn), greatest.max(*lsn)));
        }
        Ok(())
    }

    /// Keeps the key index: at most one block's rows, none beyond its end.
    fn note(&mut self, keys: &[Bytes]) -> Result<()> {
        let Some(first) = keys.first() else { return Ok(()) };
        let mut before = &self.last_key;
        let mut begins = self.first_key.is_empty() && self.blocks.len() == 0;
        for key in keys {
            if !begins && before >= key {
                return Err(Error::corrupt("rows reached a segment out of key order"));
            }
            (before, begins) = (key, false);
        }
        if self.blocks.len() == 0 {
            self.first_key = first.clone();
        }
        if self.group_rows.is_multiple_of(BLOCK_ROWS) {
            let start = separator(&self.last_key, first);
            let (group, offset) = (self.group, self.group_rows);
            self.blocks.push(Block { group, offset, rows: 0, start });
        }
        if let Some(block) = self.blocks.last_mut() {
            block.rows += keys.len();
        }
        self.last_key = before.clone();
        Ok(())
    }

    /// The rows in the segment's shape.
    fn stored(&mut self, rows: &SortedRows) -> Result<RecordBatch> {
        let count = rows.keys.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        columns.push(Arc::new(UInt64Array::from(rows.lsns.clone())));
        if self.tombstones_allowed {
            let none = || BooleanArray::from(vec![false; count]);
            columns.push(Arc::new(rows.deleted.clone().unwrap_or_else(none)));
        } else if rows.deleted.as_ref().is_some_and(|d| d.true_count() > 0) {
            return Err(Error::invalid("a tombstone reached a segment that has none"));
        }
        if self.layout.key.is_empty() {
            columns.push(super::keys::row_ids(&rows.keys)?);
        }
        let live = self.layout.columns.iter().enumerate().filter(|(_, c)| !c.dropped);
        for ((index, column), array) in live.zip(&rows.columns) {
            if column.ty == ColumnType::Numeric {
                self.numerics[index].take(array);
            }
            columns.push(form::to_stored(&column.ty, array)?);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::arrow)
    }

    /// Bytes of the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Ends the segment: complete, but not yet synced. `None`, and no object, if it has no rows.
    pub(crate) async fn finish(mut self) -> Result<Option<SegmentEntry>> {
        let Some((lsn_min, lsn_max)) = self.lsns else {
            self.writer.into_inner().abort().await;
            return Ok(None);
        };
        let key_index = self.blocks.to_text();
        self.writer.append_key_value_metadata(KeyValue::new(BLOCKS_META_KEY.to_owned(), key_index));
        let metadata = self.writer.finish().await.map_err(Error::parquet)?;
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(SegmentEntry {
            path: self.path.as_ref().to_owned(),
            rows: self.rows,
            tombstones: self.tombstones,
            bytes: written.bytes,
            crc32c: format!("{:08x}", written.crc32c),
            lsn_min: Lsn(lsn_min),
            lsn_max: Lsn(lsn_max),
            columns: self.statistics(&metadata),
            key_min: self.first_key,
            key_max: self.last_key,
        }))
    }

    /// Gives the segment up.
    pub(crate) async fn abort(self) {
        self.writer.into_inner().abort().await;
    }

    fn statistics(&self, metadata: &ParquetMetaData) -> Vec<ColumnStatistics> {
        let live = self.layout.columns.iter().enumerate().filter(|(_, c)| !c.dropped);
        live.map(|(index, column)| {
            let (mut min, mut max) = self.bounds(&column.name, metadata);
            if column.ty == ColumnType::Numeric {
                let range = &self.numerics[index];
                (min, max) =
                    (NumericRange::text(&range.least), NumericRange::text(&range.greatest));
            }
            let nulls = self.nulls(form::field_id(index), metadata);
            ColumnStatistics { name: column.name.clone(), min, max, nulls }
        })
        .collect()
    }

    fn nulls(&self, field_id: i32, metadata: &ParquetMetaData) -> Option<u64> {
        let leaf = (0..self.descriptor.num_columns()).find(|leaf| {
            let info = self.descriptor.get_column_root(*leaf).get_basic_info();
            info.has_id() && info.id() == field_id
        })?;
        // A list's leaf counts its items' NULLs as well.
        if self.descriptor.get_column_root(leaf).is_group() {
            return None;
        }
        let groups = metadata.row_groups().iter();
        groups.map(|g| g.column(leaf).statistics().and_then(|s| s.null_count_opt())).sum()
    }

    fn bounds(&self, name: &str, metadata: &ParquetMetaData) -> (Option<String>, Option<String>) {
        let Ok(converter) = StatisticsConverter::try_new(name, &self.schema, &self.descriptor)
        else {
            return (None, None);
        };
        let groups = || metadata.row_groups().iter();
        let least = converter.row_group_mins(groups()).ok();
        let greatest = converter.row_group_maxes(groups()).ok();
        (least.and_then(|a| extreme(&a, false)), greatest.and_then(|a| extreme(&a, true)))
    }
}

impl NumericRange {
    fn take(&mut self, array: &ArrayRef) {
        // The last two bytes are the display scale, which has no part in the order.
        let value = |v: &[u8]| v.len().saturating_sub(2);
        let Some(array) = array.as_binary_opt::<i32>() else { return };
        for bytes in array.iter().flatten() {
            let less = self.least.as_ref().is_none_or(|l| bytes[..value(bytes)] < l[..value(l)]);
            if less {
                self.least = Some(bytes.to_vec());
            }
            let more = self.greatest.as_ref().is_none_or(|g| bytes[..value(bytes)] > g[..value(g)]);
            if more {
                self.greatest = Some(bytes.to_vec());
            }
        }
    }

    fn text(bytes: &Option<Vec<u8>>) -> Option<String> {
        let mut out = String::new();
        super::numeric::to_text(bytes.as_ref()?, &mut out).ok()?;
        Some(out)
    }
}

/// The least or greatest value of an array, as text.
fn extreme(array: &ArrayRef, descending: bool) -> Option<String> {
    if array.data_type().is_nested() {
        return None;
    }
    let options = SortOptions { descending, nulls_first: false };
    let first = arrow::compute::sort_to_indices(array, Some(options), Some(1)).ok()?;
    let at = first.values().first().and_then(|i| usize::try_from(*i).ok())?;
    if array.is_null(at) {
        return None;
    }
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options).ok()?;
    formatter.value(at).try_to_string().ok()
}

fn properties(
    layout: &Layout,
    schema: &SchemaRef,
    descriptor: &SchemaDescriptor,
    group_rows: usize,
) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(Error::parquet)?;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("kalamdb ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(BLOCK_ROWS)
        .set_write_batch_size(BLOCK_ROWS)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        // Row groups are ended by the writer above, at the ends of blocks.
        .set_max_row_group_row_count(None)
        .set_sorting_columns(Some(form::sorting_columns(layout, descriptor)));
    let key_field = |field: &arrow::datatypes::Field| match form::field_id_of(field) {
        Some(form::ROW_ID_FIELD) => layout.key.is_empty(),
        Some(id) => layout.key.iter().any(|i| form::field_id(*i) == id),
        None => false,
    };
    for field in
        schema.fields().iter().filter(|f| *f.data_type() == DataType::Utf8 && !key_field(f))
    {
        let path = ColumnPath::from(field.name().as_str());
        builder = builder.set_column_dictionary_enabled(path, true);
    }
    for field in schema.fields().iter().filter(|f| key_field(f) && !f.data_type().is_nested()) {
        let path = ColumnPath::from(field.name().as_str());
        builder = builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(path, group_rows as u64);
    }
    Ok(builder.build())
}
