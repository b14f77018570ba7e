//! What is between a client's server and the store: turns for others, and a network that fails by a seed.
//!
//! Every call waits once before it reaches the store and once before its answer is seen, so that whatever others do can
//! come to pass in between. A request may get lost, known or unknown to its sender; it may arrive long after its sender
//! gave up; and an answer may get lost.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version, async_trait,
};

use super::client::Boxed;
use super::rng::Rng;
use crate::together::give_way;

/// What the network did to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It was refused, and its sender knows.
    Refused,
    /// It never arrived, and its sender does not know.
    RequestLost,
    /// It arrives after its sender gave up.
    Late,
    /// It arrived, and its answer got lost.
    AnswerLost,
}

/// How often something came to pass between one client's server and the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Looks at the session that were answered.
    pub looked: u64,
    /// Changes that were answered with a conflict.
    pub conflicts: u64,
    /// Changes of which nobody knows whether they happened.
    pub lost: u64,
    /// Each fault, in the order of [`Fault`].
    pub faults: [u64; 4],
}

impl Counts {
    /// What came since `earlier`.
    #[must_use]
    pub(super) fn since(self, earlier: Self) -> Self {
        let mut faults = self.faults;
        faults.iter_mut().zip(earlier.faults).for_each(|(now, then)| *now -= then);
        Self {
            looked: self.looked - earlier.looked,
            conflicts: self.conflicts - earlier.conflicts,
            lost: self.lost - earlier.lost,
            faults,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    looked: AtomicU64,
    conflicts: AtomicU64,
    lost: AtomicU64,
    faults: [AtomicU64; 4],
}

/// A clone counts on.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counters>);

impl Traffic {
    /// So far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            looked: self.0.looked.load(SeqCst),
            conflicts: self.0.conflicts.load(SeqCst),
            lost: self.0.lost.load(SeqCst),
            faults: std::array::from_fn(|n| self.0.faults[n].load(SeqCst)),
        }
    }

    fn note<T>(&self, answer: &Result<T, Error>) {
        match answer.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Conflict) => drop(self.0.conflicts.fetch_add(1, SeqCst)),
            Err(ErrorKind::Ambiguous) => drop(self.0.lost.fetch_add(1, SeqCst)),
            _ => {}
        }
    }

    fn looked(&self) {
        self.0.looked.fetch_add(1, SeqCst);
    }
}

/// What the networks of one run share: whether they fail, and the requests that arrive late. A clone is the same.
#[derive(Clone, Default)]
pub struct Post(Arc<Inner>);

#[derive(Default)]
struct Inner {
    fails: AtomicBool,
    late: Mutex<Vec<Boxed<()>>>,
}

impl Post {
    /// From now on the networks fail, or do not. In the beginning they do not.
    pub(super) fn fails(&self, fails: bool) {
        self.0.fails.store(fails, SeqCst);
    }

    fn take(&self, rng: &mut Rng) -> Option<Boxed<()>> {
        let mut late = self.0.late.lock().unwrap_or_else(PoisonError::into_inner);
        (!late.is_empty()).then(|| rng.below(late.len())).map(|at| late.swap_remove(at))
    }

    fn send(&self, request: Boxed<()>) {
        self.0.late.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

/// A store behind a network that fails by a seed.
#[derive(Debug)]
pub struct Network {
    store: Arc<dyn SessionStore>,
    rng: Mutex<Rng>,
    percent: u32,
    peeks: bool,
    post: Post,
    traffic: Traffic,
}

impl Network {
    /// A network to `store` that fails in `percent` of a hundred calls, and through which one can peek or not. Late
    /// requests go to `post`, and arrive with somebody's next call.
    pub fn new(store: Arc<dyn SessionStore>, rng: Rng, percent: u32, peeks: bool, post: Post) -> Self {
        Self { store, rng: Mutex::new(rng), percent, peeks, post, traffic: Traffic::default() }
    }

    /// What came to pass.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fault(&self, of: &[(usize, Fault)]) -> Option<Fault> {
        if !self.post.0.fails.load(SeqCst) {
            return None;
        }
        let fault = self.draw(|rng| rng.chance(self.percent).then(|| rng.weighted(of)))?;
        self.traffic.0.faults[fault as usize].fetch_add(1, SeqCst);
        Some(fault)
    }

    /// Takes a question to the store and its answer back.
    async fn read<T>(&self, call: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
        self.way_in().await;
        if self.fault(&[(1, Fault::Refused)]).is_some() {
            return Err(ErrorKind::Unavailable.into());
        }
        let answer = call.await;
        give_way().await;
        answer
    }

    /// Takes a change to the store and its answer back.
    async fn write<T: Send + 'static>(&self, call: Boxed<Result<T, Error>>) -> Result<T, Error> {
        self.way_in().await;
        let faults = [(1, Fault::Refused), (1, Fault::RequestLost), (1, Fault::Late), (2, Fault::AnswerLost)];
        let answer = match self.fault(&faults) {
            Some(Fault::Refused) => Err(ErrorKind::Unavailable.into()),
            Some(Fault::RequestLost) => Err(ErrorKind::Ambiguous.into()),
            Some(Fault::Late) => {
                self.post.send(Box::pin(async move { drop(call.await) }));
                Err(ErrorKind::Ambiguous.into())
            }
            Some(Fault::AnswerLost) => {
                let _ = call.await;
                Err(ErrorKind::Ambiguous.into())
            }
            None => call.await,
        };
        self.traffic.note(&answer);
        give_way().await;
        answer
    }

    async fn way_in(&self) {
        give_way().await;
        let late = self.draw(|rng| if rng.chance(30) { self.post.take(rng) } else { None });
        if let Some(late) = late {
            late.await;
        }
    }
}

#[async_trait]
impl SessionStore for Network {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let (store, key, options) = (self.store.clone(), *key, *options);
        self.write(Box::pin(async move { store.create(&key, record, &options).await })).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        let answer = self.read(self.store.load(key, options)).await;
        if answer.is_ok() {
            self.traffic.looked();
        }
        answer
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        let answer = if self.peeks { self.store.peek(key) } else { Peek::Ask };
        if matches!(answer, Peek::Found(_) | Peek::Absent) {
            self.traffic.looked();
        }
        answer
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let (store, key, changes, options) = (self.store.clone(), *key, changes.clone(), *options);
        self.write(Box::pin(async move { store.commit(&key, version, &changes, &options).await })).await
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        if !self.peeks || self.draw(|rng| rng.chance(50)) {
            return None;
        }
        let answer = self.store.try_commit(key, version, changes, options)?;
        self.traffic.note(&answer);
        Some(answer)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        let (store, key, options) = (self.store.clone(), *key, *options);
        self.write(Box::pin(async move { store.end(&key, reason, &options).await })).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.read(self.store.of_user(user, page)).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let (store, user, options) = (self.store.clone(), user.to_owned(), *options);
        self.write(Box::pin(async move { store.end_user(&user, &options).await })).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let store = self.store.clone();
        self.write(Box::pin(async move { store.end_all(reason).await })).await
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
