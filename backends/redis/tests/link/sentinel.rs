//! A Sentinel set.

use std::time::Duration;

use abide_core::ErrorKind;
use abide_harness::SentinelSet;
use abide_redis::connect::{LinkOptions, Terms};
use redis::Value;
use tokio::time::Instant;

use crate::stage::{DEADLINE, Load, PATIENCE, changed, open, open_with, patient, read, set, soon, until, up};

/// Keeps writing while `fault` is done to the master, until another one is written to.
async fn fail_over(
    set: &mut SentinelSet,
    within: Duration,
    options: LinkOptions,
    fault: impl AsyncFnOnce(&mut SentinelSet),
) -> u64 {
    let servers = open_with(&set.url(), options);
    up(&servers).await;
    let mut changes = servers.masters_changed();
    let load = Load::start_within(within, &servers, 8, "a");
    load.goes_on().await;
    let before = *changes.borrow_and_update();
    fault(set).await;
    changed(&mut changes, before).await;
    until(|| servers.ready()).await;
    load.goes_on().await;
    set.settled().await;
    load.goes_on().await;
    let failed = load.end().await.failed();
    assert_ne!(set.master().await, 0);
    // What is written now is at the new master.
    servers.run(b"b", &crate::stage::set("b", "1"), Terms::write(soon())).await.unwrap();
    let master = set.master().await;
    assert_eq!(set.servers[master].cli(&["GET", "b"]).await, "1");
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_is_replaced() {
    let mut set = SentinelSet::start().await;
    fail_over(&mut set, DEADLINE, LinkOptions::new(), async |set| set.servers[0].kill9().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_master_is_replaced_and_not_used_again_when_it_goes_on() {
    let mut set = SentinelSet::start().await;
    fail_over(&mut set, DEADLINE, LinkOptions::new(), async |set| set.servers[0].stop().await).await;
    let servers = open(&set.url());
    up(&servers).await;
    set.servers[0].cont().await;
    set.settled().await;
    servers.run(b"c", &crate::stage::set("c", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(set.servers[set.master().await].cli(&["GET", "c"]).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_failover_refuses_nobody_who_can_wait() {
    let mut set = SentinelSet::start().await;
    let failed = fail_over(&mut set, PATIENCE, patient(), async |set| set.fail_over().await).await;
    assert_eq!(failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_sentinel_and_a_dead_one_hold_nobody_up() {
    let mut set = SentinelSet::start().await;
    set.sentinels[0].stop().await;
    set.sentinels[1].kill9().await;
    let servers = open(&set.url());
    up(&servers).await;
    servers.run(b"a", &set_a(), Terms::write(soon())).await.unwrap();
    assert_eq!(read(&servers, "a").await.unwrap(), Value::BulkString(b"1".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_no_sentinel_knows_is_unavailable_and_says_so() {
    let set = SentinelSet::start().await;
    let servers = open(&set.url().replace("/abide/", "/other/"));
    let error = servers.run(b"a", &set_a(), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("does not know the master"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_as_many_replicas_as_there_are() {
    let mut sentinels = SentinelSet::start().await;
    let servers = open(&sentinels.url());
    up(&servers).await;
    let write = async || {
        let begin = Instant::now();
        let done = servers.run_and_wait(b"a", &set_a(), 5, Terms::write(soon())).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5), "nobody waits for replicas that are not there");
        done
    };
    let done = write().await;
    assert_eq!((done.values, done.replicas), (vec![Value::Okay], 2));
    sentinels.servers[1].kill9().await;
    sentinels.servers[2].kill9().await;
    until(|| servers.replicas(b"a") == Some(0)).await;
    assert_eq!(write().await.replicas, 0);
}

fn set_a() -> redis::Pipeline {
    set("a", "1")
}
