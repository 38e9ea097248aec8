//! The stream: a snapshot at S, then the log from S + 1 on, with markers and heartbeats.
//!
//! [`Subscription::next`] may be dropped at any await and called again: what it has read from the
//! log is kept here before anything else is awaited. The snapshot is let go with the last of its
//! rows; afterwards nothing old is held.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    compute::{filter_record_batch, prep_null_mask_filter},
};
use datafusion::common::ScalarValue;
use futures::{StreamExt, stream::BoxStream};
use kalamdb_storage::{
    Layout, LogCursor, Lsn, Namespace, Position, RelationId, RowImage, ScanSpec, row,
};
use tokio::{sync::watch, time::Instant};

use super::{
    BoundSubscribe,
    backlog::{Backlog, Event},
    bind::{Progress, StartAt, Terms, attribute},
    fold::{Difference, fold},
    output::{Op, Rows, Shape},
    world::World,
};
use crate::{
    analyze::{Named, OutputColumn},
    catalog::{Relation, TableKind, store::SessionCatalog},
    changefeed::{Follow, LiveSubscription, News},
    context::ExecutionContext,
    error::{Error, Result, SqlState},
};

/// Bytes of the log read at once: what a subscription holds of it.
const READ_BYTES: usize = 256 << 10;
/// Commits that don't touch the query move the marker this often at most.
const IRRELEVANT_PROGRESS: Duration = Duration::from_millis(100);

/// What a subscription is started with.
pub(crate) struct Opening {
    /// The statement's. Its snapshot is not used: the stream begins with what is committed.
    pub(crate) context: Arc<ExecutionContext>,
    /// The session's view of definitions as they change.
    pub(crate) catalog: Arc<SessionCatalog>,
    pub(crate) parameters: Vec<ScalarValue>,
}

/// A running subscription.
pub(crate) struct Subscription {
    bound: Arc<BoundSubscribe>,
    terms: Terms,
    shape: Shape,
    parameters: Vec<ScalarValue>,
    world: World,
    namespace: Namespace,
    /// The table as defined now.
    relation: Arc<Relation>,
    follow: Follow,
    closing: watch::Receiver<bool>,
    phase: Phase,
    cursor: LogCursor,
    waiting: Backlog,
    /// The log was read to its end once, so the feed's news are complete.
    is_caught_up: bool,
    told: Told,
}

/// In a mutex that is never locked, so that whoever holds a subscription can be shared.
type Scan = BoxStream<'static, kalamdb_storage::Result<RecordBatch>>;

/// Where the stream stands.
enum Phase {
    /// To take a snapshot; `reset`: after the log turned out too short.
    Begin {
        reset: bool,
    },
    Snapshot {
        rows: Mutex<Scan>,
        at: Position,
    },
    Live,
    /// All was said but this.
    Failed(Error),
    Ended,
}

/// How far the client has been told.
struct Told {
    /// Everything up to here was sent.
    done: Position,
    /// The last marker.
    marked: Position,
    /// Rows since the last marker.
    rows: i64,
    last_marker: Instant,
    last_output: Instant,
}

/// Row images as the query sees them.
struct Images {
    /// The query's columns of the images that matched.
    columns: Vec<ArrayRef>,
    /// For each image its row there; `None`: no match.
    places: Vec<Option<usize>>,
}

