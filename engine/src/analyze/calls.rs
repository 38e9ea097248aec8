//! Function calls: scalar, aggregate, window, set-returning, and those with a grammar of their own.

use std::sync::Arc;

use datafusion::{
    logical_expr::{
        Case, Expr, ScalarUDF, SortExpr, WindowFunctionDefinition,
        expr::{AggregateFunction, ScalarFunction, Unnest, WindowFunction, WindowFunctionParams},
    },
    prelude::lit,
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    StatementFunction,
    binder::{Binder, Typed},
    coerce::Coercion,
    expression::Clause,
    literals,
    names::{At, fold},
    scope::Scope,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::{
        FunctionKind, Implementation, ResolvedCall, ResolvedCast, registry, resolve_function,
        resolve_function_named, window::framed::Computed,
    },
    types::{Oid, PgType},
};

/// The arguments of a call as the tree has them.
struct Arguments {
    values: Vec<Typed>,
    /// Names of the last ones.
    names: Vec<String>,
    star: bool,
    distinct: bool,
    order: Vec<(Typed, ast::OrderByOptions)>,
}

/// Functions that wait, or act beyond their row: only as `SELECT f(...)`. With the types of their
/// arguments and of the result.
const STATEMENT_FUNCTIONS: &[(&str, &[PgType], PgType)] = &[
    ("kalam_flush", &[PgType::TEXT], PgType::INT8),
    ("pg_sleep", &[PgType::FLOAT8], PgType::VOID),
    ("pg_advisory_lock", &[PgType::INT8], PgType::VOID),
    ("pg_advisory_lock", &[PgType::INT4, PgType::INT4], PgType::VOID),
    ("pg_advisory_lock_shared", &[PgType::INT8], PgType::VOID),
    ("pg_advisory_lock_shared", &[PgType::INT4, PgType::INT4], PgType::VOID),
    ("pg_advisory_xact_lock", &[PgType::INT8], PgType::VOID),
    ("pg_advisory_xact_lock", &[PgType::INT4, PgType::INT4], PgType::VOID),
    ("pg_advisory_xact_lock_shared", &[PgType::INT8], PgType::VOID),
    ("pg_advisory_xact_lock_shared", &[PgType::INT4, PgType::INT4], PgType::VOID),
];

