//! Who and when, settings, notifications.

use std::{
    sync::{LazyLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Body, Row, Value};
use crate::{
    error::{Error, Result, SqlState},
    settings,
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "current_user" | "current_role" | "user" => {
            |row| Ok(Value::Text(row.context.session.identity().current_user_name))
        }
        "session_user" => |row| Ok(Value::Text(row.context.session.identity().session_user_name)),
        "current_database" | "current_catalog" => {
            |row| Ok(Value::Text(row.context.session.database_name.clone()))
        }
        "current_schema" => current_schema,
        "current_schemas" => current_schemas,
        "version" => |_| Ok(Value::Text(version())),
        "current_setting" => current_setting,
        "set_config" => set_config,
        "now" | "transaction_timestamp" => |row| Ok(Value::Time(row.context.transaction_time)),
        "statement_timestamp" => |row| Ok(Value::Time(row.context.statement_time)),
        "clock_timestamp" => |_| Ok(Value::Time(clock())),
        "timeofday" => timeofday,
        "pg_backend_pid" => |row| Ok(Value::Int(i64::from(row.context.session.process_id))),
        "pg_postmaster_start_time" | "pg_conf_load_time" => |_| Ok(Value::Time(*START_TIME)),
        "pg_is_in_recovery" => |_| Ok(Value::Bool(false)),
        "pg_my_temp_schema" => |_| Ok(Value::Oid(0)),
        "pg_is_other_temp_schema" => |_| Ok(Value::Bool(false)),
        "current_query" => |row| Ok(Value::Text(row.context.session.activity().query)),
        "inet_client_port" => |row| {
            let port = row.context.session.client_address.map(|address| address.port());
            Ok(port.map_or(Value::Null, |port| Value::Int(i64::from(port))))
        },
        "inet_server_port" => |row| {
            let port = row.context.session.server_address.map(|address| address.port());
            Ok(port.map_or(Value::Null, |port| Value::Int(i64::from(port))))
        },
        "pg_client_encoding" => |_| Ok(Value::Text("UTF8".to_owned())),
        "pg_notify" => pg_notify,
        "pg_listening_channels" => {
            |row| Ok(Value::Texts(row.context.session.channels.list().to_vec()))
        }
        "pg_notification_queue_usage" => |row| {
            let usage = row.context.engine.changefeed.queue_usage(row.context.own.id());
            Ok(Value::Float(usage))
        },
        "pg_current_position" => |row| {
            let head = row.context.own.head(&row.context.snapshot);
            Ok(Value::Int(super::sequence::wait(head)?.0))
        },
        "txid_current" | "pg_current_xact_id" => |row| {
            Ok(Value::Int(i64::try_from(row.context.snapshot.lsn().0 + 1).unwrap_or(i64::MAX)))
        },
        "txid_current_if_assigned" => |_| Ok(Value::Null),
        "getdatabaseencoding" => |_| Ok(Value::Text("UTF8".to_owned())),
        _ => return None,
    })
}

/// When the server started, in microseconds since 1970; the catalog reads it as it opens.
pub(crate) static START_TIME: LazyLock<i64> = LazyLock::new(clock);

/// Starts with what drivers parse.
pub(crate) fn version() -> String {
    format!(
        "PostgreSQL 15.0 (KalamDB {}) on {}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

fn clock() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

fn timeofday(_: &Row<'_>) -> Result<Value> {
    let now = chrono::DateTime::from_timestamp_micros(clock()).unwrap_or_default();
    Ok(Value::Text(now.format("%a %b %d %H:%M:%S%.6f %Y UTC").to_string()))
}

fn current_schema(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let path = &row.context.session.effective().search_path;
    let first = view.search_schemas(path, false).into_iter().next();
    Ok(Value::text(first.map(|oid| view.schema_name(oid))))
}

fn current_schemas(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let path = &row.context.session.effective().search_path;
    let schemas = view.search_schemas(path, row.bool(0)?);
    Ok(Value::Texts(schemas.into_iter().map(|oid| view.schema_name(oid)).collect()))
}

fn current_setting(row: &Row<'_>) -> Result<Value> {
    let name = row.text(0)?;
    let missing_ok = row.len() > 1 && row.bool(1)?;
    // A made-up setting (`app.user`) exists once it was set.
    let known = settings::definition(&name.to_lowercase()).is_some()
        || row.context.session.settings().value(&name.to_lowercase()).is_some();
    match row.context.session.show(name) {
        Ok(value) if known => Ok(Value::Text(value)),
        Ok(_) | Err(_) if missing_ok => Ok(Value::Null),
        Ok(_) => Err(Error::undefined_setting(name)),
        Err(error) => Err(error),
    }
}

fn set_config(row: &Row<'_>) -> Result<Value> {
    if row.is_null(0) {
        return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    }
    let name = settings::canonical(row.text(0)?)?;
    let value = if row.is_null(1) { None } else { Some(row.text(1)?) };
    let local = !row.is_null(2) && row.bool(2)?;
    if matches!(
        name.as_str(),
        "role" | "session_authorization" | "transaction_isolation" | "transaction_read_only"
    ) {
        return Err(Error::feature_not_supported(format!(
            "set_config cannot change \"{name}\"; use SET"
        )));
    }
    let cluster = &row.context.catalog.cluster;
    if let Some(definition) = settings::definition(&name) {
        let is_superuser = cluster.is_superuser(row.context.session.current_user());
        definition.check_changeable(is_superuser)?;
    }
    row.context.session.set(cluster, &name, value, local)?;
    row.context.session.show(&name).map(Value::Text)
}

/// The limits are those of NOTIFY.
fn pg_notify(row: &Row<'_>) -> Result<Value> {
    let channel = if row.is_null(0) { "" } else { row.text(0)? };
    let payload = if row.is_null(1) { "" } else { row.text(1)? };
    crate::listen::check_notification(channel, payload)?;
    let effects = &row.context.effects;
    effects
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .notifications
        .push((channel.to_owned(), payload.to_owned()));
    Ok(Value::Text(String::new()))
}
