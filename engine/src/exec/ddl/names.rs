//! Names in definitions: where they point, and what unnamed objects are called.

use std::{collections::HashSet, sync::Arc};

use super::{
    DdlContext, change,
    grammar::{Name, RelationWord},
};
use crate::{
    catalog::{
        Index, Relation, RelationBody, Schema, TableKind,
        part::{CatalogView, Named, PG_CATALOG, PUBLIC_SCHEMA},
        store::Place,
    },
    error::{Error, Result, SqlState},
    types::Oid,
};

/// PostgreSQL's NAMEDATALEN less one.
const MAX_NAME_BYTES: usize = 63;

/// Where a new object goes.
pub(super) struct Target {
    pub(super) schema: Arc<Schema>,
    pub(super) place: Place,
    pub(super) kind: TableKind,
}

/// Checks that a three-part name is of the current database.
///
/// # Errors
/// 0A000 as PostgreSQL's.
pub(super) fn check_catalog(view: &CatalogView, name: &Name) -> Result<()> {
    match &name.catalog {
        Some(catalog) if *catalog != view.database_name() => Err(Error::feature_not_supported(
            format!("cross-database references are not implemented: \"{catalog}.{name}\""),
        )),
        _ => Ok(()),
    }
}

/// Where an object of this name is created, and seen by whom: as `kind` asks, else as
/// `default_table_kind` says, else for all where the role owns the database, in the role's own
/// namespace otherwise. Takes the catalog lock.
///
/// # Errors
/// 3F000 without a schema, 42501 without the right to define for all.
pub(super) async fn target(
    ctx: &mut dyn DdlContext,
    name: &Name,
    kind: Option<&str>,
) -> Result<Target> {
    let view = ctx.view();
    check_catalog(&view, name)?;
    let path = ctx.search_path();
    let schema = match &name.schema {
        Some(schema) => view.schema(schema)?,
        None => creation_schema(&view, &path)?,
    };
    if schema.oid == PG_CATALOG && view.cluster.version != 0 && !is_bootstrap(ctx) {
        return Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to create \"{}.{}\"", schema.name, name.name),
        )
        .with_detail("System catalog modifications are currently disallowed."));
    }
    let kind = table_kind(ctx, &view, &schema, kind)?;
    let place = match kind {
        TableKind::Private => Place::Private,
        TableKind::User | TableKind::Shared | TableKind::System => Place::Shared,
    };
    change::lock(ctx, place).await?;
    let view = ctx.view();
    let schema = view
        .schema_by_oid(schema.oid)
        .ok_or_else(|| Error::undefined_schema(name.schema.as_deref().unwrap_or(&schema.name)))?;
    Ok(Target { schema, place, kind })
}

fn is_bootstrap(ctx: &dyn DdlContext) -> bool {
    ctx.execution().is_err()
}

/// The first schema of the search path that exists and that the role may use.
pub(super) fn creation_schema(view: &CatalogView, path: &[String]) -> Result<Arc<Schema>> {
    view.search_schemas(path, false).into_iter().find_map(|oid| view.schema_by_oid(oid)).ok_or_else(
        || Error::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in"),
    )
}

fn table_kind(
    ctx: &dyn DdlContext,
    view: &CatalogView,
    schema: &Schema,
    asked: Option<&str>,
) -> Result<TableKind> {
    let setting = ctx.setting("default_table_kind").unwrap_or_default();
    let for_all = view.schema_privilege(view.role, schema, 'C');
    let in_private_schema = Place::of(schema.oid) == Place::Private;
    let word = match asked {
        Some(word) => word,
        None if in_private_schema => "private",
        None if setting.is_empty() && view.owns_database(view.role) && for_all => "user",
        None if setting.is_empty() && schema.oid != PUBLIC_SCHEMA && for_all => "user",
        None if setting.is_empty() => "private",
        None => &setting,
    };
    let kind = match word.to_lowercase().as_str() {
        "user" => TableKind::User,
        "shared" => TableKind::Shared,
        "private" => TableKind::Private,
        "stream" => {
            return Err(Error::feature_not_supported(
                "tables of kind \"stream\" are not supported yet",
            ));
        }
        other => {
            return Err(Error::invalid_parameter_value(format!(
                "invalid value for storage parameter \"kind\": \"{other}\""
            ))
            .with_hint("Available values: user, shared, private."));
        }
    };
    match kind {
        TableKind::Private if in_private_schema || schema.oid == PUBLIC_SCHEMA => Ok(kind),
        // Elsewhere a private object would be lost with a schema that others may drop.
        TableKind::Private => {
            Err(Error::insufficient_privilege(&format!("schema {}", schema.name)))
        }
        _ if in_private_schema => Err(Error::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            format!("schema \"{}\" is private: what is in it can't be for all", schema.name),
        )),
        _ if for_all => Ok(kind),
        _ => Err(Error::insufficient_privilege(&format!("schema {}", schema.name))),
    }
}

/// What `current_user` already sees under a name in a schema.
pub(super) fn existing(view: &CatalogView, schema: &Schema, name: &str) -> Option<Named> {
    view.find_named(Some(&schema.name), name, &[])
}

/// An existing relation that is no index.
///
/// # Errors
/// 42P01; 42809 for an index.
pub(super) fn relation(ctx: &dyn DdlContext, name: &Name) -> Result<Arc<Relation>> {
    let view = ctx.view();
    check_catalog(&view, name)?;
    view.check_named_schema(name.schema.as_deref())?;
    let path = ctx.search_path();
    match view.find_named(name.schema.as_deref(), &name.name, &path) {
        Some(Named::Index { .. }) => Err(Error::wrong_object_type(&name.name, "a table")),
        Some(Named::Relation(_)) | None => view.relation(name.schema.as_deref(), &name.name, &path),
    }
}

