//! Running a portal, by either protocol: rows out, COPY data in and out, the command's end.

use std::sync::Arc;

use super::Connection;
use crate::backend::{CommandTag, CopyShape, Field, Format, Session, Started};
use crate::decode;
use crate::error::{Error, SqlState};
use crate::limits::FLUSH_BYTES;
use crate::message::Message;
use crate::wire::{Stop, Watch, Wire};

/// The session's portal and how far it is.
pub(super) struct Portal<S: Session> {
    inner: S::Portal,
    pub(super) fields: Option<Arc<[Field]>>,
    pub(super) formats: Vec<Format>,
    /// Rows that a row limit left behind, and the next of them.
    batch: Option<(S::Batch, usize)>,
    /// A simple query: its columns are described once it has begun to run.
    pub(super) describes: bool,
    state: State,
}

enum State {
    Bound,
    Running(Started),
    Complete(CommandTag),
}

/// What is left of a portal that was run.
#[derive(PartialEq, Eq)]
pub(super) enum Ran {
    KeepsPortal,
    DropsPortal,
}

/// How a run of rows ended, with the number of rows sent.
enum Rows {
    Limited,
    Ended(u64),
}

impl<S: Session> Portal<S> {
    pub(super) fn new(session: &S, inner: S::Portal, formats: Vec<Format>) -> Self {
        let fields = session.portal_fields(&inner);
        Self { inner, fields, formats, batch: None, describes: false, state: State::Bound }
    }

    /// The session's portal.
    pub(super) fn inner(&self) -> &S::Portal {
        &self.inner
    }

    /// The session's portal, if it has given some rows and not all.
    pub(super) fn suspended(&mut self) -> Option<&mut S::Portal> {
        matches!(self.state, State::Running(_)).then_some(&mut self.inner)
    }
}

impl<S: Session> Connection<S> {
    /// Runs the portal to its end, or for at most `limit` rows.
    pub(super) async fn run_portal(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal<S>,
        limit: Option<u64>,
        watch: Watch,
    ) -> Result<Ran, Stop> {
        let started = match &portal.state {
            State::Bound => {
                let started = wire.drive(&watch, self.session.execute(&mut portal.inner)).await;
                let has_rows = match &started {
                    Ok(started) => *started == Started::Rows,
                    Err(_) => self.session.has_begun(&portal.inner),
                };
                if portal.describes
                    && has_rows
                    && let Some(fields) = &portal.fields
                {
                    wire.output.row_description(fields, &portal.formats);
                }
                let started = started?;
                portal.state = State::Running(started);
                started
            }
            State::Running(started) => *started,
            State::Complete(tag) if tag.counts_rows => {
                wire.output.command_complete(&tag.text, Some(0));
                return Ok(Ran::KeepsPortal);
            }
            State::Complete(_) => {
                let code = SqlState::NOT_IN_PREREQUISITE_STATE;
                return Err(Stop::Error(Error::new(code, "portal cannot be run again")));
            }
        };
        let mut rows = 0;
        match started {
            Started::Done => {}
            Started::Empty => {
                wire.output.empty_query_response();
                return Ok(Ran::DropsPortal);
            }
            Started::Rows => match self.send_rows(wire, portal, limit, watch).await? {
                Rows::Limited => {
                    self.announce(wire);
                    wire.output.portal_suspended();
                    return Ok(Ran::KeepsPortal);
                }
                Rows::Ended(sent) => rows = sent,
            },
            Started::CopyOut(shape) => {
                wire.output.copy_out_response(shape);
                self.send_rows(wire, portal, None, watch).await?;
                wire.output.copy_done();
            }
            Started::CopyIn(shape) => self.copy_in(wire, portal, shape, watch).await?,
        }
        let completing = self.session.complete(&mut portal.inner);
        let tag = wire.drive(&Watch::to_the_end(), completing).await?;
        self.announce(wire);
        wire.output.command_complete(&tag.text, tag.counts_rows.then_some(rows));
        portal.state = State::Complete(tag);
        Ok(Ran::KeepsPortal)
    }

