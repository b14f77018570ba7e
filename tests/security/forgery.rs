//! Requests that another site made up.

use abide::core::{EndOptions, EndReason, SessionStore as _};
use abide::event::EventKind;
use abide::{Config, Error, ErrorKind, Keep, Session};
use http::StatusCode;

use crate::stage::{Client, MINUTE, Stage};

/// The token that a page of this client carries.
async fn csrf(client: &mut Client) -> String {
    let answer = client.ask(async |session| session.csrf_token().await.map(|token| token.to_string())).await;
    answer.is_ok();
    answer.text().await
}

/// What a request with this token is answered.
async fn send(client: &mut Client, token: &str) -> StatusCode {
    let transfer = async |session: Session| {
        session.verify_csrf(token).await?;
        session.increment("transfers", 1).await.map(drop)
    };
    client.ask(transfer).await.status
}

// Row 19.
#[tokio::test]
async fn a_csrf_token_is_good_for_its_session_and_for_no_other() {
    let stage = Stage::new().await;
    let (mut ada, mut eve) = (stage.user("ada").await, stage.user("eve").await);
    let (token, of_eve) = (csrf(&mut ada).await, csrf(&mut eve).await);
    assert_eq!(send(&mut ada, &token).await, StatusCode::OK);
    for forged in [of_eve.as_str(), "", &token[1..], &ada.cookie.clone().unwrap()[10..]] {
        assert_eq!(send(&mut ada, forged).await, StatusCode::FORBIDDEN, "{forged}");
    }
    assert_eq!(send(&mut stage.client(), &token).await, StatusCode::FORBIDDEN, "no session, no token");
    assert_eq!(ada.get("transfers").await, Some(1));
}

// Row 19.
#[tokio::test]
async fn each_page_has_a_csrf_token_of_another_text_and_all_of_them_are_good() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let (one, two) = (csrf(&mut client).await, csrf(&mut client).await);
    assert_ne!(one, two, "compression must not give it away");
    for token in [&one, &two] {
        assert_eq!(send(&mut client, token).await, StatusCode::OK);
    }
}

// Row 19.
#[tokio::test]
async fn a_new_identity_makes_older_csrf_tokens_worthless() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let before_login = csrf(&mut client).await;
    client.log_in("ada").await.is_ok();
    assert_eq!(send(&mut client, &before_login).await, StatusCode::FORBIDDEN, "planted before the login");
    let before_renewal = csrf(&mut client).await;
    client.ask(async |session| session.renew().await).await.is_ok();
    assert_eq!(send(&mut client, &before_renewal).await, StatusCode::FORBIDDEN);
    let before_departure = csrf(&mut client).await;
    client.ask(async |session| session.log_out_user(Keep::All).await).await.is_ok();
    assert_eq!(send(&mut client, &before_departure).await, StatusCode::FORBIDDEN);
    assert_eq!(client.get("transfers").await, None);
}

// Row 19.
#[tokio::test]
async fn a_form_outlives_a_periodic_renewal_and_is_good_at_every_server() {
    let stage = Stage::with(Config::new().renew_every(MINUTE)).await;
    let mut client = stage.user("ada").await;
    let (token, old) = (csrf(&mut client).await, client.cookie.clone());
    stage.clock.advance(MINUTE);
    client.insert("n", 1).await.is_ok();
    assert_ne!(client.cookie, old, "the session's token was renewed");
    let mut elsewhere = client.at(&stage.another_server(Config::new()).await);
    assert_eq!(send(&mut elsewhere, &token).await, StatusCode::OK);
}

// Row 19.
#[tokio::test]
async fn the_login_form_of_a_visitor_without_a_session_is_protected_too() {
    let stage = Stage::new().await;
    let mut visitor = stage.client();
    let token = csrf(&mut visitor).await;
    let login = async |session: Session| {
        session.verify_csrf(&token).await?;
        session.log_in("ada").await
    };
    assert_eq!(stage.client().ask(login).await.status, StatusCode::FORBIDDEN, "eve's page, ada's browser");
    visitor.ask(login).await.is_ok();
    assert_eq!(visitor.name().await.as_deref(), Some("ada"));
}

// Row 19.
#[tokio::test]
async fn a_refused_csrf_token_writes_nothing_and_is_an_event() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.events.clear();
    assert_eq!(send(&mut client, "made up").await, StatusCode::FORBIDDEN);
    assert_eq!(stage.events.take(), [EventKind::CsrfRefused]);
    assert_eq!(client.get("transfers").await, None);
}

// Row 19.
#[tokio::test]
async fn a_session_that_is_over_gives_no_csrf_token_and_takes_none() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let token = csrf(&mut client).await;
    let key = *client.token().key();
    client
        .ask(async |session| {
            session.user().await?;
            stage.store.end(&key, EndReason::LoggedOut, &EndOptions::default()).await.unwrap();
            assert!(session.increment("n", 1).await.unwrap_err().is_over());
            assert!(session.csrf_token().await.unwrap_err().is_over());
            assert_eq!(session.verify_csrf(&token).await.unwrap_err().kind(), ErrorKind::CsrfToken);
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert_eq!(send(&mut client, &token).await, StatusCode::FORBIDDEN);
}

// Row 19.
#[tokio::test]
async fn a_csrf_token_is_not_shown_and_says_nothing_of_the_session() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let (mut shown, mut text) = (String::new(), String::new());
    client
        .ask(async |session| {
            let token = session.csrf_token().await?;
            let error = session.verify_csrf(&token.as_str().to_lowercase()).await.unwrap_err();
            shown = format!("{token:?} {session:?} {error:?} {error}");
            text = token.to_string();
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert!(!shown.to_lowercase().contains(&text[..8].to_lowercase()), "{shown}");
    let cookie = client.cookie.clone().unwrap();
    for at in 0..text.len() - 6 {
        assert!(!cookie.contains(&text[at..at + 6]), "{cookie} {text}");
    }
}
