//! The simple protocol: a text of statements, run one after the other as one implicit transaction.

use super::Connection;
use super::portal::Portal;
use crate::backend::Session;
use crate::wire::{Stop, Watch, Wire};

impl<S: Session> Connection<S> {
    pub(super) async fn query(&mut self, wire: &mut Wire, sql: &str) -> Result<(), Stop> {
        self.statements.remove("");
        self.portals.remove("");
        let statements = self.session.parse_script(sql).map_err(Stop::Error)?;
        if statements.is_empty() {
            wire.output.empty_query_response();
        }
        let last = statements.len().saturating_sub(1);
        for (index, statement) in statements.iter().enumerate() {
            self.simple_statement(wire, statement, index == last).await?;
        }
        wire.drive(&Watch::to_the_end(), self.session.sync()).await?;
        self.ready(wire).await
    }

    async fn simple_statement(
        &mut self,
        wire: &mut Wire,
        statement: &S::Statement,
        is_last: bool,
    ) -> Result<(), Stop> {
        let watch = self.statement_watch();
        let starting = self.session.start_simple(statement, is_last);
        let inner = wire.drive(&watch, starting).await?;
        let mut portal = Portal::new(&self.session, inner, Vec::new());
        portal.describes = true;
        self.run_portal(wire, &mut portal, None, watch).await?;
        Ok(())
    }
}
