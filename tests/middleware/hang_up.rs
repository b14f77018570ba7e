//! Requests that are dropped, and handlers that panic.

use std::pin::pin;

use abide::Session;
use abide::core::{EndOptions, EndReason, Readiness, SessionStore as _};
use abide::event::EventKind;
use abide_harness::Method;
use tokio::task::LocalSet;

use crate::stage::{Client, HOUR, Stage, poll_once};

/// Begins a request, polls it until it waits, and drops it.
async fn begin_and_drop(request: impl Future) {
    assert!(poll_once(pin!(request)).await.is_none(), "the request waits");
}

#[tokio::test]
async fn a_request_dropped_before_its_handler_answered_writes_nothing() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let calls = stage.store.all_calls();
    stage.events.clear();
    begin_and_drop(client.tab().ask(async |session| {
        session.insert("n", &2).unwrap();
        std::future::pending::<()>().await;
    }))
    .await;
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert_eq!(stage.store.all_calls(), calls);
    assert!(stage.events.take().is_empty(), "nobody was promised anything");
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test]
async fn a_request_dropped_during_the_commit_is_finished_and_a_shutdown_waits_for_it() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    begin_and_drop(client.tab().insert("n", 2)).await;
    assert_eq!(stage.store.calls(Method::Commit), 1);
    let mut shutdown = pin!(stage.sessions.shutdown(HOUR));
    for _ in 0..100 {
        assert!(poll_once(shutdown.as_mut()).await.is_none(), "the commit is still under way");
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    assert_eq!(shutdown.await.unwrap().left_behind, 1);
    assert_eq!(client.get("n").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_up_at_its_deadline() {
    let stage = Stage::new().await;
    let client = stage.visitor().await;
    let _gate = stage.store.shut();
    begin_and_drop(client.tab().insert("n", 2)).await;
    let began = tokio::time::Instant::now();
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), HOUR.as_secs());
}

#[tokio::test]
async fn what_a_handler_awaited_is_finished_too_when_it_is_dropped() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    begin_and_drop(client.tab().ask(async |session| {
        session.insert("m", &7)?;
        session.increment("n", 1).await.map(drop)
    }))
    .await;
    gate.add_permits(1);
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert_eq!((client.get("n").await, client.get("m").await), (Some(2), Some(7)));
}

#[tokio::test]
async fn a_login_whose_client_hung_up_happens_whole() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    begin_and_drop(client.tab().log_in("ada")).await;
    gate.add_permits(1);
    stage.sessions.shutdown(HOUR).await.unwrap();
    let era = stage.stored(&client).await.unwrap();
    assert_eq!(era.record.era().unwrap().user().map(|user| &**user), Some("ada"));
    assert_eq!(client.name().await, None, "the old token is dead all the same");
}

#[tokio::test(start_paused = true)]
async fn a_logout_whose_client_hung_up_is_tried_again_where_it_fails() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    let gate = stage.store.hold(Method::End);
    stage.store.lose_next_answer(Method::End);
    stage.events.clear();
    begin_and_drop(client.tab().log_out()).await;
    gate.add_permits(2);
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert_eq!(stage.events.take(), [EventKind::LogoutDeferred]);
    assert!(stage.stored(&client).await.is_none());
}

/// Runs a request whose handler panics.
async fn panic_in(mut client: Client, handler: impl AsyncFnOnce(Session) + 'static) {
    let here = LocalSet::new();
    let request = here.spawn_local(async move { client.ask(|session| handler(session)).await });
    assert!(here.run_until(request).await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_panicking_handler_writes_nothing_and_the_session_goes_on() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    panic_in(client.tab(), async |session| {
        session.insert("n", &2).unwrap();
        panic!("a bug");
    })
    .await;
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert_eq!(client.get("n").await, Some(1));
    client.insert("n", 3).await.is_ok();
    assert_eq!(client.get("n").await, Some(3));
}

#[tokio::test]
async fn a_panic_in_an_update_poisons_neither_the_session_nor_its_clones() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let answer = client
        .ask(async |session| {
            let clone = session.clone();
            let doomed = async move { clone.update("n", |_: Option<i64>| -> i64 { panic!("a bug") }).await };
            assert!(tokio::spawn(doomed).await.unwrap_err().is_panic());
            session.increment("n", 1).await.map(|n| n.to_string())
        })
        .await;
    assert_eq!(answer.text().await, "2");
}

#[tokio::test]
async fn a_session_that_ended_while_its_commit_hung_stays_over() {
    let stage = Stage::new().await;
    let client = stage.visitor().await;
    let gate = stage.store.shut();
    begin_and_drop(client.tab().insert("n", 2)).await;
    let (key, options) = (*client.token().key(), EndOptions::default());
    stage.store.end(&key, EndReason::LoggedOut, &options).await.unwrap();
    gate.add_permits(1);
    stage.sessions.shutdown(HOUR).await.unwrap();
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test]
async fn a_server_that_shuts_down_is_not_ready_and_serves_as_before() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    assert_eq!(stage.sessions.ready().await, Readiness::Ready);
    stage.sessions.begin_shutdown();
    assert!(matches!(stage.sessions.ready().await, Readiness::NotReady(_)));
    client.insert("n", 2).await.is_ok();
    assert_eq!(client.get("n").await, Some(2));
}
