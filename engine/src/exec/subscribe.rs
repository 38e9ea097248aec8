//! SUBSCRIBE as a statement, and LISTEN, UNLISTEN, NOTIFY.

use std::{sync::Arc, time::Duration};

use crate::{
    analyze::{Environment, OutputColumn, Parameters},
    error::{Error, Result},
    session::{Portal, Rows, Session, Started, Tag},
    statement::{Name, Parsed, Statement},
    subscribe::{self, BoundSubscribe, Opening, Subscription},
};

/// The columns of the stream.
pub(crate) fn output(session: &Session, statement: &Arc<Statement>) -> Result<Arc<[OutputColumn]>> {
    Ok(Arc::clone(&bind(session, statement)?.output))
}

fn bind(session: &Session, statement: &Arc<Statement>) -> Result<Arc<BoundSubscribe>> {
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let mut none = Parameters::default();
    Ok(Arc::new(subscribe::bind(&statement.text, &env, &mut none)?))
}

/// Opens a subscription, for whichever door it goes out by.
pub(crate) async fn open(
    session: &mut Session,
    statement: &Arc<Statement>,
) -> Result<(Arc<[OutputColumn]>, Box<Subscription>)> {
    let bound = bind(session, statement)?;
    let output = Arc::clone(&bound.output);
    let opening = Opening {
        context: session.execution_context(),
        catalog: Arc::clone(&session.catalog),
        parameters: Vec::new(),
    };
    Ok((output, Box::new(Subscription::open(bound, opening)?)))
}

/// Runs SUBSCRIBE as a statement that returns rows.
pub(crate) async fn run(
    session: &mut Session,
    statement: &Arc<Statement>,
    portal: &mut Portal,
) -> Result<Started> {
    let (_, subscription) = open(session, statement).await?;
    portal.rows = Rows::Subscription(subscription);
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
