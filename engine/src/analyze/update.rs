//! UPDATE.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, TableReference,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
    sql::sqlparser::ast,
};

use super::{
    BoundUpdate, ReturningList, SimpleChange,
    binder::Binder,
    expression::Clause,
    lower::Below,
    names::fold,
    raised::Raised,
    scope::{FromItem, Scope, named_columns, scan_columns},
    select::unqualified,
};
use crate::{
    catalog::Relation,
    error::{Error, Result},
    statement::current_of,
};

/// The table that a change is about, scanned, with the tables beside it.
pub(super) struct Changed {
    pub(super) target: Arc<Relation>,
    /// Of the target's scan.
    pub(super) qualifier: String,
    /// The target first, then FROM or USING.
    pub(super) item: FromItem,
    pub(super) alone: bool,
}

impl Binder<'_> {
    pub(super) fn bind_update(&mut self, update: &ast::Update) -> Result<BoundUpdate> {
        if update.or.is_some() || update.output.is_some() || !update.order_by.is_empty() {
            return Err(Error::syntax_error_near("UPDATE"));
        }
        if update.limit.is_some() {
            return Err(Error::syntax_error_near("LIMIT"));
        }
        let others: &[ast::TableWithJoins] = match &update.from {
            None => &[],
            Some(
                ast::UpdateTableFromKind::AfterSet(list)
                | ast::UpdateTableFromKind::BeforeSet(list),
            ) => list,
        };
        let changed = self.bind_changed(&update.table, others, "UPDATE")?;
        let Changed { target, qualifier, item, alone } = changed;
        let raised = Raised::of(Clause::Set);
        let scope = Scope { raised: Some(&raised), ..Scope::of(&item, None) };
        let assignments = self.bind_assignments(&target, &update.assignments, &scope)?;
        raised.clause.set(Clause::Where);
        let current_of = update.selection.as_ref().and_then(current_of).map(str::to_owned);
        let filter = match &update.selection {
            Some(condition) if current_of.is_none() => {
                let condition = self.predicate(condition, &scope, Clause::Where)?;
                Some(self.through_indexes(condition, &item)?)
            }
            _ => None,
        };
        let assigned = assignments.iter().map(|(_, _, expr)| expr);
        self.note_read(&target, Some(&qualifier), assigned.chain(&filter));
        let old = scan_columns(&target, Some(&qualifier));
        let mut new_row: Vec<Expr> = old.iter().map(|(_, expr)| expr.clone()).collect();
        for (index, (_, column)) in target.live_columns().enumerate() {
            // Computed from the new row when it is complete.
            if column.generated {
                new_row[index] = super::returning::null_of(column.ty)?;
            }
        }
        for (_, index, expr) in &assignments {
            new_row[*index] = expr.clone();
        }
        let simple = alone
            .then(|| {
                Some(SimpleChange {
                    filter: match &filter {
                        Some(filter) => Some(unqualified(filter)?),
                        None => None,
                    },
                    new_row: new_row.iter().map(unqualified).collect::<Option<_>>()?,
                })
            })
            .flatten();
        let row = renamed_target(&item, &qualifier, 'n');
        let returning = self.bind_returning(update.returning.as_ref(), &row)?;
        self.note_read(&target, None, returning.iter().flatten().map(|(expr, _)| expr));
        let mut plan = item.plan.clone();
        if let Some(filter) = filter {
            plan = self.filter(plan, filter)?;
        }
        let mut list = vec![(key_column(&qualifier), "_key".to_owned())];
        list.extend(old.iter().map(|(o, expr)| (expr.clone(), format!("a{}", o.attnum))));
        list.extend(old.iter().zip(new_row).map(|((o, _), expr)| (expr, format!("n{}", o.attnum))));
        let (plan, returning) = self.project_change(plan, list, returning)?;
        Ok(BoundUpdate {
            target,
            plan,
            simple,
            current_of,
            assigned: assignments.iter().map(|(attnum, ..)| *attnum).collect(),
            returning,
            relations: std::mem::take(&mut self.relations),
        })
    }

    /// The target and the tables beside it.
    pub(super) fn bind_changed(
        &mut self,
        table: &ast::TableWithJoins,
        others: &[ast::TableWithJoins],
        word: &str,
    ) -> Result<Changed> {
        let ast::TableFactor::Table { name, alias, args: None, .. } = &table.relation else {
            return Err(Error::syntax_error_near(word));
        };
        if !table.joins.is_empty() {
            return Err(Error::syntax_error_near("JOIN"));
        }
        let target = self.target(name, word)?;
        // A query of WITH by the same name doesn't hide the target.
        let (plan, qualifier) = self.scan(&target)?;
        let columns = named_columns(&target, Some(&qualifier));
        let scope_table = super::scope::ScopeTable {
            alias: alias.as_ref().map_or_else(|| target.name.clone(), |alias| fold(&alias.name)),
            schema: match alias {
                Some(_) => None,
                None => Some(self.env.catalog.schema_name(target.schema)),
            },
            columns: columns.clone(),
            base: Some((Arc::clone(&target), qualifier.clone())),
            function: false,
            nullable: false,
            presence: None,
            members: None,
            locks_inside: false,
        };
        let first = FromItem { plan, tables: vec![scope_table], columns };
        let item = match others.is_empty() {
            true => first,
            false => self.bind_from_beside(first, others)?,
        };
        Ok(Changed { target, qualifier, item, alone: others.is_empty() })
    }

    /// Projects the columns of a change, and behind them those that RETURNING takes from
    /// elsewhere.
    pub(super) fn project_change(
        &mut self,
        plan: LogicalPlan,
        mut list: Vec<(Expr, String)>,
        returning: Option<ReturningList>,
    ) -> Result<(LogicalPlan, Option<ReturningList>)> {
        let returning = match returning {
            None => None,
            Some(outputs) => {
                let mut rewritten = Vec::with_capacity(outputs.len());
                for (expr, output) in outputs {
                    let expr = expr
                        .transform_down(|node| {
                            let Expr::Column(column) = &node else {
                                return Ok(Transformed::no(node));
                            };
                            // Columns of the new or old row keep their name, `n<attnum>` or
                            // `a<attnum>`; others are qualified or called `c<n>`.
                            if column.relation.is_none() && !column.name.starts_with('c') {
                                return Ok(Transformed::no(node));
                            }
                            let name = match list.iter().find(|(known, _)| *known == node) {
                                Some((_, name)) => name.clone(),
                                None => {
                                    let name = self.fresh();
                                    list.push((node.clone(), name.clone()));
                                    name
                                }
                            };
                            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
                        })?
                        .data;
                    rewritten.push((expr, output));
                }
                Some(rewritten)
            }
        };
        let (exprs, names): (Vec<Expr>, Vec<String>) = list.into_iter().unzip();
        let (plan, exprs) = self.place(plan, exprs, Below::Project)?;
        let exprs: Vec<Expr> =
            exprs.into_iter().zip(names).map(|(expr, name)| expr.alias(name)).collect();
        Ok((LogicalPlanBuilder::from(plan).project(exprs)?.build()?, returning))
    }
}

/// The key of a scan's row.
pub(super) fn key_column(qualifier: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(qualifier.to_owned())), "_key"))
}

/// The scope of a change with the target's columns under the names they have in the change's
/// plan: `<prefix><attnum>`.
pub(super) fn renamed_target(item: &FromItem, qualifier: &str, prefix: char) -> FromItem {
    let rename = |column: &super::scope::ScopeColumn| {
        let mut column = column.clone();
        let ours = matches!(&column.expr, Expr::Column(c)
            if c.relation.as_ref().is_some_and(|r| r.table() == qualifier));
        if ours {
            let name = format!("{prefix}{}", column.attnum);
            column.expr = Expr::Column(Column::new_unqualified(name));
        }
        column
    };
    let mut item = item.clone();
    item.columns = item.columns.iter().map(rename).collect();
    for table in &mut item.tables {
        table.columns = table.columns.iter().map(rename).collect();
    }
    item
}
