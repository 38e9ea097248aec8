//! From analysed plans to running ones: the one planning environment that all sessions share.
//!
//! A [`SessionState`] costs milliseconds and hundreds of kilobytes, and nothing in it differs
//! between sessions: what a plan reads is bound when its scans start, from the
//! `ExecutionContext`. Parameters and LIMIT become constants before optimisation, so that the
//! optimiser can use them.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::{RecordBatch, RecordBatchOptions},
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    catalog::{Session, TableProvider},
    common::{
        DFSchema, Result as DataFusionResult, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::TableType,
    execution::{
        SessionState, SessionStateBuilder,
        context::{ExecutionProps, QueryPlanner},
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::{
        Case, Expr, Extension, Limit, LogicalPlan, Operator as NativeOperator,
        TableProviderFilterPushDown, UserDefinedLogicalNode, Volatility, expr::Placeholder,
        expr_rewriter::NamePreserver, physical_planning_context::PhysicalPlanningContext,
    },
    optimizer::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule},
    physical_expr::{PhysicalExpr, create_physical_expr},
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::{ExecutionPlan, displayable},
    physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner},
    prelude::SessionConfig,
};

use crate::{
    analyze::{apply, series::Series},
    catalog::{Relation, RelationBody},
    error::{Error, Result, SqlState},
    scan::ScanExec,
};

pub(crate) mod access;
mod common;
mod concat;
pub(crate) mod interrupt;
mod joins;
pub(crate) mod lazy;
mod lists;
mod ordered;
mod planned;
pub(crate) mod slot;

use access::{KeyRanges, key_ranges, restricts};
use common::NodeByNode;
use concat::OneAfterAnother;
use interrupt::Interruptible;
use joins::WithoutNullKeys;
use lists::WithoutLists;
use ordered::AsOrdered;

pub(crate) use planned::Planned;

/// What all queries of the server together may use for sorts, joins and groups.
#[derive(Clone, Debug)]
pub struct QueryResources {
    /// Bytes in memory. Sorts and groups that need more go on in files, all else fails with 53200.
    pub memory: usize,
    /// Where such files are made, in a directory of their own.
    pub directory: PathBuf,
    /// Bytes in files; more fails with 53400.
    pub files: u64,
}

static RESOURCES: OnceLock<QueryResources> = OnceLock::new();

/// Sets what queries may use, before the first of them is planned.
pub(crate) fn limit(resources: QueryResources) {
    RESOURCES.get_or_init(|| resources);
}

fn runtime() -> DataFusionResult<Arc<RuntimeEnv>> {
    let builder = RuntimeEnvBuilder::new();
    let Some(QueryResources { memory, directory, files }) = RESOURCES.get() else {
        return builder.build_arc();
    };
    let files = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![directory.clone()]))
        .with_max_temp_directory_size(*files);
    builder.with_memory_limit(*memory, 1.0).with_disk_manager_builder(files).build_arc()
}

/// Plans a query: parameters become constants, then DataFusion optimises.
///
/// Stable functions are evaluated here: call it inside `ExecutionContext::enter`.
pub(crate) fn plan_query(
    plan: &LogicalPlan,
    parameters: Vec<ScalarValue>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = with_constants(plan.clone(), &parameters)?;
    at_once(environment().create_physical_plan(&plan))
}

/// Polls planning to its end. Our sources never wait while planning; what is pending only wants
/// to be polled again.
fn at_once<T>(planning: impl Future<Output = DataFusionResult<T>>) -> Result<T> {
    const MAX_POLLS: usize = 1_000_000;
    // Within a task that has used up its turn, whatever counts turns would stay pending for ever.
    let mut planning = std::pin::pin!(tokio::task::unconstrained(planning));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..MAX_POLLS {
        if let std::task::Poll::Ready(result) = planning.as_mut().poll(&mut context) {
            return Ok(result?);
        }
    }
    Err(Error::internal("planning doesn't end"))
}

