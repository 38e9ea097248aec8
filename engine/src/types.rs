//! PostgreSQL's types: their names, OIDs and modifiers, and how a value looks outside.
//!
//! The catalog knows a value's type as a [`PgType`]; Arrow only knows how it is kept in memory
//! ([`PgType::arrow`]). Text and binary forms of every type live below this module once: the wire,
//! COPY and casts to and from text all use them ([`input`], [`output`], [`encode`]).

use arrow::datatypes::DataType;
use kalamdb_storage::ColumnType;

use crate::error::{Error, Result};

pub(crate) mod array;
pub(crate) mod binary;
pub(crate) mod builtin;
pub(crate) mod bytea;
pub(crate) mod datetime;
pub(crate) mod datetime_parse;
pub(crate) mod encode;
pub(crate) mod float;
pub(crate) mod input;
pub(crate) mod interval;
pub(crate) mod json;
pub(crate) mod jsonpath;
pub(crate) mod names;
pub(crate) mod numeric;
pub(crate) mod output;
pub(crate) mod settings;
pub(crate) mod timetz;
pub(crate) mod timezone;
pub(crate) mod uuid;

pub(crate) use builtin::{BuiltinType, TypeKind, builtin, builtin_by_name, builtins};
pub use encode::Format;
pub(crate) use encode::{BoundEncoder, RowEncoder};
pub(crate) use input::{decode_parameter, input_array, input_scalar};
pub(crate) use names::{format_type, parse_type_name};
pub(crate) use settings::{
    ByteaOutput, DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone,
};

/// An object's number in the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub u32);

impl std::fmt::Display for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// OIDs of the types that code names.
#[allow(missing_docs, reason = "each is the OID of the type it is named for")]
impl Oid {
    pub const INVALID: Oid = Oid(0);
    pub const BOOL: Oid = Oid(16);
    pub const BYTEA: Oid = Oid(17);
    pub const CHAR: Oid = Oid(18);
    pub const NAME: Oid = Oid(19);
    pub const INT8: Oid = Oid(20);
    pub const INT2: Oid = Oid(21);
    pub const INT2VECTOR: Oid = Oid(22);
    pub const INT4: Oid = Oid(23);
    pub const REGPROC: Oid = Oid(24);
    pub const TEXT: Oid = Oid(25);
    pub const OID: Oid = Oid(26);
    pub const TID: Oid = Oid(27);
    pub const XID: Oid = Oid(28);
    pub const CID: Oid = Oid(29);
    pub const OIDVECTOR: Oid = Oid(30);
    pub const JSON: Oid = Oid(114);
    pub const PG_NODE_TREE: Oid = Oid(194);
    pub const FLOAT4: Oid = Oid(700);
    pub const FLOAT8: Oid = Oid(701);
    pub const UNKNOWN: Oid = Oid(705);
    pub const ACLITEM: Oid = Oid(1033);
    pub const BPCHAR: Oid = Oid(1042);
    pub const VARCHAR: Oid = Oid(1043);
    pub const DATE: Oid = Oid(1082);
    pub const TIME: Oid = Oid(1083);
    pub const TIMESTAMP: Oid = Oid(1114);
    pub const TIMESTAMPTZ: Oid = Oid(1184);
    pub const INTERVAL: Oid = Oid(1186);
    pub const TIMETZ: Oid = Oid(1266);
    pub const NUMERIC: Oid = Oid(1700);
    pub const REGPROCEDURE: Oid = Oid(2202);
    pub const REGOPER: Oid = Oid(2203);
    pub const REGOPERATOR: Oid = Oid(2204);
    pub const REGCLASS: Oid = Oid(2205);
    pub const REGTYPE: Oid = Oid(2206);
    pub const RECORD: Oid = Oid(2249);
    pub const RECORD_ARRAY: Oid = Oid(2287);
    pub const CSTRING: Oid = Oid(2275);
    pub const ANY: Oid = Oid(2276);
    pub const ANYARRAY: Oid = Oid(2277);
    pub const VOID: Oid = Oid(2278);
    pub const TRIGGER: Oid = Oid(2279);
    pub const INTERNAL: Oid = Oid(2281);
    pub const ANYELEMENT: Oid = Oid(2283);
    pub const ANYNONARRAY: Oid = Oid(2776);
    pub const UUID: Oid = Oid(2950);
    pub const ANYENUM: Oid = Oid(3500);
    pub const REGCONFIG: Oid = Oid(3734);
    pub const REGDICTIONARY: Oid = Oid(3769);
    pub const JSONB: Oid = Oid(3802);
    pub const JSONPATH: Oid = Oid(4072);
    pub const REGNAMESPACE: Oid = Oid(4089);
    pub const REGROLE: Oid = Oid(4096);
    pub const REGCOLLATION: Oid = Oid(4191);
    pub const ANYCOMPATIBLE: Oid = Oid(5077);
    pub const ANYCOMPATIBLEARRAY: Oid = Oid(5078);
    pub const ANYCOMPATIBLENONARRAY: Oid = Oid(5079);
    pub const BOOL_ARRAY: Oid = Oid(1000);
    pub const BYTEA_ARRAY: Oid = Oid(1001);
    pub const CHAR_ARRAY: Oid = Oid(1002);
    pub const NAME_ARRAY: Oid = Oid(1003);
    pub const INT2_ARRAY: Oid = Oid(1005);
    pub const INT4_ARRAY: Oid = Oid(1007);
    pub const TEXT_ARRAY: Oid = Oid(1009);
    pub const BPCHAR_ARRAY: Oid = Oid(1014);
    pub const VARCHAR_ARRAY: Oid = Oid(1015);
    pub const INT8_ARRAY: Oid = Oid(1016);
    pub const FLOAT4_ARRAY: Oid = Oid(1021);
    pub const FLOAT8_ARRAY: Oid = Oid(1022);
    pub const OID_ARRAY: Oid = Oid(1028);
    pub const ACLITEM_ARRAY: Oid = Oid(1034);
    pub const TIMESTAMP_ARRAY: Oid = Oid(1115);
    pub const DATE_ARRAY: Oid = Oid(1182);
    pub const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);
    pub const NUMERIC_ARRAY: Oid = Oid(1231);
    pub const UUID_ARRAY: Oid = Oid(2951);
    pub const JSON_ARRAY: Oid = Oid(199);
    pub const JSONB_ARRAY: Oid = Oid(3807);
}

