//! ORDER BY expressions, LIMIT, OFFSET and DISTINCT ON.
//!
//! The order is total by the key of what FROM has, so that every answer has one order.

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Column, Scope};
use crate::sql;
use crate::tree::{Node, Role};

/// The first rows of an order.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.15));
    let joins = g.below(2);
    let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
    let scope = Scope { relations, outer: None };
    let types = g.some_types(3);
    let filter = g.filter(&scope, 1);
    let items: Vec<Node> = types
        .iter()
        .enumerate()
        .map(|(i, ty)| {
            let name = format!("c{i}");
            // Every column tells whether the rows come in the order of the oracle's.
            sql![g.value(*ty, &scope, 1), format!(" AS {name}").as_str()].part(Role::SortKey(name))
        })
        .collect();
    let (distinct, mut keys) =
        if g.chance(0.3) { distinct_on(g, &scope) } else { leading(g, &scope) };
    for key in scope.key() {
        keys.push(sql![key, g.direction()]);
    }
    let limit = if g.chance(0.7) { g.limit() } else { Node::empty() };
    let node = sql![
        "SELECT ",
        distinct,
        Node::commas(items),
        " FROM ",
        from,
        filter,
        " ORDER BY ",
        Node::all_of(keys),
        limit.optional()
    ];
    Case::query(node, Strictness::Equal)
}

/// Expressions to sort by before the key.
fn leading(g: &mut Generator, scope: &Scope) -> (Node, Vec<Node>) {
    let keys = (0..=g.below(2))
        .map(|_| {
            let ty = g.any_type();
            let column = g.column(ty, scope);
            let node = match column {
                Some(column) if g.chance(0.6) => column,
                _ => {
                    let value = g.value(ty, scope, 1);
                    // A constant by itself would be the number of a column.
                    let constant = matches!(&value, Node::Part { node, .. } if matches!(**node, Node::Value(_)));
                    if constant { scope.key()[0].clone() } else { value }
                }
            };
            sql![node, g.direction()]
        })
        .collect();
    (Node::empty(), keys)
}

/// DISTINCT ON columns, and the order that begins with them.
fn distinct_on(g: &mut Generator, scope: &Scope) -> (Node, Vec<Node>) {
    let columns: Vec<Column> = scope.columns().cloned().collect();
    let chosen: Vec<Node> =
        (0..=g.below(2)).map(|_| columns[g.below(columns.len())].node.clone()).collect();
    let keys = chosen.iter().map(|node| sql![node.clone(), g.direction()]).collect();
    (sql!["DISTINCT ON (", Node::all_of(chosen), ") "], keys)
}
