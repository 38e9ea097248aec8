//! Whether two answers are the same.

use kalamdb_compat_tests::wire::Column;

use crate::Result;
use crate::answer::{Answer, Side};
use crate::case::{Case, Protocol, Strictness};
use crate::tables;

/// Digits of a `float8` that two orders of summation agree on.
const FLOAT_DIGITS: usize = 11;
/// The OIDs of `float8` and `numeric`.
const FLOAT8: u32 = 701;
const NUMERIC: u32 = 1700;

/// In what two answers differ, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// KalamDB failed in itself: XX000, or the connection is gone.
    Internal,
    /// Other rows, or as many others of them changed.
    Rows,
    /// The same rows in an order that ORDER BY forbids.
    Order,
    /// Names, types or type modifiers of the result's columns, or types of parameters.
    Columns,
    /// KalamDB fails where PostgreSQL does not.
    Fails,
    /// PostgreSQL fails where KalamDB does not.
    Accepts,
    /// Both fail, with other SQLSTATEs.
    SqlState,
    /// KalamDB alone took longer than `statement_timeout`.
    Slow,
}

/// What the comparison of two answers came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Same,
    /// Both fail with this SQLSTATE, or with two that the order of evaluation chooses between.
    BothFail(String),
    /// KalamDB says that it doesn't have this (0A000).
    Refused(String),
    /// An error of one server that depends on the order of evaluation.
    EvaluationOrder,
    Different(Kind),
}

/// Where a case's answers stopped being the same, or how its last step ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) step: usize,
    pub(crate) oracle: Answer,
    pub(crate) ours: Answer,
    /// The values the prepared statement was run with, where it was.
    pub(crate) values: Vec<Option<String>>,
    /// Executions compared.
    pub(crate) executions: u32,
}

/// Both servers.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) oracle: Side,
    pub(crate) ours: Side,
}

impl Pair {
    /// Runs a case on both, up to the first step whose answers are not the same.
    pub(crate) fn run(&mut self, case: &Case) -> Result<Outcome> {
        let mut last = Outcome {
            verdict: Verdict::Same,
            step: 0,
            oracle: Answer::nothing(),
            ours: Answer::nothing(),
            values: Vec::new(),
            executions: 0,
        };
        for step in 0..case.steps.len() {
            last = self.run_step(case, step, last.executions)?;
            // What one server alone did leaves the two with other rows.
            let goes_on = match last.verdict {
                Verdict::Same => true,
                Verdict::BothFail(_) => last.ours.state().is_some(),
                Verdict::Refused(_) | Verdict::EvaluationOrder | Verdict::Different(_) => false,
            };
            if !goes_on {
                break;
            }
        }
        for sql in &case.cleanup {
            self.oracle.query(sql)?;
            self.ours.query(sql)?;
        }
        Ok(last)
    }

    fn run_step(&mut self, case: &Case, step: usize, executions: u32) -> Result<Outcome> {
        let node = &case.steps[step].node;
        let order = node.sort_keys();
        let outcome = |oracle: Answer, ours: Answer, values, executions| Outcome {
            verdict: verdict(&oracle, &ours, &order, case.strictness),
            step,
            oracle,
            ours,
            values,
            executions,
        };
        let (sql, parameters) = node.parameter_sql();
        let (runs, seed) = match case.protocol {
            Protocol::Prepared { runs, seed, .. } if is_preparable(&sql) => (runs, seed),
            Protocol::Prepared { .. } | Protocol::Simple => {
                let sql = node.literal_sql();
                let oracle = self.oracle.query(&sql)?;
                let ours = self.ours.query(&sql)?;
                // Its answer is KalamDB's own affair, unless it fails.
                let ours = match ours {
                    Answer::Rows { .. } if tables::is_kalamdbs(&sql) => Answer::nothing(),
                    ours => ours,
                };
                let (oracle, ours) = (without_modifiers(oracle), without_modifiers(ours));
                return Ok(outcome(oracle, ours, Vec::new(), executions + 1));
            }
        };
        let oids: Vec<u32> = parameters.iter().map(|p| case.protocol.declared(p)).collect();
        let oracle = self.oracle.prepare(&sql, &oids)?;
        let ours = self.ours.prepare(&sql, &oids)?;
        let mut last = outcome(oracle, ours, Vec::new(), executions);
        for run in 0..runs {
            if last.verdict != Verdict::Same {
                break;
            }
            let values: Vec<_> = parameters.iter().map(|p| p.at_run(run, seed)).collect();
            let oracle = described(&last.oracle, self.oracle.execute(&values)?);
            let ours = described(&last.ours, self.ours.execute(&values)?);
            last = outcome(oracle, ours, values, executions + run + 1);
        }
        Ok(last)
    }
}

fn is_preparable(sql: &str) -> bool {
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "(", "TABLE"];
    verbs.iter().any(|verb| sql.starts_with(verb)) && !tables::is_kalamdbs(sql)
}

/// An execution's rows under the columns that the statement's description announced.
fn described(description: &Answer, answer: Answer) -> Answer {
    match (description, answer) {
        (Answer::Rows { columns, .. }, Answer::Rows { rows, tag, parameters, .. }) => {
            Answer::Rows { columns: columns.clone(), rows, tag, parameters }
        }
        (_, answer) => answer,
    }
}

