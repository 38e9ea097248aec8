//! GROUP BY, aggregates and HAVING.

use std::ops::ControlFlow;

use datafusion::{
    common::{
        Column, ExprSchema,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Aggregate, Case, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, bitwise_and,
        bitwise_or, expr::AggregateFunction, utils::grouping_set_to_exprlist,
    },
    prelude::lit,
    scalar::ScalarValue,
    sql::sqlparser::ast::{self, Visit, Visitor},
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    lower::Below,
    names::{At, fold},
    raised::Raised,
    scope::{FromItem, Scope},
    subquery::{has_subquery, outer_references},
};
use crate::{
    error::{Error, Result},
    functions::{FunctionKind, registry},
    plan::lazy::may_fail,
};

/// Most grouping sets of one query.
const MAX_GROUPING_SETS: usize = 4096;

/// GROUP BY, bound: the expressions, and which of them each grouping set has.
pub(super) struct Grouping {
    pub(super) exprs: Vec<Typed>,
    sets: Vec<Vec<usize>>,
}

impl Grouping {
    fn is_simple(&self) -> bool {
        self.sets.len() == 1
    }
}

/// The parts of a SELECT that GROUP BY looks at.
pub(super) struct GroupContext<'s> {
    pub(super) select: &'s ast::Select,
    pub(super) from: &'s FromItem,
    /// For GROUP BY by name and position.
    pub(super) outputs: &'s [NamedOutput],
    /// What subqueries compute at this level.
    pub(super) raised: &'s Raised,
}

/// An output of a SELECT.
pub(super) struct NamedOutput {
    pub(super) name: String,
    pub(super) tree: ast::Expr,
    pub(super) typed: Typed,
}

