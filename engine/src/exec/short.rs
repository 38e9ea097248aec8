//! The short path: queries that are answered from the row, without planning.
//!
//! A query over one table whose condition fixes the leading columns of a key, or which wants the
//! first few rows in the order of one, or one without a table, is compiled once into a key, a
//! filter and a projection; running it is a get or a short scan and a few kernels on one batch of
//! the columns it looks at. Unless the condition says nothing but what the key says, it is the
//! filter, whole: what the key already says is checked again.

use std::{collections::HashSet, sync::Arc};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::{common::ScalarValue, logical_expr::Expr};
use futures::{StreamExt, stream::BoxStream};
use kalamdb_storage::{Access, KeyRange, Layout, Namespace, ScanSpec, row};

use crate::{
    analyze::{OutputColumn, SimpleQuery},
    catalog::{Relation, TableKind},
    context::ExecutionContext,
    error::Result,
    exec::{
        access::KeyAccess,
        evaluate::{Evaluator, filter_batch, row_columns},
        returning::output_schema,
        select::{RowStream, count},
    },
    types::PgType,
};

/// Rows in one step of a short scan: most such queries want one or a few.
const SHORT_BATCH_ROWS: usize = 256;

/// A compiled short query.
#[derive(Debug)]
pub(crate) struct ShortSelect {
    source: Source,
    filter: Option<Evaluator>,
    projection: Evaluator,
    schema: SchemaRef,
    limit: Option<Evaluator>,
    offset: Option<Evaluator>,
}

#[derive(Debug)]
enum Source {
    /// One row without columns.
    Nothing,
    Table {
        relation: Arc<Relation>,
        layout: Arc<Layout>,
        access: Box<KeyAccess>,
        /// The attributes that the query looks at, by their places in the layout.
        columns: Vec<usize>,
    },
}

impl ShortSelect {
    /// `None`: the query is not of a shape that the short path takes.
    pub(crate) fn new(
        query: &SimpleQuery,
        output: &[OutputColumn],
        parameters: &[PgType],
    ) -> Result<Option<Self>> {
        let (source, columns) = match &query.relation {
            None => (Source::Nothing, Vec::new()),
            Some(relation) => {
                let Some(layout) = relation.layout.clone() else { return Ok(None) };
                let Some(access) = KeyAccess::ordered(
                    relation,
                    query.filter.as_ref(),
                    &query.order,
                    query.limit.is_some(),
                    parameters,
                )?
                else {
                    return Ok(None);
                };
                let relation = Arc::clone(relation);
                // Keys are equal exactly where values are.
                let filter = query.filter.as_ref().filter(|_| !access.is_whole_condition);
                let used = column_names(filter.into_iter().chain(&query.projection));
                let live = layout.live().iter().copied().zip(row_columns(&relation, 'a')?);
                let (places, columns) =
                    live.filter(|(_, (name, _))| used.contains(name.as_str())).unzip();
                let access = Box::new(access);
                (Source::Table { relation, layout, access, columns: places }, columns)
            }
        };
        let compile = |expr: &Option<_>, columns: &[_]| -> Result<Option<Evaluator>> {
            match expr {
                Some(expr) => {
                    let exprs: &[Expr] = std::slice::from_ref(expr);
                    Ok(Some(Evaluator::new(exprs, columns, parameters)?))
                }
                None => Ok(None),
            }
        };
        let filter = match &source {
            Source::Table { access, .. } if access.is_whole_condition => None,
            Source::Table { .. } | Source::Nothing => compile(&query.filter, &columns)?,
        };
        Ok(Some(ShortSelect {
            filter,
            projection: Evaluator::new(&query.projection, &columns, parameters)?,
            schema: output_schema(output)?,
            limit: compile(&query.limit, &[])?,
            offset: compile(&query.offset, &[])?,
            source,
        }))
    }

    /// What EXPLAIN says.
    pub(crate) fn describe(&self) -> String {
        match &self.source {
            Source::Nothing => "Result".to_owned(),
            Source::Table { relation, access, .. } => {
                let index = match access.access {
                    Access::Primary => relation.primary_key().map(|key| key.name.clone()),
                    Access::Index(place) => relation
                        .indexes()
                        .iter()
                        .filter(|i| !i.primary)
                        .nth(place)
                        .map(|i| i.name.clone()),
                };
                let what = match (access.unique, access.reverse) {
                    (true, _) => "Get",
                    (false, false) => "Range Scan",
                    (false, true) => "Range Scan Backward",
                };
                let index = index.unwrap_or_default();
                format!("Short Path {what} using {index} on {}", relation.name)
            }
        }
    }