impl Subscription {
    /// Starts a subscription; nothing is read before the first [`Subscription::next`].
    ///
    /// # Errors
    /// 22023 for clauses, 42501 without the privilege to read, 53400 with too many subscriptions.
    pub(crate) fn open(bound: Arc<BoundSubscribe>, opening: Opening) -> Result<Subscription> {
        let Opening { context, catalog, parameters } = opening;
        let terms = bound.terms(&parameters)?;
        let view = catalog.view();
        for named in &bound.relations {
            view.check_named(named)?;
        }
        let namespace = match bound.relation.kind {
            TableKind::Shared => context.shared.clone(),
            TableKind::User | TableKind::Private | TableKind::System => context.own.clone(),
        };
        let about = LiveSubscription {
            process_id: context.session.process_id,
            owner: context.own.id(),
            relation: RelationId(bound.relation.oid.0),
            query: Arc::clone(&bound.text),
            started: context.statement_time,
            sent: Position(0),
            head: Position(0),
        };
        let feed = &context.engine.changefeed;
        let now = Instant::now();
        Ok(Subscription {
            shape: Shape::new(&bound)?,
            relation: Arc::clone(&bound.relation),
            follow: feed.follow(namespace.id(), about)?,
            closing: feed.closing(),
            cursor: namespace.log(Position(0)),
            phase: Phase::Begin { reset: false },
            waiting: Backlog::default(),
            is_caught_up: false,
            told: Told {
                done: Position(0),
                marked: Position(0),
                rows: 0,
                last_marker: now,
                last_output: now,
            },
            world: World::new(&context, catalog, view),
            bound,
            terms,
            parameters,
            namespace,
        })
    }

    /// The columns of the stream.
    pub(crate) fn output(&self) -> &Arc<[OutputColumn]> {
        &self.bound.output
    }

