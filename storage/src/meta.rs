//! Keys of the meta family: a letter, then numbers, big-endian so that they order.

use crate::id::{Lsn, NamespaceId, RelationId};

/// `L`: the last LSN given out, u64 BE.
pub(crate) const LAST_LSN: &[u8] = b"L";

/// `C`: the cut-off of the log, u64 BE; records of a smaller LSN are gone.
pub(crate) const LOG_CUTOFF: &[u8] = b"C";

/// `P` namespace: the last position of the namespace, i64 BE.
pub(crate) fn position(namespace: NamespaceId) -> [u8; 9] {
    with_u64(b'P', namespace.0)
}

/// `S` namespace relation: the state of a sequence.
pub(crate) fn sequence(namespace: NamespaceId, relation: RelationId) -> [u8; 13] {
    with_relation(b'S', namespace, relation)
}

/// `R` namespace relation: the last row id that may have been given out, i64 BE.
pub(crate) fn row_id(namespace: NamespaceId, relation: RelationId) -> [u8; 13] {
    with_relation(b'R', namespace, relation)
}

/// `M` namespace relation: the pointer at the current manifest; its value belongs to the cold tier.
pub(crate) fn manifest(namespace: NamespaceId, relation: RelationId) -> [u8; 13] {
    with_relation(b'M', namespace, relation)
}

/// `G` lsn namespace relation: the pointer at a manifest whose relation was truncated or dropped by
/// the commit at that LSN; the cold tier's to clear.
pub(crate) fn garbage(lsn: Lsn, namespace: NamespaceId, relation: RelationId) -> [u8; 21] {
    let mut key = [0; 21];
    key[..9].copy_from_slice(&with_u64(b'G', lsn.0));
    key[9..17].copy_from_slice(&namespace.0.to_be_bytes());
    key[17..].copy_from_slice(&relation.0.to_be_bytes());
    key
}

/// `D` namespace: a dropped namespace whose directory (the value, a path) is still to be removed.
pub(crate) fn dropped(namespace: NamespaceId) -> [u8; 9] {
    with_u64(b'D', namespace.0)
}

/// `T` time: where the log stood at that time (microseconds, i64 BE): LSN u64 BE, and the bytes of
/// records written until then u64 BE. Retention by time and by size reads these.
pub(crate) fn log_sample(time_us: i64) -> [u8; 9] {
    with_u64(b'T', time_us.cast_unsigned())
}

/// Splits what [`manifest`], [`sequence`] or [`row_id`] made.
pub(crate) fn split_relation(key: &[u8]) -> Option<(NamespaceId, RelationId)> {
    let (namespace, relation) = key.get(1..)?.split_first_chunk::<8>()?;
    let relation: [u8; 4] = relation.try_into().ok()?;
    let namespace = NamespaceId(u64::from_be_bytes(*namespace));
    Some((namespace, RelationId(u32::from_be_bytes(relation))))
}

fn with_u64(letter: u8, n: u64) -> [u8; 9] {
    let mut key = [letter; 9];
    key[1..].copy_from_slice(&n.to_be_bytes());
    key
}

fn with_relation(letter: u8, namespace: NamespaceId, relation: RelationId) -> [u8; 13] {
    let mut key = [letter; 13];
    key[1..9].copy_from_slice(&namespace.0.to_be_bytes());
    key[9..].copy_from_slice(&relation.0.to_be_bytes());
    key
}