    pub(crate) async fn run(
        &self,
        context: &Arc<ExecutionContext>,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        let skip = count(&self.offset, context, parameters, "OFFSET")?.unwrap_or(0);
        let limit = count(&self.limit, context, parameters, "LIMIT")?.unwrap_or(u64::MAX);
        let mut rows = Window { skip, limit };
        let mut finished = Vec::new();
        match &self.source {
            Source::Nothing => {
                let options = RecordBatchOptions::new().with_row_count(Some(1));
                let empty = Arc::new(arrow::datatypes::Schema::empty());
                let one = RecordBatch::try_new_with_options(empty, Vec::new(), &options)?;
                finished.extend(self.finish(context, one, parameters, &mut rows)?);
            }
            Source::Table { relation, layout, access, columns } => {
                let namespace = namespace_of(relation, context);
                let Some(range) = access.range(context, layout, parameters)? else {
                    return Ok(finished);
                };
                let is_point = access.access == Access::Primary && access.unique;
                if let (true, std::ops::Bound::Included(bytes)) = (is_point, &range.start) {
                    let key = kalamdb_storage::Key::from_bytes(bytes.clone());
                    let writes = Some(&*context.writes);
                    let found = namespace.get(&context.snapshot, writes, layout, &key).await?;
                    if let Some(found) = found {
                        let batch = row::decode(layout, &[found.image], columns)?;
                        finished.extend(self.finish(context, batch, parameters, &mut rows)?);
                    }
                    return Ok(finished);
                }
                let mut batches = self.scan(namespace, range, &rows, context);
                while let Some(batch) = batches.next().await {
                    finished.extend(self.finish(context, batch?, parameters, &mut rows)?);
                }
            }
        }
        Ok(finished)
    }

    /// Whether there may be any number of rows, which are then to be streamed.
    pub(crate) fn is_range(&self) -> bool {
        matches!(&self.source, Source::Table { access, .. } if !access.unique)
    }

    /// As [`ShortSelect::run`], row by row as they are pulled.
    pub(crate) fn stream(
        self: &Arc<Self>,
        context: &Arc<ExecutionContext>,
        parameters: Vec<ScalarValue>,
    ) -> Result<RowStream> {
        let skip = count(&self.offset, context, &parameters, "OFFSET")?.unwrap_or(0);
        let limit = count(&self.limit, context, &parameters, "LIMIT")?.unwrap_or(u64::MAX);
        let rows = Window { skip, limit };
        let Source::Table { relation, layout, access, .. } = &self.source else {
            return Ok(RowStream::new(futures::stream::empty()));
        };
        let Some(range) = access.range(context, layout, &parameters)? else {
            return Ok(RowStream::new(futures::stream::empty()));
        };
        let namespace = namespace_of(relation, context);
        let batches = self.scan(namespace, range, &rows, context);
        let state = (batches, rows, Arc::clone(self), Arc::clone(context), parameters);
        Ok(RowStream::new(futures::stream::try_unfold(state, |mut state| async move {
            loop {
                let (batches, rows, short, context, parameters) = &mut state;
                if rows.limit == 0 {
                    return Ok(None);
                }
                let Some(batch) = batches.next().await else { return Ok(None) };
                if let Some(batch) = short.finish(context, batch?, parameters, rows)? {
                    return Ok(Some((batch, state)));
                }
            }
        })))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        range: KeyRange,
        window: &Window,
        context: &Arc<ExecutionContext>,
    ) -> BoxStream<'static, kalamdb_storage::Result<RecordBatch>> {
        let Source::Table { layout, access, columns, .. } = &self.source else {
            return futures::stream::empty().boxed();
        };
        let wanted = match &self.filter {
            _ if access.unique => 1,
            None => usize::try_from(window.end()).unwrap_or(usize::MAX),
            Some(_) => usize::MAX,
        };
        let spec = ScanSpec {
            access: access.access,
            range,
            reverse: access.reverse,
            batch_rows: SHORT_BATCH_ROWS.min(wanted.max(1)),
            limit: (wanted < usize::MAX).then_some(wanted),
            ..ScanSpec::new(columns.clone())
        };
        let writes = Some(Arc::clone(&context.writes));
        namespace.scan(context.snapshot.clone(), writes, Arc::clone(layout), spec)
    }

    fn finish(
        &self,
        context: &Arc<ExecutionContext>,
        batch: RecordBatch,
        parameters: &[ScalarValue],
        rows: &mut Window,
    ) -> Result<Option<RecordBatch>> {
        let batch = match &self.filter {
            Some(filter) => filter_batch(filter, context, &batch, parameters)?,
            None => batch,
        };
        let batch = rows.cut(batch);
        let count = batch.num_rows();
        if count == 0 {
            return Ok(None);
        }
        let columns = self.projection.evaluate(context, batch.columns(), count, parameters)?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?))
    }
}

/// The columns that expressions name.
fn column_names<'a>(exprs: impl Iterator<Item = &'a Expr>) -> HashSet<&'a str> {
    exprs.flat_map(Expr::column_refs).map(|column| column.name.as_str()).collect()
}

fn namespace_of<'a>(relation: &Relation, context: &'a ExecutionContext) -> &'a Namespace {
    match relation.kind {
        TableKind::Shared => &context.shared,
        TableKind::User | TableKind::Private | TableKind::System => &context.own,
    }
}

/// OFFSET and LIMIT as rows go by.
struct Window {
    skip: u64,
    limit: u64,
}

impl Window {
    /// How many rows have to go by.
    fn end(&self) -> u64 {
        self.skip.saturating_add(self.limit)
    }

    fn cut(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = batch.num_rows() as u64;
        let skip = self.skip.min(rows);
        let take = self.limit.min(rows - skip);
        self.skip -= skip;
        self.limit -= take;
        if take == rows {
            return batch;
        }
        batch.slice(skip as usize, take as usize)
    }
}
