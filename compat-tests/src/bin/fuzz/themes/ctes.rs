//! WITH, MATERIALIZED or not, named more than once, and recursive.

use crate::case::Case;
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::Type;

/// A query over queries of WITH.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.3));
    let recursive = g.chance(0.35);
    let mut parts = Vec::new();
    for i in 0..=g.below(3) {
        let name = format!("w{i}");
        let (part, types) = if recursive && i == 0 { recursion(g, &name) } else { plain(g, &name) };
        parts.push(part);
        g.named.push((name, types));
    }
    let joins = g.below(3);
    let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
    let scope = Scope { relations, outer: None };
    let types = g.some_types(3);
    let items = g.items(&types, &scope, 1);
    let filter = g.filter(&scope, 2);
    let query = sql!["SELECT ", items, " FROM ", from, filter].part(Role::Query(types.clone()));
    let keyword = if recursive { "WITH RECURSIVE " } else { "WITH " };
    let with = Node::List { items: parts, separator: ", ", minimum: 1 };
    g.finish(sql![sql![keyword, with, " "].optional(), query], types.len())
}

fn plain(g: &mut Generator, name: &str) -> (Node, Vec<Type>) {
    let types = g.some_types(3);
    let materialized = g.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
    let query = g.query(&types, None, 1);
    let materialized = Node::from(materialized).optional();
    (sql![name, " AS ", materialized, "(", query, ")"], types)
}

/// A recursion that counts up to a bound, alone or along the rows of a table.
fn recursion(g: &mut Generator, name: &str) -> (Node, Vec<Type>) {
    let carried = g.any_type();
    let types = vec![Type::Int4, carried];
    let operator = g.pick(&[" UNION ", " UNION ALL "]);
    let start = if g.chance(0.5) {
        sql!["SELECT 1 AS c0, ", g.constant(carried), " AS c1"]
    } else {
        let table = g.table();
        let alias = g.alias();
        let scope = Scope { relations: vec![Relation::of_table(table, &alias)], outer: None };
        let value = g.value(carried, &scope, 1);
        let filter = g.filter(&scope, 1);
        sql!["SELECT 1 AS c0, ", value, format!(" AS c1 FROM {} {alias}", table.name), filter]
    };
    let itself = Relation::of_query(&types, "r");
    let (joined, relations) = if g.chance(0.4) {
        let table = g.table();
        let alias = g.alias();
        let kind = g.pick(&[" JOIN ", " LEFT JOIN "]);
        let join = format!("{kind}{} {alias} ON {alias}.a = r.c0", table.name);
        (Node::from(join), vec![itself, Relation::of_table(table, &alias)])
    } else {
        (Node::empty(), vec![itself])
    };
    let scope = Scope { relations, outer: None };
    let value = g.value(carried, &scope, 1);
    let bound = g.pick(&["3", "4", "5"]);
    let condition = if g.chance(0.3) {
        sql![" AND ", g.condition(&scope, 1)].optional()
    } else {
        Node::empty()
    };
    let step = sql!["SELECT r.c0 + 1, ", value, format!(" FROM {name} r"), joined];
    let step = sql![step, " WHERE r.c0 < ", bound, condition];
    (sql![name, "(c0, c1) AS (", start, operator, step, ")"], types)
}
