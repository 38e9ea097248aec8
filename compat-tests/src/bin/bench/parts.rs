//! The parts, each on a fresh server.

use std::time::{Duration, Instant};

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client, Frontend};

use crate::load::Load;
use crate::{Figure, Options, Result, Unit, process};

pub(crate) type Part = fn(&Server, &Options) -> Result<Vec<Figure>>;

/// By the names that `--only` takes.
pub(crate) const ALL: &[(&str, Part)] = &[
    ("connect", connect),
    ("insert", insert),
    ("select", select),
    ("batch", batch),
    ("copy", copy),
    ("scan", scan),
    ("idle", idle),
    ("namespaces", namespaces),
    ("notify", notify),
];

const MESSAGES: &str = "CREATE TABLE messages (id bigserial PRIMARY KEY, room int NOT NULL, body \
                        text, at timestamptz DEFAULT now())";

fn connect(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    let load = |name: &str, clients, reconnect| Load {
        name: name.to_owned(),
        script: "SELECT 1;\n",
        mode: "simple",
        clients,
        seconds: options.seconds,
        options: "",
        reconnect,
    };
    Ok(vec![
        load("connect + SELECT 1 + disconnect, 1 client", 1, true).run(server)?,
        load("connect + SELECT 1 + disconnect, 8 clients", 8, true).run(server)?,
        load("SELECT 1 on an open connection", 1, false).run(server)?,
    ])
}

fn insert(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    run(server, MESSAGES)?;
    let mut figures = Vec::new();
    for sync in ["on", "off"] {
        for clients in [1, 16, 64] {
            let load = Load {
                name: format!("insert 1 row, {clients} connections, sync {sync}"),
                script: "\\set room random(1, 100)\nINSERT INTO messages (room, body) VALUES \
                         (:room, 'a message of ordinary length, as people send them');\n",
                mode: "prepared",
                clients,
                seconds: options.seconds,
                options: &format!("-c synchronous_commit={sync}"),
                reconnect: false,
            };
            figures.push(load.run(server)?);
        }
    }
    Ok(figures)
}

fn select(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    let rows = options.rows.min(100_000);
    run(server, MESSAGES)?;
    fill(server, rows)?;
    let script = format!("\\set id random(1, {rows})\nSELECT * FROM messages WHERE id = :id;\n");
    let mut figures = Vec::new();
    for (mode, clients) in [("simple", 1), ("prepared", 1), ("simple", 16), ("prepared", 16)] {
        let load = Load {
            name: format!("point select, {mode}, {clients} connections"),
            script: &script,
            mode,
            clients,
            seconds: options.seconds,
            options: "",
            reconnect: false,
        };
        figures.push(load.run(server)?);
    }
    let update = format!(
        "\\set id random(1, {rows})\nUPDATE messages SET body = 'changed' WHERE id = :id;\n"
    );
    let load = Load {
        name: "update by key, prepared, 16 connections".to_owned(),
        script: &update,
        mode: "prepared",
        clients: 16,
        seconds: options.seconds,
        options: "",
        reconnect: false,
    };
    figures.push(load.run(server)?);
    Ok(figures)
}

fn batch(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    run(server, MESSAGES)?;
    let mut client = server.connect()?;
    let row = |n: usize| format!("({n}, 'a message of ordinary length, number {n}')");
    let values: Vec<_> = (0..1000).map(row).collect();
    let sql = format!("INSERT INTO messages (room, body) VALUES {}", values.join(", "));
    let count = (options.seconds * 10.0).max(10.0);
    let figure = timed(server, "insert of 1,000 rows", count, || {
        check::run(&mut client, &sql)?;
        Ok(())
    })?;
    Ok(vec![figure])
}

fn copy(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    run(server, MESSAGES)?;
    let rows = options.rows.min(500_000);
    let before = process::cpu_us(server)?;
    let begun = Instant::now();
    fill(server, rows)?;
    let into = per_second("COPY in, rows", rows, begun, process::cpu_us(server)? - before);
    let mut client = server.connect()?;
    let before = process::cpu_us(server)?;
    let begun = Instant::now();
    let got = drain(&mut client, "COPY messages TO STDOUT")?;
    let cpu = process::cpu_us(server)? - before;
    if got != rows {
        return Err(format!("{got} of {rows} rows came back").into());
    }
    Ok(vec![into, per_second("COPY out, rows", rows, begun, cpu)])
}

