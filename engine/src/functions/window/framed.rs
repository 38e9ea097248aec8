//! Windows whose frames DataFusion can't have: their bounds are columns.
//!
//! DataFusion's frames have constant offsets that it adds to a value by itself, in UTC, without
//! infinities. Here a bound of RANGE comes as the value that it ends at, computed for each row by
//! the same operators as anywhere; a bound of ROWS and GROUPS as a number. The frames of a partition
//! are found as PostgreSQL finds them (`nodeWindowAgg.c`), by walking both ends forward.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DynComparator, Int32Array, UInt64Array, make_comparator,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, Int64Type, IntervalMonthDayNanoType, Schema,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::function::{
    AccumulatorArgs, ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature,
    Volatility as NativeVolatility, WindowFrameUnits, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::super::kernel::downcast;
use crate::error::{Error, Result, SqlState};
use crate::types::interval::Parts;
use crate::types::numeric::Numeric;

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Edge {
    Unbounded,
    CurrentRow,
    Preceding,
    Following,
}

impl Edge {
    fn has_offset(self) -> bool {
        matches!(self, Edge::Preceding | Edge::Following)
    }
}

/// A frame, and where its parts stand among the arguments: those of the function, the condition of
/// FILTER, the keys of ORDER BY, for RANGE the values at which the frame starts and ends, the
/// offsets of its start and end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) units: WindowFrameUnits,
    pub(crate) start: Edge,
    pub(crate) end: Edge,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
    /// The month and day fields of an offset don't count.
    pub(crate) time_of_day: bool,
    pub(crate) arguments: usize,
    pub(crate) filtered: bool,
    pub(crate) keys: usize,
}

/// What is computed over the frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Computed {
    Aggregate(Arc<AggregateUDF>),
    /// One that looks at the whole partition takes nothing of the frame but the checks of its
    /// offsets.
    Window(Arc<WindowUDF>),
}

