//! Joins of every kind, nested, lateral, and over derived tables with constants.

use crate::case::Case;
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::Scope;
use crate::sql;
use crate::tree::{Node, Role};

/// SELECT over up to four relations.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.15));
    let joins = 2 + g.below(3);
    let depth = 1 + u32::from(g.chance(0.3));
    let (from, relations) = g.from(None, From { joins, depth, outer: true });
    let scope = Scope { relations, outer: None };
    let types = g.some_types(4);
    let items = if g.chance(0.2) { plain(g, &types, &scope) } else { g.items(&types, &scope, 1) };
    let filter = g.filter(&scope, 2);
    let query = sql!["SELECT ", items, " FROM ", from, filter];
    g.finish(query.part(Role::Query(types.clone())), types.len())
}

/// Columns as they are, which leaves most to the planner.
fn plain(g: &mut Generator, types: &[crate::types::Type], scope: &Scope) -> Node {
    let list = types.iter().enumerate();
    Node::commas(list.map(|(i, ty)| sql![g.leaf(*ty, scope), format!(" AS c{i}")]).collect())
}
