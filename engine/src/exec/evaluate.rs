//! Expressions compiled once and evaluated on small batches, parameters included.
//!
//! A parameter is one more column behind the row's: its slot is filled at each execution, so the
//! compiled form is shared among sessions and never planned again. These are the same physical
//! expressions that DataFusion's plans consist of, so both ways agree.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions},
    compute::filter_record_batch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::{
        Column, DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{ColumnarValue, Expr, Volatility},
    physical_expr::PhysicalExpr,
};

use crate::{
    context::ExecutionContext,
    error::{Error, Result},
    types::PgType,
};

/// Some expressions over one row form.
#[derive(Debug)]
pub(crate) struct Evaluator {
    nodes: Vec<Node>,
    /// The row's columns, then the parameters that are named.
    input: SchemaRef,
    columns: usize,
    /// The places of those parameters.
    named: Vec<usize>,
    /// The order in which expressions are evaluated, where it isn't theirs.
    order: Option<Vec<usize>>,
    needs_batch: bool,
}

#[derive(Debug)]
enum Node {
    /// A column as it is.
    Column(usize),
    /// A parameter as it is.
    Parameter(usize),
    /// A value that is known already.
    Constant(ScalarValue),
    Physical(Arc<dyn PhysicalExpr>),
}

impl Evaluator {
    /// Compiles `exprs` over rows of `columns` (name and type each).
    pub(crate) fn new(
        exprs: &[Expr],
        columns: &[(String, DataType)],
        parameters: &[PgType],
    ) -> Result<Self> {
        let row = columns.iter().map(|(name, ty)| Field::new(name, ty.clone(), true));
        let named = named_parameters(exprs, parameters.len())?;
        let slots = named
            .iter()
            .map(|place| Ok(Field::new(slot(*place), parameters[*place].arrow()?, true)))
            .collect::<Result<Vec<_>>>()?;
        let input = Arc::new(Schema::new(row.chain(slots).collect::<Vec<_>>()));
        let schema = DFSchema::try_from(Arc::clone(&input))?;
        let nodes = exprs
            .iter()
            .map(|expr| compile(expr, &schema, columns.len(), &named))
            .collect::<Result<Vec<_>>>()?;
        let needs_batch = nodes.iter().any(|node| matches!(node, Node::Physical(_)));
        // What is constant fails when PostgreSQL plans it, before any sequence is asked.
        let order = (columns.is_empty() && exprs.len() > 1).then(|| {
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            order.sort_by_key(|place| !is_immutable(&exprs[*place]));
            order
        });
        let order = order.filter(|order| !order.is_sorted());
        Ok(Evaluator { nodes, input, columns: columns.len(), named, order, needs_batch })
    }

    /// The values of all expressions for `rows` rows.
    pub(crate) fn evaluate(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
        parameters: &[ScalarValue],
    ) -> Result<Vec<ArrayRef>> {
        self.evaluate_by(context, columns, rows, |place| {
            Ok(parameters[place].to_array_of_size(rows)?)
        })
    }

    /// As [`Evaluator::evaluate`], where the parameters have a value for each row.
    pub(crate) fn evaluate_with(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
        parameters: &[ArrayRef],
    ) -> Result<Vec<ArrayRef>> {
        self.evaluate_by(context, columns, rows, |place| Ok(Arc::clone(&parameters[place])))
    }

