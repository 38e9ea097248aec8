//! Aggregates with PostgreSQL's result types, over groups and windows.
//!
//! Each is a [`PgAggregate`] around a maker of accumulators. DISTINCT goes through one wrapper
//! that knows values by their keys, sliding window frames through one that keeps the frame's rows;
//! sums, averages and counts of the common types have accumulators over many groups.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, TypeSignature,
    Volatility,
};
use datafusion::scalar::ScalarValue;

use super::Implementation;
use super::registry::Implementations;
use crate::error::{Error, Result};
use crate::types::{Oid, PgType, list_of, timestamp_type};

mod collect;
mod distinct;
mod extreme;
mod floats;
mod groups;
mod intervals;
mod numbers;

/// Makes an accumulator for one group.
type Make = Arc<dyn Fn() -> Box<dyn Accumulator> + Send + Sync>;
/// Makes an accumulator for many groups.
type MakeGroups = Arc<dyn Fn() -> Box<dyn GroupsAccumulator> + Send + Sync>;

/// An aggregate of ours.
#[derive(Clone)]
pub(super) struct PgAggregate {
    /// Unique: the signature with its types.
    id: String,
    name: String,
    signature: Signature,
    /// PostgreSQL's types of the arguments: keys for DISTINCT depend on them.
    args: Vec<PgType>,
    ret: DataType,
    /// Arrow types of the state between partial and final aggregation.
    state: Vec<DataType>,
    ordered: bool,
    /// What no rows give, instead of NULL.
    empty: Option<ScalarValue>,
    make: Make,
    groups: Option<MakeGroups>,
}

impl std::fmt::Debug for PgAggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}

impl PartialEq for PgAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for PgAggregate {}

impl Hash for PgAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl PgAggregate {
    fn new(
        id: &str,
        args: &[PgType],
        ret: DataType,
        state: Vec<DataType>,
        make: impl Fn() -> Box<dyn Accumulator> + Send + Sync + 'static,
    ) -> PgAggregate {
        let types = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        PgAggregate {
            id: id.to_owned(),
            name: id.split('(').next().unwrap_or(id).to_owned(),
            signature: Signature::new(types, Volatility::Immutable),
            args: args.to_vec(),
            ret,
            state,
            ordered: false,
            empty: None,
            make: Arc::new(make),
            groups: None,
        }
    }

    /// The order of rows matters.
    fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    fn with_groups(
        mut self,
        make: impl Fn() -> Box<dyn GroupsAccumulator> + Send + Sync + 'static,
    ) -> Self {
        self.groups = Some(Arc::new(make));
        self
    }

    fn with_empty(mut self, value: ScalarValue) -> Self {
        self.empty = Some(value);
        self
    }

    fn implementation(self) -> Implementation {
        Implementation::Udaf(Arc::new(AggregateUDF::new_from_impl(self)))
    }
}

impl AggregateUDFImpl for PgAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.ret.clone())
    }

    fn is_nullable(&self) -> bool {
        self.empty.is_none()
    }

    fn default_value(&self, data_type: &DataType) -> DataFusionResult<ScalarValue> {
        match &self.empty {
            Some(value) => Ok(value.clone()),
            None => ScalarValue::try_from(data_type),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DataFusionResult<Box<dyn Accumulator>> {
        if args.is_distinct {
            let ordered = !args.order_bys.is_empty();
            return Ok(Box::new(distinct::Distinct::new(&self.args, Arc::clone(&self.make), ordered)));
        }
        Ok((self.make)())
    }

    fn create_sliding_accumulator(
        &self,
        _: AccumulatorArgs,
    ) -> DataFusionResult<Box<dyn Accumulator>> {
        Ok(Box::new(distinct::Sliding::new(Arc::clone(&self.make))))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DataFusionResult<Vec<FieldRef>> {
        let types: Vec<DataType> = if args.is_distinct {
            self.args
                .iter()
                .map(|t| Ok(list_of(t.arrow()?)))
                .collect::<Result<_>>()
                .map_err(Error::into_datafusion)?
        } else {
            self.state.clone()
        };
        let field = |(i, t)| Arc::new(Field::new(format!("{}[{i}]", args.name), t, true));
        Ok(types.into_iter().enumerate().map(field).collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.groups.is_some() && !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs,
    ) -> DataFusionResult<Box<dyn GroupsAccumulator>> {
        match &self.groups {
            Some(make) => Ok(make()),
            None => Err(Error::internal("no accumulator over groups").into_datafusion()),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        if self.ordered {
            AggregateOrderSensitivity::HardRequirement
        } else {
            AggregateOrderSensitivity::Insensitive
        }
    }
}

/// The only value of a column of one.
pub(super) fn only(array: &ArrayRef) -> DataFusionResult<ScalarValue> {
    ScalarValue::try_from_array(array, 0)
}

/// Bytes of an accumulator and what it points to, roughly.
pub(super) fn sized<T>(_: &T, more: usize) -> usize {
    std::mem::size_of::<T>() + more
}

pub(super) fn register(all: &mut Implementations) {
    numbers::register(all);
    floats::register(all);
    intervals::register(all);
    extreme::register(all);
    collect::register(all);
    counts(all);
    let native: &[(&str, fn() -> Arc<AggregateUDF>)] = &[
        ("bool_and(bool)", datafusion::functions_aggregate::bool_and_or::bool_and_udaf),
        ("every(bool)", datafusion::functions_aggregate::bool_and_or::bool_and_udaf),
        ("bool_or(bool)", datafusion::functions_aggregate::bool_and_or::bool_or_udaf),
    ];
    for (signature, make) in native {
        all.add(signature, Implementation::Udaf(make()));
    }
    for ty in ["int2", "int4", "int8"] {
        use datafusion::functions_aggregate::bit_and_or_xor as bits;
        all.add(&format!("bit_and({ty})"), Implementation::Udaf(bits::bit_and_udaf()));
        all.add(&format!("bit_or({ty})"), Implementation::Udaf(bits::bit_or_udaf()));
        all.add(&format!("bit_xor({ty})"), Implementation::Udaf(bits::bit_xor_udaf()));
    }
}

fn counts(all: &mut Implementations) {
    // `count(*)` comes as a count of a constant, or of nothing.
    all.add("count()", Implementation::Poly(|_, _| Ok(count(&[]))));
    all.add("count(any)", Implementation::Poly(|types, _| Ok(count(types))));
}

fn count(types: &[PgType]) -> Implementation {
    let oid = types.first().map_or(Oid::INVALID, |t| t.oid);
    let id = format!("count({oid})");
    PgAggregate::new(&id, types, DataType::Int64, vec![DataType::Int64], || {
        Box::new(groups::Count::default())
    })
    .with_groups(|| Box::new(groups::CountGroups::default()))
    .with_empty(ScalarValue::Int64(Some(0)))
    .implementation()
}

/// Arrow types that tests and registrations share.
pub(super) fn timestamps(zoned: bool) -> DataType {
    timestamp_type(zoned)
}

/// Whether a row counts: not NULL in any column.
pub(super) fn all_valid(values: &[ArrayRef], row: usize) -> bool {
    values.iter().all(|v| v.is_valid(row))
}
