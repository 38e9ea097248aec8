//! The crash program: clients that remember what was acknowledged, a server killed at random
//! moments, and a look at what is there afterwards.
//!
//! `crash [--rounds N] [--seconds S] [--clients N] [--writers N] [--seed N] [--resumes N]`
//!
//! Each round runs TPC-B transactions from several clients, and writers of a table whose changes a
//! subscriber follows, leaving and coming back with AFTER. Then kill -9, `kalamdb check`, a start,
//! and the questions: is every acknowledged transaction there, do the four sums agree, did the
//! subscriber get each commit exactly once and in order, and does folding its rows give what
//! SELECT gives.

use std::error::Error;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::tools;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

mod bank;
mod stream;

/// A start after a crash that takes longer is a failure.
const MAX_START_UP: Duration = Duration::from_secs(15);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug)]
struct Options {
    rounds: u32,
    seconds: f64,
    clients: usize,
    writers: usize,
    resumes: u32,
    seed: u64,
    /// Runs the bank alone against PostgreSQL, to check this program.
    oracle: bool,
}

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    eprintln!("{options:?}");
    let mut rng = StdRng::seed_from_u64(options.seed);
    let product = if options.oracle { Product::Postgres } else { Product::KalamDb };
    let mut server = Server::start(product)?;
    let mut bank = bank::Bank::create(&server, options.clients)?;
    let mut stream = match product {
        Product::KalamDb => Some(stream::Stream::create(&server, options.writers)?),
        Product::Postgres => None,
    };
    for round in 1..=options.rounds {
        let until_kill = Duration::from_secs_f64(options.seconds * rng.random_range(0.3..1.7));
        run_and_kill(&mut server, &mut bank, stream.as_mut(), (until_kill, &options))?;
        if product == Product::KalamDb {
            directory_is_clean(&server)?;
        }
        let starting = Instant::now();
        start_again(&mut server)?;
        let start_up = starting.elapsed();
        if start_up > MAX_START_UP {
            return Err(format!("the start after the crash took {start_up:?}").into());
        }
        bank.verify(&server)?;
        if let Some(stream) = &mut stream {
            stream.verify(&server)?;
        }
        eprintln!(
            "round {round}: killed after {until_kill:.1?}, started in {start_up:.1?}; {} \
             transactions acknowledged and there; {}",
            bank.acknowledged(),
            stream.as_ref().map_or_else(String::new, |s| s.to_string()),
        );
    }
    let code = server.stop()?;
    if product == Product::KalamDb {
        if code != Some(0) {
            return Err(format!("the server ended with {code:?}").into());
        }
        directory_is_clean(&server)?;
    }
    let summary = stream.map_or_else(String::new, |s| s.to_string());
    let rounds = options.rounds;
    writeln!(
        std::io::stdout(),
        "crash: {rounds} kills, {} acknowledged transactions, none missing, sums agree; {summary}",
        bank.acknowledged(),
    )?;
    Ok(())
}

/// Runs everybody, kills the server in their midst, and waits until all have noticed.
fn run_and_kill(
    server: &mut Server,
    bank: &mut bank::Bank,
    stream: Option<&mut stream::Stream>,
    (until_kill, options): (Duration, &Options),
) -> Result<()> {
    let killed = AtomicBool::new(false);
    let target = server.target();
    std::thread::scope(|scope| {
        let bank = scope.spawn(|| bank.run(&target, &killed, options.seed));
        let stream = stream.map(|s| scope.spawn(|| s.run(&target, &killed, options.resumes)));
        // The one place that sleeps: for how long is the experiment.
        std::thread::sleep(until_kill);
        killed.store(true, Ordering::SeqCst);
        server.kill()?;
        bank.join().map_err(|_| "a client panicked")??;
        match stream {
            Some(stream) => stream.join().map_err(|_| "a writer panicked")?,
            None => Ok(()),
        }
    })
}

fn directory_is_clean(server: &Server) -> Result<()> {
    let output = Command::new(tools::kalamdb()?).arg("check").arg(server.data()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("kalamdb check: {}", String::from_utf8_lossy(&said)).into())
}

fn start_again(server: &mut Server) -> Result<()> {
    for _ in 0..50 {
        match server.launch() {
            Ok(()) => return Ok(()),
            // PostgreSQL's orphans hold its shared memory for a moment.
            Err(e) if server.product() == Product::Postgres && e.to_string().contains("shared") => {
                std::thread::yield_now();
            }
            Err(e) => return Err(format!("it doesn't start again: {e}").into()),
        }
    }
    Err("it doesn't start again".into())
}

/// Whether an error is only what a kill looks like from the other side.
fn is_the_crash(error: &kalamdb_compat_tests::wire::Failure, killed: &AtomicBool) -> bool {
    let fatal = matches!(error.sqlstate(), None | Some("57P01" | "57P02" | "57P03"));
    fatal && killed.load(Ordering::SeqCst)
}

fn rows(client: &mut kalamdb_compat_tests::wire::Client, sql: &str) -> Result<Vec<Vec<String>>> {
    let answer = check::run(client, sql).map_err(|e| format!("{sql}: {e}"))?;
    let text = |v: Option<String>| v.unwrap_or_else(|| "\\N".to_owned());
    Ok(answer.rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect())
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            rounds: 5,
            seconds: 2.0,
            clients: 8,
            writers: 4,
            resumes: 10,
            seed: rand::random(),
            oracle: false,
        };
        while let Some(name) = arguments.next() {
            if name == "--oracle" {
                options.oracle = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &*name {
                "--rounds" => options.rounds = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--clients" => options.clients = value.parse()?,
                "--writers" => options.writers = value.parse()?,
                "--resumes" => options.resumes = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                _ => return Err(format!("no option {name}").into()),
            }
        }
        Ok(options)
    }
}
