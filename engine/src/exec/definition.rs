//! Definitions, run inside the session's transaction.

use std::{ops::ControlFlow, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    common::ScalarValue,
    sql::sqlparser::ast::{self, visit_expressions_mut},
};
use futures::StreamExt;
use kalamdb_storage::{NamespaceId, RelationId, Snapshot, WriteSet};

use crate::{
    analyze::{self, Environment, Parameters, analyze},
    catalog::{
        Relation,
        part::CatalogView,
        store::{CatalogStore, CatalogTransaction},
    },
    context::ExecutionContext,
    error::{Error, Result},
    exec::{
        self,
        ddl::{self, Command, DdlContext, OnCommit, grammar::CreateTableAs},
        insert::insert_batch,
        rules::Rules,
        write::Writer,
    },
    locks::{Mode, Target},
    session::{Portal, Rows, Session, Started, Tag},
    txn::Phase,
    types::{FormatSettings, Oid, PgType, output::text_of},
};

/// Runs one definition.
pub(crate) async fn run(
    session: &mut Session,
    command: &Command,
    portal: &mut Portal,
) -> Result<Started> {
    if let Some(tag) = command.written_by() {
        session.transaction.check_writable(&tag)?;
    }
    if session.transaction.phase == Phase::Block
        && let Some(what) = command.runs_alone()
    {
        return Err(Error::active_transaction(what));
    }
    let tag = match command {
        Command::CreateTableAs(create) => {
            let types = portal.plan.as_ref().map_or(&[][..], |plan| &plan.parameters);
            let create = with_values(create, types, &std::mem::take(&mut portal.parameters))?;
            ddl::run(&Command::CreateTableAs(create), session).await?
        }
        command => ddl::run(command, session).await?,
    };
    portal.tag = Tag::new(tag);
    Ok(Started::Done)
}

/// The parameters of a definition: those of its query, or what the client declares.
pub(crate) fn parameters(
    session: &Session,
    command: &Command,
    text: &str,
    types: &[u32],
) -> Result<Vec<PgType>> {
    let Command::CreateTableAs(create) = command else { return exec::declared(types) };
    let search_path = Arc::clone(&session.effective().search_path);
    let view = Session::view(session);
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let given = |oid: &u32| (*oid != 0).then(|| PgType::plain(Oid(*oid)));
    let mut parameters = Parameters { types: types.iter().map(given).collect(), constants: None };
    let statement = ast::Statement::Query(create.query.clone());
    analyze(&statement, text, &env, &mut parameters)?;
    Ok(parameters.types.into_iter().map(|ty| ty.unwrap_or(PgType::TEXT)).collect())
}

/// A definition whose query has values in the place of its parameters.
fn with_values(
    create: &CreateTableAs,
    types: &[PgType],
    values: &[ScalarValue],
) -> Result<CreateTableAs> {
    let mut create = create.clone();
    let mut failed = None;
    let _ = visit_expressions_mut(&mut create.query, |expression| {
        let ast::Expr::Value(value) = expression else { return ControlFlow::Continue(()) };
        let ast::Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let place = name.trim_start_matches('$').parse::<usize>().ok();
        let place = place.and_then(|number| number.checked_sub(1));
        let known = place.and_then(|place| types.get(place).zip(values.get(place)));
        match known.map(|(ty, value)| constant(*ty, value)) {
            Some(Ok(constant)) => *expression = constant,
            Some(Err(error)) => failed = Some(error),
            None => {}
        }
        ControlFlow::<()>::Continue(())
    });
    failed.map_or(Ok(create), Err)
}

/// `'text'::type`, which means the same under any settings.
fn constant(ty: PgType, value: &ScalarValue) -> Result<ast::Expr> {
    let text = match value.is_null() {
        true => None,
        false => text_of(ty, &value.to_array()?, 0, &FormatSettings::default())?,
    };
    let literal = text.map_or(ast::Value::Null, ast::Value::SingleQuotedString);
    Ok(analyze::constants::cast(
        ast::Expr::Value(literal.with_empty_span()),
        analyze::constants::type_named(ty),
    ))
}

#[async_trait]
impl DdlContext for Session {
    fn view(&self) -> Arc<CatalogView> {
        Session::view(self)
    }

    fn catalogs(&self) -> &Arc<CatalogStore> {
        &self.engine.catalogs
    }

    fn changes(&mut self) -> (&mut CatalogTransaction, &mut WriteSet) {
        let transaction = &mut self.transaction;
        (&mut transaction.catalog, Arc::make_mut(&mut transaction.writes))
    }

    async fn lock_catalog(&mut self, part: NamespaceId) -> Result<()> {
        Session::lock_catalog(self, part).await
    }

