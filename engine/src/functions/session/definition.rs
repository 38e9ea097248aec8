//! Definitions as text: `pg_get_...`, `format_type`, comments.

use super::{Body, Row, Value, names};
use crate::{
    catalog::{
        Class, Constraint, ConstraintKind, Index, Relation, RelationBody,
        layout::attribute_place,
        part::{CatalogView, Named, quote_identifier},
        regnames,
    },
    context::ExecutionContext,
    error::{Error, Result, SqlState},
    functions::{Function, FunctionKind, registry},
    types::{Oid, format_type},
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "format_type" => type_text,
        "pg_get_expr" => |row| Ok(Value::Text(shown(row.context, row.text(0)?))),
        "pg_get_constraintdef" => constraint_definition,
        "pg_get_indexdef" => index_definition,
        "pg_get_viewdef" => view_definition,
        "pg_get_userbyid" => |row| Ok(Value::Text(row.context.catalog.role_name(row.oid(0)?))),
        "pg_get_serial_sequence" => serial_sequence,
        "pg_get_function_result" => {
            |row| Ok(Value::text(function(row)?.map(|f| function_result(row.context, f))))
        }
        "pg_get_function_arguments" | "pg_get_function_identity_arguments" => {
            |row| Ok(Value::text(function(row)?.map(|f| function_arguments(row.context, f))))
        }
        "pg_get_functiondef" => function_definition,
        "pg_get_function_sqlbody"
        | "pg_get_function_arg_default"
        | "pg_get_ruledef"
        | "pg_get_triggerdef"
        | "pg_get_partkeydef"
        | "pg_get_partition_constraintdef"
        | "pg_get_statisticsobjdef"
        | "pg_get_statisticsobjdef_columns" => |_| Ok(Value::Null),
        "pg_get_replica_identity_index" => |_| Ok(Value::Null),
        "obj_description" => object_description,
        "col_description" => column_description,
        "shobj_description" => shared_description,
        "pg_relation_is_publishable" => |_| Ok(Value::Bool(false)),
        "pg_relation_is_updatable" => updatable,
        _ => return None,
    })
}

/// NULL type gives NULL, NULL modifier none.
fn type_text(row: &Row<'_>) -> Result<Value> {
    if row.is_null(0) {
        return Ok(Value::Null);
    }
    let oid = row.oid(0)?;
    let typmod = if row.is_null(1) { -1 } else { row.int(1)? };
    let typmod = i32::try_from(typmod).unwrap_or(-1);
    if oid == Oid(0) {
        return Ok(Value::Text("-".to_owned()));
    }
    let name = names::type_name_with(row.context, oid, typmod);
    Ok(Value::Text(name.unwrap_or_else(|| "???".to_owned())))
}

/// A text of the catalog as the session is to see it.
fn shown(context: &ExecutionContext, text: &str) -> String {
    regnames::with_names(&context.catalog, &context.session.effective().search_path, text)
}

fn constraint_definition(row: &Row<'_>) -> Result<Value> {
    let pretty = row.len() > 1 && row.bool(1)?;
    Ok(match row.context.catalog.constraint_by_oid(row.oid(0)?) {
        Some((table, constraint)) => {
            Value::Text(constraint_text(row.context, &table, &constraint, pretty))
        }
        None => Value::Null,
    })
}

fn constraint_text(
    context: &ExecutionContext,
    table: &Relation,
    constraint: &Constraint,
    pretty: bool,
) -> String {
    let key = |word: &str, oid: Oid| {
        let index = table.indexes().iter().find(|index| index.oid == oid);
        let columns = index.map_or_else(String::new, |index| column_names(table, index));
        let nulls = match index {
            Some(index) if !index.nulls_distinct => " NULLS NOT DISTINCT",
            _ => "",
        };
        format!("{word}{nulls} ({columns})")
    };
    match &constraint.kind {
        ConstraintKind::PrimaryKey { index } => key("PRIMARY KEY", *index),
        ConstraintKind::Unique { index } => key("UNIQUE", *index),
        ConstraintKind::Check { expression, .. } => {
            let text = shown(context, expression);
            if pretty { format!("CHECK ({text})") } else { format!("CHECK (({text}))") }
        }
    }
}

