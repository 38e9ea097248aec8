//! Queries: WITH, set operations, VALUES, ORDER BY and LIMIT around a body.

use std::sync::Arc;

use datafusion::{
    common::{NullEquality, TableReference},
    logical_expr::{
        Expr, JoinType, LogicalPlan, LogicalPlanBuilder, SortExpr, Union,
        expr::WindowFunctionParams,
    },
    sql::sqlparser::ast,
};

use super::{
    Analyzed, BoundQuery, OutputColumn,
    binder::{Binder, Cte, CteBody, RowColumn, Rowset, Typed},
    expression::Clause,
    names::{At, fold},
    recursion::check_recursive_term,
    scope::Scope,
    select::{SelectTail, Tail},
};
use crate::{
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

/// A subplan's outer scope, if it is a subquery.
pub(super) type Outer<'s> = Option<&'s Scope<'s>>;

impl Binder<'_> {
    /// A query as a statement of its own; `WITH ... INSERT` comes here as well.
    pub(super) fn bind_statement_query(&mut self, query: &ast::Query) -> Result<Analyzed> {
        if let ast::SetExpr::Insert(statement)
        | ast::SetExpr::Update(statement)
        | ast::SetExpr::Delete(statement) = query.body.as_ref()
        {
            self.bind_with(query, None, true)?;
            return self.bind_change(statement);
        }
        let mut tail = SelectTail { top: true, ..SelectTail::default() };
        let rows = self.bind_query_with(query, None, true, &mut tail)?;
        let output = rows.columns.iter().map(|column| column.output.clone()).collect();
        Ok(Analyzed::Query(Box::new(BoundQuery {
            tag: "SELECT",
            plan: rows.plan,
            output,
            simple: tail.simple,
            locks: tail.locks,
            row_keys: tail.row_keys,
            relations: std::mem::take(&mut self.relations),
            awaited: tail.awaited,
        })))
    }

    /// A subquery. With `resolve` its columns of unknown type become text.
    pub(super) fn bind_query(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
        resolve: bool,
    ) -> Result<Rowset> {
        if !query.locks.is_empty() {
            return self.bind_locking(query, outer);
        }
        let mut tail = SelectTail::default();
        self.bind_query_with(query, outer, resolve, &mut tail)
    }

    pub(super) fn bind_query_with(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
        resolve: bool,
        tail: &mut SelectTail,
    ) -> Result<Rowset> {
        self.nested(|binder| {
            let known = binder.ctes.len();
            binder.bind_with(query, outer, tail.top)?;
            let rows = binder.bind_query_body(query, outer, resolve, tail);
            binder.ctes.truncate(known);
            rows
        })
    }

    fn bind_query_body(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
        resolve: bool,
        tail: &mut SelectTail,
    ) -> Result<Rowset> {
        refuse_foreign(query)?;
        let limits = self.bind_limits(query, outer);
        let (limit, offset) =
            limits.map_err(|error| self.variable_in_limit(query, outer).unwrap_or(error))?;
        let order = order_expressions(query)?;
        let with_ties = query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties);
        let around = Tail { order, limit, offset, with_ties, locks: &query.locks, resolve };
        let mut body = query.body.as_ref();
        while let ast::SetExpr::Query(inner) = body {
            if !around.is_empty() || !is_plain(inner) {
                break;
            }
            body = inner.body.as_ref();
        }
        match body {
            ast::SetExpr::Select(select) => self.bind_select(select, outer, around, tail),
            other => {
                if let Some(lock) = query.locks.first() {
                    let why = match other {
                        ast::SetExpr::Values(_) => "cannot be applied to VALUES",
                        _ => "is not allowed with UNION/INTERSECT/EXCEPT",
                    };
                    return Err(Error::feature_not_supported(format!(
                        "{} {why}",
                        super::locks::lock_name(lock)
                    )));
                }
                let rows = self.bind_body(other, outer, resolve)?;
                self.order_and_limit(rows, &around)
            }
        }
    }

    /// A body on its own, without ORDER BY and LIMIT around it.
    fn bind_body(
        &mut self,
        body: &ast::SetExpr,
        outer: Outer<'_>,
        resolve: bool,
    ) -> Result<Rowset> {
        self.nested(|binder| match body {
            ast::SetExpr::Select(select) => {
                let around = Tail { resolve, ..Tail::default() };
                binder.bind_select(select, outer, around, &mut SelectTail::default())
            }
            ast::SetExpr::Query(query) => binder.bind_query(query, outer, resolve),
            ast::SetExpr::Values(values) => binder.bind_values(values, outer, resolve),
            ast::SetExpr::SetOperation { left, op, set_quantifier, right } => {
                binder.bind_set_operation(left, *op, *set_quantifier, right, outer)
            }
            ast::SetExpr::Table(table) => binder.bind_table_command(table, outer),
            ast::SetExpr::Insert(_)
            | ast::SetExpr::Update(_)
            | ast::SetExpr::Delete(_)
            | ast::SetExpr::Merge(_) => Err(Error::syntax_error(
                "INSERT, UPDATE and DELETE inside of a query stand in its WITH",
            )),
        })
    }

    /// `TABLE t`
    fn bind_table_command(&mut self, table: &ast::Table, outer: Outer<'_>) -> Result<Rowset> {
        let mut parts = Vec::new();
        if let Some(schema) = &table.schema_name {
            parts.push(ast::Ident::new(schema));
        }
        parts.push(ast::Ident::new(table.table_name.clone().unwrap_or_default()));
        let item = self.bind_table_name(&ast::ObjectName::from(parts), None, false)?;
        let _ = outer;
        let columns = item.columns.clone();
        self.project_scope(item.plan, &columns)
    }

    /// Makes the queries of a WITH known. Changes among them may only be where `top` says so.
    pub(super) fn bind_with(
        &mut self,
        query: &ast::Query,
        outer: Outer<'_>,
        top: bool,
    ) -> Result<()> {
        let Some(with) = &query.with else { return Ok(()) };
        for cte in &with.cte_tables {
            let name = fold(&cte.alias.name);
            let twice = with.cte_tables.iter().filter(|c| fold(&c.alias.name) == name).count() > 1;
            if twice {
                return Err(Error::new(
                    SqlState::DUPLICATE_ALIAS,
                    format!("WITH query name \"{name}\" specified more than once"),
                )
                .at_place(self.places.span(cte.alias.name.span)));
            }
        }
        let known = self.ctes.len();
        for (i, cte) in with.cte_tables.iter().enumerate() {
            // PostgreSQL says of a name further down that it is there, and out of reach.
            for later in &with.cte_tables[i..] {
                self.ctes.push(Cte { name: fold(&later.alias.name), body: CteBody::Later });
            }
            let body = self.bind_one_of_with(query, cte, outer, top);
            self.ctes.truncate(known + i);
            self.ctes.push(Cte { name: fold(&cte.alias.name), body: body? });
        }
        Ok(())
    }

    fn bind_one_of_with(
        &mut self,
        query: &ast::Query,
        cte: &ast::Cte,
        outer: Outer<'_>,
        top: bool,
    ) -> Result<CteBody> {
        let name = fold(&cte.alias.name);
        if let ast::SetExpr::Insert(statement)
        | ast::SetExpr::Update(statement)
        | ast::SetExpr::Delete(statement) = cte.query.body.as_ref()
        {
            return self.bind_changing(cte, statement, top);
        }
        let is_recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        if is_recursive && mentions(&cte.query, &name) > 0 {
            return Ok(CteBody::Rows(self.bind_recursive(cte, &name, outer)?));
        }
        let rows = self.bind_query(&cte.query, outer, true)?;
        let rows = self.rename_columns(rows, &cte.alias.columns, &name)?;
        // Each reference runs the query; what is different each time must run once.
        let is_inner = outer.is_some() || self.in_recursion;
        if !is_inner && mentions(query, &name) > 1 && super::stage::is_volatile(&rows.plan)? {
            return Ok(CteBody::Rows(self.bind_once(rows)?));
        }
        Ok(CteBody::Rows(rows))
    }

    /// Gives a rowset the column names of an alias.
    pub(super) fn rename_columns(
        &self,
        mut rows: Rowset,
        names: &[ast::TableAliasColumnDef],
        table: &str,
    ) -> Result<Rowset> {
        if names.len() > rows.columns.len() {
            return Err(too_many_of_with(table, rows.columns.len(), names.len()));
        }
        for (column, alias) in rows.columns.iter_mut().zip(names) {
            column.output.name = fold(&alias.name);
        }
        Ok(rows)
    }

    /// `WITH RECURSIVE name AS (first UNION [ALL] next)`
    fn bind_recursive(&mut self, cte: &ast::Cte, name: &str, outer: Outer<'_>) -> Result<Rowset> {
        let (left, right, distinct) = recursive_terms(&cte.query, name)?;
        self.ctes.push(Cte {
            name: name.to_owned(),
            body: CteBody::Forbidden("within its non-recursive term"),
        });
        let first = self.bind_body(left, outer, true);
        self.ctes.pop();
        let first = self.rename_columns(first?, &cte.alias.columns, name)?;
        let table = self.fresh_table();
        let output: Vec<OutputColumn> = first
            .columns
            .iter()
            .map(|column| OutputColumn { table: Oid::INVALID, attnum: 0, ..column.output.clone() })
            .collect();
        self.ctes.push(Cte {
            name: name.to_owned(),
            body: CteBody::Recursive { table: table.clone(), columns: output.clone() },
        });
        let around = std::mem::replace(&mut self.in_recursion, true);
        let next = self.bind_body(right, outer, false);
        self.in_recursion = around;
        self.ctes.pop();
        let next = next?;
        check_recursive_term(name, &table, &next.plan)?;
        let next = self.with_types_of_first(name, &output, next)?;
        let names: Vec<String> = (1..=output.len()).map(|i| format!("r{i}")).collect();
        let first_plan = renamed(first.plan, &first.columns, &names)?;
        let next_plan = renamed(next.plan, &next.columns, &names)?;
        if distinct && output.iter().any(|column| super::keys::needs_key(column.ty)) {
            return Err(Error::feature_not_supported(
                "WITH RECURSIVE ... UNION over this column type is not supported; use UNION ALL",
            ));
        }
        let plan = LogicalPlanBuilder::from(first_plan)
            .to_recursive_query(table.clone(), next_plan, distinct)?
            .alias(TableReference::bare(table.clone()))?
            .build()?;
        let qualified = |name: &String| {
            Expr::Column(datafusion::common::Column::new(
                Some(TableReference::bare(table.clone())),
                name.clone(),
            ))
        };
        let exprs = names.iter().zip(output).map(|(n, o)| (qualified(n), o)).collect();
        self.project_outputs(plan, exprs)
    }

    /// The recursive term with the types of the other, which no column of it may widen.
    fn with_types_of_first(
        &mut self,
        name: &str,
        first: &[OutputColumn],
        next: Rowset,
    ) -> Result<Rowset> {
        if first.len() != next.columns.len() {
            return Err(column_count("UNION"));
        }
        let mut exprs = Vec::with_capacity(first.len());
        for (i, (a, b)) in first.iter().zip(&next.columns).enumerate() {
            let null = super::returning::null_of(a.ty)?;
            let mut pair = vec![Typed::new(null, a.ty), b.typed()];
            let overall = self.unify("UNION", &mut pair, None)?;
            if a.ty.oid != overall.oid {
                return Err(Error::datatype_mismatch(format!(
                    "recursive query \"{name}\" column {} has type {} in non-recursive term but \
                     type {} overall",
                    i + 1,
                    a.ty.name(),
                    overall.name()
                ))
                .with_hint("Cast the output of the non-recursive term to the correct type."));
            }
            let value = pair.pop().expect("a pair").expr;
            exprs.push((value, OutputColumn { ty: a.ty, ..b.output.clone() }));
        }
        self.project_outputs(next.plan, exprs)
    }

    /// `VALUES (...), (...)` as a query.
    fn bind_values(
        &mut self,
        values: &ast::Values,
        outer: Outer<'_>,
        resolve: bool,
    ) -> Result<Rowset> {
        let scope = Scope::empty(outer);
        let mut rows: Vec<Vec<Typed>> = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let row: Vec<Typed> = row
                .iter()
                .map(|expr| self.expression(expr, &scope, Clause::Values))
                .collect::<Result<_>>()?;
            if rows.first().is_some_and(|first| first.len() != row.len()) {
                return Err(Error::syntax_error("VALUES lists must all be the same length"));
            }
            rows.push(row);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        for i in 0..width {
            let mut members: Vec<Typed> = rows.iter().map(|row| row[i].clone()).collect();
            let single_unknown = members.len() == 1 && members[0].ty.is_unknown() && !resolve;
            let ty = if single_unknown {
                PgType::UNKNOWN
            } else {
                self.unify("VALUES", &mut members, None)?
            };
            for (row, member) in rows.iter_mut().zip(members) {
                row[i] = member;
            }
            columns.push((format!("column{}", i + 1), ty));
        }
        if rows.iter().flatten().any(|typed| super::subquery::has_subquery(&typed.expr)) {
            return self.values_as_union(rows, &columns);
        }
        let unknown: Vec<Option<Expr>> = (0..width)
            .map(|i| columns[i].1.is_unknown().then(|| rows[0][i].expr.clone()))
            .collect();
        let plan = super::values_plan(
            &columns.iter().map(|(_, ty)| *ty).collect::<Vec<_>>(),
            rows.into_iter().map(|row| row.into_iter().map(|t| t.expr).collect()).collect(),
        )?;
        let mut rows = self.project_outputs(
            plan,
            columns
                .into_iter()
                .enumerate()
                .map(|(i, (name, ty))| {
                    let column =
                        datafusion::common::Column::new_unqualified(format!("column{}", i + 1));
                    (
                        Expr::Column(column),
                        OutputColumn { name, ty, table: Oid::INVALID, attnum: 0 },
                    )
                })
                .collect(),
        )?;
        for (column, literal) in rows.columns.iter_mut().zip(unknown) {
            column.unknown = literal;
        }
        Ok(rows)
    }

    /// Rows with subqueries become one SELECT each.
    fn values_as_union(
        &mut self,
        rows: Vec<Vec<Typed>>,
        columns: &[(String, PgType)],
    ) -> Result<Rowset> {
        let mut inputs = Vec::with_capacity(rows.len());
        for row in rows {
            let plan = LogicalPlanBuilder::empty(true).build()?;
            let exprs = row
                .into_iter()
                .zip(columns)
                .map(|(typed, (name, ty))| {
                    let output = OutputColumn {
                        name: name.clone(),
                        ty: *ty,
                        table: Oid::INVALID,
                        attnum: 0,
                    };
                    (typed.expr, output)
                })
                .collect();
            inputs.push(self.project_outputs(plan, exprs)?);
        }
        let columns = inputs[0].columns.clone();
        let plan = union_all(inputs.into_iter().map(|rows| rows.plan).collect())?;
        Ok(Rowset { plan, columns })
    }

    fn bind_set_operation(
        &mut self,
        left: &ast::SetExpr,
        op: ast::SetOperator,
        quantifier: ast::SetQuantifier,
        right: &ast::SetExpr,
        outer: Outer<'_>,
    ) -> Result<Rowset> {
        let name = match op {
            ast::SetOperator::Union => "UNION",
            ast::SetOperator::Intersect => "INTERSECT",
            ast::SetOperator::Except | ast::SetOperator::Minus => "EXCEPT",
        };
        let all = match quantifier {
            ast::SetQuantifier::All => true,
            ast::SetQuantifier::None | ast::SetQuantifier::Distinct => false,
            ast::SetQuantifier::ByName
            | ast::SetQuantifier::AllByName
            | ast::SetQuantifier::DistinctByName => {
                return Err(Error::syntax_error_near("BY"));
            }
        };
        let left = self.bind_body(left, outer, false)?;
        let place = self.places.start(right);
        let right = self.bind_body(right, outer, false)?;
        if left.columns.len() != right.columns.len() {
            return Err(column_count(name).at_place(place));
        }
        let (left, right) = self.unify_sides(name, left, right).at_place(place)?;
        match (op, all) {
            (ast::SetOperator::Union, true) => {
                let columns = left.columns.clone();
                Ok(Rowset { plan: union_all(vec![left.plan, right.plan])?, columns })
            }
            (ast::SetOperator::Union, false) => {
                let columns = left.columns.clone();
                let plan = union_all(vec![left.plan, right.plan])?;
                self.distinct(Rowset { plan, columns })
            }
            (_, all) => {
                let kind = match op {
                    ast::SetOperator::Intersect => JoinType::LeftSemi,
                    _ => JoinType::LeftAnti,
                };
                self.set_join(left, right, kind, all)
            }
        }
    }

    /// Casts both sides of a set operation to their common types.
    fn unify_sides(
        &mut self,
        name: &'static str,
        left: Rowset,
        right: Rowset,
    ) -> Result<(Rowset, Rowset)> {
        let mut left_exprs = Vec::new();
        let mut right_exprs = Vec::new();
        for (a, b) in left.columns.iter().zip(&right.columns) {
            let mut pair = vec![a.typed(), b.typed()];
            let ty = self.unify(name, &mut pair, None)?;
            let ty = match a.output.ty == b.output.ty && a.output.ty.oid == ty.oid {
                true => a.output.ty,
                false => ty,
            };
            let output =
                OutputColumn { name: a.output.name.clone(), ty, table: Oid::INVALID, attnum: 0 };
            let second = pair.pop().expect("a pair");
            let first = pair.pop().expect("a pair");
            left_exprs.push((first.expr, output.clone()));
            right_exprs.push((second.expr, output));
        }
        Ok((
            self.project_outputs(left.plan, left_exprs)?,
            self.project_outputs(right.plan, right_exprs)?,
        ))
    }

    /// INTERSECT and EXCEPT: rows of `left` that have (or lack) an equal in `right`. With ALL the
    /// n-th of several equals looks for the n-th.
    fn set_join(
        &mut self,
        left: Rowset,
        right: Rowset,
        kind: JoinType,
        all: bool,
    ) -> Result<Rowset> {
        let (left, right) = match all {
            true => (left, right),
            false => (self.distinct(left)?, right),
        };
        let columns = left.columns.clone();
        let (left_plan, mut left_keys) = self.with_keys(left, all)?;
        let (right_plan, mut right_keys) = self.with_keys(right, all)?;
        let plan = LogicalPlanBuilder::from(left_plan)
            .join_detailed(
                right_plan,
                kind,
                (std::mem::take(&mut left_keys), std::mem::take(&mut right_keys)),
                None,
                NullEquality::NullEqualsNull,
            )?
            .project(columns.iter().map(RowColumn::expr).collect::<Vec<_>>())?
            .build()?;
        Ok(Rowset { plan, columns })
    }

    /// Adds the key of each column (and, numbered, the place among equals) to a plan.
    fn with_keys(
        &mut self,
        rows: Rowset,
        numbered: bool,
    ) -> Result<(LogicalPlan, Vec<datafusion::common::Column>)> {
        let mut exprs: Vec<Expr> = rows.columns.iter().map(RowColumn::expr).collect();
        let mut keys = Vec::new();
        for column in &rows.columns {
            let name = self.fresh();
            exprs.push(super::keys::key(column.expr(), column.output.ty)?.alias(&name));
            keys.push(datafusion::common::Column::new_unqualified(name));
        }
        if keys.is_empty() {
            // Rows without columns are all equal.
            let name = self.fresh();
            exprs.push(datafusion::prelude::lit(0_i64).alias(&name));
            keys.push(datafusion::common::Column::new_unqualified(name));
        }
        let mut plan = LogicalPlanBuilder::from(rows.plan).project(exprs)?.build()?;
        if numbered {
            let partition = keys.iter().cloned().map(Expr::Column).collect();
            let (numbered_plan, name) = self.row_number(plan, partition, Vec::new())?;
            plan = numbered_plan;
            keys.push(datafusion::common::Column::new_unqualified(name));
        }
        Ok((plan, keys))
    }

    /// Adds `row_number() OVER (PARTITION BY ... ORDER BY ...)` and tells its name.
    pub(super) fn row_number(
        &mut self,
        plan: LogicalPlan,
        partition_by: Vec<Expr>,
        order_by: Vec<SortExpr>,
    ) -> Result<(LogicalPlan, String)> {
        let udwf = datafusion::functions_window::row_number::row_number_udwf();
        self.numbered(plan, udwf, partition_by, order_by)
    }

    /// Adds a window function without arguments and tells its name.
    pub(super) fn numbered(
        &mut self,
        plan: LogicalPlan,
        udwf: Arc<datafusion::logical_expr::WindowUDF>,
        partition_by: Vec<Expr>,
        order_by: Vec<SortExpr>,
    ) -> Result<(LogicalPlan, String)> {
        use datafusion::logical_expr::{
            WindowFrame, WindowFunctionDefinition, expr::WindowFunction,
        };
        let frame = WindowFrame::new((!order_by.is_empty()).then_some(false));
        let (plan, partition_by) = self.partitions_apart(plan, partition_by)?;
        let function = Expr::from(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(udwf),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by,
                order_by,
                window_frame: frame,
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        });
        let display = function.schema_name().to_string();
        let name = self.fresh();
        let mut exprs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let plan = LogicalPlanBuilder::window_plan(plan, vec![function])?;
        exprs.push(Expr::Column(datafusion::common::Column::new_unqualified(display)).alias(&name));
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok((plan, name))
    }

    /// Leaves one of several equal rows.
    pub(super) fn distinct(&mut self, rows: Rowset) -> Result<Rowset> {
        let columns = rows.columns;
        let mut groups = Vec::new();
        let mut firsts = Vec::new();
        for column in &columns {
            super::keys::check_groupable(column.output.ty)?;
            if super::keys::needs_key(column.output.ty) {
                let name = self.fresh();
                groups.push(super::keys::key(column.expr(), column.output.ty)?.alias(name));
                firsts.push(super::keys::first_value(column.expr()).alias(&column.internal));
            } else {
                groups.push(column.expr());
            }
        }
        let builder = LogicalPlanBuilder::from(rows.plan);
        let plan = if columns.is_empty() {
            builder.limit(0, Some(1))?.build()?
        } else if firsts.is_empty() {
            builder.project(groups)?.distinct()?.build()?
        } else {
            builder
                .aggregate(groups, firsts)?
                .project(columns.iter().map(RowColumn::expr).collect::<Vec<_>>())?
                .build()?
        };
        Ok(Rowset { plan, columns })
    }

    /// ORDER BY of anything but a SELECT: by output columns only.
    fn order_and_limit(&mut self, rows: Rowset, around: &Tail<'_>) -> Result<Rowset> {
        let Rowset { plan, columns } = if around.resolve { self.resolved(rows)? } else { rows };
        let mut sorts = Vec::new();
        if !around.order.is_empty() {
            for item in around.order {
                let place = self.places.start(&item.expr);
                let index = match &item.expr {
                    ast::Expr::Identifier(ident) => {
                        let name = fold(ident);
                        columns.iter().position(|column| column.output.name == name)
                    }
                    expr => {
                        super::select::position(expr, columns.len(), "ORDER BY").at_place(place)?
                    }
                };
                let Some(index) = index else {
                    return Err(match &item.expr {
                        ast::Expr::Identifier(ident) => Error::undefined_column(&fold(ident)),
                        _ => Error::feature_not_supported(
                            "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                        )
                        .with_detail(
                            "Only result column names can be used, not expressions or functions.",
                        )
                        .with_hint(
                            "Add the expression/function to every SELECT, or move the UNION into \
                             a FROM clause.",
                        ),
                    }
                    .at_place(place));
                };
                let column = &columns[index];
                sorts.push(super::keys::sort(column.expr(), column.output.ty, &item.options)?);
            }
        }
        let is_counted = around.is_counted();
        let plan = match is_counted {
            true => self.counted(plan, &sorts, around)?,
            false => plan,
        };
        let mut builder = LogicalPlanBuilder::from(plan);
        if !sorts.is_empty() {
            builder = builder.sort(sorts)?;
        }
        if !is_counted && (around.limit.is_some() || around.offset.is_some()) {
            builder = builder.limit_by_expr(around.offset.clone(), around.limit.clone())?;
        }
        let plan =
            builder.project(columns.iter().map(RowColumn::expr).collect::<Vec<_>>())?.build()?;
        Ok(Rowset { plan, columns })
    }

    /// Columns whose type is still unknown become text.
    pub(super) fn resolved(&mut self, rows: Rowset) -> Result<Rowset> {
        if rows.columns.iter().all(|column| column.unknown.is_none()) {
            return Ok(rows);
        }
        let mut exprs = Vec::new();
        for column in &rows.columns {
            let typed = self.resolve_unknown(column.typed())?;
            exprs.push((typed.expr, OutputColumn { ty: typed.ty, ..column.output.clone() }));
        }
        self.project_outputs(rows.plan, exprs)
    }

    /// Projects to fresh names.
    pub(super) fn project_outputs(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<(Expr, OutputColumn)>,
    ) -> Result<Rowset> {
        let mut columns = Vec::with_capacity(exprs.len());
        let mut list = Vec::with_capacity(exprs.len());
        for (expr, output) in exprs {
            let internal = self.fresh();
            list.push(expr);
            columns.push(RowColumn { output, internal, unknown: None });
        }
        let (plan, list) = self.place(plan, list, super::lower::Below::Project)?;
        let list: Vec<Expr> =
            list.into_iter().zip(&columns).map(|(e, column)| e.alias(&column.internal)).collect();
        let plan = LogicalPlanBuilder::from(plan).project(list)?.build()?;
        Ok(Rowset { plan, columns })
    }

    /// All columns of a scope as a rowset.
    pub(super) fn project_scope(
        &mut self,
        plan: LogicalPlan,
        columns: &[super::scope::ScopeColumn],
    ) -> Result<Rowset> {
        let exprs = columns
            .iter()
            .map(|column| {
                let output = OutputColumn {
                    name: column.name.clone(),
                    ty: column.ty,
                    table: column.table,
                    attnum: column.attnum,
                };
                (column.expr.clone(), output)
            })
            .collect();
        self.project_outputs(plan, exprs)
    }
}

