//! How much a store may hold, and what it holds.
//!
//! **Invariant.** What is counted is never less than what is held, and never more than the bound: room is reserved
//! before a record goes in, and given back after one went out.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the counts, and reservations |
//! | `idle` | of one shard: which anonymous session is idle the longest |

mod idle;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use abide_core::Timestamp;

pub(crate) use idle::{IdleOrder, Turn};

use crate::SHARDS;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// How often a store at its bound looks for sessions that expired and were not swept yet.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the log is told that sessions are evicted.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Less than any record weighs: how many sessions there may be below a bound on bytes alone.
const LEAST_WEIGHT: usize = 128;

/// The largest numbers of sessions and of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) sessions: usize,
    pub(crate) bytes: usize,
}

impl Amount {
    pub(crate) const UNBOUNDED: Self = Self { sessions: usize::MAX, bytes: usize::MAX };

    /// A new session.
    pub(crate) const fn session(weight: usize) -> Self {
        Self { sessions: 1, bytes: weight }
    }

    /// What a session of weight `old` grows by.
    pub(crate) const fn growth(old: usize, new: usize) -> Self {
        Self { sessions: 0, bytes: new.saturating_sub(old) }
    }
}

/// The counts of a bounded store.
#[derive(Debug)]
pub(crate) struct Bounds {
    most: Amount,
    sessions: AtomicUsize,
    bytes: AtomicUsize,
    /// Of each shard, a moment before which none of its anonymous sessions was seen last. Set under the shard's lock.
    floors: [AtomicU64; SHARDS],
    evicted: AtomicU64,
    looked: AtomicU64,
    warned: AtomicU64,
}

impl Bounds {
    pub(crate) fn new(most: Amount) -> Self {
        Self {
            most,
            sessions: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            floors: std::array::from_fn(|_| AtomicU64::new(u64::MAX)),
            evicted: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            warned: AtomicU64::new(0),
        }
    }

    /// Reserves room, where there is enough.
    pub(crate) fn reserve(&self, amount: Amount) -> Option<Reserved<'_>> {
        if !add_below(&self.sessions, amount.sessions, self.most.sessions) {
            return None;
        }
        if !add_below(&self.bytes, amount.bytes, self.most.bytes) {
            self.sessions.fetch_sub(amount.sessions, Ordering::SeqCst);
            return None;
        }
        Some(Reserved { bounds: self, amount })
    }

    pub(crate) fn release(&self, amount: Amount) {
        self.sessions.fetch_sub(amount.sessions, Ordering::SeqCst);
        self.bytes.fetch_sub(amount.bytes, Ordering::SeqCst);
    }

    /// Whether there is room now. Another may take it.
    pub(crate) fn has_room(&self, amount: Amount) -> bool {
        self.reserve(amount).is_some()
    }

    /// Whether there would be room in an empty store.
    pub(crate) fn could_hold(&self, amount: Amount) -> bool {
        amount.sessions <= self.most.sessions && amount.bytes <= self.most.bytes
    }

    /// How many ends each shard remembers at the most.
    pub(crate) fn ends_per_shard(&self) -> usize {
        self.most.sessions.min(self.most.bytes / LEAST_WEIGHT).div_ceil(SHARDS).max(16)
    }

    pub(crate) fn floor(&self, shard: usize) -> &AtomicU64 {
        &self.floors[shard]
    }

    /// Whether it is time to look for expired sessions again. Answers so once an interval.
    pub(crate) fn is_time_to_look(&self, now: Timestamp) -> bool {
        once_every(&self.looked, LOOK_EVERY, now)
    }

    /// Counts an eviction.
    pub(crate) fn count_eviction(&self, now: Timestamp) {
        let evicted = self.evicted.fetch_add(1, Relaxed) + 1;
        if once_every(&self.warned, WARN_EVERY, now) {
            tracing::warn!(
                target: "abide",
                evicted,
                "the store is at its bound: the longest idle sessions that nobody is signed in to are dropped"
            );
        }
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }
}

/// Room that was reserved: given back unless it is kept.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reserved<'a> {
    bounds: &'a Bounds,
    amount: Amount,
}

impl Reserved<'_> {
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.bounds.release(self.amount);
    }
}

fn add_below(count: &AtomicUsize, amount: usize, most: usize) -> bool {
    let add = |held: usize| held.checked_add(amount).filter(|sum| *sum <= most);
    amount == 0 || count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add).is_ok()
}

/// Whether the interval since the last time is over; then `now` is the last time.
fn once_every(last: &AtomicU64, interval: Duration, now: Timestamp) -> bool {
    let due = |last: u64| {
        let last = Timestamp::from_millis(last);
        // A clock that was set back must not silence it.
        (last + interval <= now || now < last).then_some(now.as_millis())
    };
    last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, due).is_ok()
}
