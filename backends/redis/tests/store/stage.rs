//! What the tests are written with.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, Clock, CreateOptions, EndOptions, EndOutcome, EndReason, Entropy as _, Error, LoadOptions,
    Loaded, ManualClock, NewEra, NewRecord, Readiness, Record, SessionKey, SessionStore as _, Stamps,
    SystemClock, SystemEntropy, Timestamp, Token,
};
use abide_harness::Redis;
use abide_redis::{Address, RedisStore, RedisStoreBuilder};
use tokio::time::{sleep, timeout};

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);

pub(crate) fn builder(url: &str) -> RedisStoreBuilder {
    let (scheme, rest) = url.split_once(':').unwrap();
    // A busy machine is no outage.
    RedisStore::builder(Address::parse(scheme, rest).unwrap()).timeout(Duration::from_secs(5))
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(SystemClock.now()))
}

/// A client of one store, as one process is.
pub(crate) struct Client {
    pub(crate) store: RedisStore,
    pub(crate) clock: Arc<dyn Clock>,
    stamps: Stamps,
}

/// A session that was created.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) token: Token,
    pub(crate) record: Arc<Record>,
    pub(crate) loaded: Loaded,
}

impl Live {
    pub(crate) fn key(&self) -> &SessionKey {
        self.token.key()
    }
}

impl Client {
    pub(crate) async fn open(builder: RedisStoreBuilder, clock: Arc<dyn Clock>) -> Self {
        let store = builder.clock(clock.clone()).open().unwrap();
        until(async || store.ready().await == Readiness::Ready).await;
        let mut writer = [0; 8];
        SystemEntropy.fill(&mut writer).unwrap();
        Self { store, clock, stamps: Stamps::new(u64::from_be_bytes(writer)) }
    }

    /// On the system's clock.
    pub(crate) async fn on(server: &Redis) -> Self {
        Self::open(builder(&server.url()), Arc::new(SystemClock)).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn new_record(&self, token: &Token) -> NewRecord {
        let now = self.now();
        NewRecord::new(self.stamps.next(now), [9; 16], token.verifier(), now).idle_timeout(IDLE)
    }

    pub(crate) async fn create(&self, new: impl FnOnce(NewRecord) -> NewRecord) -> Result<Live, Error> {
        let token = Token::generate(&SystemEntropy).unwrap();
        let record = Record::create(new(self.new_record(&token)));
        let loaded = self.store.create(token.key(), record, &CreateOptions::default()).await?;
        Ok(Live { token, record: loaded.record.clone(), loaded })
    }

    /// A session of nobody.
    pub(crate) async fn visit(&self) -> Live {
        self.create(|new| new).await.unwrap()
    }

    /// A session of a user.
    pub(crate) async fn log_in(&self, user: &str) -> Live {
        let now = self.now();
        self.create(|new| new.user(user, now)).await.unwrap()
    }

    pub(crate) async fn load(&self, live: &Live) -> Result<Option<Loaded>, Error> {
        self.store.load(live.key(), &LoadOptions::default()).await
    }

    pub(crate) async fn is_live(&self, live: &Live) -> bool {
        self.load(live).await.unwrap().is_some()
    }

    /// No change yet to the session as it was when it was created.
    pub(crate) fn changes(&self, record: &Record) -> Changes {
        Changes::new(self.stamps.next_after(self.now(), record.latest_stamp()), record.era().unwrap().id())
    }

    pub(crate) fn setting(&self, record: &Record, key: &str, value: &[u8]) -> Changes {
        let mut changes = self.changes(record);
        changes.set(key, value);
        changes
    }

    /// That a user signs in.
    pub(crate) fn login(&self, record: &Record, user: &str) -> Changes {
        let mut nonce = [0; 16];
        SystemEntropy.fill(&mut nonce).unwrap();
        let verifier = Token::generate(&SystemEntropy).unwrap().verifier();
        let mut changes = self.changes(record);
        changes.open_era(NewEra::new(nonce, verifier, self.now() + 2 * IDLE).user(user, self.now()));
        changes
    }

    pub(crate) async fn commit(&self, live: &Live, changes: &Changes) -> Result<Loaded, Error> {
        self.store.commit(live.key(), live.loaded.version, changes, &Default::default()).await
    }

    pub(crate) async fn set(&self, live: &Live, key: &str, value: &[u8]) -> Result<Loaded, Error> {
        self.commit(live, &self.setting(&live.record, key, value)).await
    }

    /// One more, as a handler counts.
    pub(crate) async fn increment(&self, live: &Live) -> Result<(), Error> {
        let mut held = self.load(live).await?.expect("the session is live");
        loop {
            let entry = held.record.era().unwrap().entry("n").cloned();
            let count: u64 = entry
                .as_ref()
                .and_then(|entry| entry.bytes())
                .map_or(0, |bytes| std::str::from_utf8(bytes).unwrap().parse().unwrap());
            let mut changes = self.changes(&held.record);
            let next = (count + 1).to_string().into_bytes();
            changes.update("n", entry.map(|entry| entry.stamp()), Some(next.into()));
            match self.store.commit(live.key(), held.version, &changes, &Default::default()).await {
                Ok(_) => return Ok(()),
                Err(mut error) => match error.take_current() {
                    Some(current) => held = current,
                    None => return Err(error),
                },
            }
        }
    }

    pub(crate) async fn count(&self, live: &Live) -> String {
        let held = self.load(live).await.unwrap().expect("the session is live");
        String::from_utf8(held.record.value("n").unwrap_or(b"0").to_vec()).unwrap()
    }

    pub(crate) async fn end(&self, live: &Live) -> Result<EndOutcome, Error> {
        self.store.end(live.key(), EndReason::LoggedOut, &EndOptions::default()).await
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.store.metrics().iter().find(|metric| metric.name() == name).expect("it is counted").value()
    }
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(BETWEEN_LOOKS).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it comes to pass");
}

/// Every key of the server with the milliseconds that it still lives; -1 is for ever.
pub(crate) async fn lives(server: &Redis) -> Vec<(String, i64)> {
    let script = "local lives = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
                  lives[#lives + 1] = key .. ' ' .. redis.call('PTTL', key) end return lives";
    let lines = server.cli(&["EVAL", script, "0"]).await;
    let line = |line: &str| {
        let (key, life) = line.rsplit_once(' ').unwrap();
        (key.to_owned(), life.parse().unwrap())
    };
    lines.lines().filter(|line| !line.is_empty()).map(line).collect()
}
