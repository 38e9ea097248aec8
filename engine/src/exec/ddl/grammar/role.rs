//! Roles, GRANT and REVOKE, ALTER SYSTEM.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{
    Command, Grant, GrantTarget, cascade, comma_separated, conflicting_options, if_exists, name,
    option_value, refused,
};
use crate::{
    error::{Error, Result},
    statement::Tokens,
};

/// A role as a statement may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleSpec {
    Name(String),
    CurrentUser,
    SessionUser,
}

/// What is said about a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleAttribute {
    Superuser(bool),
    CreateDb(bool),
    CreateRole(bool),
    Inherit(bool),
    Login(bool),
    Replication(bool),
    BypassRls(bool),
    ConnectionLimit(i32),
    /// `None`: PASSWORD NULL.
    Password(Option<String>),
    ValidUntil(String),
    /// CREATE ROLE ... IN ROLE
    InRoles(Vec<RoleSpec>),
    /// CREATE ROLE ... ROLE / ALTER GROUP ADD USER
    Members(Vec<RoleSpec>),
    /// CREATE ROLE ... ADMIN
    Admins(Vec<RoleSpec>),
    /// SYSID, which has no meaning since long.
    SystemId,
}

/// A statement about roles.
#[derive(Debug)]
pub(crate) enum RoleCommand {
    Create {
        name: String,
        attributes: Vec<RoleAttribute>,
        if_not_exists: bool,
    },
    Alter {
        role: RoleSpec,
        change: RoleChange,
    },
    Drop {
        names: Vec<RoleSpec>,
        if_exists: bool,
        cascade: bool,
    },
    /// GRANT and REVOKE of roles.
    Grant {
        roles: Vec<String>,
        members: Vec<RoleSpec>,
        admin_option: bool,
        granted_by: Option<RoleSpec>,
    },
    Revoke {
        roles: Vec<String>,
        members: Vec<RoleSpec>,
        admin_option_only: bool,
        granted_by: Option<RoleSpec>,
    },
    /// ALTER GROUP.
    Group {
        group: String,
        members: Vec<RoleSpec>,
        add: bool,
    },
    System {
        name: String,
        value: Option<String>,
    },
    SystemResetAll,
    DatabaseOwner {
        database: String,
        owner: RoleSpec,
    },
}

impl RoleCommand {
    /// The command tag.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            RoleCommand::Create { .. } => "CREATE ROLE",
            RoleCommand::Alter { .. } | RoleCommand::Group { .. } => "ALTER ROLE",
            RoleCommand::Drop { .. } => "DROP ROLE",
            RoleCommand::Grant { .. } => "GRANT ROLE",
            RoleCommand::Revoke { .. } => "REVOKE ROLE",
            RoleCommand::System { .. } | RoleCommand::SystemResetAll => "ALTER SYSTEM",
            RoleCommand::DatabaseOwner { .. } => "ALTER DATABASE",
        }
    }
}

/// ALTER ROLE.
#[derive(Debug)]
pub(crate) enum RoleChange {
    Attributes(Vec<RoleAttribute>),
    Rename(String),
    /// `None`: TO DEFAULT, or RESET.
    Set {
        name: String,
        value: Option<String>,
    },
    ResetAll,
}

/// A role's name, CURRENT_USER and its like.
pub(super) fn role_spec(tokens: &mut Tokens<'_>) -> Result<RoleSpec> {
    if tokens.take("current_user") || tokens.take("current_role") {
        return Ok(RoleSpec::CurrentUser);
    }
    if tokens.take("session_user") {
        return Ok(RoleSpec::SessionUser);
    }
    let quoted = matches!(tokens.peek(), Token::Word(word) if word.quote_style.is_some());
    let name = tokens.identifier()?;
    if !quoted {
        check_reserved(&name)?;
    }
    Ok(RoleSpec::Name(name))
}

fn check_reserved(name: &str) -> Result<()> {
    if name == "public" || name == "none" {
        return Err(Error::new(
            crate::error::SqlState::RESERVED_NAME,
            format!("role name \"{name}\" is reserved"),
        ));
    }
    Ok(())
}

/// After CREATE {ROLE | USER | GROUP}.
pub(super) fn create(tokens: &mut Tokens<'_>, user: bool) -> Result<Command> {
    let if_not_exists = super::if_not_exists(tokens);
    let name = match role_spec(tokens)? {
        RoleSpec::Name(name) => name,
        RoleSpec::CurrentUser => return Err(reserved_word("CURRENT_USER")),
        RoleSpec::SessionUser => return Err(reserved_word("SESSION_USER")),
    };
    tokens.take("with");
    let (said, wrong) = attributes(tokens, true)?;
    if let Some(error) = wrong {
        return Ok(Command::Wrong(error));
    }
    let mut list = vec![RoleAttribute::Login(user)];
    list.extend(said);
    Ok(Command::Role(RoleCommand::Create { name, attributes: list, if_not_exists }))
}

