//! The extended protocol: prepared statements and portals.

use super::Connection;
use super::portal::{Portal, Ran};
use crate::backend::{Parameters, Session, TransactionStatus};
use crate::error::{Error, SqlState};
use crate::message::{Bind, Target};
use crate::wire::{Stop, Watch, Wire};

impl<S: Session> Connection<S> {
    pub(super) async fn parse(
        &mut self,
        wire: &mut Wire,
        name: &str,
        sql: &str,
        types: &[u32],
    ) -> Result<(), Stop> {
        self.in_pipeline = true;
        if name.is_empty() {
            // The old one is gone even if the new one fails.
            self.statements.remove("");
        } else if self.statements.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Stop::Error(Error::new(SqlState::DUPLICATE_STATEMENT, message)));
        }
        if self.statements.len() >= self.limits.max_prepared_statements {
            return Err(too_many("prepared statements", self.limits.max_prepared_statements));
        }
        let watch = self.statement_watch();
        let statement = wire.drive(&watch, self.session.prepare(sql, types)).await?;
        self.statements.insert(name.to_owned(), statement);
        if !name.is_empty() {
            self.session.statement_kept(name, true);
        }
        self.announce(wire);
        wire.output.parse_complete();
        Ok(())
    }

    pub(super) async fn bind(&mut self, wire: &mut Wire, bind: Bind<'_>) -> Result<(), Stop> {
        self.in_pipeline = true;
        let watch = self.statement_watch();
        let statement = find(&self.statements, bind.statement).map_err(Stop::Error)?;
        check_bind(&self.session, statement, &bind).map_err(Stop::Error)?;
        if bind.portal.is_empty() {
            self.portals.remove("");
        } else if self.portals.contains_key(bind.portal)
            || self.session.cursor_fields(bind.portal).is_some()
        {
            let message = format!("cursor \"{}\" already exists", bind.portal);
            return Err(Stop::Error(Error::new(SqlState::DUPLICATE_CURSOR, message)));
        }
        if self.portals.len() >= self.limits.max_portals {
            return Err(too_many("portals", self.limits.max_portals));
        }
        let parameters = Parameters {
            portal: bind.portal,
            formats: &bind.parameter_formats,
            values: &bind.parameters,
        };
        let binding = self.session.bind(statement, parameters, &bind.result_formats);
        let inner = wire.drive(&watch, binding).await?;
        let portal = Portal::new(&self.session, inner, bind.result_formats);
        self.portals.insert(bind.portal.to_owned(), portal);
        if !bind.portal.is_empty() {
            self.session.portal_kept(bind.portal, true);
        }
        self.announce(wire);
        wire.output.bind_complete();
        Ok(())
    }

    pub(super) fn describe(&mut self, wire: &mut Wire, target: &Target<'_>) -> Result<(), Stop> {
        self.in_pipeline = true;
        let (fields, formats) = match *target {
            Target::Statement(name) => {
                let statement = find(&self.statements, name).map_err(Stop::Error)?;
                let description = self.session.describe(statement);
                wire.output.parameter_description(description.parameters);
                (description.fields, &[][..])
            }
            Target::Portal(name) => match self.portals.get(name) {
                Some(portal) => {
                    self.session.check_description(portal.inner()).map_err(Stop::Error)?;
                    (portal.fields.clone(), &portal.formats[..])
                }
                None => match self.session.cursor_fields(name) {
                    Some(fields) => (Some(fields), &[][..]),
                    None => return Err(Stop::Error(no_portal(name))),
                },
            },
        };
        match fields {
            Some(fields) => wire.output.row_description(&fields, formats),
            None => wire.output.no_data(),
        }
        Ok(())
    }

    /// Runs a portal, or goes on with it. Fewer than one row means all.
    pub(super) async fn execute(
        &mut self,
        wire: &mut Wire,
        name: &str,
        max_rows: i32,
    ) -> Result<(), Stop> {
        self.in_pipeline = true;
        let limit = u64::try_from(max_rows).ok().filter(|rows| *rows > 0);
        // A portal that may not go on now stays: its transaction may be brought back.
        if let Some(portal) = self.portals.get_mut(name)
            && let Some(suspended) = portal.suspended()
        {
            self.session.resume(suspended).map_err(Stop::Error)?;
        }
        let Some((name, mut portal)) = self.portals.remove_entry(name) else {
            return self.execute_cursor(wire, name, limit).await;
        };
        let was = self.session.transaction_status();
        let watch = self.statement_watch();
        let ran = self.run_portal(wire, &mut portal, limit, watch).await?;
        let is = self.session.transaction_status();
        if was != TransactionStatus::Idle && is == TransactionStatus::Idle {
            // COMMIT or ROLLBACK: portals don't outlive their transaction.
            self.portals.clear();
        } else if ran == Ran::KeepsPortal {
            self.portals.insert(name, portal);
        }
        Ok(())
    }

    /// An SQL cursor is a portal, too. It keeps its place itself, so that FETCH goes on from there.
    async fn execute_cursor(
        &mut self,
        wire: &mut Wire,
        name: &str,
        limit: Option<u64>,
    ) -> Result<(), Stop> {
        let Some(inner) = self.session.cursor_portal(name, limit) else {
            return Err(Stop::Error(no_portal(name)));
        };
        let mut portal = Portal::new(&self.session, inner, Vec::new());
        let watch = self.statement_watch();
        self.run_portal(wire, &mut portal, limit, watch).await?;
        Ok(())
    }

    pub(super) fn close(&mut self, wire: &mut Wire, target: &Target<'_>) {
        self.in_pipeline = true;
        match *target {
            Target::Statement(name) => {
                drop(self.statements.remove(name));
                self.session.statement_kept(name, false);
            }
            Target::Portal(name) => match self.portals.remove(name) {
                Some(_) => self.session.portal_kept(name, false),
                None => self.session.close_cursor(name),
            },
        }
        wire.output.close_complete();
    }

    pub(super) async fn sync(&mut self, wire: &mut Wire) -> Result<(), Stop> {
        if !std::mem::take(&mut self.skips_to_sync) {
            wire.drive(&Watch::to_the_end(), self.session.sync()).await?;
        }
        self.ready(wire).await
    }
}

fn find<'a, T>(
    statements: &'a std::collections::HashMap<String, T>,
    name: &str,
) -> Result<&'a T, Error> {
    statements.get(name).ok_or_else(|| {
        let message = if name.is_empty() {
            "unnamed prepared statement does not exist".to_owned()
        } else {
            format!("prepared statement \"{name}\" does not exist")
        };
        Error::new(SqlState::INVALID_STATEMENT_NAME, message)
    })
}

/// Holds the message's counts against the statement.
fn check_bind<S: Session>(
    session: &S,
    statement: &S::Statement,
    bind: &Bind<'_>,
) -> Result<(), Error> {
    let description = session.describe(statement);
    if bind.parameters.len() != description.parameters.len() {
        return Err(Error::protocol(format!(
            "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
            bind.parameters.len(),
            bind.statement,
            description.parameters.len()
        )));
    }
    let columns = description.fields.map_or(0, |fields| fields.len());
    let formats = bind.result_formats.len();
    if formats > 1 && formats != columns {
        return Err(Error::protocol(format!(
            "bind message has {formats} result formats but query has {columns} columns"
        )));
    }
    Ok(())
}

fn no_portal(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

fn too_many(what: &str, limit: usize) -> Stop {
    let message = format!("too many {what} in this session (the limit is {limit})");
    Stop::Error(Error::new(SqlState::LIMIT_EXCEEDED, message))
}
