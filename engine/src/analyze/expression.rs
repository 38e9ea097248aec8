//! Expressions: what each form of the tree means, and its type.

use datafusion::{
    logical_expr::{Case, Expr, Operator, binary_expr, expr::ScalarFunction},
    scalar::ScalarValue,
    sql::sqlparser::ast::{self, Spanned},
};

use super::{
    binder::{Binder, Typed},
    coerce::Coercion,
    literals,
    names::{At, fold},
    scope::Scope,
    typename::resolve_type,
};
use crate::{
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

/// Where an expression stands: what it may contain, and the word for it in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    Where,
    On,
    GroupBy,
    Having,
    OrderBy,
    DistinctOn,
    Values,
    Limit(&'static str),
    /// Arguments of a function in FROM.
    From,
    /// CHECK, DEFAULT, ...
    Standalone,
    Set,
    Returning,
    Aggregate,
    Filter,
    Window,
}

impl Clause {
    /// Why aggregates aren't allowed here.
    pub(super) fn refuses_aggregates(self) -> Option<String> {
        Some(match self {
            Clause::Select
            | Clause::Having
            | Clause::OrderBy
            | Clause::DistinctOn
            | Clause::Window => return None,
            Clause::Aggregate => "aggregate function calls cannot be nested".to_owned(),
            other => format!("aggregate functions are not allowed in {}", other.word()),
        })
    }

    pub(super) fn refuses_windows(self) -> Option<String> {
        Some(match self {
            Clause::Select | Clause::OrderBy | Clause::DistinctOn => return None,
            Clause::Aggregate => {
                "aggregate function calls cannot contain window function calls".to_owned()
            }
            Clause::Window => "window function calls cannot be nested".to_owned(),
            other => format!("window functions are not allowed in {}", other.word()),
        })
    }

    pub(super) fn refuses_sets(self) -> Option<String> {
        Some(match self {
            Clause::Select | Clause::OrderBy | Clause::DistinctOn => return None,
            Clause::From => "set-returning functions must appear at top level of FROM".to_owned(),
            Clause::Aggregate => {
                "aggregate function calls cannot contain set-returning function calls".to_owned()
            }
            Clause::Window => {
                "window function calls cannot contain set-returning function calls".to_owned()
            }
            other => format!("set-returning functions are not allowed in {}", other.word()),
        })
    }

    fn word(self) -> &'static str {
        match self {
            Clause::Select | Clause::OrderBy | Clause::DistinctOn => "the select list",
            Clause::Where => "WHERE",
            Clause::On => "JOIN conditions",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::Values => "VALUES",
            Clause::Limit(clause) => clause,
            Clause::From => "functions in FROM",
            Clause::Standalone => "this expression",
            Clause::Set => "UPDATE",
            Clause::Returning => "RETURNING",
            Clause::Aggregate => "aggregates",
            Clause::Filter => "FILTER",
            Clause::Window => "window definitions",
        }
    }
}

