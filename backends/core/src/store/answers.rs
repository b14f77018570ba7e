//! What a store answers.

use std::borrow::Cow;
use std::sync::Arc;

use crate::record::Record;
use crate::time::Timestamp;
use crate::token::SessionKey;

/// Which state of a record: equal versions are equal records. Only the store that made it can read more into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Version(pub u128);

/// A live session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// Its record, shared.
    pub record: Arc<Record>,
    /// Which state of it.
    pub version: Version,
    #[allow(clippy::box_collection, reason = "one word beside every record, and nearly always none")]
    ended: Option<Box<Vec<SessionKey>>>,
}

impl Loaded {
    /// A record in a version.
    #[must_use]
    pub fn new(record: Arc<Record>, version: Version) -> Self {
        Self { record, version, ended: None }
    }

    /// The same answer with another form of its record: what a wrapper makes of it.
    #[must_use]
    pub fn with_record(self, record: Arc<Record>) -> Self {
        Self { record, ..self }
    }

    /// Names the sessions that this login ended, for their user had more than
    /// [`user_limit`](crate::CommitOptions::user_limit).
    #[must_use]
    pub fn with_ended(mut self, others: Vec<SessionKey>) -> Self {
        self.ended = (!others.is_empty()).then(|| Box::new(others));
        self
    }

    /// The sessions that this login ended: none, but in the first answer to a login beyond the limit.
    #[must_use]
    pub fn ended(&self) -> &[SessionKey] {
        self.ended.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// What a store knows without waiting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Peek {
    /// A live session.
    Found(Loaded),
    /// There is no live session under this key.
    Absent,
    /// It must be loaded.
    Ask,
}

/// Whether the store can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, for this reason: lower case, no full stop, no secret.
    NotReady(Cow<'static, str>),
}

/// What a store can do, for those who choose one and for the layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Other processes see the same sessions.
    pub shared: bool,
    /// Sessions survive the end of this process.
    pub durable: bool,
    /// `peek` may answer, so that a load often needs no future.
    pub peeks: bool,
    /// A drain hands sessions over while requests are served, and what it moved is served from where it went. It is
    /// then best called before clients are sent elsewhere, and once more when the last request is done.
    pub drains_while_serving: bool,
}

impl Capabilities {
    /// None of them.
    #[must_use]
    pub const fn none() -> Self {
        Self { shared: false, durable: false, peeks: false, drains_while_serving: false }
    }

    /// Other processes see the same sessions.
    #[must_use]
    pub const fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Sessions survive the end of this process.
    #[must_use]
    pub const fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// `peek` may answer.
    #[must_use]
    pub const fn peeks(mut self, peeks: bool) -> Self {
        self.peeks = peeks;
        self
    }

    /// A drain hands sessions over while requests are served.
    #[must_use]
    pub const fn drains_while_serving(mut self, serves: bool) -> Self {
        self.drains_while_serving = serves;
        self
    }
}

/// What an end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndOutcome {
    /// Whether there was a live session.
    pub was_live: bool,
    /// Whether fewer replicas have the end than the store waited for. The session is over all the same; a failover just
    /// now could bring it back, for as long as the process that ended it is not there to end it again.
    pub fell_short: bool,
}

impl EndOutcome {
    /// Whether there was a live session; every replica that was waited for has the end.
    #[must_use]
    pub const fn new(was_live: bool) -> Self {
        Self { was_live, fell_short: false }
    }

    /// Whether fewer replicas have the end than the store waited for.
    #[must_use]
    pub const fn fell_short(mut self, fell_short: bool) -> Self {
        self.fell_short = fell_short;
        self
    }
}

/// One of a user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// Its key. It authorises nothing; show people its [`handle`](SessionKey::handle).
    pub key: SessionKey,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last used, to within the slide's step.
    pub last_seen: Timestamp,
    /// When its user last proved who they are.
    pub authenticated_at: Option<Timestamp>,
}

impl UserSession {
    /// The entry of a live record.
    #[must_use]
    pub fn of(key: SessionKey, record: &Record) -> Option<Self> {
        let era = record.era()?;
        Some(Self {
            key,
            created: record.created().at(),
            last_seen: era.last_seen(),
            authenticated_at: era.authenticated_at(),
        })
    }
}

/// A page of a user's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserPage {
    /// The sessions.
    pub sessions: Vec<UserSession>,
    /// Where the next page starts, `None` after the last.
    pub next: Option<SessionKey>,
}

impl UserPage {
    /// A page.
    #[must_use]
    pub fn new(sessions: Vec<UserSession>, next: Option<SessionKey>) -> Self {
        Self { sessions, next }
    }
}

/// What became of the sessions that only one process held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Sessions that are now elsewhere.
    pub handed_over: u64,
    /// Sessions that end with this process.
    pub left_behind: u64,
}

impl Drained {
    /// How many went and how many stay.
    #[must_use]
    pub const fn new(handed_over: u64, left_behind: u64) -> Self {
        Self { handed_over, left_behind }
    }
}
