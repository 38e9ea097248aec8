//! UNION, INTERSECT and EXCEPT, nested and beside each other.

use crate::case::Case;
use crate::expressions::Generator;
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::Type;

/// A set operation, by itself or in FROM.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.15));
    let types = g.some_types(3);
    let depth = 1 + u32::from(g.chance(0.3));
    let set = operation(g, &types, depth);
    if g.chance(0.6) {
        return g.finish(set, types.len());
    }
    let alias = g.alias();
    let relation = crate::scope::Relation::of_query(&types, &alias);
    let scope = crate::scope::Scope { relations: vec![relation], outer: None };
    let shown = g.some_types(2);
    let items = g.items(&shown, &scope, 1);
    let filter = g.filter(&scope, 2);
    let query = sql!["SELECT ", items, " FROM (", set, ") ", alias, filter];
    g.finish(query.part(Role::Query(shown.clone())), shown.len())
}

fn operation(g: &mut Generator, types: &[Type], depth: u32) -> Node {
    let operator = g.set_operator();
    let (a, b) = (side(g, types, depth), side(g, types, depth));
    sql![a, operator, b].part(Role::Query(types.to_vec()))
}

fn side(g: &mut Generator, types: &[Type], depth: u32) -> Node {
    match g.below(8) {
        0..3 if depth > 0 => sql!["(", operation(g, types, depth - 1), ")"],
        3 if depth > 0 => operation(g, types, depth - 1),
        4 => sql!["(", g.limited(types, None, 1), ")"],
        5 => g.grouped(types, None, 1),
        6 => {
            let row: Vec<Node> = types
                .iter()
                .enumerate()
                .map(|(i, ty)| sql![g.constant(*ty), format!(" AS c{i}")])
                .collect();
            sql!["SELECT ", Node::commas(row)]
        }
        _ => g.select(types, None, 1),
    }
    .part(Role::Query(types.to_vec()))
}
