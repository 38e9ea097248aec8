//! Prepared statements, portals, pipelines, and the transactions around them.

use crate::backend::Server;
use crate::client::{Client, error_code, kinds};

#[tokio::test]
async fn an_error_in_a_pipeline_skips_to_sync() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.run("rows 1", 0).run("error", 0).run("rows 2", 0).query("rows 1").sync();
    client.run("rows 2", 0).sync().send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "12DC12EZ");
    assert_eq!(error_code(&messages), "22012");
    assert_eq!(client.kinds().await, "12DDCZ");
}

#[tokio::test]
async fn broken_messages_are_errors_and_the_connection_stays_in_step() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.put('B', &[b"\0\0\0\x01\0\x07\0\0\0\0"]).sync();
    client.put('B', &[b"\0\0\xff\xff\0\0\0\0"]).sync();
    client.put('P', &[b"no end"]).sync();
    client.put('D', &[b"?x\0"]).sync();
    client.put('Q', &[b"\xff\xfe\0"]);
    client.put('F', &[b"\0\0\0\x01"]);
    client.send().await;
    for code in ["22023", "08P01", "08P01", "08P01", "22021", "0A000"] {
        let messages = client.messages().await;
        assert_eq!((kinds(&messages), error_code(&messages)), ("EZ".into(), code.into()));
    }
    assert_eq!(kinds(&client.ask("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn names_are_kept_and_checked() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.parse("s", "rows 1").sync().parse("s", "rows 1").sync();
    client.bind("", "none").sync().bind("", "").sync();
    client.execute("none", 0).sync().put('D', &[b"Pnone\0"]).sync();
    client.put('C', &[b"Snone\0"]).put('C', &[b"Ss\0"]).bind("", "s").sync().send().await;
    assert_eq!(client.kinds().await, "1Z");
    for code in ["42P05", "26000", "26000", "34000", "34000"] {
        let messages = client.messages().await;
        assert_eq!((kinds(&messages), error_code(&messages)), ("EZ".into(), code.into()));
    }
    assert_eq!(client.kinds().await, "33EZ");
}

#[tokio::test]
async fn a_failed_parse_leaves_no_unnamed_statement() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.parse("", "rows 1").sync().parse("", "syntax error").sync().bind("", "").sync();
    client.send().await;
    assert_eq!(client.kinds().await, "1Z");
    assert_eq!(error_code(&client.messages().await), "42601");
    assert_eq!(error_code(&client.messages().await), "26000");
    // A simple query drops it, too.
    client.parse("", "rows 1").sync().query("rows 1").bind("", "").sync().send().await;
    assert_eq!(client.kinds().await, "1Z");
    assert_eq!(client.kinds().await, "TDCZ");
    assert_eq!(error_code(&client.messages().await), "26000");
}

#[tokio::test]
async fn parameters_arrive_and_their_number_is_checked() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.parse("s", "echo $1 $2").put('D', &[b"Ss\0"]);
    let values = b"\0\x02\0\0\0\x03abc\xff\xff\xff\xff";
    client.put('B', &[b"p\0s\0\0\0", values, b"\0\x01\0\x01"]);
    client.put('D', &[b"Pp\0"]).execute("p", 0).sync();
    client.bind("", "s").sync();
    client.put('B', &[b"p\0s\0\0\0", values, b"\0\x02\0\x01\0\0"]).sync().send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "1tT2TDCZ");
    assert_eq!(&messages[1].body[..], b"\0\x02\0\0\0\x19\0\0\0\x19");
    let column = b"\0\x01value\0\0\0\x12\x67\0\x03\0\0\0\x19\xff\xff\0\0\0\x09\0";
    assert_eq!(&messages[2].body[..], [&column[..], b"\0"].concat());
    assert_eq!(&messages[4].body[..], [&column[..], b"\x01"].concat());
    assert_eq!(messages[5].text(), "ABC|NULL");
    assert_eq!(error_code(&client.messages().await), "08P01");
    assert_eq!(error_code(&client.messages().await), "08P01");
}

