//! Storage parameters: `WITH (...)` and `SET (...)` of tables and views.
//!
//! PostgreSQL's speak of pages and of its vacuum, which aren't here. What is so anyway is kept and
//! shown; any other value of a parameter that PostgreSQL has is refused.

use crate::{
    error::{Error, Result},
    settings,
};

/// Names in lower case with their values, as a statement has them.
type Given = [(String, Option<String>)];
/// What is kept.
pub(super) type Kept = Vec<(String, String)>;

/// PostgreSQL's parameters of tables beside `fillfactor` and `oids`.
const OF_TABLES: &[&str] = &[
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_enabled",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_table_age",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "log_autovacuum_min_duration",
    "parallel_workers",
    "toast_tuple_target",
    "user_catalog_table",
    "vacuum_index_cleanup",
    "vacuum_truncate",
];

/// A table's kind, and the parameters that are kept.
///
/// # Errors
/// 22023 for parameters there aren't and values out of range, 0A000 for values that aren't so.
pub(super) fn of_table(given: &Given) -> Result<(Option<String>, Kept)> {
    let (mut kind, mut kept) = (None, Kept::new());
    for (place, (name, value)) in given.iter().enumerate() {
        if given[..place].iter().any(|(other, _)| other == name) {
            return Err(Error::invalid_parameter_value(format!(
                "parameter \"{name}\" specified more than once"
            )));
        }
        let value = value.as_deref().unwrap_or("true");
        match name.as_str() {
            "kind" => kind = Some(value.to_owned()),
            "oids" => check_no_oids(value)?,
            "fillfactor" => {
                check_fillfactor(value)?;
                kept.push((name.clone(), value.to_owned()));
            }
            other => return Err(not_kept(other)),
        }
    }
    Ok((kind, kept))
}

fn check_no_oids(value: &str) -> Result<()> {
    match settings::boolean(value) {
        Some(false) => Ok(()),
        Some(true) => {
            Err(Error::feature_not_supported("tables declared WITH OIDS are not supported"))
        }
        None => Err(Error::syntax_error("oids requires a Boolean value")),
    }
}

fn not_kept(name: &str) -> Error {
    let (known, bare) = match name.split_once('.') {
        Some(("toast", bare)) => (OF_TABLES.contains(&bare), bare),
        Some((namespace, _)) => {
            return Error::invalid_parameter_value(format!(
                "unrecognized parameter namespace \"{namespace}\""
            ));
        }
        None => (OF_TABLES.contains(&name), name),
    };
    match known {
        true => Error::feature_not_supported(format!(
            "storage parameter \"{name}\" is not supported: tables have no pages, and no vacuum \
             of PostgreSQL's"
        )),
        false => Error::invalid_parameter_value(format!("unrecognized parameter \"{bare}\"")),
    }
}

fn check_fillfactor(value: &str) -> Result<()> {
    let number: i64 = value.parse().map_err(|_| {
        Error::invalid_parameter_value(format!(
            "invalid value for integer option \"fillfactor\": {value}"
        ))
    })?;
    match number {
        100 => Ok(()),
        10..100 => Err(Error::feature_not_supported(
            "a fillfactor other than 100 is not supported: tables have no pages",
        )),
        _ => Err(Error::invalid_parameter_value(format!(
            "value {value} out of bounds for option \"fillfactor\""
        ))
        .with_detail("Valid values are between \"10\" and \"100\".")),
    }
}

/// The parameters of a view that are kept: they say that it has none of what they speak of.
///
/// # Errors
/// As [`of_table`].
pub(super) fn of_view(given: &Given) -> Result<Kept> {
    let mut kept = Kept::new();
    for (name, value) in given {
        let value = value.as_deref().unwrap_or("true");
        match name.as_str() {
            "kind" => {}
            "security_barrier" | "security_invoker" if !is_on(name, value)? => {
                kept.push((name.clone(), value.to_owned()));
            }
            "security_barrier" | "security_invoker" | "check_option" => {
                return Err(Error::feature_not_supported(format!("{name} is not supported")));
            }
            _ => {
                return Err(Error::invalid_parameter_value(format!(
                    "unrecognized parameter \"{name}\""
                )));
            }
        }
    }
    Ok(kept)
}

fn is_on(name: &str, value: &str) -> Result<bool> {
    settings::boolean(value).ok_or_else(|| {
        Error::invalid_parameter_value(format!(
            "invalid value for boolean option \"{name}\": {value}"
        ))
    })
}
