//! IN lists, kept as they are written.
//!
//! DataFusion's simplifier puts two lists of one expression together: `x IN (a) AND x IN (b)`
//! becomes a list of what both have. It tells items by their expressions and takes an empty list
//! for false; with NULLs, columns or parameters among them the answer is another.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::datatypes::DataType,
    common::{
        Result as DataFusionResult, exec_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature, Volatility,
        expr::{InList, ScalarFunction},
        expr_rewriter::NamePreserver,
    },
    optimizer::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

/// A rule that doesn't see IN lists, nor what it would make one of.
#[derive(Debug)]
pub(super) struct WithoutLists(pub(super) Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for WithoutLists {
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
        let mut has_lists = false;
        plan.apply_expressions(|expr| {
            has_lists |= expr.exists(|part| Ok(is_list(part) || is_choice(part)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !has_lists {
            return self.0.rewrite(plan, config);
        }
        let names = NamePreserver::new(&plan);
        let hidden = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(hide)?.update_data(|expr| name.restore(expr)))
        })?;
        let rewritten = self.0.rewrite(hidden.data, config)?;
        let names = NamePreserver::new(&rewritten.data);
        let shown = rewritten.data.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(show)?.update_data(|expr| name.restore(expr)))
        })?;
        Ok(Transformed::new_transformed(shown.data, rewritten.transformed))
    }
}

fn is_list(expr: &Expr) -> bool {
    matches!(expr, Expr::InList(_))
}

/// Whether it is an OR.
fn is_choice(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::Or)
}

fn hide(expr: Expr) -> DataFusionResult<Transformed<Expr>> {
    match expr {
        Expr::InList(InList { expr, list, negated }) => {
            let call = call(std::iter::once(*expr).chain(list).collect());
            Ok(Transformed::yes(if negated { Expr::Not(Box::new(call)) } else { call }))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (hide_equality(*left), hide_equality(*right));
            if let (Expr::ScalarFunction(one), Expr::ScalarFunction(other)) = (&left, &right)
                && is_hidden(one)
                && is_hidden(other)
                && one.args.first() == other.args.first()
            {
                let args = one.args.iter().chain(&other.args[1..]).cloned().collect();
                return Ok(Transformed::yes(call(args)));
            }
            Ok(Transformed::yes(left.or(right)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// An equality of columns with a constant, as a list of one.
fn hide_equality(expr: Expr) -> Expr {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = &expr else { return expr };
    match (left.any_column_refs(), right.any_column_refs()) {
        (true, false) => call(vec![(**left).clone(), (**right).clone()]),
        (false, true) => call(vec![(**right).clone(), (**left).clone()]),
        _ => expr,
    }
}

fn show(expr: Expr) -> DataFusionResult<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(mut call) if is_hidden(&call) => {
            let subject = call.args.remove(0);
            if let [one] = &call.args[..] {
                return Ok(Transformed::yes(subject.eq(one.clone())));
            }
            let list = InList::new(Box::new(subject), call.args, false);
            Ok(Transformed::yes(Expr::InList(list)))
        }
        Expr::Not(inner) => match *inner {
            Expr::InList(InList { expr, list, negated }) => {
                Ok(Transformed::yes(Expr::InList(InList::new(expr, list, !negated))))
            }
            other => Ok(Transformed::no(Expr::Not(Box::new(other)))),
        },
        other => Ok(Transformed::no(other)),
    }
}

fn call(args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&HIDDEN), args))
}

fn is_hidden(call: &ScalarFunction) -> bool {
    Arc::ptr_eq(&call.func, &HIDDEN)
}

static HIDDEN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    // Volatile, so that nobody looks for its value while it stands there.
    let signature = Signature::variadic_any(Volatility::Volatile);
    Arc::new(ScalarUDF::new_from_impl(Hidden { signature }))
});

/// What stands for `x IN (a, b)`, as a call with the arguments x, a and b, while the rule runs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hidden {
    signature: Signature,
}

impl ScalarUDFImpl for Hidden {
    fn name(&self) -> &str {
        "in_list"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        exec_err!("an IN list was left hidden")
    }
}
