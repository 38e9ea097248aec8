//! Whole rows as the arguments of calls: `row_to_json(t)`, `count(t.*)`, `ROW(t.*)`.

use datafusion::{
    logical_expr::{Case, Expr},
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    literals,
    names::At,
    scope::Scope,
};
use crate::{
    error::{Error, Result},
    types::PgType,
};

/// A row's columns with their names, and the expression that is NULL where there is no row.
pub(super) type NamedMembers = (Vec<(String, Typed)>, Option<Expr>);

impl Binder<'_> {
    /// `t.*` as an argument: the whole row.
    pub(super) fn wildcard_argument(
        &mut self,
        function: &str,
        table: &ast::ObjectName,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(table);
        let alias = super::names::parts(table)?.pop().unwrap_or_default();
        let expr = ast::Expr::Identifier(ast::Ident::with_quote('"', alias));
        if let Some(value) = self.row_argument(function, &expr, scope, clause)? {
            return Ok(value);
        }
        let (table, depth) = wildcard_table(table, scope).at_place(place)?;
        check_presence(table, depth).at_place(place)?;
        self.whole_row(table, depth).at_place(place)
    }

    /// A table's name, or ROW(...), as the argument of a function that turns rows into JSON.
    pub(super) fn row_argument(
        &mut self,
        function: &str,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Option<Typed>> {
        const ROW_FUNCTIONS: [&str; 5] =
            ["row_to_json", "to_json", "json_agg", "to_jsonb", "jsonb_agg"];
        if !ROW_FUNCTIONS.contains(&function) {
            return Ok(None);
        }
        let place = self.places.start(expr);
        let Some((columns, key)) = self.named_members(expr, scope, clause)? else {
            return Ok(None);
        };
        let json = match function {
            "json_agg" => {
                let row = self.row_as_json(columns, ",", place)?;
                Typed::new(row.expr, crate::functions::json::ROW_AS_JSON)
            }
            "row_to_json" | "to_json" => self.row_as_json(columns, ",", place)?,
            _ => {
                let values = columns
                    .into_iter()
                    .flat_map(|(name, value)| [literals::text(&name), value])
                    .collect();
                self.call("jsonb_build_object", values, place)?
            }
        };
        where_present(json, key).map(Some)
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
        let names = table.columns.iter().map(|column| column.name.clone());
        let (members, key) = super::expression::row_of(table, depth)?;
        Ok(Some((names.zip(members).collect(), key.filter(|_| table.nullable))))
    }

    fn is_row(&self, function: &ast::Function) -> bool {
        function.name.0.len() == 1 && self.function_name(&function.name).is_ok_and(|n| n == "row")
    }

    /// `{"a":1,"b":"x"}`: the form that PostgreSQL gives to rows.
    fn row_as_json(
        &mut self,
        columns: Vec<(String, Typed)>,
        separator: &str,
        place: Option<u32>,
    ) -> Result<Typed> {
        let mut text = literals::text("{");
        for (i, (name, value)) in columns.into_iter().enumerate() {
            let key = serde_json::Value::String(name).to_string();
            let comma = if i == 0 { "" } else { separator };
            text = self.operator("||", text, literals::text(&format!("{comma}{key}:")), place)?;
            let json = self.call("to_json", vec![value], place)?;
            let json = self.cast(json, PgType::TEXT)?;
            let null = literals::text("null");
            let pairs = vec![(Box::new(json.expr.clone().is_not_null()), Box::new(json.expr))];
            let json = Expr::Case(Case::new(None, pairs, Some(Box::new(null.expr))));
            text = self.operator("||", text, Typed::new(json, PgType::TEXT), place)?;
        }
        let text = self.operator("||", text, literals::text("}"), place)?;
        // Text of this form is json already.
        Ok(Typed::new(text.expr, PgType::JSON))
    }

    /// `row_to_json(row [, in lines])`; the flag must be written out.
    pub(super) fn row_to_json(
        &mut self,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Option<Typed>> {
        use ast::{FunctionArg::Unnamed, FunctionArgExpr::Expr as Plain};
        let (row, separator) = match list.args.as_slice() {
            [Unnamed(Plain(row))] => (row, ","),
            [Unnamed(Plain(row)), Unnamed(Plain(ast::Expr::Value(flag)))] => match flag.value {
                ast::Value::Boolean(true) => (row, ",\n "),
                ast::Value::Boolean(false) => (row, ","),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some((columns, key)) = self.named_members(row, scope, clause)? else {
            return Ok(None);
        };
        let json = self.row_as_json(columns, separator, place)?;
        where_present(json, key).map(Some)
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

/// 0A000 for the row of a subquery that an outer join may miss: nothing tells whether it is there.
pub(super) fn check_presence(table: &super::scope::ScopeTable, depth: usize) -> Result<()> {
    match table.nullable && super::expression::row_of(table, depth)?.1.is_none() {
        true => Err(Error::feature_not_supported(
            "counting the rows of a subquery on the nullable side of an outer join is not supported",
        )),
        false => Ok(()),
    }
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
