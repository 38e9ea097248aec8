//! Names of the catalog: `regclass` and its kin, and what is visible without a schema.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, StringArray},
    datatypes::{DataType, Field, UInt32Type},
};

use datafusion::common::ScalarValue;

use super::{Body, Row, Value};
use crate::{
    catalog::{
        Relation,
        part::{CatalogView, Named, PG_CATALOG, quote_identifier},
        regnames,
    },
    context::ExecutionContext,
    error::{Error, Result, SqlState},
    functions::{registry, resolve::is_named_object},
    types::{Oid, PgType, builtin, format_type, parse_type_name},
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "to_regclass" => |row| found(class_named(&Scope::of(row), row.text(0)?)),
        "to_regtype" => |row| found(type_named(&Scope::of(row), row.text(0)?)),
        "to_regproc" => |row| found(proc_named(&Scope::of(row), row.text(0)?)),
        "to_regprocedure" => |row| found(procedure_named(row.text(0)?)),
        "to_regoper" => |row| found(oper_named(row.text(0)?)),
        "to_regoperator" => |row| found(operator_named(row.text(0)?)),
        "to_regrole" => |row| found(role_named(&Scope::of(row), row.text(0)?)),
        "to_regnamespace" => |row| found(schema_named(&Scope::of(row), row.text(0)?)),
        "to_regcollation" => |row| found(collation_named(row.text(0)?)),
        "pg_table_is_visible" => table_is_visible,
        "pg_type_is_visible" => type_is_visible,
        "pg_function_is_visible" => {
            |row| Ok(registry().function(row.oid(0)?).map_or(Value::Null, |_| Value::Bool(true)))
        }
        "pg_operator_is_visible" => {
            |row| Ok(registry().operator(row.oid(0)?).map_or(Value::Null, |_| Value::Bool(true)))
        }
        "pg_collation_is_visible"
        | "pg_conversion_is_visible"
        | "pg_opclass_is_visible"
        | "pg_opfamily_is_visible"
        | "pg_statistics_obj_is_visible"
        | "pg_ts_config_is_visible"
        | "pg_ts_dict_is_visible"
        | "pg_ts_parser_is_visible"
        | "pg_ts_template_is_visible" => |_| Ok(Value::Bool(true)),
        _ => return None,
    })
}

/// Where names are looked up.
pub(crate) struct Scope<'a> {
    pub(crate) view: &'a CatalogView,
    pub(crate) path: Arc<[String]>,
}

impl<'a> Scope<'a> {
    pub(super) fn of(row: &'a Row<'_>) -> Self {
        let path = Arc::clone(&row.context.session.effective().search_path);
        Scope { view: &row.context.catalog, path }
    }

    /// A parameter in text form of one of the `reg...` types; `None` for other types.
    pub(crate) fn parameter(&self, ty: PgType, text: &str) -> Option<Result<ScalarValue>> {
        let oid = match ty.oid {
            Oid::REGCLASS => regclass(self, text),
            Oid::REGTYPE => regtype(self, text),
            Oid::REGPROC => regproc(self, text),
            Oid::REGPROCEDURE => regprocedure(text),
            Oid::REGROLE => regrole(self, text),
            Oid::REGNAMESPACE => regnamespace(self, text),
            Oid::REGCOLLATION => regcollation(text),
            Oid::REGOPER => regoper(text),
            Oid::REGOPERATOR => regoperator(text),
            _ => return None,
        };
        Some(oid.map(|oid| ScalarValue::UInt32(Some(oid.0))))
    }
}

/// From text to the OID of a named object.
pub(super) fn input(ty: Oid) -> Option<Body> {
    Some(match ty {
        Oid::REGCLASS => |row| regclass(&Scope::of(row), row.text(0)?).map(oid),
        Oid::REGTYPE => |row| regtype(&Scope::of(row), row.text(0)?).map(oid),
        Oid::REGPROC => |row| regproc(&Scope::of(row), row.text(0)?).map(oid),
        Oid::REGPROCEDURE => |row| regprocedure(row.text(0)?).map(oid),
        Oid::REGROLE => |row| regrole(&Scope::of(row), row.text(0)?).map(oid),
        Oid::REGNAMESPACE => |row| regnamespace(&Scope::of(row), row.text(0)?).map(oid),
        Oid::REGCOLLATION => |row| regcollation(row.text(0)?).map(oid),
        Oid::REGOPER => |row| regoper(row.text(0)?).map(oid),
        Oid::REGOPERATOR => |row| regoperator(row.text(0)?).map(oid),
        _ => return None,
    })
}

