//! Many seeds on all cores.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use abide_conformance::interleavings::{Driver, Tally, Violation, check_seed};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How far many seeds are.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Seeds that are done.
    pub done: u64,
    /// Since the beginning.
    pub after: Duration,
}

impl Progress {
    /// Seeds in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.after.as_secs_f64().max(1e-9)
    }
}

/// Checks `count` seeds from `base` on, on every core, until `within` is over, and counts what happened in those that
/// did not fail. `tell` hears of the progress now and then, `found` of each violation, and answers whether to go on.
pub fn many(
    driver: &dyn Driver,
    base: u64,
    count: u64,
    within: Option<Duration>,
    tell: impl Fn(Progress),
    found: impl Fn(&Violation) -> bool + Sync,
) -> Tally {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let result = Mutex::new(Tally::default());
    let start = Instant::now();
    let work = || {
        let mut tally = Tally::default();
        while !stop.load(Relaxed) && within.is_none_or(|within| start.elapsed() < within) {
            let n = next.fetch_add(1, Relaxed);
            if n >= count {
                break;
            }
            match check_seed(driver, base.wrapping_add(n)) {
                Ok(one) => tally.add(&one),
                Err(violation) if found(&violation) => {}
                Err(_) => stop.store(true, Relaxed),
            }
            done.fetch_add(1, Relaxed);
        }
        result.lock().expect("no panic under the lock").add(&tally);
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while !workers.iter().all(|worker| worker.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(Progress { done: done.load(Relaxed), after: start.elapsed() });
            }
        }
    });
    tell(Progress { done: done.load(Relaxed), after: start.elapsed() });
    result.into_inner().expect("no panic under the lock")
}
