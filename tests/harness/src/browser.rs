//! An HTTP client with one session cookie, as a browser has it: it takes what `Set-Cookie` says, and sends it back.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

/// A client that keeps its connections.
#[must_use]
pub fn http_client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Why there is no answer.
pub type Unanswered = Box<dyn Error + Send + Sync>;

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// Where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The `Set-Cookie` headers.
    #[must_use]
    pub fn set_cookies(&self) -> Vec<String> {
        let headers = self.headers.get_all(SET_COOKIE).iter();
        headers.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

/// A browser with at most one cookie.
#[derive(Clone, Debug)]
pub struct Browser {
    http: Http,
    server: SocketAddr,
    /// `name=value`, as it is sent.
    pub cookie: Option<HeaderValue>,
}

impl Browser {
    /// A browser without a cookie, for one server.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self { http: http_client(), server, cookie: None }
    }

    /// The same person at another server.
    #[must_use]
    pub fn at(&self, server: SocketAddr) -> Self {
        Self { server, ..self.clone() }
    }

    /// The same browser, with its own copy of the cookie as it is now: a second tab, or a request that is under way
    /// while the cookie changes.
    #[must_use]
    pub fn tab(&self) -> Self {
        self.clone()
    }

    /// Sends a request and keeps the cookie of the answer.
    ///
    /// # Panics
    ///
    /// Where the server does not answer.
    pub async fn send(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        self.try_send(method, path, body).await.expect("the server answers")
    }

    /// As [`send`](Self::send), to a server that may be gone.
    ///
    /// # Errors
    ///
    /// Where it does not answer, or not all of it.
    pub async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.server));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = self.http.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, body };
        self.keep_cookie(&answer);
        Ok(answer)
    }

    /// `GET path`.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST path`.
    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::POST, path, body).await
    }

    /// `PUT path`.
    pub async fn put(&mut self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    /// Signs in.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub async fn log_in(&mut self, user: &str) {
        let answer = self.post("/login", format!("{{\"user\":\"{user}\"}}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }

    fn keep_cookie(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let pair = cookie.split(';').next().unwrap().trim();
            let removed = pair.ends_with('=') || cookie.contains("Max-Age=0");
            self.cookie = (!removed).then(|| HeaderValue::from_str(pair).unwrap());
        }
    }
}
