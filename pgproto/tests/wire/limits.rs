//! Bounds: lengths, counts, system calls.

use std::io::{Read, Write};

use kalamdb_pgproto::Limits;

use crate::backend::{Login, Options, Server};
use crate::client::{Client, error_code, kinds, startup};

#[tokio::test]
async fn lying_lengths_before_authentication() {
    let server = Server::with(Options { login: Login::Password, ..Options::default() }).await;
    for (bytes, code) in [
        (&b"p\x7f\xff\xff\xff"[..], "54000"),
        (b"p\0\0\x40\0", "54000"),
        (b"p\0\0\0\x02", "08P01"),
        (b"Q\x3f\xff\xff\xff", "54000"),
        (b"\0\0\0\0\x08", "08P01"),
    ] {
        let mut client = Client::connect(server.address).await;
        client.raw(&startup(196_608, &[("user", "alice")])).await;
        client.raw(bytes).await;
        let messages = client.messages().await;
        assert_eq!((kinds(&messages), error_code(&messages)), ("RE".into(), code.into()));
    }
}

#[tokio::test]
async fn lying_lengths_after_authentication() {
    let limits = Limits { max_message_bytes: 1 << 20, ..Limits::default() };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    for (bytes, code) in [
        (&b"Q\x7f\xff\xff\xff"[..], "54000"),
        (b"Q\0\x10\0\x01", "54000"),
        (b"d\x80\0\0\0", "08P01"),
        (b"S\0\0\x40\0", "54000"),
        (b"B\0\0\0\x03", "08P01"),
        (b"?\0\0\0\x04", "08P01"),
    ] {
        let mut client = Client::login(server.address).await;
        client.raw(bytes).await;
        let messages = client.messages().await;
        assert_eq!((kinds(&messages), error_code(&messages)), ("E".into(), code.into()));
        assert_eq!(messages[0].field('S'), "FATAL");
    }
    // Just within the limit.
    let mut client = Client::login(server.address).await;
    let text = format!("echo {}", " ".repeat((1 << 20) - 10));
    assert_eq!(kinds(&client.ask(&text).await), "TDCZ");
}

#[tokio::test]
async fn connections_statements_and_portals_are_counted() {
    let limits = Limits {
        max_connections: 2,
        max_prepared_statements: 2,
        max_portals: 2,
        ..Limits::default()
    };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    let first = Client::login(server.address).await;
    let mut client = Client::login(server.address).await;
    let mut refused = Client::connect(server.address).await;
    refused.raw(&startup(196_608, &[("user", "alice")])).await;
    assert_eq!(error_code(&refused.messages().await), "53300");
    drop(first);
    server.seen.wait(&server.seen.closed, 1).await;

    client.parse("a", "rows 1").parse("b", "rows 1").parse("c", "rows 1").sync().send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("11EZ".into(), "53400".into()));
    client.bind("a", "a").bind("b", "a").bind("c", "a").sync().send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("22EZ".into(), "53400".into()));
}

/// A pipelined read is answered by one write: the client gets it by one read.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_read_is_one_write() {
    let server = Server::start().await;
    let address = server.address;
    let reads = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&startup(196_608, &[("user", "alice")])).unwrap();
        let mut buffer = [0; 65536];
        let mut until_ready = |socket: &mut std::net::TcpStream| {
            let (mut reads, mut total) = (0, Vec::new());
            while !total.ends_with(b"Z\0\0\0\x05I") {
                let read = socket.read(&mut buffer).unwrap();
                total.extend_from_slice(&buffer[..read]);
                reads += 1;
            }
            reads
        };
        until_ready(&mut socket);
        let mut request = b"P\0\0\0\x0f\0rows 10\0\0\0".to_vec();
        request
            .extend(b"D\0\0\0\x06S\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04");
        (0..50)
            .map(|_| {
                socket.write_all(&request).unwrap();
                until_ready(&mut socket)
            })
            .sum::<usize>()
    })
    .await
    .unwrap();
    assert_eq!(reads, 50);
}
