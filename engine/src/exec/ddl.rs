//! Definitions: CREATE, ALTER, DROP, GRANT, COMMENT, TRUNCATE and what belongs to roles.
//!
//! [`parse`] reads PostgreSQL's grammar of these statements into a [`Command`] (sqlparser reads
//! the expressions, types and queries inside), [`run`] executes one inside a transaction: it
//! changes the transaction's own copy of the catalog and writes rows into its write set. Nothing
//! is seen by others before the commit, and a savepoint takes both back.
//!
//! What every statement does first, in this order: take the catalog lock of the part it will
//! change, look up names in the transaction's view, check ownership and privileges, lock the
//! relation, change.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::sql::sqlparser::ast;
use kalamdb_storage::{NamespaceId, RelationId, Snapshot, WriteSet};

use crate::{
    catalog::{
        Relation,
        part::CatalogView,
        store::{CatalogStore, CatalogTransaction},
    },
    context::ExecutionContext,
    error::{Error, Result},
    types::Oid,
};

mod acl;
mod alter;
mod alter_column;
mod alter_type;
pub(crate) mod change;
mod comment;
mod constraint;
mod create_table;
mod create_table_as;
mod dependency;
mod drop;
mod expression;
pub(crate) mod grammar;
mod index;
mod like;
mod names;
pub(crate) mod owned;
mod parameters;
mod reindex;
mod rename;
mod rows;
mod schema;
mod sequence;
pub(crate) mod temporary;
mod truncate;
mod view;

pub(crate) use create_table_as::select_into;
pub(crate) use grammar::{Command, OnCommit, parse};

/// What a definition needs of the transaction it runs in. The executor's transaction implements
/// it, and the tests of this module do.
#[async_trait]
pub(crate) trait DdlContext: Send {
    /// The catalog as this transaction sees it now: its own uncommitted changes included, for
    /// `current_user`.
    fn view(&self) -> Arc<CatalogView>;
    fn catalogs(&self) -> &Arc<CatalogStore>;
    /// Both halves of what the transaction changed so far. Definitions write straight into the
    /// transaction's write set; a failed statement is undone by the caller, who restores
    /// [`CatalogTransaction::savepoint`] and the write set of before.
    fn changes(&mut self) -> (&mut CatalogTransaction, &mut WriteSet);
    /// Takes the exclusive catalog lock of one part (`NamespaceId(0)`: the cluster's) until the
    /// end of the transaction. Taken again, it does nothing.
    async fn lock_catalog(&mut self, part: NamespaceId) -> Result<()>;
    /// ACCESS EXCLUSIVE on a relation, in every namespace, until the end of the transaction.
    async fn lock_relation(&mut self, relation: Oid) -> Result<()>;
    /// ACCESS EXCLUSIVE on the rows of a relation that this session sees: TRUNCATE's lock.
    async fn lock_rows(&mut self, relation: &Relation) -> Result<()>;
    /// Keeps everybody from a role's rows of a relation, and all its commits from the namespace,
    /// until the end of the transaction: before they are dropped.
    async fn lock_namespace(
        &mut self,
        _namespace: NamespaceId,
        _rows: &[RelationId],
    ) -> Result<()> {
        Ok(())
    }
    /// What is committed by now.
    fn snapshot(&self) -> Snapshot;
    /// A context for evaluating expressions and scanning, with a fresh snapshot, the catalog of
    /// [`DdlContext::view`] and all that the transaction wrote so far.
    ///
    /// # Errors
    /// XX000 where there is no session, as while migrating.
    fn execution(&self) -> Result<Arc<ExecutionContext>>;
    /// `session_user`.
    fn session_user(&self) -> Oid;
    /// The setting as the session has it, `None` where there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;
    /// `search_path`, one schema each.
    fn search_path(&self) -> Vec<String>;
    /// Locks what a query reads against definitions that change.
    async fn lock_query(&mut self, _query: &ast::Query) -> Result<()> {
        Ok(())
    }
    /// Inserts a query's rows into a table that the same statement made; returns their number.
    async fn insert_query(
        &mut self,
        target: &Arc<Relation>,
        query: &ast::Query,
        view: &Arc<CatalogView>,
    ) -> Result<u64>;
    /// The schema for temporary objects was made.
    fn made_temporary(&mut self) {}
    /// Names of the temporary schemas of all sessions there are.
    fn temporary_schemas_in_use(&self) -> Vec<String> {
        Vec::new()
    }
    /// What happens to a temporary table when the transaction commits, and each one after it.
    fn on_commit(&mut self, _relation: Oid, _action: OnCommit) {}
    /// Sends a WARNING (SQLSTATE classes 01 and 25) or NOTICE (any other) after this statement.
    fn notice(&mut self, notice: Error);
}

