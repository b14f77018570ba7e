//! The one error type of a request.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use abide_core::ErrorKind as StoreKind;

/// What went wrong, in the terms that a handler acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store refused or did not answer.
    Store(StoreKind),
    /// A value is not of the expected type, or cannot be written as JSON.
    Value,
    /// The response's headers are gone, so no cookie can be sent any more.
    TooLate,
    /// The request's CSRF token is none of the session's.
    CsrfToken,
    /// The request did not pass a session layer.
    MissingLayer,
}

/// An error of a session.
///
/// In a handler `?` turns it into the response that [`answer`](crate::layer::answer) gives, or the function that the
/// application put in its place. It is cheap to clone, and never carries a token or a value.
///
/// ```
/// # use abide::{Config, Session};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Config::new().open().await?;
/// # let session = sessions.detached();
/// session.insert("name", "Ada")?;
/// let error = session.get::<u32>("name").await.unwrap_err();
/// assert_eq!(error.kind(), abide::ErrorKind::Value);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, detail: detail.into(), source: None }))
    }

    pub(crate) fn value(key: &str, source: serde_json::Error) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Value,
            detail: format!("the value of {key:?} is not of the expected type"),
            source: Some(Box::new(Quiet(source))),
        }))
    }

    pub(crate) fn too_late(what: &str) -> Self {
        Self::new(ErrorKind::TooLate, format!("the response's headers were sent before {what}"))
    }

    pub(crate) fn missing_layer(name: Option<&str>) -> Self {
        let which =
            name.map_or_else(|| "session layer".into(), |name| format!("session layer named {name:?}"));
        Self::new(
            ErrorKind::MissingLayer,
            format!("the request did not pass a {which}; add `sessions.layer()`"),
        )
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use StoreKind::{Ambiguous, Full, Unavailable};
        matches!(self.0.kind, ErrorKind::Store(Unavailable | Ambiguous | Full))
    }

    /// Whether the session is gone for good: logged out, ended, or past a deadline.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Store(StoreKind::Ended | StoreKind::Missing))
    }
}

impl From<abide_core::Error> for Error {
    fn from(error: abide_core::Error) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Store(error.kind()),
            detail: String::new(),
            source: Some(Box::new(error)),
        }))
    }
}

impl From<StoreKind> for Error {
    fn from(kind: StoreKind) -> Self {
        abide_core::Error::from(kind).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.kind, &self.0.source) {
            // The store's error is this one, not its cause.
            (ErrorKind::Store(_), Some(error)) => error.fmt(f),
            _ => f.write_str(&self.0.detail),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.kind {
            ErrorKind::Store(_) => self.0.source.as_ref()?.source(),
            _ => self.0.source.as_deref().map(|source| source as _),
        }
    }
}

/// A JSON error that says where and of what sort, but never what: its text may quote the value.
struct Quiet(serde_json::Error);

impl fmt::Debug for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} error at line {} column {}", self.0.classify(), self.0.line(), self.0.column())
    }
}

impl StdError for Quiet {}
