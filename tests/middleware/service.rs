//! The layer as a Tower service: readiness, errors of the inner service, clones.

use std::task::{Context, Poll};

use abide::Session;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use tower::{Layer as _, Service, ServiceExt as _};
use tower_test::{assert_request_eq, mock};

use crate::stage::{Answer, Stage, poll_once};

#[tokio::test]
async fn readiness_is_that_of_the_inner_service() {
    let stage = Stage::new().await;
    let (inner, mut handle) = mock::pair::<Request<()>, Response<String>>();
    let mut service = stage.sessions.layer().layer(inner);
    handle.allow(0);
    assert!(poll_once(std::pin::pin!(service.ready())).await.is_none(), "the inner service is not ready");
    handle.allow(1);
    service.ready().await.unwrap();
}

/// A service that answers only the call that its own readiness was for.
#[derive(Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without readiness");
        std::future::ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let stage = Stage::new().await;
    let mut service = stage.sessions.layer().layer(Strict::default());
    let ready = service.ready().await.unwrap();
    drop(ready.clone());
    assert_eq!(ready.call(Request::new(())).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
#[should_panic(expected = "called without readiness")]
async fn a_clone_carries_no_readiness_of_its_own() {
    let stage = Stage::new().await;
    let mut service = stage.sessions.layer().layer(Strict::default());
    service.ready().await.unwrap();
    drop(service.clone().call(Request::new(())));
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_and_write_nothing() {
    let stage = Stage::new().await;
    let (inner, mut handle) = mock::pair::<Request<()>, Response<String>>();
    let mut service = stage.sessions.layer().layer(inner);
    service.ready().await.unwrap();
    let answer = service.call(Request::new(()));
    let answers = async {
        let (request, respond) = handle.next_request().await.unwrap();
        Session::of(&request).unwrap().insert("n", &1).unwrap();
        respond.send_error("out of coffee");
    };
    let error = tokio::join!(answer, answers).0.unwrap_err();
    assert_eq!(error.to_string(), "out of coffee");
    assert_eq!(stage.store.all_calls(), 0);
}

#[tokio::test]
async fn an_error_of_readiness_passes() {
    let stage = Stage::new().await;
    let (inner, mut handle) = mock::pair::<Request<()>, Response<String>>();
    let mut service = stage.sessions.layer().layer(inner);
    handle.send_error("closed for today");
    let error = service.ready().await.err().unwrap();
    assert_eq!(error.to_string(), "closed for today");
}

#[tokio::test]
async fn the_request_reaches_the_inner_service_as_it_came() {
    let stage = Stage::new().await;
    let (inner, mut handle) = mock::pair::<String, Response<String>>();
    let inner = inner.map_request(|request: Request<String>| format!("{} {}", request.uri(), request.body()));
    let mut service = stage.sessions.layer().layer(inner);
    let request = Request::get("/path?query").body("body".to_owned()).unwrap();
    let answer = service.ready().await.unwrap().call(request);
    let answers = async {
        assert_request_eq!(handle, "/path?query body").send_response(Response::new("answer".to_owned()));
    };
    assert_eq!(tokio::join!(answer, answers).0.unwrap().into_body(), "answer");
}

#[tokio::test]
async fn the_extractor_without_a_layer_is_a_500_that_names_the_layer() {
    let app: Router = Router::new().route("/", get(async |_: Session| "unreachable"));
    let answer = Answer::of(app.oneshot(Request::new(Body::empty())).await.unwrap());
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let text = answer.text().await;
    assert!(text.contains("session layer") && text.contains("sessions.layer()"), "{text}");
}

#[tokio::test]
async fn a_route_behind_the_layer_gets_a_session_and_one_beside_it_gets_none() {
    let stage = Stage::new().await;
    let visit = async |session: Session| session.increment("n", 1).await.map(|n| n.to_string());
    let app: Router =
        Router::new().route("/in", get(visit)).layer(stage.sessions.layer()).route("/out", get(visit));
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let within = Answer::of(app.clone().oneshot(request("/in")).await.unwrap());
    let without = Answer::of(app.oneshot(request("/out")).await.unwrap());
    assert_eq!(within.text().await, "1");
    assert_eq!(without.status, StatusCode::INTERNAL_SERVER_ERROR);
}
