//! A user with the least rights, and a server that would drop sessions.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abide_core::{EndReason, EndUserOptions, ErrorKind, Page, Readiness, SessionStore as _, SystemClock};
use abide_harness::{Redis, RedisCluster, RedisSettings};

use crate::stage::{Client, IDLE, builder, until};

/// The rule of the crate's documentation, as it stands there.
fn documented_rule() -> Vec<String> {
    let docs = include_str!("../../src/lib.rs");
    let from = docs.find("ACL SETUSER").expect("the documentation has the rule");
    let rule = &docs[from..];
    let rule = &rule[..rule.find("```").expect("the rule ends")];
    rule.replace("//!", " ").split_whitespace().map(|word| word.replace("PASSWORD", "hunter2")).collect()
}

async fn with_user(server: &Redis) -> String {
    let rule = documented_rule();
    let said = server.cli(&rule.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(said, "OK");
    server.cli(&["ACL", "SETUSER", "default", "off"]).await;
    format!("redis://abide:hunter2@{}", server.address())
}

#[tokio::test]
async fn the_documented_user_may_do_all_that_the_store_does_and_nothing_else() {
    let server = Redis::single().await;
    let url = with_user(&server).await;
    let client = does_all(&url).await;
    let other = Client::open(builder(&url).prefix("other:"), client.clock).await;
    let refused = other.create(|new| new).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.to_string().contains("NOPERM"), "{refused}");
}

#[tokio::test]
async fn with_the_rights_for_a_cluster_the_documented_user_may_do_all_of_it_there() {
    let cluster = RedisCluster::start().await;
    let rule = [documented_rule(), vec!["+cluster|slots".into(), "+asking".into()]].concat();
    for server in &cluster.servers {
        assert_eq!(server.cli(&rule.iter().map(String::as_str).collect::<Vec<_>>()).await, "OK");
    }
    does_all(&cluster.url().replace("//", "//abide:hunter2@")).await;
}

/// Does what a store can be asked, with the rights of the URL's user.
async fn does_all(url: &str) -> Client {
    let client = Client::open(builder(url), Arc::new(SystemClock)).await;
    let live = client.log_in("ada").await;
    client.set(&live, "a", b"1").await.unwrap();
    let mut slide = client.changes(&live.record);
    slide.seen_at(client.now() + IDLE / 10);
    client.commit(&live, &slide).await.unwrap();
    client.increment(&live).await.unwrap();
    client.commit(&live, &client.login(&live.record, "bob")).await.unwrap();
    assert_eq!(client.store.of_user("bob", &Page::default()).await.unwrap().sessions.len(), 1);
    assert_eq!(client.store.end_user("bob", &EndUserOptions::default()).await.unwrap(), 1);
    let live = client.log_in("eve").await;
    assert!(client.end(&live).await.unwrap().was_live);
    client.log_in("eve").await;
    assert_eq!(client.store.end_all(EndReason::EndedByAdministrator).await.unwrap(), 1);
    assert_eq!(client.store.ready().await, Readiness::Ready);
    client
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What is logged on this thread: its runtime runs all tasks.
fn log() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_policy_that_drops_sessions_is_warned_of_at_start_and_a_good_one_is_not() {
    let (log, _guard) = log();
    let server = Redis::single().await;
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
    let _client = Client::on(&server).await;
    until(async || log.text().contains("set `maxmemory-policy noeviction`")).await;
    assert!(log.text().contains("allkeys-lru"), "{}", log.text());
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    let warnings = || log.text().matches("WARN").count();
    let (before, asked) = (warnings(), server.calls().await.of_command("info"));
    let client = Client::on(&server).await;
    until(async || server.calls().await.of_command("info") > asked + 1).await;
    client.visit().await;
    assert_eq!(warnings(), before, "{}", log.text());
}

/// How long it takes until a server has refused so many logins, and what is logged meanwhile.
async fn refusals(scheme: &str, count: usize) -> (Duration, String) {
    let (log, _guard) = log();
    let settings = RedisSettings::default().set("requirepass", &["right"]).cli(&["-a", "right"]);
    let server = Redis::start(settings).await;
    let begin = Instant::now();
    let store = builder(&format!("{scheme}://:wr0ng@{}", server.address())).open().unwrap();
    let refused =
        async || server.info("errorstat_WRONGPASS").await.trim_start_matches("count=").parse::<usize>();
    until(async || refused().await.is_ok_and(|refused| refused >= count)).await;
    let took = begin.elapsed();
    assert!(matches!(store.ready().await, Readiness::NotReady(_)));
    (took, log.text())
}

#[tokio::test]
async fn a_login_that_is_refused_is_tried_again_ever_more_seldom_and_said_once() {
    // Without a longer pause each time nine took 1.7 s at the most, and six of a Cluster 0.8 s.
    for (scheme, count, least) in [("redis", 9, 2_000), ("redis+cluster", 6, 1_200)] {
        let (took, said) = refusals(scheme, count).await;
        assert!(took >= Duration::from_millis(least), "{scheme}: {count} logins within {took:?}");
        assert_eq!(said.matches("redis refuses the login").count(), 1, "{said}");
        assert!(said.contains("ERROR") && !said.contains("wr0ng"), "{said}");
    }
}
