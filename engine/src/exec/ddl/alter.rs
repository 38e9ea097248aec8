//! ALTER TABLE, VIEW and INDEX, and what ALTER SEQUENCE shares with them.

use std::sync::Arc;

use super::{
    DdlContext, acl, alter_column, alter_type, change,
    constraint::Draft,
    drop as drop_relations,
    grammar::{AlterAction, AlterRelation, ColumnDefinition, RelationWord, RoleSpec},
    names, rename, rows,
};
use crate::{
    catalog::{
        ConstraintKind, Relation, RelationBody, Schema, TableKind, layout::attribute_place,
        store::Place,
    },
    error::{Error, Result, SqlState},
};

pub(super) async fn run(alter: &AlterRelation, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = match alter.word {
        RelationWord::Table => "ALTER TABLE",
        RelationWord::View => "ALTER VIEW",
        RelationWord::Index => "ALTER INDEX",
        RelationWord::Sequence => "ALTER SEQUENCE",
    };
    if alter.word == RelationWord::Index {
        index(alter, ctx).await?;
        return Ok(tag.to_owned());
    }
    let relation = match names::relation(ctx, &alter.name) {
        Err(error) if alter.if_exists && is_missing(&error) => {
            change::skipping(ctx, format!("{}, skipping", error.message));
            return Ok(tag.to_owned());
        }
        // ALTER TABLE renames indexes as well.
        Err(error)
            if error.sqlstate == SqlState::WRONG_OBJECT_TYPE
                && matches!(alter.actions.as_slice(), [AlterAction::RenameTo(_)]) =>
        {
            index(alter, ctx).await?;
            return Ok(tag.to_owned());
        }
        other => other?,
    };
    names::check_word(&relation, alter.word)?;
    ctx.view().check_owner(&relation)?;
    let mut relation = change::lock_relation(ctx, &relation).await?;
    for action in &alter.actions {
        relation = apply(ctx, &relation, action).await?;
    }
    Ok(tag.to_owned())
}

fn is_missing(error: &Error) -> bool {
    matches!(error.sqlstate, SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME)
}

/// One action; returns the definition after it.
async fn apply(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    action: &AlterAction,
) -> Result<Arc<Relation>> {
    check_fits(relation, action)?;
    match action {
        AlterAction::AddColumn { column, if_not_exists } => {
            add_column(ctx, relation, column, *if_not_exists).await
        }
        AlterAction::DropColumn { column, if_exists, cascade } => {
            alter_column::drop(ctx, relation, column, *if_exists, *cascade).await
        }
        AlterAction::AlterType { column, ty, using } => {
            alter_type::run(ctx, relation, column, ty, using.as_ref()).await
        }
        AlterAction::SetDefault { column, expression } => {
            alter_column::set_default(ctx, relation, column, Some(expression))
        }
        AlterAction::DropDefault { column } => {
            alter_column::set_default(ctx, relation, column, None)
        }
        AlterAction::SetNotNull { column } => {
            alter_column::set_not_null(ctx, relation, column).await
        }
        AlterAction::DropNotNull { column } => alter_column::drop_not_null(ctx, relation, column),
        AlterAction::AddIdentity { column, always, options } => {
            alter_column::add_identity(ctx, relation, column, *always, options).await
        }
        AlterAction::SetIdentity { column, always, options } => {
            alter_column::set_identity(ctx, relation, column, *always, options)
        }
        AlterAction::DropIdentity { column, if_exists } => {
            alter_column::drop_identity(ctx, relation, column, *if_exists).await
        }
        AlterAction::DropExpression { column, if_exists } => {
            alter_column::drop_expression(ctx, relation, column, *if_exists)
        }
        AlterAction::AddConstraint(constraint) => {
            let mut draft = draft_of(ctx, relation)?;
            draft.add_constraint(constraint)?;
            finish(ctx, relation, draft).await
        }
        AlterAction::DropConstraint { name, if_exists } => {
            drop_constraint(ctx, relation, name, *if_exists).await
        }
        AlterAction::ValidateConstraint { name } => validate_constraint(relation, name),
        AlterAction::RenameTo(name) => rename::relation(ctx, relation, name),
        AlterAction::RenameColumn { from, to } => rename::column(ctx, relation, from, to),
        AlterAction::RenameConstraint { from, to } => rename::constraint(ctx, relation, from, to),
        AlterAction::SetSchema(schema) => set_schema(ctx, relation, schema),
        AlterAction::Owner(role) => set_owner(ctx, relation, role),
        AlterAction::SetOptions(options) => set_options(ctx, relation, options).await,
        AlterAction::ResetOptions(names) => reset_options(ctx, relation, names),
        AlterAction::Nothing => Ok(Arc::clone(relation)),
        AlterAction::Refused(message) => Err(Error::feature_not_supported(message.clone())),
        AlterAction::Wrong(error) => Err(error.clone()),
    }
}