/// The expressions of ORDER BY.
fn order_expressions(query: &ast::Query) -> Result<&[ast::OrderByExpr]> {
    match &query.order_by {
        None => Ok(&[]),
        Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(list), interpolate: None }) => {
            Ok(list)
        }
        Some(_) => Err(Error::syntax_error_near("ORDER")),
    }
}

/// Clauses of other dialects that the parser lets through.
fn refuse_foreign(query: &ast::Query) -> Result<()> {
    let foreign = if query.for_clause.is_some() {
        "FOR"
    } else if query.settings.is_some() {
        "SETTINGS"
    } else if query.format_clause.is_some() {
        "FORMAT"
    } else if !query.pipe_operators.is_empty() {
        "|>"
    } else {
        return Ok(());
    };
    Err(Error::syntax_error_near(foreign))
}

fn is_plain(query: &ast::Query) -> bool {
    query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
}

/// The non-recursive and the recursive term, and whether their UNION drops duplicates.
fn recursive_terms<'q>(
    query: &'q ast::Query,
    name: &str,
) -> Result<(&'q ast::SetExpr, &'q ast::SetExpr, bool)> {
    let malformed = || {
        Error::new(
            SqlState::INVALID_RECURSION,
            format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] \
                 recursive-term"
            ),
        )
    };
    let ast::SetExpr::SetOperation { left, op, set_quantifier, right } = query.body.as_ref() else {
        return Err(malformed());
    };
    if *op != ast::SetOperator::Union || query.with.is_some() {
        return Err(malformed());
    }
    if query.order_by.is_some() {
        return Err(Error::feature_not_supported(
            "ORDER BY in a recursive query is not implemented",
        ));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(Error::feature_not_supported("LIMIT in a recursive query is not implemented"));
    }
    Ok((left, right, !matches!(set_quantifier, ast::SetQuantifier::All)))
}

