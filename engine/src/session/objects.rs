//! What a session has prepared and opened, for `pg_prepared_statements` and `pg_cursors`.
//!
//! A connection of a pool serves many roles, one after the other: each sees what was made under it.

use std::sync::Arc;

use super::{
    Session,
    state::{CursorObject, Objects, PreparedObject},
    transaction::now_us,
};
use crate::{
    catalog::{Relation, TableKind},
    prepared::Prepared,
    types::Oid,
};

/// A prepared statement with what its plan doesn't know.
pub(crate) struct Kept {
    pub(crate) plan: Arc<Prepared>,
    /// What the client sent to make it.
    pub(crate) source: Arc<str>,
    /// Microseconds since 1970.
    pub(crate) prepared_at: i64,
    /// `current_user` at that time: its text is nobody else's to read.
    role: Oid,
}

impl Session {
    pub(crate) fn keep(&self, plan: Arc<Prepared>) -> Kept {
        let source = self.source_of(&plan.statement.text);
        Kept { source, plan, prepared_at: now_us(), role: self.state.current_user() }
    }

    /// The text that the client sent, of which `text` is a part.
    pub(crate) fn source_of(&self, text: &Arc<str>) -> Arc<str> {
        let query = self.state.activity().query;
        // Long queries are cut in what activity shows.
        if query.contains(&**text) { query.into() } else { Arc::clone(text) }
    }

    /// Before a statement reads the relations about the session's own objects.
    pub(crate) fn show_objects(&self, relation: &Relation) {
        let about_objects = relation.kind == TableKind::System
            && matches!(relation.name.as_str(), "pg_prepared_statements" | "pg_cursors");
        if about_objects {
            self.state.show_objects(self.objects());
        }
    }

    fn objects(&self) -> Objects {
        let of = |(name, kept): (&String, &Kept), from_sql| PreparedObject {
            name: name.clone(),
            statement: Arc::clone(&kept.source),
            prepared_at: kept.prepared_at,
            parameters: kept.plan.parameters.iter().map(|ty| ty.oid).collect(),
            from_sql,
        };
        let role = self.state.current_user();
        let is_own = |(_, kept): &(&String, &Kept)| kept.role == role;
        let by_sql = self.prepared.iter().filter(is_own).map(|entry| of(entry, true));
        let by_protocol =
            self.protocol_statements.iter().filter(is_own).map(|entry| of(entry, false));
        let own_cursors = self.cursors.iter().filter(|(_, cursor)| cursor.role == role);
        let cursors = own_cursors.map(|(name, cursor)| CursorObject {
            name: name.clone(),
            statement: Arc::clone(&cursor.statement),
            is_holdable: cursor.hold,
            is_scrollable: cursor.may_scroll,
            created_at: cursor.created,
        });
        // The portal that asks is open as well, unless it is a simple query's.
        let own = self.in_portal.then(|| CursorObject {
            name: String::new(),
            statement: self.state.activity().query.into(),
            is_holdable: false,
            is_scrollable: false,
            created_at: now_us(),
        });
        Objects {
            prepared: by_sql.chain(by_protocol).collect(),
            cursors: cursors.chain(own).collect(),
        }
    }
}
