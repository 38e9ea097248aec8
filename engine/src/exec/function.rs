//! Functions that act by themselves and are awaited: in the list of a SELECT without FROM.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, StringArray},
    datatypes::{Float64Type, Int32Type, Int64Type},
};

use crate::{
    catalog::RelationBody,
    context::ExecutionContext,
    error::{Error, Result},
    exec::write::Writer,
    locks::advisory::{AdvisoryKey, AdvisoryLock},
    session::Session,
};

/// Longest `pg_sleep`, in seconds: a year.
const MAX_SLEEP_SECONDS: f64 = 31_536_000.0;

/// Runs the function and gives its one value.
pub(crate) async fn call(
    session: &mut Session,
    context: &Arc<ExecutionContext>,
    name: &str,
    arguments: &[ArrayRef],
) -> Result<ArrayRef> {
    if arguments.iter().any(|argument| argument.is_null(0)) {
        return null_result(name);
    }
    match name {
        "pg_sleep" => {
            let seconds = arguments[0].as_primitive::<Float64Type>().value(0);
            let seconds = seconds.clamp(0.0, MAX_SLEEP_SECONDS);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            Ok(void())
        }
        "kalam_flush" => flush(session, arguments[0].as_string::<i32>().value(0)).await,
        "pg_advisory_lock"
        | "pg_advisory_lock_shared"
        | "pg_advisory_xact_lock"
        | "pg_advisory_xact_lock_shared" => advisory_lock(session, context, name, arguments).await,
        _ => Err(Error::feature_not_supported(format!("function {name} is not supported here"))),
    }
}

fn null_result(name: &str) -> Result<ArrayRef> {
    Ok(match name {
        "kalam_flush" => Arc::new(Int64Array::new_null(1)),
        _ => Arc::new(StringArray::new_null(1)),
    })
}

/// The value of type void.
fn void() -> ArrayRef {
    Arc::new(StringArray::from(vec![""]))
}

/// Moves a table's hot rows of the own namespace (of the shared one, for its owner) to the cold
/// tier. Gives the number of rows moved.
async fn flush(session: &mut Session, table: &str) -> Result<ArrayRef> {
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    let (schema, name) = crate::catalog::regnames::split(table)?;
    let relation = view.relation(schema.as_deref(), &name, &search_path)?;
    if !matches!(relation.body, RelationBody::Table { .. }) {
        return Err(Error::wrong_object_type(&name, "a table"));
    }
    match relation.kind {
        crate::catalog::TableKind::Shared => view.check_owner(&relation)?,
        _ => view.check_relation(&relation, "w")?,
    }
    let writer = Writer::new(session, &relation)?;
    let report = writer.namespace.flush(&writer.layout).await?;
    Ok(Arc::new(Int64Array::from(vec![i64::try_from(report.rows).unwrap_or(i64::MAX)])))
}

/// `pg_advisory_lock`, `pg_advisory_xact_lock` and their shared forms: they wait.
async fn advisory_lock(
    session: &Session,
    context: &ExecutionContext,
    name: &str,
    arguments: &[ArrayRef],
) -> Result<ArrayRef> {
    let part = |array: &ArrayRef| array.as_primitive::<Int32Type>().value(0);
    let key = match arguments {
        [one] => AdvisoryKey::One(one.as_primitive::<Int64Type>().value(0)),
        [first, second] => AdvisoryKey::Two(part(first), part(second)),
        _ => return Err(Error::internal("an advisory lock has one or two keys")),
    };
    let wanted = AdvisoryLock {
        namespace: context.own.id(),
        key,
        is_shared: name.ends_with("_shared"),
        of_transaction: name.starts_with("pg_advisory_xact_"),
    };
    session.state.locks.lock_advisory(wanted, Writer::wait(session)).await?;
    Ok(void())
}
