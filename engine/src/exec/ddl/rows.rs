//! What definitions do to rows that are there: check them, rewrite them, enter them into indexes.
//!
//! A definition concerns every namespace, so each of these goes through all that hold rows. All
//! changes go into the transaction's write set, as those of any statement do, which bounds them:
//! rows are read batch by batch, and what was written already tells whether a key is taken.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use bytes::Bytes;
use datafusion::logical_expr::Expr;
use futures::StreamExt;
use kalamdb_storage::{
    Column, Key, Layout, Namespace, RelationId, RowImage, ScanSpec, WriteSet, key, row,
};

use super::{DdlContext, change, expression::Scope};
use crate::{
    catalog::{Index, Relation, layout::attribute_place},
    context::{Effects, ExecutionContext},
    error::{Error, Result, SqlState},
    exec::{
        evaluate::{Evaluator, row_columns},
        rules::{Rules, value_text},
    },
};

/// Checks NOT NULL and CHECK of `relation` against its rows in every namespace.
///
/// # Errors
/// 23502 and 23514 in the words of ALTER TABLE.
pub(super) async fn validate(ctx: &mut dyn DdlContext, relation: &Arc<Relation>) -> Result<()> {
    let rules = {
        let scope = Scope::new(ctx);
        Rules::new(relation, &scope.environment())?
    };
    for namespace in change::row_namespaces(ctx, relation).await? {
        let context = context_in(ctx, &namespace)?;
        let mut batches = scan(ctx, relation, &namespace);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let columns = batch.columns()[1..].to_vec();
            rules
                .apply(&context, columns, batch.num_rows())
                .map_err(|error| in_words_of_alter(error, relation))?;
        }
    }
    Ok(())
}

/// Whether any namespace has a row of `relation`.
pub(super) async fn any(ctx: &mut dyn DdlContext, relation: &Arc<Relation>) -> Result<bool> {
    for namespace in change::row_namespaces(ctx, relation).await? {
        if has_rows(ctx, relation, &namespace).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one namespace has a row of `relation`.
pub(super) async fn has_rows(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    namespace: &Namespace,
) -> Result<bool> {
    let Some(layout) = &relation.layout else { return Ok(false) };
    let spec = ScanSpec { key: true, limit: Some(1), ..ScanSpec::new(Vec::new()) };
    let writes = Arc::new(ctx.changes().1.clone());
    let mut batches = namespace.scan(ctx.snapshot(), Some(writes), Arc::clone(layout), spec);
    match batches.next().await {
        Some(batch) => Ok(batch?.num_rows() > 0),
        None => Ok(false),
    }
}

/// Writes all rows anew, from the form of `old` to that of `new`: `values` gives each live column
/// of `new` over the columns `a<attnum>` of `old`. Keys change where the primary key does.
///
/// # Errors
/// 23505, 23502, 23514 where the rows don't fit.
pub(super) async fn rewrite(
    ctx: &mut dyn DdlContext,
    old: &Arc<Relation>,
    new: &Arc<Relation>,
    values: &[Expr],
) -> Result<()> {
    let evaluator = Evaluator::new(values, &row_columns(old, 'a')?, &[])?;
    let rules = {
        let scope = Scope::new(ctx);
        Rules::new(new, &scope.environment())?
    };
    let (from, to) = (layout_of(old)?, layout_of(new)?);
    for namespace in change::row_namespaces(ctx, old).await? {
        let context = context_in(ctx, &namespace)?;
        // It reads on what the transaction had written before.
        let mut batches = scan(ctx, old, &namespace);
        ctx.changes().1.truncate(&namespace, &from);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let count = batch.num_rows();
            let columns = evaluator.evaluate(&context, &batch.columns()[1..], count, &[])?;
            let changed = rules
                .apply(&context, columns, count)
                .map_err(|error| in_words_of_alter(error, new))?;
            let keys = keys(&namespace, &from, &to, &batch, &changed).await?;
            for (at, key) in keys.into_iter().enumerate() {
                let image = row::encode(&to, &changed, at)?;
                if let Some(index) = taken(ctx.changes().1, &namespace, new, &key, &image)? {
                    let schema = ctx.view().schema_name(new.schema);
                    return Err(duplicated(&schema, new, index, &changed, at));
                }
                ctx.changes().1.insert(&namespace, &to, key, image)?;
            }
        }
    }
    Ok(())
}

/// Enters the rows of every namespace into an index of `relation` that was just added.
///
/// # Errors
/// 23505 where a unique index meets duplicates.
pub(super) async fn fill_index(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    index: &Index,
) -> Result<u64> {
    let layout = layout_of(relation)?;
    let mut entered = 0;
    let place = layout
        .indexes
        .iter()
        .position(|candidate| candidate.relation.0 == index.oid.0)
        .ok_or_else(|| Error::internal("a new index has no layout"))?;
    for namespace in change::row_namespaces(ctx, relation).await? {
        let mut batches = scan(ctx, relation, &namespace);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let row_keys = batch.column(0).as_binary::<i32>();
            let rows = RecordBatch::try_new(layout.schema(), batch.columns()[1..].to_vec())?;
            entered += rows.num_rows() as u64;
            for at in 0..rows.num_rows() {
                let key = Key::from_bytes(Bytes::copy_from_slice(row_keys.value(at)));
                if index.unique
                    && let Some(value) = key::index_key(&layout, place, &rows, at)?
                    && ctx.changes().1.has_entry(namespace.id(), RelationId(index.oid.0), &value)
                {
                    let schema = ctx.view().schema_name(relation.schema);
                    return Err(duplicated(&schema, relation, index, &rows, at));
                }
                let image = row::encode(&layout, &rows, at)?;
                ctx.changes().1.fill_index(&namespace, &layout, place, &key, &image)?;
            }
        }
    }
    Ok(entered)
}

