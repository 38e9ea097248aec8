//! One SELECT: from its FROM to its last column, in the order in which the rows go through.

use std::sync::Arc;

use datafusion::{
    common::{
        Column,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr},
    sql::sqlparser::ast,
};

use super::{
    AwaitedTarget, BoundLock, OutputColumn, SimpleQuery,
    binder::{Binder, RowColumn, Rowset, Typed},
    expression::Clause,
    grouping::{GroupContext, Grouping, NamedOutput, has_aggregate},
    locks::{bind_locks, lock_name, row_under_cursor},
    lower::Below,
    names::{At, column_name, fold},
    query::Outer,
    raised::Raised,
    scope::{FromItem, Scope, ScopeColumn},
    subquery::has_subquery,
};
use crate::{
    catalog::{Relation, RelationBody},
    error::{Error, Result, SqlState},
    types::Oid,
};

/// PostgreSQL's MaxTupleAttributeNumber.
const MAX_TARGETS: usize = 1664;

/// The clauses of the query around a SELECT.
#[derive(Default)]
pub(super) struct Tail<'t> {
    pub(super) order: &'t [ast::OrderByExpr],
    pub(super) limit: Option<Expr>,
    pub(super) offset: Option<Expr>,
    pub(super) with_ties: bool,
    pub(super) locks: &'t [ast::LockClause],
    /// Whether output columns of unknown type become text.
    pub(super) resolve: bool,
}

impl Tail<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
            && self.limit.is_none()
            && self.offset.is_none()
            && self.locks.is_empty()
    }

    /// Whether the rows are counted by window functions: for ties, and where the counts aren't
    /// constants or parameters.
    pub(super) fn is_counted(&self) -> bool {
        let is_computed = |count: &Expr| has_subquery(count) || count.contains_outer();
        self.with_ties || self.limit.iter().chain(&self.offset).any(is_computed)
    }
}

/// What a statement's own SELECT has beside its rows.
#[derive(Default)]
pub(super) struct SelectTail {
    /// Whether this is the statement itself.
    pub(super) top: bool,
    /// Whether whoever asks wants to know only whether there are rows.
    pub(super) presence: bool,
    /// Whether whoever asks will lock the rows.
    pub(super) locks_rows: bool,
    pub(super) simple: Option<SimpleQuery>,
    pub(super) locks: Vec<BoundLock>,
    pub(super) awaited: Option<Vec<AwaitedTarget>>,
    pub(super) row_keys: Vec<(Arc<Relation>, usize)>,
}

/// A column of the select list.
struct Target {
    name: String,
    typed: Typed,
    table: Oid,
    attnum: i16,
    /// The tree, for GROUP BY and ORDER BY that name the output.
    tree: Option<ast::Expr>,
}

impl Target {
    fn named(&self) -> NamedOutput {
        let null = || ast::Expr::value(ast::Value::Null);
        let tree = self.tree.clone().unwrap_or_else(null);
        NamedOutput { name: self.name.clone(), tree, typed: self.typed.clone() }
    }
}

/// An item of ORDER BY.
struct Order {
    /// Its place among the targets.
    target: Option<usize>,
    typed: Typed,
    options: ast::OrderByOptions,
}

/// Everything that stands above the groups and windows, in one list so that both can rewrite it.
struct Above {
    targets: Vec<Target>,
    having: Option<Expr>,
    orders: Vec<Order>,
    distinct_on: Vec<Typed>,
}

impl Above {
    fn take(&self) -> Vec<Expr> {
        let targets = self.targets.iter().map(|target| &target.typed.expr);
        let orders = self.orders.iter().map(|order| &order.typed.expr);
        let on = self.distinct_on.iter().map(|typed| &typed.expr);
        targets.chain(orders).chain(on).chain(&self.having).cloned().collect()
    }

    fn put(&mut self, exprs: Vec<Expr>) {
        let mut exprs = exprs.into_iter();
        let targets = self.targets.iter_mut().map(|target| &mut target.typed.expr);
        let orders = self.orders.iter_mut().map(|order| &mut order.typed.expr);
        let on = self.distinct_on.iter_mut().map(|typed| &mut typed.expr);
        for slot in targets.chain(orders).chain(on).chain(&mut self.having) {
            *slot = exprs.next().expect("as many as were taken");
        }
    }
}

