//! The shape of a segment's columns and the way between it and the form in memory.
//!
//! Most types are the same on both sides. Two are not, so that plain Parquet tools can read them:
//! numeric is decimal text, interval is a struct of months, days and nanoseconds. Columns are known
//! by field id (the attribute number), never by name: a segment outlives renames and dropped
//! columns. Beside the table's columns stand `_lsn`, `_rowid` (tables without key) and `_deleted`
//! (only where the segment has tombstones).

use super::numeric;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::types::ColumnType;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    ListArray, StringBuilder, StructArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Schema, SchemaRef,
};
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::metadata::SortingColumn;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use std::collections::HashMap;
use std::sync::Arc;

/// Field id of `_lsn`; attribute numbers end far below.
pub(crate) const LSN_FIELD: i32 = 32_001;
/// Field id of `_deleted`.
pub(crate) const DELETED_FIELD: i32 = 32_002;
/// Field id of `_rowid`.
pub(crate) const ROW_ID_FIELD: i32 = 32_003;
/// Metadata key under which a field names its type in memory.
const TYPE_META_KEY: &str = "kalamdb.type";

/// The field id of the column at `index` of a layout.
pub(crate) fn field_id(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX - 1) + 1
}

/// The field id a column of a segment carries.
pub(crate) fn field_id_of(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// The Arrow schema of a new segment: `_lsn`, `_deleted`, `_rowid` as needed, then live columns.
///
/// Columns outside the key are nullable whatever the layout says, for a tombstone has only a key.
pub(crate) fn segment_schema(layout: &Layout, tombstones: bool) -> SchemaRef {
    let taken = |name: &str| layout.columns.iter().any(|c| !c.dropped && c.name == name);
    let own = |name: &str, ty: DataType, id: i32| {
        let mut name = name.to_owned();
        while taken(&name) {
            name.insert(0, '_');
        }
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, ty, false).with_metadata(id)
    };
    let mut fields = vec![own("_lsn", DataType::UInt64, LSN_FIELD)];
    if tombstones {
        fields.push(own("_deleted", DataType::Boolean, DELETED_FIELD));
    }
    if layout.key.is_empty() {
        fields.push(own("_rowid", DataType::Int64, ROW_ID_FIELD));
    }
    for (index, column) in layout.columns.iter().enumerate().filter(|(_, c)| !c.dropped) {
        let metadata = HashMap::from([
            (PARQUET_FIELD_ID_META_KEY.to_owned(), field_id(index).to_string()),
            (TYPE_META_KEY.to_owned(), type_name(&column.ty)),
        ]);
        let nullable = !layout.key.contains(&index);
        let field = Field::new(column.name.clone(), stored_type(&column.ty), nullable);
        fields.push(field.with_metadata(metadata));
    }
    Arc::new(Schema::new(fields))
}

/// The Parquet schema of an Arrow schema, uuid columns marked as such.
pub(crate) fn parquet_schema(schema: &Schema) -> Result<SchemaDescriptor> {
    let plain = ArrowSchemaConverter::new().convert(schema).map_err(Error::parquet)?;
    let root = mark_uuids(plain.root_schema(), true)?;
    Ok(SchemaDescriptor::new(root))
}

fn mark_uuids(node: &Type, root: bool) -> Result<TypePtr> {
    let info = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let marked = match node {
        Type::PrimitiveType { physical_type, type_length: 16, .. }
            if *physical_type == PhysicalType::FIXED_LEN_BYTE_ARRAY
                && info.logical_type_ref().is_none() =>
        {
            Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_length(16)
                .with_logical_type(Some(LogicalType::Uuid))
                .with_id(id)
                .build()
        }
        Type::PrimitiveType { .. } => return Ok(Arc::new(node.clone())),
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|f| mark_uuids(f, false)).collect::<Result<Vec<_>>>()?;
            let mut group = Type::group_type_builder(info.name())
                .with_fields(fields)
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_id(id);
            if !root {
                group = group.with_repetition(info.repetition());
            }
            group.build()
        }
    };
    marked.map(Arc::new).map_err(Error::parquet)
}

