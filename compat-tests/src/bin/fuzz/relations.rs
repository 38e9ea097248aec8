//! FROM: tables, derived tables, VALUES, functions, and their joins.

use rand::Rng;

use crate::expressions::Generator;
use crate::scope::{Column, Relation, Scope};
use crate::sql;
use crate::tables::{self, Table};
use crate::tree::{Node, Role};
use crate::types::Type;

/// Which relations may stand in FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct From {
    /// At most as many joins.
    pub(crate) joins: usize,
    /// How deep derived tables may nest.
    pub(crate) depth: u32,
    /// Whether joins may be outer ones.
    pub(crate) outer: bool,
}

impl Generator {
    /// FROM's items and what they offer.
    pub(crate) fn from(&mut self, outer: Option<&Scope>, allowed: From) -> (Node, Vec<Relation>) {
        let count = self.below(allowed.joins + 1);
        self.joined(outer, allowed, count)
    }

    fn joined(
        &mut self,
        outer: Option<&Scope>,
        allowed: From,
        count: usize,
    ) -> (Node, Vec<Relation>) {
        let (mut node, first) = self.relation(outer, &[], allowed.depth);
        let mut relations = vec![first];
        for _ in 0..count {
            node = self.join(node, &mut relations, outer, allowed);
        }
        (node, relations)
    }

    /// A relation by itself; `left` are those that LATERAL may name.
    fn relation(
        &mut self,
        outer: Option<&Scope>,
        left: &[Relation],
        depth: u32,
    ) -> (Node, Relation) {
        let alias = self.alias();
        match self.below(13) {
            12 => self.elements(outer, left, &alias),
            0 => {
                let bound = self.leaf_bound(outer, left);
                let lateral = if left.is_empty() { "" } else { "LATERAL " };
                let node = sql![lateral, "generate_series(1, ", bound, ") ", alias.clone(), "(c0)"];
                (node.part(Role::Relation), Relation::of_query(&[Type::Int4], &alias))
            }
            1 => self.values_relation(&alias),
            2..5 if depth > 0 => {
                let types = self.some_types(3);
                let around = Scope { relations: left.to_vec(), outer };
                let lateral = !left.is_empty();
                let around = if lateral { Some(&around) } else { outer };
                let query = self.query(&types, around, depth - 1);
                let keyword = if lateral { "LATERAL (" } else { "(" };
                let node = sql![keyword, query, ") ", alias.clone()];
                (node.part(Role::Relation), Relation::of_query(&types, &alias))
            }
            5..8 if !self.named.is_empty() => {
                let (name, types) = &self.named[self.rng.random_range(0..self.named.len())];
                let node = Node::from(format!("{name} {alias}")).part(Role::Relation);
                (node, Relation::of_query(types, &alias))
            }
            _ => {
                let table = self.table();
                let node = Node::from(format!("{} {alias}", table.name)).part(Role::Relation);
                (node, Relation::of_table(table, &alias))
            }
        }
    }

