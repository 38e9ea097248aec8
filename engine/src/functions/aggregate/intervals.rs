//! sum and avg of intervals.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::datetime;
use super::super::registry::Implementations;
use super::{PgAggregate, sized};
use crate::error::{Error, Result};
use crate::types::PgType;
use crate::types::interval::{Parts, out_of_range};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub(super) fn register(all: &mut Implementations) {
    for (signature, average) in [("sum(interval)", false), ("avg(interval)", true)] {
        let state = vec![INTERVAL, DataType::Int64];
        let aggregate =
            PgAggregate::new(signature, &[PgType::INTERVAL], INTERVAL, state, move || {
                Box::new(Sum { average, parts: Parts::default(), count: 0 })
            });
        all.add(signature, aggregate.implementation());
    }
}

#[derive(Debug)]
struct Sum {
    average: bool,
    parts: Parts,
    count: i64,
}

impl Sum {
    fn add(&mut self, other: Parts, sign: i32) -> Result<()> {
        let sum = (|| {
            Some(Parts {
                months: self.parts.months.checked_add(other.months.checked_mul(sign)?)?,
                days: self.parts.days.checked_add(other.days.checked_mul(sign)?)?,
                us: self.parts.us.checked_add(other.us.checked_mul(sign.into())?)?,
            })
        })();
        self.parts = sum.ok_or_else(out_of_range)?;
        Ok(())
    }

    fn add_all(&mut self, array: &ArrayRef, sign: i32) -> Result<()> {
        for value in array.as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
            self.add(Parts::of(value), sign)?;
            self.count += i64::from(sign);
        }
        Ok(())
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.add_all(&values[0], 1).map_err(Error::into_datafusion)
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let value = match self.count {
            0 => None,
            count if self.average => Some(datetime::divided(self.parts, count as f64)?),
            _ => Some(self.parts.value()?),
        };
        Ok(ScalarValue::IntervalMonthDayNano(value))
    }

    fn size(&self) -> usize {
        sized(self, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::IntervalMonthDayNano(Some(self.parts.value()?)),
            ScalarValue::Int64(Some(self.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let counts = states[1].as_primitive::<Int64Type>();
        let before = self.count;
        self.add_all(&states[0], 1)?;
        self.count = before + counts.iter().flatten().sum::<i64>();
        debug_assert_eq!(states[0].len(), counts.len());
        Ok(())
    }
}
