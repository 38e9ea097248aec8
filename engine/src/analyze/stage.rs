//! Stages: parts of a statement that run by themselves, before or beside the rest.
//!
//! A change in WITH runs exactly once and to its end, whoever reads its rows; a subquery with FOR
//! UPDATE locks the rows it gives; a query of WITH that calls volatile functions and is named
//! twice must give both the same rows. What such a part yields goes into a slot, and the rest of
//! the statement reads the slot. All parts see the statement's one snapshot.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{Field, Schema},
    common::{Column, TableReference, tree_node::TreeNodeRecursion},
    datasource::provider_as_source,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
    sql::sqlparser::ast,
};

use super::{
    Analyzed, BoundQuery, BoundStage, BoundStaged, OutputColumn,
    binder::{Binder, CteBody, Rowset},
    names::{At, fold},
    query::{Outer, too_many_of_with},
    returning::Returned,
    select::SelectTail,
    subquery::plan_outer_references,
};
use crate::{
    error::{Error, Result},
    plan::slot::SlotSource,
};

impl Binder<'_> {
    /// The statement with the stages that were found while it was bound.
    pub(super) fn with_stages(&mut self, main: Analyzed) -> Analyzed {
        match std::mem::take(&mut self.stages) {
            stages if stages.is_empty() => main,
            stages => Analyzed::Staged(BoundStaged { stages, main: Box::new(main) }),
        }
    }

    /// INSERT, UPDATE or DELETE as sqlparser has it inside of a query.
    pub(super) fn bind_change(&mut self, statement: &ast::Statement) -> Result<Analyzed> {
        let (change, tag) = match statement {
            ast::Statement::Insert(insert) => {
                (Analyzed::Insert(self.bind_insert(insert)?), "INSERT 0")
            }
            ast::Statement::Update(update) => {
                (Analyzed::Update(self.bind_update(update)?), "UPDATE")
            }
            ast::Statement::Delete(delete) => {
                (Analyzed::Delete(self.bind_delete(delete)?), "DELETE")
            }
            _ => return Err(Error::feature_not_supported("this statement can't follow WITH")),
        };
        let Some(Returned { slot, rows }) = self.returned.take() else { return Ok(change) };
        self.stages.push(BoundStage { statement: change, slot, is_read: true });
        Ok(Analyzed::Query(Box::new(BoundQuery {
            output: rows.columns.iter().map(|column| column.output.clone()).collect(),
            plan: rows.plan,
            simple: None,
            locks: Vec::new(),
            row_keys: Vec::new(),
            relations: Vec::new(),
            awaited: None,
            tag,
        })))
    }

    /// `WITH name AS (INSERT ...)`
    pub(super) fn bind_changing(
        &mut self,
        cte: &ast::Cte,
        statement: &ast::Statement,
        top: bool,
    ) -> Result<CteBody> {
        if !top {
            return Err(Error::feature_not_supported(
                "WITH clause containing a data-modifying statement must be at the top level",
            )
            .at_place(self.places.span(cte.alias.name.span)));
        }
        let outside = self.relations.clone();
        let known = self.ctes.len();
        self.bind_with(&cte.query, None, false)?;
        let change = self.bind_change(statement)?;
        self.ctes.truncate(known);
        self.relations = outside;
        let name = fold(&cte.alias.name);
        let columns = match change.returned() {
            None => None,
            Some(mut columns) => {
                let aliases = &cte.alias.columns;
                if aliases.len() > columns.len() {
                    return Err(too_many_of_with(&name, columns.len(), aliases.len()));
                }
                for (column, alias) in columns.iter_mut().zip(aliases) {
                    column.name = fold(&alias.name);
                }
                Some(columns)
            }
        };
        let slot = self.fresh_slot();
        self.stages.push(BoundStage { statement: change, slot, is_read: false });
        Ok(CteBody::Stage { slot, columns })
    }

    /// A reference to the rows of a change.
    pub(super) fn read_stage(
        &mut self,
        name: &str,
        slot: usize,
        columns: Option<Vec<OutputColumn>>,
    ) -> Result<Rowset> {
        let columns = columns.ok_or_else(|| {
            Error::feature_not_supported(format!(
                "WITH query \"{name}\" does not have a RETURNING clause"
            ))
        })?;
        for stage in &mut self.stages {
            stage.is_read |= stage.slot == slot;
        }
        self.slot_rows(slot, columns)
    }

    /// A subquery with FOR UPDATE or its kin.
    pub(super) fn bind_locking(&mut self, query: &ast::Query, outer: Outer<'_>) -> Result<Rowset> {
        let mut tail = SelectTail { locks_rows: true, ..SelectTail::default() };
        let rows = self.bind_query_with(query, outer, true, &mut tail)?;
        if tail.locks.is_empty() {
            return Ok(rows);
        }
        if self.in_recursion || !plan_outer_references(&rows.plan)?.is_empty() {
            return Err(Error::feature_not_supported(format!(
                "{} in a correlated or recursive subquery is not supported",
                super::locks::lock_name(&query.locks[0])
            )));
        }
        self.staged_rows(rows, tail)
    }

    /// A query whose rows every reference must find the same.
    pub(super) fn bind_once(&mut self, rows: Rowset) -> Result<Rowset> {
        self.staged_rows(rows, SelectTail::default())
    }

    fn staged_rows(&mut self, rows: Rowset, tail: SelectTail) -> Result<Rowset> {
        let output: Vec<OutputColumn> =
            rows.columns.iter().map(|column| column.output.clone()).collect();
        let query = BoundQuery {
            tag: "SELECT",
            plan: rows.plan,
            output: output.clone(),
            simple: None,
            locks: tail.locks,
            row_keys: Vec::new(),
            relations: self.relations.clone(),
            awaited: None,
        };
        let slot = self.fresh_slot();
        let statement = Analyzed::Query(Box::new(query));
        self.stages.push(BoundStage { statement, slot, is_read: true });
        self.slot_rows(slot, output)
    }

    fn slot_rows(&mut self, slot: usize, columns: Vec<OutputColumn>) -> Result<Rowset> {
        let fields = columns
            .iter()
            .enumerate()
            .map(|(i, column)| Ok(Field::new(format!("s{i}"), column.ty.arrow()?, true)))
            .collect::<Result<Vec<Field>>>()?;
        let (plan, qualifier) = self.slot_scan(slot, fields)?;
        let exprs = columns
            .into_iter()
            .enumerate()
            .map(|(i, output)| {
                let table = TableReference::bare(qualifier.clone());
                (Expr::Column(Column::new(Some(table), format!("s{i}"))), output)
            })
            .collect();
        self.project_outputs(plan, exprs)
    }

    /// A scan of a slot and the qualifier of its columns.
    pub(super) fn slot_scan(
        &mut self,
        slot: usize,
        fields: Vec<Field>,
    ) -> Result<(LogicalPlan, String)> {
        let qualifier = self.fresh_table();
        let source = SlotSource::new(slot, Arc::new(Schema::new(fields)));
        let source = provider_as_source(Arc::new(source));
        let table = TableReference::bare(qualifier.clone());
        Ok((LogicalPlanBuilder::scan(table, source, None)?.build()?, qualifier))
    }
}

/// Whether a plan gives other rows each time it runs.
pub(super) fn is_volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut volatile = false;
    plan.apply_with_subqueries(|node| {
        volatile |= node.expressions().iter().any(Expr::is_volatile);
        Ok(if volatile { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(volatile)
}
