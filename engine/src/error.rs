//! The engine's one error: a SQLSTATE, PostgreSQL's wording and the names of the objects concerned.
//!
//! Every condition has a constructor named for it in `error/conditions.rs`, so that a message is
//! worded in one place. Errors cross DataFusion and Arrow as external errors and come back
//! unharmed through [`Error::from_datafusion`], the only reader of `DataFusionError`.

use std::fmt;
use std::ops::Deref;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

mod conditions;
mod sqlstate;

pub use sqlstate::SqlState;

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What goes into an ErrorResponse. One pointer wide, so that results stay small.
#[derive(Clone)]
pub struct Error(Box<ErrorFields>);

/// How far an error reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement (and the transaction block) fails.
    Error,
    /// The session ends.
    Fatal,
    /// No error: what the user asked to be told.
    Info,
}

impl Severity {
    /// The word PostgreSQL sends.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Info => "INFO",
        }
    }
}

/// The fields of an [`Error`], as in PostgreSQL's "Error and Notice Message Fields".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields {
    /// How far the error reaches.
    pub severity: Severity,
    /// The condition.
    pub sqlstate: SqlState,
    /// Lower case, without a full stop.
    pub message: String,
    /// More about the case, in sentences.
    pub detail: Option<String>,
    /// What to do about it, in sentences.
    pub hint: Option<String>,
    /// Place in the statement's text in characters, from 1.
    pub position: Option<u32>,
    /// The context, innermost first.
    pub context: Option<String>,
    /// Schema of the object concerned.
    pub schema: Option<String>,
    /// Table concerned.
    pub table: Option<String>,
    /// Column concerned.
    pub column: Option<String>,
    /// Data type concerned.
    pub datatype: Option<String>,
    /// Constraint concerned.
    pub constraint: Option<String>,
}

