//! pg_stat_*_tables and pg_stats: of the rows in the namespace the session is in.

use std::sync::Arc;

use super::{
    class,
    rows::{Filter, Rows},
};
use crate::{
    catalog::{Relation, RelationBody, part::CatalogView},
    context::ExecutionContext,
    error::Result,
    functions::session::size,
};

/// The tables that one of the three views shows.
fn shown(view: &CatalogView, name: &str, filter: &Filter<'_>) -> Vec<Arc<Relation>> {
    let mut all = class::all(view, filter.oid("relid"));
    let wanted = filter.text("relname");
    all.retain(|relation| {
        let stored = match relation.body {
            RelationBody::Table { .. } => true,
            RelationBody::System => class::kind(relation) == 'r',
            RelationBody::View { .. } | RelationBody::Sequence(_) => false,
        };
        let system = matches!(relation.body, RelationBody::System);
        stored
            && wanted.is_none_or(|wanted| relation.name == wanted)
            && !(name.contains("user") && system)
            && (system || !name.contains("_sys_"))
    });
    all
}

pub(super) fn tables(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, rows.name(), filter) {
        let analyzed = view.statistic(relation.oid).map(|statistic| statistic.analyzed_at);
        rows.add()
            .set("relid", relation.oid)
            .set("schemaname", view.schema_name(relation.schema))
            .set("relname", relation.name.as_str())
            .set("n_live_tup", size::rows(context, &relation))
            .set("last_analyze", analyzed)
            .set("analyze_count", i64::from(analyzed.is_some()));
    }
    Ok(())
}

pub(super) fn indexes(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, rows.name(), filter) {
        for index in relation.indexes() {
            rows.add()
                .set("relid", relation.oid)
                .set("indexrelid", index.oid)
                .set("schemaname", view.schema_name(relation.schema))
                .set("relname", relation.name.as_str())
                .set("indexrelname", index.name.as_str());
        }
    }
    Ok(())
}

pub(super) fn io(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, rows.name(), filter) {
        rows.add()
            .set("relid", relation.oid)
            .set("schemaname", view.schema_name(relation.schema))
            .set("relname", relation.name.as_str());
    }
    Ok(())
}

/// What ANALYZE found, of relations that may be read.
pub(super) fn columns(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let wanted = filter.text("tablename");
    for relation in class::all(view, None) {
        let Some(statistic) = view.statistic(relation.oid) else { continue };
        if wanted.is_some_and(|name| relation.name != name)
            || !view.relation_privilege(view.role, &relation, 'r')
        {
            continue;
        }
        for column in &statistic.columns {
            let attribute = relation.shown_columns().find(|(attnum, _)| *attnum == column.attnum);
            let Some((_, attribute)) = attribute else { continue };
            rows.add()
                .set("schemaname", view.schema_name(relation.schema))
                .set("tablename", relation.name.as_str())
                .set("attname", attribute.name.as_str())
                .set("inherited", false)
                .set("null_frac", column.null_fraction)
                .set("avg_width", i64::from(column.average_width))
                .set("n_distinct", column.distinct);
        }
    }
    Ok(())
}
