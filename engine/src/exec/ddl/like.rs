//! `CREATE TABLE (LIKE source INCLUDING ...)`.

use super::{
    DdlContext, change,
    constraint::Draft,
    grammar::{LikePart, Name, SequenceOption},
    names,
};
use crate::{
    catalog::{
        Attribute, Class, Constraint, ConstraintKind, Description, Identity, Index, Relation,
        RelationBody, Sequence, layout::attribute_place,
    },
    error::{Error, Result},
    types::{Oid, PgType},
};

pub(super) async fn copy(
    ctx: &mut dyn DdlContext,
    draft: &mut Draft,
    source: &Name,
    including: &[LikePart],
) -> Result<()> {
    let source = names::relation(ctx, source)?;
    ctx.view().check_relation(&source, "r")?;
    let first = draft.relation.columns.len();
    for (attnum, column) in source.shown_columns() {
        if names::attnum(&draft.relation, &column.name).is_some() {
            return Err(Error::column_twice(&column.name));
        }
        let keep = match column.generated {
            true => including.contains(&LikePart::Generated),
            false => including.contains(&LikePart::Defaults),
        };
        draft.relation.columns.push(Attribute {
            default: column.default.clone().filter(|_| keep),
            generated: column.generated && keep,
            identity: Identity::No,
            missing: None,
            ..column.clone()
        });
        if column.identity != Identity::No && including.contains(&LikePart::Identity) {
            let options = identity_options(ctx, &source, attnum);
            let always = column.identity == Identity::Always;
            draft.identity(ctx, &column.name, always, &options).await?;
        }
        comment(ctx, draft, (Class::Relation, source.oid, i32::from(attnum)), including);
    }
    let moved = |attnum: i16| -> i16 {
        let before = source.shown_columns().take_while(|(n, _)| *n < attnum).count();
        i16::try_from(first + before + 1).expect("tables have at most 1600 columns")
    };
    copy_checks(ctx, draft, &source, including, &moved).await?;
    copy_indexes(ctx, draft, &source, including, &moved).await
}

async fn copy_checks(
    ctx: &mut dyn DdlContext,
    draft: &mut Draft,
    source: &Relation,
    including: &[LikePart],
    moved: &(dyn Fn(i16) -> i16 + Sync),
) -> Result<()> {
    if !including.contains(&LikePart::Constraints) {
        return Ok(());
    }
    for constraint in source.constraints() {
        let ConstraintKind::Check { expression, columns } = &constraint.kind else { continue };
        draft.chooser.take(&constraint.name);
        let copy = Constraint {
            oid: change::allocate(ctx, draft.place).await?,
            name: constraint.name.clone(),
            kind: ConstraintKind::Check {
                expression: expression.clone(),
                columns: columns.iter().map(|attnum| moved(*attnum)).collect(),
            },
        };
        draft.constraints_mut().push(copy);
    }
    Ok(())
}

async fn copy_indexes(
    ctx: &mut dyn DdlContext,
    draft: &mut Draft,
    source: &Relation,
    including: &[LikePart],
    moved: &(dyn Fn(i16) -> i16 + Sync),
) -> Result<()> {
    if !including.contains(&LikePart::Indexes) {
        return Ok(());
    }
    for index in source.indexes() {
        let is_computed = index
            .columns
            .iter()
            .any(|column| source.columns[attribute_place(column.attnum)].hidden);
        if is_computed || index.predicate.is_some() {
            return Err(Error::feature_not_supported(format!(
                "LIKE INCLUDING INDEXES can't copy index \"{}\": it has expressions or a predicate",
                index.name
            )));
        }
        let columns: Vec<_> = index
            .columns
            .iter()
            .map(|column| crate::catalog::IndexColumn { attnum: moved(column.attnum), ..*column })
            .collect();
        let of_constraint = source.constraints().iter().find(|constraint| match constraint.kind {
            ConstraintKind::PrimaryKey { index: oid } | ConstraintKind::Unique { index: oid } => {
                oid == index.oid
            }
            ConstraintKind::Check { .. } => false,
        });
        let middle: Vec<String> = columns
            .iter()
            .map(|column| draft.relation.columns[attribute_place(column.attnum)].name.clone())
            .collect();
        let (middle, label) = match (index.primary, of_constraint) {
            (true, _) => (String::new(), "pkey"),
            (false, Some(_)) => (names::joined(&middle), "key"),
            (false, None) => (names::joined(&middle), "idx"),
        };
        let view = ctx.view();
        let table = draft.relation.name.clone();
        let name = draft.chooser.relation(&view, &draft.schema, &table, &middle, label);
        let oid = change::allocate(ctx, draft.place).await?;
        if of_constraint.is_some() {
            let kind = if index.primary {
                ConstraintKind::PrimaryKey { index: oid }
            } else {
                ConstraintKind::Unique { index: oid }
            };
            let constraint = change::allocate(ctx, draft.place).await?;
            let constraint = Constraint { oid: constraint, name: name.clone(), kind };
            draft.constraints_mut().push(constraint);
        }
        let included = index.included.iter().map(|attnum| moved(*attnum)).collect();
        draft.indexes_mut().push(Index { oid, name, columns, included, ..index.clone() });
    }
    Ok(())
}

fn comment(
    ctx: &dyn DdlContext,
    draft: &mut Draft,
    (class, oid, sub): (Class, Oid, i32),
    including: &[LikePart],
) {
    if !including.contains(&LikePart::Comments) {
        return;
    }
    if let Some(text) = ctx.view().description(class, oid, sub) {
        let sub = i32::try_from(draft.relation.columns.len()).unwrap_or(i32::MAX);
        let text = text.to_owned();
        draft.descriptions.push(Description { class, oid: draft.relation.oid, sub, text });
    }
}

/// The parameters of an identity column's sequence.
fn identity_options(ctx: &dyn DdlContext, source: &Relation, attnum: i16) -> Vec<SequenceOption> {
    let view = ctx.view();
    let owned = view.relations().find_map(|relation| match &relation.body {
        RelationBody::Sequence(sequence) if sequence.owned_by == Some((source.oid, attnum)) => {
            Some(sequence.clone())
        }
        _ => None,
    });
    let Some(Sequence { ty, start, increment, min, max, cache, cycle, .. }) = owned else {
        return Vec::new();
    };
    vec![
        SequenceOption::As(PgType::plain(ty)),
        SequenceOption::Increment(increment),
        SequenceOption::Min(Some(min)),
        SequenceOption::Max(Some(max)),
        SequenceOption::Start(start),
        SequenceOption::Cache(cache),
        SequenceOption::Cycle(cycle),
    ]
}
