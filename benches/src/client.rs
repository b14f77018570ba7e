//! The client: requests, cookies, and the check that a kind does what it is measured for.

use anyhow::{ensure, Context as _};
use axum::body::Body;
use axum::http::{header, Request, Response};
use axum::Router;
use tower::ServiceExt as _;

use crate::kinds::AnyKind;
use crate::routes::{Path, OPEN};

/// What a client of the floor sends: a cookie as long as abide's, which nobody looks at.
const NO_SESSION: &str = "id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A request as a client sends it.
pub(crate) fn request(uri: &str, cookie: Option<&str>) -> Request<Body> {
    let mut request =
        Request::builder().uri(uri).header(header::HOST, "localhost").header(header::USER_AGENT, "bench/1");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    request.body(Body::empty()).expect("the parts of a request are valid")
}

/// Sends a request. An answer that is not a success stops the program: its speed would mean nothing.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    let Ok(response) = router.clone().oneshot(request).await;
    assert!(response.status().is_success(), "the answer was {}", response.status());
    response
}

/// Opens a session and gives the cookies that a browser would send from then on.
pub(crate) async fn open(router: &Router, uri: &str) -> String {
    let response = send(router, request(uri, None)).await;
    let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().map(pair).collect();
    if cookies.is_empty() {
        return NO_SESSION.into();
    }
    cookies.join("; ")
}

/// The `name=value` of a `Set-Cookie`, which a browser sends back without the attributes.
fn pair(cookie: &header::HeaderValue) -> &str {
    let cookie = cookie.to_str().expect("a cookie is ASCII");
    cookie.split_once(';').map_or(cookie, |(pair, _)| pair)
}

/// Opens many sessions.
pub(crate) async fn open_many(router: &Router, sessions: u32) -> Vec<String> {
    let mut cookies = Vec::with_capacity(sessions as usize);
    for _ in 0..sessions {
        cookies.push(open(router, OPEN).await);
    }
    cookies
}

/// Makes sure that a kind finds its sessions and keeps what is written, before anybody looks at how fast it is.
pub(crate) async fn check(kind: AnyKind, router: &Router) -> anyhow::Result<()> {
    let cookie = open(router, OPEN).await;
    ensure!(kind.remembers() == (cookie != NO_SESSION), "{}: cookie is {cookie}", kind.name());
    let second = if kind.remembers() { "1" } else { "0" };
    let script = [(Path::Untouched, "ok"), (Path::Read, "ada"), (Path::Write, "0"), (Path::Write, second)];
    for (path, expected) in script {
        let response = send(router, request(path.uri(), Some(&cookie))).await;
        let answer = axum::body::to_bytes(response.into_body(), 1024).await.context("no body")?;
        ensure!(answer == expected, "{} {}: {answer:?} is not {expected:?}", kind.name(), path.name());
    }
    Ok(())
}
