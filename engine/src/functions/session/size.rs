//! Sizes, encodings, activity: small answers about the server. Sizes are those of one's own rows.

use super::{Body, Row, Value, definition::relation_argument};
use crate::{
    catalog::{Relation, TableKind},
    context::ExecutionContext,
    error::Result,
};

/// PostgreSQL's number for UTF8.
const UTF8: i64 = 6;

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "pg_encoding_to_char" => |row| {
            Ok(Value::Text(match row.int(0)? {
                UTF8 => "UTF8".to_owned(),
                0 => "SQL_ASCII".to_owned(),
                _ => String::new(),
            }))
        },
        "pg_char_to_encoding" => |row| {
            let utf8 = matches!(row.text(0)?.to_lowercase().as_str(), "utf8" | "utf-8" | "unicode");
            Ok(Value::Int(if utf8 { UTF8 } else { -1 }))
        },
        "pg_encoding_max_length" => |_| Ok(Value::Int(4)),
        "pg_size_pretty" => |row| Ok(Value::Text(pretty(row.int(0)?))),
        "pg_relation_size" | "pg_table_size" | "pg_total_relation_size" => |row| {
            Ok(match relation_argument(row, 0)? {
                Some(relation) => Value::Int(bytes(row.context, &relation)),
                None => Value::Null,
            })
        },
        "pg_indexes_size" => |_| Ok(Value::Int(0)),
        "pg_database_size" | "pg_tablespace_size" => own_bytes,
        "pg_relation_filenode" => {
            |row| Ok(relation_argument(row, 0)?.map_or(Value::Null, |r| Value::Oid(r.oid.0)))
        }
        "pg_relation_filepath" => |_| Ok(Value::Null),
        "pg_tablespace_location" => |_| Ok(Value::Text(String::new())),
        "pg_collation_actual_version" | "pg_collation_for" => |_| Ok(Value::Null),
        "pg_partition_root" => |_| Ok(Value::Null),
        "pg_stat_get_numscans"
        | "pg_stat_get_tuples_returned"
        | "pg_stat_get_tuples_fetched"
        | "pg_stat_get_tuples_inserted"
        | "pg_stat_get_tuples_updated"
        | "pg_stat_get_tuples_deleted"
        | "pg_stat_get_dead_tuples" => |_| Ok(Value::Int(0)),
        "pg_stat_get_live_tuples" => |row| {
            Ok(match relation_argument(row, 0)? {
                Some(relation) => Value::Int(rows(row.context, &relation)),
                None => Value::Int(0),
            })
        },
        _ => return None,
    })
}

/// A number of bytes in the largest unit that leaves at least 10, halves rounded away from zero.
fn pretty(bytes: i64) -> String {
    /// (unit, up to which absolute value it is used, bits to the next unit)
    const UNITS: &[(&str, i128, u32)] = &[
        ("bytes", 10 * 1024, 9),
        ("kB", 20 * 1024 - 1, 10),
        ("MB", 20 * 1024 - 1, 10),
        ("GB", 20 * 1024 - 1, 10),
        ("TB", 20 * 1024 - 1, 10),
        ("PB", i128::MAX, 0),
    ];
    // From kB on the value counts halves, so that the last step can round.
    let mut value = i128::from(bytes);
    for (place, (unit, limit, bits)) in UNITS.iter().enumerate() {
        if value.abs() < *limit {
            if place > 0 {
                value = if value > 0 { (value + 1) / 2 } else { (value - 1) / 2 };
            }
            return format!("{value} {unit}");
        }
        value /= 1 << bits;
    }
    format!("{value} bytes")
}

/// Estimated rows of a relation in the namespace the session is in.
pub(crate) fn rows(context: &ExecutionContext, relation: &Relation) -> i64 {
    relation_use(context, relation).0
}

/// Estimated bytes of a relation in the namespace the session is in.
pub(crate) fn bytes(context: &ExecutionContext, relation: &Relation) -> i64 {
    relation_use(context, relation).1
}

fn relation_use(context: &ExecutionContext, relation: &Relation) -> (i64, i64) {
    let Some(layout) = &relation.layout else { return (0, 0) };
    let namespace = match relation.kind {
        TableKind::Shared => &context.shared,
        TableKind::User | TableKind::Private | TableKind::System => &context.own,
    };
    match super::sequence::wait(namespace.relation_use(&context.snapshot, layout.relation)) {
        Ok(found) => {
            let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            (number(found.hot_rows + found.cold_rows), number(found.hot_bytes + found.cold_bytes))
        }
        Err(_) => (0, 0),
    }
}

fn own_bytes(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let own = view.shared.relations().chain(view.private.relations());
    Ok(Value::Int(own.map(|relation| bytes(row.context, relation)).sum()))
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn sizes_read_as_in_postgres() {
        // What PostgreSQL 15 gives for the same numbers.
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_752, "11 kB"),
            (16_384, "16 kB"),
            (10_485_247, "10239 kB"),
            (10_485_760, "10 MB"),
            (-10_240, "-10 kB"),
            (1_073_741_824_000, "1000 GB"),
            (i64::MAX, "8192 PB"),
        ] {
            assert_eq!(pretty(bytes), text, "{bytes}");
        }
    }
}
