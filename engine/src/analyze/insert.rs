//! INSERT and ON CONFLICT.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::Field,
    common::{Column, TableReference},
    logical_expr::{Expr, LogicalPlanBuilder, utils::split_conjunction},
    sql::sqlparser::ast,
};

use super::{
    BoundConflict, BoundInsert, ConflictAction, ConflictValues, InsertSource,
    binder::{Binder, unqualified_row},
    expression::Clause,
    lower::Below,
    names::{At, fold},
    raised::Raised,
    returning::{generated_always, is_default, refuses_values},
    scope::{FromItem, Scope, ScopeColumn, ScopeTable},
    subquery::has_subquery,
};
use crate::{
    catalog::{ConstraintKind, Identity, Index, Relation},
    error::{Error, Result, SqlState},
    exec::evaluate::row_columns,
    statement::{ConflictPart, conflict_target, overriding},
    types::PgType,
};

/// A column that the statement gives values for.
struct Given {
    attnum: i16,
    /// Among the live columns.
    index: usize,
    name: String,
    ty: PgType,
    place: Option<u32>,
    /// `OVERRIDING USER VALUE`: the sequence's value is taken all the same.
    is_ignored: bool,
}

/// What an INSERT says about identity columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overriding {
    Nothing,
    System,
    User,
}

