//! Runs statements: one file per kind.
//!
//! [`prepare`] turns a parsed statement into a plan (from the cache, if any session made it
//! before), [`run`] executes a portal. Queries return rows to be pulled; changes run to their end
//! at once, and what RETURNING gives waits in the portal. Whatever a statement wrote is in the
//! transaction's write set; an error leaves it to [`Session::fail`] to take it back.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use kalamdb_storage::RelationId;

use crate::{
    analyze::{Analyzed, Environment, Named, OutputColumn, Parameters, analyze, analyze_cursor},
    catalog::{Relation, RelationBody, TableKind},
    error::{Error, Result},
    exec::{insert::InsertPlan, select::QueryPlan, staged::StagedPlan, update::ChangePlan},
    locks::Mode,
    prepared::{Body, Prepared},
    session::{Portal, Session, Started},
    statement::{CursorQuery, Parsed, Statement},
    txn::Phase,
    types::{Oid, PgType},
};

pub(crate) mod access;
pub(crate) mod copy;
pub(crate) mod cursor;
pub(crate) mod ddl;
mod definition;
pub(crate) mod evaluate;
mod explain;
mod function;
pub(crate) mod insert;
mod lock_table;
mod maintenance;
pub(crate) mod prepare;
pub(crate) mod returning;
pub(crate) mod rules;
pub(crate) mod select;
pub(crate) mod set;
pub(crate) mod settle;
pub(crate) mod short;
mod show;
pub(crate) mod staged;
mod subscribe;
mod transaction;
pub(crate) mod update;
pub(crate) mod write;
mod write_many;

/// 25P02 for anything but the end of a failed block.
pub(crate) fn check_phase(session: &Session, statement: &Statement) -> Result<()> {
    let is_way_out = crate::session::ends_failed_block(&statement.body);
    if session.transaction.phase == Phase::Failed && !is_way_out {
        return Err(Error::in_failed_transaction());
    }
    Ok(())
}

/// 42704 where the role of the session is gone, for all that needs one.
fn check_role(session: &Session, statement: &Statement) -> Result<()> {
    let role = session.state.current_user();
    // Most roles are published; the transaction's own are in its view.
    let is_there = session.engine.catalogs.cluster().role_by_oid(role).is_some()
        || session.view().role_by_oid(role).is_some();
    let needs_none =
        crate::session::ends_failed_block(&statement.body) || leaves_role(&statement.body);
    if is_there || needs_none { Ok(()) } else { Err(Error::dropped_role(role)) }
}

/// Whether the statement may make the session somebody else's.
fn leaves_role(body: &Parsed) -> bool {
    matches!(body, Parsed::Set { .. } | Parsed::Reset(_) | Parsed::Discard(_))
}

/// Analyses a statement, or finds the plan that somebody made of it before, and locks what it is
/// about. `keep`: the client gave it a name, or may run it again.
pub(crate) async fn prepare(
    session: &mut Session,
    statement: &Arc<Statement>,
    types: &[u32],
    keep: bool,
) -> Result<Arc<Prepared>> {
    if matches!(statement.body, Parsed::Subscribe) {
        return subscribe::prepare(session, statement, types);
    }
    let Parsed::Plannable(tree) = &statement.body else {
        let parameters = match (inner(&statement.body), &statement.body) {
            (Some(inner), _) => inner_parameters(session, inner, types, keep).await?,
            (None, Parsed::Definition(command)) => {
                definition::parameters(session, command, &statement.text, types)?
            }
            (None, _) => declared(types)?,
        };
        let (view, search_path) = (session.view(), Arc::clone(&session.effective().search_path));
        let utility =
            Prepared::new(Arc::clone(statement), parameters, Body::Utility, &view, &search_path);
        return Ok(Arc::new(utility));
    };
    settle::settled(
        session,
        tree,
        |session, again| plan(session, statement, types, keep, again),
        |plan| &plan.body,
    )
    .await
}

