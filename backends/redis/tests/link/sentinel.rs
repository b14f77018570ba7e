//! A Sentinel set.

use std::time::Duration;

use abide_core::ErrorKind;
use abide_harness::{Redis, SentinelSet};
use abide_redis::connect::{LinkOptions, Terms};
use redis::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::fake::Sentinel;
use crate::stage::{
    DEADLINE, Load, PATIENCE, changed, impatient, open, open_with, patient, read, set, soon, until, up,
};

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

/// A master, and a replica that has caught up.
async fn pair() -> (Redis, Redis) {
    let (master, replica) = tokio::join!(Redis::single(), Redis::single());
    master.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
    replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    replica.until("master_link_status", "up").await;
    (master, replica)
}

#[tokio::test]
async fn the_old_master_is_left_as_soon_as_sentinels_say_who_is_to_follow_it() {
    // Each of what they say must do: whoever subscribes late hears the later ones alone.
    for channel in [
        "+failover-state-send-slaveof-noone",
        "+failover-state-wait-promotion",
        "+promoted-slave",
        "+switch-master",
    ] {
        let (old, new) = pair().await;
        let sentinel = Sentinel::of(&old).await;
        let servers = open_with(&sentinel.url(), patient());
        up(&servers).await;
        servers.run(b"a", &set("a", "before"), Terms::write(soon())).await.unwrap();
        sentinel.says_of(channel, &new);
        sentinel.names(&new);
        let left = async {
            while servers.ready() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(10), left).await.unwrap_or_else(|_| panic!("{channel} is not heard"));
        // The old one would still take it.
        let (write, terms) = (set("a", "after"), Terms::write(soon()));
        let promoted = async {
            assert_eq!(old.cli(&["GET", "a"]).await, "before");
            assert_eq!(new.cli(&["REPLICAOF", "NO", "ONE"]).await, "OK");
        };
        let (written, ()) = tokio::join!(servers.run(b"a", &write, terms), promoted);
        written.unwrap();
        assert_eq!(
            [old.cli(&["GET", "a"]).await, new.cli(&["GET", "a"]).await],
            ["before", "after"],
            "{channel}"
        );
    }
}

#[tokio::test]
async fn a_failover_that_comes_to_nothing_leaves_the_master_as_it_was() {
    let (master, replica) = pair().await;
    let sentinel = Sentinel::of(&master).await;
    let servers = open_with(&sentinel.url(), patient());
    up(&servers).await;
    sentinel.says_of("+failover-state-send-slaveof-noone", &replica);
    until(|| !servers.ready()).await;
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(master.cli(&["GET", "a"]).await, "1");
}

#[tokio::test]
async fn what_is_said_of_another_master_is_none_of_ours() {
    let (master, replica) = pair().await;
    let sentinel = Sentinel::of(&master).await;
    let servers = open_with(&sentinel.url().replace("/main/", "/other/"), impatient());
    up(&servers).await;
    sentinel.says_of("+promoted-slave", &replica);
    sentinel.says_of("+switch-master", &replica);
    for _ in 0..200 {
        servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    }
}
