//! One constructor per condition, in PostgreSQL's words.

use kalamdb_storage::ErrorKind;

use super::{Error, SqlState};

const NO_FUNCTION_HINT: &str = "No function matches the given name and argument types. \
     You might need to add explicit type casts.";
const NO_OPERATOR_HINT: &str = "No operator matches the given name and argument types. \
     You might need to add explicit type casts.";

/// Names: what isn't there, is there twice, or may not be touched.
impl Error {
    /// `relation "t" does not exist`
    pub fn undefined_table(name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
    }

    /// `missing FROM-clause entry for table "t"`
    pub fn missing_from_entry(name: &str) -> Self {
        let message = format!("missing FROM-clause entry for table \"{name}\"");
        Self::new(SqlState::UNDEFINED_TABLE, message)
    }

    /// `column "c" does not exist`; `name` is `c`, or `t.c` for the unquoted form.
    pub fn undefined_column(name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
    }

    /// `column t.c does not exist`
    pub fn undefined_qualified_column(table: &str, column: &str) -> Self {
        Self::new(SqlState::UNDEFINED_COLUMN, format!("column {table}.{column} does not exist"))
    }

    /// `column "c" of relation "t" does not exist`
    pub fn undefined_column_of(column: &str, table: &str) -> Self {
        let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
        Self::new(SqlState::UNDEFINED_COLUMN, message)
    }

    /// `column reference "c" is ambiguous`
    pub fn ambiguous_column(name: &str) -> Self {
        Self::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous"))
    }

    /// `function f(integer) does not exist`; `signature` is `f(integer)`.
    pub fn undefined_function(signature: &str) -> Self {
        let message = format!("function {signature} does not exist");
        Self::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(NO_FUNCTION_HINT)
    }

    /// `function f(unknown) is not unique`
    pub fn ambiguous_function(signature: &str) -> Self {
        Self::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {signature} is not unique"))
            .with_hint(
                "Could not choose a best candidate function. \
                 You might need to add explicit type casts.",
            )
    }

    /// `operator does not exist: integer = text`
    pub fn undefined_operator(signature: &str) -> Self {
        Self::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {signature}"))
            .with_hint(NO_OPERATOR_HINT)
    }

    /// `operator is not unique: unknown + unknown`
    pub fn ambiguous_operator(signature: &str) -> Self {
        Self::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {signature}"))
            .with_hint(
                "Could not choose a best candidate operator. \
                 You might need to add explicit type casts.",
            )
    }

    /// `type "x" does not exist`
    pub fn undefined_type(name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
    }

    /// `role "x" does not exist`
    pub fn undefined_role(name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
    }

    /// `constraint "c" of relation "t" does not exist`
    pub fn undefined_constraint(constraint: &str, table: &str) -> Self {
        let message = format!("constraint \"{constraint}\" of relation \"{table}\" does not exist");
        Self::new(SqlState::UNDEFINED_OBJECT, message)
    }

    /// `index "i" does not exist`, for any kind of object that 42704 speaks of.
    pub fn undefined_object(kind: &str, name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist"))
    }

    /// `unrecognized configuration parameter "x"`
    pub fn undefined_setting(name: &str) -> Self {
        let message = format!("unrecognized configuration parameter \"{name}\"");
        Self::new(SqlState::UNDEFINED_OBJECT, message)
    }

