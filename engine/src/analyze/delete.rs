//! DELETE.

use datafusion::{logical_expr::Expr, sql::sqlparser::ast};

use super::{
    BoundDelete, OutputColumn, SimpleChange,
    binder::Binder,
    expression::Clause,
    raised::Raised,
    scope::{Scope, scan_columns},
    select::unqualified,
    update::{Changed, key_column, renamed_target},
};
use crate::{
    error::{Error, Result},
    statement::current_of,
};

impl Binder<'_> {
    pub(super) fn bind_delete(&mut self, delete: &ast::Delete) -> Result<BoundDelete> {
        if !delete.tables.is_empty() || delete.output.is_some() || !delete.order_by.is_empty() {
            return Err(Error::syntax_error_near("DELETE"));
        }
        if delete.limit.is_some() {
            return Err(Error::syntax_error_near("LIMIT"));
        }
        let (ast::FromTable::WithFromKeyword(tables) | ast::FromTable::WithoutKeyword(tables)) =
            &delete.from;
        let [table] = tables.as_slice() else {
            return Err(Error::syntax_error_near(","));
        };
        let others = delete.using.as_deref().unwrap_or_default();
        let Changed { target, qualifier, item, alone } =
            self.bind_changed(table, others, "DELETE")?;
        let raised = Raised::of(Clause::Where);
        let scope = Scope { raised: Some(&raised), ..Scope::of(&item, None) };
        let current_of = delete.selection.as_ref().and_then(current_of).map(str::to_owned);
        let filter = match &delete.selection {
            Some(condition) if current_of.is_none() => {
                let condition = self.predicate(condition, &scope, Clause::Where)?;
                Some(self.through_indexes(condition, &item)?)
            }
            _ => None,
        };
        let simple = match (alone, &filter) {
            (false, _) => None,
            (true, None) => Some(SimpleChange { filter: None, new_row: Vec::new() }),
            (true, Some(filter)) => unqualified(filter)
                .map(|filter| SimpleChange { filter: Some(filter), new_row: Vec::new() }),
        };
        let row = renamed_target(&item, &qualifier, 'a');
        let returning = self.bind_returning(delete.returning.as_ref(), &row)?;
        self.note_read(&target, Some(&qualifier), &filter);
        self.note_read(&target, None, returning.iter().flatten().map(|(expr, _)| expr));
        let mut plan = item.plan.clone();
        if let Some(filter) = filter {
            plan = self.filter(plan, filter)?;
        }
        let old: Vec<(OutputColumn, Expr)> = scan_columns(&target, Some(&qualifier));
        let mut list = vec![(key_column(&qualifier), "_key".to_owned())];
        list.extend(old.into_iter().map(|(o, expr)| (expr, format!("a{}", o.attnum))));
        let (plan, returning) = self.project_change(plan, list, returning)?;
        Ok(BoundDelete {
            target,
            plan,
            simple,
            current_of,
            returning,
            relations: std::mem::take(&mut self.relations),
        })
    }
}
