//! The values that frames of RANGE with an offset reach to.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::super::Volatility;
use super::super::kernel::{Float8, Int8, Interval, Kernel, Num, SqlType, Time, k2, scalar_udf};
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
        Oid::INT8 => made::<Int8, Int8, Int8>(match subtracts {
            true => k2::<Int8, Int8, Int8>(|v, n| Ok(v.saturating_sub(n))),
            false => k2::<Int8, Int8, Int8>(|v, n| Ok(v.saturating_add(n))),
        }),
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

type Made = (Vec<arrow::datatypes::DataType>, arrow::datatypes::DataType, Kernel);

fn made<A: SqlType, B: SqlType, R: SqlType>(kernel: Kernel) -> Made {
    (vec![A::data_type(), B::data_type()], R::data_type(), kernel)
}
