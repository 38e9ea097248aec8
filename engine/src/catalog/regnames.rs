//! Names inside strings: `'schema."Odd Name"'::regclass` and how OIDs are shown as names.

use crate::{
    catalog::part::{CatalogView, quote_identifier},
    error::{Error, Result, SqlState},
    types::Oid,
};

/// Splits `[schema.]name`; unquoted parts are folded, quoted ones taken as they are.
///
/// # Errors
/// 42602 `invalid name syntax`.
pub(crate) fn split(text: &str) -> Result<(Option<String>, String)> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            read_quoted(quoted).ok_or_else(invalid)?
        } else {
            let end = rest.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 || rest[..end].contains('"') {
                return Err(invalid());
            }
            (rest[..end].to_lowercase(), &rest[end..])
        };
        parts.push(part);
        match after.trim_start().strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.trim().is_empty() => break,
            None => return Err(invalid()),
        }
    }
    let name = parts.pop().ok_or_else(invalid)?;
    let schema = parts.pop();
    // A database in front can only be the current one; its name adds nothing.
    if parts.len() > 1 {
        return Err(Error::syntax_error(format!(
            "improper qualified name (too many dotted names): {text}"
        )));
    }
    Ok((schema, name))
}

fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            chars.next();
            name.push('"');
        } else {
            return (!name.is_empty()).then(|| (name, &text[at + 1..]));
        }
    }
    None
}

/// A text of the catalog with the relations and schemas it keeps by number shown by name.
pub(crate) fn with_names(view: &CatalogView, path: &[String], text: &str) -> String {
    let relation = |oid| view.relation_by_oid(oid).map(|found| view.display_name(&found, path));
    let schema = |oid| view.schema_by_oid(oid).map(|found| quote_identifier(&found.name));
    let text = replace_numbers(text, "'::regclass", relation);
    replace_numbers(&text, "'::regnamespace", schema)
}

fn replace_numbers(text: &str, ty: &str, name: impl Fn(Oid) -> Option<String>) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(ty) {
        let start = rest[..end].rfind('\'').map_or(end, |quote| quote + 1);
        shown.push_str(&rest[..start]);
        match rest[start..end].parse().ok().and_then(|oid| name(Oid(oid))) {
            Some(name) => shown.push_str(&name.replace('\'', "''")),
            None => shown.push_str(&rest[start..end]),
        }
        shown.push_str(ty);
        rest = &rest[end + ty.len()..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_unless_quoted() {
        let split = |text| split(text).map_err(|error| error.sqlstate.to_string());
        assert_eq!(split("T"), Ok((None, "t".to_owned())));
        assert_eq!(split("\"A.b\" . c"), Ok((Some("A.b".to_owned()), "c".to_owned())));
        assert_eq!(split("\"a\"\"b\""), Ok((None, "a\"b".to_owned())));
        assert_eq!(split(""), Err("42602".to_owned()));
        assert_eq!(split("a b"), Err("42602".to_owned()));
        assert_eq!(split("\"a"), Err("42602".to_owned()));
    }
}
