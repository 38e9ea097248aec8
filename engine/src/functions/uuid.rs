//! Functions of uuid and the logical functions of bool.

use std::sync::Arc;

use arrow::array::FixedSizeBinaryBuilder;
use arrow::datatypes::DataType;

use super::kernel::{Bool, Call, Int4, SqlType, Uuid, scalar_udf};
use super::registry::Implementations;
use super::{Implementation, Volatility};

pub(super) fn register(all: &mut Implementations) {
    let random = scalar_udf(
        "gen_random_uuid()",
        vec![],
        DataType::FixedSizeBinary(16),
        Volatility::Volatile,
        false,
        Arc::new(|call: &Call| {
            let mut out = FixedSizeBinaryBuilder::with_capacity(call.rows, 16);
            for _ in 0..call.rows {
                out.append_value(::uuid::Uuid::new_v4().as_bytes())?;
            }
            Ok(Arc::new(out.finish()))
        }),
    );
    all.add("gen_random_uuid()", Implementation::Udf(random));
    all.f2::<Uuid, Uuid, Int4>("uuid_cmp(uuid,uuid)", |a, b| Ok(a.cmp(b) as i32));
    all.f2::<Bool, Bool, Bool>("booland_statefunc(bool,bool)", |a, b| Ok(a && b));
    all.f2::<Bool, Bool, Bool>("boolor_statefunc(bool,bool)", |a, b| Ok(a || b));
    debug_assert_eq!(Uuid::data_type(), DataType::FixedSizeBinary(16));
}
