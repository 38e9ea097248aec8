//! LIMIT, OFFSET and FETCH.

use datafusion::{
    arrow::datatypes::DataType,
    common::Column,
    functions_window::rank::rank_udwf,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, expr::ScalarFunction},
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    binder::Binder, coerce::Coercion, expression::Clause, names::At, query::Outer, scope::Scope,
    select::Tail,
};
use crate::{
    error::{Error, Result, SqlState},
    types::PgType,
};

impl Binder<'_> {
    /// LIMIT and OFFSET as bigint expressions over nothing.
    pub(super) fn bind_limits(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
    ) -> Result<(Option<Expr>, Option<Expr>)> {
        let mut limit = None;
        let mut offset = None;
        match &query.limit_clause {
            Some(ast::LimitClause::LimitOffset { limit: l, offset: o, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(Error::syntax_error_near("BY"));
                }
                limit = l.as_ref();
                offset = o.as_ref().map(|offset| &offset.value);
            }
            Some(ast::LimitClause::OffsetCommaLimit { .. }) => {
                return Err(Error::syntax_error("LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses."));
            }
            None => {}
        }
        let one = ast::Expr::value(ast::Value::Number("1".to_owned(), false));
        if let Some(fetch) = &query.fetch {
            if fetch.percent {
                return Err(Error::syntax_error_near("PERCENT"));
            }
            // A count that the parser doesn't take there stands as that of LIMIT.
            if !fetch.quantity.as_ref().is_some_and(crate::statement::is_counted_before) {
                limit = Some(fetch.quantity.as_ref().unwrap_or(&one));
            }
        }
        let limit = limit.map(|expr| self.bind_count(expr, "LIMIT", outer)).transpose()?.flatten();
        let offset =
            offset.map(|expr| self.bind_count(expr, "OFFSET", outer)).transpose()?.flatten();
        Ok((limit, offset))
    }

    /// 42P10 where LIMIT or OFFSET names a column of the query, which is there.
    pub(super) fn variable_in_limit(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
    ) -> Option<Error> {
        let ast::SetExpr::Select(select) = query.body.as_ref() else { return None };
        let Some(ast::LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
            return None;
        };
        let from = self.bind_from(&select.from, outer).ok()?;
        let scope = Scope::of(&from, outer);
        let offset = offset.as_ref().map(|offset| &offset.value);
        for (clause, expr) in [("LIMIT", limit.as_ref()), ("OFFSET", offset)] {
            let Some(expr) = expr else { continue };
            let typed = self.expression(expr, &scope, Clause::Limit(clause)).ok()?;
            if !typed.expr.column_refs().is_empty() {
                let message = format!("argument of {clause} must not contain variables");
                let error = Error::new(SqlState::INVALID_COLUMN_REFERENCE, message);
                return Some(error.at_place(self.places.start(expr)));
            }
        }
        None
    }

    /// LIMIT and OFFSET by the numbers of the rows, and WITH TIES by their ranks.
    pub(super) fn counted(
        &mut self,
        plan: LogicalPlan,
        order: &[SortExpr],
        tail: &Tail<'_>,
    ) -> Result<LogicalPlan> {
        if tail.with_ties && order.is_empty() {
            return Err(Error::syntax_error(
                "WITH TIES cannot be specified without ORDER BY clause",
            ));
        }
        if !tail.locks.is_empty() && !tail.with_ties {
            return Err(Error::feature_not_supported(
                "a subquery in LIMIT or OFFSET beside a locking clause is not supported",
            ));
        }
        let columns = plan.schema().columns();
        let (plan, number) = self.row_number(plan, Vec::new(), order.to_vec())?;
        let (plan, rank) = match tail.with_ties {
            true => self.numbered(plan, rank_udwf(), Vec::new(), order.to_vec())?,
            false => (plan, number.clone()),
        };
        let integer = |name: &str| {
            let column = Expr::Column(Column::new_unqualified(name));
            datafusion::logical_expr::cast(column, DataType::Int64)
        };
        let count = |count: &Option<Expr>| {
            count.clone().unwrap_or(Expr::Literal(ScalarValue::Int64(None), None))
        };
        let args = vec![integer(&number), integer(&rank), count(&tail.offset), count(&tail.limit)];
        let within = ScalarFunction::new_udf(crate::functions::within_limits(), args);
        let plan = self.filter(plan, Expr::ScalarFunction(within))?;
        let columns: Vec<Expr> = columns.into_iter().map(Expr::Column).collect();
        Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
    }

    /// `None` for a constant NULL, which means no limit.
    fn bind_count(
        &mut self,
        expr: &ast::Expr,
        clause: &'static str,
        outer: Outer<'_>,
    ) -> Result<Option<Expr>> {
        let place = self.places.start(expr);
        if matches!(expr, ast::Expr::Identifier(ident) if ident.quote_style.is_none()
            && ident.value.eq_ignore_ascii_case("all"))
        {
            return Ok(None);
        }
        let typed = self.expression(expr, &Scope::empty(outer), Clause::Limit(clause))?;
        let from = typed.ty;
        let typed = self.coerce(typed, PgType::INT8, Coercion::Assignment).at_place(place)?;
        let typed = typed.ok_or_else(|| {
            Error::datatype_mismatch(format!(
                "argument of {clause} must be type bigint, not type {}",
                from.name()
            ))
            .at_place(place)
        })?;
        if let Expr::Literal(value, _) = &typed.expr
            && value.is_null()
        {
            return Ok(None);
        }
        Ok(Some(typed.expr))
    }
}
