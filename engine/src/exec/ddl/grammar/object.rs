//! CREATE of everything but tables and roles, DROP, TRUNCATE, COMMENT.

use datafusion::sql::sqlparser::{ast, tokenizer::Token};

use super::{
    Command, Comment, CommentObject, CreateIndex, CreateSchema, CreateSequence, CreateView,
    DatabaseCommand, Drop, DropKind, IndexElement, IndexKey, Name, Reindex, ReindexTarget,
    RelationWord, Truncate, cascade, collation, column_list, column_name, comma_separated,
    expression, if_exists, if_not_exists, index_options, name, options, parenthesized, query,
    refused, role, sequence_options, skip_rest, table, tablespace,
};
use crate::{
    error::{Error, Result, SqlState},
    exec::ddl::temporary::ALIAS,
    statement::Tokens,
};

/// After CREATE.
pub(super) fn create(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.is_word(0, "unlogged") && tokens.is_word(1, "table") {
        return Ok(refused(tokens, "unlogged tables are not supported"));
    }
    if tokens.take("table") {
        return table::create(tokens);
    }
    for scope in ["global", "local"] {
        if tokens.is_word(0, scope) {
            tokens.advance();
        }
    }
    if tokens.take("temporary") || tokens.take("temp") {
        return temporary(tokens);
    }
    if tokens.take_all(&["or", "replace"]) {
        let is_temporary = tokens.take("temporary") || tokens.take("temp");
        if tokens.take("view") {
            let command = view(tokens, true)?;
            return if is_temporary { made_temporary(command) } else { Ok(command) };
        }
        return Ok(refused(tokens, "functions, procedures and triggers are not supported"));
    }
    if tokens.take("view") {
        return view(tokens, false);
    }
    if tokens.take("unique") {
        tokens.expect("index")?;
        return index(tokens, true);
    }
    if tokens.take("index") {
        return index(tokens, false);
    }
    if tokens.take("sequence") {
        let if_not_exists = if_not_exists(tokens);
        let name = name(tokens)?;
        let options = sequence_options(tokens)?;
        return Ok(Command::CreateSequence(CreateSequence { name, if_not_exists, options }));
    }
    if tokens.take("schema") {
        return schema(tokens);
    }
    if tokens.is_word(0, "user") && tokens.is_word(1, "mapping") {
        return Ok(refused(tokens, "foreign data is not supported"));
    }
    if tokens.take("user") {
        return role::create(tokens, true);
    }
    if tokens.take("role") || tokens.take("group") {
        return role::create(tokens, false);
    }
    create_refused(tokens)
}

/// After CREATE TEMPORARY.
fn temporary(tokens: &mut Tokens<'_>) -> Result<Command> {
    if !["table", "view", "sequence"].iter().any(|word| tokens.is_word(0, word)) {
        return Err(tokens.unexpected());
    }
    create(tokens).and_then(made_temporary)
}

/// The definition of the same object in the session's temporary schema.
fn made_temporary(mut command: Command) -> Result<Command> {
    let name = match &mut command {
        Command::CreateTable(create) => &mut create.name,
        Command::CreateTableAs(create) => &mut create.name,
        Command::CreateView(create) => &mut create.name,
        Command::CreateSequence(create) => &mut create.name,
        _ => return Ok(command),
    };
    match name.schema.as_deref() {
        None | Some(ALIAS) => name.schema = Some(ALIAS.to_owned()),
        Some(_) => return Ok(Command::Wrong(Error::not_temporary_schema())),
    }
    Ok(command)
}

/// After CREATE or DROP DATABASE.
fn database(tokens: &mut Tokens<'_>, drops: bool) -> Result<Command> {
    let if_exists = drops && if_exists(tokens);
    let name = tokens.identifier()?;
    skip_rest(tokens);
    Ok(Command::Database(DatabaseCommand { drops, name, if_exists }))
}

