//! Texts that differ only in their literals, made one.
//!
//! A simple query carries its values in its text, so that each is a new text and would be parsed
//! and analysed anew. [`Template::of`] takes the literals out of places where a parameter means
//! exactly the same: behind a comparison or an arithmetic operator, in a row of VALUES, in an IN
//! list, behind LIMIT and OFFSET. What is left is found in the plan cache like any prepared
//! statement, with the literals as its parameters.
//!
//! Arithmetic among literals stays as it is, since PostgreSQL works it out, and fails, before it
//! reads a row. A number has the type PostgreSQL's lexer gives it; a string is of unknown type until its
//! surroundings decide, which is what PostgreSQL says of literals and parameters alike. Anything
//! unusual (comments, dollar quotes, escapes, several statements) makes no template, and whatever
//! goes wrong with one before it runs is told from the text itself: errors and their places are
//! those of the statement that was sent.

mod rows;

use crate::{catalog::part::quote_identifier, types::Oid};

/// A text without its literals.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The text with `$1`, `$2` and so on.
    pub(crate) text: String,
    /// One for each parameter and row.
    pub(crate) literals: Vec<Literal>,
    /// How many rows an INSERT has: `text` has one of them.
    pub(crate) rows: usize,
}

/// A literal that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Its type; 0 for a string, which takes the type its place asks for.
    pub(crate) ty: Oid,
    /// The value in text form; `None` for NULL.
    pub(crate) value: Option<String>,
}

impl Literal {
    fn string(text: &str) -> Literal {
        Literal { ty: Oid(0), value: Some(text[1..text.len() - 1].replace("''", "'")) }
    }

    fn number(text: &str, integer: bool, sign: &str) -> Literal {
        let ty = match integer {
            true if text.parse::<i32>().is_ok() => Oid::INT4,
            true if text.parse::<i64>().is_ok() => Oid::INT8,
            _ => Oid::NUMERIC,
        };
        Literal { ty, value: Some(format!("{sign}{text}")) }
    }
}

/// Longest text that is looked at, in bytes.
const MAX_TEMPLATE_BYTES: usize = 8 << 10;
/// Most literals of one template: longer lists come in too many lengths to be worth keeping.
const MAX_LITERALS: usize = 64;

impl Template {
    /// `None`: the text has no literal to take out, or is not of the plain kind.
    pub(crate) fn of(sql: &str) -> Option<Template> {
        if let Some(template) = rows::of(sql) {
            return Some(template);
        }
        if sql.len() > MAX_TEMPLATE_BYTES {
            return None;
        }
        let mut lexer = Lexer { sql, at: 0 };
        let mut maker = Maker::default();
        let mut token = lexer.next()?;
        if !matches!(token.kind, Kind::Word) || !STATEMENTS.iter().any(|word| token.is(sql, word)) {
            return None;
        }
        while token.kind != Kind::End {
            let next = lexer.next()?;
            maker.take(sql, &token, &next)?;
            token = next;
        }
        if maker.literals.is_empty() || maker.literals.len() > MAX_LITERALS {
            return None;
        }
        maker.text.push_str(&sql[maker.copied..]);
        Some(Template { text: maker.text, literals: maker.literals, rows: 1 })
    }
}

