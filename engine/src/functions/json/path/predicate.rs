//! Conditions of a path: true, false or unknown (`None`).

use std::cmp::Ordering;

use crate::error::Result;
use crate::functions::regex;
use crate::types::json::Json;
use crate::types::jsonpath::{Kind, Op, Step};

use super::execute::{Execution, Item, Status, as_number, is_forgivable};

impl<'a> Execution<'a> {
    /// A condition inside a filter, where `@` is `item`.
    pub(super) fn nested_condition(
        &mut self,
        step: &'a Step,
        item: &Item<'a>,
    ) -> Result<Option<bool>> {
        let outer = std::mem::replace(&mut self.current, item.clone());
        let result = self.condition(step, item);
        self.current = outer;
        result
    }

    /// PostgreSQL's executeBoolItem.
    pub(super) fn condition(&mut self, step: &'a Step, item: &Item<'a>) -> Result<Option<bool>> {
        match &step.kind {
            Kind::Binary(Op::And, left, right) => {
                let left = self.condition(left, item)?;
                if left == Some(false) {
                    return Ok(left);
                }
                let right = self.condition(right, item)?;
                Ok(if right == Some(true) { left } else { right })
            }
            Kind::Binary(Op::Or, left, right) => {
                let left = self.condition(left, item)?;
                if left == Some(true) {
                    return Ok(left);
                }
                let right = self.condition(right, item)?;
                Ok(if right == Some(false) { left } else { right })
            }
            Kind::Not(operand) => Ok(self.condition(operand, item)?.map(|value| !value)),
            Kind::IsUnknown(operand) => Ok(Some(self.condition(operand, item)?.is_none())),
            Kind::Binary(Op::StartsWith, left, right) => {
                self.predicate(left, Some((right.as_ref(), false)), item, |text, start| {
                    Ok(match (text, start) {
                        (Json::String(text), Some(Json::String(start))) => {
                            Some(text.starts_with(start.as_str()))
                        }
                        _ => None,
                    })
                })
            }
            Kind::Binary(op, left, right) => {
                let op = *op;
                self.predicate(
                    left,
                    Some((right.as_ref(), true)),
                    item,
                    |left, right| match right {
                        Some(right) => compare(op, left, right),
                        None => Ok(None),
                    },
                )
            }
            Kind::LikeRegex { operand, pattern, flags } => {
                self.predicate(operand, None, item, |text, _| match text {
                    Json::String(text) => Ok(Some(regex::xquery(pattern, *flags)?.is_match(text))),
                    _ => Ok(None),
                })
            }
            Kind::Exists(operand) => self.exists(operand, item),
            _ => Ok(None),
        }
    }

    fn exists(&mut self, operand: &'a Step, item: &Item<'a>) -> Result<Option<bool>> {
        let result = if self.is_strict() {
            // A later error counts, so all has to be looked at.
            self.results(operand, item, false).map(|found| !found.is_empty())
        } else {
            self.step(operand, item.clone(), None).map(|status| status == Status::Found)
        };
        forgiven(result)
    }

    /// PostgreSQL's executePredicate: `test` over every pair of results. With a right operand
    /// comes whether its arrays are unwrapped.
    fn predicate(
        &mut self,
        left: &'a Step,
        right: Option<(&'a Step, bool)>,
        item: &Item<'a>,
        test: impl Fn(&Json, Option<&Json>) -> Result<Option<bool>>,
    ) -> Result<Option<bool>> {
        let Some(lefts) = forgiven(self.results(left, item, true))? else { return Ok(None) };
        let rights = match right {
            None => None,
            Some((right, unwrap)) => match forgiven(self.results(right, item, unwrap))? {
                Some(rights) => Some(rights),
                None => return Ok(None),
            },
        };
        let (mut found, mut unknown) = (false, false);
        for left in &lefts {
            let candidates: Vec<Option<&Json>> = match &rights {
                None => vec![None],
                Some(rights) => rights.iter().map(|right| Some(&**right)).collect(),
            };
            for right in candidates {
                match (test(left, right)?, self.is_strict()) {
                    (None, true) => return Ok(None),
                    (None, false) => unknown = true,
                    (Some(true), false) => return Ok(Some(true)),
                    (Some(true), true) => found = true,
                    (Some(false), _) => {}
                }
            }
        }
        Ok(match (found, unknown) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        })
    }
}

/// `None` for an error that makes a condition unknown.
fn forgiven<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_forgivable(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn compare(op: Op, left: &Json, right: &Json) -> Result<Option<bool>> {
    let order = match (left, right) {
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        (Json::String(left), Json::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Json::Number(_), Json::Number(_)) => as_number(left)?.cmp(&as_number(right)?),
        // null differs from everything else.
        (Json::Null, _) | (_, Json::Null) => return Ok(Some(op == Op::NotEqual)),
        _ => return Ok(None),
    };
    Ok(Some(match op {
        Op::Equal => order.is_eq(),
        Op::NotEqual => order.is_ne(),
        Op::Less => order.is_lt(),
        Op::LessOrEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        _ => order.is_ge(),
    }))
}
