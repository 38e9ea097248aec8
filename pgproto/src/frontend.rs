//! From an accepted socket to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::net::TcpStream;

use crate::auth;
use crate::backend::{Backend, Handles, Peer, Session};
use crate::connection::Connection;
use crate::error::{Error, SqlState};
use crate::limits::Limits;
use crate::outbox::{Mailbox, OutboxSender};
use crate::registry::Registry;
use crate::startup::{self, Opening};
use crate::tls::Tls;
use crate::wire::{Stop, Wire};

/// Length of a cancel key, in bytes: what protocol 3.0 has room for, and what 3.2 allows.
const SHORT_KEY_BYTES: usize = 4;
const LONG_KEY_BYTES: usize = 32;

/// Serves connections of one backend.
#[derive(Debug)]
pub struct Frontend<B> {
    backend: B,
    limits: Arc<Limits>,
    tls: Option<Tls>,
    registry: Registry,
}

impl<B: Backend> Frontend<B> {
    /// A frontend for `backend`; without `tls`, requests for encryption are declined.
    pub fn new(backend: B, limits: Limits, tls: Option<Tls>, registry: Registry) -> Self {
        Self { backend, limits: Arc::new(limits), tls, registry }
    }

    /// The connections there are.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What serves the connections.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Serves one connection until it ends. Give each a task of its own.
    ///
    /// A panic of the session ends here: its client gets XX000, nobody else notices.
    pub async fn serve(&self, socket: TcpStream) {
        let (Ok(address), Ok(local_address)) = (socket.peer_addr(), socket.local_addr()) else {
            return;
        };
        let peer = Peer { address, local_address, tls: false };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%address, %error, "cannot set TCP_NODELAY");
        }
        let mailbox = Arc::new(Mailbox::new(self.limits.max_outbox_bytes));
        let mut wire = Wire::new(socket, mailbox);
        let outcome = AssertUnwindSafe(self.converse(&mut wire, peer)).catch_unwind().await;
        let farewell = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(Stop::Fatal(error) | Stop::Error(error))) => {
                tracing::debug!(%address, %error, "connection ended");
                Some(error.into_fatal())
            }
            Ok(Err(Stop::Gone | Stop::Notified | Stop::Suspended | Stop::Superseded)) => None,
            Err(_panic) => {
                // The panic hook has said what and where.
                tracing::error!(%address, "a session panicked; its connection is closed");
                Some(Error::fatal(SqlState::INTERNAL_ERROR, "internal error in this session"))
            }
        };
        wire.close(farewell.as_ref()).await;
    }

    async fn converse(&self, wire: &mut Wire, peer: Peer) -> Result<(), Stop> {
        // Boxed, so that an established connection doesn't carry the state of its startup.
        let starting = Box::pin(self.start(wire, peer));
        let limit = self.limits.authentication_timeout;
        let started = match tokio::time::timeout(limit, starting).await {
            Ok(started) => started?,
            Err(_elapsed) => {
                let message = "canceling authentication due to timeout";
                return Err(Stop::Fatal(Error::fatal(SqlState::QUERY_CANCELED, message)));
            }
        };
        match started {
            Some(connection) => connection.run(wire).await,
            None => Ok(()),
        }
    }

    /// Authenticates and opens a session; `None` for a cancel request, which gets no answer.
    async fn start(
        &self,
        wire: &mut Wire,
        peer: Peer,
    ) -> Result<Option<Connection<B::Session>>, Stop> {
        let startup = match startup::open(wire, self.tls.as_ref()).await? {
            Opening::Session(startup) => startup,
            Opening::Cancel { process_id, key } => {
                self.registry.cancel_with_key(process_id, &key);
                return Ok(None);
            }
        };
        let place = self
            .registry
            .enter(wire.mailbox(), self.limits.max_connections)
            .map_err(Stop::Fatal)?;
        let peer = Peer { tls: wire.is_encrypted(), ..peer };
        let credentials = self.backend.credentials(&startup, &peer).await.map_err(Stop::Fatal)?;
        auth::authenticate(wire, &startup.user, credentials).await?;

        let outbox = OutboxSender(Arc::clone(wire.mailbox()));
        let handles = Handles { process_id: place.process_id, outbox };
        let (session, parameters) =
            self.backend.open(&startup, &peer, handles).await.map_err(Stop::Fatal)?;
        wire.authenticated(self.limits.max_message_bytes);
        for (name, value) in &parameters {
            wire.output.parameter_status(name, value);
        }
        let length = if startup.minor >= 2 { LONG_KEY_BYTES } else { SHORT_KEY_BYTES };
        wire.output.backend_key_data(place.process_id, &place.make_cancel_key(length));
        wire.output.ready_for_query(session.transaction_status());
        wire.output.flush_wanted = true;
        Ok(Some(Connection::new(session, Arc::clone(&self.limits), place)))
    }
}
