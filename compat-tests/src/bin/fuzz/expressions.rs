//! Expressions of a given type.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::operators::{self, Operator};
use crate::scope::Scope;
use crate::sql;
use crate::tree::{Node, Value};
use crate::types::{self, Type};

/// Makes statements, deterministic by its generator of random numbers.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) rng: StdRng,
    /// Whether expressions may fail and values lie at the ends of their ranges.
    pub(crate) risky: bool,
    /// Whether constants of every type may be written without it, for the server to infer.
    pub(crate) untyped: bool,
    /// How deep queries may still nest in expressions.
    pub(crate) subqueries: u32,
    /// Queries of WITH that may be named, with their columns' types.
    pub(crate) named: Vec<(String, Vec<Type>)>,
    aliases: u32,
    values: u32,
}

impl Generator {
    /// A generator for one case.
    pub(crate) fn new(rng: StdRng) -> Generator {
        Generator {
            rng,
            risky: false,
            untyped: false,
            subqueries: 0,
            named: Vec::new(),
            aliases: 0,
            values: 0,
        }
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.choose(&mut self.rng).expect("the callers' choices are constants with members")
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    /// An alias that nothing else has.
    pub(crate) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    /// A type, the common ones more often.
    pub(crate) fn any_type(&mut self) -> Type {
        if self.chance(0.6) { self.pick(types::COMMON) } else { self.pick(types::ALL) }
    }

    /// A few types.
    pub(crate) fn some_types(&mut self, most: usize) -> Vec<Type> {
        (0..=self.below(most)).map(|_| self.any_type()).collect()
    }

    /// A constant.
    pub(crate) fn constant(&mut self, ty: Type) -> Node {
        self.values += 1;
        let text = ty.any_value(&mut self.rng, self.risky).map(str::to_owned);
        let understood =
            matches!(ty, Type::Bool | Type::Int4 | Type::Numeric | Type::Text) || self.untyped;
        let bare = self.chance(0.3) && understood;
        let value = Value { number: self.values, ty, text, bare, extremes: self.risky };
        Node::Value(value).value(ty)
    }

    /// A column of the type, of this query or of one around it. Of the latter only columns, not
    /// calls that stand for one: a subquery may not hold them everywhere.
    pub(crate) fn column(&mut self, ty: Type, scope: &Scope) -> Option<Node> {
        let mut found = scope.columns_of(ty);
        let mut level = scope;
        while let Some(outer) = level.outer
            && (found.is_empty() || self.chance(0.35))
        {
            level = outer;
            found = level.columns_of(ty);
            found.retain(|column| matches!(column.node, Node::Text(_)));
        }
        found.choose(&mut self.rng).map(|column| column.node.clone().value(ty))
    }

    /// A column or a constant.
    pub(crate) fn leaf(&mut self, ty: Type, scope: &Scope) -> Node {
        let column = if self.chance(0.85) { self.column(ty, scope) } else { None };
        column.unwrap_or_else(|| self.constant(ty))
    }

    /// A constant instead of `b` where that is `a` again.
    fn unlike(&mut self, ty: Type, a: &Node, b: Node) -> Node {
        if *a == b && self.chance(0.9) { self.constant(ty) } else { b }
    }

    /// An expression of a type.
    pub(crate) fn value(&mut self, ty: Type, scope: &Scope, depth: u32) -> Node {
        if depth == 0 || self.chance(0.2) {
            return self.leaf(ty, scope);
        }
        let node = match self.below(20) {
            0 | 1 => self.case(ty, scope, depth - 1),
            2 => {
                let list = self.values_of(ty, 1, scope, depth - 1);
                sql!["COALESCE(", Node::commas(list), ")"]
            }
            3 => {
                let (a, b) = (self.value(ty, scope, depth - 1), self.value(ty, scope, depth - 1));
                if ty == Type::Jsonb || ty == Type::Varchar {
                    return a;
                }
                sql!["NULLIF(", a, ", ", b, ")"]
            }
            4 if ty != Type::Bool => {
                let function = self.pick(&["GREATEST(", "LEAST("]);
                let list = self.values_of(ty, 1, scope, depth - 1);
                sql![function, Node::commas(list), ")"]
            }
            5..8 if self.subqueries > 0 => self.scalar_subquery(ty, scope, depth - 1),
            _ if ty == Type::Bool => return self.condition(scope, depth),
            _ => self.operator(ty, scope, depth - 1),
        };
        node.value(ty)
    }

    /// A condition.
    pub(crate) fn condition(&mut self, scope: &Scope, depth: u32) -> Node {
        if depth == 0 {
            return self.comparison(scope, 0);
        }
        let inner = depth - 1;
        let node = match self.below(20) {
            0..4 => {
                let separator = self.pick(&[" AND ", " AND ", " OR "]);
                let count = 2 + self.below(2);
                let items = (0..count).map(|_| self.condition(scope, inner)).collect();
                sql!["(", Node::List { items, separator, minimum: 1 }, ")"]
            }
            4 | 5 => sql!["(NOT ", self.condition(scope, inner), ")"],
            6 => {
                let test =
                    self.pick(&["TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT FALSE", "NULL"]);
                sql!["(", self.condition(scope, inner), " IS ", test, ")"]
            }
            7 => self.case(Type::Bool, scope, inner),
            8 => sql![
                "COALESCE(",
                self.condition(scope, inner),
                ", ",
                self.leaf(Type::Bool, scope),
                ")"
            ],
            9 => self.in_list(scope, inner),
            10 => self.between(scope, inner),
            11 => self.row_comparison(scope),
            12 => {
                let ty = self.any_type();
                let test = self.pick(&[" IS NULL)", " IS NOT NULL)"]);
                sql!["(", self.value(ty, scope, inner), test]
            }
            13..17 if self.subqueries > 0 => self.subquery_condition(scope, inner),
            13 | 14 => self.operator(Type::Bool, scope, inner),
            15 => self.leaf(Type::Bool, scope),
            _ => return self.comparison(scope, inner),
        };
        node.value(Type::Bool)
    }

    /// Two values of one type, compared.
    pub(crate) fn comparison(&mut self, scope: &Scope, depth: u32) -> Node {
        let ty = self.any_type();
        let operators = [
            "=",
            "=",
            "=",
            "=",
            "<>",
            "<",
            "<=",
            ">",
            ">=",
            "IS DISTINCT FROM",
            "IS NOT DISTINCT FROM",
        ];
        let operator = self.pick(&operators);
        let (a, b) = (self.value(ty, scope, depth), self.value(ty, scope, depth));
        let b = self.unlike(ty, &a, b);
        sql!["(", a, " ", operator, " ", b, ")"].value(Type::Bool)
    }

    fn case(&mut self, ty: Type, scope: &Scope, depth: u32) -> Node {
        let simple = self.chance(0.3);
        let subject_type = self.any_type();
        let mut arms = Vec::new();
        for _ in 0..=self.below(2) {
            let when = if simple {
                self.leaf(subject_type, scope)
            } else {
                self.condition(scope, depth.min(1))
            };
            arms.push(sql![" WHEN ", when, " THEN ", self.value(ty, scope, depth)]);
        }
        let subject =
            if simple { sql![" ", self.leaf(subject_type, scope)] } else { Node::empty() };
        let otherwise = if self.chance(0.6) {
            sql![" ELSE ", self.value(ty, scope, depth)].optional()
        } else {
            Node::empty()
        };
        let arms = Node::List { items: arms, separator: "", minimum: 1 };
        sql!["CASE", subject, arms, otherwise, " END"]
    }

    fn values_of(&mut self, ty: Type, least: usize, scope: &Scope, depth: u32) -> Vec<Node> {
        (0..least + 1 + self.below(2)).map(|_| self.value(ty, scope, depth)).collect()
    }

    fn operator(&mut self, ty: Type, scope: &Scope, depth: u32) -> Node {
        let fitting: Vec<&Operator> =
            operators::ALL.iter().filter(|o| o.result == ty && (o.safe || self.risky)).collect();
        let Some(operator) = fitting.choose(&mut self.rng) else { return self.leaf(ty, scope) };
        let arguments: Vec<Node> =
            operator.arguments.iter().map(|a| self.value(*a, scope, depth)).collect();
        Node::template(operator.template, &arguments)
    }

    fn in_list(&mut self, scope: &Scope, depth: u32) -> Node {
        let ty = self.any_type();
        let operator = self.pick(&[" IN (", " NOT IN ("]);
        let subject = self.value(ty, scope, depth);
        let items = (0..=self.below(4))
            .map(|_| {
                let item = self.leaf(ty, scope);
                self.unlike(ty, &subject, item)
            })
            .collect();
        sql!["(", subject, operator, Node::commas(items), "))"]
    }

    fn between(&mut self, scope: &Scope, depth: u32) -> Node {
        let ty = self.any_type();
        let operator = self.pick(&[" BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC "]);
        let subject = self.value(ty, scope, depth);
        let (low, high) = (self.leaf(ty, scope), self.constant(ty));
        sql!["(", subject, operator, low, " AND ", high, ")"]
    }

    fn row_comparison(&mut self, scope: &Scope) -> Node {
        let (first, second) = (self.any_type(), self.any_type());
        let mut row = || sql!["(", self.leaf(first, scope), ", ", self.leaf(second, scope), ")"];
        let (a, b, c) = (row(), row(), row());
        match self.below(3) {
            0 => {
                let operator = self.pick(&[" = ", " <> ", " < ", " >= ", " IS DISTINCT FROM "]);
                sql!["(", a, operator, b, ")"]
            }
            1 => sql!["(", a, " IN (", Node::commas(vec![b, c]), "))"],
            _ => sql!["(", a, " NOT IN (", Node::commas(vec![b, c]), "))"],
        }
    }
}
