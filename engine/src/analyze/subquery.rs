//! Subqueries inside expressions.
//!
//! While an expression is being put together a subquery in it is one of DataFusion's subquery
//! nodes over the plan of its rows. [`Binder::place`] decides, when the expression is attached to
//! a plan, what remains for the optimizer to turn into a join.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::FieldRef,
    common::{
        Column, DFSchema, ExprSchema, Spans, TableReference,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Aggregate, Case, Distinct, Expr, FetchType, Limit, LogicalPlan, LogicalPlanBuilder,
        SkipType, Subquery,
        expr::{AggregateFunction, Exists, InSubquery},
    },
    prelude::lit,
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Rowset, Typed},
    compared::{Comparison, Named},
    expression::Clause,
    literals,
    lower::Below,
    names::At,
    operators::{all_of, any_of, row_members, symbol},
    scope::Scope,
    select::SelectTail,
};
use crate::{
    error::{Error, Result},
    functions::{FunctionKind, Implementation, resolve_function},
    types::PgType,
};

impl Binder<'_> {
    /// A condition of WHERE or HAVING: under AND, OR and NOT, EXISTS and IN stay what they are.
    pub(super) fn predicate(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Expr> {
        let word = if clause == Clause::Having { "HAVING" } else { "WHERE" };
        self.nested(|binder| match expr {
            ast::Expr::Nested(inner) => binder.predicate(inner, scope, clause),
            ast::Expr::BinaryOp {
                op: op @ (ast::BinaryOperator::And | ast::BinaryOperator::Or),
                ..
            } => {
                let mut operands = Vec::new();
                let mut rest = vec![expr];
                while let Some(next) = rest.pop() {
                    match next {
                        ast::Expr::BinaryOp { left, op: other, right } if other == op => {
                            rest.push(right);
                            rest.push(left);
                        }
                        operand => operands.push(binder.predicate(operand, scope, clause)?),
                    }
                }
                Ok(match op {
                    ast::BinaryOperator::And => all_of(operands),
                    _ => any_of(operands),
                })
            }
            ast::Expr::UnaryOp { op: ast::UnaryOperator::Not, expr: inner } => {
                // Inside, NULL isn't false any more.
                let inner = match inner.as_ref() {
                    ast::Expr::Exists { .. } => binder.predicate(inner, scope, clause)?,
                    inner => {
                        let typed = binder.expression(inner, scope, clause)?;
                        binder.condition(typed, "NOT").at_place(binder.places.start(inner))?
                    }
                };
                Ok(negated(inner))
            }
            ast::Expr::InSubquery { expr: left, subquery, negated: false }
                if row_members(left).is_some() =>
            {
                let members = row_members(left).unwrap_or_default();
                binder.row_among(&members, subquery, scope, clause)
            }
            ast::Expr::AnyOp { left, compare_op, right, .. } => {
                binder.quantified_predicate((left, compare_op, right), false, scope, clause)
            }
            ast::Expr::AllOp { left, compare_op, right } => {
                binder.quantified_predicate((left, compare_op, right), true, scope, clause)
            }
            ast::Expr::Exists { subquery, negated } => {
                let rows = binder.bind_presence(subquery, scope)?;
                let one = binder.fresh();
                let plan =
                    LogicalPlanBuilder::from(rows).project(vec![lit(1_i64).alias(one)])?.build()?;
                let subquery = binder.subquery(plan)?;
                Ok(Expr::Exists(Exists { subquery, negated: *negated }))
            }
            other => {
                let typed = binder.expression(other, scope, clause)?;
                binder.condition(typed, word).at_place(binder.places.start(other))
            }
        })
    }

    /// `left IN (SELECT ...)`
    pub(super) fn in_subquery(
        &mut self,
        left: &ast::Expr,
        query: &ast::Query,
        negated: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let op = if negated { "<>" } else { "=" };
        if row_members(left).is_some() {
            return self.quantified_subquery(left, op, query, negated, scope, clause);
        }
        let place = self.places.start(left);
        let left = self.expression(left, scope, clause)?;
        let rows = self.bind_query(query, Some(scope), true)?;
        let [column] = rows.columns.as_slice() else {
            return Err(column_count(rows.columns.len(), 1).at_place(place));
        };
        let member = column.typed();
        let call =
            crate::functions::resolve_operator("=", Some(left.ty), member.ty).at_place(place)?;
        let [left_type, right_type] = call.args[..] else {
            return Err(Error::internal("an operator with other than two arguments"));
        };
        if left_type.oid != right_type.oid || has_subquery(&left.expr) {
            // An equality of two types has no key in common.
            return self.quantified_rows(vec![left], op, rows, negated, place);
        }
        let left = self.coerce_argument(left, left_type)?;
        let member = self.coerce_argument(member, right_type)?;
        let name = self.fresh();
        let key = super::keys::key(member.expr, right_type)?.alias(name);
        let plan = LogicalPlanBuilder::from(rows.plan).project(vec![key])?.build()?;
        let expr = Box::new(super::keys::key(left.expr, left_type)?);
        let subquery = self.subquery(plan)?;
        Ok(Typed::new(Expr::InSubquery(InSubquery { expr, subquery, negated }), PgType::BOOL))
    }

    /// `(a, b) IN (SELECT ...)` where NULL is as good as false: there is a row that is equal.
    fn row_among(
        &mut self,
        members: &[&ast::Expr],
        query: &ast::Query,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Expr> {
        let place = members.first().and_then(|first| self.places.start(*first));
        let values = self.values(members, scope, clause)?;
        let rows = self.bind_query(query, Some(scope), true)?;
        if rows.columns.len() != values.len() {
            return Err(column_count(rows.columns.len(), values.len()).at_place(place));
        }
        let mut beside = Vec::new();
        let mut pairs = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&rows.columns) {
            pairs.push((self.seen_inside(value, &mut beside)?, column.typed()));
        }
        let equal = self.compare_pairs("=", pairs, place)?;
        let plan = LogicalPlanBuilder::from(rows.plan).filter(equal.expr)?.build()?;
        let subquery = self.subquery(plan)?;
        let subquery = Expr::Exists(Exists { subquery, negated: false });
        Ok(Comparison { subquery, beside, once: None }.into_expr())
    }

    /// `left op ANY/ALL (right)` where NULL is as good as false: of a correlated subquery there is a
    /// row for which it holds, or none for which it doesn't.
    fn quantified_predicate(
        &mut self,
        (left, op, right): (&ast::Expr, &ast::BinaryOperator, &ast::Expr),
        all: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Expr> {
        let op = symbol(op).ok_or_else(|| Error::syntax_error_near(&op.to_string()))?;
        let mut inner = right;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        let is_membership = (op == "=" && !all) || (op == "<>" && all);
        let (ast::Expr::Subquery(query), false) = (inner, is_membership) else {
            let typed = self.quantified_by_name(left, &op, right, all, scope, clause)?;
            return self.condition(typed, "WHERE");
        };
        let place = self.places.start(left);
        let members: Vec<&ast::Expr> = row_members(left).unwrap_or_else(|| vec![left]);
        let values = self.values(&members, scope, clause)?;
        let rows = self.bind_query(query, Some(scope), true)?;
        let depends = !plan_outer_references(&rows.plan)?.is_empty();
        if !depends || rows.columns.len() != values.len() {
            return Ok(self.quantified_rows(values, &op, rows, all, place)?.expr);
        }
        let mut beside = Named::new();
        let mut pairs = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&rows.columns) {
            pairs.push((self.seen_inside(value, &mut beside)?, column.typed()));
        }
        let test = self.comparison_test(&op, pairs, place)?;
        let decides = match all {
            false => test,
            true => Expr::IsNotTrue(Box::new(test)),
        };
        let plan = LogicalPlanBuilder::from(rows.plan).filter(decides)?.build()?;
        let subquery = self.subquery(plan)?;
        let subquery = Expr::Exists(Exists { subquery, negated: all });
        Ok(Comparison { subquery, beside, once: None }.into_expr())
    }

    /// A value or a row compared with another.
    fn comparison_test(
        &mut self,
        op: &str,
        pairs: Vec<(Typed, Typed)>,
        place: Option<u32>,
    ) -> Result<Expr> {
        let test = match <[_; 1]>::try_from(pairs) {
            Ok([(left, right)]) => self.operator(op, left, right, place)?,
            Err(pairs) => self.compare_pairs(op, pairs, place)?,
        };
        match test.ty == PgType::BOOL {
            true => Ok(test.expr),
            false => Err(super::operators::wrong_operator().at_place(place)),
        }
    }

    /// A query of which EXISTS asks only whether it has rows.
    fn bind_presence(&mut self, query: &ast::Query, scope: &Scope<'_>) -> Result<LogicalPlan> {
        if !query.locks.is_empty() {
            return Ok(without_outputs(self.bind_query(query, Some(scope), true)?.plan));
        }
        let mut tail = SelectTail { presence: true, ..SelectTail::default() };
        Ok(without_outputs(self.bind_query_with(query, Some(scope), true, &mut tail)?.plan))
    }

    /// A plan as part of an expression.
    fn subquery(&mut self, plan: LogicalPlan) -> Result<Subquery> {
        let outer_ref_columns = plan_outer_references(&plan)?;
        if !outer_ref_columns.is_empty() {
            self.note_correlated();
        }
        Ok(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() })
    }

    /// `(SELECT ...)` as a value: NULL without a row, an error with two.
    pub(super) fn scalar_subquery(
        &mut self,
        query: &ast::Query,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let rows = self.bind_query(query, Some(scope), true)?;
        let [column] = rows.columns.as_slice() else {
            return Err(Error::syntax_error("subquery must return only one column")
                .at_place(self.places.start(query)));
        };
        let (expr, ty) = (column.expr(), column.output.ty);
        if !self.apply_subqueries
            && let Some(plan) = first_of_sorted(&rows.plan)?
        {
            let subquery = self.subquery(plan)?;
            return Ok(Typed::new(Expr::ScalarSubquery(subquery), ty));
        }
        if yields_one_row(&rows.plan) {
            let subquery = self.subquery(rows.plan)?;
            return Ok(Typed::new(Expr::ScalarSubquery(subquery), ty));
        }
        let name = self.fresh();
        let plan = LogicalPlanBuilder::from(rows.plan)
            .aggregate(Vec::<Expr>::new(), vec![super::apply::up_to_two(expr).alias(name)])?
            .build()?;
        let subquery = self.subquery(plan)?;
        Ok(Typed::new(super::apply::the_only(Expr::ScalarSubquery(subquery)), ty))
    }

    /// The columns of a subquery of one row, each as a value.
    pub(super) fn row_subquery(
        &mut self,
        query: &ast::Query,
        scope: &Scope<'_>,
    ) -> Result<Vec<Typed>> {
        let rows = self.bind_query(query, Some(scope), true)?;
        let mut values = Vec::with_capacity(rows.columns.len());
        for column in &rows.columns {
            let name = self.fresh();
            let plan = LogicalPlanBuilder::from(rows.plan.clone())
                .aggregate(
                    Vec::<Expr>::new(),
                    vec![super::apply::up_to_two(column.expr()).alias(name)],
                )?
                .build()?;
            let subquery = self.subquery(plan)?;
            let expr = super::apply::the_only(Expr::ScalarSubquery(subquery));
            values.push(Typed::new(expr, column.output.ty));
        }
        Ok(values)
    }

    /// EXISTS where a value is needed.
    pub(super) fn exists_value(
        &mut self,
        query: &ast::Query,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let rows = self.bind_presence(query, scope)?;
        let name = self.fresh();
        let counted = self.fresh();
        let count = datafusion::functions_aggregate::count::count(lit(1_i64)).alias(&counted);
        let column = Expr::Column(Column::new_unqualified(&counted));
        let test = match negated {
            false => column.gt(lit(0_i64)),
            true => column.eq(lit(0_i64)),
        };
        let plan = LogicalPlanBuilder::from(rows)
            .aggregate(Vec::<Expr>::new(), vec![count])?
            .project(vec![test.alias(name)])?
            .build()?;
        let subquery = self.subquery(plan)?;
        Ok(Typed::new(Expr::ScalarSubquery(subquery), PgType::BOOL))
    }

    /// `left op ANY/ALL (SELECT ...)` where a value is needed; `left` may be a row.
    pub(super) fn quantified_subquery(
        &mut self,
        left: &ast::Expr,
        op: &str,
        query: &ast::Query,
        all: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let members: Vec<&ast::Expr> = row_members(left).unwrap_or_else(|| vec![left]);
        let values = self.values(&members, scope, clause)?;
        let rows = self.bind_query(query, Some(scope), true)?;
        self.quantified_rows(values, op, rows, all, place)
    }

    fn values(
        &mut self,
        members: &[&ast::Expr],
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Vec<Typed>> {
        members.iter().map(|member| self.expression(member, scope, clause)).collect()
    }

    fn quantified_rows(
        &mut self,
        values: Vec<Typed>,
        op: &str,
        rows: Rowset,
        all: bool,
        place: Option<u32>,
    ) -> Result<Typed> {
        if rows.columns.len() != values.len() {
            return Err(column_count(rows.columns.len(), values.len()).at_place(place));
        }
        let (once, values, mut beside) = match self.compared_once(&values, op, &rows, all)? {
            Some((once, columns, beside)) => (Some(once), columns, beside),
            None => (None, values, Named::new()),
        };
        let mut pairs = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&rows.columns) {
            pairs.push((self.seen_inside(value, &mut beside)?, column.typed()));
        }
        let test = self.comparison_test(op, pairs, place)?;
        let (tested, hits, known, rows_count, name) =
            (self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh());
        let column = |name: &String| Expr::Column(Column::new_unqualified(name));
        let wanted = match all {
            false => column(&tested),
            true => Expr::Not(Box::new(column(&tested))),
        };
        let hit = Case::new(
            None,
            vec![(Box::new(Expr::IsTrue(Box::new(wanted))), Box::new(lit(1_i64)))],
            None,
        );
        let count = datafusion::functions_aggregate::count::count;
        // Any hit decides; else a comparison with NULL leaves it open.
        let answer = Case::new(
            None,
            vec![
                (Box::new(column(&hits).gt(lit(0_i64))), Box::new(literals::boolean(!all))),
                (
                    Box::new(column(&known).lt(column(&rows_count))),
                    Box::new(Expr::Literal(datafusion::scalar::ScalarValue::Boolean(None), None)),
                ),
            ],
            Some(Box::new(literals::boolean(all))),
        );
        let plan = LogicalPlanBuilder::from(rows.plan)
            .project(vec![test.alias(&tested)])?
            .aggregate(
                Vec::<Expr>::new(),
                vec![
                    count(Expr::Case(hit)).alias(&hits),
                    count(column(&tested)).alias(&known),
                    count(lit(1_i64)).alias(&rows_count),
                ],
            )?
            .project(vec![Expr::Case(answer).alias(name)])?
            .build()?;
        let subquery = self.subquery(plan)?;
        let subquery = Expr::ScalarSubquery(subquery);
        Ok(Typed::new(Comparison { subquery, beside, once }.into_expr(), PgType::BOOL))
    }

    /// `ARRAY(SELECT ...)`
    pub(super) fn array_subquery(
        &mut self,
        query: &ast::Query,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let rows = self.bind_query(query, Some(scope), true)?;
        let [column] = rows.columns.as_slice() else {
            return Err(Error::syntax_error("subquery must return only one column"));
        };
        let element = column.output.ty;
        let ty = element.array().filter(|ty| ty.oid != element.oid).ok_or_else(|| {
            Error::feature_not_supported("multidimensional arrays are not supported")
        })?;
        let call = resolve_function("array_agg", &[element])?;
        let Implementation::Udaf(udaf) = &call.implementation else {
            return Err(Error::internal("array_agg is not an aggregate"));
        };
        debug_assert_eq!(call.function.kind, FunctionKind::Aggregate);
        let (plan, expr, order) = self.ordered_input(rows)?;
        let collected = self.fresh();
        let name = self.fresh();
        let aggregate = Expr::AggregateFunction(AggregateFunction::new_udf(
            Arc::clone(udaf),
            vec![expr],
            false,
            None,
            order,
            None,
        ));
        let collected_column = Expr::Column(Column::new_unqualified(&collected));
        let empty = self.construct_array(element, Vec::new())?;
        let case = Case::new(
            None,
            vec![(Box::new(collected_column.clone().is_not_null()), Box::new(collected_column))],
            Some(Box::new(empty)),
        );
        let plan = LogicalPlanBuilder::from(plan)
            .aggregate(Vec::<Expr>::new(), vec![aggregate.alias(&collected)])?
            .project(vec![Expr::Case(case).alias(name)])?
            .build()?;
        let subquery = self.subquery(plan)?;
        Ok(Typed::new(Expr::ScalarSubquery(subquery), ty))
    }

    /// The rows of a query whose order matters, the column, and what orders it: the place of each
    /// row, as sorts below aggregates don't survive.
    fn ordered_input(
        &mut self,
        rows: Rowset,
    ) -> Result<(LogicalPlan, Expr, Vec<datafusion::logical_expr::SortExpr>)> {
        let expr = rows.columns[0].expr();
        if !is_sorted(&rows.plan) {
            return Ok((rows.plan, expr, Vec::new()));
        }
        let (plan, number) = self.numbered_in_order(rows.plan)?;
        let order = Expr::Column(Column::new_unqualified(number)).sort(true, false);
        Ok((plan, expr, vec![order]))
    }

    /// Numbers the rows of a sorted query. The numbering sorts by itself: a sort that nothing
    /// above asks for would be dropped.
    fn numbered_in_order(&mut self, plan: LogicalPlan) -> Result<(LogicalPlan, String)> {
        match plan {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.row_number(Arc::unwrap_or_clone(sort.input), Vec::new(), sort.expr)
            }
            LogicalPlan::Projection(projection) => {
                let input = Arc::unwrap_or_clone(projection.input);
                let (input, number) = self.numbered_in_order(input)?;
                let mut exprs = projection.expr;
                exprs.push(Expr::Column(Column::new_unqualified(&number)));
                Ok((LogicalPlanBuilder::from(input).project(exprs)?.build()?, number))
            }
            LogicalPlan::Limit(mut limit) => {
                let input = Arc::unwrap_or_clone(limit.input);
                let (input, number) = self.numbered_in_order(input)?;
                let order = Expr::Column(Column::new_unqualified(&number)).sort(true, false);
                limit.input = Arc::new(LogicalPlanBuilder::from(input).sort([order])?.build()?);
                Ok((LogicalPlan::Limit(limit), number))
            }
            other => self.row_number(other, Vec::new(), Vec::new()),
        }
    }

    /// Computes the set-returning functions in `exprs` below them, side by side.
    pub(super) fn place_sets(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut plan = plan;
        let mut exprs = exprs;
        loop {
            // The innermost ones first: one may be another's argument.
            let mut sets: Vec<Expr> = Vec::new();
            for expr in &exprs {
                expr.apply(|node| {
                    if let Expr::Unnest(unnest) = node
                        && !has_set(&unnest.expr)
                        && !sets.contains(node)
                    {
                        sets.push(node.clone());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
            if sets.is_empty() {
                return Ok((plan, exprs));
            }
            let lists: Vec<Expr> = sets
                .iter()
                .filter_map(|set| match set {
                    Expr::Unnest(unnest) => Some(unnest.expr.as_ref().clone()),
                    _ => None,
                })
                .collect();
            let (below, lists) = self.place(plan, lists, Below::Project)?;
            let names: Vec<String> = lists.iter().map(|_| self.fresh()).collect();
            plan = unnest_lists(below, lists, &names, false)?;
            exprs = exprs
                .into_iter()
                .map(|expr| {
                    Ok(expr
                        .transform_down(|node| {
                            Ok(match sets.iter().position(|set| *set == node) {
                                Some(i) => Transformed::yes(Expr::Column(Column::new_unqualified(
                                    &names[i],
                                ))),
                                None => Transformed::no(node),
                            })
                        })?
                        .data)
                })
                .collect::<Result<_>>()?;
        }
    }
}

/// Adds one column per list and makes a row of each element.
pub(super) fn unnest_lists(
    plan: LogicalPlan,
    lists: Vec<Expr>,
    names: &[String],
    keep_empty: bool,
) -> Result<LogicalPlan> {
    let mut all: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    all.extend(lists.into_iter().zip(names).map(|(list, name)| list.alias(name)));
    let columns = names.iter().map(Column::new_unqualified).collect();
    let options = datafusion::common::UnnestOptions::new().with_preserve_nulls(keep_empty);
    Ok(LogicalPlanBuilder::from(plan)
        .project(all)?
        .unnest_columns_with_options(columns, options)?
        .build()?)
}

pub(super) fn column_count(has: usize, wanted: usize) -> Error {
    Error::syntax_error(match has > wanted {
        true => "subquery has too many columns",
        false => "subquery has too few columns",
    })
}

/// The same value from inside a subquery of a plan with these columns.
pub(super) fn refer_from_inside(expr: Expr, outside: &DFSchema) -> Result<Expr> {
    Ok(expr
        .transform_down(|node| {
            Ok(match node {
                Expr::Column(column) => {
                    let field = outside.field_from_column(&column)?;
                    let field = Arc::new(field.as_ref().clone().with_nullable(true));
                    Transformed::yes(Expr::OuterReferenceColumn(field, column))
                }
                other => Transformed::no(other),
            })
        })?
        .data)
}

/// The rows of a query before what makes neither none of some nor some of none: EXISTS asks for no
/// more.
fn without_outputs(plan: LogicalPlan) -> LogicalPlan {
    without_projections(plan, true)
}

/// The same; as many rows, unless it is enough that there are `some`.
fn without_projections(plan: LogicalPlan, some: bool) -> LogicalPlan {
    let input = match plan {
        LogicalPlan::Limit(limit) if some && leaves_some(&limit) => limit.input,
        LogicalPlan::Limit(mut limit) => {
            let some = some && limit.skip.is_none();
            let input = Arc::unwrap_or_clone(limit.input);
            limit.input = Arc::new(without_projections(input, some));
            return LogicalPlan::Limit(limit);
        }
        LogicalPlan::Projection(projection) => projection.input,
        LogicalPlan::Window(window) => window.input,
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => sort.input,
        LogicalPlan::Distinct(Distinct::All(input)) if some => input,
        LogicalPlan::Aggregate(aggregate) if some && has_rows_for_rows(&aggregate) => {
            aggregate.input
        }
        plan => return plan,
    };
    without_projections(Arc::unwrap_or_clone(input), some)
}

fn leaves_some(limit: &Limit) -> bool {
    let fetches = matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(rows))) if rows > 0);
    fetches && matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)))
}

