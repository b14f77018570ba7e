//! The layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::ReadyService;

/// Answers one path by itself. Made by [`Sessions::ready_layer`](crate::Sessions::ready_layer).
///
/// The response's body must be made of a [`String`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use abide::Config;
/// use http::{Request, Response};
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// let sessions = Config::new().open().await?;
/// let hello = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new("hello".to_owned())));
/// let service = sessions.ready_layer("/ready").layer(hello);
/// let answer = service.clone().oneshot(Request::get("/ready").body(())?).await?;
/// assert_eq!(answer.body(), "ready\n");
///
/// sessions.begin_shutdown();
/// let answer = service.clone().oneshot(Request::get("/ready").body(())?).await?;
/// assert_eq!((answer.status().as_u16(), answer.body().as_str()), (503, "draining\n"));
/// assert_eq!(service.oneshot(Request::get("/").body(())?).await?.body(), "hello");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ReadyLayer {
    ready: ReadyService,
    path: &'static str,
}

impl ReadyLayer {
    pub(crate) fn new(ready: ReadyService, path: &'static str) -> Self {
        Self { ready, path }
    }
}

impl<S> Layer<S> for ReadyLayer {
    type Service = ReadyOr<S>;

    fn layer(&self, inner: S) -> ReadyOr<S> {
        ReadyOr { layer: self.clone(), inner }
    }
}

/// The service that [`ReadyLayer`] makes. Its readiness is that of the inner one.
#[derive(Clone, Debug)]
pub struct ReadyOr<S> {
    layer: ReadyLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ReadyOr<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ReadyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asks = [Method::GET, Method::HEAD].contains(request.method());
        if asks && request.uri().path() == self.layer.path {
            return ReadyFuture { step: Step::Ready { answer: Box::pin(self.layer.ready.clone().answer()) } };
        }
        ReadyFuture { step: Step::Inner { future: self.inner.call(request) } }
    }
}

pin_project! {
    /// The response of a [`ReadyOr`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ReadyFuture<F> {
        #[pin]
        step: Step<F>,
    }
}

pin_project! {
    #[project = StepProj]
    enum Step<F> {
        Ready { answer: Pin<Box<dyn Future<Output = Response<String>> + Send>> },
        Inner { #[pin] future: F },
    }
}

impl<F, R, E> Future for ReadyFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<String>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().step.project() {
            StepProj::Ready { answer } => answer.as_mut().poll(cx).map(|response| Ok(response.map(R::from))),
            StepProj::Inner { future } => future.poll(cx),
        }
    }
}

impl<F> fmt::Debug for ReadyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadyFuture")
    }
}
