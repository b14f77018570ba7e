//! A Cluster.

use std::time::Duration;

use abide_core::ErrorKind;
use abide_harness::RedisCluster;
use abide_redis::connect::{LinkOptions, Terms};
use futures_util::future::join_all;
use redis::Value;
use tokio::time::{Instant, sleep};

use crate::stage::{
    DEADLINE, Load, PATIENCE, impatient, open, open_with, patient, read, set, soon, until, up,
};

/// Keys of all three masters.
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Keeps writing to every master while `fault` is done to the one of the key "a", until another one has its slots.
async fn fail_over(
    within: Duration,
    options: LinkOptions,
    fault: impl AsyncFnOnce(&mut RedisCluster, usize),
) -> u64 {
    let mut cluster = RedisCluster::start().await;
    let servers = open_with(&cluster.url(), options);
    up(&servers).await;
    let owner = cluster.master_of("a").await;
    let load = Load::start_within(within, &servers, 16, "k");
    let mine = Load::start_within(within, &servers, 4, "{a}");
    mine.goes_on().await;
    fault(&mut cluster, owner).await;
    cluster.settled().await;
    until(|| servers.ready()).await;
    load.goes_on().await;
    mine.goes_on().await;
    let failed = load.end().await.failed() + mine.end().await.failed();
    let now = cluster.master_of("a").await;
    assert_ne!(now, owner);
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(cluster.servers[now].cli(&["GET", "a"]).await, "1");
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_goes_to_its_master_in_one_trip() {
    let cluster = RedisCluster::start().await;
    let servers = open(&cluster.url());
    up(&servers).await;
    for key in KEYS {
        servers.run(key.as_bytes(), &set(key, key), Terms::write(soon())).await.unwrap();
        assert_eq!(read(&servers, key).await.unwrap(), Value::BulkString(key.as_bytes().to_vec()));
    }
    let mut sets = 0;
    for master in &cluster.servers[..3] {
        let ran = master.calls().await.of_command("set");
        assert_ne!(ran, 0);
        sets += ran;
    }
    assert_eq!(sets, KEYS.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_is_replaced() {
    fail_over(DEADLINE, LinkOptions::new(), async |cluster, owner| cluster.servers[owner].kill9().await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_master_is_replaced() {
    fail_over(DEADLINE, LinkOptions::new(), async |cluster, owner| cluster.servers[owner].stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_failover_refuses_nobody_who_can_wait() {
    let failed = fail_over(PATIENCE, patient(), async |cluster, owner| {
        // On a busy machine they would, and a Cluster that is down refuses.
        cluster.take_nobody_for_dead().await;
        cluster.fail_over(owner).await;
        while cluster.master_of("a").await == owner {}
    })
    .await;
    assert_eq!(failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_master_costs_nobody_who_asks_for_keys_of_another() {
    let cluster = RedisCluster::start().await;
    // So that the others do not stop serving while they wait for the failover.
    for server in &cluster.servers {
        server.cli(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
        server.cli(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]).await;
    }
    let servers = open_with(&cluster.url(), impatient());
    up(&servers).await;
    let owner = cluster.master_of("a").await;
    let mut others = Vec::new();
    for key in KEYS {
        if cluster.master_of(key).await != owner {
            others.push(key);
        }
    }
    cluster.servers[owner].stop().await;
    until(|| !servers.ready()).await;
    let begin = Instant::now();
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for _ in 0..100 {
        for key in &others {
            servers.run(key.as_bytes(), &set(key, "1"), Terms::write(soon())).await.unwrap();
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "hundreds of writes took {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_refuses_at_once_and_is_asked_in_the_background_alone() {
    let mut cluster = RedisCluster::start().await;
    for server in &cluster.servers {
        server.cli(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]).await;
    }
    let servers = open_with(&cluster.url(), impatient());
    up(&servers).await;
    let owner = cluster.master_of("a").await;
    let mut other = "b";
    for key in KEYS {
        if cluster.master_of(key).await != owner {
            other = key;
        }
    }
    let living = cluster.master_of(other).await;
    let write = async || servers.run(other.as_bytes(), &set(other, "1"), Terms::write(soon())).await;
    cluster.servers[owner].kill9().await;
    while write().await.is_ok() {}
    let said = async || {
        let count = cluster.servers[living].info("errorstat_CLUSTERDOWN").await;
        count.trim_start_matches("count=").parse::<u128>().unwrap_or_default()
    };
    let (before, begin) = (said().await, Instant::now());
    let mut refused = 0;
    while begin.elapsed() < Duration::from_millis(400) {
        let errors = join_all((0..100).map(|_| write())).await.into_iter().map(Result::unwrap_err);
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("CLUSTERDOWN"), "{error}");
            refused += 1;
        }
    }
    // Twice in 20 ms at the most, of the one master that was written to.
    let (asked, most) = (said().await - before, begin.elapsed().as_millis() / 10 + 2);
    assert!(
        asked <= most,
        "{refused} writes were refused, {asked} of them by the server in {:?}",
        begin.elapsed()
    );
    assert!(refused > 3 * asked, "{refused} writes were refused, {asked} of them by the server");
    cluster.servers[living].cli(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
    let begin = Instant::now();
    while write().await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "it is asked again");
        sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..100 {
        write().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_move_under_load_without_an_error() {
    let cluster = RedisCluster::start().await;
    let servers = open_with(&cluster.url(), patient());
    up(&servers).await;
    let load = Load::start_within(PATIENCE, &servers, 8, "{a}");
    load.goes_on().await;
    let slot = cluster.slot_of("a").await;
    for turn in 0..6 {
        let owner = cluster.master_of("a").await;
        cluster.migrate(slot, (owner + 1 + turn % 2) % 3).await;
        load.goes_on().await;
    }
    let tally = load.end().await;
    assert_eq!(tally.failed(), 0, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_master_is_named_for_what_concerns_no_key() {
    let cluster = RedisCluster::start().await;
    let servers = open(&cluster.url());
    for key in KEYS {
        servers.run(key.as_bytes(), &set(key, key), Terms::write(soon())).await.unwrap();
    }
    let mut found = 0;
    let mut size = redis::Pipeline::new();
    size.cmd("DBSIZE");
    for master in servers.masters(Terms::read(soon())).await.unwrap() {
        let [Value::Int(keys)] = master.run(&size, Terms::read(soon())).await.unwrap()[..] else { panic!() };
        found += keys;
    }
    assert_eq!(found, KEYS.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_away_at_the_start_is_found_later() {
    let mut cluster = RedisCluster::start().await;
    let url = cluster.url();
    for server in &mut cluster.servers {
        server.kill9().await;
    }
    let servers = open(&url);
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(std::error::Error::source(&error).is_some(), "it says why: {error:?}");
    for server in &mut cluster.servers {
        server.restart().await;
    }
    cluster.settled().await;
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_a_cluster_that_is_named_as_a_single_one_says_so() {
    let cluster = RedisCluster::start().await;
    let other = (cluster.master_of("a").await + 1) % 3;
    let servers = open(&cluster.servers[other].url());
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("redis+cluster"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_the_replica_of_its_master() {
    let cluster = RedisCluster::start().await;
    let servers = open(&cluster.url());
    up(&servers).await;
    for key in KEYS {
        let terms = Terms::write(soon());
        assert_eq!(servers.run_and_wait(key.as_bytes(), &set(key, "1"), 1, terms).await.unwrap().replicas, 1);
    }
}
