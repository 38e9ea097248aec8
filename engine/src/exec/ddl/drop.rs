//! DROP TABLE, VIEW, INDEX, SEQUENCE, SCHEMA.
//!
//! First the list of all that goes is made, the named objects and with CASCADE their dependents;
//! then it is checked, then removed, dependents first.

use std::sync::Arc;

use kalamdb_storage::RelationId;

use super::{
    DdlContext, change, dependency,
    grammar::{Drop, DropKind, Name, is_function},
    names, sequence,
};
use crate::{
    catalog::{
        Attribute, ConstraintKind, Index, Relation, RelationBody, Schema,
        layout::attribute_place,
        part::{CatalogView, Named},
        store::Place,
    },
    error::{Error, Result, SqlState},
    types::Oid,
};

pub(super) async fn run(drop: &Drop, ctx: &mut dyn DdlContext) -> Result<String> {
    let plan = match drop.kind {
        DropKind::Table => relations(drop, ctx, "table").await?,
        DropKind::View => relations(drop, ctx, "view").await?,
        DropKind::Sequence => relations(drop, ctx, "sequence").await?,
        DropKind::Index => {
            indexes(drop, ctx).await?;
            None
        }
        DropKind::Schema => schemas(drop, ctx).await?,
        DropKind::None(word) => {
            none(drop, ctx, word)?;
            None
        }
    };
    if let Some(plan) = plan {
        execute(ctx, plan, drop.cascade).await?;
    }
    Ok(drop.kind.tag().into_owned())
}

/// What goes.
#[derive(Default)]
pub(super) struct Plan {
    /// Named by the statement; the words that errors use for them.
    named: Vec<String>,
    pub(super) relations: Vec<Arc<Relation>>,
    pub(super) schemas: Vec<Arc<Schema>>,
    /// Dependents that aren't named: (what, on what it depends).
    dependents: Vec<(String, String)>,
    /// Defaults that lose their sequence.
    defaults: Vec<(Arc<Relation>, i16)>,
}

impl Plan {
    fn contains(&self, oid: Oid) -> bool {
        self.relations.iter().any(|relation| relation.oid == oid)
    }

    /// Adds a relation and what goes with it without being asked for: its sequences.
    pub(super) fn add(&mut self, view: &CatalogView, relation: &Arc<Relation>) {
        if self.contains(relation.oid) {
            return;
        }
        self.relations.push(Arc::clone(relation));
        for sequence in sequence::owned_sequences(view, relation.oid, None) {
            self.add(view, &sequence);
        }
    }

    /// Names what the statement is about, for its errors.
    pub(super) fn name(&mut self, what: String) {
        self.named.push(what);
    }

    /// Adds a schema, and what is in it as its dependents.
    pub(super) fn add_schema(&mut self, view: &CatalogView, schema: &Arc<Schema>, path: &[String]) {
        let what = format!("schema {}", schema.name);
        let part = dependency::part_of(view, schema.oid);
        let mut inside: Vec<_> =
            part.relations().filter(|relation| relation.schema == schema.oid).cloned().collect();
        inside.sort_by_key(|relation| relation.oid);
        for relation in inside {
            if self.contains(relation.oid) {
                continue;
            }
            let owned = matches!(&relation.body, RelationBody::Sequence(s) if s.owned_by.is_some());
            if !owned {
                self.dependents.push((dependency::describe(view, &relation, path), what.clone()));
            }
            self.add(view, &relation);
        }
        self.named.push(what);
        self.schemas.push(Arc::clone(schema));
    }

