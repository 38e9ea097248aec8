//! The grammar of VACUUM and ANALYZE.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Parsed, tokens::Tokens, utility::qualified_name};
use crate::{
    error::{Error, Result},
    settings,
};

/// VACUUM and ANALYZE.
#[derive(Debug)]
pub(crate) struct Maintenance {
    pub(crate) vacuum: bool,
    pub(crate) analyze: bool,
    /// Tells what was done.
    pub(crate) verbose: bool,
    /// What is wrong with the options, which is said when it runs.
    pub(crate) wrong: Option<Error>,
    /// Empty: all that the role may.
    pub(crate) relations: Vec<MaintainedRelation>,
}

/// One relation of VACUUM or ANALYZE.
#[derive(Debug)]
pub(crate) struct MaintainedRelation {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    /// Empty: all of them.
    pub(crate) columns: Vec<String>,
}

/// After VACUUM, ANALYZE or ANALYSE.
pub(super) fn parse(tokens: &mut Tokens<'_>, vacuum: bool) -> Result<Parsed> {
    let (mut analyze, mut verbose, mut wrong) = (!vacuum, false, None);
    if tokens.take_token(&Token::LParen) {
        loop {
            let (name, value) = option(tokens)?;
            match check_option(&name, value.as_deref(), vacuum) {
                Ok(on) if name == "verbose" => verbose = on,
                Ok(on) => analyze |= on && name == "analyze",
                Err(error) => {
                    wrong.get_or_insert(error);
                }
            }
            if !tokens.take_token(&Token::Comma) {
                break;
            }
        }
        tokens.expect_token(&Token::RParen)?;
    } else {
        while vacuum && (tokens.take("full") || tokens.take("freeze")) {}
        verbose = tokens.take("verbose");
        if vacuum && (tokens.take("analyze") || tokens.take("analyse")) {
            analyze = true;
        }
    }
    let mut relations = Vec::new();
    while !tokens.at_end() {
        relations.push(relation(tokens)?);
        if !tokens.take_token(&Token::Comma) {
            break;
        }
    }
    if !analyze && relations.iter().any(|relation| !relation.columns.is_empty()) {
        wrong.get_or_insert(Error::feature_not_supported(
            "ANALYZE option must be specified when a column list is provided",
        ));
    }
    Ok(Parsed::Maintenance(Maintenance { vacuum, analyze, verbose, wrong, relations }))
}

fn relation(tokens: &mut Tokens<'_>) -> Result<MaintainedRelation> {
    let (schema, name) = qualified_name(tokens)?;
    let mut columns = Vec::new();
    if tokens.take_token(&Token::LParen) {
        columns.push(tokens.column_name()?);
        while tokens.take_token(&Token::Comma) {
            columns.push(tokens.column_name()?);
        }
        tokens.expect_token(&Token::RParen)?;
    }
    Ok(MaintainedRelation { schema, name, columns })
}

/// A name and its argument.
fn option(tokens: &mut Tokens<'_>) -> Result<(String, Option<String>)> {
    let name = match tokens.identifier()?.as_str() {
        "analyse" => "analyze".to_owned(),
        other => other.to_owned(),
    };
    let argument = match tokens.peek() {
        Token::Comma | Token::RParen => None,
        Token::Number(..) => Some(tokens.number()?),
        Token::Word(_) => Some(tokens.identifier()?),
        _ => Some(tokens.string()?),
    };
    Ok((name, argument))
}

/// Whether the option is switched on. FULL and FREEZE ask for what VACUUM does anyway: it writes
/// the cold tier anew.
fn check_option(name: &str, argument: Option<&str>, vacuum: bool) -> Result<bool> {
    const OTHERS: &[&str] =
        &["disable_page_skipping", "index_cleanup", "process_toast", "truncate", "parallel"];
    let statement = if vacuum { "VACUUM" } else { "ANALYZE" };
    let on = match argument {
        None => true,
        Some("auto") if name == "index_cleanup" => false,
        // PARALLEL has a number of workers.
        Some(number) if name == "parallel" => number != "0",
        Some(text) => settings::boolean(text)
            .ok_or_else(|| Error::syntax_error(format!("{name} requires a Boolean value")))?,
    };
    match name {
        "verbose" => Ok(on),
        "full" | "freeze" | "analyze" if vacuum => Ok(on),
        _ if name == "skip_locked" || vacuum && OTHERS.contains(&name) => match on {
            true => Err(Error::feature_not_supported(format!(
                "{statement} option {} is not supported",
                name.to_uppercase()
            ))),
            false => Ok(false),
        },
        _ => Err(Error::syntax_error(format!("unrecognized {statement} option \"{name}\""))),
    }
}
