//! The parts a session's catalog is put together from, and the view over them.
//!
//! All parts are immutable values behind `Arc`s. A definition statement makes a changed copy
//! (cheap: [`SharedMap`]) which its transaction alone sees until it commits.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use kalamdb_storage::{Namespace, NamespaceId};

use crate::{
    catalog::{
        Class, Constraint, Description, FIRST_PRIVATE_OID, Index, Relation, RelationBody, Role,
        Schema, Statistic, TableKind, map::SharedMap, namespace_id, system,
    },
    error::{Error, Result},
    types::Oid,
};

pub(crate) use super::cluster::Cluster;

/// The schema of the system relations.
pub(crate) const PG_CATALOG: Oid = Oid(11);
/// The schema `public` of a new database.
pub(crate) const PUBLIC_SCHEMA: Oid = Oid(2200);
/// The schema of the standard's views.
pub(crate) const INFORMATION_SCHEMA: Oid = Oid(13000);
/// The superuser of the first start.
pub(crate) const BOOTSTRAP_ROLE: Oid = Oid(10);
/// PostgreSQL's role that stands for the owner of the current database.
pub(crate) const DATABASE_OWNER_ROLE: Oid = Oid(6171);

/// A number no other version of any part in this process has. 0 is the empty private part, which
/// all namespaces without private definitions share (and with it all cached plans).
pub(crate) fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a name in `pg_class` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Relation(Oid),
    Index { index: Oid, table: Oid },
}

/// The definitions of one namespace: those all of a database share, or one role's private ones.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) version: u64,
    schemas: SharedMap<Oid, Arc<Schema>>,
    schema_names: SharedMap<String, Oid>,
    relations: SharedMap<Oid, Arc<Relation>>,
    /// Relations and indexes by name, then by schema.
    names: SharedMap<String, Vec<(Oid, Named)>>,
    /// Index to table.
    indexes: SharedMap<Oid, Oid>,
    /// Constraint to table.
    constraints: SharedMap<Oid, Oid>,
    /// Row type to relation.
    row_types: SharedMap<Oid, Oid>,
    descriptions: SharedMap<(Class, Oid, i32), Arc<Description>>,
    statistics: SharedMap<Oid, Arc<Statistic>>,
    /// Migrations that were applied (shared parts only).
    migrations: SharedMap<Oid, String>,
}

impl Part {
    /// A part without definitions.
    pub(crate) fn new() -> Self {
        Part {
            version: 0,
            schemas: SharedMap::default(),
            schema_names: SharedMap::default(),
            relations: SharedMap::default(),
            names: SharedMap::default(),
            indexes: SharedMap::default(),
            constraints: SharedMap::default(),
            row_types: SharedMap::default(),
            descriptions: SharedMap::default(),
            statistics: SharedMap::default(),
            migrations: SharedMap::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.schemas.is_empty() && self.relations.is_empty() && self.descriptions.is_empty()
    }

    /// Whether a schema, relation, row type or index of this part has this number.
    fn knows(&self, oid: Oid) -> bool {
        self.relations.get(&oid).is_some()
            || self.schemas.get(&oid).is_some()
            || self.row_types.get(&oid).is_some()
            || self.indexes.get(&oid).is_some()
    }

    pub(crate) fn schema_by_oid(&self, oid: Oid) -> Option<&Arc<Schema>> {
        self.schemas.get(&oid)
    }

    pub(crate) fn schema_by_name(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.get(self.schema_names.get(name)?)
    }

    pub(crate) fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.values()
    }