    async fn lock_relation(&mut self, relation: Oid) -> Result<()> {
        let wait = Writer::wait(self);
        let id = RelationId(relation.0);
        let target = match crate::txn::is_private(id) {
            true => Target::RelationIn(Session::view(self).own_namespace(), id),
            false => Target::Relation(id),
        };
        self.transaction.lock(target, Mode::AccessExclusive, wait).await?;
        Ok(())
    }

    async fn lock_rows(&mut self, relation: &Relation) -> Result<()> {
        let namespace = Session::view(self).namespace_of(relation);
        let wait = Writer::wait(self);
        let id = RelationId(relation.oid.0);
        self.transaction.lock_relation(namespace, id, Mode::AccessExclusive, wait).await?;
        Ok(())
    }

    async fn lock_namespace(&mut self, namespace: NamespaceId, rows: &[RelationId]) -> Result<()> {
        let wait = Writer::wait(self);
        for relation in rows {
            let target = Target::RelationIn(namespace, *relation);
            self.transaction.lock(target, Mode::AccessExclusive, wait).await?;
        }
        // Last: those who commit hold locks of relations.
        self.transaction.lock(Target::Namespace(namespace), Mode::AccessExclusive, wait).await?;
        Ok(())
    }

    fn snapshot(&self) -> Snapshot {
        self.engine.store.snapshot()
    }

    fn execution(&self) -> Result<Arc<ExecutionContext>> {
        Ok(self.context_at(self.engine.store.snapshot()))
    }

    fn session_user(&self) -> Oid {
        self.state.identity().session_user
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.state.show(name).ok()
    }

    fn search_path(&self) -> Vec<String> {
        self.effective().search_path.to_vec()
    }

    async fn lock_query(&mut self, query: &ast::Query) -> Result<()> {
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let plan = |session: &Session, _| {
            let search_path = Arc::clone(&session.effective().search_path);
            let view = Session::view(session);
            let env = Environment {
                catalog: &view,
                search_path: &search_path,
                database_name: &session.state.database_name,
            };
            let analyzed = analyze(&statement, "", &env, &mut Parameters::default())?;
            exec::compile(analyzed, &[], &env)
        };
        exec::settle::settled(self, &statement, plan, |body| body).await?;
        Ok(())
    }

    async fn insert_query(
        &mut self,
        target: &Arc<Relation>,
        query: &ast::Query,
        view: &Arc<CatalogView>,
    ) -> Result<u64> {
        let search_path = Arc::clone(&self.effective().search_path);
        let state = Arc::clone(&self.state);
        let env = Environment {
            catalog: view,
            search_path: &search_path,
            database_name: &state.database_name,
        };
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let analyzed = analyze(&statement, "", &env, &mut Parameters::default())?;
        let body = exec::compile(analyzed, &[], &env)?;
        let mut portal = Portal::empty();
        exec::run_body(self, &body, &mut portal).await?;
        let mut source = match portal.rows {
            Rows::Ready(batches) => futures::stream::iter(batches.into_iter().map(Ok)).boxed(),
            Rows::Stream(stream, _) => stream.boxed(),
            _ => return Err(Error::syntax_error("the query must be a SELECT")),
        };
        let context = self.execution_context();
        let mut writer = Writer::new(self, target)?;
        let rules = Rules::new(target, &env)?;
        let mut rows = 0;
        while let Some(batch) = source.next().await {
            let batch = batch?;
            let columns = batch.columns().to_vec();
            insert_batch(self, &mut writer, &rules, &context, columns, batch.num_rows())
                .await
                .map_err(|(error, _)| error)?;
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }

    fn made_temporary(&mut self) {
        let role = self.catalog.role;
        if !self.temporary_for.contains(&role) {
            self.temporary_for.push(role);
        }
    }

    fn temporary_schemas_in_use(&self) -> Vec<String> {
        let sessions = self.engine.sessions();
        sessions.iter().map(|session| session.temporary_schema_name()).collect()
    }

    fn on_commit(&mut self, relation: Oid, action: OnCommit) {
        self.on_commit.insert((self.catalog.role, relation), action);
    }

    fn notice(&mut self, notice: Error) {
        self.state.notice(notice);
    }
}

impl Session {
    /// 25006 in a read-only transaction, unless the table is the session's own.
    pub(crate) fn check_changeable(&self, relation: &Relation, statement: &str) -> Result<()> {
        match Session::view(self).is_temporary(relation) {
            true => Ok(()),
            false => self.transaction.check_writable(statement),
        }
    }

    /// The exclusive lock of one part of the catalog.
    pub(crate) async fn lock_catalog(&mut self, part: NamespaceId) -> Result<()> {
        let wait = Writer::wait(self);
        self.transaction.lock(Target::Catalog(part), Mode::AccessExclusive, wait).await?;
        Ok(())
    }
}
