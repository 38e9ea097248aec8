//! Definitions from text to storage and back, without rows.

use std::path::Path;

use kalamdb_storage::{CommitNotice, Feed, StoreOptions};

use super::*;
use crate::catalog::{ConstraintKind, TableKind, part::Named};

struct Deaf;

impl Feed for Deaf {
    fn committed(&self, _: &[CommitNotice]) {}

    fn durable(&self) {}
}

async fn open(dir: &Path) -> Arc<CatalogStore> {
    let store = Store::open(StoreOptions::new(dir), Arc::new(Deaf)).await.unwrap();
    let verifier = crate::roles::verifier("secret").unwrap();
    CatalogStore::open(store, &verifier).await.unwrap()
}

/// A session that only defines.
struct Definer {
    inner: BootstrapContext,
    notices: Vec<String>,
}

#[async_trait]
impl DdlContext for Definer {
    fn view(&self) -> Arc<CatalogView> {
        self.inner.view()
    }
    fn catalogs(&self) -> &Arc<CatalogStore> {
        self.inner.catalogs()
    }
    fn changes(&mut self) -> (&mut CatalogTransaction, &mut WriteSet) {
        self.inner.changes()
    }
    async fn lock_catalog(&mut self, _: NamespaceId) -> Result<()> {
        Ok(())
    }
    async fn lock_relation(&mut self, _: Oid) -> Result<()> {
        Ok(())
    }
    async fn lock_rows(&mut self, _: &Relation) -> Result<()> {
        Ok(())
    }
    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }
    fn execution(&self) -> Result<Arc<ExecutionContext>> {
        self.inner.execution()
    }
    fn session_user(&self) -> Oid {
        self.view().role
    }
    fn setting(&self, name: &str) -> Option<String> {
        (name == "default_table_kind").then(String::new)
    }
    fn search_path(&self) -> Vec<String> {
        vec!["$user".to_owned(), "public".to_owned()]
    }
    async fn insert_query(
        &mut self,
        _: &Arc<Relation>,
        _: &ast::Query,
        _: &Arc<CatalogView>,
    ) -> Result<u64> {
        Ok(0)
    }
    fn notice(&mut self, notice: Error) {
        self.notices.push(notice.message.clone());
    }
}

async fn definer(catalogs: &Arc<CatalogStore>, role: &str) -> Definer {
    let oid = catalogs.cluster().role_by_name(role).unwrap().oid;
    let session = catalogs.attach(DEFAULT_DATABASE, oid).await.unwrap();
    let inner = BootstrapContext {
        catalogs: Arc::clone(catalogs),
        transaction: CatalogTransaction::new(session),
        writes: WriteSet::default(),
    };
    Definer { inner, notices: Vec::new() }
}

impl Definer {
    async fn run(&mut self, sql: &str) -> Result<String> {
        let mut tag = String::new();
        for statement in statement::parse_script(sql)? {
            let statement::Parsed::Definition(command) = &statement.body else {
                panic!("not a definition: {sql}");
            };
            tag = ddl::run(command, self).await?;
        }
        Ok(tag)
    }

    async fn commit(mut self) -> Vec<String> {
        let writes = std::mem::take(&mut self.inner.writes);
        commit(self.inner.catalogs.store(), writes).await.unwrap();
        self.inner.transaction.publish();
        self.notices
    }
}

/// Runs as one transaction, which commits.
async fn define(catalogs: &Arc<CatalogStore>, role: &str, sql: &str) -> Vec<String> {
    let mut definer = definer(catalogs, role).await;
    definer.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    definer.commit().await
}

async fn refuse(catalogs: &Arc<CatalogStore>, role: &str, sql: &str) -> (String, String) {
    let mut definer = definer(catalogs, role).await;
    let error = definer.run(sql).await.expect_err(sql);
    (error.sqlstate.to_string(), error.message.clone())
}

async fn view(catalogs: &Arc<CatalogStore>, role: &str) -> Arc<CatalogView> {
    definer(catalogs, role).await.view()
}

fn path() -> Vec<String> {
    vec!["$user".to_owned(), "public".to_owned()]
}

