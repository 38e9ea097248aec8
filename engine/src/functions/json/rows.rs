//! Documents as rows: functions that give a list per document, which the binder unnests.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ListArray, ListBuilder, NullBufferBuilder, StringArray, StringBuilder,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};

use crate::error::{Error, Result};
use crate::types::json::{self, Slices};
use crate::types::list_of;

use super::super::kernel::{Call, downcast};
use super::super::registry::Implementations;

/// A value's text, or what `->>` gives of it.
type Shown = fn(&str) -> Result<Option<String>>;

pub(super) fn register(all: &mut Implementations) {
    let whole: Shown = |slice| Ok(Some(slice.to_owned()));
    for kind in ["json", "jsonb"] {
        for (suffix, shown) in [("", whole), ("_text", json::slice_as_text as Shown)] {
            let name = format!("{kind}_array_elements{suffix}");
            lists(all, &format!("{name}({kind})"), move |value| elements(value, &name, shown));
            let name = format!("{kind}_each{suffix}");
            pairs(all, &format!("{name}({kind})"), &name, shown);
        }
        let name = format!("{kind}_object_keys");
        lists(all, &format!("{name}({kind})"), move |value| {
            let members = members(value, &name)?;
            Ok(members.iter().map(|(key, _)| Some(key.clone())).collect())
        });
    }
}

fn elements(value: &Slices<'_>, name: &str, shown: Shown) -> Result<Vec<Option<String>>> {
    match value {
        Slices::Array(items) => items.iter().copied().map(shown).collect(),
        Slices::Object(_) if name.starts_with("jsonb") => {
            Err(Error::invalid_parameter_value("cannot extract elements from an object"))
        }
        Slices::Object(_) => {
            Err(Error::invalid_parameter_value(format!("cannot call {name} on a non-array")))
        }
        _ if name.starts_with("jsonb") => {
            Err(Error::invalid_parameter_value("cannot extract elements from a scalar"))
        }
        _ => Err(Error::invalid_parameter_value(format!("cannot call {name} on a scalar"))),
    }
}

fn members<'v, 'a>(value: &'v Slices<'a>, name: &str) -> Result<&'v [(String, &'a str)]> {
    match value {
        Slices::Object(members) => Ok(members),
        Slices::Array(_) if name.ends_with("keys") => {
            Err(Error::invalid_parameter_value(format!("cannot call {name} on an array")))
        }
        Slices::Array(_) => {
            Err(Error::invalid_parameter_value(format!("cannot call {name} on a non-object")))
        }
        _ if name.ends_with("keys") => {
            Err(Error::invalid_parameter_value(format!("cannot call {name} on a scalar")))
        }
        _ => Err(Error::invalid_parameter_value(format!("cannot call {name} on a non-object"))),
    }
}

/// A function that gives a list of texts.
fn lists(
    all: &mut Implementations,
    signature: &str,
    make: impl Fn(&Slices<'_>) -> Result<Vec<Option<String>>> + Send + Sync + 'static,
) {
    let kernel = Arc::new(move |call: &Call| -> Result<ArrayRef> {
        let documents = downcast::<StringArray>(&call.args[0].array)?;
        let mut out = ListBuilder::new(StringBuilder::new());
        for row in 0..call.rows {
            let row = call.args[0].index(row);
            if documents.is_null(row) {
                out.append(false);
                continue;
            }
            for item in make(&Slices::of(documents.value(row))?)? {
                out.values().append_option(item);
            }
            out.append(true);
        }
        Ok(Arc::new(out.finish()))
    });
    all.kernel(signature, vec![DataType::Utf8], list_of(DataType::Utf8), kernel);
}

/// A function that gives a list of (key, value).
fn pairs(all: &mut Implementations, signature: &str, name: &str, shown: Shown) {
    let fields = Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Utf8, true),
    ]);
    let item = DataType::Struct(fields.clone());
    let ret = list_of(item.clone());
    let name = name.to_owned();
    let kernel = Arc::new(move |call: &Call| -> Result<ArrayRef> {
        let documents = downcast::<StringArray>(&call.args[0].array)?;
        let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
        let mut lengths = Vec::with_capacity(call.rows);
        let mut nulls = NullBufferBuilder::new(call.rows);
        for row in 0..call.rows {
            let row = call.args[0].index(row);
            if documents.is_null(row) {
                nulls.append(false);
                lengths.push(0);
                continue;
            }
            let document = Slices::of(documents.value(row))?;
            let members = members(&document, &name)?;
            for (key, value) in members {
                keys.append_value(key);
                values.append_option(shown(value)?);
            }
            nulls.append(true);
            lengths.push(members.len());
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
        let items = StructArray::try_new(fields.clone(), columns, None)?;
        let field = Arc::new(Field::new("item", item.clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(items), nulls.finish())?))
    });
    all.kernel(signature, vec![DataType::Utf8], ret, kernel);
}
