//! Expressions of every type over one row or a few, errors included.

use rand::Rng;

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::types;

/// A list of expressions over a table.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.risky = g.chance(0.7);
    let table = g.table();
    let alias = g.alias();
    let scope = Scope { relations: vec![Relation::of_table(table, &alias)], outer: None };
    // One expression fails for all: so few, and mostly for one row.
    let types: Vec<_> = (0..=g.below(3)).map(|_| g.pick(types::ALL)).collect();
    let depth = g.rng.random_range(1..4);
    let items = g.items(&types, &scope, depth);
    let filter = if table.id.is_some() && g.chance(0.8) {
        let id = g.rng.random_range(1..20);
        sql![format!(" WHERE {alias}.id = {id}")].optional()
    } else {
        sql![""]
    };
    let node = sql!["SELECT ", items, format!(" FROM {} {alias}", table.name), filter];
    Case::query(node, Strictness::Exact)
}
