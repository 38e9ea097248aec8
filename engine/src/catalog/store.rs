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
    pin::pin,
    sync::{
        Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{
    array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array},
    datatypes::{Int32Type, UInt32Type},
};
use futures::StreamExt;
use kalamdb_storage::{
    Column, ColumnType, Layout, Namespace, NamespaceId, Owner, RelationId, ScanSpec,
    SequenceOptions, Snapshot, Store, WriteSet, key, row,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Notify, OnceCell, futures::Notified};

use crate::{
    catalog::{
        Class, FIRST_NORMAL_OID, FIRST_PRIVATE_OID, Relation,
        layout::layout,
        namespace_id,
        part::{CatalogView, Cluster, Part, next_version},
        role_of,
    },
    error::{Error, Result},
    types::Oid,
};

pub(crate) use super::change::{CatalogTransaction, Place, Writer};

/// The namespace of roles and databases.
pub(crate) const CLUSTER_NAMESPACE: NamespaceId = NamespaceId(0);
/// The relation that definitions are rows of.
pub(crate) const CATALOG_RELATION: RelationId = RelationId(1);
/// The sequence that OIDs of a namespace come from.
const OID_SEQUENCE: RelationId = RelationId(2);
/// Definitions read at a time.
const LOAD_BATCH_ROWS: usize = 1024;

/// A value that is replaced as a whole, and whose replacement can be waited for.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: RwLock<Arc<T>>,
    /// How often it was replaced: what all sessions may look at without writing to what they share.
    generation: AtomicU64,
    replaced: Notify,
}

impl<T> Slot<T> {
    fn new(value: T) -> Self {
        Slot {
            value: RwLock::new(Arc::new(value)),
            generation: AtomicU64::new(0),
            replaced: Notify::new(),
        }
    }

    /// Newer than what was seen with another generation. A value got after it is at least as new.
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, value: Arc<T>) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.replaced.notify_waiters();
    }

    /// The next [`Slot::set`].
    fn replaced(&self) -> Notified<'_> {
        self.replaced.notified()
    }
}

/// A private part while some session needs it.
pub(super) type PrivateCell = OnceCell<Slot<Part>>;

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
        shared
            .get(&database)
            .cloned()
            .ok_or_else(|| Error::undefined_database(&database.to_string()))
    }

    /// The capability for a namespace. `cluster` tells the name of its owner, which is that of
    /// its directory.
    pub(crate) fn namespace(&self, cluster: &Cluster, id: NamespaceId) -> Namespace {
        let owner = match role_of(id) {
            None if id == CLUSTER_NAMESPACE => Owner::System,
            None => Owner::Shared,
            Some(role) => {
                let name = cluster.role_by_oid(role).map(|role| role.name.clone());
                // A namespace outlives its role only between DROP ROLE and the removal of its rows.
                Owner::User(name.unwrap_or_else(|| format!("{}", role.0)))
            }
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
            temporary: OnceLock::new(),
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

/// Those of the cluster, the shared and the private part.
type Generations = [u64; 3];

/// Where one session, as one role, finds definitions.
#[derive(Debug)]
pub(crate) struct SessionCatalog {
    pub(crate) database: Oid,
    pub(crate) role: Oid,
    pub(super) cluster: Arc<Slot<Cluster>>,
    pub(super) shared: Arc<Slot<Part>>,
    pub(super) private: Arc<PrivateCell>,
    /// The view last made; good as long as the parts have these generations.
    view: RwLock<Option<(Generations, Arc<CatalogView>)>>,
    /// Of the session, if it is one's: see [`CatalogView::temporary`].
    temporary: OnceLock<Arc<str>>,
}

impl SessionCatalog {
    /// What is published now.
    pub(crate) fn view(&self) -> Arc<CatalogView> {
        let private = self.private_slot();
        let generations =
            [self.cluster.generation(), self.shared.generation(), private.generation()];
        let last = {
            let last = self.view.read().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some((seen, view)) if *seen == generations => return Arc::clone(view),
                Some((_, view)) => Some(Arc::clone(view)),
                None => None,
            }
        };
        let (cluster, shared, private) = (self.cluster.get(), self.shared.get(), private.get());
        let is_same = |view: &Arc<CatalogView>| {
            Arc::ptr_eq(&view.cluster, &cluster)
                && Arc::ptr_eq(&view.shared, &shared)
                && Arc::ptr_eq(&view.private, &private)
        };
        let view = last.filter(is_same).unwrap_or_else(|| {
            Arc::new(CatalogView {
                cluster,
                database: self.database,
                shared,
                private,
                role: self.role,
                temporary: self.temporary.get().cloned(),
                namespaces: OnceLock::new(),
            })
        });
        let mut last = self.view.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((generations, Arc::clone(&view)));
        view
    }

    /// Waits until something else than `seen` is published. May be dropped and called again.
    pub(crate) async fn changed(&self, seen: &Arc<CatalogView>) {
        loop {
            let mut cluster = pin!(self.cluster.replaced());
            let mut shared = pin!(self.shared.replaced());
            let mut private = pin!(self.private_slot().replaced());
            // Before the look, so that nothing is published unheard between it and the wait.
            cluster.as_mut().enable();
            shared.as_mut().enable();
            private.as_mut().enable();
            if !Arc::ptr_eq(&self.view(), seen) {
                return;
            }
            tokio::select! {
                () = cluster => {}
                () = shared => {}
                () = private => {}
            }
        }
    }

    /// Says where temporary objects go; once, before anybody looks.
    pub(crate) fn name_temporary(&self, schema: String) {
        let _ = self.temporary.set(schema.into());
    }

    pub(super) fn private_slot(&self) -> &Slot<Part> {
        self.private.get().expect("attach has filled the cell")
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

pub(super) fn write_row<T: Serialize>(
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
