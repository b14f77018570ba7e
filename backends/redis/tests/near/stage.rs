//! Stores on one server as several processes have them, and sessions in them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, Clock as _, CommitOptions, CreateOptions, EndOptions, EndReason, Error, LoadOptions, Loaded,
    Metric, NewRecord, Readiness, Record, SessionKey, SessionStore as _, Stamps, SystemClock, Token, Version,
};
use abide_redis::{Address, RedisStore};
use tokio::time::{Instant, sleep, timeout};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// How old a read may be at the most.
pub(crate) const BOUND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// One process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) store: RedisStore,
    stamps: Arc<Stamps>,
}

impl Process {
    /// With a near-cache.
    pub(crate) async fn near(url: &str, number: u64) -> Self {
        Self::open(url, number, true).await
    }

    /// Without one.
    pub(crate) async fn plain(url: &str, number: u64) -> Self {
        Self::open(url, number, false).await
    }

    async fn open(url: &str, number: u64, near: bool) -> Self {
        let (scheme, rest) = url.split_once(':').unwrap();
        let builder = RedisStore::builder(Address::parse(scheme, rest).unwrap());
        let builder = if near { builder.near_cache(16 * MIB) } else { builder };
        let store = builder.open().unwrap();
        until(|| async { store.ready().await == Readiness::Ready }).await;
        Self { store, stamps: Arc::new(Stamps::new(number)) }
    }

    pub(crate) async fn create(&self, key: &SessionKey) {
        let now = SystemClock.now();
        let new = NewRecord::new(self.stamps.next(now), [1; 16], Token::from_bytes([1; 32]).verifier(), now);
        let record = Record::create(new.value("n", *b"0"));
        self.store.create(key, record, &CreateOptions::default()).await.unwrap();
    }

    /// Sets the value, in a record that was read from the server.
    pub(crate) async fn set(&self, key: &SessionKey, n: u64) -> Result<Loaded, Error> {
        let loaded = self.load(key, true).await?.expect("a live session");
        self.set_in(&loaded, key, n).await
    }

    /// Sets the value, in a record that may be at hand.
    pub(crate) async fn set_at_hand(&self, key: &SessionKey, n: u64) -> Result<Loaded, Error> {
        let loaded = self.load(key, false).await?.expect("a live session");
        self.set_in(&loaded, key, n).await
    }

    async fn set_in(&self, loaded: &Loaded, key: &SessionKey, n: u64) -> Result<Loaded, Error> {
        let era = loaded.record.era().expect("a live session").id();
        let mut changes =
            Changes::new(self.stamps.next_after(SystemClock.now(), loaded.record.latest_stamp()), era);
        changes.set("n", n.to_string().into_bytes());
        self.store.commit(key, loaded.version, &changes, &CommitOptions::default()).await
    }

    pub(crate) async fn end(&self, key: &SessionKey) {
        self.store.end(key, EndReason::LoggedOut, &EndOptions::default()).await.unwrap();
    }

    /// The value, `None` where there is no session.
    pub(crate) async fn get(&self, key: &SessionKey) -> Result<Option<u64>, Error> {
        Ok(self.load(key, false).await?.map(|loaded| number(&loaded)))
    }

    async fn load(&self, key: &SessionKey, fresh: bool) -> Result<Option<Loaded>, Error> {
        self.store.load(key, &LoadOptions::default().fresh(fresh)).await
    }

    /// Reads until the near-cache answers.
    pub(crate) async fn warm(&self, key: &SessionKey) {
        until(|| async {
            let before = self.metric("near_hits");
            let _ = self.get(key).await;
            self.metric("near_hits") > before
        })
        .await;
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = self.store.metrics();
        metrics.iter().find(|metric| metric.name() == name).map_or(0, Metric::value)
    }
}

fn number(loaded: &Loaded) -> u64 {
    assert_ne!(loaded.version, Version::default());
    std::str::from_utf8(loaded.record.value("n").unwrap()).unwrap().parse().unwrap()
}

pub(crate) fn key(n: u8) -> SessionKey {
    SessionKey::from_bytes([n; 16])
}

/// Waits until it holds, and answers how long that took.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) -> Duration {
    let since = Instant::now();
    let held = timeout(PATIENCE, async {
        while !holds().await {
            sleep(BETWEEN_LOOKS).await;
        }
    });
    held.await.expect("it holds in the end");
    since.elapsed()
}
