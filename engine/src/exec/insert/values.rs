//! The rows of VALUES, column by column.
//!
//! A long list of rows says little that is worth compiling for each of them: constants and
//! parameters are put side by side once, and what stands in a column of all rows alike, as a
//! DEFAULT does, is evaluated for all of them together.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef},
    compute::concat,
};
use datafusion::{
    common::{
        ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, Volatility},
};

use crate::{
    context::ExecutionContext,
    error::{Error, Result},
    exec::evaluate::Evaluator,
    plan,
    types::PgType,
};

/// Functions that are volatile but don't tell how often, or in which order, they were called.
const INDEPENDENT: &[&str] = &["clock_timestamp", "gen_random_uuid"];

/// Compiled rows.
#[derive(Debug)]
pub(super) enum Values {
    Row {
        row: Evaluator,
        is_orderless: bool,
    },
    /// Each is evaluated by itself.
    Rows(Vec<Evaluator>),
    Columns {
        rows: usize,
        columns: Vec<Column>,
    },
}

/// One column of several rows.
#[derive(Debug)]
pub(super) enum Column {
    Constants(ArrayRef),
    Scalars(Vec<Scalar>),
    /// The same in all rows.
    Same(Evaluator),
    Each(Vec<Evaluator>),
}

#[derive(Debug)]
pub(super) enum Scalar {
    Constant(ScalarValue),
    /// Its place.
    Parameter(usize),
}

impl Values {
    pub(super) fn new(rows: &[Vec<Expr>], parameters: &[PgType]) -> Result<Values> {
        let compile = |row: &Vec<Expr>| Evaluator::new(row, &[], parameters);
        let is_orderless = is_orderless(rows)?;
        if let [row] = rows {
            return Ok(Values::Row { row: compile(row)?, is_orderless });
        }
        if !is_orderless {
            return Ok(Values::Rows(rows.iter().map(compile).collect::<Result<_>>()?));
        }
        let width = rows.first().map_or(0, Vec::len);
        let columns = (0..width)
            .map(|place| Column::new(rows.iter().map(|row| &row[place]), parameters))
            .collect::<Result<_>>()?;
        Ok(Values::Columns { rows: rows.len(), columns })
    }

    /// Whether [`Values::for_all`] may be called.
    pub(super) fn takes_rows(&self) -> bool {
        matches!(self, Values::Row { is_orderless: true, .. })
    }

    /// The columns of one row for each of `rows` rows of parameters.
    pub(super) fn for_all(
        &self,
        context: &Arc<ExecutionContext>,
        rows: usize,
        parameters: &[ArrayRef],
    ) -> Result<Vec<ArrayRef>> {
        match self {
            Values::Row { row, .. } => row.evaluate_with(context, &[], rows, parameters),
            Values::Rows(_) | Values::Columns { .. } => {
                Err(Error::internal("rows of parameters for several rows"))
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Values::Row { .. } => 1,
            Values::Rows(rows) => rows.len(),
            Values::Columns { rows, .. } => *rows,
        }
    }

    /// The columns of all rows.
    pub(super) fn evaluate(
        &self,
        context: &Arc<ExecutionContext>,
        parameters: &[ScalarValue],
    ) -> Result<Vec<ArrayRef>> {
        match self {
            Values::Row { row, .. } => row.evaluate(context, &[], 1, parameters),
            Values::Rows(rows) => {
                let evaluate = |row: &Evaluator| row.evaluate(context, &[], 1, parameters);
                let all = rows.iter().map(evaluate).collect::<Result<Vec<_>>>()?;
                let width = all.first().map_or(0, Vec::len);
                (0..width).map(|place| stacked(all.iter().map(|row| &row[place]))).collect()
            }
            Values::Columns { rows, columns } => {
                columns.iter().map(|column| column.evaluate(*rows, context, parameters)).collect()
            }
        }
    }
}

impl Column {
    fn new<'e>(
        exprs: impl Iterator<Item = &'e Expr> + Clone,
        parameters: &[PgType],
    ) -> Result<Column> {
        let mut scalars = Vec::new();
        let mut ty = None;
        for expr in exprs.clone() {
            let Some((scalar, found)) = Scalar::of(expr, parameters)? else { break };
            if *ty.get_or_insert_with(|| found.clone()) != found {
                break;
            }
            scalars.push(scalar);
        }
        if scalars.len() == exprs.clone().count() {
            if scalars.iter().all(|scalar| matches!(scalar, Scalar::Constant(_))) {
                return Ok(Column::Constants(Scalar::array(&scalars, &[])?));
            }
            return Ok(Column::Scalars(scalars));
        }
        let compile = |expr: &Expr| Evaluator::new(std::slice::from_ref(expr), &[], parameters);
        let mut rest = exprs.clone();
        match rest.next() {
            Some(first) if rest.all(|expr| expr == first) => Ok(Column::Same(compile(first)?)),
            _ => Ok(Column::Each(exprs.map(compile).collect::<Result<_>>()?)),
        }
    }

