//! The grammar of SUBSCRIBE around the query, which is sqlparser's.
//!
//! The query ends at the first clause of ours outside of parentheses. Clauses are recognised by
//! two tokens (`WITH (`, `UP TO`, `AFTER 5`), so that their first words stay usable as aliases.

use datafusion::sql::sqlparser::{
    ast,
    parser::Parser,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer},
};

use crate::statement::POSTGRES;
use crate::{
    error::{Error, Result},
    statement::Tokens,
};

/// SUBSCRIBE as written.
#[derive(Clone, Debug)]
pub(crate) struct SubscribeStatement {
    pub(crate) query: Box<ast::Query>,
    /// Option names, each once, with their values; `None`: the bare name.
    pub(crate) options: Vec<(OptionName, Option<Value>)>,
    pub(crate) start: Start,
    pub(crate) up_to: Option<Value>,
}

/// Where the stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Now.
    Head,
    /// `AFTER position`: with the first commit beyond.
    After(Value),
    /// `AS OF position`: with the state there.
    AsOf(Value),
    /// `AS OF AT LEAST position`: with the state there or later.
    AsOfAtLeast(Value),
}

/// A value in the place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A word, number or string, as text.
    Text(String),
    /// `$n`, from 1.
    Parameter(usize),
}

/// `WITH (...)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionName {
    Snapshot,
    Progress,
    Heartbeat,
    Old,
    Count,
    OnExpired,
}

