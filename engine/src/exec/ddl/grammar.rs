//! PostgreSQL's grammar of definitions.
//!
//! sqlparser's trees for these statements carry the syntax of a dozen databases and miss much of
//! PostgreSQL's; this is PostgreSQL's alone. Expressions, type names and queries inside are
//! sqlparser's.

use std::borrow::Cow;

use datafusion::sql::sqlparser::{ast, tokenizer::Token};

use crate::{
    error::{Error, Result, SqlState},
    statement::Tokens,
    types::{Oid, PgType, parse_type_name},
};

mod alter;
mod object;
mod role;
mod table;

pub(crate) use object::is_function;
pub(crate) use role::{RoleAttribute, RoleChange, RoleCommand, RoleSpec};

/// `[schema.]name`, folded and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// `database.schema.name` names the current database or nothing.
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl Name {
    /// As it is written in a query.
    fn quoted(&self) -> String {
        let parts = [self.catalog.as_ref(), self.schema.as_ref(), Some(&self.name)];
        let quoted =
            parts.into_iter().flatten().map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
        quoted.collect::<Vec<_>>().join(".")
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// One definition.
#[derive(Debug)]
pub(crate) enum Command {
    CreateTable(CreateTable),
    CreateTableAs(CreateTableAs),
    CreateIndex(CreateIndex),
    Reindex(Reindex),
    CreateSequence(CreateSequence),
    CreateSchema(CreateSchema),
    CreateView(CreateView),
    /// ALTER TABLE, VIEW and INDEX: their grammars overlap in PostgreSQL as well.
    AlterRelation(AlterRelation),
    AlterSequence(AlterSequence),
    AlterSchema(AlterSchema),
    Drop(Drop),
    Truncate(Truncate),
    Comment(Comment),
    Grant(Grant),
    DropOwned {
        roles: Vec<RoleSpec>,
        cascade: bool,
    },
    ReassignOwned {
        from: Vec<RoleSpec>,
        to: RoleSpec,
    },
    Role(RoleCommand),
    /// CREATE or DROP DATABASE: refused, but for what PostgreSQL refuses in its own words.
    Database(DatabaseCommand),
    /// PostgreSQL has it, this server doesn't.
    Refused {
        message: String,
    },
    /// It can be read, and fails when it is run.
    Wrong(Error),
}

impl Command {
    /// The tag of what a read-only transaction can't run.
    pub(crate) fn written_by(&self) -> Option<Cow<'static, str>> {
        let tag = match self {
            Command::CreateTable(_) => "CREATE TABLE",
            Command::CreateTableAs(_) => "CREATE TABLE AS",
            Command::CreateIndex(_) => "CREATE INDEX",
            Command::CreateSequence(_) => "CREATE SEQUENCE",
            Command::CreateSchema(_) => "CREATE SCHEMA",
            Command::CreateView(_) => "CREATE VIEW",
            Command::AlterRelation(alter) => match alter.word {
                RelationWord::Table => "ALTER TABLE",
                RelationWord::View => "ALTER VIEW",
                RelationWord::Index => "ALTER INDEX",
                RelationWord::Sequence => "ALTER SEQUENCE",
            },
            Command::AlterSequence(_) => "ALTER SEQUENCE",
            Command::AlterSchema(_) => "ALTER SCHEMA",
            Command::Drop(drop) => return Some(drop.kind.tag()),
            Command::Truncate(_) => "TRUNCATE TABLE",
            Command::Comment(_) => "COMMENT",
            Command::Grant(grant) if grant.revoke => "REVOKE",
            Command::Grant(_) => "GRANT",
            Command::DropOwned { .. } => "DROP OWNED",
            Command::ReassignOwned { .. } => "REASSIGN OWNED",
            Command::Role(role) => role.tag(),
            // REINDEX changes nothing that is seen; the others fail anyway.
            Command::Reindex(_)
            | Command::Database(_)
            | Command::Refused { .. }
            | Command::Wrong(_) => return None,
        };
        Some(Cow::Borrowed(tag))
    }

    /// What can't run inside a transaction block, by its name.
    pub(crate) fn runs_alone(&self) -> Option<&'static str> {
        match self {
            Command::Reindex(reindex) => reindex.runs_alone(),
            Command::CreateIndex(create) if create.concurrently => {
                Some("CREATE INDEX CONCURRENTLY")
            }
            Command::Drop(drop) if drop.concurrently => Some("DROP INDEX CONCURRENTLY"),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct DatabaseCommand {
    pub(crate) drops: bool,
    pub(crate) name: String,
    pub(crate) if_exists: bool,
}

#[derive(Debug)]
pub(crate) struct CreateTable {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) elements: Vec<TableElement>,
    /// `WITH (...)`, names in lower case.
    pub(crate) options: Vec<(String, Option<String>)>,
    pub(crate) on_commit: Option<OnCommit>,
}

/// `ON COMMIT` of a temporary table; PRESERVE ROWS is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCommit {
    DeleteRows,
    Drop,
}

#[derive(Clone, Debug)]
pub(crate) struct CreateTableAs {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) options: Vec<(String, Option<String>)>,
    pub(crate) on_commit: Option<OnCommit>,
    pub(crate) query: Box<ast::Query>,
    pub(crate) with_data: bool,
}

