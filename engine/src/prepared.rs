//! Statements as they were analysed once, shared among all sessions.
//!
//! A plan holds nothing of a session: the namespace it reads is bound when it runs. It is found
//! by its text, its parameter types and what its names meant: the versions of the shared and the
//! private catalog, the search path and which of its schemas the role may use. The same text sent by ten thousand users whose private
//! catalogs are empty is analysed once.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::{
    analyze::OutputColumn,
    catalog::part::CatalogView,
    error::{Error, Result},
    exec::{insert::InsertPlan, select::QueryPlan, staged::StagedPlan, update::ChangePlan},
    session::Field,
    statement::{Parsed, Statement, Template},
    subscribe::BoundSubscribe,
    types::{Oid, PgType},
};

/// An analysed statement.
pub(crate) struct Prepared {
    pub(crate) statement: Arc<Statement>,
    pub(crate) parameters: Vec<PgType>,
    pub(crate) body: Body,
    /// The description of its output, once a client asked.
    fields: OnceLock<Arc<[Field]>>,
    made_for: MadeFor,
}

/// What runs.
pub(crate) enum Body {
    Query(Box<QueryPlan>),
    Insert(Box<InsertPlan>),
    Update(Box<ChangePlan>),
    Delete(Box<ChangePlan>),
    Subscribe(Arc<BoundSubscribe>),
    Staged(Box<StagedPlan>),
    /// The statement's tree says it all.
    Utility,
}

impl Body {
    /// See [`InsertPlan::takes_rows`].
    pub(crate) fn takes_rows(&self) -> bool {
        matches!(self, Body::Insert(insert) if insert.takes_rows())
    }
}

/// What the names in a statement meant when it was analysed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MadeFor {
    database: Oid,
    versions: (u64, u64),
    /// `"$user"` may be in it.
    search_path: Arc<[String]>,
    /// Of the role, where the path has `"$user"`.
    user: Option<Oid>,
    /// The session's own schema for temporary objects.
    temporary: Option<Oid>,
    /// Schemas of the path that the role may not use.
    passed_over: Vec<Oid>,
}

impl MadeFor {
    fn now(view: &CatalogView, search_path: &Arc<[String]>) -> Self {
        let user = search_path.iter().any(|name| name == "$user").then_some(view.role);
        // Roles without a schema of their own name share their plans.
        let user = user.filter(|role| {
            view.role_by_oid(*role).is_some_and(|role| view.schema_by_name(&role.name).is_some())
        });
        MadeFor {
            database: view.database,
            versions: view.version(),
            search_path: Arc::clone(search_path),
            user,
            temporary: view.temporary_schema().map(|schema| schema.oid),
            passed_over: view.passed_over(search_path),
        }
    }
}

impl Prepared {
    pub(crate) fn new(
        statement: Arc<Statement>,
        parameters: Vec<PgType>,
        body: Body,
        view: &CatalogView,
        search_path: &Arc<[String]>,
    ) -> Self {
        let made_for = MadeFor::now(view, search_path);
        Prepared { statement, parameters, body, fields: OnceLock::new(), made_for }
    }

    /// Whether its names still mean the same.
    pub(crate) fn is_current(&self, view: &CatalogView, search_path: &Arc<[String]>) -> bool {
        matches!(self.body, Body::Utility) || self.made_for == MadeFor::now(view, search_path)
    }

