//! A PostgreSQL client that hides nothing.
//!
//! Drivers merge, reorder and interpret; a test of the protocol may not. This client sends the
//! frames it is told to send and returns the frames it was sent, one [`Backend`] message each, and
//! it blocks: what a test waits for has a bound ([`READ_TIMEOUT`]) and is an error past it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

pub use backend::{Backend, Column, Fields};
pub use frontend::Frontend;

mod backend;
mod frontend;

/// How long a read waits before the test that needs it fails.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest frame this client accepts; a server that announces more is lying.
const MAX_FRAME_BYTES: usize = 1 << 30;

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server's socket address.
    pub addr: SocketAddr,
    /// The role.
    pub user: String,
    /// Its password; `None` where the server asks for none.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// Further start-up parameters.
    pub parameters: Vec<(String, String)>,
}

/// Why a connection did not come about or a program's statement failed.
#[derive(Debug)]
pub enum Failure {
    /// The socket failed, closed, or stayed silent past [`READ_TIMEOUT`].
    Io(io::Error),
    /// The server said no.
    Server(Box<Fields>),
}

impl Failure {
    /// The server's SQLSTATE, where the server answered.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Failure::Io(_) => None,
            Failure::Server(fields) => Some(fields.sqlstate()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Io(error) => write!(f, "{error}"),
            Failure::Server(fields) => write!(f, "{}: {}", fields.sqlstate(), fields.message()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    inbox: Vec<u8>,
    read_from: usize,
    /// The process id the server gave in BackendKeyData.
    pub pid: i32,
    /// The cancel key.
    pub secret: Vec<u8>,
    target: Target,
}

impl Client {
    /// Opens a connection and logs in, by SCRAM-SHA-256 where the server asks for it.
    ///
    /// # Errors
    /// [`Failure::Server`] with what the server refused the login with.
    pub fn connect(target: &Target) -> Result<Client, Failure> {
        let mut client = Client::open(target)?;
        let mut hello = Frontend::default();
        let mut parameters = vec![("user", &*target.user), ("database", &*target.database)];
        parameters.extend(target.parameters.iter().map(|(k, v)| (&**k, &**v)));
        hello.startup(&parameters);
        client.send(&hello)?;
        client.authenticate()?;
        loop {
            match client.read()? {
                Backend::BackendKeyData { pid, secret } => {
                    client.pid = pid;
                    client.secret = secret;
                }
                Backend::ReadyForQuery(_) => return Ok(client),
                Backend::Error(fields) => return Err(Failure::Server(fields)),
                _ => {}
            }
        }
    }

    /// Opens the socket and says nothing yet.
    ///
    /// # Errors
    /// The socket's.
    pub fn open(target: &Target) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&target.addr, READ_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        Ok(Client {
            stream,
            inbox: Vec::new(),
            read_from: 0,
            pid: 0,
            secret: Vec::new(),
            target: target.clone(),
        })
    }

    fn authenticate(&mut self) -> Result<(), Failure> {
        let password = self.target.password.clone().unwrap_or_default();
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (kind, body) = match self.read()? {
                Backend::Authentication { kind, body } => (kind, body),
                Backend::Error(fields) => return Err(Failure::Server(fields)),
                Backend::NegotiateProtocolVersion(_) => continue,
                other => {
                    return Err(
                        io::Error::other(format!("not an authentication: {other:?}")).into()
                    );
                }
            };
            let mut answer = Frontend::default();
            match kind {
                0 => return Ok(()),
                3 => answer.password(password.as_bytes()),
                10 => answer.sasl_initial(SCRAM_SHA_256, scram.message()),
                11 => {
                    scram.update(&body)?;
                    answer.sasl_response(scram.message());
                }
                12 => {
                    scram.finish(&body)?;
                    continue;
                }
                other => {
                    return Err(io::Error::other(format!("authentication method {other}")).into());
                }
            }
            self.send(&answer)?;
        }
    }

    /// Sends what was gathered, in one write.
    ///
    /// # Errors
    /// The socket's.
    pub fn send(&mut self, frames: &Frontend) -> io::Result<()> {
        self.stream.write_all(frames.bytes())
    }

    /// Sends one simple query.
    ///
    /// # Errors
    /// The socket's.
    pub fn send_query(&mut self, sql: &str) -> io::Result<()> {
        let mut frames = Frontend::default();
        frames.query(sql);
        self.send(&frames)
    }

    /// Reads the next message.
    ///
    /// # Errors
    /// `UnexpectedEof` when the server closed, `TimedOut` past [`READ_TIMEOUT`].
    pub fn read(&mut self) -> io::Result<Backend> {
        self.read_within(READ_TIMEOUT)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::TimedOut, format!("silent for {READ_TIMEOUT:?}"))
        })
    }

    /// Reads the next message if one arrives within `patience`; `None` otherwise.
    ///
    /// # Errors
    /// `UnexpectedEof` when the server closed.
    pub fn read_within(&mut self, patience: Duration) -> io::Result<Option<Backend>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(message) = self.take_frame()? {
                return Ok(Some(message));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0_u8; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.inbox.extend_from_slice(&chunk[..n]),
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether a message arrives within `patience`; it stays unread.
    ///
    /// # Errors
    /// As [`Client::read_within`].
    pub fn readable_within(&mut self, patience: Duration) -> io::Result<bool> {
        if self.read_from < self.inbox.len() {
            return Ok(true);
        }
        self.stream.set_read_timeout(Some(patience))?;
        match self.stream.peek(&mut [0]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    fn take_frame(&mut self) -> io::Result<Option<Backend>> {
        let waiting = &self.inbox[self.read_from..];
        let Some(head) = waiting.first_chunk::<5>() else { return Ok(None) };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if !(4..=MAX_FRAME_BYTES).contains(&length) {
            return Err(io::Error::other(format!("a frame of {length} bytes")));
        }
        if waiting.len() < length + 1 {
            return Ok(None);
        }
        let message = Backend::decode(head[0], &waiting[5..=length])?;
        self.read_from += length + 1;
        if self.read_from > 1 << 20 || self.read_from == self.inbox.len() {
            self.inbox.drain(..self.read_from);
            self.read_from = 0;
        }
        Ok(Some(message))
    }

    /// Reads up to and with the next ReadyForQuery.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub fn until_ready(&mut self) -> io::Result<Vec<Backend>> {
        let mut messages = Vec::new();
        loop {
            let message = self.read()?;
            let done = matches!(message, Backend::ReadyForQuery(_));
            messages.push(message);
            if done {
                return Ok(messages);
            }
        }
    }

    /// Runs a simple query and returns all it was answered with.
    ///
    /// # Errors
    /// As [`Client::read`]; an ErrorResponse is not an error here.
    pub fn query(&mut self, sql: &str) -> io::Result<Vec<Backend>> {
        self.send_query(sql)?;
        self.until_ready()
    }

    /// Sends a CancelRequest for this connection, over a socket of its own, and waits until the
    /// server has taken it.
    ///
    /// # Errors
    /// The socket's.
    pub fn cancel(&self) -> io::Result<()> {
        let mut side = Client::open(&self.target)?;
        let mut frames = Frontend::default();
        frames.cancel(self.pid, &self.secret);
        side.send(&frames)?;
        match side.read() {
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Err(e),
            _ => Ok(()),
        }
    }
}
