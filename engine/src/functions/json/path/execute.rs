//! Runs a path over a document, as PostgreSQL's jsonpath_exec.c does.
//!
//! A step gets one item and hands each of its results to the step behind it. Where nobody asks
//! for the items (`found` is `None`) the first result ends the run.

use std::borrow::Cow;

use crate::error::{Error, Result, SqlState};
use crate::types::json::Json;
use crate::types::jsonpath::{JsonPath, Kind, Method, Step};
use crate::types::numeric::Numeric;

/// Steps within steps; deeper ones are refused as PostgreSQL's stack depth limit does.
const MAX_DEPTH: usize = 2_000;

/// An item: part of a document, or computed.
pub(super) type Item<'a> = Cow<'a, Json>;

/// Where items are collected, if anybody wants them.
pub(super) type Found<'f, 'a> = Option<&'f mut Vec<Item<'a>>>;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Found,
    NotFound,
}

/// One run of a path.
pub(super) struct Execution<'a> {
    pub(super) path: &'a JsonPath,
    pub(super) root: &'a Json,
    pub(super) variables: &'a Json,
    /// What `@` means.
    pub(super) current: Item<'a>,
    /// How many elements the array has whose subscript is evaluated.
    array_length: Option<usize>,
    ignore_structure: bool,
    depth: usize,
}

/// Whether the functions' `silent`, and conditions, take an error for nothing found.
pub(super) fn is_forgivable(error: &Error) -> bool {
    error.sqlstate.class() == "22"
}

/// The levels that `.**` and its simpler kin visit.
#[derive(Clone, Copy)]
struct Levels {
    at: u32,
    first: u32,
    last: u32,
    /// Whether structural errors below are ignored.
    ignore: bool,
    /// Whether the next step unwraps arrays.
    unwrap_next: bool,
}

impl Levels {
    fn one(unwrap_next: bool) -> Levels {
        Levels { at: 1, first: 1, last: 1, ignore: false, unwrap_next }
    }
}

impl<'a> Execution<'a> {
    pub(super) fn new(path: &'a JsonPath, root: &'a Json, variables: &'a Json) -> Self {
        Execution {
            path,
            root,
            variables,
            current: Cow::Borrowed(root),
            array_length: None,
            ignore_structure: path.lax,
            depth: 0,
        }
    }

    /// The whole path.
    pub(super) fn run(&mut self, found: Found<'_, 'a>) -> Result<Status> {
        let root = Cow::Borrowed(self.root);
        if found.is_none() && self.is_strict() {
            // A later error counts, so all has to be looked at.
            let mut all = Vec::new();
            self.step(&self.path.root, root, Some(&mut all))?;
            return Ok(if all.is_empty() { Status::NotFound } else { Status::Found });
        }
        self.step(&self.path.root, root, found)
    }

    pub(super) fn is_strict(&self) -> bool {
        !self.path.lax
    }

    /// One step, unwrapping arrays where the mode is lax.
    pub(super) fn step(
        &mut self,
        step: &'a Step,
        item: Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        self.step_unwrapping(step, item, found, self.path.lax)
    }