fn scan(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    run(server, MESSAGES)?;
    fill(server, options.rows)?;
    run(server, "ANALYZE messages")?;
    let mut figures = scans(server, options, "hot")?;
    if server.product() == Product::KalamDb {
        let begun = Instant::now();
        run(server, "SELECT kalam_flush('messages')")?;
        figures.push(milliseconds("flush", begun));
    }
    figures.extend(scans(server, options, "cold")?);
    Ok(figures)
}

fn scans(server: &Server, options: &Options, tier: &str) -> Result<Vec<Figure>> {
    let rows = options.rows;
    let mut client = server.connect()?;
    let mut figures = Vec::new();
    for (name, sql) in [
        ("count(*)", "SELECT count(*) FROM messages"),
        ("sum, avg, max", "SELECT sum(id), avg(room), max(body) FROM messages"),
        ("GROUP BY room", "SELECT room, count(*), max(at) FROM messages GROUP BY room"),
        ("filter on body", "SELECT count(*) FROM messages WHERE body LIKE '%77%'"),
        ("ORDER BY at LIMIT 10", "SELECT * FROM messages ORDER BY at DESC, id LIMIT 10"),
    ] {
        check::run(&mut client, sql).map_err(|e| format!("{sql}: {e}"))?;
        let begun = Instant::now();
        for _ in 0..3 {
            check::run(&mut client, sql)?;
        }
        let mut figure = milliseconds(&format!("{name} of {rows} rows, {tier}"), begun);
        figure.value /= 3.0;
        figures.push(figure);
    }
    let begun = Instant::now();
    let got = drain(&mut client, "SELECT * FROM messages")?;
    if got != rows {
        return Err(format!("{got} of {rows} rows came back").into());
    }
    figures.push(milliseconds(&format!("SELECT * of {rows} rows, {tier}"), begun));
    Ok(figures)
}

fn idle(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    let mut first = server.connect()?;
    check::run(&mut first, "SELECT 1")?;
    let before = process::memory_mib(server)?;
    let begun = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..options.connections {
        let mut client = server.connect()?;
        check::run(&mut client, "SELECT 1")?;
        connections.push(client);
    }
    let n = options.connections;
    Ok(vec![
        milliseconds(&format!("opening {n} connections"), begun),
        mebibytes(
            &format!("memory of {n} idle connections"),
            process::memory_mib(server)? - before,
        ),
    ])
}

/// On PostgreSQL the same rows lie in one table with the user's name in the key, under a row
/// security policy: what people do there.
fn namespaces(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    let ours = server.product() == Product::KalamDb;
    let mut client = server.connect()?;
    if ours {
        run(server, "CREATE TABLE notes (id int PRIMARY KEY, body text)")?;
    } else {
        run(
            server,
            "CREATE TABLE notes (owner text DEFAULT current_user, id int, body text, PRIMARY KEY \
             (owner, id)); ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON \
             notes USING (owner = current_user); GRANT ALL ON notes TO PUBLIC",
        )?;
    }
    let (memory, disk) = (process::memory_mib(server)?, process::disk_mib(&server.data())?);
    let begun = Instant::now();
    for user in 0..options.namespaces {
        let row = |n: usize| format!("({n}, 'note {n} of user {user}, of ordinary length')");
        let rows: Vec<_> = (0..10).map(row).collect();
        run_on(&mut client, &format!("CREATE ROLE user_{user}"))?;
        run_on(&mut client, &format!("SET ROLE user_{user}"))?;
        run_on(&mut client, &format!("INSERT INTO notes (id, body) VALUES {}", rows.join(", ")))?;
        run_on(&mut client, "RESET ROLE")?;
    }
    let n = options.namespaces;
    let filled = milliseconds(&format!("{n} users with 10 rows each, to create"), begun);
    run(server, "CHECKPOINT")?;
    let used = process::memory_mib(server)? - memory;
    let held = process::disk_mib(&server.data())? - disk;
    let begun = Instant::now();
    for user in (0..n).step_by((n / 1000).max(1)) {
        run_on(&mut client, &format!("SET ROLE user_{user}"))?;
        run_on(&mut client, "SELECT body FROM notes WHERE id = 5")?;
        run_on(&mut client, "RESET ROLE")?;
    }
    Ok(vec![
        filled,
        mebibytes(&format!("{n} users with 10 rows each, memory"), used),
        mebibytes(&format!("{n} users with 10 rows each, disk"), held),
        milliseconds("a select by each of 1,000 of them", begun),
    ])
}

