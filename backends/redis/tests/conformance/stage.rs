//! Stores on a real server, each under a prefix of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abide_conformance::{Outage, Subject};
use abide_core::{Clock, ManualClock, Readiness, SessionStore as _, Timestamp};
use abide_harness::{Redis, RedisCluster, SentinelSet};
use abide_redis::{Address, RedisStore};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

/// Longer than any run: the cases move a clock of their own, and the server must not clean up by the real one.
const LINGER: Duration = Duration::from_secs(3600);

/// Far longer than a connection takes.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Servers that tests share.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    address: Address,
    stores: Arc<AtomicUsize>,
}

impl Place {
    pub(crate) fn new(url: &str) -> Self {
        let (scheme, rest) = url.split_once(':').unwrap();
        Self::of(Address::parse(scheme, rest).unwrap())
    }

    pub(crate) fn of(address: Address) -> Self {
        Self { address, stores: Arc::default() }
    }

    /// A prefix that no other store of these servers has.
    fn prefix(&self) -> String {
        format!("test {}:", self.stores.fetch_add(1, Ordering::Relaxed)).replace(' ', "-")
    }

    fn store(&self, prefix: &str, clock: &Arc<ManualClock>) -> RedisStore {
        let builder = RedisStore::builder(self.address.clone()).prefix(prefix).linger(LINGER);
        builder.clock(clock.clone() as Arc<dyn Clock>).open().unwrap()
    }

    /// A fresh, empty store, and two more handles on its sessions as other processes have them.
    pub(crate) async fn subject(&self) -> (Subject, Vec<RedisStore>) {
        let (clock, prefix) =
            (Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000))), self.prefix());
        let stores: Vec<_> = (0..3).map(|_| self.store(&prefix, &clock)).collect();
        come_up(&stores).await;
        let subject = Subject::new(stores[0].clone(), clock);
        let subject = stores[1..].iter().fold(subject, |subject, store| subject.handle(store.clone()));
        (subject, stores)
    }
}

/// Waits until every store is in reach of its servers.
async fn come_up(stores: &[RedisStore]) {
    for store in stores {
        let up = async {
            while store.ready().await != Readiness::Ready {
                sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(PATIENCE, up).await.expect("the servers are in reach");
    }
}

/// Participants on threads of their own.
pub(crate) fn parallel(subject: Subject) -> Subject {
    subject.spawner(Arc::new(|task| {
        Box::pin(async { tokio::spawn(task).await.expect("no participant panics") })
    }))
}

/// All that a store keeps its sessions in.
#[derive(Clone, Debug)]
pub(crate) enum Servers {
    Single(Arc<Redis>),
    Set(Arc<SentinelSet>),
    Cluster(Arc<RedisCluster>),
}

impl Servers {
    /// A Sentinel set. All of its servers are to hang at once, and nobody to take that for a reason to act.
    pub(crate) async fn set() -> (String, Self) {
        let set = SentinelSet::start().await;
        set.take_nobody_for_dead().await;
        (set.url(), Self::Set(Arc::new(set)))
    }

    /// A Cluster likewise.
    pub(crate) async fn cluster() -> (String, Self) {
        let cluster = RedisCluster::start().await;
        cluster.take_nobody_for_dead().await;
        (cluster.url(), Self::Cluster(Arc::new(cluster)))
    }

    fn all(&self) -> &[Redis] {
        match self {
            Self::Single(server) => std::slice::from_ref(server),
            Self::Set(set) => &set.servers,
            Self::Cluster(cluster) => &cluster.servers,
        }
    }
}

/// Servers that hang, as behind a network that is cut.
#[derive(Debug)]
pub(crate) struct Hangs {
    pub(crate) servers: Servers,
    pub(crate) stores: Vec<RedisStore>,
}

#[abide_core::async_trait]
impl Outage for Hangs {
    async fn begin(&self) {
        join_all(self.servers.all().iter().map(Redis::stop)).await;
    }

    async fn end(&self) {
        join_all(self.servers.all().iter().map(Redis::cont)).await;
        come_up(&self.stores).await;
    }
}
