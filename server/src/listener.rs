//! Accepts connections and gives each a task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_pgproto::{Backend, Frontend};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;

/// Sockets beyond `max_connections` that may be logging in, cancelling, or being told that there
/// are too many. More are closed without a word.
const MAX_OPENING: usize = 1_000;
/// Pause after the system had no descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds every address that `listen` names.
pub(crate) async fn bind(listen: &str) -> Result<Vec<TcpListener>, String> {
    let fails = |error: &dyn std::fmt::Display| format!("cannot listen on {listen}: {error}");
    let addresses: Vec<SocketAddr> =
        lookup_host(listen).await.map_err(|error| fails(&error))?.collect();
    let mut listeners = Vec::new();
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            // A host without IPv6 still resolves `localhost` to ::1.
            Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(fails(&error)),
        }
        // Another address would get another free port.
        if address.port() == 0 && !listeners.is_empty() {
            break;
        }
    }
    if listeners.is_empty() { Err(fails(&"no such address here")) } else { Ok(listeners) }
}

/// Accepts connections until it is dropped.
pub(crate) async fn accept<B: Backend>(
    listener: TcpListener,
    frontend: Arc<Frontend<B>>,
    max_connections: usize,
    keepalive: Duration,
) {
    let places = Arc::new(Semaphore::new(
        max_connections.saturating_add(MAX_OPENING).min(Semaphore::MAX_PERMITS),
    ));
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!("too many sockets are open; one is closed");
            continue;
        };
        keep_alive(&socket, keepalive);
        let frontend = Arc::clone(&frontend);
        tokio::spawn(async move {
            frontend.serve(socket).await;
            drop(place);
        });
    }
}

fn keep_alive(socket: &TcpStream, silence: Duration) {
    if silence.is_zero() {
        return;
    }
    let keepalive =
        TcpKeepalive::new().with_time(silence).with_interval(silence.min(Duration::from_secs(10)));
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "cannot set TCP keepalive");
    }
}
