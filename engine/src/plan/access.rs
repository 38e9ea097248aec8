//! Ranges of keys that a condition leaves: what a scan goes straight to.

use std::{ops::Bound, sync::Arc};

use datafusion::{
    arrow::{array::ArrayRef, datatypes::DataType},
    common::{DFSchema, ScalarValue},
    logical_expr::{
        BinaryExpr, Expr, Operator,
        expr::{InList, ScalarFunction},
        utils::split_conjunction,
    },
    physical_expr::PhysicalExpr,
};
use kalamdb_storage::{Access, ColumnType, KeyRange, Layout};

use super::{is_fixed, one_row, physical_expression};
use crate::{catalog::Relation, error::Result, functions::sort_key, types::PgType};

/// Most ranges that lists of values are multiplied out to.
const MAX_RANGES: usize = 1024;

/// The ranges of the primary key or of an index that a scan reads.
#[derive(Clone, Debug)]
pub(crate) struct KeyRanges {
    pub(crate) access: Access,
    /// How many leading columns have one value in all ranges.
    pub(crate) fixed: usize,
    ranges: Vec<Range>,
    /// Of system relations: columns (attnum) that must equal a value.
    pub(crate) equal: Vec<(i16, Arc<dyn PhysicalExpr>)>,
}

#[derive(Clone, Debug)]
struct Range {
    prefix: Vec<Arc<dyn PhysicalExpr>>,
    lower: Bound<Arc<dyn PhysicalExpr>>,
    upper: Bound<Arc<dyn PhysicalExpr>>,
}

/// How many columns a range fixes, and whether it is bounded below and above.
pub(crate) type RangeShape = (usize, bool, bool);

impl KeyRanges {
    /// The ranges without their values; of a system relation, the columns that are compared.
    pub(crate) fn shapes(&self) -> Vec<RangeShape> {
        let is_bounded = |bound: &Bound<_>| !matches!(bound, Bound::Unbounded);
        let shape = |range: &Range| {
            (range.prefix.len(), is_bounded(&range.lower), is_bounded(&range.upper))
        };
        let equal = self.equal.iter().map(|(attnum, _)| (attnum.unsigned_abs().into(), true, true));
        self.ranges.iter().map(shape).chain(equal).collect()
    }

    /// All keys.
    fn all() -> Self {
        let everything =
            Range { prefix: Vec::new(), lower: Bound::Unbounded, upper: Bound::Unbounded };
        KeyRanges { access: Access::Primary, fixed: 0, ranges: vec![everything], equal: Vec::new() }
    }

    /// What a condition asks of a relation whose rows are made up.
    pub(crate) fn system(relation: &Relation, filters: &[Expr]) -> Self {
        let mut equal = Vec::new();
        for (attnum, constraint) in constraints(filters) {
            let Some((_, column)) = relation.live_columns().find(|(n, _)| *n == attnum) else {
                continue;
            };
            if let [value] = constraint.equal.as_slice()
                && let Ok(ty) = column.ty.arrow()
                && let Some(value) = compiled(value, &ty)
            {
                equal.push((attnum, value));
            }
        }
        KeyRanges { equal, ..KeyRanges::all() }
    }

