//! Real clients: drivers and ORMs in their own languages, pgbench, postgres_fdw, tokio-postgres.
//!
//! The suites run against PostgreSQL as well, which shows that they ask for nothing it hasn't.

use std::process::Command;

use kalamdb_compat_tests::server::{PASSWORD, Product, SUPERUSER, Server};
use kalamdb_compat_tests::{check, tools};

#[test]
fn python() {
    let python = tools::python().unwrap_or_else(|e| panic!("{e}"));
    suite(|| {
        let mut command = Command::new(&python);
        command.args(["-m", "pytest"]).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(tools::crate_directory().join("drivers/python"));
        command
    });
}

#[test]
fn node() {
    let directory = tools::crate_directory().join("drivers/node");
    assert!(directory.join("node_modules").is_dir(), "run npm ci in drivers/node");
    suite(|| {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=spec"]).current_dir(&directory);
        command
    });
}

fn suite(command: impl Fn() -> Command) {
    for product in [Product::Postgres, Product::peer()] {
        let server = start(product);
        let name = if product == Product::Postgres { "postgres" } else { "kalamdb" };
        let mut command = command();
        command.envs(server.libpq_environment()).env("KALAMDB_TEST_PRODUCT", name);
        succeed(&mut command, name);
    }
}

#[test]
fn pgbench() {
    let server = start(Product::peer());
    let pgbench = || {
        let mut command = Command::new(tools::postgres("pgbench").expect("it is installed"));
        command.envs(server.libpq_environment());
        command
    };
    succeed(pgbench().args(["-i", "-s", "1", "-q"]), "pgbench -i");
    for mode in ["simple", "extended", "prepared"] {
        let said = succeed(
            pgbench().args(["-M", mode, "-c", "8", "-j", "2", "-T", "5", "-n"]),
            &format!("pgbench -M {mode}"),
        );
        assert!(said.contains("number of failed transactions: 0"), "{said}");
        succeed(pgbench().args(["-M", mode, "-S", "-c", "4", "-T", "2", "-n"]), mode);
        succeed(pgbench().args(["-M", mode, "-N", "-c", "4", "-T", "2", "-n"]), mode);
    }
    let mut client = server.connect().expect("the superuser connects");
    let sums = check::run(
        &mut client,
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM \
         pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM \
         pgbench_history)",
    );
    let sums = sums.unwrap_or_else(|e| panic!("{e}")).rows.concat();
    // -N touches accounts and history alone, so these two agree, and those two.
    assert_eq!(sums[0], sums[3], "{sums:?}");
    assert_eq!(sums[1], sums[2], "{sums:?}");
}

#[test]
fn postgres_fdw() {
    let (local, remote) = (start(Product::Postgres), start(Product::peer()));
    let mut there = remote.connect().expect("the superuser connects");
    for sql in [
        "CREATE TABLE things (id int PRIMARY KEY, name text, price numeric(8,2), at timestamptz)",
        "INSERT INTO things SELECT n, 'thing ' || n, n / 4.0, '2024-01-01 00:00+00' FROM \
         generate_series(1, 100) n",
    ] {
        check::run(&mut there, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut here = local.connect().expect("the superuser connects");
    let mut run = |sql: &str| check::run(&mut here, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    run("CREATE EXTENSION postgres_fdw");
    run(&format!(
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', \
         dbname '{SUPERUSER}')",
        remote.port()
    ));
    run(&format!(
        "CREATE USER MAPPING FOR {SUPERUSER} SERVER far OPTIONS (user '{SUPERUSER}', password \
         '{PASSWORD}')"
    ));
    run("IMPORT FOREIGN SCHEMA public LIMIT TO (things) FROM SERVER far INTO public");
    assert_eq!(run("SELECT count(*) FROM things").scalar(), "100");
    assert_eq!(run("SELECT name FROM things WHERE id = 42").scalar(), "thing 42");
    assert_eq!(run("SELECT sum(price) FROM things WHERE id <= 4").scalar(), "2.50");
    run("INSERT INTO things VALUES (101, 'new', 1.5, now())");
    assert_eq!(run("UPDATE things SET price = price + 1 WHERE id > 98").tag, "UPDATE 3");
    assert_eq!(run("DELETE FROM things WHERE name LIKE 'thing 1%'").tag, "DELETE 12");
    assert_eq!(run("SELECT name FROM things ORDER BY id DESC LIMIT 1").scalar(), "new");
    run("BEGIN");
    run("DELETE FROM things");
    run("ROLLBACK");
    assert_eq!(check::run(&mut there, "SELECT count(*) FROM things").unwrap().scalar(), "89");
}

#[tokio::test]
async fn tokio_postgres() {
    let server = start(Product::peer());
    let (mut client, connection) =
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.expect("it connects");
    let driving = tokio::spawn(connection);
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, name text, doc jsonb, key uuid)")
        .await
        .unwrap();
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3, $4)").await.unwrap();
    let key = uuid::Uuid::from_u128(7);
    for id in 0..10_i32 {
        let doc = serde_json::json!({ "id": id });
        let name = format!("n{id}");
        assert_eq!(client.execute(&insert, &[&id, &name, &doc, &key]).await.unwrap(), 1);
    }
    let rows = client
        .query("SELECT name, doc, key FROM t WHERE id = ANY($1) ORDER BY id", &[&vec![1, 3]])
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].get::<_, &str>(0), "n3");
    assert_eq!(rows[1].get::<_, serde_json::Value>(1)["id"], 3);
    assert_eq!(rows[1].get::<_, uuid::Uuid>(2), key);
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT id FROM t ORDER BY id", &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 4).await.unwrap().len(), 4);
    assert_eq!(transaction.query_portal(&portal, 0).await.unwrap().len(), 6);
    transaction.execute("DELETE FROM t", &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    let left: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(left, 10);
    drop(client);
    driving.await.unwrap().unwrap();
}

fn start(product: Product) -> Server {
    Server::start(product).unwrap_or_else(|e| panic!("{product:?}: {e}"))
}

fn succeed(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{what}: {e}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{what}:\n{said}");
    said
}