/// How often a query names a table without schema by this name.
fn mentions(query: &ast::Query, name: &str) -> usize {
    use std::ops::ControlFlow;
    let mut count = 0;
    let _: ControlFlow<()> = ast::visit_relations(query, |relation| {
        let same = relation.0.len() == 1
            && relation.0[0].as_ident().is_some_and(|ident| fold(ident) == name);
        count += usize::from(same);
        ControlFlow::Continue(())
    });
    count
}

/// One plan after another; column names are those of the first. The others take them as well,
/// since the optimizer may leave one of them in the place of all.
fn union_all(plans: Vec<LogicalPlan>) -> Result<LogicalPlan> {
    let names: Vec<String> = match plans.first() {
        Some(first) => first.schema().fields().iter().map(|field| field.name().clone()).collect(),
        None => return Err(Error::internal("a UNION of nothing")),
    };
    let inputs = plans
        .into_iter()
        .map(|plan| {
            let same = plan.schema().fields().iter().zip(&names).all(|(f, name)| f.name() == name);
            if same {
                return Ok(Arc::new(plan));
            }
            let columns = plan.schema().columns();
            let exprs =
                columns.into_iter().zip(&names).map(|(c, name)| Expr::Column(c).alias(name));
            let exprs: Vec<Expr> = exprs.collect();
            Ok(Arc::new(LogicalPlanBuilder::from(plan).project(exprs)?.build()?))
        })
        .collect::<Result<Vec<_>>>()?;
    match <[Arc<LogicalPlan>; 1]>::try_from(inputs) {
        Ok([only]) => Ok(Arc::unwrap_or_clone(only)),
        Err(inputs) => Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)),
    }
}

fn renamed(plan: LogicalPlan, columns: &[RowColumn], names: &[String]) -> Result<LogicalPlan> {
    let exprs: Vec<Expr> =
        columns.iter().zip(names).map(|(column, name)| column.expr().alias(name)).collect();
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}

fn column_count(name: &str) -> Error {
    Error::syntax_error(format!("each {name} query must have the same number of columns"))
}

pub(super) fn too_many_of_with(name: &str, available: usize, given: usize) -> Error {
    Error::new(
        SqlState::INVALID_COLUMN_REFERENCE,
        format!(
            "WITH query \"{name}\" has {available} columns available but {given} columns specified"
        ),
    )
}

pub(super) fn too_many_aliases(table: &str, available: usize, given: usize) -> Error {
    Error::new(
        SqlState::INVALID_COLUMN_REFERENCE,
        format!(
            "table \"{table}\" has {available} columns available but {given} columns specified"
        ),
    )
}
