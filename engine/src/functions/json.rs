//! json and jsonb: access, changes, construction (PostgreSQL, "JSON Functions and Operators").
//!
//! A document is parsed for each call; jsonb differs from json only in the form of the result.

use crate::error::{Error, Result, SqlState};
use crate::types::json::{self, Json};

use super::kernel::{Bool, Int4, Opt, Text, TextList};
use super::registry::Implementations;

mod access;
mod build;
mod change;
mod path;
pub(crate) mod record;
mod rows;

pub(crate) use build::write_value;

/// Registers all of them.
pub(super) fn register(all: &mut Implementations) {
    access::register(all);
    change::register(all);
    build::register(all);
    rows::register(all);
    path::register(all);
    properties(all);
}

/// What a document is.
fn properties(all: &mut Implementations) {
    for kind in ["json", "jsonb"] {
        all.f1::<Text, Text>(&format!("{kind}_typeof({kind})"), |text| {
            Ok(json::parse(text)?.type_name().to_owned())
        });
        all.f1::<Text, Int4>(&format!("{kind}_array_length({kind})"), |text| {
            match json::parse(text)? {
                Json::Array(items) => length(items.len()),
                Json::Object(_) => {
                    Err(Error::invalid_parameter_value("cannot get array length of a non-array"))
                }
                _ => Err(Error::invalid_parameter_value("cannot get array length of a scalar")),
            }
        });
    }
    all.f1::<Text, Text>("json_strip_nulls(json)", |text| {
        Ok(compact(&strip_nulls(json::parse(text)?)))
    });
    all.f1::<Text, Text>("jsonb_strip_nulls(jsonb)", |text| {
        Ok(strip_nulls(json::parse(text)?).to_jsonb_string())
    });
    all.f1::<Text, Text>("jsonb_pretty(jsonb)", |text| {
        let mut out = String::new();
        json::parse(text)?.write_pretty(&mut out, 0).map_err(|_| Error::internal("out of text"))?;
        Ok(out)
    });
    all.f2::<Text, Text, Bool>("jsonb_contains(jsonb,jsonb)", |a, b| {
        Ok(contains(&json::parse(a)?, &json::parse(b)?, true))
    });
    all.f2::<Text, Text, Bool>("jsonb_contained(jsonb,jsonb)", |a, b| {
        Ok(contains(&json::parse(b)?, &json::parse(a)?, true))
    });
    all.f2::<Text, Text, Bool>("jsonb_exists(jsonb,text)", |a, key| {
        Ok(exists(&json::parse(a)?, key))
    });
    all.f2::<Text, TextList, Bool>("jsonb_exists_any(jsonb,_text)", |a, keys| {
        let document = json::parse(a)?;
        Ok(keys.iter().flatten().any(|key| exists(&document, key)))
    });
    all.f2::<Text, TextList, Bool>("jsonb_exists_all(jsonb,_text)", |a, keys| {
        let document = json::parse(a)?;
        Ok(keys.iter().flatten().all(|key| exists(&document, key)))
    });
    all.f1::<TextList, Opt<Text>>("json_object(_text)", |items| object(&items).map(Some));
    all.f1::<TextList, Opt<Text>>("jsonb_object(_text)", |items| {
        json::to_jsonb_text(&object(&items)?).map(Some)
    });
    all.f2::<TextList, TextList, Text>("json_object(_text,_text)", |keys, values| {
        object(&paired(keys, values)?)
    });
    all.f2::<TextList, TextList, Text>("jsonb_object(_text,_text)", |keys, values| {
        json::to_jsonb_text(&object(&paired(keys, values)?)?)
    });
}

fn length(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| Error::numeric_out_of_range("integer out of range"))
}

/// json's text without white space.
fn compact(value: &Json) -> String {
    let mut out = String::new();
    // Writing into a String can't fail.
    let _ = value.write_compact(&mut out);
    out
}

fn strip_nulls(value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(_, value)| *value != Json::Null)
                .map(|(key, value)| (key, strip_nulls(value)))
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(strip_nulls).collect()),
        other => other,
    }
}

/// `a @> b`. At the top an array contains a scalar that is one of its elements.
fn contains(a: &Json, b: &Json, top: bool) -> bool {
    match (a, b) {
        (Json::Object(_), Json::Object(members)) => members
            .iter()
            .all(|(key, value)| a.get(key).is_some_and(|found| contains(found, value, false))),
        (Json::Array(items), Json::Array(wanted)) => {
            wanted.iter().all(|value| items.iter().any(|item| contains(item, value, false)))
        }
        (Json::Array(items), Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null)
            if top =>
        {
            items.iter().any(|item| item.compare(b).is_eq())
        }
        (Json::Object(_) | Json::Array(_), _) | (_, Json::Object(_) | Json::Array(_)) => false,
        _ => a.compare(b).is_eq(),
    }
}

/// `a ? key`
fn exists(document: &Json, key: &str) -> bool {
    let is_key = |item: &Json| matches!(item, Json::String(text) if text == key);
    match document {
        Json::Object(members) => members.iter().any(|(name, _)| name == key),
        Json::Array(items) => items.iter().any(is_key),
        other => is_key(other),
    }
}

/// `json_object('{a,b}', '{1,2}')` as the list that the other form takes.
fn paired(keys: Vec<Option<String>>, values: Vec<Option<String>>) -> Result<Vec<Option<String>>> {
    if keys.is_empty() != values.is_empty() {
        let message = "wrong number of array subscripts";
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    if keys.len() != values.len() {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions"));
    }
    Ok(keys.into_iter().zip(values).flat_map(|(key, value)| [key, value]).collect())
}

/// `json_object('{a,1,b,2}')`
fn object(items: &[Option<String>]) -> Result<String> {
    if !items.len().is_multiple_of(2) {
        return Err(Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "array must have even number of elements",
        ));
    }
    let mut out = String::from("{");
    for (i, pair) in items.chunks(2).enumerate() {
        let Some(key) = &pair[0] else {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "null value not allowed for object key",
            ));
        };
        if i > 0 {
            out.push_str(", ");
        }
        let _ = json::write_string(key, &mut out);
        out.push_str(" : ");
        match &pair[1] {
            Some(value) => {
                let _ = json::write_string(value, &mut out);
            }
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containment() {
        let holds =
            |a: &str, b: &str| contains(&json::parse(a).unwrap(), &json::parse(b).unwrap(), true);
        assert!(holds(r#"{"a":{"b":[1,2]},"c":1}"#, r#"{"a":{"b":[2]}}"#));
        assert!(holds("[1,[2,3]]", "[[3]]"));
        assert!(holds("[1,2]", "2"));
        assert!(!holds("[[2]]", "[2]"));
        assert!(!holds("2", "[2]"));
        assert!(holds("1.0", "1"));
    }
}