/// From the OID of a named object to text.
pub(super) fn output(ty: Oid) -> Option<Body> {
    fn text(row: &Row<'_>, ty: Oid) -> Result<Value> {
        let path = &row.context.session.effective().search_path;
        Ok(Value::Text(shown(&row.context.catalog, path, ty, row.oid(0)?)))
    }
    Some(match ty {
        Oid::REGCLASS => |row| text(row, Oid::REGCLASS),
        Oid::REGTYPE => |row| text(row, Oid::REGTYPE),
        Oid::REGPROC => |row| text(row, Oid::REGPROC),
        Oid::REGPROCEDURE => |row| text(row, Oid::REGPROCEDURE),
        Oid::REGROLE => |row| text(row, Oid::REGROLE),
        Oid::REGNAMESPACE => |row| text(row, Oid::REGNAMESPACE),
        Oid::REGCOLLATION => |row| text(row, Oid::REGCOLLATION),
        Oid::REGOPER => |row| text(row, Oid::REGOPER),
        Oid::REGOPERATOR => |row| text(row, Oid::REGOPERATOR),
        _ => return None,
    })
}

/// The collations there are, by OID.
pub(crate) const COLLATIONS: &[(u32, &str)] =
    &[(100, "default"), (950, "C"), (951, "POSIX"), (12341, "ucs_basic")];

fn oid(oid: Oid) -> Value {
    Value::Oid(oid.0)
}

/// What a number of one of the `reg...` types shows as.
fn shown(view: &CatalogView, path: &[String], ty: Oid, oid: Oid) -> String {
    if oid == Oid(0) {
        // A minus is an operator.
        let none = if matches!(ty, Oid::REGOPER | Oid::REGOPERATOR) { "0" } else { "-" };
        return none.to_owned();
    }
    let name = match ty {
        Oid::REGCLASS => class_name(view, path, oid),
        Oid::REGTYPE => type_name(view, path, oid, -1),
        Oid::REGPROC => registry().function(oid).map(|f| quote_identifier(f.name)),
        Oid::REGPROCEDURE => procedure_name(oid),
        Oid::REGROLE => view.role_by_oid(oid).map(|role| quote_identifier(&role.name)),
        Oid::REGNAMESPACE => view.schema_by_oid(oid).map(|s| quote_identifier(&s.name)),
        Oid::REGCOLLATION => {
            let found = COLLATIONS.iter().find(|(number, _)| *number == oid.0);
            found.map(|(_, name)| quote_identifier(name))
        }
        Oid::REGOPER => registry().operator(oid).map(|o| o.name.to_owned()),
        Oid::REGOPERATOR => operator_name(oid),
        _ => None,
    };
    name.unwrap_or_else(|| oid.to_string())
}

/// Whether a type's text form is a name of the catalog, or an array of such names.
pub(crate) fn is_named(ty: PgType) -> bool {
    is_named_object(ty.oid) || ty.element().is_some_and(|element| is_named_object(element.oid))
}

/// A column of a `reg...` type, or of arrays of one, as text for the client; `None` for columns of
/// other types.
pub(crate) fn column_as_text(
    view: &CatalogView,
    path: &[String],
    ty: PgType,
    array: &ArrayRef,
) -> Option<ArrayRef> {
    let element = ty.element().unwrap_or(ty).oid;
    if !is_named_object(element) {
        return None;
    }
    if let Some(lists) = array.as_list_opt::<i32>() {
        let values = column_as_text(view, path, PgType::plain(element), lists.values())?;
        let field = Arc::new(Field::new("item", DataType::Utf8, true));
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        return ListArray::try_new(field, offsets, values, nulls)
            .ok()
            .map(|lists| Arc::new(lists) as ArrayRef);
    }
    let numbers = array.as_primitive_opt::<UInt32Type>()?;
    let texts = numbers.iter().map(|oid| oid.map(|oid| shown(view, path, element, Oid(oid))));
    Some(Arc::new(texts.collect::<StringArray>()))
}

/// `to_reg...`: NULL where the name means nothing.
fn found(result: Result<Oid>) -> Result<Value> {
    match result {
        Ok(oid) => Ok(Value::Oid(oid.0)),
        Err(error)
            if matches!(
                error.sqlstate,
                SqlState::UNDEFINED_TABLE
                    | SqlState::UNDEFINED_OBJECT
                    | SqlState::UNDEFINED_FUNCTION
                    | SqlState::AMBIGUOUS_FUNCTION
                    | SqlState::INVALID_SCHEMA_NAME
            ) =>
        {
            Ok(Value::Null)
        }
        Err(error) => Err(error),
    }
}

/// The number, where the text is one.
fn number(text: &str) -> Option<Oid> {
    if text == "-" {
        return Some(Oid(0));
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok().map(Oid) } else { None }
}