    /// What PostgreSQL fails with when it plans, before anything is executed.
    pub(crate) fn check_constants(&self) -> Result<()> {
        self.body.planning_error().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// `output` as the client is told of it: one list for all who run this plan.
    pub(crate) fn fields(&self, output: &Arc<[OutputColumn]>) -> Arc<[Field]> {
        match &self.body {
            Body::Query(_)
            | Body::Insert(_)
            | Body::Update(_)
            | Body::Delete(_)
            | Body::Staged(_)
            | Body::Subscribe(_) => Arc::clone(self.fields.get_or_init(|| Field::of(output))),
            // What it returns depends on the session.
            Body::Utility => Field::of(output),
        }
    }

    /// The columns of the rows it returns, as far as the plan alone knows.
    pub(crate) fn output(&self) -> Option<Arc<[OutputColumn]>> {
        self.body.output()
    }
}

impl Body {
    fn planning_error(&self) -> Option<&Error> {
        match self {
            Body::Query(query) => query.constant_error.as_ref(),
            Body::Insert(insert) => insert.planning_error.as_ref(),
            Body::Update(change) | Body::Delete(change) => change.constant_error.as_ref(),
            Body::Staged(staged) => {
                let stages = staged.stages.iter().map(|stage| &stage.body);
                stages.chain([&staged.main]).find_map(Body::planning_error)
            }
            Body::Subscribe(_) | Body::Utility => None,
        }
    }

