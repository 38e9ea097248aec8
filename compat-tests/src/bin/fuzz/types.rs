//! The types that expressions have, and the values that rows and constants take.
//!
//! Values come from small pools, so that equal ones meet in joins, groups and conditions. No pool
//! holds two texts of one value (`1.0` and `1.00`, `1 mon` and `30 days`): which of them stands for
//! a group is the server's choice.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// A type of PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Type {
    Bool,
    Int2,
    Int4,
    Int8,
    Numeric,
    Float8,
    Text,
    Varchar,
    Date,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Jsonb,
    Bytea,
    Int4Array,
    TextArray,
}

/// Every type.
pub(crate) const ALL: &[Type] = &[
    Type::Bool,
    Type::Int2,
    Type::Int4,
    Type::Int8,
    Type::Numeric,
    Type::Float8,
    Type::Text,
    Type::Varchar,
    Type::Date,
    Type::Timestamp,
    Type::Timestamptz,
    Type::Interval,
    Type::Uuid,
    Type::Jsonb,
    Type::Bytea,
    Type::Int4Array,
    Type::TextArray,
];

/// The types that most columns of most schemas have.
pub(crate) const COMMON: &[Type] = &[
    Type::Int4,
    Type::Int4,
    Type::Int8,
    Type::Text,
    Type::Text,
    Type::Numeric,
    Type::Bool,
    Type::Date,
];

/// The types that have `min` and `max`.
pub(crate) const WITH_MAXIMUM: &[Type] = &[
    Type::Int2,
    Type::Int4,
    Type::Int8,
    Type::Numeric,
    Type::Float8,
    Type::Text,
    Type::Date,
    Type::Timestamp,
    Type::Timestamptz,
    Type::Interval,
];

