//! ALTER TABLE: columns.

use std::sync::Arc;

use datafusion::{common::Column, logical_expr::Expr, sql::sqlparser::ast};

use super::{
    DdlContext, alter, change, dependency, drop as drop_relations,
    expression::{self, Scope},
    grammar::SequenceOption,
    names, rows, sequence,
};
use crate::{
    analyze,
    catalog::{ConstraintKind, Identity, Relation, RelationBody, layout::attribute_place},
    error::{Error, Result, SqlState},
    exec::{evaluate::Evaluator, rules::value_text},
    types::FormatSettings,
};

/// What rows that are older than the column `attnum` have in it: nothing, or its default, which
/// then is kept in the definition. Returns false where each row needs a value of its own.
pub(super) fn fill_missing(
    ctx: &dyn DdlContext,
    relation: &mut Relation,
    attnum: i16,
) -> Result<bool> {
    let place = attribute_place(attnum);
    let column = relation.columns[place].clone();
    if column.generated || column.identity != Identity::No {
        return Ok(false);
    }
    let Some(default) = &column.default else { return Ok(true) };
    let scope = Scope::new(ctx);
    let env = scope.environment();
    let (bound, _) = analyze::bind_expression_text(default, None, Some(column.ty), &env)?;
    if expression::is_volatile(&bound) {
        return Ok(false);
    }
    let evaluator = Evaluator::new(&[bound], &[], &[])?;
    let values = evaluator.evaluate(&ctx.execution()?, &[], 1, &[])?;
    let value = &values[0];
    if !arrow::array::Array::is_null(value, 0) {
        let text = value_text(column.ty, value, 0, &FormatSettings::default());
        relation.columns[place].missing = Some(text);
    }
    Ok(true)
}

/// The new row, one expression per live column of `new` over the columns `a<attnum>` of `old`:
/// what was there stays, what is new gets its default. `changed` replaces one column's.
pub(super) fn new_row(
    ctx: &dyn DdlContext,
    old: &Arc<Relation>,
    new: &Arc<Relation>,
    changed: Option<(i16, Expr)>,
) -> Result<Vec<Expr>> {
    let scope = Scope::new(ctx);
    let env = scope.environment();
    new.live_columns()
        .map(|(attnum, column)| {
            if let Some((number, value)) = &changed
                && *number == attnum
            {
                return Ok(value.clone());
            }
            let was = old.columns.get(attribute_place(attnum));
            if was.is_some_and(|was| !was.dropped) {
                return Ok(Expr::Column(Column::new_unqualified(format!("a{attnum}"))));
            }
            if column.generated {
                let null = datafusion::common::ScalarValue::try_from(&column.ty.arrow()?)?;
                return Ok(Expr::Literal(null, None));
            }
            analyze::column_default(new, attnum, &env)
        })
        .collect()
}

pub(super) async fn drop(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    if_exists: bool,
    cascade: bool,
) -> Result<Arc<Relation>> {
    let attnum = match names::require_attnum(relation, column) {
        Err(error) if if_exists => {
            change::skipping(ctx, format!("{}, skipping", error.message));
            return Ok(Arc::clone(relation));
        }
        other => other?,
    };
    let plan = drop_relations::Plan::of_column(&ctx.view(), &ctx.search_path(), relation, attnum);
    drop_relations::execute(ctx, plan, cascade).await?;
    // Other columns may have lost their defaults.
    let relation = &ctx.view().relation_by_oid(relation.oid).unwrap_or_else(|| relation.clone());
    let mut changed = (**relation).clone();
    let mut gone = vec![attnum];
    gone.extend(dependency::generated_from(relation, attnum));
    let RelationBody::Table { constraints, indexes } = &mut changed.body else {
        return Err(Error::internal("only tables lose columns"));
    };
    let lost: Vec<_> = indexes
        .iter()
        .filter(|index| {
            let keys = index.columns.iter().map(|column| column.attnum);
            let mut named = keys.chain(index.predicate).chain(index.included.iter().copied());
            named.any(|attnum| gone.contains(&attnum))
        })
        .cloned()
        .collect();
    indexes.retain(|index| !lost.iter().any(|other| other.oid == index.oid));
    constraints.retain(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => {
            !lost.iter().any(|other| other.oid == *index)
        }
        ConstraintKind::Check { columns, .. } => !columns.iter().any(|c| gone.contains(c)),
    });
    for attnum in &gone {
        let place = attribute_place(*attnum);
        changed.columns[place] = drop_relations::dropped(&changed.columns[place], *attnum);
    }
    drop_relations::drop_computed(&mut changed);
    let new = change::write(ctx, |writer| writer.put_relation(changed))?;
    if lost.iter().any(|index| index.primary) {
        let values = new_row(ctx, relation, &new, None)?;
        rows::rewrite(ctx, relation, &new, &values).await?;
        return Ok(new);
    }
    for index in lost {
        for namespace in change::row_namespaces(ctx, &new).await? {
            let id = kalamdb_storage::RelationId(index.oid.0);
            ctx.changes().1.drop_relation(&namespace, id);
        }
    }
    Ok(new)
}

