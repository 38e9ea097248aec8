//! Statements whose PostgreSQL grammar is small and ours: settings, COPY, LISTEN, ...

use std::sync::Arc;

use datafusion::sql::sqlparser::{ast, parser::Parser, tokenizer::Token};

use super::{
    Parsed, Statement, cursor, explain, maintenance, parse_single, tokens::Tokens, transaction,
};
use crate::error::{Error, Result, SqlState};

/// `SET LOCAL` or `SET [SESSION]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetScope {
    Session,
    Local,
}

/// The right side of SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetValue {
    Default,
    /// `FROM CURRENT` has no use outside of function definitions.
    Value(String),
}

/// One name or all of them: RESET, SHOW, CLOSE, DEALLOCATE, UNLISTEN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    One(String),
    All,
}

/// What DISCARD discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}

/// `LOCK TABLE`.
#[derive(Debug)]
pub(crate) struct LockTable {
    pub(crate) relations: Vec<(Option<String>, String)>,
    /// As written, upper case: `ACCESS EXCLUSIVE`.
    pub(crate) mode: String,
    pub(crate) no_wait: bool,
}

/// COPY.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) source: CopySource,
    /// From the client to the table.
    pub(crate) from: bool,
    /// Option names in lower case with their arguments; old spellings already translated.
    pub(crate) options: Vec<(String, Vec<String>)>,
    pub(crate) filter: Option<ast::Expr>,
    /// Where the data is, if it isn't the client.
    pub(crate) at_server: Option<AtServer>,
}

/// What COPY reads or writes on the server's side: nothing, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtServer {
    File,
    Program,
}

/// What COPY copies.
#[derive(Debug)]
pub(crate) enum CopySource {
    Table { schema: Option<String>, name: String, columns: Vec<String> },
    Query(Arc<Statement>),
    Subscribe(Arc<Statement>),
}

/// Parses a statement of ours, or `None` for sqlparser's.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Parsed>> {
    if let Some(parsed) = transaction::parse(tokens)? {
        return Ok(Some(parsed));
    }
    if let Some(parsed) = cursor::parse(tokens)? {
        return Ok(Some(parsed));
    }
    let parsed = if tokens.is_word(0, "subscribe") {
        return Ok(Some(Parsed::Subscribe));
    } else if tokens.is_word(0, "set") {
        set(tokens)?
    } else if tokens.take("reset") {
        reset(tokens)?
    } else if tokens.take("show") {
        show(tokens)?
    } else if tokens.take("discard") {
        discard(tokens)?
    } else if tokens.take("listen") {
        Parsed::Listen(tokens.column_name()?)
    } else if tokens.take("unlisten") {
        let all = tokens.take_token(&Token::Mul);
        Parsed::Unlisten(if all { Name::All } else { Name::One(tokens.column_name()?) })
    } else if tokens.take("unsubscribe") {
        let _all = tokens.take_token(&Token::Mul) || tokens.column_name().is_ok();
        tokens.expect_end()?;
        return Err(Error::feature_not_supported("UNSUBSCRIBE is not supported")
            .with_hint("A subscription ends with its COPY, its cursor or its statement."));
    } else if tokens.take("notify") {
        notify(tokens)?
    } else if tokens.take("copy") {
        copy(tokens)?
    } else if tokens.take("prepare") {
        prepare(tokens)?
    } else if tokens.take("execute") {
        execute(tokens)?
    } else if tokens.take("deallocate") {
        tokens.take("prepare");
        let all = tokens.take("all");
        Parsed::Deallocate(if all { Name::All } else { Name::One(tokens.column_name()?) })
    } else if tokens.take("explain") {
        explain::parse(tokens)?
    } else if tokens.take("vacuum") {
        maintenance::parse(tokens, true)?
    } else if tokens.take("analyze") || tokens.take("analyse") {
        maintenance::parse(tokens, false)?
    } else if tokens.take("checkpoint") {
        Parsed::Checkpoint
    } else if tokens.take("lock") {
        lock_table(tokens)?
    } else {
        return Ok(None);
    };
    tokens.expect_end()?;
    Ok(Some(parsed))
}

