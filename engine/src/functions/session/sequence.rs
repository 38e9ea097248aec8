//! `nextval`, `currval`, `lastval`, `setval`.
//!
//! A sequence's state belongs to a namespace: of a `user` table everybody counts for himself.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use kalamdb_storage::{ErrorKind, Namespace, RelationId, SequenceOptions};

use super::{Body, Row, Value};
use crate::{
    catalog::{Relation, RelationBody, Sequence, TableKind},
    context::ExecutionContext,
    error::{Error, Result, SqlState},
    statement::AccessMode,
    types::Oid,
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "nextval" => |row| next(row.context, row.oid(0)?).map(Value::Int),
        IDENTITY_VALUE => |row| next_of_identity(row.context, row.oid(0)?).map(Value::Int),
        "currval" => currval,
        "lastval" => lastval,
        "setval" => setval,
        "pg_sequence_last_value" => last_value,
        _ => return None,
    })
}

/// The next value of the sequence behind an identity column. No name of SQL: who may insert into
/// the table gets it without a privilege on the sequence.
pub(crate) const IDENTITY_VALUE: &str = "kalam identity value";

/// The next value of a sequence.
///
/// # Errors
/// 42501 without USAGE or UPDATE, 25006 in a read-only transaction, 2200H at its end.
fn next(context: &Arc<ExecutionContext>, oid: Oid) -> Result<i64> {
    let (relation, sequence) = sequence(context, oid)?;
    check(context, &relation, "Uw")?;
    check_writable(context, &relation, "nextval()")?;
    advance(context, &relation, &sequence)
}

fn next_of_identity(context: &Arc<ExecutionContext>, oid: Oid) -> Result<i64> {
    let (relation, sequence) = sequence(context, oid)?;
    advance(context, &relation, &sequence)
}

fn advance(
    context: &Arc<ExecutionContext>,
    relation: &Relation,
    sequence: &Sequence,
) -> Result<i64> {
    let oid = relation.oid;
    let namespace = namespace(context, relation);
    let value = wait(namespace.sequence_next(RelationId(oid.0), options(sequence)))
        .map_err(|error| at_end(&error, relation, sequence))?;
    context.session.remember_sequence(oid, value);
    Ok(value)
}

/// How storage is to count.
fn options(sequence: &Sequence) -> SequenceOptions {
    SequenceOptions {
        start: sequence.start,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
        cache: u32::try_from(sequence.cache).unwrap_or(u32::MAX),
    }
}

fn at_end(error: &kalamdb_storage::Error, relation: &Relation, sequence: &Sequence) -> Error {
    if error.kind() != ErrorKind::Full {
        return Error::from_storage(error);
    }
    let (word, limit) =
        if sequence.increment > 0 { ("maximum", sequence.max) } else { ("minimum", sequence.min) };
    Error::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {word} value of sequence \"{}\" ({limit})", relation.name),
    )
}

fn currval(row: &Row<'_>) -> Result<Value> {
    let oid = row.oid(0)?;
    let (relation, _) = sequence(row.context, oid)?;
    check(row.context, &relation, "Ur")?;
    row.context.session.sequence_current(oid).map(Value::Int).ok_or_else(|| {
        Error::object_not_in_prerequisite_state(format!(
            "currval of sequence \"{}\" is not yet defined in this session",
            relation.name
        ))
    })
}

fn lastval(row: &Row<'_>) -> Result<Value> {
    let undefined =
        || Error::object_not_in_prerequisite_state("lastval is not yet defined in this session");
    let session = &row.context.session;
    let oid = session.sequence_last().ok_or_else(undefined)?;
    session.sequence_current(oid).map(Value::Int).ok_or_else(undefined)
}

fn setval(row: &Row<'_>) -> Result<Value> {
    let (oid, value) = (row.oid(0)?, row.int(1)?);
    let is_called = row.len() < 3 || row.bool(2)?;
    let (relation, sequence) = sequence(row.context, oid)?;
    check(row.context, &relation, "w")?;
    check_writable(row.context, &relation, "setval()")?;
    if value < sequence.min || value > sequence.max {
        return Err(Error::numeric_out_of_range(format!(
            "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
            relation.name, sequence.min, sequence.max
        )));
    }
    let namespace = namespace(row.context, &relation);
    wait(namespace.sequence_set(RelationId(oid.0), value, is_called))?;
    if is_called {
        row.context.session.remember_sequence(oid, value);
    }
    Ok(Value::Int(value))
}

fn last_value(row: &Row<'_>) -> Result<Value> {
    let oid = row.oid(0)?;
    let (relation, _) = sequence(row.context, oid)?;
    Ok(match state(row.context, &relation)? {
        Some((value, true)) => Value::Int(value),
        Some((_, false)) | None => Value::Null,
    })
}

/// `last_value` and `is_called`, if the sequence was ever used in this namespace.
pub(crate) fn state(
    context: &Arc<ExecutionContext>,
    relation: &Relation,
) -> Result<Option<(i64, bool)>> {
    let namespace = namespace(context, relation);
    Ok(wait(namespace.sequence_last(RelationId(relation.oid.0)))?)
}

fn sequence(context: &ExecutionContext, oid: Oid) -> Result<(Arc<Relation>, Sequence)> {
    let relation = context.catalog.relation_by_oid(oid).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_TABLE, format!("could not open relation with OID {oid}"))
    })?;
    match &relation.body {
        RelationBody::Sequence(sequence) => Ok((Arc::clone(&relation), sequence.clone())),
        RelationBody::Table { .. } | RelationBody::View { .. } | RelationBody::System => {
            Err(Error::wrong_object_type(&relation.name, "a sequence"))
        }
    }
}

/// Any one of these privileges is enough.
fn check(context: &ExecutionContext, relation: &Relation, letters: &str) -> Result<()> {
    let view = &context.catalog;
    let may = letters.chars().any(|letter| view.relation_privilege(view.role, relation, letter));
    if may {
        return Ok(());
    }
    Err(Error::insufficient_privilege(&format!("sequence {}", relation.name)))
}

/// 25006 in a read-only transaction, unless the sequence is the session's own.
fn check_writable(context: &ExecutionContext, relation: &Relation, call: &str) -> Result<()> {
    match context.access {
        AccessMode::ReadOnly if !context.catalog.is_temporary(relation) => {
            Err(Error::read_only_transaction(call))
        }
        AccessMode::ReadOnly | AccessMode::ReadWrite => Ok(()),
    }
}

fn namespace<'a>(context: &'a ExecutionContext, relation: &Relation) -> &'a Namespace {
    match relation.kind {
        TableKind::Shared => &context.shared,
        TableKind::User | TableKind::Private | TableKind::System => &context.own,
    }
}

/// Waits for storage inside a function. A value is nearly always at hand; where the next ones
/// have to be marked on disk first, the thread waits with its tasks handed to others.
pub(super) fn wait<T>(future: impl Future<Output = T> + Send) -> T
where
    T: Send,
{
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
        return value;
    }
    match tokio::runtime::Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(|| handle.block_on(future))
        }
        _ => futures::executor::block_on(future),
    }
}
