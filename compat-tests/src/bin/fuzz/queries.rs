//! Queries with columns of given types, named `c0`, `c1` and so on.

use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Column, Relation, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::Type;

impl Generator {
    /// A query of any shape.
    pub(crate) fn query(&mut self, types: &[Type], outer: Option<&Scope>, depth: u32) -> Node {
        let node = match self.below(12) {
            0 | 1 if depth > 0 => {
                let operator = self.set_operator();
                let a = self.select(types, outer, depth - 1);
                let b = self.select(types, outer, depth - 1);
                sql![a, operator, b]
            }
            2 => return self.limited(types, outer, depth),
            3 | 4 => return self.grouped(types, outer, depth),
            5 => self.constant_query(types, outer),
            6 if depth > 0 => return self.windowed(types, outer, depth),
            _ => return self.select(types, outer, depth),
        };
        node.part(Role::Query(types.to_vec()))
    }

    /// One of UNION, INTERSECT and EXCEPT.
    pub(crate) fn set_operator(&mut self) -> &'static str {
        self.pick(&[
            " UNION ",
            " UNION ALL ",
            " UNION ALL ",
            " INTERSECT ",
            " INTERSECT ALL ",
            " EXCEPT ",
            " EXCEPT ALL ",
        ])
    }

    /// SELECT, FROM and WHERE.
    pub(crate) fn select(&mut self, types: &[Type], outer: Option<&Scope>, depth: u32) -> Node {
        let allowed = From { joins: 1, depth, outer: true };
        let (from, relations) = self.from(outer, allowed);
        let scope = Scope { relations, outer };
        let distinct =
            if self.chance(0.12) { Node::from("DISTINCT ").optional() } else { Node::empty() };
        let items = self.items(types, &scope, depth);
        let filter = self.filter(&scope, depth);
        sql!["SELECT ", distinct, items, " FROM ", from, filter].part(Role::Query(types.to_vec()))
    }

    /// The same with the first few rows in a total order.
    pub(crate) fn limited(&mut self, types: &[Type], outer: Option<&Scope>, depth: u32) -> Node {
        let query = self.select(types, outer, depth);
        let directions: Vec<Node> =
            (0..types.len()).map(|i| sql![format!("c{i}"), self.direction()]).collect();
        let limit = self.limit();
        let tail = sql![" ORDER BY ", Node::all_of(directions), limit];
        sql![query, tail.optional()].part(Role::Query(types.to_vec()))
    }

    /// LIMIT, OFFSET or both.
    pub(crate) fn limit(&mut self) -> Node {
        if self.chance(0.1) {
            return sql![self.pick(&[" LIMIT ", " OFFSET "]), self.constant(Type::Int8)];
        }
        let limits =
            [" LIMIT 1", " LIMIT 3", " LIMIT 5", " OFFSET 2", " LIMIT 2 OFFSET 1", " LIMIT 0"];
        self.pick(&limits).into()
    }

    /// A direction of a sort.
    pub(crate) fn direction(&mut self) -> &'static str {
        self.pick(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
    }

    fn constant_query(&mut self, types: &[Type], outer: Option<&Scope>) -> Node {
        let nothing = Scope::default();
        let scope = outer.unwrap_or(&nothing);
        let inner = Scope { relations: Vec::new(), outer: Some(scope) };
        let items = self.items(types, &inner, 1);
        sql!["SELECT ", items]
    }

    /// The list of SELECT.
    pub(crate) fn items(&mut self, types: &[Type], scope: &Scope, depth: u32) -> Node {
        let list = types.iter().enumerate();
        let list: Vec<Node> =
            list.map(|(i, ty)| sql![self.value(*ty, scope, depth), format!(" AS c{i}")]).collect();
        Node::commas(list)
    }

    /// WHERE, or nothing.
    pub(crate) fn filter(&mut self, scope: &Scope, depth: u32) -> Node {
        if self.chance(0.3) {
            return Node::empty();
        }
        sql![" WHERE ", self.condition(scope, depth.min(2))].optional()
    }

    /// A query with GROUP BY, or aggregates over all rows.
    pub(crate) fn grouped(&mut self, types: &[Type], outer: Option<&Scope>, depth: u32) -> Node {
        let (from, relations) = self.from(outer, From { joins: 1, depth, outer: true });
        let scope = Scope { relations, outer };
        let filter = self.filter(&scope, depth.min(1));
        let keys = if self.chance(0.3) { Vec::new() } else { self.keys(&scope) };
        let groups = self.aggregated(&keys, types, &scope);
        let grouped = Scope { relations: vec![groups], outer: None };
        let items = self.items(types, &grouped, 1);
        let group_by = match keys.is_empty() {
            true => Node::empty(),
            false => sql![" GROUP BY ", Node::commas(keys.into_iter().map(|k| k.node).collect())],
        };
        let having = self.having(&grouped);
        sql!["SELECT ", items, " FROM ", from, filter, group_by, having]
            .part(Role::Query(types.to_vec()))
    }

    /// HAVING, or nothing.
    pub(crate) fn having(&mut self, grouped: &Scope) -> Node {
        if self.chance(0.7) {
            return Node::empty();
        }
        let kept = std::mem::take(&mut self.subqueries);
        let condition = self.condition(grouped, 1);
        self.subqueries = kept;
        sql![" HAVING ", condition].optional()
    }

    /// One or two keys of GROUP BY.
    pub(crate) fn keys(&mut self, scope: &Scope) -> Vec<Column> {
        let columns: Vec<&Column> = scope.columns().collect();
        let mut keys: Vec<Column> = Vec::new();
        for _ in 0..=self.below(2) {
            let Some(column) = columns.get(self.below(columns.len().max(1))) else { break };
            let node = match column.ty {
                Type::Int4 if self.chance(0.3) => sql!["(", column.node.clone(), " % 2)"],
                Type::Text if self.chance(0.2) => sql!["upper(", column.node.clone(), ")"],
                _ => column.node.clone(),
            };
            keys.push(Column { node, ty: column.ty });
        }
        keys
    }

    /// What a grouped query offers: its keys, and aggregates of the types wanted.
    pub(crate) fn aggregated(
        &mut self,
        keys: &[Column],
        types: &[Type],
        scope: &Scope,
    ) -> Relation {
        let inner = Scope { relations: scope.relations.clone(), outer: None };
        let kept = std::mem::take(&mut self.subqueries);
        let mut columns = keys.to_vec();
        for ty in types.iter().chain(&[Type::Int8, Type::Int4]) {
            columns.push(Column { node: self.aggregate(*ty, &inner), ty: *ty });
        }
        self.subqueries = kept;
        let key = keys.iter().map(|k| k.node.clone()).collect();
        Relation { alias: String::new(), columns, key, unique: false }
    }
}
