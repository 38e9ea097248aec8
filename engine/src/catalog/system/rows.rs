//! Building rows of system relations by the names of their columns.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float32Array, Float64Array, Int16Array, Int16Builder, Int32Array,
        Int64Array, ListBuilder, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
        TimestampMicrosecondArray, UInt32Array, UInt32Builder, new_null_array,
    },
    datatypes::{DataType, Field, Schema},
};
use datafusion::common::ScalarValue;

use crate::{
    catalog::Relation,
    error::{Error, Result},
    types::Oid,
};

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

macro_rules! into_cell {
    ($($ty:ty => $value:ident: $cell:expr;)*) => {
        $(impl From<$ty> for Cell {
            fn from($value: $ty) -> Cell {
                $cell
            }
        })*
    };
}

into_cell! {
    bool => value: Cell::Bool(value);
    i16 => value: Cell::Int(i64::from(value));
    i32 => value: Cell::Int(i64::from(value));
    i64 => value: Cell::Int(value);
    u32 => value: Cell::Int(i64::from(value));
    Oid => value: Cell::Int(i64::from(value.0));
    f64 => value: Cell::Float(value);
    &str => value: Cell::Text(value.to_owned());
    String => value: Cell::Text(value);
    char => value: Cell::Text(value.to_string());
    Vec<String> => value: Cell::Texts(value);
    Vec<i64> => value: Cell::Ints(value);
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// Conditions that rows will have to meet.
pub(super) struct Filter<'a> {
    relation: &'a Relation,
    equal: &'a [(i16, ScalarValue)],
}

impl<'a> Filter<'a> {
    pub(super) fn new(relation: &'a Relation, equal: &'a [(i16, ScalarValue)]) -> Self {
        Filter { relation, equal }
    }

    /// The OID that a column must have.
    pub(super) fn oid(&self, column: &str) -> Option<Oid> {
        match self.value(column)? {
            ScalarValue::UInt32(Some(oid)) => Some(Oid(*oid)),
            _ => None,
        }
    }

    /// The text that a column must have.
    pub(super) fn text(&self, column: &str) -> Option<&'a str> {
        match self.value(column)? {
            ScalarValue::Utf8(Some(text)) => Some(text),
            _ => None,
        }
    }

    fn value(&self, column: &str) -> Option<&'a ScalarValue> {
        let place = self.relation.columns.iter().position(|attribute| attribute.name == column)?;
        let attnum = i16::try_from(place + 1).ok()?;
        self.equal.iter().find(|(number, _)| *number == attnum).map(|(_, value)| value)
    }
}

/// The rows of one relation in the making.
pub(super) struct Rows<'a> {
    relation: &'a Relation,
    cells: Vec<Vec<Cell>>,
}

/// One row in the making: what isn't set is NULL, or the zero of its type in a NOT NULL column.
pub(super) struct Row<'r, 'a> {
    rows: &'r mut Rows<'a>,
}

impl Row<'_, '_> {
    pub(super) fn set(self, column: &str, value: impl Into<Cell>) -> Self {
        let place = self.rows.relation.columns.iter().position(|a| a.name == column);
        debug_assert!(place.is_some(), "{} has no column {column}", self.rows.relation.name);
        if let (Some(place), Some(row)) = (place, self.rows.cells.last_mut()) {
            row[place] = value.into();
        }
        self
    }
}

impl<'a> Rows<'a> {
    pub(super) fn new(relation: &'a Relation) -> Self {
        Rows { relation, cells: Vec::new() }
    }