/// The parameters of a statement that has no place for them: those that the client declares.
///
/// # Errors
/// 42P18 where one has no type.
fn declared(types: &[u32]) -> Result<Vec<PgType>> {
    let known = |(place, oid): (usize, &u32)| match PgType::plain(Oid(*oid)) {
        ty if *oid == 0 || ty.is_unknown() => Err(Error::indeterminate_parameter(place + 1)),
        ty => Ok(ty),
    };
    types.iter().enumerate().map(known).collect()
}

/// Analyses a statement once; `again`: whatever plan there is of it won't do.
fn plan(
    session: &Session,
    statement: &Arc<Statement>,
    types: &[u32],
    keep: bool,
    again: bool,
) -> Result<Arc<Prepared>> {
    let Parsed::Plannable(tree) = &statement.body else {
        return Err(Error::internal("a plan of a statement that has none"));
    };
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    let known = || session.engine.plans.find(statement, types, &view, &search_path);
    if let Some(plan) = (!again).then(known).flatten() {
        return Ok(plan);
    }
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let given = |oid: &u32| (*oid != 0).then(|| PgType::plain(Oid(*oid)));
    let mut parameters = Parameters { types: types.iter().map(given).collect(), constants: None };
    let analyzed = analyze(tree, &statement.text, &env, &mut parameters)?;
    let parameters: Vec<PgType> =
        parameters.types.into_iter().map(|ty| ty.unwrap_or(PgType::plain(Oid::TEXT))).collect();
    let body = compile(analyzed, &parameters, &env)?;
    let plan = Prepared::new(Arc::clone(statement), parameters, body, &view, &search_path);
    let plan = Arc::new(plan);
    session.engine.plans.insert(types, &plan, keep);
    Ok(plan)
}

/// The statement within EXPLAIN and DECLARE, which is analysed together with them.
fn inner(body: &Parsed) -> Option<&Arc<Statement>> {
    match body {
        Parsed::Explain(explain) => Some(&explain.statement),
        Parsed::Declare(declare) => match &declare.query {
            CursorQuery::Query(query) => Some(query),
            CursorQuery::Subscribe(_) => None,
        },
        _ => None,
    }
}

async fn inner_parameters(
    session: &mut Session,
    inner: &Arc<Statement>,
    types: &[u32],
    keep: bool,
) -> Result<Vec<PgType>> {
    let plan = Box::pin(prepare(session, inner, types, keep))
        .await
        .map_err(|error| error.shifted(inner.offset))?;
    Ok(plan.parameters.clone())
}

/// The plan of the statement within EXPLAIN, for the parameters of the whole.
async fn inner_plan(
    session: &mut Session,
    portal: &Portal,
    inner: &Arc<Statement>,
) -> Result<Arc<Prepared>> {
    let parameters = portal.plan.as_ref().map_or(&[][..], |plan| &plan.parameters);
    let types: Vec<u32> = parameters.iter().map(|ty| ty.oid.0).collect();
    prepare(session, inner, &types, false).await
}

/// The plan of a cursor's query. It isn't shared: it holds the keys of the rows besides.
pub(crate) async fn prepare_cursor(
    session: &mut Session,
    statement: &Statement,
    parameters: &[PgType],
) -> Result<Body> {
    let Parsed::Plannable(tree) = &statement.body else {
        return Err(Error::internal("a cursor over something that isn't a query"));
    };
    let plan = |session: &Session, _| plan_cursor(session, tree, &statement.text, parameters);
    settle::settled(session, tree, plan, |body| body).await
}

fn plan_cursor(
    session: &Session,
    tree: &ast::Statement,
    text: &str,
    parameters: &[PgType],
) -> Result<Body> {
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let mut types =
        Parameters { types: parameters.iter().copied().map(Some).collect(), constants: None };
    let analyzed = analyze_cursor(tree, text, &env, &mut types)?;
    compile(analyzed, parameters, &env)
}

