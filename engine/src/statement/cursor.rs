//! DECLARE, FETCH, MOVE and CLOSE.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{
    Parsed, Statement,
    tokens::Tokens,
    utility::{self, Name},
};
use crate::error::{Error, Result};

/// `DECLARE name CURSOR FOR ...`.
#[derive(Debug)]
pub(crate) struct Declare {
    pub(crate) name: String,
    pub(crate) hold: bool,
    pub(crate) scroll: Option<bool>,
    pub(crate) binary: bool,
    pub(crate) query: CursorQuery,
}

/// What a cursor runs over.
#[derive(Clone, Debug)]
pub(crate) enum CursorQuery {
    /// SELECT or VALUES.
    Query(Arc<Statement>),
    /// SUBSCRIBE, by its text.
    Subscribe(Arc<Statement>),
}

/// `FETCH` and `MOVE`.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) name: String,
    pub(crate) direction: FetchDirection,
    /// MOVE: rows are passed over, not returned.
    pub(crate) only_move: bool,
    /// `WITH (timeout = '30s')`, for a cursor over a subscription, as an interval's text.
    pub(crate) timeout: Option<String>,
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchDirection {
    /// The next `n` rows; negative: backwards; 0: the present row again.
    Forward(i64),
    ForwardAll,
    BackwardAll,
    /// The row at this place, from the end where negative.
    Absolute(i64),
    /// The row that many further.
    Relative(i64),
}

pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Parsed>> {
    if tokens.take("declare") {
        return declare(tokens).map(Some);
    }
    let parsed = if tokens.take("fetch") {
        fetch(tokens, false)?
    } else if tokens.take("move") {
        fetch(tokens, true)?
    } else if tokens.take("close") {
        Parsed::Close(if tokens.take("all") { Name::All } else { Name::One(tokens.column_name()?) })
    } else {
        return Ok(None);
    };
    tokens.expect_end()?;
    Ok(Some(parsed))
}

fn declare(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let name = tokens.column_name()?;
    let (mut binary, mut scroll) = (false, None);
    loop {
        if tokens.take("binary") {
            binary = true;
        } else if tokens.take_all(&["no", "scroll"]) {
            scroll = Some(false);
        } else if tokens.take("scroll") {
            scroll = Some(true);
        } else if !(tokens.take("insensitive") || tokens.take("asensitive")) {
            break;
        }
    }
    tokens.expect("cursor")?;
    let hold = tokens.take_all(&["with", "hold"]);
    if !hold {
        tokens.take_all(&["without", "hold"]);
    }
    tokens.expect("for")?;
    let is_subscribe = tokens.is_word(0, "subscribe");
    let query = utility::nested(tokens)?;
    let query = match (&query.body, is_subscribe) {
        (Parsed::Subscribe, true) => CursorQuery::Subscribe(query),
        (Parsed::Plannable(statement), false)
            if matches!(**statement, datafusion::sql::sqlparser::ast::Statement::Query(_)) =>
        {
            CursorQuery::Query(query)
        }
        _ => return Err(tokens.unexpected()),
    };
    Ok(Parsed::Declare(Declare { name, hold, scroll, binary, query }))
}

fn fetch(tokens: &mut Tokens<'_>, only_move: bool) -> Result<Parsed> {
    let direction = direction(tokens)?;
    if !tokens.take("from") {
        tokens.take("in");
    }
    let name = tokens.column_name()?;
    let mut timeout = None;
    if tokens.take("with") {
        tokens.expect_token(&Token::LParen)?;
        tokens.expect("timeout")?;
        tokens.expect_token(&Token::Eq)?;
        timeout = Some(tokens.string()?);
        tokens.expect_token(&Token::RParen)?;
    }
    Ok(Parsed::Fetch(Fetch { name, direction, only_move, timeout }))
}

fn direction(tokens: &mut Tokens<'_>) -> Result<FetchDirection> {
    let direction = if tokens.take("next") {
        FetchDirection::Forward(1)
    } else if tokens.take("prior") {
        FetchDirection::Forward(-1)
    } else if tokens.take("first") {
        FetchDirection::Absolute(1)
    } else if tokens.take("last") {
        FetchDirection::Absolute(-1)
    } else if tokens.take("absolute") {
        FetchDirection::Absolute(count(tokens)?)
    } else if tokens.take("relative") {
        FetchDirection::Relative(count(tokens)?)
    } else if tokens.take("all") || tokens.take_all(&["forward", "all"]) {
        FetchDirection::ForwardAll
    } else if tokens.take_all(&["backward", "all"]) {
        FetchDirection::BackwardAll
    } else if tokens.take("forward") {
        FetchDirection::Forward(if is_count(tokens) { count(tokens)? } else { 1 })
    } else if tokens.take("backward") {
        FetchDirection::Forward(-if is_count(tokens) { count(tokens)? } else { 1 })
    } else if is_count(tokens) {
        FetchDirection::Forward(count(tokens)?)
    } else {
        FetchDirection::Forward(1)
    };
    Ok(direction)
}

fn is_count(tokens: &Tokens<'_>) -> bool {
    matches!(tokens.peek(), Token::Number(..) | Token::Minus | Token::Plus)
}

fn count(tokens: &mut Tokens<'_>) -> Result<i64> {
    let number = tokens.number()?;
    number.parse::<i32>().map(i64::from).map_err(|_| Error::syntax_error_near(&number))
}