impl Error {
    /// An error of severity ERROR with nothing but a message.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Error(Box::new(ErrorFields {
            severity: Severity::Error,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            datatype: None,
            constraint: None,
        }))
    }

    /// What a statement was asked to tell, as VERBOSE does.
    pub(crate) fn info(message: impl Into<String>) -> Self {
        let mut info = Self::new(SqlState::SUCCESSFUL_COMPLETION, message);
        info.0.severity = Severity::Info;
        info
    }

    /// Makes it end the session.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.0.severity = Severity::Fatal;
        self
    }

    /// Adds the DETAIL line.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the HINT line.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the place in the statement (characters, from 1) unless one is known already.
    #[must_use]
    pub fn at(mut self, position: u32) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// Moves the place in the statement, where the statement is a part of a longer text.
    #[must_use]
    pub fn shifted(mut self, characters: u32) -> Self {
        if let Some(position) = &mut self.0.position {
            *position = position.saturating_add(characters);
        }
        self
    }

    /// Adds the CONTEXT line.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    /// Names the table concerned.
    #[must_use]
    pub fn on_table(mut self, schema: &str, table: &str) -> Self {
        self.0.schema = Some(schema.to_owned());
        self.0.table = Some(table.to_owned());
        self
    }

    /// Names the column concerned.
    #[must_use]
    pub fn on_column(mut self, column: &str) -> Self {
        self.0.column = Some(column.to_owned());
        self
    }

    /// Names the constraint concerned.
    #[must_use]
    pub fn on_constraint(mut self, constraint: &str) -> Self {
        self.0.constraint = Some(constraint.to_owned());
        self
    }

    /// Names the data type concerned.
    #[must_use]
    pub fn on_datatype(mut self, datatype: &str) -> Self {
        self.0.datatype = Some(datatype.to_owned());
        self
    }

    /// Packs it for a way through DataFusion; [`Error::from_datafusion`] unpacks it.
    pub fn into_datafusion(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// Packs it for a way through Arrow.
    pub fn into_arrow(self) -> ArrowError {
        ArrowError::ExternalError(Box::new(self))
    }

    /// Reads what DataFusion says: our own error if one is inside, else the nearest condition.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        match error {
            DataFusionError::ArrowError(inner, _) => Self::from_arrow(inner),
            DataFusionError::External(inner) => Self::from_external(inner.as_ref()),
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::from_datafusion(inner)
            }
            DataFusionError::Shared(inner) => Self::from_datafusion(inner),
            DataFusionError::Collection(all) => match all.first() {
                Some(first) => Self::from_datafusion(first),
                None => Self::internal("an empty collection of errors"),
            },
            DataFusionError::SQL(inner, _) => Self::new(SqlState::SYNTAX_ERROR, inner.to_string()),
            DataFusionError::NotImplemented(what) | DataFusionError::Plan(what) => {
                // The text tells of plans, which mean nothing to whoever wrote the query.
                tracing::warn!(error = %first_line(what), "a query can't be planned");
                Self::feature_not_supported("a query of this form is not supported")
            }
            DataFusionError::ResourcesExhausted(what) => {
                Self::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(first_line(what))
            }
            DataFusionError::IoError(inner) => Self::from_io(inner),
            other => {
                tracing::error!(error = %first_line(&other.to_string()), "a query failed inside");
                Self::internal("a query failed inside the engine")
            }
        }
    }

    /// Reads what Arrow says, as [`Error::from_datafusion`].
    pub fn from_arrow(error: &ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => Self::from_external(inner.as_ref()),
            ArrowError::IoError(_, inner) => Self::from_io(inner),
            ArrowError::DivideByZero => Self::division_by_zero(),
            ArrowError::ArithmeticOverflow(_) => Self::numeric_out_of_range("value out of range"),
            ArrowError::OffsetOverflowError(_) => {
                Self::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a batch of values exceeds 2 GB")
            }
            other => {
                tracing::error!(error = %first_line(&other.to_string()), "a query failed inside");
                Self::internal("a query failed inside the engine")
            }
        }
    }

    /// Files are where queries put rows aside. An error of such a file that the system doesn't know
    /// is DataFusion's, over its limit.
    fn from_io(error: &std::io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            (std::io::ErrorKind::Other, None) => Self::new(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "temporary file size exceeds temp_file_limit",
            ),
            (std::io::ErrorKind::StorageFull, _) => {
                Self::new(SqlState::DISK_FULL, error.to_string())
            }
            _ => Self::new(SqlState::IO_ERROR, error.to_string()),
        }
    }

    fn from_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        if let Some(ours) = error.downcast_ref::<Error>() {
            ours.clone()
        } else if let Some(inner) = error.downcast_ref::<DataFusionError>() {
            Self::from_datafusion(inner)
        } else if let Some(inner) = error.downcast_ref::<ArrowError>() {
            Self::from_arrow(inner)
        } else if let Some(inner) = error.downcast_ref::<kalamdb_storage::Error>() {
            Self::from_storage(inner)
        } else {
            Self::internal(first_line(&error.to_string()))
        }
    }
}

/// DataFusion appends backtraces to its texts.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl Deref for Error {
    type Target = ErrorFields;

    fn deref(&self) -> &ErrorFields {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message, self.0.sqlstate)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        error.into_datafusion()
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::from_datafusion(&error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::from_arrow(&error)
    }
}

impl From<kalamdb_storage::Error> for Error {
    fn from(error: kalamdb_storage::Error) -> Self {
        Self::from_storage(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_unharmed() {
        let error = Error::unique_violation("t_pkey", "(a)=(1)").on_table("public", "t");
        let packed = DataFusionError::ArrowError(Box::new(error.clone().into_arrow()), None)
            .context("while inserting");
        let back = Error::from_datafusion(&packed);
        assert_eq!(*back, *error);
        let nested = DataFusionError::External(Box::new(error.clone().into_datafusion()));
        assert_eq!(*Error::from_datafusion(&nested), *error);
        assert_eq!(back.detail.as_deref(), Some("Key (a)=(1) already exists."));
    }
}
