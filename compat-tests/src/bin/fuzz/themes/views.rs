//! Views: what a definition keeps must mean what the query meant.

use crate::case::{Case, Protocol, Step, Strictness};
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::Scope;
use crate::sql;
use crate::tree::Role;

/// One view or one over another, and queries over them.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.3));
    let mut steps = Vec::new();
    let mut cleanup = vec!["ROLLBACK".to_owned()];
    for i in 0..=g.below(2) {
        let name = format!("v{i}");
        let types = g.some_types(3);
        let query = g.query(&types, None, 1);
        steps.push(Step::fixed(sql![format!("CREATE VIEW {name} AS "), query]));
        cleanup.insert(1, format!("DROP VIEW IF EXISTS {name}"));
        g.named.push((name, types));
    }
    for _ in 0..2 {
        let joins = g.below(2);
        let (from, relations) = g.from(None, From { joins, depth: 1, outer: true });
        let scope = Scope { relations, outer: None };
        let types = g.some_types(3);
        let items = g.items(&types, &scope, 1);
        let filter = g.filter(&scope, 1);
        let query = sql!["SELECT ", items, " FROM ", from, filter];
        steps.push(Step::droppable(query.part(Role::Query(types))));
    }
    Case { steps, cleanup, protocol: Protocol::Simple, strictness: Strictness::Equal }
}
