//! The key index of a segment: where each block of rows begins, by key.
//!
//! Parquet's own statistics are kept per column and speak each column's order; a scan asks for
//! ranges of whole, composite keys in key order. So the footer also carries, for every block of
//! [`BLOCK_ROWS`] rows, a *separator*: the shortest byte string that is greater than the last key
//! before the block and not greater than its first key. Finding the pages of a key is then one
//! binary search, and a scan knows the key span of what it reads without decoding a key.

use crate::error::{Error, Result};
use crate::key::KeyRange;
use bytes::Bytes;
use std::ops::{Bound, Range};

/// Rows in a block; also the rows in a Parquet data page.
pub(crate) const BLOCK_ROWS: usize = 1024;

/// Name of the key index in the footer's key-value metadata.
pub(crate) const BLOCKS_META_KEY: &str = "kalamdb.blocks";

/// One block of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Row group it is in.
    pub(crate) group: usize,
    /// Its first row within the row group.
    pub(crate) offset: usize,
    /// Its rows.
    pub(crate) rows: usize,
    /// Separator: at most the block's first key, more than every key before.
    pub(crate) start: Bytes,
}

/// All blocks of a segment in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocks(Vec<Block>);

impl Blocks {
    /// Appends a block.
    pub(crate) fn push(&mut self, block: Block) {
        self.0.push(block);
    }

    /// The last block, to count rows into it.
    pub(crate) fn last_mut(&mut self) -> Option<&mut Block> {
        self.0.last_mut()
    }

    /// The block at a place.
    pub(crate) fn get(&self, at: usize) -> Option<&Block> {
        self.0.get(at)
    }

    /// Number of blocks.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|b| size_of::<Block>() + b.start.len()).sum()
    }

    /// The block that would hold `key`; `None` before the first.
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        self.0.partition_point(|b| b.start.as_ref() <= key).checked_sub(1)
    }

    /// The blocks that may hold keys of `range`.
    pub(crate) fn within(&self, range: &KeyRange) -> Range<usize> {
        let first = match &range.start {
            Bound::Unbounded => 0,
            Bound::Included(key) | Bound::Excluded(key) => self.find(key).unwrap_or(0),
        };
        let end = match &range.end {
            Bound::Unbounded => self.0.len(),
            Bound::Included(key) => self.0.partition_point(|b| b.start <= *key),
            Bound::Excluded(key) => self.0.partition_point(|b| b.start < *key),
        };
        first..end.max(first)
    }

    /// The text for the footer.
    pub(crate) fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(self.0.len() * 16);
        for block in &self.0 {
            // Widths are bounded where blocks are made: a group has 131,072 rows, a key 4 KiB.
            bytes.extend((block.group as u32).to_be_bytes());
            bytes.extend((block.offset as u32).to_be_bytes());
            bytes.extend((block.rows as u32).to_be_bytes());
            bytes.extend((block.start.len() as u16).to_be_bytes());
            bytes.extend(&block.start);
        }
        to_hex(&bytes)
    }

    /// Reads the footer's text; `group_rows` are the row counts Parquet's own footer gives.
    pub(crate) fn from_text(text: &str, group_rows: &[usize]) -> Result<Blocks> {
        let bad = || Error::corrupt("a segment's key index is malformed");
        let bytes = Bytes::from(from_hex(text).ok_or_else(bad)?);
        let mut blocks = Vec::new();
        let (mut at, mut group, mut offset) = (0_usize, 0_usize, 0_usize);
        let number = |at: usize, width: usize| {
            let digits = bytes.get(at..at + width)?;
            Some(digits.iter().fold(0_usize, |n, d| n << 8 | usize::from(*d)))
        };
        while at < bytes.len() {
            let head = (number(at, 4), number(at + 4, 4), number(at + 8, 4), number(at + 12, 2));
            let (Some(in_group), Some(first), Some(rows), Some(length)) = head else {
                return Err(bad());
            };
            if at + 14 + length > bytes.len() || rows == 0 {
                return Err(bad());
            }
            if in_group != group {
                let full = group_rows.get(group) == Some(&offset);
                if in_group != group + 1 || !full {
                    return Err(bad());
                }
                (group, offset) = (in_group, 0);
            }
            let start = bytes.slice(at + 14..at + 14 + length);
            let ordered = blocks.last().is_none_or(|b: &Block| b.start < start);
            if first != offset || !ordered {
                return Err(bad());
            }
            offset += rows;
            blocks.push(Block { group, offset: first, rows, start });
            at += 14 + length;
        }
        let complete = match group_rows {
            [] => blocks.is_empty(),
            [.., last] => group + 1 == group_rows.len() && offset == *last,
        };
        if complete { Ok(Blocks(blocks)) } else { Err(bad()) }
    }
}

/// The shortest byte string `s` with `before < s <= first`.
pub(crate) fn separator(before: &[u8], first: &[u8]) -> Bytes {
    let common = before.iter().zip(first).take_while(|(a, b)| a == b).count();
    Bytes::copy_from_slice(&first[..(common + 1).min(first.len())])
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// The bytes of a hexadecimal text.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(starts: &[&'static str]) -> Blocks {
        let block = |(i, s): (usize, &&'static str)| Block {
            group: i / 2,
            offset: i % 2 * 10,
            rows: 10,
            start: Bytes::from_static(s.as_bytes()),
        };
        Blocks(starts.iter().enumerate().map(block).collect())
    }

    #[test]
    fn text_survives_and_is_checked() {
        let all = blocks(&["a", "c", "e", "g"]);
        let text = all.to_text();
        assert_eq!(Blocks::from_text(&text, &[20, 20]).unwrap(), all);
        assert!(Blocks::from_text(&text, &[20, 21]).is_err());
        assert!(Blocks::from_text(&text, &[20, 20, 1]).is_err());
        assert!(Blocks::from_text(&text[2..], &[20, 20]).is_err());
        assert!(Blocks::from_text("zz", &[]).is_err());
        assert_eq!(Blocks::from_text("", &[]).unwrap(), Blocks::default());
    }

    #[test]
    fn ranges_find_their_blocks() {
        let all = blocks(&["a", "c", "e", "g"]);
        let range = |start, end| KeyRange { start, end };
        let key = |s: &'static str| Bytes::from_static(s.as_bytes());
        assert_eq!(all.within(&range(Bound::Unbounded, Bound::Unbounded)), 0..4);
        assert_eq!(all.within(&range(Bound::Included(key("d")), Bound::Excluded(key("e")))), 1..2);
        assert_eq!(all.within(&range(Bound::Included(key("e")), Bound::Included(key("e")))), 2..3);
        assert_eq!(all.within(&range(Bound::Unbounded, Bound::Excluded(key("a")))), 0..0);
        assert_eq!(all.within(&range(Bound::Included(key("z")), Bound::Unbounded)), 3..4);
        assert_eq!(all.find(b"Z"), None);
    }

    #[test]
    fn separators_separate() {
        assert_eq!(separator(b"abc", b"abd"), Bytes::from_static(b"abd"));
        assert_eq!(separator(b"abc", b"b"), Bytes::from_static(b"b"));
        assert_eq!(separator(b"ab", b"abcd"), Bytes::from_static(b"abc"));
        assert_eq!(separator(b"", b"xyz"), Bytes::from_static(b"x"));
    }
}
