//! The only translator between the engine's types and the protocol's.

use std::sync::Arc;

use kalamdb_engine as engine;
use kalamdb_pgproto::{
    CommandTag, CopyShape, Discard, Error, Field, Format, Report, Severity, SqlState, Started,
    TransactionStatus,
};

/// An error of the engine for the client.
pub(crate) fn error(error: engine::Error) -> Error {
    let severity = match error.severity {
        engine::Severity::Error => Severity::Error,
        engine::Severity::Fatal => Severity::Fatal,
        engine::Severity::Info => Severity::Info,
    };
    let report = report(&error, severity);
    if report.code == SqlState::INTERNAL_ERROR {
        // A bug of ours; the client's report alone would be lost.
        tracing::error!(message = %report.message, detail = report.detail.as_deref(), "internal error");
    }
    report.into()
}

/// A notice or warning. The class of its SQLSTATE tells them apart as in PostgreSQL, which warns
/// with class 01 and of the state of transactions, and gives notice of everything else.
pub(crate) fn notice(error: &engine::Error) -> Report {
    let severity = match (error.severity, error.sqlstate.class()) {
        (engine::Severity::Info, _) => Severity::Info,
        (_, "01" | "25") => Severity::Warning,
        _ => Severity::Notice,
    };
    report(error, severity)
}

fn report(error: &engine::Error, severity: Severity) -> Report {
    Report {
        detail: error.detail.clone(),
        hint: error.hint.clone(),
        position: error.position,
        context: error.context.clone(),
        schema: error.schema.clone(),
        table: error.table.clone(),
        column: error.column.clone(),
        data_type: error.datatype.clone(),
        constraint: error.constraint.clone(),
        ..Report::new(severity, SqlState::new(error.sqlstate.as_str()), error.message.clone())
    }
}

/// Columns of a result.
pub(crate) fn fields(fields: &[engine::Field]) -> Arc<[Field]> {
    fields
        .iter()
        .map(|field| Field {
            name: Arc::clone(&field.name),
            table_oid: field.table,
            attribute: field.attnum,
            type_oid: field.ty.oid.0,
            type_length: field.ty.length(),
            type_modifier: field.ty.typmod,
        })
        .collect()
}

/// Formats of parameters or columns.
pub(crate) fn formats(formats: &[Format]) -> Vec<engine::Format> {
    formats
        .iter()
        .map(|format| match format {
            Format::Text => engine::Format::Text,
            Format::Binary => engine::Format::Binary,
        })
        .collect()
}

/// What a portal does once it runs.
pub(crate) fn started(started: engine::Started) -> Started {
    match started {
        engine::Started::Rows => Started::Rows,
        engine::Started::Done => Started::Done,
        engine::Started::Empty => Started::Empty,
        engine::Started::CopyIn(shape) => Started::CopyIn(copy_shape(shape)),
        engine::Started::CopyOut(shape) => Started::CopyOut(copy_shape(shape)),
    }
}

fn copy_shape(shape: engine::CopyShape) -> CopyShape {
    let format = match shape.format {
        engine::Format::Text => Format::Text,
        engine::Format::Binary => Format::Binary,
    };
    CopyShape { format, columns: shape.columns }
}

/// The tag of a command.
pub(crate) fn tag(tag: engine::Tag) -> CommandTag {
    CommandTag { text: tag.text, counts_rows: tag.counts_rows }
}

/// Where the session stands.
pub(crate) fn status(status: engine::TransactionStatus) -> TransactionStatus {
    match status {
        engine::TransactionStatus::Idle => TransactionStatus::Idle,
        engine::TransactionStatus::InTransaction => TransactionStatus::InTransaction,
        engine::TransactionStatus::Failed => TransactionStatus::Failed,
    }
}

/// What SQL dropped of the protocol's objects.
pub(crate) fn discard(discard: engine::Discard) -> Discard {
    match discard {
        engine::Discard::Statement(name) => Discard::Statement(name),
        engine::Discard::AllStatements => Discard::AllStatements,
        engine::Discard::Portal(name) => Discard::Portal(name),
        engine::Discard::AllPortals => Discard::AllPortals,
    }
}
