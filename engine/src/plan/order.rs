//! Sorts that the order of keys makes unnecessary.
//!
//! DataFusion pushes a sort through projections into a scan, but not through a filter. Ours keep
//! the order of their input, and `WHERE conversation = 7 ORDER BY at DESC LIMIT 20` is what an
//! index on (conversation, at) is made for.

use std::sync::Arc;

use datafusion::{
    common::{
        Result as DataFusionResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    physical_expr::{PhysicalSortExpr, expressions::Column},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan, SortOrderPushdownResult, filter::FilterExec, limit::GlobalLimitExec,
        projection::ProjectionExec, replace_children_if_necessary, sorts::sort::SortExec,
    },
};

use crate::scan::ScanExec;

/// Up to so many rows are fetched through an index one by one.
const FEW_ROWS: usize = 1000;

/// Replaces a sort by a scan in the order asked for.
#[derive(Debug)]
pub(super) struct OrderOfKeys;

impl PhysicalOptimizerRule for OrderOfKeys {
    fn name(&self) -> &'static str {
        "order_of_keys"
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
            .transform_down(|node: Arc<dyn ExecutionPlan>| {
                let Some(sort) = node.downcast_ref::<SortExec>() else {
                    return Ok(Transformed::no(node));
                };
                let Some(ordered) = in_order(sort.input(), sort.expr(), sort.fetch())? else {
                    return Ok(Transformed::no(node));
                };
                let plan: Arc<dyn ExecutionPlan> = match sort.fetch() {
                    Some(fetch) => Arc::new(GlobalLimitExec::new(ordered, 0, Some(fetch))),
                    None => ordered,
                };
                Ok(Transformed::yes(plan))
            })?
            .data)
    }
}

/// The same rows in an order, if a scan below can give it. For the first few rows an index over
/// the whole table may; behind a filter nobody knows how far it would have to be read.
fn in_order(
    plan: &Arc<dyn ExecutionPlan>,
    order: &[PhysicalSortExpr],
    fetch: Option<usize>,
) -> DataFusionResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let pushed = match fetch.is_some_and(|fetch| fetch <= FEW_ROWS) {
            true => scan.wanting_few().try_pushdown_sort(order)?,
            false => scan.try_pushdown_sort(order)?,
        };
        return Ok(match pushed {
            SortOrderPushdownResult::Exact { inner } => match fetch {
                Some(_) => inner.with_fetch(fetch).or(Some(inner)),
                None => Some(inner),
            },
            SortOrderPushdownResult::Inexact { .. } | SortOrderPushdownResult::Unsupported => None,
        });
    }
    let input = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        match filter.projection() {
            None => in_order(filter.input(), order, None)?,
            Some(_) => None,
        }
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        match below_projection(projection, order) {
            Some(order) => in_order(projection.input(), &order, fetch)?,
            None => None,
        }
    } else {
        None
    };
    match input {
        Some(input) => Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![input])?)),
        None => Ok(None),
    }
}

/// An order of a projection's columns as one of its input's; `None` if it computes them.
fn below_projection(
    projection: &ProjectionExec,
    order: &[PhysicalSortExpr],
) -> Option<Vec<PhysicalSortExpr>> {
    order
        .iter()
        .map(|sort| {
            let column = sort.expr.downcast_ref::<Column>()?;
            let below = &projection.expr().get(column.index())?.expr;
            below.downcast_ref::<Column>()?;
            Some(PhysicalSortExpr { expr: Arc::clone(below), options: sort.options })
        })
        .collect()
}
