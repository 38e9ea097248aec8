//! What the recursive term of WITH RECURSIVE may do with the rows of the round before.

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::{Expr, JoinType, LogicalPlan},
};

use crate::error::{Error, Result, SqlState};

/// 42P19 for what a recursive term can't do with the rows of the round before.
pub(super) fn check_recursive_term(name: &str, table: &str, plan: &LogicalPlan) -> Result<()> {
    let mut found: Option<String> = None;
    plan.apply(|node| {
        let within = |inputs: &[&LogicalPlan]| inputs.iter().any(|input| reads(input, table));
        match node {
            LogicalPlan::Aggregate(aggregate) => {
                // DISTINCT is made of these as well.
                let counts = aggregate.aggr_expr.iter().any(|expr| {
                    expr.exists(|part| {
                        Ok(matches!(part, Expr::AggregateFunction(call)
                            if call.func.name() != "first_value"))
                    })
                    .unwrap_or(false)
                });
                if counts && within(&[aggregate.input.as_ref()]) {
                    found = Some(
                        "aggregate functions are not allowed in a recursive query's recursive term"
                            .to_owned(),
                    );
                }
            }
            LogicalPlan::Join(join) => {
                let missing: Vec<&LogicalPlan> = match join.join_type {
                    JoinType::Left => vec![join.right.as_ref()],
                    JoinType::Right => vec![join.left.as_ref()],
                    JoinType::Full => vec![join.left.as_ref(), join.right.as_ref()],
                    _ => Vec::new(),
                };
                let is_subquery = matches!(
                    join.join_type,
                    JoinType::LeftMark | JoinType::LeftSemi | JoinType::LeftAnti
                );
                if is_subquery && within(&[join.right.as_ref()]) {
                    found = Some(in_subquery(name));
                }
                if within(&missing) {
                    found = Some(format!(
                        "recursive reference to query \"{name}\" must not appear within an outer \
                         join"
                    ));
                }
            }
            _ => {}
        }
        if found.is_none() && reads_in_subquery(node, table)? {
            found = Some(in_subquery(name));
        }
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match found {
        Some(message) => Err(Error::new(SqlState::INVALID_RECURSION, message)),
        None => Ok(()),
    }
}

/// Whether a plan scans this table.
fn reads(plan: &LogicalPlan, table: &str) -> bool {
    plan.exists(|node| {
        Ok(matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == table))
    })
    .unwrap_or(false)
}

fn in_subquery(name: &str) -> String {
    format!("recursive reference to query \"{name}\" must not appear within a subquery")
}

/// Whether a subquery of this very node reads a table.
fn reads_in_subquery(node: &LogicalPlan, table: &str) -> datafusion::common::Result<bool> {
    if let Some(applied) = super::apply::as_apply(node) {
        return Ok(!applied.is_lateral() && reads(&applied.subplan, table));
    }
    let mut found = false;
    node.apply_subqueries(|subquery| {
        found |= reads(subquery, table);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