/// What could be not valid always is.
fn validate_constraint(relation: &Arc<Relation>, name: &str) -> Result<Arc<Relation>> {
    let place = constraint_place(relation, name)?;
    match relation.constraints()[place].kind {
        ConstraintKind::Check { .. } => Ok(Arc::clone(relation)),
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => {
            let message = format!(
                "constraint \"{name}\" of relation \"{}\" is not a foreign key or check constraint",
                relation.name
            );
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

/// The relation's sequences go with it.
fn set_owner(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    role: &RoleSpec,
) -> Result<Arc<Relation>> {
    let owner = crate::roles::resolve(ctx, role)?;
    change::check_new_owner(&ctx.view(), &owner)?;
    if names::is_private(relation.oid) && owner.oid != relation.owner {
        return Err(Error::feature_not_supported(
            "a private relation belongs to its namespace and can't be given away",
        ));
    }
    for owned in super::sequence::owned_sequences(&ctx.view(), relation.oid, None) {
        let moved = acl::with_owner(&owned, owner.oid);
        change::write(ctx, |writer| writer.put_relation(moved).map(|_| ()))?;
    }
    let moved = acl::with_owner(relation, owner.oid);
    change::write(ctx, |writer| writer.put_relation(moved))
}

/// 42809 where the action isn't one for this kind of relation.
fn check_fits(relation: &Relation, action: &AlterAction) -> Result<()> {
    let for_all = matches!(
        action,
        AlterAction::RenameTo(_)
            | AlterAction::SetSchema(_)
            | AlterAction::Owner(_)
            | AlterAction::Nothing
            | AlterAction::Refused(_)
            | AlterAction::Wrong(_)
    );
    if for_all || matches!(relation.body, RelationBody::Table { .. }) {
        return Ok(());
    }
    let for_view = matches!(
        action,
        AlterAction::RenameColumn { .. }
            | AlterAction::SetOptions(_)
            | AlterAction::ResetOptions(_)
    );
    if for_view && matches!(relation.body, RelationBody::View { .. }) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("ALTER action cannot be performed on relation \"{}\"", relation.name),
    )
    .with_detail(format!("This operation is not supported for {}s.", relation.kind_word())))
}

fn schema_of(ctx: &dyn DdlContext, relation: &Relation) -> Result<Arc<Schema>> {
    ctx.view()
        .schema_by_oid(relation.schema)
        .ok_or_else(|| Error::internal("a relation without a schema"))
}

pub(super) fn draft_of(ctx: &dyn DdlContext, relation: &Arc<Relation>) -> Result<Draft> {
    Ok(Draft::of((**relation).clone(), schema_of(ctx, relation)?))
}

async fn add_column(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    definition: &ColumnDefinition,
    if_not_exists: bool,
) -> Result<Arc<Relation>> {
    if names::attnum(relation, &definition.name).is_some() {
        let error = Error::duplicate_column(&definition.name, &relation.name);
        if !if_not_exists {
            return Err(error);
        }
        change::skipping_existing(ctx, &error);
        return Ok(Arc::clone(relation));
    }
    let mut draft = draft_of(ctx, relation)?;
    draft.add_column(ctx, definition).await?;
    finish(ctx, relation, draft).await
}

/// Completes a changed table: its rows get values for new columns, are rewritten where the primary
/// key is new, entered into new indexes, and checked.
pub(super) async fn finish(
    ctx: &mut dyn DdlContext,
    old: &Arc<Relation>,
    mut draft: Draft,
) -> Result<Arc<Relation>> {
    draft.finish(ctx).await?;
    let added: Vec<i16> = draft
        .relation
        .live_columns()
        .map(|(attnum, _)| attnum)
        .filter(|attnum| attribute_place(*attnum) >= old.columns.len())
        .collect();
    let rekeyed = old.primary_key().is_none() != draft.relation.primary_key().is_none();
    for sequence in std::mem::take(&mut draft.sequences) {
        change::write(ctx, |writer| writer.put_relation(sequence).map(|_| ()))?;
    }
    let mut computed = false;
    for attnum in &added {
        computed |= !alter_column::fill_missing(ctx, &mut draft.relation, *attnum)?;
    }
    let indexes: Vec<_> = draft
        .relation
        .indexes()
        .iter()
        .filter(|index| !index.primary && !old.indexes().iter().any(|o| o.oid == index.oid))
        .cloned()
        .collect();
    let checked = draft.relation.constraints().len() > old.constraints().len()
        || draft.relation.columns.iter().skip(old.columns.len()).any(|column| column.not_null);
    let new = draft.save(ctx)?;
    if computed || rekeyed {
        let values = alter_column::new_row(ctx, old, &new, None)?;
        rows::rewrite(ctx, old, &new, &values).await?;
        return Ok(new);
    }
    if checked {
        rows::validate(ctx, &new).await?;
    }
    for index in indexes {
        rows::fill_index(ctx, &new, &index).await?;
    }
    Ok(new)
}

fn constraint_place(relation: &Relation, name: &str) -> Result<usize> {
    relation
        .constraints()
        .iter()
        .position(|constraint| constraint.name == name)
        .ok_or_else(|| Error::undefined_constraint(name, &relation.name))
}

async fn drop_constraint(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    name: &str,
    if_exists: bool,
) -> Result<Arc<Relation>> {
    let place = match constraint_place(relation, name) {
        Err(error) if if_exists => {
            change::skipping(ctx, format!("{}, skipping", error.message));
            return Ok(Arc::clone(relation));
        }
        other => other?,
    };
    let mut changed = (**relation).clone();
    let RelationBody::Table { constraints, indexes } = &mut changed.body else {
        return Err(Error::internal("only tables have constraints"));
    };
    let constraint = constraints.remove(place);
    match constraint.kind {
        ConstraintKind::Check { .. } => change::write(ctx, |writer| writer.put_relation(changed)),
        ConstraintKind::Unique { index } => {
            let without = change::write(ctx, |writer| writer.put_relation(changed))?;
            drop_relations::drop_index(ctx, &without, index).await?;
            ctx.view()
                .relation_by_oid(relation.oid)
                .ok_or_else(|| Error::internal("a table vanished under its lock"))
        }
        ConstraintKind::PrimaryKey { index } => {
            indexes.retain(|other| other.oid != index);
            let new = change::write(ctx, |writer| writer.put_relation(changed))?;
            let values = alter_column::new_row(ctx, relation, &new, None)?;
            rows::rewrite(ctx, relation, &new, &values).await?;
            Ok(new)
        }
    }
}

fn set_schema(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    schema: &str,
) -> Result<Arc<Relation>> {
    let view = ctx.view();
    let schema = view.schema(schema)?;
    if schema.oid == relation.schema {
        return Ok(Arc::clone(relation));
    }
    if Place::of(relation.oid) == Place::Shared {
        if Place::of(schema.oid) == Place::Private {
            return Err(Error::feature_not_supported(
                "a relation for all can't move into a private schema",
            ));
        }
        view.check_schema(&schema, 'C')?;
    } else if Place::of(schema.oid) == Place::Shared
        && schema.oid != crate::catalog::part::PUBLIC_SCHEMA
    {
        return Err(Error::insufficient_privilege(&format!("schema {}", schema.name)));
    }
    if names::existing(&view, &schema, &relation.name).is_some() {
        return Err(Error::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists in schema \"{}\"", relation.name, schema.name),
        ));
    }
    rename::check_no_views(&view, relation)?;
    for owned in super::sequence::owned_sequences(&view, relation.oid, None) {
        let moved = Relation { schema: schema.oid, ..(*owned).clone() };
        change::write(ctx, |writer| writer.put_relation(moved).map(|_| ()))?;
    }
    let moved = Relation { schema: schema.oid, ..(**relation).clone() };
    change::write(ctx, |writer| writer.put_relation(moved))
}

