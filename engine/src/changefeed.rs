//! What is committed, told to those who watch: listeners of channels and followers of tables.
//!
//! Storage calls [`Changefeed::committed`] in LSN order once a group of commits is visible, and
//! [`Changefeed::durable`] once no crash can take them away, which with `synchronous_commit` is at
//! once; nothing else ever speaks to a listener or a subscription, least of all the statement
//! that wrote. The feed keeps no messages: a notification goes straight into the outboxes of the
//! sessions that listen, as PostgreSQL's do whether the commit was synced or not, and a
//! subscription, which has only what is durable, is merely woken then and reads the log itself. A
//! commit in a namespace that nobody watches costs one look into a map, and a namespace that
//! nobody watches any more has no entry there.
//!
//! # A notification is never lost
//!
//! Outboxes are bounded, so [`Changefeed::reserve`] is asked before a transaction with
//! notifications commits: it sets room aside in the outbox of each session that listens to one of
//! the channels, and fails the *notifier* (54000, `too many notifications in the NOTIFY queue`)
//! where some listener hasn't fetched enough of what it was sent. A LISTEN that takes effect
//! between that question and the commit wasn't asked; for those the outbox has to be a little
//! larger than [`FeedLimits::outbox_bytes`].

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use kalamdb_storage::{CommitNotice, Feed, NamespaceId, Position, RelationId};
use tokio::sync::{Notify, watch};

use crate::error::{Error, Result, SqlState};

/// One NotificationResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The session that notified.
    pub process_id: i32,
    /// The channel.
    pub channel: Arc<str>,
    /// The payload, empty if none was given.
    pub payload: Arc<str>,
}

/// Where the notifications of one session go: the outbox of its connection.
pub trait NotificationSink: Send + Sync + 'static {
    /// Queues these in their order, without waiting, and wakes the connection, which delivers them
    /// when it is idle outside a transaction. What doesn't fit ends the connection.
    fn send(&self, notifications: Vec<Notification>);

    /// What waits for the client, in bytes as [`Notification::cost`] counts them.
    fn waiting_bytes(&self) -> usize;
}

impl Notification {
    /// What it costs while it waits, in bytes.
    pub fn cost(&self) -> usize {
        notification_cost(&self.channel, &self.payload)
    }
}

fn notification_cost(channel: &str, payload: &str) -> usize {
    64 + channel.len() + payload.len()
}

/// Bounds of what watchers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// Bytes of notifications that may wait for one session before its notifiers get errors.
    pub outbox_bytes: usize,
    /// Subscriptions that run at once for one namespace's owner: 53400.
    pub subscriptions: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        FeedLimits { outbox_bytes: 8 << 20, subscriptions: 10_000 }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Changefeed {
    limits: FeedLimits,
    namespaces: RwLock<HashMap<NamespaceId, Arc<Watched>>>,
    /// The namespaces with commits that followers haven't been told of; each once.
    unsynced: Mutex<Vec<Arc<Watched>>>,
    closing: watch::Sender<bool>,
}

/// A namespace that somebody watches.
#[derive(Debug)]
struct Watched {
    watchers: Mutex<Watchers>,
    moved: Arc<Moved>,
}

#[derive(Debug, Default)]
struct Watchers {
    listeners: HashMap<Arc<str>, Vec<Arc<Listener>>>,
    followers: HashMap<RelationId, Vec<Arc<Follower>>>,
    /// What followers are told once it is durable.
    unsynced: Option<Advance>,
}

/// Commits up to a position, and what they changed.
#[derive(Debug)]
struct Advance {
    position: Position,
    relations: Vec<(RelationId, Position)>,
}

/// How far a namespace has come, for its followers.
#[derive(Debug, Default)]
struct Moved {
    head: AtomicI64,
    commits: Notify,
}

/// A session as a listener in one namespace.
pub(crate) struct Listener {
    sink: Arc<dyn NotificationSink>,
    /// Room set aside for transactions that are committing.
    reserved: AtomicUsize,
    /// `Some` while a LISTEN isn't committed: what arrives meanwhile waits for the outcome.
    held: Mutex<Option<Vec<Notification>>>,
    held_bytes: AtomicUsize,
}

