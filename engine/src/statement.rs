//! From text to statements: split at semicolons, recognised by their first words.
//!
//! Queries, changes and definitions are parsed by sqlparser. What it doesn't know (SUBSCRIBE), or
//! knows with a grammar that isn't PostgreSQL's (transaction control, SET, cursors), is parsed in
//! [`utility`]. A script is parsed as a whole before any of it runs, as PostgreSQL does, so a
//! syntax error anywhere means that nothing happened.

use std::sync::Arc;

use datafusion::sql::sqlparser::{
    ast,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::error::{Error, Result, SqlState};

mod budget;
mod cursor;
mod dialect;
mod explain;
mod forms;
mod keywords;
mod literals;
mod maintenance;
mod rewrite;
mod template;
mod tokens;
mod transaction;
mod utility;

pub(crate) use cursor::{CursorQuery, Declare, Fetch, FetchDirection};
pub(crate) use dialect::{POSTGRES, SYMMETRIC, is_no_function};
pub(crate) use explain::Explain;
pub(crate) use keywords::is_unreserved;
pub(crate) use maintenance::{MaintainedRelation, Maintenance};
pub(crate) use rewrite::{
    ConflictPart, conflict_target, current_of, is_counted_before, is_distinct_mark, lock_of,
    overriding,
};
pub(crate) use template::{Literal, Template};
pub(crate) use tokens::{Tokens, for_parser};
pub(crate) use transaction::{AccessMode, Isolation, TransactionModes, two_phase};
pub(crate) use utility::{
    AtServer, Copy, CopySource, Discard, LockTable, Name, SetScope, SetValue,
};

/// One statement of a script, parsed and not yet analysed.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The statement's own text, without what surrounds it in the script.
    pub(crate) text: Arc<str>,
    /// Characters of the script before `text`, to be added to error positions.
    pub(crate) offset: u32,
    pub(crate) body: Parsed,
    /// Identifiers that were too long, for a notice each.
    pub(crate) truncated: Vec<String>,
}

impl Statement {
    /// What the client is told when the statement is parsed.
    pub(crate) fn notices(&self) -> impl Iterator<Item = Error> {
        self.truncated.iter().map(|name| {
            let kept = tokens::truncate_identifier(name);
            let message = format!("identifier \"{name}\" will be truncated to \"{kept}\"");
            Error::new(SqlState::NAME_TOO_LONG, message)
        })
    }
}

/// What a statement is, by how it runs.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE: goes through analysis.
    Plannable(Box<ast::Statement>),
    /// CREATE, ALTER, DROP, GRANT, COMMENT, TRUNCATE, roles: runs from the tree.
    Definition(Box<crate::exec::ddl::Command>),
    Copy(Box<Copy>),
    Begin(TransactionModes),
    /// START TRANSACTION: BEGIN with another tag.
    Start(TransactionModes),
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    PrepareTransaction,
    SetTransaction(TransactionModes),
    SetSessionCharacteristics(TransactionModes),
    Set {
        scope: SetScope,
        name: String,
        value: SetValue,
    },
    Reset(Name),
    Show(Name),
    Discard(Discard),
    Declare(Declare),
    Fetch(Fetch),
    Close(Name),
    Prepare {
        name: String,
        types: Vec<ast::DataType>,
        statement: Arc<Statement>,
    },
    Execute {
        name: String,
        arguments: Vec<ast::Expr>,
    },
    Deallocate(Name),
    Listen(String),
    Unlisten(Name),
    Notify {
        channel: String,
        payload: String,
    },
    Explain(Explain),
    Maintenance(Maintenance),
    Checkpoint,
    Lock(LockTable),
    /// The text after the word SUBSCRIBE is read by `subscribe`.
    Subscribe,
}

/// Longest statement text that is parsed, in bytes.
pub(crate) const MAX_STATEMENT_BYTES: usize = 64 << 20;

/// What a statement that breaks off fails with.
const END_OF_INPUT: &str = "syntax error at end of input";

/// Deepest nesting the parser follows.
const MAX_PARSER_DEPTH: usize = 120;

/// Operators of one statement that chain to the left: `a + b + c` nests as deep as it is long, and
/// whatever walks such a tree needs that much stack.
const MAX_CHAINED_OPERATORS: usize = 2_000;

/// Parses a whole script. An empty script has no statements.
pub(crate) fn parse_script(sql: &str) -> Result<Vec<Arc<Statement>>> {
    if sql.len() > MAX_STATEMENT_BYTES {
        return Err(Error::program_limit_exceeded("statement is too long"));
    }
    if !budget::is_within(sql) {
        return Err(Error::program_limit_exceeded(format!(
            "statement has more than {} tokens",
            budget::MAX_TOKENS
        ))
        .with_hint("Split it, or use COPY."));
    }
    let script = Script::tokenize(sql)?;
    let mut statements = Vec::new();
    for tokens in script.tokens.split_inclusive(|token| token.token == Token::SemiColon) {
        let (tokens, semicolon) = match tokens.split_last() {
            Some((last, before)) if last.token == Token::SemiColon => (before, Some(last)),
            _ => (tokens, None),
        };
        if tokens.iter().all(|token| matches!(token.token, Token::Whitespace(_) | Token::EOF)) {
            continue;
        }
        statements.push(Arc::new(script.parse(tokens, semicolon)?));
    }
    Ok(statements)
}

