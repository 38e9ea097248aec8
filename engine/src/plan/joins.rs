//! Joins in another order.

use std::sync::Arc;

use datafusion::{
    common::{
        JoinType, NullEquality, Result as DataFusionResult,
        tree_node::{Transformed, TreeNodeRecursion},
    },
    logical_expr::LogicalPlan,
    optimizer::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

/// DataFusion's rule that takes inner joins apart and puts them together again, but where keys that
/// are NULL are equal: it forgets of which keys that is true.
#[derive(Debug)]
pub(super) struct WithoutNullKeys(pub(super) Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for WithoutNullKeys {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> DataFusionResult<Transformed<LogicalPlan>> {
        match has_null_keys(&plan)? {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
}

fn has_null_keys(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(join)
            if join.join_type == JoinType::Inner
                && join.null_equality == NullEquality::NullEqualsNull);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
