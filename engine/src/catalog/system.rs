//! `pg_catalog` and `information_schema`: relations whose rows are made up when they are read,
//! through the session's eyes.
//!
//! Their names, columns and OIDs are those of PostgreSQL 15 (`system/relations.tsv` and
//! `system/information_schema.tsv`: one line per relation, columns as `name:type[/typmod][!]`);
//! `pg_stat_live` alone is ours.
//! Rows exist for what exists here; a relation about things there are none of is empty.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;

use crate::{
    catalog::{
        Attribute, Grant, Identity, Relation, RelationBody, Schema, TableKind,
        part::{BOOTSTRAP_ROLE, INFORMATION_SCHEMA, PG_CATALOG, Part},
    },
    context::ExecutionContext,
    error::{Error, Result},
    types::{Oid, PgType},
};

mod access;
mod acl;
mod activity;
mod builtin;
mod class;
mod constraint;
mod locks;
mod objects;
mod roles;
mod rows;
mod settings;
mod standard;
mod statistics;
mod types;
mod views;

use rows::{Filter, Rows};

/// The rows of a system relation, as this session may see them: all columns in attnum order.
/// `equal` are conditions `column = value` that the rows will be filtered by anyway; where they
/// save work they are heeded.
///
/// # Errors
/// 42501 for what only superusers may see.
pub(crate) fn rows(
    relation: Oid,
    context: &Arc<ExecutionContext>,
    equal: &[(i16, ScalarValue)],
) -> Result<RecordBatch> {
    let Some(definition) = part().relation_by_oid(relation) else {
        return Err(Error::internal(format!("system relation {relation} is not known")));
    };
    context.catalog.check_relation(definition, "r")?;
    let filter = Filter::new(definition, equal);
    let mut rows = Rows::new(definition);
    // What isn't listed is about things there are none of: triggers, rules, publications, ...
    let fill = match definition.schema {
        INFORMATION_SCHEMA => standard_source(&definition.name),
        _ => source(&definition.name),
    };
    if let Some(fill) = fill {
        fill(context, &filter, &mut rows)?;
    }
    rows.finish()
}

/// Fills in the rows of one relation.
type Source = fn(&Arc<ExecutionContext>, &Filter<'_>, &mut Rows<'_>) -> Result<()>;

fn source(name: &str) -> Option<Source> {
    Some(match name {
        "pg_namespace" => class::namespaces,
        "pg_class" => class::classes,
        "pg_attribute" => class::attributes,
        "pg_attrdef" => class::defaults,
        "pg_index" => constraint::indexes,
        "pg_constraint" => constraint::constraints,
        "pg_depend" => constraint::depends,
        "pg_description" => constraint::descriptions,
        "pg_shdescription" => constraint::shared_descriptions,
        "pg_sequence" => class::sequences,
        "pg_rewrite" => class::rewrites,
        "pg_type" => types::types,
        "pg_proc" => builtin::functions,
        "pg_operator" => builtin::operators,
        "pg_cast" => builtin::casts,
        "pg_aggregate" => builtin::aggregates,
        "pg_am" => access::methods,
        "pg_opclass" => access::operator_classes,
        "pg_collation" => access::collations,
        "pg_language" => access::languages,
        "pg_tablespace" => access::tablespaces,
        "pg_database" => roles::databases,
        "pg_authid" => roles::authids,
        "pg_roles" => roles::roles,
        "pg_user" => roles::users,
        "pg_shadow" => roles::shadows,
        "pg_group" => roles::groups,
        "pg_auth_members" => roles::memberships,
        "pg_db_role_setting" => roles::role_settings,
        "pg_tables" => views::tables,
        "pg_views" => views::views,
        "pg_indexes" => views::indexes,
        "pg_sequences" => views::sequences,
        "pg_prepared_statements" => objects::prepared_statements,
        "pg_cursors" => objects::cursors,
        "pg_settings" => settings::settings,
        "pg_timezone_names" => settings::time_zones,
        "pg_stat_activity" => activity::activity,
        "pg_stat_database" => activity::databases,
        "pg_locks" => locks::locks,
        "pg_stat_live" => activity::subscriptions,
        "pg_stat_all_tables" | "pg_stat_user_tables" | "pg_stat_sys_tables" => statistics::tables,
        "pg_stat_all_indexes" | "pg_stat_user_indexes" | "pg_stat_sys_indexes" => {
            statistics::indexes
        }
        "pg_statio_all_tables" | "pg_statio_user_tables" => statistics::io,
        "pg_stats" => statistics::columns,
        _ => return None,
    })
}

