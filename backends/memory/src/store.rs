//! The [`SessionStore`] over the shards and the users.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::{
    Capabilities, Changes, Clock, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Page, Peek, Readiness, Record, SessionKey, SessionStore,
    SystemClock, Timestamp, UserPage, UserSession, Version,
};
use async_trait::async_trait;

use crate::shard::{Shard, is_of};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::users::Users;

/// Many more than cores, so that two requests seldom want one; a power of two, so that a mask picks one.
const SHARDS: usize = 64;

/// No clock's cheap reading lags by more; past that it was set back, and nobody waits for it to come again.
const LONGEST_TICK: Duration = Duration::from_millis(20);

/// Sessions in this process. See the [crate](crate) for what that means.
///
/// A clone is the same store.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    shards: [Mutex<Shard>; SHARDS],
    users: Users,
    clock: Arc<dyn Clock>,
}

/// Makes a [`MemoryStore`].
#[derive(Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Arc<dyn Clock>,
}

impl MemoryStoreBuilder {
    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// An empty store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore(Arc::new(Inner {
            shards: std::array::from_fn(|_| Mutex::default()),
            users: Users::default(),
            clock: self.clock,
        }))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with other parts.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder { clock: Arc::new(SystemClock) }
    }

    /// How many sessions are held. One that expired counts until it is swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards().map(|shard| shard.held()).sum()
    }

    /// Whether no session is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets go of every session that is past its deadline by ten seconds or more, and answers how many.
    pub fn sweep(&self) -> usize {
        let now = self.now();
        self.0.users.sweep(now);
        self.shards().map(|mut shard| shard.sweep(&self.0.users, now)).sum()
    }

    /// Sweeps at once and then every `interval`, on the current runtime, until the last clone of the store is gone.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and where `interval` is zero.
    pub fn keep_swept(&self, interval: Duration) {
        let store = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            loop {
                ticks.tick().await;
                let Some(inner) = store.upgrade() else { return };
                MemoryStore(inner).sweep();
            }
        });
    }

    /// The time by which sessions are judged.
    fn now(&self) -> Timestamp {
        self.0.clock.recent()
    }

    /// Waits until the clock's cheap reading has come to `barrier`, which is a moment away: a login that begins after
    /// the answer must not be taken for one that began before the question.
    async fn come_to(&self, barrier: Timestamp) {
        let since = Instant::now();
        while self.now() < barrier && since.elapsed() < LONGEST_TICK {
            tokio::task::yield_now().await;
        }
    }

    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        lock(&self.0.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.0.shards.iter().map(lock)
    }

    fn commit_now(
        &self,
        key: &SessionKey,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let now = self.now();
        self.shard(key).commit(key, changes, options, &self.0.users, now)
    }

    fn user_session(&self, key: SessionKey, user: &str) -> Option<UserSession> {
        let loaded = self.shard(&key).load(&key, self.now()).filter(|loaded| is_of(&loaded.record, user))?;
        UserSession::of(key, &loaded.record)
    }
}

/// A panic under a shard's lock cannot leave it half changed in a way that its methods do not mend: a key that is
/// filed without a slot is skipped.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let now = self.now();
        self.shard(key).create(key, record, options, &self.0.users, now)
    }

    async fn load(&self, key: &SessionKey, _options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        Ok(self.shard(key).load(key, self.now()))
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        match self.shard(key).load(key, self.now()) {
            Some(loaded) => Peek::Found(loaded),
            None => Peek::Absent,
        }
    }

    async fn commit(
        &self,
        key: &SessionKey,
        _version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        self.commit_now(key, changes, options)
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        _version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        Some(self.commit_now(key, changes, options))
    }

    async fn end(
        &self,
        key: &SessionKey,
        _reason: EndReason,
        _options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        let now = self.now();
        Ok(EndOutcome::new(self.shard(key).end(key, &self.0.users, now)))
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        let limit = page.limit.max(1);
        let (mut sessions, mut after) = (Vec::new(), page.after);
        // Sessions that expired and were not swept yet leave gaps; a page without any must not look like the last.
        loop {
            let keys = self.0.users.sessions(user, after, limit);
            let full = keys.len() == limit;
            after = keys.last().copied();
            sessions.extend(keys.into_iter().filter_map(|key| self.user_session(key, user)));
            if !full || !sessions.is_empty() {
                return Ok(UserPage::new(sessions, after.filter(|_| full)));
            }
        }
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let now = self.now();
        let barrier = self.0.clock.now();
        let keys = self.0.users.raise(user, barrier);
        let others = keys.into_iter().filter(|key| Some(*key) != options.except);
        let ended =
            others.map(|key| u64::from(self.shard(&key).end_of(&key, user, &self.0.users, now))).sum();
        self.come_to(barrier).await;
        Ok(ended)
    }

    async fn end_all(&self, _reason: EndReason) -> Result<u64, Error> {
        let now = self.now();
        let barrier = self.0.clock.now();
        self.0.users.raise_all(barrier);
        let ended = self.shards().map(|mut shard| shard.end_all(&self.0.users, now)).sum();
        self.come_to(barrier).await;
        Ok(ended)
    }

    async fn ready(&self) -> Readiness {
        Readiness::Ready
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().peeks(true)
    }

    async fn drain(&self, _deadline: Duration) -> Result<Drained, Error> {
        let now = self.now();
        self.sweep();
        let left: usize = self.shards().map(|shard| shard.live(now)).sum();
        Ok(Drained::new(0, left as u64))
    }
}
