//! OVER: window definitions.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    logical_expr::{
        Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, WindowFrame,
        expr::{ScalarFunction, WindowFunctionParams},
    },
    sql::sqlparser::ast,
};

use super::{
    binder::Binder,
    expression::Clause,
    frames::{ComputedFrame, Framing},
    lower::Below,
    names::{At, fold},
    scope::Scope,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::{
        Volatility,
        kernel::{Kernel, scalar_udf, total},
    },
};

impl Binder<'_> {
    /// Partition, order and frame of a window; arguments are filled in by the caller.
    pub(super) fn window_params(
        &mut self,
        window: &ast::WindowType,
        scope: &Scope<'_>,
    ) -> Result<(WindowFunctionParams, Option<ComputedFrame>)> {
        let spec = match window {
            ast::WindowType::NamedWindow(name) => self.named_window(name)?,
            ast::WindowType::WindowSpec(spec) => self.inherited(spec)?,
        };
        let mut partition_by = Vec::with_capacity(spec.partition_by.len());
        for expr in &spec.partition_by {
            let typed = self.expression(expr, scope, Clause::Window)?;
            let typed = self.resolve_unknown(typed)?;
            partition_by
                .push(super::keys::key(typed.expr, typed.ty).at_place(self.places.start(expr))?);
        }
        let mut order_by = Vec::with_capacity(spec.order_by.len());
        let mut first = None;
        for item in &spec.order_by {
            let typed = self.expression(&item.expr, scope, Clause::Window)?;
            let typed = self.resolve_unknown(typed)?;
            first.get_or_insert_with(|| typed.clone());
            order_by.push(
                super::keys::sort(typed.expr, typed.ty, &item.options)
                    .at_place(self.places.start(&item.expr))?,
            );
        }
        let standard = WindowFrame::new((!order_by.is_empty()).then_some(false));
        let (window_frame, computed) = match &spec.window_frame {
            None => (standard, None),
            Some(frame) => match self.frame(frame, &order_by, first, scope)? {
                Framing::Native(frame) => (frame, None),
                Framing::Computed(frame) => (standard, Some(frame)),
            },
        };
        let params = WindowFunctionParams {
            args: Vec::new(),
            partition_by,
            order_by,
            window_frame,
            filter: None,
            null_treatment: None,
            distinct: false,
        };
        Ok((params, computed))
    }

    fn named_window(&mut self, name: &ast::Ident) -> Result<ast::WindowSpec> {
        let wanted = fold(name);
        let found = self.windows.iter().find(|definition| fold(&definition.0) == wanted).cloned();
        match found.map(|definition| definition.1) {
            Some(ast::NamedWindowExpr::WindowSpec(spec)) => self.inherited(&spec),
            Some(ast::NamedWindowExpr::NamedWindow(other)) if fold(&other) != wanted => {
                self.nested(|binder| binder.named_window(&other))
            }
            _ => Err(Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("window \"{wanted}\" does not exist"),
            )
            .at_place(self.places.span(name.span))),
        }
    }

    /// A definition that may begin with the name of another.
    fn inherited(&mut self, spec: &ast::WindowSpec) -> Result<ast::WindowSpec> {
        let Some(name) = &spec.window_name else { return Ok(spec.clone()) };
        let base = self.nested(|binder| binder.named_window(name))?;
        let windowing = |message: String| Error::new(SqlState::WINDOWING_ERROR, message);
        let name = fold(name);
        if !spec.partition_by.is_empty() {
            return Err(windowing(format!(
                "cannot override PARTITION BY clause of window \"{name}\""
            )));
        }
        if !spec.order_by.is_empty() && !base.order_by.is_empty() {
            return Err(windowing(format!("cannot override ORDER BY clause of window \"{name}\"")));
        }
        if base.window_frame.is_some() {
            let error =
                windowing(format!("cannot copy window \"{name}\" because it has a frame clause"));
            return Err(match spec.order_by.is_empty() && spec.window_frame.is_none() {
                true => error.with_hint("Omit the parentheses in this OVER clause."),
                false => error,
            });
        }
        Ok(ast::WindowSpec {
            window_name: None,
            partition_by: base.partition_by,
            order_by: match spec.order_by.is_empty() {
                true => base.order_by,
                false => spec.order_by.clone(),
            },
            window_frame: spec.window_frame.clone(),
        })
    }

    /// Computes the window functions in `exprs` below them.
    pub(super) fn place_windows(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut functions: Vec<Expr> = Vec::new();
        for expr in &exprs {
            expr.apply(|node| {
                if matches!(node, Expr::WindowFunction(_)) && !functions.contains(node) {
                    functions.push(node.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if functions.is_empty() {
            return Ok((plan, exprs));
        }
        let (plan, placed) = self.place(plan, functions.clone(), Below::Other)?;
        let (mut plan, keyed) = self.key_columns(plan, placed)?;
        let mut computed = Vec::with_capacity(functions.len());
        for function in keyed {
            let Expr::WindowFunction(mut function) = function else { continue };
            let partition_by = std::mem::take(&mut function.params.partition_by);
            (plan, function.params.partition_by) = self.partitions_apart(plan, partition_by)?;
            computed.push(Expr::WindowFunction(function));
        }
        let plan = LogicalPlanBuilder::window_plan(plan, computed.clone())?;
        let exprs = exprs
            .into_iter()
            .map(|expr| {
                Ok(expr
                    .transform_down(|node| match functions.iter().position(|f| *f == node) {
                        Some(place) => {
                            let name = computed[place].schema_name().to_string();
                            let column = datafusion::common::Column::new_unqualified(name);
                            Ok(Transformed::yes(Expr::Column(column)))
                        }
                        None => Ok(Transformed::no(node)),
                    })?
                    .data)
            })
            .collect::<Result<Vec<Expr>>>()?;
        Ok((plan, exprs))
    }

    /// Makes columns of what windows are partitioned and ordered by. DataFusion doesn't know again
    /// what it has sorted by when that is computed.
    fn key_columns(
        &mut self,
        plan: LogicalPlan,
        mut functions: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut known: Vec<(Expr, String)> = Vec::new();
        for function in &mut functions {
            let Expr::WindowFunction(function) = function else { continue };
            let params = &mut function.params;
            let orders = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            for key in params.partition_by.iter_mut().chain(orders) {
                if matches!(key, Expr::Column(_) | Expr::Literal(..)) {
                    continue;
                }
                let name = match known.iter().find(|(expr, _)| expr == key) {
                    Some((_, name)) => name.clone(),
                    None => {
                        known.push((key.clone(), self.fresh()));
                        known[known.len() - 1].1.clone()
                    }
                };
                *key = Expr::Column(datafusion::common::Column::new_unqualified(name));
            }
        }
        let added = known.into_iter().map(|(expr, name)| expr.alias(name)).collect();
        Ok((super::grouping::with_columns(plan, added)?, functions))
    }

    /// What several keys partition by, so that DataFusion sorts by it. Over groups it takes an order
    /// of some of the keys for one of all, and finds out when it runs.
    pub(super) fn partitions_apart(
        &mut self,
        plan: LogicalPlan,
        partition_by: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let is_grouped = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::Aggregate(_)));
        if partition_by.len() < 2 || !plan.exists(is_grouped)? {
            return Ok((plan, partition_by));
        }
        let mut all: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let mut keys = Vec::with_capacity(partition_by.len());
        for key in partition_by {
            let name = self.fresh();
            let ty = key.get_type(plan.schema())?;
            let key = Expr::ScalarFunction(ScalarFunction::new_udf(itself(ty), vec![key]));
            all.push(key.alias(&name));
            keys.push(Expr::Column(datafusion::common::Column::new_unqualified(name)));
        }
        Ok((LogicalPlanBuilder::from(plan).project(all)?.build()?, keys))
    }
}

/// A function that gives its argument, of whose order nothing is known.
fn itself(ty: DataType) -> Arc<ScalarUDF> {
    let kernel: Kernel = Arc::new(|call| call.args[0].expanded(call.rows));
    let id = format!("itself({ty})");
    total(&scalar_udf(&id, vec![ty.clone()], ty, Volatility::Immutable, true, kernel))
}
