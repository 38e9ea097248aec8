//! to_char of numbers and to_number (PostgreSQL, "Data Type Formatting Functions").
//!
//! A template is read into tokens and a summary of them; the digits of the rounded number then
//! meet the template's places from left to right.

use super::kernel::{Float4, Float8, Int4, Int8, Num, Opt, Text};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::numeric::Numeric;

/// Floats have this many certain digits.
const FLOAT8_DIGITS: usize = 15;
const FLOAT4_DIGITS: usize = 6;
const ROMAN_WIDTH: usize = 15;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Nine,
    Zero,
    Point,
    Comma,
    Currency,
    Sign,
    SignHere,
    Minus,
    Plus,
    Bracket,
    Ordinal { upper: bool },
    Roman { upper: bool },
    Shift,
    Fill,
    Exponent,
    Blank,
    Literal(char),
}

/// Where S stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Anchor {
    #[default]
    None,
    Before,
    After,
}

/// What a template says as a whole.
#[derive(Clone, Debug, Default)]
struct Template {
    tokens: Vec<Token>,
    /// Places before and after the point.
    pre: usize,
    post: usize,
    /// Places after V.
    shift: usize,
    has_shift: bool,
    point: bool,
    zero_start: Option<usize>,
    zero_end: usize,
    fill: bool,
    sign: Anchor,
    /// Places before the S.
    before_sign: usize,
    minus: bool,
    plus: bool,
    bracket: bool,
    roman: bool,
    exponent: bool,
}

fn tokenize(text: &str) -> Vec<Token> {
    const WORDS: &[(&str, Token)] = &[
        ("EEEE", Token::Exponent),
        ("FM", Token::Fill),
        ("MI", Token::Minus),
        ("PL", Token::Plus),
        ("PR", Token::Bracket),
        ("RN", Token::Roman { upper: true }),
        ("SG", Token::SignHere),
        ("TH", Token::Ordinal { upper: true }),
        ("9", Token::Nine),
        ("0", Token::Zero),
        (".", Token::Point),
        ("D", Token::Point),
        (",", Token::Comma),
        ("G", Token::Comma),
        ("L", Token::Currency),
        ("S", Token::Sign),
        ("V", Token::Shift),
        ("B", Token::Blank),
        ("C", Token::Blank),
    ];
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let mut chars = rest[1..].char_indices();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    '\\' => {
                        if let Some((_, escaped)) = chars.next() {
                            tokens.push(Token::Literal(escaped));
                        }
                    }
                    c => tokens.push(Token::Literal(c)),
                }
            }
            rest = &rest[end..];
            continue;
        }
        let found = WORDS.iter().find(|(word, _)| {
            rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        match found {
            Some((word, token)) => {
                let upper = rest.starts_with(word);
                tokens.push(match token {
                    Token::Roman { .. } => Token::Roman { upper },
                    Token::Ordinal { .. } => Token::Ordinal { upper },
                    other => *other,
                });
                rest = &rest[word.len()..];
            }
            None => {
                let literal =
                    if first == '\\' { rest.chars().nth(1).unwrap_or(first) } else { first };
                let skip = if first == '\\' && rest.len() > 1 { 1 } else { 0 };
                tokens.push(Token::Literal(literal));
                rest = &rest[skip + literal.len_utf8()..];
            }
        }
    }
    tokens
}

