//! `information_schema`: what exists, in the standard's words.
//!
//! As the standard and PostgreSQL have it, a row is shown for what the role owns or holds some
//! privilege on.

use std::sync::Arc;

use super::{
    class,
    rows::{Cell, Filter, Row, Rows},
};
use crate::{
    catalog::{
        Attribute, ConstraintKind, Identity, Relation, RelationBody, Sequence,
        layout::attribute_place, part::CatalogView, regnames,
    },
    context::ExecutionContext,
    error::Result,
    types::{Oid, PgType, builtin, names::numeric_typmod},
};

mod column;
mod privilege;

pub(super) use column::columns;
pub(super) use privilege::{applicable_roles, enabled_roles, table_privileges};

/// Relations that a filter leaves and that the role has some privilege on.
fn shown(
    view: &CatalogView,
    filter: &Filter<'_>,
    schema: &str,
    name: &str,
    letters: &str,
) -> Vec<Arc<Relation>> {
    let (schema, name) = (filter.text(schema), filter.text(name));
    let mut all = class::all(view, None);
    all.retain(|relation| {
        name.is_none_or(|name| relation.name == name)
            && schema.is_none_or(|schema| view.schema_name(relation.schema) == schema)
            && (view.is_owner(relation.owner)
                || letters.chars().any(|l| view.relation_privilege(view.role, relation, l)))
    });
    all
}

const ANY: &str = "rawdDxt";

fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

pub(super) fn catalog_name(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    rows.add().set("catalog_name", context.session.database_name.as_str());
    Ok(())
}

pub(super) fn schemata(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for schema in view.schemas() {
        let shown = view.is_owner(schema.owner)
            || view.schema_privilege(view.role, &schema, 'U')
            || view.schema_privilege(view.role, &schema, 'C');
        if shown {
            rows.add()
                .set("catalog_name", context.session.database_name.as_str())
                .set("schema_name", schema.name.as_str())
                .set("schema_owner", view.role_name(schema.owner));
        }
    }
    Ok(())
}

pub(super) fn tables(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, filter, "table_schema", "table_name", ANY) {
        let (kind, insertable) = match class::kind(&relation) {
            'r' if view.is_temporary(&relation) => ("LOCAL TEMPORARY", true),
            'r' => ("BASE TABLE", true),
            'v' => ("VIEW", false),
            _ => continue,
        };
        rows.add()
            .set("table_catalog", context.session.database_name.as_str())
            .set("table_schema", view.schema_name(relation.schema))
            .set("table_name", relation.name.as_str())
            .set("table_type", kind)
            .set("is_insertable_into", yes(insertable))
            .set("is_typed", "NO");
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
    for relation in shown(view, filter, "table_schema", "table_name", ANY) {
        if class::kind(&relation) != 'v' {
            continue;
        }
        let definition = match &relation.body {
            RelationBody::View { query, .. } if view.is_owner(relation.owner) => {
                Some(format!(" {};", regnames::with_names(view, path, query)))
            }
            _ => None,
        };
        rows.add()
            .set("table_catalog", context.session.database_name.as_str())
            .set("table_schema", view.schema_name(relation.schema))
            .set("table_name", relation.name.as_str())
            .set("view_definition", definition)
            .set("check_option", "NONE")
            .set("is_updatable", "NO")
            .set("is_insertable_into", "NO")
            .set("is_trigger_updatable", "NO")
            .set("is_trigger_deletable", "NO")
            .set("is_trigger_insertable_into", "NO");
    }
    Ok(())
}

/// The three columns that name something, `prefix_catalog`, `prefix_schema`, `prefix_name`.
fn named<'r, 'a>(
    row: Row<'r, 'a>,
    context: &ExecutionContext,
    prefix: &str,
    schema: Oid,
    name: &str,
) -> Row<'r, 'a> {
    row.set(&format!("{prefix}_catalog"), context.session.database_name.as_str())
        .set(&format!("{prefix}_schema"), context.catalog.schema_name(schema))
        .set(&format!("{prefix}_name"), name)
}

/// The name under which PostgreSQL 15 lists a column's NOT NULL.
fn not_null_name(table: &Relation, attnum: i16) -> String {
    format!("{}_{}_{attnum}_not_null", table.schema, table.oid)
}

/// Tables whose constraints are shown: for `SELECT` alone they aren't.
fn constrained(context: &ExecutionContext, filter: &Filter<'_>) -> Vec<Arc<Relation>> {
    let mut tables = shown(&context.catalog, filter, "table_schema", "table_name", "awdDxt");
    tables.retain(|relation| matches!(relation.body, RelationBody::Table { .. }));
    tables
}

pub(super) fn table_constraints(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for table in constrained(context, filter) {
        let mut add = |name: &str, kind: &str, nulls: Option<bool>| {
            let row = named(rows.add(), context, "constraint", table.schema, name);
            named(row, context, "table", table.schema, &table.name)
                .set("constraint_type", kind)
                .set("is_deferrable", "NO")
                .set("initially_deferred", "NO")
                .set("enforced", "YES")
                .set("nulls_distinct", nulls.map(yes));
        };
        for constraint in table.constraints() {
            let (kind, nulls) = match &constraint.kind {
                ConstraintKind::PrimaryKey { .. } => ("PRIMARY KEY", None),
                ConstraintKind::Unique { index } => {
                    let found = table.indexes().iter().find(|i| i.oid == *index);
                    ("UNIQUE", found.map(|index| index.nulls_distinct))
                }
                ConstraintKind::Check { .. } => ("CHECK", None),
            };
            add(&constraint.name, kind, nulls);
        }
        for (attnum, column) in table.shown_columns() {
            if column.not_null {
                add(&not_null_name(&table, attnum), "CHECK", None);
            }
        }
    }
    Ok(())
}

