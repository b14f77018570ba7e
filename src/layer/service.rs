//! The request's way in.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use crate::cookie::Candidates;
use crate::session::Session;
use crate::shared::Shared;

/// The service that [`SessionLayer`](super::SessionLayer) makes.
///
/// Readiness is that of the inner service, and a clone starts without one, as the inner one's does.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> SessionService<S> {
    pub(crate) fn new(shared: Arc<Shared>, inner: S) -> Self {
        Self { shared, inner }
    }
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let candidates = Candidates::of(request.headers(), &self.shared.cookie, self.shared.route.as_ref());
        let session = Session::begin(&self.shared, candidates);
        session.put_into(request.extensions_mut());
        ResponseFuture::new(session, self.inner.call(request))
    }
}
