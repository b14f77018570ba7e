//! A single server.

use abide_core::ErrorKind;
use abide_harness::Redis;
use abide_redis::connect::{Script, Terms};
use redis::Value;

use crate::stage::{get, open, set, soon};

#[tokio::test]
async fn a_command_is_answered() {
    let redis = Redis::single().await;
    let servers = open(&redis);
    assert_eq!(servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap(), [Value::Okay]);
    let got = servers.run(b"a", &get("a"), Terms::read(soon())).await.unwrap();
    assert_eq!(got, [Value::BulkString(b"1".to_vec())]);
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_again_at_once() {
    let redis = Redis::single().await;
    let servers = open(&redis);
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
async fn a_server_that_is_away_at_the_start_is_found_later() {
    let mut redis = Redis::single().await;
    redis.kill9().await;
    let servers = open(&redis);
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    redis.restart().await;
    let mut changes = servers.masters_changed();
    changes.wait_for(|changes| *changes > 0).await.unwrap();
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
}
