//! The idle deadline, which use slides, and the absolute one, which nothing does.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use abide::config::Touch;
use abide::core::{ManualClock, Timestamp};
use abide::{Config, Deadlines, Error};
use abide_harness::Method;
use abide_memory::MemoryStore;

use crate::stage::{Client, HOUR, MINUTE, SECOND, Stage};

/// When the client's session is over, as a handler sees it.
async fn deadlines(client: &mut Client) -> Option<Deadlines> {
    let mut found = None;
    client.ask(async |session| session.deadlines().await.map(|deadlines| found = deadlines)).await.is_ok();
    found
}

/// The idle deadline as it is stored.
async fn stored_deadline(stage: &Stage, client: &Client) -> SystemTime {
    stage.stored(client).await.unwrap().record.era().unwrap().deadline().into()
}

#[tokio::test]
async fn a_read_slides_the_idle_deadline_once_a_tenth_of_the_timeout_has_passed() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let before = stored_deadline(&stage, &client).await;
    stage.clock.advance(3 * MINUTE - SECOND);
    client.get("n").await;
    assert_eq!(stage.store.calls(Method::Commit), 0, "not due yet");
    stage.clock.advance(SECOND);
    client.get("n").await;
    assert_eq!(stage.store.calls(Method::Commit), 1);
    assert_eq!(stored_deadline(&stage, &client).await, before + 3 * MINUTE);
    client.get("n").await;
    assert_eq!(stage.store.calls(Method::Commit), 1, "and not again at once");
}

#[tokio::test]
async fn a_write_slides_at_no_further_cost() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let before = stored_deadline(&stage, &client).await;
    stage.clock.advance(SECOND);
    client.insert("n", 2).await.is_ok();
    assert_eq!(stage.store.calls(Method::Commit), 1);
    assert_eq!(stored_deadline(&stage, &client).await, before + SECOND);
}

#[tokio::test]
async fn a_session_in_use_lives_on_and_one_that_is_not_is_over() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for _ in 0..20 {
        stage.clock.advance(26 * MINUTE);
        assert_eq!(client.get("n").await, Some(1));
    }
    stage.clock.advance(30 * MINUTE);
    assert_eq!(client.get("n").await, None);
}

#[tokio::test]
async fn an_untouched_request_slides_nothing_by_default() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let calls = stage.store.all_calls();
    stage.clock.advance(20 * MINUTE);
    client.ask(async |_| ()).await.is_ok();
    assert_eq!(stage.store.all_calls(), calls);
    stage.clock.advance(10 * MINUTE);
    assert_eq!(client.get("n").await, None);
}

#[tokio::test]
async fn with_touch_visit_an_untouched_request_slides_too() {
    let stage = Stage::with(Config::new().touch(Touch::Visit)).await;
    let mut client = stage.visitor().await;
    for _ in 0..3 {
        stage.clock.advance(20 * MINUTE);
        let answer = client.ask(async |_| ()).await;
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    assert_eq!(stage.store.calls(Method::Commit), 3);
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test]
async fn with_touch_visit_a_visitor_without_a_session_gets_none() {
    let stage = Stage::with(Config::new().touch(Touch::Visit)).await;
    let mut client = stage.client();
    client.ask(async |_| ()).await.is_ok();
    assert_eq!(stage.store.all_calls(), 0);
    client.cookie = Some(format!("__Host-id={}", "A".repeat(43)));
    assert!(client.ask(async |_| ()).await.set_cookies().is_empty());
    assert_eq!(stage.store.calls(Method::Create), 0);
}

#[tokio::test]
async fn no_use_slides_the_absolute_deadline() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let absolute = deadlines(&mut client).await.unwrap().absolute;
    for minutes in 1..72 {
        stage.clock.advance(20 * MINUTE);
        client.insert("n", minutes).await.is_ok();
        let now = deadlines(&mut client).await.unwrap();
        assert_eq!(now.absolute, absolute);
        assert!(now.idle <= absolute);
    }
    stage.clock.advance(20 * MINUTE);
    assert_eq!(client.name().await, None, "24 hours after the login");
}

#[tokio::test]
async fn a_login_starts_the_absolute_deadline_anew_and_a_renewal_does_not() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let first = deadlines(&mut client).await.unwrap().absolute;
    stage.clock.advance(MINUTE);
    client.ask(async |session| session.renew().await).await.is_ok();
    assert_eq!(deadlines(&mut client).await.unwrap().absolute, first);
    client.log_in("ada").await.is_ok();
    assert_eq!(deadlines(&mut client).await.unwrap().absolute, first + MINUTE);
}

#[tokio::test]
async fn an_idle_timeout_of_its_own_lasts_over_later_writes_logins_and_other_servers() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    client.ask(async |session| session.set_idle_timeout(5 * HOUR)).await.is_ok();
    client.insert("n", 2).await.is_ok();
    client.log_in("ada").await.is_ok();
    let mut elsewhere = client.at(&stage.another_server(Config::new().idle_timeout(MINUTE)).await);
    elsewhere.insert("n", 3).await.is_ok();
    stage.clock.advance(4 * HOUR);
    assert_eq!(client.get("n").await, Some(3));
    stage.clock.advance(4 * HOUR);
    assert_eq!(client.get("n").await, Some(3), "a read slid it by its own timeout");
    stage.clock.advance(5 * HOUR);
    assert_eq!(client.get("n").await, None);
}

#[tokio::test]
async fn an_idle_timeout_set_before_the_first_write_goes_with_it() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    let answer = client.ask(async |session| session.set_idle_timeout(2 * HOUR)).await;
    assert!(answer.set_cookies().is_empty() && stage.store.all_calls() == 0, "alone it makes no session");
    let set = async |session: abide::Session| {
        session.set_idle_timeout(2 * HOUR);
        session.insert("n", &1)
    };
    client.ask(set).await.is_ok();
    stage.clock.advance(2 * HOUR - SECOND);
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test]
async fn no_idle_timeout_reaches_past_the_absolute_deadline() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    client.ask(async |session| session.set_idle_timeout(Duration::MAX)).await.is_ok();
    let now = deadlines(&mut client).await.unwrap();
    assert_eq!(now.idle, now.absolute);
    stage.clock.advance(24 * HOUR);
    assert_eq!(client.name().await, None);
}

#[tokio::test]
async fn a_session_that_expires_while_a_request_runs_takes_no_write() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            stage.clock.advance(30 * MINUTE);
            session.insert("n", &2)?;
            Ok::<_, Error>("the handler's answer")
        })
        .await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(answer.text().await, "the handler's answer");
    assert_eq!(client.get("n").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_sessions_that_expired_leave_the_memory_store_by_time() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let memory = MemoryStore::builder().clock(clock.clone()).build();
    memory.keep_swept(10 * SECOND);
    let builder = Config::new().builder().store(Arc::new(memory.clone())).clock(clock.clone());
    let sessions = builder.open().await.unwrap();
    for _ in 0..1000 {
        Client::of(&sessions).insert("n", 1).await.is_ok();
    }
    assert_eq!(memory.len(), 1000);
    clock.advance(31 * MINUTE);
    tokio::time::sleep(11 * SECOND).await;
    assert_eq!(memory.len(), 0, "nobody asked for any of them");
}