/// The number that the text is, else what the name in it means.
fn number_or(text: &str, named: impl FnOnce() -> Result<Oid>) -> Result<Oid> {
    number(text).map_or_else(named, Ok)
}

/// The OID of a relation or index.
pub(crate) fn regclass(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    number_or(text, || class_named(scope, text))
}

fn class_named(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    let (schema, name) = regnames::split(text)?;
    let path = &scope.path;
    scope.view.check_named_schema(schema.as_deref())?;
    match scope.view.find_named(schema.as_deref(), &name, path) {
        Some(Named::Relation(oid) | Named::Index { index: oid, .. }) => Ok(oid),
        None => Err(match schema {
            Some(schema) => Error::undefined_table(&format!("{schema}.{name}")),
            None => Error::undefined_table(&name),
        }),
    }
}

fn regtype(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    number_or(text, || type_named(scope, text))
}

fn type_named(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    match parse_type_name(text) {
        Ok(ty) => Ok(ty.oid),
        Err(error) => {
            let Ok((schema, name)) = regnames::split(text) else { return Err(error) };
            let path = &scope.path;
            scope.view.check_named_schema(schema.as_deref())?;
            match scope.view.find_relation(schema.as_deref(), &name, path) {
                Some(relation) if relation.row_type != Oid(0) => Ok(relation.row_type),
                _ => Err(Error::undefined_type(text)),
            }
        }
    }
}

fn regproc(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    number_or(text, || proc_named(scope, text))
}

fn proc_named(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    let (schema, name) = regnames::split(text)?;
    let unknown =
        || Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"));
    if schema.is_some_and(|schema| schema != scope.view.schema_name(PG_CATALOG)) {
        return Err(unknown());
    }
    let mut all = registry().functions_named(&name);
    match (all.next(), all.next()) {
        (None, _) => Err(unknown()),
        (Some(one), None) => Ok(one.oid),
        (Some(_), Some(_)) => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("more than one function named \"{text}\""),
        )),
    }
}

fn regprocedure(text: &str) -> Result<Oid> {
    number_or(text, || procedure_named(text))
}

/// `name(type, type)`: the name and the types as they stand there.
fn name_and_types(text: &str) -> Result<(&str, Vec<&str>)> {
    let invalid = |what| Error::new(SqlState::INVALID_TEXT_REPRESENTATION, what);
    let (name, rest) =
        text.split_once('(').ok_or_else(|| invalid("expected a left parenthesis"))?;
    let types =
        rest.trim().strip_suffix(')').ok_or_else(|| invalid("expected a right parenthesis"))?;
    let types = match types.trim() {
        "" => Vec::new(),
        types => types.split(',').map(str::trim).collect(),
    };
    Ok((name, types))
}

fn procedure_named(text: &str) -> Result<Oid> {
    let unknown =
        || Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"));
    let (name, types) = name_and_types(text)?;
    let (_, name) = regnames::split(name)?;
    let types = types
        .into_iter()
        .map(|ty| parse_type_name(ty).map(|ty| ty.oid))
        .collect::<Result<Vec<_>>>()?;
    let found = registry().functions_named(&name).find(|function| function.args == types);
    found.map(|function| function.oid).ok_or_else(unknown)
}

/// The name alone: 42602 for one with a schema.
fn unqualified(text: &str) -> Result<String> {
    match regnames::split(text)? {
        (None, name) => Ok(name),
        (Some(_), _) => Err(Error::new(SqlState::INVALID_NAME, "invalid name syntax")),
    }
}

fn regrole(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    number_or(text, || role_named(scope, text))
}

fn role_named(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    let name = unqualified(text)?;
    scope.view.role_by_name(&name).map(|role| role.oid).ok_or_else(|| Error::undefined_role(&name))
}

fn regnamespace(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    number_or(text, || schema_named(scope, text))
}

fn schema_named(scope: &Scope<'_>, text: &str) -> Result<Oid> {
    let name = unqualified(text)?;
    scope.view.schema(&name).map(|schema| schema.oid)
}

fn regcollation(text: &str) -> Result<Oid> {
    number_or(text, || collation_named(text))
}

fn collation_named(text: &str) -> Result<Oid> {
    let (_, name) = regnames::split(text)?;
    COLLATIONS.iter().find(|(_, n)| *n == name).map(|(oid, _)| Oid(*oid)).ok_or_else(|| {
        Error::undefined_object("collation", &format!("{name}\" for encoding \"UTF8"))
    })
}

fn regoper(text: &str) -> Result<Oid> {
    // - is an operator here, not none at all.
    match number(text) {
        Some(oid) if text != "-" => Ok(oid),
        _ => oper_named(text),
    }
}

