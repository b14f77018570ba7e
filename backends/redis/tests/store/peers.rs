//! What other session stores on Redis get wrong.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{CreateOptions, ErrorKind, Record, SessionStore as _, Token, Version};
use abide_harness::Redis;
use tokio::task::JoinSet;

use crate::stage::{Client, builder, clock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_concurrent_increments_of_one_counter_every_one_counts() {
    let server = Redis::single().await;
    let clients = [Arc::new(Client::on(&server).await), Arc::new(Client::on(&server).await)];
    let live = clients[0].visit().await;
    let mut increments = JoinSet::new();
    for n in 0..64 {
        let (client, live) = (clients[n % 2].clone(), live.clone());
        increments.spawn(async move { client.increment(&live).await.unwrap() });
    }
    increments.join_all().await;
    assert_eq!(clients[0].count(&live).await, "64");
}

#[tokio::test]
async fn two_servers_behind_a_round_robin_count_one_two_three() {
    let server = Redis::single().await;
    let clients = [Client::on(&server).await, Client::on(&server).await];
    let live = clients[0].visit().await;
    for n in 0..10 {
        clients[n % 2].increment(&live).await.unwrap();
        assert_eq!(clients[(n + 1) % 2].count(&live).await, (n + 1).to_string());
    }
}

#[tokio::test]
async fn a_save_after_a_logout_brings_nothing_back_and_is_no_error_of_the_server() {
    let server = Redis::single().await;
    let (slow, other) = (Client::on(&server).await, Client::on(&server).await);
    let live = slow.log_in("ada").await;
    let save = slow.setting(&live.record, "a", b"1");
    other.end(&live).await.unwrap();
    let refused = slow.commit(&live, &save).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Ended && !refused.is_transient(), "{refused}");
    assert!(!slow.is_live(&live).await && !other.is_live(&live).await);
}

#[tokio::test]
async fn an_expired_key_is_not_made_again_by_a_write() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let live = client.visit().await;
    server.cli(&["FLUSHALL"]).await;
    let refused = client.set(&live, "a", b"1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Missing);
    assert_eq!(server.cli(&["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn an_unknown_key_is_never_adopted() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let stranger = Token::from_bytes([5; 32]);
    let record = Record::create(client.new_record(&stranger));
    let write = client.setting(&record, "a", b"1");
    let refused = client.store.commit(stranger.key(), Version::default(), &write, &Default::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(server.cli(&["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn a_session_keeps_the_timeout_of_its_own_over_every_write() {
    let (server, clock) = (Redis::single().await, clock());
    let client = Client::open(builder(&server.url()), clock.clone()).await;
    let live = client.visit().await;
    let mut longer = client.changes(&live.record);
    longer.set_idle_timeout(Duration::from_secs(7200));
    client.commit(&live, &longer).await.unwrap();
    client.set(&live, "a", b"1").await.unwrap();
    clock.advance(Duration::from_secs(7199));
    assert!(client.is_live(&live).await);
    clock.advance(Duration::from_secs(1));
    assert!(!client.is_live(&live).await);
}

#[tokio::test]
async fn stores_of_different_prefixes_share_a_server_and_no_session() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let builder = builder(&server.url()).prefix("other:");
    let other = Client::open(builder, client.clock.clone()).await;
    let live = client.log_in("ada").await;
    assert!(!other.is_live(&live).await);
    other.store.create(live.key(), Record::clone(&live.record), &CreateOptions::default()).await.unwrap();
    other.store.end_all(abide_core::EndReason::EndedByAdministrator).await.unwrap();
    assert!(client.is_live(&live).await);
}
