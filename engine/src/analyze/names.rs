//! Names: folding of identifiers, names of result columns, places in the text.

use datafusion::sql::sqlparser::{
    ast::{self, Spanned},
    tokenizer::{Location, Span},
};

use super::typename::resolve_type;
use crate::{
    error::{Error, Result},
    types::builtin,
};

/// PostgreSQL's NAMEDATALEN less the terminating zero.
pub(crate) const MAX_NAME_BYTES: usize = 63;

/// The name an identifier stands for: lower case unless quoted, cut to 63 bytes.
pub(super) fn fold(ident: &ast::Ident) -> String {
    let mut name = match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    };
    if name.len() > MAX_NAME_BYTES {
        let mut end = MAX_NAME_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// The parts of a possibly qualified name.
pub(crate) fn parts(name: &ast::ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ast::ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
            ast::ObjectNamePart::Function(_) => {
                Err(Error::syntax_error("a function can't be part of a name"))
            }
        })
        .collect()
}

/// Schema and name of an object; a database's name in front must be the session's.
pub(super) fn schema_and_name(
    name: &ast::ObjectName,
    database: &str,
) -> Result<(Option<String>, String)> {
    let mut parts = parts(name)?;
    let last = parts.pop().ok_or_else(|| Error::syntax_error("a name is missing"))?;
    let schema = parts.pop();
    match parts.pop() {
        None => Ok((schema, last)),
        Some(catalog) if parts.is_empty() && catalog == database => Ok((schema, last)),
        Some(_) if parts.is_empty() => Err(Error::feature_not_supported(format!(
            "cross-database references are not implemented: \"{name}\""
        ))),
        Some(_) => Err(Error::syntax_error(format!(
            "improper qualified name (too many dotted names): {name}"
        ))),
    }
}

/// The name that PostgreSQL gives to a result column without an alias.
pub(super) fn column_name(expression: &ast::Expr) -> String {
    figure(expression).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// How much a guess at a name is worth: a weak one yields to what surrounds it.
#[derive(Clone, Copy, PartialEq)]
enum Strength {
    Weak,
    Strong,
}

fn figure(expression: &ast::Expr) -> Option<(String, Strength)> {
    use ast::Expr as E;
    let strong = |name: &str| Some((name.to_owned(), Strength::Strong));
    match expression {
        E::Identifier(ident) => Some((fold(ident), Strength::Strong)),
        E::CompoundIdentifier(parts) => parts.last().map(|p| (fold(p), Strength::Strong)),
        E::CompoundFieldAccess { root, access_chain } => access_chain
            .iter()
            .rev()
            .find_map(|access| match access {
                ast::AccessExpr::Dot(E::Identifier(ident)) => Some((fold(ident), Strength::Strong)),
                _ => None,
            })
            .or_else(|| figure(root)),
        E::Nested(inner) => figure(inner),
        E::Collate { expr, .. } => figure(expr),
        E::Function(function) => function.name.0.last().and_then(|part| match part {
            ast::ObjectNamePart::Identifier(ident) => Some((fold(ident), Strength::Strong)),
            ast::ObjectNamePart::Function(_) => None,
        }),
        E::Cast { expr, data_type, .. } => match figure(expr) {
            found @ Some((_, Strength::Strong)) => found,
            weak => type_column_name(data_type).or(weak),
        },
        E::TypedString(typed) => type_column_name(&typed.data_type),
        E::Interval(_) => Some(("interval".to_owned(), Strength::Weak)),
        E::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            found @ Some((_, Strength::Strong)) => found,
            _ => Some(("case".to_owned(), Strength::Weak)),
        },
        E::Exists { negated: false, .. } => strong("exists"),
        E::Subquery(query) => subquery_name(query),
        E::Array(_) => strong("array"),
        E::Tuple(_) => strong("row"),
        E::AtTimeZone { .. } => strong("timezone"),
        E::Extract { .. } => strong("extract"),
        E::Ceil { .. } => strong("ceil"),
        E::Floor { .. } => strong("floor"),
        E::Position { .. } => strong("position"),
        E::Substring { shorthand: true, .. } => strong("substr"),
        E::Substring { .. } => strong("substring"),
        E::Overlay { .. } => strong("overlay"),
        E::Trim { trim_where, .. } => strong(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            Some(ast::TrimWhereField::Both) | None => "btrim",
        }),
        E::IsNormalized { negated: false, .. } => strong("is_normalized"),
        E::BinaryOp { op: ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        _ => None,
    }
}

fn type_column_name(data_type: &ast::DataType) -> Option<(String, Strength)> {
    let ty = resolve_type(data_type).ok()?;
    let entry = builtin(ty.element().unwrap_or(ty).oid)?;
    Some((entry.name.to_owned(), Strength::Weak))
}

