//! The pages of one block of rows, fetched in one request and decoded at once.
//!
//! Parquet's own stream makes a compressor and a decompressor for each column chunk that it opens,
//! which costs more than decoding a block. Here its page readers hand out pages as they lie in the
//! file, and the decompressor of the thread unpacks them.

use crate::objects::Objects;
use arrow::array::RecordBatch;
use bytes::{Buf, Bytes};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection,
};
use parquet::arrow::parquet_to_arrow_field_levels;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::cell::RefCell;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

/// Ranges of a file with less than this between them are read as one.
const GAP_BYTES_MAX: u64 = 4 << 10;
/// The largest page: Parquet counts its bytes in 31 bits.
const PAGE_BYTES_MAX: u64 = i32::MAX as u64;

/// Rows of one row group of a file.
pub(super) struct BlockPages<'a> {
    pub(super) metadata: &'a ArrowReaderMetadata,
    pub(super) group: usize,
    /// Places within the row group.
    pub(super) rows: Range<usize>,
    /// Places of the wanted columns among the file's columns.
    pub(super) roots: &'a [usize],
}

impl BlockPages<'_> {
    /// Reads the wanted columns, which come in the order of the file.
    pub(super) async fn read(&self, objects: &Objects, path: &Path) -> Result<RecordBatch> {
        let schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(schema, self.roots.iter().copied());
        let mut ranges = Vec::new();
        for leaf in (0..schema.num_columns()).filter(|leaf| mask.leaf_included(*leaf)) {
            self.add_ranges(leaf, &mut ranges)?;
        }
        let ranges = joined(ranges);
        let pieces = objects.ranges(path, &ranges).await?;
        let starts = ranges.into_iter().map(|range| range.start);
        self.decode(mask, Pieces(starts.zip(pieces).collect()))
    }

    fn chunk(&self, leaf: usize) -> &ColumnChunkMetaData {
        self.metadata.metadata().row_group(self.group).column(leaf)
    }

    /// Where the pages of a column chunk are; `None` if the file doesn't say.
    fn locations(&self, leaf: usize) -> Option<&[PageLocation]> {
        let index = self.metadata.metadata().offset_index()?;
        Some(index.get(self.group)?.get(leaf)?.page_locations())
    }

    /// Adds the bytes that hold the rows of a column chunk.
    fn add_ranges(&self, leaf: usize, ranges: &mut Vec<Range<u64>>) -> Result<()> {
        let chunk = span(self.chunk(leaf))?;
        let Some(pages) = self.locations(leaf).filter(|pages| !pages.is_empty()) else {
            ranges.push(chunk);
            return Ok(());
        };
        let (first, end) = (as_i64(self.rows.start)?, as_i64(self.rows.end)?);
        let begin = pages.partition_point(|page| page.first_row_index <= first).saturating_sub(1);
        let end = pages.partition_point(|page| page.first_row_index < end);
        let start = |page: &PageLocation| as_u64(page.offset);
        let dictionary = chunk.start..start(&pages[0])?;
        if !dictionary.is_empty() {
            ranges.push(dictionary);
        }
        if let [first, .., last] | [first @ last] = &pages[begin..end.max(begin)] {
            ranges.push(start(first)?..start(last)? + as_u64(last.compressed_page_size.into())?);
        }
        Ok(())
    }

    fn decode(&self, mask: ProjectionMask, pieces: Pieces) -> Result<RecordBatch> {
        let schema = self.metadata.schema();
        let levels = parquet_to_arrow_field_levels(
            self.metadata.parquet_schema(),
            mask,
            Some(schema.fields()),
        )?;
        let group = FetchedGroup { of: self, pieces: Arc::new(pieces) };
        let rows = std::iter::once(self.rows.clone());
        let selection = RowSelection::from_consecutive_ranges(rows, group.num_rows());
        let mut reader = ParquetRecordBatchReader::try_new_with_row_groups(
            &levels,
            &group,
            self.rows.len(),
            Some(selection),
        )?;
        let batch = reader.next().transpose()?;
        let batch = batch.filter(|batch| batch.num_rows() == self.rows.len());
        batch.ok_or_else(|| ParquetError::General("a block lacks rows".to_owned()))
    }
}

/// The bytes of a column chunk in its file.
fn span(chunk: &ColumnChunkMetaData) -> Result<Range<u64>> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let start = as_u64(start)?;
    Ok(start..start + as_u64(chunk.compressed_size())?)
}

fn as_u64(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(ParquetError::from)
}

fn as_i64(number: usize) -> Result<i64> {
    i64::try_from(number).map_err(ParquetError::from)
}

/// The ranges in the order of the file, those close to each other as one.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => {
                last.end = last.end.max(range.end);
            }
            _ => out.push(range),
        }
    }
    out
}

/// A row group of which some pages are in memory.
struct FetchedGroup<'a> {
    of: &'a BlockPages<'a>,
    pieces: Arc<Pieces>,
}

