//! The seam: what the protocol asks of whoever knows SQL.
//!
//! One [`Backend`] per process, one [`Session`] per connection, static dispatch throughout.
//!
//! # Dropped futures
//!
//! A cancel request, a timeout or a vanished client *drops* the future of `prepare`, `bind`,
//! `start_simple`, `execute`, `next` or `copy_*` at one of its await points. After that the session
//! must be consistent: [`Session::fail`] follows (or [`Session::close`], if nobody is left to tell).
//! The futures of `next` for a subscription are also dropped merely because no row is there, and
//! `next` is then called again: no row may be lost by that. The futures of `complete`, `sync`,
//! `fail` and `close` are never dropped by the protocol, so that whoever is told of a failure can
//! rely on it; they must therefore end in bounded time.
//!
//! When a session panics it is dropped without `close`; its `Drop` must give back what it holds.

use std::borrow::Cow;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::error::{Error, Report, SqlState};
use crate::outbox::OutboxSender;
use crate::scram::Verifier;
use crate::startup::StartupParameters;

/// The whole server behind the protocol.
pub trait Backend: Send + Sync + 'static {
    /// What serves one connection.
    type Session: Session;

    /// How this client has to prove who it is.
    ///
    /// Must not reveal whether the role exists: for an unknown role, or one that may not log in,
    /// answer with [`Verifier::fake`], which costs and looks the same. An error ends the connection
    /// and is shown to somebody who has not proved anything.
    fn credentials(
        &self,
        startup: &StartupParameters,
        peer: &Peer,
    ) -> impl Future<Output = Result<Credentials, Error>> + Send;

    /// Opens the session of an authenticated client, and says what ParameterStatus it gets.
    /// An error ends the connection.
    #[expect(clippy::type_complexity, reason = "the pair is said once, here")]
    fn open(
        &self,
        startup: &StartupParameters,
        peer: &Peer,
        handles: Handles,
    ) -> impl Future<Output = Result<(Self::Session, Vec<(String, String)>), Error>> + Send;
}

