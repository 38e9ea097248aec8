//! `json_to_record`, `json_to_recordset` and their jsonb twins: objects as rows of the columns
//! that a column definition list names.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::ScalarUDF;

use crate::error::{Error, Result, SqlState};
use crate::functions::Volatility;
use crate::types::input::ValueBuilder;
use crate::types::json::{Slices, slice_as_text};
use crate::types::{FormatSettings, Oid, PgType};

use super::super::cast::settings_of;
use super::super::kernel::{Call, downcast, scalar_udf};

/// Whether a function's rows have the columns that the query says.
pub(crate) fn gives_records(name: &str) -> bool {
    let name = name.strip_prefix("jsonb_").or_else(|| name.strip_prefix("json_"));
    matches!(name, Some("to_record" | "to_recordset"))
}

/// The function `name` for a list of columns: a list of structs per document. The settings are its
/// second argument.
///
/// # Errors
/// 0A000 for a column whose type has no values here.
pub(crate) fn records(name: &str, columns: &[(String, PgType)]) -> Result<Arc<ScalarUDF>> {
    let columns = columns.to_vec();
    let mut fields = Vec::with_capacity(columns.len());
    for (name, ty) in &columns {
        fields.push(Field::new(name, ty.arrow()?, true));
    }
    let fields = Fields::from(fields);
    let shown: Vec<String> =
        columns.iter().map(|(name, ty)| format!("{name:?} {} {}", ty.oid, ty.typmod)).collect();
    let id = format!("{name}({})", shown.join(","));
    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    let ret = DataType::List(Arc::clone(&item));
    let name = name.to_owned();
    let kernel = Arc::new(move |call: &Call| -> Result<ArrayRef> {
        let documents = downcast::<StringArray>(&call.args[0].array)?;
        let settings = settings_of(call)?;
        let mut rows = Rows::new(&columns)?;
        let (mut lengths, mut valid) = (Vec::new(), Vec::new());
        for row in 0..call.rows {
            let row = call.args[0].index(row);
            let given = documents.is_valid(row);
            // No document is a record of NULLs, but no set of records.
            valid.push(given || !name.ends_with("set"));
            lengths.push(match given {
                true => rows.add(&name, documents.value(row), &settings)?,
                false if name.ends_with("set") => 0,
                false => rows.add_nulls(),
            });
        }
        let items = StructArray::try_new(fields.clone(), rows.finish()?, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = NullBuffer::from(valid);
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, Arc::new(items), Some(nulls))?))
    });
    let args = vec![DataType::Utf8, DataType::Utf8];
    Ok(scalar_udf(&id, args, ret, Volatility::Stable, false, kernel))
}

struct Rows<'a> {
    columns: &'a [(String, PgType)],
    builders: Vec<ValueBuilder>,
}

impl<'a> Rows<'a> {
    fn new(columns: &'a [(String, PgType)]) -> Result<Self> {
        let builders = columns.iter().map(|(_, ty)| ValueBuilder::new(*ty, 0));
        Ok(Rows { columns, builders: builders.collect::<Result<_>>()? })
    }

    /// Appends a document's rows and tells how many.
    fn add(&mut self, name: &str, text: &str, settings: &FormatSettings) -> Result<usize> {
        let whole = Slices::of(text)?;
        if !name.ends_with("set") {
            self.add_row(&whole, settings)?;
            return Ok(1);
        }
        let Slices::Array(items) = whole else {
            let what = if matches!(whole, Slices::Object(_)) { "an object" } else { "a scalar" };
            let what = if name.starts_with("jsonb") { "a non-array" } else { what };
            return Err(Error::invalid_parameter_value(format!("cannot call {name} on {what}")));
        };
        for item in &items {
            let object = Slices::of(item)?;
            if !matches!(object, Slices::Object(_)) {
                return Err(Error::invalid_parameter_value(format!(
                    "argument of {name} must be an array of objects"
                )));
            }
            self.add_row(&object, settings)?;
        }
        Ok(items.len())
    }

    fn add_nulls(&mut self) -> usize {
        self.builders.iter_mut().for_each(ValueBuilder::push_null);
        1
    }

    fn add_row(&mut self, object: &Slices<'_>, settings: &FormatSettings) -> Result<()> {
        let what = match object {
            Slices::Object(_) => None,
            Slices::Array(_) => Some("an array"),
            Slices::Scalar(_) => Some("a scalar"),
        };
        if let Some(what) = what {
            return Err(Error::invalid_parameter_value(format!(
                "cannot call populate_composite on {what}"
            )));
        }
        for ((column, ty), builder) in self.columns.iter().zip(&mut self.builders) {
            match object.member(column) {
                Some(slice) if slice != "null" => match value_text(*ty, slice, column)? {
                    Some(text) => builder.push_text(&text, settings)?,
                    None => builder.push_null(),
                },
                Some(_) | None => builder.push_null(),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<ArrayRef>> {
        self.builders.iter_mut().map(ValueBuilder::finish).collect()
    }
}

/// What a type's input function reads of a JSON value.
fn value_text(ty: PgType, slice: &str, column: &str) -> Result<Option<String>> {
    if matches!(ty.oid, Oid::JSON | Oid::JSONB) {
        return Ok(Some(slice.to_owned()));
    }
    let Some(element) = ty.element() else { return slice_as_text(slice) };
    let items = match Slices::of(slice)? {
        Slices::Array(items) => items,
        // A string may hold an array's text.
        Slices::Scalar(text) if text.starts_with('"') => return slice_as_text(slice),
        Slices::Object(_) | Slices::Scalar(_) => {
            return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array")
                .with_hint(format!("See the value of key \"{column}\".")));
        }
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        if matches!(Slices::of(item)?, Slices::Array(_)) && !is_json(element) {
            return Err(Error::feature_not_supported("multidimensional arrays are not supported"));
        }
        texts.push(if item == "null" { None } else { value_text(element, item, column)? });
    }
    Ok(Some(crate::types::array::text_of(&texts)))
}

fn is_json(ty: PgType) -> bool {
    matches!(ty.oid, Oid::JSON | Oid::JSONB)
}
