//! Queries that are planned once and run many times.
//!
//! In PostgreSQL's words: a custom plan knows its parameters' values, a generic one finds them when
//! it runs. A generic plan takes the place of custom ones where it goes to the rows by the same
//! keys, which is all that values decide here; then a run costs no planning.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::{
    common::{
        Result as DataFusionResult, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::SendableRecordBatchStream,
    logical_expr::{Expr, LogicalPlan, expr::ScalarFunction},
    physical_plan::{ExecutionPlan, aggregates::AggregateExec, execution_plan::reset_plan_states},
};

use super::{environment, map_expressions, parameter_number, plan_query};
use crate::{
    context::ExecutionContext,
    error::{Error, Result},
    functions::{
        Volatility,
        kernel::{Kernel, scalar_udf, total},
    },
    scan::{ScanExec, ScanShape},
};

/// Operators that [`reset_plan_states`] leaves nothing of one run in that another could meet, be it
/// at the same time and for another user. Read in their sources; whatever isn't here runs by custom
/// plans. (`ScalarSubqueryExec` is not: all its runs share the results.)
const REUSABLE: &[&str] = &[
    "AggregateExec",
    "ApplyExec",
    "BoundedWindowAggExec",
    "ConcatExec",
    "CooperativeExec",
    "CrossJoinExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "HashJoinExec",
    "LocalLimitExec",
    "NestedLoopJoinExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "ScanExec",
    "SeriesExec",
    "SlotExec",
    "SortExec",
    "UnionExec",
    "UnnestExec",
    "WindowAggExec",
];

/// How often a generic plan is tried before the query is left to custom ones.
const MAX_TRIES: u8 = 3;

/// A query and what is known of how to run it.
pub(crate) struct Planned {
    pub(crate) logical: LogicalPlan,
    generic: Mutex<Generic>,
}

#[derive(Clone)]
enum Generic {
    /// Not before the second run: most texts come once.
    Wanted {
        runs: u8,
    },
    Made(Arc<Made>),
    /// Values decide how the query is best run.
    Unfit,
}

struct Made {
    plan: Arc<dyn ExecutionPlan>,
    /// LIMIT and OFFSET are part of a plan: the places of such parameters, and their values.
    pinned: Vec<(usize, ScalarValue)>,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Planned").field(&self.logical).finish()
    }
}

impl Planned {
    pub(crate) fn new(logical: LogicalPlan) -> Arc<Self> {
        Arc::new(Planned { logical, generic: Mutex::new(Generic::Wanted { runs: 0 }) })
    }

    /// Starts the query. To be called outside of the context.
    pub(crate) fn execute(
        &self,
        context: &Arc<ExecutionContext>,
        parameters: Vec<ScalarValue>,
    ) -> Result<SendableRecordBatchStream> {
        let physical = self.physical(context, &parameters)?;
        // A context runs one query with parameters, or several with the same ones.
        let _ = context.parameters.set(parameters);
        Ok(context.enter(|| physical.execute(0, environment().task_ctx()))?)
    }

