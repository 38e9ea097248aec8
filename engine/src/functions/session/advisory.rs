//! Advisory locks that are not waited for, and giving them back.
//!
//! `pg_advisory_lock` and its kin wait, so they are run by the executor.

use super::{Body, Row, Value};
use crate::{
    error::{Error, Result, SqlState},
    locks::advisory::{AdvisoryKey, AdvisoryLock},
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "pg_try_advisory_lock" => |row| take(row, false, false),
        "pg_try_advisory_lock_shared" => |row| take(row, false, true),
        "pg_try_advisory_xact_lock" => |row| take(row, true, false),
        "pg_try_advisory_xact_lock_shared" => |row| take(row, true, true),
        "pg_advisory_unlock" => |row| give_back(row, false),
        "pg_advisory_unlock_shared" => |row| give_back(row, true),
        "pg_advisory_unlock_all" => |row| {
            row.context.session.locks.unlock_all();
            Ok(Value::Text(String::new()))
        },
        _ => return None,
    })
}

fn advisory(row: &Row<'_>, of_transaction: bool, is_shared: bool) -> Result<AdvisoryLock> {
    let part = |place| -> Result<i32> {
        i32::try_from(row.int(place)?).map_err(|_| Error::internal("an integer is out of range"))
    };
    let key = match row.len() {
        1 => AdvisoryKey::One(row.int(0)?),
        _ => AdvisoryKey::Two(part(0)?, part(1)?),
    };
    Ok(AdvisoryLock { namespace: row.context.own.id(), key, is_shared, of_transaction })
}

fn take(row: &Row<'_>, of_transaction: bool, is_shared: bool) -> Result<Value> {
    let wanted = advisory(row, of_transaction, is_shared)?;
    row.context.session.locks.try_advisory(wanted).map(Value::Bool)
}

fn give_back(row: &Row<'_>, is_shared: bool) -> Result<Value> {
    let session = &row.context.session;
    let done = session.locks.unlock_advisory(advisory(row, false, is_shared)?);
    if !done {
        let mode = if is_shared { "ShareLock" } else { "ExclusiveLock" };
        let message = format!("you don't own a lock of type {mode}");
        session.notice(Error::new(SqlState::WARNING, message));
    }
    Ok(Value::Bool(done))
}
