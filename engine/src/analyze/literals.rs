//! Constants as statements write them.

use datafusion::{logical_expr::Expr, scalar::ScalarValue, sql::sqlparser::ast};

use super::{binder::Typed, constants, names::At};
use crate::{
    error::{Error, Result, SqlState},
    types::{FormatSettings, PgType, input_scalar},
};

impl super::binder::Binder<'_> {
    /// A literal or parameter. Quoted ones are of unknown type.
    pub(super) fn literal(&mut self, value: &ast::ValueWithSpan) -> Result<Typed> {
        let place = self.places.span(value.span);
        match &value.value {
            ast::Value::Number(digits, _) => number(digits).at_place(place),
            ast::Value::SingleQuotedString(text)
            | ast::Value::EscapedStringLiteral(text)
            | ast::Value::UnicodeStringLiteral(text)
            | ast::Value::NationalStringLiteral(text) => tagged(text, value).at_place(place),
            ast::Value::DollarQuotedString(quoted) => tagged(&quoted.value, value).at_place(place),
            ast::Value::Boolean(value) => Ok(Typed::new(
                Expr::Literal(ScalarValue::Boolean(Some(*value)), None),
                PgType::BOOL,
            )),
            ast::Value::Null => Ok(null()),
            ast::Value::Placeholder(name) => self.parameter(name, value.span),
            ast::Value::SingleQuotedByteStringLiteral(_) | ast::Value::HexStringLiteral(_) => {
                Err(Error::feature_not_supported("bit string literals are not supported")
                    .at_place(place))
            }
            other => Err(Error::syntax_error_near(&other.to_string()).at_place(place)),
        }
    }
}

/// NULL of unknown type.
pub(super) fn null() -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Utf8(None), None), PgType::UNKNOWN)
}

/// A text that becomes what its context needs.
pub(super) fn unknown(text: &str) -> Result<Typed> {
    if text.contains('\0') {
        return Err(Error::invalid_encoding(&[0]));
    }
    Ok(Typed::new(Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None), PgType::UNKNOWN))
}

/// [`unknown`], with the place of a definition's literal.
fn tagged(text: &str, value: &ast::ValueWithSpan) -> Result<Typed> {
    let mut typed = unknown(text)?;
    if let Expr::Literal(_, metadata) = &mut typed.expr {
        *metadata = constants::tag(value);
    }
    Ok(typed)
}

/// integer, bigint or numeric: the first that holds the value.
pub(super) fn number(digits: &str) -> Result<Typed> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if plain {
        if let Ok(value) = digits.parse::<i32>() {
            return Ok(int4(value));
        }
        if let Ok(value) = digits.parse::<i64>() {
            return Ok(Typed::new(
                Expr::Literal(ScalarValue::Int64(Some(value)), None),
                PgType::INT8,
            ));
        }
    }
    let value =
        input_scalar(PgType::NUMERIC, digits, &FormatSettings::default()).map_err(|_| {
            Error::new(
                SqlState::SYNTAX_ERROR,
                format!("trailing junk after numeric literal at or near \"{digits}\""),
            )
        })?;
    Ok(Typed::new(Expr::Literal(value, None), PgType::NUMERIC))
}

pub(super) fn int4(value: i32) -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Int32(Some(value)), None), PgType::INT4)
}

pub(super) fn text(value: &str) -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Utf8(Some(value.to_owned())), None), PgType::TEXT)
}

pub(super) fn boolean(value: bool) -> Expr {
    Expr::Literal(ScalarValue::Boolean(Some(value)), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_smallest_type() {
        for (digits, ty) in [
            ("1", PgType::INT4),
            ("2147483647", PgType::INT4),
            ("2147483648", PgType::INT8),
            ("9223372036854775808", PgType::NUMERIC),
            ("1.0", PgType::NUMERIC),
            ("1e3", PgType::NUMERIC),
            (".5", PgType::NUMERIC),
        ] {
            assert_eq!(number(digits).unwrap().ty, ty, "{digits}");
        }
    }
}