impl Binder<'_> {
    pub(super) fn bind_select(
        &mut self,
        select: &ast::Select,
        outer: Outer<'_>,
        tail: Tail<'_>,
        result: &mut SelectTail,
    ) -> Result<Rowset> {
        refuse_foreign(select)?;
        if result.top
            && let Some(rows) = self.bind_awaited(select, &tail, result)?
        {
            return Ok(rows);
        }
        let windows = std::mem::replace(&mut self.windows, select.named_window.clone());
        let rows = self.bind_select_here(select, outer, tail, result);
        self.windows = windows;
        rows
    }

    fn bind_select_here(
        &mut self,
        select: &ast::Select,
        outer: Outer<'_>,
        tail: Tail<'_>,
        result: &mut SelectTail,
    ) -> Result<Rowset> {
        let from = self.bind_from(&select.from, outer)?;
        let raised = Raised::of(Clause::Where);
        let scope = Scope { raised: Some(&raised), ..Scope::of(&from, outer) };
        let filter = match &select.selection {
            Some(condition) => {
                let condition = self.predicate(condition, &scope, Clause::Where)?;
                Some(self.through_indexes(condition, &from)?)
            }
            None => None,
        };
        raised.clause.set(Clause::Select);
        let targets = self.bind_targets(select, &from, &scope, tail.resolve)?;
        let outputs: Vec<NamedOutput> = targets.iter().map(Target::named).collect();
        let context = GroupContext { select, from: &from, outputs: &outputs, raised: &raised };
        raised.clause.set(Clause::GroupBy);
        let grouping = self.bind_grouping(&context, &scope)?;
        raised.clause.set(Clause::Having);
        let having = select.having.as_ref();
        let having = having.map(|it| self.predicate(it, &scope, Clause::Having)).transpose()?;
        raised.clause.set(Clause::OrderBy);
        let distinct_on = self.bind_distinct_on(select, &targets, &from, &scope)?;
        let orders = self.bind_orders(&tail, &targets, &scope)?;
        let mut above = Above { targets, having, orders, distinct_on };
        let is_grouped = !grouping.exprs.is_empty()
            || !raised.is_empty()
            || above.having.is_some()
            || has_group_by(select)
            || above.take().iter().any(has_aggregate);
        let is_distinct = !matches!(&select.distinct, None | Some(ast::Distinct::All));
        let merged = merged_by(select, is_grouped, is_distinct, &above);
        let locks = bind_locks(tail.locks, &from, merged)?;
        if !locks.is_empty() && !result.top && !result.locks_rows {
            return Err(Error::feature_not_supported(format!(
                "{} in a subquery is not supported",
                lock_name(&tail.locks[0])
            )));
        }
        let stands_on = match self.for_cursor && result.top && !is_grouped && !is_distinct {
            true => row_under_cursor(&from, &locks),
            false => None,
        };
        if result.top && !is_grouped && !is_distinct && !tail.is_counted() && stands_on.is_none() {
            result.simple = simple_query(select, &from, filter.as_ref(), &above, &tail);
        }
        let mut plan = from.plan.clone();
        if let Some(filter) = filter {
            plan = self.filter(plan, filter)?;
        }
        if is_grouped {
            plan = self.group(plan, grouping, &mut above, &context)?;
        }
        let (plan, exprs) = self.windows_and_sets(plan, above.take())?;
        above.put(exprs);
        let mut keys: Vec<Expr> = locks.iter().map(|(_, key)| key.clone()).collect();
        if let Some((relation, key)) = stands_on {
            result.row_keys.push((relation, above.targets.len()));
            keys.push(key);
        }
        let (plan, columns, mut sorts) = self.project_targets(plan, &mut above, &keys)?;
        let mut rows = Rowset { plan, columns };
        self.check_distinct(select, &above, &tail)?;
        if !result.presence || tail.offset.is_some() {
            rows = self.different(rows, select, &mut sorts)?;
        }
        self.finish_select(rows, sorts.order, tail, locks, sorts.keys, result)
    }

    /// Rows that are told apart by their columns can be sorted by nothing else.
    fn check_distinct(&self, select: &ast::Select, above: &Above, tail: &Tail<'_>) -> Result<()> {
        match &select.distinct {
            Some(ast::Distinct::Distinct) => {}
            Some(ast::Distinct::On(_)) => return check_distinct_on(above),
            Some(ast::Distinct::All) | None => return Ok(()),
        }
        match above.orders.iter().position(|order| order.target.is_none()) {
            None => Ok(()),
            Some(i) => Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
            )
            .at_place(self.places.start(&tail.order[i].expr))),
        }
    }

    /// The rows that DISTINCT leaves.
    fn different(
        &mut self,
        rows: Rowset,
        select: &ast::Select,
        sorts: &mut Sorts,
    ) -> Result<Rowset> {
        match &select.distinct {
            Some(ast::Distinct::Distinct) => self.distinct(rows),
            Some(ast::Distinct::On(_)) => {
                self.distinct_on(rows, std::mem::take(&mut sorts.distinct_on), &sorts.order)
            }
            Some(ast::Distinct::All) | None => Ok(rows),
        }
    }

    /// Sort, limit, and only the columns asked for.
    fn finish_select(
        &mut self,
        rows: Rowset,
        order: Vec<SortExpr>,
        tail: Tail<'_>,
        locks: Vec<(BoundLock, Expr)>,
        keys: Vec<String>,
        result: &mut SelectTail,
    ) -> Result<Rowset> {
        let Rowset { mut plan, columns } = rows;
        if tail.is_counted() {
            plan = self.counted(plan, &order, &tail)?;
        }
        let mut builder = LogicalPlanBuilder::from(plan);
        if !order.is_empty() {
            builder = builder.sort(order)?;
        }
        let limited = !tail.is_counted() && (tail.limit.is_some() || tail.offset.is_some());
        // What is locked is counted last, above everything.
        if limited && locks.is_empty() {
            builder = builder.limit_by_expr(tail.offset.clone(), tail.limit.clone())?;
        }
        let plan = builder.build()?;
        let mut wanted: Vec<Expr> = columns.iter().map(RowColumn::expr).collect();
        wanted.extend(
            keys.iter().map(|name| Expr::Column(datafusion::common::Column::new_unqualified(name))),
        );
        let plan = match plan.schema().fields().len() == wanted.len() {
            true => plan,
            false => LogicalPlanBuilder::from(plan).project(wanted)?.build()?,
        };
        let plan = match limited && !locks.is_empty() {
            true => {
                LogicalPlanBuilder::from(plan).limit_by_expr(tail.offset, tail.limit)?.build()?
            }
            false => plan,
        };
        result.locks = locks
            .into_iter()
            .enumerate()
            .map(|(i, (lock, _))| BoundLock { key_column: columns.len() + i, ..lock })
            .collect();
        if self.for_cursor && result.top {
            let locked = result.locks.iter();
            result
                .row_keys
                .extend(locked.map(|lock| (Arc::clone(&lock.relation), lock.key_column)));
        }
        Ok(Rowset { plan, columns })
    }

    /// `SELECT f(...), ...` with functions that the executor awaits.
    fn bind_awaited(
        &mut self,
        select: &ast::Select,
        tail: &Tail<'_>,
        result: &mut SelectTail,
    ) -> Result<Option<Rowset>> {
        let plain = select.from.is_empty()
            && select.selection.is_none()
            && select.having.is_none()
            && select.distinct.is_none()
            && tail.is_empty();
        if !plain {
            return Ok(None);
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in &select.projection {
            items.push(match item {
                ast::SelectItem::UnnamedExpr(expr) => (expr, None),
                ast::SelectItem::ExprWithAlias { expr, alias } => (expr, Some(fold(alias))),
                _ => return Ok(None),
            });
        }
        if !items.iter().any(|(expr, _)| self.is_statement_function(expr)) {
            return Ok(None);
        }
        let scope = Scope::empty(None);
        let (mut targets, mut outputs) = (Vec::new(), Vec::new());
        for (expr, alias) in items {
            let name = alias.unwrap_or_else(|| column_name(expr));
            let (target, ty) = match self.statement_function(expr)? {
                Some((function, ty)) => (AwaitedTarget::Call(function), ty),
                None => {
                    let typed = self.expression(expr, &scope, Clause::Standalone)?;
                    let typed = self.resolve_unknown(typed)?;
                    if super::subquery::has_subquery(&typed.expr) {
                        return Err(Error::feature_not_supported(
                            "a subquery beside a function that waits is not supported",
                        ));
                    }
                    (AwaitedTarget::Value(typed.expr), typed.ty)
                }
            };
            let null = datafusion::scalar::ScalarValue::try_from(&ty.arrow()?)?;
            let output = OutputColumn { name, ty, table: Oid::INVALID, attnum: 0 };
            outputs.push((Expr::Literal(null, None), output));
            targets.push(target);
        }
        result.awaited = Some(targets);
        let plan = LogicalPlanBuilder::empty(true).build()?;
        self.project_outputs(plan, outputs).map(Some)
    }

    /// Attaches a condition.
    pub(super) fn filter(&mut self, plan: LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
        let columns = plan.schema().columns();
        let (plan, mut placed) = self.place(plan, vec![condition], Below::Filter)?;
        let condition = placed.pop().expect("one condition");
        let widened = plan.schema().fields().len() > columns.len();
        // DataFusion takes what depends on the outer query out of one condition only.
        let (plan, condition) = match plan {
            LogicalPlan::Filter(below) if below.predicate.contains_outer() => {
                (Arc::unwrap_or_clone(below.input), below.predicate.and(condition))
            }
            other => (other, condition),
        };
        if condition.contains_outer() && !plan.schema().fields().is_empty() {
            return self.correlated_filter(plan, condition, columns);
        }
        let mut builder = LogicalPlanBuilder::from(plan).filter(condition)?;
        if widened {
            builder = builder.project(columns.into_iter().map(Expr::Column).collect::<Vec<_>>())?;
        }
        Ok(builder.build()?)
    }

    /// A condition that depends on the outer query. Its columns get names of their own: DataFusion
    /// takes it out of the subquery, where it tells columns by their names alone.
    fn correlated_filter(
        &mut self,
        plan: LogicalPlan,
        condition: Expr,
        columns: Vec<Column>,
    ) -> Result<LogicalPlan> {
        let mut named: Vec<(Column, Expr)> = Vec::new();
        let mut below: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        for column in condition.column_refs() {
            let name = self.fresh();
            below.push(Expr::Column(column.clone()).alias(&name));
            named.push((column.clone(), Expr::Column(Column::new_unqualified(name))));
        }
        let condition = condition.transform_up(|node| {
            let Expr::Column(column) = &node else { return Ok(Transformed::no(node)) };
            let found = named.iter().find(|(old, _)| old == column);
            Ok(found
                .map_or(Transformed::no(node.clone()), |(_, new)| Transformed::yes(new.clone())))
        })?;
        let kept = columns.into_iter().map(Expr::Column).collect::<Vec<_>>();
        let builder = LogicalPlanBuilder::from(plan).project(below)?.filter(condition.data)?;
        Ok(builder.project(kept)?.build()?)
    }

    fn group(
        &mut self,
        plan: LogicalPlan,
        grouping: Grouping,
        above: &mut Above,
        context: &GroupContext<'_>,
    ) -> Result<LogicalPlan> {
        let (plan, exprs) = self.place_groups(plan, grouping, above.take(), context)?;
        above.put(exprs);
        match above.having.take() {
            Some(having) => self.filter(plan, having),
            None => Ok(plan),
        }
    }

    fn windows_and_sets(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let (plan, exprs) = self.place_windows(plan, exprs)?;
        self.place_sets(plan, exprs)
    }

    /// Projects targets, what else is sorted by, and the keys of rows to lock.
    fn project_targets(
        &mut self,
        plan: LogicalPlan,
        above: &mut Above,
        keys: &[Expr],
    ) -> Result<(LogicalPlan, Vec<RowColumn>, Sorts)> {
        let mut list: Vec<(Expr, String)> = Vec::new();
        let mut columns = Vec::with_capacity(above.targets.len());
        for target in &above.targets {
            let internal = self.fresh();
            list.push((target.typed.expr.clone(), internal.clone()));
            let unknown = target.typed.ty.is_unknown().then(|| target.typed.expr.clone());
            let output = OutputColumn {
                name: target.name.clone(),
                ty: target.typed.ty,
                table: target.table,
                attnum: target.attnum,
            };
            columns.push(RowColumn { output, internal, unknown });
        }
        let mut sorted = |binder: &mut Self, typed: &Typed, target: Option<usize>| {
            let column = match target {
                Some(index) => columns[index].expr(),
                None => match list.iter().find(|(expr, _)| *expr == typed.expr) {
                    Some((_, name)) => named(name),
                    None => {
                        let name = binder.fresh();
                        list.push((typed.expr.clone(), name.clone()));
                        named(&name)
                    }
                },
            };
            super::keys::sort_key_expr(column, typed.ty)
        };
        let mut sorts = Sorts::default();
        for order in &above.orders {
            let key = sorted(self, &order.typed, order.target)?;
            sorts.order.push(with_options(key, &order.options));
        }
        for typed in &above.distinct_on {
            sorts.distinct_on.push(sorted(self, typed, None)?);
        }
        for key in keys {
            let name = self.fresh();
            list.push((key.clone(), name.clone()));
            sorts.keys.push(name);
        }
        let (exprs, names): (Vec<Expr>, Vec<String>) = list.into_iter().unzip();
        let (plan, exprs) = self.place(plan, exprs, Below::Project)?;
        let exprs: Vec<Expr> =
            exprs.into_iter().zip(&names).map(|(expr, name)| expr.alias(name)).collect();
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok((plan, columns, sorts))
    }

    /// The first row of each group of equals.
    fn distinct_on(&mut self, rows: Rowset, on: Vec<Expr>, order: &[SortExpr]) -> Result<Rowset> {
        let (plan, number) = self.row_number(rows.plan, on, order.to_vec())?;
        let first = named(&number).eq(datafusion::prelude::lit(1_u64));
        let plan = LogicalPlanBuilder::from(plan).filter(first)?.build()?;
        Ok(Rowset { plan, columns: rows.columns })
    }

    fn bind_targets(
        &mut self,
        select: &ast::Select,
        from: &FromItem,
        scope: &Scope<'_>,
        resolve: bool,
    ) -> Result<Vec<Target>> {
        let mut targets = Vec::with_capacity(select.projection.len());
        for item in &select.projection {
            match item {
                ast::SelectItem::UnnamedExpr(expr) => {
                    targets.push(self.bind_target(expr, None, scope, resolve)?);
                }
                ast::SelectItem::ExprWithAlias { expr, alias } => {
                    targets.push(self.bind_target(expr, Some(fold(alias)), scope, resolve)?);
                }
                other => {
                    for column in self.expand_star(other, from, scope)? {
                        targets.push(Target {
                            tree: Some(column_tree(&column, from)),
                            name: column.name,
                            typed: Typed::new(column.expr, column.ty),
                            table: column.table,
                            attnum: column.attnum,
                        });
                    }
                }
            }
            if targets.len() > MAX_TARGETS {
                let message = format!("target lists can have at most {MAX_TARGETS} entries");
                return Err(Error::new(SqlState::TOO_MANY_COLUMNS, message));
            }
        }
        Ok(targets)
    }

    /// The columns of `*`, `t.*`.
    pub(super) fn expand_star(
        &mut self,
        item: &ast::SelectItem,
        from: &FromItem,
        scope: &Scope<'_>,
    ) -> Result<Vec<ScopeColumn>> {
        let refuse = |options: &ast::WildcardAdditionalOptions| {
            let plain = options.opt_ilike.is_none()
                && options.opt_exclude.is_none()
                && options.opt_except.is_none()
                && options.opt_replace.is_none()
                && options.opt_rename.is_none()
                && options.opt_alias.is_none();
            if plain { Ok(()) } else { Err(Error::syntax_error_near("*")) }
        };
        match item {
            ast::SelectItem::Wildcard(options) => {
                refuse(options)?;
                if from.tables.is_empty() {
                    return Err(Error::syntax_error(
                        "SELECT * with no tables specified is not valid",
                    )
                    .at_place(self.places.span(options.wildcard_token.0.span)));
                }
                Ok(from.columns.clone())
            }
            ast::SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => {
                refuse(options)?;
                let place = self.places.start(name);
                let (schema, table) =
                    super::names::schema_and_name(name, self.env.database_name).at_place(place)?;
                match scope.table(schema.as_deref(), &table).at_place(place)? {
                    Some((found, 0)) => Ok(found.columns.clone()),
                    Some((found, _)) => found
                        .columns
                        .iter()
                        .map(|column| scope.qualified(schema.as_deref(), &table, &column.name))
                        .collect(),
                    None => Err(Error::missing_from_entry(&table).at_place(place)),
                }
            }
            ast::SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::Expr(_),
                _,
            ) => Err(Error::feature_not_supported("(composite).* is not supported")),
            ast::SelectItem::UnnamedExpr(_)
            | ast::SelectItem::ExprWithAlias { .. }
            | ast::SelectItem::ExprWithAliases { .. } => Err(Error::syntax_error_near("AS")),
        }
    }

    fn bind_target(
        &mut self,
        expr: &ast::Expr,
        alias: Option<String>,
        scope: &Scope<'_>,
        resolve: bool,
    ) -> Result<Target> {
        let typed = self.expression(expr, scope, Clause::Select)?;
        let typed = if resolve { self.resolve_unknown(typed)? } else { typed };
        let origin = origin(expr, &typed.expr, scope);
        let name = alias.unwrap_or_else(|| column_name(expr));
        let (table, attnum) = origin.unwrap_or((Oid::INVALID, 0));
        Ok(Target { name, typed, table, attnum, tree: Some(expr.clone()) })
    }

    /// ORDER BY: output names, then positions, then expressions.
    fn bind_orders(
        &mut self,
        tail: &Tail<'_>,
        targets: &[Target],
        scope: &Scope<'_>,
    ) -> Result<Vec<Order>> {
        let mut orders = Vec::with_capacity(tail.order.len());
        for item in tail.order {
            if item.with_fill.is_some() {
                return Err(Error::syntax_error_near("WITH"));
            }
            let (target, typed) =
                self.output_or_expression(&item.expr, targets, scope, "ORDER BY", Clause::OrderBy)?;
            orders.push(Order { target, typed, options: item.options });
        }
        Ok(orders)
    }

    fn output_or_expression(
        &mut self,
        expr: &ast::Expr,
        targets: &[Target],
        scope: &Scope<'_>,
        word: &str,
        clause: Clause,
    ) -> Result<(Option<usize>, Typed)> {
        let place = self.places.start(expr);
        if let ast::Expr::Identifier(ident) = expr {
            let name = fold(ident);
            let mut found = targets.iter().enumerate().filter(|(_, target)| target.name == name);
            if let Some((index, first)) = found.next() {
                if found.any(|(_, other)| other.typed.expr != first.typed.expr) {
                    return Err(Error::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("{word} \"{name}\" is ambiguous"),
                    )
                    .at_place(place));
                }
                return Ok((Some(index), first.typed.clone()));
            }
        }
        if let Some(index) = position(expr, targets.len(), word).at_place(place)? {
            return Ok((Some(index), targets[index].typed.clone()));
        }
        let typed = self.expression(expr, scope, clause)?;
        let typed = self.resolve_unknown(typed)?;
        let target = targets.iter().position(|target| target.typed.expr == typed.expr);
        Ok((target, typed))
    }

    fn bind_distinct_on(
        &mut self,
        select: &ast::Select,
        targets: &[Target],
        from: &FromItem,
        scope: &Scope<'_>,
    ) -> Result<Vec<Typed>> {
        let _ = from;
        let Some(ast::Distinct::On(list)) = &select.distinct else { return Ok(Vec::new()) };
        let mut on = Vec::with_capacity(list.len());
        for expr in list {
            let (_, typed) =
                self.output_or_expression(expr, targets, scope, "DISTINCT ON", Clause::DistinctOn)?;
            super::keys::check_groupable(typed.ty).at_place(self.places.start(expr))?;
            on.push(typed);
        }
        Ok(on)
    }
}

