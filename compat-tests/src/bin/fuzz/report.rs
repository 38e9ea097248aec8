//! How differences are told apart, and how they are shown.

use std::fmt::Write;

use crate::answer::Answer;
use crate::case::{Case, Protocol, Step};
use crate::compare::{Kind, Outcome, Verdict};
use crate::tree::{Value, literal};
use crate::types::quoted;

/// Rows of an answer that are shown.
const MAX_ROWS: usize = 12;

/// What an outcome says, without names and numbers: equal for one cause, mostly.
pub(crate) fn words(outcome: &Outcome) -> String {
    let side = |answer: &Answer| match answer {
        Answer::Rows { .. } => "rows".to_owned(),
        Answer::Error { state, message } => format!("{state} {}", plain(message)),
        Answer::Lost(_) => "connection lost".to_owned(),
    };
    let state = outcome.oracle.state().unwrap_or("rows");
    format!("{:?} {} | {state}", outcome.verdict, side(&outcome.ours))
}

/// A message up to its first colon, without what is quoted and without numbers.
pub(crate) fn plain(message: &str) -> String {
    let head = message.split(": ").next().unwrap_or(message);
    let mut out = String::new();
    let mut quoted = false;
    for c in head.chars().take(120) {
        if c == '"' {
            quoted = !quoted;
        }
        if !quoted && !c.is_ascii_digit() {
            out.push(c);
        }
    }
    out
}

/// What a reduced case looks like without its names and constants: by it differences in rows are
/// told apart.
pub(crate) fn shape(case: &Case, outcome: &Outcome) -> String {
    let mut out = words(outcome);
    for step in &case.steps {
        let sql = step.node.literal_sql();
        let mut in_text = false;
        let mut previous = ' ';
        for c in sql.chars() {
            if c == '\'' {
                in_text = !in_text;
            } else if !in_text && !c.is_ascii_digit() {
                out.push(c);
            }
            previous = c;
        }
        out.push(if previous == ';' { ' ' } else { ';' });
    }
    out
}

/// The case as a script for psql, and both answers.
pub(crate) fn script(theme: &str, number: u64, case: &Case, outcome: &Outcome) -> String {
    let mut out = String::new();
    let Verdict::Different(kind) = &outcome.verdict else { return out };
    let _ = writeln!(out, "-- {theme} case {number}: {kind:?}");
    let last = case.steps.len() - 1;
    for (i, step) in case.steps.iter().enumerate() {
        write_step(&mut out, case, step, outcome, i == last);
    }
    for sql in &case.cleanup {
        let _ = writeln!(out, "{sql};");
    }
    // Of rows only those that one of the answers lacks say anything.
    let (oracle, ours) = match kind {
        Kind::Rows => {
            (without(&outcome.oracle, &outcome.ours), without(&outcome.ours, &outcome.oracle))
        }
        _ => (outcome.oracle.clone(), outcome.ours.clone()),
    };
    write_answer(&mut out, "PostgreSQL", &oracle);
    write_answer(&mut out, "KalamDB", &ours);
    out
}

/// An answer less the rows that another has as well.
fn without(answer: &Answer, other: &Answer) -> Answer {
    let mut answer = answer.clone();
    if let (Answer::Rows { rows, .. }, Answer::Rows { rows: others, .. }) = (&mut answer, other) {
        let mut others = others.clone();
        rows.retain(|row| match others.iter().position(|o| o == row) {
            Some(place) => {
                others.swap_remove(place);
                false
            }
            None => true,
        });
    }
    answer
}

fn write_step(out: &mut String, case: &Case, step: &Step, outcome: &Outcome, last: bool) {
    let (sql, parameters) = step.node.parameter_sql();
    match case.protocol {
        Protocol::Prepared { runs, seed, .. } if !parameters.is_empty() => {
            let inferred = |p: &Value| case.protocol.declared(p) == 0;
            let name = |p: &Value| if inferred(p) { "unknown" } else { p.ty.name() };
            let types: Vec<&str> = parameters.iter().map(name).collect();
            let _ = writeln!(out, "PREPARE s ({}) AS {sql};", types.join(", "));
            for run in 0..runs {
                let values: Vec<_> = parameters.iter().map(|p| p.at_run(run, seed)).collect();
                let texts: Vec<_> = parameters
                    .iter()
                    .zip(&values)
                    .map(|(p, v)| match v {
                        Some(text) if inferred(p) => quoted(text),
                        _ => literal(p.ty, v.as_deref(), false),
                    })
                    .collect();
                let _ = writeln!(out, "EXECUTE s ({});", texts.join(", "));
                if last && values == outcome.values {
                    break;
                }
            }
            let _ = writeln!(out, "DEALLOCATE s;");
        }
        Protocol::Prepared { .. } | Protocol::Simple => {
            let _ = writeln!(out, "{};", step.node.literal_sql());
        }
    }
}

fn write_answer(out: &mut String, who: &str, answer: &Answer) {
    match answer {
        Answer::Error { state, message } => {
            let _ = writeln!(out, "-- {who}: {state} {}", message.replace('\n', " "));
        }
        Answer::Lost(error) => {
            let _ = writeln!(out, "-- {who}: {error}");
        }
        Answer::Rows { columns, rows, tag, parameters } => {
            let columns: Vec<String> =
                columns.iter().map(|c| format!("{} {}/{}", c.name, c.type_oid, c.typmod)).collect();
            let _ = writeln!(out, "-- {who}: {tag} ({}) {parameters:?}", columns.join(", "));
            for row in rows.iter().take(MAX_ROWS) {
                let values: Vec<&str> =
                    row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect();
                let _ = writeln!(out, "--   {}", values.join(" | ").replace('\n', "\\n"));
            }
            if rows.len() > MAX_ROWS {
                let _ = writeln!(out, "--   ... {} rows", rows.len());
            }
        }
    }
}