fn set(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    tokens.advance();
    if tokens.take_all(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Parsed::SetSessionCharacteristics(transaction::modes(tokens)?));
    }
    let scope = if tokens.take("local") {
        SetScope::Local
    } else {
        if tokens.is_word(0, "session") && !tokens.is_word(1, "authorization") {
            tokens.advance();
        }
        SetScope::Session
    };
    if tokens.take("transaction") {
        if tokens.is_word(0, "snapshot") {
            return Err(Error::feature_not_supported("SET TRANSACTION SNAPSHOT is not supported"));
        }
        return Ok(Parsed::SetTransaction(transaction::modes(tokens)?));
    }
    if tokens.take_all(&["session", "authorization"]) {
        let value = role_name(tokens, "default")?;
        return Ok(Parsed::Set { scope, name: "session_authorization".into(), value });
    }
    let is_assigned = tokens.is_word(1, "to") || tokens.peek_at(1) == &Token::Eq;
    if !is_assigned && tokens.take("role") {
        let value = role_name(tokens, "none")?;
        return Ok(Parsed::Set { scope, name: "role".into(), value });
    }
    if tokens.take_all(&["time", "zone"]) {
        let value = time_zone(tokens)?;
        return Ok(Parsed::Set { scope, name: "timezone".into(), value });
    }
    if tokens.take("names") {
        let value = if tokens.take("default") || tokens.at_end() {
            SetValue::Default
        } else {
            SetValue::Value(tokens.string()?)
        };
        return Ok(Parsed::Set { scope, name: "client_encoding".into(), value });
    }
    if tokens.take("schema") {
        return Ok(Parsed::Set {
            scope,
            name: "search_path".into(),
            value: SetValue::Value(quote_list_item(&tokens.string()?)),
        });
    }
    if tokens.take("constraints") {
        return Err(Error::feature_not_supported("SET CONSTRAINTS is not supported")
            .with_hint("Constraints are checked immediately; none is deferrable."));
    }
    let name = setting_name(tokens)?;
    if !tokens.take("to") {
        tokens.expect_token(&Token::Eq)?;
    }
    let value = values(tokens, &name)?;
    Ok(Parsed::Set { scope, name, value })
}

/// `SET ROLE none` and `SET SESSION AUTHORIZATION DEFAULT` are resets; quoted they are names.
fn role_name(tokens: &mut Tokens<'_>, reset: &str) -> Result<SetValue> {
    if tokens.take(reset) {
        return Ok(SetValue::Default);
    }
    match tokens.peek() {
        Token::Word(_) => Ok(SetValue::Value(tokens.identifier()?)),
        _ => Ok(SetValue::Value(tokens.string()?)),
    }
}

fn time_zone(tokens: &mut Tokens<'_>) -> Result<SetValue> {
    if tokens.take("local") || tokens.take("default") {
        return Ok(SetValue::Default);
    }
    if tokens.take("interval") {
        let text = tokens.string()?;
        let fields = match tokens.take("hour") {
            true if tokens.take_all(&["to", "minute"]) => HOUR_TO_MINUTE,
            true => HOUR,
            false => -1,
        };
        if matches!(tokens.peek(), Token::Word(_)) {
            return Err(Error::syntax_error("time zone interval must be HOUR or HOUR TO MINUTE"));
        }
        return Ok(SetValue::Value(interval_value(&text, fields)));
    }
    Ok(SetValue::Value(match tokens.peek() {
        Token::Number(..) | Token::Minus | Token::Plus => tokens.number()?,
        Token::Word(_) => tokens.identifier()?,
        _ => tokens.string()?,
    }))
}

