//! UPDATE and DELETE: one way, with the difference as data.
//!
//! The rows to change are found by the short path (a key that the WHERE fixes) or by a plan that
//! yields their keys. Each is locked; then its newest version is looked at. If that is younger than
//! the statement's snapshot, READ COMMITTED decides again on it, as PostgreSQL does: a statement
//! over one table evaluates its WHERE and SET anew for this row, any other statement starts over
//! with a new snapshot, keeping its locks, so that it can't meet the same row again.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::DataType,
};
use datafusion::{
    common::{
        Column, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, LogicalPlan},
};
use futures::StreamExt;
use kalamdb_storage::{Key, Row, WriteSet};

use crate::{
    analyze::{
        BoundDelete, BoundUpdate, Environment, Named, OutputColumn, ReturningList, SimpleChange,
    },
    catalog::Relation,
    context::ExecutionContext,
    error::{Error, Result},
    exec::{
        self,
        access::KeyAccess,
        evaluate::{Evaluator, row_columns},
        returning::Returning,
        rules::Rules,
        write::Writer,
    },
    locks::Mode,
    plan::Planned,
    session::{Portal, Session, Started, Tag},
    types::PgType,
};

/// A compiled UPDATE or DELETE.
#[derive(Debug)]
pub(crate) struct ChangePlan {
    pub(crate) target: Arc<Relation>,
    pub(crate) relations: Vec<Named>,
    pub(crate) returning: Option<Returning>,
    pub(crate) plan: Arc<Planned>,
    /// What to do with one row at a time; `None` where other tables have a say.
    simple: Option<Simple>,
    /// The key that the WHERE fixes: the short path.
    pub(crate) access: Option<KeyAccess>,
    /// `WHERE CURRENT OF` this cursor.
    current_of: Option<String>,
    change: Change,
    /// What a constant in it fails with, wherever it is executed.
    pub(crate) constant_error: Option<Error>,
}

#[derive(Debug)]
struct Simple {
    filter: Option<Evaluator>,
    new_row: Option<Evaluator>,
}

#[derive(Debug)]
enum Change {
    Update { rules: Rules, assigned: Vec<i16> },
    Delete,
}

impl ChangePlan {
    pub(crate) fn update(
        update: BoundUpdate,
        parameters: &[PgType],
        env: &Environment<'_>,
    ) -> Result<Self> {
        let change =
            Change::Update { rules: Rules::new(&update.target, env)?, assigned: update.assigned };
        Self::new(
            update.target,
            update.plan,
            update.simple,
            update.returning,
            update.relations,
            change,
            parameters,
        )
        .map(|plan| ChangePlan { current_of: update.current_of, ..plan })
    }

    pub(crate) fn delete(delete: BoundDelete, parameters: &[PgType]) -> Result<Self> {
        Self::new(
            delete.target,
            delete.plan,
            delete.simple,
            delete.returning,
            delete.relations,
            Change::Delete,
            parameters,
        )
        .map(|plan| ChangePlan { current_of: delete.current_of, ..plan })
    }

    fn new(
        target: Arc<Relation>,
        plan: LogicalPlan,
        simple: Option<SimpleChange>,
        returning: Option<ReturningList>,
        relations: Vec<Named>,
        change: Change,
        parameters: &[PgType],
    ) -> Result<Self> {
        let row = row_columns(&target, 'a')?;
        let is_table = target.layout.is_some();
        let mut access = None;
        let simple = match simple {
            Some(simple) if is_table => {
                access = KeyAccess::point(&target, simple.filter.as_ref(), parameters)?;
                let new_row = (!simple.new_row.is_empty())
                    .then(|| Evaluator::new(&simple.new_row, &row, parameters))
                    .transpose()?;
                let filter = simple
                    .filter
                    .map(|filter| Evaluator::new(&[filter], &row, parameters))
                    .transpose()?;
                Some(Simple { filter, new_row })
            }
            _ => None,
        };
        let columns = plan_columns(&plan);
        let returning = returning.map(|list| by_place(list, &plan)).transpose()?;
        let width = target.live_columns().count();
        let fixed = match &change {
            Change::Update { .. } => 1 + 2 * width,
            Change::Delete => 1 + width,
        };
        // What RETURNING takes from elsewhere only the plan can give.
        let (simple, access) = match &returning {
            Some(list) if !is_within(list, fixed) => (None, None),
            _ => (simple, access),
        };
        let returning =
            returning.map(|list| Returning::new(list, &columns, parameters)).transpose()?;
        Ok(ChangePlan {
            target,
            relations,
            returning,
            constant_error: crate::plan::constant_error(&plan)?,
            plan: Planned::new(plan),
            simple,
            access,
            current_of: None,
            change,
        })
    }

