//! The service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use abide_core::Readiness;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use tower_service::Service;

use crate::sessions::Sessions;

/// Answers every request with whether this server may take traffic. Made by
/// [`Sessions::ready_service`](crate::Sessions::ready_service).
#[derive(Clone, Debug)]
pub struct ReadyService {
    sessions: Sessions,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

impl ReadyService {
    pub(crate) fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }

    /// One line, and its status.
    pub(crate) async fn answer(self) -> Response<String> {
        let (status, line) = match self.sessions.ready().await {
            Readiness::Ready => (StatusCode::OK, "ready".into()),
            Readiness::NotReady(why) if self.sessions.is_draining() => (self.sessions.draining_status(), why),
            Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready".into()),
        };
        let mut response = Response::new(format!("{line}\n"));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

impl<B> Service<Request<B>> for ReadyService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Answer {
        let ready = self.clone();
        Box::pin(async move { Ok(ready.answer().await) })
    }
}
