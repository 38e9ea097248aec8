//! LIKE, SIMILAR TO and BETWEEN as PostgreSQL has them: any expression behind ESCAPE, and SYMMETRIC.

use datafusion::sql::sqlparser::{
    ast::{BinaryOperator, Expr, Ident, ObjectName, Value, ValueWithSpan},
    dialect::{Dialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use super::{Parsed, Postgres, call};

/// The name of the function whose argument is the lower bound of `BETWEEN SYMMETRIC`, written as
/// the words are: no text has an identifier with a space that isn't quoted.
pub(crate) const SYMMETRIC: &str = "SYMMETRIC ";

/// An operator of these kinds behind `left`; `None` for others.
pub(super) fn parse(dialect: &Postgres, parser: &mut Parser, left: &Expr) -> Option<Parsed> {
    let keyword = |at: usize| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let negated = keyword(0) == Keyword::NOT;
    let at = usize::from(negated);
    let quantifiers = [Keyword::ANY, Keyword::ALL, Keyword::SOME];
    match keyword(at) {
        Keyword::LIKE | Keyword::ILIKE if !quantifiers.contains(&keyword(at + 1)) => {
            skip(parser, at);
            Some(like(dialect, parser, left, negated))
        }
        Keyword::SIMILAR if keyword(at + 1) == Keyword::TO => {
            skip(parser, at + 2);
            Some(similar(dialect, parser, left, negated))
        }
        Keyword::BETWEEN => {
            skip(parser, at + 1);
            Some(between(dialect, parser, left, negated))
        }
        _ => None,
    }
}

fn skip(parser: &mut Parser, tokens: usize) {
    for _ in 0..tokens {
        parser.advance_token();
    }
}

fn operand(dialect: &Postgres, parser: &mut Parser) -> Parsed {
    parser.parse_subexpr(dialect.prec_value(Precedence::Between))
}

/// What stands behind ESCAPE.
fn escape(dialect: &Postgres, parser: &mut Parser) -> Result<Option<Expr>, ParserError> {
    match parser.parse_keyword(Keyword::ESCAPE) {
        true => operand(dialect, parser).map(Some),
        false => Ok(None),
    }
}

/// A character that is written out, and anything else.
fn literal(escape: Option<Expr>) -> (Option<ValueWithSpan>, Option<Expr>) {
    match escape {
        Some(Expr::Value(value)) if !matches!(value.value, Value::Placeholder(_)) => {
            (Some(value), None)
        }
        other => (None, other),
    }
}

fn like(dialect: &Postgres, parser: &mut Parser, left: &Expr, negated: bool) -> Parsed {
    let is_like = parser.parse_keyword(Keyword::LIKE);
    if !is_like {
        parser.expect_keyword_is(Keyword::ILIKE)?;
    }
    let pattern = operand(dialect, parser)?;
    let (escape_char, computed) = literal(escape(dialect, parser)?);
    let pattern = match computed {
        Some(escape) => call(of_catalog("like_escape"), vec![pattern, escape]),
        None => pattern,
    };
    let (expr, pattern) = (Box::new(left.clone()), Box::new(pattern));
    Ok(match is_like {
        true => Expr::Like { negated, any: false, expr, pattern, escape_char },
        false => Expr::ILike { negated, any: false, expr, pattern, escape_char },
    })
}

fn similar(dialect: &Postgres, parser: &mut Parser, left: &Expr, negated: bool) -> Parsed {
    let pattern = operand(dialect, parser)?;
    let (escape_char, computed) = literal(escape(dialect, parser)?);
    let expr = Box::new(left.clone());
    let Some(escape) = computed else {
        return Ok(Expr::SimilarTo { negated, expr, pattern: Box::new(pattern), escape_char });
    };
    let pattern = call(of_catalog("similar_to_escape"), vec![pattern, escape]);
    let op = match negated {
        true => BinaryOperator::PGRegexNotMatch,
        false => BinaryOperator::PGRegexMatch,
    };
    Ok(Expr::BinaryOp { left: expr, op, right: Box::new(pattern) })
}

fn between(dialect: &Postgres, parser: &mut Parser, left: &Expr, negated: bool) -> Parsed {
    let symmetric = parser.parse_keyword(Keyword::SYMMETRIC);
    if !symmetric {
        // What BETWEEN means anyway.
        let _ = parser.parse_keyword(Keyword::ASYMMETRIC);
    }
    let low = operand(dialect, parser)?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = operand(dialect, parser)?;
    let low = match symmetric {
        true => call(ObjectName::from(vec![Ident::new(SYMMETRIC)]), vec![low]),
        false => low,
    };
    let [expr, low, high] = [left.clone(), low, high].map(Box::new);
    Ok(Expr::Between { expr, negated, low, high })
}

fn of_catalog(function: &str) -> ObjectName {
    ObjectName::from(vec![Ident::new("pg_catalog"), Ident::new(function)])
}
