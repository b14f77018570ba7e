//! What happens to sessions, for logs, metrics and alarms.
//!
//! Every event is logged through `tracing` under the target `abide`, and given to the function of
//! [`SessionsBuilder::on_event`](crate::SessionsBuilder::on_event). A session appears only as the start of its handle.
//!
//! A counter for each name is all that a dashboard of them needs:
//!
//! ```
//! use abide::Config;
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counts = Arc::new(Mutex::new(BTreeMap::new()));
//! let told = counts.clone();
//! let count = move |event: &abide::Event| *told.lock().unwrap().entry(event.name()).or_insert(0) += 1;
//! let sessions = Config::new().builder().on_event(count).open().await?;
//!
//! sessions.detached().log_in("ada").await?;
//! assert_eq!(*counts.lock().unwrap(), BTreeMap::from([("created", 1), ("logged_in", 1)]));
//! # Ok(()) }
//! ```

use std::fmt;

use abide_core::{EndReason, ErrorKind, SessionKey};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A session was stored for the first time.
    Created,
    /// A user signed in.
    LoggedIn,
    /// The session got a new token.
    Renewed,
    /// The session was ended.
    Ended(EndReason),
    /// So many sessions were ended at once: those of a user, all but one of them, or all.
    EndedMany(EndReason, u64),
    /// A request brought a token that names no live session, or whose secret was never one of its session's. Many of
    /// them are a sign of guessing.
    UnknownToken,
    /// A request brought a secret that was replaced, after its grace: a sign of a copied token.
    StaleToken,
    /// A request's CSRF token was none of its session's: a page that is too old, or a forged request.
    CsrfRefused,
    /// A request's changes came after a login or renewal had superseded them.
    Superseded,
    /// A commit failed, and the request with it.
    CommitFailed(ErrorKind),
    /// The idle deadline could not be moved; the request went on.
    SlideFailed(ErrorKind),
    /// A logout did not reach the store; it is tried again for a minute.
    LogoutDeferred,
    /// A deferred logout never reached the store.
    LogoutLost,
    /// Fewer replicas of the store have the end of a session than it waited for. The session is over; a failover just now,
    /// and the death of the process that ended it, could bring it back.
    EndFellShort,
    /// A handler changed values after its response was sent, and never saved them.
    ChangesDropped,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which session, where it is known.
    pub key: Option<SessionKey>,
}

impl Event {
    pub(crate) fn new(kind: EventKind, key: Option<SessionKey>) -> Self {
        Self { kind, key }
    }

    /// A name for metrics: lower case, with underscores, one of a small fixed set.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.kind {
            EventKind::Created => "created",
            EventKind::LoggedIn => "logged_in",
            EventKind::Renewed => "renewed",
            EventKind::Ended(_) => "ended",
            EventKind::EndedMany(..) => "ended_many",
            EventKind::UnknownToken => "unknown_token",
            EventKind::StaleToken => "stale_token",
            EventKind::CsrfRefused => "csrf_refused",
            EventKind::Superseded => "superseded",
            EventKind::CommitFailed(_) => "commit_failed",
            EventKind::SlideFailed(_) => "slide_failed",
            EventKind::LogoutDeferred => "logout_deferred",
            EventKind::LogoutLost => "logout_lost",
            EventKind::EndFellShort => "end_fell_short",
            EventKind::ChangesDropped => "changes_dropped",
        }
    }

    const fn is_alarming(&self) -> bool {
        !matches!(
            self.kind,
            EventKind::Created
                | EventKind::LoggedIn
                | EventKind::Renewed
                | EventKind::Ended(_)
                | EventKind::EndedMany(..)
                | EventKind::UnknownToken
                | EventKind::CsrfRefused
                | EventKind::Superseded
        )
    }

    pub(crate) fn log(&self) {
        let session = self.key.map(|key| key.handle().short()).unwrap_or_default();
        if self.is_alarming() {
            tracing::warn!(target: "abide", event = self.name(), kind = ?self.kind, session);
        } else {
            tracing::debug!(target: "abide", event = self.name(), kind = ?self.kind, session);
        }
    }
}

/// Where events go beside the log.
pub(crate) type Listener = dyn Fn(&Event) + Send + Sync;

/// The listener, with a `Debug` that a closure lacks.
#[derive(Clone, Default)]
pub(crate) struct Listeners(pub(crate) Option<std::sync::Arc<Listener>>);

impl Listeners {
    pub(crate) fn tell(&self, event: &Event) {
        if tracing::enabled!(target: "abide", tracing::Level::DEBUG) || event.is_alarming() {
            event.log();
        }
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a listener" } else { "no listener" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_is_fit_for_a_metric() {
        let kinds = [
            EventKind::Created,
            EventKind::LoggedIn,
            EventKind::Renewed,
            EventKind::Ended(EndReason::LoggedOut),
            EventKind::EndedMany(EndReason::EndedByUser, 2),
            EventKind::UnknownToken,
            EventKind::StaleToken,
            EventKind::CsrfRefused,
            EventKind::Superseded,
            EventKind::CommitFailed(ErrorKind::Unavailable),
            EventKind::SlideFailed(ErrorKind::Unavailable),
            EventKind::LogoutDeferred,
            EventKind::LogoutLost,
            EventKind::EndFellShort,
            EventKind::ChangesDropped,
        ];
        let names: std::collections::BTreeSet<_> =
            kinds.iter().map(|kind| Event::new(*kind, None).name()).collect();
        assert_eq!(names.len(), kinds.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
