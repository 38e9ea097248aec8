//! CREATE VIEW.
//!
//! A view is kept as the text of its query with every `*` written out, as PostgreSQL does, so
//! that a column added later doesn't change it, and the search path it was made under.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::{
    DdlContext, change, dependency,
    expression::{Scope, deciding_constants},
    grammar::{CreateView, Name},
    names, parameters,
    temporary::ALIAS,
};
use crate::{
    analyze::{Analyzed, OutputColumn, Parameters, analyze},
    catalog::{
        Attribute, Identity, Relation, RelationBody, TableKind,
        part::{CatalogView, Named},
        store::Place,
    },
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

mod wildcard;

pub(super) async fn create(create: &CreateView, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok("CREATE VIEW".to_owned());
    let options = parameters::of_view(&create.options)?;
    let named = temporary_name(create, ctx)?;
    let create = &CreateView { name: named, ..create.clone() };
    let existing = replaced(ctx, create)?;
    let kind = kind(ctx, create, existing.as_deref())?;
    let target = names::target(ctx, &create.name, Some(kind)).await?;
    let existing = replaced(ctx, create)?;
    let mut query = create.query.clone();
    let view = ctx.view();
    wildcard::expand(&view, &mut query, &ctx.search_path())?;
    let needed = dependency::relations_of(&view, &query, &kept_path(ctx));
    if target.place == Place::Shared {
        dependency::check_seen_by_all(&view, &needed)?;
    }
    if changes_rows(&query) {
        return Err(Error::feature_not_supported(
            "views must not contain data-modifying statements in WITH",
        ));
    }
    let mut parameters = deciding_constants(ctx, &mut query);
    let output = describe(ctx, &query, &mut parameters)?;
    if let Some(constants) = parameters.constants {
        constants.write(&mut query);
    }
    let columns = columns(&create.columns, output)?;
    let body = RelationBody::View { query: query.to_string(), search_path: kept_path(ctx) };
    let relation = match existing {
        Some(old) => {
            check_replaceable(&old, &columns)?;
            if needed.contains(&old.oid) {
                return Err(Error::new(
                    SqlState::INVALID_RECURSION,
                    format!("infinite recursion detected in rules for relation \"{}\"", old.name),
                ));
            }
            let old = change::lock_relation(ctx, &old).await?;
            Relation { columns, body, options, ..(*old).clone() }
        }
        None => Relation {
            oid: change::allocate(ctx, target.place).await?,
            row_type: change::allocate_row_type(ctx, target.place).await?,
            name: create.name.name.clone(),
            schema: target.schema.oid,
            owner: view.role,
            kind: target.kind,
            columns,
            body,
            grants: None,
            options,
            retyped_at: 0,
            layout: None,
        },
    };
    change::write(ctx, |writer| writer.put_relation(relation).map(|_| ()))?;
    tag()
}

/// The view's name, in the temporary schema where what it shows is there.
fn temporary_name(create: &CreateView, ctx: &mut dyn DdlContext) -> Result<Name> {
    let mut name = create.name.clone();
    if name.schema.as_deref() == Some(ALIAS) {
        return Ok(name);
    }
    let view = ctx.view();
    let needed = dependency::relations_of(&view, &create.query, &kept_path(ctx));
    let mut needed = needed.into_iter().filter_map(|oid| view.relation_by_oid(oid));
    if needed.any(|relation| view.is_temporary(&relation)) {
        if name.schema.is_some() {
            return Err(Error::not_temporary_schema());
        }
        change::skipping(ctx, format!("view \"{}\" will be a temporary view", name.name));
        name.schema = Some(ALIAS.to_owned());
    }
    Ok(name)
}

fn changes_rows(query: &ast::Query) -> bool {
    let tables = query.with.iter().flat_map(|with| &with.cte_tables);
    tables.into_iter().any(|cte| {
        matches!(
            cte.query.body.as_ref(),
            ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_)
        )
    })
}

/// The view that OR REPLACE replaces.
fn replaced(ctx: &dyn DdlContext, create: &CreateView) -> Result<Option<Arc<Relation>>> {
    let view = ctx.view();
    names::check_catalog(&view, &create.name)?;
    let schema = match &create.name.schema {
        Some(schema) => view.schema(schema)?,
        None => names::creation_schema(&view, &ctx.search_path())?,
    };
    match names::existing(&view, &schema, &create.name.name) {
        None => Ok(None),
        Some(Named::Relation(oid)) if create.or_replace => {
            let old = view
                .relation_by_oid(oid)
                .ok_or_else(|| Error::undefined_table(&create.name.name))?;
            if !matches!(old.body, RelationBody::View { .. }) {
                return Err(Error::wrong_object_type(&old.name, "a view"));
            }
            view.check_owner(&old)?;
            Ok(Some(old))
        }
        Some(_) => Err(Error::duplicate_table(&create.name.name)),
    }
}

