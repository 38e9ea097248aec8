//! Aggregates: plain, DISTINCT, ordered, filtered, and those of ordered sets.
//!
//! Where the order of its rows shows in an aggregate's value, the call says which.

use crate::expressions::Generator;
use crate::scope::Scope;
use crate::sql;
use crate::tree::Node;
use crate::types::{self, Type};

impl Generator {
    /// An aggregate call.
    pub(crate) fn aggregate(&mut self, ty: Type, scope: &Scope) -> Node {
        let filter = if self.chance(0.2) {
            sql![" FILTER (WHERE ", self.condition(scope, 0), ")"].optional()
        } else {
            Node::empty()
        };
        let node = if types::WITH_MAXIMUM.contains(&ty) && self.chance(0.15) {
            sql![self.of_ordered_set(ty, scope), filter]
        } else {
            match ty {
                Type::Varchar | Type::Uuid | Type::Bytea => {
                    sql!["(", self.collected("array_agg(", ty, scope), filter, ")[1]"]
                }
                Type::Int4Array => sql![self.collected("array_agg(", Type::Int4, scope), filter],
                Type::TextArray => sql![self.collected("array_agg(", Type::Text, scope), filter],
                Type::Jsonb => {
                    let of = self.pick(&[Type::Int4, Type::Text, Type::Bool]);
                    sql![self.collected("jsonb_agg(", of, scope), filter]
                }
                _ => sql![self.plain_aggregate(ty, scope), filter],
            }
        };
        node.value(ty)
    }

    /// All values in their own order.
    fn collected(&mut self, function: &str, ty: Type, scope: &Scope) -> Node {
        let column = self.leaf(ty, scope);
        let distinct = self.distinct();
        sql![function, distinct, column.clone(), " ORDER BY ", column, self.direction(), ")"]
    }

    fn plain_aggregate(&mut self, ty: Type, scope: &Scope) -> Node {
        let distinct = self.distinct();
        let function = match ty {
            Type::Bool => self.pick(&["bool_and(", "bool_or(", "every("]),
            Type::Int8 => match self.below(5) {
                0 => return "count(*)".into(),
                1 => return sql!["sum(", distinct, self.value(Type::Int4, scope, 1), ")"],
                2 => {
                    let of = self.any_type();
                    return sql!["count(", distinct, self.value(of, scope, 1), ")"];
                }
                3 => self.pick(&["bit_and(", "bit_or(", "bit_xor("]),
                _ => "max(",
            },
            Type::Numeric => {
                let of = self.pick(&[Type::Numeric, Type::Int8, Type::Int4]);
                let function = match of {
                    Type::Int4 => self.pick(&["avg(", "variance(", "stddev_pop("]),
                    _ => self.pick(&["sum(", "sum(", "avg("]),
                };
                return sql![function, distinct, self.value(of, scope, 1), ")"];
            }
            // The sum of floats depends on their order, much so at the ends of their range.
            Type::Float8 if !self.risky => self.pick(&["avg(", "sum("]),
            Type::Text if self.chance(0.4) => {
                let column = self.leaf(Type::Text, scope);
                let direction = self.direction();
                return sql![
                    "string_agg(",
                    column.clone(),
                    ", ',' ORDER BY ",
                    column,
                    direction,
                    ")"
                ];
            }
            _ => self.pick(&["min(", "max("]),
        };
        sql![function, distinct, self.value(ty, scope, 1), ")"]
    }

    fn of_ordered_set(&mut self, ty: Type, scope: &Scope) -> Node {
        let function = match ty {
            Type::Float8 | Type::Interval => self.pick(&[
                "percentile_cont(0.5)",
                "percentile_cont(0.3)",
                "percentile_disc(0.75)",
            ]),
            _ => self.pick(&["percentile_disc(0)", "percentile_disc(0.5)", "mode()"]),
        };
        let column = self.leaf(ty, scope);
        let direction = self.direction();
        sql![function, " WITHIN GROUP (ORDER BY ", column, direction, ")"]
    }

    fn distinct(&mut self) -> Node {
        if self.chance(0.2) { Node::from("DISTINCT ").optional() } else { Node::empty() }
    }
}