    /// Whether every row is read.
    pub(crate) fn is_all(&self) -> bool {
        match self.ranges.as_slice() {
            [only] => {
                only.prefix.is_empty()
                    && matches!((&only.lower, &only.upper), (Bound::Unbounded, Bound::Unbounded))
            }
            _ => false,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// The ranges themselves in key order, without repetition.
    pub(crate) fn evaluate(&self, layout: &Layout) -> Result<Vec<KeyRange>> {
        let mut ranges = Vec::with_capacity(self.ranges.len());
        'next: for range in &self.ranges {
            let mut prefix: Vec<ArrayRef> = Vec::with_capacity(range.prefix.len());
            for value in &range.prefix {
                match evaluated(value)? {
                    Some(value) => prefix.push(value),
                    // Nothing equals NULL.
                    None => continue 'next,
                }
            }
            let mut bounds = [Bound::Unbounded, Bound::Unbounded];
            for (bound, slot) in [&range.lower, &range.upper].into_iter().zip(&mut bounds) {
                *slot = match bound {
                    Bound::Unbounded => Bound::Unbounded,
                    Bound::Included(value) | Bound::Excluded(value) => {
                        let Some(array) = evaluated(value)? else { continue 'next };
                        match bound {
                            Bound::Included(_) => Bound::Included(array),
                            _ => Bound::Excluded(array),
                        }
                    }
                };
            }
            let [lower, upper] = bounds;
            ranges.push(KeyRange::from_values(layout, self.access, &prefix, lower, upper)?);
        }
        let start = |range: &KeyRange| match &range.start {
            Bound::Included(bytes) | Bound::Excluded(bytes) => bytes.clone(),
            Bound::Unbounded => Default::default(),
        };
        ranges.sort_by_key(start);
        ranges.dedup_by(|a, b| start(a) == start(b));
        Ok(ranges)
    }
}

fn evaluated(value: &Arc<dyn PhysicalExpr>) -> Result<Option<ArrayRef>> {
    let array = value.evaluate(&one_row())?.into_array(1)?;
    Ok((array.null_count() == 0 && *array.data_type() != DataType::Null).then_some(array))
}

/// The columns that order the entries of a key, each with whether it is descending; none for a
/// hidden row id. Behind an index's own columns that is the row's key.
pub(crate) fn order_of_key(layout: &Layout, access: Access) -> Vec<(usize, bool)> {
    let key = layout.key.iter().map(|place| (*place, false));
    let Access::Index(index) = access else { return key.collect() };
    let Some(index) = layout.indexes.get(index) else { return Vec::new() };
    let own = index.columns.iter().copied().zip(index.descending.iter().copied());
    own.chain(key).collect()
}

/// Whether keys have the order of Arrow's values.
pub(crate) fn keeps_order(ty: &ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Bool
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::UInt32
            | ColumnType::Text
            | ColumnType::Binary
            | ColumnType::Uuid
            | ColumnType::Date
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::TimestampTz
    )
}

/// What a condition says about one column.
#[derive(Debug, Default)]
struct Constraint {
    /// It has one of these values.
    equal: Vec<Expr>,
    lower: Option<(Expr, bool)>,
    upper: Option<(Expr, bool)>,
}

/// Whether a condition helps to find rows by key.
pub(crate) fn restricts(relation: &Relation, filter: &Expr) -> bool {
    let found = constraints(std::slice::from_ref(filter));
    match &relation.layout {
        None => !found.is_empty(),
        Some(layout) => found.iter().any(|(attnum, _)| {
            let place = usize::try_from(*attnum - 1).unwrap_or(usize::MAX);
            layout.key.contains(&place)
                || layout.indexes.iter().any(|index| index.columns.contains(&place))
        }),
    }
}

/// The best ranges for a condition: of the primary key or of an index, whichever more of it
/// narrows.
pub(crate) fn key_ranges(relation: &Relation, filters: &[Expr]) -> Result<KeyRanges> {
    let Some(layout) = &relation.layout else { return Ok(KeyRanges::all()) };
    let constraints = constraints(filters);
    if constraints.is_empty() {
        return Ok(KeyRanges::all());
    }
    let primary = (Access::Primary, &layout.key, true);
    let secondary = layout
        .indexes
        .iter()
        .enumerate()
        .map(|(i, index)| (Access::Index(i), &index.columns, index.unique));
    let mut best = (0, KeyRanges::all());
    for (access, columns, unique) in std::iter::once(primary).chain(secondary) {
        let (score, ranges) = candidate(layout, access, columns, &constraints);
        let whole = unique && !columns.is_empty() && ranges.fixed == columns.len();
        let score = if whole { score + 1000 } else { score };
        if score > best.0 {
            best = (score, ranges);
        }
    }
    Ok(best.1)
}

/// The ranges of one key and how much they narrow.
fn candidate(
    layout: &Layout,
    access: Access,
    columns: &[usize],
    constraints: &[(i16, Constraint)],
) -> (usize, KeyRanges) {
    let mut ranges = KeyRanges { access, ..KeyRanges::all() };
    let mut score = 0;
    for (position, place) in columns.iter().enumerate() {
        let column = &layout.columns[*place];
        let found = constraints
            .iter()
            .find(|(attnum, _)| usize::try_from(*attnum - 1).is_ok_and(|p| p == *place));
        let Some((_, constraint)) = found else { break };
        let ty = column.ty.arrow();
        let values: Option<Vec<_>> =
            constraint.equal.iter().map(|value| compiled_for(value, &column.ty, &ty)).collect();
        let values = values.unwrap_or_default();
        if !values.is_empty() && ranges.ranges.len() * values.len() <= MAX_RANGES {
            if values.len() == 1 && ranges.fixed == position {
                ranges.fixed += 1;
            }
            score += if values.len() == 1 { 10 } else { 8 };
            ranges.ranges = ranges
                .ranges
                .iter()
                .flat_map(|range| {
                    values.iter().map(|value| {
                        let mut range = range.clone();
                        range.prefix.push(Arc::clone(value));
                        range
                    })
                })
                .collect();
            continue;
        }
        let bound = |side: &Option<(Expr, bool)>| match side {
            Some((value, inclusive)) => match compiled_for(value, &column.ty, &ty) {
                Some(value) if *inclusive => Bound::Included(value),
                Some(value) => Bound::Excluded(value),
                None => Bound::Unbounded,
            },
            None => Bound::Unbounded,
        };
        let (lower, upper) = (bound(&constraint.lower), bound(&constraint.upper));
        for side in [&lower, &upper] {
            score += if matches!(side, Bound::Unbounded) { 0 } else { 3 };
        }
        for range in &mut ranges.ranges {
            range.lower = lower.clone();
            range.upper = upper.clone();
        }
        break;
    }
    (score, ranges)
}

fn compiled_for(value: &Expr, column: &ColumnType, ty: &DataType) -> Option<Arc<dyn PhysicalExpr>> {
    if matches!(column, ColumnType::Numeric) {
        return compiled(&with_scale(value)?, ty);
    }
    compiled(value, ty)
}

/// A value compiled, if it is of the column's type.
fn compiled(value: &Expr, ty: &DataType) -> Option<Arc<dyn PhysicalExpr>> {
    let schema = DFSchema::empty();
    let physical = physical_expression(value, &schema).ok()?;
    let own = physical.data_type(schema.as_arrow()).ok()?;
    (own == *ty).then_some(physical)
}

/// A numeric out of its key: keys lack the display scale, which keys of rows don't have either.
fn with_scale(value: &Expr) -> Option<Expr> {
    match value {
        Expr::Literal(ScalarValue::Binary(Some(key)), _) => {
            let mut bytes = key.clone();
            bytes.extend([0, 0]);
            Some(Expr::Literal(ScalarValue::Binary(Some(bytes)), None))
        }
        other => numeric_key_argument(other).cloned(),
    }
}

/// The argument of a numeric's key function.
fn numeric_key_argument(expr: &Expr) -> Option<&Expr> {
    key_argument(expr, &[PgType::NUMERIC])
}

/// The argument, if an expression is the key of a value of one of these types.
fn key_argument<'e>(expr: &'e Expr, types: &[PgType]) -> Option<&'e Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let ours = types.iter().filter_map(|ty| sort_key(*ty)).any(|key| key == *func);
    match (ours, args.as_slice()) {
        (true, [argument]) => Some(argument),
        _ => None,
    }
}

