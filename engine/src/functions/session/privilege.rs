//! `has_table_privilege` and its kin.

use std::sync::Arc;

use super::{Body, Row, Value, definition::relation_argument};
use crate::{
    catalog::Role,
    error::{Error, Result},
    types::Oid,
};

pub(super) fn body(name: &str) -> Option<Body> {
    Some(match name {
        "has_table_privilege" | "has_any_column_privilege" => table,
        "has_column_privilege" => column,
        "has_sequence_privilege" => sequence,
        "has_schema_privilege" => schema,
        "has_database_privilege" => database,
        "has_function_privilege"
        | "has_type_privilege"
        | "has_language_privilege"
        | "has_tablespace_privilege" => |_| Ok(Value::Bool(true)),
        "has_foreign_data_wrapper_privilege"
        | "has_server_privilege"
        | "has_parameter_privilege" => |row| {
            Ok(Value::Bool(row.context.catalog.cluster.is_superuser(row.context.catalog.role)))
        },
        "pg_has_role" => has_role,
        "row_security_active" => |_| Ok(Value::Bool(false)),
        _ => return None,
    })
}

/// Who is asked about, and the place of the next argument: the current user where no role is
/// given. PUBLIC is role 0.
fn subject(row: &Row<'_>, arguments: usize) -> Result<(Oid, usize)> {
    let view = &row.context.catalog;
    if row.len() < arguments {
        return Ok((view.role, 0));
    }
    if !row.is_text(0) {
        return Ok((row.oid(0)?, 1));
    }
    let name = row.text(0)?;
    if name == "public" {
        return Ok((Oid(0), 1));
    }
    let role: Arc<Role> = view.role_by_name(name).ok_or_else(|| Error::undefined_role(name))?;
    Ok((role.oid, 1))
}

/// `SELECT, INSERT WITH GRANT OPTION`: any one of them is enough. `has` is asked for a letter, and
/// whether its grant option is meant.
fn any_privilege(
    text: &str,
    letters: &[(&str, char)],
    mut has: impl FnMut(char, bool) -> bool,
) -> Result<Value> {
    let mut any = false;
    for part in text.split(',') {
        let word = part.trim().to_uppercase();
        let (word, option) = match word.strip_suffix(" WITH GRANT OPTION") {
            Some(word) => (word, true),
            None => (word.as_str(), false),
        };
        let letter = letters.iter().find(|(name, _)| *name == word).map(|(_, letter)| *letter);
        let Some(letter) = letter else {
            return Err(Error::invalid_parameter_value(format!(
                "unrecognized privilege type: \"{}\"",
                part.trim()
            )));
        };
        any |= has(letter, option);
    }
    Ok(Value::Bool(any))
}

const TABLE: &[(&str, char)] = &[
    ("SELECT", 'r'),
    ("INSERT", 'a'),
    ("UPDATE", 'w'),
    ("DELETE", 'd'),
    ("TRUNCATE", 'D'),
    ("REFERENCES", 'x'),
    ("TRIGGER", 't'),
    ("RULE", 't'),
];

fn table(row: &Row<'_>) -> Result<Value> {
    let (role, at) = subject(row, 3)?;
    let Some(relation) = relation_argument(row, at)? else { return Ok(Value::Null) };
    let view = &row.context.catalog;
    any_privilege(row.text(at + 1)?, TABLE, |letter, option| match option {
        true => view.relation_option(role, &relation, letter),
        false => view.relation_privilege(role, &relation, letter),
    })
}

fn column(row: &Row<'_>) -> Result<Value> {
    let (role, at) = subject(row, 4)?;
    let Some(relation) = relation_argument(row, at)? else { return Ok(Value::Null) };
    let known = if row.is_text(at + 1) {
        let name = row.text(at + 1)?;
        if !relation.shown_columns().any(|(_, column)| column.name == name) {
            return Err(Error::undefined_column_of(name, &relation.name));
        }
        true
    } else {
        let number = row.int(at + 1)?;
        relation.shown_columns().any(|(attnum, _)| i64::from(attnum) == number)
    };
    if !known {
        return Ok(Value::Null);
    }
    let view = &row.context.catalog;
    any_privilege(row.text(at + 2)?, TABLE, |letter, option| match option {
        true => view.relation_option(role, &relation, letter),
        false => view.relation_privilege(role, &relation, letter),
    })
}

fn sequence(row: &Row<'_>) -> Result<Value> {
    let (role, at) = subject(row, 3)?;
    let Some(relation) = relation_argument(row, at)? else { return Ok(Value::Null) };
    let view = &row.context.catalog;
    let letters = [("USAGE", 'U'), ("SELECT", 'r'), ("UPDATE", 'w')];
    any_privilege(row.text(at + 1)?, &letters, |letter, option| match option {
        true => view.relation_option(role, &relation, letter),
        false => view.relation_privilege(role, &relation, letter),
    })
}

fn schema(row: &Row<'_>) -> Result<Value> {
    let (role, at) = subject(row, 3)?;
    let view = &row.context.catalog;
    let schema = if row.is_text(at) {
        Some(view.schema(row.text(at)?)?)
    } else {
        view.schema_by_oid(row.oid(at)?)
    };
    let Some(schema) = schema else { return Ok(Value::Null) };
    let letters = [("CREATE", 'C'), ("USAGE", 'U')];
    any_privilege(row.text(at + 1)?, &letters, |letter, option| match option {
        true => view.schema_option(role, &schema, letter),
        false => view.schema_privilege(role, &schema, letter),
    })
}

fn database(row: &Row<'_>) -> Result<Value> {
    let (role, at) = subject(row, 3)?;
    let view = &row.context.catalog;
    let owner = if row.is_text(at) {
        let name = row.text(at)?;
        let found = view.cluster.database_by_name(name);
        Some(found.ok_or_else(|| Error::undefined_database(name))?.owner)
    } else {
        view.cluster.database_by_oid(row.oid(at)?).map(|database| database.owner)
    };
    let Some(owner) = owner else { return Ok(Value::Null) };
    let letters = [("CREATE", 'C'), ("CONNECT", 'c'), ("TEMPORARY", 'T'), ("TEMP", 'T')];
    any_privilege(row.text(at + 1)?, &letters, |letter, option| match letter {
        // PostgreSQL's defaults: everybody connects and makes temporary tables.
        'c' | 'T' if !option => true,
        _ => view.cluster.has_privileges_of(role, owner),
    })
}

/// `pg_has_role([user,] role, 'MEMBER' | 'USAGE' | 'SET')`.
fn has_role(row: &Row<'_>) -> Result<Value> {
    let (user, at) = subject(row, 3)?;
    let view = &row.context.catalog;
    let role = if row.is_text(at) {
        let name = row.text(at)?;
        view.role_by_name(name).ok_or_else(|| Error::undefined_role(name))?.oid
    } else {
        row.oid(at)?
    };
    let text = row.text(at + 1)?;
    let letters = [
        ("USAGE", 'U'),
        ("MEMBER", 'M'),
        ("SET", 'M'),
        ("USAGE WITH ADMIN OPTION", 'A'),
        ("MEMBER WITH ADMIN OPTION", 'A'),
    ];
    any_privilege(text, &letters, |letter, option| match letter {
        _ if option => view.cluster.is_admin_of(user, role),
        'U' => view.has_privileges_of(user, role),
        'M' => view.cluster.is_member_of(user, role),
        _ => view.cluster.is_admin_of(user, role),
    })
}
