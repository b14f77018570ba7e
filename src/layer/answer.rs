//! Which response an error becomes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::ErrorKind as StoreKind;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};

use crate::error::{Error, ErrorKind};

/// The head of the response that an error becomes, unless the application has its own function
/// ([`SessionsBuilder::answer_with`](crate::SessionsBuilder::answer_with)).
///
/// | error | status |
/// |---|---|
/// | the session is over | 401 |
/// | a CSRF token that is none of the session's | 403 |
/// | superseded, conflict | 409 |
/// | the store is unavailable, ambiguous or full, or a clock is off | 503 with `Retry-After` |
/// | everything else | 500 |
///
/// The first row is for a handler that passes the error on; where a session ends before the commit after the handler,
/// the handler's own response passes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use abide::{layer::answer, Session};
/// use http::Request;
///
/// let error = Session::of(&Request::new(())).unwrap_err();
/// assert_eq!(answer(&error).status(), 500);
/// # Ok(()) }
/// ```
#[must_use]
pub fn answer(error: &Error) -> Response<()> {
    let status = match error.kind() {
        ErrorKind::Store(kind) => status_of(kind),
        ErrorKind::CsrfToken => StatusCode::FORBIDDEN,
        ErrorKind::Value | ErrorKind::TooLate | ErrorKind::MissingLayer => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Response::new(());
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn status_of(kind: StoreKind) -> StatusCode {
    match kind {
        StoreKind::Ended | StoreKind::Missing => StatusCode::UNAUTHORIZED,
        StoreKind::Superseded | StoreKind::Conflict => StatusCode::CONFLICT,
        StoreKind::Unavailable | StoreKind::Ambiguous | StoreKind::Full | StoreKind::ClockSkew => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

type Answer = dyn Fn(&Error) -> Response<()> + Send + Sync;

/// The function that makes the head of a response of an error.
#[derive(Clone)]
pub(crate) struct AnswerWith {
    custom: Option<Arc<Answer>>,
    retry_after: HeaderValue,
}

impl Default for AnswerWith {
    fn default() -> Self {
        Self { custom: None, retry_after: HeaderValue::from_static("1") }
    }
}

impl AnswerWith {
    pub(crate) fn custom(answer: impl Fn(&Error) -> Response<()> + Send + Sync + 'static) -> Self {
        Self { custom: Some(Arc::new(answer)), ..Self::default() }
    }

    pub(crate) fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = HeaderValue::from(after.as_secs().max(1));
        self
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    pub(crate) fn answer(&self, error: &Error) -> Response<()> {
        match &self.custom {
            Some(custom) => custom(error),
            None => {
                let mut response = answer(error);
                if let Some(after) = response.headers_mut().get_mut(RETRY_AFTER) {
                    *after = self.retry_after.clone();
                }
                response
            }
        }
    }
}

impl fmt::Debug for AnswerWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_custom() { "the application's" } else { "the default" })
    }
}
