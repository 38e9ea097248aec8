//! Tokens in the place of those that sqlparser doesn't know.
//!
//! PostgreSQL has forms that sqlparser reads otherwise or not at all. Where another form says the
//! same, its tokens take their place (with the same location, so that errors point into the text
//! that was sent); where none does, a word quoted in a way that no text can quote it carries the
//! meaning through the parser to the analysis.
//!
//! * `TABLE t` => `SELECT * FROM t`
//! * `OVERRIDING SYSTEM VALUE` => `PARTITION (<system>)`, which an INSERT of PostgreSQL can't have
//! * `WHERE CURRENT OF c` => `WHERE <c>`
//! * `ON CONFLICT (a, lower(b)) WHERE c` => `ON CONFLICT (a, <lower(b)>, <where c>)`
//! * `FOR NO KEY UPDATE OF a, b NOWAIT` => `FOR UPDATE OF <no key update>.a NOWAIT FOR UPDATE OF
//!   <no key update>.b NOWAIT`
//! * `FOR UPDATE LIMIT 1` => `LIMIT 1 FOR UPDATE`
//! * `ORDER BY a USING >` => `ORDER BY a DESC`
//! * `GROUP BY DISTINCT a` => `GROUP BY <distinct>, a`, and `GROUP BY ALL a` => `GROUP BY a`
//! * `RANGE '1 day' PRECEDING` => `RANGE ('1 day') PRECEDING`
//! * `FETCH FIRST (a + 1) ROWS ONLY` => `LIMIT (a + 1)`, and with ties `LIMIT (a + 1) FETCH FIRST N''
//!   ROWS WITH TIES`
//! * `interval(2) '1.25'` => `'1.25'::interval(2)`

