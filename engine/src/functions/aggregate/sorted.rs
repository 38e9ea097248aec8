//! ORDER BY inside an aggregate's call.
//!
//! The rows of a group are kept with the values they are ordered by and sorted when the result is
//! wanted, so that aggregates of one query may each have an order of their own. Over a window the
//! rows come in the window's order and without such values; they go straight through.

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::compute::{SortColumn, SortOptions, concat, lexsort_to_indices, take};
use arrow::datatypes::DataType;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::kernel::downcast;
use super::{Make, sized};
use crate::error::{Error, Result};

/// An accumulator that gets its rows in order.
pub(super) struct Sorted {
    make: Make,
    /// The first columns are the arguments, the others what orders them.
    arguments: usize,
    order: Vec<SortOptions>,
    types: Vec<DataType>,
    /// Each column's pieces.
    columns: Vec<Vec<ArrayRef>>,
    /// Takes the rows of a window.
    through: Option<Box<dyn Accumulator>>,
}

impl std::fmt::Debug for Sorted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sorted by {} values", self.order.len())
    }
}

impl Sorted {
    /// `types` are those of the arguments, then of what orders them.
    pub(super) fn new(make: Make, types: Vec<DataType>, order: Vec<SortOptions>) -> Sorted {
        let columns = types.iter().map(|_| Vec::new()).collect();
        let arguments = types.len().saturating_sub(order.len());
        Sorted { make, arguments, order, types, columns, through: None }
    }

    fn add(&mut self, values: &[ArrayRef]) {
        if values.first().is_some_and(|v| !v.is_empty()) {
            for (pieces, value) in self.columns.iter_mut().zip(values) {
                pieces.push(ArrayRef::clone(value));
            }
        }
    }

    fn column(&self, i: usize) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.columns[i].iter().map(|p| p.as_ref()).collect();
        match pieces.is_empty() {
            true => Ok(arrow::array::new_empty_array(&self.types[i])),
            false => Ok(concat(&pieces)?),
        }
    }

    /// The arguments in order.
    fn arguments(&self) -> Result<Vec<ArrayRef>> {
        let keys = self
            .order
            .iter()
            .enumerate()
            .map(|(i, options)| {
                let values = self.column(self.arguments + i)?;
                Ok(SortColumn { values, options: Some(*options) })
            })
            .collect::<Result<Vec<_>>>()?;
        let places = lexsort_to_indices(&keys, None)?;
        (0..self.arguments).map(|i| Ok(take(&self.column(i)?, &places, None)?)).collect()
    }
}

impl Accumulator for Sorted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if values.len() == self.arguments {
            return self.through.get_or_insert_with(|| (self.make)()).update_batch(values);
        }
        self.add(values);
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        if let Some(through) = &mut self.through {
            return through.evaluate();
        }
        let mut inner = (self.make)();
        if self.columns.first().is_some_and(|pieces| !pieces.is_empty()) {
            inner.update_batch(&self.arguments().map_err(Error::into_datafusion)?)?;
        }
        inner.evaluate()
    }

    fn size(&self) -> usize {
        let pieces = self.columns.iter().flatten();
        // A slice counts its own part: sliced arrays share their buffers.
        let kept: usize = pieces.map(|p| p.to_data().get_slice_memory_size().unwrap_or(0)).sum();
        sized(self, kept + self.through.as_ref().map_or(0, |through| through.size()))
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        (0..self.columns.len())
            .map(|i| {
                let column = self.column(i).map_err(Error::into_datafusion)?;
                Ok(super::collect::as_list(column, true))
            })
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for row in 0..states.first().map_or(0, |s| s.len()) {
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