    pub(crate) fn relation_by_oid(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid)
    }

    pub(crate) fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// What a name in a schema stands for.
    pub(crate) fn named(&self, schema: Oid, name: &str) -> Option<Named> {
        let list = self.names.get(name)?;
        list.iter().find(|(place, _)| *place == schema).map(|(_, named)| *named)
    }

    /// The relation with this name in this schema, indexes apart.
    pub(crate) fn relation_by_name(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        match self.named(schema, name)? {
            Named::Relation(oid) => self.relations.get(&oid),
            Named::Index { .. } => None,
        }
    }

    /// The table that an index belongs to.
    pub(crate) fn table_of_index(&self, index: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(self.indexes.get(&index)?)
    }

    /// The table that a constraint belongs to.
    pub(crate) fn table_of_constraint(&self, constraint: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(self.constraints.get(&constraint)?)
    }

    /// The relation whose row type (or whose array type, one above it) this is.
    pub(crate) fn relation_by_row_type(&self, ty: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(self.row_types.get(&ty)?)
    }

    pub(crate) fn description(&self, class: Class, oid: Oid, sub: i32) -> Option<&str> {
        self.descriptions.get(&(class, oid, sub)).map(|d| d.text.as_str())
    }

    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &Arc<Description>> {
        self.descriptions.values()
    }

    pub(crate) fn statistic(&self, relation: Oid) -> Option<&Arc<Statistic>> {
        self.statistics.get(&relation)
    }

    pub(crate) fn migration(&self, number: u32) -> Option<&str> {
        self.migrations.get(&Oid(number)).map(String::as_str)
    }

    pub(crate) fn put_schema(&mut self, schema: Arc<Schema>) {
        if let Some(old) = self.schemas.get(&schema.oid) {
            let name = old.name.clone();
            self.schema_names.remove(&name);
        }
        self.schema_names.insert(schema.name.clone(), schema.oid);
        self.schemas.insert(schema.oid, schema);
    }

    pub(crate) fn remove_schema(&mut self, oid: Oid) {
        if let Some(old) = self.schemas.remove(&oid) {
            self.schema_names.remove(&old.name);
        }
    }

    pub(crate) fn put_relation(&mut self, relation: Arc<Relation>) {
        self.remove_relation(relation.oid);
        self.put_name(&relation.name, relation.schema, Named::Relation(relation.oid));
        for index in relation.indexes() {
            let named = Named::Index { index: index.oid, table: relation.oid };
            self.put_name(&index.name, relation.schema, named);
            self.indexes.insert(index.oid, relation.oid);
        }
        for constraint in relation.constraints() {
            self.constraints.insert(constraint.oid, relation.oid);
        }
        if relation.row_type != Oid(0) {
            self.row_types.insert(relation.row_type, relation.oid);
            self.row_types.insert(Oid(relation.row_type.0 + 1), relation.oid);
        }
        self.relations.insert(relation.oid, relation);
    }

    pub(crate) fn remove_relation(&mut self, oid: Oid) {
        let Some(old) = self.relations.remove(&oid) else { return };
        self.remove_name(&old.name, old.schema);
        for index in old.indexes() {
            self.remove_name(&index.name, old.schema);
            self.indexes.remove(&index.oid);
        }
        for constraint in old.constraints() {
            self.constraints.remove(&constraint.oid);
        }
        if old.row_type != Oid(0) {
            self.row_types.remove(&old.row_type);
            self.row_types.remove(&Oid(old.row_type.0 + 1));
        }
    }

    pub(crate) fn put_description(&mut self, description: Arc<Description>) {
        self.descriptions.insert(description.key(), description);
    }

    pub(crate) fn remove_description(&mut self, key: (Class, Oid, i32)) {
        self.descriptions.remove(&key);
    }

    pub(crate) fn put_statistic(&mut self, statistic: Arc<Statistic>) {
        self.statistics.insert(statistic.relation, statistic);
    }

    pub(crate) fn remove_statistic(&mut self, relation: Oid) {
        self.statistics.remove(&relation);
    }

    pub(crate) fn put_migration(&mut self, number: u32, name: String) {
        self.migrations.insert(Oid(number), name);
    }

    fn put_name(&mut self, name: &str, schema: Oid, named: Named) {
        let mut list = self.names.get(name).cloned().unwrap_or_default();
        list.retain(|(place, _)| *place != schema);
        list.push((schema, named));
        self.names.insert(name.to_owned(), list);
    }

    fn remove_name(&mut self, name: &str, schema: Oid) {
        let Some(list) = self.names.get(name) else { return };
        let mut list = list.clone();
        list.retain(|(place, _)| *place != schema);
        if list.is_empty() {
            self.names.remove(name);
        } else {
            self.names.insert(name.to_owned(), list);
        }
    }
}

