//! The physical shape of a relation. The engine builds it from its catalog and shares it.

use std::sync::{Arc, OnceLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::id::RelationId;
use crate::segment::keys::KeyColumns;
pub(crate) use crate::types::ColumnType;

/// A relation's physical shape. Make it with [`Layout::new`].
#[derive(Clone, Debug)]
pub struct Layout {
    /// The table.
    pub relation: RelationId,
    /// All attributes in attnum order; dropped ones stay, so that old row bytes can be read.
    pub columns: Vec<Column>,
    /// Places in `columns` of the primary key, in key order. Empty: the key is a hidden row id.
    pub key: Vec<usize>,
    /// The secondary indexes.
    pub indexes: Vec<IndexLayout>,
    /// `schema.table`, not escaped: names the directory of the cold tier.
    pub directory: String,
    derived: OnceLock<Derived>,
    key_columns: OnceLock<Arc<KeyColumns>>,
}

/// One attribute of a relation.
#[derive(Clone, Debug)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The physical type; a dropped column keeps it.
    pub ty: ColumnType,
    /// Whether NULL may be stored.
    pub nullable: bool,
    /// Dropped columns are skipped in every batch and written as NULL.
    pub dropped: bool,
    /// The value, as an array of one element, of rows that are older than the column. None: NULL.
    pub missing: Option<ArrayRef>,
}

/// One secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexLayout {
    /// The index.
    pub relation: RelationId,
    /// Places in `Layout::columns`, in index order.
    pub columns: Vec<usize>,
    /// For each column, whether it descends. NULLs come last ascending and first descending.
    pub descending: Vec<bool>,
    /// Whether two rows with equal values are an error (found by the engine, through
    /// [`crate::Namespace::get_unique`]).
    pub unique: bool,
    /// Whether NULLs in a unique index differ from each other, as is SQL's default.
    pub nulls_distinct: bool,
}

/// The order in which rows are reached, and what the bytes of a range mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// By primary key or row id.
    Primary,
    /// By the index at this place in `Layout::indexes`.
    Index(usize),
}

#[derive(Clone, Debug)]
struct Derived {
    schema: SchemaRef,
    live: Vec<usize>,
    place: Vec<Option<usize>>,
}

impl Layout {
    /// A layout of these parts. Places in `key` and `indexes` are places in `columns`.
    pub fn new(
        relation: RelationId,
        columns: Vec<Column>,
        key: Vec<usize>,
        indexes: Vec<IndexLayout>,
        directory: impl Into<String>,
    ) -> Layout {
        let directory = directory.into();
        let (derived, key_columns) = (OnceLock::new(), OnceLock::new());
        Layout { relation, columns, key, indexes, directory, derived, key_columns }
    }

    /// The live columns in attnum order: the form of the batches that go in.
    pub fn schema(&self) -> SchemaRef {
        self.derived().schema.clone()
    }

    /// Places in `columns` of the live columns, in attnum order.
    pub fn live(&self) -> &[usize] {
        &self.derived().live
    }

    /// The place of attribute `column` in a batch of [`Layout::schema`]; None when dropped.
    pub fn place(&self, column: usize) -> Option<usize> {
        self.derived().place.get(column).copied().flatten()
    }

    /// The Arrow field of attribute `column`.
    pub(crate) fn field(&self, column: usize) -> Result<Field> {
        let column = self.column(column)?;
        Ok(Field::new(&column.name, column.ty.arrow(), column.nullable))
    }

    /// How its keys are made of columns.
    pub(crate) fn key_columns(&self) -> Result<&Arc<KeyColumns>> {
        if let Some(known) = self.key_columns.get() {
            return Ok(known);
        }
        let made = Arc::new(KeyColumns::new(self)?);
        Ok(self.key_columns.get_or_init(|| made))
    }

    pub(crate) fn column(&self, column: usize) -> Result<&Column> {
        self.columns.get(column).ok_or_else(|| {
            Error::invalid(format!("relation {} has no column {column}", self.relation))
        })
    }

    pub(crate) fn index(&self, index: usize) -> Result<&IndexLayout> {
        self.indexes.get(index).ok_or_else(|| {
            Error::invalid(format!("relation {} has no index {index}", self.relation))
        })
    }

    fn derived(&self) -> &Derived {
        self.derived.get_or_init(|| {
            let mut live = Vec::with_capacity(self.columns.len());
            let mut place = vec![None; self.columns.len()];
            let mut fields = Vec::with_capacity(self.columns.len());
            for (i, column) in self.columns.iter().enumerate().filter(|(_, c)| !c.dropped) {
                place[i] = Some(live.len());
                live.push(i);
                fields.push(Field::new(&column.name, column.ty.arrow(), column.nullable));
            }
            Derived { schema: Arc::new(Schema::new(fields)), live, place }
        })
    }
}
