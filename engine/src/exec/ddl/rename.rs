//! RENAME of relations, columns, constraints and indexes.

use std::sync::Arc;

use super::{DdlContext, change, dependency, expression, names};
use crate::{
    catalog::{ConstraintKind, Relation, RelationBody, layout::attribute_place, part::CatalogView},
    error::{Error, Result, SqlState},
    types::Oid,
};

pub(super) fn relation(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    name: &str,
) -> Result<Arc<Relation>> {
    let view = ctx.view();
    check_free(&view, relation, name)?;
    check_no_views(&view, relation)?;
    let renamed = Relation { name: name.to_owned(), ..(**relation).clone() };
    change::write(ctx, |writer| writer.put_relation(renamed))
}

pub(super) fn column(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    from: &str,
    to: &str,
) -> Result<Arc<Relation>> {
    let attnum = names::attnum(relation, from).ok_or_else(|| Error::undefined_column(from))?;
    names::check_column_name(to)?;
    if names::attnum(relation, to).is_some() {
        return Err(Error::duplicate_column(to, &relation.name));
    }
    let view = ctx.view();
    if let Some(user) = dependency::views_on_column(&view, relation.oid, from).first() {
        return Err(Error::feature_not_supported(format!(
            "column \"{from}\" cannot be renamed because view {} depends on it",
            view.display_name(user, &ctx.search_path())
        )));
    }
    let mut changed = (**relation).clone();
    changed.columns[attribute_place(attnum)].name = to.to_owned();
    for attribute in changed.columns.iter_mut().filter(|attribute| attribute.generated) {
        if let Some(text) = &attribute.default {
            attribute.default = Some(expression::rename_column(text, from, to)?);
        }
    }
    if let RelationBody::Table { constraints, .. } = &mut changed.body {
        for constraint in constraints {
            if let ConstraintKind::Check { expression: text, columns } = &mut constraint.kind
                && columns.contains(&attnum)
            {
                *text = expression::rename_column(text, from, to)?;
            }
        }
    }
    change::write(ctx, |writer| writer.put_relation(changed))
}

pub(super) fn constraint(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    from: &str,
    to: &str,
) -> Result<Arc<Relation>> {
    let found = relation.constraints().iter().find(|constraint| constraint.name == from);
    let Some(found) = found else {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("constraint \"{from}\" for table \"{}\" does not exist", relation.name),
        ));
    };
    match found.kind {
        ConstraintKind::PrimaryKey { index: oid } | ConstraintKind::Unique { index: oid } => {
            index(ctx, relation, oid, to)
        }
        ConstraintKind::Check { .. } => {
            if relation.constraints().iter().any(|constraint| constraint.name == to) {
                return Err(Error::new(
                    SqlState::DUPLICATE_OBJECT,
                    format!(
                        "constraint \"{to}\" for relation \"{}\" already exists",
                        relation.name
                    ),
                ));
            }
            let mut changed = (**relation).clone();
            rename_constraint(&mut changed, found.oid, to);
            change::write(ctx, |writer| writer.put_relation(changed))
        }
    }
}

/// Renames an index, and the constraint it serves with it.
pub(super) fn index(
    ctx: &mut dyn DdlContext,
    table: &Arc<Relation>,
    index: Oid,
    name: &str,
) -> Result<Arc<Relation>> {
    check_free(&ctx.view(), table, name)?;
    let mut changed = (**table).clone();
    let of_constraint = table.constraints().iter().find(|constraint| match constraint.kind {
        ConstraintKind::PrimaryKey { index: oid } | ConstraintKind::Unique { index: oid } => {
            oid == index
        }
        ConstraintKind::Check { .. } => false,
    });
    if let Some(constraint) = of_constraint {
        rename_constraint(&mut changed, constraint.oid, name);
    }
    if let RelationBody::Table { indexes, .. } = &mut changed.body {
        for candidate in indexes.iter_mut().filter(|candidate| candidate.oid == index) {
            name.clone_into(&mut candidate.name);
        }
    }
    change::write(ctx, |writer| writer.put_relation(changed))
}

fn rename_constraint(relation: &mut Relation, constraint: Oid, name: &str) {
    if let RelationBody::Table { constraints, .. } = &mut relation.body {
        for candidate in constraints.iter_mut().filter(|candidate| candidate.oid == constraint) {
            name.clone_into(&mut candidate.name);
        }
    }
}

fn check_free(view: &CatalogView, relation: &Relation, name: &str) -> Result<()> {
    let schema = view
        .schema_by_oid(relation.schema)
        .ok_or_else(|| Error::internal("a relation without a schema"))?;
    match names::existing(view, &schema, name) {
        Some(_) => Err(Error::duplicate_table(name)),
        None => Ok(()),
    }
}

/// 0A000 where a view's query, which is kept as text, names the relation.
pub(super) fn check_no_views(view: &CatalogView, relation: &Relation) -> Result<()> {
    match dependency::views_on(view, relation.oid).first() {
        Some(user) => Err(Error::feature_not_supported(format!(
            "relation \"{}\" cannot be renamed or moved because view \"{}\" depends on it",
            relation.name, user.name
        ))),
        None => Ok(()),
    }
}
