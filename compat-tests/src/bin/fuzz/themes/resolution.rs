//! Types that meet: what PostgreSQL makes of operands of several types of a category, constants
//! without a type among them, in CASE, UNION, ARRAY, operators and calls.

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tree::Node;
use crate::types::Type;

/// The types of a category.
type Category = &'static [Type];

const CATEGORIES: &[Category] = &[
    &[Type::Int2, Type::Int4, Type::Int8, Type::Numeric, Type::Float8],
    &[Type::Int2, Type::Int4, Type::Int8, Type::Numeric, Type::Float8],
    &[Type::Text, Type::Varchar],
    &[Type::Date, Type::Timestamp, Type::Timestamptz],
    &[Type::Interval],
    &[Type::Int4Array],
    &[Type::Jsonb],
];

/// One expression over one table, so that there is one error at most.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.untyped = true;
    let table = g.table();
    let scope = Scope { relations: vec![Relation::of_table(table, "x")], outer: None };
    let category = g.pick(CATEGORIES);
    let from = format!(" FROM {} x", table.name);
    let node = match g.below(8) {
        0 => {
            let operator = g.set_operator();
            let (a, b) = (operand(g, category, &scope), operand(g, category, &scope));
            sql!["SELECT ", a, " AS c0", from.clone(), operator, "SELECT ", b, " AS c0", from]
        }
        1 => {
            let function =
                g.pick(&["min(", "max(", "sum(", "avg(", "count(", "array_agg(DISTINCT "]);
            sql!["SELECT ", function, operand(g, category, &scope), ") AS c0", from]
        }
        2 => {
            let rows = (0..2 + g.below(2)).map(|_| sql!["(", constant(g, category), ")"]).collect();
            sql!["SELECT c0 FROM (VALUES ", Node::commas(rows), ") v(c0)"]
        }
        3 => sql!["SELECT x.* ", from, " WHERE ", condition(g, category, &scope)],
        4 => sql!["SELECT ", condition(g, category, &scope), " AS c0", from],
        _ => sql!["SELECT ", mixed(g, category, &scope), " AS c0", from],
    };
    Case::query(node, Strictness::Equal)
}

/// A constant, one in three without its type.
fn constant(g: &mut Generator, category: Category) -> Node {
    let ty = g.pick(category);
    g.constant(ty)
}

fn operand(g: &mut Generator, category: Category, scope: &Scope) -> Node {
    let ty = g.pick(category);
    if g.chance(0.1) {
        return g.pick(&["NULL", "'1'", "''", "1", "1.5", "'2024-01-15'", "'1 day'"]).into();
    }
    if g.chance(0.5) { g.leaf(ty, scope) } else { g.constant(ty) }
}

/// An expression whose type the operands decide.
fn mixed(g: &mut Generator, category: Category, scope: &Scope) -> Node {
    let (a, b) = (operand(g, category, scope), operand(g, category, scope));
    match g.below(14) {
        0 | 1 => {
            let arms = sql![" THEN ", a, sql![" ELSE ", b].optional()];
            sql!["CASE WHEN ", g.leaf(Type::Bool, scope), arms, " END"]
        }
        2 => sql!["COALESCE(", Node::commas(vec![a, b]), ")"],
        3 => sql![g.pick(&["GREATEST(", "LEAST("]), Node::commas(vec![a, b]), ")"],
        4 => sql!["NULLIF(", a, ", ", b, ")"],
        5 => sql!["(ARRAY[", Node::commas(vec![a, b]), "])[1]"],
        6..11 => {
            let operators: &[&str] = match category[0] {
                Type::Text => &[" || "],
                Type::Date | Type::Interval => &[" + ", " - "],
                Type::Int4Array | Type::Jsonb => &[" || ", " - "],
                _ => &[" + ", " - ", " * ", " % "],
            };
            let other = if g.chance(0.2) { stray(g, scope) } else { b };
            sql!["(", a, g.pick(operators), other, ")"]
        }
        11 => sql!["(SELECT ", a, " AS c0 UNION ALL SELECT ", b, " ORDER BY c0 LIMIT 1)"],
        12 => {
            let functions = ["abs(", "round(", "length(", "upper(", "concat(", "to_jsonb(", "-("];
            sql![g.pick(&functions), a, ")"]
        }
        _ => {
            let call = g.pick(&["lag(", "lead("]);
            sql![call, a, ", 0, ", b, ") OVER ()"]
        }
    }
}

/// An operand of whatever category.
fn stray(g: &mut Generator, scope: &Scope) -> Node {
    let category = g.pick(CATEGORIES);
    operand(g, category, scope)
}

fn condition(g: &mut Generator, category: Category, scope: &Scope) -> Node {
    let (a, b, c) =
        (operand(g, category, scope), operand(g, category, scope), operand(g, category, scope));
    match g.below(8) {
        0..3 => sql!["(", a, g.pick(&[" = ", " < ", " >= ", " <> ", " IS DISTINCT FROM "]), b, ")"],
        3 => sql!["(", a, g.pick(&[" IN (", " NOT IN ("]), Node::commas(vec![b, c]), "))"],
        4 => sql!["(", a, " BETWEEN ", b, " AND ", c, ")"],
        5 => sql!["(", a, " = ANY (ARRAY[", Node::commas(vec![b, c]), "]))"],
        6 => sql!["((", a, ", 1) = (", b, ", 1.0))"],
        _ => sql!["(", a, " = ANY (SELECT ", b, " UNION SELECT ", c, "))"],
    }
}
