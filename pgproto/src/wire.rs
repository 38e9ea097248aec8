//! One socket with its buffers: frames in, messages out, and what happens meanwhile.
//!
//! Whatever the connection waits for, it waits here, so that at each moment the same things are
//! watched: the socket (a client that is gone ends its statement), the mailbox (cancel, shutdown,
//! notifications) and a deadline. A [`Watch`] says which of them end the wait, a [`Stop`] which did.
//!
//! Buffers are filled from a chunk on the stack and given back when the connection is idle: it then
//! holds no buffer at all for reading and a small one for writing.

mod socket;
mod watch;

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use self::socket::Socket;
pub(crate) use self::watch::{Expiry, Stop, Watch};
use crate::decode;
use crate::encode::Output;
use crate::error::{Error, SqlState};
use crate::limits::{LINGER, MAX_BYTES_BEFORE_AUTHENTICATION, READ_AHEAD_BYTES};
use crate::message::Frame;
use crate::outbox::{Mailbox, bits};
use crate::tls::Tls;

/// What one read of the socket may bring while no large message is on its way, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;
/// By how much the buffer grows for a large message that is on its way, in bytes. Memory follows
/// what has come, never what a length word announces.
const GROWTH_BYTES: usize = 256 * 1024;

/// A socket and its buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    input: BytesMut,
    pub(crate) output: Output,
    mailbox: Arc<Mailbox>,
    end_point: Option<Arc<[u8]>>,
    max_message_bytes: usize,
    authenticated: bool,
}

type Timer = Option<Pin<Box<Sleep>>>;

impl Wire {
    /// A connection that nobody has authenticated yet.
    pub(crate) fn new(socket: TcpStream, mailbox: Arc<Mailbox>) -> Self {
        Self {
            socket: Socket::Plain(socket),
            input: BytesMut::new(),
            output: Output::default(),
            mailbox,
            end_point: None,
            max_message_bytes: MAX_BYTES_BEFORE_AUTHENTICATION,
            authenticated: false,
        }
    }