#[tokio::test]
async fn row_limits_suspend_and_resume() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.ask("begin").await;
    client.parse("", "rows 5").bind("p", "").execute("p", 2).execute("p", 2).sync();
    client.execute("p", 2).execute("p", 2).sync().send().await;
    assert_eq!(client.kinds().await, "12DDsDDsZ");
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "DCCZ");
    assert_eq!(messages[1].text(), "SELECT 1");
    assert_eq!(messages[2].text(), "SELECT 0");
    // As many rows as the limit: PostgreSQL doesn't look whether there is another.
    client.run("rows 2", 2).sync().send().await;
    assert_eq!(client.kinds().await, "12DDsZ");
    // Done means done for what returns no rows.
    client.run("set a b", 0).execute("", 0).sync().send().await;
    assert_eq!(error_code(&client.messages().await), "55000");
}

#[tokio::test]
async fn absurd_row_limits_are_harmless() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    for limit in [-1, i32::MIN, 0, i32::MAX] {
        client.run("rows 3", limit).sync().send().await;
        assert_eq!(client.kinds().await, "12DDDCZ", "{limit}");
    }
}

#[tokio::test]
async fn portals_end_with_their_transaction() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    // Without a block, at Sync.
    client.parse("s", "rows 5").bind("p", "s").execute("p", 1).sync();
    client.execute("p", 1).sync().send().await;
    assert_eq!(client.kinds().await, "12DsZ");
    assert_eq!(error_code(&client.messages().await), "34000");
    // In a block at its end, be it by the simple or the extended protocol.
    for by_query in [true, false] {
        client.ask("begin").await;
        client.bind("p", "s").execute("p", 1).sync().bind("p", "s").sync().send().await;
        assert_eq!(client.kinds().await, "2DsZ");
        assert_eq!(error_code(&client.messages().await), "42P03");
        client.ask("rollback").await;
        client.ask("begin").await;
        client.bind("p", "s").execute("p", 1).sync().send().await;
        assert_eq!(client.kinds().await, "2DsZ");
        if by_query {
            client.query("commit").execute("p", 1).sync().send().await;
            assert_eq!(client.kinds().await, "CZ");
        } else {
            client.run("commit", 0).execute("p", 1).sync().send().await;
        }
        assert_eq!(error_code(&client.messages().await), "34000");
    }
}

#[tokio::test]
async fn ready_for_query_tells_the_transaction() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    for (sql, status) in [("begin", b"T"), ("error", b"E"), ("rollback", b"I"), ("error", b"I")] {
        let messages = client.ask(sql).await;
        assert_eq!(&messages.last().unwrap().body[..], status, "{sql}");
    }
}

#[tokio::test]
async fn simple_queries_hold_many_statements() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    assert_eq!(kinds(&client.ask("").await), "IZ");
    assert_eq!(kinds(&client.ask(" ; ").await), "IZ");
    assert_eq!(kinds(&client.ask("rows 1; set a b; rows 2").await), "TDCCTDDCSZ");
    assert_eq!(kinds(&client.ask("rows 1; error; rows 2").await), "TDCEZ");
    // Nothing runs when the text cannot be parsed.
    assert_eq!(kinds(&client.ask("rows 1; syntax error").await), "EZ");
    // The commit's failure stands in the place of CommandComplete.
    let messages = client.ask("rows 1; fail-commit").await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("TDCEZ".into(), "40001".into()));
    client.run("", 0).put('D', &[b"P\0"]).sync().send().await;
    assert_eq!(error_code(&client.messages().await), "34000");
}

#[tokio::test]
async fn notices_settings_and_discards_come_in_their_places() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    assert_eq!(kinds(&client.ask("notice hello; set a b").await), "NCCSZ");
    client.parse("s", "rows 1").run("deallocate all", 0).bind("", "s").sync().send().await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("112CEZ".into(), "26000".into()));
}

#[tokio::test]
async fn flush_brings_answers_before_sync() {
    let server = Server::start().await;
    let mut client = Client::login(server.address).await;
    client.parse("", "rows 1").put('D', &[b"S\0"]).flush().send().await;
    for kind in "1tT".chars() {
        assert_eq!(client.message().await.unwrap().kind, kind);
    }
    client.bind("", "").execute("", 0).flush().send().await;
    for kind in "2DC".chars() {
        assert_eq!(client.message().await.unwrap().kind, kind);
    }
    client.sync().send().await;
    assert_eq!(client.kinds().await, "Z");
}