/// The first items of ORDER BY must be those of DISTINCT ON, in any order.
fn check_distinct_on(above: &Above) -> Result<()> {
    let mut missing: Vec<&Expr> = above.distinct_on.iter().map(|typed| &typed.expr).collect();
    for order in &above.orders {
        if missing.is_empty() {
            break;
        }
        let known = above.distinct_on.iter().any(|typed| typed.expr == order.typed.expr);
        if !known {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            ));
        }
        missing.retain(|expr| **expr != order.typed.expr);
    }
    Ok(())
}

/// What a projection's rows are sorted and told apart by.
#[derive(Default)]
struct Sorts {
    order: Vec<SortExpr>,
    distinct_on: Vec<Expr>,
    keys: Vec<String>,
}

fn named(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(name))
}

fn with_options(key: Expr, options: &ast::OrderByOptions) -> SortExpr {
    let ascending = options.asc.unwrap_or(true);
    key.sort(ascending, options.nulls_first.unwrap_or(!ascending))
}

/// What makes one row of several, by its name in PostgreSQL's messages.
fn merged_by(
    select: &ast::Select,
    is_grouped: bool,
    is_distinct: bool,
    above: &Above,
) -> Option<&'static str> {
    match (is_distinct, is_grouped) {
        (true, _) => Some("DISTINCT clause"),
        (_, true) if select.having.is_some() => Some("HAVING clause"),
        (_, true) if has_group_by(select) => Some("GROUP BY clause"),
        (_, true) => Some("aggregate functions"),
        (false, false) => computed_by(above),
    }
}

