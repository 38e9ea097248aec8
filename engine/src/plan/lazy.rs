//! AND and OR that look at an operand only where the ones before it leave the answer open.
//!
//! DataFusion evaluates both sides of AND and OR for whole batches, so `a = 0 OR 10 / a > 1` would
//! divide by zero. Where a later operand can fail, the whole condition becomes one function over
//! the columns in it, which holds the operands compiled. That happens after optimisation, whose
//! rules know AND and OR by their meaning and keep their order. In WHERE, what can't fail comes
//! first, as in PostgreSQL, which orders conditions by their cost.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    arrow::{
        array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions},
        compute::{and_kleene, is_null, not, or, or_kleene},
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    common::{
        Column, DFSchema, ExprSchema, Result as DataFusionResult,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, TypeSignature, Volatility,
        expr::ScalarFunction,
        expr_rewriter::NamePreserver,
        utils::{conjunction, merge_schema},
    },
    physical_expr::PhysicalExpr,
};

use super::create_expression;
use crate::functions::kernel::is_total;

/// Makes every AND and OR of an optimised plan lazy that has to be.
pub(super) fn lazy_plan(plan: &LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let rewritten = plan.clone().transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_)) {
            // Its filters only restrict the scan, and are applied above it again.
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let is_filter = matches!(node, LogicalPlan::Filter(_));
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = match is_filter {
                true => lazy_filter(expr, &schema)?,
                false => lazy_expression(expr, &schema)?,
            };
            Ok(expr.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(rewritten.data)
}

/// A condition of WHERE: the equalities that tell how rows are ordered remain visible.
fn lazy_filter(predicate: Expr, schema: &DFSchema) -> DataFusionResult<Transformed<Expr>> {
    let mut operands = Vec::new();
    flatten(&predicate, Operator::And, &mut operands);
    let equalities: Vec<Expr> =
        operands.into_iter().filter(|operand| is_equality(operand)).cloned().collect();
    let lazy = lazy_expression(predicate, schema)?;
    let is_whole = matches!(&lazy.data, Expr::ScalarFunction(_));
    match (lazy.transformed && is_whole, conjunction(equalities)) {
        (true, Some(equalities)) => Ok(Transformed::yes(equalities.and(lazy.data))),
        _ => Ok(lazy),
    }
}

fn is_equality(expr: &Expr) -> bool {
    let Expr::BinaryExpr(binary) = expr else { return false };
    let is_plain = |side: &Expr| matches!(side, Expr::Column(_) | Expr::Literal(..));
    binary.op == Operator::Eq && is_plain(&binary.left) && is_plain(&binary.right)
}

/// An expression over rows of `schema` whose ANDs and ORs are lazy where they have to be.
pub(super) fn lazy_expression(
    expr: Expr,
    schema: &DFSchema,
) -> DataFusionResult<Transformed<Expr>> {
    expr.transform_down(|node| {
        let Expr::BinaryExpr(binary) = &node else { return Ok(Transformed::no(node)) };
        if !matches!(binary.op, Operator::And | Operator::Or) {
            return Ok(Transformed::no(node));
        }
        let mut operands = Vec::new();
        flatten(&node, binary.op, &mut operands);
        if !operands[1..].iter().any(|operand| may_fail(operand)) {
            return Ok(Transformed::no(node));
        }
        let call = Lazy::call(&node, binary.op, &operands, schema)?;
        Ok(Transformed::new(call, true, TreeNodeRecursion::Jump))
    })
}

/// The operands of a chain of `op`, from the left.
fn flatten<'e>(expr: &'e Expr, op: Operator, operands: &mut Vec<&'e Expr>) {
    let mut rest = vec![expr];
    while let Some(next) = rest.pop() {
        match next {
            Expr::BinaryExpr(binary) if binary.op == op => {
                rest.push(&binary.right);
                rest.push(&binary.left);
            }
            operand => operands.push(operand),
        }
    }
}

