//! The differential fuzzer: random statements, run on KalamDB and on PostgreSQL 15, whose answers
//! must be the same.
//!
//! `fuzz [--seed N] [--seconds S] [--cases N] [--only THEME,...] [--start N]`
//!
//! Both servers get the same tables with the same random rows. Each case is a statement, or a few
//! that depend on each other ([`themes`]). It runs as simple queries; as prepared statements with
//! several sets of values, since from the second run on a generic plan may take the place of the
//! first; and as simple queries with other constants, since texts that differ in these alone may
//! share a plan. Rows are compared as sets with multiplicity, besides in the order that ORDER BY
//! asks for; further the columns' names, types and modifiers, command tags and SQLSTATEs
//! ([`compare`]). What differs is made smaller ([`reduce`]) and printed once per cause ([`report`])
//! as a script. What KalamDB refuses (0A000) is counted and listed, and is no difference. Ends
//! with 1 if there was any difference.
//!
//! Case N of a seed and of the same themes is always the same, whatever ran before it; `--start N`
//! begins with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kalamdb_compat_tests::server::Product;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::answer::{Answer, Side};
use crate::case::{Case, Protocol};
use crate::compare::{Kind, Outcome, Pair, Verdict};
use crate::expressions::Generator;
use crate::tree::Node;

mod aggregates;
mod answer;
mod case;
mod compare;
mod expressions;
mod operators;
mod queries;
mod reduce;
mod relations;
mod report;
mod scope;
mod subqueries;
mod tables;
mod themes;
mod tree;
mod types;
mod windows;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Executions of a prepared statement.
const RUNS: u32 = 4;
/// Differences of one kind and one message that are reduced; more are only counted.
const MAX_REDUCED: u32 = 4;
/// The same for rows, which have no message.
const MAX_REDUCED_ROWS: u32 = 60;
/// Longer statements tell little.
const MAX_SQL_BYTES: usize = 6000;
/// Time zones of the session, one by the seed.
const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"];

#[derive(Debug)]
struct Options {
    only: Vec<String>,
    seed: u64,
    seconds: f64,
    cases: u64,
    start: u64,
}

