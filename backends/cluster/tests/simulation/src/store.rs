//! The simulated cluster as a store.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use abide_cluster::protocol::{Answer, Request};
use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version, async_trait,
};

use crate::hub::Hub;

/// The store of the clients: each call goes to some process of the cluster.
#[derive(Debug)]
pub(crate) struct SimulatedStore {
    pub(crate) hub: Hub,
}

impl SimulatedStore {
    async fn ask(&self, request: Request) -> Result<Answer, Error> {
        let ticket = self.hub.want(request);
        poll_fn(|context| match self.hub.poll(ticket, context.waker()) {
            Some(came) => Poll::Ready(came),
            None => Poll::Pending,
        })
        .await
    }

    async fn session(&self, request: Request) -> Result<Option<Loaded>, Error> {
        match self.ask(request).await? {
            Answer::Session(loaded) => Ok(loaded),
            _ => Err(ErrorKind::Corrupt.into()),
        }
    }
}

fn no<T>() -> Result<T, Error> {
    Err(ErrorKind::Unsupported.into())
}

#[async_trait]
impl SessionStore for SimulatedStore {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let request = Request::Create { key: *key, record: Arc::new(record), options: *options };
        self.session(request).await?.ok_or_else(|| ErrorKind::Ended.into())
    }

    async fn load(&self, key: &SessionKey, _: &LoadOptions) -> Result<Option<Loaded>, Error> {
        self.session(Request::Load { key: *key }).await
    }

    fn peek(&self, _: &SessionKey) -> Peek {
        Peek::Ask
    }

    async fn commit(
        &self,
        key: &SessionKey,
        _: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let request = Request::Commit { key: *key, changes: Arc::new(changes.clone()), options: *options };
        self.session(request).await?.ok_or_else(|| ErrorKind::Ended.into())
    }

    fn try_commit(
        &self,
        _: &SessionKey,
        _: Version,
        _: &Changes,
        _: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        None
    }

    async fn end(&self, key: &SessionKey, reason: EndReason, _: &EndOptions) -> Result<EndOutcome, Error> {
        match self.ask(Request::End { key: *key, reason }).await? {
            Answer::Ended(outcome) => Ok(outcome),
            _ => Err(ErrorKind::Corrupt.into()),
        }
    }

    async fn of_user(&self, _: &str, _: &Page) -> Result<UserPage, Error> {
        no()
    }

    async fn end_user(&self, _: &str, _: &EndUserOptions) -> Result<u64, Error> {
        no()
    }

    async fn end_all(&self, _: EndReason) -> Result<u64, Error> {
        no()
    }

    async fn ready(&self) -> Readiness {
        Readiness::Ready
    }

    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().shared(true)
    }

    async fn drain(&self, _: Duration) -> Result<Drained, Error> {
        no()
    }
}
