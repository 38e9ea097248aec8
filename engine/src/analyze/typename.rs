//! Types as statements write them.

use datafusion::sql::sqlparser::ast;

use crate::{
    error::{Error, Result},
    types::{PgType, parse_type_name},
};

/// The type that `data_type` means.
pub(crate) fn resolve_type(data_type: &ast::DataType) -> Result<PgType> {
    match data_type {
        // The parser takes an unknown word before a string for a type of this kind.
        ast::DataType::Unspecified => Err(Error::syntax_error("a type name is missing")),
        ast::DataType::Regclass => parse_type_name("regclass"),
        other => parse_type_name(&other.to_string()),
    }
}