/// The type modifiers of `INTERVAL HOUR` and `INTERVAL HOUR TO MINUTE`.
const HOUR: i32 = 0x400_FFFF;
const HOUR_TO_MINUTE: i32 = 0xC00_FFFF;

/// An offset as PostgreSQL hands it to the setting, which says what is wrong with it.
fn interval_value(text: &str, fields: i32) -> String {
    use crate::types::{IntervalStyle, interval};
    let mut written = String::new();
    let parsed = interval::parse(text, fields, IntervalStyle::Postgres);
    if !parsed.is_ok_and(|parts| interval::write(parts, &mut written).is_ok()) {
        written = text.to_owned();
    }
    format!("INTERVAL '{written}'")
}

fn setting_name(tokens: &mut Tokens<'_>) -> Result<String> {
    let mut name = tokens.identifier()?.to_lowercase();
    while tokens.take_token(&Token::Period) {
        name.push('.');
        name.push_str(&tokens.identifier()?.to_lowercase());
    }
    Ok(name)
}

/// The list after `SET name TO`. For list settings each item is quoted as an identifier would be.
fn values(tokens: &mut Tokens<'_>, name: &str) -> Result<SetValue> {
    if tokens.take("default") {
        return Ok(SetValue::Default);
    }
    if tokens.take_all(&["from", "current"]) {
        return Err(Error::syntax_error_near("FROM"));
    }
    let is_list = matches!(name, "search_path");
    let mut items = Vec::new();
    loop {
        let item = match tokens.peek() {
            Token::Number(..) | Token::Minus | Token::Plus => tokens.number()?,
            Token::Word(_) => tokens.identifier()?,
            _ => tokens.string()?,
        };
        items.push(if is_list { quote_list_item(&item) } else { item });
        if !tokens.take_token(&Token::Comma) {
            break;
        }
    }
    if items.len() > 1 && !is_list && name != "datestyle" {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("SET {name} takes only one argument"),
        ));
    }
    Ok(SetValue::Value(items.join(", ")))
}

/// Quotes an item of a list setting where PostgreSQL's `quote_identifier` would.
fn quote_list_item(item: &str) -> String {
    let plain = !item.is_empty()
        && !item.starts_with(|c: char| c.is_ascii_digit())
        && item.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { item.to_owned() } else { format!("\"{}\"", item.replace('"', "\"\"")) }
}

fn reset(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let name = if tokens.take("all") {
        Name::All
    } else if tokens.take_all(&["session", "authorization"]) {
        Name::One("session_authorization".into())
    } else if tokens.take_all(&["time", "zone"]) {
        Name::One("timezone".into())
    } else if tokens.take_all(&["transaction", "isolation", "level"]) {
        Name::One("transaction_isolation".into())
    } else {
        Name::One(setting_name(tokens)?)
    };
    Ok(Parsed::Reset(name))
}

fn show(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let name = if tokens.take("all") {
        Name::All
    } else if tokens.take_all(&["session", "authorization"]) {
        Name::One("session_authorization".into())
    } else if tokens.take_all(&["time", "zone"]) {
        Name::One("timezone".into())
    } else if tokens.take_all(&["transaction", "isolation", "level"]) {
        Name::One("transaction_isolation".into())
    } else {
        Name::One(setting_name(tokens)?)
    };
    Ok(Parsed::Show(name))
}

fn discard(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    Ok(Parsed::Discard(if tokens.take("all") {
        Discard::All
    } else if tokens.take("plans") {
        Discard::Plans
    } else if tokens.take("sequences") {
        Discard::Sequences
    } else if tokens.take("temp") || tokens.take("temporary") {
        Discard::Temporary
    } else {
        return Err(tokens.unexpected());
    }))
}

fn notify(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let channel = tokens.column_name()?;
    let payload = if tokens.take_token(&Token::Comma) { tokens.string()? } else { String::new() };
    Ok(Parsed::Notify { channel, payload })
}