/// An existing index and its table.
///
/// # Errors
/// 42P01 and 42809 as PostgreSQL's ALTER INDEX.
pub(super) fn index(ctx: &dyn DdlContext, name: &Name) -> Result<(Arc<Relation>, Index)> {
    let view = ctx.view();
    check_catalog(&view, name)?;
    view.check_named_schema(name.schema.as_deref())?;
    match view.find_named(name.schema.as_deref(), &name.name, &ctx.search_path()) {
        Some(Named::Index { index, .. }) => {
            view.index_by_oid(index).ok_or_else(|| Error::undefined_table(&name.to_string()))
        }
        Some(Named::Relation(_)) => Err(Error::wrong_object_type(&name.name, "an index")),
        None => Err(Error::undefined_table(&name.to_string())),
    }
}

/// 42809 unless `relation` is what the statement's word says.
pub(super) fn check_word(relation: &Relation, word: RelationWord) -> Result<()> {
    let what = match (word, &relation.body) {
        // ALTER TABLE takes views and sequences where the action fits them.
        (RelationWord::Table, _)
        | (RelationWord::View, RelationBody::View { .. })
        | (RelationWord::Sequence, RelationBody::Sequence(_)) => return Ok(()),
        (RelationWord::View, _) => "a view",
        (RelationWord::Sequence, _) => "a sequence",
        (RelationWord::Index, _) => "an index",
    };
    Err(Error::wrong_object_type(&relation.name, what))
}

/// 42809 unless `relation` is a table whose rows can be changed.
pub(super) fn check_table(relation: &Relation) -> Result<()> {
    match relation.body {
        RelationBody::Table { .. } => Ok(()),
        RelationBody::View { .. } | RelationBody::Sequence(_) => {
            Err(Error::wrong_object_type(&relation.name, "a table"))
        }
        RelationBody::System => Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        )),
    }
}

/// Chooses names for what a statement leaves unnamed.
#[derive(Default)]
pub(super) struct Chooser {
    used: HashSet<String>,
}

impl Chooser {
    /// A name for an index or sequence, free in the schema: `table_column_label`.
    pub(super) fn relation(
        &mut self,
        view: &CatalogView,
        schema: &Schema,
        table: &str,
        columns: &str,
        label: &str,
    ) -> String {
        self.choose(table, columns, label, |name| existing(view, schema, name).is_some())
    }

    /// A name for a constraint that is no index, free on the table.
    pub(super) fn constraint(&mut self, table: &Relation, columns: &str, label: &str) -> String {
        self.choose(&table.name, columns, label, |name| {
            table.constraints().iter().any(|constraint| constraint.name == name)
        })
    }

    /// Takes a name that the statement gives.
    pub(super) fn take(&mut self, name: &str) {
        self.used.insert(name.to_owned());
    }

    fn choose(
        &mut self,
        table: &str,
        columns: &str,
        label: &str,
        taken: impl Fn(&str) -> bool,
    ) -> String {
        let mut attempt = 0_u32;
        loop {
            let label = match attempt {
                0 => label.to_owned(),
                n => format!("{label}{n}"),
            };
            let name = make_name(table, columns, &label);
            if !self.used.contains(&name) && !taken(&name) {
                self.used.insert(name.clone());
                return name;
            }
            attempt += 1;
        }
    }
}

/// PostgreSQL's `makeObjectName`: the longer of the first two parts is cut until all fits.
fn make_name(table: &str, columns: &str, label: &str) -> String {
    let overhead = usize::from(!columns.is_empty()) + 1 + label.len();
    let available = MAX_NAME_BYTES.saturating_sub(overhead);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > available {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    let mut name = clip(table, first).to_owned();
    if !columns.is_empty() {
        name.push('_');
        name.push_str(clip(columns, second));
    }
    name.push('_');
    name.push_str(label);
    name
}

fn clip(text: &str, mut bytes: usize) -> &str {
    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes]
}

/// The middle part of an index's name: its columns, up to a name's length.
pub(super) fn joined(columns: &[String]) -> String {
    let mut name = String::new();
    for column in columns {
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(column);
        if name.len() >= MAX_NAME_BYTES {
            break;
        }
    }
    clip(&name, name.len().min(MAX_NAME_BYTES)).to_owned()
}

/// A column that isn't dropped, with its number.
pub(super) fn attnum(relation: &Relation, column: &str) -> Option<i16> {
    relation.shown_columns().find(|(_, attribute)| attribute.name == column).map(|(n, _)| n)
}

/// 42703 unless the relation has the column.
pub(super) fn require_attnum(relation: &Relation, column: &str) -> Result<i16> {
    attnum(relation, column).ok_or_else(|| Error::undefined_column_of(column, &relation.name))
}

/// Columns that every relation has and no table may define.
pub(super) fn check_column_name(name: &str) -> Result<()> {
    const SYSTEM: &[&str] = &["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];
    if SYSTEM.contains(&name) {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column name \"{name}\" conflicts with a system column name"),
        ));
    }
    Ok(())
}

/// The part of the view that holds an OID's object for this role only.
pub(super) fn is_private(oid: Oid) -> bool {
    Place::of(oid) == Place::Private
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_postgres_cuts_them() {
        assert_eq!(make_name("t", "", "pkey"), "t_pkey");
        assert_eq!(make_name("t", "a_b", "key"), "t_a_b_key");
        let long = "x".repeat(63);
        assert_eq!(make_name(&long, "", "pkey"), format!("{}_pkey", "x".repeat(58)));
        let cut = make_name(&long, &"y".repeat(63), "idx");
        assert_eq!(cut, format!("{}_{}_idx", "x".repeat(29), "y".repeat(29)));
    }
}