use datafusion::sql::sqlparser::{
    ast,
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

/// PostgreSQL's tokenizer takes no backquote, so no text makes such a word.
const MARK: char = '`';

/// The cursor of `WHERE CURRENT OF`, if the condition is one.
pub(crate) fn current_of(condition: &ast::Expr) -> Option<&str> {
    match condition {
        ast::Expr::Identifier(ident) => marked(ident),
        _ => None,
    }
}

/// What `OVERRIDING ... VALUE` overrides: `system` or `user`.
pub(crate) fn overriding(insert: &ast::Insert) -> Option<&str> {
    match insert.partitioned.as_deref() {
        Some([ast::Expr::Identifier(ident)]) => marked(ident),
        _ => None,
    }
}

/// What `ON CONFLICT` lists beside columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictPart<'t> {
    Expression(&'t str),
    /// The WHERE behind the list.
    Condition(&'t str),
}

/// What a name in `ON CONFLICT (...)` is when it isn't a column's.
pub(crate) fn conflict_target(ident: &ast::Ident) -> Option<ConflictPart<'_>> {
    let text = marked(ident)?;
    Some(match text.strip_prefix(CONDITION) {
        Some(condition) => ConflictPart::Condition(condition),
        None => ConflictPart::Expression(text),
    })
}

/// Begins the text of a marked word that is a condition.
const CONDITION: &str = "where ";

/// The strength that a locking clause has when it isn't what the parser read, and the table it
/// names.
pub(crate) fn lock_of(clause: &ast::LockClause) -> (Option<&str>, Option<&ast::Ident>) {
    let parts = clause.of.as_ref().map_or(&[][..], |name| name.0.as_slice());
    let parts: Vec<&ast::Ident> = parts.iter().filter_map(|part| part.as_ident()).collect();
    match parts.as_slice() {
        [first, rest @ ..] if marked(first).is_some() => (marked(first), rest.last().copied()),
        all => (None, all.last().copied()),
    }
}

/// Whether the first item of GROUP BY says that equal grouping sets count once.
pub(crate) fn is_distinct_mark(item: &ast::Expr) -> bool {
    matches!(item, ast::Expr::Identifier(ident) if marked(ident) == Some(DISTINCT))
}

const DISTINCT: &str = "distinct";

fn marked(ident: &ast::Ident) -> Option<&str> {
    (ident.quote_style == Some(MARK)).then_some(ident.value.as_str())
}

/// The tokens of one statement in the parser's words.
pub(super) fn for_parser(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let solid: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let solid = limits_first(&solid);
    let mut written = Writer { tokens: Vec::with_capacity(solid.len() + 8) };
    let mut at = 0;
    while at < solid.len() {
        let token = solid[at];
        at += if is_table_command(&solid, at) {
            written.select_all_from(token);
            1
        } else if let Some(kind) = overridden(&solid, at) {
            written.overriding(token, solid[at - 1], at >= 2 && is(solid[at - 2], "as"), kind);
            3
        } else if let Some(length) = conflict(&solid, at, &mut written) {
            length
        } else if let Some(lock) = Lock::read(&solid, at) {
            written.lock(token, &lock);
            lock.length
        } else if let Some(cursor) = positioned(&solid, at) {
            written.push(token, marked_word(cursor));
            3
        } else if let Some(length) = fetch(&solid, at, &mut written) {
            length
        } else if let Some(length) = expression_form(&solid, at, &mut written) {
            length
        } else {
            written.tokens.push(token.clone());
            1
        };
    }
    written.tokens.extend(tokens.last().filter(|token| token.token == Token::EOF).cloned());
    written.tokens
}

/// The tokens of a query or an expression in a definition, whose tree is written out as text: what
/// takes the place of others is something that can be read again.
pub(super) fn for_definition(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let solid: Vec<&TokenWithSpan> = tokens.iter().collect();
    let mut written = Writer { tokens: Vec::with_capacity(solid.len() + 8) };
    let mut at = 0;
    while at < solid.len() {
        let is_marked = is(solid[at], "distinct");
        at += if let Some(length) = fetch(&solid, at, &mut written) {
            length
        } else if !is_marked && let Some(length) = expression_form(&solid, at, &mut written) {
            length
        } else {
            written.tokens.push(solid[at].clone());
            1
        };
    }
    written.tokens
}

/// PostgreSQL takes locking clauses and limits in either order, the parser only limits first.
fn limits_first<'t>(solid: &[&'t TokenWithSpan]) -> Vec<&'t TokenWithSpan> {
    let mut ordered = Vec::with_capacity(solid.len());
    let mut at = 0;
    while at < solid.len() {
        let mut end = at;
        while let Some(lock) = Lock::find(solid, end) {
            end += lock.length;
        }
        let rest = &solid[end..];
        let begins = |token: &&TokenWithSpan| {
            ["limit", "offset", "fetch"].iter().any(|word| is(token, word))
        };
        if end > at && rest.first().is_some_and(begins) {
            let ends = |token: &TokenWithSpan| {
                token.token == Token::RParen
                    || ["for", "on", "returning"].iter().any(|word| is(token, word))
            };
            let (limits, length) = until(rest, ends).unwrap_or((rest, rest.len()));
            ordered.extend(limits);
            ordered.extend(&solid[at..end]);
            at = end + length;
        } else {
            end = end.max(at + 1);
            ordered.extend(&solid[at..end]);
            at = end;
        }
    }
    ordered
}

fn is(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(w)
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// TABLE is a reserved word: but for an alias or the part of a name it begins a query.
fn is_table_command(solid: &[&TokenWithSpan], at: usize) -> bool {
    let is_name = at > 0 && (is(solid[at - 1], "as") || solid[at - 1].token == Token::Period);
    let names = solid.get(at + 1).is_some_and(|next| matches!(next.token, Token::Word(_)));
    is(solid[at], "table") && !is_name && names
}

/// `OVERRIDING { SYSTEM | USER } VALUE` behind a target.
fn overridden(solid: &[&TokenWithSpan], at: usize) -> Option<&'static str> {
    let [first, kind, value, next, ..] = &solid[at..] else { return None };
    let begins = |token: &TokenWithSpan| {
        token.token == Token::LParen
            || ["values", "select", "with", "table"].iter().any(|word| is(token, word))
    };
    if at < 3 || !is(first, "overriding") || !is(value, "value") || !begins(next) {
        return None;
    }
    ["system", "user"].into_iter().find(|word| is(kind, word))
}

