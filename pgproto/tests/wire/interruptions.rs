//! What comes from outside while a connection waits or works: cancel, timeouts, shutdown,
//! notifications, a client that is gone, a panic.

use std::sync::atomic::Ordering;

use kalamdb_pgproto::{Limits, Notification, Undelivered};

use crate::backend::{Options, Server};
use crate::client::{Client, cancel_request, error_code, kinds, startup};

fn notification(payload: &str) -> Notification {
    Notification { process_id: 7, channel: "chat".into(), payload: payload.into() }
}

#[tokio::test]
async fn cancel_reaches_a_statement_and_a_streaming_result() {
    let server = Server::start().await;
    for version in [196_608, 196_610] {
        let mut client = Client::connect(server.address).await;
        client.raw(&startup(version, &[("user", "alice")])).await;
        client.kinds().await;
        for sql in ["sleep", "rows 3 sleep", "copy-out 3 sleep", "live"] {
            let _live = server.live();
            client.query(sql).send().await;
            if sql != "sleep" {
                assert!(matches!(client.message().await.unwrap().kind, 'T' | 'H'));
            }
            // A wrong key does nothing.
            let wrong = vec![0; client.key.len()];
            let mut other = Client::connect(server.address).await;
            other.raw(&cancel_request(client.process_id, &wrong)).await;
            assert!(other.message().await.is_none());
            let mut other = Client::connect(server.address).await;
            other.raw(&cancel_request(client.process_id, &client.key)).await;
            assert!(other.message().await.is_none());
            assert_eq!(error_code(&client.messages().await), "57014", "{sql}");
            assert_eq!(kinds(&client.ask("rows 1").await), "TDCZ");
        }
    }
}

#[tokio::test]
async fn cancel_while_idle_is_forgotten() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    assert!(server.registry.cancel(client.process_id));
    assert_eq!(kinds(&client.ask("rows 1").await), "TDCZ");
    assert!(!server.registry.cancel(client.process_id + 1));
}

#[tokio::test]
async fn a_client_that_vanishes_ends_its_statement() {
    let server = Server::start().await;
    for (turn, sql) in ["sleep", "rows 3 sleep", "copy-out 1 sleep"].into_iter().enumerate() {
        let mut client = Client::login(server.address).await;
        client.query(sql).send().await;
        drop(client);
        server.seen.wait(&server.seen.interrupted, turn + 1).await;
        server.seen.wait(&server.seen.closed, turn + 1).await;
    }
    // One that is in the middle of COPY, and one that says goodbye.
    let mut client = Client::login(server.address).await;
    client.query("copy-in").put('d', &[b"x"]).send().await;
    drop(client);
    server.seen.wait(&server.seen.closed, 4).await;
    let mut client = Client::login(server.address).await;
    client.put('X', &[]).send().await;
    assert!(client.message().await.is_none());
    server.seen.wait(&server.seen.closed, 5).await;
    assert!(server.registry.is_empty());
}

#[tokio::test]
async fn timeouts_have_their_codes() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.ask("timeout statement 30").await;
    for sql in ["sleep", "rows 3 sleep", "copy-in"] {
        let messages = client.ask(sql).await;
        assert_eq!(error_code(&messages), "57014");
        assert_eq!(messages.last().unwrap().kind, 'Z');
    }
    client.run("sleep", 0).sync().send().await;
    assert_eq!(client.kinds().await, "12EZ");
    client.ask("timeout statement x; timeout in-transaction 30; begin").await;
    assert_eq!(error_code(&client.messages().await), "25P03");

    let mut client = Client::login(server.address).await;
    client.ask("timeout idle 30").await;
    assert_eq!(error_code(&client.messages().await), "57P05");
}