fn reserved_word(word: &str) -> Error {
    Error::new(
        crate::error::SqlState::RESERVED_NAME,
        format!("{word} cannot be used as a role name here"),
    )
}

/// What is said about a role, and what is wrong with that when it runs.
type Attributes = (Vec<RoleAttribute>, Option<Error>);

fn attributes(tokens: &mut Tokens<'_>, creating: bool) -> Result<Attributes> {
    let (mut list, mut wrong) = (Vec::new(), None);
    let mut place = tokens.offset();
    while let Some(attribute) = attribute(tokens, creating)? {
        let kind = std::mem::discriminant(&attribute);
        if list.iter().any(|other| std::mem::discriminant(other) == kind) {
            wrong.get_or_insert(conflicting_options(place));
        }
        list.push(attribute);
        place = tokens.offset();
    }
    if tokens.at_end() { Ok((list, wrong)) } else { Err(unrecognized(tokens)) }
}

fn unrecognized(tokens: &Tokens<'_>) -> Error {
    match tokens.peek() {
        Token::Word(word) => {
            let word = word.value.to_lowercase();
            Error::syntax_error(format!("unrecognized role option \"{word}\""))
        }
        _ => tokens.unexpected(),
    }
}

type Flag = fn(bool) -> RoleAttribute;

const FLAGS: &[(&str, &str, Flag)] = &[
    ("superuser", "nosuperuser", RoleAttribute::Superuser),
    ("createdb", "nocreatedb", RoleAttribute::CreateDb),
    ("createrole", "nocreaterole", RoleAttribute::CreateRole),
    ("inherit", "noinherit", RoleAttribute::Inherit),
    ("login", "nologin", RoleAttribute::Login),
    ("replication", "noreplication", RoleAttribute::Replication),
    ("bypassrls", "nobypassrls", RoleAttribute::BypassRls),
    ("createuser", "nocreateuser", RoleAttribute::CreateRole),
];

fn attribute(tokens: &mut Tokens<'_>, creating: bool) -> Result<Option<RoleAttribute>> {
    for (yes, no, make) in FLAGS {
        if tokens.take(yes) {
            return Ok(Some(make(true)));
        }
        if tokens.take(no) {
            return Ok(Some(make(false)));
        }
    }
    let attribute = if tokens.take_all(&["connection", "limit"]) {
        let text = tokens.number()?;
        let limit = text.parse().ok().filter(|limit| *limit >= -1).ok_or_else(|| {
            Error::invalid_parameter_value(format!("invalid connection limit: {text}"))
        })?;
        RoleAttribute::ConnectionLimit(limit)
    } else if tokens.take_all(&["valid", "until"]) {
        RoleAttribute::ValidUntil(tokens.string()?)
    } else if tokens.is_word(0, "password") || tokens.is_word(0, "encrypted") {
        tokens.take("encrypted");
        tokens.expect("password")?;
        let null = tokens.take("null");
        RoleAttribute::Password(if null { None } else { Some(tokens.string()?) })
    } else if creating && (tokens.take_all(&["in", "role"]) || tokens.take_all(&["in", "group"])) {
        RoleAttribute::InRoles(comma_separated(tokens, role_spec)?)
    } else if creating && (tokens.take("role") || tokens.take("user")) {
        RoleAttribute::Members(comma_separated(tokens, role_spec)?)
    } else if creating && tokens.take("admin") {
        RoleAttribute::Admins(comma_separated(tokens, role_spec)?)
    } else if creating && tokens.take("sysid") {
        tokens.number()?;
        RoleAttribute::SystemId
    } else {
        return Ok(None);
    };
    Ok(Some(attribute))
}

/// After ALTER {ROLE | USER}.
pub(super) fn alter(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.take("all") {
        return Ok(refused(tokens, "ALTER ROLE ALL is not supported"));
    }
    let role = role_spec(tokens)?;
    if tokens.take_all(&["in", "database"]) {
        return Ok(refused(tokens, "settings of a role in one database are not supported"));
    }
    let change = if tokens.take_all(&["rename", "to"]) {
        RoleChange::Rename(tokens.identifier()?)
    } else if tokens.take("set") {
        let (name, value) = assignment(tokens)?;
        RoleChange::Set { name, value }
    } else if tokens.take("reset") {
        if tokens.take("all") {
            RoleChange::ResetAll
        } else {
            RoleChange::Set { name: setting_name(tokens)?, value: None }
        }
    } else {
        tokens.take("with");
        match attributes(tokens, false)? {
            (_, Some(error)) => return Ok(Command::Wrong(error)),
            (list, None) => RoleChange::Attributes(list),
        }
    };
    Ok(Command::Role(RoleCommand::Alter { role, change }))
}

