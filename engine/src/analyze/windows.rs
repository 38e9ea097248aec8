//! OVER: window definitions and frames.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    logical_expr::{
        Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, WindowFrame,
        WindowFrameBound, WindowFrameUnits,
        expr::{ScalarFunction, WindowFunctionParams},
    },
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    coerce::Coercion,
    expression::Clause,
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
    types::{Oid, PgType},
};

impl Binder<'_> {
    /// Partition, order and frame of a window; arguments are filled in by the caller.
    pub(super) fn window_params(
        &mut self,
        window: &ast::WindowType,
        scope: &Scope<'_>,
    ) -> Result<WindowFunctionParams> {
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
        let mut order_type = None;
        for item in &spec.order_by {
            let typed = self.expression(&item.expr, scope, Clause::Window)?;
            let mut typed = self.resolve_unknown(typed)?;
            order_type = Some(typed.ty);
            if spec.window_frame.as_ref().is_some_and(has_range_offset) {
                typed = self.movable(typed)?;
            }
            order_by.push(
                super::keys::sort(typed.expr, typed.ty, &item.options)
                    .at_place(self.places.start(&item.expr))?,
            );
        }
        let window_frame = match &spec.window_frame {
            None => WindowFrame::new((!order_by.is_empty()).then_some(false)),
            Some(frame) => self.frame(frame, order_by.len(), order_type)?,
        };
        Ok(WindowFunctionParams {
            args: Vec::new(),
            partition_by,
            order_by,
            window_frame,
            filter: None,
            null_treatment: None,
            distinct: false,
        })
    }

    /// A value in the type in which an offset is added to it: dates move as timestamps do.
    fn movable(&mut self, typed: Typed) -> Result<Typed> {
        match typed.ty.oid {
            Oid::DATE => self.cast(typed, PgType::TIMESTAMP),
            Oid::FLOAT4 => self.cast(typed, PgType::FLOAT8),
            _ => Ok(typed),
        }
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
            return Err(windowing(format!(
                "cannot copy window \"{name}\" because it has a frame clause"
            )));
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

    fn frame(
        &mut self,
        frame: &ast::WindowFrame,
        order_columns: usize,
        order_type: Option<PgType>,
    ) -> Result<WindowFrame> {
        let units = match frame.units {
            ast::WindowFrameUnits::Rows => WindowFrameUnits::Rows,
            ast::WindowFrameUnits::Range => WindowFrameUnits::Range,
            ast::WindowFrameUnits::Groups => WindowFrameUnits::Groups,
        };
        let windowing = |message: &str| Err(Error::new(SqlState::WINDOWING_ERROR, message));
        if units == WindowFrameUnits::Groups && order_columns == 0 {
            return windowing("GROUPS mode requires an ORDER BY clause");
        }
        if has_range_offset(frame) && order_columns != 1 {
            return windowing(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
            );
        }
        if matches!(frame.start_bound, ast::WindowFrameBound::Following(None)) {
            return windowing("frame start cannot be UNBOUNDED FOLLOWING");
        }
        if matches!(frame.end_bound, Some(ast::WindowFrameBound::Preceding(None))) {
            return windowing("frame end cannot be UNBOUNDED PRECEDING");
        }
        let start = self.bound(&frame.start_bound, units, order_type, "starting")?;
        let end = match &frame.end_bound {
            Some(bound) => self.bound(bound, units, order_type, "ending")?,
            None => WindowFrameBound::CurrentRow,
        };
        match (&start, &end) {
            (WindowFrameBound::CurrentRow, WindowFrameBound::Preceding(_)) => {
                return windowing("frame starting from current row cannot have preceding rows");
            }
            (WindowFrameBound::Following(_), WindowFrameBound::Preceding(_))
            | (WindowFrameBound::Following(_), WindowFrameBound::CurrentRow) => {
                return windowing("frame starting from following row cannot have preceding rows");
            }
            _ => {}
        }
        if units == WindowFrameUnits::Range && order_columns == 0 {
            // All rows are peers.
            return Ok(WindowFrame::new(None));
        }
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        units: WindowFrameUnits,
        order_type: Option<PgType>,
        side: &str,
    ) -> Result<WindowFrameBound> {
        Ok(match bound {
            ast::WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            ast::WindowFrameBound::Preceding(None) => {
                WindowFrameBound::Preceding(ScalarValue::UInt64(None))
            }
            ast::WindowFrameBound::Following(None) => {
                WindowFrameBound::Following(ScalarValue::UInt64(None))
            }
            ast::WindowFrameBound::Preceding(Some(offset)) => {
                WindowFrameBound::Preceding(self.offset(offset, units, order_type, side)?)
            }
            ast::WindowFrameBound::Following(Some(offset)) => {
                WindowFrameBound::Following(self.offset(offset, units, order_type, side)?)
            }
        })
    }

    /// The value of an offset, which is the same for all rows; `side` is the word for messages.
    fn offset(
        &mut self,
        offset: &ast::Expr,
        units: WindowFrameUnits,
        order_type: Option<PgType>,
        side: &str,
    ) -> Result<ScalarValue> {
        let place = self.places.start(offset);
        let typed = self.expression(offset, &Scope::empty(None), Clause::Window)?;
        let given = typed.ty;
        let ty = match (units, order_type) {
            (WindowFrameUnits::Rows | WindowFrameUnits::Groups, _) => PgType::INT8,
            (WindowFrameUnits::Range, Some(ty)) => range_offset_type(ty).at_place(place)?,
            (WindowFrameUnits::Range, None) => {
                return Err(Error::internal("a range frame without order"));
            }
        };
        let value = match span_text(offset).filter(|_| ty == PgType::INTERVAL) {
            Some(text) => {
                let settings = crate::types::FormatSettings::default();
                crate::types::input_scalar(ty, text, &settings).at_place(place)?
            }
            None => {
                let typed = self.coerce(typed, ty, Coercion::Assignment).at_place(place)?;
                let Some(Typed { expr, .. }) = typed else {
                    return Err(offset_mismatch(units, order_type, given).at_place(place));
                };
                if has_parameter(&expr)? {
                    let message = "a parameter as the offset of a window frame is not supported";
                    return Err(Error::feature_not_supported(message).at_place(place));
                }
                crate::plan::constant(&expr).map_err(|error| match error.sqlstate {
                    SqlState::INTERNAL_ERROR => Error::feature_not_supported(
                        "an offset of a window frame that depends on settings is not supported",
                    )
                    .at_place(place),
                    _ => error,
                })?
            }
        };
        if value.is_null() {
            let message = format!("frame {side} offset must not be null");
            return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        let size =
            |message: String| Error::new(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message);
        let invalid = || size("invalid preceding or following size in window function".to_owned());
        match (units, &value) {
            (WindowFrameUnits::Rows | WindowFrameUnits::Groups, ScalarValue::Int64(Some(n))) => {
                let n = u64::try_from(*n)
                    .map_err(|_| size(format!("frame {side} offset must not be negative")))?;
                Ok(ScalarValue::UInt64(Some(n)))
            }
            _ if is_negative(&value) => Err(invalid()),
            _ => Ok(value),
        }
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

/// Whether a bound is so and so far from the current row's value.
fn has_range_offset(frame: &ast::WindowFrame) -> bool {
    let is_offset = |bound: &ast::WindowFrameBound| {
        matches!(
            bound,
            ast::WindowFrameBound::Preceding(Some(_)) | ast::WindowFrameBound::Following(Some(_))
        )
    };
    frame.units == ast::WindowFrameUnits::Range
        && (is_offset(&frame.start_bound) || frame.end_bound.as_ref().is_some_and(is_offset))
}

/// The type of what is added to a column of a type.
fn range_offset_type(column: PgType) -> Result<PgType> {
    Ok(match column.oid {
        Oid::INT2 | Oid::INT4 | Oid::INT8 => column,
        Oid::FLOAT4 | Oid::FLOAT8 => PgType::FLOAT8,
        Oid::DATE | Oid::TIMESTAMP | Oid::TIMESTAMPTZ => PgType::INTERVAL,
        _ => {
            return Err(Error::feature_not_supported(format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                column.name()
            )));
        }
    })
}

fn offset_mismatch(units: WindowFrameUnits, column: Option<PgType>, offset: PgType) -> Error {
    match (units, column) {
        (WindowFrameUnits::Range, Some(column)) => Error::feature_not_supported(format!(
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and \
             offset type {}",
            column.name(),
            offset.name()
        ))
        .with_hint("Cast the offset value to an appropriate type."),
        _ => Error::datatype_mismatch(format!(
            "argument of {} must be type bigint, not type {}",
            if units == WindowFrameUnits::Rows { "ROWS" } else { "GROUPS" },
            offset.name()
        )),
    }
}

/// The text of an interval that is written out, whose reading no setting changes: a sign stands for
/// what follows it alone.
fn span_text(offset: &ast::Expr) -> Option<&str> {
    match offset {
        ast::Expr::Nested(inner) => span_text(inner),
        ast::Expr::Cast {
            expr,
            data_type: ast::DataType::Interval { fields: None, precision: None },
            ..
        } => span_text(expr),
        ast::Expr::Interval(ast::Interval {
            value,
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }) => span_text(value),
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn has_parameter(expr: &Expr) -> Result<bool> {
    Ok(expr.exists(|part| Ok(matches!(part, Expr::Placeholder(_))))?)
}

fn is_negative(offset: &ScalarValue) -> bool {
    match offset {
        ScalarValue::Int16(Some(n)) => *n < 0,
        ScalarValue::Int32(Some(n)) => *n < 0,
        ScalarValue::Int64(Some(n)) => *n < 0,
        ScalarValue::Float64(Some(n)) => *n < 0.0 || n.is_nan(),
        ScalarValue::IntervalMonthDayNano(Some(span)) => {
            crate::types::interval::Parts::of(*span).span() < 0
        }
        _ => false,
    }
}

/// A function that gives its argument, of whose order nothing is known.
fn itself(ty: DataType) -> Arc<ScalarUDF> {
    let kernel: Kernel = Arc::new(|call| call.args[0].expanded(call.rows));
    let id = format!("itself({ty})");
    total(&scalar_udf(&id, vec![ty.clone()], ty, Volatility::Immutable, true, kernel))
}
