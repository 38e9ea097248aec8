//! COPY in both directions and both protocols.

use crate::backend::Server;
use crate::client::{Client, error_code, kinds};

#[tokio::test]
async fn copy_in_takes_data_until_done() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.query("copy-in; rows 1").put('d', &[b"1\ta\n2"]).put('H', &[]).put('S', &[]);
    client.put('d', &[b"\tb\n"]).put('c', &[]).send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "GCTDCZ");
    assert_eq!(&messages[0].body[..], b"\0\0\x02\0\0\0\0");
    assert_eq!(*server.seen.copied.lock().unwrap(), b"1\ta\n2\tb\n");
}

#[tokio::test]
async fn copy_in_by_the_extended_protocol_ignores_the_early_sync() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.run("copy-in", 0).sync().send().await;
    for kind in "12G".chars() {
        assert_eq!(client.message().await.unwrap().kind, kind);
    }
    client.put('d', &[b"x"]).put('c', &[]).sync().send().await;
    assert_eq!(client.kinds().await, "CZ");
}

#[tokio::test]
async fn copy_in_fails_by_the_client_or_the_server() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.query("copy-in").put('d', &[b"x"]).put('f', &[b"no more\0"]).send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("GEZ".into(), "57014".into()));
    assert_eq!(messages[1].field('M'), "COPY from stdin failed: no more");

    // What the client still sends is ignored.
    client.query("copy-in").put('d', &[b"bad"]).put('d', &[b"more"]).put('c', &[]).send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("GEZ".into(), "22P04".into()));
    client.run("copy-in", 0).put('d', &[b"bad"]).put('c', &[]).sync().send().await;
    assert_eq!(client.kinds().await, "12GEZ");
    assert_eq!(kinds(&client.ask("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn another_message_during_copy_in_ends_the_connection() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.query("copy-in").query("rows 1").send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("GE".into(), "08P01".into()));
}

#[tokio::test]
async fn copy_out_streams_and_fails_with_an_error_response() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let messages = client.ask("copy-out 3").await;
    assert_eq!(kinds(&messages), "HdddcCZ");
    assert_eq!(messages[2].text(), "row 1\n");
    client.run("copy-out 2", 1).sync().send().await;
    assert_eq!(client.kinds().await, "12HddcCZ");
    assert_eq!(kinds(&client.ask("broken-copy-out 2").await), "HddEZ");
}
