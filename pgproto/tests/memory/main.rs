//! What connections cost in memory, measured in a process that does nothing else meanwhile.

#![allow(clippy::unwrap_used, dead_code, reason = "tests, with helpers of more than these")]

#[path = "../wire/backend.rs"]
mod backend;
#[path = "../wire/client.rs"]
mod client;

use tokio::sync::Mutex;

use crate::backend::Server;
use crate::client::{Client, kinds};

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Bytes of memory this process has.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn an_announced_length_costs_no_memory() {
    let _alone = ALONE.lock().await;
    let server = Server::start().await;
    let before = resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = Client::login(server.address).await;
        client.raw(b"Q\x03\xff\xff\xff").await;
        clients.push(client);
    }
    let mut last = Client::login(server.address).await;
    assert_eq!(kinds(&last.ask("rows 1").await), "TDCZ");
    assert!(resident_bytes() - before < 40 << 20);
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    let _alone = ALONE.lock().await;
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(Client::login(server.address).await);
    }
    let before = resident_bytes();
    const COUNT: usize = 400;
    for _ in 0..COUNT {
        let mut client = Client::login(server.address).await;
        client.ask("rows 2000").await;
        clients.push(client);
    }
    // Both ends of each connection live in this process.
    let each = (resident_bytes() - before) / COUNT;
    assert!(each < 30 * 1024, "{each} bytes each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_million_rows_need_constant_memory() {
    let _alone = ALONE.lock().await;
    const ROWS: usize = 5_000_000;
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let before = resident_bytes();
    for extended in [false, true] {
        if extended {
            client.run(&format!("rows {ROWS}"), 0).sync().send().await;
        } else {
            client.query(&format!("rows {ROWS}")).send().await;
        }
        let mut rows = 0;
        loop {
            match client.message().await.unwrap().kind {
                'D' => rows += 1,
                'Z' => break,
                _ => {}
            }
        }
        assert_eq!(rows, ROWS);
        assert!(resident_bytes().saturating_sub(before) < 16 << 20);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_one_buffer() {
    let _alone = ALONE.lock().await;
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    let before = resident_bytes();
    client.query("rows 1000000000").send().await;
    assert_eq!(client.message().await.unwrap().kind, 'T');
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(resident_bytes().saturating_sub(before) < 16 << 20);
    drop(client);
    server.seen.wait(&server.seen.closed, 1).await;
}