/// What computes rows of their own of those that are read.
fn computed_by(above: &Above) -> Option<&'static str> {
    let has =
        |expr: &Expr, is: fn(&Expr) -> bool| expr.exists(|node| Ok(is(node))).unwrap_or(false);
    let exprs = above.take();
    if exprs.iter().any(|expr| has(expr, |node| matches!(node, Expr::WindowFunction(_)))) {
        return Some("window functions");
    }
    let is_set = |node: &Expr| matches!(node, Expr::Unnest(_));
    let sets = above.targets.iter().any(|target| has(&target.typed.expr, is_set));
    sets.then_some("set-returning functions in the target list")
}

fn has_group_by(select: &ast::Select) -> bool {
    !matches!(&select.group_by, ast::GroupByExpr::Expressions(list, _) if list.is_empty())
}

/// The output column that a constant in ORDER BY, GROUP BY or DISTINCT ON means.
///
/// # Errors
/// 42P10 for a number out of range, 42601 for other constants.
pub(super) fn position(expr: &ast::Expr, columns: usize, word: &str) -> Result<Option<usize>> {
    let Some((sign, value)) = signed_constant(expr) else { return Ok(None) };
    let number = match &value.value {
        ast::Value::Number(digits, _) => digits.parse::<i32>().ok(),
        ast::Value::Placeholder(_) => return Ok(None),
        _ => None,
    };
    let Some(number) = number else {
        return Err(Error::syntax_error(format!("non-integer constant in {word}")));
    };
    match usize::try_from(sign * number) {
        Ok(place) if (1..=columns).contains(&place) => Ok(Some(place - 1)),
        _ => Err(Error::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!("{word} position {} is not in select list", sign * number),
        )),
    }
}

