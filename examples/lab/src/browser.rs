//! A user's browser: it sends the cookies that it was given, and keeps those that come back.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cookie::{Cookie, CookieJar};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::balancer::PIN;
use crate::wire::{self, Client, SERVER};

/// Its tabs share one jar: requests that are sent at once carry the same cookies, and the last answer's stay.
#[derive(Debug)]
pub(crate) struct Browser {
    door: SocketAddr,
    client: Client,
    jar: Mutex<CookieJar>,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Nothing where no answer came.
    pub(crate) status: Option<StatusCode>,
    pub(crate) server: Option<String>,
    pub(crate) sent: Instant,
    pub(crate) took: Duration,
    body: Bytes,
}

impl Browser {
    pub(crate) fn new(door: SocketAddr, client: Client) -> Self {
        Self { door, client, jar: Mutex::default() }
    }

    /// Another browser with the cookies of now, as someone has who copied them.
    pub(crate) fn copied(&self) -> Self {
        Self { door: self.door, client: self.client.clone(), jar: Mutex::new(self.jar().clone()) }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = wire::request(method, &format!("http://{}{path}", self.door), body);
        self.attach(&mut request);
        let sent = Instant::now();
        let answer = wire::exchange(&self.client, request).await.ok();
        let took = sent.elapsed();
        if let Some(answer) = &answer {
            self.keep(answer.headers());
        }
        Reply::new(answer, sent, took)
    }

    /// Whether it holds a cookie that is not the balancer's.
    pub(crate) fn has_session(&self) -> bool {
        self.jar().iter().any(|cookie| cookie.name() != PIN)
    }

    fn attach(&self, request: &mut Request<Full<Bytes>>) {
        let cookies: Vec<_> = self.jar().iter().map(|cookie| cookie.stripped().to_string()).collect();
        if let (false, Ok(value)) = (cookies.is_empty(), HeaderValue::try_from(cookies.join("; "))) {
            request.headers_mut().insert(COOKIE, value);
        }
    }

    fn keep(&self, headers: &HeaderMap) {
        let values = headers.get_all(SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        values.for_each(|value| self.accept(value));
    }

    /// Keeps, or removes, what a `Set-Cookie` says.
    pub(crate) fn accept(&self, value: &str) {
        let Ok(cookie) = Cookie::parse(value.to_owned()) else { return };
        if cookie.max_age().is_some_and(|age| !age.is_positive()) {
            self.jar().force_remove(cookie.name());
        } else {
            self.jar().add_original(cookie);
        }
    }

    fn jar(&self) -> MutexGuard<'_, CookieJar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reply {
    fn new(answer: Option<Response<Bytes>>, sent: Instant, took: Duration) -> Self {
        let server = answer.as_ref().and_then(|answer| answer.headers().get(SERVER)?.to_str().ok());
        Self {
            status: answer.as_ref().map(Response::status),
            server: server.map(str::to_owned),
            sent,
            took,
            body: answer.map(Response::into_body).unwrap_or_default(),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Done, not signed in, or not there: what a page of the shop is written for.
    pub(crate) fn is_expected(&self) -> bool {
        self.is_success() || matches!(self.status, Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND))
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser() -> Browser {
        Browser::new(SocketAddr::from(([127, 0, 0, 1], 1)), wire::client())
    }

    fn sent(browser: &Browser) -> Option<HeaderValue> {
        let mut request = wire::request(Method::GET, "http://127.0.0.1/", None);
        browser.attach(&mut request);
        request.headers().get(COOKIE).cloned()
    }

    #[test]
    fn a_cookie_comes_back_without_its_attributes() {
        let browser = browser();
        assert_eq!(sent(&browser), None);
        browser.accept("id=token; HttpOnly; Path=/; Max-Age=60");
        assert_eq!(sent(&browser).unwrap(), "id=token");
    }

    #[test]
    fn a_removed_cookie_is_not_sent_again() {
        let browser = browser();
        browser.accept("id=token; Path=/");
        assert!(browser.has_session());
        browser.accept("id=; Path=/; Max-Age=0");
        assert_eq!(sent(&browser), None);
        assert!(!browser.has_session());
    }

    #[test]
    fn the_pin_of_the_balancer_is_no_session() {
        let browser = browser();
        browser.accept("lab_server=a");
        assert!(!browser.has_session());
        assert_eq!(sent(&browser).unwrap(), "lab_server=a");
    }
}
