//! Of one shard: which anonymous session is idle the longest.
//!
//! The order is lazy: a session is filed once, and stays where it was filed however often it is used; when its turn
//! comes and it was used since, it is filed again. So a use costs nothing, and an entry 24 bytes.
//!
//! **Invariant.** In a bounded store each live session without a user has an entry, at a moment not after it was seen
//! last; and the shard's floor is not after any entry.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use abide_core::{SessionKey, Timestamp};

use crate::sync::{AtomicU64, Ordering};

/// Entries of sessions that are gone are dropped once they are this many more than those that are not.
const SLACK: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct IdleOrder(BinaryHeap<Reverse<(Timestamp, SessionKey)>>);

/// What an entry turns out to be when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The session is over, or somebody signed in.
    Gone,
    /// It was last used then.
    Used(Timestamp),
    /// It must not be evicted now.
    Spared,
}

impl IdleOrder {
    pub(crate) fn file(&mut self, key: SessionKey, last_seen: Timestamp, floor: &AtomicU64) {
        self.0.push(Reverse((last_seen, key)));
        self.set_floor(floor);
    }

    /// The session that is idle the longest, and since when.
    pub(crate) fn longest(
        &mut self,
        floor: &AtomicU64,
        mut look: impl FnMut(&SessionKey) -> Turn,
    ) -> Option<(Timestamp, SessionKey)> {
        let (mut spared, mut found) = (Vec::new(), None);
        while let Some(Reverse((filed, key))) = self.0.pop() {
            match look(&key) {
                Turn::Gone => {}
                Turn::Spared => spared.push(Reverse((filed, key))),
                Turn::Used(at) if at > filed => self.0.push(Reverse((at, key))),
                Turn::Used(_) => {
                    found = Some((filed, key));
                    self.0.push(Reverse((filed, key)));
                    break;
                }
            }
        }
        self.0.extend(spared);
        self.set_floor(floor);
        found
    }

    /// Drops the entries of sessions that are gone, where they are more than the `held` others.
    pub(crate) fn tidy(&mut self, held: usize, floor: &AtomicU64, mut look: impl FnMut(&SessionKey) -> Turn) {
        if self.0.len() <= held * 2 + SLACK {
            return;
        }
        self.0.retain(|Reverse((_, key))| look(key) != Turn::Gone);
        self.0.shrink_to(self.0.len() * 2);
        self.set_floor(floor);
    }

    fn set_floor(&self, floor: &AtomicU64) {
        let first = self.0.peek().map_or(u64::MAX, |Reverse((filed, _))| filed.as_millis());
        floor.store(first, Ordering::SeqCst);
    }

    /// Gives memory back.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}