    /// A table; the empty one and those at the ends of their ranges seldom or on demand.
    pub(crate) fn table(&mut self) -> &'static Table {
        let name = if self.risky {
            self.pick(&["t6", "t6", "t1", "t3"])
        } else {
            self.pick(&["t1", "t1", "t2", "t2", "t3", "t3", "t4", "t4", "t5"])
        };
        tables::ALL.iter().find(|t| t.name == name).expect("the names are the tables'")
    }

    fn leaf_bound(&mut self, outer: Option<&Scope>, left: &[Relation]) -> Node {
        let scope = Scope { relations: left.to_vec(), outer };
        if self.chance(0.5) {
            let column = self.leaf(Type::Int4, &scope);
            sql!["least(", column, ", 4)"].value(Type::Int4)
        } else {
            self.pick(&["2", "3", "4"]).into()
        }
    }

    /// The elements of an array, or with their numbers.
    fn elements(
        &mut self,
        outer: Option<&Scope>,
        left: &[Relation],
        alias: &str,
    ) -> (Node, Relation) {
        let scope = Scope { relations: left.to_vec(), outer };
        let (array, element) =
            self.pick(&[(Type::Int4Array, Type::Int4), (Type::TextArray, Type::Text)]);
        let call = sql!["unnest(", self.leaf(array, &scope), ")"];
        let lateral = if left.is_empty() { "" } else { "LATERAL " };
        let (names, types): (&str, &[Type]) = if self.chance(0.3) {
            (" WITH ORDINALITY {}(c0, c1)", &[element, Type::Int8])
        } else {
            (" {}(c0)", &[element])
        };
        let node = sql![lateral, call, names.replace("{}", alias)].part(Role::Relation);
        (node, Relation::of_query(types, alias))
    }

    fn values_relation(&mut self, alias: &str) -> (Node, Relation) {
        let types = self.some_types(2);
        let rows = (0..=self.below(3))
            .map(|_| {
                let row = types.iter().map(|ty| self.constant(*ty)).collect();
                sql!["(", Node::all_of(row), ")"]
            })
            .collect();
        let names: Vec<String> = (0..types.len()).map(|i| format!("c{i}")).collect();
        let node = sql![
            "(VALUES ",
            Node::commas(rows),
            ") ",
            alias.to_owned(),
            format!("({})", names.join(", "))
        ];
        (node.part(Role::Relation), Relation::of_query(&types, alias))
    }

    fn join(
        &mut self,
        left: Node,
        relations: &mut Vec<Relation>,
        outer: Option<&Scope>,
        allowed: From,
    ) -> Node {
        let lateral = self.chance(0.2);
        let names = if lateral { relations.clone() } else { Vec::new() };
        let (mut right, new) = if !lateral && allowed.joins > 1 && self.chance(0.15) {
            let (node, inner) = self.joined(outer, From { joins: 1, ..allowed }, 1);
            (sql!["(", node, ")"].part(Role::Relation), inner)
        } else {
            let (node, relation) = self.relation(outer, &names, allowed.depth);
            (node, vec![relation])
        };
        if lateral && !matches!(&right, Node::Part { .. }) {
            right = right.part(Role::Relation);
        }
        let kind = match (allowed.outer, lateral) {
            (false, _) => self.pick(&[" JOIN ", " CROSS JOIN "]),
            (true, true) => self.pick(&[" JOIN ", " LEFT JOIN ", " CROSS JOIN "]),
            (true, false) => self.pick(&[
                " JOIN ",
                " LEFT JOIN ",
                " LEFT JOIN ",
                " RIGHT JOIN ",
                " RIGHT JOIN ",
                " FULL JOIN ",
                " FULL JOIN ",
                " CROSS JOIN ",
            ]),
        };
        let equality = self.equality(relations, &new);
        // PostgreSQL has no plan for a full join by another condition.
        let kind = if kind == " FULL JOIN " && equality.is_none() { " LEFT JOIN " } else { kind };
        let condition = match kind {
            " CROSS JOIN " => Node::empty(),
            _ => self.join_condition((kind, equality), relations, &new, outer),
        };
        relations.extend(new);
        sql![left, kind, right, condition].part(Role::Relation)
    }

    fn join_condition(
        &mut self,
        (kind, equality): (&str, Option<Node>),
        left: &[Relation],
        right: &[Relation],
        outer: Option<&Scope>,
    ) -> Node {
        if let Some(using) = self.using(left, right).filter(|_| self.chance(0.15)) {
            return using;
        }
        let both: Vec<Relation> = left.iter().chain(right).cloned().collect();
        let scope = Scope { relations: both, outer };
        let scope = if self.chance(0.8) { Scope { outer: None, ..scope } } else { scope };
        let more = match (&equality, kind) {
            (Some(_), " FULL JOIN ") => self.chance(0.2),
            (Some(_), _) => self.chance(0.4),
            (None, _) => true,
        };
        let kept = std::mem::take(&mut self.subqueries);
        self.subqueries = if self.chance(0.3) { kept } else { 0 };
        let depth = self.below(3);
        let condition =
            if more { Some(self.condition(&scope, u32::from(depth == 2))) } else { None };
        self.subqueries = kept;
        match (equality, condition) {
            (Some(equality), Some(condition)) => {
                sql![" ON ", equality, sql![" AND ", condition].optional()]
            }
            (Some(one), None) | (None, Some(one)) => sql![" ON ", one],
            (None, None) => " ON true".into(),
        }
    }

    /// A column of the left side equal to one of the right.
    fn equality(&mut self, left: &[Relation], right: &[Relation]) -> Option<Node> {
        let of = |relations: &[Relation]| -> Vec<Column> {
            relations.iter().flat_map(|r| r.columns.clone()).collect()
        };
        let (left, right) = (of(left), of(right));
        for _ in 0..4 {
            let a = &left[self.below(left.len())];
            let same: Vec<_> = right.iter().filter(|c| c.ty == a.ty).collect();
            if !same.is_empty() && a.ty != Type::Bool {
                let b = same[self.below(same.len())];
                let (a, b) = (a.node.clone(), b.node.clone());
                let (a, b) = if self.chance(0.3) { (b, a) } else { (a, b) };
                return Some(sql![a, " = ", b]);
            }
        }
        None
    }

    /// USING a column that both sides have once.
    fn using(&mut self, left: &[Relation], right: &[Relation]) -> Option<Node> {
        let ([left], [right]) = (left, right) else { return None };
        let names = |relation: &Relation| -> Vec<(String, Type)> {
            let prefix = format!("{}.", relation.alias);
            let name = |c: &Column| c.node.literal_sql().strip_prefix(&prefix).map(str::to_owned);
            relation.columns.iter().filter_map(|c| Some((name(c)?, c.ty))).collect()
        };
        let theirs = names(left);
        let shared: Vec<String> = names(right)
            .into_iter()
            .filter(|column| theirs.contains(column) && column.1 != Type::Bool)
            .map(|(name, _)| name)
            .collect();
        let chosen = shared.get(self.below(shared.len().max(1)))?;
        Some(format!(" USING ({chosen})").into())
    }
}
