//! Subqueries that are run for each row of what they depend on.
//!
//! Where no join says the same as a correlated subquery or a LATERAL item, its plan is kept aside
//! with references into the row around it. For each distinct tuple of referenced values the
//! references become literals, and the plan is optimised and run like any other.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array},
        compute::{and, concat, concat_batches, prep_null_mask_filter, take},
        datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    },
    common::{
        Column, DFSchema, DFSchemaRef, Result as DataFusionResult, ScalarValue,
        tree_node::{Transformed, TreeNodeRecursion},
    },
    execution::{
        SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, Extension, LogicalPlan,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, UserDefinedLogicalNodeCore,
        Volatility,
        expr::{AggregateFunction, ScalarFunction},
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use kalamdb_storage::MAX_BATCH_ROWS;

use super::subquery::plan_outer_references;
use crate::{
    error::{Error, Result},
    functions::{
        self,
        kernel::{Kernel, scalar_udf, total},
    },
};

/// Most tuples whose results one operator remembers.
const MAX_REMEMBERED: usize = 4096;
/// Most bytes of such results.
const MAX_REMEMBERED_BYTES: usize = 8 << 20;

/// Input rows with the results of a plan that refers to them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Apply {
    input: LogicalPlan,
    pub(crate) subplan: Arc<LogicalPlan>,
    /// The references in `subplan`, and what each stands for in the input.
    outer: Vec<(Expr, Expr)>,
    /// Rows for which one of these isn't true have no result, and the plan isn't run for them. Each
    /// is evaluated only where those before it hold.
    guard: Vec<Expr>,
    kind: ApplyKind,
    schema: DFSchemaRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ApplyKind {
    /// One more column: the value of the plan's only row.
    Scalar(String),
    /// The plan's columns; with `keep` rows without results stay, with NULLs.
    Lateral { keep: bool },
}

impl PartialOrd for Apply {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

/// `input` with a column `name` for the value of `subplan`, or NULL where one of the conditions in
/// `guard` isn't true.
pub(super) fn apply_scalar(
    input: LogicalPlan,
    subplan: LogicalPlan,
    name: &str,
    guard: &[Expr],
) -> Result<LogicalPlan> {
    apply(input, subplan, guard.to_vec(), ApplyKind::Scalar(name.to_owned()))
}

/// `input` joined with `subplan`'s rows for each of its own.
pub(super) fn apply_lateral(
    input: LogicalPlan,
    subplan: LogicalPlan,
    keep: bool,
) -> Result<LogicalPlan> {
    apply(input, subplan, Vec::new(), ApplyKind::Lateral { keep })
}

fn apply(
    input: LogicalPlan,
    subplan: LogicalPlan,
    guard: Vec<Expr>,
    kind: ApplyKind,
) -> Result<LogicalPlan> {
    let outer = plan_outer_references(&subplan)?
        .into_iter()
        .map(|reference| {
            let value = match &reference {
                Expr::OuterReferenceColumn(_, column) if input.schema().has_column(column) => {
                    Expr::Column(column.clone())
                }
                further => further.clone(),
            };
            (reference, value)
        })
        .collect();
    let node = Apply::new(input, Arc::new(subplan), outer, guard, kind)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

impl Apply {
    fn new(
        input: LogicalPlan,
        subplan: Arc<LogicalPlan>,
        outer: Vec<(Expr, Expr)>,
        guard: Vec<Expr>,
        kind: ApplyKind,
    ) -> DataFusionResult<Self> {
        let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
        let added: DFSchema = match &kind {
            ApplyKind::Scalar(name) => {
                let ty = subplan.schema().field(0).data_type().clone();
                let field = Arc::new(Field::new(name, ty, true));
                DFSchema::new_with_metadata(vec![(None, field)], HashMap::new())?
            }
            ApplyKind::Lateral { .. } => DFSchema::new_with_metadata(
                subplan.schema().iter().map(|(q, f)| (q.cloned(), nullable(f))).collect(),
                HashMap::new(),
            )?,
        };
        let schema = Arc::new(input.schema().join(&added)?);
        Ok(Apply { input, subplan, outer, guard, kind, schema })
    }

    pub(crate) fn is_lateral(&self) -> bool {
        matches!(self.kind, ApplyKind::Lateral { .. })
    }

    /// The node with `subplan` put through `f`.
    pub(crate) fn map_subplan(
        &self,
        f: impl FnOnce(LogicalPlan) -> DataFusionResult<LogicalPlan>,
    ) -> DataFusionResult<Self> {
        let subplan = f(self.subplan.as_ref().clone())?;
        Ok(Apply { subplan: Arc::new(subplan), ..self.clone() })
    }

    /// The plan as it is for some row, whose values nobody knows.
    pub(crate) fn for_some_row(&self) -> DataFusionResult<LogicalPlan> {
        let mut values = HashMap::new();
        for (reference, _) in &self.outer {
            let Expr::OuterReferenceColumn(field, column) = reference else { continue };
            let ty = field.data_type().clone();
            let id = format!("outer_value({column}, {ty})");
            let kernel: Kernel =
                Arc::new(|_| Err(Error::internal("a row's value was asked for while planning")));
            let udf = scalar_udf(&id, Vec::new(), ty, functions::Volatility::Stable, false, kernel);
            let value = Expr::ScalarFunction(ScalarFunction::new_udf(total(&udf), Vec::new()));
            values.insert(column.clone(), value);
        }
        substitute(self.subplan.as_ref().clone(), &values)
    }

    pub(crate) fn output_schema(&self) -> SchemaRef {
        Arc::new(self.schema.as_arrow().clone())
    }

    /// What is evaluated over the input's rows: what they give to the subplan, then the guard.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Expr> {
        self.outer.iter().map(|(_, value)| value).chain(&self.guard)
    }

    /// The operator over an input and [`Apply::values`].
    pub(crate) fn execution(
        &self,
        input: Arc<dyn ExecutionPlan>,
        values: Vec<Arc<dyn PhysicalExpr>>,
    ) -> ApplyExec {
        let schema = self.output_schema();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        ApplyExec {
            node: Arc::new(self.clone()),
            input,
            values,
            schema,
            properties: Arc::new(properties),
        }
    }
}

impl UserDefinedLogicalNodeCore for Apply {
    fn name(&self) -> &'static str {
        "Apply"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.values().cloned().collect()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let own = self.input.schema().fields().len();
        self.schema.fields().iter().skip(own).map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ApplyKind::Scalar(name) => write!(f, "Apply: {name}"),
            ApplyKind::Lateral { keep } => write!(f, "Apply: lateral, left={keep}"),
        }
    }

    fn with_exprs_and_inputs(
        &self,
        exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> DataFusionResult<Self> {
        let input = inputs.pop().ok_or_else(|| Error::internal("Apply without input"))?;
        let mut exprs = exprs.into_iter();
        let keys = self.outer.iter().map(|(key, _)| key.clone());
        let outer = keys.zip(exprs.by_ref()).collect();
        let subplan = Arc::clone(&self.subplan);
        Apply::new(input, subplan, outer, exprs.collect(), self.kind.clone())
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let own = schema.fields().len();
        let mut needed: Vec<usize> = output.iter().copied().filter(|i| *i < own).collect();
        for value in self.values() {
            for column in value.column_refs() {
                needed.extend(schema.maybe_index_of_column(column));
            }
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

/// Replaces references by values in a plan, in what it keeps aside as well.
fn substitute(plan: LogicalPlan, values: &HashMap<Column, Expr>) -> DataFusionResult<LogicalPlan> {
    crate::plan::map_expressions(plan, &|node| match &node {
        Expr::OuterReferenceColumn(_, column) => Ok(match values.get(column) {
            Some(value) => Transformed::yes(value.clone()),
            None => Transformed::no(node),
        }),
        _ => forget(node, values),
    })
}

/// Subqueries inside forget the references that are values now.
fn forget(node: Expr, values: &HashMap<Column, Expr>) -> DataFusionResult<Transformed<Expr>> {
    let keep = |outer: &Expr| match outer {
        Expr::OuterReferenceColumn(_, column) => !values.contains_key(column),
        _ => true,
    };
    Ok(match node {
        Expr::ScalarSubquery(mut subquery) => {
            subquery.outer_ref_columns.retain(keep);
            Transformed::yes(Expr::ScalarSubquery(subquery))
        }
        Expr::Exists(mut exists) => {
            exists.subquery.outer_ref_columns.retain(keep);
            Transformed::yes(Expr::Exists(exists))
        }
        Expr::InSubquery(mut test) => {
            test.subquery.outer_ref_columns.retain(keep);
            Transformed::yes(Expr::InSubquery(test))
        }
        other => Transformed::no(other),
    })
}

/// [`Apply`] at work.
#[derive(Debug)]
pub(crate) struct ApplyExec {
    node: Arc<Apply>,
    input: Arc<dyn ExecutionPlan>,
    values: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for ApplyExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplyExec")
    }
}

impl ExecutionPlan for ApplyExec {
    fn name(&self) -> &'static str {
        "ApplyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        for expr in &self.values {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| Error::internal("ApplyExec without input"))?;
        Ok(Arc::new(ApplyExec {
            node: Arc::clone(&self.node),
            input,
            values: self.values.clone(),
            schema: Arc::clone(&self.schema),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let reservation = MemoryConsumer::new("ApplyExec").register(context.memory_pool());
        let state = Runner {
            node: Arc::clone(&self.node),
            values: self.values.clone(),
            schema: Arc::clone(&self.schema),
            context,
            remembered: HashMap::new(),
            remembered_bytes: 0,
            pending: None,
            reservation,
        };
        let batches = futures::stream::unfold((input, state), |(mut input, mut state)| async {
            let result = state.next(&mut input).await.transpose()?;
            Some((result, (input, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

struct Runner {
    node: Arc<Apply>,
    values: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    context: Arc<TaskContext>,
    remembered: HashMap<Vec<ScalarValue>, RecordBatch>,
    remembered_bytes: usize,
    pending: Option<Pending>,
    /// For the results that are held.
    reservation: MemoryReservation,
}

/// Input rows some of which have gone out with their results.
struct Pending {
    batch: RecordBatch,
    values: Vec<ArrayRef>,
    guard: Option<BooleanArray>,
    next: usize,
}

impl Pending {
    fn is_guarded_off(&self, row: usize) -> bool {
        self.guard.as_ref().is_some_and(|guard| !guard.value(row))
    }

    fn key(&self, row: usize) -> DataFusionResult<Vec<ScalarValue>> {
        self.values.iter().map(|column| ScalarValue::try_from_array(column, row)).collect()
    }
}

impl Runner {
    /// The next input rows with their results: about as many rows as a batch has.
    async fn next(
        &mut self,
        input: &mut SendableRecordBatchStream,
    ) -> DataFusionResult<Option<RecordBatch>> {
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None => match input.next().await.transpose()? {
                Some(batch) => self.evaluated(batch)?,
                None => return Ok(None),
            },
        };
        let nothing =
            RecordBatch::new_empty(Arc::new(self.node.subplan.schema().as_arrow().clone()));
        let (first, mut rows) = (pending.next, 0);
        let mut results = Vec::new();
        while pending.next < pending.batch.num_rows() && rows < MAX_BATCH_ROWS {
            let result = match pending.is_guarded_off(pending.next) {
                true => nothing.clone(),
                false => self.result(pending.key(pending.next)?).await?,
            };
            rows += result.num_rows().max(1);
            results.push(result);
            pending.next += 1;
        }
        let batch = pending.batch.slice(first, pending.next - first);
        let out = match &self.node.kind {
            ApplyKind::Scalar(_) => self.with_values(&batch, &results),
            ApplyKind::Lateral { keep } => self.joined(&batch, &results, *keep),
        };
        self.reservation.try_resize(self.remembered_bytes)?;
        if pending.next < pending.batch.num_rows() {
            self.pending = Some(pending);
        }
        out.map(Some)
    }

    fn evaluated(&self, batch: RecordBatch) -> DataFusionResult<Pending> {
        let rows = batch.num_rows();
        let evaluate = |value: &Arc<dyn PhysicalExpr>| value.evaluate(&batch)?.into_array(rows);
        let (values, guards) = self.values.split_at(self.node.outer.len());
        let values = values.iter().map(evaluate).collect::<DataFusionResult<Vec<ArrayRef>>>()?;
        let mut guard: Option<BooleanArray> = None;
        for condition in guards {
            let holds = match &guard {
                None => condition.evaluate(&batch)?,
                Some(before) => condition.evaluate_selection(&batch, before)?,
            };
            let holds = is_true(holds.into_array(rows)?.as_boolean());
            guard = Some(match &guard {
                None => holds,
                Some(before) => and(before, &holds)?,
            });
        }
        Ok(Pending { batch, values, guard, next: 0 })
    }

    /// The subplan's rows for one tuple, which may be remembered.
    async fn result(&mut self, key: Vec<ScalarValue>) -> DataFusionResult<RecordBatch> {
        if let Some(known) = self.remembered.get(&key) {
            return Ok(known.clone());
        }
        let result = self.run(&key).await?;
        let bytes =
            result.get_array_memory_size() + key.iter().map(ScalarValue::size).sum::<usize>();
        let is_kept = self.remembered.len() < MAX_REMEMBERED
            && self.remembered_bytes + bytes <= MAX_REMEMBERED_BYTES;
        if is_kept {
            self.remembered_bytes += bytes;
            self.remembered.insert(key, result.clone());
        }
        Ok(result)
    }

    async fn run(&mut self, key: &[ScalarValue]) -> DataFusionResult<RecordBatch> {
        let values: HashMap<Column, Expr> = self
            .node
            .outer
            .iter()
            .zip(key)
            .filter_map(|((reference, _), value)| match reference {
                Expr::OuterReferenceColumn(_, column) => {
                    Some((column.clone(), Expr::Literal(value.clone(), None)))
                }
                _ => None,
            })
            .collect();
        let plan = substitute(self.node.subplan.as_ref().clone(), &values)?;
        let physical = crate::plan::plan_query(&plan, Vec::new())?;
        let schema = physical.schema();
        let mut stream = physical.execute(0, Arc::clone(&self.context))?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await.transpose()? {
            self.reservation.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(concat_batches(&schema, &batches)?)
    }

    fn with_values(
        &self,
        batch: &RecordBatch,
        results: &[RecordBatch],
    ) -> DataFusionResult<RecordBatch> {
        let ty = self.schema.field(self.schema.fields().len() - 1).data_type();
        let null = new_null_array(ty, 1);
        let mut parts: Vec<&dyn Array> = Vec::with_capacity(results.len());
        for result in results {
            parts.push(match result.num_rows() {
                0 => null.as_ref(),
                1 => result.column(0).as_ref(),
                _ => return Err(Error::cardinality_violation().into()),
            });
        }
        let added = match parts.is_empty() {
            true => new_null_array(ty, 0),
            false => concat(&parts)?,
        };
        let mut columns = batch.columns().to_vec();
        columns.push(added);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn joined(
        &self,
        batch: &RecordBatch,
        results: &[RecordBatch],
        keep: bool,
    ) -> DataFusionResult<RecordBatch> {
        let own = batch.num_columns();
        let added: Vec<FieldRef> = self.schema.fields().iter().skip(own).cloned().collect();
        let inner = Arc::new(Schema::new(added));
        let nulls: Vec<ArrayRef> =
            inner.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let mut indices: Vec<u32> = Vec::new();
        let mut parts: Vec<RecordBatch> = Vec::new();
        for (row, result) in (0_u32..).zip(results) {
            let count = match (result.num_rows(), keep) {
                (0, false) => continue,
                (0, true) => {
                    parts.push(RecordBatch::try_new_with_options(
                        Arc::clone(&inner),
                        nulls.clone(),
                        &datafusion::arrow::record_batch::RecordBatchOptions::new()
                            .with_row_count(Some(1)),
                    )?);
                    1
                }
                (count, _) => {
                    parts.push(RecordBatch::try_new_with_options(
                        Arc::clone(&inner),
                        result.columns().to_vec(),
                        &datafusion::arrow::record_batch::RecordBatchOptions::new()
                            .with_row_count(Some(count)),
                    )?);
                    count
                }
            };
            indices.extend(std::iter::repeat_n(row, count));
        }
        let right = concat_batches(&inner, &parts)?;
        let indices = UInt32Array::from(indices);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for column in batch.columns() {
            columns.push(take(column, &indices, None)?);
        }
        columns.extend(right.columns().iter().cloned());
        let options = datafusion::arrow::record_batch::RecordBatchOptions::new()
            .with_row_count(Some(indices.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// NULL becomes false.
fn is_true(truth: &BooleanArray) -> BooleanArray {
    match truth.null_count() {
        0 => truth.clone(),
        _ => prep_null_mask_filter(truth),
    }
}

/// The first two values as a list: enough to know whether there is more than one. The list is
/// looked at above the join that the subquery becomes, where only rows that are asked for arrive.
pub(super) fn up_to_two(expr: Expr) -> Expr {
    static UDAF: std::sync::OnceLock<Arc<AggregateUDF>> = std::sync::OnceLock::new();
    let udaf = UDAF.get_or_init(|| Arc::new(AggregateUDF::new_from_impl(UpToTwo::new())));
    Expr::AggregateFunction(AggregateFunction::new_udf(
        Arc::clone(udaf),
        vec![expr],
        false,
        None,
        Vec::new(),
        None,
    ))
}

/// The value of a list of one, NULL for none, 21000 for more.
pub(super) fn the_only(expr: Expr) -> Expr {
    static UDF: std::sync::OnceLock<Arc<ScalarUDF>> = std::sync::OnceLock::new();
    let udf = UDF.get_or_init(|| Arc::new(ScalarUDF::new_from_impl(TheOnly::new())));
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(udf), vec![expr]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UpToTwo {
    signature: Signature,
}

impl UpToTwo {
    fn new() -> Self {
        UpToTwo { signature: Signature::any(1, Volatility::Immutable) }
    }
}

fn list_of(ty: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", ty.clone(), true)))
}

impl AggregateUDFImpl for UpToTwo {
    fn name(&self) -> &'static str {
        "up_to_two"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        Ok(list_of(&args[0]))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        let element = match args.return_field.data_type() {
            DataType::List(field) => field.data_type().clone(),
            other => other.clone(),
        };
        Ok(Box::new(FirstTwo { element, values: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DataFusionResult<Vec<FieldRef>> {
        let ty = args.return_field.data_type().clone();
        Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), ty, true))])
    }
}

#[derive(Debug)]
struct FirstTwo {
    element: DataType,
    values: Vec<ScalarValue>,
}

impl FirstTwo {
    fn push_all(&mut self, array: &ArrayRef) -> DataFusionResult<()> {
        for row in 0..array.len() {
            if self.values.len() >= 2 {
                break;
            }
            self.values.push(ScalarValue::try_from_array(array, row)?);
        }
        Ok(())
    }

    fn list(&self) -> ScalarValue {
        if self.values.is_empty() {
            return ScalarValue::try_from(&list_of(&self.element)).unwrap_or(ScalarValue::Null);
        }
        ScalarValue::List(ScalarValue::new_list(&self.values, &self.element, true))
    }
}

impl Accumulator for FirstTwo {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.push_all(&values[0])
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(self.list())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(ScalarValue::size).sum::<usize>()
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![self.list()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let lists = states[0].as_list::<i32>();
        for list in lists.iter().flatten() {
            self.push_all(&list)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct TheOnly {
    signature: Signature,
}

impl TheOnly {
    fn new() -> Self {
        TheOnly { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl PartialEq for TheOnly {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TheOnly {}

impl Hash for TheOnly {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "the_only".hash(state);
    }
}

impl ScalarUDFImpl for TheOnly {
    fn name(&self) -> &'static str {
        "the_only"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        match &args[0] {
            DataType::List(field) => Ok(field.data_type().clone()),
            other => Err(Error::internal(format!("the_only of {other}")).into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let lists = array.as_list::<i32>();
        let mut indices = Vec::with_capacity(lists.len());
        for (row, window) in lists.value_offsets().windows(2).enumerate() {
            let null = lists.is_null(row);
            match window[1] - window[0] {
                _ if null => indices.push(None),
                0 => indices.push(None),
                1 => indices.push(Some(u32::try_from(window[0]).unwrap_or(u32::MAX))),
                _ => return Err(Error::cardinality_violation().into()),
            }
        }
        let indices = UInt32Array::from(indices);
        Ok(ColumnarValue::Array(take(lists.values(), &indices, None)?))
    }
}

/// Whether a plan holds rows that are applied one by one.
pub(crate) fn as_apply(plan: &LogicalPlan) -> Option<&Apply> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<Apply>(),
        _ => None,
    }
}

/// Whether anything in a plan still refers to a row around it.
pub(crate) fn refers_outside(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            found |= expr.contains_outer();
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    found || walked.is_err()
}
