//! A single server.

use std::time::Duration;

use abide_core::ErrorKind;
use abide_harness::Redis;
use abide_redis::connect::{LinkOptions, Script, Servers, Terms};
use futures_util::future::join_all;
use redis::Value;
use tokio::time::Instant;

use crate::stage::{Load, changed, get, impatient, open, open_with, read, set, soon, until, up};

#[tokio::test]
async fn a_command_is_answered() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    assert_eq!(servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap(), [Value::Okay]);
    assert_eq!(read(&servers, "a").await.unwrap(), Value::BulkString(b"1".to_vec()));
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_again_at_once() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let call = || servers.invoke(b"a", &script, &[b"2"], Terms::write(soon()));
    assert_eq!(call().await.unwrap(), Value::Int(2));
    redis.cli(&["SCRIPT", "FLUSH"]).await;
    let before = redis.calls().await;
    assert_eq!(call().await.unwrap(), Value::Int(4));
    assert_eq!(call().await.unwrap(), Value::Int(6));
    let ran = redis.calls().await - &before;
    assert_eq!((ran.of_command("evalsha"), ran.of_command("eval"), ran.of_command("script|load")), (2, 1, 0));
}

#[tokio::test]
async fn each_of_many_that_are_asked_for_at_the_same_time_has_its_own_answer() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    let script = Script::new("if ARGV[1] == '7' then return redis.call('LPUSH', KEYS[1]) end return ARGV[1]");
    let calls = (0..200).map(|n: u32| {
        let (servers, script) = (&servers, &script);
        async move { servers.invoke(b"a", script, &[n.to_string().as_bytes()], Terms::write(soon())).await }
    });
    for (n, answer) in join_all(calls).await.into_iter().enumerate() {
        match answer.unwrap() {
            Value::ServerError(_) => assert_eq!(n, 7),
            answer => assert_eq!(answer, Value::BulkString(n.to_string().into_bytes())),
        }
    }
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_found_later() {
    let mut redis = Redis::single().await;
    redis.kill9().await;
    let servers = open(&redis.url());
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    redis.restart().await;
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_command_itself_is_part_of_the_answer() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    redis.cli(&["LPUSH", "list", "1"]).await;
    let mut commands = get("list");
    commands.cmd("PING");
    let answers = servers.run(b"list", &commands, Terms::read(soon())).await.unwrap();
    assert!(matches!(&answers[0], Value::ServerError(error) if error.code() == "WRONGTYPE"), "{answers:?}");
    assert_eq!(answers[1], Value::SimpleString("PONG".into()));
}

#[tokio::test]
async fn a_server_that_is_a_replica_is_neither_written_to_nor_read_from() {
    let (master, replica) = tokio::join!(Redis::single(), Redis::single());
    replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    replica.until("master_link_status", "up").await;
    let servers = open(&replica.url());
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = read(&servers, "a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(replica.calls().await.of_commands(&["get", "set"]), 0);
    replica.cli(&["REPLICAOF", "NO", "ONE"]).await;
    up(&servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
}

#[tokio::test]
async fn a_server_without_memory_says_full_and_nothing_is_written() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(read(&servers, "a").await.unwrap(), Value::Nil);
}

#[tokio::test]
async fn a_server_that_wants_more_replicas_is_unavailable() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    redis.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

/// A thousand refusals together take less than one deadline.
async fn refuses_at_once(servers: &Servers) {
    let begin = Instant::now();
    for _ in 0..1_000 {
        let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(begin.elapsed() < Duration::from_secs(1), "a thousand refusals took {:?}", begin.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_no_request_its_deadline_and_is_found_again() {
    let mut redis = Redis::single().await;
    let servers = open_with(&redis.url(), impatient());
    up(&servers).await;
    let load = Load::start(&servers, 8, "a");
    load.goes_on().await;
    redis.kill9().await;
    until(|| !servers.ready()).await;
    refuses_at_once(&servers).await;
    redis.restart().await;
    load.goes_on().await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_is_given_up_and_used_again_once_it_goes_on() {
    let redis = Redis::single().await;
    let servers = open_with(&redis.url(), impatient());
    up(&servers).await;
    let load = Load::start(&servers, 8, "a");
    load.goes_on().await;
    redis.stop().await;
    until(|| !servers.ready()).await;
    refuses_at_once(&servers).await;
    redis.cont().await;
    load.goes_on().await;
    load.end().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_ambiguous_and_a_read_unavailable() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    redis.stop().await;
    let shortly = || Instant::now() + Duration::from_millis(100);
    let write = servers.run(b"a", &set("a", "1"), Terms::write(shortly())).await.unwrap_err();
    let read = servers.run(b"a", &get("a"), Terms::read(shortly())).await.unwrap_err();
    assert_eq!((write.kind(), read.kind()), (ErrorKind::Ambiguous, ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_read_is_sent_again_where_its_connection_breaks() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    for _ in 0..20 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert_eq!(read(&servers, "a").await.unwrap(), Value::BulkString(b"1".to_vec()));
    }
}

#[tokio::test]
async fn each_connection_that_is_made_counts_as_a_change() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    let mut changes = servers.masters_changed();
    let before = *changes.borrow();
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    changed(&mut changes, before).await;
}

#[tokio::test]
async fn a_hung_server_is_given_up_without_any_request() {
    let redis = Redis::single().await;
    let servers = open(&redis.url());
    up(&servers).await;
    redis.stop().await;
    until(|| !servers.ready()).await;
    redis.cont().await;
    up(&servers).await;
}

#[tokio::test]
async fn three_operations_without_an_answer_are_enough_to_give_a_server_up() {
    let redis = Redis::single().await;
    let rarely = LinkOptions::new().heartbeat(Duration::from_secs(3_600));
    let servers = open_with(&redis.url(), rarely);
    up(&servers).await;
    redis.stop().await;
    for _ in 0..3 {
        assert!(servers.ready());
        let shortly = Instant::now() + Duration::from_millis(50);
        servers.run(b"a", &get("a"), Terms::read(shortly)).await.unwrap_err();
    }
    until(|| !servers.ready()).await;
}
