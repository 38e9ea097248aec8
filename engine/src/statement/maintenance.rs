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
    let mut analyze = !vacuum;
    if tokens.take_token(&Token::LParen) {
        loop {
            let (name, on) = option(tokens)?;
            if name == "analyze" && vacuum {
                analyze = on;
            } else {
                check_option(&name, on, vacuum)?;
            }
            if !tokens.take_token(&Token::Comma) {
                break;
            }
        }
        tokens.expect_token(&Token::RParen)?;
    } else {
        while vacuum && (tokens.take("full") || tokens.take("freeze")) {}
        tokens.take("verbose");
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
        return Err(Error::feature_not_supported(
            "ANALYZE option must be specified when a column list is provided",
        ));
    }
    Ok(Parsed::Maintenance(Maintenance { vacuum, analyze, relations }))
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

/// A name and whether it is switched on; a number other than 0 is on, as of `PARALLEL 2`.
fn option(tokens: &mut Tokens<'_>) -> Result<(String, bool)> {
    let name = match tokens.identifier()?.as_str() {
        "analyse" => "analyze".to_owned(),
        other => other.to_owned(),
    };
    let on = match tokens.peek() {
        Token::Comma | Token::RParen => true,
        Token::Number(..) => tokens.number()? != "0",
        Token::Word(_) if name == "index_cleanup" && tokens.take("auto") => false,
        Token::Word(_) => boolean(&name, &tokens.identifier()?)?,
        _ => boolean(&name, &tokens.string()?)?,
    };
    Ok((name, on))
}

fn boolean(name: &str, value: &str) -> Result<bool> {
    settings::boolean(value)
        .ok_or_else(|| Error::syntax_error(format!("{name} requires a Boolean value")))
}

/// FULL and FREEZE ask for what VACUUM does anyway: it writes the cold tier anew. VERBOSE says
/// more and does the same.
fn check_option(name: &str, on: bool, vacuum: bool) -> Result<()> {
    const OTHERS: &[&str] =
        &["disable_page_skipping", "index_cleanup", "process_toast", "truncate", "parallel"];
    let statement = if vacuum { "VACUUM" } else { "ANALYZE" };
    match name {
        "verbose" => Ok(()),
        "full" | "freeze" if vacuum => Ok(()),
        _ if name == "skip_locked" || vacuum && OTHERS.contains(&name) => match on {
            true => Err(Error::feature_not_supported(format!(
                "{statement} option {} is not supported",
                name.to_uppercase()
            ))),
            false => Ok(()),
        },
        _ => Err(Error::syntax_error(format!("unrecognized {statement} option \"{name}\""))),
    }
}
