//! What stores have in common that keep a list of each user's sessions. No part of the contract: it may change in any
//! version.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::changes::Changes;
use crate::record::{Era, Record};
use crate::time::Timestamp;
use crate::token::SessionKey;

/// How long the barrier of "end all of a user" stands: longer than any request that began before it.
pub const BARRIER_STANDS: Duration = Duration::from_secs(600);

/// A login: a session, and when its user proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The session.
    pub key: SessionKey,
    /// When its user proved who they are; the epoch where that is not known.
    pub login: Timestamp,
}

impl Entry {
    /// The login that a record shows, `None` where it has no user or is over.
    #[must_use]
    pub fn of(key: &SessionKey, record: &Record) -> Option<Self> {
        let era = record.era()?;
        era.user()?;
        Some(Self { key: *key, login: era.authenticated_at().unwrap_or_default() })
    }

    /// Whether a record shows this login of `user`.
    #[must_use]
    pub fn is_shown(&self, record: &Record, user: &str) -> bool {
        record.era().and_then(Era::user).map(|of| &**of) == Some(user)
            && Self::of(&self.key, record) == Some(*self)
    }
}

/// What came of entering a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entered {
    /// Its session may show it now.
    Yes,
    /// All of the user's sessions were ended since the request began.
    Refused,
    /// Later logins took its place.
    Outnumbered,
}

/// What came of settling a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// It counts. These are too many now.
    Yes(Vec<Entry>),
    /// All of the user's sessions were ended since the request began.
    Refused,
    /// Later logins took its place.
    Outnumbered,
}

/// The deadline under which an era is listed: its own, moved up to a multiple of a tenth of the idle timeout, so that of
/// many slides few move it. Never past the hard deadline.
#[must_use]
pub fn listed_until(era: &Era) -> Timestamp {
    rounded(era.deadline(), era.idle_timeout(), era.hard_deadline())
}

/// The deadline under which an era is to be listed before these changes are committed to it; that of the era which they open,
/// where they do.
#[must_use]
pub fn to_be_listed_until(era: &Era, changes: &Changes) -> Timestamp {
    let idle = changes.idle_timeout.unwrap_or(era.idle_timeout());
    let seen = changes.last_seen.map_or(era.last_seen(), |seen| seen.max(era.last_seen()));
    let (seen, hard) = match changes.new_era() {
        Some(new) => (seen.max(changes.operation().at()), new.hard_deadline),
        None => (seen, era.hard_deadline()),
    };
    rounded((seen + idle).min(hard), idle, hard)
}

fn rounded(deadline: Timestamp, idle: Duration, hard: Timestamp) -> Timestamp {
    let step = u64::try_from(idle.as_millis() / 10).unwrap_or(u64::MAX).max(1);
    let until = deadline.as_millis().div_ceil(step).saturating_mul(step);
    Timestamp::from_millis(until).min(hard).max(deadline)
}
