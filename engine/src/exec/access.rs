//! Keys that a condition fixes: what the short path goes straight to.

use std::{ops::Bound, sync::Arc};

use arrow::array::ArrayRef;
use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Operator, SortExpr, utils::split_conjunction},
};
use kalamdb_storage::{Access, Key, KeyRange, Layout};

use crate::{
    catalog::Relation,
    context::ExecutionContext,
    error::Result,
    exec::evaluate::Evaluator,
    plan::access::{keeps_order, order_of_key},
    types::PgType,
};

/// `column = value` for the leading columns of the primary key or an index, and bounds of the next.
#[derive(Debug)]
pub(crate) struct KeyAccess {
    pub(crate) access: Access,
    /// Values of the leading columns, in order.
    values: Evaluator,
    /// Of the column behind them.
    lower: Option<Limit>,
    upper: Option<Limit>,
    /// How many columns are fixed, of how many.
    pub(crate) fixed: usize,
    pub(crate) width: usize,
    /// At most one row has these values.
    pub(crate) unique: bool,
    /// The condition says no more than that the key has these values.
    pub(crate) is_whole_condition: bool,
    /// The order that was asked for is that of the key, read backwards.
    pub(crate) reverse: bool,
}

/// One end of a range of values.
#[derive(Debug)]
struct Limit {
    value: Evaluator,
    inclusive: bool,
}

/// A key as a candidate.
struct Candidate<'e> {
    access: Access,
    values: Vec<&'e Expr>,
    lower: Option<&'e Comparison<'e>>,
    upper: Option<&'e Comparison<'e>>,
    width: usize,
    unique: bool,
    /// Whether it is to be read backwards for the order asked for; `None`: it has another order.
    reverse: Option<bool>,
}

impl Candidate<'_> {
    /// How much of the condition it uses.
    fn narrows(&self) -> usize {
        2 * self.values.len()
            + usize::from(self.lower.is_some())
            + usize::from(self.upper.is_some())
    }
}

impl KeyAccess {
    /// The whole primary key.
    pub(crate) fn point(
        relation: &Relation,
        filter: Option<&Expr>,
        parameters: &[PgType],
    ) -> Result<Option<Self>> {
        let found = Self::find(relation, filter, parameters)?;
        Ok(found.filter(|access| access.access == Access::Primary && access.fixed == access.width))
    }

    /// The best of primary key and indexes: a whole unique key, else what narrows most.
    pub(crate) fn find(
        relation: &Relation,
        filter: Option<&Expr>,
        parameters: &[PgType],
    ) -> Result<Option<Self>> {
        Self::ordered(relation, filter, &[], false, parameters)
    }

    /// As [`KeyAccess::find`], for rows in an order; without a condition as well where only `few`
    /// of them are wanted. `None`: no key narrows them in this order, or another one narrows more.
    pub(crate) fn ordered(
        relation: &Relation,
        filter: Option<&Expr>,
        order: &[SortExpr],
        few: bool,
        parameters: &[PgType],
    ) -> Result<Option<Self>> {
        let Some(layout) = &relation.layout else { return Ok(None) };
        let conditions = filter.map(split_conjunction).unwrap_or_default();
        let comparisons: Vec<Comparison<'_>> =
            conditions.iter().filter_map(|part| Comparison::of(part)).collect();
        let accesses =
            std::iter::once(Access::Primary).chain((0..layout.indexes.len()).map(Access::Index));
        let mut best: Option<Candidate<'_>> = None;
        let mut most = 0;
        for access in accesses {
            let candidate = candidate(layout, access, &comparisons, order);
            if candidate.unique {
                best = Some(candidate);
                break;
            }
            most = most.max(candidate.narrows());
            let is_better = best.as_ref().is_none_or(|best| candidate.narrows() > best.narrows());
            if candidate.reverse.is_some() && is_better {
                best = Some(candidate);
            }
        }
        let Some(best) = best.filter(|best| best.unique || best.narrows() == most) else {
            return Ok(None);
        };
        let is_worth_it = match few {
            false => !best.values.is_empty(),
            true => best.narrows() > 0 || !order.is_empty(),
        };
        if !is_worth_it {
            return Ok(None);
        }
        let limit = |comparison: Option<&Comparison<'_>>| -> Result<Option<Limit>> {
            let Some(Comparison { op, value, .. }) = comparison else { return Ok(None) };
            let value = Evaluator::new(std::slice::from_ref(*value), &[], parameters)?;
            let inclusive = matches!(op, Operator::GtEq | Operator::LtEq);
            Ok(Some(Limit { value, inclusive }))
        };
        let exprs: Vec<Expr> = best.values.iter().map(|value| (*value).clone()).collect();
        let used = [best.lower, best.upper].into_iter().flatten().count() + exprs.len();
        Ok(Some(KeyAccess {
            access: best.access,
            values: Evaluator::new(&exprs, &[], parameters)?,
            lower: limit(best.lower)?,
            upper: limit(best.upper)?,
            fixed: exprs.len(),
            width: best.width,
            unique: best.unique,
            is_whole_condition: used == conditions.len(),
            reverse: best.reverse.unwrap_or(false),
        }))
    }

    fn values(
        &self,
        context: &Arc<ExecutionContext>,
        parameters: &[ScalarValue],
    ) -> Result<Option<Vec<ArrayRef>>> {
        let values = self.values.evaluate(context, &[], 1, parameters)?;
        // Nothing equals NULL.
        Ok(values.iter().all(|value| value.null_count() == 0).then_some(values))
    }

    /// The range of keys; `None` if no key can match.
    pub(crate) fn range(
        &self,
        context: &Arc<ExecutionContext>,
        layout: &Layout,
        parameters: &[ScalarValue],
    ) -> Result<Option<KeyRange>> {
        let Some(values) = self.values(context, parameters)? else { return Ok(None) };
        let mut ends = [Bound::Unbounded, Bound::Unbounded];
        for (limit, end) in [&self.lower, &self.upper].into_iter().zip(&mut ends) {
            let Some(Limit { value, inclusive }) = limit else { continue };
            let value = value.evaluate(context, &[], 1, parameters)?.swap_remove(0);
            // Nothing is more or less than NULL.
            if value.null_count() > 0 {
                return Ok(None);
            }
            *end = if *inclusive { Bound::Included(value) } else { Bound::Excluded(value) };
        }
        let [lower, upper] = ends;
        Ok(Some(KeyRange::from_values(layout, self.access, &values, lower, upper)?))
    }

    /// The keys themselves, where the whole primary key is fixed.
    pub(crate) fn keys(
        &self,
        context: &Arc<ExecutionContext>,
        layout: &Layout,
        parameters: &[ScalarValue],
    ) -> Result<Vec<Key>> {
        let Some(range) = self.range(context, layout, parameters)? else { return Ok(Vec::new()) };
        Ok(match range.start {
            Bound::Included(bytes) => vec![Key::from_bytes(bytes)],
            Bound::Excluded(_) | Bound::Unbounded => Vec::new(),
        })
    }
}

