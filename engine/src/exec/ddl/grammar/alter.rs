//! ALTER.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{
    AlterAction, AlterRelation, AlterSchema, AlterSequence, Command, RelationWord, SchemaChange,
    SequenceOption, access_method, cascade, comma_separated, expression, if_exists, if_not_exists,
    integer, name, options, refused, role, sequence_options, table, tablespace,
};
use crate::{
    error::{Error, Result},
    statement::Tokens,
};

/// After ALTER.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.take("table") {
        if tokens.take_all(&["all", "in", "tablespace"]) {
            return Ok(refused(tokens, "tablespaces are not supported"));
        }
        return relation(tokens, RelationWord::Table);
    }
    if tokens.take("view") {
        return relation(tokens, RelationWord::View);
    }
    if tokens.take("index") {
        return relation(tokens, RelationWord::Index);
    }
    if tokens.take("sequence") {
        return sequence(tokens);
    }
    if tokens.take("schema") {
        return schema(tokens);
    }
    if tokens.is_word(0, "user") && tokens.is_word(1, "mapping") {
        return Ok(refused(tokens, "foreign data is not supported"));
    }
    if tokens.take("role") || tokens.take("user") {
        return role::alter(tokens);
    }
    if tokens.take("group") {
        return role::alter_group(tokens);
    }
    if tokens.take("system") {
        return role::alter_system(tokens);
    }
    if tokens.take("database") {
        return role::alter_database(tokens);
    }
    if tokens.take_all(&["default", "privileges"]) {
        return Ok(refused(tokens, "ALTER DEFAULT PRIVILEGES is not supported"));
    }
    let others = [
        "type",
        "domain",
        "extension",
        "function",
        "procedure",
        "routine",
        "aggregate",
        "trigger",
        "policy",
        "rule",
        "publication",
        "subscription",
        "statistics",
        "collation",
        "operator",
        "foreign",
        "server",
        "tablespace",
        "text",
        "event",
        "language",
        "conversion",
        "materialized",
        "large",
    ];
    if others.iter().any(|word| tokens.is_word(0, word)) {
        return Ok(refused(tokens, "ALTER of this kind of object is not supported"));
    }
    Err(tokens.unexpected())
}

fn relation(tokens: &mut Tokens<'_>, word: RelationWord) -> Result<Command> {
    let if_exists = if_exists(tokens);
    tokens.take("only");
    let name = name(tokens)?;
    tokens.take_token(&Token::Mul);
    let actions = if tokens.is_word(0, "rename") {
        vec![rename(tokens)?]
    } else {
        comma_separated(tokens, action)?
    };
    Ok(Command::AlterRelation(AlterRelation { word, name, if_exists, actions }))
}

fn rename(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    tokens.expect("rename")?;
    if tokens.take("to") {
        return Ok(AlterAction::RenameTo(tokens.column_name()?));
    }
    if tokens.take("constraint") {
        let from = tokens.column_name()?;
        tokens.expect("to")?;
        return Ok(AlterAction::RenameConstraint { from, to: tokens.column_name()? });
    }
    tokens.take("column");
    let from = tokens.column_name()?;
    tokens.expect("to")?;
    Ok(AlterAction::RenameColumn { from, to: tokens.column_name()? })
}

fn action(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if tokens.take("add") {
        add(tokens)
    } else if tokens.take("drop") {
        drop(tokens)
    } else if tokens.take("alter") {
        alter_column(tokens)
    } else if tokens.take("validate") {
        tokens.expect("constraint")?;
        Ok(AlterAction::ValidateConstraint { name: tokens.column_name()? })
    } else if tokens.take_all(&["owner", "to"]) {
        Ok(AlterAction::Owner(role::role_spec(tokens)?))
    } else if tokens.take("set") {
        set(tokens)
    } else if tokens.take("reset") {
        let given = options(tokens)?;
        if given.iter().any(|(_, value)| value.is_some()) {
            return Ok(AlterAction::Wrong(Error::syntax_error(
                "RESET must not include values for parameters",
            )));
        }
        Ok(AlterAction::ResetOptions(given.into_iter().map(|(name, _)| name).collect()))
    } else {
        rarely_used(tokens)
    }
}

