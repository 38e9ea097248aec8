//! Many short strings of bytes in one piece of memory.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};

/// Strings of bytes one after another.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    bytes: Bytes,
    ends: Arc<[u32]>,
}

impl Packed {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all strings.
    pub(crate) fn total(&self) -> usize {
        self.bytes.len()
    }

    /// Memory held, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// The place of a string among strings that ascend.
    pub(crate) fn find(&self, string: &[u8]) -> Option<usize> {
        let at = self.first_from(|found| found < string);
        (at < self.len() && self.get(at) == string).then_some(at)
    }

    /// The first string of which `before` is not true; it is true of a part at the start.
    pub(crate) fn first_from(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn span(&self, at: usize) -> std::ops::Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[at] as usize
    }

    pub(crate) fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.span(at)]
    }

    /// A string that shares the memory of all.
    pub(crate) fn bytes(&self, at: usize) -> Bytes {
        self.bytes.slice(self.span(at))
    }

    /// Whether each string is greater than the one before.
    pub(crate) fn ascends(&self) -> bool {
        (1..self.len()).all(|at| self.get(at - 1) < self.get(at))
    }

    /// The strings at `places`, in that order.
    pub(crate) fn arranged(&self, places: &[u32]) -> Packed {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut ends = Vec::with_capacity(places.len());
        for place in places {
            bytes.extend_from_slice(self.get(*place as usize));
            // No longer than what it was taken from.
            ends.push(bytes.len() as u32);
        }
        Packed { bytes: bytes.into(), ends: ends.into() }
    }
}

/// Makes a [`Packed`]: append to `bytes`, then end the string.
#[derive(Debug)]
pub(crate) struct Packer {
    pub(crate) bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Packer {
    /// Room for so many strings of about so many bytes.
    pub(crate) fn new(strings: usize, bytes_each: usize) -> Packer {
        let bytes = Vec::with_capacity(strings.saturating_mul(bytes_each));
        Packer { bytes, ends: Vec::with_capacity(strings) }
    }

    /// Ends a string. Fails with `Full` past 4 GiB.
    pub(crate) fn end(&mut self) -> Result<()> {
        let end = u32::try_from(self.bytes.len());
        self.ends.push(end.map_err(|_| Error::full("a batch of rows exceeds 4 GiB"))?);
        Ok(())
    }

    /// The strings, in no more memory than they need.
    pub(crate) fn finish(mut self) -> Packed {
        self.bytes.shrink_to_fit();
        Packed { bytes: self.bytes.into(), ends: self.ends.into() }
    }
}
