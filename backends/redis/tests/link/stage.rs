//! What these tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use abide_redis::connect::{Address, LinkOptions, Servers, Terms};
use redis::{Pipeline, Value};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The deadline of an operation under load, as the store's default.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// What a busy machine may add to a deadline before an operation says so.
pub(crate) const SLACK: Duration = Duration::from_secs(2);
/// Longer than any failover of the harness takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn open(url: &str) -> Servers {
    open_with(url, LinkOptions::new())
}

pub(crate) fn open_with(url: &str, options: LinkOptions) -> Servers {
    let (scheme, rest) = url.split_once(':').unwrap();
    Servers::open(Address::parse(scheme, rest).unwrap(), options).unwrap()
}

/// Options of who waits for no connection.
pub(crate) fn impatient() -> LinkOptions {
    LinkOptions::new().patience(Duration::ZERO)
}

/// Options of who waits for a connection as long as it takes.
pub(crate) fn patient() -> LinkOptions {
    LinkOptions::new().patience(PATIENCE)
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn get(key: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("GET").arg(key);
    pipeline
}

pub(crate) fn set(key: &str, value: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SET").arg(key).arg(value);
    pipeline
}

/// A value as it was read.
pub(crate) async fn read(servers: &Servers, key: &str) -> Result<Value, Error> {
    let mut values = servers.run(key.as_bytes(), &get(key), Terms::read(soon())).await?;
    Ok(values.swap_remove(0))
}

/// Waits until every master is within reach.
pub(crate) async fn up(servers: &Servers) {
    until(|| servers.ready()).await;
}

/// Waits until more connections were made than `before`.
pub(crate) async fn changed(changes: &mut Receiver<u64>, before: u64) {
    timeout(PATIENCE, changes.wait_for(|changes| *changes > before)).await.expect("it changes").unwrap();
}

/// Waits until something holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let held = timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    held.await.expect("it comes to pass");
}

/// Writers that go on until they are stopped, each on keys of its own.
pub(crate) struct Load {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

/// What writers met.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    within: Duration,
    written: AtomicU64,
    refused: AtomicU64,
    doubtful: AtomicU64,
    wrong: std::sync::Mutex<Vec<String>>,
    longest: AtomicU64,
}

impl Load {
    /// `writers` writers, each with keys that begin with `key`.
    pub(crate) fn start(servers: &Servers, writers: usize, key: &str) -> Self {
        Self::start_within(DEADLINE, servers, writers, key)
    }

    /// Writers whose operations have that much time.
    pub(crate) fn start_within(within: Duration, servers: &Servers, writers: usize, key: &str) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        let tally = Arc::new(Tally { within, ..Tally::default() });
        for writer in 0..writers {
            let (servers, stop, tally) = (servers.clone(), stop.clone(), tally.clone());
            let key = format!("{key}{writer}");
            tasks.spawn(async move {
                let mut count = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    tally.write(&servers, &key, &count.to_string()).await;
                    sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Self { tasks, stop, tally }
    }

    pub(crate) fn written(&self) -> u64 {
        self.tally.written.load(Ordering::Relaxed)
    }

    /// Waits until another write was done.
    pub(crate) async fn goes_on(&self) {
        let before = self.written();
        until(|| self.written() > before).await;
    }

    /// Stops the writers, and checks that none of them met what no outage may cause.
    pub(crate) async fn end(mut self) -> Arc<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let wrong = self.tally.wrong.lock().unwrap().clone();
        assert!(wrong.is_empty(), "only Unavailable and Ambiguous: {wrong:?}");
        let longest = Duration::from_millis(self.tally.longest.load(Ordering::Relaxed));
        assert!(longest < self.tally.within + SLACK, "an operation took {longest:?}");
        self.tally.clone()
    }
}

impl Tally {
    async fn write(&self, servers: &Servers, key: &str, value: &str) {
        let begin = Instant::now();
        let terms = Terms::write(begin + self.within);
        match servers.run(key.as_bytes(), &set(key, value), terms).await {
            Ok(values) if values == [Value::Okay] => add(&self.written),
            Ok(values) => self.wrong.lock().unwrap().push(format!("{values:?}")),
            Err(error) => match error.kind() {
                ErrorKind::Unavailable => add(&self.refused),
                ErrorKind::Ambiguous => add(&self.doubtful),
                _ => self.wrong.lock().unwrap().push(format!("{error:?}")),
            },
        }
        let took = u64::try_from(begin.elapsed().as_millis()).unwrap();
        self.longest.fetch_max(took, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.doubtful.load(Ordering::Relaxed)
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
