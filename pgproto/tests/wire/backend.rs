//! A backend whose statements say what the protocol is to see.

use std::borrow::Cow;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kalamdb_pgproto::{
    Backend, CommandTag, CopyShape, Credentials, Description, Discard, Error, Field, Format,
    Frontend, Handles, Limits, Notification, OutboxSender, Parameters, Peer, Registry, Report,
    Session, Severity, SqlState, Started, StartupParameters, Timeouts, Tls, TransactionStatus,
    Verifier,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

const BATCH_ROWS: usize = 1000;

/// What tests see of the sessions.
#[derive(Default)]
pub(crate) struct Seen {
    /// Futures that were dropped while they waited.
    pub(crate) interrupted: AtomicUsize,
    /// Told at each of them, and at each close.
    pub(crate) changed: Notify,
    pub(crate) closed: AtomicUsize,
    pub(crate) copied: Mutex<Vec<u8>>,
    pub(crate) outboxes: Mutex<Vec<OutboxSender>>,
    live: Mutex<Option<mpsc::Receiver<usize>>>,
}

impl Seen {
    pub(crate) async fn wait(&self, count: &AtomicUsize, expected: usize) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if count.load(Ordering::SeqCst) >= expected {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("nothing happened");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Login {
    Trust,
    Password,
    Broken,
    Slow,
}

pub(crate) struct Scripted {
    seen: Arc<Seen>,
    login: Login,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) seen: Arc<Seen>,
}

pub(crate) struct Options {
    pub(crate) login: Login,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
}

impl Default for Options {
    fn default() -> Self {
        Self { login: Login::Trust, limits: Limits::default(), tls: None }
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let seen = Arc::new(Seen::default());
        let backend = Scripted { seen: Arc::clone(&seen), login: options.login };
        let registry = Registry::new();
        let frontend =
            Arc::new(Frontend::new(backend, options.limits, options.tls, registry.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let frontend = Arc::clone(&frontend);
                tokio::spawn(async move { frontend.serve(socket).await });
            }
        });
        Self { address, registry, seen }
    }

    /// Rows for the statement `live`.
    pub(crate) fn live(&self) -> mpsc::Sender<usize> {
        let (sender, receiver) = mpsc::channel(100);
        *self.seen.live.lock().unwrap() = Some(receiver);
        sender
    }
}

impl Backend for Scripted {
    type Session = ScriptedSession;

    async fn credentials(
        &self,
        startup: &StartupParameters,
        _peer: &Peer,
    ) -> Result<Credentials, Error> {
        match self.login {
            Login::Trust => Ok(Credentials::Trust),
            // An ordinary error, as a failed look-up would give it.
            Login::Broken => Err(Error::new(SqlState::INTERNAL_ERROR, "look-up failed")),
            Login::Slow => pending().await,
            Login::Password if startup.user == "alice" => {
                Ok(Credentials::Scram(verifier("secret", b"salt of alice 16")))
            }
            Login::Password => Ok(Credentials::Scram(Verifier::fake(b"k", &startup.user, 4096))),
        }
    }

    async fn open(
        &self,
        startup: &StartupParameters,
        _peer: &Peer,
        handles: Handles,
    ) -> Result<(ScriptedSession, Vec<(String, String)>), Error> {
        self.seen.outboxes.lock().unwrap().push(handles.outbox.clone());
        let session = ScriptedSession {
            seen: Arc::clone(&self.seen),
            handles,
            status: TransactionStatus::Idle,
            timeouts: Timeouts::default(),
            notices: Vec::new(),
            changes: Vec::new(),
            discards: Vec::new(),
            notifications: Vec::new(),
        };
        let mut parameters = startup.settings.clone();
        parameters.push(("server_version".into(), "15.0".into()));
        Ok((session, parameters))
    }
}

pub(crate) fn verifier(password: &str, salt: &[u8]) -> Verifier {
    use hmac::Mac;
    use sha2::Digest;
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, 4096, &mut salted);
    let mac = |text: &[u8]| -> [u8; 32] {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&salted).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    Verifier {
        iterations: 4096,
        salt: salt.to_vec(),
        stored_key: sha2::Sha256::digest(mac(b"Client Key")).into(),
        server_key: mac(b"Server Key"),
        genuine: true,
    }
}

pub(crate) struct ScriptedSession {
    seen: Arc<Seen>,
    handles: Handles,
    status: TransactionStatus,
    timeouts: Timeouts,
    notices: Vec<Report>,
    changes: Vec<(String, String)>,
    discards: Vec<Discard>,
    notifications: Vec<Notification>,
}

pub(crate) struct Statement {
    words: Vec<String>,
    parameters: Vec<u32>,
}

