//! Two users, one SQL text, two worlds: everything bob may try, and none of it shows him anything
//! of alice's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use kalamdb_compat_tests::check;
use kalamdb_compat_tests::render::{self, Leniency};
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client, Frontend};

/// What bob must never read, in any message: a value, and the name of a private table, column,
/// schema and channel of alice's.
const CANARIES: &[&str] =
    &["tungsten", "diary_of_a", "hidden_column", "attic", "whisper", "alices_view", "alices_seq"];

const DEFINITIONS: &[&str] = &[
    "CREATE ROLE alice LOGIN PASSWORD 'alice-password'",
    "CREATE ROLE bob LOGIN PASSWORD 'bob-password'",
    "CREATE ROLE carol LOGIN PASSWORD 'carol-password'",
    "CREATE TABLE messages (id int PRIMARY KEY, body text, n int UNIQUE)",
    "CREATE VIEW recent AS SELECT id, body FROM messages WHERE id > 0",
];

const ALICE: &[&str] = &[
    "INSERT INTO messages VALUES (1, 'tungsten one', 100), (2, 'tungsten two', 200)",
    "CREATE TABLE diary_of_a (id serial PRIMARY KEY, hidden_column text UNIQUE)",
    "INSERT INTO diary_of_a (hidden_column) VALUES ('tungsten three')",
    "CREATE SCHEMA attic",
    "CREATE TABLE attic.box (x text)",
    "INSERT INTO attic.box VALUES ('tungsten four')",
    "CREATE VIEW alices_view AS SELECT * FROM diary_of_a",
    "CREATE SEQUENCE alices_seq",
    "SELECT nextval('alices_seq')",
    "LISTEN whisper",
    "SET application_name = 'tungsten application'",
];

