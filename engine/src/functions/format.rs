//! `format(template, ...)`: PostgreSQL's sprintf.

use std::sync::Arc;

use arrow::array::{Array, StringArray, StringBuilder};
use arrow::datatypes::DataType;

use super::kernel::{Call, Kernel, downcast, scalar_udf};
use super::text::{arrow_types, char_count, columns, quote_ident, quote_literal};
use super::{Implementation, Volatility};
use crate::error::{Error, Result, SqlState};
use crate::types::output::Column;
use crate::types::{FormatSettings, PgType};

pub(super) fn make(types: &[PgType]) -> Result<Implementation> {
    let types = types.to_vec();
    let id = format!("format({:?})", types.iter().map(|t| t.oid.0).collect::<Vec<_>>());
    let args = arrow_types(&types)?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let columns = columns(&types, call)?;
        let settings = super::cast::settings_of(call)?;
        let templates: &StringArray = downcast(&call.args[0].array)?;
        let mut out = StringBuilder::new();
        for row in 0..call.rows {
            let at = call.args[0].index(row);
            if templates.is_null(at) {
                out.append_null();
                continue;
            }
            let value =
                |n: usize| -> Result<Option<String>> { text(&columns, call, n, row, &settings) };
            out.append_value(format_row(templates.value(at), columns.len() - 1, &value)?);
        }
        Ok(Arc::new(out.finish()))
    });
    let udf = scalar_udf(&id, args, DataType::Utf8, Volatility::Immutable, false, kernel);
    Ok(Implementation::Udf(udf))
}

fn text(
    columns: &[Column],
    call: &Call,
    n: usize,
    row: usize,
    settings: &FormatSettings,
) -> Result<Option<String>> {
    let at = call.args[n].index(row);
    if columns[n].is_null(at) {
        return Ok(None);
    }
    let mut text = String::new();
    columns[n]
        .write_text(at, settings, &mut text)
        .map_err(|_| Error::new(SqlState::DATA_CORRUPTED, "corrupt value"))?;
    Ok(Some(text))
}

fn format_row(
    template: &str,
    count: usize,
    value: &dyn Fn(usize) -> Result<Option<String>>,
) -> Result<String> {
    let unterminated = || {
        Error::invalid_parameter_value("unterminated format() type specifier")
            .with_hint("For a single \"%\" use \"%%\".")
    };
    let few = || Error::invalid_parameter_value("too few arguments for format()");
    let checked = |n: usize| if n > count { Err(few()) } else { value(n) };
    let mut out = String::new();
    let mut next = 1;
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let mut position = None;
        if let Some((n, after)) = number(rest)
            && let Some(after) = after.strip_prefix('$')
        {
            if n == 0 {
                return Err(Error::invalid_parameter_value(
                    "format specifies argument 0, but arguments are numbered from 1",
                ));
            }
            position = Some(n);
            rest = after;
        }
        let mut left = false;
        while let Some(after) = rest.strip_prefix('-') {
            left = true;
            rest = after;
        }
        let mut width = 0i64;
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            let n = match number(rest) {
                Some((n, after)) if after.starts_with('$') => {
                    rest = &after[1..];
                    n
                }
                _ => {
                    next += 1;
                    next - 1
                }
            };
            width = match checked(n)? {
                Some(text) => {
                    i64::from(crate::types::input::parse_integer::<i32>(&text, "integer")?)
                }
                None => 0,
            };
            left |= width < 0;
        } else if let Some((n, after)) = number(rest) {
            width = n as i64;
            rest = after;
        }
        let kind = rest.chars().next().ok_or_else(unterminated)?;
        rest = &rest[kind.len_utf8()..];
        let n = position.unwrap_or(next);
        let text = match kind {
            's' => checked(n)?.unwrap_or_default(),
            'I' => match checked(n)? {
                Some(name) => quote_ident(&name),
                None => {
                    return Err(Error::new(
                        SqlState::NULL_VALUE_NOT_ALLOWED,
                        "null values cannot be formatted as an SQL identifier",
                    ));
                }
            },
            'L' => checked(n)?.map_or_else(|| "NULL".to_owned(), |text| quote_literal(&text)),
            other => {
                return Err(Error::invalid_parameter_value(format!(
                    "unrecognized format() type specifier \"{other}\""
                ))
                .with_hint("For a single \"%\" use \"%%\"."));
            }
        };
        next = n + 1;
        let missing = (width.unsigned_abs() as usize).saturating_sub(char_count(&text));
        let padding = std::iter::repeat_n(' ', missing);
        if left {
            out.push_str(&text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.push_str(&text);
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let value: usize = text[..end].parse().ok()?;
    (value < 1 << 24).then_some((value, &text[end..]))
}
