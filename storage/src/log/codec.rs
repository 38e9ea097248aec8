//! The bytes of a commit record.
//!
//! LSN (u64 BE, first, so that the cut-off is one comparison), time (i64 BE), the number of changes
//! and the changes, the number of notifications and the notifications. Numbers without a width given
//! here, and the lengths before all bytes, are LEB128.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::{Lsn, NamespaceId, Position, RelationId};
use crate::key::Key;
use crate::log::{Change, ChangeKind, CommitRecord, Notification};
use crate::row::RowImage;
use crate::value::{read_varint, write_varint};
use crate::write_set::Written;

const TRUNCATE: u8 = 1;
const HAS_OLD: u8 = 2;
const HAS_NEW: u8 = 4;

/// A record to be written, but for its changes. Its namespace and position are in its key.
pub(crate) struct Body<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) time_us: i64,
    pub(crate) notifications: &'a [Notification],
}

/// A change to be written: a [`Change`] in place.
#[derive(Clone, Copy)]
pub(crate) struct ChangeRef<'a> {
    pub(crate) relation: RelationId,
    pub(crate) kind: ChangeKind,
    pub(crate) row: Written<'a>,
}

impl Body<'_> {
    /// Appends the bytes of a record of these changes, `count` in number.
    pub(crate) fn write<'a>(
        &self,
        count: usize,
        changes: impl Iterator<Item = ChangeRef<'a>>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.lsn.0.to_be_bytes());
        out.extend_from_slice(&self.time_us.to_be_bytes());
        write_varint(count as u64, out);
        for ChangeRef { relation, kind, row } in changes {
            let mut flags = match kind {
                ChangeKind::Row => 0,
                ChangeKind::Truncate => TRUNCATE,
            };
            flags |= if row.old.is_some() { HAS_OLD } else { 0 };
            flags |= if row.new.is_some() { HAS_NEW } else { 0 };
            out.extend_from_slice(&relation.0.to_be_bytes());
            out.push(flags);
            write_bytes(row.key, out);
            row.old.iter().chain(&row.new).for_each(|image| write_bytes(image, out));
        }
        write_varint(self.notifications.len() as u64, out);
        for notification in self.notifications {
            write_bytes(notification.channel.as_bytes(), out);
            write_bytes(notification.payload.as_bytes(), out);
            out.extend_from_slice(&notification.pid.to_be_bytes());
        }
    }
}

/// The LSN of a record.
pub(crate) fn lsn_of(bytes: &[u8]) -> Result<Lsn> {
    let (lsn, _) = bytes.split_first_chunk::<8>().ok_or_else(malformed)?;
    Ok(Lsn(u64::from_be_bytes(*lsn)))
}

/// Reads a record; keys and images share `bytes`.
pub(crate) fn decode(
    namespace: NamespaceId,
    position: Position,
    bytes: &Bytes,
) -> Result<CommitRecord> {
    let lsn = lsn_of(bytes)?;
    let mut rest = Rest { all: bytes, rest: &bytes[8..] };
    let time_us = i64::from_be_bytes(rest.take()?);
    let count = rest.count()?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        changes.push(rest.change()?);
    }
    let count = rest.count()?;
    let mut notifications = Vec::with_capacity(count);
    for _ in 0..count {
        let (channel, payload) = (rest.text()?, rest.text()?);
        notifications.push(Notification {
            channel,
            payload,
            pid: i32::from_be_bytes(rest.take()?),
        });
    }
    if !rest.rest.is_empty() {
        return Err(malformed());
    }
    Ok(CommitRecord { lsn, namespace, position, time_us, changes, notifications })
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn malformed() -> Error {
    Error::corrupt("malformed commit record")
}

struct Rest<'a> {
    all: &'a Bytes,
    rest: &'a [u8],
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    /// A count of things that take at least a byte each.
    fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(read_varint(&mut self.rest)?).map_err(|_| malformed())?;
        if count > self.rest.len() { Err(malformed()) } else { Ok(count) }
    }

    fn bytes(&mut self) -> Result<Bytes> {
        let length = self.count()?;
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(self.all.slice_ref(bytes))
    }

    fn text(&mut self) -> Result<Arc<str>> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| malformed())
    }

    fn change(&mut self) -> Result<Change> {
        let relation = RelationId(u32::from_be_bytes(self.take()?));
        let [flags] = self.take()?;
        let key = Key::from_bytes(self.bytes()?);
        let mut image = |flag| {
            let held = flags & flag != 0;
            held.then(|| self.bytes().map(RowImage::from_bytes)).transpose()
        };
        let (old, new) = (image(HAS_OLD)?, image(HAS_NEW)?);
        let kind = if flags & TRUNCATE == 0 { ChangeKind::Row } else { ChangeKind::Truncate };
        Ok(Change { relation, key, old, new, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_bytes() {
        let image =
            |text: &'static str| Some(RowImage::from_bytes(Bytes::from_static(text.as_bytes())));
        let change = |key: i64, old, new, kind| {
            let key = Key::from_row_id(key);
            Change { relation: RelationId(7), key, old, new, kind }
        };
        let record = CommitRecord {
            lsn: Lsn(99),
            namespace: NamespaceId(3),
            position: Position(12),
            time_us: -5,
            changes: vec![
                change(0, None, None, ChangeKind::Truncate),
                change(1, None, image("new"), ChangeKind::Row),
                change(2, image("old"), None, ChangeKind::Row),
                change(3, image("old"), image(""), ChangeKind::Row),
            ],
            notifications: vec![Notification {
                channel: Arc::from("chat"),
                payload: Arc::from("hé"),
                pid: -1,
            }],
        };
        let mut bytes = Vec::new();
        let (lsn, time_us) = (record.lsn, record.time_us);
        let body = Body { lsn, time_us, notifications: &record.notifications };
        let changes = record.changes.iter().map(|change| ChangeRef {
            relation: change.relation,
            kind: change.kind,
            row: Written {
                key: &change.key,
                old: change.old.as_deref(),
                new: change.new.as_deref(),
            },
        });
        body.write(record.changes.len(), changes, &mut bytes);
        let bytes = Bytes::from(bytes);
        assert_eq!(lsn_of(&bytes).unwrap(), Lsn(99));
        assert_eq!(decode(NamespaceId(3), Position(12), &bytes).unwrap(), record);
        for end in 0..bytes.len() {
            assert!(decode(NamespaceId(3), Position(12), &bytes.slice(..end)).is_err());
        }
    }
}