/// `(SELECT x ...)` is named for its column.
fn subquery_name(query: &ast::Query) -> Option<(String, Strength)> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            ast::SetExpr::Select(select) => {
                return match select.projection.first()? {
                    ast::SelectItem::UnnamedExpr(expr) => {
                        Some((column_name(expr), Strength::Strong))
                    }
                    ast::SelectItem::ExprWithAlias { alias, .. } => {
                        Some((fold(alias), Strength::Strong))
                    }
                    _ => None,
                };
            }
            ast::SetExpr::Query(inner) => body = inner.body.as_ref(),
            ast::SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            ast::SetExpr::Values(_) => return Some(("column1".to_owned(), Strength::Strong)),
            _ => return None,
        }
    }
}

/// Turns the parser's lines and columns into characters from 1.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    text: Option<&'a str>,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Places { text: Some(text) }
    }

    /// Of a text the user doesn't see, as that of a view.
    pub(super) fn nowhere() -> Self {
        Places { text: None }
    }

    /// `None` for places the parser doesn't know.
    pub(super) fn position(&self, location: Location) -> Option<u32> {
        let text = self.text.filter(|_| location.line > 0)?;
        let mut before = 0_usize;
        let mut lines = text.split('\n');
        for _ in 1..location.line {
            before += lines.next()?.chars().count() + 1;
        }
        let column = usize::try_from(location.column).ok()?;
        u32::try_from(before + column).ok()
    }

    /// Where a piece of the tree begins.
    pub(super) fn start(&self, node: &impl Spanned) -> Option<u32> {
        self.span(node.span())
    }

    pub(super) fn span(&self, span: Span) -> Option<u32> {
        self.position(span.start)
    }

    /// Where what is behind a span begins.
    pub(super) fn end(&self, span: Span) -> Option<u32> {
        self.position(span.end)
    }

    /// Where `symbol` first stands between two places.
    pub(super) fn find(&self, from: u32, to: u32, symbol: &str) -> Option<u32> {
        let (start, between) = self.between(from, to)?;
        let found = between.find(symbol)?;
        u32::try_from(start + between[..found].chars().count() + 1).ok()
    }

    /// Where `word`, in any case, last stands between two places.
    pub(super) fn find_last(&self, from: u32, to: u32, word: &str) -> Option<u32> {
        let (start, between) = self.between(from, to)?;
        let found = between.to_ascii_lowercase().rfind(word)?;
        u32::try_from(start + between[..found].chars().count() + 1).ok()
    }

    fn between(&self, from: u32, to: u32) -> Option<(usize, String)> {
        let count = usize::try_from(to.checked_sub(from)?).ok()?;
        let start = usize::try_from(from.checked_sub(1)?).ok()?;
        Some((start, self.text?.chars().skip(start).take(count).collect()))
    }
}

/// 42601 for an unquoted word that begins a clause where a table's name is due: the parser lets
/// it through.
pub(super) fn check_no_clause(name: &ast::ObjectName) -> Result<()> {
    const WORDS: &[&str] = &[
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "fetch",
        "union",
        "intersect",
        "except",
        "from",
        "on",
        "using",
        "returning",
        "window",
        "for",
        "into",
    ];
    match name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(ident)]
            if ident.quote_style.is_none()
                && WORDS.iter().any(|word| word.eq_ignore_ascii_case(&ident.value)) =>
        {
            Err(Error::syntax_error_near(&ident.value))
        }
        _ => Ok(()),
    }
}

/// Adds a place to an error that has none.
pub(super) trait At {
    fn at_place(self, position: Option<u32>) -> Self;
}

impl At for Error {
    fn at_place(self, position: Option<u32>) -> Self {
        match position {
            Some(position) => self.at(position),
            None => self,
        }
    }
}

impl<T> At for Result<T> {
    fn at_place(self, position: Option<u32>) -> Self {
        self.map_err(|error| error.at_place(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        column_name(&crate::analyze::parse_expression(text).unwrap())
    }

    #[test]
    fn columns_are_named_as_in_postgres() {
        for (text, wanted) in [
            ("A", "a"),
            ("t.\"B\"", "B"),
            ("1", "?column?"),
            ("1 + 2", "?column?"),
            ("1::int", "int4"),
            ("a::text", "a"),
            ("'x'::varchar(3)", "varchar"),
            ("now()", "now"),
            ("case when true then 1 end", "case"),
            ("case when true then 1 else b end", "b"),
            ("coalesce(a, b)", "coalesce"),
            ("true", "?column?"),
            ("substr(a, 1)", "substr"),
            ("array[1,2]", "array"),
            ("(select max(x) from t)", "max"),
            ("exists(select 1)", "exists"),
            ("date '2020-01-01'", "date"),
            ("interval '1 day'", "interval"),
            ("trim(leading from a)", "ltrim"),
            ("extract(year from a)", "extract"),
            ("a at time zone 'UTC'", "timezone"),
            ("a is null", "?column?"),
            ("current_user", "current_user"),
        ] {
            assert_eq!(name(text), wanted, "{text}");
        }
    }

    #[test]
    fn places_are_characters_from_one() {
        let places = Places::new("éa\nbc");
        assert_eq!(places.position(Location { line: 2, column: 2 }), Some(5));
        assert_eq!(places.position(Location { line: 0, column: 0 }), None);
    }
}
