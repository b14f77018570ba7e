//! The [`SessionStore`] over the servers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;
use tokio::time::Instant;

use crate::builder::RedisStoreBuilder;
use crate::combine::lost;
use crate::commit;
use crate::connect::Address;
use crate::inner::Inner;
use crate::reply::Found;

/// Sessions in Redis. See the [crate](crate) for what that means.
///
/// A clone is the same store. The last one lets go of the connections.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

impl RedisStore {
    /// A store on the servers at `address`.
    pub fn builder(address: Address) -> RedisStoreBuilder {
        RedisStoreBuilder::new(address)
    }

    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// Carries out a write in a task of its own: what takes several steps must not stop between two of them because the
    /// caller was dropped. Its deadline counts from the call, for a busy runtime may begin it late.
    async fn whole<T, Fut>(&self, write: impl FnOnce(Arc<Inner>, Instant) -> Fut) -> Result<T, Error>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        tokio::spawn(write(self.0.clone(), self.0.deadline())).await.unwrap_or_else(|_| Err(lost()))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("servers", &self.0.servers).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let (key, options) = (*key, *options);
        let create = |inner: Arc<Inner>, deadline| async move {
            inner.create_session(&key, record, &options, deadline).await
        };
        self.whole(create).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        if self.0.ended.contains(key) {
            return Ok(None);
        }
        if let Some(near) = self.0.near(key).filter(|_| !options.fresh) {
            return Ok(Some(near));
        }
        let found = self.0.look(key, self.0.deadline()).await?;
        Ok(found.live(self.0.now()))
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        if self.0.near.is_none() {
            return Peek::Ask;
        }
        if self.0.ended.contains(key) {
            return Peek::Absent;
        }
        self.0.near(key).map_or(Peek::Ask, Peek::Found)
    }

    async fn commit(
        &self,
        key: &SessionKey,
        _version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        commit::commit(&self.0, key, changes, options).await
    }

    fn try_commit(
        &self,
        _key: &SessionKey,
        _version: Version,
        _changes: &Changes,
        _options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        None
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        let (key, options) = (*key, *options);
        self.whole(|inner, deadline| async move { end(&inner, &key, reason, &options, deadline).await }).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.0.of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let (user, options) = (user.to_owned(), *options);
        self.whole(|inner, deadline| async move { inner.end_user(&user, &options, deadline).await }).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.whole(|inner, _| async move { inner.end_all(reason).await }).await
    }

    async fn ready(&self) -> Readiness {
        match self.0.ping().await {
            Ok(()) => Readiness::Ready,
            Err(error) => Readiness::NotReady(error.to_string().into()),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().shared(true).durable(true).peeks(self.0.near.is_some())
    }

    /// `looks`, `combined_commits`, `races`, `ends_fell_short`, `ends_written_again` and `ends_remembered`; with a
    /// near-cache also `near_hits`, `near_misses`, `near_unbelieved`, `near_invalidations`, `near_passed_over` and
    /// `near_flushes`.
    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.0.counts.metrics(self.0.ended.len());
        metrics.extend(self.0.near.iter().flat_map(|near| near.metrics()));
        metrics
    }

    /// Nothing is held by this process alone.
    async fn drain(&self, _deadline: Duration) -> Result<Drained, Error> {
        Ok(Drained::default())
    }
}

/// Ends a session. Its user's list forgets it in the same trip where the record is at hand, else in one more.
async fn end(
    inner: &Inner,
    key: &SessionKey,
    reason: EndReason,
    options: &EndOptions,
    deadline: Instant,
) -> Result<EndOutcome, Error> {
    let now = inner.now();
    let replicas = inner.replicas(options.durability).max(inner.at_hand(key));
    let known = inner.recent.get(key);
    let leave = async {
        if let Some(known) = &known {
            inner.leave(key, &known.record, deadline).await;
        }
    };
    let (gone, ()) = tokio::join!(inner.end(key, reason, replicas, deadline), leave);
    let gone = gone?;
    if let Found::Held(held) = &gone.found {
        let is_known = known.is_some_and(|known| known.version == held.version);
        if !is_known {
            inner.leave(key, &held.record, deadline).await;
        }
    }
    let was_live = gone.found.live(now).is_some();
    Ok(EndOutcome::new(was_live).fell_short(gone.fell_short))
}