    /// From here on longer messages are taken.
    pub(crate) fn authenticated(&mut self, max_message_bytes: usize) {
        self.authenticated = true;
        self.max_message_bytes = max_message_bytes;
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    pub(crate) fn has_unread_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// What SCRAM-SHA-256-PLUS binds to.
    pub(crate) fn end_point(&self) -> Option<Arc<[u8]>> {
        self.end_point.clone()
    }

    /// A cancel request that came while nothing ran is for nothing.
    pub(crate) fn forget_cancel(&self) {
        if self.mailbox.has(bits::CANCEL) {
            self.mailbox.lower(bits::CANCEL);
        }
    }

    /// Whether the client's first byte is a TLS record instead of a startup packet.
    pub(crate) async fn begins_with_tls(&mut self) -> Result<bool, Stop> {
        const TLS_HANDSHAKE: u8 = 0x16;
        let Socket::Plain(socket) = &self.socket else { return Ok(false) };
        let mut first = [0];
        match socket.peek(&mut first).await {
            Ok(1) => Ok(first[0] == TLS_HANDSHAKE),
            Ok(_) | Err(_) => Err(Stop::Gone),
        }
    }

    /// Goes over to TLS.
    pub(crate) async fn accept_tls(&mut self, tls: &Tls) -> Result<(), Stop> {
        self.socket.accept_tls(&tls.acceptor).await.map_err(|error| {
            tracing::debug!(%error, "TLS handshake failed");
            Stop::Gone
        })?;
        self.end_point.clone_from(&tls.end_point);
        Ok(())
    }

    /// A client that began with TLS must have said what it wants to speak.
    pub(crate) fn require_alpn(&self) -> Result<(), Stop> {
        match &self.socket {
            Socket::Tls(stream) if Tls::alpn_agreed(stream.get_ref().1) => Ok(()),
            _ => Err(Stop::Fatal(Error::protocol(
                "direct SSL connection was established without ALPN protocol negotiation",
            ))),
        }
    }

    /// Answers a request for encryption at once.
    pub(crate) async fn answer_negotiation(&mut self, byte: u8) -> Result<(), Stop> {
        self.output.negotiation_answer(byte);
        self.flush(&Watch::startup()).await
    }

    /// The next packet without a kind byte, its length word included.
    pub(crate) async fn startup_packet(&mut self) -> Result<Bytes, Stop> {
        loop {
            if let Some(length) = decode::startup_length(&self.input).map_err(Stop::Fatal)?
                && self.input.len() >= length
            {
                return Ok(self.input.split_to(length).freeze());
            }
            match poll_fn(|cx| self.poll_fill(cx)).await {
                Ok(0) | Err(_) => return Err(Stop::Gone),
                Ok(_) => {}
            }
        }
    }

    /// The next message. While there is none, what waits is written.
    pub(crate) async fn next_frame(&mut self, watch: &Watch) -> Result<Frame, Stop> {
        let mut timer = None;
        poll_fn(|cx| {
            if let Some(stop) = watch.urgent(&self.mailbox) {
                return Poll::Ready(Err(stop));
            }
            loop {
                match self.take_frame() {
                    Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(Stop::Fatal(error))),
                }
                match self.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Stop::Gone)),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => break,
                }
            }
            if let Poll::Ready(Err(_)) = self.poll_write(cx) {
                return Poll::Ready(Err(Stop::Gone));
            }
            if let Some(stop) = self.poll_stop(cx, watch, &mut timer) {
                return Poll::Ready(Err(stop));
            }
            if self.input.is_empty() {
                self.input = BytesMut::new();
            }
            self.output.shrink();
            Poll::Pending
        })
        .await
    }

    /// Runs `future`, which is the session's, and drops it when `watch` says so.
    pub(crate) async fn drive<T>(
        &mut self,
        watch: &Watch,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Stop> {
        // Also for a source that is never pending.
        if let Some(stop) = watch.urgent(&self.mailbox).or_else(|| watch.expired()) {
            return Err(stop);
        }
        let mut future = pin!(future);
        let mut timer = None;
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result.map_err(Stop::Error)),
            Poll::Pending => match self.poll_meanwhile(cx, watch, &mut timer) {
                Some(stop) => Poll::Ready(Err(stop)),
                None => Poll::Pending,
            },
        })
        .await
    }

    /// Writes all that waits.
    pub(crate) async fn flush(&mut self, watch: &Watch) -> Result<(), Stop> {
        let mut timer = None;
        poll_fn(|cx| match self.poll_write(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => Poll::Ready(Err(Stop::Gone)),
            Poll::Pending => {
                let stop =
                    self.poll_ahead(cx, watch).or_else(|| self.poll_stop(cx, watch, &mut timer));
                stop.map_or(Poll::Pending, |stop| Poll::Ready(Err(stop)))
            }
        })
        .await
    }

    /// Sends a last message, if any, and closes in a way that lets the client read it.
    pub(crate) async fn close(mut self, farewell: Option<&Error>) {
        self.output.discard_unfinished();
        if let Some(error) = farewell {
            self.output.error(error);
        }
        let goodbye = async {
            poll_fn(|cx| self.poll_write(cx)).await?;
            self.socket.shutdown().await?;
            // Closing with unread input resets the connection, which may take the message with it.
            let mut ignored = [0; 1024];
            while self.socket.read(&mut ignored).await? > 0 {}
            io::Result::Ok(())
        };
        // Nobody is left to whom a failure here could matter.
        let _ = tokio::time::timeout(LINGER, goodbye).await;
    }

    fn take_frame(&mut self) -> Result<Option<Frame>, Error> {
        match decode::frame_length(&self.input, self.max_message_bytes)? {
            Some(length) if self.input.len() >= length => {
                let mut bytes = self.input.split_to(length).freeze();
                let kind = bytes[0];
                Ok(Some(Frame { kind, body: bytes.split_off(5) }))
            }
            _ => Ok(None),
        }
    }

    /// What happens while the session is pending.
    fn poll_meanwhile(
        &mut self,
        cx: &mut Context<'_>,
        watch: &Watch,
        timer: &mut Timer,
    ) -> Option<Stop> {
        if watch.suspends {
            return Some(Stop::Suspended);
        }
        if self.output.flush_wanted
            && let Poll::Ready(Err(_)) = self.poll_write(cx)
        {
            return Some(Stop::Gone);
        }
        self.poll_ahead(cx, watch).or_else(|| self.poll_stop(cx, watch, timer))
    }

    /// Reads ahead, within bounds, to notice that the client is gone or wants something else.
    fn poll_ahead(&mut self, cx: &mut Context<'_>, watch: &Watch) -> Option<Stop> {
        if !watch.reads {
            return None;
        }
        while self.input.len() < READ_AHEAD_BYTES {
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Some(Stop::Gone),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        match self.first_request() {
            Some(b'X') if watch.supersedable => Some(Stop::Gone),
            Some(_) if watch.supersedable => Some(Stop::Superseded),
            _ => None,
        }
    }

    /// The kind of the first message read ahead that is more than Sync or Flush.
    fn first_request(&self) -> Option<u8> {
        let mut rest = &self.input[..];
        while let Some(&kind) = rest.first() {
            if kind != b'S' && kind != b'H' {
                return Some(kind);
            }
            let length = decode::frame_length(rest, self.max_message_bytes).ok().flatten()?;
            rest = rest.get(length..)?;
        }
        None
    }

    fn poll_stop(&self, cx: &mut Context<'_>, watch: &Watch, timer: &mut Timer) -> Option<Stop> {
        self.mailbox.register(cx.waker());
        if let Some(stop) = watch.any(&self.mailbox) {
            return Some(stop);
        }
        let (at, _) = watch.deadline?;
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => watch.expired(),
            Poll::Pending => None,
        }
    }

    /// Reads once; 0 is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let missing = self.missing();
        if missing > CHUNK_BYTES {
            self.input.reserve(missing.min(GROWTH_BYTES));
            return pin!(self.socket.read_buf(&mut self.input)).poll(cx);
        }
        let limit = if self.authenticated {
            CHUNK_BYTES
        } else {
            (MAX_BYTES_BEFORE_AUTHENTICATION + 1).saturating_sub(self.input.len()).max(1)
        };
        let mut chunk = [const { MaybeUninit::<u8>::uninit() }; CHUNK_BYTES];
        let mut buffer = ReadBuf::uninit(&mut chunk[..limit]);
        match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.input.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// How much of the message that has begun is not here yet.
    fn missing(&self) -> usize {
        if !self.authenticated {
            return 0;
        }
        match decode::frame_length(&self.input, self.max_message_bytes) {
            Ok(Some(length)) => length.saturating_sub(self.input.len()),
            Ok(None) | Err(_) => 0,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let unwritten = self.output.unwritten();
            if unwritten.is_empty() {
                return Pin::new(&mut self.socket).poll_flush(cx);
            }
            match Pin::new(&mut self.socket).poll_write(cx, unwritten) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => self.output.written(bytes),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.mailbox.raise(bits::CLOSED);
    }
}

/// The report for a client whose outbox is full.
fn outbox_full() -> Error {
    Error::fatal(SqlState::LIMIT_EXCEEDED, "too many notifications wait for this connection")
        .with_detail("The client does not read its notifications fast enough.")
}
