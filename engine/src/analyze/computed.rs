//! What indexes compute: expressions of the catalog over a table's row.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, TableReference,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};

use super::{
    binder::Binder,
    expression::Clause,
    scope::{FromItem, Scope, ScopeTable, named_columns},
};
use crate::{
    catalog::{PREDICATE_START, Relation},
    error::Result,
};

impl Binder<'_> {
    /// An expression of the catalog over a row whose columns have this qualifier.
    pub(super) fn of_row(
        &mut self,
        relation: &Arc<Relation>,
        qualifier: Option<&str>,
        text: &str,
    ) -> Result<Expr> {
        let tree = super::parse_expression(text)?;
        let columns = named_columns(relation, qualifier);
        let table = ScopeTable {
            alias: relation.name.clone(),
            schema: None,
            columns: columns.clone(),
            base: None,
            function: false,
            nullable: false,
            presence: None,
            members: None,
            locks_inside: false,
        };
        let tables = [table];
        let path = self.search_path.clone();
        self.in_view(None, &path, |binder| {
            let scope = Scope { tables: &tables, columns: &columns, ..Scope::empty(None) };
            Ok(binder.expression(&tree, &scope, Clause::Standalone)?.expr)
        })
    }

    /// A condition on one table with the hidden columns of its indexes in the place of what they
    /// compute, so that the condition fixes keys.
    pub(super) fn through_indexes(&mut self, condition: Expr, from: &FromItem) -> Result<Expr> {
        // Beside an outer join's NULLs a hidden column is not what it computes.
        let [table] = from.tables.as_slice() else { return Ok(condition) };
        let (Some((relation, qualifier)), LogicalPlan::TableScan(_)) = (&table.base, &from.plan)
        else {
            return Ok(condition);
        };
        let mut computed: Vec<(Expr, Expr)> = Vec::new();
        for (attnum, attribute) in relation.live_columns().filter(|(_, column)| column.hidden) {
            if let Some(text) = &attribute.default
                && !text.starts_with(PREDICATE_START)
            {
                let name = TableReference::bare(qualifier.clone());
                let column = Expr::Column(Column::new(Some(name), format!("a{attnum}")));
                computed.push((self.of_row(relation, Some(qualifier), text)?, column));
            }
        }
        if computed.is_empty() {
            return Ok(condition);
        }
        let replaced = condition.transform_down(|node| {
            Ok(match computed.iter().find(|(expr, _)| *expr == node) {
                Some((_, column)) => {
                    Transformed::new(column.clone(), true, TreeNodeRecursion::Jump)
                }
                None => Transformed::no(node),
            })
        })?;
        Ok(replaced.data)
    }
}
