//! Comparisons with a subquery that depends on nothing around it: it runs once.
//!
//! Whether `x < ANY (SELECT ...)` holds is decided by the greatest member, and `x = ANY` by a join
//! of what is equal; beside that one has to know whether there are members, and NULLs among them.

use std::sync::Arc;

use datafusion::{
    common::{Column, tree_node::TreeNodeRecursion},
    logical_expr::{
        Case, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, expr::AggregateFunction,
    },
    prelude::lit,
    scalar::ScalarValue,
};

use super::{
    binder::{Binder, Rowset, Typed},
    compared::Named,
    grouping::with_columns,
    literals,
    operators::{all_of, any_of},
    subquery::plan_outer_references,
};
use crate::{
    error::Result,
    functions::{Implementation, resolve_function, resolve_operator},
    plan::lazy::may_fail,
    types::{Oid, PgType},
};

/// How a comparison is made with a subquery that runs once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Once {
    /// By one member: `summary` is a row of what `answer` is made of.
    Extreme { summary: LogicalPlan, answer: Expr },
    /// By equality.
    Equal(Equality),
}

impl Once {
    /// Whether running the subquery may fail, so that it mustn't where nobody asks.
    pub(super) fn may_fail(&self) -> Result<bool> {
        let rows = match self {
            Once::Extreme { summary, .. } => summary.inputs().pop().unwrap_or(summary),
            Once::Equal(equality) => &equality.members,
        };
        let mut fails = false;
        rows.apply_with_subqueries(|node| {
            fails |= node.expressions().iter().any(may_fail);
            Ok(if fails { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(fails)
    }
}

/// `(a, b) = ANY (SELECT ...)`, or `<> ALL`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Equality {
    /// What is compared, as keys over the columns beside the subquery.
    keys: Vec<Expr>,
    /// The members' keys.
    members: LogicalPlan,
    negated: bool,
}

/// A column of a plan by its name alone.
fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn null() -> Expr {
    Expr::Literal(ScalarValue::Boolean(None), None)
}

fn when(pairs: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    let pairs = pairs.into_iter().map(|(when, then)| (Box::new(when), Box::new(then)));
    Expr::Case(Case::new(None, pairs.collect(), Some(Box::new(otherwise))))
}

impl Binder<'_> {
    /// How to compare with a subquery that runs once, and the values as columns beside it; `None`
    /// where it has to run for each row.
    pub(super) fn compared_once(
        &mut self,
        values: &[Typed],
        op: &str,
        rows: &Rowset,
        all: bool,
    ) -> Result<Option<(Once, Vec<Typed>, Named)>> {
        let depends = !plan_outer_references(&rows.plan)?.is_empty();
        if depends || super::stage::is_volatile(&rows.plan)? {
            return Ok(None);
        }
        if values.iter().any(|value| value.ty.is_unknown() || value.ty == PgType::RECORD) {
            return Ok(None);
        }
        let mut beside = Named::new();
        let mut columns = Vec::with_capacity(values.len());
        for value in values {
            let name = self.fresh();
            columns.push(Typed::new(column(&name), value.ty));
            beside.push((name, value.expr.clone()));
        }
        let once = match (op, columns.as_slice()) {
            ("=" | "<>", _) if all == (op == "<>") => self.equality(&columns, rows, all)?,
            ("<" | "<=" | ">" | ">=", [value]) => self.extreme_member(value, op, rows, all)?,
            _ => None,
        };
        Ok(once.map(|once| (once, columns, beside)))
    }

    fn extreme_member(
        &mut self,
        value: &Typed,
        op: &str,
        rows: &Rowset,
        all: bool,
    ) -> Result<Option<Once>> {
        // `< ANY` holds if it does for the greatest, `< ALL` if it does for the least.
        let extreme = if op.starts_with('<') == all { "min" } else { "max" };
        let member = rows.columns[0].typed();
        if !in_one_order(value.ty, member.ty) {
            return Ok(None);
        }
        let Ok(call) = resolve_function(extreme, &[member.ty]) else { return Ok(None) };
        let (Implementation::Udaf(udaf), [argument]) = (&call.implementation, call.args.as_slice())
        else {
            return Ok(None);
        };
        let udaf = Arc::clone(udaf);
        let member = self.coerce_argument(member, *argument)?.expr;
        let (decides, known, count) = (self.fresh(), self.fresh(), self.fresh());
        let test =
            self.operator(op, value.clone(), Typed::new(column(&decides), call.ret), None)?;
        let args = vec![member.clone()];
        let decisive = AggregateFunction::new_udf(udaf, args, false, None, Vec::new(), None);
        let number = datafusion::functions_aggregate::count::count;
        let summary = LogicalPlanBuilder::from(rows.plan.clone())
            .aggregate(
                Vec::<Expr>::new(),
                vec![
                    Expr::AggregateFunction(decisive).alias(&decides),
                    number(member).alias(&known),
                    number(lit(1_i64)).alias(&count),
                ],
            )?
            .build()?;
        let hit = match all {
            false => Expr::IsTrue(Box::new(test.expr)),
            true => Expr::IsFalse(Box::new(test.expr)),
        };
        let open = any_of(vec![value.expr.clone().is_null(), column(&known).lt(column(&count))]);
        let answer = when(
            vec![
                (column(&count).eq(lit(0_i64)), literals::boolean(all)),
                (hit, literals::boolean(!all)),
                (open, null()),
            ],
            literals::boolean(all),
        );
        Ok(Some(Once::Extreme { summary, answer }))
    }

    fn equality(&mut self, values: &[Typed], rows: &Rowset, negated: bool) -> Result<Option<Once>> {
        let (mut keys, mut members) = (Vec::new(), Vec::new());
        for (value, member) in values.iter().zip(&rows.columns) {
            let Some((key, member)) = self.common_keys(value.clone(), member.typed())? else {
                return Ok(None);
            };
            keys.push(key);
            members.push(member.alias(self.fresh()));
        }
        let members = LogicalPlanBuilder::from(rows.plan.clone()).project(members)?.build()?;
        Ok(Some(Once::Equal(Equality { keys, members, negated })))
    }

    /// Two values that `=` compares as keys that are equal where they are.
    pub(super) fn common_keys(
        &mut self,
        left: Typed,
        right: Typed,
    ) -> Result<Option<(Expr, Expr)>> {
        let Ok(call) = resolve_operator("=", Some(left.ty), right.ty) else { return Ok(None) };
        let [left_type, right_type] = call.args[..] else { return Ok(None) };
        let common = match (left_type.oid, right_type.oid) {
            (a, b) if a == b => left_type,
            (a, b) if is_integer(a) && is_integer(b) => PgType::INT8,
            (a, b) if is_float(a) && is_float(b) => PgType::FLOAT8,
            _ => return Ok(None),
        };
        if super::keys::check_groupable(common).is_err() {
            return Ok(None);
        }
        let left = self.coerce_argument(left, left_type)?;
        let right = self.coerce_argument(right, right_type)?;
        let (left, right) = match left_type.oid == right_type.oid {
            true => (left, right),
            false => (self.cast(left, common)?, self.cast(right, common)?),
        };
        let key = super::keys::key;
        Ok(Some((key(left.expr, common)?, key(right.expr, common)?)))
    }

    /// Adds what a comparison by equality needs to a plan that has the values beside it. `by_row`
    /// adds a column for the comparison row by row where its conditions hold: where a value of a row
    /// is NULL, no join finds out what is neither equal nor different.
    pub(super) fn place_equality(
        &mut self,
        plan: LogicalPlan,
        equality: Equality,
        values: &[Expr],
        by_row: impl FnOnce(LogicalPlan, Vec<Expr>) -> Result<(LogicalPlan, Expr)>,
    ) -> Result<(LogicalPlan, Expr)> {
        let Equality { keys, members, negated } = equality;
        let (count, clean) = (self.fresh(), self.fresh());
        let counts = counts(&members, &count, &clean)?;
        let kept: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let names: Vec<String> = keys.iter().map(|_| self.fresh()).collect();
        let keyed = keys.into_iter().zip(&names).map(|(key, name)| key.alias(name)).collect();
        let plan = with_columns(plan, keyed)?;
        let is_equal = |name: &str, member: Expr| column(name).eq(member);
        let (plan, equal) = self.marked(plan, &members, &names, is_equal)?;
        let has_null = any_of(values.iter().cloned().map(Expr::is_null).collect());
        let has_members = column(&count).gt(lit(0_i64));
        let (plan, unknown) = match names.as_slice() {
            [_] => (plan, column(&clean).lt(column(&count))),
            _ => {
                let own = columns(&members);
                let unclean = any_of(own.into_iter().map(Expr::is_null).collect());
                let unclean =
                    LogicalPlanBuilder::from(members).filter(unclean)?.distinct()?.build()?;
                // A value is neither equal to NULL nor different.
                let may_be = |name: &str, member: Expr| {
                    any_of(vec![column(name).eq(member.clone()), member.is_null()])
                };
                self.marked(plan, &unclean, &names, may_be)?
            }
        };
        let kept =
            kept.into_iter().chain([equal.clone(), unknown.clone()].into_iter().filter(is_column));
        let plan = LogicalPlanBuilder::from(plan)
            .project(kept.collect::<Vec<_>>())?
            .cross_join(counts)?
            .build()?;
        let open = all_of(vec![has_members.clone(), has_null.clone()]);
        let (plan, otherwise) = match values {
            [_] => (plan, null()),
            _ => {
                by_row(plan, vec![Expr::IsNotTrue(Box::new(equal.clone())), has_members, has_null])?
            }
        };
        let answer = when(
            vec![(equal, literals::boolean(!negated)), (open, otherwise), (unknown, null())],
            literals::boolean(negated),
        );
        Ok((plan, answer))
    }

    /// Marks the rows that have a partner among `members`: `pair` compares a key with a member's.
    fn marked(
        &mut self,
        plan: LogicalPlan,
        members: &LogicalPlan,
        keys: &[String],
        pair: impl Fn(&str, Expr) -> Expr,
    ) -> Result<(LogicalPlan, Expr)> {
        let (alias, mark) = (self.fresh(), self.fresh());
        let set = LogicalPlanBuilder::from(members.clone()).alias(alias.as_str())?.build()?;
        let pairs = keys.iter().zip(columns(&set)).map(|(key, member)| pair(key, member));
        let condition = all_of(pairs.collect());
        let mut all = columns(&plan);
        let joined = LogicalPlanBuilder::from(plan)
            .join_on(set, JoinType::LeftMark, [condition])?
            .build()?;
        let marked = columns(&joined).pop().expect("a mark");
        all.push(marked.alias(&mark));
        Ok((LogicalPlanBuilder::from(joined).project(all)?.build()?, column(&mark)))
    }
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_))
}

