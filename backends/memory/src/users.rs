//! Which sessions a user has, and since when logins count.
//!
//! **Invariant.** A live session with a user is in that user's list: it is entered under the lock of its shard before
//! the record is, and leaves after the record left. "End all of a user" raises the barrier and takes the list in one
//! step under this lock, so a login is either refused by the barrier or found in the list.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind, SessionKey, Timestamp};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How long a barrier stands: longer than any request that began before it.
const BARRIER_STANDS: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
struct User {
    /// Logins of requests that began before this moment are refused.
    not_before: Timestamp,
    sessions: BTreeSet<SessionKey>,
}

#[derive(Debug, Default)]
struct Inner {
    users: HashMap<Arc<str>, User>,
    barriers: VecDeque<(Timestamp, Arc<str>)>,
    /// The barrier of "end all".
    not_before: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<Inner>);

impl Users {
    /// Enters a session of `user`, whose login's request began at `began`.
    pub(crate) fn enter(&self, user: &Arc<str>, key: SessionKey, began: Timestamp) -> Result<(), Error> {
        let mut inner = self.lock();
        if began < inner.not_before {
            return Err(refused());
        }
        let entry = inner.users.entry(user.clone()).or_default();
        if began < entry.not_before {
            return Err(refused());
        }
        entry.sessions.insert(key);
        Ok(())
    }

    /// Refuses what began before the barrier of "end all"; for sessions without a user.
    pub(crate) fn admit(&self, began: Timestamp) -> Result<(), Error> {
        if began < self.lock().not_before {
            return Err(refused());
        }
        Ok(())
    }

    pub(crate) fn leave(&self, user: &str, key: SessionKey) {
        let mut inner = self.lock();
        if let Some(entry) = inner.users.get_mut(user) {
            entry.sessions.remove(&key);
            if entry.sessions.is_empty() && entry.not_before == Timestamp::default() {
                inner.users.remove(user);
            }
        }
    }

    /// Raises the barrier of `user`, and answers the sessions that are below it.
    pub(crate) fn raise(&self, user: &str, now: Timestamp) -> Vec<SessionKey> {
        let mut inner = self.lock();
        let name: Arc<str> = user.into();
        let entry = inner.users.entry(name.clone()).or_default();
        entry.not_before = entry.not_before.max(now);
        let sessions = entry.sessions.iter().copied().collect();
        inner.barriers.push_back((now, name));
        sessions
    }

    /// Raises the barrier of everybody.
    pub(crate) fn raise_all(&self, now: Timestamp) {
        let mut inner = self.lock();
        inner.not_before = inner.not_before.max(now);
    }

    /// Up to `limit` sessions of `user` after `after`, in the order of their keys.
    pub(crate) fn sessions(&self, user: &str, after: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let inner = self.lock();
        let Some(entry) = inner.users.get(user) else {
            return Vec::new();
        };
        let start = after.map_or(Unbounded, Excluded);
        entry.sessions.range((start, Unbounded)).take(limit).copied().collect()
    }

    /// Drops barriers that no request in flight can meet any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let mut inner = self.lock();
        while let Some((raised, name)) = inner.barriers.front() {
            if *raised + BARRIER_STANDS > now {
                break;
            }
            let (raised, name) = (*raised, name.clone());
            inner.barriers.pop_front();
            if let Some(entry) = inner.users.get_mut(&name) {
                if entry.not_before <= raised {
                    entry.not_before = Timestamp::default();
                }
                if entry.sessions.is_empty() && entry.not_before == Timestamp::default() {
                    inner.users.remove(&name);
                }
            }
        }
    }

    /// A panic under the lock cannot leave the lists half changed: each change is one call of a collection.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::Superseded, "all sessions were ended after this request began")
}
