//! GRANT and REVOKE on relations and schemas.

use std::sync::Arc;

use super::{
    DdlContext, change,
    grammar::{Grant as Statement, GrantTarget},
    names,
};
use crate::{
    catalog::{Grant, Relation, RelationBody, Schema, TableKind, part::CatalogView, store::Place},
    error::{Error, Result, SqlState},
    types::Oid,
};

pub(super) async fn run(grant: &Statement, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok(if grant.revoke { "REVOKE" } else { "GRANT" }.to_owned());
    match &grant.target {
        GrantTarget::Refused(message) => Err(Error::feature_not_supported(message.clone())),
        GrantTarget::Databases(names) => {
            databases(grant, ctx, names)?;
            tag()
        }
        GrantTarget::Schemas(names) => {
            for name in names {
                let schema = ctx.view().schema(name)?;
                on_schema(grant, ctx, &schema).await?;
            }
            tag()
        }
        _ => {
            for relation in relations(grant, ctx)? {
                on_relation(grant, ctx, &relation).await?;
            }
            tag()
        }
    }
}

/// Privileges on databases are PostgreSQL's defaults: everybody connects. Granting them again
/// changes nothing; taking them away isn't possible yet.
fn databases(grant: &Statement, ctx: &dyn DdlContext, names: &[String]) -> Result<()> {
    let view = ctx.view();
    for name in names {
        let database =
            view.cluster.database_by_name(name).ok_or_else(|| Error::undefined_database(name))?;
        if !view.cluster.has_privileges_of(view.role, database.owner) {
            return Err(Error::insufficient_privilege(&format!("database {name}")));
        }
    }
    let harmless = |word: &String| matches!(word.as_str(), "CONNECT" | "TEMPORARY" | "TEMP");
    let only_defaults = !grant.privileges.is_empty() && grant.privileges.iter().all(harmless);
    if !grant.revoke && only_defaults {
        return Ok(());
    }
    Err(Error::feature_not_supported("privileges on a database cannot be changed"))
}

fn relations(grant: &Statement, ctx: &dyn DdlContext) -> Result<Vec<Arc<Relation>>> {
    let view = ctx.view();
    let all_in = |schemas: &[String], sequences: bool| -> Result<Vec<Arc<Relation>>> {
        let mut found = Vec::new();
        for name in schemas {
            let schema = view.schema(name)?;
            found.extend(
                view.relations()
                    .filter(|relation| {
                        relation.schema == schema.oid
                            && matches!(relation.body, RelationBody::Sequence(_)) == sequences
                            && (view.is_owner(relation.owner) || !names::is_private(relation.oid))
                    })
                    .cloned(),
            );
        }
        found.sort_by_key(|relation| relation.oid);
        Ok(found)
    };
    match &grant.target {
        GrantTarget::Tables(names) => names.iter().map(|name| names::relation(ctx, name)).collect(),
        GrantTarget::Sequences(names) => names
            .iter()
            .map(|name| {
                let relation = names::relation(ctx, name)?;
                if !matches!(relation.body, RelationBody::Sequence(_)) {
                    return Err(Error::wrong_object_type(&relation.name, "a sequence"));
                }
                Ok(relation)
            })
            .collect(),
        GrantTarget::AllTablesIn(schemas) => all_in(schemas, false),
        GrantTarget::AllSequencesIn(schemas) => all_in(schemas, true),
        GrantTarget::Schemas(_) | GrantTarget::Databases(_) | GrantTarget::Refused(_) => {
            Ok(Vec::new())
        }
    }
}