impl Type {
    /// The name, as a cast writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int2 => "int2",
            Type::Int4 => "int4",
            Type::Int8 => "int8",
            Type::Numeric => "numeric",
            Type::Float8 => "float8",
            Type::Text => "text",
            Type::Varchar => "varchar(8)",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
            Type::Timestamptz => "timestamptz",
            Type::Interval => "interval",
            Type::Uuid => "uuid",
            Type::Jsonb => "jsonb",
            Type::Bytea => "bytea",
            Type::Int4Array => "int4[]",
            Type::TextArray => "text[]",
        }
    }

    /// The OID, as Parse declares it.
    pub(crate) fn oid(self) -> u32 {
        match self {
            Type::Bool => 16,
            Type::Int2 => 21,
            Type::Int4 => 23,
            Type::Int8 => 20,
            Type::Numeric => 1700,
            Type::Float8 => 701,
            Type::Text => 25,
            Type::Varchar => 1043,
            Type::Date => 1082,
            Type::Timestamp => 1114,
            Type::Timestamptz => 1184,
            Type::Interval => 1186,
            Type::Uuid => 2950,
            Type::Jsonb => 3802,
            Type::Bytea => 17,
            Type::Int4Array => 1007,
            Type::TextArray => 1009,
        }
    }

    /// The name of the column that the tables have of this type.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Type::Bool => "bo",
            Type::Int2 => "s",
            Type::Int4 => "a",
            Type::Int8 => "b",
            Type::Numeric => "n",
            Type::Float8 => "f",
            Type::Text => "t",
            Type::Varchar => "v",
            Type::Date => "d",
            Type::Timestamp => "ts",
            Type::Timestamptz => "tz",
            Type::Interval => "iv",
            Type::Uuid => "u",
            Type::Jsonb => "j",
            Type::Bytea => "by",
            Type::Int4Array => "ia",
            Type::TextArray => "ta",
        }
    }

    /// Values that any arithmetic of a few steps bears.
    fn tame(self) -> &'static [&'static str] {
        match self {
            Type::Bool => &["t", "f"],
            Type::Int2 => &["0", "1", "2", "3", "5", "-2"],
            Type::Int4 => &["0", "1", "2", "3", "4", "5", "7", "10", "-1"],
            Type::Int8 => &["0", "1", "2", "3", "5", "10", "-3", "5000000000"],
            Type::Numeric => &["0", "1", "2.5", "3.75", "-0.5", "7", "10", "2"],
            Type::Float8 => &["0", "1", "1.5", "2.5", "-0.25", "3", "100"],
            Type::Text => &["a", "b", "abc", "", "Abc", "x y", "10", "c"],
            Type::Varchar => &["a", "b", "abc", "", "zed", "3"],
            Type::Date => &["2024-01-15", "2024-02-29", "1999-12-31", "2000-01-01", "2024-03-31"],
            Type::Timestamp => &[
                "2024-01-15 12:34:56.789",
                "2024-01-15 00:00:00",
                "2024-03-31 02:30:00",
                "1999-12-31 23:59:59.999999",
                "2000-01-01 00:00:00",
            ],
            Type::Timestamptz => &[
                "2024-01-15 12:34:56.789+00",
                "2024-03-31 00:30:00+00",
                "2024-10-27 01:30:00+00",
                "1999-12-31 23:59:59+00",
            ],
            Type::Interval => {
                &["1 day", "02:00:00", "1 mon", "1 year 3 days", "-1 day", "00:00:01.5"]
            }
            Type::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "11111111-2222-3333-4444-555555555555",
            ],
            Type::Jsonb => &[
                "null",
                "1",
                "\"a\"",
                "{\"a\": 1, \"b\": \"x\"}",
                "[1, 2, \"a\", null]",
                "{\"a\": {\"b\": [1, 2]}}",
                "{}",
                "true",
            ],
            Type::Bytea => &["\\x", "\\x00", "\\x0aff", "\\x616263"],
            Type::Int4Array => &["{}", "{1}", "{1,2,3}", "{3,NULL,1}", "{5,5}"],
            Type::TextArray => &["{}", "{a}", "{a,b,c}", "{c,NULL,a}", "{abc,a}"],
        }
    }

    /// Values at the ends of what the type holds.
    fn extreme(self) -> &'static [&'static str] {
        match self {
            Type::Bool => &["t", "f"],
            Type::Int2 => &["32767", "-32768", "100"],
            Type::Int4 => &["2147483647", "-2147483648", "65536", "100"],
            Type::Int8 => &["9223372036854775807", "-9223372036854775808", "4294967296"],
            Type::Numeric => &[
                "NaN",
                "Infinity",
                "-Infinity",
                "123456789012345678901234567890.123456789",
                "0.000000000000000001",
                "-99999.5",
                "0.5",
                "1.5",
            ],
            Type::Float8 => {
                &["NaN", "Infinity", "-Infinity", "1e308", "1e-320", "0.1", "-0", "0.5", "1e15"]
            }
            Type::Text => &[
                "ÄÖ ü",
                "日本語",
                "a%b_c",
                "\\",
                "'quoted'",
                " pad ",
                "-12",
                "1e3",
                "true",
                "2024-01-15",
            ],
            Type::Varchar => &["ÄÖ ü", "abcdefgh", " p ", "-7"],
            Type::Date => &["infinity", "-infinity", "0001-01-01 BC", "9999-12-31", "1900-02-28"],
            Type::Timestamp => {
                &["infinity", "-infinity", "0044-03-15 12:00:00 BC", "9999-12-31 23:59:59"]
            }
            Type::Timestamptz => {
                &["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "2024-03-31 01:00:00+00"]
            }
            Type::Interval => {
                &["1 year 2 mons -3 days 04:05:06.789", "-00:00:00.000001", "100 years", "30 days"]
            }
            Type::Uuid => &["ffffffff-ffff-ffff-ffff-ffffffffffff"],
            Type::Jsonb => &[
                "1.50",
                "[]",
                "\"\"",
                "[[1, 2], {\"a\": null}]",
                "{\"ä\": \"\\u00e4\\\"\", \"\": 1e3}",
                "-0",
            ],
            Type::Bytea => &["\\xffffffffffffffff", "\\x5c27"],
            Type::Int4Array => &["{NULL}", "{2147483647,-2147483648}", "{1,2,3,4,5,6,7,8,9,10}"],
            Type::TextArray => &["{NULL}", "{\"NULL\",\"\"}", "{\"a b\",\"c\\\"d\",\"{x}\"}"],
        }
    }

    /// A value; `None` is NULL.
    pub(crate) fn any_value(self, rng: &mut StdRng, extremes: bool) -> Option<&'static str> {
        if rng.random_bool(0.1) {
            return None;
        }
        self.some_value(rng, extremes)
    }

    /// A value that isn't NULL.
    pub(crate) fn some_value(self, rng: &mut StdRng, extremes: bool) -> Option<&'static str> {
        let pool = if extremes && rng.random_bool(0.5) { self.extreme() } else { self.tame() };
        pool.choose(rng).copied()
    }
}

/// A text as a constant of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
