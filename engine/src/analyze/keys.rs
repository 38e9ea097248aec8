//! Equality and order where the bytes of a value don't tell them.
//!
//! `1.0` and `1.00` are equal and have different bytes; `1 month` and `30 days` as well. Grouping,
//! joining and sorting go by a key made of the value, see `functions::sort_key`.

use datafusion::{
    functions_aggregate::first_last::first_value_udaf,
    logical_expr::{
        Expr, SortExpr,
        expr::{AggregateFunction, ScalarFunction},
    },
    sql::sqlparser::ast,
};

use crate::{
    error::{Error, Result, SqlState},
    functions::sort_key,
    types::{Oid, PgType},
};

/// Whether values of a type are grouped by something else than themselves.
pub(super) fn needs_key(ty: PgType) -> bool {
    sort_key(ty).is_some()
}

/// What stands for a value in equality and order.
pub(super) fn key(expr: Expr, ty: PgType) -> Result<Expr> {
    check_groupable(ty)?;
    Ok(match sort_key(ty) {
        Some(udf) => Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![expr])),
        None => expr,
    })
}

/// 42883 for types without equality.
pub(super) fn check_groupable(ty: PgType) -> Result<()> {
    match ty.element().unwrap_or(ty).oid {
        Oid::RECORD => {
            Err(Error::feature_not_supported("rows as values can't be compared, sorted or grouped")
                .with_hint("Use the columns of the row."))
        }
        Oid::JSON | Oid::JSONPATH => Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an equality operator for type {}", ty.name()),
        )),
        _ => Ok(()),
    }
}

/// A sort item by PostgreSQL's order; NULLs are greater than everything.
pub(super) fn sort(expr: Expr, ty: PgType, options: &ast::OrderByOptions) -> Result<SortExpr> {
    let ascending = options.asc.unwrap_or(true);
    let nulls_first = options.nulls_first.unwrap_or(!ascending);
    Ok(sort_key_expr(expr, ty)?.sort(ascending, nulls_first))
}

/// What to sort by in place of a value.
pub(super) fn sort_key_expr(expr: Expr, ty: PgType) -> Result<Expr> {
    if let Err(error) = check_groupable(ty) {
        if error.sqlstate == SqlState::FEATURE_NOT_SUPPORTED {
            return Err(error);
        }
        return Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an ordering operator for type {}", ty.name()),
        )
        .with_hint("Use an explicit ordering operator or modify the query."));
    }
    key(expr, ty)
}

/// The value of any one row of a group.
pub(super) fn first_value(expr: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        vec![expr],
        false,
        None,
        Vec::new(),
        None,
    ))
}
