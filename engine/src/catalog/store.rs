//! Definitions at rest and the parts made of them.
//!
//! Each namespace keeps its definitions as rows of one system relation, `(class, oid, sub)` to
//! JSON: the cluster's in namespace 0, those of a database in its shared namespace, private ones
//! beside the rows of their role. A definition statement writes such rows into its transaction's
//! write set and the same change into the transaction's copy of the part ([`CatalogTransaction`]);
//! after the commit [`CatalogTransaction::publish`] makes the copy what all sessions see.
//!
//! Invariant: whoever changes a part holds its catalog lock until it has published or given up,
//! so a published part is always the newest and never lacks a commit.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, Weak},
};

use arrow::{
    array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array},
    datatypes::{Int32Type, UInt32Type},
};
use futures::StreamExt;
use kalamdb_storage::{
    Column, ColumnType, Layout, Namespace, NamespaceId, Owner, RelationId,
    ScanSpec, SequenceOptions, Snapshot, Store, WriteSet, key, row,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::OnceCell;

use crate::{
    catalog::{
        Class, Database, Description, FIRST_NORMAL_OID, FIRST_PRIVATE_OID, Membership, Relation,
        Role, Schema, Statistic,
        layout::layout,
        namespace_id,
        part::{CatalogView, Cluster, Part, next_version},
    },
    error::{Error, Result},
    types::Oid,
};

/// The namespace of roles and databases.
pub(crate) const CLUSTER_NAMESPACE: NamespaceId = NamespaceId(0);
/// The relation that definitions are rows of.
pub(crate) const CATALOG_RELATION: RelationId = RelationId(1);
/// The sequence that OIDs of a namespace come from.
const OID_SEQUENCE: RelationId = RelationId(2);
/// Definitions read at a time.
const LOAD_BATCH_ROWS: usize = 1024;

/// A value that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Slot<T>(RwLock<Arc<T>>);

impl<T> Slot<T> {
    fn new(value: T) -> Self {
        Slot(RwLock::new(Arc::new(value)))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// A private part while some session needs it.
type PrivateCell = OnceCell<Slot<Part>>;

/// The published parts of all databases and of the namespaces that sessions are in.
pub(crate) struct CatalogStore {
    store: Arc<Store>,
    cluster: Arc<Slot<Cluster>>,
    /// One per database.
    shared: RwLock<HashMap<Oid, Arc<Slot<Part>>>>,
    /// Gone with the last session of a namespace.
    private: Mutex<HashMap<NamespaceId, Weak<PrivateCell>>>,
}

impl CatalogStore {
    /// Loads what all sessions share. An empty store has an empty cluster: see `bootstrap`.
    pub(super) async fn load(store: Arc<Store>) -> Result<CatalogStore> {
        let snapshot = store.snapshot();
        let namespace = store.namespace(CLUSTER_NAMESPACE, Owner::System);
        let cluster = load_cluster(&namespace, snapshot.clone()).await?;
        let mut shared = HashMap::new();
        for database in cluster.databases() {
            let id = namespace_id(database.oid, Oid(0));
            let namespace = store.namespace(id, Owner::Shared);
            let part = load_part(&namespace, snapshot.clone()).await?;
            shared.insert(database.oid, Arc::new(Slot::new(part)));
        }
        Ok(CatalogStore {
            store,
            cluster: Arc::new(Slot::new(cluster)),
            shared: RwLock::new(shared),
            private: Mutex::default(),
        })
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        self.cluster.get()
    }

    /// The published shared part of a database.
    ///
    /// # Errors
    /// 3D000 if there is no such database.
    pub(crate) fn shared(&self, database: Oid) -> Result<Arc<Slot<Part>>> {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        shared.get(&database).cloned().ok_or_else(|| Error::undefined_database(&database.to_string()))
    }

    /// The capability for a namespace. `cluster` tells the name of its owner, which is that of
    /// its directory.
    pub(crate) fn namespace(&self, cluster: &Cluster, id: NamespaceId) -> Namespace {
        let role = Oid((id.0 & 0xffff_ffff) as u32);
        let owner = if id == CLUSTER_NAMESPACE {
            Owner::System
        } else if role == Oid(0) {
            Owner::Shared
        } else {
            let name = cluster.role_by_oid(role).map(|role| role.name.clone());
            // A namespace outlives its role only between DROP ROLE and the removal of its rows.
            Owner::User(name.unwrap_or_else(|| format!("{}", role.0)))
        };
        self.store.namespace(id, owner)
    }

    /// What a session of `role` in `database` looks definitions up in.
    pub(crate) async fn attach(&self, database: Oid, role: Oid) -> Result<Arc<SessionCatalog>> {
        let shared = self.shared(database)?;
        let id = namespace_id(database, role);
        let cell = {
            let mut cells = self.private.lock().unwrap_or_else(PoisonError::into_inner);
            match cells.get(&id).and_then(Weak::upgrade) {
                Some(cell) => cell,
                None => {
                    if cells.len() >= 1024 && cells.len().is_power_of_two() {
                        cells.retain(|_, cell| cell.strong_count() > 0);
                    }
                    let cell = Arc::new(PrivateCell::new());
                    cells.insert(id, Arc::downgrade(&cell));
                    cell
                }
            }
        };
        let namespace = self.namespace(&self.cluster.get(), id);
        cell.get_or_try_init(|| async {
            load_part(&namespace, self.store.snapshot()).await.map(Slot::new)
        })
        .await?;
        let session = SessionCatalog {
            database,
            role,
            cluster: Arc::clone(&self.cluster),
            shared,
            private: cell,
            view: RwLock::new(None),
        };
        Ok(Arc::new(session))
    }

    /// The private part of any namespace, as published or as stored.
    pub(crate) async fn private_part(&self, id: NamespaceId) -> Result<Arc<Part>> {
        Ok(Arc::clone(&self.attach_namespace(id).await?.view().private))
    }

    /// As [`CatalogStore::attach`], for the role whose namespace it is.
    pub(crate) async fn attach_namespace(&self, id: NamespaceId) -> Result<Arc<SessionCatalog>> {
        let role = Oid((id.0 & 0xffff_ffff) as u32);
        let database = Oid((id.0 >> 32) as u32);
        self.attach(database, role).await
    }

    /// A number for a new object of `part`: never given before, nor after a restart.
    pub(crate) async fn allocate_oid(&self, part: NamespaceId) -> Result<Oid> {
        let private = part.0 & 0xffff_ffff != 0;
        let (min, max) = if private {
            (FIRST_PRIVATE_OID, u32::MAX)
        } else {
            (FIRST_NORMAL_OID, FIRST_PRIVATE_OID - 1)
        };
        let options = SequenceOptions {
            start: i64::from(min),
            increment: 1,
            min: i64::from(min),
            max: i64::from(max),
            cycle: false,
            cache: 1,
        };
        let namespace = self.namespace(&self.cluster.get(), part);
        let oid = namespace.sequence_next(OID_SEQUENCE, options).await?;
        u32::try_from(oid).map(Oid).map_err(|_| Error::internal("an OID is out of range"))
    }

    /// A number for a new row type: it and the next one, for its array type, are free.
    pub(crate) async fn allocate_oid_pair(&self, part: NamespaceId) -> Result<Oid> {
        let mut first = self.allocate_oid(part).await?;
        loop {
            let second = self.allocate_oid(part).await?;
            if second.0 == first.0 + 1 {
                return Ok(first);
            }
            first = second;
        }
    }

    /// Makes a database known, after its bootstrap has committed.
    pub(super) fn add_database(&self, database: Oid, part: Part) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        shared.insert(database, Arc::new(Slot::new(part)));
    }

}

/// Where one session, as one role, finds definitions.
#[derive(Debug)]
pub(crate) struct SessionCatalog {
    pub(crate) database: Oid,
    pub(crate) role: Oid,
    cluster: Arc<Slot<Cluster>>,
    shared: Arc<Slot<Part>>,
    private: Arc<PrivateCell>,
    /// The view last made; good as long as no part was published since.
    view: RwLock<Option<Arc<CatalogView>>>,
}

impl SessionCatalog {
    /// What is published now.
    pub(crate) fn view(&self) -> Arc<CatalogView> {
        let (cluster, shared, private) =
            (self.cluster.get(), self.shared.get(), self.private_slot().get());
        {
            let last = self.view.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(view) = &*last
                && Arc::ptr_eq(&view.cluster, &cluster)
                && Arc::ptr_eq(&view.shared, &shared)
                && Arc::ptr_eq(&view.private, &private)
            {
                return Arc::clone(view);
            }
        }
        let view = CatalogView { cluster, database: self.database, shared, private, role: self.role };
        let view = Arc::new(view);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        view
    }

    fn private_slot(&self) -> &Slot<Part> {
        self.private.get().expect("attach has filled the cell")
    }
}

/// Which part of a session's catalog a definition goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Seen by all of the database.
    Shared,
    /// Seen in the role's own namespace only.
    Private,
}

impl Place {
    /// The part an OID belongs to.
    pub(crate) fn of(oid: Oid) -> Place {
        if oid.0 >= FIRST_PRIVATE_OID { Place::Private } else { Place::Shared }
    }

    /// The namespace that holds the part for a session.
    pub(crate) fn namespace(self, view: &CatalogView) -> NamespaceId {
        match self {
            Place::Shared => view.shared_namespace(),
            Place::Private => view.own_namespace(),
        }
    }
}

/// What the definitions of one transaction changed. A clone is a savepoint.
#[derive(Clone)]
pub(crate) struct CatalogTransaction {
    session: Arc<SessionCatalog>,
    cluster: Option<Arc<Cluster>>,
    shared: Option<Arc<Part>>,
    /// Of the roles this transaction was in; rarely more than one.
    private: Vec<(Arc<PrivateCell>, Arc<Part>)>,
    /// While migrations run: objects get numbers of the system, from here on.
    system_oid: Option<Oid>,
}

/// Life cycle.
impl CatalogTransaction {
    pub(crate) fn new(session: Arc<SessionCatalog>) -> Self {
        CatalogTransaction {
            session,
            cluster: None,
            shared: None,
            private: Vec::new(),
            system_oid: None,
        }
    }

    /// What the transaction sees through.
    pub(crate) fn session(&self) -> Arc<SessionCatalog> {
        Arc::clone(&self.session)
    }

    /// Follows `SET ROLE`.
    pub(crate) fn set_session(&mut self, session: Arc<SessionCatalog>) {
        self.session = session;
    }

    /// The catalog as this transaction sees it.
    pub(crate) fn view(&self) -> Arc<CatalogView> {
        let published = self.session.view();
        if !self.is_changed() {
            return published;
        }
        Arc::new(CatalogView {
            cluster: self.cluster.clone().unwrap_or_else(|| Arc::clone(&published.cluster)),
            database: published.database,
            shared: self.shared.clone().unwrap_or_else(|| Arc::clone(&published.shared)),
            private: match self.private_change() {
                Some(at) => Arc::clone(&self.private[at].1),
                None => Arc::clone(&published.private),
            },
            role: published.role,
        })
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.cluster.is_some() || self.shared.is_some() || !self.private.is_empty()
    }

    /// What [`CatalogTransaction::restore`] goes back to.
    pub(crate) fn savepoint(&self) -> CatalogTransaction {
        self.clone()
    }

    /// Undoes what was changed after `savepoint`; the role stays as it is now.
    pub(crate) fn restore(&mut self, savepoint: CatalogTransaction) {
        let session = Arc::clone(&self.session);
        *self = savepoint;
        self.session = session;
    }

    /// Makes the changes what all sessions see. After the commit, before the locks are released.
    pub(crate) fn publish(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            self.session.cluster.set(cluster);
        }
        if let Some(shared) = self.shared.take() {
            self.session.shared.set(shared);
        }
        for (cell, part) in self.private.drain(..) {
            cell.get().expect("a cell whose part was changed is filled").set(part);
        }
    }

    /// Empties the private part of another role, whose definitions this transaction removes from
    /// storage: sessions of that role must not go on with them.
    pub(crate) fn clear_private(&mut self, session: &SessionCatalog) {
        let part = Arc::new(Part::new());
        self.private.retain(|(cell, _)| !Arc::ptr_eq(cell, &session.private));
        self.private.push((Arc::clone(&session.private), part));
    }

    /// A number for a new object at `place`.
    pub(crate) async fn allocate_oid(&mut self, catalogs: &CatalogStore, place: Place) -> Result<Oid> {
        if let Some(oid) = &mut self.system_oid {
            let free = *oid;
            oid.0 += 1;
            return Ok(free);
        }
        catalogs.allocate_oid(place.namespace(&self.session.view())).await
    }

    /// Two consecutive numbers, for a row type and its array.
    pub(crate) async fn allocate_oid_pair(
        &mut self,
        catalogs: &CatalogStore,
        place: Place,
    ) -> Result<Oid> {
        if let Some(oid) = &mut self.system_oid {
            let free = *oid;
            oid.0 += 2;
            return Ok(free);
        }
        catalogs.allocate_oid_pair(place.namespace(&self.session.view())).await
    }

    pub(super) fn use_system_oids(&mut self, first: Oid) {
        self.system_oid = Some(first);
    }

    fn private_change(&self) -> Option<usize> {
        self.private.iter().position(|(cell, _)| Arc::ptr_eq(cell, &self.session.private))
    }

    fn change_cluster(&mut self) -> &mut Cluster {
        let cluster = self.cluster.get_or_insert_with(|| self.session.cluster.get());
        let cluster = Arc::make_mut(cluster);
        cluster.version = next_version();
        cluster
    }

    fn change_part(&mut self, place: Place) -> &mut Part {
        let part = match place {
            Place::Shared => self.shared.get_or_insert_with(|| self.session.shared.get()),
            Place::Private => {
                let at = self.private_change().unwrap_or_else(|| {
                    let part = self.session.private_slot().get();
                    self.private.push((Arc::clone(&self.session.private), part));
                    self.private.len() - 1
                });
                &mut self.private[at].1
            }
        };
        let part = Arc::make_mut(part);
        part.version = next_version();
        part
    }
}

