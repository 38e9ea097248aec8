//! LIMIT and OFFSET over numbered rows.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::Volatility;
use super::kernel::{Bool, Int8, Kernel, Maybe, k4, scalar_udf};
use crate::error::{Error, Result, SqlState};

/// Whether a row with a number and a rank is among those that an OFFSET and a LIMIT leave. NULL is
/// no OFFSET and no LIMIT.
pub(crate) fn within_limits() -> Arc<ScalarUDF> {
    let kernel: Kernel = k4::<Int8, Int8, Maybe<Int8>, Maybe<Int8>, Bool>(is_within);
    let args = vec![DataType::Int64; 4];
    let id = "within_limits(int8,int8,int8,int8)";
    scalar_udf(id, args, DataType::Boolean, Volatility::Immutable, false, kernel)
}

fn is_within(number: i64, rank: i64, offset: Option<i64>, limit: Option<i64>) -> Result<bool> {
    let negative =
        |state, clause: &str| Err(Error::new(state, format!("{clause} must not be negative")));
    let skipped = offset.unwrap_or(0);
    if skipped < 0 {
        return negative(SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET");
    }
    match limit {
        Some(limit) if limit < 0 => negative(SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT"),
        Some(0) => Ok(false),
        Some(limit) => Ok(number > skipped && rank <= skipped.saturating_add(limit)),
        None => Ok(number > skipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_within() {
        assert!(is_within(3, 2, Some(1), Some(1)).unwrap());
        assert!(!is_within(1, 1, Some(1), Some(1)).unwrap());
        assert!(!is_within(2, 1, Some(1), Some(0)).unwrap());
        assert!(is_within(2, 2, None, None).unwrap());
        assert!(is_within(2, 2, None, Some(-1)).is_err());
    }
}
