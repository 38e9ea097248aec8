//! The leaf of every plan: rows of one relation, in key order, as one statement sees them.

use std::{fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::{RecordBatch, RecordBatchOptions},
        compute::SortOptions,
        datatypes::SchemaRef,
    },
    common::{Result as DataFusionResult, ScalarValue, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        SortOrderPushdownResult,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use kalamdb_storage::{Access, KeyRange, Layout, MAX_BATCH_ROWS, ScanSpec};

use crate::{
    Oid,
    catalog::{Relation, TableKind},
    context::ExecutionContext,
    error::{Error, Result},
    plan::{
        KEY_COLUMN, LSN_COLUMN,
        access::{KeyRanges, RangeShape, keeps_order, order_of_key},
    },
};

/// What a scan does, whatever the values are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScanShape {
    relation: Oid,
    access: Access,
    ranges: Vec<RangeShape>,
    reverse: bool,
    limit: Option<usize>,
}

/// Reads one relation.
#[derive(Clone, Debug)]
pub(crate) struct ScanExec {
    relation: Arc<Relation>,
    /// Places in the source's schema, in the order asked for.
    columns: Vec<usize>,
    ranges: KeyRanges,
    limit: Option<usize>,
    reverse: bool,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    pub(crate) fn new(
        relation: Arc<Relation>,
        source: &SchemaRef,
        columns: Vec<usize>,
        ranges: KeyRanges,
        limit: Option<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(source.project(&columns)?);
        let mut scan = ScanExec {
            relation,
            columns,
            ranges,
            limit,
            reverse: false,
            properties: properties(&schema, None),
            schema,
        };
        scan.properties = properties(&scan.schema, scan.ordering());
        Ok(scan)
    }

    /// By which keys the rows are found.
    pub(crate) fn shape(&self) -> ScanShape {
        ScanShape {
            relation: self.relation.oid,
            access: self.ranges.access,
            ranges: self.ranges.shapes(),
            reverse: self.reverse,
            limit: self.limit,
        }
    }

    /// The sort order of the rows, as far as it is one of the columns asked for.
    fn ordering(&self) -> Option<Vec<PhysicalSortExpr>> {
        let layout = self.relation.layout.as_ref()?;
        let columns = order_of_key(layout, self.ranges.access);
        let mut ordering = Vec::new();
        for (place, descending) in columns {
            let Some(expr) = self.sortable(layout, place) else { break };
            // NULLs end an ascending index and begin a descending one.
            let descending = descending != self.reverse;
            let options = SortOptions { descending, nulls_first: descending };
            ordering.push(PhysicalSortExpr { expr, options });
        }
        (!ordering.is_empty()).then_some(ordering)
    }

    /// A key column, if it is asked for and its order in the key is its order in Arrow.
    fn sortable(&self, layout: &Layout, place: usize) -> Option<Arc<dyn PhysicalExpr>> {
        let name = format!("a{}", place + 1);
        let index =
            self.schema.index_of(&name).ok().filter(|_| keeps_order(&layout.columns[place].ty))?;
        Some(Arc::new(Column::new(&name, index)))
    }

    /// Whether the rows come in this order when read forwards (`false`) or backwards (`true`).
    fn direction_for(&self, order: &[PhysicalSortExpr]) -> Option<bool> {
        let layout = self.relation.layout.as_ref()?;
        let columns = order_of_key(layout, self.ranges.access);
        let mut rest = columns.into_iter().enumerate().peekable();
        let mut direction = None;
        for wanted in order {
            let column = wanted.expr.downcast_ref::<Column>()?;
            loop {
                let (position, (place, descending)) = rest.next()?;
                let matches = self.sortable(layout, place).is_some_and(|expr| {
                    expr.downcast_ref::<Column>().is_some_and(|own| own.index() == column.index())
                });
                if !matches {
                    // One value in all rows: any order is right.
                    if position < self.ranges.fixed {
                        continue;
                    }
                    return None;
                }
                let nullable = layout.columns[place].nullable;
                let options = wanted.options;
                if nullable && options.nulls_first != options.descending {
                    return None;
                }
                let reverse = descending != options.descending;
                if position >= self.ranges.fixed && direction.is_some_and(|d| d != reverse) {
                    return None;
                }
                if position >= self.ranges.fixed {
                    direction = Some(reverse);
                }
                break;
            }
        }
        Some(direction.unwrap_or(false))
    }
}