/// Somebody who is woken by the changes of a relation.
#[derive(Debug)]
struct Follower {
    about: LiveSubscription,
    /// The last position known to change the relation.
    relevant: AtomicI64,
    /// Everything up to here was sent.
    sent: AtomicI64,
    changed: Notify,
}

/// A running subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveSubscription {
    pub(crate) process_id: i32,
    /// Whose subscription it is; the table's namespace may be the shared one.
    pub(crate) owner: NamespaceId,
    pub(crate) relation: RelationId,
    pub(crate) query: Arc<str>,
    /// Microseconds since 1970.
    pub(crate) started: i64,
    /// Everything up to here was sent, and where the log ends; filled in by [`Changefeed::live`].
    pub(crate) sent: Position,
    pub(crate) head: Position,
}

impl Feed for Changefeed {
    fn committed(&self, notices: &[CommitNotice]) {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        if namespaces.is_empty() {
            return;
        }
        for notice in notices {
            if let Some(watched) = namespaces.get(&notice.namespace)
                && watched.committed(notice)
            {
                lock(&self.unsynced).push(Arc::clone(watched));
            }
        }
    }

    fn durable(&self) {
        let advanced = std::mem::take(&mut *lock(&self.unsynced));
        for watched in advanced {
            watched.durable();
        }
    }
}

impl Changefeed {
    /// A feed that nobody watches yet.
    pub fn new(limits: FeedLimits) -> Arc<Changefeed> {
        Arc::new(Changefeed {
            limits,
            namespaces: RwLock::default(),
            unsynced: Mutex::default(),
            closing: watch::Sender::new(false),
        })
    }

    /// Ends all subscriptions with 57P01, after they sent the marker of what they have sent.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Becomes true at [`Changefeed::close`].
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// From now on the notifications of `channel` in `namespace` go to `listener`.
    pub(crate) fn listen(&self, namespace: NamespaceId, listener: &Arc<Listener>, channel: &str) {
        self.watch(namespace, |watchers| {
            let listeners = watchers.listeners.entry(Arc::from(channel)).or_default();
            if !listeners.iter().any(|one| Arc::ptr_eq(one, listener)) {
                listeners.push(Arc::clone(listener));
            }
        });
    }

    /// Undoes [`Changefeed::listen`].
    pub(crate) fn unlisten(&self, namespace: NamespaceId, listener: &Arc<Listener>, channel: &str) {
        self.unwatch(namespace, |watchers| {
            if let Some(listeners) = watchers.listeners.get_mut(channel) {
                listeners.retain(|one| !Arc::ptr_eq(one, listener));
                if listeners.is_empty() {
                    watchers.listeners.remove(channel);
                }
            }
        });
    }