    fn verb(&self) -> &'static str {
        match self.change {
            Change::Update { .. } => "UPDATE",
            Change::Delete => "DELETE",
        }
    }

    /// The privilege it takes on its target, beside SELECT where it reads it.
    pub(crate) fn letter(&self) -> &'static str {
        match self.change {
            Change::Update { .. } => "w",
            Change::Delete => "d",
        }
    }
}

/// Names and types of a plan's columns, the names by place: two tables have columns of one name.
fn plan_columns(plan: &LogicalPlan) -> Vec<(String, DataType)> {
    let fields = plan.schema().fields().iter().enumerate();
    fields.map(|(i, field)| (place_name(i), field.data_type().clone())).collect()
}

fn place_name(place: usize) -> String {
    format!("p{place}")
}

/// The first column of a projection that is the same expression.
fn first_of_same(plan: &LogicalPlan, place: usize) -> usize {
    let LogicalPlan::Projection(projection) = plan else { return place };
    let bare = |expr: &Expr| expr.clone().unalias();
    let wanted = projection.expr.get(place).map(bare);
    projection.expr.iter().position(|expr| Some(bare(expr)) == wanted).unwrap_or(place)
}

/// Whether all columns that `list` names are among the first `width`.
fn is_within(list: &[(Expr, OutputColumn)], width: usize) -> bool {
    let place = |name: &str| name.strip_prefix('p').and_then(|n| n.parse::<usize>().ok());
    let mut columns = list.iter().flat_map(|(expr, _)| expr.column_refs());
    columns.all(|column| place(&column.name).is_some_and(|place| place < width))
}