/// A type with its modifier: what the catalog and a row description say of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PgType {
    /// The type.
    pub oid: Oid,
    /// Its modifier as in pg_attribute.atttypmod, -1 for none. An array carries its element's.
    pub typmod: i32,
}

#[allow(missing_docs, reason = "each is the type it is named for, without a modifier")]
impl PgType {
    pub const BOOL: PgType = PgType::plain(Oid::BOOL);
    pub const BYTEA: PgType = PgType::plain(Oid::BYTEA);
    pub const CHAR: PgType = PgType::plain(Oid::CHAR);
    pub const NAME: PgType = PgType::plain(Oid::NAME);
    pub const INT2: PgType = PgType::plain(Oid::INT2);
    pub const INT4: PgType = PgType::plain(Oid::INT4);
    pub const INT8: PgType = PgType::plain(Oid::INT8);
    pub const OID: PgType = PgType::plain(Oid::OID);
    pub const FLOAT4: PgType = PgType::plain(Oid::FLOAT4);
    pub const FLOAT8: PgType = PgType::plain(Oid::FLOAT8);
    pub const NUMERIC: PgType = PgType::plain(Oid::NUMERIC);
    pub const TEXT: PgType = PgType::plain(Oid::TEXT);
    pub const VARCHAR: PgType = PgType::plain(Oid::VARCHAR);
    pub const BPCHAR: PgType = PgType::plain(Oid::BPCHAR);
    pub const UNKNOWN: PgType = PgType::plain(Oid::UNKNOWN);
    pub const UUID: PgType = PgType::plain(Oid::UUID);
    pub const JSON: PgType = PgType::plain(Oid::JSON);
    pub const JSONB: PgType = PgType::plain(Oid::JSONB);
    pub const DATE: PgType = PgType::plain(Oid::DATE);
    pub const TIME: PgType = PgType::plain(Oid::TIME);
    pub const TIMETZ: PgType = PgType::plain(Oid::TIMETZ);
    pub const TIMESTAMP: PgType = PgType::plain(Oid::TIMESTAMP);
    pub const TIMESTAMPTZ: PgType = PgType::plain(Oid::TIMESTAMPTZ);
    pub const INTERVAL: PgType = PgType::plain(Oid::INTERVAL);
    pub const VOID: PgType = PgType::plain(Oid::VOID);
    pub const RECORD: PgType = PgType::plain(Oid::RECORD);
}

/// typmods of the character types count the length word, as in PostgreSQL.
pub(crate) const VARHDRSZ: i32 = 4;

impl PgType {
    /// A type without a modifier.
    pub const fn plain(oid: Oid) -> PgType {
        PgType { oid, typmod: -1 }
    }

    /// A type with a modifier.
    pub const fn new(oid: Oid, typmod: i32) -> PgType {
        PgType { oid, typmod }
    }

    /// Whether this is a literal or parameter that hasn't got a type yet.
    pub fn is_unknown(self) -> bool {
        self.oid == Oid::UNKNOWN
    }

    /// The element type of an array type, `None` for other types (the vectors included).
    pub fn element(self) -> Option<PgType> {
        let entry = builtin(self.oid)?;
        let is_array = entry.category == b'A' && entry.delimiter_array();
        ((is_array || self.oid == Oid::RECORD_ARRAY) && entry.element != Oid::INVALID)
            .then_some(PgType { oid: entry.element, typmod: self.typmod })
    }

    /// The element type of what is kept as an Arrow list: arrays, int2vector and oidvector.
    pub(crate) fn list_element(self) -> Option<PgType> {
        match self.oid {
            Oid::INT2VECTOR => Some(PgType::INT2),
            Oid::OIDVECTOR => Some(PgType::OID),
            _ => self.element(),
        }
    }

