//! INSERT.

mod values;

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array},
    compute::take,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{common::ScalarValue, logical_expr::LogicalPlan};
use futures::StreamExt;
use kalamdb_storage::row;

use crate::{
    analyze::{BoundInsert, ConflictAction, ConflictValues, Environment, InsertSource, Named},
    catalog::Relation,
    context::ExecutionContext,
    error::{Error, Result, SqlState},
    exec::{
        self,
        evaluate::{Evaluator, row_columns},
        returning::Returning,
        rules::Rules,
        write::{Conflict, Writer},
    },
    locks::Mode,
    plan::{Planned, constant_error_in},
    session::{Portal, Session, Started, Tag},
    statement::Isolation,
    types::PgType,
};
use values::Values;

/// A compiled INSERT.
#[derive(Debug)]
pub(crate) struct InsertPlan {
    pub(crate) target: Arc<Relation>,
    source: Source,
    rules: Rules,
    on_conflict: Option<OnConflict>,
    pub(crate) returning: Option<Returning>,
    pub(crate) relations: Vec<Named>,
    /// What fails before anything is executed.
    pub(crate) planning_error: Option<Error>,
}

#[derive(Debug)]
enum Source {
    /// The short path.
    Values(Values),
    Plan(Arc<Planned>),
}

#[derive(Debug)]
struct OnConflict {
    /// Places in the target's `indexes()`; `None`: any.
    arbiter: Option<Vec<usize>>,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Nothing,
    Update {
        /// Live columns that are assigned, with `values` in the same order.
        columns: Vec<usize>,
        assigned: Vec<i16>,
        new: Box<NewValues>,
    },
}

/// What a row that is there already becomes.
#[derive(Debug)]
enum NewValues {
    Expressions {
        values: Evaluator,
        filter: Option<Evaluator>,
    },
    /// See [`ConflictValues::Plan`].
    Plan {
        slot: usize,
        plan: Arc<Planned>,
        /// Of the slot.
        schema: SchemaRef,
    },
}

impl InsertPlan {
    pub(crate) fn new(
        insert: BoundInsert,
        parameters: &[PgType],
        env: &Environment<'_>,
    ) -> Result<Self> {
        let columns = row_columns(&insert.target, 'a')?;
        let planning_error = match insert.planning_error {
            Some(error) => Some(error),
            None => match &insert.source {
                InsertSource::Values(rows) => constant_error_in(rows.iter().flatten())?,
                InsertSource::Plan(plan) => crate::plan::constant_error(plan)?,
            },
        };
        let source = match insert.source {
            InsertSource::Values(rows) => Source::Values(Values::new(&rows, parameters)?),
            InsertSource::Plan(plan) => Source::Plan(Planned::new(plan)),
        };
        let mut both = columns.clone();
        both.extend(row_columns(&insert.target, 'e')?);
        let on_conflict = match insert.on_conflict {
            None => None,
            Some(conflict) => Some(OnConflict {
                arbiter: conflict.arbiter,
                action: match conflict.action {
                    ConflictAction::Nothing => Action::Nothing,
                    ConflictAction::Update { columns, new } => {
                        let attnums: Vec<i16> =
                            insert.target.live_columns().map(|(attnum, _)| attnum).collect();
                        Action::Update {
                            assigned: columns.iter().map(|place| attnums[*place]).collect(),
                            columns,
                            new: Box::new(NewValues::new(new, &both, parameters)?),
                        }
                    }
                },
            }),
        };
        let returning =
            insert.returning.map(|list| Returning::new(list, &columns, parameters)).transpose()?;
        let rules = Rules::new(&insert.target, env)?;
        let relations = insert.relations;
        Ok(InsertPlan {
            target: insert.target,
            source,
            rules,
            on_conflict,
            returning,
            relations,
            planning_error,
        })
    }

    /// Whether there may be several rows of parameters for its one row of VALUES.
    pub(crate) fn takes_rows(&self) -> bool {
        matches!(&self.source, Source::Values(values) if values.takes_rows())
    }

    /// The privileges it takes on its target, beside SELECT where it reads it.
    pub(crate) fn letters(&self) -> &'static str {
        match self.on_conflict {
            Some(OnConflict { action: Action::Update { .. }, .. }) => "aw",
            _ => "a",
        }
    }

    /// How the rows come about, for EXPLAIN.
    pub(crate) fn source_plan(&self) -> Option<&LogicalPlan> {
        match &self.source {
            Source::Values(_) => None,
            Source::Plan(plan) => Some(&plan.logical),
        }
    }
}

impl NewValues {
    fn new(
        values: ConflictValues,
        both: &[(String, DataType)],
        parameters: &[PgType],
    ) -> Result<Self> {
        Ok(match values {
            ConflictValues::Expressions { values, filter } => NewValues::Expressions {
                values: Evaluator::new(&values, both, parameters)?,
                filter: filter
                    .map(|filter| Evaluator::new(&[filter], both, parameters))
                    .transpose()?,
            },
            ConflictValues::Plan { slot, plan } => {
                let fields = both.iter().map(|(name, ty)| Field::new(name, ty.clone(), true));
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                NewValues::Plan { slot, plan: Planned::new(*plan), schema }
            }
        })
    }

