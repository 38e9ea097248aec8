//! Steps that compute: arithmetic and the item methods.

use std::borrow::Cow;

use crate::error::{Error, Result, SqlState};
use crate::types::json::{Json, layout};
use crate::types::jsonpath::{Method, Op, Step};
use crate::types::numeric::Numeric;

use super::execute::{Execution, Found, Item, Status, as_number};

impl<'a> Execution<'a> {
    pub(super) fn arithmetic(
        &mut self,
        step: &'a Step,
        op: Op,
        (left, right): (&'a Step, &'a Step),
        item: &Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        let left = self.results(left, item, true)?;
        let right = self.results(right, item, true)?;
        let single = |side: &str, items: &[Item<'a>]| {
            let number = match items {
                [single] => as_number(single)?,
                _ => None,
            };
            number.ok_or_else(|| {
                Error::new(
                    SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED,
                    format!(
                        "{side} operand of jsonpath operator {} is not a single numeric value",
                        op.symbol()
                    ),
                )
            })
        };
        let (left, right) = (single("left", &left)?, single("right", &right)?);
        let value = match op {
            Op::Add => left.add(&right),
            Op::Sub => left.sub(&right),
            Op::Mul => left.mul(&right),
            Op::Div => left.div(&right),
            _ => left.rem(&right),
        }?;
        self.constant(step, Json::Number(value.to_string()), found)
    }

    pub(super) fn sign(
        &mut self,
        step: &'a Step,
        operand: &'a Step,
        item: &Item<'a>,
        negate: bool,
        mut found: Found<'_, 'a>,
    ) -> Result<Status> {
        let mut status = Status::NotFound;
        let only_asked = found.is_none() && step.next.is_none();
        for operand in self.results(operand, item, true)? {
            let Some(number) = as_number(&operand)? else {
                if only_asked {
                    continue;
                }
                let sign = if negate { '-' } else { '+' };
                return Err(Error::new(
                    SqlState::SQL_JSON_NUMBER_NOT_FOUND,
                    format!("operand of unary jsonpath operator {sign} is not a numeric value"),
                ));
            };
            let number = if negate { number.negate() } else { number };
            let value = Json::Number(number.to_string());
            if self.constant(step, value, found.as_deref_mut())? == Status::Found {
                status = Status::Found;
                if found.is_none() {
                    return Ok(status);
                }
            }
        }
        Ok(status)
    }

    pub(super) fn method(
        &mut self,
        step: &'a Step,
        method: Method,
        item: Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        let value = match method {
            Method::Type => Json::String(item.type_name().to_owned()),
            Method::Size => match &*item {
                Json::Array(items) => Json::Number(items.len().to_string()),
                _ if self.path.lax => Json::Number("1".to_owned()),
                _ => {
                    return self.structural(
                        SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                        "jsonpath item method .size() can only be applied to an array",
                    );
                }
            },
            Method::Abs => mapped(&item, method, |number| number.abs())?,
            Method::Floor => mapped(&item, method, |number| number.floor())?,
            Method::Ceiling => mapped(&item, method, |number| number.ceil())?,
            Method::Double => return self.next(step, double(item)?, found),
            Method::KeyValue => return self.key_value(step, &item, found),
        };
        self.constant(step, value, found)
    }

    /// An object for each member. The id tells the object: it is its place in PostgreSQL's binary
    /// form.
    fn key_value(
        &mut self,
        step: &'a Step,
        item: &Item<'a>,
        mut found: Found<'_, 'a>,
    ) -> Result<Status> {
        let Json::Object(members) = &**item else {
            return Err(Error::new(
                SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath item method .keyvalue() can only be applied to an object",
            ));
        };
        let id = match item {
            Cow::Borrowed(object) => layout::object_id(object, self.root, self.variables),
            Cow::Owned(_) => None,
        };
        let id = id.ok_or_else(|| {
            Error::feature_not_supported(
                "the jsonpath item method .keyvalue() of its own results is not supported",
            )
        })?;
        let mut status = Status::NotFound;
        for (key, value) in members {
            let pair = Json::Object(vec![
                ("id".to_owned(), Json::Number(id.to_string())),
                ("key".to_owned(), Json::String(key.clone())),
                ("value".to_owned(), value.clone()),
            ]);
            status = self.constant(step, pair, found.as_deref_mut())?;
            if status == Status::Found && found.is_none() {
                break;
            }
        }
        Ok(status)
    }
}

fn non_numeric(message: String) -> Error {
    Error::new(SqlState::NON_NUMERIC_SQL_JSON_ITEM, message)
}

fn mapped(item: &Json, method: Method, f: impl FnOnce(&Numeric) -> Numeric) -> Result<Json> {
    let number = as_number(item)?.ok_or_else(|| {
        non_numeric(format!(
            "jsonpath item method .{}() can only be applied to a numeric value",
            method.name()
        ))
    })?;
    Ok(Json::Number(f(&number).to_string()))
}

/// `.double()`: a number that a float holds stays as it is.
fn double(item: Item<'_>) -> Result<Item<'_>> {
    let read =
        |text: &str| crate::types::float::parse_float8(text).ok().filter(|value| value.is_finite());
    match &*item {
        Json::Number(text) if read(text).is_some() => Ok(item),
        Json::Number(_) => Err(non_numeric(
            "numeric argument of jsonpath item method .double() is out of range for type double \
             precision"
                .to_owned(),
        )),
        Json::String(text) => match read(text) {
            Some(value) => Ok(Cow::Owned(Json::Number(Numeric::from_f64(value, 15).to_string()))),
            None => Err(non_numeric(
                "string argument of jsonpath item method .double() is not a valid representation \
                 of a double precision number"
                    .to_owned(),
            )),
        },
        _ => Err(non_numeric(
            "jsonpath item method .double() can only be applied to a string or numeric value"
                .to_owned(),
        )),
    }
}
