//! A limit on how many operations are under way.

mod lanes;

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;

use lanes::Lanes;

/// How many may wait for each that is under way, unless the caller says otherwise.
const QUEUE_PER_PLACE: usize = 4;

/// A store that a crowd does not overrun: so many operations are under way at once, so many wait, and whoever comes
/// then is refused at once.
///
/// | operation | what happens |
/// |---|---|
/// | `create`, `load`, `commit`, `of_user` | take a place; without a free one they wait in the order in which they came; where the queue is full, or the wait too long, they are [`Unavailable`](crate::core::ErrorKind::Unavailable), and nothing was sent |
/// | `end`, `end_user`, `end_all` | take a place, or one that is kept for ends, with a queue of its own of the same length |
/// | `peek`, `try_commit`, `capabilities` | pass: they have no I/O, and must not wait |
/// | `ready`, `drain` | pass: they are few and the operator's; a crowd must not make a server look broken |
///
/// **A logout is not held up by a crowd.** One place of eight, at least one, is kept for ends. They are part of the
/// limit: with 512 places, 448 serve whoever comes, and 64 ends alone. So neither a queue full of reads nor reads that
/// hang starve or refuse an end; only as many other ends can. A store that hangs still needs a [`Timeout`] behind this
/// wrapper: it is what gives places back.
///
/// **Cancellation.** A future that is dropped while it waits leaves the queue, and nothing was sent; one that is dropped
/// under way gives its place back at once.
///
/// ```
/// # use abide::core::SessionStore;
/// # fn example(store: std::sync::Arc<dyn SessionStore>) {
/// use abide::wrappers::ConcurrencyLimit;
/// use std::time::Duration;
///
/// let store = ConcurrencyLimit::new(store, 512).queue(2048).wait_at_most(Duration::from_secs(1));
/// # let _ = store;
/// # }
/// ```
///
/// [`Timeout`]: super::Timeout
#[derive(Debug)]
#[must_use]
pub struct ConcurrencyLimit {
    store: Arc<dyn SessionStore>,
    lanes: Lanes,
}

impl ConcurrencyLimit {
    /// At most `at_once` operations of `store` at once, and four times as many that wait, for as long as it takes. Two
    /// is the least, one for ends and one for the rest; less counts as two.
    pub fn new(store: Arc<dyn SessionStore>, at_once: usize) -> Self {
        let lanes = Lanes::new(at_once, at_once.saturating_mul(QUEUE_PER_PLACE));
        Self { store, lanes }
    }

    /// How many may wait at the most, and as many ends beside them; zero refuses whoever finds no place. Default four
    /// times the places.
    pub fn queue(mut self, waiting: usize) -> Self {
        self.lanes = self.lanes.queue(waiting);
        self
    }

    /// How long an operation may wait for its turn. Default without a limit.
    pub fn wait_at_most(mut self, longest: Duration) -> Self {
        self.lanes = self.lanes.wait_at_most(longest);
        self
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for ConcurrencyLimit {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let _place = self.lanes.enter().await?;
        self.store.create(key, record, options).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        let _place = self.lanes.enter().await?;
        self.store.load(key, options).await
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        self.store.peek(key)
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let _place = self.lanes.enter().await?;
        self.store.commit(key, version, changes, options).await
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        self.store.try_commit(key, version, changes, options)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        let _place = self.lanes.enter_to_end().await?;
        self.store.end(key, reason, options).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        let _place = self.lanes.enter().await?;
        self.store.of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let _place = self.lanes.enter_to_end().await?;
        self.store.end_user(user, options).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let _place = self.lanes.enter_to_end().await?;
        self.store.end_all(reason).await
    }

    async fn ready(&self) -> Readiness {
        self.store.ready().await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.store.metrics()
    }

    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        self.store.drain(deadline).await
    }
}
