//! Settings as PostgreSQL has them: `SET`, `SET LOCAL`, `SHOW`, start-up options.
//!
//! Only settings that do something here exist; any other name is 42704. A session's values are two
//! layers over its defaults: what `SET` says, which a rollback undoes, and what `SET LOCAL` says,
//! which any end of the transaction undoes. Layers are shared maps, so a savepoint costs two
//! reference counts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    error::{Error, Result},
    statement::{AccessMode, Isolation},
    types::{ByteaOutput, DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone},
};

mod catalog;
mod value;

pub(crate) use catalog::{Definition, Kind, LEVELS, SETTINGS, Who, check_keepable, definition};

pub(crate) use value::{bool as boolean, is_encoding};

type Layer = Arc<BTreeMap<String, String>>;

/// One session's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What RESET returns to: the server's configuration, the role's, the start-up packet's.
    defaults: Layer,
    session: Layer,
    local: Layer,
}

/// What a savepoint or a transaction's start keeps.
#[derive(Clone, Debug)]
pub(crate) struct SavedSettings {
    session: Layer,
    local: Layer,
}

impl Settings {
    pub(crate) fn new(defaults: BTreeMap<String, String>) -> Self {
        Settings {
            defaults: Arc::new(defaults),
            session: Layer::default(),
            local: Layer::default(),
        }
    }

    /// The value as SHOW prints it. `name` may be in any case.
    pub(crate) fn show(&self, name: &str) -> Result<String> {
        let name = canonical(name)?;
        Ok(self.value(&name).unwrap_or_default())
    }

    /// The value if the setting exists or was made up by the session.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.find(name).map(str::to_owned)
    }

    /// As [`Settings::value`].
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.local
            .get(name)
            .or_else(|| self.session.get(name))
            .or_else(|| self.defaults.get(name))
            .map(String::as_str)
            .or_else(|| definition(name).map(|definition| definition.default))
    }

    /// What RESET would give.
    pub(crate) fn reset_value(&self, name: &str) -> String {
        self.defaults
            .get(name)
            .cloned()
            .or_else(|| definition(name).map(|definition| definition.default.to_owned()))
            .unwrap_or_default()
    }

    /// `SET`; `None` means DEFAULT. Checks the value, not who may do it.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        let name = canonical(name)?;
        let value = match value {
            // The style and the order are set apart.
            Some(value) if name == "datestyle" => {
                value::date_style(value, &self.value(&name).unwrap_or_default())?
            }
            Some(value) => check(&name, value)?,
            None => self.reset_value(&name),
        };
        if local {
            Arc::make_mut(&mut self.local).insert(name, value);
        } else {
            if self.local.contains_key(&name) {
                Arc::make_mut(&mut self.local).remove(&name);
            }
            Arc::make_mut(&mut self.session).insert(name, value);
        }
        Ok(())
    }

    /// `RESET ALL`: everything but who the session is and the running transaction.
    pub(crate) fn reset_all(&mut self) {
        let keep = |name: &String| {
            matches!(name.as_str(), "role" | "session_authorization" | "is_superuser")
                || name.starts_with("transaction_")
        };
        let kept = |layer: &Layer| -> Layer {
            Arc::new(layer.iter().filter(|(name, _)| keep(name)).map(clone_pair).collect())
        };
        self.session = kept(&self.session);
        self.local = kept(&self.local);
    }

    pub(crate) fn save(&self) -> SavedSettings {
        SavedSettings { session: Arc::clone(&self.session), local: Arc::clone(&self.local) }
    }

    /// Goes back to what was saved. Returns whether that changed anything.
    pub(crate) fn restore(&mut self, saved: SavedSettings) -> bool {
        let same =
            Arc::ptr_eq(&self.session, &saved.session) && Arc::ptr_eq(&self.local, &saved.local);
        self.session = saved.session;
        self.local = saved.local;
        !same
    }

    /// The end of a transaction that commits. Returns whether there was a local value.
    pub(crate) fn end_local(&mut self) -> bool {
        if self.local.is_empty() {
            return false;
        }
        self.local = Layer::default();
        true
    }
}

