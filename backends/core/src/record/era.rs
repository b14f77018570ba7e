//! The registers of an era.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Rare, Secrets, ValueEntry, Values};
use crate::name::Name;
use crate::stamp::Stamp;
use crate::time::{Timestamp, whole_millis};

/// Which era: a number that grows, and a nonce that tells two of one number apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EraId {
    number: u32,
    nonce: [u8; 16],
}

impl EraId {
    /// The era in which a session begins.
    #[must_use]
    pub const fn first(nonce: [u8; 16]) -> Self {
        Self { number: 0, nonce }
    }

    /// The era after this one.
    #[must_use]
    pub const fn next(self, nonce: [u8; 16]) -> Self {
        Self { number: self.number.saturating_add(1), nonce }
    }

    /// Its number: how many logins and renewals came before.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Its 16 random bytes. They are a secret of the server: the session's CSRF token derives from them.
    #[must_use]
    pub const fn nonce(self) -> [u8; 16] {
        self.nonce
    }
}

impl fmt::Debug for EraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EraId({})", self.number)
    }
}

/// How long the session may go unused: a register of its own, for a session may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Idle {
    /// The register's order comes first, so that the derived order is that of the join.
    pub(crate) stamp: Stamp,
    pub(crate) millis: u64,
}

impl Idle {
    pub(crate) fn new(timeout: Duration, stamp: Stamp) -> Self {
        Self { stamp, millis: whole_millis(timeout) }
    }
}

/// Fields that this version does not know, in the order of their tags. Nearly every record has none, and then they take
/// a pointer's room.
///
/// `Debug` shows their tags alone: what they hold may be a secret of a newer version.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Unknown(Option<Box<Fields>>);

type Fields = Vec<(u16, Box<[u8]>)>;

impl Unknown {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().flat_map(|fields| fields.iter()).map(|(tag, bytes)| (*tag, &**bytes))
    }

    /// From fields in the order of their tags, of which none stands twice.
    pub(crate) fn from_sorted(fields: Fields) -> Self {
        Self((!fields.is_empty()).then(|| fields.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn weight(&self) -> usize {
        self.iter().map(|(_, bytes)| bytes.len() + 4).sum()
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(tag, _)| tag)).finish()
    }
}

/// A stretch of a session's life under one identity.
///
/// The user and the hard deadline never change within an era; a change of either opens the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Era {
    pub(crate) id: EraId,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) hard_deadline: Timestamp,
    pub(crate) idle: Idle,
    pub(crate) last_seen: Timestamp,
    pub(crate) secrets: Secrets,
    pub(crate) values: Values,
    pub(crate) rare: Rare,
}

impl Era {
    /// Which era this is.
    #[must_use]
    pub fn id(&self) -> EraId {
        self.id
    }

    /// Who is signed in.
    #[must_use]
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// When that user last proved who they are.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.authenticated_at
    }

    /// When the session is over whatever happens.
    #[must_use]
    pub fn hard_deadline(&self) -> Timestamp {
        self.hard_deadline
    }

    /// How long the session may go unused.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle.millis)
    }

    /// When the session was last used, to within the slide's step.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// When the session is over unless it is used: the idle deadline, or the hard one where that comes first.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        (self.last_seen + self.idle_timeout()).min(self.hard_deadline)
    }

    /// The secrets.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The bytes of a value, `None` where it is absent.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key)?.bytes()
    }

    /// A value with its stamp; it may be a removal.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&ValueEntry> {
        self.values.get(key)
    }

    /// The keys of the values that are there, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Name> {
        self.values.iter().filter(|(_, entry)| entry.bytes().is_some()).map(|(key, _)| key)
    }

    pub(crate) fn latest_stamp(&self) -> Stamp {
        self.values.iter().map(|(_, entry)| entry.stamp()).fold(self.idle.stamp, Stamp::max)
    }

    pub(crate) fn weight(&self) -> usize {
        self.user.as_ref().map_or(0, |user| user.len()) + self.values.weight() + self.rare.weight()
    }
}