    /// What goes with a column: what is computed from it, the views that show any of that, a
    /// sequence of its own, and what uses these elsewhere.
    pub(super) fn of_column(
        view: &CatalogView,
        path: &[String],
        table: &Relation,
        attnum: i16,
    ) -> Plan {
        let column = dependency::describe_column(view, table, attnum, path);
        let mut plan = Plan::default();
        plan.named.push(column.clone());
        for gone in std::iter::once(attnum).chain(dependency::generated_from(table, attnum)) {
            let attribute = &table.columns[attribute_place(gone)];
            // Indexes go with their columns unasked.
            if attribute.hidden {
                continue;
            }
            let what = dependency::describe_column(view, table, gone, path);
            if gone != attnum {
                plan.dependents.push((what.clone(), column.clone()));
            }
            for shown in dependency::views_on_column(view, table.oid, &attribute.name) {
                if !plan.contains(shown.oid) {
                    let shown_text = dependency::describe(view, &shown, path);
                    plan.dependents.push((shown_text, what.clone()));
                    plan.add(view, &shown);
                    plan.add_dependents_of(view, path, &shown);
                }
            }
        }
        for owned in sequence::owned_sequences(view, table.oid, Some(attnum)) {
            plan.add(view, &owned);
            plan.add_dependents_of(view, path, &owned);
        }
        plan.defaults.retain(|(other, number)| (other.oid, *number) != (table.oid, attnum));
        let own = format!("default value for {column}");
        plan.dependents.retain(|(what, _)| *what != own);
        plan
    }

    /// Adds what depends on the relations so far, transitively.
    pub(super) fn add_dependents(&mut self, view: &CatalogView, path: &[String]) {
        for relation in self.relations.clone() {
            self.add_dependents_of(view, path, &relation);
        }
    }

    /// Depth first, which is the order in which PostgreSQL tells them.
    fn add_dependents_of(&mut self, view: &CatalogView, path: &[String], relation: &Relation) {
        let what = dependency::describe(view, relation, path);
        for (table, attnum) in dependency::defaults_on(view, relation.oid) {
            if self.contains(table.oid) {
                continue;
            }
            let column = dependency::describe_column(view, &table, attnum, path);
            self.dependents.push((format!("default value for {column}"), what.clone()));
            self.defaults.push((table, attnum));
        }
        for dependent in dependency::views_on(view, relation.oid) {
            if self.contains(dependent.oid) {
                continue;
            }
            let dependent_text = dependency::describe(view, &dependent, path);
            self.dependents.push((dependent_text, what.clone()));
            self.add(view, &dependent);
            self.add_dependents_of(view, path, &dependent);
        }
    }
}

async fn relations(drop: &Drop, ctx: &mut dyn DdlContext, word: &str) -> Result<Option<Plan>> {
    let mut plan = Plan::default();
    for name in &drop.names {
        let Some(relation) = find(ctx, name, word, drop.if_exists)? else { continue };
        ctx.view().check_owner(&relation)?;
        let relation = change::lock_relation(ctx, &relation).await?;
        let view = ctx.view();
        check_not_owned(ctx, &view, &relation, drop)?;
        plan.named.push(dependency::describe(&view, &relation, &ctx.search_path()));
        plan.add(&view, &relation);
    }
    if plan.relations.is_empty() {
        return Ok(None);
    }
    plan.add_dependents(&ctx.view(), &ctx.search_path());
    Ok(Some(plan))
}

/// The sequence of an identity column goes only with its column.
fn check_not_owned(
    ctx: &dyn DdlContext,
    view: &CatalogView,
    relation: &Relation,
    drop: &Drop,
) -> Result<()> {
    let RelationBody::Sequence(sequence) = &relation.body else { return Ok(()) };
    let (Some((table, attnum)), true) = (sequence.owned_by, sequence.identity) else {
        return Ok(());
    };
    let Some(table) = view.relation_by_oid(table) else { return Ok(()) };
    if drop.names.len() > 1 && drop.names.iter().any(|name| name.name == table.name) {
        return Ok(());
    }
    let path = ctx.search_path();
    let column = dependency::describe_column(view, &table, attnum, &path);
    let what = dependency::describe(view, relation, &path);
    Err(Error::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {what} because {column} requires it"),
    )
    .with_hint(format!("You can drop {column} instead.")))
}