#[tokio::test]
async fn shutdown_lets_statements_finish_or_ends_them() {
    let server = Server::start().await;
    let live = server.live();
    let mut idle = Client::login(server.address).await;
    let mut subscriber = Client::login(server.address).await;
    subscriber.query("live").send().await;
    assert_eq!(subscriber.message().await.unwrap().kind, 'T');
    let mut busy = Client::login(server.address).await;
    busy.query("rows 1 sleep").send().await;
    assert_eq!(busy.message().await.unwrap().kind, 'T');
    assert_eq!(busy.message().await.unwrap().kind, 'D');

    server.registry.finish_all();
    assert_eq!(error_code(&idle.messages().await), "57P01");
    let mut late = Client::connect(server.address).await;
    late.raw(&startup(196_608, &[("user", "alice")])).await;
    assert_eq!(error_code(&late.messages().await), "57P03");
    // A subscription has markers to send first.
    drop(live);
    assert_eq!(subscriber.kinds().await, "CZ");
    assert_eq!(error_code(&subscriber.messages().await), "57P01");
    server.registry.terminate_all();
    assert_eq!(error_code(&busy.messages().await), "57P01");
    server.seen.wait(&server.seen.closed, 3).await;
    server.registry.emptied().await;
}

#[tokio::test]
async fn one_session_can_be_ended() {
    let server = Server::start().await;
    let mut one = Client::login(server.address).await;
    let mut other = Client::login(server.address).await;
    assert!(server.registry.terminate(one.process_id));
    assert_eq!(error_code(&one.messages().await), "57P01");
    assert_eq!(kinds(&other.ask("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn notifications_reach_an_idle_client_at_once_and_a_transaction_at_its_end() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let outbox = server.seen.outboxes.lock().unwrap()[0].clone();
    outbox.send([notification("1"), notification("2")]).unwrap();
    let message = client.message().await.unwrap();
    assert_eq!((message.kind, &message.body[..]), ('A', &b"\0\0\0\x07chat\x001\0"[..]));
    assert_eq!(client.message().await.unwrap().kind, 'A');

    client.ask("begin").await;
    outbox.send([notification("3")]).unwrap();
    assert_eq!(kinds(&client.ask("rows 1").await), "TDCZ");
    assert_eq!(kinds(&client.ask("error").await), "EZ");
    assert_eq!(kinds(&client.ask("rollback").await), "CAZ");

    // Not between the messages of a pipeline.
    client.parse("", "rows 1").flush().send().await;
    assert_eq!(client.message().await.unwrap().kind, '1');
    outbox.send([notification("4")]).unwrap();
    client.bind("", "").execute("", 0).sync().send().await;
    assert_eq!(client.kinds().await, "2DCAZ");

    // A session hears itself before ReadyForQuery.
    assert_eq!(kinds(&client.ask("notify a b; notify c d").await), "CCAAZ");
    client.run("notify a b", 0).run("notify c d", 0).sync().send().await;
    assert_eq!(client.kinds().await, "12C12CAAZ");
    assert_eq!(kinds(&client.ask("notify a b; error").await), "CEZ");
    drop(client);
    server.seen.wait(&server.seen.closed, 1).await;
    while outbox.send([notification("5")]).is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(outbox.send([notification("5")]), Err(Undelivered::Closed));
}

#[tokio::test]
async fn a_full_outbox_ends_the_connection_instead_of_losing_something() {
    let limits = Limits { max_outbox_bytes: 1000, ..Limits::default() };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    let mut client = Client::login(server.address).await;
    let outbox = server.seen.outboxes.lock().unwrap()[0].clone();
    client.ask("begin").await;
    while outbox.send([notification("x")]).is_ok() {}
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("E".into(), "53400".into()));
}

#[tokio::test]
async fn a_panic_ends_one_client_alone() {
    let server = Server::start().await;
    let mut other = Client::login(server.address).await;
    let mut client = Client::login(server.address).await;
    let messages = client.ask("panic").await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("E".into(), "XX000".into()));
    assert_eq!(messages[0].field('S'), "FATAL");
    // In the middle of a row: the client stays in step.
    let mut client = Client::login(server.address).await;
    assert_eq!(kinds(&client.ask("panicking-row 5").await), "TDDE");
    assert_eq!(kinds(&other.ask("rows 1").await), "TDCZ");
    assert_eq!(server.seen.closed.load(Ordering::SeqCst), 0);
    assert_eq!(server.registry.len(), 1);
}