fn create_refused(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.take("database") {
        return database(tokens, false);
    }
    let kinds = [
        ("extension", "extensions are not supported"),
        ("function", "functions in SQL are not supported"),
        ("procedure", "procedures are not supported"),
        ("trigger", "triggers are not supported"),
        ("type", "CREATE TYPE is not supported"),
        ("domain", "domains are not supported"),
        ("materialized", "materialized views are not supported"),
        ("recursive", "CREATE RECURSIVE VIEW is not supported; use WITH RECURSIVE in the view"),
        ("policy", "row security policies are not supported"),
        ("rule", "rules are not supported"),
        ("aggregate", "aggregates in SQL are not supported"),
        ("operator", "operators in SQL are not supported"),
        ("cast", "casts in SQL are not supported"),
        ("collation", "collations are not supported"),
        ("publication", "logical replication is not supported"),
        ("subscription", "logical replication is not supported; SUBSCRIBE watches a query"),
        ("foreign", "foreign data is not supported"),
        ("server", "foreign data is not supported"),
        ("statistics", "extended statistics are not supported"),
        ("tablespace", "tablespaces are not supported"),
        ("text", "text search configurations are not supported"),
        ("event", "event triggers are not supported"),
        ("language", "procedural languages are not supported"),
        ("conversion", "conversions are not supported"),
        ("access", "access methods in SQL are not supported"),
        ("transform", "transforms are not supported"),
        ("constraint", "triggers are not supported"),
    ];
    for (word, message) in kinds {
        if tokens.take(word) {
            return Ok(refused(tokens, message));
        }
    }
    Err(tokens.unexpected())
}

fn view(tokens: &mut Tokens<'_>, or_replace: bool) -> Result<Command> {
    let name = name(tokens)?;
    let columns = if tokens.peek() == &Token::LParen { column_list(tokens)? } else { Vec::new() };
    let options = if tokens.take("with") { options(tokens)? } else { Vec::new() };
    tokens.expect("as")?;
    let query = query(tokens)?;
    if tokens.take("with") {
        return Ok(refused(tokens, "WITH CHECK OPTION is not supported"));
    }
    Ok(Command::CreateView(CreateView { name, or_replace, columns, query, options }))
}

/// After REINDEX.
pub(super) fn reindex(tokens: &mut Tokens<'_>) -> Result<Command> {
    let (mut concurrently, mut verbose) = (false, false);
    if tokens.peek() == &Token::LParen {
        let given = parenthesized(tokens, |tokens| {
            comma_separated(tokens, |tokens| {
                let name = tokens.identifier()?;
                let is_valued = !matches!(tokens.peek(), Token::Comma | Token::RParen);
                let value = if is_valued { Some(tokens.identifier()?) } else { None };
                Ok((name, !matches!(value.as_deref(), Some("off" | "false"))))
            })
        })?;
        for (name, on) in given {
            match name.as_str() {
                "concurrently" => concurrently = on,
                "verbose" => verbose = on,
                other => {
                    return Err(match other {
                        "tablespace" => Error::feature_not_supported(
                            "REINDEX option TABLESPACE is not supported",
                        ),
                        _ => {
                            Error::syntax_error(format!("unrecognized REINDEX option \"{other}\""))
                        }
                    });
                }
            }
        }
    }
    if tokens.is_word(0, "system") {
        return Ok(refused(tokens, "REINDEX SYSTEM is not supported"));
    }
    let words = ["index", "table", "schema", "database"];
    let Some(word) = words.into_iter().find(|word| tokens.take(word)) else {
        return Err(tokens.unexpected());
    };
    concurrently |= tokens.take("concurrently");
    let target = match word {
        "index" => ReindexTarget::Index(name(tokens)?),
        "table" => ReindexTarget::Table(name(tokens)?),
        "schema" => ReindexTarget::Schema(tokens.column_name()?),
        _ => ReindexTarget::Database(tokens.column_name()?),
    };
    Ok(Command::Reindex(Reindex { target, concurrently, verbose }))
}

