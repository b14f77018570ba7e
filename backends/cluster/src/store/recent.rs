//! The sessions of users that were answered lately: by them a commit tells whether the list of the user must hear of it.
//!
//! A record here may be old. Within one era its user is the same, and a deadline that moved since costs one edit of the list
//! too many.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_core::{Era, Loaded, Record, SessionKey};

/// Of how many sessions: a request seldom lasts longer than so many others take.
const MOST: usize = 4_096;

/// The records, the longest-held of which go first.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    records: HashMap<SessionKey, Arc<Record>>,
    /// In the order in which they came, each once.
    order: VecDeque<SessionKey>,
}

impl Recent {
    pub(super) fn get(&self, key: &SessionKey) -> Option<Arc<Record>> {
        self.lock().records.get(key).cloned()
    }

    /// Notes a session, where it has a user.
    pub(super) fn note(&self, key: &SessionKey, loaded: &Loaded) {
        if loaded.record.era().and_then(Era::user).is_none() {
            return;
        }
        let mut held = self.lock();
        if held.records.insert(*key, loaded.record.clone()).is_none() {
            held.order.push_back(*key);
        }
        while held.order.len() > MOST {
            let oldest = held.order.pop_front();
            oldest.and_then(|oldest| held.records.remove(&oldest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic leaves at the worst a record without its place in the order: one too many.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
