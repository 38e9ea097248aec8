//! CREATE and ALTER SEQUENCE, and the sequences behind serial and identity columns.

use std::sync::Arc;

use kalamdb_storage::RelationId;

use super::{
    DdlContext, change, create_table,
    grammar::{AlterSequence, CreateSequence, Name, RelationWord, SequenceOption},
    names::{self, Target},
};
use crate::{
    catalog::{
        Attribute, Identity, Relation, RelationBody, Sequence, TableKind, part::CatalogView,
        store::Place,
    },
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

/// The column a sequence belongs to.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) relation: Oid,
    pub(super) attnum: i16,
    pub(super) identity: bool,
}

pub(super) async fn create(create: &CreateSequence, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok("CREATE SEQUENCE".to_owned());
    if create_table::exists(ctx, &create.name, create.if_not_exists)? {
        return tag();
    }
    let owner = match owned_by(&create.options) {
        Some(Some((table, column))) => Some(column_owner(ctx, table, column)?),
        Some(None) | None => None,
    };
    let kind = owner.as_ref().map(|(relation, _)| kind_word(relation.kind));
    let target = names::target(ctx, &create.name, kind).await?;
    if let Some((table, _)) = &owner {
        check_linkable(table, ctx.view().role, target.schema.oid)?;
    }
    let owner = owner.map(|(_, owner)| owner);
    let name = create.name.name.clone();
    let sequence = make(ctx, &target, name, None, &create.options, owner).await?;
    change::write(ctx, |writer| writer.put_relation(sequence).map(|_| ()))?;
    tag()
}

fn kind_word(kind: TableKind) -> &'static str {
    match kind {
        TableKind::User | TableKind::System => "user",
        TableKind::Shared => "shared",
        TableKind::Private => "private",
    }
}

fn owned_by(options: &[SequenceOption]) -> Option<Option<(&Name, &str)>> {
    options.iter().rev().find_map(|option| match option {
        SequenceOption::OwnedBy(owner) => {
            Some(owner.as_ref().map(|(table, column)| (table, column.as_str())))
        }
        _ => None,
    })
}

fn column_owner(
    ctx: &dyn DdlContext,
    table: &Name,
    column: &str,
) -> Result<(Arc<Relation>, Owner)> {
    let relation = names::relation(ctx, table)?;
    names::check_table(&relation)?;
    ctx.view().check_owner(&relation)?;
    let attnum = names::require_attnum(&relation, column)?;
    let owner = Owner { relation: relation.oid, attnum, identity: false };
    Ok((relation, owner))
}

/// 55000 for a table of another owner or in another schema than the sequence's.
fn check_linkable(table: &Relation, owner: Oid, schema: Oid) -> Result<()> {
    let what = if table.owner != owner {
        "have same owner as"
    } else if table.schema != schema {
        "be in same schema as"
    } else {
        return Ok(());
    };
    let message = format!("sequence must {what} table it is linked to");
    Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
}

/// The definition of a new sequence; `ty` is that of the column behind which it is.
pub(super) async fn make(
    ctx: &mut dyn DdlContext,
    target: &Target,
    name: String,
    ty: Option<Oid>,
    options: &[SequenceOption],
    owner: Option<Owner>,
) -> Result<Relation> {
    let ty = options
        .iter()
        .rev()
        .find_map(|option| match option {
            SequenceOption::As(ty) => Some(ty.oid),
            _ => None,
        })
        .or(ty)
        .unwrap_or(Oid::INT8);
    let blank = Sequence {
        ty,
        start: 1,
        increment: 1,
        min: 1,
        max: 1,
        cache: 1,
        cycle: false,
        owned_by: owner.map(|owner| (owner.relation, owner.attnum)),
        identity: owner.is_some_and(|owner| owner.identity),
    };
    let sequence = with_options(blank, options, true)?;
    Ok(Relation {
        oid: change::allocate(ctx, target.place).await?,
        row_type: Oid(0),
        name,
        schema: target.schema.oid,
        owner: ctx.view().role,
        kind: target.kind,
        columns: columns(),
        body: RelationBody::Sequence(sequence),
        grants: None,
        options: Vec::new(),
        retyped_at: 0,
        layout: None,
    })
}