impl Binder<'_> {
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert) -> Result<BoundInsert> {
        refuse_foreign(insert)?;
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::syntax_error_near("("));
        };
        let target = self.target(name, "INSERT")?;
        let alias = insert.table_alias.as_ref().map(|alias| fold(&alias.alias));
        let mut given = self.given_columns(&target, &insert.columns)?;
        let explicit = !insert.columns.is_empty();
        let overrides = match overriding(insert) {
            Some("system") => Overriding::System,
            Some(_) => Overriding::User,
            None => Overriding::Nothing,
        };
        for column in &mut given {
            column.is_ignored = overrides == Overriding::User
                && target.columns[(column.attnum - 1) as usize].identity != Identity::No;
        }
        self.overrides_system = overrides == Overriding::System;
        let source = match &insert.source {
            None => {
                given.clear();
                InsertSource::Values(vec![self.default_row(&target)?])
            }
            Some(query) => self.bind_source(&target, query, &mut given, explicit)?,
        };
        let mut planning_error = None;
        let on_conflict = match &insert.on {
            None => None,
            Some(ast::OnInsert::OnConflict(conflict)) => Some(self.bind_conflict(
                &target,
                alias.as_deref(),
                conflict,
                &mut planning_error,
            )?),
            Some(_) => return Err(Error::syntax_error_near("ON")),
        };
        let item = self.new_row(&target, alias.as_deref())?;
        let returning = self.bind_returning(insert.returning.as_ref(), &item)?;
        self.note_read(&target, None, returning.iter().flatten().map(|(expr, _)| expr));
        Ok(BoundInsert {
            target,
            source,
            on_conflict,
            returning,
            relations: std::mem::take(&mut self.relations),
            planning_error,
        })
    }

    /// The columns named, or all live ones.
    fn given_columns(
        &mut self,
        target: &Arc<Relation>,
        columns: &[ast::ObjectName],
    ) -> Result<Vec<Given>> {
        let live: Vec<_> = target.live_columns().collect();
        if columns.is_empty() {
            return Ok(live
                .into_iter()
                .enumerate()
                .filter(|(_, (_, column))| !column.hidden)
                .map(|(index, (attnum, column))| Given {
                    attnum,
                    index,
                    name: column.name.clone(),
                    ty: column.ty,
                    place: None,
                    is_ignored: false,
                })
                .collect());
        }
        let mut given: Vec<Given> = Vec::with_capacity(columns.len());
        for name in columns {
            let place = self.places.start(name);
            let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
                return Err(Error::feature_not_supported(
                    "assigning to a part of a column is not supported",
                )
                .at_place(place));
            };
            let (attnum, index) = self.target_column(target, ident)?;
            let (_, column) = live[index];
            if given.iter().any(|other| other.attnum == attnum) {
                return Err(Error::column_twice(&column.name).at_place(place));
            }
            given.push(Given {
                attnum,
                index,
                name: column.name.clone(),
                ty: column.ty,
                place,
                is_ignored: false,
            });
        }
        Ok(given)
    }

    /// A row of defaults.
    fn default_row(&mut self, target: &Arc<Relation>) -> Result<Vec<Expr>> {
        let attnums: Vec<i16> = target.live_columns().map(|(attnum, _)| attnum).collect();
        attnums.into_iter().map(|attnum| self.column_default(target, attnum)).collect()
    }

    fn bind_source(
        &mut self,
        target: &Arc<Relation>,
        query: &ast::Query,
        given: &mut Vec<Given>,
        explicit: bool,
    ) -> Result<InsertSource> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none();
        match query.body.as_ref() {
            ast::SetExpr::Values(values) if plain => {
                self.bind_rows(target, values, given, explicit)
            }
            _ => self.bind_selected(target, query, given, explicit),
        }
    }

    fn bind_rows(
        &mut self,
        target: &Arc<Relation>,
        values: &ast::Values,
        given: &mut Vec<Given>,
        explicit: bool,
    ) -> Result<InsertSource> {
        let width = values.rows.first().map_or(0, |row| row.len());
        if let Some(other) = values.rows.iter().find(|row| row.len() != width) {
            let place = other.first().and_then(|expr| self.places.start(expr));
            let error = Error::syntax_error("VALUES lists must all be the same length");
            return Err(error.at_place(place));
        }
        let first = values.rows.first().map(|row| row.as_slice()).unwrap_or_default();
        let extra = first.get(given.len()).and_then(|expr| self.places.start(expr));
        self.check_width(given, width, explicit, extra)?;
        let defaults = self.default_row(target)?;
        let scope = Scope::empty(None);
        let mut rows = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let mut exprs = defaults.clone();
            for (column, value) in given.iter().zip(row.iter()) {
                if is_default(value) {
                    continue;
                }
                let place = self.places.start(value);
                self.check_writable(target, column)?;
                let typed = self.expression(value, &scope, Clause::Values)?;
                if column.is_ignored {
                    continue;
                }
                exprs[column.index] = self.assign(typed, &column.name, column.ty, place)?;
            }
            rows.push(exprs);
        }
        if rows.iter().flatten().any(has_subquery) {
            return self.rows_plan(target, rows);
        }
        Ok(InsertSource::Values(rows))
    }

    /// Rows with subqueries: one SELECT each.
    fn rows_plan(&mut self, target: &Arc<Relation>, rows: Vec<Vec<Expr>>) -> Result<InsertSource> {
        let mut whole: Option<LogicalPlanBuilder> = None;
        for row in rows {
            let plan = LogicalPlanBuilder::empty(true).build()?;
            let (plan, row) = self.place(plan, row, super::lower::Below::Project)?;
            let row = named_row(target, row);
            let next = LogicalPlanBuilder::from(plan).project(row)?;
            whole = Some(match whole {
                None => next,
                Some(before) => before.union(next.build()?)?,
            });
        }
        let plan = whole.ok_or_else(|| Error::internal("VALUES without rows"))?.build()?;
        Ok(InsertSource::Plan(plan))
    }

    fn bind_selected(
        &mut self,
        target: &Arc<Relation>,
        query: &ast::Query,
        given: &mut Vec<Given>,
        explicit: bool,
    ) -> Result<InsertSource> {
        let rows = self.bind_query(query, None, false)?;
        let place = self.places.start(query);
        self.check_width(given, rows.columns.len(), explicit, place)?;
        let mut exprs = self.default_row(target)?;
        for (column, value) in given.iter().zip(&rows.columns) {
            self.check_writable(target, column)?;
            if column.is_ignored {
                continue;
            }
            exprs[column.index] = self.assign(value.typed(), &column.name, column.ty, place)?;
        }
        let exprs = named_row(target, exprs);
        let plan = LogicalPlanBuilder::from(rows.plan).project(exprs)?.build()?;
        Ok(InsertSource::Plan(plan))
    }

    /// As many values as columns; without a column list fewer are enough.
    fn check_width(
        &self,
        given: &mut Vec<Given>,
        width: usize,
        explicit: bool,
        place: Option<u32>,
    ) -> Result<()> {
        if width > given.len() {
            return Err(Error::syntax_error("INSERT has more expressions than target columns")
                .at_place(place));
        }
        if width < given.len() {
            if explicit {
                return Err(Error::syntax_error("INSERT has more target columns than expressions")
                    .at_place(given[width].place));
            }
            given.truncate(width);
        }
        Ok(())
    }

    fn check_writable(&self, target: &Relation, column: &Given) -> Result<()> {
        match refuses_values(target, column.attnum) {
            None => Ok(()),
            Some(detail) if detail.ends_with("ALWAYS.") && self.overrides_system => Ok(()),
            Some(detail) if detail.ends_with("ALWAYS.") && column.is_ignored => Ok(()),
            Some(detail) => {
                let error = generated_always("insert", &column.name, &detail);
                Err(match detail.ends_with("ALWAYS.") {
                    true => error.with_hint("Use OVERRIDING SYSTEM VALUE to override."),
                    false => error,
                })
            }
        }
    }

    /// The row that is inserted, as RETURNING and DO UPDATE name it.
    fn new_row(&self, target: &Arc<Relation>, alias: Option<&str>) -> Result<FromItem> {
        let mut item = unqualified_row(target)?;
        for table in &mut item.tables {
            match alias {
                Some(alias) => alias.clone_into(&mut table.alias),
                None => table.schema = Some(self.env.catalog.schema_name(target.schema)),
            }
        }
        Ok(item)
    }

    fn bind_conflict(
        &mut self,
        target: &Arc<Relation>,
        alias: Option<&str>,
        conflict: &ast::OnConflict,
        planning_error: &mut Option<Error>,
    ) -> Result<BoundConflict> {
        let arbiter = match &conflict.conflict_target {
            None => None,
            Some(ast::ConflictTarget::Columns(columns)) => {
                let matching = self.arbiter_by_columns(target, columns)?;
                if matching.is_empty() {
                    *planning_error = Some(Error::new(
                        SqlState::INVALID_COLUMN_REFERENCE,
                        "there is no unique or exclusion constraint matching the ON CONFLICT \
                         specification",
                    ));
                }
                Some(matching)
            }
            Some(ast::ConflictTarget::OnConstraint(name)) => {
                Some(vec![self.arbiter_by_constraint(target, name)?])
            }
        };
        // The columns of the arbiter are read.
        if arbiter.is_some() {
            self.note_relation(target);
        }
        let action = match &conflict.action {
            ast::OnConflictAction::DoNothing => ConflictAction::Nothing,
            ast::OnConflictAction::DoUpdate(update) => {
                if arbiter.is_none() {
                    return Err(Error::syntax_error(
                        "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                    )
                    .with_hint("For example, ON CONFLICT (column_name)."));
                }
                let mut item = self.new_row(target, alias)?;
                let excluded: Vec<ScopeColumn> = item
                    .columns
                    .iter()
                    .map(|column| ScopeColumn {
                        expr: Expr::Column(Column::new_unqualified(format!("e{}", column.attnum))),
                        ..column.clone()
                    })
                    .collect();
                item.columns.extend(excluded.iter().cloned());
                item.tables.push(ScopeTable {
                    alias: "excluded".to_owned(),
                    schema: None,
                    columns: excluded,
                    base: None,
                    function: false,
                    nullable: false,
                    presence: None,
                    members: None,
                    locks_inside: false,
                });
                let raised = Raised::of(Clause::Set);
                let scope = Scope { raised: Some(&raised), ..Scope::of(&item, None) };
                let bound = self.bind_assignments(target, &update.assignments, &scope)?;
                raised.clause.set(Clause::Where);
                let (columns, values): (Vec<usize>, Vec<Expr>) =
                    bound.into_iter().map(|(_, index, expr)| (index, expr)).unzip();
                let filter = match &update.selection {
                    Some(condition) => Some(self.predicate(condition, &scope, Clause::Where)?),
                    None => None,
                };
                self.note_read(target, None, values.iter().chain(&filter));
                let new = match values.iter().chain(&filter).any(has_subquery) {
                    false => ConflictValues::Expressions { values, filter },
                    true => self.conflict_plan(target, values, filter)?,
                };
                ConflictAction::Update { columns, new }
            }
        };
        Ok(BoundConflict { arbiter, action })
    }

    /// The new values where subqueries have a say: a plan over the row that is there and the row
    /// proposed.
    fn conflict_plan(
        &mut self,
        target: &Relation,
        values: Vec<Expr>,
        filter: Option<Expr>,
    ) -> Result<ConflictValues> {
        let mut both = row_columns(target, 'a')?;
        both.extend(row_columns(target, 'e')?);
        let names: Vec<String> = both.iter().map(|(name, _)| name.clone()).collect();
        let fields = both.into_iter().map(|(name, ty)| Field::new(name, ty, true)).collect();
        let slot = self.fresh_slot();
        let (plan, qualifier) = self.slot_scan(slot, fields)?;
        let row = names.into_iter().map(|name| {
            let table = TableReference::bare(qualifier.clone());
            Expr::Column(Column::new(Some(table), &name)).alias(name)
        });
        let plan = LogicalPlanBuilder::from(plan).project(row.collect::<Vec<_>>())?.build()?;
        let mut exprs = values;
        exprs.push(filter.unwrap_or_else(|| super::literals::boolean(true)));
        let (plan, exprs) = self.place(plan, exprs, Below::Project)?;
        let exprs: Vec<Expr> =
            exprs.into_iter().enumerate().map(|(i, expr)| expr.alias(format!("v{i}"))).collect();
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok(ConflictValues::Plan { slot, plan: Box::new(plan) })
    }

    /// The unique indexes over exactly what `ON CONFLICT (...)` lists; one with a predicate only
    /// where the `WHERE` behind the list says so.
    fn arbiter_by_columns(
        &mut self,
        target: &Arc<Relation>,
        columns: &[ast::Ident],
    ) -> Result<Vec<usize>> {
        let item = unqualified_row(target)?;
        let scope = Scope::of(&item, None);
        let mut wanted: Vec<Expr> = Vec::with_capacity(columns.len());
        let mut conditions: Vec<Expr> = Vec::new();
        for column in columns {
            match conflict_target(column) {
                None => {
                    let (attnum, _) = self.target_column(target, column)?;
                    wanted.push(row_column(attnum));
                }
                Some(ConflictPart::Expression(text)) => {
                    let tree = super::parse_expression(text)?;
                    wanted.push(self.expression(&tree, &scope, Clause::Standalone)?.expr);
                }
                Some(ConflictPart::Condition(text)) => {
                    let tree = super::parse_expression(text)?;
                    let condition = self.predicate(&tree, &scope, Clause::Where)?;
                    conditions.extend(split_conjunction(&condition).into_iter().cloned());
                }
            }
        }
        let mut matching = Vec::new();
        for (place, index) in target.indexes().iter().enumerate() {
            if index.unique && self.is_meant(target, index, &wanted, &conditions)? {
                matching.push(place);
            }
        }
        Ok(matching)
    }

    fn is_meant(
        &mut self,
        target: &Arc<Relation>,
        index: &Index,
        wanted: &[Expr],
        conditions: &[Expr],
    ) -> Result<bool> {
        let mut keys = Vec::with_capacity(index.columns.len());
        for column in &index.columns {
            let attribute = &target.columns[(column.attnum - 1) as usize];
            keys.push(match (&attribute.default, attribute.hidden) {
                (Some(text), true) => self.of_row(target, None, text)?,
                _ => row_column(column.attnum),
            });
        }
        let same = keys.iter().all(|key| wanted.contains(key))
            && wanted.iter().all(|key| keys.contains(key));
        let Some(predicate) = target.index_predicate(index).filter(|_| same) else {
            return Ok(same);
        };
        let predicate = self.of_row(target, None, predicate)?;
        let needed = split_conjunction(&predicate);
        Ok(needed.into_iter().all(|part| conditions.contains(part)))
    }

    fn arbiter_by_constraint(
        &mut self,
        target: &Arc<Relation>,
        name: &ast::ObjectName,
    ) -> Result<usize> {
        let wanted = super::names::parts(name)?.pop().unwrap_or_default();
        let constraint = target
            .constraints()
            .iter()
            .find(|constraint| constraint.name == wanted)
            .ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("constraint \"{wanted}\" for table \"{}\" does not exist", target.name),
            )
        })?;
        let index = match &constraint.kind {
            ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => *index,
            _ => {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    "constraint in ON CONFLICT clause has no associated index",
                ));
            }
        };
        target
            .indexes()
            .iter()
            .position(|candidate| candidate.oid == index)
            .ok_or_else(|| Error::internal(format!("constraint \"{wanted}\" has lost its index")))
    }
}

