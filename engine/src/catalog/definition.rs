//! The definitions themselves: plain values, serialised as JSON into the system relations.

use std::sync::Arc;

use kalamdb_storage::{Layout, NamespaceId};
use serde::{Deserialize, Serialize};

use crate::types::{Oid, PgType};

/// Who is asked when a statement names an object: the class half of a dependency or a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Class {
    Database,
    Role,
    Membership,
    Schema,
    Relation,
    Setting,
    Description,
    Statistic,
    Migration,
    Secret,
    Constraint,
}

/// `COMMENT ON`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) class: Class,
    pub(crate) oid: Oid,
    /// The attnum of a column, else 0.
    pub(crate) sub: i32,
    pub(crate) text: String,
}

impl Description {
    /// What it is about; there is one description of each.
    pub(crate) fn key(&self) -> (Class, Oid, i32) {
        (self.class, self.oid, self.sub)
    }
}

/// What ANALYZE found about one relation in one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statistic {
    pub(crate) relation: Oid,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Microseconds since 1970.
    pub(crate) analyzed_at: i64,
    /// By attnum.
    pub(crate) columns: Vec<ColumnStatistic>,
}

/// What ANALYZE found about one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnStatistic {
    pub(crate) attnum: i16,
    /// Between 0 and 1.
    pub(crate) null_fraction: f64,
    /// Bytes.
    pub(crate) average_width: u32,
    /// As `pg_stats.n_distinct`: negative is a fraction of the rows.
    pub(crate) distinct: f64,
}

/// A role of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) superuser: bool,
    pub(crate) inherit: bool,
    pub(crate) create_role: bool,
    pub(crate) create_db: bool,
    pub(crate) login: bool,
    pub(crate) replication: bool,
    pub(crate) bypass_rls: bool,
    /// -1: no limit.
    pub(crate) connection_limit: i32,
    /// A SCRAM-SHA-256 verifier in PostgreSQL's form, `SCRAM-SHA-256$4096:salt$stored:server`.
    pub(crate) verifier: Option<String>,
    /// Microseconds since 1970 after which the password no longer counts.
    pub(crate) valid_until: Option<i64>,
    /// `ALTER ROLE ... SET name = value`.
    #[serde(default)]
    pub(crate) settings: Vec<(String, String)>,
}

/// `GRANT role TO member`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub(crate) oid: Oid,
    pub(crate) role: Oid,
    pub(crate) member: Oid,
    pub(crate) grantor: Oid,
    pub(crate) admin_option: bool,
}

/// A database: one set of shared definitions, and one namespace per role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) owner: Oid,
}

/// A SQL schema, shared or private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) owner: Oid,
    /// `None`: PostgreSQL's default for a new schema.
    #[serde(default)]
    pub(crate) grants: Option<Vec<Grant>>,
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// 0: PUBLIC.
    pub(crate) grantee: Oid,
    pub(crate) grantor: Oid,
    /// PostgreSQL's letters, `arwdDxt` for relations, `UC` for schemas; `*` after a letter is its
    /// grant option.
    pub(crate) privileges: String,
}

/// Where a relation's rows are and who sees its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum TableKind {
    /// One definition, one physical table per namespace.
    User,
    /// One physical table for all, in the shared namespace.
    Shared,
    /// Definition and rows in one namespace.
    Private,
    /// Rows made up by the server: `pg_catalog`.
    System,
}

/// Anything in `pg_class` but indexes, which live inside their table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Relation {
    pub(crate) oid: Oid,
    /// OID of the row type and of its array, as in `pg_type`.
    pub(crate) row_type: Oid,
    pub(crate) name: String,
    pub(crate) schema: Oid,
    pub(crate) owner: Oid,
    pub(crate) kind: TableKind,
    /// `attnum` is the place in this list plus one; dropped attributes stay.
    pub(crate) columns: Vec<Attribute>,
    pub(crate) body: RelationBody,
    /// `None`: the default for a new relation, see [`Relation::effective_grants`].
    #[serde(default)]
    pub(crate) grants: Option<Vec<Grant>>,
    /// `WITH (...)` as given, the kind apart.
    #[serde(default)]
    pub(crate) options: Vec<(String, String)>,
    /// The LSN up to which the log has rows of another form, since a column changed its type; 0
    /// for most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retyped_at: u64,
    /// Built when the definition is loaded; tables only.
    #[serde(skip)]
    pub(crate) layout: Option<Arc<Layout>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What tells the kinds of relation apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum RelationBody {
    /// A table of rows in storage.
    Table {
        /// Primary key, unique, check constraints.
        constraints: Vec<Constraint>,
        /// Secondary indexes, those of unique constraints included; the primary key's index as
        /// well (for its name and OID), though its entries are the rows themselves.
        indexes: Vec<Index>,
    },
    /// A view: its SELECT as PostgreSQL would print it, and the search path it was made under.
    View { query: String, search_path: Vec<String> },
    /// A sequence.
    Sequence(Sequence),
    /// A system relation whose rows are made up by the server, by OID.
    System,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) ty: PgType,
    pub(crate) not_null: bool,
    pub(crate) dropped: bool,
    /// SQL text of the default or generation expression, names fully qualified where needed.
    pub(crate) default: Option<String>,
    pub(crate) identity: Identity,
    /// `GENERATED ALWAYS AS (default) STORED`.
    pub(crate) generated: bool,
    /// Text form of the value that rows older than the column have.
    pub(crate) missing: Option<String>,
    /// Computed for an index, and no column of the table to anybody: see [`Index::columns`].
    #[serde(default)]
    pub(crate) hidden: bool,
}

