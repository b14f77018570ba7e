//! `abide::testing`, which applications test themselves with.

use std::time::Duration;

use abide::core::{Page, Token};
use abide::event::EventKind;
use abide::testing::{Client, Stage};
use abide::{Config, Error, Session};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::stage::MINUTE;

async fn name(session: Session) -> Result<String, Error> {
    Ok(session.user().await?.map_or("nobody".to_owned(), |user| user.to_string()))
}

fn app(stage: &Stage) -> Router {
    Router::new()
        .route("/", get(name))
        .route("/logout", get(async |session: Session| session.log_out().await))
        .route("/large", get(async |session: Session| session.insert("large", &"x".repeat(4096))))
        .layer(stage.sessions().layer())
}

async fn ask(client: &mut Client, app: &Router, path: &str) -> (StatusCode, String) {
    let request = client.get(path).body(Body::empty()).unwrap();
    let Ok(answer) = client.send(app, request).await;
    let (status, body) = (answer.status(), answer.into_body());
    (status, String::from_utf8(axum::body::to_bytes(body, 1024).await.unwrap().into()).unwrap())
}

#[tokio::test]
async fn a_signed_in_client_has_a_session_that_is_really_stored() {
    let stage = Stage::new();
    let mut ada = stage.signed_in("ada").await;
    assert_eq!(ask(&mut ada, &app(&stage), "/").await.1, "ada");
    assert_eq!(stage.sessions().of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
    assert_eq!(stage.sessions().end_user("ada").await.unwrap(), 1);
    assert_eq!(ask(&mut ada, &app(&stage), "/").await.1, "nobody");
}

#[tokio::test]
async fn the_cookies_name_follows_the_settings() {
    for (config, name) in [
        (Config::new(), "__Host-id="),
        (Config::new().cookie_name("shop").cookie_path("/shop"), "__Secure-shop="),
        (Config::new().insecure_http(true), "id="),
    ] {
        let stage = Stage::with(config);
        let mut ada = stage.signed_in("ada").await;
        assert!(ada.cookie().unwrap().starts_with(name), "{name}");
        assert_eq!(ask(&mut ada, &app(&stage), "/").await.1, "ada");
    }
}

#[tokio::test]
async fn moving_the_clock_past_a_deadline_ends_the_session() {
    let stage = Stage::with(Config::new().idle_timeout(10 * MINUTE));
    let (mut ada, began) = (stage.signed_in("ada").await, stage.now());
    stage.advance(10 * MINUTE - Duration::from_millis(1));
    assert_eq!(ask(&mut ada.clone(), &app(&stage), "/").await.1, "ada");
    stage.advance(10 * MINUTE);
    assert_eq!(ask(&mut ada, &app(&stage), "/").await.1, "nobody");
    assert_eq!(stage.now(), began + 20 * MINUTE - Duration::from_millis(1));
}

#[tokio::test]
async fn a_client_keeps_the_cookies_of_answers_until_an_answer_removes_them() {
    let stage = Stage::new();
    let mut ada = stage.signed_in("ada").await;
    let mut headers = HeaderMap::new();
    for cookie in ["theme=dark; Path=/", "lang=en; Max-Age=60", "\u{fc}", "lang=; Max-Age=0"] {
        headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
    }
    ada.keep(&headers);
    let request = ada.post("/").body(()).unwrap();
    assert_eq!(request.headers()[COOKIE].to_str().unwrap(), ada.cookie().unwrap());
    assert!(ada.cookie().unwrap().ends_with("; theme=dark"), "{:?}", ada.cookie());
    ask(&mut ada, &app(&stage), "/logout").await;
    assert_eq!(ada.cookie().as_deref(), Some("theme=dark"));
    assert!(!stage.client().get("/").body(()).unwrap().headers().contains_key(COOKIE));
}

#[tokio::test]
async fn a_clone_of_a_client_is_a_second_tab() {
    let stage = Stage::new();
    let mut ada = stage.signed_in("ada").await;
    let mut tab = ada.clone();
    ada.with_session(async |session| session.renew().await).await.unwrap();
    assert_ne!(ada.cookie(), tab.cookie());
    assert_eq!(ask(&mut tab, &app(&stage), "/").await.1, "nobody", "its token is dead");
}

#[tokio::test]
async fn every_stage_sees_the_same_tokens() {
    let (one, two) = (Stage::new().signed_in("ada").await, Stage::new().signed_in("ada").await);
    assert_eq!(one.cookie(), two.cookie());
    let stage = Stage::new();
    assert_ne!(stage.signed_in("ada").await.cookie(), stage.signed_in("ada").await.cookie());
}

#[tokio::test]
async fn what_happened_is_told_once_and_in_order() {
    let stage = Stage::new();
    let mut ada = stage.signed_in("ada").await;
    let kinds = || stage.take_events().iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(), [EventKind::Created, EventKind::LoggedIn]);
    ada.with_session(async |session| session.renew().await).await.unwrap();
    assert_eq!((kinds(), kinds()), (vec![EventKind::Renewed], vec![]));
}

#[tokio::test]
async fn parts_of_ones_own_take_the_place_of_the_stages() {
    let teapot = |_: &Error| http::Response::builder().status(418).body(()).unwrap();
    let config = Config::new().max_session_bytes(1024);
    let stage = Stage::built(config, |builder, _| builder.answer_with(teapot));
    assert_eq!(ask(&mut stage.client(), &app(&stage), "/large").await.0, StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
#[should_panic(expected = "was not committed")]
async fn what_cannot_be_committed_is_not_passed_over() {
    let stage = Stage::with(Config::new().max_session_bytes(1024));
    let large = "x".repeat(4096);
    stage.client().with_session(async |session| session.insert("large", &large)).await.unwrap();
}

#[test]
#[should_panic(expected = "idle_timeout is 0s")]
fn a_setting_that_is_wrong_is_named() {
    drop(Stage::with(Config::new().idle_timeout(Duration::ZERO)));
}

#[tokio::test]
async fn debug_shows_no_token() {
    let stage = Stage::new();
    let ada = stage.signed_in("ada").await;
    let shown = format!("{stage:?} {ada:?}");
    let text = ada.cookie().unwrap().split_once('=').unwrap().1.to_owned();
    assert!(Token::parse(text.as_bytes()).is_ok() && !shown.contains(&text[..8]), "{shown}");
}