/// Expressions over a plan's columns, over [`plan_columns`] instead.
fn by_place(list: ReturningList, plan: &LogicalPlan) -> Result<ReturningList> {
    list.into_iter()
        .map(|(expr, output)| {
            let expr = expr.transform_up(|expr| match expr {
                Expr::Column(column) => {
                    let place = plan.schema().index_of_column(&column)?;
                    let place = first_of_same(plan, place);
                    let column = Column::new_unqualified(place_name(place));
                    Ok(Transformed::yes(Expr::Column(column)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok((expr.data, output))
        })
        .collect()
}

/// Runs an UPDATE or DELETE to its end.
pub(crate) async fn run(
    session: &mut Session,
    plan: &ChangePlan,
    portal: &mut Portal,
) -> Result<Started> {
    session.check_changeable(&plan.target, plan.verb())?;
    exec::enter_change(session, &plan.target, plan.letter(), &plan.relations).await?;
    let parameters = std::mem::take(&mut portal.parameters);
    let before = Arc::clone(&session.transaction.writes);
    let running = loop {
        let context = session.execution_context();
        let mut running = Running {
            plan,
            writer: Writer::new(session, &plan.target)?,
            context,
            parameters: &parameters,
            seen: HashSet::new(),
            count: 0,
            returned: Vec::new(),
        };
        let done = match (&plan.current_of, &plan.access, &plan.simple) {
            (Some(cursor), _, simple) => running.at_cursor(session, cursor, simple.as_ref()).await,
            (None, Some(access), Some(simple)) => running.by_key(session, access, simple).await,
            _ => running.by_plan(session).await,
        };
        match done? {
            Done::Finished => break running,
            Done::StartOver => {
                restore(session, &before);
                session.renew_stages();
            }
        }
    };
    drop(before);
    let mut running = running;
    session.stage_changed(&mut running.writer);
    session.absorb_effects(&running.context)?;
    portal.tag = Tag::new(format!("{} {}", plan.verb(), running.count));
    let returned = running.returned;
    if plan.returning.is_some() {
        portal.tag = Tag::counting(plan.verb());
        return Ok(portal.ready(returned));
    }
    Ok(Started::Done)
}

fn restore(session: &mut Session, before: &Arc<WriteSet>) {
    session.transaction.writes = Arc::clone(before);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Finished,
    /// A row changed meanwhile, and only the whole statement can say what follows.
    StartOver,
}

/// A statement under way.
struct Running<'a> {
    plan: &'a ChangePlan,
    writer: Writer,
    context: Arc<ExecutionContext>,
    parameters: &'a [ScalarValue],
    /// Rows that were changed, or found not to be meant.
    seen: HashSet<Key>,
    count: u64,
    returned: Vec<RecordBatch>,
}

impl Running<'_> {
    fn mode(&self) -> Mode {
        match &self.plan.change {
            Change::Update { assigned, .. } => self.writer.update_mode(assigned),
            Change::Delete => Mode::Update,
        }
    }

    async fn by_key(
        &mut self,
        session: &mut Session,
        access: &KeyAccess,
        simple: &Simple,
    ) -> Result<Done> {
        for key in access.keys(&self.context, &self.writer.layout, self.parameters)? {
            self.one_key(session, key, simple).await?;
        }
        Ok(Done::Finished)
    }

    /// The row that a cursor stands on.
    async fn at_cursor(
        &mut self,
        session: &mut Session,
        cursor: &str,
        simple: Option<&Simple>,
    ) -> Result<Done> {
        let Some(simple) = simple else {
            return Err(Error::feature_not_supported(
                "WHERE CURRENT OF beside other tables or subqueries is not supported",
            ));
        };
        let key = exec::cursor::current_row(session, cursor, &self.plan.target)?;
        self.one_key(session, key, simple).await?;
        Ok(Done::Finished)
    }

    async fn one_key(&mut self, session: &mut Session, key: Key, simple: &Simple) -> Result<()> {
        if self.writer.changed_earlier(&key) || !self.exists(&key).await? {
            return Ok(());
        }
        let wait = Writer::wait(session);
        self.writer.lock_row(session, &key, self.mode(), wait).await?;
        match self.writer.newest(session, &key).await? {
            Some(row) => {
                session.transaction.check_unchanged(row.lsn, &self.context.snapshot)?;
                self.change_one(session, simple, key, row).await
            }
            None => session.transaction.check_deleted(),
        }
    }

    /// Whether the row is there for this statement. What nobody sees need not be locked, but a row
    /// that came after a wait counts in READ COMMITTED only if it was there before.
    async fn exists(&self, key: &Key) -> Result<bool> {
        let writes = Some(&*self.context.writes);
        let at = &self.context.snapshot;
        Ok(self.writer.namespace.get(at, writes, &self.writer.layout, key).await?.is_some())
    }

    /// Decides on one row by itself and changes it.
    async fn change_one(
        &mut self,
        session: &mut Session,
        simple: &Simple,
        key: Key,
        row: Row,
    ) -> Result<()> {
        let old = self.writer.decode(std::slice::from_ref(&row.image))?;
        if let Some(filter) = &simple.filter {
            let truth = filter.predicate(&self.context, &old, 1, self.parameters)?;
            if truth.is_null(0) || !truth.value(0) {
                return Ok(());
            }
        }
        let mut yielded: Vec<ArrayRef> = Vec::with_capacity(1 + 2 * old.len());
        yielded.push(Arc::new(arrow::array::BinaryArray::from_vec(vec![&key.as_bytes()[..]])));
        yielded.extend(old.iter().cloned());
        let new_row = match &simple.new_row {
            Some(new_row) => new_row.evaluate(&self.context, &old, 1, self.parameters)?,
            None => Vec::new(),
        };
        self.apply(session, key, row, yielded, new_row, 0).await
    }

    /// Stores or removes one locked row and hands it to RETURNING. `yielded` is the plan's row
    /// without the new one.
    async fn apply(
        &mut self,
        session: &mut Session,
        key: Key,
        row: Row,
        mut yielded: Vec<ArrayRef>,
        new_row: Vec<ArrayRef>,
        extra: usize,
    ) -> Result<()> {
        match &self.plan.change {
            Change::Delete => self.writer.delete(session, key, row.image)?,
            Change::Update { rules, .. } => {
                let new = rules.apply(&self.context, new_row, 1)?;
                let format = &self.context.format;
                self.writer.update(session, (&key, &row), &new, 0, format).await?;
                let at = yielded.len() - extra;
                yielded.splice(at..at, new.columns().iter().cloned());
            }
        }
        self.count += 1;
        if let Some(returning) = &self.plan.returning {
            self.returned.push(returning.rows(&self.context, &yielded, 1, self.parameters)?);
        }
        Ok(())
    }

    async fn by_plan(&mut self, session: &mut Session) -> Result<Done> {
        let mut stream =
            exec::select::stream(session, &self.plan.plan, self.parameters, &self.context).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            for place in 0..batch.num_rows() {
                let Some(key) = row_key(&batch, place)? else { continue };
                if !self.seen.insert(key.clone()) || self.writer.changed_earlier(&key) {
                    continue;
                }
                if self.planned_row(session, &batch, place, key).await? == Done::StartOver {
                    return Ok(Done::StartOver);
                }
            }
        }
        Ok(Done::Finished)
    }

    async fn planned_row(
        &mut self,
        session: &mut Session,
        batch: &RecordBatch,
        place: usize,
        key: Key,
    ) -> Result<Done> {
        let wait = Writer::wait(session);
        self.writer.lock_row(session, &key, self.mode(), wait).await?;
        let Some(row) = self.writer.newest(session, &key).await? else {
            // Somebody removed it: READ COMMITTED passes it over.
            session.transaction.check_deleted()?;
            return Ok(Done::Finished);
        };
        if !session.transaction.check_unchanged(row.lsn, &self.context.snapshot)? {
            let Some(simple) = &self.plan.simple else { return Ok(Done::StartOver) };
            self.change_one(session, simple, key, row).await?;
            return Ok(Done::Finished);
        }
        let width = self.writer.layout.live().len();
        let slice = |column: &ArrayRef| column.slice(place, 1);
        let columns = batch.columns();
        let (fixed, new_width) = match self.plan.change {
            Change::Update { .. } => (1 + width, width),
            Change::Delete => (1 + width, 0),
        };
        let new_row: Vec<ArrayRef> = columns[fixed..fixed + new_width].iter().map(slice).collect();
        let extra = columns.len() - fixed - new_width;
        let mut yielded: Vec<ArrayRef> = columns[..fixed].iter().map(slice).collect();
        yielded.extend(columns[fixed + new_width..].iter().map(slice));
        self.apply(session, key, row, yielded, new_row, extra).await?;
        Ok(Done::Finished)
    }
}

/// The `_key` of a plan's row.
pub(crate) fn row_key(batch: &RecordBatch, place: usize) -> Result<Option<Key>> {
    let keys = batch
        .column(0)
        .as_binary_opt::<i32>()
        .ok_or_else(|| Error::internal("a change's plan has no key column"))?;
    Ok(keys.is_valid(place).then(|| Key::from_bytes(keys.value(place).to_vec().into())))
}
