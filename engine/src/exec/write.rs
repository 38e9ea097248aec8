//! Storing and removing rows: locks, uniqueness, the transaction's write set.
//!
//! The order for one row is always: lock its key, look at the newest committed version, decide,
//! write into the transaction's write set. Under the lock nobody else can change what was seen, so
//! a commit never finds that it was wrong.

use std::{collections::HashSet, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch};
use bytes::Bytes;
use kalamdb_storage::{Key, Layout, Namespace, Row, RowImage, key, row};

use crate::{
    catalog::{Index, Relation, TableKind},
    error::{Error, Result},
    exec::rules::value_text,
    locks::{Acquired, KeyHash, Mode, Target, Wait},
    session::Session,
    types::FormatSettings,
};

/// One table as a statement writes it.
pub(crate) struct Writer {
    pub(crate) relation: Arc<Relation>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) namespace: Namespace,
    schema_name: String,
    /// Keys this statement has written already, where it may meet a row twice.
    pub(crate) touched: HashSet<Key>,
    /// Whether `touched` is kept.
    pub(crate) tracks: bool,
    /// Keys that other stages of the statement have written.
    earlier: Option<Arc<HashSet<Key>>>,
    pub(super) row_ids: std::ops::Range<i64>,
}

/// A row that is there already.
pub(crate) struct Conflict {
    /// Its place in `Relation::indexes()`.
    pub(crate) index: usize,
    pub(crate) key: Key,
}

impl Writer {
    pub(crate) fn new(session: &Session, relation: &Arc<Relation>) -> Result<Self> {
        let view = session.view();
        let layout = relation
            .layout
            .clone()
            .ok_or_else(|| Error::internal(format!("\"{}\" has no rows", relation.name)))?;
        let (own, shared) = session.namespaces();
        let namespace = match relation.kind {
            TableKind::Shared => shared,
            TableKind::User | TableKind::Private | TableKind::System => own,
        };
        Ok(Writer {
            relation: Arc::clone(relation),
            earlier: session.changed_by_stages(namespace.id(), layout.relation),
            layout,
            namespace,
            schema_name: view.schema_name(relation.schema),
            touched: HashSet::new(),
            tracks: session.stages.is_some(),
            row_ids: 0..0,
        })
    }

    /// Row locks wait as the session's settings say.
    pub(crate) fn wait(session: &Session) -> Wait {
        let effective = session.effective();
        Wait::Block {
            lock_timeout: effective.lock_timeout,
            deadlock_timeout: effective.deadlock_timeout,
        }
    }

    fn row_target(&self, key: &Key) -> Target {
        Target::Row(self.namespace.id(), self.layout.relation, KeyHash::of(key))
    }

    pub(crate) async fn lock_row(
        &self,
        session: &mut Session,
        key: &Key,
        mode: Mode,
        wait: Wait,
    ) -> Result<Acquired> {
        session.transaction.lock(self.row_target(key), mode, wait).await
    }

    /// The newest version of a row: the own one, else the last committed.
    pub(crate) async fn newest(&self, session: &Session, key: &Key) -> Result<Option<Row>> {
        let now = session.engine.store.snapshot();
        let writes = Some(&*session.transaction.writes);
        Ok(self.namespace.get(&now, writes, &self.layout, key).await?)
    }

    /// The keys of rows to be inserted.
    pub(crate) async fn new_keys(&mut self, batch: &RecordBatch) -> Result<Vec<Key>> {
        if !self.layout.key.is_empty() {
            return Ok(key::encode_all(&self.layout, batch)?);
        }
        let ids = self.new_row_ids(batch.num_rows()).await?;
        Ok(ids.into_iter().map(Key::from_row_id).collect())
    }

