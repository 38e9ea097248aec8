//! Aggregates that stand in a subquery and belong to a query around it.
//!
//! An aggregate is computed at the innermost level that it takes columns from, as PostgreSQL has it:
//! in `SELECT (SELECT max(y.a) FROM y WHERE y.b > min(x.b)) FROM x` the minimum is one of the query
//! over x, which is grouped by that, and inside of the subquery a column of the row around it.

use std::cell::{Cell, RefCell};

use datafusion::{
    common::{
        Column,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::Expr,
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    names::At,
    scope::{Scope, outer},
    subquery::outer_references,
};
use crate::{
    error::{Error, Result},
    types::PgType,
};

/// What the subqueries of one level compute there.
#[derive(Debug)]
pub(super) struct Raised {
    /// The clause of this level that is being analysed.
    pub(super) clause: Cell<Clause>,
    aggregates: RefCell<Vec<RaisedAggregate>>,
}

#[derive(Debug)]
struct RaisedAggregate {
    aggregate: Expr,
    /// The name of its column.
    name: String,
    place: Option<u32>,
}

impl Raised {
    /// Nothing yet, and the first clause that is analysed.
    pub(super) fn of(clause: Clause) -> Self {
        Raised { clause: Cell::new(clause), aggregates: RefCell::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.aggregates.borrow().is_empty()
    }

    pub(super) fn has(&self, column: &Column) -> bool {
        self.place(column).is_some()
    }

    /// Where the aggregate of a column stands.
    fn place(&self, column: &Column) -> Option<Option<u32>> {
        let aggregates = self.aggregates.borrow();
        let is_it =
            |known: &&RaisedAggregate| column.relation.is_none() && known.name == column.name;
        aggregates.iter().find(is_it).map(|known| known.place)
    }

    /// The aggregates with the names of their columns.
    pub(super) fn aggregates(&self) -> Vec<(Expr, String)> {
        let aggregates = self.aggregates.borrow();
        aggregates.iter().map(|known| (known.aggregate.clone(), known.name.clone())).collect()
    }
}

impl Binder<'_> {
    /// An aggregate (or GROUPING) in its place: here, or as the column that an outer query makes of
    /// it.
    ///
    /// # Errors
    /// 42803 where its level has none at this place.
    pub(super) fn at_its_level(
        &mut self,
        aggregate: Expr,
        ty: PgType,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Typed> {
        let used = columns(&aggregate)?;
        let level_of = |column: &Column| scope.levels().position(|level| level.owns(column));
        let level = used.iter().filter_map(level_of).min().unwrap_or_default();
        let Some(target) = scope.levels().nth(level) else {
            return Err(Error::internal("an aggregate of no level"));
        };
        if let Some(inner) = used.iter().find_map(|column| target.raised?.place(column)) {
            let message = "aggregate function calls cannot be nested";
            return Err(Error::grouping_error(message).at_place(inner));
        }
        let refusal = match (level, target.raised) {
            (0, _) => clause.refuses_aggregates(),
            (_, Some(raised)) => raised.clause.get().refuses_aggregates(),
            (_, None) => Some(
                "aggregate functions are not allowed in FROM clause of their own query level"
                    .to_owned(),
            ),
        };
        if let Some(message) = refusal {
            return Err(Error::grouping_error(message).at_place(place));
        }
        let Some(raised) = target.raised.filter(|_| level > 0) else {
            return Ok(Typed::new(aggregate, ty));
        };
        let own = aggregate.transform(|node| {
            Ok(match node {
                Expr::OuterReferenceColumn(_, column) if target.owns(&column) => {
                    Transformed::yes(Expr::Column(column))
                }
                other => Transformed::no(other),
            })
        })?;
        let mut aggregates = raised.aggregates.borrow_mut();
        let name = match aggregates.iter().find(|known| known.aggregate == own.data) {
            Some(known) => known.name.clone(),
            None => {
                let name = self.fresh();
                aggregates.push(RaisedAggregate { aggregate: own.data, name: name.clone(), place });
                name
            }
        };
        Ok(Typed::new(outer(Expr::Column(Column::new_unqualified(name)), ty)?, ty))
    }
}

/// The columns that an expression takes from its own level and from those around it, by itself and
/// in subqueries.
fn columns(expr: &Expr) -> Result<Vec<Column>> {
    let mut found = outer_references(expr);
    expr.apply(|node| {
        if let Expr::Column(column) | Expr::OuterReferenceColumn(_, column) = node {
            found.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