/// What bob sends. Failing and showing nothing are both right; showing a canary is not.
const ATTACKS: &[&str] = &[
    // The same names.
    "SELECT * FROM messages",
    "SELECT * FROM public.messages",
    "SELECT * FROM kalamdb.public.messages",
    "SELECT count(*) FROM messages",
    "SELECT * FROM recent",
    "TABLE messages",
    "COPY messages TO STDOUT",
    "COPY (SELECT * FROM messages) TO STDOUT",
    "UPDATE messages SET body = body RETURNING *",
    "DELETE FROM messages RETURNING *",
    "INSERT INTO messages VALUES (1, 'x', 100) RETURNING *",
    "INSERT INTO messages VALUES (1, 'x', 1) ON CONFLICT (id) DO UPDATE SET n = 5 RETURNING *",
    "SELECT * FROM messages FOR UPDATE",
    "EXPLAIN SELECT * FROM messages WHERE id = 1",
    "EXPLAIN ANALYZE SELECT * FROM messages",
    // Names of hers.
    "SELECT * FROM diary_of_a /* diary */",
    "SELECT * FROM attic.box /* box */",
    "SELECT * FROM alice.messages",
    "SELECT * FROM alice.public.messages",
    "SELECT * FROM \"user/alice\".messages",
    "SELECT * FROM everyone.public_messages",
    "SELECT * FROM everyone.messages",
    "SET search_path = alice, attic, public; SELECT * FROM messages; SELECT * FROM box",
    "SET search_path = '$user', attic; SELECT * FROM box",
    "SELECT last_value FROM messages_id_seq",
    "CREATE TABLE diary_of_b AS SELECT * FROM messages; SELECT * FROM diary_of_b",
    "DROP SCHEMA attic CASCADE",
    "ALTER TABLE messages ADD COLUMN stolen text DEFAULT 'x'",
    "DROP TABLE messages",
    "TRUNCATE messages",
    "CREATE OR REPLACE VIEW recent AS SELECT * FROM messages",
    "CREATE VIEW thief AS SELECT * FROM messages; SELECT * FROM thief",
    // Other identities.
    "SET ROLE alice; SELECT * FROM messages",
    "SET LOCAL ROLE alice; SELECT * FROM messages",
    "SET SESSION AUTHORIZATION alice; SELECT * FROM messages",
    "SET ROLE kalamdb; SELECT * FROM messages",
    "SET ROLE kalam_read_all; SELECT * FROM everyone.public_messages",
    "SET ROLE kalam_impersonate",
    "GRANT alice TO bob; SET ROLE alice; SELECT * FROM messages",
    "GRANT kalam_impersonate TO bob; SET ROLE alice; SELECT * FROM messages",
    "ALTER ROLE bob SUPERUSER; SET ROLE alice; SELECT * FROM messages",
    "ALTER ROLE alice PASSWORD 'x'",
    "CREATE ROLE mallory SUPERUSER LOGIN PASSWORD 'x'",
    "SELECT set_config('role', 'alice', false); SELECT * FROM messages",
    "SET role = 'alice'; SELECT * FROM messages",
    "SET session_authorization = 'alice'; SELECT * FROM messages",
    "BEGIN; SET LOCAL ROLE alice; COMMIT; SELECT * FROM messages",
    "SELECT rolpassword FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    // Catalogs and statistics.
    "SELECT * FROM pg_class",
    "SELECT * FROM pg_attribute",
    "SELECT * FROM pg_namespace",
    "SELECT * FROM pg_attrdef",
    "SELECT * FROM pg_constraint",
    "SELECT * FROM pg_index",
    "SELECT * FROM pg_indexes",
    "SELECT * FROM pg_sequence",
    "SELECT * FROM pg_sequences",
    "SELECT * FROM pg_views",
    "SELECT * FROM pg_tables",
    "SELECT * FROM pg_type",
    "SELECT * FROM pg_description",
    "SELECT * FROM pg_stats",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_stat_user_tables",
    "SELECT * FROM pg_locks",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_listening_channels()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM information_schema.sequences",
    "SELECT * FROM information_schema.views",
    "SELECT * FROM information_schema.table_constraints",
    "SELECT * FROM information_schema.key_column_usage",
    "SELECT reltuples, relpages FROM pg_class WHERE relname = 'messages' AND reltuples > 0",
    // Functions and files.
    "SELECT kalam_flush('messages')",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "COPY messages TO '/tmp/kalamdb-stolen'",
    "COPY messages FROM '/etc/passwd'",
    "COPY messages TO PROGRAM 'cat'",
    "CREATE EXTERNAL TABLE f STORED AS PARQUET LOCATION '/'",
    "SELECT * FROM '/etc/passwd'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "SELECT query FROM pg_stat_activity WHERE usename = 'alice'",
    // Errors that could quote her rows.
    "INSERT INTO messages VALUES (7, 'mine', 100); INSERT INTO messages VALUES (8, 'mine', 100)",
    "CREATE UNIQUE INDEX ON messages (body)",
    "SELECT body::int FROM messages",
    "SELECT 1 / (n - 100) FROM messages",
    // Live.
    "LISTEN whisper; SELECT 1",
    "SELECT pg_notify('whis' || 'per', 'from bob')",
    "SELECT pg_current_position()",
    "COPY (SUBSCRIBE diary_of_a) TO STDOUT",
    "SUBSCRIBE alice.messages",
];

