//! Forms of PostgreSQL's grammar that the parser doesn't know, in words that it does.

use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Whitespace};

/// `substring(a SIMILAR b ESCAPE c)` becomes `substring(a, b, c)`. `ONLY t` is `t`, since no table
/// inherits, and EXCLUDE NO OTHERS of a window frame is what holds anyway.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens, at, "substring") {
            similar(tokens, at);
        } else if is_word(tokens, at, "only") {
            only(tokens, at);
        } else if is_exclusion(tokens, at) {
            remove_words(tokens, at, &["exclude", "no", "others"]);
        }
        at += 1;
    }
}

/// `SELECT` by itself, a row without columns, gets a FROM, which the parser needs; whether it did.
/// So does `SELECT WHERE ...`.
pub(super) fn complete_bare_select(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let is_token =
        |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let Some(at) = tokens.iter().position(|token| is_token(&token)) else { return false };
    let goes_on = after(tokens, at).is_some_and(|next| {
        let clauses = ["where", "group", "having", "order", "limit", "offset"];
        tokens[next].token != Token::EOF && !clauses.iter().any(|word| is_word(tokens, next, word))
    });
    if !is_word(tokens, at, "select") || goes_on {
        return false;
    }
    let span = tokens[at].span;
    let word = |text: &str| TokenWithSpan { token: Token::make_word(text, None), span };
    let space = TokenWithSpan { token: Token::Whitespace(Whitespace::Space), span };
    tokens.splice(at + 1..at + 1, [space.clone(), word("FROM"), space, word("nothing")]);
    true
}

/// A form that isn't there, which the parser would call a syntax error: why, and its place.
pub(super) fn unsupported(tokens: &[TokenWithSpan]) -> Option<(&'static str, Location)> {
    (0..tokens.len()).find_map(|at| {
        let message = if leaves_out(tokens, at) {
            "EXCLUDE in a window frame is not supported"
        } else if follows(tokens, at, &["search", "depth", "first"])
            || follows(tokens, at, &["search", "breadth", "first"])
        {
            "SEARCH of a recursive query is not supported"
        } else if is_cycle(tokens, at) {
            "CYCLE of a recursive query is not supported"
        } else if is_rows_from(tokens, at) {
            "ROWS FROM is not supported"
        } else if names_join(tokens, at) {
            "an alias of the columns that a join's USING merges is not supported"
        } else {
            return None;
        };
        Some((message, tokens[at].span.start))
    })
}

/// The place of the FROM in `SELECT DISTINCT FROM`, which lacks a list.
pub(super) fn distinct_nothing(tokens: &[TokenWithSpan]) -> Option<usize> {
    (0..tokens.len()).find_map(|at| {
        let distinct = after(tokens, at).filter(|_| follows(tokens, at, &["select", "distinct"]));
        let from = after(tokens, distinct?)?;
        is_word(tokens, from, "from").then_some(from)
    })
}

/// Whether these words stand one behind the other.
fn follows(tokens: &[TokenWithSpan], at: usize, words: &[&str]) -> bool {
    let mut place = Some(at);
    words.iter().all(|word| {
        let found = place.is_some_and(|place| is_word(tokens, place, word));
        place = place.and_then(|place| after(tokens, place));
        found
    })
}

/// An EXCLUDE in a window frame that leaves something out.
fn leaves_out(tokens: &[TokenWithSpan], at: usize) -> bool {
    let what = after(tokens, at);
    is_exclusion(tokens, at)
        && ["current", "group", "ties"]
            .iter()
            .any(|word| what.is_some_and(|what| is_word(tokens, what, word)))
}

/// `FROM ROWS FROM (`; a column may have the name as well, behind IS DISTINCT FROM too.
fn is_rows_from(tokens: &[TokenWithSpan], at: usize) -> bool {
    let is_item = |at| {
        let is_test = before(tokens, at).is_some_and(|at| is_word(tokens, at, "distinct"));
        !is_test && ["from", "join", "lateral"].iter().any(|word| is_word(tokens, at, word))
    };
    let open = after(tokens, at).and_then(|from| after(tokens, from));
    follows(tokens, at, &["rows", "from"])
        && before(tokens, at).is_some_and(is_item)
        && open.is_some_and(|open| tokens[open].token == Token::LParen)
}

