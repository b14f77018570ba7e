//! Where the sessions are that were here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_core::{SessionKey, Timestamp};
use tokio::sync::Notify;

/// A session that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct There {
    pub(super) envelope: SessionKey,
    /// As it was last known here.
    pub(super) deadline: Timestamp,
    /// The session is over by then, whoever has it.
    pub(super) hard_deadline: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// On its way: whoever wants it waits.
    Moving,
    There(There),
    /// Still here, and perhaps in an envelope too: its creation was not confirmed.
    Doubtful(There),
}

/// Where the sessions are that were here, and those that are about to leave.
#[derive(Debug, Default)]
pub(super) struct Places {
    places: Mutex<HashMap<SessionKey, Place>>,
    /// Whether there ever was one: as long as there was none, nobody takes the lock.
    any: AtomicBool,
    moved: Notify,
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// That a session is about to leave: from now on whoever misses it waits. Answers false for one that is gone, or
    /// about to.
    pub(super) fn begin(&self, key: SessionKey) -> bool {
        let mut places = self.lock();
        if matches!(places.get(&key), Some(Place::Moving | Place::There(_))) {
            return false;
        }
        places.insert(key, Place::Moving);
        self.any.store(true, Ordering::Release);
        true
    }

    /// That one that was handed over is about to come back.
    pub(super) fn comes_back(&self, key: SessionKey) {
        self.lock().insert(key, Place::Moving);
    }

    /// That it has arrived.
    pub(super) fn arrived(&self, key: SessionKey, there: There) {
        self.lock().insert(key, Place::There(there));
        self.moved.notify_waiters();
    }

    /// That it stays. Where an envelope may have been made all the same, an end must reach that too.
    pub(super) fn stays(&self, key: &SessionKey, perhaps: Option<There>) {
        {
            let mut places = self.lock();
            match perhaps {
                Some(there) => places.insert(*key, Place::Doubtful(there)),
                None => places.remove(key),
            };
        }
        self.moved.notify_waiters();
    }

    /// That another server's envelope is served from where it is.
    pub(super) fn serve(&self, key: SessionKey, there: There) {
        let mut places = self.lock();
        places.entry(key).or_insert(Place::There(there));
        self.any.store(true, Ordering::Release);
    }

    /// That its deadline moved.
    pub(super) fn slid(&self, key: &SessionKey, deadline: Timestamp) {
        if let Some(Place::There(there)) = self.lock().get_mut(key) {
            there.deadline = deadline;
        }
    }

    pub(super) fn forget(&self, key: &SessionKey) {
        self.lock().remove(key);
    }

    /// The envelope of a session, also one that may not have been made.
    pub(super) fn of(&self, key: &SessionKey) -> Option<There> {
        if self.is_empty() {
            return None;
        }
        match self.lock().get(key) {
            Some(Place::There(there) | Place::Doubtful(there)) => Some(*there),
            Some(Place::Moving) | None => None,
        }
    }

    /// The envelope that may have been made of a session that is still here.
    pub(super) fn doubtful(&self, key: &SessionKey) -> Option<There> {
        match self.lock().get(key) {
            Some(Place::Doubtful(there)) => Some(*there),
            _ => None,
        }
    }

    /// Where a session is once it has arrived: `None` for one that was not handed over.
    pub(super) async fn settled(&self, key: &SessionKey) -> Option<There> {
        if self.is_empty() {
            return None;
        }
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Before the look, so that no arrival is missed.
            moved.as_mut().enable();
            match self.lock().get(key) {
                Some(Place::There(there)) => return Some(*there),
                Some(Place::Doubtful(_)) | None => return None,
                Some(Place::Moving) => {}
            }
            moved.await;
        }
    }

    /// Waits until those that are on their way have arrived.
    pub(super) async fn all_settled(&self) {
        if self.is_empty() {
            return;
        }
        let moving: Vec<_> = {
            let places = self.lock();
            places.iter().filter(|(_, place)| matches!(place, Place::Moving)).map(|(key, _)| *key).collect()
        };
        for key in moving {
            self.settled(&key).await;
        }
    }

    /// Every session that was handed over.
    pub(super) fn there(&self) -> Vec<(SessionKey, There)> {
        if self.is_empty() {
            return Vec::new();
        }
        let places = self.lock();
        let there = places.iter().filter_map(|(key, place)| match place {
            Place::There(there) => Some((*key, *there)),
            _ => None,
        });
        there.collect()
    }

    /// Nothing that panics runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
