//! The contract, on the cluster.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;
use tokio::time::Instant;

use super::figures::metrics;
use super::handle::ClusterStore;
use crate::protocol::{Answer, Request};

#[async_trait]
impl SessionStore for ClusterStore {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let request = Request::Create { key: *key, record: Arc::new(record), options: *options };
        let until = self.until();
        stored(self.settled(request.clone(), request, until).await?)
    }

    async fn load(&self, key: &SessionKey, _options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        match self.ask(Request::Load { key: *key }, false, self.until()).await? {
            Answer::Session(session) => Ok(session),
            other => Err(unexpected(&other)),
        }
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
        let changes = Arc::new(changes.clone());
        let commit = |options| Request::Commit { key: *key, changes: changes.clone(), options };
        let until = self.until();
        stored(self.settled(commit(*options), commit(options.retry(true)), until).await?)
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
        match self.ask(Request::End { key: *key, reason }, true, self.until()).await? {
            Answer::Ended(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    async fn of_user(&self, _user: &str, _page: &Page) -> Result<UserPage, Error> {
        Err(not_yet())
    }

    async fn end_user(&self, _user: &str, _options: &EndUserOptions) -> Result<u64, Error> {
        Err(not_yet())
    }

    async fn end_all(&self, _reason: EndReason) -> Result<u64, Error> {
        Err(not_yet())
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
        let before = self.seen();
        if before.members.len() < 2 {
            return Ok(Drained::new(0, before.figures.sessions));
        }
        Ok(Drained::new(self.leave(deadline).await?, 0))
    }
}

impl ClusterStore {
    /// Asks, and where nobody knows what came of it though there is time left, asks once more: then it finds itself, or
    /// that the session is over.
    async fn settled(&self, request: Request, again: Request, until: Instant) -> Result<Answer, Error> {
        match self.ask(request, true, until).await {
            Err(error) if error.kind() == ErrorKind::Ambiguous && Instant::now() < until => {
                self.ask(again, true, until).await.map_err(in_doubt)
            }
            answer => answer,
        }
    }
}

/// What was in doubt before stays so where it was not asked again.
fn in_doubt(error: Error) -> Error {
    if error.kind() == ErrorKind::Unavailable {
        Error::new(ErrorKind::Ambiguous, "no answer in time")
    } else {
        error
    }
}

/// The session as it is stored, which may have ended since.
fn stored(answer: Answer) -> Result<Loaded, Error> {
    match answer {
        Answer::Session(Some(session)) => Ok(session),
        Answer::Session(None) => Err(ErrorKind::Ended.into()),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> Error {
    Error::new(ErrorKind::Unavailable, format!("another kind of answer than asked for: {answer:?}"))
}

fn not_yet() -> Error {
    Error::new(ErrorKind::Unsupported, "the cluster has no index of users yet")
}