pub(super) fn set_default(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    expression: Option<&ast::Expr>,
) -> Result<Arc<Relation>> {
    let place = attribute_place(names::require_attnum(relation, column)?);
    let attribute = &relation.columns[place];
    if attribute.identity != Identity::No {
        return Err(Error::syntax_error(format!(
            "column \"{column}\" of relation \"{}\" is an identity column",
            relation.name
        ))
        .with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."));
    }
    if attribute.generated {
        let error = Error::syntax_error(format!(
            "column \"{column}\" of relation \"{}\" is a generated column",
            relation.name
        ));
        return Err(match expression {
            Some(_) => error,
            None => {
                error.with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead.")
            }
        });
    }
    let default = match expression {
        Some(expression) => expression::default(ctx, column, attribute.ty, expression)?,
        None => None,
    };
    let mut changed = (**relation).clone();
    changed.columns[place].default = default;
    change::write(ctx, |writer| writer.put_relation(changed))
}

pub(super) async fn set_not_null(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
) -> Result<Arc<Relation>> {
    let place = attribute_place(names::require_attnum(relation, column)?);
    if relation.columns[place].not_null {
        return Ok(Arc::clone(relation));
    }
    let mut changed = (**relation).clone();
    changed.columns[place].not_null = true;
    let new = change::write(ctx, |writer| writer.put_relation(changed))?;
    rows::validate(ctx, &new).await?;
    Ok(new)
}

pub(super) fn drop_not_null(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
) -> Result<Arc<Relation>> {
    let attnum = names::require_attnum(relation, column)?;
    let place = attribute_place(attnum);
    if relation.columns[place].identity != Identity::No {
        return Err(Error::syntax_error(format!(
            "column \"{column}\" of relation \"{}\" is an identity column",
            relation.name
        )));
    }
    let keyed = relation
        .primary_key()
        .is_some_and(|index| index.columns.iter().any(|column| column.attnum == attnum));
    if keyed {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{column}\" is in a primary key"),
        ));
    }
    let mut changed = (**relation).clone();
    changed.columns[place].not_null = false;
    change::write(ctx, |writer| writer.put_relation(changed))
}

pub(super) async fn add_identity(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    always: bool,
    options: &[SequenceOption],
) -> Result<Arc<Relation>> {
    let place = attribute_place(names::require_attnum(relation, column)?);
    let attribute = &relation.columns[place];
    let not_ready = |what: &str| {
        Err(Error::object_not_in_prerequisite_state(format!(
            "column \"{column}\" of relation \"{}\" {what}",
            relation.name
        )))
    };
    if attribute.identity != Identity::No {
        return not_ready("is already an identity column");
    }
    if attribute.default.is_some() {
        return not_ready("already has a default value");
    }
    if !attribute.not_null {
        return not_ready("must be declared NOT NULL before identity can be added");
    }
    let mut draft = alter::draft_of(ctx, relation)?;
    draft.identity(ctx, column, always, options).await?;
    draft.save(ctx)
}

pub(super) fn set_identity(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    always: Option<bool>,
    options: &[SequenceOption],
) -> Result<Arc<Relation>> {
    let attnum = names::require_attnum(relation, column)?;
    let place = attribute_place(attnum);
    if relation.columns[place].identity == Identity::No {
        return Err(not_identity(relation, column));
    }
    for owned in sequence::owned_sequences(&ctx.view(), relation.oid, Some(attnum)) {
        let changed = sequence::altered(ctx, &owned, options)?;
        change::write(ctx, |writer| writer.put_relation(changed).map(|_| ()))?;
        sequence::restart(ctx, &owned, options)?;
    }
    let Some(always) = always else { return Ok(Arc::clone(relation)) };
    let mut changed = (**relation).clone();
    changed.columns[place].identity = if always { Identity::Always } else { Identity::ByDefault };
    change::write(ctx, |writer| writer.put_relation(changed))
}

fn not_identity(relation: &Relation, column: &str) -> Error {
    Error::object_not_in_prerequisite_state(format!(
        "column \"{column}\" of relation \"{}\" is not an identity column",
        relation.name
    ))
}

pub(super) async fn drop_identity(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    if_exists: bool,
) -> Result<Arc<Relation>> {
    let attnum = names::require_attnum(relation, column)?;
    let place = attribute_place(attnum);
    if relation.columns[place].identity == Identity::No {
        let error = not_identity(relation, column);
        if !if_exists {
            return Err(error);
        }
        change::skipping(ctx, format!("{}, skipping", error.message));
        return Ok(Arc::clone(relation));
    }
    let mut changed = (**relation).clone();
    changed.columns[place].identity = Identity::No;
    let new = change::write(ctx, |writer| writer.put_relation(changed))?;
    for owned in sequence::owned_sequences(&ctx.view(), relation.oid, Some(attnum)) {
        drop_relations::remove(ctx, &owned).await?;
    }
    Ok(new)
}

pub(super) fn drop_expression(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    if_exists: bool,
) -> Result<Arc<Relation>> {
    let place = attribute_place(names::require_attnum(relation, column)?);
    if !relation.columns[place].generated {
        let error = Error::object_not_in_prerequisite_state(format!(
            "column \"{column}\" of relation \"{}\" is not a stored generated column",
            relation.name
        ));
        if !if_exists {
            return Err(error);
        }
        change::skipping(ctx, format!("{}, skipping", error.message));
        return Ok(Arc::clone(relation));
    }
    let mut changed = (**relation).clone();
    changed.columns[place].generated = false;
    changed.columns[place].default = None;
    change::write(ctx, |writer| writer.put_relation(changed))
}
