//! From settings to a running server, and to its end.
//!
//! The order of the start makes failures harmless: what can be checked without touching anything
//! comes first, then the port, then the data directory.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kalamdb_engine::{Changefeed, Engine, EngineOptions, FeedLimits, QueryResources};
use kalamdb_pgproto::{Frontend, Limits, Registry, Tls};
use kalamdb_storage::{FlushPolicy, Retention, Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::backend::{Connections, EngineBackend};
use crate::data_dir::FirstPassword;
use crate::settings::{Settings, TlsMode};
use crate::{cli, listener, telemetry, tls};

/// The role and the database of the first start.
const SUPERUSER: &str = "kalamdb";
/// How long sessions have to end after they were told to end at once.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long threads have to end with the process.
const RUNTIME_TIMEOUT: Duration = Duration::from_secs(2);
/// Stack of a thread that plans and runs statements, in bytes: deep expressions recurse.
const STACK_BYTES: usize = 8 << 20;

/// Runs the server until SIGTERM or SIGINT.
pub(crate) fn run(settings: Settings) -> Result<(), String> {
    telemetry::start(settings.log_format, &settings.log_level.0)?;
    let certificate = tls::from_files(&settings)?;
    let sockets = runtime("kalamdb-socket", settings.socket_threads)?;
    let execution = runtime("kalamdb-execute", settings.execution_threads)?;
    let served = sockets.block_on(serve(settings, certificate, execution.handle().clone()));
    execution.shutdown_timeout(RUNTIME_TIMEOUT);
    sockets.shutdown_timeout(RUNTIME_TIMEOUT);
    served
}

fn runtime(name: &str, threads: usize) -> Result<Runtime, String> {
    let mut builder = Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder
        .thread_name(name)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))
}

async fn serve(
    settings: Settings,
    certificate: Option<Tls>,
    execution: Handle,
) -> Result<(), String> {
    let mut signals = Signals::new()?;
    let listeners = listener::bind(&settings.listen).await?;

    let changefeed = Changefeed::new(FeedLimits {
        outbox_bytes: settings.outbox_size.in_memory(),
        subscriptions: settings.max_subscriptions,
    });
    let is_first = !settings.data.join("format").exists();
    let store = Store::open(store_options(&settings), changefeed.clone())
        .await
        .map_err(|error| error.to_string())?;
    let opened = open(&settings, is_first, certificate, execution, (&store, &changefeed)).await;
    let result = match opened {
        Ok(frontend) => {
            let frontend = Arc::new(frontend);
            work(&settings, listeners, &frontend, &changefeed, &mut signals).await
        }
        Err(message) => Err(message),
    };
    let closed = store.close().await.map_err(|error| format!("cannot close the store: {error}"));
    result.and(closed)
}

/// What needs the open store: catalog, password, certificate.
async fn open(
    settings: &Settings,
    is_first: bool,
    certificate: Option<Tls>,
    execution: Handle,
    (store, changefeed): (&Arc<Store>, &Arc<Changefeed>),
) -> Result<Frontend<EngineBackend>, String> {
    let certificate = match settings.tls {
        TlsMode::Auto => Some(tls::automatic(&settings.data)?),
        TlsMode::Off | TlsMode::Files => certificate,
    };
    let registry = Registry::new();
    let first = FirstPassword::prepare(&settings.data, is_first)?;
    let engine = Engine::open(EngineOptions {
        store: Arc::clone(store),
        changefeed: Arc::clone(changefeed),
        execution,
        query_resources: QueryResources {
            memory: settings.query_memory.in_memory(),
            directory: temporary_files(&settings.data)?,
            files: settings.temp_file_limit.0,
        },
        backends: Arc::new(Connections(registry.clone())),
        superuser_password: first.password().to_owned(),
        settings: settings.session_defaults(),
    })
    .await
    .map_err(|error| error.to_string())?;
    first.settle(|password| {
        cli::print(&format!("password of superuser {SUPERUSER}, shown only now: {password}\n"))
    })?;
    let backend = EngineBackend::new(engine, settings.authentication.clone());
    Ok(Frontend::new(backend, limits(settings), certificate, registry))
}

