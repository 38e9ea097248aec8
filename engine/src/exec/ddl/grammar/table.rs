//! CREATE TABLE: columns and constraints.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{
    ColumnConstraint, ColumnDefinition, ColumnTypeName, Command, ConstraintDefinition, CreateTable,
    CreateTableAs, LikePart, OnCommit, TableConstraint, TableElement, access_method, collation,
    column_list, comma_separated, data_type, expression, if_not_exists, index_options, name,
    options, parenthesized, query, refused, sequence_options, simple_expression, tablespace,
};
use crate::{
    error::{Error, Result, SqlState},
    statement::Tokens,
    types::Oid,
};

/// After `CREATE [UNLOGGED] TABLE`.
pub(super) fn create(tokens: &mut Tokens<'_>) -> Result<Command> {
    let if_not_exists = if_not_exists(tokens);
    let name = name(tokens)?;
    if tokens.take_all(&["partition", "of"]) {
        return Ok(refused(tokens, "partitioned tables are not supported"));
    }
    if tokens.take("of") {
        return Ok(refused(tokens, "typed tables are not supported"));
    }
    let as_follows = tokens.is_word(0, "as")
        || tokens.is_word(0, "with")
        || tokens.is_word(0, "on")
        || tokens.is_word(0, "using")
        || names_only(tokens);
    if as_follows {
        return create_as(tokens, name, if_not_exists);
    }
    tokens.expect_token(&Token::LParen)?;
    let mut elements = Vec::new();
    if !tokens.take_token(&Token::RParen) {
        elements = comma_separated(tokens, element)?;
        tokens.expect_token(&Token::RParen)?;
    }
    if tokens.take("inherits") {
        parenthesized(tokens, |tokens| comma_separated(tokens, super::name))?;
        if tokens.is_word(0, "partition") {
            return Err(Error::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                "cannot create partitioned table as inheritance child",
            ));
        }
        return Ok(refused(tokens, "table inheritance is not supported"));
    }
    if tokens.is_word(0, "partition") {
        return Ok(refused(tokens, "partitioned tables are not supported"));
    }
    let (options, on_commit) = storage(tokens)?;
    Ok(Command::CreateTable(CreateTable { name, if_not_exists, elements, options, on_commit }))
}

fn on_commit(tokens: &mut Tokens<'_>) -> Result<Option<OnCommit>> {
    if !tokens.take_all(&["on", "commit"]) || tokens.take_all(&["preserve", "rows"]) {
        return Ok(None);
    }
    if tokens.take("drop") {
        return Ok(Some(OnCommit::Drop));
    }
    tokens.expect("delete")?;
    tokens.expect("rows")?;
    Ok(Some(OnCommit::DeleteRows))
}

/// Whether a parenthesized list of bare names and then AS or WITH comes: CREATE TABLE t (a, b) AS.
fn names_only(tokens: &Tokens<'_>) -> bool {
    if tokens.peek() != &Token::LParen {
        return false;
    }
    let mut at = 1;
    loop {
        if !matches!(tokens.peek_at(at), Token::Word(_)) {
            return false;
        }
        match tokens.peek_at(at + 1) {
            Token::Comma => at += 2,
            Token::RParen => return true,
            _ => return false,
        }
    }
}

fn create_as(tokens: &mut Tokens<'_>, name: super::Name, if_not_exists: bool) -> Result<Command> {
    let columns = if tokens.peek() == &Token::LParen { column_list(tokens)? } else { Vec::new() };
    let (options, on_commit) = storage(tokens)?;
    tokens.expect("as")?;
    if tokens.is_word(0, "execute") {
        return Ok(refused(tokens, "CREATE TABLE AS EXECUTE is not supported"));
    }
    let query = query(tokens)?;
    let with_data = if tokens.take_all(&["with", "no", "data"]) {
        false
    } else {
        tokens.take_all(&["with", "data"]);
        true
    };
    Ok(Command::CreateTableAs(CreateTableAs {
        name,
        if_not_exists,
        columns,
        options,
        on_commit,
        query,
        with_data,
    }))
}

/// Storage parameters by name.
type Options = Vec<(String, Option<String>)>;

/// `[USING method] [WITH (...)] [ON COMMIT ...] [TABLESPACE name]`.
fn storage(tokens: &mut Tokens<'_>) -> Result<(Options, Option<OnCommit>)> {
    if tokens.take("using") {
        access_method(tokens)?;
    }
    let options = with_options(tokens)?;
    let on_commit = on_commit(tokens)?;
    if tokens.take("tablespace") {
        tablespace(tokens)?;
    }
    Ok((options, on_commit))
}

fn with_options(tokens: &mut Tokens<'_>) -> Result<Options> {
    if tokens.take_all(&["without", "oids"]) {
        return Ok(Vec::new());
    }
    if tokens.take("with") { options(tokens) } else { Ok(Vec::new()) }
}