async fn set_options(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    options: &[(String, Option<String>)],
) -> Result<Arc<Relation>> {
    if let RelationBody::View { .. } = relation.body {
        return set_options_of_view(ctx, relation, options);
    }
    let (kind, options) = super::parameters::of_table(options)?;
    let mut changed = (**relation).clone();
    for (name, value) in options {
        changed.options.retain(|(other, _)| *other != name);
        changed.options.push((name, value));
    }
    if let Some(kind) = kind {
        let kind = match kind.to_lowercase().as_str() {
            "user" => TableKind::User,
            "shared" => TableKind::Shared,
            "private" => TableKind::Private,
            other => {
                return Err(Error::invalid_parameter_value(format!(
                    "invalid value for storage parameter \"kind\": \"{other}\""
                ))
                .with_hint("Available values: user, shared, private."));
            }
        };
        if kind != relation.kind {
            check_kind_change(ctx, relation, kind).await?;
            changed.kind = kind;
            for owned in super::sequence::owned_sequences(&ctx.view(), relation.oid, None) {
                let moved = Relation { kind, ..(*owned).clone() };
                change::write(ctx, |writer| writer.put_relation(moved).map(|_| ()))?;
            }
        }
    }
    change::write(ctx, |writer| writer.put_relation(changed))
}

