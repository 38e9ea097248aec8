//! Rows that a statement made by itself and reads again: those of its stages.
//!
//! A plan names a slot by its number; what is in it belongs to one execution and waits in its
//! [`ExecutionContext`].

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::{RecordBatch, RecordBatchOptions},
        datatypes::SchemaRef,
    },
    catalog::{Session, TableProvider},
    common::{Result as DataFusionResult, tree_node::TreeNodeRecursion},
    datasource::TableType,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::Expr,
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};

use crate::{
    context::ExecutionContext,
    error::{Error, Result},
};

/// The slots of one execution.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<HashMap<usize, Vec<RecordBatch>>>);

impl Slots {
    pub(crate) fn set(&self, slot: usize, rows: Vec<RecordBatch>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, rows);
    }

    fn get(&self, slot: usize) -> Option<Vec<RecordBatch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&slot).cloned()
    }
}

/// A slot as a table; its columns go by their places.
#[derive(Debug)]
pub(crate) struct SlotSource {
    slot: usize,
    schema: SchemaRef,
}

impl SlotSource {
    pub(crate) fn new(slot: usize, schema: SchemaRef) -> Self {
        SlotSource { slot, schema }
    }
}

#[async_trait]
impl TableProvider for SlotSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let properties = Arc::new(properties);
        Ok(Arc::new(SlotExec { slot: self.slot, columns, schema, properties }))
    }
}

#[derive(Debug)]
struct SlotExec {
    slot: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl SlotExec {
    fn batches(&self) -> Result<Vec<DataFusionResult<RecordBatch>>> {
        let context = ExecutionContext::current()
            .ok_or_else(|| Error::internal("a slot is read outside of a statement"))?;
        let rows = context
            .slots
            .get(self.slot)
            .ok_or_else(|| Error::internal("a stage is read before it has run"))?;
        Ok(rows
            .into_iter()
            .map(|batch| {
                let columns = self.columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let schema = Arc::clone(&self.schema);
                Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
            })
            .collect())
    }
}

impl DisplayAs for SlotExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage Scan on stage {}", self.slot)
    }
}

impl ExecutionPlan for SlotExec {
    fn name(&self) -> &'static str {
        "SlotExec"
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

    fn execute(
        &self,
        _: usize,
        _: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let batches = futures::stream::iter(self.batches()?);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}
