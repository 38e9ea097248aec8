//! PostgreSQL's operators as its grammar has them, where sqlparser's dialect reads them otherwise.
//!
//! From PostgreSQL's `gram.y`, weakest first: OR, AND, NOT, IS and its kin, comparisons, BETWEEN IN
//! LIKE, all other operators, `+ -`, `* / %`, `^`, AT TIME ZONE, COLLATE, signs, `[]`, `::`, `.`.
//! Comparisons, IS DISTINCT FROM, BETWEEN and LIKE don't associate; a prefix operator other than a sign binds
//! as weakly as any other operator.

mod patterns;
mod typewords;

use std::any::TypeId;

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
        FunctionArguments, ObjectName, UnaryOperator,
    },
    dialect::{Dialect, PostgreSqlDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, Word},
};

pub(crate) use patterns::SYMMETRIC;
pub(crate) use typewords::is_no_function;

/// sqlparser's PostgreSQL with the precedences of PostgreSQL.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Postgres(PostgreSqlDialect);

/// The dialect of everything that is parsed.
pub(crate) const POSTGRES: Postgres = Postgres(PostgreSqlDialect {});

type Parsed = std::result::Result<Expr, ParserError>;

/// Above COLLATE and below subscripts.
const SIGN: u8 = 125;

macro_rules! as_sqlparser {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            self.0.$name()
        })*
    };
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.0.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.0.is_custom_operator_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        self.0.is_reserved_for_identifier(keyword)
    }

    // A reserved word that the parser knows as one behind FROM only.
    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        *keyword != Keyword::FOR && self.0.is_column_alias(keyword, parser)
    }

    fn prec_value(&self, prec: Precedence) -> u8 {
        match prec {
            // The colon between the bounds of a slice is weaker than all operators.
            Precedence::Colon => 1,
            _ => self.0.prec_value(prec),
        }
    }

    as_sqlparser! {
        supports_unicode_string_literal supports_filter_during_aggregation supports_group_by_expr
        allow_extract_custom allow_extract_single_quotes supports_create_index_with_clause
        supports_explain_with_utility_options supports_listen_notify supports_factorial_operator
        supports_bitwise_shift_operators supports_comment_on supports_load_extension
        supports_named_fn_args_with_colon_operator supports_named_fn_args_with_expr_name
        supports_empty_projections supports_nested_comments supports_string_escape_constant
        supports_numeric_literal_underscores supports_array_typedef_with_brackets
        supports_geometric_types supports_set_names supports_alter_column_type_using
        supports_notnull_operator supports_interval_options supports_insert_table_alias
        supports_create_table_like_parenthesized supports_select_wildcard_with_alias
        supports_comma_separated_trim supports_xml_expressions supports_comment_optimizer_hint
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => {
                Some(Ok(self.prec_value(Precedence::PgOther)))
            }
            Token::Word(word) if word.keyword == Keyword::OPERATOR => {
                Some(Ok(self.prec_value(Precedence::PgOther)))
            }
            Token::Word(word) if is_isnull(word) => Some(Ok(self.prec_value(Precedence::Is))),
            _ => self.0.get_next_precedence(parser),
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Parsed> {
        let (op, precedence) = match &parser.peek_token_ref().token {
            Token::Plus => (UnaryOperator::Plus, SIGN),
            Token::Minus => (UnaryOperator::Minus, SIGN),
            Token::Tilde => (UnaryOperator::BitwiseNot, self.prec_value(Precedence::PgOther)),
            Token::AtSign => (UnaryOperator::PGAbs, self.prec_value(Precedence::PgOther)),
            Token::PGSquareRoot => {
                (UnaryOperator::PGSquareRoot, self.prec_value(Precedence::PgOther))
            }
            Token::PGCubeRoot => (UnaryOperator::PGCubeRoot, self.prec_value(Precedence::PgOther)),
            Token::Word(word) if word.keyword == Keyword::NOT && word.quote_style.is_none() => {
                (UnaryOperator::Not, self.prec_value(Precedence::UnaryNot))
            }
            Token::Word(word) if word.keyword == Keyword::VALUES => return rows(parser),
            Token::Word(word) if word.keyword == Keyword::GROUPING => {
                return grouping_sets(parser);
            }
            Token::Word(_) => return typewords::parse(self, parser),
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(precedence);
        Some(operand.map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Parsed> {
        if !associates(left, precedence, self) {
            let token = parser.peek_token();
            return Some(parser.expected("another operator", token));
        }
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        if is_isnull(word) {
            parser.advance_token();
            return Some(Ok(Expr::IsNull(Box::new(left.clone()))));
        }
        match word.keyword {
            Keyword::IS => self.distinct_from(parser, left),
            Keyword::COLLATE => {
                parser.advance_token();
                let collation = parser.parse_object_name(false);
                Some(
                    collation
                        .map(|collation| Expr::Collate { expr: Box::new(left.clone()), collation }),
                )
            }
            Keyword::IN => in_list(parser, left, 1, false),
            Keyword::NOT => {
                in_list(parser, left, 2, true).or_else(|| patterns::parse(self, parser, left))
            }
            _ => patterns::parse(self, parser, left),
        }
    }
}

impl Postgres {
    /// `IS [NOT] DISTINCT FROM right`: what binds more weakly doesn't belong to the right side.
    fn distinct_from(&self, parser: &mut Parser, left: &Expr) -> Option<Parsed> {
        let keyword = |place: usize| match &parser.peek_nth_token_ref(place).token {
            Token::Word(word) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        let negated = keyword(1) == Keyword::NOT;
        let after = usize::from(negated) + 1;
        if keyword(after) != Keyword::DISTINCT || keyword(after + 1) != Keyword::FROM {
            return None;
        }
        for _ in 0..after + 2 {
            parser.advance_token();
        }
        let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
        Some(right.map(|right| {
            let (left, right) = (Box::new(left.clone()), Box::new(right));
            match negated {
                true => Expr::IsNotDistinctFrom(left, right),
                false => Expr::IsDistinctFrom(left, right),
            }
        }))
    }
}

/// `(VALUES (1), (2))` where an expression is due. The parenthesis has been read.
fn rows(parser: &mut Parser) -> Option<Parsed> {
    if parser.get_current_token().token != Token::LParen {
        return None;
    }
    Some(parser.parse_query().map(Expr::Subquery))
}

/// `GROUPING SETS (...)` inside another.
fn grouping_sets(parser: &mut Parser) -> Option<Parsed> {
    if !parser.parse_keywords(&[Keyword::GROUPING, Keyword::SETS]) {
        return None;
    }
    let set = |parser: &mut Parser| {
        if !parser.consume_token(&Token::LParen) {
            return Ok(vec![parser.parse_expr()?]);
        }
        let list = match parser.peek_token_ref().token {
            Token::RParen => Vec::new(),
            _ => parser.parse_comma_separated(Parser::parse_expr)?,
        };
        parser.expect_token(&Token::RParen)?;
        Ok(list)
    };
    let sets = parser.expect_token(&Token::LParen).and_then(|_| {
        let sets = parser.parse_comma_separated(set)?;
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::GroupingSets(sets))
    });
    Some(sets)
}

fn call(name: ObjectName, args: Vec<Expr>) -> Expr {
    let arg = |arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg));
    Expr::Function(Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(arg).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `[NOT] IN ((SELECT 1), 2)` is a list, which sqlparser takes for a subquery. `at`: the parenthesis.
fn in_list(parser: &mut Parser, left: &Expr, at: usize, negated: bool) -> Option<Parsed> {
    let is_parenthesis = |place: usize| parser.peek_nth_token_ref(place).token == Token::LParen;
    let is_in = match &parser.peek_nth_token_ref(at - 1).token {
        Token::Word(word) => word.keyword == Keyword::IN,
        _ => false,
    };
    if !is_in || !is_parenthesis(at) || !is_parenthesis(at + 1) || !goes_on(parser) {
        return None;
    }
    for _ in 0..=at {
        parser.advance_token();
    }
    let list = parser.parse_comma_separated(Parser::parse_expr).and_then(|list| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::InList { expr: Box::new(left.clone()), list, negated })
    });
    Some(list)
}

/// Whether a comma follows what stands in the second of the next parentheses. Leaves the parser
/// where it was.
fn goes_on(parser: &mut Parser) -> bool {
    let (mut depth, mut is_closed, mut read) = (0_usize, false, 0_usize);
    let goes_on = loop {
        match &parser.peek_token_ref().token {
            Token::Comma if is_closed => break true,
            Token::EOF => break false,
            _ if is_closed => break false,
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                is_closed = depth == 1;
            }
            _ => {}
        }
        parser.advance_token();
        read += 1;
    };
    for _ in 0..read {
        parser.prev_token();
    }
    goes_on
}

fn is_isnull(word: &Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("isnull")
}

/// Whether an operator of this precedence may have `left`, without parentheses, on its left.
fn associates(left: &Expr, precedence: u8, dialect: &Postgres) -> bool {
    let level = |wanted: Precedence| dialect.prec_value(wanted) == precedence;
    match left {
        Expr::BinaryOp { op, .. } => !(level(Precedence::Eq) && is_comparison(op)),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => !level(Precedence::Is),
        Expr::Between { .. } | Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } => {
            !level(Precedence::Between)
        }
        _ => true,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}
