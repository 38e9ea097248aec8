//! sum, avg, variance and standard deviation of integers and numerics: exact sums.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Decimal128Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::kernel::downcast;
use super::super::registry::Implementations;
use super::groups::{Finish, IntegerGroups};
use super::{PgAggregate, sized};
use crate::error::{Error, Result};
use crate::types::numeric::Numeric;
use crate::types::{Oid, PgType};

const DECIMAL: DataType = DataType::Decimal128(38, 0);

pub(super) fn register(all: &mut Implementations) {
    for (name, oid) in [("int2", Oid::INT2), ("int4", Oid::INT4), ("int8", Oid::INT8)] {
        let finish = if oid == Oid::INT8 { Finish::SumNumeric } else { Finish::SumInt8 };
        integer(all, &format!("sum({name})"), oid, finish);
        integer(all, &format!("avg({name})"), oid, Finish::Average);
    }
    for (name, oid) in
        [("int2", Oid::INT2), ("int4", Oid::INT4), ("int8", Oid::INT8), ("numeric", Oid::NUMERIC)]
    {
        for (function, result) in [
            ("var_pop", Spread { sample: false, root: false }),
            ("var_samp", Spread { sample: true, root: false }),
            ("variance", Spread { sample: true, root: false }),
            ("stddev_pop", Spread { sample: false, root: true }),
            ("stddev_samp", Spread { sample: true, root: true }),
            ("stddev", Spread { sample: true, root: true }),
        ] {
            exact(all, &format!("{function}({name})"), oid, Outcome::Spread(result));
        }
    }
    exact(all, "sum(numeric)", Oid::NUMERIC, Outcome::Sum);
    exact(all, "avg(numeric)", Oid::NUMERIC, Outcome::Average);
}

fn integer(all: &mut Implementations, signature: &str, oid: Oid, finish: Finish) {
    let ret = if finish == Finish::SumInt8 { DataType::Int64 } else { DataType::Binary };
    let state = vec![DECIMAL, DataType::Int64];
    let args = [PgType::plain(oid)];
    let aggregate = PgAggregate::new(signature, &args, ret, state, move || {
        Box::new(IntegerSum { finish, sum: 0, count: 0 })
    });
    let aggregate = match oid {
        Oid::INT2 => {
            aggregate.with_groups(move || Box::new(IntegerGroups::<Int16Type>::new(finish)))
        }
        Oid::INT4 => {
            aggregate.with_groups(move || Box::new(IntegerGroups::<Int32Type>::new(finish)))
        }
        _ => aggregate.with_groups(move || Box::new(IntegerGroups::<Int64Type>::new(finish))),
    };
    all.add(signature, aggregate.implementation());
}

/// The sum of one group's integers.
#[derive(Debug)]
struct IntegerSum {
    finish: Finish,
    sum: i128,
    count: i64,
}

fn integers(array: &ArrayRef) -> Box<dyn Iterator<Item = i128> + '_> {
    match array.data_type() {
        DataType::Int16 => {
            Box::new(array.as_primitive::<Int16Type>().iter().flatten().map(i128::from))
        }
        DataType::Int32 => {
            Box::new(array.as_primitive::<Int32Type>().iter().flatten().map(i128::from))
        }
        DataType::Int64 => {
            Box::new(array.as_primitive::<Int64Type>().iter().flatten().map(i128::from))
        }
        _ => Box::new(std::iter::empty()),
    }
}