/// The plan of a query as lines of text, for EXPLAIN.
pub(crate) fn describe(plan: &LogicalPlan, parameters: Vec<ScalarValue>) -> Result<Vec<String>> {
    let physical = plan_query(plan, parameters)?;
    Ok(displayable(physical.as_ref())
        .indent(false)
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Compiles an expression over rows of `schema`. Constant parts that no session changes are
/// evaluated here.
pub(crate) fn physical_expression(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    let expr = folded(expr.clone())?;
    compile(&expr, schema)
}

fn compile(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    let expr = lazy::lazy_expression(expr.clone(), schema)?.data;
    Ok(create_expression(&expr, schema)?)
}

fn create_expression(expr: &Expr, schema: &DFSchema) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
    create_physical_expr(expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

/// Evaluates what consists of literals and immutable functions; what fails stays, to fail when it
/// is reached.
pub(crate) fn folded(expr: Expr) -> Result<Expr> {
    Ok(expr
        .transform_up(|node| {
            let constant = match &node {
                Expr::ScalarFunction(call) => {
                    call.func.signature().volatility == Volatility::Immutable
                        && call.args.iter().all(|arg| matches!(arg, Expr::Literal(..)))
                }
                _ => false,
            };
            if !constant {
                return Ok(Transformed::no(node));
            }
            Ok(match constant_value(&node) {
                Ok(value) => Transformed::yes(Expr::Literal(value, None)),
                Err(_) => Transformed::no(node),
            })
        })?
        .data)
}

/// The value of an expression over no columns.
pub(crate) fn constant(expr: &Expr) -> Result<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Ok(value.clone()),
        other => constant_value(other),
    }
}

fn constant_value(expr: &Expr) -> Result<ScalarValue> {
    let physical = compile(expr, &DFSchema::empty())?;
    let value = physical.evaluate(&one_row())?.into_array(1)?;
    Ok(ScalarValue::try_from_array(&value, 0)?)
}

/// The first error among the constant calls of a query, which PostgreSQL meets when it plans.
pub(crate) fn constant_error(plan: &LogicalPlan) -> Result<Option<Error>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            find_constant_error(expr, &mut found)?;
            Ok(match found {
                Some(_) => TreeNodeRecursion::Stop,
                None => TreeNodeRecursion::Continue,
            })
        })
    })?;
    Ok(found)
}

/// [`constant_error`] of expressions by themselves.
pub(crate) fn constant_error_in<'e>(
    exprs: impl IntoIterator<Item = &'e Expr>,
) -> Result<Option<Error>> {
    let mut found = None;
    for expr in exprs {
        if found.is_none() && !matches!(expr, Expr::Literal(..)) {
            find_constant_error(expr, &mut found)?;
        }
    }
    Ok(found)
}

fn find_constant_error(expr: &Expr, found: &mut Option<Error>) -> DataFusionResult<()> {
    expr.apply(|part| {
        if found.is_some() {
            return Ok(TreeNodeRecursion::Stop);
        }
        match part {
            Expr::Unnest(_) => return Ok(TreeNodeRecursion::Jump),
            Expr::Case(case) => {
                find_error_in_case(case, found)?;
                return Ok(TreeNodeRecursion::Jump);
            }
            Expr::BinaryExpr(binary)
                if matches!(binary.op, NativeOperator::And | NativeOperator::Or) =>
            {
                // Whoever decides keeps what follows from being looked at.
                find_constant_error(&binary.left, found)?;
                let decides = binary.op == NativeOperator::Or;
                if found.is_none() && truth(&binary.left)? != Some(Some(decides)) {
                    find_constant_error(&binary.right, found)?;
                }
                return Ok(TreeNodeRecursion::Jump);
            }
            _ => {}
        }
        if !matches!(part, Expr::ScalarFunction(_)) || !is_constant(part)? {
            return Ok(TreeNodeRecursion::Continue);
        }
        match constant_value(part) {
            Ok(_) => Ok(TreeNodeRecursion::Jump),
            Err(error) => {
                found.get_or_insert(error);
                Ok(TreeNodeRecursion::Stop)
            }
        }
    })?;
    Ok(())
}

