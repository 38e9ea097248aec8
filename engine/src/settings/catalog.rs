//! The settings there are.

use crate::error::{Error, Result, SqlState};

/// One setting.
#[derive(Debug)]
pub(crate) struct Definition {
    /// In lower case, as it is looked up.
    pub(crate) name: &'static str,
    /// As PostgreSQL spells it.
    pub(crate) spelling: &'static str,
    /// In the form that SHOW prints.
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
    pub(crate) who: Who,
    /// Changes are told to the client by ParameterStatus.
    pub(crate) reported: bool,
    pub(crate) category: &'static str,
    pub(crate) description: &'static str,
}

/// What values a setting takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    /// Milliseconds in any of PostgreSQL's units; 0 to i32::MAX.
    Milliseconds,
    Enum(&'static [&'static str]),
    /// Isolation levels, of which SERIALIZABLE isn't there.
    Isolation,
    /// Only the default is so here; the others are values of PostgreSQL's.
    Fixed(&'static [&'static str]),
    Tablespace,
    Text,
    /// Names separated by commas.
    Names,
    TimeZone,
    DateStyle,
    Encoding,
}

/// Who may change it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody, at any time.
    User,
    /// Superusers, at any time.
    Superuser,
    /// Whoever starts the server.
    Server,
    /// Nobody: it tells a fact.
    Internal,
}

impl Definition {
    /// Whether a session may change it.
    ///
    /// # Errors
    /// 42501 where only superusers may, 55P02 where nobody may.
    pub(crate) fn check_changeable(&self, is_superuser: bool) -> Result<()> {
        let name = self.spelling;
        let (sqlstate, message) = match self.who {
            Who::User => return Ok(()),
            Who::Superuser if is_superuser => return Ok(()),
            Who::Superuser => (
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set parameter \"{name}\""),
            ),
            Who::Server => (
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
                format!("parameter \"{name}\" cannot be changed without restarting the server"),
            ),
            Who::Internal => (
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
                format!("parameter \"{name}\" cannot be changed"),
            ),
        };
        Err(Error::new(sqlstate, message))
    }
}

/// Whether a setting may be kept for the sessions of a role or of all: who a session acts for and how
/// its transactions began is decided in the session.
///
/// # Errors
/// 42501 where only superusers may change it, 55P02 where it can't be kept.
pub(crate) fn check_keepable(name: &str, is_superuser: bool) -> Result<()> {
    const OF_SESSIONS: &[&str] = &[
        "role",
        "session_authorization",
        "transaction_deferrable",
        "transaction_isolation",
        "transaction_read_only",
    ];
    if OF_SESSIONS.contains(&name) {
        return Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be set for a role or for all sessions"),
        ));
    }
    definition(name).map_or(Ok(()), |definition| definition.check_changeable(is_superuser))
}

/// The setting of this lower-case name.
pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    SETTINGS.iter().find(|definition| definition.name == name)
}

pub(crate) const LEVELS: &[&str] =
    &["serializable", "repeatable read", "read committed", "read uncommitted"];

macro_rules! settings {
    ($($name:literal $spelling:literal = $default:literal, $kind:expr, $who:ident, $reported:literal, $category:literal, $description:literal;)*) => {
        /// Every setting, sorted by name.
        pub(crate) static SETTINGS: &[Definition] = &[$(Definition {
            name: $name, spelling: $spelling, default: $default, kind: $kind, who: Who::$who,
            reported: $reported, category: $category, description: $description,
        },)*];
    };
}

const LOGGING: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];

