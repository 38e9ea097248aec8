//! pg_type: the builtin types, and a row type with its array for each relation.

use std::sync::Arc;

use super::{
    class,
    rows::{Filter, Rows},
};
use crate::{
    catalog::{
        Relation,
        part::{BOOTSTRAP_ROLE, CatalogView, PG_CATALOG},
    },
    context::ExecutionContext,
    error::Result,
    functions::registry,
    types::{BuiltinType, Oid, TypeKind, builtin, builtins},
};

pub(super) fn types(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let oid = filter.oid("oid");
    let name = filter.text("typname");
    let wanted = |entry: &&BuiltinType| {
        oid.is_none_or(|oid| entry.oid == oid) && name.is_none_or(|name| entry.name == name)
    };
    if oid.is_none() {
        for entry in builtins().iter().filter(wanted) {
            builtin_type(entry, rows);
        }
    } else if let Some(entry) = oid.and_then(builtin) {
        builtin_type(entry, rows);
    }
    let by_row_type = oid.map(|oid| view.relation_by_row_type(oid));
    let relations = match by_row_type {
        Some(found) => found.into_iter().collect(),
        None => class::all(view, filter.oid("typrelid")),
    };
    for relation in relations {
        if relation.row_type != Oid(0) && builtin(relation.row_type).is_none() {
            row_type(view, &relation, rows);
        }
    }
    Ok(())
}

fn proc(name: &str) -> i64 {
    registry().functions_named(name).next().map_or(0, |function| i64::from(function.oid.0))
}

fn builtin_type(entry: &BuiltinType, rows: &mut Rows<'_>) {
    rows.add()
        .set("oid", entry.oid)
        .set("typname", entry.name)
        .set("typnamespace", PG_CATALOG)
        .set("typowner", BOOTSTRAP_ROLE)
        .set("typlen", entry.length)
        .set("typbyval", entry.by_value)
        .set("typtype", if entry.kind == TypeKind::Pseudo { 'p' } else { 'b' })
        .set("typcategory", char::from(entry.category))
        .set("typispreferred", entry.preferred)
        .set("typisdefined", true)
        .set("typdelim", char::from(entry.delimiter))
        .set("typelem", entry.element)
        .set("typarray", entry.array)
        .set("typinput", proc(entry.input))
        .set("typoutput", proc(entry.output))
        .set("typreceive", proc(entry.receive))
        .set("typsend", proc(entry.send))
        .set("typmodin", proc(entry.typmod_in))
        .set("typmodout", proc(entry.typmod_out))
        .set("typalign", char::from(entry.align))
        .set("typstorage", char::from(entry.storage))
        .set("typtypmod", -1)
        .set("typcollation", entry.collation);
}

fn row_type(_: &CatalogView, relation: &Relation, rows: &mut Rows<'_>) {
    let array = Oid(relation.row_type.0 + 1);
    rows.add()
        .set("oid", relation.row_type)
        .set("typname", relation.name.as_str())
        .set("typnamespace", relation.schema)
        .set("typowner", relation.owner)
        .set("typlen", -1)
        .set("typtype", 'c')
        .set("typcategory", 'C')
        .set("typisdefined", true)
        .set("typdelim", ',')
        .set("typrelid", relation.oid)
        .set("typarray", array)
        .set("typinput", proc("record_in"))
        .set("typoutput", proc("record_out"))
        .set("typreceive", proc("record_recv"))
        .set("typsend", proc("record_send"))
        .set("typalign", 'd')
        .set("typstorage", 'x')
        .set("typtypmod", -1);
    rows.add()
        .set("oid", array)
        .set("typname", format!("_{}", relation.name))
        .set("typnamespace", relation.schema)
        .set("typowner", relation.owner)
        .set("typlen", -1)
        .set("typtype", 'b')
        .set("typcategory", 'A')
        .set("typisdefined", true)
        .set("typdelim", ',')
        .set("typelem", relation.row_type)
        .set("typinput", proc("array_in"))
        .set("typoutput", proc("array_out"))
        .set("typreceive", proc("array_recv"))
        .set("typsend", proc("array_send"))
        .set("typalign", 'd')
        .set("typstorage", 'x')
        .set("typtypmod", -1);
}
