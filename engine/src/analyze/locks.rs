//! FOR UPDATE and its kin: whose rows a SELECT locks, and how.

use std::sync::Arc;

use datafusion::{logical_expr::Expr, sql::sqlparser::ast};

use super::{
    BoundLock, LockStrength, LockWait,
    names::fold,
    scope::{FromItem, ScopeTable},
    update::key_column,
};
use crate::{
    catalog::{Relation, RelationBody, TableKind},
    error::{Error, Result, SqlState},
    statement::lock_of,
};

/// The tables to lock, each with the column of its rows' keys. `merged_by` is the clause that makes
/// one row of several: nothing can be locked then.
pub(super) fn bind_locks(
    clauses: &[ast::LockClause],
    from: &FromItem,
    merged_by: Option<&str>,
) -> Result<Vec<(BoundLock, Expr)>> {
    let mut locks: Vec<(BoundLock, Expr)> = Vec::new();
    for clause in clauses {
        if let Some(what) = merged_by {
            return Err(refused(clause, &format!("is not allowed with {what}")));
        }
        let only = lock_of(clause).1.map(fold);
        let mut found = false;
        for table in &from.tables {
            if only.as_ref().is_some_and(|only| *only != table.alias) {
                continue;
            }
            found = true;
            let Some((relation, key)) = lockable(clause, table, only.is_some())? else { continue };
            let strength = strength(clause);
            match locks.iter_mut().find(|(_, known)| *known == key) {
                Some((known, _)) => known.strength = known.strength.max(strength),
                None => {
                    let wait = wait(clause);
                    locks.push((BoundLock { relation, strength, wait, key_column: 0 }, key));
                }
            }
        }
        if let (Some(name), false) = (&only, found) {
            return Err(Error::new(
                SqlState::UNDEFINED_TABLE,
                format!(
                    "relation \"{name}\" in {} clause not found in FROM clause",
                    lock_name(clause)
                ),
            ));
        }
    }
    Ok(locks)
}

/// The relation whose rows are locked and their key; `None` for what has no rows to lock, if the
/// clause doesn't name it.
fn lockable(
    clause: &ast::LockClause,
    table: &ScopeTable,
    is_named: bool,
) -> Result<Option<(Arc<Relation>, Expr)>> {
    if table.locks_inside {
        return Err(refused(clause, "of the rows of a subquery or view is not supported")
            .with_hint("Say it inside of the subquery."));
    }
    let Some((relation, qualifier)) = &table.base else {
        return match is_named {
            true => Err(refused(clause, &format!("cannot be applied to \"{}\"", table.alias))),
            false => Ok(None),
        };
    };
    if relation.kind == TableKind::System {
        return Ok(None);
    }
    if table.nullable {
        return Err(refused(clause, "cannot be applied to the nullable side of an outer join"));
    }
    Ok(Some((Arc::clone(relation), key_column(qualifier))))
}

fn refused(clause: &ast::LockClause, why: &str) -> Error {
    Error::feature_not_supported(format!("{} {why}", lock_name(clause)))
}

fn strength(clause: &ast::LockClause) -> LockStrength {
    match lock_name(clause) {
        "FOR KEY SHARE" => LockStrength::KeyShare,
        "FOR SHARE" => LockStrength::Share,
        "FOR NO KEY UPDATE" => LockStrength::NoKeyUpdate,
        _ => LockStrength::Update,
    }
}

fn wait(clause: &ast::LockClause) -> LockWait {
    match clause.nonblock {
        None => LockWait::Block,
        Some(ast::NonBlock::Nowait) => LockWait::NoWait,
        Some(ast::NonBlock::SkipLocked) => LockWait::SkipLocked,
    }
}

/// The words of a locking clause.
pub(super) fn lock_name(clause: &ast::LockClause) -> &'static str {
    match (lock_of(clause).0, clause.lock_type) {
        (Some("no key update"), _) => "FOR NO KEY UPDATE",
        (Some("key share"), _) => "FOR KEY SHARE",
        (_, ast::LockType::Share) => "FOR SHARE",
        (_, ast::LockType::Update) => "FOR UPDATE",
    }
}

/// The row that a cursor over one table stands on; with locks it stands on all that are locked.
pub(super) fn row_under_cursor(
    from: &FromItem,
    locks: &[(BoundLock, Expr)],
) -> Option<(Arc<Relation>, Expr)> {
    let ([table], []) = (from.tables.as_slice(), locks) else { return None };
    let (relation, qualifier) = table.base.as_ref()?;
    let is_table = matches!(relation.body, RelationBody::Table { .. });
    is_table.then(|| (Arc::clone(relation), key_column(qualifier)))
}
