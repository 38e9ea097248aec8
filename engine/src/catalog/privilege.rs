//! Who may do what with schemas and relations.

use crate::{
    analyze::Named,
    catalog::{
        Grant, Relation, RelationBody, Schema, TableKind,
        part::{CatalogView, DATABASE_OWNER_ROLE, PG_CATALOG},
        system,
    },
    error::{Error, Result, SqlState},
    types::Oid,
};

/// Privileges. Letters are PostgreSQL's: `r` SELECT, `a` INSERT, `w` UPDATE, `d` DELETE,
/// `D` TRUNCATE, `x` REFERENCES, `t` TRIGGER, `U` USAGE, `C` CREATE.
impl CatalogView {
    /// Whether `role` has the privileges of `other`; `pg_database_owner` has the database's owner
    /// as its only member.
    pub(crate) fn has_privileges_of(&self, role: Oid, other: Oid) -> bool {
        self.cluster.has_privileges_of(role, other)
            || other == DATABASE_OWNER_ROLE && self.owns_database(role)
    }

    /// Whether `role` is a member of the database's owner: who defines for all by default.
    pub(crate) fn owns_database(&self, role: Oid) -> bool {
        self.cluster
            .database_by_oid(self.database)
            .is_some_and(|database| self.cluster.has_privileges_of(role, database.owner))
    }

    /// Whether `current_user` may do all that `owner` may.
    pub(crate) fn is_owner(&self, owner: Oid) -> bool {
        self.has_privileges_of(self.role, owner)
    }

    /// Whether `role` holds one privilege on a relation.
    pub(crate) fn relation_privilege(&self, role: Oid, relation: &Relation, letter: char) -> bool {
        if self.cluster.is_superuser(role) {
            return true;
        }
        if relation.kind == TableKind::System {
            // Wholly public but for what shows verifiers.
            return letter == 'r' && !system::is_superuser_only(relation.oid);
        }
        let predefined = match letter {
            'r' => "pg_read_all_data",
            'a' | 'w' | 'd' => "pg_write_all_data",
            _ => "",
        };
        // The predefined roles speak of shared rows; a `user` table's rows are one's own anyway.
        if self.acts_for(role, predefined) {
            return true;
        }
        let grants = relation.effective_grants();
        self.granted(role, relation.owner, &grants, letter)
    }

    /// Whether `role` may grant one privilege on a relation to others.
    pub(crate) fn relation_option(&self, role: Oid, relation: &Relation, letter: char) -> bool {
        self.has_option(role, relation.owner, &relation.effective_grants(), letter)
    }

    /// Whether `role` may grant one privilege on a schema to others.
    pub(crate) fn schema_option(&self, role: Oid, schema: &Schema, letter: char) -> bool {
        self.has_option(role, schema.owner, &schema.effective_grants(), letter)
    }

    fn has_option(&self, role: Oid, owner: Oid, grants: &[Grant], letter: char) -> bool {
        let option = format!("{letter}*");
        self.has_privileges_of(role, owner)
            || grants.iter().any(|grant| {
                grant.privileges.contains(&option) && self.has_privileges_of(role, grant.grantee)
            })
    }

    /// Whether `role` holds one privilege on a schema.
    pub(crate) fn schema_privilege(&self, role: Oid, schema: &Schema, letter: char) -> bool {
        if self.cluster.is_superuser(role) || schema.oid == PG_CATALOG && letter == 'U' {
            return true;
        }
        let granted = match &schema.grants {
            Some(grants) => self.granted(role, schema.owner, grants, letter),
            None => self.has_privileges_of(role, schema.owner),
        };
        let predefined = ["pg_read_all_data", "pg_write_all_data"];
        granted || letter == 'U' && predefined.iter().any(|all| self.acts_for(role, all))
    }

    /// Whether `role` has the privileges of the role with this name.
    fn acts_for(&self, role: Oid, name: &str) -> bool {
        let found = self.cluster.role_by_name(name);
        found.is_some_and(|found| self.cluster.has_privileges_of(role, found.oid))
    }

