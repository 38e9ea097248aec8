//! The connection loop: one frame after the other, until the client or the server has enough.
//!
//! Answers are only put into the buffer; it is written when the client waits for it (Sync, Flush,
//! the end of a simple query), when 64 KiB are there, or when the connection has nothing else to
//! do. A pipelined read thus costs one read of the socket and one write.
//!
//! An error is sent where it arises: [`Connection::handle`] returns it, the loop tells the session
//! and the client, and then either the query is over or everything up to Sync is skipped.

mod extended;
mod portal;
mod simple;

use std::collections::HashMap;
use std::sync::Arc;

use self::portal::Portal;
use crate::backend::{Discard, Session, TransactionStatus};
use crate::decode;
use crate::error::{Error, SqlState};
use crate::limits::{FLUSH_BYTES, Limits};
use crate::message::{Frame, Message};
use crate::registry::Place;
use crate::wire::{Expiry, Stop, Watch, Wire};

/// An authenticated connection.
pub(crate) struct Connection<S: Session> {
    session: S,
    limits: Arc<Limits>,
    /// Prepared statements by name; the unnamed one under "".
    statements: HashMap<String, S::Statement>,
    /// Portals by name; the unnamed one under "".
    portals: HashMap<String, Portal<S>>,
    /// After an error in the extended protocol.
    skips_to_sync: bool,
    /// Messages of the extended protocol came since the last ReadyForQuery.
    in_pipeline: bool,
    /// Given back last, so that the process id is not reused before the session is closed.
    _place: Place,
}

/// Whether the connection goes on.
enum Flow {
    GoesOn,
    Ends,
}

impl<S: Session> Connection<S> {
    pub(crate) fn new(session: S, limits: Arc<Limits>, place: Place) -> Self {
        Self {
            session,
            limits,
            statements: HashMap::new(),
            portals: HashMap::new(),
            skips_to_sync: false,
            in_pipeline: false,
            _place: place,
        }
    }

    /// Serves the client until it is done or gone, then closes the session.
    pub(crate) async fn run(mut self, wire: &mut Wire) -> Result<(), Stop> {
        let end = self.converse(wire).await;
        // Portals may hold what the session lent them.
        self.portals.clear();
        self.statements.clear();
        self.session.close().await;
        end
    }

    async fn converse(&mut self, wire: &mut Wire) -> Result<(), Stop> {
        loop {
            let frame = match wire.next_frame(&self.idle_watch()).await {
                Ok(frame) => frame,
                Err(Stop::Notified) => {
                    self.deliver(wire).await?;
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            if !self.in_pipeline {
                wire.forget_cancel();
            }
            match self.handle(wire, &frame).await {
                Ok(Flow::GoesOn) => {}
                Ok(Flow::Ends) => return Ok(()),
                Err(Stop::Error(error)) if error.ends_session() => return Err(Stop::Fatal(error)),
                Err(Stop::Error(error)) => self.recover(wire, frame.kind, error).await?,
                Err(stop) => return Err(stop),
            }
            if wire.output.unwritten().len() >= FLUSH_BYTES {
                wire.flush(&Watch::idle(false, None)).await?;
            }
        }
    }

    /// Between statements: idle timeouts run only once the client has ReadyForQuery.
    fn idle_watch(&self) -> Watch {
        if self.in_pipeline {
            return Watch::idle(false, None);
        }
        let timeouts = self.session.timeouts();
        match self.session.transaction_status() {
            TransactionStatus::Idle => {
                Watch::idle(true, timeouts.idle.map(|after| (after, Expiry::IdleSession)))
            }
            TransactionStatus::InTransaction | TransactionStatus::Failed => {
                let timeout = timeouts.idle_in_transaction;
                Watch::idle(false, timeout.map(|after| (after, Expiry::IdleInTransaction)))
            }
        }
    }

    async fn handle(&mut self, wire: &mut Wire, frame: &Frame) -> Result<Flow, Stop> {
        if self.skips_to_sync && !matches!(frame.kind, b'S' | b'X') {
            return Ok(Flow::GoesOn);
        }
        match decode::message(frame).map_err(Stop::Error)? {
            Message::Query(sql) => self.query(wire, sql).await?,
            Message::Parse { name, sql, types } => self.parse(wire, name, sql, &types).await?,
            Message::Bind(bind) => self.bind(wire, bind).await?,
            Message::Describe(target) => self.describe(wire, &target)?,
            Message::Execute { portal, max_rows } => self.execute(wire, portal, max_rows).await?,
            Message::Close(target) => self.close(wire, &target),
            Message::Sync => self.sync(wire).await?,
            Message::Flush => wire.output.flush_wanted = true,
            Message::Terminate => return Ok(Flow::Ends),
            Message::FunctionCall => return Err(Stop::Error(no_function_calls())),
            // A client that has not yet seen that its COPY failed.
            Message::CopyData | Message::CopyDone | Message::CopyFail(_) => {}
        }
        Ok(Flow::GoesOn)
    }

    /// Tells session and client of an error in a message of this `kind`.
    async fn recover(&mut self, wire: &mut Wire, kind: u8, error: Error) -> Result<(), Stop> {
        self.session.fail().await;
        // In a block they wait: a savepoint may bring them back.
        if self.session.transaction_status() == TransactionStatus::Idle {
            self.portals.clear();
        }
        self.announce(wire);
        wire.output.error(&error);
        if matches!(kind, b'Q' | b'F' | b'S') {
            self.ready(wire).await
        } else {
            self.skips_to_sync = true;
            self.in_pipeline = true;
            Ok(())
        }
    }

    /// Ends a simple query or a pipeline: what waited for its end, then ReadyForQuery.
    async fn ready(&mut self, wire: &mut Wire) -> Result<(), Stop> {
        self.skips_to_sync = false;
        self.in_pipeline = false;
        self.announce(wire);
        let status = self.session.transaction_status();
        if status == TransactionStatus::Idle {
            self.portals.clear();
            self.deliver(wire).await?;
        }
        for (name, value) in self.session.take_parameter_changes() {
            wire.output.parameter_status(&name, &value);
        }
        wire.output.ready_for_query(status);
        wire.output.flush_wanted = true;
        Ok(())
    }

    /// Hands over all notifications that wait.
    async fn deliver(&mut self, wire: &mut Wire) -> Result<(), Stop> {
        while let Some(notification) = wire.mailbox().pop() {
            wire.output.notification(&notification);
            wire.output.flush_wanted = true;
            if wire.output.unwritten().len() >= FLUSH_BYTES {
                wire.flush(&Watch::idle(false, None)).await?;
            }
        }
        Ok(())
    }

    /// Notices, and what SQL did to the protocol's objects.
    fn announce(&mut self, wire: &mut Wire) {
        for notice in self.session.take_notices() {
            wire.output.notice(&notice);
        }
        for discard in self.session.take_discards() {
            match discard {
                Discard::Statement(name) => drop(self.statements.remove(&name)),
                Discard::AllStatements => self.statements.clear(),
                Discard::Portal(name) => drop(self.portals.remove(&name)),
                Discard::AllPortals => self.portals.clear(),
            }
        }
    }

    fn statement_watch(&self) -> Watch {
        Watch::statement(self.session.timeouts().statement)
    }
}

fn no_function_calls() -> Error {
    let message = "function calls of the fast-path protocol are not supported";
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}
