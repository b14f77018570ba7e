//! How many replicas have a write before it is answered.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    CommitOptions, Durability, EndOptions, EndReason, Error, ErrorKind, SessionStore as _, SystemClock,
};
use abide_harness::{Redis, RedisSettings};

use crate::stage::{Client, builder, lives, until};

/// A master, and a replica that has caught up.
async fn pair() -> (Redis, Redis) {
    let master = Redis::single().await;
    let port = master.port().to_string();
    let settings = RedisSettings::default()
        .set("replicaof", &["127.0.0.1", &port])
        .set("repl-diskless-sync-delay", &["0"]);
    let replica = Redis::start(settings).await;
    until(async || replica.info("master_link_status").await == "up").await;
    (master, replica)
}

async fn client(server: &Redis, replicas: u8) -> Client {
    let builder = builder(&server.url()).replicas(replicas).timeout(Duration::from_millis(800));
    let client = Client::open(builder, Arc::new(SystemClock)).await;
    // The link counts replicas at each heartbeat.
    tokio::time::sleep(Duration::from_millis(600)).await;
    client
}

#[tokio::test]
async fn what_was_answered_is_on_as_many_replicas_as_were_asked_for() {
    let (master, replica) = pair().await;
    let client = client(&master, 1).await;
    for _ in 0..50 {
        let live = client.visit().await;
        client.set(&live, "a", b"1").await.unwrap();
        let stored = master.cli(&["EVAL", CHECKSUM, "0"]).await;
        assert_eq!(
            replica.cli(&["EVAL_RO", CHECKSUM, "0"]).await,
            stored,
            "the replica lacks what was answered"
        );
    }
    assert!(master.calls().await.of_command("wait") >= 100);
}

/// Of all keys and what they hold.
const CHECKSUM: &str = "local all = {} for n, key in ipairs(redis.call('KEYS', '*')) do \
                        all[n] = redis.sha1hex(key .. redis.call('GET', key)) end \
                        table.sort(all) return redis.sha1hex(table.concat(all))";

#[tokio::test]
async fn a_write_that_too_few_replicas_have_is_ambiguous_and_found_when_asked_again() {
    let (master, replica) = pair().await;
    let client = client(&master, 1).await;
    let live = client.visit().await;
    let changes = client.setting(&live.record, "a", b"1");
    replica.stop().await;
    for retry in [false, true] {
        let options = CommitOptions::default().retry(retry);
        let answer = client.store.commit(live.key(), live.loaded.version, &changes, &options).await;
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
    }
    // Per commit it may be less.
    let changes = client.setting(&live.record, "b", b"1");
    let options = CommitOptions::default().durability(Durability::Async);
    client.store.commit(live.key(), live.loaded.version, &changes, &options).await.unwrap();
    replica.cont().await;
    until(async || {
        let options = CommitOptions::default().retry(true);
        client.store.commit(live.key(), live.loaded.version, &changes, &options).await.is_ok()
    })
    .await;
    let held = client.load(&live).await.unwrap().unwrap();
    assert_eq!(held.record.value("a"), Some(&b"1"[..]), "it was written all the same");
}

#[tokio::test]
async fn a_commit_may_ask_for_more_than_the_store_does() {
    let (master, replica) = pair().await;
    let client = client(&master, 0).await;
    let live = client.visit().await;
    replica.stop().await;
    client.set(&live, "a", b"1").await.unwrap();
    let changes = client.setting(&live.record, "b", b"1");
    let options = CommitOptions::default().durability(Durability::Replicas(1));
    let answer = client.store.commit(live.key(), live.loaded.version, &changes, &options).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Ambiguous);
    replica.cont().await;
}

#[tokio::test]
async fn a_logout_waits_for_a_replica_where_there_is_one_and_says_where_none_has_it() {
    let (master, replica) = pair().await;
    let client = client(&master, 0).await;
    // The server knows the script from here on.
    client.end(&client.visit().await).await.unwrap();
    let (one, two, before) = (client.visit().await, client.visit().await, master.calls().await);
    let ended = client.end(&one).await.unwrap();
    assert_eq!((ended.was_live, ended.fell_short), (true, false));
    assert_eq!((master.calls().await - &before).of_command("wait"), 1);
    replica.stop().await;
    let ended = client.end(&two).await.unwrap();
    assert_eq!((ended.was_live, ended.fell_short), (true, true), "it is over all the same");
    assert!(!client.is_live(&two).await);
    assert_eq!(client.metric("ends_fell_short"), 1);
    replica.cont().await;
}

#[tokio::test]
async fn a_logout_on_a_server_without_replicas_waits_for_none() {
    let server = Redis::single().await;
    let client = client(&server, 0).await;
    let live = client.visit().await;
    let ended = client.store.end(live.key(), EndReason::LoggedOut, &EndOptions::default()).await.unwrap();
    assert_eq!((ended.was_live, ended.fell_short), (true, false));
    assert_eq!(server.calls().await.of_command("wait"), 0);
}

#[tokio::test]
async fn a_write_for_which_too_few_replicas_are_connected_is_refused_and_nothing_is_written() {
    let master = Redis::single().await;
    let (alone, asking) = (client(&master, 0).await, client(&master, 1).await);
    let live = alone.visit().await;
    let before = lives(&master).await.len();
    let unavailable = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("0 replicas are connected, 1 were asked for"), "{error}");
    };
    unavailable(asking.create(|new| new).await.unwrap_err());
    assert_eq!(lives(&master).await.len(), before, "the refused session is not there");
    unavailable(asking.set(&live, "a", b"1").await.unwrap_err());
    unavailable(asking.commit(&live, &asking.login(&live.record, "ada")).await.unwrap_err());
    let held = alone.load(&live).await.unwrap().unwrap();
    assert_eq!(held.version, live.loaded.version, "nothing was written");
    // An end is told to whoever is there.
    let ended = asking.end(&live).await.unwrap();
    assert_eq!((ended.was_live, ended.fell_short), (true, true));
}

#[tokio::test]
async fn a_write_that_asks_for_no_replica_is_not_refused_for_another_that_does() {
    let master = Redis::single().await;
    let client = client(&master, 0).await;
    let live = client.visit().await;
    let commit = async |key: &str, durability| {
        let changes = client.setting(&live.record, key, b"1");
        let options = CommitOptions::default().durability(durability);
        client.store.commit(live.key(), live.loaded.version, &changes, &options).await
    };
    for turn in 0..20 {
        let names = ["one", "two", "three"].map(|name| format!("{name}{turn}"));
        // The first goes at once; the others wait for it, and go together.
        let (one, two, three) = tokio::join!(
            commit(&names[0], Durability::Async),
            commit(&names[1], Durability::Replicas(1)),
            commit(&names[2], Durability::Async)
        );
        one.unwrap();
        three.unwrap();
        let error = two.unwrap_err();
        assert!([ErrorKind::Unavailable, ErrorKind::Ambiguous].contains(&error.kind()), "{error}");
    }
}