fn prepare(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let name = tokens.column_name()?;
    let mut types = Vec::new();
    if tokens.take_token(&Token::LParen) {
        types =
            tokens.with_parser(|parser| parser.parse_comma_separated(Parser::parse_data_type))?;
        tokens.expect_token(&Token::RParen)?;
    }
    tokens.expect("as")?;
    let statement = nested(tokens)?;
    if !matches!(statement.body, Parsed::Plannable(_)) {
        return Err(tokens.unexpected());
    }
    Ok(Parsed::Prepare { name, types, statement })
}

fn execute(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let name = tokens.column_name()?;
    let mut arguments = Vec::new();
    if tokens.take_token(&Token::LParen) {
        if tokens.peek() != &Token::RParen {
            arguments = tokens.expressions()?;
        }
        tokens.expect_token(&Token::RParen)?;
    }
    Ok(Parsed::Execute { name, arguments })
}

/// The statement that the rest of the tokens is; its positions count in its own text.
pub(super) fn nested(tokens: &mut Tokens<'_>) -> Result<Arc<Statement>> {
    let offset = tokens.offset();
    let statement = parse_single(tokens.rest())
        .map_err(|error| error.shifted(offset))?
        .ok_or_else(|| tokens.unexpected())?;
    let statement = match Arc::try_unwrap(statement) {
        Ok(statement) => Arc::new(Statement { offset, ..statement }),
        Err(shared) => shared,
    };
    while !tokens.at_end() {
        tokens.advance();
    }
    Ok(statement)
}

pub(super) fn qualified_name(tokens: &mut Tokens<'_>) -> Result<(Option<String>, String)> {
    let first = tokens.identifier()?;
    if tokens.take_token(&Token::Period) {
        let second = tokens.identifier()?;
        return Ok((Some(first), second));
    }
    Ok((None, first))
}

fn lock_table(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    tokens.take("table");
    let mut relations = Vec::new();
    loop {
        // Tables have no children.
        tokens.take("only");
        relations.push(qualified_name(tokens)?);
        tokens.take_token(&Token::Mul);
        if !tokens.take_token(&Token::Comma) {
            break;
        }
    }
    let mut mode = "ACCESS EXCLUSIVE".to_owned();
    if tokens.take("in") {
        let mut words = Vec::new();
        while !tokens.is_word(0, "mode") && !tokens.at_end() {
            words.push(tokens.identifier()?.to_uppercase());
        }
        tokens.expect("mode")?;
        mode = words.join(" ");
    }
    let no_wait = tokens.take("nowait");
    Ok(Parsed::Lock(LockTable { relations, mode, no_wait }))
}

fn copy(tokens: &mut Tokens<'_>) -> Result<Parsed> {
    let mut options = Vec::new();
    if tokens.take("binary") {
        options.push(("format".to_owned(), vec!["binary".to_owned()]));
    }
    let source = if tokens.peek() == &Token::LParen {
        copy_query(tokens)?
    } else {
        let (schema, name) = qualified_name(tokens)?;
        let mut columns = Vec::new();
        if tokens.take_token(&Token::LParen) {
            columns = column_list(tokens)?;
        }
        CopySource::Table { schema, name, columns }
    };
    let from = if tokens.take("from") {
        true
    } else {
        tokens.expect("to")?;
        false
    };
    if from && !matches!(source, CopySource::Table { .. }) {
        return Err(Error::syntax_error_near("from"));
    }
    let at_server = copy_at_server(tokens, from)?;
    tokens.take_all(&["using"]);
    tokens.take("with");
    if tokens.take_token(&Token::LParen) {
        new_copy_options(tokens, &mut options)?;
    } else {
        old_copy_options(tokens, &mut options)?;
    }
    let filter = if from && tokens.take("where") {
        Some(tokens.with_parser(|parser| parser.parse_expr())?)
    } else {
        None
    };
    Ok(Parsed::Copy(Box::new(Copy { source, from, options, filter, at_server })))
}

