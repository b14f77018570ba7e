//! The contract, on the cluster.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;

use super::figures::metrics;
use super::handle::ClusterStore;

#[async_trait]
impl SessionStore for ClusterStore {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        self.create_session(key, record, options).await
    }

    async fn load(&self, key: &SessionKey, _options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        self.loaded(key, self.until()).await
    }

    fn peek(&self, _key: &SessionKey) -> Peek {
        Peek::Ask
    }

    async fn commit(
        &self,
        key: &SessionKey,
        _version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        self.commit_changes(key, Arc::new(changes.clone()), options).await
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
        _options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        self.end_session(key, reason).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.page_of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.end_of_user(user, options).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.end_everything(reason).await
    }

    async fn ready(&self) -> Readiness {
        self.seen().readiness
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().shared(true)
    }

    fn metrics(&self) -> Vec<Metric> {
        metrics(&self.seen())
    }

    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        if self.seen().members.len() < 2 {
            return Ok(Drained::new(0, self.held()));
        }
        Ok(Drained::new(self.leave(deadline).await?, 0))
    }
}
