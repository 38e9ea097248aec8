//! What the definitions of one transaction change, and how it is written down.

use std::sync::{Arc, OnceLock};

use kalamdb_storage::{NamespaceId, Owner, WriteSet};
use serde::Serialize;

use crate::{
    catalog::{
        Class, Database, Description, FIRST_PRIVATE_OID, Membership, Relation, Role, Schema,
        Statistic,
        layout::layout,
        part::{CatalogView, Cluster, Part, next_version},
        store::{CLUSTER_NAMESPACE, CatalogStore, PrivateCell, SessionCatalog, write_row},
    },
    error::Result,
    types::Oid,
};

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
            namespaces: OnceLock::new(),
            temporary: published.temporary.clone(),
        })
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.cluster.is_some() || self.shared.is_some() || !self.private.is_empty()
    }

    /// Whether roles or databases were changed.
    pub(crate) fn changes_cluster(&self) -> bool {
        self.cluster.is_some()
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
    pub(crate) async fn allocate_oid(
        &mut self,
        catalogs: &CatalogStore,
        place: Place,
    ) -> Result<Oid> {
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
        let old = self
            .transaction
            .view()
            .description(class, oid, sub)
            .map(|text| Description { text: text.to_owned(), ..description.clone() });
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
        let gone: Vec<_> = part.descriptions().filter(|d| oids.contains(&d.oid)).cloned().collect();
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
        let namespace = self.catalogs.store().namespace(CLUSTER_NAMESPACE, Owner::System);
        write_row(self.writes, &namespace, (class, oid, sub), old, new)
    }
}
