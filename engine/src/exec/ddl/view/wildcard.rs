//! Writing out every `*` of a query.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast;

use crate::{
    catalog::part::{CatalogView, quote_identifier},
    error::{Error, Result},
};

/// Names of the columns of something in FROM.
struct Item {
    /// What its columns are qualified with.
    alias: String,
    columns: Vec<String>,
}

type Ctes = HashMap<String, Vec<String>>;

/// Writes out every `*` in `query`.
///
/// # Errors
/// 0A000 where FROM holds something whose columns have no known names.
pub(super) fn expand(view: &CatalogView, query: &mut ast::Query, path: &[String]) -> Result<()> {
    let expander = Expander { view, path };
    expander.query(query, &Ctes::new()).map(|_| ())
}

struct Expander<'a> {
    view: &'a CatalogView,
    path: &'a [String],
}

impl Expander<'_> {
    /// Returns the names of the query's columns, `?column?` where they aren't known.
    fn query(&self, query: &mut ast::Query, outer: &Ctes) -> Result<Vec<String>> {
        let mut ctes = outer.clone();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = fold(&cte.alias.name);
                let aliases: Vec<String> =
                    cte.alias.columns.iter().map(|column| fold(&column.name)).collect();
                if with.recursive {
                    ctes.insert(name.clone(), aliases.clone());
                }
                let columns = self.query(&mut cte.query, &ctes)?;
                ctes.insert(name, renamed(columns, &aliases));
            }
        }
        self.set(&mut query.body, &ctes)
    }

    fn set(&self, body: &mut ast::SetExpr, ctes: &Ctes) -> Result<Vec<String>> {
        match body {
            ast::SetExpr::Select(select) => self.select(select, ctes),
            ast::SetExpr::Query(query) => self.query(query, ctes),
            ast::SetExpr::SetOperation { left, right, .. } => {
                let columns = self.set(left, ctes)?;
                self.set(right, ctes)?;
                Ok(columns)
            }
            ast::SetExpr::Values(values) => {
                let count = values.rows.first().map_or(0, |row| row.len());
                Ok((1..=count).map(|n| format!("column{n}")).collect())
            }
            _ => Err(Error::feature_not_supported("a view's query must be a SELECT")),
        }
    }

    fn select(&self, select: &mut ast::Select, ctes: &Ctes) -> Result<Vec<String>> {
        let mut items = Vec::new();
        for table in &mut select.from {
            items.extend(self.joined(table, ctes)?);
        }
        let (mut projection, mut names) = (Vec::new(), Vec::new());
        for item in std::mem::take(&mut select.projection) {
            match &item {
                ast::SelectItem::Wildcard(_) => {
                    let all = wildcard(&items, None)?;
                    for (alias, column) in all {
                        projection.push(qualified(&alias, &column));
                        names.push(column);
                    }
                }
                ast::SelectItem::QualifiedWildcard(
                    ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let alias = name.0.last().and_then(|part| part.as_ident()).map(fold);
                    let alias = alias.unwrap_or_default();
                    for (alias, column) in wildcard(&items, Some(&alias))? {
                        projection.push(qualified(&alias, &column));
                        names.push(column);
                    }
                }
                ast::SelectItem::ExprWithAlias { alias, .. } => {
                    names.push(fold(alias));
                    projection.push(item);
                }
                ast::SelectItem::UnnamedExpr(expr) => {
                    names.push(match expr {
                        ast::Expr::Identifier(ident) => fold(ident),
                        ast::Expr::CompoundIdentifier(parts) => {
                            parts.last().map(fold).unwrap_or_default()
                        }
                        ast::Expr::Function(function) => function
                            .name
                            .0
                            .last()
                            .and_then(|part| part.as_ident())
                            .map(fold)
                            .unwrap_or_default(),
                        _ => "?column?".to_owned(),
                    });
                    projection.push(item);
                }
                _ => return Err(unknown()),
            }
        }
        select.projection = projection;
        Ok(names)
    }

    fn joined(&self, table: &mut ast::TableWithJoins, ctes: &Ctes) -> Result<Vec<Item>> {
        let mut items = vec![self.factor(&mut table.relation, ctes)?];
        for join in &mut table.joins {
            let merged = !matches!(
                constraint(&join.join_operator),
                None | Some(ast::JoinConstraint::On(_) | ast::JoinConstraint::None)
            );
            let item = self.factor(&mut join.relation, ctes)?;
            items.push(item);
            if merged {
                // USING and NATURAL merge columns; a `*` over them isn't the columns in a row.
                items.push(Item { alias: String::new(), columns: Vec::new() });
            }
        }
        Ok(items)
    }

    fn factor(&self, factor: &mut ast::TableFactor, ctes: &Ctes) -> Result<Item> {
        match factor {
            ast::TableFactor::Table { name, alias, args: None, .. } => {
                let parts: Vec<String> =
                    name.0.iter().filter_map(|part| part.as_ident()).map(fold).collect();
                let (schema, table) = match parts.as_slice() {
                    [table] => (None, table),
                    [.., schema, table] => (Some(schema.as_str()), table),
                    [] => return Err(unknown()),
                };
                let columns = match (schema, ctes.get(table)) {
                    (None, Some(columns)) => columns.clone(),
                    _ => {
                        let relation = self.view.relation(schema, table, self.path)?;
                        relation.shown_columns().map(|(_, column)| column.name.clone()).collect()
                    }
                };
                Ok(item(alias.as_ref(), table, columns))
            }
            ast::TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery, ctes)?;
                Ok(item(alias.as_ref(), "", columns))
            }
            // Only a `*` over these needs to know more.
            other => {
                let alias = other_alias(other);
                Ok(Item { alias, columns: Vec::new() })
            }
        }
    }
}