/// Runs one definition and returns its command tag.
pub(crate) async fn run(command: &Command, ctx: &mut dyn DdlContext) -> Result<String> {
    temporary::prepare(command, ctx).await?;
    match command {
        Command::CreateTable(create) => create_table::run(create, ctx).await,
        Command::CreateTableAs(create) => create_table_as::run(create, ctx).await,
        Command::CreateIndex(create) => index::create(create, ctx).await,
        Command::Reindex(reindex) => reindex::run(reindex, ctx).await,
        Command::CreateSequence(create) => sequence::create(create, ctx).await,
        Command::CreateSchema(create) => schema::create(create, ctx).await,
        Command::CreateView(create) => view::create(create, ctx).await,
        Command::AlterRelation(alter) => alter::run(alter, ctx).await,
        Command::AlterSequence(alter) => sequence::alter(alter, ctx).await,
        Command::AlterSchema(alter) => schema::alter(alter, ctx).await,
        Command::Drop(drop) => drop::run(drop, ctx).await,
        Command::Truncate(truncate) => truncate::run(truncate, ctx).await,
        Command::Comment(comment) => comment::run(comment, ctx).await,
        Command::Grant(grant) => acl::run(grant, ctx).await,
        Command::DropOwned { roles, cascade } => owned::drop(roles, *cascade, ctx).await,
        Command::ReassignOwned { from, to } => owned::reassign(from, to, ctx).await,
        Command::Role(role) => crate::roles::run(role, ctx).await,
        Command::Database(database) => refuse_database(database, ctx),
        Command::Wrong(error) => Err(error.clone()),
        Command::Refused { message } => Err(Error::feature_not_supported(message.clone())),
    }
}

/// CREATE and DROP DATABASE, of which only what changes nothing succeeds.
fn refuse_database(command: &grammar::DatabaseCommand, ctx: &mut dyn DdlContext) -> Result<String> {
    let name = &command.name;
    let exists = ctx.view().cluster.database_by_name(name).is_some();
    match (command.drops, exists) {
        (false, true) => Err(Error::duplicate_database(name)),
        (false, false) => Err(Error::feature_not_supported(
            "CREATE DATABASE is not supported: a server has one database",
        )),
        (true, true) => Err(Error::feature_not_supported(
            "DROP DATABASE is not supported: a server has one database",
        )),
        (true, false) if command.if_exists => {
            let missing = Error::undefined_database(name);
            change::skipping(ctx, format!("{}, skipping", missing.message));
            Ok("DROP DATABASE".to_owned())
        }
        (true, false) => Err(Error::undefined_database(name)),
    }
}

/// Removes a relation with all that depends on it, as ON COMMIT DROP does.
pub(crate) async fn drop_relation(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
) -> Result<()> {
    drop::with_dependents(ctx, relation).await
}

/// The sequences that a default's text names, for pg_depend.
pub(crate) fn sequences_of_default(text: &str) -> Vec<Oid> {
    expression::sequences(text)
}

/// The relations that a view's query names, for pg_depend.
pub(crate) fn relations_of_view(view: &CatalogView, relation: &Relation) -> Vec<Oid> {
    dependency::relations_of_view(view, relation)
}
