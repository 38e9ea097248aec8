//! Window functions and frames.
//!
//! What depends on the order of peers (`row_number`, ROWS frames) gets an order that has none. Where
//! rows may be equal in all columns, that order still leaves them for the server to tell apart, and
//! it may do so otherwise for each call; so there is one such call at most.

use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Column, Relation, Scope};
use crate::sql;
use crate::tree::{Node, Role};
use crate::types::{self, Type};

impl Generator {
    /// SELECT with window calls.
    pub(crate) fn windowed(&mut self, types: &[Type], outer: Option<&Scope>, depth: u32) -> Node {
        let (from, relations) = self.from(outer, From { joins: 1, depth, outer: true });
        let scope = Scope { relations, outer };
        let filter = self.filter(&scope, depth.min(1));
        let own = Scope { relations: scope.relations.clone(), outer: None };
        let windowed = self.window_calls(types, &own);
        let items = self.items(types, &windowed, 1);
        sql!["SELECT ", items, " FROM ", from, filter].part(Role::Query(types.to_vec()))
    }

    /// Calls of the types wanted, beside a few columns.
    pub(crate) fn window_calls(&mut self, types: &[Type], scope: &Scope) -> Scope<'static> {
        let kept = std::mem::take(&mut self.subqueries);
        let unique = scope.relations.iter().all(|r| r.unique);
        let mut columns: Vec<Column> = Vec::new();
        for (i, ty) in types.iter().chain(&[Type::Int8]).enumerate() {
            let node = call(self, *ty, scope, unique || i == 0);
            columns.push(Column { node, ty: *ty });
        }
        self.subqueries = kept;
        columns.extend(scope.columns().take(6).cloned());
        let windowed = Relation { alias: String::new(), columns, key: Vec::new(), unique: false };
        Scope { relations: vec![windowed], outer: None }
    }
}

/// Whether a call sees the order of peers, and which frames it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Peers are alike to it.
    OfPeers,
    /// Needs a total order; has no frame.
    TotalUnframed,
    /// Needs a total order.
    Total,
}

/// A call, or a column where it would need a total order and may not have one.
fn call(g: &mut Generator, ty: Type, scope: &Scope, total: bool) -> Node {
    let (function, order) = function(g, ty, scope);
    if order != Order::OfPeers && !total {
        return g.leaf(ty, scope);
    }
    sql![function, " OVER (", window(g, scope, (order, total)), ")"].value(ty)
}

fn function(g: &mut Generator, ty: Type, scope: &Scope) -> (Node, Order) {
    match (ty, g.below(8)) {
        (Type::Int8, 0) => ("rank()".into(), Order::OfPeers),
        (Type::Int8, 1) => ("dense_rank()".into(), Order::OfPeers),
        (Type::Int8, 2) => ("row_number()".into(), Order::TotalUnframed),
        (Type::Float8, 0) => ("percent_rank()".into(), Order::OfPeers),
        (Type::Float8, 1) => ("cume_dist()".into(), Order::OfPeers),
        (Type::Int4, 0) => {
            (g.pick(&["ntile(3)", "ntile(1)", "ntile(50)"]).into(), Order::TotalUnframed)
        }
        (_, 3..6) => {
            let argument = g.leaf(ty, scope);
            positional(g, ty, argument, scope)
        }
        _ => aggregate(g, ty, scope),
    }
}

/// An aggregate over the rows of the frame.
fn aggregate(g: &mut Generator, ty: Type, scope: &Scope) -> (Node, Order) {
    let (functions, of): (&[&str], Type) = match ty {
        Type::Bool => (&["bool_and(", "bool_or(", "every("], Type::Bool),
        Type::Int8 if g.chance(0.5) => (&["sum(", "sum(", "count("], Type::Int4),
        Type::Int8 => (&["bit_and(", "bit_or(", "bit_xor(", "max(", "count("], Type::Int8),
        Type::Numeric if g.chance(0.5) => (&["avg(", "variance(", "stddev_pop("], Type::Int4),
        Type::Numeric => (&["sum(", "avg(", "min(", "max("], Type::Numeric),
        Type::Float8 => (&["sum(", "avg(", "max("], Type::Float8),
        Type::Int4Array => (&["array_agg("], Type::Int4),
        Type::TextArray => (&["array_agg("], Type::Text),
        Type::Jsonb => (&["jsonb_agg("], Type::Text),
        _ if types::WITH_MAXIMUM.contains(&ty) => (&["min(", "max("], ty),
        _ => {
            let argument = g.leaf(ty, scope);
            return (sql!["first_value(", argument, ")"], Order::Total);
        }
    };
    let function = g.pick(functions);
    let order = if function.ends_with("_agg(") { Order::Total } else { Order::OfPeers };
    let filter = if g.chance(0.2) {
        sql![" FILTER (WHERE ", g.condition(scope, 0), ")"].optional()
    } else {
        Node::empty()
    };
    if function == "count(" && g.chance(0.5) {
        return (sql!["count(*)", filter], order);
    }
    (sql![function, g.value(of, scope, 1), ")", filter], order)
}

