//! pg_namespace, pg_class, pg_attribute, pg_attrdef, pg_sequence, pg_rewrite.

use std::sync::Arc;

use super::{
    acl,
    rows::{Cell, Filter, Row, Rows},
};
use crate::{
    catalog::{
        Attribute, ConstraintKind, Identity, Index, Relation, RelationBody, TableKind,
        part::CatalogView,
    },
    context::ExecutionContext,
    error::Result,
    functions::session::definition::index_text,
    types::{Oid, builtin},
};

/// `btree` in pg_am.
pub(super) const BTREE: Oid = Oid(403);
/// `heap` in pg_am.
const HEAP: Oid = Oid(2);

pub(super) fn namespaces(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for schema in view.schemas() {
        rows.add()
            .set("oid", schema.oid)
            .set("nspname", schema.name.as_str())
            .set("nspowner", schema.owner)
            .set("nspacl", acl::items(view, schema.grants.as_ref()));
    }
    Ok(())
}

/// The relations that a filter on the OID in `oid`, the name in `name` or the schema in `schema`
/// leaves, indexes' tables included.
fn candidates(
    view: &CatalogView,
    oid: Option<Oid>,
    name: Option<&str>,
    schema: Option<Oid>,
) -> Vec<Arc<Relation>> {
    if let Some(oid) = oid {
        let table = view.index_by_oid(oid).map(|(table, _)| table);
        return view.relation_by_oid(oid).or(table).into_iter().collect();
    }
    let mut found: Vec<Arc<Relation>> = view
        .relations()
        .filter(|relation| schema.is_none_or(|schema| relation.schema == schema))
        .filter(|relation| {
            name.is_none_or(|name| {
                relation.name == name || relation.indexes().iter().any(|i| i.name == name)
            })
        })
        .cloned()
        .collect();
    found.sort_by_key(|relation| relation.oid);
    found
}

pub(super) fn classes(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let (oid, schema) = (filter.oid("oid"), filter.oid("relnamespace"));
    for relation in candidates(view, oid, filter.text("relname"), schema) {
        class(view, &relation, rows);
        for index in relation.indexes() {
            index_class(view, &relation, index, rows);
        }
    }
    Ok(())
}

fn class(view: &CatalogView, relation: &Relation, rows: &mut Rows<'_>) {
    let kind = kind(relation);
    let checks = relation
        .constraints()
        .iter()
        .filter(|constraint| matches!(constraint.kind, ConstraintKind::Check { .. }))
        .count();
    let statistic = view.statistic(relation.oid);
    let mut options: Vec<String> =
        relation.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if matches!(relation.body, RelationBody::Table { .. }) {
        let kind = match relation.kind {
            TableKind::User => "user",
            TableKind::Shared => "shared",
            TableKind::Private | TableKind::System => "private",
        };
        options.insert(0, format!("kind={kind}"));
    }
    let options = if options.is_empty() { Cell::Null } else { Cell::Texts(options) };
    let stored = kind == 'r';
    common(view, rows.add(), relation)
        .set("oid", relation.oid)
        .set("relname", relation.name.as_str())
        .set("reltype", relation.row_type)
        .set("relam", if stored { HEAP } else { Oid(0) })
        .set("relfilenode", if stored || kind == 'S' { relation.oid } else { Oid(0) })
        .set("relpages", statistic.map_or(0, |s| i64::try_from(s.bytes / 8192).unwrap_or(0)))
        .set("reltuples", statistic.map_or(-1.0, |s| s.rows as f64))
        .set("relhasindex", !relation.indexes().is_empty())
        .set("relkind", kind)
        .set("relnatts", i16::try_from(relation.columns.len()).unwrap_or(i16::MAX))
        .set("relchecks", i16::try_from(checks).unwrap_or(i16::MAX))
        .set("relhasrules", kind == 'v')
        .set("relreplident", if stored { 'd' } else { 'n' })
        .set("relacl", acl::items(view, relation.grants.as_ref()))
        .set("reloptions", options);
}

/// `pg_class.relkind`.
pub(super) fn kind(relation: &Relation) -> char {
    match relation.body {
        RelationBody::Table { .. } => 'r',
        RelationBody::View { .. } => 'v',
        RelationBody::Sequence(_) => 'S',
        RelationBody::System => char::from(super::relation_kind(relation.oid)),
    }
}

fn index_class(view: &CatalogView, table: &Relation, index: &Index, rows: &mut Rows<'_>) {
    common(view, rows.add(), table)
        .set("oid", index.oid)
        .set("relname", index.name.as_str())
        .set("relam", BTREE)
        .set("relfilenode", index.oid)
        .set("reltuples", -1.0)
        .set("relkind", 'i')
        .set(
            "relnatts",
            i16::try_from(index.columns.len() + index.included.len()).unwrap_or(i16::MAX),
        )
        .set("relreplident", 'n');
}

fn common<'r, 'a>(view: &CatalogView, row: Row<'r, 'a>, relation: &Relation) -> Row<'r, 'a> {
    let persistence = if view.is_temporary(relation) { 't' } else { 'p' };
    row.set("relnamespace", relation.schema)
        .set("relowner", relation.owner)
        .set("relpersistence", persistence)
        .set("relispopulated", true)
        .set("relisshared", false)
}