/// `(...) CYCLE a, b SET ...` behind a query of WITH.
fn is_cycle(tokens: &[TokenWithSpan], at: usize) -> bool {
    if !is_word(tokens, at, "cycle")
        || before(tokens, at).is_none_or(|before| tokens[before].token != Token::RParen)
    {
        return false;
    }
    let mut next = after(tokens, at);
    while let Some(place) = next.filter(|place| {
        matches!(tokens[*place].token, Token::Word(_) | Token::Comma)
            && !is_word(tokens, *place, "set")
    }) {
        next = after(tokens, place);
    }
    next.is_some_and(|place| is_word(tokens, place, "set"))
}

/// The AS of `JOIN t USING (a) AS name`.
fn names_join(tokens: &[TokenWithSpan], at: usize) -> bool {
    let Some(close) = before(tokens, at).filter(|_| is_word(tokens, at, "as")) else {
        return false;
    };
    if tokens[close].token != Token::RParen {
        return false;
    }
    let mut place = before(tokens, close);
    while let Some(name) =
        place.filter(|place| matches!(tokens[*place].token, Token::Word(_) | Token::Comma))
    {
        place = before(tokens, name);
    }
    let open = place.filter(|place| tokens[*place].token == Token::LParen);
    let using = open.and_then(|open| before(tokens, open));
    using.is_some_and(|using| is_word(tokens, using, "using"))
}

/// Whether the word is an EXCLUDE behind a frame's bound.
fn is_exclusion(tokens: &[TokenWithSpan], at: usize) -> bool {
    let ends_bound = |at| ["row", "preceding", "following"].iter().any(|w| is_word(tokens, at, w));
    is_word(tokens, at, "exclude") && before(tokens, at).is_some_and(ends_bound)
}

/// Removes these words if all of them are there, one behind the other.
fn remove_words(tokens: &mut Vec<TokenWithSpan>, at: usize, words: &[&str]) {
    let mut places = vec![at];
    while places.len() < words.len() {
        let Some(next) = after(tokens, places[places.len() - 1]) else { return };
        places.push(next);
    }
    if places.iter().zip(words).all(|(place, word)| is_word(tokens, *place, word)) {
        places.into_iter().rev().for_each(|place| {
            tokens.remove(place);
        });
    }
}

/// ONLY before the name of a table, which may stand in parentheses.
fn only(tokens: &mut Vec<TokenWithSpan>, at: usize) {
    let Some(before) = before(tokens, at) else { return };
    let starts_table = ["from", "join", "update", "using", "table"];
    if tokens[before].token != Token::Comma
        && !starts_table.iter().any(|word| is_word(tokens, before, word))
    {
        return;
    }
    let Some(next) = after(tokens, at) else { return };
    match tokens[next].token {
        Token::Word(_) => {
            tokens.remove(at);
        }
        Token::LParen => {
            let is_of_name = |token: &Token| matches!(token, Token::Word(_) | Token::Period);
            let name = tokens[next + 1..].iter().filter(|token| is_solid(token));
            let length = name.take_while(|token| is_of_name(&token.token)).count();
            let close = (0..length).try_fold(next, |place, _| after(tokens, place));
            let close = close.and_then(|last| after(tokens, last));
            if let Some(close) = close.filter(|close| tokens[*close].token == Token::RParen) {
                for place in [close, next, at] {
                    tokens.remove(place);
                }
            }
        }
        _ => {}
    }
}

fn is_word(tokens: &[TokenWithSpan], at: usize, wanted: &str) -> bool {
    tokens.get(at).is_some_and(|token| match &token.token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted),
        _ => false,
    })
}

fn is_solid(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

fn before(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    tokens[..at].iter().rposition(is_solid)
}

fn after(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    tokens.iter().skip(at + 1).position(is_solid).map(|behind| at + 1 + behind)
}

fn depth_change(token: &Token) -> i32 {
    match token {
        Token::LParen | Token::LBracket => 1,
        Token::RParen | Token::RBracket => -1,
        _ => 0,
    }
}

fn similar(tokens: &mut [TokenWithSpan], substring: usize) {
    let Some(open) = after(tokens, substring) else { return };
    if tokens[open].token != Token::LParen {
        return;
    }
    let mut depth = 0;
    let mut seen = false;
    for at in open..tokens.len() {
        depth += depth_change(&tokens[at].token);
        if depth == 0 {
            return;
        }
        let to_follows = after(tokens, at).is_some_and(|next| is_word(tokens, next, "to"));
        if depth == 1 && !seen && is_word(tokens, at, "similar") && !to_follows {
            seen = true;
            tokens[at].token = Token::Comma;
        } else if depth == 1 && seen && is_word(tokens, at, "escape") {
            tokens[at].token = Token::Comma;
            return;
        }
    }
}