/// A function that takes one row's value.
fn positional(g: &mut Generator, ty: Type, argument: Node, scope: &Scope) -> (Node, Order) {
    match g.below(5) {
        0 => (sql!["first_value(", argument, ")"], Order::Total),
        1 => (sql!["last_value(", argument, ")"], Order::Total),
        2 => (sql!["nth_value(", argument, g.pick(&[", 1)", ", 2)", ", 5)"])], Order::Total),
        _ => {
            let function = g.pick(&["lag(", "lead("]);
            let offset = g.pick(&[", 1", ", 2", ", 0", ", -1"]);
            let default = if g.chance(0.5) {
                sql![", ", g.leaf(ty, scope)].optional()
            } else {
                Node::empty()
            };
            (sql![function, argument, sql![offset, default].optional(), ")"], Order::TotalUnframed)
        }
    }
}

fn window(g: &mut Generator, scope: &Scope, (order, total): (Order, bool)) -> Node {
    let partition = if g.chance(0.5) { partition(g, scope) } else { Node::empty() };
    let mut keys: Vec<Node> = Vec::new();
    if order != Order::OfPeers || g.chance(0.8) {
        let ty = g.any_type();
        keys.extend(g.column(ty, scope).map(|c| sql![c, g.direction()]));
    }
    if order == Order::OfPeers && !(total && g.chance(0.3)) {
        return sql![partition, peers_order_and_frame(g, scope, keys)];
    }
    for key in scope.key() {
        keys.push(sql![key, g.direction()]);
    }
    let frame = match order {
        Order::TotalUnframed => Node::empty(),
        Order::OfPeers | Order::Total => {
            let mode = g.pick(&["ROWS", "ROWS", "GROUPS"]);
            frame(g, mode, true)
        }
    };
    sql![partition, "ORDER BY ", Node::all_of(keys), frame]
}

fn partition(g: &mut Generator, scope: &Scope) -> Node {
    let count = 1 + g.below(2);
    let columns: Vec<Node> = (0..count)
        .filter_map(|_| {
            let ty = g.any_type();
            g.column(ty, scope)
        })
        .collect();
    if columns.is_empty() {
        return Node::empty();
    }
    sql!["PARTITION BY ", Node::commas(columns), " "].optional()
}

/// An order under which peers remain, with a frame that doesn't tell them apart.
fn peers_order_and_frame(g: &mut Generator, scope: &Scope, keys: Vec<Node>) -> Node {
    let offset = match g.below(4) {
        0 => Some((Type::Int4, ["1", "2", "0"])),
        1 => Some((Type::Date, ["'1 day'", "'1 month'", "'0 days'"])),
        2 => Some((Type::Timestamp, ["'12 hours'", "'1 year'", "'1 month'"])),
        _ => None,
    };
    if let Some((ty, offsets)) = offset
        && let Some(column) = g.column(ty, scope)
        && g.chance(0.5)
    {
        let direction = g.direction();
        let (start, end) = range_bounds(g, &offsets);
        return sql!["ORDER BY ", column, direction, format!(" RANGE BETWEEN {start} AND {end}")];
    }
    if keys.is_empty() {
        return Node::empty();
    }
    let mode = g.pick(&["RANGE", "GROUPS", "GROUPS"]);
    let frame = if g.chance(0.6) { frame(g, mode, mode == "GROUPS") } else { Node::empty() };
    sql!["ORDER BY ", Node::all_of(keys), frame]
}

fn range_bounds(g: &mut Generator, offsets: &[&str]) -> (String, String) {
    let mut offset = |direction: &str| format!("{} {direction}", g.pick(offsets));
    let (before, after) = (offset("PRECEDING"), offset("FOLLOWING"));
    match g.below(6) {
        0 => ("UNBOUNDED PRECEDING".to_owned(), after),
        1 => (before, "CURRENT ROW".to_owned()),
        2 => ("CURRENT ROW".to_owned(), after),
        3 => (before, "UNBOUNDED FOLLOWING".to_owned()),
        4 => ("CURRENT ROW".to_owned(), "UNBOUNDED FOLLOWING".to_owned()),
        _ => (before, after),
    }
}

fn frame(g: &mut Generator, mode: &str, offsets: bool) -> Node {
    let bounds = if offsets {
        g.pick(&[
            "1 PRECEDING",
            "BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            "BETWEEN 2 PRECEDING AND 1 PRECEDING",
            "BETWEEN 1 FOLLOWING AND 3 FOLLOWING",
            "BETWEEN CURRENT ROW AND 2 FOLLOWING",
            "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
            "UNBOUNDED PRECEDING",
            "BETWEEN 0 PRECEDING AND 0 FOLLOWING",
        ])
    } else {
        g.pick(&[
            "UNBOUNDED PRECEDING",
            "CURRENT ROW",
            "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
        ])
    };
    let exclusion = if g.chance(0.05) {
        g.pick(&[" EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS"])
    } else {
        ""
    };
    sql![" ", mode, " ", bounds, Node::from(exclusion).optional()].optional()
}
