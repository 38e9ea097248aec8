//! Sums, averages, variances and regression of floats, by Youngs and Cramer's running form as
//! PostgreSQL's float8_accum and float8_regr_accum.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::registry::Implementations;
use super::{PgAggregate, all_valid, sized};
use crate::error::{Error, Result};
use crate::types::PgType;

pub(super) fn register(all: &mut Implementations) {
    for (name, ty) in [("float4", PgType::FLOAT4), ("float8", PgType::FLOAT8)] {
        let narrow = ty == PgType::FLOAT4;
        let sum_type = if narrow { DataType::Float32 } else { DataType::Float64 };
        let outcome = if narrow { Outcome::SumFloat4 } else { Outcome::Sum };
        one(all, &format!("sum({name})"), ty, sum_type, outcome);
        for (function, outcome) in [
            ("avg", Outcome::Average),
            ("var_pop", Outcome::Spread { sample: false, root: false }),
            ("var_samp", Outcome::Spread { sample: true, root: false }),
            ("variance", Outcome::Spread { sample: true, root: false }),
            ("stddev_pop", Outcome::Spread { sample: false, root: true }),
            ("stddev_samp", Outcome::Spread { sample: true, root: true }),
            ("stddev", Outcome::Spread { sample: true, root: true }),
        ] {
            one(all, &format!("{function}({name})"), ty, DataType::Float64, outcome);
        }
    }
    for (name, outcome) in [
        ("corr", Pair::Correlation),
        ("covar_pop", Pair::Covariance { sample: false }),
        ("covar_samp", Pair::Covariance { sample: true }),
        ("regr_avgx", Pair::AverageX),
        ("regr_avgy", Pair::AverageY),
        ("regr_count", Pair::Count),
        ("regr_intercept", Pair::Intercept),
        ("regr_r2", Pair::R2),
        ("regr_slope", Pair::Slope),
        ("regr_sxx", Pair::Sxx),
        ("regr_sxy", Pair::Sxy),
        ("regr_syy", Pair::Syy),
    ] {
        let signature = format!("{name}(float8,float8)");
        let ret = if outcome == Pair::Count { DataType::Int64 } else { DataType::Float64 };
        let args = [PgType::FLOAT8, PgType::FLOAT8];
        let state = vec![DataType::Float64; 6];
        let mut aggregate = PgAggregate::new(&signature, &args, ret, state, move || {
            Box::new(Pairs { outcome, ..Pairs::default() })
        });
        if outcome == Pair::Count {
            aggregate = aggregate.with_empty(ScalarValue::Int64(Some(0)));
        }
        all.add(&signature, aggregate.implementation());
    }
}

fn one(all: &mut Implementations, signature: &str, ty: PgType, ret: DataType, outcome: Outcome) {
    let state = vec![DataType::Float64; 3];
    let aggregate = PgAggregate::new(signature, &[ty], ret, state, move || {
        Box::new(Moments { outcome, n: 0.0, sum: 0.0, squares: 0.0 })
    });
    all.add(signature, aggregate.implementation());
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Sum,
    SumFloat4,
    Average,
    Spread { sample: bool, root: bool },
}

/// Count, sum and sum of squared deviations.
#[derive(Debug)]
struct Moments {
    outcome: Outcome,
    n: f64,
    sum: f64,
    squares: f64,
}

fn checked(result: f64, inputs_finite: bool) -> Result<f64> {
    if result.is_infinite() && inputs_finite {
        return Err(Error::numeric_out_of_range("value out of range: overflow"));
    }
    Ok(result)
}

impl Moments {
    fn add(&mut self, value: f64) -> Result<()> {
        let before = self.sum;
        self.n += 1.0;
        self.sum += value;
        checked(self.sum, before.is_finite() && value.is_finite())?;
        if matches!(self.outcome, Outcome::Spread { .. }) {
            if self.n > 1.0 {
                let deviation = value * self.n - self.sum;
                self.squares += deviation * deviation / (self.n * (self.n - 1.0));
            }
            if !self.sum.is_finite() {
                self.squares = f64::NAN;
            }
        }
        Ok(())
    }

    fn merge(&mut self, n: f64, sum: f64, squares: f64) {
        if n == 0.0 {
            return;
        }
        if self.n > 0.0 {
            let difference = self.sum / self.n - sum / n;
            self.squares += squares + self.n * n * difference * difference / (self.n + n);
        } else {
            self.squares = squares;
        }
        self.n += n;
        self.sum += sum;
    }

    fn result(&self) -> Option<f64> {
        if self.n == 0.0 {
            return None;
        }
        match self.outcome {
            Outcome::Sum | Outcome::SumFloat4 => Some(self.sum),
            Outcome::Average => Some(self.sum / self.n),
            Outcome::Spread { sample, root } => {
                let below = if sample { self.n - 1.0 } else { self.n };
                if below == 0.0 {
                    return None;
                }
                let variance = self.squares / below;
                Some(if root { variance.sqrt() } else { variance })
            }
        }
    }
}