fn properties(schema: &SchemaRef, ordering: Option<Vec<PhysicalSortExpr>>) -> Arc<PlanProperties> {
    let equivalence = match ordering {
        Some(ordering) => EquivalenceProperties::new_with_orderings(Arc::clone(schema), [ordering]),
        None => EquivalenceProperties::new(Arc::clone(schema)),
    };
    Arc::new(PlanProperties::new(
        equivalence,
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.relation.name;
        match (self.ranges.is_all(), self.ranges.access) {
            (true, Access::Primary) => write!(f, "Seq Scan on {name}")?,
            (false, Access::Primary) => write!(f, "Key Scan on {name}")?,
            (_, Access::Index(index)) => {
                let index = self
                    .relation
                    .layout
                    .as_ref()
                    .and_then(|layout| layout.indexes.get(index))
                    .and_then(|layout| {
                        let own = |index: &&crate::catalog::Index| index.oid.0 == layout.relation.0;
                        self.relation.indexes().iter().find(own)
                    });
                let index = index.map_or("?", |index| index.name.as_str());
                write!(f, "Index Scan using {index} on {name}")?;
            }
        }
        if !self.ranges.is_all() {
            write!(f, ", ranges: {}", self.ranges.count())?;
        }
        if self.reverse {
            write!(f, ", backward")?;
        }
        match self.limit {
            Some(limit) => write!(f, ", limit: {limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn supports_limit_pushdown(&self) -> bool {
        false
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(ScanExec { limit, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> DataFusionResult<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let Some(reverse) = self.direction_for(order) else {
            return Ok(SortOrderPushdownResult::Unsupported);
        };
        let mut scan = ScanExec { reverse, ..self.clone() };
        scan.properties = properties(&scan.schema, scan.ordering());
        Ok(SortOrderPushdownResult::Exact { inner: Arc::new(scan) })
    }

    fn execute(
        &self,
        _: usize,
        _: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let context = ExecutionContext::current()
            .ok_or_else(|| Error::internal("a scan outside of a statement"))?;
        let schema = Arc::clone(&self.schema);
        let batches = match self.relation.kind {
            TableKind::System => self.system_rows(&context)?,
            TableKind::User | TableKind::Shared | TableKind::Private => {
                self.stored_rows(&context)?
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

type Batches = BoxStream<'static, DataFusionResult<RecordBatch>>;

impl ScanExec {
    fn stored_rows(&self, context: &Arc<ExecutionContext>) -> Result<Batches> {
        let layout = self.relation.layout.clone().ok_or_else(|| {
            Error::internal(format!("table \"{}\" has no layout", self.relation.name))
        })?;
        let namespace = match self.relation.kind {
            TableKind::Shared => context.shared.clone(),
            TableKind::User | TableKind::Private | TableKind::System => context.own.clone(),
        };
        let mut ranges = self.ranges.evaluate(&layout)?;
        if self.reverse {
            ranges.reverse();
        }
        let shape = Shape::new(&layout, &self.schema)?;
        let mut batches: Vec<Batches> = Vec::with_capacity(ranges.len());
        let (snapshot, writes) = (context.snapshot.clone(), Arc::clone(&context.writes));
        for range in ranges {
            let spec = self.spec(range, &shape);
            let rows = namespace.scan(
                snapshot.clone(),
                Some(Arc::clone(&writes)),
                Arc::clone(&layout),
                spec,
            );
            let (shape, schema) = (shape.clone(), Arc::clone(&self.schema));
            let rows =
                rows.map(move |batch| Ok(shape.arrange(batch.map_err(Error::from)?, &schema)?));
            batches.push(rows.boxed());
        }
        let all = futures::stream::iter(batches).flatten().boxed();
        Ok(match self.limit {
            Some(limit) => limited(all, limit),
            None => all,
        })
    }

    fn spec(&self, range: KeyRange, shape: &Shape) -> ScanSpec {
        ScanSpec {
            access: self.ranges.access,
            range,
            reverse: self.reverse,
            columns: shape.columns.clone(),
            key: shape.key,
            lsn: shape.lsn,
            limit: self.limit,
            batch_rows: MAX_BATCH_ROWS,
        }
    }

    fn system_rows(&self, context: &Arc<ExecutionContext>) -> Result<Batches> {
        let mut equal: Vec<(i16, ScalarValue)> = Vec::with_capacity(self.ranges.equal.len());
        for (attnum, value) in &self.ranges.equal {
            let value = value.evaluate(&crate::plan::one_row())?.into_array(1)?;
            equal.push((*attnum, ScalarValue::try_from_array(&value, 0)?));
        }
        let rows = crate::catalog::system::rows(self.relation.oid, context, &equal)?;
        let rows = rows.project(&self.columns)?;
        let columns = rows.columns().to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let chunks: Vec<DataFusionResult<RecordBatch>> = (0..batch.num_rows())
            .step_by(MAX_BATCH_ROWS)
            .map(|from| Ok(batch.slice(from, MAX_BATCH_ROWS.min(batch.num_rows() - from))))
            .collect();
        let all = futures::stream::iter(chunks).boxed();
        Ok(match self.limit {
            Some(limit) => limited(all, limit),
            None => all,
        })
    }
}

/// The first rows of a stream.
fn limited(batches: Batches, limit: usize) -> Batches {
    futures::stream::try_unfold((batches, limit), |(mut batches, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let batch = batch.slice(0, left.min(batch.num_rows()));
        let left = left - batch.num_rows();
        Ok(Some((batch, (batches, left))))
    })
    .boxed()
}

/// What storage is asked for, and where each column of the scan is in its answer.
#[derive(Clone)]
struct Shape {
    /// Places in the layout.
    columns: Vec<usize>,
    key: bool,
    lsn: bool,
    places: Vec<usize>,
}

impl Shape {
    fn new(layout: &Layout, schema: &SchemaRef) -> Result<Self> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let key = names.contains(&KEY_COLUMN);
        let lsn = names.contains(&LSN_COLUMN);
        let extra = usize::from(key) + usize::from(lsn);
        let mut columns = Vec::with_capacity(names.len());
        let mut places = Vec::with_capacity(names.len());
        for name in names {
            match name {
                KEY_COLUMN => places.push(0),
                LSN_COLUMN => places.push(usize::from(key)),
                column => {
                    let attnum: usize = column
                        .strip_prefix('a')
                        .and_then(|number| number.parse().ok())
                        .filter(|number| (1..=layout.columns.len()).contains(number))
                        .ok_or_else(|| Error::internal(format!("no column {column} to scan")))?;
                    places.push(extra + columns.len());
                    columns.push(attnum - 1);
                }
            }
        }
        Ok(Shape { columns, key, lsn, places })
    }

    fn arrange(&self, batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = self.places.iter().map(|place| Arc::clone(batch.column(*place))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}