async fn on_relation(
    grant: &Statement,
    ctx: &mut dyn DdlContext,
    relation: &Arc<Relation>,
) -> Result<()> {
    let sequence = matches!(relation.body, RelationBody::Sequence(_));
    let all = if sequence { "rwU" } else { "arwdDxt" };
    let letters = letters(grant, all, |word| {
        let kind = if sequence { "sequence" } else { "relation" };
        format!("invalid privilege type {word} for {kind}")
    })?;
    change::lock(ctx, Place::of(relation.oid)).await?;
    let view = ctx.view();
    let relation =
        view.relation_by_oid(relation.oid).ok_or_else(|| Error::undefined_table(&relation.name))?;
    let grants = relation.effective_grants();
    let what = format!("{} {}", relation.kind_word(), relation.name);
    let grantor = grantor(&view, relation.owner, &grants, &letters, &what)?;
    if relation.kind == TableKind::System {
        return Err(Error::insufficient_privilege(&what));
    }
    check_grantees(grant, ctx, names::is_private(relation.oid), relation.owner, &what)?;
    if relation.kind == TableKind::User && !grant.revoke && !grant.grant_option {
        warn_of_own_rows(ctx, &relation.name, &grants, &letters);
    }
    let grants = changed(grant, ctx, grants, grantor, &letters)?;
    let relation = Relation { grants: Some(grants), ..(*relation).clone() };
    change::write(ctx, |writer| writer.put_relation(relation).map(|_| ()))
}

async fn on_schema(
    grant: &Statement,
    ctx: &mut dyn DdlContext,
    schema: &Arc<Schema>,
) -> Result<()> {
    let letters = letters(grant, "UC", |word| format!("invalid privilege type {word} for schema"))?;
    change::lock(ctx, Place::of(schema.oid)).await?;
    let view = ctx.view();
    let schema =
        view.schema_by_oid(schema.oid).ok_or_else(|| Error::undefined_schema(&schema.name))?;
    let grants = schema.effective_grants();
    let what = format!("schema {}", schema.name);
    let grantor = grantor(&view, schema.owner, &grants, &letters, &what)?;
    check_grantees(grant, ctx, names::is_private(schema.oid), schema.owner, &what)?;
    let grants = changed(grant, ctx, grants, grantor, &letters)?;
    let schema = Schema { grants: Some(grants), ..(*schema).clone() };
    change::write(ctx, |writer| writer.put_schema(schema).map(|_| ()))
}

/// 0A000 where something private is granted to others: nobody else sees even its name.
fn check_grantees(
    grant: &Statement,
    ctx: &dyn DdlContext,
    is_private: bool,
    owner: Oid,
    what: &str,
) -> Result<()> {
    if !is_private || grant.revoke {
        return Ok(());
    }
    for spec in &grant.grantees {
        let is_owner = match spec {
            Some(spec) => crate::roles::resolve(ctx, spec)?.oid == owner,
            None => false,
        };
        if !is_owner {
            return Err(Error::feature_not_supported(format!(
                "{what} is private and can't be granted to others: no other role sees it"
            ))
            .with_hint("WITH (kind = 'shared') makes one table for all."));
        }
    }
    Ok(())
}

/// Says that a grant gives nothing: in one's own rows of a `user` relation everybody may do this,
/// and the grantor's rows aren't reached by any grant.
fn warn_of_own_rows(ctx: &mut dyn DdlContext, name: &str, grants: &[Grant], letters: &str) {
    let everybody = grants.iter().filter(|grant| grant.grantee == Oid(0));
    let held: String = everybody.map(|grant| grant.privileges.as_str()).collect();
    if letters.chars().all(|letter| held.contains(letter)) {
        ctx.notice(
            Error::new(
                SqlState::PRIVILEGE_NOT_GRANTED,
                format!("no privileges were granted for \"{name}\""),
            )
            .with_detail(format!(
                "Every role has rows of its own in \"{name}\", and these privileges on them."
            ))
            .with_hint("WITH (kind = 'shared') makes one table for all."),
        );
    }
}

fn letters(grant: &Statement, all: &str, invalid: impl Fn(&str) -> String) -> Result<String> {
    if grant.privileges.is_empty() {
        return Ok(all.to_owned());
    }
    let mut letters = String::new();
    for word in &grant.privileges {
        let letter = match word.as_str() {
            "SELECT" => 'r',
            "INSERT" => 'a',
            "UPDATE" => 'w',
            "DELETE" => 'd',
            "TRUNCATE" => 'D',
            "REFERENCES" => 'x',
            "TRIGGER" => 't',
            "USAGE" => 'U',
            "CREATE" => 'C',
            _ => '-',
        };
        if !all.contains(letter) {
            return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, invalid(word)));
        }
        if !letters.contains(letter) {
            letters.push(letter);
        }
    }
    Ok(letters)
}