    /// 42501 unless `current_user` holds every one of `letters` on `relation`.
    pub(crate) fn check_relation(&self, relation: &Relation, letters: &str) -> Result<()> {
        self.check_relation_of(self.role, relation, letters)
    }

    /// 42501 unless a statement may read what it names.
    pub(crate) fn check_named(&self, named: &Named) -> Result<()> {
        if !named.in_view {
            self.check_schema_of(&named.relation)?;
        }
        self.check_relation_of(named.by.unwrap_or(self.role), &named.relation, "r")
    }

    /// 42501 unless `current_user` may use the schema of what a statement names.
    pub(crate) fn check_schema_of(&self, relation: &Relation) -> Result<()> {
        match self.schema_by_oid(relation.schema) {
            Some(schema) => self.check_schema(&schema, 'U'),
            None => Ok(()),
        }
    }

    fn check_relation_of(&self, role: Oid, relation: &Relation, letters: &str) -> Result<()> {
        for letter in letters.chars() {
            if !self.relation_privilege(role, relation, letter) {
                let what = format!("{} {}", relation.kind_word(), relation.name);
                return Err(Error::insufficient_privilege(&what));
            }
        }
        Ok(())
    }

    /// 42501 unless `current_user` holds `letter` on `schema`.
    pub(crate) fn check_schema(&self, schema: &Schema, letter: char) -> Result<()> {
        if self.schema_privilege(self.role, schema, letter) {
            Ok(())
        } else {
            Err(Error::insufficient_privilege(&format!("schema {}", schema.name)))
        }
    }

    /// 42501 unless `current_user` owns `relation`.
    pub(crate) fn check_owner(&self, relation: &Relation) -> Result<()> {
        if relation.kind == TableKind::System {
            let message = format!("permission denied: \"{}\" is a system catalog", relation.name);
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        if self.is_owner(relation.owner) {
            Ok(())
        } else {
            let what = format!("{} {}", relation.kind_word(), relation.name);
            Err(Error::must_be_owner(&what))
        }
    }

    fn granted(&self, role: Oid, owner: Oid, grants: &[Grant], letter: char) -> bool {
        let held = || grants.iter().filter(|grant| grant.privileges.contains(letter));
        // What everybody may needs no walk through memberships.
        held().any(|grant| grant.grantee == Oid(0))
            || held().any(|grant| {
                self.has_privileges_of(role, grant.grantee)
                    || grant.grantee == owner && self.has_privileges_of(role, owner)
            })
    }
}

impl Relation {
    /// The word errors use.
    pub(crate) fn kind_word(&self) -> &'static str {
        match &self.body {
            RelationBody::Table { .. } | RelationBody::System => "table",
            RelationBody::View { .. } => "view",
            RelationBody::Sequence(_) => "sequence",
        }
    }

    /// The list of grants, with PostgreSQL's default where none was ever changed. On a `user`
    /// relation everybody may do everything with the rows: they are his own.
    pub(crate) fn effective_grants(&self) -> Vec<Grant> {
        if let Some(grants) = &self.grants {
            return grants.clone();
        }
        let (all, rows) = match self.body {
            RelationBody::Sequence(_) => ("rwU", "rwU"),
            RelationBody::View { .. } => ("arwdDxt", "r"),
            RelationBody::Table { .. } | RelationBody::System => ("arwdDxt", "arwdD"),
        };
        let mut grants =
            vec![Grant { grantee: self.owner, grantor: self.owner, privileges: all.to_owned() }];
        if self.kind == TableKind::User {
            grants.push(Grant {
                grantee: Oid(0),
                grantor: self.owner,
                privileges: rows.to_owned(),
            });
        }
        grants
    }
}

impl Schema {
    /// The list of grants, with PostgreSQL's default where none was ever changed.
    pub(crate) fn effective_grants(&self) -> Vec<Grant> {
        match &self.grants {
            Some(grants) => grants.clone(),
            None => vec![Grant {
                grantee: self.owner,
                grantor: self.owner,
                privileges: "UC".to_owned(),
            }],
        }
    }
}
