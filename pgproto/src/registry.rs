//! All connections of the process: whom a cancel request means, and whom a shutdown tells.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngCore;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;

use crate::error::{Error, SqlState};
use crate::outbox::{Mailbox, bits};

/// Process ids stay below this, so that the upper bits of a cancel key's 32-bit id stay free for
/// the number of a node.
const MAX_PROCESS_ID: i32 = 0x003f_ffff;

/// The connections that have sent a startup message.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    /// Told whenever the last connection has ended.
    emptied: Notify,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    last: i32,
    by_process: HashMap<i32, Entry>,
}

#[derive(Debug)]
struct Entry {
    key: [u8; 32],
    key_length: usize,
    mailbox: Arc<Mailbox>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    registry: Registry,
    pub(crate) process_id: i32,
    mailbox: Arc<Mailbox>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connections there are.
    pub fn len(&self) -> usize {
        self.entries().by_process.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cancels what the session runs (`pg_cancel_backend`). Says whether there is such a session.
    pub fn cancel(&self, process_id: i32) -> bool {
        self.raise(process_id, bits::CANCEL)
    }

    /// Ends a session with 57P01 (`pg_terminate_backend`). Says whether there is such a session.
    pub fn terminate(&self, process_id: i32) -> bool {
        self.raise(process_id, bits::TERMINATE)
    }

    /// Refuses new sessions (57P03) and ends each there is (57P01) once its statement is done. A
    /// subscription is done when its source says so.
    pub fn finish_all(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.raise_all(bits::FINISH);
    }

    /// Refuses new sessions and ends each there is now, its statement cancelled.
    pub fn terminate_all(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.raise_all(bits::TERMINATE);
    }

    /// Waits until there is no connection.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn raise(&self, process_id: i32, bit: u8) -> bool {
        match self.entries().by_process.get(&process_id) {
            Some(entry) => {
                entry.mailbox.raise(bit);
                true
            }
            None => false,
        }
    }

    fn raise_all(&self, bit: u8) {
        self.entries().by_process.values().for_each(|entry| entry.mailbox.raise(bit));
    }

    /// Cancels if the secret is right; nobody learns whether it was.
    pub(crate) fn cancel_with_key(&self, process_id: i32, key: &[u8]) {
        if let Some(entry) = self.entries().by_process.get(&process_id)
            && bool::from(entry.key[..entry.key_length].ct_eq(key))
        {
            entry.mailbox.raise(bits::CANCEL);
        }
    }

    /// Takes a place for a connection that has sent its startup message.
    pub(crate) fn enter(
        &self,
        mailbox: &Arc<Mailbox>,
        max_connections: usize,
    ) -> Result<Place, Error> {
        let mut entries = self.entries();
        // Under the lock, so that nobody enters behind `finish_all`.
        if self.0.closing.load(Ordering::Acquire) {
            let code = SqlState::CANNOT_CONNECT_NOW;
            return Err(Error::fatal(code, "the database system is shutting down"));
        }
        if entries.by_process.len() >= max_connections {
            let code = SqlState::TOO_MANY_CONNECTIONS;
            return Err(Error::fatal(code, "sorry, too many clients already"));
        }
        let mut process_id = entries.last;
        loop {
            process_id = if process_id >= MAX_PROCESS_ID { 1 } else { process_id + 1 };
            if !entries.by_process.contains_key(&process_id) {
                break;
            }
        }
        entries.last = process_id;
        let entry = Entry { key: [0; 32], key_length: 0, mailbox: Arc::clone(mailbox) };
        entries.by_process.insert(process_id, entry);
        Ok(Place { registry: self.clone(), process_id, mailbox: Arc::clone(mailbox) })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Makes up the secret that a CancelRequest must name: `length` bytes, at most 32.
    pub(crate) fn make_cancel_key(&self, length: usize) -> Vec<u8> {
        let length = length.min(32);
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key[..length]);
        if let Some(entry) = self.registry.entries().by_process.get_mut(&self.process_id) {
            entry.key = key;
            entry.key_length = length;
        }
        key[..length].to_vec()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.mailbox.raise(bits::CLOSED);
        let mut entries = self.registry.entries();
        entries.by_process.remove(&self.process_id);
        if entries.by_process.is_empty() {
            self.registry.0.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_cancels() {
        let registry = Registry::new();
        let mailbox = Arc::new(Mailbox::new(0));
        let place = registry.enter(&mailbox, 1).unwrap();
        assert_eq!(registry.enter(&mailbox, 1).unwrap_err().code.to_string(), "53300");
        // Before a key is made, not even the empty key fits a request (the decoder refuses it).
        let key = place.make_cancel_key(32);
        registry.cancel_with_key(place.process_id, &[0; 32]);
        registry.cancel_with_key(place.process_id, &key[..31]);
        registry.cancel_with_key(place.process_id + 1, &key);
        assert!(!mailbox.has(bits::CANCEL));
        registry.cancel_with_key(place.process_id, &key);
        assert!(mailbox.has(bits::CANCEL));
        drop(place);
        assert!(registry.is_empty() && mailbox.has(bits::CLOSED));
        registry.finish_all();
        assert_eq!(registry.enter(&mailbox, 1).unwrap_err().code.to_string(), "57P03");
    }
}
