//! CREATE TABLE.

use super::{
    DdlContext, change,
    constraint::Draft,
    grammar::{CreateTable, OnCommit, TableElement},
    like, names, parameters,
    temporary::ALIAS,
};
use crate::{
    catalog::part::{CatalogView, Named},
    error::{Error, Result, SqlState},
};

pub(super) async fn run(create: &CreateTable, ctx: &mut dyn DdlContext) -> Result<String> {
    let (kind, options) = parameters::of_table(&create.options)?;
    if exists(ctx, &create.name, create.if_not_exists)? {
        return Ok("CREATE TABLE".to_owned());
    }
    let target = names::target(ctx, &create.name, kind.as_deref()).await?;
    if exists(ctx, &create.name, create.if_not_exists)? {
        return Ok("CREATE TABLE".to_owned());
    }
    let mut draft = Draft::new_table(ctx, target, &create.name.name, options).await?;
    for element in &create.elements {
        match element {
            TableElement::Column(column) => draft.add_column(ctx, column).await?,
            TableElement::Constraint(constraint) => draft.add_constraint(constraint)?,
            TableElement::Like { source, including } => {
                like::copy(ctx, &mut draft, source, including).await?;
            }
        }
    }
    draft.finish(ctx).await?;
    let relation = draft.save(ctx)?;
    on_commit(ctx, &create.name, relation.oid, create.on_commit)?;
    Ok("CREATE TABLE".to_owned())
}

/// Sees to ON COMMIT.
///
/// # Errors
/// 42P16 for a table that isn't temporary.
pub(super) fn on_commit(
    ctx: &mut dyn DdlContext,
    name: &super::grammar::Name,
    relation: crate::types::Oid,
    action: Option<OnCommit>,
) -> Result<()> {
    let Some(action) = action else { return Ok(()) };
    if name.schema.as_deref() != Some(ALIAS) {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "ON COMMIT can only be used on temporary tables",
        ));
    }
    ctx.on_commit(relation, action);
    Ok(())
}

/// Whether the name is taken, with the notice where that is fine.
///
/// # Errors
/// 42P07 where it isn't.
pub(super) fn exists(
    ctx: &mut dyn DdlContext,
    name: &super::grammar::Name,
    if_not_exists: bool,
) -> Result<bool> {
    let view = ctx.view();
    if !is_taken(&view, ctx, name)? {
        return Ok(false);
    }
    if !if_not_exists {
        return Err(Error::duplicate_table(&name.name));
    }
    change::skipping_existing(ctx, &Error::duplicate_table(&name.name));
    Ok(true)
}

fn is_taken(view: &CatalogView, ctx: &dyn DdlContext, name: &super::grammar::Name) -> Result<bool> {
    let schema = match &name.schema {
        Some(schema) => view.schema(schema)?,
        None => names::creation_schema(view, &ctx.search_path())?,
    };
    let found: Option<Named> = names::existing(view, &schema, &name.name);
    Ok(found.is_some())
}