/// After ALTER GROUP.
pub(super) fn alter_group(tokens: &mut Tokens<'_>) -> Result<Command> {
    let role = role_spec(tokens)?;
    if tokens.take_all(&["rename", "to"]) {
        let change = RoleChange::Rename(tokens.identifier()?);
        return Ok(Command::Role(RoleCommand::Alter { role, change }));
    }
    let add = tokens.take("add");
    if !add {
        tokens.expect("drop")?;
    }
    tokens.expect("user")?;
    let members = comma_separated(tokens, role_spec)?;
    let RoleSpec::Name(group) = role else { return Err(tokens.unexpected()) };
    Ok(Command::Role(RoleCommand::Group { group, members, add }))
}

/// After ALTER SYSTEM.
pub(super) fn alter_system(tokens: &mut Tokens<'_>) -> Result<Command> {
    if tokens.take("reset") {
        if tokens.take("all") {
            return Ok(Command::Role(RoleCommand::SystemResetAll));
        }
        let name = setting_name(tokens)?;
        return Ok(Command::Role(RoleCommand::System { name, value: None }));
    }
    tokens.expect("set")?;
    let (name, value) = assignment(tokens)?;
    Ok(Command::Role(RoleCommand::System { name, value }))
}

/// After ALTER DATABASE.
pub(super) fn alter_database(tokens: &mut Tokens<'_>) -> Result<Command> {
    let database = tokens.identifier()?;
    if tokens.take_all(&["owner", "to"]) {
        let owner = role_spec(tokens)?;
        return Ok(Command::Role(RoleCommand::DatabaseOwner { database, owner }));
    }
    Ok(refused(tokens, "ALTER DATABASE can only change the owner"))
}

/// `name { = | TO } { value [, ...] | DEFAULT }`.
fn assignment(tokens: &mut Tokens<'_>) -> Result<(String, Option<String>)> {
    let name = if tokens.take_all(&["time", "zone"]) {
        "timezone".to_owned()
    } else {
        let name = setting_name(tokens)?;
        if !tokens.take("to") {
            tokens.expect_token(&Token::Eq)?;
        }
        name
    };
    if tokens.take("default") {
        return Ok((name, None));
    }
    let values = comma_separated(tokens, option_value)?;
    Ok((name, Some(values.join(", "))))
}

fn setting_name(tokens: &mut Tokens<'_>) -> Result<String> {
    let mut name = tokens.identifier()?;
    while tokens.take_token(&Token::Period) {
        name = format!("{name}.{}", tokens.identifier()?);
    }
    Ok(name.to_lowercase())
}

/// After DROP {ROLE | USER | GROUP}.
pub(super) fn drop(tokens: &mut Tokens<'_>) -> Result<Command> {
    let if_exists = if_exists(tokens);
    let names = comma_separated(tokens, role_spec)?;
    let cascade = cascade(tokens);
    Ok(Command::Role(RoleCommand::Drop { names, if_exists, cascade }))
}

/// After REASSIGN.
pub(super) fn reassign(tokens: &mut Tokens<'_>) -> Result<Command> {
    tokens.expect("owned")?;
    tokens.expect("by")?;
    let from = comma_separated(tokens, role_spec)?;
    tokens.expect("to")?;
    Ok(Command::ReassignOwned { from, to: role_spec(tokens)? })
}

/// After GRANT.
pub(super) fn grant(tokens: &mut Tokens<'_>) -> Result<Command> {
    let privileges = match privileges(tokens)? {
        Privileges::Refused => return Ok(refused(tokens, COLUMN_PRIVILEGES)),
        Privileges::Words(words) => words,
    };
    if tokens.take("to") {
        let members = comma_separated(tokens, role_spec)?;
        let admin_option = tokens.take_all(&["with", "admin", "option"]);
        let granted_by = granted_by(tokens)?;
        let roles = privileges.into_iter().map(|(_, original)| original).collect();
        let command = RoleCommand::Grant { roles, members, admin_option, granted_by };
        return Ok(Command::Role(command));
    }
    tokens.expect("on")?;
    let target = target(tokens)?;
    tokens.expect("to")?;
    let grantees = comma_separated(tokens, grantee)?;
    let grant_option = tokens.take_all(&["with", "grant", "option"]);
    Ok(Command::Grant(Grant {
        revoke: false,
        grant_option,
        granted_by: granted_by(tokens)?,
        privileges: words(privileges)?,
        target,
        grantees,
        cascade: false,
    }))
}

