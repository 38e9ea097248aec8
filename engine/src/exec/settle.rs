//! Plans that stay true while they run: locks against definitions that change.
//!
//! As in PostgreSQL a statement holds the locks of what it names before its meaning is settled.
//! Analysis here needs none, so it comes first; where the locks had to wait for a definition that
//! changed meanwhile, it is done again. What fails in analysis fails only once nobody is about to
//! change the relations named.

use std::{ops::ControlFlow, sync::Arc};

use datafusion::sql::sqlparser::ast::{self, Visit, visit_relations};
use kalamdb_storage::RelationId;

use crate::{
    analyze::name_parts,
    catalog::{Relation, RelationBody},
    error::Result,
    exec::write::Writer,
    locks::Mode,
    prepared::Body,
    session::Session,
};

/// What `make` makes of a statement's tree, with the locks of the plan inside it held. `make` is
/// told whether it is called again, when what anybody made before won't do.
pub(crate) async fn settled<T>(
    session: &mut Session,
    tree: &impl Visit,
    make: impl Fn(&Session, bool) -> Result<T>,
    body: impl Fn(&T) -> &Body,
) -> Result<T> {
    let mut again = false;
    loop {
        let version = session.view().version();
        match make(session, again) {
            Ok(made) => {
                if lock(session, body(&made)).await? {
                    return Ok(made);
                }
            }
            Err(error) => {
                lock_named(session, tree).await?;
                if session.view().version() == version {
                    return Err(error);
                }
            }
        }
        again = true;
    }
}

/// Takes the locks that a plan needs; whether its relations are still defined as it has them.
pub(crate) async fn lock(session: &mut Session, body: &Body) -> Result<bool> {
    let mut wanted = Vec::new();
    needs(body, &mut wanted);
    for (relation, mode) in &wanted {
        take(session, relation, *mode).await?;
    }
    let view = session.view();
    Ok(wanted.iter().all(|(relation, _)| match relation.body {
        RelationBody::Table { .. } | RelationBody::View { .. } => {
            view.relation_by_oid(relation.oid).is_some_and(|now| Arc::ptr_eq(&now, relation))
        }
        RelationBody::Sequence(_) | RelationBody::System => true,
    }))
}

/// Locks a relation that a statement names, and finds it as it is then.
pub(crate) async fn lock_one(
    session: &mut Session,
    schema: Option<&str>,
    name: &str,
    mode: Mode,
) -> Result<Arc<Relation>> {
    loop {
        let search_path = Arc::clone(&session.effective().search_path);
        let relation = session.view().relation(schema, name, &search_path)?;
        take(session, &relation, mode).await?;
        let now = session.view().relation(schema, name, &search_path)?;
        if Arc::ptr_eq(&now, &relation) {
            return Ok(now);
        }
    }
}

async fn take(session: &mut Session, relation: &Relation, mode: Mode) -> Result<()> {
    if relation.layout.is_none() {
        return Ok(());
    }
    let namespace = session.view().namespace_of(relation);
    let wait = Writer::wait(session);
    let id = RelationId(relation.oid.0);
    session.transaction.lock_relation(namespace, id, mode, wait).await?;
    Ok(())
}

/// The relations of a plan, the strongest lock of each first.
fn needs<'a>(body: &'a Body, into: &mut Vec<(&'a Arc<Relation>, Mode)>) {
    let relations = match body {
        Body::Query(query) => {
            into.extend(query.locked().map(|relation| (relation, Mode::RowShare)));
            &query.relations
        }
        Body::Insert(insert) => {
            into.push((&insert.target, Mode::RowExclusive));
            &insert.relations
        }
        Body::Update(change) | Body::Delete(change) => {
            into.push((&change.target, Mode::RowExclusive));
            &change.relations
        }
        Body::Staged(staged) => {
            needs(&staged.main, into);
            return staged.stages.iter().for_each(|stage| needs(&stage.body, into));
        }
        Body::Subscribe(_) | Body::Utility => return,
    };
    into.extend(relations.iter().map(|named| (&named.relation, Mode::AccessShare)));
}

/// Waits for those who are about to change what a tree names.
async fn lock_named(session: &mut Session, tree: &impl Visit) -> Result<()> {
    let mut names = Vec::new();
    let _ = visit_relations(tree, |name: &ast::ObjectName| {
        names.extend(name_parts(name));
        ControlFlow::<()>::Continue(())
    });
    let search_path = Arc::clone(&session.effective().search_path);
    for parts in names {
        let Some((name, before)) = parts.split_last() else { continue };
        let schema = before.last().map(String::as_str);
        if let Some(relation) = session.view().find_relation(schema, name, &search_path) {
            take(session, &relation, Mode::AccessShare).await?;
        }
    }
    Ok(())
}
