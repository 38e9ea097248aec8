//! pg_index, pg_constraint, pg_depend, pg_description.

use std::sync::Arc;

use super::{
    access, class,
    rows::{Filter, Rows},
};
use crate::{
    catalog::{Class, ConstraintKind, Relation, RelationBody, layout::attribute_place},
    context::ExecutionContext,
    error::Result,
    types::{Oid, builtin},
};

const PG_CLASS: Oid = Oid(1259);
const PG_CONSTRAINT: Oid = Oid(2606);
const PG_ATTRDEF: Oid = Oid(2604);
const PG_NAMESPACE: Oid = Oid(2615);
const PG_REWRITE: Oid = Oid(2618);
const PG_DATABASE: Oid = Oid(1262);
const PG_AUTHID: Oid = Oid(1260);

pub(super) fn indexes(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let wanted = filter.oid("indrelid").or(filter.oid("indexrelid"));
    for table in class::all(&context.catalog, wanted) {
        for index in table.indexes() {
            let count = |columns: usize| i16::try_from(columns).unwrap_or(i16::MAX);
            let shown = |attnum: i16| match table.columns[attribute_place(attnum)].hidden {
                true => 0,
                false => i64::from(attnum),
            };
            let expressions: Vec<String> = index
                .columns
                .iter()
                .filter(|column| shown(column.attnum) == 0)
                .map(|column| table.index_column_text(column.attnum))
                .collect();
            let keys = index.columns.iter().map(|column| column.attnum);
            let types = index.columns.iter().map(|c| table.columns[attribute_place(c.attnum)].ty);
            let collation = |oid: Oid| builtin(oid).map_or(0, |entry| i64::from(entry.collation.0));
            let options = index
                .columns
                .iter()
                .map(|column| i64::from(column.descending) | i64::from(column.nulls_first) << 1);
            rows.add()
                .set("indexrelid", index.oid)
                .set("indrelid", table.oid)
                .set("indnatts", count(index.columns.len() + index.included.len()))
                .set("indnkeyatts", count(index.columns.len()))
                .set("indisunique", index.unique)
                .set("indnullsnotdistinct", !index.nulls_distinct)
                .set("indisprimary", index.primary)
                .set("indimmediate", true)
                .set("indisvalid", true)
                .set("indisready", true)
                .set("indislive", true)
                .set(
                    "indkey",
                    keys.chain(index.included.iter().copied()).map(shown).collect::<Vec<i64>>(),
                )
                .set("indexprs", (!expressions.is_empty()).then(|| expressions.join(", ")))
                .set("indpred", table.index_predicate(index))
                .set("indcollation", types.clone().map(|ty| collation(ty.oid)).collect::<Vec<_>>())
                .set(
                    "indclass",
                    types.map(|ty| i64::from(access::operator_class(ty.oid).0)).collect::<Vec<_>>(),
                )
                .set("indoption", options.collect::<Vec<i64>>());
        }
    }
    Ok(())
}

pub(super) fn constraints(
    context: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let by_oid = filter
        .oid("oid")
        .map(|oid| context.catalog.constraint_by_oid(oid).map_or(oid, |(table, _)| table.oid));
    for table in class::all(&context.catalog, filter.oid("conrelid").or(by_oid)) {
        for constraint in table.constraints() {
            let (kind, index, columns, expression) = match &constraint.kind {
                ConstraintKind::PrimaryKey { index } => ('p', *index, key(&table, *index), None),
                ConstraintKind::Unique { index } => ('u', *index, key(&table, *index), None),
                ConstraintKind::Check { expression, columns } => {
                    let columns = columns.iter().map(|c| i64::from(*c)).collect();
                    ('c', Oid(0), columns, Some(expression.as_str()))
                }
            };
            rows.add()
                .set("oid", constraint.oid)
                .set("conname", constraint.name.as_str())
                .set("connamespace", table.schema)
                .set("contype", kind)
                .set("convalidated", true)
                .set("conrelid", table.oid)
                .set("conindid", index)
                .set("confupdtype", ' ')
                .set("confdeltype", ' ')
                .set("confmatchtype", ' ')
                .set("conislocal", true)
                .set("connoinherit", kind != 'c')
                .set("conkey", columns)
                .set("conbin", expression);
        }
    }
    Ok(())
}

