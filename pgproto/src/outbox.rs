//! What waits for one client without having been asked for: notifications, cancel requests,
//! shutdown.
//!
//! Everything that others want of a connection comes through one [`Mailbox`]: a few bits, a bounded
//! queue and the waker of the connection's task. An idle connection costs no task, channel or timer
//! beside its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures::task::AtomicWaker;

/// One NotificationResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Process id of the session that notified.
    pub process_id: i32,
    /// Channel.
    pub channel: Arc<str>,
    /// Payload, empty if none was given.
    pub payload: Arc<str>,
}

impl Notification {
    /// What the notification costs while it waits, in bytes.
    fn cost(&self) -> usize {
        64 + self.channel.len() + self.payload.len()
    }
}

/// Why notifications could not be put into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The client reads too slowly; its connection is now being ended with 53400.
    #[error("the outbox of the connection is full")]
    Full,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

/// Puts notifications into one connection's outbox, from any thread, without waiting.
#[derive(Debug, Clone)]
pub struct OutboxSender(pub(crate) Arc<Mailbox>);

impl OutboxSender {
    /// Queues `notifications` together, in their order, and wakes the connection.
    ///
    /// The client gets them when it is idle outside a transaction. A session that notifies itself
    /// has them before its next ReadyForQuery if they are sent before the future of
    /// `Session::complete` or `Session::sync` ends.
    ///
    /// # Errors
    ///
    /// [`Undelivered`]: nothing was queued. Forget this sender.
    pub fn send(
        &self,
        notifications: impl IntoIterator<Item = Notification>,
    ) -> Result<(), Undelivered> {
        if self.0.has(bits::CLOSED) {
            return Err(Undelivered::Closed);
        }
        let mut queue = self.0.queue();
        let (length, cost) = (queue.waiting.len(), queue.cost);
        for notification in notifications {
            queue.cost += notification.cost();
            queue.waiting.push_back(notification);
            if queue.cost > queue.limit {
                queue.waiting.truncate(length);
                queue.cost = cost;
                drop(queue);
                self.0.raise(bits::OVERFLOW);
                return Err(Undelivered::Full);
            }
        }
        drop(queue);
        self.0.raise(bits::NOTIFIED);
        Ok(())
    }

    /// What waits for the client, in bytes.
    pub fn waiting_bytes(&self) -> usize {
        self.0.queue().cost
    }
}

/// The bits of a [`Mailbox`].
pub(crate) mod bits {
    /// A CancelRequest came.
    pub(crate) const CANCEL: u8 = 1;
    /// End when the statement that runs is done.
    pub(crate) const FINISH: u8 = 2;
    /// End now.
    pub(crate) const TERMINATE: u8 = 4;
    /// Notifications wait.
    pub(crate) const NOTIFIED: u8 = 8;
    /// A notification did not fit.
    pub(crate) const OVERFLOW: u8 = 16;
    /// The connection has ended.
    pub(crate) const CLOSED: u8 = 32;
}

/// What others leave for one connection.
#[derive(Debug)]
pub(crate) struct Mailbox {
    bits: AtomicU8,
    waker: AtomicWaker,
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Notification>,
    cost: usize,
    limit: usize,
}

impl Mailbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bits: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            queue: Mutex::new(Queue { waiting: VecDeque::new(), cost: 0, limit }),
        }
    }

    pub(crate) fn raise(&self, bit: u8) {
        self.bits.fetch_or(bit, Ordering::AcqRel);
        self.waker.wake();
    }

    pub(crate) fn lower(&self, bit: u8) {
        self.bits.fetch_and(!bit, Ordering::AcqRel);
    }

    pub(crate) fn has(&self, bit: u8) -> bool {
        self.bits.load(Ordering::Acquire) & bit != 0
    }

    /// Registers the connection's task. Read the bits after this, or a wake may be missed.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(crate) fn pop(&self) -> Option<Notification> {
        let mut queue = self.queue();
        let Some(notification) = queue.waiting.pop_front() else {
            // Under the lock, so that a sender's bit is not lowered after its notification came.
            self.lower(bits::NOTIFIED);
            queue.waiting = VecDeque::new();
            return None;
        };
        queue.cost -= notification.cost();
        Some(notification)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that holds the lock can panic half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(payload: &str) -> Notification {
        Notification { process_id: 1, channel: "c".into(), payload: payload.into() }
    }

    #[test]
    fn a_batch_that_does_not_fit_is_refused_whole() {
        let sender = OutboxSender(Arc::new(Mailbox::new(200)));
        sender.send([notification("1")]).unwrap();
        let refused = sender.send([notification("2"), notification("3"), notification("4")]);
        assert_eq!(refused, Err(Undelivered::Full));
        assert!(sender.0.has(bits::OVERFLOW));
        assert_eq!(sender.0.pop(), Some(notification("1")));
        assert_eq!(sender.0.pop(), None);
        assert_eq!(sender.waiting_bytes(), 0);
    }
}
