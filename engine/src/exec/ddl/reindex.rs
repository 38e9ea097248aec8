//! REINDEX: the entries of indexes made anew from the rows.
//!
//! The index of a primary key is the table itself, ordered by its key: there is nothing to make.

use std::sync::Arc;

use kalamdb_storage::RelationId;

use super::{
    DdlContext, change,
    grammar::{Name, Reindex, ReindexTarget},
    names, rows,
};
use crate::{
    catalog::{
        Index, Relation, RelationBody,
        part::{CatalogView, Named},
    },
    error::{Error, Result},
};

pub(super) async fn run(reindex: &Reindex, ctx: &mut dyn DdlContext) -> Result<String> {
    match &reindex.target {
        ReindexTarget::Index(name) => {
            let (table, index) = named_index(ctx, name)?;
            rebuild(ctx, &table, reindex, |other| other.oid == index.oid).await?;
        }
        ReindexTarget::Table(name) => {
            let table = named_table(ctx, name)?;
            if table.indexes().is_empty() {
                let message = format!("table \"{}\" has no indexes to reindex", table.name);
                change::skipping(ctx, message);
            }
            rebuild(ctx, &table, reindex, |_| true).await?;
        }
        ReindexTarget::Schema(name) => {
            let schema = ctx.view().schema(name)?;
            let view = ctx.view();
            if !view.is_owner(schema.owner) {
                return Err(Error::must_be_owner(&format!("schema {name}")));
            }
            for table in own_tables(&view) {
                if table.schema == schema.oid {
                    rebuild(ctx, &table, reindex, |_| true).await?;
                }
            }
        }
        ReindexTarget::Database(name) => {
            let view = ctx.view();
            if *name != view.database_name() {
                return Err(Error::feature_not_supported(
                    "can only reindex the currently open database",
                ));
            }
            for table in own_tables(&view) {
                rebuild(ctx, &table, reindex, |_| true).await?;
            }
        }
    }
    Ok("REINDEX".to_owned())
}

fn own_tables(view: &CatalogView) -> Vec<Arc<Relation>> {
    let is_own = |table: &&Arc<Relation>| table.layout.is_some() && view.is_owner(table.owner);
    view.relations().filter(is_own).cloned().collect()
}

fn named_index(ctx: &dyn DdlContext, name: &Name) -> Result<(Arc<Relation>, Index)> {
    let (table, index) = names::index(ctx, name)?;
    if !ctx.view().is_owner(table.owner) {
        return Err(Error::must_be_owner(&format!("index {}", index.name)));
    }
    Ok((table, index))
}

fn named_table(ctx: &dyn DdlContext, name: &Name) -> Result<Arc<Relation>> {
    let view = ctx.view();
    names::check_catalog(&view, name)?;
    let path = ctx.search_path();
    let what = "a table or materialized view";
    view.check_named_schema(name.schema.as_deref())?;
    let named = view.find_named(name.schema.as_deref(), &name.name, &path);
    if matches!(named, Some(Named::Index { .. })) {
        return Err(Error::wrong_object_type(&name.name, what));
    }
    let table = view.relation(name.schema.as_deref(), &name.name, &path)?;
    if !matches!(table.body, RelationBody::Table { .. }) {
        return Err(Error::wrong_object_type(&table.name, what));
    }
    view.check_owner(&table)?;
    Ok(table)
}

/// Empties the indexes that are meant, in every namespace that has rows, and enters the rows again.
async fn rebuild(
    ctx: &mut dyn DdlContext,
    table: &Arc<Relation>,
    reindex: &Reindex,
    is_meant: impl Fn(&Index) -> bool,
) -> Result<()> {
    let table = change::lock_relation(ctx, table).await?;
    let meant: Vec<Index> =
        table.indexes().iter().filter(|index| is_meant(index)).cloned().collect();
    for index in meant {
        if index.primary {
            let message = format!("index \"{}\" has nothing to reindex", index.name);
            tell(ctx, reindex, message, "It is the table itself, which is ordered by its key.");
            continue;
        }
        let mut namespaces = 0;
        for namespace in change::row_namespaces(ctx, &table).await? {
            ctx.changes().1.empty_index(&namespace, RelationId(index.oid.0));
            namespaces += 1;
        }
        let entered = rows::fill_index(ctx, &table, &index).await?;
        let message = format!("index \"{}\" was reindexed", index.name);
        let detail = format!("rows: {entered} in {namespaces} namespaces");
        tell(ctx, reindex, message, &detail);
    }
    Ok(())
}

/// What VERBOSE asks for.
fn tell(ctx: &mut dyn DdlContext, reindex: &Reindex, message: String, detail: &str) {
    if reindex.verbose {
        ctx.notice(Error::info(message).with_detail(detail));
    }
}
