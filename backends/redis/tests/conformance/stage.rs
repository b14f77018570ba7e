//! Stores on a real server, each under a prefix of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abide_conformance::{Outage, Subject};
use abide_core::{Clock, ManualClock, Readiness, SessionStore as _, Timestamp};
use abide_harness::Redis;
use abide_redis::{Address, RedisStore};
use tokio::time::{sleep, timeout};

/// Longer than any run: the cases move a clock of their own, and the server must not clean up by the real one.
const LINGER: Duration = Duration::from_secs(3600);

/// Far longer than a connection takes.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Servers that tests share.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    url: String,
    stores: Arc<AtomicUsize>,
}

impl Place {
    pub(crate) fn new(url: String) -> Self {
        Self { url, stores: Arc::default() }
    }

    /// A prefix that no other store of these servers has.
    fn prefix(&self) -> String {
        format!("test {}:", self.stores.fetch_add(1, Ordering::Relaxed)).replace(' ', "-")
    }

    fn store(&self, prefix: &str, clock: &Arc<ManualClock>) -> RedisStore {
        let (scheme, rest) = self.url.split_once(':').unwrap();
        let address = Address::parse(scheme, rest).unwrap();
        let builder = RedisStore::builder(address).prefix(prefix).linger(LINGER);
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

/// A server that hangs, as behind a network that is cut.
#[derive(Debug)]
pub(crate) struct Hangs {
    pub(crate) server: Arc<Redis>,
    pub(crate) stores: Vec<RedisStore>,
}

#[abide_core::async_trait]
impl Outage for Hangs {
    async fn begin(&self) {
        self.server.stop().await;
    }

    async fn end(&self) {
        self.server.cont().await;
        come_up(&self.stores).await;
    }
}