fn regoperator(text: &str) -> Result<Oid> {
    number_or(text, || operator_named(text))
}

/// `+(integer, integer)`; NONE stands for the operand that isn't there.
fn operator_named(text: &str) -> Result<Oid> {
    let (name, types) = name_and_types(text)?;
    let name = name.trim().rsplit('.').next().unwrap_or_default();
    let [left, right] = types.as_slice() else {
        return Err(match types.len() {
            1 => Error::new(SqlState::UNDEFINED_PARAMETER, "missing argument")
                .with_hint("Use NONE to denote the missing argument of a unary operator."),
            _ => Error::new(SqlState::TOO_MANY_ARGUMENTS, "too many arguments")
                .with_hint("Provide two argument types for operator."),
        });
    };
    let ty = |text: &str| match text.eq_ignore_ascii_case("none") {
        true => Ok(Oid::INVALID),
        false => parse_type_name(text).map(|ty| ty.oid),
    };
    let (left, right) = (ty(left)?, ty(right)?);
    let mut all = registry().operators_named(name);
    let found = all.find(|operator| operator.left == left && operator.right == right);
    found.map(|operator| operator.oid).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))
    })
}

/// As [`operator_named`] reads it.
fn operator_name(oid: Oid) -> Option<String> {
    let operator = registry().operator(oid)?;
    let ty = |oid: Oid| match oid {
        Oid::INVALID => "NONE".to_owned(),
        oid => format_type(oid, -1),
    };
    Some(format!("{}({},{})", operator.name, ty(operator.left), ty(operator.right)))
}

fn oper_named(text: &str) -> Result<Oid> {
    let name = text.trim().rsplit('.').next().unwrap_or_default();
    let mut all = registry().operators_named(name);
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one.oid),
        (None, _) => Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("operator does not exist: {text}"),
        )),
        (Some(_), Some(_)) => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("more than one operator named {text}"),
        )),
    }
}

/// A relation or index as regclass shows it.
fn class_name(view: &CatalogView, path: &[String], oid: Oid) -> Option<String> {
    if let Some(relation) = view.relation_by_oid(oid) {
        return Some(view.display_name(&relation, path));
    }
    let (table, index) = view.index_by_oid(oid)?;
    Some(index_name(view, &table, &index.name, path))
}

/// An index's name, with its schema where it needs one.
fn index_name(view: &CatalogView, table: &Relation, name: &str, path: &[String]) -> String {
    let visible = match view.find_named(None, name, path) {
        Some(Named::Index { table: found, .. }) => found == table.oid,
        Some(Named::Relation(_)) | None => false,
    };
    if visible {
        return quote_identifier(name);
    }
    format!("{}.{}", quote_identifier(&view.schema_name(table.schema)), quote_identifier(name))
}

/// A type's name, row types included, as `format_type` gives it.
fn type_name(view: &CatalogView, path: &[String], oid: Oid, typmod: i32) -> Option<String> {
    if builtin(oid).is_some() {
        return Some(format_type(oid, typmod));
    }
    let relation: Arc<Relation> = view.relation_by_row_type(oid)?;
    let name = view.display_name(&relation, path);
    Some(if relation.row_type == oid { name } else { format!("{name}[]") })
}

/// As [`type_name`], along the session's search path.
pub(super) fn type_name_with(context: &ExecutionContext, oid: Oid, typmod: i32) -> Option<String> {
    type_name(&context.catalog, &context.session.effective().search_path, oid, typmod)
}

fn procedure_name(oid: Oid) -> Option<String> {
    let function = registry().function(oid)?;
    let args: Vec<String> = function.args.iter().map(|ty| format_type(*ty, -1)).collect();
    Some(format!("{}({})", quote_identifier(function.name), args.join(",")))
}

fn table_is_visible(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let path = &row.context.session.effective().search_path;
    let oid = row.oid(0)?;
    if let Some(relation) = view.relation_by_oid(oid) {
        return Ok(Value::Bool(view.is_visible(&relation, path)));
    }
    Ok(match view.index_by_oid(oid) {
        Some((_, index)) => Value::Bool(matches!(
            view.find_named(None, &index.name, path),
            Some(Named::Index { index: found, .. }) if found == oid
        )),
        None => Value::Null,
    })
}

fn type_is_visible(row: &Row<'_>) -> Result<Value> {
    let view = &row.context.catalog;
    let path = &row.context.session.effective().search_path;
    let oid = row.oid(0)?;
    if builtin(oid).is_some() {
        return Ok(Value::Bool(true));
    }
    Ok(match view.relation_by_row_type(oid) {
        Some(relation) => Value::Bool(view.is_visible(&relation, path)),
        None => Value::Null,
    })
}
