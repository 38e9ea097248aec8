//! Expressions in definitions: checked by the analyser, kept as text.
//!
//! A relation that a constant names is kept by number, `nextval('16390'::regclass)`, so that it
//! may be renamed; [`with_names`] shows its name.
//!
//! [`with_names`]: crate::catalog::regnames::with_names

use std::{ops::ControlFlow, sync::Arc};

use datafusion::{
    logical_expr::{Expr, Volatility},
    sql::sqlparser::ast::{self, visit_expressions, visit_expressions_mut},
};

use super::{DdlContext, names};
use crate::{
    analyze::{
        self, Environment, Parameters,
        constants::{self, Constants},
        resolve_type,
    },
    catalog::{Relation, part::CatalogView},
    error::{Error, Result, SqlState},
    types::{FormatSettings, Oid, PgType, is_text_like},
};

/// What the analyser needs to know.
pub(super) struct Scope {
    pub(super) view: Arc<CatalogView>,
    path: Vec<String>,
    database: String,
}

impl Scope {
    pub(super) fn new(ctx: &dyn DdlContext) -> Self {
        let view = ctx.view();
        let path = explicit_path(ctx.search_path());
        Scope { database: view.database_name(), view, path }
    }

    pub(super) fn environment(&self) -> Environment<'_> {
        Environment { catalog: &self.view, search_path: &self.path, database_name: &self.database }
    }
}

/// `pg_catalog` first where the path doesn't name it.
pub(super) fn explicit_path(mut path: Vec<String>) -> Vec<String> {
    if !path.iter().any(|schema| schema == "pg_catalog") {
        path.insert(0, "pg_catalog".to_owned());
    }
    path
}

/// A CHECK expression: boolean, over the columns of its row.
pub(super) fn check(
    ctx: &dyn DdlContext,
    relation: &Arc<Relation>,
    expression: &ast::Expr,
) -> Result<String> {
    // Dumps have a pair of parentheses more than there are in what they are made of.
    let mut expression = expression;
    while let ast::Expr::Nested(inner) = expression {
        expression = inner;
    }
    refuse_subquery(expression, "check constraint")?;
    let (expression, _, ty) = bind_kept(ctx, expression, Some(relation), None)?;
    if ty.oid != Oid::BOOL && !ty.is_unknown() {
        return Err(Error::datatype_mismatch(format!(
            "argument of CHECK must be type boolean, not type {}",
            ty.name()
        )));
    }
    Ok(to_text(expression))
}

/// A DEFAULT expression for a column of type `ty`.
pub(super) fn default(
    ctx: &dyn DdlContext,
    column: &str,
    ty: PgType,
    expression: &ast::Expr,
) -> Result<Option<String>> {
    if is_null(expression) {
        return Ok(None);
    }
    refuse_subquery(expression, "DEFAULT expression")?;
    if names_column(expression) {
        return Err(Error::feature_not_supported(
            "cannot use column reference in DEFAULT expression",
        ));
    }
    let (expression, ..) = bind_kept(ctx, expression, None, Some(ty))
        .map_err(|error| default_mismatch(error, column, ty, "default expression"))?;
    if let ast::Expr::Value(value) = &expression
        && matches!(value.value, ast::Value::SingleQuotedString(_))
    {
        let shown = if is_text_like(ty.oid) { PgType::plain(ty.oid) } else { ty };
        return Ok(Some(format!("{expression}::{}", shown.name())));
    }
    Ok(Some(to_text(expression)))
}

/// A generation expression: immutable, over the other columns of its row.
pub(super) fn generated(
    ctx: &dyn DdlContext,
    relation: &Arc<Relation>,
    column: &str,
    ty: PgType,
    expression: &ast::Expr,
) -> Result<String> {
    refuse_subquery(expression, "column generation expression")?;
    for attnum in columns(relation, expression) {
        let named = &relation.columns[crate::catalog::layout::attribute_place(attnum)];
        if named.generated || named.name == column {
            return Err(Error::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!(
                    "cannot use generated column \"{}\" in column generation expression",
                    named.name
                ),
            )
            .with_detail("A generated column cannot reference another generated column."));
        }
    }
    let (expression, bound, _) = bind_kept(ctx, expression, Some(relation), Some(ty))
        .map_err(|error| default_mismatch(error, column, ty, "generation expression"))?;
    if !is_immutable(&bound)? {
        return Err(Error::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            "generation expression is not immutable",
        ));
    }
    Ok(to_text(expression))
}