    fn step_unwrapping(
        &mut self,
        step: &'a Step,
        item: Item<'a>,
        found: Found<'_, 'a>,
        unwrap: bool,
    ) -> Result<Status> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.depth += 1;
        let result = self.step_here(step, item, found, unwrap);
        self.depth -= 1;
        result
    }

    fn step_here(
        &mut self,
        step: &'a Step,
        item: Item<'a>,
        found: Found<'_, 'a>,
        unwrap: bool,
    ) -> Result<Status> {
        let unwraps = unwrap && matches!(*item, Json::Array(_));
        match &step.kind {
            Kind::Not(_) | Kind::IsUnknown(_) | Kind::Exists(_) | Kind::LikeRegex { .. } => {
                self.condition_as_value(step, &item, found)
            }
            Kind::Binary(op, ..) if op.is_condition() => {
                self.condition_as_value(step, &item, found)
            }
            Kind::Binary(op, left, right) => {
                self.arithmetic(step, *op, (left.as_ref(), right.as_ref()), &item, found)
            }
            Kind::Plus(operand) => self.sign(step, operand, &item, false, found),
            Kind::Negate(operand) => self.sign(step, operand, &item, true, found),
            Kind::Null => self.constant(step, Json::Null, found),
            Kind::Bool(value) => self.constant(step, Json::Bool(*value), found),
            Kind::Number(number) => self.constant(step, Json::Number(number.clone()), found),
            Kind::String(text) => self.constant(step, Json::String(text.clone()), found),
            Kind::Variable(name) => {
                let value = self.variable(name)?;
                self.next(step, value, found)
            }
            Kind::Root => self.next(step, Cow::Borrowed(self.root), found),
            Kind::Current => self.next(step, self.current.clone(), found),
            Kind::Last => {
                let length = self.array_length.ok_or_else(|| {
                    Error::internal("evaluating jsonpath LAST outside of array subscript")
                })?;
                let last = i64::try_from(length).unwrap_or(i64::MAX) - 1;
                self.constant(step, Json::Number(last.to_string()), found)
            }
            Kind::Key(_) | Kind::AnyKey | Kind::Filter(_) | Kind::Method(_)
                if unwraps && step.unwraps() =>
            {
                self.elements(Some(step), &item, found, Levels::one(false))
            }
            Kind::Key(key) => self.key(step, key, item, found),
            Kind::AnyKey => self.any_key(step, &item, found),
            Kind::AnyElement => self.any_element(step, item, found),
            Kind::Elements(ranges) => self.subscripts(step, ranges, item, found),
            Kind::Anywhere { first, last } => self.anywhere(step, (*first, *last), item, found),
            Kind::Filter(condition) => match self.nested_condition(condition, &item)? {
                Some(true) => self.next(step, item, found),
                Some(false) | None => Ok(Status::NotFound),
            },
            Kind::Method(method) => self.method(step, *method, item, found),
            Kind::Datetime(_) => Err(Error::feature_not_supported(
                "the jsonpath item method .datetime() is not supported",
            )),
        }
    }

    /// Hands an item to the step behind, or to who asked.
    pub(super) fn next(
        &mut self,
        step: &'a Step,
        item: Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        match (&step.next, found) {
            (Some(next), found) => self.step(next, item, found),
            (None, Some(found)) => {
                found.push(item);
                Ok(Status::Found)
            }
            (None, None) => Ok(Status::Found),
        }
    }

    pub(super) fn constant(
        &mut self,
        step: &'a Step,
        value: Json,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        self.next(step, Cow::Owned(value), found)
    }

    fn variable(&self, name: &str) -> Result<Item<'a>> {
        self.variables.get(name).map(Cow::Borrowed).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("could not find jsonpath variable \"{name}\""),
            )
        })
    }

    /// Nothing where the mode is lax, else the error.
    pub(super) fn structural(&self, state: SqlState, message: impl Into<String>) -> Result<Status> {
        if self.ignore_structure { Ok(Status::NotFound) } else { Err(Error::new(state, message)) }
    }

    fn condition_as_value(
        &mut self,
        step: &'a Step,
        item: &Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        let value = self.condition(step, item)?;
        self.constant(step, value.map_or(Json::Null, Json::Bool), found)
    }

    fn key(
        &mut self,
        step: &'a Step,
        key: &str,
        item: Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        if !matches!(*item, Json::Object(_)) {
            return self.structural(
                SqlState::SQL_JSON_MEMBER_NOT_FOUND,
                "jsonpath member accessor can only be applied to an object",
            );
        }
        let member = match &item {
            Cow::Borrowed(object) => object.get(key).map(Cow::Borrowed),
            Cow::Owned(object) => object.get(key).cloned().map(Cow::Owned),
        };
        match member {
            Some(member) => self.next(step, member, found),
            None => self.structural(
                SqlState::SQL_JSON_MEMBER_NOT_FOUND,
                format!("JSON object does not contain key \"{key}\""),
            ),
        }
    }

    fn any_key(&mut self, step: &'a Step, item: &Item<'a>, found: Found<'_, 'a>) -> Result<Status> {
        match **item {
            Json::Object(_) => {
                self.elements(step.next.as_deref(), item, found, Levels::one(self.path.lax))
            }
            _ => self.structural(
                SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath wildcard member accessor can only be applied to an object",
            ),
        }
    }

    fn any_element(
        &mut self,
        step: &'a Step,
        item: Item<'a>,
        found: Found<'_, 'a>,
    ) -> Result<Status> {
        match *item {
            Json::Array(_) => {
                self.elements(step.next.as_deref(), &item, found, Levels::one(self.path.lax))
            }
            _ if self.path.lax => self.next(step, item, found),
            _ => self.structural(
                SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath wildcard array accessor can only be applied to an array",
            ),
        }
    }

    fn subscripts(
        &mut self,
        step: &'a Step,
        ranges: &'a [(Step, Option<Step>)],
        item: Item<'a>,
        mut found: Found<'_, 'a>,
    ) -> Result<Status> {
        let is_array = matches!(*item, Json::Array(_));
        if !is_array && self.is_strict() {
            return self.structural(
                SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath array accessor can only be applied to an array",
            );
        }
        // What isn't an array counts as an array of itself.
        let length = if is_array { children(&item).len() } else { 1 };
        let outer = self.array_length.replace(length);
        let mut status = Ok(Status::NotFound);
        for (from, to) in ranges {
            let places = match self.range(from, to.as_ref(), &item, length) {
                Ok(places) => places,
                Err(error) => {
                    status = Err(error);
                    break;
                }
            };
            status = Ok(Status::NotFound);
            for at in places {
                let element = if is_array { child(&item, at) } else { item.clone() };
                status = self.next(step, element, found.as_deref_mut());
                let enough = matches!(status, Ok(Status::Found)) && found.is_none();
                if status.is_err() || enough {
                    self.array_length = outer;
                    return status;
                }
            }
        }
        self.array_length = outer;
        status
    }

    /// The places that `from to to` means in an array.
    fn range(
        &mut self,
        from: &'a Step,
        to: Option<&'a Step>,
        item: &Item<'a>,
        length: usize,
    ) -> Result<std::ops::Range<usize>> {
        let from = self.index(from, item)?;
        let to = match to {
            Some(to) => self.index(to, item)?,
            None => from,
        };
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if !self.ignore_structure && (from < 0 || from > to || to >= length) {
            return Err(subscript_error("jsonpath array subscript is out of bounds"));
        }
        let (first, end) = (from.max(0), to.min(length - 1) + 1);
        Ok(usize::try_from(first).unwrap_or(0)..usize::try_from(end).unwrap_or(0))
    }

    fn index(&mut self, step: &'a Step, item: &Item<'a>) -> Result<i64> {
        let mut found = Vec::new();
        self.step(step, item.clone(), Some(&mut found))?;
        let number = match found.as_slice() {
            [single] => as_number(single)?,
            _ => None,
        };
        let number = number.ok_or_else(|| {
            subscript_error("jsonpath array subscript is not a single numeric value")
        })?;
        number
            .truncate(0)
            .to_i128()
            .and_then(|index| i32::try_from(index).ok())
            .map(i64::from)
            .ok_or_else(|| subscript_error("jsonpath array subscript is out of integer range"))
    }

    fn anywhere(
        &mut self,
        step: &'a Step,
        (first, last): (u32, u32),
        item: Item<'a>,
        mut found: Found<'_, 'a>,
    ) -> Result<Status> {
        let mut status = Status::NotFound;
        if first == 0 {
            let outer = std::mem::replace(&mut self.ignore_structure, true);
            let result = self.next(step, item.clone(), found.as_deref_mut());
            self.ignore_structure = outer;
            status = result?;
            if status == Status::Found && found.is_none() {
                return Ok(status);
            }
        }
        if is_container(&item) {
            let levels = Levels { at: 1, first, last, ignore: true, unwrap_next: self.path.lax };
            status = self.elements(step.next.as_deref(), &item, found, levels)?;
        }
        Ok(status)
    }

    /// PostgreSQL's executeAnyItem: the elements or members, level by level.
    fn elements(
        &mut self,
        step: Option<&'a Step>,
        item: &Item<'a>,
        mut found: Found<'_, 'a>,
        levels: Levels,
    ) -> Result<Status> {
        if levels.at > levels.last {
            return Ok(Status::NotFound);
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.depth += 1;
        let result = self.each_element(step, item, &mut found, levels);
        self.depth -= 1;
        result
    }

    fn each_element(
        &mut self,
        step: Option<&'a Step>,
        item: &Item<'a>,
        found: &mut Found<'_, 'a>,
        levels: Levels,
    ) -> Result<Status> {
        let mut status = Status::NotFound;
        for at in 0..children(item).len() {
            let element = child(item, at);
            let container = is_container(&element);
            let leaf_wanted = levels.first == u32::MAX && levels.last == u32::MAX && !container;
            if levels.at >= levels.first || leaf_wanted {
                status = match (step, found.as_deref_mut()) {
                    (Some(step), found) => {
                        let outer = self.ignore_structure;
                        self.ignore_structure |= levels.ignore;
                        let result =
                            self.step_unwrapping(step, element.clone(), found, levels.unwrap_next);
                        self.ignore_structure = outer;
                        result?
                    }
                    (None, Some(found)) => {
                        found.push(element.clone());
                        Status::Found
                    }
                    (None, None) => Status::Found,
                };
                if status == Status::Found && found.is_none() {
                    return Ok(status);
                }
            }
            if levels.at < levels.last && container {
                let deeper = Levels { at: levels.at + 1, ..levels };
                status = self.elements(step, &element, found.as_deref_mut(), deeper)?;
                if status == Status::Found && found.is_none() {
                    return Ok(status);
                }
            }
        }
        Ok(status)
    }

    /// The results of a step; arrays among them are unwrapped where the mode is lax and `unwrap`
    /// says so.
    pub(super) fn results(
        &mut self,
        step: &'a Step,
        item: &Item<'a>,
        unwrap: bool,
    ) -> Result<Vec<Item<'a>>> {
        let mut found = Vec::new();
        self.step(step, item.clone(), Some(&mut found))?;
        if !unwrap || self.is_strict() {
            return Ok(found);
        }
        let mut flat = Vec::with_capacity(found.len());
        for item in found {
            match *item {
                Json::Array(_) => {
                    flat.extend((0..children(&item).len()).map(|at| child(&item, at)))
                }
                _ => flat.push(item),
            }
        }
        Ok(flat)
    }
}

