//! `pg_column_size`: what a value would take in PostgreSQL, uncompressed and outside of a table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::DataType;

use super::kernel::{Call, Kernel, scalar_udf};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result};
use crate::types::json::{self, layout};
use crate::types::numeric::Numeric;
use crate::types::{Oid, PgType, builtin};

/// The length word in front of a value of any length.
const LENGTH_BYTES: usize = 4;
/// Length, dimensions, whether there are NULLs, the elements' type, one dimension's bounds.
const ARRAY_HEADER_BYTES: usize = 24;
/// The same without a dimension.
const EMPTY_ARRAY_BYTES: usize = 16;

pub(super) fn register(all: &mut Implementations) {
    all.add("pg_column_size(any)", Implementation::Poly(|types, _| size_of(types[0])));
}

fn size_of(ty: PgType) -> Result<Implementation> {
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let arg = &call.args[0];
        let sizes = (0..call.rows).map(|row| {
            let row = arg.index(row);
            let size = (!arg.array.is_null(row)).then(|| bytes(ty, &arg.array, row)).transpose()?;
            Ok(size.map(|size| i32::try_from(size).unwrap_or(i32::MAX)))
        });
        Ok(Arc::new(sizes.collect::<Result<Int32Array>>()?) as ArrayRef)
    });
    let id = format!("pg_column_size({})", ty.oid);
    let udf = scalar_udf(&id, vec![ty.arrow()?], DataType::Int32, Volatility::Stable, true, kernel);
    Ok(Implementation::Udf(udf))
}

fn bytes(ty: PgType, array: &ArrayRef, row: usize) -> Result<usize> {
    if let Ok(fixed) = usize::try_from(ty.length()) {
        return Ok(fixed);
    }
    if let Some(element) = ty.list_element() {
        let items = array.as_list::<i32>().value(row);
        return list_bytes(element, &items);
    }
    Ok(match (ty.oid, array.data_type()) {
        // With the zero at its end.
        (Oid::UNKNOWN | Oid::CSTRING, _) => array.as_string::<i32>().value(row).len() + 1,
        (Oid::JSONB, _) => {
            let size = layout::jsonb_bytes(&json::parse(array.as_string::<i32>().value(row))?);
            usize::try_from(size).unwrap_or(usize::MAX)
        }
        (Oid::NUMERIC, _) => {
            let size = Numeric::from_bytes(array.as_binary::<i32>().value(row))?.varlena_bytes();
            usize::try_from(size).unwrap_or(usize::MAX)
        }
        (_, DataType::Utf8) => LENGTH_BYTES + array.as_string::<i32>().value(row).len(),
        (_, DataType::Binary) => LENGTH_BYTES + array.as_binary::<i32>().value(row).len(),
        (_, other) => return Err(Error::internal(format!("a size of {other} was asked for"))),
    })
}

/// Elements are aligned, and a map of bits tells the NULLs.
fn list_bytes(element: PgType, items: &ArrayRef) -> Result<usize> {
    if items.is_empty() {
        return Ok(EMPTY_ARRAY_BYTES);
    }
    let alignment = match builtin(element.oid).map_or(b'i', |entry| entry.align) {
        b'c' => 1,
        b's' => 2,
        b'd' => 8,
        _ => 4,
    };
    let mut size = ARRAY_HEADER_BYTES;
    if items.null_count() > 0 {
        size = (size + items.len().div_ceil(8)).next_multiple_of(8);
    }
    for row in (0..items.len()).filter(|row| items.is_valid(*row)) {
        size = (size + bytes(element, items, row)?).next_multiple_of(alignment);
    }
    Ok(size)
}
