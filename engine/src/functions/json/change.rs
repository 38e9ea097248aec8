//! jsonb that is changed: `||`, `-`, `#-`, `jsonb_set`, `jsonb_insert`.

use crate::error::{Error, Result, SqlState};
use crate::types::json::{self, Json};

use super::super::kernel::{Bool, Int4, Maybe, Opt, Text, TextList};
use super::super::registry::Implementations;

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Text, Text>("jsonb_concat(jsonb,jsonb)", |a, b| {
        normal(concat(json::parse(a)?, json::parse(b)?))
    });
    all.f2::<Text, Text, Text>("jsonb_delete(jsonb,text)", |a, key| {
        normal(delete_keys(json::parse(a)?, &[Some(key.to_owned())])?)
    });
    all.f2::<Text, TextList, Text>("jsonb_delete(jsonb,_text)", |a, keys| {
        normal(delete_keys(json::parse(a)?, &keys)?)
    });
    all.f2::<Text, Int4, Text>("jsonb_delete(jsonb,int4)", |a, index| {
        normal(delete_element(json::parse(a)?, index)?)
    });
    all.f2::<Text, TextList, Text>("jsonb_delete_path(jsonb,_text)", |a, path| {
        let mut document = json::parse(a)?;
        check_container(&document, "cannot delete path in scalar")?;
        change(&mut document, &path, 1, &Change::Delete)?;
        normal(document)
    });
    all.f4::<Text, TextList, Text, Bool, Text>("jsonb_set(jsonb,_text,jsonb,bool)", set);
    all.f5::<Maybe<Text>, Maybe<TextList>, Maybe<Text>, Maybe<Bool>, Maybe<Text>, Opt<Text>>(
        "jsonb_set_lax(jsonb,_text,jsonb,bool,text)",
        set_lax,
    );
    all.f4::<Text, TextList, Text, Bool, Text>("jsonb_insert(jsonb,_text,jsonb,bool)", insert);
}

fn normal(mut document: Json) -> Result<String> {
    document.normalize()?;
    Ok(document.to_jsonb_string())
}

fn check_container(document: &Json, message: &str) -> Result<()> {
    match document {
        Json::Array(_) | Json::Object(_) => Ok(()),
        _ => Err(Error::invalid_parameter_value(message)),
    }
}

fn concat(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::Object(a)
        }
        (Json::Array(mut a), Json::Array(b)) => {
            a.extend(b);
            Json::Array(a)
        }
        (Json::Array(mut a), b) => {
            a.push(b);
            Json::Array(a)
        }
        (a, Json::Array(mut b)) => {
            b.insert(0, a);
            Json::Array(b)
        }
        (a, b) => Json::Array(vec![a, b]),
    }
}

fn delete_keys(document: Json, keys: &[Option<String>]) -> Result<Json> {
    let named = |text: &str| keys.iter().flatten().any(|key| key == text);
    Ok(match document {
        Json::Object(members) => {
            Json::Object(members.into_iter().filter(|(key, _)| !named(key)).collect())
        }
        Json::Array(items) => Json::Array(
            items
                .into_iter()
                .filter(|item| !matches!(item, Json::String(text) if named(text)))
                .collect(),
        ),
        _ => return Err(Error::invalid_parameter_value("cannot delete from scalar")),
    })
}

fn delete_element(document: Json, index: i32) -> Result<Json> {
    match document {
        Json::Array(mut items) => {
            if let Some(at) = place(i64::from(index), items.len()) {
                items.remove(at);
            }
            Ok(Json::Array(items))
        }
        Json::Object(_) => {
            Err(Error::invalid_parameter_value("cannot delete from object using integer index"))
        }
        _ => Err(Error::invalid_parameter_value("cannot delete from scalar")),
    }
}

/// The element that a number means, negative from the end.
fn place(index: i64, count: usize) -> Option<usize> {
    let at = if index < 0 { index + count as i64 } else { index };
    usize::try_from(at).ok().filter(|at| *at < count)
}

fn set(a: &str, path: Vec<Option<String>>, value: &str, create: bool) -> Result<String> {
    let mut document = json::parse(a)?;
    check_container(&document, "cannot set path in scalar")?;
    let value = json::parse(value)?;
    change(&mut document, &path, 1, &Change::Set { value, create })?;
    normal(document)
}