    /// 42P16: something temporary under the name of a schema that isn't.
    pub(crate) fn not_temporary_schema() -> Self {
        Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "cannot create temporary relation in non-temporary schema",
        )
    }

    /// `schema "s" does not exist`
    pub fn undefined_schema(name: &str) -> Self {
        Self::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    }

    /// `database "d" does not exist`
    pub fn undefined_database(name: &str) -> Self {
        Self::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
    }

    /// `role 16390 was concurrently dropped`
    pub(crate) fn dropped_role(role: crate::types::Oid) -> Self {
        let message = format!("role {} was concurrently dropped", role.0);
        Self::new(SqlState::UNDEFINED_OBJECT, message)
    }

    /// `there is no parameter $3`
    pub fn undefined_parameter(number: usize) -> Self {
        Self::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${number}"))
    }

    /// `could not determine data type of parameter $1`
    pub fn indeterminate_parameter(number: usize) -> Self {
        let message = format!("could not determine data type of parameter ${number}");
        Self::new(SqlState::INDETERMINATE_DATATYPE, message)
    }

    /// `prepared statement "s" does not exist`
    pub fn undefined_prepared(name: &str) -> Self {
        let message = format!("prepared statement \"{name}\" does not exist");
        Self::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
    }

    /// `cursor "c" does not exist`
    pub fn undefined_cursor(name: &str) -> Self {
        Self::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
    }

    /// `portal "p" does not exist`
    pub fn undefined_portal(name: &str) -> Self {
        Self::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
    }

    /// `savepoint "s" does not exist`
    pub fn undefined_savepoint(name: &str) -> Self {
        let message = format!("savepoint \"{name}\" does not exist");
        Self::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, message)
    }

    /// `relation "t" already exists`
    pub fn duplicate_table(name: &str) -> Self {
        Self::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
    }

    /// `column "c" of relation "t" already exists`
    pub fn duplicate_column(column: &str, table: &str) -> Self {
        let message = format!("column \"{column}\" of relation \"{table}\" already exists");
        Self::new(SqlState::DUPLICATE_COLUMN, message)
    }

    /// `column "c" specified more than once`
    pub fn column_twice(column: &str) -> Self {
        let message = format!("column \"{column}\" specified more than once");
        Self::new(SqlState::DUPLICATE_COLUMN, message)
    }

    /// `schema "s" already exists`
    pub fn duplicate_schema(name: &str) -> Self {
        Self::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"))
    }

    /// `database "d" already exists`
    pub fn duplicate_database(name: &str) -> Self {
        Self::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
    }

    /// `role "r" already exists`, for any kind of object that 42710 speaks of.
    pub fn duplicate_object(kind: &str, name: &str) -> Self {
        Self::new(SqlState::DUPLICATE_OBJECT, format!("{kind} \"{name}\" already exists"))
    }

    /// `table name "t" specified more than once`
    pub fn duplicate_alias(name: &str) -> Self {
        let message = format!("table name \"{name}\" specified more than once");
        Self::new(SqlState::DUPLICATE_ALIAS, message)
    }

    /// `cursor "c" already exists`
    pub fn duplicate_cursor(name: &str) -> Self {
        Self::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists"))
    }

    /// `prepared statement "s" already exists`
    pub fn duplicate_prepared(name: &str) -> Self {
        let message = format!("prepared statement \"{name}\" already exists");
        Self::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message)
    }

    /// `"t" is not a view`; `what` carries its article.
    pub fn wrong_object_type(name: &str, what: &str) -> Self {
        Self::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not {what}"))
    }

    /// `cannot drop table t because other objects depend on it`
    pub fn dependent_objects(object: &str, detail: impl Into<String>) -> Self {
        let it = if object == "desired object(s)" { "them" } else { "it" };
        let message = format!("cannot drop {object} because other objects depend on {it}");
        Self::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(detail)
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
    }

    /// `permission denied for table t`; `object` is `table t`.
    pub fn insufficient_privilege(object: &str) -> Self {
        let message = format!("permission denied for {object}");
        Self::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
    }

    /// `must be owner of table t`
    pub fn must_be_owner(object: &str) -> Self {
        Self::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {object}"))
    }
}

/// Constraints.
impl Error {
    /// `null value in column "c" of relation "t" violates not-null constraint`; `row` is the
    /// failing row as PostgreSQL prints it, `(1, null)`.
    pub fn not_null_violation(schema: &str, table: &str, column: &str, row: &str) -> Self {
        Self::new(
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "null value in column \"{column}\" of relation \"{table}\" \
                 violates not-null constraint"
            ),
        )
        .with_detail(format!("Failing row contains {row}."))
        .on_table(schema, table)
        .on_column(column)
    }

    /// `duplicate key value violates unique constraint "c"`; `key` is `(a)=(1)`.
    pub fn unique_violation(constraint: &str, key: &str) -> Self {
        Self::new(
            SqlState::UNIQUE_VIOLATION,
            format!("duplicate key value violates unique constraint \"{constraint}\""),
        )
        .with_detail(format!("Key {key} already exists."))
        .on_constraint(constraint)
    }

    /// `new row for relation "t" violates check constraint "c"`
    pub fn check_violation(schema: &str, table: &str, constraint: &str, row: &str) -> Self {
        Self::new(
            SqlState::CHECK_VIOLATION,
            format!("new row for relation \"{table}\" violates check constraint \"{constraint}\""),
        )
        .with_detail(format!("Failing row contains {row}."))
        .on_table(schema, table)
        .on_constraint(constraint)
    }

    /// The referencing side: `insert or update on table "t" violates foreign key constraint "c"`.
    pub fn foreign_key_missing(table: &str, constraint: &str, key: &str, parent: &str) -> Self {
        Self::new(
            SqlState::FOREIGN_KEY_VIOLATION,
            format!(
                "insert or update on table \"{table}\" violates foreign key constraint \
                 \"{constraint}\""
            ),
        )
        .with_detail(format!("Key {key} is not present in table \"{parent}\"."))
        .on_constraint(constraint)
    }

    /// The referenced side: `update or delete on table "p" violates foreign key constraint "c"
    /// on table "t"`.
    pub fn foreign_key_referenced(parent: &str, constraint: &str, table: &str, key: &str) -> Self {
        Self::new(
            SqlState::FOREIGN_KEY_VIOLATION,
            format!(
                "update or delete on table \"{parent}\" violates foreign key constraint \
                 \"{constraint}\" on table \"{table}\""
            ),
        )
        .with_detail(format!("Key {key} is still referenced from table \"{table}\"."))
        .on_constraint(constraint)
    }
}

