//! The ways to a server: TLS, a Unix socket, a login, a database.

use std::error::Error as _;

use abide_core::ErrorKind;
use abide_harness::{Certificates, Redis, RedisCluster, RedisSettings, SentinelSet};
use abide_redis::connect::{Address, LinkEvent, LinkOptions, Servers, Terms, Watcher};
use redis::{Pipeline, PushKind, Value};
use tokio::sync::mpsc;

use crate::stage::{get, open, open_with, read, set, soon, up};

fn trusting(certificates: &Certificates) -> LinkOptions {
    LinkOptions::new().tls_roots(certificates.authority())
}

async fn works(servers: &Servers) {
    up(servers).await;
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(read(servers, "a").await.unwrap(), Value::BulkString(b"1".to_vec()));
}

#[tokio::test]
async fn a_server_is_reached_by_tls_and_its_certificate_checked() {
    let certificates = Certificates::make();
    let redis = Redis::start(RedisSettings::default().tls(&certificates)).await;
    works(&open_with(&redis.url(), trusting(&certificates))).await;
    for stranger in [LinkOptions::new(), trusting(&Certificates::make())] {
        let servers = open_with(&redis.url(), stranger);
        let error = servers.run(b"a", &get("a"), Terms::read(soon())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("certificate"), "{cause}");
    }
    let other_name = redis.url().replace("127.0.0.1", "127.0.0.2");
    let error =
        open_with(&other_name, trusting(&certificates)).run(b"a", &get("a"), Terms::read(soon())).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
    let blind = LinkOptions::new().allow_insecure_tls(true);
    works(&open_with(&format!("{}#insecure", redis.url()), blind)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_reached_by_tls() {
    let certificates = Certificates::make();
    let settings = RedisSettings::default().tls(&certificates).set("tls-cluster", &["yes"]);
    let cluster = RedisCluster::start_with(&settings).await;
    works(&open_with(&cluster.url(), trusting(&certificates))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_set_is_reached_with_a_login_of_its_own() {
    let set = SentinelSet::start_with_password("s3cr3t").await;
    works(&open(&set.url().replace("//", "//:s3cr3t@"))).await;
}

#[tokio::test]
async fn a_server_is_reached_by_its_socket() {
    let redis = Redis::single().await;
    works(&open(&format!("unix:{}", redis.socket().display()))).await;
}

#[tokio::test]
async fn a_database_of_its_own_is_used() {
    let redis = Redis::single().await;
    works(&open(&format!("{}/3", redis.url()))).await;
    assert_eq!(redis.cli(&["-n", "3", "DBSIZE"]).await, "1");
    let address = Address::parse("unix", &redis.socket().display().to_string()).unwrap();
    let servers = Servers::open(address.with_database(4).unwrap(), LinkOptions::new()).unwrap();
    works(&servers).await;
    assert_eq!(redis.cli(&["-n", "4", "DBSIZE"]).await, "1");
}

#[tokio::test]
async fn a_user_with_the_least_rights_is_enough_and_a_wrong_password_is_said() {
    let redis = Redis::single().await;
    let rights = "on >p@ss/word resetkeys ~a resetchannels -@all +get +set +evalsha +eval +ping +role";
    let mut command = vec!["ACL", "SETUSER", "shop"];
    command.extend(rights.split(' '));
    assert_eq!(redis.cli(&command).await, "OK");
    works(&open(&redis.url().replace("//", "//shop:p%40ss%2Fword@"))).await;
    // Without them it serves as well, and knows less of failovers.
    assert_eq!(redis.cli(&["ACL", "SETUSER", "shop", "-ping", "-role"]).await, "OK");
    let servers = open(&redis.url().replace("//", "//shop:p%40ss%2Fword@"));
    works(&servers).await;
    assert_eq!(servers.replicas(b"a"), None);
    let denied = servers.run(b"b", &get("b"), Terms::read(soon())).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Unavailable);
    assert!(denied.to_string().contains("NOPERM"), "{denied}");

    let servers = open(&redis.url().replace("//", "//shop:wr0ng@"));
    let refused = servers.run(b"a", &get("a"), Terms::read(soon())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let said = format!("{refused} {refused:?} {:?}", refused.source());
    assert!(said.contains("uthentication") && !said.contains("wr0ng"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_least_rights_is_enough_in_a_cluster_also_while_a_slot_moves() {
    let cluster = RedisCluster::start().await;
    let rights = "on >s3cr3t resetkeys ~* resetchannels -@all +get +set +ping +role +cluster|slots +asking";
    for server in &cluster.servers {
        let mut command = vec!["ACL", "SETUSER", "shop"];
        command.extend(rights.split(' '));
        assert_eq!(server.cli(&command).await, "OK");
    }
    let servers = open(&cluster.url().replace("//", "//shop:s3cr3t@"));
    works(&servers).await;
    let (slot, owner) = (cluster.slot_of("a").await, cluster.master_of("a").await);
    let (from, to) = (&cluster.servers[owner], &cluster.servers[(owner + 1) % 3]);
    let (there, here) = (to.cli(&["CLUSTER", "MYID"]).await, from.cli(&["CLUSTER", "MYID"]).await);
    let slot = slot.to_string();
    assert_eq!(to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &here]).await, "OK");
    assert_eq!(from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &there]).await, "OK");
    // A key that is not here yet is asked for there.
    servers.run(b"{a}new", &set("{a}new", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(read(&servers, "{a}new").await.unwrap(), Value::BulkString(b"1".to_vec()));
    assert_eq!(to.calls().await.of_command("set"), 1);
}

#[tokio::test]
async fn a_watcher_greets_each_connection_and_hears_pushes_and_its_loss() {
    let redis = Redis::single().await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut greeting = Pipeline::new();
    greeting.cmd("CLIENT").arg("TRACKING").arg("ON");
    let watcher = Watcher::new(greeting, move |event| drop(sender.send(event)));
    let servers = open_with(&redis.url(), LinkOptions::new().watcher(watcher));
    works(&servers).await;
    assert!(matches!(events.recv().await, Some(LinkEvent::Made(_))));
    redis.cli(&["SET", "a", "2"]).await;
    let pushed = loop {
        if let Some(LinkEvent::Pushed(push)) = events.recv().await {
            break push;
        }
    };
    assert_eq!(pushed.kind, PushKind::Invalidate);
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    while !matches!(events.recv().await.unwrap(), LinkEvent::Lost(_)) {}
    assert!(matches!(events.recv().await, Some(LinkEvent::Made(_))));
}
