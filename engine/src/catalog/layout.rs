//! From a definition to the physical shape of its rows.

use arrow::array::ArrayRef;
use kalamdb_storage::{Column, IndexLayout, Layout, RelationId};

use crate::{
    catalog::{Attribute, Index, Relation, RelationBody, value},
    error::{Error, Result},
    types::PgType,
};

/// The layout of a table's rows; `None` for relations without rows in storage. `schema` is the
/// name of its schema.
///
/// # Errors
/// 0A000 for a column type that can't be stored.
pub(crate) fn layout(relation: &Relation, schema: &str) -> Result<Option<Layout>> {
    let RelationBody::Table { indexes, .. } = &relation.body else { return Ok(None) };
    let columns = relation.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
    let key = match relation.primary_key() {
        Some(primary) => places(primary),
        None => Vec::new(),
    };
    let indexes = indexes.iter().filter(|index| !index.primary).map(index_layout).collect();
    let directory = format!("{schema}.{}", relation.name);
    Ok(Some(Layout::new(RelationId(relation.oid.0), columns, key, indexes, directory)))
}

/// Places of an index's columns among all attributes.
fn places(index: &Index) -> Vec<usize> {
    index.columns.iter().map(|column| attribute_place(column.attnum)).collect()
}

/// The place of an attribute number in `Relation::columns`.
pub(crate) fn attribute_place(attnum: i16) -> usize {
    usize::try_from(attnum - 1).expect("attribute numbers of columns start at 1")
}

fn index_layout(index: &Index) -> IndexLayout {
    IndexLayout {
        relation: RelationId(index.oid.0),
        columns: places(index).into_iter().chain(index.predicate.map(attribute_place)).collect(),
        descending: index
            .columns
            .iter()
            .map(|column| column.descending)
            .chain(index.predicate.map(|_| false))
            .collect(),
        unique: index.unique,
        nulls_distinct: index.nulls_distinct,
    }
}

fn column(attribute: &Attribute) -> Result<Column> {
    let missing = match &attribute.missing {
        Some(text) => Some(missing_value(attribute.ty, text)?),
        None => None,
    };
    Ok(Column {
        name: attribute.name.clone(),
        ty: attribute.ty.column_type()?,
        nullable: !attribute.not_null,
        dropped: attribute.dropped,
        missing,
    })
}

fn missing_value(ty: PgType, text: &str) -> Result<ArrayRef> {
    value::input(ty, text)
        .map_err(|error| Error::internal(format!("a column's missing value: {}", error.message)))
}
