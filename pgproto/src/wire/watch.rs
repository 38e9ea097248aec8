//! What may end a wait, and what did.

use std::time::Duration;

use tokio::time::Instant;

use super::outbox_full;
use crate::error::{Error, SqlState};
use crate::outbox::{Mailbox, bits};

/// Why a wait ended without its result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The statement failed; the connection goes on.
    Error(Error),
    /// The connection ends with this report.
    Fatal(Error),
    /// The client is gone.
    Gone,
    /// Notifications wait, and this is the moment for them.
    Notified,
    /// A subscription with a row limit has nothing more at the moment.
    Suspended,
    /// The client's next request ends the subscription.
    Superseded,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expiry {
    Statement,
    IdleSession,
    IdleInTransaction,
}

/// What is watched during a wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    pub(super) deadline: Option<(Instant, Expiry)>,
    /// Bits of the mailbox that end the wait.
    bits: u8,
    /// Whether the socket is read ahead, so that a client that is gone ends the wait.
    pub(super) reads: bool,
    /// Whether the client's next request ends the wait.
    pub(super) supersedable: bool,
    /// Whether pending is an answer.
    pub(super) suspends: bool,
}

impl Watch {
    /// Before authentication; the time is limited from outside.
    pub(crate) fn startup() -> Self {
        Self::of(bits::FINISH | bits::TERMINATE, None)
    }

    /// Between statements. `notifies` when notifications may be delivered.
    pub(crate) fn idle(notifies: bool, timeout: Option<(Duration, Expiry)>) -> Self {
        let notified = if notifies { bits::NOTIFIED } else { 0 };
        let bits = bits::FINISH | bits::TERMINATE | bits::OVERFLOW | notified;
        let deadline = timeout.map(|(after, expiry)| (Instant::now() + after, expiry));
        Self::of(bits, deadline)
    }

    /// While a statement runs.
    pub(crate) fn statement(timeout: Option<Duration>) -> Self {
        let deadline = timeout.map(|after| (Instant::now() + after, Expiry::Statement));
        Self { reads: true, ..Self::of(bits::CANCEL | bits::TERMINATE, deadline) }
    }

    /// While a subscription runs. `suspends` when its rows were limited and some are out. An
    /// orderly shutdown is its source's to tell, which has markers to send before it ends.
    pub(crate) fn subscription(suspends: bool) -> Self {
        let bits = bits::CANCEL | bits::TERMINATE;
        Self { reads: true, supersedable: true, suspends, ..Self::of(bits, None) }
    }

    /// What must come to its end, such as a commit.
    pub(crate) fn to_the_end() -> Self {
        Self::of(0, None)
    }

    fn of(bits: u8, deadline: Option<(Instant, Expiry)>) -> Self {
        Self { deadline, bits, reads: false, supersedable: false, suspends: false }
    }

    /// What ends the wait even if its result is there.
    pub(super) fn urgent(&self, mailbox: &Mailbox) -> Option<Stop> {
        stop(mailbox, self.bits & !bits::NOTIFIED)
    }

    /// What ends the wait as long as its result is not there.
    pub(super) fn any(&self, mailbox: &Mailbox) -> Option<Stop> {
        stop(mailbox, self.bits)
    }

    pub(super) fn expired(&self) -> Option<Stop> {
        let (at, expiry) = self.deadline?;
        (Instant::now() >= at).then(|| expiry.stop())
    }
}

fn stop(mailbox: &Mailbox, watched: u8) -> Option<Stop> {
    let has = |bit: u8| watched & bit != 0 && mailbox.has(bit);
    if has(bits::TERMINATE) || has(bits::FINISH) {
        let code = SqlState::ADMIN_SHUTDOWN;
        let message = "terminating connection due to administrator command";
        return Some(Stop::Fatal(Error::fatal(code, message)));
    }
    if has(bits::OVERFLOW) {
        return Some(Stop::Fatal(outbox_full()));
    }
    if has(bits::CANCEL) {
        mailbox.lower(bits::CANCEL);
        let message = "canceling statement due to user request";
        return Some(Stop::Error(Error::new(SqlState::QUERY_CANCELED, message)));
    }
    has(bits::NOTIFIED).then_some(Stop::Notified)
}

impl Expiry {
    fn stop(self) -> Stop {
        match self {
            Self::Statement => Stop::Error(Error::new(
                SqlState::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            )),
            Self::IdleSession => Stop::Fatal(Error::fatal(
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            )),
            Self::IdleInTransaction => Stop::Fatal(Error::fatal(
                SqlState::IDLE_IN_TRANSACTION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            )),
        }
    }
}
