//! The first start: what is there before anybody created anything.
//!
//! Roles, the database and its schemas are made in code, since they have fixed numbers; all that
//! SQL can say comes from `migrations/*.sql`, applied in order and recorded, in one commit.

use std::{
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use async_trait::async_trait;
use datafusion::sql::sqlparser::ast;
use kalamdb_storage::{Commit, NamespaceId, Snapshot, Store, WriteSet};
use rand::RngCore;

use crate::{
    catalog::{
        Database, FIRST_NORMAL_OID, Grant, Relation, Role, Schema,
        part::{BOOTSTRAP_ROLE, CatalogView, DATABASE_OWNER_ROLE, PUBLIC_SCHEMA, Part},
        store::{CatalogStore, CatalogTransaction, Writer},
    },
    context::ExecutionContext,
    error::{Error, Result},
    exec::ddl::{self, DdlContext},
    statement,
    types::Oid,
};

/// The first database and its superuser.
const DEFAULT_NAME: &str = "kalamdb";
const DEFAULT_DATABASE: Oid = Oid(5);

/// Members may become any role that is no superuser.
pub(crate) const IMPERSONATE_ROLE: Oid = Oid(9001);
/// Members may read the rows of all users through the schema `everyone`.
pub(crate) const READ_ALL_ROLE: Oid = Oid(9002);

/// PostgreSQL's predefined roles with their OIDs, and ours.
const PREDEFINED: &[(Oid, &str)] = &[
    (Oid(3373), "pg_monitor"),
    (Oid(3374), "pg_read_all_settings"),
    (Oid(3375), "pg_read_all_stats"),
    (Oid(3377), "pg_stat_scan_tables"),
    (Oid(4200), "pg_signal_backend"),
    (Oid(4544), "pg_checkpoint"),
    (Oid(4569), "pg_read_server_files"),
    (Oid(4570), "pg_write_server_files"),
    (Oid(4571), "pg_execute_server_program"),
    (DATABASE_OWNER_ROLE, "pg_database_owner"),
    (Oid(6181), "pg_read_all_data"),
    (Oid(6182), "pg_write_all_data"),
    (IMPERSONATE_ROLE, "kalam_impersonate"),
    (READ_ALL_ROLE, "kalam_read_all"),
];

/// One step of the system catalog: forward only, never edited after a release.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "0001_comments",
    sql: include_str!("../../../migrations/0001_comments.sql"),
}];

/// OIDs of what migrations make start here.
const FIRST_MIGRATED_OID: u32 = 15_000;

impl CatalogStore {
    /// Loads the catalog; an empty store gets its roles, database and schemas first, with
    /// `verifier` as the superuser's. Then the migrations that are missing are applied.
    ///
    /// # Errors
    /// What storage says; XX000 if a migration of ours is wrong.
    pub(crate) async fn open(store: Arc<Store>, verifier: &str) -> Result<Arc<CatalogStore>> {
        LazyLock::force(&crate::functions::session::identity::START_TIME);
        let mut catalogs = Arc::new(CatalogStore::load(Arc::clone(&store)).await?);
        if catalogs.cluster().roles().is_empty() {
            create_cluster(&catalogs, verifier).await?;
            catalogs = Arc::new(CatalogStore::load(store).await?);
        }
        for database in catalogs.cluster().databases() {
            migrate(&catalogs, database.oid).await?;
        }
        Ok(catalogs)
    }
}

async fn create_cluster(catalogs: &Arc<CatalogStore>, verifier: &str) -> Result<()> {
    catalogs.add_database(DEFAULT_DATABASE, Part::new());
    let session = catalogs.attach(DEFAULT_DATABASE, BOOTSTRAP_ROLE).await?;
    let mut transaction = CatalogTransaction::new(session);
    let mut writes = WriteSet::default();
    let mut writer = Writer {
        catalogs: Arc::clone(catalogs),
        transaction: &mut transaction,
        writes: &mut writes,
    };
    let mut secret = [0_u8; 32];
    rand::rng().fill_bytes(&mut secret);
    writer.put_secret(crate::roles::to_base64(&secret))?;
    writer.put_role(superuser(verifier))?;
    for (oid, name) in PREDEFINED {
        writer.put_role(predefined(*oid, name))?;
    }
    writer.put_database(Database {
        oid: DEFAULT_DATABASE,
        name: DEFAULT_NAME.to_owned(),
        owner: BOOTSTRAP_ROLE,
    })?;
    writer.put_schema(public_schema())?;
    commit(catalogs.store(), writes).await
}

fn superuser(verifier: &str) -> Role {
    Role {
        superuser: true,
        create_role: true,
        create_db: true,
        login: true,
        replication: true,
        bypass_rls: true,
        verifier: Some(verifier.to_owned()),
        ..predefined(BOOTSTRAP_ROLE, DEFAULT_NAME)
    }
}

