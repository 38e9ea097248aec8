//! SELECT, by the short path or by DataFusion.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
};
use datafusion::{
    common::ScalarValue,
    logical_expr::{Expr, LogicalPlan},
};
use futures::{Stream, StreamExt, stream::BoxStream};
use kalamdb_storage::Key;
use tokio::sync::mpsc;

use crate::{
    analyze::{AwaitedTarget, BoundLock, BoundQuery, LockStrength, LockWait, Named, OutputColumn},
    catalog::Relation,
    context::ExecutionContext,
    error::{Error, Result, SqlState},
    exec::{
        self, evaluate::Evaluator, function, returning::output_schema, short::ShortSelect,
        write::Writer,
    },
    locks::{Acquired, Mode, Wait},
    plan::{Planned, interrupt::GiveUp},
    session::{Portal, Rows, Session, Started, Tag, in_context},
    types::PgType,
};

/// Rows to be pulled.
pub(crate) struct RowStream(Mutex<BoxStream<'static, Result<RecordBatch>>>);

impl RowStream {
    pub(crate) fn new(stream: impl Stream<Item = Result<RecordBatch>> + Send + 'static) -> Self {
        RowStream(Mutex::new(stream.boxed()))
    }
}

impl Stream for RowStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Never contended: whoever polls holds the stream by itself. The mutex makes it `Sync`.
        let stream = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        stream.poll_next_unpin(cx)
    }
}

/// Batches that wait between the execution runtime and the connection.
const BATCHES_AHEAD: usize = 2;

/// A compiled query.
pub(crate) struct QueryPlan {
    pub(crate) output: Arc<[OutputColumn]>,
    pub(crate) relations: Vec<Named>,
    pub(crate) plan: Arc<Planned>,
    pub(crate) short: Option<Arc<ShortSelect>>,
    awaited: Option<Vec<Awaited>>,
    locks: Option<Locking>,
    /// Of a cursor: the tables whose rows it stands on, each with the column of its `_key`.
    pub(crate) row_keys: Vec<(Arc<Relation>, usize)>,
    /// What a constant in it fails with, wherever it is executed.
    pub(crate) constant_error: Option<Error>,
    tag: &'static str,
}

/// A target of the query: a value, or the arguments of a function that is awaited.
struct Awaited {
    function: Option<String>,
    values: Evaluator,
}

/// FOR UPDATE and its kin: LIMIT counts rows that were locked, so it comes after.
struct Locking {
    locks: Vec<BoundLock>,
    plan: Arc<Planned>,
    limit: Option<Evaluator>,
    offset: Option<Evaluator>,
}

impl QueryPlan {
    pub(crate) fn new(query: BoundQuery, parameters: &[PgType]) -> Result<Self> {
        let output: Arc<[OutputColumn]> = query.output.into();
        let awaited = match query.awaited {
            Some(targets) => {
                let compile = |target| Awaited::new(target, parameters);
                Some(targets.into_iter().map(compile).collect::<Result<_>>()?)
            }
            None => None,
        };
        let locks = match query.locks.is_empty() {
            true => None,
            false => Some(Locking::new(query.locks, &query.plan, parameters)?),
        };
        let short = match (&query.simple, &locks, &awaited) {
            (Some(simple), None, None) => {
                ShortSelect::new(simple, &output, parameters)?.map(Arc::new)
            }
            _ => None,
        };
        Ok(QueryPlan {
            output,
            tag: query.tag,
            relations: query.relations,
            row_keys: query.row_keys,
            constant_error: crate::plan::constant_error(&query.plan)?,
            plan: Planned::new(query.plan),
            short,
            awaited,
            locks,
        })
    }
}

impl QueryPlan {
    /// The relations whose rows it locks.
    pub(crate) fn locked(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.locks.iter().flat_map(|locking| &locking.locks).map(|lock| &lock.relation)
    }
}

impl Awaited {
    fn new(target: AwaitedTarget, parameters: &[PgType]) -> Result<Self> {
        let (function, exprs) = match target {
            AwaitedTarget::Call(call) => (Some(call.name), call.arguments),
            AwaitedTarget::Value(expr) => (None, vec![expr]),
        };
        Ok(Awaited { function, values: Evaluator::new(&exprs, &[], parameters)? })
    }
}

impl Locking {
    fn new(locks: Vec<BoundLock>, plan: &LogicalPlan, parameters: &[PgType]) -> Result<Self> {
        let compile = |expr: &Option<Box<Expr>>| -> Result<Option<Evaluator>> {
            let Some(expr) = expr else { return Ok(None) };
            Ok(Some(Evaluator::new(&[(**expr).clone()], &[], parameters)?))
        };
        Ok(match plan {
            LogicalPlan::Limit(limit) => Locking {
                locks,
                plan: Planned::new((*limit.input).clone()),
                limit: compile(&limit.fetch)?,
                offset: compile(&limit.skip)?,
            },
            other => {
                let plan = Planned::new(other.clone());
                Locking { locks, plan, limit: None, offset: None }
            }
        })
    }
}