/// Where changed definitions are written to.
pub(crate) struct Writer<'a> {
    pub(crate) catalogs: Arc<CatalogStore>,
    pub(crate) transaction: &'a mut CatalogTransaction,
    pub(crate) writes: &'a mut WriteSet,
}

impl Writer<'_> {
    /// Adds or replaces a relation, its layout made anew.
    pub(crate) fn put_relation(&mut self, mut relation: Relation) -> Result<Arc<Relation>> {
        let place = Place::of(relation.oid);
        let view = self.transaction.view();
        relation.layout = layout(&relation, &view.schema_name(relation.schema))?.map(Arc::new);
        let old = view.relation_by_oid(relation.oid);
        self.write(place, Class::Relation, relation.oid, 0, old.as_deref(), Some(&relation))?;
        let relation = Arc::new(relation);
        self.transaction.change_part(place).put_relation(Arc::clone(&relation));
        Ok(relation)
    }

    /// Removes a relation's definition with its comments and statistics; its rows are the
    /// caller's.
    pub(crate) fn remove_relation(&mut self, relation: &Relation) -> Result<()> {
        let place = Place::of(relation.oid);
        let mut ids = vec![relation.oid];
        ids.extend(relation.indexes().iter().map(|index| index.oid));
        ids.extend(relation.constraints().iter().map(|constraint| constraint.oid));
        self.remove_descriptions(place, &ids)?;
        self.remove_statistic(relation.oid)?;
        self.write(place, Class::Relation, relation.oid, 0, Some(relation), None)?;
        self.transaction.change_part(place).remove_relation(relation.oid);
        Ok(())
    }

    pub(crate) fn put_schema(&mut self, schema: Schema) -> Result<Arc<Schema>> {
        let place = Place::of(schema.oid);
        let old = self.transaction.view().schema_by_oid(schema.oid);
        self.write(place, Class::Schema, schema.oid, 0, old.as_deref(), Some(&schema))?;
        let schema = Arc::new(schema);
        self.transaction.change_part(place).put_schema(Arc::clone(&schema));
        Ok(schema)
    }

    pub(crate) fn remove_schema(&mut self, schema: &Schema) -> Result<()> {
        let place = Place::of(schema.oid);
        self.remove_descriptions(place, &[schema.oid])?;
        self.write(place, Class::Schema, schema.oid, 0, Some(schema), None)?;
        self.transaction.change_part(place).remove_schema(schema.oid);
        Ok(())
    }

    pub(crate) fn put_role(&mut self, role: Role) -> Result<()> {
        let old = self.transaction.view().role_by_oid(role.oid);
        self.write_cluster(Class::Role, role.oid, 0, old.as_deref(), Some(&role))?;
        self.transaction.change_cluster().put_role(Arc::new(role));
        Ok(())
    }

    pub(crate) fn remove_role(&mut self, role: &Role) -> Result<()> {
        if let Some(old) = self.transaction.view().cluster.description(Class::Role, role.oid) {
            self.put_cluster_description(&Description { text: String::new(), ..(**old).clone() })?;
        }
        self.write_cluster(Class::Role, role.oid, 0, Some(role), None)?;
        self.transaction.change_cluster().remove_role(role.oid);
        Ok(())
    }

    pub(crate) fn put_membership(&mut self, membership: Membership) -> Result<()> {
        let view = self.transaction.view();
        let list = view.cluster.memberships_of(membership.member);
        let old = list.iter().find(|old| old.oid == membership.oid);
        let oid = membership.oid;
        self.write_cluster(Class::Membership, oid, 0, old.map(|old| &**old), Some(&membership))?;
        self.transaction.change_cluster().put_membership(Arc::new(membership));
        Ok(())
    }

    pub(crate) fn remove_membership(&mut self, membership: &Membership) -> Result<()> {
        self.write_cluster(Class::Membership, membership.oid, 0, Some(membership), None)?;
        self.transaction.change_cluster().remove_membership(membership);
        Ok(())
    }

    pub(crate) fn put_database(&mut self, database: Database) -> Result<()> {
        let view = self.transaction.view();
        let old = view.cluster.database_by_oid(database.oid);
        let oid = database.oid;
        self.write_cluster(Class::Database, oid, 0, old.map(|old| &**old), Some(&database))?;
        self.transaction.change_cluster().put_database(Arc::new(database));
        Ok(())
    }

    /// `ALTER SYSTEM SET name = value`, or RESET with `None`. Kept all together in one row.
    pub(crate) fn put_setting(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let old = self.transaction.view().cluster.settings();
        self.transaction.change_cluster().put_setting(name, value);
        let new = self.transaction.view().cluster.settings();
        let old = (!old.is_empty()).then_some(&old);
        self.write_cluster(Class::Setting, Oid(0), 0, old, (!new.is_empty()).then_some(&new))
    }

    pub(crate) fn put_secret(&mut self, secret: String) -> Result<()> {
        self.write_cluster(Class::Secret, Oid(0), 0, None, Some(&secret))?;
        self.transaction.change_cluster().put_secret(secret);
        Ok(())
    }

    /// `COMMENT ON` an object of this database; an empty text removes it.
    pub(crate) fn put_description(&mut self, description: &Description) -> Result<()> {
        let place = Place::of(description.oid);
        let (class, oid, sub) = description.key();
        let old = self.transaction.view().description(class, oid, sub).map(|text| Description {
            text: text.to_owned(),
            ..description.clone()
        });
        let new = (!description.text.is_empty()).then_some(description);
        self.write(place, Class::Description, oid, sub, old.as_ref(), new)?;
        let part = self.transaction.change_part(place);
        match new {
            Some(new) => part.put_description(Arc::new(new.clone())),
            None => part.remove_description(description.key()),
        }
        Ok(())
    }

    /// `COMMENT ON ROLE` and `DATABASE`.
    pub(crate) fn put_cluster_description(&mut self, description: &Description) -> Result<()> {
        let (class, oid, sub) = description.key();
        let old = self.transaction.view().cluster.description(class, oid).cloned();
        let new = (!description.text.is_empty()).then_some(description);
        self.write_cluster(Class::Description, oid, sub, old.as_deref(), new)?;
        let cluster = self.transaction.change_cluster();
        match new {
            Some(new) => cluster.put_description(Arc::new(new.clone())),
            None => cluster.remove_description(description.key()),
        }
        Ok(())
    }

    /// What ANALYZE found about the rows of the own namespace (private part), or about a shared
    /// table (shared part).
    pub(crate) fn put_statistic(&mut self, place: Place, statistic: Statistic) -> Result<()> {
        let view = self.transaction.view();
        let part = match place {
            Place::Shared => &view.shared,
            Place::Private => &view.private,
        };
        let old = part.statistic(statistic.relation);
        let oid = statistic.relation;
        self.write(place, Class::Statistic, oid, 0, old.map(|old| &**old), Some(&statistic))?;
        self.transaction.change_part(place).put_statistic(Arc::new(statistic));
        Ok(())
    }

    pub(crate) fn put_migration(&mut self, number: u32, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(Place::Shared, Class::Migration, Oid(number), 0, None, Some(&name))?;
        self.transaction.change_part(Place::Shared).put_migration(number, name);
        Ok(())
    }

    fn remove_statistic(&mut self, relation: Oid) -> Result<()> {
        let view = self.transaction.view();
        for (place, part) in [(Place::Shared, &view.shared), (Place::Private, &view.private)] {
            if let Some(old) = part.statistic(relation) {
                self.write(place, Class::Statistic, relation, 0, Some(&**old), None)?;
                self.transaction.change_part(place).remove_statistic(relation);
            }
        }
        Ok(())
    }

    fn remove_descriptions(&mut self, place: Place, oids: &[Oid]) -> Result<()> {
        let view = self.transaction.view();
        let part = match place {
            Place::Shared => &view.shared,
            Place::Private => &view.private,
        };
        let gone: Vec<_> =
            part.descriptions().filter(|d| oids.contains(&d.oid)).cloned().collect();
        for description in gone {
            self.put_description(&Description { text: String::new(), ..(*description).clone() })?;
        }
        Ok(())
    }

    fn write<T: Serialize>(
        &mut self,
        place: Place,
        class: Class,
        oid: Oid,
        sub: i32,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Result<()> {
        let view = self.transaction.view();
        let namespace = self.catalogs.namespace(&view.cluster, place.namespace(&view));
        write_row(self.writes, &namespace, (class, oid, sub), old, new)
    }

    fn write_cluster<T: Serialize>(
        &mut self,
        class: Class,
        oid: Oid,
        sub: i32,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Result<()> {
        let namespace = self.catalogs.store.namespace(CLUSTER_NAMESPACE, Owner::System);
        write_row(self.writes, &namespace, (class, oid, sub), old, new)
    }
}

/// The physical shape of the relation that definitions are rows of.
fn catalog_layout() -> &'static Arc<Layout> {
    static LAYOUT: LazyLock<Arc<Layout>> = LazyLock::new(|| {
        let column = |name: &str, ty| Column {
            name: name.to_owned(),
            ty,
            nullable: false,
            dropped: false,
            missing: None,
        };
        let columns = vec![
            column("class", ColumnType::Int32),
            column("oid", ColumnType::UInt32),
            column("sub", ColumnType::Int32),
            column("definition", ColumnType::Text),
        ];
        let key = vec![0, 1, 2];
        Arc::new(Layout::new(CATALOG_RELATION, columns, key, Vec::new(), "pg_catalog.definition"))
    });
    &LAYOUT
}