fn find(
    ctx: &mut dyn DdlContext,
    name: &Name,
    word: &str,
    if_exists: bool,
) -> Result<Option<Arc<Relation>>> {
    let view = ctx.view();
    names::check_catalog(&view, name)?;
    let missing = |error: Error, ctx: &mut dyn DdlContext| {
        if if_exists {
            change::skipping(ctx, format!("{}, skipping", error.message));
            Ok(None)
        } else {
            Err(error)
        }
    };
    if let Some(schema) = &name.schema
        && view.schema_by_name(schema).is_none()
    {
        return missing(Error::undefined_schema(schema), ctx);
    }
    view.check_named_schema(name.schema.as_deref())?;
    let found = view.find_named(name.schema.as_deref(), &name.name, &ctx.search_path());
    let relation = match found {
        None => {
            let message = format!("{word} \"{}\" does not exist", name.name);
            let code = if word == "index" {
                SqlState::UNDEFINED_OBJECT
            } else {
                SqlState::UNDEFINED_TABLE
            };
            return missing(Error::new(code, message), ctx);
        }
        Some(Named::Index { .. }) => {
            return Err(wrong_type(&name.name, word, "index"));
        }
        Some(Named::Relation(oid)) => {
            view.relation_by_oid(oid).ok_or_else(|| Error::undefined_table(&name.name))?
        }
    };
    let is = match relation.body {
        RelationBody::System => {
            view.check_owner(&relation)?;
            "table"
        }
        _ => relation.kind_word(),
    };
    if is == word { Ok(Some(relation)) } else { Err(wrong_type(&name.name, word, is)) }
}

fn wrong_type(name: &str, word: &str, is: &str) -> Error {
    let article = |word: &str| if word == "index" { "an" } else { "a" };
    Error::wrong_object_type(name, &format!("{} {word}", article(word))).with_hint(format!(
        "Use DROP {} to remove {} {is}.",
        is.to_uppercase(),
        article(is)
    ))
}

async fn schemas(drop: &Drop, ctx: &mut dyn DdlContext) -> Result<Option<Plan>> {
    let mut plan = Plan::default();
    for name in &drop.names {
        let view = ctx.view();
        let Some(schema) = view.schema_by_name(&name.name) else {
            let error = Error::undefined_schema(&name.name);
            if drop.if_exists {
                change::skipping(ctx, format!("{}, skipping", error.message));
                continue;
            }
            return Err(error);
        };
        super::schema::check_droppable(&view, &schema)?;
        change::lock(ctx, Place::of(schema.oid)).await?;
        let view = ctx.view();
        for relation in dependency::part_of(&view, schema.oid).relations() {
            if relation.schema == schema.oid {
                ctx.lock_relation(relation.oid).await?;
            }
        }
        plan.add_schema(&view, &schema, &ctx.search_path());
    }
    if plan.schemas.is_empty() {
        return Ok(None);
    }
    plan.add_dependents(&ctx.view(), &ctx.search_path());
    Ok(Some(plan))
}

/// Drops a relation and what depends on it, without a word.
pub(super) async fn with_dependents(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
) -> Result<()> {
    let relation = change::lock_relation(ctx, relation).await?;
    let view = ctx.view();
    let mut plan = Plan::default();
    plan.add(&view, &relation);
    plan.add_dependents(&view, &ctx.search_path());
    plan.dependents.clear();
    execute(ctx, plan, true).await
}

/// Drops a schema, what is in it and what depends on that, without a word.
pub(super) async fn schema_with_all(ctx: &mut dyn DdlContext, schema: &Arc<Schema>) -> Result<()> {
    let view = ctx.view();
    let part = dependency::part_of(&view, schema.oid);
    let inside = part.relations().filter(|relation| relation.schema == schema.oid).cloned();
    let mut plan = Plan::default();
    for relation in inside.collect::<Vec<_>>() {
        plan.add(&view, &relation);
    }
    plan.schemas.push(Arc::clone(schema));
    plan.add_dependents(&view, &ctx.search_path());
    plan.dependents.clear();
    execute(ctx, plan, true).await
}

