//! `->`, `->>`, `#>`, `#>>`. The parts of a value are taken as they stand in its text, which for
//! jsonb is in normal form already.

use crate::error::Result;
use crate::types::json::{self, Slices};

use super::super::kernel::{Int4, Opt, Text, TextList};
use super::super::registry::Implementations;

pub(super) fn register(all: &mut Implementations) {
    elements(all);
    for kind in ["json", "jsonb"] {
        all.f2::<Text, Text, Opt<Text>>(&format!("{kind}_object_field({kind},text)"), |a, key| {
            Ok(Slices::of(a)?.member(key).map(str::to_owned))
        });
        all.f2::<Text, Text, Opt<Text>>(
            &format!("{kind}_object_field_text({kind},text)"),
            |a, key| as_text(Slices::of(a)?.member(key)),
        );
        all.f2::<Text, TextList, Opt<Text>>(
            &format!("{kind}_extract_path({kind},_text)"),
            |a, path| Ok(walk(a, &path)?.map(str::to_owned)),
        );
        all.f2::<Text, TextList, Opt<Text>>(
            &format!("{kind}_extract_path_text({kind},_text)"),
            |a, path| as_text(walk(a, &path)?),
        );
    }
}

/// An element of jsonb, where a scalar counts as an array of itself.
fn element(document: &str, index: i32) -> Result<Option<&str>> {
    let parts = Slices::of(document)?;
    Ok(match parts {
        Slices::Scalar(scalar) => matches!(index, 0 | -1).then_some(scalar),
        _ => parts.element(i64::from(index)),
    })
}

fn elements(all: &mut Implementations) {
    all.f2::<Text, Int4, Opt<Text>>("json_array_element(json,int4)", |a, index| {
        Ok(Slices::of(a)?.element(i64::from(index)).map(str::to_owned))
    });
    all.f2::<Text, Int4, Opt<Text>>("json_array_element_text(json,int4)", |a, index| {
        as_text(Slices::of(a)?.element(i64::from(index)))
    });
    all.f2::<Text, Int4, Opt<Text>>("jsonb_array_element(jsonb,int4)", |a, index| {
        Ok(element(a, index)?.map(str::to_owned))
    });
    all.f2::<Text, Int4, Opt<Text>>("jsonb_array_element_text(jsonb,int4)", |a, index| {
        as_text(element(a, index)?)
    });
}

fn as_text(slice: Option<&str>) -> Result<Option<String>> {
    slice.map_or(Ok(None), json::slice_as_text)
}

/// Follows a path of keys and element numbers.
fn walk<'a>(text: &'a str, path: &[Option<String>]) -> Result<Option<&'a str>> {
    let mut slice = text;
    for step in path {
        let Some(step) = step.as_deref() else { return Ok(None) };
        let parts = Slices::of(slice)?;
        let next = match &parts {
            Slices::Object(_) => parts.member(step),
            Slices::Array(_) => element_number(step).and_then(|index| parts.element(index)),
            Slices::Scalar(_) => None,
        };
        let Some(next) = next else { return Ok(None) };
        slice = next;
    }
    Ok(Some(slice))
}

/// A step that means an element. As strtol, white space in front is passed over.
fn element_number(step: &str) -> Option<i64> {
    step.trim_start().parse::<i32>().ok().map(i64::from)
}