/// What an index is over: immutable, over the columns of its row.
pub(super) fn index_key(
    ctx: &dyn DdlContext,
    relation: &Arc<Relation>,
    expression: &ast::Expr,
) -> Result<(String, PgType)> {
    refuse_subquery(expression, "index expression")?;
    let (expression, bound, ty) = bind_kept(ctx, expression, Some(relation), None)?;
    if !is_immutable(&bound)? {
        return Err(Error::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            "functions in index expression must be marked IMMUTABLE",
        ));
    }
    super::constraint::check_column_type("expr", ty)?;
    Ok((to_text(expression), ty))
}

/// Which rows an index is about.
pub(super) fn index_predicate(
    ctx: &dyn DdlContext,
    relation: &Arc<Relation>,
    predicate: &ast::Expr,
) -> Result<String> {
    refuse_subquery(predicate, "index predicate")?;
    let (predicate, bound, ty) = bind_kept(ctx, predicate, Some(relation), None)?;
    if ty.oid != Oid::BOOL && !ty.is_unknown() {
        return Err(Error::datatype_mismatch(format!(
            "argument of WHERE must be type boolean, not type {}",
            ty.name()
        )));
    }
    if !is_immutable(&bound)? {
        return Err(Error::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            "functions in index predicate must be marked IMMUTABLE",
        ));
    }
    Ok(to_text(predicate))
}

/// Analyses an expression, with its own text for error positions left out: positions in a part of
/// a definition would point into the wrong text.
pub(super) fn bind(
    scope: &Scope,
    expression: &ast::Expr,
    relation: Option<&Arc<Relation>>,
    target: Option<PgType>,
) -> Result<(Expr, PgType)> {
    let mut parameters = Parameters::default();
    let bound = analyze::bind_expression(
        expression,
        "",
        relation,
        target,
        &scope.environment(),
        &mut parameters,
    )?;
    if parameters.types.is_empty() { Ok(bound) } else { Err(Error::undefined_parameter(1)) }
}

/// Analyses an expression that is to be kept: with the tree in which its constants are decided.
fn bind_kept(
    ctx: &dyn DdlContext,
    expression: &ast::Expr,
    relation: Option<&Arc<Relation>>,
    target: Option<PgType>,
) -> Result<(ast::Expr, Expr, PgType)> {
    let scope = Scope::new(ctx);
    let mut kept = expression.clone();
    let mut parameters = deciding_constants(ctx, &mut kept);
    let (bound, ty) = analyze::bind_expression(
        &kept,
        "",
        relation,
        target,
        &scope.environment(),
        &mut parameters,
    )?;
    if !parameters.types.is_empty() {
        return Err(Error::undefined_parameter(1));
    }
    if let Some(constants) = parameters.constants {
        constants.write(&mut kept);
    }
    Ok((kept, bound, ty))
}

/// For the analysis of a tree that is to be kept.
pub(super) fn deciding_constants(
    ctx: &dyn DdlContext,
    tree: &mut impl ast::VisitMut,
) -> Parameters {
    constants::mark(tree);
    // Migrations have no session, and its settings are the defaults.
    let settings = ctx.execution().map_or_else(
        |_| FormatSettings::default(),
        |context| FormatSettings {
            now_us: Some(context.transaction_time),
            ..context.format.clone()
        },
    );
    Parameters { types: Vec::new(), constants: Some(Constants::new(settings)) }
}

fn default_mismatch(error: Error, column: &str, ty: PgType, what: &str) -> Error {
    let assignment = error.sqlstate == SqlState::DATATYPE_MISMATCH
        && error.message.contains("but expression is of type ");
    if !assignment {
        return error;
    }
    let got = error.message.rsplit("but expression is of type ").next().unwrap_or_default();
    Error::datatype_mismatch(format!(
        "column \"{column}\" is of type {} but {what} is of type {got}",
        ty.name()
    ))
    .with_hint("You will need to rewrite or cast the expression.")
}