fn key(table: &Relation, index: Oid) -> Vec<i64> {
    let found = table.indexes().iter().find(|candidate| candidate.oid == index);
    found.map_or_else(Vec::new, |index| index.columns.iter().map(|c| i64::from(c.attnum)).collect())
}

/// Dependencies follow from the definitions: sequences on their columns, indexes and constraints
/// on their tables, defaults on their sequences, views on what they name.
pub(super) fn depends(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    let mut add = |object: (Oid, i64, i64), on: (Oid, Oid, i64), kind: char| {
        rows.add()
            .set("classid", object.0)
            .set("objid", object.1)
            .set("objsubid", object.2)
            .set("refclassid", on.0)
            .set("refobjid", on.1)
            .set("refobjsubid", on.2)
            .set("deptype", kind);
    };
    for relation in view.shared.relations().chain(view.private.relations()) {
        let class = (PG_CLASS, i64::from(relation.oid.0), 0);
        add(class, (PG_NAMESPACE, relation.schema, 0), 'n');
        if let RelationBody::Sequence(sequence) = &relation.body
            && let Some((table, attnum)) = sequence.owned_by
        {
            let kind = if sequence.identity { 'i' } else { 'a' };
            add(class, (PG_CLASS, table, i64::from(attnum)), kind);
        }
        for constraint in relation.constraints() {
            let object = (PG_CONSTRAINT, i64::from(constraint.oid.0), 0);
            let (columns, index) = match &constraint.kind {
                ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => {
                    (key(relation, *index), Some(*index))
                }
                ConstraintKind::Check { columns, .. } => {
                    (columns.iter().map(|c| i64::from(*c)).collect(), None)
                }
            };
            for column in columns {
                add(object, (PG_CLASS, relation.oid, column), 'a');
            }
            if let Some(index) = index {
                let index = (PG_CLASS, i64::from(index.0), 0);
                add(index, (PG_CONSTRAINT, constraint.oid, 0), 'i');
            }
        }
        for index in relation.indexes() {
            let served = relation.constraints().iter().any(|constraint| match constraint.kind {
                ConstraintKind::PrimaryKey { index: oid }
                | ConstraintKind::Unique { index: oid } => oid == index.oid,
                ConstraintKind::Check { .. } => false,
            });
            if served {
                continue;
            }
            for column in &index.columns {
                let object = (PG_CLASS, i64::from(index.oid.0), 0);
                add(object, (PG_CLASS, relation.oid, i64::from(column.attnum)), 'a');
            }
        }
        for (attnum, column) in relation.shown_columns() {
            let Some(default) = &column.default else { continue };
            let object = (PG_ATTRDEF, class::default_oid(relation.oid, attnum), 0);
            add(object, (PG_CLASS, relation.oid, i64::from(attnum)), 'a');
            for sequence in crate::exec::ddl::sequences_of_default(default) {
                add(object, (PG_CLASS, sequence, 0), 'n');
            }
        }
        if matches!(relation.body, RelationBody::View { .. }) {
            let rule = (PG_REWRITE, class::default_oid(relation.oid, 0), 0);
            add(rule, (PG_CLASS, relation.oid, 0), 'i');
            for needed in crate::exec::ddl::relations_of_view(view, relation) {
                add(rule, (PG_CLASS, needed, 0), 'n');
            }
        }
    }
    Ok(())
}

pub(super) fn descriptions(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let view = &context.catalog;
    for description in view.shared.descriptions().chain(view.private.descriptions()) {
        let class = match description.class {
            Class::Relation => PG_CLASS,
            Class::Schema => PG_NAMESPACE,
            Class::Constraint => PG_CONSTRAINT,
            _ => continue,
        };
        rows.add()
            .set("objoid", description.oid)
            .set("classoid", class)
            .set("objsubid", description.sub)
            .set("description", description.text.as_str());
    }
    Ok(())
}

pub(super) fn shared_descriptions(
    context: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for description in context.catalog.cluster.descriptions() {
        let class = match description.class {
            Class::Database => PG_DATABASE,
            Class::Role => PG_AUTHID,
            _ => continue,
        };
        rows.add()
            .set("objoid", description.oid)
            .set("classoid", class)
            .set("description", description.text.as_str());
    }
    Ok(())
}
