//! CREATE TABLE AS and SELECT INTO.

use datafusion::sql::sqlparser::ast;

use super::{
    Command, DdlContext,
    constraint::{Draft, check_column_type},
    create_table::{exists, on_commit},
    grammar::{CreateTableAs, Name},
    names,
    temporary::ALIAS,
    view,
};
use crate::{
    analyze::Parameters,
    error::{Error, Result},
};

pub(super) async fn run(create: &CreateTableAs, ctx: &mut dyn DdlContext) -> Result<String> {
    let (kind, options) = super::parameters::of_table(&create.options)?;
    if exists(ctx, &create.name, create.if_not_exists)? {
        return Ok("CREATE TABLE AS".to_owned());
    }
    ctx.lock_query(&create.query).await?;
    // The query means the tables from before: a temporary one may hide the one it reads.
    let before = ctx.view();
    let output = view::describe(ctx, &create.query, &mut Parameters::default())?;
    if create.columns.len() > output.len() {
        return Err(Error::syntax_error("too many column names were specified"));
    }
    let columns = view::columns(&create.columns, output)?;
    for column in &columns {
        check_column_type(&column.name, column.ty)?;
        names::check_column_name(&column.name)?;
    }
    let target = names::target(ctx, &create.name, kind.as_deref()).await?;
    let mut draft = Draft::new_table(ctx, target, &create.name.name, options).await?;
    draft.relation.columns = columns;
    let relation = draft.save(ctx)?;
    on_commit(ctx, &create.name, relation.oid, create.on_commit)?;
    if !create.with_data {
        return Ok("CREATE TABLE AS".to_owned());
    }
    let rows = ctx.insert_query(&relation, &create.query, &before).await?;
    Ok(format!("SELECT {rows}"))
}

/// The definition that `SELECT ... INTO` is; the query loses the clause.
///
/// # Errors
/// 42601 for names of more than three parts.
pub(crate) fn select_into(query: &mut ast::Query) -> Result<Option<Command>> {
    let mut body = query.body.as_mut();
    while let ast::SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    let ast::SetExpr::Select(select) = body else { return Ok(None) };
    let Some(into) = select.into.take() else { return Ok(None) };
    let mut parts = crate::analyze::name_parts(&into.name)?;
    let name = parts.pop().unwrap_or_default();
    let mut schema = parts.pop();
    let catalog = parts.pop();
    if !parts.is_empty() {
        return Err(Error::syntax_error(format!(
            "improper relation name (too many dotted names): {}",
            into.name
        )));
    }
    if into.temporary {
        match schema.as_deref() {
            None | Some(ALIAS) => schema = Some(ALIAS.to_owned()),
            Some(_) => return Ok(Some(Command::Wrong(Error::not_temporary_schema()))),
        }
    }
    Ok(Some(Command::CreateTableAs(CreateTableAs {
        name: Name { catalog, schema, name },
        if_not_exists: false,
        columns: Vec::new(),
        options: Vec::new(),
        on_commit: None,
        query: Box::new(query.clone()),
        with_data: true,
    })))
}
