//! SUBSCRIBE as a statement, and LISTEN, UNLISTEN, NOTIFY.

use std::{sync::Arc, time::Duration};

use datafusion::common::ScalarValue;

use crate::{
    analyze::{Environment, Parameters},
    error::{Error, Result},
    prepared::{Body, Prepared},
    session::{Portal, Rows, Session, Started, Tag},
    statement::{Name, Parsed, Statement},
    subscribe::{self, BoundSubscribe, Opening, Subscription},
    types::{Oid, PgType},
};

/// Analyses SUBSCRIBE. Its plan isn't shared: it is made once per subscription, not per row.
pub(super) fn prepare(
    session: &Session,
    statement: &Arc<Statement>,
    types: &[u32],
) -> Result<Arc<Prepared>> {
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let given = |oid: &u32| (*oid != 0).then(|| PgType::plain(Oid(*oid)));
    let mut parameters = Parameters { types: types.iter().map(given).collect(), constants: None };
    let bound = subscribe::bind(&statement.text, &env, &mut parameters)?;
    let types = parameters.types.into_iter().map(|ty| ty.unwrap_or(PgType::TEXT)).collect();
    let body = Body::Subscribe(Arc::new(bound));
    Ok(Arc::new(Prepared::new(Arc::clone(statement), types, body, &view, &search_path)))
}

fn open(
    session: &mut Session,
    bound: &Arc<BoundSubscribe>,
    parameters: Vec<ScalarValue>,
) -> Result<Box<Subscription>> {
    let opening = Opening {
        context: session.execution_context(),
        catalog: Arc::clone(&session.catalog),
        parameters,
    };
    Ok(Box::new(Subscription::open(Arc::clone(bound), opening)?))
}

/// Opens the subscription of a COPY or a cursor.
pub(super) fn open_inner(
    session: &mut Session,
    statement: &Arc<Statement>,
) -> Result<Box<Subscription>> {
    let plan = prepare(session, statement, &[])?;
    match &plan.body {
        Body::Subscribe(bound) if plan.parameters.is_empty() => open(session, bound, Vec::new()),
        _ => Err(Error::undefined_parameter(1)),
    }
}

/// Runs SUBSCRIBE as a statement that returns rows.
pub(super) fn run(
    session: &mut Session,
    bound: &Arc<BoundSubscribe>,
    portal: &mut Portal,
) -> Result<Started> {
    let parameters = std::mem::take(&mut portal.parameters);
    portal.rows = Rows::Subscription(open(session, bound, parameters)?);
    portal.tag = Tag::counting("SUBSCRIBE");
    Ok(Started::Rows)
}

/// A duration such as `30s`, as FETCH's timeout.
pub(crate) fn interval(text: &str) -> Result<Duration> {
    subscribe::duration(text)
}

/// LISTEN, UNLISTEN and NOTIFY.
pub(crate) fn listen(
    session: &mut Session,
    parsed: &Parsed,
    portal: &mut Portal,
) -> Result<Started> {
    let tag = match parsed {
        Parsed::Listen(channel) => {
            session.listening.listen(channel)?;
            "LISTEN"
        }
        Parsed::Unlisten(Name::One(channel)) => {
            session.listening.unlisten(channel)?;
            "UNLISTEN"
        }
        Parsed::Unlisten(Name::All) => {
            session.listening.unlisten_all()?;
            "UNLISTEN"
        }
        Parsed::Notify { channel, payload } => {
            crate::listen::check_notification(channel, payload)?;
            let (own, _) = session.namespaces();
            let process_id = session.state.process_id;
            session.transaction.writes_mut().notify(&own, channel, payload, process_id)?;
            "NOTIFY"
        }
        _ => return Err(Error::internal("not LISTEN, UNLISTEN or NOTIFY")),
    };
    portal.tag = Tag::new(tag);
    Ok(Started::Done)
}