    /// The next rows; pending while there are none. `None`: the position of UP TO is reached.
    ///
    /// May be dropped while pending and called again; no row is lost by that.
    ///
    /// # Errors
    /// 22023 and 55000 for a position, 42P01, 0A000 and 42501 when the table, a used column or the
    /// privilege is gone, 57P01 at shutdown, and what the query's expressions raise. The stream has
    /// ended then; DETAIL says up to which position it came.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let step = match &mut self.phase {
                Phase::Ended => return Ok(None),
                Phase::Failed(error) => return Err(error.clone()),
                Phase::Begin { reset } => {
                    let reset = *reset;
                    self.begin(reset).await
                }
                Phase::Snapshot { .. } => self.snapshot().await,
                Phase::Live => self.live().await,
            };
            match step {
                Ok(Some(batch)) if batch.num_rows() > 0 => {
                    self.told.last_output = Instant::now();
                    self.follow.sent(self.told.done);
                    return Ok(Some(batch));
                }
                Ok(_) => {}
                Err(error) => {
                    let error = self.with_position(error);
                    self.phase = Phase::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    fn with_position(&self, error: Error) -> Error {
        match error.detail {
            Some(_) => error,
            None if self.told.done == Position(0) => error,
            None => error.with_detail(format!("position={}", self.told.done)),
        }
    }

    /// Finds the place to start from.
    async fn begin(&mut self, reset: bool) -> Result<Option<RecordBatch>> {
        self.refresh()?;
        let snapshot = self.world.engine.store.durable_snapshot().await?;
        let head = self.namespace.head(&snapshot).await?;
        if let (StartAt::After(after), false) = (self.terms.start, reset) {
            return self.resume(after, head).await;
        }
        if !reset {
            check_start(self.terms.start, head)?;
        }
        if let Some(up_to) = self.terms.up_to
            && up_to < head
        {
            return Err(Error::invalid_parameter_value(format!(
                "position {up_to} of UP TO is before the start at {head}"
            )));
        }
        self.waiting.clear();
        self.told.rows = 0;
        if !(self.terms.snapshot || reset) {
            self.go_live(head);
            return self.mark(Op::Commit).map(Some);
        }
        let (layout, spec) = (self.layout()?, self.scan_spec()?);
        let rows = self.namespace.scan(snapshot, None, layout, spec);
        self.phase = Phase::Snapshot { rows: Mutex::new(rows), at: head };
        if !reset {
            return Ok(None);
        }
        let mut marker = Rows::default();
        marker.marker(head, Op::Reset, None);
        marker.finish(&self.shape, &[], &[]).map(Some)
    }

    /// The scan of the snapshot: by key where the filter fixes one.
    fn scan_spec(&self) -> Result<ScanSpec> {
        let mut spec = ScanSpec::new(self.places());
        // An access names an index by its place, so it is good for one definition only.
        let is_same = Arc::ptr_eq(&self.relation, &self.bound.relation);
        let Some(access) = self.bound.access.as_ref().filter(|_| is_same) else {
            return Ok(spec);
        };
        let context = self.world.context();
        match access.range(&context, &*self.layout()?, &self.parameters)? {
            Some(range) => {
                spec.access = access.access;
                spec.range = range;
            }
            None => spec.limit = Some(0),
        }
        Ok(spec)
    }

    async fn resume(&mut self, after: Position, head: Position) -> Result<Option<RecordBatch>> {
        if after > head {
            return Err(Error::invalid_parameter_value(format!(
                "position {after} is beyond the head of the log at {head}"
            )));
        }
        let oldest = self.namespace.oldest().await?;
        if after.next() < oldest {
            self.expire(format!("oldest={oldest}"))?;
            return Ok(None);
        }
        self.go_live(after);
        if self.terms.up_to.is_some_and(|up_to| up_to <= after) {
            self.phase = Phase::Ended;
        }
        Ok(None)
    }

    /// Goes on with the log behind `position`.
    fn go_live(&mut self, position: Position) {
        self.cursor = self.namespace.log(position);
        self.told.done = position;
        self.told.marked = position;
        self.told.last_marker = Instant::now();
        self.is_caught_up = false;
        self.phase = Phase::Live;
    }

    /// The log doesn't reach back to what comes next, at least not in a form that can be read.
    fn expire(&mut self, detail: String) -> Result<()> {
        if !self.terms.reset_when_expired {
            return Err(Error::object_not_in_prerequisite_state(
                "the log doesn't reach back to the position asked for",
            )
            .with_detail(detail));
        }
        self.phase = Phase::Begin { reset: true };
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Option<RecordBatch>> {
        let Phase::Snapshot { rows, at } = &mut self.phase else { return Ok(None) };
        let at = *at;
        let rows = rows.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(batch) = rows.next().await else {
            self.go_live(at);
            return match self.terms.progress {
                Progress::Off => Ok(None),
                Progress::Each | Progress::Every(_) => self.mark(Op::Commit).map(Some),
            };
        };
        if *self.closing.borrow() {
            return Err(Error::admin_shutdown());
        }
        let images = self.evaluate(&batch?)?;
        let mut sent = Rows::default();
        for place in images.places.iter().flatten() {
            sent.snapshot(at, *place);
        }
        self.told.rows += i64::try_from(sent.len()).unwrap_or(i64::MAX);
        sent.finish(&self.shape, &[], &images.columns).map(Some)
    }

    async fn live(&mut self) -> Result<Option<RecordBatch>> {
        if let Err(error) = self.refresh() {
            return self.end_with(error);
        }
        let retyped_at = Lsn(self.relation.retyped_at);
        if self.waiting.has_rows_up_to(retyped_at, RelationId(self.relation.oid.0)) {
            self.expire("The type of a column was changed since.".to_owned())?;
            return Ok(None);
        }
        if !self.waiting.is_empty() {
            return self.send_changes().map(Some);
        }
        if self.terms.up_to.is_some_and(|up_to| self.told.done >= up_to) {
            self.phase = Phase::Ended;
            return self.pending_marker();
        }
        let news = match self.is_caught_up {
            true => self.follow.news(self.told.done),
            false => News::Relevant,
        };
        match news {
            News::Relevant => {
                self.read().await?;
                return Ok(None);
            }
            News::Irrelevant(head) => {
                let head = self.terms.up_to.map_or(head, |up_to| head.min(up_to));
                self.cursor = self.namespace.log(head);
                self.told.done = head;
                if self.terms.up_to == Some(head) {
                    return Ok(None);
                }
            }
            News::Nothing => {}
        }
        let now = Instant::now();
        if self.marker_at().is_some_and(|at| at <= now) {
            return self.mark(Op::Commit).map(Some);
        }
        if self.heartbeat_at().is_some_and(|at| at <= now) {
            return self.mark(Op::Heartbeat).map(Some);
        }
        self.wait().await;
        Ok(None)
    }

    async fn read(&mut self) -> Result<()> {
        match self.cursor.next(READ_BYTES).await {
            Ok(records) => {
                self.is_caught_up |= records.is_empty();
                self.waiting.extend(records);
                Ok(())
            }
            Err(error) => match error.oldest() {
                Some(oldest) => self.expire(format!("oldest={oldest}")),
                None => Err(error.into()),
            },
        }
    }

    /// Waits for anything that could give a row.
    async fn wait(&mut self) {
        let is_unmarked = self.told.done > self.told.marked;
        let any =
            self.terms.up_to.is_some() || (self.terms.progress != Progress::Off && !is_unmarked);
        let deadline = [self.marker_at(), self.heartbeat_at()].into_iter().flatten().min();
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let closing = &mut self.closing;
        tokio::select! {
            () = self.follow.wait(self.told.done, any) => {}
            () = self.world.catalog.changed(&self.world.view) => {}
            () = timer => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// When a marker for what was sent or passed over is due.
    fn marker_at(&self) -> Option<Instant> {
        if self.told.done <= self.told.marked {
            return None;
        }
        match self.terms.progress {
            Progress::Off => None,
            Progress::Each => Some(self.told.last_marker + IRRELEVANT_PROGRESS),
            Progress::Every(interval) => Some(self.told.last_marker + interval),
        }
    }

    fn heartbeat_at(&self) -> Option<Instant> {
        self.terms.heartbeat.map(|interval| self.told.last_output + interval)
    }

    /// A batch of one marker at the place reached.
    fn mark(&mut self, op: Op) -> Result<RecordBatch> {
        let mut rows = Rows::default();
        if op != Op::Commit || self.terms.progress != Progress::Off {
            self.add_marker(&mut rows, op);
        }
        rows.finish(&self.shape, &[], &[])
    }

    fn add_marker(&mut self, rows: &mut Rows, op: Op) {
        let count = std::mem::take(&mut self.told.rows);
        rows.marker(self.told.done, op, Some(count));
        self.told.marked = self.told.done;
        self.told.last_marker = Instant::now();
    }

    /// The marker of what was sent, if one is wanted and missing. Never behind some rows of a
    /// commit whose others are still to come.
    fn pending_marker(&mut self) -> Result<Option<RecordBatch>> {
        let is_unmarked = self.told.done > self.told.marked && !self.waiting.is_partial();
        if self.terms.progress == Progress::Off || !is_unmarked {
            return Ok(None);
        }
        self.mark(Op::Commit).map(Some)
    }

    /// Ends with an error, after the marker that is missing.
    fn end_with(&mut self, error: Error) -> Result<Option<RecordBatch>> {
        let marker = self.pending_marker()?;
        if marker.is_none() {
            return Err(error);
        }
        self.phase = Phase::Failed(self.with_position(error));
        Ok(marker)
    }

    /// Sends what waits, a stretch of it.
    fn send_changes(&mut self) -> Result<RecordBatch> {
        let relation = RelationId(self.relation.oid.0);
        let stretch = self.waiting.take(relation, self.terms.up_to);
        let layout = self.layout()?;
        let olds = self.evaluate_images(&layout, &stretch.olds)?;
        let news = self.evaluate_images(&layout, &stretch.news)?;
        let difference = Difference::new(&olds.columns, &news.columns)?;
        let can_update = self.bound.is_keyed || self.bound.with_old;
        let mut rows = Rows::default();
        for event in stretch.events {
            match event {
                Event::Row { position, old, new } => {
                    let change = fold(
                        old.and_then(|image| olds.places[image]),
                        new.and_then(|image| news.places[image]),
                        |old, new| difference.is_changed(old, new),
                        can_update,
                    );
                    self.told.rows += rows.change(position, change);
                }
                Event::Truncate(position) => {
                    rows.truncate(position);
                    self.told.rows += 1;
                }
                Event::End(position) => {
                    self.told.done = position;
                    let is_due = match self.terms.progress {
                        Progress::Off => false,
                        Progress::Each => self.told.rows > 0,
                        Progress::Every(interval) => self.told.last_marker.elapsed() >= interval,
                    };
                    if is_due {
                        self.add_marker(&mut rows, Op::Commit);
                    }
                }
            }
        }
        rows.finish(&self.shape, &olds.columns, &news.columns)
    }

    fn evaluate_images(&self, layout: &Layout, images: &[RowImage]) -> Result<Images> {
        if images.is_empty() {
            return Ok(Images { columns: Vec::new(), places: Vec::new() });
        }
        self.evaluate(&row::decode(layout, images, &self.places())?)
    }

    /// Filters rows (the used attributes in order) and projects those that match.
    fn evaluate(&self, batch: &RecordBatch) -> Result<Images> {
        let context = self.world.context();
        let (matching, places) = match &self.bound.filter {
            None => (batch.clone(), (0..batch.num_rows()).map(Some).collect()),
            Some(filter) => {
                let rows = batch.num_rows();
                let mask = filter.predicate(&context, batch.columns(), rows, &self.parameters)?;
                let mask = if mask.null_count() > 0 { prep_null_mask_filter(&mask) } else { mask };
                let mut next = 0..;
                let places =
                    mask.values().iter().map(|is| is.then(|| next.next()).flatten()).collect();
                (filter_record_batch(batch, &mask)?, places)
            }
        };
        let columns = self.bound.projection.evaluate(
            &context,
            matching.columns(),
            matching.num_rows(),
            &self.parameters,
        )?;
        Ok(Images { columns, places })
    }

    /// Places of the used attributes in the layout.
    fn places(&self) -> Vec<usize> {
        self.bound.used.iter().map(|attnum| usize::from(attnum.unsigned_abs()) - 1).collect()
    }

    fn layout(&self) -> Result<Arc<Layout>> {
        self.relation.layout.clone().ok_or_else(|| Error::internal("a table has no layout"))
    }

    /// Looks whether the subscription may go on as it was begun.
    fn refresh(&mut self) -> Result<()> {
        if *self.closing.borrow() {
            return Err(Error::admin_shutdown());
        }
        if self.world.session.current_user() != self.world.role {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "the subscription was begun by another role",
            ));
        }
        let view = self.world.catalog.view();
        if Arc::ptr_eq(&view, &self.world.view) {
            return Ok(());
        }
        let bound = Arc::clone(&self.bound);
        let relation = view
            .relation_by_oid(bound.relation.oid)
            .ok_or_else(|| Error::undefined_table(&bound.relation.name))?;
        for known in &bound.relations {
            let relation = view
                .relation_by_oid(known.relation.oid)
                .ok_or_else(|| Error::undefined_table(&known.relation.name))?;
            view.check_named(&Named { relation, ..known.clone() })?;
        }
        for attnum in &bound.used {
            let (before, now) =
                (attribute(&bound.relation, *attnum)?, attribute(&relation, *attnum)?);
            if now.dropped || now.ty != before.ty || now.name != before.name {
                return Err(Error::feature_not_supported(format!(
                    "column \"{}\" of relation \"{}\" was altered under a subscription",
                    before.name, relation.name
                )));
            }
        }
        self.relation = relation;
        self.world.view = view;
        Ok(())
    }
}

fn check_start(start: StartAt, head: Position) -> Result<()> {
    let asked = match start {
        StartAt::Head | StartAt::After(_) => return Ok(()),
        StartAt::AsOf(asked) | StartAt::AsOfAtLeast(asked) => asked,
    };
    if asked > head {
        return Err(Error::invalid_parameter_value(format!(
            "position {asked} is beyond the head of the log at {head}"
        )));
    }
    if matches!(start, StartAt::AsOf(_)) && asked != head {
        return Err(Error::feature_not_supported(
            "AS OF a position of the past is not supported yet",
        )
        .with_hint("Use AS OF AT LEAST, or AFTER."));
    }
    Ok(())
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("query", &self.bound.text)
            .field("position", &self.told.done)
            .finish_non_exhaustive()
    }
}