/// As [`set`], with a word for what a NULL in place of the new value means.
fn set_lax(
    document: Option<&str>,
    path: Option<Vec<Option<String>>>,
    value: Option<&str>,
    create: Option<bool>,
    treatment: Option<&str>,
) -> Result<Option<String>> {
    let (Some(document), Some(path), Some(create)) = (document, path, create) else {
        return Ok(None);
    };
    let Some(treatment) = treatment else {
        return Err(Error::invalid_parameter_value(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        ));
    };
    if let Some(value) = value {
        return set(document, path, value, create).map(Some);
    }
    match treatment {
        "raise_exception" => {
            Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
                .with_detail(
                    "Exception was raised because null_value_treatment is \"raise_exception\".",
                )
                .with_hint(
                    "To avoid, either change the null_value_treatment argument or ensure that an \
                     SQL NULL is not passed.",
                ))
        }
        "use_json_null" => set(document, path, "null", create).map(Some),
        "delete_key" => {
            let mut document = json::parse(document)?;
            check_container(&document, "cannot delete path in scalar")?;
            change(&mut document, &path, 1, &Change::Delete)?;
            normal(document).map(Some)
        }
        "return_target" => Ok(Some(document.to_owned())),
        _ => Err(Error::invalid_parameter_value(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        )),
    }
}

fn insert(a: &str, path: Vec<Option<String>>, value: &str, after: bool) -> Result<String> {
    let mut document = json::parse(a)?;
    check_container(&document, "cannot set path in scalar")?;
    let value = json::parse(value)?;
    change(&mut document, &path, 1, &Change::Insert { value, after })?;
    normal(document)
}

enum Change {
    Delete,
    Set { value: Json, create: bool },
    Insert { value: Json, after: bool },
}

impl Change {
    fn needs_element(&self) -> bool {
        matches!(self, Change::Delete | Change::Set { create: false, .. })
    }
}

/// Changes what `path` leads to. `depth` counts the path's elements from 1, for errors.
fn change(
    document: &mut Json,
    path: &[Option<String>],
    depth: usize,
    change_: &Change,
) -> Result<()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    let Some(step) = step else {
        return Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            format!("path element at position {depth} is null"),
        ));
    };
    match document {
        Json::Object(members) => {
            let found = members.iter().position(|(key, _)| key == step);
            match (found, rest.is_empty()) {
                (Some(at), false) => change(&mut members[at].1, rest, depth + 1, change_),
                (None, false) => Ok(()),
                (found, true) => change_member(members, found, step, change_),
            }
        }
        // In an empty array nothing is looked for.
        Json::Array(items) if items.is_empty() && change_.needs_element() => Ok(()),
        Json::Array(items) => {
            let index: i64 = step.trim().parse().map_err(|_| {
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("path element at position {depth} is not an integer: \"{step}\""),
                )
            })?;
            match (place(index, items.len()), rest.is_empty()) {
                (Some(at), false) => change(&mut items[at], rest, depth + 1, change_),
                (None, false) => Ok(()),
                (found, true) => {
                    change_element(items, found, index, change_);
                    Ok(())
                }
            }
        }
        _ => Ok(()),
    }
}

fn change_member(
    members: &mut Vec<(String, Json)>,
    found: Option<usize>,
    key: &str,
    change: &Change,
) -> Result<()> {
    match (change, found) {
        (Change::Delete, Some(at)) => {
            members.remove(at);
        }
        (Change::Set { value, .. }, Some(at)) => members[at].1 = value.clone(),
        (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
            members.push((key.to_owned(), value.clone()));
        }
        (Change::Insert { .. }, Some(_)) => {
            return Err(Error::invalid_parameter_value("cannot replace existing key")
                .with_hint("Try using the function jsonb_set to replace key value."));
        }
        (Change::Delete | Change::Set { create: false, .. }, None) => {}
    }
    Ok(())
}

fn change_element(items: &mut Vec<Json>, found: Option<usize>, index: i64, change: &Change) {
    match (change, found) {
        (Change::Delete, Some(at)) => {
            items.remove(at);
        }
        (Change::Set { value, .. }, Some(at)) => items[at] = value.clone(),
        (Change::Insert { value, after }, Some(at)) => {
            items.insert(at + usize::from(*after), value.clone());
        }
        (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
            if index < 0 {
                items.insert(0, value.clone());
            } else {
                items.push(value.clone());
            }
        }
        (Change::Delete | Change::Set { create: false, .. }, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps: &[&str]) -> Vec<Option<String>> {
        steps.iter().map(|step| Some((*step).to_owned())).collect()
    }

    #[test]
    fn setting_and_inserting() {
        let got = set(r#"{"a":[1,{"b":2}]}"#, path(&["a", "1", "b"]), "9", true).unwrap();
        assert_eq!(got, r#"{"a": [1, {"b": 9}]}"#);
        assert_eq!(set("[1]", path(&["-5"]), "0", true).unwrap(), "[0, 1]");
        assert_eq!(set("{}", path(&["x"]), "1", false).unwrap(), "{}");
        assert_eq!(insert("[1,2]", path(&["0"]), "9", true).unwrap(), "[1, 9, 2]");
        assert!(insert(r#"{"a":1}"#, path(&["a"]), "9", true).is_err());
    }
}
