//! Ordered-set aggregates: `percentile_cont`, `percentile_disc` and `mode`. Their rows come in
//! the order of WITHIN GROUP; the direct argument comes with each of them as the first column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::datatypes::{DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::compare::Keyer;
use super::super::datetime::{between_intervals, lerp};
use super::super::kernel::downcast;
use super::super::registry::Implementations;
use super::collect::as_list;
use super::{PgAggregate, sized};
use crate::error::{Error, Result};
use crate::functions::Implementation;
use crate::types::{Oid, PgType, list_of};

/// The aggregates that need WITHIN GROUP.
pub(crate) fn is_ordered_set(name: &str) -> bool {
    matches!(name, "percentile_cont" | "percentile_disc" | "mode")
}

pub(super) fn register(all: &mut Implementations) {
    use Implementation::Poly;
    for ty in ["float8", "interval"] {
        for fraction in ["float8", "_float8"] {
            all.add(
                &format!("percentile_cont({fraction},{ty})"),
                Poly(|types, _| make("percentile_cont", types, Kind::Continuous)),
            );
        }
    }
    for fraction in ["float8", "_float8"] {
        all.add(
            &format!("percentile_disc({fraction},anyelement)"),
            Poly(|types, _| make("percentile_disc", types, Kind::Discrete)),
        );
    }
    all.add("mode(anyelement)", Poly(|types, _| make("mode", types, Kind::Mode)));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Between two values where none is at the place.
    Continuous,
    /// The first value at or behind the place.
    Discrete,
    /// The most frequent value.
    Mode,
}

fn make(name: &str, types: &[PgType], kind: Kind) -> Result<Implementation> {
    let value = types[types.len() - 1];
    let arrows = types.iter().map(|ty| ty.arrow()).collect::<Result<Vec<DataType>>>()?;
    let ret = match types {
        [fraction, _] if fraction.element().is_some() => list_of(value.arrow()?),
        _ => value.arrow()?,
    };
    let state = arrows.iter().map(|ty| list_of(ty.clone())).collect();
    let oids: Vec<String> = types.iter().map(|ty| ty.oid.to_string()).collect();
    let id = format!("{name}({})", oids.join(","));
    let aggregate = PgAggregate::new(&id, types, ret.clone(), state, move || {
        Box::new(Rows {
            kind,
            value,
            ret: ret.clone(),
            types: arrows.clone(),
            columns: arrows.iter().map(|_| Vec::new()).collect(),
        })
    });
    Ok(aggregate.ordered().implementation())
}

/// The rows of a group, piece by piece.
#[derive(Debug)]
struct Rows {
    kind: Kind,
    value: PgType,
    ret: DataType,
    types: Vec<DataType>,
    columns: Vec<Vec<ArrayRef>>,
}