    /// Takes the locks of a new row's unique values and looks for a row that has one already.
    /// `own` is the row's present key when it is an update of an existing row. The indexes at the
    /// places `first` are looked at before the others.
    pub(crate) async fn find_conflict(
        &self,
        session: &mut Session,
        batch: &RecordBatch,
        place: usize,
        new_key: &Key,
        own: Option<(&Key, &RowImage)>,
        first: &[usize],
    ) -> Result<Option<Conflict>> {
        let turns: &[bool] = if first.is_empty() { &[false] } else { &[true, false] };
        for turn in turns {
            let mut secondary = 0;
            for (index, definition) in self.relation.indexes().iter().enumerate() {
                let layout_index = secondary;
                secondary += usize::from(!definition.primary);
                if !definition.unique && !definition.primary || first.contains(&index) != *turn {
                    continue;
                }
                let at = (index, (!definition.primary).then_some(layout_index));
                let found = self.find_in_index(session, batch, place, new_key, own, at).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// [`Self::find_conflict`] in one index; `at`: its place, and that in the layout unless it is the
    /// primary key's.
    async fn find_in_index(
        &self,
        session: &mut Session,
        batch: &RecordBatch,
        place: usize,
        new_key: &Key,
        own: Option<(&Key, &RowImage)>,
        at: (usize, Option<usize>),
    ) -> Result<Option<Conflict>> {
        let (index, Some(layout_index)) = at else {
            if own.is_none_or(|(key, _)| key != new_key) {
                self.lock_row(session, new_key, Mode::Update, Self::wait(session)).await?;
                if self.newest(session, new_key).await?.is_some() {
                    return Ok(Some(Conflict { index: at.0, key: new_key.clone() }));
                }
            }
            return Ok(None);
        };
        let values = key::index_key(&self.layout, layout_index, batch, place)?;
        let Some(values) = values else { return Ok(None) };
        if let Some((_, image)) = own
            && key::index_key_of_image(&self.layout, layout_index, image)?.as_ref() == Some(&values)
        {
            return Ok(None);
        }
        self.find_by_index(session, (index, layout_index), values, own).await
    }

    async fn find_by_index(
        &self,
        session: &mut Session,
        (index, layout_index): (usize, usize),
        values: Bytes,
        own: Option<(&Key, &RowImage)>,
    ) -> Result<Option<Conflict>> {
        let relation = self.layout.indexes[layout_index].relation;
        let target = Target::Unique(self.namespace.id(), relation, KeyHash::of(&values));
        session.transaction.lock(target, Mode::Update, Self::wait(session)).await?;
        let now = session.engine.store.snapshot();
        let found = self
            .namespace
            .get_unique(
                &now,
                Some(&*session.transaction.writes),
                &self.layout,
                layout_index,
                &values,
            )
            .await?;
        Ok(found
            .filter(|(key, _)| own.is_none_or(|(own, _)| own != key))
            .map(|(key, _)| Conflict { index, key }))
    }

    /// 23505 for a row that is there already.
    pub(crate) fn violation(
        &self,
        conflict: &Conflict,
        batch: &RecordBatch,
        place: usize,
        format: &FormatSettings,
    ) -> Error {
        let index = &self.relation.indexes()[conflict.index];
        Error::unique_violation(&index.name, &self.key_text(index, batch, place, format))
            .on_table(&self.schema_name, &self.relation.name)
            .on_constraint(&index.name)
    }

    /// `(a, b)=(1, x)`
    fn key_text(
        &self,
        index: &Index,
        batch: &RecordBatch,
        place: usize,
        format: &FormatSettings,
    ) -> String {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for column in &index.columns {
            let at = (column.attnum - 1) as usize;
            let attribute = &self.relation.columns[at];
            names.push(self.relation.index_column_text(column.attnum));
            if let Some(live) = self.layout.place(at) {
                values.push(value_text(attribute.ty, batch.column(live), place, format));
            }
        }
        format!("({})=({})", names.join(", "), values.join(", "))
    }

    /// Whether another stage of the same statement has changed the row.
    pub(crate) fn changed_earlier(&self, key: &Key) -> bool {
        self.earlier.as_ref().is_some_and(|keys| keys.contains(key))
    }

    fn track(&mut self, key: &Key) {
        if self.tracks {
            self.touched.insert(key.clone());
        }
    }

    /// Writes a new row. The caller has found no conflict.
    pub(crate) fn insert(
        &mut self,
        session: &mut Session,
        key: Key,
        image: RowImage,
    ) -> Result<()> {
        self.track(&key);
        let writes = session.transaction.writes_mut();
        Ok(writes.insert(&self.namespace, &self.layout, key, image)?)
    }

    /// Writes a new version of a row that is locked. `batch` holds it at `place`.
    pub(crate) async fn update(
        &mut self,
        session: &mut Session,
        (key, old): (&Key, &Row),
        batch: &RecordBatch,
        place: usize,
        format: &FormatSettings,
    ) -> Result<()> {
        let new_key = match self.layout.key.is_empty() {
            true => key.clone(),
            false => key::encode(&self.layout, batch, place)?,
        };
        let own = Some((key, &old.image));
        if let Some(conflict) =
            self.find_conflict(session, batch, place, &new_key, own, &[]).await?
        {
            return Err(self.violation(&conflict, batch, place, format));
        }
        let image = row::encode(&self.layout, batch, place)?;
        self.track(&new_key);
        self.track(key);
        let writes = session.transaction.writes_mut();
        if new_key == *key {
            writes.update(&self.namespace, &self.layout, new_key, old.image.clone(), image)?;
        } else {
            writes.delete(&self.namespace, &self.layout, key.clone(), old.image.clone())?;
            writes.insert(&self.namespace, &self.layout, new_key, image)?;
        }
        Ok(())
    }

    /// Removes a row that is locked.
    pub(crate) fn delete(&mut self, session: &mut Session, key: Key, old: RowImage) -> Result<()> {
        self.track(&key);
        let writes = session.transaction.writes_mut();
        Ok(writes.delete(&self.namespace, &self.layout, key, old)?)
    }

    /// The live columns of row images.
    pub(crate) fn decode(&self, images: &[RowImage]) -> Result<Vec<ArrayRef>> {
        let batch = row::decode(&self.layout, images, self.layout.live())?;
        Ok(batch.columns().to_vec())
    }

    /// The lock an update takes: weaker when no unique column is assigned.
    pub(crate) fn update_mode(&self, assigned: &[i16]) -> Mode {
        let unique = self.relation.indexes().iter().filter(|index| index.unique);
        let is_key =
            unique.flat_map(|index| &index.columns).any(|column| assigned.contains(&column.attnum));
        if is_key { Mode::Update } else { Mode::NoKeyUpdate }
    }
}