fn column_names(table: &Relation, index: &Index) -> String {
    let names: Vec<String> = index
        .columns
        .iter()
        .map(|column| quote_identifier(&table.columns[attribute_place(column.attnum)].name))
        .collect();
    names.join(", ")
}

fn index_definition(row: &Row<'_>) -> Result<Value> {
    let Some((table, index)) = row.context.catalog.index_by_oid(row.oid(0)?) else {
        return Ok(Value::Null);
    };
    let column = if row.len() > 1 { row.int(1)? } else { 0 };
    if column == 0 {
        let pretty = row.len() > 2 && row.bool(2)?;
        let path = &row.context.session.effective().search_path;
        let path = pretty.then_some(&**path);
        return Ok(Value::Text(index_text(&row.context.catalog, &table, &index, path)));
    }
    let place = usize::try_from(column - 1).unwrap_or(usize::MAX);
    let attnums = index.columns.iter().map(|column| column.attnum).chain(index.included.clone());
    Ok(match attnums.into_iter().nth(place) {
        Some(attnum) => Value::Text(table.index_column_text(attnum)),
        None => Value::Text(String::new()),
    })
}

/// `CREATE UNIQUE INDEX i ON public.t USING btree (a, b DESC)`. Pretty text names the table as it
/// is seen along `pretty`, and has fewer parentheses.
pub(crate) fn index_text(
    view: &CatalogView,
    table: &Relation,
    index: &Index,
    pretty: Option<&[String]>,
) -> String {
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|column| {
            let name = table.index_column_text(column.attnum);
            match (column.descending, column.nulls_first) {
                (false, false) => name,
                (false, true) => format!("{name} NULLS FIRST"),
                (true, true) => format!("{name} DESC"),
                (true, false) => format!("{name} DESC NULLS LAST"),
            }
        })
        .collect();
    let included: Vec<String> =
        index.included.iter().map(|attnum| table.index_column_text(*attnum)).collect();
    let included = match included.is_empty() {
        true => String::new(),
        false => format!(" INCLUDE ({})", included.join(", ")),
    };
    let predicate = table.index_predicate(index).map(|text| match pretty {
        Some(_) => format!(" WHERE {text}"),
        None => format!(" WHERE ({text})"),
    });
    let table_name = match pretty {
        Some(path) => view.display_name(table, path),
        None => view.qualified_name(table),
    };
    format!(
        "CREATE {}INDEX {} ON {} USING btree ({}){included}{}{}",
        if index.unique { "UNIQUE " } else { "" },
        quote_identifier(&index.name),
        table_name,
        columns.join(", "),
        if index.nulls_distinct { "" } else { " NULLS NOT DISTINCT" },
        predicate.unwrap_or_default(),
    )
}

fn view_definition(row: &Row<'_>) -> Result<Value> {
    let oid = if row.is_text(0) {
        names::regclass(&names::Scope::of(row), row.text(0)?)?
    } else {
        row.oid(0)?
    };
    let Some(relation) = row.context.catalog.relation_by_oid(oid) else { return Ok(Value::Null) };
    Ok(match &relation.body {
        RelationBody::View { query, .. } => Value::Text(format!(" {};", shown(row.context, query))),
        RelationBody::Table { .. } | RelationBody::Sequence(_) | RelationBody::System => {
            Value::Null
        }
    })
}

fn serial_sequence(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let oid = names::regclass(&names::Scope::of(row), row.text(0)?)?;
    let relation = view
        .relation_by_oid(oid)
        .ok_or_else(|| Error::undefined_table(row.text(0).unwrap_or_default()))?;
    let column = row.text(1)?;
    let attnum = relation
        .live_columns()
        .find(|(_, attribute)| attribute.name == column)
        .map(|(attnum, _)| attnum)
        .ok_or_else(|| Error::undefined_column_of(column, &relation.name))?;
    let owned = view.owned_sequence(relation.oid, attnum);
    Ok(Value::text(owned.map(|sequence| view.qualified_name(&sequence))))
}