/// Parses a text that may hold at most one statement, as the extended protocol asks.
pub(crate) fn parse_single(sql: &str) -> Result<Option<Arc<Statement>>> {
    let mut statements = parse_script(sql)?;
    if statements.len() > 1 {
        return Err(Error::syntax_error(
            "cannot insert multiple commands into a prepared statement",
        ));
    }
    Ok(statements.pop())
}

/// A tokenized text that can turn locations into places.
struct Script<'a> {
    sql: &'a str,
    tokens: Vec<TokenWithSpan>,
    /// Identifiers that were longer than they may be.
    truncated: Vec<String>,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
    /// Characters are bytes: then places cost nothing, however many statements there are.
    is_ascii: bool,
}

impl<'a> Script<'a> {
    fn tokenize(sql: &'a str) -> Result<Self> {
        let lines = std::iter::once(0)
            .chain(sql.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
            .collect();
        let mut script = Script {
            sql,
            tokens: Vec::new(),
            truncated: Vec::new(),
            lines,
            is_ascii: sql.is_ascii(),
        };
        script.tokens = script.read_tokens()?;
        script.check_identifiers()?;
        Ok(script)
    }

    /// Cuts identifiers to PostgreSQL's length.
    fn check_identifiers(&mut self) -> Result<()> {
        for i in 0..self.tokens.len() {
            let Token::Word(word) = &self.tokens[i].token else { continue };
            if word.value.is_empty() {
                let span = self.tokens[i].span;
                let start = self.byte(span.start);
                let text = &self.sql[start..self.byte(span.end).max(start)];
                let message = format!("zero-length delimited identifier at or near \"{text}\"");
                return Err(Error::syntax_error(message).at(self.position(start)));
            }
            if word.value.len() <= tokens::MAX_IDENTIFIER_BYTES {
                continue;
            }
            let name = match word.quote_style {
                Some(_) => word.value.clone(),
                None => word.value.to_ascii_lowercase(),
            };
            let kept = tokens::truncate_identifier(&name).to_owned();
            self.truncated.push(name);
            if let Token::Word(word) = &mut self.tokens[i].token {
                word.value = kept;
            }
        }
        Ok(())
    }

    /// One statement, of its tokens and the semicolon behind it.
    fn parse(
        &self,
        tokens: &[TokenWithSpan],
        semicolon: Option<&TokenWithSpan>,
    ) -> Result<Statement> {
        let solid = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_));
        let first = tokens.iter().find(solid).expect("a statement has a token");
        let last = tokens.iter().rev().find(solid).expect("a statement has a token");
        let start = self.byte(first.span.start);
        let end = match last.token {
            Token::EOF => self.sql.trim_end().len(),
            _ => self.byte(last.span.end),
        };
        let text: Arc<str> = self.sql[start..end.max(start)].into();
        let offset = self.position(start) - 1;
        let own = Script::tokenize(&text)?;
        let body = own.parse_body().map_err(|error| match semicolon {
            Some(semicolon) if error.message == END_OF_INPUT => self.unexpected(semicolon),
            _ => error.shifted(offset),
        })?;
        Ok(Statement { text: Arc::clone(&text), offset, body, truncated: own.truncated })
    }

    fn parse_body(&self) -> Result<Parsed> {
        let mut tokens =
            Tokens::new(self.sql, &self.tokens, |location| self.position(self.byte(location)));
        if let Some(parsed) = utility::parse(&mut tokens)? {
            return Ok(parsed);
        }
        if let Some(command) = crate::exec::ddl::parse(&mut tokens)? {
            return Ok(Parsed::Definition(Box::new(command)));
        }
        self.parse_tree()
    }

    /// 54001 where a chain of operators would nest too deep.
    fn check_chains(&self) -> Result<()> {
        let solid: Vec<&Token> = self
            .tokens
            .iter()
            .map(|token| &token.token)
            .filter(|token| !matches!(token, Token::Whitespace(_)))
            .collect();
        // A minus behind an operand is an operator, elsewhere it is a sign.
        let minuses = solid.windows(2).filter(|pair| {
            let operand = matches!(pair[0], Token::Number(..) | Token::Word(_) | Token::RParen);
            operand && *pair[1] == Token::Minus
        });
        let chains = solid.iter().filter(|token| match token {
            Token::Plus | Token::Mul | Token::Div | Token::StringConcat => true,
            Token::Word(word) => {
                let is = |name: &str| word.value.eq_ignore_ascii_case(name);
                is("and") || is("or") || is("union") || is("except") || is("intersect")
            }
            _ => false,
        });
        if chains.count() + minuses.count() > MAX_CHAINED_OPERATORS {
            return Err(Error::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "stack depth limit exceeded",
            )
            .with_hint(format!(
                "A statement has at most {MAX_CHAINED_OPERATORS} operators; split it, or use an \
                 array or VALUES."
            )));
        }
        Ok(())
    }

    fn parse_tree(&self) -> Result<Parsed> {
        self.check_chains()?;
        let dialect = POSTGRES;
        let mut tokens = self.tokens.clone();
        let is_bare = forms::complete_bare_select(&mut tokens);
        forms::rewrite(&mut tokens);
        if let Some((message, place)) = forms::unsupported(&tokens) {
            let position = self.position(self.byte(place));
            return Err(Error::feature_not_supported(message).at(position));
        }
        if let Some(from) = forms::distinct_nothing(&tokens) {
            return Err(self.unexpected(&tokens[from]));
        }
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(MAX_PARSER_DEPTH)
            .with_tokens_with_locations(for_parser(rewrite::for_parser(&tokens)));
        let statement = parser
            .parse_statement()
            .map_err(|error| self.syntax_error(&error, &parser.peek_token()))?;
        let rest = parser.peek_token();
        if rest.token != Token::EOF {
            return Err(self.unexpected(&rest));
        }
        match statement {
            ast::Statement::Query(mut query) if is_bare => {
                if let ast::SetExpr::Select(select) = query.body.as_mut() {
                    select.from.clear();
                }
                Ok(Parsed::Plannable(Box::new(ast::Statement::Query(query))))
            }
            ast::Statement::Query(mut query) => match crate::exec::ddl::select_into(&mut query)? {
                Some(command) => Ok(Parsed::Definition(Box::new(command))),
                None => Ok(Parsed::Plannable(Box::new(ast::Statement::Query(query)))),
            },
            ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_) => {
                Ok(Parsed::Plannable(Box::new(statement)))
            }
            _ => match self.tokens.iter().find(|t| !matches!(t.token, Token::Whitespace(_))) {
                // sqlparser knows statements of other databases, which PostgreSQL doesn't.
                Some(first) => Err(self.unexpected(first)),
                None => Err(Error::syntax_error(END_OF_INPUT)),
            },
        }
    }

    fn syntax_error(&self, error: &ParserError, next: &TokenWithSpan) -> Error {
        if let ParserError::RecursionLimitExceeded = error {
            return Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint(format!("Statements nest at most {MAX_PARSER_DEPTH} levels deep."));
        }
        let token = place_of(error)
            .and_then(|place| self.tokens.iter().find(|token| token.span.start == place))
            .unwrap_or(next);
        self.unexpected(token)
    }

    fn unexpected(&self, token: &TokenWithSpan) -> Error {
        match &token.token {
            Token::EOF => Error::syntax_error(END_OF_INPUT).at(self.position(self.sql.len())),
            _ => {
                let (start, end) = (self.byte(token.span.start), self.byte(token.span.end));
                Error::syntax_error_near(&self.sql[start..end.max(start)]).at(self.position(start))
            }
        }
    }

    /// Byte offset of a location; lines and columns count from 1, columns in characters.
    fn byte(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(&start) = self.lines.get(line) else { return self.sql.len() };
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        if self.is_ascii {
            return start.saturating_add(column).min(self.sql.len());
        }
        self.sql[start..]
            .char_indices()
            .nth(column)
            .map_or(self.sql.len(), |(offset, _)| start + offset)
    }

    /// Characters up to a byte offset, from 1.
    fn position(&self, byte: usize) -> u32 {
        let before = if self.is_ascii { byte } else { self.sql[..byte].chars().count() };
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

/// Where sqlparser stumbled, which it says only inside its message: `... at Line: 1, Column: 8`.
fn place_of(error: &ParserError) -> Option<Location> {
    let (ParserError::TokenizerError(message) | ParserError::ParserError(message)) = error else {
        return None;
    };
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.parse().ok()?, column: column.trim().parse().ok()? })
}