impl Binder<'_> {
    /// What a session's settings add to functions that need them.
    pub(super) fn time_zone(&self) -> Expr {
        crate::functions::session::time_zone_argument()
    }

    /// The expression of a scalar call whose overload is chosen; arguments are cast here.
    pub(super) fn build_scalar(
        &mut self,
        call: &ResolvedCall,
        values: Vec<Typed>,
    ) -> Result<Typed> {
        let args = self.cast_arguments(call, values)?;
        let expr = match &call.implementation {
            Implementation::Session => {
                let udf = self.session_function(call)?;
                let args = call.arguments(args, &self.time_zone());
                Expr::ScalarFunction(ScalarFunction::new_udf(udf, args))
            }
            _ => call.scalar(args, &self.time_zone())?,
        };
        Ok(Typed::new(expr, call.ret))
    }

    fn cast_arguments(&mut self, call: &ResolvedCall, values: Vec<Typed>) -> Result<Vec<Expr>> {
        values
            .into_iter()
            .zip(&call.args)
            .map(|(value, ty)| Ok(self.coerce_argument(value, *ty)?.expr))
            .collect()
    }

    fn session_function(&self, call: &ResolvedCall) -> Result<Arc<ScalarUDF>> {
        let name = call.function.name;
        crate::functions::session::session_function(name, &call.args, call.ret).ok_or_else(|| {
            Error::feature_not_supported(format!("function {name} is not supported"))
        })
    }

    /// The expression of a cast that was found.
    pub(super) fn apply_cast(
        &mut self,
        cast: &ResolvedCast,
        expr: Expr,
        from: PgType,
        to: PgType,
    ) -> Result<Expr> {
        use crate::functions::resolve::CastImplementation;
        match cast.implementation {
            CastImplementation::Session => {
                let udf = crate::functions::session::session_cast(from, to)
                    .ok_or_else(|| Error::cannot_coerce(&from.name(), &to.name()))?;
                Ok(Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![expr])))
            }
            CastImplementation::Relabel | CastImplementation::Udf(_) => {
                cast.apply(expr, &self.time_zone())
            }
        }
    }

    pub(super) fn construct_array(&self, element: PgType, members: Vec<Expr>) -> Result<Expr> {
        let udf = crate::functions::array::construct(element);
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(udf, members)))
    }

    /// A scalar function by name.
    pub(super) fn call(
        &mut self,
        name: &str,
        values: Vec<Typed>,
        place: Option<u32>,
    ) -> Result<Typed> {
        let types: Vec<PgType> = values.iter().map(|value| value.ty).collect();
        let call = resolve_function(name, &types).at_place(place)?;
        self.build_scalar(&call, values).at_place(place)
    }

    pub(super) fn call_named(
        &mut self,
        name: &str,
        args: &[&ast::Expr],
        whole: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let values = args
            .iter()
            .map(|arg| self.expression(arg, scope, clause))
            .collect::<Result<Vec<Typed>>>()?;
        self.call(name, values, self.places.start(whole))
    }

    /// `f(...)` in all its forms.
    pub(super) fn function(
        &mut self,
        function: &ast::Function,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(&function.name);
        let name = self.function_name(&function.name).at_place(place)?;
        match &function.args {
            ast::FunctionArguments::None => {
                return self
                    .bare_function(&name, None)?
                    .ok_or_else(|| Error::undefined_column(&name).at_place(place));
            }
            ast::FunctionArguments::Subquery(query) if name == "array" => {
                return self.array_subquery(query, scope);
            }
            ast::FunctionArguments::Subquery(_) => {
                return Err(Error::syntax_error_near("SELECT").at_place(place));
            }
            ast::FunctionArguments::List(list) => {
                if let Some(typed) = self.special_call(&name, list, scope, clause, place)? {
                    return Ok(typed);
                }
            }
        }
        if !matches!(function.parameters, ast::FunctionArguments::None) {
            return Err(Error::syntax_error_near("(").at_place(place));
        }
        if STATEMENT_FUNCTIONS.iter().any(|(known, ..)| *known == name) {
            return Err(Error::feature_not_supported(format!(
                "function {name} can only be called in the list of a query without FROM, SELECT \
                 {name}(...)"
            ))
            .at_place(place));
        }
        let kind = function_kind(&name);
        let inside = match (kind, &function.over) {
            (_, Some(_)) => Clause::Window,
            (Some(FunctionKind::Aggregate), None) => Clause::Aggregate,
            _ => clause,
        };
        let refusal = match (kind, &function.over) {
            (_, Some(_)) => clause.refuses_windows().map(|message| {
                let state = match clause {
                    Clause::Aggregate => SqlState::GROUPING_ERROR,
                    _ => SqlState::WINDOWING_ERROR,
                };
                Error::new(state, message)
            }),
            (Some(FunctionKind::Set), None) => {
                clause.refuses_sets().map(Error::feature_not_supported)
            }
            _ => None,
        };
        if let Some(error) = refusal {
            return Err(error.at_place(place));
        }
        let arguments = self.arguments(&function.args, scope, inside)?;
        self.resolved_call(function, &name, arguments, scope, clause, place).at_place(place)
    }

    fn resolved_call(
        &mut self,
        function: &ast::Function,
        name: &str,
        mut arguments: Arguments,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Typed> {
        for item in &function.within_group {
            let typed = self.expression(&item.expr, scope, Clause::Aggregate)?;
            arguments.order.push((typed.clone(), item.options));
            arguments.values.push(typed);
        }
        let types: Vec<PgType> = arguments.values.iter().map(|value| value.ty).collect();
        let names: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
        let call = resolve_function_named(name, &types, &names, false).at_place(place)?;
        if call.function.kind != FunctionKind::Aggregate {
            refuse_aggregate_grammar(function, name, &arguments).at_place(place)?;
        }
        match (call.function.kind, &function.over) {
            (FunctionKind::Aggregate, None) => {
                let aggregate = match self.count_distinct_rows(function, name, &arguments, scope)? {
                    Some(aggregate) => aggregate,
                    None => self.aggregate(function, &call, arguments, scope)?,
                };
                let aggregate = Expr::AggregateFunction(aggregate);
                self.at_its_level(aggregate, call.ret, scope, clause, place)
            }
            (FunctionKind::Aggregate, Some(window)) => {
                let aggregate = self.aggregate(function, &call, arguments, scope)?;
                let expr = self.aggregate_over(name, aggregate, (window, scope), call.ret)?;
                Ok(Typed::new(expr, call.ret))
            }
            (FunctionKind::Window, Some(window)) => {
                self.window_call(&call, arguments.values, window, scope)
            }
            (FunctionKind::Window, None) => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("window function {name} requires an OVER clause"),
            )
            .at_place(place)),
            (_, Some(_)) => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "OVER specified, but {name} is not a window function nor an aggregate function"
                ),
            )
            .at_place(place)),
            (FunctionKind::Set, None) => {
                if let Some(message) = clause.refuses_sets() {
                    return Err(Error::feature_not_supported(message).at_place(place));
                }
                if call.function.out_columns.len() > 1 {
                    return Err(Error::feature_not_supported(format!(
                        "function {name} returns several columns and is supported in FROM only"
                    )));
                }
                let list = self.build_scalar(&call, arguments.values)?;
                Ok(Typed::new(Expr::Unnest(Unnest::new(list.expr)), call.ret))
            }
            (FunctionKind::Scalar, None) => self.build_scalar(&call, arguments.values),
        }
    }

    /// `count(DISTINCT (a, b))`: rows are equal where their members are. `None` for another call.
    fn count_distinct_rows(
        &mut self,
        function: &ast::Function,
        name: &str,
        arguments: &Arguments,
        scope: &Scope<'_>,
    ) -> Result<Option<AggregateFunction>> {
        let is_row = matches!(arguments.values.as_slice(), [row] if row.ty == PgType::RECORD);
        let ast::FunctionArguments::List(list) = &function.args else { return Ok(None) };
        let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(row))] = list.args.as_slice()
        else {
            return Ok(None);
        };
        if name != "count" || !arguments.distinct || !arguments.order.is_empty() || !is_row {
            return Ok(None);
        }
        let Some((members, key)) = self.named_members(row, scope, Clause::Aggregate)? else {
            return Ok(None);
        };
        let (mut types, mut args) = (vec![PgType::INT8], Vec::with_capacity(members.len() + 1));
        args.push(super::rows::where_present(Typed::new(lit(1_i64), PgType::INT8), key)?.expr);
        for (_, member) in members {
            super::keys::check_groupable(member.ty)?;
            types.push(member.ty);
            args.push(member.expr);
        }
        let Implementation::Udaf(count) = crate::functions::count(&types) else {
            return Err(Error::internal("count is no aggregate"));
        };
        let filter = self.aggregate_filter(function, scope)?;
        Ok(Some(AggregateFunction::new_udf(count, args, true, filter, Vec::new(), None)))
    }

    fn aggregate_filter(
        &mut self,
        function: &ast::Function,
        scope: &Scope<'_>,
    ) -> Result<Option<Box<Expr>>> {
        let Some(filter) = &function.filter else { return Ok(None) };
        let typed = self.expression(filter, scope, Clause::Filter)?;
        Ok(Some(Box::new(self.condition(typed, "FILTER")?)))
    }

    /// An aggregate over the rows of a window.
    fn aggregate_over(
        &mut self,
        name: &str,
        aggregate: AggregateFunction,
        (window, scope): (&ast::WindowType, &Scope<'_>),
        ret: PgType,
    ) -> Result<Expr> {
        let AggregateFunction { func, params } = aggregate;
        if params.distinct {
            return Err(Error::feature_not_supported(
                "DISTINCT is not implemented for window functions",
            ));
        }
        if !params.order_by.is_empty() {
            return Err(Error::feature_not_supported(
                "aggregate ORDER BY is not implemented for window functions",
            ));
        }
        let func = super::sliding::over_window(name, func);
        let (window, frame) = self.window_params(window, scope)?;
        let Some(frame) = frame else {
            let fun = WindowFunctionDefinition::AggregateUDF(func);
            let params =
                WindowFunctionParams { args: params.args, filter: params.filter, ..window };
            return Ok(Expr::from(WindowFunction { fun, params }));
        };
        let filter = params.filter.map(|filter| *filter);
        let (udwf, args) = frame.over(Computed::Aggregate(func), params.args, filter, ret)?;
        let fun = WindowFunctionDefinition::WindowUDF(udwf);
        Ok(Expr::from(WindowFunction { fun, params: WindowFunctionParams { args, ..window } }))
    }

    /// `row_number() OVER ...` and its kin.
    fn window_call(
        &mut self,
        call: &ResolvedCall,
        values: Vec<Typed>,
        window: &ast::WindowType,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let args = self.cast_arguments(call, values)?;
        let args = call.arguments(args, &self.time_zone());
        let Implementation::Udwf(udwf) = &call.implementation else {
            return Err(Error::internal("a window function without implementation"));
        };
        let udwf = crate::functions::window::chosen(udwf, &args);
        let (window, frame) = self.window_params(window, scope)?;
        let (udwf, args) = match frame {
            None => (udwf, args),
            Some(frame) => frame.over(Computed::Window(udwf), args, None, call.ret)?,
        };
        let fun = WindowFunctionDefinition::WindowUDF(udwf);
        let params = WindowFunctionParams { args, ..window };
        let expr = Expr::from(WindowFunction { fun, params });
        // Counts come as unsigned numbers.
        let expr = match call.function.name {
            "row_number" | "rank" | "dense_rank" | "ntile" => {
                datafusion::logical_expr::cast(expr, call.ret.arrow()?)
            }
            _ => expr,
        };
        Ok(Typed::new(expr, call.ret))
    }

    fn aggregate(
        &mut self,
        function: &ast::Function,
        call: &ResolvedCall,
        arguments: Arguments,
        scope: &Scope<'_>,
    ) -> Result<AggregateFunction> {
        let name = call.function.name;
        let Implementation::Udaf(udaf) = &call.implementation else {
            return Err(Error::internal("an aggregate without implementation"));
        };
        if function.null_treatment.is_some() {
            return Err(Error::feature_not_supported("IGNORE NULLS is not supported"));
        }
        let within = !function.within_group.is_empty();
        check_ordered_set(name, within, function.over.is_some(), arguments.distinct)?;
        let types: Vec<PgType> = call.args.clone();
        let args = self.cast_arguments(call, arguments.values)?;
        let mut args = call.arguments(args, &self.time_zone());
        if args.is_empty() {
            if !arguments.star {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("{name}(*) must be used to call a parameterless aggregate function"),
                ));
            }
            args.push(lit(1_i64));
        }
        if arguments.distinct {
            for ty in &types {
                super::keys::check_groupable(*ty)?;
            }
        }
        // The least and the greatest are the same with and without repetition.
        let distinct = arguments.distinct && !matches!(name, "min" | "max");
        let mut order = Vec::with_capacity(arguments.order.len());
        for (typed, options) in arguments.order {
            let typed = self.resolve_unknown(typed)?;
            order.push(super::keys::sort(typed.expr, typed.ty, &options)?);
        }
        if distinct && order.iter().any(|sort: &SortExpr| !args.contains(&sort.expr)) {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
            ));
        }
        let filter = self.aggregate_filter(function, scope)?;
        Ok(AggregateFunction::new_udf(Arc::clone(udaf), args, distinct, filter, order, None))
    }

    fn arguments(
        &mut self,
        args: &ast::FunctionArguments,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Arguments> {
        let ast::FunctionArguments::List(list) = args else {
            return Err(Error::internal("a call without arguments"));
        };
        let mut arguments = Arguments {
            values: Vec::new(),
            names: Vec::new(),
            star: false,
            distinct: matches!(list.duplicate_treatment, Some(ast::DuplicateTreatment::Distinct)),
            order: Vec::new(),
        };
        for arg in &list.args {
            let value = match arg {
                ast::FunctionArg::Unnamed(value) => {
                    if !arguments.names.is_empty() {
                        return Err(Error::syntax_error(
                            "positional argument cannot follow named argument",
                        ));
                    }
                    value
                }
                ast::FunctionArg::Named { name, arg, .. } => {
                    arguments.names.push(fold(name));
                    arg
                }
                ast::FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg, .. } => {
                    arguments.names.push(fold(name));
                    arg
                }
                ast::FunctionArg::ExprNamed { .. } => {
                    return Err(Error::syntax_error("an argument's name must be a name"));
                }
            };
            match value {
                ast::FunctionArgExpr::Expr(expr) => {
                    arguments.values.push(self.expression(expr, scope, clause)?);
                }
                ast::FunctionArgExpr::Wildcard => arguments.star = true,
                ast::FunctionArgExpr::QualifiedWildcard(table) => {
                    let value = self.wildcard_argument(table, scope)?;
                    arguments.values.push(value);
                }
                ast::FunctionArgExpr::WildcardWithOptions(_) => {
                    return Err(Error::syntax_error_near("*"));
                }
            }
        }
        for extra in &list.clauses {
            match extra {
                ast::FunctionArgumentClause::OrderBy(items) => {
                    for item in items {
                        let typed = self.expression(&item.expr, scope, clause)?;
                        arguments.order.push((typed, item.options));
                    }
                }
                other => {
                    return Err(Error::feature_not_supported(format!(
                        "{other} in a call is not supported"
                    )));
                }
            }
        }
        Ok(arguments)
    }

    /// `GROUPING(a, b)`: a bit for each argument that isn't grouped by.
    fn grouping_call(
        &mut self,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Typed> {
        let mut args = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) = arg else {
                return Err(Error::syntax_error_near("grouping").at_place(place));
            };
            args.push(self.expression(expr, scope, Clause::GroupBy)?.expr);
        }
        let marker = super::grouping::grouping_marker(args);
        self.at_its_level(marker, PgType::INT4, scope, clause, place)
    }

    /// The last part of a function's name; the schema may only be the system's.
    pub(super) fn function_name(&self, name: &ast::ObjectName) -> Result<String> {
        let mut parts = super::names::parts(name)?;
        let last = parts.pop().unwrap_or_default();
        match parts.pop().as_deref() {
            None | Some("pg_catalog" | "information_schema") => Ok(last),
            Some(schema) if self.env.catalog.schema_by_name(schema).is_none() => {
                Err(Error::undefined_schema(schema))
            }
            Some(schema) => Err(Error::undefined_function(&format!("{schema}.{last}(...)"))),
        }
    }

    /// COALESCE and other calls that aren't functions.
    fn special_call(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Option<Typed>> {
        match name {
            "coalesce" | "greatest" | "least" | "nullif" | "pg_typeof" => {
                let values = self.unnamed_arguments(name, list, scope, clause, place)?;
                if values.is_empty() {
                    return Err(Error::syntax_error_near(")").at_place(place));
                }
                self.conditional(name, values, place).map(Some)
            }
            "normalize" => {
                let [
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(text)),
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Identifier(
                        form,
                    ))),
                ] = list.args.as_slice()
                else {
                    return Ok(None);
                };
                let text = self.expression(text, scope, clause)?;
                self.call(name, vec![text, literals::text(&form.value)], place).map(Some)
            }
            "grouping" => self.grouping_call(list, scope, clause, place).map(Some),
            "current_timestamp" | "current_time" | "localtime" | "localtimestamp" => {
                let precision = match list.args.as_slice() {
                    [
                        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Value(v))),
                    ] => match &v.value {
                        ast::Value::Number(digits, _) => digits.parse::<i32>().ok(),
                        _ => None,
                    },
                    [] => None,
                    _ => return Err(Error::syntax_error_near("(").at_place(place)),
                };
                self.bare_function(name, precision)
            }
            "row" => {
                let members = self.row_members(list, scope, clause, place)?;
                self.row_value(members).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Arguments of a call that can't name them.
    fn unnamed_arguments(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
        clause: Clause,
        place: Option<u32>,
    ) -> Result<Vec<Typed>> {
        let mut values = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) = arg else {
                return Err(Error::syntax_error_near(name).at_place(place));
            };
            values.push(self.expression(expr, scope, clause)?);
        }
        Ok(values)
    }

    /// COALESCE, NULLIF, GREATEST, LEAST and `pg_typeof` of at least one value.
    fn conditional(
        &mut self,
        name: &str,
        mut values: Vec<Typed>,
        place: Option<u32>,
    ) -> Result<Typed> {
        match name {
            // The argument stays: an aggregate in it makes groups.
            "pg_typeof" if !values[0].ty.is_unknown() => self.call(name, values, place),
            "pg_typeof" => {
                let oid = Expr::Literal(ScalarValue::UInt32(Some(Oid::UNKNOWN.0)), None);
                Ok(Typed::new(oid, PgType::plain(Oid::REGTYPE)))
            }
            "coalesce" => {
                let ty = self.unify("COALESCE", &mut values, place)?;
                let mut values: Vec<Expr> = values.into_iter().map(|value| value.expr).collect();
                let last = values.pop().expect("checked above");
                if values.is_empty() {
                    return Ok(Typed::new(last, ty));
                }
                let pairs = values
                    .into_iter()
                    .map(|value| (Box::new(value.clone().is_not_null()), Box::new(value)))
                    .collect();
                let case = Case::new(None, pairs, Some(Box::new(last)));
                Ok(Typed::new(Expr::Case(case), ty))
            }
            "nullif" => {
                let [left, right]: [Typed; 2] = values
                    .try_into()
                    .map_err(|_| Error::syntax_error_near("nullif").at_place(place))?;
                // What it gives is the left operand of the equality, whose type decides.
                let left = match left.ty.is_unknown() && !right.ty.is_unknown() {
                    true => self.coerce_argument(left, PgType::plain(right.ty.oid))?,
                    false => self.resolve_unknown(left)?,
                };
                let left = self.as_operand_of_equality(left, right.ty).at_place(place)?;
                let equal = self.operator("=", left.clone(), right, place)?;
                let null = Expr::Literal(ScalarValue::try_from(&left.ty.arrow()?)?, None);
                let pairs = vec![(Box::new(equal.expr), Box::new(null))];
                let case = Case::new(None, pairs, Some(Box::new(left.expr)));
                Ok(Typed::new(Expr::Case(case), left.ty))
            }
            _ => self.extreme(name, values, place),
        }
    }

    /// A value in the type that `=` takes it in: numeric beside a numeric, text for varchar.
    fn as_operand_of_equality(&mut self, left: Typed, right: PgType) -> Result<Typed> {
        let call = crate::functions::resolve_operator("=", Some(left.ty), right)?;
        match call.function.args.first() {
            Some(declared)
                if *declared != left.ty.oid
                    && !crate::functions::polymorphic::is_polymorphic(*declared) =>
            {
                self.coerce_argument(left, PgType::plain(*declared))
            }
            _ => Ok(left),
        }
    }

    /// GREATEST and LEAST: NULLs don't count.
    fn extreme(&mut self, name: &str, mut values: Vec<Typed>, place: Option<u32>) -> Result<Typed> {
        let greatest = name == "greatest";
        let ty = self.unify(if greatest { "GREATEST" } else { "LEAST" }, &mut values, place)?;
        let by_key =
            matches!(ty.oid, Oid::INTERVAL | Oid::JSONB | Oid::BPCHAR) || ty.element().is_some();
        if !by_key {
            // For the other types the order of the values is that of their bytes.
            super::keys::sort_key_expr(values[0].expr.clone(), ty).at_place(place)?;
            let udf = match greatest {
                true => datafusion::functions::core::greatest(),
                false => datafusion::functions::core::least(),
            };
            let args: Vec<Expr> = values.into_iter().map(|value| value.expr).collect();
            if let [single] = args.as_slice() {
                return Ok(Typed::new(single.clone(), ty));
            }
            return Ok(Typed::new(Expr::ScalarFunction(ScalarFunction::new_udf(udf, args)), ty));
        }
        if values.len() > 4 {
            return Err(Error::feature_not_supported(format!(
                "{name} of more than 4 values of type {} is not supported",
                ty.name()
            ))
            .at_place(place));
        }
        let op = if greatest { ">=" } else { "<=" };
        let mut rest = values.into_iter();
        let mut best = rest.next().expect("a call has arguments");
        for value in rest {
            let better = self.operator(op, best.clone(), value.clone(), place)?.expr;
            let pairs = vec![
                (Box::new(best.expr.clone().is_null()), Box::new(value.expr.clone())),
                (Box::new(value.expr.clone().is_null()), Box::new(best.expr.clone())),
                (Box::new(better), Box::new(best.expr)),
            ];
            let case = Case::new(None, pairs, Some(Box::new(value.expr)));
            best = Typed::new(Expr::Case(case), ty);
        }
        Ok(best)
    }

    /// Functions of the grammar that take no parentheses.
    pub(super) fn bare_function(
        &mut self,
        name: &str,
        precision: Option<i32>,
    ) -> Result<Option<Typed>> {
        let target = |oid: Oid| PgType::new(oid, precision.unwrap_or(-1));
        let (function, target) = match name {
            "current_user" | "current_role" | "user" => ("current_user", None),
            "session_user" => ("session_user", None),
            "current_catalog" => ("current_database", None),
            "current_schema" => ("current_schema", None),
            "current_timestamp" => ("now", precision.map(|_| target(Oid::TIMESTAMPTZ))),
            "current_date" => ("now", Some(PgType::DATE)),
            "localtimestamp" => ("now", Some(target(Oid::TIMESTAMP))),
            "localtime" => ("now", Some(target(Oid::TIME))),
            "current_time" => ("now", Some(target(Oid::TIMETZ))),
            _ => return Ok(None),
        };
        let typed = self.call(function, Vec::new(), None)?;
        Ok(Some(match target {
            None => typed,
            Some(ty) if ty.oid == Oid::TIME => {
                let local = self.cast(typed, PgType::TIMESTAMP)?;
                self.cast(local, ty)?
            }
            Some(ty) => self.cast(typed, ty)?,
        }))
    }

    /// `SELECT f(...)` of a function that waits; `None` for all else.
    /// Whether an expression is a call that [`Binder::statement_function`] takes.
    pub(super) fn is_statement_function(&self, expr: &ast::Expr) -> bool {
        let ast::Expr::Function(function) = expr else { return false };
        let is_plain = matches!(function.args, ast::FunctionArguments::List(_))
            && function.over.is_none()
            && function.filter.is_none();
        is_plain
            && self
                .function_name(&function.name)
                .is_ok_and(|name| STATEMENT_FUNCTIONS.iter().any(|(known, ..)| *known == name))
    }

    pub(super) fn statement_function(
        &mut self,
        expr: &ast::Expr,
    ) -> Result<Option<(StatementFunction, PgType)>> {
        let ast::Expr::Function(function) = expr else { return Ok(None) };
        if !self.is_statement_function(expr) {
            return Ok(None);
        }
        let place = self.places.start(&function.name);
        let name = self.function_name(&function.name).at_place(place)?;
        let scope = Scope::empty(None);
        let values = self.arguments(&function.args, &scope, Clause::Standalone)?.values;
        let overload = STATEMENT_FUNCTIONS
            .iter()
            .find(|(known, types, _)| *known == name && types.len() == values.len());
        let Some((_, types, ret)) = overload else {
            let given: Vec<String> = values.iter().map(|value| value.ty.name()).collect();
            return Err(
                Error::undefined_function(&format!("{name}({})", given.join(", "))).at_place(place)
            );
        };
        let (types, ret) = (types.to_vec(), *ret);
        let mut arguments = Vec::with_capacity(values.len());
        for (value, ty) in values.into_iter().zip(types) {
            let from = value.ty;
            let value = self.coerce(value, ty, Coercion::Assignment).at_place(place)?;
            arguments.push(
                value
                    .ok_or_else(|| {
                        Error::undefined_function(&format!("{name}({})", from.name()))
                            .at_place(place)
                    })?
                    .expr,
            );
        }
        Ok(Some((StatementFunction { name, arguments }, ret)))
    }
}

