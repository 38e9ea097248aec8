//! pgproto's [`Session`] over the engine's: every method is one call and a translation.
//!
//! The engine's futures are boxed here: they are as large as the deepest plan, and a connection
//! would otherwise carry that size while it is idle.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kalamdb_engine as engine;
use kalamdb_engine::NotificationSink;
use kalamdb_pgproto::{
    CommandTag, Description, Discard, Error, Field, Format, Notification, OutboxSender, Parameters,
    Report, Session, Started, Timeouts, TransactionStatus,
};

use crate::convert;

/// One connection's session.
pub(crate) struct EngineSession(engine::Session);

/// The engine's statement with its columns in the protocol's form.
pub(crate) struct Statement {
    inner: engine::Prepared,
    fields: Option<Arc<[Field]>>,
}

impl EngineSession {
    pub(crate) fn new(session: engine::Session) -> Self {
        Self(session)
    }
}

impl Statement {
    fn new(inner: engine::Prepared) -> Self {
        let fields = inner.fields().map(|fields| convert::fields(&fields));
        Self { inner, fields }
    }
}

impl Session for EngineSession {
    type Statement = Statement;
    type Portal = engine::Portal;
    type Batch = engine::Batch;

    fn parse_script(&mut self, sql: &str) -> Result<Vec<Statement>, Error> {
        let statements = self.0.parse_script(sql).map_err(convert::error)?;
        Ok(statements.into_iter().map(Statement::new).collect())
    }

    async fn prepare(&mut self, sql: &str, parameter_types: &[u32]) -> Result<Statement, Error> {
        let preparing = Box::pin(self.0.prepare(sql, parameter_types));
        preparing.await.map(Statement::new).map_err(convert::error)
    }

    fn describe<'a>(&'a self, statement: &'a Statement) -> Description<'a> {
        let fields = statement.fields.clone();
        Description { parameters: statement.inner.parameters(), fields }
    }

    async fn bind(
        &mut self,
        statement: &Statement,
        parameters: Parameters<'_>,
        result_formats: &[Format],
    ) -> Result<engine::Portal, Error> {
        let formats = convert::formats(parameters.formats);
        let result_formats = convert::formats(result_formats);
        let parameters = engine::Arguments {
            portal: parameters.portal,
            formats: &formats,
            values: parameters.values,
        };
        let binding = self.0.bind(&statement.inner, parameters, &result_formats);
        Box::pin(binding).await.map_err(convert::error)
    }

    async fn start_simple(
        &mut self,
        statement: &Statement,
        is_last: bool,
    ) -> Result<engine::Portal, Error> {
        let starting = Box::pin(self.0.start_simple(&statement.inner, is_last));
        starting.await.map_err(convert::error)
    }

    fn portal_fields(&self, portal: &engine::Portal) -> Option<Arc<[Field]>> {
        portal.fields().map(|fields| convert::fields(&fields))
    }

    fn check_description(&self, portal: &engine::Portal) -> Result<(), Error> {
        portal.check_description().map_err(convert::error)
    }

    fn cursor_fields(&self, name: &str) -> Option<Arc<[Field]>> {
        self.0.cursor_fields(name).map(|fields| convert::fields(&fields))
    }

    fn cursor_portal(&mut self, name: &str, limit: Option<u64>) -> Option<engine::Portal> {
        self.0.cursor_portal(name, limit)
    }

    fn close_cursor(&mut self, name: &str) {
        self.0.close_cursor(name);
    }

    fn is_subscription(&self, portal: &engine::Portal) -> bool {
        portal.is_subscription()
    }

    fn has_begun(&self, portal: &engine::Portal) -> bool {
        portal.has_begun()
    }

    async fn execute(&mut self, portal: &mut engine::Portal) -> Result<Started, Error> {
        let executing = Box::pin(self.0.execute(portal));
        executing.await.map(convert::started).map_err(convert::error)
    }

    fn resume(&mut self, _portal: &mut engine::Portal) -> Result<(), Error> {
        self.0.resume().map_err(convert::error)
    }

    async fn next(&mut self, portal: &mut engine::Portal) -> Result<Option<engine::Batch>, Error> {
        Box::pin(self.0.next(portal)).await.map_err(convert::error)
    }

    fn rows(batch: &engine::Batch) -> usize {
        batch.rows()
    }

    fn encode_row(
        &self,
        _portal: &engine::Portal,
        batch: &engine::Batch,
        row: usize,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        batch.encode_row(row, out).map_err(convert::error)
    }

    async fn copy_data(&mut self, portal: &mut engine::Portal, data: Bytes) -> Result<(), Error> {
        Box::pin(self.0.copy_data(portal, data)).await.map_err(convert::error)
    }

    async fn copy_done(&mut self, portal: &mut engine::Portal) -> Result<(), Error> {
        Box::pin(self.0.copy_done(portal)).await.map_err(convert::error)
    }

    fn copy_given_up(&self, portal: &engine::Portal, reason: &str) -> Error {
        convert::error(self.0.copy_given_up(portal, reason))
    }

    async fn complete(&mut self, portal: &mut engine::Portal) -> Result<CommandTag, Error> {
        Box::pin(self.0.complete(portal)).await.map(convert::tag).map_err(convert::error)
    }

    async fn sync(&mut self) -> Result<(), Error> {
        Box::pin(self.0.sync()).await.map_err(convert::error)
    }

    async fn fail(&mut self) {
        Box::pin(self.0.fail()).await;
    }

    fn transaction_status(&self) -> TransactionStatus {
        convert::status(self.0.transaction_status())
    }

    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        self.0.take_parameter_changes()
    }

    fn take_notices(&mut self) -> Vec<Report> {
        self.0.take_notices().into_iter().map(|notice| convert::notice(&notice)).collect()
    }

    fn statement_kept(&mut self, name: &str, kept: bool) {
        match kept {
            true => self.0.statement_named(name),
            false => self.0.statement_closed(name),
        }
    }

    fn portal_kept(&mut self, name: &str, kept: bool) {
        match kept {
            true => self.0.portal_named(name),
            false => self.0.portal_closed(name),
        }
    }

    fn take_discards(&mut self) -> Vec<Discard> {
        self.0.take_discards().into_iter().map(convert::discard).collect()
    }

    fn timeouts(&self) -> Timeouts {
        let timeouts = self.0.timeouts();
        Timeouts {
            statement: timeouts.statement,
            idle: timeouts.idle,
            idle_in_transaction: timeouts.idle_in_transaction,
        }
    }

    async fn close(self) {
        Box::pin(self.0.close()).await;
    }
}

/// The way of notifications from the engine's feed to one connection.
pub(crate) struct Outbox(OutboxSender);

impl Outbox {
    pub(crate) fn new(sender: OutboxSender) -> Self {
        Self(sender)
    }
}

impl NotificationSink for Outbox {
    fn send(&self, notifications: Vec<engine::Notification>) {
        let notifications = notifications.into_iter().map(|notification| Notification {
            process_id: notification.process_id,
            channel: notification.channel,
            payload: notification.payload,
        });
        if let Err(error) = self.0.send(notifications) {
            // The connection is ending, or has ended; its client is told there.
            tracing::debug!(%error, "notifications are not delivered");
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.0.waiting_bytes()
    }
}