/// PostgreSQL looks into every branch that no constant condition rules out.
fn find_error_in_case(case: &Case, found: &mut Option<Error>) -> DataFusionResult<()> {
    let mut parts: Vec<&Expr> = case.expr.as_deref().into_iter().collect();
    let mut last = case.else_expr.as_deref();
    for (condition, value) in &case.when_then_expr {
        parts.push(condition);
        match case.expr.is_none().then(|| truth(condition)).transpose()?.flatten() {
            Some(None | Some(false)) => {}
            Some(Some(true)) => {
                last = Some(value);
                break;
            }
            None => parts.push(value),
        }
    }
    for part in parts.into_iter().chain(last) {
        if found.is_none() {
            find_constant_error(part, found)?;
        }
    }
    Ok(())
}

/// What a condition always is: true, false or NULL.
fn truth(condition: &Expr) -> DataFusionResult<Option<Option<bool>>> {
    if !is_constant(condition)? {
        return Ok(None);
    }
    Ok(match constant_value(condition) {
        Ok(ScalarValue::Boolean(value)) => Some(value),
        Ok(_) | Err(_) => None,
    })
}

/// Whether an expression consists of literals and immutable functions alone.
pub(crate) fn is_constant(expr: &Expr) -> DataFusionResult<bool> {
    let mut constant = true;
    expr.apply(|part| {
        constant &= match part {
            Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
            Expr::Literal(..) | Expr::Case(_) | Expr::BinaryExpr(_) | Expr::Cast(_) => true,
            Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => true,
            _ => false,
        };
        Ok(if constant { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(constant)
}

/// A row without columns.
pub(crate) fn one_row() -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
        .expect("a batch without columns is consistent")
}

/// Whether the optimiser turns all correlated subqueries of a plan into joins, and those of what it
/// applies row by row when that is planned.
pub(crate) fn decorrelates(plan: &LogicalPlan) -> bool {
    match environment().optimize(plan) {
        Ok(optimized) if !apply::refers_outside(&optimized) => {}
        Ok(_) | Err(_) => return false,
    }
    let mut all = true;
    let walked = plan.apply_with_subqueries(|node| {
        if let Some(applied) = apply::as_apply(node) {
            all &= decorrelates(&applied.for_some_row()?);
        }
        Ok(match all {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    all && walked.is_ok()
}

/// Puts the expressions of a plan, of its subqueries and of what it applies row by row through
/// `f`.
pub(crate) fn map_expressions(
    plan: LogicalPlan,
    f: &dyn Fn(Expr) -> DataFusionResult<Transformed<Expr>>,
) -> DataFusionResult<LogicalPlan> {
    Ok(plan
        .transform_up_with_subqueries(|node| {
            let node = match apply::as_apply(&node) {
                Some(applied) => {
                    let applied = applied.map_subplan(|plan| map_expressions(plan, f))?;
                    LogicalPlan::Extension(Extension { node: Arc::new(applied) })
                }
                None => node,
            };
            // Nodes above know the columns by the names they have now.
            let names = NamePreserver::new(&node);
            let mapped = node.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(expr.transform_up(f)?.update_data(|expr| name.restore(expr)))
            })?;
            match mapped.transformed {
                true => Ok(Transformed::yes(mapped.data.recompute_schema()?)),
                false => Ok(mapped),
            }
        })?
        .data)
}

/// Parameters and LIMIT as constants.
fn with_constants(plan: LogicalPlan, parameters: &[ScalarValue]) -> Result<LogicalPlan> {
    let plan = match parameters.is_empty() {
        true => plan,
        false => map_expressions(plan, &|node| match parameter_number(&node) {
            Some(number) => {
                let value = parameters.get(number - 1);
                let value = value.ok_or_else(|| Error::undefined_parameter(number))?;
                Ok(Transformed::yes(Expr::Literal(value.clone(), None)))
            }
            None => Ok(Transformed::no(node)),
        })?,
    };
    Ok(plan.transform_down_with_subqueries(constant_limit)?.data)
}

/// The number of a parameter, from 1.
fn parameter_number(expr: &Expr) -> Option<usize> {
    let Expr::Placeholder(Placeholder { id, .. }) = expr else { return None };
    id.strip_prefix('$')?.parse().ok().filter(|number| *number > 0)
}

fn constant_limit(plan: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Limit(limit) = plan else { return Ok(Transformed::no(plan)) };
    let count = |expr: Option<Box<Expr>>, clause: &str, state: SqlState| -> Result<_> {
        let Some(expr) = expr else { return Ok(None) };
        match constant(&expr)? {
            ScalarValue::Int64(Some(count)) if count < 0 => {
                Err(Error::new(state, format!("{clause} must not be negative")))
            }
            ScalarValue::Int64(Some(count)) => {
                Ok(Some(Box::new(Expr::Literal(ScalarValue::Int64(Some(count)), None))))
            }
            value if value.is_null() => Ok(None),
            other => Err(Error::internal(format!("{clause} of type {}", other.data_type()))),
        }
    };
    let fetch = count(limit.fetch, "LIMIT", SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE)?;
    let skip = count(limit.skip, "OFFSET", SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE)?;
    if fetch.is_none() && skip.is_none() {
        return Ok(Transformed::yes(Arc::unwrap_or_clone(limit.input)));
    }
    Ok(Transformed::yes(LogicalPlan::Limit(Limit { skip, fetch, input: limit.input })))
}

/// The shared environment.
pub(crate) fn environment() -> &'static SessionState {
    static ENVIRONMENT: OnceLock<SessionState> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut config = SessionConfig::new()
            .with_target_partitions(1)
            .with_batch_size(kalamdb_storage::MAX_BATCH_ROWS)
            .with_information_schema(false);
        let options = config.options_mut();
        // The order of a subquery's rows is seen by array_agg and its kin.
        options.sql_parser.enable_subquery_sort_elimination = false;
        // Filters that change while they run have no place in sources that are ours.
        options.optimizer.enable_dynamic_filter_pushdown = false;
        // It makes room for as many groups as LIMIT says, however few there are.
        options.optimizer.enable_topk_aggregation = false;
        options.execution.collect_statistics = false;
        // Whether a column may be NULL is guessed from CASE in two ways that differ; nothing of
        // ours depends on it.
        options.execution.skip_physical_aggregate_schema_check = true;
        let runtime = runtime().expect("a directory for files was made when the server started");
        SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            // Types are right already: the analyser chose every cast.
            .with_analyzer_rules(Vec::new())
            .with_optimizer_rules(logical_rules())
            .with_physical_optimizer_rules(physical_rules())
            .with_query_planner(Arc::new(Planner))
            .build()
    })
}

/// DataFusion's rules but those that don't keep our meaning.
fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    const UNWANTED: &[&str] = &[
        // Would tell distinct values by their bytes; the aggregates know PostgreSQL's equality.
        "single_distinct_aggregation_to_group_by",
        // Lose the names of columns when unions are nested.
        "optimize_unions",
        "unions_to_filter",
    ];
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !UNWANTED.contains(&rule.name()));
    for rule in &mut rules {
        match rule.name() {
            "push_down_filter" => *rule = Arc::new(AboveGroups(Arc::clone(rule))),
            "eliminate_cross_join" => *rule = Arc::new(WithoutNullKeys(Arc::clone(rule))),
            "simplify_expressions" => *rule = Arc::new(WithoutLists(Arc::clone(rule))),
            "common_sub_expression_eliminate" => *rule = Arc::new(NodeByNode(Arc::clone(rule))),
            _ => {}
        }
    }
    rules
}

