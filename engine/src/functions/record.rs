//! Rows as values: `ROW(1, 'a')` and whole rows of tables.
//!
//! A row is kept as its text form, which is made where the row is: its columns' types are known
//! there, and nowhere else in a plan is there a place for them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::Volatility;
use super::kernel::{Call, downcast, scalar_udf};
use crate::error::Result;
use crate::types::{FormatSettings, PgType, output, output::Column};

/// A row of values of these types; the last argument are the format settings.
pub(crate) fn construct(types: &[PgType]) -> Result<Arc<ScalarUDF>> {
    let names: Vec<String> = types.iter().map(|ty| format!("{}/{}", ty.oid, ty.typmod)).collect();
    let mut args = types.iter().map(|ty| ty.arrow()).collect::<Result<Vec<DataType>>>()?;
    args.push(DataType::Utf8);
    let id = format!("row({})", names.join(","));
    let types = types.to_vec();
    let kernel = Arc::new(move |call: &Call| rows(&types, call));
    Ok(scalar_udf(&id, args, DataType::Utf8, Volatility::Stable, false, kernel))
}

fn rows(types: &[PgType], call: &Call) -> Result<ArrayRef> {
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
    let (mut text, mut field) = (String::new(), String::new());
    for row in 0..call.rows {
        text.clear();
        text.push('(');
        for (i, (column, arg)) in bound.iter().zip(&call.args).enumerate() {
            if i > 0 {
                text.push(',');
            }
            let at = arg.index(row);
            if column.is_null(at) {
                continue;
            }
            field.clear();
            column.write_text(at, &settings, &mut field).map_err(|_| output::corrupt(types[i]))?;
            write_field(&field, &mut text);
        }
        text.push(')');
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
}
