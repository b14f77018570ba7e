//! A deadline for each operation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;
use tokio::time::timeout;

/// A store that answers in time: where the store behind it does not, an error says so.
///
/// | operation | what a passed deadline is |
/// |---|---|
/// | `load`, `of_user` | [`Unavailable`](ErrorKind::Unavailable): a read changes nothing |
/// | `create`, `commit`, `end`, `end_user`, `end_all` | [`Ambiguous`](ErrorKind::Ambiguous): it may have happened, or may still; asking again is safe |
/// | `ready` | not ready |
/// | `peek`, `try_commit`, `capabilities` | they have none: they do not wait |
/// | `drain` | it has a deadline of its own, which is passed on |
///
/// **Cancellation.** At the deadline the future of the store behind is dropped: per the contract the operation is then
/// undecided, nothing is left locked, and a retry finds it where it happened. The layer asks a create or a commit again
/// up to three times, so a request that writes to a store that hangs hears of it after four deadlines; one that reads,
/// after one. A logout is answered after one and tried again in the background.
///
/// # Panics
///
/// Its futures panic outside a tokio runtime that has its time enabled.
///
/// ```
/// # use abide::core::{ErrorKind, LoadOptions, SessionStore, Token};
/// # async fn example(store: std::sync::Arc<dyn SessionStore>, token: Token) {
/// use abide::wrappers::Timeout;
/// use std::time::Duration;
///
/// let store = Timeout::new(store, Duration::from_secs(1));
/// if let Err(error) = store.load(token.key(), &LoadOptions::default()).await {
///     assert_eq!(error.to_string(), "the session store is unavailable: no answer within 1s");
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Timeout {
    store: Arc<dyn SessionStore>,
    after: Duration,
}

impl Timeout {
    /// A deadline of `after` for each operation of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, after: Duration) -> Self {
        Self { store, after }
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.within(ErrorKind::Unavailable, call).await
    }

    async fn write<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.within(ErrorKind::Ambiguous, call).await
    }

    async fn within<T>(
        &self,
        late: ErrorKind,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match timeout(self.after, call).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(Error::new(late, self.no_answer()).with_source(elapsed)),
        }
    }

    fn no_answer(&self) -> String {
        format!("no answer within {}", humantime::format_duration(self.after))
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for Timeout {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        self.write(self.store.create(key, record, options)).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        self.read(self.store.load(key, options)).await
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
        self.write(self.store.commit(key, version, changes, options)).await
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
        self.write(self.store.end(key, reason, options)).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.read(self.store.of_user(user, page)).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.write(self.store.end_user(user, options)).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.write(self.store.end_all(reason)).await
    }

    async fn ready(&self) -> Readiness {
        match timeout(self.after, self.store.ready()).await {
            Ok(readiness) => readiness,
            Err(_) => Readiness::NotReady(self.no_answer().into()),
        }
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