#[tokio::test]
async fn the_first_start_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    let first = catalogs.cluster();
    assert!(first.role_by_name("kalamdb").unwrap().superuser);
    assert_eq!(first.role_by_name("pg_database_owner").unwrap().oid, DATABASE_OWNER_ROLE);
    assert_eq!(first.database_by_name("kalamdb").unwrap().oid, DEFAULT_DATABASE);
    Arc::clone(catalogs.store()).close().await.unwrap();
    drop(catalogs);

    let again = open(dir.path()).await;
    let cluster = again.cluster();
    assert_eq!(cluster.role_by_name("kalamdb"), first.role_by_name("kalamdb"));
    assert_eq!(cluster.secret(), first.secret());
    let view = view(&again, "kalamdb").await;
    assert_eq!(view.schema_by_name("public").unwrap().oid, PUBLIC_SCHEMA);
    assert!(MIGRATIONS.iter().all(|m| view.shared.migration(m.number) == Some(m.name)));
}

#[tokio::test]
async fn a_table_comes_back_as_it_was_defined() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    let sql = "CREATE TABLE t (a serial PRIMARY KEY, b varchar(10) NOT NULL DEFAULT 'x', \
               c numeric(10,2) CHECK (c > 0), d int GENERATED ALWAYS AS IDENTITY, \
               UNIQUE (b, c), CHECK (a < 5 OR c > 1)); \
               CREATE INDEX ON t (b DESC, a); COMMENT ON TABLE t IS 'mine'";
    define(&catalogs, "kalamdb", sql).await;
    let before = view(&catalogs, "kalamdb").await;
    let table = before.find_relation(None, "t", &path()).unwrap();
    assert_eq!(table.kind, TableKind::User);
    let indexes: Vec<&str> = table.indexes().iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["t_pkey", "t_b_c_key", "t_b_a_idx"]);
    let checks: Vec<&str> = table
        .constraints()
        .iter()
        .filter(|c| matches!(c.kind, ConstraintKind::Check { .. }))
        .map(|constraint| constraint.name.as_str())
        .collect();
    assert_eq!(checks, ["t_c_check", "t_check"]);
    let sequence = before.owned_sequence(table.oid, 1).unwrap();
    assert_eq!(sequence.name, "t_a_seq");
    let default = table.columns[0].default.clone().unwrap();
    assert_eq!(default, format!("nextval('{}'::regclass)", sequence.oid));
    assert_eq!(table.columns[1].default.as_deref(), Some("'x'::character varying"));
    let layout = table.layout.as_ref().unwrap();
    assert_eq!((layout.key.as_slice(), layout.indexes.len()), (&[0_usize][..], 2));
    Arc::clone(catalogs.store()).close().await.unwrap();
    drop((catalogs, before));

    let again = open(dir.path()).await;
    let view = view(&again, "kalamdb").await;
    let stored = view.find_relation(None, "t", &path()).unwrap();
    let json = |relation: &Relation| serde_json::to_string(relation).unwrap();
    assert_eq!(json(&stored), json(&table));
    assert_eq!(view.description(crate::catalog::Class::Relation, table.oid, 0), Some("mine"));
}

