//! GRANT and REVOKE on relations and schemas.

use std::sync::Arc;

use list::{List, Revocation, has_option, with};

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

mod list;

pub(super) async fn run(grant: &Statement, ctx: &mut dyn DdlContext) -> Result<String> {
    check_grantor(grant, ctx)?;
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
    if relation.kind == TableKind::System {
        return Err(Error::insufficient_privilege(&what));
    }
    check_grantees(grant, ctx, names::is_private(relation.oid), relation.owner, &what)?;
    if relation.kind == TableKind::User && !grant.revoke && !grant.grant_option {
        warn_of_own_rows(ctx, &relation.name, &grants, &letters);
    }
    let before = (relation.owner, grants);
    let grants = changed(grant, ctx, before, &letters, (&relation.name, &what))?;
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
    check_grantees(grant, ctx, names::is_private(schema.oid), schema.owner, &what)?;
    let before = (schema.owner, grants);
    let grants = changed(grant, ctx, before, &letters, (&schema.name, &what))?;
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

/// The list after the statement; a WARNING where the role may grant less than it says.
fn changed(
    grant: &Statement,
    ctx: &mut dyn DdlContext,
    (owner, grants): (Oid, Vec<Grant>),
    letters: &str,
    (name, what): (&str, &str),
) -> Result<Vec<Grant>> {
    let view = ctx.view();
    let mut list = List { view: &view, owner, grants };
    let (grantor, available) = list.best_grantor(view.role, letters);
    if available.is_empty() && !list.is_known_to(grantor) {
        return Err(Error::insufficient_privilege(what));
    }
    let how = Revocation { options_only: grant.grant_option, cascade: grant.cascade };
    for spec in &grant.grantees {
        let grantee = match spec {
            Some(spec) => crate::roles::resolve(ctx, spec)?.oid,
            None => Oid(0),
        };
        match grant.revoke {
            true => list.revoke(grantee, grantor, &available, how)?,
            false => list.grant(grantee, grantor, &available, grant.grant_option)?,
        }
    }
    let grants = list.grants;
    let is_partial = available.len() < letters.len() && !grant.privileges.is_empty();
    if available.is_empty() || is_partial {
        warn_of_missing_options(ctx, grant.revoke, available.is_empty(), name);
    }
    Ok(grants)
}

fn warn_of_missing_options(ctx: &mut dyn DdlContext, revoke: bool, all: bool, name: &str) {
    let quantity = if all { "no" } else { "not all" };
    let (sqlstate, verb) = match revoke {
        true => (SqlState::PRIVILEGE_NOT_REVOKED, "could be revoked"),
        false => (SqlState::PRIVILEGE_NOT_GRANTED, "were granted"),
    };
    ctx.notice(Error::new(sqlstate, format!("{quantity} privileges {verb} for \"{name}\"")));
}

/// 0A000 where GRANTED BY names another than the current user.
fn check_grantor(grant: &Statement, ctx: &dyn DdlContext) -> Result<()> {
    match &grant.granted_by {
        Some(spec) if crate::roles::resolve(ctx, spec)?.oid != ctx.view().role => {
            Err(Error::feature_not_supported("grantor must be current user"))
        }
        Some(_) | None => Ok(()),
    }
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

/// Whether anything was granted to or by `role`.
pub(super) fn names_role(grants: &[Grant], role: Oid) -> bool {
    grants.iter().any(|grant| grant.grantee == role || grant.grantor == role)
}

/// Without what was granted to or by `role`, and by means of that; `None` where nothing changes.
pub(super) fn without_role(
    view: &CatalogView,
    owner: Oid,
    grants: &[Grant],
    role: Oid,
) -> Result<Option<Vec<Grant>>> {
    if !names_role(grants, role) {
        return Ok(None);
    }
    let mut list = List { view, owner, grants: grants.to_vec() };
    let how = Revocation { options_only: false, cascade: true };
    while let Some(grant) = list.grants.iter().find(|grant| grant.grantee == role).cloned() {
        let all: String = grant.privileges.chars().filter(|letter| *letter != '*').collect();
        list.revoke(role, grant.grantor, &all, how)?;
    }
    list.grants.retain(|grant| grant.grantor != role);
    Ok(Some(list.grants))
}
