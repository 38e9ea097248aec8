//! INSERT, UPDATE and DELETE with FROM, USING, ON CONFLICT and RETURNING, in a transaction whose
//! rows are compared before it is rolled back.
//!
//! Whichever of several rows of FROM an UPDATE would take, and whichever of several new rows ON
//! CONFLICT DO NOTHING would keep, is the plan's choice; so there is never more than one.

use rand::Rng;

use crate::case::{Case, Protocol, Step, Strictness};
use crate::expressions::Generator;
use crate::relations::From;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tables::{self, Table};
use crate::tree::Node;
use crate::types::{Type, quoted};

/// A transaction of one to three changes.
pub(crate) fn case(g: &mut Generator) -> Case {
    g.subqueries = u32::from(g.chance(0.4));
    let mut steps = vec![Step::fixed("BEGIN")];
    for _ in 0..=g.below(3) {
        let name = g.pick(&["t1", "t2", "t3", "t4", "t5"]);
        let table = tables::ALL.iter().find(|t| t.name == name).expect("the names are the tables'");
        let change = change(g, table, table.name);
        let change = if g.chance(0.15) { beside_a_query(g, table, change) } else { change };
        steps.push(Step::droppable(change));
        steps.push(Step::droppable(format!("SELECT * FROM {name}")));
    }
    Case {
        steps,
        cleanup: vec!["ROLLBACK".to_owned()],
        protocol: Protocol::Simple,
        strictness: Strictness::Equal,
    }
}

/// The change in WITH, beside a query that doesn't see it.
fn beside_a_query(g: &mut Generator, table: &'static Table, change: Node) -> Node {
    let (from, relations) = g.from(None, From { joins: 1, depth: 0, outer: true });
    let types = g.some_types(2);
    let items = g.items(&types, &Scope { relations, outer: None }, 1);
    let seen = Relation::of_table(table, "z");
    let condition = g.condition(&Scope { relations: vec![seen], outer: None }, 1);
    let count = sql![format!("(SELECT count(*) FROM {} z WHERE ", table.name), condition, ")"];
    sql!["WITH w AS (", change, ") SELECT ", items, ", ", count, " AS n FROM ", from]
}

/// A change of a table that has a table's columns, under a name.
pub(crate) fn change(g: &mut Generator, table: &'static Table, name: &str) -> Node {
    match g.below(10) {
        0..3 => insert(g, table, name),
        3..7 => update(g, table, name),
        _ => delete(g, table, name),
    }
}

fn insert(g: &mut Generator, table: &'static Table, name: &str) -> Node {
    let attributes = table.attributes();
    let kept: Vec<(&str, Type)> = attributes
        .into_iter()
        .filter(|(column, _)| table.key.contains(column) || g.chance(0.6))
        .collect();
    let columns: Vec<&str> = kept.iter().map(|(column, _)| *column).collect();
    let rows = if table.id.is_some() && g.chance(0.3) {
        selected_rows(g, table, &kept)
    } else {
        let rows = (0..=g.below(3)).map(|_| new_row(g, &kept)).collect();
        sql!["VALUES ", Node::commas(rows)]
    };
    let head = sql![format!("INSERT INTO {name} AS x ({}) ", columns.join(", ")), rows];
    let scope = Scope { relations: vec![Relation::of_table(table, "x")], outer: None };
    let conflict = match g.below(4) {
        0 => Node::from(" ON CONFLICT DO NOTHING"),
        1 if !table.key.is_empty() => {
            let set = assignments(g, table, &scope, true);
            let filter = g.filter(&scope, 1);
            sql![format!(" ON CONFLICT ({}) DO UPDATE SET ", table.key.join(", ")), set, filter]
        }
        _ => Node::empty(),
    };
    sql![head, conflict.optional(), returning(g, &scope)]
}

fn new_row(g: &mut Generator, columns: &[(&str, Type)]) -> Node {
    let values = columns
        .iter()
        .map(|(column, ty)| match *column {
            "id" => Node::from(g.rng.random_range(1..40).to_string()),
            _ => g.constant(*ty),
        })
        .collect();
    sql!["(", Node::all_of(values), ")"]
}

/// Rows of the table itself under new ids.
fn selected_rows(g: &mut Generator, table: &'static Table, columns: &[(&str, Type)]) -> Node {
    let scope = Scope { relations: vec![Relation::of_table(table, "y")], outer: None };
    let shift = g.pick(&["100", "1000", "0"]);
    let values = columns
        .iter()
        .map(|(column, ty)| match *column {
            "id" => Node::from(format!("y.id + {shift}")),
            _ => g.value(*ty, &scope, 1),
        })
        .collect();
    let filter = g.filter(&scope, 1);
    sql!["SELECT ", Node::all_of(values), format!(" FROM {} y", table.name), filter]
}