/// Removes what the plan lists.
///
/// # Errors
/// 2BP01 where something depends on it and CASCADE wasn't said.
pub(super) async fn execute(ctx: &mut dyn DdlContext, plan: Plan, cascade: bool) -> Result<()> {
    const MAX_REPORTED: usize = 100;
    if !plan.dependents.is_empty() && !cascade {
        let lines: Vec<String> = plan
            .dependents
            .iter()
            .take(MAX_REPORTED)
            .map(|(what, on)| format!("{what} depends on {on}"))
            .collect();
        let object = match plan.named.as_slice() {
            [one] => one.clone(),
            _ => "desired object(s)".to_owned(),
        };
        return Err(Error::dependent_objects(&object, lines.join("\n")));
    }
    match plan.dependents.as_slice() {
        [] => {}
        [(one, _)] => change::skipping(ctx, format!("drop cascades to {one}")),
        many => {
            let message = format!("drop cascades to {} other objects", many.len());
            let lines: Vec<String> = many
                .iter()
                .take(MAX_REPORTED)
                .map(|(what, _)| format!("drop cascades to {what}"))
                .collect();
            let notice = Error::new(SqlState::SUCCESSFUL_COMPLETION, message);
            ctx.notice(notice.with_detail(lines.join("\n")));
        }
    }
    for (table, attnum) in &plan.defaults {
        remove_default(ctx, table.oid, *attnum)?;
    }
    for relation in plan.relations.iter().rev() {
        remove(ctx, relation).await?;
    }
    for schema in &plan.schemas {
        change::write(ctx, |writer| writer.remove_schema(schema))?;
    }
    Ok(())
}

fn remove_default(ctx: &mut dyn DdlContext, table: Oid, attnum: i16) -> Result<()> {
    let Some(table) = ctx.view().relation_by_oid(table) else { return Ok(()) };
    let mut table = (*table).clone();
    table.columns[attribute_place(attnum)].default = None;
    change::write(ctx, |writer| writer.put_relation(table).map(|_| ()))
}

/// Removes a relation's rows in every namespace, and its definition.
pub(super) async fn remove(ctx: &mut dyn DdlContext, relation: &Arc<Relation>) -> Result<()> {
    ctx.lock_relation(relation.oid).await?;
    if let Some(layout) = &relation.layout {
        for namespace in change::row_namespaces(ctx, relation).await? {
            let writes = ctx.changes().1;
            writes.drop_relation(&namespace, layout.relation);
            for index in &layout.indexes {
                writes.drop_relation(&namespace, index.relation);
            }
        }
    }
    if matches!(relation.body, RelationBody::Sequence(_)) {
        let view = ctx.view();
        let id = change::sequence_namespace(&view, relation);
        let namespace = ctx.catalogs().namespace(&view.cluster, id);
        ctx.changes().1.drop_relation(&namespace, RelationId(relation.oid.0));
    }
    change::write(ctx, |writer| writer.remove_relation(relation))
}

async fn indexes(drop: &Drop, ctx: &mut dyn DdlContext) -> Result<()> {
    for name in &drop.names {
        let view = ctx.view();
        names::check_catalog(&view, name)?;
        view.check_named_schema(name.schema.as_deref())?;
        let found = view.find_named(name.schema.as_deref(), &name.name, &ctx.search_path());
        let (table, index) = match found {
            Some(Named::Index { index, .. }) => view
                .index_by_oid(index)
                .ok_or_else(|| Error::undefined_object("index", &name.name))?,
            Some(Named::Relation(oid)) => {
                let is = view.relation_by_oid(oid).map_or("table", |relation| relation.kind_word());
                return Err(wrong_type(&name.name, "index", is));
            }
            None => {
                let error = match &name.schema {
                    Some(schema) if view.schema_by_name(schema).is_none() => {
                        Error::undefined_schema(schema)
                    }
                    _ => Error::undefined_object("index", &name.name),
                };
                if drop.if_exists {
                    change::skipping(ctx, format!("{}, skipping", error.message));
                    continue;
                }
                return Err(error);
            }
        };
        check_index_owner(&view, &table, &index)?;
        check_no_constraint(&view, &table, &index, &ctx.search_path())?;
        let table = change::lock_relation(ctx, &table).await?;
        drop_index(ctx, &table, index.oid).await?;
    }
    Ok(())
}

fn check_index_owner(view: &CatalogView, table: &Relation, index: &Index) -> Result<()> {
    if view.is_owner(table.owner) {
        return Ok(());
    }
    Err(Error::must_be_owner(&format!("index {}", index.name)))
}

