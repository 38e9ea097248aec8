//! pg_prepared_statements and pg_cursors: the session's own.

use std::sync::Arc;

use super::rows::{Filter, Rows};
use crate::{context::ExecutionContext, error::Result};

pub(super) fn prepared_statements(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for prepared in context.session.objects().prepared {
        let types: Vec<i64> = prepared.parameters.iter().map(|oid| i64::from(oid.0)).collect();
        rows.add()
            .set("name", prepared.name)
            .set("statement", &*prepared.statement)
            .set("prepare_time", prepared.prepared_at)
            .set("parameter_types", types)
            .set("from_sql", prepared.from_sql)
            .set("generic_plans", 0)
            .set("custom_plans", 0);
    }
    Ok(())
}

pub(super) fn cursors(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for cursor in context.session.objects().cursors {
        rows.add()
            .set("name", cursor.name)
            .set("statement", &*cursor.statement)
            .set("is_holdable", cursor.is_holdable)
            .set("is_binary", false)
            .set("is_scrollable", cursor.is_scrollable)
            .set("creation_time", cursor.created_at);
    }
    Ok(())
}