fn row_column(attnum: i16) -> Expr {
    Expr::Column(Column::new_unqualified(format!("a{attnum}")))
}

/// The row of the target under the name that the statement gives it.
/// Names the columns of a full row.
fn named_row(target: &Relation, row: Vec<Expr>) -> Vec<Expr> {
    target
        .live_columns()
        .zip(row)
        .map(|((attnum, _), expr)| expr.alias(format!("a{attnum}")))
        .collect()
}

/// Clauses of other dialects that the parser lets through.
fn refuse_foreign(insert: &ast::Insert) -> Result<()> {
    let foreign = if insert.or.is_some() {
        "OR"
    } else if insert.ignore {
        "IGNORE"
    } else if !insert.into {
        "INSERT"
    } else if insert.overwrite {
        "OVERWRITE"
    } else if !insert.assignments.is_empty() {
        "SET"
    } else if (insert.partitioned.is_some() && overriding(insert).is_none())
        || !insert.after_columns.is_empty()
    {
        "PARTITION"
    } else if insert.has_table_keyword {
        "TABLE"
    } else if insert.replace_into || insert.priority.is_some() || insert.insert_alias.is_some() {
        "AS"
    } else if insert.output.is_some() {
        "OUTPUT"
    } else if insert.settings.is_some() || insert.format_clause.is_some() {
        "SETTINGS"
    } else {
        return Ok(());
    };
    Err(Error::syntax_error_near(foreign))
}
