//! The benchmarks: both servers, one machine, one run, a table of ratios.
//!
//! `bench [--only PART,...] [--seconds S] [--rows N] [--connections N] [--namespaces N]`
//!
//! Parts: connect, insert, select, batch, copy, scan, idle, namespaces, notify. Only one server
//! works at a time. A ratio above 1 means that KalamDB is better. CPU is what the server's
//! processes used for one operation, so it tells more than the rate where clients share the cores.

use std::error::Error;
use std::io::Write;

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{PASSWORD, Product, SUPERUSER, Server, Settings};

mod load;
mod parts;
mod process;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How much of everything.
#[derive(Debug)]
struct Options {
    only: Vec<String>,
    seconds: f64,
    rows: usize,
    connections: usize,
    namespaces: usize,
}

/// What one server gave for one figure.
#[derive(Debug, Clone)]
struct Figure {
    name: String,
    unit: Unit,
    value: f64,
    /// Microseconds of the server's CPU per operation.
    cpu_us: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    PerSecond,
    Milliseconds,
    Mebibytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "/s",
            Unit::Milliseconds => "ms",
            Unit::Mebibytes => "MiB",
        }
    }

    /// How many times better `ours` is.
    fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Unit::PerSecond => ours / theirs,
            Unit::Milliseconds | Unit::Mebibytes => theirs / ours,
        }
    }
}

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let mut table = Vec::new();
    for (name, part) in parts::ALL {
        if !options.only.is_empty() && !options.only.iter().any(|o| o == name) {
            continue;
        }
        let mut sides = Vec::new();
        for product in [Product::Postgres, Product::KalamDb] {
            eprintln!("{name}: {product:?}");
            let figures = start(product).and_then(|server| part(&server, &options));
            if let Err(error) = &figures {
                eprintln!("{name}: {product:?} fails: {error}");
            }
            sides.push(figures.unwrap_or_default());
        }
        let (theirs, ours) = (&sides[0], &sides[1]);
        for figure in theirs.iter().chain(ours.iter().filter(|o| !named(theirs, &o.name))) {
            let of = |side: &[Figure]| side.iter().find(|f| f.name == figure.name).cloned();
            table.push((figure.name.clone(), figure.unit, of(ours), of(theirs)));
        }
    }
    print(&table)
}

fn named(figures: &[Figure], name: &str) -> bool {
    figures.iter().any(|f| f.name == name)
}

type Line = (String, Unit, Option<Figure>, Option<Figure>);

fn print(table: &[Line]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:44} {:>12} {:>12} {:4} {:>7}  {:>10} {:>10}",
        "", "KalamDB", "PostgreSQL", "", "ratio", "CPU us/op", "PG CPU"
    )?;
    let number = |figure: &Option<Figure>, of: fn(&Figure) -> Option<f64>| {
        figure.as_ref().and_then(of).map_or_else(|| "-".to_owned(), shown)
    };
    for (name, unit, ours, theirs) in table {
        let ratio = match (ours, theirs) {
            (Some(o), Some(t)) => format!("{:.2}", unit.ratio(o.value, t.value)),
            _ => "-".to_owned(),
        };
        writeln!(
            out,
            "{name:44} {:>12} {:>12} {:4} {ratio:>7}  {:>10} {:>10}",
            number(ours, |f| Some(f.value)),
            number(theirs, |f| Some(f.value)),
            unit.name(),
            number(ours, |f| f.cpu_us),
            number(theirs, |f| f.cpu_us),
        )?;
    }
    Ok(())
}

fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A server that syncs its commits and asks for passwords, as in earnest.
fn start(product: Product) -> Result<Server> {
    let server = Server::start_with(product, Settings { fsync: true, ..Settings::default() })?;
    if product == Product::Postgres {
        let mut admin = server.connect()?;
        check::run(&mut admin, &format!("ALTER ROLE {SUPERUSER} PASSWORD '{PASSWORD}'"))?;
        let rules = "host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(server.data().join("pg_hba.conf"), rules)?;
        check::run(&mut admin, "SELECT pg_reload_conf()")?;
    }
    Ok(server)
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            only: Vec::new(),
            seconds: 5.0,
            rows: 1_000_000,
            connections: 1000,
            namespaces: 100_000,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &*name {
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                "--seconds" => options.seconds = value.parse()?,
                "--rows" => options.rows = value.parse()?,
                "--connections" => options.connections = value.parse()?,
                "--namespaces" => options.namespaces = value.parse()?,
                _ => return Err(format!("no option {name}").into()),
            }
        }
        let unknown =
            options.only.iter().find(|o| !parts::ALL.iter().any(|(name, _)| name == &o.as_str()));
        match unknown {
            Some(unknown) => Err(format!("no part {unknown}").into()),
            None => Ok(options),
        }
    }
}
