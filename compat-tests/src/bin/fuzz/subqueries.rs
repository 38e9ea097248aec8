//! Subqueries in expressions: scalar ones, EXISTS, IN, ANY and ALL.

use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::Scope;
use crate::sql;
use crate::tree::Node;
use crate::types::Type;

impl Generator {
    /// A subquery of one row: an aggregate, or the first row in an order.
    pub(crate) fn scalar_subquery(&mut self, ty: Type, scope: &Scope, depth: u32) -> Node {
        self.nested(|g| {
            if g.chance(0.35) {
                let query = g.select(&[ty], Some(scope), depth.min(1));
                let direction = g.direction();
                return sql!["(", query, " ORDER BY c0", direction, " LIMIT 1)"];
            }
            let (from, relations) =
                g.from(Some(scope), From { joins: 1, depth: depth.min(1), outer: true });
            let inner = Scope { relations, outer: Some(scope) };
            let filter = g.filter(&inner, depth.min(1));
            let own = Scope { relations: inner.relations.clone(), outer: None };
            let kept = std::mem::take(&mut g.subqueries);
            let aggregate = g.aggregate(ty, &own);
            g.subqueries = kept;
            sql!["(SELECT ", aggregate, " FROM ", from, filter, ")"]
        })
    }

    /// A condition on the rows of a subquery.
    pub(crate) fn subquery_condition(&mut self, scope: &Scope, depth: u32) -> Node {
        let depth = depth.min(1);
        self.nested(|g| match g.below(8) {
            0..3 => {
                let types = [g.any_type()];
                let query = g.query(&types, Some(scope), depth);
                sql![g.pick(&["EXISTS (", "NOT EXISTS ("]), query, ")"]
            }
            3..6 => {
                let ty = g.any_type();
                let operator = g.pick(&[" IN (", " NOT IN (", " = ANY (", " <> ALL ("]);
                let subject = g.value(ty, scope, depth);
                sql!["(", subject, operator, g.query(&[ty], Some(scope), depth), "))"]
            }
            6 => {
                let ty = g.any_type();
                let operator =
                    g.pick(&[" < ANY (", " >= ALL (", " <> ANY (", " = ALL (", " > ANY ("]);
                let subject = g.leaf(ty, scope);
                sql!["(", subject, operator, g.query(&[ty], Some(scope), depth), "))"]
            }
            _ => {
                let types = [g.any_type(), g.any_type()];
                let operator = g.pick(&[") IN (", ") NOT IN ("]);
                let (a, b) = (g.leaf(types[0], scope), g.leaf(types[1], scope));
                sql!["((", a, ", ", b, operator, g.query(&types, Some(scope), depth), "))"]
            }
        })
    }

    /// Generates a subquery, in which they may nest one level less.
    fn nested(&mut self, make: impl FnOnce(&mut Generator) -> Node) -> Node {
        self.subqueries -= 1;
        let node = make(self);
        self.subqueries += 1;
        node
    }
}
