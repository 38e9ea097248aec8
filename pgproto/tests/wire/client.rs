//! A client that sends what it is told, legal or not.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    pub(crate) process_id: i32,
    pub(crate) key: Vec<u8>,
}

pub(crate) struct Message {
    pub(crate) kind: char,
    pub(crate) body: BytesMut,
}

impl Message {
    /// The field of an ErrorResponse.
    pub(crate) fn field(&self, letter: char) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let mut fields = text.split('\0');
        fields.find_map(|field| field.strip_prefix(letter)).unwrap_or_default().to_owned()
    }

    /// The only column of a DataRow, or the text of a CommandComplete or CopyData.
    pub(crate) fn text(&self) -> String {
        let skipped = if self.kind == 'D' { 6 } else { 0 };
        String::from_utf8_lossy(&self.body[skipped..]).trim_end_matches('\0').to_owned()
    }
}

pub(crate) fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut packet = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        packet.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    packet.push(0);
    with_length(&packet)
}

pub(crate) fn with_length(packet: &[u8]) -> Vec<u8> {
    let length = u32::try_from(packet.len() + 4).unwrap();
    [&length.to_be_bytes(), packet].concat()
}

pub(crate) fn cancel_request(process_id: i32, key: &[u8]) -> Vec<u8> {
    with_length(&[&80_877_102u32.to_be_bytes(), &process_id.to_be_bytes(), key].concat())
}

pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Box::new(stream))
    }

    pub(crate) fn over(stream: Box<dyn Stream>) -> Self {
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { stream, input, output, process_id: 0, key: Vec::new() }
    }

    /// Logs in where nothing is asked.
    pub(crate) async fn login(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        client.raw(&startup(196_610, &[("user", "alice")])).await;
        assert_eq!(client.kinds().await, "RSKZ");
        client
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Adds a message to those that `send` sends.
    pub(crate) fn put(&mut self, kind: char, body: &[&[u8]]) -> &mut Self {
        let body = body.concat();
        self.output.put_u8(u8::try_from(kind).unwrap());
        self.output.put_u32(u32::try_from(body.len() + 4).unwrap());
        self.output.put_slice(&body);
        self
    }

    pub(crate) fn query(&mut self, sql: &str) -> &mut Self {
        self.put('Q', &[sql.as_bytes(), b"\0"])
    }

    pub(crate) fn parse(&mut self, name: &str, sql: &str) -> &mut Self {
        self.put('P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"])
    }

    pub(crate) fn bind(&mut self, portal: &str, statement: &str) -> &mut Self {
        let names = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0"].concat();
        self.put('B', &[&names, &[0; 6]])
    }

    pub(crate) fn execute(&mut self, portal: &str, max_rows: i32) -> &mut Self {
        self.put('E', &[portal.as_bytes(), b"\0", &max_rows.to_be_bytes()])
    }

    /// Parse, Bind and Execute, all unnamed.
    pub(crate) fn run(&mut self, sql: &str, max_rows: i32) -> &mut Self {
        self.parse("", sql).bind("", "").execute("", max_rows)
    }

    pub(crate) fn sync(&mut self) -> &mut Self {
        self.put('S', &[])
    }

    pub(crate) fn flush(&mut self) -> &mut Self {
        self.put('H', &[])
    }

    pub(crate) async fn send(&mut self) {
        let bytes = self.output.split();
        self.raw(&bytes).await;
    }

    /// The next message, `None` at the connection's end.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            if self.input.len() >= 5 {
                let length = u32::from_be_bytes(self.input[1..5].try_into().unwrap()) as usize + 1;
                if self.input.len() >= length {
                    let mut message = self.input.split_to(length);
                    let kind = char::from(message[0]);
                    message.advance(5);
                    return Some(Message { kind, body: message });
                }
            }
            let reading = self.stream.read_buf(&mut self.input);
            let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
            match read.expect("the server says nothing") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// All messages up to ReadyForQuery or the end.
    pub(crate) async fn messages(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            if message.kind == 'K' {
                let mut body = message.body.clone();
                self.process_id = body.get_i32();
                self.key = body.to_vec();
            }
            let ready = message.kind == 'Z';
            messages.push(message);
            if ready {
                break;
            }
        }
        messages
    }

    /// The kinds of all messages up to ReadyForQuery or the end.
    pub(crate) async fn kinds(&mut self) -> String {
        self.messages().await.iter().map(|message| message.kind).collect()
    }

    /// Runs a simple query.
    pub(crate) async fn ask(&mut self, sql: &str) -> Vec<Message> {
        self.query(sql).send().await;
        self.messages().await
    }
}

pub(crate) fn kinds(messages: &[Message]) -> String {
    messages.iter().map(|message| message.kind).collect()
}

pub(crate) fn error_code(messages: &[Message]) -> String {
    let error = messages.iter().find(|message| message.kind == 'E');
    error.map(|error| error.field('C')).unwrap_or_default()
}