/// `GENERATED ... AS IDENTITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Identity {
    No,
    Always,
    ByDefault,
}

/// A table constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Constraint {
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) kind: ConstraintKind,
}

/// What a constraint asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ConstraintKind {
    /// Served by the index with this OID.
    PrimaryKey { index: Oid },
    /// Served by the index with this OID.
    Unique { index: Oid },
    /// SQL text of a boolean expression over the row; `columns` are the attnums it names.
    Check { expression: String, columns: Vec<i16> },
}

/// An index. Columns are attnums.
///
/// Storage indexes columns. What an index computes is kept in the rows as a hidden generated
/// column: an expression as itself, a predicate as true where it holds and else NULL. So a unique
/// index with a predicate is one over its columns and that one: rows outside never meet another.
/// Its entries are those of all rows, which a query may use as those of any index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) oid: Oid,
    pub(crate) name: String,
    /// Of an expression: its hidden column.
    pub(crate) columns: Vec<IndexColumn>,
    /// The hidden column of `WHERE`.
    #[serde(default)]
    pub(crate) predicate: Option<i16>,
    /// `INCLUDE`: carried by name alone, since entries lead to rows and rows have everything.
    #[serde(default)]
    pub(crate) included: Vec<i16>,
    pub(crate) unique: bool,
    pub(crate) primary: bool,
    pub(crate) nulls_distinct: bool,
}

/// One column of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexColumn {
    pub(crate) attnum: i16,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// A sequence's parameters; its state is in storage, per namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sequence {
    pub(crate) ty: Oid,
    pub(crate) start: i64,
    pub(crate) increment: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) cache: i64,
    pub(crate) cycle: bool,
    /// (relation, attnum) of the column that owns it.
    pub(crate) owned_by: Option<(Oid, i16)>,
    /// The owner came by `GENERATED AS IDENTITY`, not by `serial`.
    pub(crate) identity: bool,
}

impl Relation {
    /// Live columns with their attnums, in order.
    pub(crate) fn live_columns(&self) -> impl Iterator<Item = (i16, &Attribute)> {
        (1..).zip(&self.columns).filter(|(_, column)| !column.dropped)
    }

    /// The live columns that anybody may name.
    pub(crate) fn shown_columns(&self) -> impl Iterator<Item = (i16, &Attribute)> {
        self.live_columns().filter(|(_, column)| !column.hidden)
    }

    /// A column of an index as PostgreSQL prints it.
    pub(crate) fn index_column_text(&self, attnum: i16) -> String {
        let attribute = &self.columns[super::layout::attribute_place(attnum)];
        match &attribute.default {
            Some(text) if attribute.hidden && is_call(text) => text.clone(),
            Some(text) if attribute.hidden => format!("({text})"),
            _ => super::part::quote_identifier(&attribute.name),
        }
    }

    /// The predicate of an index.
    pub(crate) fn index_predicate(&self, index: &Index) -> Option<&str> {
        let attribute = &self.columns[super::layout::attribute_place(index.predicate?)];
        let text = attribute.default.as_deref()?;
        text.strip_prefix(PREDICATE_START)?.strip_suffix(PREDICATE_END)
    }

    /// The table's indexes; empty for other relations.
    pub(crate) fn indexes(&self) -> &[Index] {
        match &self.body {
            RelationBody::Table { indexes, .. } => indexes,
            RelationBody::View { .. } | RelationBody::Sequence(_) | RelationBody::System => &[],
        }
    }

    /// The table's constraints; empty for other relations.
    pub(crate) fn constraints(&self) -> &[Constraint] {
        match &self.body {
            RelationBody::Table { constraints, .. } => constraints,
            RelationBody::View { .. } | RelationBody::Sequence(_) | RelationBody::System => &[],
        }
    }

    /// The primary key's index.
    pub(crate) fn primary_key(&self) -> Option<&Index> {
        self.indexes().iter().find(|index| index.primary)
    }
}

/// What stands around a predicate to make it NULL where it doesn't hold.
pub(crate) const PREDICATE_START: &str = "NULLIF((";
pub(crate) const PREDICATE_END: &str = "), false)";

/// Whether an expression is one call of a function: only then PostgreSQL leaves parentheses out.
fn is_call(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.len() < text.len()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let mut depth = 0;
    let closes_last = text.char_indices().all(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth > 0 || at < name.len() || at + 1 == text.len()
    });
    is_name && closes_last
}

/// Private definitions have OIDs from here on, shared ones lie below, so a session's view never
/// meets the same OID twice although each namespace counts its own.
pub(crate) const FIRST_PRIVATE_OID: u32 = 0x8000_0000;
/// As in PostgreSQL: OIDs below belong to the system.
pub(crate) const FIRST_NORMAL_OID: u32 = 16384;

/// The namespace of `role` in `database`; with role 0 the shared one. The cluster's is 0.
pub(crate) fn namespace_id(database: Oid, role: Oid) -> NamespaceId {
    NamespaceId(u64::from(database.0) << 32 | u64::from(role.0))
}

/// The role whose namespace this is; `None` for those of a database and of the cluster.
pub(crate) fn role_of(namespace: NamespaceId) -> Option<Oid> {
    let role = Oid((namespace.0 & 0xffff_ffff) as u32);
    (role != Oid(0)).then_some(role)
}

/// OIDs are plain numbers at rest.
impl Serialize for Oid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Oid)
    }
}

/// A type at rest is `[oid, typmod]`.
impl Serialize for PgType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.oid, self.typmod).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PgType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(Oid, i32)>::deserialize(deserializer).map(|(oid, typmod)| PgType { oid, typmod })
    }
}