/// The cursor's name in `WHERE CURRENT OF c`.
fn positioned(solid: &[&TokenWithSpan], at: usize) -> Option<String> {
    let [current, of, cursor, rest @ ..] = &solid[at..] else { return None };
    let alone = rest.first().is_none_or(|next| {
        is(next, "returning") || matches!(next.token, Token::RParen | Token::SemiColon)
    });
    let after_where = at > 0 && is(solid[at - 1], "where");
    if !after_where || !alone || !is(current, "current") || !is(of, "of") {
        return None;
    }
    match &cursor.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}

/// Forms of ORDER BY, GROUP BY and of values. Returns how many tokens were read.
fn expression_form(solid: &[&TokenWithSpan], at: usize, written: &mut Writer) -> Option<usize> {
    let here = solid[at];
    let next = solid.get(at + 1)?;
    if is(here, "using") {
        let direction = match next.token {
            Token::Lt => "ASC",
            Token::Gt => "DESC",
            _ => return None,
        };
        written.push(here, Token::make_keyword(direction));
        return Some(2);
    }
    if at >= 2 && is(solid[at - 1], "by") && is(solid[at - 2], "group") {
        return grouping_quantifier(here, next, written);
    }
    match (&here.token, &next.token) {
        (Token::SingleQuotedString(_), _) => frame_offset(solid, at, written),
        (Token::Word(_), Token::LParen) if is(here, "interval") => {
            let [_, open, digits, close, value, ..] = &solid[at..] else { return None };
            let is_precision = matches!(digits.token, Token::Number(..));
            let is_value = matches!(value.token, Token::SingleQuotedString(_));
            if !is_precision || !is_value || close.token != Token::RParen {
                return None;
            }
            written.tokens.push((*value).clone());
            written.push(here, Token::DoubleColon);
            written.tokens.extend([here, open, digits, close].map(|token| (*token).clone()));
            Some(5)
        }
        _ => None,
    }
}

/// `DISTINCT` or `ALL` behind GROUP BY.
fn grouping_quantifier(
    here: &TokenWithSpan,
    next: &TokenWithSpan,
    written: &mut Writer,
) -> Option<usize> {
    let has_list = matches!(next.token, Token::Word(_) | Token::LParen | Token::Number(..));
    if is(here, "distinct") {
        written.push(here, marked_word(DISTINCT.to_owned()));
        written.push(here, Token::Comma);
        return Some(1);
    }
    (is(here, "all") && has_list).then_some(1)
}

/// `FETCH FIRST n ROWS` whose count is more than a number. Returns how many tokens were read.
fn fetch(solid: &[&TokenWithSpan], at: usize, written: &mut Writer) -> Option<usize> {
    let [fetch, first, rest @ ..] = &solid[at..] else { return None };
    if !is(fetch, "fetch") || !(is(first, "first") || is(first, "next")) {
        return None;
    }
    let (count, length) = until(rest, |token| is(token, "row") || is(token, "rows"))?;
    let is_more = match count {
        [sign, _] => matches!(sign.token, Token::Plus | Token::Minus),
        [open, .., close] => open.token == Token::LParen && close.token == Token::RParen,
        _ => false,
    };
    let end = rest.get(length + 1).filter(|_| is_more)?;
    written.push(fetch, Token::make_keyword("LIMIT"));
    written.tokens.extend(count.iter().map(|token| (*token).clone()));
    if is(end, "only") {
        return Some(length + 4);
    }
    written.push(fetch, Token::make_keyword("FETCH"));
    written.push(fetch, Token::make_keyword("FIRST"));
    written.push(fetch, Token::NationalStringLiteral(String::new()));
    Some(length + 2)
}

/// Whether the count of a FETCH is that of the LIMIT before it.
pub(crate) fn is_counted_before(count: &ast::Expr) -> bool {
    matches!(count, ast::Expr::Value(value)
        if value.value == ast::Value::NationalStringLiteral(String::new()))
}

fn is_known_collation(token: &TokenWithSpan) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_some()
        && matches!(word.value.as_str(), "C" | "POSIX" | "default" | "ucs_basic"))
}