fn add(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if table::starts_constraint(tokens) {
        return Ok(AlterAction::AddConstraint(table::table_constraint(tokens)?));
    }
    tokens.take("column");
    let if_not_exists = if_not_exists(tokens);
    Ok(AlterAction::AddColumn { column: table::column(tokens)?, if_not_exists })
}

fn drop(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if tokens.take("constraint") {
        let if_exists = if_exists(tokens);
        let name = tokens.column_name()?;
        // Without effect: nothing depends on a constraint.
        cascade(tokens);
        return Ok(AlterAction::DropConstraint { name, if_exists });
    }
    tokens.take("column");
    let if_exists = if_exists(tokens);
    let column = tokens.column_name()?;
    Ok(AlterAction::DropColumn { column, if_exists, cascade: cascade(tokens) })
}

fn alter_column(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if tokens.take("constraint") {
        return Ok(AlterAction::Refused("deferrable constraints are not supported".to_owned()));
    }
    tokens.take("column");
    if matches!(tokens.peek(), Token::Number(..)) {
        integer(tokens)?;
        tokens.expect("set")?;
        tokens.expect("statistics")?;
        integer(tokens)?;
        return Ok(AlterAction::Refused("statistics targets are not supported".to_owned()));
    }
    let column = tokens.column_name()?;
    if tokens.take("type") || tokens.take_all(&["set", "data", "type"]) {
        let ty = table::column_type(tokens)?;
        if tokens.take("collate")
            && let Err(error) = table::collation_of(tokens, &ty)
        {
            return Ok(AlterAction::Wrong(error));
        }
        let using = if tokens.take("using") { Some(expression(tokens)?) } else { None };
        return Ok(AlterAction::AlterType { column, ty, using });
    }
    if tokens.take_all(&["set", "default"]) {
        return Ok(AlterAction::SetDefault { column, expression: expression(tokens)? });
    }
    if tokens.take_all(&["drop", "default"]) {
        return Ok(AlterAction::DropDefault { column });
    }
    if tokens.take_all(&["set", "not", "null"]) {
        return Ok(AlterAction::SetNotNull { column });
    }
    if tokens.take_all(&["drop", "not", "null"]) {
        return Ok(AlterAction::DropNotNull { column });
    }
    if tokens.take_all(&["add", "generated"]) {
        return match table::generated(tokens)? {
            super::ColumnConstraint::Identity { always, options } => {
                Ok(AlterAction::AddIdentity { column, always, options })
            }
            _ => Err(tokens.unexpected()),
        };
    }
    if tokens.take_all(&["drop", "identity"]) {
        return Ok(AlterAction::DropIdentity { column, if_exists: if_exists(tokens) });
    }
    if tokens.take_all(&["drop", "expression"]) {
        return Ok(AlterAction::DropExpression { column, if_exists: if_exists(tokens) });
    }
    match column_storage(tokens)? {
        Some(action) => Ok(action),
        None => set_identity(tokens, column),
    }
}

/// How PostgreSQL keeps a column and what it knows about it, of which only the defaults are so.
fn column_storage(tokens: &mut Tokens<'_>) -> Result<Option<AlterAction>> {
    let refused = |message: &str| Ok(Some(AlterAction::Refused(message.to_owned())));
    if tokens.take_all(&["set", "statistics"]) {
        return match tokens.number()?.as_str() {
            "-1" => Ok(Some(AlterAction::Nothing)),
            _ => refused("statistics targets of columns are not supported"),
        };
    }
    if tokens.take_all(&["set", "storage"]) {
        tokens.column_name()?;
        return refused("storage modes of columns are not supported");
    }
    if tokens.take_all(&["set", "compression"]) {
        return match tokens.identifier()?.as_str() {
            "default" => Ok(Some(AlterAction::Nothing)),
            _ => refused("compression methods of columns are not supported"),
        };
    }
    let options_follow = tokens.is_word(0, "set") && tokens.peek_at(1) == &Token::LParen;
    if options_follow || tokens.is_word(0, "reset") {
        tokens.advance();
        options(tokens)?;
        return refused("options of columns are not supported");
    }
    Ok(None)
}

