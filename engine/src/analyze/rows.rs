//! Whole rows as the arguments of calls: `row_to_json(t)`, `count(t.*)`, `ROW(t.*)`.

use datafusion::{
    logical_expr::{Case, Expr},
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    names::At,
    scope::Scope,
};
use crate::error::{Error, Result};

/// A row's columns with their names, and the expression that is NULL where there is no row.
pub(super) type NamedMembers = (Vec<(String, Typed)>, Option<Expr>);

impl Binder<'_> {
    /// `t.*` as an argument: the whole row.
    pub(super) fn wildcard_argument(
        &mut self,
        table: &ast::ObjectName,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let place = self.places.start(table);
        let (table, depth) = wildcard_table(table, scope).at_place(place)?;
        self.whole_row(table, depth).at_place(place)
    }

    /// The columns of a table that is named, or of `ROW(...)`, with their names, and what is NULL
    /// where the row isn't there; `None` for what is no row.
    pub(super) fn named_members(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Option<NamedMembers>> {
        let numbered = |members: Vec<Typed>| {
            let name = |(i, member)| (format!("f{}", i + 1), member);
            Some((members.into_iter().enumerate().map(name).collect(), None))
        };
        match expr {
            ast::Expr::Nested(inner) => return self.named_members(inner, scope, clause),
            ast::Expr::Tuple(members) => {
                let members = members.iter().map(|member| {
                    let member = self.expression(member, scope, clause)?;
                    self.resolve_unknown(member)
                });
                return Ok(numbered(members.collect::<Result<_>>()?));
            }
            ast::Expr::Function(function) => {
                let place = self.places.start(expr);
                return match &function.args {
                    ast::FunctionArguments::List(list) if self.is_row(function) => {
                        let members = self.row_members(list, scope, clause, place)?.into_iter();
                        let members = members.map(|member| self.resolve_unknown(member));
                        Ok(numbered(members.collect::<Result<_>>()?))
                    }
                    _ => Ok(None),
                };
            }
            _ => {}
        }
        let Some((table, depth)) = self.row_named(expr, scope)? else { return Ok(None) };
        let names = table.member_names().into_iter();
        let (members, key) = super::expression::row_of(table, depth)?;
        Ok(Some((names.zip(members).collect(), key)))
    }

    fn is_row(&self, function: &ast::Function) -> bool {
        function.name.0.len() == 1 && self.function_name(&function.name).is_ok_and(|n| n == "row")
    }

    /// The members of `ROW(a, t.*)`.
    pub(super) fn row_members(
        &mut self,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Vec<Typed>> {
        let mut members = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            match arg {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => {
                    members.push(self.expression(expr, scope, clause)?);
                }
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::QualifiedWildcard(table)) => {
                    let place = self.places.start(table);
                    let (table, depth) = wildcard_table(table, scope).at_place(place)?;
                    members.extend(super::expression::row_of(table, depth)?.0);
                }
                _ => return Err(Error::syntax_error_near("row").at_place(place)),
            }
        }
        Ok(members)
    }
}

/// NULL where `key` is: an outer join found no row there.
pub(super) fn where_present(value: Typed, key: Option<Expr>) -> Result<Typed> {
    let Some(key) = key else { return Ok(value) };
    let null = Expr::Literal(ScalarValue::try_from(&value.ty.arrow()?)?, None);
    let pairs = vec![(Box::new(key.is_not_null()), Box::new(value.expr))];
    Ok(Typed::new(Expr::Case(Case::new(None, pairs, Some(Box::new(null)))), value.ty))
}

/// The table that `t.*` means, and how many levels out it is.
fn wildcard_table<'s>(
    name: &ast::ObjectName,
    scope: &Scope<'s>,
) -> Result<(&'s super::scope::ScopeTable, usize)> {
    let mut parts = super::names::parts(name)?;
    let table = parts.pop().unwrap_or_default();
    let found = scope.table(parts.pop().as_deref(), &table)?;
    found.ok_or_else(|| scope.missing_table(&table))
}
