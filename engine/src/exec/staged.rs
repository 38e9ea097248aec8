//! Statements in stages: changes in WITH, subqueries that lock, queries that must run once.
//!
//! All stages share the statement's snapshot and what the transaction had written before it:
//! none sees what another changes but through the rows it returns. A row that one stage changed is
//! passed over by the others, as PostgreSQL passes over what the same command has changed. Stages
//! whose rows are read run before their readers, in the order written; changes that nobody reads
//! run after the statement's own, as in PostgreSQL.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::StreamExt;
use kalamdb_storage::{Key, NamespaceId, RelationId, Snapshot, WriteSet};

use crate::{
    analyze::{BoundStaged, Environment},
    error::{Error, Result, SqlState},
    exec::{self, write::Writer},
    plan::slot::Slots,
    prepared::Body,
    session::{Portal, Rows, Session, Started},
    types::PgType,
};

/// Bytes of rows that one stage may hand to the rest.
const MAX_STAGE_BYTES: usize = 256 << 20;

/// A compiled statement in stages.
pub(crate) struct StagedPlan {
    pub(crate) stages: Vec<Stage>,
    pub(crate) main: Body,
}

/// A compiled stage.
pub(crate) struct Stage {
    pub(crate) body: Body,
    pub(crate) slot: usize,
    is_read: bool,
}

impl StagedPlan {
    pub(crate) fn new(
        staged: BoundStaged,
        parameters: &[PgType],
        env: &Environment<'_>,
    ) -> Result<Self> {
        let stages = staged
            .stages
            .into_iter()
            .map(|stage| {
                let body = exec::compile(stage.statement, parameters, env)?;
                Ok(Stage { body, slot: stage.slot, is_read: stage.is_read })
            })
            .collect::<Result<_>>()?;
        Ok(StagedPlan { stages, main: exec::compile(*staged.main, parameters, env)? })
    }

    /// Whether a stage changes rows.
    pub(crate) fn has_changes(&self) -> bool {
        self.stages.iter().any(|stage| !matches!(stage.body, Body::Query(_)))
    }
}

/// What the stages of one statement share while they run.
pub(crate) struct Stages {
    pub(crate) snapshot: Snapshot,
    /// What the transaction had written before.
    pub(crate) writes: Arc<WriteSet>,
    pub(crate) slots: Arc<Slots>,
    /// Rows that stages have changed.
    changed: HashMap<(NamespaceId, RelationId), Arc<HashSet<Key>>>,
}

/// Runs a statement in stages.
pub(crate) async fn run(
    session: &mut Session,
    plan: &StagedPlan,
    portal: &mut Portal,
) -> Result<Started> {
    let snapshot = session.transaction.statement_snapshot(&session.engine.store);
    session.stages = Some(Box::new(Stages {
        snapshot,
        writes: Arc::clone(&session.transaction.writes),
        slots: Arc::default(),
        changed: HashMap::new(),
    }));
    let started = run_all(session, plan, portal).await;
    session.stages = None;
    started
}

async fn run_all(session: &mut Session, plan: &StagedPlan, portal: &mut Portal) -> Result<Started> {
    let parameters = portal.parameters.clone();
    let main_reads = matches!(plan.main, Body::Query(_));
    let (before, after): (Vec<&Stage>, Vec<&Stage>) =
        plan.stages.iter().partition(|stage| main_reads || stage.is_read);
    for stage in before {
        run_stage(session, stage, &parameters).await?;
    }
    let started = Box::pin(exec::run_body(session, &plan.main, portal)).await?;
    for stage in after {
        run_stage(session, stage, &parameters).await?;
    }
    Ok(started)
}

/// Runs one stage to its end and puts its rows into its slot.
async fn run_stage(session: &mut Session, stage: &Stage, parameters: &[ScalarValue]) -> Result<()> {
    let mut portal = Portal::empty();
    portal.parameters = parameters.to_vec();
    Box::pin(exec::run_body(session, &stage.body, &mut portal)).await?;
    let rows = match portal.rows {
        Rows::Ready(batches) => batches.into(),
        Rows::Stream(mut stream, context) => {
            let mut rows: Vec<RecordBatch> = Vec::new();
            let mut bytes = 0;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                bytes += batch.get_array_memory_size();
                if bytes > MAX_STAGE_BYTES {
                    return Err(Error::new(
                        SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                        format!("a query in WITH hands on at most {MAX_STAGE_BYTES} bytes of rows"),
                    ));
                }
                rows.push(batch);
            }
            session.absorb_effects(&context)?;
            rows
        }
        _ => Vec::new(),
    };
    if let Some(stages) = &session.stages {
        stages.slots.set(stage.slot, rows);
    }
    Ok(())
}

impl Session {
    /// Before a statement starts over: a snapshot of now for what is still to run.
    pub(crate) fn renew_stages(&mut self) {
        if self.stages.is_some() {
            let snapshot = self.transaction.statement_snapshot(&self.engine.store);
            if let Some(stages) = &mut self.stages {
                stages.snapshot = snapshot;
            }
        }
    }

    /// The rows of a table that other stages of the statement have changed.
    pub(crate) fn changed_by_stages(
        &self,
        namespace: NamespaceId,
        relation: RelationId,
    ) -> Option<Arc<HashSet<Key>>> {
        self.stages.as_ref()?.changed.get(&(namespace, relation)).cloned()
    }

    /// What a stage has changed is not for the others.
    pub(crate) fn stage_changed(&mut self, writer: &mut Writer) {
        let Some(stages) = &mut self.stages else { return };
        let place = (writer.namespace.id(), writer.layout.relation);
        let known = stages.changed.entry(place).or_default();
        Arc::make_mut(known).extend(std::mem::take(&mut writer.touched));
    }
}