settings! {
    "application_name" "application_name" = "", Kind::Text, User, true, "Reporting and Logging / What to Log", "Sets the application name to be reported in statistics and logs.";
    "bytea_output" "bytea_output" = "hex", Kind::Enum(&["escape", "hex"]), User, false, "Client Connection Defaults / Statement Behavior", "Sets the output format for bytea.";
    "check_function_bodies" "check_function_bodies" = "on", Kind::Bool, User, false, "Client Connection Defaults / Statement Behavior", "Checks routine bodies during CREATE FUNCTION and CREATE PROCEDURE.";
    "client_encoding" "client_encoding" = "UTF8", Kind::Encoding, User, true, "Client Connection Defaults / Locale and Formatting", "Sets the client's character set encoding.";
    "client_min_messages" "client_min_messages" = "notice", Kind::Enum(LOGGING), User, false, "Client Connection Defaults / Statement Behavior", "Sets the message levels that are sent to the client.";
    "datestyle" "DateStyle" = "ISO, MDY", Kind::DateStyle, User, true, "Client Connection Defaults / Locale and Formatting", "Sets the display format for date and time values.";
    "deadlock_timeout" "deadlock_timeout" = "1s", Kind::Milliseconds, Superuser, false, "Lock Management", "Sets the time to wait on a lock before checking for deadlock.";
    "default_table_access_method" "default_table_access_method" = "heap", Kind::Enum(&["heap"]), User, false, "Client Connection Defaults / Statement Behavior", "Sets the default table access method for new tables.";
    "default_table_kind" "default_table_kind" = "", Kind::Enum(&["", "user", "shared", "private"]), User, false, "Client Connection Defaults / Statement Behavior", "Sets the kind of tables created without WITH (kind = ...).";
    "default_tablespace" "default_tablespace" = "", Kind::Tablespace, User, false, "Client Connection Defaults / Statement Behavior", "Sets the default tablespace to create tables and indexes in.";
    "default_transaction_deferrable" "default_transaction_deferrable" = "off", Kind::Bool, User, false, "Client Connection Defaults / Statement Behavior", "Sets the default deferrable status of new transactions.";
    "default_transaction_isolation" "default_transaction_isolation" = "read committed", Kind::Isolation, User, false, "Client Connection Defaults / Statement Behavior", "Sets the transaction isolation level of each new transaction.";
    "default_transaction_read_only" "default_transaction_read_only" = "off", Kind::Bool, User, true, "Client Connection Defaults / Statement Behavior", "Sets the default read-only status of new transactions.";
    "default_with_oids" "default_with_oids" = "off", Kind::Fixed(&["on", "off"]), User, false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "WITH OIDS is no longer supported; this can only be false.";
    "extra_float_digits" "extra_float_digits" = "1", Kind::Integer { min: -15, max: 3 }, User, false, "Client Connection Defaults / Locale and Formatting", "Sets the number of digits displayed for floating-point values.";
    "idle_in_transaction_session_timeout" "idle_in_transaction_session_timeout" = "0", Kind::Milliseconds, User, false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed idle time between queries, when in a transaction.";
    "idle_session_timeout" "idle_session_timeout" = "0", Kind::Milliseconds, User, false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed idle time between queries, when not in a transaction.";
    "integer_datetimes" "integer_datetimes" = "on", Kind::Bool, Internal, true, "Preset Options", "Shows whether datetimes are integer based.";
    "intervalstyle" "IntervalStyle" = "postgres", Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), User, true, "Client Connection Defaults / Locale and Formatting", "Sets the display format for interval values.";
    "is_superuser" "is_superuser" = "off", Kind::Bool, Internal, true, "Preset Options", "Shows whether the current user is a superuser.";
    "lc_collate" "lc_collate" = "C.UTF-8", Kind::Text, Internal, false, "Preset Options", "Shows the collation order locale.";
    "lc_ctype" "lc_ctype" = "C.UTF-8", Kind::Text, Internal, false, "Preset Options", "Shows the character classification and case conversion locale.";
    "lock_timeout" "lock_timeout" = "0", Kind::Milliseconds, User, false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed duration of any wait for a lock.";
    "max_connections" "max_connections" = "5000", Kind::Integer { min: 1, max: 262_143 }, Server, false, "Connections and Authentication / Connection Settings", "Sets the maximum number of concurrent connections.";
    "max_identifier_length" "max_identifier_length" = "63", Kind::Integer { min: 63, max: 63 }, Internal, false, "Preset Options", "Shows the maximum identifier length.";
    "max_index_keys" "max_index_keys" = "32", Kind::Integer { min: 32, max: 32 }, Internal, false, "Preset Options", "Shows the maximum number of index keys.";
    "max_prepared_transactions" "max_prepared_transactions" = "0", Kind::Integer { min: 0, max: 0 }, Server, false, "Resource Usage / Memory", "Sets the maximum number of simultaneously prepared transactions.";
    "role" "role" = "none", Kind::Text, User, false, "Client Connection Defaults / Statement Behavior", "Sets the current role.";
    "row_security" "row_security" = "on", Kind::Bool, User, false, "Client Connection Defaults / Statement Behavior", "Enables row security.";
    "search_path" "search_path" = "\"$user\", public", Kind::Names, User, false, "Client Connection Defaults / Statement Behavior", "Sets the schema search order for names that are not schema-qualified.";
    "server_encoding" "server_encoding" = "UTF8", Kind::Text, Internal, true, "Preset Options", "Shows the server (database) character set encoding.";
    "server_version" "server_version" = "15.0", Kind::Text, Internal, true, "Preset Options", "Shows the server version.";
    "server_version_num" "server_version_num" = "150000", Kind::Text, Internal, false, "Preset Options", "Shows the server version as an integer.";
    "session_authorization" "session_authorization" = "", Kind::Text, User, true, "Client Connection Defaults / Statement Behavior", "Sets the session user name.";
    "standard_conforming_strings" "standard_conforming_strings" = "on", Kind::Fixed(&["on", "off"]), User, true, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Causes '...' strings to treat backslashes literally.";
    "statement_timeout" "statement_timeout" = "0", Kind::Milliseconds, User, false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed duration of any statement.";
    "synchronous_commit" "synchronous_commit" = "on", Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"]), User, false, "Write-Ahead Log / Settings", "Sets the current transaction's synchronization level.";
    "timezone" "TimeZone" = "UTC", Kind::TimeZone, User, true, "Client Connection Defaults / Locale and Formatting", "Sets the time zone for displaying and interpreting time stamps.";
    "transaction_deferrable" "transaction_deferrable" = "off", Kind::Bool, User, false, "Client Connection Defaults / Statement Behavior", "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.";
    "transaction_isolation" "transaction_isolation" = "read committed", Kind::Isolation, User, false, "Client Connection Defaults / Statement Behavior", "Sets the current transaction's isolation level.";
    "transaction_read_only" "transaction_read_only" = "off", Kind::Bool, User, false, "Client Connection Defaults / Statement Behavior", "Sets the current transaction's read-only status.";
    "xmloption" "xmloption" = "content", Kind::Fixed(&["content", "document"]), User, false, "Client Connection Defaults / Statement Behavior", "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_their_defaults_are_values() {
        assert!(SETTINGS.is_sorted_by_key(|definition| definition.name));
        for definition in SETTINGS {
            if !definition.default.is_empty() {
                let checked = super::super::check(definition.name, definition.default).unwrap();
                assert_eq!(checked, definition.default, "{}", definition.name);
            }
            assert_eq!(definition.spelling.to_lowercase(), definition.name);
        }
    }
}
