//! DISTINCT and sliding window frames for any aggregate.

use std::collections::{HashMap, VecDeque};

use arrow::array::{Array, ArrayRef, ListArray};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::compare::Keyer;
use super::super::kernel::downcast;
use super::{Make, sized};
use crate::error::{Error, Result};
use crate::types::PgType;

/// Keeps the first row of each key; feeds them to the aggregate at the end, by key unless the
/// call orders them.
pub(super) struct Distinct {
    types: Vec<PgType>,
    make: Make,
    ordered: bool,
    /// Key to place in `rows`.
    seen: HashMap<Vec<u8>, usize>,
    rows: Vec<Vec<ScalarValue>>,
    bytes: usize,
}

impl std::fmt::Debug for Distinct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Distinct({} rows)", self.rows.len())
    }
}

impl Distinct {
    pub(super) fn new(types: &[PgType], make: Make, ordered: bool) -> Distinct {
        Distinct {
            types: types.to_vec(),
            make,
            ordered,
            seen: HashMap::new(),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, values: &[ArrayRef]) -> Result<()> {
        let keyers = self
            .types
            .iter()
            .zip(values)
            .map(|(ty, array)| Keyer::bind(*ty, array))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..values.first().map_or(0, |v| v.len()) {
            let mut key = Vec::new();
            for (keyer, array) in keyers.iter().zip(values) {
                if array.is_null(row) {
                    key.push(2);
                } else {
                    key.push(1);
                    keyer.append(row, &mut key)?;
                }
            }
            if self.seen.contains_key(&key) {
                continue;
            }
            let scalars = values
                .iter()
                .map(|v| ScalarValue::try_from_array(v, row))
                .collect::<DataFusionResult<Vec<_>>>()?;
            self.bytes += key.len() * 2 + scalars.iter().map(ScalarValue::size).sum::<usize>();
            self.seen.insert(key, self.rows.len());
            self.rows.push(scalars);
        }
        Ok(())
    }

    /// The kept rows as columns.
    fn columns(&self) -> Result<Option<Vec<ArrayRef>>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        if !self.ordered {
            let mut keys: Vec<(&Vec<u8>, usize)> =
                self.seen.iter().map(|(key, at)| (key, *at)).collect();
            keys.sort_unstable();
            order = keys.into_iter().map(|(_, at)| at).collect();
        }
        let columns = (0..self.types.len())
            .map(|i| {
                let values = order.iter().map(|at| self.rows[*at][i].clone());
                Ok(ScalarValue::iter_to_array(values)?)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(columns))
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.add(values).map_err(Error::into_datafusion)
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let mut inner = (self.make)();
        if let Some(columns) = self.columns()? {
            inner.update_batch(&columns)?;
        }
        inner.evaluate()
    }

    fn size(&self) -> usize {
        sized(self, self.bytes)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        let columns = match self.columns()? {
            Some(columns) => columns,
            None => self
                .types
                .iter()
                .map(|t| Ok(arrow::array::new_empty_array(&t.arrow()?)))
                .collect::<Result<_>>()?,
        };
        Ok(columns.into_iter().map(|c| super::collect::as_list(c, true)).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for row in 0..states.first().map_or(0, |s| s.len()) {
            let values = states
                .iter()
                .map(|state| Ok(downcast::<ListArray>(state)?.value(row)))
                .collect::<Result<Vec<_>>>()?;
            self.add(&values)?;
        }
        Ok(())
    }
}

/// Keeps a frame's rows and computes the aggregate anew for each.
pub(super) struct Sliding {
    make: Make,
    /// Batches with the number of their first rows that have left the frame.
    batches: VecDeque<(Vec<ArrayRef>, usize)>,
}

impl std::fmt::Debug for Sliding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sliding({} batches)", self.batches.len())
    }
}

impl Sliding {
    pub(super) fn new(make: Make) -> Sliding {
        Sliding { make, batches: VecDeque::new() }
    }
}

impl Accumulator for Sliding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if values.first().is_some_and(|v| !v.is_empty()) {
            self.batches.push_back((values.to_vec(), 0));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        let mut leaving = values.first().map_or(0, |v| v.len());
        while leaving > 0 {
            let Some((batch, gone)) = self.batches.front_mut() else { break };
            let left = batch[0].len() - *gone;
            if left > leaving {
                *gone += leaving;
                break;
            }
            leaving -= left;
            self.batches.pop_front();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let mut inner = (self.make)();
        for (batch, gone) in &self.batches {
            let rest: Vec<ArrayRef> =
                batch.iter().map(|a| a.slice(*gone, a.len() - gone)).collect();
            inner.update_batch(&rest)?;
        }
        inner.evaluate()
    }

    fn size(&self) -> usize {
        let arrays = self.batches.iter().flat_map(|(b, _)| b);
        sized(self, arrays.map(|a| a.get_array_memory_size()).sum())
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Err(Error::internal("a window's aggregate has no state to pass on").into_datafusion())
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> DataFusionResult<()> {
        Err(Error::internal("a window's aggregate has no state to take in").into_datafusion())
    }
}
