//! Segments: immutable Parquet files of rows sorted by key.
//!
//! A segment holds the newest version, at the time of its flush, of each row that was then hot, or
//! a tombstone where an older segment may still hold a row that was deleted. Keys are unique within
//! a segment. See `FORMAT.md` for its columns and footer.

pub(crate) mod blocks;
pub(crate) mod form;
pub(crate) mod keys;
pub(crate) mod numeric;
mod pages;
pub(crate) mod point;
pub(crate) mod read;
pub(crate) mod source;
pub(crate) mod write;

#[cfg(test)]
mod tests;