/// Whether an aggregate has a row for some rows and none for none.
fn has_rows_for_rows(aggregate: &Aggregate) -> bool {
    let is_set = |expr: &Expr| matches!(expr, Expr::GroupingSet(_));
    !aggregate.group_expr.is_empty() && !aggregate.group_expr.iter().any(is_set)
}

/// The subquery that a node is.
pub(super) fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(test) => Some(&test.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

pub(super) fn is_subquery(node: &Expr) -> bool {
    subquery_of(node).is_some()
}

/// Whether a subquery is inside.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|node| Ok(subquery_of(node).is_some())).unwrap_or(false)
}

/// NOT of a condition, as EXISTS and IN have it.
fn negated(condition: Expr) -> Expr {
    match condition {
        Expr::Exists(exists) => Expr::Exists(Exists { negated: !exists.negated, ..exists }),
        Expr::InSubquery(test) => Expr::InSubquery(InSubquery { negated: !test.negated, ..test }),
        other => match Comparison::from_expr(other) {
            Ok(Comparison { subquery: Expr::Exists(exists), beside, .. }) => {
                let subquery = negated(Expr::Exists(exists));
                Comparison { subquery, beside, once: None }.into_expr()
            }
            Ok(comparison) => Expr::Not(Box::new(comparison.into_expr())),
            Err(other) => Expr::Not(Box::new(other)),
        },
    }
}

