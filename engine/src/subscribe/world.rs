//! The session around a subscription, without anything that would hold back old rows.

use std::sync::{Arc, Mutex};

use kalamdb_storage::Namespace;

use crate::{
    catalog::{part::CatalogView, store::SessionCatalog},
    context::{Effects, ExecutionContext},
    engine::Engine,
    session::state::SessionState,
    statement::AccessMode,
    types::{FormatSettings, Oid},
};

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
            parameters: std::sync::OnceLock::new(),
            engine: Arc::clone(&self.engine),
            catalog: Arc::clone(&self.view),
            session: Arc::clone(&self.session),
            own: self.own.clone(),
            shared: self.shared.clone(),
            snapshot: self.engine.store.snapshot(),
            writes: Arc::default(),
            access: AccessMode::ReadWrite,
            transaction_time: self.transaction_time,
            statement_time: self.transaction_time,
            format: self.format.clone(),
            slots: Arc::default(),
            effects: Mutex::new(Effects::default()),
        })
    }
}