fn predefined(oid: Oid, name: &str) -> Role {
    Role {
        oid,
        name: name.to_owned(),
        superuser: false,
        inherit: true,
        create_role: false,
        create_db: false,
        login: false,
        replication: false,
        bypass_rls: false,
        connection_limit: -1,
        verifier: None,
        valid_until: None,
        settings: Vec::new(),
    }
}

/// As in PostgreSQL 15: everybody may look into it, the database's owner may create for all.
/// What others create there is private to them, which needs no privilege.
pub(crate) fn public_schema() -> Schema {
    Schema {
        oid: PUBLIC_SCHEMA,
        name: "public".to_owned(),
        owner: DATABASE_OWNER_ROLE,
        grants: Some(vec![
            grant(DATABASE_OWNER_ROLE, DATABASE_OWNER_ROLE, "UC"),
            grant(Oid(0), DATABASE_OWNER_ROLE, "U"),
        ]),
    }
}

fn grant(grantee: Oid, grantor: Oid, privileges: &str) -> Grant {
    Grant { grantee, grantor, privileges: privileges.to_owned() }
}

async fn migrate(catalogs: &Arc<CatalogStore>, database: Oid) -> Result<()> {
    let session = catalogs.attach(database, BOOTSTRAP_ROLE).await?;
    let view = session.view();
    let pending: Vec<_> =
        MIGRATIONS.iter().filter(|m| view.shared.migration(m.number).is_none()).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let used = view.shared.relations().map(|relation| relation.oid.0.max(relation.row_type.0 + 1));
    let free = used.filter(|oid| *oid < FIRST_NORMAL_OID).max().unwrap_or(FIRST_MIGRATED_OID - 1);
    let mut context = BootstrapContext {
        catalogs: Arc::clone(catalogs),
        transaction: CatalogTransaction::new(session),
        writes: WriteSet::default(),
    };
    context.transaction.use_system_oids(Oid(free + 1));
    for migration in pending {
        context.apply(migration).await.map_err(|error| {
            Error::internal(format!("migration {}: {}", migration.name, error.message))
        })?;
    }
    let BootstrapContext { mut transaction, writes, .. } = context;
    commit(catalogs.store(), writes).await?;
    transaction.publish();
    Ok(())
}

async fn commit(store: &Arc<Store>, writes: WriteSet) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let time_us = now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
    store.commit(Commit { writes, sync: true, time_us }).await?;
    Ok(())
}

/// Runs definitions before there is any session.
struct BootstrapContext {
    catalogs: Arc<CatalogStore>,
    transaction: CatalogTransaction,
    writes: WriteSet,
}

impl BootstrapContext {
    async fn apply(&mut self, migration: &Migration) -> Result<()> {
        for statement in statement::parse_script(migration.sql)? {
            match &statement.body {
                statement::Parsed::Definition(command) => {
                    ddl::run(command, self).await?;
                }
                _ => return Err(Error::internal("a migration consists of definitions")),
            }
        }
        let mut writer = Writer {
            catalogs: Arc::clone(&self.catalogs),
            transaction: &mut self.transaction,
            writes: &mut self.writes,
        };
        writer.put_migration(migration.number, migration.name)
    }
}

#[async_trait]
impl DdlContext for BootstrapContext {
    fn view(&self) -> Arc<CatalogView> {
        self.transaction.view()
    }

    fn catalogs(&self) -> &Arc<CatalogStore> {
        &self.catalogs
    }

    fn changes(&mut self) -> (&mut CatalogTransaction, &mut WriteSet) {
        (&mut self.transaction, &mut self.writes)
    }

    async fn lock_catalog(&mut self, _part: NamespaceId) -> Result<()> {
        Ok(())
    }

    async fn lock_relation(&mut self, _relation: Oid) -> Result<()> {
        Ok(())
    }

    async fn lock_rows(&mut self, _relation: &Relation) -> Result<()> {
        Ok(())
    }

    fn snapshot(&self) -> Snapshot {
        self.catalogs.store().snapshot()
    }

    fn execution(&self) -> Result<Arc<ExecutionContext>> {
        Err(Error::internal("a migration can't evaluate expressions"))
    }

    fn session_user(&self) -> Oid {
        BOOTSTRAP_ROLE
    }

    fn setting(&self, name: &str) -> Option<String> {
        (name == "default_table_kind").then(|| "user".to_owned())
    }

    fn search_path(&self) -> Vec<String> {
        vec!["pg_catalog".to_owned(), "information_schema".to_owned()]
    }

    async fn insert_query(
        &mut self,
        _: &Arc<Relation>,
        _: &ast::Query,
        _: &Arc<CatalogView>,
    ) -> Result<u64> {
        Err(Error::internal("a migration can't write rows"))
    }

    fn notice(&mut self, notice: Error) {
        tracing::debug!(%notice, "while migrating");
    }
}

#[cfg(test)]
mod tests;
