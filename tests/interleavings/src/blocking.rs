//! A store whose operations run to their end where they are asked for: what waits for a server has no turns to give.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version, async_trait,
};
use tokio::runtime::Runtime;

/// Blocks the thread until the store behind has answered, on a runtime of its own.
#[derive(Debug)]
pub(crate) struct Blocking<S> {
    pub(crate) store: S,
    pub(crate) runtime: Arc<Runtime>,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: SessionStore> SessionStore for Blocking<S> {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        self.runtime.block_on(self.store.create(key, record, options))
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        self.runtime.block_on(self.store.load(key, options))
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
        self.runtime.block_on(self.store.commit(key, version, changes, options))
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
        self.runtime.block_on(self.store.end(key, reason, options))
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.runtime.block_on(self.store.of_user(user, page))
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.runtime.block_on(self.store.end_user(user, options))
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.runtime.block_on(self.store.end_all(reason))
    }

    async fn ready(&self) -> Readiness {
        self.runtime.block_on(self.store.ready())
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.store.metrics()
    }

    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        self.runtime.block_on(self.store.drain(deadline))
    }
}
