//! Functions in FROM: their rows, under the names of an alias.

use datafusion::{
    common::Column,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, expr::ScalarFunction},
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    from::{aliased, single_table},
    lower::Below,
    names::{At, fold},
    query::Outer,
    scope::{FromItem, Scope, ScopeColumn},
    subquery::unnest_lists,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::{FunctionKind, resolve_function_named},
    types::PgType,
};

impl Binder<'_> {
    /// `f(...)` in FROM.
    pub(super) fn bind_table_function(
        &mut self,
        name: &ast::ObjectName,
        args: &[ast::FunctionArg],
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        lateral: Outer<'_>,
    ) -> Result<FromItem> {
        let place = self.places.start(name);
        if let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice()
            && ident.quote_style.is_none()
            && crate::statement::is_no_function(&ident.value)
        {
            return Err(Error::syntax_error_near("(").at_place(self.places.end(ident.span)));
        }
        let mut parts = super::names::parts(name)?;
        let function = parts.pop().unwrap_or_default();
        if let Some(schema) = parts.pop()
            && !matches!(schema.as_str(), "pg_catalog" | "information_schema")
        {
            return Err(
                Error::undefined_function(&format!("{schema}.{function}(...)")).at_place(place)
            );
        }
        let (values, names) = self.arguments_in_from(args, lateral, place)?;
        if function == "unnest" && values.len() > 1 {
            return self.unnest_values(values, with_ordinality, alias, place);
        }
        if let Some(item) =
            self.record_rows(&function, &values, with_ordinality, alias).at_place(place)?
        {
            return Ok(item);
        }
        let types: Vec<PgType> = values.iter().map(|value| value.ty).collect();
        let labels: Vec<&str> = names.iter().map(String::as_str).collect();
        let call = resolve_function_named(&function, &types, &labels, false).at_place(place)?;
        let outputs: Vec<(String, PgType)> = call
            .function
            .out_columns
            .iter()
            .map(|(name, oid)| ((*name).to_owned(), PgType::plain(*oid)))
            .collect();
        check_kind(call.function.kind).at_place(place)?;
        if call.function.kind == FunctionKind::Scalar {
            let typed = self.build_scalar(&call, values).at_place(place)?;
            let lists = vec![(self.construct_array_of(typed.expr)?, call.ret)];
            return self.function_rows(&function, lists, with_ordinality, alias, None);
        }
        if function == "generate_series"
            && !with_ordinality
            && let Some(rows) = self.integer_series(&call, &values)?
        {
            return self.series_item(rows, call.ret, &function, alias);
        }
        let typed = self.build_scalar(&call, values).at_place(place)?;
        // A single column has its own name too, if the function gives it one.
        let label = match (outputs.as_slice(), alias) {
            ([(name, _)], None) => Some(name.clone()),
            ([(name, _)], Some(alias)) if alias.columns.is_empty() => Some(name.clone()),
            _ => None,
        };
        let columns = (outputs.len() > 1).then_some(outputs);
        let lists = vec![(typed.expr, call.ret)];
        let mut item = self.function_rows(&function, lists, with_ordinality, alias, columns)?;
        if let Some(label) = label {
            for columns in [&mut item.tables[0].columns, &mut item.columns] {
                if let Some(first) = columns.first_mut() {
                    first.name.clone_from(&label);
                }
            }
        }
        Ok(item)
    }

    /// The arguments, and the names of the last ones.
    fn arguments_in_from(
        &mut self,
        args: &[ast::FunctionArg],
        lateral: Outer<'_>,
        place: Option<u32>,
    ) -> Result<(Vec<Typed>, Vec<String>)> {
        let scope = Scope::empty(lateral);
        let mut values = Vec::with_capacity(args.len());
        let mut names = Vec::new();
        for arg in args {
            let (label, value) = match arg {
                ast::FunctionArg::Unnamed(value) => (None, value),
                ast::FunctionArg::Named { name, arg, .. } => (Some(fold(name)), arg),
                ast::FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg, .. } => {
                    (Some(fold(name)), arg)
                }
                ast::FunctionArg::ExprNamed { .. } => {
                    return Err(Error::syntax_error("an argument's name must be a name"));
                }
            };
            let ast::FunctionArgExpr::Expr(expr) = value else {
                return Err(Error::syntax_error_near("*").at_place(place));
            };
            values.push(self.expression(expr, &scope, Clause::From)?);
            names.extend(label);
        }
        Ok((values, names))
    }

    fn series_item(
        &mut self,
        rows: (LogicalPlan, String),
        ty: PgType,
        function: &str,
        alias: Option<&ast::TableAlias>,
    ) -> Result<FromItem> {
        let (plan, internal) = rows;
        let table = alias.map_or_else(|| function.to_owned(), |alias| fold(&alias.name));
        let column = ScopeColumn::computed(table.clone(), &internal, ty);
        let names = alias.map_or(&[][..], |alias| &alias.columns);
        let columns = aliased(vec![column], names, &table)?;
        let mut item = single_table(plan, table, None, columns, None);
        item.tables[0].function = true;
        Ok(item)
    }

    /// A list of one element.
    fn construct_array_of(&mut self, value: Expr) -> Result<Expr> {
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(
            datafusion::functions_nested::make_array::make_array_udf(),
            vec![value],
        )))
    }

    pub(super) fn bind_unnest(
        &mut self,
        arrays: &[ast::Expr],
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        lateral: Outer<'_>,
    ) -> Result<FromItem> {
        let place = arrays.first().and_then(|first| self.places.start(first));
        let scope = Scope::empty(lateral);
        let values = arrays
            .iter()
            .map(|array| self.expression(array, &scope, Clause::From))
            .collect::<Result<Vec<Typed>>>()?;
        self.unnest_values(values, with_ordinality, alias, place)
    }

    fn unnest_values(
        &mut self,
        values: Vec<Typed>,
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        place: Option<u32>,
    ) -> Result<FromItem> {
        let mut lists = Vec::with_capacity(values.len());
        for value in values {
            let call = resolve_function_named("unnest", &[value.ty], &[], false).at_place(place)?;
            let typed = self.build_scalar(&call, vec![value]).at_place(place)?;
            lists.push((typed.expr, call.ret));
        }
        self.function_rows("unnest", lists, with_ordinality, alias, None)
    }

    /// Lists side by side, one row per element. With `outputs` the elements are structs.
    pub(super) fn function_rows(
        &mut self,
        function: &str,
        lists: Vec<(Expr, PgType)>,
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        outputs: Option<Vec<(String, PgType)>>,
    ) -> Result<FromItem> {
        let table = alias.map_or_else(|| function.to_owned(), |alias| fold(&alias.name));
        let single = lists.len() == 1 && outputs.is_none();
        let names: Vec<String> = lists.iter().map(|_| self.fresh()).collect();
        let exprs: Vec<Expr> = lists.iter().map(|(expr, _)| expr.clone()).collect();
        let plan = LogicalPlanBuilder::empty(true).build()?;
        let (plan, exprs) = self.place(plan, exprs, Below::Other)?;
        let mut plan = unnest_lists(plan, exprs, &names, false)?;
        let mut columns = Vec::new();
        match outputs {
            None => {
                for ((_, ty), name) in lists.iter().zip(&names) {
                    // A single column goes by the alias of its function.
                    let label = if single { table.clone() } else { function.to_owned() };
                    columns.push(ScopeColumn::computed(label, name, *ty));
                }
            }
            Some(outputs) => {
                let mut all: Vec<Expr> = Vec::with_capacity(outputs.len());
                for (name, ty) in outputs {
                    let internal = self.fresh();
                    let field = datafusion::functions::core::expr_ext::FieldAccessor::field(
                        Expr::Column(Column::new_unqualified(&names[0])),
                        name.clone(),
                    );
                    all.push(field.alias(&internal));
                    columns.push(ScopeColumn::computed(name, &internal, ty));
                }
                plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
            }
        }
        if with_ordinality {
            let (numbered, name) = self.row_number(plan, Vec::new(), Vec::new())?;
            let cast = self.fresh();
            let mut all: Vec<Expr> = numbered
                .schema()
                .columns()
                .into_iter()
                .filter(|column| column.name != name)
                .map(Expr::Column)
                .collect();
            let number = Expr::Column(Column::new_unqualified(&name));
            all.push(
                datafusion::logical_expr::cast(
                    number,
                    datafusion::arrow::datatypes::DataType::Int64,
                )
                .alias(&cast),
            );
            plan = LogicalPlanBuilder::from(numbered).project(all)?.build()?;
            columns.push(ScopeColumn::computed("ordinality".to_owned(), &cast, PgType::INT8));
        }
        let names = alias.map_or(&[][..], |alias| &alias.columns);
        let columns = aliased(columns, names, &table)?;
        let mut item = single_table(plan, table, None, columns, None);
        item.tables[0].function = single && !with_ordinality;
        Ok(item)
    }
}

/// Only functions of one row's values have rows.
fn check_kind(kind: FunctionKind) -> Result<()> {
    match kind {
        FunctionKind::Set | FunctionKind::Scalar => Ok(()),
        FunctionKind::Aggregate => {
            Err(Error::grouping_error("aggregate functions are not allowed in functions in FROM"))
        }
        FunctionKind::Window => Err(Error::new(
            SqlState::WINDOWING_ERROR,
            "window functions are not allowed in functions in FROM",
        )),
    }
}
