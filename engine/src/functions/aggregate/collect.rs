//! array_agg and string_agg: the rows of a group in their order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::Implementation;
use super::super::kernel::downcast;
use super::super::registry::Implementations;
use super::super::text::check_length;
use super::{PgAggregate, sized};
use crate::error::{Error, Result};
use crate::types::{PgType, list_of};

pub(super) fn register(all: &mut Implementations) {
    all.add(
        "array_agg(anynonarray)",
        Implementation::Poly(|types, _| collecting("array_agg", types, Outcome::Array)),
    );
    for (name, ty) in [("text", PgType::TEXT), ("bytea", PgType::BYTEA)] {
        let signature = format!("string_agg({name},{name})");
        if let Ok(made) = collecting("string_agg", &[ty, ty], Outcome::Joined(ty)) {
            all.add(&signature, made);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Array,
    Joined(PgType),
}

fn collecting(name: &str, types: &[PgType], outcome: Outcome) -> Result<Implementation> {
    let arrows = types.iter().map(|t| t.arrow()).collect::<Result<Vec<DataType>>>()?;
    let ret = match outcome {
        Outcome::Array => list_of(arrows[0].clone()),
        Outcome::Joined(_) => arrows[0].clone(),
    };
    let state = arrows.iter().map(|t| list_of(t.clone())).collect();
    let id = format!("{name}({})", types[0].oid);
    let aggregate = PgAggregate::new(&id, types, ret.clone(), state, move || {
        let columns = arrows.iter().map(|t| (t.clone(), Vec::new())).collect();
        Box::new(Collected { outcome, columns, bytes: 0, ret: ret.clone() })
    });
    Ok(aggregate.ordered().implementation())
}

/// A column as the only list of a list column; of no rows NULL unless `empty` lists are wanted.
pub(super) fn as_list(values: ArrayRef, empty: bool) -> ScalarValue {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let nulls = (values.is_empty() && !empty).then(|| arrow::buffer::NullBuffer::new_null(1));
    ScalarValue::List(Arc::new(ListArray::new(field, offsets, values, nulls)))
}

/// The argument columns of a group's rows, piece by piece.
#[derive(Debug)]
struct Collected {
    outcome: Outcome,
    columns: Vec<(DataType, Vec<ArrayRef>)>,
    /// Of all pieces.
    bytes: usize,
    ret: DataType,
}

impl Collected {
    fn column(&self, i: usize) -> Result<ArrayRef> {
        let (ty, pieces) = &self.columns[i];
        if pieces.is_empty() {
            return Ok(arrow::array::new_empty_array(ty));
        }
        let pieces: Vec<&dyn Array> = pieces.iter().map(|p| p.as_ref()).collect();
        Ok(arrow::compute::concat(&pieces)?)
    }

    fn result(&self) -> Result<ScalarValue> {
        let values = self.column(0)?;
        let Outcome::Joined(ty) = self.outcome else {
            return Ok(as_list(values, false));
        };
        let delimiters = self.column(1)?;
        if ty == PgType::TEXT {
            let (values, delimiters): (&StringArray, &StringArray) =
                (downcast(&values)?, downcast(&delimiters)?);
            let joined = join(values.iter(), delimiters.iter(), String::new(), String::push_str);
            return Ok(ScalarValue::Utf8(joined));
        }
        let (values, delimiters): (&BinaryArray, &BinaryArray) =
            (downcast(&values)?, downcast(&delimiters)?);
        let joined = join(values.iter(), delimiters.iter(), Vec::new(), Vec::extend_from_slice);
        Ok(ScalarValue::Binary(joined))
    }
}

/// NULL values are left out with their delimiters.
fn join<'a, T: ?Sized + 'a, S>(
    values: impl Iterator<Item = Option<&'a T>>,
    delimiters: impl Iterator<Item = Option<&'a T>>,
    mut out: S,
    push: fn(&mut S, &T),
) -> Option<S> {
    let mut any = false;
    for (value, delimiter) in values.zip(delimiters) {
        let Some(value) = value else { continue };
        if any && let Some(delimiter) = delimiter {
            push(&mut out, delimiter);
        }
        push(&mut out, value);
        any = true;
    }
    any.then_some(out)
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if values.first().is_some_and(|v| !v.is_empty()) {
            for ((_, pieces), value) in self.columns.iter_mut().zip(values) {
                self.bytes += value.to_data().get_slice_memory_size()?;
                pieces.push(Arc::clone(value));
            }
            check_length(self.bytes).map_err(Error::into_datafusion)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let result = self.result().map_err(Error::into_datafusion)?;
        debug_assert_eq!(result.data_type(), self.ret);
        Ok(result)
    }

    fn size(&self) -> usize {
        // A slice counts its own part: sliced arrays share their buffers.
        sized(self, self.bytes)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        (0..self.columns.len())
            .map(|i| Ok(as_list(self.column(i).map_err(Error::into_datafusion)?, true)))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for row in 0..states.first().map_or(0, |s| s.len()) {
            let values = states
                .iter()
                .map(|state| Ok(downcast::<ListArray>(state)?.value(row)))
                .collect::<Result<Vec<_>>>()
                .map_err(Error::into_datafusion)?;
            self.update_batch(&values)?;
        }
        Ok(())
    }
}