/// What one session sees at one moment.
#[derive(Clone, Debug)]
pub(crate) struct CatalogView {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) database: Oid,
    pub(crate) shared: Arc<Part>,
    /// The private definitions of `role`'s namespace.
    pub(crate) private: Arc<Part>,
    /// `current_user`.
    pub(crate) role: Oid,
    /// The capabilities for the role's namespace and the shared one, once somebody asked.
    pub(crate) namespaces: OnceLock<(Namespace, Namespace)>,
    /// The name of the session's schema for temporary objects, whether it is there or not.
    pub(crate) temporary: Option<Arc<str>>,
}

/// Begins the names of schemas for temporary objects.
pub(crate) const TEMPORARY_PREFIX: &str = "pg_temp_";

/// Look-ups by name and OID.
impl CatalogView {
    /// Shared and private version: the plan cache's key. Privileges are no part of a plan, so the
    /// cluster's version isn't either.
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.shared.version, self.private.version)
    }

    /// The namespace of `current_user`.
    pub(crate) fn own_namespace(&self) -> NamespaceId {
        namespace_id(self.database, self.role)
    }

    /// The namespace of shared rows.
    pub(crate) fn shared_namespace(&self) -> NamespaceId {
        namespace_id(self.database, Oid(0))
    }

    /// The namespace that holds `relation`'s rows for this session.
    pub(crate) fn namespace_of(&self, relation: &Relation) -> NamespaceId {
        match relation.kind {
            TableKind::Shared => self.shared_namespace(),
            TableKind::User | TableKind::Private | TableKind::System => self.own_namespace(),
        }
    }

    /// A relation by name: in `schema`, else along `search_path`, with `pg_catalog` first where
    /// the path doesn't name it and `$user` as the role's name. Private before shared. Indexes
    /// are not found: see [`CatalogView::find_named`].
    pub(crate) fn find_relation(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &[String],
    ) -> Option<Arc<Relation>> {
        self.path(schema, search_path).into_iter().find_map(|schema| self.relation_in(schema, name))
    }

    /// As [`CatalogView::find_relation`], for a name in a stored text: what it meant to whoever
    /// stored it doesn't depend on what the reader may use.
    pub(crate) fn find_stored(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &[String],
    ) -> Option<Arc<Relation>> {
        let path = match schema {
            Some(_) => self.path(schema, search_path),
            None => self.schemas_along(search_path, true, |_| true),
        };
        path.into_iter().find_map(|schema| self.relation_in(schema, name))
    }

    /// As [`CatalogView::find_relation`], indexes as well.
    pub(crate) fn find_named(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &[String],
    ) -> Option<Named> {
        self.path(schema, search_path).into_iter().find_map(|schema| self.named_in(schema, name))
    }

    /// As [`CatalogView::find_relation`], with 42P01 where there is none and 42501 where the
    /// schema may not be used.
    pub(crate) fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &[String],
    ) -> Result<Arc<Relation>> {
        self.check_named_schema(schema)?;
        self.find_relation(schema, name, search_path).ok_or_else(|| match schema {
            Some(schema) => Error::undefined_table(&format!("{schema}.{name}")),
            None => Error::undefined_table(name),
        })
    }

    /// 42501 where a name is qualified with a schema that the role may not use: whether something
    /// of that name is there it doesn't learn.
    pub(crate) fn check_named_schema(&self, schema: Option<&str>) -> Result<()> {
        match schema.and_then(|name| self.schema_by_name(name)) {
            Some(schema) => {
                self.check_temporary(&schema)?;
                self.check_schema(&schema, 'U')
            }
            None => Ok(()),
        }
    }

    /// A relation by OID, wherever this session may see it.
    pub(crate) fn relation_by_oid(&self, oid: Oid) -> Option<Arc<Relation>> {
        self.part_of(oid).relation_by_oid(oid).cloned()
    }

    /// An index and its table by the index's OID.
    pub(crate) fn index_by_oid(&self, oid: Oid) -> Option<(Arc<Relation>, Index)> {
        let table = self.part_of(oid).table_of_index(oid)?;
        let index = table.indexes().iter().find(|index| index.oid == oid)?;
        Some((Arc::clone(table), index.clone()))
    }

    /// A constraint and its table by the constraint's OID.
    pub(crate) fn constraint_by_oid(&self, oid: Oid) -> Option<(Arc<Relation>, Constraint)> {
        let table = self.part_of(oid).table_of_constraint(oid)?;
        let found = table.constraints().iter().find(|constraint| constraint.oid == oid)?;
        Some((Arc::clone(table), found.clone()))
    }

    /// The relation with this row type.
    pub(crate) fn relation_by_row_type(&self, ty: Oid) -> Option<Arc<Relation>> {
        self.part_of(ty).relation_by_row_type(ty).cloned()
    }

    /// Everything in `pg_class` that isn't an index and that this session may see, system
    /// relations included, in no order.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        system::part().relations().chain(self.shared.relations()).chain(self.private.relations())
    }

    /// The sequence behind a serial or identity column.
    pub(crate) fn owned_sequence(&self, table: Oid, attnum: i16) -> Option<Arc<Relation>> {
        let part = self.part_of(table);
        let owned = |relation: &&Arc<Relation>| match &relation.body {
            RelationBody::Sequence(sequence) => sequence.owned_by == Some((table, attnum)),
            RelationBody::Table { .. } | RelationBody::View { .. } | RelationBody::System => false,
        };
        part.relations().find(owned).cloned()
    }

    /// A schema by name; private before shared, as for relations.
    pub(crate) fn schema_by_name(&self, name: &str) -> Option<Arc<Schema>> {
        if name == "pg_temp" {
            return self.temporary_schema();
        }
        self.parts().into_iter().find_map(|part| part.schema_by_name(name).cloned())
    }

    /// The session's schema for temporary objects, once it has made some.
    pub(crate) fn temporary_schema(&self) -> Option<Arc<Schema>> {
        self.private.schema_by_name(self.temporary.as_deref()?).cloned()
    }

    /// Whether a relation is temporary, whichever session's.
    pub(crate) fn is_temporary(&self, relation: &Relation) -> bool {
        relation.schema.0 >= FIRST_PRIVATE_OID
            && self.schema_name(relation.schema).starts_with(TEMPORARY_PREFIX)
    }

    /// 0A000 for another session's temporary objects.
    fn check_temporary(&self, schema: &Schema) -> Result<()> {
        let is_own = self.temporary.as_deref() == Some(schema.name.as_str());
        match schema.name.starts_with(TEMPORARY_PREFIX) && !is_own {
            true => Err(Error::feature_not_supported(
                "cannot access temporary tables of other sessions",
            )),
            false => Ok(()),
        }
    }

    /// As [`CatalogView::schema_by_name`], with 3F000 where there is none.
    pub(crate) fn schema(&self, name: &str) -> Result<Arc<Schema>> {
        self.schema_by_name(name).ok_or_else(|| Error::undefined_schema(name))
    }

    pub(crate) fn schema_by_oid(&self, oid: Oid) -> Option<Arc<Schema>> {
        self.part_of(oid).schema_by_oid(oid).cloned()
    }

    /// The name of a schema, empty where it is gone.
    pub(crate) fn schema_name(&self, oid: Oid) -> String {
        self.schema_by_oid(oid).map(|schema| schema.name.clone()).unwrap_or_default()
    }

    /// All schemas this session may see, by OID.
    pub(crate) fn schemas(&self) -> Vec<Arc<Schema>> {
        let mut all: Vec<_> =
            self.parts().into_iter().flat_map(|part| part.schemas().cloned()).collect();
        all.sort_by_key(|schema| schema.oid);
        all
    }

    /// The schemas of `search_path` that exist and that the role may use, in order; with
    /// `implicit` the temporary one and `pg_catalog` before them unless the path names them.
    pub(crate) fn search_schemas(&self, search_path: &[String], implicit: bool) -> Vec<Oid> {
        self.schemas_along(search_path, implicit, |schema| {
            self.schema_privilege(self.role, schema, 'U')
        })
    }

    /// The existing schemas of `search_path` that names without a schema pass over.
    pub(crate) fn passed_over(&self, search_path: &[String]) -> Vec<Oid> {
        if self.cluster.is_superuser(self.role) {
            return Vec::new();
        }
        self.schemas_along(search_path, false, |schema| {
            !self.schema_privilege(self.role, schema, 'U')
        })
    }

    fn schemas_along(
        &self,
        search_path: &[String],
        implicit: bool,
        is_meant: impl Fn(&Schema) -> bool,
    ) -> Vec<Oid> {
        let mut path = Vec::new();
        for name in search_path {
            let found = if name == "$user" {
                self.role_by_oid(self.role).and_then(|role| self.schema_by_name(&role.name))
            } else {
                self.schema_by_name(name)
            };
            if let Some(schema) = found
                && !path.contains(&schema.oid)
                && is_meant(&schema)
            {
                path.push(schema.oid);
            }
        }
        if implicit && !path.contains(&PG_CATALOG) {
            path.insert(0, PG_CATALOG);
        }
        if implicit
            && let Some(temporary) = self.temporary_schema()
            && !path.contains(&temporary.oid)
        {
            path.insert(0, temporary.oid);
        }
        path
    }

    /// Whether `relation` is what its bare name means along `search_path`.
    pub(crate) fn is_visible(&self, relation: &Relation, search_path: &[String]) -> bool {
        self.find_named(None, &relation.name, search_path) == Some(Named::Relation(relation.oid))
    }

    /// `name` or `schema.name`, as needed along `search_path`, quoted as needed.
    pub(crate) fn display_name(&self, relation: &Relation, search_path: &[String]) -> String {
        if self.is_visible(relation, search_path) {
            quote_identifier(&relation.name)
        } else {
            self.qualified_name(relation)
        }
    }

    /// `schema.name`, quoted as needed.
    pub(crate) fn qualified_name(&self, relation: &Relation) -> String {
        let schema = self.schema_name(relation.schema);
        format!("{}.{}", quote_identifier(&schema), quote_identifier(&relation.name))
    }

    pub(crate) fn role_by_name(&self, name: &str) -> Option<Arc<Role>> {
        self.cluster.role_by_name(name).cloned()
    }

    pub(crate) fn role_by_oid(&self, oid: Oid) -> Option<Arc<Role>> {
        self.cluster.role_by_oid(oid).cloned()
    }

    /// As PostgreSQL's `pg_get_userbyid`.
    pub(crate) fn role_name(&self, oid: Oid) -> String {
        match self.cluster.role_by_oid(oid) {
            Some(role) => role.name.clone(),
            None => format!("unknown (OID={})", oid.0),
        }
    }

    /// The name of this session's database.
    pub(crate) fn database_name(&self) -> String {
        self.cluster.database_by_oid(self.database).map(|d| d.name.clone()).unwrap_or_default()
    }

    /// A comment on a shared or private object of this database.
    pub(crate) fn description(&self, class: Class, oid: Oid, sub: i32) -> Option<&str> {
        self.part_of(oid).description(class, oid, sub).or_else(|| {
            // Comments on a private view of shared objects live with the object.
            self.shared.description(class, oid, sub)
        })
    }

    /// What ANALYZE last found.
    pub(crate) fn statistic(&self, relation: Oid) -> Option<&Arc<Statistic>> {
        self.private.statistic(relation).or_else(|| self.shared.statistic(relation))
    }

    /// Parts in the order names are looked up.
    fn parts(&self) -> [&Part; 3] {
        [system::part(), &self.private, &self.shared]
    }

    /// The part an OID belongs to; OIDs don't overlap between parts.
    fn part_of(&self, oid: Oid) -> &Part {
        if oid.0 >= FIRST_PRIVATE_OID {
            &self.private
        } else if system::part().knows(oid) {
            system::part()
        } else {
            &self.shared
        }
    }

    fn relation_in(&self, schema: Oid, name: &str) -> Option<Arc<Relation>> {
        self.parts().into_iter().find_map(|part| part.relation_by_name(schema, name).cloned())
    }

    fn named_in(&self, schema: Oid, name: &str) -> Option<Named> {
        self.parts().into_iter().find_map(|part| part.named(schema, name))
    }

    fn path(&self, schema: Option<&str>, search_path: &[String]) -> Vec<Oid> {
        match schema {
            Some(name) => self.schema_by_name(name).iter().map(|schema| schema.oid).collect(),
            None => self.search_schemas(search_path, true),
        }
    }
}

/// Quotes an identifier where PostgreSQL's `quote_ident` would.
pub(crate) fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && crate::statement::is_unreserved(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