/// What `SELECT * FROM sequence` shows.
fn columns() -> Vec<Attribute> {
    let column = |name: &str, ty: PgType| Attribute {
        name: name.to_owned(),
        ty,
        not_null: true,
        dropped: false,
        default: None,
        identity: Identity::No,
        generated: false,
        missing: None,
        hidden: false,
    };
    vec![
        column("last_value", PgType::INT8),
        column("log_cnt", PgType::INT8),
        column("is_called", PgType::BOOL),
    ]
}

/// Applies options by PostgreSQL's rules; `new` fills in the defaults first.
fn with_options(mut s: Sequence, options: &[SequenceOption], new: bool) -> Result<Sequence> {
    let (type_min, type_max) = match s.ty {
        Oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Oid::INT8 => (i64::MIN, i64::MAX),
        _ => {
            return Err(Error::invalid_parameter_value(
                "sequence type must be smallint, integer, or bigint",
            ));
        }
    };
    let (mut min, mut max, mut start) = (None, None, None);
    for option in options {
        match option {
            SequenceOption::Increment(0) => {
                return Err(Error::invalid_parameter_value("INCREMENT must not be zero"));
            }
            SequenceOption::Increment(by) => s.increment = *by,
            SequenceOption::Min(value) => min = Some(*value),
            SequenceOption::Max(value) => max = Some(*value),
            SequenceOption::Start(value) => start = Some(*value),
            SequenceOption::Cache(count) if *count < 1 => {
                return Err(Error::invalid_parameter_value(format!(
                    "CACHE ({count}) must be greater than zero"
                )));
            }
            SequenceOption::Cache(count) => s.cache = *count,
            SequenceOption::Cycle(yes) => s.cycle = *yes,
            SequenceOption::Twice(error) => return Err(error.clone()),
            SequenceOption::Named(_) => {
                return Err(Error::syntax_error("invalid sequence option SEQUENCE NAME"));
            }
            SequenceOption::As(_) | SequenceOption::Restart(_) | SequenceOption::OwnedBy(_) => {}
        }
    }
    let (default_min, default_max) = if s.increment > 0 { (1, type_max) } else { (type_min, -1) };
    match (min, new) {
        (Some(value), _) => s.min = value.unwrap_or(default_min),
        (None, true) => s.min = default_min,
        (None, false) => {}
    }
    match (max, new) {
        (Some(value), _) => s.max = value.unwrap_or(default_max),
        (None, true) => s.max = default_max,
        (None, false) => {}
    }
    let default_start = if s.increment > 0 { s.min } else { s.max };
    match (start, new) {
        (Some(value), _) => s.start = value,
        (None, true) => s.start = default_start,
        (None, false) => {}
    }
    check_bounds(&s, type_min, type_max)?;
    Ok(s)
}

fn check_bounds(s: &Sequence, type_min: i64, type_max: i64) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid_parameter_value(message));
    let ty = PgType::plain(s.ty).name();
    if s.max > type_max || s.max < type_min {
        return wrong(format!("MAXVALUE ({}) is out of range for sequence data type {ty}", s.max));
    }
    if s.min > type_max || s.min < type_min {
        return wrong(format!("MINVALUE ({}) is out of range for sequence data type {ty}", s.min));
    }
    if s.min >= s.max {
        return wrong(format!("MINVALUE ({}) must be less than MAXVALUE ({})", s.min, s.max));
    }
    if s.start < s.min {
        return wrong(format!(
            "START value ({}) cannot be less than MINVALUE ({})",
            s.start, s.min
        ));
    }
    if s.start > s.max {
        return wrong(format!(
            "START value ({}) cannot be greater than MAXVALUE ({})",
            s.start, s.max
        ));
    }
    Ok(())
}

pub(super) async fn alter(alter: &AlterSequence, ctx: &mut dyn DdlContext) -> Result<String> {
    let tag = || Ok("ALTER SEQUENCE".to_owned());
    let relation = match names::relation(ctx, &alter.name) {
        Err(error) if alter.if_exists && error.sqlstate == SqlState::UNDEFINED_TABLE => {
            change::skipping(ctx, format!("{}, skipping", error.message));
            return tag();
        }
        other => other?,
    };
    names::check_word(&relation, RelationWord::Sequence)?;
    ctx.view().check_owner(&relation)?;
    let relation = change::lock_relation(ctx, &relation).await?;
    let changed = altered(ctx, &relation, &alter.options)?;
    change::write(ctx, |writer| writer.put_relation(changed).map(|_| ()))?;
    restart(ctx, &relation, &alter.options)?;
    tag()
}