impl Step {
    /// Whether an array before this step stands for its elements in lax mode.
    fn unwraps(&self) -> bool {
        !matches!(self.kind, Kind::Method(Method::Type | Method::Size))
    }
}

fn subscript_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_SQL_JSON_SUBSCRIPT, message)
}

fn is_container(item: &Json) -> bool {
    matches!(item, Json::Array(_) | Json::Object(_))
}

/// How an item's elements, or its members' values, are reached.
enum Children<'j> {
    None,
    Elements(&'j [Json]),
    Members(&'j [(String, Json)]),
}

impl<'j> Children<'j> {
    fn len(&self) -> usize {
        match self {
            Children::None => 0,
            Children::Elements(items) => items.len(),
            Children::Members(members) => members.len(),
        }
    }

    fn get(&self, at: usize) -> Option<&'j Json> {
        match self {
            Children::None => None,
            Children::Elements(items) => items.get(at),
            Children::Members(members) => members.get(at).map(|(_, value)| value),
        }
    }
}

fn children(item: &Json) -> Children<'_> {
    match item {
        Json::Array(items) => Children::Elements(items),
        Json::Object(members) => Children::Members(members),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Children::None,
    }
}

/// One of an item's [`children`].
fn child<'a>(item: &Item<'a>, at: usize) -> Item<'a> {
    let missing = Cow::Owned(Json::Null);
    match item {
        Cow::Borrowed(item) => children(item).get(at).map_or(missing, Cow::Borrowed),
        Cow::Owned(item) => children(item).get(at).cloned().map_or(missing, Cow::Owned),
    }
}

/// The value of a number.
pub(super) fn as_number(item: &Json) -> Result<Option<Numeric>> {
    match item {
        Json::Number(text) => Numeric::parse(text).map(Some),
        _ => Ok(None),
    }
}
