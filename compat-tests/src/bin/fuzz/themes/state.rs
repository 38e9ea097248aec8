//! A table of its own that is changed, flushed and read in turns, with savepoints and rollbacks.

use crate::case::{Case, Protocol, Step, Strictness};
use crate::expressions::Generator;
use crate::scope::{Relation, Scope};
use crate::sql;
use crate::tables::{self, Table};
use crate::themes::changes;
use crate::tree::Node;

/// The table, and the columns it takes after.
const NAME: &str = "s1";

/// Changes of the table's definition.
const DEFINITIONS: &[&str] = &[
    "TRUNCATE s1",
    "ALTER TABLE s1 ADD COLUMN e int4 DEFAULT 7",
    "ALTER TABLE s1 ADD COLUMN g text GENERATED ALWAYS AS (upper(t) || '!') STORED",
    "ALTER TABLE s1 ALTER COLUMN t SET DEFAULT 'absent'",
    "ALTER TABLE s1 ALTER COLUMN n SET NOT NULL",
    "ALTER TABLE s1 ADD CHECK (s < 5)",
    "ALTER TABLE s1 ALTER COLUMN a TYPE int8",
    "ALTER TABLE s1 ALTER COLUMN b TYPE numeric USING b + 0.5",
    "ALTER TABLE s1 ALTER COLUMN n TYPE numeric(6,1)",
    "ALTER TABLE s1 DROP COLUMN bo",
    "ALTER TABLE s1 RENAME COLUMN s TO z",
    "CREATE INDEX ON s1 (lower(t)) WHERE a > 1",
    "CREATE INDEX ON s1 (b DESC)",
];

/// A dozen or two of steps.
pub(crate) fn case(g: &mut Generator) -> Case {
    let model = g.pick(&["t1", "t2", "t3", "t5"]);
    let table = tables::ALL.iter().find(|t| t.name == model).expect("the names are the tables'");
    let mut steps: Vec<Step> = table.definition(NAME).into_iter().map(Step::fixed).collect();
    for id in 1..12 {
        steps.push(Step::droppable(changes::plain_insert(g, table, NAME, id)));
    }
    let mut open = false;
    for _ in 0..8 + g.below(10) {
        step(g, table, &mut open, &mut steps);
    }
    if open {
        steps.push(Step::droppable(g.pick(&["COMMIT", "ROLLBACK"])));
    }
    steps.push(Step::droppable(format!("SELECT * FROM {NAME}")));
    Case {
        steps,
        cleanup: vec!["ROLLBACK".to_owned(), format!("DROP TABLE IF EXISTS {NAME}")],
        protocol: Protocol::Simple,
        strictness: Strictness::Equal,
    }
}

fn step(g: &mut Generator, table: &'static Table, open: &mut bool, steps: &mut Vec<Step>) {
    let node: Node = match g.below(12) {
        0..5 => changes::change(g, table, NAME),
        5 | 6 if !*open => format!("SELECT kalam_flush('{NAME}')").into(),
        7 if *open => {
            *open = false;
            g.pick(&["COMMIT", "COMMIT", "ROLLBACK"]).into()
        }
        7 => {
            *open = true;
            g.pick(&["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"]).into()
        }
        8 if *open => g
            .pick(&["SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO b", "RELEASE a"])
            .into(),
        9 => format!("SELECT * FROM {NAME}").into(),
        10 if g.chance(0.4) => g.pick(DEFINITIONS).into(),
        _ => read(g, table),
    };
    steps.push(Step::droppable(node));
}

/// A read by whatever condition, in an order, or of aggregates.
fn read(g: &mut Generator, table: &'static Table) -> Node {
    let scope = Scope { relations: vec![Relation::of_table(table, "x")], outer: None };
    let filter = g.filter(&scope, 1);
    let types = g.some_types(3);
    match g.below(3) {
        0 => {
            let groups = g.aggregated(&[], &types, &scope);
            let grouped = Scope { relations: vec![groups], outer: None };
            sql!["SELECT ", g.items(&types, &grouped, 1), format!(" FROM {NAME} x"), filter]
        }
        1 => {
            let keys: Vec<Node> = scope.key().into_iter().map(|k| sql![k, g.direction()]).collect();
            let items = g.items(&types, &scope, 1);
            let head = sql!["SELECT ", items, format!(" FROM {NAME} x"), filter];
            sql![head, " ORDER BY ", Node::all_of(keys), g.limit()]
        }
        _ => sql!["SELECT ", g.items(&types, &scope, 1), format!(" FROM {NAME} x"), filter],
    }
}
