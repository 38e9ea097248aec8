//! Partitions one after another, in the task that asks for them.
//!
//! DataFusion runs the inputs of a UNION as partitions, each in a task of its own. Those tasks
//! would not be inside the statement's `ExecutionContext`, so the partitions are made one here. The
//! same operator stands between an outer join or grouping sets and the input whose columns they may
//! leave NULL: what is constant or equal there isn't above, which DataFusion takes it to be.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{
        JoinType, Result as DataFusionResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan,
        ExecutionPlanProperties, Partitioning, PlanProperties, ReplaceChildrenOptions,
        aggregates::AggregateExec,
        execution_plan::{Boundedness, EmissionType},
        joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec},
        stream::RecordBatchStreamAdapter,
        union::UnionExec,
    },
};
use futures::StreamExt;

use crate::error::Error;

/// Puts [`ConcatExec`] above every union.
#[derive(Debug)]
pub(super) struct OneAfterAnother;

impl PhysicalOptimizerRule for OneAfterAnother {
    fn name(&self) -> &'static str {
        "one_after_another"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(plan
            .transform_up(|node: Arc<dyn ExecutionPlan>| {
                if node.downcast_ref::<UnionExec>().is_some() {
                    return Ok(Transformed::yes(Arc::new(ConcatExec::new(node)) as _));
                }
                let (left, right) = may_be_missing(&node);
                if !left && !right {
                    return Ok(Transformed::no(node));
                }
                let inputs = node.children().into_iter().zip([left, right]);
                let inputs = inputs
                    .map(|(input, missing)| match missing {
                        true => Arc::new(ConcatExec::new(Arc::clone(input))) as _,
                        false => Arc::clone(input),
                    })
                    .collect();
                Ok(Transformed::yes(node.replace_children(
                    inputs,
                    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
                )?))
            })?
            .data)
    }
}

/// Which inputs of a join or of grouping sets have columns that these may leave NULL.
fn may_be_missing(node: &Arc<dyn ExecutionPlan>) -> (bool, bool) {
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return (!aggregate.group_expr().is_single(), false);
    }
    let ty = node
        .downcast_ref::<HashJoinExec>()
        .map(|join| *join.join_type())
        .or_else(|| node.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type()))
        .or_else(|| node.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type()));
    match ty {
        Some(JoinType::Left) => (false, true),
        Some(JoinType::Right) => (true, false),
        Some(JoinType::Full) => (true, true),
        _ => (false, false),
    }
}

#[derive(Debug)]
struct ConcatExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ConcatExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        ConcatExec { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ConcatExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConcatExec")
    }
}

impl ExecutionPlan for ConcatExec {
    fn name(&self) -> &'static str {
        "ConcatExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| Error::internal("ConcatExec without input"))?;
        Ok(Arc::new(ConcatExec::new(input)))
    }

    fn execute(
        &self,
        _: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let count = self.input.output_partitioning().partition_count();
        let partitions = (0..count)
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<DataFusionResult<Vec<_>>>()?;
        let batches = futures::stream::iter(partitions).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches)))
    }
}