impl Binder<'_> {
    /// Binds GROUP BY.
    pub(super) fn bind_grouping(
        &mut self,
        context: &GroupContext<'_>,
        scope: &Scope<'_>,
    ) -> Result<Grouping> {
        let list = match &context.select.group_by {
            ast::GroupByExpr::Expressions(list, modifiers) if modifiers.is_empty() => list,
            _ => return Err(Error::syntax_error_near("GROUP")),
        };
        let mut grouping = Grouping { exprs: Vec::new(), sets: vec![Vec::new()] };
        // `GROUP BY DISTINCT`: equal sets are one.
        let (is_distinct, list) = match list.split_first() {
            Some((first, rest)) if crate::statement::is_distinct_mark(first) => (true, rest),
            _ => (false, list.as_slice()),
        };
        for item in list {
            let alternatives = self.group_item(item, context, scope, &mut grouping.exprs)?;
            let mut sets = Vec::new();
            for set in &grouping.sets {
                for alternative in &alternatives {
                    let mut set = set.clone();
                    set.extend(alternative);
                    set.sort_unstable();
                    set.dedup();
                    sets.push(set);
                }
            }
            if sets.len() > MAX_GROUPING_SETS {
                return Err(Error::program_limit_exceeded(format!(
                    "too many grouping sets present (maximum {MAX_GROUPING_SETS})"
                )));
            }
            grouping.sets = sets;
        }
        if is_distinct {
            let mut seen = std::collections::HashSet::new();
            grouping.sets.retain(|set| seen.insert(set.clone()));
        }
        Ok(grouping)
    }

    /// The grouping sets that one item of GROUP BY stands for.
    fn group_item(
        &mut self,
        item: &ast::Expr,
        context: &GroupContext<'_>,
        scope: &Scope<'_>,
        known: &mut Vec<Typed>,
    ) -> Result<Vec<Vec<usize>>> {
        if let ast::Expr::GroupingSets(sets) = item {
            let mut all = Vec::with_capacity(sets.len());
            for set in sets {
                match set.as_slice() {
                    [inner] => {
                        let inner = nested_sets(inner);
                        let inner = inner.as_ref().unwrap_or(&set[0]);
                        all.extend(self.group_item(inner, context, scope, known)?);
                    }
                    list => {
                        let list = ast::Expr::Tuple(list.to_vec());
                        all.extend(self.group_item(&list, context, scope, known)?);
                    }
                }
            }
            return Ok(all);
        }
        let mut lists = |lists: &[Vec<ast::Expr>]| {
            lists
                .iter()
                .map(|list| {
                    let mut set = Vec::new();
                    for expr in list {
                        set.push(self.group_expression(expr, context, scope, known)?);
                    }
                    Ok(set)
                })
                .collect::<Result<Vec<Vec<usize>>>>()
        };
        match item {
            ast::Expr::Rollup(elements) => {
                let elements = lists(elements)?;
                Ok((0..=elements.len()).rev().map(|n| elements[..n].concat()).collect())
            }
            ast::Expr::Cube(elements) => {
                let elements = lists(elements)?;
                if elements.len() > 12 {
                    return Err(Error::program_limit_exceeded("CUBE is limited to 12 elements"));
                }
                let all = 1_usize << elements.len();
                Ok((0..all)
                    .rev()
                    .map(|mask| {
                        let chosen = elements
                            .iter()
                            .enumerate()
                            .filter(|(i, _)| mask & (1 << (elements.len() - 1 - i)) != 0);
                        chosen.flat_map(|(_, set)| set.iter().copied()).collect()
                    })
                    .collect())
            }
            ast::Expr::Tuple(members) => {
                Ok(vec![lists(std::slice::from_ref(members))?.pop().unwrap_or_default()])
            }
            other => Ok(vec![vec![self.group_expression(other, context, scope, known)?]]),
        }
    }

    /// One expression, which may be an output's position or name. Columns of FROM come before
    /// output names.
    fn group_expression(
        &mut self,
        expr: &ast::Expr,
        context: &GroupContext<'_>,
        scope: &Scope<'_>,
        known: &mut Vec<Typed>,
    ) -> Result<usize> {
        let place = self.places.start(expr);
        let mut output = None;
        if let Some(index) =
            super::select::position(expr, context.outputs.len(), "GROUP BY").at_place(place)?
        {
            output = Some(&context.outputs[index]);
        } else if let ast::Expr::Identifier(ident) = expr {
            let name = fold(ident);
            let is_column = context.from.columns.iter().any(|column| column.name == name);
            if !is_column {
                output = context.outputs.iter().find(|output| output.name == name);
            }
        }
        let meant = output.map_or(expr, |output| &output.tree);
        let mut typed = self.expression(meant, scope, Clause::GroupBy)?;
        if let Some(output) = output
            && has_subquery(&typed.expr)
        {
            // Analysed twice, a subquery isn't the same.
            typed = output.typed.clone();
        }
        let typed = self.resolve_unknown(typed)?;
        super::keys::check_groupable(typed.ty).at_place(place)?;
        if let Some(index) = known.iter().position(|other| other.expr == typed.expr) {
            return Ok(index);
        }
        known.push(typed);
        Ok(known.len() - 1)
    }

    /// Computes groups and aggregates; `exprs` are rewritten to what is above them.
    pub(super) fn place_groups(
        &mut self,
        plan: LogicalPlan,
        mut grouping: Grouping,
        exprs: Vec<Expr>,
        context: &GroupContext<'_>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        self.add_dependent_columns(&mut grouping, &exprs, context.from);
        let (mut aggregates, names): (Vec<Expr>, Vec<String>) =
            context.raised.aggregates().into_iter().unzip();
        for expr in &exprs {
            collect_aggregates(expr, &mut aggregates)?;
        }
        let count = grouping.exprs.len();
        let mut below: Vec<Expr> = grouping.exprs.iter().map(|typed| typed.expr.clone()).collect();
        below.extend(aggregates.iter().filter(|a| grouping_arguments(a).is_none()).cloned());
        let (plan, mut below) = self.place(plan, below, Below::Other)?;
        let computed = below.split_off(count);
        let (plan, computed) = self.order_columns(plan, computed)?;
        let mut lowered = computed.into_iter();
        let (plan, groups) = self.group_columns(plan, &grouping, below)?;
        let mut outputs: Vec<Expr> = Vec::new();
        let mut aggregate_columns: Vec<Expr> = Vec::new();
        let mut markers: Vec<(String, Vec<Expr>)> = Vec::new();
        let mut names = names.into_iter();
        for aggregate in &aggregates {
            let name = names.next().unwrap_or_else(|| self.fresh());
            match grouping_arguments(aggregate) {
                Some(arguments) => {
                    markers.push((name.clone(), grouping_keys(arguments, &grouping, &groups)?));
                }
                None => {
                    outputs.push(lowered.next().expect("as many as went in").alias(&name));
                }
            }
            aggregate_columns.push(Expr::Column(Column::new_unqualified(name)));
        }
        let mut computed = Vec::new();
        let group_outputs = self.group_outputs(&grouping, &groups, &mut outputs, &mut computed)?;
        let keys: Vec<Expr> = groups.iter().map(|group| group.key.clone()).collect();
        let group_exprs = match grouping.is_simple() {
            true => keys,
            false => vec![Expr::GroupingSet(GroupingSet::GroupingSets(
                grouping
                    .sets
                    .iter()
                    .map(|set| set.iter().map(|i| keys[*i].clone()).collect())
                    .collect(),
            ))],
        };
        let plan = match (group_exprs.is_empty(), outputs.is_empty()) {
            // HAVING alone makes one group of everything.
            (true, true) => LogicalPlanBuilder::empty(true).build()?,
            _ => LogicalPlanBuilder::from(plan).aggregate(group_exprs, outputs)?.build()?,
        };
        let plan = with_markers(plan, markers, computed)?;
        let mut replaced = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let expr = rewrite(expr, &grouping, &group_outputs, &aggregates, &aggregate_columns)?;
            self.check_grouped(&expr, &plan, context)?;
            replaced.push(expr);
        }
        Ok((plan, replaced))
    }

    /// Makes columns of what aggregates order their rows by: DataFusion sorts by what is computed of
    /// columns only, and may compute it more than once.
    fn order_columns(
        &mut self,
        plan: LogicalPlan,
        mut aggregates: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let mut added = Vec::new();
        for aggregate in &mut aggregates {
            let Expr::AggregateFunction(AggregateFunction { params, .. }) = aggregate else {
                continue;
            };
            for sort in &mut params.order_by {
                if matches!(sort.expr, Expr::Column(_) | Expr::Literal(..)) {
                    continue;
                }
                let name = self.fresh();
                let column = Expr::Column(Column::new_unqualified(&name));
                for argument in params.args.iter_mut().filter(|argument| **argument == sort.expr) {
                    *argument = column.clone();
                }
                let key = std::mem::replace(&mut sort.expr, column);
                let key = match &params.filter {
                    Some(filter) if may_fail(&key) => {
                        let pairs = vec![(filter.clone(), Box::new(key))];
                        Expr::Case(Case::new(None, pairs, None))
                    }
                    _ => key,
                };
                added.push(key.alias(name));
            }
        }
        Ok((with_columns(plan, added)?, aggregates))
    }

    /// What stands for each group expression above the aggregate. Values that aren't their own keys
    /// are outputs of the aggregate, or `computed` right above it.
    fn group_outputs(
        &mut self,
        grouping: &Grouping,
        groups: &[GroupColumn],
        outputs: &mut Vec<Expr>,
        computed: &mut Vec<Expr>,
    ) -> Result<Vec<Expr>> {
        let mut above = Vec::with_capacity(groups.len());
        for (typed, group) in grouping.exprs.iter().zip(groups) {
            let Some(value) = &group.value else {
                above.push(group.key.clone());
                continue;
            };
            let first = super::keys::first_value(value.clone());
            let column = match &typed.expr {
                Expr::Column(column) => column.clone(),
                _ => Column::new_unqualified(self.fresh()),
            };
            let (relation, name) = (column.relation.clone(), column.name.clone());
            match grouping.is_simple() {
                true => outputs.push(first.alias_qualified(relation, name)),
                false => {
                    // In sets without this expression it is NULL.
                    let any = self.fresh();
                    outputs.push(first.alias(&any));
                    let any = Expr::Column(Column::new_unqualified(any));
                    let value = null_with(&group.key, any, typed)?;
                    computed.push(value.alias_qualified(relation, name));
                }
            }
            above.push(Expr::Column(column));
        }
        Ok(above)
    }

    /// Makes every group expression a column; those with a key get one for it.
    fn group_columns(
        &mut self,
        plan: LogicalPlan,
        grouping: &Grouping,
        exprs: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<GroupColumn>)> {
        let mut columns = Vec::with_capacity(exprs.len());
        let mut added = Vec::new();
        for (typed, expr) in grouping.exprs.iter().zip(exprs) {
            let needs_key = super::keys::needs_key(typed.ty);
            if let (Expr::Column(_), false) = (&expr, needs_key) {
                columns.push(GroupColumn { key: expr, value: None });
                continue;
            }
            let mut add = |binder: &mut Self, expr: Expr| {
                let name = binder.fresh();
                added.push(expr.alias(&name));
                Expr::Column(Column::new_unqualified(name))
            };
            let value = match &expr {
                Expr::Column(_) => expr.clone(),
                _ => add(self, expr.clone()),
            };
            columns.push(match needs_key {
                true => GroupColumn {
                    key: add(self, super::keys::key(expr, typed.ty)?),
                    value: Some(value),
                },
                false => GroupColumn { key: value, value: None },
            });
        }
        Ok((with_columns(plan, added)?, columns))
    }

    /// Columns that a grouped primary key determines count as grouped.
    fn add_dependent_columns(&self, grouping: &mut Grouping, exprs: &[Expr], from: &FromItem) {
        let mut used: Vec<Column> = Vec::new();
        for expr in exprs {
            columns_outside_aggregates(expr, &mut used);
            used.extend(outer_references(expr));
        }
        let grouped = |grouping: &Grouping, expr: &Expr| {
            let place = grouping.exprs.iter().position(|typed| typed.expr == *expr);
            place.is_some_and(|place| grouping.sets.iter().all(|set| set.contains(&place)))
        };
        for column in used {
            let expr = Expr::Column(column.clone());
            if grouped(grouping, &expr) {
                continue;
            }
            let Some(table) = from.tables.iter().find(|table| {
                table.base.as_ref().is_some_and(|(_, qualifier)| {
                    column.relation.as_ref().is_some_and(|r| r.table() == qualifier)
                })
            }) else {
                continue;
            };
            let Some((relation, _)) = &table.base else { continue };
            let Some(key) = relation.primary_key() else { continue };
            let determined = key.columns.iter().all(|member| {
                table
                    .columns
                    .iter()
                    .find(|c| c.attnum == member.attnum)
                    .is_some_and(|c| grouped(grouping, &c.expr))
            });
            let found = table.columns.iter().find(|c| c.expr == expr);
            if let (true, Some(found)) = (determined, found) {
                let place = grouping.exprs.iter().position(|typed| typed.expr == expr);
                let place = place.unwrap_or_else(|| {
                    grouping.exprs.push(Typed::new(expr, found.ty));
                    grouping.exprs.len() - 1
                });
                for set in &mut grouping.sets {
                    if !set.contains(&place) {
                        set.push(place);
                    }
                }
            }
        }
    }

    /// 42803 for columns that are neither grouped nor inside an aggregate.
    fn check_grouped(
        &self,
        expr: &Expr,
        plan: &LogicalPlan,
        context: &GroupContext<'_>,
    ) -> Result<()> {
        let mut used = Vec::new();
        columns_outside_aggregates(expr, &mut used);
        let inner = used.len();
        used.extend(outer_references(expr));
        for (i, column) in used.iter().enumerate() {
            if plan.schema().has_column(column) {
                continue;
            }
            let wanted = Expr::Column(column.clone());
            let named = context.from.tables.iter().find_map(|table| {
                let found = table.columns.iter().find(|c| c.expr == wanted)?;
                Some((format!("{}.{}", table.alias, found.name), found.name.clone()))
            });
            let named = named.or_else(|| {
                let found = context.from.columns.iter().find(|c| c.expr == wanted)?;
                Some((found.name.clone(), found.name.clone()))
            });
            // Columns of queries further out are none of this level's business.
            let Some((qualified, name)) = named else { continue };
            if i >= inner {
                return Err(Error::grouping_error(format!(
                    "subquery uses ungrouped column \"{qualified}\" from outer query"
                )));
            }
            let place = ungrouped_place(context.select, &name).and_then(|s| self.places.span(s));
            return Err(Error::not_grouped(&qualified).at_place(place));
        }
        Ok(())
    }
}