fn index(tokens: &mut Tokens<'_>, unique: bool) -> Result<Command> {
    // An index is built under a lock either way.
    let concurrently = tokens.take("concurrently");
    let if_not_exists = if_not_exists(tokens);
    let is_nameless = tokens.is_word(0, "on");
    if is_nameless && if_not_exists {
        return Err(tokens.unexpected());
    }
    let name = if is_nameless { None } else { Some(tokens.column_name()?) };
    tokens.expect("on")?;
    tokens.take("only");
    let table = super::name(tokens)?;
    let method = if tokens.take("using") { tokens.identifier()? } else { "btree".to_owned() };
    let mut create = CreateIndex {
        name,
        table,
        if_not_exists,
        unique,
        concurrently,
        method,
        columns: parenthesized(tokens, |tokens| comma_separated(tokens, index_element))?,
        included: Vec::new(),
        nulls_distinct: true,
        predicate: None,
    };
    if tokens.take("include") {
        create.included = column_list(tokens)?;
    }
    if tokens.take_all(&["nulls", "not", "distinct"]) {
        create.nulls_distinct = false;
    } else {
        tokens.take_all(&["nulls", "distinct"]);
    }
    if tokens.take("with") {
        index_options(tokens)?;
    }
    if tokens.take("tablespace") {
        tablespace(tokens)?;
    }
    if tokens.take("where") {
        create.predicate = Some(Box::new(expression(tokens)?));
    }
    Ok(Command::CreateIndex(create))
}

fn index_element(tokens: &mut Tokens<'_>) -> Result<IndexElement> {
    let is_expression = !matches!(tokens.peek(), Token::Word(_))
        || matches!(tokens.peek_at(1), Token::LParen | Token::DoubleColon);
    let key = match is_expression {
        true => index_key(expression(tokens)?),
        false => IndexKey::Column(tokens.column_name()?),
    };
    let collated = tokens.take("collate");
    if collated {
        collation(tokens)?;
    }
    let follows = ["asc", "desc", "nulls"].iter().any(|word| tokens.is_word(0, word));
    let is_class = !follows && matches!(tokens.peek(), Token::Word(_));
    let class = is_class.then(|| operator_class(tokens)).transpose()?;
    let descending = tokens.take("desc");
    if !descending {
        tokens.take("asc");
    }
    let nulls_first = if tokens.take_all(&["nulls", "first"]) {
        Some(true)
    } else if tokens.take_all(&["nulls", "last"]) {
        Some(false)
    } else {
        None
    };
    Ok(IndexElement { key, collated, class, descending, nulls_first })
}

/// The default operator classes are what there is; those for patterns order as they do, since text
/// sorts by code points.
fn operator_class(tokens: &mut Tokens<'_>) -> Result<String> {
    const KNOWN: &[&str] = &[
        "bool_ops",
        "bpchar_ops",
        "bpchar_pattern_ops",
        "bytea_ops",
        "date_ops",
        "float4_ops",
        "float8_ops",
        "int2_ops",
        "int4_ops",
        "int8_ops",
        "interval_ops",
        "jsonb_ops",
        "name_ops",
        "numeric_ops",
        "oid_ops",
        "text_ops",
        "text_pattern_ops",
        "time_ops",
        "timestamp_ops",
        "timestamptz_ops",
        "timetz_ops",
        "uuid_ops",
        "varchar_ops",
        "varchar_pattern_ops",
    ];
    let class = name(tokens)?;
    if KNOWN.contains(&class.name.as_str()) {
        return Ok(class.name);
    }
    Err(Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("operator class \"{class}\" does not exist for access method \"btree\""),
    ))
}

