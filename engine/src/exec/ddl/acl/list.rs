//! An access control list, changed by PostgreSQL's rules (`utils/adt/acl.c`).
//!
//! Every entry says who granted what to whom. Whoever grants something holds its grant option: the
//! owner always, another through an entry of the same list. What is taken from him takes what he
//! granted along, or fails.

use crate::{
    catalog::{Grant, part::CatalogView},
    error::{Error, Result, SqlState},
    types::Oid,
};

/// The list of one object.
pub(super) struct List<'a> {
    pub(super) view: &'a CatalogView,
    pub(super) owner: Oid,
    pub(super) grants: Vec<Grant>,
}

/// What REVOKE takes.
#[derive(Clone, Copy)]
pub(super) struct Revocation {
    /// The grant options alone.
    pub(super) options_only: bool,
    /// With what was granted by them.
    pub(super) cascade: bool,
}

impl List<'_> {
    /// In whose name `role` changes `letters`, and those of them that he may change: the owner for
    /// himself and superusers, else whichever of the roles he acts for has most grant options.
    pub(super) fn best_grantor(&self, role: Oid, letters: &str) -> (Oid, String) {
        let cluster = &self.view.cluster;
        if role == self.owner || cluster.is_superuser(role) {
            return (self.owner, letters.to_owned());
        }
        let mut best = (role, String::new());
        let others = cluster.roles().into_iter().map(|other| other.oid);
        let acted_for = others.filter(|other| cluster.has_privileges_of(role, *other));
        for candidate in std::iter::once(role).chain(acted_for) {
            let may = |letter: &char| self.has_direct_option(candidate, *letter);
            let available: String = letters.chars().filter(may).collect();
            if available.len() == letters.len() {
                return (candidate, available);
            }
            if available.len() > best.1.len() {
                best = (candidate, available);
            }
        }
        best
    }

    /// Whether `role` holds anything at all here.
    pub(super) fn is_known_to(&self, role: Oid) -> bool {
        self.view.has_privileges_of(role, self.owner)
            || self.grants.iter().any(|grant| self.reaches(role, grant))
    }

    /// # Errors
    /// 0LP01 where the grantor has his grant option from the grantee.
    pub(super) fn grant(
        &mut self,
        grantee: Oid,
        grantor: Oid,
        letters: &str,
        option: bool,
    ) -> Result<()> {
        if option && grantee == Oid(0) {
            return Err(invalid("grant options can only be granted to roles"));
        }
        if option {
            self.check_circularity(grantee, grantor, letters)?;
        }
        let place = self.place(grantee, grantor);
        let mut held = match place {
            Some(place) => self.grants.remove(place).privileges,
            None => String::new(),
        };
        for letter in letters.chars() {
            held = with(&held, letter, option);
        }
        self.put(place, Grant { grantee, grantor, privileges: held });
        Ok(())
    }

    /// # Errors
    /// 2BP01 where the grantee has granted it to others and CASCADE wasn't said.
    pub(super) fn revoke(
        &mut self,
        grantee: Oid,
        grantor: Oid,
        letters: &str,
        how: Revocation,
    ) -> Result<()> {
        let Some(place) = self.place(grantee, grantor) else { return Ok(()) };
        let mut held = self.grants.remove(place).privileges;
        let lost: String = letters.chars().filter(|letter| has_option(&held, *letter)).collect();
        for letter in letters.chars() {
            let without_option = held.replace(&format!("{letter}*"), &letter.to_string());
            held = match how.options_only {
                true => without_option,
                false => without_option.replace(letter, ""),
            };
        }
        self.put(Some(place), Grant { grantee, grantor, privileges: held });
        self.abandon(grantee, &lost, how.cascade)
    }

    /// What `grantee` has granted by grant options that he lost.
    fn abandon(&mut self, grantee: Oid, lost: &str, cascade: bool) -> Result<()> {
        if grantee == self.owner {
            return Ok(());
        }
        // He may still have them from another.
        let lost: String =
            lost.chars().filter(|letter| !self.has_option(grantee, *letter)).collect();
        let is_abandoned = |grant: &Grant| {
            grant.grantor == grantee && grant.privileges.contains(|letter| lost.contains(letter))
        };
        while let Some(grant) = self.grants.iter().find(|grant| is_abandoned(grant)) {
            if !cascade {
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    "dependent privileges exist",
                )
                .with_hint("Use CASCADE to revoke them too."));
            }
            let how = Revocation { options_only: false, cascade };
            self.revoke(grant.grantee, grantee, &lost, how)?;
        }
        Ok(())
    }

    /// The grantor must hold his options without the grantee's.
    fn check_circularity(&self, grantee: Oid, grantor: Oid, letters: &str) -> Result<()> {
        if grantor == self.owner {
            return Ok(());
        }
        let mut without = List { view: self.view, owner: self.owner, grants: self.grants.clone() };
        let is_his = |grant: &&Grant| grant.grantee == grantee && grant.privileges.contains('*');
        while let Some(grant) = without.grants.iter().find(is_his).cloned() {
            let how = Revocation { options_only: false, cascade: true };
            let all: String = grant.privileges.chars().filter(|letter| *letter != '*').collect();
            without.revoke(grantee, grant.grantor, &all, how)?;
        }
        match letters.chars().all(|letter| without.has_option(grantor, letter)) {
            true => Ok(()),
            false => Err(invalid("grant options cannot be granted back to your own grantor")),
        }
    }

    fn has_option(&self, role: Oid, letter: char) -> bool {
        self.view.has_privileges_of(role, self.owner)
            || self
                .grants
                .iter()
                .any(|grant| has_option(&grant.privileges, letter) && self.reaches(role, grant))
    }

    /// As [`List::has_option`], of the role itself and not of those he acts for.
    fn has_direct_option(&self, role: Oid, letter: char) -> bool {
        role == self.owner
            || self
                .grants
                .iter()
                .any(|grant| grant.grantee == role && has_option(&grant.privileges, letter))
    }

    fn reaches(&self, role: Oid, grant: &Grant) -> bool {
        grant.grantee == Oid(0) || self.view.has_privileges_of(role, grant.grantee)
    }

    fn place(&self, grantee: Oid, grantor: Oid) -> Option<usize> {
        let is_it = |grant: &Grant| grant.grantee == grantee && grant.grantor == grantor;
        self.grants.iter().position(is_it)
    }

    fn put(&mut self, place: Option<usize>, grant: Grant) {
        if !grant.privileges.is_empty() {
            self.grants.insert(place.unwrap_or(self.grants.len()), grant);
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(SqlState::INVALID_GRANT_OPERATION, message)
}

pub(super) fn has_option(privileges: &str, letter: char) -> bool {
    privileges.contains(&format!("{letter}*"))
}

/// Adds a letter, in PostgreSQL's order.
pub(super) fn with(held: &str, letter: char, option: bool) -> String {
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
