//! Subqueries inside expressions.
//!
//! While an expression is being put together a subquery in it is one of DataFusion's subquery
//! nodes over the plan of its rows. [`Binder::place`] decides, when the expression is attached to
//! a plan, what remains for the optimizer to turn into a join and what is computed below it, row
//! by row, by [`super::apply`].

use std::sync::Arc;

use datafusion::{
    common::{
        Column, DFSchema, ExprSchema, Spans,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        BinaryExpr, Case, Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
        Subquery,
        expr::{AggregateFunction, Exists, InSubquery},
    },
    prelude::lit,
    sql::sqlparser::ast,
};

use super::{
    apply::apply_scalar,
    binder::{Binder, Rowset, Typed},
    expression::Clause,
    literals,
    names::At,
    operators::{all_of, any_of, row_members},
    scope::Scope,
};
use crate::{
    error::{Error, Result},
    functions::{FunctionKind, Implementation, resolve_function},
    plan::lazy::may_fail,
    types::PgType,
};

/// What an expression is attached to, which decides the subqueries it may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// Scalar subqueries become joins or are computed once.
    Project,
    /// EXISTS and IN as well: NULL is as good as false.
    Filter,
    /// The same, but a join can't tell NOT IN from NULL: an operand of an OR in a filter.
    Disjunction,
    /// None.
    Other,
}

/// A plan that computes subqueries beside its own columns.
struct Lowered {
    plan: LogicalPlan,
    /// Each subquery with the conditions under which it was computed, and its column.
    known: Vec<(Expr, Vec<Expr>, Expr)>,
}

