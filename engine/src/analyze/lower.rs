//! Attaching expressions with subqueries to plans: what the optimiser may turn into a join, and what
//! is computed below, row by row or once.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, DFSchema, Spans,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        BinaryExpr, Case, Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
        Subquery,
        expr::{Exists, InSubquery},
    },
    prelude::lit,
};

use super::{
    apply::apply_scalar,
    binder::Binder,
    compared::{Comparison, compared_names},
    grouping::with_columns,
    literals,
    once::Once,
    operators::{all_of, any_of},
    subquery::{has_subquery, plan_outer_references, refer_from_inside, subquery_of},
};
use crate::{
    error::{Error, Result},
    plan::lazy::{is_total_operator, may_fail},
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
    /// The columns of values that subqueries are compared with, and the conditions under which they
    /// were computed.
    beside: Vec<(String, Vec<Expr>)>,
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
    /// Attaches expressions to a plan: subqueries that can't stay are computed below.
    pub(super) fn place(
        &mut self,
        plan: LogicalPlan,
        exprs: Vec<Expr>,
        below: Below,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut lowered = Lowered { plan, beside: Vec::new(), known: Vec::new() };
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
            node if compared_names(&node).is_some() => {
                self.lower_compared(node, below, guard, lowered)
            }
            node => {
                let mapped = node.map_children(|child| {
                    Ok(Transformed::yes(self.lower(child, inside, guard, lowered)?))
                })?;
                Ok(mapped.data)
            }
        }
    }

    /// Computes what a subquery is compared with.
    fn lower_compared(
        &mut self,
        node: Expr,
        below: Below,
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Expr> {
        let Comparison { subquery, beside, once } = Comparison::from_expr(node)
            .map_err(|other| Error::internal(format!("{} compares", other.variant_name())))?;
        let mut added = Vec::new();
        let mut values = Vec::with_capacity(beside.len());
        for (name, value) in beside {
            values.push(Expr::Column(Column::new_unqualified(&name)));
            match lowered.beside.iter().find(|(known, _)| *known == name) {
                Some((_, under)) if under.iter().all(|condition| guard.contains(condition)) => {
                    continue;
                }
                Some(_) => {
                    return Err(Error::feature_not_supported(
                        "this comparison with a subquery in several branches is not supported",
                    ));
                }
                None => {}
            }
            let value = self.lower(value, Below::Project, guard, lowered)?;
            added.push(guarded(value, guard).alias(&name));
            lowered.beside.push((name, guard.to_vec()));
        }
        let empty = LogicalPlanBuilder::empty(false).build()?;
        let input = std::mem::replace(&mut lowered.plan, empty);
        lowered.plan = with_columns(input, added)?;
        match once {
            Some(once) if guard.is_empty() || !once.may_fail()? => {
                self.lower_once(once, subquery, &values, guard, lowered)
            }
            _ => self.lower(subquery, below, guard, lowered),
        }
    }

    /// Compares with a subquery that runs once: `values` are columns of the plan.
    fn lower_once(
        &mut self,
        once: Once,
        subquery: Expr,
        values: &[Expr],
        guard: &[Expr],
        lowered: &mut Lowered,
    ) -> Result<Expr> {
        if let Some(known) = lowered.known(&subquery, guard) {
            return Ok(known);
        }
        let empty = LogicalPlanBuilder::empty(false).build()?;
        let input = std::mem::replace(&mut lowered.plan, empty);
        let (plan, answer) = match once {
            Once::Extreme { summary, answer } => {
                (LogicalPlanBuilder::from(input).cross_join(summary)?.build()?, answer)
            }
            Once::Equal(equality) => {
                let name = self.fresh();
                let scalar = self.as_scalar(&subquery, input.schema())?;
                self.place_equality(input, equality, values, |plan, open| {
                    let guard: Vec<Expr> = guard.iter().cloned().chain(open).collect();
                    let plan = apply_scalar(plan, scalar, &name, &guard)?;
                    Ok((plan, Expr::Column(Column::new_unqualified(&name))))
                })?
            }
        };
        lowered.plan = plan;
        lowered.known.push((subquery, guard.to_vec(), answer.clone()));
        Ok(answer)
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
        let may_turn_null = match &node {
            Expr::InSubquery(test) => test.negated && !correlated && !is_column(&test.expr),
            _ => false,
        };
        if stays && !(correlated && by_row) && !may_turn_null {
            return match node {
                Expr::InSubquery(test) if test.negated && correlated => {
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
}

/// Whether a subquery computes something, which may fail, of the columns around it: a join would
/// compute it for all rows.
fn computes_outside(subquery: &Subquery) -> bool {
    let mut computes = false;
    let walked = subquery.subquery.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                let only_looks = match part {
                    Expr::BinaryExpr(binary) => is_total_operator(binary.op),
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

/// `x NOT IN (SELECT ...)` of a correlated subquery where NULL is as good as false: there is no row
/// with which the comparison isn't false. (A join on the values alone knows the NULLs of all rows
/// where it should know those of one subquery.)
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

/// Whether a key is a column, of whose NULLs an anti join knows; a constant's it doesn't.
fn is_column(key: &Expr) -> bool {
    match key {
        Expr::Column(_) => true,
        Expr::ScalarFunction(call) if call.name() == "sort_key" => call.args.iter().all(is_column),
        _ => false,
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
