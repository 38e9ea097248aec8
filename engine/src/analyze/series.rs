//! `generate_series` over integers in FROM: rows as they are asked for.

use std::{cmp::Ordering, fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::{ArrayRef, Int32Array, Int64Array, RecordBatch},
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    common::{
        DFSchema, DFSchemaRef, Result as DataFusionResult, ScalarValue,
        tree_node::TreeNodeRecursion,
    },
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};

use super::binder::{Binder, Typed};
use crate::{
    error::{Error, Result},
    functions::ResolvedCall,
    types::Oid,
};

/// Rows per batch.
const BATCH_ROWS: usize = 8192;

/// The numbers from the first argument to the second by the third.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Series {
    /// Start, stop, step; over no columns.
    args: Vec<Expr>,
    schema: DFSchemaRef,
}

impl PartialOrd for Series {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Binder<'_> {
    /// A series of integers over constants as a plan and the name of its column.
    pub(super) fn integer_series(
        &mut self,
        call: &ResolvedCall,
        values: &[Typed],
    ) -> Result<Option<(LogicalPlan, String)>> {
        let integers = matches!(call.ret.oid, Oid::INT4 | Oid::INT8);
        let constant = values
            .iter()
            .all(|v| !super::subquery::has_subquery(&v.expr) && !v.expr.contains_outer());
        if !integers || !constant {
            return Ok(None);
        }
        let mut args = Vec::with_capacity(3);
        for (value, ty) in values.iter().zip(&call.args) {
            args.push(self.coerce_argument(value.clone(), *ty)?.expr);
        }
        let name = self.fresh();
        let field = Field::new(&name, call.ret.arrow()?, true);
        let schema = Arc::new(DFSchema::try_from(Schema::new(vec![field]))?);
        let node = Arc::new(Series { args, schema });
        Ok(Some((LogicalPlan::Extension(Extension { node }), name)))
    }
}

impl UserDefinedLogicalNodeCore for Series {
    fn name(&self) -> &'static str {
        "Series"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.args.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series")
    }

    fn with_exprs_and_inputs(
        &self,
        args: Vec<Expr>,
        _: Vec<LogicalPlan>,
    ) -> DataFusionResult<Self> {
        Ok(Series { args, schema: Arc::clone(&self.schema) })
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(Vec::new())
    }
}

impl Series {
    pub(crate) fn args(&self) -> &[Expr] {
        &self.args
    }

    pub(crate) fn execution(&self, args: Vec<Arc<dyn PhysicalExpr>>) -> SeriesExec {
        let schema = Arc::new(self.schema.as_arrow().clone());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        SeriesExec { args, schema, properties: Arc::new(properties) }
    }
}

/// [`Series`] at work.
#[derive(Debug)]
pub(crate) struct SeriesExec {
    args: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesExec")
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &'static str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        for expr in &self.args {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _: usize,
        _: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let mut numbers = Vec::with_capacity(self.args.len());
        for arg in &self.args {
            numbers.push(number(arg)?);
        }
        let range = match numbers.as_slice() {
            [Some(start), Some(stop)] => Some((*start, *stop, 1)),
            [Some(start), Some(stop), Some(step)] => Some((*start, *stop, *step)),
            _ => None,
        };
        if let Some((_, _, 0)) = range {
            return Err(Error::invalid_parameter_value("step size cannot equal zero").into());
        }
        let schema = Arc::clone(&self.schema);
        let next = range.map(|(start, stop, step)| (Some(start), stop, step));
        let batches = futures::stream::unfold(next, move |state| {
            let schema = Arc::clone(&schema);
            async move {
                let (next, stop, step) = state?;
                let mut at = next?;
                let mut values = Vec::new();
                let mut rest = None;
                loop {
                    if (step > 0 && at > stop) || (step < 0 && at < stop) {
                        break;
                    }
                    if values.len() == BATCH_ROWS {
                        rest = Some(at);
                        break;
                    }
                    values.push(at);
                    match at.checked_add(step) {
                        Some(following) => at = following,
                        None => break,
                    }
                }
                if values.is_empty() {
                    return None;
                }
                let batch = batch(&schema, values);
                Some((batch, Some((rest, stop, step))))
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

fn batch(schema: &SchemaRef, values: Vec<i64>) -> DataFusionResult<RecordBatch> {
    let column: ArrayRef = match schema.field(0).data_type() {
        DataType::Int32 => {
            Arc::new(values.into_iter().map(|v| i32::try_from(v).ok()).collect::<Int32Array>())
        }
        _ => Arc::new(Int64Array::from(values)),
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), vec![column])?)
}

/// The value of an argument; `None` for NULL.
fn number(arg: &Arc<dyn PhysicalExpr>) -> DataFusionResult<Option<i64>> {
    let row = crate::plan::one_row();
    let value = arg.evaluate(&row)?.into_array(1)?;
    Ok(match ScalarValue::try_from_array(&value, 0)? {
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int64(value) => value,
        other => return Err(Error::internal(format!("a series of {}", other.data_type())).into()),
    })
}