/// Rows of one namespace as this transaction sees them: `_key`, then the live columns. They may
/// hold NULLs that the definition forbids, where finding them is what the caller wants.
fn scan(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    namespace: &Namespace,
) -> futures::stream::BoxStream<'static, kalamdb_storage::Result<RecordBatch>> {
    let Some(layout) = &relation.layout else { return futures::stream::empty().boxed() };
    let spec = ScanSpec { key: true, ..ScanSpec::new(layout.live().to_vec()) };
    let writes = Arc::new(ctx.changes().1.clone());
    namespace.scan(ctx.snapshot(), Some(writes), nullable(layout), spec)
}

/// The same rows in a form that admits NULL everywhere.
fn nullable(layout: &Layout) -> Arc<Layout> {
    let column = |column: &Column| Column { nullable: true, ..column.clone() };
    Arc::new(Layout::new(
        layout.relation,
        layout.columns.iter().map(column).collect(),
        layout.key.clone(),
        layout.indexes.clone(),
        layout.directory.clone(),
    ))
}

async fn keys(
    namespace: &Namespace,
    from: &Layout,
    to: &Layout,
    old: &RecordBatch,
    new: &RecordBatch,
) -> Result<Vec<Key>> {
    if !to.key.is_empty() {
        return Ok(key::encode_all(to, new)?);
    }
    if from.key.is_empty() {
        let keys = old.column(0).as_binary::<i32>();
        let copy = |at| Key::from_bytes(Bytes::copy_from_slice(keys.value(at)));
        return Ok((0..old.num_rows()).map(copy).collect());
    }
    let count = u32::try_from(old.num_rows()).expect("a batch has at most 8192 rows");
    let first = namespace.allocate_row_ids(to.relation, count).await?;
    Ok((0..i64::from(count)).map(|at| Key::from_row_id(first + at)).collect())
}

/// The unique index in which a row that was written anew already has the place of this one.
fn taken<'a>(
    writes: &WriteSet,
    namespace: &Namespace,
    relation: &'a Relation,
    key: &Key,
    image: &RowImage,
) -> Result<Option<&'a Index>> {
    let Some(layout) = &relation.layout else { return Ok(None) };
    if let Some(primary) = relation.primary_key()
        && !layout.key.is_empty()
        && writes.has_row(namespace.id(), layout.relation, key)
    {
        return Ok(Some(primary));
    }
    for (place, physical) in layout.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
        if let Some(value) = key::index_key_of_image(layout, place, image)?
            && writes.has_entry(namespace.id(), physical.relation, &value)
        {
            return Ok(relation.indexes().iter().find(|i| i.oid.0 == physical.relation.0));
        }
    }
    Ok(None)
}

fn duplicated(
    schema: &str,
    relation: &Relation,
    index: &Index,
    rows: &RecordBatch,
    at: usize,
) -> Error {
    let live: Vec<i16> = relation.live_columns().map(|(attnum, _)| attnum).collect();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in &index.columns {
        let attribute = &relation.columns[attribute_place(column.attnum)];
        names.push(relation.index_column_text(column.attnum));
        let place = live.iter().position(|attnum| *attnum == column.attnum);
        let array: Option<&ArrayRef> = place.map(|place| rows.column(place));
        values.push(array.map_or_else(String::new, |array| {
            value_text(attribute.ty, array, at, &crate::types::FormatSettings::default())
        }));
    }
    Error::new(
        SqlState::UNIQUE_VIOLATION,
        format!("could not create unique index \"{}\"", index.name),
    )
    .with_detail(format!("Key ({})=({}) is duplicated.", names.join(", "), values.join(", ")))
    .on_table(schema, &relation.name)
    .on_constraint(&index.name)
}

/// PostgreSQL words violations by rows that were there before differently.
fn in_words_of_alter(error: Error, relation: &Relation) -> Error {
    let table = &relation.name;
    let reworded = match (error.sqlstate, &error.column, &error.constraint) {
        (SqlState::NOT_NULL_VIOLATION, Some(column), _) => Error::new(
            error.sqlstate,
            format!("column \"{column}\" of relation \"{table}\" contains null values"),
        )
        .on_column(column),
        (SqlState::CHECK_VIOLATION, _, Some(constraint)) => Error::new(
            error.sqlstate,
            format!(
                "check constraint \"{constraint}\" of relation \"{table}\" is violated by some row"
            ),
        )
        .on_constraint(constraint),
        _ => return error,
    };
    match &error.schema {
        Some(schema) => reworded.on_table(schema, table),
        None => reworded,
    }
}

pub(super) fn layout_of(relation: &Relation) -> Result<Arc<Layout>> {
    relation.layout.clone().ok_or_else(|| Error::internal("a table has no layout"))
}

/// A context whose own namespace is the one whose rows are worked on, for `nextval`.
fn context_in(ctx: &dyn DdlContext, namespace: &Namespace) -> Result<Arc<ExecutionContext>> {
    let context = ctx.execution()?;
    Ok(Arc::new(ExecutionContext {
        parameters: std::sync::OnceLock::new(),
        engine: Arc::clone(&context.engine),
        catalog: Arc::clone(&context.catalog),
        session: Arc::clone(&context.session),
        own: namespace.clone(),
        shared: context.shared.clone(),
        snapshot: context.snapshot.clone(),
        writes: Arc::clone(&context.writes),
        access: context.access,
        transaction_time: context.transaction_time,
        statement_time: context.statement_time,
        format: context.format.clone(),
        slots: Arc::clone(&context.slots),
        effects: Mutex::new(Effects::default()),
    }))
}