/// A column in parentheses is a column.
fn index_key(expression: ast::Expr) -> IndexKey {
    let mut inner = expression;
    while let ast::Expr::Nested(next) = inner {
        inner = *next;
    }
    match inner {
        ast::Expr::Identifier(ident) if ident.quote_style.is_some() => {
            IndexKey::Column(ident.value)
        }
        ast::Expr::Identifier(ident) => IndexKey::Column(ident.value.to_lowercase()),
        other => IndexKey::Expression(Box::new(other)),
    }
}

fn schema(tokens: &mut Tokens<'_>) -> Result<Command> {
    let if_not_exists = if_not_exists(tokens);
    let name = if tokens.is_word(0, "authorization") { None } else { Some(tokens.column_name()?) };
    let authorization =
        if tokens.take("authorization") { Some(role::role_spec(tokens)?) } else { None };
    if !tokens.at_end() {
        return Ok(refused(tokens, "CREATE SCHEMA with elements is not supported"));
    }
    Ok(Command::CreateSchema(CreateSchema { name, if_not_exists, authorization }))
}

/// After DROP.
pub(super) fn drop(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.take_all(&["owned", "by"]) {
        let roles = comma_separated(tokens, role::role_spec)?;
        let cascade = cascade(tokens);
        return Ok(Command::DropOwned { roles, cascade });
    }
    if tokens.is_word(0, "user") && tokens.is_word(1, "mapping") {
        return Ok(refused(tokens, "foreign data is not supported"));
    }
    if tokens.take("role") || tokens.take("user") || tokens.take("group") {
        return role::drop(tokens);
    }
    if tokens.take("database") {
        return database(tokens, true);
    }
    for (word, message) in [
        ("cast", "casts in SQL are not supported"),
        ("operator", "operators in SQL are not supported"),
        ("transform", "transforms are not supported"),
    ] {
        if tokens.take(word) {
            return Ok(refused(tokens, message));
        }
    }
    let Some(kind) = drop_kind(tokens) else { return Err(tokens.unexpected()) };
    let concurrently = kind == DropKind::Index && tokens.take("concurrently");
    let if_exists = if_exists(tokens);
    let named = comma_separated(tokens, |tokens| Ok((name(tokens)?, signature(tokens, kind)?)))?;
    let (names, signatures) = named.into_iter().unzip();
    let cascade = cascade(tokens);
    Ok(Command::Drop(Drop { kind, names, signatures, concurrently, if_exists, cascade }))
}

fn drop_kind(tokens: &mut Tokens<'_>) -> Option<DropKind> {
    let kinds = [
        (&["table"][..], DropKind::Table),
        (&["view"], DropKind::View),
        (&["index"], DropKind::Index),
        (&["sequence"], DropKind::Sequence),
        (&["schema"], DropKind::Schema),
        (&["materialized", "view"], DropKind::None("materialized view")),
        (&["foreign", "table"], DropKind::None("foreign table")),
        (&["type"], DropKind::None("type")),
        (&["domain"], DropKind::None("domain")),
        (&["extension"], DropKind::None("extension")),
        (&["function"], DropKind::None("function")),
        (&["procedure"], DropKind::None("procedure")),
        (&["routine"], DropKind::None("routine")),
        (&["aggregate"], DropKind::None("aggregate")),
        (&["trigger"], DropKind::None("trigger")),
        (&["policy"], DropKind::None("policy")),
        (&["rule"], DropKind::None("rule")),
        (&["publication"], DropKind::None("publication")),
        (&["subscription"], DropKind::None("subscription")),
        (&["statistics"], DropKind::None("statistics object")),
        (&["collation"], DropKind::None("collation")),
        (&["server"], DropKind::None("server")),
        (&["tablespace"], DropKind::None("tablespace")),
        (&["language"], DropKind::None("language")),
        (&["procedural", "language"], DropKind::None("language")),
        (&["event", "trigger"], DropKind::None("event trigger")),
        (&["foreign", "data", "wrapper"], DropKind::None("foreign-data wrapper")),
        (&["conversion"], DropKind::None("conversion")),
        (&["access", "method"], DropKind::None("access method")),
        (&["text", "search", "configuration"], DropKind::None("text search configuration")),
        (&["text", "search", "dictionary"], DropKind::None("text search dictionary")),
        (&["text", "search", "parser"], DropKind::None("text search parser")),
        (&["text", "search", "template"], DropKind::None("text search template")),
    ];
    kinds.into_iter().find(|(words, _)| tokens.take_all(words)).map(|(_, kind)| kind)
}

