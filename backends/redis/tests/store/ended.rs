//! An end that the server lost is an end all the same.

use abide_core::{CreateOptions, ErrorKind, Record, SessionStore as _};
use abide_harness::Redis;

use crate::stage::{Client, Live, until};

/// What a failover does that loses the latest writes: the session is as it was, and its end never was.
async fn lose_the_end(server: &Redis, live: &Live, kept: &str) {
    let key = session_key(server).await;
    assert_eq!(server.cli(&["DEL", &key]).await, "1", "{live:?}");
    assert_eq!(server.cli(&["COPY", kept, &key]).await, "1");
}

async fn session_key(server: &Redis) -> String {
    server.cli(&["KEYS", "abide:s:*"]).await.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn an_end_that_a_failover_lost_is_refused_here_and_written_again() {
    let server = Redis::single().await;
    let (client, other) = (Client::on(&server).await, Client::on(&server).await);
    let live = client.visit().await;
    let key = session_key(&server).await;
    assert_eq!(server.cli(&["COPY", &key, "kept"]).await, "1");
    assert!(client.end(&live).await.unwrap().was_live);
    lose_the_end(&server, &live, "kept").await;
    assert!(other.is_live(&live).await, "the server lost the end");
    assert!(!client.is_live(&live).await, "the process that ended it remembers");
    let answer = client.set(&live, "a", b"1").await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Ended);
    let again = client.store.create(live.key(), Record::clone(&live.record), &CreateOptions::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Ended);
    // A new connection to a master is what a failover looks like from here.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    until(async || matches!(other.load(&live).await, Ok(None))).await;
    assert!(client.metric("ends_written_again") >= 1);
    let answer = other.set(&live, "a", b"1").await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Ended);
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_written_until_the_server_has_it() {
    let server = Redis::single().await;
    let builder = crate::stage::builder(&server.url()).timeout(std::time::Duration::from_millis(300));
    let client = Client::open(builder, std::sync::Arc::new(abide_core::SystemClock)).await;
    let other = Client::on(&server).await;
    let live = client.visit().await;
    server.stop().await;
    let answer = client.end(&live).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Ambiguous);
    // The connection that carried the end dies with it.
    server.cont().await;
    until(async || matches!(other.load(&live).await, Ok(None))).await;
    until(async || client.metric("ends_remembered") == 1).await;
}
