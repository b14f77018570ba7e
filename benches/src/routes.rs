//! What every kind has to do: six routes, the same for all.

use axum::http::StatusCode;
use axum::routing::{get, MethodRouter};
use axum::Router;

/// Opens a session with a profile and a counter.
pub(crate) const OPEN: &str = "/open";

/// Opens a session with a profile for a user.
pub(crate) fn member(user: u32) -> String {
    format!("/member/user-{user:08}")
}

/// What handlers answer, so that no kind has a cheaper one.
pub(crate) type Answer = Result<String, StatusCode>;

/// A failure inside a handler; the program stops at the first answer that is not a success.
pub(crate) fn failed(error: impl std::fmt::Display) -> StatusCode {
    eprintln!("error: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Path {
    /// The handler never looks at the session, though the client sends the cookie of one.
    Untouched,
    /// The handler decodes the profile and answers with its name.
    Read,
    /// The handler reads the counter, stores one more, and answers with what it read.
    Write,
    /// As [`Path::Write`], by the surest way that the kind has to count requests of one session at the same time.
    Increment,
}

impl Path {
    /// Those that are compared for speed, in the order of the report.
    pub(crate) const ALL: [Self; 3] = [Self::Untouched, Self::Read, Self::Write];

    /// Its name in the report.
    pub(crate) fn name(self) -> &'static str {
        self.uri().trim_start_matches('/')
    }

    /// Where a request goes.
    pub(crate) fn uri(self) -> &'static str {
        match self {
            Self::Untouched => "/untouched",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Increment => "/increment",
        }
    }
}

/// The handlers that a kind brings.
pub(crate) struct Handlers {
    /// Stores the profile and a counter of 0.
    pub(crate) open: MethodRouter,
    /// Stores the profile and binds the session to the user named in the path.
    pub(crate) member: MethodRouter,
    /// See [`Path::Read`].
    pub(crate) read: MethodRouter,
    /// See [`Path::Write`].
    pub(crate) write: MethodRouter,
    /// See [`Path::Increment`].
    pub(crate) increment: MethodRouter,
}

impl Handlers {
    /// The router, still without the kind's layer.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route(OPEN, self.open)
            .route("/member/{user}", self.member)
            .route(Path::Untouched.uri(), get(untouched))
            .route(Path::Read.uri(), self.read)
            .route(Path::Write.uri(), self.write)
            .route(Path::Increment.uri(), self.increment)
    }
}

async fn untouched() -> &'static str {
    "ok"
}