/// Types and values.
impl Error {
    /// 42804 with a message of its own.
    pub fn datatype_mismatch(message: impl Into<String>) -> Self {
        Self::new(SqlState::DATATYPE_MISMATCH, message)
    }

    /// `UNION types integer and text cannot be matched`
    pub fn types_unmatched(context: &str, left: &str, right: &str) -> Self {
        let message = format!("{context} types {left} and {right} cannot be matched");
        Self::new(SqlState::DATATYPE_MISMATCH, message)
    }

    /// `column "c" is of type integer but expression is of type text`
    pub fn column_type_mismatch(column: &str, wanted: &str, got: &str) -> Self {
        Self::new(
            SqlState::DATATYPE_MISMATCH,
            format!("column \"{column}\" is of type {wanted} but expression is of type {got}"),
        )
        .with_hint("You will need to rewrite or cast the expression.")
    }

    /// `cannot cast type boolean to date`
    pub fn cannot_coerce(from: &str, to: &str) -> Self {
        Self::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}"))
    }

    /// `invalid input syntax for type integer: "x"`
    pub fn invalid_text_representation(type_name: &str, value: &str) -> Self {
        Self::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {type_name}: \"{value}\""),
        )
    }

    /// `invalid input syntax for type date: "x"`, which has a code of its own.
    pub fn invalid_datetime(type_name: &str, value: &str) -> Self {
        Self::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {type_name}: \"{value}\""),
        )
    }

    /// `date/time field value out of range: "2024-13-01"`
    pub fn datetime_field_overflow(value: &str) -> Self {
        Self::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{value}\""),
        )
    }

    /// `timestamp out of range`, `interval out of range`, `date out of range`, ...
    pub fn datetime_out_of_range(what: &str) -> Self {
        Self::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
    }

    /// `time zone "x" not recognized`
    pub fn unknown_time_zone(zone: &str) -> Self {
        let message = format!("time zone \"{zone}\" not recognized");
        Self::new(SqlState::INVALID_PARAMETER_VALUE, message)
    }

    /// `malformed array literal: "{"`
    pub fn malformed_array(value: &str, detail: &str) -> Self {
        Self::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{value}\""),
        )
        .with_detail(detail)
    }

    /// 22P03 with a message of its own, `incorrect binary data format` mostly.
    pub fn invalid_binary_representation(message: impl Into<String>) -> Self {
        Self::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
    }

    /// 22003: `integer out of range`, `value "x" is out of range for type integer`, ...
    pub fn numeric_out_of_range(message: impl Into<String>) -> Self {
        Self::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    }

    /// `division by zero`
    pub fn division_by_zero() -> Self {
        Self::new(SqlState::DIVISION_BY_ZERO, "division by zero")
    }

    /// `value too long for type character varying(3)`
    pub fn string_too_long(type_name: &str) -> Self {
        Self::new(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!("value too long for type {type_name}"),
        )
    }

    /// `invalid byte sequence for encoding "UTF8": 0xff`; `bytes` are the offending ones.
    pub fn invalid_encoding(bytes: &[u8]) -> Self {
        let mut list = String::new();
        for byte in bytes.iter().take(8) {
            list.push_str(&format!(" 0x{byte:02x}"));
        }
        Self::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("invalid byte sequence for encoding \"UTF8\":{list}"),
        )
    }

    /// 22023 with a message of its own.
    pub fn invalid_parameter_value(message: impl Into<String>) -> Self {
        Self::new(SqlState::INVALID_PARAMETER_VALUE, message)
    }

    /// `invalid value for parameter "x": "y"`
    pub fn invalid_setting_value(name: &str, value: &str) -> Self {
        Self::invalid_parameter_value(format!(
            "invalid value for parameter \"{name}\": \"{value}\""
        ))
    }

    /// `more than one row returned by a subquery used as an expression`
    pub fn cardinality_violation() -> Self {
        Self::new(
            SqlState::CARDINALITY_VIOLATION,
            "more than one row returned by a subquery used as an expression",
        )
    }
}

