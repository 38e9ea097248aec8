//! What all databases share: roles, memberships, databases, settings.

use std::{collections::HashSet, sync::Arc};

use crate::{
    catalog::{Class, Database, Description, Membership, Role, map::SharedMap},
    types::Oid,
};

/// Roles, memberships, databases and `ALTER SYSTEM` settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) version: u64,
    roles: SharedMap<Oid, Arc<Role>>,
    role_names: SharedMap<String, Oid>,
    /// By member.
    memberships: SharedMap<Oid, Vec<Arc<Membership>>>,
    databases: SharedMap<Oid, Arc<Database>>,
    settings: SharedMap<String, String>,
    descriptions: SharedMap<(Class, Oid, i32), Arc<Description>>,
    /// From which the verifiers of unknown names are made up; never shown.
    secret: String,
}

impl Cluster {
    pub(crate) fn role_by_oid(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.roles.get(&oid)
    }

    pub(crate) fn role_by_name(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.get(self.role_names.get(name)?)
    }

    /// All roles, by OID.
    pub(crate) fn roles(&self) -> Vec<Arc<Role>> {
        let mut all: Vec<_> = self.roles.values().cloned().collect();
        all.sort_by_key(|role| role.oid);
        all
    }

    /// What `member` is directly a member of.
    pub(crate) fn memberships_of(&self, member: Oid) -> &[Arc<Membership>] {
        self.memberships.get(&member).map_or(&[], Vec::as_slice)
    }

    /// All memberships, by OID.
    pub(crate) fn memberships(&self) -> Vec<Arc<Membership>> {
        let mut all: Vec<_> = self.memberships.values().flatten().cloned().collect();
        all.sort_by_key(|membership| membership.oid);
        all
    }

    pub(crate) fn database_by_oid(&self, oid: Oid) -> Option<&Arc<Database>> {
        self.databases.get(&oid)
    }

    pub(crate) fn database_by_name(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.values().find(|database| database.name == name)
    }

    /// All databases, by OID.
    pub(crate) fn databases(&self) -> Vec<Arc<Database>> {
        let mut all: Vec<_> = self.databases.values().cloned().collect();
        all.sort_by_key(|database| database.oid);
        all
    }

    /// All settings made by `ALTER SYSTEM`, by name.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> =
            self.settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        all.sort();
        all
    }

    pub(crate) fn description(&self, class: Class, oid: Oid) -> Option<&Arc<Description>> {
        self.descriptions.get(&(class, oid, 0))
    }

    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &Arc<Description>> {
        self.descriptions.values()
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    pub(crate) fn is_superuser(&self, role: Oid) -> bool {
        self.roles.get(&role).is_some_and(|role| role.superuser)
    }

    /// Whether `member` is `role` or a member of it, directly or not, `INHERIT` or not: who may
    /// `SET ROLE`. Superusers are members of everything.
    pub(crate) fn is_member_of(&self, member: Oid, role: Oid) -> bool {
        self.is_superuser(member) || self.reaches(member, role, false)
    }

    /// Whether `member` has the privileges of `role` without `SET ROLE`: memberships count only
    /// through roles that inherit.
    pub(crate) fn has_privileges_of(&self, member: Oid, role: Oid) -> bool {
        self.is_superuser(member) || self.reaches(member, role, true)
    }

    /// As [`Cluster::is_member_of`], but superusers only of what they were made members of.
    pub(crate) fn is_member_of_nosuper(&self, member: Oid, role: Oid) -> bool {
        self.reaches(member, role, false)
    }

    /// Whether a role is a superuser or a member of one, directly or not.
    pub(crate) fn reaches_superuser(&self, role: Oid) -> bool {
        let mut seen = HashSet::from([role]);
        let mut open = vec![role];
        while let Some(at) = open.pop() {
            if self.is_superuser(at) {
                return true;
            }
            for membership in self.memberships_of(at) {
                if seen.insert(membership.role) {
                    open.push(membership.role);
                }
            }
        }
        false
    }

    /// Whether `member` may grant `role` to others: `ADMIN OPTION`, directly or through a role.
    pub(crate) fn is_admin_of(&self, member: Oid, role: Oid) -> bool {
        if self.is_superuser(member) {
            return true;
        }
        let mut seen = HashSet::from([member]);
        let mut open = vec![member];
        while let Some(at) = open.pop() {
            for membership in self.memberships_of(at) {
                if membership.role == role && membership.admin_option {
                    return true;
                }
                if seen.insert(membership.role) {
                    open.push(membership.role);
                }
            }
        }
        false
    }

    fn reaches(&self, member: Oid, role: Oid, inherit: bool) -> bool {
        if member == role {
            return true;
        }
        let mut seen = HashSet::from([member]);
        let mut open = vec![member];
        while let Some(at) = open.pop() {
            if inherit && !self.roles.get(&at).is_some_and(|role| role.inherit) {
                continue;
            }
            for membership in self.memberships_of(at) {
                if membership.role == role {
                    return true;
                }
                if seen.insert(membership.role) {
                    open.push(membership.role);
                }
            }
        }
        false
    }

    pub(crate) fn put_role(&mut self, role: Arc<Role>) {
        if let Some(old) = self.roles.get(&role.oid) {
            let name = old.name.clone();
            self.role_names.remove(&name);
        }
        self.role_names.insert(role.name.clone(), role.oid);
        self.roles.insert(role.oid, role);
    }

    pub(crate) fn remove_role(&mut self, oid: Oid) {
        if let Some(old) = self.roles.remove(&oid) {
            self.role_names.remove(&old.name);
        }
    }

    pub(crate) fn put_membership(&mut self, membership: Arc<Membership>) {
        let mut list = self.memberships_of(membership.member).to_vec();
        list.retain(|other| other.oid != membership.oid);
        list.push(Arc::clone(&membership));
        self.memberships.insert(membership.member, list);
    }

    pub(crate) fn remove_membership(&mut self, membership: &Membership) {
        let mut list = self.memberships_of(membership.member).to_vec();
        list.retain(|other| other.oid != membership.oid);
        if list.is_empty() {
            self.memberships.remove(&membership.member);
        } else {
            self.memberships.insert(membership.member, list);
        }
    }

    pub(crate) fn put_database(&mut self, database: Arc<Database>) {
        self.databases.insert(database.oid, database);
    }

    pub(crate) fn put_setting(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.settings.insert(name.to_owned(), value.to_owned()),
            None => self.settings.remove(name),
        };
    }

    pub(crate) fn put_description(&mut self, description: Arc<Description>) {
        self.descriptions.insert(description.key(), description);
    }

    pub(crate) fn remove_description(&mut self, key: (Class, Oid, i32)) {
        self.descriptions.remove(&key);
    }

    pub(crate) fn put_secret(&mut self, secret: String) {
        self.secret = secret;
    }
}
