//! Words that PostgreSQL's grammar has for types and for calls of a form of their own: behind them a
//! parenthesis doesn't begin the arguments of a function (`col_name_keyword` in `gram.y`).

use datafusion::sql::sqlparser::{
    ast::{Expr, TrimWhereField},
    dialect::Precedence,
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use super::{Parsed, Postgres, call};

/// Types that take no modifier, and words that name nothing which could be called.
const BARE: &[&str] = &[
    "bigint",
    "boolean",
    "inout",
    "int",
    "integer",
    "none",
    "out",
    "precision",
    "real",
    "setof",
    "smallint",
];
/// Types whose modifier is a number that is written out.
const SIZED: &[&str] =
    &["char", "character", "float", "interval", "nchar", "time", "timestamp", "varchar"];
/// Types whose modifiers are expressions.
const SCALED: &[&str] = &["bit", "dec", "decimal", "numeric"];

/// Whether a name that isn't quoted begins no call.
pub(crate) fn is_no_function(name: &str) -> bool {
    [BARE, SIZED, SCALED].iter().any(|words| words.iter().any(|w| w.eq_ignore_ascii_case(name)))
}

/// An expression that begins with such a word and a parenthesis; `None` for all others.
pub(super) fn parse(dialect: &Postgres, parser: &mut Parser) -> Option<Parsed> {
    let Token::Word(word) = &parser.peek_token_ref().token else { return None };
    let is_call = parser.peek_nth_token_ref(1).token == Token::LParen;
    // Behind a period it is the name of a function.
    if word.quote_style.is_some() || !is_call || parser.get_current_token().token == Token::Period {
        return None;
    }
    let name = word.value.to_ascii_lowercase();
    let is = |words: &[&str]| words.contains(&name.as_str());
    match name.as_str() {
        _ if is(BARE) => Some(unexpected(parser, 1)),
        _ if is(SIZED) => sized(parser, &name),
        _ if is(SCALED) => Some(scaled(parser)),
        "extract" => extract(parser),
        "trim" => Some(trim(parser)),
        "position" => Some(position(dialect, parser)),
        "normalize" => normalize(parser),
        _ => None,
    }
}

/// The error of the token `at` places ahead. The end of the text has no place, so the parser goes
/// there.
fn unexpected(parser: &mut Parser, at: usize) -> Parsed {
    for _ in 0..at {
        parser.advance_token();
    }
    parser.expected("something else", parser.peek_token())
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}

fn is_keyword(token: &Token, keywords: &[Keyword]) -> bool {
    matches!(token, Token::Word(word)
        if word.quote_style.is_none() && keywords.contains(&word.keyword))
}

/// `char(5) 'text'`
fn sized(parser: &mut Parser, name: &str) -> Option<Parsed> {
    let token = |at: usize| &parser.peek_nth_token_ref(at).token;
    let is_whole = |token: &Token| matches!(token, Token::Number(digits, _) if digits.bytes().all(|b| b.is_ascii_digit()));
    if !is_whole(token(2)) {
        return Some(unexpected(parser, 2));
    }
    if *token(3) != Token::RParen {
        return Some(unexpected(parser, 3));
    }
    let zoned = matches!(name, "time" | "timestamp")
        && is_keyword(token(4), &[Keyword::WITH, Keyword::WITHOUT]);
    (!zoned && !is_text(token(4))).then(|| unexpected(parser, 4))
}

/// `numeric(5, 2) 'text'`
fn scaled(parser: &mut Parser) -> Parsed {
    let start = parser.peek_token();
    parser.advance_token();
    parser.advance_token();
    let modifiers = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    if !is_text(&parser.peek_token_ref().token) {
        return unexpected(parser, 0);
    }
    let value = parser.parse_value()?;
    let shown: Vec<String> = modifiers.iter().map(Expr::to_string).collect();
    let text = format!("{}({})", start.token, shown.join(", "));
    let data_type = Parser::new(&super::POSTGRES).try_with_sql(&text)?.parse_data_type()?;
    Ok(Expr::TypedString(datafusion::sql::sqlparser::ast::TypedString {
        data_type,
        value,
        uses_odbc_syntax: false,
    }))
}

/// `extract(field FROM x)`
fn extract(parser: &mut Parser) -> Option<Parsed> {
    let field = &parser.peek_nth_token_ref(2).token;
    if !is_text(field) && !matches!(field, Token::Word(_)) {
        return Some(unexpected(parser, 2));
    }
    let is_from = is_keyword(&parser.peek_nth_token_ref(3).token, &[Keyword::FROM]);
    (!is_from).then(|| unexpected(parser, 3))
}

/// `trim([BOTH | LEADING | TRAILING] [[x] FROM] y, ...)`: what stands before FROM comes last.
fn trim(parser: &mut Parser) -> Parsed {
    parser.advance_token();
    parser.advance_token();
    let sides = [Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING];
    let trim_where = match parser.parse_one_of_keywords(&sides) {
        Some(Keyword::LEADING) => Some(TrimWhereField::Leading),
        Some(Keyword::TRAILING) => Some(TrimWhereField::Trailing),
        Some(_) => Some(TrimWhereField::Both),
        None => None,
    };
    let list = |parser: &mut Parser| parser.parse_comma_separated(Parser::parse_expr);
    let mut args = match parser.parse_keyword(Keyword::FROM) {
        true => list(parser)?,
        false => {
            let first = parser.parse_expr()?;
            let mut args = vec![first];
            if parser.parse_keyword(Keyword::FROM) {
                args.splice(0..0, list(parser)?);
            } else if parser.consume_token(&Token::Comma) {
                args.extend(list(parser)?);
            }
            args
        }
    };
    parser.expect_token(&Token::RParen)?;
    let expr = Box::new(args.remove(0));
    let trim_characters = (!args.is_empty()).then_some(args);
    Ok(Expr::Trim { expr, trim_where, trim_what: None, trim_characters })
}

/// `position(a IN b)`
fn position(dialect: &Postgres, parser: &mut Parser) -> Parsed {
    use datafusion::sql::sqlparser::dialect::Dialect;
    parser.advance_token();
    parser.advance_token();
    let needle = parser.parse_subexpr(dialect.prec_value(Precedence::Between))?;
    if !parser.parse_keyword(Keyword::IN) {
        return unexpected(parser, 0);
    }
    let text = parser.parse_subexpr(dialect.prec_value(Precedence::Between))?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Position { expr: Box::new(needle), r#in: Box::new(text) })
}

/// `normalize(x [, NFC])`
fn normalize(parser: &mut Parser) -> Option<Parsed> {
    let read = |parser: &mut Parser| -> Result<Expr, ParserError> {
        let name = parser.parse_object_name(false)?;
        parser.expect_token(&Token::LParen)?;
        let mut args = vec![parser.parse_expr()?];
        if parser.consume_token(&Token::Comma) {
            let is_form = matches!(&parser.peek_token_ref().token, Token::Word(word)
                if ["nfc", "nfd", "nfkc", "nfkd"].iter().any(|f| word.value.eq_ignore_ascii_case(f)));
            if !is_form {
                return unexpected(parser, 0);
            }
            args.push(Expr::Identifier(parser.parse_identifier()?));
        }
        parser.expect_token(&Token::RParen)?;
        Ok(call(name, args))
    };
    Some(read(parser))
}