/// `(integer, text)` after a function's name, `table` of `ON table` after a trigger's.
fn signature(tokens: &mut Tokens<'_>, kind: DropKind) -> Result<Option<String>> {
    let DropKind::None(word) = kind else { return Ok(None) };
    if tokens.take("on") {
        return Ok(Some(name(tokens)?.to_string()));
    }
    if !tokens.take_token(&Token::LParen) {
        return Ok(None);
    }
    if tokens.take_token(&Token::RParen) {
        return Ok(Some(String::new()));
    }
    if !is_function(word) {
        return Err(tokens.unexpected());
    }
    let types = comma_separated(tokens, super::data_type)?;
    tokens.expect_token(&Token::RParen)?;
    let names: Vec<String> = types.into_iter().map(|ty| ty.name()).collect();
    Ok(Some(names.join(",")))
}

/// Whether objects of a kind go by their arguments as well.
pub(crate) fn is_function(word: &str) -> bool {
    matches!(word, "function" | "procedure" | "routine" | "aggregate")
}

/// After TRUNCATE.
pub(super) fn truncate(tokens: &mut Tokens<'_>) -> Result<Command> {
    tokens.take("table");
    let names = comma_separated(tokens, |tokens| {
        tokens.take("only");
        let name = name(tokens)?;
        tokens.take_token(&Token::Mul);
        Ok(name)
    })?;
    let restart_identity = tokens.take_all(&["restart", "identity"]);
    if !restart_identity {
        tokens.take_all(&["continue", "identity"]);
    }
    // Without effect: nothing refers to rows of other tables.
    cascade(tokens);
    Ok(Command::Truncate(Truncate { names, restart_identity }))
}

/// After COMMENT.
pub(super) fn comment(tokens: &mut Tokens<'_>) -> Result<Command> {
    tokens.expect("on")?;
    let relation = |word: RelationWord, name: Name| CommentObject::Relation { word, name };
    let object = if tokens.take("table") {
        relation(RelationWord::Table, name(tokens)?)
    } else if tokens.take("view") {
        relation(RelationWord::View, name(tokens)?)
    } else if tokens.take("index") {
        relation(RelationWord::Index, name(tokens)?)
    } else if tokens.take("sequence") {
        relation(RelationWord::Sequence, name(tokens)?)
    } else if tokens.take("column") {
        let (relation, column) = column_name(tokens)?;
        CommentObject::Column { relation, column }
    } else if tokens.take("constraint") {
        let constraint = tokens.column_name()?;
        tokens.expect("on")?;
        if tokens.take("domain") {
            name(tokens)?;
            CommentObject::Refused("domains are not supported".to_owned())
        } else {
            CommentObject::Constraint { name: constraint, relation: name(tokens)? }
        }
    } else if tokens.take("schema") {
        CommentObject::Schema(tokens.column_name()?)
    } else if tokens.take("role") {
        CommentObject::Role(tokens.identifier()?)
    } else if tokens.take("database") {
        CommentObject::Database(tokens.column_name()?)
    } else {
        return Ok(refused(tokens, "COMMENT ON this kind of object is not supported"));
    };
    tokens.expect("is")?;
    let text = if tokens.take("null") { None } else { Some(tokens.string()?) };
    Ok(Command::Comment(Comment { object, text: text.filter(|text| !text.is_empty()) }))
}
