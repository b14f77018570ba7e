//! Has anything been said, since a mark was taken, that a session may have changed?
//!
//! A counter for each bucket of keys grows whenever a session of the bucket may have changed; a mark is its reading. Two keys of one bucket cost each other a miss, never a stale hit.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use abide_core::SessionKey;
use foldhash::fast::RandomState;

const BUCKETS: usize = 4096;

/// A reading of the counter of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Mark {
    bucket: usize,
    count: u64,
    changes_of_all: u64,
    pub(super) taken: Instant,
}

#[derive(Debug)]
pub(super) struct Marks {
    hasher: RandomState,
    buckets: Box<[AtomicU64]>,
    /// Grows when anything at all may have changed.
    all: AtomicU64,
}

impl Marks {
    pub(super) fn new() -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Self { hasher: RandomState::default(), buckets, all: AtomicU64::new(0) }
    }

    pub(super) fn of(&self, key: &SessionKey) -> Mark {
        let bucket = self.bucket(key);
        let changes_of_all = self.all.load(Ordering::SeqCst);
        let count = self.buckets[bucket].load(Ordering::SeqCst);
        Mark { bucket, count, changes_of_all, taken: Instant::now() }
    }

    /// Whether nothing was said since.
    pub(super) fn hold(&self, mark: Mark) -> bool {
        self.all.load(Ordering::SeqCst) == mark.changes_of_all
            && self.buckets[mark.bucket].load(Ordering::SeqCst) == mark.count
    }

    /// The session may have changed: no mark of it holds any longer.
    pub(super) fn change(&self, key: &SessionKey) {
        self.buckets[self.bucket(key)].fetch_add(1, Ordering::SeqCst);
    }

    /// Every session may have changed.
    pub(super) fn change_all(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets no other mark hold, and answers the one that does; `None` where this one did not hold any longer.
    pub(super) fn advance(&self, mark: Mark) -> Option<Mark> {
        let next = Mark { count: mark.count + 1, ..mark };
        self.buckets[mark.bucket]
            .compare_exchange(mark.count, next.count, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok_and(|_| self.hold(next))
            .then_some(next)
    }

    fn bucket(&self, key: &SessionKey) -> usize {
        (self.hasher.hash_one(key) % BUCKETS as u64) as usize
    }
}