#[tokio::test]
async fn private_definitions_are_seen_by_their_role_alone() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    define(&catalogs, "kalamdb", "CREATE USER alice; CREATE USER bob").await;
    define(&catalogs, "kalamdb", "CREATE TABLE common (a int)").await;
    define(
        &catalogs,
        "alice",
        "CREATE TABLE mine (a int); CREATE SCHEMA inner_; \
                                CREATE TABLE inner_.other (a int)",
    )
    .await;
    let alice = view(&catalogs, "alice").await;
    let mine = alice.find_relation(None, "mine", &path()).unwrap();
    assert_eq!(mine.kind, TableKind::Private);
    assert!(alice.find_relation(Some("inner_"), "other", &[]).is_some());
    for role in ["bob", "kalamdb"] {
        let other = view(&catalogs, role).await;
        assert_eq!(other.find_named(None, "mine", &path()), None);
        assert!(other.relation_by_oid(mine.oid).is_none());
        assert!(other.schema_by_name("inner_").is_none());
        assert!(other.relations().all(|relation| relation.name != "mine"));
        assert!(other.find_relation(None, "common", &path()).is_some());
    }
    // The same name and text makes another table.
    define(&catalogs, "bob", "CREATE TABLE mine (a text)").await;
    let bob = view(&catalogs, "bob").await;
    assert!(matches!(bob.find_named(None, "mine", &path()), Some(Named::Relation(_))));
    assert_eq!(bob.version().0, alice.version().0);
    let refused = refuse(&catalogs, "alice", "DROP TABLE common").await;
    assert_eq!(refused, ("42501".into(), "must be owner of table common".into()));
    let refused = refuse(&catalogs, "alice", "CREATE TABLE x (a int) WITH (kind = 'user')").await;
    assert_eq!(refused.0, "42501");
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[tokio::test]
async fn refusals_are_postgres_own() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    define(
        &catalogs,
        "kalamdb",
        "CREATE TABLE t (a int PRIMARY KEY, b text); \
                                  CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s; \
                                  CREATE TABLE d (x bigint DEFAULT nextval('s'))",
    )
    .await;
    for (sql, state, message) in [
        ("CREATE TABLE t (a int)", "42P07", "relation \"t\" already exists"),
        ("CREATE TABLE u (a int, a text)", "42701", "column \"a\" specified more than once"),
        (
            "CREATE TABLE u (a int PRIMARY KEY, PRIMARY KEY (a))",
            "42P16",
            "multiple primary keys for table \"u\" are not allowed",
        ),
        ("CREATE TABLE u (a int, UNIQUE (b))", "42703", "column \"b\" named in key does not exist"),
        ("CREATE TABLE u (a nosuch)", "42704", "type \"nosuch\" does not exist"),
        (
            "CREATE TABLE u (a int NOT NULL NULL)",
            "42601",
            "conflicting NULL/NOT NULL declarations for column \"a\" of table \"u\"",
        ),
        (
            "CREATE TABLE u (a int DEFAULT 1 DEFAULT 2)",
            "42601",
            "multiple default values specified for column \"a\" of table \"u\"",
        ),
        (
            "CREATE TABLE u (a text GENERATED ALWAYS AS IDENTITY)",
            "22023",
            "identity column type must be smallint, integer, or bigint",
        ),
        ("CREATE TABLE nos.u (a int)", "3F000", "schema \"nos\" does not exist"),
        ("CREATE TABLE u (a int REFERENCES t)", "0A000", "foreign keys are not supported yet"),
        ("DROP TABLE nosuch", "42P01", "table \"nosuch\" does not exist"),
        ("DROP TABLE v", "42809", "\"v\" is not a table"),
        ("DROP INDEX nosuch", "42704", "index \"nosuch\" does not exist"),
        (
            "DROP INDEX t_pkey",
            "2BP01",
            "cannot drop index t_pkey because constraint t_pkey on table t requires it",
        ),
        ("DROP TABLE t", "2BP01", "cannot drop table t because other objects depend on it"),
        ("DROP SEQUENCE s", "2BP01", "cannot drop sequence s because other objects depend on it"),
        (
            "CREATE SEQUENCE q MINVALUE 5 MAXVALUE 3",
            "22023",
            "MINVALUE (5) must be less than MAXVALUE (3)",
        ),
        ("CREATE SEQUENCE q INCREMENT 0", "22023", "INCREMENT must not be zero"),
        ("CREATE SCHEMA public", "42P06", "schema \"public\" already exists"),
        ("CREATE SCHEMA pg_x", "42939", "unacceptable schema name \"pg_x\""),
        ("CREATE ROLE kalamdb", "42710", "role \"kalamdb\" already exists"),
        ("CREATE ROLE pg_x", "42939", "role name \"pg_x\" is reserved"),
        ("DROP ROLE nobody", "42704", "role \"nobody\" does not exist"),
        ("DROP ROLE kalamdb", "55006", "current user cannot be dropped"),
        ("CREATE INDEX ON t (nosuch)", "42703", "column \"nosuch\" does not exist"),
        ("CREATE INDEX ON v (a)", "42809", "cannot create index on relation \"v\""),
        (
            "CREATE TABLE u (a int) WITH (kind = 'x')",
            "22023",
            "invalid value for storage parameter \"kind\": \"x\"",
        ),
        ("GRANT USAGE ON t TO PUBLIC", "0LP01", "invalid privilege type USAGE for relation"),
        ("CREATE TABLE", "42601", "syntax error at end of input"),
        ("CREATE TABLE u (a int,)", "42601", "syntax error at or near \")\""),
        (
            "CREATE DATABASE x",
            "0A000",
            "CREATE DATABASE is not supported: a server has one database",
        ),
    ] {
        let refused = refuse(&catalogs, "kalamdb", sql).await;
        assert_eq!(refused, (state.to_owned(), message.to_owned()), "{sql}");
    }
    let notices = define(
        &catalogs,
        "kalamdb",
        "DROP TABLE IF EXISTS nosuch; \
        CREATE TABLE IF NOT EXISTS t (a int); DROP TABLE t CASCADE; DROP SEQUENCE s CASCADE",
    )
    .await;
    assert_eq!(
        notices,
        [
            "table \"nosuch\" does not exist, skipping",
            "relation \"t\" already exists, skipping",
            "drop cascades to view v",
            "drop cascades to default value for column x of table d",
        ]
    );
}