#[derive(Debug)]
pub(crate) enum TableElement {
    Column(ColumnDefinition),
    Constraint(ConstraintDefinition),
    Like { source: Name, including: Vec<LikePart> },
}

/// What `LIKE ... INCLUDING` copies beside names, types and NOT NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LikePart {
    Comments,
    Constraints,
    Defaults,
    Generated,
    Identity,
    Indexes,
}

#[derive(Debug)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: String,
    pub(crate) ty: ColumnTypeName,
    pub(crate) constraints: Vec<(Option<String>, ColumnConstraint)>,
}

/// A column's type as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnTypeName {
    Type(PgType),
    /// `smallserial`, `serial`, `bigserial`, by the integer type behind.
    Serial(Oid),
}

#[derive(Debug)]
pub(crate) enum ColumnConstraint {
    NotNull,
    Null,
    Default(Box<ast::Expr>),
    PrimaryKey,
    Unique {
        nulls_distinct: bool,
    },
    Check(Box<ast::Expr>),
    Generated(Box<ast::Expr>),
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    /// REFERENCES and what else isn't there yet.
    Refused(String),
}

#[derive(Debug)]
pub(crate) struct ConstraintDefinition {
    pub(crate) name: Option<String>,
    pub(crate) kind: TableConstraint,
}

#[derive(Debug)]
pub(crate) enum TableConstraint {
    PrimaryKey(Vec<String>),
    Unique {
        columns: Vec<String>,
        nulls_distinct: bool,
    },
    Check(Box<ast::Expr>),
    /// `ADD PRIMARY KEY USING INDEX`.
    UsingIndex,
    Refused(String),
}

#[derive(Clone, Debug)]
pub(crate) enum SequenceOption {
    As(PgType),
    Increment(i64),
    /// `None`: NO MINVALUE.
    Min(Option<i64>),
    Max(Option<i64>),
    Start(i64),
    /// `None`: RESTART without a value.
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// `None`: OWNED BY NONE.
    OwnedBy(Option<(Name, String)>),
    /// SEQUENCE NAME, of the sequence behind an identity column.
    Named(Name),
    /// One of the others was said before: the statement fails when it runs.
    Twice(Error),
}

#[derive(Debug)]
pub(crate) struct CreateIndex {
    pub(crate) name: Option<String>,
    pub(crate) table: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) unique: bool,
    pub(crate) concurrently: bool,
    pub(crate) method: String,
    pub(crate) columns: Vec<IndexElement>,
    pub(crate) included: Vec<String>,
    pub(crate) nulls_distinct: bool,
    pub(crate) predicate: Option<Box<ast::Expr>>,
}

/// What an index is over.
#[derive(Debug)]
pub(crate) enum IndexKey {
    Column(String),
    Expression(Box<ast::Expr>),
}

#[derive(Debug)]
pub(crate) struct IndexElement {
    pub(crate) key: IndexKey,
    /// Whether a collation was named.
    pub(crate) collated: bool,
    /// The operator class that was named.
    pub(crate) class: Option<String>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: Option<bool>,
}

#[derive(Debug)]
pub(crate) struct Reindex {
    pub(crate) target: ReindexTarget,
    pub(crate) concurrently: bool,
    /// Tells what was done.
    pub(crate) verbose: bool,
}

