//! axum and plain hyper over real connections, on the same sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use abide::{Error, Session, SessionLayer};
use abide_harness::{Browser, Method};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use http_body_util::channel::Channel;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceBuilder, service_fn};

use crate::stage::Stage;

async fn visit(session: Session) -> Result<String, Error> {
    Ok(session.increment("visits", 1).await?.to_string())
}

/// A body that goes on with the session after the headers are gone.
async fn stream(session: Session) -> Result<Response<Body>, Error> {
    session.increment("visits", 1).await?;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        sender.send_data(Bytes::from_static(b"first ")).await.unwrap();
        session.insert("streamed", &true).unwrap();
        let saved = session.save().await.is_ok();
        let refused = session.log_in("ada").await.is_err();
        sender.send_data(format!("saved {saved}, login refused {refused}").into()).await.unwrap();
    });
    Ok(Response::new(Body::new(body)))
}

async fn axum_server(layer: SessionLayer) -> SocketAddr {
    let app: Router = Router::new()
        .route("/", get(visit))
        .route("/stream", get(stream))
        .route(
            "/streamed",
            get(async |session: Session| session.get::<bool>("streamed").await.map(axum::Json)),
        )
        .layer(layer);
    serve(app).await
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn hyper_server(layer: SessionLayer) -> SocketAddr {
    let visit = async |request: Request<Incoming>| {
        let text = visit(Session::of(&request)?).await?;
        Ok::<_, Error>(Response::new(Full::new(Bytes::from(text))))
    };
    let service = ServiceBuilder::new().layer(layer).service(service_fn(visit));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test]
async fn a_cookie_from_axum_works_at_hyper_and_back_with_the_same_layer_value() {
    let stage = Stage::new().await;
    let layer = stage.sessions.layer();
    let (axum, hyper) = (axum_server(layer.clone()).await, hyper_server(layer).await);
    let mut browser = Browser::new(axum);
    for (address, visits) in [(axum, "1"), (hyper, "2"), (axum, "3"), (hyper, "4")] {
        browser = browser.at(address);
        let answer = browser.get("/").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, visits.as_bytes()));
        assert_eq!(answer.set_cookies().len(), usize::from(visits == "1"), "{answer:?}");
    }
}

#[tokio::test]
async fn connections_at_once_to_axum_and_hyper_lose_no_update() {
    let stage = Stage::new().await;
    let servers = [axum_server(stage.sessions.layer()).await, hyper_server(stage.sessions.layer()).await];
    let mut browser = Browser::new(servers[0]);
    browser.get("/").await;
    let mut visitors = tokio::task::JoinSet::new();
    for n in 0..16 {
        let mut tab = browser.tab().at(servers[n % 2]);
        visitors.spawn(async move { tab.get("/").await.status });
    }
    assert!(visitors.join_all().await.iter().all(StatusCode::is_success));
    assert_eq!(&browser.get("/").await.body[..], b"18");
}

#[tokio::test]
async fn a_streamed_body_can_save_and_cannot_change_the_cookie() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(axum_server(stage.sessions.layer()).await);
    let answer = browser.get("/stream").await;
    assert_eq!(&answer.body[..], b"first saved true, login refused true");
    assert_eq!(&browser.get("/streamed").await.body[..], b"true");
}

#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_has_it_finished() {
    let stage = Stage::new().await;
    let under_way = Arc::new(());
    let held = under_way.clone();
    let visit = move |session: Session| {
        let held = held.clone();
        async move { visit(session).await.inspect(|_| drop(held)) }
    };
    let address = serve(Router::new().route("/", get(visit)).layer(stage.sessions.layer())).await;
    let mut browser = Browser::new(address);
    browser.get("/").await;
    let (gate, idle) = (stage.store.shut(), Arc::strong_count(&under_way));
    let mut connection = TcpStream::connect(address).await.unwrap();
    let cookie = browser.cookie.clone().unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: here\r\ncookie: {}\r\n\r\n", cookie.to_str().unwrap());
    connection.write_all(request.as_bytes()).await.unwrap();
    while stage.store.calls(Method::Commit) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(Arc::strong_count(&under_way) > idle);
    drop(connection);
    while Arc::strong_count(&under_way) > idle {
        tokio::task::yield_now().await;
    }
    gate.add_permits(2);
    assert_eq!(&browser.get("/").await.body[..], b"3");
}
