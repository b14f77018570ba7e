//! A store that counts its calls, and whose network fails or hangs on demand.
//!
//! It stands between the layer and a real store, as a network does.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;
use tokio::sync::Semaphore;

/// A method of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the method of its name")]
pub enum Method {
    Create,
    Load,
    Peek,
    Commit,
    TryCommit,
    End,
    OfUser,
    EndUser,
    EndAll,
}

/// What the network does to one call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The call never arrives.
    Lost(ErrorKind),
    /// The call arrives, and its answer is lost.
    AnswerLost,
    /// The call arrives, and nobody ever hears of it again.
    AnswerHangs,
}

/// What becomes of an answer.
enum Answer {
    Comes,
    IsLost,
    Hangs,
}

#[derive(Debug, Default)]
struct Inner {
    calls: HashMap<Method, usize>,
    faults: HashMap<Method, VecDeque<Fault>>,
    down: Option<ErrorKind>,
    hangs: bool,
    near: bool,
}

/// A store behind a network that fails on demand.
#[derive(Debug)]
pub struct Faults<S> {
    store: S,
    inner: Mutex<Inner>,
    /// Calls of these methods wait for a permit each.
    gates: Mutex<HashMap<Method, Arc<Semaphore>>>,
}

impl<S: SessionStore> Faults<S> {
    /// A network without faults.
    pub fn new(store: S) -> Self {
        Self { store, inner: Mutex::default(), gates: Mutex::default() }
    }

    /// How often a method was called.
    pub fn calls(&self, method: Method) -> usize {
        self.inner.lock().unwrap().calls.get(&method).copied().unwrap_or_default()
    }

    /// How often any method was called that asks something.
    pub fn all_calls(&self) -> usize {
        let calls = &self.inner.lock().unwrap().calls;
        calls.iter().filter(|(method, _)| **method != Method::TryCommit).map(|(_, calls)| calls).sum()
    }

    /// The next call of a method never arrives.
    pub fn lose_next(&self, method: Method, kind: ErrorKind) {
        self.add(method, Fault::Lost(kind));
    }

    /// The next call of a method arrives, and its answer is lost.
    pub fn lose_next_answer(&self, method: Method) {
        self.add(method, Fault::AnswerLost);
    }

    /// The next call of a method arrives, and is never answered.
    pub fn hang_next_answer(&self, method: Method) {
        self.add(method, Fault::AnswerHangs);
    }

    /// No call arrives or is answered from now on, or all are again. Those that hang go on hanging.
    pub fn set_hanging(&self, hangs: bool) {
        self.inner.lock().unwrap().hangs = hangs;
    }

    /// Every call fails from now on, or none any more.
    pub fn set_down(&self, kind: Option<ErrorKind>) {
        self.inner.lock().unwrap().down = kind;
    }

    /// Peeks and commits are answered without waiting from now on, as in the same process, or no more.
    pub fn set_near(&self, near: bool) {
        self.inner.lock().unwrap().near = near;
    }

    /// Counts a call that nobody waits for. Answers whether it arrives.
    fn is_near(&self, method: Method) -> bool {
        let mut inner = self.inner.lock().unwrap();
        *inner.calls.entry(method).or_default() += 1;
        inner.near
    }

    /// Commits wait from now on, each for one permit of the answer.
    pub fn shut(&self) -> Arc<Semaphore> {
        self.hold(Method::Commit)
    }

    /// Calls of one method wait from now on, each for one permit of the answer.
    pub fn hold(&self, method: Method) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.gates.lock().unwrap().insert(method, gate.clone());
        gate
    }

    fn add(&self, method: Method, fault: Fault) {
        self.inner.lock().unwrap().faults.entry(method).or_default().push_back(fault);
    }

    /// Counts a call, which may be lost or wait. Answers what becomes of its answer.
    async fn enter(&self, method: Method) -> Result<Answer, Error> {
        let answer = self.fate(method)?;
        self.hang().await;
        self.pass_gate(method).await;
        Ok(answer)
    }

    fn fate(&self, method: Method) -> Result<Answer, Error> {
        let mut inner = self.inner.lock().unwrap();
        *inner.calls.entry(method).or_default() += 1;
        if let Some(kind) = inner.down {
            return Err(kind.into());
        }
        match inner.faults.get_mut(&method).and_then(VecDeque::pop_front) {
            Some(Fault::Lost(kind)) => Err(kind.into()),
            Some(Fault::AnswerLost) => Ok(Answer::IsLost),
            Some(Fault::AnswerHangs) => Ok(Answer::Hangs),
            None => Ok(Answer::Comes),
        }
    }

    async fn hang(&self) {
        let hangs = self.inner.lock().unwrap().hangs;
        if hangs {
            pending::<()>().await;
        }
    }

    async fn pass_gate(&self, method: Method) {
        let gate = self.gates.lock().unwrap().get(&method).cloned();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
    }
}

async fn leave<T>(fate: Answer, answer: Result<T, Error>) -> Result<T, Error> {
    match fate {
        Answer::Comes => answer,
        Answer::IsLost => Err(ErrorKind::Ambiguous.into()),
        Answer::Hangs => pending().await,
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for Faults<S> {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let fate = self.enter(Method::Create).await?;
        leave(fate, self.store.create(key, record, options).await).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        let fate = self.enter(Method::Load).await?;
        leave(fate, self.store.load(key, options).await).await
    }

    /// A network cannot be peeked through.
    fn peek(&self, key: &SessionKey) -> Peek {
        if self.is_near(Method::Peek) { self.store.peek(key) } else { Peek::Ask }
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let fate = self.enter(Method::Commit).await?;
        leave(fate, self.store.commit(key, version, changes, options).await).await
    }

    /// A network is always waited for.
    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        if !self.is_near(Method::TryCommit) {
            return None;
        }
        self.store.try_commit(key, version, changes, options)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        let fate = self.enter(Method::End).await?;
        leave(fate, self.store.end(key, reason, options).await).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        let fate = self.enter(Method::OfUser).await?;
        leave(fate, self.store.of_user(user, page).await).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let fate = self.enter(Method::EndUser).await?;
        leave(fate, self.store.end_user(user, options).await).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let fate = self.enter(Method::EndAll).await?;
        leave(fate, self.store.end_all(reason).await).await
    }

    async fn ready(&self) -> Readiness {
        self.hang().await;
        self.store.ready().await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.store.metrics()
    }

    /// A store keeps the deadline of a drain by itself, also where its network hangs.
    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        match tokio::time::timeout(deadline, self.hang()).await {
            Ok(()) => self.store.drain(deadline).await,
            Err(_) => Err(ErrorKind::Unavailable.into()),
        }
    }
}