/// The values of a column of floats.
fn floats(array: &ArrayRef) -> Vec<f64> {
    match array.data_type() {
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().iter().map(|v| v.unwrap_or(0.0).into()).collect()
        }
        _ => array.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(0.0)).collect(),
    }
}

impl Accumulator for Moments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        for (row, value) in floats(&values[0]).into_iter().enumerate() {
            if values[0].is_valid(row) {
                // A sum of float4 is kept as float4 between rows.
                if self.outcome == Outcome::SumFloat4 {
                    self.n += 1.0;
                    let sum = self.sum as f32 + value as f32;
                    checked(f64::from(sum), self.sum.is_finite() && value.is_finite())?;
                    self.sum = f64::from(sum);
                } else {
                    self.add(value)?;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let result = self.result();
        Ok(match self.outcome {
            Outcome::SumFloat4 => ScalarValue::Float32(result.map(|v| v as f32)),
            _ => ScalarValue::Float64(result),
        })
    }

    fn size(&self) -> usize {
        sized(self, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok([self.n, self.sum, self.squares].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let [n, sum, squares] = [0, 1, 2].map(|i| floats(&states[i]));
        for ((n, sum), squares) in n.into_iter().zip(sum).zip(squares) {
            self.merge(n, sum, squares);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Pair {
    #[default]
    Count,
    Correlation,
    Covariance {
        sample: bool,
    },
    AverageX,
    AverageY,
    Intercept,
    R2,
    Slope,
    Sxx,
    Sxy,
    Syy,
}

/// The running sums of pairs (y, x).
#[derive(Debug, Default)]
struct Pairs {
    outcome: Pair,
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Pairs {
    fn add(&mut self, y: f64, x: f64) {
        self.n += 1.0;
        self.sx += x;
        self.sy += y;
        if self.n > 1.0 {
            let (dx, dy) = (x * self.n - self.sx, y * self.n - self.sy);
            let scale = 1.0 / (self.n * (self.n - 1.0));
            self.sxx += dx * dx * scale;
            self.syy += dy * dy * scale;
            self.sxy += dx * dy * scale;
        }
    }

    fn merge(&mut self, other: &Pairs) {
        if other.n == 0.0 {
            return;
        }
        if self.n > 0.0 {
            let (dx, dy) =
                (self.sx / self.n - other.sx / other.n, self.sy / self.n - other.sy / other.n);
            let scale = self.n * other.n / (self.n + other.n);
            self.sxx += other.sxx + scale * dx * dx;
            self.syy += other.syy + scale * dy * dy;
            self.sxy += other.sxy + scale * dx * dy;
        } else {
            (self.sxx, self.syy, self.sxy) = (other.sxx, other.syy, other.sxy);
        }
        self.n += other.n;
        self.sx += other.sx;
        self.sy += other.sy;
    }

    fn result(&self) -> Option<f64> {
        if self.n < 1.0 {
            return None;
        }
        match self.outcome {
            Pair::Count => Some(self.n),
            Pair::Correlation => (self.sxx != 0.0 && self.syy != 0.0)
                .then(|| self.sxy / (self.sxx * self.syy).sqrt()),
            Pair::Covariance { sample: false } => Some(self.sxy / self.n),
            Pair::Covariance { sample: true } => (self.n >= 2.0).then(|| self.sxy / (self.n - 1.0)),
            Pair::AverageX => Some(self.sx / self.n),
            Pair::AverageY => Some(self.sy / self.n),
            Pair::Intercept => {
                (self.sxx != 0.0).then(|| (self.sy - self.sx * self.sxy / self.sxx) / self.n)
            }
            Pair::R2 => (self.sxx != 0.0).then(|| {
                if self.syy == 0.0 { 1.0 } else { self.sxy * self.sxy / (self.sxx * self.syy) }
            }),
            Pair::Slope => (self.sxx != 0.0).then(|| self.sxy / self.sxx),
            Pair::Sxx => Some(self.sxx),
            Pair::Sxy => Some(self.sxy),
            Pair::Syy => Some(self.syy),
        }
    }
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        let (y, x) = (floats(&values[0]), floats(&values[1]));
        for row in 0..y.len() {
            if all_valid(values, row) {
                self.add(y[row], x[row]);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        if self.outcome == Pair::Count {
            return Ok(ScalarValue::Int64(Some(self.n as i64)));
        }
        Ok(ScalarValue::Float64(self.result()))
    }

    fn size(&self) -> usize {
        sized(self, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        let state = [self.n, self.sx, self.sxx, self.sy, self.syy, self.sxy];
        Ok(state.map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let columns: Vec<Vec<f64>> = states.iter().map(floats).collect();
        let rows = (0..states[0].len()).map(|row| [0, 1, 2, 3, 4, 5].map(|i| columns[i][row]));
        for [n, sx, sxx, sy, syy, sxy] in rows {
            self.merge(&Pairs { outcome: self.outcome, n, sx, sxx, sy, syy, sxy });
        }
        Ok(())
    }
}
