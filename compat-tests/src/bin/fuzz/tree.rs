//! Statements as trees that say what of them may be left out.
//!
//! A generator writes text; what it marks is where [`crate::reduce`] may cut, and which constants
//! become parameters when the statement is prepared. So neither needs to know SQL's grammar.

use std::fmt::Write;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::types::{Type, quoted};

/// A piece of a statement. Pieces are written one after the other, with nothing in between.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// SQL as it is.
    Text(String),
    /// A constant, or a parameter where the statement is prepared.
    Value(Value),
    /// Pieces that belong together.
    Sequence(Vec<Node>),
    /// What may be left out.
    Optional(Box<Node>),
    /// Items of which some may be left out, but for the first `minimum`.
    List { items: Vec<Node>, separator: &'static str, minimum: usize },
    /// What may be replaced by a part of it that plays the same role.
    Part { role: Role, node: Box<Node> },
}

/// What a part is, so that another of the kind can stand for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    /// An expression.
    Value(Type),
    /// A query with columns of these types, named `c0`, `c1` and so on.
    Query(Vec<Type>),
    /// An item of FROM.
    Relation,
    /// A key of the outermost ORDER BY: the name of a result's column. Never replaced.
    SortKey(String),
}

/// A constant. Copies of one keep its number and so remain one parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub(crate) number: u32,
    pub(crate) ty: Type,
    /// `None` is NULL.
    pub(crate) text: Option<String>,
    /// Whether the constant is written without a cast, where it can be.
    pub(crate) bare: bool,
    /// Whether other runs take their values from the ends of the type's range too.
    pub(crate) extremes: bool,
}

/// A sequence of pieces: nodes, texts and owned texts.
#[macro_export]
macro_rules! sql {
    ($($part:expr),* $(,)?) => {
        $crate::tree::Node::Sequence(vec![$($crate::tree::Node::from($part)),*])
    };
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl Node {
    /// Nothing.
    pub(crate) fn empty() -> Node {
        Node::Sequence(Vec::new())
    }

    /// This, as what may be left out.
    pub(crate) fn optional(self) -> Node {
        Node::Optional(Box::new(self))
    }

    /// This, as an expression.
    pub(crate) fn value(self, ty: Type) -> Node {
        self.part(Role::Value(ty))
    }

    /// This, in a role.
    pub(crate) fn part(self, role: Role) -> Node {
        Node::Part { role, node: Box::new(self) }
    }

    /// Items separated by commas, of which at least one stays.
    pub(crate) fn commas(items: Vec<Node>) -> Node {
        Node::List { items, separator: ", ", minimum: 1 }
    }

    /// Items separated by commas, all of which stay.
    pub(crate) fn all_of(items: Vec<Node>) -> Node {
        let minimum = items.len();
        Node::List { items, separator: ", ", minimum }
    }

    /// A text in which `{0}`, `{1}` and so on stand for the arguments.
    pub(crate) fn template(template: &str, arguments: &[Node]) -> Node {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let digit = after.as_bytes().first().copied().unwrap_or(b'x');
            let argument = usize::from(digit.wrapping_sub(b'0'));
            match arguments.get(argument) {
                Some(node) if after[1..].starts_with('}') => {
                    parts.push(Node::from(before));
                    parts.push(node.clone());
                    rest = &after[2..];
                }
                _ => {
                    parts.push(Node::from(format!("{before}{{")));
                    rest = after;
                }
            }
        }
        parts.push(Node::from(rest));
        Node::Sequence(parts)
    }

    /// The pieces of this one.
    pub(crate) fn children(&self) -> &[Node] {
        match self {
            Node::Text(_) | Node::Value(_) => &[],
            Node::Sequence(items) | Node::List { items, .. } => items,
            Node::Optional(node) | Node::Part { node, .. } => std::slice::from_ref(node),
        }
    }

    /// The pieces of this one, to change.
    pub(crate) fn children_mut(&mut self) -> &mut [Node] {
        match self {
            Node::Text(_) | Node::Value(_) => &mut [],
            Node::Sequence(items) | Node::List { items, .. } => items,
            Node::Optional(node) | Node::Part { node, .. } => std::slice::from_mut(node),
        }
    }

    /// Gives every constant the value that a run of a prepared statement would.
    pub(crate) fn take_values(&mut self, run: u32, seed: u64) {
        if let Node::Value(value) = self {
            value.text = value.at_run(run, seed);
        }
        self.children_mut().iter_mut().for_each(|child| child.take_values(run, seed));
    }

    /// The names by which the outermost ORDER BY sorts, in its order.
    pub(crate) fn sort_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.visit(&mut |node| {
            if let Node::Part { role: Role::SortKey(name), .. } = node {
                keys.push(name.clone());
            }
        });
        keys
    }

    /// Calls `each` with this piece and all in it, from left to right.
    pub(crate) fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        each(self);
        for child in self.children() {
            child.visit(each);
        }
    }

    /// The statement with its constants.
    pub(crate) fn literal_sql(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut |out, value| out.push_str(&value.literal()));
        out
    }

    /// The statement with parameters, and what these are, in the order of their numbers.
    pub(crate) fn parameter_sql(&self) -> (String, Vec<Value>) {
        let mut out = String::new();
        let mut parameters: Vec<Value> = Vec::new();
        self.write(&mut out, &mut |out, value| {
            let known = parameters.iter().position(|p| p.number == value.number);
            let place = known.unwrap_or_else(|| {
                parameters.push(value.clone());
                parameters.len() - 1
            });
            let _ = write!(out, "${}", place + 1);
        });
        (out, parameters)
    }

    fn write(&self, out: &mut String, value: &mut dyn FnMut(&mut String, &Value)) {
        match self {
            Node::Text(text) => out.push_str(text),
            Node::Value(v) => value(out, v),
            Node::List { items, separator, .. } => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push_str(separator);
                    }
                    item.write(out, value);
                }
            }
            Node::Sequence(_) | Node::Optional(_) | Node::Part { .. } => {
                self.children().iter().for_each(|child| child.write(out, value));
            }
        }
    }
}

impl Value {
    /// The constant as SQL.
    pub(crate) fn literal(&self) -> String {
        literal(self.ty, self.text.as_deref(), self.bare)
    }

    /// The value a prepared statement is run with: the constant first, then others of its pool.
    pub(crate) fn at_run(&self, run: u32, seed: u64) -> Option<String> {
        if run == 0 {
            return self.text.clone();
        }
        let mixed = seed ^ (u64::from(self.number) << 32) ^ u64::from(run);
        let mut rng = StdRng::seed_from_u64(mixed);
        self.ty.any_value(&mut rng, self.extremes).map(str::to_owned)
    }
}

/// A value as SQL, with a cast unless `bare` and understood without.
pub(crate) fn literal(ty: Type, text: Option<&str>, bare: bool) -> String {
    let Some(text) = text else { return format!("NULL::{}", ty.name()) };
    let number = text.bytes().all(|b| b.is_ascii_digit());
    match ty {
        Type::Int4 if number => text.to_owned(),
        Type::Numeric if bare && text.contains('.') && !text.starts_with('-') => text.to_owned(),
        Type::Bool if bare => if text == "t" { "true" } else { "false" }.to_owned(),
        // As a constant without a type these would have another.
        Type::Int4 | Type::Numeric => format!("{}::{}", quoted(text), ty.name()),
        _ if bare => quoted(text),
        _ => format!("{}::{}", quoted(text), ty.name()),
    }
}