/// Starts a query.
pub(crate) async fn run(
    session: &mut Session,
    plan: &QueryPlan,
    portal: &mut Portal,
) -> Result<Started> {
    portal.tag = Tag::counting(plan.tag);
    exec::enter_read(session, &plan.relations).await?;
    // What fails in a query over no table fails when PostgreSQL plans it.
    portal.has_begun = !plan.relations.is_empty() || plan.awaited.is_some();
    if let Some(locking) = &plan.locks {
        let parameters = std::mem::take(&mut portal.parameters);
        let batches = lock_rows(session, locking, plan, &parameters).await?;
        return Ok(portal.ready(batches));
    }
    let context = session.execution_context();
    if let Some(targets) = &plan.awaited {
        let mut columns = Vec::with_capacity(targets.len());
        for target in targets {
            let mut values = target.values.evaluate(&context, &[], 1, &portal.parameters)?;
            columns.push(match &target.function {
                Some(name) => function::call(session, &context, name, &values).await?,
                None => values.swap_remove(0),
            });
        }
        session.absorb_effects(&context)?;
        let batch = RecordBatch::try_new(output_schema(&plan.output)?, columns)?;
        return Ok(portal.ready([batch]));
    }
    if let Some(short) = &plan.short {
        let parameters = std::mem::take(&mut portal.parameters);
        if short.is_range() {
            portal.rows = Rows::Stream(short.stream(&context, parameters)?, context);
            return Ok(Started::Rows);
        }
        return match short.run(&context, &parameters).await {
            Ok(batches) => {
                session.absorb_effects(&context)?;
                Ok(portal.ready(batches))
            }
            // As in PostgreSQL the rows are described before the first of them fails.
            Err(error) => {
                let failed = RowStream::new(futures::stream::iter([Err(error)]));
                portal.rows = Rows::Stream(failed, context);
                Ok(Started::Rows)
            }
        };
    }
    let mut stream = stream(session, &plan.plan, &portal.parameters, &context).await?;
    if plan.tag != "SELECT" {
        // A change runs to its end before the first row is sent.
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        session.absorb_effects(&context)?;
        return Ok(portal.ready(batches));
    }
    portal.rows = Rows::Stream(stream, context);
    Ok(Started::Rows)
}

/// For readers who don't hand what expressions ask for to the transaction: cursors and COPY.
pub(crate) fn without_effects(stream: RowStream, context: Arc<ExecutionContext>) -> RowStream {
    RowStream::new(stream.map(move |batch| {
        let batch = batch?;
        let effects = context.effects.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if effects.notifications.is_empty() {
            Ok(batch)
        } else {
            Err(Error::feature_not_supported("pg_notify in a query over tables is not supported")
                .with_hint("Call it in a SELECT without FROM, or use NOTIFY."))
        }
    }))
}

