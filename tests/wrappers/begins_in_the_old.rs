//! A store of a service that is about to move: a session is made in the old store, unless the new one knows its key.

use std::time::Duration;

use abide::core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use abide::wrappers::Migrating;
use abide_memory::MemoryStore;

/// Creates in the old store what then moves.
#[derive(Debug)]
pub(crate) struct BeginsInTheOld {
    pub(crate) old: MemoryStore,
    pub(crate) new: MemoryStore,
    pub(crate) moves: Migrating,
}

impl BeginsInTheOld {
    /// Makes the session as the old servers did; it must not be known to the new store, nor over.
    async fn create_in_the_old(&self, key: &SessionKey, record: &Record, options: &CreateOptions) -> bool {
        let moved = self.new.load(key, &LoadOptions::default()).await.unwrap().is_some();
        // What the new store refuses by its rules about users, and what it ended, is its to judge.
        let judged = options.user_limit.is_some() || options.began != CreateOptions::default().began;
        !moved && !judged && self.old.create(key, record.clone(), options).await.is_ok()
    }
}

#[abide::core::async_trait]
impl SessionStore for BeginsInTheOld {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        if self.create_in_the_old(key, &record, options).await {
            let moved = self.moves.load(key, &LoadOptions::default()).await?;
            return moved.ok_or_else(|| ErrorKind::Ended.into());
        }
        self.moves.create(key, record, options).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        self.moves.load(key, options).await
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        self.moves.peek(key)
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        self.moves.commit(key, version, changes, options).await
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        self.moves.try_commit(key, version, changes, options)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        self.moves.end(key, reason, options).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.moves.of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.moves.end_user(user, options).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.moves.end_all(reason).await
    }

    async fn ready(&self) -> Readiness {
        self.moves.ready().await
    }

    fn capabilities(&self) -> Capabilities {
        self.moves.capabilities()
    }

    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        self.moves.drain(deadline).await
    }

    fn metrics(&self) -> Vec<Metric> {
        self.moves.metrics()
    }
}