    fn evaluate(
        &self,
        rows: usize,
        context: &Arc<ExecutionContext>,
        parameters: &[ScalarValue],
    ) -> Result<ArrayRef> {
        let one = |evaluator: &Evaluator, rows| -> Result<ArrayRef> {
            Ok(evaluator.evaluate(context, &[], rows, parameters)?.swap_remove(0))
        };
        match self {
            Column::Constants(values) => Ok(Arc::clone(values)),
            Column::Scalars(scalars) => Scalar::array(scalars, parameters),
            Column::Same(evaluator) => one(evaluator, rows),
            Column::Each(evaluators) => {
                let values = evaluators.iter().map(|evaluator| one(evaluator, 1));
                stacked(values.collect::<Result<Vec<_>>>()?.iter())
            }
        }
    }
}

impl Scalar {
    /// A constant or a parameter, and its type; `None` for any other expression.
    fn of(
        expr: &Expr,
        parameters: &[PgType],
    ) -> Result<Option<(Scalar, arrow::datatypes::DataType)>> {
        let constant = match expr {
            Expr::Alias(alias) => return Scalar::of(&alias.expr, parameters),
            Expr::Placeholder(_) => {
                let place =
                    crate::exec::evaluate::parameter(expr).filter(|p| *p < parameters.len());
                let Some(place) = place else { return Ok(None) };
                return Ok(Some((Scalar::Parameter(place), parameters[place].arrow()?)));
            }
            Expr::Literal(value, _) => value.clone(),
            _ if plan::is_constant(expr)? => match plan::constant(expr) {
                Ok(value) => value,
                // It fails where it is executed.
                Err(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        let ty = constant.data_type();
        Ok(Some((Scalar::Constant(constant), ty)))
    }

    fn array(scalars: &[Scalar], parameters: &[ScalarValue]) -> Result<ArrayRef> {
        let values = scalars.iter().map(|scalar| match scalar {
            Scalar::Constant(value) => value.clone(),
            Scalar::Parameter(place) => parameters[*place].clone(),
        });
        Ok(ScalarValue::iter_to_array(values)?)
    }
}

fn stacked<'a>(parts: impl Iterator<Item = &'a ArrayRef>) -> Result<ArrayRef> {
    Ok(concat(&parts.map(|part| part.as_ref() as &dyn Array).collect::<Vec<_>>())?)
}

/// Whether nobody can tell in which order the columns of several rows are evaluated: at most one
/// of a row's calls leaves a trace.
fn is_orderless(rows: &[Vec<Expr>]) -> Result<bool> {
    for row in rows {
        let mut calls = 0;
        for expr in row.iter().filter(|expr| !matches!(expr, Expr::Literal(..))) {
            expr.apply(|part| {
                calls += usize::from(leaves_trace(part));
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if calls > 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn leaves_trace(part: &Expr) -> bool {
    match part {
        Expr::ScalarFunction(call) => {
            call.func.signature().volatility == Volatility::Volatile
                && !INDEPENDENT.contains(&call.func.name())
        }
        _ => false,
    }
}
