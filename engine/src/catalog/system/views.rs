//! pg_tables, pg_views, pg_indexes, pg_sequences.

use std::sync::Arc;

use super::{
    class,
    rows::{Filter, Rows},
};
use crate::{
    catalog::{Relation, RelationBody, part::CatalogView, regnames},
    context::ExecutionContext,
    error::Result,
    functions::session::sequence,
};

/// Relations that a filter on schema and name leaves.
fn named(view: &CatalogView, filter: &Filter<'_>, schema: &str, name: &str) -> Vec<Arc<Relation>> {
    let (schema, name) = (filter.text(schema), filter.text(name));
    let mut all = class::all(view, None);
    all.retain(|relation| {
        name.is_none_or(|name| relation.name == name)
            && schema.is_none_or(|schema| view.schema_name(relation.schema) == schema)
    });
    all
}

pub(super) fn tables(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in named(view, filter, "schemaname", "tablename") {
        if class::kind(&relation) == 'r' {
            rows.add()
                .set("schemaname", view.schema_name(relation.schema))
                .set("tablename", relation.name.as_str())
                .set("tableowner", view.role_name(relation.owner))
                .set("hasindexes", !relation.indexes().is_empty())
                .set("hasrules", false)
                .set("hastriggers", false)
                .set("rowsecurity", false);
        }
    }
    Ok(())
}

pub(super) fn views(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let path = &context.session.effective().search_path;
    for relation in named(view, filter, "schemaname", "viewname") {
        let definition = match &relation.body {
            RelationBody::View { query, .. } => {
                Some(format!(" {};", regnames::with_names(view, path, query)))
            }
            RelationBody::System if class::kind(&relation) == 'v' => None,
            _ => continue,
        };
        rows.add()
            .set("schemaname", view.schema_name(relation.schema))
            .set("viewname", relation.name.as_str())
            .set("viewowner", view.role_name(relation.owner))
            .set("definition", definition);
    }
    Ok(())
}

pub(super) fn indexes(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let (table_name, index_name) = (filter.text("tablename"), filter.text("indexname"));
    for (table, index) in class::all_indexes(view) {
        if table_name.is_some_and(|name| table.name != name)
            || index_name.is_some_and(|name| index.name != name)
        {
            continue;
        }
        rows.add()
            .set("schemaname", view.schema_name(table.schema))
            .set("tablename", table.name.as_str())
            .set("indexname", index.name.as_str())
            .set("indexdef", class::definition(view, &table, &index));
    }
    Ok(())
}

pub(super) fn sequences(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in named(view, filter, "schemaname", "sequencename") {
        let RelationBody::Sequence(parameters) = &relation.body else { continue };
        let last = if view.relation_privilege(view.role, &relation, 'r')
            || view.relation_privilege(view.role, &relation, 'U')
        {
            sequence::state(context, &relation)?.filter(|(_, called)| *called).map(|(v, _)| v)
        } else {
            None
        };
        rows.add()
            .set("schemaname", view.schema_name(relation.schema))
            .set("sequencename", relation.name.as_str())
            .set("sequenceowner", view.role_name(relation.owner))
            .set("data_type", parameters.ty)
            .set("start_value", parameters.start)
            .set("min_value", parameters.min)
            .set("max_value", parameters.max)
            .set("increment_by", parameters.increment)
            .set("cycle", parameters.cycle)
            .set("cache_size", parameters.cache)
            .set("last_value", last);
    }
    Ok(())
}
