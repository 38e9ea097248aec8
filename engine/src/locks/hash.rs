//! Short stand-ins for what is locked, and how the table spreads them.
//!
//! A transaction may hold a lock on each of millions of rows, so a row or a unique value is known
//! to the table by 64 bits of a keyed hash alone. Two that share them are one lock: whoever is so
//! unlucky waits without need. Nobody can bring that about, as nobody knows the key.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What stands for the bytes of a row's key or of a unique index's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    pub(crate) fn of(bytes: &[u8]) -> KeyHash {
        KeyHash(KEYED.hash_one(bytes))
    }
}

/// Hashes of targets, which are a few numbers, most of them well spread already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread(u64);

impl Spread {
    pub(super) fn new() -> Spread {
        Spread(KEYED.hash_one(0_u8))
    }
}

impl BuildHasher for Spread {
    type Hasher = SpreadHasher;

    fn build_hasher(&self) -> SpreadHasher {
        SpreadHasher(self.0)
    }
}

pub(super) struct SpreadHasher(u64);

impl Hasher for SpreadHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }

    /// Both halves of the product, so that every bit of the word reaches every bit of the hash.
    fn write_u64(&mut self, word: u64) {
        const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15;
        let product = u128::from(self.0 ^ word) * FACTOR;
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn small_numbers_are_spread() {
        let spread = Spread::new();
        let low: HashSet<u64> = (0..1000_u64).map(|n| spread.hash_one(n) & 0xFFFF).collect();
        assert!(low.len() > 950, "{} of 1000 differ in their low bits", low.len());
        let high: HashSet<u64> = (0..1000_u64).map(|n| spread.hash_one(n) >> 48).collect();
        assert!(high.len() > 950, "{} of 1000 differ in their high bits", high.len());
    }
}
