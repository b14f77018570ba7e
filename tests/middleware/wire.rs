//! HTTP as it is spoken on one real connection: answers without a body, HTTP/2, handlers that panic.

use std::net::SocketAddr;
use std::sync::Arc;

use abide::core::{ErrorKind as StoreKind, LoadOptions, Record, SessionStore as _, Token};
use abide::{Error, Session};
use abide_harness::Method as StoreMethod;
use axum::Router;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, COOKIE, ETAG, SET_COOKIE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1 as client1, http2 as client2};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::stage::{Stage, poll_once};

/// Which HTTP a server speaks.
#[derive(Clone, Copy)]
pub(crate) enum Http {
    One,
    Two,
}

/// Serves an application with plain hyper, a task for each connection.
async fn serve(app: Router, version: Http) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let stream = TokioIo::new(listener.accept().await.unwrap().0);
            let app = TowerToHyperService::new(app.clone());
            match version {
                Http::One => {
                    tokio::spawn(http1::Builder::new().serve_connection(stream, app).with_upgrades());
                }
                Http::Two => {
                    let server = http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(server.serve_connection(stream, app));
                }
            }
        }
    });
    address
}

/// One connection, which is never made anew, of a client that keeps its cookie.
pub(crate) struct Connection {
    http: client1::SendRequest<Empty<Bytes>>,
    cookie: Option<String>,
}

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (http, connection) = client1::handshake(stream).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self { http, cookie: None }
    }

    /// The same client on a connection of its own.
    pub(crate) async fn another(&self, address: SocketAddr) -> Self {
        Self { cookie: self.cookie.clone(), ..Self::to(address).await }
    }

    pub(crate) async fn send(
        &mut self,
        request: http::request::Builder,
    ) -> hyper::Result<Response<Incoming>> {
        let request = request.header("host", "here").header(COOKIE, self.cookie.as_deref().unwrap_or("a=b"));
        let response = self.http.send_request(request.body(Empty::new()).unwrap()).await?;
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        Ok(response)
    }

    async fn ask(&mut self, method: Method, path: &str) -> (StatusCode, HeaderMap, Bytes) {
        let response = self.send(Request::builder().method(method).uri(path)).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    }

    /// What `GET /` answers.
    pub(crate) async fn count(&mut self) -> Bytes {
        self.ask(Method::GET, "/").await.2
    }
}

async fn count(session: Session) -> Result<String, Error> {
    Ok(session.increment("n", 1).await?.to_string())
}

/// Serves `route` under `/x` beside the count of visits.
pub(crate) async fn serve_with(stage: &Stage, version: Http, route: MethodRouter) -> SocketAddr {
    let app = Router::new().route("/", get(count)).route("/x", route).layer(stage.sessions.layer());
    serve(app, version).await
}

#[tokio::test]
async fn an_answer_to_head_carries_the_cookie_and_no_body_and_what_was_written_is_kept() {
    let stage = Stage::new().await;
    let mut client = Connection::to(serve_with(&stage, Http::One, get(count)).await).await;
    let (status, headers, body) = client.ask(Method::HEAD, "/x").await;
    assert_eq!((status, &headers[CONTENT_LENGTH], body.len()), (StatusCode::OK, &"1".parse().unwrap(), 0));
    assert!(headers.contains_key(SET_COOKIE) && headers[CACHE_CONTROL] == "no-store");
    assert_eq!(client.count().await, "2", "on the same connection");
}

#[tokio::test]
async fn a_304_stays_one_and_carries_a_cookie_only_for_a_new_token() {
    let stage = Stage::new().await;
    let unchanged = async |session: Session| {
        session.increment("n", 1).await?;
        Ok::<_, Error>((StatusCode::NOT_MODIFIED, [(ETAG, "\"1\"")]))
    };
    let mut client = Connection::to(serve_with(&stage, Http::One, get(unchanged)).await).await;
    for first in [true, false] {
        let (status, headers, body) = client.ask(Method::GET, "/x").await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(headers[ETAG], "\"1\"");
        assert_eq!(headers.contains_key(SET_COOKIE), first);
        assert_eq!(headers.contains_key(CACHE_CONTROL), first, "what a cache holds stays good");
    }
    assert_eq!(client.count().await, "3", "on the same connection");
}