/// After REVOKE.
pub(super) fn revoke(tokens: &mut Tokens<'_>) -> Result<Command> {
    let admin_option_only = tokens.take_all(&["admin", "option", "for"]);
    let grant_option = tokens.take_all(&["grant", "option", "for"]);
    let privileges = match privileges(tokens)? {
        Privileges::Refused => return Ok(refused(tokens, COLUMN_PRIVILEGES)),
        Privileges::Words(words) => words,
    };
    if tokens.take("from") {
        let members = comma_separated(tokens, role_spec)?;
        let granted_by = granted_by(tokens)?;
        // Memberships don't depend on one another.
        cascade(tokens);
        let roles = privileges.into_iter().map(|(_, original)| original).collect();
        let command = RoleCommand::Revoke { roles, members, admin_option_only, granted_by };
        return Ok(Command::Role(command));
    }
    tokens.expect("on")?;
    let target = target(tokens)?;
    tokens.expect("from")?;
    let grantees = comma_separated(tokens, grantee)?;
    Ok(Command::Grant(Grant {
        revoke: true,
        grant_option,
        granted_by: granted_by(tokens)?,
        privileges: words(privileges)?,
        target,
        grantees,
        cascade: cascade(tokens),
    }))
}

const COLUMN_PRIVILEGES: &str = "privileges on single columns are not supported";

enum Privileges {
    /// (upper case, as a name); `ALL` is the empty list.
    Words(Vec<(String, String)>),
    Refused,
}

fn privileges(tokens: &mut Tokens<'_>) -> Result<Privileges> {
    if tokens.take("all") {
        tokens.take("privileges");
        if tokens.peek() == &Token::LParen {
            return Ok(Privileges::Refused);
        }
        return Ok(Privileges::Words(Vec::new()));
    }
    let list = comma_separated(tokens, |tokens| {
        let name = tokens.identifier()?;
        Ok((name.to_uppercase(), name))
    })?;
    if tokens.peek() == &Token::LParen {
        return Ok(Privileges::Refused);
    }
    Ok(Privileges::Words(list))
}

fn words(privileges: Vec<(String, String)>) -> Result<Vec<String>> {
    const KNOWN: &[&str] = &[
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
        "USAGE",
        "CREATE",
        "CONNECT",
        "TEMPORARY",
        "TEMP",
        "EXECUTE",
        "SET",
    ];
    privileges
        .into_iter()
        .map(|(word, original)| {
            if KNOWN.contains(&word.as_str()) {
                Ok(word)
            } else {
                let message = format!("unrecognized privilege type \"{original}\"");
                Err(Error::syntax_error(message))
            }
        })
        .collect()
}

fn target(tokens: &mut Tokens<'_>) -> Result<GrantTarget> {
    if tokens.take_all(&["all", "tables", "in", "schema"]) {
        return Ok(GrantTarget::AllTablesIn(identifiers(tokens)?));
    }
    if tokens.take_all(&["all", "sequences", "in", "schema"]) {
        return Ok(GrantTarget::AllSequencesIn(identifiers(tokens)?));
    }
    for kind in ["functions", "procedures", "routines"] {
        if tokens.take_all(&["all", kind, "in", "schema"]) {
            identifiers(tokens)?;
            return Ok(GrantTarget::Refused(format!("privileges on {kind} are not supported")));
        }
    }
    if tokens.take("sequence") {
        return Ok(GrantTarget::Sequences(comma_separated(tokens, name)?));
    }
    if tokens.take("schema") {
        return Ok(GrantTarget::Schemas(identifiers(tokens)?));
    }
    if tokens.take("database") {
        return Ok(GrantTarget::Databases(identifiers(tokens)?));
    }
    let others = [
        "function",
        "procedure",
        "routine",
        "type",
        "domain",
        "language",
        "large",
        "parameter",
        "tablespace",
        "foreign",
    ];
    for kind in others {
        let names_object = matches!(tokens.peek_at(1), Token::Word(_));
        if tokens.is_word(0, kind) && names_object && !tokens.is_word(1, "to") {
            while !tokens.at_end() && !tokens.is_word(0, "to") && !tokens.is_word(0, "from") {
                tokens.advance();
            }
            return Ok(GrantTarget::Refused(format!("privileges on a {kind} are not supported")));
        }
    }
    tokens.take("table");
    Ok(GrantTarget::Tables(comma_separated(tokens, name)?))
}

fn identifiers(tokens: &mut Tokens<'_>) -> Result<Vec<String>> {
    comma_separated(tokens, |tokens| tokens.identifier())
}

fn grantee(tokens: &mut Tokens<'_>) -> Result<Option<RoleSpec>> {
    tokens.take("group");
    if tokens.take("public") {
        return Ok(None);
    }
    role_spec(tokens).map(Some)
}

fn granted_by(tokens: &mut Tokens<'_>) -> Result<Option<RoleSpec>> {
    tokens.take_all(&["granted", "by"]).then(|| role_spec(tokens)).transpose()
}