impl Reindex {
    /// What can't run inside a transaction block, by its name.
    pub(crate) fn runs_alone(&self) -> Option<&'static str> {
        match self.target {
            ReindexTarget::Schema(_) => Some("REINDEX SCHEMA"),
            ReindexTarget::Database(_) => Some("REINDEX DATABASE"),
            ReindexTarget::Index(_) | ReindexTarget::Table(_) if self.concurrently => {
                Some("REINDEX CONCURRENTLY")
            }
            ReindexTarget::Index(_) | ReindexTarget::Table(_) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) enum ReindexTarget {
    Index(Name),
    Table(Name),
    Schema(String),
    Database(String),
}

#[derive(Debug)]
pub(crate) struct CreateSequence {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) options: Vec<SequenceOption>,
}

#[derive(Debug)]
pub(crate) struct AlterSequence {
    pub(crate) name: Name,
    pub(crate) if_exists: bool,
    pub(crate) options: Vec<SequenceOption>,
}

#[derive(Debug)]
pub(crate) struct CreateSchema {
    /// `None`: named after the role.
    pub(crate) name: Option<String>,
    pub(crate) if_not_exists: bool,
    pub(crate) authorization: Option<RoleSpec>,
}

#[derive(Debug)]
pub(crate) struct AlterSchema {
    pub(crate) name: String,
    pub(crate) change: SchemaChange,
}

#[derive(Debug)]
pub(crate) enum SchemaChange {
    Rename(String),
    Owner(RoleSpec),
}

#[derive(Clone, Debug)]
pub(crate) struct CreateView {
    pub(crate) name: Name,
    pub(crate) or_replace: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Box<ast::Query>,
    pub(crate) options: Vec<(String, Option<String>)>,
}

/// Which word followed ALTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelationWord {
    Table,
    View,
    Index,
    Sequence,
}

#[derive(Debug)]
pub(crate) struct AlterRelation {
    pub(crate) word: RelationWord,
    pub(crate) name: Name,
    pub(crate) if_exists: bool,
    pub(crate) actions: Vec<AlterAction>,
}

