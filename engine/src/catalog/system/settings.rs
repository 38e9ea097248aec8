//! pg_settings, pg_timezone_names.

use std::sync::Arc;

use super::rows::{Cell, Filter, Rows};
use crate::{
    context::ExecutionContext,
    error::Result,
    settings::{Definition, Kind, LEVELS, SETTINGS, Who},
};

pub(super) fn settings(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let wanted = filter.text("name");
    let values = context.session.settings();
    for definition in SETTINGS {
        if wanted.is_some_and(|name| name != definition.spelling) {
            continue;
        }
        let setting = context.session.show(definition.name).unwrap_or_default();
        let reset = values.reset_value(definition.name);
        let changed = setting != reset;
        let (kind, min, max, words) = kind(definition);
        rows.add()
            .set("name", definition.spelling)
            .set("setting", setting)
            .set("unit", matches!(definition.kind, Kind::Milliseconds).then_some("ms"))
            .set("category", definition.category)
            .set("short_desc", definition.description)
            .set(
                "context",
                match definition.who {
                    Who::User => "user",
                    Who::Superuser => "superuser",
                    Who::Server => "postmaster",
                    Who::Internal => "internal",
                },
            )
            .set("vartype", kind)
            .set(
                "source",
                match (changed, reset == definition.default) {
                    (true, _) => "session",
                    (false, true) => "default",
                    (false, false) => "configuration file",
                },
            )
            .set("min_val", min)
            .set("max_val", max)
            .set("enumvals", words)
            .set("boot_val", definition.default)
            .set("reset_val", reset)
            .set("pending_restart", false);
    }
    Ok(())
}

fn kind(definition: &Definition) -> (&'static str, Option<String>, Option<String>, Cell) {
    match &definition.kind {
        Kind::Bool => ("bool", None, None, Cell::Null),
        Kind::Integer { min, max } => {
            ("integer", Some(min.to_string()), Some(max.to_string()), Cell::Null)
        }
        Kind::Milliseconds => {
            ("integer", Some("0".to_owned()), Some(i32::MAX.to_string()), Cell::Null)
        }
        Kind::Fixed(words) if words.contains(&"off") => ("bool", None, None, Cell::Null),
        Kind::Enum(words) | Kind::Fixed(words) => enumerated(words),
        Kind::Isolation => enumerated(LEVELS),
        Kind::Text
        | Kind::Tablespace
        | Kind::Names
        | Kind::TimeZone
        | Kind::DateStyle
        | Kind::Encoding => ("string", None, None, Cell::Null),
    }
}

fn enumerated(words: &[&'static str]) -> (&'static str, Option<String>, Option<String>, Cell) {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    ("enum", None, None, Cell::Texts(words))
}

/// Names alone: offsets change with the date.
pub(super) fn time_zones(
    _: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let wanted = filter.text("name");
    for zone in chrono_tz::TZ_VARIANTS {
        if wanted.is_none_or(|name| name == zone.name()) {
            rows.add().set("name", zone.name());
        }
    }
    Ok(())
}
