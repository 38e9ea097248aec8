//! The themes: each makes cases of its kind.

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::tree::{Node, Role};

mod changes;
mod ctes;
mod grouping;
mod joins;
mod keys;
mod ordering;
mod predicates;
mod resolution;
mod scalars;
mod sets;
mod state;
mod subqueries;
mod views;
mod windows;

/// Makes one case.
pub(crate) type Theme = fn(&mut Generator) -> Case;

/// By the names that `--only` takes.
pub(crate) const ALL: &[(&str, Theme)] = &[
    ("scalars", scalars::case),
    ("joins", joins::case),
    ("subqueries", subqueries::case),
    ("grouping", grouping::case),
    ("windows", windows::case),
    ("sets", sets::case),
    ("ctes", ctes::case),
    ("ordering", ordering::case),
    ("changes", changes::case),
    ("state", state::case),
    ("keys", keys::case),
    ("resolution", resolution::case),
    ("predicates", predicates::case),
    ("views", views::case),
];

impl Generator {
    /// A query with `columns` columns named `c0` and so on as a case: as it is, in an order, or the
    /// first rows in a total order.
    fn finish(&mut self, query: Node, columns: usize) -> Case {
        let key = |g: &mut Generator, i: usize| {
            let name = format!("c{i}");
            crate::sql![name.clone(), g.direction()].part(Role::SortKey(name))
        };
        let node = match self.below(6) {
            0 => {
                let keys = (0..columns).map(|i| key(self, i)).collect();
                let limit = self.limit();
                crate::sql![query, crate::sql![" ORDER BY ", Node::all_of(keys), limit].optional()]
            }
            1 | 2 => {
                let count = 1 + self.below(columns);
                let first = self.below(columns);
                let keys = (0..count).map(|i| key(self, (first + i) % columns)).collect();
                crate::sql![query, crate::sql![" ORDER BY ", Node::commas(keys)].optional()]
            }
            _ => query,
        };
        Case::query(node, Strictness::Equal)
    }
}
