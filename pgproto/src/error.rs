//! What ErrorResponse and NoticeResponse carry.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A five-character condition code (PostgreSQL documentation, appendix "Error Codes").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// `successful_completion`, the code of most notices.
    pub const SUCCESSFUL_COMPLETION: Self = Self::new("00000");
    /// `protocol_violation`.
    pub const PROTOCOL_VIOLATION: Self = Self::new("08P01");
    /// `feature_not_supported`.
    pub const FEATURE_NOT_SUPPORTED: Self = Self::new("0A000");
    /// `character_not_in_repertoire`.
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self::new("22021");
    /// `invalid_parameter_value`.
    pub const INVALID_PARAMETER_VALUE: Self = Self::new("22023");
    /// `idle_in_transaction_session_timeout`.
    pub const IDLE_IN_TRANSACTION_TIMEOUT: Self = Self::new("25P03");
    /// `invalid_sql_statement_name`.
    pub const INVALID_STATEMENT_NAME: Self = Self::new("26000");
    /// `invalid_authorization_specification`.
    pub const INVALID_AUTHORIZATION: Self = Self::new("28000");
    /// `invalid_password`.
    pub const INVALID_PASSWORD: Self = Self::new("28P01");
    /// `invalid_cursor_name`.
    pub const INVALID_CURSOR_NAME: Self = Self::new("34000");
    /// `duplicate_cursor`.
    pub const DUPLICATE_CURSOR: Self = Self::new("42P03");
    /// `duplicate_prepared_statement`.
    pub const DUPLICATE_STATEMENT: Self = Self::new("42P05");
    /// `too_many_connections`.
    pub const TOO_MANY_CONNECTIONS: Self = Self::new("53300");
    /// `configuration_limit_exceeded`.
    pub const LIMIT_EXCEEDED: Self = Self::new("53400");
    /// `program_limit_exceeded`.
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self::new("54000");
    /// `object_not_in_prerequisite_state`.
    pub const NOT_IN_PREREQUISITE_STATE: Self = Self::new("55000");
    /// `query_canceled`.
    pub const QUERY_CANCELED: Self = Self::new("57014");
    /// `admin_shutdown`.
    pub const ADMIN_SHUTDOWN: Self = Self::new("57P01");
    /// `cannot_connect_now`.
    pub const CANNOT_CONNECT_NOW: Self = Self::new("57P03");
    /// `idle_session_timeout`.
    pub const IDLE_SESSION_TIMEOUT: Self = Self::new("57P05");
    /// `internal_error`.
    pub const INTERNAL_ERROR: Self = Self::new("XX000");

    /// The code written as `code`, which must have five bytes (checked when constant).
    pub const fn new(code: &str) -> Self {
        let code = code.as_bytes();
        assert!(code.len() == 5, "an SQLSTATE has five characters");
        Self([code[0], code[1], code[2], code[3], code[4]])
    }

    /// The code from five bytes that are known at run time.
    pub const fn from_bytes(code: [u8; 5]) -> Self {
        Self(code)
    }

    /// The five bytes.
    pub const fn as_bytes(&self) -> &[u8; 5] {
        &self.0
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// How grave a report is. `Fatal` and `Panic` end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The session failed.
    Fatal,
    /// The server failed.
    Panic,
    /// Something is probably not meant.
    Warning,
    /// Worth knowing.
    Notice,
    /// For developers.
    Debug,
    /// Asked for by the user.
    Info,
    /// For the log.
    Log,
}

impl Severity {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Log => "LOG",
        }
    }
}

/// The fields of ErrorResponse and NoticeResponse (PostgreSQL documentation, "Error and Notice
/// Message Fields").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `S` and `V`.
    pub severity: Severity,
    /// `C`.
    pub code: SqlState,
    /// `M`.
    pub message: String,
    /// `D`.
    pub detail: Option<String>,
    /// `H`.
    pub hint: Option<String>,
    /// `P`: characters from the start of the statement, from 1.
    pub position: Option<u32>,
    /// `p`: as `position`, in `internal_query`.
    pub internal_position: Option<u32>,
    /// `q`.
    pub internal_query: Option<String>,
    /// `W`.
    pub context: Option<String>,
    /// `s`.
    pub schema: Option<String>,
    /// `t`.
    pub table: Option<String>,
    /// `c`.
    pub column: Option<String>,
    /// `d`.
    pub data_type: Option<String>,
    /// `n`.
    pub constraint: Option<String>,
}

impl Report {
    /// A report with nothing but its message.
    pub fn new(severity: Severity, code: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            internal_position: None,
            internal_query: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
        }
    }
}

/// A report that ends a statement, or with `Fatal` the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Report>);

impl Error {
    /// An error with severity ERROR.
    pub fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Report::new(Severity::Error, code, message)))
    }

    /// An error that ends the session.
    pub fn fatal(code: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Report::new(Severity::Fatal, code, message)))
    }

    /// The same error, ending the session.
    #[must_use]
    pub fn into_fatal(mut self) -> Self {
        if !self.ends_session() {
            self.0.severity = Severity::Fatal;
        }
        self
    }

    /// Adds the detail, a sentence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub(crate) fn ends_session(&self) -> bool {
        matches!(self.0.severity, Severity::Fatal | Severity::Panic)
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(SqlState::PROTOCOL_VIOLATION, message)
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        Self(Box::new(report))
    }
}

impl Deref for Error {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Report {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.severity.word(), self.message, self.code)
    }
}

impl std::error::Error for Error {}