fn template(text: &str) -> Result<Template> {
    let syntax = |message: &str| Err(Error::syntax_error(message));
    let mut t = Template { tokens: tokenize(text), ..Template::default() };
    for token in t.tokens.clone() {
        match token {
            Token::Nine | Token::Zero if t.bracket => {
                return syntax("\"9\" must be ahead of \"PR\"");
            }
            Token::Nine if t.has_shift => t.shift += 1,
            Token::Nine if t.point => t.post += 1,
            Token::Nine => t.pre += 1,
            Token::Zero => {
                if t.point {
                    t.post += 1;
                } else {
                    t.zero_start.get_or_insert(t.pre);
                    t.pre += 1;
                }
                t.zero_end = t.pre + t.post;
            }
            Token::Point if t.point => return syntax("multiple decimal points"),
            Token::Point if t.has_shift => {
                return syntax("cannot use \"V\" and decimal point together");
            }
            Token::Point => t.point = true,
            Token::Fill => t.fill = true,
            Token::Sign if t.sign != Anchor::None => return syntax("cannot use \"S\" twice"),
            Token::Sign if t.plus || t.minus || t.bracket => {
                return syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
            }
            Token::Sign if t.point => t.sign = Anchor::After,
            Token::Sign => {
                t.sign = Anchor::Before;
                t.before_sign = t.pre;
            }
            Token::Minus | Token::Plus | Token::SignHere if t.sign != Anchor::None => {
                return syntax("cannot use \"S\" and \"MI\" together");
            }
            Token::Minus => t.minus = true,
            Token::Plus => t.plus = true,
            Token::SignHere => (t.minus, t.plus) = (true, true),
            Token::Bracket if t.sign != Anchor::None || t.plus || t.minus => {
                return syntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
            }
            Token::Bracket => t.bracket = true,
            Token::Roman { .. } => t.roman = true,
            Token::Shift if t.point => {
                return syntax("cannot use \"V\" and decimal point together");
            }
            Token::Shift => t.has_shift = true,
            Token::Exponent => t.exponent = true,
            Token::Comma
            | Token::Currency
            | Token::Ordinal { .. }
            | Token::Blank
            | Token::Literal(_) => {}
        }
    }
    Ok(t)
}

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Int4, Text, Text>("to_char(int4,text)", |v, f| from_integer(v.into(), f));
    all.f2::<Int8, Text, Text>("to_char(int8,text)", from_integer);
    all.f2::<Num, Text, Text>("to_char(numeric,text)", from_numeric);
    all.f2::<Float8, Text, Text>("to_char(float8,text)", |v, f| from_float(v, f, FLOAT8_DIGITS));
    all.f2::<Float4, Text, Text>("to_char(float4,text)", |v, f| {
        from_float(v.into(), f, FLOAT4_DIGITS)
    });
    all.f2::<Text, Text, Opt<Num>>("to_number(text,text)", |text, format| {
        if format.is_empty() { Ok(None) } else { to_number(text, format).map(Some) }
    });
}

fn from_numeric(value: Numeric, format: &str) -> Result<String> {
    let mut t = template(format)?;
    if t.roman {
        return Ok(roman(Some(value.to_integer::<i128>("integer")?), &t));
    }
    if t.exponent {
        return Ok(exponent(&value, &t));
    }
    let value = if t.has_shift {
        t.pre += t.shift;
        let power = Numeric::new(crate::types::numeric::pow10(t.shift as u32), 0);
        value.mul(&power)?
    } else {
        value
    };
    if !value.is_finite() {
        return special(t, &value.abs().to_string(), value.sign() < 0);
    }
    let rounded = value.round(t.post as i32);
    let negative = rounded.sign() < 0;
    Ok(with_digits(t, &rounded.abs().to_string(), negative))
}

/// Exponents of integers are those of floats.
fn from_integer(value: i64, format: &str) -> Result<String> {
    let t = template(format)?;
    if t.exponent {
        return Ok(float_exponent(value as f64, &t));
    }
    from_numeric(Numeric::from(value), format)
}

fn float_exponent(value: f64, t: &Template) -> String {
    let text = format!("{value:.*e}", t.post);
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let blank = if value.is_sign_negative() { "" } else { " " };
    let sign = if power < 0 { '-' } else { '+' };
    format!("{blank}{mantissa}e{sign}{:02}", power.unsigned_abs())
}

fn from_float(value: f64, format: &str, certain: usize) -> Result<String> {
    let mut t = template(format)?;
    if t.roman {
        return Ok(roman(Some(value.round_ties_even() as i128), &t));
    }
    if t.exponent {
        if !value.is_finite() {
            return Ok(exponent(&Numeric::NaN, &t));
        }
        return Ok(float_exponent(value, &t));
    }
    let value = if t.has_shift {
        t.pre += t.shift;
        value * 10f64.powi(t.shift as i32)
    } else {
        value
    };
    if !value.is_finite() {
        let word = if value.is_nan() { "NaN" } else { "Infinity" };
        return special(t, word, value < 0.0);
    }
    let whole = format!("{:.0}", value.abs()).len();
    let post = if whole >= certain { 0 } else { t.post.min(certain - whole) };
    let digits = format!("{:.*}", post, value.abs());
    Ok(with_digits(t, &digits, value < 0.0))
}