fn check_no_constraint(
    view: &CatalogView,
    table: &Relation,
    index: &Index,
    path: &[String],
) -> Result<()> {
    let constraint = table.constraints().iter().find(|constraint| match constraint.kind {
        ConstraintKind::PrimaryKey { index: oid } | ConstraintKind::Unique { index: oid } => {
            oid == index.oid
        }
        ConstraintKind::Check { .. } => false,
    });
    let Some(constraint) = constraint else { return Ok(()) };
    let what =
        format!("constraint {} on {}", constraint.name, dependency::describe(view, table, path));
    Err(Error::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop index {} because {what} requires it", index.name),
    )
    .with_hint(format!("You can drop {what} instead.")))
}

/// Removes an index: its entries in every namespace and its place in the definition.
pub(super) async fn drop_index(
    ctx: &mut dyn DdlContext,
    table: &Arc<Relation>,
    index: Oid,
) -> Result<()> {
    for namespace in change::row_namespaces(ctx, table).await? {
        ctx.changes().1.drop_relation(&namespace, RelationId(index.0));
    }
    let mut table = (**table).clone();
    if let RelationBody::Table { indexes, .. } = &mut table.body {
        indexes.retain(|other| other.oid != index);
    }
    drop_computed(&mut table);
    change::write(ctx, |writer| writer.put_relation(table).map(|_| ()))
}

/// Hidden columns go with the last index that needs them.
pub(super) fn drop_computed(table: &mut Relation) {
    let needed: Vec<i16> = table
        .indexes()
        .iter()
        .flat_map(|index| index.columns.iter().map(|column| column.attnum).chain(index.predicate))
        .collect();
    let hidden: Vec<i16> = table
        .live_columns()
        .filter(|(attnum, column)| column.hidden && !needed.contains(attnum))
        .map(|(attnum, _)| attnum)
        .collect();
    for attnum in hidden {
        let place = attribute_place(attnum);
        table.columns[place] = dropped(&table.columns[place], attnum);
    }
}

/// That a table has no trigger, rule or policy of this name, or that there is no such table.
fn nothing_on_table(
    drop: &Drop,
    ctx: &dyn DdlContext,
    (word, name): (&str, &Name),
    table: &str,
) -> Result<Error> {
    let (schema, relation) = match table.split_once('.') {
        Some((schema, relation)) => (Some(schema), relation),
        None => (None, table),
    };
    if let Err(error) = ctx.view().relation(schema, relation, &ctx.search_path()) {
        return match error.sqlstate {
            SqlState::UNDEFINED_TABLE => Ok(error),
            _ => Err(error),
        };
    }
    let kind = if drop.if_exists || word == "rule" { "relation" } else { "table" };
    Ok(Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("{word} \"{name}\" for {kind} \"{relation}\" does not exist"),
    ))
}

/// DROP of a kind of object of which there are none.
fn none(drop: &Drop, ctx: &mut dyn DdlContext, word: &str) -> Result<()> {
    let word = if word == "domain" { "type" } else { word };
    for (name, signature) in drop.names.iter().zip(&drop.signatures) {
        let error = match signature {
            Some(table) if matches!(word, "trigger" | "rule" | "policy") => {
                nothing_on_table(drop, ctx, (word, name), table)?
            }
            _ if !is_function(word) => Error::undefined_object(word, &name.to_string()),
            Some(types) => Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("{word} {name}({types}) does not exist"),
            ),
            None => Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("could not find a {word} named \"{name}\""),
            ),
        };
        if !drop.if_exists {
            return Err(error);
        }
        change::skipping(ctx, format!("{}, skipping", error.message));
    }
    Ok(())
}

/// A dropped attribute: its type stays so that old rows can be read.
pub(super) fn dropped(attribute: &Attribute, attnum: i16) -> Attribute {
    Attribute {
        name: format!("........pg.dropped.{attnum}........"),
        not_null: false,
        dropped: true,
        default: None,
        identity: crate::catalog::Identity::No,
        generated: false,
        ..attribute.clone()
    }
}