/// Plans and starts a query on the execution runtime. The statement's context is entered wherever
/// the plan is polled.
pub(crate) async fn stream(
    session: &Session,
    plan: &Arc<Planned>,
    parameters: &[ScalarValue],
    context: &Arc<ExecutionContext>,
) -> Result<RowStream> {
    let plan = Arc::clone(plan);
    let parameters = parameters.to_vec();
    let context = Arc::clone(context);
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let give_up = GiveUp::default();
    let query = give_up.clone().watched(async move {
        let mut batches = match plan.execute(&context, parameters) {
            Ok(batches) => in_context(context, batches),
            Err(error) => {
                // Nobody listens any more if this fails.
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        while let Some(batch) = batches.next().await {
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    let task = AbortOnDrop { task: session.engine.execution.spawn(query), give_up };
    Ok(RowStream::new(
        futures::stream::unfold((receiver, Some(task)), |(mut receiver, task)| async move {
            match receiver.recv().await {
                Some(batch) => Some((batch, (receiver, task))),
                None => match task?.finish().await {
                    Ok(()) => None,
                    Err(error) => Some((Err(error), (receiver, None))),
                },
            }
        })
        .filter(|batch| {
            let keep = batch.as_ref().map_or(true, |batch| batch.num_rows() > 0);
            futures::future::ready(keep)
        }),
    ))
}

/// Whoever stops pulling stops the plan.
struct AbortOnDrop {
    task: tokio::task::JoinHandle<()>,
    give_up: GiveUp,
}

impl AbortOnDrop {
    async fn finish(mut self) -> Result<()> {
        match (&mut self.task).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_panic() => Err(Error::internal("a query's plan panicked")),
            Err(_) => Err(Error::query_canceled()),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.give_up.give_up();
        self.task.abort();
    }
}

/// Runs a locking query to its end: every row that goes out is locked and as it was committed
/// last. Where one changed meanwhile the query starts over, keeping its locks.
async fn lock_rows(
    session: &mut Session,
    locking: &Locking,
    plan: &QueryPlan,
    parameters: &[ScalarValue],
) -> Result<Vec<RecordBatch>> {
    for lock in &locking.locks {
        session.check_changeable(&lock.relation, "SELECT FOR UPDATE")?;
        session.view().check_relation(&lock.relation, "w")?;
        exec::lock_relation(session, &lock.relation, Mode::RowShare).await?;
    }
    loop {
        let context = session.execution_context();
        let offset = count(&locking.offset, &context, parameters, "OFFSET")?.unwrap_or(0);
        let limit = count(&locking.limit, &context, parameters, "LIMIT")?.unwrap_or(u64::MAX);
        let mut wanted = offset.saturating_add(limit);
        let mut batches = Vec::new();
        let mut stream = stream(session, &locking.plan, parameters, &context).await?;
        let mut start_over = false;
        while wanted > 0 {
            let Some(batch) = stream.next().await else { break };
            match lock_batch(session, locking, &batch?, &context, &mut wanted).await? {
                Some(batch) => batches.push(batch),
                None => {
                    start_over = true;
                    break;
                }
            }
        }
        if !start_over {
            // A cursor goes on to need the keys.
            let keys = if plan.row_keys.is_empty() { 0 } else { locking.locks.len() };
            return finish(batches, plan.output.len() + keys, offset);
        }
        session.renew_stages();
    }
}

/// Locks a batch's rows; gives those that may go out, or `None` if the query must start over.
async fn lock_batch(
    session: &mut Session,
    locking: &Locking,
    batch: &RecordBatch,
    context: &Arc<ExecutionContext>,
    wanted: &mut u64,
) -> Result<Option<RecordBatch>> {
    let mut keep = vec![false; batch.num_rows()];
    for (place, keep) in keep.iter_mut().enumerate() {
        if *wanted == 0 {
            break;
        }
        match lock_one(session, locking, batch, place, context).await? {
            Locked::Yes => {
                *keep = true;
                *wanted -= 1;
            }
            Locked::Skip => {}
            Locked::StartOver => return Ok(None),
        }
    }
    Ok(Some(filter_record_batch(batch, &BooleanArray::from(keep))?))
}

enum Locked {
    Yes,
    Skip,
    StartOver,
}

async fn lock_one(
    session: &mut Session,
    locking: &Locking,
    batch: &RecordBatch,
    place: usize,
    context: &Arc<ExecutionContext>,
) -> Result<Locked> {
    for lock in &locking.locks {
        let keys = batch
            .column(lock.key_column)
            .as_binary_opt::<i32>()
            .ok_or_else(|| Error::internal("a locking query has no key column"))?;
        if keys.is_null(place) {
            continue;
        }
        let key = Key::from_bytes(keys.value(place).to_vec().into());
        let writer = Writer::new(session, &lock.relation)?;
        let wait = match lock.wait {
            LockWait::Block => Writer::wait(session),
            LockWait::NoWait | LockWait::SkipLocked => Wait::No,
        };
        let mode = match lock.strength {
            LockStrength::KeyShare => Mode::KeyShare,
            LockStrength::Share => Mode::Share,
            LockStrength::NoKeyUpdate => Mode::NoKeyUpdate,
            LockStrength::Update => Mode::Update,
        };
        if writer.lock_row(session, &key, mode, wait).await? == Acquired::Unavailable {
            return match lock.wait {
                LockWait::SkipLocked => Ok(Locked::Skip),
                LockWait::Block | LockWait::NoWait => {
                    Err(Error::lock_not_available(&lock.relation.name))
                }
            };
        }
        match writer.newest(session, &key).await? {
            None => {
                session.transaction.check_deleted()?;
                return Ok(Locked::Skip);
            }
            Some(row) => {
                if !session.transaction.check_unchanged(row.lsn, &context.snapshot)? {
                    return Ok(Locked::StartOver);
                }
            }
        }
    }
    Ok(Locked::Yes)
}

/// Leaves the first columns, and drops the rows that OFFSET skips.
fn finish(batches: Vec<RecordBatch>, columns: usize, mut offset: u64) -> Result<Vec<RecordBatch>> {
    let places: Vec<usize> = (0..columns).collect();
    let mut finished = Vec::with_capacity(batches.len());
    for batch in batches {
        let rows = batch.num_rows() as u64;
        let skip = offset.min(rows);
        offset -= skip;
        let batch = batch.slice(skip as usize, (rows - skip) as usize);
        if batch.num_rows() > 0 {
            finished.push(batch.project(&places)?);
        }
    }
    Ok(finished)
}

/// The value of LIMIT or OFFSET; NULL is none.
pub(crate) fn count(
    evaluator: &Option<Evaluator>,
    context: &Arc<ExecutionContext>,
    parameters: &[ScalarValue],
    clause: &str,
) -> Result<Option<u64>> {
    let Some(evaluator) = evaluator else { return Ok(None) };
    let values = evaluator.evaluate(context, &[], 1, parameters)?;
    let value = values[0]
        .as_primitive_opt::<arrow::datatypes::Int64Type>()
        .ok_or_else(|| Error::internal(format!("{clause} is not a bigint")))?;
    if value.is_null(0) {
        return Ok(None);
    }
    u64::try_from(value.value(0)).map(Some).map_err(|_| {
        let state = match clause {
            "LIMIT" => SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
            _ => SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
        };
        Error::new(state, format!("{clause} must not be negative"))
    })
}