pub(crate) fn compile(
    analyzed: Analyzed,
    parameters: &[PgType],
    env: &Environment<'_>,
) -> Result<Body> {
    Ok(match analyzed {
        Analyzed::Query(query) => Body::Query(Box::new(QueryPlan::new(*query, parameters)?)),
        Analyzed::Insert(insert) => {
            check_changeable(&insert.target, "insert into")?;
            Body::Insert(Box::new(InsertPlan::new(insert, parameters, env)?))
        }
        Analyzed::Update(update) => {
            check_changeable(&update.target, "update")?;
            Body::Update(Box::new(ChangePlan::update(update, parameters, env)?))
        }
        Analyzed::Delete(delete) => {
            check_changeable(&delete.target, "delete from")?;
            Body::Delete(Box::new(ChangePlan::delete(delete, parameters)?))
        }
        Analyzed::Staged(staged) => {
            Body::Staged(Box::new(StagedPlan::new(staged, parameters, env)?))
        }
    })
}

/// Only tables take changes; PostgreSQL's words for the rest.
fn check_changeable(relation: &Relation, verb: &str) -> Result<()> {
    match (&relation.body, relation.kind) {
        (_, TableKind::System) | (RelationBody::System, _) => {
            let message = format!("permission denied for table {}", relation.name);
            Err(Error::new(crate::error::SqlState::INSUFFICIENT_PRIVILEGE, message))
        }
        (RelationBody::Table { .. }, _) => Ok(()),
        (RelationBody::View { .. }, _) => {
            Err(Error::feature_not_supported(format!("cannot {verb} view \"{}\"", relation.name))
                .with_detail("Views are not automatically updatable."))
        }
        (RelationBody::Sequence(_), _) => {
            Err(Error::wrong_object_type(&relation.name, "cannot change sequence"))
        }
    }
}

/// The columns of the rows a plan returns, if it returns some.
pub(crate) fn output(session: &Session, plan: &Prepared) -> Result<Option<Arc<[OutputColumn]>>> {
    match &plan.statement.body {
        Parsed::Plannable(_) | Parsed::Subscribe => Ok(plan.output()),
        Parsed::Show(name) => show::output(session, name).map(Some),
        Parsed::Explain(_) => Ok(Some(explain::output())),
        // What isn't there is missed when the statement runs.
        Parsed::Execute { name, .. } => {
            Ok(session.prepared.get(name).and_then(|kept| kept.plan.output()))
        }
        Parsed::Fetch(fetch) if !fetch.only_move => Ok(cursor::output(session, fetch)),
        _ => Ok(None),
    }
}

/// Executes a portal.
pub(crate) async fn run(session: &mut Session, portal: &mut Portal) -> Result<Started> {
    let Some(plan) = portal.plan.clone() else { return cursor::start(session, portal).await };
    check_phase(session, &plan.statement)?;
    check_role(session, &plan.statement)?;
    session.begin_implicit().await?;
    // What an execution that was given up has left.
    session.stages = None;
    let started = match &plan.body {
        Body::Utility => Box::pin(utility(session, &plan.statement, portal)).await?,
        body => run_body(session, body, portal).await?,
    };
    if started == Started::Rows {
        portal.bind_encoder(session)?;
    }
    Ok(started)
}

/// Runs what was planned. A statement's future is moved when it starts, so what most statements
/// don't need is boxed.
pub(crate) async fn run_body(
    session: &mut Session,
    body: &Body,
    portal: &mut Portal,
) -> Result<Started> {
    match body {
        Body::Query(query) => select::run(session, query, portal).await,
        Body::Insert(insert) => Box::pin(insert::run(session, insert, portal)).await,
        Body::Update(change) | Body::Delete(change) => {
            Box::pin(update::run(session, change, portal)).await
        }
        Body::Staged(staged) => Box::pin(staged::run(session, staged, portal)).await,
        Body::Subscribe(bound) => subscribe::run(session, bound, portal),
        Body::Utility => Err(Error::internal("a statement has no plan")),
    }
}