/// Whether there may be rows for which an expression has no value but an error.
pub(crate) fn may_fail(expr: &Expr) -> bool {
    let fails = |node: &Expr| {
        Ok(match node {
            Expr::Alias(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Column(_)
            | Expr::InList(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotNull(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsUnknown(_)
            | Expr::Literal(..)
            | Expr::Not(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::ScalarSubquery(_) => false,
            Expr::BinaryExpr(binary) => !is_total_operator(binary.op),
            Expr::ScalarFunction(call) => !is_total(&call.func),
            _ => true,
        })
    };
    expr.exists(fails).unwrap_or(true)
}

/// Whether an operator has a value for all operands.
pub(crate) fn is_total_operator(op: Operator) -> bool {
    matches!(
        op,
        Operator::And
            | Operator::Or
            | Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// AND or OR as a function of the columns in its operands.
struct Lazy {
    /// The condition as text.
    name: String,
    op: Operator,
    /// Over rows of `schema`.
    operands: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    signature: Signature,
}

impl Lazy {
    fn call(
        whole: &Expr,
        op: Operator,
        operands: &[&Expr],
        schema: &DFSchema,
    ) -> DataFusionResult<Expr> {
        let mut leaves = Leaves::default();
        let operands = operands
            .iter()
            .map(|operand| leaves.inside(lazy_expression((*operand).clone(), schema)?.data, schema))
            .collect::<DataFusionResult<Vec<Expr>>>()?;
        let inner = Arc::new(Schema::new(leaves.fields));
        let inner_schema = DFSchema::try_from(Arc::clone(&inner))?;
        let operands = operands
            .iter()
            .map(|operand| create_expression(operand, &inner_schema))
            .collect::<DataFusionResult<Vec<_>>>()?;
        let volatility = match whole.is_volatile() {
            true => Volatility::Volatile,
            // What was constant is evaluated already.
            false => Volatility::Stable,
        };
        let types = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let lazy = Lazy {
            name: whole.to_string(),
            op,
            operands,
            schema: inner,
            signature: Signature::new(types, volatility),
        };
        let function = Arc::new(ScalarUDF::new_from_impl(lazy));
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, leaves.outside)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<BooleanArray> {
        let rows = batch.num_rows();
        let mut answer: Option<BooleanArray> = None;
        for operand in &self.operands {
            let value = match &answer {
                None => operand.evaluate(batch)?,
                Some(known) => {
                    let open = self.open(known)?;
                    if open.true_count() == 0 {
                        break;
                    }
                    operand.evaluate_selection(batch, &open)?
                }
            };
            let value = value.into_array(rows)?;
            let value = value.as_boolean();
            answer = Some(match &answer {
                None => value.clone(),
                Some(known) if self.op == Operator::And => and_kleene(known, value)?,
                Some(known) => or_kleene(known, value)?,
            });
        }
        Ok(answer.unwrap_or_else(|| BooleanArray::from(vec![self.op == Operator::And; rows])))
    }

    /// The rows whose answer further operands may change.
    fn open(&self, known: &BooleanArray) -> DataFusionResult<BooleanArray> {
        let undecided = match self.op {
            Operator::And => known.clone(),
            _ => not(known)?,
        };
        if undecided.null_count() == 0 {
            return Ok(undecided);
        }
        let nulls = is_null(&undecided)?;
        let trues = BooleanArray::new(undecided.values() & &!nulls.values(), None);
        Ok(or(&trues, &nulls)?)
    }
}

/// What operands take from the rows around: columns, and subqueries that are computed once.
#[derive(Default)]
struct Leaves {
    outside: Vec<Expr>,
    fields: Vec<Field>,
}

impl Leaves {
    /// The operand over the columns of `fields`.
    fn inside(&mut self, operand: Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
        let rewritten = operand.transform_down(|node| {
            let (ty, nullable) = match &node {
                Expr::Column(column) => {
                    let field = schema.field_from_column(column)?;
                    (field.data_type().clone(), field.is_nullable())
                }
                Expr::ScalarSubquery(subquery) => {
                    (subquery.subquery.schema().field(0).data_type().clone(), true)
                }
                _ => return Ok(Transformed::no(node)),
            };
            let place = match self.outside.iter().position(|leaf| *leaf == node) {
                Some(place) => place,
                None => {
                    self.fields.push(Field::new(format!("c{}", self.fields.len()), ty, nullable));
                    self.outside.push(node);
                    self.outside.len() - 1
                }
            };
            let column = Column::new_unqualified(self.fields[place].name());
            Ok(Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump))
        })?;
        Ok(rewritten.data)
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Lazy {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.operands == other.operands && self.schema == other.schema
    }
}

impl Eq for Lazy {}

impl Hash for Lazy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.operands.hash(state);
    }
}

impl ScalarUDFImpl for Lazy {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .into_iter()
            .map(|value| value.into_array(rows))
            .collect::<DataFusionResult<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(ColumnarValue::Array(Arc::new(self.evaluate(&batch)?)))
    }
}
