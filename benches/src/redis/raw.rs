//! Operations of the store beside the raw commands that they come down to, over connections of the same sort.

use std::sync::Arc;
use std::time::Instant;

use abide_redis::{Address, RedisStore};
use redis::aio::MultiplexedConnection;
use redis::Script;

use super::cpu::{Meter, Spent};
use crate::kinds::until_ready;
use crate::operations::{Operations, VALUE};
use crate::options::Speed;
use crate::report;

/// What a commit comes down to: set the string in place of the one with the stamp that was seen.
const COMPARE_AND_SET: &str = "local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";
const LIFE: u64 = 3_600_000;

/// A way to do an operation.
#[derive(Clone, Copy)]
enum Way {
    RawGet,
    Load,
    LoadAtHand,
    RawScript,
    Commit,
}

/// Each operation, the raw command first: it is what the others are compared with.
const OPERATIONS: [(&str, &[Way]); 2] =
    [("load", &[Way::RawGet, Way::Load, Way::LoadAtHand]), ("commit", &[Way::RawScript, Way::Commit])];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::RawGet => "raw GET",
            Self::Load => "abide, load",
            Self::LoadAtHand => "abide, load at hand",
            Self::RawScript => "raw script",
            Self::Commit => "abide, commit",
        }
    }
}

/// The rates of one way to do an operation.
pub(crate) struct Rates {
    way: Way,
    rates: Vec<f64>,
    ratios: Vec<f64>,
    spent: Spent,
}

impl Rates {
    fn none(way: Way) -> Self {
        Self { way, rates: Vec::new(), ratios: Vec::new(), spent: Spent::default() }
    }

    pub(crate) fn row(&self, operation: &str) -> String {
        report::redis(operation, self.way.name(), &self.rates, &self.ratios, self.spent.each())
    }
}

/// Everything that is measured, ready to go.
struct Subject {
    store: RedisStore,
    near: RedisStore,
    raw: MultiplexedConnection,
    /// One session for each task, so that nobody races anybody.
    operations: Operations,
    names: Vec<String>,
    script: Script,
    /// What is stored of a session.
    bytes: usize,
}

/// Measures every operation.
pub(crate) async fn measure(url: &str, options: &Speed) -> anyhow::Result<Vec<(&'static str, Vec<Rates>)>> {
    let (mut meter, subject) = (Meter::open(url)?, Arc::new(Subject::open(url, options.tasks).await?));
    let mut measured = Vec::new();
    for (operation, ways) in OPERATIONS {
        let mut of: Vec<_> = ways.iter().copied().map(Rates::none).collect();
        for _ in 0..options.rounds {
            round(&subject, &mut meter, options, &mut of).await?;
        }
        measured.push((operation, of));
    }
    Ok(measured)
}

async fn round(
    subject: &Arc<Subject>,
    meter: &mut Meter,
    options: &Speed,
    of: &mut [Rates],
) -> anyhow::Result<()> {
    let mut first = None;
    for Rates { way, rates, ratios, spent } in of {
        let (before, began) = (meter.now()?, Instant::now());
        let rate = subject.rate(options, *way).await;
        meter.add(spent, before, rate * began.elapsed().as_secs_f64())?;
        rates.push(rate);
        ratios.push(rate / *first.get_or_insert(rate));
    }
    Ok(())
}

impl Subject {
    async fn open(url: &str, tasks: u32) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let builder = || Ok::<_, anyhow::Error>(RedisStore::builder(Address::parse(scheme, rest)?));
        let (store, near) = (builder()?.open()?, builder()?.near_cache(64 << 20).open()?);
        until_ready(&store).await?;
        until_ready(&near).await?;
        let raw = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        let (operations, script) = (Operations::on(tasks)?, Script::new(COMPARE_AND_SET));
        let names = operations.keys().iter().map(|key| format!("raw:{}", key.handle())).collect();
        let mut subject = Self { store, near, raw, operations, names, script, bytes: 0 };
        subject.fill().await?;
        Ok(subject)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        for (task, name) in self.names.iter().enumerate() {
            let record = abide_core::codec::encode(&self.operations.record())?;
            let bytes = [&[0; 16][..], &record].concat();
            self.bytes = bytes.len();
            self.operations.create(&self.store, task).await;
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
        let bytes = [&stamp[..], &vec![0; self.bytes - stamp.len()]].concat();
        let mut connection = self.raw.clone();
        if n == 0 {
            redis::cmd("SET")
                .arg(&self.names[task])
                .arg(seen.as_slice())
                .exec_async(&mut connection)
                .await
                .expect("a reply");
        }
        let mut call = self.script.key(&self.names[task]);
        call.arg(&seen[..]).arg(bytes).arg(LIFE);
        let done: i64 = call.invoke_async(&mut connection).await.expect("nobody else writes");
        assert_eq!(done, 1);
    }

    async fn once(&self, way: Way, task: usize, n: u64) {
        match way {
            Way::RawGet => self.raw_get(task).await,
            Way::Load => self.operations.load(&self.store, task).await,
            Way::LoadAtHand => self.operations.load(&self.near, task).await,
            Way::RawScript => self.raw_set(task, n).await,
            Way::Commit => self.operations.set(&self.store, task).await,
        }
    }

    /// Operations per second with all tasks at work.
    async fn rate(self: &Arc<Self>, options: &Speed, way: Way) -> f64 {
        let (started, length) = (Instant::now(), options.length());
        let tasks: Vec<_> = (0..self.names.len())
            .map(|task| {
                let subject = self.clone();
                tokio::spawn(async move {
                    let mut done = 0;
                    while started.elapsed() < length {
                        subject.once(way, task, done).await;
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

fn stamp(n: u64) -> [u8; 16] {
    u128::from(n).to_be_bytes()
}
