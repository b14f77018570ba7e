//! The store under test, its time, and what else may be said of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock, ManualClock, SessionStore, SystemClock, Timestamp, async_trait};

/// The time by which a store judges deadlines, and how a case moves it.
#[async_trait]
pub trait Time: Send + Sync + fmt::Debug + 'static {
    /// The store's time.
    fn now(&self) -> Timestamp;

    /// Moves the store's time forward, and answers whether it did: once this resolved, every handle judges by the
    /// later time. `false` where it cannot be moved; the case is then skipped.
    async fn advance(&self, by: Duration) -> bool;
}

#[async_trait]
impl Time for ManualClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    async fn advance(&self, by: Duration) -> bool {
        Self::advance(self, by);
        true
    }
}

/// A store on the system's clock: the cases that need time to pass are skipped.
#[async_trait]
impl Time for SystemClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    async fn advance(&self, _by: Duration) -> bool {
        false
    }
}

/// A way to cut a store off from whatever it keeps its sessions in.
#[async_trait]
pub trait Outage: Send + Sync + fmt::Debug + 'static {
    /// From when this resolved, no handle reaches the sessions.
    async fn begin(&self);

    /// From when this resolved, every handle reaches them again.
    async fn end(&self);
}

/// A participant of a concurrent case.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts a task, and answers a future that resolves once the task is done.
pub type Spawner = Arc<dyn Fn(Task) -> Task + Send + Sync>;

/// A fresh, empty store for one case, and what the case must know of it.
#[derive(Clone)]
#[must_use]
pub struct Subject {
    pub(crate) stores: Vec<Arc<dyn SessionStore>>,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) spawner: Option<Spawner>,
    pub(crate) outage: Option<Arc<dyn Outage>>,
    pub(crate) bound: Option<usize>,
    pub(crate) byte_bound: Option<usize>,
    pub(crate) lags: bool,
    pub(crate) seed: u64,
}

impl Subject {
    /// A store, and the time by which it judges deadlines: the [`ManualClock`] that it was given, as a rule.
    pub fn new(store: impl SessionStore, time: Arc<dyn Time>) -> Self {
        Self {
            stores: vec![Arc::new(store)],
            time,
            spawner: None,
            outage: None,
            bound: None,
            byte_bound: None,
            lags: false,
            seed: 1,
        }
    }

    /// Another handle on the same sessions: a clone, another process's connection, another node. What is done
    /// through one must be seen through all.
    pub fn handle(mut self, store: impl SessionStore) -> Self {
        self.stores.push(Arc::new(store));
        self
    }

    /// Runs the participants of concurrent cases as tasks of their own, so that they are parallel on a runtime with
    /// several threads. Without it they take turns on the task that runs the case.
    ///
    /// With tokio: `subject.spawner(Arc::new(|task| Box::pin(async { tokio::spawn(task).await.expect("no panic") })))`.
    pub fn spawner(mut self, spawner: Spawner) -> Self {
        self.spawner = Some(spawner);
        self
    }

    /// How to cut the store off. Without it the cases about outages are skipped.
    pub fn outage(mut self, outage: Arc<dyn Outage>) -> Self {
        self.outage = Some(outage);
        self
    }

    /// The store takes at most this many sessions. Without it the case about a full store is skipped.
    pub fn bound(mut self, sessions: usize) -> Self {
        self.bound = Some(sessions);
        self
    }

    /// The store takes at most this many bytes, by the [weight](abide_core::Record::weight) of its records. Without it
    /// the case about a session that grows in a full store is skipped.
    pub fn byte_bound(mut self, bytes: usize) -> Self {
        self.byte_bound = Some(bytes);
        self
    }

    /// Loads may lag by a bound that the store documents, unless they are asked to be fresh: the cases then ask so,
    /// and look at nothing through `peek`.
    pub fn reads_may_lag(mut self) -> Self {
        self.lags = true;
        self
    }

    /// The seed of keys, secrets and whatever else is random: another one for each run where the store outlives the
    /// run. Each case mixes its name in.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("stores", &self.stores)
            .field("time", &self.time)
            .field("outage", &self.outage)
            .field("bound", &self.bound)
            .field("lags", &self.lags)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
