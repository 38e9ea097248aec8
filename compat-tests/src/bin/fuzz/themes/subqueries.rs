//! Subqueries of every kind, correlated with one level or two, wherever expressions stand.

use crate::case::Case;
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::Scope;
use crate::sql;
use crate::tree::Role;

/// SELECT over few relations with many subqueries.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = 2;
    let types = g.some_types(3);
    let joins = g.below(2);
    let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
    let scope = Scope { relations, outer: None };
    let items = if g.chance(0.5) { g.items(&types, &scope, 2) } else { g.items(&types, &scope, 0) };
    let condition =
        if g.chance(0.6) { g.subquery_condition(&scope, 1) } else { g.condition(&scope, 2) };
    let query = sql![
        "SELECT ",
        items,
        " FROM ",
        from,
        sql![" WHERE ", condition.value(crate::types::Type::Bool)].optional()
    ];
    g.finish(query.part(Role::Query(types.clone())), types.len())
}
