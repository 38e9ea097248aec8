//! Live rows leave at once.

use crate::backend::Server;
use crate::client::{Client, kinds};

#[tokio::test]
async fn rows_leave_when_the_source_is_pending() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let live = server.live();
    client.query("live").send().await;
    assert_eq!(client.message().await.unwrap().kind, 'T');
    for row in 0..3 {
        live.send(row).await.unwrap();
        assert_eq!(client.message().await.unwrap().text(), format!("row {row}"));
    }
    // The next request ends it.
    client.query("rows 1").send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "CZ");
    assert_eq!(messages[0].text(), "SELECT 3");
    assert_eq!(client.kinds().await, "TDCZ");
}

#[tokio::test]
async fn a_limited_subscription_suspends_as_soon_as_it_has_something() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let live = server.live();
    client.ask("timeout statement 20; timeout in-transaction 20").await;
    client.ask("begin").await;
    client.run("live", 100).flush().send().await;
    for kind in "12".chars() {
        assert_eq!(client.message().await.unwrap().kind, kind);
    }
    // Timeouts don't apply: nothing comes for longer than they are.
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    live.send(0).await.unwrap();
    assert_eq!(client.message().await.unwrap().kind, 'D');
    assert_eq!(client.message().await.unwrap().kind, 's');
    live.send(1).await.unwrap();
    // A Sync in the pipe is no stop, a Close is.
    client.execute("", 0).sync().put('C', &[b"P\0"]).sync().send().await;
    assert_eq!(client.kinds().await, "DCZ");
    assert_eq!(client.kinds().await, "3Z");
}
