//! The hash functions of PostgreSQL's hash indexes: Bob Jenkins' lookup3 as common/hashfn.c has
//! it. Applications use `hashtext` to spread keys and to name advisory locks, so the values are
//! PostgreSQL's.

use super::kernel::{Float4, Float8, Int2, Int4, Int8, OidType, Text, Time, Timestamp, Uuid};
use super::registry::Implementations;
use crate::types::datetime::POSTGRES_EPOCH_US;

pub(super) fn register(all: &mut Implementations) {
    for name in ["hashtext(text)", "hashname(name)"] {
        all.f1::<Text, Int4>(name, |text| Ok(short(bytes(text.as_bytes(), 0))));
    }
    for name in ["hashtextextended(text,int8)", "hashnameextended(name,int8)"] {
        all.f2::<Text, Int8, Int8>(name, |text, seed| {
            Ok(long(bytes(text.as_bytes(), seed as u64)))
        });
    }
    all.f1::<Text, Int4>("hashbpchar(bpchar)", |text| {
        Ok(short(bytes(text.trim_end_matches(' ').as_bytes(), 0)))
    });
    all.f2::<Text, Int8, Int8>("hashbpcharextended(bpchar,int8)", |text, seed| {
        Ok(long(bytes(text.trim_end_matches(' ').as_bytes(), seed as u64)))
    });
    all.f1::<Text, Int4>("hashchar(char)", |text| Ok(short(word(char_value(text), 0))));
    all.f2::<Text, Int8, Int8>("hashcharextended(char,int8)", |text, seed| {
        Ok(long(word(char_value(text), seed as u64)))
    });
    all.f1::<Uuid, Int4>("uuid_hash(uuid)", |uuid| Ok(short(bytes(uuid, 0))));
    all.f2::<Uuid, Int8, Int8>("uuid_hash_extended(uuid,int8)", |uuid, seed| {
        Ok(long(bytes(uuid, seed as u64)))
    });
    numbers(all);
}

fn numbers(all: &mut Implementations) {
    all.f1::<Int2, Int4>("hashint2(int2)", |v| Ok(short(word(i32::from(v) as u32, 0))));
    all.f2::<Int2, Int8, Int8>("hashint2extended(int2,int8)", |v, seed| {
        Ok(long(word(i32::from(v) as u32, seed as u64)))
    });
    all.f1::<Int4, Int4>("hashint4(int4)", |v| Ok(short(word(v as u32, 0))));
    all.f2::<Int4, Int8, Int8>("hashint4extended(int4,int8)", |v, seed| {
        Ok(long(word(v as u32, seed as u64)))
    });
    all.f1::<OidType, Int4>("hashoid(oid)", |v| Ok(short(word(v, 0))));
    all.f2::<OidType, Int8, Int8>("hashoidextended(oid,int8)", |v, seed| {
        Ok(long(word(v, seed as u64)))
    });
    all.f1::<Int8, Int4>("hashint8(int8)", |v| Ok(short(word(folded(v), 0))));
    all.f2::<Int8, Int8, Int8>("hashint8extended(int8,int8)", |v, seed| {
        Ok(long(word(folded(v), seed as u64)))
    });
    all.f1::<Time, Int4>("time_hash(time)", |v| Ok(short(word(folded(v), 0))));
    all.f1::<Timestamp, Int4>("timestamp_hash(timestamp)", |v| {
        Ok(short(word(folded(v.wrapping_sub(POSTGRES_EPOCH_US)), 0)))
    });
    all.f1::<Float8, Int4>("hashfloat8(float8)", |v| Ok(float(v, 0).map_or(0, short)));
    all.f2::<Float8, Int8, Int8>("hashfloat8extended(float8,int8)", |v, seed| {
        Ok(float(v, seed as u64).map_or(seed, long))
    });
    all.f1::<Float4, Int4>("hashfloat4(float4)", |v| Ok(float(f64::from(v), 0).map_or(0, short)));
    all.f2::<Float4, Int8, Int8>("hashfloat4extended(float4,int8)", |v, seed| {
        Ok(float(f64::from(v), seed as u64).map_or(seed, long))
    });
}

/// The words b and c at the end.
type Hash = (u32, u32);

fn short((_, c): Hash) -> i32 {
    c as i32
}

fn long((b, c): Hash) -> i64 {
    ((u64::from(b) << 32) | u64::from(c)) as i64
}

/// `"char"` as a signed byte.
fn char_value(text: &str) -> u32 {
    i32::from(text.bytes().next().unwrap_or(0) as i8) as u32
}

/// A bigint hashes as the integer it fits into.
fn folded(value: i64) -> u32 {
    let high = (value >> 32) as u32;
    value as u32 ^ if value >= 0 { high } else { !high }
}

/// `None` for zeros, which hash to the seed.
fn float(value: f64, seed: u64) -> Option<Hash> {
    if value == 0.0 {
        return None;
    }
    let value = if value.is_nan() { f64::NAN.abs() } else { value };
    Some(bytes(&value.to_le_bytes(), seed))
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for [first, second, third] in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    [a, b, c]
}

fn last([mut a, mut b, mut c]: [u32; 3]) -> Hash {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    (b, c)
}

fn start(length: usize, seed: u64) -> [u32; 3] {
    let all = 0x9e37_79b9_u32.wrapping_add(length as u32).wrapping_add(3_923_095);
    match seed {
        0 => [all; 3],
        seed => mix([all.wrapping_add((seed >> 32) as u32), all.wrapping_add(seed as u32), all]),
    }
}

fn word(value: u32, seed: u64) -> Hash {
    let [a, b, c] = start(4, seed);
    last([a.wrapping_add(value), b, c])
}

fn bytes(value: &[u8], seed: u64) -> Hash {
    let mut state = start(value.len(), seed);
    let mut blocks = value.chunks_exact(12);
    let words = |block: &[u8]| {
        [0, 4, 8].map(|at| {
            let mut word = [0; 4];
            let rest = block.get(at..).unwrap_or_default();
            let kept = rest.len().min(4);
            word[..kept].copy_from_slice(&rest[..kept]);
            u32::from_le_bytes(word)
        })
    };
    for block in &mut blocks {
        let [x, y, z] = words(block);
        let [a, b, c] = state;
        state = mix([a.wrapping_add(x), b.wrapping_add(y), c.wrapping_add(z)]);
    }
    // The lowest byte of c is the length's.
    let [x, y, z] = words(blocks.remainder());
    let [a, b, c] = state;
    last([a.wrapping_add(x), b.wrapping_add(y), c.wrapping_add(z << 8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgresql_hashes() {
        for (text, hash) in TEXTS {
            assert_eq!(short(bytes(text.as_bytes(), 0)), hash, "{text}");
        }
    }

    const TEXTS: [(&str, i32); 6] = [
        ("", -1_477_818_771),
        ("a", 1_075_015_857),
        ("abcdefgh", -1_960_928_205),
        ("abcdefghijk", -1_483_803_693),
        ("abcdefghijkl", -1_586_087_212),
        ("abcdefghijklmnopqrstuvwxyz0123", 89_653_194),
    ];
}