impl Binder<'_> {
    /// The meaning of an expression.
    pub(super) fn expression(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        self.nested(|binder| binder.expression_here(expr, scope, clause))
    }

    fn expression_here(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        use ast::Expr as E;
        match expr {
            E::Nested(inner) => self.expression(inner, scope, clause),
            E::Value(value) => self.literal(value),
            E::Identifier(ident) => self.column(ident, scope),
            E::CompoundIdentifier(parts) => self.qualified_column(parts, scope),
            E::CompoundFieldAccess { root, access_chain } => {
                self.access(root, access_chain, scope, clause)
            }
            E::BinaryOp { left, op, right } => self.binary(expr, left, op, right, scope, clause),
            E::UnaryOp { op, expr: operand } => self.unary(*op, operand, scope, clause),
            E::AnyOp { left, compare_op, right, .. } => {
                self.quantified(left, compare_op, right, false, scope, clause)
            }
            E::AllOp { left, compare_op, right } => {
                self.quantified(left, compare_op, right, true, scope, clause)
            }
            E::Cast { expr: operand, data_type, format: None, array: false, .. } => {
                self.cast_expression(operand, data_type, scope, clause)
            }
            E::TypedString(typed) => {
                let ty = resolve_type(&typed.data_type).at_place(self.places.start(expr))?;
                let literal = self.literal(&typed.value)?;
                self.cast(literal, ty).at_place(self.places.start(expr))
            }
            E::Interval(interval) => self.interval(interval),
            E::Collate { expr: operand, collation } => {
                self.check_collation(collation)?;
                let typed = self.expression(operand, scope, clause)?;
                self.check_collatable(typed.ty).at_place(self.collate_place(operand, collation))?;
                Ok(typed)
            }
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope, clause)
            }
            E::Exists { subquery, negated } => self.exists_value(subquery, *negated, scope),
            E::Subquery(query) => self.scalar_subquery(query, scope),
            E::Array(array) => self.array(expr, array, None, scope, clause),
            E::Tuple(members) => {
                let members = members
                    .iter()
                    .map(|member| self.expression(member, scope, clause))
                    .collect::<Result<Vec<Typed>>>()?;
                self.row_value(members)
            }
            E::Function(function) => self.function(function, scope, clause),
            E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => {
                Err(Error::syntax_error("grouping sets are allowed in GROUP BY only"))
            }
            E::Wildcard(_) | E::QualifiedWildcard(..) => {
                Err(Error::syntax_error_near("*").at_place(self.places.start(expr)))
            }
            _ => self.test(expr, scope, clause),
        }
    }

    /// What is true or false by a grammar of its own: IS, IN, BETWEEN, LIKE.
    fn test(&mut self, expr: &ast::Expr, scope: &Scope<'_>, clause: Clause) -> Result<Typed> {
        use ast::Expr as E;
        let like = |negated: bool| if negated { "!~~" } else { "~~" };
        let ilike = |negated: bool| if negated { "!~~*" } else { "~~*" };
        match expr {
            E::IsNull(operand) => self.null_test(operand, false, scope, clause),
            E::IsNotNull(operand) => self.null_test(operand, true, scope, clause),
            E::IsTrue(x) => self.truth_test(x, "IS TRUE", is(true), scope, clause),
            E::IsNotTrue(x) => self.truth_test(x, "IS NOT TRUE", is_not(true), scope, clause),
            E::IsFalse(x) => self.truth_test(x, "IS FALSE", is(false), scope, clause),
            E::IsNotFalse(x) => self.truth_test(x, "IS NOT FALSE", is_not(false), scope, clause),
            E::IsUnknown(x) => self.truth_test(x, "IS UNKNOWN", Expr::is_null, scope, clause),
            E::IsNotUnknown(x) => {
                self.truth_test(x, "IS NOT UNKNOWN", Expr::is_not_null, scope, clause)
            }
            E::IsDistinctFrom(a, b) => self.distinct_test(a, b, false, scope, clause),
            E::IsNotDistinctFrom(a, b) => self.distinct_test(a, b, true, scope, clause),
            E::IsNormalized { expr: operand, form, negated } => {
                let form = form.map_or("NFC".to_owned(), |form| form.to_string());
                let args = vec![self.expression(operand, scope, clause)?, literals::text(&form)];
                let typed = self.call("is_normalized", args, self.places.start(expr))?;
                let test = if *negated { Expr::Not(Box::new(typed.expr)) } else { typed.expr };
                Ok(Typed::new(test, PgType::BOOL))
            }
            E::InList { expr: left, list, negated } => {
                self.in_list(left, list, *negated, scope, clause)
            }
            E::InSubquery { expr: left, subquery, negated } => {
                self.in_subquery(left, subquery, *negated, scope, clause)
            }
            E::Between { expr: operand, negated, low, high } => {
                self.between(operand, low, high, *negated, scope, clause)
            }
            E::Like { negated, any: true, expr: left, pattern, escape_char: None } => {
                self.quantified_by_name(left, like(*negated), pattern, false, scope, clause)
            }
            E::ILike { negated, any: true, expr: left, pattern, escape_char: None } => {
                self.quantified_by_name(left, ilike(*negated), pattern, false, scope, clause)
            }
            E::Like { negated, any: false, expr: left, pattern, escape_char } => {
                self.like(like(*negated), left, pattern, escape_char.as_ref(), scope, clause)
            }
            E::ILike { negated, any: false, expr: left, pattern, escape_char } => {
                self.like(ilike(*negated), left, pattern, escape_char.as_ref(), scope, clause)
            }
            E::SimilarTo { negated, expr: left, pattern, escape_char } => {
                self.similar(*negated, left, pattern, escape_char.as_ref(), scope, clause)
            }
            _ => self.call_in_words(expr, scope, clause),
        }
    }

    /// Functions whose arguments stand between words: EXTRACT, SUBSTRING, TRIM, AT TIME ZONE.
    fn call_in_words(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        use ast::Expr as E;
        let whole = ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime);
        match expr {
            E::AtTimeZone { timestamp, time_zone } => {
                let args = [time_zone.as_ref(), timestamp.as_ref()];
                self.call_named("timezone", &args, expr, scope, clause)
            }
            E::Extract { field, expr: operand, .. } => {
                let field = field.to_string().to_lowercase();
                let field = literals::text(field.trim_matches(['\'', '"']));
                let operand = self.expression(operand, scope, clause)?;
                self.call("extract", vec![field, operand], self.places.start(expr))
            }
            E::Ceil { expr: operand, field } if *field == whole => {
                self.call_named("ceil", &[operand.as_ref()], expr, scope, clause)
            }
            E::Floor { expr: operand, field } if *field == whole => {
                self.call_named("floor", &[operand.as_ref()], expr, scope, clause)
            }
            E::Position { expr: needle, r#in } => {
                self.call_named("position", &[r#in.as_ref(), needle.as_ref()], expr, scope, clause)
            }
            E::Substring { expr: operand, substring_from, substring_for, .. } => self.substring(
                expr,
                operand,
                substring_from.as_deref(),
                substring_for.as_deref(),
                scope,
                clause,
            ),
            E::Trim { trim_where, trim_what, expr: operand, trim_characters } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    Some(ast::TrimWhereField::Both) | None => "btrim",
                };
                let mut args = vec![operand.as_ref()];
                args.extend(trim_what.as_deref());
                args.extend(trim_characters.iter().flatten());
                self.call_named(name, &args, expr, scope, clause)
            }
            E::Overlay { expr: operand, overlay_what, overlay_from, overlay_for } => {
                let mut args = vec![operand.as_ref(), overlay_what.as_ref(), overlay_from.as_ref()];
                args.extend(overlay_for.as_deref());
                self.call_named("overlay", &args, expr, scope, clause)
            }
            other => Err(Error::feature_not_supported(format!(
                "the expression {other} is not supported"
            ))
            .at_place(self.places.start(other))),
        }
    }

    /// Only collations that compare bytes are there.
    fn check_collation(&self, collation: &ast::ObjectName) -> Result<()> {
        let name = super::names::parts(collation)?.pop().unwrap_or_default();
        if matches!(name.as_str(), "default" | "C" | "POSIX" | "ucs_basic") {
            return Ok(());
        }
        Err(Error::undefined_object("collation", &name).at_place(self.places.start(collation)))
    }

    /// 42804 for what has no collation.
    fn check_collatable(&self, ty: PgType) -> Result<()> {
        let base = ty.element().unwrap_or(ty).oid;
        if ty.is_unknown() || matches!(base, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR | Oid::NAME) {
            return Ok(());
        }
        Err(Error::datatype_mismatch(format!(
            "collations are not supported by type {}",
            PgType::plain(ty.oid).name()
        )))
    }

    /// Where COLLATE stands.
    fn collate_place(&self, operand: &ast::Expr, collation: &ast::ObjectName) -> Option<u32> {
        let from = self.places.start(operand)?;
        let to = self.places.start(collation)?;
        self.places.find_last(from, to, "collate")
    }

    /// A name on its own: a column, else a function that is called without parentheses.
    fn column(&mut self, ident: &ast::Ident, scope: &Scope<'_>) -> Result<Typed> {
        let place = self.places.span(ident.span);
        let name = fold(ident);
        if ident.quote_style.is_none()
            && let Some(typed) = self.bare_function(&name, None)?
        {
            return Ok(typed);
        }
        if let Some(column) = scope.column(&name).at_place(place)? {
            return Ok(Typed::new(column.expr, column.ty));
        }
        if let Some((table, depth)) = scope.table(None, &name).at_place(place)? {
            // A function's only column goes by the function's alias as well.
            if table.function && table.columns.len() == 1 {
                let column = &table.columns[0];
                let expr = match depth {
                    0 => column.expr.clone(),
                    _ => super::scope::outer(column.expr.clone(), column.ty)?,
                };
                return Ok(Typed::new(expr, column.ty));
            }
            return self.whole_row(table, depth).at_place(place);
        }
        Err(scope.undefined(&name).at_place(place))
    }

    fn qualified_column(&mut self, parts: &[ast::Ident], scope: &Scope<'_>) -> Result<Typed> {
        let place = self.places.span(parts[0].span);
        let names: Vec<String> = parts.iter().map(fold).collect();
        let column = match names.as_slice() {
            [table, column] => scope.qualified(None, table, column),
            [schema, table, column] => scope.qualified(Some(schema), table, column),
            [catalog, schema, table, column] if catalog == self.env.database_name => {
                scope.qualified(Some(schema), table, column)
            }
            [_, _, _, _] => Err(Error::feature_not_supported(format!(
                "cross-database references are not implemented: {}",
                names.join(".")
            ))),
            _ => Err(Error::syntax_error(format!(
                "improper qualified name (too many dotted names): {}",
                names.join(".")
            ))),
        }
        .at_place(place)?;
        Ok(Typed::new(column.expr, column.ty))
    }

    /// A table's name as a value: the whole row, NULL where an outer join found none.
    pub(super) fn whole_row(
        &mut self,
        table: &super::scope::ScopeTable,
        depth: usize,
    ) -> Result<Typed> {
        let (members, key) = row_of(table, depth)?;
        let row = self.named_row(table.member_names(), members)?;
        super::rows::where_present(row, key)
    }

    /// `ROW(...)`
    pub(super) fn row_value(&mut self, members: Vec<Typed>) -> Result<Typed> {
        let names = (1..=members.len()).map(|number| format!("f{number}")).collect();
        self.named_row(names, members)
    }

    fn named_row(&mut self, names: Vec<String>, members: Vec<Typed>) -> Result<Typed> {
        let members = members
            .into_iter()
            .map(|member| self.resolve_unknown(member))
            .collect::<Result<Vec<Typed>>>()?;
        let types: Vec<PgType> = members.iter().map(|member| member.ty).collect();
        let udf = crate::functions::record::construct(names, &types)?;
        let mut args: Vec<Expr> = members.into_iter().map(|member| member.expr).collect();
        args.push(self.time_zone());
        let call = datafusion::logical_expr::expr::ScalarFunction::new_udf(udf, args);
        Ok(Typed::new(Expr::ScalarFunction(call), PgType::RECORD))
    }

    /// The table whose row an expression is, if it is a table's name.
    pub(super) fn row_named<'s>(
        &self,
        expr: &ast::Expr,
        scope: &Scope<'s>,
    ) -> Result<Option<(&'s super::scope::ScopeTable, usize)>> {
        let ident = match expr {
            ast::Expr::Nested(inner) => return self.row_named(inner, scope),
            ast::Expr::Identifier(ident) => ident,
            _ => return Ok(None),
        };
        let name = fold(ident);
        if scope.column(&name).is_ok_and(|column| column.is_some()) {
            return Ok(None);
        }
        let found = scope.table(None, &name)?;
        Ok(found.filter(|(table, _)| !(table.function && table.columns.len() == 1)))
    }

    /// `x[1]`, `x[1:2]`, `(x).field`
    fn access(
        &mut self,
        root: &ast::Expr,
        chain: &[ast::AccessExpr],
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(root);
        if matches!(chain.first(), Some(ast::AccessExpr::Subscript(_))) && !takes_subscript(root) {
            let from = self.places.position(root.span().end);
            let to = chain.first().and_then(|access| match access {
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => {
                    self.places.start(index)
                }
                _ => None,
            });
            let bracket = from.zip(to).and_then(|(from, to)| self.places.find(from, to, "["));
            return Err(Error::syntax_error_near("[").at_place(bracket));
        }
        // The parser reads t.a[1] as an access to t.
        let mut rest = chain;
        let mut names: Vec<ast::Ident> = match root {
            ast::Expr::Identifier(ident) => vec![ident.clone()],
            ast::Expr::CompoundIdentifier(parts) => parts.clone(),
            // `(t).column` of a whole row.
            ast::Expr::Nested(inner) if self.row_named(inner, scope)?.is_some() => {
                let mut inner = inner.as_ref();
                while let ast::Expr::Nested(next) = inner {
                    inner = next;
                }
                match inner {
                    ast::Expr::Identifier(ident) => vec![ident.clone()],
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        };
        while let (false, [ast::AccessExpr::Dot(ast::Expr::Identifier(ident)), tail @ ..]) =
            (names.is_empty(), rest)
        {
            names.push(ident.clone());
            rest = tail;
        }
        let mut typed = match names.as_slice() {
            [] => self.expression(root, scope, clause)?,
            [single] => self.column(single, scope)?,
            several => self.qualified_column(several, scope)?,
        };
        for access in rest {
            typed = match access {
                ast::AccessExpr::Subscript(subscript) => {
                    self.subscript(typed, subscript, place, scope, clause)?
                }
                ast::AccessExpr::Dot(_) => {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!(
                            "column notation applied to type {}, which is not a composite type",
                            typed.ty.name()
                        ),
                    )
                    .at_place(place));
                }
            };
        }
        Ok(typed)
    }

    /// `array[n]`, `array[m:n]`, `jsonb['key']`
    fn subscript(
        &mut self,
        array: Typed,
        subscript: &ast::Subscript,
        place: Option<u32>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let call = |udf, args| {
            Expr::ScalarFunction(datafusion::logical_expr::expr::ScalarFunction::new_udf(udf, args))
        };
        let is_json = array.ty.oid == Oid::JSONB;
        let Some(element) = array.ty.list_element().or(is_json.then_some(PgType::JSONB)) else {
            return Err(Error::datatype_mismatch(format!(
                "cannot subscript type {} because it does not support subscripting",
                array.ty.name()
            ))
            .at_place(place));
        };
        match subscript {
            ast::Subscript::Index { index } => {
                let place = self.places.start(index);
                let index = self.expression(index, scope, clause)?;
                if is_json {
                    let index = match index.ty.oid {
                        Oid::INT2 | Oid::INT4 => index,
                        _ => self.cast(index, PgType::TEXT).at_place(place)?,
                    };
                    return self.operator("->", array, index, place);
                }
                let index = self.subscript_bound(index, place)?;
                let udf = crate::functions::array::subscript(array.ty)?;
                Ok(Typed::new(call(udf, vec![array.expr, index]), element))
            }
            ast::Subscript::Slice { .. } if is_json => {
                Err(Error::datatype_mismatch("jsonb subscript does not support slices")
                    .at_place(place))
            }
            ast::Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                let mut bounds = Vec::with_capacity(2);
                for (bound, open) in [(lower_bound, i32::MIN), (upper_bound, i32::MAX)] {
                    bounds.push(match bound {
                        None => literals::int4(open).expr,
                        Some(bound) => {
                            let place = self.places.start(bound);
                            let typed = self.expression(bound, scope, clause)?;
                            self.subscript_bound(typed, place)?
                        }
                    });
                }
                let udf = crate::functions::array::slice(array.ty)?;
                let mut args = vec![array.expr];
                args.extend(bounds);
                Ok(Typed::new(call(udf, args), array.ty))
            }
            ast::Subscript::Slice { .. } => Err(Error::syntax_error_near(":").at_place(place)),
        }
    }

    fn subscript_bound(&mut self, typed: Typed, place: Option<u32>) -> Result<Expr> {
        match self.coerce(typed, PgType::plain(Oid::INT4), Coercion::Assignment).at_place(place)? {
            Some(typed) => Ok(typed.expr),
            None => {
                Err(Error::datatype_mismatch("array subscript must have type integer")
                    .at_place(place))
            }
        }
    }

    fn null_test(
        &mut self,
        operand: &ast::Expr,
        negated: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        if let Some(members) = super::operators::row_members(operand) {
            let tests = members
                .iter()
                .map(|member| Ok(self.null_test(member, negated, scope, clause)?.expr))
                .collect::<Result<Vec<Expr>>>()?;
            return Ok(Typed::new(super::operators::all_of(tests), PgType::BOOL));
        }
        // A row is NULL when all of it is, and not NULL when none of it is.
        if let Some((table, depth)) = self.row_named(operand, scope)? {
            let (members, key) = row_of(table, depth)?;
            if let (Some(key), true) = (key, members.is_empty() && negated) {
                return Ok(Typed::new(Expr::IsNotNull(Box::new(key)), PgType::BOOL));
            }
            let test = |member: Typed| match negated {
                true => Expr::IsNotNull(Box::new(member.expr)),
                false => Expr::IsNull(Box::new(member.expr)),
            };
            let tests = members.into_iter().map(test).collect();
            return Ok(Typed::new(super::operators::all_of(tests), PgType::BOOL));
        }
        let typed = self.expression(operand, scope, clause)?;
        let typed = self.leave_unknown(typed)?;
        if typed.ty == PgType::RECORD {
            let test = ScalarFunction::new_udf(
                crate::functions::record::null_test(negated),
                vec![typed.expr],
            );
            return Ok(Typed::new(Expr::ScalarFunction(test), PgType::BOOL));
        }
        if typed.ty == PgType::VOID {
            let udf = crate::functions::session::void_test(negated);
            let test = ScalarFunction::new_udf(udf, vec![typed.expr]);
            return Ok(Typed::new(Expr::ScalarFunction(test), PgType::BOOL));
        }
        let expr = match negated {
            true => Expr::IsNotNull(Box::new(typed.expr)),
            false => Expr::IsNull(Box::new(typed.expr)),
        };
        Ok(Typed::new(expr, PgType::BOOL))
    }

    fn truth_test(
        &mut self,
        operand: &ast::Expr,
        word: &str,
        make: impl FnOnce(Expr) -> Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let typed = self.expression(operand, scope, clause)?;
        let expr = self.condition(typed, word).at_place(self.places.start(operand))?;
        Ok(Typed::new(make(expr), PgType::BOOL))
    }

    fn cast_expression(
        &mut self,
        operand: &ast::Expr,
        data_type: &ast::DataType,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(operand);
        let type_place = match data_type {
            ast::DataType::Custom(name, _) => self.places.start(name),
            _ => place,
        };
        let ty = resolve_type(data_type).at_place(type_place)?;
        // The parser takes -1::int for (-1)::int in some places only; PostgreSQL binds :: tighter.
        let mut inner = operand;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        if let ast::Expr::Array(array) = inner
            && ty.element().is_some()
        {
            let typed = self.array(inner, array, Some(ty), scope, clause)?;
            return self.cast(typed, ty).at_place(place);
        }
        let typed = self.expression(operand, scope, clause)?;
        self.cast(typed, ty).at_place(place)
    }

    /// `INTERVAL '1' DAY`
    fn interval(&mut self, interval: &ast::Interval) -> Result<Typed> {
        let place = self.places.start(interval.value.as_ref());
        let mut name = "interval".to_owned();
        if let Some(leading) = &interval.leading_field {
            name.push_str(&format!(" {leading}"));
        }
        if let Some(last) = &interval.last_field {
            name.push_str(&format!(" to {last}"));
        }
        if let Some(precision) =
            interval.fractional_seconds_precision.or(interval.leading_precision)
        {
            name.push_str(&format!("({precision})"));
        }
        let ty = crate::types::parse_type_name(&name.to_lowercase()).at_place(place)?;
        let ast::Expr::Value(value) = interval.value.as_ref() else {
            return Err(Error::syntax_error_near(&interval.value.to_string()).at_place(place));
        };
        let literal = self.literal(value)?;
        self.cast(literal, ty).at_place(place)
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        else_result: Option<&ast::Expr>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let operand = match operand {
            Some(operand) => {
                let typed = self.expression(operand, scope, clause)?;
                Some(self.resolve_unknown(typed)?)
            }
            None => None,
        };
        let mut whens = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        // PostgreSQL lets ELSE lead in the choice of the common type.
        results.push(match else_result {
            Some(result) => self.expression(result, scope, clause)?,
            None => literals::null(),
        });
        for when in conditions {
            let place = self.places.start(&when.condition);
            let condition = self.expression(&when.condition, scope, clause)?;
            whens.push(match &operand {
                Some(operand) => self.operator("=", operand.clone(), condition, place)?.expr,
                None => self.condition(condition, "CASE/WHEN").at_place(place)?,
            });
            results.push(self.expression(&when.result, scope, clause)?);
        }
        let place = conditions.first().and_then(|when| self.places.start(&when.result));
        let ty = self.unify("CASE", &mut results, place)?;
        let otherwise = results.remove(0);
        let pairs = whens
            .into_iter()
            .zip(results)
            .map(|(when, then)| (Box::new(when), Box::new(then.expr)))
            .collect();
        let case = Case::new(None, pairs, Some(Box::new(otherwise.expr)));
        Ok(Typed::new(Expr::Case(case), ty))
    }

    fn substring(
        &mut self,
        whole: &ast::Expr,
        operand: &ast::Expr,
        from: Option<&ast::Expr>,
        length: Option<&ast::Expr>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let mut args = vec![self.expression(operand, scope, clause)?];
        match (from, length) {
            (Some(from), _) => args.push(self.expression(from, scope, clause)?),
            (None, Some(_)) => args.push(literals::int4(1)),
            (None, None) => {}
        }
        if let Some(length) = length {
            args.push(self.expression(length, scope, clause)?);
        }
        let name = match whole {
            ast::Expr::Substring { shorthand: true, .. } => "substr",
            _ => "substring",
        };
        self.call(name, args, self.places.start(whole))
    }

    /// `ARRAY[...]`; with `target` the array type that a cast around it asks for.
    fn array(
        &mut self,
        whole: &ast::Expr,
        array: &ast::Array,
        target: Option<PgType>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(whole);
        let mut members = Vec::with_capacity(array.elem.len());
        for element in &array.elem {
            if matches!(element, ast::Expr::Array(_)) {
                return Err(Error::feature_not_supported(
                    "multidimensional arrays are not supported",
                )
                .at_place(place));
            }
            members.push(self.expression(element, scope, clause)?);
        }
        let element = match target.and_then(PgType::element) {
            Some(element) => {
                for member in &mut members {
                    let typed = std::mem::replace(member, literals::null());
                    *member = self.cast(typed, element).at_place(place)?;
                }
                element
            }
            None if members.is_empty() => {
                return Err(Error::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    "cannot determine type of empty array",
                )
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .at_place(place));
            }
            None => self.unify("ARRAY", &mut members, place)?,
        };
        let ty = element.array().filter(|ty| ty.oid != element.oid).ok_or_else(|| {
            Error::feature_not_supported("multidimensional arrays are not supported")
                .at_place(place)
        })?;
        let elements = members.into_iter().map(|member| member.expr).collect();
        let expr = self.construct_array(element, elements)?;
        Ok(Typed::new(expr, ty))
    }

    /// An operand whose type doesn't matter; an untyped parameter may still get one elsewhere.
    fn leave_unknown(&mut self, typed: Typed) -> Result<Typed> {
        match typed.expr {
            Expr::Placeholder(_) if typed.ty.is_unknown() => {
                self.note_untyped_parameter();
                Ok(typed)
            }
            Expr::Literal(ScalarValue::Utf8(_), _) => self.resolve_unknown(typed),
            _ => Ok(typed),
        }
    }
}