/// A constant as PostgreSQL's parser leaves it, without parentheses and with its signs taken in.
fn signed_constant(expr: &ast::Expr) -> Option<(i32, &ast::ValueWithSpan)> {
    match expr {
        ast::Expr::Nested(inner) => signed_constant(inner),
        ast::Expr::Value(value) => Some((1, value)),
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => {
            let (sign, value) = signed_constant(expr)?;
            matches!(value.value, ast::Value::Number(..)).then_some((-sign, value))
        }
        _ => None,
    }
}

/// The table column that an expression is, unchanged.
fn origin(tree: &ast::Expr, bound: &Expr, scope: &Scope<'_>) -> Option<(Oid, i16)> {
    match tree {
        ast::Expr::Nested(inner) => origin(inner, bound, scope),
        ast::Expr::Identifier(_)
        | ast::Expr::CompoundIdentifier(_)
        | ast::Expr::CompoundFieldAccess { .. } => {
            let all = scope.columns.iter().chain(scope.tables.iter().flat_map(|t| &t.columns));
            all.into_iter()
                .find(|column| column.expr == *bound)
                .map(|column| (column.table, column.attnum))
        }
        _ => None,
    }
}

/// A tree that names a column, for GROUP BY positions over `*`.
fn column_tree(column: &ScopeColumn, from: &FromItem) -> ast::Expr {
    let quoted = |name: &str| ast::Ident::with_quote('"', name);
    let table = from
        .tables
        .iter()
        .find(|table| table.columns.iter().any(|other| other.expr == column.expr));
    match table {
        Some(table) => {
            ast::Expr::CompoundIdentifier(vec![quoted(&table.alias), quoted(&column.name)])
        }
        None => ast::Expr::Identifier(quoted(&column.name)),
    }
}

