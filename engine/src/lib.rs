//! Statements to rows and changes.
//!
//! A statement's life, in reading order of the modules:
//!
//! 1. `session` takes the text of one connection and drives everything below.
//! 2. `statement` parses it once and remembers what it became (the plan cache).
//! 3. `analyze` gives every name and expression its PostgreSQL meaning: types, overloads, casts.
//! 4. `exec` runs it: queries by the short path or DataFusion, changes through `txn`.
//! 5. `changefeed` hears of it once it is durable, and speaks to `listen` and `subscribe`.

mod analyze;
mod catalog;
mod changefeed;
mod context;
mod copy;
mod engine;
mod error;
mod exec;
mod functions;
mod listen;
mod locks;
mod plan;
mod prepared;
mod roles;
mod scan;
mod session;
mod settings;
mod statement;
mod subscribe;
mod txn;
mod types;

pub use changefeed::{Changefeed, FeedLimits, Notification, NotificationSink};
pub use copy::CopyMessages;
pub use engine::{Backends, Engine, EngineOptions};
pub use error::{Error, ErrorFields, Result, Severity, SqlState};
pub use plan::QueryResources;
pub use session::{
    Arguments, Batch, Connect, CopyShape, Discard, Field, Portal, Prepared, Session, Started, Tag,
    Timeouts, TransactionStatus,
};
pub use settings::check_setting;
pub use types::{Format, Oid, PgType};
