//! The rows of one relation that a transaction changes, by key.
//!
//! Rows that are inserted many at a time, ascending and after those that came so before, stay in
//! the pieces they were encoded in, the *runs*. All others are in a map, which lies over the runs:
//! what becomes of a row of a run is found there.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::map::{self, SharedMap, overlay};
use crate::key::{Key, KeyRange};
use crate::new_rows::NewRows;
use crate::row::RowImage;

/// Fewer rows than this go into the map one by one.
const MIN_RUN_ROWS: usize = if cfg!(test) { 2 } else { 16 };

/// The net effect on one row: from `old` to `new`. In the map both may be None: the row was
/// inserted and deleted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowWrite {
    pub(crate) old: Option<RowImage>,
    pub(crate) new: Option<RowImage>,
}

impl RowWrite {
    fn is_nothing(&self) -> bool {
        self.old.is_none() && self.new.is_none()
    }
}

/// A [`RowWrite`] in place, with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) old: Option<&'a [u8]>,
    pub(crate) new: Option<&'a [u8]>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowWrites {
    /// Each after the one before.
    runs: Vec<Arc<NewRows>>,
    run_rows: usize,
    map: SharedMap<RowWrite>,
    /// Rows of runs that the map lies over.
    hidden: usize,
    /// Rows of the map that are inserted and deleted again.
    nothing: usize,
}

impl RowWrites {
    /// The number of rows changed.
    pub(crate) fn len(&self) -> usize {
        self.run_rows - self.hidden + self.map.len() - self.nothing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of a row: its new image, None if it is deleted.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<RowImage>> {
        if let Some(write) = self.map.get(key) {
            return Some(write.new.clone());
        }
        let (run, row) = self.find_in_runs(key)?;
        Some(Some(self.runs[run].image(row)))
    }

    /// The whole net effect on a row.
    #[cfg(test)]
    pub(crate) fn write_of(&self, key: &[u8]) -> Option<RowWrite> {
        if let Some(write) = self.map.get(key) {
            return Some(write.clone()).filter(|write| !write.is_nothing());
        }
        let (run, row) = self.find_in_runs(key)?;
        Some(RowWrite { old: None, new: Some(self.runs[run].image(row)) })
    }

    /// Whether any of these keys, which ascend, is that of a row changed here.
    pub(crate) fn holds_any<'a>(&self, mut keys: impl Iterator<Item = &'a [u8]>) -> bool {
        let Some(first) = keys.next() else { return false };
        let last_of_runs = self.runs.last().map(|run| run.key_slice(run.len() - 1));
        let last_of_map = self.map.last_key().map(|key| &key[..]);
        if last_of_runs.max(last_of_map) < Some(first) {
            return false;
        }
        std::iter::once(first).chain(keys).any(|key| self.get(key).is_some())
    }

    /// Folds in a change of one row.
    pub(crate) fn put(&mut self, key: Key, write: RowWrite) {
        let old = match self.map.get(&key) {
            Some(held) => {
                self.nothing -= usize::from(held.is_nothing());
                held.old.clone()
            }
            None if self.find_in_runs(&key).is_some() => {
                self.hidden += 1;
                None
            }
            None => write.old,
        };
        let folded = RowWrite { old, new: write.new };
        self.nothing += usize::from(folded.is_nothing());
        self.map.insert(key.into_bytes(), folded);
    }

    /// Adds rows at keys where there are none.
    pub(crate) fn insert(&mut self, rows: Arc<NewRows>) {
        if rows.len() >= MIN_RUN_ROWS && self.is_next(&rows) {
            self.run_rows += rows.len();
            self.runs.push(rows);
            return;
        }
        for row in 0..rows.len() {
            self.put(rows.key(row), RowWrite { old: None, new: Some(rows.image(row)) });
        }
    }

    fn is_next(&self, rows: &NewRows) -> bool {
        let (first, last) = (rows.key_slice(0), rows.key_slice(rows.len() - 1));
        let range = (Bound::Included(first), Bound::Included(last));
        let after = self.runs.last().is_none_or(|run| run.key_slice(run.len() - 1) < first);
        after && self.map.page(range, false, 1).is_empty()
    }

