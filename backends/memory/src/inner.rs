//! The shards, the users and the bounds: what a store is.
//!
//! **Locks.** The door, then one shard, then one part of the users; never two shards at once, and none of them the
//! other way round. What needs several shards takes them one after the other: it decides where one lock is held (the
//! barrier of a user, the marks of a login beyond the limit, a reservation of room) and carries it out shard by shard.
//! The door is held for reading by what must not see a store that is frozen in one shard and not in another; freezing
//! holds it for writing.

use std::sync::Arc;

use abide_core::{Clock, Error, ErrorKind, Loaded, SessionKey, Timestamp};

use crate::SHARDS;
use crate::bounds::{Amount, Bounds};
use crate::shard::{Context, Refusal, Shard, drained};
use crate::snapshot::SnapshotFile;
use crate::sync::{Mutex, MutexGuard, Ordering, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::users::Users;

/// How often room is made for one write before it is refused: each time another took what was free.
const MOST_ATTEMPTS: usize = 100;
/// How many keys one look at a shard sweeps: few enough that nobody waits for long.
const SWEPT_AT_ONCE: usize = 1_000;

pub(crate) struct Inner {
    shards: [Mutex<Shard>; SHARDS],
    pub(crate) users: Users,
    pub(crate) bounds: Option<Bounds>,
    clock: Arc<dyn Clock>,
    /// Whether the store is frozen.
    door: RwLock<bool>,
    pub(crate) snapshot: Option<Arc<SnapshotFile>>,
}

impl Inner {
    pub(crate) fn new(clock: Arc<dyn Clock>, most: Amount, snapshot: Option<Arc<SnapshotFile>>) -> Self {
        Self {
            shards: std::array::from_fn(|index| Mutex::new(Shard::new(index))),
            users: Users::default(),
            bounds: (most != Amount::UNBOUNDED).then(|| Bounds::new(most)),
            clock,
            door: RwLock::new(false),
            snapshot,
        }
    }

    /// The time by which sessions are judged.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.recent()
    }

    /// The time of a barrier: no request that begins later may read an earlier one.
    pub(crate) fn exact_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn context(&self, now: Timestamp) -> Context<'_> {
        Context { users: &self.users, bounds: self.bounds.as_ref(), now }
    }

    pub(crate) fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    /// A key's shard, and what its operations are done with. The clock is read under the lock: one who waited for it
    /// must not judge by a time at which a session was live that another has seen over.
    pub(crate) fn judged(&self, key: &SessionKey) -> (MutexGuard<'_, Shard>, Context<'_>) {
        let shard = self.shard(key);
        (shard, self.context(self.now()))
    }

    pub(crate) fn load(&self, key: &SessionKey) -> Option<Loaded> {
        let (shard, context) = self.judged(key);
        shard.load(key, context.now)
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock)
    }

    /// Lets go of what is past its deadline, a part of a shard at a time.
    pub(crate) fn sweep(&self, now: Timestamp) -> usize {
        let context = self.context(now);
        self.users.sweep(now);
        let mut expired = 0;
        for shard in &self.shards {
            loop {
                let mut shard = lock(shard);
                let swept = shard.sweep(SWEPT_AT_ONCE, context);
                expired += swept.expired;
                if swept.done {
                    shard.give_back();
                    break;
                }
            }
        }
        expired
    }

    /// Passes what spans several shards, unless the store is frozen.
    pub(crate) fn pass_the_door(&self) -> Result<RwLockReadGuard<'_, bool>, Error> {
        let frozen = self.door.read().unwrap_or_else(PoisonError::into_inner);
        if *frozen { Err(drained()) } else { Ok(frozen) }
    }

    /// Refuses every write from now on, or no more. Whatever was under way is done once this answers.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        let mut door: RwLockWriteGuard<'_, bool> = self.door.write().unwrap_or_else(PoisonError::into_inner);
        self.shards().for_each(|mut shard| shard.set_frozen(frozen));
        *door = frozen;
    }

    /// Does a write to a session, and makes room where that is all it wants.
    pub(crate) fn write(
        &self,
        key: &SessionKey,
        mut write: impl FnMut(&mut Shard, Context<'_>) -> Result<Loaded, Refusal>,
    ) -> Result<Loaded, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let (mut shard, context) = self.judged(key);
            let answer = write(&mut shard, context);
            drop(shard);
            match answer {
                Ok(loaded) => return Ok(loaded),
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::NoRoom(amount)) => self.make_room(amount, key, context)?,
            }
        }
        Err(ErrorKind::Full.into())
    }

    /// Lets sessions go until there is room: first what expired, then whoever is idle the longest of those that nobody
    /// is signed in to, but for `spared`, the session that wants it.
    fn make_room(&self, amount: Amount, spared: &SessionKey, context: Context<'_>) -> Result<(), Error> {
        let Some(bounds) = context.bounds.filter(|bounds| bounds.could_hold(amount)) else {
            return Err(ErrorKind::Full.into());
        };
        if bounds.is_time_to_look(context.now) {
            self.shards().for_each(|mut shard| shard.sweep_exactly(context));
        }
        while !bounds.has_room(amount) {
            let evicted = bounds.evicted();
            let found = self.evict_one(bounds, spared, context);
            // Where others evicted meanwhile, those that took their places were not looked at.
            if !found && bounds.evicted() == evicted && !bounds.has_room(amount) {
                return Err(ErrorKind::Full.into());
            }
        }
        Ok(())
    }

    /// Evicts the session that is idle the longest in the whole store. Answers whether there was one to evict.
    ///
    /// The floors say where to look first. One that was found is the longest idle of all when no other floor is below
    /// it; each look raises a floor to the truth, so it is seldom more than one.
    fn evict_one(&self, bounds: &Bounds, spared: &SessionKey, context: Context<'_>) -> bool {
        let mut floors: [u64; SHARDS] =
            std::array::from_fn(|shard| bounds.floor(shard).load(Ordering::SeqCst));
        loop {
            let lowest = (0..SHARDS).min_by_key(|shard| floors[*shard]).unwrap_or_default();
            if floors[lowest] == u64::MAX {
                return false;
            }
            let mut shard = lock(&self.shards[lowest]);
            let found = shard.longest_idle(spared, context);
            floors[lowest] = found.map_or(u64::MAX, |(since, _)| since.as_millis());
            if let Some((_, key)) =
                found.filter(|(since, _)| floors.iter().all(|floor| since.as_millis() <= *floor))
            {
                shard.evict(&key, context);
                return true;
            }
        }
    }
}

/// A panic under a shard's lock cannot leave it half changed in a way that its methods do not mend: a key that is
/// filed without a slot is skipped.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