    /// The array type over this one; an array's is itself, as PostgreSQL has no arrays of arrays.
    pub fn array(self) -> Option<PgType> {
        if self.element().is_some() {
            return Some(self);
        }
        let entry = builtin(self.oid)?;
        (entry.array != Oid::INVALID).then_some(PgType { oid: entry.array, typmod: self.typmod })
    }

    /// The type's name as PostgreSQL prints it: `character varying(10)`, `integer[]`.
    pub fn name(self) -> String {
        format_type(self.oid, self.typmod)
    }

    /// `pg_type.typlen`, what a RowDescription says.
    pub fn length(self) -> i16 {
        builtin(self.oid).map_or(-1, |t| t.length)
    }

    /// How storage keeps it.
    ///
    /// # Errors
    /// 0A000 for a type that columns can't have.
    pub(crate) fn column_type(self) -> Result<ColumnType> {
        if let Some(element) = self.list_element() {
            return Ok(ColumnType::List(Box::new(element.column_type()?)));
        }
        Ok(match self.oid {
            Oid::BOOL => ColumnType::Bool,
            Oid::INT2 => ColumnType::Int16,
            Oid::INT4 => ColumnType::Int32,
            Oid::INT8 => ColumnType::Int64,
            Oid::FLOAT4 => ColumnType::Float32,
            Oid::FLOAT8 => ColumnType::Float64,
            Oid::NUMERIC => ColumnType::Numeric,
            Oid::BYTEA => ColumnType::Binary,
            Oid::UUID => ColumnType::Uuid,
            Oid::DATE => ColumnType::Date,
            Oid::TIME => ColumnType::Time,
            // As one number, see `timetz`.
            Oid::TIMETZ => ColumnType::Int64,
            Oid::TIMESTAMP => ColumnType::Timestamp,
            Oid::TIMESTAMPTZ => ColumnType::TimestampTz,
            Oid::INTERVAL => ColumnType::Interval,
            oid if is_oid_like(oid) => ColumnType::UInt32,
            oid if is_text_like(oid) => ColumnType::Text,
            _ => return Err(unsupported(self)),
        })
    }

    /// How it is kept in memory.
    ///
    /// # Errors
    /// 0A000 for types that have no values here.
    pub fn arrow(self) -> Result<DataType> {
        if let Some(element) = self.list_element() {
            return Ok(list_of(element.arrow()?));
        }
        Ok(match self.oid {
            Oid::BOOL => DataType::Boolean,
            Oid::INT2 => DataType::Int16,
            Oid::INT4 => DataType::Int32,
            Oid::INT8 => DataType::Int64,
            Oid::FLOAT4 => DataType::Float32,
            Oid::FLOAT8 => DataType::Float64,
            Oid::NUMERIC | Oid::BYTEA => DataType::Binary,
            Oid::UUID => DataType::FixedSizeBinary(16),
            Oid::DATE => DataType::Date32,
            Oid::TIMETZ => DataType::Int64,
            Oid::TIME => DataType::Time64(arrow::datatypes::TimeUnit::Microsecond),
            Oid::TIMESTAMP => timestamp_type(false),
            Oid::TIMESTAMPTZ => timestamp_type(true),
            Oid::INTERVAL => DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
            // A value of no information, which isn't NULL.
            Oid::VOID => DataType::Utf8,
            // A row is kept as its text, see `functions::record`.
            Oid::RECORD => DataType::Utf8,
            oid if is_oid_like(oid) => DataType::UInt32,
            oid if is_text_like(oid) => DataType::Utf8,
            _ => return Err(unsupported(self)),
        })
    }
}

fn unsupported(ty: PgType) -> Error {
    Error::feature_not_supported(format!("type {} is not supported", ty.name()))
}

/// Kept as UInt32.
pub(crate) fn is_oid_like(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::OID
            | Oid::XID
            | Oid::CID
            | Oid::REGPROC
            | Oid::REGPROCEDURE
            | Oid::REGOPER
            | Oid::REGOPERATOR
            | Oid::REGCLASS
            | Oid::REGTYPE
            | Oid::REGROLE
            | Oid::REGNAMESPACE
            | Oid::REGCONFIG
            | Oid::REGDICTIONARY
            | Oid::REGCOLLATION
    )
}

/// Kept as Utf8.
pub(crate) fn is_text_like(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::TEXT
            | Oid::VARCHAR
            | Oid::BPCHAR
            | Oid::NAME
            | Oid::CHAR
            | Oid::JSON
            | Oid::JSONB
            | Oid::JSONPATH
            | Oid::UNKNOWN
            | Oid::CSTRING
            | Oid::ACLITEM
            | Oid::TID
            | Oid::PG_NODE_TREE
    )
}

/// The Arrow type of timestamp (`zoned` false) and timestamptz.
pub(crate) fn timestamp_type(zoned: bool) -> DataType {
    DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zoned.then(|| "UTC".into()))
}

/// The Arrow type of an array.
pub(crate) fn list_of(element: DataType) -> DataType {
    DataType::List(std::sync::Arc::new(arrow::datatypes::Field::new("item", element, true)))
}