async fn utility(
    session: &mut Session,
    statement: &Arc<Statement>,
    portal: &mut Portal,
) -> Result<Started> {
    match &statement.body {
        Parsed::Plannable(_) | Parsed::Subscribe => {
            Err(Error::internal("a plannable statement has no plan"))
        }
        Parsed::Definition(command) => definition::run(session, command, portal).await,
        Parsed::Copy(copy) => copy::run(session, copy, portal).await,
        Parsed::Begin(_)
        | Parsed::Start(_)
        | Parsed::Commit { .. }
        | Parsed::Rollback { .. }
        | Parsed::Savepoint(_)
        | Parsed::RollbackTo(_)
        | Parsed::Release(_)
        | Parsed::PrepareTransaction
        | Parsed::SetTransaction(_)
        | Parsed::SetSessionCharacteristics(_) => {
            transaction::run(session, &statement.body, portal).await
        }
        Parsed::Set { scope, name, value } => set::run(session, *scope, name, value, portal).await,
        Parsed::Reset(name) => set::reset(session, name, portal).await,
        Parsed::Show(name) => show::run(session, name, portal),
        Parsed::Discard(what) => set::discard(session, *what, portal).await,
        Parsed::Declare(declare) => cursor::declare(session, declare, portal).await,
        Parsed::Fetch(fetch) => cursor::fetch(session, fetch, portal).await,
        Parsed::Close(name) => cursor::close(session, name, portal),
        Parsed::Prepare { name, types, statement } => {
            prepare::prepare(session, name, types, statement, portal).await
        }
        Parsed::Execute { name, arguments } => {
            prepare::execute(session, name, arguments, portal).await
        }
        Parsed::Deallocate(name) => prepare::deallocate(session, name, portal),
        Parsed::Listen(_) | Parsed::Unlisten(_) | Parsed::Notify { .. } => {
            subscribe::listen(session, &statement.body, portal)
        }
        Parsed::Explain(explain) => explain::run(session, explain, portal).await,
        Parsed::Maintenance(work) => maintenance::run(session, work, portal).await,
        Parsed::Checkpoint => maintenance::checkpoint(session, portal).await,
        Parsed::Lock(lock) => lock_table::run(session, lock, portal).await,
    }
}

/// Before a query reads: privileges, and a lock against definitions that change.
pub(crate) async fn enter_read(session: &mut Session, relations: &[Named]) -> Result<()> {
    enter(session, relations, None, Mode::AccessShare).await
}

/// Before a change: privileges on the target (`letters`) and on what is read, and locks.
pub(crate) async fn enter_change(
    session: &mut Session,
    target: &Arc<Relation>,
    letters: &str,
    relations: &[Named],
) -> Result<()> {
    let view = session.view();
    view.check_schema_of(target)?;
    view.check_relation(target, letters)?;
    lock_relation(session, target, Mode::RowExclusive).await?;
    enter(session, relations, Some(target.oid), Mode::AccessShare).await
}

async fn enter(
    session: &mut Session,
    relations: &[Named],
    locked: Option<Oid>,
    mode: Mode,
) -> Result<()> {
    for named in relations {
        let relation = &named.relation;
        session.view().check_named(named)?;
        if Some(relation.oid) == locked {
            continue;
        }
        session.show_objects(relation);
        lock_relation(session, relation, mode).await?;
    }
    Ok(())
}

/// Takes a relation's lock; then the definition must still be the one that was analysed.
pub(crate) async fn lock_relation(
    session: &mut Session,
    relation: &Arc<Relation>,
    mode: Mode,
) -> Result<()> {
    if relation.layout.is_none() {
        return Ok(());
    }
    let namespace = session.view().namespace_of(relation);
    let wait = write::Writer::wait(session);
    let id = RelationId(relation.oid.0);
    session.transaction.lock_relation(namespace, id, mode, wait).await?;
    match session.view().relation_by_oid(relation.oid) {
        Some(now) if Arc::ptr_eq(&now, relation) => Ok(()),
        Some(_) | None => Err(Error::new(
            crate::error::SqlState::OBJECT_IN_USE,
            format!("relation \"{}\" was changed while the statement waited", relation.name),
        )
        .with_hint("Run the statement again.")),
    }
}
