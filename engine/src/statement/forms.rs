//! Forms of PostgreSQL's grammar that the parser doesn't know, in words that it does.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace, Word};

/// The name under which `BETWEEN SYMMETRIC` passes the parser: no function has it.
pub(crate) const SYMMETRIC: &str = "between symmetric";

/// `substring(a SIMILAR b ESCAPE c)` becomes `substring(a, b, c)`, and `BETWEEN SYMMETRIC a AND b`
/// becomes `BETWEEN "between symmetric"(a) AND b`.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens, at, "substring") {
            similar(tokens, at);
        } else if is_word(tokens, at, "symmetric")
            && before(tokens, at).is_some_and(|before| is_word(tokens, before, "between"))
        {
            symmetric(tokens, at);
        } else if is_word(tokens, at, "asymmetric")
            && before(tokens, at).is_some_and(|before| is_word(tokens, before, "between"))
        {
            // What BETWEEN means anyway.
            tokens.remove(at);
        }
        at += 1;
    }
}

/// `SELECT` by itself, a row without columns, gets a FROM, which the parser needs; whether it did.
pub(super) fn complete_bare_select(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let is_token =
        |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let Some(at) = tokens.iter().position(|token| is_token(&token)) else { return false };
    if !is_word(tokens, at, "select") || tokens.iter().filter(is_token).count() > 1 {
        return false;
    }
    let span = tokens[at].span;
    let word = |text: &str| TokenWithSpan { token: Token::make_word(text, None), span };
    let space = TokenWithSpan { token: Token::Whitespace(Whitespace::Space), span };
    tokens.splice(at + 1..at + 1, [space.clone(), word("FROM"), space, word("nothing")]);
    true
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

fn symmetric(tokens: &mut Vec<TokenWithSpan>, at: usize) {
    let (mut depth, mut cases) = (0, 0);
    let mut end = None;
    for next in at + 1..tokens.len() {
        depth += depth_change(&tokens[next].token);
        if depth < 0 {
            return;
        }
        if is_word(tokens, next, "case") {
            cases += 1;
        } else if is_word(tokens, next, "end") {
            cases -= 1;
        } else if depth == 0 && cases == 0 && is_word(tokens, next, "and") {
            end = Some(next);
            break;
        }
    }
    let Some(end) = end else { return };
    let close = TokenWithSpan { token: Token::RParen, span: tokens[end].span };
    tokens.insert(end, close);
    let name = Word {
        value: SYMMETRIC.to_owned(),
        quote_style: Some('"'),
        keyword: datafusion::sql::sqlparser::keywords::Keyword::NoKeyword,
    };
    let span = tokens[at].span;
    tokens[at].token = Token::Word(name);
    tokens.insert(at + 1, TokenWithSpan { token: Token::LParen, span });
}
