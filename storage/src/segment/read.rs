//! Reading segments: an open segment is its decoded footer; rows are read by blocks of one group.

use super::blocks::{BLOCKS_META_KEY, Blocks};
use super::form;
use super::keys::{KeyColumns, Probe};
use super::point::{PointBlocks, Wanted};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::manifest::SegmentEntry;
use crate::objects::Objects;
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Read along with the end of a file, in the hope that the footer fits.
const FOOTER_GUESS_BYTES: usize = 64 << 10;

/// Bytes of one block of a Bloom filter.
const BLOOM_BLOCK_BYTES: usize = 32;
/// Numbers of open segments.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Bloom filters by segment number, row group and field id; `None`: there is no such filter.
type Blooms = Cache<(u64, usize, i32), Option<Arc<Sbbf>>>;

/// Bytes of Bloom filters kept.
const BLOOM_CACHE_BYTES: usize = 32 << 20;

/// What is kept of all open segments.
pub(crate) struct Kept {
    blooms: Blooms,
    /// Blocks for reads by key.
    pub(crate) blocks: PointBlocks,
}

impl Kept {
    /// Nothing yet, and no more than so many bytes of blocks.
    pub(crate) fn new(block_bytes: usize) -> Kept {
        Kept { blooms: Cache::new(BLOOM_CACHE_BYTES), blocks: Cache::new(block_bytes) }
    }
}

/// What a read wants of each row.
#[derive(Debug)]
pub(crate) struct Projection {
    /// The shape rows are wanted in.
    pub(crate) layout: Arc<Layout>,
    /// Wanted columns, indexes into the layout.
    pub(crate) columns: Vec<usize>,
    /// How keys are made.
    pub(crate) key: Arc<KeyColumns>,
    /// Wanted columns as a schema.
    pub(crate) schema: SchemaRef,
}

