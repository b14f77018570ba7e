//! Connections that go over to another protocol, with the session of the request that asked for it.

use abide::Session;
use abide_harness::Method;
use axum::body::Body;
use axum::routing::get;
use http::header::{CONNECTION, SET_COOKIE, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::stage::Stage;
use crate::wire::{Connection, Http, serve_with};

/// Goes over to a protocol of our own, in which each line is a word, and each answer says what came of it.
async fn upgrade(mut request: Request<Body>) -> Response<Body> {
    let session = Session::of(&request).unwrap();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move { converse(TokioIo::new(upgrade.await.unwrap()), session).await });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    answer.header(CONNECTION, "upgrade").header(UPGRADE, "words").body(Body::empty()).unwrap()
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, session: Session) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap() > 0 {
        let result = match line.trim() {
            "save" => match session.insert("saved", &true) {
                Ok(()) => session.save().await,
                refused => refused,
            },
            "count" => session.increment("n", 1).await.map(drop),
            "renew" => session.renew().await,
            "leave" => session.log_out().await,
            word => panic!("{word}"),
        };
        let answer = result.map_or_else(|error| format!("{:?}\n", error.kind()), |()| "done\n".into());
        stream.write_all(answer.as_bytes()).await.unwrap();
        line.clear();
    }
}

/// Goes over to words on this connection.
async fn words(client: &mut Connection) -> impl AsyncFnMut(&str) -> String + use<> {
    let request = Request::get("/x").header(CONNECTION, "upgrade").header(UPGRADE, "words");
    let response = client.send(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(!response.headers().contains_key(SET_COOKIE));
    let mut stream = BufReader::new(TokioIo::new(hyper::upgrade::on(response).await.unwrap()));
    async move |word: &str| {
        stream.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        answer.trim().to_owned()
    }
}

#[tokio::test]
async fn an_upgraded_connection_saves_and_cannot_change_the_cookie() {
    let stage = Stage::new().await;
    let address = serve_with(&stage, Http::One, get(upgrade)).await;
    let mut client = Connection::to(address).await;
    client.count().await;
    let mut tab = client.another(address).await;
    let mut say = words(&mut client).await;
    assert_eq!(say("save").await, "done");
    assert_eq!(tab.count().await, "2");
    assert_eq!(say("count").await, "done", "beside another request");
    assert_eq!(say("renew").await, "TooLate");
    assert_eq!(tab.count().await, "4");
}

#[tokio::test]
async fn an_upgraded_connection_without_a_session_cannot_begin_one() {
    let stage = Stage::new().await;
    let mut client = Connection::to(serve_with(&stage, Http::One, get(upgrade)).await).await;
    let mut say = words(&mut client).await;
    assert_eq!((say("save").await, say("count").await), ("TooLate".into(), "TooLate".into()));
    assert_eq!(stage.store.calls(Method::Create), 0);
}

#[tokio::test]
async fn a_logout_elsewhere_stops_what_an_upgraded_connection_writes() {
    let stage = Stage::new().await;
    let address = serve_with(&stage, Http::One, get(upgrade)).await;
    let mut client = Connection::to(address).await;
    client.count().await;
    let mut tab = client.another(address).await;
    let (mut say, mut say_elsewhere) = (words(&mut client).await, words(&mut tab).await);
    assert_eq!((say("count").await, say_elsewhere("leave").await), ("done".into(), "done".into()));
    assert_eq!((say("count").await, say("save").await), ("Store(Ended)".into(), "Store(Ended)".into()));
    let mut late = client.another(address).await;
    assert_eq!(late.count().await, "1", "another session");
}
