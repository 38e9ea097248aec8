//! INSERT and ON CONFLICT.

use std::sync::Arc;

use datafusion::{
    common::Column,
    logical_expr::{Expr, LogicalPlanBuilder},
    sql::sqlparser::ast,
};

use super::{
    BoundConflict, BoundInsert, ConflictAction, InsertSource,
    binder::{Binder, unqualified_row},
    expression::Clause,
    names::{At, fold},
    returning::{generated_always, is_default, refuses_values},
    scope::{FromItem, Scope, ScopeColumn, ScopeTable},
    subquery::has_subquery,
};
use crate::{
    catalog::{ConstraintKind, Relation},
    error::{Error, Result, SqlState},
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
}

impl Binder<'_> {
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert) -> Result<BoundInsert> {
        refuse_foreign(insert)?;
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::syntax_error_near("("));
        };
        let target = self.target(name, "INSERT")?;
        let alias = match &insert.table_alias {
            Some(alias) => fold(&alias.alias),
            None => target.name.clone(),
        };
        let mut given = self.given_columns(&target, &insert.columns)?;
        let explicit = !insert.columns.is_empty();
        let source = match &insert.source {
            None => {
                given.clear();
                InsertSource::Values(vec![self.default_row(&target)?])
            }
            Some(query) => self.bind_source(&target, query, &mut given, explicit)?,
        };
        let on_conflict = match &insert.on {
            None => None,
            Some(ast::OnInsert::OnConflict(conflict)) => {
                Some(self.bind_conflict(&target, &alias, conflict)?)
            }
            Some(_) => return Err(Error::syntax_error_near("ON")),
        };
        let item = aliased_row(&target, &alias)?;
        let returning = self.bind_returning(insert.returning.as_ref(), &item)?;
        Ok(BoundInsert {
            columns: given.iter().map(|column| column.attnum).collect(),
            target,
            source,
            on_conflict,
            returning,
            relations: std::mem::take(&mut self.relations),
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
                .map(|(index, (attnum, column))| Given {
                    attnum,
                    index,
                    name: column.name.clone(),
                    ty: column.ty,
                    place: None,
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
            given.push(Given { attnum, index, name: column.name.clone(), ty: column.ty, place });
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
        if values.rows.iter().any(|row| row.len() != width) {
            return Err(Error::syntax_error("VALUES lists must all be the same length"));
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
            let (plan, row) = self.place(plan, row, super::subquery::Below::Project)?;
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
            Some(detail) => {
                let error = generated_always("insert", &column.name, &detail);
                Err(match detail.ends_with("ALWAYS.") {
                    true => error.with_hint("Use OVERRIDING SYSTEM VALUE to override."),
                    false => error,
                })
            }
        }
    }

    fn bind_conflict(
        &mut self,
        target: &Arc<Relation>,
        alias: &str,
        conflict: &ast::OnConflict,
    ) -> Result<BoundConflict> {
        let arbiter = match &conflict.conflict_target {
            None => None,
            Some(ast::ConflictTarget::Columns(columns)) => {
                Some(self.arbiter_by_columns(target, columns)?)
            }
            Some(ast::ConflictTarget::OnConstraint(name)) => {
                Some(vec![self.arbiter_by_constraint(target, name)?])
            }
        };
        let action = match &conflict.action {
            ast::OnConflictAction::DoNothing => ConflictAction::Nothing,
            ast::OnConflictAction::DoUpdate(update) => {
                if arbiter.is_none() {
                    return Err(Error::syntax_error(
                        "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                    )
                    .with_hint("For example, ON CONFLICT (column_name)."));
                }
                let mut item = aliased_row(target, alias)?;
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
                });
                let scope = Scope::of(&item, None);
                let bound = self.bind_assignments(target, &update.assignments, &scope)?;
                let assignments: Vec<(usize, Expr)> =
                    bound.into_iter().map(|(_, index, expr)| (index, expr)).collect();
                let filter = match &update.selection {
                    Some(condition) => Some(self.predicate(condition, &scope, Clause::Where)?),
                    None => None,
                };
                if assignments.iter().map(|(_, expr)| expr).chain(&filter).any(has_subquery) {
                    return Err(Error::feature_not_supported(
                        "a subquery in ON CONFLICT DO UPDATE is not supported",
                    ));
                }
                ConflictAction::Update { assignments, filter }
            }
        };
        Ok(BoundConflict { arbiter, action })
    }

    fn arbiter_by_columns(
        &mut self,
        target: &Arc<Relation>,
        columns: &[ast::Ident],
    ) -> Result<Vec<usize>> {
        let mut wanted = Vec::with_capacity(columns.len());
        for column in columns {
            wanted.push(self.target_column(target, column)?.0);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let matching: Vec<usize> = target
            .indexes()
            .iter()
            .enumerate()
            .filter(|(_, index)| {
                let mut attnums: Vec<i16> =
                    index.columns.iter().map(|column| column.attnum).collect();
                attnums.sort_unstable();
                attnums.dedup();
                index.unique && attnums == wanted
            })
            .map(|(i, _)| i)
            .collect();
        if matching.is_empty() {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            ));
        }
        Ok(matching)
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

/// The row of the target under the name that the statement gives it.
fn aliased_row(target: &Arc<Relation>, alias: &str) -> Result<FromItem> {
    let mut item = unqualified_row(target)?;
    for table in &mut item.tables {
        table.alias = alias.to_owned();
    }
    Ok(item)
}

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
    } else if insert.partitioned.is_some() || !insert.after_columns.is_empty() {
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