/// What the conjunction of `filters` says about columns, by attribute number.
fn constraints(filters: &[Expr]) -> Vec<(i16, Constraint)> {
    let mut found: Vec<(i16, Constraint)> = Vec::new();
    for part in filters.iter().flat_map(split_conjunction) {
        let Some((attnum, test)) = test_of(part) else { continue };
        let index = match found.iter().position(|(known, _)| *known == attnum) {
            Some(index) => index,
            None => {
                found.push((attnum, Constraint::default()));
                found.len() - 1
            }
        };
        let constraint = &mut found[index].1;
        match test {
            Test::OneOf(values) => {
                if constraint.equal.is_empty() || values.len() < constraint.equal.len() {
                    constraint.equal = values;
                }
            }
            Test::Above(value, inclusive) => {
                constraint.lower.get_or_insert((value, inclusive));
            }
            Test::Below(value, inclusive) => {
                constraint.upper.get_or_insert((value, inclusive));
            }
        }
    }
    found
}

enum Test {
    OneOf(Vec<Expr>),
    Above(Expr, bool),
    Below(Expr, bool),
}

fn test_of(expr: &Expr) -> Option<(i16, Test)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            // A short IN list, as the optimiser writes it.
            let (Some((a, Test::OneOf(mut first))), Some((b, Test::OneOf(second)))) =
                (test_of(left), test_of(right))
            else {
                return None;
            };
            first.extend(second);
            (a == b).then_some((a, Test::OneOf(first)))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (attnum, value, op) = match (column(left), column(right)) {
                (Some(attnum), None) => (attnum, right, *op),
                (None, Some(attnum)) => (attnum, left, op.swap()?),
                _ => return None,
            };
            if !is_fixed(value) {
                return None;
            }
            let value = value.as_ref().clone();
            let test = match op {
                Operator::Eq => Test::OneOf(vec![value]),
                Operator::Gt => Test::Above(value, false),
                Operator::GtEq => Test::Above(value, true),
                Operator::Lt => Test::Below(value, false),
                Operator::LtEq => Test::Below(value, true),
                _ => return None,
            };
            Some((attnum, test))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let attnum = column(expr)?;
            let fixed = list.iter().all(is_fixed) && list.len() <= MAX_RANGES;
            fixed.then(|| (attnum, Test::OneOf(list.clone())))
        }
        _ => None,
    }
}

/// The attribute number of a column, or of the column whose key an expression is.
fn column(expr: &Expr) -> Option<i16> {
    let column = match expr {
        Expr::Column(column) => column,
        other => match key_argument(other, &[PgType::NUMERIC, PgType::FLOAT4, PgType::FLOAT8])? {
            Expr::Column(column) => column,
            _ => return None,
        },
    };
    column.name.strip_prefix('a')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn conditions_name_columns_and_values() {
        let filter = col("a1").eq(lit(1)).and(lit(5).gt(col("a2"))).and(col("a3").eq(col("a4")));
        let found = constraints(&[filter]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, 1);
        assert_eq!(found[0].1.equal, vec![lit(1)]);
        assert_eq!(found[1].1.upper, Some((lit(5), false)));
        let list = col("t1.a1").eq(lit(1)).or(col("t1.a1").eq(lit(2)));
        assert_eq!(constraints(&[list])[0].1.equal, vec![lit(1), lit(2)]);
    }
}