impl RowGroups for FetchedGroup<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.of.metadata.metadata().row_group(self.of.group).num_rows())
            .unwrap_or(0)
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.of.chunk(leaf);
        let packed = matches!(chunk.compression(), Compression::ZSTD(_));
        let compression = if packed { Compression::UNCOMPRESSED } else { chunk.compression() };
        let plain = ColumnChunkMetaData::builder(chunk.column_descr_ptr())
            .set_compression(compression)
            .set_dictionary_page_offset(chunk.dictionary_page_offset())
            .set_data_page_offset(chunk.data_page_offset())
            .set_total_compressed_size(chunk.compressed_size())
            .build()?;
        let locations = self.of.locations(leaf).map(<[PageLocation]>::to_vec);
        let pieces = Arc::clone(&self.pieces);
        let inner = SerializedPageReader::new(pieces, &plain, self.num_rows(), locations)?;
        Ok(Box::new(Chunk(Some(Pages { inner, packed }))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.of.metadata.metadata().row_group(self.of.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.of.metadata.metadata()
    }
}

/// Parts of a file, each with its place, ascending.
struct Pieces(Vec<(u64, Bytes)>);

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.0.last().map_or(0, |(start, bytes)| start + bytes.len() as u64)
    }
}

impl ChunkReader for Pieces {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("a page goes beyond what was read".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}

impl Pieces {
    /// What there is from a place on.
    fn from(&self, start: u64) -> Result<Bytes> {
        let at = self.0.partition_point(|(first, _)| *first <= start).checked_sub(1);
        let piece = at.and_then(|at| self.0.get(at)).and_then(|(first, bytes)| {
            let skipped = usize::try_from(start - first).ok()?;
            (skipped <= bytes.len()).then(|| bytes.slice(skipped..))
        });
        piece.ok_or_else(|| ParquetError::EOF("a page lies outside of what was read".to_owned()))
    }
}

/// The one column chunk of a row group.
struct Chunk(Option<Pages>);

impl Iterator for Chunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for Chunk {}

/// Pages of a column chunk, unpacked on the way out if they are packed.
struct Pages {
    inner: SerializedPageReader<Pieces>,
    packed: bool,
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let mut page = self.inner.get_next_page()?;
        if let Some(page) = page.as_mut().filter(|_| self.packed) {
            unpack(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

fn unpack(page: &mut Page) -> Result<()> {
    match page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
            *buf = unpacked(&[], buf)?;
        }
        Page::DataPageV2 {
            buf,
            is_compressed: true,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => {
            let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
            let parts = buf.split_at_checked(levels);
            let (levels, values) =
                parts.ok_or_else(|| ParquetError::EOF("a page is cut short".to_owned()))?;
            *buf = unpacked(levels, values)?;
        }
        Page::DataPageV2 { .. } => {}
    }
    Ok(())
}

thread_local! {
    /// Kept, for making one costs more than unpacking a page.
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(Decompressor::default());
}

/// What zstd packed, after bytes that are not packed.
fn unpacked(before: &[u8], packed: &[u8]) -> Result<Bytes> {
    // Nothing is what Parquet makes of no values.
    if packed.is_empty() {
        return Ok(Bytes::copy_from_slice(before));
    }
    let malformed = || ParquetError::General("a page is not what zstd makes".to_owned());
    let length = get_frame_content_size(packed).map_err(|_| malformed())?;
    let mut out = before.to_vec();
    let Some(length) = length else {
        // Whoever packed it as a stream did not know how long it would be.
        zstd::Decoder::new(packed)?.take(PAGE_BYTES_MAX).read_to_end(&mut out)?;
        return Ok(out.into());
    };
    let length = usize::try_from(length.min(PAGE_BYTES_MAX + 1))?;
    if length as u64 > PAGE_BYTES_MAX {
        return Err(malformed());
    }
    out.try_reserve_exact(length).map_err(|e| ParquetError::External(Box::new(e)))?;
    let mut values = std::io::Cursor::new(&mut out);
    values.set_position(before.len() as u64);
    DECOMPRESSOR.with_borrow_mut(|zstd| zstd.decompress_to_buffer(packed, &mut values))?;
    if out.len() != before.len() + length {
        return Err(malformed());
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_ranges_are_joined() {
        let far = GAP_BYTES_MAX + 1;
        let ranges = vec![far + 120..far + 130, 10..20, 20..30, 100..120];
        assert_eq!(joined(ranges), [10..120, far + 120..far + 130]);
        assert_eq!(joined(Vec::new()), []);
    }

    #[test]
    fn pieces_give_what_they_hold_and_no_more() {
        let pieces =
            Pieces(vec![(10, Bytes::from_static(b"abc")), (20, Bytes::from_static(b"de"))]);
        assert_eq!(pieces.get_bytes(11, 2).unwrap(), &b"bc"[..]);
        assert_eq!(pieces.get_bytes(20, 1).unwrap(), &b"d"[..]);
        for (start, length) in [(9, 1), (12, 2), (15, 1), (21, 2), (23, 0)] {
            assert!(pieces.get_bytes(start, length).is_err(), "{start} {length}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        let packed = zstd::bulk::compress(&[7; 1000], 3).unwrap();
        assert_eq!(unpacked(b"ab", &packed).unwrap()[..3], b"ab\x07"[..]);
        assert_eq!(unpacked(b"", b"").unwrap(), Bytes::new());
        assert!(unpacked(b"", &packed[..packed.len() - 1]).is_err());
        assert!(unpacked(b"", b"not zstd").is_err());
        // A frame that claims to hold 2^63 bytes.
        let huge = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0];
        assert!(unpacked(b"", &huge).is_err());
        let streamed = zstd::encode_all(&[7; 1000][..], 3).unwrap();
        assert_eq!(unpacked(b"", &streamed).unwrap(), vec![7; 1000]);
    }
}
