//! Keys that a condition fixes: what the short path goes straight to.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Operator, utils::split_conjunction},
};
use kalamdb_storage::{Access, Key, KeyRange, Layout};

use crate::{
    catalog::Relation, context::ExecutionContext, error::Result, exec::evaluate::Evaluator,
    types::PgType,
};

/// `column = value` for the leading columns of the primary key or an index.
#[derive(Debug)]
pub(crate) struct KeyAccess {
    pub(crate) access: Access,
    /// Values of the leading columns, in order.
    values: Evaluator,
    /// How many columns are fixed, of how many.
    pub(crate) fixed: usize,
    pub(crate) width: usize,
    /// At most one row has these values.
    pub(crate) unique: bool,
    /// The condition says no more than that the key has these values.
    pub(crate) is_whole_condition: bool,
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

    /// The best of primary key and indexes: a whole unique key, else the most columns.
    pub(crate) fn find(
        relation: &Relation,
        filter: Option<&Expr>,
        parameters: &[PgType],
    ) -> Result<Option<Self>> {
        let (Some(filter), Some(layout)) = (filter, &relation.layout) else { return Ok(None) };
        let equalities = equalities(filter);
        if equalities.is_empty() {
            return Ok(None);
        }
        let mut best: Option<(Access, Vec<Expr>, usize, bool)> = None;
        let primary = (Access::Primary, &layout.key, true);
        let secondary = layout
            .indexes
            .iter()
            .enumerate()
            .map(|(i, index)| (Access::Index(i), &index.columns, index.unique));
        for (access, columns, unique) in std::iter::once(primary).chain(secondary) {
            let values: Vec<Expr> = columns
                .iter()
                .map_while(|column| {
                    let name = format!("a{}", column + 1);
                    equalities.iter().find(|(c, _)| **c == name).map(|(_, v)| (*v).clone())
                })
                .collect();
            let whole = unique && values.len() == columns.len() && !columns.is_empty();
            let better = match &best {
                None => !values.is_empty(),
                Some((_, chosen, _, is_whole)) => {
                    !is_whole && (whole || values.len() > chosen.len())
                }
            };
            if better {
                best = Some((access, values, columns.len(), whole));
            }
        }
        let Some((access, exprs, width, unique)) = best else { return Ok(None) };
        let values = Evaluator::new(&exprs, &[], parameters)?;
        let is_whole_condition = split_conjunction(filter).len() == exprs.len();
        let fixed = exprs.len();
        Ok(Some(KeyAccess { access, values, fixed, width, unique, is_whole_condition }))
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
        use std::ops::Bound::Unbounded;
        let Some(values) = self.values(context, parameters)? else { return Ok(None) };
        Ok(Some(KeyRange::from_values(layout, self.access, &values, Unbounded, Unbounded)?))
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
            std::ops::Bound::Included(bytes) => vec![Key::from_bytes(bytes)],
            std::ops::Bound::Excluded(_) | std::ops::Bound::Unbounded => Vec::new(),
        })
    }
}

/// The `column = value` parts of a conjunction, the values without columns and not volatile.
fn equalities(filter: &Expr) -> Vec<(&str, &Expr)> {
    split_conjunction(filter)
        .into_iter()
        .filter_map(|part| match part {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                match (&**left, &**right) {
                    (Expr::Column(column), value) if is_fixed(value) => {
                        Some((&*column.name, value))
                    }
                    (value, Expr::Column(column)) if is_fixed(value) => {
                        Some((&*column.name, value))
                    }
                    _ => None,
                }
            }
            _ => None,
        })
        .collect()
}

fn is_fixed(value: &Expr) -> bool {
    value.column_refs().is_empty() && !value.is_volatile()
}
