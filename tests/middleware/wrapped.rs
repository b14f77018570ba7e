//! A store within the wrappers that the settings ask for.

use std::time::Duration;

use abide::Config;
use abide::core::{Changes, CommitOptions, ErrorKind, LoadOptions, Readiness, SessionStore as _};
use abide_harness::Method;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::time::{Instant, sleep};

use crate::stage::{MINUTE, SECOND, Stage};

const TICK: Duration = Duration::from_millis(1);

async fn in_time() -> Stage {
    Stage::with(Config::new().store_timeout(SECOND)).await
}

#[tokio::test(start_paused = true)]
async fn a_request_that_reads_from_a_store_that_hangs_is_a_503_at_the_deadline() {
    let stage = in_time().await;
    let mut client = stage.visitor().await;
    stage.store.set_hanging(true);
    let began = Instant::now();
    let answer = client.ask(async |session| session.get::<i64>("n").await.map(drop)).await;
    assert_eq!((answer.status, began.elapsed().as_millis()), (StatusCode::SERVICE_UNAVAILABLE, 1_000));
    assert!(answer.headers.contains_key(RETRY_AFTER));
    assert_eq!(stage.sessions.ready().await, Readiness::NotReady("no answer within 1s".into()));
    stage.store.set_hanging(false);
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_writes_to_a_store_that_hangs_is_a_503_after_three_more_attempts() {
    let stage = in_time().await;
    let mut client = stage.visitor().await;
    stage.store.hold(Method::Commit);
    let began = Instant::now();
    let answer = client.ask(async |session| session.increment("n", 1).await.map(drop)).await;
    let pauses = 50 + 100 + 150;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(began.elapsed().as_millis(), 4_000 + pauses);
}

#[tokio::test(start_paused = true)]
async fn an_increment_that_is_answered_behind_the_deadline_counts_once() {
    let stage = in_time().await;
    let mut client = stage.visitor().await;
    stage.store.hang_next_answer(Method::Commit);
    client.ask(async |session| session.increment("n", 1).await.map(drop)).await.is_ok();
    assert_eq!(client.get("n").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_logout_from_a_store_that_hangs_is_answered_at_the_deadline_and_done_once_it_can() {
    let stage = in_time().await;
    let mut client = stage.user("ada").await;
    stage.store.set_hanging(true);
    let (began, tab) = (Instant::now(), client.tab());
    let answer = client.log_out().await;
    assert_eq!((answer.status, began.elapsed().as_millis()), (StatusCode::SERVICE_UNAVAILABLE, 1_000));
    assert!(client.cookie.is_none(), "the cookie is removed");
    stage.store.set_hanging(false);
    sleep(2 * SECOND).await;
    assert!(stage.stored(&tab).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_crowd_past_the_limit_and_the_queue_is_a_503_at_once() {
    let config = Config::new().store_timeout(MINUTE).store_concurrency(2).store_queue(1);
    let stage = Stage::with(config).await;
    let client = stage.visitor().await;
    let gate = stage.store.hold(Method::Load);
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let mut tab = client.tab();
        tabs.push(tokio::spawn(async move { tab.get("n").await }));
        sleep(TICK).await;
    }
    let began = Instant::now();
    let answer = client.tab().ask(async |session| session.get::<i64>("n").await.map(drop)).await;
    assert_eq!((answer.status, began.elapsed()), (StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO));
    gate.add_permits(2);
    for tab in tabs {
        assert_eq!(tab.await.unwrap(), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_turn_longer_than_the_timeout() {
    let config = Config::new().store_timeout(SECOND).store_concurrency(2);
    let stage = Stage::with(config).await;
    let client = stage.visitor().await;
    stage.store.set_hanging(true);
    let crowd = (0..9).map(|_| client.tab());
    let began = Instant::now();
    let mut waits: Vec<_> = crowd
        .map(|mut tab| {
            tokio::spawn(async move {
                tab.ask(async |session| session.get::<i64>("n").await.map(drop)).await.status
            })
        })
        .collect();
    for wait in &mut waits {
        assert_eq!(wait.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(began.elapsed() <= 2 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_waited_for_its_turn_in_vain_surely_did_not_happen() {
    let stage = Stage::with(Config::new().store_timeout(SECOND).store_concurrency(2)).await;
    let client = stage.visitor().await;
    let held = stage.stored(&client).await.unwrap();
    stage.store.set_hanging(true);
    let mut crowd = Vec::new();
    for _ in 0..2 {
        let mut tab = client.tab();
        crowd.push(tokio::spawn(async move { tab.insert("n", 2).await.status }));
        sleep(TICK).await;
    }
    let changes = Changes::new(held.record.latest_stamp(), held.record.era().unwrap().id());
    let (key, options) = (client.token().key().to_owned(), CommitOptions::default());
    let commit = stage.sessions.store().commit(&key, held.version, &changes, &options);
    let error = commit.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "it may have happened: {error}");
}

#[cfg(feature = "encryption")]
mod encrypted {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use abide::core::{Stamps, codec};

    use super::*;
    use crate::stage::Client;

    const SECRET: &str = "a value that nobody else may read";

    /// Settings with a key file of this test alone, with these keys.
    fn with_keys(name: &str, keys: &[u8]) -> Config {
        let path = format!("{}/middleware-{name}-keys", env!("CARGO_TARGET_TMPDIR"));
        let lines: Vec<_> = keys.iter().map(|key| format!("{key:02x}").repeat(32)).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        Config::new().encryption_key_file(path)
    }

    /// What the store itself holds of a client's session.
    async fn dump(stage: &Stage, client: &Client) -> Vec<u8> {
        let held = stage.store.load(client.token().key(), &LoadOptions::default()).await.unwrap().unwrap();
        codec::encode(&held.record).unwrap()
    }

    #[tokio::test]
    async fn with_a_key_file_sessions_work_and_the_store_holds_no_value_that_can_be_read() {
        let stage = Stage::with(with_keys("round-trip", &[1])).await;
        let mut client = stage.client();
        client.ask(async |session| session.insert("secret", SECRET)).await.is_ok();
        client.log_in("ada").await.is_ok();
        client
            .ask(async |session| session.update("other", |_: Option<String>| SECRET.into()).await)
            .await
            .is_ok();
        let mut found = Vec::new();
        client
            .ask(async |session| {
                for name in ["secret", "other"] {
                    found.extend(session.get::<String>(name).await?);
                }
                Ok::<_, abide::Error>(())
            })
            .await
            .is_ok();
        assert_eq!(found, [SECRET, SECRET]);
        let dump = String::from_utf8_lossy(&dump(&stage, &client).await).into_owned();
        assert!(dump.contains("ada") && dump.contains("secret"), "users and names are not encrypted");
        assert!(!dump.contains("nobody else"), "{dump}");
        client.log_out().await.is_ok();
    }

    #[tokio::test]
    async fn every_server_with_the_key_reads_the_session_also_after_a_rotation() {
        let stage = Stage::with(with_keys("old", &[1])).await;
        let mut client = stage.visitor().await;
        let rotated = stage.another_server(with_keys("rotated", &[2, 1])).await;
        let mut there = client.at(&rotated);
        there.ask(async |session| session.increment("n", 1).await.map(drop)).await.is_ok();
        let alone = stage.another_server(with_keys("new", &[2])).await;
        assert_eq!(client.at(&alone).get("n").await, Some(2), "what was written is under the new key");
        let answer = client.ask(async |session| session.get::<i64>("n").await.map(drop)).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "the old server has not got it");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_a_value_that_does_not_decrypt_can_still_log_out() {
        let stage = Stage::with(with_keys("first", &[1])).await;
        let client = stage.user("ada").await;
        client.tab().insert("n", 1).await.is_ok();
        let other = stage.another_server(with_keys("second", &[2])).await;
        let mut there = client.at(&other);
        let answer = there.log_out().await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "it is not done yet");
        assert!(there.cookie.is_none(), "the cookie is removed");
        sleep(SECOND).await;
        assert!(stage.stored(&client).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_does_not_decrypt_lets_nobody_else_log_its_owner_out() {
        let stage = Stage::with(with_keys("forged", &[1])).await;
        let ada = stage.user("ada").await;
        let key = ada.token().key().to_owned();
        let held = stage.stored(&ada).await.unwrap();
        let after = Stamps::new(9).next_after(held.record.created().at(), held.record.latest_stamp());
        let mut bad = Changes::new(after, held.record.era().unwrap().id());
        bad.set("n", b"not encrypted".as_slice());
        stage.store.commit(&key, held.version, &bad, &CommitOptions::default()).await.unwrap();
        let secret = abide::core::Secret::from_bytes([7; 16]);
        let mut forger = ada.tab();
        forger.cookie = Some(format!("__Host-id={}", abide::core::Token::new(key, secret).encode()));
        forger.log_out().await;
        sleep(2 * MINUTE).await;
        assert!(stage.stored(&ada).await.is_some());
    }
}