    /// The new values of one row, or `None` where the condition isn't true. `both` is the row that
    /// is there and the one proposed.
    async fn of(
        &self,
        session: &Session,
        context: &Arc<ExecutionContext>,
        both: &[ArrayRef],
        parameters: &[ScalarValue],
    ) -> Result<Option<Vec<ArrayRef>>> {
        let is_true = |truth: &BooleanArray| truth.is_valid(0) && truth.value(0);
        match self {
            NewValues::Expressions { values, filter } => {
                if let Some(filter) = filter
                    && !is_true(&filter.predicate(context, both, 1, parameters)?)
                {
                    return Ok(None);
                }
                values.evaluate(context, both, 1, parameters).map(Some)
            }
            NewValues::Plan { slot, plan, schema } => {
                let row = RecordBatch::try_new(Arc::clone(schema), both.to_vec())?;
                context.slots.set(*slot, vec![row]);
                let mut rows = exec::select::stream(session, plan, parameters, context).await?;
                let row = match rows.next().await {
                    Some(row) => row?,
                    None => return Err(Error::internal("ON CONFLICT has no new row")),
                };
                let mut values = row.columns().to_vec();
                let truth = values.pop().and_then(|truth| truth.as_boolean_opt().cloned());
                Ok(truth.is_some_and(|truth| is_true(&truth)).then_some(values))
            }
        }
    }
}

/// Runs an INSERT to its end.
pub(crate) async fn run(
    session: &mut Session,
    plan: &InsertPlan,
    portal: &mut Portal,
) -> Result<Started> {
    session.check_changeable(&plan.target, "INSERT")?;
    exec::enter_change(session, &plan.target, plan.letters(), &plan.relations).await?;
    let context = session.execution_context();
    let mut insert = Insert {
        writer: Writer::new(session, &plan.target)?,
        plan,
        context: Arc::clone(&context),
        parameters: std::mem::take(&mut portal.parameters),
        count: 0,
        returned: Vec::new(),
    };
    insert.writer.tracks |= plan.on_conflict.is_some();
    match &plan.source {
        Source::Values(values) => {
            let (rows, columns) = match portal.parameter_rows.take() {
                Some((rows, parameters)) => (rows, values.for_all(&context, rows, &parameters)?),
                None => (values.rows(), values.evaluate(&context, &insert.parameters)?),
            };
            insert.store(session, columns, rows).await?;
        }
        Source::Plan(logical) => {
            let mut stream =
                exec::select::stream(session, logical, &insert.parameters, &context).await?;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                insert.store(session, batch.columns().to_vec(), batch.num_rows()).await?;
            }
        }
    }
    let Insert { count, returned, mut writer, .. } = insert;
    session.stage_changed(&mut writer);
    session.absorb_effects(&context)?;
    portal.tag = Tag::new(format!("INSERT 0 {count}"));
    if plan.returning.is_some() {
        // The rows that this Execute returns, should there be several.
        portal.tag = Tag::counting("INSERT 0");
        return Ok(portal.ready(returned));
    }
    Ok(Started::Done)
}

/// Inserts one batch of complete rows. Returns them as they were stored, or the place of the row
/// that is wrong where it is known.
pub(crate) async fn insert_batch(
    session: &mut Session,
    writer: &mut Writer,
    rules: &Rules,
    context: &Arc<ExecutionContext>,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, (Error, usize)> {
    let at_end = |error: Error| (error, rows.saturating_sub(1));
    let batch = rules.apply(context, columns.clone(), rows).map_err(|error| {
        let place = rules.failing_row(context, &columns, rows);
        (error, place)
    })?;
    if rows > 1 && writer.insert_all(session, &batch).await.map_err(at_end)? {
        return Ok(batch);
    }
    let keys = writer.new_keys(&batch).await.map_err(at_end)?;
    let images = row::encode_all(&writer.layout, &batch).map_err(|error| at_end(error.into()))?;
    for (place, (key, image)) in keys.into_iter().zip(images).enumerate() {
        let found = writer.find_conflict(session, &batch, place, &key, None, &[]).await;
        if let Some(conflict) = found.map_err(|error| (error, place))? {
            return Err((writer.violation(&conflict, &batch, place, &context.format), place));
        }
        writer.insert(session, key, image).map_err(|error| (error, place))?;
    }
    Ok(batch)
}

/// An INSERT under way.
struct Insert<'a> {
    plan: &'a InsertPlan,
    writer: Writer,
    context: Arc<ExecutionContext>,
    parameters: Vec<ScalarValue>,
    count: u64,
    returned: Vec<RecordBatch>,
}

