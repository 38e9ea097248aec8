//! information_schema.columns.

use super::{
    Arc, Attribute, Cell, ExecutionContext, Filter, Identity, Oid, PgType, Relation, RelationBody,
    Result, Rows, Sequence, builtin, named, numeric, regnames, shown, yes,
};
use crate::types::format_type;

const ANY: &str = "rawx";

pub(in crate::catalog::system) fn columns(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for relation in shown(view, filter, "table_schema", "table_name", ANY) {
        if matches!(relation.body, RelationBody::Sequence(_)) {
            continue;
        }
        for (attnum, column) in relation.shown_columns() {
            add(context, &relation, attnum, column, rows);
        }
    }
    Ok(())
}

fn add(
    context: &ExecutionContext,
    relation: &Relation,
    attnum: i16,
    column: &Attribute,
    rows: &mut Rows<'_>,
) {
    let path = &context.session.effective().search_path;
    let text =
        column.default.as_ref().map(|text| regnames::with_names(&context.catalog, path, text));
    let (default, generated) = if column.generated { (None, text) } else { (text, None) };
    let (precision, radix, scale) = numeric(column.ty);
    let (length, octets) = length(column.ty);
    let changeable = matches!(relation.body, RelationBody::Table { .. });
    let row = named(rows.add(), context, "table", relation.schema, &relation.name)
        .set("column_name", column.name.as_str())
        .set("ordinal_position", attnum)
        .set("column_default", default)
        .set("is_nullable", yes(!column.not_null))
        .set("data_type", data_type(column.ty))
        .set("character_maximum_length", length)
        .set("character_octet_length", octets)
        .set("numeric_precision", precision)
        .set("numeric_precision_radix", radix)
        .set("numeric_scale", scale)
        .set("datetime_precision", datetime_precision(column.ty))
        .set("udt_catalog", context.session.database_name.as_str())
        .set("udt_schema", "pg_catalog")
        .set("udt_name", builtin(column.ty.oid).map_or("", |entry| entry.name))
        .set("dtd_identifier", attnum.to_string())
        .set("is_self_referencing", "NO")
        .set("is_generated", if column.generated { "ALWAYS" } else { "NEVER" })
        .set("generation_expression", generated)
        .set("is_updatable", yes(changeable));
    let row = if column.ty.oid == Oid::NAME {
        named(row, context, "collation", crate::catalog::part::PG_CATALOG, "C")
    } else {
        row
    };
    let sequence = (column.identity != Identity::No)
        .then(|| context.catalog.owned_sequence(relation.oid, attnum))
        .flatten();
    let parameter = |value: fn(&Sequence) -> i64| match sequence.as_ref().map(|s| &s.body) {
        Some(RelationBody::Sequence(sequence)) => Cell::Text(value(sequence).to_string()),
        _ => Cell::Null,
    };
    row.set("is_identity", yes(column.identity != Identity::No))
        .set(
            "identity_generation",
            match column.identity {
                Identity::No => None,
                Identity::Always => Some("ALWAYS"),
                Identity::ByDefault => Some("BY DEFAULT"),
            },
        )
        .set("identity_start", parameter(|s| s.start))
        .set("identity_increment", parameter(|s| s.increment))
        .set("identity_maximum", parameter(|s| s.max))
        .set("identity_minimum", parameter(|s| s.min))
        .set("identity_cycle", "NO");
}

/// A type without its modifier; every array is `ARRAY`.
fn data_type(ty: PgType) -> String {
    if builtin(ty.oid).is_some_and(|entry| entry.delimiter_array()) {
        return "ARRAY".to_owned();
    }
    format_type(ty.oid, -1)
}

/// The longest text, in characters and in bytes.
fn length(ty: PgType) -> (Option<i32>, Option<i32>) {
    const MAX_OCTETS: i32 = 1 << 30;
    match ty.oid {
        Oid::VARCHAR | Oid::BPCHAR if ty.typmod > 4 => {
            let characters = ty.typmod - 4;
            (Some(characters), Some(characters * 4))
        }
        Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR => (None, Some(MAX_OCTETS)),
        _ => (None, None),
    }
}

fn datetime_precision(ty: PgType) -> Option<i32> {
    const DEFAULT: i32 = 6;
    match ty.oid {
        Oid::DATE => Some(0),
        Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ => {
            Some(if ty.typmod >= 0 { ty.typmod } else { DEFAULT })
        }
        Oid::INTERVAL => match ty.typmod {
            typmod if typmod < 0 || typmod & 0xffff == 0xffff => Some(DEFAULT),
            typmod => Some(typmod & 0xffff),
        },
        _ => None,
    }
}
