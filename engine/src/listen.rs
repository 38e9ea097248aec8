//! LISTEN, UNLISTEN, NOTIFY (PostgreSQL 15's `async.c`), per namespace.
//!
//! NOTIFY goes into the transaction's write set and thereby into its commit record; it is undone
//! with its (sub)transaction because the write set is. LISTEN and UNLISTEN are remembered here
//! until the transaction ends: [`Listening::pre_commit`] before storage commits, then
//! [`Listening::committed`] or [`Listening::rolled_back`]. Between the first two the session
//! already hears its new channels, so that `BEGIN; NOTIFY zz; LISTEN zz; COMMIT` hears itself;
//! what it hears is held back until the outcome is known. A session that listens to something
//! already hears a new channel from the LISTEN on, likewise held back: PostgreSQL, too, gives it
//! at COMMIT what others sent while its transaction was open.
//!
//! A session listens in the namespace of its current user. Changing that role forgets all
//! channels at once, also those of the transaction that is open, and ROLLBACK doesn't bring them
//! back: whoever takes the connection from a pool next must not hear another user's channels.

use std::sync::{Arc, Mutex, PoisonError};

use kalamdb_storage::NamespaceId;

use crate::{
    changefeed::{Changefeed, Listener, NotificationSink, Reservation},
    error::{Error, Result},
};

/// PostgreSQL's NAMEDATALEN less one.
const MAX_CHANNEL_BYTES: usize = 63;
/// PostgreSQL's NOTIFY_PAYLOAD_MAX_LENGTH less one; the default of a setting.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 7999;
/// Channels one session listens to at once.
const MAX_CHANNELS: usize = 10_000;
/// LISTENs and UNLISTENs of one transaction.
const MAX_ACTIONS: usize = 10_000;

/// What one session listens to, as `pg_listening_channels()` shows it to its statements.
#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<Arc<[String]>>);

impl Channels {
    pub(crate) fn list(&self) -> Arc<[String]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, channels: &[String]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = channels.into();
    }
}

/// What one session listens to, and its open transaction wants to.
#[derive(Debug)]
pub(crate) struct Listening {
    feed: Arc<Changefeed>,
    listener: Arc<Listener>,
    namespace: NamespaceId,
    /// In the order of the LISTENs.
    channels: Vec<String>,
    shown: Arc<Channels>,
    /// What the open transaction did.
    actions: Vec<Action>,
    /// Channels that [`Listening::hear`] registered and `channels` lacks.
    provisional: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Listen(String),
    Unlisten(String),
    UnlistenAll,
}

/// A savepoint's place among the actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenMark(usize);

/// Checks the arguments of NOTIFY and `pg_notify`.
///
/// # Errors
/// 22023 for an empty or long channel name or a long payload.
pub(crate) fn check_notification(channel: &str, payload: &str) -> Result<()> {
    if channel.is_empty() {
        return Err(Error::invalid_parameter_value("channel name cannot be empty"));
    }
    if channel.len() > MAX_CHANNEL_BYTES {
        return Err(Error::invalid_parameter_value("channel name too long"));
    }
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::invalid_parameter_value("payload string too long"));
    }
    Ok(())
}

impl Listening {
    /// A session that listens to nothing; its notifications go to `sink`.
    pub(crate) fn new(
        feed: Arc<Changefeed>,
        sink: Arc<dyn NotificationSink>,
        namespace: NamespaceId,
        shown: Arc<Channels>,
    ) -> Listening {
        Listening {
            shown,
            feed,
            listener: Listener::new(sink),
            namespace,
            channels: Vec::new(),
            actions: Vec::new(),
            provisional: Vec::new(),
        }
    }

    /// LISTEN, from the end of the transaction on.
    ///
    /// # Errors
    /// 54000 with too many channels.
    pub(crate) fn listen(&mut self, channel: &str) -> Result<()> {
        if self.channels.len() >= MAX_CHANNELS {
            return Err(Error::program_limit_exceeded(format!(
                "a session listens to at most {MAX_CHANNELS} channels"
            )));
        }
        self.act(Action::Listen(channel.to_owned()))?;
        if !self.channels.is_empty() {
            self.hear(channel);
        }
        Ok(())
    }

    /// `UNLISTEN channel`, from the end of the transaction on.
    ///
    /// # Errors
    /// 54000 after too many of these in one transaction.
    pub(crate) fn unlisten(&mut self, channel: &str) -> Result<()> {
        self.act(Action::Unlisten(channel.to_owned()))
    }

    /// `UNLISTEN *` and DISCARD ALL, from the end of the transaction on.
    ///
    /// # Errors
    /// 54000 after too many of these in one transaction.
    pub(crate) fn unlisten_all(&mut self) -> Result<()> {
        self.act(Action::UnlistenAll)
    }