fn element(tokens: &mut Tokens<'_>) -> Result<TableElement> {
    if tokens.take("like") {
        return like(tokens);
    }
    if starts_constraint(tokens) {
        return Ok(TableElement::Constraint(table_constraint(tokens)?));
    }
    Ok(TableElement::Column(column(tokens)?))
}

fn like(tokens: &mut Tokens<'_>) -> Result<TableElement> {
    let source = name(tokens)?;
    let mut including: Vec<LikePart> = Vec::new();
    loop {
        let add = if tokens.take("including") {
            true
        } else if tokens.take("excluding") {
            false
        } else {
            break;
        };
        let word = tokens.identifier()?;
        let parts: &[LikePart] = match word.as_str() {
            "all" => &[
                LikePart::Comments,
                LikePart::Constraints,
                LikePart::Defaults,
                LikePart::Generated,
                LikePart::Identity,
                LikePart::Indexes,
            ],
            "comments" => &[LikePart::Comments],
            "constraints" => &[LikePart::Constraints],
            "defaults" => &[LikePart::Defaults],
            "generated" => &[LikePart::Generated],
            "identity" => &[LikePart::Identity],
            "indexes" => &[LikePart::Indexes],
            "compression" | "statistics" | "storage" => &[],
            _ => return Err(crate::error::Error::syntax_error_near(&word)),
        };
        including.retain(|part| !parts.contains(part));
        if add {
            including.extend_from_slice(parts);
        }
    }
    Ok(TableElement::Like { source, including })
}

/// Whether a table constraint comes, not a column that has one of these words as its name.
pub(super) fn starts_constraint(tokens: &Tokens<'_>) -> bool {
    tokens.is_word(0, "constraint")
        || tokens.is_word(0, "check") && tokens.peek_at(1) == &Token::LParen
        || tokens.is_word(0, "unique")
        || tokens.is_word(0, "primary") && tokens.is_word(1, "key")
        || tokens.is_word(0, "foreign") && tokens.is_word(1, "key")
        || tokens.is_word(0, "exclude")
            && (tokens.is_word(1, "using") || tokens.peek_at(1) == &Token::LParen)
}

/// `[CONSTRAINT name] ...` of a table.
pub(super) fn table_constraint(tokens: &mut Tokens<'_>) -> Result<ConstraintDefinition> {
    let name = if tokens.take("constraint") { Some(tokens.column_name()?) } else { None };
    let kind = if tokens.take("check") {
        let check = parenthesized(tokens, expression)?;
        tokens.take_all(&["no", "inherit"]);
        TableConstraint::Check(Box::new(check))
    } else if tokens.take("unique") {
        if tokens.take_all(&["using", "index"]) {
            tokens.identifier()?;
            TableConstraint::UsingIndex
        } else {
            let nulls_distinct = nulls_distinct(tokens);
            TableConstraint::Unique { columns: column_list(tokens)?, nulls_distinct }
        }
    } else if tokens.take_all(&["primary", "key"]) {
        if tokens.take_all(&["using", "index"]) {
            tokens.identifier()?;
            TableConstraint::UsingIndex
        } else {
            TableConstraint::PrimaryKey(column_list(tokens)?)
        }
    } else if tokens.take_all(&["foreign", "key"]) {
        column_list(tokens)?;
        references(tokens)?;
        TableConstraint::Refused("foreign keys are not supported yet".to_owned())
    } else if tokens.take("exclude") {
        skip_balanced(tokens);
        TableConstraint::Refused("exclusion constraints are not supported".to_owned())
    } else {
        return Err(tokens.unexpected());
    };
    if tokens.take("include") {
        column_list(tokens)?;
        return Ok(ConstraintDefinition {
            name,
            kind: TableConstraint::Refused("INCLUDE is not supported".to_owned()),
        });
    }
    index_parameters(tokens)?;
    let kind = match timing(tokens) {
        Some(message) => TableConstraint::Refused(message),
        None => kind,
    };
    Ok(ConstraintDefinition { name, kind })
}

/// The collation of a column of this type.
///
/// # Errors
/// 42804 where the type has none, else as [`collation`].
pub(super) fn collation_of(tokens: &mut Tokens<'_>, ty: &ColumnTypeName) -> Result<()> {
    collation(tokens)?;
    match ty {
        ColumnTypeName::Type(ty) => super::check_collatable(ty.oid),
        ColumnTypeName::Serial(oid) => super::check_collatable(*oid),
    }
}

/// `name type [constraint ...]`.
pub(super) fn column(tokens: &mut Tokens<'_>) -> Result<ColumnDefinition> {
    let name = tokens.column_name()?;
    let ty = column_type(tokens)?;
    let mut constraints = Vec::new();
    loop {
        if tokens.take("collate") {
            collation_of(tokens, &ty)?;
            continue;
        }
        if tokens.take("compression") {
            if tokens.identifier()? != "default" {
                return Err(Error::feature_not_supported(
                    "compression methods of columns are not supported",
                ));
            }
            continue;
        }
        let constraint = if tokens.take("constraint") { Some(tokens.column_name()?) } else { None };
        match column_constraint(tokens)? {
            Some(kind) => constraints.push((constraint, kind)),
            None if constraint.is_some() => return Err(tokens.unexpected()),
            None => break,
        }
    }
    Ok(ColumnDefinition { name, ty, constraints })
}

