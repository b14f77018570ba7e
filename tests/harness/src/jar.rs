//! An HTTP client with all the cookies that it is given, as a browser has them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::COOKIE;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};

use crate::browser::{Answer, Http, http_client};

/// A browser with any number of cookies, for one server or balancer.
#[derive(Clone, Debug)]
pub struct JarBrowser {
    http: Http,
    server: SocketAddr,
    /// Its cookies by name.
    pub cookies: BTreeMap<String, String>,
}

impl JarBrowser {
    /// A browser without a cookie.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self { http: http_client(), server, cookies: BTreeMap::new() }
    }

    /// The same person, with the same cookies, at another server.
    #[must_use]
    pub fn at(&self, server: SocketAddr) -> Self {
        Self { server, ..self.clone() }
    }

    /// Sends a request and keeps the cookies of the answer. A request that nobody answers is `None`.
    pub async fn try_send(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.server));
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let request = request.body(Full::new(body.into())).ok()?;
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, body };
        for cookie in answer.set_cookies() {
            self.keep(&cookie);
        }
        Some(answer)
    }

    /// As [`try_send`](Self::try_send), from a server that must answer.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub async fn send(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        self.try_send(method, path, body).await.expect("the server answers")
    }

    /// `GET path`.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Signs in.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub async fn log_in(&mut self, user: &str) -> Answer {
        let answer = self.send(Method::POST, "/login", format!("{{\"user\":\"{user}\"}}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    fn keep(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { return };
        if cookie.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
