//! `x op ANY (array)` and `x op ALL (array)`.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBuilder, ListArray, Scalar, UInt32Array};
use arrow::compute::kernels::cmp;
use arrow::datatypes::DataType;
use datafusion::logical_expr::{Operator as NativeOperator, ScalarUDF};

use super::kernel::{Arg, Call, Kernel, PgScalar, downcast, scalar_udf};
use super::{Implementation, ResolvedCall, Volatility};
use crate::error::{Error, Result};

/// Lists up to this many elements that are the same for all rows are gone through element by
/// element over whole columns.
const ELEMENTWISE_LIMIT: usize = 4_096;

/// Makes the function of a left value and an array out of the operator's call.
pub(super) fn udf(call: &ResolvedCall, all: bool) -> Result<Arc<ScalarUDF>> {
    let [left, element] = call.args[..] else {
        return Err(Error::internal("ANY and ALL need a binary operator"));
    };
    let word = if all { "all" } else { "any" };
    let id = format!("{word}_{}({},{})", call.function.name, left.oid, element.oid);
    let compare = elementary(&call.implementation)?;
    let kernel: Kernel = Arc::new(move |call: &Call| quantify(call, &compare, all));
    let array = element.array().map_or(Ok(DataType::Null), |t| t.arrow())?;
    let args = vec![left.arrow()?, array];
    Ok(scalar_udf(&id, args, DataType::Boolean, Volatility::Immutable, false, kernel))
}

/// The operator over columns.
type Compare = Arc<dyn Fn(&Call) -> Result<ArrayRef> + Send + Sync>;

fn elementary(implementation: &Implementation) -> Result<Compare> {
    match implementation {
        Implementation::Native(op) => {
            let op = *op;
            Ok(Arc::new(move |call: &Call| native(call, op)))
        }
        Implementation::Udf(udf) => {
            let inner: &dyn Any = udf.inner().as_ref();
            let scalar = inner
                .downcast_ref::<PgScalar>()
                .ok_or_else(|| Error::internal("ANY and ALL over a foreign function"))?;
            Ok(scalar.kernel())
        }
        _ => Err(Error::feature_not_supported("this operator can't be used with ANY and ALL")),
    }
}

fn native(call: &Call, op: NativeOperator) -> Result<ArrayRef> {
    let compare = |left: &dyn arrow::array::Datum, right: &dyn arrow::array::Datum| match op {
        NativeOperator::Eq => cmp::eq(left, right),
        NativeOperator::NotEq => cmp::neq(left, right),
        NativeOperator::Lt => cmp::lt(left, right),
        NativeOperator::LtEq => cmp::lt_eq(left, right),
        NativeOperator::Gt => cmp::gt(left, right),
        _ => cmp::gt_eq(left, right),
    };
    let (left, right) = (&call.args[0], &call.args[1]);
    let result = match (left.constant && call.rows != 1, right.constant && call.rows != 1) {
        (false, false) => compare(&left.array, &right.array),
        (true, false) => compare(&Scalar::new(Arc::clone(&left.array)), &right.array),
        (false, true) => compare(&left.array, &Scalar::new(Arc::clone(&right.array))),
        (true, true) => {
            return native(
                &Call {
                    args: vec![
                        Arg { array: left.expanded(call.rows)?, constant: false },
                        Arg { array: right.expanded(call.rows)?, constant: false },
                    ],
                    rows: call.rows,
                },
                op,
            );
        }
    };
    Ok(Arc::new(result?))
}

fn quantify(call: &Call, compare: &Compare, all: bool) -> Result<ArrayRef> {
    let (left, array) = (&call.args[0], &call.args[1]);
    let lists: &ListArray = downcast(&array.array)?;
    if array.constant && (lists.is_null(0) || lists.value_length(0) as usize <= ELEMENTWISE_LIMIT) {
        return elementwise(call, lists, compare, all);
    }
    // Every element beside its row's left value.
    let offsets = lists.value_offsets();
    let (mut rows_of, mut at) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let i = array.index(row);
        if lists.is_valid(i) {
            for element in offsets[i]..offsets[i + 1] {
                rows_of.push(left.index(row) as u32);
                at.push(element as u32);
            }
        }
    }
    let taken = |values: &ArrayRef, indices: Vec<u32>| -> Result<Arg> {
        let array = arrow::compute::take(values, &UInt32Array::from(indices), None)?;
        Ok(Arg { array, constant: false })
    };
    let rows = at.len();
    let args = vec![taken(&left.array, rows_of)?, taken(lists.values(), at)?];
    let compared = compare(&Call { args, rows })?;
    let compared: &BooleanArray = downcast(&compared)?;
    let mut out = BooleanBuilder::with_capacity(call.rows);
    let mut next = 0;
    for row in 0..call.rows {
        let i = array.index(row);
        if lists.is_null(i) {
            out.append_null();
            continue;
        }
        let count = lists.value_length(i) as usize;
        let values = (next..next + count).map(|n| compared.is_valid(n).then(|| compared.value(n)));
        out.append_option(fold(values, all));
        next += count;
    }
    Ok(Arc::new(out.finish()))
}

/// Three-valued OR (ANY) or AND (ALL).
fn fold(values: impl Iterator<Item = Option<bool>>, all: bool) -> Option<bool> {
    let mut unknown = false;
    for value in values {
        match value {
            None => unknown = true,
            Some(value) if value != all => return Some(!all),
            Some(_) => {}
        }
    }
    if unknown { None } else { Some(all) }
}

fn elementwise(call: &Call, lists: &ListArray, compare: &Compare, all: bool) -> Result<ArrayRef> {
    if lists.is_null(0) {
        return Ok(Arc::new(BooleanArray::new_null(call.rows)));
    }
    let elements = lists.value(0);
    let mut sum = BooleanArray::from(vec![all; call.rows]);
    for at in 0..elements.len() {
        let element = Arg { array: elements.slice(at, 1), constant: true };
        let left = call.args[0].clone();
        let compared = compare(&Call { args: vec![left, element], rows: call.rows })?;
        let compared: &BooleanArray = downcast(&compared)?;
        sum = if all {
            arrow::compute::and_kleene(&sum, compared)?
        } else {
            arrow::compute::or_kleene(&sum, compared)?
        };
    }
    Ok(Arc::new(sum))
}
