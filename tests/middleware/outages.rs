//! A store that is out of reach, or whose answers get lost.

use abide::core::{EndReason, ErrorKind as StoreKind};
use abide::event::EventKind;
use abide_harness::Method;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::time::sleep;

use crate::stage::{Answer, HOUR, MINUTE, SECOND, Stage};

#[tokio::test]
async fn a_slide_that_fails_is_an_event_and_no_error() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.clock.advance(5 * MINUTE);
    stage.events.clear();
    stage.store.lose_next(Method::Commit, StoreKind::Unavailable);
    assert_eq!(client.get("n").await, Some(1));
    assert_eq!(stage.events.take(), [EventKind::SlideFailed(StoreKind::Unavailable)]);
    assert_eq!(client.get("n").await, Some(1));
    assert_eq!(stage.store.calls(Method::Commit), 2, "the next request slides it");
}

/// Checks that the client is rid of its cookie, and knows that the logout is not done yet.
fn is_deferred(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(RETRY_AFTER));
    let cookies = answer.set_cookies();
    assert!(cookies.len() == 1 && cookies[0].starts_with("__Host-id=;") && cookies[0].contains("Max-Age=0"));
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_fails_removes_the_cookie_and_ends_the_session_once_it_can() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    stage.events.clear();
    stage.store.lose_next(Method::End, StoreKind::Unavailable);
    is_deferred(&client.tab().log_out().await);
    assert_eq!(stage.events.take(), [EventKind::LogoutDeferred]);
    assert_eq!(client.tab().name().await.as_deref(), Some("ada"), "not over yet");
    sleep(SECOND).await;
    assert!(stage.stored(&client).await.is_none());
    assert_eq!(stage.events.take(), [EventKind::Ended(EndReason::LoggedOut)]);
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_a_session_that_cannot_even_be_loaded_is_made_up_for() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    stage.store.set_down(Some(StoreKind::Unavailable));
    is_deferred(&client.tab().log_out().await);
    sleep(30 * SECOND).await;
    stage.store.set_down(None);
    sleep(SECOND).await;
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_never_reaches_the_store_is_given_up_after_a_minute_with_an_event() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    stage.store.set_down(Some(StoreKind::Unavailable));
    client.tab().log_out().await;
    stage.events.clear();
    sleep(59 * SECOND).await;
    assert_eq!(stage.events.take(), []);
    sleep(2 * SECOND).await;
    assert_eq!(stage.events.take(), [EventKind::LogoutLost]);
    let calls = stage.store.all_calls();
    sleep(MINUTE).await;
    assert_eq!(stage.store.all_calls(), calls, "nobody asks any more");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_deferred_logout() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    stage.store.lose_next(Method::End, StoreKind::Unavailable);
    client.tab().log_out().await;
    assert_eq!(stage.sessions.shutdown(HOUR).await.unwrap().left_behind, 0);
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deferred_logout_ends_nothing_of_a_token_that_does_not_verify() {
    let stage = Stage::new().await;
    let ada = stage.user("ada").await;
    let secret = abide::core::Secret::from_bytes([7; 16]);
    let forged = abide::core::Token::new(*ada.token().key(), secret);
    let mut forger = ada.tab();
    forger.cookie = Some(format!("__Host-id={}", forged.encode()));
    stage.store.set_down(Some(StoreKind::Unavailable));
    is_deferred(&forger.log_out().await);
    stage.store.set_down(None);
    sleep(2 * MINUTE).await;
    assert_eq!(ada.tab().name().await.as_deref(), Some("ada"));
}

#[tokio::test(start_paused = true)]
async fn an_increment_whose_answer_was_lost_counts_once() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for n in 2..6 {
        for _ in 0..n - 2 {
            stage.store.lose_next_answer(Method::Commit);
        }
        let answer = client.ask(async |session| session.increment("n", 1).await.map(|n| n.to_string())).await;
        assert_eq!(answer.text().await, n.to_string());
    }
    assert_eq!(client.get("n").await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn increments_of_several_requests_stay_exact_while_answers_get_lost() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tabs = tokio::task::JoinSet::new();
    for _ in 0..12 {
        stage.store.lose_next_answer(Method::Commit);
        let mut tab = client.tab();
        tabs.spawn(
            async move { tab.ask(async |session| session.increment("n", 1).await.map(drop)).await.status },
        );
    }
    assert!(tabs.join_all().await.iter().all(StatusCode::is_success));
    assert_eq!(client.get("n").await, Some(13));
}

#[tokio::test(start_paused = true)]
async fn a_first_write_whose_answer_was_lost_makes_one_session() {
    let stage = Stage::new().await;
    stage.store.lose_next_answer(Method::Create);
    let mut client = stage.visitor().await;
    assert_eq!(stage.store.calls(Method::Create), 2);
    assert_eq!(client.get("n").await, Some(1));
    assert_eq!(stage.sessions.end_all().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_whose_answer_was_lost_is_one_login_with_the_token_that_is_sent() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.store.lose_next_answer(Method::Commit);
    client.log_in("ada").await.is_ok();
    assert_eq!(client.name().await.as_deref(), Some("ada"));
    let era = stage.stored(&client).await.unwrap().record.era().unwrap().id();
    assert_eq!(era.number(), 1, "one new era");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_lost_is_asked_for_a_few_times_and_then_is_a_503() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            stage.store.set_down(Some(StoreKind::Ambiguous));
            session.increment("n", 1).await.map(drop)
        })
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!((2..=8).contains(&stage.store.calls(Method::Commit)));
}

#[tokio::test]
async fn a_token_that_was_minted_before_the_failure_reaches_the_client() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let answer = client
        .ask(async |session| {
            session.log_in("ada").await?;
            session.insert("n", &2)?;
            stage.store.lose_next(Method::Commit, StoreKind::Unavailable);
            Ok::<_, abide::Error>(())
        })
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.name().await.as_deref(), Some("ada"), "the old token is dead, so the new one was sent");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_was_lost_and_that_is_then_refused_is_not_said_to_be_unwritten() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.store.lose_next_answer(Method::Commit);
    stage.store.lose_next(Method::Commit, StoreKind::Unavailable);
    let mut kind = None;
    let heard = async |session: abide::Session| {
        kind = session.increment("n", 1).await.err().map(|error| error.kind());
    };
    client.ask(heard).await.is_ok();
    assert_eq!(kind, Some(abide::ErrorKind::Store(StoreKind::Ambiguous)));
    assert_eq!(client.get("n").await, Some(2), "it was written");
}

#[tokio::test(start_paused = true)]
async fn a_login_whose_answer_was_lost_and_that_is_then_refused_is_not_said_to_be_unwritten() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    stage.store.lose_next_answer(Method::Create);
    stage.store.lose_next(Method::Create, StoreKind::Unavailable);
    let mut kind = None;
    let heard = async |session: abide::Session| {
        kind = session.log_in("ada").await.err().map(|error| error.kind());
    };
    client.ask(heard).await.is_ok();
    assert_eq!(kind, Some(abide::ErrorKind::Store(StoreKind::Ambiguous)));
}
