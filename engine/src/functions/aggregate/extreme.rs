//! min and max: DataFusion's where Arrow's order is PostgreSQL's, by keys elsewhere.

use arrow::array::{Array, ArrayRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::super::Implementation;
use super::super::compare::Keyer;
use super::super::registry::Implementations;
use super::{PgAggregate, sized};
use crate::error::{Error, Result};
use crate::types::{Oid, PgType};

pub(super) fn register(all: &mut Implementations) {
    for ty in [
        "int2",
        "int4",
        "int8",
        "oid",
        "text",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
    ] {
        all.add(&format!("min({ty})"), Implementation::Udaf(min_udaf()));
        all.add(&format!("max({ty})"), Implementation::Udaf(max_udaf()));
    }
    for (name, ty) in [
        ("float4", PgType::FLOAT4),
        ("float8", PgType::FLOAT8),
        ("numeric", PgType::NUMERIC),
        ("interval", PgType::INTERVAL),
        ("bpchar", PgType::BPCHAR),
    ] {
        for (function, largest) in [("min", false), ("max", true)] {
            let signature = format!("{function}({name})");
            if let Ok(implementation) = by_key(ty, largest) {
                all.add(&signature, implementation);
            }
        }
    }
    all.add("min(anyarray)", Implementation::Poly(|types, _| by_key(types[0], false)));
    all.add("max(anyarray)", Implementation::Poly(|types, _| by_key(types[0], true)));
}

fn by_key(ty: PgType, largest: bool) -> Result<Implementation> {
    let arrow = ty.arrow()?;
    let id = format!("{}({})", if largest { "max" } else { "min" }, ty.oid);
    let null = ScalarValue::try_from(&arrow)?;
    let aggregate = PgAggregate::new(&id, &[ty], arrow.clone(), vec![arrow], move || {
        Box::new(Extreme { ty, largest, key: None, value: null.clone() })
    });
    Ok(aggregate.implementation())
}

#[derive(Debug)]
struct Extreme {
    ty: PgType,
    largest: bool,
    key: Option<Vec<u8>>,
    value: ScalarValue,
}

impl Extreme {
    fn take_in(&mut self, array: &ArrayRef) -> Result<()> {
        let keyer = Keyer::bind(self.ty, array)?;
        let mut best: Option<usize> = None;
        let mut key = Vec::new();
        for row in 0..array.len() {
            if array.is_null(row) {
                continue;
            }
            key.clear();
            keyer.append(row, &mut key)?;
            // Of equal values the later one stays, except for char(n).
            let better = self.key.as_ref().is_none_or(|current| {
                let order = if self.largest { key.cmp(current) } else { current.cmp(&key) };
                order.is_gt() || (order.is_eq() && self.ty.oid != Oid::BPCHAR)
            });
            if better {
                self.key = Some(key.clone());
                best = Some(row);
            }
        }
        if let Some(row) = best {
            self.value = ScalarValue::try_from_array(array, row)?;
        }
        Ok(())
    }
}

impl Accumulator for Extreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.take_in(&values[0]).map_err(Error::into_datafusion)
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        sized(self, self.value.size())
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![self.value.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        self.update_batch(states)
    }
}