/// The same query for the short path.
fn simple_query(
    select: &ast::Select,
    from: &FromItem,
    filter: Option<&Expr>,
    above: &Above,
    tail: &Tail<'_>,
) -> Option<SimpleQuery> {
    let relation = match (select.from.as_slice(), from.tables.as_slice()) {
        ([], []) => None,
        ([single], [table]) if single.joins.is_empty() => {
            let (relation, qualifier) = table.base.as_ref()?;
            let is_scan = matches!(&from.plan, LogicalPlan::TableScan(scan)
                if scan.table_name.table() == qualifier);
            let is_table = matches!(relation.body, RelationBody::Table { .. });
            if !is_scan || !is_table {
                return None;
            }
            Some(relation.clone())
        }
        _ => return None,
    };
    if !tail.locks.is_empty() {
        return None;
    }
    let plain = |expr: &Expr| -> Option<Expr> { unqualified(expr) };
    let filter = match filter {
        Some(filter) => Some(plain(filter)?),
        None => None,
    };
    let projection =
        above.targets.iter().map(|target| plain(&target.typed.expr)).collect::<Option<_>>()?;
    let mut order = Vec::with_capacity(above.orders.len());
    for item in &above.orders {
        let expr = plain(&item.typed.expr)?;
        let key = super::keys::sort_key_expr(expr, item.typed.ty).ok()?;
        order.push(with_options(key, &item.options));
    }
    Some(SimpleQuery {
        relation,
        filter,
        projection,
        order,
        limit: tail.limit.clone(),
        offset: tail.offset.clone(),
    })
}

