//! CREATE INDEX.

use std::sync::Arc;

use super::{
    DdlContext, change, constraint,
    grammar::CreateIndex,
    names::{self, Chooser},
    rows,
};
use crate::{
    catalog::{Index, IndexColumn, Relation, RelationBody, layout::attribute_place},
    error::{Error, Result, SqlState},
};

pub(super) async fn create(create: &CreateIndex, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok("CREATE INDEX".to_owned());
    let table = names::relation(ctx, &create.table)?;
    if !matches!(table.body, RelationBody::Table { .. }) {
        return Err(Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot create index on relation \"{}\"", table.name),
        )
        .with_detail(format!("This operation is not supported for {}s.", table.kind_word())));
    }
    ctx.view().check_owner(&table)?;
    check_supported(create)?;
    let table = change::lock_relation(ctx, &table).await?;
    let view = ctx.view();
    let schema = view
        .schema_by_oid(table.schema)
        .ok_or_else(|| Error::internal("a table without a schema"))?;
    if let Some(name) = &create.name
        && names::existing(&view, &schema, name).is_some()
    {
        if create.if_not_exists {
            change::skipping_existing(ctx, &Error::duplicate_table(name));
            return tag();
        }
        return Err(Error::duplicate_table(name));
    }
    let columns = columns(create, &table)?;
    let name = match &create.name {
        Some(name) => name.clone(),
        None => {
            let parts: Vec<String> =
                create.columns.iter().map(|element| element.column.clone()).collect();
            let middle = names::joined(&parts);
            Chooser::default().relation(&view, &schema, &table.name, &middle, "idx")
        }
    };
    let index = Index {
        oid: change::allocate(ctx, crate::catalog::store::Place::of(table.oid)).await?,
        name,
        columns,
        unique: create.unique,
        primary: false,
        nulls_distinct: create.nulls_distinct,
    };
    add(ctx, &table, index).await?;
    tag()
}

/// Adds an index to a table and enters its rows.
pub(super) async fn add(
    ctx: &mut dyn DdlContext,
    table: &Arc<Relation>,
    index: Index,
) -> Result<Arc<Relation>> {
    let mut changed = (**table).clone();
    if let RelationBody::Table { indexes, .. } = &mut changed.body {
        indexes.push(index.clone());
    }
    let changed = change::write(ctx, |writer| writer.put_relation(changed))?;
    rows::fill_index(ctx, &changed, &index).await?;
    Ok(changed)
}

fn check_supported(create: &CreateIndex) -> Result<()> {
    if let Some(message) = &create.refused {
        return Err(Error::feature_not_supported(message.clone()));
    }
    if create.method == "btree" {
        return Ok(());
    }
    const KNOWN: &[&str] = &["hash", "gist", "gin", "spgist", "brin"];
    if KNOWN.contains(&create.method.as_str()) {
        return Err(Error::feature_not_supported(format!(
            "access method \"{}\" is not supported; indexes are btrees",
            create.method
        )));
    }
    Err(Error::undefined_object("access method", &create.method))
}

fn columns(create: &CreateIndex, table: &Relation) -> Result<Vec<IndexColumn>> {
    constraint::check_key_length(create.columns.len())?;
    create
        .columns
        .iter()
        .map(|element| {
            let attnum = names::attnum(table, &element.column)
                .ok_or_else(|| Error::undefined_column(&element.column))?;
            constraint::check_key_type(table.columns[attribute_place(attnum)].ty)?;
            let natural = element.descending;
            let nulls_first = element.nulls_first.unwrap_or(natural);
            if nulls_first != natural {
                return Err(Error::feature_not_supported(
                    "an index keeps NULLs last in ascending and first in descending order; other \
                     places are not supported",
                ));
            }
            Ok(IndexColumn { attnum, descending: element.descending, nulls_first })
        })
        .collect()
}
