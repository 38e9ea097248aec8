//! The values that frames of RANGE with an offset reach to.

use std::sync::Arc;

use arrow::array::{Array, Decimal128Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::super::Volatility;
use super::super::kernel::{
    Float8, Int8, Interval, Kernel, Num, SqlType, Time, downcast, k2, scalar_udf,
};
use crate::error::Result;
use crate::types::Oid;
use crate::types::interval::Parts;
use crate::types::numeric::Numeric;

/// `value - offset` or `value + offset` where the operator isn't what PostgreSQL's `in_range`
/// compares with: numbers don't overflow, a time of day doesn't begin anew, and an infinite offset
/// from the infinity on the other side reaches everything, upwards or downwards as `is_upper` says.
/// `None` for types whose operator is.
pub(crate) fn limit(ty: Oid, subtracts: bool, is_upper: bool) -> Option<Arc<ScalarUDF>> {
    let (args, ret, kernel): (_, _, Kernel) = match ty {
        Oid::INT8 => (vec![DataType::Int64; 2], WIDE, wide(if subtracts { -1 } else { 1 })),
        Oid::FLOAT8 => made::<Float8, Float8, Float8>(match (subtracts, is_upper) {
            (false, false) => {
                k2::<Float8, Float8, Float8>(|v, n| Ok(moved(v, n, f64::NEG_INFINITY)))
            }
            (false, true) => k2::<Float8, Float8, Float8>(|v, n| Ok(moved(v, n, f64::INFINITY))),
            (true, false) => {
                k2::<Float8, Float8, Float8>(|v, n| Ok(moved(v, -n, f64::NEG_INFINITY)))
            }
            (true, true) => k2::<Float8, Float8, Float8>(|v, n| Ok(moved(v, -n, f64::INFINITY))),
        }),
        Oid::NUMERIC => made::<Num, Num, Num>(match (subtracts, is_upper) {
            (false, false) => k2::<Num, Num, Num>(|v, n| number(v, n, Numeric::NegativeInfinity)),
            (false, true) => k2::<Num, Num, Num>(|v, n| number(v, n, Numeric::Infinity)),
            (true, false) => {
                k2::<Num, Num, Num>(|v, n| number(v, n.negate(), Numeric::NegativeInfinity))
            }
            (true, true) => k2::<Num, Num, Num>(|v, n| number(v, n.negate(), Numeric::Infinity)),
        }),
        Oid::TIME => made::<Time, Interval, Int8>(match subtracts {
            true => k2::<Time, Interval, Int8>(|v, n| Ok(v.saturating_sub(Parts::of(n).us))),
            false => k2::<Time, Interval, Int8>(|v, n| Ok(v.saturating_add(Parts::of(n).us))),
        }),
        _ => return None,
    };
    let id = format!("frame_limit({ty},{subtracts},{is_upper})");
    Some(scalar_udf(&id, args, ret, Volatility::Immutable, false, kernel))
}

/// Wider than the numbers, so that no limit is one of them by overflow.
const WIDE: DataType = DataType::Decimal128(38, 0);

fn wide(sign: i128) -> Kernel {
    Arc::new(move |call| {
        let [values, offsets] = [&call.args[0], &call.args[1]];
        let numbers = downcast::<Int64Array>(&values.array)?;
        let by = downcast::<Int64Array>(&offsets.array)?;
        let limit = |row: usize| {
            let (at, by_at) = (values.index(row), offsets.index(row));
            let is_known = numbers.is_valid(at) && by.is_valid(by_at);
            is_known.then(|| i128::from(numbers.value(at)) + sign * i128::from(by.value(by_at)))
        };
        let limits: Decimal128Array = (0..call.rows).map(limit).collect();
        Ok(Arc::new(limits.with_data_type(WIDE)))
    })
}

fn moved(value: f64, by: f64, all: f64) -> f64 {
    if value.is_infinite() && by == -value { all } else { value + by }
}

fn number(value: Numeric, by: Numeric, all: Numeric) -> Result<Numeric> {
    let is_infinite = |n: &Numeric| matches!(n, Numeric::Infinity | Numeric::NegativeInfinity);
    match is_infinite(&value) && is_infinite(&by) && value.sign() != by.sign() {
        true => Ok(all),
        false => value.add(&by),
    }
}

type Made = (Vec<DataType>, arrow::datatypes::DataType, Kernel);

fn made<A: SqlType, B: SqlType, R: SqlType>(kernel: Kernel) -> Made {
    (vec![A::data_type(), B::data_type()], R::data_type(), kernel)
}
