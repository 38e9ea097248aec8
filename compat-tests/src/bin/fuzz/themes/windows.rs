//! Window calls over rows and over groups.

use crate::case::Case;
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Column, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::Type;

/// A query with a few window calls, and expressions over them.
pub(crate) fn case(g: &mut Generator) -> Case {
    let joins = g.below(2);
    let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
    let scope = Scope { relations, outer: None };
    let filter = g.filter(&scope, 1);
    let types = g.some_types(3);
    if g.chance(0.25) {
        return grouped(g, &types, sql![from, filter], &scope);
    }
    let windowed = g.window_calls(&types, &scope);
    let items = g.items(&types, &windowed, 1);
    let query = sql!["SELECT ", items, " FROM ", from, filter];
    g.finish(query.part(Role::Query(types.clone())), types.len())
}

/// Window calls over the groups of a grouped query.
fn grouped(g: &mut Generator, types: &[Type], from: Node, scope: &Scope) -> Case {
    let keys: Vec<Column> = g.keys(scope);
    let groups = g.aggregated(&keys, types, scope);
    let group_by = Node::commas(keys.iter().map(|k| k.node.clone()).collect());
    let windowed = g.window_calls(types, &Scope { relations: vec![groups], outer: None });
    let items = g.items(types, &windowed, 1);
    let query = sql!["SELECT ", items, " FROM ", from, " GROUP BY ", group_by];
    g.finish(query.part(Role::Query(types.to_vec())), types.len())
}