/// In whose name it is granted: the owner's, or one's own where one holds grant options.
fn grantor(
    view: &CatalogView,
    owner: Oid,
    grants: &[Grant],
    letters: &str,
    what: &str,
) -> Result<Oid> {
    if view.is_owner(owner) {
        return Ok(owner);
    }
    let may = letters.chars().all(|letter| {
        grants.iter().any(|grant| {
            has_option(&grant.privileges, letter)
                && view.has_privileges_of(view.role, grant.grantee)
        })
    });
    if may { Ok(view.role) } else { Err(Error::insufficient_privilege(what)) }
}

fn has_option(privileges: &str, letter: char) -> bool {
    privileges.contains(&format!("{letter}*"))
}

fn changed(
    grant: &Statement,
    ctx: &dyn DdlContext,
    mut grants: Vec<Grant>,
    grantor: Oid,
    letters: &str,
) -> Result<Vec<Grant>> {
    for spec in &grant.grantees {
        let grantee = match spec {
            Some(spec) => crate::roles::resolve(ctx, spec)?.oid,
            None => Oid(0),
        };
        if grant.grant_option && !grant.revoke && grantee == Oid(0) {
            return Err(Error::new(
                SqlState::INVALID_GRANT_OPERATION,
                "grant options can only be granted to roles",
            ));
        }
        let place = grants.iter().position(|g| g.grantee == grantee && g.grantor == grantor);
        let mut held = match place {
            Some(place) => grants.remove(place).privileges,
            None => String::new(),
        };
        for letter in letters.chars() {
            held = match (grant.revoke, grant.grant_option) {
                (false, option) => with(&held, letter, option),
                (true, true) => held.replace(&format!("{letter}*"), &letter.to_string()),
                (true, false) => held.replace(&format!("{letter}*"), "").replace(letter, ""),
            };
        }
        if !held.is_empty() {
            let entry = Grant { grantee, grantor, privileges: held };
            grants.insert(place.unwrap_or(grants.len()), entry);
        }
    }
    Ok(grants)
}

/// Adds a letter, in PostgreSQL's order.
fn with(held: &str, letter: char, option: bool) -> String {
    const ORDER: &str = "arwdDxtXUCTc";
    let mut all = String::new();
    for candidate in ORDER.chars() {
        let had_option = has_option(held, candidate);
        if held.contains(candidate) || candidate == letter {
            all.push(candidate);
            if had_option || candidate == letter && option {
                all.push('*');
            }
        }
    }
    all
}

/// A relation under a new owner: what the old one granted, the new one has granted.
pub(super) fn with_owner(relation: &Relation, owner: Oid) -> Relation {
    let grants = relation.grants.as_ref().map(|grants| moved(grants, relation.owner, owner));
    Relation { owner, grants, ..relation.clone() }
}

/// As [`with_owner`], for a schema.
pub(super) fn with_owner_schema(schema: &Schema, owner: Oid) -> Schema {
    let grants = schema.grants.as_ref().map(|grants| moved(grants, schema.owner, owner));
    Schema { owner, grants, ..schema.clone() }
}

fn moved(grants: &[Grant], from: Oid, to: Oid) -> Vec<Grant> {
    let swap = |oid: Oid| if oid == from { to } else { oid };
    let mut moved: Vec<Grant> = Vec::new();
    for grant in grants {
        let (grantee, grantor) = (swap(grant.grantee), swap(grant.grantor));
        match moved.iter_mut().find(|g| g.grantee == grantee && g.grantor == grantor) {
            Some(same) => {
                for letter in grant.privileges.chars().filter(|letter| *letter != '*') {
                    let option = has_option(&grant.privileges, letter);
                    same.privileges = with(&same.privileges, letter, option);
                }
            }
            None => {
                moved.push(Grant { grantee, grantor, privileges: grant.privileges.clone() });
            }
        }
    }
    moved
}

/// Without what was granted to or by `role`; `None` where nothing changes.
pub(super) fn without_role(grants: &[Grant], role: Oid) -> Option<Vec<Grant>> {
    let kept: Vec<Grant> = grants
        .iter()
        .filter(|grant| grant.grantee != role && grant.grantor != role)
        .cloned()
        .collect();
    (kept.len() != grants.len()).then_some(kept)
}