    /// Sets room aside for notifications that are about to be committed; given back when the
    /// result is dropped, which must be after the commit.
    ///
    /// # Errors
    /// 54000 when one who listens has too much waiting already.
    pub(crate) fn reserve<'a>(
        &self,
        notifications: impl IntoIterator<Item = (NamespaceId, &'a str, &'a str)>,
    ) -> Result<Reservation> {
        let mut reservation = Reservation::default();
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        for (namespace, channel, payload) in notifications {
            let Some(watched) = namespaces.get(&namespace) else { continue };
            let watchers = lock(&watched.watchers);
            for listener in watchers.listeners.get(channel).into_iter().flatten() {
                let cost = notification_cost(channel, payload);
                let before = listener.reserved.fetch_add(cost, Ordering::AcqRel);
                reservation.0.push((Arc::clone(listener), cost));
                if listener.waiting_bytes() + before + cost > self.limits.outbox_bytes {
                    return Err(Error::program_limit_exceeded(
                        "too many notifications in the NOTIFY queue",
                    ));
                }
            }
        }
        Ok(reservation)
    }

    /// How full the fullest outbox of the namespace's listeners is, 0 to 1: what
    /// `pg_notification_queue_usage()` says.
    pub(crate) fn queue_usage(&self, namespace: NamespaceId) -> f64 {
        let Some(watched) = self.watched(namespace) else { return 0.0 };
        let watchers = lock(&watched.watchers);
        let waiting =
            watchers.listeners.values().flatten().map(|listener| listener.waiting_bytes());
        waiting.max().unwrap_or(0) as f64 / self.limits.outbox_bytes as f64
    }

    /// Registers a subscription in the namespace of its table.
    ///
    /// # Errors
    /// 53400 when its owner has too many.
    pub(crate) fn follow(
        self: &Arc<Self>,
        namespace: NamespaceId,
        about: LiveSubscription,
    ) -> Result<Follow> {
        let (owner, limit) = (about.owner, self.limits.subscriptions);
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let running = namespaces.get(&namespace).map_or(0, |watched| {
            let watchers = lock(&watched.watchers);
            let all = watchers.followers.values().flatten();
            all.filter(|one| one.about.owner == owner).count()
        });
        drop(namespaces);
        if running >= limit {
            return Err(Error::new(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "too many subscriptions",
            )
            .with_detail(format!("At most {limit} run at once in a namespace.")));
        }
        let follower = Arc::new(Follower {
            relevant: AtomicI64::new(0),
            sent: AtomicI64::new(about.sent.0),
            changed: Notify::new(),
            about,
        });
        let (watched, ()) = self.watch(namespace, |watchers| {
            let same = watchers.followers.entry(follower.about.relation).or_default();
            same.push(Arc::clone(&follower));
        });
        Ok(Follow {
            feed: Arc::clone(self),
            namespace,
            follower,
            moved: Arc::clone(&watched.moved),
        })
    }

    /// The subscriptions of the owner of `own`, on own and shared tables.
    pub(crate) fn live(&self, own: NamespaceId, shared: NamespaceId) -> Vec<LiveSubscription> {
        let mut live = Vec::new();
        for namespace in [own, shared] {
            let Some(watched) = self.watched(namespace) else { continue };
            let head = watched.moved.head.load(Ordering::Acquire);
            let watchers = lock(&watched.watchers);
            let all = watchers.followers.values().flatten();
            live.extend(all.filter(|one| one.about.owner == own).map(|one| {
                let sent = one.sent.load(Ordering::Acquire);
                let (sent, head) = (Position(sent), Position(head.max(sent)));
                LiveSubscription { sent, head, ..one.about.clone() }
            }));
        }
        live
    }

    fn watched(&self, namespace: NamespaceId) -> Option<Arc<Watched>> {
        self.namespaces
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&namespace)
            .map(Arc::clone)
    }

    fn watch<T>(
        &self,
        namespace: NamespaceId,
        change: impl FnOnce(&mut Watchers) -> T,
    ) -> (Arc<Watched>, T) {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let watched = namespaces.entry(namespace).or_insert_with(|| {
            Arc::new(Watched { watchers: Mutex::default(), moved: Arc::default() })
        });
        let changed = change(&mut lock(&watched.watchers));
        (Arc::clone(watched), changed)
    }

    fn unwatch(&self, namespace: NamespaceId, change: impl FnOnce(&mut Watchers)) {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let Some(watched) = namespaces.get(&namespace) else { return };
        let is_empty = {
            let mut watchers = lock(&watched.watchers);
            change(&mut watchers);
            watchers.listeners.is_empty() && watchers.followers.is_empty()
        };
        if is_empty {
            namespaces.remove(&namespace);
        }
    }
}

impl Watched {
    /// Delivers notifications; whether this is the first commit that followers are to be told of.
    fn committed(&self, notice: &CommitNotice) -> bool {
        let mut watchers = lock(&self.watchers);
        for sent in &notice.notifications {
            for listener in watchers.listeners.get(&sent.channel).into_iter().flatten() {
                listener.deliver(Notification {
                    process_id: sent.pid,
                    channel: Arc::clone(&sent.channel),
                    payload: Arc::clone(&sent.payload),
                });
            }
        }
        if watchers.followers.is_empty() {
            return false;
        }
        let is_first = watchers.unsynced.is_none();
        let Watchers { followers, unsynced, .. } = &mut *watchers;
        let advance = unsynced
            .get_or_insert_with(|| Advance { position: notice.position, relations: Vec::new() });
        advance.position = notice.position;
        for relation in &notice.relations {
            match advance.relations.iter_mut().find(|(one, _)| one == relation) {
                Some((_, position)) => *position = notice.position,
                None if followers.contains_key(relation) => {
                    advance.relations.push((*relation, notice.position));
                }
                None => {}
            }
        }
        is_first
    }

