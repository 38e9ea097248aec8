//! What the rows of a subquery are compared with.
//!
//! `left op ANY (SELECT ...)` is a subquery that refers to `left` by a column's name. Where `left`
//! is more than a column of the query around it, both stand together in one node, so that what
//! rewrites expressions (groups, windows) sees `left` where it is: outside of the subquery.
//! [`Binder::place`] makes a column of it below.

use datafusion::{
    arrow::datatypes::{DataType, Field},
    common::{Column, Result as DataFusionResult, tree_node::TreeNode},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        expr::ScalarFunction,
    },
};
use std::sync::Arc;

use super::{
    binder::{Binder, Typed},
    once::Once,
    scope,
    subquery::has_subquery,
};
use crate::error::{Error, Result};

/// Values by the names under which a subquery refers to them.
pub(super) type Named = Vec<(String, Expr)>;

impl Binder<'_> {
    /// A value as a subquery beside it refers to it; what has to be computed for that goes into
    /// `beside`.
    pub(super) fn seen_inside(&mut self, value: Typed, beside: &mut Named) -> Result<Typed> {
        let stays = match &value.expr {
            Expr::Column(_) => {
                return Ok(Typed::new(scope::outer(value.expr, value.ty)?, value.ty));
            }
            expr => !depends_on_row(expr)?,
        };
        if stays {
            return Ok(value);
        }
        let name = self.fresh();
        let field = Arc::new(Field::new(&name, value.ty.arrow()?, true));
        let column = Expr::OuterReferenceColumn(field, Column::new_unqualified(&name));
        beside.push((name, value.expr));
        Ok(Typed::new(column, value.ty))
    }
}

/// Whether an expression can't be written down inside a subquery as it is.
fn depends_on_row(expr: &Expr) -> Result<bool> {
    let is_bound = |node: &Expr| {
        let is_above =
            matches!(node, Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Unnest(_));
        Ok(is_above || matches!(node, Expr::Column(_)))
    };
    Ok(expr.is_volatile() || has_subquery(expr) || expr.exists(is_bound)?)
}

/// A subquery node with the values it is compared with.
pub(super) struct Comparison {
    /// It refers to the values.
    pub(super) subquery: Expr,
    pub(super) beside: Named,
    /// How to do the same with a subquery that runs once.
    pub(super) once: Option<Once>,
}

impl Comparison {
    /// As one node.
    pub(super) fn into_expr(self) -> Expr {
        let Comparison { subquery, beside, once } = self;
        if beside.is_empty() {
            return subquery;
        }
        let (names, values): (Vec<String>, Vec<Expr>) = beside.into_iter().unzip();
        let signature = Signature::variadic_any(Volatility::Immutable);
        let udf = ScalarUDF::new_from_impl(Compared { names, once, signature });
        let args = std::iter::once(subquery).chain(values).collect();
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf), args))
    }

    /// What a node was made of; another node comes back.
    pub(super) fn from_expr(expr: Expr) -> Result<Self, Expr> {
        let Expr::ScalarFunction(call) = &expr else { return Err(expr) };
        let Some(compared) = call.func.inner().downcast_ref::<Compared>() else {
            return Err(expr);
        };
        let mut args = call.args.iter().cloned();
        let subquery = args.next().expect("a subquery was put first");
        let beside = compared.names.iter().cloned().zip(args).collect();
        Ok(Comparison { subquery, beside, once: compared.once.clone() })
    }
}

/// The names of the values that a node compares a subquery with.
pub(super) fn compared_names(expr: &Expr) -> Option<&[String]> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let compared = call.func.inner().downcast_ref::<Compared>()?;
    Some(&compared.names)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Compared {
    names: Vec<String>,
    once: Option<Once>,
    signature: Signature,
}

impl ScalarUDFImpl for Compared {
    fn name(&self) -> &'static str {
        "compared"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        Err(Error::internal("a comparison with a subquery was left in a plan").into())
    }
}
