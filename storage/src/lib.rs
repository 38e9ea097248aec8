#![doc = include_str!("../README.md")]

// What things are called and made of.
mod error;
mod id;
mod layout;
mod options;
mod types;
mod value;

pub mod key;
pub mod row;

// Rows now: read at a snapshot, written by a commit.
mod commit;
mod hot;
mod log;
mod meta;
mod namespace;
mod new_rows;
mod packed;
mod scan;
mod sequence;
mod snapshot;
mod store;
mod uses;
mod write_set;

// Rows of old: segments, and what makes and removes them.
mod background;
mod cache;
mod check;
mod chunk;
mod cold;
mod compaction;
mod flush;
mod gc;
mod manifest;
mod merge;
mod objects;
mod path;
mod pressure;
mod segment;

#[cfg(test)]
mod harness;

pub use check::{CheckReport, check};
pub use commit::{Commit, Committed};
pub use compaction::CompactReport;
pub use error::{Error, ErrorKind, Result};
pub use flush::FlushReport;
pub use id::{Lsn, NamespaceId, Position, RelationId};
pub use key::{Key, KeyRange, MAX_KEY_BYTES};
pub use layout::{Access, Column, IndexLayout, Layout};
pub use log::{Change, ChangeKind, CommitNotice, CommitRecord, Feed, LogCursor, Notification};
pub use namespace::{Namespace, Owner, RelationUse};
pub use new_rows::NewRows;
pub use options::{FlushPolicy, HotKind, Retention, StoreOptions};
pub use row::{Row, RowImage};
pub use scan::{MAX_BATCH_ROWS, ScanSpec};
pub use sequence::SequenceOptions;
pub use snapshot::Snapshot;
pub use store::{FORMAT_VERSION, Store};
pub use types::ColumnType;
pub use write_set::{MAX_NOTIFICATIONS, WriteSet};