fn write_row<T: Serialize>(
    writes: &mut WriteSet,
    namespace: &Namespace,
    place: (Class, Oid, i32),
    old: Option<&T>,
    new: Option<&T>,
) -> Result<()> {
    let layout = catalog_layout();
    let encode = |value: &T| -> Result<_> {
        let text = serde_json::to_string(value)
            .map_err(|error| Error::internal(format!("a definition has no JSON form: {error}")))?;
        let batch = row_batch(place, &text)?;
        Ok((key::encode(layout, &batch, 0)?, row::encode(layout, &batch, 0)?))
    };
    match (old.map(encode).transpose()?, new.map(encode).transpose()?) {
        (Some((key, old)), Some((_, new))) => writes.update(namespace, layout, key, old, new)?,
        (None, Some((key, new))) => writes.insert(namespace, layout, key, new)?,
        (Some((key, old)), None) => writes.delete(namespace, layout, key, old)?,
        (None, None) => {}
    }
    Ok(())
}

fn row_batch((class, oid, sub): (Class, Oid, i32), text: &str) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![class_number(class)])),
        Arc::new(UInt32Array::from(vec![oid.0])),
        Arc::new(Int32Array::from(vec![sub])),
        Arc::new(StringArray::from(vec![text])),
    ];
    Ok(RecordBatch::try_new(catalog_layout().schema(), columns)?)
}

