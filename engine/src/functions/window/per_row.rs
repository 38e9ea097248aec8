//! lag, lead, ntile and nth_value whose offsets, defaults and numbers are expressions.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, UInt64Array, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::super::kernel::downcast;
use crate::error::{Error, Result, SqlState};

/// The same function, with its arguments read row by row.
pub(super) fn udwf(native: &Arc<WindowUDF>) -> Arc<WindowUDF> {
    let kind = match native.name() {
        "lag" => Kind::Lag,
        "lead" => Kind::Lead,
        "ntile" => Kind::Ntile,
        _ => Kind::NthValue,
    };
    Arc::new(WindowUDF::new_from_impl(PerRow { kind, native: Arc::clone(native) }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Lag,
    Lead,
    Ntile,
    NthValue,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PerRow {
    kind: Kind,
    native: Arc<WindowUDF>,
}

impl WindowUDFImpl for PerRow {
    fn name(&self) -> &str {
        self.native.name()
    }

    fn signature(&self) -> &Signature {
        self.native.signature()
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        args.input_exprs().to_vec()
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> DataFusionResult<Box<dyn PartitionEvaluator>> {
        Ok(match self.kind {
            Kind::Lag => Box::new(Shift { back: true }),
            Kind::Lead => Box::new(Shift { back: false }),
            Kind::Ntile => Box::new(Ntile),
            Kind::NthValue => Box::new(NthValue { row: 0 }),
        })
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        match self.kind {
            Kind::Ntile => Ok(Arc::new(Field::new(args.name(), DataType::UInt64, true))),
            _ => self.native.field(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::NotSupported
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

fn numbers(array: &ArrayRef) -> Result<&Int32Array> {
    downcast(array)
}

/// `lag(value, offset [, default])`, and lead.
#[derive(Debug)]
struct Shift {
    back: bool,
}

impl Shift {
    fn shifted(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let offsets = numbers(&args[1])?;
        let null = new_null_array(args[0].data_type(), 1);
        let default = args.get(2).unwrap_or(&null);
        let beyond = |row: usize| (1, if args.len() > 2 { row } else { 0 });
        let places: Vec<(usize, usize)> = (0..rows)
            .map(|row| {
                if offsets.is_null(row) {
                    return (2, 0);
                }
                let offset = i64::from(offsets.value(row));
                let at = row as i64 + if self.back { -offset } else { offset };
                let inside = usize::try_from(at).ok().filter(|at| *at < rows);
                inside.map_or_else(|| beyond(row), |at| (0, at))
            })
            .collect();
        let sources = [args[0].as_ref(), default.as_ref(), null.as_ref()];
        Ok(arrow::compute::interleave(&sources, &places)?)
    }
}

impl PartitionEvaluator for Shift {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> DataFusionResult<ArrayRef> {
        self.shifted(values, rows).map_err(Error::into_datafusion)
    }
}

/// `ntile(buckets)`: the first number that isn't NULL holds for the partition.
#[derive(Debug)]
struct Ntile;

impl Ntile {
    fn buckets(counts: &Int32Array, rows: usize) -> Result<Vec<Option<u64>>> {
        let mut out = vec![None; rows];
        let Some(first) = (0..rows).find(|row| counts.is_valid(*row)) else { return Ok(out) };
        let count = u64::try_from(counts.value(first)).ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| {
            Error::new(
                SqlState::INVALID_ARGUMENT_FOR_NTILE_FUNCTION,
                "argument of ntile must be greater than zero",
            )
        })?;
        // Buckets of equal size, the first of them one larger where rows are left over.
        let (size, mut larger) = ((rows as u64 / count).max(1), rows as u64 % count);
        if rows as u64 / count == 0 {
            larger = 0;
        }
        let (mut bucket, mut used) = (1, 0);
        for place in out.iter_mut().skip(first) {
            if used == size + u64::from(bucket <= larger) {
                (bucket, used) = (bucket + 1, 0);
            }
            used += 1;
            *place = Some(bucket);
        }
        Ok(out)
    }
}

impl PartitionEvaluator for Ntile {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> DataFusionResult<ArrayRef> {
        let buckets = numbers(&values[0]).and_then(|counts| Self::buckets(counts, rows));
        Ok(Arc::new(UInt64Array::from(buckets.map_err(Error::into_datafusion)?)))
    }
}

/// `nth_value(value, n)` over the frame of each row.
#[derive(Debug)]
struct NthValue {
    /// The row whose frame comes next.
    row: usize,
}

impl NthValue {
    fn value(&mut self, args: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let n = numbers(&args[1])?;
        let row = self.row;
        self.row += 1;
        if n.is_null(row) {
            return Ok(ScalarValue::try_from(args[0].data_type())?);
        }
        let n = usize::try_from(n.value(row)).ok().filter(|n| *n > 0).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_ARGUMENT_FOR_NTH_VALUE_FUNCTION,
                "argument of nth_value must be greater than zero",
            )
        })?;
        match frame.start + n - 1 {
            at if at < frame.end => Ok(ScalarValue::try_from_array(&args[0], at)?),
            _ => Ok(ScalarValue::try_from(args[0].data_type())?),
        }
    }
}

impl PartitionEvaluator for NthValue {
    fn evaluate(
        &mut self,
        values: &[ArrayRef],
        range: &Range<usize>,
    ) -> DataFusionResult<ScalarValue> {
        self.value(values, range).map_err(Error::into_datafusion)
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_as_even_as_they_can_be() {
        let of = |count: i32, rows: usize| {
            let buckets = Ntile::buckets(&Int32Array::from(vec![count; rows]), rows).unwrap();
            buckets.into_iter().flatten().collect::<Vec<u64>>()
        };
        assert_eq!(of(3, 7), [1, 1, 1, 2, 2, 3, 3]);
        assert_eq!(of(3, 6), [1, 1, 2, 2, 3, 3]);
        assert_eq!(of(5, 3), [1, 2, 3]);
        assert_eq!(of(i32::MAX, 2), [1, 2]);
        assert!(Ntile::buckets(&Int32Array::from(vec![i32::MIN]), 1).is_err());
    }

    #[test]
    fn shifts_reach_beyond_the_ends() {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![10, 20, 30]));
        let offsets: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]));
        for back in [true, false] {
            let shifted = Shift { back }.shifted(&[values.clone(), offsets.clone()], 3).unwrap();
            assert_eq!(shifted.null_count(), 3);
        }
        let offsets: ArrayRef = Arc::new(Int32Array::from(vec![-1, 0, 1]));
        let shifted = Shift { back: true }.shifted(&[values, offsets], 3).unwrap();
        assert_eq!(numbers(&shifted).unwrap(), &Int32Array::from(vec![20, 20, 20]));
    }
}