impl Projection {
    /// A projection onto `columns`.
    pub(crate) fn new(layout: &Arc<Layout>, columns: Vec<usize>) -> Result<Projection> {
        let fields =
            columns.iter().map(|index| layout.field(*index)).collect::<Result<Vec<_>>>()?;
        Ok(Projection {
            key: Arc::clone(layout.key_columns()?),
            layout: Arc::clone(layout),
            columns,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The wanted columns.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted { layout: &self.layout, columns: &self.columns }
    }

    /// A projection onto all live columns.
    pub(crate) fn whole(layout: &Arc<Layout>) -> Result<Projection> {
        Projection::new(layout, layout.live().to_vec())
    }
}

/// Rows of a segment in the form in memory.
pub(crate) struct ColdRows {
    /// One per row.
    pub(crate) lsns: UInt64Array,
    /// Tombstones; `None`: the segment has none.
    pub(crate) deleted: Option<BooleanArray>,
    /// The columns keys are made of.
    pub(crate) key_columns: Vec<ArrayRef>,
    /// Wanted columns.
    pub(crate) columns: Vec<ArrayRef>,
}

/// One segment with its footer.
pub(crate) struct OpenSegment {
    /// Unlike any other's while the process lives.
    number: u64,
    objects: Objects,
    path: Path,
    size: u64,
    crc32c: String,
    metadata: ArrowReaderMetadata,
    blocks: Blocks,
    /// Field id -> place among the file's columns.
    roots: HashMap<i32, usize>,
    kept: Arc<Kept>,
}

impl OpenSegment {
    /// Reads a segment's footer.
    pub(crate) async fn open(
        objects: &Objects,
        kept: &Arc<Kept>,
        entry: &SegmentEntry,
    ) -> Result<OpenSegment> {
        let path = entry.location()?;
        let mut file = File { objects: objects.clone(), path: path.clone(), size: entry.bytes };
        let options = ArrowReaderOptions::new()
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_column_index_policy(PageIndexPolicy::Skip);
        let metadata = ArrowReaderMetadata::load_async(&mut file, options)
            .await
            .map_err(|e| Error::segment(&path, e))?;
        let footer = metadata.metadata();
        let groups = footer.row_groups().iter().map(|g| usize::try_from(g.num_rows()));
        let groups: Vec<usize> =
            groups.collect::<std::result::Result<_, _>>().map_err(|e| Error::damage(&path, e))?;
        if groups.iter().sum::<usize>() as u64 != entry.rows + entry.tombstones {
            return Err(Error::damage(
                &path,
                "it has another number of rows than its manifest says",
            ));
        }
        let pairs = footer.file_metadata().key_value_metadata();
        let index = pairs.into_iter().flatten().find(|pair| pair.key == BLOCKS_META_KEY);
        let text = index.and_then(|pair| pair.value.as_deref());
        let text = text.ok_or_else(|| Error::damage(&path, "it has no key index"))?;
        let blocks = Blocks::from_text(text, &groups)?;
        let fields = metadata.schema().fields().iter().enumerate();
        let roots = fields.filter_map(|(at, f)| Some((form::field_id_of(f)?, at))).collect();
        Ok(OpenSegment {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            objects: objects.clone(),
            path,
            size: entry.bytes,
            crc32c: entry.crc32c.clone(),
            metadata,
            blocks,
            roots,
            kept: Arc::clone(kept),
        })
    }

    /// What it goes by among open segments.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it is the segment of an entry: a path may be used again after a table is gone.
    pub(crate) fn is(&self, entry: &SegmentEntry) -> bool {
        self.crc32c == entry.crc32c
    }

    /// Whether it has a column.
    pub(super) fn has(&self, field: i32) -> bool {
        self.roots.contains_key(&field)
    }

    /// The place of a column among the file's.
    pub(super) fn root(&self, field: i32) -> Option<usize> {
        self.roots.get(&field).copied()
    }

    pub(super) fn metadata(&self) -> &ArrowReaderMetadata {
        &self.metadata
    }

    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It is not what was written.
    pub(super) fn damaged(&self, what: &str) -> Error {
        Error::damage(&self.path, what)
    }

    /// The key index.
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Memory held, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.metadata.metadata().memory_size() + self.blocks.bytes()
    }

    /// The greatest attribute number of a column in it.
    pub(crate) fn last_attribute(&self) -> i32 {
        self.roots.keys().copied().filter(|id| *id < form::LSN_FIELD).max().unwrap_or(0)
    }

    /// Reads blocks of one row group; ascending, not overlapping spans.
    pub(crate) fn read(
        self: &Arc<Self>,
        projection: &Arc<Projection>,
        spans: &[Range<usize>],
        batch_rows: usize,
    ) -> Result<BlockReader> {
        let first = spans.first().and_then(|span| self.blocks.get(span.start));
        let Some(first) = first else {
            return Err(Error::invalid("no block of a segment was asked for"));
        };
        let group = first.group;
        let mut rows = Vec::with_capacity(spans.len());
        for span in spans {
            let last = span.end.checked_sub(1).and_then(|last| self.blocks.get(last));
            match (self.blocks.get(span.start), last) {
                (Some(a), Some(b)) if a.group == group && b.group == group => {
                    rows.push(a.offset..b.offset + b.rows);
                }
                _ => return Err(Error::invalid("blocks of several row groups were asked for")),
            }
        }
        let total = self.metadata.metadata().row_group(group).num_rows();
        let total = usize::try_from(total).map_err(|e| Error::damage(&self.path, e))?;
        let mut wanted: Vec<usize> = self.wanted(projection).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), wanted.iter().copied());
        let builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(self.file(), self.metadata.clone());
        let mut builder =
            builder.with_row_groups(vec![group]).with_projection(mask).with_batch_size(batch_rows);
        if rows.len() > 1 || rows.first() != Some(&(0..total)) {
            let selection = RowSelection::from_consecutive_ranges(rows.into_iter(), total);
            builder = builder.with_row_selection(selection);
        }
        let stream = builder.build().map_err(|e| Error::segment(&self.path, e))?;
        Ok(BlockReader {
            segment: Arc::clone(self),
            projection: Arc::clone(projection),
            wanted,
            stream,
        })
    }

    fn file(&self) -> File {
        File { objects: self.objects.clone(), path: self.path.clone(), size: self.size }
    }

    /// Places of the file's columns that a projection needs.
    fn wanted<'a>(&'a self, projection: &'a Projection) -> impl Iterator<Item = usize> + 'a {
        let own = [form::LSN_FIELD, form::DELETED_FIELD];
        let key = projection.key.fields().iter().copied();
        let columns = projection.columns.iter().map(|index| form::field_id(*index));
        own.into_iter().chain(key).chain(columns).filter_map(|id| self.roots.get(&id).copied())
    }

    /// Whether a row group may hold a key, by its Bloom filters.
    pub(crate) async fn may_hold(&self, group: usize, probes: &[Probe]) -> Result<bool> {
        for probe in probes {
            if let Some(filter) = self.bloom(group, probe.field).await?
                && !probe.passes(&filter)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn bloom(&self, group: usize, field: i32) -> Result<Option<Arc<Sbbf>>> {
        let name = (self.number, group, field);
        if let Some(known) = self.kept.blooms.get(&name) {
            return Ok(known);
        }
        let schema = self.metadata.parquet_schema();
        let leaf = (0..schema.num_columns()).find(|leaf| {
            let info = schema.get_column_root(*leaf).get_basic_info();
            info.has_id() && info.id() == field
        });
        let filter = match leaf {
            None => None,
            Some(leaf) => {
                let metadata = self.metadata.clone();
                let mut builder =
                    ParquetRecordBatchStreamBuilder::new_with_metadata(self.file(), metadata);
                let filter = builder.get_row_group_column_bloom_filter(group, leaf).await;
                filter.map_err(|e| Error::segment(&self.path, e))?.map(Arc::new)
            }
        };
        let bytes = filter.as_ref().map_or(0, |filter| filter.num_blocks() * BLOOM_BLOCK_BYTES);
        self.kept.blooms.put(name, filter.clone(), bytes + size_of::<Sbbf>());
        Ok(filter)
    }
}

impl Drop for OpenSegment {
    /// Nobody will ask for its blocks again: opened once more it has another number.
    fn drop(&mut self) {
        self.kept.blocks.remove((0..self.blocks.len()).map(|block| (self.number, block)));
    }
}

/// Rows of some blocks, batch by batch.
pub(crate) struct BlockReader {
    segment: Arc<OpenSegment>,
    projection: Arc<Projection>,
    wanted: Vec<usize>,
    stream: ParquetRecordBatchStream<File>,
}

impl BlockReader {
    /// The next rows; `None` at the end. A batch never spans two row groups.
    pub(crate) async fn next(&mut self) -> Result<Option<ColdRows>> {
        let batch = match self.stream.next().await {
            None => return Ok(None),
            Some(batch) => batch.map_err(|e| Error::segment(&self.segment.path, e))?,
        };
        self.convert(&batch).map(Some)
    }

    fn column<'a>(&self, batch: &'a RecordBatch, field: i32) -> Option<&'a ArrayRef> {
        let root = self.segment.roots.get(&field)?;
        let at = self.wanted.binary_search(root).ok()?;
        batch.columns().get(at)
    }

    fn convert(&self, batch: &RecordBatch) -> Result<ColdRows> {
        let path = &self.segment.path;
        let lsns = self.column(batch, form::LSN_FIELD).and_then(|a| a.as_primitive_opt());
        let lsns: &UInt64Array = lsns.ok_or_else(|| Error::damage(path, "it has no _lsn"))?;
        let deleted = self.column(batch, form::DELETED_FIELD).and_then(|a| a.as_boolean_opt());
        let deleted = deleted.filter(|d| d.true_count() > 0).cloned();
        let mut key_columns = Vec::with_capacity(self.projection.key.fields().len());
        for (field, ty) in self.projection.key.fields().iter().zip(self.projection.key.types()) {
            let column = self.column(batch, *field);
            let column = column.ok_or_else(|| Error::damage(path, "it lacks a key column"))?;
            key_columns.push(form::from_stored(ty, column)?);
        }
        let mut columns = Vec::with_capacity(self.projection.columns.len());
        for index in &self.projection.columns {
            let column = &self.projection.layout.columns[*index];
            columns.push(match self.column(batch, form::field_id(*index)) {
                Some(array) => form::from_stored(&column.ty, array)?,
                None => form::absent_column(&column.ty, column.missing.as_ref(), batch.num_rows())?,
            });
        }
        Ok(ColdRows { lsns: lsns.clone(), deleted, key_columns, columns })
    }
}

impl ColdRows {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.lsns.len()
    }
}

/// One object as Parquet reads it.
struct File {
    objects: Objects,
    path: Path,
    size: u64,
}

impl AsyncFileReader for File {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            let bytes = self.objects.store().get_range(&self.path, range).await;
            bytes.map_err(|e| ParquetError::External(Box::new(e)))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            let bytes = self.objects.store().get_ranges(&self.path, &ranges).await;
            bytes.map_err(|e| ParquetError::External(Box::new(e)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_prefetch_hint(Some(FOOTER_GUESS_BYTES));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}
