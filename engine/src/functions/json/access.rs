//! `->`, `->>`, `#>`, `#>>`.

use crate::error::Result;
use crate::types::json::{self, Json};

use super::super::kernel::{Int4, Opt, Text, TextList};
use super::super::registry::Implementations;
use super::compact;

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Text, Opt<Text>>("jsonb_object_field(jsonb,text)", |a, key| {
        Ok(json::parse(a)?.get(key).map(Json::to_jsonb_string))
    });
    all.f2::<Text, Text, Opt<Text>>("jsonb_object_field_text(jsonb,text)", |a, key| {
        Ok(json::parse(a)?.get(key).and_then(Json::as_text))
    });
    all.f2::<Text, Int4, Opt<Text>>("jsonb_array_element(jsonb,int4)", |a, index| {
        Ok(json::parse(a)?.element(i64::from(index)).map(Json::to_jsonb_string))
    });
    all.f2::<Text, Int4, Opt<Text>>("jsonb_array_element_text(jsonb,int4)", |a, index| {
        Ok(json::parse(a)?.element(i64::from(index)).and_then(Json::as_text))
    });
    all.f2::<Text, TextList, Opt<Text>>("jsonb_extract_path(jsonb,_text)", |a, path| {
        Ok(walk(json::parse(a)?, &path).map(|found| found.to_jsonb_string()))
    });
    all.f2::<Text, TextList, Opt<Text>>("jsonb_extract_path_text(jsonb,_text)", |a, path| {
        Ok(walk(json::parse(a)?, &path).and_then(|found| found.as_text()))
    });
    all.f2::<Text, Text, Opt<Text>>("json_object_field(json,text)", |a, key| {
        Ok(json::parse(a)?.get(key).map(compact))
    });
    all.f2::<Text, Text, Opt<Text>>("json_object_field_text(json,text)", |a, key| {
        Ok(json::parse(a)?.get(key).and_then(json_text))
    });
    all.f2::<Text, Int4, Opt<Text>>("json_array_element(json,int4)", |a, index| {
        Ok(json::parse(a)?.element(i64::from(index)).map(compact))
    });
    all.f2::<Text, Int4, Opt<Text>>("json_array_element_text(json,int4)", |a, index| {
        Ok(json::parse(a)?.element(i64::from(index)).and_then(json_text))
    });
    all.f2::<Text, TextList, Opt<Text>>("json_extract_path(json,_text)", |a, path| {
        Ok(walk(json::parse(a)?, &path).map(|found| compact(&found)))
    });
    all.f2::<Text, TextList, Opt<Text>>("json_extract_path_text(json,_text)", json_path_text);
}

fn json_path_text(a: &str, path: Vec<Option<String>>) -> Result<Option<String>> {
    Ok(walk(json::parse(a)?, &path).and_then(|found| json_text(&found)))
}

/// `->>` of json.
pub(super) fn json_text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(compact(other)),
    }
}

/// Follows a path of keys and element numbers.
fn walk(mut value: Json, path: &[Option<String>]) -> Option<Json> {
    for step in path {
        let step = step.as_deref()?;
        let next = match &value {
            Json::Object(_) => value.get(step),
            Json::Array(_) => value.element(step.trim().parse().ok()?),
            _ => None,
        };
        value = next?.clone();
    }
    Some(value)
}