/// `SET GENERATED ...`, `SET <sequence option>`, `RESTART`: any number of them.
fn set_identity(tokens: &mut Tokens<'_>, column: String) -> Result<AlterAction> {
    let (mut always, mut options, mut any) = (None, Vec::new(), false);
    loop {
        if tokens.take_all(&["set", "generated"]) {
            always = Some(tokens.take("always"));
            if always == Some(false) {
                tokens.expect("by")?;
                tokens.expect("default")?;
            }
        } else if tokens.take("set") || tokens.is_word(0, "restart") {
            let mut list = sequence_options(tokens)?;
            if list.is_empty() {
                return Err(tokens.unexpected());
            }
            options.append(&mut list);
        } else if any {
            return Ok(AlterAction::SetIdentity { column, always, options });
        } else {
            return Err(tokens.unexpected());
        }
        any = true;
    }
}

fn set(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if tokens.take("schema") {
        return Ok(AlterAction::SetSchema(tokens.column_name()?));
    }
    if tokens.peek() == &Token::LParen {
        return Ok(AlterAction::SetOptions(options(tokens)?));
    }
    if tokens.take("logged") || tokens.take_all(&["without", "cluster"]) {
        return Ok(AlterAction::Nothing);
    }
    if tokens.take("unlogged") {
        return Ok(AlterAction::Refused("unlogged tables are not supported".to_owned()));
    }
    let checked: Result<()> = if tokens.take("tablespace") {
        tablespace(tokens)
    } else if tokens.take_all(&["access", "method"]) {
        access_method(tokens)
    } else {
        return Err(tokens.unexpected());
    };
    Ok(checked.map_or_else(AlterAction::Wrong, |()| AlterAction::Nothing))
}

fn rarely_used(tokens: &mut Tokens<'_>) -> Result<AlterAction> {
    if tokens.take_all(&["cluster", "on"]) {
        tokens.column_name()?;
        return Ok(AlterAction::Refused("CLUSTER is not supported".to_owned()));
    }
    let refused = [
        ("inherit", "table inheritance is not supported"),
        ("no", "table inheritance is not supported"),
        ("attach", "partitioned tables are not supported"),
        ("detach", "partitioned tables are not supported"),
        ("enable", "triggers, rules and row security are not supported"),
        ("disable", "triggers, rules and row security are not supported"),
        ("force", "row security policies are not supported"),
        ("of", "typed tables are not supported"),
        ("not", "typed tables are not supported"),
        ("depends", "extensions are not supported"),
    ];
    for (word, message) in refused {
        if tokens.take(word) {
            while !tokens.at_end() {
                tokens.advance();
            }
            return Ok(AlterAction::Refused(message.to_owned()));
        }
    }
    if tokens.take_all(&["replica", "identity"]) {
        let is_default = tokens.take("default");
        if tokens.take_all(&["using", "index"]) {
            tokens.column_name()?;
        } else if !is_default && !tokens.take("full") {
            tokens.expect("nothing")?;
        }
        return Ok(match is_default {
            true => AlterAction::Nothing,
            false => AlterAction::Refused(
                "REPLICA IDENTITY other than DEFAULT is not supported".to_owned(),
            ),
        });
    }
    Err(tokens.unexpected())
}

fn sequence(tokens: &mut Tokens<'_>) -> Result<Command> {
    let if_exists = if_exists(tokens);
    let name = name(tokens)?;
    let actions = if tokens.is_word(0, "rename") {
        vec![rename(tokens)?]
    } else if tokens.take_all(&["owner", "to"]) {
        vec![AlterAction::Owner(role::role_spec(tokens)?)]
    } else if tokens.take_all(&["set", "schema"]) {
        vec![AlterAction::SetSchema(tokens.column_name()?)]
    } else {
        let options: Vec<SequenceOption> = sequence_options(tokens)?;
        if options.is_empty() {
            return Err(tokens.unexpected());
        }
        return Ok(Command::AlterSequence(AlterSequence { name, if_exists, options }));
    };
    let word = RelationWord::Sequence;
    Ok(Command::AlterRelation(AlterRelation { word, name, if_exists, actions }))
}

fn schema(tokens: &mut Tokens<'_>) -> Result<Command> {
    let name = tokens.column_name()?;
    let change = if tokens.take_all(&["rename", "to"]) {
        SchemaChange::Rename(tokens.column_name()?)
    } else {
        tokens.expect("owner")?;
        tokens.expect("to")?;
        SchemaChange::Owner(role::role_spec(tokens)?)
    };
    Ok(Command::AlterSchema(AlterSchema { name, change }))
}
