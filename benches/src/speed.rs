//! Requests per second, in interleaved rounds.
//!
//! Each round measures every kind once, one after the other, so that a slow minute of the machine falls on all of them;
//! the order rotates, so that no kind always runs after the same neighbour. A ratio is taken within a round, to the
//! floor's rate of that round, and the report shows the median of the ratios.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::runtime::Runtime;

use crate::client;
use crate::kinds::{self, AnyKind};
use crate::options::Speed;
use crate::routes::Path;

/// Requests between two looks at the clock.
const BATCH: u64 = 16;

/// Everything that is measured, ready to go.
pub(crate) struct Bench<'a> {
    options: &'a Speed,
    runtime: Runtime,
    subjects: Vec<Subject>,
}

/// Runs a kind, named by its place, and answers its rate.
pub(crate) type Around<'a> = &'a mut dyn FnMut(usize, &dyn Fn() -> f64) -> f64;

/// One kind with its sessions open.
struct Subject {
    kind: AnyKind,
    router: Router,
    cookies: Arc<[String]>,
}

/// The rates of one kind on one path.
pub(crate) struct Rates {
    /// The kind.
    pub(crate) kind: AnyKind,
    /// Requests per second in each round.
    pub(crate) rates: Vec<f64>,
    /// The same, divided by the floor's of that round.
    pub(crate) ratios: Vec<f64>,
}

impl<'a> Bench<'a> {
    /// Opens the sessions of every kind, after a check that it does its work.
    ///
    /// The requests are served by so many threads, or by one for each core.
    pub(crate) fn open(options: &'a Speed, threads: Option<usize>) -> anyhow::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = threads {
            runtime.worker_threads(threads);
        }
        Self::of(options, runtime.enable_all().build()?, kinds::chosen(&options.only)?)
    }

    /// Opens the sessions of these kinds on that runtime; every ratio is taken to the first.
    pub(crate) fn of(options: &'a Speed, runtime: Runtime, kinds: Vec<AnyKind>) -> anyhow::Result<Self> {
        let mut subjects = Vec::new();
        for kind in kinds {
            subjects.push(runtime.block_on(Subject::open(kind, options.sessions))?);
        }
        Ok(Self { options, runtime, subjects })
    }

    /// What is compared.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = AnyKind> + '_ {
        self.subjects.iter().map(|subject| subject.kind)
    }

    /// Measures all kinds on one path; the floor comes first.
    pub(crate) fn measure(&self, path: Path) -> Vec<Rates> {
        self.measure_around(path, &mut |_, run| run())
    }

    /// As [`measure`](Self::measure); `around` runs each kind, named by its place, and answers its rate.
    pub(crate) fn measure_around(&self, path: Path, around: Around<'_>) -> Vec<Rates> {
        let mut measured: Vec<_> = self.kinds().map(Rates::none).collect();
        for number in 0..self.options.rounds {
            let round = self.round(path, number, around);
            for (rates, rate) in measured.iter_mut().zip(&round) {
                rates.rates.push(*rate);
                rates.ratios.push(rate / round[0]);
            }
        }
        measured
    }

    /// The rate of each kind in one round, in the order of the subjects.
    fn round(&self, path: Path, number: u32, around: Around<'_>) -> Vec<f64> {
        let mut rates = vec![0.0; self.subjects.len()];
        for step in 0..self.subjects.len() {
            let index = (number as usize + step) % self.subjects.len();
            let rate = || self.runtime.block_on(self.subjects[index].rate(path, self.options, number));
            rates[index] = around(index, &rate);
        }
        rates
    }
}

impl Subject {
    async fn open(kind: AnyKind, sessions: u32) -> anyhow::Result<Self> {
        let router = kind.router().await?;
        client::check(kind, &router).await?;
        let cookies = client::open_many(&router, sessions).await.into();
        Ok(Self { kind, router, cookies })
    }

    /// Requests per second with all tasks at work.
    async fn rate(&self, path: Path, options: &Speed, round: u32) -> f64 {
        let started = Instant::now();
        let tasks: Vec<_> = (0..options.tasks)
            .map(|task| {
                let mut choice = Choice::new(options.seed, round, task);
                let choose = move |sessions| choice.below(sessions);
                tokio::spawn(work(self.router.clone(), self.cookies.clone(), path, choose, options.length()))
            })
            .collect();
        let mut requests = 0;
        for task in tasks {
            requests += task.await.expect("a task failed");
        }
        requests as f64 / started.elapsed().as_secs_f64()
    }
}

/// One task: requests for sessions that `choose` picks, of so many, until the time is over. Gives the number of requests.
pub(crate) async fn work(
    router: Router,
    cookies: Arc<[String]>,
    path: Path,
    mut choose: impl FnMut(usize) -> usize,
    length: Duration,
) -> u64 {
    let started = Instant::now();
    let mut requests = 0;
    while started.elapsed() < length {
        for _ in 0..BATCH {
            let cookie = &cookies[choose(cookies.len())];
            client::send(&router, client::request(path.uri(), Some(cookie))).await;
        }
        requests += BATCH;
        // In-process requests to a memory store hardly ever wait, and a task that never waits would keep its thread.
        tokio::task::yield_now().await;
    }
    requests
}

/// `SplitMix64`: cheap enough to vanish beside a request, and the same for every kind.
struct Choice(u64);

impl Choice {
    fn new(seed: u64, round: u32, task: u32) -> Self {
        Self(seed ^ (u64::from(round) << 32 | u64::from(task)).wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }
}

impl Rates {
    fn none(kind: AnyKind) -> Self {
        Self { kind, rates: Vec::new(), ratios: Vec::new() }
    }
}