/// Whether PostgreSQL's grammar has subscripts behind an expression: behind names, parameters and
/// parentheses.
fn takes_subscript(root: &ast::Expr) -> bool {
    match root {
        ast::Expr::Identifier(_)
        | ast::Expr::CompoundIdentifier(_)
        | ast::Expr::CompoundFieldAccess { .. }
        | ast::Expr::Nested(_)
        | ast::Expr::Subquery(_) => true,
        ast::Expr::Value(value) => matches!(value.value, ast::Value::Placeholder(_)),
        _ => false,
    }
}

/// The columns of a table's row as they are seen from `depth` levels further in, and what is NULL
/// where an outer join found no row.
pub(super) fn row_of(
    table: &super::scope::ScopeTable,
    depth: usize,
) -> Result<(Vec<Typed>, Option<Expr>)> {
    let seen = |expr: &Expr, ty: PgType| match depth {
        0 => Ok(expr.clone()),
        _ => super::scope::outer(expr.clone(), ty),
    };
    let mut members = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        members.push(Typed::new(seen(&column.expr, column.ty)?, column.ty));
    }
    let key = table.presence().filter(|_| table.nullable);
    let key = key.map(|key| seen(&key.expr, key.ty)).transpose()?;
    Ok((members, key))
}

impl Binder<'_> {
    /// Casts for an assignment to a column, with PostgreSQL's words when that can't be.
    pub(super) fn assign(
        &mut self,
        typed: Typed,
        column: &str,
        ty: PgType,
        place: Option<u32>,
    ) -> Result<Expr> {
        let from = typed.ty;
        match self.coerce(typed, ty, Coercion::Assignment).at_place(place)? {
            Some(typed) => Ok(typed.expr),
            None => Err(Error::column_type_mismatch(
                column,
                &PgType::plain(ty.oid).name(),
                &PgType::plain(from.oid).name(),
            )
            .at_place(place)),
        }
    }
}

/// `x IS TRUE` or `x IS FALSE`, as a comparison: what DataFusion has for these is nullable in one of
/// its plans and not in the other.
fn is(value: bool) -> impl FnOnce(Expr) -> Expr {
    move |x| binary_expr(x, Operator::IsNotDistinctFrom, literals::boolean(value))
}

fn is_not(value: bool) -> impl FnOnce(Expr) -> Expr {
    move |x| binary_expr(x, Operator::IsDistinctFrom, literals::boolean(value))
}
