//! CREATE TABLE AS and SELECT INTO.

use super::{
    DdlContext,
    constraint::{Draft, check_column_type},
    create_table::{exists, kind_of, on_commit},
    grammar::CreateTableAs,
    names, view,
};
use crate::error::{Error, Result};

pub(super) async fn run(create: &CreateTableAs, ctx: &mut dyn DdlContext) -> Result<String> {
    let (kind, options) = kind_of(&create.options)?;
    if exists(ctx, &create.name, create.if_not_exists)? {
        return Ok("CREATE TABLE AS".to_owned());
    }
    // The query means the tables from before: a temporary one may hide the one it reads.
    let before = ctx.view();
    let output = view::describe(ctx, &create.query)?;
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