/// The function over a frame; `ret` is its type.
pub(crate) fn framed(computed: Computed, frame: Frame, ret: DataType) -> Arc<WindowUDF> {
    let inner = match &computed {
        Computed::Aggregate(udaf) => udaf.name(),
        Computed::Window(udwf) => udwf.name(),
    };
    let name = format!(
        "{inner} {} {:?} {:?} {} {} {}",
        frame.units, frame.start, frame.end, frame.descending, frame.nulls_first, frame.filtered
    );
    let signature = Signature::variadic_any(NativeVolatility::Stable);
    Arc::new(WindowUDF::new_from_impl(Framed { name, computed, frame, ret, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Framed {
    name: String,
    computed: Computed,
    frame: Frame,
    ret: DataType,
    signature: Signature,
}

impl WindowUDFImpl for Framed {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        args.input_exprs().to_vec()
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> DataFusionResult<Box<dyn PartitionEvaluator>> {
        let over = match &self.computed {
            Computed::Aggregate(udaf) => Over::Aggregate(self.accumulator(udaf, &args)?),
            Computed::Window(udwf) => match udwf.name() {
                "first_value" => Over::Value(Place::First),
                "last_value" => Over::Value(Place::Last),
                "nth_value" => Over::Value(Place::Nth),
                _ => Over::Partition(udwf.partition_evaluator_factory(
                    PartitionEvaluatorArgs::new(
                        &args.input_exprs()[..self.frame.arguments],
                        &args.input_fields()[..self.frame.arguments],
                        false,
                        false,
                    ),
                )?),
            },
        };
        Ok(Box::new(Evaluator { over, frame: self.frame.clone() }))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), self.ret.clone(), true)))
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::NotSupported
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

impl Framed {
    fn accumulator(
        &self,
        udaf: &AggregateUDF,
        args: &PartitionEvaluatorArgs<'_>,
    ) -> DataFusionResult<Box<dyn Accumulator>> {
        let own = ..self.frame.arguments;
        let fields = &args.input_fields()[own];
        udaf.create_sliding_accumulator(AccumulatorArgs {
            return_field: Arc::new(Field::new(udaf.name(), self.ret.clone(), true)),
            schema: &Schema::new(fields.to_vec()),
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: udaf.name(),
            is_distinct: false,
            exprs: &args.input_exprs()[own],
            expr_fields: fields,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    Last,
    Nth,
}

#[derive(Debug)]
enum Over {
    Aggregate(Box<dyn Accumulator>),
    Value(Place),
    Partition(Box<dyn PartitionEvaluator>),
}

#[derive(Debug)]
struct Evaluator {
    over: Over,
    frame: Frame,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> DataFusionResult<ArrayRef> {
        let frames = self.frame.ranges(values, rows).map_err(Error::into_datafusion)?;
        let own = &values[..self.frame.arguments];
        match &mut self.over {
            Over::Aggregate(accumulator) => {
                let filter = self.frame.filtered.then(|| values[self.frame.arguments].as_boolean());
                slide(accumulator.as_mut(), own, filter, &frames)
            }
            Over::Value(place) => place.values(own, &frames).map_err(Error::into_datafusion),
            Over::Partition(inner) => inner.evaluate_all(own, rows),
        }
    }

    fn evaluate_all_with_rank(
        &self,
        rows: usize,
        ranks: &[Range<usize>],
    ) -> DataFusionResult<ArrayRef> {
        match &self.over {
            Over::Partition(inner) => inner.evaluate_all_with_rank(rows, ranks),
            _ => Err(Error::internal("a frame was asked for ranks").into_datafusion()),
        }
    }

    fn include_rank(&self) -> bool {
        matches!(&self.over, Over::Partition(inner) if inner.include_rank())
    }
}

/// The aggregate of each frame. Frames only move forward.
fn slide(
    accumulator: &mut dyn Accumulator,
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
    frames: &[Range<usize>],
) -> DataFusionResult<ArrayRef> {
    let rows = |range: Range<usize>| -> DataFusionResult<Vec<ArrayRef>> {
        let (at, length) = (range.start, range.end - range.start);
        let slices = values.iter().map(|array| array.slice(at, length));
        let Some(filter) = filter else { return Ok(slices.collect()) };
        let kept = filter.slice(at, length);
        Ok(slices.map(|a| arrow::compute::filter(&a, &kept)).collect::<Result<_, _>>()?)
    };
    let mut inside = 0..0;
    let mut results = Vec::with_capacity(frames.len());
    for frame in frames {
        let leaving = inside.start..inside.end.min(frame.start);
        if leaving.start < leaving.end {
            accumulator.retract_batch(&rows(leaving)?)?;
        }
        let coming = inside.end.max(frame.start)..frame.end;
        if coming.start < coming.end {
            accumulator.update_batch(&rows(coming)?)?;
        }
        inside = frame.clone();
        results.push(accumulator.evaluate()?);
    }
    ScalarValue::iter_to_array(results)
}

impl Place {
    fn values(self, args: &[ArrayRef], frames: &[Range<usize>]) -> Result<ArrayRef> {
        let mut places = Vec::with_capacity(frames.len());
        for (row, frame) in frames.iter().enumerate() {
            let place = match self {
                Place::First => Some(frame.start),
                Place::Last => frame.end.checked_sub(1),
                Place::Nth => nth(downcast(&args[1])?, row)?.map(|n| frame.start + n - 1),
            };
            places.push(place.filter(|at| frame.contains(at)).map(|at| at as u64));
        }
        Ok(arrow::compute::take(&args[0], &UInt64Array::from(places), None)?)
    }
}

fn nth(numbers: &Int32Array, row: usize) -> Result<Option<usize>> {
    if numbers.is_null(row) {
        return Ok(None);
    }
    usize::try_from(numbers.value(row)).ok().filter(|n| *n > 0).map(Some).ok_or_else(|| {
        Error::new(
            SqlState::INVALID_ARGUMENT_FOR_NTH_VALUE_FUNCTION,
            "argument of nth_value must be greater than zero",
        )
    })
}

/// The rows with equal keys that stand together.
struct Peers {
    /// Which group a row is of.
    of: Vec<usize>,
    /// Where the groups start, and the end of the last.
    starts: Vec<usize>,
}

impl Peers {
    fn new(keys: &[ArrayRef], rows: usize) -> Result<Self> {
        let compare = keys
            .iter()
            .map(|key| Ok(make_comparator(key, key, SortOptions::default())?))
            .collect::<Result<Vec<DynComparator>>>()?;
        let (mut of, mut starts) = (Vec::with_capacity(rows), Vec::new());
        for row in 0..rows {
            if row == 0 || compare.iter().any(|compare| compare(row - 1, row).is_ne()) {
                starts.push(row);
            }
            of.push(starts.len() - 1);
        }
        starts.push(rows);
        Ok(Peers { of, starts })
    }

    /// Where a group starts; the end of all for those past the last.
    fn start(&self, group: usize) -> usize {
        self.starts.get(group).or(self.starts.last()).copied().unwrap_or(0)
    }
}

impl Frame {
    /// The frame of each row; both ends never move back.
    fn ranges(&self, values: &[ArrayRef], rows: usize) -> Result<Vec<Range<usize>>> {
        let mut at = self.arguments + usize::from(self.filtered);
        let mut next = |count: usize| {
            at += count;
            &values[at - count..at]
        };
        let keys = next(self.keys);
        let limits = self.units == WindowFrameUnits::Range;
        let limit_start = next(usize::from(limits && self.start.has_offset()));
        let limit_end = next(usize::from(limits && self.end.has_offset()));
        let offset_start = self.offset(next(usize::from(self.start.has_offset())), "starting")?;
        let offset_end = self.offset(next(usize::from(self.end.has_offset())), "ending")?;
        let peers = Peers::new(keys, rows)?;
        let starts = match limit_start {
            [limit] => self.walk(&keys[0], limit, self.start, false)?,
            _ => (0..rows).map(|row| self.start_of(row, offset_start, &peers, rows)).collect(),
        };
        let ends = match limit_end {
            [limit] => self.walk(&keys[0], limit, self.end, true)?,
            _ => (0..rows).map(|row| self.end_of(row, offset_end, &peers, rows)).collect(),
        };
        Ok(starts.into_iter().zip(ends).map(|(start, end)| start..end.max(start)).collect())
    }

    /// Checks an offset, which is the same in all rows, and gives it as a number of rows or groups.
    fn offset(&self, offset: &[ArrayRef], side: &str) -> Result<usize> {
        let Some(offset) = offset.first().filter(|offset| !offset.is_empty()) else {
            return Ok(0);
        };
        if offset.is_null(0) {
            let message = format!("frame {side} offset must not be null");
            return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        let is_negative = self.is_negative(offset)?;
        if is_negative {
            let message = match self.units {
                WindowFrameUnits::Range => {
                    "invalid preceding or following size in window function".to_owned()
                }
                _ => format!("frame {side} offset must not be negative"),
            };
            return Err(Error::new(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message));
        }
        let number = offset.as_primitive_opt::<Int64Type>().map_or(0, |offset| offset.value(0));
        Ok(usize::try_from(number).unwrap_or(0))
    }

    fn is_negative(&self, offset: &ArrayRef) -> Result<bool> {
        Ok(match offset.data_type() {
            DataType::Int64 => offset.as_primitive::<Int64Type>().value(0) < 0,
            DataType::Float64 => {
                let offset = offset.as_primitive::<Float64Type>().value(0);
                offset < 0.0 || offset.is_nan()
            }
            DataType::Interval(_) => {
                let parts = Parts::of(offset.as_primitive::<IntervalMonthDayNanoType>().value(0));
                if self.time_of_day { parts.us < 0 } else { parts.span() < 0 }
            }
            _ => {
                let offset = Numeric::from_bytes(offset.as_binary::<i32>().value(0))?;
                matches!(offset, Numeric::NaN) || offset.sign() < 0
            }
        })
    }

    fn start_of(&self, row: usize, offset: usize, peers: &Peers, rows: usize) -> usize {
        let is_rows = self.units == WindowFrameUnits::Rows;
        match self.start {
            Edge::Unbounded => 0,
            Edge::CurrentRow if is_rows => row,
            Edge::CurrentRow => peers.start(peers.of[row]),
            Edge::Preceding if is_rows => row.saturating_sub(offset),
            Edge::Following if is_rows => row.saturating_add(offset).min(rows),
            Edge::Preceding => peers.start(peers.of[row].saturating_sub(offset)),
            Edge::Following => peers.start(peers.of[row].saturating_add(offset)),
        }
    }

    fn end_of(&self, row: usize, offset: usize, peers: &Peers, rows: usize) -> usize {
        let is_rows = self.units == WindowFrameUnits::Rows;
        match self.end {
            Edge::Unbounded => rows,
            Edge::CurrentRow if is_rows => row + 1,
            Edge::CurrentRow => peers.start(peers.of[row] + 1),
            Edge::Preceding if is_rows => (row + 1).saturating_sub(offset),
            Edge::Following if is_rows => (row + 1).saturating_add(offset).min(rows),
            Edge::Preceding => peers.start((peers.of[row] + 1).saturating_sub(offset)),
            Edge::Following => peers.start((peers.of[row] + 1).saturating_add(offset)),
        }
    }

    /// The ends of RANGE with an offset: `limits` are the values that the rows' frames reach to.
    fn walk(
        &self,
        keys: &ArrayRef,
        limits: &ArrayRef,
        edge: Edge,
        is_end: bool,
    ) -> Result<Vec<usize>> {
        let compare = make_comparator(keys, limits, SortOptions::default())?;
        // Whether what is at most as great as the limit is in the frame.
        let less = is_end != self.descending;
        let is_in_range = |other: usize, row: usize| match less {
            true => compare(other, row).is_le(),
            false => compare(other, row).is_ge(),
        };
        debug_assert!(edge.has_offset());
        let stops = |other: usize, row: usize| match (
            keys.is_null(other),
            keys.is_null(row),
            self.nulls_first,
        ) {
            (false, false, _) => is_in_range(other, row) != is_end,
            (other, row, true) if !is_end => !other || row,
            (other, row, false) if !is_end => other || !row,
            (other, _, true) => !other,
            (_, row, false) => !row,
        };
        let (mut at, mut ends) = (0, Vec::with_capacity(keys.len()));
        for row in 0..keys.len() {
            while at < keys.len() && !stops(at, row) {
                at += 1;
            }
            ends.push(at);
        }
        Ok(ends)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn frame(units: WindowFrameUnits, start: Edge, end: Edge) -> Frame {
        Frame {
            units,
            start,
            end,
            descending: false,
            nulls_first: false,
            time_of_day: false,
            arguments: 0,
            filtered: false,
            keys: 1,
        }
    }

    fn numbers(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }

    #[test]
    fn ranges_have_their_neighbours() {
        let keys = numbers(vec![Some(1), Some(2), Some(4), None, None]);
        let limits = numbers(vec![Some(0), Some(1), Some(3), None, None]);
        let ends = numbers(vec![Some(2), Some(3), Some(5), None, None]);
        let one = numbers(vec![Some(1); 5]);
        let range = frame(WindowFrameUnits::Range, Edge::Preceding, Edge::Following);
        let frames = range.ranges(&[keys, limits, ends, one.clone(), one], 5).unwrap();
        assert_eq!(frames, [0..2, 0..2, 2..3, 3..5, 3..5]);
    }

    #[test]
    fn a_frame_that_ends_before_it_starts_is_empty() {
        let keys = numbers(vec![Some(1), Some(1), Some(2)]);
        let (two, one) = (numbers(vec![Some(2); 3]), numbers(vec![Some(1); 3]));
        let rows = frame(WindowFrameUnits::Rows, Edge::Following, Edge::Following);
        let frames = rows.ranges(&[keys.clone(), two.clone(), one.clone()], 3).unwrap();
        assert!(frames.iter().all(Range::is_empty));
        let groups = frame(WindowFrameUnits::Groups, Edge::Preceding, Edge::Preceding);
        let frames = groups.ranges(&[keys, two, one], 3).unwrap();
        assert_eq!(frames, [0..0, 0..0, 0..2]);
    }

    #[test]
    fn offsets_are_checked() {
        let rows = frame(WindowFrameUnits::Rows, Edge::Preceding, Edge::CurrentRow);
        let keys = numbers(vec![Some(1)]);
        let error = rows.ranges(&[keys.clone(), numbers(vec![Some(-1)])], 1).unwrap_err();
        assert_eq!(error.sqlstate.as_str(), "22013");
        let error = rows.ranges(&[keys, numbers(vec![None])], 1).unwrap_err();
        assert_eq!(error.sqlstate.as_str(), "22004");
    }
}