    fn physical(
        &self,
        context: &Arc<ExecutionContext>,
        parameters: &[ScalarValue],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let generic = self.lock().clone();
        if let Generic::Made(made) = &generic
            && made.serves(parameters)
        {
            return Ok(reset_plan_states(Arc::clone(&made.plan))?);
        }
        let custom = context.enter(|| plan_query(&self.logical, parameters.to_vec()))?;
        if let Generic::Wanted { runs } = generic {
            let next = match runs {
                0 => Generic::Wanted { runs: 1 },
                MAX_TRIES => Generic::Unfit,
                runs => match Made::new(&self.logical, parameters) {
                    Ok(Some(made)) if scans(&made.plan)? == scans(&custom)? => {
                        Generic::Made(Arc::new(made))
                    }
                    Ok(Some(_)) => Generic::Wanted { runs: runs + 1 },
                    Ok(None) | Err(_) => Generic::Unfit,
                },
            };
            *self.lock() = next;
        }
        Ok(custom)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generic> {
        self.generic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Made {
    /// `None` where the plan can't be run again.
    fn new(logical: &LogicalPlan, parameters: &[ScalarValue]) -> Result<Option<Self>> {
        // The elements of an array may each be a key.
        if parameters.iter().any(|value| value.data_type().is_nested()) {
            return Ok(None);
        }
        let mut pinned = Vec::new();
        let plan = logical
            .clone()
            .transform_down_with_subqueries(|node| pin_limit(node, parameters, &mut pinned))?
            .data;
        if !has_constant_limits(&plan)? {
            return Ok(None);
        }
        let plan = map_expressions(plan, &|node| match parameter_number(&node) {
            Some(number) => Ok(Transformed::yes(value_at_run(number - 1, parameters)?)),
            None => Ok(Transformed::no(node)),
        })?;
        // Outside of a context nothing of the session that is here by chance gets into the plan.
        let plan = plan_query(&plan, Vec::new())?;
        let mut reusable = true;
        plan.apply(|node| {
            reusable &= REUSABLE.contains(&node.name()) && !orders_nothing(node);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(reusable.then_some(Made { plan, pinned }))
    }

    fn serves(&self, parameters: &[ScalarValue]) -> bool {
        self.pinned.iter().all(|(place, value)| parameters.get(*place) == Some(value))
    }
}

/// Whether an operator orders rows without columns by what is computed, which DataFusion's can't.
fn orders_nothing(node: &Arc<dyn ExecutionPlan>) -> bool {
    let orders = match node.downcast_ref::<AggregateExec>() {
        Some(aggregate) => aggregate.aggr_expr().iter().any(|call| !call.order_bys().is_empty()),
        None => matches!(node.name(), "WindowAggExec" | "BoundedWindowAggExec" | "SortExec"),
    };
    orders && node.children().iter().any(|child| child.schema().fields().is_empty())
}

/// Puts the values of parameters into LIMIT and OFFSET.
fn pin_limit(
    node: LogicalPlan,
    parameters: &[ScalarValue],
    pinned: &mut Vec<(usize, ScalarValue)>,
) -> DataFusionResult<Transformed<LogicalPlan>> {
    if !matches!(node, LogicalPlan::Limit(_)) {
        return Ok(Transformed::no(node));
    }
    node.map_expressions(|expr| {
        expr.transform_up(|part| {
            let Some(number) = parameter_number(&part) else { return Ok(Transformed::no(part)) };
            let value =
                parameters.get(number - 1).ok_or_else(|| Error::undefined_parameter(number))?;
            pinned.push((number - 1, value.clone()));
            Ok(Transformed::yes(Expr::Literal(value.clone(), None)))
        })
    })
}

/// Whether LIMIT and OFFSET are the same in every run.
fn has_constant_limits(plan: &LogicalPlan) -> Result<bool> {
    let mut constant = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            let counts = [&limit.fetch, &limit.skip].into_iter().flatten();
            for count in counts {
                constant &= super::is_constant(count)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(constant)
}

/// A parameter's value, as it is when the plan runs.
fn value_at_run(place: usize, parameters: &[ScalarValue]) -> Result<Expr> {
    let undefined = move || Error::undefined_parameter(place + 1);
    let ty = parameters.get(place).ok_or_else(undefined)?.data_type();
    let kernel: Kernel = Arc::new(move |call| {
        let context = ExecutionContext::current()
            .ok_or_else(|| Error::internal("a parameter was evaluated outside of a session"))?;
        let value = context.parameters.get().and_then(|values| values.get(place));
        Ok(value.ok_or_else(undefined)?.to_array_of_size(call.rows)?)
    });
    let id = format!("parameter_{}({ty})", place + 1);
    let udf = scalar_udf(&id, Vec::new(), ty, Volatility::Stable, false, kernel);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(total(&udf), Vec::new())))
}

/// How a plan gets at its rows.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<ScanShape>> {
    let mut shapes = Vec::new();
    plan.apply(|node| {
        shapes.extend(node.downcast_ref::<ScanExec>().map(ScanExec::shape));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(shapes)
}