/// How many members there are, and how many without NULLs.
fn counts(members: &LogicalPlan, count: &str, clean: &str) -> Result<LogicalPlan> {
    let number = datafusion::functions_aggregate::count::count;
    let is_clean = all_of(columns(members).into_iter().map(Expr::is_not_null).collect());
    let none = Expr::Literal(ScalarValue::Int64(None), None);
    let clean_ones = when(vec![(is_clean, lit(1_i64))], none);
    Ok(LogicalPlanBuilder::from(members.clone())
        .aggregate(
            Vec::<Expr>::new(),
            vec![number(lit(1_i64)).alias(count), number(clean_ones).alias(clean)],
        )?
        .build()?)
}

/// Whether values of two types are compared as they are ordered by themselves.
fn in_one_order(left: PgType, right: PgType) -> bool {
    let is_number = |oid: Oid| is_integer(oid) || is_float(oid) || oid == Oid::NUMERIC;
    let is_text = |oid: Oid| oid == Oid::TEXT || oid == Oid::VARCHAR;
    let (left, right) = (left.oid, right.oid);
    left == right || is_number(left) && is_number(right) || is_text(left) && is_text(right)
}

fn is_integer(oid: Oid) -> bool {
    matches!(oid, Oid::INT2 | Oid::INT4 | Oid::INT8)
}

fn is_float(oid: Oid) -> bool {
    matches!(oid, Oid::FLOAT4 | Oid::FLOAT8)
}