pub(crate) struct Portal {
    words: Vec<String>,
    values: Vec<Option<String>>,
    format: Format,
    next: usize,
}

/// Numbers of the rows.
pub(crate) struct Batch(Vec<usize>);

impl Statement {
    fn new(sql: &str) -> Result<Self, Error> {
        if sql.contains("syntax error") {
            return Err(Error::new(SqlState::new("42601"), "syntax error"));
        }
        let words: Vec<String> = sql.split_whitespace().map(str::to_owned).collect();
        let parameters = words.iter().filter(|word| word.starts_with('$')).map(|_| 25).collect();
        Ok(Self { words, parameters })
    }

    fn fields(&self) -> Option<Arc<[Field]>> {
        fields(&self.words)
    }
}

fn fields(words: &[String]) -> Option<Arc<[Field]>> {
    let returns_rows = ["rows", "echo", "live", "broken-rows", "panicking-row"];
    let first = words.first().map_or("", String::as_str);
    returns_rows.contains(&first).then(|| {
        Arc::from([Field {
            name: "value".into(),
            table_oid: 4711,
            attribute: 3,
            type_oid: 25,
            type_length: -1,
            type_modifier: 9,
        }])
    })
}

fn number(words: &[String]) -> usize {
    words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Notices that it is dropped before its work is done.
struct Waiting<'a>(&'a Seen);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.interrupted.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl ScriptedSession {
    async fn forever(&self) {
        let _waiting = Waiting(&self.seen);
        pending::<()>().await;
    }

    fn effect(&mut self, words: &[String]) -> Result<(), Error> {
        let word = |index: usize| words.get(index).cloned().unwrap_or_default();
        match word(0).as_str() {
            "begin" => self.status = TransactionStatus::InTransaction,
            "set" => self.changes.push((word(1), word(2))),
            "notice" => self.notices.push(Report::new(
                Severity::Notice,
                SqlState::SUCCESSFUL_COMPLETION,
                word(1),
            )),
            "deallocate" => self.discards.push(Discard::AllStatements),
            "notify" => self.notifications.push(Notification {
                process_id: self.handles.process_id,
                channel: word(1).into(),
                payload: word(2).into(),
            }),
            "timeout" => {
                let after = word(2).parse().ok().map(Duration::from_millis);
                match word(1).as_str() {
                    "statement" => self.timeouts.statement = after,
                    "idle" => self.timeouts.idle = after,
                    _ => self.timeouts.idle_in_transaction = after,
                }
            }
            "error" => return Err(Error::new(SqlState::new("22012"), "division by zero")),
            "panic" => panic!("asked for"),
            _ => {}
        }
        Ok(())
    }

    fn commit(&mut self) {
        self.status = TransactionStatus::Idle;
        let notifications = std::mem::take(&mut self.notifications);
        let _ = self.handles.outbox.send(notifications);
    }
}

impl Session for ScriptedSession {
    type Statement = Statement;
    type Portal = Portal;
    type Batch = Batch;

    fn parse_script(&mut self, sql: &str) -> Result<Vec<Statement>, Error> {
        sql.split(';').filter(|sql| !sql.trim().is_empty()).map(Statement::new).collect()
    }

    async fn prepare(&mut self, sql: &str, _types: &[u32]) -> Result<Statement, Error> {
        Statement::new(sql)
    }

    fn describe<'a>(&'a self, statement: &'a Statement) -> Description<'a> {
        Description { parameters: &statement.parameters, fields: statement.fields() }
    }

    async fn bind(
        &mut self,
        statement: &Statement,
        parameters: Parameters<'_>,
        result_formats: &[Format],
    ) -> Result<Portal, Error> {
        let values = parameters.values.iter();
        Ok(Portal {
            words: statement.words.clone(),
            values: values
                .map(|value| value.map(|value| String::from_utf8_lossy(value).into_owned()))
                .collect(),
            format: Format::of(result_formats, 0),
            next: 0,
        })
    }

    async fn start_simple(&mut self, statement: &Statement, _last: bool) -> Result<Portal, Error> {
        let words = statement.words.clone();
        Ok(Portal { words, values: Vec::new(), format: Format::Text, next: 0 })
    }

    fn portal_fields(&self, portal: &Portal) -> Option<Arc<[Field]>> {
        fields(&portal.words)
    }

    fn is_subscription(&self, portal: &Portal) -> bool {
        portal.words.first().is_some_and(|word| word == "live")
    }

    async fn execute(&mut self, portal: &mut Portal) -> Result<Started, Error> {
        let shape = CopyShape { format: Format::Text, columns: 2 };
        match portal.words.first().map_or("", String::as_str) {
            "" => Ok(Started::Empty),
            "rows" | "echo" | "live" | "broken-rows" | "panicking-row" => Ok(Started::Rows),
            "copy-in" => Ok(Started::CopyIn(shape)),
            "copy-out" | "broken-copy-out" => Ok(Started::CopyOut(shape)),
            "sleep" => {
                self.forever().await;
                Ok(Started::Done)
            }
            _ => self.effect(&portal.words).map(|()| Started::Done),
        }
    }