    fn act(&mut self, action: Action) -> Result<()> {
        let is_listen = matches!(action, Action::Listen(_));
        // PostgreSQL, too, remembers no UNLISTEN of a session that listens to nothing.
        if !is_listen && self.channels.is_empty() && self.actions.is_empty() {
            return Ok(());
        }
        if self.actions.last() == Some(&action) {
            return Ok(());
        }
        if self.actions.len() >= MAX_ACTIONS {
            return Err(Error::program_limit_exceeded(format!(
                "a transaction says LISTEN and UNLISTEN at most {MAX_ACTIONS} times"
            )));
        }
        self.actions.push(action);
        Ok(())
    }

    /// SAVEPOINT.
    pub(crate) fn mark(&self) -> ListenMark {
        ListenMark(self.actions.len())
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(crate) fn rollback_to(&mut self, mark: ListenMark) {
        self.actions.truncate(mark.0);
    }

    /// To be called before storage commits, with the notifications of the write set: whatever can
    /// fail about them fails here. Keep the result until storage has committed.
    ///
    /// # Errors
    /// 54000 `too many notifications in the NOTIFY queue`; nothing is to be undone then but what
    /// [`Listening::rolled_back`] does.
    pub(crate) fn pre_commit<'a>(
        &mut self,
        notifications: impl IntoIterator<Item = (NamespaceId, &'a str, &'a str)>,
    ) -> Result<Reservation> {
        for action in self.actions.clone() {
            match action {
                Action::Listen(channel) => self.hear(&channel),
                // What it no longer listens to it doesn't hear, not even from itself.
                Action::Unlisten(_) | Action::UnlistenAll => self.listener.hold(),
            }
        }
        self.feed.reserve(notifications)
    }