    /// The relation's name: some sources serve several.
    pub(super) fn name(&self) -> &'a str {
        &self.relation.name
    }

    pub(super) fn add(&mut self) -> Row<'_, 'a> {
        let blank = self.relation.columns.iter().map(|column| {
            if !column.not_null {
                return Cell::Null;
            }
            match column.ty.arrow() {
                Ok(DataType::Boolean) => Cell::Bool(false),
                Ok(DataType::Utf8) => Cell::Text(String::new()),
                Ok(DataType::Float32 | DataType::Float64) => Cell::Float(0.0),
                Ok(DataType::List(_)) => Cell::Ints(Vec::new()),
                _ => Cell::Int(0),
            }
        });
        self.cells.push(blank.collect());
        Row { rows: self }
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        let count = self.cells.len();
        let mut columns: Vec<Vec<Cell>> =
            self.relation.columns.iter().map(|_| Vec::with_capacity(count)).collect();
        for row in self.cells {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for (attribute, cells) in self.relation.columns.iter().zip(columns) {
            let ty = attribute.ty.arrow()?;
            arrays.push(array(&ty, cells)?);
            fields.push(Field::new(&attribute.name, ty, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}

fn array(ty: &DataType, cells: Vec<Cell>) -> Result<ArrayRef> {
    let wrong =
        |cell: &Cell| Error::internal(format!("a system relation has {cell:?} where {ty} belongs"));
    let ints = |cells: &[Cell]| -> Result<Vec<Option<i64>>> {
        cells
            .iter()
            .map(|cell| match cell {
                Cell::Null => Ok(None),
                Cell::Int(value) => Ok(Some(*value)),
                other => Err(wrong(other)),
            })
            .collect()
    };
    let floats = |cells: &[Cell]| -> Result<Vec<Option<f64>>> {
        cells
            .iter()
            .map(|cell| match cell {
                Cell::Null => Ok(None),
                Cell::Float(value) => Ok(Some(*value)),
                Cell::Int(value) => Ok(Some(*value as f64)),
                other => Err(wrong(other)),
            })
            .collect()
    };
    Ok(match ty {
        DataType::Boolean => {
            let values: Result<Vec<Option<bool>>> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Null => Ok(None),
                    Cell::Bool(value) => Ok(Some(*value)),
                    other => Err(wrong(other)),
                })
                .collect();
            Arc::new(BooleanArray::from(values?))
        }
        DataType::Int16 => {
            Arc::new(Int16Array::from_iter(ints(&cells)?.into_iter().map(|v| v.map(|v| v as i16))))
        }
        DataType::Int32 => {
            Arc::new(Int32Array::from_iter(ints(&cells)?.into_iter().map(|v| v.map(|v| v as i32))))
        }
        DataType::Int64 => Arc::new(Int64Array::from(ints(&cells)?)),
        DataType::UInt32 => {
            Arc::new(UInt32Array::from_iter(ints(&cells)?.into_iter().map(|v| v.map(|v| v as u32))))
        }
        DataType::Float32 => Arc::new(Float32Array::from_iter(
            floats(&cells)?.into_iter().map(|v| v.map(|v| v as f32)),
        )),
        DataType::Float64 => Arc::new(Float64Array::from(floats(&cells)?)),
        DataType::Timestamp(_, zone) => {
            let times = TimestampMicrosecondArray::from(ints(&cells)?);
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Utf8 => {
            let values: Result<Vec<Option<String>>> = cells
                .into_iter()
                .map(|cell| match cell {
                    Cell::Null => Ok(None),
                    Cell::Text(value) => Ok(Some(value)),
                    other => Err(wrong(&other)),
                })
                .collect();
            Arc::new(StringArray::from(values?))
        }
        DataType::List(item) => list(item.data_type(), &cells)?,
        other => new_null_array(other, cells.len()),
    })
}

fn list(item: &DataType, cells: &[Cell]) -> Result<ArrayRef> {
    let wrong = |cell: &Cell| Error::internal(format!("a system relation has the list {cell:?}"));
    Ok(match item {
        DataType::Int16 => {
            let mut builder = ListBuilder::new(Int16Builder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Ints(values) => {
                        builder.append_value(values.iter().map(|value| Some(*value as i16)));
                    }
                    other => return Err(wrong(other)),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::UInt32 => {
            let mut builder = ListBuilder::new(UInt32Builder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Ints(values) => {
                        builder.append_value(values.iter().map(|value| Some(*value as u32)));
                    }
                    other => return Err(wrong(other)),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Texts(values) => builder.append_value(values.iter().map(Some)),
                    Cell::Ints(values) if values.is_empty() => builder.append(true),
                    other => return Err(wrong(other)),
                }
            }
            Arc::new(builder.finish())
        }
        other => {
            let field = Arc::new(Field::new("item", other.clone(), true));
            new_null_array(&DataType::List(field), cells.len())
        }
    })
}