/// As [`source`], for `information_schema`.
fn standard_source(name: &str) -> Option<Source> {
    Some(match name {
        "information_schema_catalog_name" => standard::catalog_name,
        "schemata" => standard::schemata,
        "tables" => standard::tables,
        "columns" => standard::columns,
        "views" => standard::views,
        "view_table_usage" => standard::view_table_usage,
        "table_constraints" => standard::table_constraints,
        "key_column_usage" => standard::key_column_usage,
        "constraint_column_usage" => standard::constraint_column_usage,
        "constraint_table_usage" => standard::constraint_table_usage,
        "check_constraints" => standard::check_constraints,
        "sequences" => standard::sequences,
        "collations" => standard::collations,
        "table_privileges" | "role_table_grants" => standard::table_privileges,
        "enabled_roles" => standard::enabled_roles,
        "applicable_roles" => standard::applicable_roles,
        _ => return None,
    })
}

struct System {
    part: Part,
    /// `r` or `v`, as PostgreSQL has it.
    kinds: HashMap<Oid, u8>,
}

/// The definitions of all system relations.
pub(crate) fn part() -> &'static Part {
    &system().part
}

/// `pg_class.relkind` of a system relation.
pub(crate) fn relation_kind(oid: Oid) -> u8 {
    system().kinds.get(&oid).copied().unwrap_or(b'r')
}

/// Relations that show password verifiers: for superusers alone.
pub(crate) fn is_superuser_only(oid: Oid) -> bool {
    const PG_AUTHID: Oid = Oid(1260);
    const PG_SHADOW: &str = "pg_shadow";
    oid == PG_AUTHID || part().relation_by_oid(oid).is_some_and(|r| r.name == PG_SHADOW)
}

fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let mut part = Part::new();
        let mut kinds = HashMap::new();
        part.put_schema(Arc::new(public_to_all(PG_CATALOG, "pg_catalog")));
        part.put_schema(Arc::new(public_to_all(INFORMATION_SCHEMA, "information_schema")));
        let standard = include_str!("system/information_schema.tsv");
        for line in standard.lines() {
            let (relation, kind) = read_relation(line);
            kinds.insert(relation.oid, kind);
            part.put_relation(Arc::new(Relation { schema: INFORMATION_SCHEMA, ..relation }));
        }
        for line in include_str!("system/relations.tsv").lines() {
            let (relation, kind) = read_relation(line);
            kinds.insert(relation.oid, kind);
            part.put_relation(Arc::new(relation));
        }
        System { part, kinds }
    })
}

fn public_to_all(oid: Oid, name: &str) -> Schema {
    let grant = |grantee: Oid, privileges: &str| Grant {
        grantee,
        grantor: BOOTSTRAP_ROLE,
        privileges: privileges.to_owned(),
    };
    Schema {
        oid,
        name: name.to_owned(),
        owner: BOOTSTRAP_ROLE,
        grants: Some(vec![grant(BOOTSTRAP_ROLE, "UC"), grant(Oid(0), "U")]),
    }
}

fn read_relation(line: &'static str) -> (Relation, u8) {
    let fields: Vec<&str> = line.split('\t').collect();
    let number = |text: &str| Oid(text.parse().expect("relations.tsv holds numbers here"));
    let relation = Relation {
        oid: number(fields[0]),
        row_type: number(fields[3]),
        name: fields[1].to_owned(),
        schema: PG_CATALOG,
        owner: BOOTSTRAP_ROLE,
        kind: TableKind::System,
        columns: fields[4].split(' ').map(read_column).collect(),
        body: RelationBody::System,
        grants: None,
        options: Vec::new(),
        retyped_at: 0,
        layout: None,
    };
    (relation, fields[2].as_bytes()[0])
}

fn read_column(text: &str) -> Attribute {
    let (name, ty) = text.split_once(':').expect("relations.tsv holds name:type here");
    let not_null = ty.ends_with('!');
    let ty = ty.trim_end_matches('!');
    let (oid, typmod) = ty.split_once('/').unwrap_or((ty, "-1"));
    let oid = oid.parse().expect("relations.tsv holds numbers here");
    let typmod = typmod.parse().expect("relations.tsv holds numbers here");
    let ty = PgType { typmod, ..PgType::plain(Oid(oid)) };
    Attribute {
        name: name.to_owned(),
        // Types there are no values of here (pg_lsn, inet, anyarray) show as text.
        ty: if ty.arrow().is_ok() { ty } else { PgType::TEXT },
        not_null,
        dropped: false,
        default: None,
        identity: Identity::No,
        generated: false,
        missing: None,
        hidden: false,
    }
}
