//! PREPARE, EXECUTE and DEALLOCATE.

use std::sync::Arc;

use datafusion::{common::ScalarValue, sql::sqlparser::ast};

use crate::{
    analyze::{Environment, OutputColumn, Parameters, bind_expression, resolve_type},
    error::{Error, Result, SqlState},
    exec::{self, evaluate::Evaluator},
    prepared::Prepared,
    session::{Discard, Portal, Session, Started, Tag},
    statement::{Name, Statement},
};

/// Statements that one session keeps by SQL's PREPARE.
const MAX_PREPARED_STATEMENTS: usize = 10_000;

/// PREPARE.
pub(crate) async fn prepare(
    session: &mut Session,
    name: &str,
    types: &[ast::DataType],
    statement: &Arc<Statement>,
    portal: &mut Portal,
) -> Result<Started> {
    if session.prepared.contains_key(name) {
        return Err(Error::duplicate_prepared(name));
    }
    if session.prepared.len() >= MAX_PREPARED_STATEMENTS {
        return Err(Error::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("a session keeps at most {MAX_PREPARED_STATEMENTS} prepared statements"),
        ));
    }
    let types = types.iter().map(|ty| Ok(resolve_type(ty)?.oid.0)).collect::<Result<Vec<u32>>>()?;
    let plan = exec::prepare(session, statement, &types, true)
        .await
        .map_err(|error| error.shifted(statement.offset))?;
    let kept = session.keep(plan);
    session.prepared.insert(name.to_owned(), kept);
    portal.tag = Tag::new("PREPARE");
    Ok(Started::Done)
}

/// The statement of this name.
fn find(session: &Session, name: &str) -> Result<Arc<Prepared>> {
    let found = session.prepared.get(name).map(|kept| Arc::clone(&kept.plan));
    found.ok_or_else(|| Error::undefined_prepared(name))
}

/// The statement of this name as it is to be run now.
pub(crate) async fn current(session: &mut Session, name: &str) -> Result<Arc<Prepared>> {
    let plan = find(session, name)?;
    let search_path = Arc::clone(&session.effective().search_path);
    if plan.is_current(&session.view(), &search_path)
        && exec::settle::lock(session, &plan.body).await?
    {
        return Ok(plan);
    }
    let types: Vec<u32> = plan.parameters.iter().map(|ty| ty.oid.0).collect();
    let anew = exec::prepare(session, &plan.statement, &types, true).await?;
    if !is_same_result(anew.output().as_deref(), plan.output().as_deref()) {
        return Err(Error::feature_not_supported("cached plan must not change result type"));
    }
    if let Some(kept) = session.prepared.get_mut(name) {
        kept.plan = Arc::clone(&anew);
    }
    Ok(anew)
}

/// Whether rows of one result may be rows of the other. Which table they come from doesn't matter.
fn is_same_result(a: Option<&[OutputColumn]>, b: Option<&[OutputColumn]>) -> bool {
    let same = |(a, b): (&OutputColumn, &OutputColumn)| a.name == b.name && a.ty == b.ty;
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(same),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// EXECUTE: the portal goes on as that of the prepared statement.
pub(crate) async fn execute(
    session: &mut Session,
    name: &str,
    arguments: &[ast::Expr],
    portal: &mut Portal,
) -> Result<Started> {
    let (plan, parameters) = bind(session, name, arguments).await?;
    portal.parameters = parameters;
    plan.check_constants()?;
    exec::run_body(session, &plan.body, portal).await
}

/// The plan of the prepared statement, and the values of its parameters.
pub(super) async fn bind(
    session: &mut Session,
    name: &str,
    arguments: &[ast::Expr],
) -> Result<(Arc<Prepared>, Vec<ScalarValue>)> {
    let plan = current(session, name).await?;
    if arguments.len() != plan.parameters.len() {
        return Err(Error::syntax_error(format!(
            "wrong number of parameters for prepared statement \"{name}\""
        ))
        .with_detail(format!(
            "Expected {} parameters but got {}.",
            plan.parameters.len(),
            arguments.len()
        )));
    }
    let parameters = evaluate(session, &plan, arguments)?;
    Ok((plan, parameters))
}

fn evaluate(
    session: &mut Session,
    plan: &Prepared,
    arguments: &[ast::Expr],
) -> Result<Vec<ScalarValue>> {
    let context = session.execution_context();
    let search_path = Arc::clone(&session.effective().search_path);
    let view = session.view();
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    arguments
        .iter()
        .zip(&plan.parameters)
        .map(|(argument, ty)| {
            let mut none = Parameters::default();
            let (expr, _) = bind_expression(argument, "", None, Some(*ty), &env, &mut none)?;
            let values = Evaluator::new(&[expr], &[], &[])?.evaluate(&context, &[], 1, &[])?;
            Ok(ScalarValue::try_from_array(&values[0], 0)?)
        })
        .collect()
}

/// DEALLOCATE; it also drops what the protocol prepared under the name.
pub(crate) fn deallocate(
    session: &mut Session,
    name: &Name,
    portal: &mut Portal,
) -> Result<Started> {
    match name {
        Name::All => {
            session.prepared.clear();
            session.discards.push(Discard::AllStatements);
            portal.tag = Tag::new("DEALLOCATE ALL");
        }
        Name::One(name) => {
            let known = session.prepared.remove(name).is_some();
            if !known && !session.protocol_statements.contains_key(name) {
                return Err(Error::undefined_prepared(name));
            }
            session.discards.push(Discard::Statement(name.clone()));
            portal.tag = Tag::new("DEALLOCATE");
        }
    }
    Ok(Started::Done)
}
