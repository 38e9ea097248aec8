//! information_schema: privileges and roles.

use super::{Arc, ExecutionContext, Filter, Oid, Result, Rows, named, shown, yes};

const WORDS: &[(char, &str)] = &[
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
];

pub(in crate::catalog::system) fn table_privileges(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let name = |oid: Oid| match oid {
        Oid(0) => "PUBLIC".to_owned(),
        oid => view.role_name(oid),
    };
    for relation in shown(view, filter, "table_schema", "table_name", "rawdDxt") {
        if matches!(relation.body, crate::catalog::RelationBody::Sequence(_)) {
            continue;
        }
        for grant in relation.effective_grants() {
            let concerned = grant.grantee == Oid(0)
                || view.is_owner(grant.grantee)
                || view.is_owner(grant.grantor);
            if !concerned {
                continue;
            }
            for (letter, word) in WORDS {
                if !grant.privileges.contains(*letter) {
                    continue;
                }
                let option = grant.privileges.contains(&format!("{letter}*"))
                    || grant.grantee == relation.owner;
                named(rows.add(), context, "table", relation.schema, &relation.name)
                    .set("grantor", name(grant.grantor))
                    .set("grantee", name(grant.grantee))
                    .set("privilege_type", *word)
                    .set("is_grantable", yes(option))
                    .set("with_hierarchy", yes(*letter == 'r'));
            }
        }
    }
    Ok(())
}

pub(in crate::catalog::system) fn enabled_roles(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for role in view.cluster.roles() {
        if view.cluster.has_privileges_of(view.role, role.oid) {
            rows.add().set("role_name", role.name.as_str());
        }
    }
    Ok(())
}

pub(in crate::catalog::system) fn applicable_roles(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for membership in view.cluster.memberships() {
        if view.cluster.has_privileges_of(view.role, membership.member) {
            rows.add()
                .set("grantee", view.role_name(membership.member))
                .set("role_name", view.role_name(membership.role))
                .set("is_grantable", yes(membership.admin_option));
        }
    }
    Ok(())
}
