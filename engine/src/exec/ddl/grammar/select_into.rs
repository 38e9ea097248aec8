//! SELECT INTO, which is CREATE TABLE AS.

use datafusion::sql::sqlparser::ast;

use super::{Command, CreateTableAs, Name};
use crate::{
    error::{Error, Result},
    exec::ddl::temporary::ALIAS,
};

/// The definition that a query with INTO is; `None` gives back a query without.
pub(crate) fn select_into(
    mut query: Box<ast::Query>,
) -> std::result::Result<Command, Box<ast::Query>> {
    match take_into(&mut query.body) {
        Some(into) => Ok(command(into, query).unwrap_or_else(Command::Wrong)),
        None => Err(query),
    }
}

/// INTO belongs to the first SELECT of a set operation.
fn take_into(body: &mut ast::SetExpr) -> Option<ast::SelectInto> {
    match body {
        ast::SetExpr::Select(select) => select.into.take(),
        ast::SetExpr::SetOperation { left, .. } => take_into(left),
        _ => None,
    }
}

fn command(into: ast::SelectInto, query: Box<ast::Query>) -> Result<Command> {
    if into.unlogged {
        return Err(Error::feature_not_supported("unlogged tables are not supported"));
    }
    let mut parts: Vec<String> = into
        .name
        .0
        .iter()
        .filter_map(ast::ObjectNamePart::as_ident)
        .map(|ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_ascii_lowercase(),
        })
        .collect();
    let name = parts.pop().ok_or_else(|| Error::syntax_error("a table without a name"))?;
    let mut schema = parts.pop();
    if into.temporary && schema.is_none() {
        schema = Some(ALIAS.to_owned());
    }
    Ok(Command::CreateTableAs(CreateTableAs {
        name: Name { catalog: parts.pop(), schema, name },
        if_not_exists: false,
        columns: Vec::new(),
        options: Vec::new(),
        on_commit: None,
        query,
        with_data: true,
    }))
}
