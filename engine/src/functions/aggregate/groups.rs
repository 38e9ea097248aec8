//! count, and sums and averages of integers over many groups at once.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Int64Array, Int64Builder,
};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Int64Type};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use super::sized;
use crate::error::{Error, Result};
use crate::types::numeric::Numeric;

/// Rows of one group.
#[derive(Debug, Default)]
pub(super) struct Count {
    rows: i64,
}

fn non_null(values: &[ArrayRef]) -> i64 {
    values.first().map_or(0, |v| v.len() - v.logical_null_count()) as i64
}

impl Accumulator for Count {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.rows += non_null(values);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.rows -= non_null(values);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.rows)))
    }

    fn size(&self) -> usize {
        sized(self, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Int64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        self.rows += states[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        Ok(())
    }
}

/// Takes the first groups, or all.
pub(super) fn emit<T>(values: &mut Vec<T>, to: EmitTo) -> Vec<T> {
    to.take_needed(values)
}

/// Calls `f` with group and row of every row that the filter lets through.
pub(super) fn each(
    group_indices: &[usize],
    filter: Option<&BooleanArray>,
    mut f: impl FnMut(usize, usize),
) {
    match filter {
        None => group_indices.iter().enumerate().for_each(|(row, group)| f(*group, row)),
        Some(filter) => {
            for (row, group) in group_indices.iter().enumerate() {
                if filter.is_valid(row) && filter.value(row) {
                    f(*group, row);
                }
            }
        }
    }
}

/// Rows of many groups.
#[derive(Debug, Default)]
pub(super) struct CountGroups {
    rows: Vec<i64>,
}

impl GroupsAccumulator for CountGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> DataFusionResult<()> {
        self.rows.resize(total, 0);
        let nulls = values.first().and_then(|v| v.logical_nulls());
        each(group_indices, filter, |group, row| {
            if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                self.rows[group] += 1;
            }
        });
        Ok(())
    }

    fn evaluate(&mut self, to: EmitTo) -> DataFusionResult<ArrayRef> {
        Ok(Arc::new(Int64Array::from(emit(&mut self.rows, to))))
    }

    fn state(&mut self, to: EmitTo) -> DataFusionResult<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total: usize,
    ) -> DataFusionResult<()> {
        self.rows.resize(total, 0);
        let counts = values[0].as_primitive::<Int64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            self.rows[*group] += counts.value(row);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> DataFusionResult<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |v| v.len());
        let mut out = Int64Builder::with_capacity(rows);
        for row in 0..rows {
            let passes = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            out.append_value(i64::from(passes && values[0].is_valid(row)));
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn size(&self) -> usize {
        sized(self, self.rows.capacity() * 8)
    }
}

/// What becomes of an integer sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finish {
    /// sum(int2) and sum(int4): int8.
    SumInt8,
    /// sum(int8): numeric.
    SumNumeric,
    /// avg: numeric.
    Average,
}

impl Finish {
    /// The result of one group.
    pub(super) fn number(self, sum: i128, count: i64) -> Result<Option<Numeric>> {
        if count == 0 {
            return Ok(None);
        }
        Ok(Some(match self {
            Finish::SumInt8 | Finish::SumNumeric => Numeric::from(sum),
            Finish::Average => Numeric::from(sum).div(&Numeric::from(count))?,
        }))
    }
}

/// Sums of integers of many groups.
#[derive(Debug)]
pub(super) struct IntegerGroups<P> {
    finish: Finish,
    sums: Vec<i128>,
    counts: Vec<i64>,
    of: std::marker::PhantomData<fn() -> P>,
}

impl<P> IntegerGroups<P> {
    pub(super) fn new(finish: Finish) -> Self {
        IntegerGroups { finish, sums: Vec::new(), counts: Vec::new(), of: std::marker::PhantomData }
    }
}

impl<P> GroupsAccumulator for IntegerGroups<P>
where
    P: ArrowPrimitiveType + std::fmt::Debug,
    i128: From<P::Native>,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> DataFusionResult<()> {
        self.sums.resize(total, 0);
        self.counts.resize(total, 0);
        let numbers = values[0].as_primitive::<P>();
        let nulls = numbers.nulls();
        let natives = numbers.values();
        each(group_indices, filter, |group, row| {
            if nulls.is_none_or(|n| n.is_valid(row)) {
                self.sums[group] += i128::from(natives[row]);
                self.counts[group] += 1;
            }
        });
        Ok(())
    }

    fn evaluate(&mut self, to: EmitTo) -> DataFusionResult<ArrayRef> {
        let sums = emit(&mut self.sums, to);
        let counts = emit(&mut self.counts, to);
        let pairs = sums.into_iter().zip(counts);
        if self.finish == Finish::SumInt8 {
            let results = pairs
                .map(|(sum, count)| {
                    let narrow = i64::try_from(sum)
                        .map_err(|_| Error::numeric_out_of_range("bigint out of range"))?;
                    Ok((count > 0).then_some(narrow))
                })
                .collect::<Result<Int64Array>>()?;
            return Ok(Arc::new(results));
        }
        let results = pairs
            .map(|(sum, count)| Ok(self.finish.number(sum, count)?.map(|n| n.to_bytes())))
            .collect::<Result<Vec<Option<Vec<u8>>>>>()?;
        Ok(Arc::new(results.into_iter().collect::<BinaryArray>()))
    }

    fn state(&mut self, to: EmitTo) -> DataFusionResult<Vec<ArrayRef>> {
        let sums =
            Decimal128Array::from(emit(&mut self.sums, to)).with_precision_and_scale(38, 0)?;
        let counts = Int64Array::from(emit(&mut self.counts, to));
        Ok(vec![Arc::new(sums), Arc::new(counts)])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total: usize,
    ) -> DataFusionResult<()> {
        self.sums.resize(total, 0);
        self.counts.resize(total, 0);
        let sums = values[0].as_primitive::<Decimal128Type>();
        let counts = values[1].as_primitive::<Int64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            self.sums[*group] += sums.value(row);
            self.counts[*group] += counts.value(row);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> DataFusionResult<Vec<ArrayRef>> {
        let mut each_row = IntegerGroups::<P>::new(self.finish);
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each_row.update_batch(values, &rows, filter, rows.len())?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        sized(self, self.sums.capacity() * 16 + self.counts.capacity() * 8)
    }
}