/// The sorting a reader may rely on: key columns as long as their stored order is the key's order.
pub(crate) fn sorting_columns(layout: &Layout, schema: &SchemaDescriptor) -> Vec<SortingColumn> {
    let leaf = |id: i32| {
        (0..schema.num_columns()).find(|leaf| {
            let info = schema.get_column_root(*leaf).get_basic_info();
            info.has_id() && info.id() == id
        })
    };
    let key: Vec<i32> = if layout.key.is_empty() {
        vec![ROW_ID_FIELD]
    } else {
        let plain = |i: &&usize| layout.columns.get(**i).is_some_and(|c| sorts_plainly(&c.ty));
        layout.key.iter().take_while(plain).map(|i| field_id(*i)).collect()
    };
    key.into_iter()
        .map_while(leaf)
        .filter_map(|leaf| i32::try_from(leaf).ok())
        .map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false })
        .collect()
}

fn sorts_plainly(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Bool
        | ColumnType::Int16
        | ColumnType::Int32
        | ColumnType::Int64
        | ColumnType::UInt32
        | ColumnType::Text
        | ColumnType::Binary
        | ColumnType::Uuid
        | ColumnType::Date
        | ColumnType::Time
        | ColumnType::Timestamp
        | ColumnType::TimestampTz => true,
        ColumnType::Float32
        | ColumnType::Float64
        | ColumnType::Numeric
        | ColumnType::Interval
        | ColumnType::List(_) => false,
    }
}

/// A type's name in segments and manifests.
pub(crate) fn type_name(ty: &ColumnType) -> String {
    match ty {
        ColumnType::List(item) => format!("{}[]", type_name(item)),
        plain => format!("{plain:?}").to_lowercase(),
    }
}

/// The type that [`type_name`] names.
pub(crate) fn type_of_name(name: &str) -> Option<ColumnType> {
    if let Some(item) = name.strip_suffix("[]") {
        return Some(ColumnType::List(Box::new(type_of_name(item)?)));
    }
    let plain = [
        ColumnType::Bool,
        ColumnType::Int16,
        ColumnType::Int32,
        ColumnType::Int64,
        ColumnType::UInt32,
        ColumnType::Float32,
        ColumnType::Float64,
        ColumnType::Numeric,
        ColumnType::Text,
        ColumnType::Binary,
        ColumnType::Uuid,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Timestamp,
        ColumnType::TimestampTz,
        ColumnType::Interval,
    ];
    plain.into_iter().find(|ty| type_name(ty) == name)
}

/// The Arrow type of a column in a segment.
pub(crate) fn stored_type(ty: &ColumnType) -> DataType {
    match ty {
        ColumnType::Numeric => DataType::Utf8,
        ColumnType::Interval => DataType::Struct(interval_fields()),
        ColumnType::List(item) => DataType::List(item_field(stored_type(item))),
        plain => plain.arrow(),
    }
}

fn interval_fields() -> Fields {
    Fields::from(vec![
        Field::new("months", DataType::Int32, false),
        Field::new("days", DataType::Int32, false),
        Field::new("nanoseconds", DataType::Int64, false),
    ])
}

fn item_field(ty: DataType) -> FieldRef {
    Arc::new(Field::new("item", ty, true))
}