fn function(row: &Row<'_>) -> Result<Option<&'static Function>> {
    Ok(registry().function(row.oid(0)?))
}

fn type_of(context: &ExecutionContext, oid: Oid) -> String {
    names::type_name_with(context, oid, -1).unwrap_or_else(|| format_type(oid, -1))
}

fn function_result(context: &ExecutionContext, function: &Function) -> String {
    let name = type_of(context, function.ret);
    match (function.kind, function.out_columns.len() > 1) {
        (FunctionKind::Set, true) => {
            let columns: Vec<String> = function
                .out_columns
                .iter()
                .map(|(name, ty)| format!("{} {}", quote_identifier(name), type_of(context, *ty)))
                .collect();
            format!("TABLE({})", columns.join(", "))
        }
        (FunctionKind::Set, false) => format!("SETOF {name}"),
        (FunctionKind::Scalar | FunctionKind::Aggregate | FunctionKind::Window, _) => name,
    }
}

fn function_arguments(context: &ExecutionContext, function: &Function) -> String {
    let count = function.args.len();
    let first_default = count - function.defaults.len().min(count);
    let args: Vec<String> = function
        .args
        .iter()
        .enumerate()
        .map(|(place, ty)| {
            let mut text = String::new();
            if function.variadic.is_some() && place + 1 == count {
                text.push_str("VARIADIC ");
            }
            if let Some(name) = function.arg_names.get(place).filter(|name| !name.is_empty()) {
                text.push_str(&quote_identifier(name));
                text.push(' ');
            }
            text.push_str(&type_of(context, *ty));
            if place >= first_default
                && let Some(default) = function.defaults.get(place - first_default)
            {
                text.push_str(&format!(" DEFAULT {default}"));
            }
            text
        })
        .collect();
    args.join(", ")
}

fn function_definition(row: &Row<'_>) -> Result<Value> {
    let Some(function) = function(row)? else { return Ok(Value::Null) };
    if function.kind == FunctionKind::Aggregate {
        return Err(Error::wrong_object_type(function.name, "a function"));
    }
    Ok(Value::Text(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal\nAS \
         $function${}$function$\n",
        quote_identifier(function.name),
        function_arguments(row.context, function),
        function_result(row.context, function),
        function.source,
    )))
}

fn object_description(row: &Row<'_>) -> Result<Value> {
    let oid = row.oid(0)?;
    let view = &row.context.catalog;
    let classes: &[Class] = match if row.len() > 1 { row.text(1)? } else { "" } {
        "pg_class" => &[Class::Relation],
        "pg_namespace" => &[Class::Schema],
        "pg_constraint" => &[Class::Constraint],
        "" => &[Class::Relation, Class::Schema, Class::Constraint],
        _ => &[],
    };
    let found = classes.iter().find_map(|class| view.description(*class, oid, 0));
    Ok(Value::text(found))
}

fn column_description(row: &Row<'_>) -> Result<Value> {
    let sub = i32::try_from(row.int(1)?).unwrap_or(0);
    Ok(Value::text(row.context.catalog.description(Class::Relation, row.oid(0)?, sub)))
}

fn shared_description(row: &Row<'_>) -> Result<Value> {
    let class = match row.text(1)? {
        "pg_database" => Class::Database,
        "pg_authid" => Class::Role,
        _ => return Ok(Value::Null),
    };
    let cluster = &row.context.catalog.cluster;
    Ok(Value::text(cluster.description(class, row.oid(0)?).map(|d| d.text.clone())))
}

/// Bits of the events a relation takes: INSERT 8, UPDATE 4, DELETE 16.
fn updatable(row: &Row<'_>) -> Result<Value> {
    let relation = row.context.catalog.relation_by_oid(row.oid(0)?);
    let table = relation.is_some_and(|r| matches!(r.body, RelationBody::Table { .. }));
    Ok(Value::Int(if table { 28 } else { 0 }))
}

/// A relation by name or OID, as privilege and size functions take it; `None` for an OID that is
/// gone.
pub(super) fn relation_argument(
    row: &Row<'_>,
    place: usize,
) -> Result<Option<std::sync::Arc<Relation>>> {
    let view = &row.context.catalog;
    if !row.is_text(place) {
        return Ok(view.relation_by_oid(row.oid(place)?));
    }
    let text = row.text(place)?;
    let (schema, name) = regnames::split(text)?;
    let path = &row.context.session.effective().search_path;
    view.check_named_schema(schema.as_deref())?;
    match view.find_named(schema.as_deref(), &name, path) {
        Some(Named::Relation(oid)) => Ok(view.relation_by_oid(oid)),
        Some(Named::Index { .. }) => {
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is an index")))
        }
        None => Err(Error::undefined_table(text)),
    }
}
