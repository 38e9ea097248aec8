//! `INSERT ... VALUES` with many rows of literals, made one row of parameters.
//!
//! Such a text is as long as its data. Parsing and planning it row by row costs more than storing
//! the rows, so the rows are only read here, and the statement is planned as if it had one.

use super::{Kind, Lexer, Literal, Template, Token};
use crate::{
    statement::{MAX_STATEMENT_BYTES, budget::MAX_TOKENS},
    types::Oid,
};

/// `None`: it isn't such a statement, or its rows differ in more than their values.
pub(super) fn of(sql: &str) -> Option<Template> {
    // What is too long for the parser is too long, however plain it is.
    if sql.len() > MAX_STATEMENT_BYTES {
        return None;
    }
    let mut lexer = Lexer { sql, at: 0 };
    if !lexer.next()?.is(sql, "insert") {
        return None;
    }
    let values = find_values(&mut lexer)?;
    let mut literals = Vec::new();
    let mut types: Vec<Option<Oid>> = Vec::new();
    let mut rows = 0;
    let end = loop {
        if lexer.next()?.kind != Kind::Open {
            return None;
        }
        let begun = literals.len();
        loop {
            let (literal, next) = value(&mut lexer)?;
            literals.push(literal);
            match next.kind {
                Kind::Comma => {}
                Kind::Close => break,
                _ => return None,
            }
        }
        let row = &mut literals[begun..];
        if rows == 0 {
            types = vec![None; row.len()];
        }
        unify(&mut types, row)?;
        rows += 1;
        // Each literal has a comma or a parenthesis behind it.
        if 2 * literals.len() + 2 * rows > MAX_TOKENS {
            return None;
        }
        let end = lexer.at;
        if lexer.next()?.kind != Kind::Comma {
            lexer.at = end;
            break end;
        }
    };
    if rows < 2 || !is_plain(&mut lexer)? {
        return None;
    }
    for row in literals.chunks_mut(types.len()) {
        row.iter_mut().zip(&types).for_each(|(literal, ty)| literal.ty = ty.unwrap_or(Oid(0)));
    }
    let parameters: Vec<_> = (1..=types.len()).map(|place| format!("${place}")).collect();
    let text = format!("{} ({}){}", &sql[..values], parameters.join(", "), &sql[end..]);
    Some(Template { text, literals, rows })
}

/// Where the word VALUES ends. No literal stands before it.
fn find_values(lexer: &mut Lexer<'_>) -> Option<usize> {
    loop {
        let token = lexer.next()?;
        match token.kind {
            Kind::Word if token.is(lexer.sql, "values") => return Some(token.end),
            Kind::Word if token.is(lexer.sql, "select") || token.is(lexer.sql, "with") => {
                return None;
            }
            Kind::Word | Kind::QuotedName | Kind::Open | Kind::Close | Kind::Comma => {}
            Kind::Other if token.text(lexer.sql) == "." => {}
            _ => return None,
        }
    }
}

/// A literal of a row, and the token behind it.
fn value(lexer: &mut Lexer<'_>) -> Option<(Literal, Token)> {
    let sql = lexer.sql;
    let token = lexer.next()?;
    let literal = match token.kind {
        Kind::Number { integer } => Literal::number(token.text(sql), integer, ""),
        Kind::Operator if token.text(sql) == "-" => {
            let number = lexer.next()?;
            let Kind::Number { integer } = number.kind else { return None };
            Literal::number(number.text(sql), integer, "-")
        }
        Kind::String => Literal::string(token.text(sql)),
        Kind::Word if token.is(sql, "null") => Literal { ty: Oid(0), value: None },
        Kind::Word if token.is(sql, "true") || token.is(sql, "false") => {
            Literal { ty: Oid::BOOL, value: Some(token.text(sql).to_owned()) }
        }
        _ => return None,
    };
    Some((literal, lexer.next()?))
}

/// The types of the columns so far, with those of one more row. Each value of VALUES is converted
/// by itself to the type of its column, for which numbers of different width mean the same.
fn unify(types: &mut [Option<Oid>], row: &[Literal]) -> Option<()> {
    const NUMBERS: [Oid; 3] = [Oid::INT4, Oid::INT8, Oid::NUMERIC];
    let width = |ty: Oid| NUMBERS.iter().position(|number| *number == ty);
    if types.len() != row.len() {
        return None;
    }
    for (ty, literal) in types.iter_mut().zip(row) {
        if literal.value.is_none() {
            continue;
        }
        let known = ty.get_or_insert(literal.ty);
        match (width(*known), width(literal.ty)) {
            (Some(before), Some(now)) => *known = NUMBERS[before.max(now)],
            _ if *known == literal.ty => {}
            _ => return None,
        }
    }
    Some(())
}

/// Whether the rest of the statement has no literal and nothing follows it.
fn is_plain(lexer: &mut Lexer<'_>) -> Option<bool> {
    let mut ended = false;
    loop {
        let token = lexer.next()?;
        match token.kind {
            Kind::End => return Some(true),
            _ if ended => return Some(false),
            Kind::Number { .. } | Kind::String => return Some(false),
            Kind::Other if token.text(lexer.sql) == ";" => ended = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &Template) -> Vec<Option<&str>> {
        template.literals.iter().map(|literal| literal.value.as_deref()).collect()
    }

    #[test]
    fn rows_become_one_of_parameters() {
        let template = of("INSERT INTO \"T\".t (a, b) VALUES (1, 'x'), (-3000000000, NULL),\n\
                           (2.5, 'it''s') ON CONFLICT DO NOTHING;")
        .unwrap();
        assert_eq!(
            template.text,
            "INSERT INTO \"T\".t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING;"
        );
        assert_eq!(template.rows, 3);
        let found = values(&template);
        let wanted = [Some("1"), Some("x"), Some("-3000000000"), None, Some("2.5"), Some("it's")];
        assert_eq!(found, wanted);
        let types: Vec<_> = template.literals.iter().map(|literal| literal.ty).collect();
        assert_eq!(types, [Oid::NUMERIC, Oid(0)].repeat(3));
    }

    #[test]
    fn no_more_rows_than_the_parser_would_take() {
        let rows = |count| format!("INSERT INTO t VALUES {}", vec!["(1)"; count].join(","));
        assert_eq!(of(&rows(400_000)).map(|template| template.rows), Some(400_000));
        assert_eq!(of(&rows(700_000)).map(|template| template.rows), None);
    }

    #[test]
    fn whatever_else_is_left_alone() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES (1), (1, 2)",
            "INSERT INTO t VALUES (1), ('1')",
            "INSERT INTO t VALUES (true), (1)",
            "INSERT INTO t VALUES (1), (DEFAULT)",
            "INSERT INTO t VALUES (1), (now())",
            "INSERT INTO t VALUES (1), (1 + 1)",
            "INSERT INTO t VALUES ('1'::text), ('2')",
            "INSERT INTO t VALUES (1), ($1)",
            "INSERT INTO t VALUES (1), (2) RETURNING id + 1",
            "INSERT INTO t VALUES (1), (2); SELECT",
            "INSERT INTO t VALUES (1), (2), ",
            "INSERT INTO t VALUES (1), (2) -- c",
            "INSERT INTO t SELECT * FROM (VALUES (1), (2)) x",
            "INSERT INTO t VALUES (), ()",
            "SELECT 1",
        ] {
            assert_eq!(of(sql).map(|template| template.text), None, "{sql}");
        }
    }
}