impl Insert<'_> {
    async fn store(
        &mut self,
        session: &mut Session,
        columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<()> {
        if self.plan.on_conflict.is_none() {
            let batch = insert_batch(
                session,
                &mut self.writer,
                &self.plan.rules,
                &self.context,
                columns,
                rows,
            )
            .await
            .map_err(|(error, _)| error)?;
            self.count += rows as u64;
            return self.return_rows(batch.columns(), rows);
        }
        let batch = self.plan.rules.apply(&self.context, columns, rows)?;
        let keys = self.writer.new_keys(&batch).await?;
        let mut stored: Vec<u64> = Vec::new();
        let plan = self.plan;
        let arbiter = plan.on_conflict.as_ref().and_then(|conflict| conflict.arbiter.as_deref());
        let first = arbiter.unwrap_or_default();
        for (place, key) in keys.into_iter().enumerate() {
            match self.writer.find_conflict(session, &batch, place, &key, None, first).await? {
                None => {
                    let image = row::encode(&self.writer.layout, &batch, place)?;
                    self.writer.insert(session, key, image)?;
                    self.count += 1;
                    stored.push(place as u64);
                }
                Some(conflict) => {
                    self.flush_stored(&batch, &mut stored)?;
                    self.resolve(session, &batch, place, conflict).await?;
                }
            }
        }
        self.flush_stored(&batch, &mut stored)
    }

    /// Hands the rows inserted since the last conflict to RETURNING, whose order is the input's.
    fn flush_stored(&mut self, batch: &RecordBatch, stored: &mut Vec<u64>) -> Result<()> {
        if stored.is_empty() || self.plan.returning.is_none() {
            stored.clear();
            return Ok(());
        }
        let places = UInt64Array::from(std::mem::take(stored));
        let columns = batch
            .columns()
            .iter()
            .map(|column| Ok(take(column, &places, None)?))
            .collect::<Result<Vec<_>>>()?;
        self.return_rows(&columns, places.len())
    }

    fn return_rows(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        if let Some(returning) = &self.plan.returning {
            self.returned.push(returning.rows(&self.context, columns, rows, &self.parameters)?);
        }
        Ok(())
    }

    /// 40001 where REPEATABLE READ doesn't see the row that DO NOTHING leaves as it is.
    async fn check_seen(&mut self, session: &mut Session, conflict: &Conflict) -> Result<()> {
        if session.transaction.isolation != Isolation::RepeatableRead {
            return Ok(());
        }
        match self.writer.newest(session, &conflict.key).await? {
            Some(row) => session
                .transaction
                .check_unchanged(row.lsn, &self.context.snapshot)
                .map(|_unchanged| ()),
            None => Ok(()),
        }
    }

    async fn resolve(
        &mut self,
        session: &mut Session,
        batch: &RecordBatch,
        place: usize,
        conflict: Conflict,
    ) -> Result<()> {
        let on_conflict = self.plan.on_conflict.as_ref().expect("only ON CONFLICT comes here");
        let meant =
            on_conflict.arbiter.as_ref().is_none_or(|arbiter| arbiter.contains(&conflict.index));
        if !meant {
            return Err(self.writer.violation(&conflict, batch, place, &self.context.format));
        }
        let Action::Update { columns, assigned, new } = &on_conflict.action else {
            return self.check_seen(session, &conflict).await;
        };
        if self.writer.touched.contains(&conflict.key) || self.writer.changed_earlier(&conflict.key)
        {
            return Err(Error::new(
                SqlState::CARDINALITY_VIOLATION,
                "ON CONFLICT DO UPDATE command cannot affect row a second time",
            )
            .with_hint(
                "Ensure that no rows proposed for insertion within the same command have \
                 duplicate constrained values.",
            ));
        }
        let mode = self.writer.update_mode(assigned).max(Mode::NoKeyUpdate);
        let wait = Writer::wait(session);
        self.writer.lock_row(session, &conflict.key, mode, wait).await?;
        let Some(existing) = self.writer.newest(session, &conflict.key).await? else {
            return Err(Error::serialization_failure());
        };
        session.transaction.check_unchanged(existing.lsn, &self.context.snapshot)?;
        let old = self.writer.decode(std::slice::from_ref(&existing.image))?;
        let mut both = old.clone();
        both.extend(batch.columns().iter().map(|column| column.slice(place, 1)));
        let assigned_values = new.of(session, &self.context, &both, &self.parameters).await?;
        let Some(assigned_values) = assigned_values else { return Ok(()) };
        let mut new = old;
        for (column, value) in columns.iter().zip(assigned_values) {
            new[*column] = value;
        }
        let new = self.plan.rules.apply(&self.context, new, 1)?;
        self.writer
            .update(session, (&conflict.key, &existing), &new, 0, &self.context.format)
            .await?;
        self.count += 1;
        self.return_rows(new.columns(), 1)
    }
}