impl Rows {
    fn column(&self, i: usize) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.columns[i].iter().map(|piece| piece.as_ref()).collect();
        match pieces.is_empty() {
            true => Ok(arrow::array::new_empty_array(&self.types[i])),
            false => Ok(arrow::compute::concat(&pieces)?),
        }
    }

    fn add(&mut self, values: &[ArrayRef]) {
        if values.first().is_some_and(|column| !column.is_empty()) {
            for (pieces, value) in self.columns.iter_mut().zip(values) {
                pieces.push(Arc::clone(value));
            }
        }
    }

    fn result(&self) -> Result<ScalarValue> {
        let null = || Ok(ScalarValue::try_from(&self.ret)?);
        let values = self.column(self.columns.len() - 1)?;
        let values = arrow::compute::filter(&values, &arrow::compute::is_not_null(&values)?)?;
        if values.is_empty() {
            return null();
        }
        if self.kind == Kind::Mode {
            let at = most_frequent(self.value, &values)?;
            return Ok(ScalarValue::try_from_array(&values, at)?);
        }
        let fractions = self.column(0)?;
        if fractions.is_null(0) {
            return null();
        }
        let DataType::List(_) = self.types[0] else {
            let fraction = fractions.as_primitive::<Float64Type>().value(0);
            let found = self.percentiles(&values, &[Some(fraction)])?;
            return Ok(ScalarValue::try_from_array(&found, 0)?);
        };
        let fractions = downcast::<ListArray>(&fractions)?.value(0);
        let fractions: Vec<Option<f64>> = fractions.as_primitive::<Float64Type>().iter().collect();
        Ok(as_list(self.percentiles(&values, &fractions)?, true))
    }

    fn percentiles(&self, values: &ArrayRef, fractions: &[Option<f64>]) -> Result<ArrayRef> {
        for fraction in fractions.iter().flatten() {
            check(*fraction)?;
        }
        let count = values.len() as f64;
        if self.kind == Kind::Discrete {
            let places = fractions.iter().map(|fraction| {
                fraction.map(|fraction| ((fraction * count).ceil() as u64).max(1) - 1)
            });
            return Ok(arrow::compute::take(values, &places.collect::<UInt64Array>(), None)?);
        }
        let place = |fraction: f64| {
            let place = fraction * (count - 1.0);
            (place.floor() as usize, place.ceil() as usize, place - place.floor())
        };
        if self.value.oid == Oid::INTERVAL {
            let values = values.as_primitive::<IntervalMonthDayNanoType>();
            let found = fractions.iter().map(|fraction| {
                let Some(fraction) = fraction else { return Ok(None) };
                let (low, high, part) = place(*fraction);
                let (low, high) = (values.value(low), values.value(high));
                between_intervals(low, high, part).map(Some)
            });
            let found = found.collect::<Result<Vec<Option<IntervalMonthDayNano>>>>()?;
            return Ok(Arc::new(arrow::array::IntervalMonthDayNanoArray::from(found)));
        }
        let values = values.as_primitive::<Float64Type>();
        let found = fractions.iter().map(|fraction| {
            fraction.map(|fraction| {
                let (low, high, part) = place(fraction);
                if low == high {
                    return values.value(low);
                }
                lerp(values.value(low), values.value(high), part)
            })
        });
        Ok(Arc::new(found.collect::<arrow::array::Float64Array>()))
    }
}

fn check(fraction: f64) -> Result<()> {
    if (0.0..=1.0).contains(&fraction) {
        return Ok(());
    }
    let mut shown = String::new();
    // Writing into a String can't fail.
    let _ = crate::types::float::write_general(fraction, 6, &mut shown);
    Err(Error::numeric_out_of_range(format!("percentile value {shown} is not between 0 and 1")))
}

/// Where the first of the values stands that is there most often; equal ones are neighbours.
fn most_frequent(ty: PgType, values: &ArrayRef) -> Result<usize> {
    let keyer = Keyer::bind(ty, values)?;
    let (mut best, mut best_count) = (0, 0);
    let (mut first, mut count) = (0, 0);
    let mut present: Vec<u8> = Vec::new();
    for row in 0..values.len() {
        let mut key = Vec::new();
        keyer.append(row, &mut key)?;
        if count > 0 && key == present {
            count += 1;
        } else {
            (first, count, present) = (row, 1, key);
        }
        if count > best_count {
            (best, best_count) = (first, count);
        }
    }
    Ok(best)
}

impl Accumulator for Rows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.add(values);
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        self.result().map_err(Error::into_datafusion)
    }

    fn size(&self) -> usize {
        let pieces = self.columns.iter().flatten();
        // A slice counts its own part: sliced arrays share their buffers.
        sized(self, pieces.map(|p| p.to_data().get_slice_memory_size().unwrap_or(0)).sum())
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        (0..self.columns.len())
            .map(|i| Ok(as_list(self.column(i).map_err(Error::into_datafusion)?, true)))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for row in 0..states.first().map_or(0, |state| state.len()) {
            let values = states
                .iter()
                .map(|state| Ok(downcast::<ListArray>(state)?.value(row)))
                .collect::<Result<Vec<_>>>()
                .map_err(Error::into_datafusion)?;
            self.add(&values);
        }
        Ok(())
    }
}