/// Whether two evaluations always agree.
fn is_immutable(expression: &Expr) -> Result<bool> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut immutable = true;
    expression.apply(|node| {
        if let Expr::ScalarFunction(call) = node
            && call.func.signature().volatility != Volatility::Immutable
        {
            immutable = false;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(immutable)
}

/// Whether evaluating it again, or for another row, may give another value.
pub(super) fn is_volatile(expression: &Expr) -> bool {
    expression.is_volatile()
}

fn is_null(expression: &ast::Expr) -> bool {
    matches!(expression, ast::Expr::Value(value) if matches!(value.value, ast::Value::Null))
}

fn refuse_subquery(expression: &ast::Expr, place: &str) -> Result<()> {
    let found = visit_expressions(expression, |inner| match inner {
        ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(()) => {
            Err(Error::feature_not_supported(format!("cannot use subquery in {place}")))
        }
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn names_column(expression: &ast::Expr) -> bool {
    visit_expressions(expression, |inner| match inner {
        ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The attribute numbers that an expression names, sorted.
pub(super) fn columns(relation: &Relation, expression: &ast::Expr) -> Vec<i16> {
    let mut found = Vec::new();
    let _ = visit_expressions(expression, |inner| {
        let ident = match inner {
            ast::Expr::Identifier(ident) => Some(ident),
            ast::Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(attnum) = ident.and_then(|ident| names::attnum(relation, &fold(ident)))
            && !found.contains(&attnum)
        {
            found.push(attnum);
        }
        ControlFlow::<()>::Continue(())
    });
    found.sort_unstable();
    found
}

/// As [`columns`], for a text kept in the catalog.
pub(super) fn columns_of_text(relation: &Relation, text: &str) -> Vec<i16> {
    analyze::parse_expression(text).map_or_else(|_| Vec::new(), |tree| columns(relation, &tree))
}

/// Renames a column inside a text kept in the catalog.
pub(super) fn rename_column(text: &str, from: &str, to: &str) -> Result<String> {
    let mut tree = analyze::parse_expression(text)?;
    let _ = visit_expressions_mut(&mut tree, |inner| {
        let ident = match inner {
            ast::Expr::Identifier(ident) => Some(ident),
            ast::Expr::CompoundIdentifier(parts) => parts.last_mut(),
            _ => None,
        };
        if let Some(ident) = ident
            && fold(ident) == from
        {
            *ident = quoted(to);
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(tree.to_string())
}

fn fold(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn quoted(name: &str) -> ast::Ident {
    if crate::catalog::part::quote_identifier(name).starts_with('"') {
        ast::Ident::with_quote('"', name)
    } else {
        ast::Ident::new(name)
    }
}

/// The text that is kept: types in PostgreSQL's spelling, identifiers folded.
fn to_text(mut tree: ast::Expr) -> String {
    let _ = visit_expressions_mut(&mut tree, |inner| {
        normalize(inner);
        ControlFlow::<()>::Continue(())
    });
    tree.to_string()
}

fn normalize(expression: &mut ast::Expr) {
    match expression {
        ast::Expr::Identifier(ident) => *ident = quoted(&fold(ident)),
        ast::Expr::CompoundIdentifier(parts) => {
            for part in parts {
                *part = quoted(&fold(part));
            }
        }
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => {
            if let Some(constant) = constants::negative(expr) {
                *expression = constant;
            }
        }
        ast::Expr::Cast { data_type, .. } => {
            let name = match resolve_type(data_type) {
                Ok(ty) => ty.name(),
                Err(_) => return,
            };
            let ident = ast::ObjectNamePart::Identifier(ast::Ident::new(name));
            *data_type = ast::DataType::Custom(ast::ObjectName(vec![ident]), Vec::new());
        }
        ast::Expr::Function(function) => {
            for part in &mut function.name.0 {
                if let ast::ObjectNamePart::Identifier(ident) = part
                    && ident.quote_style.is_none()
                    && !ident.value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                {
                    ident.value = ident.value.to_lowercase();
                }
            }
        }
        _ => {}
    }
}

/// The name in a call of `nextval` or its kin, or in a cast to regclass.
pub(super) fn named_relation(expression: &ast::Expr) -> Option<String> {
    let ast::Expr::Function(function) = expression else {
        let is_cast = matches!(expression, ast::Expr::Cast { .. });
        return is_cast.then(|| sequence_literal(expression)).flatten();
    };
    let name = function.name.to_string().to_lowercase();
    if !is_about_sequence(&name) {
        return None;
    }
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument)) => {
            sequence_literal(argument)
        }
        _ => None,
    }
}

fn is_about_sequence(function: &str) -> bool {
    let name = function.trim_start_matches("pg_catalog.");
    matches!(name, "nextval" | "currval" | "setval")
}

fn sequence_literal(argument: &ast::Expr) -> Option<String> {
    match argument {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        ast::Expr::Cast { expr, data_type, .. }
            if data_type.to_string().eq_ignore_ascii_case("regclass") =>
        {
            sequence_literal(expr)
        }
        _ => None,
    }
}

/// The sequences that a kept text names.
pub(super) fn sequences(text: &str) -> Vec<Oid> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("'::regclass") {
        let digits: String = {
            let head = &text[..at];
            let start = head.rfind('\'').map_or(at, |quote| quote + 1);
            head[start..].to_owned()
        };
        if let Ok(number) = digits.parse() {
            found.push(Oid(number));
        }
    }
    found
}