    async fn next(&mut self, portal: &mut Portal) -> Result<Option<Batch>, Error> {
        if portal.words[0] == "live" {
            let mut live = self.seen.live.lock().unwrap().take().expect("no rows were given");
            let row = futures::future::poll_fn(|cx| live.poll_recv(cx));
            // Dropped while pending, the source must still be there for the next call.
            let seen = Arc::clone(&self.seen);
            let mut row = std::pin::pin!(row);
            let polled = futures::poll!(&mut row);
            *seen.live.lock().unwrap() = Some(live);
            if let std::task::Poll::Ready(row) = polled {
                return Ok(row.map(|row| Batch(vec![row])));
            }
            let _waiting = Waiting(&seen);
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let row = seen.live.lock().unwrap().as_mut().map(mpsc::Receiver::try_recv);
                match row {
                    Some(Ok(row)) => return Ok(Some(Batch(vec![row]))),
                    Some(Err(mpsc::error::TryRecvError::Empty)) => {}
                    None | Some(Err(mpsc::error::TryRecvError::Disconnected)) => return Ok(None),
                }
            }
        }
        let rows = if portal.words[0] == "echo" { 1 } else { number(&portal.words) };
        if portal.next >= rows {
            match portal.words.last().map_or("", String::as_str) {
                "sleep" => self.forever().await,
                _ if portal.words[0].starts_with("broken") => {
                    return Err(Error::new(SqlState::new("22012"), "division by zero"));
                }
                _ => {}
            }
            return Ok(None);
        }
        let end = rows.min(portal.next + BATCH_ROWS);
        let batch = (portal.next..end).collect();
        portal.next = end;
        Ok(Some(Batch(batch)))
    }

    fn rows(batch: &Batch) -> usize {
        batch.0.len()
    }

    fn encode_row(
        &self,
        portal: &Portal,
        batch: &Batch,
        row: usize,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        let text: Cow<'_, str> = if portal.words[0] == "echo" {
            let values = portal.values.iter();
            let shown: Vec<&str> = values.map(|value| value.as_deref().unwrap_or("NULL")).collect();
            shown.join("|").into()
        } else {
            format!("row {}", batch.0[row]).into()
        };
        if portal.words[0] == "copy-out" || portal.words[0] == "broken-copy-out" {
            out.put_slice(text.as_bytes());
            out.put_u8(b'\n');
            return Ok(());
        }
        out.put_i32(i32::try_from(text.len()).unwrap());
        if portal.words[0] == "panicking-row" && batch.0[row] == 2 {
            panic!("asked for, in the middle of a row");
        }
        if portal.format == Format::Binary {
            out.put_slice(&text.to_uppercase().into_bytes());
        } else {
            out.put_slice(text.as_bytes());
        }
        Ok(())
    }

    async fn copy_data(&mut self, _portal: &mut Portal, data: Bytes) -> Result<(), Error> {
        if data.starts_with(b"bad") {
            return Err(Error::new(SqlState::new("22P04"), "missing data"));
        }
        self.seen.copied.lock().unwrap().extend(data);
        Ok(())
    }

    async fn copy_done(&mut self, _portal: &mut Portal) -> Result<(), Error> {
        Ok(())
    }

    async fn complete(&mut self, portal: &mut Portal) -> Result<CommandTag, Error> {
        match portal.words[0].as_str() {
            "commit" | "rollback" => self.commit(),
            "fail-commit" => return Err(Error::new(SqlState::new("40001"), "could not serialize")),
            "rows" | "echo" | "live" => return Ok(CommandTag::counting("SELECT")),
            _ => {}
        }
        Ok(CommandTag::new(portal.words[0].to_uppercase()))
    }

    async fn sync(&mut self) -> Result<(), Error> {
        if self.status == TransactionStatus::Idle {
            self.commit();
        }
        Ok(())
    }

    async fn fail(&mut self) {
        self.notifications.clear();
        if self.status == TransactionStatus::InTransaction {
            self.status = TransactionStatus::Failed;
        }
    }

    fn transaction_status(&self) -> TransactionStatus {
        self.status
    }

    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.changes)
    }

    fn take_notices(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.notices)
    }

    fn take_discards(&mut self) -> Vec<Discard> {
        std::mem::take(&mut self.discards)
    }

    fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    async fn close(self) {
        self.seen.closed.fetch_add(1, Ordering::SeqCst);
        self.seen.changed.notify_waiters();
    }
}
