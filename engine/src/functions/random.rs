//! `random` and `setseed`: PostgreSQL's generator, so that a seed gives its numbers.

use std::sync::{Arc, PoisonError};

use arrow::array::{Array, AsArray, Float64Array, StringBuilder};
use arrow::datatypes::{DataType, Float64Type};
use rand::Rng;

use super::kernel::{Call, scalar_udf};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::context::ExecutionContext;
use crate::error::{Error, Result};

pub(super) fn register(all: &mut Implementations) {
    let random = scalar_udf(
        "random()",
        Vec::new(),
        DataType::Float64,
        Volatility::Volatile,
        false,
        Arc::new(|call: &Call| {
            with_generator(|generator| {
                let values = (0..call.rows).map(|_| generator.fraction());
                Ok(Arc::new(Float64Array::from_iter_values(values)) as _)
            })
        }),
    );
    all.add("random()", Implementation::Udf(random));
    let setseed = scalar_udf(
        "setseed(float8)",
        vec![DataType::Float64],
        DataType::Utf8,
        Volatility::Volatile,
        false,
        Arc::new(|call: &Call| {
            let seeds = &call.args[0];
            let values = seeds.array.as_primitive::<Float64Type>();
            // A value of type void is the empty text.
            let mut done = StringBuilder::with_capacity(call.rows, 0);
            for row in 0..call.rows {
                let row = seeds.index(row);
                if values.is_null(row) {
                    done.append_null();
                    continue;
                }
                let seed = checked(values.value(row))?;
                with_generator(|generator| {
                    *generator = Generator::seeded(seed);
                    Ok(())
                })?;
                done.append_value("");
            }
            Ok(Arc::new(done.finish()) as _)
        }),
    );
    all.add("setseed(float8)", Implementation::Udf(setseed));
}

fn checked(seed: f64) -> Result<f64> {
    if (-1.0..=1.0).contains(&seed) {
        return Ok(seed);
    }
    let mut shown = String::new();
    // Writing into a String can't fail.
    let _ = crate::types::float::write_general(seed, 6, &mut shown);
    Err(Error::invalid_parameter_value(format!(
        "setseed parameter {shown} is out of allowed range [-1,1]"
    )))
}

/// The session's generator, or one of its own for expressions outside of sessions.
fn with_generator<T>(f: impl FnOnce(&mut Generator) -> Result<T>) -> Result<T> {
    match ExecutionContext::current() {
        Some(context) => {
            let mut generator =
                context.session.random.lock().unwrap_or_else(PoisonError::into_inner);
            f(generator.get_or_insert_with(Generator::surprising))
        }
        None => f(&mut Generator::surprising()),
    }
}

/// xoroshiro128**, as PostgreSQL's common/pg_prng.c.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generator {
    state: [u64; 2],
}

impl Generator {
    fn surprising() -> Self {
        Generator { state: rand::rng().random() }
    }

    fn seeded(seed: f64) -> Self {
        // The 52 bits of a float's fraction, and its sign.
        let mut seed = (((1_u64 << 52) - 1) as f64 * seed) as i64 as u64;
        Generator { state: [(); 2].map(|()| split_mix(&mut seed)) }
    }

    fn bits(&mut self) -> u64 {
        let [first, second] = self.state;
        let mixed = second ^ first;
        let value = first.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        self.state = [first.rotate_left(24) ^ mixed ^ (mixed << 16), mixed.rotate_left(37)];
        value
    }

    /// At least 0 and less than 1.
    fn fraction(&mut self) -> f64 {
        (self.bits() >> 12) as f64 / (1_u64 << 52) as f64
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_give_postgresql_s_numbers() {
        let mut generator = Generator::seeded(0.5);
        let numbers = [(); 2].map(|()| generator.fraction());
        assert_eq!(numbers, [0.985_167_717_534_799_9, 0.825_301_858_027_981]);
    }
}
