//! The table of answers, row by row: what the client is told where the commit after the handler fails, and where the
//! handler passes an error on.

use abide::core::ErrorKind as StoreKind;
use abide::event::EventKind;
use abide::{Config, Error, ErrorKind, Session};
use abide_harness::Method;
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};

use crate::stage::{Answer, Client, SECOND, Stage};

/// A request whose handler writes and answers; the store fails in every way from then on.
async fn write_while_down(stage: &Stage, client: &mut Client, kind: StoreKind) -> Answer {
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            session.insert("n", &2)?;
            stage.store.set_down(Some(kind));
            Ok::<_, Error>("the handler's answer")
        })
        .await;
    stage.store.set_down(None);
    answer
}

/// A request whose handler passes an error on.
async fn read_while_down(stage: &Stage, client: &mut Client, kind: StoreKind) -> Answer {
    stage.store.set_down(Some(kind));
    let answer = client.ask(async |session| session.get::<i64>("n").await.map(drop)).await;
    stage.store.set_down(None);
    answer
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_has_its_status_at_the_commit_and_in_the_handler() {
    let table = [
        (StoreKind::Superseded, StatusCode::CONFLICT),
        (StoreKind::Conflict, StatusCode::CONFLICT),
        (StoreKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (StoreKind::Ambiguous, StatusCode::SERVICE_UNAVAILABLE),
        (StoreKind::Full, StatusCode::SERVICE_UNAVAILABLE),
        (StoreKind::ClockSkew, StatusCode::SERVICE_UNAVAILABLE),
        (StoreKind::TooLarge, StatusCode::INTERNAL_SERVER_ERROR),
        (StoreKind::Corrupt, StatusCode::INTERNAL_SERVER_ERROR),
        (StoreKind::Unsupported, StatusCode::INTERNAL_SERVER_ERROR),
    ];
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for (kind, status) in table {
        for answer in [
            write_while_down(&stage, &mut client, kind).await,
            read_while_down(&stage, &mut client, kind).await,
        ] {
            assert_eq!(answer.status, status, "{kind:?}");
            assert_eq!(answer.headers.contains_key(RETRY_AFTER), status == 503, "{kind:?}");
            assert!(answer.set_cookies().is_empty(), "{kind:?}");
            assert_eq!(answer.text().await, "", "the handler's body does not pass: {kind:?}");
        }
    }
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test]
async fn a_failed_commit_is_told_once() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.events.clear();
    write_while_down(&stage, &mut client, StoreKind::Unavailable).await;
    assert_eq!(stage.events.take(), [EventKind::CommitFailed(StoreKind::Unavailable)]);
}

#[tokio::test]
async fn retry_after_says_what_is_configured() {
    let stage = Stage::with(Config::new().retry_after(7 * SECOND)).await;
    let mut client = stage.visitor().await;
    for answer in [
        write_while_down(&stage, &mut client, StoreKind::Unavailable).await,
        read_while_down(&stage, &mut client, StoreKind::Unavailable).await,
    ] {
        assert_eq!(answer.headers[RETRY_AFTER], "7");
    }
}

#[tokio::test]
async fn where_the_session_ended_the_handlers_response_passes_without_a_cookie() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    stage.events.clear();
    let answer = client
        .ask(async |session| {
            session.insert("n", &2)?;
            session.user().await?;
            tab.log_out().await.is_ok();
            Ok::<_, Error>((StatusCode::CREATED, [("x-own", "1")], "the handler's answer"))
        })
        .await;
    assert_eq!((answer.status, &answer.headers["x-own"]), (StatusCode::CREATED, &"1".parse().unwrap()));
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    assert_eq!(answer.text().await, "the handler's answer");
    assert!(!stage.events.take().iter().any(|event| matches!(event, EventKind::CommitFailed(_))));
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test]
async fn once_it_is_known_that_the_session_ended_the_rest_of_the_request_is_no_event() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.insert("pending", &1)?;
            session.user().await?;
            tab.log_out().await.is_ok();
            stage.events.clear();
            assert!(session.increment("n", 1).await.unwrap_err().is_over());
            assert_eq!((session.user().await?, session.keys().await?), (None, vec![]));
            session.insert("n", &2)
        })
        .await;
    answer.is_ok();
    assert!(answer.set_cookies().is_empty());
    assert_eq!(stage.events.take(), []);
}

#[tokio::test]
async fn a_handler_that_passes_on_that_the_session_is_over_answers_401() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.user().await?;
            tab.log_out().await.is_ok();
            session.increment("n", 1).await.map(drop)
        })
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test]
async fn a_session_that_grows_too_large_is_a_500_and_stays_as_it_was() {
    let stage = Stage::with(Config::new().max_session_bytes(1024)).await;
    let mut client = stage.visitor().await;
    for client in [&mut client, &mut stage.client()] {
        let answer = client.ask(async |session| session.insert("n", &"x".repeat(2048))).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(client.get("n").await, Some(1));
    client.insert("n", 2).await.is_ok();
    assert_eq!(client.get("n").await, Some(2));
}

#[tokio::test]
async fn a_value_of_another_type_is_a_500_and_leaves_the_value() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let answer = client.ask(async |session| session.get::<String>("n").await.map(drop)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let answer = client
        .ask(async |session| session.update("n", |_: Option<String>| String::new()).await.map(drop))
        .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(client.get("n").await, Some(1));
}

fn teapot(error: &Error) -> Response<()> {
    let status = match error.kind() {
        ErrorKind::Store(StoreKind::Unavailable) => StatusCode::IM_A_TEAPOT,
        _ => StatusCode::PAYMENT_REQUIRED,
    };
    Response::builder().status(status).header("x-error", error.to_string()).body(()).unwrap()
}

#[tokio::test]
async fn the_applications_own_answers_replace_the_table_also_for_errors_that_handlers_return() {
    let stage = Stage::built(Config::new(), |builder| builder.answer_with(teapot)).await;
    let mut client = stage.visitor().await;
    for (kind, status) in [
        (StoreKind::Unavailable, StatusCode::IM_A_TEAPOT),
        (StoreKind::Corrupt, StatusCode::PAYMENT_REQUIRED),
    ] {
        for answer in [
            write_while_down(&stage, &mut client, kind).await,
            read_while_down(&stage, &mut client, kind).await,
        ] {
            assert_eq!(answer.status, status);
            assert_eq!(answer.headers["x-error"], abide::core::Error::from(kind).to_string());
            assert!(!answer.headers.contains_key(RETRY_AFTER), "nothing of the table is left");
        }
    }
}

#[tokio::test]
async fn an_error_that_the_handler_dealt_with_is_not_answered() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.store.lose_next(Method::Load, StoreKind::Unavailable);
    let answer = client
        .ask(async |session: Session| match session.get::<i64>("n").await {
            Err(error) if error.is_transient() => "a cheaper page",
            _ => "the page",
        })
        .await;
    answer.is_ok();
    assert_eq!(answer.text().await, "a cheaper page");
}