#[derive(Debug)]
pub(crate) enum AlterAction {
    AddColumn {
        column: ColumnDefinition,
        if_not_exists: bool,
    },
    DropColumn {
        column: String,
        if_exists: bool,
        cascade: bool,
    },
    AlterType {
        column: String,
        ty: ColumnTypeName,
        using: Option<ast::Expr>,
    },
    SetDefault {
        column: String,
        expression: ast::Expr,
    },
    DropDefault {
        column: String,
    },
    SetNotNull {
        column: String,
    },
    DropNotNull {
        column: String,
    },
    AddIdentity {
        column: String,
        always: bool,
        options: Vec<SequenceOption>,
    },
    SetIdentity {
        column: String,
        always: Option<bool>,
        options: Vec<SequenceOption>,
    },
    DropIdentity {
        column: String,
        if_exists: bool,
    },
    DropExpression {
        column: String,
        if_exists: bool,
    },
    AddConstraint(ConstraintDefinition),
    DropConstraint {
        name: String,
        if_exists: bool,
    },
    ValidateConstraint {
        name: String,
    },
    RenameTo(String),
    RenameColumn {
        from: String,
        to: String,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    SetSchema(String),
    Owner(RoleSpec),
    SetOptions(Vec<(String, Option<String>)>),
    ResetOptions(Vec<String>),
    /// Asks for what is so anyway: SET LOGGED, SET WITHOUT CLUSTER, ...
    Nothing,
    Refused(String),
    /// It can be read, and fails when it is run.
    Wrong(Error),
}

/// What DROP drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropKind {
    Table,
    View,
    Index,
    Sequence,
    Schema,
    /// A kind of object of which there are none here, by its word.
    None(&'static str),
}

impl DropKind {
    /// The command tag of DROP.
    pub(crate) fn tag(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            DropKind::Table => "DROP TABLE",
            DropKind::View => "DROP VIEW",
            DropKind::Index => "DROP INDEX",
            DropKind::Sequence => "DROP SEQUENCE",
            DropKind::Schema => "DROP SCHEMA",
            DropKind::None("statistics object") => "DROP STATISTICS",
            DropKind::None("foreign-data wrapper") => "DROP FOREIGN DATA WRAPPER",
            DropKind::None(word) => return Cow::Owned(format!("DROP {}", word.to_uppercase())),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Drop {
    pub(crate) kind: DropKind,
    pub(crate) names: Vec<Name>,
    /// Of functions: what stands in parentheses behind each name, as PostgreSQL prints it.
    pub(crate) signatures: Vec<Option<String>>,
    pub(crate) concurrently: bool,
    pub(crate) if_exists: bool,
    pub(crate) cascade: bool,
}

#[derive(Debug)]
pub(crate) struct Truncate {
    pub(crate) names: Vec<Name>,
    pub(crate) restart_identity: bool,
}

#[derive(Debug)]
pub(crate) struct Comment {
    pub(crate) object: CommentObject,
    /// `None`: IS NULL.
    pub(crate) text: Option<String>,
}

#[derive(Debug)]
pub(crate) enum CommentObject {
    Relation { word: RelationWord, name: Name },
    Column { relation: Name, column: String },
    Constraint { name: String, relation: Name },
    Schema(String),
    Role(String),
    Database(String),
    Refused(String),
}

/// GRANT and REVOKE.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) revoke: bool,
    /// REVOKE GRANT OPTION FOR / WITH GRANT OPTION.
    pub(crate) grant_option: bool,
    /// Upper-case privilege words; empty: ALL.
    pub(crate) privileges: Vec<String>,
    pub(crate) target: GrantTarget,
    /// `None`: PUBLIC.
    pub(crate) grantees: Vec<Option<RoleSpec>>,
    pub(crate) granted_by: Option<RoleSpec>,
    /// Of REVOKE.
    pub(crate) cascade: bool,
}

#[derive(Debug)]
pub(crate) enum GrantTarget {
    Tables(Vec<Name>),
    Sequences(Vec<Name>),
    Schemas(Vec<String>),
    Databases(Vec<String>),
    AllTablesIn(Vec<String>),
    AllSequencesIn(Vec<String>),
    Refused(String),
}

/// Parses a definition, or `None` where the first word isn't one of a definition.
///
/// # Errors
/// 42601 as PostgreSQL's.
pub(crate) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Command>> {
    match command(tokens) {
        // PostgreSQL's grammar knows no types, nor what goes together, nor what isn't there yet.
        Err(error)
            if matches!(
                error.sqlstate,
                SqlState::UNDEFINED_OBJECT
                    | SqlState::DATATYPE_MISMATCH
                    | SqlState::INVALID_OBJECT_DEFINITION
                    | SqlState::INVALID_PARAMETER_VALUE
                    | SqlState::FEATURE_NOT_SUPPORTED
            ) =>
        {
            Ok(Some(Command::Wrong(error)))
        }
        read => read,
    }
}

fn command(tokens: &mut Tokens<'_>) -> Result<Option<Command>> {
    let command = if tokens.take("create") {
        object::create(tokens)?
    } else if tokens.take("alter") {
        alter::parse(tokens)?
    } else if tokens.take("drop") {
        object::drop(tokens)?
    } else if tokens.take("truncate") {
        object::truncate(tokens)?
    } else if tokens.take("comment") {
        object::comment(tokens)?
    } else if tokens.take("grant") {
        role::grant(tokens)?
    } else if tokens.take("revoke") {
        role::revoke(tokens)?
    } else if tokens.take("reassign") {
        role::reassign(tokens)?
    } else if tokens.take("reindex") {
        object::reindex(tokens)?
    } else if tokens.take("cluster") || tokens.take("refresh") {
        refused(tokens, "CLUSTER and REFRESH are not supported")
    } else if tokens.is_word(0, "merge") && tokens.is_word(1, "into") {
        refused(tokens, "MERGE is not supported; INSERT ... ON CONFLICT is")
    } else if tokens.take("do") {
        refused(tokens, "DO is not supported: there are no procedural languages")
    } else if tokens.take("call") {
        refused(tokens, "procedures are not supported")
    } else if tokens.take("load") {
        refused(tokens, "LOAD is not supported: the server loads no libraries")
    } else if tokens.is_word(0, "security") && tokens.is_word(1, "label") {
        refused(tokens, "security labels are not supported")
    } else if tokens.is_word(0, "import") && tokens.is_word(1, "foreign") {
        refused(tokens, "foreign tables are not supported")
    } else {
        return Ok(None);
    };
    if !matches!(command, Command::Refused { .. }) {
        tokens.expect_end()?;
    }
    Ok(Some(command))
}

/// Passes over the rest of a statement that is refused whatever it says.
fn skip_rest(tokens: &mut Tokens<'_>) {
    while !tokens.at_end() {
        tokens.advance();
    }
}

fn refused(tokens: &mut Tokens<'_>, message: &str) -> Command {
    skip_rest(tokens);
    Command::Refused { message: message.to_owned() }
}

/// `[[database.]schema.]name`.
fn name(tokens: &mut Tokens<'_>) -> Result<Name> {
    let mut parts = vec![tokens.column_name()?];
    while tokens.take_token(&Token::Period) {
        if parts.len() == 3 {
            return Err(tokens.unexpected());
        }
        parts.push(tokens.identifier()?);
    }
    let name = parts.pop().expect("at least one part was read");
    let schema = parts.pop();
    Ok(Name { catalog: parts.pop(), schema, name })
}

/// `name.column`.
fn column_name(tokens: &mut Tokens<'_>) -> Result<(Name, String)> {
    let mut full = name(tokens)?;
    let column = full.name;
    let Some(relation) = full.schema.take() else {
        return Err(crate::error::Error::syntax_error("column name must be qualified"));
    };
    Ok((Name { catalog: None, schema: full.catalog, name: relation }, column))
}

fn comma_separated<T>(
    tokens: &mut Tokens<'_>,
    mut read: impl FnMut(&mut Tokens<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut list = vec![read(tokens)?];
    while tokens.take_token(&Token::Comma) {
        list.push(read(tokens)?);
    }
    Ok(list)
}

fn parenthesized<T>(
    tokens: &mut Tokens<'_>,
    read: impl FnOnce(&mut Tokens<'_>) -> Result<T>,
) -> Result<T> {
    tokens.expect_token(&Token::LParen)?;
    let value = read(tokens)?;
    tokens.expect_token(&Token::RParen)?;
    Ok(value)
}

fn column_list(tokens: &mut Tokens<'_>) -> Result<Vec<String>> {
    parenthesized(tokens, |tokens| comma_separated(tokens, |tokens| tokens.identifier()))
}

fn expression(tokens: &mut Tokens<'_>) -> Result<ast::Expr> {
    tokens.with_parser(|parser| parser.parse_expr())
}

/// PostgreSQL's `b_expr`: without AND, OR, IS and NOT outside of parentheses, so that a column's
/// default may be followed by NOT NULL.
fn simple_expression(tokens: &mut Tokens<'_>) -> Result<ast::Expr> {
    use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
    let above = crate::statement::POSTGRES.prec_value(Precedence::Is);
    tokens.with_parser(|parser| parser.parse_subexpr(above))
}

fn data_type(tokens: &mut Tokens<'_>) -> Result<PgType> {
    let ty = tokens.with_parser(|parser| parser.parse_data_type())?;
    parse_type_name(&ty.to_string())
}

fn query(tokens: &mut Tokens<'_>) -> Result<Box<ast::Query>> {
    if tokens.take("table") {
        // The parser reads on behind a name without a schema.
        let text = format!("SELECT * FROM {}", name(tokens)?.quoted());
        return super::dependency::parse_query(&text);
    }
    tokens.with_parser(|parser| parser.parse_query())
}

fn if_exists(tokens: &mut Tokens<'_>) -> bool {
    tokens.take_all(&["if", "exists"])
}

fn if_not_exists(tokens: &mut Tokens<'_>) -> bool {
    tokens.take_all(&["if", "not", "exists"])
}

/// Whether CASCADE was said; RESTRICT is the default.
fn cascade(tokens: &mut Tokens<'_>) -> bool {
    let cascade = tokens.take("cascade");
    if !cascade {
        tokens.take("restrict");
    }
    cascade
}

fn integer(tokens: &mut Tokens<'_>) -> Result<i64> {
    let text = tokens.number()?;
    text.parse().map_err(|_| {
        crate::error::Error::numeric_out_of_range(format!(
            "value \"{text}\" is out of range for type bigint"
        ))
    })
}

/// `(name [= value], ...)`, as of WITH and SET.
fn options(tokens: &mut Tokens<'_>) -> Result<Vec<(String, Option<String>)>> {
    parenthesized(tokens, |tokens| {
        comma_separated(tokens, |tokens| {
            let mut key = tokens.identifier()?;
            while tokens.take_token(&Token::Period) {
                key = format!("{key}.{}", tokens.identifier()?);
            }
            let value =
                if tokens.take_token(&Token::Eq) { Some(option_value(tokens)?) } else { None };
            Ok((key, value))
        })
    })
}

/// A tablespace's name: `pg_default` is the only one in which something can be made.
fn tablespace(tokens: &mut Tokens<'_>) -> Result<()> {
    match tokens.column_name()?.as_str() {
        "pg_default" => Ok(()),
        "pg_global" => Err(Error::invalid_parameter_value(
            "only shared relations can be placed in pg_global tablespace",
        )),
        other => Err(Error::undefined_object("tablespace", other)),
    }
}

/// A table's access method: `heap` is what tables have, whatever is behind it.
fn access_method(tokens: &mut Tokens<'_>) -> Result<()> {
    match tokens.column_name()?.as_str() {
        "heap" => Ok(()),
        "btree" | "hash" | "gist" | "gin" | "spgist" | "brin" => Err(Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            "an access method of indexes is not one of tables",
        )),
        other => Err(Error::undefined_object("access method", other)),
    }
}

/// The collation behind COLLATE: text sorts by code points, other orders aren't there yet.
fn collation(tokens: &mut Tokens<'_>) -> Result<()> {
    let collation = name(tokens)?;
    match collation.name.as_str() {
        "C" | "POSIX" | "default" | "ucs_basic" => Ok(()),
        other => Err(Error::feature_not_supported(format!(
            "collation \"{other}\" is not supported: text sorts by code points"
        ))),
    }
}

/// 42804 for a type whose values have no collation.
pub(super) fn check_collatable(ty: Oid) -> Result<()> {
    match crate::types::builtin(ty) {
        Some(entry) if entry.collation == Oid(0) => Err(Error::datatype_mismatch(format!(
            "collations are not supported by type {}",
            PgType::plain(ty).name()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// `WITH (...)` of an index: PostgreSQL's parameters speak of pages that aren't there.
fn index_options(tokens: &mut Tokens<'_>) -> Result<()> {
    let Some((name, _)) = options(tokens)?.into_iter().next() else { return Ok(()) };
    match name.as_str() {
        "fillfactor" | "deduplicate_items" => Err(Error::feature_not_supported(format!(
            "storage parameter \"{name}\" of an index is not supported"
        ))),
        _ => Err(Error::invalid_parameter_value(format!("unrecognized parameter \"{name}\""))),
    }
}

fn option_value(tokens: &mut Tokens<'_>) -> Result<String> {
    match tokens.peek() {
        Token::Word(_) => tokens.identifier(),
        Token::Number(..) | Token::Minus | Token::Plus => tokens.number(),
        _ => tokens.string(),
    }
}

/// 42601 where an option is said twice.
fn conflicting_options(place: u32) -> Error {
    Error::syntax_error("conflicting or redundant options").at(place + 1)
}

/// The options of a sequence, until something else comes.
fn sequence_options(tokens: &mut Tokens<'_>) -> Result<Vec<SequenceOption>> {
    let mut list: Vec<SequenceOption> = Vec::new();
    loop {
        let place = tokens.offset();
        let option = if tokens.take("as") {
            SequenceOption::As(data_type(tokens)?)
        } else if tokens.take("increment") {
            tokens.take("by");
            SequenceOption::Increment(integer(tokens)?)
        } else if tokens.take("minvalue") {
            SequenceOption::Min(Some(integer(tokens)?))
        } else if tokens.take_all(&["no", "minvalue"]) {
            SequenceOption::Min(None)
        } else if tokens.take("maxvalue") {
            SequenceOption::Max(Some(integer(tokens)?))
        } else if tokens.take_all(&["no", "maxvalue"]) {
            SequenceOption::Max(None)
        } else if tokens.take("start") {
            tokens.take("with");
            SequenceOption::Start(integer(tokens)?)
        } else if tokens.take("restart") {
            let with = tokens.take("with");
            let valued = with || matches!(tokens.peek(), Token::Number(..) | Token::Minus);
            SequenceOption::Restart(if valued { Some(integer(tokens)?) } else { None })
        } else if tokens.take("cache") {
            SequenceOption::Cache(integer(tokens)?)
        } else if tokens.take("cycle") {
            SequenceOption::Cycle(true)
        } else if tokens.take_all(&["no", "cycle"]) {
            SequenceOption::Cycle(false)
        } else if tokens.take_all(&["owned", "by"]) {
            let none = tokens.take("none");
            SequenceOption::OwnedBy(if none { None } else { Some(column_name(tokens)?) })
        } else if tokens.take_all(&["sequence", "name"]) {
            SequenceOption::Named(name(tokens)?)
        } else {
            return Ok(list);
        };
        let kind = std::mem::discriminant(&option);
        if list.iter().any(|other| std::mem::discriminant(other) == kind) {
            list.push(SequenceOption::Twice(conflicting_options(place)));
        }
        list.push(option);
    }
}