impl Accumulator for IntegerSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.sum += integers(&values[0]).sum::<i128>();
        self.count += (values[0].len() - values[0].null_count()) as i64;
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        if self.finish == Finish::SumInt8 {
            let narrow = i64::try_from(self.sum)
                .map_err(|_| Error::numeric_out_of_range("bigint out of range"))?;
            return Ok(ScalarValue::Int64((self.count > 0).then_some(narrow)));
        }
        let result = self.finish.number(self.sum, self.count)?;
        Ok(ScalarValue::Binary(result.map(|n| n.to_bytes())))
    }

    fn size(&self) -> usize {
        sized(self, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::Decimal128(Some(self.sum), 38, 0),
            ScalarValue::Int64(Some(self.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        self.sum += states[0].as_primitive::<Decimal128Type>().iter().flatten().sum::<i128>();
        self.count += states[1].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        Ok(())
    }
}

/// A variance or its root.
#[derive(Clone, Copy, Debug)]
struct Spread {
    sample: bool,
    root: bool,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Sum,
    Average,
    Spread(Spread),
}

fn exact(all: &mut Implementations, signature: &str, oid: Oid, outcome: Outcome) {
    let state = vec![DataType::Binary, DataType::Binary, DataType::Int64];
    let args = [PgType::plain(oid)];
    let aggregate = PgAggregate::new(signature, &args, DataType::Binary, state, move || {
        Box::new(Exact { outcome, sum: Numeric::ZERO, squares: Numeric::ZERO, count: 0 })
    });
    all.add(signature, aggregate.implementation());
}

/// Exact sums of values and, for variances, their squares.
#[derive(Debug)]
struct Exact {
    outcome: Outcome,
    sum: Numeric,
    squares: Numeric,
    count: i64,
}

impl Exact {
    fn add(&mut self, value: &Numeric) -> Result<()> {
        self.sum = self.sum.add(value)?;
        if matches!(self.outcome, Outcome::Spread(_)) {
            self.squares = self.squares.add(&value.mul(value)?)?;
        }
        self.count += 1;
        Ok(())
    }

    fn result(&self) -> Result<Option<Numeric>> {
        if self.count == 0 {
            return Ok(None);
        }
        match self.outcome {
            Outcome::Sum => Ok(Some(self.sum.clone())),
            Outcome::Average => self.sum.div(&Numeric::from(self.count)).map(Some),
            Outcome::Spread(spread) => self.spread(spread),
        }
    }

    /// `(n * sum(x^2) - sum(x)^2) / (n * n or n * (n - 1))`
    fn spread(&self, spread: Spread) -> Result<Option<Numeric>> {
        if spread.sample && self.count <= 1 {
            return Ok(None);
        }
        if !self.sum.is_finite() {
            return Ok(Some(Numeric::NaN));
        }
        let n = Numeric::from(self.count);
        let numerator = n.mul(&self.squares)?.sub(&self.sum.mul(&self.sum)?)?;
        if numerator.sign() <= 0 {
            return Ok(Some(Numeric::ZERO));
        }
        let below = if spread.sample { Numeric::from(self.count - 1) } else { n.clone() };
        let variance = numerator.div(&n.mul(&below)?)?;
        if spread.root { variance.sqrt().map(Some) } else { Ok(Some(variance)) }
    }
}

impl Accumulator for Exact {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if values[0].data_type() == &DataType::Binary {
            let numbers: &BinaryArray = downcast(&values[0])?;
            for bytes in numbers.iter().flatten() {
                self.add(&Numeric::from_bytes(bytes)?)?;
            }
        } else {
            for value in integers(&values[0]) {
                self.add(&Numeric::from(value))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(ScalarValue::Binary(self.result()?.map(|n| n.to_bytes())))
    }

    fn size(&self) -> usize {
        sized(self, 64)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::Binary(Some(self.sum.to_bytes())),
            ScalarValue::Binary(Some(self.squares.to_bytes())),
            ScalarValue::Int64(Some(self.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let sums: &BinaryArray = downcast(&states[0])?;
        let squares: &BinaryArray = downcast(&states[1])?;
        let counts = states[2].as_primitive::<Int64Type>();
        for row in 0..sums.len() {
            self.sum = self.sum.add(&Numeric::from_bytes(sums.value(row))?)?;
            self.squares = self.squares.add(&Numeric::from_bytes(squares.value(row))?)?;
            self.count += counts.value(row);
        }
        Ok(())
    }
}