/// Statements and transactions.
impl Error {
    /// 0A000 with a sentence.
    pub fn feature_not_supported(message: impl Into<String>) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// `syntax error at or near "x"`, or another message of the parser.
    pub fn syntax_error(message: impl Into<String>) -> Self {
        Self::new(SqlState::SYNTAX_ERROR, message)
    }

    /// `syntax error at or near "x"`
    pub fn syntax_error_near(token: &str) -> Self {
        Self::syntax_error(format!("syntax error at or near \"{token}\""))
    }

    /// `column "t.c" must appear in the GROUP BY clause or be used in an aggregate function`
    pub fn not_grouped(column: &str) -> Self {
        Self::new(
            SqlState::GROUPING_ERROR,
            format!(
                "column \"{column}\" must appear in the GROUP BY clause or be used in an \
                 aggregate function"
            ),
        )
    }

    /// 42803: `aggregate functions are not allowed in WHERE`, ...
    pub fn grouping_error(message: impl Into<String>) -> Self {
        Self::new(SqlState::GROUPING_ERROR, message)
    }

    /// `current transaction is aborted, commands ignored until end of transaction block`
    pub fn in_failed_transaction() -> Self {
        Self::new(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        )
    }

    /// `VACUUM cannot run inside a transaction block`
    pub fn active_transaction(statement: &str) -> Self {
        Self::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            format!("{statement} cannot run inside a transaction block"),
        )
    }

    /// `SAVEPOINT can only be used in transaction blocks`
    pub fn no_active_transaction(statement: &str) -> Self {
        Self::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{statement} can only be used in transaction blocks"),
        )
    }

    /// `cannot execute INSERT in a read-only transaction`
    pub fn read_only_transaction(statement: &str) -> Self {
        Self::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {statement} in a read-only transaction"),
        )
    }

    /// `deadlock detected`
    pub fn deadlock(detail: impl Into<String>) -> Self {
        Self::new(SqlState::DEADLOCK_DETECTED, "deadlock detected").with_detail(detail)
    }

    /// `could not serialize access due to concurrent update`
    pub fn serialization_failure() -> Self {
        Self::new(
            SqlState::SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent update",
        )
    }

    /// `could not obtain lock on row in relation "t"`
    pub fn lock_not_available(table: &str) -> Self {
        Self::new(
            SqlState::LOCK_NOT_AVAILABLE,
            format!("could not obtain lock on row in relation \"{table}\""),
        )
    }

    /// `canceling statement due to lock timeout`
    pub fn lock_timeout() -> Self {
        Self::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
    }

    /// `canceling statement due to user request`
    pub fn query_canceled() -> Self {
        Self::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
    }

    /// `COPY from stdin failed: reason`
    pub fn query_canceled_by_copy(reason: &str) -> Self {
        Self::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"))
    }

    /// `canceling statement due to statement timeout`
    pub fn statement_timeout() -> Self {
        Self::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
    }

    /// `terminating connection due to administrator command`
    pub fn admin_shutdown() -> Self {
        let message = "terminating connection due to administrator command";
        Self::new(SqlState::ADMIN_SHUTDOWN, message).fatal()
    }

    /// 54000 and its kin: a named limit was reached.
    pub fn program_limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
    }

    /// 55000 with a message of its own.
    pub fn object_not_in_prerequisite_state(message: impl Into<String>) -> Self {
        Self::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
    }

    /// XX000: a bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// What storage says, in SQL's terms.
    pub fn from_storage(error: &kalamdb_storage::Error) -> Self {
        let sqlstate = match error.kind() {
            ErrorKind::Conflict => SqlState::SERIALIZATION_FAILURE,
            ErrorKind::Unavailable => SqlState::IO_ERROR,
            ErrorKind::Full => SqlState::PROGRAM_LIMIT_EXCEEDED,
            ErrorKind::NoSpace => SqlState::DISK_FULL,
            ErrorKind::Corrupt => SqlState::DATA_CORRUPTED,
            ErrorKind::Closed => SqlState::ADMIN_SHUTDOWN,
            ErrorKind::Invalid => SqlState::INTERNAL_ERROR,
            ErrorKind::Fenced | ErrorKind::NotOwner => SqlState::CANNOT_CONNECT_NOW,
            ErrorKind::Unknown => SqlState::STATEMENT_COMPLETION_UNKNOWN,
        };
        Self::new(sqlstate, error.message())
    }
}