/// `GROUPING(...)` on its way to the aggregate it belongs to.
pub(super) fn grouping_marker(arguments: Vec<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        datafusion::functions_aggregate::grouping::grouping_udaf(),
        arguments,
        false,
        None,
        Vec::new(),
        None,
    ))
}

/// The arguments, if an aggregate is GROUPING.
fn grouping_arguments(aggregate: &Expr) -> Option<&[Expr]> {
    match aggregate {
        Expr::AggregateFunction(call) if call.func.name() == "grouping" => Some(&call.params.args),
        _ => None,
    }
}

/// What rows are told apart by in the place of GROUPING's arguments.
fn grouping_keys(
    arguments: &[Expr],
    grouping: &Grouping,
    groups: &[GroupColumn],
) -> Result<Vec<Expr>> {
    let mut keys = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let index = grouping.exprs.iter().position(|typed| typed.expr == *argument);
        let index = index.ok_or_else(|| {
            Error::grouping_error(
                "arguments to GROUPING must be grouping expressions of the associated query level",
            )
        })?;
        keys.push(groups[index].key.clone());
    }
    Ok(keys)
}

/// Adds what is `computed` and a column for each GROUPING. What tells the grouping sets of an aggregate apart is its own
/// affair: nothing above knows that column.
fn with_markers(
    plan: LogicalPlan,
    markers: Vec<(String, Vec<Expr>)>,
    computed: Vec<Expr>,
) -> Result<LogicalPlan> {
    let sets = match &plan {
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.as_slice() {
            sets @ [Expr::GroupingSet(_)] => grouping_set_to_exprlist(sets)?,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let id = Column::new_unqualified(Aggregate::INTERNAL_GROUPING_ID);
    let keys: Vec<Expr> = sets.into_iter().cloned().collect();
    if keys.is_empty() && markers.is_empty() && !plan.schema().has_column(&id) {
        return Ok(plan);
    }
    let columns = plan.schema().columns().into_iter().filter(|column| *column != id);
    let mut exprs: Vec<Expr> = columns.map(Expr::Column).chain(computed).collect();
    for (name, arguments) in markers {
        exprs.push(grouping_value(&arguments, &keys, &id, &plan)?.alias(name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}

/// GROUPING of some keys: the last argument is the lowest bit, and a bit is set in the rows of sets
/// without that key. `id` has a bit for each of `keys`, the lowest for the last, as DataFusion
/// numbers the sets.
fn grouping_value(
    arguments: &[Expr],
    keys: &[Expr],
    id: &Column,
    plan: &LogicalPlan,
) -> Result<Expr> {
    let mut value = lit(0_i32);
    for (place, argument) in arguments.iter().rev().enumerate() {
        let Some(key) = keys.iter().rev().position(|key| key == argument) else { continue };
        let ty = plan.schema().field_from_column(id)?.data_type();
        let literal = |value: u64| -> Result<Expr> {
            Ok(Expr::Literal(ScalarValue::from(value).cast_to(ty)?, None))
        };
        let bit = bitwise_and(Expr::Column(id.clone()), literal(1 << key)?);
        let pairs = vec![(Box::new(bit.eq(literal(0)?)), Box::new(lit(0_i32)))];
        let weight = Expr::Case(Case::new(None, pairs, Some(Box::new(lit(1_i32 << place)))));
        value = match place {
            0 => weight,
            _ => bitwise_or(value, weight),
        };
    }
    Ok(value)
}

/// A plan with further columns.
pub(super) fn with_columns(plan: LogicalPlan, added: Vec<Expr>) -> Result<LogicalPlan> {
    if added.is_empty() {
        return Ok(plan);
    }
    let mut all: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    all.extend(added);
    Ok(LogicalPlanBuilder::from(plan).project(all)?.build()?)
}

/// A group expression as columns of the aggregate's input.
struct GroupColumn {
    /// What rows are told apart by.
    key: Expr,
    /// The value, where the key is something else.
    value: Option<Expr>,
}

/// `CASE WHEN key IS NOT NULL THEN value END`
fn null_with(key: &Expr, value: Expr, typed: &Typed) -> Result<Expr> {
    let null = Expr::Literal(ScalarValue::try_from(&typed.ty.arrow()?)?, None);
    let pairs = vec![(Box::new(key.clone().is_not_null()), Box::new(value))];
    Ok(Expr::Case(Case::new(None, pairs, Some(Box::new(null)))))
}

/// Whether an aggregate of this level is inside.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    let mut found = Vec::new();
    collect_aggregates(expr, &mut found).is_ok() && !found.is_empty()
}

fn collect_aggregates(expr: &Expr, found: &mut Vec<Expr>) -> Result<()> {
    expr.apply(|node| {
        Ok(match node {
            Expr::AggregateFunction(_) => {
                if !found.contains(node) {
                    found.push(node.clone());
                }
                TreeNodeRecursion::Jump
            }
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(())
}

fn columns_outside_aggregates(expr: &Expr, columns: &mut Vec<Column>) {
    let walked = expr.apply(|node| {
        Ok(match node {
            Expr::AggregateFunction(_) => TreeNodeRecursion::Jump,
            Expr::Column(column) => {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
                TreeNodeRecursion::Continue
            }
            _ => TreeNodeRecursion::Continue,
        })
    });
    debug_assert!(walked.is_ok(), "collecting columns doesn't fail");
}

fn rewrite(
    expr: Expr,
    grouping: &Grouping,
    group_outputs: &[Expr],
    aggregates: &[Expr],
    aggregate_columns: &[Expr],
) -> Result<Expr> {
    Ok(expr
        .transform_down(|node| {
            if let Some(i) = grouping.exprs.iter().position(|typed| typed.expr == node) {
                let jump = TreeNodeRecursion::Jump;
                return Ok(Transformed::new(group_outputs[i].clone(), true, jump));
            }
            if let Some(i) = aggregates.iter().position(|aggregate| *aggregate == node) {
                let jump = TreeNodeRecursion::Jump;
                return Ok(Transformed::new(aggregate_columns[i].clone(), true, jump));
            }
            Ok(Transformed::no(node))
        })?
        .data)
}

/// Where a column's name stands outside of aggregates.
fn ungrouped_place(
    select: &ast::Select,
    name: &str,
) -> Option<datafusion::sql::sqlparser::tokenizer::Span> {
    struct Finder<'n> {
        name: &'n str,
        inside: usize,
        found: Option<datafusion::sql::sqlparser::tokenizer::Span>,
    }
    fn is_aggregate(expr: &ast::Expr) -> bool {
        let ast::Expr::Function(function) = expr else { return false };
        let name = function.name.0.last().and_then(|part| part.as_ident()).map(fold);
        function.over.is_none()
            && name.is_some_and(|name| {
                registry().functions_named(&name).any(|f| f.kind == FunctionKind::Aggregate)
            })
    }
    impl Visitor for Finder<'_> {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
            if is_aggregate(expr) {
                self.inside += 1;
            }
            let span = match expr {
                ast::Expr::Identifier(ident) if fold(ident) == self.name => Some(ident.span),
                ast::Expr::CompoundIdentifier(parts)
                    if parts.last().is_some_and(|part| fold(part) == self.name) =>
                {
                    parts.first().map(|part| part.span)
                }
                _ => None,
            };
            if self.inside == 0 && span.is_some() {
                self.found = span;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
        fn post_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
            if is_aggregate(expr) {
                self.inside -= 1;
            }
            ControlFlow::Continue(())
        }
    }
    let mut finder = Finder { name, inside: 0, found: None };
    if select.projection.visit(&mut finder).is_continue()
        && select.having.visit(&mut finder).is_continue()
    {
        return None;
    }
    finder.found
}

/// `ROLLUP (a, (b, c))` or `CUBE (...)` inside GROUPING SETS, which the parser takes for a call.
fn nested_sets(item: &ast::Expr) -> Option<ast::Expr> {
    let ast::Expr::Function(function) = item else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    let elements = list.args.iter().map(|arg| match arg {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Tuple(members))) => {
            Some(members.clone())
        }
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(element)) => {
            Some(vec![element.clone()])
        }
        _ => None,
    });
    let elements: Vec<Vec<ast::Expr>> = elements.collect::<Option<_>>()?;
    match (name.quote_style, name.value.to_ascii_lowercase().as_str()) {
        (None, "rollup") => Some(ast::Expr::Rollup(elements)),
        (None, "cube") => Some(ast::Expr::Cube(elements)),
        _ => None,
    }
}