/// An empty directory for what queries put aside: what a killed server has left goes.
fn temporary_files(data: &Path) -> Result<PathBuf, String> {
    let directory = data.join("temporary");
    let renewed = match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => std::fs::DirBuilder::new().mode(0o700).create(&directory),
    };
    match renewed {
        Ok(()) => Ok(directory),
        Err(error) => Err(format!("cannot make {} anew: {error}", directory.display())),
    }
}

/// Serves until a signal, then ends in order.
async fn work(
    settings: &Settings,
    listeners: Vec<TcpListener>,
    frontend: &Arc<Frontend<EngineBackend>>,
    changefeed: &Changefeed,
    signals: &mut Signals,
) -> Result<(), String> {
    warn_of_few_descriptors(settings.max_connections);
    let address = listeners.first().map(TcpListener::local_addr);
    let port = address.and_then(Result::ok).map_or(0, |address| address.port());
    let host = settings.listen.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(listener::accept(
            listener,
            Arc::clone(frontend),
            settings.max_connections,
            settings.tcp_keepalive,
        ));
    }
    cli::print(&format!("ready: postgres://{SUPERUSER}@{host}:{port}/{SUPERUSER}\n"))?;

    let name = signals.next().await;
    tracing::info!("{name}: no new connections; waiting for what runs");
    accepting.shutdown().await;
    let registry = frontend.registry();
    registry.finish_all();
    // Subscriptions send what they owe, then end.
    changefeed.close();
    let finished = async {
        tokio::select! {
            () = registry.emptied() => true,
            again = signals.next() => {
                tracing::info!("{again} again: ending at once");
                false
            }
        }
    };
    if !tokio::time::timeout(settings.shutdown_timeout, finished).await.unwrap_or(false) {
        registry.terminate_all();
        if tokio::time::timeout(TERMINATE_TIMEOUT, registry.emptied()).await.is_err() {
            tracing::warn!("{} sessions do not end; leaving them behind", registry.len());
        }
    }
    Ok(())
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        max_message_bytes: settings.max_message_size.in_memory(),
        max_connections: settings.max_connections,
        max_prepared_statements: settings.max_prepared_statements,
        max_portals: settings.max_portals,
        // Notifiers get an error at `outbox_size`; what ends the connection is beyond it, since
        // what is committed already must still fit.
        max_outbox_bytes: settings.outbox_size.in_memory().saturating_mul(2),
        authentication_timeout: settings.authentication_timeout,
    }
}

fn store_options(settings: &Settings) -> StoreOptions {
    StoreOptions {
        block_cache_bytes: settings.block_cache_size.in_memory(),
        memtable_bytes: settings.memtable_size.in_memory(),
        max_wal_bytes: settings.max_wal_size.0,
        segment_cache_bytes: settings.segment_cache_size.in_memory(),
        cold_cache_bytes: settings.cold_cache_size.in_memory(),
        max_commit_bytes: settings.max_commit_size.in_memory(),
        max_value_bytes: settings.max_row_size.in_memory(),
        max_group: settings.max_commit_group,
        wal_writer_delay: settings.wal_writer_delay,
        flush: FlushPolicy {
            automatic: settings.flush_automatic.0,
            max_hot_bytes: settings.flush_hot_size.0,
            max_hot_rows: settings.flush_hot_rows,
            max_age: settings.flush_age,
            min_flush_bytes: settings.flush_min_size.0,
            interval: settings.flush_interval,
            max_segments: settings.max_segments,
            row_group_rows: settings.row_group_rows,
            segment_bytes: settings.segment_size.0,
        },
        retention: Retention { time: settings.log_retention, bytes: settings.log_retention_size.0 },
        ..StoreOptions::new(&settings.data)
    }
}

/// Each connection needs a descriptor, and the store some hundreds.
fn warn_of_few_descriptors(max_connections: usize) {
    const STORE_DESCRIPTORS: usize = 1_000;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    if let Some(soft) = soft
        && soft < max_connections.saturating_add(STORE_DESCRIPTORS)
    {
        tracing::warn!(
            "the limit of open files is {soft}, too few for max_connections = {max_connections}; \
             raise it with ulimit -n"
        );
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let register =
            |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
        Ok(Self {
            terminate: register(SignalKind::terminate())?,
            interrupt: register(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
