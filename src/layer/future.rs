//! The response's way out.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Response};
use pin_project_lite::pin_project;

use crate::cookie::{CookieChange, RouteChange, add_cookie, add_route_cookie};
use crate::error::{Error, ErrorKind};
use crate::route::RouteMarks;
use crate::session::{Finish, Session, Waiting};

pin_project! {
    /// The response of a [`SessionService`](super::SessionService).
    ///
    /// Dropped before the handler answered, nothing of what is pending is written. Dropped during the commit, the
    /// commit is finished in the background.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, R> {
        session: Session,
        #[pin]
        step: Step<F, R>,
    }
}

pin_project! {
    #[project = StepProj]
    enum Step<F, R> {
        Handling { #[pin] handler: F },
        Finishing { response: Option<Response<R>>, commit: Waiting },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(crate) fn new(session: Session, handler: F) -> Self {
        Self { session, step: Step::Handling { handler } }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            match this.step.as_mut().project() {
                StepProj::Handling { handler } => {
                    let mut response = ready!(handler.poll(cx))?;
                    answer_as_configured(this.session, &mut response);
                    match this.session.finish(response.status()) {
                        Finish::Untouched => return Poll::Ready(Ok(response)),
                        Finish::Done(result) => {
                            after_commit(this.session, &mut response, result);
                            return Poll::Ready(Ok(response));
                        }
                        Finish::Waits(commit) => {
                            this.step.set(Step::Finishing { response: Some(response), commit });
                        }
                    }
                }
                StepProj::Finishing { response, commit } => {
                    let result = ready!(this.session.poll_finish(commit, cx));
                    let mut response = response.take().expect("a future is not polled after it resolved");
                    after_commit(this.session, &mut response, result);
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

/// A handler that answered with an error of ours gets the answer that the application configured for it.
fn answer_as_configured<R: Default>(session: &Session, response: &mut Response<R>) {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        let (_, answers) = session.response_parts();
        if error.kind() != ErrorKind::MissingLayer {
            *response = answers.answer(&error).map(|()| R::default());
        }
    }
}

/// A session that is over lets the handler's response pass; every other failure replaces it. The cookie goes out also
/// with an error: a client whose token was replaced needs the new one.
fn after_commit<R: Default>(session: &Session, response: &mut Response<R>, result: Result<(), Error>) {
    if let Err(error) = result {
        if !error.is_over() {
            let (_, answers) = session.response_parts();
            *response = answers.answer(&error).map(|()| R::default());
        }
    }
    let change = session.take_cookie();
    if let Some((marks, route)) = session.route_change(&change) {
        add_marked(session, response.headers_mut(), &change, marks, route);
    } else if change != CookieChange::None {
        let (template, _) = session.response_parts();
        add_cookie(response.headers_mut(), template, &change, None);
    }
}

/// As without route marks, with the one that is due.
fn add_marked(
    session: &Session,
    headers: &mut HeaderMap,
    change: &CookieChange,
    marks: &RouteMarks,
    route: RouteChange,
) {
    let (template, _) = session.response_parts();
    add_cookie(headers, template, change, session.suffix(change));
    if let Some(cookie) = marks.cookie() {
        add_route_cookie(headers, cookie, route);
    }
}

impl<F, R> std::fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").field("session", &self.session).finish_non_exhaustive()
    }
}