/// Questions about a name of alice's, each asked also of a name that nobody has: the two answers
/// must be the same but for the name.
const PROBES: &[(&str, &str, &str)] = &[
    ("SELECT * FROM NAME", "diary_of_a", "diary_of_z"),
    ("TABLE NAME", "diary_of_a", "diary_of_z"),
    ("INSERT INTO NAME VALUES (1)", "diary_of_a", "diary_of_z"),
    ("DROP TABLE NAME", "diary_of_a", "diary_of_z"),
    ("ALTER TABLE NAME ADD COLUMN x int", "diary_of_a", "diary_of_z"),
    ("SELECT to_regclass('NAME')", "diary_of_a", "diary_of_z"),
    ("SELECT 'NAME'::regclass", "diary_of_a", "diary_of_z"),
    ("SELECT 'NAME'::text::regclass", "diary_of_a", "diary_of_z"),
    ("SELECT pg_relation_size('NAME')", "diary_of_a", "diary_of_z"),
    ("SELECT has_table_privilege('NAME', 'SELECT')", "diary_of_a", "diary_of_z"),
    ("SELECT kalam_flush('NAME')", "diary_of_a", "diary_of_z"),
    ("COPY NAME TO STDOUT", "diary_of_a", "diary_of_z"),
    ("COMMENT ON TABLE NAME IS 'x'", "diary_of_a", "diary_of_z"),
    ("GRANT SELECT ON NAME TO bob", "diary_of_a", "diary_of_z"),
    ("VACUUM NAME", "diary_of_a", "diary_of_z"),
    ("SUBSCRIBE NAME", "diary_of_a", "diary_of_z"),
    ("SELECT * FROM NAME.box", "attic", "attiz"),
    ("CREATE TABLE NAME.mine (x int)", "attic", "attiz"),
    ("DROP SCHEMA NAME CASCADE", "attic", "attiz"),
    ("SELECT has_schema_privilege('NAME', 'USAGE')", "attic", "attiz"),
    ("SELECT nextval('NAME')", "alices_seq", "alices_szq"),
    ("SELECT currval('NAME')", "alices_seq", "alices_szq"),
    ("DROP SEQUENCE NAME", "alices_seq", "alices_szq"),
    ("DROP VIEW NAME", "alices_view", "alices_viez"),
];

