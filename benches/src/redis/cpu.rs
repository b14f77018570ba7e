//! Processor time, here and in the server: where both share a machine, a rate says only what they spend together.

use std::time::{Duration, Instant};

use redis::Connection;

/// Of `/proc/self/stat`: a hundredth of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Reads how much was spent so far.
pub(crate) struct Meter(Connection);

/// What was spent on a number of operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    here: Duration,
    server: Duration,
    operations: f64,
}

impl Spent {
    /// Microseconds of an operation: here, and in the server.
    pub(crate) fn each(&self) -> [f64; 2] {
        [self.here, self.server].map(|spent| spent.as_secs_f64() * 1e6 / self.operations.max(1.0))
    }
}

impl Meter {
    /// One of this process and a server.
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        Ok(Self(redis::Client::open(url)?.get_connection()?))
    }

    /// What was spent up to now, by all and on everything.
    pub(crate) fn now(&mut self) -> anyhow::Result<Spent> {
        let info: String = redis::cmd("INFO").arg("cpu").query(&mut self.0)?;
        let of = |name: &str| {
            let field = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            field
                .and_then(|seconds| seconds.trim().parse().ok())
                .map_or(Duration::ZERO, Duration::from_secs_f64)
        };
        Ok(Spent { here: here(), server: of("used_cpu_user") + of("used_cpu_sys"), operations: 0.0 })
    }

    /// Runs what answers its rate, and adds what is spent on it.
    pub(crate) fn around(&mut self, to: &mut Spent, run: &dyn Fn() -> f64) -> anyhow::Result<f64> {
        let (before, began) = (self.now()?, Instant::now());
        let rate = run();
        self.add(to, before, rate * began.elapsed().as_secs_f64())?;
        Ok(rate)
    }

    /// Adds what was spent since `before` on so many operations.
    pub(crate) fn add(&mut self, to: &mut Spent, before: Spent, operations: f64) -> anyhow::Result<()> {
        let now = self.now()?;
        to.here += now.here.saturating_sub(before.here);
        to.server += now.server.saturating_sub(before.server);
        to.operations += operations;
        Ok(())
    }
}

/// Of this process with all its threads; nothing where the system does not tell.
fn here() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum::<u32>();
    TICK * ticks
}