    /// Wakes the followers of what was committed.
    fn durable(&self) {
        let mut watchers = lock(&self.watchers);
        let Some(advance) = watchers.unsynced.take() else { return };
        // `relevant` before `head`: who sees the head has seen what is relevant up to it.
        for (relation, position) in advance.relations {
            for follower in watchers.followers.get(&relation).into_iter().flatten() {
                follower.relevant.store(position.0, Ordering::Release);
                follower.changed.notify_one();
            }
        }
        if !watchers.followers.is_empty() {
            self.moved.head.store(advance.position.0, Ordering::Release);
            self.moved.commits.notify_waiters();
        }
    }
}

impl Listener {
    pub(crate) fn new(sink: Arc<dyn NotificationSink>) -> Arc<Listener> {
        Arc::new(Listener {
            sink,
            reserved: AtomicUsize::new(0),
            held: Mutex::new(None),
            held_bytes: AtomicUsize::new(0),
        })
    }

    fn waiting_bytes(&self) -> usize {
        self.sink.waiting_bytes() + self.held_bytes.load(Ordering::Acquire)
    }

    /// From now on notifications wait for [`Listener::release`].
    pub(crate) fn hold(&self) {
        lock(&self.held).get_or_insert_default();
    }

    /// Delivers what was held if `wanted` says so of its channel.
    pub(crate) fn release(&self, wanted: impl Fn(&str) -> bool) {
        // Under the lock, so that what comes next stays behind.
        let mut held = lock(&self.held);
        let mut waiting = held.take().unwrap_or_default();
        self.held_bytes.store(0, Ordering::Release);
        waiting.retain(|notification| wanted(&notification.channel));
        if !waiting.is_empty() {
            self.sink.send(waiting);
        }
    }

    fn deliver(&self, notification: Notification) {
        match &mut *lock(&self.held) {
            Some(held) => {
                self.held_bytes.fetch_add(notification.cost(), Ordering::AcqRel);
                held.push(notification);
            }
            None => self.sink.send(vec![notification]),
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("reserved", &self.reserved).finish_non_exhaustive()
    }
}

/// Room in outboxes; see [`Changefeed::reserve`].
#[derive(Debug, Default)]
pub(crate) struct Reservation(Vec<(Arc<Listener>, usize)>);

impl Drop for Reservation {
    fn drop(&mut self) {
        for (listener, cost) in &self.0 {
            listener.reserved.fetch_sub(*cost, Ordering::AcqRel);
        }
    }
}

/// A subscription's place in the feed, given up when dropped.
#[derive(Debug)]
pub(crate) struct Follow {
    feed: Arc<Changefeed>,
    namespace: NamespaceId,
    follower: Arc<Follower>,
    moved: Arc<Moved>,
}

/// What happened beyond a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// No commit.
    Nothing,
    /// Commits up to here, none of which touches the relation.
    Irrelevant(Position),
    /// The relation changed.
    Relevant,
}

impl Follow {
    /// What the feed told since this was registered about commits beyond `after`. Only right for
    /// an `after` that was reached since.
    pub(crate) fn news(&self, after: Position) -> News {
        let head = self.moved.head.load(Ordering::Acquire);
        if self.follower.relevant.load(Ordering::Acquire) > after.0 {
            News::Relevant
        } else if head > after.0 {
            News::Irrelevant(Position(head))
        } else {
            News::Nothing
        }
    }

    /// Waits until [`Follow::news`] of `after` is [`News::Relevant`], or with `any` not
    /// [`News::Nothing`]. May be dropped and called again.
    pub(crate) async fn wait(&self, after: Position, any: bool) {
        loop {
            let moved = self.moved.commits.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            match self.news(after) {
                News::Relevant => return,
                News::Irrelevant(_) if any => return,
                News::Irrelevant(_) | News::Nothing => {}
            }
            if any {
                tokio::select! {
                    () = self.follower.changed.notified() => {}
                    () = moved => {}
                }
            } else {
                self.follower.changed.notified().await;
            }
        }
    }