fn other_alias(factor: &ast::TableFactor) -> String {
    match factor {
        ast::TableFactor::Function { alias: Some(alias), .. }
        | ast::TableFactor::TableFunction { alias: Some(alias), .. }
        | ast::TableFactor::UNNEST { alias: Some(alias), .. }
        | ast::TableFactor::Table { alias: Some(alias), .. } => fold(&alias.name),
        _ => String::new(),
    }
}

fn constraint(operator: &ast::JoinOperator) -> Option<&ast::JoinConstraint> {
    use ast::JoinOperator as J;
    match operator {
        J::Join(c)
        | J::Inner(c)
        | J::Left(c)
        | J::LeftOuter(c)
        | J::Right(c)
        | J::RightOuter(c)
        | J::FullOuter(c)
        | J::CrossJoin(c) => Some(c),
        _ => None,
    }
}

fn item(alias: Option<&ast::TableAlias>, name: &str, columns: Vec<String>) -> Item {
    match alias {
        Some(alias) => {
            let given: Vec<String> =
                alias.columns.iter().map(|column| fold(&column.name)).collect();
            Item { alias: fold(&alias.name), columns: renamed(columns, &given) }
        }
        None => Item { alias: name.to_owned(), columns },
    }
}

fn renamed(mut columns: Vec<String>, given: &[String]) -> Vec<String> {
    for (column, name) in columns.iter_mut().zip(given) {
        column.clone_from(name);
    }
    if columns.len() < given.len() { given.to_vec() } else { columns }
}

fn wildcard(items: &[Item], of: Option<&str>) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for item in items.iter().filter(|item| of.is_none_or(|alias| item.alias == alias)) {
        if item.columns.is_empty() {
            return Err(unknown());
        }
        for column in &item.columns {
            if column == "?column?" {
                return Err(unknown());
            }
            all.push((item.alias.clone(), column.clone()));
        }
    }
    if all.is_empty() {
        return Err(unknown());
    }
    Ok(all)
}

fn unknown() -> Error {
    Error::feature_not_supported(
        "SELECT * over this FROM clause is not supported in a view; name the columns",
    )
}

fn qualified(alias: &str, column: &str) -> ast::SelectItem {
    let mut parts = vec![ident(alias), ident(column)];
    if alias.is_empty() {
        parts.remove(0);
    }
    ast::SelectItem::UnnamedExpr(match parts.as_slice() {
        [one] => ast::Expr::Identifier(one.clone()),
        _ => ast::Expr::CompoundIdentifier(parts),
    })
}

fn ident(name: &str) -> ast::Ident {
    if quote_identifier(name).starts_with('"') {
        ast::Ident::with_quote('"', name)
    } else {
        ast::Ident::new(name)
    }
}

fn fold(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
