//! The real servers come up as they should.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use abide_harness::{Certificates, Redis, RedisCluster, RedisSettings, SentinelSet};

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_set_has_a_master_and_replicas_that_follow_it() {
    let set = SentinelSet::start().await;
    assert_eq!(set.master().await, 0);
    assert_eq!(set.servers[0].cli(&["SET", "a", "1"]).await, "OK");
    assert_eq!(set.servers[0].cli(&["WAIT", "2", "10000"]).await, "2");
    assert_eq!(set.servers[1].cli(&["GET", "a"]).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_set_fails_over_and_settles_again() {
    let mut set = SentinelSet::start().await;
    set.servers[0].kill9().await;
    set.settled().await;
    assert_ne!(set.master().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_serves_every_slot_and_moves_one() {
    let cluster = RedisCluster::start().await;
    let (slot, owner) = (cluster.slot_of("a").await, cluster.master_of("a").await);
    assert_eq!(cluster.servers[owner].cli(&["SET", "a", "1"]).await, "OK");
    let other = (owner + 1) % 3;
    cluster.migrate(slot, other).await;
    assert_eq!(cluster.servers[other].cli(&["GET", "a"]).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_fails_over_and_settles_again() {
    let mut cluster = RedisCluster::start().await;
    let owner = cluster.master_of("a").await;
    cluster.servers[owner].kill9().await;
    cluster.settled().await;
    assert_ne!(cluster.master_of("a").await, owner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_speaks_tls() {
    let redis = Redis::start(RedisSettings::default().tls(&Certificates::make())).await;
    assert_eq!(redis.cli(&["PING"]).await, "PONG");
}
