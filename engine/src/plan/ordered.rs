//! Rows in the order that an operator asks for.
//!
//! Which sorts a plan needs is decided before DataFusion's last rules change what is known of the
//! order of rows (of constants, and of functions of what is ordered), so that an operator may be
//! left over rows of which nobody can tell any more that they are in order. Those are sorted.

use std::sync::Arc;

use datafusion::{
    common::{
        Result as DataFusionResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    physical_expr::LexOrdering,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
        sorts::sort::SortExec,
    },
};

/// Sorts what isn't known to be sorted where an operator needs it.
#[derive(Debug)]
pub(super) struct AsOrdered;

impl PhysicalOptimizerRule for AsOrdered {
    fn name(&self) -> &'static str {
        "as_ordered"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(with_sorted_inputs)?.data)
    }
}

fn with_sorted_inputs(
    node: Arc<dyn ExecutionPlan>,
) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
    let mut changed = false;
    for (input, required) in node.children().into_iter().zip(node.required_input_ordering()) {
        let Some(required) = required.map(|required| required.into_single()) else {
            inputs.push(Arc::clone(input));
            continue;
        };
        let known = input.equivalence_properties();
        if known.ordering_satisfy_requirement(required.clone())? {
            inputs.push(Arc::clone(input));
            continue;
        }
        changed = true;
        let sort = SortExec::new(LexOrdering::from(required), Arc::clone(input));
        inputs.push(Arc::new(sort));
    }
    match changed {
        true => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(inputs, options)?))
        }
        false => Ok(Transformed::no(node)),
    }
}