/// 42809 for what only aggregates may have between and behind their parentheses.
fn refuse_aggregate_grammar(
    function: &ast::Function,
    name: &str,
    arguments: &Arguments,
) -> Result<()> {
    let what = match arguments {
        Arguments { distinct: true, .. } => "DISTINCT",
        Arguments { order, .. } if !order.is_empty() => "ORDER BY",
        _ if function.filter.is_some() => "FILTER",
        _ => return Ok(()),
    };
    Err(Error::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("{what} specified, but {name} is not an aggregate function"),
    ))
}

/// Ordered-set aggregates need WITHIN GROUP, others can't have it.
fn check_ordered_set(name: &str, within: bool, over: bool, distinct: bool) -> Result<()> {
    let wrong = |message: String| Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
    match (crate::functions::is_ordered_set(name), within) {
        (false, false) => Ok(()),
        (false, true) => {
            wrong(format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"))
        }
        (true, false) => {
            wrong(format!("WITHIN GROUP is required for ordered-set aggregate {name}"))
        }
        (true, true) if over => Err(Error::feature_not_supported(format!(
            "OVER is not supported for ordered-set aggregate {name}"
        ))),
        (true, true) if distinct => {
            Err(Error::syntax_error("cannot use DISTINCT with WITHIN GROUP"))
        }
        (true, true) => Ok(()),
    }
}

/// What a name is, when all functions that have it are of one kind.
fn function_kind(name: &str) -> Option<FunctionKind> {
    let mut kinds = registry().functions_named(name).map(|function| function.kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}
