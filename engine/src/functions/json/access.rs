//! `->`, `->>`, `#>`, `#>>`. The parts of a value are taken as they stand in its text, which for
//! jsonb is in normal form already.

use crate::error::Result;
use crate::types::json::{self, Slices};

use super::super::kernel::{Int4, Opt, Text, TextList};
use super::super::registry::Implementations;

pub(super) fn register(all: &mut Implementations) {
    for kind in ["json", "jsonb"] {
        all.f2::<Text, Text, Opt<Text>>(&format!("{kind}_object_field({kind},text)"), |a, key| {
            Ok(Slices::of(a)?.member(key).map(str::to_owned))
        });
        all.f2::<Text, Text, Opt<Text>>(
            &format!("{kind}_object_field_text({kind},text)"),
            |a, key| as_text(Slices::of(a)?.member(key)),
        );
        all.f2::<Text, Int4, Opt<Text>>(
            &format!("{kind}_array_element({kind},int4)"),
            |a, index| Ok(Slices::of(a)?.element(i64::from(index)).map(str::to_owned)),
        );
        all.f2::<Text, Int4, Opt<Text>>(
            &format!("{kind}_array_element_text({kind},int4)"),
            |a, index| as_text(Slices::of(a)?.element(i64::from(index))),
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