    /// Streams rows: encoded as they come, written at 64 KiB and whenever the source is pending.
    async fn send_rows(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal<S>,
        limit: Option<u64>,
        watch: Watch,
    ) -> Result<Rows, Stop> {
        let subscription = self.session.is_subscription(&portal.inner);
        let mut watch = watch;
        if subscription {
            // The client waits for the columns even if no row comes for long.
            wire.output.flush_wanted = true;
            watch = Watch::subscription(false);
        }
        let mut sent = 0;
        loop {
            match self.send_batch(wire, portal, limit, &mut sent, &watch).await {
                // While the client read nothing, it asked for something else.
                Err(Stop::Superseded) => return Ok(Rows::Ended(sent)),
                done => done?,
            }
            if limit.is_some_and(|limit| sent >= limit) {
                return Ok(Rows::Limited);
            }
            if subscription {
                watch = Watch::subscription(limit.is_some() && sent > 0);
            }
            match wire.drive(&watch, self.session.next(&mut portal.inner)).await {
                Ok(Some(batch)) => {
                    // What was warned of while the rows were made comes before them.
                    self.announce(wire);
                    portal.batch = Some((batch, 0));
                }
                Ok(None) | Err(Stop::Superseded) => return Ok(Rows::Ended(sent)),
                Err(Stop::Suspended) => return Ok(Rows::Limited),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Encodes the rows that are there.
    async fn send_batch(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal<S>,
        limit: Option<u64>,
        sent: &mut u64,
        watch: &Watch,
    ) -> Result<(), Stop> {
        let Some((batch, next)) = &mut portal.batch else { return Ok(()) };
        let columns = portal.fields.as_ref().map(|fields| u16::try_from(fields.len()));
        let columns = columns.transpose().map_err(|_| Stop::Error(too_many_columns()))?;
        let rows = S::rows(batch);
        while *next < rows && limit.is_none_or(|limit| *sent < limit) {
            let session = &self.session;
            let encode =
                |out: &mut bytes::BytesMut| session.encode_row(&portal.inner, batch, *next, out);
            match columns {
                Some(columns) => wire.output.data_row(columns, encode),
                None => wire.output.copy_data(encode),
            }
            .map_err(Stop::Error)?;
            *next += 1;
            *sent += 1;
            if wire.output.unwritten().len() >= FLUSH_BYTES {
                wire.flush(watch).await?;
            }
        }
        wire.output.flush_wanted = true;
        if *next >= rows {
            portal.batch = None;
        }
        Ok(())
    }

    /// Takes COPY data until the client ends it. As in PostgreSQL, Flush and Sync mean nothing
    /// meanwhile: drivers send them ahead, with Execute.
    async fn copy_in(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal<S>,
        shape: CopyShape,
        watch: Watch,
    ) -> Result<(), Stop> {
        wire.output.copy_in_response(shape);
        wire.output.flush_wanted = true;
        loop {
            let frame = wire.next_frame(&watch).await?;
            match frame.kind {
                b'd' => {
                    let taking = self.session.copy_data(&mut portal.inner, frame.body);
                    wire.drive(&watch, taking).await?;
                }
                b'c' => {
                    return wire.drive(&watch, self.session.copy_done(&mut portal.inner)).await;
                }
                b'f' => {
                    let reason = match decode::message(&frame).map_err(Stop::Error)? {
                        Message::CopyFail(reason) => reason,
                        _ => "",
                    };
                    let error = self.session.copy_given_up(&portal.inner, reason);
                    return Err(Stop::Error(error));
                }
                b'H' | b'S' => {}
                b'X' => return Err(Stop::Gone),
                kind => {
                    let message =
                        format!("unexpected message type 0x{kind:02X} during COPY from stdin");
                    return Err(Stop::Fatal(Error::protocol(message)));
                }
            }
        }
    }
}

fn too_many_columns() -> Error {
    let message = format!("a row can have at most {} columns", u16::MAX);
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}