/// For a simple query PostgreSQL announces the modifiers of what its planner has made of an
/// expression (`COALESCE(x::varchar(8), y)` is its first argument if that is a constant).
fn without_modifiers(answer: Answer) -> Answer {
    match answer {
        Answer::Rows { mut columns, rows, tag, parameters } => {
            columns.iter_mut().for_each(|column| column.typmod = -1);
            Answer::Rows { columns, rows, tag, parameters }
        }
        other => other,
    }
}

/// Compares two answers to one statement.
fn verdict(oracle: &Answer, ours: &Answer, order: &[String], strictness: Strictness) -> Verdict {
    match (oracle, ours) {
        (_, Answer::Lost(_)) => Verdict::Different(Kind::Internal),
        (Answer::Lost(_), _) => Verdict::EvaluationOrder,
        // What PostgreSQL's planner can't do, KalamDB need not refuse.
        (Answer::Error { state, .. }, _) if state == "0A000" => Verdict::BothFail(state.clone()),
        (_, Answer::Error { state, .. }) if state.starts_with("XX") => {
            Verdict::Different(Kind::Internal)
        }
        (_, Answer::Error { state, message }) if state == "0A000" => {
            if is_internal(message) {
                Verdict::Different(Kind::Internal)
            } else {
                Verdict::Refused(message.clone())
            }
        }
        (Answer::Error { state, .. }, _) if state == "57014" => Verdict::EvaluationOrder,
        (_, Answer::Error { state, .. }) if state == "57014" => Verdict::Different(Kind::Slow),
        (Answer::Error { state: theirs, .. }, Answer::Error { state, .. }) => {
            let by_order = |state: &str| is_of_a_row(state) || state.starts_with("23");
            if state == theirs || (by_order(state) && by_order(theirs)) {
                Verdict::BothFail(theirs.clone())
            } else {
                Verdict::Different(Kind::SqlState)
            }
        }
        // PostgreSQL evaluates constants when it plans, whether there is a row or not.
        (Answer::Error { state, .. }, Answer::Rows { rows, .. })
            if rows.is_empty() && is_of_a_row(state) =>
        {
            Verdict::EvaluationOrder
        }
        (Answer::Error { state, .. }, Answer::Rows { .. }) => {
            one_fails(state, strictness, Kind::Accepts)
        }
        (Answer::Rows { .. }, Answer::Error { state, .. }) => {
            one_fails(state, strictness, Kind::Fails)
        }
        (Answer::Rows { .. }, Answer::Rows { .. }) => rows_verdict(oracle, ours, order, strictness),
    }
}

fn one_fails(state: &str, strictness: Strictness, kind: Kind) -> Verdict {
    if strictness == Strictness::Equal && is_of_a_row(state) {
        Verdict::EvaluationOrder
    } else {
        Verdict::Different(kind)
    }
}

/// Errors that a row's values raise: which of them comes first, and whether the row is looked at,
/// depends on the plan.
fn is_of_a_row(state: &str) -> bool {
    state.starts_with("22") || state == "21000"
}

/// Refusals in the words of the planner rather than the engine's own.
fn is_internal(message: &str) -> bool {
    ["Physical plan", "Plan:", "schema", "Schema", "Exec", "DataFusion", "logical"]
        .iter()
        .any(|word| message.contains(word))
}

fn rows_verdict(
    oracle: &Answer,
    ours: &Answer,
    order: &[String],
    strictness: Strictness,
) -> Verdict {
    let (
        Answer::Rows { columns, rows: expected, tag: expected_tag, parameters },
        Answer::Rows { columns: our_columns, rows: found, tag, parameters: our_parameters },
    ) = (oracle, ours)
    else {
        return Verdict::Same;
    };
    if !same_columns(columns, our_columns) || parameters != our_parameters {
        return Verdict::Different(Kind::Columns);
    }
    let (expected, found) =
        (comparable(columns, expected, strictness), comparable(columns, found, strictness));
    let sorted = |rows: &[Row]| {
        let mut rows = rows.to_vec();
        rows.sort();
        rows
    };
    if tag != expected_tag || sorted(&expected) != sorted(&found) {
        return Verdict::Different(Kind::Rows);
    }
    let keys: Vec<usize> =
        order.iter().filter_map(|name| columns.iter().position(|c| c.name == *name)).collect();
    let ordered = |rows: &[Row]| -> Vec<Row> {
        rows.iter().map(|row| keys.iter().map(|k| row[*k].clone()).collect()).collect()
    };
    if ordered(&expected) == ordered(&found) {
        Verdict::Same
    } else {
        Verdict::Different(Kind::Order)
    }
}

type Row = Vec<Option<String>>;

fn same_columns(theirs: &[Column], ours: &[Column]) -> bool {
    theirs.len() == ours.len()
        && theirs
            .iter()
            .zip(ours)
            .all(|(t, o)| t.name == o.name && t.type_oid == o.type_oid && t.typmod == o.typmod)
}

fn comparable(columns: &[Column], rows: &[Row], strictness: Strictness) -> Vec<Row> {
    if strictness == Strictness::Exact {
        return rows.to_vec();
    }
    let one = |(column, value): (&Column, &Option<String>)| {
        value.as_ref().map(|value| match column.type_oid {
            FLOAT8 => value.parse::<f64>().map_or_else(
                |_| value.clone(),
                |v| format!("{:.*e}", FLOAT_DIGITS, if v == 0.0 { 0.0 } else { v }),
            ),
            NUMERIC if value.contains('.') => {
                value.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => value.clone(),
        })
    };
    rows.iter().map(|row| columns.iter().zip(row).map(one).collect()).collect()
}