/// A rule that pushes conditions down, but not below aggregates that have a row for no rows: a
/// condition without columns isn't the same there.
#[derive(Debug)]
struct AboveGroups(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for AboveGroups {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> DataFusionResult<Transformed<LogicalPlan>> {
        match stands_above_groups(&plan) {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
}

/// Whether a plan is conditions over an aggregate that has a row for no rows.
fn stands_above_groups(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else { return false };
    match filter.input.as_ref() {
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.iter().all(|expr| matches!(expr, Expr::GroupingSet(_)))
        }
        further => stands_above_groups(further),
    }
}

/// DataFusion's rules between ours.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    // Knows columns by names, of which those of two tables are the same; conditions are where they
    // belong already.
    rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
    rules.insert(0, Arc::new(OneAfterAnother));
    let checked = rules.iter().position(|rule| rule.name() == "SanityCheckPlan");
    rules.insert(checked.unwrap_or(rules.len()), Arc::new(AsOrdered));
    rules.push(Arc::new(Interruptible));
    rules
}

/// DataFusion's planner with our operators.
#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Operators)]);
        planner.create_physical_plan(&lazy::lazy_plan(plan)?, session).await
    }
}

struct Operators;

#[async_trait]
impl ExtensionPlanner for Operators {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> DataFusionResult<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(series) = node.as_any().downcast_ref::<Series>() {
            let args = series
                .args()
                .iter()
                .map(|arg| planner.create_physical_expr(arg, &DFSchema::empty(), session, context))
                .collect::<DataFusionResult<Vec<_>>>()?;
            return Ok(Some(Arc::new(series.execution(args))));
        }
        let Some(applied) = node.as_any().downcast_ref::<apply::Apply>() else { return Ok(None) };
        let schema = logical_inputs[0].schema();
        let values = applied
            .values()
            .map(|value| planner.create_physical_expr(value, schema, session, context))
            .collect::<DataFusionResult<Vec<_>>>()?;
        Ok(Some(Arc::new(applied.execution(Arc::clone(&physical_inputs[0]), values))))
    }
}