    /// Notes for `pg_stat_live` that everything up to `position` was sent.
    pub(crate) fn sent(&self, position: Position) {
        self.follower.sent.store(position.0, Ordering::Release);
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let relation = self.follower.about.relation;
        self.feed.unwatch(self.namespace, |watchers| {
            if let Some(followers) = watchers.followers.get_mut(&relation) {
                followers.retain(|one| !Arc::ptr_eq(one, &self.follower));
                if followers.is_empty() {
                    watchers.followers.remove(&relation);
                }
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests {
    use kalamdb_storage::{Lsn, Notification as Sent};

    use super::*;

    /// An outbox that keeps everything.
    #[derive(Debug, Default)]
    pub(crate) struct Outbox(Mutex<Vec<Notification>>);

    impl Outbox {
        pub(crate) fn take(&self) -> Vec<String> {
            let sent = std::mem::take(&mut *lock(&self.0));
            sent.iter().map(|one| format!("{}:{}", one.channel, one.payload)).collect()
        }
    }

    impl NotificationSink for Outbox {
        fn send(&self, notifications: Vec<Notification>) {
            lock(&self.0).extend(notifications);
        }

        fn waiting_bytes(&self) -> usize {
            lock(&self.0).iter().map(Notification::cost).sum()
        }
    }

    pub(crate) fn notifying(namespace: u64, position: i64, sent: &[(&str, &str)]) -> CommitNotice {
        let notifications = sent
            .iter()
            .map(|(channel, payload)| Sent {
                channel: Arc::from(*channel),
                payload: Arc::from(*payload),
                pid: 7,
            })
            .collect();
        CommitNotice {
            lsn: Lsn(position.unsigned_abs()),
            namespace: NamespaceId(namespace),
            position: Position(position),
            relations: Vec::new(),
            notifications,
        }
    }

    #[test]
    fn channels_belong_to_their_namespace() {
        let feed = Changefeed::new(FeedLimits::default());
        let (alice, bob) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
        let listeners = [Listener::new(alice.clone()), Listener::new(bob.clone())];
        feed.listen(NamespaceId(1), &listeners[0], "c");
        feed.listen(NamespaceId(2), &listeners[1], "c");
        feed.committed(&[notifying(1, 1, &[("c", "hi"), ("d", "no")])]);
        assert_eq!((alice.take(), bob.take()), (vec!["c:hi".to_owned()], Vec::new()));
        feed.unlisten(NamespaceId(1), &listeners[0], "c");
        feed.unlisten(NamespaceId(2), &listeners[1], "c");
        assert!(feed.namespaces.read().unwrap().is_empty());
    }

    #[test]
    fn a_full_outbox_fails_the_notifier() {
        let feed = Changefeed::new(FeedLimits { outbox_bytes: 200, ..FeedLimits::default() });
        let outbox = Arc::new(Outbox::default());
        let listener = Listener::new(outbox.clone());
        feed.listen(NamespaceId(1), &listener, "c");
        let one = || feed.reserve([(NamespaceId(1), "c", "0123456789")]);
        let first = one().unwrap();
        let _second = one().unwrap();
        let error = one().unwrap_err();
        assert_eq!(error.sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED);
        drop(first);
        assert!(one().is_ok());
        assert!(feed.reserve([(NamespaceId(2), "c", "x"), (NamespaceId(1), "d", "x")]).is_ok());
        outbox.send(vec![Notification {
            process_id: 1,
            channel: "c".into(),
            payload: "x".repeat(100).into(),
        }]);
        assert!(one().is_err());
    }

    #[tokio::test]
    async fn followers_learn_of_their_relation() {
        let feed = Changefeed::new(FeedLimits { subscriptions: 1, ..FeedLimits::default() });
        let about = LiveSubscription {
            process_id: 1,
            owner: NamespaceId(1),
            relation: RelationId(5),
            query: "SUBSCRIBE t".into(),
            started: 0,
            sent: Position(0),
            head: Position(0),
        };
        let follow = feed.follow(NamespaceId(1), about.clone()).unwrap();
        assert!(feed.follow(NamespaceId(1), about.clone()).is_err());
        assert_eq!(follow.news(Position(0)), News::Nothing);
        feed.committed(&[notifying(1, 1, &[])]);
        assert_eq!(follow.news(Position(0)), News::Nothing);
        feed.durable();
        follow.wait(Position(0), true).await;
        assert_eq!(follow.news(Position(0)), News::Irrelevant(Position(1)));
        assert_eq!(feed.live(NamespaceId(1), NamespaceId(0))[0].head, Position(1));
        drop(follow);
        assert!(feed.namespaces.read().unwrap().is_empty());
    }
}
