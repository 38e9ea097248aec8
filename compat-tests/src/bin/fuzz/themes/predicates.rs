//! Conditions on the same few columns, combined so that a planner may simplify them: lists that
//! meet, ranges that exclude each other, conditions that come twice, negated, and NULL.

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::{self, Type};

/// The combination as a condition, as a value, or as the condition of a join.
pub(crate) fn case(g: &mut Generator) -> Case {
    let table = g.table();
    let scope = Scope { relations: vec![Relation::of_table(table, "x")], outer: None };
    let ty = match g.below(3) {
        0 => g.pick(types::ALL),
        _ => g.pick(&[Type::Int4, Type::Int8, Type::Text, Type::Numeric, Type::Date, Type::Bool]),
    };
    let subject = match g.column(ty, &scope) {
        Some(column) => column,
        None => g.constant(ty),
    };
    let mut atoms = Vec::new();
    for _ in 0..2 + g.below(2) {
        atoms.push(atom(g, ty, &subject, &scope));
    }
    let combined = combination(g, &atoms, 2);
    let key = Node::commas(scope.key().into_iter().map(|k| sql!["", k]).collect());
    let from = format!(" FROM {} x", table.name);
    let node = match g.below(5) {
        0 => sql!["SELECT ", key, ", ", combined, " AS p", from],
        1 => {
            let other = g.table();
            let join = g.pick(&[" LEFT JOIN ", " JOIN ", " RIGHT JOIN "]);
            let on = format!("{join}{} y ON x.a = y.a AND ", other.name);
            sql!["SELECT x.a AS a, y.b AS b", from, on, combined]
        }
        2 => sql!["SELECT count(*) FILTER (WHERE ", combined, ") AS n", from],
        _ => sql!["SELECT ", key, from, " WHERE ", combined],
    };
    Case::query(node.part(Role::Query(vec![ty])), Strictness::Equal)
}

/// The conditions under AND, OR and NOT; one may come more than once.
fn combination(g: &mut Generator, atoms: &[Node], depth: u32) -> Node {
    if depth == 0 || g.chance(0.15) {
        let chosen = atoms[g.below(atoms.len())].clone();
        return if g.chance(0.25) { sql!["(NOT ", chosen, ")"].value(Type::Bool) } else { chosen };
    }
    let separator = g.pick(&[" AND ", " AND ", " OR "]);
    let count = 2 + g.below(2);
    let items = (0..count).map(|_| combination(g, atoms, depth - 1)).collect();
    let list = Node::List { items, separator, minimum: 1 };
    let not = if g.chance(0.15) { Node::from("NOT ").optional() } else { Node::empty() };
    sql!["(", not, "(", list, "))"].value(Type::Bool)
}

/// One condition on the subject.
fn atom(g: &mut Generator, ty: Type, subject: &Node, scope: &Scope) -> Node {
    let s = subject.clone();
    let value = |g: &mut Generator| if g.chance(0.75) { g.constant(ty) } else { g.leaf(ty, scope) };
    let node = match g.below(16) {
        0 | 1 => sql![s, " = ", value(g)],
        2 => sql![value(g), " = ", s],
        3 => sql![s, g.pick(&[" <> ", " < ", " > ", " <= ", " >= "]), value(g)],
        4 => sql![value(g), g.pick(&[" <> ", " < ", " >= "]), s],
        5..8 => {
            let items = (0..=g.below(4)).map(|_| value(g)).collect();
            sql![s, g.pick(&[" IN (", " IN (", " NOT IN ("]), Node::commas(items), ")"]
        }
        8 => sql![s, g.pick(&[" BETWEEN ", " NOT BETWEEN "]), value(g), " AND ", value(g)],
        9 => sql![s, g.pick(&[" IS NULL", " IS NOT NULL"])],
        10 => sql![s, g.pick(&[" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "]), value(g)],
        11 => sql!["COALESCE(", s, ", ", value(g), ") = ", value(g)],
        12 if ty != Type::Jsonb => sql!["NULLIF(", s, ", ", value(g), ") IS NULL"],
        13 => {
            let arms = [g.pick(&["true", "false", "NULL"]), g.pick(&["true", "false", "NULL"])];
            let [yes, no] = arms;
            sql!["CASE ", s, " WHEN ", value(g), " THEN ", yes, " ELSE ", no, " END"]
        }
        14 if ty == Type::Text => {
            sql![
                s,
                g.pick(&[" LIKE ", " NOT LIKE "]),
                g.pick(&["'a%'", "'%'", "'abc'", "''", "'_'", "NULL"])
            ]
        }
        14 if ty == Type::Bool => {
            sql![s, g.pick(&[" IS TRUE", " IS NOT FALSE", " IS UNKNOWN", " = true"])]
        }
        _ => {
            let items = (0..=g.below(3)).map(|_| g.constant(ty)).collect();
            let operator = g.pick(&[" = ANY (ARRAY[", " <> ALL (ARRAY[", " < ANY (ARRAY["]);
            sql![s, operator, Node::commas(items), "])"]
        }
    };
    sql!["(", node, ")"].value(Type::Bool)
}