/// NaN and the infinities where there is room for the word.
fn special(t: Template, word: &str, negative: bool) -> Result<String> {
    let ordinal = t.tokens.iter().any(|token| matches!(token, Token::Ordinal { .. }));
    if ordinal && word.len() <= t.pre {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("\"{word}\" is not a number"),
        ));
    }
    Ok(with_digits(t, word, negative))
}

fn with_digits(t: Template, digits: &str, negative: bool) -> String {
    let whole = digits.split('.').next().unwrap_or("").len();
    if whole > t.pre {
        let hashes = format!("{}.{}", "#".repeat(t.pre), "#".repeat(t.post));
        return fill_in(t, &hashes, negative, 0);
    }
    let spaces = t.pre - whole;
    fill_in(t, digits, negative, spaces)
}

fn roman(value: Option<i128>, t: &Template) -> String {
    const PARTS: [(i128, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut text = String::new();
    match value {
        Some(mut rest @ 1..=3999) => {
            for (amount, letters) in PARTS {
                while rest >= amount {
                    text.push_str(letters);
                    rest -= amount;
                }
            }
        }
        _ => text = "#".repeat(ROMAN_WIDTH),
    }
    if t.tokens.contains(&Token::Roman { upper: false }) {
        text = text.to_lowercase();
    }
    if t.fill { text } else { format!("{text:>ROMAN_WIDTH$}") }
}

fn exponent(value: &Numeric, t: &Template) -> String {
    let Numeric::Finite(d) = value else {
        let post = if t.post > 0 { format!(".{}", "#".repeat(t.post)) } else { ".".to_owned() };
        return format!(" {}{}{}", "#".repeat(t.pre), post, "####");
    };
    let digits = d.int.magnitude_text();
    let power = if d.int.sign() == 0 { 0 } else { digits.len() as i32 - 1 - d.scale };
    // One digit before the point, rounded to the places behind it.
    let scaled = Numeric::new(d.int.abs(), digits.len() as i32 - 1);
    let mantissa = scaled.round(t.post as i32).to_string();
    let sign = if d.int.sign() < 0 { '-' } else { ' ' };
    let exponent_sign = if power < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{exponent_sign}{:02}", power.unsigned_abs())
}

/// The state of putting digits into places.
struct Places<'a> {
    t: &'a Template,
    number: &'a [u8],
    at: usize,
    place: usize,
    spaces: usize,
    count: usize,
    negative: bool,
    sign: Anchor,
    sign_written: bool,
    started: bool,
    /// The last digit that counts under FM.
    last_relevant: Option<usize>,
    bracket: bool,
    out: String,
}

fn fill_in(t: Template, number: &str, negative: bool, spaces: usize) -> String {
    let bytes = number.as_bytes();
    let mut sign = t.sign;
    let sign_written = if t.plus || t.minus {
        t.minus || !t.plus
    } else {
        if sign == Anchor::Before && t.pre == t.before_sign {
            sign = Anchor::After;
        }
        !negative && t.fill && sign == Anchor::None
    };
    let mut last_relevant = None;
    if t.fill && t.point {
        last_relevant = number.find('.').map(|point| {
            bytes.iter().rposition(|b| *b != b'0').map_or(point, |last| last.max(point))
        });
        if let Some(last) = &mut last_relevant
            && t.zero_end > spaces
        {
            *last = (*last).max((bytes.len() - 1).min(t.zero_end - spaces));
        }
    }
    let mut count = (t.post + t.pre).saturating_sub(1);
    if !sign_written && spaces == 0 {
        count += 1;
    }
    let mut places = Places {
        bracket: t.bracket && (negative || !t.fill),
        t: &t,
        number: bytes,
        at: 0,
        place: 0,
        spaces,
        count,
        negative,
        sign,
        sign_written,
        started: false,
        last_relevant,
        out: String::new(),
    };
    for token in &t.tokens {
        places.token(*token);
    }
    places.out
}

impl Places<'_> {
    fn token(&mut self, token: Token) {
        let pad = |places: &mut Self| {
            if !places.t.fill {
                places.out.push(' ');
            }
        };
        match token {
            Token::Nine | Token::Zero | Token::Point => self.digit(token == Token::Zero),
            Token::Comma if self.started => self.out.push(','),
            Token::Comma => pad(self),
            Token::Currency => self.out.push(' '),
            Token::SignHere => self.out.push(if self.negative { '-' } else { '+' }),
            Token::Minus if self.negative => self.out.push('-'),
            Token::Minus => pad(self),
            Token::Plus if !self.negative => self.out.push('+'),
            Token::Plus => pad(self),
            Token::Ordinal { upper } => {
                if self.number[0] != b'#' && !self.negative && !self.t.point {
                    let ending = ordinal(self.number);
                    let ending = if upper { ending.to_uppercase() } else { ending.to_owned() };
                    self.out.push_str(&ending);
                }
            }
            Token::Literal(c) => self.out.push(c),
            Token::Sign
            | Token::Bracket
            | Token::Roman { .. }
            | Token::Shift
            | Token::Fill
            | Token::Exponent
            | Token::Blank => {}
        }
    }

    /// A lone 0 before the point is not printed, unless the template has a 0.
    fn hides_zero(&self) -> bool {
        self.t.zero_start.is_none() && self.at == 0 && self.number[0] == b'0' && self.t.post != 0
    }

    fn relevant_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|at| self.number[at] == b'.')
    }

    fn write_sign(&mut self) {
        let begun = self.place >= self.spaces || self.t.zero_start == Some(self.place);
        if self.sign_written || !begun || (self.hides_zero() && !self.relevant_is_point()) {
            return;
        }
        if self.sign != Anchor::None {
            if self.sign == Anchor::Before {
                self.out.push(if self.negative { '-' } else { '+' });
                self.sign_written = true;
            }
        } else if self.bracket {
            self.out.push(if self.negative { '<' } else { ' ' });
            self.sign_written = true;
        } else if self.negative {
            self.out.push('-');
            self.sign_written = true;
        } else {
            if !self.t.fill {
                self.out.push(' ');
            }
            self.sign_written = true;
        }
    }

    fn digit(&mut self, is_zero: bool) {
        self.write_sign();
        let zero_from_here = self.t.zero_start.is_some_and(|start| start <= self.place);
        if self.place < self.spaces && !zero_from_here {
            if !self.t.fill {
                self.out.push(' ');
            }
        } else if self.place < self.spaces {
            self.out.push('0');
            self.started = true;
        } else {
            self.number_character(is_zero);
            if self.at < self.number.len() {
                self.at += 1;
            }
        }
        let mut end = self.count + usize::from(self.spaces > 0) + usize::from(self.t.point);
        if self.last_relevant == Some(self.at) {
            end = self.place;
        }
        if self.place + 1 == end {
            if self.sign_written && self.bracket {
                self.out.push(if self.negative { '>' } else { ' ' });
            } else if self.sign == Anchor::After {
                self.out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.place += 1;
    }

    fn number_character(&mut self, is_zero: bool) {
        let Some(byte) = self.number.get(self.at).copied() else { return };
        if byte == b'.' {
            if !self.relevant_is_point() || self.t.fill {
                self.out.push('.');
            }
        } else if self.last_relevant.is_some_and(|last| self.at > last) && !is_zero {
            // Trailing zeros that FM drops.
        } else if self.hides_zero() {
            if !self.t.fill {
                self.out.push(' ');
            } else if self.relevant_is_point() {
                self.out.push('0');
            }
        } else {
            self.out.push(char::from(byte));
            self.started = true;
        }
    }
}

fn ordinal(digits: &[u8]) -> &'static str {
    let last = digits.last().copied().unwrap_or(b'0');
    let teens = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    match (teens, last) {
        (false, b'1') => "st",
        (false, b'2') => "nd",
        (false, b'3') => "rd",
        _ => "th",
    }
}

/// Reads the digits, the point and the sign that the template has places for.
fn to_number(text: &str, format: &str) -> Result<Numeric> {
    let t = template(format)?;
    if t.roman || t.exponent {
        return Err(Error::feature_not_supported(
            "\"RN\" and \"EEEE\" are not supported for input",
        ));
    }
    let (mut whole, mut fraction, mut negative, mut after) =
        (String::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            '0'..='9' if after && fraction.len() < t.post => fraction.push(c),
            '0'..='9' if !after && whole.len() < t.pre + t.shift => whole.push(c),
            '.' if t.point && !after => after = true,
            '.' if !t.point => break,
            '-' | '<' => negative = true,
            _ => {}
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(Error::invalid_text_representation("numeric", " "));
    }
    let sign = if negative { "-" } else { "" };
    let value = Numeric::parse(&format!("{sign}{whole}.{fraction}"))?;
    if t.has_shift {
        let power = Numeric::new(crate::types::numeric::pow10(t.shift as u32), 0);
        return value.div(&power);
    }
    Ok(value)
}