const STATEMENTS: &[&str] = &["select", "insert", "update", "delete"];
/// Words behind which a literal may stand.
const BEFORE: &[&str] = &["and", "between", "limit", "offset"];
/// Words that may follow it.
const AFTER: &[&str] = &[
    "and",
    "or",
    "where",
    "from",
    "order",
    "group",
    "having",
    "limit",
    "offset",
    "returning",
    "for",
    "on",
    "union",
];
const COMPARISONS: &[&str] = &["=", "<", ">", "<=", ">=", "<>", "!="];
const ARITHMETIC: &[&str] = &["+", "-", "*"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    QuotedName,
    /// With a point or an exponent, or without.
    Number {
        integer: bool,
    },
    String,
    Operator,
    Open,
    Close,
    Comma,
    Other,
    End,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

impl Token {
    fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Whether it is this unquoted word, in any case.
    fn is(&self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    fn is_any(&self, sql: &str, words: &[&str]) -> bool {
        self.kind == Kind::Word && words.iter().any(|word| self.is(sql, word))
    }

    fn is_operator(&self, sql: &str, operators: &[&str]) -> bool {
        self.kind == Kind::Operator && operators.contains(&self.text(sql))
    }
}

/// What an open parenthesis holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paren {
    /// A row of VALUES, or an IN list: literals stand alone between commas.
    List,
    Other,
}

/// Puts a template together, token by token.
#[derive(Default)]
struct Maker {
    text: String,
    /// How much of the original text `text` has.
    copied: usize,
    literals: Vec<Literal>,
    open: Vec<Paren>,
    /// What the parenthesis that was closed last held.
    closed: Option<Paren>,
    /// The last token, the one before it, and the one before that.
    before: Option<Token>,
    earlier: Option<Token>,
    earliest: Option<Token>,
    ended: bool,
}

impl Maker {
    /// `None`: no template can be made of this text.
    fn take(&mut self, sql: &str, token: &Token, next: &Token) -> Option<()> {
        if self.ended {
            // A second statement.
            return None;
        }
        match token.kind {
            Kind::Open => self.open.push(self.paren(sql)),
            Kind::Close => self.closed = Some(self.open.pop()?),
            Kind::Number { .. } | Kind::String if self.is_free(sql, next) => {
                let literal = self.literal(sql, token)?;
                self.literals.push(literal);
                self.text.push_str(&sql[self.copied..token.start]);
                self.text.push('$');
                self.text.push_str(&self.literals.len().to_string());
                self.copied = token.end;
            }
            Kind::Other if token.text(sql) == ";" => self.ended = true,
            _ => {}
        }
        // The type of a cast is no operand, whatever its name.
        let is_cast = self.before.is_some_and(|before| before.text(sql) == "::");
        let kind = if is_cast { Kind::Other } else { token.kind };
        let token = Token { kind, ..*token };
        self.earliest = std::mem::replace(&mut self.earlier, self.before.replace(token));
        Some(())
    }

    fn paren(&self, sql: &str) -> Paren {
        let Some(before) = &self.before else { return Paren::Other };
        let begins = before.is(sql, "values") || before.is(sql, "in");
        let goes_on = before.kind == Kind::Comma && self.closed == Some(Paren::List);
        if begins || goes_on { Paren::List } else { Paren::Other }
    }

    /// Whether a literal between `before` and `next` may as well be a parameter.
    fn is_free(&self, sql: &str, next: &Token) -> bool {
        let Some(before) = &self.before else { return false };
        let in_list = self.open.last() == Some(&Paren::List)
            && matches!(before.kind, Kind::Open | Kind::Comma);
        if in_list {
            return matches!(next.kind, Kind::Comma | Kind::Close);
        }
        let behind = before.is_operator(sql, COMPARISONS)
            || before.is_any(sql, BEFORE)
            || (before.is_operator(sql, ARITHMETIC) && self.is_operand(sql));
        behind
            && match next.kind {
                Kind::End | Kind::Comma | Kind::Close => true,
                Kind::Other => next.text(sql) == ";",
                Kind::Word => next.is_any(sql, AFTER),
                Kind::Operator
                | Kind::QuotedName
                | Kind::Number { .. }
                | Kind::String
                | Kind::Open => false,
            }
    }

    /// Whether an arithmetic operator goes with what can't be a constant: `column + 5`,
    /// `column + -5`, `= -5`, and `(-5, ...)` in a row.
    fn is_operand(&self, sql: &str) -> bool {
        let Some(earlier) = &self.earlier else { return false };
        match earlier.kind {
            Kind::Operator if earlier.is_operator(sql, ARITHMETIC) => {
                self.earliest.as_ref().is_some_and(|token| is_name(sql, token))
            }
            Kind::Operator => earlier.is_operator(sql, COMPARISONS),
            Kind::Open | Kind::Comma => self.open.last() == Some(&Paren::List),
            _ => is_name(sql, earlier),
        }
    }

    fn literal(&self, sql: &str, token: &Token) -> Option<Literal> {
        let Kind::Number { integer } = token.kind else {
            return Some(Literal::string(token.text(sql)));
        };
        let literal = Literal::number(token.text(sql), integer, "");
        // With a sign before it a larger number may yet become smaller.
        let is_signed = self.before.is_some_and(|before| before.text(sql) == "-");
        (literal.ty == Oid::INT4 || !is_signed).then_some(literal)
    }
}

/// Whether a token can be a column's name.
fn is_name(sql: &str, token: &Token) -> bool {
    let plain = |word: String| word != "by" && quote_identifier(&word) == word;
    match token.kind {
        Kind::QuotedName => true,
        Kind::Word => plain(token.text(sql).to_ascii_lowercase()),
        _ => false,
    }
}

/// The plain part of PostgreSQL's lexical structure.
struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl Lexer<'_> {
    /// `None`: something that is not plain.
    fn next(&mut self) -> Option<Token> {
        let bytes = self.sql.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let start = self.at;
        let Some(&first) = bytes.get(start) else {
            return Some(Token { kind: Kind::End, start, end: start });
        };
        let kind = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                self.skip(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | 0x80..));
                // Such as E'...'; and names with a $.
                if matches!(bytes.get(self.at), Some(b'\'' | b'$' | b'&')) {
                    return None;
                }
                Kind::Word
            }
            b'0'..=b'9' => self.number()?,
            b'\'' => self.quoted(b'\'', Kind::String)?,
            b'"' => self.quoted(b'"', Kind::QuotedName)?,
            b'(' => self.one(Kind::Open),
            b')' => self.one(Kind::Close),
            b',' => self.one(Kind::Comma),
            b';' | b'.' | b'[' | b']' => self.one(Kind::Other),
            b':' => {
                self.skip(|b| b == b':');
                Kind::Other
            }
            b'=' | b'<' | b'>' | b'!' | b'+' | b'-' | b'*' | b'/' | b'|' | b'~' | b'@' | b'#'
            | b'%' | b'^' | b'&' | b'?' => self.operator()?,
            _ => return None,
        };
        Some(Token { kind, start, end: self.at })
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn skip(&mut self, belongs: impl Fn(u8) -> bool) {
        let bytes = self.sql.as_bytes();
        while bytes.get(self.at).is_some_and(|b| belongs(*b)) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Option<Kind> {
        let bytes = self.sql.as_bytes();
        let mut integer = true;
        self.skip(|b| b.is_ascii_digit());
        if bytes.get(self.at) == Some(&b'.') {
            integer = false;
            self.at += 1;
            self.skip(|b| b.is_ascii_digit());
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            let digits = self.at;
            self.skip(|b| b.is_ascii_digit());
            if self.at == digits {
                return None;
            }
        }
        let ends = !matches!(
            bytes.get(self.at),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'.' | b'0'..=b'9' | 0x80..)
        );
        ends.then_some(Kind::Number { integer })
    }

    fn quoted(&mut self, quote: u8, kind: Kind) -> Option<Kind> {
        let bytes = self.sql.as_bytes();
        self.at += 1;
        loop {
            match bytes.get(self.at)? {
                b if *b == quote && bytes.get(self.at + 1) == Some(&quote) => self.at += 2,
                b if *b == quote => {
                    self.at += 1;
                    return Some(kind);
                }
                _ => self.at += 1,
            }
        }
    }

    /// One operator, by PostgreSQL's rule: a longer one ends in + or - only if it has one of the
    /// odder characters. Here the odd ones make no template.
    fn operator(&mut self) -> Option<Kind> {
        let start = self.at;
        let known = |b: u8| {
            matches!(
                b,
                b'=' | b'<'
                    | b'>'
                    | b'!'
                    | b'+'
                    | b'-'
                    | b'*'
                    | b'/'
                    | b'|'
                    | b'~'
                    | b'@'
                    | b'#'
                    | b'%'
                    | b'^'
                    | b'&'
                    | b'?'
                    | b'`'
            )
        };
        self.skip(known);
        let mut text = &self.sql[start..self.at];
        if text.contains("--") || text.contains("/*") {
            return None;
        }
        // `=-5` is `=` and a sign.
        while text.len() > 1 && text.ends_with(['+', '-']) {
            if text.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']) {
                return None;
            }
            text = &text[..text.len() - 1];
        }
        self.at = start + text.len();
        Some(Kind::Operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Option<(String, Vec<(u32, String)>)> {
        let template = Template::of(sql)?;
        let literals = template.literals.into_iter();
        let literals = literals.map(|l| (l.ty.0, l.value.unwrap_or_default())).collect();
        Some((template.text, literals))
    }

    fn literals(all: &[(u32, &str)]) -> Vec<(u32, String)> {
        all.iter().map(|(ty, value)| (*ty, (*value).to_owned())).collect()
    }

    #[test]
    fn literals_of_conditions_and_rows_are_taken_out() {
        for (sql, text, wanted) in [
            ("SELECT * FROM t WHERE id = 5;", "SELECT * FROM t WHERE id = $1;", &[(23, "5")][..]),
            (
                "insert into t (a, b) values (1, 'it''s'), (3000000000, 1.5)",
                "insert into t (a, b) values ($1, $2), ($3, $4)",
                &[(23, "1"), (0, "it's"), (20, "3000000000"), (1700, "1.5")],
            ),
            (
                "UPDATE a SET b = b + -7 WHERE c in (1,2) AND d<='x'",
                "UPDATE a SET b = b + -$1 WHERE c in ($2,$3) AND d<=$4",
                &[(23, "7"), (23, "1"), (23, "2"), (0, "x")],
            ),
            (
                "SELECT a FROM t WHERE b = 1 ORDER BY 1 LIMIT 10 OFFSET 5",
                "SELECT a FROM t WHERE b = $1 ORDER BY 1 LIMIT $2 OFFSET $3",
                &[(23, "1"), (23, "10"), (23, "5")],
            ),
            (
                "DELETE FROM t WHERE a=-5 AND b BETWEEN 1 AND 2",
                "DELETE FROM t WHERE a=-$1 AND b BETWEEN $2 AND $3",
                &[(23, "5"), (23, "1"), (23, "2")],
            ),
        ] {
            assert_eq!(of(sql), Some((text.to_owned(), literals(wanted))), "{sql}");
        }
    }

    #[test]
    fn literals_that_mean_more_than_a_value_stay() {
        let (text, taken) = of(
            "SELECT '1'::int, f(2), date '2020-01-01', 3 FROM t WHERE a = '4'::int AND b = 5 AND \
             c LIKE 'x%' AND d = interval '1 day' GROUP BY 1, 2",
        )
        .unwrap();
        assert_eq!(taken, literals(&[(23, "5")]));
        assert_eq!(
            text,
            "SELECT '1'::int, f(2), date '2020-01-01', 3 FROM t WHERE a = '4'::int AND b = $1 AND \
             c LIKE 'x%' AND d = interval '1 day' GROUP BY 1, 2"
        );
    }

    #[test]
    fn what_is_not_plain_has_no_template() {
        for sql in [
            "SELECT 1",
            "SELECT * FROM t WHERE a = $1 AND b = 2",
            "SELECT * FROM t WHERE a = 1 -- comment",
            "SELECT * FROM t WHERE a = 1 /* comment */",
            "SELECT * FROM t WHERE a = E'x' AND b = 1",
            "SELECT * FROM t WHERE a = $$x$$",
            "SELECT * FROM t WHERE a = 1; SELECT 2",
            "SELECT * FROM t WHERE a = -2147483648",
            "SELECT * FROM t WHERE a = 12abc",
            "SELECT * FROM t WHERE 1 / 0 = a",
            "SELECT * FROM t WHERE a = 2147483647 + 1",
            "SELECT (-1)::int2 * -1, abs(-2)",
            "SELECT substring('abc' FROM 1 FOR -1)",
            "SELECT * FROM t WHERE a = 'open",
            "BEGIN",
            "",
        ] {
            assert_eq!(of(sql), None, "{sql}");
        }
    }
}