/// One connection's side of SQL. See the module documentation for dropped futures.
pub trait Session: Send + 'static {
    /// A parsed statement, kept by the protocol under the name the client gave it.
    type Statement: Send + Sync;
    /// A statement with its parameters, ready to run or running.
    type Portal: Send;
    /// Some rows of a result, ready to be encoded one by one.
    type Batch: Send;

    /// Parses all statements of a simple query before any of them runs. Empty for an empty query.
    fn parse_script(&mut self, sql: &str) -> Result<Vec<Self::Statement>, Error>;

    /// Parses and analyses one statement (Parse). `parameter_types` may be shorter than the list of
    /// parameters; 0 stands for a type to be inferred. An empty text is a statement, too; more than
    /// one is 42601.
    fn prepare(
        &mut self,
        sql: &str,
        parameter_types: &[u32],
    ) -> impl Future<Output = Result<Self::Statement, Error>> + Send;

    /// Parameter types and result columns of a statement from [`Session::prepare`].
    fn describe<'a>(&'a self, statement: &'a Self::Statement) -> Description<'a>;

    /// Makes a portal (Bind). The protocol has checked the numbers of parameters and formats.
    /// `result_formats` has no entry (all text), one (for all columns) or one per column.
    fn bind(
        &mut self,
        statement: &Self::Statement,
        parameters: Parameters<'_>,
        result_formats: &[Format],
    ) -> impl Future<Output = Result<Self::Portal, Error>> + Send;

    /// Makes the portal of one statement of a simple query; all its columns are text.
    fn start_simple(
        &mut self,
        statement: &Self::Statement,
        is_last: bool,
    ) -> impl Future<Output = Result<Self::Portal, Error>> + Send;

    /// Columns of the portal's rows, `None` if it returns none.
    fn portal_fields(&self, portal: &Self::Portal) -> Option<Arc<[Field]>>;

    /// What Describe fails with although the portal is there: what it would tell is true no longer.
    fn check_description(&self, portal: &Self::Portal) -> Result<(), Error> {
        let _ = portal;
        Ok(())
    }

    /// Columns of an SQL cursor, for Describe of a portal that the protocol doesn't know: `None` if
    /// there is no such cursor.
    fn cursor_fields(&self, name: &str) -> Option<Arc<[Field]>> {
        let _ = name;
        None
    }

    /// A portal of an SQL cursor's next rows, at most `limit` of them, for Execute of a name that
    /// the protocol doesn't know: `None` if there is no such cursor.
    fn cursor_portal(&mut self, name: &str, limit: Option<u64>) -> Option<Self::Portal> {
        let _ = (name, limit);
        None
    }

    /// Closes the SQL cursor of this name, if there is one.
    fn close_cursor(&mut self, name: &str) {
        let _ = name;
    }

    /// Whether rows come for ever: then timeouts don't apply, Execute with a row limit is answered
    /// with PortalSuspended as soon as a row is out and none is waiting, and the next request of
    /// the client ends it.
    fn is_subscription(&self, portal: &Self::Portal) -> bool {
        let _ = portal;
        false
    }

    /// Whether the portal was making rows when [`Session::execute`] failed: their description
    /// comes before the error then.
    fn has_begun(&self, portal: &Self::Portal) -> bool {
        let _ = portal;
        false
    }

    /// Starts the portal. Called once; a suspended portal goes on with [`Session::next`].
    fn execute(
        &mut self,
        portal: &mut Self::Portal,
    ) -> impl Future<Output = Result<Started, Error>> + Send;

    /// A suspended portal is about to go on, perhaps with rows that it gave before: an error where
    /// its transaction has failed since.
    fn resume(&mut self, portal: &mut Self::Portal) -> Result<(), Error> {
        let _ = portal;
        Ok(())
    }

    /// The next rows of a portal that answered [`Started::Rows`] or [`Started::CopyOut`]. While it
    /// is pending, the rows there are go to the client.
    fn next(
        &mut self,
        portal: &mut Self::Portal,
    ) -> impl Future<Output = Result<Option<Self::Batch>, Error>> + Send;

    /// Rows in the batch.
    fn rows(batch: &Self::Batch) -> usize;

    /// Appends one row: for each column its length as int32 and its bytes, or -1 for NULL; for
    /// [`Started::CopyOut`] just the bytes of one CopyData message.
    fn encode_row(
        &self,
        portal: &Self::Portal,
        batch: &Self::Batch,
        row: usize,
        out: &mut BytesMut,
    ) -> Result<(), Error>;

    /// Data of COPY FROM STDIN, cut anywhere.
    fn copy_data(
        &mut self,
        portal: &mut Self::Portal,
        data: Bytes,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The client has sent all data; [`Session::complete`] follows.
    fn copy_done(
        &mut self,
        portal: &mut Self::Portal,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The client has given up its COPY FROM STDIN: the error that this ends with.
    fn copy_given_up(&self, portal: &Self::Portal, reason: &str) -> Error {
        let _ = portal;
        Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"))
    }

    /// Ends the portal's work and gives the tag of CommandComplete. For the last statement of a
    /// simple query, and for transaction control, this commits. Also called for a subscription that
    /// the client's next request ends.
    fn complete(
        &mut self,
        portal: &mut Self::Portal,
    ) -> impl Future<Output = Result<CommandTag, Error>> + Send;

    /// End of a simple query or Sync: an implicit transaction ends here.
    fn sync(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// An error is being reported: the transaction is failed, an implicit one is rolled back.
    fn fail(&mut self) -> impl Future<Output = ()> + Send;

    /// For ReadyForQuery.
    fn transaction_status(&self) -> TransactionStatus;

    /// Settings that changed since the last call and are announced by ParameterStatus.
    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Notices that arose since the last call.
    fn take_notices(&mut self) -> Vec<Report> {
        Vec::new()
    }

    /// The protocol keeps a statement under this name from now on, or no longer: SQL's DEALLOCATE
    /// may name it.
    fn statement_kept(&mut self, name: &str, kept: bool) {
        let _ = (name, kept);
    }

    /// The protocol keeps a portal under this name from now on, until it is closed or its
    /// transaction ends: SQL's cursors share the names.
    fn portal_kept(&mut self, name: &str, kept: bool) {
        let _ = (name, kept);
    }

    /// What SQL (DEALLOCATE, CLOSE, DISCARD) dropped of the protocol's statements and portals since
    /// the last call.
    fn take_discards(&mut self) -> Vec<Discard> {
        Vec::new()
    }

    /// The session's timeouts as they are set now.
    fn timeouts(&self) -> Timeouts {
        Timeouts::default()
    }

    /// The connection ends; an open transaction is rolled back.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Who connects.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The socket's other end.
    pub address: SocketAddr,
    /// The socket's end here.
    pub local_address: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// How a client proves who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// By nothing.
    Trust,
    /// By SCRAM-SHA-256, over TLS also SCRAM-SHA-256-PLUS.
    Scram(Verifier),
}

/// What a session gets of its connection.
#[derive(Debug)]
pub struct Handles {
    /// The process id in BackendKeyData: the `pg_backend_pid()` of the session.
    pub process_id: i32,
    /// Where notifications for this client go.
    pub outbox: OutboxSender,
}

/// Text or binary, of a parameter or a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The type's text form.
    #[default]
    Text,
    /// The type's binary form.
    Binary,
}

impl Format {
    /// The format of the value at `index` under the protocol's rule: none given means text, one
    /// given means for all.
    pub fn of(formats: &[Self], index: usize) -> Self {
        match formats {
            [] => Self::Text,
            [one] => *one,
            many => many.get(index).copied().unwrap_or_default(),
        }
    }

    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// The parameters of a Bind message.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    /// The name of the portal they are for, which an error in one of them tells.
    pub portal: &'a str,
    /// None, one or one per value; see [`Format::of`].
    pub formats: &'a [Format],
    /// The values, `None` for NULL.
    pub values: &'a [Option<&'a [u8]>],
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: Arc<str>,
    /// OID of the table it comes from, else 0.
    pub table_oid: u32,
    /// Its attribute number there, else 0.
    pub attribute: i16,
    /// OID of its type.
    pub type_oid: u32,
    /// `pg_type.typlen`.
    pub type_length: i16,
    /// Type modifier, -1 for none.
    pub type_modifier: i32,
}

