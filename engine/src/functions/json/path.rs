//! `jsonb_path_query` and its kin, `@?` and `@@`.

use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;

use crate::error::{Error, Result, SqlState};
use crate::types::json::{self, Json};
use crate::types::jsonpath::JsonPath;
use crate::types::list_of;

use super::super::kernel::{Bool, Call, Opt, SqlType, Text, downcast};
use super::super::registry::Implementations;

mod compute;
mod execute;
mod predicate;

use execute::{Execution, Status};

pub(super) fn register(all: &mut Implementations) {
    // The `_tz` functions differ in comparisons of dates and times only, which need .datetime().
    for tz in ["", "_tz"] {
        let name = |name: &str| format!("jsonb_path_{name}{tz}(jsonb,jsonpath,jsonb,bool)");
        all.f4::<Text, Text, Text, Bool, Opt<Bool>>(&name("exists"), exists);
        all.f4::<Text, Text, Text, Bool, Opt<Bool>>(&name("match"), is_match);
        all.f4::<Text, Text, Text, Bool, Text>(
            &name("query_array"),
            |document, path, vars, silent| {
                let items = Request::read(document, path, vars, silent)?.items()?;
                Ok(Json::Array(items).to_jsonb_string())
            },
        );
        all.f4::<Text, Text, Text, Bool, Opt<Text>>(
            &name("query_first"),
            |document, path, vars, silent| {
                let items = Request::read(document, path, vars, silent)?.items()?;
                Ok(items.first().map(Json::to_jsonb_string))
            },
        );
        let types = vec![DataType::Utf8, DataType::Utf8, DataType::Utf8, DataType::Boolean];
        all.kernel(&name("query"), types, list_of(DataType::Utf8), Arc::new(query));
    }
    all.f2::<Text, Text, Opt<Bool>>("jsonb_path_exists_opr(jsonb,jsonpath)", |document, path| {
        exists(document, path, "{}", true)
    });
    all.f2::<Text, Text, Opt<Bool>>("jsonb_path_match_opr(jsonb,jsonpath)", |document, path| {
        is_match(document, path, "{}", true)
    });
}

/// One call's arguments.
struct Request {
    document: Json,
    path: Rc<JsonPath>,
    variables: Json,
    silent: bool,
}

impl Request {
    fn read(document: &str, path: &str, variables: &str, silent: bool) -> Result<Request> {
        let variables = json::parse(variables)?;
        if !matches!(variables, Json::Object(_)) {
            return Err(Error::invalid_parameter_value("\"vars\" argument is not an object")
                .with_detail(
                    "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.",
                ));
        }
        let document = json::parse(document)?;
        Ok(Request { document, path: JsonPath::cached(path)?, variables, silent })
    }

    /// What the path finds; up to an error that `silent` forgives.
    fn items(&self) -> Result<Vec<Json>> {
        let mut found = Vec::new();
        let mut execution = Execution::new(&self.path, &self.document, &self.variables);
        self.forgive(execution.run(Some(&mut found)))?;
        Ok(found.into_iter().map(std::borrow::Cow::into_owned).collect())
    }

    /// `None` for an error that `silent` forgives.
    fn forgive(&self, result: Result<Status>) -> Result<Option<Status>> {
        match result {
            Ok(status) => Ok(Some(status)),
            Err(error) if self.silent && execute::is_forgivable(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn exists(document: &str, path: &str, variables: &str, silent: bool) -> Result<Option<bool>> {
    let request = Request::read(document, path, variables, silent)?;
    let mut execution = Execution::new(&request.path, &request.document, &request.variables);
    let status = request.forgive(execution.run(None))?;
    Ok(status.map(|status| status == Status::Found))
}

fn is_match(document: &str, path: &str, variables: &str, silent: bool) -> Result<Option<bool>> {
    let items = Request::read(document, path, variables, silent)?.items()?;
    match items.as_slice() {
        [Json::Bool(value)] => Ok(Some(*value)),
        [Json::Null] => Ok(None),
        _ if silent => Ok(None),
        _ => Err(Error::new(
            SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED,
            "single boolean result is expected",
        )),
    }
}

fn query(call: &Call) -> Result<ArrayRef> {
    let [document, path, variables, silent] = call.args.as_slice() else {
        return Err(Error::internal("jsonb_path_query takes four arguments"));
    };
    let documents = downcast::<<Text as SqlType>::Array>(&document.array)?;
    let paths = downcast::<<Text as SqlType>::Array>(&path.array)?;
    let all_variables = downcast::<<Text as SqlType>::Array>(&variables.array)?;
    let silences = downcast::<<Bool as SqlType>::Array>(&silent.array)?;
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let given = (
            Text::get(documents, document.index(row))?,
            Text::get(paths, path.index(row))?,
            Text::get(all_variables, variables.index(row))?,
            Bool::get(silences, silent.index(row))?,
        );
        let (Some(document), Some(path), Some(variables), Some(silent)) = given else {
            out.append(false);
            continue;
        };
        for item in Request::read(document, path, variables, silent)?.items()? {
            out.values().append_value(item.to_jsonb_string());
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}