/// What a key has to do with a condition and an order.
fn candidate<'e>(
    layout: &Layout,
    access: Access,
    comparisons: &'e [Comparison<'e>],
    order: &[SortExpr],
) -> Candidate<'e> {
    let (columns, is_unique) = match access {
        Access::Primary => (&layout.key, true),
        Access::Index(place) => (&layout.indexes[place].columns, layout.indexes[place].unique),
    };
    let find = |place: usize, wanted: &[Operator]| {
        let name = format!("a{}", place + 1);
        comparisons.iter().find(|c| c.column == name && wanted.contains(&c.op))
    };
    let values: Vec<&Expr> = columns
        .iter()
        .map_while(|place| find(*place, &[Operator::Eq]).map(|comparison| comparison.value))
        .collect();
    let next = columns.get(values.len());
    let bound = |wanted: &[Operator]| next.and_then(|place| find(*place, wanted));
    Candidate {
        access,
        lower: bound(&[Operator::Gt, Operator::GtEq]),
        upper: bound(&[Operator::Lt, Operator::LtEq]),
        width: columns.len(),
        unique: is_unique && !columns.is_empty() && values.len() == columns.len(),
        reverse: direction(layout, access, values.len(), order),
        values,
    }
}

/// Whether rows come in an order when a key, the first columns of which are `fixed`, is read
/// forwards (`false`) or backwards (`true`).
fn direction(layout: &Layout, access: Access, fixed: usize, order: &[SortExpr]) -> Option<bool> {
    let columns = order_of_key(layout, access);
    let fixed_places: Vec<usize> = columns[..fixed].iter().map(|(place, _)| *place).collect();
    let mut rest = columns[fixed..].iter();
    let mut direction = None;
    for item in order {
        let Expr::Column(column) = &item.expr else { return None };
        let place = column.name.strip_prefix('a')?.parse::<usize>().ok()?.checked_sub(1)?;
        // One value in all rows: any order is right.
        if fixed_places.contains(&place) {
            continue;
        }
        // Rows that agree in all of the key are one row.
        let Some((own, descending)) = rest.next() else {
            if layout.key.is_empty() {
                return None;
            }
            break;
        };
        let column = &layout.columns[place];
        let is_order = *own == place && keeps_order(&column.ty);
        // NULLs end an ascending key and begin a descending one.
        let nulls_fit = !column.nullable || item.nulls_first != item.asc;
        let reverse = *descending == item.asc;
        if !is_order || !nulls_fit || direction.is_some_and(|chosen| chosen != reverse) {
            return None;
        }
        direction = Some(reverse);
    }
    Some(direction.unwrap_or(false))
}

/// A comparison of a column with a value that is without columns and not volatile.
struct Comparison<'e> {
    column: &'e str,
    op: Operator,
    value: &'e Expr,
}

impl<'e> Comparison<'e> {
    fn of(expr: &'e Expr) -> Option<Self> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
        let (column, op, value) = match (&**left, &**right) {
            (Expr::Column(column), value) => (column, *op, value),
            (value, Expr::Column(column)) => (column, op.swap()?, value),
            _ => return None,
        };
        is_fixed(value).then_some(Comparison { column: &column.name, op, value })
    }
}

fn is_fixed(value: &Expr) -> bool {
    value.column_refs().is_empty() && !value.is_volatile()
}
