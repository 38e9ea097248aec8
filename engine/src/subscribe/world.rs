//! The session around a subscription, without anything that would hold back old rows.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kalamdb_storage::{Namespace, Position};
use tokio::time::Instant;

use crate::{
    catalog::{part::CatalogView, store::SessionCatalog},
    changefeed::Follow,
    context::{Effects, ExecutionContext},
    engine::Engine,
    session::state::SessionState,
    types::{FormatSettings, Oid},
};

/// A definition is published a moment after its commit is fed: looked for this often, this long.
const DEFINITION_CHECK: Duration = Duration::from_millis(50);
const DEFINITION_CHECKS: u32 = 40;

/// What the session was when the subscription began. An [`ExecutionContext`] has a snapshot, so
/// each evaluation gets one of its own.
pub(super) struct World {
    pub(super) engine: Arc<Engine>,
    pub(super) session: Arc<SessionState>,
    pub(super) catalog: Arc<SessionCatalog>,
    /// The definitions last looked at.
    pub(super) view: Arc<CatalogView>,
    pub(super) role: Oid,
    own: Namespace,
    shared: Namespace,
    transaction_time: i64,
    format: FormatSettings,
}

/// Waits for definitions to change.
pub(super) struct Definitions {
    pub(super) follow: Follow,
    pub(super) seen: Position,
    /// Checks left after a commit of definitions, and when the next one is.
    checks: u32,
    next: Instant,
}

impl World {
    pub(super) fn new(
        context: &ExecutionContext,
        catalog: Arc<SessionCatalog>,
        view: Arc<CatalogView>,
    ) -> World {
        World {
            engine: Arc::clone(&context.engine),
            session: Arc::clone(&context.session),
            own: context.own.clone(),
            shared: context.shared.clone(),
            transaction_time: context.transaction_time,
            format: context.format.clone(),
            role: view.role,
            catalog,
            view,
        }
    }

    /// A context for expressions, of this moment.
    pub(super) fn context(&self) -> Arc<ExecutionContext> {
        Arc::new(ExecutionContext {
            engine: Arc::clone(&self.engine),
            catalog: Arc::clone(&self.view),
            session: Arc::clone(&self.session),
            own: self.own.clone(),
            shared: self.shared.clone(),
            snapshot: self.engine.store.snapshot(),
            writes: Arc::default(),
            transaction_time: self.transaction_time,
            statement_time: self.transaction_time,
            format: self.format.clone(),
            effects: Mutex::new(Effects::default()),
        })
    }
}

impl Definitions {
    pub(super) fn new(follow: Follow) -> Definitions {
        Definitions { follow, seen: Position(0), checks: 0, next: Instant::now() }
    }

    /// Definitions were committed.
    pub(super) fn note(&mut self) {
        self.seen = self.follow.relevant();
        self.checks = DEFINITION_CHECKS;
        self.next = Instant::now() + DEFINITION_CHECK;
    }

    /// The definitions are being looked at.
    pub(super) fn tick(&mut self) {
        if self.checks > 0 && Instant::now() >= self.next {
            self.checks -= 1;
            self.next = Instant::now() + DEFINITION_CHECK;
        }
    }

    /// When to look again.
    pub(super) fn next_check(&self) -> Option<Instant> {
        (self.checks > 0).then_some(self.next)
    }
}