/// The numbers on disk: never change one.
fn class_number(class: Class) -> i32 {
    match class {
        Class::Database => 1,
        Class::Role => 2,
        Class::Membership => 3,
        Class::Schema => 4,
        Class::Relation => 5,
        Class::Setting => 6,
        Class::Description => 7,
        Class::Statistic => 8,
        Class::Migration => 9,
        Class::Secret => 10,
        Class::Constraint => 11,
    }
}

async fn load_cluster(namespace: &Namespace, snapshot: Snapshot) -> Result<Cluster> {
    let mut cluster = Cluster::default();
    cluster.version = next_version();
    for_each_definition(namespace, snapshot, |class, _, text| {
        match class {
            1 => cluster.put_database(Arc::new(parse(text)?)),
            2 => cluster.put_role(Arc::new(parse(text)?)),
            3 => cluster.put_membership(Arc::new(parse(text)?)),
            6 => {
                for (name, value) in parse::<Vec<(String, String)>>(text)? {
                    cluster.put_setting(&name, Some(&value));
                }
            }
            7 => cluster.put_description(Arc::new(parse(text)?)),
            10 => cluster.put_secret(parse(text)?),
            other => return Err(unknown_class(other)),
        }
        Ok(())
    })
    .await?;
    Ok(cluster)
}

