//! Aggregates over windows: those that can't take a row back are computed anew for each frame.

use std::{collections::VecDeque, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef},
        datatypes::{DataType, FieldRef, Schema},
    },
    common::Result as DataFusionResult,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    physical_expr::{PhysicalExpr, PhysicalSortExpr},
    scalar::ScalarValue,
};

/// An aggregate for use over a window. One that keeps its rows' order must not be computed over
/// the rows backwards, which DataFusion does where that spares a sort.
pub(super) fn over_window(name: &str, udaf: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    let forwards = name.ends_with("_agg");
    Arc::new(AggregateUDF::new_from_impl(OverWindow { udaf, forwards }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OverWindow {
    udaf: Arc<AggregateUDF>,
    forwards: bool,
}

impl AggregateUDFImpl for OverWindow {
    fn name(&self) -> &str {
        self.udaf.name()
    }

    fn signature(&self) -> &Signature {
        self.udaf.signature()
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        self.udaf.return_type(args)
    }

    fn coerce_types(&self, args: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        self.udaf.coerce_types(args)
    }

    fn default_value(&self, ty: &DataType) -> DataFusionResult<ScalarValue> {
        self.udaf.default_value(ty)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        self.udaf.accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DataFusionResult<Box<dyn Accumulator>> {
        let again = Arguments::of(&args);
        let sliding = self.udaf.create_sliding_accumulator(args)?;
        if sliding.supports_retract_batch() {
            return Ok(sliding);
        }
        let udaf = Arc::clone(&self.udaf);
        Ok(Box::new(Anew { udaf, arguments: again, frame: VecDeque::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DataFusionResult<Vec<FieldRef>> {
        self.udaf.state_fields(args)
    }

    fn is_nullable(&self) -> bool {
        self.udaf.is_nullable()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.forwards {
            true => ReversedUDAF::NotSupported,
            false => self.udaf.reverse_udf(),
        }
    }
}

/// [`AccumulatorArgs`], owned.
#[derive(Debug)]
struct Arguments {
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl Arguments {
    fn of(args: &AccumulatorArgs<'_>) -> Self {
        Arguments {
            return_field: Arc::clone(&args.return_field),
            schema: args.schema.clone(),
            ignore_nulls: args.ignore_nulls,
            order_bys: args.order_bys.to_vec(),
            is_reversed: args.is_reversed,
            name: args.name.to_owned(),
            is_distinct: args.is_distinct,
            exprs: args.exprs.to_vec(),
            expr_fields: args.expr_fields.to_vec(),
        }
    }

    fn borrowed(&self) -> AccumulatorArgs<'_> {
        AccumulatorArgs {
            return_field: Arc::clone(&self.return_field),
            schema: &self.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &self.order_bys,
            is_reversed: self.is_reversed,
            name: &self.name,
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        }
    }
}

/// Keeps the rows of the frame and computes over all of them.
#[derive(Debug)]
struct Anew {
    udaf: Arc<AggregateUDF>,
    arguments: Arguments,
    /// The frame's rows in order, in pieces as they came.
    frame: VecDeque<Vec<ArrayRef>>,
}

impl Anew {
    fn computed(&self) -> DataFusionResult<Box<dyn Accumulator>> {
        let mut accumulator = self.udaf.accumulator(self.arguments.borrowed())?;
        for values in &self.frame {
            accumulator.update_batch(values)?;
        }
        Ok(accumulator)
    }
}

impl Accumulator for Anew {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if rows(values) > 0 {
            self.frame.push_back(values.to_vec());
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        let mut leaving = rows(values);
        while leaving > 0 {
            let Some(first) = self.frame.pop_front() else { break };
            let here = rows(&first);
            if here > leaving {
                let rest = first.iter().map(|values| values.slice(leaving, here - leaving));
                self.frame.push_front(rest.collect());
            }
            leaving = leaving.saturating_sub(here);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        self.computed()?.evaluate()
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        self.computed()?.state()
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> DataFusionResult<()> {
        Err(crate::error::Error::internal("states of a window's aggregate were merged")
            .into_datafusion())
    }

    fn size(&self) -> usize {
        let arrays = self.frame.iter().flatten();
        size_of::<Self>() + arrays.map(|values| values.get_array_memory_size()).sum::<usize>()
    }
}

fn rows(values: &[ArrayRef]) -> usize {
    values.first().map_or(0, |values| values.len())
}