/// An expression over one scan with its columns' qualifier taken off; `None` when something in it
/// needs more than a row.
pub(super) fn unqualified(expr: &Expr) -> Option<Expr> {
    let special = expr
        .exists(|node| {
            Ok(matches!(
                node,
                Expr::AggregateFunction(_)
                    | Expr::WindowFunction(_)
                    | Expr::Unnest(_)
                    | Expr::OuterReferenceColumn(..)
            ))
        })
        .ok()?;
    // The key of a row is not among its columns.
    let names_key = expr.column_refs().iter().any(|column| column.name == "_key");
    if special || names_key || has_subquery(expr) {
        return None;
    }
    let plain = expr.clone().transform(|node| {
        Ok(match node {
            Expr::Column(column) if column.relation.is_some() => Transformed::yes(Expr::Column(
                datafusion::common::Column::new_unqualified(column.name),
            )),
            other => Transformed::no(other),
        })
    });
    plain.ok().map(|transformed| transformed.data)
}

/// Clauses of other dialects that the parser lets through.
fn refuse_foreign(select: &ast::Select) -> Result<()> {
    let foreign = if select.into.is_some() {
        return Err(Error::syntax_error("SELECT ... INTO is not allowed here"));
    } else if select.top.is_some() {
        "TOP"
    } else if select.exclude.is_some() {
        "EXCLUDE"
    } else if !select.lateral_views.is_empty() {
        "VIEW"
    } else if select.prewhere.is_some() {
        "PREWHERE"
    } else if !select.connect_by.is_empty() {
        "CONNECT"
    } else if !select.cluster_by.is_empty() {
        "CLUSTER"
    } else if !select.distribute_by.is_empty() {
        "DISTRIBUTE"
    } else if !select.sort_by.is_empty() {
        "SORT"
    } else if select.qualify.is_some() {
        "QUALIFY"
    } else if select.value_table_mode.is_some() {
        "AS"
    } else if !matches!(select.flavor, ast::SelectFlavor::Standard) {
        "FROM"
    } else {
        return Ok(());
    };
    Err(Error::syntax_error_near(foreign))
}
