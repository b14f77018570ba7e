//! What this process ended, for as long as the tombstones live.
//!
//! A failover may lose a tombstone, and with it bring a session back. So this process refuses what it ended itself, also
//! without the server, and writes each tombstone again after every change of master.
//!
//! **Bound.** A million ends, about 50 MB; of more in eleven minutes the oldest are left to the server alone.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::{EndReason, SessionKey, Timestamp};
use foldhash::HashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an end is remembered, here and in the server: the ten minutes of the contract, and one more, for the two
/// clocks do not start at the same moment.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(11 * 60);
/// So that two requests seldom want one lock.
const SHARDS: usize = 16;
const MOST: usize = 1 << 20;

/// One end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) key: SessionKey,
    pub(crate) at: Timestamp,
    pub(crate) reason: EndReason,
    until: Instant,
    /// Whether the server said that it has it. Otherwise it may have, and is told again with the others.
    is_sure: bool,
}

impl End {
    /// How long its tombstone is still to live.
    pub(crate) fn life(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

#[derive(Debug)]
pub(crate) struct Ended {
    shards: [Mutex<Shard>; SHARDS],
    doubts: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    ends: HashMap<SessionKey, End>,
    /// In the order of `until`.
    order: VecDeque<(Instant, SessionKey)>,
}

impl Ended {
    pub(crate) fn new() -> Self {
        Self { shards: Default::default(), doubts: Notify::new() }
    }

    /// Remembers an end that the server has.
    pub(crate) fn remember(&self, key: &SessionKey, at: Timestamp, reason: EndReason) -> End {
        self.put(End { key: *key, at, reason, until: Instant::now() + REMEMBERED, is_sure: true })
    }

    /// Remembers an end of which no answer came.
    pub(crate) fn doubt(&self, key: &SessionKey, at: Timestamp, reason: EndReason) {
        if !self.contains(key) {
            self.put(End { key: *key, at, reason, until: Instant::now() + REMEMBERED, is_sure: false });
            self.doubts.notify_one();
        }
    }

    /// Resolves where an end came to be in doubt since this resolved last.
    pub(crate) async fn doubted(&self) {
        self.doubts.notified().await;
    }

    /// That the server has an end that it was told again.
    pub(crate) fn confirm(&self, end: &End) {
        if let Some(held) = self.shard(&end.key).ends.get_mut(&end.key) {
            held.is_sure = true;
        }
    }

    fn put(&self, end: End) -> End {
        let mut shard = self.shard(&end.key);
        shard.forget(MOST / SHARDS);
        shard.order.push_back((end.until, end.key));
        shard.ends.insert(end.key, end);
        end
    }

    /// Whether a session surely was ended here.
    pub(crate) fn contains(&self, key: &SessionKey) -> bool {
        let now = Instant::now();
        self.shard(key).ends.get(key).is_some_and(|end| end.is_sure && end.until > now)
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).ends.len()).sum()
    }

    /// All that are remembered.
    pub(crate) fn all(&self) -> Vec<End> {
        let of = |shard: &Mutex<Shard>| {
            let mut shard = lock(shard);
            shard.forget(usize::MAX);
            shard.ends.values().copied().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// Those that the server is to be told again, for no answer came.
    pub(crate) fn in_doubt(&self) -> Vec<End> {
        let mut ends = self.all();
        ends.retain(|end| !end.is_sure);
        ends
    }

    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }
}

impl Shard {
    /// Forgets what is past its time, and the oldest where there are `most` or more.
    fn forget(&mut self, most: usize) {
        let now = Instant::now();
        while let Some((until, key)) = self.order.front().copied() {
            if until > now && self.order.len() < most {
                return;
            }
            self.order.pop_front();
            // One that was ended again since has a later place.
            if self.ends.get(&key).is_some_and(|end| end.until == until) {
                self.ends.remove(&key);
            }
        }
    }
}

/// A panic leaves at the worst an end without its place in the order.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_remembered_for_as_long_as_its_tombstone_lives_and_no_longer() {
        let (ended, key) = (Ended::new(), SessionKey::from_bytes([7; 16]));
        assert!(!ended.contains(&key));
        ended.remember(&key, Timestamp::from_millis(5), EndReason::LoggedOut);
        tokio::time::advance(REMEMBERED / 2).await;
        // Ended once more: it counts from there.
        ended.remember(&key, Timestamp::from_millis(6), EndReason::LoggedOut);
        tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
        assert!(ended.contains(&key));
        assert_eq!(ended.all().iter().map(|end| end.life()).collect::<Vec<_>>(), [Duration::from_millis(1)]);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!ended.contains(&key) && ended.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_in_doubt_refuses_nobody_until_the_server_has_it() {
        let (ended, key) = (Ended::new(), SessionKey::from_bytes([7; 16]));
        ended.doubt(&key, Timestamp::from_millis(5), EndReason::LoggedOut);
        assert!(!ended.contains(&key), "nobody knows whether it happened");
        ended.doubted().await;
        let [end] = ended.in_doubt()[..] else { panic!("it is not told again") };
        ended.confirm(&end);
        assert!(ended.contains(&key) && ended.in_doubt().is_empty());
        ended.doubt(&key, Timestamp::from_millis(6), EndReason::LoggedOut);
        assert!(ended.contains(&key), "what is sure is not in doubt any more");
    }
}
