//! The grammar of EXPLAIN.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Parsed, Statement, tokens::Tokens, utility::nested};
use crate::{
    error::{Error, Result},
    exec::ddl,
    settings,
};

/// EXPLAIN.
#[derive(Debug)]
pub(crate) struct Explain {
    pub(crate) analyze: bool,
    /// Whether the times of planning and running are told.
    pub(crate) summary: bool,
    /// What is wrong with the options, which is said when it runs.
    pub(crate) wrong: Option<Error>,
    pub(crate) statement: Arc<Statement>,
}

/// The options as given; what isn't there is PostgreSQL's default.
#[derive(Default)]
struct Options {
    analyze: bool,
    summary: Option<bool>,
    timing: Option<bool>,
    wal: bool,
    wrong: Option<Error>,
    /// The first option that can't be done.
    refused: Option<String>,
}

/// After EXPLAIN.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let mut options = Options::default();
    if tokens.take_token(&Token::LParen) {
        loop {
            let name = tokens.identifier()?;
            let argument = argument(tokens)?;
            if let Err(error) = options.set(&name, argument) {
                options.wrong.get_or_insert(error);
            }
            if !tokens.take_token(&Token::Comma) {
                break;
            }
        }
        tokens.expect_token(&Token::RParen)?;
    } else {
        options.analyze = tokens.take("analyze") || tokens.take("analyse");
        if tokens.take("verbose") {
            options.refused = Some("VERBOSE".to_owned());
        }
    }
    let unexpected = tokens.unexpected();
    let statement = nested(tokens)?;
    match &statement.body {
        Parsed::Plannable(_) | Parsed::Subscribe | Parsed::Execute { .. } => {}
        Parsed::Declare(_) => {
            return Err(Error::feature_not_supported("EXPLAIN of DECLARE is not supported"));
        }
        Parsed::Definition(command) if matches!(**command, ddl::Command::CreateTableAs(_)) => {
            return Err(Error::feature_not_supported(
                "EXPLAIN of CREATE TABLE AS is not supported",
            ));
        }
        _ => return Err(unexpected),
    }
    let wrong = options.wrong.take().or_else(|| options.check().err());
    let summary = options.summary.unwrap_or(options.analyze);
    Ok(Parsed::Explain(Explain { analyze: options.analyze, summary, wrong, statement }))
}

fn argument(tokens: &mut Tokens<'_>) -> Result<Option<String>> {
    Ok(match tokens.peek() {
        Token::Comma | Token::RParen => None,
        Token::Number(..) | Token::Minus | Token::Plus => Some(tokens.number()?),
        Token::Word(_) => Some(tokens.identifier()?),
        _ => Some(tokens.string()?),
    })
}

impl Options {
    fn set(&mut self, name: &str, argument: Option<String>) -> Result<()> {
        if name == "format" {
            return self.set_format(argument.as_deref());
        }
        let on = match &argument {
            None => true,
            Some(text) => settings::boolean(text)
                .ok_or_else(|| Error::syntax_error(format!("{name} requires a Boolean value")))?,
        };
        match name {
            "analyze" => self.analyze = on,
            "summary" => self.summary = Some(on),
            // The steps of a plan have no times of their own.
            "timing" => self.timing = Some(on),
            "wal" => self.wal = on,
            "buffers" | "costs" | "settings" | "verbose" => {
                if on {
                    self.refused.get_or_insert(name.to_uppercase());
                }
            }
            _ => {
                return Err(Error::syntax_error(format!("unrecognized EXPLAIN option \"{name}\"")));
            }
        }
        Ok(())
    }

    fn set_format(&mut self, argument: Option<&str>) -> Result<()> {
        match argument {
            Some("text") => Ok(()),
            Some("xml" | "json" | "yaml") => {
                self.refused.get_or_insert("FORMAT other than TEXT".to_owned());
                Ok(())
            }
            Some(other) => Err(Error::invalid_parameter_value(format!(
                "unrecognized value for EXPLAIN option \"format\": \"{other}\""
            ))),
            None => Err(Error::syntax_error("format requires a parameter")),
        }
    }

    fn check(&self) -> Result<()> {
        for (name, on) in [("WAL", self.wal), ("TIMING", self.timing == Some(true))] {
            if on && !self.analyze {
                return Err(Error::invalid_parameter_value(format!(
                    "EXPLAIN option {name} requires ANALYZE"
                )));
            }
        }
        let refused = match (&self.refused, self.wal, self.timing) {
            (Some(name), ..) => name,
            (None, true, _) => "WAL",
            (None, false, Some(true)) => "TIMING",
            (None, false, _) => return Ok(()),
        };
        Err(Error::feature_not_supported(format!("EXPLAIN option {refused} is not supported"))
            .with_hint("ANALYZE, SUMMARY and FORMAT TEXT are."))
    }
}
