//! pgproto's [`Backend`] over the engine: logins and new sessions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kalamdb_engine::{Backends, Connect, Engine};
use kalamdb_pgproto::{
    Backend, Credentials, Error, Handles, Peer, Registry, SqlState, StartupParameters, Verifier,
};

use crate::authentication::{Method, Rules};
use crate::convert;
use crate::session::{EngineSession, Outbox};

/// The engine behind the protocol.
pub(crate) struct EngineBackend {
    engine: Arc<Engine>,
    rules: Rules,
}

impl EngineBackend {
    pub(crate) fn new(engine: Arc<Engine>, rules: Rules) -> Self {
        Self { engine, rules }
    }
}

/// The protocol's connections, for the engine.
pub(crate) struct Connections(pub(crate) Registry);

impl Backends for Connections {
    fn cancel(&self, process_id: i32) -> bool {
        self.0.cancel(process_id)
    }

    fn terminate(&self, process_id: i32) -> bool {
        self.0.terminate(process_id)
    }
}

impl Backend for EngineBackend {
    type Session = EngineSession;

    async fn credentials(
        &self,
        startup: &StartupParameters,
        peer: &Peer,
    ) -> Result<Credentials, Error> {
        match self.rules.method(peer, &startup.database, &startup.user) {
            Some(Method::Trust) => Ok(Credentials::Trust),
            Some(Method::Scram) => {
                let (text, genuine) = self.engine.verifier(&startup.user);
                verifier(&text, genuine).map(Credentials::Scram).ok_or_else(|| {
                    Error::new(SqlState::INTERNAL_ERROR, "a password verifier is malformed")
                })
            }
            Some(Method::Reject) | None => Err(refused(startup, peer)),
        }
    }

    async fn open(
        &self,
        startup: &StartupParameters,
        peer: &Peer,
        handles: Handles,
    ) -> Result<(EngineSession, Vec<(String, String)>), Error> {
        let connect = Connect {
            user: startup.user.clone(),
            database: startup.database.clone(),
            settings: startup.settings.clone(),
            process_id: handles.process_id,
            address: Some(peer.address),
            server_address: Some(peer.local_address),
        };
        let outbox = Arc::new(Outbox::new(handles.outbox));
        let session = self.engine.connect(connect, outbox).await.map_err(convert::error)?;
        let parameters = session.parameters();
        Ok((EngineSession::new(session), parameters))
    }
}

fn refused(startup: &StartupParameters, peer: &Peer) -> Error {
    let encryption = if peer.tls { "SSL encryption" } else { "no encryption" };
    Error::fatal(
        SqlState::INVALID_AUTHORIZATION,
        format!(
            "no authentication rule for host \"{}\", user \"{}\", database \"{}\", {encryption}",
            peer.address.ip(),
            startup.user,
            startup.database
        ),
    )
}

/// Reads PostgreSQL's form, `SCRAM-SHA-256$iterations:salt$stored key:server key`.
fn verifier(text: &str, genuine: bool) -> Option<Verifier> {
    let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = parameters.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let key = |text: &str| -> Option<[u8; 32]> { STANDARD.decode(text).ok()?.try_into().ok() };
    Some(Verifier {
        iterations: iterations.parse().ok()?,
        salt: STANDARD.decode(salt).ok()?,
        stored_key: key(stored)?,
        server_key: key(server)?,
        genuine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_are_read() {
        let key = STANDARD.encode([7; 32]);
        let read = verifier(&format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{key}"), true).unwrap();
        assert_eq!((read.iterations, read.salt.as_slice()), (4096, &b"salt"[..]));
        assert_eq!(read.stored_key, [7; 32]);
        for broken in ["", "md5abc", "SCRAM-SHA-256$x:c2FsdA==$a:b", "SCRAM-SHA-256$1:!$a:b"] {
            assert!(verifier(broken, true).is_none());
        }
    }
}
