//! Conditions on keys and indexed columns, and the first rows in their order: what a server reads
//! without a scan. Constants have the column's type or another one that compares with it.

use crate::case::{Case, Strictness};
use crate::expressions::Generator;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tables::Table;
use crate::tree::{Node, Role};
use crate::types::Type;

/// A query of one table by its keys.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.risky = g.chance(0.2);
    let table = g.table();
    let scope = Scope { relations: vec![Relation::of_table(table, "x")], outer: None };
    let filter = filter(g, table, &scope);
    let types = g.some_types(3);
    let items = if g.chance(0.5) {
        keyed_columns(table)
    } else {
        let list = types.iter().enumerate().map(|(i, ty)| {
            let name = format!("c{i}");
            sql![g.leaf(*ty, &scope), format!(" AS {name}").as_str()].part(Role::SortKey(name))
        });
        Node::commas(list.collect())
    };
    let query = sql!["SELECT ", items, format!(" FROM {} x", table.name), filter];
    let node = match g.below(3) {
        0 => {
            let mut keys = leading(g, table);
            keys.extend(scope.key().into_iter().map(|key| sql![key, g.direction()]));
            sql![query, " ORDER BY ", Node::all_of(keys), g.limit()]
        }
        // Without an order the rows are a set: an outer query takes the marks of order away.
        1 => sql!["SELECT count(*) AS n FROM (", query, ") y"],
        _ => sql![query, ordered_by_key(&scope)],
    };
    Case::query(node, Strictness::Equal)
}

/// All columns, in the order of the table.
fn keyed_columns(table: &Table) -> Node {
    let list = table.attributes().into_iter().map(|(column, _)| {
        Node::from(format!("x.{column}")).part(Role::SortKey(column.to_owned()))
    });
    Node::commas(list.collect())
}

fn ordered_by_key(scope: &Scope) -> Node {
    sql![" ORDER BY ", Node::all_of(scope.key())]
}

/// Columns of an index in one direction, as the index or its reverse has them.
fn leading(g: &mut Generator, table: &Table) -> Vec<Node> {
    let direction = g.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
    let columns = indexed(table);
    let chosen = &columns[g.below(columns.len())];
    chosen.iter().map(|(column, _)| Node::from(format!("x.{column}{direction}"))).collect()
}

/// The columns of the key and of each index, with their types.
fn indexed(table: &Table) -> Vec<Vec<(&'static str, Type)>> {
    let attributes = table.attributes();
    let typed = |names: Vec<&str>| -> Vec<(&'static str, Type)> {
        attributes.iter().filter(|(column, _)| names.contains(column)).copied().collect()
    };
    let mut all: Vec<_> = table
        .indexes
        .iter()
        .map(|index| typed(index.trim_matches(['(', ')']).split(", ").collect()))
        .collect();
    all.push(typed(table.key.to_vec()));
    all.retain(|columns| !columns.is_empty());
    if all.is_empty() {
        all.push(attributes);
    }
    all
}

fn filter(g: &mut Generator, table: &Table, scope: &Scope) -> Node {
    let columns = indexed(table);
    let chosen = columns[g.below(columns.len())].clone();
    let used = 1 + g.below(chosen.len());
    let mut conditions: Vec<Node> =
        chosen[..used].iter().map(|(column, ty)| on_column(g, column, *ty)).collect();
    if g.chance(0.2) {
        let (column, ty) = chosen[0];
        conditions.push(on_column(g, column, ty));
    }
    if g.chance(0.3) {
        conditions.push(g.condition(scope, 0));
    }
    let separator = if g.chance(0.12) { " OR " } else { " AND " };
    let conditions = Node::List { items: conditions, separator, minimum: 1 };
    sql![" WHERE ", conditions].optional()
}

fn on_column(g: &mut Generator, column: &str, ty: Type) -> Node {
    let name = format!("x.{column}");
    let other = compared_with(g, ty);
    match g.below(12) {
        0..5 => sql![name, " = ", g.constant(other)],
        5 => sql![g.constant(other), " = ", name],
        6 => sql![name, g.pick(&[" < ", " <= ", " > ", " >= "]), g.constant(other)],
        7 => {
            let (low, high) = (g.constant(other), g.constant(ty));
            sql!["(", name.clone(), " > ", low, " AND ", name, " <= ", high, ")"]
        }
        8 => sql![name, " BETWEEN ", g.constant(ty), " AND ", g.constant(other)],
        9 => {
            let items = (0..=g.below(4)).map(|_| g.constant(ty)).collect();
            sql![name, g.pick(&[" IN (", " IN (", " NOT IN ("]), Node::commas(items), ")"]
        }
        10 => sql![name, g.pick(&[" IS NULL", " IS NOT NULL", " IS NOT NULL"])],
        _ => {
            let items = (0..=g.below(3)).map(|_| g.constant(ty)).collect();
            sql![name, " = ANY (ARRAY[", Node::commas(items), "])"]
        }
    }
}

/// A type whose values compare with those of `ty`.
fn compared_with(g: &mut Generator, ty: Type) -> Type {
    if g.chance(0.6) {
        return ty;
    }
    match ty {
        Type::Int2 | Type::Int4 | Type::Int8 => {
            g.pick(&[Type::Int2, Type::Int4, Type::Int8, Type::Numeric, Type::Float8])
        }
        Type::Numeric => g.pick(&[Type::Int4, Type::Int8, Type::Float8]),
        Type::Text => Type::Varchar,
        Type::Date => g.pick(&[Type::Timestamp, Type::Timestamptz]),
        _ => ty,
    }
}