/// A type, or one of the serial words.
pub(super) fn column_type(tokens: &mut Tokens<'_>) -> Result<ColumnTypeName> {
    for (words, oid) in [
        (["smallserial", "serial2"], Oid::INT2),
        (["serial", "serial4"], Oid::INT4),
        (["bigserial", "serial8"], Oid::INT8),
    ] {
        if words.iter().any(|word| tokens.take(word)) {
            return Ok(ColumnTypeName::Serial(oid));
        }
    }
    Ok(ColumnTypeName::Type(data_type(tokens)?))
}

fn column_constraint(tokens: &mut Tokens<'_>) -> Result<Option<ColumnConstraint>> {
    let kind = if tokens.take_all(&["not", "null"]) {
        ColumnConstraint::NotNull
    } else if tokens.take("null") {
        ColumnConstraint::Null
    } else if tokens.take("default") {
        ColumnConstraint::Default(Box::new(simple_expression(tokens)?))
    } else if tokens.take_all(&["primary", "key"]) {
        index_parameters(tokens)?;
        ColumnConstraint::PrimaryKey
    } else if tokens.take("unique") {
        let nulls_distinct = nulls_distinct(tokens);
        index_parameters(tokens)?;
        ColumnConstraint::Unique { nulls_distinct }
    } else if tokens.take("check") {
        let check = parenthesized(tokens, expression)?;
        tokens.take_all(&["no", "inherit"]);
        ColumnConstraint::Check(Box::new(check))
    } else if tokens.take("references") {
        references_rest(tokens)?;
        ColumnConstraint::Refused("foreign keys are not supported yet".to_owned())
    } else if tokens.take("generated") {
        generated(tokens)?
    } else {
        return Ok(None);
    };
    Ok(Some(match timing(tokens) {
        Some(message) => ColumnConstraint::Refused(message),
        None => kind,
    }))
}

/// After GENERATED, of a column.
pub(super) fn generated(tokens: &mut Tokens<'_>) -> Result<ColumnConstraint> {
    let always = tokens.take("always");
    if !always {
        tokens.expect("by")?;
        tokens.expect("default")?;
    }
    tokens.expect("as")?;
    if tokens.take("identity") {
        let options = if tokens.peek() == &Token::LParen {
            parenthesized(tokens, sequence_options)?
        } else {
            Vec::new()
        };
        return Ok(ColumnConstraint::Identity { always, options });
    }
    let value = parenthesized(tokens, expression)?;
    tokens.expect("stored")?;
    Ok(ColumnConstraint::Generated(Box::new(value)))
}

fn nulls_distinct(tokens: &mut Tokens<'_>) -> bool {
    if tokens.take_all(&["nulls", "not", "distinct"]) {
        return false;
    }
    tokens.take_all(&["nulls", "distinct"]);
    true
}

/// `WITH (...)` and `USING INDEX TABLESPACE` of an index behind a constraint.
fn index_parameters(tokens: &mut Tokens<'_>) -> Result<()> {
    if tokens.take("with") {
        index_options(tokens)?;
    }
    if tokens.take_all(&["using", "index", "tablespace"]) {
        tablespace(tokens)?;
    }
    Ok(())
}

/// DEFERRABLE and its kin; what isn't the default is refused.
fn timing(tokens: &mut Tokens<'_>) -> Option<String> {
    let mut message = None;
    loop {
        if tokens.take_all(&["not", "deferrable"]) || tokens.take_all(&["initially", "immediate"]) {
            continue;
        }
        if tokens.take("deferrable") || tokens.take_all(&["initially", "deferred"]) {
            message = Some("deferrable constraints are not supported".to_owned());
        } else if tokens.take_all(&["not", "valid"]) {
            message = Some("NOT VALID is not supported".to_owned());
        } else {
            return message;
        }
    }
}

fn references(tokens: &mut Tokens<'_>) -> Result<()> {
    tokens.expect("references")?;
    references_rest(tokens)
}

fn references_rest(tokens: &mut Tokens<'_>) -> Result<()> {
    name(tokens)?;
    if tokens.peek() == &Token::LParen {
        column_list(tokens)?;
    }
    if tokens.take("match") {
        tokens.identifier()?;
    }
    while tokens.take("on") {
        tokens.identifier()?;
        let word = tokens.identifier()?;
        if word == "no" || word == "set" {
            tokens.identifier()?;
        }
    }
    Ok(())
}

/// Skips to the end of the list this is an element of.
fn skip_balanced(tokens: &mut Tokens<'_>) {
    let mut depth = 0_u32;
    while !tokens.at_end() {
        match tokens.peek() {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return,
            Token::RParen => depth -= 1,
            Token::Comma if depth == 0 => return,
            _ => {}
        }
        tokens.advance();
    }
}