/// Whether a value of a boolean setting means on.
pub(crate) fn is_on(value: &str) -> bool {
    value::bool(value) == Some(true)
}

fn clone_pair((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// The lower-case name, if there is such a setting or it is a made-up `prefix.name`.
pub(crate) fn canonical(name: &str) -> Result<String> {
    let lower = name.to_lowercase();
    if definition(&lower).is_some() || is_custom(&lower) {
        return Ok(lower);
    }
    Err(Error::undefined_setting(name))
}

fn is_custom(name: &str) -> bool {
    name.split_once('.').is_some_and(|(prefix, rest)| {
        let word = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.'))
        };
        word(prefix) && word(rest)
    })
}

/// Checks a default of a session setting before anything is opened.
///
/// # Errors
/// 42704 for a name that is no setting's, 22023 for a value that it can't have.
pub fn check_setting(name: &str, value: &str) -> Result<()> {
    check(&canonical(name)?, value).map(|_| ())
}

/// The value in the form that SHOW prints, or why it isn't one.
pub(crate) fn check(name: &str, value: &str) -> Result<String> {
    match definition(name) {
        None => Ok(value.to_owned()),
        Some(definition) => value::check(definition, value),
    }
}

/// What the engine asks at every statement, worked out once per change.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) format: FormatSettings,
    pub(crate) search_path: Arc<[String]>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) idle_in_transaction_timeout: Option<Duration>,
    pub(crate) deadlock_timeout: Duration,
    pub(crate) synchronous_commit: bool,
    /// `default_transaction_isolation`, `..._read_only` and `..._deferrable`.
    pub(crate) isolation: Isolation,
    pub(crate) access: AccessMode,
    pub(crate) deferrable: bool,
}

impl Effective {
    pub(crate) fn of(settings: &Settings) -> Result<Self> {
        let text = |name: &str| settings.value(name).unwrap_or_default();
        let zone = text("timezone");
        let format = FormatSettings {
            time_zone: TimeZone::parse(&zone).map_err(|_| value::invalid("TimeZone", &zone))?,
            date_style: match text("datestyle").split(", ").next() {
                Some("SQL") => DateStyle::Sql,
                Some("Postgres") => DateStyle::Postgres,
                Some("German") => DateStyle::German,
                _ => DateStyle::Iso,
            },
            date_order: match text("datestyle").rsplit(", ").next() {
                Some("DMY") => DateOrder::Dmy,
                Some("YMD") => DateOrder::Ymd,
                _ => DateOrder::Mdy,
            },
            extra_float_digits: text("extra_float_digits").parse().unwrap_or(1),
            bytea_output: match text("bytea_output").as_str() {
                "escape" => ByteaOutput::Escape,
                _ => ByteaOutput::Hex,
            },
            interval_style: match text("intervalstyle").as_str() {
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                "iso_8601" => IntervalStyle::Iso8601,
                _ => IntervalStyle::Postgres,
            },
            now_us: None,
        };
        Ok(Effective {
            format,
            search_path: value::split_identifiers(&text("search_path")).unwrap_or_default().into(),
            statement_timeout: duration(&text("statement_timeout")),
            lock_timeout: duration(&text("lock_timeout")),
            idle_timeout: duration(&text("idle_session_timeout")),
            idle_in_transaction_timeout: duration(&text("idle_in_transaction_session_timeout")),
            deadlock_timeout: duration(&text("deadlock_timeout")).unwrap_or(Duration::from_secs(1)),
            synchronous_commit: text("synchronous_commit") != "off",
            isolation: Isolation::parse(&text("default_transaction_isolation"))
                .unwrap_or(Isolation::ReadCommitted),
            access: match is_on(&text("default_transaction_read_only")) {
                true => AccessMode::ReadOnly,
                false => AccessMode::ReadWrite,
            },
            deferrable: is_on(&text("default_transaction_deferrable")),
        })
    }
}

/// A shown duration such as `30s`; 0 means never.
fn duration(text: &str) -> Option<Duration> {
    value::milliseconds(text).filter(|ms| *ms > 0).map(Duration::from_millis)
}