impl Lowered {
    /// The column of a subquery that is computed wherever all of `guard` holds.
    fn known(&self, node: &Expr, guard: &[Expr]) -> Option<Expr> {
        let serves = |(known, under, _): &&(Expr, Vec<Expr>, Expr)| {
            known == node && under.iter().all(|condition| guard.contains(condition))
        };
        self.known.iter().find(serves).map(|(_, _, column)| column.clone())
    }
}

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
                let inner = binder.predicate(inner, scope, clause)?;
                Ok(negated(inner))
            }
            ast::Expr::Exists { subquery, negated } => {
                let rows = binder.bind_query(subquery, Some(scope), true)?;
                let subquery = binder.subquery(without_limit(rows.plan)?)?;
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
        let tree = left;
        let left = self.expression(tree, scope, clause)?;
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
        let left = self.coerce_argument(left, left_type)?;
        let member = self.coerce_argument(member, right_type)?;
        if left_type.oid != right_type.oid || has_subquery(&left.expr) {
            // An equality of two types has no key in common.
            let values = self.values_inside(&[tree], scope, clause)?;
            return self.quantified_rows(values, op, rows, negated, place);
        }
        let name = self.fresh();
        let key = super::keys::key(member.expr, right_type)?.alias(name);
        let plan = LogicalPlanBuilder::from(rows.plan).project(vec![key])?.build()?;
        let expr = Box::new(super::keys::key(left.expr, left_type)?);
        let subquery = self.subquery(plan)?;
        Ok(Typed::new(Expr::InSubquery(InSubquery { expr, subquery, negated }), PgType::BOOL))
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
        let rows = self.bind_query(query, Some(scope), true)?;
        let name = self.fresh();
        let counted = self.fresh();
        let count = datafusion::functions_aggregate::count::count(lit(1_i64)).alias(&counted);
        let column = Expr::Column(Column::new_unqualified(&counted));
        let test = match negated {
            false => column.gt(lit(0_i64)),
            true => column.eq(lit(0_i64)),
        };
        let plan = LogicalPlanBuilder::from(rows.plan)
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
        let values = self.values_inside(&members, scope, clause)?;
        let rows = self.bind_query(query, Some(scope), true)?;
        self.quantified_rows(values, op, rows, all, place)
    }

    /// Expressions as they are seen from inside a subquery.
    fn values_inside(
        &mut self,
        members: &[&ast::Expr],
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Vec<Typed>> {
        let inside = Scope::empty(Some(scope));
        let mut values = Vec::with_capacity(members.len());
        for member in members {
            let before = std::mem::replace(&mut self.compares_rows, true);
            let typed = self.expression(member, &inside, clause);
            self.compares_rows = before;
            let typed = typed?;
            if super::grouping::has_aggregate(&typed.expr) {
                return Err(Error::feature_not_supported(
                    "an aggregate compared with a subquery is not supported",
                )
                .with_hint("Compute the aggregate in a subquery in FROM.")
                .at_place(self.places.start(*member)));
            }
            values.push(typed);
        }
        Ok(values)
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
        let mut pairs = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&rows.columns) {
            pairs.push((value, column.typed()));
        }
        let test = match <[_; 1]>::try_from(pairs) {
            Ok([(left, right)]) => self.operator(op, left, right, place)?,
            Err(pairs) => self.compare_pairs(op, pairs, place)?,
        };
        if test.ty != PgType::BOOL {
            return Err(super::operators::wrong_operator().at_place(place));
        }
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
            .project(vec![test.expr.alias(&tested)])?
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
        Ok(Typed::new(Expr::ScalarSubquery(subquery), PgType::BOOL))
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

    /// Attaches expressions to a plan: subqueries that can't stay are computed below.
    pub(super) fn place(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<Expr>,
        below: Below,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut lowered = Lowered { plan, known: Vec::new() };
        let placed = exprs
            .into_iter()
            .map(|expr| self.lower(expr, below, &[], &mut lowered))
            .collect::<Result<_>>()?;
        Ok((lowered.plan, placed))
    }

    /// Puts columns in the place of the subqueries that can't stay, and computes these in
    /// `lowered`, where the conditions of the CASEs, ANDs and ORs around them hold.
    fn lower(
        &mut self,
        expr: Expr,
        below: Below,
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Expr> {
        if !has_subquery(&expr) {
            return Ok(expr);
        }
        // Inside of other expressions NULL isn't false.
        let inside = if below == Below::Other { Below::Other } else { Below::Project };
        match expr {
            Expr::Case(case) if case.expr.is_none() => {
                Ok(Expr::Case(self.lower_case(case, inside, guard, lowered)?))
            }
            Expr::BinaryExpr(logic) if matches!(logic.op, Operator::And | Operator::Or) => {
                self.lower_logic(logic, below, guard, lowered)
            }
            node if subquery_of(&node).is_some() => {
                self.lower_subquery(node, below, guard, lowered)
            }
            node => {
                let mapped = node.map_children(|child| {
                    Ok(Transformed::yes(self.lower(child, inside, guard, lowered)?))
                })?;
                Ok(mapped.data)
            }
        }
    }

    fn lower_subquery(
        &mut self,
        node: Expr,
        below: Below,
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Expr> {
        let node = match node {
            Expr::InSubquery(mut test) => {
                let key = self.lower(*test.expr, Below::Project, guard, lowered)?;
                test.expr = Box::new(guarded(key, guard));
                Expr::InSubquery(test)
            }
            node => node,
        };
        let Some(subquery) = subquery_of(&node) else { return Ok(node) };
        let correlated = !subquery.outer_ref_columns.is_empty();
        let stays = match (below, &node) {
            (Below::Other, _) => false,
            (_, Expr::ScalarSubquery(_)) | (Below::Filter, _) => true,
            (Below::Disjunction, Expr::InSubquery(test)) => !test.negated,
            (Below::Disjunction, _) => true,
            (Below::Project, _) => false,
        };
        let by_row = self.apply_subqueries
            || !guard.is_empty() && computes_outside(subquery)
            || refers_beyond(subquery, lowered.plan.schema())
            || depends_on_place(&subquery.subquery, matches!(node, Expr::ScalarSubquery(_)))?;
        if stays && !(correlated && by_row) {
            return match node {
                Expr::InSubquery(test)
                    if test.negated && (correlated || !test.expr.any_column_refs()) =>
                {
                    without_hit(test, lowered.plan.schema())
                }
                node => Ok(node),
            };
        }
        if let Some(column) = lowered.known(&node, guard) {
            return Ok(column);
        }
        let empty = LogicalPlanBuilder::empty(false).build()?;
        let input = std::mem::replace(&mut lowered.plan, empty);
        let value = match &node {
            Expr::InSubquery(test) if !correlated => {
                let (plan, value) = self.membership(input, test)?;
                lowered.plan = plan;
                value
            }
            _ => {
                let name = self.fresh();
                let scalar = self.as_scalar(&node, input.schema())?;
                lowered.plan = apply_scalar(input, scalar, &name, guard)?;
                Expr::Column(Column::new_unqualified(name))
            }
        };
        lowered.known.push((node, guard.to_vec(), value.clone()));
        Ok(value)
    }

    /// `x IN (SELECT ...)` as a value: a join marks the rows that have a partner. Else the answer
    /// is NULL if one of the values compared is, unless there is nothing to compare with.
    fn membership(&mut self, input: LogicalPlan, test: &InSubquery) -> Result<(LogicalPlan, Expr)> {
        let count = datafusion::functions_aggregate::count::count;
        let column = |name: &String| Expr::Column(Column::new_unqualified(name));
        let columns = input.schema().columns();
        let (key, members, member, rows, known, mark) =
            (self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh());
        let set = test.subquery.subquery.as_ref().clone();
        let own = Expr::Column(Column::from(set.schema().qualified_field(0)));
        let counts = LogicalPlanBuilder::from(set.clone())
            .aggregate(
                Vec::<Expr>::new(),
                vec![count(lit(1_i64)).alias(&rows), count(own.clone()).alias(&known)],
            )?
            .build()?;
        let set = LogicalPlanBuilder::from(set)
            .project(vec![own.alias(&member)])?
            .alias(members.as_str())?
            .build()?;
        let kept = || columns.iter().cloned().map(Expr::Column);
        let keyed = kept().chain([test.expr.as_ref().clone().alias(&key)]);
        let joined = LogicalPlanBuilder::from(input)
            .project(keyed.collect::<Vec<_>>())?
            .join(
                set,
                JoinType::LeftMark,
                (
                    vec![Column::new_unqualified(&key)],
                    vec![Column::new(Some(members.as_str()), &member)],
                ),
                None,
            )?
            .build()?;
        let marked = Expr::Column(Column::from(
            joined.schema().qualified_field(joined.schema().fields().len() - 1),
        ));
        let plan = LogicalPlanBuilder::from(joined)
            .project(kept().chain([column(&key), marked.alias(&mark)]).collect::<Vec<_>>())?
            .cross_join(counts)?
            .build()?;
        let unknown = column(&rows)
            .gt(lit(0_i64))
            .and(column(&key).is_null().or(column(&known).lt(column(&rows))));
        let null = Expr::Literal(datafusion::scalar::ScalarValue::Boolean(None), None);
        let answer = Case::new(
            None,
            vec![
                (Box::new(column(&mark)), Box::new(literals::boolean(!test.negated))),
                (Box::new(unknown), Box::new(null)),
            ],
            Some(Box::new(literals::boolean(test.negated))),
        );
        Ok((plan, Expr::Case(answer)))
    }

    /// What stands in a branch is needed only where the branch is taken.
    fn lower_case(
        &mut self,
        case: Case,
        below: Below,
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Case> {
        let mut reached = guard.to_vec();
        let mut pairs = Vec::with_capacity(case.when_then_expr.len());
        for (condition, value) in case.when_then_expr {
            let condition = self.lower(*condition, below, &reached, lowered)?;
            let can_guard = can_guard(&condition);
            if can_guard {
                reached.push(Expr::IsTrue(Box::new(condition.clone())));
            }
            let value = self.lower(*value, below, &reached, lowered)?;
            if can_guard {
                reached.pop();
                reached.push(Expr::IsNotTrue(Box::new(condition.clone())));
            }
            pairs.push((Box::new(condition), Box::new(value)));
        }
        let last = case.else_expr.map(|last| self.lower(*last, below, &reached, lowered));
        Ok(Case::new(None, pairs, last.transpose()?.map(Box::new)))
    }

    /// What stands behind AND or OR is needed only where what stands before leaves it open.
    fn lower_logic(
        &mut self,
        logic: BinaryExpr,
        below: Below,
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Expr> {
        let op = logic.op;
        let below = match (below, op) {
            (Below::Filter, Operator::Or) => Below::Disjunction,
            _ => below,
        };
        // The conditions of WHERE are pushed down each by itself, those that can't fail first.
        let guards = !(below == Below::Filter && guard.is_empty());
        let mut reached = guard.to_vec();
        let mut operands = Vec::new();
        for operand in chain(logic) {
            let operand = self.lower(operand, below, &reached, lowered)?;
            if guards && can_guard(&operand) {
                let condition = Box::new(operand.clone());
                reached.push(match op {
                    Operator::And => Expr::IsNotFalse(condition),
                    _ => Expr::IsNotTrue(condition),
                });
            }
            operands.push(operand);
        }
        Ok(match op {
            Operator::And => all_of(operands),
            _ => any_of(operands),
        })
    }

    /// A subquery node as a plan of one row and column.
    fn as_scalar(&mut self, node: &Expr, outside: &DFSchema) -> Result<LogicalPlan> {
        let count = datafusion::functions_aggregate::count::count;
        let column = |name: &String| Expr::Column(Column::new_unqualified(name));
        match node {
            Expr::ScalarSubquery(subquery) => Ok(subquery.subquery.as_ref().clone()),
            Expr::Exists(Exists { subquery, negated }) => {
                let (counted, name) = (self.fresh(), self.fresh());
                let test = match negated {
                    false => column(&counted).gt(lit(0_i64)),
                    true => column(&counted).eq(lit(0_i64)),
                };
                Ok(LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
                    .limit(0, Some(1))?
                    .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias(&counted)])?
                    .project(vec![test.alias(name)])?
                    .build()?)
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                // Both sides are keys of one type already: bytes decide.
                let plan = subquery.subquery.as_ref().clone();
                let member = Expr::Column(Column::from(plan.schema().qualified_field(0)));
                let left = refer_from_inside(expr.as_ref().clone(), outside)?;
                let (hits, known, rows, tested, name) =
                    (self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh());
                let hit = Case::new(
                    None,
                    vec![(Box::new(Expr::IsTrue(Box::new(column(&tested)))), Box::new(lit(1_i64)))],
                    None,
                );
                let answer = Case::new(
                    None,
                    vec![
                        (
                            Box::new(column(&hits).gt(lit(0_i64))),
                            Box::new(literals::boolean(!negated)),
                        ),
                        (
                            Box::new(column(&known).lt(column(&rows))),
                            Box::new(Expr::Literal(
                                datafusion::scalar::ScalarValue::Boolean(None),
                                None,
                            )),
                        ),
                    ],
                    Some(Box::new(literals::boolean(*negated))),
                );
                Ok(LogicalPlanBuilder::from(plan)
                    .project(vec![left.eq(member).alias(&tested)])?
                    .aggregate(
                        Vec::<Expr>::new(),
                        vec![
                            count(Expr::Case(hit)).alias(&hits),
                            count(column(&tested)).alias(&known),
                            count(lit(1_i64)).alias(&rows),
                        ],
                    )?
                    .project(vec![Expr::Case(answer).alias(name)])?
                    .build()?)
            }
            other => Err(Error::internal(format!("{} is not a subquery", other.variant_name()))),
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
fn refer_from_inside(expr: Expr, outside: &DFSchema) -> Result<Expr> {
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

/// The rows of which EXISTS needs one: those before LIMIT, unless that leaves none.
fn without_limit(plan: LogicalPlan) -> Result<LogicalPlan> {
    use datafusion::logical_expr::{FetchType, SkipType};
    Ok(match plan {
        LogicalPlan::Limit(limit)
            if matches!(limit.get_fetch_type()?, FetchType::Literal(Some(rows)) if rows > 0)
                && matches!(limit.get_skip_type()?, SkipType::Literal(0)) =>
        {
            Arc::unwrap_or_clone(limit.input)
        }
        LogicalPlan::Projection(mut projection) => {
            let input = without_limit(Arc::unwrap_or_clone(projection.input))?;
            projection.input = Arc::new(input);
            LogicalPlan::Projection(projection)
        }
        plan => plan,
    })
}

/// The subquery that a node is.
fn subquery_of(expr: &Expr) -> Option<&Subquery> {
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

/// Whether a subquery computes something, which may fail, of the columns around it: a join would
/// compute it for all rows.
fn computes_outside(subquery: &Subquery) -> bool {
    let mut computes = false;
    let walked = subquery.subquery.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                let only_looks = match part {
                    Expr::BinaryExpr(binary) => matches!(
                        binary.op,
                        Operator::Eq
                            | Operator::NotEq
                            | Operator::Lt
                            | Operator::LtEq
                            | Operator::Gt
                            | Operator::GtEq
                            | Operator::IsDistinctFrom
                            | Operator::IsNotDistinctFrom
                            | Operator::And
                            | Operator::Or
                    ),
                    Expr::OuterReferenceColumn(..)
                    | Expr::Alias(_)
                    | Expr::Not(_)
                    | Expr::IsNull(_)
                    | Expr::IsNotNull(_) => true,
                    _ => false,
                };
                computes |= !only_looks && part.contains_outer();
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    computes || walked.is_err()
}

/// The operands of a chain of AND or OR, from the left.
fn chain(logic: BinaryExpr) -> Vec<Expr> {
    let op = logic.op;
    let mut operands = Vec::new();
    let mut rest = vec![Expr::BinaryExpr(logic)];
    while let Some(next) = rest.pop() {
        match next {
            Expr::BinaryExpr(binary) if binary.op == op => {
                rest.push(*binary.right);
                rest.push(*binary.left);
            }
            operand => operands.push(operand),
        }
    }
    operands
}

/// `x NOT IN (SELECT ...)` where NULL is as good as false: there is no row with which the comparison
/// isn't false. (A join on the values alone knows the NULLs of all rows where it should know those
/// of one correlated subquery, and no NULL of a constant.)
fn without_hit(test: InSubquery, outside: &DFSchema) -> Result<Expr> {
    let plan = test.subquery.subquery.as_ref().clone();
    let member = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let nullable = plan.schema().field(0).is_nullable();
    let left_nullable = test.expr.as_ref().nullable(outside)?;
    let left = refer_from_inside(*test.expr, outside)?;
    let mut hits = vec![left.clone().eq(member.clone())];
    if nullable {
        hits.push(member.is_null());
    }
    if left_nullable {
        hits.push(left.is_null());
    }
    let plan = LogicalPlanBuilder::from(plan).filter(any_of(hits))?.build()?;
    let outer_ref_columns = plan_outer_references(&plan)?;
    let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() };
    Ok(Expr::Exists(Exists { subquery, negated: true }))
}

/// NOT of a condition, as EXISTS and IN have it.
fn negated(condition: Expr) -> Expr {
    match condition {
        Expr::Exists(exists) => Expr::Exists(Exists { negated: !exists.negated, ..exists }),
        Expr::InSubquery(test) => Expr::InSubquery(InSubquery { negated: !test.negated, ..test }),
        other => Expr::Not(Box::new(other)),
    }
}

/// IN becomes a join whose key is computed for all rows: it is NULL where `guard` doesn't hold, and
/// nobody asks.
fn guarded(key: Expr, guard: &[Expr]) -> Expr {
    if guard.is_empty() || !may_fail(&key) {
        return key;
    }
    let reached = all_of(guard.to_vec());
    Expr::Case(Case::new(None, vec![(Box::new(reached), Box::new(key))], None))
}

/// Whether a subquery takes columns from further out than the plan it stands over, which joins know
/// nothing of.
fn refers_beyond(subquery: &Subquery, outside: &DFSchema) -> bool {
    subquery.outer_ref_columns.iter().any(|outer| match outer {
        Expr::OuterReferenceColumn(_, column) => !outside.has_column(column),
        _ => false,
    })
}

/// Whether a join in the place of a correlated subquery would give something else: the references
/// would be compared above where they stand.
///
/// An aggregate of no rows has a row, a window function looks at the other rows (a join would look
/// at those of all subqueries together), LIMIT and OFFSET count them, and an outer join has rows for
/// what it doesn't find. The one aggregate that makes a value of a subquery is known to joins.
fn depends_on_place(plan: &LogicalPlan, is_value: bool) -> Result<bool> {
    let mut known = usize::from(is_value);
    let mut depends = false;
    plan.apply(|node| {
        depends = match node {
            LogicalPlan::Window(window) => refers_outside(&window.input)?,
            LogicalPlan::Aggregate(aggregate)
                if aggregate.group_expr.iter().all(|expr| matches!(expr, Expr::GroupingSet(_))) =>
            {
                let refers = refers_outside(&aggregate.input)?;
                let is_known = refers && known > 0;
                known -= usize::from(is_known);
                refers && !is_known
            }
            LogicalPlan::Join(join) => {
                let (left, right) = match join.join_type {
                    JoinType::Inner => (false, false),
                    JoinType::Left | JoinType::LeftSemi => (false, true),
                    JoinType::Right | JoinType::RightSemi => (true, false),
                    _ => (true, true),
                };
                (left || right) && node.expressions().iter().any(Expr::contains_outer)
                    || left && refers_outside(&join.left)?
                    || right && refers_outside(&join.right)?
            }
            LogicalPlan::Limit(limit) => refers_outside(&limit.input)?,
            _ => false,
        };
        Ok(if depends { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(depends)
}

fn refers_outside(plan: &LogicalPlan) -> datafusion::common::Result<bool> {
    let references = plan_outer_references(plan).map_err(Error::into_datafusion)?;
    Ok(!references.is_empty())
}

/// Whether a condition gives the same when it is evaluated once more, below where it stands.
fn can_guard(condition: &Expr) -> bool {
    let is_bound = |node: &Expr| {
        let is_above =
            matches!(node, Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Unnest(_));
        Ok(is_above || subquery_of(node).is_some())
    };
    !condition.is_volatile() && !condition.exists(is_bound).unwrap_or(true)
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
                    let here = inputs.iter().any(|input| input.schema().has_column(column));
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
    use datafusion::logical_expr::{FetchType, SkipType};
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