/// An array as a segment holds it.
pub(crate) fn to_stored(ty: &ColumnType, array: &ArrayRef) -> Result<ArrayRef> {
    match ty {
        ColumnType::Numeric => {
            let array = array.as_binary_opt::<i32>().ok_or_else(|| wrong_array(ty, array))?;
            let mut out = StringBuilder::with_capacity(array.len(), array.len() * 8);
            let mut text = String::new();
            for value in array {
                match value {
                    None => out.append_null(),
                    Some(value) => {
                        text.clear();
                        numeric::to_text(value, &mut text)?;
                        out.append_value(&text);
                    }
                }
            }
            Ok(Arc::new(out.finish()))
        }
        ColumnType::Interval => {
            let array = array
                .as_primitive_opt::<IntervalMonthDayNanoType>()
                .ok_or_else(|| wrong_array(ty, array))?;
            let part = array.values();
            let months: Int32Array = part.iter().map(|v| v.months).collect::<Vec<_>>().into();
            let days: Int32Array = part.iter().map(|v| v.days).collect::<Vec<_>>().into();
            let nanos: Int64Array = part.iter().map(|v| v.nanoseconds).collect::<Vec<_>>().into();
            let parts: Vec<ArrayRef> = vec![Arc::new(months), Arc::new(days), Arc::new(nanos)];
            let nulls = array.nulls().cloned();
            let whole = StructArray::try_new(interval_fields(), parts, nulls);
            Ok(Arc::new(whole.map_err(Error::arrow)?))
        }
        ColumnType::List(item) => relist(ty, array, stored_type(item), |a| to_stored(item, a)),
        plain if array.data_type() == &plain.arrow() => Ok(Arc::clone(array)),
        plain => Err(wrong_array(plain, array)),
    }
}

/// The array in memory of an array a segment holds.
pub(crate) fn from_stored(ty: &ColumnType, array: &ArrayRef) -> Result<ArrayRef> {
    match ty {
        ColumnType::Numeric => {
            let array = array.as_string_opt::<i32>().ok_or_else(|| wrong_array(ty, array))?;
            let mut out = BinaryBuilder::with_capacity(array.len(), array.len() * 12);
            let mut bytes = Vec::new();
            for value in array {
                match value {
                    None => out.append_null(),
                    Some(text) => {
                        bytes.clear();
                        numeric::from_text(text, &mut bytes)?;
                        out.append_value(&bytes);
                    }
                }
            }
            Ok(Arc::new(out.finish()))
        }
        ColumnType::Interval => {
            let parts = array.as_struct_opt().ok_or_else(|| wrong_array(ty, array))?;
            let ints = |i: usize| parts.columns().get(i)?.as_primitive_opt::<Int32Type>();
            let nanos = parts.columns().get(2).and_then(|a| a.as_primitive_opt::<Int64Type>());
            let (Some(months), Some(days), Some(nanos)) = (ints(0), ints(1), nanos) else {
                return Err(wrong_array(ty, array));
            };
            let values = months.values().iter().zip(days.values()).zip(nanos.values());
            let values: Vec<_> =
                values.map(|((m, d), n)| IntervalMonthDayNano::new(*m, *d, *n)).collect();
            let out = IntervalMonthDayNanoArray::new(values.into(), parts.nulls().cloned());
            Ok(Arc::new(out))
        }
        ColumnType::List(item) => relist(ty, array, item.arrow(), |a| from_stored(item, a)),
        plain if array.data_type() == &plain.arrow() => Ok(Arc::clone(array)),
        plain => Err(wrong_array(plain, array)),
    }
}

fn relist(
    ty: &ColumnType,
    array: &ArrayRef,
    item: DataType,
    convert: impl Fn(&ArrayRef) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let list = array.as_list_opt::<i32>().ok_or_else(|| wrong_array(ty, array))?;
    let values = convert(list.values())?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    let out = ListArray::try_new(item_field(item), offsets, values, nulls);
    Ok(Arc::new(out.map_err(Error::arrow)?))
}

fn wrong_array(ty: &ColumnType, array: &ArrayRef) -> Error {
    let (expected, found) = (type_name(ty), array.data_type());
    Error::corrupt(format!("a column of type {expected} is held as {found}"))
}

/// `rows` times the value that rows older than a column have.
pub(crate) fn absent_column(
    ty: &ColumnType,
    missing: Option<&ArrayRef>,
    rows: usize,
) -> Result<ArrayRef> {
    match missing {
        None => Ok(new_null_array(&ty.arrow(), rows)),
        Some(value) => {
            let zeros = arrow::array::UInt32Array::from(vec![0_u32; rows]);
            arrow::compute::take(value, &zeros, None).map_err(Error::arrow)
        }
    }
}
