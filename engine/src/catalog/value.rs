//! Single values from and to text, for what definitions keep as text.

use arrow::array::ArrayRef;

use crate::{
    error::Result,
    types::{FormatSettings, PgType, input_scalar},
};

/// The value of a text, as an array of one element, under the default settings.
pub(crate) fn input(ty: PgType, text: &str) -> Result<ArrayRef> {
    let value = input_scalar(ty, text, &FormatSettings::default())?;
    Ok(value.to_array()?)
}