#[tokio::test]
async fn what_is_taken_back_was_never_there() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    let mut definer = definer(&catalogs, "kalamdb").await;
    definer.run("CREATE TABLE kept (a int)").await.unwrap();
    let savepoint = definer.inner.transaction.savepoint();
    let writes = definer.inner.writes.clone();
    definer.run("CREATE TABLE lost (a int); DROP TABLE kept").await.unwrap();
    assert!(view(&catalogs, "kalamdb").await.find_relation(None, "lost", &path()).is_none());
    definer.inner.transaction.restore(savepoint);
    definer.inner.writes = writes;
    definer.commit().await;
    let view = view(&catalogs, "kalamdb").await;
    assert!(view.find_relation(None, "kept", &path()).is_some());
    assert!(view.find_relation(None, "lost", &path()).is_none());
}

#[tokio::test]
async fn roles_become_others_only_where_they_may() {
    let dir = tempfile::tempdir().unwrap();
    let catalogs = open(dir.path()).await;
    define(
        &catalogs,
        "kalamdb",
        "CREATE ROLE chef; CREATE USER alice; CREATE USER bob; \
        CREATE USER service; CREATE ROLE boss SUPERUSER; CREATE ROLE deputy; \
        GRANT chef TO alice; GRANT kalam_impersonate TO service; GRANT boss TO deputy",
    )
    .await;
    let cluster = catalogs.cluster();
    let oid = |name: &str| cluster.role_by_name(name).unwrap().oid;
    let may = |from: &str, to: &str| crate::roles::may_set_role(&cluster, oid(from), oid(to));
    assert!(may("alice", "chef") && !may("bob", "chef") && may("kalamdb", "bob"));
    assert!(may("service", "alice") && may("service", "chef"));
    assert!(!may("service", "kalamdb") && !may("service", "boss") && !may("service", "deputy"));
    let cycle = refuse(&catalogs, "kalamdb", "GRANT alice TO chef").await;
    assert_eq!(cycle.0, "0LP01");
    for (sql, state) in [
        ("CREATE ROLE x", "42501"),
        ("ALTER ROLE bob PASSWORD 'x'", "42501"),
        ("ALTER ROLE alice SUPERUSER", "42501"),
        ("GRANT kalam_impersonate TO alice", "42501"),
        ("DROP ROLE bob", "42501"),
        ("ALTER SYSTEM SET search_path = x", "42501"),
    ] {
        assert_eq!(refuse(&catalogs, "alice", sql).await.0, state, "{sql}");
    }
    define(&catalogs, "alice", "ALTER ROLE alice PASSWORD 'x'").await;
    assert!(catalogs.cluster().role_by_name("alice").unwrap().verifier.is_some());
    define(&catalogs, "alice", "CREATE TABLE mine (a int)").await;
    assert_eq!(refuse(&catalogs, "kalamdb", "DROP ROLE alice").await.0, "2BP01");
    define(&catalogs, "kalamdb", "DROP OWNED BY alice; DROP ROLE alice").await;
    assert!(catalogs.cluster().role_by_name("alice").is_none());
}