/// What Describe of a statement says.
#[derive(Debug, Clone)]
pub struct Description<'a> {
    /// Type OID of each parameter.
    pub parameters: &'a [u32],
    /// Columns of its rows, `None` if it returns none.
    pub fields: Option<Arc<[Field]>>,
}

/// What a portal does once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It returns rows by [`Session::next`].
    Rows,
    /// It is done, but for [`Session::complete`].
    Done,
    /// There was no statement in the text.
    Empty,
    /// It takes data by [`Session::copy_data`].
    CopyIn(CopyShape),
    /// It returns COPY data by [`Session::next`].
    CopyOut(CopyShape),
}

/// What CopyInResponse and CopyOutResponse say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyShape {
    /// Overall format, and that of each column.
    pub format: Format,
    /// Number of columns.
    pub columns: u16,
}

/// What CommandComplete says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTag {
    /// The tag, such as `CREATE TABLE`, `INSERT 0 5` or `SELECT`.
    pub text: Cow<'static, str>,
    /// Whether the number of rows that this Execute sent is to follow, as for `SELECT`.
    pub counts_rows: bool,
}

impl CommandTag {
    /// A tag that is complete.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), counts_rows: false }
    }

    /// A tag that is followed by the number of rows sent.
    pub fn counting(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), counts_rows: true }
    }
}

/// Where a session stands in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside a transaction block.
    Idle,
    /// In a transaction block.
    InTransaction,
    /// In a transaction block that has failed.
    Failed,
}

/// What SQL dropped of the protocol's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discard {
    /// One prepared statement.
    Statement(String),
    /// All prepared statements.
    AllStatements,
    /// One portal.
    Portal(String),
    /// All portals.
    AllPortals,
}

/// A session's timeouts; `None` means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// For one statement: 57014.
    pub statement: Option<Duration>,
    /// Between statements outside a transaction: 57P05.
    pub idle: Option<Duration>,
    /// Between statements in a transaction: 25P03.
    pub idle_in_transaction: Option<Duration>,
}