pub(super) fn attributes(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let wanted = filter.oid("attrelid");
    for relation in candidates(view, wanted, None, None) {
        if wanted.is_none_or(|oid| oid == relation.oid) {
            let attributes = (1_i16..).zip(&relation.columns);
            for (attnum, column) in attributes.filter(|(_, column)| !column.hidden) {
                attribute(rows.add(), relation.oid, attnum, column);
            }
            if matches!(relation.body, RelationBody::Table { .. }) {
                system_column(rows, relation.oid);
            }
        }
        for index in relation.indexes() {
            if wanted.is_none_or(|oid| oid == index.oid) {
                index_attributes(&relation, index, rows);
            }
        }
    }
    Ok(())
}

fn attribute(row: Row<'_, '_>, relation: Oid, attnum: i16, column: &Attribute) {
    let entry = builtin(column.ty.oid);
    let row = row
        .set("attrelid", relation)
        .set("attname", column.name.as_str())
        .set("attnum", attnum)
        .set("attstattarget", -1)
        .set("attcacheoff", -1)
        .set("attndims", i32::from(column.ty.element().is_some()))
        .set("atttypmod", column.ty.typmod)
        .set("attnotnull", column.not_null)
        .set("atthasdef", column.default.is_some())
        .set("atthasmissing", column.missing.is_some())
        .set(
            "attidentity",
            match column.identity {
                Identity::No => "",
                Identity::Always => "a",
                Identity::ByDefault => "d",
            },
        )
        .set("attgenerated", if column.generated { "s" } else { "" })
        .set("attisdropped", column.dropped)
        .set("attislocal", true)
        .set("atttypid", if column.dropped { Oid(0) } else { column.ty.oid });
    if let Some(entry) = entry {
        row.set("attlen", entry.length)
            .set("attbyval", entry.by_value)
            .set("attalign", char::from(entry.align))
            .set("attstorage", char::from(entry.storage))
            .set("attcollation", entry.collation);
    }
}

/// The one system column that there is.
fn system_column(rows: &mut Rows<'_>, relation: Oid) {
    rows.add()
        .set("attrelid", relation)
        .set("attname", "tableoid")
        .set("atttypid", Oid::OID)
        .set("attlen", 4)
        .set("attnum", -6)
        .set("attcacheoff", -1)
        .set("atttypmod", -1)
        .set("attbyval", true)
        .set("attalign", 'i')
        .set("attstorage", 'p')
        .set("attnotnull", true)
        .set("attislocal", true);
}

fn index_attributes(table: &Relation, index: &Index, rows: &mut Rows<'_>) {
    let attnums = index.columns.iter().map(|column| column.attnum).chain(index.included.clone());
    for (number, attnum) in (1_i16..).zip(attnums) {
        let column = &table.columns[crate::catalog::layout::attribute_place(attnum)];
        let plain = Attribute {
            name: match column.hidden {
                true => crate::analyze::index_column_name(column.default.as_deref()),
                false => column.name.clone(),
            },
            not_null: false,
            default: None,
            identity: Identity::No,
            generated: false,
            missing: None,
            ..column.clone()
        };
        attribute(rows.add(), index.oid, number, &plain);
    }
}

/// A default's OID: it has none of its own, so it is made of its column's place.
pub(super) fn default_oid(relation: Oid, attnum: i16) -> i64 {
    const NOT_AN_OBJECT: u32 = 0x4000_0000;
    i64::from((relation.0 ^ NOT_AN_OBJECT).wrapping_add(u32::from(attnum as u16) << 16))
}

pub(super) fn defaults(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for relation in candidates(&context.catalog, filter.oid("adrelid"), None, None) {
        for (attnum, column) in relation.shown_columns() {
            if let Some(text) = &column.default {
                rows.add()
                    .set("oid", default_oid(relation.oid, attnum))
                    .set("adrelid", relation.oid)
                    .set("adnum", attnum)
                    .set("adbin", text.as_str());
            }
        }
    }
    Ok(())
}

pub(super) fn sequences(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for relation in candidates(&context.catalog, filter.oid("seqrelid"), None, None) {
        if let RelationBody::Sequence(sequence) = &relation.body {
            rows.add()
                .set("seqrelid", relation.oid)
                .set("seqtypid", sequence.ty)
                .set("seqstart", sequence.start)
                .set("seqincrement", sequence.increment)
                .set("seqmax", sequence.max)
                .set("seqmin", sequence.min)
                .set("seqcache", sequence.cache)
                .set("seqcycle", sequence.cycle);
        }
    }
    Ok(())
}

/// Each view has its `_RETURN` rule, as in PostgreSQL.
pub(super) fn rewrites(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for relation in candidates(&context.catalog, filter.oid("ev_class"), None, None) {
        if let RelationBody::View { query, .. } = &relation.body {
            rows.add()
                .set("oid", default_oid(relation.oid, 0))
                .set("rulename", "_RETURN")
                .set("ev_class", relation.oid)
                .set("ev_type", '1')
                .set("ev_enabled", 'O')
                .set("is_instead", true)
                .set("ev_action", query.as_str());
        }
    }
    Ok(())
}

/// Every index the session sees with its table.
pub(super) fn all_indexes(view: &CatalogView) -> Vec<(Arc<Relation>, Index)> {
    candidates(view, None, None, None)
        .into_iter()
        .flat_map(|table| {
            let indexes = table.indexes().to_vec();
            indexes.into_iter().map(move |index| (Arc::clone(&table), index))
        })
        .collect()
}

/// As `pg_get_indexdef`.
pub(super) fn definition(view: &CatalogView, table: &Relation, index: &Index) -> String {
    index_text(view, table, index, None)
}

/// Relations of all kinds by OID, system ones included.
pub(super) fn all(view: &CatalogView, wanted: Option<Oid>) -> Vec<Arc<Relation>> {
    candidates(view, wanted, None, None)
}
