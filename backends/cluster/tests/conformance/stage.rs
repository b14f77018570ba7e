//! Three servers of a cluster in one process, over TCP and TLS, on a clock that a case moves.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use abide_cluster::store::ClusterStore;
use abide_cluster::transport::{ClusterName, Identity, Join, Secret};
use abide_conformance::{Outage, Spawner, Subject, Time};
use abide_core::{Clock, ManualClock, Readiness, SessionStore as _, Timestamp};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

const SERVERS: usize = 3;
/// Far longer than a cluster takes.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Three servers, and their clock.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) stores: Vec<ClusterStore>,
    clock: Arc<ManualClock>,
}

impl Cluster {
    pub(crate) async fn found() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let addresses = free_addresses();
        let stores = join_all(addresses.iter().map(|address| open(*address, &addresses, &clock))).await;
        let cluster = Self { stores, clock };
        cluster.come_up().await;
        cluster
    }

    /// Waits until every server is a member that has its sessions.
    pub(crate) async fn come_up(&self) {
        let up = async {
            for store in &self.stores {
                while store.ready().await != Readiness::Ready
                    || store.status().borrow().members.len() < SERVERS
                    || lacks_slots(store)
                {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
        };
        timeout(PATIENCE, up).await.expect("the servers find each other");
    }

    /// The clock of its servers.
    pub(crate) fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// As a case wants it, its participants on threads of their own.
    pub(crate) fn subject(&self) -> Subject {
        let subject = Subject::new(self.stores[0].clone(), Arc::new(self.clone()));
        let subject = self.stores[1..].iter().fold(subject, |subject, store| subject.handle(store.clone()));
        let subject = subject.outage(Arc::new(self.clone()));
        subject.spawner(spawner())
    }
}

/// Runs each participant on a task of its own.
pub(crate) fn spawner() -> Spawner {
    Arc::new(|task| Box::pin(async { tokio::spawn(task).await.expect("no participant panics") }))
}

/// Addresses that are free now; they are held until all are known, so that no two are the same.
fn free_addresses() -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..SERVERS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

async fn open(address: SocketAddr, all: &[SocketAddr], clock: &Arc<ManualClock>) -> ClusterStore {
    let name = ClusterName::default();
    let secrets = [Secret::from_bytes(&[7; 32]).unwrap()];
    let list: Vec<String> = all.iter().map(ToString::to_string).collect();
    ClusterStore::builder(address)
        .identity(Identity::from_secrets(&secrets, &name).unwrap())
        .join(Join::parse(&list.join(","), None).unwrap())
        .clock_moved_by_hand(clock.clone() as Arc<dyn Clock>)
        .tuned(|protocol, _| {
            // A cluster for each case: nobody else is about to found one.
            protocol.silence = Duration::from_millis(100);
            protocol.slots = 64;
        })
        .open()
        .await
        .unwrap()
}

#[abide_core::async_trait]
impl Time for Cluster {
    fn now(&self) -> Timestamp {
        Clock::now(&*self.clock)
    }

    /// The servers judge by the later time once they have heard each other's clocks again.
    async fn advance(&self, by: Duration) -> bool {
        self.clock.advance(by);
        self.come_up().await;
        true
    }
}

/// A network that carries nothing.
#[abide_core::async_trait]
impl Outage for Cluster {
    async fn begin(&self) {
        self.stores.iter().for_each(|store| store.cut_off(true));
        // A server notices that it hears nobody, as it would notice that one is gone.
        let noticed = async {
            for store in &self.stores {
                while store.ready().await == Readiness::Ready {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
        };
        timeout(PATIENCE, noticed).await.expect("the servers notice");
    }

    async fn end(&self) {
        self.stores.iter().for_each(|store| store.cut_off(false));
        self.come_up().await;
    }
}

/// Whether it is still taking slots over. It is ready all the same where it was before.
fn lacks_slots(store: &ClusterStore) -> bool {
    store.metrics().iter().any(|metric| metric.name() == "slots_lacking" && metric.value() > 0)
}
