//! What several expressions have in common, computed once.

use std::sync::Arc;

use datafusion::{
    common::{
        Result as DataFusionResult,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{EmptyRelation, Expr, LogicalPlan},
    optimizer::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

/// DataFusion's rule for common expressions, node by node and but for aggregates and windows that
/// compute something twice, which it takes apart wrongly. (The analyser leaves out duplicates, but
/// parameters may make equal what wasn't.)
#[derive(Debug)]
pub(super) struct NodeByNode(pub(super) Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for NodeByNode {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> DataFusionResult<Transformed<LogicalPlan>> {
        let is_whole = match &plan {
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Sort(_) => true,
            LogicalPlan::Aggregate(aggregate) => !has_equals(&aggregate.aggr_expr),
            LogicalPlan::Window(window) => !has_equals(&window.window_expr),
            _ => false,
        };
        let input = match plan.inputs().as_slice() {
            [input] if is_whole => LogicalPlan::clone(input),
            _ => return Ok(Transformed::no(plan)),
        };
        // The rule would go on below; what it sees there is empty.
        let nothing = LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: false,
            schema: Arc::clone(input.schema()),
        });
        let exprs = plan.expressions();
        let alone = plan.with_new_exprs(exprs, vec![nothing])?;
        let rewritten = self.0.rewrite(alone, config)?;
        let put_back = rewritten.data.transform_down(|node| match node {
            LogicalPlan::EmptyRelation(_) => {
                Ok(Transformed::new(input.clone(), true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(Transformed::new_transformed(put_back.data, rewritten.transformed))
    }
}

fn has_equals(exprs: &[Expr]) -> bool {
    let bare: Vec<&Expr> = exprs.iter().map(without_alias).collect();
    bare.iter().enumerate().any(|(i, expr)| bare[..i].contains(expr))
}

fn without_alias(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => without_alias(&alias.expr),
        other => other,
    }
}
