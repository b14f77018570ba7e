//! The records that were answered lately: what a commit is made from without asking for it again.
//!
//! A record here may be old. Nothing is decided by it alone: a commit compares its stamp in the server, and whoever is
//! refused by an old record looks again. So it needs no invalidation, and no request ever reads from it.
//!
//! **Invariant.** The held records weigh no more than the bound; the longest-held go first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_core::{Loaded, SessionKey, Version};
use foldhash::HashMap;

/// So that two requests seldom want one lock.
const SHARDS: usize = 16;
/// What an entry costs beside its record, in bytes.
const OVERHEAD: usize = 400;

#[derive(Debug)]
pub(crate) struct Recent {
    shards: [Mutex<Shard>; SHARDS],
    /// How much each shard may hold.
    most: usize,
}

#[derive(Debug, Default)]
struct Shard {
    held: HashMap<SessionKey, Loaded>,
    /// In the order in which they came; one that was replaced since is here twice.
    order: VecDeque<(SessionKey, Version, usize)>,
    weight: usize,
}

impl Recent {
    /// Of `bytes` in all; zero holds nothing.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { shards: Default::default(), most: bytes / SHARDS }
    }

    pub(crate) fn get(&self, key: &SessionKey) -> Option<Loaded> {
        self.shard(key).held.get(key).cloned()
    }

    pub(crate) fn put(&self, key: &SessionKey, loaded: &Loaded) {
        let loaded = Loaded::new(loaded.record.clone(), loaded.version);
        let weight = loaded.record.weight() + OVERHEAD;
        let mut shard = self.shard(key);
        let known = shard.held.get(key).is_some_and(|held| held.version == loaded.version);
        if known || weight > self.most {
            return;
        }
        shard.order.push_back((*key, loaded.version, weight));
        shard.held.insert(*key, loaded);
        shard.weight += weight;
        while shard.weight > self.most {
            shard.drop_oldest();
        }
    }

    pub(crate) fn forget(&self, key: &SessionKey) {
        self.shard(key).held.remove(key);
    }

    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[usize::from(key.as_bytes()[0]) % SHARDS];
        // A panic leaves at the worst a record without its place in the order: it is replaced, and bounded by then.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn drop_oldest(&mut self) {
        let Some((key, version, weight)) = self.order.pop_front() else { return };
        self.weight -= weight;
        if self.held.get(&key).is_some_and(|held| held.version == version) {
            self.held.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use abide_core::{NewRecord, Record, Stamps, Timestamp, Token};

    use super::*;

    fn loaded(version: u128) -> Loaded {
        let (now, token) = (Timestamp::from_millis(1_000), Token::from_bytes([1; 32]));
        let record = Record::create(NewRecord::new(Stamps::new(7).next(now), [9; 16], token.verifier(), now));
        Loaded::new(Arc::new(record), Version(version))
    }

    #[test]
    fn the_longest_held_go_where_there_is_no_room() {
        let recent = Recent::new(SHARDS * 2 * (loaded(0).record.weight() + OVERHEAD));
        let keys = [1, 2, 3].map(|n| {
            let mut bytes = [0; 16];
            bytes[15] = n;
            SessionKey::from_bytes(bytes)
        });
        for (n, key) in keys.iter().enumerate() {
            recent.put(key, &loaded(n as u128));
        }
        assert_eq!(keys.map(|key| recent.get(&key).is_some()), [false, true, true]);
        // One that changes often does not drive the others out for good, and is held in its latest state.
        for version in 10..100 {
            recent.put(&keys[2], &loaded(version));
        }
        assert_eq!(recent.get(&keys[2]).unwrap().version, Version(99));
        assert!(recent.shard(&keys[2]).weight <= recent.most);
    }
}
