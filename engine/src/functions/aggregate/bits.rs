//! `bit_xor`, whose DISTINCT counts.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    error::Result as DataFusionResult,
    functions_aggregate::bit_and_or_xor,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

/// DataFusion's, which forgets DISTINCT where it works on all groups at once: there it works on
/// each by itself.
#[derive(Debug, PartialEq, Eq, Hash)]
struct BitXor(Arc<AggregateUDF>);

/// `bit_xor` of integers.
pub(super) fn bit_xor() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(BitXor(bit_and_or_xor::bit_xor_udaf())))
}

impl AggregateUDFImpl for BitXor {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> DataFusionResult<DataType> {
        self.0.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DataFusionResult<Box<dyn Accumulator>> {
        self.0.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DataFusionResult<Vec<FieldRef>> {
        let fields = self.0.state_fields(args)?;
        // The state of a group of NULLs is NULL.
        let nullable = |field: FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
        Ok(fields.into_iter().map(nullable).collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct && self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> DataFusionResult<Box<dyn GroupsAccumulator>> {
        self.0.create_groups_accumulator(args)
    }
}
