//! A cursor over a statement's tokens, for the grammars that are ours.

use datafusion::sql::sqlparser::{
    ast,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan, Whitespace},
};

use super::POSTGRES;
use super::keywords;
use crate::error::{Error, Result};

/// PostgreSQL's NAMEDATALEN less one: longer identifiers are cut.
pub(crate) const MAX_IDENTIFIER_BYTES: usize = 63;

/// Solid tokens only; the end is a stream of `EOF`.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    all: &'a [TokenWithSpan],
    /// Indexes of the solid tokens in `all`.
    solid: Vec<usize>,
    next: usize,
    position: Box<dyn Fn(Location) -> u32 + 'a>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(
        sql: &'a str,
        all: &'a [TokenWithSpan],
        position: impl Fn(Location) -> u32 + 'a,
    ) -> Self {
        let solid = (0..all.len())
            .filter(|i| !matches!(all[*i].token, Token::Whitespace(_) | Token::EOF))
            .collect();
        Tokens { sql, all, solid, next: 0, position: Box::new(position) }
    }

    pub(crate) fn peek(&self) -> &'a Token {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> &'a Token {
        self.solid.get(self.next + ahead).map_or(&Token::EOF, |i| &self.all[*i].token)
    }

    pub(crate) fn advance(&mut self) -> &'a Token {
        let token = self.peek();
        self.next = (self.next + 1).min(self.solid.len());
        token
    }

    pub(crate) fn at_end(&self) -> bool {
        self.next >= self.solid.len()
    }

    /// Whether the token `ahead` is this unquoted word, in any case.
    pub(crate) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    /// Takes the word if it is next.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes these words if all of them are next.
    pub(crate) fn take_all(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(i, word)| self.is_word(i, word));
        if found {
            self.next += words.len();
        }
        found
    }

    pub(crate) fn take_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<()> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.take_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A word as an identifier: folded when unquoted.
    pub(crate) fn identifier(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word(word) => {
                self.advance();
                let name = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_ascii_lowercase(),
                };
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The name of a table, a column or the like: an identifier that is no reserved word.
    pub(crate) fn column_name(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word(word)
                if word.quote_style.is_none()
                    && !keywords::is_column_name(&word.value.to_ascii_lowercase()) =>
            {
                Err(self.unexpected())
            }
            _ => self.identifier(),
        }
    }

    /// A string constant in any of PostgreSQL's quotings.
    pub(crate) fn string(&mut self) -> Result<String> {
        let text = match self.peek() {
            Token::SingleQuotedString(text)
            | Token::EscapedStringLiteral(text)
            | Token::UnicodeStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(text) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(text)
    }

    /// A number with an optional sign, as written.
    pub(crate) fn number(&mut self) -> Result<String> {
        let sign = if self.take_token(&Token::Minus) {
            "-"
        } else {
            self.take_token(&Token::Plus);
            ""
        };
        match self.peek() {
            Token::Number(digits, _) => {
                self.advance();
                Ok(format!("{sign}{digits}"))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The error for the token that is next.
    pub(crate) fn unexpected(&self) -> Error {
        match self.solid.get(self.next) {
            None => Error::syntax_error("syntax error at end of input")
                .at(u32::try_from(self.sql.chars().count() + 1).unwrap_or(u32::MAX)),
            Some(i) => {
                let position = (self.position)(self.all[*i].span.start);
                let end = (self.position)(self.all[*i].span.end);
                let text: String = self
                    .sql
                    .chars()
                    .skip(position.saturating_sub(1) as usize)
                    .take(end.saturating_sub(position) as usize)
                    .collect();
                Error::syntax_error_near(&text).at(position)
            }
        }
    }

    /// Characters before the next token.
    pub(crate) fn offset(&self) -> u32 {
        let next = self.solid.get(self.next);
        next.map_or(0, |i| (self.position)(self.all[*i].span.start).saturating_sub(1))
    }

    /// The text from the next token on.
    pub(crate) fn rest(&self) -> &'a str {
        let Some(i) = self.solid.get(self.next) else { return "" };
        let characters = (self.position)(self.all[*i].span.start).saturating_sub(1) as usize;
        self.sql.char_indices().nth(characters).map_or("", |(byte, _)| &self.sql[byte..])
    }

    /// Hands the remaining tokens to sqlparser and takes as many as it used.
    pub(crate) fn with_parser<T>(
        &mut self,
        read: impl FnOnce(&mut Parser<'_>) -> Result<T, datafusion::sql::sqlparser::parser::ParserError>,
    ) -> Result<T> {
        let dialect = POSTGRES;
        let rest: Vec<TokenWithSpan> =
            self.solid[self.next..].iter().map(|i| self.all[*i].clone()).collect();
        let rest = super::rewrite::for_definition(&rest);
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(for_parser(rest));
        let value = read(&mut parser);
        // Tokens that were put in place of others stand where those stood.
        let next = parser.peek_token_ref();
        let at = |i: &usize| self.all[*i].span.start >= next.span.start;
        self.next = match next.token {
            Token::EOF => self.solid.len(),
            _ => self.solid.iter().position(at).unwrap_or(self.solid.len()),
        };
        value.map_err(|error| match super::place_of(&error) {
            Some(place) => {
                let found = self.solid.iter().position(|i| self.all[*i].span.start == place);
                self.next = found.unwrap_or(self.next);
                self.unexpected()
            }
            None => self.unexpected(),
        })
    }

    /// A comma-separated list of expressions.
    pub(crate) fn expressions(&mut self) -> Result<Vec<ast::Expr>> {
        self.with_parser(|parser| parser.parse_comma_separated(Parser::parse_expr))
    }
}

/// The tokens as sqlparser understands them, one for one: it takes `trim(LEADING FROM x)` for a
/// column called `from`, and `trim(LEADING x)` for what PostgreSQL means by both.
pub(crate) fn for_parser(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> =
        (0..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).collect();
    let is = |token: usize, words: &[&str]| match &tokens[token].token {
        Token::Word(word) if word.quote_style.is_none() => {
            words.iter().any(|wanted| word.value.eq_ignore_ascii_case(wanted))
        }
        _ => false,
    };
    let from_of = |next: &[usize]| {
        if !is(next[0], &["trim"]) || tokens[next[1]].token != Token::LParen {
            return None;
        }
        let behind = usize::from(is(next[2], &["leading", "trailing", "both"]));
        Some(next[2 + behind]).filter(|token| is(*token, &["from"]))
    };
    let superfluous: Vec<usize> = solid.windows(4).filter_map(from_of).collect();
    for token in superfluous {
        tokens[token].token = Token::Whitespace(Whitespace::Space);
    }
    tokens
}

/// As much of an identifier as PostgreSQL keeps of one, to a character's edge.
pub(super) fn truncate_identifier(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_IDENTIFIER_BYTES)]
}
