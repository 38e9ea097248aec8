//! What the tests of several modules share.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::{
    Column, ColumnType, Commit, CommitNotice, Committed, Feed, HotKind, IndexLayout, Key, Layout,
    Lsn, Namespace, NamespaceId, Owner, RelationId, RowImage, Store, StoreOptions, WriteSet, key,
    row,
};

/// Keeps what it is told.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Mutex<Vec<CommitNotice>>);

impl Feed for Kept {
    fn committed(&self, notices: &[CommitNotice]) {
        self.0.lock().unwrap().extend(notices.iter().cloned());
    }

    fn durable(&self) {}
}

/// A store in a directory of its own.
pub(crate) struct Stand {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) kind: HotKind,
    pub(crate) feed: Arc<Kept>,
    pub(crate) store: Arc<Store>,
}

impl Stand {
    pub(crate) async fn new(kind: HotKind) -> Stand {
        let directory = tempfile::tempdir().unwrap();
        let feed = Arc::new(Kept::default());
        let options = options(directory.path(), kind);
        let store = Store::open(options, feed.clone()).await.unwrap();
        Stand { directory, kind, feed, store }
    }

    pub(crate) fn options(&self) -> StoreOptions {
        options(self.directory.path(), self.kind)
    }

    /// Closes the store and opens the directory again.
    pub(crate) async fn reopen(self) -> Stand {
        let options = self.options();
        let Stand { directory, kind, feed, store } = self;
        store.close().await.unwrap();
        let store = Store::open(options, feed.clone()).await.unwrap();
        Stand { directory, kind, feed, store }
    }

    pub(crate) fn user(&self, id: u64) -> Namespace {
        self.store.namespace(NamespaceId(id), Owner::User(format!("user{id}")))
    }

    pub(crate) async fn commit(&self, writes: WriteSet) -> Committed {
        self.store.commit(Commit { writes, sync: true, time_us: 7 }).await.unwrap()
    }
}

pub(crate) fn options(directory: &std::path::Path, hot: HotKind) -> StoreOptions {
    let mut options = StoreOptions::new(directory.join("data"));
    options.hot = hot;
    options.block_cache_bytes = 1 << 20;
    options.flush.automatic = false;
    options
}

pub(crate) const TABLE: RelationId = RelationId(100);

pub(crate) fn column(name: &str, ty: ColumnType) -> Column {
    Column { name: name.into(), ty, nullable: true, dropped: false, missing: None }
}

/// `(id int8 primary key, name text)` with a unique index on name and a plain one on name desc.
pub(crate) fn people() -> Arc<Layout> {
    let columns = vec![column("id", ColumnType::Int64), column("name", ColumnType::Text)];
    let index = |relation, descending, unique| IndexLayout {
        relation: RelationId(relation),
        columns: vec![1],
        descending: vec![descending],
        unique,
        nulls_distinct: true,
    };
    let indexes = vec![index(101, false, true), index(102, true, false)];
    Arc::new(Layout::new(TABLE, columns, vec![0], indexes, "public.people"))
}

pub(crate) fn batch(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let names: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
    RecordBatch::try_new(people().schema(), vec![ids, names]).unwrap()
}

/// Key and image of one row of `people`.
pub(crate) fn person(id: i64, name: Option<&str>) -> (Key, RowImage) {
    let batch = batch(&[(id, name)]);
    (key::encode(&people(), &batch, 0).unwrap(), row::encode(&people(), &batch, 0).unwrap())
}

/// A write set that inserts these people.
pub(crate) fn inserts(ns: &Namespace, rows: &[(i64, Option<&str>)]) -> WriteSet {
    let mut writes = WriteSet::new();
    for (id, name) in rows {
        let (key, image) = person(*id, *name);
        writes.insert(ns, &people(), key, image).unwrap();
    }
    writes
}

/// The name of a person: None if there is no such row.
pub(crate) async fn name_of(stand: &Stand, ns: &Namespace, id: i64) -> Option<Option<String>> {
    let (key, _) = person(id, None);
    let found = ns.get(&stand.store.snapshot(), None, &people(), &key).await.unwrap()?;
    assert!(found.lsn > Lsn(0));
    Some(name(&found.image))
}

pub(crate) fn name(image: &RowImage) -> Option<String> {
    use arrow::array::{Array, AsArray};
    let batch = row::decode(&people(), std::slice::from_ref(image), &[1]).unwrap();
    let names = batch.column(0).as_string::<i32>();
    (!names.is_null(0)).then(|| names.value(0).to_owned())
}