/// Parses the text of one SUBSCRIBE statement.
///
/// # Errors
/// 42601 with the place, 0A000 for clauses that are not there yet.
pub(crate) fn parse(text: &str) -> Result<SubscribeStatement> {
    let all = Tokenizer::new(&POSTGRES, text)
        .tokenize_with_location()
        .map_err(|error| Error::syntax_error(error.message))?;
    let position = |location: Location| position_of(text, location);
    let solid: Vec<usize> = (0..all.len())
        .filter(|i| !matches!(all[*i].token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let word = |place: usize, word: &str| is_word(&all, &solid, place, word);
    let mut start = usize::from(word(0, "subscribe"));
    if word(start, "to") {
        start += 1;
    }
    let end = (start + 1..solid.len())
        .scan(0_i32, |depth, place| {
            let before = &all[solid[place - 1]].token;
            *depth += nesting(before);
            Some((place, *depth))
        })
        .find(|(place, depth)| *depth == 0 && begins_clause(&all, &solid, *place))
        .map_or(solid.len(), |(place, _)| place);
    let body: Vec<TokenWithSpan> =
        solid.get(start..end).unwrap_or_default().iter().map(|i| all[*i].clone()).collect();
    let query = parse_query(text, body, &position)?;
    let rest = solid.get(end).map_or(all.len(), |i| *i);
    let mut tokens = Tokens::new(text, &all[rest..], position);
    let mut statement =
        SubscribeStatement { query, options: Vec::new(), start: Start::Head, up_to: None };
    clauses(&mut tokens, &mut statement)?;
    tokens.expect_end()?;
    Ok(statement)
}

fn nesting(token: &Token) -> i32 {
    match token {
        Token::LParen | Token::LBracket => 1,
        Token::RParen | Token::RBracket => -1,
        _ => 0,
    }
}

fn is_word(all: &[TokenWithSpan], solid: &[usize], place: usize, word: &str) -> bool {
    let token = solid.get(place).map(|i| &all[*i].token);
    matches!(token, Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn begins_clause(all: &[TokenWithSpan], solid: &[usize], place: usize) -> bool {
    let word = |ahead: usize, word: &str| is_word(all, solid, place + ahead, word);
    let token = |ahead: usize| solid.get(place + ahead).map(|i| &all[*i].token);
    let is_value = |ahead: usize| {
        matches!(
            token(ahead),
            Some(
                Token::Number(..)
                    | Token::Placeholder(_)
                    | Token::Minus
                    | Token::SingleQuotedString(_)
            )
        )
    };
    const ENVELOPES: [&str; 5] = ["changes", "diff", "upsert", "debezium", "json"];
    (word(0, "with") && token(1) == Some(&Token::LParen))
        || (word(0, "envelope") && ENVELOPES.iter().any(|name| word(1, name)))
        || (word(0, "within") && word(1, "timestamp"))
        || (word(0, "after") && is_value(1))
        || (word(0, "as") && word(1, "of") && (is_value(2) || word(2, "at")))
        || (word(0, "up") && word(1, "to"))
        || (word(0, "into") && word(1, "channel"))
}

/// A query, or a table's name that may be followed by WHERE.
fn parse_query(
    text: &str,
    mut body: Vec<TokenWithSpan>,
    position: &dyn Fn(Location) -> u32,
) -> Result<Box<ast::Query>> {
    const QUERY_WORDS: [&str; 4] = ["select", "with", "values", "table"];
    let is_query = match body.first().map(|first| &first.token) {
        Some(Token::LParen) => true,
        Some(Token::Word(word)) => {
            word.quote_style.is_none()
                && QUERY_WORDS.iter().any(|name| word.value.eq_ignore_ascii_case(name))
        }
        Some(_) => false,
        None => return Err(end_of_input(text)),
    };
    if !is_query {
        let select = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
        let prefix = select.map(|token| TokenWithSpan { token, span: Span::empty() });
        body.splice(0..0, prefix);
    }
    let dialect = POSTGRES;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(body);
    let query = parser.parse_query();
    let next = parser.peek_token();
    let unexpected = || match &next.token {
        Token::EOF => end_of_input(text),
        token => Error::syntax_error_near(&token.to_string()).at(position(next.span.start)),
    };
    let mut query = query.map_err(|_| unexpected())?;
    if next.token != Token::EOF {
        return Err(unexpected());
    }
    // Parentheses around the whole query mean nothing.
    while let ast::SetExpr::Query(inner) = &*query.body
        && query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.locks.is_empty()
    {
        query = inner.clone();
    }
    Ok(query)
}

fn clauses(tokens: &mut Tokens<'_>, statement: &mut SubscribeStatement) -> Result<()> {
    while !tokens.at_end() {
        if tokens.take("envelope") {
            if !tokens.take("changes") {
                return Err(Error::feature_not_supported(
                    "SUBSCRIBE has no other envelope than CHANGES yet",
                ));
            }
        } else if tokens.take_all(&["within", "timestamp"]) {
            return Err(Error::feature_not_supported(
                "WITHIN TIMESTAMP ORDER BY is not supported yet",
            ));
        } else if tokens.take_all(&["into", "channel"]) {
            return Err(Error::feature_not_supported(
                "SUBSCRIBE ... INTO CHANNEL is not supported yet",
            ));
        } else if tokens.take("with") {
            options(tokens, statement)?;
        } else if tokens.is_word(0, "after") || tokens.is_word(0, "as") {
            let start = start(tokens)?;
            if statement.start != Start::Head {
                return Err(redundant());
            }
            statement.start = start;
        } else if tokens.take_all(&["up", "to"]) {
            if statement.up_to.replace(value(tokens)?).is_some() {
                return Err(redundant());
            }
        } else {
            return Err(tokens.unexpected());
        }
    }
    Ok(())
}

fn start(tokens: &mut Tokens<'_>) -> Result<Start> {
    if tokens.take("after") {
        return Ok(Start::After(value(tokens)?));
    }
    tokens.expect("as")?;
    tokens.expect("of")?;
    if tokens.take("at") {
        tokens.expect("least")?;
        return Ok(Start::AsOfAtLeast(value(tokens)?));
    }
    Ok(Start::AsOf(value(tokens)?))
}

fn options(tokens: &mut Tokens<'_>, statement: &mut SubscribeStatement) -> Result<()> {
    tokens.expect_token(&Token::LParen)?;
    loop {
        let written = tokens.identifier()?;
        let name = option_named(&written)?;
        let given = match tokens.peek() {
            Token::Comma | Token::RParen => None,
            _ => {
                tokens.take_token(&Token::Eq);
                Some(value(tokens)?)
            }
        };
        if statement.options.iter().any(|(other, _)| *other == name) {
            return Err(redundant());
        }
        statement.options.push((name, given));
        if !tokens.take_token(&Token::Comma) {
            break;
        }
    }
    tokens.expect_token(&Token::RParen)
}

fn option_named(name: &str) -> Result<OptionName> {
    Ok(match name {
        "snapshot" => OptionName::Snapshot,
        "progress" => OptionName::Progress,
        "heartbeat" => OptionName::Heartbeat,
        "old" => OptionName::Old,
        "count" => OptionName::Count,
        "on_expired" => OptionName::OnExpired,
        "atomic" | "last" | "coalesce" | "on_lag" | "max_lag" | "refresh" => {
            return Err(Error::feature_not_supported(format!(
                "the SUBSCRIBE option {} is not supported yet",
                name.to_uppercase()
            )));
        }
        _ => {
            return Err(Error::syntax_error(format!("unrecognized SUBSCRIBE option \"{name}\"")));
        }
    })
}

fn value(tokens: &mut Tokens<'_>) -> Result<Value> {
    match tokens.peek() {
        Token::Placeholder(name) => {
            let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
            let number = number.filter(|number| *number > 0).ok_or_else(|| tokens.unexpected())?;
            tokens.advance();
            Ok(Value::Parameter(number))
        }
        Token::Number(..) | Token::Minus | Token::Plus => Ok(Value::Text(tokens.number()?)),
        Token::Word(word) if word.quote_style.is_none() => {
            tokens.take("interval");
            match tokens.peek() {
                Token::Word(_) => Ok(Value::Text(tokens.identifier()?)),
                _ => Ok(Value::Text(tokens.string()?)),
            }
        }
        _ => Ok(Value::Text(tokens.string()?)),
    }
}

fn redundant() -> Error {
    Error::syntax_error("conflicting or redundant options")
}

fn end_of_input(text: &str) -> Error {
    let end = u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX);
    Error::syntax_error("syntax error at end of input").at(end)
}

/// Characters of `text` up to a location, from 1.
fn position_of(text: &str, location: Location) -> u32 {
    let line = usize::try_from(location.line).unwrap_or(usize::MAX).saturating_sub(1);
    let before: usize = text.split('\n').take(line).map(|line| line.chars().count() + 1).sum();
    u32::try_from(before)
        .unwrap_or(u32::MAX)
        .saturating_add(u32::try_from(location.column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn the_query_ends_where_the_clauses_begin() {
        let cases = [
            ("SUBSCRIBE t", "SELECT * FROM t"),
            (
                "subscribe to public.t where a > 1 and b in (1, 2)",
                "SELECT * FROM public.t WHERE a > 1 AND b IN (1, 2)",
            ),
            ("SUBSCRIBE (SELECT a FROM t)", "SELECT a FROM t"),
            (
                "SUBSCRIBE SELECT a AS after FROM t AS up WITH (SNAPSHOT)",
                "SELECT a AS after FROM t AS up",
            ),
            ("SUBSCRIBE t ENVELOPE CHANGES AFTER 5", "SELECT * FROM t"),
            ("SUBSCRIBE t AS x AS OF 5", "SELECT * FROM t AS x"),
            ("SUBSCRIBE SELECT a[1] FROM t UP TO $1", "SELECT a[1] FROM t"),
            (
                "SUBSCRIBE WITH c AS (SELECT 1) SELECT * FROM c",
                "WITH c AS (SELECT 1) SELECT * FROM c",
            ),
        ];
        for (sql, query) in cases {
            assert_eq!(parse(sql).unwrap().query.to_string(), query, "{sql}");
        }
    }

    #[test]
    fn clauses_come_in_any_order() {
        let statement = parse(
            "SUBSCRIBE t UP TO $2 WITH (snapshot = false, PROGRESS '1s', heartbeat = interval '5 s', \
             OLD, COUNT, ON_EXPIRED = 'error') AFTER 17",
        )
        .unwrap();
        assert_eq!(statement.start, Start::After(text("17")));
        assert_eq!(statement.up_to, Some(Value::Parameter(2)));
        assert_eq!(
            statement.options,
            [
                (OptionName::Snapshot, Some(text("false"))),
                (OptionName::Progress, Some(text("1s"))),
                (OptionName::Heartbeat, Some(text("5 s"))),
                (OptionName::Old, None),
                (OptionName::Count, None),
                (OptionName::OnExpired, Some(text("error"))),
            ]
        );
        let at_least = parse("SUBSCRIBE t AS OF AT LEAST 3").unwrap();
        assert_eq!(at_least.start, Start::AsOfAtLeast(text("3")));
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = parse("SUBSCRIBE").unwrap_err();
        assert_eq!(error.message, "syntax error at end of input");
        let error = parse("SUBSCRIBE t ENVELOPE DIFF").unwrap_err();
        assert_eq!(error.sqlstate.as_str(), "0A000");
        let error = parse("SUBSCRIBE t WITH (foo)").unwrap_err();
        assert_eq!(error.message, "unrecognized SUBSCRIBE option \"foo\"");
        let error = parse("SUBSCRIBE t\nWITH (OLD) bar").unwrap_err();
        assert_eq!(error.message, "syntax error at or near \"bar\"");
        assert_eq!(error.position, Some(24));
        let error = parse("SUBSCRIBE t 1").unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.position),
            ("syntax error at or near \"1\"", Some(13))
        );
        assert!(parse("SUBSCRIBE t WITH (OLD, OLD)").is_err());
    }
}