/// SET's list: columns other than the key's, seldom these.
fn assignments(g: &mut Generator, table: &Table, scope: &Scope, upsert: bool) -> Node {
    let attributes: Vec<(&str, Type)> = table
        .attributes()
        .into_iter()
        .filter(|(column, _)| !table.key.contains(column) || g.chance(0.1))
        .collect();
    let mut chosen: Vec<(&str, Type)> = Vec::new();
    for _ in 0..=g.below(3) {
        let attribute = attributes[g.below(attributes.len())];
        if !chosen.contains(&attribute) {
            chosen.push(attribute);
        }
    }
    let list = chosen
        .into_iter()
        .map(|(column, ty)| {
            let value = match g.below(6) {
                0 if upsert => Node::from(format!("EXCLUDED.{column}")),
                1 if !table.key.contains(&column) => "DEFAULT".into(),
                _ => g.value(ty, scope, 1),
            };
            sql![format!("{column} = "), value]
        })
        .collect();
    Node::commas(list)
}

fn update(g: &mut Generator, table: &'static Table, name: &str) -> Node {
    let own = Relation::of_table(table, "x");
    let (from, scope) = if g.chance(0.4) { source(g, own) } else { alone(own) };
    let set = assignments(g, table, &scope, false);
    let condition = g.condition(&scope, 1);
    let (from, link) = from;
    let head = sql![format!("UPDATE {name} AS x SET "), set, from];
    sql![head, where_clause(link, condition), returning(g, &scope)]
}

fn delete(g: &mut Generator, table: &'static Table, name: &str) -> Node {
    let own = Relation::of_table(table, "x");
    let target = Scope { relations: vec![own.clone()], outer: None };
    if g.chance(0.4) {
        let (using, mut relations) = g.from(None, From { joins: 1, depth: 1, outer: true });
        relations.push(own);
        let scope = Scope { relations, outer: None };
        let condition = g.condition(&scope, 1);
        let head = sql![format!("DELETE FROM {name} AS x USING "), using];
        return sql![head, " WHERE ", condition, returning(g, &target)];
    }
    let condition = g.condition(&target, 2);
    let head = Node::from(format!("DELETE FROM {name} AS x"));
    sql![head, sql![" WHERE ", condition].optional(), returning(g, &target)]
}

fn alone(own: Relation) -> ((Node, Option<Node>), Scope<'static>) {
    ((Node::empty(), None), Scope { relations: vec![own], outer: None })
}

/// FROM a query with one row per value, and the condition that chooses it.
fn source(g: &mut Generator, own: Relation) -> ((Node, Option<Node>), Scope<'static>) {
    let keys: Vec<_> = own
        .columns
        .iter()
        .filter(|c| matches!(c.ty, Type::Int4 | Type::Text | Type::Date | Type::Int8))
        .cloned()
        .collect();
    let key = keys[g.below(keys.len())].clone();
    let alias = g.alias();
    let (from, relations) = g.from(None, From { joins: 1, depth: 0, outer: true });
    let inner = Scope { relations, outer: None };
    let column = g.column(key.ty, &inner);
    let second = g.any_type();
    let types = [key.ty, second];
    let (query, link) = match column {
        Some(column) => {
            let aggregate = g.aggregate(second, &inner);
            let query =
                sql!["SELECT ", column.clone(), " AS c0, ", aggregate, " AS c1 FROM ", from];
            (sql![query, " GROUP BY ", column], Some(sql![key.node, format!(" = {alias}.c0")]))
        }
        None => {
            let (first, second) = (g.constant(key.ty), g.constant(second));
            (sql!["SELECT ", first, " AS c0, ", second, " AS c1"], None)
        }
    };
    let relation = Relation::of_query(&types, &alias);
    let from = sql![" FROM (", query, ") ", alias];
    ((from, link), Scope { relations: vec![own, relation], outer: None })
}

fn where_clause(link: Option<Node>, condition: Node) -> Node {
    match link {
        Some(link) => sql![" WHERE ", link, sql![" AND ", condition].optional()],
        None => sql![" WHERE ", condition].optional(),
    }
}

fn returning(g: &mut Generator, scope: &Scope) -> Node {
    match g.below(4) {
        0 => Node::from(" RETURNING x.*").optional(),
        1 => {
            let types = g.some_types(2);
            sql![" RETURNING ", g.items(&types, scope, 1)].optional()
        }
        _ => Node::empty(),
    }
}

/// A row of constants for a table, as `INSERT` takes it.
pub(crate) fn plain_insert(g: &mut Generator, table: &Table, name: &str, id: usize) -> String {
    let row: Vec<String> = table
        .attributes()
        .into_iter()
        .map(|(column, ty)| match column {
            "id" => id.to_string(),
            _ => ty.some_value(&mut g.rng, false).map_or_else(|| "NULL".to_owned(), quoted),
        })
        .collect();
    format!("INSERT INTO {name} VALUES ({})", row.join(", "))
}