fn main() -> Result<ExitCode> {
    let options = Options::read(std::env::args().skip(1))?;
    let mut fuzzer = Fuzzer::start(&options)?;
    let deadline = Instant::now() + Duration::from_secs_f64(options.seconds);
    let mut number = options.start;
    while Instant::now() < deadline && number < options.start + options.cases {
        fuzzer.run_case(number)?;
        number += 1;
    }
    fuzzer.summary(&options)?;
    Ok(if fuzzer.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of one theme's cases.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    executions: u64,
    /// Cases whose last answer had rows.
    with_rows: u64,
    differences: u64,
    refused: u64,
    evaluation_order: u64,
    /// SQLSTATEs with which both failed.
    both_fail: BTreeMap<String, u64>,
}

struct Fuzzer {
    pair: Pair,
    seed: u64,
    themes: Vec<(&'static str, themes::Theme)>,
    tallies: BTreeMap<&'static str, Tally>,
    /// How often what an outcome says was met.
    met: HashMap<String, u32>,
    /// The shapes of what was reported.
    found: HashSet<String>,
    /// Refusals, with how often they came and an example.
    refusals: BTreeMap<String, (u64, String)>,
    /// What neither server takes, likewise: a generator that makes much of it tells little.
    mistakes: BTreeMap<String, (u64, String)>,
}

impl Fuzzer {
    fn start(options: &Options) -> Result<Fuzzer> {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let zone = *ZONES.choose(&mut rng).expect("there are time zones");
        let setup = tables::setup(&mut rng);
        let mut out = std::io::stdout().lock();
        writeln!(out, "-- seed {}\nSET timezone = '{zone}';", options.seed)?;
        for sql in &setup {
            writeln!(out, "{sql};")?;
        }
        let oracle = Side::start(Product::Postgres, zone, &setup)?;
        let ours = Side::start(Product::peer(), zone, &setup)?;
        let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
        Ok(Fuzzer {
            pair: Pair { oracle, ours },
            seed: options.seed,
            themes: themes::ALL.iter().copied().filter(|(name, _)| chosen(name)).collect(),
            tallies: BTreeMap::new(),
            met: HashMap::new(),
            found: HashSet::new(),
            refusals: BTreeMap::new(),
            mistakes: BTreeMap::new(),
        })
    }

    /// Makes case `number`, and runs it by both protocols.
    fn run_case(&mut self, number: u64) -> Result<()> {
        let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number;
        let mut rng = StdRng::seed_from_u64(seed);
        let (theme, make) = *self.themes.choose(&mut rng).expect("options name a theme");
        let case = make(&mut Generator::new(rng));
        let size: usize = case.steps.iter().map(|s| s.node.literal_sql().len()).max().unwrap_or(0);
        if size > MAX_SQL_BYTES {
            return Ok(());
        }
        self.tallies.entry(theme).or_default().cases += 1;
        let mut verdict = self.run_by(theme, number, &case)?;
        if verdict == Verdict::Same && case.has_values() {
            let inferred = seed.count_ones().is_multiple_of(2);
            let prepared = case.with(Protocol::Prepared { runs: RUNS, seed, inferred });
            verdict = self.run_by(theme, number, &prepared)?;
        }
        if verdict == Verdict::Same && case.has_values() && case.steps.len() == 1 {
            // The same text but for its constants: it may share the first one's plan.
            self.run_by(theme, number, &case.at_run(RUNS, seed))?;
        }
        Ok(())
    }

    fn run_by(&mut self, theme: &'static str, number: u64, case: &Case) -> Result<Verdict> {
        let outcome = self.pair.run(case)?;
        let tally = self.tallies.entry(theme).or_default();
        tally.executions += u64::from(outcome.executions);
        match &outcome.verdict {
            Verdict::Same => {
                let rows = matches!(&outcome.oracle, Answer::Rows { rows, .. } if !rows.is_empty());
                let simple = case.protocol == Protocol::Simple;
                tally.with_rows += u64::from(rows && simple);
            }
            Verdict::BothFail(state) => {
                *tally.both_fail.entry(state.clone()).or_default() += 1;
                if !state.starts_with("22") {
                    note(&mut self.mistakes, state.clone(), &case.steps[outcome.step].node);
                }
            }
            Verdict::EvaluationOrder => tally.evaluation_order += 1,
            Verdict::Refused(message) => {
                tally.refused += 1;
                let node = &case.steps[outcome.step].node;
                note(&mut self.refusals, report::plain(message), node);
            }
            Verdict::Different(kind) => {
                tally.differences += 1;
                self.report(theme, number, case, &outcome, *kind)?;
            }
        }
        Ok(outcome.verdict)
    }

    /// Reduces a difference and prints it, unless it was printed before.
    fn report(
        &mut self,
        theme: &str,
        number: u64,
        case: &Case,
        outcome: &Outcome,
        kind: Kind,
    ) -> Result<()> {
        let times = self.met.entry(report::words(outcome)).or_default();
        *times += 1;
        let most = match kind {
            Kind::Rows | Kind::Order | Kind::Columns => MAX_REDUCED_ROWS,
            _ => MAX_REDUCED,
        };
        if *times > most {
            return Ok(());
        }
        let (case, outcome) = reduce::reduce(&mut self.pair, case, outcome)?;
        if self.found.insert(report::shape(&case, &outcome)) {
            let mut out = std::io::stdout().lock();
            writeln!(out, "\n{}", report::script(theme, number, &case, &outcome))?;
        }
        Ok(())
    }

    fn summary(&self, options: &Options) -> Result<()> {
        let mut out = std::io::stdout().lock();
        for (what, list) in [("refused", &self.refusals), ("both fail", &self.mistakes)] {
            for (message, (count, example)) in list {
                writeln!(out, "-- {what}, {count} times: {message}\n--   {example}")?;
            }
        }
        writeln!(
            out,
            "\n-- {:12} {:>7} {:>9} {:>10} {:>9} {:>7} {:>10}  both fail",
            "theme", "cases", "with rows", "executions", "different", "refused", "evaluation"
        )?;
        for (theme, tally) in &self.tallies {
            let states: Vec<String> =
                tally.both_fail.iter().map(|(state, n)| format!("{state} {n}")).collect();
            writeln!(
                out,
                "-- {theme:12} {:>7} {:>9} {:>10} {:>9} {:>7} {:>10}  {}",
                tally.cases,
                tally.with_rows,
                tally.executions,
                tally.differences,
                tally.refused,
                tally.evaluation_order,
                states.join(", ")
            )?;
        }
        writeln!(out, "-- seed {}: {} differences told apart", options.seed, self.found.len())?;
        Ok(())
    }
}

/// Counts a message, and keeps its shortest example.
fn note(list: &mut BTreeMap<String, (u64, String)>, message: String, node: &Node) {
    let sql = node.literal_sql();
    let (count, example) = list.entry(message).or_insert((0, sql.clone()));
    *count += 1;
    if sql.len() < example.len() {
        *example = sql;
    }
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            only: Vec::new(),
            seed: rand::random::<u32>().into(),
            seconds: 60.0,
            cases: u64::MAX >> 1,
            start: 0,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &*name {
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                "--seed" => options.seed = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--cases" => options.cases = value.parse()?,
                "--start" => options.start = value.parse()?,
                _ => return Err(format!("no option {name}").into()),
            }
        }
        let unknown =
            options.only.iter().find(|o| !themes::ALL.iter().any(|(name, _)| name == &o.as_str()));
        match unknown {
            Some(unknown) => Err(format!("no theme {unknown}").into()),
            None => Ok(options),
        }
    }
}