/// A view is for all like the tables of its maker, unless it needs what only its maker sees. One
/// that reads shared rows is shared: it takes a grant to read it, and lends its owner's rights.
fn kind(
    ctx: &dyn DdlContext,
    create: &CreateView,
    existing: Option<&Relation>,
) -> Result<&'static str> {
    let word = |kind: TableKind| match kind {
        TableKind::Private => "private",
        TableKind::Shared => "shared",
        TableKind::User | TableKind::System => "user",
    };
    if let Some(existing) = existing {
        return Ok(word(existing.kind));
    }
    let asked = create.options.iter().find(|(name, _)| name == "kind");
    match asked.and_then(|(_, value)| value.as_deref()) {
        Some("private") => return Ok("private"),
        Some("shared") => return Ok("shared"),
        Some("user") => return Ok("user"),
        Some(other) => {
            return Err(Error::invalid_parameter_value(format!(
                "invalid value for storage parameter \"kind\": \"{other}\""
            )));
        }
        None => {}
    }
    let view = ctx.view();
    let path = ctx.search_path();
    let needed = dependency::relations_of(&view, &create.query, &kept_path(ctx));
    let needs_private = needed.iter().copied().any(names::is_private);
    let is_shared = |oid: &Oid| {
        view.relation_by_oid(*oid).is_some_and(|relation| relation.kind == TableKind::Shared)
    };
    let schema = match &create.name.schema {
        Some(schema) => view.schema(schema)?,
        None => names::creation_schema(&view, &path)?,
    };
    let for_all = Place::of(schema.oid) == Place::Shared
        && view.schema_privilege(view.role, &schema, 'C')
        && (view.owns_database(view.role)
            || ctx.setting("default_table_kind").as_deref() == Some("user"))
        && ctx.setting("default_table_kind").as_deref() != Some("private");
    Ok(match needs_private || !for_all {
        true => "private",
        false if needed.iter().any(is_shared) => "shared",
        false => "user",
    })
}

/// The result columns of a query, which must be one without parameters.
pub(super) fn describe(
    ctx: &dyn DdlContext,
    query: &ast::Query,
    parameters: &mut Parameters,
) -> Result<Vec<OutputColumn>> {
    let scope = Scope::new(ctx);
    let statement = ast::Statement::Query(Box::new(query.clone()));
    match analyze(&statement, "", &scope.environment(), parameters)? {
        _ if !parameters.types.is_empty() => Err(Error::undefined_parameter(1)),
        Analyzed::Query(query) => Ok(query.output),
        Analyzed::Staged(staged) => match *staged.main {
            Analyzed::Query(query) => Ok(query.output),
            _ => Err(Error::syntax_error("the query must be a SELECT")),
        },
        Analyzed::Insert(_) | Analyzed::Update(_) | Analyzed::Delete(_) => {
            Err(Error::syntax_error("the query must be a SELECT"))
        }
    }
}

/// Columns as a view or CREATE TABLE AS makes them of a query's, renamed where names are given.
pub(super) fn columns(given: &[String], output: Vec<OutputColumn>) -> Result<Vec<Attribute>> {
    if given.len() > output.len() {
        return Err(Error::syntax_error("CREATE VIEW specifies more column names than columns"));
    }
    let mut columns: Vec<Attribute> = Vec::with_capacity(output.len());
    for (place, column) in output.into_iter().enumerate() {
        let name = given.get(place).cloned().unwrap_or(column.name);
        if columns.iter().any(|other| other.name == name) {
            return Err(Error::column_twice(&name));
        }
        // What stayed of unknown type is text, as in PostgreSQL.
        let ty = if column.ty.oid == Oid::UNKNOWN { PgType::TEXT } else { column.ty };
        columns.push(Attribute {
            name,
            ty,
            not_null: false,
            dropped: false,
            default: None,
            identity: Identity::No,
            generated: false,
            missing: None,
            hidden: false,
        });
    }
    Ok(columns)
}

/// Existing columns keep their names and types; new ones may follow.
fn check_replaceable(old: &Relation, new: &[Attribute]) -> Result<()> {
    let wrong = |message: String| Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
    if new.len() < old.columns.len() {
        return wrong("cannot drop columns from view".to_owned());
    }
    for (old, new) in old.columns.iter().zip(new) {
        if old.name != new.name {
            return wrong(format!(
                "cannot change name of view column \"{}\" to \"{}\"",
                old.name, new.name
            ))
            .map_err(|error| {
                error.with_hint(
                    "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.",
                )
            });
        }
        if old.ty != new.ty {
            return wrong(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name,
                old.ty.name(),
                new.ty.name()
            ));
        }
    }
    Ok(())
}

/// The path with `$user` resolved: a view means the same to everybody.
fn kept_path(ctx: &dyn DdlContext) -> Vec<String> {
    let view: Arc<CatalogView> = ctx.view();
    view.search_schemas(&ctx.search_path(), true)
        .into_iter()
        .map(|oid| view.schema_name(oid))
        .collect()
}