/// A string as the offset of a window frame, with a cast or without: the parser takes it for an
/// interval.
fn frame_offset(solid: &[&TokenWithSpan], at: usize, written: &mut Writer) -> Option<usize> {
    let begins = ["between", "and", "rows", "range", "groups"];
    if at == 0 || !begins.iter().any(|word| is(solid[at - 1], word)) {
        return None;
    }
    let ends = |token: &TokenWithSpan| is(token, "preceding") || is(token, "following");
    let (offset, length) = until(&solid[at..], ends)?;
    let is_part = |token: &TokenWithSpan| {
        matches!(token.token, Token::Word(_) | Token::LParen | Token::RParen | Token::Number(..))
            && !is(token, "and")
    };
    let is_cast = match offset {
        [_] => true,
        [_, colons, ty @ ..] => {
            colons.token == Token::DoubleColon && ty.iter().all(|token| is_part(token))
        }
        [] => false,
    };
    if !is_cast {
        return None;
    }
    written.push(offset[0], Token::LParen);
    written.tokens.extend(offset.iter().map(|token| (*token).clone()));
    written.push(offset[0], Token::RParen);
    Some(length)
}

/// `ON CONFLICT (...) [WHERE ...]` whose list has more than names in it. Returns how many tokens
/// were read.
fn conflict(solid: &[&TokenWithSpan], at: usize, written: &mut Writer) -> Option<usize> {
    let [on, conflict, open, rest @ ..] = &solid[at..] else { return None };
    if !is(on, "on") || !is(conflict, "conflict") || open.token != Token::LParen {
        return None;
    }
    let (list, close) = until(rest, |token| token.token == Token::RParen)?;
    let after = &rest[close + 1..];
    let condition = match after.first().is_some_and(|next| is(next, "where")) {
        true => Some(until(&after[1..], |token| is(token, "do"))?),
        false => None,
    };
    let mut parts: Vec<Token> = Vec::new();
    let mut rest_of_list = list;
    while !rest_of_list.is_empty() {
        let end = until(rest_of_list, |token| token.token == Token::Comma);
        let (part, length) = end.unwrap_or((rest_of_list, rest_of_list.len()));
        parts.push(match part {
            [single] => single.token.clone(),
            // An operator class or collation is the default one, or nothing here.
            [name, word] if matches!(word.token, Token::Word(_)) => name.token.clone(),
            [name, collate, collation, class @ ..]
                if is(collate, "collate") && is_known_collation(collation) && class.len() < 2 =>
            {
                name.token.clone()
            }
            several => marked_word(text_of(several)),
        });
        rest_of_list = rest_of_list.get(length + 1..).unwrap_or_default();
    }
    let is_read = |token: &&TokenWithSpan| {
        matches!(token.token, Token::Word(_) | Token::Comma) && !is(token, "collate")
    };
    if condition.is_none() && list.iter().all(is_read) {
        return None;
    }
    let length = match condition {
        Some((condition, end)) => {
            parts.push(marked_word(format!("{CONDITION}{}", text_of(condition))));
            3 + close + 2 + end
        }
        None => 3 + close + 1,
    };
    written.push(on, on.token.clone());
    written.push(conflict, conflict.token.clone());
    written.push(open, Token::LParen);
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            written.push(open, Token::Comma);
        }
        written.push(open, part);
    }
    written.push(open, Token::RParen);
    Some(length)
}

/// The tokens before the first that `ends` outside of parentheses, and its place.
fn until<'s, 't>(
    tokens: &'s [&'t TokenWithSpan],
    ends: impl Fn(&TokenWithSpan) -> bool,
) -> Option<(&'s [&'t TokenWithSpan], usize)> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if depth == 0 && ends(token) {
            return Some((&tokens[..at], at));
        }
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn text_of(tokens: &[&TokenWithSpan]) -> String {
    let words: Vec<String> = tokens.iter().map(|token| token.token.to_string()).collect();
    words.join(" ")
}

