//! jsonpath: PostgreSQL's path language (chapter "The SQL/JSON Path Language").
//!
//! A value is kept as text in PostgreSQL's output form, which [`JsonPath`] prints, and read again
//! where it is run (`functions::json::path`).

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::rc::Rc;

use super::json::write_string;
use crate::error::Result;

mod parse;
mod scan;

/// A path, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    /// Whether structural errors are forgiven and arrays are unwrapped.
    pub(crate) lax: bool,
    pub(crate) root: Step,
}

/// One step of a path and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) next: Option<Box<Step>>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// As numeric prints it.
    Number(String),
    String(String),
    Variable(String),
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`, in a subscript.
    Last,
    Key(String),
    /// `.*`
    AnyKey,
    /// `[*]`
    AnyElement,
    /// `[a, b to c]`
    Elements(Vec<(Step, Option<Step>)>),
    /// `.**{first to last}`; [`u32::MAX`] is `last`.
    Anywhere {
        first: u32,
        last: u32,
    },
    Filter(Box<Step>),
    Method(Method),
    /// `.datetime(template)`
    Datetime(Option<String>),
    Not(Box<Step>),
    IsUnknown(Box<Step>),
    Exists(Box<Step>),
    Negate(Box<Step>),
    Plus(Box<Step>),
    Binary(Op, Box<Step>, Box<Step>),
    LikeRegex {
        operand: Box<Step>,
        pattern: String,
        flags: RegexFlags,
    },
}

/// Methods without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Abs,
    Ceiling,
    Double,
    Floor,
    KeyValue,
    Size,
    Type,
}

/// Operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    StartsWith,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

/// The letters behind `flag`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegexFlags {
    /// `i`
    pub(crate) ignore_case: bool,
    /// `s`
    pub(crate) dot_all: bool,
    /// `m`
    pub(crate) lines: bool,
    /// `q`
    pub(crate) quote: bool,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// 42601 for syntax, 22P02 for an empty text, 2201B for a wrong regular expression.
    pub(crate) fn parse(text: &str) -> Result<JsonPath> {
        parse::path(text)
    }

    /// As [`JsonPath::parse`], remembering the last one of this thread.
    pub(crate) fn cached(text: &str) -> Result<Rc<JsonPath>> {
        thread_local! {
            static LAST: RefCell<Option<(String, Rc<JsonPath>)>> = const { RefCell::new(None) };
        }
        LAST.with_borrow_mut(|last| match last {
            Some((known, path)) if known == text => Ok(Rc::clone(path)),
            _ => {
                let path = Rc::new(JsonPath::parse(text)?);
                *last = Some((text.to_owned(), Rc::clone(&path)));
                Ok(path)
            }
        })
    }
}

impl From<Kind> for Step {
    fn from(kind: Kind) -> Self {
        Step { kind, next: None }
    }
}

impl Step {
    /// Whether it is a condition rather than a value; a step behind it makes a value of it.
    fn is_predicate(&self) -> bool {
        let condition = match &self.kind {
            Kind::Not(_) | Kind::IsUnknown(_) | Kind::Exists(_) | Kind::LikeRegex { .. } => true,
            Kind::Binary(op, ..) => op.is_condition(),
            _ => false,
        };
        condition && self.next.is_none()
    }

    /// Appends a step behind the last one.
    fn push(&mut self, step: Step) {
        let mut end = self;
        while end.next.is_some() {
            end = end.next.as_mut().expect("the loop's condition says so");
        }
        end.next = Some(Box::new(step));
    }
}

impl Op {
    /// Whether the result is true, false or unknown.
    pub(crate) fn is_condition(self) -> bool {
        !matches!(self, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod)
    }

    /// As it is written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Op::Or => "||",
            Op::And => "&&",
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessOrEqual => "<=",
            Op::Greater => ">",
            Op::GreaterOrEqual => ">=",
            Op::StartsWith => "starts with",
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Mod => "%",
        }
    }
}

impl Method {
    /// As it is written, without the dot and the parentheses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Abs => "abs",
            Method::Ceiling => "ceiling",
            Method::Double => "double",
            Method::Floor => "floor",
            Method::KeyValue => "keyvalue",
            Method::Size => "size",
            Method::Type => "type",
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.lax {
            f.write_str("strict ")?;
        }
        print(&self.root, false, true, f)
    }
}

/// How tightly a step holds its operands together.
fn priority(kind: &Kind) -> u8 {
    match kind {
        Kind::Binary(Op::Or, ..) => 0,
        Kind::Binary(Op::And, ..) => 1,
        Kind::Binary(Op::Add | Op::Sub, ..) => 3,
        Kind::Binary(Op::Mul | Op::Div | Op::Mod, ..) => 4,
        Kind::Binary(..) => 2,
        Kind::Negate(_) | Kind::Plus(_) => 5,
        _ => 6,
    }
}

/// PostgreSQL's printJsonPathItem: `in_key` where a step follows another, `brackets` where an
/// operator needs parentheses.
fn print(step: &Step, in_key: bool, brackets: bool, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let operand = |child: &Step, out: &mut fmt::Formatter<'_>| {
        print(child, false, priority(&child.kind) <= priority(&step.kind), out)
    };
    let (open, close) = if brackets { ("(", ")") } else { ("", "") };
    match &step.kind {
        Kind::Binary(op, left, right) => {
            out.write_str(open)?;
            operand(left, out)?;
            write!(out, " {} ", op.symbol())?;
            operand(right, out)?;
            out.write_str(close)?;
        }
        Kind::LikeRegex { operand: text, pattern, flags } => {
            out.write_str(open)?;
            operand(text, out)?;
            out.write_str(" like_regex ")?;
            write_string(pattern, out)?;
            print_flags(*flags, out)?;
            out.write_str(close)?;
        }
        Kind::Negate(child) | Kind::Plus(child) => {
            out.write_str(open)?;
            out.write_char(if matches!(step.kind, Kind::Negate(_)) { '-' } else { '+' })?;
            operand(child, out)?;
            out.write_str(close)?;
        }
        Kind::Filter(child) => print_around("?(", child, ")", out)?,
        Kind::Not(child) => print_around("!(", child, ")", out)?,
        Kind::IsUnknown(child) => print_around("(", child, ") is unknown", out)?,
        Kind::Exists(child) => print_around("exists (", child, ")", out)?,
        Kind::Number(number) if step.next.is_some() => write!(out, "({number})")?,
        _ => print_simple(&step.kind, in_key, out)?,
    }
    match &step.next {
        Some(next) => print(next, true, true, out),
        None => Ok(()),
    }
}

fn print_around(
    before: &str,
    child: &Step,
    after: &str,
    out: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    out.write_str(before)?;
    print(child, false, false, out)?;
    out.write_str(after)
}

fn print_flags(flags: RegexFlags, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if flags == RegexFlags::default() {
        return Ok(());
    }
    out.write_str(" flag \"")?;
    let letters =
        [(flags.ignore_case, 'i'), (flags.dot_all, 's'), (flags.lines, 'm'), (flags.quote, 'q')];
    for (_, letter) in letters.into_iter().filter(|(set, _)| *set) {
        out.write_char(letter)?;
    }
    out.write_char('"')
}

/// Steps without operands.
fn print_simple(kind: &Kind, in_key: bool, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let dot = if in_key { "." } else { "" };
    match kind {
        Kind::Null => out.write_str("null"),
        Kind::Bool(value) => write!(out, "{value}"),
        Kind::Number(number) => out.write_str(number),
        Kind::String(text) => write_string(text, out),
        Kind::Variable(name) => {
            out.write_char('$')?;
            write_string(name, out)
        }
        Kind::Root => out.write_char('$'),
        Kind::Current => out.write_char('@'),
        Kind::Last => out.write_str("last"),
        Kind::Key(key) => {
            out.write_str(dot)?;
            write_string(key, out)
        }
        Kind::AnyKey => write!(out, "{dot}*"),
        Kind::AnyElement => out.write_str("[*]"),
        Kind::Elements(ranges) => {
            for (i, (from, to)) in ranges.iter().enumerate() {
                out.write_char(if i == 0 { '[' } else { ',' })?;
                print(from, false, false, out)?;
                if let Some(to) = to {
                    out.write_str(" to ")?;
                    print(to, false, false, out)?;
                }
            }
            out.write_char(']')
        }
        Kind::Anywhere { first, last } => {
            out.write_str(dot)?;
            match (*first, *last) {
                (0, u32::MAX) => out.write_str("**"),
                (u32::MAX, u32::MAX) => out.write_str("**{last}"),
                (first, last) if first == last => write!(out, "**{{{first}}}"),
                (u32::MAX, last) => write!(out, "**{{last to {last}}}"),
                (first, u32::MAX) => write!(out, "**{{{first} to last}}"),
                (first, last) => write!(out, "**{{{first} to {last}}}"),
            }
        }
        Kind::Method(method) => write!(out, ".{}()", method.name()),
        Kind::Datetime(None) => out.write_str(".datetime()"),
        Kind::Datetime(Some(template)) => {
            out.write_str(".datetime(")?;
            write_string(template, out)?;
            out.write_char(')')
        }
        Kind::Filter(_)
        | Kind::Not(_)
        | Kind::IsUnknown(_)
        | Kind::Exists(_)
        | Kind::Negate(_)
        | Kind::Plus(_)
        | Kind::Binary(..)
        | Kind::LikeRegex { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_postgresql_does() {
        for (written, kept) in [
            ("$", "$"),
            ("strict $.a", r#"strict $."a""#),
            ("lax $.a.*", r#"$."a".*"#),
            ("$.a[*] ? (@ > 1)", r#"$."a"[*]?(@ > 1)"#),
            ("$.a + 1", r#"($."a" + 1)"#),
            ("$[0, 1 to last]", "$[0,1 to last]"),
            ("$.**{2 to last}.b", r#"$.**{2 to last}."b""#),
            ("$.a.size()", r#"$."a".size()"#),
            ("1 + 2 * 3", "(1 + 2 * 3)"),
            ("(1 + 2) * 3", "((1 + 2) * 3)"),
            ("-$.a", r#"(-$."a")"#),
            ("-1.5", "-1.5"),
            (r#"$ ? (@.a like_regex "^x" flag "i")"#, r#"$?(@."a" like_regex "^x" flag "i")"#),
            ("$ ? (exists (@.a) && !(@.b == 1))", r#"$?(exists (@."a") && !(@."b" == 1))"#),
            ("$ ? ((@ > 1) is unknown)", "$?((@ > 1) is unknown)"),
            ("$x.y", r#"$"x"."y""#),
        ] {
            assert_eq!(JsonPath::parse(written).unwrap().to_string(), kept, "{written}");
        }
        for bad in ["", "$.", "@", "last", "$ ? (1)", "$[", "1.type()", "$ like_regex \"(\""] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
    }
}