/// A relation as a source of rows: the live columns as `a<attnum>`, then `_key` and `_lsn`.
#[derive(Debug)]
pub(crate) struct RelationSource {
    relation: Arc<Relation>,
    schema: SchemaRef,
}

/// The key of a row, as storage has it.
pub(crate) const KEY_COLUMN: &str = "_key";
/// The LSN of a row's last change; 0 inside the transaction that made it.
pub(crate) const LSN_COLUMN: &str = "_lsn";

impl RelationSource {
    pub(crate) fn new(relation: Arc<Relation>) -> Result<Self> {
        let is_stored = matches!(relation.body, RelationBody::Table { .. });
        let mut fields = relation
            .live_columns()
            .map(|(attnum, column)| {
                // Rows made up by the server promise nothing.
                let nullable = !column.not_null || !is_stored;
                Ok(Field::new(format!("a{attnum}"), column.ty.arrow()?, nullable))
            })
            .collect::<Result<Vec<Field>>>()?;
        if is_stored {
            fields.push(Field::new(KEY_COLUMN, DataType::Binary, false));
            fields.push(Field::new(LSN_COLUMN, DataType::UInt64, false));
        }
        Ok(RelationSource { relation, schema: Arc::new(Schema::new(fields)) })
    }
}

#[async_trait]
impl TableProvider for RelationSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match restricts(&self.relation, filter) {
                true => TableProviderFilterPushDown::Inexact,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let ranges = match self.relation.layout {
            Some(_) => key_ranges(&self.relation, filters)?,
            None => KeyRanges::system(&self.relation, filters),
        };
        let scan = ScanExec::new(Arc::clone(&self.relation), &self.schema, columns, ranges, limit)?;
        Ok(Arc::new(scan))
    }
}

/// Whether nothing in an expression depends on a row or on when it is evaluated.
pub(crate) fn is_fixed(expr: &Expr) -> bool {
    let mut fixed = true;
    let walked = expr.apply(|node| {
        let moves = matches!(
            node,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::Unnest(_)
        );
        if moves || node.is_volatile_node() {
            fixed = false;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    fixed && walked.is_ok()
}