#[test]
fn bob_cannot_tell_her_names_from_none() {
    let (server, _alice) = two_worlds();
    let mut differences = String::new();
    for (question, hers, nobodys) in PROBES {
        let answer = |name: &str| -> Vec<String> {
            let mut bob = server.connect_as("bob", "bob-password").expect("bob logs in");
            let heard = hear(&mut bob, &question.replace("NAME", name));
            let lines = render::lines(&heard, Leniency::default(), &render::anybody);
            lines.into_iter().map(|l| l.replace(name, "NAME")).collect()
        };
        let (of_hers, of_nobodys) = (answer(hers), answer(nobodys));
        if of_hers != of_nobodys {
            differences += &format!("  {question}\n{}", render::diff(&of_nobodys, &of_hers));
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn bob_sees_nothing_of_alice() {
    let (server, mut alice) = two_worlds();
    let mut leaks = String::new();
    for attack in ATTACKS {
        // Bob comes anew each time, so that no attack disarms the next.
        let mut bob = server.connect_as("bob", "bob-password").expect("bob logs in");
        let heard = hear(&mut bob, attack);
        leaks += &leaked(attack, &heard);
    }
    assert!(leaks.is_empty(), "\n{leaks}");
    // And none of it has touched what is hers.
    let rows = check::run(&mut alice, "SELECT id, body, n FROM messages ORDER BY id").unwrap().rows;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0][1].as_deref(), Some("tungsten one"));
    let diary = check::run(&mut alice, "SELECT hidden_column FROM diary_of_a").unwrap();
    assert_eq!(diary.scalar(), "tungsten three");
    // Her channel stayed silent: the first thing she hears is herself.
    let messages = alice.query("NOTIFY whisper, 'mine'").unwrap();
    let payloads: Vec<_> = messages.iter().filter_map(payload).collect();
    assert_eq!(payloads, ["mine"]);
}

/// A statement or cursor prepared as one role must not serve the next.
#[test]
fn what_was_prepared_for_one_role_is_not_another_roles() {
    let (server, _alice) = two_worlds();
    let mut admin = server.connect().expect("the superuser connects");
    for sql in ["CREATE ROLE pooler LOGIN PASSWORD 'p'", "GRANT kalam_impersonate TO pooler"] {
        check::run(&mut admin, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut pool = server.connect_as("pooler", "p").expect("the pooler logs in");
    let alices = [
        "SET ROLE alice",
        "PREPARE p AS SELECT * FROM messages",
        "EXECUTE p",
        "PREPARE d AS SELECT * FROM diary_of_a",
        "PREPARE s AS SELECT 'tungsten literal'",
        "DECLARE held CURSOR WITH HOLD FOR SELECT 'tungsten literal'",
        "LISTEN whisper",
    ];
    for sql in alices {
        check::run(&mut pool, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut frames = Frontend::default();
    frames.parse("wire", "SELECT * FROM messages", &[]);
    frames.sync();
    pool.send(&frames).unwrap();
    pool.until_ready().unwrap();
    let own = check::run(&mut pool, "EXECUTE p").unwrap();
    assert_eq!(own.rows.len(), 2, "impersonating, the pooler reads alice's rows");

    let mut leaks = String::new();
    check::run(&mut pool, "SET ROLE bob").unwrap();
    for sql in [
        "EXECUTE p",
        "SELECT * FROM messages",
        "SELECT * FROM pg_listening_channels()",
        "SELECT * FROM pg_prepared_statements",
        "SELECT * FROM pg_cursors",
    ] {
        leaks += &leaked(sql, &hear(&mut pool, sql));
    }
    // This session wrote the name of her table itself; only what lies behind it would be news.
    leaks += &leaked("EXECUTE d, which names diary_of_a", &hear(&mut pool, "EXECUTE d"));
    let mut frames = Frontend::default();
    frames.bind(("", "wire"), &[], &[], &[]);
    frames.execute("", 0);
    frames.sync();
    pool.send(&frames).unwrap();
    leaks += &leaked("Bind of a statement of alice's time", &pool.until_ready().unwrap());
    let mut alice = server.connect_as("alice", "alice-password").unwrap();
    check::run(&mut alice, "NOTIFY whisper, 'tungsten payload'").unwrap();
    leaks += &leaked("a channel of alice's time", &hear(&mut pool, "SELECT 1"));

    // A cursor opened as alice ends with her role, or shows nothing after it.
    for sql in ["RESET ROLE", "SET ROLE alice", "BEGIN"] {
        check::run(&mut pool, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    check::run(&mut pool, "DECLARE c CURSOR FOR SELECT * FROM messages").unwrap();
    check::run(&mut pool, "SET ROLE bob").unwrap();
    leaks += &leaked("FETCH of a cursor of alice's", &hear(&mut pool, "FETCH ALL FROM c"));
    assert!(leaks.is_empty(), "\n{leaks}");
}

/// pg_cancel_backend and pg_terminate_backend: superusers reach everybody, others their own, and
/// whom one may not reach can't be told from nobody.
#[test]
fn whom_a_role_may_cancel_and_terminate() {
    let (server, mut alice) = two_worlds();
    let mut other = server.connect_as("alice", "alice-password").expect("alice logs in");
    let mut bob = server.connect_as("bob", "bob-password").expect("bob logs in");
    let mut admin = server.connect().expect("the superuser connects");
    let pid = |client: &mut Client| {
        check::run(client, "SELECT pg_backend_pid()").unwrap().scalar().to_owned()
    };
    let call = |client: &mut Client, function: &str, pid: &str| match check::run(
        client,
        &format!("SELECT {function}({pid})"),
    ) {
        Ok(answer) => answer.scalar().to_owned(),
        Err(failure) => failure.sqlstate().unwrap_or_default().to_owned(),
    };
    let (hers, admins) = (pid(&mut other), pid(&mut admin));
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        for target in [&hers, &admins, "4000000"] {
            assert_eq!(call(&mut bob, function, target), "42501", "{function} of {target}");
        }
        assert_eq!(call(&mut admin, function, "4000000"), "f");
    }
    // A request that comes before the query does is for nothing: wait for its first row.
    other.send_query("SELECT 1; SELECT pg_sleep(60)").unwrap();
    while !matches!(other.read().unwrap(), Backend::DataRow(_)) {}
    assert_eq!(call(&mut alice, "pg_cancel_backend", &hers), "t");
    match check::gather(&mut other) {
        Err(failure) => assert_eq!(failure.sqlstate(), Some("57014")),
        Ok(answer) => panic!("{answer:?}"),
    }
    check::run(&mut other, "SELECT 1").expect("the session lives on");
    check::run(&mut admin, "GRANT pg_signal_backend TO bob").unwrap();
    assert_eq!(call(&mut bob, "pg_terminate_backend", &admins), "42501");
    assert_eq!(call(&mut bob, "pg_terminate_backend", &hers), "t");
    match other.read().expect("a last word") {
        Backend::Error(fields) => assert_eq!(fields.sqlstate(), "57P01"),
        message => panic!("{message:?}"),
    }
}

#[test]
fn a_login_tells_nothing_and_a_role_option_needs_the_right() {
    let (server, _alice) = two_worlds();
    let refusal = |user: &str, password: &str| {
        server.connect_as(user, password).expect_err("the password is wrong").to_string()
    };
    let unknown = refusal("nobody_here", "x").replace("nobody_here", "USER");
    assert_eq!(unknown, refusal("alice", "x").replace("alice", "USER"));
    let mut target = server.target_of("bob", "bob-password");
    target.parameters.push(("options".to_owned(), "-c role=alice".to_owned()));
    let refused = match Client::connect(&target) {
        Err(failure) => failure.sqlstate().map(str::to_owned),
        Ok(mut client) => {
            let heard = hear(&mut client, "SELECT * FROM messages");
            panic!("bob logged in as alice: {heard:?}")
        }
    };
    assert_eq!(refused.as_deref(), Some("42501"));
}

#[test]
fn one_text_two_results() {
    let (server, mut alice) = two_worlds();
    let mut bob = server.connect_as("bob", "bob-password").expect("bob logs in");
    check::run(&mut bob, "INSERT INTO messages VALUES (1, 'bob one', 100)").unwrap();
    let text = "SELECT body FROM messages ORDER BY id";
    let of = |client: &mut Client| check::run(client, text).unwrap().rows.concat();
    assert_eq!(
        of(&mut alice).into_iter().flatten().collect::<Vec<_>>(),
        ["tungsten one", "tungsten two"]
    );
    assert_eq!(of(&mut bob).into_iter().flatten().collect::<Vec<_>>(), ["bob one"]);
    // A private table of the same name is another table.
    check::run(&mut bob, "CREATE TABLE diary_of_a (other int)").unwrap();
    check::run(&mut bob, "INSERT INTO diary_of_a VALUES (7)").unwrap();
    assert_eq!(check::run(&mut bob, "SELECT * FROM diary_of_a").unwrap().scalar(), "7");
    let hers = check::run(&mut alice, "SELECT hidden_column FROM diary_of_a").unwrap();
    assert_eq!(hers.scalar(), "tungsten three");
    // Locks don't meet either: alice holds her row, bob updates his.
    check::run(&mut alice, "BEGIN").unwrap();
    check::run(&mut alice, "UPDATE messages SET n = 1 WHERE id = 1").unwrap();
    check::run(&mut bob, "UPDATE messages SET n = 2 WHERE id = 1").unwrap();
    check::run(&mut alice, "COMMIT").unwrap();
}

fn two_worlds() -> (Server, Client) {
    let server = Server::start(Product::KalamDb).unwrap_or_else(|e| panic!("{e}"));
    let mut admin = server.connect().expect("the superuser connects");
    for sql in DEFINITIONS {
        check::run(&mut admin, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let mut alice = server.connect_as("alice", "alice-password").expect("alice logs in");
    for sql in ALICE {
        check::run(&mut alice, sql).unwrap_or_else(|e| panic!("alice: {sql}: {e}"));
    }
    (server, alice)
}

/// Everything the server says to `sql`; a stream that never ends is left after its first words.
fn hear(client: &mut Client, sql: &str) -> Vec<Backend> {
    client.send_query(sql).expect("the server listens");
    let mut heard = Vec::new();
    let patience = std::time::Duration::from_secs(5);
    loop {
        match client.read_within(patience) {
            Ok(Some(Backend::CopyIn(..))) => {
                let mut frames = Frontend::default();
                frames.copy_fail("no");
                client.send(&frames).expect("the server listens");
            }
            Ok(Some(message)) => {
                let done = matches!(message, Backend::ReadyForQuery(_));
                heard.push(message);
                if done {
                    return heard;
                }
            }
            Ok(None) if sql.contains("SUBSCRIBE") => return heard,
            Ok(None) => panic!("no answer to {sql}"),
            Err(error) => panic!("{sql} breaks the connection: {error}"),
        }
    }
}

/// A line for each canary in what was heard. What bob himself wrote in the attack, and what the
/// server quotes of it, tells him nothing.
fn leaked(attack: &str, heard: &[Backend]) -> String {
    let mut report = String::new();
    for message in heard {
        let text = match message {
            Backend::DataRow(values) => values
                .iter()
                .flatten()
                .map(|v| String::from_utf8_lossy(v).into_owned())
                .collect::<Vec<_>>()
                .join("|"),
            Backend::CopyData(data) => String::from_utf8_lossy(data).into_owned(),
            Backend::Error(fields) | Backend::Notice(fields) => format!("{fields:?}"),
            Backend::Notification { payload, .. } => payload.clone(),
            _ => continue,
        };
        let text = text.replace(attack, "");
        for canary in CANARIES.iter().filter(|c| text.contains(**c) && !attack.contains(**c)) {
            report += &format!("  {attack}\n    shows {canary}: {text}\n");
        }
    }
    report
}

fn payload(message: &Backend) -> Option<&str> {
    match message {
        Backend::Notification { payload, .. } => Some(payload),
        _ => None,
    }
}

/// As in PostgreSQL: who may read a view reads what its owner may read, and only through it.
#[test]
fn a_view_lends_its_owners_rights() {
    let server = Server::start(Product::peer()).unwrap();
    let mut root = server.connect().unwrap();
    let kind = match server.product() {
        Product::Postgres => "",
        _ => "WITH (kind = 'shared')",
    };
    for sql in [
        "CREATE ROLE alice LOGIN PASSWORD 'alice-password'",
        "CREATE ROLE bob LOGIN PASSWORD 'bob-password'",
        &format!("CREATE TABLE prices (id int PRIMARY KEY, price int, cost int) {kind}"),
        "INSERT INTO prices VALUES (1, 10, 5), (2, 20, 15)",
        "CREATE VIEW offers AS SELECT id, price FROM prices",
        "CREATE VIEW best AS SELECT * FROM offers WHERE price < 15",
        "GRANT SELECT ON best TO alice",
    ] {
        check::run(&mut root, sql).unwrap();
    }
    let mut alice = server.connect_as("alice", "alice-password").unwrap();
    assert_eq!(check::run(&mut alice, "SELECT price FROM best").unwrap().scalar(), "10");
    assert_eq!(check::run(&mut alice, "SELECT (SELECT count(*) FROM best)").unwrap().scalar(), "1");
    let refused = |client: &mut Client, sql: &str| {
        let error = check::run(client, sql).unwrap_err();
        assert_eq!(error.sqlstate(), Some("42501"), "{sql}");
    };
    for sql in [
        "SELECT * FROM offers",
        "SELECT * FROM prices",
        "SELECT best.* FROM best JOIN prices USING (id)",
        "SELECT * FROM best WHERE EXISTS (SELECT FROM prices)",
    ] {
        refused(&mut alice, sql);
    }
    let mut bob = server.connect_as("bob", "bob-password").unwrap();
    refused(&mut bob, "SELECT * FROM best");
    check::run(&mut root, "REVOKE SELECT ON best FROM alice").unwrap();
    refused(&mut alice, "SELECT price FROM best");
}

/// Plans are shared between users, what they find is not: the same text at the same time.
#[test]
fn one_plan_serves_two_worlds_at_once() {
    let server = Server::start(Product::KalamDb).unwrap();
    let mut root = server.connect().unwrap();
    for sql in [
        "CREATE ROLE alice LOGIN PASSWORD 'alice-password'",
        "CREATE ROLE bob LOGIN PASSWORD 'bob-password'",
        "CREATE TABLE own (id int PRIMARY KEY, secret text)",
        "CREATE TABLE large (id int PRIMARY KEY, v int)",
    ] {
        check::run(&mut root, sql).unwrap();
    }
    let queries = [
        "SELECT (SELECT max(secret) FROM own), count(*) FROM large WHERE v > 3 \
         AND (SELECT max(secret) FROM own) <> 'zz'",
        "SELECT max(secret), count(*) FROM own, large WHERE v > 3",
        "SELECT max((SELECT secret FROM own WHERE own.id = l.v % 2)), count(*) FROM large l \
         WHERE EXISTS (SELECT FROM own WHERE own.id = 1) AND v > 2990",
        "SELECT coalesce(ARRAY(SELECT secret FROM own)::text, ''), count(*) FROM large WHERE v > 3",
        "SELECT min(secret), count(*) FROM own JOIN large ON large.id >= own.id \
         WHERE secret = ANY (SELECT secret FROM own) AND v > 3",
    ];
    let users = [("alice", "alice-password"), ("bob", "bob-password")];
    std::thread::scope(|scope| {
        for (user, password) in users {
            let mut client = server.connect_as(user, password).unwrap();
            scope.spawn(move || {
                let secret = format!("INSERT INTO own VALUES (1, 'of {user}')");
                check::run(&mut client, &secret).unwrap();
                let rows = "INSERT INTO large SELECT n, n FROM generate_series(1, 3000) n";
                check::run(&mut client, rows).unwrap();
                for round in 0..60 {
                    for sql in queries {
                        let answer = check::run(&mut client, sql);
                        let answer = answer.unwrap_or_else(|e| panic!("{user} {round} {sql}: {e}"));
                        let own = answer.scalar().trim_matches(['{', '}', '"']);
                        assert_eq!(own, format!("of {user}"), "{round} {sql}");
                    }
                }
            });
        }
    });
}

/// What one user may name and another may not, in the same words.
#[test]
fn a_shared_plan_doesnt_open_a_schema() {
    let server = Server::start(Product::KalamDb).unwrap();
    let mut root = server.connect().unwrap();
    for sql in [
        "CREATE ROLE alice LOGIN PASSWORD 'alice-password'",
        "CREATE ROLE bob LOGIN PASSWORD 'bob-password'",
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.book (v text) WITH (kind = 'shared')",
        "INSERT INTO closed.book VALUES ('tungsten')",
        "GRANT SELECT ON closed.book TO alice, bob",
        "GRANT USAGE ON SCHEMA closed TO alice",
        "CREATE TABLE locked (v text) WITH (kind = 'shared')",
        "CREATE VIEW shut AS SELECT * FROM locked WHERE v <> 'tungsten'",
    ] {
        check::run(&mut root, sql).unwrap();
    }
    let mut alice = server.connect_as("alice", "alice-password").unwrap();
    let mut bob = server.connect_as("bob", "bob-password").unwrap();
    let text = "PREPARE q AS SELECT v FROM closed.book WHERE v <> 'zz'";
    check::run(&mut alice, text).unwrap();
    assert_eq!(check::run(&mut alice, "EXECUTE q").unwrap().scalar(), "tungsten");
    let refused = [text, "EXECUTE q", "EXPLAIN SELECT * FROM shut", "EXPLAIN DELETE FROM locked"];
    for (i, sql) in refused.iter().enumerate() {
        match check::run(&mut bob, sql) {
            // A plan that is there already is refused when it is run.
            Ok(_) if i == 0 => {}
            Ok(answer) => panic!("{sql}: {answer:?}"),
            Err(failure) if i == 1 && failure.sqlstate() == Some("26000") => {}
            Err(failure) => assert_eq!(failure.sqlstate(), Some("42501"), "{sql}"),
        }
    }
}