/// The definition after `options`.
pub(super) fn altered(
    ctx: &dyn DdlContext,
    relation: &Relation,
    options: &[SequenceOption],
) -> Result<Relation> {
    let RelationBody::Sequence(old) = &relation.body else {
        return Err(Error::wrong_object_type(&relation.name, "a sequence"));
    };
    let mut sequence = old.clone();
    for option in options {
        if let SequenceOption::As(ty) = option {
            retype(&mut sequence, ty.oid);
        }
    }
    let mut sequence = with_options(sequence, options, false)?;
    match owned_by(options) {
        Some(_) if old.identity => {
            return Err(Error::feature_not_supported(
                "cannot change ownership of identity sequence",
            )
            .with_detail(format!("Sequence \"{}\" is linked to a table.", relation.name)));
        }
        Some(Some((table, column))) => {
            let (table, owner) = column_owner(ctx, table, column)?;
            check_linkable(&table, relation.owner, relation.schema)?;
            if table.kind != relation.kind {
                return Err(Error::feature_not_supported(
                    "a sequence and the table it is linked to must be of the same kind",
                ));
            }
            sequence.owned_by = Some((owner.relation, owner.attnum));
        }
        Some(None) => sequence.owned_by = None,
        None => {}
    }
    Ok(Relation { body: RelationBody::Sequence(sequence), ..relation.clone() })
}

/// ALTER SEQUENCE AS moves bounds that were the old type's.
fn retype(sequence: &mut Sequence, ty: Oid) {
    let bounds = |ty: Oid| match ty {
        Oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (old, new) = (bounds(sequence.ty), bounds(ty));
    if sequence.max == old.1 {
        sequence.max = new.1;
    }
    if sequence.min == old.0 {
        sequence.min = new.0;
    }
    sequence.ty = ty;
}

/// RESTART, in the own namespace: values are no part of the definition.
pub(super) fn restart(
    ctx: &mut dyn DdlContext,
    relation: &Relation,
    options: &[SequenceOption],
) -> Result<()> {
    for option in options {
        let SequenceOption::Restart(value) = option else { continue };
        let view = ctx.view();
        let current = view.relation_by_oid(relation.oid);
        let Some(RelationBody::Sequence(sequence)) = current.as_ref().map(|r| &r.body) else {
            continue;
        };
        let value = value.unwrap_or(sequence.start);
        if value < sequence.min || value > sequence.max {
            let (bound, limit, word) = if value < sequence.min {
                ("less", sequence.min, "MINVALUE")
            } else {
                ("greater", sequence.max, "MAXVALUE")
            };
            return Err(Error::invalid_parameter_value(format!(
                "RESTART value ({value}) cannot be {bound} than {word} ({limit})"
            )));
        }
        set(ctx, relation, value);
    }
    Ok(())
}

/// Sets what the sequence gives next in the own namespace, when the transaction commits.
pub(super) fn set(ctx: &mut dyn DdlContext, sequence: &Relation, next: i64) {
    let view = ctx.view();
    let id = change::sequence_namespace(&view, sequence);
    let namespace = ctx.catalogs().namespace(&view.cluster, id);
    ctx.changes().1.set_sequence(&namespace, RelationId(sequence.oid.0), next, false);
}

/// The sequences that belong to a column (or with `None`, to any column) of a table.
pub(super) fn owned_sequences(
    view: &CatalogView,
    table: Oid,
    attnum: Option<i16>,
) -> Vec<Arc<Relation>> {
    let part = match Place::of(table) {
        Place::Shared => &view.shared,
        Place::Private => &view.private,
    };
    let mut found: Vec<_> = part
        .relations()
        .filter(|relation| match &relation.body {
            RelationBody::Sequence(sequence) => sequence.owned_by.is_some_and(|(owner, number)| {
                owner == table && attnum.is_none_or(|wanted| wanted == number)
            }),
            RelationBody::Table { .. } | RelationBody::View { .. } | RelationBody::System => false,
        })
        .cloned()
        .collect();
    found.sort_by_key(|relation| relation.oid);
    found
}