/// `STDIN`, `STDOUT`, a file or a program.
fn copy_at_server(tokens: &mut Tokens<'_>, from: bool) -> Result<Option<AtServer>> {
    if tokens.take("program") {
        tokens.string()?;
        return Ok(Some(AtServer::Program));
    }
    if matches!(tokens.peek(), Token::SingleQuotedString(_)) {
        tokens.string()?;
        return Ok(Some(AtServer::File));
    }
    tokens.expect(if from { "stdin" } else { "stdout" })?;
    Ok(None)
}

/// The statement between the parentheses, which may nest others.
fn copy_query(tokens: &mut Tokens<'_>) -> Result<CopySource> {
    tokens.expect_token(&Token::LParen)?;
    let start = tokens.rest();
    let mut depth = 1;
    let mut end = start.len();
    while depth > 0 {
        let before = tokens.rest();
        match tokens.advance() {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                end = start.len() - before.len();
            }
            Token::EOF => return Err(tokens.unexpected()),
            _ => {}
        }
    }
    let statement = parse_single(&start[..end])?.ok_or_else(|| tokens.unexpected())?;
    match &statement.body {
        Parsed::Plannable(_) => Ok(CopySource::Query(statement)),
        Parsed::Subscribe => Ok(CopySource::Subscribe(statement)),
        _ => Err(tokens.unexpected()),
    }
}

fn column_list(tokens: &mut Tokens<'_>) -> Result<Vec<String>> {
    let mut columns = vec![tokens.identifier()?];
    while tokens.take_token(&Token::Comma) {
        columns.push(tokens.identifier()?);
    }
    tokens.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn new_copy_options(
    tokens: &mut Tokens<'_>,
    options: &mut Vec<(String, Vec<String>)>,
) -> Result<()> {
    loop {
        let name = tokens.identifier()?;
        let mut arguments = Vec::new();
        match tokens.peek() {
            Token::Comma | Token::RParen => {}
            Token::LParen => {
                tokens.advance();
                arguments = column_list(tokens)?;
            }
            Token::Mul => {
                tokens.advance();
                arguments.push("*".to_owned());
            }
            Token::Number(..) | Token::Minus | Token::Plus => arguments.push(tokens.number()?),
            Token::Word(_) => arguments.push(tokens.identifier()?),
            _ => arguments.push(tokens.string()?),
        }
        options.push((name, arguments));
        if !tokens.take_token(&Token::Comma) {
            break;
        }
    }
    tokens.expect_token(&Token::RParen)
}

/// The grammar from before PostgreSQL 9.0: `DELIMITER AS ',' NULL '' CSV HEADER`.
fn old_copy_options(
    tokens: &mut Tokens<'_>,
    options: &mut Vec<(String, Vec<String>)>,
) -> Result<()> {
    while !tokens.at_end() && !tokens.is_word(0, "where") {
        let word = tokens.identifier()?;
        let option = match word.as_str() {
            "binary" | "csv" => ("format".to_owned(), vec![word]),
            "header" => (word, Vec::new()),
            "delimiter" | "delimiters" | "null" | "quote" | "escape" | "encoding" => {
                tokens.take("as");
                let name = if word == "delimiters" { "delimiter".to_owned() } else { word };
                (name, vec![tokens.string()?])
            }
            "force" => {
                let name = if tokens.take("quote") {
                    "force_quote"
                } else if tokens.take_all(&["not", "null"]) {
                    "force_not_null"
                } else {
                    tokens.expect("null")?;
                    "force_null"
                };
                let columns = if tokens.take_token(&Token::Mul) {
                    vec!["*".to_owned()]
                } else {
                    let mut columns = vec![tokens.identifier()?];
                    while tokens.take_token(&Token::Comma) {
                        columns.push(tokens.identifier()?);
                    }
                    columns
                };
                (name.to_owned(), columns)
            }
            _ => return Err(Error::syntax_error_near(&word)),
        };
        options.push(option);
    }
    Ok(())
}
