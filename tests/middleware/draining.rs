//! What a load balancer asks, and how a server ends.

use std::sync::Arc;
use std::time::Duration;

use abide::Config;
use abide::core::{ErrorKind, Readiness, SystemEntropy};
use abide::wrappers::Handover;
use abide_harness::{Faults, Method};
use abide_memory::MemoryStore;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, header};
use tokio::time::Instant;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::stage::{Answer, Client, MINUTE, SECOND, Stage};

async fn asked(stage: &Stage) -> (StatusCode, String) {
    let Ok(answer) = stage.sessions.ready_service().oneshot(Request::new(Body::empty())).await;
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    (answer.status(), answer.into_body())
}

#[tokio::test]
async fn readiness_is_answered_with_its_reason() {
    let stage = Stage::new().await;
    assert_eq!(asked(&stage).await, (StatusCode::OK, "ready\n".into()));
    stage.sessions.begin_shutdown();
    assert_eq!(asked(&stage).await, (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into()));
    let quiet = Stage::with(Config::new().draining_status(404)).await;
    quiet.sessions.begin_shutdown();
    assert_eq!(asked(&quiet).await, (StatusCode::NOT_FOUND, "draining\n".into()));
    let wrong = Config::new().draining_status(500).open().await.unwrap_err();
    assert_eq!(wrong.to_string(), "draining_status is 500, expected 503 or 404");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_serve_is_a_503_also_where_draining_is_a_404() {
    let stage = Stage::with(Config::new().draining_status(404).store_timeout(SECOND)).await;
    stage.store.set_hanging(true);
    assert_eq!(asked(&stage).await, (StatusCode::SERVICE_UNAVAILABLE, "no answer within 1s\n".into()));
}

#[tokio::test]
async fn the_layer_answers_its_path_alone_and_reads_no_session_for_it() {
    let stage = Stage::new().await;
    let inner = service_fn(async |request: Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(request.uri().path().to_owned())))
    });
    let service = stage.sessions.ready_layer("/ready").layer(stage.sessions.layer().layer(inner));
    let ask = async |request: http::request::Builder| {
        let Ok(response) = service.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let answer = Answer::of(response);
        (answer.status.as_u16(), answer.text().await)
    };
    assert_eq!(ask(Request::get("/ready")).await, (200, "ready\n".into()));
    assert_eq!(ask(Request::get("/ready/x")).await, (200, "/ready/x".into()));
    assert_eq!(ask(Request::post("/ready")).await, (200, "/ready".into()));
    stage.sessions.begin_shutdown();
    assert_eq!(ask(Request::head("/ready")).await.0, 503);
    assert_eq!(ask(Request::get("/")).await, (200, "/".into()), "clients are served");
    assert_eq!(stage.store.all_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_serves_through_its_notice_and_then_finishes_what_is_under_way() {
    let stage = Stage::new().await;
    let mut ada = stage.user("ada").await;
    let drain = stage.sessions.drain(20 * SECOND).notice(5 * SECOND);
    let began = Instant::now();
    let begins = tokio::spawn({
        let drain = drain.clone();
        async move { drain.begin().await }
    });
    tokio::time::sleep(SECOND).await;
    assert_eq!(stage.sessions.ready().await, Readiness::NotReady("draining".into()));
    assert_eq!(ada.name().await.as_deref(), Some("ada"), "old clients are served");
    begins.await.unwrap();
    assert_eq!(began.elapsed(), 5 * SECOND, "the notice");

    let gate = stage.store.shut();
    let writes = tokio::spawn(async move { ada.insert("n", 2).await.is_ok() });
    tokio::task::yield_now().await;
    let finishes = tokio::spawn({
        let drain = drain.clone();
        async move { drain.finish().await }
    });
    tokio::time::sleep(SECOND).await;
    assert!(!finishes.is_finished(), "a commit is under way");
    gate.add_permits(1);
    assert_eq!(finishes.await.unwrap().unwrap().left_behind, 1);
    writes.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_of_a_drain() {
    let stage = Stage::new().await;
    let mut ada = stage.user("ada").await;
    let _gate = stage.store.shut();
    let _hangs = tokio::spawn(async move { ada.insert("n", 2).await });
    tokio::task::yield_now().await;
    let drain = stage.sessions.drain(20 * SECOND).notice(MINUTE);
    let began = Instant::now();
    drain.begin().await;
    assert_eq!(began.elapsed(), 10 * SECOND, "half of the time at the most");
    drain.out_of_time().await;
    assert_eq!(began.elapsed(), 15 * SECOND, "a quarter is left to hand over");
    drain.finish().await.unwrap();
    assert!(began.elapsed() <= 20 * SECOND, "{:?}", began.elapsed());
}

/// A server that hands over through a store that all share.
async fn handing_over(shared: &Arc<Faults<MemoryStore>>) -> abide::Sessions {
    let clock = Arc::new(abide::core::SystemClock);
    let store = Handover::with(MemoryStore::new(), shared.clone(), clock, Arc::new(SystemEntropy));
    Config::new().builder().store(Arc::new(store)).open().await.unwrap()
}

#[tokio::test]
async fn sessions_are_handed_over_before_clients_are_sent_elsewhere() {
    let shared = Arc::new(Faults::new(MemoryStore::new()));
    let (old, next) = (handing_over(&shared).await, handing_over(&shared).await);
    let mut clients: Vec<_> = (0..50).map(|_| Client::of(&old)).collect();
    for client in &mut clients {
        client.log_in("ada").await.is_ok();
        client.insert("n", 1).await.is_ok();
    }
    let gate = shared.hold(Method::Create);
    let drain = old.drain(20 * SECOND).notice(Duration::ZERO);
    let begins = tokio::spawn({
        let drain = drain.clone();
        async move { drain.begin().await }
    });
    while shared.calls(Method::Create) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(old.ready().await, Readiness::Ready, "not before the sessions are there");
    gate.add_permits(1_000);
    begins.await.unwrap();
    assert_eq!(old.ready().await, Readiness::NotReady("draining".into()));
    // Those who still come to the old server, and those who are sent to the next one.
    for (n, client) in clients.iter_mut().enumerate() {
        if n % 2 == 0 {
            assert_eq!(client.get("n").await, Some(1));
            client.insert("n", 2).await.is_ok();
        }
        let mut moved = client.at(&next);
        assert_eq!(moved.name().await.as_deref(), Some("ada"));
        assert_eq!(moved.get("n").await, Some(if n % 2 == 0 { 2 } else { 1 }));
    }
    let drained = drain.finish().await.unwrap();
    assert_eq!(drained.left_behind, 0);
}

#[tokio::test]
async fn a_write_to_a_session_that_another_server_took_is_a_503_and_not_a_silent_loss() {
    let shared = Arc::new(Faults::new(MemoryStore::new()));
    let (old, next) = (handing_over(&shared).await, handing_over(&shared).await);
    let mut ada = Client::of(&old);
    ada.log_in("ada").await.is_ok();
    old.drain(20 * SECOND).notice(Duration::ZERO).begin().await;
    let mut moved = ada.at(&next);
    let slow = ada
        .ask(async |session| {
            session.user().await?;
            assert_eq!(moved.name().await.as_deref(), Some("ada"));
            session.insert("n", &1)
        })
        .await;
    assert_eq!(slow.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(slow.set_cookies().is_empty(), "the cookie is good at the next server");
    assert_eq!(moved.name().await.as_deref(), Some("ada"));
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_that_fails_does_not_keep_the_server_from_ending() {
    let shared = Arc::new(Faults::new(MemoryStore::new()));
    let old = handing_over(&shared).await;
    let mut ada = Client::of(&old);
    ada.log_in("ada").await.is_ok();
    shared.set_down(Some(ErrorKind::Unavailable));
    let began = Instant::now();
    let drain = old.drain(20 * SECOND);
    drain.begin().await;
    assert!(drain.finish().await.is_err(), "the application hears of it");
    assert!(began.elapsed() <= 20 * SECOND);
    assert_eq!(ada.name().await.as_deref(), Some("ada"), "and serves as before");
}