fn has_set(expr: &Expr) -> bool {
    expr.exists(|node| Ok(matches!(node, Expr::Unnest(_)))).unwrap_or(false)
}

/// The columns that subqueries inside an expression take from around it.
pub(super) fn outer_references(expr: &Expr) -> Vec<Column> {
    let mut columns = Vec::new();
    let walked = expr.apply(|node| {
        if let Some(subquery) = subquery_of(node) {
            for outer in &subquery.outer_ref_columns {
                if let Expr::OuterReferenceColumn(_, column) = outer
                    && !columns.contains(column)
                {
                    columns.push(column.clone());
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "collecting columns doesn't fail");
    columns
}

/// What a plan takes from the queries around it.
pub(super) fn plan_outer_references(plan: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut found: Vec<Expr> = Vec::new();
    plan.apply(|node| {
        let inputs = node.inputs();
        for expr in node.expressions() {
            expr.apply(|inner| {
                match inner {
                    Expr::OuterReferenceColumn(..) if !found.contains(inner) => {
                        found.push(inner.clone());
                    }
                    _ => {}
                }
                for outer in subquery_of(inner).iter().flat_map(|s| &s.outer_ref_columns) {
                    let Expr::OuterReferenceColumn(_, column) = outer else { continue };
                    let here = inputs.iter().any(|input| has_exactly(input.schema(), column));
                    if !here && !found.contains(outer) {
                        found.push(outer.clone());
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether a schema has a column by this name and qualifier.
pub(super) fn has_exactly(schema: &DFSchema, column: &Column) -> bool {
    let is_it = |(qualifier, field): (Option<&TableReference>, &FieldRef)| {
        field.name() == &column.name && qualifier == column.relation.as_ref()
    };
    schema.iter().any(is_it)
}

/// Whether a plan has exactly one row by its form.
fn yields_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => yields_one_row(&projection.input),
        LogicalPlan::Sort(sort) => yields_one_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

/// `(SELECT x ... ORDER BY y LIMIT 1)` as an aggregate, which can be told apart by the columns of
/// the query around it.
fn first_of_sorted(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let (limited, output) = match plan {
        LogicalPlan::Projection(projection) => {
            (projection.input.as_ref(), projection.expr.first().cloned())
        }
        other => (other, None),
    };
    let LogicalPlan::Limit(limit) = limited else { return Ok(None) };
    let one = matches!(limit.get_fetch_type()?, FetchType::Literal(Some(1)))
        && matches!(limit.get_skip_type()?, SkipType::Literal(0));
    if !one {
        return Ok(None);
    }
    let (input, order) = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            (sort.input.as_ref().clone(), sort.expr.clone())
        }
        LogicalPlan::Projection(_) => (limit.input.as_ref().clone(), Vec::new()),
        _ => return Ok(None),
    };
    let (name, value) = match output {
        Some(Expr::Alias(alias)) => (alias.name.clone(), *alias.expr),
        Some(_) => return Ok(None),
        None => {
            let (_, field) = input.schema().qualified_field(0);
            let column = Column::from(input.schema().qualified_field(0));
            (field.name().clone(), Expr::Column(column))
        }
    };
    let Expr::Column(_) = &value else { return Ok(None) };
    let first = Expr::AggregateFunction(AggregateFunction::new_udf(
        datafusion::functions_aggregate::first_last::first_value_udaf(),
        vec![value],
        false,
        None,
        order,
        None,
    ));
    let plan = LogicalPlanBuilder::from(input)
        .aggregate(Vec::<Expr>::new(), vec![first.alias(name)])?
        .build()?;
    Ok(Some(plan))
}

/// Whether a query sorts its rows.
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_sorted(&projection.input),
        LogicalPlan::Limit(limit) => is_sorted(&limit.input),
        LogicalPlan::Sort(_) => true,
        _ => false,
    }
}
