//! pg_am, pg_opclass, pg_collation, pg_language, pg_tablespace: small and fixed.

use std::sync::Arc;

use super::{
    class::BTREE,
    rows::{Filter, Rows},
};
use crate::{
    catalog::part::{BOOTSTRAP_ROLE, PG_CATALOG},
    context::ExecutionContext,
    error::Result,
    functions::{registry, session::names::COLLATIONS},
    types::{Oid, builtin},
};

pub(super) fn methods(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let handler = |name: &str| registry().functions_named(name).next().map(|f| f.oid);
    rows.add()
        .set("oid", 2)
        .set("amname", "heap")
        .set("amhandler", handler("heap_tableam_handler").unwrap_or(Oid(3)))
        .set("amtype", 't');
    rows.add()
        .set("oid", BTREE)
        .set("amname", "btree")
        .set("amhandler", handler("bthandler").unwrap_or(Oid(330)))
        .set("amtype", 'i');
    Ok(())
}

/// (OID in PostgreSQL's pg_opclass, name, type).
const OPERATOR_CLASSES: &[(u32, &str, Oid)] = &[
    (10007, "bool_ops", Oid::BOOL),
    (10009, "bpchar_ops", Oid::BPCHAR),
    (10011, "bytea_ops", Oid::BYTEA),
    (10017, "date_ops", Oid::DATE),
    (1970, "float4_ops", Oid::FLOAT4),
    (3123, "float8_ops", Oid::FLOAT8),
    (1979, "int2_ops", Oid::INT2),
    (1978, "int4_ops", Oid::INT4),
    (3124, "int8_ops", Oid::INT8),
    (10033, "interval_ops", Oid::INTERVAL),
    (10041, "name_ops", Oid::NAME),
    (3125, "numeric_ops", Oid::NUMERIC),
    (1981, "oid_ops", Oid::OID),
    (3126, "text_ops", Oid::TEXT),
    (10047, "time_ops", Oid::TIME),
    (3127, "timestamptz_ops", Oid::TIMESTAMPTZ),
    (3128, "timestamp_ops", Oid::TIMESTAMP),
    (10065, "uuid_ops", Oid::UUID),
    (10090, "jsonb_ops", Oid::JSONB),
    (10004, "array_ops", Oid::ANYARRAY),
];

/// The operator class by which a type is indexed.
pub(super) fn operator_class(ty: Oid) -> Oid {
    let is_array = builtin(ty).is_some_and(|entry| entry.delimiter_array());
    let ty = match ty {
        Oid::VARCHAR => Oid::TEXT,
        _ if is_array => Oid::ANYARRAY,
        other => other,
    };
    OPERATOR_CLASSES.iter().find(|(_, _, of)| *of == ty).map_or(Oid(0), |(oid, _, _)| Oid(*oid))
}

pub(super) fn operator_classes(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for (oid, name, ty) in OPERATOR_CLASSES {
        rows.add()
            .set("oid", *oid)
            .set("opcmethod", BTREE)
            .set("opcname", *name)
            .set("opcnamespace", PG_CATALOG)
            .set("opcowner", BOOTSTRAP_ROLE)
            .set("opcintype", *ty)
            .set("opcdefault", true);
    }
    Ok(())
}

pub(super) fn collations(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for (oid, name) in COLLATIONS {
        let default = *name == "default";
        let locale = (!default).then_some("C");
        rows.add()
            .set("oid", *oid)
            .set("collname", *name)
            .set("collnamespace", PG_CATALOG)
            .set("collowner", BOOTSTRAP_ROLE)
            .set("collprovider", if default { 'd' } else { 'c' })
            .set("collisdeterministic", true)
            .set("collencoding", if *name == "ucs_basic" { 6 } else { -1 })
            .set("collcollate", locale)
            .set("collctype", locale);
    }
    Ok(())
}

pub(super) fn languages(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for (oid, name, validator) in [(12, "internal", 2246), (13, "c", 2247), (14, "sql", 2248)] {
        rows.add()
            .set("oid", oid)
            .set("lanname", name)
            .set("lanowner", BOOTSTRAP_ROLE)
            .set("lanpltrusted", name == "sql")
            .set("lanvalidator", validator);
    }
    Ok(())
}

pub(super) fn tablespaces(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for (oid, name) in [(1663, "pg_default"), (1664, "pg_global")] {
        rows.add().set("oid", oid).set("spcname", name).set("spcowner", BOOTSTRAP_ROLE);
    }
    Ok(())
}
