//! Long joins let others run, and end when nobody waits for them any more.
//!
//! DataFusion's operators give way where they pull from a source. A join makes more rows than it
//! pulls, and with a condition that few of them meet it may work for minutes within one poll: then
//! neither is its thread there for others nor does aborting its task reach it.

use std::{
    cell::Cell,
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, Schema},
    },
    common::{
        Result as DataFusionResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::ColumnarValue,
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        coop::CooperativeExec,
        joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
        unnest::UnnestExec,
    },
};

use crate::{analyze::apply::ApplyExec, error::Error};

/// How long a thread works on one query before it lets others take its place.
const TURN: Duration = Duration::from_millis(10);

tokio::task_local! {
    static GIVEN_UP: Arc<AtomicBool>;
}

/// Tells a running query that nobody waits for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    pub(crate) fn give_up(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Runs a query that asks now and then.
    pub(crate) async fn watched<T>(self, query: impl Future<Output = T>) -> T {
        GIVEN_UP.scope(self.0, query).await
    }
}

/// 57014 if the query was given up. Lets the runtime's other tasks have a thread when this one has
/// been busy for long.
fn check() -> Result<(), Error> {
    thread_local! {
        static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    if GIVEN_UP.try_with(|given_up| given_up.load(Ordering::Acquire)).unwrap_or(false) {
        return Err(Error::query_canceled());
    }
    let now = Instant::now();
    if SINCE.get().is_none_or(|since| now - since > TURN) {
        // The tasks that wait for this thread go on in another one.
        tokio::task::block_in_place(|| ());
        SINCE.set(Some(now));
    }
    Ok(())
}

/// Makes plans so that they can be interrupted.
#[derive(Debug)]
pub(super) struct Interruptible;

impl PhysicalOptimizerRule for Interruptible {
    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(interruptible)?.data)
    }
}

fn interruptible(
    node: Arc<dyn ExecutionPlan>,
) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    let multiplies = node.children().len() > 1
        || node.downcast_ref::<UnnestExec>().is_some()
        || node.downcast_ref::<ApplyExec>().is_some();
    if !multiplies {
        return Ok(Transformed::no(node));
    }
    let node: Arc<dyn ExecutionPlan> = if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let filter = Some(checked(filter));
        Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?)
    } else if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        join.builder().with_filter(Some(checked(filter))).build_exec()?
    } else {
        node
    };
    Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))))
}

fn checked(filter: &JoinFilter) -> JoinFilter {
    let expression = Arc::new(Checked { condition: Arc::clone(filter.expression()) });
    JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

/// A condition that is only evaluated for a query that somebody waits for.
#[derive(Debug, Eq)]
struct Checked {
    condition: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Hash for Checked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PhysicalExpr for Checked {
    fn data_type(&self, schema: &Schema) -> DataFusionResult<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> DataFusionResult<bool> {
        self.condition.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        check()?;
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let condition =
            children.pop().ok_or_else(|| Error::internal("a condition without its child"))?;
        Ok(Arc::new(Checked { condition }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