async fn load_part(namespace: &Namespace, snapshot: Snapshot) -> Result<Part> {
    let mut part = Part::new();
    let mut relations = Vec::new();
    let mut any = false;
    for_each_definition(namespace, snapshot, |class, oid, text| {
        any = true;
        match class {
            4 => part.put_schema(Arc::new(parse(text)?)),
            5 => relations.push(parse::<Relation>(text)?),
            7 => part.put_description(Arc::new(parse(text)?)),
            8 => part.put_statistic(Arc::new(parse(text)?)),
            9 => part.put_migration(oid.0, parse(text)?),
            other => return Err(unknown_class(other)),
        }
        Ok(())
    })
    .await?;
    for mut relation in relations {
        let schema = part.schema_by_oid(relation.schema).map(|schema| schema.name.clone());
        // A private relation in a shared schema: only `public` is open to them.
        let schema = schema.unwrap_or_else(|| "public".to_owned());
        relation.layout = layout(&relation, &schema)?.map(Arc::new);
        part.put_relation(Arc::new(relation));
    }
    if any {
        part.version = next_version();
    }
    Ok(part)
}

async fn for_each_definition(
    namespace: &Namespace,
    snapshot: Snapshot,
    mut take: impl FnMut(i32, Oid, &str) -> Result<()>,
) -> Result<()> {
    let spec = ScanSpec { batch_rows: LOAD_BATCH_ROWS, ..ScanSpec::new(vec![0, 1, 3]) };
    let mut batches = namespace.scan(snapshot, None, Arc::clone(catalog_layout()), spec);
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let classes = batch.column(0).as_primitive::<Int32Type>();
        let oids = batch.column(1).as_primitive::<UInt32Type>();
        let texts = batch.column(2).as_string::<i32>();
        for at in 0..batch.num_rows() {
            take(classes.value(at), Oid(oids.value(at)), texts.value(at))?;
        }
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            crate::error::SqlState::DATA_CORRUPTED,
            format!("a stored definition cannot be read: {error}"),
        )
    })
}

fn unknown_class(class: i32) -> Error {
    Error::new(
        crate::error::SqlState::DATA_CORRUPTED,
        format!("a stored definition has the unknown class {class}"),
    )
}
