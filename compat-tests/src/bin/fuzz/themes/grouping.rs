//! GROUP BY with grouping sets, HAVING, FILTER, DISTINCT and ordered aggregates.

use crate::case::Case;
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Column, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::Type;

/// A grouped query.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.risky = g.chance(0.2);
    let joins = g.below(2);
    let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
    let scope = Scope { relations, outer: None };
    let filter = g.filter(&scope, 1);
    let types = g.some_types(4);
    let mut keys = g.keys(&scope);
    if g.chance(0.3) {
        keys.extend(g.keys(&scope));
    }
    let mut groups = g.aggregated(&keys, &types, &scope);
    let names: Vec<Node> = keys.iter().map(|k| k.node.clone()).collect();
    if !names.is_empty() && g.chance(0.4) {
        let grouping = sql!["grouping(", Node::all_of(names.clone()), ")"];
        groups.columns.push(Column { node: grouping, ty: Type::Int4 });
    }
    let grouped = Scope { relations: vec![groups], outer: None };
    let items = g.items(&types, &grouped, 2);
    let group_by =
        if names.is_empty() { Node::empty() } else { sql![" GROUP BY ", grouping_sets(g, &names)] };
    let having = g.having(&grouped);
    let query = sql!["SELECT ", items, " FROM ", from, filter, group_by, having];
    g.finish(query.part(Role::Query(types.clone())), types.len())
}

/// The keys as they are, or sets of them.
fn grouping_sets(g: &mut Generator, keys: &[Node]) -> Node {
    let all = Node::commas(keys.to_vec());
    match g.below(9) {
        0 | 1 => sql!["ROLLUP (", all, ")"],
        2 => sql!["CUBE (", all, ")"],
        3 => sql!["GROUPING SETS (", Node::commas(vec![sql!["(", all, ")"], "()".into()]), ")"],
        4 => {
            let sets = keys.iter().map(|k| sql!["(", k.clone(), ")"]).chain(["()".into()]);
            sql!["GROUPING SETS (", Node::commas(sets.collect()), ")"]
        }
        5 => sql![keys[0].clone(), sql![", ROLLUP (", all, ")"].optional()],
        6 => {
            let parts = vec![sql!["ROLLUP (", all.clone(), ")"], sql!["CUBE (", all, ")"]];
            sql![Node::commas(parts)]
        }
        _ => all,
    }
}
