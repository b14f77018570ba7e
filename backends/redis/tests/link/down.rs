//! A master that is there and does not serve: its Cluster is down, or it has too few replicas.

use std::time::Duration;

use abide_core::{ErrorKind, LoadOptions, Readiness, SessionKey, SessionStore as _};
use abide_redis::RedisStore;
use abide_redis::connect::{Address, LinkOptions, Servers, Terms};
use futures_util::future::join_all;
use redis::Value;
use tokio::time::{Instant, sleep};

use crate::fake::Master;
use crate::stage::{DEADLINE, PATIENCE, impatient, open_with, patient, set, soon, until, up};

/// A connection to a Cluster of one master that just said that it is down.
async fn down(options: LinkOptions) -> (Master, Servers) {
    let master = Master::start().await;
    let servers = open_with(&master.url(), options);
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    master.set_down(true);
    (master, servers)
}

#[tokio::test]
async fn while_a_cluster_is_down_no_operation_is_sent_to_see_whether_it_still_is() {
    let (master, servers) = down(impatient()).await;
    let before = master.asked("SET");
    // For as long as it takes until it was asked in the background a number of times.
    loop {
        let terms = Terms::write(Instant::now() + DEADLINE);
        let error = servers.run(b"a", &set("a", "1"), terms).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("CLUSTERDOWN"), "{error}");
        assert_eq!(master.asked("SET") - before, 1, "the first was refused there, and no other was sent");
        if master.asked("GET") >= 5 {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn that_a_cluster_is_up_again_is_found_without_any_operation() {
    let (master, servers) = down(impatient()).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert!(!servers.ready(), "it does not serve");
    master.set_down(false);
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
}

#[tokio::test]
async fn an_operation_that_can_wait_outlives_a_cluster_that_is_down_for_a_moment() {
    let (master, servers) = down(patient()).await;
    let (asked, recovers) = (master.asked("SET"), async {
        until(|| master.asked("GET") > 3).await;
        master.set_down(false);
    });
    let writes = (0..10)
        .map(async |_| servers.run(b"a", &set("a", "1"), Terms::write(Instant::now() + PATIENCE)).await);
    let (written, ()) = tokio::join!(join_all(writes), recovers);
    for written in written {
        assert_eq!(written.unwrap(), [Value::Okay]);
    }
    // Each was sent once after that, and ten at the most were told of it.
    assert!(master.asked("SET") - asked <= 20);
}

#[tokio::test]
async fn a_store_on_a_cluster_that_is_down_is_not_ready_and_says_why() {
    let master = Master::start().await;
    let url = master.url();
    let (scheme, rest) = url.split_once(':').unwrap();
    let address = Address::parse(scheme, rest).unwrap();
    let store = RedisStore::builder(address).link(impatient()).open().unwrap();
    let load = async || store.load(&SessionKey::from_bytes([1; 16]), &LoadOptions::default()).await;
    while load().await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(store.ready().await, Readiness::Ready);
    master.set_down(true);
    assert_eq!(load().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let Readiness::NotReady(why) = store.ready().await else { panic!("it is ready") };
    assert!(why.contains("CLUSTERDOWN"), "{why}");
}

#[tokio::test]
async fn a_replica_that_is_needed_is_found_before_the_next_heartbeat() {
    let master = Master::start().await;
    let rarely = LinkOptions::new().heartbeat(Duration::from_secs(3_600));
    let servers = open_with(&master.url(), rarely);
    up(&servers).await;
    let write = async || servers.run(b"a", &set("a", "1"), Terms::write(soon()).needs(1)).await;
    assert_eq!(write().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(master.asked("SET"), 0, "nothing is sent");
    master.set_replicas(1);
    let begin = Instant::now();
    while write().await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "it is not looked for");
        sleep(Duration::from_millis(1)).await;
    }
}