fn set_options_of_view(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    options: &[(String, Option<String>)],
) -> Result<Arc<Relation>> {
    if options.iter().any(|(name, _)| name == "kind") {
        return Err(Error::feature_not_supported("the kind of a view can't be changed"));
    }
    let mut changed = (**relation).clone();
    for (name, value) in super::parameters::of_view(options)? {
        changed.options.retain(|(other, _)| *other != name);
        changed.options.push((name, value));
    }
    change::write(ctx, |writer| writer.put_relation(changed))
}

fn reset_options(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    names: &[String],
) -> Result<Arc<Relation>> {
    if names.iter().any(|name| name == "kind") {
        return Err(Error::feature_not_supported("the kind of a relation can't be reset"));
    }
    let mut changed = (**relation).clone();
    changed.options.retain(|(name, _)| !names.contains(name));
    change::write(ctx, |writer| writer.put_relation(changed))
}

async fn check_kind_change(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    kind: TableKind,
) -> Result<()> {
    if kind == TableKind::Private || relation.kind == TableKind::Private {
        return Err(Error::feature_not_supported(
            "a table can't become private or cease to be private; create it anew",
        ));
    }
    if rows::any(ctx, relation).await? {
        return Err(Error::object_not_in_prerequisite_state(format!(
            "cannot change the kind of table \"{}\" because it has rows",
            relation.name
        )));
    }
    Ok(())
}

/// ALTER INDEX: its name is all that can change.
async fn index(alter: &AlterRelation, ctx: &mut dyn DdlContext) -> Result<()> {
    let (table, index) = match names::index(ctx, &alter.name) {
        Err(error) if alter.if_exists && is_missing(&error) => {
            change::skipping(ctx, format!("{}, skipping", error.message));
            return Ok(());
        }
        other => other?,
    };
    if !ctx.view().is_owner(table.owner) {
        return Err(Error::must_be_owner(&format!("index {}", index.name)));
    }
    for action in &alter.actions {
        match action {
            AlterAction::RenameTo(name) => {
                let table = change::lock_relation(ctx, &table).await?;
                rename::index(ctx, &table, index.oid, name)?;
            }
            AlterAction::ResetOptions(_) | AlterAction::Nothing => {}
            AlterAction::Wrong(error) => return Err(error.clone()),
            AlterAction::Refused(message) => {
                return Err(Error::feature_not_supported(message.clone()));
            }
            _ => return Err(Error::feature_not_supported("an index can only be renamed")),
        }
    }
    Ok(())
}
