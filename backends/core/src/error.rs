//! The one error type of stores.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::store::Loaded;

type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong, in the terms that a caller acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `create` met another session under the same key. Nothing was written; mint another key.
    Exists,
    /// There is no session under this key, and only `create` makes one.
    Missing,
    /// The session is over: logged out, ended by somebody, or past its deadline.
    Ended,
    /// The session moved into a new era (a login, say) after the changes began. Nothing was written; but where an
    /// answer was lost before, they may have been applied in the era that is over.
    Superseded,
    /// A condition of the changes no longer held. Nothing was written; the error may carry the current record.
    Conflict,
    /// The store is out of reach or refuses to serve. Nothing was written.
    Unavailable,
    /// The store did not answer: it may have happened. Asking again with the same changes is safe.
    Ambiguous,
    /// The stored bytes are not a record, or a value among them cannot be decrypted.
    Corrupt,
    /// The record would be larger than allowed. Nothing was written.
    TooLarge,
    /// The store is at its bound on sessions or bytes and takes no new one.
    Full,
    /// The writer's clock is too far ahead of the clock that judged it. Nothing was written.
    ClockSkew,
    /// The store cannot do this at all.
    Unsupported,
}

impl ErrorKind {
    const fn describe(self) -> &'static str {
        match self {
            Self::Exists => "a session exists under this key",
            Self::Missing => "no session under this key",
            Self::Ended => "the session is over",
            Self::Superseded => "the session was superseded by a newer login or renewal",
            Self::Conflict => "the session was changed by another request",
            Self::Unavailable => "the session store is unavailable",
            Self::Ambiguous => "the session store did not confirm the change",
            Self::Corrupt => "the stored session is damaged",
            Self::TooLarge => "the session is too large",
            Self::Full => "the session store is full",
            Self::ClockSkew => "the writer's clock is too far ahead",
            Self::Unsupported => "the session store cannot do this",
        }
    }
}

/// An error of a [`SessionStore`](crate::SessionStore): a kind, a sentence, and a source where there is one.
///
/// `Display` prints this level only; causes are in [`source`](StdError::source). It never carries a token, a secret
/// or a value.
///
/// ```
/// use abide_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "no answer from 10.0.0.7 within 1 s");
/// assert!(error.is_transient());
/// assert_eq!(error.to_string(), "the session store is unavailable: no answer from 10.0.0.7 within 1 s");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: Cow<'static, str>,
    source: Option<Source>,
    current: Option<Loaded>,
}

impl Error {
    /// An error of `kind`; `detail` is lower case, without a full stop, and may be empty.
    pub fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, detail: detail.into(), source: None, current: None }))
    }

    /// Names the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Carries a record: the one that a condition failed on, so that a caller who tries again needs no further load;
    /// or what can be read of a [`ErrorKind::Corrupt`] one, so that its owner can still be told and log out.
    #[must_use]
    pub fn with_current(mut self, current: Loaded) -> Self {
        self.0.current = Some(current);
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The record that a [`ErrorKind::Conflict`] failed on, or what can be read of a [`ErrorKind::Corrupt`] one, where
    /// the store had it at hand. Of a corrupt one, the values that cannot be read are left out: look at whose it is, and
    /// take nothing from it.
    pub fn take_current(&mut self) -> Option<Loaded> {
        self.0.current.take()
    }

    /// Whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Ambiguous | ErrorKind::Full)
    }

    /// Whether the session is gone for good: over, or not known.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Ended | ErrorKind::Missing)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.describe())?;
        if !self.0.detail.is_empty() {
            write!(f, ": {}", self.0.detail)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
