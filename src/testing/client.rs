//! A browser's cookies, and what it sends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;

use cookie::Cookie;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, Response, StatusCode, Uri, request};
use tower_service::Service;

use crate::cookie::Candidates;
use crate::layer::ResponseFuture;
use crate::session::Session;
use crate::sessions::Sessions;

/// A browser: it takes the cookies of an answer, and sends them with its next request.
///
/// It sends every cookie to every address, also over plain http, and keeps each until an answer removes it. A clone has a
/// copy of the cookies: a second tab, or a request under way while the cookie changes.
///
/// ```
/// use abide::testing::Stage;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stage = Stage::new();
/// let ada = stage.signed_in("ada").await;
/// let request = ada.get("/account").header("accept", "text/html").body(())?;
/// assert!(request.headers()["cookie"].to_str()?.starts_with("__Host-id="));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    sessions: Sessions,
    cookies: BTreeMap<String, String>,
}

impl Client {
    pub(super) fn new(sessions: &Sessions) -> Self {
        Self { sessions: sessions.clone(), cookies: BTreeMap::new() }
    }

    /// A request with this client's cookies.
    pub fn request(&self) -> request::Builder {
        match self.cookie() {
            Some(cookie) => Request::builder().header(COOKIE, cookie),
            None => Request::builder(),
        }
    }

    /// A `GET` with this client's cookies. An address that is none is an error of the builder.
    pub fn get<T: TryInto<Uri, Error: Into<http::Error>>>(&self, uri: T) -> request::Builder {
        self.request().method("GET").uri(uri)
    }

    /// A `POST` with this client's cookies. An address that is none is an error of the builder.
    pub fn post<T: TryInto<Uri, Error: Into<http::Error>>>(&self, uri: T) -> request::Builder {
        self.request().method("POST").uri(uri)
    }

    /// Sends a request to a service, as it is, and keeps the cookies of the answer.
    ///
    /// # Errors
    ///
    /// What the service answers.
    pub async fn send<S, B, R>(&mut self, service: &S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
    {
        let mut service = service.clone();
        poll_fn(|context| service.poll_ready(context)).await?;
        let response = service.call(request).await?;
        self.keep(response.headers());
        Ok(response)
    }

    /// Takes the cookies that an answer sets, and lets go of those that it removes: for an answer that did not come
    /// through [`send`](Client::send).
    pub fn keep(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let Some(cookie) = header.to_str().ok().and_then(|text| Cookie::parse(text).ok()) else {
                continue;
            };
            if cookie.max_age().is_some_and(|left| !left.is_positive()) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    /// What stands in the header `Cookie`, where there is any: for requests that are built elsewhere.
    #[must_use]
    pub fn cookie(&self) -> Option<String> {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Runs `f` with this client's session, as a handler of one more request would run: what it writes is committed, and
    /// the cookie kept. To set up what a test begins with, and to look at what it left.
    ///
    /// # Panics
    ///
    /// Where what `f` wrote cannot be committed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), abide::Error> {
    /// # let stage = abide::testing::Stage::new();
    /// let mut client = stage.client();
    /// client.with_session(async |session| session.insert("theme", "dark")).await?;
    /// let theme = client.with_session(async |session| session.get::<String>("theme").await).await?;
    /// assert_eq!(theme.as_deref(), Some("dark"));
    /// # Ok(()) }
    /// ```
    pub async fn with_session<T>(&mut self, f: impl AsyncFnOnce(Session) -> T) -> T {
        let shared = &self.sessions.0;
        let request = self.request().body(()).expect("a cookie that was kept can be sent");
        let session =
            Session::begin(shared, Candidates::of(request.headers(), &shared.cookie, shared.route.as_ref()));
        let mut output = None;
        let handler = async {
            output = Some(f(session.clone()).await);
            Ok::<_, Infallible>(Response::new(()))
        };
        let Ok(response) = ResponseFuture::new(session.clone(), handler).await;
        assert_eq!(response.status(), StatusCode::OK, "what was written to the session was not committed");
        self.keep(response.headers());
        output.expect("the handler answered")
    }
}

/// The cookies are secrets.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("cookies", &self.cookies.keys()).finish_non_exhaustive()
    }
}