    fn output(&self) -> Option<Arc<[OutputColumn]>> {
        let returning = match self {
            Body::Query(query) => return Some(Arc::clone(&query.output)),
            Body::Insert(insert) => &insert.returning,
            Body::Update(change) | Body::Delete(change) => &change.returning,
            Body::Staged(staged) => return staged.main.output(),
            Body::Subscribe(bound) => return Some(Arc::clone(&bound.output)),
            Body::Utility => return None,
        };
        returning.as_ref().map(|returning| Arc::clone(&returning.output))
    }
}

/// Most plans kept.
pub(crate) const MAX_CACHED_PLANS: usize = 4096;
/// Most templates kept.
pub(crate) const MAX_CACHED_TEMPLATES: usize = 4096;
/// Most parsed texts kept.
pub(crate) const MAX_CACHED_SCRIPTS: usize = 4096;
/// Texts longer than this are not kept, in bytes.
const MAX_CACHED_TEXT_BYTES: usize = 16 << 10;
/// How many texts seen once are remembered, by hash.
const SEEN_ONCE: usize = 8192;

/// The statements of one text.
type Script = Arc<[Arc<Statement>]>;

/// What sessions share: parsed texts and plans.
pub(crate) struct PlanCache {
    scripts: Mutex<Bounded<Arc<str>, Script>>,
    plans: Mutex<Bounded<PlanKey, Arc<Prepared>>>,
    /// Texts without their literals; `None` for those that mean another thing without them.
    templates: Mutex<Bounded<Arc<str>, Option<Arc<Statement>>>>,
    seen: Mutex<Seen>,
    hasher: RandomState,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct PlanKey {
    text: Arc<str>,
    types: Vec<u32>,
    made_for: MadeFor,
}

impl PlanCache {
    pub(crate) fn new() -> Self {
        PlanCache {
            scripts: Mutex::new(Bounded::new(MAX_CACHED_SCRIPTS)),
            plans: Mutex::new(Bounded::new(MAX_CACHED_PLANS)),
            templates: Mutex::new(Bounded::new(MAX_CACHED_TEMPLATES)),
            seen: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// The statements of a simple query.
    pub(crate) fn script(&self, sql: &str) -> Result<Script> {
        if let Some(script) = lock(&self.scripts).get(sql) {
            return Ok(script);
        }
        let script: Script = crate::statement::parse_script(sql)?.into();
        if sql.len() <= MAX_CACHED_TEXT_BYTES && self.seen_before(sql) {
            lock(&self.scripts).insert(sql.into(), Arc::clone(&script));
        }
        Ok(script)
    }

    /// The one statement of a simple query, its literals taken out to be parameters; `None` where
    /// the text has to be taken as it is.
    pub(crate) fn template(&self, sql: &str) -> Option<(Arc<Statement>, Template)> {
        let mut template = Template::of(sql)?;
        let text = std::mem::take(&mut template.text);
        if let Some(known) = lock(&self.templates).get(text.as_str()) {
            return Some((known?, template));
        }
        let parsed = crate::statement::parse_single(&text).ok().flatten();
        let statement = parsed.filter(|statement| matches!(statement.body, Parsed::Plannable(_)));
        lock(&self.templates).insert(text.into(), statement.clone());
        Some((statement?, template))
    }

    /// This text means another thing than it does with its literals.
    pub(crate) fn forget_template(&self, statement: &Statement) {
        let mut templates = lock(&self.templates);
        templates.remove(&*statement.text);
        templates.insert(Arc::clone(&statement.text), None);
    }

    /// The one statement of a Parse message, if the text has one.
    pub(crate) fn single(&self, sql: &str) -> Result<Option<Arc<Statement>>> {
        if let Some(script) = lock(&self.scripts).get(sql)
            && script.len() < 2
        {
            return Ok(script.first().cloned());
        }
        let statement = crate::statement::parse_single(sql)?;
        if sql.len() <= MAX_CACHED_TEXT_BYTES {
            let script: Vec<_> = statement.iter().cloned().collect();
            lock(&self.scripts).insert(sql.into(), script.into());
        }
        Ok(statement)
    }

    /// A plan made before for the same text, types and names.
    pub(crate) fn find(
        &self,
        statement: &Statement,
        types: &[u32],
        view: &CatalogView,
        search_path: &Arc<[String]>,
    ) -> Option<Arc<Prepared>> {
        let key = PlanKey {
            text: Arc::clone(&statement.text),
            types: types.to_vec(),
            made_for: MadeFor::now(view, search_path),
        };
        lock(&self.plans).get(&key)
    }

    /// Keeps a plan. One that was not asked for by name (`keep` false) is kept from its second
    /// time on: texts with literals in them come once.
    pub(crate) fn insert(&self, types: &[u32], plan: &Arc<Prepared>, keep: bool) {
        let text = &plan.statement.text;
        if text.len() > MAX_CACHED_TEXT_BYTES || !(keep || self.is_parsed(text)) {
            return;
        }
        let key = PlanKey {
            text: Arc::clone(text),
            types: types.to_vec(),
            made_for: plan.made_for.clone(),
        };
        lock(&self.plans).insert(key, Arc::clone(plan));
    }

    /// DISCARD PLANS is about the session's own; the cache is everybody's and stays right.
    fn is_parsed(&self, text: &Arc<str>) -> bool {
        lock(&self.scripts).get(&**text).is_some()
    }

    fn seen_before(&self, sql: &str) -> bool {
        let hash = self.hasher.hash_one(sql);
        let mut seen = lock(&self.seen);
        if !seen.hashes.insert(hash) {
            return true;
        }
        seen.order.push_back(hash);
        if seen.order.len() > SEEN_ONCE
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.hashes.remove(&oldest);
        }
        false
    }
}

/// Hashes of texts that came once, the oldest first.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

/// A map that forgets what wasn't used since its hand last came by (CLOCK).
struct Bounded<K, V> {
    entries: HashMap<K, (V, bool)>,
    hand: VecDeque<K>,
    limit: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Bounded { entries: HashMap::new(), hand: VecDeque::new(), limit }
    }

    fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (value, used) = self.entries.get_mut(key)?;
        *used = true;
        Some(value.clone())
    }

    fn remove<Q>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.remove(key);
        self.hand.retain(|held| held.borrow() != key);
    }

    fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), (value, false)).is_some() {
            return;
        }
        self.hand.push_back(key);
        while self.entries.len() > self.limit {
            let Some(oldest) = self.hand.pop_front() else { return };
            match self.entries.get_mut(&oldest) {
                Some((_, used)) if *used => {
                    *used = false;
                    self.hand.push_back(oldest);
                }
                _ => {
                    self.entries.remove(&oldest);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_keeps_what_is_used() {
        let mut bounded = Bounded::new(2);
        bounded.insert("a", 1);
        bounded.insert("b", 2);
        assert_eq!(bounded.get("a"), Some(1));
        bounded.insert("c", 3);
        assert_eq!(bounded.get("a"), Some(1));
        assert_eq!(bounded.get("b"), None);
        assert_eq!(bounded.get("c"), Some(3));
    }
}
