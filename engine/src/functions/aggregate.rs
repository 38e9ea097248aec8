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
use datafusion::functions_aggregate::{bit_and_or_xor, bool_and_or};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
    TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::Implementation;
use super::registry::Implementations;
use crate::error::{Error, Result};
use crate::types::{PgType, list_of};

mod bits;
mod collect;
mod distinct;
mod extreme;
mod floats;
mod groups;
mod intervals;
mod numbers;
mod ordered_set;
mod sorted;

pub(crate) use ordered_set::is_ordered_set;

/// Makes an accumulator for one group.
pub(super) type Make = Arc<dyn Fn() -> Box<dyn Accumulator> + Send + Sync>;
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
        arranged(&args, &self.args, self.ordered, Arc::clone(&self.make))
    }

    fn create_sliding_accumulator(
        &self,
        _: AccumulatorArgs,
    ) -> DataFusionResult<Box<dyn Accumulator>> {
        Ok(Box::new(distinct::Sliding::new(Arc::clone(&self.make))))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DataFusionResult<Vec<FieldRef>> {
        let arranged = arranged_state(&args, &self.args, self.ordered);
        let types = arranged.map_err(Error::into_datafusion)?.unwrap_or_else(|| self.state.clone());
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

    /// DataFusion asks for sorted input only where it could also read it backwards; the same
    /// function is what it may use then, with the order it asks for.
    fn reverse_expr(&self) -> ReversedUDAF {
        if self.ordered { ReversedUDAF::Identical } else { ReversedUDAF::NotSupported }
    }

    /// The accumulator sorts what doesn't come sorted, so it is the same either way.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _beneficial_ordering: bool,
    ) -> DataFusionResult<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        if self.ordered {
            // Rows that come in another order are sorted by the accumulator.
            AggregateOrderSensitivity::SoftRequirement
        } else {
            AggregateOrderSensitivity::Insensitive
        }
    }
}

/// The accumulator of a call, behind what its DISTINCT and, where the order of rows matters
/// (`ordered`), its ORDER BY ask for. `types` are those of the arguments.
pub(super) fn arranged(
    args: &AccumulatorArgs,
    types: &[PgType],
    ordered: bool,
    make: Make,
) -> DataFusionResult<Box<dyn Accumulator>> {
    let ordered = ordered && !args.order_bys.is_empty();
    let make: Make = match args.is_distinct {
        true => {
            let types = types.to_vec();
            Arc::new(move || Box::new(distinct::Distinct::new(&types, Arc::clone(&make), ordered)))
        }
        false => make,
    };
    if !ordered {
        return Ok(make());
    }
    let mut kept: Vec<DataType> =
        args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
    let mut options = Vec::with_capacity(args.order_bys.len());
    for sort in args.order_bys {
        kept.push(sort.expr.data_type(args.schema)?);
        options.push(sort.options);
    }
    Ok(Box::new(sorted::Sorted::new(make, kept, options)))
}

/// The state of [`arranged`], `None` where it is the aggregate's own.
pub(super) fn arranged_state(
    args: &StateFieldsArgs,
    types: &[PgType],
    ordered: bool,
) -> Result<Option<Vec<DataType>>> {
    if ordered && !args.ordering_fields.is_empty() {
        let kept = args.input_fields.iter().chain(args.ordering_fields);
        return Ok(Some(kept.map(|field| list_of(field.data_type().clone())).collect()));
    }
    if !args.is_distinct {
        return Ok(None);
    }
    types.iter().map(|ty| Ok(list_of(ty.arrow()?))).collect::<Result<Vec<_>>>().map(Some)
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
    ordered_set::register(all);
    counts(all);
    for signature in ["bool_and(bool)", "every(bool)"] {
        all.add(signature, Implementation::Udaf(bool_and_or::bool_and_udaf()));
    }
    all.add("bool_or(bool)", Implementation::Udaf(bool_and_or::bool_or_udaf()));
    for ty in ["int2", "int4", "int8"] {
        all.add(&format!("bit_and({ty})"), Implementation::Udaf(bit_and_or_xor::bit_and_udaf()));
        all.add(&format!("bit_or({ty})"), Implementation::Udaf(bit_and_or_xor::bit_or_udaf()));
        all.add(&format!("bit_xor({ty})"), Implementation::Udaf(bits::bit_xor()));
    }
}

fn counts(all: &mut Implementations) {
    // `count(*)` comes as a count of a constant, or of nothing.
    all.add("count()", Implementation::Poly(|_, _| Ok(count(&[]))));
    all.add("count(any)", Implementation::Poly(|types, _| Ok(count(types))));
}

/// Counts the rows whose first column isn't NULL; DISTINCT looks at all columns.
pub(crate) fn count(types: &[PgType]) -> Implementation {
    let oids: Vec<String> = types.iter().map(|ty| ty.oid.to_string()).collect();
    let id = format!("count({})", oids.join(","));
    PgAggregate::new(&id, types, DataType::Int64, vec![DataType::Int64], || {
        Box::new(groups::Count::default())
    })
    .with_groups(|| Box::new(groups::CountGroups::default()))
    .with_empty(ScalarValue::Int64(Some(0)))
    .implementation()
}

/// Whether a row counts: not NULL in any column.
pub(super) fn all_valid(values: &[ArrayRef], row: usize) -> bool {
    values.iter().all(|v| v.is_valid(row))
}
