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
    let mut template = Template { rest: template, next: 1, count, value };
    let mut out = String::new();
    while let Some(at) = template.rest.find('%') {
        out.push_str(&template.rest[..at]);
        template.rest = &template.rest[at + 1..];
        if template.take('%') {
            out.push('%');
        } else {
            template.specifier(&mut out)?;
        }
    }
    out.push_str(template.rest);
    Ok(out)
}

/// A template being read, and the arguments of its row.
struct Template<'a> {
    rest: &'a str,
    /// The argument that comes next where none is named.
    next: usize,
    /// Arguments beside the template, numbered from 1.
    count: usize,
    value: &'a dyn Fn(usize) -> Result<Option<String>>,
}

impl Template<'_> {
    /// `%[n$][-][width]type` behind its percent sign.
    fn specifier(&mut self, out: &mut String) -> Result<()> {
        let position = self.position()?;
        let mut left = false;
        while self.take('-') {
            left = true;
        }
        let width = self.width()?;
        left |= width < 0;
        let kind = self.rest.chars().next().ok_or_else(|| {
            Error::invalid_parameter_value("unterminated format() type specifier")
                .with_hint("For a single \"%\" use \"%%\".")
        })?;
        self.rest = &self.rest[kind.len_utf8()..];
        let n = position.unwrap_or(self.next);
        let text = self.converted(kind, n)?;
        self.next = n + 1;
        let missing = (width.unsigned_abs() as usize).saturating_sub(char_count(&text));
        let padding = std::iter::repeat_n(' ', missing);
        super::text::check_length(out.len().saturating_add(missing))?;
        if left {
            out.push_str(&text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.push_str(&text);
        }
        Ok(())
    }

    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    /// `n$`
    fn position(&mut self) -> Result<Option<usize>> {
        let Some((n, after)) = number(self.rest)? else { return Ok(None) };
        let Some(after) = after.strip_prefix('$') else { return Ok(None) };
        if n == 0 {
            return Err(Error::invalid_parameter_value(
                "format specifies argument 0, but arguments are numbered from 1",
            ));
        }
        self.rest = after;
        Ok(Some(n))
    }

    /// A number, or `*` and `*n$` for that of an argument. Negative: to the left.
    fn width(&mut self) -> Result<i64> {
        if !self.take('*') {
            let Some((width, after)) = number(self.rest)? else { return Ok(0) };
            self.rest = after;
            return Ok(width as i64);
        }
        let n = match number(self.rest)? {
            Some((n, after)) if after.starts_with('$') => {
                self.rest = &after[1..];
                n
            }
            _ => {
                self.next += 1;
                self.next - 1
            }
        };
        match self.argument(n)? {
            Some(text) => match crate::types::input::parse_integer::<i32>(&text, "integer")? {
                i32::MIN => Err(out_of_range()),
                width => Ok(width.into()),
            },
            None => Ok(0),
        }
    }

    fn converted(&self, kind: char, n: usize) -> Result<String> {
        match kind {
            's' => Ok(self.argument(n)?.unwrap_or_default()),
            'I' => match self.argument(n)? {
                Some(name) => Ok(quote_ident(&name)),
                None => Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                )),
            },
            'L' => {
                Ok(self.argument(n)?.map_or_else(|| "NULL".to_owned(), |text| quote_literal(&text)))
            }
            other => Err(Error::invalid_parameter_value(format!(
                "unrecognized format() type specifier \"{other}\""
            ))
            .with_hint("For a single \"%\" use \"%%\".")),
        }
    }

    fn argument(&self, n: usize) -> Result<Option<String>> {
        if n > self.count {
            return Err(Error::invalid_parameter_value("too few arguments for format()"));
        }
        (self.value)(n)
    }
}

fn out_of_range() -> Error {
    Error::numeric_out_of_range("number is out of range")
}

/// The digits that a text begins with, and what follows them.
fn number(text: &str) -> Result<Option<(usize, &str)>> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok(None);
    }
    let value: i32 = text[..end].parse().map_err(|_| out_of_range())?;
    Ok(Some((value as usize, &text[end..])))
}