    /// The transaction is committed: its LISTENs and UNLISTENs count.
    pub(crate) fn committed(&mut self) {
        if self.actions.is_empty() && self.provisional.is_empty() {
            return;
        }
        let before = self.channels.clone();
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::Listen(channel) if self.channels.contains(&channel) => {}
                Action::Listen(channel) => self.channels.push(channel),
                Action::Unlisten(channel) => self.channels.retain(|one| *one != channel),
                Action::UnlistenAll => self.channels.clear(),
            }
        }
        for channel in before {
            if !self.channels.contains(&channel) {
                self.feed.unlisten(self.namespace, &self.listener, &channel);
            }
        }
        self.shown.show(&self.channels);
        self.settle();
    }

    /// The transaction is rolled back: what it said is forgotten.
    pub(crate) fn rolled_back(&mut self) {
        self.actions.clear();
        self.settle();
    }

    /// The current user is another one now, or the session ends.
    pub(crate) fn change_namespace(&mut self, namespace: NamespaceId) {
        if namespace == self.namespace {
            return;
        }
        self.forget();
        self.namespace = namespace;
    }

    /// Registers a channel whose LISTEN isn't committed yet.
    fn hear(&mut self, channel: &str) {
        let is_heard = |channels: &[String]| channels.iter().any(|one| one == channel);
        if is_heard(&self.channels) || is_heard(&self.provisional) {
            return;
        }
        self.listener.hold();
        self.feed.listen(self.namespace, &self.listener, channel);
        self.provisional.push(channel.to_owned());
    }

    /// Ends what [`Listening::hear`] began.
    fn settle(&mut self) {
        for channel in std::mem::take(&mut self.provisional) {
            if !self.channels.contains(&channel) {
                self.feed.unlisten(self.namespace, &self.listener, &channel);
            }
        }
        let channels = &self.channels;
        self.listener.release(|channel| channels.iter().any(|one| one == channel));
    }

    fn forget(&mut self) {
        self.actions.clear();
        if !self.channels.is_empty() {
            self.shown.show(&[]);
        }
        for channel in std::mem::take(&mut self.channels) {
            self.feed.unlisten(self.namespace, &self.listener, &channel);
        }
        self.settle();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use kalamdb_storage::Feed;

    use super::*;
    use crate::changefeed::{
        FeedLimits,
        tests::{Outbox, notifying},
    };

    struct World {
        feed: Arc<Changefeed>,
        outbox: Arc<Outbox>,
        session: Listening,
        position: i64,
    }

    impl World {
        fn new() -> World {
            let feed = Changefeed::new(FeedLimits::default());
            let outbox = Arc::new(Outbox::default());
            let session =
                Listening::new(feed.clone(), outbox.clone(), NamespaceId(1), Arc::default());
            World { feed, outbox, session, position: 0 }
        }

        fn commit(&mut self, sent: &[(&str, &str)]) {
            let list = sent.iter().map(|(channel, payload)| (NamespaceId(1), *channel, *payload));
            let reservation = self.session.pre_commit(list).unwrap();
            self.feed_other(sent);
            drop(reservation);
            self.session.committed();
        }

        fn channels(&self) -> Vec<String> {
            self.session.shown.list().to_vec()
        }

        fn feed_other(&mut self, sent: &[(&str, &str)]) {
            self.position += 1;
            self.feed.committed(&[notifying(1, self.position, sent)]);
        }
    }

    #[test]
    fn a_transaction_hears_itself() {
        let mut world = World::new();
        world.session.listen("zz").unwrap();
        assert!(world.channels().is_empty());
        world.commit(&[("zz", "1"), ("yy", "2")]);
        assert_eq!(world.channels(), ["zz"]);
        assert_eq!(world.outbox.take(), ["zz:1"]);
        world.feed_other(&[("zz", "3")]);
        assert_eq!(world.outbox.take(), ["zz:3"]);
    }

    #[test]
    fn rollback_and_savepoints_undo() {
        let mut world = World::new();
        world.session.listen("a").unwrap();
        let mark = world.session.mark();
        world.session.listen("b").unwrap();
        world.session.rollback_to(mark);
        world.commit(&[]);
        assert_eq!(world.channels(), ["a"]);
        world.session.unlisten_all().unwrap();
        world.session.listen("c").unwrap();
        let reservation = world.session.pre_commit([]).unwrap();
        world.feed_other(&[("c", "x"), ("a", "y")]);
        drop(reservation);
        world.session.rolled_back();
        assert_eq!(world.channels(), ["a"]);
        assert_eq!(world.outbox.take(), ["a:y"]);
    }

    #[test]
    fn a_listener_gets_at_commit_what_came_meanwhile() {
        let mut world = World::new();
        world.session.listen("first").unwrap();
        world.feed_other(&[("first", "too early")]);
        world.commit(&[]);
        world.session.listen("second").unwrap();
        world.feed_other(&[("second", "1"), ("first", "2")]);
        assert!(world.outbox.take().is_empty());
        world.commit(&[]);
        assert_eq!(world.outbox.take(), ["second:1", "first:2"]);
        let mark = world.session.mark();
        world.session.listen("third").unwrap();
        world.session.rollback_to(mark);
        world.commit(&[("third", "1"), ("first", "3")]);
        world.feed_other(&[("third", "2")]);
        assert_eq!(world.outbox.take(), ["first:3"]);
    }

    #[test]
    fn the_order_within_a_transaction_counts() {
        let mut world = World::new();
        world.session.listen("a").unwrap();
        world.session.unlisten("a").unwrap();
        world.commit(&[("a", "1")]);
        assert!(world.channels().is_empty() && world.outbox.take().is_empty());
        world.session.unlisten("a").unwrap();
        world.session.listen("a").unwrap();
        world.session.listen("b").unwrap();
        world.commit(&[]);
        assert_eq!(world.channels(), ["a", "b"]);
        world.session.unlisten("a").unwrap();
        world.session.listen("a").unwrap();
        world.commit(&[]);
        assert_eq!(world.channels(), ["b", "a"]);
        world.feed_other(&[("a", "2")]);
        assert_eq!(world.outbox.take(), ["a:2"]);
    }

    #[test]
    fn a_transaction_that_unlistens_hears_no_more() {
        let mut world = World::new();
        world.session.listen("a").unwrap();
        world.session.listen("b").unwrap();
        world.commit(&[]);
        world.session.unlisten("a").unwrap();
        world.commit(&[("a", "1"), ("b", "2")]);
        assert_eq!(world.outbox.take(), ["b:2"]);
    }

    #[test]
    fn another_role_hears_nothing_of_the_old_one() {
        let mut world = World::new();
        world.session.listen("a").unwrap();
        world.commit(&[]);
        world.session.listen("b").unwrap();
        world.session.change_namespace(NamespaceId(2));
        world.commit(&[("a", "1"), ("b", "2")]);
        assert!(world.channels().is_empty() && world.outbox.take().is_empty());
    }

    #[test]
    fn arguments_have_limits() {
        assert!(check_notification("c", &"x".repeat(7999)).is_ok());
        let long = check_notification("c", &"x".repeat(8000)).unwrap_err();
        assert_eq!(long.message, "payload string too long");
        let long = check_notification(&"c".repeat(64), "").unwrap_err();
        assert_eq!(long.message, "channel name too long");
        assert_eq!(check_notification("", "").unwrap_err().message, "channel name cannot be empty");
    }
}