#[tokio::test]
async fn an_answer_that_replaces_the_handlers_leaves_the_connection_in_order() {
    let stage = Stage::new().await;
    let store = stage.store.clone();
    let route = get(move |session: Session| async move {
        session.get::<i64>("n").await?;
        session.insert("n", &7)?;
        store.set_down(Some(StoreKind::Unavailable));
        Ok::<_, Error>(([(ETAG, "\"1\"")], "x".repeat(10_000)))
    });
    let mut client = Connection::to(serve_with(&stage, Http::One, route).await).await;
    assert_eq!(client.count().await, "1");
    for method in [Method::GET, Method::HEAD] {
        let (status, headers, body) = client.ask(method, "/x").await;
        stage.store.set_down(None);
        assert_eq!((status, body.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert!(!headers.contains_key(ETAG), "nothing of the handler's answer is left");
        assert!(headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0"), "{headers:?}");
    }
    assert_eq!(client.count().await, "2");
}

/// The record of a cookie's session.
async fn stored(stage: &Stage, cookie: &str) -> Arc<Record> {
    let token = Token::parse(cookie.split_once('=').unwrap().1.as_bytes()).unwrap();
    stage.store.load(token.key(), &LoadOptions::default()).await.unwrap().unwrap().record
}

#[tokio::test]
async fn a_handler_that_panics_takes_its_connection_and_nothing_else() {
    let stage = Stage::new().await;
    let doomed = async |session: Session| -> StatusCode {
        session.increment("acted", 1).await.unwrap();
        session.insert("pending", &1).unwrap();
        session.update("n", |_: Option<i64>| -> i64 { panic!("a bug") }).await.unwrap();
        StatusCode::OK
    };
    let address = serve_with(&stage, Http::One, get(doomed)).await;
    let mut client = Connection::to(address).await;
    client.count().await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(client.another(address).await);
    }
    for _ in 0..3 {
        let mut doomed = client.another(address).await;
        doomed.send(Request::get("/x")).await.unwrap_err();
        for other in &mut others {
            other.count().await;
        }
    }
    assert_eq!(client.count().await, "11", "every other request of the session went on");
    let stored = stored(&stage, client.cookie.as_deref().unwrap()).await;
    assert_eq!(stored.value("acted"), Some(b"3".as_slice()), "what was awaited had happened");
    assert_eq!(stored.value("pending"), None, "what was pending had not");
}

/// A client that speaks HTTP/2.
async fn http2_to(address: SocketAddr) -> client2::SendRequest<Empty<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (http, connection) = client2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    http
}

fn http2_request(path: &str, cookies: &[&str]) -> Request<Empty<Bytes>> {
    let mut request = Request::get(format!("http://here{path}"));
    for cookie in cookies {
        request = request.header(COOKIE, *cookie);
    }
    request.body(Empty::new()).unwrap()
}

async fn http2_count(http: &mut client2::SendRequest<Empty<Bytes>>, cookie: &str) -> Bytes {
    // HTTP/2 clients send each cookie in a header of its own.
    let request = http2_request("/", &["theme=dark", cookie, "lang=en"]);
    http.send_request(request).await.unwrap().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn requests_at_once_on_one_http2_connection_lose_no_update() {
    let stage = Stage::new().await;
    let mut http = http2_to(serve_with(&stage, Http::Two, get(count)).await).await;
    let first = http.send_request(http2_request("/", &[])).await.unwrap();
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut streams = JoinSet::new();
    for _ in 0..16 {
        let (mut http, cookie) = (http.clone(), cookie.clone());
        streams.spawn(async move { http2_count(&mut http, &cookie).await });
    }
    streams.join_all().await;
    assert_eq!(http2_count(&mut http, &cookie).await, "18");
}

#[tokio::test]
async fn an_http2_stream_that_is_reset_during_the_commit_has_it_finished() {
    let stage = Stage::new().await;
    let under_way = Arc::new(());
    let held = under_way.clone();
    let route = get(move |session: Session| {
        let held = held.clone();
        async move { count(session).await.inspect(|_| drop(held)) }
    });
    let mut http = http2_to(serve_with(&stage, Http::Two, route).await).await;
    let first = http.send_request(http2_request("/", &[])).await.unwrap();
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let (gate, idle) = (stage.store.shut(), Arc::strong_count(&under_way));
    let mut doomed = Box::pin(http.send_request(http2_request("/x", &[&cookie])));
    while stage.store.calls(StoreMethod::Commit) == 0 {
        assert!(poll_once(doomed.as_mut()).await.is_none(), "the commit is held");
        tokio::task::yield_now().await;
    }
    assert!(Arc::strong_count(&under_way) > idle);
    drop(doomed);
    while Arc::strong_count(&under_way) > idle {
        tokio::task::yield_now().await;
    }
    gate.add_permits(2);
    assert_eq!(http2_count(&mut http, &cookie).await, "3", "on the same connection");
}
