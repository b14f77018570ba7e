//! The [`SessionStore`] over the shards and the users.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, SystemClock, Timestamp, UserPage, UserSession, Version,
};
use async_trait::async_trait;

use crate::builder::MemoryStoreBuilder;
use crate::inner::Inner;
use crate::shard::is_of;
use crate::snapshot;

/// No clock's cheap reading lags by more; past that it was set back, and nobody waits for it to come again.
const LONGEST_TICK: Duration = Duration::from_millis(20);

/// Sessions in this process. See the [crate](crate) for what that means.
///
/// A clone is the same store.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store on the system's clock, without bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with other parts.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::new(Arc::new(SystemClock))
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    #[cfg(test)]
    pub(crate) fn of_shared(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// How many sessions are held. One that expired counts until it is swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.shards().map(|shard| shard.held()).sum()
    }

    /// Whether no session is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of all live sessions, for whoever hands them over.
    #[must_use]
    pub fn keys(&self) -> Vec<SessionKey> {
        let now = self.0.now();
        self.0.shards().flat_map(|shard| shard.live(now).map(|(key, _)| key).collect::<Vec<_>>()).collect()
    }

    /// Lets go of a live session without ending it, and answers its record: for whoever hands it over. Nothing is
    /// remembered of it, so [`create`](SessionStore::create) can bring it back here.
    ///
    /// `None` for a session that is missing, over or expired, and from a store that is frozen by its drain.
    #[must_use]
    pub fn release(&self, key: &SessionKey) -> Option<Arc<Record>> {
        let (mut shard, context) = self.0.judged(key);
        shard.release(key, context)
    }

    /// Whether an end is remembered under this key: then no creation of it is taken.
    #[must_use]
    pub fn remembers_end(&self, key: &SessionKey) -> bool {
        self.0.judged(key).0.is_over(key)
    }

    /// How many live sessions were dropped for want of room, since the store was made.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.0.bounds.as_ref().map_or(0, |bounds| bounds.evicted())
    }

    /// Lets go of every session that is past its deadline by ten seconds or more, and answers how many. No lock is held
    /// for longer than a thousand of them take.
    pub fn sweep(&self) -> usize {
        self.0.sweep(self.0.now())
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
                Self(inner).sweep();
            }
        });
    }

    /// Waits until the clock's cheap reading has come to `barrier`, which is a moment away: a login that begins after
    /// the answer must not be taken for one that began before the question.
    async fn come_to(&self, barrier: Timestamp) {
        let since = Instant::now();
        while self.0.now() < barrier && since.elapsed() < LONGEST_TICK {
            tokio::task::yield_now().await;
        }
    }

    fn end_user_now(&self, user: &str, options: &EndUserOptions, barrier: Timestamp) -> Result<u64, Error> {
        let _door = self.0.pass_the_door()?;
        let mut live = 0;
        for key in self.0.users.raise(user, barrier) {
            if Some(key) != options.except {
                let (mut shard, context) = self.0.judged(&key);
                live += u64::from(shard.end_of(&key, user, context)?);
            }
        }
        Ok(live)
    }

    fn end_all_now(&self, barrier: Timestamp) -> Result<u64, Error> {
        let _door = self.0.pass_the_door()?;
        self.0.users.raise_all(barrier);
        self.0.shards().map(|mut shard| shard.end_all(self.0.context(self.0.now()))).sum()
    }

    fn commit_now(
        &self,
        key: &SessionKey,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let user = changes.new_era().and_then(|new| new.who());
        self.log_in(user, options.user_limit, || {
            self.0.write(key, |shard, context| shard.commit(key, changes, options, context))
        })
    }

    fn user_session(&self, key: SessionKey, user: &str) -> Option<UserSession> {
        let loaded = self.0.load(&key).filter(|loaded| is_of(&loaded.record, user))?;
        UserSession::of(key, &loaded.record)
    }

    /// Does what may be a login of a user with a limit.
    ///
    /// Sessions of the user that expired go before, so that none counts. Those that the login outnumbered, it ends
    /// before it is answered.
    fn log_in(
        &self,
        user: Option<&Arc<str>>,
        limit: Option<NonZeroUsize>,
        write: impl FnOnce() -> Result<Loaded, Error>,
    ) -> Result<Loaded, Error> {
        let (Some(user), Some(limit)) = (user, limit) else { return write() };
        let _door = self.0.pass_the_door()?;
        if self.0.users.count(user) >= limit.get() {
            for key in self.0.users.sessions(user, None, usize::MAX) {
                let (mut shard, context) = self.0.judged(&key);
                shard.expire(&key, context);
            }
        }
        let loaded = write()?;
        for key in loaded.ended() {
            let (mut shard, context) = self.0.judged(key);
            shard.end_of(key, user, context)?;
        }
        Ok(loaded)
    }
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
        let record = Arc::new(record);
        let user = record.era().and_then(|era| era.user());
        self.log_in(user, options.user_limit, || {
            self.0.write(key, |shard, context| shard.create(key, &record, options, context))
        })
    }

    async fn load(&self, key: &SessionKey, _options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        Ok(self.0.load(key))
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        self.0.load(key).map_or(Peek::Absent, Peek::Found)
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
        let (mut shard, context) = self.0.judged(key);
        shard.end(key, context).map(EndOutcome::new)
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
        let barrier = self.0.exact_now();
        let ended = self.end_user_now(user, options, barrier)?;
        self.come_to(barrier).await;
        Ok(ended)
    }

    async fn end_all(&self, _reason: EndReason) -> Result<u64, Error> {
        let barrier = self.0.exact_now();
        let ended = self.end_all_now(barrier)?;
        self.come_to(barrier).await;
        Ok(ended)
    }

    async fn ready(&self) -> Readiness {
        match self.0.pass_the_door() {
            Ok(_) => Readiness::Ready,
            Err(_) => Readiness::NotReady("the store was drained".into()),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().peeks(true)
    }

    /// `sessions` (held, those that expired and were not swept yet among them) and `evicted` (for want of room).
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("sessions", "Sessions that this process holds", self.len() as u64),
            Metric::counter("evicted", "Sessions that were let go for want of room", self.evicted()),
        ]
    }

    /// With a [snapshot](MemoryStoreBuilder::snapshot) it is written, on a thread of its own, and the store is frozen:
    /// reads go on, and every write is `Unavailable`. Where it cannot be written, or not by the deadline, the store goes
    /// on as before and the error says why. Dropping the future does not stop it. Without a snapshot nothing is frozen,
    /// and the sessions end with the process.
    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        let now = self.0.now();
        self.0.sweep(now);
        if let Some(file) = &self.0.snapshot {
            return snapshot::drain(self.0.clone(), file.clone(), deadline).await;
        }
        let left: usize = self.0.shards().map(|shard| shard.live(now).count()).sum();
        Ok(Drained::new(0, left as u64))
    }
}