/// A locking clause that the parser doesn't read.
struct Lock<'t> {
    strength: &'static str,
    tables: Vec<&'t Token>,
    wait: Vec<&'static str>,
    /// In tokens.
    length: usize,
}

impl<'t> Lock<'t> {
    const STRENGTHS: &'static [&'static [&'static str]] =
        &[&["update"], &["share"], &["no", "key", "update"], &["key", "share"]];

    /// A locking clause, unless the parser reads it right.
    fn read(solid: &[&'t TokenWithSpan], at: usize) -> Option<Self> {
        let is_read =
            |lock: &Self| matches!(lock.strength, "update" | "share") && lock.tables.len() < 2;
        Self::find(solid, at).filter(|lock| !is_read(lock))
    }

    /// `FOR <strength> [OF a, b] [NOWAIT | SKIP LOCKED]`.
    fn find(solid: &[&'t TokenWithSpan], at: usize) -> Option<Self> {
        if !solid.get(at).is_some_and(|token| is(token, "for")) {
            return None;
        }
        let starts = |from: usize, words: &[&str]| {
            words.iter().enumerate().all(|(i, w)| solid.get(from + i).is_some_and(|t| is(t, w)))
        };
        let words = Self::STRENGTHS.iter().find(|words| starts(at + 1, words))?;
        let mut end = at + 1 + words.len();
        let mut tables = Vec::new();
        if starts(end, &["of"]) {
            loop {
                end += 1;
                let Token::Word(_) = &solid.get(end)?.token else { return None };
                tables.push(&solid[end].token);
                end += 1;
                if solid.get(end).is_none_or(|next| next.token != Token::Comma) {
                    break;
                }
            }
        }
        let wait = if starts(end, &["nowait"]) {
            vec!["NOWAIT"]
        } else if starts(end, &["skip", "locked"]) {
            vec!["SKIP", "LOCKED"]
        } else {
            Vec::new()
        };
        end += wait.len();
        let strength = match words.len() {
            1 => words[0],
            2 => "key share",
            _ => "no key update",
        };
        Some(Lock { strength, tables, wait, length: end - at })
    }
}

fn marked_word(value: String) -> Token {
    Token::Word(Word { value, quote_style: Some(MARK), keyword: Keyword::NoKeyword })
}

struct Writer {
    tokens: Vec<TokenWithSpan>,
}

impl Writer {
    fn push(&mut self, like: &TokenWithSpan, token: Token) {
        self.tokens.push(TokenWithSpan { token, span: like.span });
    }

    fn select_all_from(&mut self, like: &TokenWithSpan) {
        self.push(like, Token::make_keyword("SELECT"));
        self.push(like, Token::Mul);
        self.push(like, Token::make_keyword("FROM"));
    }

    fn lock(&mut self, like: &TokenWithSpan, lock: &Lock<'_>) {
        let tables: Vec<Option<&Token>> = match lock.tables.is_empty() {
            true => vec![None],
            false => lock.tables.iter().copied().map(Some).collect(),
        };
        let is_share = lock.strength.ends_with("share");
        for table in tables {
            self.push(like, Token::make_keyword("FOR"));
            self.push(like, Token::make_keyword(if is_share { "SHARE" } else { "UPDATE" }));
            self.push(like, Token::make_keyword("OF"));
            self.push(like, marked_word(lock.strength.to_owned()));
            if let Some(table) = table {
                self.push(like, Token::Period);
                self.push(like, table.clone());
            }
            for word in &lock.wait {
                self.push(like, Token::make_keyword(word));
            }
        }
    }

    /// Directly behind the table's name the parser would take PARTITION for an alias, so the name
    /// becomes its own.
    fn overriding(
        &mut self,
        like: &TokenWithSpan,
        before: &TokenWithSpan,
        is_alias: bool,
        kind: &str,
    ) {
        if matches!(before.token, Token::Word(_)) && !is_alias {
            self.push(like, Token::make_keyword("AS"));
            self.push(like, before.token.clone());
        }
        self.push(like, Token::make_keyword("PARTITION"));
        self.push(like, Token::LParen);
        self.push(like, marked_word(kind.to_owned()));
        self.push(like, Token::RParen);
    }
}
