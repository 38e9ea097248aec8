//! CREATE INDEX.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::{
    DdlContext, alter_column, change, constraint, expression,
    grammar::{CreateIndex, IndexKey, check_collatable},
    names::{self, Chooser},
    rows,
};
use crate::{
    analyze,
    catalog::{
        Attribute, Identity, Index, IndexColumn, PREDICATE_END, PREDICATE_START, Relation,
        RelationBody, layout::attribute_place,
    },
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
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
    check_method(create)?;
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
    let mut changed = (*table).clone();
    let columns = columns(ctx, create, &table, &mut changed)?;
    let predicate = match &create.predicate {
        Some(predicate) => Some(add_predicate(ctx, create, &table, predicate, &mut changed)?),
        None => None,
    };
    let included = create
        .included
        .iter()
        .map(|name| names::attnum(&table, name).ok_or_else(|| Error::undefined_column(name)))
        .collect::<Result<_>>()?;
    let name = match &create.name {
        Some(name) => name.clone(),
        None => {
            let parts: Vec<String> =
                create.columns.iter().map(|element| part_of_name(&element.key)).collect();
            let middle = names::joined(&parts);
            Chooser::default().relation(&view, &schema, &table.name, &middle, "idx")
        }
    };
    let index = Index {
        oid: change::allocate(ctx, crate::catalog::store::Place::of(table.oid)).await?,
        name,
        columns,
        predicate,
        included,
        unique: create.unique,
        primary: false,
        nulls_distinct: create.nulls_distinct,
    };
    add(ctx, &table, changed, index).await?;
    tag()
}

/// Adds an index to a table and enters its rows. `changed` is the table with what the index
/// computes: then all rows are written anew.
async fn add(
    ctx: &mut dyn DdlContext,
    table: &Arc<Relation>,
    mut changed: Relation,
    index: Index,
) -> Result<()> {
    let computes = changed.columns.len() > table.columns.len();
    if let RelationBody::Table { indexes, .. } = &mut changed.body {
        indexes.push(index.clone());
    }
    let changed = change::write(ctx, |writer| writer.put_relation(changed))?;
    if computes {
        let values = alter_column::new_row(ctx, table, &changed, None)?;
        return rows::rewrite(ctx, table, &changed, &values).await;
    }
    rows::fill_index(ctx, &changed, &index).await.map(drop)
}

fn check_method(create: &CreateIndex) -> Result<()> {
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

/// The middle of a name that is made up.
fn part_of_name(key: &IndexKey) -> String {
    match key {
        IndexKey::Column(column) => column.clone(),
        IndexKey::Expression(expression) => analyze::name_of_expression(expression),
    }
}

fn columns(
    ctx: &dyn DdlContext,
    create: &CreateIndex,
    table: &Arc<Relation>,
    changed: &mut Relation,
) -> Result<Vec<IndexColumn>> {
    constraint::check_key_length(create.columns.len())?;
    create
        .columns
        .iter()
        .map(|element| {
            let attnum = match &element.key {
                IndexKey::Column(column) => {
                    names::attnum(table, column).ok_or_else(|| Error::undefined_column(column))?
                }
                IndexKey::Expression(expression) => {
                    let (text, ty) = expression::index_key(ctx, table, expression)?;
                    add_hidden(changed, ty, text)
                }
            };
            let ty = changed.columns[attribute_place(attnum)].ty;
            constraint::check_key_type(ty)?;
            if element.collated {
                check_collatable(ty.oid)?;
            }
            if let Some(class) = &element.class {
                check_class(class, ty)?;
            }
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

/// 42804 where the operator class orders another type.
fn check_class(class: &str, ty: PgType) -> Result<()> {
    let bare = class.trim_end_matches("_ops").trim_end_matches("_pattern");
    let accepted: &[Oid] = match bare {
        "bool" => &[Oid::BOOL],
        "bpchar" => &[Oid::BPCHAR],
        "bytea" => &[Oid::BYTEA],
        "date" => &[Oid::DATE],
        "float4" => &[Oid::FLOAT4],
        "float8" => &[Oid::FLOAT8],
        "int2" => &[Oid::INT2],
        "int4" => &[Oid::INT4],
        "int8" => &[Oid::INT8],
        "interval" => &[Oid::INTERVAL],
        "jsonb" => &[Oid::JSONB],
        "name" => &[Oid::NAME],
        "numeric" => &[Oid::NUMERIC],
        "oid" => &[Oid::OID, Oid::INT4, Oid::REGCLASS],
        "time" => &[Oid::TIME],
        "timestamp" => &[Oid::TIMESTAMP],
        "timestamptz" => &[Oid::TIMESTAMPTZ],
        "timetz" => &[Oid::TIMETZ],
        "uuid" => &[Oid::UUID],
        // text and varchar are one to them.
        _ => &[Oid::TEXT, Oid::VARCHAR],
    };
    match accepted.contains(&ty.oid) {
        true => Ok(()),
        false => Err(Error::datatype_mismatch(format!(
            "operator class \"{class}\" does not accept data type {}",
            PgType::plain(ty.oid).name()
        ))),
    }
}

fn add_predicate(
    ctx: &dyn DdlContext,
    create: &CreateIndex,
    table: &Arc<Relation>,
    predicate: &ast::Expr,
    changed: &mut Relation,
) -> Result<i16> {
    if create.unique && !create.nulls_distinct {
        // The rows outside of the index are told from those inside by a NULL.
        return Err(Error::feature_not_supported(
            "NULLS NOT DISTINCT is not supported for a unique index with WHERE",
        ));
    }
    let text = expression::index_predicate(ctx, table, predicate)?;
    let text = format!("{PREDICATE_START}{text}{PREDICATE_END}");
    Ok(add_hidden(changed, PgType::BOOL, text))
}

/// Adds a hidden column that computes `text`.
fn add_hidden(changed: &mut Relation, ty: PgType, text: String) -> i16 {
    let attnum = i16::try_from(changed.columns.len() + 1).unwrap_or(i16::MAX);
    changed.columns.push(Attribute {
        // As PostgreSQL names what can't be named.
        name: format!("........index.{attnum}........"),
        ty,
        not_null: false,
        dropped: false,
        default: Some(text),
        identity: Identity::No,
        generated: true,
        missing: None,
        hidden: true,
    });
    attnum
}