    fn evaluate_by(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
        parameter: impl Fn(usize) -> Result<ArrayRef>,
    ) -> Result<Vec<ArrayRef>> {
        debug_assert_eq!(columns.len(), self.columns, "a row of another form");
        let batch = if self.needs_batch {
            let mut all = columns.to_vec();
            for place in &self.named {
                all.push(parameter(*place)?);
            }
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            Some(RecordBatch::try_new_with_options(Arc::clone(&self.input), all, &options)?)
        } else {
            None
        };
        let one = |node: &Node| -> Result<ArrayRef> {
            match (node, &batch) {
                (Node::Column(column), _) => Ok(Arc::clone(&columns[*column])),
                (Node::Parameter(place), _) => parameter(*place),
                (Node::Constant(value), _) => Ok(value.to_array_of_size(rows)?),
                (Node::Physical(expr), Some(batch)) => {
                    let value = context.enter(|| expr.evaluate(batch))?;
                    Ok(match value {
                        ColumnarValue::Array(array) => array,
                        ColumnarValue::Scalar(value) => value.to_array_of_size(rows)?,
                    })
                }
                (Node::Physical(_), None) => Err(Error::internal("an expression has no input")),
            }
        };
        let Some(order) = &self.order else {
            return self.nodes.iter().map(one).collect();
        };
        let mut values = vec![None; self.nodes.len()];
        for place in order {
            values[*place] = Some(one(&self.nodes[*place])?);
        }
        Ok(values.into_iter().flatten().collect())
    }

    /// Each row's truth, where there is exactly one expression.
    pub(crate) fn predicate(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
        parameters: &[ScalarValue],
    ) -> Result<BooleanArray> {
        let values = self.evaluate(context, columns, rows, parameters)?;
        values
            .first()
            .and_then(|value| value.as_any().downcast_ref::<BooleanArray>())
            .cloned()
            .ok_or_else(|| Error::internal("a condition is not boolean"))
    }
}

/// Keeps the rows for which `filter` is true.
pub(crate) fn filter_batch(
    filter: &Evaluator,
    context: &Arc<ExecutionContext>,
    batch: &RecordBatch,
    parameters: &[ScalarValue],
) -> Result<RecordBatch> {
    let mask = filter.predicate(context, batch.columns(), batch.num_rows(), parameters)?;
    Ok(filter_record_batch(batch, &mask)?)
}

/// Whether an expression over no columns is the same whenever it is evaluated.
fn is_immutable(expr: &Expr) -> bool {
    let mutable = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarFunction(call)
            if call.func.signature().volatility != Volatility::Immutable))
    };
    !expr.exists(mutable).unwrap_or(true)
}

fn slot(parameter: usize) -> String {
    format!("${}", parameter + 1)
}

/// The place of the parameter that an expression is.
pub(crate) fn parameter(expr: &Expr) -> Option<usize> {
    let Expr::Placeholder(placeholder) = expr else { return None };
    placeholder.id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// The places of the parameters in expressions, of `count` there are.
fn named_parameters(exprs: &[Expr], count: usize) -> Result<Vec<usize>> {
    let mut named = BTreeSet::new();
    for expr in exprs {
        expr.apply(|part| {
            named.extend(parameter(part).filter(|place| *place < count));
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(named.into_iter().collect())
}

fn compile(expr: &Expr, schema: &DFSchema, columns: usize, named: &[usize]) -> Result<Node> {
    let expr = expr.clone().transform_up(|expr| match expr {
        Expr::Placeholder(placeholder) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(placeholder.id))))
        }
        Expr::Column(column) => {
            // Plans qualify the names of base tables' columns; rows here have one origin.
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    let expr = strip_alias(expr.data);
    match &expr {
        Expr::Column(column) => {
            let place = schema.index_of_column(column)?;
            Ok(match place.checked_sub(columns) {
                Some(slot) => Node::Parameter(named[slot]),
                None => Node::Column(place),
            })
        }
        Expr::Literal(value, _) => Ok(Node::Constant(value.clone())),
        _ => Ok(Node::Physical(crate::plan::physical_expression(&expr, schema)?)),
    }
}

fn strip_alias(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => strip_alias(*alias.expr),
        other => other,
    }
}

/// Column names and types of a table's rows under `prefix` (`a`, `e`, `n`), live columns in order.
pub(crate) fn row_columns(
    relation: &crate::catalog::Relation,
    prefix: char,
) -> Result<Vec<(String, DataType)>> {
    relation
        .live_columns()
        .map(|(attnum, column)| Ok((format!("{prefix}{attnum}"), column.ty.arrow()?)))
        .collect()
}