    /// All changes in key order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { runs: &self.runs, row: 0, map: self.map.iter() }
    }

    /// For whoever goes over all changes more than once.
    pub(crate) fn settle(&mut self) {
        self.map.settle();
    }

    /// The first changes in `range`, at most `limit`; from its end, but still ascending, if
    /// `reverse`. A key with its new image, None where the row is deleted.
    pub(crate) fn page(
        &self,
        range: &KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        let bounds = range.as_slices();
        let map = self.map.page(bounds, reverse, limit).into_iter();
        let mut found: Vec<(Bytes, Option<Bytes>)> =
            map.map(|(key, write)| (key, write.new.map(RowImage::into_bytes))).collect();
        let mut of_runs = match reverse {
            false => self.run_page(bounds, limit),
            true => self.run_page_back(bounds, limit),
        };
        overlay(&mut found, &mut of_runs, reverse, limit);
        if reverse {
            found.reverse();
        }
        found
    }

    fn run_page(
        &self,
        (start, end): (Bound<&[u8]>, Bound<&[u8]>),
        limit: usize,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        let (run, row) = self.first_from(|key| is_before_start(key, start));
        let mut found = Vec::new();
        let mut row = row;
        for run in self.runs.get(run..).unwrap_or_default() {
            while row < run.len() {
                if found.len() == limit || is_after_end(run.key_slice(row), end) {
                    return found;
                }
                found.push((run.key(row).into_bytes(), Some(run.image(row).into_bytes())));
                row += 1;
            }
            row = 0;
        }
        found
    }

    fn run_page_back(
        &self,
        (start, end): (Bound<&[u8]>, Bound<&[u8]>),
        limit: usize,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        let (run, row) = self.first_from(|key| !is_after_end(key, end));
        let mut found = Vec::new();
        for (at, held) in self.runs.iter().enumerate().take(run + 1).rev() {
            let rows = if at == run { row } else { held.len() };
            for row in (0..rows).rev() {
                if found.len() == limit || is_before_start(held.key_slice(row), start) {
                    return found;
                }
                found.push((held.key(row).into_bytes(), Some(held.image(row).into_bytes())));
            }
        }
        found
    }

    /// Run and row of the first key of which `before` is not true.
    fn first_from(&self, before: impl Fn(&[u8]) -> bool) -> (usize, usize) {
        let run = self.runs.partition_point(|run| before(run.key_slice(run.len() - 1)));
        (run, self.runs.get(run).map_or(0, |run| run.first_from(&before)))
    }

    fn find_in_runs(&self, key: &[u8]) -> Option<(usize, usize)> {
        let run = self.runs.partition_point(|run| run.key_slice(run.len() - 1) < key);
        Some((run, self.runs.get(run)?.find(key)?))
    }
}

fn is_before_start(key: &[u8], start: Bound<&[u8]>) -> bool {
    match start {
        Bound::Included(start) => key < start,
        Bound::Excluded(start) => key <= start,
        Bound::Unbounded => false,
    }
}

fn is_after_end(key: &[u8], end: Bound<&[u8]>) -> bool {
    match end {
        Bound::Included(end) => key > end,
        Bound::Excluded(end) => key >= end,
        Bound::Unbounded => false,
    }
}

/// The changes of a [`RowWrites`] in key order.
pub(crate) struct Iter<'a> {
    runs: &'a [Arc<NewRows>],
    /// The next row of the first of `runs`.
    row: usize,
    map: map::Iter<'a, RowWrite>,
}

impl<'a> Iter<'a> {
    fn next_of_run(&mut self) -> Option<Written<'a>> {
        let run = self.runs.first()?;
        let row = self.row;
        self.row += 1;
        if self.row == run.len() {
            self.runs = &self.runs[1..];
            self.row = 0;
        }
        let new = Some(run.image_slice(row));
        Some(Written { key: run.key_slice(row), old: None, new })
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Written<'a>;

    fn next(&mut self) -> Option<Written<'a>> {
        loop {
            let Some(key) = self.map.peek_key() else { return self.next_of_run() };
            let of_run = self.runs.first().map(|run| run.key_slice(self.row));
            match of_run.map_or(Ordering::Greater, |of_run| of_run.cmp(&key[..])) {
                Ordering::Less => return self.next_of_run(),
                Ordering::Equal => self.next_of_run().map_or((), |_| ()),
                Ordering::Greater => {}
            }
            let (key, write) = self.map.next()?;
            if !write.is_nothing() {
                let old = write.old.as_ref().map(|image| &image[..]);
                let new = write.new.as_ref().map(|image| &image[..]);
                return Some(Written { key, old, new });
            }
        }
    }
}

#[cfg(test)]
mod tests;