/// PostgreSQL's words for a token that doesn't end.
fn unterminated(rest: &str) -> String {
    let what = match rest.chars().next() {
        Some('\'' | 'e' | 'E') => "quoted string",
        Some('"') => "quoted identifier",
        Some('/') => "/* comment",
        Some('$') => "dollar-quoted string",
        _ => {
            return format!("syntax error at or near \"{}\"", rest.split(' ').next().unwrap_or(""));
        }
    };
    format!("unterminated {what} at or near \"{rest}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_split_at_semicolons_outside_of_quotes() {
        let script = parse_script("select ';'; ;; begin ; select $$a;b$$ -- x;\n").unwrap();
        let texts: Vec<&str> = script.iter().map(|statement| &*statement.text).collect();
        assert_eq!(texts, ["select ';'", "begin", "select $$a;b$$"]);
        assert_eq!(script[1].offset, 15);
    }

    #[test]
    fn errors_carry_postgres_words_and_place() {
        let error = parse_script("select 1; selec 2").unwrap_err();
        assert_eq!(error.message, "syntax error at or near \"selec\"");
        assert_eq!(error.position, Some(11));
        let error = parse_script("select 'é' from").unwrap_err();
        assert_eq!(error.message, "syntax error at end of input");
        assert!(parse_script("  -- nothing\n").unwrap().is_empty());
    }
}
