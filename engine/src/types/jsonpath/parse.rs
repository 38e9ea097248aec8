//! From words to a path.

use super::scan::{Token, error_at, scan};
use super::{JsonPath, Kind, Method, Op, RegexFlags, Step};
use crate::error::{Error, Result};
use crate::types::numeric::Numeric;

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 200;

/// Reads a path.
pub(super) fn path(text: &str) -> Result<JsonPath> {
    let tokens = scan(text)?;
    if tokens.len() == 1 {
        return Err(Error::invalid_text_representation("jsonpath", text));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, filters: 0, subscripts: 0 };
    let lax = !parser.take_word("strict");
    if lax {
        parser.take_word("lax");
    }
    let root = parser.disjunction()?;
    match parser.peek() {
        Token::End => Ok(JsonPath { lax, root }),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<(Token, String)>,
    at: usize,
    depth: usize,
    /// Filters around what is read: `@` needs one.
    filters: usize,
    /// Subscripts around what is read: `last` needs one.
    subscripts: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> Error {
        error_at("syntax error", &self.tokens[self.at].1)
    }

    fn is_word(&self, keyword: &str) -> bool {
        let Token::Word(word) = self.peek() else { return false };
        match keyword {
            // JSON's own words are in lower case only.
            "true" | "false" | "null" => word == keyword,
            _ => word.eq_ignore_ascii_case(keyword),
        }
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.is_word(keyword);
        if found {
            self.advance();
        }
        found
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::program_limit_exceeded("jsonpath is nested too deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// A step that must be a condition.
    fn predicate(&self, step: Step) -> Result<Box<Step>> {
        if step.is_predicate() { Ok(Box::new(step)) } else { Err(self.unexpected()) }
    }

    /// A step that must be a value.
    fn value(&self, step: Step) -> Result<Box<Step>> {
        if step.is_predicate() { Err(self.unexpected()) } else { Ok(Box::new(step)) }
    }

    fn disjunction(&mut self) -> Result<Step> {
        let mut left = self.conjunction()?;
        while self.is_sign("||") {
            let operand = self.predicate(left)?;
            self.advance();
            let right = self.conjunction()?;
            left = Kind::Binary(Op::Or, operand, self.predicate(right)?).into();
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Step> {
        let mut left = self.comparison()?;
        while self.is_sign("&&") {
            let operand = self.predicate(left)?;
            self.advance();
            let right = self.comparison()?;
            left = Kind::Binary(Op::And, operand, self.predicate(right)?).into();
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Step> {
        if self.take("!") {
            if !self.is_sign("(") && !self.is_word("exists") {
                return Err(self.unexpected());
            }
            let operand = self.primary()?;
            return Ok(Kind::Not(self.predicate(operand)?).into());
        }
        let left = self.sum()?;
        if let Some(op) = self.comparison_sign() {
            let left = self.value(left)?;
            self.advance();
            let right = self.sum()?;
            return Ok(Kind::Binary(op, left, self.value(right)?).into());
        }
        if self.is_word("starts") {
            let left = self.value(left)?;
            self.advance();
            if !self.take_word("with") {
                return Err(self.unexpected());
            }
            let start = match self.peek().clone() {
                Token::String(text) => Kind::String(text),
                Token::Variable(name) => Kind::Variable(name),
                _ => return Err(self.unexpected()),
            };
            self.advance();
            return Ok(Kind::Binary(Op::StartsWith, left, Box::new(start.into())).into());
        }
        if self.is_word("like_regex") {
            let left = self.value(left)?;
            self.advance();
            return self.like_regex(left);
        }
        Ok(left)
    }

    fn comparison_sign(&self) -> Option<Op> {
        let Token::Sign(sign) = self.peek() else { return None };
        Some(match *sign {
            "==" => Op::Equal,
            "!=" | "<>" => Op::NotEqual,
            "<" => Op::Less,
            "<=" => Op::LessOrEqual,
            ">" => Op::Greater,
            ">=" => Op::GreaterOrEqual,
            _ => return None,
        })
    }

    fn like_regex(&mut self, operand: Box<Step>) -> Result<Step> {
        let Token::String(pattern) = self.peek().clone() else { return Err(self.unexpected()) };
        self.advance();
        let mut flags = RegexFlags::default();
        if self.take_word("flag") {
            let Token::String(letters) = self.peek().clone() else {
                return Err(self.unexpected());
            };
            self.advance();
            for letter in letters.chars() {
                match letter {
                    'i' => flags.ignore_case = true,
                    's' => flags.dot_all = true,
                    'm' => flags.lines = true,
                    'q' => flags.quote = true,
                    'x' if !letters.contains('q') => {
                        return Err(Error::feature_not_supported(
                            "XQuery \"x\" flag (expanded regular expressions) is not implemented",
                        ));
                    }
                    'x' => {}
                    other => {
                        return Err(Error::syntax_error("invalid input syntax for type jsonpath")
                            .with_detail(format!(
                                "Unrecognized flag character \"{other}\" in LIKE_REGEX predicate."
                            )));
                    }
                }
            }
        }
        crate::functions::regex::xquery(&pattern, flags)?;
        Ok(Kind::LikeRegex { operand, pattern, flags }.into())
    }

    fn sum(&mut self) -> Result<Step> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Token::Sign("+") => Op::Add,
                Token::Sign("-") => Op::Sub,
                _ => return Ok(left),
            };
            let operand = self.value(left)?;
            self.advance();
            let right = self.product()?;
            left = Kind::Binary(op, operand, self.value(right)?).into();
        }
    }

    fn product(&mut self) -> Result<Step> {
        let mut left = self.signed()?;
        loop {
            let op = match self.peek() {
                Token::Sign("*") => Op::Mul,
                Token::Sign("/") => Op::Div,
                Token::Sign("%") => Op::Mod,
                _ => return Ok(left),
            };
            let operand = self.value(left)?;
            self.advance();
            let right = self.signed()?;
            left = Kind::Binary(op, operand, self.value(right)?).into();
        }
    }

    fn signed(&mut self) -> Result<Step> {
        let minus = self.is_sign("-");
        if !minus && !self.is_sign("+") {
            return self.primary();
        }
        self.advance();
        let operand = self.nested(Self::signed)?;
        let operand = self.value(operand)?;
        // The sign of a number belongs to it.
        if let (Kind::Number(number), None) = (&operand.kind, &operand.next) {
            let value = Numeric::parse(number)?;
            let value = if minus { value.negate() } else { value };
            return Ok(Kind::Number(value.to_string()).into());
        }
        Ok(if minus { Kind::Negate(operand) } else { Kind::Plus(operand) }.into())
    }

    fn primary(&mut self) -> Result<Step> {
        let mut step = if self.take("(") {
            let inner = self.nested(Self::disjunction)?;
            self.expect(")")?;
            if self.is_word("is") {
                let inner = self.predicate(inner)?;
                self.advance();
                if !self.take_word("unknown") {
                    return Err(self.unexpected());
                }
                return Ok(Kind::IsUnknown(inner).into());
            }
            inner
        } else if self.is_word("exists") {
            self.advance();
            self.expect("(")?;
            let inner = self.nested(Self::disjunction)?;
            let inner = self.value(inner)?;
            self.expect(")")?;
            return Ok(Kind::Exists(inner).into());
        } else {
            self.scalar()?.into()
        };
        while let Some(next) = self.accessor()? {
            step.push(next.into());
        }
        Ok(step)
    }

    fn scalar(&mut self) -> Result<Kind> {
        let kind = match self.peek().clone() {
            Token::String(text) => Kind::String(text),
            Token::Variable(name) => Kind::Variable(name),
            Token::Integer(number) | Token::Decimal(number) => {
                Kind::Number(Numeric::parse(&number)?.to_string())
            }
            Token::Sign("$") => Kind::Root,
            Token::Sign("@") if self.filters == 0 => {
                return Err(Error::syntax_error("@ is not allowed in root expressions"));
            }
            Token::Sign("@") => Kind::Current,
            Token::Word(_) if self.is_word("null") => Kind::Null,
            Token::Word(_) if self.is_word("true") => Kind::Bool(true),
            Token::Word(_) if self.is_word("false") => Kind::Bool(false),
            Token::Word(_) if self.is_word("last") && self.subscripts == 0 => {
                return Err(Error::syntax_error("LAST is allowed only in array subscripts"));
            }
            Token::Word(_) if self.is_word("last") => Kind::Last,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(kind)
    }

    fn accessor(&mut self) -> Result<Option<Kind>> {
        if self.take("?") {
            self.expect("(")?;
            self.filters += 1;
            let inner = self.nested(Self::disjunction)?;
            self.filters -= 1;
            let inner = self.predicate(inner)?;
            self.expect(")")?;
            return Ok(Some(Kind::Filter(inner)));
        }
        if self.take("[") {
            return self.subscript().map(Some);
        }
        if self.take(".") {
            return self.member().map(Some);
        }
        Ok(None)
    }

    fn subscript(&mut self) -> Result<Kind> {
        if self.take("*") {
            self.expect("]")?;
            return Ok(Kind::AnyElement);
        }
        self.subscripts += 1;
        let mut ranges = Vec::new();
        loop {
            let from = *self.index()?;
            let to = if self.take_word("to") { Some(*self.index()?) } else { None };
            ranges.push((from, to));
            if !self.take(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect("]")?;
        Ok(Kind::Elements(ranges))
    }

    fn index(&mut self) -> Result<Box<Step>> {
        let index = self.nested(Self::sum)?;
        self.value(index)
    }

    /// What follows a dot.
    fn member(&mut self) -> Result<Kind> {
        match self.peek().clone() {
            Token::Sign("*") => {
                self.advance();
                Ok(Kind::AnyKey)
            }
            Token::Sign("**") => {
                self.advance();
                self.anywhere()
            }
            Token::String(key) => {
                self.advance();
                Ok(Kind::Key(key))
            }
            Token::Word(word) => {
                self.advance();
                match method(&word) {
                    Some(method) if self.take("(") => {
                        self.expect(")")?;
                        Ok(Kind::Method(method))
                    }
                    None if word.eq_ignore_ascii_case("datetime") && self.take("(") => {
                        let template = match self.peek().clone() {
                            Token::String(text) => {
                                self.advance();
                                Some(text)
                            }
                            _ => None,
                        };
                        self.expect(")")?;
                        Ok(Kind::Datetime(template))
                    }
                    _ => Ok(Kind::Key(word)),
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The levels of `.**`.
    fn anywhere(&mut self) -> Result<Kind> {
        if !self.take("{") {
            return Ok(Kind::Anywhere { first: 0, last: u32::MAX });
        }
        let first = self.level()?;
        let last = if self.take_word("to") { self.level()? } else { first };
        self.expect("}")?;
        Ok(Kind::Anywhere { first, last })
    }

    fn level(&mut self) -> Result<u32> {
        if self.take_word("last") {
            return Ok(u32::MAX);
        }
        let Token::Integer(digits) = self.peek().clone() else { return Err(self.unexpected()) };
        self.advance();
        crate::types::input::parse_integer::<i32>(&digits, "integer").map(|level| level as u32)
    }
}

fn method(word: &str) -> Option<Method> {
    Some(match word.to_ascii_lowercase().as_str() {
        "abs" => Method::Abs,
        "ceiling" => Method::Ceiling,
        "double" => Method::Double,
        "floor" => Method::Floor,
        "keyvalue" => Method::KeyValue,
        "size" => Method::Size,
        "type" => Method::Type,
        _ => return None,
    })
}
