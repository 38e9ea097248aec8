//! Rows as values: `ROW(1, 'a')` and whole rows of tables.
//!
//! A row is kept as its text form and its JSON form, with a NUL, which no text contains, between
//! them. They are made where the row is: its columns' names and types are known there, and nowhere
//! else in a plan is there a place for them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::Volatility;
use super::json::write_value;
use super::kernel::{Call, Kernel, Text, downcast, k1, scalar_udf, total};
use crate::error::Result;
use crate::types::{FormatSettings, PgType, json, output, output::Column};

/// Between the forms.
const BORDER: char = '\0';

/// The form of `record_out`.
pub(crate) fn text_of(record: &str) -> &str {
    record.split_once(BORDER).map_or(record, |(text, _)| text)
}

/// The form of `row_to_json`.
pub(crate) fn json_of(record: &str) -> &str {
    record.split_once(BORDER).map_or("null", |(_, json)| json)
}

/// The text of a row.
pub(crate) fn text() -> Arc<ScalarUDF> {
    let kernel: Kernel = k1::<Text, Text>(|record| Ok(text_of(record).to_owned()));
    scalar_udf(
        "text(record)",
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        true,
        kernel,
    )
}

/// `row IS NULL`: all members are; `row IS NOT NULL`: none is.
pub(crate) fn null_test(negated: bool) -> Arc<ScalarUDF> {
    let kernel: Kernel = Arc::new(move |call| {
        let records: &StringArray = downcast(&call.args[0].array)?;
        let test = |row| {
            let at = call.args[0].index(row);
            if records.is_null(at) {
                return !negated;
            }
            let mut fields = are_null(records.value(at));
            fields.all(|is_null| is_null != negated)
        };
        Ok(Arc::new((0..call.rows).map(|row| Some(test(row))).collect::<BooleanArray>()))
    });
    let id = format!("row_null_test({negated})");
    let udf = scalar_udf(
        &id,
        vec![DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        false,
        kernel,
    );
    total(&udf)
}

/// Which members of a row are NULL: those of whose text nothing is there.
fn are_null(record: &str) -> impl Iterator<Item = bool> {
    let text = text_of(record);
    let members = if json_of(record) == "{}" { "" } else { &text[1..] };
    let (mut is_quoted, mut is_empty) = (false, true);
    members.chars().filter_map(move |c| match c {
        '"' => {
            (is_quoted, is_empty) = (!is_quoted, false);
            None
        }
        ',' | ')' if !is_quoted => Some(std::mem::replace(&mut is_empty, true)),
        _ => {
            is_empty = false;
            None
        }
    })
}

/// A row of values of these names and types; the last argument are the format settings.
pub(crate) fn construct(names: Vec<String>, types: &[PgType]) -> Result<Arc<ScalarUDF>> {
    let shown: Vec<String> = names
        .iter()
        .zip(types)
        .map(|(name, ty)| format!("{name:?} {}/{}", ty.oid, ty.typmod))
        .collect();
    let mut args = types.iter().map(|ty| ty.arrow()).collect::<Result<Vec<DataType>>>()?;
    args.push(DataType::Utf8);
    let id = format!("row({})", shown.join(","));
    let types = types.to_vec();
    let keys: Vec<String> = names.iter().map(|name| json_key(name)).collect();
    let kernel = Arc::new(move |call: &Call| rows(&keys, &types, call));
    Ok(scalar_udf(&id, args, DataType::Utf8, Volatility::Stable, false, kernel))
}

fn json_key(name: &str) -> String {
    let mut key = String::new();
    let _ = json::write_string(name, &mut key);
    key.push(':');
    key
}

fn rows(keys: &[String], types: &[PgType], call: &Call) -> Result<ArrayRef> {
    let bound = types
        .iter()
        .zip(&call.args)
        .map(|(ty, arg)| Column::bind(*ty, &arg.array))
        .collect::<Result<Vec<_>>>()?;
    let settings = match call.args.get(types.len()) {
        Some(arg) => FormatSettings::cached(downcast::<StringArray>(&arg.array)?.value(0))?,
        None => FormatSettings::default(),
    };
    let mut built = StringBuilder::new();
    let (mut text, mut json, mut field) = (String::new(), String::new(), String::new());
    for row in 0..call.rows {
        text.clear();
        json.clear();
        text.push('(');
        json.push('{');
        for (i, (column, arg)) in bound.iter().zip(&call.args).enumerate() {
            if i > 0 {
                text.push(',');
                json.push(',');
            }
            let at = arg.index(row);
            json.push_str(&keys[i]);
            write_value(types[i], &arg.array, column, at, &settings, &mut json)?;
            if column.is_null(at) {
                continue;
            }
            field.clear();
            column.write_text(at, &settings, &mut field).map_err(|_| output::corrupt(types[i]))?;
            write_field(&field, &mut text);
        }
        text.push(')');
        text.push(BORDER);
        text.push_str(&json);
        text.push('}');
        built.append_value(&text);
    }
    Ok(Arc::new(built.finish()))
}

/// As `record_out`: quoted where the text could be taken for something else.
fn write_field(field: &str, out: &mut String) {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c);
    if !field.is_empty() && !field.contains(special) {
        out.push_str(field);
        return;
    }
    out.push('"');
    for c in field.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        let _ = out.write_char(c);
    }
    out.push('"');
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_as_in_postgres() {
        let written = |field: &str| {
            let mut out = String::new();
            write_field(field, &mut out);
            out
        };
        assert_eq!(written("a"), "a");
        assert_eq!(written(""), "\"\"");
        assert_eq!(written("a b"), "\"a b\"");
        assert_eq!(written("e\"f\\"), "\"e\"\"f\\\\\"");
    }

    #[test]
    fn members_are_null_where_nothing_is_written() {
        let nulls = |record: &str| are_null(record).collect::<Vec<bool>>();
        assert_eq!(nulls("(1,,\"\",\"a,\"\")\",)\0{\"f1\":1}"), [false, true, false, false, true]);
        assert_eq!(nulls("()\0{\"f1\":null}"), [true]);
        assert!(nulls("()\0{}").is_empty());
    }
}
