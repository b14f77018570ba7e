//! Which sessions a user has, and since when logins count.
//!
//! **Invariant.** A live session with a user is in that user's list: it is entered under the lock of its shard before
//! the record is, and leaves after the record left. "End all of a user" raises the barrier and takes the list in one
//! step under this lock, so a login is either refused by the barrier or found in the list.
//!
//! **Invariant.** Of a user whose logins have a limit no more than that many count: a login marks those that are too
//! many in the step that enters it, and whoever marked them ends them. So logins at the same time agree on who stays.

mod logins;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Era, Error, ErrorKind, SessionKey, Timestamp};

use crate::shrink::shrink_if_sparse;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::table::Table;
use logins::{Login, Logins};

/// How long a barrier stands: longer than any request that began before it.
const BARRIER_STANDS: Duration = Duration::from_secs(600);
/// So that logins of different users seldom want one lock, and no table is so large that its growth holds up everybody.
const PARTS: usize = 16;

/// A login as its request knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewLogin {
    /// When the request began.
    pub(crate) began: Timestamp,
    /// How many sessions the user may have.
    pub(crate) limit: Option<NonZeroUsize>,
    /// Whether the session was this user's before: then no barrier is in its way.
    pub(crate) stays: bool,
}

#[derive(Debug, Default)]
struct Part {
    users: Table<Arc<str>, Logins, RandomState>,
    /// Logins of requests that began before these moments are refused.
    barriers: HashMap<Arc<str>, Timestamp>,
    /// When each barrier was raised first, in that order.
    raised: VecDeque<(Timestamp, Arc<str>)>,
}

#[derive(Debug)]
pub(crate) struct Users {
    parts: [Mutex<Part>; PARTS],
    picks: RandomState,
    /// The barrier of "end all", in milliseconds.
    not_before: AtomicU64,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            picks: RandomState::new(),
            not_before: AtomicU64::new(0),
        }
    }
}

impl Users {
    /// Enters a session of `user` that signed in at `at`. Answers the sessions that are too many then: the caller ends
    /// them.
    pub(crate) fn enter(
        &self,
        user: &Arc<str>,
        key: SessionKey,
        at: Timestamp,
        login: NewLogin,
    ) -> Result<Vec<SessionKey>, Error> {
        let mut part = self.part(user);
        let barrier = part.barriers.get(user).copied().unwrap_or_default();
        if !login.stays && login.began < barrier.max(self.not_before()) {
            return Err(refused());
        }
        let place = part.users.position(&**user);
        let place = place.unwrap_or_else(|| part.users.insert(user.clone(), Logins::default()));
        let Some(logins) = part.users.at_mut(place) else { return Ok(Vec::new()) };
        if logins.get(&key).is_some_and(|held| held.outnumbered) {
            return Err(Error::new(ErrorKind::Ended, "later logins took its place"));
        }
        logins.put(key, Login { at, outnumbered: false });
        Ok(login.limit.map_or_else(Vec::new, |limit| logins.outnumber(&key, limit.get())))
    }

    /// Refuses what began before the barrier of "end all"; for sessions without a user.
    ///
    /// The barrier is raised before any shard is looked through, and read under a shard's lock: a session is refused,
    /// or found.
    pub(crate) fn admit(&self, began: Timestamp) -> Result<(), Error> {
        if began < self.not_before() { Err(refused()) } else { Ok(()) }
    }

    pub(crate) fn leave(&self, user: &str, key: &SessionKey) {
        let mut part = self.part(user);
        let Some(logins) = part.users.get_mut(user) else { return };
        logins.remove(key);
        if logins.is_empty() {
            part.users.remove(user);
            part.users.shrink_if_sparse();
        }
    }

    /// Raises the barrier of `user`, and answers the sessions that are below it.
    pub(crate) fn raise(&self, user: &str, now: Timestamp) -> Vec<SessionKey> {
        let mut part = self.part(user);
        part.raise(user.into(), now);
        part.users.get(user).map_or_else(Vec::new, |logins| logins.keys(None, usize::MAX))
    }

    /// Raises the barrier of everybody.
    pub(crate) fn raise_all(&self, now: Timestamp) {
        self.not_before.fetch_max(now.as_millis(), Ordering::SeqCst);
    }

    /// Up to `limit` sessions of `user` after `after`, in the order of their keys.
    pub(crate) fn sessions(&self, user: &str, after: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        self.part(user).users.get(user).map_or_else(Vec::new, |logins| logins.keys(after, limit))
    }

    /// How many sessions of `user` count.
    pub(crate) fn count(&self, user: &str) -> usize {
        self.part(user).users.get(user).map_or(0, Logins::count)
    }

    /// Drops barriers that no request in flight can meet any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.parts.iter().for_each(|part| lock(part).sweep(now));
    }

    /// The barriers that stand.
    pub(crate) fn barriers(&self) -> Vec<(Arc<str>, Timestamp)> {
        let of = |part: &Mutex<Part>| -> Vec<_> {
            lock(part).barriers.iter().map(|(user, at)| (user.clone(), *at)).collect()
        };
        self.parts.iter().flat_map(of).collect()
    }

    /// The barrier of everybody, zero where none was raised.
    pub(crate) fn not_before(&self) -> Timestamp {
        Timestamp::from_millis(self.not_before.load(Ordering::SeqCst))
    }

    fn part(&self, user: &str) -> MutexGuard<'_, Part> {
        lock(&self.parts[self.picks.hash_one(user) as usize % PARTS])
    }
}

impl Part {
    fn raise(&mut self, user: Arc<str>, now: Timestamp) {
        match self.barriers.get_mut(&user) {
            // It stays in its place in the order, and is looked at again when its time comes.
            Some(barrier) => *barrier = (*barrier).max(now),
            None => {
                self.raised.push_back((now, user.clone()));
                self.barriers.insert(user, now);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.users.is_empty() {
            self.users.shrink();
        }
        let is_old = |(raised, _): &(Timestamp, _)| *raised + BARRIER_STANDS <= now;
        while self.raised.front().is_some_and(is_old) {
            let Some((first, user)) = self.raised.pop_front() else { return };
            let barrier = self.barriers.get(&user).copied().unwrap_or(first);
            if barrier > first {
                self.raised.push_back((barrier, user));
            } else {
                self.barriers.remove(&user);
                shrink_if_sparse(&mut self.barriers);
            }
        }
    }
}

/// A panic under the lock cannot leave the lists half changed: each change is one call of a collection.
fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the user of an era proved who they are.
pub(crate) fn login_of(era: &Era) -> Timestamp {
    era.authenticated_at().unwrap_or_default()
}

fn refused() -> Error {
    Error::new(ErrorKind::Superseded, "all sessions were ended after this request began")
}
