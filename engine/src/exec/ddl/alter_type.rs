//! `ALTER TABLE ... ALTER COLUMN ... TYPE`.
//!
//! Where the bytes of all values stay as they are (text without a limit, a longer limit), only the
//! definition changes. Else every row of every namespace is written anew.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::{
    DdlContext, alter_column, change,
    constraint::{check_column_type, check_key_type},
    dependency,
    expression::{self, Scope},
    grammar::ColumnTypeName,
    names, rows,
};
use crate::{
    analyze,
    catalog::{Relation, layout::attribute_place},
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

pub(super) async fn run(
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    ty: &ColumnTypeName,
    using: Option<&ast::Expr>,
) -> Result<Arc<Relation>> {
    let ColumnTypeName::Type(ty) = ty else {
        return Err(Error::undefined_type("serial"));
    };
    let attnum = names::require_attnum(relation, column)?;
    let place = attribute_place(attnum);
    let old_type = relation.columns[place].ty;
    check_column_type(column, *ty)?;
    check_unused(ctx, relation, column, attnum)?;
    let indexed = relation.indexes().iter().any(|i| i.columns.iter().any(|c| c.attnum == attnum));
    if indexed {
        check_key_type(*ty)?;
    }
    let mut changed = (**relation).clone();
    changed.columns[place].ty = *ty;
    changed.columns[place].default = new_default(ctx, relation, column, *ty)?;
    if using.is_none() && keeps_bytes(old_type, *ty) {
        return change::write(ctx, |writer| writer.put_relation(changed));
    }
    let value = {
        let scope = Scope::new(ctx);
        let bare = ast::Expr::Identifier(ast::Ident::with_quote('"', column));
        let expression = using.unwrap_or(&bare);
        let (value, _) = expression::bind(&scope, expression, Some(relation), Some(*ty))
            .map_err(|error| uncastable(error, column, *ty, using.is_some()))?;
        value
    };
    // Nobody else writes rows of it until this commits.
    changed.retyped_at = ctx.snapshot().lsn().0;
    for attribute in &mut changed.columns {
        // All rows are younger than all columns now.
        attribute.missing = None;
    }
    let new = change::write(ctx, |writer| writer.put_relation(changed))?;
    let values = alter_column::new_row(ctx, relation, &new, Some((attnum, value)))?;
    rows::rewrite(ctx, relation, &new, &values).await?;
    Ok(new)
}

/// Whether a value of the old type is one of the new type, byte for byte.
fn keeps_bytes(old: PgType, new: PgType) -> bool {
    let unlimited_text = |ty: PgType| matches!(ty.oid, Oid::TEXT | Oid::VARCHAR);
    if old == new {
        return true;
    }
    if unlimited_text(old) && unlimited_text(new) {
        return new.typmod < 0 || old.typmod >= 0 && old.typmod <= new.typmod;
    }
    old.oid == Oid::NUMERIC && new == PgType::NUMERIC
}

fn check_unused(
    ctx: &dyn DdlContext,
    relation: &Relation,
    column: &str,
    attnum: i16,
) -> Result<()> {
    let view = ctx.view();
    if let Some(user) = dependency::views_on_column(&view, relation.oid, column).first() {
        return Err(Error::feature_not_supported(
            "cannot alter type of a column used by a view or rule",
        )
        .with_detail(format!(
            "rule _RETURN on view {} depends on column \"{column}\"",
            view.display_name(user, &ctx.search_path())
        )));
    }
    if let Some(number) = dependency::generated_from(relation, attnum).first() {
        return Err(Error::feature_not_supported(
            "cannot alter type of a column used by a generated column",
        )
        .with_detail(format!(
            "Column \"{column}\" is used by generated column \"{}\".",
            relation.columns[attribute_place(*number)].name
        )));
    }
    Ok(())
}

fn new_default(
    ctx: &dyn DdlContext,
    relation: &Relation,
    column: &str,
    ty: PgType,
) -> Result<Option<String>> {
    let attribute = &relation.columns[attribute_place(names::require_attnum(relation, column)?)];
    let Some(text) = &attribute.default else { return Ok(None) };
    if attribute.generated {
        return Ok(Some(text.clone()));
    }
    let scope = Scope::new(ctx);
    let bound = analyze::bind_expression_text(text, None, Some(ty), &scope.environment());
    if bound.is_err() {
        return Err(Error::datatype_mismatch(format!(
            "default for column \"{column}\" cannot be cast automatically to type {}",
            ty.name()
        )));
    }
    Ok(Some(text.clone()))
}

fn uncastable(error: Error, column: &str, ty: PgType, using: bool) -> Error {
    if error.sqlstate != SqlState::DATATYPE_MISMATCH {
        return error;
    }
    if using {
        return Error::datatype_mismatch(format!(
            "result of USING clause for column \"{column}\" cannot be cast automatically to type {}",
            ty.name()
        ))
        .with_hint("You might need to add an explicit cast.");
    }
    Error::datatype_mismatch(format!(
        "column \"{column}\" cannot be cast automatically to type {}",
        ty.name()
    ))
    .with_hint(format!("You might need to specify \"USING {column}::{}\".", ty.name()))
}