/// From the send of NOTIFY to its arrival at an idle listener; the other listeners are other
/// users, on channels of their own.
fn notify(server: &Server, options: &Options) -> Result<Vec<Figure>> {
    let mut listener = server.connect()?;
    let mut notifier = server.connect()?;
    run_on(&mut listener, "LISTEN here")?;
    let mut figures = vec![round_trips(server, (&mut listener, &mut notifier), 0, options)?];
    let n = options.connections;
    let mut others = Vec::new();
    for user in 0..n {
        run_on(&mut notifier, &format!("CREATE ROLE listener_{user} LOGIN PASSWORD 'p'"))?;
        let mut client = server.connect_as(&format!("listener_{user}"), "p")?;
        run_on(&mut client, &format!("LISTEN elsewhere_{user}"))?;
        others.push(client);
    }
    figures.push(round_trips(server, (&mut listener, &mut notifier), n, options)?);
    Ok(figures)
}

fn round_trips(
    server: &Server,
    (listener, notifier): (&mut Client, &mut Client),
    others: usize,
    options: &Options,
) -> Result<Figure> {
    let name = format!("notify round trip, {others} listeners elsewhere");
    timed(server, &name, (options.seconds * 100.0).max(50.0), || {
        notifier.send_query("NOTIFY here, 'payload'")?;
        while !matches!(listener.read()?, Backend::Notification { .. }) {}
        notifier.until_ready()?;
        Ok(())
    })
}

/// Fills `messages` by COPY.
fn fill(server: &Server, rows: usize) -> Result<()> {
    let mut client = server.connect()?;
    client.send_query("COPY messages (id, room, body) FROM STDIN")?;
    loop {
        match client.read()? {
            Backend::CopyIn(..) => break,
            Backend::Error(fields) => return Err(fields.message().to_owned().into()),
            _ => {}
        }
    }
    let mut frames = Frontend::default();
    let mut text = String::new();
    for n in 1..=rows {
        text += &format!("{n}\t{}\ta message of ordinary length, number {n}\n", n % 100);
        if text.len() > 60_000 || n == rows {
            frames.copy_data(text.as_bytes());
            client.send(&frames)?;
            frames.clear();
            text.clear();
        }
    }
    frames.copy_done();
    client.send(&frames)?;
    check::gather(&mut client)?;
    Ok(())
}

/// Reads a result without keeping it and counts its rows.
fn drain(client: &mut Client, sql: &str) -> Result<usize> {
    client.send_query(sql)?;
    let mut rows = 0;
    loop {
        match client.read_within(Duration::from_secs(600))?.ok_or("silence")? {
            Backend::DataRow(_) | Backend::CopyData(_) => rows += 1,
            Backend::Error(fields) => return Err(fields.message().to_owned().into()),
            Backend::ReadyForQuery(_) => return Ok(rows),
            _ => {}
        }
    }
}

fn run(server: &Server, sql: &str) -> Result<()> {
    run_on(&mut server.connect()?, sql)
}

fn run_on(client: &mut Client, sql: &str) -> Result<()> {
    check::run(client, sql).map_err(|e| format!("{sql}: {e}"))?;
    Ok(())
}

/// Runs an operation `count` times; milliseconds and CPU for one.
fn timed(
    server: &Server,
    name: &str,
    count: f64,
    mut operation: impl FnMut() -> Result<()>,
) -> Result<Figure> {
    let before = process::cpu_us(server)?;
    let begun = Instant::now();
    let mut left = count;
    while left >= 1.0 {
        operation()?;
        left -= 1.0;
    }
    let mut figure = milliseconds(name, begun);
    figure.value /= count.floor();
    figure.cpu_us = Some((process::cpu_us(server)? - before) / count.floor());
    Ok(figure)
}

fn milliseconds(name: &str, begun: Instant) -> Figure {
    let value = begun.elapsed().as_secs_f64() * 1e3;
    Figure { name: name.to_owned(), unit: Unit::Milliseconds, value, cpu_us: None }
}

fn mebibytes(name: &str, value: f64) -> Figure {
    Figure { name: name.to_owned(), unit: Unit::Mebibytes, value, cpu_us: None }
}

fn per_second(name: &str, count: usize, begun: Instant, cpu_us: f64) -> Figure {
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    let count = count as f64;
    let value = count / begun.elapsed().as_secs_f64();
    let cpu_us = Some(cpu_us / count);
    Figure { name: name.to_owned(), unit: Unit::PerSecond, value, cpu_us }
}