pub(super) fn key_column_usage(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for table in constrained(context, filter) {
        for constraint in table.constraints() {
            let (ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index }) =
                &constraint.kind
            else {
                continue;
            };
            let Some(index) = table.indexes().iter().find(|i| i.oid == *index) else { continue };
            for (number, column) in (1_i32..).zip(&index.columns) {
                let row = named(rows.add(), context, "constraint", table.schema, &constraint.name);
                named(row, context, "table", table.schema, &table.name)
                    .set("column_name", table.columns[attribute_place(column.attnum)].name.as_str())
                    .set("ordinal_position", number);
            }
        }
    }
    Ok(())
}

/// Columns that constraints use, for owners of the tables.
pub(super) fn constraint_column_usage(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for table in constrained(context, filter) {
        if !context.catalog.is_owner(table.owner) {
            continue;
        }
        for constraint in table.constraints() {
            let columns: Vec<i16> = match &constraint.kind {
                ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => table
                    .indexes()
                    .iter()
                    .filter(|i| i.oid == *index)
                    .flat_map(|index| index.columns.iter().map(|column| column.attnum))
                    .collect(),
                ConstraintKind::Check { columns, .. } => columns.clone(),
            };
            for attnum in columns {
                let row = named(rows.add(), context, "table", table.schema, &table.name);
                named(row, context, "constraint", table.schema, &constraint.name)
                    .set("column_name", table.columns[attribute_place(attnum)].name.as_str());
            }
        }
    }
    Ok(())
}

pub(super) fn constraint_table_usage(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for table in constrained(context, filter) {
        if !context.catalog.is_owner(table.owner) {
            continue;
        }
        for constraint in table.constraints() {
            if !matches!(constraint.kind, ConstraintKind::Check { .. }) {
                let row = named(rows.add(), context, "table", table.schema, &table.name);
                named(row, context, "constraint", table.schema, &constraint.name);
            }
        }
    }
    Ok(())
}

pub(super) fn check_constraints(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for table in constrained(context, filter) {
        if !context.catalog.is_owner(table.owner) {
            continue;
        }
        for constraint in table.constraints() {
            if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                named(rows.add(), context, "constraint", table.schema, &constraint.name)
                    .set("check_clause", format!("(({expression}))"));
            }
        }
        for (attnum, column) in table.shown_columns() {
            if column.not_null {
                let name = not_null_name(&table, attnum);
                named(rows.add(), context, "constraint", table.schema, &name)
                    .set("check_clause", format!("{} IS NOT NULL", column.name));
            }
        }
    }
    Ok(())
}

/// As in PostgreSQL, without those behind identity columns.
pub(super) fn sequences(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, filter, "sequence_schema", "sequence_name", "rwU") {
        let RelationBody::Sequence(sequence) = &relation.body else { continue };
        if sequence.identity {
            continue;
        }
        let ty = PgType::plain(sequence.ty);
        named(rows.add(), context, "sequence", relation.schema, &relation.name)
            .set("data_type", ty.name())
            .set("numeric_precision", numeric(ty).0)
            .set("numeric_precision_radix", 2)
            .set("numeric_scale", 0)
            .set("start_value", sequence.start.to_string())
            .set("minimum_value", sequence.min.to_string())
            .set("maximum_value", sequence.max.to_string())
            .set("increment", sequence.increment.to_string())
            .set("cycle_option", yes(sequence.cycle));
    }
    Ok(())
}

/// Precision, radix and scale of a number.
fn numeric(ty: PgType) -> (Option<i32>, Option<i32>, Option<i32>) {
    match ty.oid {
        Oid::INT2 => (Some(16), Some(2), Some(0)),
        Oid::INT4 => (Some(32), Some(2), Some(0)),
        Oid::INT8 => (Some(64), Some(2), Some(0)),
        Oid::FLOAT4 => (Some(24), Some(2), None),
        Oid::FLOAT8 => (Some(53), Some(2), None),
        Oid::NUMERIC => match numeric_typmod(ty.typmod) {
            Some((precision, scale)) => (Some(precision), Some(10), Some(scale)),
            None => (None, Some(10), None),
        },
        _ => (None, None, None),
    }
}

pub(super) fn collations(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for (_, name) in crate::functions::session::names::COLLATIONS {
        if *name == "default" {
            continue;
        }
        let schema = crate::catalog::part::PG_CATALOG;
        named(rows.add(), context, "collation", schema, name).set("pad_attribute", "NO PAD");
    }
    Ok(())
}

pub(super) fn view_table_usage(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, filter, "view_schema", "view_name", ANY) {
        if !matches!(relation.body, RelationBody::View { .. }) || !view.is_owner(relation.owner) {
            continue;
        }
        for needed in crate::exec::ddl::relations_of_view(view, &relation) {
            let Some(table) = view.relation_by_oid(needed) else { continue };
            let row = named(rows.add(), context, "view", relation.schema, &relation.name);
            named(row, context, "table", table.schema, &table.name);
        }
    }
    Ok(())
}
