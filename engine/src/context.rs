//! What an expression or scan may ask of the session that runs it.
//!
//! Plans are shared among sessions, so nothing of a session is inside them. Whoever polls a plan
//! or evaluates an expression does it inside [`ExecutionContext::enter`]; scans and session
//! functions reach it by [`ExecutionContext::current`].

use std::{
    any::Any,
    sync::{Arc, Mutex, OnceLock},
};

use datafusion::common::{
    ScalarValue,
    runtime::{JoinSetTracer, set_join_set_tracer},
};
use futures::{FutureExt, future::BoxFuture};
use kalamdb_storage::{Namespace, Snapshot, WriteSet};

use crate::{
    catalog::part::CatalogView, engine::Engine, plan::slot::Slots, session::state::SessionState,
    statement::AccessMode, types::FormatSettings,
};

tokio::task_local! {
    static CURRENT: Arc<ExecutionContext>;
}

/// One statement's world: made when it starts, dropped with its last row.
pub(crate) struct ExecutionContext {
    pub(crate) engine: Arc<Engine>,
    /// What names mean for this statement.
    pub(crate) catalog: Arc<CatalogView>,
    /// Identity, settings, currval: what outlives the statement.
    pub(crate) session: Arc<SessionState>,
    /// The namespace of `current_user`, and the one all share.
    pub(crate) own: Namespace,
    pub(crate) shared: Namespace,
    pub(crate) snapshot: Snapshot,
    /// What the transaction wrote before this statement.
    pub(crate) writes: Arc<WriteSet>,
    /// Whether the transaction may write.
    pub(crate) access: AccessMode,
    /// Microseconds since 1970.
    pub(crate) transaction_time: i64,
    pub(crate) statement_time: i64,
    pub(crate) format: FormatSettings,
    /// What generic plans find in the place of their parameters.
    pub(crate) parameters: OnceLock<Vec<ScalarValue>>,
    /// Rows of the statement's stages.
    pub(crate) slots: Arc<Slots>,
    /// What evaluating expressions wants of the transaction, to be done at the statement's end.
    pub(crate) effects: Mutex<Effects>,
}

/// Side effects of expressions.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// `pg_notify(channel, payload)`.
    pub(crate) notifications: Vec<(String, String)>,
}

impl ExecutionContext {
    /// Runs `f` with `self` as the current context of this thread.
    pub(crate) fn enter<T>(self: &Arc<Self>, f: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), f)
    }

    /// The context of the statement whose expression is being evaluated; `None` outside of one,
    /// as when the optimizer folds constants.
    pub(crate) fn current() -> Option<Arc<ExecutionContext>> {
        CURRENT.try_with(Arc::clone).ok()
    }
}

/// Lets the tasks that DataFusion starts by itself (for the inputs of a UNION, for one) find the
/// context of the statement that started them. Called once before the first plan runs.
pub(crate) fn follow_into_tasks() {
    // Another engine in the same process has done it already: that is as good.
    let _ = set_join_set_tracer(&Follow);
}

struct Follow;

type Erased = Box<dyn Any + Send>;

impl JoinSetTracer for Follow {
    fn trace_future(&self, future: BoxFuture<'static, Erased>) -> BoxFuture<'static, Erased> {
        match ExecutionContext::current() {
            Some(context) => CURRENT.scope(context, future).boxed(),
            None => future,
        }
    }

    fn trace_block(
        &self,
        block: Box<dyn FnOnce() -> Erased + Send>,
    ) -> Box<dyn FnOnce() -> Erased + Send> {
        match ExecutionContext::current() {
            Some(context) => Box::new(move || context.enter(block)),
            None => block,
        }
    }
}
