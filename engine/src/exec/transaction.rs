//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the modes of transactions.

use crate::{
    error::{Error, Result, SqlState},
    session::{Ending, Portal, Session, Started, Tag},
    statement::{AccessMode, Parsed, TransactionModes},
    txn::Phase,
};

/// Runs transaction control. What ends a transaction is done when the portal completes.
pub(crate) async fn run(
    session: &mut Session,
    parsed: &Parsed,
    portal: &mut Portal,
) -> Result<Started> {
    let tag = match parsed {
        Parsed::Begin(modes) => {
            session.begin_block(*modes).await?;
            "BEGIN"
        }
        Parsed::Start(modes) => {
            session.begin_block(*modes).await?;
            "START TRANSACTION"
        }
        Parsed::Commit { chain } => {
            end(session, "COMMIT", *chain)?;
            portal.ending = Ending::Commit { chain: *chain };
            "COMMIT"
        }
        Parsed::Rollback { chain } => {
            end(session, "ROLLBACK", *chain)?;
            portal.ending = Ending::Rollback { chain: *chain };
            "ROLLBACK"
        }
        Parsed::Savepoint(name) => {
            in_block(session, "SAVEPOINT")?;
            let portals = session.protocol_portals.iter();
            let cursors = session.cursors.keys().chain(portals).cloned().collect();
            let settings = session.state.save_settings();
            let listens = session.listening.mark();
            session.transaction.savepoint(name, settings, listens, cursors)?;
            "SAVEPOINT"
        }
        Parsed::Release(name) => {
            in_block(session, "RELEASE SAVEPOINT")?;
            session.release(name)?;
            "RELEASE"
        }
        Parsed::RollbackTo(name) => {
            in_block(session, "ROLLBACK TO SAVEPOINT")?;
            session.rollback_to(name).await?;
            "ROLLBACK"
        }
        Parsed::PrepareTransaction => return Err(crate::statement::two_phase()),
        Parsed::SetTransaction(modes) => {
            if session.transaction.phase != Phase::Block {
                warn_no_block(session, "SET TRANSACTION can only be used in transaction blocks");
            }
            session.set_transaction(*modes)?;
            "SET"
        }
        Parsed::SetSessionCharacteristics(modes) => {
            set_defaults(session, *modes)?;
            "SET"
        }
        _ => return Err(Error::internal("not transaction control")),
    };
    portal.tag = Tag::new(tag);
    Ok(Started::Done)
}

/// COMMIT and ROLLBACK outside a block warn, with AND CHAIN they fail.
fn end(session: &Session, verb: &str, chain: bool) -> Result<()> {
    if matches!(session.transaction.phase, Phase::Block | Phase::Failed) {
        return Ok(());
    }
    if chain {
        return Err(Error::no_active_transaction(&format!("{verb} AND CHAIN")));
    }
    warn_no_block(session, "there is no transaction in progress");
    Ok(())
}

fn warn_no_block(session: &Session, message: &str) {
    session.state.notice(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
}

fn in_block(session: &Session, statement: &str) -> Result<()> {
    match session.transaction.phase {
        Phase::Block | Phase::Failed => Ok(()),
        Phase::Idle | Phase::Implicit => Err(Error::no_active_transaction(statement)),
    }
}

fn set_defaults(session: &Session, modes: TransactionModes) -> Result<()> {
    let cluster = session.engine.catalogs.cluster();
    if let Some(isolation) = modes.isolation {
        let name = "default_transaction_isolation";
        session.state.set(&cluster, name, Some(isolation.as_str()), false)?;
    }
    if let Some(access) = modes.access {
        let value = if access == AccessMode::ReadOnly { "on" } else { "off" };
        session.state.set(&cluster, "default_transaction_read_only", Some(value), false)?;
    }
    if let Some(deferrable) = modes.deferrable {
        let value = if deferrable { "on" } else { "off" };
        session.state.set(&cluster, "default_transaction_deferrable", Some(value), false)?;
    }
    Ok(())
}
