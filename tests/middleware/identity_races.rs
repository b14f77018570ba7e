//! Logins, logouts and other ends while other requests of the session are under way.
//!
//! What comes between is sent from inside the slower request's handler: each order is the one that the test names.

use abide::core::{EndOptions, EndReason, ErrorKind, SessionStore as _};
use abide::event::EventKind;
use abide::{Error, Keep, Session};
use abide_harness::Method;
use axum::response::IntoResponse;
use http::StatusCode;
use tokio::task::JoinSet;

use crate::stage::{Client, Stage};

/// A request that looks, lets `other` come between, and then does `act`: the status, and how many cookies it sends.
async fn after<R: IntoResponse>(
    client: &mut Client,
    other: impl AsyncFnOnce(),
    act: impl AsyncFnOnce(Session) -> Result<R, Error>,
) -> (StatusCode, usize) {
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            other().await;
            act(session).await
        })
        .await;
    (answer.status, answer.set_cookies().len())
}

async fn write_after(client: &mut Client, other: impl AsyncFnOnce()) -> (StatusCode, usize) {
    after(client, other, async |session| session.insert("role", &1)).await
}

#[tokio::test]
async fn a_write_begun_before_a_login_is_a_409_and_leaves_nothing_in_the_signed_in_session() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = write_after(&mut client, async || tab.log_in("ada").await.is_ok()).await;
    assert_eq!(answer, (StatusCode::CONFLICT, 0));
    assert_eq!((tab.get("role").await, tab.get("n").await), (None, Some(1)));
}

#[tokio::test]
async fn that_a_write_was_superseded_is_one_event() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    stage.events.clear();
    write_after(&mut client, async || tab.log_in("ada").await.is_ok()).await;
    assert_eq!(stage.events.take(), [EventKind::LoggedIn, EventKind::Superseded]);
}

#[tokio::test]
async fn a_write_begun_before_a_renewal_by_hand_or_a_departure_is_a_409() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let renewed = async || tab.ask(async |session| session.renew().await).await.is_ok();
    assert_eq!(write_after(&mut client, renewed).await, (StatusCode::CONFLICT, 0));
    let mut client = tab.tab();
    let left = async || tab.ask(async |session| session.log_out_user(Keep::All).await).await.is_ok();
    assert_eq!(write_after(&mut client, left).await, (StatusCode::CONFLICT, 0));
    assert_eq!((tab.get("role").await, tab.name().await), (None, None));
}

#[tokio::test]
async fn an_update_begun_before_a_login_is_a_409_too() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let login = async || tab.log_in("ada").await.is_ok();
    let answer = after(&mut client, login, async |session| session.increment("n", 1).await.map(drop)).await;
    assert_eq!(answer, (StatusCode::CONFLICT, 0));
    assert_eq!(tab.get("n").await, Some(1));
}

#[tokio::test]
async fn of_two_logins_one_wins_and_the_other_sends_no_cookie() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let login = async || tab.log_in("ada").await.is_ok();
    let answer = after(&mut client, login, async |session| session.log_in("eve").await).await;
    assert_eq!(answer, (StatusCode::CONFLICT, 0));
    assert_eq!(tab.name().await.as_deref(), Some("ada"));
    assert_eq!(client.name().await, None, "the loser's token is dead");
}

#[tokio::test]
async fn a_logout_beats_a_write_that_is_under_way() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let answer = write_after(&mut client, async || tab.log_out().await.is_ok()).await;
    assert_eq!(answer, (StatusCode::OK, 0), "the handler's response passes, without a cookie");
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test]
async fn a_logout_beats_a_login_that_is_under_way() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let logout = async || tab.log_out().await.is_ok();
    let answer = after(&mut client, logout, async |session| session.log_in("ada").await).await;
    assert_eq!(answer, (StatusCode::UNAUTHORIZED, 0));
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_runs_at_once_with_a_logout_the_session_is_over_afterwards() {
    let stage = Stage::new().await;
    for _ in 0..20 {
        let client = stage.user("ada").await;
        let mut tabs = JoinSet::new();
        for n in 0..8 {
            let mut tab = client.tab();
            tabs.spawn(async move {
                match n % 4 {
                    0 => tab.log_out().await.is_ok(),
                    1 => drop(tab.insert("n", n).await),
                    2 => drop(tab.ask(async |session| session.increment("n", 1).await.map(drop)).await),
                    _ => drop(tab.name().await),
                }
            });
        }
        tabs.join_all().await;
        assert!(stage.stored(&client).await.is_none());
    }
}

#[tokio::test]
async fn writing_after_a_logout_in_one_request_makes_a_session_with_another_key() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    client.insert("n", 1).await.is_ok();
    let mut old = client.tab();
    let answer = client
        .ask(async |session| {
            session.insert("before", &1)?;
            session.log_out().await?;
            session.insert("after", &2)
        })
        .await;
    let cookies = answer.set_cookies();
    assert!(
        cookies.len() == 1 && !cookies[0].contains("Max-Age"),
        "one cookie, of the new session: {cookies:?}"
    );
    assert_ne!(client.token().key(), old.token().key());
    assert_eq!(old.name().await, None);
    assert!(stage.stored(&old).await.is_none());
    let keys = async |session: abide::Session| session.keys().await.map(axum::Json);
    assert_eq!(client.ask(keys).await.text().await, r#"["after"]"#);
    assert_eq!(client.name().await, None);
}

#[tokio::test]
async fn a_logout_after_a_write_in_one_request_leaves_nothing() {
    let stage = Stage::new().await;
    let leave = async |session: abide::Session| {
        session.insert("n", &2)?;
        session.log_out().await
    };
    let answer = stage.client().ask(leave).await;
    assert!(answer.set_cookies().is_empty(), "there was no session, and there is none: {answer:?}");
    assert_eq!(stage.store.all_calls(), 0);
    let mut client = stage.user("ada").await;
    let old = client.tab();
    client.ask(leave).await.is_ok();
    assert_eq!(client.cookie, None, "the cookie was removed");
    assert!(stage.stored(&old).await.is_none());
}

#[tokio::test]
async fn a_session_that_an_administrator_ended_while_a_request_ran_is_over() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let key = *client.token().key();
    let end = async || {
        let reason = EndReason::EndedByAdministrator;
        stage.store.end(&key, reason, &EndOptions::default()).await.map(drop).unwrap();
    };
    assert_eq!(write_after(&mut client, end).await, (StatusCode::OK, 0));
    assert_eq!(client.name().await, None);
}

#[tokio::test]
async fn what_comes_too_late_for_an_ended_session_is_not_saved_under_another_key() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    write_after(&mut client, async || tab.log_out().await.is_ok()).await;
    assert_eq!(stage.store.calls(Method::Create), 1, "the session of the login, and no other");
    assert_eq!(client.get("role").await, None);
}

#[tokio::test]
async fn a_token_that_was_minted_before_the_session_ended_is_not_sent() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let answer = client
        .ask(async |session| {
            session.renew().await?;
            stage.sessions.end_user("ada").await?;
            session.insert("n", &1)
        })
        .await;
    answer.is_ok();
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
}

#[tokio::test]
async fn nothing_of_the_request_opens_the_session_again_after_a_logout() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let answer = client
        .ask(async |session| {
            stage.store.lose_next(Method::End, ErrorKind::Unavailable);
            session.log_out().await.unwrap_err();
            session.fresh().await?;
            Ok::<_, Error>(format!("{:?}", session.user().await?))
        })
        .await;
    assert!(answer.set_cookies()[0].contains("Max-Age=0"), "{answer:?}");
    assert_eq!(answer.text().await, "None", "although the store has it still");
}
