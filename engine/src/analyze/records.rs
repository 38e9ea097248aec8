//! Functions in FROM that return "record": the query says what columns they have.

use datafusion::{
    logical_expr::{Expr, expr::ScalarFunction},
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    coerce::Coercion,
    names::fold,
    scope::FromItem,
    typename::resolve_type,
};
use crate::{
    error::{Error, Result},
    functions::json::record::{gives_records, records},
    types::PgType,
};

impl Binder<'_> {
    /// The rows of a function that takes its columns from `alias`; `None` for other functions.
    pub(super) fn record_rows(
        &mut self,
        function: &str,
        values: &[Typed],
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Option<FromItem>> {
        let defined = alias.map_or(&[][..], |alias| alias.columns.as_slice());
        let typed = defined.iter().any(|column| column.data_type.is_some());
        if !gives_records(function) {
            if typed {
                return Err(Error::syntax_error(
                    "a column definition list is only allowed for functions returning \"record\"",
                ));
            }
            return Ok(None);
        }
        if !typed {
            return Err(Error::syntax_error(
                "a column definition list is required for functions returning \"record\"",
            ));
        }
        if with_ordinality {
            return Err(Error::syntax_error(
                "WITH ORDINALITY cannot be used with a column definition list",
            ));
        }
        let mut columns = Vec::with_capacity(defined.len());
        for column in defined {
            let Some(data_type) = &column.data_type else {
                return Err(Error::syntax_error_near(&column.name.value));
            };
            columns.push((fold(&column.name), resolve_type(data_type)?));
        }
        let document = if function.starts_with("jsonb") { PgType::JSONB } else { PgType::JSON };
        let undefined = || {
            let types: Vec<String> = values.iter().map(|value| value.ty.name()).collect();
            Error::undefined_function(&format!("{function}({})", types.join(", ")))
        };
        let [value] = values else { return Err(undefined()) };
        let value =
            self.coerce(value.clone(), document, Coercion::Implicit)?.ok_or_else(undefined)?;
        let udf = records(function, &columns)?;
        let args = vec![value.expr, self.time_zone()];
        let list = Expr::ScalarFunction(ScalarFunction::new_udf(udf, args));
        self.function_rows(function, vec![(list, PgType::RECORD)], false, alias, Some(columns))
            .map(Some)
    }
}
