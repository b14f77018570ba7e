//! Operations of the store beside the raw commands that they come down to, over connections of the same sort.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::{
    Changes, Clock as _, CommitOptions, CreateOptions, EraId, LoadOptions, NewRecord, Record, SessionKey,
    SessionStore as _, Stamps, SystemClock, Token, Version,
};
use abide_redis::{Address, RedisStore};
use redis::aio::MultiplexedConnection;
use redis::Script;

use crate::kinds::until_ready;
use crate::options::Speed;

/// What a commit comes down to: set the string in place of the one with the stamp that was seen.
const COMPARE_AND_SET: &str = "local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";
const NONCE: [u8; 16] = [1; 16];
const LIFE: u64 = 3_600_000;
const VALUE: [u8; 512] = [b'v'; 512];

/// The rates of one way to do an operation.
pub(crate) struct Rates {
    name: &'static str,
    rates: Vec<f64>,
    ratios: Vec<f64>,
}

impl Rates {
    fn none(name: &'static str) -> Self {
        Self { name, rates: Vec::new(), ratios: Vec::new() }
    }

    pub(crate) fn row(&self) -> (&str, &[f64], &[f64]) {
        (self.name, &self.rates, &self.ratios)
    }
}

/// Everything that is measured, ready to go.
struct Subject {
    store: RedisStore,
    near: RedisStore,
    raw: MultiplexedConnection,
    /// One session for each task, so that nobody races anybody.
    keys: Vec<SessionKey>,
    names: Vec<String>,
    stamps: Stamps,
    era: EraId,
    script: Script,
}

/// Each operation, the raw command first.
pub(crate) async fn measure(url: &str, options: &Speed) -> anyhow::Result<Vec<(&'static str, Vec<Rates>)>> {
    let subject = Arc::new(Subject::open(url, options.tasks).await?);
    let mut load = [Rates::none("raw GET"), Rates::none("abide, load"), Rates::none("abide, load at hand")];
    let mut commit = [Rates::none("raw script"), Rates::none("abide, commit")];
    for _ in 0..options.rounds {
        let rates = [
            subject.rate(options, |subject, task, _| async move { subject.raw_get(task).await }).await,
            subject
                .rate(
                    options,
                    |subject, task, _| async move { load_of(&subject.store, &subject, task).await },
                )
                .await,
            subject
                .rate(options, |subject, task, _| async move { load_of(&subject.near, &subject, task).await })
                .await,
        ];
        add(&mut load, &rates);
        let rates = [
            subject.rate(options, |subject, task, n| async move { subject.raw_set(task, n).await }).await,
            subject.rate(options, |subject, task, _| async move { subject.commit(task).await }).await,
        ];
        add(&mut commit, &rates);
    }
    Ok(vec![("load", load.into()), ("commit", commit.into())])
}

fn add(to: &mut [Rates], rates: &[f64]) {
    for (to, rate) in to.iter_mut().zip(rates) {
        to.rates.push(*rate);
        to.ratios.push(rate / rates[0]);
    }
}

impl Subject {
    async fn open(url: &str, tasks: u32) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let builder = || Ok::<_, anyhow::Error>(RedisStore::builder(Address::parse(scheme, rest)?));
        let (store, near) = (builder()?.open()?, builder()?.near_cache(64 << 20).open()?);
        until_ready(&store).await?;
        until_ready(&near).await?;
        let raw = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        let keys: Vec<_> =
            (0..tasks).map(|task| SessionKey::from_bytes(u128::from(task).to_be_bytes())).collect();
        let names = keys.iter().map(|key| format!("raw:{}", key.handle())).collect();
        let (stamps, script) = (Stamps::new(1), Script::new(COMPARE_AND_SET));
        let era = EraId::first(NONCE);
        let subject = Self { store, near, raw, keys, names, stamps, era, script };
        subject.fill().await?;
        Ok(subject)
    }

    async fn fill(&self) -> anyhow::Result<()> {
        let now = SystemClock.now();
        for (key, name) in self.keys.iter().zip(&self.names) {
            let new =
                NewRecord::new(self.stamps.next(now), NONCE, Token::from_bytes([1; 32]).verifier(), now);
            let record = Record::create(new.idle_timeout(Duration::from_secs(3_600)).value("v", VALUE));
            let bytes = [&[0; 16][..], &abide_core::codec::encode(&record)?].concat();
            self.store.create(key, record, &CreateOptions::default()).await?;
            redis::cmd("SET").arg(name).arg(bytes).exec_async(&mut self.raw.clone()).await?;
        }
        Ok(())
    }

    async fn raw_get(&self, task: usize) {
        let bytes: Vec<u8> = redis::cmd("GET")
            .arg(&self.names[task])
            .query_async(&mut self.raw.clone())
            .await
            .expect("a reply");
        assert!(bytes.len() > VALUE.len());
    }

    /// With as many bytes to and fro as a commit has.
    async fn raw_set(&self, task: usize, n: u64) {
        let (seen, stamp) = (stamp(n), stamp(n + 1));
        let bytes = [&stamp[..], &VALUE, &[0; 150]].concat();
        let mut connection = self.raw.clone();
        if n == 0 {
            redis::cmd("SET")
                .arg(&self.names[task])
                .arg([&seen[..], &VALUE].concat())
                .exec_async(&mut connection)
                .await
                .expect("a reply");
        }
        let mut call = self.script.key(&self.names[task]);
        call.arg(&seen[..]).arg(bytes).arg(LIFE);
        let done: i64 = call.invoke_async(&mut connection).await.expect("nobody else writes");
        assert_eq!(done, 1);
    }

    /// One commit, made from what the one before it answered.
    async fn commit(&self, task: usize) {
        let (key, now) = (&self.keys[task], SystemClock.now());
        let mut changes = Changes::new(self.stamps.next(now), self.era);
        changes.set("v", VALUE);
        let done = self.store.commit(key, Version::default(), &changes, &CommitOptions::default()).await;
        assert!(done.is_ok());
    }

    /// Operations per second with all tasks at work.
    async fn rate<F, Fut>(self: &Arc<Self>, options: &Speed, operation: F) -> f64
    where
        F: Fn(Arc<Self>, usize, u64) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let (started, length) = (Instant::now(), options.length());
        let tasks: Vec<_> = (0..self.keys.len())
            .map(|task| {
                let subject = self.clone();
                tokio::spawn(async move {
                    let mut done = 0;
                    while started.elapsed() < length {
                        operation(subject.clone(), task, done).await;
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.expect("a task failed");
        }
        done as f64 / started.elapsed().as_secs_f64()
    }
}

async fn load_of(store: &RedisStore, subject: &Subject, task: usize) {
    let loaded = store.load(&subject.keys[task], &LoadOptions::default()).await;
    assert!(loaded.is_ok_and(|loaded| loaded.is_some()));
}

fn stamp(n: u64) -> [u8; 16] {
    u128::from(n).to_be_bytes()
}
